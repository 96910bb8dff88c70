"""How many calls are under way at once, and how many begin a second: a limit that finds what the endpoint takes."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass
from random import random

from llmrank.engine.clock import Clock
from llmrank.engine.cubic import Cubic
from llmrank.engine.refusals import Refusals

START, MOST = 8, 256
"""Calls under way at once: to begin with, and at most."""
SIZE_DIP, ROUNDS, MOST_ROUNDS = 0.2, 1, 40
"""Share of the size that a cut takes, and the rounds until it is back."""
PACE_DIP, SECONDS, MOST_SECONDS = 0.1, 0.5, 30
"""Share of the pace that a cut takes, and the seconds until it is back; where calls are rare, five of them at least."""
SLOWEST = 1 / 60
"""Calls a second that are always tried."""
PRICE_OF_A_FAULT = 4
"""Answers that a fault takes back from the round: with more than one fault in five calls nothing grows."""
SLOWER = 3.0
"""How much longer than in the fastest round calls may take for the size to grow."""
BASE_TOKENS = 32
"""Tokens of an answer that take about as long as reading the prompt."""
CATCH_UP = 0.05
"""Seconds by which a call may be late and the next ones still keep to the old times."""
FEW, SENT = 10, 1024
"""Calls by which the rate is measured, at least and at most."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds of silence after a refusal that names none; doubled while nothing gets through."""
KEPT = 200
"""Changes kept, the newest."""


@dataclass(frozen=True, slots=True)
class Change:
    """One moment of the limit's history."""

    seconds: float
    """Since the first call."""
    size: int
    """Calls under way at once from then on."""
    pace: float | None
    """Calls a second from then on; None: as many as there are."""
    why: str
    """`start`, `slow start`, `growth`, `refused`, or `chance`: cuts were in vain, and calls have no pace any more."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The right to make one call."""

    number: int
    """How many calls were made before."""
    since: float


