"""Rankings, judged: where the relevant items of many Cases stand, and with what they are tied.

Every measure here depends on the relevant items alone, so nothing else is kept: one entry for each tie group that
holds a relevant item. An untied relevant item is a group of one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from llmrank.errors import InputError
from llmrank.types import Outcome, Ranking

COMPARED_AT_A_TIME = 1 << 20
"""Scores compared in one step, so that memory does not grow with the number of Cases."""


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

    @classmethod
    def from_rankings(cls, rankings: Iterable[Ranking], relevant: Iterable[Collection[str]]) -> Self:
        """Judge each Ranking by its Case's relevant ids (which need not be among the candidates).

        Raises InputError for a Ranking that names an item twice or whose scores are not aligned, not numbers, or rise.
        """
        known: list[int] = []
        candidates: list[int] = []
        answered: list[bool] = []
        groups: list[tuple[int, int, int, int]] = []
        for case, (ranking, ids) in enumerate(zip(rankings, relevant, strict=True)):
            wanted = set(ids)
            check_ranking(ranking, case)
            n = len(ranking.order)
            is_answered = ranking.outcome in (Outcome.OK, Outcome.REPAIRED)
            places = [place for place, item_id in enumerate(ranking.order) if item_id in wanted]
            if is_answered:
                tied: dict[tuple[int, int], int] = {}
                for place in places:
                    group = tie_group(ranking, place)
                    tied[group] = tied.get(group, 0) + 1
                groups += [(case, above, size, hits) for (above, size), hits in tied.items()]
            elif places:
                groups.append((case, n - len(places), len(places), len(places)))
            known.append(len(wanted))
            candidates.append(n)
            answered.append(is_answered)
        columns = np.array(groups, dtype=np.int64).reshape(-1, 4).T
        return cls(
            np.array(known, dtype=np.int64), np.array(candidates, dtype=np.int64), np.array(answered, bool), *columns
        )

    @classmethod
    def from_arrays(
        cls,
        relevance: NDArray[np.bool_],
        scores: NDArray[np.floating] | None = None,
        relevant: NDArray[np.integer] | None = None,
    ) -> Self:
        """Judge a whole matrix at once; no sorting, and no more memory than the relevant items need.

        `relevance[case, column]` says whether that candidate is relevant. Without `scores` the columns are the ranks,
        best first, and there are no ties. With `scores[case, column]` the columns may stand in any order, higher is
        better, equal is tied, and NaN fills up rows that have fewer candidates. `relevant[case]` counts all relevant
        ids where some are not among the candidates.
        """
        cases, columns = relevance.shape
        case, column = np.nonzero(relevance)
        known = relevance.sum(axis=1, dtype=np.int64)
        if relevant is not None:
            if (relevant < known).any():
                raise InputError(
                    "fewer relevant ids than relevant candidates",
                    field="relevant",
                    hint="count all relevant ids of a Case, among its candidates or not",
                )
            known = relevant.astype(np.int64)
        everyone = np.ones(cases, dtype=bool)
        if scores is None:
            alone = np.ones_like(case)
            return cls(known, np.full(cases, columns), everyone, case, column, alone, alone)
        own = scores[case, column]
        if np.isnan(own).any():
            raise InputError(
                "a relevant candidate has no score", field="scores", hint="give it one, or clear its relevance"
            )
        above, size = np.empty_like(case), np.empty_like(case)
        step = max(1, COMPARED_AT_A_TIME // max(columns, 1))
        for first in range(0, len(case), step):
            part = slice(first, first + step)
            rows, score = scores[case[part]], own[part, None]
            above[part] = np.count_nonzero(rows > score, axis=1)
            size[part] = np.count_nonzero(rows == score, axis=1)
        order = np.lexsort((above, case))
        case, above, size = case[order], above[order], size[order]
        head = np.flatnonzero(np.diff(case, prepend=-1) | np.diff(above, prepend=-1))
        hits = np.diff(head, append=len(case))
        return cls(
            known, np.count_nonzero(~np.isnan(scores), axis=1), everyone, case[head], above[head], size[head], hits
        )

    def __len__(self) -> int:
        return len(self.relevant)

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Per Case: whether any relevant id is known. The others have no value; report how many they are."""
        return self.relevant > 0

    def worst(self) -> Self:
        """Return the Judgements with every tie broken against the relevant items."""
        return replace(self, above=self.above + self.size - self.hits, size=self.hits)

    def best(self) -> Self:
        """Return the Judgements with every tie broken for the relevant items, and unanswered Cases at their best."""
        return replace(self, above=np.where(self.answered[self.case], self.above, 0), size=self.hits)

    def random(self) -> Self:
        """Return the Judgements with all candidates of a Case tied: any measure of it is the exact value of chance."""
        return self._in_one_group(self.candidates)

    def oracle(self) -> Self:
        """Return the Judgements with all relevant candidates on top: the most that any reranking can reach."""
        return self._in_one_group(self.sum(self.hits).astype(np.int64))

    def _in_one_group(self, size: NDArray[np.int64]) -> Self:
        """Return the Judgements with the relevant candidates of each Case in one group, on top, of `size[case]`."""
        hits = self.sum(self.hits).astype(np.int64)
        case = np.flatnonzero(hits)
        everyone = np.ones(len(self), dtype=bool)
        return replace(self, answered=everyone, case=case, above=np.zeros_like(case), size=size[case], hits=hits[case])

    def recalled(self) -> NDArray[np.float64]:
        """Return, per Case, the share of its relevant ids that are candidates: the recall of the list; NaN: unknown."""
        return per_case(self, self.sum(self.hits) / np.maximum(self.relevant, 1))

    # --- what the measures are computed with ------------------------------------------------------------------------

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


def per_case(judgements: Judgements, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `values` with NaN for the Cases of which no relevant id is known."""
    return np.where(judgements.judged, values, np.nan)


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


def check_ranking(ranking: Ranking, case: int) -> None:
    """Raise InputError where a Ranking cannot be judged: the mistake is in the method, and must not become a number."""
    order, scores = ranking.order, ranking.scores
    if len(set(order)) != len(order):
        raise InputError(f"ranking {case} names an item twice", field="order", hint="name every candidate once")
    if scores is not None and (len(scores) != len(order) or not all(left >= right for left, right in pairwise(scores))):
        raise InputError(
            f"the scores of ranking {case} do not fall along its order",
            field="scores",
            hint="give one number per item, in the order of the items, best first",
        )
