"""Text files, plain or gzipped, line by line; whatever is wrong with one is named with its line."""

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
from typing import IO

from llmrank.errors import InputError
from llmrank.files import require_file

GZIP, PARQUET, BYTE_ORDER_MARK = b"\x1f\x8b", b"PAR1", b"\xef\xbb\xbf"
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
BUFFER = 1 << 16
"""Bytes read at a time: a row with its candidates is about as long as the usual 8 KiB."""
MOST_LEVELS = 32
"""How deep the JSON of a line of a table may be nested. Readers of Parquet stop at 100, and a list is two of theirs."""
_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_STEPS = {**dict.fromkeys(b"[{", 1), **dict.fromkeys(b"]}", -1)}
_NO_STEPS = bytes(set(range(256)) - _STEPS.keys())


@contextmanager
def open_binary(path: Path) -> Generator[IO[bytes]]:
    """Open a file for reading, unpacking it if its name ends in `.gz`; InputError where that is damaged or no gzip."""
    packed = path.suffix.lower() == ".gz"
    try:
        with io.BufferedReader(gzip.open(path), BUFFER) if packed else path.open("rb", BUFFER) as file:  # type: ignore[arg-type]
            yield file
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        hint = "copy or write it again"
        raise InputError(f"the gzip file is damaged ({error})", path=path, hint=hint) from error


def byte_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, with their numbers and without a byte order mark.

    Raises InputError: there is no such file; it is of another format, or gzipped without saying so in its name; it is
    cut off.
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
    """Raise InputError for a file that begins as one of another format does."""
    hint = "give JSON lines; a table is read by --from table" if path.suffix == ".parquet" else "name it .parquet"
    for signs, what, help_ in (
        ((PARQUET,), "a Parquet file", hint),
        ((GZIP,), "a gzip file", f"name it {path.name}.gz"),
        (UTF_16, "a text in UTF-16", "save it as UTF-8, for example with iconv -f UTF-16 -t UTF-8"),
        ((b"PK\x03\x04", b"\xd0\xcf\x11\xe0"), "an Excel workbook or a zip file", "save the table as CSV in UTF-8"),
        ((b"\x28\xb5\x2f\xfd",), "a file packed by zstd", "unpack it with unzstd, or pack it with gzip"),
        ((b"BZh", b"\xfd7zXZ"), "a file packed by bzip2 or xz", "unpack it, or pack it with gzip"),
    ):
        if begin.startswith(signs):
            raise InputError(f"this is {what}", path=path, hint=help_)


def decoded(content: bytes, path: Path | str, line: int) -> str:
    """Return a line as text; InputError where it is not in UTF-8."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        problem = f"not in UTF-8: byte 0x{content[error.start]:02x} at place {error.start + 1} of the line"
        hint = "save it as UTF-8, for example with iconv -f LATIN1 -t UTF-8"
        raise InputError(problem, path=path, line=line, hint=hint) from None


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text file that are not blank, with their numbers. Raises InputError as the above do."""
    for line, content in byte_lines(path):
        yield line, decoded(content, path, line).rstrip("\r\n")


def refuse_too_deep(path: Path) -> None:
    """Raise InputError where a line of JSON is nested so deep that a parser that knows no bound would crash."""
    for line, content in byte_lines(path):
        if content.count(b"[") + content.count(b"{") > MOST_LEVELS and _levels(content) > MOST_LEVELS:
            hint = "leave out the field, or write it as text"
            raise InputError(f"nested more than {MOST_LEVELS} levels deep", path=path, line=line, hint=hint)


def _levels(content: bytes) -> int:
    """Return how deep a line of JSON is nested, be it well-formed or not."""
    brackets = _TEXT.sub(b"", content).translate(None, _NO_STEPS)
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0)
