"""The candidate file: the interface to any recall stage, in Parquet or JSON lines (also gzipped), one row per Case.

The whole file is checked before the first Case is yielded, so that a run never fails on a malformed row after model
calls have been paid for. The Cases are then read in batches. Memory use: one batch, plus 8 bytes per row.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import compress, islice
from operator import gt
from pathlib import Path
from typing import Any, Literal, Protocol, cast, runtime_checkable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from llmrank.data.candidate_batch import BatchCounts, check_batch
from llmrank.data.candidate_row import (
    RERANKED_FIELDS,
    ROW_FIELDS,
    CandidateRow,
    RowReader,
    Truth,
    misspelt_field,
)
from llmrank.data.lines import GZIP, ONE_OBJECT_PER_LINE, PARQUET, byte_lines, json_object
from llmrank.data.rows import Arrow, in_plain_types, is_single, scale_of
from llmrank.data.table import usual_column
from llmrank.data.table_files import refuse_same_names
from llmrank.data.tallrec import is_tallrec
from llmrank.errors import InputError, count_of
from llmrank.files import require_file
from llmrank.types import Case, Event

ROWS_AT_ONCE, OBJECTS_AT_ONCE = 1024, 64
"""Rows per batch, and how many of them are converted to Python objects at a time."""
FAULTS_SHOWN = 20
_RERANKED = frozenset(RERANKED_FIELDS)
_SKIP_HINT = "or skip the invalid rows: --skip-bad-rows"
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")
"""The name pandas gives to an unnamed index when it becomes a column."""
_MIXED = re.compile(r"for column (?P<column>.+) with type object")
"""What Arrow says of a column of a DataFrame whose values are of several types."""


@runtime_checkable
class ArrowTable(Protocol):
    """A table that supports the Arrow PyCapsule protocol: pyarrow, polars, pandas 2.2 and later, DuckDB, …"""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the table as a stream of Arrow batches."""
        ...


@runtime_checkable
class DataFrame(Protocol):
    """A table that supports the DataFrame interchange protocol."""

    def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True) -> object:
        """Return the table as an interchange object."""
        ...


TableSource = Path | ArrowTable | DataFrame
"""A candidate file, or a table in memory with the same columns."""


class BadRowsError(InputError):
    """Several rows of a candidate file are invalid."""

    def __init__(self, path: Path | str, faults: Sequence[InputError], count: int) -> None:
        shown = "".join(f"\n    {fault.place}: {fault.problem}" for fault in faults)
        listed = "" if count == len(faults) else f"; the first {len(faults)}"
        hints = {fault.hint for fault in faults}
        remedy = hints.pop() if len(hints) == 1 else "correct them"
        problem = f"{count_of(count, 'row is', 'rows are')} invalid{listed}:{shown}"
        super().__init__(problem, path=path, hint=f"{remedy}; {_SKIP_HINT}")
        self.faults, self.count = tuple(faults), count
        self.line, self.field, self.user = faults[0].line, faults[0].field, faults[0].user


def refuse_rows(path: Path | str, faults: Sequence[InputError], count: int) -> None:
    """Raise the error of the only invalid row, or a `BadRowsError` that lists the first ones; do nothing for 0 rows."""
    if count == 1:
        one = faults[0]
        hint = f"{one.hint}; {_SKIP_HINT}"
        raise InputError(one.problem, path=one.path, line=one.line, field=one.field, user=one.user, hint=hint)
    if count:
        raise BadRowsError(path, faults, count)


