"""Sliding window: a listwise prompt over overlapping windows, from the back to the front (RankGPT, 2304.09542 §3.2)."""

from __future__ import annotations

from dataclasses import dataclass

from llmrank.errors import InputError
from llmrank.rankers.calls import CaseCalls, PromptRanker
from llmrank.rankers.options import DEFAULTS, check_least
from llmrank.rankers.prompt import prompt_needs
from llmrank.types import Needs, RankingSteps


@dataclass(frozen=True, slots=True)
class SlidingWindow(PromptRanker):
    """Ranks the last `window` candidates, moves `step` towards the front, and so on: each window carries its best
    `window - step` into the next, so that with true answers these stand at the head in their true order.

    A list no longer than the window is ranked by one call; the last window always begins at the first place and is
    as wide as the others. What an answer leaves out follows what it names, in its old order; what no answer names
    comes last, tied.
    """

    window: int = DEFAULTS.window
    step: int = DEFAULTS.step
    name: str = "sliding_window"

    def __post_init__(self) -> None:
        check_least("--window", self.window, 2)
        if not 1 <= self.step < self.window:
            problem = f"a step of {self.step} with a window of {self.window} carries nothing from window to window"
            raise InputError(problem, field="--step", hint=f"use 1 to {self.window - 1}; half the window is usual")

    def needs(self, n: int) -> Needs:
        """Return the needs of a list of `n`: exactly 1 + ceil((n - window) / step) calls, 1 if it fits a window."""
        return prompt_needs(self.prompt, len(self.windows(n)), min(n, self.window))

    def windows(self, n: int) -> list[int]:
        """Return where the windows begin in a list of `n`, in the order in which they are asked; none below 2."""
        return [] if n < 2 else [*range(n - self.window, 0, -self.step), 0]

    def _ask(self, calls: CaseCalls) -> RankingSteps:
        items = list(calls.case.candidates)
        named: set[str] = set()
        for start in self.windows(len(items)):
            shown = items[start : start + self.window]
            [answer] = yield from calls.ask([calls.view(shown)])
            ranks = {item_id: rank for rank, item_id in enumerate(answer.ranked)}
            items[start : start + self.window] = sorted(shown, key=lambda item: ranks.get(item.item_id, len(ranks)))
            named.update(ranks)
        return calls.ranked([item.item_id for item in items if item.item_id in named])
