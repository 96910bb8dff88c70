"""The base classes of recall models: `RecallModel`, which is fitted to the training interactions, and `Fitted`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sized
from contextlib import nullcontext
from dataclasses import Field, asdict, dataclass, field, fields, replace
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from llmrank.data.dataset import Split
from llmrank.errors import InputError, expect
from llmrank.plugin import plugin_of

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

GROUP = "llmrank.recall"
USERS_AT_ONCE, SCORES_AT_ONCE = 1024, 2**25
"""Maximum number of users, and of scores (256 MB), per batch."""
GROUPS = 128
"""Minimum number of groups of columns whose maxima bound the highest scores (`top_columns`)."""


Setting = int | float | str | bool
KINDS: Mapping[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "str": (str,), "bool": (bool,)}
Divisible = TypeVar("Divisible", bound=Sized)


@dataclass(frozen=True)
class RecallModel(ABC):
    """A model that proposes candidates. Subclasses are frozen dataclasses whose fields are settings with defaults."""

    name: ClassVar[str]
    """The name for `recall_model`."""

    def __post_init__(self) -> None:
        """Raise InputError for a setting of the wrong type."""
        for one in fields(self):
            check_setting(one, getattr(self, one.name))

    @property
    def settings(self) -> Mapping[str, Setting]:
        """Everything that can change the proposals, for the manifest."""
        return asdict(self)

    def check(self, split: Split) -> None:  # noqa: B027 - most models need nothing
        """Raise what `fit` would raise for a lack of data or of a package, before hours are spent on another model."""

    @abstractmethod
    def fit(self, split: Split) -> Fitted:
        """Return the model fitted to `split.train` only."""


def check_setting(setting: Field[Any], value: object) -> None:
    """Raise InputError unless the value is of the setting's type."""
    # Without postponed annotations, the type is not a string.
    kind = setting.type if isinstance(setting.type, str) else setting.type.__name__
    kinds = KINDS.get(kind, (object,))
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        hint = f"give a value of type {kind}"
        raise InputError(f"invalid value {value!r}", field=setting.name, hint=hint)


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
    split: Split
    """Where the training data come from."""


def preferences(split: Split) -> Preferences:
    """Return the training interactions of a split as a binary matrix in tie order."""
    expect(split, Split, "a Split of a Dataset", "split")
    ids = [item.item_id for item in split.dataset.items]
    popularity = np.bincount(split.train.item, minlength=len(ids))
    order = np.array(sorted(range(len(ids)), key=lambda index: (-popularity[index], ids[index])), dtype=np.int32)
    return Preferences(binary_matrix(split, np.argsort(order)), order, popularity[order], split)


def binary_matrix(split: Split, columns: NDArray[np.intp]) -> csr_matrix:
    """Return users x items: 1.0 if the user has the item in training. `columns` has the column of each item."""
    from scipy.sparse import csr_matrix

    train, shape = split.train, (len(split.dataset.users), len(columns))
    matrix = csr_matrix((np.ones(len(train)), (train.user, columns[train.item])), shape=shape)
    matrix.data[:] = 1.0  # the constructor sums duplicates
    return matrix


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
        `Preferences`). The result for a user does not depend on the other users, except for the last digits of the
        scores of trained models: products of matrices are rounded by their shapes.

        Raises InputError for a k below 1, and for users that are not indices into `Dataset.users`.
        """
        expect(k, Integral, "a number of items", "k")
        if k < 1:
            raise InputError(f"invalid k: {k}", hint="give -k a value of 1 or more")
        users = indices(users, len(self.preferences.split.dataset.users), "users")
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
        """Return one user's scores for these items (indices into `Dataset.items`), in their order.

        Raises InputError for a user or an item that is no index.
        """
        [user] = indices([user], len(self.preferences.split.dataset.users), "user").tolist()
        return self._scores_of(user, indices(items, len(self.preferences.items), "items"))

    def _scores_of(self, user: int, items: NDArray[np.int32]) -> NDArray[np.float64]:
        dense = self._checked(np.array([user], dtype=np.int32))[0]
        scores = np.empty_like(dense)
        scores[self.preferences.items] = dense
        return scores[items]

    def require(self, split: Split) -> None:
        """Raise InputError if the model was fitted to other training events, which may include the targets."""
        known = self.preferences.split
        data, other = known.dataset, split.dataset
        if data.users != other.users or data.items != other.items or not known.train.equals(split.train):
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


def indices(values: object, size: int, field: str) -> NDArray[np.int32]:
    """Return the values as an array. Raises InputError unless they are integers from 0 to `size` - 1."""
    found = np.asarray(values)
    if not found.size:
        return found.astype(np.int32)
    if found.dtype.kind not in "iu":
        raise InputError(f"expected indices, got {values!r:.80}", field=field, hint="pass an array of integers")
    if wrong := found[(found < 0) | (found >= size)].tolist():
        raise InputError(f"there is no index {wrong[0]}", field=field, hint=f"choose from 0 to {size - 1}")
    return found.astype(np.int32, copy=False)


def top_columns(scores: NDArray[np.float64], k: int) -> NDArray[np.intp]:
    """Return the columns of the min(k, columns) highest scores of each row, best first; ties by column."""
    width = scores.shape[1]
    k = min(k, width)
    best, groups = np.empty((len(scores), k), dtype=np.intp), max(GROUPS, 4 * k)
    # A row's k-th highest score is no lower than the k-th highest of the maxima of groups of columns, which is quicker
    # to find, and few scores reach.
    size = max(1, width // groups)
    maxima = scores if size == 1 else scores[:, : size * groups].reshape(len(scores), size, groups).max(axis=1)
    bounds = np.partition(maxima, -k, axis=1)[:, -k]
    for row, (values, bound) in enumerate(zip(scores, bounds, strict=True)):
        columns = (values >= bound).nonzero()[0]  # includes all ties for the last position
        best[row] = columns[(-values[columns]).argsort(kind="stable")[:k]]
    return best


def parts(values: Divisible, size: int) -> Iterator[Divisible]:
    """Yield consecutive parts of a sequence or array, of `size` entries each; the last may have fewer."""
    whole: Any = values
    return (whole[start : start + size] for start in range(0, len(values), size))
