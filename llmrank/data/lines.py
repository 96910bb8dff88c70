"""Reads text files, plain or gzipped, line by line. Errors name the line."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import IO, cast

from pydantic_core import from_json

from llmrank.errors import InputError
from llmrank.files import require_file

ONE_OBJECT_PER_LINE = "write one JSON object per line"
GZIP, PARQUET, BYTE_ORDER_MARK = b"\x1f\x8b", b"PAR1", b"\xef\xbb\xbf"
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
BUFFER = 1 << 16
"""Bytes read at a time. The default of 8 KiB is about one row with its candidates."""
MOST_LEVELS = 32
"""Maximum nesting of the JSON in a table. Parquet readers stop at 100 levels, and a list counts as two."""
_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_STEPS = {**dict.fromkeys(b"[{", 1), **dict.fromkeys(b"]}", -1)}
_NO_STEPS = bytes(set(range(256)) - _STEPS.keys())


@contextmanager
def open_binary(path: Path) -> Generator[IO[bytes]]:
    """Open a file for reading; decompress it if its name ends in `.gz`. Raises InputError: damaged or not gzip."""
    packed = path.suffix.lower() == ".gz"
    try:
        with io.BufferedReader(gzip.open(path), BUFFER) if packed else path.open("rb", BUFFER) as file:
            yield file
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        hint = "copy or write the file again"
        raise InputError(f"the gzip file is damaged ({error})", path=path, hint=hint) from error


def byte_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the non-blank lines with their numbers, without a byte order mark.

    Raises InputError: the file is missing, truncated, of another format, or gzipped without the suffix `.gz`.
    """
    require_file(path)
    with open_binary(path) as file:
        for line, content in enumerate(file, 1):
            if line == 1:
                _refuse_binary(content, path)
                content = content.removeprefix(BYTE_ORDER_MARK)
            if content.strip():
                yield line, content


def _refuse_binary(begin: bytes, path: Path) -> None:
    """Raise InputError if the first bytes of a file are those of another format."""
    hint = "use JSON lines; to read a table, use --from table" if path.suffix == ".parquet" else "rename it to .parquet"
    for signatures, what, remedy in (
        ((PARQUET,), "a Parquet file", hint),
        ((GZIP,), "a gzip file", f"rename it to {path.name}.gz"),
        (UTF_16, "text in UTF-16", "save it as UTF-8, for example with iconv -f UTF-16 -t UTF-8"),
        ((b"PK\x03\x04", b"\xd0\xcf\x11\xe0"), "an Excel workbook or a zip file", "save the table as CSV in UTF-8"),
        ((b"\x28\xb5\x2f\xfd",), "a zstd file", "decompress it with unzstd, or use gzip"),
        ((b"BZh", b"\xfd7zXZ"), "a bzip2 or xz file", "decompress it, or use gzip"),
    ):
        if begin.startswith(signatures):
            raise InputError(f"this is {what}", path=path, hint=remedy)


def decoded(content: bytes, path: Path | str, line: int) -> str:
    """Return a line as text. Raises InputError: it is not UTF-8."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        problem = f"not UTF-8: byte 0x{content[error.start]:02x} at position {error.start + 1} of the line"
        hint = "save it as UTF-8, for example with iconv -f CP1252 -t UTF-8"
        raise InputError(problem, path=path, line=line, hint=hint) from None


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the non-blank lines of a text file with their numbers. Raises InputError as `byte_lines` and `decoded`."""
    for line, content in byte_lines(path):
        yield line, decoded(content, path, line).rstrip("\r\n")


def json_object(content: bytes, path: Path | str, line: int) -> object:
    """Return the object on a line, or an InputError if the line does not hold one."""
    hint = ONE_OBJECT_PER_LINE
    try:
        value = from_json(decoded(content, path, line).rstrip("\r\n"), allow_inf_nan=False)
    except InputError as error:
        return error
    except ValueError as error:
        problem = "malformed JSON: " + re.sub(r" at line \d+ column", " at column", str(error))
        if (word := re.search(rb"(?<=[\s:,\[])(-?Infinity|NaN)(?=\s*[,}\]])", content)) is not None:
            problem, hint = f"{word[0].decode()} is not valid JSON", "write null for an unknown number"
        elif "hex escape" in problem and re.search(rb"\\u[dD][89abAB]", content):
            hint = "write the character itself, or both halves of the surrogate pair: \\ud83d\\ude00"
        return InputError(problem, path=path, line=line, hint=hint)
    if not isinstance(value, dict):
        return InputError("the line is not a JSON object", path=path, line=line, hint=hint)
    return cast("object", value)


def refuse_too_deep(path: Path) -> None:
    """Raise InputError if a line of JSON is nested so deeply that a parser without a limit would crash."""
    for line, content in byte_lines(path):
        if content.count(b"[") + content.count(b"{") > MOST_LEVELS and _levels(content) > MOST_LEVELS:
            hint = "remove the field, or write it as text"
            raise InputError(f"nested more than {MOST_LEVELS} levels deep", path=path, line=line, hint=hint)


def _levels(content: bytes) -> int:
    """Return the nesting depth of a line of JSON, well-formed or not."""
    brackets = _TEXT.sub(b"", content).translate(None, _NO_STEPS)
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0)
