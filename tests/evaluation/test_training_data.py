"""What is known from before the cut-off, where a file of Cases is all there is."""

from __future__ import annotations

import pytest

from llmrank.evaluation.training_data import TrainingData, earlier_events
from llmrank.types import Case, Event, Item


def events(names: str, rating: float | None = None) -> tuple[Event, ...]:
    return tuple(Event(Item(name, name), rating) for name in names)


def test_what_an_earlier_case_of_the_user_asks_for_is_not_known() -> None:
    windows = [
        Case("u", events("ab"), case_id="1", relevant=("c",)),
        Case("u", events("bc"), case_id="2", relevant=("d",)),
        Case("v", events("c"), relevant=("c",)),
    ]
    training = TrainingData(lambda: earlier_events(windows))
    # b stands in two windows and counts once; c is the truth of u's first Case, but v had it before and takes it again.
    assert dict(training.popularity) == {"a": 1, "b": 1, "c": 1}


def test_the_order_of_the_cases_changes_nothing() -> None:
    windows = [Case("u", events("ab"), case_id="1", target=Item("c", "c")), Case("u", events("bc"), case_id="2")]
    for order in (windows, windows[::-1]):
        (case,) = earlier_events(order)
        assert {event.item.item_id for event in case.history} == {"a", "b"}


def test_stars_beside_a_yes_or_no_are_read_as_yes_or_no() -> None:
    cases = [Case("u", (*events("a", 5.0), *events("b", 4.0), *events("c", 1.0), *events("d", 2.0)))]
    assert TrainingData(lambda: cases, (0.0, 1.0)).rating_means.overall == pytest.approx(0.5)
    assert TrainingData(lambda: cases, (1.0, 5.0)).rating_means.overall == pytest.approx(3.0)
