"""Beyond accuracy: how popular, novel, diverse and evenly spread the items in a method's top k are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from llmrank import stats
from llmrank.data.tables import MANY_VALUED
from llmrank.errors import InputError, count_of, expect
from llmrank.measures.judgements import tie_spans
from llmrank.measures.measure import ROUNDING
from llmrank.run.metrics import USUAL_CUTOFF, WHOLE_CATALOGUE, in_recall_order
from llmrank.run.tables import Shown, TextTable, estimate, number
from llmrank.stats import Values
from llmrank.types import Item, Ranking

if TYPE_CHECKING:
    from llmrank.run.run import Run

HEAD = 0.8
"""Share of the training events that belongs to the short head, the most popular items; the rest is the long tail."""
DRAWS = 20
"""Seeded random tie-breakings over which the Gini index is averaged."""


@dataclass(frozen=True, slots=True)
class BeyondRow:
    """One quantity; None means undefined or unknown. Intervals are 95%, over users; totals over users have none."""

    name: str
    value: float | None
    ci95: tuple[float, float] | None
    recall_order: float | None
    recall_order_ci95: tuple[float, float] | None
    random: float | None
    """The exact expectation for random order; for the Gini index, the mean of seeded draws."""
    difference: float | None
    """The method minus recall order."""
    difference_ci95: tuple[float, float] | None


@dataclass(frozen=True, repr=False)
class BeyondAccuracy(Shown):
    """The result of `beyond_accuracy`. It prints as a table."""

    key, dropped = "beyond_accuracy", ("recall CI", "method CI")
    k: int
    cases: int
    users: int
    offered: int
    """Distinct items among the candidates."""
    rows: tuple[BeyondRow, ...]
    remarks: tuple[str, ...]
    """Sentences on omitted rows and on Cases that are counted differently."""

    def __getitem__(self, name: str) -> BeyondRow:
        """Return a row by name; raises KeyError if it is left out."""
        return {row.name: row for row in self.rows}[name]

    def table(self) -> TextTable:
        """Return a row per quantity."""
        head = (f"top {self.k}", "method", "method CI", "recall order", "recall CI", "random", "difference", "95% CI")
        rows = [
            (
                row.name,
                *estimate(row.value, row.ci95),
                *estimate(row.recall_order, row.recall_order_ci95),
                number(row.random),
                *estimate(row.difference, row.difference_ci95, sign=True),
            )
            for row in self.rows
        ]
        return TextTable(head, tuple(rows))

    def notes(self) -> tuple[str, ...]:
        """Return sentences on what the quantities mean and what is left out."""
        return (
            f"{count_of(self.cases, 'Case')} of {count_of(self.users, 'user')}; all rows are over the items they offer "
            f"({self.offered:,}).",
            "difference: the method minus recall order, paired on users; ties: their expected value",
            *(text for name, text in MEANINGS.items() if name in {row.name for row in self.rows}),
            *self.remarks,
        )


LIFT, TAIL, NOVELTY = "popularity lift", "long-tail share", "novelty"
DIVERSITY, COVERAGE, GINI = "diversity", "coverage", "Gini of exposure"
MEANINGS: Mapping[str, str] = {
    LIFT: "popularity lift: percentile of training events, mean of the top minus mean of the candidates",
    TAIL: f"long-tail share: items outside the most popular ones that hold {HEAD:.0%} of the training events",
    NOVELTY: "novelty: −log2 of an item's share of the training events (each item counted once more), in bits",
    DIVERSITY: "diversity: Jaccard distance between the categories of two items of the top",
    COVERAGE: "coverage: share of the items that are in the top of at least one Case",
    GINI: "Gini of exposure: 0 if every item is in equally many tops, 1 if one item is in all",
}


@dataclass(frozen=True, slots=True, eq=False)
class Tops:
    """The chance of each candidate to be in the top k of its Case: an entry per candidate, Case after Case."""

    case: NDArray[np.intp]
    item: NDArray[np.intp]
    share: Values
    """The chance over random tie-breaking."""
    size: NDArray[np.intp]
    """Per Case, the size of its top: k, or the number of candidates if smaller."""

    @classmethod
    def of(cls, rankings: Sequence[Ranking], index: Mapping[str, int], k: int) -> Self:
        """Build from Rankings; `index` numbers the items. A Case without an answer has all candidates tied."""
        lengths = [len(ranking.order) for ranking in rankings]
        return cls(
            np.repeat(np.arange(len(rankings)), lengths),
            np.array([index[item_id] for ranking in rankings for item_id in ranking.order], dtype=np.intp),
            np.concatenate([_shares(ranking, k) for ranking in rankings]),
            np.minimum(lengths, k),
        )

    def random(self) -> Tops:
        """Return the tops with all candidates of a Case tied."""
        share = self.size / np.bincount(self.case)
        return Tops(self.case, self.item, share[self.case], self.size)

    def mean(self, values: Values) -> Values:
        """Return, per Case, the expected mean of the items' values over its top."""
        return np.bincount(self.case, self.share * values[self.item]) / self.size

    def coverage(self, items: int) -> float:
        """Return the expected share of items in at least one top; ties break independently in each Case."""
        with np.errstate(divide="ignore"):
            absent = np.bincount(self.item, np.log1p(-self.share), minlength=items)
        return float(1 - np.exp(absent).mean())

    def gini(self, items: int) -> float:
        """Return the Gini index of how many tops each item is in, averaged over `DRAWS` random tie-breakings."""
        generator, torn = np.random.default_rng(0), (self.share > 0) & (self.share < 1)
        case = self.case[torn]
        places = np.rint(np.bincount(case, self.share[torn], minlength=len(self.size)))[case]
        starts = np.searchsorted(case, case)
        taken, found = np.floor(self.share), list[float]()
        for _ in range(DRAWS if len(case) else 1):
            drawn = np.empty(len(case))
            drawn[np.lexsort((generator.random(len(case)), case))] = np.arange(len(case)) - starts < places
            taken[torn] = drawn
            found.append(gini(np.bincount(self.item, taken, minlength=items)))
        return float(np.mean(found))

    def diversity(self, categories: Values) -> Values:
        """Return, per Case, the expected mean Jaccard distance of two items of its top; NaN if it has fewer than two.

        `categories[item, category]` is 1 if the item has the category. An item without categories shares none.
        """
        bounds = np.concatenate([[0], np.cumsum(np.bincount(self.case))])
        found = np.full(len(self.size), np.nan)
        for case in np.flatnonzero(self.size > 1):
            within = slice(bounds[case], bounds[case + 1])
            share, has = self.share[within], categories[self.item[within]]
            share, has = share[share > 0], has[share > 0]
            both, torn = np.outer(share, share), np.flatnonzero(share < 1)
            if len(torn):  # r of s tied items are in the top: two of them with probability r (r - 1) / s (s - 1)
                both[np.ix_(torn, torn)] = share[torn[0]] * (share[torn].sum() - 1) / (len(torn) - 1)
            np.fill_diagonal(both, 0)
            common, count = has @ has.T, has.sum(axis=1)
            distance = 1 - common / np.maximum(count[:, None] + count - common, 1)
            found[case] = (both * distance).sum() / (self.size[case] * (self.size[case] - 1))
        return found


