"""Setwise: a sort whose comparisons ask for the best of a few items (Setwise, 2310.09497)."""

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
    """Places the best `sort_top` items, asking for the best of `group` at a time; the rest is tied below.

    Depending on the answer format, the best item is named in the text or has the most probable label. A group with an
    unparsed answer keeps its order, and is counted (`unread`). No group is asked about twice.
    """

    sort: Literal["heap", "bubble", "insertion"] = "heap"
    group: int = 4
    """Items per call, c in the paper. In a heap: a node and its c - 1 children."""
    sort_top: int = DEFAULTS.sort_top
    name: str = "setwise"

    def __post_init__(self) -> None:
        check_choice("sort", self.sort, SORTS)
        check_least("group", self.group, 2 if self.sort == "bubble" else 3)
        check_least("sort_top", self.sort_top, 1)

    @property
    def needs_recall_order(self) -> bool:
        """Whether the sort starts from the recall order."""
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
