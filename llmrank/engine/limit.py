"""How many calls are under way at once, and how many begin a second: a limit that finds what the endpoint takes.

1. *The size*, the number of calls under way, starts at 64 and doubles while calls fill it and get no slower.
2. *The pace*, the number of calls that begin a second, is AIMD (additive increase, multiplicative decrease) as TCP has
   it. It is unlimited until the endpoint refuses calls (429), then starts below the rate of that moment and climbs back
   (`_Pace`). A size cannot do this: one call at a time of 10 ms is 100 a second.
3. *Retry-After* holds back the call that was told so. Where refusals are widespread, more than three in a row with no
   answer between them, all calls wait until that moment; without one they pause for 0.5 to 30 s.

Only refusals change the pace. A timeout, a reset or a 5xx says nothing about the allowed rate; many of them only keep
the size from growing. Some endpoints refuse calls at random. These go on refusing them when the pace is cut below the
rate at which calls got through, where a limit refuses none: so their share is known, and only more than that counts.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass
from random import random

from llmrank.engine.clock import Clock
from llmrank.errors import StoppedError

START, MOST = 64, 256
"""Calls under way at once: at first, and at most."""
SLOWER = 3.0
"""The size grows while a token takes at most so many times as long as in the fastest round."""
PROMPT_TOKENS = 32
"""What reading a prompt takes, in tokens of the answer."""
FEW = 3
"""Refusals, in a row or among the latest calls, that may be chance."""
LATEST = 128
"""Calls after which the earlier ones count half."""
TRIAL, SETTLING = 40, 10
"""Calls after a cut that show what it has changed, at least, and those before them that come too early to show it."""
DIP, BACK, MOST_BACK = 0.1, 0.5, 30.0
"""The share of the pace that a cut takes, and the seconds until it is back: at first, and at most."""
SLOWEST = 1 / 60
"""Calls a second that are always tried."""
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
        self.size = START if size is None else size
        self.under_way = self._taken = 0
        self.history: deque[LimitChange] = deque(maxlen=KEPT)
        self._clock, self._fixed = clock or Clock(), size is not None
        self._waiting: deque[asyncio.Future[Slot]] = deque()
        self._closed: StoppedError | None = None
        self._alarm_set = False
        self._began: float | None = None
        self._opens = -math.inf
        """When the next call may begin."""
        self._pace = _Pace()
        self._got_through = True
        self._in_a_row = self._pauses = 0
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
        self._in_a_row = self._pauses = 0
        self._got_through = True
        self._answers += 1
        self._work += tokens + PROMPT_TOKENS
        self._seconds += self._clock.now() - slot.since
        if self._answers >= self.size:
            self._end_round()
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
        if widespread and wait is None and excess:
            wait = min(LONGEST_PAUSE, PAUSE * 2.0**self._pauses)
            self._pauses += 1
        if widespread and wait is not None:
            # Other processes may have been told the same.
            self._opens = max(self._opens, self._clock.now() + wait * (1 + 0.1 * random()))
        self._release()
        return widespread and wait is not None

    def faulted(self, slot: Slot) -> None:
        """Give the slot back: the call met another fault that may pass."""
        self._faults += 1
        self._release()

    def leave(self, slot: Slot) -> None:
        """Give the slot back: the call ended in a way that says nothing about the endpoint."""
        self._release()

    def _take(self, now: float) -> Slot:
        slot = Slot(self._taken, now)
        self._pace.begins(now)
        self._taken += 1
        self.under_way += 1
        self._peak = max(self._peak, self.under_way)
        if interval := 1 / self._pace.value:
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
        pace = round(self._pace.value, 2) if math.isfinite(self._pace.value) else None
        self.history.append(LimitChange(round(seconds, 3), self.size, pace, why))


class _Pace:
    """Calls a second: AIMD along the curve of TCP CUBIC (RFC 9438), from one cut to the next.

    A cut makes the rate at which calls got through the *ceiling*. The pace starts a tenth below it, climbs back, stays
    near it, and leaves it upwards ever faster. Each time it is cut near the last ceiling it takes four times as long
    to come back, so that a known limit is seldom tested.

    The 40 calls after a cut are a *trial*, in which only a pace that has half of the calls refused is cut again. Then
    more than three refusals among the latest 64 to 128 calls cut it; but where calls were refused in this trial and in
    the one before, the smaller of the two shares is taken for chance, and twice as many are needed.
    """

    def __init__(self) -> None:
        self.since = 0
        """The number of the first call after the last cut."""
        self.ceiling = math.inf
        self.held = 0.0
        """Seconds for which calls came as fast as the pace let them."""
        self._back = BACK
        """Seconds of `held` until the value is the ceiling again."""
        self._calls = self._refused = 0
        """The latest calls since the last cut, and those among them that were refused."""
        self._tried = self._tried_refused = 0
        """The calls of this trial, and those among them that were refused."""
        self._share_before = 0.0
        """The share that was refused in the trial before."""
        self._second = self._begun = self._before = 0
        """The clock's whole second, and the calls that began in it and in the one before."""

    @property
    def value(self) -> float:
        """The calls a second to try now."""
        return self.ceiling * (1 + DIP * (self.held / self._back - 1) ** 3)

    def begins(self, now: float) -> None:
        """Count a call."""
        if self._second != (second := int(now)):
            self._before = self._begun if second == self._second + 1 else 0
            self._second, self._begun = second, 0
        self._begun += 1
        self._calls += 1
        self._tried += self.held < self._back / 2 or self._tried < TRIAL
        if self._calls > LATEST:
            self._calls, self._refused = self._calls // 2, self._refused // 2

    def refuses(self, number: int) -> bool:
        """Count the refusal of the call with this number; return whether there are now more than chance has."""
        position = number - self.since
        self._refused += 1
        self._tried_refused += SETTLING <= position < self._tried
        if self.ceiling < math.inf and position < TRIAL:
            return self._refused > max(FEW, self._calls / 2)
        chance = min(self._tried_refused / self._tried, self._share_before)
        if self._refused > FEW + 2 * chance * self._calls:
            return True
        if self._refused > FEW and self._back > BACK:
            # What slowing down does not change is no reason to be slow: go on from a tenth above the ceiling.
            self._back, self.held = BACK, 2 * BACK
        return False

    def cut(self) -> None:
        """Begin again below the rate at which calls got through."""
        # Where fewer calls came than the pace allowed, it was not the pace that was refused.
        known = self.ceiling if self.ceiling < math.inf else 1.0
        rate = min(self.value, max(self._begun, self._before, known))
        ceiling = max(SLOWEST, rate * max(0.5, 1 - self._refused / self._calls))
        if self.ceiling < math.inf and abs(ceiling - self.ceiling) <= 0.25 * self.ceiling:
            self._back *= 4
        # Where calls are rare, a trial takes longer.
        self._back = max(TRIAL / ceiling, min(MOST_BACK, self._back))
        self.ceiling, self.held = ceiling, 0.0
        # A trial that was cut short shows that the ceiling was wrong, and nothing of chance.
        self._share_before = self._tried_refused / self._tried if self._tried >= TRIAL else 0.0

    def count_from(self, number: int) -> None:
        """Count the latest calls anew, from the one with this number."""
        self.since, self._calls, self._refused, self._tried, self._tried_refused = number, 0, 0, 0, 0
