"""Files that hold a table: CSV, TSV, JSON lines or Parquet, also in parts."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.json as pj
import pyarrow.parquet as pq

from llmrank.data.lines import byte_lines, decoded, json_object, open_binary, refuse_too_deep
from llmrank.data.rows import Arrow, Lines, in_plain_types, map_types
from llmrank.data.table import Table
from llmrank.errors import InputError
from llmrank.files import require_file


def read_table(path: Path, *, names: Sequence[str] | None = None, delimiter: str = "", quoted: bool = True) -> Table:
    """Read a table in the format that its extension names. CSV columns stay text, so ids keep leading zeros.

    Args:
        path: The file, which may be gzipped (`.gz`). Or a folder of Parquet files, as Spark writes an unpartitioned
            table: rows are numbered across its parts, in the order of their names.
        names: Column names of a delimited file without a header.
        delimiter: Of a delimited file. "": a comma for `.csv` and a tab for others, unless the header shows another.
        quoted: Whether double quotes enclose values of a delimited file.

    Raises:
        InputError: the file is missing, malformed or not UTF-8; with the line.
    """
    if path.is_dir():
        return Table(path, _joined_parts(path))
    require_file(path)
    kind = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    try:
        if kind == "parquet":
            refuse_same_names(pq.read_schema(path).names, path)
            return Table(path, in_plain_types(pq.read_table(path)))
        if kind in {"json", "jsonl", "ndjson"}:
            return Table(path, _read_json(path))
        return _read_delimited(path, names, delimiter, quoted)
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, OSError) and error.errno:  # from the operating system, not from Arrow
            raise
        raise _malformed(path, kind, str(error)) from error


def parts_of(folder: Path) -> list[Path]:
    """Return the Parquet files below a folder, without the other files that Spark writes."""
    return [path for path in _files_below(folder) if path.suffix.lower() == ".parquet"]


def _files_below(folder: Path) -> list[Path]:
    """Return the files of a folder and its subfolders, without Spark's notes, which begin with `_` or `.`."""
    every = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in every if all(part[0] not in "._" for part in path.relative_to(folder).parts))


def _joined_parts(folder: Path) -> Arrow:
    files = _files_below(folder)
    parts = [path for path in parts_of(folder) if path.parent == folder]
    others = [str(path.relative_to(folder)) for path in files if path not in parts]
    if not files:
        hint = "name a file, or a folder with the Parquet files of one table"
        raise InputError("no Parquet file in this folder", path=folder, hint=hint)
    if others:
        listed = ", ".join(others[:3]) + (f" and {len(others) - 3:,} more" if len(others) > 3 else "")
        problem = "these files would be left out" if parts else "no Parquet file in this folder itself, only"
        hint = "put all rows into Parquet files in the folder itself (a partition such as dt=… into a column)"
        raise InputError(f"{problem}: {listed}", path=folder, hint=f"{hint}, and move all other files away")
    try:
        return pa.concat_tables([read_table(part).data for part in parts], promote_options="permissive")
    except pa.ArrowException as error:
        hint = "write all parts with the same schema"
        raise InputError(f"the parts have different types ({error})", path=folder, hint=hint) from error


def _read_json(path: Path) -> Arrow:
    """Read JSON lines. Raises ArrowInvalid: a line is malformed; InputError: a line is nested too deeply."""
    refuse_too_deep(path)
    large = pj.ReadOptions(block_size=1 << 24)
    data = pj.read_json(path, read_options=large)
    # Arrow reads a text column as times if every value looks like one, even titles and ids.
    as_text = map_types(data.schema, _text_for_time)
    if as_text.equals(data.schema):
        return data
    return pj.read_json(path, read_options=large, parse_options=pj.ParseOptions(explicit_schema=as_text))


def _text_for_time(kind: Arrow) -> Arrow:
    return pa.string() if pa.types.is_timestamp(kind) else kind


