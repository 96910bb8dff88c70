"""The candidate file: the interface to any recall stage, in Parquet or JSON lines (also gzipped), one row per Case.

A file is checked whole before the first Case is handed out: a Case that has been paid for is never followed by a row
that cannot be read. Then the Cases are read, a batch of rows at a time. Memory holds a batch, and 8 bytes a row.
"""

from __future__ import annotations

import gzip
import re
import zlib
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from string import whitespace
from typing import Any, Literal, Protocol, cast, runtime_checkable

from pydantic_core import from_json

from llmrank.data.candidate_row import CandidateRow, Truth, parse_row
from llmrank.errors import InputError
from llmrank.types import Case, Item

ROWS_AT_ONCE = 1024
FAULTS_SHOWN = 20
GZIP, PARQUET = b"\x1f\x8b", b"PAR1"


@runtime_checkable
class ArrowTable(Protocol):
    """A table by the Arrow PyCapsule protocol: of pyarrow, polars, pandas 2.2 and later, DuckDB, …"""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the table as a stream of Arrow batches."""
        ...


@runtime_checkable
class DataFrame(Protocol):
    """A table by the DataFrame interchange protocol."""

    def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True) -> object:
        """Return the table as an interchange object."""
        ...


Source = Path | ArrowTable | DataFrame
"""A candidate file, or a table in memory that has its columns."""


class BadRowsError(InputError):
    """Several rows of a candidate file have faults."""

    def __init__(self, path: Path | str, faults: Sequence[InputError], count: int) -> None:
        shown = "".join(f"\n    {_without_path(fault, path)}" for fault in faults)
        listed = "" if count == len(faults) else f"; the first {len(faults)}"
        hint = "correct them, or go on with the other rows: --skip-bad-rows (skip_bad_rows=True)"
        super().__init__(f"{count:,} rows have faults{listed}:{shown}", path=path, hint=hint)
        self.faults, self.count = tuple(faults), count
        self.line, self.field, self.user = faults[0].line, faults[0].field, faults[0].user


@dataclass(slots=True)
class CandidateSummary:
    """What a checked candidate file holds. A report says what is not as people expect it."""

    rows: int = 0
    """Good rows: a Case each."""
    rating_rows: int = 0
    """Rows with a `target`; the others are ranking rows."""
    skipped_rows: int = 0
    """Rows with faults, left out at the user's wish."""
    empty_histories: int = 0
    """Cases of users who have done nothing yet."""
    rows_with_truth: int = 0
    """Ranking rows with relevant ids, rating rows with a true rating."""
    relevant: int = 0
    """Relevant ids of all rows."""
    missed: int = 0
    """Relevant ids that the recall stage did not propose. They count against the score."""
    rows_with_seen: int = 0
    """Rows that offer an item of the user's history."""
    lowest_rating: float | None = None
    """Of the true ratings."""
    highest_rating: float | None = None

    def notes(self) -> Iterator[str]:
        """Yield a line for each thing that a reader of the numbers must know."""
        if self.skipped_rows:
            yield f"{self.skipped_rows:,} rows with faults are left out."
        if self.empty_histories:
            yield f"{self.empty_histories:,} of {self.rows:,} Cases have an empty history."
        if self.missed:
            share = self.missed / self.relevant
            yield f"Recall missed {self.missed:,} of {self.relevant:,} relevant ids ({share:.1%}): no candidates."
        if self.rows_with_seen:
            yield f"{self.rows_with_seen:,} Cases offer items that the user already has."

    @property
    def rating_scale(self) -> tuple[float, float]:
        """The scale of the true ratings: 0 to 1 where they are all 0 or 1, else 1 to 5, widened to hold them all."""
        if self.lowest_rating is None or self.highest_rating is None:
            return 1.0, 5.0
        if self.lowest_rating >= 0 and self.highest_rating <= 1:
            return 0.0, 1.0
        return min(1.0, self.lowest_rating), max(5.0, self.highest_rating)


