"""What a model proposes, as Cases, and how much of what was wanted is in it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from llmrank.data.dataset import Dataset, Interactions, Split
from llmrank.data.splits import validation_split
from llmrank.errors import InputError
from llmrank.recall import Coverage, Popularity, candidates_for, recall_model, recall_settings
from llmrank.recall.rescoring import fit_kept, rescore
from llmrank.types import Case, Event, Item


def split() -> Split:
    """Three users; a and b were had by many, d by nobody in training. The test events: u0 → c, u1 → d, u2 → a again."""
    train = Interactions(np.array([0, 1, 2, 0, 2], np.int32), np.array([0, 0, 0, 1, 2], np.int32), None, None)
    test = Interactions(np.array([0, 1, 2], np.int32), np.array([2, 3, 0], np.int32), None, None)
    both = Interactions(np.append(train.user, test.user), np.append(train.item, test.item), None, None)
    items = tuple(Item(name, name.upper()) for name in "abcd")
    return Split(Dataset("toy", ("u0", "u1", "u2"), items, both, None, "", ""), train, test, "leave-last-out", "")


def test_cases_carry_candidates_in_recall_order_and_the_target_is_never_forced_in() -> None:
    cases = list(candidates_for(split(), Popularity(), 2, ["u1", "u0"]))
    assert [case.user_id for case in cases] == ["u1", "u0"]
    assert [item.title for item in cases[0].candidates] == ["B", "C"]
    assert cases[0].recall_scores == (1.0, 1.0)
    assert cases[0].relevant == ("d",)
    assert cases[0].history == (Event(Item("a", "A")),)
    assert [item.item_id for item in cases[1].candidates] == ["c", "d"]


def test_a_model_fitted_before_is_not_fitted_again() -> None:
    other = list(candidates_for(split(), recall_model("random"), 2, ["u1", "u0"], fitted=Popularity().fit(split())))
    assert other == list(candidates_for(split(), Popularity(), 2, ["u1", "u0"]))


def test_seen_items_are_kept_on_request_and_the_policy_is_on_record() -> None:
    seen = list(candidates_for(split(), Popularity(), 4, ["u2"], exclude_seen=False))
    assert [item.item_id for item in seen[0].candidates] == ["a", "b", "c", "d"]
    assert recall_settings(recall_model("ease"), 50) == {
        "model": "ease",
        "l2": 500.0,
        "k": 50,
        "seen_items": "excluded",
    }
    assert recall_settings(Popularity(), 5, exclude_seen=False)["seen_items"] == "kept"


def test_a_model_that_was_fitted_to_other_events_is_refused() -> None:
    # One that has seen what is held out cannot be asked for it.
    outer = split()
    inner = validation_split(outer)
    for asked, fitted in [(inner, Popularity().fit(outer)), (outer, Popularity().fit(inner))]:
        with pytest.raises(InputError, match="not fitted to the training side"):
            list(candidates_for(asked, Popularity(), 2, ["u0"], fitted=fitted))
        with pytest.raises(InputError, match="not fitted to the training side"):
            rescore(fitted, asked, [])


def test_a_model_is_refused_where_anything_that_it_learned_from_differs() -> None:
    whole = split()
    train = replace(whole.train, rating=np.array([1.0, 2, 3, 4, np.nan]), timestamp=np.arange(5.0))
    whole = replace(whole, train=train)
    fitted, (items, users) = Popularity().fit(whole), (whole.dataset.items, whole.dataset.users)
    fitted.require(replace(whole, train=train.take(np.arange(5))))  # a copy
    for other in (
        replace(whole, train=replace(train, item=np.array([0, 1, 0, 0, 2], np.int32))),  # as often, by another user
        replace(whole, train=train.take(np.array([3, 1, 2, 0, 4]))),  # in another order
        replace(whole, train=replace(train, rating=np.array([1.0, 2, 3, 5, np.nan]))),
        replace(whole, train=replace(train, rating=None)),
        replace(whole, train=replace(train, timestamp=np.array([0.0, 1, 2, 3, 5]))),
        replace(whole, dataset=replace(whole.dataset, users=users[::-1])),
        replace(whole, dataset=replace(whole.dataset, items=(*items[:3], Item("d", "Another title")))),
    ):
        with pytest.raises(InputError, match="not fitted to the training side"):
            fitted.require(other)


def test_a_user_of_another_dataset_is_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'u0'"):
        list(candidates_for(split(), Popularity(), 2, ["u00"]))
    with pytest.raises(InputError, match="expected user ids as text, got 1"):
        list(candidates_for(split(), Popularity(), 2, [1]))


def test_what_is_no_model_folder_or_list_is_refused() -> None:
    model: Any = recall_model("mf", validation_users=0)
    fitted, case = Popularity().fit(split()), Case("u0", ())
    calls: list[tuple[str, Callable[[], object]]] = [
        ("expected a recall model, such as that of `recall_model`, got 'mf'", lambda: fit_kept("mf", split(), None)),
        ("field 'folder': expected a path, got 5", lambda: fit_kept(model, split(), 5)),
        ("field 'checkpoint': expected a path, got 5", lambda: model.fit(split(), checkpoint=5)),
        ("expected a list of Cases, got Case", lambda: rescore(fitted, split(), case)),
    ]
    for message, call in calls:
        with pytest.raises(InputError, match=message):
            call()


def test_coverage_counts_hits_and_recall_over_the_cases_that_say_what_is_relevant() -> None:
    items = tuple(Item(name, name) for name in "abcd")
    cases = [
        Case("1", (), items, relevant=("b", "z")),
        Case("2", (), items, relevant=("d",)),
        Case("3", (), items),
    ]
    top = Coverage(k=2)
    assert list(top.watch(cases)) == cases
    assert (top.cases, top.hit_rate, top.recall) == (2, 0.5, 0.25)
    assert math.isnan(Coverage(k=2).recall)
