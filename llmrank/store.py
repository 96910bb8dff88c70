"""Every Response ever received, keyed by the content of its Request, so that no billed call is ever repeated.

A Store is a SQLite file in WAL mode with JSON text; many processes may write to one file concurrently. Errors are not
Responses and are never stored. A process claims the request it is sending by a lock in the file `STORE-claims`, which
is released when the process dies.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import sqlite3
import struct
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import lru_cache
from operator import gt, lt
from pathlib import Path
from typing import Any, ClassVar

from llmrank.errors import InputError
from llmrank.files import NO_ROOM_HINT, PRIVATE, check_no_device
from llmrank.types import Closable, Message, Request, Response, Sampling, Structured, Thinking, Usage, adapter

BUSY_SECONDS = 60.0
"""How long a write waits for other processes."""

PAGES_BEFORE_COPYING = 8000
"""Pages of 4 KiB that the WAL collects before a checkpoint, during which everything else waits."""

VERSION = 2
"""Version of the schema; files of another version are refused."""
SCHEMA = f"""
BEGIN IMMEDIATE;
PRAGMA user_version = {VERSION};
CREATE TABLE IF NOT EXISTS backend (id INTEGER PRIMARY KEY, identity TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS response (
    key TEXT PRIMARY KEY,
    backend INTEGER NOT NULL REFERENCES backend (id),
    request TEXT NOT NULL,
    response TEXT NOT NULL,
    received TEXT NOT NULL
);
COMMIT;
"""
OPEN_FILE_LOCK: int | None = getattr(fcntl, "F_OFD_SETLK", None)
"""The fcntl command for locks owned by an open file (Linux); elsewhere, locks belong to the process."""
KEYS_AT_ONCE = 500
UNWRITABLE = "make the file and its folder writable, or name another with --store"
FLOATS = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
_JOINED = "FROM response JOIN backend ON backend.id = backend"
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
"""Made once: `json.dumps` would make one for each text."""


def canonical_json(value: object) -> str:
    """Return JSON with sorted keys, no spaces and ASCII only: equal values give equal text."""
    return _ENCODER.encode(value)


def request_key(identity: Mapping[str, str], request: Request) -> str:
    """Return the sha256 (hex) of everything that can change the answer: the canonical JSON of the backend's identity
    (`backend`) and of the Request as returned by `encode_request` (`request`)."""
    return keyed(identity, request).key


@dataclass(frozen=True, slots=True, eq=False)
class KeyedRequest:
    """A Request to a backend with a given identity, encoded once, and its Store key."""

    request: Request
    backend_json: str
    request_json: str
    key: str


def keyed(identity: Mapping[str, str], request: Request) -> KeyedRequest:
    """Return the Request with its Store key. Recent results are cached."""
    return _keyed(tuple(identity.items()), request)


@lru_cache(maxsize=1024)
def _keyed(identity: tuple[tuple[str, str], ...], request: Request) -> KeyedRequest:
    backend_json = _identity_json(identity)
    before, after = _around_messages(replace(request, messages=()))
    request_json = f"{before}{canonical_json(_messages(request))}{after}"
    content = f'{{"backend":{backend_json},"request":{request_json}}}'
    return KeyedRequest(request, backend_json, request_json, hashlib.sha256(content.encode()).hexdigest())


@lru_cache(maxsize=64)
def _identity_json(identity: tuple[tuple[str, str], ...]) -> str:
    return canonical_json(dict(identity))


@lru_cache(maxsize=64)
def _around_messages(settings: Request) -> tuple[str, str]:
    """Return the canonical JSON before and after the messages; most Requests of a run share these `settings`."""
    fields = encode_request(settings)
    before, after = (
        [f'"{name}":{canonical_json(fields[name])}' for name in sorted(fields) if belongs(name, "messages")]
        for belongs in (lt, gt)
    )
    return f'{{{",".join(before)},"messages":', f",{','.join(after)}}}"


def _messages(request: Request) -> list[list[str]]:
    return [[message.role, message.content] for message in request.messages]


def encode_request(request: Request) -> dict[str, Any]:
    """Return the Request as JSON values, with every field explicit; the temperatures 0 and 0.0 are encoded alike."""
    sampling, structured = adapter(Sampling).dump_python(request.sampling), request.structured
    return {
        "messages": _messages(request),
        "sampling": sampling | {name: float(sampling[name]) for name in FLOATS},
        "labels": list(request.labels),
        "structured": [structured.kind, structured.spec] if structured else None,
        "thinking": [request.thinking.on, request.thinking.budget],
        "extra_body": json.loads(request.extra_body or "{}"),
        "repeat": request.repeat,
    }


def decode_request(content: Mapping[str, Any]) -> Request:
    """Return the Request that `encode_request` encoded."""
    sampling = Sampling(**content["sampling"])
    return Request(
        messages=tuple(Message(role, text) for role, text in content["messages"]),
        sampling=replace(sampling, stop=tuple(sampling.stop)),
        labels=tuple(content["labels"]),
        structured=Structured(*content["structured"]) if content["structured"] else None,
        thinking=Thinking(*content["thinking"]),
        extra_body=canonical_json(content["extra_body"]) if content["extra_body"] else "",
        repeat=content["repeat"],
    )


@dataclass(frozen=True, slots=True)
class Selection:
    """Selects the Responses in a Store that meet every condition given."""

    model: str | None = None
    backend: str | None = None
    """The kind (`vllm`, `openai`) or the base URL."""
    before: datetime | None = None
    """Received earlier than this."""

    def condition(self) -> tuple[str, list[str]]:
        """Return an SQL condition on `response JOIN backend` and its parameters."""
        conditions = {
            "json_extract(identity, '$.model') = ?": self.model,
            "? IN (json_extract(identity, '$.kind'), json_extract(identity, '$.base_url'))": self.backend,
            "received < ?": None if self.before is None else timestamp(self.before),
        }
        given = {condition: value for condition, value in conditions.items() if value is not None}
        return " AND ".join(["1", *given]), list(given.values())


EVERYTHING = Selection()


@dataclass(frozen=True, slots=True)
class BackendStats:
    """What a Store holds from one backend."""

    backend: Mapping[str, str]
    """Its identity."""
    responses: int
    usage: Usage
    """Token counts of all its Responses together."""
    oldest: str
    """When the first Response was received: UTC, ISO 8601."""
    newest: str


@dataclass(frozen=True, slots=True)
class StoreStats:
    """What a Store holds."""

    by_backend: tuple[BackendStats, ...]
    """Only backends with Responses, in the order in which they first answered."""
    size: int
    """Bytes on disk."""

    @property
    def responses(self) -> int:
        """Number of Responses."""
        return sum(held.responses for held in self.by_backend)

    @property
    def usage(self) -> Usage:
        """Token counts of all Responses together."""
        return sum((held.usage for held in self.by_backend), Usage())


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row of a Store: one Response with its Request and backend, as canonical JSON."""

    key: str
    backend: str
    request: str
    response: str
    received: str
    """UTC, ISO 8601."""


class Store(Closable):
    """One SQLite file of Responses. Use it as a context manager, or call `close`."""

    keeps: ClassVar[bool] = True
    """Whether an answer can be read again."""

    def __init__(self, path: Path, *, read_only: bool = False, alone: bool = False) -> None:
        """Open the file, creating it if necessary. With `read_only` it must exist and is never written.

        With `alone` no other process can open it at the same time. It then needs no shared memory, so the file may be
        on a network file system.

        Raises InputError if the file is not a Store, cannot be created, or stays locked for more than a minute.
        """
        self.path = path
        self._backends: dict[str, int] = {}
        self._damaged: set[str] = set()
        self._claims: int | None = None
        in_memory = str(path) == ":memory:"
        self._shared = not (read_only or alone or in_memory)
        if read_only and not path.is_file():
            raise InputError("no such store", hint="name the store file of an earlier run (--store)", path=path)
        # Opened in one thread and used in another (that of a session or its event loop), but never in both at once.
        with _errors_explained(path):
            if read_only:
                # If the folder is not writable, SQLite cannot coordinate with a writer; assume that there is none.
                mode = "mode=ro" if os.access(path.parent, os.W_OK) else "immutable=1"
                self._db = sqlite3.connect(
                    f"{path.resolve().as_uri()}?{mode}", uri=True, timeout=BUSY_SECONDS, check_same_thread=False
                )
                self._db.execute("SELECT key FROM response LIMIT 1")
            else:
                if not in_memory:
                    check_no_device(path, "name a file with --store")
                    path.parent.mkdir(parents=True, exist_ok=True)
                    # SQLite creates its companion files with the same mode.
                    os.close(os.open(path, os.O_CREAT, PRIVATE))
                self._db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
                if alone:
                    self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
                self._prepare()
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            self._place = None if in_memory else path.resolve()
            self._file = self._place and self._place.stat()
            self._writable = in_memory or os.access(path, os.W_OK)
        if version != VERSION:
            self._db.close()
            problem = f"this Store was written by another version of llmrank (its format is {version}, not {VERSION})"
            raise InputError(problem, path=path, hint="name a new file with --store")

    def _prepare(self) -> None:
        """Create the tables if they are missing, in a mode that lets processes write concurrently."""
        from tenacity import Retrying, retry_if_exception_message, stop_after_delay, wait_random

        # SQLite's busy timeout does not cover the change of journal mode, so concurrent openers of a new file can fail.
        retrying = Retrying(
            retry=retry_if_exception_message(match=".*locked"),
            stop=stop_after_delay(BUSY_SECONDS),
            wait=wait_random(0.01, 0.1),
            reraise=True,
        )
        for attempt in retrying:
            with attempt:
                tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
                if tables and "response" not in tables:
                    raise sqlite3.DatabaseError("no such table: response")
                self._db.execute("PRAGMA journal_mode = WAL")
                # Every put survives a killed process; only a power failure can lose the last few.
                self._db.execute("PRAGMA synchronous = NORMAL")
                self._db.execute(f"PRAGMA wal_autocheckpoint = {PAGES_BEFORE_COPYING}")
                if not tables:
                    self._db.executescript(SCHEMA)

    def get(self, key: str) -> Response | None:
        """Return the stored Response, or None."""
        return self.get_all([key]).get(key)

    def get_all(self, keys: Sequence[str]) -> dict[str, Response]:
        """Return the stored Responses by key; keys without one are absent.

        A damaged row counts as missing: its request is sent again, and `put` replaces the row.
        """
        found: dict[str, Response] = {}
        for start in range(0, len(keys), KEYS_AT_ONCE):
            some = keys[start : start + KEYS_AT_ONCE]
            marks = ", ".join("?" * len(some))
            # As bytes: invalid UTF-8 in one row would otherwise fail the whole query.
            query = f"SELECT key, CAST(response AS BLOB) FROM response WHERE key IN ({marks})"
            for key, content in self._execute(query, some):
                try:
                    found[key] = adapter(Response).validate_python(json.loads(content))
                except ValueError:
                    self._damaged.add(key)
        return found

    def answers(self, questions: Sequence[KeyedRequest]) -> dict[str, Response]:
        """Return the stored Responses of these requests by Store key; requests without one are absent.

        A Response that lacks what its Request asked for (earlier versions stored some) counts as missing, like a
        damaged row.
        """
        found = self.get_all([question.key for question in questions])
        for question in questions:
            if (response := found.get(question.key)) is not None and not response.can_answer(question.request):
                self._damaged.add(question.key)
                del found[question.key]
        return found

    def answer(self, question: KeyedRequest) -> Response | None:
        """Return the stored Response to one request, or None; see `answers`."""
        return self.answers([question]).get(question.key)

    def put(self, key: str, identity: Mapping[str, str], request: Request, response: Response) -> None:
        """Store a Response. If the key already has one, the existing Response is kept."""
        self.put_keyed(keyed(identity, request), response, key)

    def put_keyed(self, keyed: KeyedRequest, response: Response, key: str = "") -> None:
        """Store the Response to a Request, under `key` if given. If the key has a Response, the existing one is
        kept."""
        key, backend = key or keyed.key, self._backend_id(keyed.backend_json)
        answer, now = canonical_json(adapter(Response).dump_python(response)), timestamp(datetime.now(UTC))
        insert = "INSERT OR REPLACE" if key in self._damaged else "INSERT OR IGNORE"
        self._execute(f"{insert} INTO response VALUES (?, ?, ?, ?, ?)", [key, backend, keyed.request_json, answer, now])
        self._damaged.discard(key)

    def claim(self, key: str) -> bool:
        """Claim the request until `release`; return False if another process has claimed it.

        A claim ends with its process. A Store that no other process can open claims nothing and returns True. Raises
        InputError for a read-only file: the answer could not be stored.
        """
        if not self._writable:
            raise InputError("the Store is read-only, so a new answer would be lost", path=self.path, hint=UNWRITABLE)
        return not self._shared or self._lock(key, fcntl.F_WRLCK)

    def release(self, key: str) -> None:
        """Release the claim on a request, if there is one."""
        if self._claims is not None:
            self._lock(key, fcntl.F_UNLCK)

    def _lock(self, key: str, kind: int) -> bool:
        """Lock or unlock the byte of the (empty) claims file that the key hashes to."""
        start = int(hashlib.sha256(key.encode()).hexdigest()[:15], 16)
        with _errors_explained(self.path):
            if self._claims is None:
                path = self.path.with_name(f"{self.path.name}-claims")
                self._claims = os.open(path, os.O_CREAT | os.O_RDWR, PRIVATE)
            try:
                if OPEN_FILE_LOCK is None:
                    lock = fcntl.LOCK_UN if kind == fcntl.F_UNLCK else fcntl.LOCK_EX | fcntl.LOCK_NB
                    fcntl.lockf(self._claims, lock, 1, start)
                else:
                    fcntl.fcntl(self._claims, OPEN_FILE_LOCK, struct.pack("@hhqqi4x", kind, os.SEEK_SET, start, 1, 0))
            except (BlockingIOError, PermissionError):
                return False
        return True

    def identities(self) -> list[dict[str, str]]:
        """Return the identity of every backend with Responses in this Store, oldest first."""
        answered = "EXISTS (SELECT 1 FROM response WHERE backend = backend.id)"
        rows = self._execute(f"SELECT identity FROM backend WHERE {answered} ORDER BY id")
        return [json.loads(identity) for (identity,) in rows]

    def stats(self, selection: Selection = EVERYTHING) -> StoreStats:
        """Return counts, tokens and times of the selected Responses, and the size of the Store. Reads the whole
        file."""
        sums = ", ".join(f"coalesce(sum(json_extract(response, '$.usage.{one.name}')), 0)" for one in fields(Usage))
        condition, values = selection.condition()
        rows = self._execute(
            f"SELECT identity, count(*), min(received), max(received), {sums} {_JOINED} WHERE {condition} "
            "GROUP BY backend ORDER BY backend",
            values,
        )
        held = tuple(
            BackendStats(json.loads(identity), count, Usage(*tokens), oldest, newest)
            for identity, count, oldest, newest, *tokens in rows
        )
        # The latest writes may still be in the WAL.
        files = (self.path, self.path.with_name(self.path.name + "-wal"))
        return StoreStats(held, sum(file.stat().st_size for file in files if file.exists()))

    def rows(self) -> Iterator[StoredRow]:
        """Yield all rows by key, except damaged rows and rows written meanwhile."""
        whole = "json_valid(request) AND json_valid(response)"
        columns = "SELECT key, identity, request, response, received"
        with _errors_explained(self.path):
            for row in self._db.execute(f"{columns} {_JOINED} WHERE {whole} ORDER BY key"):
                yield StoredRow(*row)

    def add(self, rows: Sequence[StoredRow]) -> int:
        """Add rows from another Store, all or none, and return how many were new. Existing keys are left unchanged.

        The caller must have checked that each key matches its content.
        """
        values = [(row.key, self._backend_id(row.backend), row.request, row.response, row.received) for row in rows]
        with _errors_explained(self.path), self._transaction():
            before = self._db.total_changes
            self._db.executemany("INSERT OR IGNORE INTO response VALUES (?, ?, ?, ?, ?)", values)
            return self._db.total_changes - before

    def prune(self, selection: Selection) -> int:
        """Delete the selected Responses permanently and return their number. `compact` then shrinks the file."""
        condition, values = selection.condition()
        with _errors_explained(self.path), self._transaction():
            return self._db.execute(
                f"DELETE FROM response WHERE key IN (SELECT key {_JOINED} WHERE {condition})", values
            ).rowcount

    @property
    def is_gone(self) -> bool:
        """Whether the file has been removed or replaced since it was opened, so that whatever is stored is lost."""
        if self._place is None or self._file is None:
            return False
        try:
            return not os.path.samestat(self._file, self._place.stat())
        except OSError:
            return True

    def compact(self) -> None:
        """Return the space of deleted rows to the file system. Raises InputError while another process writes."""
        with _errors_explained(self.path):
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the file and release all claims."""
        self._db.close()
        if self._claims is not None:
            os.close(self._claims)
            self._claims = None

    def _execute(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with _errors_explained(self.path):
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Generator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        end = "ROLLBACK"  # also when interrupted by Ctrl-C
        try:
            yield
            end = "COMMIT"
        finally:
            self._db.execute(end)

    def _backend_id(self, identity: str) -> int:
        if identity not in self._backends:
            self._execute("INSERT OR IGNORE INTO backend (identity) VALUES (?)", [identity])
            ((self._backends[identity],),) = self._execute("SELECT id FROM backend WHERE identity = ?", [identity])
        return self._backends[identity]


def timestamp(moment: datetime) -> str:
    """Return the time as the Store writes it; such texts sort chronologically."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


@contextmanager
def _errors_explained(path: Path) -> Generator[None]:
    """Turn errors of SQLite and the file system into an InputError with a hint."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        # Without the file's name, which must not decide the hint.
        text = (isinstance(error, OSError) and error.strerror) or str(error)
        hints = {
            "not a database": "name another file with --store; `llmrank store import` reads an exported Store",
            "malformed": "name a new one with --store; `sqlite3 FILE .recover | sqlite3 NEW` saves what is undamaged",
            "no such table": "name a store file; this database holds something else",
            "locked": "another process has locked the file for a minute: end it, or use another --store",
            "No space": NO_ROOM_HINT,
            "full": NO_ROOM_HINT,
            "disk I/O": "check whether the disk is full or unreachable; the same command then continues",
            "readonly": UNWRITABLE,
            "Permission denied": UNWRITABLE,
        }
        hint = next((hint for sign, hint in hints.items() if sign in text), "name a file in a folder you can write to")
        raise InputError(f"the store cannot be used: {text}", hint=hint, path=path) from error


class ForgetfulStore(Store):
    """A Store that keeps nothing, for services: memory does not grow, and no history is written to disk."""

    keeps: ClassVar[bool] = False

    def __init__(self) -> None:
        """Open nothing on the disk."""
        super().__init__(Path(":memory:"))

    def get_all(self, keys: Sequence[str]) -> dict[str, Response]:
        """Return nothing."""
        return {}

    def put_keyed(self, keyed: KeyedRequest, response: Response, key: str = "") -> None:
        """Keep nothing."""
