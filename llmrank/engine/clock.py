"""The time by which the engine waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """The event loop's time, in seconds; a test can let it run faster, so that minutes of waiting take none."""

    speed: float = 1.0

    def now(self) -> float:
        """Return the seconds since some moment in the past."""
        return asyncio.get_running_loop().time() * self.speed

    async def sleep(self, seconds: float, until: asyncio.Event) -> None:
        """Wait so many seconds, or until the event is set."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds / self.speed):
                await until.wait()

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Call `act` after so many seconds."""
        asyncio.get_running_loop().call_later(seconds / self.speed, act)
