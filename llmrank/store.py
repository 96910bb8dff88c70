"""Every Response ever received, keyed by the content of its Request: nothing paid for is asked twice.

SQLite in WAL mode, JSON text; many processes may write one file at once. Errors are not Responses and never get in.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from llmrank.errors import InputError
from llmrank.types import Message, Request, Response, Sampling, Structured, Thinking, Usage

BUSY_SECONDS = 60.0
"""How long a write waits for other processes."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS backend (id INTEGER PRIMARY KEY, identity TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS response (
    key TEXT PRIMARY KEY,
    backend INTEGER NOT NULL REFERENCES backend (id),
    request TEXT NOT NULL,
    response TEXT NOT NULL,
    received TEXT NOT NULL
);
"""
_JOINED = "FROM response JOIN backend ON backend.id = backend"


def canonical_json(value: object) -> str:
    """Return JSON with sorted keys, no spaces and ASCII only: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def request_key(identity: Mapping[str, str], request: Request) -> str:
    """Return the sha256 (hex) of everything that can change the answer: the backend's identity, the messages, every
    sampling field, labels, structured output, thinking, extra body, the repeat index."""
    content = {"backend": dict(identity), **encode_request(request)}
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def encode_request(request: Request) -> dict[str, Any]:
    """Return the Request as JSON values, every field explicit; a temperature of 0 and of 0.0 are the same."""
    sampling, structured = request.sampling, request.structured
    return {
        "messages": [[message.role, message.content] for message in request.messages],
        "sampling": {
            "temperature": float(sampling.temperature),
            "top_p": float(sampling.top_p),
            "top_k": int(sampling.top_k),
            "max_tokens": int(sampling.max_tokens),
            "seed": int(sampling.seed),
            "stop": list(sampling.stop),
            "presence_penalty": float(sampling.presence_penalty),
            "frequency_penalty": float(sampling.frequency_penalty),
        },
        "labels": list(request.labels),
        "structured": [structured.kind, structured.spec] if structured else None,
        "thinking": [request.thinking.on, request.thinking.budget],
        "extra_body": json.loads(request.extra_body or "{}"),
        "repeat": request.repeat,
    }


def decode_request(content: Mapping[str, Any]) -> Request:
    """Return the Request that `encode_request` wrote."""
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


def encode_response(response: Response) -> dict[str, Any]:
    """Return the Response as JSON values."""
    return {
        "text": response.text,
        "finish_reason": response.finish_reason,
        "usage": asdict(response.usage),
        "label_logprobs": None if response.label_logprobs is None else dict(response.label_logprobs),
        "reasoning": response.reasoning,
        "seconds": response.seconds,
        "batch": response.batch,
    }


def decode_response(content: Mapping[str, Any]) -> Response:
    """Return the Response that `encode_response` wrote."""
    response = Response(**content)
    return replace(response, usage=Usage(**content["usage"]))


@dataclass(frozen=True, slots=True)
class Selection:
    """Which of a Store's Responses are meant: those to which all that is given applies."""

    model: str | None = None
    backend: str | None = None
    """The kind (`vllm`, `openai`) or the base URL."""
    before: datetime | None = None
    """Received earlier than this."""

    def condition(self) -> tuple[str, list[str]]:
        """Return an SQL condition on `response JOIN backend`, and its values."""
        parts: list[str] = ["1"]
        values: list[str] = []
        if self.model is not None:
            parts.append("json_extract(identity, '$.model') = ?")
            values.append(self.model)
        if self.backend is not None:
            parts.append("? IN (json_extract(identity, '$.kind'), json_extract(identity, '$.base_url'))")
            values.append(self.backend)
        if self.before is not None:
            parts.append("received < ?")
            values.append(timestamp(self.before))
        return " AND ".join(parts), values


EVERYTHING = Selection()


@dataclass(frozen=True, slots=True)
class Held:
    """What a Store holds of one backend."""

    backend: Mapping[str, str]
    """Its identity."""
    responses: int
    usage: Usage
    """Tokens of all its Responses together."""
    oldest: str
    """When the first one was received: UTC, ISO 8601."""
    newest: str


@dataclass(frozen=True, slots=True)
class Stats:
    """What a Store holds."""

    by_backend: tuple[Held, ...]
    """In the order in which they first answered; only those with Responses."""
    size: int
    """Bytes on disk."""

    @property
    def responses(self) -> int:
        """How many Responses there are."""
        return sum(held.responses for held in self.by_backend)

    @property
    def usage(self) -> Usage:
        """Tokens of all Responses together."""
        return sum((held.usage for held in self.by_backend), Usage())


@dataclass(frozen=True, slots=True)
class Stored:
    """One Response as it lies in a Store, with all that belongs to it; the values as canonical JSON."""

    key: str
    backend: str
    request: str
    response: str
    received: str
    """UTC, ISO 8601."""


