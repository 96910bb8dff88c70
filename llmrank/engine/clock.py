"""The clock that the engine waits by."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """The event loop's time, in seconds. A test can speed it up, so that minutes of waiting pass at once."""

    speed: float = 1.0

    def now(self) -> float:
        """Return the seconds since an arbitrary point in the past."""
        return asyncio.get_running_loop().time() * self.speed

    async def sleep(self, seconds: float, until: asyncio.Event) -> None:
        """Wait for that many seconds, or until the event is set."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds / self.speed):
                await until.wait()

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Call `act` after that many seconds."""
        asyncio.get_running_loop().call_later(seconds / self.speed, act)
