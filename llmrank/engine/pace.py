"""How many calls may start per second at an endpoint with a rate limit, found by probing a little above and below it.

Some endpoints refuse calls at random. They go on doing so when the pace is cut below the rate at which calls succeeded,
whereas a rate limit would then refuse none. This reveals the share of random refusals, and only a higher share counts.
"""

from __future__ import annotations

from math import inf

FEW = 3
"""Number of refusals, in a row or among the latest calls, that may be chance."""
TOLERATED = 0.04
"""The share of refused calls, beyond the few, that is put down to chance until the pace is cut for the first time."""
LATEST = 128
"""Number of calls after which all counts are halved."""
TRIAL, SETTLING = 40, 10
"""Calls in a trial after a cut, at least, and how many of the first ones are too early to show its effect."""
HOPELESS = 0.75
"""The share of refused calls that ends a trial early; also the largest share by which a cut reduces the pace."""
DIP, BACK, MAX_BACK = 0.1, 0.5, 30.0
"""The share by which the pace starts below the ceiling, and the seconds until it is back: initially and at most."""
NEAR = 1.5
"""A rate up to this multiple of the ceiling shows that the ceiling was nearly right."""
SLOWEST = 1 / 60
"""Minimum pace in calls per second."""


class Rate:
    """The calls per second that started lately."""

    def __init__(self) -> None:
        self._second = self._begun = self._before = 0
        """The current whole second of the clock, and the calls that started in it and in the one before."""

    @property
    def value(self) -> float:
        """The calls of this second or of the one before, whichever are more."""
        return max(self._begun, self._before)

    def begins(self, now: float) -> None:
        """Count a call."""
        if self._second != (second := int(now)):
            self._before = self._begun if second == self._second + 1 else 0
            self._second, self._begun = second, 0
        self._begun += 1


class Recovery:
    """The way back from an outage, in which an endpoint refuses all calls, so that the few that start do not reveal its
    rate.

    Each answer doubles the ceiling, but not above the one before the outage, which is restored after 40 calls. Each
    refusal halves the rate; the fourth one ends this.
    """

    def __init__(self) -> None:
        self.is_on = False
        self._before = 0.0
        """The ceiling before the outage; 0: there was none."""
        self._cut_at, self._cut_to = 0, inf
        """Index of the first call after the last cut, and the ceiling that it set."""
        self._answered = True
        """Whether a call that started after the last cut was answered."""

    def cut(self, number: int, ceiling: float, to: float) -> None:
        """Note that the pace was cut from one ceiling to another, from the call with this index on."""
        self.is_on, self._answered, self._cut_at, self._cut_to = False, False, number, to
        self._before = max(self._before, ceiling)

    def answered(self, number: int, refusals: int, ceiling: float, calls: int) -> float:
        """Return the ceiling after the answer to the call with this index, which came after so many refusals in a row;
        `calls` were counted lately."""
        if number >= self._cut_at:  # the answers to earlier calls may still come in an outage
            outage = refusals > FEW
            if not (outage or self._answered):
                self._before = 0.0
            self._answered = True
            self.is_on |= outage and ceiling < self._before
        if self.is_on:
            ceiling = self._before if calls >= TRIAL else min(self._before, 2 * ceiling)
            self.is_on = ceiling < self._before
        return ceiling

    def refused(self, ceiling: float, rate: float, refusals: int) -> float:
        """Return the ceiling after a refusal; `refusals` were counted lately."""
        self.is_on = refusals <= FEW
        return max(self._cut_to, min(ceiling, rate) / 2)


