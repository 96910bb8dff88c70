"""How many calls are under way at once, and how many begin a second: a limit that finds what the endpoint takes.

1. *The size*, the number of calls under way, starts at 64 and doubles while calls fill it and get no slower.
2. *The pace* is the number of calls that begin in a second. It has no limit until the endpoint refuses a call (429).
   Then it drops below the rate of that moment and climbs back slowly, as TCP does (AIMD: additive increase,
   multiplicative decrease; see `Pace`). A limit on the size alone would not do: one call at a time of 10 ms is 100 a
   second.
3. *Retry-After* holds back the call that was told so. Where refusals are widespread, more than three in a row with no
   answer between them, all calls wait until that moment; without one they pause for 0.5 to 30 s.

Only refusals change the pace. A timeout, a reset or a 5xx says nothing about the allowed rate; many of them only keep
the size from growing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from math import inf, isfinite
from random import random

from llmrank.engine.clock import Clock
from llmrank.engine.pace import FEW, Pace
from llmrank.errors import StoppedError

START, MOST = 64, 256
"""Calls under way at once: at first, and at most."""
SLOWER = 3.0
"""The size grows while a token takes at most so many times as long as in the fastest round."""
PROMPT_TOKENS = 32
"""What reading a prompt takes, in tokens of the answer."""
CATCH_UP = 0.05
"""Seconds by which a call may be late without delaying the next ones."""
PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds of silence after refusals that name none; they double while nothing gets through."""
KEPT = 200
"""Changes kept, the newest."""


@dataclass(frozen=True, slots=True)
class LimitChange:
    """One moment of the limit's history."""

    seconds: float
    """Since the first call."""
    size: int
    """Calls under way at once from then on."""
    pace: float | None
    """Calls a second from then on; None: unlimited."""
    why: str
    """`start`, `growth` or `refused`."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The right to make one call."""

    number: int
    """How many calls were made before."""
    since: float


class Limit:
    """What one endpoint takes. `enter` before a call, then exactly one of `answered`, `refused`, `faulted`, `leave`."""

    def __init__(self, size: int | None = None, clock: Clock | None = None) -> None:
        """Find the size, or hold `size` calls throughout (pace and pauses apply all the same)."""
        self.size, self._most = size or START, size or MOST
        self.under_way = self._taken = 0
        self.history: deque[LimitChange] = deque(maxlen=KEPT)
        self._clock, self._pace = clock or Clock(), Pace()
        self._waiting: deque[asyncio.Future[Slot]] = deque()
        self._closed: StoppedError | None = None
        self._alarm_set = False
        self._began, self._opens = 0.0, -inf
        """When the first call began, and when the next one may."""
        self._got_through, self._in_a_row, self._pauses = True, 0, 0
        self._fastest = inf
        self._new_round()

    async def enter(self, *, first: bool = False) -> Slot:
        """Wait for a slot and return it; `first` goes before those that wait already (a call that was refused).

        Raises StoppedError when the limit is closed.
        """
        if self._closed is not None:
            raise self._closed
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.insert(0 if first else len(self._waiting), waiter)
        self._admit()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._release()
            raise

    def close(self, error: StoppedError) -> None:
        """Let nobody in any more: those that wait, and those that come, raise the error."""
        self._closed = error
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(error)
        self._waiting.clear()

    def answered(self, slot: Slot, tokens: int = 0) -> None:
        """Give the slot back: the call was answered with so many tokens (0: unknown)."""
        self._got_through, self._in_a_row, self._pauses = True, 0, 0
        self._answers += 1
        self._work += tokens + PROMPT_TOKENS
        self._seconds += self._clock.now() - slot.since
        if self._answers >= self.size:
            # By the token, as a run may ask for short answers first and for long ones then.
            slowness = self._seconds / self._work
            self._fastest = min(self._fastest, slowness)
            healthy = 4 * self._faults <= self._answers and slowness <= SLOWER * self._fastest
            if healthy and self._filled and self.size < self._most:
                self.size = min(self._most, 2 * self.size)
                self._note("growth")
            self._new_round()
        self._release()

    def refused(self, slot: Slot, wait: float | None) -> bool:
        """Give the slot back: the endpoint takes no more (429), and names the seconds to wait, or none.

        Returns whether all calls wait; if not, only this call is to wait.
        """
        self._in_a_row += 1
        late = slot.number < self._pace.since
        excess = not late and self._pace.refuses(slot.number)
        if excess:
            # An endpoint that takes nothing at all says nothing about how much it takes.
            if self._got_through:
                self._got_through = False
                self._pace.cut()
                self._new_round()
                self._note("refused")
            self._pace.count_from(self._taken)
        widespread = self._in_a_row > FEW and (excess or late)
        if widespread:
            if wait is None:
                self._pauses += excess
                wait = min(LONGEST_PAUSE, PAUSE * 2.0 ** max(0, self._pauses - 1))
            # Other processes may have been told the same.
            self._opens = max(self._opens, self._clock.now() + wait * (1 + 0.1 * random()))
        self._release()
        return widespread

    def faulted(self, slot: Slot) -> None:
        """Give the slot back: the call met another fault that may pass."""
        self._faults += 1
        self._release()

    def leave(self, slot: Slot) -> None:
        """Give the slot back: the call ended in a way that says nothing about the endpoint."""
        self._release()

    def _release(self) -> None:
        self.under_way -= 1
        self._admit()

    def _admit(self) -> None:
        """Let in those that wait, as far as size, pace and pause allow; if it is too early, look again in time."""
        while self._waiting and self.under_way < self.size:
            now = self._clock.now()
            if self._opens > now:
                if not self._alarm_set:
                    self._alarm_set = True
                    self._clock.later(self._opens - now, self._ring)
                return
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(self._take(now))

    def _ring(self) -> None:
        self._alarm_set = False
        self._admit()

    def _take(self, now: float) -> Slot:
        if not self._taken:
            self._began = now
            self._note("start")
        slot = Slot(self._taken, now)
        self._pace.begins(now)
        self._taken += 1
        self.under_way += 1
        self._filled |= self.under_way >= self.size
        if interval := 1 / self._pace.value:
            # A call that comes later than the pace allows is not held back by it and does not test it.
            if now - self._opens <= max(interval, CATCH_UP):
                self._pace.held += interval
            self._opens = max(self._opens, now - CATCH_UP) + interval
        return slot

    def _new_round(self) -> None:
        self._answers = self._work = self._faults = 0
        self._seconds = 0.0
        self._filled = self.under_way >= self.size

    def _note(self, why: str) -> None:
        pace = round(self._pace.value, 2) if isfinite(self._pace.value) else None
        self.history.append(LimitChange(round(self._clock.now() - self._began, 3), self.size, pace, why))
