"""`llmrank score`: answers that some system gave, parsed and measured; no model is asked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llmrank.cli.options import config_option, json_option, option
from llmrank.errors import InputError

if TYPE_CHECKING:
    from llmrank.measures import Measure
    from llmrank.prompting.identifiers import Ids
    from llmrank.run.metrics import MetricSettings
    from llmrank.types import AnswerFormat, Case, Ranking, Reply


@click.command()
@click.argument("answers", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@option("--answer", required=True, help="How they answer: titles, permutation, json, rating, yes_no, …")
@option(
    "--ids",
    default="numbers",
    show_default=True,
    type=click.Choice(["numbers", "letters", "item_id", "titles", "words"]),
    help="How the answers name candidates; numbers and letters by their place in the row.",
)
@option("--top", default=None, type=click.IntRange(1), help="How many items were asked for.  [default: all]")
@option("--scale", default=(1.0, 5.0), show_default=True, type=(float, float), help="Lowest and highest rating.")
@option("--measures", default=None, help="Such as NDCG@10,HR@5,MRR; or RMSE,MAE,AUC.")
@option("--out", default=None, type=click.Path(path_type=Path), help="Keep the result as a Run in this folder.")
@json_option
@config_option
def score(
    answers: Path,
    answer: str,
    ids: Ids,
    top: int | None,
    scale: tuple[float, float],
    measures: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Parse and measure ANSWERS: candidate rows that carry a `response` (null where there was none)."""
    from llmrank.answers import answer_format
    from llmrank.data.candidates import read_answered
    from llmrank.engine import CaseResult, Exchange
    from llmrank.files import sha256_of
    from llmrank.run import CaseRecord, Origin, RunFolder
    from llmrank.run.metrics import case_measures, metrics, parse_measures
    from llmrank.types import Failure, Response

    form = answer_format(answer)
    rows = sorted(read_answered(answers), key=lambda row: row[0].user_id)
    cases = [case for case, _ in rows]
    chosen = parse_measures(measures, "rating" if _is_rating(cases, answers) else "ranking")
    records: dict[str, CaseRecord] = {}
    for case, text in rows:
        reply = Failure("no answer") if text is None else Response(text)
        ranking = read_answer(case, reply, form, ids=ids, top=top, scale=scale)
        ranked = CaseResult(case, ranking, (Exchange("", reply, stored=True),))
        records[case.user_id] = CaseRecord.of(ranked, case_measures(case, ranking, chosen))
    numbers = metrics(cases, records, score_metric_settings(cases, chosen, answers.name, scale))
    if out is not None:
        settings = {
            "data": answers.name,
            "data_sha256": sha256_of(answers),
            "answer": answer,
            "ids": ids,
            "top": top,
            "scale": scale,
            "measures": [str(measure) for measure in chosen],
            "users": len(cases),
        }
        made = Origin("score", {"answers": str(answers.resolve())})
        with RunFolder(out, settings, made) as folder:
            for user, record in records.items():
                if folder.records.get(user) != record:
                    folder.add(record)
            folder.finish(numbers, {"started": datetime.now(UTC).isoformat(timespec="seconds"), "calls": 0})
    _show(numbers, answers, answer, out, as_json=as_json)


def score_metric_settings(
    cases: Sequence[Case], measures: tuple[Measure, ...], name: str, scale: tuple[float, float]
) -> MetricSettings:
    """Return how the numbers of a file of answers, called `name`, are taken."""
    from llmrank.rankers.baselines import popularity_in_histories
    from llmrank.run.metrics import MetricSettings

    rating = cases[0].target is not None
    return MetricSettings(
        evaluation="ratings" if rating else f"recall-limited({name})",
        target_forced=False,
        measures=measures,
        popularity={} if rating else popularity_in_histories(cases),
        histories=cases,
        scale=scale,
    )


def read_answer(
    case: Case, reply: Reply, form: AnswerFormat, *, ids: Ids, top: int | None, scale: tuple[float, float]
) -> Ranking:
    """Return the Ranking that a Reply stands for, its items named as `ids` says, in the order of the row."""
    from llmrank.engine.driver import complete_with_recall_order
    from llmrank.prompting.identifiers import identifiers
    from llmrank.rankers.listwise import from_answer
    from llmrank.rankers.pointwise import from_values
    from llmrank.types import Answer, Failure, Outcome, Question

    items = case.candidates if case.target is None else (case.target,)
    question = Question(items, identifiers(ids, items), top, scale)
    read = Answer(Outcome.ERROR, reply.reason) if isinstance(reply, Failure) else form.read(reply, question)
    return complete_with_recall_order(
        case, from_values(items, [read]) if case.target is not None else from_answer(case, read)
    )


def _is_rating(cases: list[Case], path: Path) -> bool:
    kinds = {case.target is not None for case in cases}
    if len(kinds) != 1:
        raise InputError(
            "some rows have a target (rating) and some have candidates (ranking)" if kinds else "there are no rows",
            path=path,
            hint="score the two tasks apart" if kinds else "give at least one row",
        )
    return kinds.pop()


def _show(numbers: Mapping[str, Any], answers: Path, answer: str, out: Path | None, *, as_json: bool) -> None:
    from llmrank.cli.table import show_metrics

    if as_json:
        click.echo(json.dumps(numbers, indent=2, ensure_ascii=False))
        return
    unjudged = numbers["cases"] - numbers["judged_cases"]
    notes = (f"{unjudged} have no known truth: no measure counts them.",) if unjudged else ()
    title = f"{answers.name}, read as {answer}"
    show_metrics(numbers, title=title, notes=notes, run=None if out is None else str(out), calls="all recorded")
