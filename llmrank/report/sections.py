"""The static parts of the page: the verdict, groups, depth, calibration, audits and costs."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from llmrank.audit import Audit, popularity, position
from llmrank.errors import InputError, count_of, expect, safe_for_console
from llmrank.report import pictures
from llmrank.report.terminal import bounds
from llmrank.run.calibration import Calibration, WithReliability
from llmrank.run.compare import Comparison, setting_text
from llmrank.run.depth import Depth
from llmrank.run.groups import WAYS, Groups
from llmrank.run.metrics import Metrics, task_of
from llmrank.run.pareto import Pareto
from llmrank.run.run import Run
from llmrank.run.tables import Shown, TextTable

T = TypeVar("T")
Named = Sequence[tuple[str, Run]]
"""The Runs with their names on the page."""


def summary(runs: Named, comparison: Comparison | None) -> str:
    """Return the head of the page: the verdict, the table of metrics, and the notes; of several Runs, also of each."""
    if comparison is not None:
        numbers, what, remarks, notes = comparison, _compared(runs, comparison), (), comparison.notes()
        judged = comparison.judged
    else:
        ((_, run),) = runs
        numbers, notes, judged = run.metrics, (), run.metrics.judged_cases
        what = (
            f"{run.title}: {count_of(numbers.cases, 'Case')} of {count_of(numbers.users, 'user')}, {numbers.evaluation}"
        )
        remarks = _remarks(numbers)
    first, *rest = numbers.verdict() or [count_of(numbers.cases, "Case")]
    if numbers.headline and first.startswith(f"{numbers.headline}:"):
        first += f", in {count_of(judged, 'Case')}"
    said = _paragraphs([what], "what") + f"<h1>{_text(first)}</h1>" + _paragraphs((*rest, *remarks))
    beside = _section(
        "Each Run compared with its baselines",
        _each(runs, lambda run: run.metrics, _own) if comparison else (),
        named=True,
    )
    return said + table_html(numbers.table()) + _paragraphs(notes) + _reading(runs) + beside


def _compared(runs: Named, comparison: Comparison) -> str:
    """Return what each Run is, and in which settings it differs from the first: `e1 (rankgpt, toy) → e2 (rankgpt, toy,
    order recall): 60 Cases of ml-100k`. What only one of two methods can have says nothing beyond their names."""
    data = {run.settings.get("data") for _, run in runs}
    of = f" of {data.pop()}" if len(data) == 1 else ""
    titles = [run.title.replace(f" on {run.settings.get('data')}", "", 1) if of else run.title for _, run in runs]
    parts: list[str] = []
    for place, (name, _) in enumerate(runs):
        own = [
            f"{key} {setting_text(values[place])}"
            for key, values in comparison.settings.items()
            if values[place] not in (values[0], None) and key.partition(".")[0] not in IN_TITLE
            if values[0] is not None or titles[place] == titles[0]
        ]
        more = [count_of(len(own) - 3, "more setting")] if len(own) > 3 else []
        parts.append(f"{name} ({', '.join([titles[place], *own[:3], *more])})")
    return f"{' → '.join(parts)}: {count_of(comparison.cases, 'Case')}{of}"


IN_TITLE = ("answer", "backend", "data", "evaluation", "prompt", "ranker")
"""Settings that the title of a Run says, or that follow from it."""


def _own(found: Metrics) -> str:
    """Return a Run's own part among several: all its Cases count, also those that the other Runs lack."""
    counted = f"{count_of(found.cases, 'Case')} of {count_of(found.users, 'user')}."
    return _paragraphs([counted, *found.verdict()]) + table_html(found.table()) + _paragraphs(_remarks(found), "note")


def _remarks(found: Metrics) -> tuple[str, ...]:
    """Return the notes of a Run, what recall limits, and the power."""
    return (*found.remarks, *(f"{name.capitalize()}: {text}." for name, text in bounds(found)))


