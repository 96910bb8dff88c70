"""Repeated: one method asked several times, each time in another order, and the rankings combined. Or asked again.

Bootstrapping (LLMRank, 2305.08845 §3.3) and permutation self-consistency (2310.07712 §2) against position bias.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import fsum
from operator import itemgetter
from random import Random
from typing import Literal, get_args

from llmrank.errors import InputError
from llmrank.rankers.calls import side_by_side, with_candidates
from llmrank.rankers.options import DEFAULTS, Combine, check_choice, check_least
from llmrank.rankers.ranking import has_no_result, merge_outcomes, rank_by_score, tie_groups
from llmrank.types import Case, Needs, Ranking, RankingSteps, Request, WrappedRanker

MOST_PAIRED = 2000
"""Candidates up to which `kemeny` combines: it compares every pair."""
DRAWS_APART = 1_000
"""By how much the repeats of two draws differ: more than a method has repeats of its own."""


@dataclass(frozen=True, slots=True)
class Repeated(WrappedRanker):
    """Ranks with `ranker` in `repeats` orders, side by side.

    Each order is a shuffle of its own, `Random(f"{seed}:{case_id}:{number}")` over the sorted ids, so the result does
    not depend on the order in which the candidates came. Rankings that say nothing are counted (`unread`, `failed`) and
    left out of the combination.
    """

    repeats: int = 3
    combine: Combine = DEFAULTS.combine
    seed: int = DEFAULTS.seed

    def __post_init__(self) -> None:
        check_least("--repeats", self.repeats, 1)
        check_choice("--combine", self.combine, get_args(Combine))

    @property
    def name(self) -> str:
        """The method's own name, and how often it is repeated."""
        return f"{self.ranker.name}-x{self.repeats}"

    def needs(self, n: int) -> Needs:
        """Return the needs of a list of `n`: those of the ranker, as many times.

        Raises InputError where `kemeny` has too many candidates to compare.
        """
        if self.combine == "kemeny" and n > MOST_PAIRED:
            problem = f"kemeny combines at most {MOST_PAIRED:,} candidates, and the list has {n:,}"
            raise InputError(problem, field="--combine", hint="use --combine borda")
        return self.ranker.needs(n) * self.repeats

    def rank(self, case: Case) -> RankingSteps:
        """Rank the shuffled Cases and combine what was returned. A rating Case has no order, and is asked once."""
        if case.target is not None:
            return (yield from self.ranker.rank(case))
        shuffled: list[Case] = []
        for number in range(self.repeats):
            items = sorted(case.candidates, key=lambda item: item.item_id)
            Random(f"{self.seed}:{case.case_id}:{number}").shuffle(items)
            shuffled.append(with_candidates(case, items))

        def numbered(number: int, batch: list[Request]) -> list[Request]:
            # Two equal orders are two questions, not one answer.
            return [replace(request, repeat=request.repeat * self.repeats + number) for request in batch]

        rankings = yield from side_by_side([self.ranker.rank(one) for one in shuffled], numbered)
        combined = combine([ranking for ranking in rankings if not has_no_result(ranking)] or rankings, self.combine)
        return merge_outcomes(combined, rankings)


@dataclass(frozen=True, slots=True)
class AskedAgain(WrappedRanker):
    """Asks what `ranker` asks, for the `draw`-th time: what comes back is drawn anew, not taken from the Store."""

    draw: int

    @property
    def name(self) -> str:
        """The method's own name."""
        return self.ranker.name

    def rank(self, case: Case) -> RankingSteps:
        """Rank as the ranker does, by answers of this draw."""

        def again(_: int, batch: list[Request]) -> list[Request]:
            return [replace(request, repeat=request.repeat + DRAWS_APART * (self.draw - 1)) for request in batch]

        [ranking] = yield from side_by_side([self.ranker.rank(case)], again)
        return ranking


def combine(rankings: Sequence[Ranking], how: Combine) -> Ranking:
    """Return one Ranking of the items that all rank, at least one of them.

    Tied items have the mean of the places they share. `borda`: the sum of the places from the end (scores, with ties);
    `reciprocal_rank`: the sum of 1 / place, the mean of it over a tie (scores, with ties); `kemeny`: the order nearest
    to all rankings by the number of pairs they have the other way round (strict; by local search, see `kemeny`). Items
    that no ranking placed come last, tied.
    """
    groups = [tie_groups(ranking) for ranking in rankings]
    points = [_points(one, "borda" if how == "kemeny" else how) for one in groups]
    total = {item_id: fsum(one[item_id] for one in points) for item_id in rankings[0].order}
    ranked = rank_by_score(total)
    if how != "kemeny":
        return ranked
    unplaced = set.intersection(*({*r.order[len(r.order) if r.named is None else r.named :]} for r in rankings))
    placed = kemeny([item_id for item_id in ranked.order if item_id not in unplaced], points)
    return Ranking((*placed, *(item_id for item_id in ranked.order if item_id in unplaced)), named=len(placed))


def _points(groups: Sequence[tuple[str, ...]], how: Literal["borda", "reciprocal_rank"]) -> dict[str, float]:
    """Return what each item gets from one ranking: the mean over the places that its group takes."""
    size, place = sum(map(len, groups)), 0
    points: dict[str, float] = {}
    for group in groups:
        places = range(place + 1, place + len(group) + 1)
        mean = fsum(size - at if how == "borda" else 1 / at for at in places) / len(group)
        points.update(dict.fromkeys(group, mean))
        place += len(group)
    return points


def kemeny(order: Sequence[str], points: Sequence[Mapping[str, float]]) -> list[str]:
    """Return an order that moving no single item to another place brings nearer to the rankings.

    `points` say which of two items each ranking prefers. Nearness is the Kemeny distance: pairs the other way round,
    summed over the rankings. Where a majority prefers one of every two items without a cycle, the order is theirs,
    which is the nearest of all. Each round takes n² steps for n items.
    """
    margin = {
        a: {b: sum((one[a] > one[b]) - (one[a] < one[b]) for one in points) for b in order if b != a} for a in order
    }
    order = list(order)
    improved = True
    while improved:
        improved = False
        for item_id in tuple(order):
            here = order.index(item_id)
            # What a move gains: the margins over the items that it passes, forwards and backwards.
            before = accumulate(margin[item_id][other] for other in order[:here][::-1])
            behind = accumulate(-margin[item_id][other] for other in order[here + 1 :])
            moves = [(gain, here - steps) for steps, gain in enumerate(before, start=1)]
            moves += [(gain, here + steps) for steps, gain in enumerate(behind, start=1)]
            gain, there = max(moves, key=itemgetter(0), default=(0, here))
            if gain > 0:
                order.insert(there, order.pop(here))
                improved = True
    return order
