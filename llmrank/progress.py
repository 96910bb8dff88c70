"""What a person is told while a command works: one line at a time, to whoever shows it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from threading import Event, Thread

Say = Callable[[str], None]
"""Receives one line of progress."""


def silent(_line: str) -> None:
    """Say nothing."""


@contextmanager
def sign_of_life(say: Say, doing: str, *, every: float = 10.0, at_once: bool = True) -> Generator[None]:
    """Say what is being done, and every `every` seconds for how long it has been going on, while the block runs.

    Without `at_once` the first line comes after `every` seconds: what is done by then is not worth one.
    """
    started, done = time.monotonic(), Event()

    def tick() -> None:
        while not done.wait(every):
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
