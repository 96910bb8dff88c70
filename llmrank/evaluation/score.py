"""Scoring: answers that some system gave, parsed and measured; no model is asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llmrank.answers import answer_format
from llmrank.data.candidates import ArrowTable, CandidateFile, DataFrame
from llmrank.engine import CaseResult, Exchange
from llmrank.engine.driver import complete_with_recall_order
from llmrank.errors import InputError
from llmrank.evaluation.cases import CaseSet, cases_hash
from llmrank.evaluation.evaluate import make_run, measures_for
from llmrank.evaluation.settings import ScoreSettings, gather
from llmrank.evaluation.training_data import TrainingData, earlier_events
from llmrank.files import sha256_of
from llmrank.measures import Measure
from llmrank.prompting.identifiers import identifiers
from llmrank.rankers.listwise import from_answer
from llmrank.rankers.pointwise import from_values
from llmrank.run import CaseRecord, Origin, Run, RunFolder
from llmrank.run.metrics import case_measures
from llmrank.types import Answer, AnswerFormat, Case, Failure, Outcome, Question, Reply, Response, Task


def score(
    answers: str | Path | ArrowTable | DataFrame,
    answer: str | None = None,
    *,
    measures: str | Sequence[str | Measure] | None = None,
    out: str | Path | None = None,
    skip_bad_rows: bool = False,
    settings: ScoreSettings | None = None,
    **more: Any,  # noqa: ANN401 - checked by name and type
) -> Run:
    """Parse and measure answers, and return them as a Run.

    Args:
        answers: Candidate file, or a table like one, whose rows carry a `response` (null where there was none).
        answer: How they answer: `titles`, `permutation`, `json`, `rating`, `yes_no`, …
        measures: Such as `"NDCG@10,HR@5,MRR"`; None: the usual ones of the task.
        out: Run folder; None: one under `results/` that these settings, and no others, have.
        skip_bad_rows: Leave out rows that have faults, and count them.
        settings: All settings at once; `answer` and `more` come before them.
        more: Any field of `ScoreSettings`, by name.

    Raises InputError for what is wrong in the file or in the settings.
    """
    source = Path(answers) if isinstance(answers, str) else answers
    name, path = (source.name, source) if isinstance(source, Path) else ("table", None)
    how = gather(settings or ScoreSettings, more | {"answer": answer})
    known = answer_format(how.answer)  # an unknown one is refused before the file is read
    answered = CandidateFile(source, answered=True, skip_bad_rows=skip_bad_rows)
    rows = sorted(((row.case, row.response) for row in answered), key=lambda row: row[0].case_id)
    cases, skipped = [case for case, _ in rows], answered.summary.skipped_rows
    task = "rating" if _is_rating(cases, path) else "ranking"
    _check_fit(how.answer, task, path)
    chosen = measures_for(measures, task, how.answer, how.scale)
    found = CaseSet(
        cases=tuple(cases),
        training=TrainingData(lambda: earlier_events(cases), how.scale),
        evaluation="ratings" if task == "rating" else f"recall-limited({name})",
        task=task,
        target_forced=False,
        notes=(f"{skipped:,} rows with faults are left out.",) if skipped else (),
        settings={
            "data": name,
            "data_sha256": sha256_of(path) if path else _hash_of(rows),
            "users": len({case.user_id for case in cases}),
        },
    )

    def work(folder: RunFolder) -> dict[str, Any]:
        for case, text in rows:
            reply: Reply = Failure("no answer") if text is None else Response(text)
            result = ranked(case, reply, answer_of(case, reply, how, known))
            record = CaseRecord.of(result, case_measures(case, result.ranking, chosen))
            if folder.records.get(case.case_id) != record:
                folder.add(record)
        return {"started": datetime.now(UTC).isoformat(timespec="seconds"), "calls": 0}

    return make_run(out, found, chosen, {**asdict(how), "prompt": how.answer}, Origin("score", {}), work)


def _hash_of(rows: Sequence[tuple[Case, str | None]]) -> str:
    answers = json.dumps([text for _, text in rows])
    return hashlib.sha256(f"{cases_hash(case for case, _ in rows)}{answers}".encode()).hexdigest()


def ranked(case: Case, reply: Reply, read: Answer) -> CaseResult:
    """Return the Case ranked as the Answer in the Reply says."""
    ranking = from_values(case.asked, [read]) if case.target is not None else from_answer(case, read)
    return CaseResult(case, complete_with_recall_order(case, ranking), (Exchange("", reply, stored=True),))


def answer_of(case: Case, reply: Reply, how: ScoreSettings, known: AnswerFormat) -> Answer:
    """Return the Answer in the Reply; the items are named as the settings say, in the order of the row."""
    if isinstance(reply, Failure):
        return Answer(Outcome.ERROR, reply.reason)
    question = Question(case.asked, identifiers(how.ids, case.asked), how.top, how.scale)
    return known.read(reply, question)


RANKINGS = frozenset(("titles", "permutation", "json", "choice", "one_title", "label_logprobs"))
RATINGS = frozenset(("rating", "yes_no", "expected_rating"))


def _check_fit(answer: str, task: Task, path: Path | None) -> None:
    """Raise InputError where llmrank's own answer format reads something else than the rows ask for."""
    if answer in (RANKINGS if task == "rating" else RATINGS):
        rows = "a target, to be rated" if task == "rating" else "candidates, to be ranked"
        hint = (
            "choose rating or yes_no"
            if task == "rating"
            else 'give a row for each item: "target": {"item_id": …, "title": …}, "rating": 4, "response": "Yes"'
        )
        raise InputError(f"the rows have {rows}, which {answer} does not do", path=path, field="answer", hint=hint)


def _is_rating(cases: Sequence[Case], path: Path | None) -> bool:
    kinds = {case.target is not None for case in cases}
    if len(kinds) != 1:
        raise InputError(
            "some rows have a target (rating) and some have candidates (ranking)" if kinds else "the file has no rows",
            path=path,
            hint="score the two tasks apart" if kinds else "give at least one row",
        )
    return kinds.pop()
