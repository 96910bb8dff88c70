"""A Run in the formats of other tools: `trec`, `csv`, `parquet`, `latex`, `markdown`.

Ties are written as equal scores, so that no tool can read an order into what a method did not place. An item's score is
the number of candidates that are not ranked above it: the first of 50 has 50, and all that a method left out have the
same, lowest score. llmrank gives ties their expected value over random tie-breaking; trec_eval breaks them by item id,
so the numbers agree exactly where the method's order is strict.

A Case without a readable answer has no line in the run file, and its judgements stay in the qrels. Count it as zero:
`trec_eval -c`, ir_measures (always), ranx with `make_comparable=True`. llmrank counts it as worst, which is zero unless
the list is no longer than the cut-off.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from llmrank.data.candidate_writing import replacing
from llmrank.data.trec import write_qrels, write_trec_run
from llmrank.errors import InputError
from llmrank.measures.judgements import tie_group
from llmrank.types import Outcome

if TYPE_CHECKING:
    from llmrank.run.run import Run

ExportFormat = Literal["trec", "csv", "parquet", "latex", "markdown"]


@dataclass(frozen=True, slots=True)
class ExportedItem:
    """One candidate of one Case: a row of the CSV and Parquet formats."""

    case_id: str
    user_id: str
    item_id: str
    title: str
    recall_rank: int
    """Its place in recall order, from 1."""
    score: float
    """Higher is better, equal is tied; for ratings the predicted rating, NaN where there is none."""
    placed: bool
    """Whether the method said anything about it."""
    relevant: float | None
    """1 if it is relevant, else 0; for ratings the true rating, None where it is unknown."""
    outcome: str


def export(run: Run, path: Path, format: ExportFormat, *, overwrite: bool = False) -> list[Path]:  # noqa: A002
    """Write a Run and return the files: for `trec` the run file and, with the suffix `.qrels`, what is relevant.

    `trec`, `csv` and `parquet` hold the rankings, `latex` and `markdown` the table of the numbers.

    Raises:
        InputError: an unknown format; a file that exists already; ratings, or ids with white space, as TREC.
    """
    if format not in get_args(ExportFormat):
        raise InputError(
            f"unknown format {format!r}", field="format", hint=f"use one of {', '.join(get_args(ExportFormat))}"
        )
    if format == "trec":
        return _write_trec(run, path, overwrite=overwrite)
    with replacing(path, overwrite=overwrite) as temporary:
        if format == "latex" or format == "markdown":
            table = run.table()
            temporary.write_text(table.to_latex() if format == "latex" else table.to_markdown(), encoding="utf-8")
        elif format == "csv":
            with temporary.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, [*ExportedItem.__dataclass_fields__])
                writer.writeheader()
                writer.writerows(asdict(item) for item in exported_items(run))
        else:
            import pyarrow as pa
            import pyarrow.parquet as pq

            pq.write_table(pa.Table.from_pylist([asdict(item) for item in exported_items(run)]), temporary)
    return [path]


def exported_items(run: Run) -> Iterator[ExportedItem]:
    """Yield every candidate of every Case that is done, best first."""
    for case in run.done:
        record = run.records[case.case_id]
        ranking, relevant = record.ranking, set(case.relevant)
        items = {item.item_id: item.title for item in (case.candidates or filter(None, (case.target,)))}
        recall_ranks = {item_id: place for place, item_id in enumerate(items, 1)}
        for place, item_id in enumerate(ranking.order):
            if case.target is None:
                score, truth = float(len(ranking.order) - tie_group(ranking, place)[0]), float(item_id in relevant)
            else:
                score, truth = ranking.scores[0] if ranking.scores else float("nan"), case.rating
            yield ExportedItem(
                case_id=case.case_id,
                user_id=case.user_id,
                item_id=item_id,
                title=items[item_id],
                recall_rank=recall_ranks[item_id],
                score=score,
                placed=place < len(record.placed),
                relevant=truth,
                outcome=str(ranking.outcome),
            )


def _write_trec(run: Run, path: Path, *, overwrite: bool) -> list[Path]:
    if any(case.target is not None for case in run.cases):
        raise InputError("ratings are not a TREC run", path=run.path, hint="export them as csv or parquet")
    qrels = path.with_suffix(".qrels")
    records = (run.records[case.case_id] for case in run.done)
    rankings = (
        (record.case_id, record.ranking)
        for record in records
        if record.ranking.outcome in (Outcome.OK, Outcome.REPAIRED)
    )
    # A topic is a Case: a user may have several.
    write_qrels(qrels, run.done, overwrite=overwrite)
    write_trec_run(path, rankings, ties=True, overwrite=overwrite)
    return [path, qrels]
