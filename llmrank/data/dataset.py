"""A dataset in memory: who did what with which item, in the order in which it happened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmrank.types import Item


@dataclass(frozen=True, slots=True, eq=False)
class Interactions:
    """Columns of equal length, ordered by (timestamp, file order).

    Without full timestamps a user's events stand by their position or file order. An unknown rating or time is NaN.
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
        """Return the chosen rows (indices or a mask), in the order given."""
        rating, timestamp = (None if one is None else one[rows] for one in (self.rating, self.timestamp))
        return Interactions(self.user[rows], self.item[rows], rating, timestamp)


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Users, the catalogue, and the interactions between them."""

    name: str
    users: tuple[str, ...]
    items: tuple[Item, ...]
    interactions: Interactions
    rating_scale: tuple[float, float] | None
    """Lowest and highest rating possible, as the source declares them, else of all ratings; None without any.

    What the service offers is no secret of the test side: prompts name the scale, measures bound what is unanswered by
    it. Models are fitted without it.
    """
    source: str
    """Where it was read from, for the manifest."""
    sha256: str
    """Over users, items and interactions: the same data hashes the same, wherever and however it was read."""
    domain: str | None = None
    """What the items are (`movies`, `books`, `products`, …); None: unknown, prompts then speak of items."""
    file_order: bool = False
    """Whether nothing but the order of the rows in a table says which event came first."""
    notes: tuple[str, ...] = ()
    """What was decided when it was read, and a reader of the numbers must know."""
    whole_sha256: str | None = None
    """The hash of the data that a k-core was taken of; None: all of them are here."""

    @property
    def kind(self) -> str:
        """What one of the items is called: `movie`, `book`; `item` where the domain is unknown."""
        return (self.domain or "items").removesuffix("s")


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """A dataset cut in two: nothing in `train` may lie after the cut-off."""

    dataset: Dataset
    train: Interactions
    test: Interactions
    name: str
    """`leave-last-out`, `time(1998-03-01)`, `user-ratio(0.9)`."""
    note: str
    """What a reader of the numbers must know about this way of splitting; printed with them."""