def beyond_accuracy(run: Run, k: int = USUAL_CUTOFF) -> BeyondAccuracy:
    """Compare the top k of a Run's method with those of recall order and random order, whatever is relevant.

    All quantities are over the items offered: the distinct candidates of the finished Cases. Ties count by their
    expected value over random tie-breaking; a Case without a readable answer has all its candidates tied.

    `MEANINGS` defines each quantity. In addition:

    - Popularity lift, in [-1, 1]: items with equal counts share the middle percentile. Abdollahpouri et al. (RecSys
      2019 and 2020) compare raw counts with the user's history; here the reference is the candidates, since only they
      could be chosen.
    - Long-tail share, in [0, 1]: Abdollahpouri, Burke & Mobasher (FLAIRS 2019, "Managing popularity bias in recommender
      systems with personalized re-ranking"). Items as popular as the last one of the short head belong to it.
    - Novelty: one is added to each item's count (Vargas & Castells, RecSys 2011, "Rank and relevance in novelty and
      diversity metrics").
    - Diversity, in [0, 1]: the intra-list distance of Vargas & Castells, after Ziegler et al. (WWW 2005, "Improving
      recommendation lists through topic diversification").
    - Coverage (Ge et al., RecSys 2010, "Beyond accuracy") and Gini index (Castells, Hurley & Vargas 2015, Recommender
      Systems Handbook), in [0, 1], depend on the number of Cases: compare them only on the same Cases.

    Raises InputError for a rating Run, a Run without candidates, or a `k` below 1.
    """
    run.require_rankings()
    expect(k, Integral, "an integer", "k")
    if k < 1:
        raise InputError("k must be at least 1", path=run.path, field="k", hint="raise it")
    if not (cases := [case for case in run.done if case.candidates]):
        raise InputError("no Case is done", path=run.path, hint="continue the Run")
    items = {item.item_id: item for case in cases for item in case.candidates}
    index = {item_id: place for place, item_id in enumerate(items)}
    rankings = [run.records[case.case_id].ranking for case in cases]
    cut = min(k, len(items))
    method, recalled = (Tops.of(found, index, cut) for found in (rankings, in_recall_order(cases)))
    users = stats.clusters_of(case.user_id for case in cases)
    # Random from recall order: the same draws for all Runs.
    compared = _Compared(method, recalled, recalled.random(), users, len(items))
    rows, remarks = list[BeyondRow](), list[str]()
    if popularity := run.metric_settings.popularity:
        counts = np.array([popularity.get(item_id, 0) for item_id in items], dtype=np.float64)
        rows += _of_popularity(compared, counts)
    else:
        remarks.append(f"Left out, because no training events are known: {LIFT}, {TAIL}, {NOVELTY}.")
    if (categories := category_table(items.values())) is not None:
        rows.append(compared.over_users(DIVERSITY, lambda tops: tops.diversity(categories), (0.0, 1.0)))
    else:
        remarks.append(f"Left out, because the items have no {', '.join(sorted(MANY_VALUED))}: {DIVERSITY}.")
    rows += [compared.over_items(COVERAGE, Tops.coverage), compared.over_items(GINI, Tops.gini)]
    if run.metric_settings.evaluation == WHOLE_CATALOGUE:
        remarks.insert(0, "The candidates are the whole catalogue: there is no recall order.")
        rows = [
            replace(row, recall_order=None, recall_order_ci95=None, difference=None, difference_ci95=None)
            for row in rows
        ]
    if unanswered := sum(not ranking.answered for ranking in rankings):
        remarks.append(f"{count_of(unanswered, 'Case has', 'Cases have')} no readable answer: counted as random order.")
    if short := int((np.bincount(method.case) <= k).sum()):
        offer = count_of(short, "Case offers", "Cases offer")
        remarks.append(f"{offer} at most {count_of(k, 'item')}: all are in the top.")
    return BeyondAccuracy(k, len(cases), len(set(users.tolist())), len(items), tuple(rows), tuple(remarks))


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    """The tops of the method, of recall order and of random order, on the same Cases."""

    method: Tops
    recalled: Tops
    random: Tops
    users: NDArray[np.intp]
    """The user of each Case."""
    items: int
    """The number of items offered."""

    def over_users(
        self, name: str, per_case: Callable[[Tops], Values], bounds: tuple[float, float] | None = None
    ) -> BeyondRow:
        """Return a quantity that each Case has (NaN: undefined); `bounds` are its lowest and highest possible value."""
        values = [per_case(tops) for tops in (self.method, self.recalled, self.random)]
        known = ~np.isnan(values[0])
        mine, theirs, chance = (stats.mean_interval(one[known], self.users[known], bounds=bounds) for one in values)
        more = stats.mean_interval((values[0] - values[1])[known], self.users[known])
        return BeyondRow(
            name,
            stats.finite(mine.value),
            mine.ci95,
            recall_order=stats.finite(theirs.value),
            recall_order_ci95=theirs.ci95,
            random=stats.finite(chance.value),
            difference=stats.finite(more.value),
            difference_ci95=more.ci95,
        )

    def over_items(self, name: str, total: Callable[[Tops, int], float]) -> BeyondRow:
        """Return a quantity that only all Cases together have."""
        mine, theirs, chance = (total(tops, self.items) for tops in (self.method, self.recalled, self.random))
        return BeyondRow(name, mine, None, theirs, None, chance, mine - theirs, None)


