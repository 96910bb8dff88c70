"""The page's figures as SVG and PNG files for papers and slides, drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from llmrank import stats
from llmrank.audit import Audit
from llmrank.errors import InputError, as_path, count_of, one_line
from llmrank.files import writing
from llmrank.measures import Ratings
from llmrank.report.pictures import WIDE, probability_ticks
from llmrank.report.sections import (
    Named,
    calibration_of,
    can_be_drawn,
    groups_of,
    has_errors,
    ranked_runs,
    rated_runs,
    recalled_runs,
    refuse_parts,
)
from llmrank.run.calibration import Calibration
from llmrank.run.compare import Comparison, compare, shared_cases
from llmrank.run.depth import Depth
from llmrank.run.groups import Groups
from llmrank.run.metrics import task_of, the_measure
from llmrank.run.pareto import Pareto, ParetoPoint, pareto
from llmrank.run.run import Run
from llmrank.run.tables import optional, signed
from llmrank.stats import Values
from llmrank.types import Case

Figure = Any
"""A `matplotlib.figure.Figure`, which has no types."""
FORMATS = ("svg", "png")
DOTS = 200
"""Resolution of PNG files, in dots per inch."""
NAME = 40
"""Maximum length of a name in a figure, in characters."""
LONG_NAME = 80
"""Maximum length of what an audit names, in characters."""
BARS = 21
POINTS: dict[str, Any] = {"fmt": "o", "color": "C0", "capsize": 2, "linewidth": 1}
"""How a value with its interval is drawn."""


def figures(run: Run, *more: Run, audits: Sequence[Audit] = (), by: Sequence[str] = ()) -> dict[str, Figure]:
    """Return matplotlib figures of Runs, by name; those without data are left out.

    `differences`: paired differences of the headline measure from the first Run (for one Run, from recall order);
    `groups`: for whom a Run gains; `depth`: the value of reranking only the first candidates; `reliability`: the share
    taken by probability; `ratings`: predicted against true ratings; `pareto`: cost against quality; `audit-1`, …: the
    values of each of `audits`. `by` names extra columns of the Cases to group by (see `Run.groups`).

    Raises InputError if a Run is not finished or the Runs are not comparable, and MissingError without matplotlib.
    """
    comparison = compare(run, *more) if more else None
    runs = list(zip(comparison.runs if comparison else [run.name], (run, *more), strict=True))
    ranked, recalled = ranked_runs(runs), recalled_runs(runs)
    refuse_parts(runs, audits, by)
    costs = pareto(run, *more) if more else None
    calibrated = [(name, found) for name, one in ranked if (found := calibration_of(one)) is not None]
    with _style():
        found = {
            "differences": _differences(_paired(runs, comparison) if comparison else _from_recall_order(recalled)),
            "groups": _groups([(name, groups_of(one, by)) for name, one in recalled]),
            "depth": _depth([(name, one.depth()) for name, one in recalled]),
            "reliability": _reliability(calibrated),
            "ratings": _ratings([(name, one) for name, one in rated_runs(runs) if has_errors(one)]),
            "pareto": _pareto(costs) if costs and can_be_drawn(costs) else None,
            **{f"audit-{number}": _audit(audit) for number, audit in enumerate(audits, 1)},
        }
    return {name: figure for name, figure in found.items() if figure is not None}


def write_figures(
    folder: str | Path,
    run: Run,
    *more: Run,
    audits: Sequence[Audit] = (),
    by: Sequence[str] = (),
    overwrite: bool = False,
) -> list[Path]:
    """Write `figures` to a folder, each as SVG and PNG, and return the files; the output is reproducible.

    Raises like `figures`, and InputError if nothing can be drawn, or if a file exists or cannot be written.
    """
    into, drawn = as_path(folder, "folder"), figures(run, *more, audits=audits, by=by)
    if not drawn:
        problem = "a Run whose answers are no ratings, only measured against them, has no figures"
        raise InputError(problem, path=run.path, hint="name two Runs or more whose costs are known")
    files = {into / f"{name}.{kind}": figure for name, figure in drawn.items() for kind in FORMATS}
    for file in files:
        if file.exists() and not overwrite:
            raise InputError("file already exists", path=file, hint="name another folder, or overwrite it with --force")
    try:
        into.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot be created: {error.strerror}", path=into, hint="name a folder") from error
    with _style():
        for file, figure in files.items():
            # Leave out date and version, so that the same Runs give the same files.
            metadata = {"Date": None} if file.suffix == ".svg" else {"Software": None}
            with writing(file) as part:
                figure.savefig(part, format=file.suffix[1:], dpi=DOTS, metadata=metadata)
    return list(files)


def _style() -> AbstractContextManager[None]:
    """Return a context with a fixed style, independent of the user's, so that files are reproducible."""
    matplotlib = optional("matplotlib", "matplotlib", "a figure")
    plain = {**matplotlib.rcParamsDefault, "svg.hashsalt": "llmrank", "axes.spines.top": False}
    kept = {name: value for name, value in plain.items() if not name.startswith(("backend", "interactive"))}
    return matplotlib.rc_context(kept | {"axes.spines.right": False, "font.size": 9})


