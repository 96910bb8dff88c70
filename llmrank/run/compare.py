"""Compare Runs: differences paired on the users that all have, and every setting that differs."""

from __future__ import annotations

import html
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from difflib import unified_diff
from itertools import combinations
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from llmrank import stats
from llmrank.errors import InputError, count_of, flat_settings, safe_for_console
from llmrank.measures import Measure, RatingMeasure
from llmrank.prices import show_money
from llmrank.run.metrics import headline, measures_of, task_of
from llmrank.run.run import Run, run_of
from llmrank.run.tables import SIGNIFICANT, Shown, TextTable, between, in_words, number, optional, p_value, signed
from llmrank.run.usage import PER, money
from llmrank.types import Case, Outcome

if TYPE_CHECKING:
    import pandas

DROPPED_FIRST = ("p (t test)", "wins/ties/losses", "p", "d_z")
"""Columns dropped from a table that is too wide, in this order."""
ROLES = ("reference", "run")
SHOWN_USERS, SHOWN_DIFF_LINES, SHOWN_VALUE = 5, 40, 60
FROM_TEMPLATE = ("view.history", "view.ids", "view.domain", "top")
"""Settings that the template decides unless they are set."""
FEW_SETTINGS = 6
"""Settings that one Run lacks and that get a line each; more share one line."""


@dataclass(frozen=True, slots=True)
class PairedResult:
    """One measure of two Runs. Every difference is `run` minus `reference`, on the same Cases."""

    measure: str
    reference: str
    """Name of the earlier Run."""
    run: str
    reference_value: float | None
    value: float | None
    difference: float | None
    ci95: tuple[float, float] | None
    """95% interval of the difference over users (see `stats.paired_difference`); for RMSE and AUC, by a bootstrap."""
    p: float
    """Two-sided p-value of the paired randomisation test; for RMSE and AUC, of the bootstrap."""
    p_holm: float
    """`p`, corrected (Holm) for all measures and pairs of this comparison."""
    p_t: float | None
    """Two-sided p-value of the paired t test; None for RMSE and AUC, if only one of the two Runs orders anything (see
    `stats.difference_from_chance`), and for fewer than two users."""
    effect_size: float | None
    """Cohen's d_z; None for RMSE and AUC, for fewer than two users, and if all users differ by the same amount."""
    wins: int
    """Users for whom `run` is better. For AUC, undefined for a single user, wins, ties and losses are all 0."""
    ties: int
    losses: int
    lower_is_better: bool

    @property
    def significant(self) -> bool:
        """Whether the corrected p-value is below .05."""
        return self.p_holm < SIGNIFICANT


@dataclass(frozen=True, slots=True)
class CaseChange:
    """The headline measure of one Case in two Runs."""

    case_id: str
    user_id: str
    reference_value: float
    value: float

    @property
    def difference(self) -> float:
        """`value` minus `reference_value`."""
        return self.value - self.reference_value


@dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """The result of `compare`. It prints as a publishable table."""

    runs: tuple[str, ...]
    """Names of the Runs: their folders."""
    evaluation: str
    """The kind of evaluation that they share."""
    cases: int
    """Cases that all Runs have."""
    judged: int
    """Those of them whose truth is known; all values are over these."""
    users: int
    left_out: Mapping[str, int]
    """By Run: its finished Cases that another Run lacks."""
    unfinished: Mapping[str, int]
    """By Run: its Cases still to do. Only unfinished Runs are listed."""
    unread: Mapping[str, int]
    """By Run: the compared Cases that have no readable answer and count as worst. Only Runs with some are listed."""
    failed: Mapping[str, int]
    """By Run: those of them in which a call failed, for example because no endpoint answered."""
    results: tuple[PairedResult, ...]
    """A row per pair and measure."""
    settings: Mapping[str, tuple[object, ...]]
    """Settings that differ, each with its value in every Run (None: not set). Multi-line texts are left out."""
    template_diff: str
    """Unified diff of the prompt templates, from the first Run to each other Run; empty if they are equal."""
    headline: str
    changes: tuple[CaseChange, ...]
    """Cases whose headline measure changed between the first two Runs, largest change first."""
    currency: str | None
    costs: tuple[float, ...]
    """Money per 1,000 Cases, by Run; empty if it is not known of all in one currency."""
    bootstrapped: tuple[str, ...]
    """The measures that are no means: their intervals and p are from a bootstrap of users."""

    def table(self, width: int | None = None) -> TextTable:
        """Return the results as a table; to fit `width` it drops columns, never digits."""
        several = len(self.runs) > 2
        test = ("difference", "95% CI", "p", "p (Holm)", "p (t test)", "d_z", "wins/ties/losses")
        rows = [
            (
                *((f"{one.run} − {one.reference}",) if several else ()),
                one.measure + (" (lower is better)" if one.lower_is_better else ""),
                number(one.reference_value),
                number(one.value),
                signed(one.difference) + ("*" if one.significant else ""),
                between(one.ci95, sign=True),
                *(p_value(p) for p in (one.p, one.p_holm, one.p_t)),
                signed(one.effect_size, 2),
                f"{one.wins}/{one.ties}/{one.losses}" if one.wins + one.ties + one.losses else "–",
            )
            for one in self.results
        ]

        def named(reference: str, run: str) -> TextTable:
            header = (*(("runs",) if several else ()), "measure", reference, run, *test)
            return TextTable(header, tuple(rows)).fitting(width, DROPPED_FIRST)

        if several:
            return named(*ROLES).fitting(width, ROLES).folded(width)
        table = named(*self.runs)
        # The names of two Runs may be wider than the numbers.
        return table if width is None or table.width <= width else named(*ROLES)

    def verdict(self) -> list[str]:
        """Return a sentence per pair: which Run is better by the headline measure."""
        return [
            f"{one.measure}: {in_words(one, one.lower_is_better, one.reference, one.run, alike)}"
            for one in self.results
            if one.measure == self.headline and one.difference is not None
            for alike in ["" if one.wins or one.losses or not one.ties else f"all {count_of(one.ties, 'user')}"]
        ]

    def notes(self) -> tuple[str, ...]:
        """Return the notes that belong below the table, in sentences."""
        counted = count_of(self.cases, "Case")
        if self.users != self.cases:
            counted += f" of {count_of(self.users, 'user')}"
        if self.judged < self.cases:
            unknown = count_of(self.cases - self.judged, "of the Cases has", "of the Cases have")
            counted += f" ({unknown} no known truth, and no measure counts them)"
        left_out = {name: count for name, count in self.left_out.items() if count}
        bootstrap = f" (of {', '.join(self.bootstrapped)} from a bootstrap of users)" if self.bootstrapped else ""
        tests = [one.p_t for one in self.results if one.measure not in self.bootstrapped]
        chance = "A Run that orders nothing is compared like `random`: p is the larger one of two tests; no t test."
        return (
            f"{counted}, {self.evaluation}; paired on users. * p (Holm) < .05.",
            f"p: paired randomisation test{bootstrap}; Holm: corrected for all measures and pairs; d_z: Cohen's effect "
            "size; wins, ties and losses: users.",
            *([chance] if self.users > 1 and None in tests else ()),
            *self._cost(),
            *(
                f"{name}: no readable answer in {count:,} of {count_of(self.cases, 'Case')}"
                + (f" (in {self.failed[name]:,}, a call failed)" if name in self.failed else "")
                + ", counted as worst."
                for name, count in self.unread.items()
            ),
            *(
                f"Left out, because another Run lacks them: {count_of(count, 'Case')} of {name}."
                for name, count in left_out.items()
            ),
            *(
                f"{name} is unfinished: {count_of(count, 'Case is', 'Cases are')} not done."
                for name, count in self.unfinished.items()
            ),
        )

    def _cost(self) -> Iterator[str]:
        if self.currency is not None:
            amounts = (show_money(cost, self.currency) for cost in self.costs)
            each = (f"{name} {amount}" for name, amount in zip(self.runs, amounts, strict=True))
            yield f"Cost per {PER:,} Cases: {', '.join(each)}."

    def to_pandas(self) -> pandas.DataFrame:
        """Return a row per result; raises MissingError without pandas."""
        frame = optional("pandas", "pandas", "a DataFrame")
        return frame.DataFrame([asdict(one) for one in self.results])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return asdict(self) | {"changes": [asdict(one) | {"difference": one.difference} for one in self.changes]}

    def plot(self) -> Any:  # noqa: ANN401 - matplotlib has no types
        """Return a matplotlib figure of the differences and their intervals; raises MissingError without matplotlib."""
        pyplot = optional("matplotlib.pyplot", "matplotlib", "a plot")
        figure, axes = pyplot.subplots(figsize=(7, 1 + 0.4 * len(self.results)), layout="constrained")
        several = len(self.runs) > 2
        for place, one in enumerate(reversed(self.results)):
            if one.difference is not None and one.ci95 is not None:
                errors = [[one.difference - one.ci95[0]], [one.ci95[1] - one.difference]]
                axes.errorbar(one.difference, place, xerr=errors, fmt="o", capsize=3, color="C0")
        names = [f"{one.measure}: {one.run} − {one.reference}" if several else one.measure for one in self.results]
        # A name between two $ would be read as a formula.
        axes.set_yticks(range(len(names)), [name.replace("$", r"\$") for name in names[::-1]])
        axes.axvline(0, color="0.6", linewidth=1)
        label = "difference" if several else f"{self.runs[1]} − {self.runs[0]}, with 95% interval"
        axes.set_xlabel(label.replace("$", r"\$"))
        return figure

    def _lines(self, width: int | None = None, first: Sequence[str] = ()) -> Iterator[str]:
        for sentence in (*first, *self.notes()):
            yield _filled(sentence, width)
        if self.settings:
            yield "\nSettings that differ"
            absent = {name: self._absent_settings(place) for place, name in ((0, self.runs[0]), (-1, self.runs[-1]))}
            for name, values in self.settings.items():
                if not any(name in some for some in absent.values()):
                    shown = (safe_for_console(_shortened(setting_text(value, name))) for value in values)
                    yield f"  {name}: {' → '.join(shown)}"
            for run, some in absent.items():
                if any(name.startswith("backend.") for name in some):
                    yield _filled(f"  {run} makes no model calls: it has no settings of prompt and model", width)
                elif some:
                    yield _filled(f"  not set in {run}: {', '.join(sorted(some))}", width)
        if lines := self.template_diff.splitlines():
            yield ""
            yield from map(safe_for_console, lines[:SHOWN_DIFF_LINES])
            if len(lines) > SHOWN_DIFF_LINES:
                yield f"… {count_of(len(lines) - SHOWN_DIFF_LINES, 'more line')}"
        if self.changes:
            who = "Users" if all(one.case_id == one.user_id for one in self.changes) else "Cases"
            changed = f"{who} whose {self.headline} changed most, from {self.runs[0]} to {self.runs[1]}"
            yield f"\n{_filled(changed, width)}"
            for one in self.changes[:SHOWN_USERS]:
                name = one.case_id if one.case_id == one.user_id else f"{one.user_id} ({one.case_id})"
                values = f"{number(one.reference_value)} → {number(one.value)}"
                yield f"  {safe_for_console(name)}: {values} ({signed(one.difference)})"

    def _absent_settings(self, place: int) -> set[str]:
        """Return the settings that a Run lacks, if they are many: a baseline has no prompt and no model."""
        absent = {name for name, values in self.settings.items() if values[place] is None}
        return absent if len(absent) > FEW_SETTINGS else set()

    def text(self, width: int | None = None) -> str:
        """Return everything as plain text, fitted to `width` if given."""
        table = self.table(width)
        first, second = self.runs[:2]
        roles = () if len(self.runs) > 2 or first in table.header else (f"reference: {first}; run: {second}.",)
        verdict = (_filled(sentence, width) for sentence in self.verdict())
        said = (*table.left_out(self.table(), (*DROPPED_FIRST, *ROLES)), *roles)
        return "\n".join([*verdict, "", str(table), "", *self._lines(width, said)])

    def _repr_html_(self) -> str:
        verdict = "".join(f"<p><b>{html.escape(sentence)}</b></p>" for sentence in self.verdict())
        return f"{verdict}{self.table().to_html()}<pre>{html.escape(chr(10).join(self._lines()))}</pre>"


