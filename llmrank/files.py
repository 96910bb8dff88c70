"""Files, written so that a kill, a full disk or a missing permission leaves nothing half done and says what to do."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
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


def cache_folder() -> Path:
    """Return the folder for what can be fetched or made again: `LLMRANK_CACHE`, else the user's cache folder."""
    from platformdirs import user_cache_path

    return Path(os.environ.get("LLMRANK_CACHE") or user_cache_path("llmrank"))


def remembered_sha256(path: Path, memory: Path) -> str:
    """Return the hash (hex) of a whole file, from `memory` (a JSON file) if the file has not changed since.

    A file counts as unchanged while its size and its times of modification and of change are the same. A memory that
    cannot be read or written costs time, and nothing else.
    """
    status, name = path.stat(), str(path.resolve())
    stamp = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    known = _remembered(memory)
    if (entry := known.get(name)) and entry[:-1] == stamp:
        return str(entry[-1])
    digest = sha256_of(path)
    # Read again: another process may have added to it while this one was hashing.
    known = {there: entry for there, entry in _remembered(memory).items() if Path(there).exists()}
    with contextlib.suppress(OSError, InputError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        write_json(memory, {**known, name: [*stamp, digest]})
    return digest


def _remembered(memory: Path) -> dict[str, list[int | str]]:
    try:
        known = json.loads(memory.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def sha256_of(path: Path) -> str:
    """Return the hash (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
