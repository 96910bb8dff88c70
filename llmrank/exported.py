"""The exported Store: JSON lines (also gzipped), each a Response with its Request and all that its key is made of.

A line: `{"key": …, "backend": {identity}, "request": {…}, "response": {…}, "received": "2026-11-24T18:00:00+00:00"}`.
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from llmrank.errors import InputError
from llmrank.files import cannot_write
from llmrank.store import (
    Store,
    Stored,
    canonical_json,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
    request_key,
    timestamp,
)
from llmrank.types import Usage

ROWS_AT_ONCE = 1000
"""Rows of one transaction: other processes that write into the Store wait no longer than it takes."""
TEXT, NUMBER = (str,), (int, float)
RESPONSE_TYPES: Mapping[str, tuple[type, ...]] = {
    "text": TEXT,
    "finish_reason": TEXT,
    "reasoning": TEXT,
    "seconds": NUMBER,
    "batch": (bool,),
    "model": TEXT,
    "system_fingerprint": TEXT,
}


def export_store(store: Store, path: Path, *, overwrite: bool = False) -> int:
    """Write all that the Store holds, by key, and return how many Responses that is. The file appears whole or not.

    Raises InputError where the file is there already, is named otherwise than `.jsonl` or `.jsonl.gz`, or cannot be
    written.
    """
    _check_name(path)
    if path.exists() and not overwrite:
        raise InputError("the file is there already", path=path, hint="name another, or overwrite it with --force")
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    count = 0
    try:
        with gzip.open(beside, "wb") if _zipped(path) else beside.open("wb") as file:
            for row in store.rows():
                # The values are JSON already: they are put together as they are.
                line = (
                    f'{{"key":"{row.key}","backend":{row.backend},"request":{row.request},'
                    f'"response":{row.response},"received":"{row.received}"}}\n'
                )
                file.write(line.encode())
                count += 1
        beside.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        beside.unlink(missing_ok=True)
    return count


def check_exported(path: Path) -> None:
    """Read the whole file; raises InputError with file, line, field and hint for the first line that is wrong."""
    for _ in read_exported(path):
        pass


def import_store(store: Store, path: Path) -> tuple[int, int]:
    """Add to the Store what it does not hold of a file that `check_exported` has passed, so that nothing is taken from
    a bad one. Return how many Responses were new, and how many known.

    An import that was killed is completed by the same call.
    """
    new = total = 0
    rows = read_exported(path)
    while batch := list(islice(rows, ROWS_AT_ONCE)):
        new += store.add(batch)
        total += len(batch)
    return new, total - new


def read_exported(path: Path) -> Iterator[Stored]:
    """Yield the rows of an exported Store, each checked; raises InputError with file, line, field and hint."""
    _check_name(path)
    number = 0
    try:
        with gzip.open(path) if _zipped(path) else path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _stored(line, path, number)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        hint = "export it again: it is damaged or cut off"
        raise InputError(f"no whole gzip file ({error})", path=path, line=number + 1, hint=hint) from error
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path, hint="name a file that is there") from error


def _stored(line: bytes, path: Path, number: int) -> Stored:
    """Return a line as the Store keeps it: canonical, whatever the order of its fields and its spaces."""

    def wrong(field: str | None, problem: str, hint: str = "export the Store again, or delete the line") -> InputError:
        return InputError(problem, path=path, line=number, field=field, hint=hint)

    try:
        row = json.loads(line)
    except ValueError as error:
        raise wrong(None, f"no JSON: {error}") from None
    names = [field.name for field in fields(Stored)]
    if not isinstance(row, dict):
        raise wrong(None, "the line is no JSON object")
    values: dict[str, Any] = {str(name): value for name, value in row.items()}
    for name in names:
        if name not in values:
            raise wrong(name, "missing")
    if unknown := [name for name in values if name not in names]:
        raise wrong(unknown[0], "unknown field", "import it with the llmrank that exported it, or delete the field")
    backend = values["backend"]
    if not (isinstance(backend, dict) and all(isinstance(value, str) for value in backend.values())):
        raise wrong("backend", "not an object of texts")
    try:
        request = decode_request(values["request"])
        key, request_text = request_key(backend, request), canonical_json(encode_request(request))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise wrong("request", f"no Request: {error!r:.80}") from None
    if key != values["key"]:
        problem = f"the key does not belong to this request and backend (theirs is {key[:12]}…)"
        raise wrong("key", problem, "take the line as it was exported: an answer under a wrong key would be believed")
    if (field := _wrong_field(values["response"])) is not None:
        raise wrong(f"response.{field}" if field else "response", "missing, unknown, or of the wrong type")
    response_text = canonical_json(encode_response(decode_response(values["response"])))
    try:
        received = timestamp(datetime.fromisoformat(values["received"]))
    except (TypeError, ValueError):
        raise wrong("received", "no moment in time", "write it such as 2026-11-24T18:00:00+00:00") from None
    return Stored(key, canonical_json(backend), request_text, response_text, received)


def _wrong_field(response: Any) -> str | None:  # noqa: ANN401 - JSON
    """Return the first field that makes this no Response, "" where it is no object, None where it is one."""
    if not isinstance(response, dict):
        return ""
    content: dict[str, Any] = {str(name): value for name, value in response.items()}
    for name, kinds in RESPONSE_TYPES.items():
        if not isinstance(content.get(name), kinds):
            return name
    usage, logprobs = content.get("usage"), content.get("label_logprobs")
    if not isinstance(usage, dict) or {*usage} != {field.name for field in fields(Usage)}:
        return "usage"
    if not all(isinstance(count, int) for count in usage.values()):
        return "usage"
    if logprobs is not None and not (
        isinstance(logprobs, dict) and all(isinstance(value, NUMBER) for value in logprobs.values())
    ):
        return "label_logprobs"
    known = {*RESPONSE_TYPES, "usage", "label_logprobs"}
    return next((name for name in content if name not in known), None)


def _zipped(path: Path) -> bool:
    return path.name.lower().endswith(".gz")


def _check_name(path: Path) -> None:
    if not path.name.lower().endswith((".jsonl", ".jsonl.gz")):
        raise InputError("an exported Store is JSON lines", path=path, hint="name it .jsonl or .jsonl.gz")
