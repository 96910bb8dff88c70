"""The candidate file: the interface to any recall stage, in Parquet or JSON lines (also gzipped), one row per Case.

Reading goes over the file twice. The first time every row is checked, and nothing is handed out before the last one has
passed: a Case that has been paid for is never followed by a row that cannot be read. The second time the Cases are
yielded as they are read. Neither holds more than a batch of rows, the ids of the items, and 8 bytes a user.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from array import array
from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from string import whitespace
from typing import IO, Any, Literal

from pydantic_core import from_json

from llmrank.data.candidate_row import CandidateRow, case_row, parse_row
from llmrank.errors import InputError
from llmrank.files import writing
from llmrank.types import Case

ROWS_AT_ONCE = 256
MADE_AT_ONCE, ROW_GROUP = 1024, 8192
"""Rows that are Python objects at the same time, and rows of a group in the file: the writer remembers each group, so
few of them make a large file cost little memory."""


@dataclass(frozen=True, slots=True)
class CandidateSummary:
    """What a candidate file holds; all of its rows have been checked."""

    rows: int = 0
    ranking_rows: int = 0
    rating_rows: int = 0
    labelled_rows: int = 0
    """Ranking rows that say what is relevant, and rating rows that give the rating."""
    candidates: int = 0
    seen_candidates: int = 0
    """Candidates that stand in their user's history: rows are taken as they are, but a report should say so."""


def check_candidates(path: Path, *, allow_empty_history: bool = False, items: Collection[str] = ()) -> CandidateSummary:
    """Read the whole file, check every row, and return what it holds.

    A relevant item that the recall stage missed is no error, a relevant id that is no item is. An id is that of an item
    if it is among the candidates, in the history, the target or in `missed` of any row of the file, or in `items`.

    Args:
        path: `.parquet`, `.jsonl` or `.jsonl.gz`.
        allow_empty_history: Let in users who have done nothing yet.
        items: Ids of further items, for files that cannot show them all.

    Raises:
        InputError: with file, line (row), field, user and hint.
    """
    rows = ranking = judged = candidates = seen = 0
    users, known = array("Q"), set(items)
    unknown: dict[str, tuple[int, str]] = {}
    for row in _parse(path, allow_empty_history):
        case = row.case
        rows += 1
        ranking += case.target is None
        judged += bool(case.relevant) or case.rating is not None
        users.append(hash(case.user_id) & 0xFFFF_FFFF_FFFF_FFFF)
        past = {event.item.item_id for event in case.history}
        proposed = [item.item_id for item in case.candidates]
        candidates += len(proposed)
        seen += sum(item_id in past for item_id in proposed)
        known.update(past, proposed, row.missed, [case.target.item_id] if case.target else ())
        for item_id in case.relevant:
            if item_id not in known:
                unknown.setdefault(item_id, (row.line, case.user_id))
    if not rows:
        raise InputError("the file holds no rows", path=path, hint="write at least one")
    _refuse_repeated_users(path, users, allow_empty_history)
    wrong = [item_id for item_id in unknown if item_id not in known]
    if wrong:
        line, user = unknown[wrong[0]]
        others = f" (and {len(wrong) - 1} more such ids)" if len(wrong) > 1 else ""
        raise InputError(
            f"the relevant id {wrong[0]!r} is no item: no row has it as a candidate or in a history{others}",
            path=path,
            line=line,
            field="relevant",
            user=user,
            hint="correct it; or, if the recall stage missed that item, list it in `missed` of the row",
        )
    return CandidateSummary(rows, ranking, rows - ranking, judged, candidates, seen)


def read_rows(
    path: Path, *, allow_empty_history: bool = False, items: Collection[str] = (), checked: bool = False
) -> Iterator[CandidateRow]:
    """Check the whole file, at once, and return an iterator over its rows.

    Args:
        path: `.parquet`, `.jsonl` or `.jsonl.gz`.
        allow_empty_history: Let in users who have done nothing yet.
        items: Ids of further items (see `check_candidates`).
        checked: `check_candidates` has just been called; don't do it again.

    Raises:
        InputError: with file, line (row), field, user and hint.
    """
    if not checked:
        check_candidates(path, allow_empty_history=allow_empty_history, items=items)
    return _parse(path, allow_empty_history)


def read_cases(path: Path, *, allow_empty_history: bool = False, items: Collection[str] = ()) -> Iterator[Case]:
    """Check the whole file, at once, and return an iterator over its Cases, in their order (see `read_rows`)."""
    return (row.case for row in read_rows(path, allow_empty_history=allow_empty_history, items=items))


