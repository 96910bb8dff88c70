"""Files, written so that a kill, a full disk or a missing permission leaves nothing half done and says what to do."""

from __future__ import annotations

import errno
import hashlib
import io
import json
from pathlib import Path

from llmrank.errors import InputError

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
NOT_ALLOWED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def cannot_write(path: Path, error: OSError) -> InputError:
    """Return the error that tells a person what the file system said, and the hint."""
    if error.errno in NO_ROOM:
        hint = "make room on the disk; the same command then continues"
    elif error.errno in NOT_ALLOWED:
        hint = "make the folder writable, or name another"
    else:
        hint = "name another, in a folder that you can write to"
    return InputError(f"cannot be written: {error.strerror or error}", path=path, hint=hint)


def append_line(file: io.FileIO, line: bytes, path: Path) -> None:
    """Append a line, which must end in a line break, whole or not at all; it is in the file when this returns.

    `file` is unbuffered: what a full disk refused must not come again when the file is closed. Raises InputError.
    """
    end = file.seek(0, io.SEEK_END)
    try:
        written = 0
        while written < len(line):
            written += file.write(line[written:]) or 0
    except OSError as error:
        file.truncate(end)
        raise cannot_write(path, error) from error


def write_json(path: Path, value: object) -> None:
    """Write a JSON file whole or not at all; raises InputError where it cannot be written."""
    write_whole(path, json_bytes(json.dumps(value, indent=2, ensure_ascii=False) + "\n"))


def json_bytes(text: str) -> bytes:
    """Return JSON in UTF-8; half a surrogate pair, which an endpoint may send, as the escape that JSON has for it."""
    return text.encode("utf-8", "backslashreplace")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; raises InputError where it cannot be written."""
    beside = path.with_name(path.name + ".part")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise cannot_write(path, error) from error


def sha256_of(path: Path) -> str:
    """Return the hash (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
