"""Simulated time: an event loop that never waits, and an endpoint that lives in it."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from llmrank.engine.limit import Limit

Result = TypeVar("Result")


class _NoWaiting(selectors.SelectSelector):
    """Where a loop would sleep, its clock goes on instead."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        self.now += timeout or 0.0
        return super().select(0)


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop whose seconds take no time."""

    def __init__(self) -> None:
        self._simulated = _NoWaiting()
        super().__init__(self._simulated)

    def time(self) -> float:
        return self._simulated.now


def simulate(work: Coroutine[Any, Any, Result]) -> Result:
    """Return the work's result; hours of sleep take no time."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(work)


class Bucket:
    """An endpoint with an allowed rate: a token bucket."""

    def __init__(self, rate: float, burst: float, *, retry_after: float | None = None) -> None:
        self.rate, self.burst, self.retry_after = rate, burst, retry_after
        self.tokens, self.last = burst, 0.0
        self.accepted: list[float] = []
        self.refused: list[float] = []

    def takes(self, now: float) -> bool:
        """Return whether a call that arrives now is taken, and count it."""
        self.tokens = min(self.burst, self.tokens + (now - self.last) * self.rate)
        self.last = now
        if self.tokens < 1:
            self.refused.append(now)
            return False
        self.tokens -= 1
        self.accepted.append(now)
        return True


async def load(limit: Limit, bucket: Bucket, seconds: float, *, latency: float, refusal: float = 0.005) -> None:
    """Keep asking for so many seconds, as many at once as the limit lets in."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds

    async def one() -> None:
        first = False
        while True:
            slot = await limit.enter(first=first)
            if loop.time() > end:
                limit.leave(slot)
                return
            if bucket.takes(loop.time()):
                await asyncio.sleep(latency)
                limit.answered(slot)
                return
            await asyncio.sleep(refusal)
            if not limit.refused(slot, bucket.retry_after):
                await asyncio.sleep(bucket.retry_after or 0.5)
            first = True

    tasks: set[asyncio.Task[None]] = set()
    while loop.time() < end:
        while len(tasks) < limit.size:
            task = asyncio.create_task(one())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    if tasks:
        await asyncio.wait(tasks)