def read_answered(
    path: Path, *, allow_empty_history: bool = False, items: Collection[str] = ()
) -> Iterator[tuple[Case, str | None]]:
    """Check a file whose rows carry a `response`, and return an iterator over Cases and responses.

    Raises:
        InputError: as `read_rows`; or a row has no field `response` (null is one: the system gave no answer).
    """
    options: dict[str, Any] = {"allow_empty_history": allow_empty_history, "items": items}
    check_candidates(path, **options)
    for row in read_rows(path, checked=True, **options):
        if "response" not in row.raw:
            raise InputError(
                "the row has no response",
                path=path,
                line=row.line,
                field="response",
                user=row.case.user_id,
                hint="give the answer's text, or null where the system gave none",
            )
    return ((row.case, row.response) for row in read_rows(path, checked=True, **options))


def write_cases(path: Path, cases: Iterable[Case], *, overwrite: bool = False) -> int:
    """Write a candidate file, in the format that its suffix names, and return the number of rows.

    The file appears whole or not at all. Parquet is written in row groups, as the Cases come.

    Raises:
        InputError: there is such a file already and `overwrite` is False; an unknown suffix.
    """
    nested = file_format(path) == "parquet"
    return write_rows(path, (case_row(case, nested=nested) for case in cases), overwrite=overwrite)


def write_answered(path: Path, answered: Iterable[tuple[Case, str | None]], *, overwrite: bool = False) -> int:
    """Write rows for `score`: Cases with the answer's text, None when there was none. Else as `write_cases`."""
    nested = file_format(path) == "parquet"
    rows = ({**case_row(case, nested=nested), "response": response} for case, response in answered)
    return write_rows(path, rows, overwrite=overwrite, response=True)