class Pace:
    """Calls per second: AIMD along the curve of TCP CUBIC (RFC 9438) between cuts.

    A cut sets the *ceiling* to the rate at which calls succeeded. The pace starts a tenth below it, climbs back, stays
    near it, and then rises above it ever faster. Each time it is cut near the previous ceiling, it takes four times as
    long to come back, so that a known limit is rarely tested.

    The first 40 calls after a cut are a *trial*, in which the pace is cut again only if three of four calls are
    refused. After the trial, more than three refusals among the latest 64 to 128 calls cut it. However, if the share of
    refused calls did not even halve from the previous trial to this one, the smaller of the two shares is attributed to
    chance, and only more than twice that many refusals cut the pace. The first cut comes later, after more than three
    refusals and 4% of the latest calls: a rate limit that is exceeded by less costs less than a cut.

    After an outage the pace comes back faster (see `Recovery`).
    """

    def __init__(self) -> None:
        self.since = 0
        """Index of the first call that is counted."""
        self.ceiling = inf
        self.held = 0.0
        """Seconds during which calls came as fast as the pace allowed."""
        self._back = BACK
        """Seconds of `held` until the pace is back at the ceiling."""
        self._calls = self._refused = 0
        """The latest calls that are counted, and how many of them were refused."""
        self._tried = self._tried_refused = 0
        """The calls of this trial, and how many of them were refused."""
        self._share_before = 0.0
        """The share of refused calls in the previous trial."""
        self._rate, self._recovery = Rate(), Recovery()

    @property
    def value(self) -> float:
        """The calls per second to try now."""
        return self.ceiling * (1 + DIP * (self.held / self._back - 1) ** 3)

    def begins(self, now: float) -> None:
        """Count a call."""
        self._rate.begins(now)
        self._calls += 1
        self._tried += self.held < self._back / 2 or self._tried < TRIAL
        if self._calls > LATEST:
            self._calls, self._refused = self._calls // 2, self._refused // 2

    def answers(self, number: int, refusals: int) -> bool:
        """Count the answer to the call with this index, after so many refusals in a row; return whether the pace rose
        at once."""
        ceiling = self._recovery.answered(number, refusals, self.ceiling, self._calls)
        if ceiling == self.ceiling:
            return False
        self._move(ceiling)
        return True

    def refuses(self, number: int) -> bool:
        """Count the refusal of the call with this index; return whether there are more than chance explains."""
        position = number - self.since
        self._refused += 1
        if self._recovery.is_on:
            self._move(self._recovery.refused(self.ceiling, self._rate.value, self._refused))
        self._tried_refused += SETTLING <= position < self._tried
        if self.ceiling < inf and position < TRIAL:
            return self._refused > max(2 * FEW, HOPELESS * self._calls)
        share = self._tried_refused / self._tried
        chance = min(share, self._share_before) if share > self._share_before / 2 else 0.0
        tolerated = TOLERATED if self.ceiling == inf else 2 * chance
        if self._refused > FEW + tolerated * self._calls:
            return True
        if self._refused > FEW and self._back > BACK:
            # Slowing down did not help, so there is no reason to stay slow: resume a tenth above the ceiling.
            self._back, self.held = BACK, 2 * BACK
        return False

    def cut(self, number: int, refusals: int) -> None:
        """Restart below the rate at which calls came, from the call with this index; `refusals` came in a row."""
        rate = self._rate.value
        if self.ceiling < inf:
            # If calls came more slowly than the pace allowed, the pace was not the cause of the refusals.
            rate = min(self.value, max(self.ceiling, rate))
            if self.ceiling < rate <= NEAR * self.ceiling:
                # A rate slightly above the previous ceiling was tolerated: the true one lies between the two.
                rate = (self.ceiling + rate) / 2
        ceiling = max(SLOWEST, rate * max(1 - HOPELESS, 1 - self._refused / self._calls))
        if 0.75 <= ceiling / self.ceiling <= 1.25:
            self._back *= 4
        # At a low rate, a trial takes longer.
        self._back = max(TRIAL / ceiling, min(MAX_BACK, self._back))
        self._recovery.cut(number, self.ceiling, ceiling)
        self.ceiling, self.held = ceiling, 0.0
        # Neither a trial that was cut short, since its ceiling was wrong, nor an outage says anything about chance.
        by_chance = self._tried >= TRIAL and refusals < SETTLING
        self._share_before = self._tried_refused / self._tried if by_chance else 0.0

    def _move(self, ceiling: float) -> None:
        """Restart below this ceiling, and come back to it in the time of a trial."""
        self.ceiling, self.held, self._back = ceiling, 0.0, max(BACK, TRIAL / ceiling)

    def count_from(self, number: int) -> None:
        """Restart the counts of the latest calls, from the one with this index."""
        self.since, self._calls, self._refused, self._tried, self._tried_refused = number, 0, 0, 0, 0