def _of_popularity(compared: _Compared, counts: Values) -> list[BeyondRow]:
    """Return the quantities that follow from the training events of each item."""
    percentile, method = percentiles(counts), compared.method
    offered = np.bincount(method.case, percentile[method.item]) / np.bincount(method.case)
    tail = (~short_head(counts)).astype(np.float64)
    bits = np.asarray(-np.log2((counts + 1) / (counts + 1).sum()), dtype=np.float64)
    return [
        compared.over_users(LIFT, lambda tops: tops.mean(percentile) - offered),
        # Often zero for most users, so the interval needs the bounds.
        compared.over_users(TAIL, lambda tops: tops.mean(tail), (0.0, 1.0)),
        compared.over_users(NOVELTY, lambda tops: tops.mean(bits)),
    ]


def _shares(ranking: Ranking, k: int) -> Values:
    """Return the chance of each item, in ranking order, to be among the first `k`."""
    n = len(ranking.order)
    shares = np.empty(n)
    for above, size in tie_spans(ranking) if ranking.answered else [(0, n)]:
        shares[above : above + size] = min(max(k - above, 0), size) / size
    return shares


def percentiles(counts: Values) -> Values:
    """Return each item's percentile, in (0, 1): the share with a lower count plus half of those with an equal one."""
    ordered = np.sort(counts)
    below, upto = (np.searchsorted(ordered, counts, side) for side in ("left", "right"))
    return np.asarray(below + upto, dtype=np.float64) / (2 * len(counts))


def short_head(counts: Values) -> NDArray[np.bool_]:
    """Return a mask of the most popular items that together hold `HEAD` of all events; equal counts stay together."""
    ordered = np.sort(counts)[::-1]
    last = int(np.searchsorted(np.cumsum(ordered), HEAD * counts.sum() - ROUNDING))
    return counts >= max(ordered[min(last, len(counts) - 1)], 1)


def gini(exposure: NDArray[Any]) -> float:
    """Return the Gini index of non-negative amounts, not all of them 0."""
    n = len(exposure)
    return float(((2 * np.arange(1, n + 1) - n - 1) * np.sort(exposure)).sum() / (n * exposure.sum()))


_SEVERAL = re.compile("[,|]")
"""What separates the categories of an item: `Action, Crime`, or `Action|Crime` as MovieLens has it."""


def category_table(items: Iterable[Item]) -> Values | None:
    """Return a 0/1 matrix of items by categories; None if no item has categories."""
    lists = [
        {part.strip() for name in MANY_VALUED for part in _SEVERAL.split(item.attributes.get(name, "")) if part.strip()}
        for item in items
    ]
    names = sorted(set[str]().union(*lists))
    return np.array([[float(name in has) for name in names] for has in lists]) if names else None
