"""The Run object: everything about a finished evaluation, read from its folder alone."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from llmrank.data.candidates import read_cases
from llmrank.data.rows import Arrow
from llmrank.errors import InputError, as_path, count_of, expect, nearest, safe_for_console
from llmrank.measures import Judgements, Measure, Ratings
from llmrank.measures.judgements import places_of
from llmrank.rankers.order import Order
from llmrank.run.beyond import BeyondAccuracy, beyond_accuracy
from llmrank.run.calibration import Calibration, RatingCalibration, calibration, rating_calibration
from llmrank.run.depth import Depth, depth
from llmrank.run.export import ExportFormat, export
from llmrank.run.folder import (
    CASES,
    EVALUATION,
    METRICS,
    REPEAT,
    SHOT,
    SHOTS,
    again,
    check_file,
    check_records,
    read_manifest,
    read_part,
    read_records,
)
from llmrank.run.groups import Groups, groups
from llmrank.run.metrics import (
    USUAL_CUTOFF,
    Metrics,
    MetricSettings,
    in_recall_order,
    judge,
    measures_of,
    metrics,
    predicts_order,
    task_of,
    the_measure,
)
from llmrank.run.personal import Personal, personal
from llmrank.run.record import CaseRecord
from llmrank.run.tables import Shown, TextTable, number, optional
from llmrank.run.usage import RunUsage, usage
from llmrank.stats import Values
from llmrank.types import Case, Item, Ranking

if TYPE_CHECKING:
    import pandas

    from llmrank.run.tracking import Tracker

RANKER = re.compile(r"""^ranker: *["']?(\w+)""", re.MULTILINE)
"""The method that a template names."""
UNNAMED = ("listwise", "pointwise")
"""The methods of templates that name none."""
HISTORY_SHOWN = 10
"""How many of the newest events a printed story shows."""


