"""Which refusals (429) say that the endpoint takes no more, and which are chance."""

from __future__ import annotations

from collections import deque
from math import ceil, log

IN_A_ROW, SHARE = 3, 0.04
"""Refusals without an answer between them, or their share of the last calls, by which they are more than chance."""
RECENT, LEAST = 256, 80
"""Calls of which the share is taken, at most and at least."""
CUTS_IN_VAIN, AS_MANY = 6, 0.75
"""Cuts, each soon after the last, that show refusals to be chance, where the later half finds at least such a part of
the share that the earlier half found."""
MOST = 0.5
"""The largest share of calls that is ever taken for chance."""
UNLIKELY = 1e-7
"""A row of refusals that chance brings so seldom is none."""


class Refusals:
    """Tells a rate that is too high from an endpoint that refuses now and then, whatever it is asked.

    To begin with, a refusal that stands alone among answers is chance, and more of them are not. But an endpoint may
    refuse many by chance, and then no cut helps. That shows: each is soon followed by the next, with the same share of
    calls refused. This share is then taken for chance, and so is a row of refusals as long as it makes likely. If yet
    more are refused once calls are not held back, the proof was none, and the next one must be twice as long.
    """

    def __init__(self) -> None:
        self._row = 0
        self._recent: deque[bool] = deque(maxlen=RECENT)
        self._calls = self._refused = 0
        self._share, self._longest_row = SHARE, IN_A_ROW
        self._cuts, self._found = CUTS_IN_VAIN, list[float]()

    def answered(self, *, after_cut: bool) -> None:
        """Somebody was answered; `after_cut`: by a call that was sent after the last cut."""
        self._row = 0
        self._recent.append(False)
        self._calls += after_cut

    def refused(self, *, after_cut: bool) -> bool:
        """Somebody was refused; return whether that is more than chance."""
        self._row += 1
        self._recent.append(True)
        self._calls += after_cut
        self._refused += after_cut
        return self._row >= self._longest_row or sum(self._recent) > self._share * max(LEAST, len(self._recent))

    def cut(self) -> bool:
        """Note that a cut is due; return whether cuts have shown to be in vain, so that there is to be none."""
        calls, share = self._calls, self._refused / max(1, self._calls)
        self._recent.clear()
        self._calls = self._refused = 0
        if self._share > SHARE:
            self._share, self._longest_row = SHARE, IN_A_ROW
            self._cuts, self._found = 2 * self._cuts, []
            return False
        self._found = [*self._found, share] if 0 < calls <= RECENT and share <= MOST else []
        if len(self._found) < self._cuts:
            return False
        earlier, later = self._found[: self._cuts // 2], self._found[self._cuts // 2 :]
        if sum(later) < AS_MANY * sum(earlier):
            self._found = later
            return False
        self._share = min(MOST, 2 * sum(self._found) / len(self._found))
        self._longest_row = ceil(log(UNLIKELY) / log(self._share))
        self._found = []
        return True
