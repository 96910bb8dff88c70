"""AcuRank: a listwise prompt that is repeated only for candidates whose place in the top is uncertain.

Yoon et al. 2025, "AcuRank: Uncertainty-Aware Adaptive Computation for Listwise Reranking", arXiv:2505.18512 §3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from random import Random

from llmrank.errors import InputError
from llmrank.rankers.calls import CaseCalls, PromptRanker
from llmrank.rankers.options import DEFAULTS, check_least
from llmrank.rankers.prompt import prompt_needs
from llmrank.rankers.ranking import has_no_result
from llmrank.rankers.tournament import dealt
from llmrank.types import Needs, RankingSteps

MEAN = 25.0
"""Initial mean, on TrueSkill's customary scale. Any other scale gives the same rankings."""
DEVIATION = MEAN / 3
PERFORMANCE = DEVIATION / 2
"""Standard deviation of an item's performance in one answer around its relevance: β in TrueSkill."""
PRIOR_SPAN = 0.49
"""Initial difference of means between the first and the last item of the recall order (as in the authors' code)."""
SETTLED = 1e-4
"""Message passing stops when no mean changes by more than this."""
MOST_PASSES = 50
SIMULATED = 8
"""Number of lists that `_likely` simulates."""
MOST_SIMULATED = 500
"""Longest list that `_likely` simulates. For longer ones, the upper bound on the calls is used."""


@dataclass(frozen=True, slots=True)
class Belief:
    """Belief about an item's relevance: a normal distribution."""

    mean: float
    variance: float

    def above(self, bar: float) -> float:
        """Return the probability that the relevance is above `bar`."""
        return _below((self.mean - bar) / math.sqrt(self.variance))


@dataclass(frozen=True, slots=True)
class AcuRank(PromptRanker):
    """Ranks candidates by the mean of the belief about each.

    First it asks about all candidates, `window` at a time, in recall order. Then it asks again about the uncertain
    ones, whose probability of being among the best `sort_top` lies between `tolerance` and 1 - `tolerance`. They are
    grouped and shown in order of that probability. When fewer than `sort_top` are uncertain, a last round orders all
    candidates that may be among the best. It never shows the same list twice in the same order, and stops after
    `most_calls`, but shows each candidate at least once.

    An answer means that each named item beats the next, and that the last one beats all items left out.
    """

    window: int = DEFAULTS.window
    sort_top: int = DEFAULTS.sort_top
    tolerance: float = DEFAULTS.tolerance
    most_calls: int = DEFAULTS.most_calls
    name: str = "acurank"

    def __post_init__(self) -> None:
        check_least("window", self.window, 3)  # with pairs, an odd number would leave a group of one
        check_least("sort_top", self.sort_top, 1)
        if not 0 < self.tolerance < 0.5:
            problem = f"a tolerance of {self.tolerance:g} makes every candidate certain, or none"
            raise InputError(problem, field="tolerance", hint="use a value between 0 and 0.5, such as 0.01")
        check_least("most_calls", self.most_calls, 1)

    @property
    def needs_recall_order(self) -> bool:
        """True: it starts from the recall order."""
        return True

    def needs(self, n: int) -> Needs:
        """Return the needs of a list of `n`: at most `most_calls`, and the number that noisy answers likely take."""
        if n < 2:
            return Needs()
        most = max(self.most_calls, len(dealt(range(n), self.window)))
        likely = _likely(n, self.window, self.sort_top, self.tolerance, most) if n <= MOST_SIMULATED else most
        return prompt_needs(self.prompt, most, min(n, self.window), likely=likely)

    def _ask(self, calls: CaseCalls) -> RankingSteps:
        items = {item.item_id: item for item in calls.by_recall()}
        place = {item.item_id: place for place, item in enumerate(calls.case.candidates)}
        search = Search.begin(list(items), self.window, self.sort_top, self.tolerance, self.most_calls)
        heard: set[str] = set()
        # There are no beliefs yet, so the first groups keep the Case's own order.
        groups = [sorted(group, key=place.__getitem__) for group in search.everyone()]
        while groups:
            answers = yield from calls.ask([calls.view([items[item_id] for item_id in group]) for group in groups])
            for group, answer in zip(groups, answers, strict=True):
                if not has_no_result(answer):
                    search.hear(group, answer.ranked)
                    heard.update(group)
            groups = search.uncertain(groups)
        return calls.scored({item_id: belief.mean for item_id, belief in search.beliefs.items() if item_id in heard})


@dataclass(slots=True)
class Search:
    """The belief about each item, in recall order, and the lists that have been asked about."""

    beliefs: dict[str, Belief]
    window: int
    top: int
    tolerance: float
    calls_left: int
    asked: set[tuple[str, ...]]
    last: bool = False

    @classmethod
    def begin(cls, item_ids: Sequence[str], window: int, top: int, tolerance: float, most_calls: int) -> Search:
        """Return the initial search. Earlier items start with slightly higher means."""
        step = PRIOR_SPAN / max(len(item_ids) - 1, 1)
        means = {item_id: MEAN + PRIOR_SPAN / 2 - step * place for place, item_id in enumerate(item_ids)}
        beliefs = {item_id: Belief(mean, DEVIATION**2) for item_id, mean in means.items()}
        return cls(beliefs, window, top, tolerance, most_calls, set())

    def everyone(self) -> list[Sequence[str]]:
        """Return all items in groups of at most `window`, along the recall order."""
        return dealt(list(self.beliefs), self.window)

    def hear(self, shown: Sequence[str], ranked: Sequence[str]) -> None:
        """Update the beliefs with the answer about `shown` that named `ranked`, best first."""
        self.beliefs.update(updated({item_id: self.beliefs[item_id] for item_id in shown}, ranked))

    def uncertain(self, asked: Sequence[Sequence[str]]) -> list[Sequence[str]]:
        """Return the groups to ask about after `asked`, each best first; none if the search is done."""
        self.calls_left -= len(asked)
        self.asked.update(map(tuple, asked))
        if self.last:
            return []
        chance = chance_of_top(self.beliefs, self.top)
        best_first = sorted(chance, key=lambda item_id: (-chance[item_id], -self.beliefs[item_id].mean))
        possible = [item_id for item_id in best_first if chance[item_id] > self.tolerance]
        open_ones = [item_id for item_id in possible if chance[item_id] < 1 - self.tolerance]
        if len(open_ones) < self.top:
            self.last, open_ones = True, possible
        groups = dealt(open_ones, self.window) if len(open_ones) > 1 else []
        return [group for group in groups if tuple(group) not in self.asked][: max(self.calls_left, 0)]