@dataclass(frozen=True, slots=True)
class RawRows:
    """A batch of good rows, untouched."""

    lines: Sequence[int]
    """Line or row number of each."""
    raw: Any
    """A `pyarrow.RecordBatch`, or the list of lines (bytes) of JSON lines."""

    def keep(self, wanted: Sequence[bool]) -> RawRows:
        """Return the rows that are wanted."""
        lines = list(compress(self.lines, wanted))
        if isinstance(self.raw, list):
            return RawRows(lines, list(compress(cast("list[bytes]", self.raw), wanted)))
        import pyarrow as pa

        return RawRows(lines, self.raw.filter(pa.array(wanted, pa.bool_())))


class CandidateFile:
    """A candidate file, or a table in memory, that has been checked whole.

    ```python
    candidates = CandidateFile(Path("candidates.parquet"))
    candidates.summary                   # rows, empty histories, relevant ids that recall missed, …
    for row in candidates:               # CandidateRow: line, case, response
        ...
    ```
    """

    def __init__(
        self,
        source: Source,
        *,
        truth: Truth = "checked",
        skip_bad_rows: bool = False,
        progress: Callable[[int], None] = lambda rows: None,
    ) -> None:
        """Check every row.

        Args:
            source: A path (`.parquet`, `.jsonl` or `.jsonl.gz`), or a table by the Arrow or DataFrame protocol.
            truth: What is done with `relevant` and `rating` (see `Truth`). Reranking ignores them.
            skip_bad_rows: Go on without the rows that have faults, and count them.
            progress: Called with the number of rows checked, after each batch.

        Raises:
            InputError: the file cannot be read, a row has a fault (file, line, field, user and hint), or no relevant id
                of the whole file is a candidate. `BadRowsError`: several rows have faults.
        """
        if isinstance(source, Path):
            if not source.is_file():
                raise InputError("there is no such file", path=source, hint="check the name")
            self.format = file_format(source)
            self.path: Path | str = source
            self._table = None
        else:
            self.format, self.path, self._table = "parquet", "the table", arrow_table(source)
        self._truth: Truth = truth
        self._bad: set[int] = set()
        self._stamp = self._file_stamp()
        self.summary = self._check(skip_bad_rows, progress)

    def __iter__(self) -> Iterator[CandidateRow]:
        remembered: dict[tuple[str, str], Item] = {}
        for rows in self.raw_rows():
            yield from self._parsed(rows, remembered)

    def __len__(self) -> int:
        return self.summary.rows

    def cases(self) -> Iterator[Case]:
        """Yield the Cases in the order of the rows."""
        return (row.case for row in self)

    def raw_rows(self) -> Iterator[RawRows]:
        """Yield the good rows untouched, for whoever writes them again.

        Raises InputError where the file is no longer the one that was checked.
        """
        if self._file_stamp() != self._stamp:
            hint = "start again with the file as it is now"
            raise InputError("the file has changed since it was checked", path=self.path, hint=hint)
        for rows in self._all_rows():
            if self._bad.isdisjoint(rows.lines):
                yield rows
            else:
                yield rows.keep([line not in self._bad for line in rows.lines])

    def schema(self) -> Any:  # noqa: ANN401 - pyarrow has no types
        """Return the Arrow schema of the raw rows; None for JSON lines."""
        import pyarrow.parquet as pq

        if self.format == "jsonl":
            return None
        return pq.read_schema(self.path) if self._table is None else self._table.schema

    def _file_stamp(self) -> tuple[int, int]:
        if not isinstance(self.path, Path):
            return 0, 0
        stat = self.path.stat()
        return stat.st_size, stat.st_mtime_ns

    def _all_rows(self) -> Iterator[RawRows]:
        if self._table is not None:
            return _numbered(self._table.to_batches(max_chunksize=ROWS_AT_ONCE))
        assert isinstance(self.path, Path)
        return _parquet_rows(self.path) if self.format == "parquet" else _json_rows(self.path)

    def _parsed(self, rows: RawRows, remembered: dict[tuple[str, str], Item]) -> Iterator[CandidateRow]:
        if not isinstance(rows.raw, list):
            from llmrank.data.candidate_columns import read_columns

            if (columns := read_columns(rows.raw, self._truth)) is not None:
                yield from map(CandidateRow, rows.lines, columns.cases(remembered), columns.response)
                return
        for line, raw in self._objects(rows):
            yield parse_row(raw(), path=self.path, line=line, truth=self._truth)

    def _objects(self, rows: RawRows) -> Iterator[tuple[int, Callable[[], object]]]:
        """Yield the line of each row, and a function that returns it as an object or raises InputError."""
        for place, line in enumerate(rows.lines):
            if isinstance(rows.raw, list):
                yield line, lambda place=place, line=line: _json_object(rows.raw[place], self.path, line)
            else:
                yield line, lambda place=place, line=line: _row_object(rows.raw, place, self.path, line)

    def _refuse_table(self, rows: RawRows) -> None:
        """Raise the InputError that helps, where the first row is one of a retriever's table."""
        names: Iterable[str] = () if isinstance(rows.raw, list) else rows.raw.schema.names
        if isinstance(rows.raw, list):
            try:
                names = from_json(rows.raw[0])
            except ValueError:
                return
        if not isinstance(names, Collection) or not {"candidates", "target"}.isdisjoint(names):
            return
        from llmrank.data.tables import table_roles

        roles = table_roles(names)
        if {"user", "item"} <= roles.keys():
            shown = ", ".join(f"{role}: {name}" for role, name in roles.items())
            hint = f"convert it: llmrank convert {Path(str(self.path)).name} --from table -o candidates.parquet"
            raise InputError(
                f"this looks like a long table: a row per user and item ({shown})", path=self.path, hint=hint
            )

    def _check(self, skip_bad_rows: bool, progress: Callable[[int], None]) -> CandidateSummary:
        checking = _Checking(self.path, self._truth, skip_bad_rows)
        for rows in self._all_rows():
            if rows.lines[0] == 1:
                self._refuse_table(rows)
            columns = None
            if not isinstance(rows.raw, list):
                from llmrank.data.candidate_columns import read_columns

                columns = read_columns(rows.raw, self._truth)
            if columns is not None:
                checking.add_columns(rows.lines, columns)
            else:
                for line, raw in self._objects(rows):
                    checking.add_object(line, raw)
            progress(len(rows.lines))
        if repeated := checking.repeated():
            self._bad = checking.bad
            first: dict[str, int] = {}
            for row in self:
                case_id = row.case.case_id
                if hash(case_id) & _HASH in repeated and first.setdefault(case_id, row.line) != row.line:
                    checking.add_duplicate(row, first[case_id])
        self._bad = checking.bad
        return checking.finish()