class Limit:
    """What one endpoint takes. `enter` before a call, then exactly one of `answered`, `refused`, `faulted`, `leave`.

    The size is the number of calls under way. It doubles after each round (as many answers as the size) until the
    endpoint refuses calls with a 429; it is then cut by a fifth and follows `Cubic`. A cut answers an episode, not a
    refusal: one that is chance (`Refusals`) is the matter of its own call, which waits; calls that were sent before
    a cut, or before anybody was answered again, do not cut again. Only a 429 cuts, and only a size that was reached. It
    grows only when it was reached in the round, when few calls met another fault, and while calls are not much slower
    than they were: an endpoint that lets them wait in line gains nothing by a longer one.

    A size cannot hold a rate: one call at a time of 10 ms is 100 a second. So from the first refusal on, calls also
    have a pace, which follows `Cubic` from the rate of the moment before. When a refusal of an episode says how long to
    wait, nobody is let in until then.
    """

    def __init__(self, size: int | None = None, clock: Clock | None = None) -> None:
        """Begin small, or hold `size` calls throughout (a pace and pauses there are all the same)."""
        self.size = START if size is None else size
        self.under_way = 0
        self.history: deque[Change] = deque(maxlen=KEPT)
        self._clock, self._fixed = clock or Clock(), size is not None
        self._waiting: deque[asyncio.Future[Slot]] = deque()
        self._alarm_set = False
        self._began: float | None = None
        self._opens = -math.inf
        self._taken = self._cut_at = self._pauses = 0
        self._sent: deque[float] = deque(maxlen=SENT)
        self._size_curve: Cubic | None = None
        self._pace: Cubic | None = None
        self._paced = False
        self._got_through = True
        self._refusals = Refusals()
        self._fastest = math.inf
        self._new_round()

    async def enter(self, *, first: bool = False) -> Slot:
        """Wait for a slot and return it; `first` goes before those who wait already (a call that was refused)."""
        now = self._clock.now()
        if self._began is None:
            self._began = now
            self._note("start")
        if not self._waiting and self.under_way < self.size and self._opens <= now:
            return self._take(now)
        waiter = asyncio.get_running_loop().create_future()
        if first:
            self._waiting.appendleft(waiter)
        else:
            self._waiting.append(waiter)
        self._admit()
        try:
            return await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():
                self._release()
            raise

    def answered(self, slot: Slot, tokens: int = 0) -> None:
        """Give the slot back: the call was answered with so many tokens (0: unknown)."""
        self._pauses = 0
        self._got_through = True
        self._refusals.answered()
        if slot.number >= self._cut_at:
            self._clean += 1
            self._work += tokens + BASE_TOKENS
            self._seconds += self._clock.now() - slot.since
            if self._clean >= self.size:
                self._end_round()
        self._release()

    def refused(self, slot: Slot, wait: float | None) -> bool:
        """Give the slot back: the endpoint takes no more (429), and names the seconds to wait, or none.

        Returns whether all calls wait; if not, it is chance, and this call is to wait by itself.
        """
        now = self._clock.now()
        place = slot.number - self._cut_at
        if not self._refusals.refused(place, self.under_way - 1):
            self._release()
            return False
        if new := place >= 0:
            calls, self._cut_at = self._taken - self._cut_at, self._taken
            # An endpoint that takes nothing at all says nothing of how much it takes.
            if self._got_through:
                self._cut(now, calls)
        if wait is not None:
            # Other processes may have been told the same.
            self._opens = max(self._opens, now + wait * (1 + 0.1 * random()))
        elif new:
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**self._pauses)
            self._pauses += 1
            self._opens = max(self._opens, now + pause * (0.5 + 0.5 * random()))
        self._release()
        return True

    def faulted(self, slot: Slot) -> None:
        """Give the slot back: the call met another fault that may pass."""
        self._clean = max(-self.size, self._clean - PRICE_OF_A_FAULT)
        self._release()

    def leave(self, slot: Slot) -> None:
        """Give the slot back: the call ended in a way that says nothing of the endpoint."""
        self._release()

    def _take(self, now: float) -> Slot:
        slot = Slot(self._taken, now)
        self._taken += 1
        self.under_way += 1
        self._peak = max(self._peak, self.under_way)
        self._sent.append(now)
        if self._pace is not None:
            interval = 1 / self._pace.value
            # Where calls come later than the pace allows, it is not what holds them, and not put to the test.
            self._paced = now - self._opens <= max(interval, CATCH_UP)
            if self._paced:
                self._pace.press(interval)
            self._opens = max(self._opens, now - CATCH_UP) + interval
        return slot

    def _release(self) -> None:
        self.under_way -= 1
        if self._waiting:
            self._admit()

    def _admit(self) -> None:
        """Let in who waits, as far as size, pace and pause allow; if time is lacking, look again when it has come."""
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

    def _cut(self, now: float, calls: int) -> None:
        self._got_through = False
        rate = self._rate(now)
        if self._refusals.cut(calls, rate if self._pace is None else self._pace.value):
            self._pace, self._paced = None, False
            self._note("chance")
            return
        if not self._fixed and self._peak >= self.size and not self._paced:
            # Not the rate, but this many at once may have been too much.
            ceiling = max(1, self.size - 1)
            if self._size_curve is None:
                self._size_curve = Cubic(ceiling, SIZE_DIP, ROUNDS, MOST_ROUNDS)
            else:
                self._size_curve.refused(ceiling)
            self.size = max(1, int(self._size_curve.value))
        if self._pace is None:
            self._pace = Cubic(max(1.0, rate), PACE_DIP, max(SECONDS, 5 / max(1.0, rate)), MOST_SECONDS)
        else:
            # One refusal says little: after a stall of the network many calls arrive at once. Soon after the last it
            # says more.
            soon = len(self._sent) < FEW
            least = self._pace.ceiling * (0.5 if soon else 0.9)
            ceiling = max(SLOWEST, least, 0.0 if soon else min(rate, self._pace.value))
            self._pace.refused(ceiling, 5 / ceiling)
        self._sent.clear()
        self._new_round()
        self._note("refused")

    def _rate(self, now: float) -> float:
        """Return the calls a second in the last second; in the last few calls, where they are rare."""
        recent = [when for when in self._sent if when > now - 1.0]
        calls = recent if len(recent) >= FEW else list(self._sent)[-FEW:]
        if not calls:
            return 0.0
        seconds = now - calls[0]
        return (len(calls) - 1) / (seconds if len(calls) == SENT else max(1.0, seconds))

    def _end_round(self) -> None:
        # By the token, as a run may ask for short answers first and for long ones then.
        slowness = self._seconds / self._work
        self._fastest = min(self._fastest, slowness)
        if self._peak >= self.size and slowness <= SLOWER * self._fastest and not self._fixed:
            if self._size_curve is None:
                self._resize(2 * self.size, "slow start")
            else:
                self._size_curve.press(1)
                self._resize(max(self.size, int(self._size_curve.value)), "growth")
        self._new_round()

    def _resize(self, size: int, why: str) -> None:
        if (size := min(MOST, size)) != self.size:
            self.size = size
            self._note(why)

    def _new_round(self) -> None:
        self._clean = self._work = 0
        self._seconds = 0.0
        self._peak = self.under_way

    def _note(self, why: str) -> None:
        seconds = 0.0 if self._began is None else self._clock.now() - self._began
        pace = None if self._pace is None else round(self._pace.value, 2)
        self.history.append(Change(round(seconds, 3), self.size, pace, why))
