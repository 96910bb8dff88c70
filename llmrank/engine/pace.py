"""How many calls may begin a second at an endpoint that refuses some: found by asking a little more, and then less.

Some endpoints refuse calls at random. These go on refusing them when the pace is cut below the rate at which calls got
through, where a limit refuses none: so their share is known, and only more than that counts.
"""

from __future__ import annotations

from math import inf

FEW = 3
"""Refusals, in a row or among the latest calls, that may be chance."""
LATEST = 128
"""Calls after which the earlier ones count half."""
TRIAL, SETTLING = 40, 10
"""Calls after a cut that show what it has changed, at least, and those before them that come too early to show it."""
HOPELESS = 0.75
"""The share of refused calls that ends a trial early, and the most that a cut takes of the pace."""
DIP, BACK, MOST_BACK = 0.1, 0.5, 30.0
"""The share of the pace that a cut takes, and the seconds until it is back: at first, and at most."""
NEAR = 1.5
"""A rate above the ceiling by less than this factor shows that the ceiling was nearly right."""
SLOWEST = 1 / 60
"""Calls a second that are always tried."""


class Pace:
    """Calls a second: AIMD along the curve of TCP CUBIC (RFC 9438), from one cut to the next.

    A cut makes the rate at which calls got through the *ceiling*. The pace starts a tenth below it, climbs back, stays
    near it, and leaves it upwards ever faster. Each time it is cut near the last ceiling it takes four times as long
    to come back, so that a known limit is seldom tested.

    The 40 calls after a cut are a *trial*, in which only a pace that has three of four calls refused is cut again. Then
    more than three refusals among the latest 64 to 128 calls cut it. But where the share that is refused did not even
    halve from the trial before to this one, the smaller of the two is taken for chance, and only more than twice as
    many refusals cut the pace.
    """

    def __init__(self) -> None:
        self.since = 0
        """The number of the first call after the last cut."""
        self.ceiling = inf
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
        if self.ceiling < inf and position < TRIAL:
            return self._refused > max(2 * FEW, HOPELESS * self._calls)
        share = self._tried_refused / self._tried
        chance = min(share, self._share_before) if share > self._share_before / 2 else 0.0
        if self._refused > FEW + 2 * chance * self._calls:
            return True
        if self._refused > FEW and self._back > BACK:
            # What slowing down does not change is no reason to be slow: go on from a tenth above the ceiling.
            self._back, self.held = BACK, 2 * BACK
        return False

    def cut(self) -> None:
        """Begin again below the rate at which calls got through."""
        rate = max(self._begun, self._before)
        if self.ceiling < inf:
            # Where fewer calls came than the pace allowed, it was not the pace that was refused.
            rate = min(self.value, max(self.ceiling, rate))
            if self.ceiling < rate <= NEAR * self.ceiling:
                # A little beyond the last ceiling, which was borne, the true one lies between the two.
                rate = (self.ceiling + rate) / 2
        ceiling = max(SLOWEST, rate * max(1 - HOPELESS, 1 - self._refused / self._calls))
        if 0.75 <= ceiling / self.ceiling <= 1.25:
            self._back *= 4
        # Where calls are rare, a trial takes longer.
        self._back = max(TRIAL / ceiling, min(MOST_BACK, self._back))
        self.ceiling, self.held = ceiling, 0.0
        # A trial that was cut short shows that the ceiling was wrong, and nothing of chance.
        self._share_before = self._tried_refused / self._tried if self._tried >= TRIAL else 0.0

    def count_from(self, number: int) -> None:
        """Count the latest calls anew, from the one with this number."""
        self.since, self._calls, self._refused, self._tried, self._tried_refused = number, 0, 0, 0, 0