def read_rows(source: Source, **options: Any) -> Iterator[CandidateRow]:  # noqa: ANN401 - those of `CandidateFile`
    """Check the whole source, at once, and return an iterator over its rows. See `CandidateFile`."""
    return iter(CandidateFile(source, **options))


def read_cases(source: Source, **options: Any) -> Iterator[Case]:  # noqa: ANN401 - those of `CandidateFile`
    """Check the whole source, at once, and return an iterator over its Cases, in their order. See `CandidateFile`."""
    return CandidateFile(source, **options).cases()


def read_answered(source: Source, **options: Any) -> Iterator[tuple[Case, str | None]]:  # noqa: ANN401
    """Check a source whose rows carry a `response`, and return an iterator over Cases and responses.

    Raises:
        InputError: as `CandidateFile`; or a row has no field `response` (null is one: the system gave no answer).
    """
    candidates = CandidateFile(source, **options)
    for rows in candidates.raw_rows():
        if isinstance(rows.raw, list):
            lacking = [line for line, raw in zip(rows.lines, rows.raw, strict=True) if "response" not in from_json(raw)]
        else:
            lacking = [] if "response" in rows.raw.schema.names else list(rows.lines)
        if lacking:
            user = next(row.case.user_id for row in candidates if row.line == lacking[0])
            hint = "give the answer's text, or null where the system gave none"
            raise InputError(
                "the row has no response", path=candidates.path, line=lacking[0], field="response", user=user, hint=hint
            )
    return ((row.case, row.response) for row in candidates)


