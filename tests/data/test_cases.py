"""Cases from a split: histories, candidates, ratings, samples of users."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrank.data.cases import event_counts, held_out, histories, ranking_cases, rating_cases, sample_users
from llmrank.data.dataset import Dataset, Interactions, Split
from llmrank.data.load import load_dataset
from llmrank.data.splits import leave_last_out, user_ratio
from llmrank.errors import InputError
from llmrank.types import Case, Event, Item


def toy(ratings: list[float] | None = None) -> Split:
    """User a: items 0 1 2 3; user b: 3 1; user c: 2 alone."""
    user, item = np.array([0, 0, 1, 0, 1, 2, 0], np.int32), np.array([0, 1, 3, 2, 1, 2, 3], np.int32)
    rating = None if ratings is None else np.array(ratings)
    events = Interactions(user, item, rating, np.arange(7.0))
    items = tuple(Item(str(index), f"Item {index}") for index in range(4))
    return leave_last_out(Dataset("toy", ("a", "b", "c"), items, events, (1, 5), "memory", ""))


def test_histories_are_the_training_events_oldest_first() -> None:
    split = toy([1, 2, 3, np.nan, 5, 1, 2])
    train = histories(split)
    assert {user: [event.item.item_id for event in events] for user, events in train.items()} == {
        "a": ["0", "1", "2"],
        "b": ["3"],
        "c": ["2"],
    }
    assert [event.rating for event in train["a"]] == [1, 2, None]
    assert [event.timestamp for event in train["a"]] == [0, 1, 3]
    assert train["a"][0].item is split.dataset.items[0]
    assert set(held_out(split)) == {"a", "b"}


def test_ranking_cases() -> None:
    split = toy()
    candidates, scores = np.array([[3, 1, -1], [0, -1, -1]], np.int32), np.array([[0.9, 0.1, np.nan], [2, 0, 0]])
    first, second = ranking_cases(split, ["b", "c"], candidates, scores)
    assert (first.user_id, first.relevant, first.recall_scores) == ("b", ("1",), (0.9, 0.1))
    assert [item.item_id for item in first.candidates] == ["3", "1"]
    assert first.candidates[0] is split.dataset.items[3]
    assert first.history == histories(split)["b"]
    assert (second.relevant, second.target) == ((), None)
    with pytest.raises(InputError, match="user 'nobody': toy has no such user"):
        list(ranking_cases(split, ["nobody", "c"], candidates, scores))
    with pytest.raises(ValueError, match="1 users"):
        list(ranking_cases(split, ["b"], candidates, scores))


def test_rating_cases() -> None:
    split = toy([1, 2, 3, 4, 5, 1, 2])
    cases = list(rating_cases(split, held_out(split)))
    assert [(case.user_id, case.target and case.target.item_id, case.rating) for case in cases] == [
        ("a", "3", 2),
        ("b", "1", 5),
    ]
    assert [case.user_id for case in rating_cases(split, ["c", "b"])] == ["b"]
    with pytest.raises(InputError, match="toy has no ratings"):
        list(rating_cases(toy(), "a"))


def test_real_rating_cases_are_one_a_user() -> None:
    dataset = load_dataset("ml-100k")
    split = user_ratio(dataset, 0.9)
    cases = list(rating_cases(split, held_out(split)))
    assert len({case.user_id for case in cases}) == len(cases) == 943
    for case in cases:
        assert case.target is not None and case.rating is not None and 1 <= case.rating <= 5
        assert case.target not in [event.item for event in case.history]


@given(st.sets(st.text(max_size=4), max_size=30), st.integers(0, 35), st.integers(0, 5))
def test_a_sample_depends_on_the_set_and_the_seed_alone(users: set[str], n: int, seed: int) -> None:
    sample = sample_users(users, n, seed)
    assert sample == sample_users(sorted(users, reverse=True), n, seed) == sorted(sample)
    assert len(sample) == min(n, len(users)) and set(sample) <= users
    assert set(sample) <= set(sample_users(users, n + 3, seed))


def test_seeds_differ() -> None:
    users = [str(number) for number in range(100)]
    assert len({tuple(sample_users(users, 10, seed)) for seed in range(10)}) == 10


def test_popularity_counts_training_events_and_nothing_else() -> None:
    a, b, c = (Event(Item(name, name)) for name in "abc")
    cases = [Case("1", (a, a, b), candidates=(c.item,), relevant=("a", "c")), Case("2", (a, b), target=c.item)]
    assert event_counts(cases) == {"a": 3, "b": 2}
