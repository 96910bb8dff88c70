"""The parts of the page that need no script: what the numbers say, for whom, how sure, and at what cost."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from llmrank.audit import Audit, popularity, position
from llmrank.errors import InputError, safe_for_console
from llmrank.report import pictures
from llmrank.report.terminal import bounds
from llmrank.run.calibration import Calibration
from llmrank.run.compare import Comparison
from llmrank.run.depth import Depth
from llmrank.run.groups import WAYS, Groups
from llmrank.run.metrics import task_of
from llmrank.run.pareto import Pareto
from llmrank.run.run import Run
from llmrank.run.tables import Shown, TextTable

T = TypeVar("T")
Named = Sequence[tuple[str, Run]]
"""The Runs, each with the name that it has on the page."""


def summary(runs: Named, comparison: Comparison | None) -> str:
    """Return the head of the page: the verdict, and every number with what stands beside it."""
    if comparison is not None:
        numbers, what, remarks, notes = comparison, " → ".join(comparison.runs), (), comparison.notes()
    else:
        ((_, run),) = runs
        numbers, notes = run.metrics, ()
        what = f"{run.title}: {numbers.cases} Cases of {numbers.users} users, {numbers.evaluation}"
        remarks = (*numbers.remarks, *(f"{name.capitalize()}: {text}." for name, text in bounds(numbers)))
    first, *rest = numbers.verdict() or [f"{numbers.cases} Cases"]
    said = _paragraphs([what], "what") + f"<h1>{_text(first)}</h1>" + _paragraphs((*rest, *remarks))
    return said + table_html(numbers.table()) + _paragraphs(notes)


def sections(runs: Named, pareto: Pareto | None, audits: Sequence[Audit], by: Sequence[str]) -> str:
    """Return all else that is known of finished Runs, a section per question; one without an answer is left out.

    `audits` are shown after those that read nothing but a Run; `by` names columns of the Cases to group by as well.
    """
    ranked, recalled = ranked_runs(runs), recalled_runs(runs)
    asked = list(dict.fromkeys([*(one for _, run in ranked for one in audits_of(run)), *audits]))
    found = (
        ("For whom", [(name, _shown(groups_of(run, by))) for name, run in recalled]),
        ("Had only the first candidates been reranked", [(name, _depth(run.depth())) for name, run in recalled]),
        ("Can scores be believed as probabilities?", _each(ranked, calibration_of, _calibration)),
        ("Audits", [("", _audits(asked))] if asked else []),
        ("Cost against quality", [("", _pareto(pareto))] if pareto and can_be_drawn(pareto) else []),
        ("Calls, tokens and seconds", _each(runs, lambda run: answer_or_none(run.usage), _shown)),
    )
    return "".join(_section(title, parts, named=len(runs) > 1) for title, parts in found)


def ranked_runs(runs: Named) -> Named:
    """Return the Runs about rankings of which a measure is known."""
    return [(name, run) for name, run in runs if task_of(run.cases) == "ranking" and run.metrics.headline]


def recalled_runs(runs: Named) -> Named:
    """Return the ranked Runs that can be compared with recall order: those in which no target was put in."""
    return [(name, run) for name, run in ranked_runs(runs) if not run.metrics.target_forced]


def groups_of(run: Run, by: Sequence[str]) -> Groups:
    """Return for whom a Run's method gains: grouped as any Run can be, and by these columns of its Cases."""
    return run.groups(by=(*WAYS, *by))


def audits_of(run: Run) -> list[Audit]:
    """Return the audits that need nothing but a finished Run. Without a prompt there is no place in it."""
    questions = (position, popularity) if run.metrics.usage.requests else (popularity,)
    found = [answer_or_none(partial(question, run)) for question in questions]
    return [one for one in found if one is not None]


def can_be_drawn(found: Pareto) -> bool:
    """Return whether two Runs or more have a known value and cost, and one costs anything."""
    return len(found.known) > 1 and found.spread > 0