def _blank(width: float, heights: Sequence[float]) -> tuple[Figure, Sequence[Any]]:
    """Return a figure of stacked panels of these inches, and their axes."""
    module = optional("matplotlib.figure", "matplotlib", "a figure")
    figure = module.Figure(figsize=(width, sum(heights)), layout="constrained")
    return figure, figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]


def _for_rows(rows: int) -> float:
    """Return the height of a panel with a line for each row, in inches."""
    return 0.8 + 0.24 * rows


def _plain(foreign: str, longest: int = NAME) -> str:
    """Return a name on one line, with `$` escaped so that it is not read as a formula."""
    return one_line(foreign, longest).replace("$", r"\$")


def _paired(runs: Named, comparison: Comparison) -> list[Differences]:
    """Return the headline differences of each later Run from the first."""
    _, cases = shared_cases([run for _, run in runs])
    (first, reference), *others = runs
    measure = the_measure(comparison.headline, task_of(cases), order_only=reference.order_only)
    before = measure.compared(reference.judged(cases))
    differences = ((name, measure.compared(run.judged(cases)) - before) for name, run in others)
    named = ((f"{measure.of_case or measure}: {name} − {first}", found) for name, found in differences)
    # Of AUC, no single user has a difference.
    return [_by_user(title, cases, found) for title, found in named if not np.isnan(found).all()]


Differences = tuple[str, Values, float]
"""A title, the mean difference of each user, and that of all Cases."""


def _by_user(title: str, cases: Sequence[Case], differences: Values) -> Differences:
    """Return the differences over the Cases with a known truth, by user."""
    users = stats.clusters_of(case.user_id for case in cases)[known := ~np.isnan(differences)]
    sums, counts = stats.by_cluster(differences[known], users)
    return title, sums / counts, float(sums.sum() / max(counts.sum(), 1))


def _from_recall_order(runs: Named) -> list[Differences]:
    """Return the headline differences of each Run from recall order."""
    found: list[Differences] = []
    for name, run in runs:
        measure = run.metrics.headline or ""
        gained = run.per_case(measure, run.done) - run.recall_order(measure)
        found.append(_by_user(f"{measure}: {name} − recall order", run.done, gained))
    return found


def _differences(pairs: Sequence[Differences]) -> Figure | None:
    if not pairs:
        return None
    figure, panels = _blank(6, [2.4] * len(pairs))
    for axes, (title, differences, mean) in zip(panels, pairs, strict=True):
        reach = float(np.abs(differences).max(initial=0))
        reach = reach if reach > stats.TIE else 1.0
        axes.hist(differences, bins=BARS, range=(-reach, reach), color="C0")
        axes.axvline(0, color="0.4", linewidth=1)
        if len(differences):
            axes.axvline(mean, color="C1", linestyle="--", label=f"mean {signed(mean)}")
            axes.legend(frameon=False)
        axes.set(title=_plain(title), xlabel="difference", ylabel="users")
    return figure


def _groups(runs: Sequence[tuple[str, Groups]]) -> Figure | None:
    if not runs:
        return None
    figure, panels = _blank(6.5, [_for_rows(len(found.groups)) for _, found in runs])
    for axes, (name, found) in zip(panels, runs, strict=True):
        rows = [(one, one.difference) for one in list(found)[::-1] if one.difference is not None]
        values = [difference for _, difference in rows]
        reach = _reach(values, [one.difference_ci95 for one, _ in rows])
        axes.errorbar(values, range(len(rows)), xerr=reach, **POINTS)
        axes.set_yticks(range(len(rows)), [_plain(f"{one.by}: {one.name} ({one.cases})") for one, _ in rows])
        axes.axvline(0, color="0.4", linewidth=1)
        label = f"{found.measure} minus that of recall order, with 95% interval"
        axes.set(title=_plain(name), xlabel=label, ylim=(-0.6, len(rows) - 0.4))
    return figure


def _depth(runs: Sequence[tuple[str, Depth]]) -> Figure | None:
    if not runs:
        return None
    figure, (axes,) = _blank(6, [3.6])
    for place, (name, found) in enumerate(runs):
        points = [one for one in found if one.value is not None and one.ci95 is not None]
        depths = [one.n for one in points]
        # matplotlib hides labels that start with an underscore, hence the space.
        axes.plot(depths, [one.value for one in points], "o-", color=f"C{place}", label=f" {_plain(name)}")
        low, high = zip(*(one.ci95 for one in points if one.ci95 is not None), strict=True) if points else ((), ())
        axes.fill_between(depths, low, high, color=f"C{place}", alpha=0.15, linewidth=0)
    measures = " or ".join(dict.fromkeys(found.measure for _, found in runs))
    axes.set(xlabel="number of candidates reranked", ylabel=f"{measures}, 95% interval")
    axes.legend(frameon=False)
    return figure


