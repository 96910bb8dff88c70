"""Small SVG pictures for the page. They need no script and no library; a table next to each has the same data."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from llmrank.audit import AuditRow
from llmrank.errors import one_line
from llmrank.run.calibration import Bin
from llmrank.run.depth import Depth, DepthPoint
from llmrank.run.pareto import Pareto, ParetoPoint

TICKS = (0.0, 0.01, 0.03, 0.1, 0.25, 0.5, 1.0)
"""Axis ticks for probabilities."""
NAME = 24
"""Maximum length of a name next to a point, in characters."""
APART = 15
"""Minimum distance between the names of close points, in the picture's units."""
BESIDE = 9
"""Distance between the points of Runs of the same cost."""
WIDE = 20.0
"""Costs that differ by more than this factor get a logarithmic axis."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The scale of an axis."""

    low: float
    high: float
    start: float
    """The position of `low`, in the picture's units."""
    end: float
    bend: Callable[[float], float] = float
    """An increasing transformation of values, such as a logarithm."""

    def __call__(self, value: float) -> float:
        """Return the position of a value."""
        low, high = self.bend(self.low), self.bend(self.high)
        return self.start + (self.end - self.start) * (self.bend(value) - low) / (high - low)


def reliability(bins: Sequence[Bin]) -> str:
    """Plot the share taken, with its interval, against the probability given; each bin is a point."""
    top = max(max(one.predicted, one.taken_ci95[1] if one.taken_ci95 else one.taken) for one in bins)
    top = min(1.0, 1.05 * max(top, 0.01))
    width, height = 360, 320
    across, up = Scale(0, top, 44, width - 14, math.sqrt), Scale(0, top, height - 40, 12, math.sqrt)
    parts = [_line("beside", across(0), up(0), across(top), up(top))]
    for tick in probability_ticks(top):
        parts.append(_text(across(tick), up(0) + 16, f"{tick:g}"))
        parts.append(_text(across(0) - 6, up(tick) + 4, f"{tick:g}", "end"))
    parts += [*_frame(across, up), _text((across(0) + across(top)) / 2, height - 6, "predicted probability")]
    parts.append(_text(across(0) + 4, 22, "share relevant", "start"))
    for one in bins:
        x = across(one.predicted)
        if one.taken_ci95 is not None:
            parts.append(_line("reach", x, up(one.taken_ci95[0]), x, up(one.taken_ci95[1])))
        parts.append(_element("circle", "point", cx=x, cy=up(one.taken), r=4))
    return _svg(width, height, "Share of relevant candidates, by predicted probability", parts)


def depth(found: Depth) -> str:
    """Plot the measure with its interval against the number of candidates reranked, with a line at recall order.

    At least two depths must have a known measure; the depth axis is logarithmic.
    """
    points = known_depths(found)
    width, height = 360, 260
    ends = [end for one, value in points for end in (value, *(one.ci95 or ()))]
    room = 0.06 * (max(ends) - min(ends)) or 0.01
    across = Scale(points[0][0].n, points[-1][0].n, 48, width - 14, math.log)
    up = Scale(max(0.0, min(ends) - room), max(ends) + room, height - 40, 12)
    parts = _frame(across, up)
    last = -math.inf
    for one, _ in points:
        if across(one.n) - last > APART + 5:
            last = across(one.n)
            parts.append(_text(last, up.start + 16, f"{one.n}"))
    parts += [_text(across.start - 9, up(tick) + 4, f"{tick:.4g}", "end") for tick in _round(up.low, up.high)]
    parts.append(_text((across.start + across.end) / 2, height - 6, "number of candidates reranked"))
    parts.append(_text(across.start + 6, 20, found.measure, "start"))
    if (recalled := next((value for one, value in points if one.n == 1), None)) is not None:
        parts.append(_line("beside", across.start, up(recalled), across.end, up(recalled)))
    places = [(one, across(one.n), up(value)) for one, value in points]
    parts += [_line("front", *here[1:], *there[1:]) for here, there in pairwise(places)]
    for one, x, y in places:
        if one.ci95 is not None:
            parts.append(_line("reach", x, up(one.ci95[0]), x, up(one.ci95[1])))
        parts.append(_element("circle", "point", cx=x, cy=y, r=4))
    description = f"{found.measure} with 95% interval, by the number of candidates reranked"
    return _svg(width, height, description, parts)


def known_depths(found: Depth) -> list[tuple[DepthPoint, float]]:
    """Return the depths with a known measure, as (point, value)."""
    return [(one, one.value) for one in found if one.value is not None]


