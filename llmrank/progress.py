"""Progress of long work: a bar with an ETA in a terminal or a notebook, otherwise an occasional line."""

from __future__ import annotations

import io
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib.util import find_spec
from threading import Event, Thread
from typing import TYPE_CHECKING, NoReturn, TextIO

from llmrank.errors import expect

if TYPE_CHECKING:
    from tqdm.std import tqdm

Say = Callable[[str], None]
"""Takes one line for the user: what is being done, or waited for."""

LINE_EVERY = 10.0
"""Seconds between two lines about the same work, where nothing can be redrawn."""
TEXT_FROM = 100
"""Terminal width from which the bar shows outcomes and tokens; below, only the count and the ETA."""


def silent(line: str) -> None:
    """Say nothing."""


@contextmanager
def sign_of_life(say: Say, doing: str, *, at_once: bool = True) -> Generator[None]:
    """Say what is being done within the block (only after `LINE_EVERY` seconds without `at_once`), and then in regular
    lines how long it has taken so far."""
    started, done = time.monotonic(), Event()

    def tick() -> None:
        while not done.wait(LINE_EVERY):
            say(f"{doing}: {time.monotonic() - started:.0f} s so far")

    if at_once:
        say(doing)
    thread = Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def open_stderr() -> TextIO | None:
    """Return the stream for messages to the user; None if the process has no stderr or has closed it (a service)."""
    # The type says that there always is one, but pythonw and daemons have None.
    stream: TextIO | None = sys.stderr
    # A replacement set by the program may not have `closed`.
    return None if stream is None or (isinstance(stream, io.IOBase) and stream.closed) else stream


class Reporter:
    """Receives progress reports. The base class shows nothing."""

    def message(self, line: str) -> None:
        """Show one line: what is being done, or waited for."""

    def begin(self, total: int, done: int, spent: Callable[[], str]) -> None:
        """Start counting `total` Cases, of which `done` are finished. `spent` returns what the calls have used so
        far."""

    def advance(self, outcome: str) -> None:
        """Count one Case."""

    def end(self) -> None:
        """Stop counting, and show a summary."""


class Progress(Reporter):
    """Shows messages and progress on stderr."""

    def __init__(self) -> None:
        self._bar: tqdm[NoReturn] | None = None
        self._outcomes = Counter[str]()
        self._total = self._done = 0
        self._spent: Callable[[], str] = str
        self._started = self._first = self._last = 0.0
        self._summed_up = -1
        """Number of finished Cases when the last summary line was shown."""

    def message(self, line: str) -> None:
        """Show one line, above the bar if there is one."""
        if self._bar is not None:
            self._bar.clear()
        if (stream := open_stderr()) is not None:
            print(line, file=stream, flush=True)
        if self._bar is not None:
            self._bar.refresh()

    def begin(self, total: int, done: int, spent: Callable[[], str]) -> None:
        """Start counting."""
        self._total, self._done, self._spent = total, done, spent
        self._outcomes.clear()
        self._started, self._last, self._summed_up = time.monotonic(), time.monotonic(), -1
        if in_notebook() and find_spec("ipywidgets") is not None:
            from tqdm.notebook import tqdm as notebook_bar

            self._bar = notebook_bar(total=total, initial=done, unit="case")
        elif ((stream := open_stderr()) is not None and stream.isatty()) or in_notebook():
            from tqdm import tqdm as terminal_bar

            self._bar = terminal_bar(
                total=total,
                initial=done,
                dynamic_ncols=True,
                leave=False,
                # A narrow terminal cuts off the right end first.
                bar_format="Cases {n_fmt}/{total_fmt} {bar:20} {elapsed}{postfix}",
            )
            self._bar.set_postfix_str("? left")

    def advance(self, outcome: str) -> None:
        """Count one Case."""
        now = time.monotonic()
        if not self._outcomes:
            self._first = now
        self._done += 1
        self._outcomes[outcome] += 1
        if self._bar is not None:
            wide = (self._bar.ncols or TEXT_FROM) >= TEXT_FROM
            texts = [self._time_left(now), self._counts() if wide else ""]
            self._bar.set_postfix_str(": ".join(filter(None, texts)), refresh=False)
            self._bar.update()
        elif now - self._last > LINE_EVERY:
            self._last = now
            self._sum_up()

    def end(self) -> None:
        """Remove the bar, and show how far the work has come."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        if self._done != self._summed_up:
            self._sum_up()

    def _counts(self) -> str:
        counts = " · ".join(f"{outcome} {count}" for outcome, count in sorted(self._outcomes.items()))
        fresh = "new: " if 0 < sum(self._outcomes.values()) < self._done else ""
        return "; ".join(part for part in (fresh + counts or "nothing new", self._spent()) if part)

    def _sum_up(self) -> None:
        now, self._summed_up = time.monotonic(), self._done
        times = ", ".join(filter(None, [duration(now - self._started), self._time_left(now)]))
        self.message(f"Cases {self._done}/{self._total}, {times}: {self._counts()}")

    def _time_left(self, now: float) -> str:
        """Return the estimated time left, at the pace since the first Case, before which the model was loaded."""
        new = sum(self._outcomes.values()) - 1
        if new < 1 or self._done >= self._total:
            return ""
        return f"{duration((now - self._first) / new * (self._total - self._done))} left"


def duration(seconds: float) -> str:
    """Return a duration in words: `45 s`, `3 min 20 s`, `1 h 12 min`, `4 d 13 h`."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days} d {hour} h"
    if hours:
        return f"{hours} h {minute} min"
    return f"{minutes} min {second} s" if minutes else f"{second} s"


def in_notebook() -> bool:
    """Return whether this is a Jupyter kernel, where a bar is a widget."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and "IPKernelApp" in shell.config


def reporter_of(progress: bool | Reporter) -> Reporter:
    """Return the Reporter for a `progress=` argument: True for a bar, False for nothing."""
    if not isinstance(progress, bool):
        expect(progress, Reporter, "True, False or a Reporter", "progress")
        return progress
    return Progress() if progress else Reporter()