def write_rows(
    path: Path,
    rows: Iterable[dict[str, object]],
    *,
    overwrite: bool = False,
    response: bool = False,
    further: Iterable[Any] = (),
) -> int:
    """Write rows as `case_row` makes them; `further` are the Parquet columns beyond those of a Case."""
    if file_format(path) == "jsonl":
        lines = (json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
        return write_lines(path, lines, overwrite=overwrite)
    import pyarrow as pa
    import pyarrow.parquet as pq

    count = 0
    schema = parquet_schema(response=response, further=further)
    rows = iter(rows)
    with (
        replacing(path, overwrite=overwrite) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as writer,
    ):
        made = (pa.Table.from_pylist(some, schema) for some in iter(lambda: list(islice(rows, MADE_AT_ONCE)), []))
        while tables := list(islice(made, ROW_GROUP // MADE_AT_ONCE)):
            group = pa.concat_tables(tables)
            writer.write_table(group, row_group_size=ROW_GROUP)
            count += group.num_rows
    return count


def write_lines(path: Path, lines: Iterable[bytes], *, overwrite: bool = False) -> int:
    """Write rows that are JSON lines already, each with its line break."""
    count = 0
    with (
        replacing(path, overwrite=overwrite) as temporary,
        temporary.open("wb") as plain,
        _packed(plain, path) as file,
    ):
        for count, line in enumerate(lines, 1):  # noqa: B007 - the last one is their number
            file.write(line)
    return count


@contextmanager
def replacing(path: Path, *, overwrite: bool) -> Generator[Path]:
    """Give a temporary path that takes the place of `path` when the block ends well, and goes when it does not."""
    check_free(path, overwrite=overwrite)
    with writing(path) as temporary:
        yield temporary


def check_free(path: Path, *, overwrite: bool) -> None:
    """Raise an InputError if `path` cannot be written: it is there already, or its folder is not."""
    if path.exists() and not overwrite:
        raise InputError("the file is there already", path=path, hint="name another, or overwrite it with --force")
    if not path.parent.is_dir():
        raise InputError("there is no such folder", path=path.parent, hint="create it first")


def file_format(path: Path) -> Literal["parquet", "jsonl"]:
    """Return the format that the suffix names; InputError for any other."""
    name = path.name.lower()
    if name.endswith(".parquet"):
        return "parquet"
    if name.endswith((".jsonl", ".jsonl.gz")):
        return "jsonl"
    hint = "name it .parquet, .jsonl or .jsonl.gz"
    if name.endswith(".parquet.gz"):
        hint = "unpack it with gunzip: Parquet is compressed inside"
    raise InputError("a candidate file is Parquet or JSON lines", path=path, hint=hint)


def parquet_schema(*, response: bool = False, further: Iterable[Any] = ()) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Return the Parquet columns of a candidate file; attributes are a map from name to text."""
    import pyarrow as pa

    text, number = pa.string(), pa.float64()
    item = [pa.field("item_id", text), pa.field("title", text), pa.field("attributes", pa.map_(text, text))]
    event = pa.struct([*item, pa.field("rating", number), pa.field("timestamp", number)])
    return pa.schema(
        [
            pa.field("user_id", text),
            pa.field("history", pa.list_(event)),
            pa.field("candidates", pa.list_(pa.struct([*item, pa.field("score", number)]))),
            pa.field("relevant", pa.list_(text)),
            pa.field("missed", pa.list_(text)),
            pa.field("target", pa.struct(item)),
            pa.field("rating", number),
            *([pa.field("response", text)] if response else []),
            *further,
        ]
    )


def _parse(path: Path, allow_empty_history: bool) -> Iterator[CandidateRow]:
    if not path.is_file():
        raise InputError("there is no such file", path=path, hint="check the name")
    rows = _parquet_rows(path) if file_format(path) == "parquet" else _json_rows(path)
    for line, raw in rows:
        yield parse_row(raw, path=path, line=line, allow_empty_history=allow_empty_history)


def _json_rows(path: Path) -> Iterator[tuple[int, object]]:
    line = 0
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            for line, content in enumerate(file, 1):
                text = _decoded(content, path, line)
                if text.strip(whitespace):  # a separator such as \x1c is no blank line
                    yield line, _json_object(text, path, line)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"no whole gzip file ({error})", path=path, line=line + 1, hint="write it again") from error


def _decoded(content: bytes, path: Path, line: int) -> str:
    try:
        return content.decode("utf-8-sig" if line == 1 else "utf-8")
    except UnicodeDecodeError as error:
        byte = content[error.start]
        raise InputError(
            f"not in UTF-8: byte 0x{byte:02x} at place {error.start + 1} of the line",
            path=path,
            line=line,
            hint="save it as UTF-8, for example with iconv -f LATIN1 -t UTF-8",
        ) from None


def _json_object(text: str, path: Path, line: int) -> object:
    try:
        value = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        problem = re.sub(r" at line \d+ column", " at column", str(error))
        raise InputError(
            f"malformed JSON: {problem}", path=path, line=line, hint="write one JSON object on each line"
        ) from None
    if not isinstance(value, dict):
        raise InputError("the line is no JSON object", path=path, line=line, hint="write one JSON object on each line")
    return value  # pyright: ignore[reportUnknownVariableType]


def _parquet_rows(path: Path) -> Iterator[tuple[int, object]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    line = 0
    try:
        with pq.ParquetFile(path, memory_map=False) as file:
            for batch in file.iter_batches(ROWS_AT_ONCE):
                try:
                    rows: list[object] = batch.to_pylist()
                except UnicodeDecodeError:
                    rows = [_row_of(batch, place, path, line + place + 1) for place in range(batch.num_rows)]
                for line, raw in enumerate(rows, line + 1):  # noqa: B020 - it goes on where the last batch ended
                    yield line, raw
    except (pa.ArrowInvalid, OSError) as error:
        hint = "write it again: it is damaged, cut off, or no Parquet"
        raise InputError(f"unreadable Parquet ({error})", path=path, line=line + 1, hint=hint) from error


def _row_of(batch: Any, place: int, path: Path, line: int) -> object:  # noqa: ANN401 - pyarrow has no types
    try:
        return batch.slice(place, 1).to_pylist()[0]
    except UnicodeDecodeError as error:
        problem = f"not in UTF-8: byte 0x{error.object[error.start]:02x} in {error.object[:40]!r}"
        raise InputError(problem, path=path, line=line, hint="write its texts as UTF-8") from None


def _refuse_repeated_users(path: Path, hashes: array[int], allow_empty_history: bool) -> None:
    import numpy as np

    values = np.frombuffer(hashes, dtype=np.uint64)
    values.sort()  # in place: a copy would cost as much again
    suspects = set(values[1:][values[1:] == values[:-1]].tolist())
    if not suspects:
        return
    lines: dict[str, int] = {}
    for row in _parse(path, allow_empty_history):  # once more: the texts were not kept, and a hash proves nothing
        user = row.case.user_id
        if hash(user) & 0xFFFF_FFFF_FFFF_FFFF in suspects and (first := lines.setdefault(user, row.line)) != row.line:
            problem = f"a second row for the user (the first is {first})"
            hint = "keep one row for each user; for several cases of one user, give each its own user_id"
            raise InputError(problem, path=path, line=row.line, field="user_id", user=user, hint=hint)


@contextmanager
def _packed(file: IO[bytes], path: Path) -> Generator[IO[bytes] | gzip.GzipFile]:
    if path.suffix.lower() != ".gz":
        yield file
        return
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:  # no name, no time: the same bytes
        yield packed
