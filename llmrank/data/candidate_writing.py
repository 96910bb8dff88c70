"""Writes candidate files atomically. The same Cases always give the same bytes."""

from __future__ import annotations

import gzip
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic_core import to_json

from llmrank.data.candidate_row import CANDIDATE_FIELDS, EVENT_FIELDS, ROW_FIELDS, misspelt_field
from llmrank.data.candidates import file_format
from llmrank.data.rows import Arrow
from llmrank.errors import InputError
from llmrank.files import check_free, writing
from llmrank.types import Case, Item

MADE_AT_ONCE, ROW_GROUP = 1024, 8192
"""Rows held as Python objects at a time, and rows per row group. The writer keeps metadata of each group in memory, so
large groups keep the memory use of large files low."""


def parquet_schema(*, graded: bool = False, columns: Iterable[str] = ()) -> Arrow:
    """Return the Parquet schema of a candidate file with extra text `columns`; attributes map names to text."""
    text, number = pa.string(), pa.float64()
    item = {"item_id": text, "title": text, "attributes": pa.map_(text, text)}
    own = {
        "user_id": text,
        "case_id": text,
        "history": pa.list_(pa.struct(item | {"rating": number, "timestamp": number})),
        "candidates": pa.list_(pa.struct(item | {"score": number})),
        "relevant": pa.map_(text, number) if graded else pa.list_(text),
        "target": pa.struct(item),
        "rating": number,
    }
    return pa.schema(own | dict.fromkeys(columns, text))


def write_cases(path: Path, cases: Iterable[Case], *, overwrite: bool = False) -> int:
    """Write a candidate file in the format that its suffix names and return the number of rows.

    The file is written atomically. Parquet is streamed in row groups. Its column `relevant` is a map from id to gain if
    any Case has gains, and it includes the Cases' extra columns. If `cases` is an iterator, gains and every extra
    column must occur within the first 1024 Cases.

    Raises InputError: the file already exists and `overwrite` is False; the suffix is unknown; gains or an extra column
    first occur too late; or an extra column has a reserved name.
    """
    if file_format(path) == "jsonl":
        return write_lines(path, (json_line(case_row(case)) for case in cases), overwrite=overwrite)
    left = iter(cases)
    first = list(islice(left, MADE_AT_ONCE))
    seen = cases if isinstance(cases, Sequence) else first
    graded = any(case.gains is not None for case in seen)
    columns = dict.fromkeys(name for case in seen for name in case.columns)
    own = parquet_schema().names
    for name in columns:
        if name in ROW_FIELDS or misspelt_field([*own, name]) is not None:
            hint = "rename the column of the Cases"
            raise InputError("the column name is reserved, or too close to one", path=path, field=name, hint=hint)
    schema = parquet_schema(graded=graded, columns=columns)

    def table(some: list[Case]) -> Arrow:
        for case in some:
            late = "gains" if case.gains is not None and not graded else next(iter(case.columns.keys() - columns), None)
            if late is not None:
                problem = f"{late!r} first occurs after the first {MADE_AT_ONCE:,} Cases"
                hint = "pass the Cases as a list"
                raise InputError(problem, path=path, user=case.user_id, hint=hint)
        return case_table(some, schema)

    left = chain(first, left)
    batches = iter(lambda: list(islice(left, MADE_AT_ONCE)), list[Case]())
    return write_tables(path, map(table, batches), schema, overwrite=overwrite)


def case_row(case: Case) -> dict[str, object]:
    """Return a Case as a row for JSON, with only the fields that are set.

    Attributes are fields next to the title, or all in `attributes` if the format reserves one of their names.
    `relevant` is a list of ids, or a map from id to gain if the Case has gains. `case_id` is omitted if it equals the
    user id.
    """
    row: dict[str, object] = {"user_id": case.user_id}
    if case.case_id != case.user_id:
        row["case_id"] = case.case_id
    row |= {name: text for name, text in case.columns.items() if name not in ROW_FIELDS}
    row["history"] = [_item_row(event.item, rating=event.rating, timestamp=event.timestamp) for event in case.history]
    if case.target is not None:
        row["target"] = _item_row(case.target)
        if case.rating is not None:
            row["rating"] = case.rating
        return row
    scores: Sequence[float | None] = case.recall_scores or [None] * len(case.candidates)
    row["candidates"] = [_item_row(item, score=score) for item, score in zip(case.candidates, scores, strict=True)]
    if case.relevant:
        row["relevant"] = list(case.relevant) if case.gains is None else case.gain_of
    return row