def file_format(path: Path) -> Literal["parquet", "jsonl"]:
    """Return the format that the suffix names; InputError for any other."""
    name = path.name.lower()
    if name.endswith(".parquet"):
        return "parquet"
    if name.endswith((".jsonl", ".jsonl.gz")):
        return "jsonl"
    problem, hint = "a candidate file is Parquet or JSON lines", "name it .parquet, .jsonl or .jsonl.gz"
    if name.endswith(".parquet.gz"):
        hint = "unpack it with gunzip: Parquet is compressed inside"
    elif name.endswith((".csv", ".tsv", ".csv.gz", ".tsv.gz", ".txt", ".xlsx")):
        problem += ", and this is a table by its name"
        hint = f"convert it: llmrank convert {path.name} --from table -o candidates.parquet"
    elif name.endswith((".json", ".ndjson")):
        hint = "one JSON object on each line, in a file named .jsonl (jq -c '.[]' makes lines of an array)"
    raise InputError(problem, path=path, hint=hint)


def arrow_table(source: ArrowTable | DataFrame) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Return a table in memory as a `pyarrow.Table`; InputError where it cannot be one."""
    import pyarrow as pa

    try:
        if isinstance(source, ArrowTable):
            return pa.table(source)
        from pyarrow.interchange import from_dataframe

        return from_dataframe(source)
    except (pa.ArrowException, TypeError, NotImplementedError) as error:
        hint = "give a pyarrow table, a polars or a pandas DataFrame (2.2 or later), with lists of structs as columns"
        raise InputError(f"no table of candidates ({error})", path="the table", hint=hint) from error


_HASH = 0xFFFF_FFFF_FFFF_FFFF


class _Checking:
    """Gathers what a file holds, and the faults of its rows."""

    def __init__(self, path: Path | str, truth: Truth, skip_bad_rows: bool) -> None:
        self._path, self._skip = path, skip_bad_rows
        self._truth: Truth = truth
        self._summary = CandidateSummary()
        self._faults: list[InputError] = []
        self._count = 0
        self.bad: set[int] = set()
        """Lines of the rows that are left out."""
        self._hashes = array("Q")
        self._offered, self._wanted = set[str](), set[str]()
        """Ids of candidates and of relevant items, as long as none of the latter was found among a row's own."""

    def add_columns(self, lines: Sequence[int], columns: Any) -> None:  # noqa: ANN401 - numpy is loaded with it
        """Add good rows."""
        summary = self._summary
        summary.rows += len(lines)
        summary.rating_rows += int(columns.is_rating.sum())
        summary.empty_histories += int((columns.history.lengths == 0).sum())
        summary.rows_with_seen += columns.seen
        summary.rows_with_truth += int((columns.relevant.lengths > 0).sum())
        self._add_ratings([r for r, is_rating in zip(columns.rating, columns.is_rating, strict=True) if is_rating])
        self._hashes.extend([hash(case_id) & _HASH for case_id in columns.case_ids()])
        if len(columns.relevant_id):
            self._add_relevant(columns.relevant_id.to_pylist, columns.proposed.item_id.to_pylist, columns.found)

    def add_object(self, line: int, raw: Callable[[], object]) -> None:
        """Add a row as an object, good or not."""
        try:
            case = parse_row(raw(), path=self._path, line=line, truth=self._truth).case
        except InputError as error:
            self._add_fault(line, error)
            return
        summary = self._summary
        summary.rows += 1
        summary.rating_rows += case.target is not None
        summary.empty_histories += not case.history
        offered = {item.item_id for item in case.candidates}
        summary.rows_with_seen += any(event.item.item_id in offered for event in case.history)
        summary.rows_with_truth += bool(case.relevant)
        if case.target is not None:
            self._add_ratings([case.rating])
        self._hashes.append(hash(case.case_id) & _HASH)
        if case.relevant:
            found = [item_id in offered for item_id in case.relevant]
            self._add_relevant(lambda: list(case.relevant), lambda: list(offered), found)

    def add_duplicate(self, row: CandidateRow, first: int) -> None:
        """Add the fault of a row whose Case was there before."""
        case = row.case
        problem = f"duplicate case (first seen on line {first})"
        hint = "keep one row for each Case; for several Cases of one user give each row a case_id of its own"
        field = "user_id" if case.case_id == case.user_id else "case_id"
        error = InputError(problem, path=self._path, line=row.line, field=field, user=case.user_id, hint=hint)
        self._summary.rows -= 1
        self._add_fault(row.line, error)

    def repeated(self) -> set[int]:
        """Return the hashes of Case ids that may be there twice."""
        import numpy as np

        hashes = np.frombuffer(self._hashes, dtype=np.uint64)
        hashes.sort()  # in place: a copy would cost as much again
        return set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())

    def finish(self) -> CandidateSummary:
        """Return the summary; raise InputError for faults, and for a file that says nothing."""
        summary, path = self._summary, self._path
        if self._count and not (self._skip and summary.rows):
            raise self._faults[0] if self._count == 1 else BadRowsError(path, self._faults, self._count)
        if not summary.rows:
            raise InputError("the file holds no rows", path=path, hint="write at least one")
        if self._truth == "checked" and self._wanted.isdisjoint(self._offered) and self._wanted:
            raise InputError(
                f"none of the {summary.relevant:,} relevant ids is a candidate of any row: relevant has ids such as "
                f"{min(self._wanted)!r}, the candidates such as {min(self._offered)!r}",
                path=path,
                field="relevant",
                hint="write both as the same kind of id; if recall found none of them, there is nothing to measure",
            )
        summary.skipped_rows = self._count
        return summary

    def _add_fault(self, line: int, error: InputError) -> None:
        self._count += 1
        if len(self._faults) < FAULTS_SHOWN:
            self._faults.append(error)
        self.bad.add(line)

    def _add_relevant(
        self, wanted: Callable[[], list[str]], offered: Callable[[], list[str]], found: Iterable[bool]
    ) -> None:
        results = list(found)
        first = self._summary.relevant == self._summary.missed
        self._summary.relevant += len(results)
        self._summary.missed += len(results) - sum(results)
        if self._summary.relevant > self._summary.missed:
            self._wanted.clear()
            self._offered.clear()
        elif first:
            self._wanted.update(wanted())
            self._offered.update(offered())

    def _add_ratings(self, ratings: Iterable[float | None]) -> None:
        summary = self._summary
        known = [rating for rating in ratings if rating is not None]
        if known:
            summary.rows_with_truth += len(known)
            summary.lowest_rating = min(known + ([] if summary.lowest_rating is None else [summary.lowest_rating]))
            summary.highest_rating = max(known + ([] if summary.highest_rating is None else [summary.highest_rating]))


