"""The base classes of recall models: `RecallModel`, which is fitted to the training interactions, and `Fitted`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sized
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from llmrank.data.dataset import Split
from llmrank.errors import InputError
from llmrank.plugin import plugin_of

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

GROUP = "llmrank.recall"
USERS_AT_ONCE, SCORES_AT_ONCE = 1024, 2**25
"""Maximum number of users, and of scores (256 MB), per batch."""


Setting = int | float | str | bool
Divisible = TypeVar("Divisible", bound=Sized)


@dataclass(frozen=True)
class RecallModel(ABC):
    """A model that proposes candidates. Subclasses are frozen dataclasses whose fields are settings with defaults."""

    name: ClassVar[str]
    """The name for `recall_model`."""

    @property
    def settings(self) -> Mapping[str, Setting]:
        """Everything that can change the proposals, for the manifest."""
        return asdict(self)

    def check(self) -> None:  # noqa: B027 - most models need nothing
        """Raise MissingError if something that `fit` needs is missing, before hours are spent on another model."""

    @abstractmethod
    def fit(self, split: Split) -> Fitted:
        """Return the model fitted to `split.train` only."""


@dataclass(frozen=True, slots=True, eq=False)
class Preferences:
    """The binary user-item matrix of the training data, with the items in tie order.

    Tie order is by popularity (training events), then by item id as text. It depends only on the training data, so
    equal scores never favour a target, and not on the order of the rows in the files.
    """

    matrix: csr_matrix
    """Users x items: 1.0 if the user has the item. The columns are in tie order."""
    items: NDArray[np.int32]
    """Column of `matrix` -> index into `Dataset.items`."""
    popularity: NDArray[np.int64]
    """Training events of the item in each column, in descending order."""


def preferences(split: Split) -> Preferences:
    """Return the training interactions of a split as a binary matrix in tie order."""
    from scipy.sparse import csr_matrix

    dataset, train = split.dataset, split.train
    shape = (len(dataset.users), len(dataset.items))
    matrix = csr_matrix((np.ones(len(train)), (train.user, train.item)), shape=shape)
    matrix.data[:] = 1.0  # the constructor sums duplicates
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
    name: str = field(default="the recall model", kw_only=True)
    """The model in errors, with its package if it is a plugin."""

    def recommend(
        self, users: NDArray[np.int32], k: int, *, exclude_seen: bool = True
    ) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Return the k best items of each user and their scores, both len(users) x k, best first.

        Items are indices into `Dataset.items`, or -1 with score -inf if a user has fewer than k items left. Items from
        the user's training events are excluded unless `exclude_seen` is False. Ties are in tie order (see
        `Preferences`). The result for a user does not depend on the other users.
        """
        if k < 1:
            raise InputError(f"invalid k: {k}", hint="give -k a value of 1 or more")
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
        """Return one user's scores for these items (indices into `Dataset.items`), in their order."""
        dense = self._checked(np.array([user], dtype=np.int32))[0]
        scores = np.empty_like(dense)
        scores[self.preferences.items] = dense
        return scores[items]

    def require(self, split: Split) -> None:
        """Raise InputError if the model was fitted to other training events, which may include the targets."""
        known, train = self.preferences, split.train
        counts = np.bincount(train.item, minlength=len(split.dataset.items))
        own = len(known.matrix.indptr) - 1 == len(split.dataset.users) and len(known.items) == len(counts)
        if not own or (counts[known.items] != known.popularity).any():
            problem = f"the recall model was not fitted to the training side of {split.name}"
            raise InputError(problem, hint="fit it to this split")

    def _checked(self, users: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return `score` of the users. Raises InputError unless it has a valid score for each user and item."""
        dense = self.score(users)
        expected = len(users), len(self.preferences.items)
        if dense.shape != expected:
            problem = f"{self.name} returned scores of shape {dense.shape} instead of {expected}"
            raise InputError(problem, hint="return a score for each user and item")
        return self._finite(dense)

    def _finite(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scores. Raises InputError if one is infinite or NaN."""
        if scores.size and not -np.inf < scores.min() <= scores.max() < np.inf:  # also true for NaN
            hint = "for a trained model, lower the learning rate; in your own, return finite scores"
            raise InputError(f"{self.name} returned infinite or NaN scores", hint=hint)
        return scores


def fit(model: RecallModel, split: Split, **options: object) -> Fitted:
    """Return the model fitted to the training side, without any event after the split; `options` are those of its
    `fit`.

    Raises InputError if it returns anything else; also, and with its package, if the model of a plugin raises, now or
    while it scores.
    """
    plugin, nothing = plugin_of(GROUP, model.name, type(model)), split.train.take(np.zeros(0, np.intp))
    split = replace(split, dataset=replace(split.dataset, interactions=split.train), test=nothing)
    with nullcontext() if plugin is None else plugin.blamed("raised in `fit`"):
        fitted: object = cast(Any, model).fit(split, **options)
    if not isinstance(fitted, Fitted):
        problem, hint = f"returned {fitted!r:.60} from `fit`", "return a llmrank.recall.Fitted"
        named = InputError(f"the recall model {model.name} ({type(model).__module__}) {problem}", hint=hint)
        raise named if plugin is None else plugin.error(problem, hint=hint)
    if plugin is None:
        return fitted

    def score(users: NDArray[np.int32]) -> NDArray[np.float64]:
        with plugin.blamed("raised in `score`"):
            return np.array(fitted.score(users), dtype=np.float64)  # a copy: seen items are marked in it

    return replace(fitted, score=score, name=str(plugin))


def top_columns(scores: NDArray[np.float64], k: int) -> NDArray[np.intp]:
    """Return the columns of the min(k, columns) highest scores of each row, best first; ties by column."""
    k = min(k, scores.shape[1])
    best = np.empty((len(scores), k), dtype=np.intp)
    thresholds = np.partition(scores, scores.shape[1] - k, axis=1)[:, scores.shape[1] - k]
    for row, threshold in enumerate(thresholds):
        columns = np.flatnonzero(scores[row] >= threshold)  # includes all ties for the last position
        best[row] = columns[np.argsort(-scores[row, columns], kind="stable")[:k]]
    return best


def parts(values: Divisible, size: int) -> Iterator[Divisible]:
    """Yield consecutive parts of a sequence or array, of `size` entries each; the last may have fewer."""
    whole: Any = values
    return (whole[start : start + size] for start in range(0, len(values), size))
