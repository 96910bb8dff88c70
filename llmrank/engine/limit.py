"""How many calls are under way at once, and how many begin a second: a limit that finds what the endpoint takes.

Three rules, of which the second is AIMD (additive increase, multiplicative decrease) as TCP knows it:

1. *The size*, the number of calls under way, starts at 64 and doubles while calls fill it and get no slower.
2. *The pace*, the number of calls that begin a second, is unlimited until the endpoint refuses calls (429). It then
   starts 10% below the rate of that moment, climbs back, stays near it, and leaves it upwards ever faster (the curve of
   TCP CUBIC, RFC 9438). Each time it is refused near the same rate, it takes four times as long to try again, so that
   a known limit is seldom tested. A size cannot do this: one call at a time of 10 ms is 100 a second.
3. *Retry-After* holds all calls back until the moment that the endpoint names; without one they pause for 0.5 to 30 s.

Only refusals change the pace. A timeout, a reset or a 5xx says nothing about the allowed rate; many of them only keep
the size from growing. A refusal that stands alone among answers delays only its own call, and where cutting the pace
proves useless, because the endpoint refuses a fixed share of calls at any pace, the pace is lifted (`_Chance`).
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass
from random import random
from typing import NamedTuple

from llmrank.engine.clock import Clock
from llmrank.errors import StoppedError

START, MOST = 64, 256
"""Calls under way at once: at first, and at most."""
SLOWER = 3.0
"""The size grows while a token takes at most so many times as long as in the fastest round."""
PROMPT_TOKENS = 32
"""What reading a prompt takes, in tokens of the answer."""
SLOWEST = 1 / 60
"""Calls a second that are always tried."""
DIP, BACK, MOST_BACK = 0.1, 0.5, 30.0
"""The share of the pace that a refusal takes, and the seconds until it is back: at first, and at most."""
CATCH_UP = 0.05
"""Seconds by which a call may be late without delaying the next ones."""
FEW, SENT = 10, 1024
"""Calls by which the rate is measured, at least and at most."""
PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds of silence after a refusal that names none; they double while nothing gets through."""
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
    """`start`, `growth`, `refused`, or `chance`: slowing down did not help, and the pace is lifted."""


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
        self.size = START if size is None else size
        self.under_way = 0
        self.history: deque[LimitChange] = deque(maxlen=KEPT)
        self._clock, self._fixed = clock or Clock(), size is not None
        self._waiting: deque[asyncio.Future[Slot]] = deque()
        self._closed: StoppedError | None = None
        self._alarm_set = False
        self._began: float | None = None
        self._opens = -math.inf
        """When the next call may begin."""
        self._taken = self._cut_at = self._pauses = 0
        self._sent: deque[float] = deque(maxlen=SENT)
        self._pace: _Pace | None = None
        self._got_through = True
        self._chance = _Chance()
        self._fastest = math.inf
        self._new_round()

    async def enter(self, *, first: bool = False) -> Slot:
        """Wait for a slot and return it; `first` goes before those that wait already (a call that was refused).

        Raises StoppedError when the limit is closed.
        """
        now = self._clock.now()
        if self._began is None:
            self._began = now
            self._note("start")
        if self._closed is not None:
            raise self._closed
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
        self._pauses = 0
        self._got_through = True
        self._chance.answered()
        self._answers += 1
        self._work += tokens + PROMPT_TOKENS
        self._seconds += self._clock.now() - slot.since
        if self._answers >= self.size:
            self._end_round()
        self._release()

    def refused(self, slot: Slot, wait: float | None) -> bool:
        """Give the slot back: the endpoint takes no more (429), and names the seconds to wait, or none.

        Returns whether all calls wait; if not, it is chance, and only this call is to wait.
        """
        now = self._clock.now()
        position = slot.number - self._cut_at
        excess = self._chance.refused(position, self.under_way - 1)
        if excess and position >= 0:
            calls, self._cut_at = self._taken - self._cut_at, self._taken
            # An endpoint that takes nothing at all says nothing about how much it takes.
            if self._got_through:
                self._cut(now, calls)
            if wait is None:
                pause = min(LONGEST_PAUSE, PAUSE * 2.0**self._pauses)
                self._pauses += 1
                self._opens = max(self._opens, now + pause * (0.5 + 0.5 * random()))
        if excess and wait is not None:
            # Other processes may have been told the same.
            self._opens = max(self._opens, now + wait * (1 + 0.1 * random()))
        self._release()
        return excess

    def faulted(self, slot: Slot) -> None:
        """Give the slot back: the call met another fault that may pass."""
        self._faults += 1
        self._release()

    def leave(self, slot: Slot) -> None:
        """Give the slot back: the call ended in a way that says nothing about the endpoint."""
        self._release()

    def _take(self, now: float) -> Slot:
        slot = Slot(self._taken, now)
        self._taken += 1
        self.under_way += 1
        self._peak = max(self._peak, self.under_way)
        self._sent.append(now)
        if self._pace is not None:
            interval = 1 / self._pace.value
            # A call that comes later than the pace allows is not held back by it and does not test it.
            if now - self._opens <= max(interval, CATCH_UP):
                self._pace.held += interval
            self._opens = max(self._opens, now - CATCH_UP) + interval
        return slot

    def _release(self) -> None:
        self.under_way -= 1
        if self._waiting:
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

    def _cut(self, now: float, calls: int) -> None:
        self._got_through = False
        rate = self._rate(now)
        if self._chance.proved(calls, rate if self._pace is None else self._pace.value):
            self._pace = None
            self._note("chance")
            return
        if self._pace is None:
            self._pace = _Pace(max(1.0, rate))
        else:
            # One refusal says little: after a stall of the network many calls arrive at once. Soon after the last it
            # says more.
            soon = len(self._sent) < FEW
            least = self._pace.ceiling * (0.5 if soon else 0.9)
            self._pace.refused(max(SLOWEST, least, 0.0 if soon else min(rate, self._pace.value)))
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
        """Double the size, if it was reached, few calls met faults, and calls are not much slower than they were."""
        # By the token, as a run may ask for short answers first and for long ones then.
        slowness = self._seconds / self._work
        self._fastest = min(self._fastest, slowness)
        full, healthy = self._peak >= self.size, 4 * self._faults <= self._answers
        if full and healthy and slowness <= SLOWER * self._fastest and not self._fixed and self.size < MOST:
            self.size = min(MOST, 2 * self.size)
            self._note("growth")
        self._new_round()

    def _new_round(self) -> None:
        self._answers = self._work = self._faults = 0
        self._seconds = 0.0
        self._peak = self.under_way

    def _note(self, why: str) -> None:
        seconds = 0.0 if self._began is None else self._clock.now() - self._began
        pace = None if self._pace is None else round(self._pace.value, 2)
        self.history.append(LimitChange(round(seconds, 3), self.size, pace, why))


