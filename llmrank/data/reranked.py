"""The reranked file: a candidate file plus the ranker's results, written so that a killed process loses nothing.

The result for each row is appended to `PATH.part` as soon as the row is done. At the end, the input is read again and
each row gets its five new fields. All other columns are copied unchanged.
"""

from __future__ import annotations

import io
import json
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic_core import from_json, to_json

from llmrank.data.candidate_row import RERANKED_FIELDS, CandidateRow
from llmrank.data.candidate_writing import json_line, write_lines, write_tables
from llmrank.data.candidates import CandidateFile, RawRows, file_format, row_objects
from llmrank.data.lines import byte_lines
from llmrank.data.rows import Arrow, map_types
from llmrank.errors import InputError, refuse_differences
from llmrank.files import append_line, cannot_write, check_free, check_no_device, claim, write_json
from llmrank.types import Closable, Outcome, Ranking, Usage

ABSENT = -1
SOURCE_HASH = "candidates_sha256"
"""The setting that tells whether the input file has changed."""
_GAINS: Arrow = pa.map_(pa.string(), pa.float64())
_NEW: Arrow = pa.schema(
    {
        "ranking": pa.list_(pa.string()),
        "scores": pa.list_(pa.float64()),
        "outcome": pa.string(),
        "repairs": pa.map_(pa.string(), pa.int64()),
        "usage": pa.struct(dict.fromkeys(asdict(Usage()), pa.int64())),
    }
)
"""The columns of `RERANKED_FIELDS`."""


