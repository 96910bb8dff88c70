"""Scoring: parse and measure the answers of any system, without model calls."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llmrank.answers import answer_format
from llmrank.data.candidates import ArrowTable, CandidateFile, DataFrame
from llmrank.engine import CaseResult, Exchange
from llmrank.engine.driver import complete_with_recall_order
from llmrank.errors import InputError, expect
from llmrank.evaluation.cases import CaseSet, cases_hash, counted_notes, named, skipped_note, true_scale
from llmrank.evaluation.evaluate import make_run, measures_for
from llmrank.evaluation.settings import ScoreSettings, gather
from llmrank.evaluation.training_data import TrainingData, earlier_events
from llmrank.files import sha256_of
from llmrank.measures import Measure
from llmrank.measures.ratings import check_scale
from llmrank.prompting.check import ANSWERS
from llmrank.prompting.identifiers import Ids, identifiers
from llmrank.rankers.listwise import from_answer
from llmrank.rankers.pointwise import from_values
from llmrank.run import CaseRecord, Origin, Run, RunFolder
from llmrank.run.folder import run_path
from llmrank.run.metrics import case_measures
from llmrank.types import USUAL_SCALE, Answer, AnswerFormat, Case, Failure, Outcome, Question, Reply, Response, Task


def score(
    answers: str | Path | ArrowTable | DataFrame,
    answer: str | None = None,
    *,
    measures: str | Sequence[str | Measure] | None = None,
    out: str | Path | None = None,
    skip_bad_rows: bool = False,
    settings: ScoreSettings | None = None,
    **more: Any,
) -> Run:
    """Parse and measure answers, and return them as a Run.

    Args:
        answers: Candidate file, or a table with its columns, plus a column `response` (null if there was none).
        answer: Answer format: `titles`, `permutation`, `json`, `rating`, `yes_no`, …
        measures: For example `"NDCG@10,HR@5,MRR"`; None: the defaults of the task.
        out: Run folder; None: a folder under `results/` that is unique to these settings.
        skip_bad_rows: Skip invalid rows, and count them.
        settings: A `ScoreSettings`, which `answer` and `more` override.
        more: Any field of `ScoreSettings`, by name.

    Raises InputError for an invalid file or setting.
    """
    source = Path(answers) if isinstance(answers, str) else answers
    name, path = named(source)
    if settings is not None:
        expect(settings, ScoreSettings, "ScoreSettings", "settings")
    how = gather(settings or ScoreSettings, more | {"answer": answer})
    known, folder = answer_format(how.answer), run_path(out)  # fail early
    answered = CandidateFile(source, answered=True, skip_bad_rows=skip_bad_rows)
    rows = sorted(((row.case, row.response) for row in answered), key=lambda row: row[0].case_id)
    cases = [case for case, _ in rows]
    task = _task_of(cases, path)
    _check_fit(how.answer, task, path)
    if how.ids is None:
        _refuse_two_readings(rows, how, known, path)
        how = replace(how, ids=USUAL_IDS)
    scale = how.scale or true_scale(cases)
    how = replace(how, scale=scale)
    if task == "rating":
        check_scale(cases, scale)
    chosen = measures_for(measures, task, how.answer, scale)
    found = CaseSet(
        cases=tuple(cases),
        training=TrainingData(lambda: earlier_events(cases), scale),
        evaluation="ratings" if task == "rating" else f"recall-limited({name})",
        task=task,
        target_forced=False,
        notes=(*skipped_note(answered), *counted_notes(cases)),
        settings={
            "data": name,
            "data_sha256": sha256_of(path) if path else _hash_of(rows),
            "users": len({case.user_id for case in cases}),
        },
    )

    def work(run: RunFolder, kept: Sequence[Case]) -> dict[str, Any]:
        for case, text in rows:
            reply: Reply = Failure("no answer") if text is None else Response(text, "unknown")
            result = ranked(case, reply, answer_of(case, reply, how, known))
            record = CaseRecord.of(result, case_measures(case, result.ranking, chosen))
            if run.records.get(case.case_id) != record:
                run.add(record)
        return {"started": datetime.now(UTC).isoformat(timespec="seconds"), "calls": 0}

    return make_run(folder, found, chosen, asdict(how), Origin("score", {}), work)


def _hash_of(rows: Sequence[tuple[Case, str | None]]) -> str:
    answers = json.dumps([text for _, text in rows])
    return hashlib.sha256(f"{cases_hash(case for case, _ in rows)}{answers}".encode()).hexdigest()


def ranked(case: Case, reply: Reply, read: Answer) -> CaseResult:
    """Return the result of a Case with this Reply and its Answer."""
    ranking = from_values(case.asked, [read]) if case.target is not None else from_answer(case, read)
    return CaseResult(case, complete_with_recall_order(case, ranking), (Exchange("", reply, stored=True),))


def answer_of(case: Case, reply: Reply, how: ScoreSettings, known: AnswerFormat) -> Answer:
    """Parse the Reply. The settings say how items are named; numbers and letters follow the order of the row."""
    if isinstance(reply, Failure):
        return Answer(Outcome.ERROR, reply.reason)
    question = Question(case.asked, identifiers(how.ids or USUAL_IDS, case.asked), how.top, how.scale or USUAL_SCALE)
    return known.read(reply, question)


USUAL_IDS: Ids = "numbers"
SAMPLED = 200
"""Number of answers that are read in both ways, at least, to find out what they name."""
OUTCOMES = (Outcome.ERROR, Outcome.UNPARSED, Outcome.REPAIRED, Outcome.OK)
"""Worst first."""


def _refuse_two_readings(
    rows: Sequence[tuple[Case, str | None]], how: ScoreSettings, known: AnswerFormat, path: Path | None
) -> None:
    """Raise InputError if the answers may name item ids: a number can be one, or a position in the row.

    Answers that rank alike either way do not count. Of the others, most must be better read as positions.
    """
    named = [(case, text) for case, text in rows if text and any(item.item_id in text for item in case.candidates)]
    doubtful, certain = list[Case](), 0
    for case, text in named[:: max(1, len(named) // SAMPLED)]:
        reply = Response(text, "unknown")
        by_position, by_item_id = (
            answer_of(case, reply, replace(how, ids=ids), known) for ids in (USUAL_IDS, "item_id")
        )
        if (by_position.ranked, by_position.scores) == (by_item_id.ranked, by_item_id.scores):
            continue
        if _fit(by_item_id) >= _fit(by_position):
            doubtful.append(case)
        else:
            certain += 1
    if doubtful and len(doubtful) >= certain:
        place = "the answers" if path is None else f"the answers in {path}"
        problem = f"{place} may name candidates by their item ids, and not by their positions in the row"
        hint = "say what they name: --ids item_id, or --ids numbers for positions"
        raise InputError(f"{problem} (first: {doubtful[0].whom})", field="ids", hint=hint)


def _fit(read: Answer) -> tuple[int, int]:
    """Return how well a way to read an answer fits it: higher is better."""
    return OUTCOMES.index(read.outcome), len(read.ranked)


RATINGS = ANSWERS["pointwise"]
RANKINGS = frozenset[str]().union(*ANSWERS.values()) - RATINGS


def _check_fit(answer: str, task: Task, path: Path | None) -> None:
    """Raise InputError if a built-in answer format does not fit the task of the rows."""
    if task == "rating":
        others, rows, hint = RANKINGS, "a target to rate", "choose rating or yes_no"
    else:
        others, rows = RATINGS, "candidates to rank"
        hint = 'write one row per item: "target": {"item_id": …, "title": …}, "rating": 4, "response": "Yes"'
    if answer in others:
        place = "the rows" if path is None else f"the rows of {path}"
        raise InputError(f"{place} have {rows}, which {answer} does not support", field="answer", hint=hint)


def _task_of(cases: Sequence[Case], path: Path | None) -> Task:
    tasks: set[Task] = {"ranking" if case.target is None else "rating" for case in cases}
    if len(tasks) > 1:
        problem = "some rows have a target (rating) and some have candidates (ranking)"
        raise InputError(problem, path=path, hint="score the two tasks separately")
    return tasks.pop()
