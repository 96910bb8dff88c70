"""A dataset in memory: users, items, and their interactions in chronological order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmrank.types import Item


@dataclass(frozen=True, slots=True, eq=False)
class Interactions:
    """Columns of equal length, ordered by (timestamp, file order).

    Without complete timestamps, a user's events are ordered by position or file order. Unknown values are NaN.
    """

    user: NDArray[np.int32]
    """Index into `Dataset.users`."""
    item: NDArray[np.int32]
    """Index into `Dataset.items`."""
    rating: NDArray[np.float64] | None
    timestamp: NDArray[np.float64] | None
    """Seconds since the epoch."""

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Interactions:
        """Return the selected rows (indices or a mask), in the order given."""
        rating, timestamp = (None if one is None else one[rows] for one in (self.rating, self.timestamp))
        return Interactions(self.user[rows], self.item[rows], rating, timestamp)

    def equals(self, other: Interactions) -> bool:
        """Return whether the other has the same events in the same order; unknown values are equal."""
        pairs = ((self.rating, other.rating), (self.timestamp, other.timestamp))
        return (
            np.array_equal(self.user, other.user)
            and np.array_equal(self.item, other.item)
            and all(one is two or _equal(one, two) for one, two in pairs)
        )


def _equal(one: NDArray[np.float64] | None, two: NDArray[np.float64] | None) -> bool:
    return one is not None and two is not None and np.array_equal(one, two, equal_nan=True)


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Users, the catalogue, and the interactions between them."""

    name: str
    users: tuple[str, ...]
    items: tuple[Item, ...]
    interactions: Interactions
    rating_scale: tuple[float, float] | None
    """Lowest and highest possible rating, as declared by the source, else derived from all ratings; None without any.

    The scale is public, so using it leaks nothing from the test side: prompts state it, and measures use it to bound
    unanswered Cases. Models are fitted without it.
    """
    source: str
    """Where it was read from, for the manifest."""
    sha256: str
    """Hash of users, items and interactions, independent of where they were read and in which layout."""
    domain: str | None = None
    """What the items are (`movies`, `books`, `products`, …). None if unknown; prompts then say "items"."""
    file_order: bool = False
    """Whether the order of the events is known only from the order of the rows."""
    notes: tuple[str, ...] = ()
    """Decisions made while reading that matter for interpreting the results."""
    whole_sha256: str | None = None
    """The hash of the data before taking a k-core; None if this is the whole data."""

    @property
    def kind(self) -> str:
        """The singular of the domain: `movie`, `book`; `item` if the domain is unknown."""
        return (self.domain or "items").removesuffix("s")


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """A dataset split into training and test events; nothing in `train` may lie after the cut-off."""

    dataset: Dataset
    train: Interactions
    test: Interactions
    name: str
    """`leave-last-out`, `time(1998-03-01)`, `user-ratio(0.9)`."""
    note: str
    """Caveats of this split, printed with the results."""


def without_title(items: Iterable[Item]) -> set[str]:
    """Return the ids of the items that are shown by their id, because they have no title."""
    return {item.item_id for item in items if item.title == item.item_id}
