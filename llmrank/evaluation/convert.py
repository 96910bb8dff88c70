"""`lr.convert`: what another recall stage proposed as a table of Cases, as `llmrank convert` writes it to a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmrank.data.candidates import ArrowTable, DataFrame
from llmrank.data.external_formats import read_external
from llmrank.errors import InputError
from llmrank.progress import Reporter, reporter_of


def convert(
    proposed: str | Path | ArrowTable | DataFrame,
    format: str = "table",  # noqa: A002 - the word that people use
    *,
    items: str | Path | ArrowTable | DataFrame | None = None,
    histories: str | Path | ArrowTable | DataFrame | None = None,
    relevant: str | Path | ArrowTable | DataFrame | None = None,
    columns: Mapping[str, str] | None = None,
    file_order: bool = False,
    drop_duplicates: bool = False,
    skip_bad_rows: bool = False,
    progress: bool | Reporter = True,
) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Return a retriever's table, with a row per user and item, as a `pyarrow.Table` with a row per Case.

    `load_cases`, `evaluate` and `rerank` take it as it is; `pyarrow.parquet.write_table` makes a candidate file of it.

    Args:
        proposed: A table (pandas, polars, pyarrow), or the path of one: user and item, and where there are such the
            title, the score or the rank, what is relevant, and the case (a request, where users have several). All
            other columns are attributes of the item. Lists in a row per user are fine too.
        format: Of a file that is no table: `trec`, `lists`, `rank_llm` or `tallrec`.
        items: Table with the ids and titles of the items, where `proposed` has none.
        histories: Table of earlier events: user and item, and where there are such the timestamp, the rating and the
            case. Events count that are before the `timestamp` of the Case, where the rows of a Case have one.
        relevant: Table of what the users did next: user and item, and where there are such the gain and the case; or
            the path of TREC qrels.
        columns: Names of columns by role, where they are not the usual ones: `{"user": "uid", "case": "request"}`.
        file_order: Take the order of the histories' rows as that of the events, where they have no timestamps.
        drop_duplicates: Keep the best of an item that is named twice, instead of refusing the row.
        skip_bad_rows: Go on without what has a fault (an item without a title, …), and count it.
        progress: Whether to say what is left out; or who is told instead.

    Raises:
        InputError: with table, row, user and hint.
    """
    if not isinstance(columns, Mapping | None):  # pyright: ignore[reportUnnecessaryIsInstance]
        problem, hint = f"{columns!r} names no columns by role", 'write {"user": "uid"}'
        raise InputError(problem, field="columns", hint=hint)
    made, notes = read_external(
        _source(proposed),
        format,
        items=items if items is None else _source(items),
        histories=histories if histories is None else _source(histories),
        relevant=relevant if relevant is None else _source(relevant),
        columns=columns,
        file_order=file_order,
        drop_duplicates=drop_duplicates,
        skip_bad_rows=skip_bad_rows,
    )
    reporter = reporter_of(progress)
    for note in notes:
        reporter.message(note)
    return made


def _source(source: str | Path | ArrowTable | DataFrame) -> Path | ArrowTable | DataFrame:
    return Path(source) if isinstance(source, str) else source