@dataclass(slots=True)
class CandidateSummary:
    """Counts over a checked candidate file; `notes` reports whatever may surprise the reader."""

    rows: int = 0
    """Valid rows, one per Case."""
    skipped_rows: int = 0
    """Invalid rows that were skipped on request."""
    empty_histories: int = 0
    """Cases of users without any earlier event."""
    relevant: int = 0
    """Relevant ids in all rows."""
    missed: int = 0
    """Relevant ids that the recall stage did not propose. They count against the score."""
    rows_with_seen: int = 0
    """Rows in which a candidate is also in the user's history."""
    falling_histories: int = 0
    """Rows whose history is not oldest first by its timestamps."""
    targets: int = 0
    """Rows of the rating task."""
    reranked_fields: set[str] = field(default_factory=set[str])
    """Columns of a reranked file that this file already has."""
    ratings: tuple[float, float] | None = None
    """The lowest and highest true rating."""

    def add(self, case: Case, times: Literal[1, -1] = 1) -> None:
        """Count a Case; with -1, take back what was counted."""
        offered = {item.item_id for item in case.candidates}
        self.rows += times
        self.empty_histories += times * (not case.history)
        self.rows_with_seen += times * any(event.item.item_id in offered for event in case.history)
        self.falling_histories += times * falls(case.history)
        self.relevant += times * len(case.relevant)
        self.missed += times * sum(item_id not in offered for item_id in case.relevant)
        self.targets += times * (case.target is not None)
        if case.target is not None and (rating := case.rating) is not None:
            low, high = self.ratings or (rating, rating)
            self.ratings = min(low, rating), max(high, rating)

    def add_batch(self, batch: BatchCounts) -> None:
        """Count the Cases of a batch."""
        self.rows += len(batch.case_ids)
        self.empty_histories += batch.empty_histories
        self.rows_with_seen += batch.rows_with_seen
        self.falling_histories += batch.falling_histories

    def notes(self) -> Iterator[str]:
        """Yield one line for each fact that matters for interpreting the results."""
        if self.skipped_rows:
            yield f"{count_of(self.skipped_rows, 'invalid row is', 'invalid rows are')} skipped."
        if self.empty_histories:
            yield f"Cases with an empty history: {self.empty_histories:,} of {self.rows:,}."
        if self.missed:
            share = f"{self.missed:,} of {count_of(self.relevant, 'relevant id')} ({self.missed / self.relevant:.1%})"
            yield f"Recall missed {share}: not candidates."
        if self.rows_with_seen:
            offer = count_of(self.rows_with_seen, "Case offers", "Cases offer")
            yield f"{offer} items that are already in the user's history."
        if self.falling_histories:
            yield not_oldest_first(self.falling_histories)

    @property
    def rating_scale(self) -> tuple[float, float]:
        """The scale of the true ratings (see `scale_of`)."""
        return scale_of(self.ratings or ())


def falls(history: Iterable[Event]) -> bool:
    """Return whether a timestamp is below an earlier one."""
    times = [event.timestamp for event in history if event.timestamp is not None]
    return any(map(gt, times, times[1:]))


def not_oldest_first(cases: int) -> str:
    """Return the note on this number of Cases whose timestamps fall along the history."""
    which = f"In {count_of(cases, 'Case')} the timestamps fall along the history"
    return f"{which}, which must be oldest first: its last event is taken for the newest."


@dataclass(frozen=True, slots=True)
class RawRows:
    """A batch of rows as they were read."""

    lines: Sequence[int]
    """The line number (JSON lines) or row number of each row."""
    raw: Any
    """A `pyarrow.RecordBatch`, or a list of JSON lines as bytes."""

    @property
    def names(self) -> list[str]:
        """Names of the columns; empty for JSON lines."""
        return [] if isinstance(self.raw, list) else self.raw.schema.names

    def keep(self, wanted: Sequence[bool]) -> RawRows:
        """Return the rows for which `wanted` is true."""
        lines = list(compress(self.lines, wanted))
        if isinstance(self.raw, list):
            return RawRows(lines, list(compress(cast("list[bytes]", self.raw), wanted)))
        return RawRows(lines, self.raw.filter(pa.array(wanted, pa.bool_())))

    def objects(self, path: Path | str, *, columns: bool = False) -> Iterator[tuple[int, Any]]:
        """Yield each row's line and its known fields as Python objects, or an InputError if they cannot be read.

        With `columns`, also include unknown columns of scalar values, which a Case keeps.
        """
        if isinstance(self.raw, list):
            for line, content in zip(self.lines, cast("list[bytes]", self.raw), strict=True):
                yield line, json_object(content, path, line)
            return
        names = self.names
        single = [column.name for column in self.raw.schema if columns and is_single(column.type)]
        known = ROW_FIELDS.union(misspelt_field(names) or (), single)
        batch = self.raw.select([place for place, name in enumerate(names) if name in known])
        for start in range(0, len(batch), OBJECTS_AT_ONCE):
            some, lines = batch.slice(start, OBJECTS_AT_ONCE), self.lines[start : start + OBJECTS_AT_ONCE]
            yield from zip(lines, row_objects(some, lines, path), strict=True)


