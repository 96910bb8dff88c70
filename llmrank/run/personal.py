"""How much of the person is in predicted ratings, once the user's mean and the item's mean are taken off.

Most of what RMSE rewards is known without knowing the person: some users rate everything high, and some items are rated
high by everybody. After PerRecBench (Tan et al. 2025, arXiv:2501.13391), which compares users within an item by their
ratings relative to their own means.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from llmrank import stats
from llmrank.errors import InputError
from llmrank.measures import RMSE, Ratings
from llmrank.run.metrics import task_of
from llmrank.run.tables import Shown, TextTable, estimate, number
from llmrank.stats import Values
from llmrank.types import Case

if TYPE_CHECKING:
    from llmrank.run.run import Run

ROUNDING = 1e-9
"""Differences below this are rounding: a method that knows nothing of the person leaves nothing but that."""


@dataclass(frozen=True, slots=True)
class PersonalRow:
    """One quantity. None: undefined. The interval is 95%, over users."""

    name: str
    value: float | None
    ci95: tuple[float, float] | None
    impersonal: float | None
    """What the user's mean plus the item's mean minus the overall mean gets, which knows nothing of the person."""


@dataclass(frozen=True, repr=False)
class Personal(Shown):
    """What `personal` found. It prints as a table."""

    key = "personal"
    cases: int
    users: int
    pairs: int
    """Pairs of users who rated the same item, one of them higher than expected of them both."""
    left_out: int
    """Cases without an answer, without a known rating, or whose user or item has no training rating."""
    rows: tuple[PersonalRow, ...]

    def __getitem__(self, name: str) -> PersonalRow:
        """Return a row by its name; raises KeyError for another."""
        return {row.name: row for row in self.rows}[name]

    def table(self) -> TextTable:
        """Return a row per quantity."""
        head = ("ratings", "method", "95% CI", "means alone")
        rows = [(row.name, *estimate(row.value, row.ci95), number(row.impersonal)) for row in self.rows]
        return TextTable(head, tuple(rows))

    def notes(self) -> tuple[str, ...]:
        """Return which Cases are counted, and how to read the rows, in sentences."""
        out = f"; left out are {self.left_out:,} without answer, known rating, or training rating of user or item"
        return (
            f"{self.cases:,} Cases of {self.users:,} users{out if self.left_out else ''}.",
            "means alone: the user's mean plus the item's minus the overall mean, of the training ratings.",
            f"{CORRELATION}: of prediction and truth, what follows from both means taken off each. {CONCORDANCE}: in "
            f"{self.pairs:,} pairs of users of one item, how often the one who rates it higher, so adjusted, is "
            "predicted to. A method that knows nothing of the person gets 0 and 0.5.",
        )


ERROR, CORRELATION, CONCORDANCE = "RMSE", "residual correlation", "users within an item"


def personal(run: Run) -> Personal:
    """Return the error of a Run's ratings, and how much of the person is left in them without the means.

    Raises InputError: a Run about rankings; no training ratings are known; or fewer than three Cases can be counted.
    """
    means = run.metric_settings.rating_means
    if task_of(run.cases) != "rating" or means is None:
        problem = "the Run is about rankings" if task_of(run.cases) != "rating" else "no training ratings are known"
        raise InputError(problem, path=run.path, hint="name a Run of predicted ratings, on data with a training part")
    cases = [
        case
        for case in run.done
        if case.rating is not None and case.user_id in means.by_user and _target(case) in means.by_item
        if run.records[case.case_id].ranking.scores
    ]
    if len(cases) < 3:
        problem = f"{len(cases)} Cases have an answer, a known rating, and training ratings of user and item"
        hint = "evaluate more users; of a file, users and items need ratings in the histories of its rows"
        raise InputError(problem, path=run.path, hint=hint)
    users = stats.clusters_of(case.user_id for case in cases)
    judged, count = run.judged(cases), int(users.max()) + 1
    assert isinstance(judged, Ratings)
    of_user = np.array([means.by_user[case.user_id] for case in cases])
    of_item = np.array([means.by_item[_target(case)] for case in cases])
    own, other = (_residual(one, of_user, of_item) for one in (judged.truth, judged.predicted))
    replicas = stats.bootstrap(lambda weights: _correlation(weights, own, other), users)
    correlation = stats.finite(_correlation(np.ones((1, len(cases))), own, other).item())
    correlation_ci95 = stats.finite_pair(*stats.percentile_interval(replicas, count))
    pairs, share, interval = _concordance(own, other, stats.clusters_of(map(_target, cases)), users)
    error = RMSE().summary(judged, [case.user_id for case in cases])
    alone = np.clip(of_user + of_item - means.overall, *run.metric_settings.scale)
    rows = (
        PersonalRow(ERROR, error.value, error.ci95, float(np.sqrt(np.mean((judged.truth - alone) ** 2)))),
        PersonalRow(CORRELATION, correlation, correlation_ci95, 0.0),
        PersonalRow(CONCORDANCE, stats.finite(share), stats.finite_pair(*interval), 0.5),
    )
    return Personal(len(cases), count, pairs, len(run.cases) - len(cases), rows)


def _target(case: Case) -> str:
    assert case.target is not None
    return case.target.item_id


def _correlation(weights: Values, one: Values, other: Values) -> Values:
    """Return Pearson's correlation; NaN where one of them does not vary."""
    total = weights.sum(axis=1)
    first, second = weights @ one / total, weights @ other / total
    covariance = weights @ (one * other) / total - first * second
    variances = (weights @ one**2 / total - first**2) * (weights @ other**2 / total - second**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(variances > ROUNDING**2, covariance / np.sqrt(variances), np.nan)


def _residual(values: Values, of_user: Values, of_item: Values) -> Values:
    """Return what least squares on a constant and both means leaves of the values."""
    known = np.column_stack([np.ones(len(values)), of_user, of_item])
    left = values - known @ np.linalg.lstsq(known, values, rcond=None)[0]
    return np.where(np.abs(left) < ROUNDING, 0.0, left)


def _concordance(
    truth: Values, predicted: Values, items: NDArray[np.intp], users: NDArray[np.intp]
) -> tuple[int, float, tuple[float, float]]:
    """Return how many pairs of Cases there are of one item and two users, one truly higher than the other; the
    share that is predicted in its true order, a tie being half a pair; and its 95% interval over users.

    Two pairs with a user in common vary together: the variance is the dyadic-robust one (Aronow, Samii and
    Assenova 2015, "Cluster-Robust Variance Estimation for Dyadic Data", eq. 5), with Student's t.
    """
    right, first, second = [np.empty(0)], [np.empty(0, np.intp)], [np.empty(0, np.intp)]
    order = np.argsort(items, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(items[order])) + 1):
        left, other = (members[at] for at in np.triu_indices(len(members), 1))
        true = np.sign(truth[left] - truth[other])
        kept = (true != 0) & (users[left] != users[other])
        left, other = left[kept], other[kept]
        gap = predicted[left] - predicted[other]
        said = np.where(np.abs(gap) < ROUNDING, 0.0, np.sign(gap))
        right.append((1 + true[kept] * said) / 2)
        first.append(users[left])
        second.append(users[other])
    values, ones, others = np.concatenate(right), np.concatenate(first), np.concatenate(second)
    if not len(values):
        return 0, math.nan, (math.nan, math.nan)
    share = values.mean()
    off, count = values - share, int(users.max()) + 1
    of_user = np.bincount(ones, off, count) + np.bincount(others, off, count)
    # A pair that meets again in another item counts with itself, too.
    together = np.unique(np.minimum(ones, others) * count + np.maximum(ones, others), return_inverse=True)[1]
    variance = max((of_user @ of_user - (np.bincount(together, off) ** 2).sum()) / len(values) ** 2, 0.0)
    taking_part = len(np.unique(np.concatenate([ones, others])))
    half = stats.t_quantile(max(taking_part - 1, 1), 0.95) * math.sqrt(variance)
    return len(values), float(share), (max(share - half, 0.0), min(share + half, 1.0))