HOW_TO_READ = {
    "Case": "One user with a history, candidates (or an item to rate), and what the user did next.",
    "value": "Covers all Cases; one without a readable answer counts as worst.",
    "answered only": "The value without the Cases that have no readable answer.",
    "worst to best": "Bounds the value: whatever the model left open counts against it, or for it.",
    "95% CI": "The 95% interval of a value or a difference, over users. It is not corrected for several measures, so "
    "it may exclude 0 where p (Holm) is .05 or more; with few users it may include 0 where p is below .05.",
    "p (Holm)": "From a paired randomisation test over users (for RMSE and AUC, a bootstrap of users), corrected for "
    "the measures shown. A difference is significant below .05.",
    "random": "The exact expectation of a random order. Tied items count as in random order.",
    "popularity": "Ranks by training events.",
    "recall order": "The order in which the recall stage proposed the candidates.",
    "ceiling": "The value of a perfect ranking of these lists.",
    "user mean": "Predicts the mean of the user's training ratings; item mean, that of the item's; global mean, that "
    "of all.",
}
"""What the columns of a Run's table mean; those of other names are left out."""


def _reading(runs: Named) -> str:
    """Return what the columns of the Runs' tables mean."""
    shown = {"Case", "p (Holm)"}.union(*(run.metrics.table().header for _, run in runs))
    terms = ((name, meaning) for name, meaning in HOW_TO_READ.items() if name in shown)
    meanings = "".join(f"<dt>{_text(name)}</dt><dd>{_text(meaning)}</dd>" for name, meaning in terms)
    return f"<details><summary>How to read this</summary><dl>{meanings}</dl></details>"


def sections(runs: Named, pareto: Pareto | None, audits: Sequence[Audit], by: Sequence[str]) -> str:
    """Return the other analyses of finished Runs, a section each; sections without a result are left out.

    `audits` are shown after those that need only a Run; `by` names extra columns of the Cases to group by.
    """
    refuse_parts(runs, audits, by)
    ranked, rated = ranked_runs(runs), rated_runs(runs)
    recalled = [(name, run) for name, run in recalled_runs(runs) if run.metrics.judged_cases]
    own = [(name if len(runs) > 1 else one.about, one) for name, run in ranked for one in audits_of(run)]
    known = [audit for _, audit in own]
    asked = [*own, *((one.about, one) for one in dict.fromkeys(audits) if one not in known)]
    found = (
        ("Gains by group", [(name, _shown(groups_of(run, by))) for name, run in recalled]),
        ("Reranking only the first candidates", [(name, _depth(run.depth())) for name, run in recalled]),
        ("Are the scores calibrated probabilities?", _each(ranked, calibration_of, _calibration)),
        ("Are the predictions calibrated?", _each(rated, lambda run: answer_or_none(run.calibration), _with_bins)),
        (
            "What the predicted ratings add to the user and item means",
            _each(rated, lambda run: answer_or_none(run.personal), _shown),
        ),
        ("Audits", [("", _audits(asked))] if asked else []),
        ("Quality and cost", [("", _pareto(pareto))] if pareto and can_be_drawn(pareto) else []),
        ("Calls, tokens and seconds per Case", _each(runs, lambda run: answer_or_none(run.usage), _shown)),
    )
    return "".join(_section(title, parts, named=len(runs) > 1) for title, parts in found)


def ranked_runs(runs: Named) -> Named:
    """Return the ranking Runs that have a measure."""
    return [(name, run) for name, run in runs if task_of(run.cases) == "ranking" and run.metrics.headline]


def rated_runs(runs: Named) -> Named:
    """Return the rating Runs."""
    return [(name, run) for name, run in runs if task_of(run.cases) == "rating"]


def has_errors(run: Run) -> bool:
    """Return whether a rating Run predicts ratings on the scale of the true ones, and not only their order (AUC)."""
    headline = run.metrics.headline
    return headline is not None and run.metrics[headline].lower_is_better


def recalled_runs(runs: Named) -> Named:
    """Return the ranking Runs that can be compared with recall order."""
    return [(name, run) for name, run in ranked_runs(runs) if run.metrics.has_recall_order]


def groups_of(run: Run, by: Sequence[str]) -> Groups:
    """Return a Run's groups: those of any Run, and by these columns of its Cases."""
    return run.groups(by=(*WAYS, *((by,) if isinstance(by, str) else by)))


def audits_of(run: Run) -> list[Audit]:
    """Return the audits that need only a finished Run; `position` needs a prompt."""
    questions = (position, popularity) if run.metrics.usage.requests else (popularity,)
    found = [answer_or_none(partial(question, run)) for question in questions]
    return [one for one in found if one is not None]


def can_be_drawn(found: Pareto) -> bool:
    """Return whether at least two Runs have a known value and cost, and any cost is above 0."""
    return len(found.known) > 1 and found.spread > 0


