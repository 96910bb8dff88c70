"""Statistical inference: confidence intervals over users, paired differences, and corrections for multiple comparisons.

Results are deterministic, since all random draws are seeded. The unit of inference is the user. If users have several
Cases, a value is still the plain mean over Cases, so users with many Cases weigh more; `clusters` (see `clusters_of`)
says which Cases belong to the same user. Intervals and the t test then use the cluster-robust standard error (Cameron &
Miller 2015, Journal of Human Resources 50), the randomisation test flips all signs of a user together, and the
bootstrap draws whole users.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
"""A number for each Case, user or draw."""
CELLS_AT_A_TIME = 1 << 21
"""Number of random draws held in memory at once, whatever the number of users."""
TIE = 1e-12
"""Differences up to this size are rounding errors and count as ties."""

DRAWS = 9_999
"""Random samples of a test's null distribution."""
FEW_DIFFERENT = 15
"""With fewer users for whom two methods differ, no statement is made about the differences that a test detects."""
ENUMERABLE = 16
"""Up to this number of users for whom two methods differ, the randomisation test takes all signs, not a sample."""
FEW_EXTREME = 10
"""With fewer random signs as extreme as the data, their share says little about a small p."""
RADEMACHER = 1 / (2 * math.erfc(1))
"""How much likelier a sum of random signs is to be large than a normal number, at most: 1 / (4 P(Z ≥ √2)), 3.18."""
MANY_CASES = 400
"""Above this number of Cases, the sum of their values under chance is taken to be normal."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95% interval."""

    value: float
    low: float
    high: float
    users: int

    @property
    def ci95(self) -> tuple[float, float] | None:
        """The interval; None without users, or if an end is not finite."""
        return finite_pair(self.low, self.high) if self.users else None


@dataclass(frozen=True, slots=True)
class Difference:
    """Left minus right over the same users."""

    difference: float
    low: float
    """Lower end of the 95% interval."""
    high: float
    """Upper end of the 95% interval."""
    p: float
    """Two-sided p-value of the paired randomisation test, or of the bootstrap for measures that are not means."""
    users: int
    p_t: float = math.nan
    """Two-sided p-value of the paired t test; NaN for measures that are not means, and with fewer than two users."""
    effect_size: float = math.nan
    """Cohen's d_z: the mean difference divided by the standard deviation of the users' differences; NaN if
    undefined."""
    higher: int = 0
    """Number of users for whom left is higher than right."""
    equal: int = 0
    lower: int = 0
    detectable: float = math.nan
    """The smallest true difference that a test at 5% detects with 80% power with as many users; NaN as for `p_t`, if
    the two differ for fewer than 15 users, and if they differ for all users by the same amount."""

    @property
    def ci95(self) -> tuple[float, float] | None:
        """The interval; None if an end is not finite."""
        return finite_pair(self.low, self.high)

    def __neg__(self) -> Difference:
        """Return right minus left."""
        turned = replace(self, difference=0 - self.difference, low=-self.high, high=-self.low)
        return replace(turned, effect_size=0 - self.effect_size, higher=self.lower, lower=self.higher)


def finite(value: float) -> float | None:
    """Return the value as a plain float, or None if JSON cannot represent it."""
    return float(value) if math.isfinite(value) else None


def finite_pair(low: float, high: float) -> tuple[float, float] | None:
    """Return both ends, or None if one is not finite."""
    return (float(low), float(high)) if math.isfinite(low) and math.isfinite(high) else None


def clusters_of(users: Iterable[Hashable]) -> NDArray[np.intp]:
    """Return a cluster number per entry, equal for equal users, counted from 0 by first appearance."""
    users = list(users)
    numbers = {user: number for number, user in enumerate(dict.fromkeys(users))}
    return np.fromiter(map(numbers.__getitem__, users), np.intp, len(users))


