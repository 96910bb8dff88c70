"""Rankings, judged: where the relevant items of many Cases stand, and with what they are tied.

Every measure here depends on the relevant items alone, so nothing else is kept: one entry for each tie group that
holds a relevant item. An untied relevant item is a group of one. Where relevance is graded, the gain of each relevant
item is kept beside.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from operator import ge, le
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from llmrank.errors import InputError
from llmrank.types import Case, Ranking

DRAWN_ORDERS = 4_000
"""Random orders drawn in all, to learn how far chance strays."""


class JudgedCase(NamedTuple):
    """All of one Case that a measure depends on; Cases of which it is the same have the same values."""

    relevant: int
    candidates: int
    answered: bool
    groups: tuple[tuple[int, int, int], ...]
    """`above`, `size` and `hits` of each group."""
    gain: tuple[float, ...]
    ideal: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Judgements:
    """Two tables of columns: one row per Case, and one row per tie group that holds relevant items.

    What the method tied is tied here, and a measure is its expected value over random tie-breaking. A Case without an
    answer (`unparsed`, `error`) stands at its worst: its relevant items are the last of its candidates.
    """

    relevant: NDArray[np.int64]
    """Per Case: how many ids are relevant in all, those that the recall stage missed included; 0: unknown."""
    candidates: NDArray[np.int64]
    """Per Case: how many items were ranked."""
    answered: NDArray[np.bool_]
    """Per Case: whether its Outcome is `ok` or `repaired`."""
    case: NDArray[np.int64]
    """Per group: index of its Case; ascending, and the groups of a Case from the top down."""
    above: NDArray[np.int64]
    """Per group: how many items are ranked above it."""
    size: NDArray[np.int64]
    """Per group: how many items are tied in it."""
    hits: NDArray[np.int64]
    """Per group: how many of them are relevant, at least 1."""
    gain: NDArray[np.float64] | None = None
    """Per relevant candidate, in the order of the groups, and within a group from the highest gain down: its gain.
    None: relevance is binary, and every gain is 1."""
    ideal: NDArray[np.float64] | None = None
    """Per relevant id, Case after Case, and within a Case from the highest down: its gain. None: as for `gain`."""

    @classmethod
    def from_cases(cls, rankings: Iterable[Ranking], cases: Iterable[Case]) -> Self:
        """Judge each Ranking by the relevant ids of its Case, and their gains where it has them."""
        return cls.from_rankings(rankings, (case.gain_of for case in cases))

    @classmethod
    def from_rankings(
        cls, rankings: Iterable[Ranking], relevant: Iterable[Collection[str] | Mapping[str, float]]
    ) -> Self:
        """Judge each Ranking by the relevant ids of its Case, candidates or not, or by a map from id to gain (above 0).

        Raises InputError: a Ranking names an item twice, or its scores are not aligned, not numbers, or rise.
        """
        judged = zip(rankings, relevant, strict=True)
        return cls.of(judge_case(ranking, ids, case) for case, (ranking, ids) in enumerate(judged))

    @classmethod
    def from_scores(cls, scores: Iterable[Sequence[float]], cases: Iterable[Case]) -> Self:
        """Judge the candidates of each Case by their scores, in the order of the candidates: the highest is first, and
        equal ones are tied. Raises InputError for a score that is not a number."""
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
        """Per Case: whether any relevant id is known. The others have no value; report how many they are."""
        return self.relevant > 0

    def worst(self) -> Self:
        """Return the Judgements with every tie broken against the relevant items."""
        return replace(self, above=self.above + self.size - self.hits, size=self.hits)._by_gain(rising=True)

    def best(self) -> Self:
        """Return the Judgements with every tie broken for the relevant items, and unanswered Cases at their best."""
        best = self._on_top(~self.answered)
        return replace(best, size=best.hits)._by_gain()

    def random(self) -> Self:
        """Return the Judgements with all candidates of a Case tied: any measure of it is the exact value of chance."""
        return self._on_top(np.ones(len(self), dtype=bool))

    @property
    def of_chance(self) -> bool:
        """Whether all candidates of every Case are tied, as `random` ties them."""
        return bool((self.size == self.candidates[self.case]).all())

    def oracle(self) -> Self:
        """Return the Judgements with all relevant candidates on top: the most that any reranking can reach."""
        top = self.random()
        return replace(top, size=top.hits)._by_gain()

    def orders(self, seed: int = 0) -> tuple[Self, NDArray[np.int64], NDArray[np.int64]]:
        """Return what a random order can do: a Case for each order, its kind, and how many Cases are of each kind.

        Cases with as many candidates and relevant items are of one kind, unless relevance is graded. One relevant
        candidate can stand at each place; where there are several, some orders are drawn.
        """
        tied, generator = self.random(), np.random.default_rng(seed)
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
        return self.of(orders), np.array(kinds, dtype=np.int64), counts

    def _on_top(self, which: NDArray[np.bool_]) -> Self:
        """Return the Judgements with all candidates of some Cases tied."""
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
        """Return graded Judgements whose groups hold relevant items alone, with these in the order of their gains."""
        if self.gain is None:
            return self
        start = np.repeat(np.cumsum(self.hits) - self.hits, self.hits)
        above = np.repeat(self.above, self.hits) + np.arange(len(self.gain)) - start
        group = np.repeat(np.arange(len(self.hits)), self.hits)
        gain = self.gain[np.lexsort((self.gain, group))] if rising else self.gain
        one = np.ones(len(gain), dtype=np.int64)
        return replace(self, case=self.case[group], above=above, size=one, hits=one, gain=gain)

    def recalled(self) -> NDArray[np.float64]:
        """Return, per Case, the share of its relevant ids that are candidates: the recall of the list; NaN: unknown."""
        return self.where_judged(self.sum(self.hits) / np.maximum(self.relevant, 1))

    # --- what the measures are computed with ------------------------------------------------------------------------

    def gains(self) -> NDArray[np.float64]:
        """Return, per group, the sum of the gains of its relevant items."""
        if self.gain is None:
            return self.hits.astype(np.float64)
        return np.add.reduceat(self.gain, np.cumsum(self.hits) - self.hits) if len(self.hits) else np.zeros(0)

    def within(self, k: int | None) -> NDArray[np.int64]:
        """Return, per group, how many of its places lie within the first `k`."""
        return self.size if k is None else np.clip(k - self.above, 0, self.size)

    def hits_above(self) -> NDArray[np.int64]:
        """Return, per group, how many relevant items of its Case stand above it."""
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
        """Return `values` with NaN for the Cases of which no relevant id is known."""
        return np.where(self.judged, values, np.nan)


def judge_case(ranking: Ranking, relevant: Collection[str] | Mapping[str, float], case: int = 0) -> JudgedCase:
    """Judge one Ranking; see `Judgements.from_rankings`. `case` is its number in an error."""
    wanted: Mapping[str, float] = relevant if isinstance(relevant, Mapping) else dict.fromkeys(relevant, 1.0)
    offered = check_ranking(ranking, case)
    tied: dict[tuple[int, int], list[float]] = {}
    for place in sorted(map(ranking.order.index, offered.intersection(wanted))):
        tied.setdefault(tie_group(ranking, place), []).append(wanted[ranking.order[place]])
    if not ranking.answered:  # at its worst: the relevant items last, the highest gain at the very end
        tied = _last(sorted(chain(*tied.values())), len(ranking.order))
    return _judged(wanted, len(ranking.order), ranking.answered, tied)


def _judge_scores(scores: Sequence[float], case: Case, number: int) -> JudgedCase:
    """Judge the Ranking that the scores of a Case's candidates make, without making it."""
    wanted, rising = case.gain_of, sorted(scores)
    if len(scores) != len(case.candidates) or not all(map(le, rising, islice(rising, 1, None))):
        hint = "give one number per candidate, in their order"
        raise InputError(f"the scores of Case {number} are no numbers to rank by", field="scores", hint=hint)
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
    """Return what a measure depends on; `tied` has the gains of each tie group of relevant items, from the top down."""
    return JudgedCase(
        len(wanted),
        candidates,
        answered,
        tuple((above, size, len(found)) for (above, size), found in tied.items()),
        tuple(gain for found in tied.values() for gain in sorted(found, reverse=True)),
        tuple(sorted(wanted.values(), reverse=True)),
    )


