"""An adaptive limit on the calls to an endpoint: how many are in flight at once, and how many start per second.

1. *The size*, the number of calls in flight, starts at 64. It doubles while the calls fill it and do not slow down.
2. *The pace*, the number of calls that start per second, is unlimited until the endpoint refuses a call (429). Then it
   drops below the current rate and climbs back slowly, as in TCP (AIMD: additive increase, multiplicative decrease;
   see `Pace`). Limiting the size alone would not suffice: one call at a time, each taking 10 ms, is 100 per second.
3. *Retry-After* delays only the call that received it. If refusals are widespread (more than three in a row without an
   answer between them), all calls wait that long; without a Retry-After they pause for 0.5 to 30 s.
4. *The order* is that of arrival, after the calls that were refused. Where callers give up while they wait, as in a
   service with a deadline, it is the reverse until nobody waits: the oldest would be answered too late.

Only refusals change the pace. A timeout, a connection reset or a 5xx says nothing about the rate limit; many of them
only stop the size from growing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from math import inf, isfinite
from random import random

from llmrank.engine.clock import Clock
from llmrank.engine.pace import FEW, Pace
from llmrank.errors import StoppedError

INITIAL_SIZE, MAX_SIZE = 64, 256
"""Calls in flight: the initial and the maximum size."""
SLOWER = 3.0
"""The size grows only while the time per token is at most this multiple of that of the fastest round."""
PROMPT_TOKENS = 32
"""The cost of reading a prompt, in answer tokens."""
CATCH_UP = 0.05
"""Seconds a call may be late without delaying the next ones."""
PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds of pause after refusals without Retry-After: the first and the longest; doubled while nothing succeeds."""
KEPT = 200
"""Number of changes kept in the history; older ones are dropped."""


@dataclass(frozen=True, slots=True)
class LimitChange:
    """One entry in the history of the limit."""

    seconds: float
    """Seconds since the first call."""
    size: int
    """Calls in flight at once from then on."""
    pace: float | None
    """Calls per second from then on; None: unlimited."""
    why: str
    """`start`, `growth` or `refused`."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The right to make one call."""

    number: int
    """Index of the call among all calls."""
    since: float


@dataclass(slots=True)
class Round:
    """Calls that tell whether the endpoint bears more of them at once: as many answers as calls may be in flight."""

    filled: bool
    """Whether all slots were taken at any time."""
    answers: int = 0
    faults: int = 0
    """Transient failures other than refusals."""
    work: int = 0
    """The tokens of the answers and, in answer tokens, of reading their prompts."""
    seconds: float = 0.0
    """The time that the answers took together."""

    def add(self, tokens: int, seconds: float) -> None:
        """Count an answer."""
        self.answers += 1
        self.work += tokens + PROMPT_TOKENS
        self.seconds += seconds

    @property
    def slowness(self) -> float:
        """Seconds per token, since a run may request short answers first and long ones later."""
        return self.seconds / self.work

    def is_healthy(self, fastest: float) -> bool:
        """Return whether few calls failed and the answers came not much slower than those of the fastest round."""
        return 4 * self.faults <= self.answers and self.slowness <= SLOWER * fastest


