"""Setwise: the best of a few, and a sort that asks for it (Setwise, 2310.09497)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from llmrank.errors import InputError, nearest
from llmrank.rankers.calls import CaseCalls, Steps
from llmrank.rankers.options import DEFAULTS
from llmrank.rankers.prompt import Prompt, prompt_needs
from llmrank.rankers.ranking import has_no_result, trivial_ranking
from llmrank.rankers.sorting import bubble_groups, bubble_top, heap_groups, heap_top, likely_questions
from llmrank.types import BaseRanker, Case, Item, Needs, RankingSteps

SetwiseSort = Literal["heap", "bubble"]


@dataclass(frozen=True, slots=True)
class Setwise(BaseRanker):
    """Places the `top` best, asking for the best of `group`; what is not placed is tied below.

    The best is named in the text or has the most probable label: the prompt's answer format says which. A group whose
    answer cannot be read stays as it is, and is counted (`unread`).
    """

    prompt: Prompt
    sort: SetwiseSort = "heap"
    group: int = 4
    """Items shown at a time: c. In a heap, a node and its c - 1 children."""
    top: int = DEFAULTS.sort_top
    name: str = "setwise"

    def __post_init__(self) -> None:
        if self.sort not in get_args(SetwiseSort):
            raise InputError(
                f"unknown sort {self.sort!r}{nearest(self.sort, get_args(SetwiseSort))}",
                field="--sort",
                hint=f"use {', '.join(get_args(SetwiseSort))}",
            )
        if (self.group < 3 and self.sort == "heap") or self.group < 2:
            raise InputError(
                f"a group of {self.group} makes no {self.sort}", field="--group", hint="use 3 or more (bubble: 2)"
            )
        if self.top < 1:
            raise InputError(f"a sort cannot fill {self.top} places", field="--top", hint="use 1 or more")

    def needs(self, n: int) -> Needs:
        """Return the needs of a list of `n`: at most one call per level of every sift, or per group of every pass."""
        if self.sort == "heap":
            calls = heap_groups(n, self.top, self.group - 1)
        else:
            calls = bubble_groups(n, self.top, self.group)
        if n < 2:
            return Needs()
        likely = likely_questions(n, self.top, self.group, heap=self.sort == "heap", pairs=False)
        return prompt_needs(self.prompt, calls, min(n, self.group), likely=likely)

    def rank(self, case: Case) -> RankingSteps:
        """Sort, and return the top in its order."""
        if ranking := trivial_ranking(case):
            return ranking
        calls = CaseCalls(self.prompt, case)
        known: dict[tuple[str, ...], int] = {}

        def best(group: Sequence[Item]) -> Steps[int]:
            ids = tuple(item.item_id for item in group)
            if ids not in known:
                [answer] = yield from calls.ask([calls.view(group)])
                known[ids] = 0 if has_no_result(answer) else ids.index(answer.ranked[0])
            return known[ids]

        if self.sort == "heap":
            placed = yield from heap_top(case.candidates, self.top, self.group - 1, best)
        else:
            placed = yield from bubble_top(case.candidates, self.top, self.group, best)
        return calls.ranked([item.item_id for item in placed])