def mean_interval(
    values: Values,
    clusters: NDArray[np.intp] | None = None,
    *,
    bounds: tuple[float, float] | None = None,
) -> Estimate:
    """Return the mean of `values` with a 95% t interval over users (cluster-robust if users have several values).

    With `bounds`, the range of the measure, two users are added at either end before the interval is computed. Agresti
    and Coull (1998, The American Statistician 52) do so for a proportion; here it is applied to any bounded value. Rank
    measures are zero for most users, which makes the plain t, percentile and BCa intervals far too narrow: for a true
    hit rate of .02 and 50 users they cover the truth in 59 to 65% of samples, this one in 97%. With more users the
    intervals converge. `value` is always the plain mean. With fewer than two users the interval is the bounds, or
    infinite.
    """
    low, high = bounds or (-math.inf, math.inf)
    return _interval(values, clusters, low, high, () if bounds is None else ((low, 2.0), (high, 2.0)))


def _interval(
    values: Values, clusters: NDArray[np.intp] | None, low: float, high: float, added: Sequence[tuple[float, float]]
) -> Estimate:
    """Return the mean with its interval within `low` and `high`, after users are added: each a value and a weight."""
    sums, counts = by_cluster(values, clusters)
    users = len(sums)
    mean = float(values.mean()) if users else math.nan
    if users < 2:
        return Estimate(mean, low, high, users)
    sums, counts = sums / counts.mean(), counts / counts.mean()
    if added:
        total = users + sum(weight for _, weight in added)
        centre = (sums.sum() + sum(weight * value for value, weight in added)) / total
        squares = ((sums - centre * counts) ** 2).sum() + sum(w * (value - centre) ** 2 for value, w in added)
        variance = squares / total**2
    else:
        centre, variance = mean, ((sums - mean * counts) ** 2).sum() / (users - 1) / users
    half = t_quantile(users - 1, 0.95) * math.sqrt(variance)
    return Estimate(mean, max(low, float(centre - half)), min(high, float(centre + half)), users)


def difference_interval(
    left: Values,
    right: Values,
    clusters: NDArray[np.intp] | None = None,
    *,
    most: float = math.inf,
) -> Estimate:
    """Return the mean of `left - right` with its 95% interval over users.

    `most` is the largest possible difference. If it is finite, a user is added at `most` and one at its opposite before
    the interval is computed. Bonett and Price (2012, Journal of Educational and Behavioral Statistics 37) do so for
    paired proportions. Two methods often differ for few users, and a plain t interval is then too narrow
    (`tests/benchmarks/coverage.py`). If 15 users or more differ, they show how large differences are, and the largest
    of a user takes the place of `most`.
    """
    differences, counts = by_cluster(left - right, clusters)
    if math.isinf(most) or len(differences) < 2:
        return mean_interval(left - right, clusters)
    few = np.count_nonzero(differences) < FEW_DIFFERENT
    end = most if few else float(np.abs(differences / counts).max())
    return _interval(left - right, clusters, -most, most, ((-end, 1.0), (end, 1.0)))


def paired_difference(
    left: Values,
    right: Values,
    clusters: NDArray[np.intp] | None = None,
    *,
    most: float = math.inf,
    permutations: int = DRAWS,
    seed: int = 0,
) -> Difference:
    """Return the mean of `left - right` with its interval, a paired randomisation test and a paired t test.

    With few users the interval (see `difference_interval`) may include 0 where p is below .05.

    If both methods were equally good, the sign of each user's difference would be a coin toss (Fisher). Smucker, Allan
    and Carterette (CIKM 2007) compare the usual tests on retrieval runs: the randomisation test assumes no distribution
    and tests the mean itself, Student's t agrees with it, and they advise against Wilcoxon's test and the sign test,
    which test something else. p is the share of all signs at least as extreme if the two differ for at most 16 users,
    else (1 + permutations at least as extreme) / (1 + permutations), so it is never 0 (Phipson & Smyth 2010). Where
    fewer than ten permutations are as extreme, it is at most the bound of Bentkus and Dzindzalieta (2015, Bernoulli 21)
    for sums with random signs: a clear difference stays clear after a correction for many tests.
    """
    differences, counts = by_cluster(left - right, clusters)
    nonzero = differences[differences != 0]
    interval = difference_interval(left, right, clusters, most=most)
    p_t, effect_size = paired_t(differences, counts)
    varies = spread(differences, counts)
    return Difference(
        interval.value,
        interval.low,
        interval.high,
        _sign_flip_p(nonzero, permutations, seed),
        interval.users,
        p_t,
        effect_size,
        *signs_of(differences),
        math.nan if len(nonzero) < FEW_DIFFERENT or varies <= TIE else detectable_difference(varies, interval.users),
    )


