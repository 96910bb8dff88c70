"""A Reporter that keeps what it is told."""

from __future__ import annotations

from collections.abc import Callable

from llmrank.progress import Reporter


class Listening(Reporter):
    """Keeps messages, outcomes, and how often counting began and ended."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.outcomes: list[str] = []
        self.begun: list[tuple[int, int]] = []
        self.ended = 0

    def message(self, line: str) -> None:
        self.lines.append(line)

    def begin(self, total: int, done: int, spent: Callable[[], str]) -> None:
        self.begun.append((total, done))

    def advance(self, outcome: str) -> None:
        self.outcomes.append(outcome)

    def end(self) -> None:
        self.ended += 1