class Limit:
    """The limit of one endpoint. `enter` before a call; then call one of `answered`, `refused`, `faulted`, `leave`."""

    def __init__(self, size: int | None = None, clock: Clock | None = None) -> None:
        """Adapt the size, or keep it at `size` if given. Pace and pauses apply either way."""
        self.size, self._max_size = size or INITIAL_SIZE, size or MAX_SIZE
        self.in_flight = self._taken = 0
        self.history: deque[LimitChange] = deque(maxlen=KEPT)
        self._clock, self._pace = clock or Clock(), Pace()
        self._waiting: deque[asyncio.Future[Slot]] = deque()
        self._newest_first = False
        """Whether a caller gave up while it waited, and some wait still."""
        self._closed: StoppedError | None = None
        self._timer_set = False
        self._first_start, self._earliest_start, self._paused_until = 0.0, -inf, -inf
        """When the first call started, the earliest time at which the next may start by the pace, and by a pause."""
        self._got_through, self._refusals_in_a_row, self._pauses = True, 0, 0
        self._fastest, self._round = inf, self._new_round()

    async def enter(self, *, first: bool = False) -> Slot:
        """Wait for a slot and return it. `first` puts a call that was refused at the head of the queue.

        Raises StoppedError if the limit is closed.
        """
        if self._closed is not None:
            raise self._closed
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.insert(0 if first else len(self._waiting), waiter)
        self._admit()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                with suppress(ValueError):  # it may have been passed over already
                    self._waiting.remove(waiter)
                self._newest_first = bool(self._waiting)
            elif waiter.exception() is None:
                self._release()
            raise

    def close(self, error: StoppedError) -> None:
        """Admit no more calls: those waiting, and all later ones, raise the error."""
        self._closed = error
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(error)
        self._waiting.clear()

    def answered(self, slot: Slot, tokens: int = 0) -> None:
        """Return the slot of a call that was answered with `tokens` tokens (0: unknown)."""
        if self._pace.answers(slot.number, self._refusals_in_a_row):
            # The next call need not wait as long as the slower pace before required.
            self._earliest_start = min(self._earliest_start, self._clock.now() + 1 / self._pace.value)
            self._timer_set = False
        self._got_through, self._refusals_in_a_row, self._pauses = True, 0, 0
        self._round.add(tokens, self._clock.now() - slot.since)
        if self._round.answers >= self.size:
            self._fastest = min(self._fastest, self._round.slowness)
            if self._round.filled and self._round.is_healthy(self._fastest) and self.size < self._max_size:
                self.size = min(self._max_size, 2 * self.size)
                self._note("growth")
            self._round = self._new_round()
        self._release()

    def refused(self, slot: Slot, wait: float | None) -> bool:
        """Return the slot of a call that was refused (429). `wait` is the endpoint's Retry-After, if any.

        Returns whether all calls wait; if not, only this call must.
        """
        self._refusals_in_a_row += 1
        stale = slot.number < self._pace.since
        excess = not stale and self._pace.refuses(slot.number)
        if excess:
            # Cut only once until a call succeeds: an endpoint that refuses everything does not reveal its rate.
            if self._got_through:
                self._got_through = False
                self._pace.cut(self._taken, self._refusals_in_a_row)
                self._round = self._new_round()
                self._note("refused")
            self._pace.count_from(self._taken)
        widespread = self._refusals_in_a_row > FEW and (excess or stale)
        if widespread:
            if wait is None:
                self._pauses += excess
                wait = min(LONGEST_PAUSE, PAUSE * 2.0 ** max(0, self._pauses - 1))
            # Add jitter, since other processes may have been told the same.
            self._paused_until = max(self._paused_until, self._clock.now() + wait * (1 + 0.1 * random()))
        self._release()
        return widespread

    def faulted(self, slot: Slot) -> None:
        """Return the slot of a call that met another transient failure."""
        self._round.faults += 1
        self._release()

    def leave(self, slot: Slot) -> None:
        """Return the slot of a call whose end says nothing about the endpoint."""
        self._release()

    def _release(self) -> None:
        self.in_flight -= 1
        self._admit()

    def _admit(self) -> None:
        """Admit waiting calls as size, pace and pause allow; if it is too early, schedule another look."""
        while self._waiting and self.in_flight < self.size:
            now = self._clock.now()
            if (earliest := max(self._earliest_start, self._paused_until)) > now:
                if not self._timer_set:
                    self._timer_set = True
                    self._clock.later(earliest - now, self._on_timer)
                return
            waiter = self._waiting.pop() if self._newest_first else self._waiting.popleft()
            self._newest_first &= bool(self._waiting)
            if not waiter.done():
                waiter.set_result(self._take(now))

    def _on_timer(self) -> None:
        self._timer_set = False
        self._admit()

    def _take(self, now: float) -> Slot:
        if not self._taken:
            self._first_start = now
            self._note("start")
        slot = Slot(self._taken, now)
        self._pace.begins(now)
        self._taken += 1
        self.in_flight += 1
        self._round.filled |= self.in_flight >= self.size
        if interval := 1 / self._pace.value:
            # A call that arrives later than the pace allows is not delayed by it, so it does not test the pace.
            earliest = max(self._earliest_start, self._paused_until)
            if now - earliest <= max(interval, CATCH_UP):
                self._pace.held += interval
            self._earliest_start = max(earliest, now - CATCH_UP) + interval
        return slot

    def _new_round(self) -> Round:
        return Round(filled=self.in_flight >= self.size)

    def _note(self, why: str) -> None:
        pace = round(self._pace.value, 2) if isfinite(self._pace.value) else None
        self.history.append(LimitChange(round(self._clock.now() - self._first_start, 3), self.size, pace, why))
