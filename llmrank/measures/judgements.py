"""Judged rankings: the ranks and ties of the relevant items of many Cases.

Every measure depends only on the relevant items, so only these are stored: one entry for each tie group with a relevant
item. An untied relevant item is a group of one. If relevance is graded, the gain of each relevant item is stored too.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from operator import ge, le
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from llmrank.errors import InputError
from llmrank.types import Case, Ranking

DRAWN_ORDERS = 4_000
"""Total number of random orders drawn to estimate the spread of chance."""


class JudgedCase(NamedTuple):
    """Everything in one Case that a measure depends on. Equal JudgedCases have equal values."""

    relevant: int
    candidates: int
    answered: bool
    groups: tuple[tuple[int, int, int], ...]
    """`above`, `size` and `hits` of each group."""
    gain: tuple[float, ...]
    ideal: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Judgements:
    """Two column-oriented tables: one with a row per Case, one with a row per tie group that has relevant items.

    Items tied by the method stay tied, and measures are expected values over random tie-breaking. A Case without an
    answer (`unparsed`, `error`) gets its worst value: its relevant items are ranked last.
    """

    relevant: NDArray[np.int64]
    """Per Case: number of relevant ids, including those missed by recall; 0: unknown."""
    candidates: NDArray[np.int64]
    """Per Case: number of ranked items."""
    answered: NDArray[np.bool_]
    """Per Case: whether its Outcome is `ok` or `repaired`."""
    case: NDArray[np.int64]
    """Per group: index of its Case. Ascending; the groups of a Case are in ranking order."""
    above: NDArray[np.int64]
    """Per group: number of items ranked above it."""
    size: NDArray[np.int64]
    """Per group: number of tied items."""
    hits: NDArray[np.int64]
    """Per group: number of relevant items, at least 1."""
    gain: NDArray[np.float64] | None = None
    """Per relevant candidate: its gain, in the order of the groups, and descending within a group. None: relevance is
    binary, and every gain is 1."""
    ideal: NDArray[np.float64] | None = None
    """Per relevant id: its gain, Case by Case, and descending within a Case. None: as for `gain`."""
    _orders: list[tuple[Self, NDArray[np.int64], NDArray[np.int64]]] = field(
        default_factory=list, init=False, repr=False
    )
    """The result of `orders`, which is the same for all measures."""

    @classmethod
    def from_cases(cls, rankings: Iterable[Ranking], cases: Iterable[Case]) -> Self:
        """Judge each Ranking by the relevant ids of its Case, with their gains if given."""
        return cls.from_rankings(rankings, (case.gain_of for case in cases))

    @classmethod
    def from_rankings(
        cls, rankings: Iterable[Ranking], relevant: Iterable[Collection[str] | Mapping[str, float]]
    ) -> Self:
        """Judge each Ranking by the relevant ids of its Case, or by a map from id to gain (above 0).

        Relevant ids need not be candidates. Raises InputError if a Ranking has duplicate items, or scores that are
        misaligned, not numbers, or increasing.
        """
        judged = zip(rankings, relevant, strict=True)
        return cls.of(judge_case(ranking, ids, case) for case, (ranking, ids) in enumerate(judged))

    @classmethod
    def from_scores(cls, scores: Iterable[Sequence[float]], cases: Iterable[Case]) -> Self:
        """Judge the candidates of each Case by aligned scores: the highest is first, and equal scores are tied.

        Raises InputError for a score that is not a number.
        """
        judged = zip(scores, cases, strict=True)
        return cls.of(_judge_scores(found, case, number) for number, (found, case) in enumerate(judged))

    @classmethod
    def of(cls, judged: Iterable[JudgedCase]) -> Self:
        """Return the tables of these Cases."""
        cases = list(judged)
        groups = [(case, *group) for case, one in enumerate(cases) for group in one.groups]
        known, candidates, answered = np.array([one[:3] for one in cases], dtype=np.int64).reshape(-1, 3).T
        ideal = [gain for one in cases for gain in one.ideal]
        graded = any(gain != 1 for gain in ideal)
        return cls(
            known,
            candidates,
            answered.astype(bool),
            *np.array(groups, dtype=np.int64).reshape(-1, 4).T,
            gain=np.array([gain for one in cases for gain in one.gain]) if graded else None,
            ideal=np.array(ideal) if graded else None,
        )

    def __len__(self) -> int:
        return len(self.relevant)

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Per Case: whether any relevant id is known. The others have no value; report their number."""
        return self.relevant > 0

    def worst(self) -> Self:
        """Return the Judgements with every tie broken against the relevant items."""
        return replace(self, above=self.above + self.size - self.hits, size=self.hits)._by_gain(rising=True)

    def best(self) -> Self:
        """Return the Judgements with every tie broken in favour of the relevant items, and unanswered Cases at best."""
        best = self._on_top(~self.answered)
        return replace(best, size=best.hits)._by_gain()

    def random(self) -> Self:
        """Return the Judgements with all candidates tied, whose measures are the exact expected values of chance."""
        return self._on_top(np.ones(len(self), dtype=bool))

    @property
    def of_chance(self) -> bool:
        """Whether all candidates of every Case are tied, as `random` ties them."""
        return bool((self.size == self.candidates[self.case]).all())

    def oracle(self) -> Self:
        """Return the Judgements with all relevant candidates on top: the ceiling for any reranking."""
        top = self.random()
        return replace(top, size=top.hits)._by_gain()

    def orders(self) -> tuple[Self, NDArray[np.int64], NDArray[np.int64]]:
        """Return random orders (as Cases), the kind of each order, and the number of Cases of each kind.

        Cases with the same numbers of candidates and relevant items are of one kind, unless relevance is graded. For a
        single relevant candidate, all positions are enumerated; for several, orders are sampled.
        """
        if self._orders:
            return self._orders[0]
        tied, generator = self.random(), np.random.default_rng(0)
        alike = [tied.size, tied.hits, tied.relevant[tied.case], *([] if tied.gain is None else [tied.case])]
        _, first, counts = np.unique(np.stack(alike), axis=1, return_index=True, return_counts=True)
        gains = None if tied.gain is None else np.split(tied.gain, np.cumsum(tied.hits)[:-1])
        ideals = None if tied.ideal is None else np.split(tied.ideal, np.cumsum(tied.relevant)[:-1])
        draws = max(20, DRAWN_ORDERS // max(1, len(first)))
        orders, kinds = list[JudgedCase](), list[int]()
        for kind, group in enumerate(first):
            size, hits, case = int(tied.size[group]), int(tied.hits[group]), tied.case[group]
            gain = np.ones(hits) if gains is None else gains[group]
            ideal = np.ones(tied.relevant[case]) if ideals is None else ideals[case]
            for draw in range(size if hits == 1 else draws):
                places = [draw] if hits == 1 else sorted(generator.choice(size, hits, replace=False).tolist())
                groups = tuple((place, 1, 1) for place in places)
                drawn = tuple(generator.permutation(gain).tolist())
                orders.append(JudgedCase(len(ideal), size, True, groups, drawn, tuple(ideal.tolist())))
                kinds.append(kind)
        self._orders.append((self.of(orders), np.array(kinds, dtype=np.int64), counts))
        return self._orders[0]

    def _on_top(self, which: NDArray[np.bool_]) -> Self:
        """Return the Judgements with all candidates of these Cases tied."""
        starts = self.first() | ~which[self.case]
        group = np.cumsum(starts) - 1
        case = self.case[starts]
        gain = self.gain
        if gain is not None:
            gain = gain[np.lexsort((-gain, np.repeat(group, self.hits)))]
        return replace(
            self,
            answered=self.answered | which,
            case=case,
            above=np.where(which[case], 0, self.above[starts]),
            size=np.where(which[case], self.candidates[case], self.size[starts]),
            hits=np.bincount(group, self.hits, minlength=len(case)).astype(np.int64),
            gain=gain,
        )

    def _by_gain(self, *, rising: bool = False) -> Self:
        """Split groups that contain only relevant items into single items ordered by gain, if relevance is graded."""
        if self.gain is None:
            return self
        start = np.repeat(np.cumsum(self.hits) - self.hits, self.hits)
        above = np.repeat(self.above, self.hits) + np.arange(len(self.gain)) - start
        group = np.repeat(np.arange(len(self.hits)), self.hits)
        gain = self.gain[np.lexsort((self.gain, group))] if rising else self.gain
        one = np.ones(len(gain), dtype=np.int64)
        return replace(self, case=self.case[group], above=above, size=one, hits=one, gain=gain)

    def recalled(self) -> NDArray[np.float64]:
        """Return, per Case, the share of relevant ids among the candidates, the recall of the list; NaN: unknown."""
        return self.where_judged(self.sum(self.hits) / np.maximum(self.relevant, 1))

    def proposed(self) -> NDArray[np.bool_]:
        """Return, per Case, whether a relevant id is known and among the candidates."""
        return self.judged & (self.sum(self.hits) > 0)

    # --- what the measures are computed with ------------------------------------------------------------------------

    def gains(self) -> NDArray[np.float64]:
        """Return, per group, the sum of the gains of its relevant items."""
        if self.gain is None:
            return self.hits.astype(np.float64)
        return np.add.reduceat(self.gain, np.cumsum(self.hits) - self.hits) if len(self.hits) else np.zeros(0)

    def within(self, k: int | None) -> NDArray[np.int64]:
        """Return, per group, the number of its positions within the first `k`."""
        return self.size if k is None else np.clip(k - self.above, 0, self.size)

    def hits_above(self) -> NDArray[np.int64]:
        """Return, per group, the number of relevant items of its Case above it."""
        running = np.cumsum(self.hits) - self.hits
        first = self.first()
        return running - running[first][np.cumsum(first) - 1]

    def first(self) -> NDArray[np.bool_]:
        """Return, per group, whether it is the topmost of its Case."""
        return np.diff(self.case, prepend=-1) != 0

    def sum(self, values: NDArray[np.floating] | NDArray[np.integer]) -> NDArray[np.float64]:
        """Return, per Case, the sum of `values` over its groups."""
        return np.bincount(self.case, values, minlength=len(self)).astype(np.float64, copy=False)

    def where_judged(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return `values` with NaN for Cases without a known relevant id."""
        return np.where(self.judged, values, np.nan)


def judge_case(ranking: Ranking, relevant: Collection[str] | Mapping[str, float], case: int = 0) -> JudgedCase:
    """Judge one Ranking; see `Judgements.from_rankings`. `case` is its number for error messages."""
    wanted: Mapping[str, float] = relevant if isinstance(relevant, Mapping) else dict.fromkeys(relevant, 1.0)
    offered = check_ranking(ranking, case)
    tied: dict[tuple[int, int], list[float]] = {}
    for place in sorted(map(ranking.order.index, offered.intersection(wanted))):
        tied.setdefault(tie_group(ranking, place), []).append(wanted[ranking.order[place]])
    if not ranking.answered:  # the worst order: relevant items last, the highest gain at the very end
        tied = _last(sorted(chain(*tied.values())), len(ranking.order))
    return _judged(wanted, len(ranking.order), ranking.answered, tied)


def _judge_scores(scores: Sequence[float], case: Case, number: int) -> JudgedCase:
    """Judge the ranking by these scores, without building a Ranking."""
    wanted, rising = case.gain_of, sorted(scores)
    if len(scores) != len(case.candidates) or not all(map(le, rising, islice(rising, 1, None))):
        hint = "give one number per candidate, in the same order"
        raise InputError(f"invalid scores for Case {number}", field="scores", hint=hint)
    tied: dict[tuple[int, int], list[float]] = {}
    for item, score in zip(case.candidates, scores, strict=True):
        if item.item_id in wanted:
            end = bisect_right(rising, score)
            group = len(rising) - end, end - bisect_left(rising, score)
            tied.setdefault(group, []).append(wanted[item.item_id])
    return _judged(wanted, len(rising), True, dict(sorted(tied.items())))


def _judged(
    wanted: Mapping[str, float], candidates: int, answered: bool, tied: Mapping[tuple[int, int], list[float]]
) -> JudgedCase:
    """Return the JudgedCase; `tied` has the gains of each tie group of relevant items, in ranking order."""
    return JudgedCase(
        len(wanted),
        candidates,
        answered,
        tuple((above, size, len(found)) for (above, size), found in tied.items()),
        tuple(gain for found in tied.values() for gain in sorted(found, reverse=True)),
        tuple(sorted(wanted.values(), reverse=True)),
    )


def _last(gains: list[float], n: int) -> dict[tuple[int, int], list[float]]:
    """Return the tie groups with the relevant items last of `n`, lowest gain first; a single group for equal gains."""
    if len(set(gains)) == 1:
        return {(n - len(gains), len(gains)): gains}
    return {(n - len(gains) + place, 1): [gain] for place, gain in enumerate(gains)}


def tie_group(ranking: Ranking, place: int) -> tuple[int, int]:
    """Return the tie group at a position, from 0: the number of items above it, and its size."""
    n, scores = len(ranking.order), ranking.scores
    named = n if ranking.named is None else ranking.named
    if place >= named:
        return named, n - named
    if scores is None:
        return place, 1
    first, last = place, place + 1
    while first > 0 and scores[first - 1] == scores[place]:
        first -= 1
    while last < named and scores[last] == scores[place]:
        last += 1
    return first, last - first


def tie_spans(ranking: Ranking) -> Iterator[tuple[int, int]]:
    """Yield all tie groups, best first: the number of items above each, and its size."""
    above = 0
    while above < len(ranking.order):
        _, size = tie_group(ranking, above)
        yield above, size
        above += size


def places_of(ranking: Ranking, place: int) -> str:
    """Format the rank of a position, from 0, as `3`, or as `3–7` if it is tied."""
    above, size = tie_group(ranking, place)
    return f"{above + 1}" if size == 1 else f"{above + 1}–{above + size}"


def scores_with_ties(ranking: Ranking) -> dict[str, float]:
    """Return, for each item, the number of items not ranked above it: n for the first of n; equal for tied items."""
    n = len(ranking.order)
    spans = tie_spans(ranking)
    return {item_id: float(n - above) for above, size in spans for item_id in ranking.order[above : above + size]}


def check_ranking(ranking: Ranking, case: int) -> set[str]:
    """Return the items of a Ranking. Raises InputError if it is invalid, which is a bug in the method."""
    order, scores = ranking.order, ranking.scores
    if len(items := set(order)) != len(order):
        raise InputError(f"ranking {case} names an item twice", field="order", hint="name every candidate once")
    if scores is not None and (len(scores) != len(order) or not all(map(ge, scores, islice(scores, 1, None)))):
        hint = "give one number per item, in the order of the items, best first"
        raise InputError(f"the scores of ranking {case} do not fall along its order", field="scores", hint=hint)
    return items
