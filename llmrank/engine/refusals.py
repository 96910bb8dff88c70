"""Which refusals (429) say that the endpoint takes no more, and which are chance."""

from __future__ import annotations

from collections import deque
from math import sqrt
from typing import NamedTuple

IN_A_ROW, SHARE = 3, 0.04
"""Refusals without an answer between them, or their share of the last calls, by which they are more than chance."""
RECENT, LEAST = 256, 80
"""Calls of which the share is taken, at most and at least."""
CUTS_IN_VAIN, SOON = 6, 1024
"""Cuts that show refusals to be chance, each within so many calls of the last."""
SLOWER, AS_MANY, SPREAD = 0.75, 0.75, 0.75
"""What the last of them must come to of the first one's pace, at most; the later half of the earlier half's share, at
least; and the mean place of a refusal of the calls between two cuts, at most: what comes when a burst is used up comes
late."""
LOWEST, HIGHEST = 0.03, 0.5
"""Between them is a share of calls that may be taken for chance."""
DEVIATIONS = 5
"""Standard deviations above what is likely, beyond which chance is none."""


class Refusals:
    """Tells a rate that is too high from an endpoint that refuses now and then, whatever it is asked.

    To begin with, a refusal that stands alone among answers is chance, and more of them are not. But an endpoint may
    refuse many by chance, and then no cut helps. That shows: each is soon followed by the next, at a slower pace, with
    the same share of calls refused, anywhere among them. This share is then taken for chance. If yet more are refused
    once calls are not held back, the proof was none, and the next one must be twice as long.
    """

    def __init__(self) -> None:
        self._row = 0
        self._recent: deque[bool] = deque(maxlen=RECENT)
        self._refused = self._places = 0
        self._chance: float | None = None
        self._cuts, self._found = CUTS_IN_VAIN, list[_Found]()

    def answered(self) -> None:
        """Somebody was answered."""
        self._row = 0
        self._recent.append(False)

    def refused(self, place: int, under_way: int) -> bool:
        """Somebody was refused, by the call of this place after the last cut (negative: before it), while others are
        under way; return whether that is more than chance."""
        self._row += 1
        self._recent.append(True)
        if place >= 0:
            self._refused += 1
            self._places += place
        refused, calls = sum(self._recent), len(self._recent)
        if self._chance is None:
            return self._row >= IN_A_ROW or refused > SHARE * max(LEAST, calls)
        # A refusal comes sooner than an answer: those under way are mostly answers that are still to come.
        return any(
            found > likely + DEVIATIONS * sqrt(likely)
            for found, likely in (
                (self._row, self._chance * (self._row + under_way)),
                (refused, self._chance * (calls + under_way)),
            )
        )

    def cut(self, calls: int, pace: float) -> bool:
        """Note that a cut is due, after so many calls since the last, at this pace (calls a second); return whether
        cuts have shown to be in vain, so that there is to be none."""
        found = _Found(self._refused, calls, self._places / max(1, calls), pace)
        self._recent.clear()
        self._refused = self._places = 0
        if self._chance is not None:
            self._chance, self._cuts, self._found = None, 2 * self._cuts, []
            return False
        self._found = [*self._found, found] if calls <= SOON and found.refused >= LOWEST * calls else []
        if len(self._found) < self._cuts:
            return False
        earlier, later = self._found[: self._cuts // 2], self._found[self._cuts // 2 :]
        share = _share(self._found)
        late = sum(one.places for one in self._found) / sum(one.refused for one in self._found)
        slower = pace <= SLOWER * earlier[0].pace
        if not slower or late > SPREAD or share > HIGHEST or _share(later) < AS_MANY * _share(earlier):
            self._found = later
            return False
        self._chance, self._found = share, []
        return True


class _Found(NamedTuple):
    """What was found between two cuts."""

    refused: int
    calls: int
    places: float
    """Of the refused calls, each as a share of all calls; summed."""
    pace: float


def _share(found: list[_Found]) -> float:
    return sum(one.refused for one in found) / max(1, sum(one.calls for one in found))