def compare(
    run: Run | str | Path,
    other: Run | str | Path,
    *more: Run | str | Path,
    measures: str | Sequence[str | Measure] | None = None,
) -> Comparison:
    """Compare each pair of Runs on the Cases that all have. A difference is the later Run minus the earlier one.

    Args:
        run: A Run or its folder; so are the others.
        other: The Run to compare it with.
        more: Further Runs.
        measures: A comma-separated list such as `NDCG@10,MRR`, or a list of such texts and Measure objects; by default,
            those that all Runs chose.

    Raises InputError if the Runs have no Case in common, or if they differ in evaluation kind, split, rating scale or
    candidates; the error names the difference.
    """
    runs = [run_of(one) for one in (run, other, *more)]
    names, cases = shared_cases(runs)
    chosen = chosen_measures(runs, measures)
    main = headline(chosen, cases)
    named = list(zip(names, runs, strict=True))
    results = [
        _paired(measure, *first, *second, cases) for first, second in combinations(named, 2) for measure in chosen
    ]
    corrected = stats.holm([one.p for one in results])
    currency, costs = money(runs) or (None, [])
    rankings = {name: [one.records[case.case_id].ranking for case in cases] for name, one in named}
    unread = {name: sum(not ranking.answered for ranking in some) for name, some in rankings.items()}
    failed = {name: sum(ranking.outcome is Outcome.ERROR for ranking in some) for name, some in rankings.items()}
    return Comparison(
        runs=names,
        evaluation=runs[0].metric_settings.evaluation,
        cases=len(cases),
        judged=int(runs[0].judged(cases).judged.sum()),
        users=len({case.user_id for case in cases}),
        left_out={name: len(one.done) - len(cases) for name, one in named},
        unfinished={name: one.unfinished for name, one in named if one.unfinished},
        unread={name: count for name, count in unread.items() if count},
        failed={name: count for name, count in failed.items() if count},
        results=tuple(replace(one, p_holm=p) for one, p in zip(results, corrected, strict=True)),
        settings=different_settings(runs),
        template_diff=_template_diff(runs, names),
        headline=str(main),
        changes=_changes(main, runs[0], runs[1], cases),
        currency=currency,
        costs=tuple(costs),
        bootstrapped=tuple(str(one) for one in chosen if isinstance(one, RatingMeasure) and not one.is_mean),
    )