def pareto(found: Pareto) -> str:
    """Plot the measure with its interval against the cost; the Runs on the front are filled and joined.

    Runs with an unknown value or cost are left out; at least one must remain.
    """
    points = found.known
    width, height = 400, 320
    ends = [end for one, _, value in points for end in (value, *(one.ci95 or ()))]
    room = 0.06 * (max(ends) - min(ends)) or 0.01
    up = Scale(min(ends) - room, max(ends) + room, height - 44, 12)
    across, ticks = _costs([cost for _, cost, _ in points], found.spread, 54, width - 20)
    parts = _frame(across, up)
    parts += [_text(across(tick), up.start + 16, f"{tick:,g}") for tick in ticks]
    parts += [_text(across.start - 6, up(tick) + 4, f"{tick:.4g}", "end") for tick in _round(up.low, up.high)]
    middle = (across.start + across.end) / 2
    parts += [_text(middle, height - 8, found.unit), _text(across.start + 6, 20, found.measure, "start")]
    places: list[tuple[ParetoPoint, float, float]] = []
    for one, cost, value in points:
        # Runs of the same cost are placed side by side, so that each interval is visible.
        least = places[-1][1] + BESIDE if places else -math.inf
        places.append((one, max(across(cost), least), up(value)))
    front = [(x, y) for one, x, y in places if one.on_front]
    parts += [_line("front", *here, *there) for here, there in pairwise(front)]
    for one, x, y in places:
        if one.ci95 is not None:
            parts.append(_line("reach", x, up(one.ci95[0]), x, up(one.ci95[1])))
        parts.append(_element("circle", "point" if one.on_front else "point hollow", cx=x, cy=y, r=5))
    parts += _names(places, middle)
    return _svg(width, height, f"{found.measure} with 95% interval, by {found.unit}", parts)


def intervals(rows: Sequence[AuditRow]) -> list[str]:
    """Return a strip per row: its value and interval, and a line at the value for a method without the bias.

    The rows that are tested share one scale and the others another, so that rows can be compared.
    """
    scales = {of: _common([row for row in rows if (row.p is None) == of]) for of in {row.p is None for row in rows}}
    return [_interval(row, scales[row.p is None]) for row in rows]


def _common(rows: Sequence[AuditRow]) -> Scale:
    numbers = [number for row in rows for number in (row.value, row.chance, *(row.ci95 or ())) if number is not None]
    low, high = min([0.0, *numbers]), max([0.0, *numbers])
    return Scale(low, high if high > low else low + 1, 6, 174)


def _interval(row: AuditRow, across: Scale) -> str:
    parts = [_line("axis", 0, 10, 180, 10)]
    if row.chance is not None:
        parts.append(_line("beside", across(row.chance), 1, across(row.chance), 19))
    if row.ci95 is not None:
        parts.append(_line("reach", across(row.ci95[0]), 10, across(row.ci95[1]), 10))
    if row.value is not None:
        parts.append(_element("circle", "point", cx=across(row.value), cy=10, r=4))
    return f'<svg class="strip" viewBox="0 0 180 20" aria-hidden="true">{"".join(parts)}</svg>'


def _costs(costs: Sequence[float], spread: float, start: float, end: float) -> tuple[Scale, list[float]]:
    """Return the cost axis and its ticks; it is logarithmic if costs differ much, with 0 at the left end."""
    most = max(costs) or 1.0
    if spread <= WIDE:
        scale = Scale(0, 1.08 * most, start, end)
        return scale, list(_round(scale.low, scale.high))
    least = most / spread
    free = min(costs) == 0
    low = least / (10 if free else 1.5)
    scale = Scale(low, 1.5 * most, start + 8, end, lambda cost: math.log10(max(cost, low)))
    powers = [
        10.0**power for power in range(math.ceil(math.log10(least / 1.5)), math.floor(math.log10(1.5 * most)) + 1)
    ]
    return scale, [*([0.0] if free else []), *powers[:: math.ceil(len(powers) / 6)]]


def _round(low: float, high: float) -> Iterator[float]:
    """Yield three to six round numbers from `low` to `high`."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(times * power for times in (1, 2, 5, 10) if times * power >= rough)
    for place in range(math.ceil(low / step), math.floor(high / step) + 1):
        yield place * step


def _names(places: Sequence[tuple[ParetoPoint, float, float]], middle: float) -> Iterator[str]:
    """Yield the name of each point, on the side with more room, moved down if another name is too close."""
    below = {"start": -math.inf, "end": -math.inf}
    for one, x, y in sorted(places, key=lambda place: place[2]):
        anchor, aside = ("start", 8) if x <= middle else ("end", -8)
        below[anchor] = max(y - 7, below[anchor] + APART)
        yield _text(x + aside, below[anchor], one_line(one.name, NAME), anchor, "name")


def probability_ticks(top: float) -> Iterator[float]:
    """Yield ticks of a square-root axis up to `top` that do not overlap."""
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


def _svg(width: float, height: float, description: str, parts: Sequence[str]) -> str:
    inside = "".join(parts)
    return f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{html.escape(description)}">{inside}</svg>'


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return _element("line", kind, x1=x1, y1=y1, x2=x2, y2=y2)


def _text(x: float, y: float, content: str, anchor: str = "middle", kind: str = "tick") -> str:
    shown = html.escape(content)
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{shown}</text>'


def _element(name: str, kind: str, **places: float) -> str:
    where = "".join(f' {key}="{value:.1f}"' for key, value in places.items())
    return f'<{name} class="{kind}"{where}/>'
