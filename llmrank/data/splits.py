"""Splits a Dataset into training and test events, and reduces it to a k-core beforehand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial

import numpy as np
from numpy.typing import NDArray

from llmrank.data.dataset import Dataset, Interactions, Split
from llmrank.data.rows import YEAR_1, YEAR_10000, as_float, content_hash, no_order
from llmrank.errors import InputError, count_of, nearest

_FORMS = ("leave-last-out", "time:1998-03-01", "user-ratio:0.9")


def parse_split(text: str, *, file_order: bool = False) -> Callable[[Dataset], Split]:
    """Return a split function: `leave-last-out`, `leave-last-out:2`, `time:1998-03-01` or `user-ratio:0.9`.

    The function raises InputError if the order of the events is unknown, unless `file_order` declares that the rows of
    the table are oldest first.

    Raises InputError: `text` is not a valid split.
    """
    kind, _, value = text.partition(":")
    try:
        if kind == "time":
            return partial(time_split, cutoff=datetime.fromisoformat(value))
        if kind == "leave-last-out":
            return partial(_ordered, file_order, partial(leave_last_out, hold_out=int(value or 1)))
        if kind == "user-ratio":
            return partial(_ordered, file_order, partial(user_ratio, ratio=float(value)))
        problem = f"unknown split {kind!r}{nearest(kind, [form.partition(':')[0] for form in _FORMS])}"
    except ValueError:
        problem = f"invalid value {value!r} for {kind}"
    raise InputError(problem, field="split", hint=f"write it like one of {', '.join(_FORMS)}")


def _ordered(file_order: bool, cut: Callable[[Dataset], Split], dataset: Dataset) -> Split:
    if dataset.file_order and not file_order:
        raise no_order(dataset.name, dataset.notes)
    return cut(dataset)


def leave_last_out(dataset: Dataset, hold_out: int = 1) -> Split:
    """Hold out each user's last `hold_out` events. Users with no more events than that are used only for training."""
    if hold_out < 1:
        raise InputError(f"cannot hold out {count_of(hold_out, 'event')}", field="split", hint="hold out 1 or more")
    left, count = events_left(dataset.interactions)
    name = "leave-last-out" if hold_out == 1 else f"leave-last-out({hold_out})"
    note = "Not a time split: other users' later events are in training."
    if few := int(((left == 0) & (count <= hold_out)).sum()):
        events = "a single event" if hold_out == 1 else f"no more than {hold_out} events"
        note += f" Only learned from, because they have {events}: {count_of(few, 'user')}."
    return _split(dataset, (left < hold_out) & (count > hold_out), name, note)


def time_split(dataset: Dataset, cutoff: float | date) -> Split:
    """Train on events before `cutoff` (seconds since the epoch, or a date) and test on the rest.

    A date without a zone is in UTC. Users whose first event is after the cut-off have no history: their events are left
    out, and the note counts them.

    Raises InputError: an event has no timestamp, or one side of the cut is empty.
    """
    times = dataset.interactions.timestamp
    unknown = len(dataset.interactions) if times is None else int(np.isnan(times).sum())
    if times is None or unknown:
        hint = (
            "use leave-last-out or user-ratio, which need only the order of the events (--file-order: that of the rows)"
        )
        problem = f"{dataset.name} has {count_of(unknown, 'interaction')} without a timestamp"
        raise InputError(problem, field="timestamp", hint=hint)
    at = as_float(cutoff)
    if not YEAR_1 <= at < YEAR_10000:
        hint = "give seconds since the epoch, or a date"
        raise InputError(f"the cut-off {at:g} is not a valid time", field="split", hint=hint)
    moment = datetime.fromtimestamp(at, UTC)
    shown = f"{moment:%Y-%m-%d}" if at % 86400 == 0 else f"{moment:%Y-%m-%dT%H:%M:%S}"
    later = times >= at
    if later.all() or not later.any():
        first, last = (datetime.fromtimestamp(float(time), UTC).date() for time in (times[0], times[-1]))
        side = "before" if later.all() else "after"
        hint = f"cut between {first} and {last}" if first < last else f"all events are of {first}; use another split"
        raise InputError(f"nothing happened {side} {shown}", field="split", hint=hint)
    return _split(dataset, later, f"time({shown})", "Training holds nothing from after the cut-off.")


def user_ratio(dataset: Dataset, ratio: float) -> Split:
    """Train on the first floor(ratio × n) of each user's n events (at least one) and test on the rest."""
    if not 0 < ratio < 1:
        raise InputError(f"the ratio {ratio:g} is not between 0 and 1", field="split", hint="use for example 0.9")
    left, count = events_left(dataset.interactions)
    kept = np.maximum(1, np.floor(ratio * count + 1e-9))
    note = "In time order within each user. Not a time split: other users' later events are in training."
    return _split(dataset, count - left > kept, f"user-ratio({ratio:g})", note)


def validation_split(split: Split) -> Split:
    """Split the training side again: hold out the last training event of each user.

    Use it to choose weights, epochs and templates. It contains nothing of `split.test`, since the interactions of its
    dataset are the training events alone. It keeps the name of the split, because models fitted on it have seen only
    that training side.

    Raises InputError: no user has two training events.
    """
    inner = leave_last_out(replace(split.dataset, interactions=split.train))
    return replace(inner, name=split.name)