def _without_path(error: InputError, path: Path | str) -> str:
    return str(error).partition("\n  hint:")[0].removeprefix(f"{path}, ").removeprefix(f"{path}: ")


# --- JSON lines -----------------------------------------------------------------------------------------------------


def _json_rows(path: Path) -> Iterator[RawRows]:
    line, lines, content = 0, list[int](), list[bytes]()
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            for line, text in enumerate(file, 1):
                if line == 1:
                    _refuse_other_formats(path, text)
                    text = text.removeprefix(b"\xef\xbb\xbf")  # a byte order mark is no part of it
                if text.strip(whitespace.encode()):
                    lines.append(line)
                    content.append(text)
                if len(lines) == ROWS_AT_ONCE:
                    yield RawRows(lines, content)
                    lines, content = [], []
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"no whole gzip file ({error})", path=path, line=line + 1, hint="write it again") from error
    if lines:
        yield RawRows(lines, content)


def _refuse_other_formats(path: Path, first: bytes) -> None:
    """Raise the InputError that says what a file is, where its first line shows that it is no JSON lines."""
    text = first.removeprefix(b"\xef\xbb\xbf").strip()
    if first.startswith(PARQUET):
        raise InputError("this is a Parquet file", path=path, hint="name it .parquet")
    if first.startswith(GZIP):
        raise InputError("this is a gzip file", path=path, hint=f"name it {path.name}.gz")
    if text == b"[" or text.startswith(b"[{"):
        hint = "write one JSON object on each line: jq -c '.[]' makes lines of an array"
        raise InputError("this is a JSON array, and not JSON lines", path=path, hint=hint)
    if text == b"{":
        hint = "write each object on one line: jq -c . does it"
        raise InputError("the JSON objects stand on several lines", path=path, line=1, hint=hint)
    header = re.fullmatch(rb"[\w. \"-]+([,;\t][\w. \"-]+)+", text)
    if header and b"user" in text.lower():
        hint = f"convert it: llmrank convert {path.name} --from table -o candidates.parquet"
        raise InputError("this looks like a table in CSV", path=path, line=1, hint=hint)


