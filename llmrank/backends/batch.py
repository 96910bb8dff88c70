"""OpenAI's Batch API: the Requests of many Cases are uploaded as one file and answered within a day at a lower price.

The Store key is the same as for a direct call, so commands with and without `--batch` share their answers, and a Run
started one way can be continued the other way.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from math import inf
from pathlib import Path
from typing import Any, Self, TypeVar, cast
from urllib.parse import quote

import aiohttp

from llmrank.backends.base import WrappedBackend
from llmrank.backends.completion import at, error_message, number_at, objects_at, unreadable
from llmrank.backends.endpoint import MAX_BYTES as MAX_ANSWER
from llmrank.backends.endpoint import Reply
from llmrank.backends.open_batch import OpenBatch, take_open_batches
from llmrank.backends.openai import OpenAIBackend
from llmrank.errors import BackendError, FatalBackendError, TransientError, count_of, one_line
from llmrank.files import cannot_write
from llmrank.progress import Say, duration, silent
from llmrank.store import Store, keyed
from llmrank.types import Request, Response

Result = TypeVar("Result")
Results = dict[str, Response | BackendError]
"""The result of each Request of a batch, by Store key."""

MAX_REQUESTS, MAX_BYTES = 50_000, 200_000_000
"""The API's limits for one batch."""
QUIET = 1.0
"""Seconds without a new Request after which a batch is submitted."""
FIRST_WAIT, LONGEST_WAIT, GROWTH = 1.0, 60.0, 1.5
"""Seconds between polls of a batch."""
SEARCHES = 3
"""How often to search for a batch whose id was lost."""
FETCHES = 3
"""How often to download the files of a finished batch that are not as announced."""
PATIENCE = 3600.0
"""Seconds for which a step (upload, creation, poll, download) is retried after transient failures."""
SETTLES = 60.0
"""Seconds after its creation for which an endpoint may not know a batch yet."""
LATE = 2 * 86_400.0
"""Seconds, from its record on, after which a batch is no longer waited for. The API promises an end within a day."""
SEARCHED = 86_400
"""Maximum seconds by which the endpoint's clock may lag behind ours, for finding a batch whose id was lost."""
_ENDS = {
    "completed": "completed complete succeeded success done ended",
    "failed": "failed error errored",
    "expired": "expired timed_out timeout",
    "cancelled": "cancelled canceled stopped",
}
ENDED = {name: status for status, names in _ENDS.items() for name in names.split()}
"""The statuses of a batch that has ended, by each of their known names, in lower case."""
EPOCH = 1e9
"""Creation times before this (2001) are invalid."""
TOKEN = "llmrank"
"""The metadata key under which a batch carries our token."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The endpoint's description of a batch; invalid fields are dropped."""

    batch_id: str
    status: str
    output_file_id: str | None
    error_file_id: str | None
    done: int | None
    """Number of processed Requests; None if unknown."""
    completed: int
    """How many of them were answered; 0 if unknown."""
    errors: tuple[object, ...]
    token: str
    """Our token, from the metadata."""
    input_file_id: str | None
    created_at: float

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        """Return the batch in a JSON object; raise TransientError if it has no id or status."""
        batch_id, status = at(body, str, "id"), at(body, str, "status")
        if not batch_id or not status:
            raise unreadable("the endpoint answered with something other than a batch")
        name = re.sub("^(?:job|batch)_state_", "", status.lower())  # Gemini's JOB_STATE_SUCCEEDED
        counts = [number_at(body, "request_counts", name) for name in ("completed", "failed")]
        done = [int(count) for count in counts if count is not None and 0 <= count <= MAX_REQUESTS]
        return cls(
            batch_id=batch_id,
            status=ENDED.get(name) or one_line(status, 40),
            output_file_id=at(body, str, "output_file_id"),
            error_file_id=at(body, str, "error_file_id"),
            done=sum(done) if len(done) == 2 else None,
            completed=done[0] if len(done) == 2 else 0,
            errors=_errors(at(body, object, "errors", "data") or body.get("errors")),
            token=at(body, str, "metadata", TOKEN) or "",
            input_file_id=at(body, str, "input_file_id"),
            created_at=inf if (created := number_at(body, "created_at")) is None or created < EPOCH else created,
        )