class CandidateFile:
    """A candidate file, or a table in memory, in which every row has been checked.

    ```python
    candidates = CandidateFile(Path("candidates.parquet"))
    candidates.summary                   # rows, empty histories, relevant ids that recall missed, …
    for row in candidates:               # CandidateRow: line, case, response
        ...
    ```
    """

    def __init__(
        self,
        source: TableSource,
        *,
        truth: Truth = "checked",
        answered: bool = False,
        skip_bad_rows: bool = False,
        keep: bool = False,
    ) -> None:
        """Check every row.

        Args:
            source: A path (`.parquet`, `.jsonl` or `.jsonl.gz`), or a table that supports the Arrow or DataFrame
                protocol.
            truth: How to treat `relevant` and `rating` (see `Truth`). Reranking ignores them.
            answered: Whether each row must have a `response` (null if the system gave no answer).
            skip_bad_rows: Skip invalid rows and count them.
            keep: Hold every Case in memory, so that no row is read twice. For callers that need all Cases at once.

        Raises:
            InputError: the file cannot be read, a row is invalid (file, line, field, user and hint), or no relevant id
                of the whole file is a candidate. `BadRowsError`: several rows are invalid.
        """
        if isinstance(source, Path):
            require_file(source)
            self.format, self.path = file_format(source), source
            self._all_rows = partial(_parquet_rows if self.format == "parquet" else _json_rows, source)
        else:
            self.format, self.path = "parquet", "the table"
            self._all_rows = partial(_numbered, arrow_table(source, self.path).to_batches(max_chunksize=ROWS_AT_ONCE))
        self._truth: Truth = truth
        self._bad: set[int] = set()
        self._kept: list[CandidateRow] | None = [] if keep and truth != "ignored" else None
        self._stamp = self._file_stamp()
        self.summary = self._check(answered, skip_bad_rows)

    def __iter__(self) -> Iterator[CandidateRow]:
        if self._kept is not None:
            yield from (row for row in self._kept if row.line not in self._bad)
            return
        reader = RowReader(self.path, truth=self._truth)
        for rows in self.raw_rows():
            for line, fields in rows.objects(self.path, columns=self._truth != "ignored"):
                yield reader.read(fields, line)

    def __len__(self) -> int:
        return self.summary.rows

    def cases(self) -> Iterator[Case]:
        """Yield the Cases in the order of the rows."""
        return (row.case for row in self)

    def raw_rows(self) -> Iterator[RawRows]:
        """Yield the valid rows unchanged, for callers that write them again.

        Raises InputError: the file has changed since it was checked.
        """
        if self._file_stamp() != self._stamp:
            hint = "start again with the current file"
            raise InputError("the file has changed since it was checked", path=self.path, hint=hint)
        for rows in self._all_rows():
            if self._bad.isdisjoint(rows.lines):
                yield rows
            else:
                yield rows.keep([line not in self._bad for line in rows.lines])

    def _file_stamp(self) -> tuple[int, int]:
        if not isinstance(self.path, Path):
            return 0, 0
        stat = self.path.stat()
        return stat.st_size, stat.st_mtime_ns

    def _check(self, answered: bool, skip_bad_rows: bool) -> CandidateSummary:
        summary, faults, hashes = CandidateSummary(), list[InputError](), array("q")
        example: Case | None = None
        reader = RowReader(self.path, truth=self._truth, answered=answered)
        for number, rows in enumerate(self._all_rows()):
            if number == 0:
                self._refuse_table(rows)
                refuse_same_names(rows.names, self.path)
                summary.reranked_fields.update(_RERANKED.intersection(rows.names))
            quick = self._truth == "ignored" and not answered and self.format == "parquet"
            if quick and (found := check_batch(rows.raw)) is not None:
                summary.add_batch(found)
                hashes.extend(map(hash, found.case_ids))
                continue
            for case in self._good_cases(rows, reader, summary, faults):
                summary.add(case)
                hashes.append(hash(case.case_id))
                if example is None and case.relevant:
                    example = case
        for row, fault in self._duplicates(hashes):
            summary.add(row.case, -1)
            self._leave_out(row.line, fault, faults)
        if not (skip_bad_rows and summary.rows):
            refuse_rows(self.path, faults, len(self._bad))
        if not summary.rows:
            raise InputError("the file has no rows", path=self.path, hint="write at least one")
        if example is not None and self._truth == "checked" and 0 < summary.relevant == summary.missed:
            raise self._no_hit(example, summary.relevant)
        summary.skipped_rows = len(self._bad)
        return summary

    def _no_hit(self, example: Case, relevant: int) -> InputError:
        """Return the error for a file in which no relevant id is a candidate."""
        wanted, offered = example.relevant[0], example.candidates[0].item_id
        ids = f"relevant has ids such as {wanted!r}, the candidates have ids such as {offered!r}"
        problem = f"none of {count_of(relevant, 'relevant id')} is a candidate in its row: {ids}"
        hint = "use the same kind of id in both; if recall really found none of them, there is nothing to measure"
        return InputError(problem, path=self.path, field="relevant", hint=hint)

    def _leave_out(self, line: int, fault: InputError, faults: list[InputError]) -> None:
        self._bad.add(line)
        if len(faults) < FAULTS_SHOWN:
            faults.append(fault)

    def _good_cases(
        self, rows: RawRows, reader: RowReader, summary: CandidateSummary, faults: list[InputError]
    ) -> Iterator[Case]:
        """Yield the Cases of the valid rows; add the errors of the others to `faults`."""
        for line, fields in rows.objects(self.path, columns=self._truth != "ignored"):
            try:
                if isinstance(fields, InputError):
                    raise fields
                row = reader.check(fields, line)
            except InputError as error:
                self._leave_out(line, error, faults)
                continue
            summary.reranked_fields.update(_RERANKED.intersection(fields))
            if self._kept is not None:
                self._kept.append(row)
            yield row.case

    def _duplicates(self, hashes: array[int]) -> Iterator[tuple[CandidateRow, InputError]]:
        """Yield each row that repeats an earlier Case, with its error. `hashes` has one per Case id."""
        given = np.frombuffer(hashes, dtype=np.int64)
        given.sort()  # in place: a copy would cost as much again
        repeated: set[int] = set(given[1:][given[1:] == given[:-1]].tolist())
        first: dict[str, int] = {}
        hint = "keep one row per Case; if a user has several Cases, give each row its own case_id"
        for row in self if repeated else ():
            case_id, user = row.case.case_id, row.case.user_id
            if hash(case_id) in repeated and (line := first.setdefault(case_id, row.line)) != row.line:
                problem = f"duplicate Case (first seen on line {line})"
                field = "user_id" if case_id == user else "case_id"
                yield row, InputError(problem, path=self.path, line=row.line, field=field, user=user, hint=hint)

    def _refuse_table(self, rows: RawRows) -> None:
        """Raise an InputError that suggests `convert` if the first row looks like a retriever's table."""
        names: Iterable[str] = rows.names
        if self.format == "jsonl" and isinstance(fields := json_object(rows.raw[0], self.path, 1), dict):
            names = cast("dict[str, object]", fields)
        if not {"candidates", "target"}.isdisjoint(names):
            return
        roles = {role: usual_column(role, names) for role in ("user", "item", "title", "score", "rank")}
        if roles["user"] and roles["item"]:
            shown = ", ".join(f"{role}: {name}" for role, name in roles.items() if name)
            problem = f"this looks like a long table with one row per user and item ({shown})"
            raise InputError(problem, path=self.path, hint=_convert_hint(self.path))
        if self.format == "parquet" and misspelt_field(names) is None:
            problem = f"the column 'candidates' is missing; the columns are {', '.join(names)}"
            hint = f"if this is a retriever's table, {_convert_hint(self.path)}"
            raise InputError(problem, path=self.path, hint=hint)


