"""How personal predicted ratings are, once the user's mean and the item's mean are removed.

Most of what RMSE rewards needs no knowledge of the person: some users rate everything high, and some items are rated
high by everybody. The idea follows PerRecBench (Tan et al. 2025, arXiv:2501.13391), which compares the users of one
item by their ratings relative to their own means.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from llmrank import stats
from llmrank.errors import InputError, count_of
from llmrank.measures import RMSE, Ratings
from llmrank.rankers.baselines import RatingMeans
from llmrank.run.metrics import task_of
from llmrank.run.tables import Shown, TextTable, estimate, number
from llmrank.stats import Values
from llmrank.types import Case

if TYPE_CHECKING:
    from llmrank.run.run import Run

ROUNDING = 1e-9
"""Differences below this are rounding errors. They are all that remains of a method that ignores the person."""


@dataclass(frozen=True, slots=True)
class PersonalRow:
    """One quantity; None means undefined. The interval is 95%, over users."""

    name: str
    value: float | None
    ci95: tuple[float, float] | None
    impersonal: float | None
    """The value for a prediction without personal knowledge: user mean plus item mean minus overall mean."""


@dataclass(frozen=True, repr=False)
class Personal(Shown):
    """The result of `personal`. It prints as a table."""

    key = "personal"
    cases: int
    users: int
    pairs: int
    """Pairs of users who rated the same item differently once the means are removed."""
    left_out: int
    """Cases without an answer or a known rating, or whose user or item has no training rating."""
    rows: tuple[PersonalRow, ...]

    def __getitem__(self, name: str) -> PersonalRow:
        """Return a row by name; raises KeyError if there is none."""
        return {row.name: row for row in self.rows}[name]

    def table(self) -> TextTable:
        """Return a row per quantity."""
        head = ("ratings", "method", "95% CI", "means alone")
        rows = [(row.name, *estimate(row.value, row.ci95), number(row.impersonal)) for row in self.rows]
        return TextTable(head, tuple(rows))

    def notes(self) -> tuple[str, ...]:
        """Return sentences on which Cases are counted and how to read the rows."""
        out = f"; left out, without answer, known rating, or training rating of user or item: {self.left_out:,}"
        return (
            f"{count_of(self.cases, 'Case')} of {count_of(self.users, 'user')}{out if self.left_out else ''}.",
            "means alone: the user's mean plus the item's mean minus the overall mean of the training ratings.",
            f"{CORRELATION}: between prediction and truth, after both means are regressed out of each. "
            f"{CONCORDANCE}: among {count_of(self.pairs, 'pair')} of users who rated the same item, the share in which "
            "the user who rates it higher, after the same adjustment, is predicted to. A method that ignores the "
            "person gets 0 and 0.5.",
        )


ERROR, CORRELATION, CONCORDANCE = "RMSE", "residual correlation", "users within an item"


def personal(run: Run) -> Personal:
    """Return how personal a Run's predicted ratings are beyond the user and item means; and their error, unless they
    only order the items.

    Raises InputError for a ranking Run, if no training ratings are known, or if fewer than three Cases count.
    """
    means, cases = _counted(run)
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
    alone = np.clip(of_user + of_item - means.overall, *run.metric_settings.scale)
    error = RMSE().summary(judged, [case.user_id for case in cases])
    error_row = PersonalRow(ERROR, error.value, error.ci95, float(np.sqrt(np.mean((judged.truth - alone) ** 2))))
    rows = (
        *(() if run.order_only else (error_row,)),
        PersonalRow(CORRELATION, correlation, correlation_ci95, 0.0),
        PersonalRow(CONCORDANCE, stats.finite(share), stats.finite_pair(*interval), 0.5),
    )
    return Personal(len(cases), count, pairs, len(run.cases) - len(cases), rows)


def _counted(run: Run) -> tuple[RatingMeans, list[Case]]:
    """Return the means of the training ratings, and the Cases that count. Raises InputError like `personal`."""
    means = run.metric_settings.rating_means
    if task_of(run.cases) != "rating" or means is None:
        is_ranking = task_of(run.cases) != "rating"
        problem = "`personal` needs a Run of ratings" if is_ranking else "no training ratings are known"
        raise InputError(problem, path=run.path, hint="name a Run of predicted ratings, on data with a training part")
    cases = [
        case
        for case in run.done
        if case.rating is not None and case.user_id in means.by_user and _target(case) in means.by_item
        if run.records[case.case_id].ranking.scores
    ]
    if len(cases) < 3:
        having = count_of(len(cases), "Case has", "Cases have")
        problem = f"{having} an answer, a known rating, and training ratings of user and item"
        hint = "evaluate more users; for a candidate file, give ratings in the histories of its rows"
        raise InputError(problem, path=run.path, hint=hint)
    return means, cases


def _target(case: Case) -> str:
    assert case.target is not None
    return case.target.item_id


def _correlation(weights: Values, one: Values, other: Values) -> Values:
    """Return Pearson's correlation for each row of weights; NaN if one variable is constant."""
    total = weights.sum(axis=1)
    first, second = weights @ one / total, weights @ other / total
    covariance = weights @ (one * other) / total - first * second
    variances = (weights @ one**2 / total - first**2) * (weights @ other**2 / total - second**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(variances > ROUNDING**2, covariance / np.sqrt(variances), np.nan)


def _residual(values: Values, of_user: Values, of_item: Values) -> Values:
    """Return the residuals of least squares on a constant and both means."""
    known = np.column_stack([np.ones(len(values)), of_user, of_item])
    left = values - known @ np.linalg.lstsq(known, values, rcond=None)[0]
    return np.where(np.abs(left) < ROUNDING, 0.0, left)


def _concordance(
    truth: Values, predicted: Values, items: NDArray[np.intp], users: NDArray[np.intp]
) -> tuple[int, float, tuple[float, float]]:
    """Return the number of concordance pairs, the share predicted in their true order, and its 95% interval over users.

    A pair is two Cases of the same item and different users, one truly higher than the other. A predicted tie counts as
    half. Pairs that share a user are correlated, so the variance is dyadic-robust (Aronow, Samii and Assenova 2015,
    "Cluster-Robust Variance Estimation for Dyadic Data", eq. 5), with Student's t.
    """
    right, first, second = [np.empty(0)], [np.empty(0, np.intp)], [np.empty(0, np.intp)]
    order = np.argsort(items, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(items[order])) + 1):
        left, other = (members[at] for at in np.triu_indices(len(members), 1))
        true = np.sign(truth[left] - truth[other])
        kept = (true != 0) & (users[left] != users[other])
        left, other = left[kept], other[kept]
        gap = predicted[left] - predicted[other]
        sign = np.where(np.abs(gap) < ROUNDING, 0.0, np.sign(gap))
        right.append((1 + true[kept] * sign) / 2)
        first.append(users[left])
        second.append(users[other])
    values, ones, others = np.concatenate(right), np.concatenate(first), np.concatenate(second)
    if not len(values):
        return 0, math.nan, (math.nan, math.nan)
    share = values.mean()
    off, count = values - share, int(users.max()) + 1
    of_user = np.bincount(ones, off, count) + np.bincount(others, off, count)
    # Two users may be paired in several items; all of their pairs are correlated with each other.
    together = np.unique(np.minimum(ones, others) * count + np.maximum(ones, others), return_inverse=True)[1]
    variance = max((of_user @ of_user - (np.bincount(together, off) ** 2).sum()) / len(values) ** 2, 0.0)
    taking_part = len(np.unique(np.concatenate([ones, others])))
    half = stats.t_quantile(max(taking_part - 1, 1), 0.95) * math.sqrt(variance)
    return len(values), float(share), (max(share - half, 0.0), min(share + half, 1.0))
