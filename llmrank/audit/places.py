"""Where in the prompt an item was shown: parts of the list, values by part, and tests that the part does not matter."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from llmrank import stats
from llmrank.audit.finding import (
    Audit,
    AuditRow,
    corrected,
    correlation,
    difference_rows,
    leaders,
    mean_row,
    mid_ranks,
)
from llmrank.run import CaseStory
from llmrank.run.tables import SIGNIFICANT, number, p_is, signed
from llmrank.stats import Values

MOST_PARTS = 10
"""Maximum number of parts of the list; in a list that is not longer, each position is a part."""
CASES_PER_PART = 20
"""Number of Cases for each part; with fewer, the list has fewer parts, but at least three."""
REGIONS = {
    "early": (1, 0, 0),
    "in the middle": (0, 1, 0),
    "late": (0, 0, 1),
    "at both ends": (1, 0, 1),
    "early or in the middle": (1, 1, 0),
    "in the middle or late": (0, 1, 1),
}
"""Which thirds of the list each region has; the region that exceeds chance most is named."""
THIRDS = 3
CLEAR = 1.96
"""A region is named only if its share exceeds chance by this many standard errors."""
TARGET = "relevant item shown"
DRAWS = 9_999
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ByPart:
    """A value by part of the list, and a test of whether it is the same in all parts."""

    what: str
    places: tuple[str, ...]
    """Each part in words: `at positions 1–4`."""
    rows: tuple[AuditRow, ...]
    """One per part; `chance` is the value if the position does not matter."""
    test: AuditRow
    """How much the parts differ, beside what they would differ by chance, with the p-value."""
    excess: Values | None = None
    """Of the item ranked first: by how many standard errors each of `REGIONS` exceeds chance."""

    @property
    def differs(self) -> bool:
        """Whether the parts differ significantly."""
        return self.test.p is not None and self.test.p < SIGNIFICANT

    def __str__(self) -> str:
        """Return the claim that the parts differ, as a clause."""
        values = [(row.value or 0.0) - (row.chance or 0.0) for row in self.rows]
        best, worst = int(np.argmax(values)), int(np.argmin(values))
        top, least = self.rows[best], self.rows[worst]
        if self.excess is None:
            seen = f"is {number(top.value)} if the relevant item is shown {self.places[best]}"
            return f"{self.what} {seen}, and {number(least.value)} {self.places[worst]}"
        numbers, by_chance = f"{top.value:.0%} of Cases", f"{top.chance:.0%} by chance"
        if self.excess.max() < CLEAR:
            return f"items shown {self.places[best]} are ranked first too often ({numbers}, {by_chance})"
        where = [*REGIONS][int(self.excess.argmax())]
        return f"items shown {where} are ranked first too often ({numbers} {self.places[best]}, {by_chance})"


def audit_of_places(
    question: str,
    about: str,
    correlations: Sequence[float],
    users: Sequence[str],
    by_part: Sequence[ByPart],
    tied: Sequence[float],
    everyone: Sequence[str],
) -> Audit:
    """Return the audit: rows with p-values corrected together, and a sentence that claims what is significant.

    Args:
        question: The question that the audit answers.
        about: What is audited.
        correlations: Of the position shown with the rank given, for each Case that does not tie all candidates.
        users: The user of each of these Cases.
        by_part: Values by part of the list.
        tied: 1 for each Case that ties all candidates, 0 for each other.
        everyone: The user of each Case.
    """
    name = "correlation of position shown and rank given"
    left_out = [mean_row("Cases that tie all candidates, left out", tied, everyone, (0, 1))] if any(tied) else []
    if not correlations:
        rows = (mean_row(name, correlations, users, (-1, 1), 0.0), *left_out)
        return Audit(question, "No conclusion: every Case ties all its candidates.", rows, about)
    # The test is paired; the interval is that of a correlation, which is never beyond 1.
    [tested] = difference_rows([(name, correlations, [0.0] * len(correlations), users)])
    bounded = replace(mean_row(name, correlations, users, (-1, 1), 0.0), p=tested.p)
    correlated, *tests = corrected([bounded, *(one.test for one in by_part)])
    found = [replace(one, test=test) for one, test in zip(by_part, tests, strict=True)]
    rows = (correlated, *(row for one in found for row in (one.test, *one.rows)), *left_out)
    return Audit(question, _sentence(correlated, found), rows, about)


def _sentence(correlated: AuditRow, by_part: Sequence[ByPart]) -> str:
    ci95, claims = correlated.ci95 or (-1.0, 1.0), [str(one) for one in by_part if one.differs]
    if correlated.direction:
        where = "higher" if correlated.direction > 0 else "lower"
        numbers = f"correlation {signed(correlated.value, 2)}"
        claims.append(f"over the whole list, candidates shown early are ranked {where} ({numbers})")
    if claims:
        return f"Yes: {'; '.join(claims)}."
    tests = "".join(f"; {one.what}, {p_is(one.test.p, 'p (Holm)')}" for one in by_part)
    reach = f"correlation between {signed(ci95[0], 2)} and {signed(ci95[1], 2)}"
    return f"No significant effect of the position ({reach}{tests})."


def ties_all(story: CaseStory) -> bool:
    """Return whether all candidates share one rank."""
    return len(leaders(story.record.ranking)) == len(story.shown)


def place_correlation(story: CaseStory) -> float:
    """Return Spearman's correlation between the position shown and the rank given."""
    ranks = mid_ranks(story.record.ranking)
    return correlation(range(len(story.shown)), [ranks[item.item_id] for item in story.shown])


