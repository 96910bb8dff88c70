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


def test_an_item_taken_again_counts_again_as_in_a_data_set() -> None:
    windows = [Case("u", events("aba"), case_id="1"), Case("u", events("ba"), case_id="2"), Case("v", events("bb"))]
    assert dict(TrainingData(lambda: earlier_events(windows)).popularity) == {"a": 2, "b": 3}


def test_the_last_event_is_the_newest_whichever_case_comes_first() -> None:
    def at(*times: float) -> tuple[Event, ...]:
        return tuple(Event(Item(f"{time:g}", f"{time:g}"), None, time) for time in times)

    [case] = earlier_events([Case("u", at(2, 3), case_id="later"), Case("u", at(1, 2), case_id="earlier")])
    assert [event.timestamp for event in case.history] == [1, 2, 3]


def test_the_order_of_the_cases_changes_nothing() -> None:
    windows = [Case("u", events("ab"), case_id="1", target=Item("c", "c")), Case("u", events("bc"), case_id="2")]
    for order in (windows, windows[::-1]):
        (case,) = earlier_events(order)
        assert {event.item.item_id for event in case.history} == {"a", "b"}


def test_stars_beside_a_yes_or_no_are_read_as_yes_or_no() -> None:
    cases = [Case("u", (*events("a", 5.0), *events("b", 4.0), *events("c", 1.0), *events("d", 2.0)))]
    assert TrainingData(lambda: cases, (0.0, 1.0)).rating_means.overall == pytest.approx(0.5)
    assert TrainingData(lambda: cases, (1.0, 5.0)).rating_means.overall == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("ratings", "scale", "found"),
    [
        ((1.0, 5.0), (1.0, 5.0), (1.0, 5.0)),
        ((1.0, 5.0), (0.0, 1.0), (1.0, 5.0)),
        ((0.0, 1.0), (1.0, 5.0), (0.0, 1.0)),
        ((1.0, 1.0), (1.0, 5.0), (0.0, 1.0)),
        ((2.0, 9.0), (1.0, 5.0), (1.0, 9.0)),
        ((2.0, 4.0), (1.0, 10.0), (1.0, 10.0)),
    ],
)
def test_histories_have_the_scale_of_the_truth_unless_they_have_their_own(
    ratings: tuple[float, float], scale: tuple[float, float], found: tuple[float, float]
) -> None:
    low, high = ratings
    cases = [Case("u", (*events("a", low), *events("b", high)))]
    assert TrainingData(lambda: cases, scale).history_scale == found
