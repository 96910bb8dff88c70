"""Progress of long work, on stderr: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

import click

LINE_EVERY = 10.0
"""Seconds between lines where there is no terminal."""


class Progress:
    """Shows how many Cases are done, how they ended, what is spent, and how long the rest will take."""

    def __init__(self, total: int, done: int = 0, *, spent: Callable[[], str] = str) -> None:
        """`spent` says in a few words what the calls have taken so far; nothing, unless it is given."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self.total, self.done, self.outcomes, self._spent = total, done, Counter[str](), spent
        self._console = Console(stderr=True)
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[outcomes]}"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("Cases", total=total, completed=done, outcomes="")
        self._started = self._last = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
        if kind is None or kind is KeyboardInterrupt:
            self._say()

    def add(self, outcome: str) -> None:
        """Count one Case."""
        self.done += 1
        self.outcomes[outcome] += 1
        self._bar.update(self._task, advance=1, outcomes=self._counts())
        if not self._console.is_terminal and time.monotonic() - self._last > LINE_EVERY:
            self._last = time.monotonic()
            self._say()

    def _counts(self) -> str:
        counts = " · ".join(f"{outcome} {count}" for outcome, count in sorted(self.outcomes.items()))
        return "; ".join(part for part in (counts or "nothing new", self._spent()) if part)

    def _say(self) -> None:
        seconds = time.monotonic() - self._started
        click.echo(f"{self.done}/{self.total} Cases, {seconds:.0f} s: {self._counts()}", err=True)
        sys.stderr.flush()
