"""Pairwise: which of two, asked in both orders (pairwise ranking prompting, 2306.17563; LLM4RS; RecRanker, 2312.16018).

The answer names one of the two, or says yes or no to whether the first shown is preferred: the prompt's answer format
says which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from llmrank.errors import InputError, nearest
from llmrank.rankers.calls import CaseCalls, Steps
from llmrank.rankers.options import DEFAULTS, Sort
from llmrank.rankers.prompt import Prompt, prompt_needs
from llmrank.rankers.ranking import has_no_result, trivial_ranking
from llmrank.rankers.sorting import bubble_groups, bubble_top, heap_groups, heap_top, likely_questions
from llmrank.types import Answer, BaseRanker, Case, Item, Needs, RankingSteps


@dataclass(frozen=True, slots=True)
class Pairwise(BaseRanker):
    """An item beats another when it is preferred whichever is shown first; anything else is a tie.

    `all` compares all pairs and scores wins, a tie being half a win for each; `heap` and `bubble` place the `top` best,
    and leave tied items in the order they are in. A pair whose two answers contradict each other is counted
    (`disagreement`), and so is an answer that cannot be read (`unread`): neither favours a side.
    """

    prompt: Prompt
    sort: Sort = "all"
    top: int = DEFAULTS.sort_top
    name: str = "pairwise"

    def __post_init__(self) -> None:
        if self.sort not in get_args(Sort):
            hint = f"use {', '.join(get_args(Sort))}"
            raise InputError(
                f"unknown sort {self.sort!r}{nearest(self.sort, get_args(Sort))}", field="--sort", hint=hint
            )
        if self.top < 1:
            raise InputError(f"a sort cannot fill {self.top} places", field="--top", hint="use 1 or more")

    def needs(self, n: int) -> Needs:
        """Return the needs of a list of `n`. `all`: exactly n(n - 1) calls; the sorts: at most two per comparison.

        A bubble pass compares n - 1 pairs, the next n - 2, …; a heap takes two comparisons per level of a sift. No pair
        is asked about twice, so there may be fewer.
        """
        if n < 2:
            return Needs()
        likely, every_pair = None, n * (n - 1) // 2
        if self.sort == "all":
            pairs = every_pair
        else:
            heap = self.sort == "heap"
            groups = 2 * heap_groups(n, self.top, children=2) if heap else bubble_groups(n, self.top, size=2)
            pairs = min(groups, every_pair)
            likely = 2 * min(pairs, likely_questions(n, self.top, 3 if heap else 2, heap=heap, pairs=True))
        return prompt_needs(self.prompt, 2 * pairs, 2, likely=likely)

    def rank(self, case: Case) -> RankingSteps:
        """Compare, and rank by the wins or as sorted."""
        if ranking := trivial_ranking(case):
            return ranking
        pairs = _Pairs(CaseCalls(self.prompt, case))
        if self.sort == "all":
            wins = {item.item_id: 0.0 for item in case.candidates}
            for place, item in enumerate(case.candidates):
                others = case.candidates[place + 1 :]
                for other, won in zip(others, (yield from pairs.compare(item, others)), strict=True):
                    wins[item.item_id] += won
                    wins[other.item_id] += 1 - won
            return pairs.calls.scored(wins)
        if self.sort == "heap":
            placed = yield from heap_top(case.candidates, self.top, 2, pairs.best)
        else:
            placed = yield from bubble_top(case.candidates, self.top, 2, pairs.best)
        return pairs.calls.ranked([item.item_id for item in placed])


class _Pairs:
    """The comparisons of a Case; a pair is asked about once."""

    def __init__(self, calls: CaseCalls) -> None:
        self.calls = calls
        self._won: dict[tuple[str, str], float] = {}

    def compare(self, item: Item, others: Sequence[Item]) -> Steps[list[float]]:
        """Return what the item wins against each of the others: 1, or 0, or 0.5 for a tie. They are asked together."""
        asked = [other for other in others if (item.item_id, other.item_id) not in self._won]
        if asked:
            shown = [pair for other in asked for pair in ((item, other), (other, item))]
            answers = yield from self.calls.ask([self.calls.view(pair) for pair in shown])
            for other, first, second in zip(asked, answers[::2], answers[1::2], strict=True):
                won = self._winner(item, other, first, second)
                self._won[item.item_id, other.item_id] = won
                self._won[other.item_id, item.item_id] = 1 - won
        return [self._won[item.item_id, other.item_id] for other in others]

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
    if answer.value == 0.5:
        return None
    return shown[answer.value < 0.5].item_id