def calibration_of(run: Run) -> Calibration | None:
    """Return how well a model's scores do as probabilities; None where there are none, or too few Cases to tell.

    Scores of methods that ask no model, such as counts of events, are not meant as probabilities.
    """
    return answer_or_none(run.calibration) if run.metrics.usage.requests else None


def answer_or_none(question: Callable[[], T]) -> T | None:
    """Return what a question about a Run finds; None where the Run lacks what it needs, which it says as InputError."""
    try:
        return question()
    except InputError:
        return None


def table_html(table: TextTable, strips: Sequence[str] = ()) -> str:
    """Return a table that can be scrolled; the first cell of a row names it. All its text is escaped.

    `strips` are pictures as SVG, one for each row, which stand behind its name.
    """
    first, *others = [f"<th scope=col>{_text(cell)}</th>" if cell else "<td></td>" for cell in table.header]
    head = first + "<td></td>" * bool(strips) + "".join(others)
    pictured = [f"<td>{strip}</td>" for strip in strips] or [""] * len(table.rows)
    rows = "".join(
        f"<tr><th scope=row>{_text(name)}</th>{picture}{''.join(f'<td>{_text(cell)}</td>' for cell in cells)}</tr>"
        for (name, *cells), picture in zip(table.rows, pictured, strict=True)
    )
    return f"<div class=wide tabindex=0><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"


def _each(runs: Named, of: Callable[[Run], T | None], show: Callable[[T], str]) -> list[tuple[str, str]]:
    """Return what is shown of each Run that has an answer, with the Run's name."""
    return [(name, show(found)) for name, run in runs if (found := of(run)) is not None]


def _section(title: str, parts: Iterable[tuple[str, str]], *, named: bool) -> str:
    """Return a section with a part for each Run, under its name where there are several Runs."""
    shown = [(f"<h3>{_text(name)}</h3>" if named and name else "") + part for name, part in parts]
    return f"<section><h2>{_text(title)}</h2>{''.join(shown)}</section>" if shown else ""


def _shown(found: Shown) -> str:
    return table_html(found.table()) + _paragraphs(found.notes(), "note")


def _depth(found: Depth) -> str:
    if len(pictures.known_depths(found)) < 2:
        return _shown(found)
    said = "A depth is a point, with its 95% interval; the line across is recall order, of which nothing is reranked."
    return _pair(pictures.depth(found), said, found.table()) + _paragraphs(found.notes(), "note")


def _calibration(found: Calibration) -> str:
    said = "A bin of equally many candidates is a point, with its 95% interval; on the line, probabilities are right."
    return _shown(found) + _pair(pictures.reliability(found.bins), said, found.reliability())


STRIPS = (
    "A point is the value, on its 95% interval; the upright line is what a method without the bias has. Means share a "
    "scale, and differences another."
)


def _audits(found: Sequence[Audit]) -> str:
    """Return each question with its answer; what was audited is said where it is not the same everywhere."""
    several = len({one.about for one in found}) > 1
    parts = [_paragraphs([STRIPS], "note")]
    for one in found:
        about = [one.about] if several and one.about else []
        parts.append(f"<h3>{_text(one.question)}</h3>{_paragraphs(about, 'what')}{_paragraphs([one.sentence])}")
        parts.append(table_html(one.table(), pictures.intervals(one.rows)))
    return "".join(parts)


def _pareto(found: Pareto) -> str:
    said = "A Run is a point, with its 95% interval; those on the front are filled and joined."
    return _pair(pictures.pareto(found), said, found.table()) + _paragraphs(found.notes(), "note")


def _pair(picture: str, caption: str, table: TextTable) -> str:
    """Return a picture beside the table that says the same."""
    figure = f"<figure>{picture}<figcaption class=note>{_text(caption)}</figcaption></figure>"
    return f"<div class=pair>{figure}{table_html(table)}</div>"


def _paragraphs(sentences: Iterable[str], kind: str = "") -> str:
    opening = f"<p class={kind}>" if kind else "<p>"
    return "".join(f"{opening}{_text(sentence)}</p>" for sentence in sentences)


def _text(foreign: str) -> str:
    return html.escape(safe_for_console(foreign))
