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
    """Ranks the last `window` candidates, moves the window `step` positions towards the front, and repeats.

    Each window carries its best `window - step` items into the next, so that with correct answers these end up at the
    head in their true order. A list no longer than the window takes one call. The last window always starts at the
    first position, with full width. Items left out of an answer follow the named ones in their old order; items that
    no answer names come last, tied.
    """

    window: int = DEFAULTS.window
    step: int = DEFAULTS.step
    name: str = "sliding_window"

    def __post_init__(self) -> None:
        check_least("window", self.window, 2)
        if not 1 <= self.step < self.window:
            problem = f"a step of {self.step} with a window of {self.window} carries no items between windows"
            raise InputError(problem, field="step", hint=f"use 1 to {self.window - 1}; half the window is usual")

    def needs(self, n: int) -> Needs:
        """Return the needs of a list of `n`: exactly 1 + ceil((n - window) / step) calls, 1 if it fits a window."""
        return prompt_needs(self.prompt, len(self.windows(n)), min(n, self.window))

    def windows(self, n: int) -> list[int]:
        """Return the start positions of the windows in a list of `n`, in calling order; empty if `n` is below 2."""
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