def read_cases(source: TableSource, **options: Any) -> Iterator[Case]:
    """Check the whole source now and return an iterator over its Cases in row order. See `CandidateFile`."""
    return CandidateFile(source, **options).cases()


def has_no_rows(path: Path) -> bool:
    """Return whether a file is Parquet without rows, as Spark writes for an empty part of a folder."""
    if not path.name.lower().endswith(".parquet"):
        return False
    try:
        return pq.read_metadata(path).num_rows == 0
    except (pa.ArrowInvalid, OSError):  # reported by whoever reads the rows
        return False


def file_format(path: Path) -> Literal["parquet", "jsonl"]:
    """Return the format of a file by its suffix. Raises InputError: an unknown suffix."""
    name = path.name.lower()
    if name.endswith(".parquet"):
        return "parquet"
    if name.endswith((".jsonl", ".jsonl.gz")):
        return "jsonl"
    problem, hint = "a candidate file must be Parquet or JSON lines", "use the suffix .parquet, .jsonl or .jsonl.gz"
    if name.endswith(".parquet.gz"):
        hint = "unpack it with gunzip: Parquet is compressed internally"
    elif path.is_file() and name.endswith((".csv", ".tsv", ".csv.gz", ".tsv.gz", ".txt", ".xlsx")):
        problem, hint = f"{problem}, but the suffix is that of a plain table", _convert_hint(path)
    elif name.endswith(".json") and path.is_file() and is_tallrec(path):
        hint = f"this looks like TALLRec's file: llmrank convert {path} --from tallrec -o cases.jsonl"
    elif name.endswith((".json", ".ndjson")):
        hint = "write one JSON object per line to a .jsonl file (jq -c '.[]' turns an array into lines)"
    raise InputError(problem, path=path, hint=hint)


