"""Repeated: rank each list several times in different orders, and combine the rankings. Also: sample again.

Bootstrapping (LLMRank, 2305.08845 §3.3) and permutation self-consistency (2310.07712 §2) against position bias.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
"""Maximum number of candidates for `kemeny`, which compares every pair."""
DRAWS_APART = 1_000
"""Offset between the repeat numbers of two draws, larger than the number of repeats within a method."""


@dataclass(frozen=True, slots=True)
class Repeated(WrappedRanker):
    """Ranks with `ranker` in `repeats` orders concurrently.

    Each order is a separate shuffle of the sorted ids, `Random(f"{seed}:{case_id}:{number}")`, so the result does not
    depend on the input order. Rankings without a result are counted (`unread`, `failed`) and not combined.
    """

    repeats: int = 3
    combine: Combine = DEFAULTS.combine
    seed: int = DEFAULTS.seed

    def __post_init__(self) -> None:
        check_least("repeats", self.repeats, 1)
        check_choice("combine", self.combine, get_args(Combine))

    @property
    def name(self) -> str:
        """The method's name, with the number of repeats."""
        return f"{self.ranker.name}-x{self.repeats}"

    def needs(self, n: int) -> Needs:
        """Return the needs of a list of `n`: those of the ranker times `repeats`.

        Raises InputError if there are too many candidates for `kemeny`.
        """
        if self.combine == "kemeny" and n > MOST_PAIRED:
            problem = f"kemeny combines at most {MOST_PAIRED:,} candidates, but the list has {n:,}"
            raise InputError(problem, field="combine", hint="use --combine borda")
        return self.ranker.needs(n) * self.repeats

    def rank(self, case: Case) -> RankingSteps:
        """Rank the shuffled Cases, and combine the rankings. A rating Case has no order, and is rated once."""
        if case.target is not None:
            return (yield from self.ranker.rank(case))
        rankings = yield from side_by_side([one.rank(case) for one in self.orders])
        return self.combined(rankings)

    @property
    def orders(self) -> list[InOneOrder]:
        """A ranker for each order."""
        return [InOneOrder(self.ranker, self.repeats, self.seed, number) for number in range(self.repeats)]

    def combined(self, rankings: Sequence[Ranking]) -> Ranking:
        """Combine the rankings of a Case in each of the orders."""
        combined = combine([ranking for ranking in rankings if not has_no_result(ranking)] or rankings, self.combine)
        return merge_outcomes(combined, rankings)


@dataclass(frozen=True, slots=True)
class InOneOrder(WrappedRanker):
    """Ranks with `ranker` in one of the orders of `Repeated`."""

    repeats: int
    seed: int
    number: int

    @property
    def name(self) -> str:
        """The method's name."""
        return self.ranker.name

    def rank(self, case: Case) -> RankingSteps:
        """Rank the shuffled Case."""
        items = sorted(case.candidates, key=lambda item: item.item_id)
        Random(f"{self.seed}:{case.case_id}:{self.number}").shuffle(items)
        steps = self.ranker.rank(with_candidates(case, items))
        return (yield from _renumbered(steps, lambda repeat: repeat * self.repeats + self.number))


@dataclass(frozen=True, slots=True)
class AskedAgain(WrappedRanker):
    """Ranks with `ranker`, with answers sampled for this `draw` rather than taken from the Store."""

    draw: int

    @property
    def name(self) -> str:
        """The method's name."""
        return self.ranker.name

    def rank(self, case: Case) -> RankingSteps:
        """Rank with answers of this draw."""

        apart = DRAWS_APART * (self.draw - 1)
        return (yield from _renumbered(self.ranker.rank(case), lambda repeat: repeat + apart))


def _renumbered(steps: RankingSteps, number: Callable[[int], int]) -> RankingSteps:
    """Run the steps with other repeat numbers, so that equal Requests get separate answers."""

    def change(_: int, batch: list[Request]) -> list[Request]:
        return [replace(request, repeat=number(request.repeat)) for request in batch]

    [ranking] = yield from side_by_side([steps], change)
    return ranking


def combine(rankings: Sequence[Ranking], how: Combine) -> Ranking:
    """Combine at least one ranking of the same items.

    Tied items share the mean of their positions. `borda`: the sum of the positions counted from the end (scores, with
    ties). `reciprocal_rank`: the sum of 1 / position, averaged over a tie (scores, with ties). `kemeny`: the order with
    the fewest pairwise disagreements with all rankings (strict; by local search, see `kemeny`). Items that no ranking
    placed come last, tied.
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
    """Return the points of each item from one ranking, averaged over the positions of its group."""
    size, place = sum(map(len, groups)), 0
    points: dict[str, float] = {}
    for group in groups:
        places = range(place + 1, place + len(group) + 1)
        mean = fsum(size - at if how == "borda" else 1 / at for at in places) / len(group)
        points.update(dict.fromkeys(group, mean))
        place += len(group)
    return points


def kemeny(order: Sequence[str], points: Sequence[Mapping[str, float]]) -> list[str]:
    """Return an order whose Kemeny distance to the rankings cannot be reduced by moving a single item.

    The Kemeny distance is the number of pairs in opposite order, summed over the rankings. `points` gives the
    preference of each ranking. If the majority preferences have no cycle, the result is their order, which is optimal.
    Each round takes n² steps for n items.
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
            # The gain of a move is the sum of margins over the items it passes, forwards or backwards.
            before = accumulate(margin[item_id][other] for other in order[:here][::-1])
            behind = accumulate(-margin[item_id][other] for other in order[here + 1 :])
            moves = [(gain, here - steps) for steps, gain in enumerate(before, start=1)]
            moves += [(gain, here + steps) for steps, gain in enumerate(behind, start=1)]
            gain, there = max(moves, key=itemgetter(0), default=(0, here))
            if gain > 0:
                order.insert(there, order.pop(here))
                improved = True
    return order
