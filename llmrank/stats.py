"""How sure a number is: intervals over users, paired differences, and corrections for several of them.

Everything is deterministic: the only random draws are seeded. The unit is the user: where a user has several Cases,
`clusters` says whose each is (`clusters_of`), and users, not Cases, are what the interval is over.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CELLS_AT_A_TIME = 1 << 21
"""Random draws held at once, so that memory does not grow with the number of users."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its interval."""

    value: float
    low: float
    high: float
    users: int


@dataclass(frozen=True, slots=True)
class Difference:
    """Left minus right on the same users, with its 95% interval and its two-sided p-value."""

    difference: float
    low: float
    high: float
    p: float
    users: int


def clusters_of(users: Iterable[Hashable]) -> NDArray[np.intp]:
    """Return a number for each entry, the same for the same user, counted from 0 by first appearance."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(user, len(numbers)) for user in users], dtype=np.intp)


def mean_interval(
    values: NDArray[np.float64],
    clusters: NDArray[np.intp] | None = None,
    *,
    bounds: tuple[float, float] | None = None,
    confidence: float = 0.95,
) -> Estimate:
    """Return the mean of `values` with a t interval over users (cluster-robust where users have several values).

    With `bounds`, the range of the measure, two users at either end are added before the interval is computed: what
    Agresti and Coull (1998, The American Statistician 52) do for a proportion, extended to any bounded value. Rank
    measures are zero for most users, and then the plain t, percentile and BCa intervals are far too narrow: for a true
    hit rate of .02 and 50 users they hold the truth in 59 to 65% of samples, this one in 97%. As users grow they come
    together. `value` is always the plain mean. With fewer than two users the interval is the bounds, or infinite.
    """
    sums, counts = by_cluster(values, clusters)
    users = len(sums)
    low, high = bounds or (-math.inf, math.inf)
    mean = float(values.mean()) if users else math.nan
    if users < 2:
        return Estimate(mean, low, high, users)
    sums, counts = sums / counts.mean(), counts / counts.mean()
    if bounds is None:
        centre, variance = mean, ((sums - mean * counts) ** 2).sum() / (users - 1) / users
    else:
        total = users + 4
        centre = (sums.sum() + 2 * low + 2 * high) / total
        squares = ((sums - centre * counts) ** 2).sum() + 2 * (low - centre) ** 2 + 2 * (high - centre) ** 2
        variance = squares / total**2
    half = t_quantile(users - 1, confidence) * math.sqrt(variance)
    return Estimate(mean, max(low, float(centre - half)), min(high, float(centre + half)), users)


def paired_difference(
    left: NDArray[np.float64],
    right: NDArray[np.float64],
    clusters: NDArray[np.intp] | None = None,
    *,
    permutations: int = 9_999,
    seed: int = 0,
) -> Difference:
    """Return the mean of `left - right` with its t interval, and the p-value of a paired randomisation test.

    Were both methods alike, the sign of each user's difference would be a coin toss (Fisher). Smucker, Allan and
    Carterette (CIKM 2007) compare the tests in use on retrieval runs: this one assumes no distribution and tests the
    mean itself, Student's t agrees with it, and Wilcoxon's and the sign test, which test something else, they advise
    against. p is (1 + permutations at least as extreme) / (1 + permutations), so never 0 (Phipson & Smyth 2010).
    """
    differences, _ = by_cluster(left - right, clusters)
    interval = mean_interval(left - right, clusters)
    moved = differences[differences != 0]
    # Less a rounding error: the same sum, added in another order, is equally extreme.
    observed = abs(float(moved.sum())) - 1e-9 * float(np.abs(moved).sum())
    extreme = 0
    generator = np.random.default_rng(seed)
    # A byte draws the signs of eight users at once: what each of its 256 values adds up to is looked up.
    eights = -(-len(moved) // 8)
    signs = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
    sums = np.pad(moved, (0, 8 * eights - len(moved))).reshape(eights, 8) @ signs.T
    for rows in in_parts(permutations, eights):
        plus = np.zeros(rows)
        drawn = generator.integers(0, 256, (rows, eights), np.uint8)
        for column, found in zip(drawn.T, sums, strict=True):
            plus += found[column]
        extreme += int((np.abs(2 * plus - moved.sum()) >= observed).sum())
    p = (1 + extreme) / (1 + permutations)
    return Difference(interval.value, interval.low, interval.high, p, interval.users)


def bootstrap(
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    clusters: NDArray[np.intp],
    *,
    replicas: int = 1_000,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return `replicas` values of a statistic that is no mean (RMSE, AUC), each over users drawn with replacement.

    `statistic` takes `weights[replica, case]`, how often each Case is counted, and returns one value per replica. The
    same seed draws the same users, so two statistics can be paired.
    """
    clusters = np.unique(clusters, return_inverse=True)[1]
    users = int(clusters.max(initial=-1)) + 1
    generator = np.random.default_rng(seed)
    parts: list[NDArray[np.float64]] = []
    for rows in in_parts(replicas if users else 0, len(clusters)):
        drawn = generator.integers(0, users, (rows, users)) + users * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * users).reshape(rows, users)
        parts.append(statistic(times[:, clusters].astype(np.float64)))
    return np.concatenate(parts) if parts else np.empty(0)


def percentile_interval(replicas: NDArray[np.float64], confidence: float = 0.95) -> tuple[float, float]:
    """Return the percentile interval of bootstrap replicas; those that are undefined (NaN) are left out."""
    defined = replicas[~np.isnan(replicas)]
    if not len(defined):
        return math.nan, math.nan
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def bootstrap_p(replicas: NDArray[np.float64]) -> float:
    """Return the two-sided p-value that a bootstrapped difference gives for 0: twice the smaller tail beyond it."""
    defined = replicas[~np.isnan(replicas)]
    tail = min(int((defined <= 0).sum()), int((defined >= 0).sum()))
    return min(1.0, 2 * (1 + tail) / (1 + len(defined)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted for being several (Holm 1979, step-down), in the order given.

    The family-wise error stays at α however the tests depend on each other: reject where the adjusted p is at most α.
    """
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for done, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        running = max(running, min(1.0, (len(p_values) - done) * p_values[index]))
        adjusted[index] = running
    return adjusted


def by_cluster(
    values: NDArray[np.float64], clusters: NDArray[np.intp] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sum and the number of values of each user; numbers that no value has are left out."""
    if clusters is None:
        return values, np.ones(len(values))
    counts = np.bincount(clusters)
    used = np.flatnonzero(counts)
    return np.bincount(clusters, values)[used].astype(np.float64), counts[used].astype(np.float64)


def t_quantile(freedom: int, confidence: float) -> float:
    """Return how many standard errors to either side of the mean hold the truth with that confidence."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + confidence) / 2))


def in_parts(rows: int, columns: int) -> Iterator[int]:
    """Yield how many of `rows` to take at a time, so that a matrix with `columns` stays small."""
    step = max(1, CELLS_AT_A_TIME // max(columns, 1))
    for first in range(0, rows, step):
        yield min(step, rows - first)