def part_of(places: Places, n: Places | int, parts: int) -> Places:
    """Return the part of a list of `n` that holds each place, both from 0; the parts are symmetric."""
    return (2 * places + 1) * parts // (2 * n)


def part_names(lengths: Sequence[int], parts: int) -> tuple[str, ...]:
    """Return each part in words: by its positions, from 1, if all lists have the same length."""
    n = lengths[0]
    if set(lengths) != {n}:
        return numbered(parts)
    held = [np.flatnonzero(part_of(np.arange(n), n, parts) == part) + 1 for part in range(parts)]
    return tuple(f"at position {one[0]}" if len(one) == 1 else f"at positions {one[0]}–{one[-1]}" for one in held)


def numbered(parts: int) -> tuple[str, ...]:
    """Return each part in words, by its number."""
    return tuple(f"in part {part} of {parts} of the list" for part in range(1, parts + 1))


def _parts(lengths: Sequence[int]) -> int:
    return min(max(lengths), MOST_PARTS, max(3, len(lengths) // CASES_PER_PART))


def _sizes(lengths: Sequence[int], parts: int) -> Places:
    """Return the number of places in each part of each list, int64[case, part]."""
    known = {n: np.bincount(part_of(np.arange(n), n, parts), minlength=parts) for n in dict.fromkeys(lengths)}
    return np.array([known[n] for n in lengths], dtype=np.int64)


def first_places(
    placed: Sequence[Sequence[int]], lengths: Sequence[int], users: Sequence[str], *, draws: int = DRAWS, seed: int = 0
) -> ByPart:
    """Return how often the item ranked first was shown in each part of the list, and a test that chance decides.

    The statistic is Pearson's chi-square (1900) as Cramér's V (1946): 0 if all parts have the share that chance gives
    them, 1 if all Cases have one part, the smallest. Its p-value is exact: the candidates were shuffled for each Case,
    so `draws` new shuffles show what chance gives (a randomisation test, Fisher 1935). Lists may differ in length.

    Args:
        placed: The places, from 0, of the items that share the first rank, for each Case; each counts equally.
        lengths: The number of candidates of each Case.
        users: The user of each Case.
        draws: The number of random shuffles.
        seed: The seed of the shuffles.
    """
    what, parts = "item ranked first", _parts(lengths)
    shares, sizes = _shares(placed, lengths, parts), _sizes(lengths, parts)
    chances = sizes / sizes.sum(axis=1, keepdims=True)
    chance, generator = chances.mean(axis=0), np.random.default_rng(seed)
    drawn = np.zeros((draws, parts))
    for (n, tied), count in Counter(zip(lengths, map(len, placed), strict=True)).items():
        size = sizes[lengths.index(n)]
        if tied == 1:
            drawn += generator.multinomial(count, size / n, draws)
            continue
        for row, end in chunks(draws, count):
            one = generator.multivariate_hypergeometric(size, tied, (end - row, count), method="marginals")
            drawn[row:end] += one.sum(axis=1) / tied
    uneven, by_chance = unevenness(shares.mean(axis=0), chance), unevenness(drawn / len(placed), chance)
    name, expected = f"{what}: unevenness over positions (0 to 1)", float(by_chance.mean())
    test = AuditRow(name, float(uneven), None, len(placed), expected, p_of(uneven, by_chance))
    places = part_names(lengths, parts)
    return ByPart(what, places, part_rows(what, "shown", places, shares, chance, users), test, _excess(placed, lengths))


def part_rows(
    what: str, shown: str, places: Sequence[str], values: Values, usual: Values, users: Sequence[str]
) -> tuple[AuditRow, ...]:
    """Return the mean of each column of `values`, ignoring NaN, beside its usual value."""
    return tuple(
        mean_row(f"{what}: {shown} {place}", column, users, (0, 1), stats.finite(chance))
        for place, column, chance in zip(places, values.T, usual.tolist(), strict=True)
    )


def _shares(placed: Sequence[Sequence[int]], lengths: Sequence[int], parts: int) -> Values:
    """Return the share of these places that is in each part, float64[case, part]."""
    return np.array(
        [
            np.bincount(part_of(np.array(places), n, parts), minlength=parts) / len(places)
            for places, n in zip(placed, lengths, strict=True)
        ]
    )


def in_regions(thirds: Values) -> Values:
    """Return the share of each of `REGIONS`, given that of each third."""
    return thirds @ np.array([*REGIONS.values()]).T


def _excess(placed: Sequence[Sequence[int]], lengths: Sequence[int]) -> Values:
    """Return by how many standard errors each of `REGIONS` has the first place more often than by chance.

    The number of tied items in a region is hypergeometric.
    """
    n, tied = np.reshape(lengths, (-1, 1)), np.reshape([len(one) for one in placed], (-1, 1))
    chances, shares = in_regions(_sizes(lengths, THIRDS) / n), in_regions(_shares(placed, lengths, THIRDS))
    variance = (chances * (1 - chances) / tied * (n - tied) / (n - 1)).sum(axis=0)
    return (shares - chances).sum(axis=0) / np.sqrt(np.maximum(variance, stats.TIE))


def unevenness(shares: Values, chance: Values) -> Values:
    """Return Cramér's V of shares that add up to 1 on the last axis, against those that chance gives."""
    squares = ((shares - chance) ** 2 / np.maximum(chance, stats.TIE)).sum(axis=-1)
    return np.minimum(np.sqrt(squares / (1 / chance[chance > 0].min() - 1)), 1.0)


def p_of(observed: Values | float, drawn: Values) -> float:
    """Return the share of draws that are at least as extreme, counting the observation as one of them."""
    return float((1 + (drawn >= observed - stats.TIE).sum()) / (1 + len(drawn)))


def chunks(rows: int, columns: int) -> list[tuple[int, int]]:
    """Return the first row, and that after the last, of each chunk of a large table of draws."""
    return list(pairwise(np.cumsum([0, *stats.in_parts(rows, columns)]).tolist()))


def values_by_place(
    what: str,
    values: Values,
    places: Sequence[int],
    lengths: Sequence[int],
    users: Sequence[str],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> ByPart:
    """Return the mean value of the Cases whose relevant item was shown in each part of the list, and a test.

    The statistic is the sum of squares between parts. The relevant item's place was drawn by a shuffle, so `draws` new
    places for each Case show what chance gives: the test is exact (see `first_places`).
    """
    parts = _parts(lengths)
    sizes = _sizes(lengths, parts)
    chances = sizes / sizes.sum(axis=1, keepdims=True)
    expected = chances.sum(axis=0)
    usual = np.divide(values @ chances, expected, out=np.full(parts, np.nan), where=expected > 0)
    centred = values - values.mean()
    n, counts = np.array(lengths), np.maximum(expected, stats.TIE)

    def compared(shown: Places) -> tuple[Values, Values]:
        """Return the statistic, and the difference between the best and the worst part, of each row of places."""
        part = part_of(shown, n, parts)
        inside = np.stack([part == one for one in range(parts)], axis=1).astype(np.float64)
        held = inside.sum(axis=2)
        means = np.divide(inside @ values, held, out=np.full(held.shape, np.nan), where=held > 0)
        between = (((inside @ centred) - centred @ chances) ** 2 / counts).sum(axis=1)
        return between, np.nanmax(means, axis=1) - np.nanmin(means, axis=1)

    [observed], [gap] = compared(np.array([places]))
    generator, drawn, gaps = np.random.default_rng(seed), np.empty(draws), np.empty(draws)
    for row, end in chunks(draws, len(values) * parts):
        shown = (generator.random((end - row, len(values))) * n).astype(np.int64)
        drawn[row:end], gaps[row:end] = compared(shown)
    name = f"{what}: best part of the list minus worst"
    test = AuditRow(name, float(gap), None, len(values), float(gaps.mean()), p_of(observed, drawn))
    names = part_names(lengths, parts)
    held = part_of(np.array(places), n, parts)[:, None] == np.arange(parts)
    by_part = np.where(held, values[:, None], math.nan)
    return ByPart(what, names, part_rows(what, TARGET, names, by_part, usual, users), test)
