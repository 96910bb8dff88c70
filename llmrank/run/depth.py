"""Reranking depth: the value of a Run if only the first candidates had been reranked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from llmrank import stats
from llmrank.measures import Judgements, Measure
from llmrank.measures.judgements import JudgedCase, scores_with_ties, tie_group
from llmrank.rankers.ranking import rank_by_score
from llmrank.run.gain import Gain
from llmrank.run.metrics import in_recall_order, the_measure
from llmrank.run.tables import Shown, TextTable
from llmrank.stats import Values
from llmrank.types import Case, Ranking

if TYPE_CHECKING:
    from llmrank.run.run import Run

DEPTHS = (1, 2, 3, 5, 10, 15, 20, 30, 50, 75, 100, 150, 200)
DRAWS = 20
"""Seeded draws, averaged, of which tied candidates are among the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthPoint(Gain):
    """The gain with the first `n` candidates in the method's order and the others below them in recall order."""

    n: int


@dataclass(frozen=True, repr=False)
class Depth(Shown):
    """The result of `depth`. It prints as a table; differences are from recall order."""

    note = "difference: from recall order, paired on users; the method saw all candidates"
    measure: str
    points: tuple[DepthPoint, ...]

    def __iter__(self) -> Iterator[DepthPoint]:
        return iter(self.points)

    def table(self) -> TextTable:
        """Return a row per depth."""
        rows = [(f"{one.n}", *one.cells) for one in self.points]
        return TextTable(("reranked", self.measure, "95% CI", "difference", "95% CI"), tuple(rows))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {"measure": self.measure, "depth": [asdict(one) for one in self.points]}


def depth(run: Run, measure: str) -> Depth:
    """Return the value of the Run if only the first n candidates in recall order had been reranked, for several n.

    The first n keep the relative order that the method gave them among all candidates. Shown only n, the method might
    have ordered them differently. With n = 1 (for HR@k up to n = k) nothing changes; with all candidates it is the
    Run's own value. If recall scores tie across the nth place, the value is the mean over random draws of the first n.

    Raises InputError for an unknown measure or a rating Run.
    """
    run.require_recall_order()
    chosen = the_measure(measure, "ranking")
    cases = [case for case in run.done if case.relevant]
    recalled = in_recall_order(cases)
    base = chosen.per_case(Judgements.from_cases(recalled, cases))
    users = stats.clusters_of(case.user_id for case in cases)
    longest = max((len(case.candidates) for case in cases), default=0)
    points: list[DepthPoint] = []
    for n in (*(n for n in DEPTHS if n < longest), longest) if cases else ():
        fixed = _is_fixed(chosen, n, longest)
        values = base if fixed else _reranked(chosen, run, cases, recalled, n)
        point = DepthPoint.of(values, base, users, n=n)
        # No order of the first n changes the measure, so the difference is 0 for all users, and not only for these.
        points.append(replace(point, difference_ci95=(0.0, 0.0)) if fixed else point)
    return Depth(str(chosen), tuple(points))


def _is_fixed(measure: Measure, n: int, candidates: int) -> bool:
    """Return whether the measure is the same wherever among the first `n` a relevant item is, as HR@3 is for 3."""
    placed = (JudgedCase(1, candidates, True, ((place, 1, 1),), (1.0,), (1.0,)) for place in range(n))
    return bool(np.ptp(measure.per_case(Judgements.of(placed))) == 0)


def _reranked(measure: Measure, run: Run, cases: Sequence[Case], recalled: Sequence[Ranking], n: int) -> Values:
    """Return the measure of each Case with only its first `n` candidates reranked."""
    found = [
        (place, _first_reranked(case, run.records[case.case_id].ranking, order, first))
        for place, (case, order) in enumerate(zip(cases, recalled, strict=True))
        for first in _firsts(case, order, n)
    ]
    places = np.array([place for place, _ in found], dtype=np.intp)
    judged = Judgements.from_cases([ranking for _, ranking in found], [cases[place] for place, _ in found])
    return np.bincount(places, measure.per_case(judged)) / np.bincount(places)


def _firsts(case: Case, recalled: Ranking, n: int) -> Iterator[Collection[str]]:
    """Yield the first `n` candidates; if recall scores tie across the nth place, `DRAWS` seeded draws of them."""
    above, size = tie_group(recalled, min(n, len(recalled.order)) - 1)
    if above + size <= n:
        yield recalled.order[:n]
        return
    draw = Random(f"depth:{case.case_id}")
    for _ in range(DRAWS):
        yield *recalled.order[:above], *draw.sample(recalled.order[above : above + size], n - above)


def _first_reranked(case: Case, ranking: Ranking, recalled: Ranking, chosen: Collection[str]) -> Ranking:
    """Rank the `chosen` candidates in the method's order, with its ties, and the others below them in recall order.

    A Case without an answer counts as worst here too: its relevant items come last among the chosen.
    """
    first = set(chosen)
    below, above = scores_with_ties(recalled), scores_with_ties(ranking)
    if not ranking.answered:
        above = {item_id: -case.gain_of.get(item_id, 0.0) for item_id in ranking.order}
    top = max(below.values(), default=0.0) + 1 - min((above[item_id] for item_id in first), default=0.0)
    return rank_by_score({item_id: top + above[item_id] if item_id in first else below[item_id] for item_id in below})
