"""A submitted batch whose answers are not stored yet, recorded in a folder beside the Store, so that a kill loses
nothing.

answers.sqlite.batches/9f2c…/
  batch.json      the backend's identity, the id of the uploaded file, and the batch's id once it is known
  requests.jsonl  one line per Request: its Store key, and the Request
  input.jsonl     the file to upload; deleted once the batch exists
  lock            held by the process that follows the batch
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Self
from uuid import uuid4

from llmrank.errors import InputError, one_line
from llmrank.files import claim, write_whole
from llmrank.store import canonical_json, decode_request, encode_request
from llmrank.types import Request, adapter

STATE, REQUESTS, INPUT, LOCK = "batch.json", "requests.jsonl", "input.jsonl", "lock"


@dataclass(frozen=True, slots=True)
class State:
    """The progress of a batch."""

    identity: Mapping[str, str]
    begun: float
    """Seconds since the epoch, by this machine's clock."""
    count: int
    """Number of Requests."""
    file_id: str | None = None
    """The id of the uploaded file."""
    create_sent: bool = False
    """Whether the endpoint was asked to create the batch. From then on it may exist without our knowing its id."""
    batch_id: str | None = None


@dataclass
class OpenBatch:
    """The folder of a batch, locked by this process."""

    folder: Path
    state: State
    keys: tuple[str, ...]
    """The Store keys of the Requests."""
    _lock: IO[bytes] = field(repr=False)

    @classmethod
    def begin(cls, store_path: Path, identity: Mapping[str, str], lines: Sequence[tuple[str, Request, bytes]]) -> Self:
        """Record a new batch beside the Store file and return it. `lines` are its Requests with their Store keys and
        their lines in the upload.

        Raises InputError if it cannot be written.
        """
        folder = _batches_folder(store_path) / uuid4().hex
        made = folder.with_name(f".{folder.name}")
        try:
            made.mkdir(parents=True)
            with (made / REQUESTS).open("w", encoding="utf-8") as file:
                file.writelines(f"{json.dumps([key, encode_request(request)])}\n" for key, request, _ in lines)
            with (made / INPUT).open("wb") as file:
                file.writelines(line for _, _, line in lines)
            lock = _try_lock(made)
            assert lock is not None, "no other process knows this folder"
            opened = cls(made, State(dict(identity), time.time(), len(lines)), tuple(key for key, _, _ in lines), lock)
            opened.note()
            made.rename(folder)
        except OSError as error:
            hint = "choose a --store in a folder that you can write to"
            raise InputError(f"the batch cannot be recorded: {error.strerror}", path=folder, hint=hint) from error
        opened.folder = folder
        return opened

    @property
    def token(self) -> str:
        """The name that identifies it among the endpoint's batches."""
        return self.folder.name

    @property
    def input(self) -> Path:
        """The file to upload."""
        return self.folder / INPUT

    def requests(self) -> dict[str, Request]:
        """Return the Requests by Store key; raise InputError if the record is damaged."""
        return _read_requests(self.folder, self.state.count)

    def note(self, **changed: Any) -> None:  # the fields of State
        """Update the state; it is on disk when this returns."""
        self.state = replace(self.state, **changed)
        write_whole(self.folder / STATE, canonical_json(asdict(self.state)).encode())

    def forget(self) -> None:
        """Remove the folder: its answers are stored, or there will be none."""
        # Delete the state first, so that nothing looks like a batch after a kill in between.
        (self.folder / STATE).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.release()

    def release(self) -> None:
        """Let other processes take over the batch."""
        self._lock.close()


def take_open_batches(store_path: Path, identity: Mapping[str, str]) -> Iterator[OpenBatch]:
    """Take over the batches beside the Store file that this backend submitted and that no other process follows; yield
    them oldest first.

    Raises InputError if a record is damaged.
    """
    for _, folder in sorted(_states(store_path, identity), key=lambda pair: pair[0].begun):
        if (lock := _try_lock(folder)) is None:
            continue
        # Before we got the lock, another process may have advanced the batch, or finished it.
        if (state := _read(folder / STATE)) is None:
            lock.close()
        else:
            yield OpenBatch(folder, state, tuple(_read_requests(folder, state.count)), lock)


def waiting_requests(store_path: Path, identity: Mapping[str, str]) -> int:
    """Return the number of this backend's Requests in batches whose answers are not stored yet."""
    return sum(state.count for state, _ in _states(store_path, identity))


def _batches_folder(store: Path) -> Path:
    return store.with_name(f"{store.name}.batches")


def _states(store: Path, identity: Mapping[str, str]) -> Iterator[tuple[State, Path]]:
    for path in _batches_folder(store).glob(f"[!.]*/{STATE}"):
        state = _read(path)
        if state is not None and state.identity == dict(identity):
            yield state, path.parent


def _read(path: Path) -> State | None:
    try:
        return adapter(State).validate_python(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise _damaged(path, error) from error


def _read_requests(folder: Path, count: int) -> dict[str, Request]:
    path = folder / REQUESTS
    try:
        with path.open(encoding="utf-8") as file:
            found = {str(key): decode_request(content) for key, content in map(json.loads, file)}
        if len(found) != count:
            raise ValueError(f"{len(found)} requests, not {count}")
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _damaged(path, error) from error
    return found


def _damaged(path: Path, error: Exception) -> InputError:
    hint = "move its folder away; a batch that it names continues at the endpoint, and is billed"
    return InputError(f"damaged: {one_line(str(error), 80)}", path=path, hint=hint)


def _try_lock(folder: Path) -> IO[bytes] | None:
    """Lock the folder and return the lock; None if another process holds it or has removed the folder."""
    try:
        lock = (folder / LOCK).open("ab")
    except FileNotFoundError:
        return None
    if claim(lock, folder / LOCK):
        return lock
    lock.close()
    return None