def _json_object(content: bytes, path: Path | str, line: int) -> object:
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise InputError(
            f"not in UTF-8: byte 0x{content[error.start]:02x} at place {error.start + 1} of the line",
            path=path,
            line=line,
            hint="save it as UTF-8, for example with iconv -f LATIN1 -t UTF-8",
        ) from None
    try:
        value = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        problem, hint = "malformed JSON: " + re.sub(r" at line \d+ column", " at column", str(error)), ""
        if (word := re.search(r"(?<=[\s:,\[])(-?Infinity|NaN)(?=\s*[,}\]])", text)) is not None:
            problem, hint = f"{word[0]} is not JSON", "write null where a number is unknown"
        raise InputError(problem, path=path, line=line, hint=hint or "write one JSON object on each line") from None
    if not isinstance(value, dict):
        raise InputError("the line is no JSON object", path=path, line=line, hint="write one JSON object on each line")
    return value  # pyright: ignore[reportUnknownVariableType]


# --- Parquet --------------------------------------------------------------------------------------------------------


def _parquet_rows(path: Path) -> Iterator[RawRows]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    line = 0
    with path.open("rb") as file:
        head = file.read(len(PARQUET))
    if head[:1] == b"{" or head.startswith(GZIP):
        hint = "name it .jsonl" if head[:1] == b"{" else "name it .jsonl.gz, or unpack it"
        raise InputError("this is no Parquet file, whatever its name says", path=path, hint=hint)
    try:
        with pq.ParquetFile(path, memory_map=False) as file:
            for rows in _numbered(file.iter_batches(ROWS_AT_ONCE)):
                yield rows
                line = rows.lines[-1]
    except (pa.ArrowInvalid, OSError) as error:
        hint = "write it again: it is damaged, cut off, or no Parquet"
        raise InputError(f"unreadable Parquet ({error})", path=path, line=line + 1, hint=hint) from error


def _numbered(batches: Iterable[Any]) -> Iterator[RawRows]:
    line = 1
    for batch in batches:
        if batch.num_rows:
            yield RawRows(range(line, line + batch.num_rows), batch)
            line += batch.num_rows


def _row_object(batch: Any, place: int, path: Path | str, line: int) -> object:  # noqa: ANN401 - pyarrow has no types
    try:
        return batch.slice(place, 1).to_pylist()[0]
    except UnicodeDecodeError as error:
        problem = f"not in UTF-8: byte 0x{error.object[error.start]:02x} in {error.object[:40]!r}"
        raise InputError(problem, path=path, line=line, hint="write its texts as UTF-8") from None
