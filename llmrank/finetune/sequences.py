"""Training data: users' sequences of titles, each event but the first a target, and nothing from after the cut-off."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmrank.data.cases import sample_users
from llmrank.data.dataset import Split
from llmrank.errors import InputError
from llmrank.rankers.next_title import item_text

LEAST_TARGETS = 100


@dataclass(frozen=True, slots=True, eq=False)
class TitleSequences:
    """What a model is trained on."""

    texts: tuple[str, ...]
    """The line of each item that occurs in training."""
    sequences: tuple[NDArray[np.int32], ...]
    """Per user with two events or more: indices into `texts`, oldest first."""
    split: Split
    """Whose training side they are."""
    sha256: str
    """Over texts and sequences: the training data, whatever it came from."""

    @property
    def targets(self) -> int:
        """How many events are predicted in one pass over the data."""
        return sum(len(one) - 1 for one in self.sequences)


def split_data(split: Split) -> dict[str, object]:
    """Return what an adapter notes of the data that it learned from: name, hash, split; of a k-core also the hash of
    the data that it was taken of."""
    dataset = split.dataset
    whole = {} if dataset.whole_sha256 is None else {"whole_sha256": dataset.whole_sha256}
    return {"name": dataset.name, "sha256": dataset.sha256, **whole, "split": split.name}


def title_sequences(split: Split, users: int = 0, seed: int = 0) -> TitleSequences:
    """Return the training events of a split as sequences: of all its users (0), or of so many, drawn with the seed.

    The texts are those of all items of the training part, whoever had them. Items with the same line are one item here:
    a model that reads lines cannot tell them apart.

    Raises InputError: an event of the test side is in training as well (same user, item and time), or there is too
    little to train on.
    """
    check_no_futures(split)
    events, items = split.train, split.dataset.items
    used = np.unique(events.item)
    number: dict[str, int] = {}
    of_item = np.full(len(items), -1, np.int32)
    for item in used.tolist():
        of_item[item] = number.setdefault(item_text(items[item]), len(number))
    order = np.argsort(events.user, kind="stable")
    names = split.dataset.users
    ends = np.cumsum(np.bincount(events.user[order], minlength=len(names)))[:-1]
    histories = zip(names, np.split(of_item[events.item[order]], ends), strict=True)
    long = {name: one for name, one in histories if len(one) > 1}
    drawn = set(sample_users(long, users or len(long), seed))
    sequences = tuple(one for name, one in long.items() if name in drawn)
    digest = hashlib.sha256("\n".join(number).encode("utf-8", "surrogatepass"))
    for one in sequences:
        digest.update(np.int32(len(one)).tobytes() + one.tobytes())
    found = TitleSequences(tuple(number), sequences, split, digest.hexdigest())
    if found.targets < LEAST_TARGETS:
        problem = f"{split.dataset.name} gives {found.targets} training examples; at least {LEAST_TARGETS} are needed"
        raise InputError(problem, field="data", hint="use more users, or longer histories")
    return found


def check_no_futures(split: Split) -> None:
    """Raise InputError where a held-out event is in training too, or a training event lies after the user's first
    held-out one. Without timestamps there is nothing to compare: the order is all there is."""
    train, test = split.train, split.test
    if train.timestamp is None or test.timestamp is None:
        return
    first = np.full(len(split.dataset.users), np.inf)
    np.fmin.at(first, test.user, test.timestamp)
    late = train.timestamp > first[train.user]
    held_out = set(zip(test.user.tolist(), test.item.tolist(), test.timestamp.tolist(), strict=True))
    at_once = np.flatnonzero(train.timestamp == first[train.user])
    for row in at_once.tolist():
        late[row] = (int(train.user[row]), int(train.item[row]), float(train.timestamp[row])) in held_out
    if late.any():
        count, user = int(late.sum()), split.dataset.users[int(train.user[late][0])]
        problem = f"{count} training events are held out as well, or later than the user's first held-out event"
        hint = "cut the data with `leave-last-out`, `time:…` or `user-ratio:…`"
        raise InputError(problem, user=user, field="split", hint=hint)