def _reliability(runs: Sequence[tuple[str, Calibration]]) -> Figure | None:
    if not runs:
        return None
    figure, panels = _blank(4.5, [4] * len(runs))
    for axes, (name, found) in zip(panels, runs, strict=True):
        bins = found.bins
        given, taken = [one.predicted for one in bins], [one.taken for one in bins]
        top = 1.05 * max(*given, *(one.taken_ci95[1] if one.taken_ci95 else one.taken for one in bins))
        axes.plot([0, top], [0, top], color="0.6", linewidth=1)
        axes.errorbar(given, taken, yerr=_reach(taken, [one.taken_ci95 for one in bins]), **POINTS)
        # Square roots, so that small probabilities can be told apart.
        axes.set_xscale("function", functions=(_root, np.square))
        axes.set_yscale("function", functions=(_root, np.square))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:g}")
        axes.set(title=_plain(name), xlabel="predicted probability", ylabel="share relevant, 95% interval")
        named = list(probability_ticks(top))
        axes.set(xlim=(0, top), ylim=(0, top), xticks=named, yticks=named)
    return figure


def _ratings(runs: Named) -> Figure | None:
    """Draw the predicted against the true rating of each answered Case; larger points are several Cases."""
    if not runs:
        return None
    figure, panels = _blank(4.5, [4] * len(runs))
    for axes, (name, run) in zip(panels, runs, strict=True):
        judged = run.judged(run.done)
        assert isinstance(judged, Ratings)
        known = judged.judged & judged.answered
        pairs = np.column_stack([judged.truth[known], judged.predicted[known]])
        points, counts = np.unique(pairs, axis=0, return_counts=True)
        axes.axline((judged.scale[0], judged.scale[0]), slope=1, color="0.6", linewidth=1)
        axes.scatter(points[:, 0], points[:, 1], s=12 * counts, color="C0", alpha=0.5, linewidths=0)
        unread = int((judged.judged & ~judged.answered).sum())
        without = f"; {count_of(unread, 'Case')} without an answer left out" if unread else ""
        axes.set(title=_plain(name), xlabel=f"true rating{without}", ylabel="predicted rating")
    return figure


def _pareto(found: Pareto) -> Figure:
    figure, (axes,) = _blank(6, [4])
    points = found.known
    front = [(cost, value) for one, cost, value in points if one.on_front]
    axes.plot(*zip(*front, strict=True), "--", color="0.5", linewidth=1)
    for one, cost, value in points:
        filled = "C0" if one.on_front else "white"
        axes.errorbar(cost, value, yerr=_reach([value], [one.ci95]), markerfacecolor=filled, **POINTS)
    if found.spread > WIDE:
        least = min(cost for _, cost, _ in points if cost)
        axes.set_xscale("symlog", linthresh=least)
    measure = f"{found.measure}{' (lower is better)' if found.lower_is_better else ''}, 95% interval"
    axes.set(xlabel=found.unit, ylabel=measure)
    axes.margins(x=0.15)
    _name(figure, axes, points)
    return figure


def _name(figure: Figure, axes: Any, points: Sequence[tuple[ParetoPoint, float, float]]) -> None:  # noqa: ANN401
    """Write each point's name beside it, from the top down, and below a name that it would cover."""
    figure.draw_without_rendering()  # until then the axes have no place
    names: list[Any] = []
    for one, cost, value in sorted(points, key=lambda point: -point[2]):
        name = axes.annotate(_plain(one.name), (cost, value), (6, 5), textcoords="offset points")
        while any(name.get_window_extent().overlaps(other.get_window_extent()) for other in names):
            name.xyann = (6, name.xyann[1] - 1)
        names.append(name)


def _audit(found: Audit) -> Figure:
    """Draw differences apart from the other values, since their scale is another."""
    several = [[row for row in found.rows if row.value is not None and (row.p is not None) == of] for of in (0, 1)]
    drawn = [rows[::-1] for rows in several if rows]
    figure, panels = _blank(6.5, [_for_rows(len(rows)) for rows in drawn or [()]])
    for axes, rows in zip(panels, drawn, strict=False):
        values = [row.value or 0.0 for row in rows]
        axes.errorbar(values, range(len(rows)), xerr=_reach(values, [row.ci95 for row in rows]), **POINTS)
        known = [(row.chance, place) for place, row in enumerate(rows) if row.chance is not None]
        axes.plot([x for x, _ in known], [y for _, y in known], "|", color="0.4", markersize=10, label="without bias")
        axes.set_yticks(range(len(rows)), [_plain(row.name, LONG_NAME) for row in rows])
        axes.set(xlabel="value, with 95% interval; |: without bias", ylim=(-0.6, len(rows) - 0.4))
    panels[0].set_title(_plain(found.about, LONG_NAME), wrap=True)
    figure.suptitle(one_line(found.question, LONG_NAME), wrap=True)
    return figure


def _reach(values: Sequence[float], ends: Sequence[tuple[float, float] | None]) -> list[list[float]]:
    """Return how far each interval extends below and above its value; 0 if there is none."""
    known = [(value, *(pair or (value, value))) for value, pair in zip(values, ends, strict=True)]
    below, above = [value - low for value, low, _ in known], [high - value for value, _, high in known]
    return [[max(reach, 0.0) for reach in side] for side in (below, above)]


def _root(values: Values) -> Values:
    return np.sqrt(np.maximum(values, 0))