def shared_cases(runs: Sequence[Run]) -> tuple[tuple[str, ...], list[Case]]:
    """Return a name for each Run, and the Cases that all have; raises InputError like `compare`."""
    names, first, cases = _names(runs), runs[0], done_in_all(runs)
    for later, name in zip(runs[1:], names[1:], strict=True):
        _refuse_incomparable(first, names[0], later, name, [case.case_id for case in cases])
    if not cases:
        if set.intersection(*({case.case_id for case in run.cases} for run in runs)):
            raise next(run for run in runs if run.unfinished).not_finished()
        raise InputError("the Runs have no Case in common", path=first.path, hint="compare Runs on the same data")
    return names, cases


def done_in_all(runs: Collection[Run]) -> list[Case]:
    """Return the Cases that all Runs have finished, taken from the first Run."""
    shared = set.intersection(*({case.case_id for case in run.done} for run in runs))
    return [case for case in next(iter(runs)).done if case.case_id in shared]


def _paired(
    measure: Measure, reference_name: str, reference: Run, name: str, run: Run, cases: Sequence[Case]
) -> PairedResult:
    """Return one measure of two Runs on the same Cases, with an uncorrected p-value."""
    before, after = reference.judged(cases), run.judged(cases)
    found = measure.difference(after, before, [case.user_id for case in cases])
    wins, losses = (found.lower, found.higher) if measure.lower_is_better else (found.higher, found.lower)
    return PairedResult(
        measure=str(measure),
        reference=reference_name,
        run=name,
        reference_value=stats.finite(measure.value(before)),
        value=stats.finite(measure.value(after)),
        difference=stats.finite(found.difference),
        ci95=found.ci95,
        p=found.p,
        p_holm=found.p,
        p_t=stats.finite(found.p_t),
        effect_size=stats.finite(found.effect_size),
        wins=wins,
        ties=found.equal,
        losses=losses,
        lower_is_better=measure.lower_is_better,
    )


def chosen_measures(runs: Sequence[Run], measures: str | Sequence[str | Measure] | None) -> tuple[Measure, ...]:
    """Return the measures; by default, those that all Runs chose. Raises InputError if there are none."""
    if measures is None:
        others = [set(one.metric_settings.measures) for one in runs[1:]]
        measures = [m for m in runs[0].metric_settings.measures if all(m in other for other in others)]
    if not measures:
        raise InputError("the Runs have no measure in common", field="measures", hint="name some, such as NDCG@10,MRR")
    order_only = any(one.order_only for one in runs)
    return measures_of(measures, task_of(runs[0].cases), order_only=order_only)