def arrow_table(source: ArrowTable | DataFrame, what: str) -> Arrow:
    """Return a table in memory as a `pyarrow.Table`. Raises InputError: not a table; the message names it `what`."""
    try:
        if isinstance(source, ArrowTable):
            table = pa.table(source)
            refuse_same_names(table.column_names, what)
            table = in_plain_types(table)
            return table.drop_columns([name for name in table.column_names if _PANDAS_INDEX.fullmatch(name)])
        from pyarrow.interchange import from_dataframe

        return in_plain_types(from_dataframe(source))
    except (pa.ArrowException, TypeError, ValueError, NotImplementedError) as error:
        hint = (
            "pass a pyarrow table or a DataFrame from polars (call .collect() on a lazy one) or pandas (2.2 or later)"
        )
        if "Duplicate column names" in str(error):
            hint = "rename one of them"
        if mixed := _MIXED.search(str(error)):
            name = mixed["column"]
            hint = f"give its values one type: frame[{name!r}] = frame[{name!r}].astype('string')"
        if "relevant" in str(error):
            hint = "pandas cannot hold maps such as graded relevance: read the file with pyarrow.parquet.read_table"
        raise InputError(f"cannot be read as a table ({error})", path=what, hint=hint) from error


def _convert_hint(path: Path | str) -> str:
    if isinstance(path, Path):
        return f"convert it: llmrank convert {path} -o candidates.parquet"
    return "convert it: llmrank.convert(table, items=…, histories=…, relevant=…)"


