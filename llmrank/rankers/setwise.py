"""Setwise: the best of a few, and a sort that asks for it (Setwise, 2310.09497)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from llmrank.rankers.calls import CaseCalls, PromptRanker, Steps
from llmrank.rankers.options import DEFAULTS, check_choice, check_least
from llmrank.rankers.ranking import has_no_result
from llmrank.rankers.sorting import SORTS
from llmrank.types import Item, Needs, RankingSteps


@dataclass(frozen=True, slots=True)
class Setwise(PromptRanker):
    """Places the `sort_top` best, asking for the best of `group`; what is not placed is tied below.

    The best is named in the text or has the most probable label: the prompt's answer format says which. A group whose
    answer cannot be read stays as it is, and is counted (`unread`). No group is asked about twice.
    """

    sort: Literal["heap", "bubble", "insertion"] = "heap"
    group: int = 4
    """Items shown at a time: c. In a heap, a node and its c - 1 children."""
    sort_top: int = DEFAULTS.sort_top
    name: str = "setwise"

    def __post_init__(self) -> None:
        check_choice("--sort", self.sort, SORTS)
        check_least("--group", self.group, 2 if self.sort == "bubble" else 3)
        check_least("--sort-top", self.sort_top, 1)

    @property
    def needs_recall_order(self) -> bool:
        """Whether the sort starts from it."""
        return self.sort == "insertion"

    def needs(self, n: int) -> Needs:
        """Return the needs of a list of `n`: at most one call per level of every sift, or per group of every pass."""
        return SORTS[self.sort].needs(self.prompt, n, self.sort_top, self.group, pairs=False)

    def _ask(self, calls: CaseCalls) -> RankingSteps:
        known: dict[tuple[str, ...], int] = {}

        def best(group: Sequence[Item]) -> Steps[int]:
            ids = tuple(item.item_id for item in group)
            if ids not in known:
                [answer] = yield from calls.ask([calls.view(group)])
                known[ids] = 0 if has_no_result(answer) else ids.index(answer.ranked[0])
            return known[ids]

        items = calls.by_recall() if self.needs_recall_order else calls.case.candidates
        placed = yield from SORTS[self.sort].run(items, self.sort_top, self.group, best)
        return calls.ranked([item.item_id for item in placed])
