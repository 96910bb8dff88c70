"""`lr.convert`: convert the output of another recall stage into a table of Cases (`llmrank convert` writes a file)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from llmrank.data.candidates import ArrowTable, DataFrame
from llmrank.data.external_formats import read_external
from llmrank.data.rows import Arrow
from llmrank.errors import InputError, in_python
from llmrank.progress import Reporter, reporter_of

Source = TypeVar("Source")


def convert(
    proposed: str | Path | ArrowTable | DataFrame,
    format: str = "table",
    *,
    items: str | Path | ArrowTable | DataFrame | None = None,
    histories: str | Path | ArrowTable | DataFrame | None = None,
    relevant: str | Path | ArrowTable | DataFrame | None = None,
    columns: Mapping[str, str] | None = None,
    file_order: bool = False,
    drop_duplicates: bool = False,
    skip_bad_rows: bool = False,
    progress: bool | Reporter = True,
) -> Arrow:
    """Convert a retriever's table, with one row per user and item, into a `pyarrow.Table` with one row per Case.

    Pass the result to `load_cases`, `evaluate` or `rerank`, or write a candidate file with
    `pyarrow.parquet.write_table`.

    Args:
        proposed: A table (pandas, polars, pyarrow), or the path of one, with user and item, and optionally title, score
            or rank, relevance, and case (a request id, if users have several). All other columns become attributes of
            the item; or columns of the Case (the user's age) if all candidates of each Case share the value, but some
            item has another in another Case. A table with one row of lists per user works too.
        format: Format of a file that is not a table: `trec`, `lists`, `rank_llm` or `tallrec`.
        items: Table of item ids and titles, or a RecBole `.item` file. Not needed if `proposed` has titles, as
            `rank_llm` and `tallrec` always do.
        histories: Table of earlier events, with user and item, and optionally timestamp, rating and case; or a RecBole
            `.inter` file, whose targets become the relevant items, or a text file of `user item item …` lines.
        relevant: Table of relevant items, with user and item, and optionally gain and case; or the path of TREC qrels.
        columns: Names of columns by role, if they differ from the usual ones: `{"user": "uid", "case": "request"}`.
            Each need only exist in one of the tables. Histories and relevant items without the `case` column apply to
            all Cases of the user; events then count only if they precede the `timestamp` of the Case.
        file_order: Use the row order of the histories as the order of events, if there are no timestamps.
        drop_duplicates: Keep only the best rank of a duplicate item, instead of raising an error.
        skip_bad_rows: Skip invalid rows (an item without a title, …), and count them.
        progress: Whether to report what is left out; or a Reporter that receives it.

    Raises:
        InputError: with table, row, user and hint.
    """
    if not isinstance(columns, Mapping | None):  # pyright: ignore[reportUnnecessaryIsInstance]
        problem, hint = f"expected a mapping of roles to columns, got {columns!r}", 'for example {"user": "uid"}'
        raise InputError(problem, field="columns", hint=hint)
    made, notes = read_external(
        _source(proposed),
        format,
        items=_source(items),
        histories=_source(histories),
        relevant=_source(relevant),
        columns=columns,
        file_order=file_order,
        drop_duplicates=drop_duplicates,
        skip_bad_rows=skip_bad_rows,
    )
    reporter = reporter_of(progress)
    for note in notes:
        reporter.message(in_python(note))
    return made


def _source(source: str | Source) -> Path | Source:
    return Path(source) if isinstance(source, str) else source