class _Pace:
    """Calls a second that follow the curve of TCP CUBIC from one refusal to the next."""

    def __init__(self, ceiling: float) -> None:
        self.ceiling = ceiling
        """The rate that was refused."""
        self.held = 0.0
        """Seconds for which calls came as fast as the pace let them."""
        self._back = max(BACK, 5 / ceiling)
        """Seconds of `held` until the value is the ceiling again."""

    @property
    def value(self) -> float:
        """The calls a second to try now."""
        return self.ceiling * (1 + DIP * (self.held / self._back - 1) ** 3)

    def refused(self, ceiling: float) -> None:
        """Begin again below the ceiling; near the last one, take four times as long to come back to it."""
        if abs(ceiling - self.ceiling) <= 0.25 * self.ceiling:
            self._back *= 4
        # Where calls are rare, it takes at least five of them.
        self._back = max(5 / ceiling, min(MOST_BACK, self._back))
        self.ceiling, self.held = ceiling, 0.0


class _Cut(NamedTuple):
    """What was found between two cuts of the pace."""

    refused: int
    calls: int
    positions: float
    """Where the refused calls came among them, each from 0 (first) to 1 (last); summed."""
    pace: float


class _Chance:
    """Tells a rate that is too high from an endpoint that refuses now and then, whatever it is asked.

    At first a refusal that stands alone among answers is chance; three without an answer between them, or more than 4%
    of the recent calls, are not, and the pace is cut. If refusals are chance, no cut helps, and after six in a row that
    shows: the pace fell by a quarter, the share of refused calls did not, and they came anywhere between two cuts (a
    limit refuses the last calls before a cut, when its burst is used up). That share is then taken for chance, and only
    twice as many refusals cut the pace again. The next proof must then be twice as long.
    """

    def __init__(self) -> None:
        self._row = self._refused = 0
        self._positions = 0.0
        self._recent: deque[bool] = deque(maxlen=256)
        self._share: float | None = None
        self._needed, self._cuts = 6, list[_Cut]()

    def answered(self) -> None:
        """A call was answered."""
        self._row = 0
        self._recent.append(False)

    def refused(self, position: int, under_way: int) -> bool:
        """Return whether this refusal, of the call at this position after the last cut (negative: before it), makes
        more than chance does."""
        self._row += 1
        self._recent.append(True)
        if position >= 0:
            self._refused += 1
            self._positions += position
        elif self._cuts:
            # Of a call that was under way at the last cut: it belongs to the time before.
            last = self._cuts[-1]
            where = max(0, last.calls + position) / last.calls
            self._cuts[-1] = last._replace(refused=last.refused + 1, positions=last.positions + where)
        refused, calls = sum(self._recent), len(self._recent)
        if self._share is None:
            return self._row >= 3 or refused > 0.04 * max(80, calls)
        # A refusal comes sooner than an answer: those under way are mostly answers that are still to come.
        return refused > FEW + 2 * self._share * (calls + under_way)

    def proved(self, calls: int, pace: float) -> bool:
        """Note that the pace is to be cut, so many calls after the last cut; return whether cuts are useless."""
        cut = _Cut(self._refused, calls, self._positions / max(1, calls), pace)
        self._recent.clear()
        self._refused, self._positions = 0, 0.0
        if self._share is not None:
            self._share, self._needed, self._cuts = None, 2 * self._needed, []
            return False
        lasting = calls <= 1024 and cut.refused >= 0.03 * calls
        self._cuts = [*self._cuts, cut] if lasting else []
        if len(self._cuts) < self._needed:
            return False
        earlier, later = self._cuts[: self._needed // 2], self._cuts[self._needed // 2 :]
        share = _share(self._cuts)
        spread = sum(one.positions for one in self._cuts) / sum(one.refused for one in self._cuts)
        slower = pace <= 0.75 * earlier[0].pace
        if slower and spread <= 0.75 and share <= 0.5 and _share(later) >= 0.75 * _share(earlier):
            self._share, self._cuts = share, []
            return True
        self._cuts = later
        return False


def _share(cuts: list[_Cut]) -> float:
    return sum(one.refused for one in cuts) / max(1, sum(one.calls for one in cuts))