class RerankedWriter(Closable):
    """Saves reranked rows as they are done, in any order; `finish` writes the file in the order of the input.

    Opened again with the same settings, it resumes: finished rows are `in` the writer, except those with a failed call.
    Memory use: 9 bytes per row.

    ```python
    candidates = CandidateFile(Path("candidates.parquet"), truth="ignored")
    with RerankedWriter(Path("reranked.parquet"), candidates, settings={...}) as writer:
        for row in candidates:
            if row not in writer:
                writer.write(row, *rerank(row.case))
        writer.finish()
    ```
    """

    def __init__(
        self, path: Path, candidates: CandidateFile, *, settings: Mapping[str, object], overwrite: bool = False
    ) -> None:
        """Start a new output, or resume an unfinished one.

        Args:
            path: The output: `.parquet`, `.jsonl` or `.jsonl.gz`.
            candidates: The rows to rerank.
            settings: Everything that affects the rankings, as JSON values; the hash of the input file is `SOURCE_HASH`.
            overwrite: Start over, even if there is an output.

        Raises:
            InputError: the output is the input, or was made with other settings or by another program; the unfinished
                output is damaged, was made with other settings, or is being written by another process; or the rows
                cannot be converted (JSON lines without common Arrow types, Parquet values without a JSON form).
        """
        self._path, self._part = path, unfinished(path)
        self._candidates, self._format = candidates, file_format(path)
        self._settings = json.loads(json.dumps(settings))
        source = candidates.path if isinstance(candidates.path, Path) else None
        check_free(path, overwrite=True, sources=[source])
        check_no_device(self._part, "remove it, or name another output")
        self.finished = not overwrite and self._is_finished()
        """Whether the output already exists, made from the same input with the same settings."""
        self._offsets, self._done, self._end = array("q"), bytearray(), 0
        self._file: Any = None
        if self.finished:
            remove_unfinished(path)  # left by a process that was killed at the very end
            return
        self._schema: Arrow = None
        if self._format == "parquet":  # the columns of the input keep their types
            is_json = candidates.format == "jsonl"
            schema = _common_schema(candidates) if is_json else next(candidates.raw_rows()).raw.schema
            columns = [*(one for one in schema if one.name not in RERANKED_FIELDS), *_NEW]
            self._schema = pa.schema(columns, schema.metadata)
            _check_parquet(self._schema, candidates.path)
        elif candidates.format == "parquet":
            for rows in candidates.raw_rows():
                _json_rows(rows, candidates.path)
        try:
            self._part.touch()
            self._file = self._part.open("r+b", buffering=0)
        except OSError as error:
            raise cannot_write(self._part, error) from error
        try:
            claim_unfinished(self._file, self._part)
            if overwrite:
                self._file.truncate(0)
            self._resume()
        except InputError:
            self._file.close()
            raise

    def __contains__(self, row: CandidateRow) -> bool:
        return self.finished or (row.line < len(self._done) and bool(self._done[row.line]))

    def __len__(self) -> int:
        """Return the number of rows that are done."""
        return len(self._candidates) if self.finished else self._done.count(1)

    def write(self, row: CandidateRow, ranking: Ranking, usage: Usage | None, *, failed: bool = False) -> None:
        """Save the result of a row: `ranking`, `scores` (aligned with it, or null), `outcome`, `repairs` and `usage`
        (null if an answer did not report its tokens).

        Set `failed` if a call got no answer: the row is then done again on resume, as are rows with outcome `error`.
        Raises InputError: the file cannot be written.
        """
        added = {
            "ranking": ranking.order,
            "scores": ranking.scores,
            "outcome": str(ranking.outcome),
            "repairs": dict(ranking.repairs),
            "usage": usage,
        }
        failed, begin = failed or ranking.outcome is Outcome.ERROR, self._end
        head = b"%d\t%b\t" % (row.line, b"failed" if failed else b"done")
        self._append(head + to_json(added, inf_nan_mode="constants"))
        self._note(row.line, begin, failed=failed)

    def finish(self) -> int:
        """Write the output in the order of the input and return its number of rows.

        Raises InputError: the file cannot be written. The saved rows are kept, so that `finish` can be retried.
        """
        if self.finished:
            return len(self)
        try:
            if self._format == "parquet":
                count = write_tables(self._path, self._tables(), self._schema, overwrite=True)
            else:
                count = write_lines(self._path, self._lines(), overwrite=True)
            write_json(finished_settings(self._path), {"bytes": self._path.stat().st_size, "settings": self._settings})
        except OSError as error:
            raise cannot_write(self._path, error) from error
        self._file.close()
        self._part.unlink()
        return count

    def close(self) -> None:
        """Close the writer; an unfinished output can be resumed later."""
        if self._file is not None:
            self._file.close()

    # --- what is done already ---------------------------------------------------------------------------------------

    def _is_finished(self) -> bool:
        if not self._path.exists():
            return False
        try:
            before = json.loads(finished_settings(self._path).read_bytes())
            ours = before["bytes"] == self._path.stat().st_size
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            ours, before = False, {}
        # If the process was killed between writing the output and its settings, the unfinished file is still there.
        if not ours and not (self._part.exists() and self._part.open("rb").readline() == _line(self._header())):
            check_free(self._path, overwrite=False)
        if ours:
            hint = "name another output, or overwrite it with --force"
            self._refuse_changes(before["settings"], "the file was made", path=self._path, hint=hint)
        return ours

    def _refuse_changes(self, before: Mapping[str, object], made: str, *, path: Path, hint: str) -> None:
        """Raise InputError: the output was `made` from other rows than the input now has, or with other settings."""
        if before.get(SOURCE_HASH) != self._settings.get(SOURCE_HASH):
            problem = f"{made} from other rows: {self._candidates.path} has changed since, or is another input"
            hint = hint.replace("those settings", "the input as it was")
            raise InputError(problem, path=path, hint=hint)
        refuse_differences(before, self._settings, f"{made} with other settings", path=path, hint=hint)

    def _header(self) -> bytes:
        return b"settings\t" + json.dumps(self._settings, sort_keys=True, ensure_ascii=False).encode()

    def _resume(self) -> None:
        with self._part.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break  # cut off by a kill
                place, _, row = _content(line, self._part, number).partition(b"\t")
                if not (place == b"settings" if number == 1 else place.isdigit()):
                    raise _damaged(self._part, number)
                if number == 1:
                    hint = "resume with those settings, or start over with --force"
                    self._refuse_changes(json.loads(row), "an unfinished file was made", path=self._part, hint=hint)
                else:
                    self._note(int(place), self._end, failed=not row.startswith(b"done\t"))
                self._end += len(line)
        self._file.truncate(self._end)
        if not self._end:
            self._append(self._header())

    def _append(self, content: bytes) -> None:
        line = _line(content)
        append_line(self._file, line, self._part)
        self._end += len(line)

    def _note(self, line: int, offset: int, *, failed: bool) -> None:
        if (more := line + 1 - len(self._offsets)) > 0:
            self._offsets.extend([ABSENT] * more)
            self._done.extend(bytes(more))
        self._offsets[line], self._done[line] = offset, not failed

    # --- the file ---------------------------------------------------------------------------------------------------

    def _batches(self) -> Iterator[tuple[RawRows, list[Any]]]:
        """Yield the finished rows as they are in the input, with the new fields of each."""
        with self._part.open("rb") as part:
            for rows in self._candidates.raw_rows():
                offsets = [self._offsets[line] if line < len(self._offsets) else ABSENT for line in rows.lines]
                there = [offset != ABSENT for offset in offsets]
                if any(there):  # rows of other shards have no offset
                    yield rows.keep(there), [self._added(part, offset) for offset in offsets if offset != ABSENT]

    def _added(self, part: IO[bytes], offset: int) -> Any:  # noqa: ANN401 - JSON
        part.seek(offset)
        return from_json(_content(part.readline(), self._part, None).split(b"\t", 2)[2])

    def _lines(self) -> Iterator[bytes]:
        for rows, added in self._batches():
            if isinstance(rows.raw, list):
                yield from map(_joined, cast("list[bytes]", rows.raw), added)
            else:
                for row, fields in zip(_json_rows(rows, self._candidates.path), added, strict=True):
                    yield json_line({**row, **fields})

    def _tables(self) -> Iterator[Any]:
        old = [field for field in self._schema if field.name not in RERANKED_FIELDS]
        for rows, added in self._batches():
            if isinstance(rows.raw, list):
                columns = _columns(rows, self._candidates.path, old)
            else:
                columns = {field.name: rows.raw[field.name] for field in old}
            for fields in added:
                fields["repairs"] = list(fields["repairs"].items())
            columns |= {new.name: pa.array([fields[new.name] for fields in added], new.type) for new in _NEW}
            yield pa.Table.from_arrays(list(columns.values()), schema=self._schema)


