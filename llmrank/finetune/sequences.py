"""Training data: sequences of titles, in which every event but the first is a target, from before the cut-off only."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmrank.data.cases import sample_users
from llmrank.data.dataset import Split
from llmrank.data.splits import check_no_futures
from llmrank.errors import InputError, count_of
from llmrank.rankers.next_title import item_text

LEAST_TARGETS = 100


@dataclass(frozen=True, slots=True, eq=False)
class TitleSequences:
    """Training sequences of titles."""

    texts: tuple[str, ...]
    """The text line of each item in the training data."""
    sequences: tuple[NDArray[np.int32], ...]
    """Per user with at least two events: indices into `texts`, oldest first."""
    users: frozenset[str]
    """The users whose events they are."""
    split: Split
    """The split whose training side they come from."""
    sha256: str
    """Hash of texts and sequences."""

    @property
    def targets(self) -> int:
        """Number of predicted events in one pass over the data."""
        return sum(len(one) - 1 for one in self.sequences)


def split_data(split: Split) -> dict[str, object]:
    """Return the name, hash and split of the data, for an adapter's card; for a k-core, also the full data's hash."""
    dataset = split.dataset
    whole = {} if dataset.whole_sha256 is None else {"whole_sha256": dataset.whole_sha256}
    return {"name": dataset.name, "sha256": dataset.sha256, **whole, "split": split.name}


def title_sequences(split: Split, users: int = 0, seed: int = 0) -> TitleSequences:
    """Return the training events of a split as sequences, for all users (0) or a sample of them.

    The texts cover all items of the training side. Items with the same line count as one, because the model cannot tell
    them apart.

    Raises InputError if a test event is also a training event (same user, item and time), or if there is too little
    data.
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
    found = TitleSequences(tuple(number), sequences, frozenset(drawn), split, digest.hexdigest())
    if found.targets < LEAST_TARGETS:
        has = count_of(found.targets, "training example")
        problem = f"{split.dataset.name} has {has}; at least {LEAST_TARGETS} are needed"
        raise InputError(problem, field="data", hint="use more users, or longer histories")
    return found
