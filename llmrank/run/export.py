"""Export a Run to the formats of other tools: `trec`, `csv`, `parquet`, `latex`, `markdown`.

An item's exported `score` is the number of candidates not ranked above it (the first of 50 has 50), not what the method
gave (`method_score`). Tied items, and all items that the method left out, get equal scores, so no tool reads an order
into them. llmrank scores ties by their expected value over random tie-breaking, whereas trec_eval breaks them by item
id. The values therefore agree exactly only if the method's order has no ties.

A Case without a readable answer has no line in the run file, but its judgements stay in the qrels. Make the other tool
count it as zero: `trec_eval -c`, ir_measures (always), ranx with `make_comparable=True`. llmrank counts it as worst,
which is zero unless the list is no longer than the cut-off.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from llmrank import stats
from llmrank.data.candidate_writing import replacing
from llmrank.data.trec import write_qrels, write_trec_run
from llmrank.errors import InputError, count_of
from llmrank.files import check_free
from llmrank.measures.judgements import scores_with_ties, tie_spans
from llmrank.run.folder import files_of
from llmrank.run.metrics import in_recall_order

if TYPE_CHECKING:
    from llmrank.run.run import Run

ExportFormat = Literal["trec", "csv", "parquet", "latex", "markdown"]
_SUFFIXES = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".tex": "latex",
    ".md": "markdown",
    ".trec": "trec",
    ".qrels": "trec",
}
COLUMNS = (
    "case_id",
    "user_id",
    "item_id",
    "title",
    "recall_rank",
    "score",
    "placed",
    "relevant",
    "outcome",
    "method_score",
)
"""Columns of the CSV and Parquet formats. They have a row per candidate of a Case, then one per relevant item that
recall missed, without title, `recall_rank` and scores. `recall_rank` (by recall score) counts from 1; after two at 3
comes 5. A higher `score` is better and equal scores are ties; for ratings it is the predicted rating, NaN if there is
none. `method_score` is what the method gave, such as a log-probability; empty if it gave none. `placed` says if the
method ranked the item. `relevant` is the gain (1 for binary relevance) or 0; for ratings the true rating, or empty."""


def export(run: Run, path: Path, format: ExportFormat, *, overwrite: bool = False) -> list[Path]:
    """Write a Run and return the files written; for `trec`, the run file and a `.qrels` file of relevance judgements.

    `trec`, `csv` and `parquet` hold the rankings; `latex` and `markdown` hold the table of metrics.

    Raises:
        InputError: unknown format, existing file, or (for TREC) ratings or ids with white space.
    """
    if format not in get_args(ExportFormat):
        hint = f"use one of {', '.join(get_args(ExportFormat))}"
        raise InputError(f"unknown format {format!r}", field="format", hint=hint)
    if (named := _SUFFIXES.get(path.suffix.lower(), format)) != format:
        hint = f"choose another suffix, or export to {named}"
        raise InputError(f"the suffix means {named}, but the format is {format}", path=path, hint=hint)
    check_free(path, overwrite=overwrite, sources=files_of(run.path))
    if format == "trec":
        return _write_trec(run, path, overwrite=overwrite)
    with replacing(path, overwrite=overwrite) as temporary:
        if format in ("latex", "markdown"):
            temporary.write_text(run.to_latex() if format == "latex" else run.to_markdown(), encoding="utf-8")
        elif format == "csv":
            with temporary.open("w", encoding="utf-8", newline="") as file:
                writer: csv.DictWriter[str] = csv.DictWriter(file, COLUMNS)
                writer.writeheader()
                writer.writerows(exported_rows(run))
        else:
            pq.write_table(pa.Table.from_pylist(list(exported_rows(run))), temporary)
    return [path]


def export_notes(run: Run, format: ExportFormat) -> Iterator[str]:
    """Yield what an exported file lacks, or what other tools will count otherwise."""
    if run.unfinished:
        yield f"{run.path} is not finished: {run.unfinished} of {count_of(len(run), 'Case')} left out."
    if format != "trec":
        return
    rankings = [run.records[case.case_id].ranking for case in run.done]
    unread = sum(not ranking.answered for ranking in rankings)
    tied = sum(ranking.answered and any(size > 1 for _, size in tie_spans(ranking)) for ranking in rankings)
    done = count_of(len(rankings), "Case")
    if unread:
        yield (
            f"{unread} of {done} {'has' if unread == 1 else 'have'} no readable answer and no line in the run file: "
            "use trec_eval -c (ranx: make_comparable=True), or the mean leaves them out."
        )
    if tied:
        tell = f"{tied} of {done} {'has' if tied == 1 else 'have'} tied items, which trec_eval orders by id"
        yield f"{tell}: its numbers differ from llmrank's."


def exported_rows(run: Run) -> Iterator[dict[str, object]]:
    """Yield a row (see `COLUMNS`) for every candidate of every finished Case, best first, and for every missed item."""
    for case in run.done:
        record = run.records[case.case_id]
        ranking, gains, placed = record.ranking, case.gain_of, set(record.placed)
        titles = {item.item_id: item.title for item in case.asked}
        places = scores_with_ties(in_recall_order([case])[0]) or dict.fromkeys(titles, 1)
        known = {item_id: (titles[item_id], len(titles) + 1 - round(place)) for item_id, place in places.items()}
        given = dict(zip(ranking.order, map(stats.finite, ranking.scores or ()), strict=False))
        for item_id, score in scores_with_ties(ranking).items():
            truth: float | None = gains.get(item_id, 0.0)
            if case.target is not None:
                score, truth = ranking.scores[0] if ranking.scores else float("nan"), case.rating
            about, outcome = (case.case_id, case.user_id, item_id, *known[item_id]), str(ranking.outcome)
            values = (*about, score, item_id in placed, truth, outcome, given.get(item_id))
            yield dict(zip(COLUMNS, values, strict=True))
        for item_id in (one for one in gains if one not in known):
            missed = (case.case_id, case.user_id, item_id, None, None, None, False, gains[item_id])
            yield dict(zip(COLUMNS, (*missed, str(ranking.outcome), None), strict=True))


def _write_trec(run: Run, path: Path, *, overwrite: bool) -> list[Path]:
    if any(case.target is not None for case in run.cases):
        raise InputError("ratings are not a TREC run", path=run.path, hint="export them as csv or parquet")
    qrels = (path.with_suffix("") if path.suffix == ".gz" else path).with_suffix(".qrels")
    if qrels == path:
        problem = "this name is needed for the relevance judgements"
        raise InputError(problem, path=path, hint="name the run file, such as out.trec")
    rankings = {case.case_id: run.records[case.case_id].ranking for case in run.done}
    # A topic is a Case, not a user: a user may have several.
    write_qrels(qrels, run.done, overwrite=overwrite)
    answered = ((name, scores_with_ties(ranking).items()) for name, ranking in rankings.items() if ranking.answered)
    write_trec_run(path, answered, overwrite=overwrite)
    return [path, qrels]