def _read_delimited(path: Path, names: Sequence[str] | None, delimiter: str, quoted: bool) -> Table:
    usual = "," if path.name.lower().removesuffix(".gz").endswith(".csv") else "\t"
    above = 0
    if names:
        header, delimiter = list(names), delimiter or usual
    else:
        header, delimiter, above = _header(path, delimiter, usual, quoted)
    data = pv.read_csv(
        path,
        read_options=pv.ReadOptions(column_names=header, skip_rows=above, use_threads=False),
        parse_options=pv.ParseOptions(
            delimiter=delimiter, quote_char='"' if quoted else False, newlines_in_values=quoted
        ),
        convert_options=pv.ConvertOptions(
            column_types={name: pa.string() for name in header},
            include_columns=[name for name in header if name],  # an unnamed column is a pandas index
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    return Table(path, data, _lines(path, len(data), delimiter, quoted=quoted, above=above))


def _lines(path: Path, rows: int, delimiter: str, *, quoted: bool, above: int) -> Lines:
    """Return the line on which each row begins, after `above` lines of header. It differs from the row's number if
    there are blank lines or values with line breaks.

    Raises InputError if text follows a closing quote, or a quote is never closed: Arrow would garble the value.
    """
    count, has_quotes = 0, False
    with open_binary(path) as file:
        for line in file:
            count, has_quotes = count + 1, has_quotes or (quoted and b'"' in line)
    usual, shifted = range(above + 1, sys.maxsize), count != rows + above
    if not shifted and not has_quotes:
        return usual
    starts, end = list[int](), 0
    with open_binary(path) as file:
        text = io.TextIOWrapper(file, "utf-8-sig", newline="")
        blanks = re.compile(r'" +(?=[,;|\t\r\n])')  # blanks after a value are harmless
        kept = (blanks.sub('"', line) for line in text) if has_quotes else text
        reader = csv.reader(kept, delimiter=delimiter, quoting=_quoting(quoted), strict=has_quotes)
        try:
            for fields in reader:
                starts += [end + 1] if fields and shifted else []  # a number per row is much for a large table
                end = reader.line_num
        except csv.Error as error:
            if has_quotes:
                problem = f"text follows a closing quote, or a quote is never closed ({error})"
                hint = "enclose a value that contains quotes in quotes, and double each quote inside it"
                raise InputError(problem, path=path, line=end + 1, hint=hint) from error
    return np.array(starts[above:]) if len(starts) == rows + above else usual


def _quoting(quoted: bool) -> Literal[0, 3]:
    return csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE


def _header(path: Path, delimiter: str, usual: str, quoted: bool) -> tuple[list[str], str, int]:
    """Return the column names, the delimiter, and the line number of the header.

    Without a given delimiter, take the one in the header; a first line such as `sep=;` (for Excel) overrides it.
    """
    lines, expected = byte_lines(path), 1
    number, content = next(lines, (0, b""))
    if number == 1 and (declared := re.fullmatch(rb'"?sep=([,;\t|])\1*"?\s*', content, re.IGNORECASE)):
        delimiter, expected = declared[1].decode(), 2
        number, content = next(lines, (0, b""))
    if number != expected:
        problem = "the file is empty or starts with a blank line"
        raise InputError(problem, path=path, line=expected, hint="start it with a header line")
    line = re.split(r"[\r\n]", decoded(content, path, number), maxsplit=1)[0]
    delimiter = delimiter or next((mark for mark in (usual, *",;\t|") if mark in line), usual)
    names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter, quoting=_quoting(quoted)))]
    refuse_same_names(names, path, line=number)
    return names, delimiter, number


def refuse_same_names(names: Sequence[str], path: Path | str, line: int | None = None) -> None:
    """Raise InputError if two columns have the same name."""
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputError("duplicate column name", path=path, line=line, field=min(twice), hint="rename one of them")


def _malformed(path: Path, kind: str, message: str) -> InputError:
    if kind == "parquet":
        return InputError(f"unreadable Parquet ({message})", path=path, hint="write the file again")
    is_json = kind.startswith(("json", "ndjson"))
    for number, content in byte_lines(path):
        found = json_object(content, path, number) if is_json else decoded(content, path, number)
        if isinstance(found, InputError):
            return found
    if is_json:
        row, first, hint = re.search(r"in row (\d+)", message), 1, "give the field the same type in all rows"
    else:
        row, first = re.search(r"Row #(\d+)", message), 0
        hint = "give every row the same number of columns, and quote values that contain the delimiter"
    line = int(row[1]) + first if row else None
    return InputError(message.splitlines()[0], path=path, line=line, hint=hint)