def _sign_flip_p(nonzero: Values, permutations: int, seed: int) -> float:
    """Return the two-sided p-value of the randomisation test (see `paired_difference`)."""
    # Allow for rounding: the same sum, added in another order, is equally extreme.
    observed = abs(float(nonzero.sum())) - 1e-9 * float(np.abs(nonzero).sum())
    if len(nonzero) <= ENUMERABLE:
        totals = np.zeros(1)
        for one in nonzero:
            totals = np.concatenate((totals + one, totals - one))
        return float((np.abs(totals) >= observed).mean())
    extreme = 0
    generator = np.random.default_rng(seed)
    # A random byte gives the signs of eight users; a table holds their signed sums for each of its 256 values.
    eights = -(-len(nonzero) // 8)
    signs = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
    sums = np.pad(nonzero, (0, 8 * eights - len(nonzero))).reshape(eights, 8) @ signs.T
    for rows in in_parts(permutations, eights):
        plus = np.zeros(rows)
        drawn = generator.integers(0, 256, (rows, eights), np.uint8)
        # Contiguous rows: the lookups of one row all go to the same table.
        for column, found in zip(np.ascontiguousarray(drawn.T), sums, strict=True):
            plus += found.take(column)
        extreme += int((np.abs(2 * plus - nonzero.sum()) >= observed).sum())
    p = (1 + extreme) / (1 + permutations)
    if extreme < FEW_EXTREME and observed > 0:
        bound = RADEMACHER * math.erfc(observed / math.sqrt(2 * float(nonzero @ nonzero)))
        p = min(p, max(bound, sys.float_info.min))
    return p


def difference_from_chance(
    found: Difference,
    values: Values,
    chance: Values,
    clusters: NDArray[np.intp],
    orders: tuple[Values, NDArray[np.int64], NDArray[np.int64]],
) -> Difference:
    """Return `found`, the paired difference between the values and their expectations under chance, without false
    precision.

    A random order is rarely right. Most samples of few users therefore contain no lucky one: all values are slightly
    below their expectation, and neither the signs nor the spread of the differences reveal the variance under chance.
    Here the interval is that of a bounded mean (see `mean_interval`). p is the larger of two: that of `found`, which
    rests on the signs of the differences, and the share of random orders of the same lists that deviate as much from
    their expectation (for many Cases, by the normal distribution).

    `orders` holds, for each order that a kind of Case can have, its value and the kind, and the number of Cases of each
    kind.
    """
    possible, kinds, counts = orders
    sizes = np.bincount(kinds)
    deviations = possible - (np.bincount(kinds, possible) / sizes)[kinds]
    observed = abs(float((values - chance).sum())) - TIE * len(values)
    if counts.sum() > MANY_CASES:
        spread = math.sqrt(float(counts @ (np.bincount(kinds, deviations**2) / sizes)))
        p = math.erfc(observed / spread / math.sqrt(2)) if spread else float(observed <= 0)
    else:
        generator, sums, end = np.random.default_rng(0), np.zeros(DRAWS), 0
        for size, count in zip(sizes, counts, strict=True):
            end += size
            sums += deviations[end - size : end][generator.integers(0, size, (DRAWS, count))].sum(axis=1)
        p = (1 + int((np.abs(sums) >= observed).sum())) / (1 + DRAWS)
    expected = float(chance.mean())
    interval = mean_interval(values - chance, clusters, bounds=(-expected, 1 - expected))
    return replace(found, low=interval.low, high=interval.high, p=max(found.p, p), p_t=math.nan)


def difference_of_groups(
    values: Values, first: NDArray[np.bool_], clusters: NDArray[np.intp] | None = None
) -> Difference:
    """Return the mean of the values in `first` minus that of the others, for two unpaired groups.

    With one value per user this is Welch's t test (1947, Biometrika 34) and its interval. Otherwise the standard error
    is cluster-robust over users, who may be in both groups, and the degrees of freedom are at most the number of users
    minus one. Raises ValueError if a group has fewer than two values.
    """
    from scipy.special import stdtr

    sides = (first, ~first)
    if min(map(np.count_nonzero, sides)) < 2:
        raise ValueError("each group needs at least two values")
    influences, degrees, means = np.zeros(len(values)), list[tuple[float, int]](), list[float]()
    for sign, which in zip((1, -1), sides, strict=True):
        own = values[which]
        means.append(float(own.mean()))
        # Scaled so that the squares of a group add up to the squared standard error of its mean.
        influences[which] = sign * (own - own.mean()) / math.sqrt(len(own) * (len(own) - 1))
        degrees.append((float((influences[which] ** 2).sum()), len(own) - 1))
    sums, counts = by_cluster(influences, clusters)
    variance, difference = float((sums**2).sum()), means[0] - means[1]
    squares = sum(part**2 / freedom for part, freedom in degrees)
    freedom = sum(part for part, _ in degrees) ** 2 / squares if squares else min(one for _, one in degrees)
    freedom = min(freedom, len(sums) - 1)
    error = math.sqrt(variance)
    half = t_quantile(freedom, 0.95) * error
    p = float(2 * stdtr(freedom, -abs(difference) / error)) if error else float(abs(difference) <= TIE)
    return Difference(difference, difference - half, difference + half, p, len(counts), p)


def spread(sums: Values, counts: Values) -> float:
    """Return the standard deviation over users that corresponds to a mean over all values: its standard error times
    √users.

    With one value per user it is the sample standard deviation; otherwise it is cluster-robust. `sums` and `counts` are
    those of each user's values. NaN with fewer than two users.
    """
    users = len(sums)
    if users < 2:
        return math.nan
    mean = sums.sum() / counts.sum()
    return math.sqrt(((sums - mean * counts) ** 2).sum() / (users - 1)) / float(counts.mean())


def detectable_difference(spread: float, users: int) -> float:
    """Return the smallest true difference that a two-sided test at 5% detects with 80% power.

    It is (t(.975) + t(.8)) times the standard error of the paired differences, `spread` / √users, with users - 1
    degrees of freedom (Bloom 1995, Evaluation Review 19, "Minimum detectable effects"). NaN with fewer than two users.
    """
    if users < 2:
        return math.nan
    # t(.8) has 20% above it, so it is the half-width of a 60% interval.
    return (t_quantile(users - 1, 0.95) + t_quantile(users - 1, 0.6)) * spread / math.sqrt(users)


def users_needed(spread: float, difference: float) -> int:
    """Return the smallest number of users, at least 2, with which `difference` (above 0) is detectable.

    It inverts `detectable_difference`. Normal quantiles give slightly too few users, so the number is counted up.
    """
    normal = t_quantile(math.inf, 0.95) + t_quantile(math.inf, 0.6)
    users = max(2, math.ceil((normal * spread / difference) ** 2))
    while detectable_difference(spread, users) > difference:
        users += 1
    return users


def bootstrapped_difference(
    difference: float, replicas: Values, errors: Values, clusters: NDArray[np.intp]
) -> Difference:
    """Return a difference of measures that are not means from its bootstrap; `errors` are left minus right per Case,
    and count for how many users each is better."""
    higher, equal, lower = signs_of(by_cluster(errors, clusters)[0])
    users = len(np.unique(clusters))
    interval, p = percentile_interval(replicas, users), bootstrap_p(replicas, users)
    return Difference(difference, *interval, p, users, higher=higher, equal=equal, lower=lower)


def signs_of(differences: Values) -> tuple[int, int, int]:
    """Return how many differences are above, at and below zero; undefined ones (NaN) are not counted."""
    higher, lower = int((differences > TIE).sum()), int((differences < -TIE).sum())
    return higher, int((~np.isnan(differences)).sum()) - higher - lower, lower


def paired_t(sums: Values, counts: Values) -> tuple[float, float]:
    """Return the two-sided p-value of the t test for a mean of 0, and Cohen's d_z.

    `sums` and `counts` are those of each user's differences; with one each, this is `scipy.stats.ttest_rel`.
    """
    from scipy.special import stdtr

    users = len(sums)
    if users < 2:
        return math.nan, math.nan
    mean, deviation = sums.sum() / counts.sum(), spread(sums, counts)
    if deviation <= TIE * abs(mean) or deviation == 0:
        return (1.0, 0.0) if abs(mean) <= TIE else (0.0, math.copysign(math.inf, mean))
    effect_size = mean / deviation
    return float(2 * stdtr(users - 1, -abs(effect_size) * math.sqrt(users))), float(effect_size)


def bootstrap(
    statistic: Callable[[Values], Values],
    clusters: NDArray[np.intp],
    *,
    replicas: int = 1_000,
    seed: int = 0,
) -> Values:
    """Return `replicas` values of a statistic that is not a mean (RMSE, AUC), each over users drawn with replacement.

    `statistic` takes `weights[replica, case]`, how often each Case counts, and returns one value, or a row of values,
    per replica. The same seed draws the same users, so two statistics can be paired.
    """
    clusters = np.unique(clusters, return_inverse=True)[1]
    users = int(clusters.max(initial=-1)) + 1
    generator = np.random.default_rng(seed)
    parts: list[Values] = []
    for rows in in_parts(replicas if users else 0, len(clusters)):
        drawn = generator.integers(0, users, (rows, users)) + users * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * users).reshape(rows, users)
        parts.append(statistic(times[:, clusters].astype(np.float64)))
    return np.concatenate(parts) if parts else np.empty(0)


