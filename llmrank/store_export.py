"""Exports and imports a Store as JSON lines, optionally gzipped. A line holds a Response and everything in its key.

A line: `{"key": …, "backend": {identity}, "request": {…}, "response": {…}, "received": "2026-11-24T18:00:00+00:00"}`.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import datetime
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from llmrank.errors import InputError
from llmrank.files import check_free, writing
from llmrank.store import (
    Store,
    StoredRow,
    canonical_json,
    decode_request,
    encode_request,
    request_key,
    timestamp,
)
from llmrank.types import Response, Usage

ROWS_AT_ONCE = 1000
"""Rows per transaction; other processes that write to the Store wait no longer than one transaction takes."""


def export_store(store: Store, path: Path, *, overwrite: bool = False) -> int:
    """Write all Responses in the Store, by key, and return their number. The file is written atomically.

    Raises InputError if the file exists, has a suffix other than `.jsonl` or `.jsonl.gz`, or cannot be written.
    """
    opened = _opener(path)
    check_free(path, overwrite=overwrite, sources=[store.path])
    count = 0
    with writing(path, private=True) as temporary, opened(temporary, "wb") as file:
        for count, row in enumerate(store.rows(), 1):  # noqa: B007 - the last count is returned
            # The values are JSON already, so they are concatenated as they are.
            line = (
                f'{{"key":"{row.key}","backend":{row.backend},"request":{row.request},'
                f'"response":{row.response},"received":"{row.received}"}}\n'
            )
            file.write(line.encode())
    return count


def check_exported(path: Path) -> None:
    """Read the whole file; raise InputError with file, line, field and hint for the first invalid line."""
    for _ in read_exported(path):
        pass


def import_store(store: Store, path: Path) -> tuple[int, int]:
    """Add the Responses in a file to the Store. Return how many were new, and how many the Store already had.

    Call `check_exported` first, so that nothing is imported from an invalid file. An interrupted import is completed by
    calling this again.
    """
    new = total = 0
    rows = read_exported(path)
    while batch := list(islice(rows, ROWS_AT_ONCE)):
        new += store.add(batch)
        total += len(batch)
    return new, total - new


def read_exported(path: Path) -> Iterator[StoredRow]:
    """Yield the checked rows of an exported Store; raise InputError with file, line, field and hint if one is
    invalid."""
    number, opened = 0, _opener(path)
    try:
        with opened(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _row(line, path, number)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        hint = "export it again"
        problem = f"truncated or corrupt gzip file ({error})"
        raise InputError(problem, path=path, line=number + 1, hint=hint) from error
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path, hint="name an existing file") from error


def _row(line: bytes, path: Path, number: int) -> StoredRow:
    """Return a line as a row of the Store, in canonical form whatever the order of its fields and its whitespace."""

    def wrong(field: str | None, problem: str, hint: str = "export the Store again, or delete the line") -> InputError:
        return InputError(problem, path=path, line=number, field=field, hint=hint)

    try:
        # Not parsed by pydantic, which rejects lone surrogates; an answer may contain them.
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise wrong(None, f"not valid JSON: {error}") from None
    if not isinstance(content, dict):
        raise wrong(None, "the line is not a JSON object")
    try:
        row = _line_model().model_validate(content).model_dump()
    except ValidationError as invalid:
        first = invalid.errors()[0]
        field = ".".join(str(part) for part in first["loc"][:2])
        if first["type"] == "extra_forbidden":
            hint = "import it with the version of llmrank that exported it, or delete the field"
            raise wrong(field, "unknown field", hint) from None
        raise wrong(field, "missing" if first["type"] == "missing" else first["msg"]) from None
    try:
        request = decode_request(row["request"])
        key, request_text = request_key(row["backend"], request), canonical_json(encode_request(request))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise wrong("request", f"not a Request: {error!r:.80}") from None
    if key != row["key"]:
        problem = f"the key does not match this request and backend (whose key is {key[:12]}…)"
        raise wrong("key", problem, "restore the line as it was exported: an answer under a wrong key would be trusted")
    try:
        received = timestamp(datetime.fromisoformat(row["received"]))
    except ValueError:
        raise wrong("received", "not a valid time", "write it as in 2026-11-24T18:00:00+00:00") from None
    return StoredRow(key, canonical_json(row["backend"]), request_text, canonical_json(row["response"]), received)


@cache
def _line_model() -> type[BaseModel]:
    """Return the model of a line: exactly the fields of a StoredRow, a Response and its Usage, with their types."""
    forbid = ConfigDict(extra="forbid", strict=True)

    def model(kind: type, **replaced: Any) -> type[BaseModel]:
        hints = get_type_hints(kind) | replaced
        form: dict[str, Any] = {field.name: (hints[field.name], ...) for field in fields(kind)}
        return create_model(kind.__name__, __config__=forbid, **form)

    response = model(Response, usage=model(Usage))
    return model(StoredRow, backend=dict[str, str], request=dict[str, Any], response=response)


def _opener(path: Path) -> Callable[[Path, str], Any]:
    """Return the function that opens a file of that name; raise InputError for another suffix."""
    if not path.name.lower().endswith((".jsonl", ".jsonl.gz")):
        raise InputError("an exported Store is in JSON lines", path=path, hint="name it .jsonl or .jsonl.gz")
    return gzip.open if path.name.lower().endswith(".gz") else Path.open
