"""How often intervals cover the truth, and how often tests reject a true null hypothesis.

`python -m tests.benchmarks.coverage [--evaluations 2000]`. Each evaluation draws users with the values of two methods
that are equally good by construction (exchangeable within a user, and correlated, like two rankers of the same lists).
For each it computes the interval of a mean, the interval of the paired difference, and the two tests. A correct 95%
interval covers the truth in 95% of evaluations; a correct test at .05 rejects in 5%. If nearly all users are ties (40
users, a hit rate of .05), no test of so few differences can reach 5%: it rejects less often, with a large p.

A second table is of two methods that differ, one clearly better, but only for a few users: the others get the same
value from both. There a plain t interval, in the last column, covers the truth too rarely.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from llmrank import stats
from tests.benchmarks.machine import heading, table

USERS = (40, 100, 300, 1000)
CASES_PER_USER = 3
Values = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Values]
"""Takes a generator and a number of users; returns the values of two methods, float64[users, 2]."""


def hits(rng: np.random.Generator, users: int, rate: float = 0.05) -> Values:
    """Return HR@1: a user is as easy for the one method as for the other."""
    easy = rng.beta(1, 1 / rate - 1, users)
    return (rng.random((users, 2)) < easy[:, None]).astype(np.float64)


def discounted(rng: np.random.Generator, users: int) -> Values:
    """Return NDCG@10 of lists of 50 with one relevant item, which 60% of the users have: most values are 0."""
    within, skill = rng.random(users) < 0.6, rng.exponential(12, users)
    ranks = np.minimum(rng.exponential(skill[:, None], (users, 2)).astype(int) + 1, 50)
    return np.where(within[:, None] & (ranks <= 10), 1 / np.log2(ranks + 1), 0.0)


def skewed(rng: np.random.Generator, users: int) -> Values:
    """Return reciprocal ranks of lists of 50: none is 0, few are large."""
    return 1 / np.minimum(rng.exponential(rng.exponential(25, users)[:, None], (users, 2)).astype(int) + 1, 50)


POPULATIONS: Mapping[str, Draw] = {
    "HR@1 of .05": hits,
    "NDCG@10, zero for most": discounted,
    "MRR, skewed": skewed,
}


def better_for_few(rng: np.random.Generator, users: int, share: float, gain: Callable[[Values], Values]) -> Values:
    """Return a measure of two methods that differ for this share of the users; the first ranks five places higher."""
    ranks = rng.integers(1, 21, (users, 2))
    ranks[:, 0] = np.maximum(ranks[:, 0] - 5, 1)
    return np.where(rng.random(users)[:, None] < share, gain(ranks), 0.0)


GAINS: Mapping[str, Callable[[Values], Values]] = {
    "HR@1": lambda ranks: (ranks == 1).astype(np.float64),
    "NDCG@10": lambda ranks: np.where(ranks <= 10, 1 / np.log2(ranks + 1), 0.0),
    "MRR": lambda ranks: 1 / ranks,
}
SHARES = (0.1, 0.3)
"""Shares of the users for whom the methods differ."""


def several(rng: np.random.Generator, users: int, draw: Draw) -> tuple[Values, NDArray[np.intp]]:
    """Return 1 to 5 Cases of each user, which differ less than those of different users, and whose each is."""
    owner = np.repeat(np.arange(users), rng.integers(1, 2 * CASES_PER_USER, users))
    own, other = draw(rng, users)[owner], draw(rng, len(owner))
    return np.where(rng.random(len(owner))[:, None] < 0.5, own, other), owner


def measured(draw: Draw, users: int, evaluations: int, *, clustered: bool) -> list[float]:
    """Return four shares: intervals of the mean and the difference that hold the truth; rejections of both tests."""
    rng = np.random.default_rng(users)
    truth = float(draw(np.random.default_rng(1), 4_000_000).mean())
    found = np.zeros(4)
    for number in range(evaluations):
        values, clusters = several(rng, users, draw) if clustered else (draw(rng, users), None)
        mean = stats.mean_interval(values[:, 0], clusters, bounds=(0, 1))
        paired = stats.paired_difference(values[:, 0], values[:, 1], clusters, most=1, permutations=1999, seed=number)
        found += [mean.low <= truth <= mean.high, paired.low <= 0 <= paired.high, paired.p <= 0.05, paired.p_t <= 0.05]
    return list(found / evaluations)


def measured_gain(users: int, evaluations: int, share: float, gain: Callable[[Values], Values]) -> list[float]:
    """Return the users for whom the methods differ, the true difference, and two shares: intervals of the difference,
    and plain t intervals, that hold it."""
    rng = np.random.default_rng(users)
    many = better_for_few(np.random.default_rng(1), 4_000_000, share, gain)
    truth = float((many[:, 0] - many[:, 1]).mean())
    found = np.zeros(3)
    for _ in range(evaluations):
        left, right = better_for_few(rng, users, share, gain).T
        paired = stats.paired_difference(left, right, most=1, permutations=1)
        plain = stats.mean_interval(left - right)
        found += [(left != right).sum(), paired.low <= truth <= paired.high, plain.low <= truth <= plain.high]
    differ, covered, by_plain = found / evaluations
    return [differ, truth, covered, by_plain]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evaluations", type=int, default=2000)
    evaluations = parser.parse_args().evaluations
    rows: list[list[str]] = []
    for name, draw in POPULATIONS.items():
        for clustered in (False, True):
            for users in USERS:
                shares = measured(draw, users, evaluations, clustered=clustered)
                cases = f"1 to {2 * CASES_PER_USER - 1}" if clustered else "1"
                rows.append([name, f"{users:,}", cases, *(f"{share:.1%}" for share in shares)])
    head = ["measure", "users", "Cases a user", "mean", "difference", "randomisation test", "t test"]
    command = f"python -m tests.benchmarks.coverage --evaluations {evaluations}"
    what = f"{evaluations:,} simulated evaluations a row: of two equal methods, then of a better one"
    print(heading(what, command, "numpy", "scipy"))
    print()
    print(table(head, rows))
    gains: list[list[str]] = []
    for name, gain in GAINS.items():
        for share in SHARES:
            for users in USERS:
                differ, truth, covered, by_plain = measured_gain(users, evaluations, share, gain)
                gains.append([name, f"{users:,}", f"{differ:.1f}", f"{truth:.3f}", f"{covered:.1%}", f"{by_plain:.1%}"])
    print()
    print(table(["measure", "users", "of them differ", "true difference", "difference", "plain t interval"], gains))


if __name__ == "__main__":
    main()