def percentile_interval(replicas: Values, users: int) -> tuple[float, float]:
    """Return the 95% interval of bootstrap replicas over that many users, ignoring undefined replicas (NaN).

    Plain percentiles are too narrow for few users, as a z interval is. These are expanded, so that the interval of a
    mean is as wide as Student's (Hesterberg 2015, The American Statistician 69, "expanded percentiles"). NaN with fewer
    than two users.
    """
    from scipy.special import ndtr

    defined = replicas[~np.isnan(replicas)]
    if users < 2 or not len(defined):
        return math.nan, math.nan
    tail = float(ndtr(-t_quantile(users - 1, 0.95) * math.sqrt(users / (users - 1))))
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def bootstrap_p(replicas: Values, users: int) -> float:
    """Return the two-sided p-value of a bootstrapped difference over that many users; 1 with fewer than two.

    It is twice the smaller tail beyond 0, converted to a normal deviate and looked up in Student's distribution, as in
    `percentile_interval`. Where no replica lies beyond 0, the deviate is their mean divided by their standard deviation
    if that is larger: otherwise the number of replicas would decide what is significant after a correction.
    """
    from scipy.special import ndtri, stdtr

    if users < 2:
        return 1.0
    defined = replicas[~np.isnan(replicas)]
    tail = min(int((defined <= 0).sum()), int((defined >= 0).sum()))
    deviate = float(ndtri(min(0.5, (1 + tail) / (1 + len(defined)))))
    if not tail and len(defined) > 1 and (deviation := float(defined.std(ddof=1))):
        deviate = min(deviate, -abs(float(defined.mean())) / deviation)
    return float(2 * stdtr(users - 1, deviate * math.sqrt((users - 1) / users)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted for multiple comparisons (Holm 1979, step-down), in the order given.

    Rejecting hypotheses with an adjusted p of at most α keeps the family-wise error rate at α under any dependence.
    """
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for done, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        running = max(running, min(1.0, (len(p_values) - done) * p_values[index]))
        adjusted[index] = running
    return adjusted


def by_cluster(values: Values, clusters: NDArray[np.intp] | None) -> tuple[Values, Values]:
    """Return the sum and the number of each user's values; clusters without values are left out."""
    if clusters is None:
        return values, np.ones(len(values))
    counts = np.bincount(clusters)
    used = np.flatnonzero(counts)
    return np.bincount(clusters, values)[used].astype(np.float64), counts[used].astype(np.float64)


def t_quantile(freedom: float, confidence: float) -> float:
    """Return the half-width, in standard errors, of a t interval with that confidence level."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + confidence) / 2))


def in_parts(rows: int, columns: int) -> Iterator[int]:
    """Yield how many of `rows` to process at a time, so that a matrix with that many `columns` stays small."""
    step = max(1, CELLS_AT_A_TIME // max(columns, 1))
    for first in range(0, rows, step):
        yield min(step, rows - first)