def check_no_futures(split: Split) -> None:
    """Raise InputError if a held-out event is also in training, or a training event is later than the user's first
    held-out event. Without timestamps, this cannot be checked."""
    train, test = split.train, split.test
    if train.timestamp is None or test.timestamp is None:
        return
    first = np.full(len(split.dataset.users), np.inf)
    np.fmin.at(first, test.user, test.timestamp)
    late = train.timestamp > first[train.user]
    later, held_out = bool(late.any()), _moments(test)
    for row in np.flatnonzero(train.timestamp == first[train.user]).tolist():
        late[row] = (int(train.user[row]), int(train.item[row]), float(train.timestamp[row])) in held_out
    if late.any():
        users = np.unique(train.user[late])
        events = count_of(int(late.sum()), "training event is", "training events are")
        what = "also held out, or later than the user's first held-out event" if later else "also held out"
        whose = f"{count_of(len(users), 'user')} (first: {split.dataset.users[int(users[0])]!r})"
        hint = "remove repeated rows of the table: the same user, item and time"
        if later:
            hint += "; and split the data with `leave-last-out`, `time:…` or `user-ratio:…`"
        raise InputError(f"{events} {what}, of {whose}", field="split" if later else "data", hint=hint)


def k_core(dataset: Dataset, k: int) -> Dataset:
    """Return the largest subset of the Dataset in which every user and item has at least `k` interactions.

    Filtering repeats until nothing changes, since dropping an item may leave a user with fewer than `k`. Repeated
    interactions of a user with an item all count.

    Raises InputError: the k-core is empty.
    """
    events = dataset.interactions
    while len(events):
        users, items = np.bincount(events.user), np.bincount(events.item)
        keep = (users[events.user] >= k) & (items[events.item] >= k)
        if keep.all():
            break
        events = events.take(keep)
    if not len(events):
        raise InputError(f"{dataset.name} has no {k}-core", field="k-core", hint="choose a smaller k")
    users_kept, user = np.unique(events.user, return_inverse=True)
    items_kept, item = np.unique(events.item, return_inverse=True)
    users = tuple(dataset.users[index] for index in users_kept)
    items = tuple(dataset.items[index] for index in items_kept)
    events = replace(events, user=user.astype(np.int32), item=item.astype(np.int32))
    name, sha256 = f"{dataset.name} ({k}-core)", content_hash(users, items, events)
    whole = dataset.whole_sha256 or dataset.sha256
    return replace(dataset, name=name, users=users, items=items, interactions=events, sha256=sha256, whole_sha256=whole)


def events_left(events: Interactions) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return for each event how many later events its user has, and how many in total."""
    user, count = events.user, np.bincount(events.user)
    grouped = np.argsort(user, kind="stable")
    left = np.empty(len(user), np.int64)
    left[grouped] = np.cumsum(count)[user[grouped]] - 1 - np.arange(len(user))
    return left, count[user]


def _split(dataset: Dataset, held_out: NDArray[np.bool_], name: str, note: str) -> Split:
    train, test = dataset.interactions.take(~held_out), dataset.interactions.take(held_out)
    known = np.isin(test.user, train.user)
    if not known.all():
        cold = len(np.unique(test.user[~known]))
        events = count_of(int((~known).sum()), "event")
        note += f" Left out, because they have no history: {count_of(cold, 'user')} with {events}."
        test = test.take(known)
    if not len(test):
        fewer = "hold out fewer, or " * name.startswith("leave-last-out(")
        hint = f"every user has too few events: {fewer}use more data"
        if held_out.any():
            hint = "no user has events both before and after the cut: cut later, or use more data"
        raise InputError(f"{name} leaves no test events", field="split", hint=hint)
    return Split(dataset, train, test, name, note + _ties(train, test) + _repeats(dataset, train, test))


def _ties(train: Interactions, test: Interactions) -> str:
    if train.timestamp is None or test.timestamp is None:
        return " No timestamps are read: the order of the file decides."
    unknown = int(np.isnan(train.timestamp).sum() + np.isnan(test.timestamp).sum())
    last = np.full(int(train.user.max()) + 1, -np.inf)
    np.fmax.at(last, train.user, train.timestamp)
    tied = len(np.unique(test.user[test.timestamp == last[test.user]]))
    note = ""
    if unknown:
        note += f" {count_of(unknown, 'event has', 'events have')} no timestamp: the order of the file decides."
    if tied:
        users = count_of(len(np.unique(test.user)), "user")
        note += (
            f" For {tied} of {users}, a held-out event has the timestamp of the last training event: the order of the "
            "file decides."
        )
    return note


def _repeats(dataset: Dataset, train: Interactions, test: Interactions) -> str:
    held, seen = (events.user.astype(np.int64) * len(dataset.items) + events.item for events in (test, train))
    if repeats := int(np.isin(held, seen).sum()):
        why = "a recall stage that leaves out seen items cannot propose them"
        note = f" In {repeats} of {count_of(len(test), 'held-out event')} the item is in the user's history: {why}."
        twins = _moments(test) & _moments(train.take(np.isin(seen, held)))
        return note + f" In {len(twins)} of them the time is the same too: remove repeated rows." * bool(twins)
    return ""


def _moments(events: Interactions) -> set[tuple[int, int, float]]:
    """Return the user, item and time of each event whose time is known."""
    if events.timestamp is None:
        return set()
    known = ~np.isnan(events.timestamp)
    columns = (events.user[known].tolist(), events.item[known].tolist(), events.timestamp[known].tolist())
    return set(zip(*columns, strict=True))