@dataclass(frozen=True)
class Run:
    """A finished or interrupted evaluation. `print(run)` shows its metrics, `print(run["42"])` one user's story."""

    path: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @property
    def title(self) -> str:
        """A description of what was evaluated: prompt, method (if not the prompt's own), data, model and adapter."""
        known, backend = self.settings, self.settings.get("backend") or {}
        model = backend.get("model")
        if adapter := backend.get("adapter"):  # of vLLM FOLDER@HASH
            model = f"{model} + adapter {Path(adapter).name.partition('@')[0]}"
        method = known.get("prompt") or known.get("ranker") or f"answers read as {known.get('answer')}"
        own = RANKER.search(known.get("template") or "")
        if (ranker := known.get("ranker", method)) not in (method, *(own.groups() if own else UNNAMED)):
            method += f" ({ranker})"
        if "prompt_edited" in known:
            method += f" (edited, {known['template_sha256'][:8]})"
        return f"{method} on {known.get('data')}" + (f", {model}" if model else "")

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """Everything that can affect the result: data, split, prompt text, method, model, seed, versions."""
        return read_manifest(self.path)["settings"]

    @cached_property
    def sessions(self) -> Sequence[Mapping[str, Any]]:
        """What each session did and spent, oldest first."""
        return read_manifest(self.path)["sessions"]

    @cached_property
    def metric_settings(self) -> MetricSettings:
        """How the metrics are computed, and what the baselines know about the training data."""
        found = read_part(self.path / EVALUATION, MetricSettings.from_dict, REPEAT)
        check_file(self.path, EVALUATION, again(EVALUATION))
        return found

    @cached_property
    def metrics(self) -> Metrics:
        """The metrics. Raises InputError if the Run is not finished."""
        if not (self.path / METRICS).exists():
            raise self.not_finished()
        found = read_part(self.path / METRICS, Metrics.from_dict, REPEAT)
        check_file(self.path, METRICS, REPEAT)
        return found

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        """All Cases as evaluated, in a fixed order."""
        if not (path := self.path / CASES).is_file():
            raise InputError(f"the Run is incomplete: {CASES} is missing", path=self.path, hint="copy the whole folder")
        check_file(self.path, CASES, again(CASES))
        return tuple(read_cases(path, truth="read", keep=True))

    @cached_property
    def shots(self) -> Mapping[str, tuple[Case, ...]]:
        """The solved examples shown with each Case, by case id; empty if there were none."""
        found: dict[str, tuple[Case, ...]] = {}
        if (self.path / SHOTS).exists():
            for shot in read_cases(self.path / SHOTS, truth="read"):
                case_id = shot.case_id.rpartition(SHOT)[0]
                found[case_id] = (*found.get(case_id, ()), shot)
        return found

    @cached_property
    def records(self) -> Mapping[str, CaseRecord]:
        """The ranking and the answers of each finished Case, by case id. Raises InputError for those of another Run."""
        found = read_records(self.path)
        check_records(self.path, found, self.cases)
        return found

    @cached_property
    def done(self) -> tuple[Case, ...]:
        """The Cases that have a record, in the order of `cases`."""
        return tuple(case for case in self.cases if case.case_id in self.records)

    @property
    def order_only(self) -> bool:
        """Whether its predictions only order the items, as yes/no answers do where ratings are 1 to 5. Then AUC is the
        only measure."""
        return predicts_order(self.settings.get("answer"), task_of(self.cases), self.metric_settings.scale)

    @property
    def unfinished(self) -> int:
        """The number of Cases still to do."""
        return len(self.cases) - len(self.done)

    def __len__(self) -> int:
        return len(self.cases)

    def __contains__(self, name: object) -> bool:
        """Return whether a Case or a user has this id, so that `run[name]` finds it."""
        return any(str(name) in (case.case_id, case.user_id) for case in self.cases)

    def __iter__(self) -> Iterator[CaseStory]:
        return (self._story(case) for case in self.done)

    def __getitem__(self, name: str | int) -> CaseStory:
        """Return the story of a Case by its case id, or by its user id if that user has a single Case; 42 means "42".

        Raises InputError for an unknown name, a user with several Cases, or an unfinished Case.
        """
        name = str(name)
        found = [case for case in self.cases if case.case_id == name] or [c for c in self.cases if c.user_id == name]
        if not found:
            known = nearest(name, [case.case_id for case in self.cases])
            hint = f"its first Case is {self.cases[0].case_id!r}"
            raise InputError(f"the Run has no Case or user {name!r}{known}", path=self.path, hint=hint)
        if len(found) > 1:
            ids = ", ".join(case.case_id for case in found[:5])
            raise InputError(f"the user has {len(found)} Cases", path=self.path, user=name, hint=f"name one: {ids}")
        if found[0].case_id not in self.records:
            hint = "repeat the command that made the Run to continue it"
            raise InputError("this Case is not done yet", path=self.path, user=name, hint=hint)
        return self._story(found[0])

    def measure(self, measures: str | Sequence[str | Measure]) -> Metrics:
        """Return the metrics for other measures: a text such as `NDCG@1..50,MRR`, or a list of texts and Measures.

        They are computed from the stored records, so neither a model nor a data set is needed.

        Raises InputError for an unfinished Run, an unknown measure, one of the other task, or an error of yes/no
        answers (see `order_only`).
        """
        chosen = measures_of(measures, task_of(self.cases), order_only=self.order_only)
        usage = self.metrics.usage  # raises if the Run is not finished
        if len(self.done) < len(self.cases):  # finished once, but has lost records since
            raise self.not_finished()
        return replace(metrics(self.cases, self.records, replace(self.metric_settings, measures=chosen)), usage=usage)

    def judged(self, cases: Sequence[Case]) -> Judgements | Ratings:
        """Return the rankings or ratings of these finished Cases, judged by their truth: the input of measures."""
        rankings = [self.records[case.case_id].ranking for case in cases]
        return judge(cases, rankings, self.metric_settings.scale)

    def per_case(self, measure: str | Measure, cases: Sequence[Case] | None = None) -> Values:
        """Return the measure for each of the Cases (default: all), as float64[cases].

        NaN marks Cases that are not done or whose truth is unknown. RMSE and MAE give the absolute error; AUC is
        undefined for a single Case (NaN). Raises InputError as `measure` does for a measure.
        """
        cases = self.cases if cases is None else _given(cases)
        done = [case for case in cases if case.case_id in self.records]
        values = np.full(len(cases), np.nan)
        chosen = the_measure(measure, task_of(self.cases), order_only=self.order_only)
        known = chosen.per_case(self.judged(done))
        values[[case.case_id in self.records for case in cases]] = known
        return values

    def not_finished(self) -> InputError:
        """Return the error that says how far an interrupted Run has come."""
        done = f"{len(self.done):,} of {count_of(len(self.cases), 'Case')} done"
        problem = f"the Run is not finished: {done if self.unfinished else 'metrics.json is missing'}"
        return InputError(problem, path=self.path, hint="repeat the command that made it to continue the Run")

    def require_rankings(self) -> None:
        """Raise InputError for a rating Run, which has no recall order to compare with."""
        if task_of(self.cases) == "rating":
            hint = "of ratings, see `--calibration`, `--personal` and `--user`; or sort `run.per_case('MAE')`"
            raise InputError("ratings have no recall order", path=self.path, hint=hint)

    def require_recall_order(self) -> None:
        """Raise InputError for a rating Run, and for one without a fair recall order (see `has_recall_order`)."""
        self.require_rankings()
        if not self.metric_settings.has_recall_order:
            problem, hint = "the candidates are the whole catalogue: there is no recall order", "choose another prompt"
            if self.metric_settings.target_forced:
                problem = "missed targets were appended to the candidates, so recall order is not a fair baseline"
                hint = "evaluate without --force-target"
            raise InputError(problem, path=self.path, hint=hint)

    def recall_order(self, measure: str | Measure, cases: Sequence[Case] | None = None) -> Values:
        """Return a ranking measure of recall order for each of the Cases (default: `done`), as float64[cases]."""
        cases = self.done if cases is None else _given(cases)
        return the_measure(measure, "ranking").per_case(Judgements.from_cases(in_recall_order(cases), cases))

    def worst(self, count: int = 5, measure: str | None = None) -> list[tuple[CaseStory, float]]:
        """Return the Cases that lost most against recall order, each with its difference.

        The difference is a ranking measure (default: the Run's headline) minus that of recall order. Raises InputError
        if there is no recall order to compare with, or no Case with a known truth.
        """
        self.require_recall_order()
        expect(count, Integral, "a number of Cases", "count")
        if count < 1:
            raise InputError(f"count is {count}", field="count", hint="ask for at least one Case")
        chosen = the_measure(measure or self.metrics.headline or "NDCG@10", "ranking")
        lost = chosen.per_case(self.judged(self.done)) - self.recall_order(chosen)
        if np.isnan(lost).all():
            hint = "evaluate Cases with relevant items, or look at one user"
            raise InputError("no finished Case has a known truth, so none is the worst", path=self.path, hint=hint)
        order = [place for place in np.argsort(lost, kind="stable").tolist() if lost[place] < 0]
        return [(self._story(self.done[place]), float(lost[place])) for place in order[:count]]

    def groups(self, measure: str | None = None, by: str | Sequence[str] = ()) -> Groups:
        """Return for whom the method gains: a measure (default: the headline) by group; see `llmrank.run.groups`.

        `by` names ways to group, including extra columns of the Cases; by default, those that every Run has.
        """
        return groups(self, measure or self.metrics.headline or "NDCG@10", (by,) if isinstance(by, str) else by)

    def depth(self, measure: str | None = None) -> Depth:
        """Return the gain from reranking only the first candidates, by depth; see `llmrank.run.depth`."""
        return depth(self, measure or self.metrics.headline or "NDCG@10")

    def beyond_accuracy(self, k: int = USUAL_CUTOFF) -> BeyondAccuracy:
        """Return the popularity, novelty, diversity and coverage of the top k; see `llmrank.run.beyond`."""
        return beyond_accuracy(self, k)

    def calibration(self) -> Calibration | RatingCalibration:
        """Return how well calibrated the scores are as probabilities, or the predictions as ratings."""
        return rating_calibration(self) if task_of(self.cases) == "rating" else calibration(self)

    def personal(self) -> Personal:
        """Return how personal the predicted ratings are; see `llmrank.run.personal`."""
        return personal(self)

    def usage(self) -> RunUsage:
        """Return the calls, tokens and seconds used, per Case and in total; see `llmrank.run.usage`."""
        return usage(self)

    def to_arrow(self) -> Arrow:
        """Return one row per finished Case: outcome, placed items, answers, tokens, and a column per measure."""
        pairs = [(case, self.records[case.case_id]) for case in self.done]
        rankings, judged = [record.ranking for _, record in pairs], self.judged(self.done)
        text, texts, real, count = pa.string(), pa.list_(pa.string()), pa.float64(), pa.int64()
        columns: dict[str, tuple[Any, Any]] = {
            "case_id": (text, [case.case_id for case, _ in pairs]),
            "user_id": (text, [case.user_id for case, _ in pairs]),
            "outcome": (text, [str(ranking.outcome) for ranking in rankings]),
            "reason": (text, [ranking.reason for ranking in rankings]),
            "placed": (texts, [record.placed for _, record in pairs]),
            "candidates": (texts, [record.candidates for _, record in pairs]),
            "relevant": (texts, [case.relevant for case, _ in pairs]),
            "gains": (pa.list_(real), [list(case.gain_of.values()) for case, _ in pairs]),
            "rating": (real, [case.rating for case, _ in pairs]),
            "predicted": (real, judged.predicted if isinstance(judged, Ratings) else [None] * len(pairs)),
            "repairs": (count, [sum(ranking.repairs.values()) for ranking in rankings]),
            "responses": (texts, [record.responses for _, record in pairs]),
            "prompt_tokens": (count, [record.usage.prompt_tokens for _, record in pairs]),
            "completion_tokens": (count, [record.usage.completion_tokens for _, record in pairs]),
            "seconds": (real, [record.seconds for _, record in pairs]),
        }
        columns |= {str(measure): (real, measure.per_case(judged)) for measure in self.metric_settings.measures}
        return pa.table({name: pa.array(values, kind, from_pandas=True) for name, (kind, values) in columns.items()})

    def to_pandas(self) -> pandas.DataFrame:
        """Return `to_arrow` as a DataFrame; raises MissingError without pandas."""
        optional("pandas", "pandas", "a DataFrame")
        return self.to_arrow().to_pandas()

    def export(self, path: str | Path, format: ExportFormat, *, overwrite: bool = False) -> list[Path]:
        """Write the Run in another format and return the files written; see `llmrank.run.export`."""
        return export(self, as_path(path), format, overwrite=overwrite)

    def track(
        self, tracker: Tracker, *, where: str | Path | None = None, project: str | None = None, files: bool = True
    ) -> str:
        """Log the Run to MLflow or Weights & Biases and return its id there; see `llmrank.run.tracking`."""
        from llmrank.run.tracking import track

        return track(self, tracker, where=where, project=project, files=files)

    def table(self) -> TextTable:
        """Return the metrics as a publishable table: a row per measure, with a column per baseline."""
        return self.metrics.table()

    def to_markdown(self) -> str:
        """Return `table` as a Markdown pipe table."""
        return self.metrics.to_markdown()

    def to_latex(self) -> str:
        """Return `table` as a LaTeX `tabular` (package booktabs)."""
        return self.metrics.to_latex()

    def _story(self, case: Case) -> CaseStory:
        order = self.settings.get("order")
        shown = case if order is None else Order.parse(order, self.settings["seed"]).arrange(case)
        return CaseStory(case, shown.candidates, self.records[case.case_id])

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def _progress(self) -> str | None:
        """Return how far an interrupted Run has come; None if it has metrics."""
        if (self.path / METRICS).exists():
            return None
        cases = count_of(len(self.cases), "Case")
        return f"{self.name}: {cases}, {len(self.done):,} done; repeat the command to continue"

    def __str__(self) -> str:
        return self._progress() or f"{self.name}: {self.metrics}"

    def _repr_html_(self) -> str:
        if progress := self._progress():
            return f"<p>{html.escape(progress)}</p>"
        title = f"{self.name}: {count_of(self.metrics.cases, 'Case')}, {self.metrics.evaluation}"
        return f"<p>{html.escape(title)}</p>{self.table().to_html()}"