def _names(runs: Sequence[Run]) -> tuple[str, ...]:
    """Name each Run by the shortest path suffixes that are all different."""
    paths = [run.path.resolve() for run in runs]
    if len(set(paths)) < len(paths):
        raise InputError("the same Run is given twice", path=runs[0].path, hint="name different Runs")
    parts = 1
    while len(set(names := tuple("/".join(path.parts[-parts:]) for path in paths))) < len(paths):
        parts += 1
    return names


def _refuse_incomparable(run: Run, name: str, other: Run, other_name: str, shared: Sequence[str]) -> None:
    """Raise InputError if two Runs differ in something that makes their results incomparable."""
    for (what, case_id, mine), (_, _, theirs) in zip(_fixed(run, shared), _fixed(other, shared), strict=True):
        if mine != theirs and None not in (mine, theirs):
            data = tuple(one.settings.get("data") for one in (run, other))
            if what == "rating scales" and data[0] != data[1]:
                what, (mine, theirs) = "data sets", data
            values = f"{name} has {mine}, {other_name} has {theirs}"
            difference = f"{name} and {other_name} differ, first in Case {case_id!r}" if case_id else values
            problem = f"results with different {what} are not comparable: {difference}"
            hint = "evaluate both with the same data, split, recall model and -k, or on the same candidate file"
            raise InputError(problem, path=other.path, hint=hint)


def _fixed(run: Run, shared: Sequence[str]) -> Iterator[tuple[str, str, object]]:
    """Yield what must be equal in comparable Runs: a name, a case id (or an empty string), and the value."""
    yield "evaluation kinds", "", run.metric_settings.evaluation.partition("(")[0]
    yield "splits", "", run.settings.get("split")
    yield "rating scales", "", run.metric_settings.scale
    cases = {case.case_id: case for case in run.done}
    for case in map(cases.__getitem__, shared):
        yield "users", case.case_id, case.user_id
        yield "candidates", case.case_id, {item.item_id for item in case.asked}
        yield "relevant items", case.case_id, case.gain_of
        yield "ratings", case.case_id, (case.rating,)


def different_settings(runs: Sequence[Run]) -> dict[str, tuple[object, ...]]:
    """Return the settings in which the Runs differ, by name, with the value of each Run; without texts and hashes."""
    flat = [flat_settings(one.settings) for one in runs]
    names = sorted({name for one in flat for name in one if not name.endswith("_sha256")})
    values = {name: tuple(one.get(name) for one in flat) for name in names}
    texts = {name for name, given in values.items() if any("\n" in value for value in given if isinstance(value, str))}
    return {
        name: given for name, given in values.items() if name not in texts and any(value != given[0] for value in given)
    }


def _template_diff(runs: Sequence[Run], names: Sequence[str]) -> str:
    lines: list[str] = []
    for later, name in zip(runs[1:], names[1:], strict=True):
        for key in ("template", "profile_template", "first_template"):
            before, after = (str(one.settings.get(key) or "").splitlines() for one in (runs[0], later))
            if bool(before) == bool(after):
                lines += unified_diff(before, after, f"{names[0]}: {key}", f"{name}: {key}", lineterm="", n=2)
            else:
                said = f"only {names[0] if before else name} has a {key.replace('_', ' ')}"
                lines += [] if said in lines else [said]
    return "\n".join(lines)


def _changes(measure: Measure, run: Run, other: Run, cases: Sequence[Case]) -> tuple[CaseChange, ...]:
    before, after = (measure.per_case(one.judged(cases)) for one in (run, other))
    size = np.nan_to_num(np.abs(after - before))
    order = [place for place in np.argsort(-size, kind="stable").tolist() if size[place] > stats.TIE]
    changed = ((cases[place], float(before[place]), float(after[place])) for place in order)
    return tuple(CaseChange(case.case_id, case.user_id, was, now) for case, was, now in changed)


def _filled(sentence: str, width: int | None) -> str:
    return sentence if width is None else fill(sentence, width, break_on_hyphens=False)


def setting_text(value: object, name: str = "") -> str:
    """Return a setting's value in readable form."""
    if value is None and name in FROM_TEMPLATE:
        return "as in the template"
    return "not set" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN_VALUE else f"{text[: SHOWN_VALUE - 1]}…"