def _item_row(item: Item, **numbers: float | None) -> dict[str, object]:
    row: dict[str, object] = {"item_id": item.item_id, "title": item.title}
    row |= {name: value for name, value in numbers.items() if value is not None}
    if (EVENT_FIELDS | CANDIDATE_FIELDS).isdisjoint(item.attributes):
        return row | dict(item.attributes)
    return row | {"attributes": dict(item.attributes)}


def case_table(cases: Sequence[Case], schema: Arrow) -> Arrow:
    """Return Cases as a table of the schema. Equivalent to `case_row`, but built by column, which is much faster."""
    events = [event for case in cases for event in case.history]
    rated = [case.target is not None for case in cases]
    ranked = [case for case in cases if case.target is None]
    history = _items([event.item for event in events])
    history |= {"rating": [event.rating for event in events], "timestamp": [event.timestamp for event in events]}
    candidates = _items([item for case in ranked for item in case.candidates])
    candidates["score"] = [one for case in ranked for one in case.recall_scores or [None] * len(case.candidates)]
    offered = [0 if case.target else len(case.candidates) for case in cases]
    graded = pa.types.is_map(schema.field("relevant").type)
    relevant = [list(case.gain_of.items()) if graded else case.relevant for case in cases]
    columns = {
        "user_id": [case.user_id for case in cases],
        "case_id": [None if case.case_id == case.user_id else case.case_id for case in cases],
        "history": _lists(schema, "history", history, [len(case.history) for case in cases]),
        "candidates": _lists(schema, "candidates", candidates, offered, rated),
        "relevant": [None if case.target else ids or None for case, ids in zip(cases, relevant, strict=True)],
        "target": [case.target and {name: one[0] for name, one in _items([case.target]).items()} for case in cases],
        "rating": [case.rating if case.target else None for case in cases],
    }
    further = [name for name in schema.names if name not in columns]
    columns |= {name: [case.columns.get(name) for case in cases] for name in further}
    return pa.table(columns, schema)


def _items(items: Sequence[Item]) -> dict[str, list[Any]]:
    """Return the columns of items; empty attributes become null."""
    return {
        "item_id": [item.item_id for item in items],
        "title": [item.title for item in items],
        "attributes": [dict(item.attributes) or None for item in items],
    }


def _lists(
    schema: Arrow,
    name: str,
    columns: Mapping[str, list[Any]],
    lengths: Iterable[int],
    missing: list[bool] | None = None,
) -> Arrow:
    """Return a column of lists of structs with the given lengths and fields; null where `missing` is true."""
    kind = schema.field(name).type
    arrays = [pa.array(columns[field.name], field.type) for field in kind.value_type]
    entries = pa.StructArray.from_arrays(arrays, fields=list(kind.value_type))
    offsets = pa.array([0, *accumulate(lengths)], pa.int32())
    return pa.ListArray.from_arrays(offsets, entries, kind, mask=missing and pa.array(missing))


def write_tables(path: Path, tables: Iterator[Arrow], schema: Arrow, *, overwrite: bool) -> int:
    """Write tables of one schema to a Parquet file in groups of about ROW_GROUP rows and return the number of rows."""
    count, held = 0, schema.empty_table()
    with (
        replacing(path, overwrite=overwrite) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as writer,
    ):
        for table in chain(tables, [None]):
            held = held if table is None else pa.concat_tables([held, table])
            if len(held) and (len(held) >= ROW_GROUP or table is None):
                writer.write_table(held, row_group_size=ROW_GROUP)
                count, held = count + len(held), schema.empty_table()
    return count


def write_lines(path: Path, lines: Iterable[bytes], *, overwrite: bool = False) -> int:
    """Write lines (which include their line breaks), gzipped if the path ends in `.gz`, and return their number."""
    count = 0
    with replacing(path, overwrite=overwrite) as temporary, temporary.open("wb") as plain:
        # Omit name and time from the gzip header, so that the same rows give the same bytes.
        packed = gzip.GzipFile(filename="", mode="wb", fileobj=plain, mtime=0) if path.suffix.lower() == ".gz" else None
        with packed or nullcontext(plain) as file:
            for count, line in enumerate(lines, 1):  # noqa: B007 - the last one is their number
                file.write(line)
    return count


def json_line(row: Mapping[str, object]) -> bytes:
    """Return a row as a line of JSON. Values without a JSON form (dates, decimals) become text; bytes become URL-safe
    base64.
    """
    return to_json(row, inf_nan_mode="null", bytes_mode="base64", fallback=str) + b"\n"


@contextmanager
def replacing(path: Path, *, overwrite: bool) -> Generator[Path]:
    """Yield a temporary path that replaces `path` when the block succeeds and is removed when it fails."""
    check_free(path, overwrite=overwrite)
    with writing(path) as temporary:
        yield temporary
