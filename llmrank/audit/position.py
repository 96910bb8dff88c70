"""`position`: does the position in the prompt affect the ranking? Candidates are shuffled, so it should not.

A finished Run shows each candidate at one random position. An audit that asks the model shows it once in each part of
the list.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from llmrank import stats
from llmrank.audit.contrast import length_of_top, named_top
from llmrank.audit.finding import (
    Audit,
    AuditRow,
    corrected,
    correlation,
    difference_rows,
    leaders,
    mean_of,
    mean_row,
    mid_ranks,
    read_stories,
    unread,
)
from llmrank.audit.options import PositionOptions
from llmrank.audit.plan import AuditPlan, Change, as_it_is, asking, refuse_fixed_order
from llmrank.errors import InputError, count_of
from llmrank.evaluation.evaluate import Evaluation
from llmrank.rankers.order import Order
from llmrank.run import CaseStory, Run
from llmrank.run.compare import done_in_all
from llmrank.run.tables import SIGNIFICANT, number, p_is, signed
from llmrank.stats import Values
from llmrank.types import Case

QUESTION = "Does the position in the prompt affect the ranking?"
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
    bounded = replace(mean_row(name, correlations, users, (-1, 1), 0.0, graded=True), p=tested.p)
    correlated, *tests = corrected([bounded, *(one.test for one in by_part)])
    found = [replace(one, test=test) for one, test in zip(by_part, tests, strict=True)]
    rows = (correlated, *(row for one in found for row in (one.test, *one.rows)), *left_out)
    return Audit(question, _sentence(correlated, found), rows, about)


def _sentence(correlated: AuditRow, by_part: Sequence[ByPart]) -> str:
    ci95, claims = correlated.ci95 or (-1.0, 1.0), [str(one) for one in by_part if one.differs]
    if correlated.direction:
        where = "higher" if correlated.direction > 0 else "lower"
        numbers = f"correlation {signed(correlated.value, 2)}, {correlated.tested}"
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
    parts = _parts(lengths)
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
    names, excess = part_names(lengths, parts), _excess(placed, lengths)
    return _firsts_by_part(names, shares, drawn / len(placed), chance, users, excess)


def _firsts_by_part(
    places: Sequence[str], shares: Values, drawn: Values, chance: Values, users: Sequence[str], excess: Values
) -> ByPart:
    """Return how often the item ranked first was shown in each part, and the test against the `drawn` shares."""
    what = "item ranked first"
    uneven, by_chance = unevenness(shares.mean(axis=0), chance), unevenness(drawn, chance)
    name, expected = f"{what}: unevenness over positions (0 to 1)", float(by_chance.mean())
    test = AuditRow(name, float(uneven), None, len(shares), expected, p_of(uneven, by_chance))
    return ByPart(what, tuple(places), part_rows(what, "shown", places, shares, chance, users), test, excess)


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
    held = part_of(np.array(places), n, parts)[:, None] == np.arange(parts)
    by_part, p = np.where(held, values[:, None], math.nan), p_of(observed, drawn)
    return _values_by_part(what, part_names(lengths, parts), by_part, usual, users, gap, gaps, p)


def _values_by_part(
    what: str,
    places: Sequence[str],
    values: Values,
    usual: Values,
    users: Sequence[str],
    gap: float,
    gaps: Values,
    p: float,
) -> ByPart:
    """Return the mean value by part of the list that shows the relevant item; `gaps` are what `gap` is by chance."""
    name = f"{what}: best part of the list minus worst"
    test = AuditRow(name, float(gap), None, len(values), float(gaps.mean()), p)
    return ByPart(what, tuple(places), part_rows(what, TARGET, places, values, usual, users), test)


def position(run: Run) -> Audit:
    """Return how much a Run's rankings depend on the order in which the candidates were shown.

    Three things are tested against random positions, and their p-values are Holm-corrected. Spearman's correlation
    between the position shown and the rank given, averaged over Cases: 1 if the list is returned as shown; it detects
    only a bias that grows along the list. Where the item ranked first was shown: this detects any bias, such as one for
    the middle. And the hit rate by the position of the relevant item, in the Cases that show exactly one: with several
    the first of them would be early by chance. Cases that tie all candidates are left out of the first two. Methods
    that ask several times are judged by their first order.

    Raises InputError if the candidates were not shown in a shuffled order, or if no Case has a readable ranking.
    """
    stories = shuffled_stories(run)
    return place_audit(QUESTION, stories, run.title, _hits_by_place(run, stories))


def shuffled_stories(run: Run) -> list[CaseStory]:
    """Return the readable Cases of a Run with shuffled candidates; raises InputError for any other Run."""
    run.require_rankings()
    order = run.settings.get("order")
    if order is None or not Order.parse(order).is_shuffled:
        problem = f"the candidates were not shown in a shuffled order (order: {order or 'unknown'})"
        hint = "audit a Run with --order shuffled: only then are the positions random"
        raise InputError(problem, path=run.path, hint=hint)
    return read_stories(run)


def place_audit(question: str, stories: Sequence[CaseStory], about: str, hits: ByPart | None = None) -> Audit:
    """Return the audit of shuffled Cases: the correlation of all ranks, and where the item ranked first was shown.

    `hits`: the hit rate by position of the relevant item.
    """
    ordered = [story for story in stories if not ties_all(story)]
    users = [story.case.user_id for story in ordered]
    firsts = [] if hits is None else [hits]
    if ordered:
        placed = [
            [place for place, item in enumerate(story.shown) if item.item_id in leaders(story.record.ranking)]
            for story in ordered
        ]
        firsts = [first_places(placed, [len(story.shown) for story in ordered], users), *firsts]
    tied = [float(ties_all(story)) for story in stories]
    everyone = [story.case.user_id for story in stories]
    return audit_of_places(question, about, [place_correlation(one) for one in ordered], users, firsts, tied, everyone)


def _hits_by_place(run: Run, stories: Sequence[CaseStory]) -> ByPart | None:
    """Return the hit rate by position of the relevant item, from the Cases that show exactly one; None without any."""
    places = [
        [place for place, item in enumerate(story.shown) if item.item_id in story.case.relevant] for story in stories
    ]
    known = [(story, shown[0]) for story, shown in zip(stories, places, strict=True) if len(shown) == 1]
    if not known:
        return None
    cases = [story.case for story, _ in known]
    k = length_of_top(cases)
    lengths, users = [len(case.candidates) for case in cases], [case.user_id for case in cases]
    values, shown = run.per_case(f"HR@{k}", cases), [place for _, place in known]
    return values_by_place(f"HR@{named_top(k)}", values, shown, lengths, users)


def plan_position(evaluation: Evaluation, options: PositionOptions) -> AuditPlan:
    """Return the plan: the Run of `eval`, and Runs whose candidates are moved down step by step.

    Raises InputError if the order is fixed, or if all lists are shorter than the number of slots.
    """
    order = refuse_fixed_order(evaluation)
    if (longest := max(len(case.candidates) for case in evaluation.cases)) < options.slots:
        problem = f"the longest list has only {count_of(longest, 'candidate')}"
        raise InputError(problem, field="slots", hint=f"use --slots {max(longest, 2)} or fewer, or a larger -k")
    changes: dict[str, Change] = {"as-shuffled": as_it_is}
    for step in range(1, options.slots):
        moved = replace(order, moved=(step, options.slots))
        changes[f"moved-{step}-of-{options.slots}"] = partial(asking, order=str(moved))
    return AuditPlan(changes, position_asked)


def position_asked(runs: Mapping[str, Run]) -> Audit:
    """Return how much the rankings change with the positions of the candidates.

    The Runs show the same Cases in orders that move each candidate through the list, so that it is shown once in each
    part (a Latin square by parts; Cochran & Cox 1957, Experimental Designs). All values are paired: each Case has one
    for each part. Tested are the correlation of position and rank, where the item ranked first was shown, and the hit
    rate and the headline measure by the position of the relevant item, if a list has exactly one. The p-values come
    from permutations of the parts within each user (a randomisation test of blocks, Pitman 1938, Biometrika 29), and
    are Holm-corrected. Cases with fewer candidates than Runs are left out. Unreadable answers count as worst; the
    correlation and the item ranked first need readable answers in all orders, that do not tie all candidates.

    Raises InputError if no Case can be read in all orders.
    """
    first, parts = next(iter(runs.values())), len(runs)
    done = done_in_all(runs.values())
    cases = [case for case in done if len(case.candidates) >= parts]
    by_id = [{story.case.case_id: story for story in run} for run in runs.values()]
    told = {case.case_id: [stories[case.case_id] for stories in by_id] for case in cases}
    readable = [case for case in cases if all(one.record.ranking.answered for one in told[case.case_id])]
    if not readable:
        hint = "audit a method with readable answers, on lists that have a candidate for each slot"
        raise InputError("no Case has a readable answer in all orders", path=first.path, hint=hint)
    ordered = [case for case in readable if not any(map(ties_all, told[case.case_id]))]
    users, by_part = [case.user_id for case in ordered], list[ByPart]()
    if ordered:
        shares = np.array([_first(told[case.case_id]) for case in ordered])
        by_part.append(_firsts_of_orders(shares, _names(ordered, parts), users))
    by_part += _measures_of_orders(runs, cases, told)
    correlations = [_mean_correlation(told[case.case_id]) for case in ordered]
    tied = [float(any(map(ties_all, told[case.case_id]))) for case in readable]
    everyone = [case.user_id for case in readable]
    found = audit_of_places(QUESTION, first.title, correlations, users, by_part, tied, everyone)
    remark = unread(runs.values(), "such answers count as worst")
    if short := len(done) - len(cases):
        remark += f" {count_of(short, 'Case')} with fewer than {parts} candidates are left out."
    return replace(found, sentence=found.sentence + remark)


def _measures_of_orders(
    runs: Mapping[str, Run], cases: Sequence[Case], told: Mapping[str, Sequence[CaseStory]]
) -> Iterator[ByPart]:
    """Yield the hit rate and the headline measure by the part of the list that shows the relevant item, from the Cases
    that show exactly one. `told` has the stories of a Case, by its id."""
    relevant = {
        case.case_id: [item.item_id for item in case.candidates if item.item_id in case.relevant] for case in cases
    }
    chosen = [case for case in cases if len(relevant[case.case_id]) == 1]
    if not chosen:
        return
    slots = np.array([_parts_of(told[case.case_id], *relevant[case.case_id]) for case in chosen])
    k, headline = length_of_top(chosen), next(iter(runs.values())).metrics.headline
    measures = {f"HR@{k}": f"HR@{named_top(k)}"}
    if headline is not None:
        measures.setdefault(headline, headline)
    for measure, named in measures.items():
        values = np.stack([run.per_case(measure, chosen) for run in runs.values()], axis=1)
        values = np.take_along_axis(values, np.argsort(slots, axis=1), axis=1)
        yield _values_of_orders(named, values, _names(chosen, len(runs)), [case.user_id for case in chosen])


def _mean_correlation(stories: Sequence[CaseStory]) -> float:
    """Return the mean correlation of position and rank; 0 if all orders gave the same ranking, whatever the shuffle."""
    first, *others = (mid_ranks(story.record.ranking) for story in stories)
    return mean_of(map(place_correlation, stories)) if any(one != first for one in others) else 0.0


def _names(cases: Sequence[Case], parts: int) -> tuple[str, ...]:
    """Return each part in words: by its positions, if they are the same in all lists."""
    lengths = [len(case.candidates) for case in cases]
    return numbered(parts) if any(n % parts for n in lengths) else part_names(lengths, parts)


def _parts_of(stories: Sequence[CaseStory], item_id: str) -> list[int]:
    """Return the part in which each order shows the item: the rank of its place among its places in all orders."""
    places = [[item.item_id for item in story.shown].index(item_id) for story in stories]
    return [sorted(places).index(place) for place in places]


def _first(stories: Sequence[CaseStory]) -> Values:
    """Return how often the item ranked first was shown in each part, float64[part]; items tied first share it."""
    shares = np.zeros(len(stories))
    for at, story in enumerate(stories):
        first = leaders(story.record.ranking)
        for item_id in first:
            shares[_parts_of(stories, item_id)[at]] += 1 / len(first) / len(stories)
    return shares


def _firsts_of_orders(shares: Values, places: Sequence[str], users: Sequence[str]) -> ByPart:
    """Return how often the item ranked first was shown in each part, and a test that it is equally often in each."""
    parts = len(places)
    thirds = part_of(np.arange(parts), parts, THIRDS)[:, None] == np.arange(THIRDS)
    chances = in_regions(thirds.mean(axis=0))
    # Each order of a Case gives one first place, which is in a region or not.
    errors = np.sqrt(chances * (1 - chances) / shares.size)
    excess = (in_regions(shares.mean(axis=0) @ thirds) - chances) / errors
    chance = np.full(parts, 1 / parts)
    return _firsts_by_part(places, shares, permuted_means(shares, users), chance, users, excess)


def _values_of_orders(what: str, values: Values, places: Sequence[str], users: Sequence[str]) -> ByPart:
    """Return the mean value by part of the list that shows the relevant item, and a test that it is the same in all."""
    means, drawn = values.mean(axis=0), permuted_means(values, users)
    usual, p = np.full(len(places), values.mean()), p_of(means.var(), drawn.var(axis=1))
    return _values_by_part(what, places, values, usual, users, np.ptp(means), np.ptp(drawn, axis=1), p)


def permuted_means(values: Values, users: Sequence[str], *, draws: int = DRAWS, seed: int = 0) -> Values:
    """Return the mean of each column after the columns are permuted at random within each user, float64[draw, column].

    If the columns are exchangeable, their observed means are one such draw.
    """
    clusters = stats.clusters_of(users)
    sums = np.stack([np.bincount(clusters, column) for column in values.T], axis=1)
    generator, drawn = np.random.default_rng(seed), np.empty((draws, values.shape[1]))
    for row, end in chunks(draws, sums.size):
        copies = np.broadcast_to(sums, (end - row, *sums.shape))
        drawn[row:end] = generator.permuted(copies, axis=2).sum(axis=1) / len(values)
    return drawn