def check_output(path: Path) -> None:
    """Raise InputError if the output exists but was not made by a reranking. Check this before any costly step."""
    check_free(path, overwrite=finished_settings(path).exists() or unfinished(path).exists())


def check_store(store: Path, path: Path) -> None:
    """Raise InputError if the path of the Store is that of the output or one of its side files."""
    if store.resolve() in [one.resolve() for one in (path, unfinished(path), finished_settings(path))]:
        hint = "name another file with --store"
        raise InputError("the Store and the output are the same file", path=store, hint=hint)


def unfinished(path: Path) -> Path:
    """Return the path of the unfinished file of an output."""
    return path.with_name(path.name + ".part")


def finished_settings(path: Path) -> Path:
    """Return the path of the settings of a finished output. Readers of folders skip such names."""
    return path.with_name(f"_{path.name}.settings.json")


def rows_in(path: Path) -> int:
    """Return the number of rows of a finished output."""
    return pq.read_metadata(path).num_rows if file_format(path) == "parquet" else sum(1 for _ in byte_lines(path))


def claim_unfinished(file: io.IOBase, path: Path) -> None:
    """Lock an open unfinished file for this process. Raises InputError: another process is writing it."""
    if not claim(file):
        hint = "wait until it has finished, or name another output"
        raise InputError("another process is writing this file", path=path, hint=hint)


def remove_unfinished(path: Path) -> None:
    """Remove the unfinished file of an output, unless another process is writing it."""
    part = unfinished(path)
    if part.exists():
        with part.open("rb") as file:
            if claim(file):
                part.unlink(missing_ok=True)


def _line(content: bytes) -> bytes:
    """Return a line of an unfinished file: checksum, then content."""
    return b"%08x\t%b\n" % (zlib.crc32(content), content)


def _content(line: bytes, path: Path, number: int | None) -> bytes:
    """Return the content of a line. Raises InputError: its checksum does not match."""
    content = line[9:-1]
    if line[:9] != b"%08x\t" % zlib.crc32(content) or not line.endswith(b"\n"):
        raise _damaged(path, number)
    return content


def _damaged(path: Path, number: int | None) -> InputError:
    hint = "start over with --force: answers in the Store are not billed again"
    return InputError("the unfinished file is damaged", path=path, line=number, hint=hint)


def _joined(line: bytes, fields: Mapping[str, object]) -> bytes:
    """Return a line of JSON with `fields` appended. The original text stays unchanged, to the digit."""
    if any(f'"{name}"'.encode() in line for name in RERANKED_FIELDS):  # it was reranked before
        line = to_json({name: value for name, value in from_json(line).items() if name not in RERANKED_FIELDS})
    return line.rstrip()[:-1] + b", " + json_line(fields)[1:]


# --- Parquet as JSON lines, and JSON lines as Parquet ---------------------------------------------------------------


