"""A request to stop, from a signal handler, another thread, or a button in a notebook."""

from __future__ import annotations

import asyncio
from contextlib import suppress

STOP_SECONDS = 10.0
"""Seconds that calls in flight have to finish after a request to stop."""


class StopSignal:
    """Stops `rank_all` gracefully.

    After the first request no new call starts, and calls in flight get `seconds` to finish, so that their answers are
    stored. The second request cancels them at once.
    """

    def __init__(self, seconds: float = STOP_SECONDS) -> None:
        self.seconds = seconds
        self._requests = 0
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    @property
    def at_once(self) -> bool:
        """Whether to stop without waiting for the calls in flight."""
        return self._requests > 1

    @property
    def requested(self) -> bool:
        """Whether to stop."""
        return self._requests > 0

    def request(self) -> None:
        """Ask the run to stop. Safe to call from a signal handler and from any thread, any number of times."""
        self._requests += 1
        for loop, changed in tuple(self._waiting):
            with suppress(RuntimeError):  # the loop is closed: the run has ended
                loop.call_soon_threadsafe(changed.set)

    async def wait(self, requests: int = 1) -> None:
        """Return once there have been that many requests."""
        waiter = (asyncio.get_running_loop(), asyncio.Event())
        self._waiting.append(waiter)
        try:
            while self._requests < requests:
                await waiter[1].wait()
                waiter[1].clear()
        finally:
            self._waiting.remove(waiter)