def _last(gains: list[float], n: int) -> dict[tuple[int, int], list[float]]:
    """Return the tie groups of relevant items at the end of `n`, the lowest gain first; one group of equal gains."""
    if len(set(gains)) == 1:
        return {(n - len(gains), len(gains)): gains}
    return {(n - len(gains) + place, 1): [gain] for place, gain in enumerate(gains)}


def tie_group(ranking: Ranking, place: int) -> tuple[int, int]:
    """Return the tie group that holds a place, counted from 0: how many items stand above it, and its size."""
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


def places_of(ranking: Ranking, place: int) -> str:
    """Return the rank of a place, counted from 0, as it is shown: `3`; or, where it is tied, `3–7`."""
    above, size = tie_group(ranking, place)
    return f"{above + 1}" if size == 1 else f"{above + 1}–{above + size}"


def scores_with_ties(ranking: Ranking) -> dict[str, float]:
    """Return, for each item, how many are not ranked above it: n for the first of n, and the same for tied items."""
    n = len(ranking.order)
    return {item_id: float(n - tie_group(ranking, place)[0]) for place, item_id in enumerate(ranking.order)}


def check_ranking(ranking: Ranking, case: int) -> set[str]:
    """Return the items of a Ranking. Raises InputError where it cannot be judged: the mistake is in the method, and
    must not become a number."""
    order, scores = ranking.order, ranking.scores
    if len(items := set(order)) != len(order):
        raise InputError(f"ranking {case} names an item twice", field="order", hint="name every candidate once")
    if scores is not None and (len(scores) != len(order) or not all(map(ge, scores, islice(scores, 1, None)))):
        hint = "give one number per item, in the order of the items, best first"
        raise InputError(f"the scores of ranking {case} do not fall along its order", field="scores", hint=hint)
    return items
