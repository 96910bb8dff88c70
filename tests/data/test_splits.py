"""Splits and k-core: on any data, and on the real."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrank.data.dataset import Dataset, Interactions, Split
from llmrank.data.load import load_dataset
from llmrank.data.splits import k_core, leave_last_out, parse_split, time_split, user_ratio
from llmrank.errors import InputError
from llmrank.types import Item

DAY = 86400.0
Row = tuple[int, int, float]


def make(rows: list[Row], *, timestamps: bool = True) -> Dataset:
    """A Dataset of (user, item, time) rows in file order."""
    order = np.argsort([time for _, _, time in rows], kind="stable") if timestamps else np.arange(len(rows))
    user, item = (np.array([row[column] for row in rows], np.int32) for column in (0, 1))
    time = np.array([row[2] for row in rows])
    events = Interactions(user, item, time % 5 + 1, time if timestamps else None).take(order)
    users = tuple(f"u{index}" for index in range(int(user.max()) + 1))
    items = tuple(Item(f"i{index}", f"Item {index}") for index in range(int(item.max()) + 1))
    return Dataset("toy", users, items, events, (1, 5), "memory", "")


def triples(events: Interactions) -> list[Row]:
    assert events.timestamp is not None
    return list(zip(events.user.tolist(), events.item.tolist(), events.timestamp.tolist(), strict=True))


def sequences(events: Interactions) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for user, item in zip(events.user.tolist(), events.item.tolist(), strict=True):
        found.setdefault(user, []).append(item)
    return found


rows = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 8), st.integers(0, 6).map(float)), min_size=2, max_size=60)


@given(rows, st.integers(1, 3))
def test_leave_last_out_holds_out_the_last_of_each_user(data: list[Row], hold_out: int) -> None:
    dataset = make(data)
    whole = sequences(dataset.interactions)
    enough = {user for user, items in whole.items() if len(items) > hold_out}
    if not enough:
        with pytest.raises(InputError, match="no test events"):
            leave_last_out(dataset, hold_out)
        return
    split = leave_last_out(dataset, hold_out)
    assert sequences(split.test) == {user: whole[user][-hold_out:] for user in enough}
    assert sequences(split.train) == {u: items[:-hold_out] if u in enough else items for u, items in whole.items()}


@given(rows, st.integers(1, 6))
def test_nothing_after_the_cut_off_is_in_training(data: list[Row], cutoff: int) -> None:
    dataset = make(data)
    before = {user for user, _, time in data if time < cutoff}
    expected = Counter(row for row in triples(dataset.interactions) if row[2] >= cutoff and row[0] in before)
    if not expected:
        with pytest.raises(InputError):
            time_split(dataset, cutoff)
        return
    split = time_split(dataset, cutoff)
    assert Counter(triples(split.test)) == expected
    assert Counter(triples(split.train)) == Counter(row for row in data if row[2] < cutoff)


@given(rows, st.sampled_from([0.1, 0.29, 0.5, 0.7, 0.9]))
def test_user_ratio_cuts_each_user_at_the_ratio(data: list[Row], ratio: float) -> None:
    dataset = make(data)
    whole = sequences(dataset.interactions)
    if max(len(items) for items in whole.values()) < 2:
        return
    split = user_ratio(dataset, ratio)
    train, test = sequences(split.train), sequences(split.test)
    for user, items in whole.items():
        assert train[user] + test.get(user, []) == items
        assert len(train[user]) == max(1, int(round(ratio * 100) * len(items) // 100))


def test_equal_timestamps_keep_the_files_order_and_are_counted() -> None:
    split = leave_last_out(make([(0, 3, 5), (0, 1, 5), (0, 2, 5), (1, 0, 1), (1, 1, 2)]))
    assert sequences(split.test) == {0: [2], 1: [1]}
    assert "not a time split" in split.note.lower()
    assert "For 1 of 2 users, a held-out event has the timestamp" in split.note


def test_a_repeated_item_in_the_test_is_counted() -> None:
    note = leave_last_out(make([(0, 1, 1), (0, 2, 2), (0, 1, 3)])).note
    assert "In 1 of 1 held-out event the item is in the user's history" in note and "remove repeated rows" not in note


def test_a_held_out_event_that_is_also_in_training_is_counted() -> None:
    note = leave_last_out(make([(0, 1, 1), (0, 2, 2), (0, 2, 2), (1, 1, 1), (1, 2, 2)])).note
    assert "In 1 of 2 held-out events the item is in the user's history" in note
    assert note.endswith("In 1 of them the time is the same too: remove repeated rows.")


def test_the_time_split_says_whom_it_leaves_out() -> None:
    split = time_split(make([(0, 0, 0), (0, 1, 3 * DAY), (1, 0, 3 * DAY), (1, 1, 4 * DAY)]), date(1970, 1, 3))
    assert split.name == "time(1970-01-03)"
    assert "Left out, because they have no history: 1 user with 2 events." in split.note
    assert sequences(split.test) == {0: [1]}


def test_a_time_split_needs_every_timestamp(shared_data: Callable[[str], Path]) -> None:
    with pytest.raises(InputError, match="toy has 3 interactions without a timestamp"):
        time_split(make([(0, 0, 0), (0, 1, 1), (0, 2, 2)], timestamps=False), 1)
    with pytest.raises(InputError, match="ml-1m has 433,255 interactions without a timestamp"):
        time_split(load_dataset("ml-1m", folder=shared_data("ml-1m")), date(2000, 12, 1))


@given(rows, st.integers(1, 4))
def test_the_k_core_is_the_largest_that_satisfies_k(data: list[Row], k: int) -> None:
    left = data
    while True:  # one violation at a time: whatever the order, the same core is left
        users, items = Counter(row[0] for row in left), Counter(row[1] for row in left)
        bad = next((row for row in left if users[row[0]] < k or items[row[1]] < k), None)
        if bad is None:
            break
        left = [row for row in left if row is not bad]
    dataset = make(data)
    if not left:
        with pytest.raises(InputError, match=f"no {k}-core"):
            k_core(dataset, k)
        return
    core = k_core(dataset, k)
    named = [(core.users[user], core.items[item].item_id, time) for user, item, time in triples(core.interactions)]
    assert Counter(named) == Counter((f"u{user}", f"i{item}", time) for user, item, time in left)
    assert set(core.users) == {user for user, _, _ in named}
    assert {item.item_id for item in core.items} == {item for _, item, _ in named}
    assert core.sha256 != dataset.sha256


def test_the_5_core_of_ml_1m_is_the_published_one(shared_data: Callable[[str], Path]) -> None:
    core = k_core(load_dataset("ml-1m", folder=shared_data("ml-1m")), 5)
    assert (len(core.users), len(core.items), len(core.interactions)) == (6040, 3416, 999_611)


def test_ml_100k_splits() -> None:
    dataset = load_dataset("ml-100k")
    split = leave_last_out(dataset)
    assert (len(split.train), len(split.test)) == (99_057, 943)
    cut = parse_split("time:1998-03-01")(dataset)
    assert cut.train.timestamp is not None and cut.test.timestamp is not None
    assert cut.train.timestamp.max() < 888710400 <= cut.test.timestamp.min()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("leave-last-out", "leave-last-out"),
        ("leave-last-out:2", "leave-last-out(2)"),
        ("time:1970-01-02", "time(1970-01-02)"),
        ("time:1970-01-02T12:00", "time(1970-01-02T12:00:00)"),
        ("user-ratio:0.5", "user-ratio(0.5)"),
    ],
)
def test_parse_split(text: str, name: str) -> None:
    split = parse_split(text)(make([(0, item, item * DAY / 2) for item in range(6)]))
    assert isinstance(split, Split) and split.name == name


@pytest.mark.parametrize("text", ["leave-lastout", "time", "time:soon", "user-ratio:most", "", "leave-last-out:x"])
def test_what_is_no_split(text: str) -> None:
    with pytest.raises(InputError, match="write it like one of leave-last-out"):
        parse_split(text)


@pytest.mark.parametrize("cutoff", [float("nan"), float("inf"), 889_000_000_000_000.0])
def test_a_cut_off_outside_the_calendar_is_refused(cutoff: float) -> None:
    with pytest.raises(InputError, match=r"the cut-off .* is not a valid time"):
        time_split(make([(0, 0, 0), (0, 1, DAY)]), cutoff)


def test_splits_out_of_range() -> None:
    dataset = make([(0, 0, 0), (0, 1, DAY)])
    for text, message in [
        ("leave-last-out:0", "cannot hold out 0"),
        ("user-ratio:1.5", "1.5 is not between"),
        ("time:1990-01-01", "nothing happened after 1990-01-01"),
        ("time:1960-01-01", "nothing happened before 1960-01-01"),
        ("leave-last-out:2", "leaves no test events\n.*hold out fewer"),
    ]:
        with pytest.raises(InputError, match=message):
            parse_split(text)(dataset)
    for text in ("leave-last-out", "user-ratio:0.5"):
        with pytest.raises(InputError, match="too few events: use more data"):
            parse_split(text)(make([(0, 0, 0), (1, 1, DAY)]))


def test_events_of_one_day_cannot_be_cut_between_days() -> None:
    with pytest.raises(InputError, match="all events are of 1970-01-01; use another split"):
        parse_split("time:1990-01-01")(make([(0, 0, 1.0), (0, 1, 2.0)]))


def test_users_who_have_too_few_events_to_be_tested_are_counted() -> None:
    dataset = make([(0, 0, 1.0), (0, 1, 2.0), (1, 0, 1.0), (2, 0, 1.0), (2, 1, 2.0), (2, 2, 3.0)])
    assert "Only learned from, because they have a single event: 1 user." in leave_last_out(dataset).note
    assert "because they have no more than 2 events: 2 users." in leave_last_out(dataset, 2).note
    assert "Only learned from" not in leave_last_out(make([(0, 0, 1.0), (0, 1, 2.0)])).note
