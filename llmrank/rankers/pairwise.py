"""Pairwise: which of two, asked in both orders (pairwise ranking prompting, 2306.17563; LLM4RS; RecRanker, 2312.16018).

The answer names one of the two, or says yes or no to whether the first shown is preferred: the prompt's answer format
says which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from llmrank.errors import InputError, nearest
from llmrank.rankers.calls import CaseCalls, trivial_ranking, with_candidates
from llmrank.rankers.needs import Needs, prompt_needs
from llmrank.rankers.outcomes import has_no_result
from llmrank.rankers.prompt import Prompt
from llmrank.rankers.sorting import bubble_groups, bubble_top, heap_groups, heap_top
from llmrank.rankers.steps import Steps
from llmrank.types import Answer, Case, Item, RankingSteps

PairwiseSort = Literal["all", "heap", "bubble"]


@dataclass(frozen=True, slots=True)
class Pairwise:
    """An item beats another when it is preferred whichever is shown first; anything else is a tie.

    `all` compares all pairs and scores wins, a tie being half a win for each; `heap` and `bubble` place the `top` best,
    and leave tied items in the order they are in. A pair whose two answers contradict each other is counted
    (`disagreement`), and so is an answer that cannot be read (`unread`): neither favours a side.
    """

    prompt: Prompt
    sort: PairwiseSort = "all"
    top: int = 10
    name: str = "pairwise"

    def __post_init__(self) -> None:
        if self.sort not in get_args(PairwiseSort):
            hint = f"use {', '.join(get_args(PairwiseSort))}"
            raise InputError(
                f"unknown sort {self.sort!r}{nearest(self.sort, get_args(PairwiseSort))}", field="--sort", hint=hint
            )
        if self.top < 1:
            raise InputError(f"the top {self.top} is nothing", field="--top", hint="use 1 or more")

    def needs(self, n: int) -> Needs:
        """Return what a list of `n` takes. `all`: exactly n(n - 1) calls; the sorts: two per comparison, at most.

        A bubble pass compares n - 1 pairs, the next n - 2, …; a heap takes two comparisons per level of a sift. No pair
        is asked about twice, so there may be fewer.
        """
        match self.sort:
            case "all":
                pairs = n * (n - 1) // 2
            case "heap":
                pairs = min(2 * heap_groups(n, self.top, children=2), n * (n - 1) // 2)
            case "bubble":
                pairs = bubble_groups(n, self.top, size=2)
        return prompt_needs(self.prompt, 2 * pairs if n > 1 else 0, 2, exact=self.sort == "all")

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
            answers = yield from self.calls.ask([with_candidates(self.calls.case, pair) for pair in shown])
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