# --- JSON lines -----------------------------------------------------------------------------------------------------


def _json_rows(path: Path) -> Iterator[RawRows]:
    left = byte_lines(path)
    while some := list(islice(left, ROWS_AT_ONCE)):
        if some[0][0] == 1:
            _refuse_other_formats(path, some[0][1].strip())
        yield RawRows([line for line, _ in some], [content for _, content in some])


def _refuse_other_formats(path: Path, first: bytes) -> None:
    """Raise an InputError that names the actual format if the first line is not one of JSON lines."""
    if first == b"[" or first.startswith(b"[{"):
        hint = f"{ONE_OBJECT_PER_LINE}: jq -c '.[]' turns an array into lines"
        raise InputError("this is a JSON array, not JSON lines", path=path, hint=hint)
    if first == b"{":
        hint = "write each object on a single line, for example with jq -c ."
        raise InputError("a JSON object spans several lines", path=path, line=1, hint=hint)
    if re.fullmatch(rb"[\w. \"-]+([,;\t][\w. \"-]+)+", first) and b"user" in first.lower():
        raise InputError("this looks like a CSV table", path=path, line=1, hint=_convert_hint(path))


# --- Parquet --------------------------------------------------------------------------------------------------------


def _parquet_rows(path: Path) -> Iterator[RawRows]:
    line = 0
    with path.open("rb") as file:
        head = file.read(len(PARQUET))
    if head[:1] == b"{" or head.startswith(GZIP):
        hint = "name it .jsonl" if head[:1] == b"{" else "name it .jsonl.gz, or unpack it"
        raise InputError("the name says Parquet, but the content is not", path=path, hint=hint)
    try:
        with pq.ParquetFile(path, memory_map=False) as file:
            for rows in _numbered(map(in_plain_types, file.iter_batches(ROWS_AT_ONCE))):
                yield rows
                line = rows.lines[-1]
    except (pa.ArrowInvalid, OSError) as error:
        hint = "write the file again: it is damaged, truncated or not Parquet"
        raise InputError(f"unreadable Parquet ({error})", path=path, line=line + 1, hint=hint) from error


def _numbered(batches: Iterable[Arrow]) -> Iterator[RawRows]:
    line = 1
    for batch in batches:
        if batch.num_rows:
            yield RawRows(range(line, line + batch.num_rows), batch)
            line += batch.num_rows


def row_objects(batch: Arrow, lines: Sequence[int], path: Path | str, **options: Any) -> list[Any]:
    """Return each row as Python objects (`options` are those of `to_pylist`), or an InputError if that fails."""
    try:
        return batch.to_pylist(**options)
    except (ValueError, OverflowError, KeyError):
        return [_row_object(batch.slice(place, 1), path, line, options) for place, line in enumerate(lines)]


def _row_object(row: Arrow, path: Path | str, line: int, options: dict[str, Any]) -> object:
    try:
        return row.to_pylist(**options)[0]
    except UnicodeDecodeError as error:
        problem = f"not UTF-8: byte 0x{error.object[error.start]:02x} in {error.object[:40]!r}"
        return InputError(problem, path=path, line=line, hint="encode the text as UTF-8")
    except KeyError as error:
        problem = f"a map has a key twice ({error.args[0]})"
        return InputError(problem, path=path, line=line, hint="give each key once")
    except (ValueError, OverflowError) as error:
        return InputError(f"Python cannot represent a value ({error})", path=path, line=line, hint="correct it")