def _errors(value: object) -> tuple[object, ...]:
    """Return the errors in a list of them, or in the place of one."""
    listed = cast("list[object]", value) if isinstance(value, list) else [value]
    return tuple(one for one in listed if one and isinstance(one, dict | str))


class BatchBackend(WrappedBackend):
    """Collects Requests into batches; `answer` returns when the batch with its Request has ended.

    A batch is submitted when no new Request has come for a second, or when it reaches the API's limits. A method with
    several steps therefore works in rounds. The callers of `answer` limit how much is in flight at once.

    The first Request is sent directly while the others wait, so that a wrong model or an unsupported parameter costs
    one call and not fifty thousand.

    A kill at any moment does not cause double billing. A batch is recorded beside the Store (`OpenBatch`) before
    anything is uploaded, and its id before it is polled. If the id is lost on the way, the batch is found by its
    metadata. The next backend on this Store takes over the batches it finds there and stores their answers, whether or
    not they are still requested. A batch whose files are not as announced (a proxy's page, half a file) is kept as
    well: its readable answers are stored, and the next command downloads it again.
    """

    def __init__(self, direct: OpenAIBackend, store: Path, *, say: Say = silent, quiet: float = QUIET) -> None:
        """`direct` handles the endpoint, the encoding of Requests and refusals; `store` is the Store's file. Batches of
        earlier commands are taken over at the first call of `answer`."""
        super().__init__(direct)
        self._direct, self._store_path, self._say, self._quiet = direct, store, say, quiet
        self._store: Store | None = None
        self._in_flight: dict[str, asyncio.Task[Results]] = {}
        """By Store key: the task that processes the batch with this Request."""
        self._next: dict[str, tuple[Request, bytes]] = {}
        """The batch being collected: by Store key, the Request and its line in the upload."""
        self._next_bytes = 0
        self._unfetched: dict[str, BackendError] = {}
        """By Store key: why the answer could not be downloaded. It is at the endpoint, and billed."""
        self._first, self._has_answered = asyncio.Lock(), False

    async def answer(self, request: Request) -> Response:
        """Return the Response from the batch that contains the Request, perhaps since an earlier command.

        For a refused Request, raises what a direct call raises. Raises BackendError if the batch ended without an
        answer (expired, cancelled), and FatalBackendError if the endpoint rejects the whole batch.
        """
        store = self._open_store()
        question = keyed(self.identity, request)
        key = question.key
        if key not in self._in_flight:
            # A batch of an earlier command may have brought the answer since the caller looked.
            if (stored := store.answer(question)) is not None:
                return stored
            if key in self._unfetched:
                raise self._unfetched[key]
            async with self._first:
                if not self._has_answered:
                    response = await self._direct.answer(request)
                    self._has_answered = True
                    return response
            if not self._next:
                # Another process may have ended, and left its batches, since the Store was opened.
                self._take_over()
            # Another call may have added the same Request while this one waited.
            if key not in self._in_flight:
                self._add(key, request)
        # The batch continues even if its waiters are cancelled.
        result = (await asyncio.shield(self._in_flight[key]))[key]
        if isinstance(result, BackendError):
            raise result
        return result

    async def close(self) -> None:
        """Stop following batches; those in progress remain recorded for the next command."""
        tasks = set(self._in_flight.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._store is not None:
            self._store.close()
        await super().close()

    # --- collecting batches ---

    def _open_store(self) -> Store:
        if self._store is None:
            self._store = Store(self._store_path)
            self._take_over()
        return self._store

    def _take_over(self) -> None:
        """Follow the batches that no process follows, except those that this one has given up."""
        for batch in take_open_batches(self._store_path, self.identity):
            if not self._unfetched.keys().isdisjoint(batch.keys):
                batch.release()
                continue
            self._say(f"resuming {_name(batch)} of {count_of(batch.state.count, 'request')}")
            self._in_flight |= dict.fromkeys(batch.keys, self._start_task(self._process(batch)))

    def _add(self, key: str, request: Request) -> None:
        body = self._direct.dialect.body(request)
        line = {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body}
        # ASCII, since an earlier answer may contain a lone surrogate, which UTF-8 cannot encode.
        encoded = json.dumps(line).encode() + b"\n"
        full = len(self._next) >= MAX_REQUESTS or self._next_bytes + len(encoded) > MAX_BYTES
        if full or not self._next:
            self._next, self._next_bytes = {}, 0
            task = self._start_task(self._submit(self._next))
        else:
            task = self._in_flight[next(iter(self._next))]
        self._next[key] = request, encoded
        self._next_bytes += len(encoded)
        self._in_flight[key] = task

    async def _submit(self, collected: Mapping[str, tuple[Request, bytes]]) -> Results:
        """Process a batch once it is full or no new Request has come for a second."""
        before = -1
        while collected is self._next and len(collected) != before:
            before = len(collected)
            await asyncio.sleep(self._quiet)
        if collected is self._next:
            self._next = {}
        lines = [(key, request, line) for key, (request, line) in collected.items()]
        return await self._process(OpenBatch.begin(self._store_path, self.identity, lines))

    def _start_task(self, work: Coroutine[None, None, Results]) -> asyncio.Task[Results]:
        """Start a task. Once it has ended, only the calls already waiting get its result."""

        def ended(task: asyncio.Task[Results]) -> None:
            self._in_flight = {key: other for key, other in self._in_flight.items() if other is not task}
            if not task.cancelled():
                # If no call is waiting any more, this keeps asyncio from reporting an exception as never retrieved.
                task.exception()

        task = asyncio.create_task(work)
        task.add_done_callback(ended)
        return task

    # --- the API ---

    async def _process(self, batch: OpenBatch) -> Results:
        """Process a batch to its end, and return the result of each Request."""
        try:
            results, fault = Results(), ""
            for fetch in range(FETCHES):
                if fault:
                    self._say(f"{_name(batch)}: {fault}; downloading it again")
                    await asyncio.sleep(FIRST_WAIT * 10 ** (fetch - 1))
                ended = await self._wait_until_ended(batch)
                results, fault = await self._collect(batch, ended)
                if not fault:
                    batch.forget()
                    return dict.fromkeys(batch.keys, _failure(batch, ended)) | results
            lost = BackendError(
                f"{_name(batch)}: {fault}; the missing answers are billed, and the next command with --batch downloads "
                f"them again (delete {batch.folder} to send the requests anew)"
            )
            self._unfetched |= dict.fromkeys(set(batch.keys) - set(results), lost)
            return dict.fromkeys(batch.keys, lost) | results
        except BackendError as error:
            # The batch may exist, so leave it to the next command to find; retrying here would send it twice.
            final = BackendError(f"{_name(batch)}: {error}") if isinstance(error, TransientError) else error
            if batch.state.create_sent:
                self._unfetched |= dict.fromkeys(batch.keys, final)
            else:
                batch.forget()  # refused before it was created, so there is no batch to wait for
            raise final from error
        except asyncio.CancelledError:
            self._say(f"{_name(batch)} is recorded in {batch.folder}: the same command continues with it")
            raise
        except OSError as error:
            raise cannot_write(batch.folder, error) from error
        finally:
            batch.release()

    async def _wait_until_ended(self, batch: OpenBatch) -> Batch:
        """Return the batch once it has ended; upload and create it first if necessary."""
        settled = time.monotonic()
        if batch.state.batch_id is None:
            if batch.state.file_id is None:
                batch.note(file_id=await self._retried(lambda: self._upload(batch)))
            created = await self._retried(lambda: self._create(batch))
            batch.note(batch_id=created.batch_id)
            batch.input.unlink(missing_ok=True)
            settled += SETTLES
        wait, last_line = FIRST_WAIT, ""
        while True:
            found = await self._retried(lambda: self._poll(batch, settled))
            done = "?" if found.done is None else f"{found.done:,}"
            asked = count_of(batch.state.count, "request")
            if (line := f"{_name(batch)}: {found.status}, {done} of {asked}") != last_line:
                self._say(line)
                last_line = line
            if found.status in _ENDS:
                return found
            if (age := time.time() - batch.state.begun) > LATE:
                raise BackendError(
                    f"{_name(batch)} has not ended ({found.status}) {duration(age)} after it was submitted, though it "
                    "has to within a day; the next command with --batch looks again (cancel it at the endpoint, and "
                    f"delete {batch.folder}, to send the requests anew)"
                )
            await asyncio.sleep(wait)
            wait = min(LONGEST_WAIT, wait * GROWTH)

    async def _retried(self, step: Callable[[], Awaitable[Result]]) -> Result:
        """Return the step's result, retrying it after transient failures for up to an hour."""
        began, wait = time.monotonic(), FIRST_WAIT
        while True:
            try:
                return await step()
            except TransientError as error:
                pause = max(wait, error.wait or 0.0)
                if time.monotonic() - began + pause > PATIENCE:
                    raise
                self._say(f"{error}; retrying")
                await asyncio.sleep(pause)
                wait = min(LONGEST_WAIT, wait * GROWTH)

    async def _upload(self, batch: OpenBatch) -> str:
        with batch.input.open("rb") as file:
            form = aiohttp.FormData({"purpose": "batch"})
            form.add_field("file", file, filename=batch.input.name, content_type="application/jsonl")
            uploaded = await self._call(batch, "POST", "files", data=form)
        if not (file_id := at(uploaded, str, "id")):
            raise unreadable(f"{self.identity['base_url']} accepted a file but returned no id for it")
        return file_id

    async def _poll(self, batch: OpenBatch, settled: float) -> Batch:
        """Return the state of the batch, which may be unknown until it has `settled` (by the monotonic clock)."""
        reply = await self._direct.endpoint.call("GET", f"batches/{quote(str(batch.state.batch_id), safe='')}")
        if reply.status == HTTPStatus.NOT_FOUND and time.monotonic() < settled:
            raise unreadable(f"{self.identity['base_url']} does not know {_name(batch)} yet")
        return Batch.of(await self._object(batch, reply))

    async def _create(self, batch: OpenBatch) -> Batch:
        """Create the batch and return it; if it exists already without our knowing its id, find it instead."""
        if batch.state.create_sent:
            for _ in range(SEARCHES):  # it may take a moment until it is listed
                if lost := await self._find(batch):
                    return lost
                await asyncio.sleep(FIRST_WAIT)
        batch.note(create_sent=True)
        content = {
            "completion_window": "24h",
            "endpoint": "/v1/chat/completions",
            "input_file_id": str(batch.state.file_id),
            "metadata": {TOKEN: batch.token},
        }
        try:
            return Batch.of(await self._call(batch, "POST", "batches", content=content))
        except BackendError as error:
            if not isinstance(error, TransientError):
                # Rejected, so there is no batch to look for.
                batch.forget()
            raise

    async def _find(self, batch: OpenBatch) -> Batch | None:
        """Return the endpoint's batch with our token or our file, or None. Batches come newest first, so the search is
        short."""
        after, seen = "", {""}
        while True:
            reply = await self._direct.endpoint.call("GET", f"batches?limit=100{after}")
            if reply.status in (404, 405):
                raise FatalBackendError(
                    f"{self.identity['base_url']} may have created {_name(batch)}, and does not list its batches "
                    f"({reply.status})\n"
                    f"  hint: look for it at the endpoint; delete {batch.folder} to send the requests anew"
                )
            page = await self._object(batch, reply)
            whole = [one for one in objects_at(page, "data") if at(one, str, "id") and at(one, str, "status")]
            for found in (listed := [Batch.of(one) for one in whole]):
                if batch.token == found.token or batch.state.file_id == found.input_file_id:
                    return found
                if found.created_at < batch.state.begun - SEARCHED:
                    return None
            after = f"&after={quote(listed[-1].batch_id, safe='')}" if listed else ""
            if not page.get("has_more") or after in seen:
                return None
            seen.add(after)

    async def _call(self, batch: OpenBatch, method: str, path: str, **sent: Any) -> dict[str, Any]:
        return await self._object(batch, await self._direct.endpoint.call(method, path, **sent))

    async def _object(self, batch: OpenBatch, reply: Reply) -> dict[str, Any]:
        """Return the JSON object in a reply. Here, a 404 is about the batch, not the model."""
        if reply.status in (404, 405):
            wrong, hint = "has no Batch API", "leave out --batch"
            if batch.state.batch_id is not None:
                wrong = f"does not know {_name(batch)}"
                hint = f"use the key with which it was created, or delete {batch.folder} to send the requests anew"
            raise FatalBackendError(f"{self.identity['base_url']} {wrong} ({reply.status})\n  hint: {hint}")
        try:
            return await self._direct.read_object(reply, {})
        except (TransientError, FatalBackendError):
            raise
        except BackendError as error:
            raise FatalBackendError(f"{error}\n  hint: leave out --batch, or check --model") from error

    # --- results ---

    async def _collect(self, batch: OpenBatch, ended: Batch) -> tuple[Results, str]:
        """Store the answers in the files of a finished batch. Return the results, by Store key, and how the files
        deviate from the batch's description (empty if they do not)."""
        requests, results = batch.requests(), Results()
        readable, fault = await self._read_file(batch, ended.output_file_id, requests, results)
        failed, why = 0, ""
        try:
            failed, why = await self._read_file(batch, ended.error_file_id, requests, results)
        except BackendError as error:  # only the reasons are lost: what failed is not billed
            self._say(f"{_name(batch)}: its file of errors cannot be read: {one_line(str(error))}")
        if any(isinstance(result, Response) for result in results.values()):
            # What one request met, others did not meet.
            results = {key: _of_one(result) for key, result in results.items()}
        # A line that cannot be read is an answer, too: billed, and perhaps undamaged the next time.
        expected = min(ended.completed, len(requests))
        if not ended.done and ended.status == "completed":  # without counts, each request has its line
            readable, expected = readable + failed, len(requests)
        if readable >= expected or len(results) == len(requests):
            return results, ""
        missing = f"its file has {count_of(readable, 'readable answer')}, but {expected} of its requests were answered"
        return results, fault or why or missing

    async def _read_file(
        self, batch: OpenBatch, file_id: str | None, requests: Mapping[str, Request], results: Results
    ) -> tuple[int, str]:
        """Store the answers in a file, and add to the results. Return the number of lines that are answers, and how the
        file deviates from what it should be."""
        if not file_id:
            return 0, ""
        store, path = self._open_store(), await self._download(batch, file_id)
        known, too_long, number, ours, fault = len(results), 0, 0, False, ""
        for number, (line, why) in enumerate(self._lines(path, requests), start=1):
            if line is None:
                fault = f"its file is truncated in line {number}" if why == "truncated" else fault
                too_long += why == "too long"  # it would be as long the next time
                continue
            key = str(line.get("custom_id"))
            ours = ours or key in requests
            if key not in requests or isinstance(results.get(key), Response):
                continue
            if not _is_result(line):  # billed, so it must not be sent anew
                fault = f"line {number} of its file has an unknown format: {one_line(json.dumps(line))}"
                continue
            result = results[key] = await self._result(requests[key], line)
            if isinstance(result, Response):
                store.put(key, self.identity, requests[key], result)
            if number % 1000 == 0:
                await asyncio.sleep(0)
        if number and not ours:
            fault = f"its file is {self._direct.endpoint.describe(path)}"
        return len(results) - known + too_long, fault

    async def _download(self, batch: OpenBatch, file_id: str) -> Path:
        path = batch.folder / "output.jsonl"

        async def download() -> None:
            reply = await self._direct.endpoint.download(f"files/{quote(file_id, safe='')}/content", path)
            if reply is not None and reply.status in (404, 410):
                hint = f"use the key of the batch; or, if the file has expired, delete {batch.folder} to send it anew"
                problem = f"{self.identity['base_url']} has no file {one_line(file_id, 60)} ({reply.status})"
                raise FatalBackendError(f"{problem}, which holds the answers of {_name(batch)}\n  hint: {hint}")
            if reply is not None:
                await self._object(batch, reply)
                raise unreadable(f"{self.identity['base_url']} did not send the file {one_line(file_id, 60)}")

        await self._retried(download)
        return path

    def _lines(self, path: Path, requests: Mapping[str, Request]) -> Iterator[tuple[dict[str, Any] | None, str]]:
        """Yield the object in each non-empty line; or None, and why there is none: `too long`, `truncated` or
        `malformed`."""

        def sent(line: object) -> object:
            request = requests.get(key := at(line, str, "custom_id") or "")
            return None if request is None else [key, self._direct.dialect.body(request)]

        with path.open("rb") as file:
            while text := file.readline(MAX_ANSWER):
                if len(text) == MAX_ANSWER and not text.endswith(b"\n"):
                    while (rest := file.readline(MAX_ANSWER)) and not rest.endswith(b"\n"):
                        pass
                    yield None, "too long"
                elif text.strip():
                    line = self._direct.endpoint.read_json(text, sent)
                    is_object, ends = isinstance(line, dict), text.endswith(b"\n")
                    yield (line, "") if is_object else (None, "malformed" if ends else "truncated")

    async def _result(self, request: Request, line: Mapping[str, Any]) -> Response | BackendError:
        if (answered := at(line, dict, "response")) is None:
            return BackendError(f"the batch returned no answer: {error_message(line.get('error'))}")
        status, body = at(answered, int, "status_code"), at(answered, dict, "body")
        try:
            response = await self._direct.read_line(request, 200 if status is None else status, body or {})
        except BackendError as failure:
            is_answer = isinstance(failure, TransientError) and failure.came
            return BackendError(f"the batch returned no answer: {failure}") if is_answer else failure
        # Not retried in this run: it is billed, and every retry would be another batch.
        if not response.can_answer(request):
            return BackendError("the batch returned an answer without the requested log-probabilities")
        return replace(response, batch=True)


def _is_result(line: Mapping[str, Any]) -> bool:
    """Return whether a line holds the result of a Request: an error, or the status and body of an answer."""
    failed = (at(line, int, "response", "status_code") or 0) >= 400
    body = at(line, dict, "response", "body") or {}
    return bool(line.get("error")) or failed or "choices" in body or "error" in body


def _of_one(result: Response | BackendError) -> Response | BackendError:
    """Return a result; a failure that every other request would meet too, as one of this request."""
    if not isinstance(result, FatalBackendError):
        return result
    return BackendError(f"the batch returned no answer: {result.message.partition(chr(10))[0]}")


def _name(batch: OpenBatch) -> str:
    return f"batch {one_line(batch.state.batch_id or f'without id ({batch.token[:8]}…)', 100)}"


def _failure(batch: OpenBatch, ended: Batch) -> BackendError:
    """Return the error for a Request that is missing from the files of a finished batch."""
    if ended.status != "failed":
        return BackendError(f"{_name(batch)} ended ({ended.status}) without answering it")
    lines = [(at(fault, int, "line"), error_message(fault)) for fault in ended.errors[:3]]
    messages = "; ".join(text if line is None else f"line {line}: {text}" for line, text in lines)
    hint = "check --model and the sampling settings"
    if any(at(fault, str, "code") == "token_limit_exceeded" for fault in ended.errors):
        hint = "run it again when other batches have ended, or send smaller batches (--concurrency limits their size)"
    return FatalBackendError(f"{_name(batch)} was rejected as a whole: {messages or 'no reason'}\n  hint: {hint}")
