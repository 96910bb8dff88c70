"""Pairwise: which of two, asked in both orders (pairwise ranking prompting, 2306.17563; LLM4RS; RecRanker, 2312.16018).

The answer names one of the two, or says yes or no to whether the first shown is preferred: the prompt's answer format
says which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import get_args

from llmrank.rankers.calls import CaseCalls, PromptRanker, Steps
from llmrank.rankers.options import DEFAULTS, Sort, check_choice, check_least
from llmrank.rankers.prompt import prompt_needs
from llmrank.rankers.ranking import has_no_result
from llmrank.rankers.sorting import SORTS
from llmrank.types import Answer, Item, Needs, RankingSteps

GROUPS = {"heap": 3, "bubble": 2, "insertion": 3}
"""Items of which a sort asks for the best: in a heap of pairs, a node and its two children, by two comparisons."""


@dataclass(frozen=True, slots=True)
class Pairwise(PromptRanker):
    """An item beats another when it is preferred whichever is shown first; anything else is a tie.

    `all` compares all pairs and scores wins, a tie being half a win for each; the sorts place the `sort_top` best, and
    leave tied items in the order they are in. A pair whose two answers contradict each other is counted
    (`disagreement`), and so is an answer that cannot be read (`unread`): neither favours a side.
    """

    sort: Sort = "all"
    sort_top: int = DEFAULTS.sort_top
    name: str = "pairwise"

    def __post_init__(self) -> None:
        check_choice("--sort", self.sort, get_args(Sort))
        check_least("--sort-top", self.sort_top, 1)

    @property
    def needs_recall_order(self) -> bool:
        """Whether the sort starts from it."""
        return self.sort == "insertion"

    def needs(self, n: int) -> Needs:
        """Return the needs of a list of `n`. `all`: exactly n(n - 1) calls; the sorts: at most two per comparison.

        A bubble pass compares n - 1 pairs, the next n - 2, …; a heap takes two comparisons per level of a sift. No pair
        is asked about twice, so there may be fewer.
        """
        if self.sort == "all":
            return prompt_needs(self.prompt, n * (n - 1), 2)
        return SORTS[self.sort].needs(self.prompt, n, self.sort_top, GROUPS[self.sort], pairs=True)

    def _ask(self, calls: CaseCalls) -> RankingSteps:
        pairs, items = _Pairs(calls), calls.by_recall() if self.needs_recall_order else calls.case.candidates
        if self.sort == "all":
            wins = {item.item_id: 0.0 for item in items}
            for place, item in enumerate(items):
                others = items[place + 1 :]
                for other, won in zip(others, (yield from pairs.compare(item, others)), strict=True):
                    wins[item.item_id] += won
                    wins[other.item_id] += 1 - won
            return calls.scored(wins)
        placed = yield from SORTS[self.sort].run(items, self.sort_top, GROUPS[self.sort], pairs.best)
        return calls.ranked([item.item_id for item in placed])


@dataclass(slots=True)
class _Pairs:
    """The comparisons of a Case; a pair is asked about once."""

    calls: CaseCalls
    won: dict[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])

    def compare(self, item: Item, others: Sequence[Item]) -> Steps[list[float]]:
        """Return what the item wins against each of the others: 1, or 0, or 0.5 for a tie. They are asked together."""
        asked = [other for other in others if (item.item_id, other.item_id) not in self.won]
        if asked:
            shown = [pair for other in asked for pair in ((item, other), (other, item))]
            answers = yield from self.calls.ask([self.calls.view(pair) for pair in shown])
            for other, first, second in zip(asked, answers[::2], answers[1::2], strict=True):
                won = self._winner(item, other, first, second)
                self.won[item.item_id, other.item_id] = won
                self.won[other.item_id, item.item_id] = 1 - won
        return [self.won[item.item_id, other.item_id] for other in others]

    def best(self, group: Sequence[Item]) -> Steps[int]:
        """Return the place of the item that beats those before it, one comparison for each further item."""
        winner = 0
        for place in range(1, len(group)):
            [won] = yield from self.compare(group[winner], [group[place]])
            if won == 0:
                winner = place
        return winner

    def _winner(self, item: Item, other: Item, first: Answer, second: Answer) -> float:
        if has_no_result(first) or has_no_result(second):
            return 0.5
        preferred = _preferred(first, (item, other))
        if preferred is None or preferred != _preferred(second, (other, item)):
            self.calls.repairs["disagreement"] += 1
            return 0.5
        return 1.0 if preferred == item.item_id else 0.0


def _preferred(answer: Answer, shown: tuple[Item, Item]) -> str | None:
    """Return the id of the item that the answer prefers; None when yes is exactly as probable as no."""
    if answer.value is None:
        return answer.ranked[0]
    return None if answer.value == 0.5 else shown[answer.value < 0.5].item_id
