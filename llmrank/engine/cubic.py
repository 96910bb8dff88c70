"""How a value that was too high is found again: the curve of TCP CUBIC (RFC 9438)."""

from __future__ import annotations

NEAR = 0.25
"""Share of the ceiling within which another one is the same."""


class Cubic:
    """A value that was refused begins again a little lower, comes back to where it was, stays near it, then leaves it
    upwards, ever faster.

    So most of the time is spent close below what is allowed, a ceiling that was too low is soon left behind, and the
    next refusal is long in coming: with each one that finds the ceiling where it was, the way back takes four times as
    long.
    """

    def __init__(self, ceiling: float, dip: float, shortest: float, longest: float) -> None:
        """`dip`: the share by which the value falls below the ceiling; `shortest` and `longest`: the way back, in the
        unit in which `press` counts."""
        self.ceiling = ceiling
        self._dip, self._way, self._longest = dip, shortest, longest
        self._pressed = 0.0

    @property
    def value(self) -> float:
        """What is tried now."""
        return self.ceiling * (1 + self._dip * (self._pressed / self._way - 1) ** 3)

    def press(self, amount: float) -> None:
        """So much was done at the value, and it held."""
        self._pressed += amount

    def refused(self, ceiling: float, shortest: float = 0.0) -> None:
        """The value was too high; begin again below `ceiling`."""
        if abs(ceiling - self.ceiling) <= NEAR * self.ceiling:
            self._way *= 4
        self._way = max(shortest, min(self._longest, self._way))
        self.ceiling = ceiling
        self._pressed = 0.0