@dataclass(frozen=True, repr=False)
class CaseStory(Shown):
    """One Case from start to end: the history, what the model was shown, what it answered, and the ranking."""

    case: Case
    shown: tuple[Item, ...]
    """The candidates in the order shown; if the method asked several times, in the order of its first Request."""
    record: CaseRecord

    @property
    def recalled(self) -> Ranking:
        """The ranking that the recall stage proposed."""
        return in_recall_order([self.case])[0]

    @property
    def titles(self) -> dict[str, str]:
        """The titles of the items asked about, by item id; the id is appended to titles that occur more than once."""
        asked = self.case.asked
        times = Counter(item.title for item in asked)
        return {one.item_id: one.title + (f" [{one.item_id}]" if times[one.title] > 1 else "") for one in asked}

    @property
    def marks(self) -> dict[str, str]:
        """The mark of each relevant item, by item id, with its gain if gains differ from 1."""
        gains = self.case.gain_of
        graded = any(gain != 1 for gain in gains.values())
        return {item_id: "◀ relevant" + (f", gain {gain:g}" if graded else "") for item_id, gain in gains.items()}

    def table(self) -> TextTable:
        """Return the ranking: a row per placed candidate, and per relevant item whether placed or not."""
        titles, ranking, marks = self.titles, self.record.ranking, self.marks
        rows: list[tuple[str, ...]] = []
        for place, item_id in enumerate(ranking.order):
            placed, mark = place < len(self.record.placed), marks.get(item_id, "")
            if placed or mark:
                score = ranking.scores[place] if ranking.scores and placed else None
                rank = places_of(ranking, place) if placed else "not placed"
                rows.append((safe_for_console(titles[item_id]), rank, number(score), mark))
        missed = [item_id for item_id in self.case.relevant if item_id not in titles]
        rows += [
            (f"{safe_for_console(item_id)} (item id)", "not a candidate", "–", marks[item_id]) for item_id in missed
        ]
        return TextTable(("title", "rank", "score", ""), tuple(rows))

    def parts(self) -> list[tuple[str, str]]:
        """Return the history, the candidates, the answers and the outcome, each as its name and its text."""
        return [(name, safe_for_console(text)) for name, text in self._parts()]

    def _parts(self) -> Iterator[tuple[str, str]]:
        case, record, ranking = self.case, self.record, self.record.ranking
        events = case.history[-HISTORY_SHOWN:]
        history = [event.item.title + ("" if event.rating is None else f" ({event.rating:g})") for event in events]
        newest = f"newest {len(events)} of " if len(events) < len(case.history) else ""
        yield f"history, oldest first ({newest}{count_of(len(case.history), 'event')})", "\n".join(history) or "none"
        if case.target is not None:
            truth = "unknown" if case.rating is None else f"{case.rating:g}"
            yield "item to rate", f"{case.target.title}; true rating {truth}"
        else:
            titles = self.titles
            shown = [f"{place}. {titles[item.item_id]}" for place, item in enumerate(self.shown, 1)]
            yield "candidates, in the order shown", "\n".join(shown)
        for place, (text, finish) in enumerate(zip(record.responses, record.finish_reasons, strict=False), 1):
            ended = "" if finish == "unknown" else f" ({finish})"
            yield f"answer {place}{ended}", "no answer" if text is None else text
        read = [str(ranking.outcome) + (f": {ranking.reason}" if ranking.reason else "")]
        for name, counts in (("repairs", ranking.repairs), ("titles matched", ranking.matches)):
            if counts:
                read.append(f"{name}: {', '.join(f'{kind} {count}' for kind, count in counts.items())}")
        yield "outcome", "\n".join(read)
        if record.measures:
            yield "measures", "   ".join(f"{name} {number(value)}" for name, value in record.measures.items())

    @property
    def title(self) -> str:
        """The user, and the Case if its id differs from the user's."""
        return safe_for_console(self.case.whom)

    def text(self, width: int | None = None) -> str:
        """Return the story as plain text."""
        lines = [self.title]
        for title, text in [*self.parts(), ("ranking", str(self.table()))]:
            lines += [f"  {title}", *(f"    {line}" for line in text.splitlines() or [""])]
        if not self.record.ranking.answered:
            lines.append("    no readable answer: counted as worst")
        elif unplaced := len(self.record.candidates) - len(self.record.placed):
            lines.append(f"    not placed, and tied last: {count_of(unplaced, 'candidate')}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        parts = [f"<dt>{html.escape(name)}</dt><dd><pre>{html.escape(text)}</pre></dd>" for name, text in self.parts()]
        return f"<h4>{html.escape(self.title)}</h4><dl>{''.join(parts)}</dl>{self.table().to_html()}"


def _given(cases: Iterable[Case]) -> list[Case]:
    """Return the Cases of an argument as a list; raise InputError if it holds anything else."""
    expect(cases, Iterable, "a list of Cases", "cases")
    given = list(cases)
    for case in given:
        expect(case, Case, "a list of Cases", "cases")
    return given


def run_of(run: Run | str | Path) -> Run:
    """Return the Run itself, or load it from its folder; raises InputError for anything else."""
    if isinstance(run, str | Path):
        return load_run(run)
    if not isinstance(run, Run):  # pyright: ignore[reportUnnecessaryIsInstance]
        problem = f"expected a Run, got {type(run).__name__}"
        raise InputError(problem, field="run", hint="pass a Run, or the path of its folder")
    return run


def load_run(path: str | Path, records: Mapping[str, CaseRecord] | None = None) -> Run:
    """Load the Run in a folder; raises InputError if there is none, or if it has another format.

    Pass its `records` if they are already in memory, so that they are not read again.
    """
    run = Run(as_path(path))
    read_manifest(run.path)
    if records is not None:
        vars(run)["records"] = records  # where cached_property stores its value
    return run