class Store:
    """One SQLite file of Responses. Use it as a context manager, or call `close`."""

    def __init__(self, path: Path, *, read_only: bool = False, alone: bool = False) -> None:
        """Open the file, or make it; with `read_only` it must exist and is never written.

        With `alone` no other process can open it meanwhile. Then nothing is shared through memory, so that the file may
        lie on a network file system.

        Raises InputError when the file is no Store, cannot be made, or is locked for longer than a minute.
        """
        self.path = path
        if read_only and not path.is_file():
            raise InputError("no such store", hint="name the store file of an earlier run (--store)", path=path)
        with _explained(path):
            if read_only:
                # Without write access to the folder SQLite cannot share the file with a writer, so there is none.
                mode = "mode=ro" if os.access(path.parent, os.W_OK) else "immutable=1"
                self._db = sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True, timeout=BUSY_SECONDS)
                self._db.execute("SELECT key FROM response LIMIT 1")
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
                if alone:
                    self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
                self._prepare()
        self._backends: dict[str, int] = {}

    def _prepare(self) -> None:
        """Make the tables, unless they are there, in a file that processes can write side by side."""
        from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

        # SQLite's own waiting does not cover the change of mode: of several that open a new file, some are refused.
        for attempt in Retrying(
            retry=retry_if_exception(
                lambda error: isinstance(error, sqlite3.OperationalError) and "locked" in str(error)
            ),
            stop=stop_after_delay(BUSY_SECONDS),
            wait=wait_random(0.01, 0.1),
            reraise=True,
        ):
            with attempt:
                self._db.execute("PRAGMA journal_mode = WAL")
                # Each put is safe against a killed process; only a power cut can lose the last few.
                self._db.execute("PRAGMA synchronous = NORMAL")
                self._db.executescript(SCHEMA)

    def get(self, key: str) -> Response | None:
        """Return the stored Response, or None."""
        with _explained(self.path):
            row = self._db.execute("SELECT response FROM response WHERE key = ?", (key,)).fetchone()
        return None if row is None else decode_response(json.loads(row[0]))

    def put(self, key: str, identity: Mapping[str, str], request: Request, response: Response) -> None:
        """Keep a Response; of two under one key the first stays."""
        row = (
            key,
            self._backend_id(canonical_json(dict(identity))),
            canonical_json(encode_request(request)),
            canonical_json(encode_response(response)),
            timestamp(datetime.now(UTC)),
        )
        with _explained(self.path):
            self._db.execute("INSERT OR IGNORE INTO response VALUES (?, ?, ?, ?, ?)", row)

    def identities(self) -> list[dict[str, str]]:
        """Return the identity of every backend that has answers in this Store, oldest first."""
        answered = "EXISTS (SELECT 1 FROM response WHERE backend = backend.id)"
        with _explained(self.path):
            rows = self._db.execute(f"SELECT identity FROM backend WHERE {answered} ORDER BY id").fetchall()
        return [json.loads(row[0]) for row in rows]

    def stats(self, selection: Selection = EVERYTHING) -> Stats:
        """Return counts, tokens and times of what is selected, and the size of it all; reads the whole file."""
        field = "coalesce(sum(json_extract(response, '$.usage.{}')), 0)"
        names = ("prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens")
        sums = ", ".join(map(field.format, names))
        condition, values = selection.condition()
        with _explained(self.path):
            rows = self._db.execute(
                f"SELECT identity, count(*), min(received), max(received), {sums} {_JOINED} WHERE {condition} "
                "GROUP BY backend ORDER BY backend",
                values,
            ).fetchall()
        held = tuple(
            Held(json.loads(identity), count, Usage(*tokens), oldest, newest)
            for identity, count, oldest, newest, *tokens in rows
        )
        # What was written last may still lie in the file beside it.
        files = (self.path, self.path.with_name(self.path.name + "-wal"))
        return Stats(held, sum(file.stat().st_size for file in files if file.exists()))

    def rows(self) -> Iterator[Stored]:
        """Yield all that is stored, by key; what is written meanwhile is not in it."""
        with _explained(self.path):
            for row in self._db.execute(f"SELECT key, identity, request, response, received {_JOINED} ORDER BY key"):
                yield Stored(*row)

    def add(self, rows: Sequence[Stored]) -> int:
        """Keep rows that another Store held, all or none; return how many were new. A key that is known stays as it is.

        The caller has checked that each key belongs to its content.
        """
        values = [(row.key, self._backend_id(row.backend), row.request, row.response, row.received) for row in rows]
        with _explained(self.path), self._transaction():
            before = self._db.total_changes
            self._db.executemany("INSERT OR IGNORE INTO response VALUES (?, ?, ?, ?, ?)", values)
            return self._db.total_changes - before

    def prune(self, selection: Selection) -> int:
        """Delete what is selected, for good; return how many Responses went. `compact` then shrinks the file."""
        condition, values = selection.condition()
        with _explained(self.path), self._transaction():
            return self._db.execute(
                f"DELETE FROM response WHERE key IN (SELECT key {_JOINED} WHERE {condition})", values
            ).rowcount

    def compact(self) -> None:
        """Give the room of what was deleted back to the disk. Raises InputError while another process writes."""
        with _explained(self.path):
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Generator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:  # raised again: also Ctrl-C must leave no half of a transaction
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _backend_id(self, identity: str) -> int:
        if identity not in self._backends:
            with _explained(self.path):
                self._db.execute("INSERT OR IGNORE INTO backend (identity) VALUES (?)", (identity,))
                row = self._db.execute("SELECT id FROM backend WHERE identity = ?", (identity,)).fetchone()
            self._backends[identity] = row[0]
        return self._backends[identity]


def timestamp(moment: datetime) -> str:
    """Return the moment as the Store writes it, so that texts compare as moments do."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


@contextmanager
def _explained(path: Path) -> Generator[None]:
    """Turn SQLite's and the file system's complaints into one that says what to do."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        text = str(error)
        mends = {
            "not a database": "name another file with --store; this one was not written by llmrank",
            "malformed": "the file is damaged: name a new one with --store",
            "no such table": "name a store file; this database holds something else",
            "locked": "another process has held the file for a minute: end it, or use another --store",
            "full": "make room on the disk; the same command then continues",
            "disk I/O": "see whether the disk is full or out of reach; the same command then continues",
            "readonly": "make the file and its folder writable, or name another with --store",
        }
        hint = next((hint for sign, hint in mends.items() if sign in text), "name a file in a folder you can write to")
        raise InputError(f"the store cannot be used: {text}", hint=hint, path=path) from error