def calibration_of(run: Run) -> Calibration | None:
    """Return the calibration of a model's scores; None if there are none, or too few Cases.

    Scores of methods that ask no model, such as event counts, are not meant as probabilities.
    """
    found = answer_or_none(run.calibration) if run.metrics.usage.requests else None
    return found if isinstance(found, Calibration) else None


def refuse_parts(runs: Named, audits: Iterable[Audit], by: Sequence[str]) -> None:
    """Raise InputError for what is no audit; also if Cases are to be grouped, and no Run has gains over recall order to
    show by group."""
    expect(audits, Iterable, "a list of audits, such as those of `read_audit`", "audits")
    for audit in audits:
        expect(audit, Audit, "a list of audits, such as those of `read_audit`", "audits")
    if by and not recalled_runs(runs):
        problem = "none of the Runs can be compared with recall order, so they have no gains by group"
        raise InputError(problem, field="by", hint="omit it")


def answer_or_none(question: Callable[[], T]) -> T | None:
    """Return the result of an analysis, or None if it raises InputError because the Run lacks what it needs."""
    try:
        return question()
    except InputError:
        return None


def table_html(table: TextTable, strips: Sequence[str] = ()) -> str:
    """Return a scrollable table (see `TextTable.to_html`)."""
    return f"<div class=wide tabindex=0>{table.to_html(strips)}</div>"


def _each(runs: Named, of: Callable[[Run], T | None], show: Callable[[T], str]) -> list[tuple[str, str]]:
    """Return the name and the HTML of each Run that has a result."""
    return [(name, show(found)) for name, run in runs if (found := of(run)) is not None]


def _section(title: str, parts: Iterable[tuple[str, str]], *, named: bool) -> str:
    """Return a section with a part per Run, each under its name if there are several Runs."""
    shown = [(f"<h3>{_text(name)}</h3>" if named and name else "") + part for name, part in parts]
    return f"<section><h2>{_text(title)}</h2>{''.join(shown)}</section>" if shown else ""


def _shown(found: Shown) -> str:
    return table_html(found.table()) + _paragraphs(found.notes(), "note")


def _depth(found: Depth) -> str:
    if len(pictures.known_depths(found)) < 2:
        return _shown(found)
    caption = (
        "Each point is a number of reranked candidates, with its 95% interval. The horizontal line is recall order."
    )
    return _pair(pictures.depth(found), caption, found.table()) + _paragraphs(found.notes(), "note")


def _with_bins(found: WithReliability) -> str:
    return _shown(found) + table_html(found.reliability())


def _calibration(found: Calibration) -> str:
    caption = (
        "Each point is a bin of equally many candidates, with its 95% interval. Points on the line are calibrated."
    )
    return _shown(found) + _pair(pictures.reliability(found.bins), caption, found.reliability())


STRIPS = (
    "Each point is a value with its 95% interval; the vertical line is the value for a method without the bias. In "
    "each table the values that are tested, with a p, share one scale, and the others another."
)


def _audits(found: Sequence[tuple[str, Audit]]) -> str:
    """Return each question with its answer; what was audited, which is its name, is shown if it differs."""
    several = len({name for name, _ in found}) > 1
    parts = [_paragraphs([STRIPS], "note")]
    for name, one in found:
        about = [name] if several and name else []
        parts.append(f"<h3>{_text(one.question)}</h3>{_paragraphs(about, 'what')}{_paragraphs([one.sentence])}")
        parts.append(table_html(one.table(), pictures.intervals(one.rows)))
    return "".join(parts)


def _pareto(found: Pareto) -> str:
    caption = "Each point is a Run, with its 95% interval. Filled points, joined by the line, are on the Pareto front."
    return _pair(pictures.pareto(found), caption, found.table()) + _paragraphs(found.notes(), "note")


def _pair(picture: str, caption: str, table: TextTable) -> str:
    """Return a picture next to a table of the same data."""
    figure = f"<figure>{picture}<figcaption class=note>{_text(caption)}</figcaption></figure>"
    return f"<div class=pair>{figure}{table_html(table)}</div>"


def _paragraphs(sentences: Iterable[str], kind: str = "") -> str:
    opening = f"<p class={kind}>" if kind else "<p>"
    return "".join(f"{opening}{_text(sentence)}</p>" for sentence in sentences)


def _text(foreign: str) -> str:
    return html.escape(safe_for_console(foreign))
