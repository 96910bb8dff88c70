"""Pairwise: compare two items, in both orders (pairwise ranking prompting, 2306.17563; LLM4RS; RecRanker, 2312.16018).

Depending on the answer format, the answer names one of the two, or says yes or no to whether the first is preferred.
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
"""Group size of each sort. In a heap, a node and its two children are one group, compared by two comparisons."""


@dataclass(frozen=True, slots=True)
class Pairwise(PromptRanker):
    """An item beats another if it is preferred in both orders; otherwise the two are tied.

    `all` compares all pairs and scores wins, with half a win each for a tie. The sorts place the best `sort_top` items,
    and keep tied items in their current order. Contradictory pairs (`disagreement`) and unparsed answers (`unread`)
    are counted as repairs, and favour neither item.
    """

    sort: Sort = "all"
    sort_top: int = DEFAULTS.sort_top
    name: str = "pairwise"

    def __post_init__(self) -> None:
        check_choice("sort", self.sort, get_args(Sort))
        check_least("sort_top", self.sort_top, 1)

    @property
    def needs_recall_order(self) -> bool:
        """Whether the sort starts from the recall order."""
        return self.sort == "insertion"

    def needs(self, n: int) -> Needs:
        """Return the needs of a list of `n`. `all`: exactly n(n - 1) calls; the sorts: at most two per comparison.

        The first bubble pass compares n - 1 pairs, the next n - 2, …; a heap needs two comparisons per level of a sift.
        No pair is compared twice, so there may be fewer.
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
    """The comparisons of a Case. Each pair is compared once."""

    calls: CaseCalls
    won: dict[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])

    def compare(self, item: Item, others: Sequence[Item]) -> Steps[list[float]]:
        """Return the result against each of the others: 1 for a win, 0 for a loss, 0.5 for a tie. Runs concurrently."""
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
        """Return the position of the best item, comparing each item with the best so far."""
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
    """Return the id of the preferred item; None if yes and no are equally probable."""
    if answer.value is None:
        return answer.ranked[0]
    return None if answer.value == 0.5 else shown[answer.value < 0.5].item_id
