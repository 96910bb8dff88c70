"""Small pictures as SVG text for the page. They need no script and no library; what they show stands in a table too."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from llmrank.run.calibration import Bin

TICKS = (0.0, 0.01, 0.03, 0.1, 0.25, 0.5, 1.0)
"""Probabilities that are named on an axis."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Where a value stands along an axis."""

    low: float
    high: float
    start: float
    """The place of `low`, in the picture's units."""
    end: float
    bend: Callable[[float], float] = float
    """What makes places of values; it rises."""

    def __call__(self, value: float) -> float:
        """Return the place of a value."""
        low, high = self.bend(self.low), self.bend(self.high)
        return self.start + (self.end - self.start) * (self.bend(value) - low) / (high - low)


def reliability(bins: Sequence[Bin]) -> str:
    """Return what share was taken, with its interval, against the probability that was given; a bin is a point."""
    top = max(max(one.predicted, one.taken_ci95[1] if one.taken_ci95 else one.taken) for one in bins)
    top = min(1.0, 1.05 * max(top, 0.01))
    width, height = 360, 320
    across, up = Scale(0, top, 44, width - 14, math.sqrt), Scale(0, top, height - 40, 12, math.sqrt)
    parts = [_line("beside", across(0), up(0), across(top), up(top))]
    for tick in _ticks(top):
        parts.append(_text(across(tick), up(0) + 16, f"{tick:g}"))
        parts.append(_text(across(0) - 6, up(tick) + 4, f"{tick:g}", "end"))
    parts += [*_frame(across, up), _text((across(0) + across(top)) / 2, height - 6, "probability given")]
    parts.append(_text(across(0) + 4, 22, "share taken", "start"))
    for one in bins:
        x = across(one.predicted)
        if one.taken_ci95 is not None:
            parts.append(_line("reach", x, up(one.taken_ci95[0]), x, up(one.taken_ci95[1])))
        parts.append(_element("circle", "point", cx=x, cy=up(one.taken), r=4))
    return _svg(width, height, "Share of candidates that were taken, against the probability given", parts)


def _ticks(top: float) -> Iterator[float]:
    """Yield the ticks up to the top of an axis of square roots that keep clear of one another."""
    last = -1.0
    for tick in TICKS:
        if tick <= top and math.sqrt(tick / top) - last > 0.1:
            last = math.sqrt(tick / top)
            yield tick


def _frame(across: Scale, up: Scale) -> list[str]:
    """Return the lower and the left axis."""
    return [
        _line("axis", across.start, up.start, across.end, up.start),
        _line("axis", across.start, up.start, across.start, up.end),
    ]


def _svg(width: float, height: float, label: str, parts: Sequence[str]) -> str:
    inside = "".join(parts)
    return f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{html.escape(label)}">{inside}</svg>'


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return _element("line", kind, x1=x1, y1=y1, x2=x2, y2=y2)


def _text(x: float, y: float, content: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(content)}</text>'


def _element(name: str, kind: str, **places: float) -> str:
    where = "".join(f' {key}="{value:.1f}"' for key, value in places.items())
    return f'<{name} class="{kind}"{where}/>'
