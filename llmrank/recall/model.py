"""A recall model: what proposes candidates from the training interactions, and what it is once fitted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from llmrank.data.dataset import Split
from llmrank.errors import InputError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

USERS_AT_ONCE, SCORES_AT_ONCE = 1024, 2**25
"""Users scored together, and scores, at most: fewer users where the catalogue is large, so that they take 256 MB."""


Setting = int | float | str | bool


@dataclass(frozen=True)
class RecallModel(ABC):
    """What proposes candidates. A subclass is a frozen dataclass: its fields are its settings, each with a default."""

    name: ClassVar[str]
    """The name that `recall_model` knows it by."""

    @property
    def settings(self) -> Mapping[str, Setting]:
        """Everything that can change what it proposes, for the manifest."""
        return asdict(self)

    @abstractmethod
    def fit(self, split: Split) -> Fitted:
        """Return the model fitted to `split.train`, and to nothing else."""


@dataclass(frozen=True, slots=True, eq=False)
class Preferences:
    """Who has which item in training, once each, with the items in tie order.

    Tie order is the more popular item first (training events), then the smaller item id as text. It depends
    on the training data alone, so equal scores never favour a target; and it does not depend on the order of the rows
    in the files.
    """

    matrix: csr_matrix
    """Users x items, 1.0 where the user has the item; the columns stand in tie order."""
    items: NDArray[np.int32]
    """Column of `matrix` -> index into `Dataset.items`."""
    popularity: NDArray[np.int64]
    """Training events of the item, by column: never rising."""


def preferences(split: Split) -> Preferences:
    """Return the training interactions of a split as a binary matrix in tie order."""
    from scipy.sparse import csr_matrix

    dataset, train = split.dataset, split.train
    shape = (len(dataset.users), len(dataset.items))
    matrix = csr_matrix((np.ones(len(train)), (train.user, train.item)), shape=shape)
    matrix.data[:] = 1.0  # building the matrix summed the repeats
    popularity = np.bincount(train.item, minlength=shape[1])
    ids = [item.item_id for item in dataset.items]
    order = np.array(sorted(range(len(ids)), key=lambda index: (-popularity[index], ids[index])), dtype=np.int32)
    matrix = matrix[:, order].tocsr()
    matrix.sort_indices()
    return Preferences(matrix, order, popularity[order])


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A recall model after training."""

    preferences: Preferences
    score: Callable[[NDArray[np.int32]], NDArray[np.float64]]
    """Users -> a fresh array, users x items in tie order; higher is better."""

    def recommend(
        self, users: NDArray[np.int32], k: int, *, exclude_seen: bool = True
    ) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Return the k best items of each user and their scores, both len(users) x k, best first.

        Items are indices into `Dataset.items`, -1 (with score -inf) where a user has fewer than k items left. Items
        that the user has in training are left out unless `exclude_seen` is False. Ties stand in the order that
        `Preferences` states. What is said of a user does not depend on the other users asked for.
        """
        if k < 1:
            raise InputError(f"k is {k}: there is nothing to propose", hint="give k (-k) a value of 1 or more")
        items = np.full((len(users), k), -1, dtype=np.int32)
        scores = np.full((len(users), k), -np.inf)
        step = max(1, min(USERS_AT_ONCE, SCORES_AT_ONCE // len(self.preferences.items)))
        for start in range(0, len(users), step):
            rows = slice(start, start + step)
            dense = self._checked(users[rows])
            if exclude_seen:
                dense[self.preferences.matrix[users[rows]].nonzero()] = -np.inf
            columns = top_columns(dense, k)
            width = columns.shape[1]
            best = np.take_along_axis(dense, columns, axis=1)
            items[rows, :width] = np.where(best == -np.inf, -1, self.preferences.items[columns])
            scores[rows, :width] = best
        return items, scores

    def score_items(self, user: int, items: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return the scores of some items for one user, in the order of `items` (indices into `Dataset.items`)."""
        dense = self._checked(np.array([user], dtype=np.int32))[0]
        scores = np.empty_like(dense)
        scores[self.preferences.items] = dense
        return scores[items]

    def require(self, split: Split) -> None:
        """Raise InputError where the model was fitted to other training events: it may know what is to be predicted."""
        known, train = self.preferences, split.train
        counts = np.bincount(train.item, minlength=len(split.dataset.items))
        own = len(known.matrix.indptr) - 1 == len(split.dataset.users) and len(known.items) == len(counts)
        if not own or (counts[known.items] != known.popularity).any():
            problem = f"the recall model was fitted to other events than the training side of {split.name}"
            raise InputError(problem, hint="fit it to this very split")

    def _checked(self, users: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return `score` of the users; InputError where it is no number for each user and item, which would rank."""
        dense = self.score(users)
        expected = len(users), len(self.preferences.items)
        if dense.shape != expected:
            problem = f"the recall model scores users x items as {dense.shape} in place of {expected}"
            raise InputError(problem, hint="let it score every item for each user")
        if dense.size and not dense.max() < np.inf:  # so it is with NaN too
            hint = "of a trained model lower the learning rate; of your own, return finite scores"
            raise InputError("the recall model gives scores that are infinite or no numbers", hint=hint)
        return dense


def top_columns(scores: NDArray[np.float64], k: int) -> NDArray[np.intp]:
    """Return the columns of the min(k, columns) highest scores of each row, best first; of equal ones the earlier."""
    k = min(k, scores.shape[1])
    best = np.empty((len(scores), k), dtype=np.intp)
    thresholds = np.partition(scores, scores.shape[1] - k, axis=1)[:, scores.shape[1] - k]
    for row, threshold in enumerate(thresholds):
        columns = np.flatnonzero(scores[row] >= threshold)  # all that tie for the last place, in column order
        best[row] = columns[np.argsort(-scores[row, columns], kind="stable")[:k]]
    return best