def _json_rows(rows: RawRows, path: Path | str) -> list[dict[str, Any]]:
    """Return Parquet rows as JSON objects. Raises InputError: a value has no JSON form."""
    schema = map_types(rows.raw.schema, _in_microseconds)
    try:
        raw = rows.raw if schema.equals(rows.raw.schema) else rows.raw.cast(schema)
    except pa.ArrowInvalid as error:
        problem = f"JSON would lose the nanoseconds of a time ({error})"
        raise InputError(problem, path=path, line=rows.lines[0], hint="name the output .parquet") from error
    made = row_objects(raw, rows.lines, path, maps_as_pydicts="strict")
    for row in made:
        if isinstance(row, InputError):
            hint = f"{row.hint}, or name the output .parquet"
            raise InputError(row.problem, path=path, line=row.line, hint=hint)
    return made


def _in_microseconds(kind: Arrow) -> Arrow:
    """Return the type of a time with the precision that Python's times have."""
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return pa.timestamp("us", kind.tz)
    if pa.types.is_duration(kind) and kind.unit == "ns":
        return pa.duration("us")
    return pa.time64("us") if pa.types.is_time64(kind) else kind


def _check_parquet(schema: Arrow, path: Path | str) -> None:
    """Raise InputError if Parquet does not support a type, such as objects without fields."""
    try:
        pq.ParquetWriter(io.BytesIO(), schema).close()
    except pa.ArrowException as error:
        problem = f"the rows have no Parquet type ({error})"
        raise InputError(problem, path=path, hint="name the output .jsonl, or remove the field") from error


def _common_schema(candidates: CandidateFile) -> Arrow:
    """Return an Arrow schema that fits all rows of a JSON lines file. Raises InputError: there is none."""
    schema, path, kinds = pa.schema([]), candidates.path, list[Arrow]()
    for rows in candidates.raw_rows():
        found = pa.schema({name: column.type for name, column in _columns(rows, path).items()})
        if any("relevant" in one.names and pa.types.is_map(one.field("relevant").type) for one in (schema, found)):
            schema, found = _graded(schema), _graded(found)
        kinds += [] if found in kinds else [found]
        try:
            schema = pa.unify_schemas([schema, found], promote_options="permissive")
        except pa.ArrowException as error:
            raise _no_common_type(error, path, rows) from error
    if kinds != [schema]:  # large integers may not fit a column that other rows made floating-point
        for rows in candidates.raw_rows():
            _columns(rows, path, schema)
    return schema


def _graded(schema: Arrow) -> Arrow:
    """Return the schema with `relevant`, if present, as a map of gains."""
    place = schema.get_field_index("relevant")
    return schema if place < 0 else schema.set(place, pa.field("relevant", _GAINS))


def _no_common_type(error: Exception, path: Path | str, rows: RawRows, field: str | None = None) -> InputError:
    problem = f"the rows have no common Parquet type ({str(error).splitlines()[0]})"
    hint = "name the output .jsonl, or give each field one type in all rows"
    return InputError(problem, path=path, line=rows.lines[0], field=field, hint=hint)


def _columns(raw: RawRows, path: Path | str, fields: Iterable[Arrow] = ()) -> dict[str, Arrow]:
    """Return JSON lines as Arrow columns: those of `fields`, or all with inferred types."""
    rows = [_with_text_ids(from_json(line)) for line in raw.raw]
    types = {field.name: field.type for field in fields}
    columns: dict[str, Any] = {}
    for name in types or dict.fromkeys(name for row in rows for name in row if name not in RERANKED_FIELDS):
        values, kind = [row.get(name) for row in rows], types.get(name)
        if name == "relevant" and kind is None and any(isinstance(value, dict) for value in values):
            kind = _GAINS
        if name == "relevant" and kind is not None and pa.types.is_map(kind):
            values = map(_pairs, values)
        try:
            columns[name] = pa.array(values, kind)
        except (pa.ArrowException, OverflowError) as error:
            raise _no_common_type(error, path, raw, name) from error
    return columns


def _pairs(relevant: object) -> object:
    """Return a list of ids or an object of gains as pairs of id and gain; anything else unchanged."""
    if isinstance(relevant, list):
        return [(item_id, 1.0) for item_id in cast("list[object]", relevant)]
    return list(cast("dict[str, object]", relevant).items()) if isinstance(relevant, dict) else relevant


def _with_text_ids(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with all ids as text: JSON may mix numbers and text, but an Arrow column has one type."""
    for entry in [*(row.get("history") or ()), *(row.get("candidates") or ()), row.get("target")]:
        if entry:
            entry["item_id"] = str(entry["item_id"])
    row |= {name: str(row[name]) for name in ("user_id", "case_id") if isinstance(row.get(name), int)}
    relevant = cast("Any", row.get("relevant"))
    if isinstance(relevant, list) and all(isinstance(item_id, str | int) for item_id in relevant):
        row["relevant"] = [str(item_id) for item_id in relevant]
    return row