def chance_of_top(beliefs: Mapping[str, Belief], top: int) -> dict[str, float]:
    """Return the probability that each item is above the threshold that `top` items are expected to pass (§3.2).

    With `top` items or fewer, it is 1 for each.
    """
    if len(beliefs) <= top:
        return dict.fromkeys(beliefs, 1.0)
    spread = 6 * max(math.sqrt(belief.variance) for belief in beliefs.values())
    means = [belief.mean for belief in beliefs.values()]
    low, high = min(means) - spread, max(means) + spread
    for _ in range(60):  # bisection, to double precision
        bar = (low + high) / 2
        if math.fsum(belief.above(bar) for belief in beliefs.values()) > top:
            low = bar
        else:
            high = bar
    return {item_id: belief.above(low) for item_id, belief in beliefs.items()}


def updated(beliefs: Mapping[str, Belief], ranked: Sequence[str]) -> dict[str, Belief]:
    """Return the beliefs about these items after an answer that names `ranked`, best first.

    TrueSkill (Herbrich, Minka and Graepel 2006) without draws and drift: expectation propagation over statements that
    one item beat another in this answer. An item's performance is normal around its relevance, with standard deviation
    `PERFORMANCE`.
    """
    named = set(ranked)
    better = [*pairwise(ranked), *((ranked[-1], other) for other in beliefs if other not in named)]
    noise = PERFORMANCE**2
    # The performance of each item, and the message of each statement to its items: precision, and precision x mean.
    weight = {item_id: 1 / (one.variance + noise) for item_id, one in beliefs.items()}
    pull = {item_id: one.mean * weight[item_id] for item_id, one in beliefs.items()}
    message = {(statement, item_id): (0.0, 0.0) for statement in better for item_id in statement}
    for _ in range(MOST_PASSES):
        moved = 0.0
        for statement in (*better, *reversed(better)):
            rest = [(weight[i] - message[statement, i][0], pull[i] - message[statement, i][1]) for i in statement]
            (mean, variance), (other_mean, other_variance) = ((p / w, 1 / w) for w, p in rest)
            total = variance + other_variance
            shift, shrink = _truncated((mean - other_mean) / math.sqrt(total))
            for one, (own_weight, own_pull), own_variance, sign in zip(
                statement, rest, (variance, other_variance), (1, -1), strict=True
            ):
                new_variance = own_variance * (1 - own_variance / total * shrink)
                new_mean = own_pull / own_weight + sign * own_variance / math.sqrt(total) * shift
                moved = max(moved, abs(new_mean - pull[one] / weight[one]))
                weight[one], pull[one] = 1 / new_variance, new_mean / new_variance
                message[statement, one] = weight[one] - own_weight, pull[one] - own_pull
        if moved < SETTLED:
            break
    return {item_id: _learned(one, weight[item_id], pull[item_id]) for item_id, one in beliefs.items()}


def _learned(before: Belief, weight: float, pull: float) -> Belief:
    """Return the belief about the relevance, given the performance as precision and precision x mean."""
    spread = before.variance + PERFORMANCE**2
    gain = before.variance / spread
    mean, variance = pull / weight, 1 / weight
    return Belief(before.mean + gain * (mean - before.mean), before.variance * (1 - gain) + gain**2 * variance)


def _truncated(z: float) -> tuple[float, float]:
    """Return V and W of TrueSkill: for a normal with mean z and variance 1, truncated to be positive, the increase of
    the mean and the decrease of the variance."""
    below = _below(z)
    if below < 1e-280:  # the limits far in the tail
        return -z, 1.0
    shift = math.exp(-z * z / 2) / math.sqrt(2 * math.pi) / below
    return shift, shift * (shift + z)


def _below(z: float) -> float:
    """Return the probability that a standard normal is below z."""
    return math.erfc(-z / math.sqrt(2)) / 2


@cache
def _likely(n: int, window: int, top: int, tolerance: float, most_calls: int) -> int:
    """Return the mean number of calls for a list of `n` by simulation; answers are as noisy as the method assumes."""
    total = 0
    for number in range(SIMULATED):
        draw = Random(number)
        relevance = {f"{place}": draw.gauss(MEAN, DEVIATION) for place in range(n)}
        search = Search.begin([*relevance], window, top, tolerance, most_calls)
        groups = search.everyone()
        while groups:
            total += len(groups)
            for group in groups:
                seen = {item_id: draw.gauss(relevance[item_id], PERFORMANCE) for item_id in group}
                search.hear(group, sorted(group, key=lambda item_id, seen=seen: -seen[item_id]))
            groups = search.uncertain(groups)
    return round(total / SIMULATED)
