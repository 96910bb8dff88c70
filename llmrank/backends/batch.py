"""OpenAI's Batch API: the Requests of many Cases go up in one file, and come back within a day at a lower price.

An answer is an answer: the Store key is that of a direct call, so a command with `--batch` and one without it share
what was answered, and a Run that was begun in one way is continued in the other.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import quote

import aiohttp

from llmrank.backends.base import WrappedBackend
from llmrank.backends.completion import at, number_at, objects_at, said, unreadable
from llmrank.backends.endpoint import MOST_BYTES as MOST_ANSWER
from llmrank.backends.endpoint import Reply
from llmrank.backends.open_batch import OpenBatch, take_open_batches
from llmrank.backends.openai import OpenAIBackend
from llmrank.errors import BackendError, FatalBackendError, TransientError, one_line
from llmrank.files import cannot_write
from llmrank.progress import Say, silent
from llmrank.store import Store, keyed
from llmrank.types import Request, Response

Result = TypeVar("Result")
Results = dict[str, Response | BackendError]
"""What became of each Request of a batch, by Store key."""

MOST_REQUESTS, MOST_BYTES = 50_000, 200_000_000
"""What the API takes in one batch."""
QUIET = 1.0
"""Seconds without a new Request after which a batch goes off."""
FIRST_WAIT, LONGEST_WAIT, GROWTH = 1.0, 60.0, 1.5
"""Seconds between two looks at a batch."""
FETCHES = 3
"""How often the files of an ended batch are fetched where they are not what it says."""
PATIENCE = 3600.0
"""Seconds for which a step (uploading, creating, a look, a download) is tried again while its fault may pass."""
SEARCHED = 86_400
"""Seconds by which the endpoint's clock may be behind ours, in the search for a batch whose id was lost."""
ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
TOKEN = "llmrank"
"""The key of a batch's metadata under which it says who it is."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What the endpoint says of a batch; what makes no sense in it is left out."""

    batch_id: str
    status: str
    output_file_id: str | None
    error_file_id: str | None
    done: int | None
    """Requests that are worked off; None when it does not say."""
    completed: int
    """Those of them that have an answer; 0 when it does not say."""
    errors: tuple[Mapping[str, Any], ...]
    token: str
    """What our metadata say."""
    created_at: float

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        """Return the batch in a JSON object; raise TransientError when it has no id or no status."""
        batch_id, status = at(body, str, "id"), at(body, str, "status")
        if batch_id is None or status is None:
            raise unreadable("the endpoint answered with something that is no batch")
        counts = [number_at(body, "request_counts", name) for name in ("completed", "failed")]
        done = [int(count) for count in counts if count is not None and 0 <= count <= MOST_REQUESTS]
        return cls(
            batch_id=batch_id,
            status=one_line(status, 40),
            output_file_id=at(body, str, "output_file_id"),
            error_file_id=at(body, str, "error_file_id"),
            done=sum(done) if len(done) == 2 else None,
            completed=done[0] if len(done) == 2 else 0,
            errors=tuple(objects_at(body, "errors", "data")),
            token=at(body, str, "metadata", TOKEN) or "",
            created_at=inf if (created := number_at(body, "created_at")) is None else created,
        )


class BatchBackend(WrappedBackend):
    """Collects Requests into batches; `answer` returns when the batch with its Request has ended.

    A batch goes off when nothing new has come for a second, or at the API's limits, so a method that asks in several
    steps works in rounds. What is under way at once is bounded by whoever calls `answer`.

    The first Request is asked directly, and the others wait: a wrong model, or a parameter that the endpoint does not
    take, is found by one call and not by fifty thousand.

    A kill at any moment pays nothing twice. Before anything is uploaded the batch is noted beside the Store
    (`OpenBatch`), and its id is noted before it is first looked at; an id that was lost on the way is found among the
    endpoint's batches by its metadata. The next backend on this Store follows what it finds there: its answers go into
    the Store, whether or not anybody asks for them again. Nor is a batch forgotten whose file is not what was announced
    (a proxy's page, half a file): what is in it is stored, and the next command fetches it again.
    """

    def __init__(self, direct: OpenAIBackend, store: Path, *, say: Say = silent, quiet: float = QUIET) -> None:
        """`direct` knows the endpoint, the form of a Request and the meaning of a refusal; `store` is the Store's file.
        The batches of earlier commands are taken up when it is first asked."""
        super().__init__(direct)
        self._direct, self._store_path, self._say, self._quiet = direct, store, say, quiet
        self._store: Store | None = None
        self._under_way: dict[str, asyncio.Task[Results]] = {}
        """By Store key: the task that sees the batch with this Request through."""
        self._next: dict[str, tuple[Request, bytes]] = {}
        """What the next batch holds so far: by Store key the Request and its line."""
        self._next_bytes = 0
        self._unfetched: dict[str, BackendError] = {}
        """By Store key: why the answer could not be fetched. It lies at the endpoint, and is paid for."""
        self._first, self._has_answered = asyncio.Lock(), False

    async def answer(self, request: Request) -> Response:
        """Return the Response from the batch that the Request is put into, or that it is in since an earlier command.

        Raises what a direct call raises for the same refusal; BackendError when the batch ended without it (expired,
        cancelled); FatalBackendError for a batch that the endpoint refuses as a whole.
        """
        store = self._opened()
        question = keyed(self.identity, request)
        key = question.key
        if key not in self._under_way:
            # A batch of an earlier command may have brought it since the caller looked.
            if (stored := store.answer(question)) is not None:
                return stored
            if key in self._unfetched:
                raise self._unfetched[key]
            async with self._first:
                if not self._has_answered:
                    response = await self._direct.answer(request)
                    self._has_answered = True
                    return response
            # Another may have asked the same while this one waited.
            if key not in self._under_way:
                self._put(key, request)
        # The batch goes on, whoever gives up waiting for it.
        result = (await asyncio.shield(self._under_way[key]))[key]
        if isinstance(result, BackendError):
            raise result
        return result

    async def close(self) -> None:
        """Stop following; batches that are under way stay noted for the next command."""
        tasks = set(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._store is not None:
            self._store.close()
        await super().close()

    # --- into batches ---

    def _opened(self) -> Store:
        if self._store is None:
            self._store = Store(self._store_path)
            for batch in take_open_batches(self._store_path, self.identity):
                self._say(f"{_name(batch)} of {batch.state.count:,} requests is taken up again")
                self._under_way |= dict.fromkeys(batch.keys, self._begin(self._see_through(batch)))
        return self._store

    def _put(self, key: str, request: Request) -> None:
        body = self._direct.dialect.body(request)
        line = {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body}
        # ASCII: an earlier answer may hold half a surrogate pair, which has no UTF-8.
        encoded = json.dumps(line).encode() + b"\n"
        full = len(self._next) >= MOST_REQUESTS or self._next_bytes + len(encoded) > MOST_BYTES
        if full or not self._next:
            self._next, self._next_bytes = {}, 0
            task = self._begin(self._send_off(self._next))
        else:
            task = self._under_way[next(iter(self._next))]
        self._next[key] = request, encoded
        self._next_bytes += len(encoded)
        self._under_way[key] = task

    async def _send_off(self, collected: Mapping[str, tuple[Request, bytes]]) -> Results:
        """See a batch through, once it is full or nothing new has come for a second."""
        before = -1
        while collected is self._next and len(collected) != before:
            before = len(collected)
            await asyncio.sleep(self._quiet)
        if collected is self._next:
            self._next = {}
        lines = [(key, request, line) for key, (request, line) in collected.items()]
        return await self._see_through(OpenBatch.begin(self._store_path, self.identity, lines))

    def _begin(self, work: Coroutine[None, None, Results]) -> asyncio.Task[Results]:
        """Return a task that does the work; once it has ended, only those who wait already hear of it."""

        def ended(task: asyncio.Task[Results]) -> None:
            self._under_way = {key: other for key, other in self._under_way.items() if other is not task}
            if not task.cancelled():
                # Where no call waits for it any more, asyncio would report an exception that was never retrieved.
                task.exception()

        task = asyncio.create_task(work)
        task.add_done_callback(ended)
        return task

    # --- through the API ---

    async def _see_through(self, batch: OpenBatch) -> Results:
        """Bring a batch to its end, and return what became of each of its Requests."""
        try:
            results, fault = Results(), ""
            for fetch in range(FETCHES):
                if fault:
                    self._say(f"{_name(batch)}: {fault}; it is fetched again")
                    await asyncio.sleep(FIRST_WAIT * 10 ** (fetch - 1))
                ended = await self._ended(batch)
                results, fault = await self._collect(batch, ended)
                if not fault:
                    batch.forget()
                    return dict.fromkeys(batch.keys, _failure(batch, ended)) | results
            lost = BackendError(
                f"{_name(batch)}: {fault}; what is lost is paid for, and the next command with --batch fetches it "
                f"again (delete {batch.folder} to ask anew)"
            )
            self._unfetched |= dict.fromkeys(set(batch.keys) - set(results), lost)
            return dict.fromkeys(batch.keys, lost) | results
        except BackendError as error:
            if not batch.state.create_sent:
                # Refused before it was created: there is none, and nothing waits in it.
                batch.forget()
            if isinstance(error, TransientError):
                # It may exist. Another try is for the next command, which finds it; here it would be asked anew.
                raise BackendError(f"{_name(batch)}: {error}") from error
            raise
        except asyncio.CancelledError:
            self._say(f"{_name(batch)} is noted in {batch.folder}: the same command goes on with it")
            raise
        except OSError as error:
            raise cannot_write(batch.folder, error) from error
        finally:
            batch.release()

    async def _ended(self, batch: OpenBatch) -> Batch:
        """Return the batch once it has ended, after uploading and creating it where that is still to be done."""
        if batch.state.batch_id is None:
            if batch.state.file_id is None:
                batch.note(file_id=await self._patiently(lambda: self._upload(batch)))
            created = await self._patiently(lambda: self._create(batch))
            batch.note(batch_id=created.batch_id)
            batch.input.unlink(missing_ok=True)
        wait, said = FIRST_WAIT, ""
        while True:
            found = await self._patiently(lambda: self._look(batch))
            done = "?" if found.done is None else f"{found.done:,}"
            if (now := f"{_name(batch)}: {found.status}, {done} of {batch.state.count:,} requests") != said:
                self._say(now)
                said = now
            if found.status in ENDED:
                return found
            await asyncio.sleep(wait)
            wait = min(LONGEST_WAIT, wait * GROWTH)

    async def _patiently(self, step: Callable[[], Awaitable[Result]]) -> Result:
        """Return what the step returns; while its fault may pass it is tried again, for up to an hour."""
        began, wait = time.monotonic(), FIRST_WAIT
        while True:
            try:
                return await step()
            except TransientError as error:
                if time.monotonic() - began > PATIENCE:
                    raise
                self._say(f"{error}; trying again")
                await asyncio.sleep(max(wait, error.wait or 0.0))
                wait = min(LONGEST_WAIT, wait * GROWTH)

    async def _upload(self, batch: OpenBatch) -> str:
        with batch.input.open("rb") as file:
            form = aiohttp.FormData({"purpose": "batch"})
            form.add_field("file", file, filename=batch.input.name, content_type="application/jsonl")
            uploaded = await self._call(batch, "POST", "files", data=form)
        if (file_id := at(uploaded, str, "id")) is None:
            raise unreadable(f"{self.identity['base_url']} took a file and gave it no id")
        return file_id

    async def _look(self, batch: OpenBatch) -> Batch:
        return Batch.of(await self._call(batch, "GET", f"batches/{quote(str(batch.state.batch_id), safe='')}"))

    async def _create(self, batch: OpenBatch) -> Batch:
        """Return the created batch; one that was created without our hearing of it is found, not created again."""
        if batch.state.create_sent and (lost := await self._find(batch)):
            return lost
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
                # Refused for good: there is no such batch, and none to be looked for.
                batch.forget()
            raise

    async def _find(self, batch: OpenBatch) -> Batch | None:
        """Return the endpoint's batch that says it is this one, or None; newest first, so the search is short."""
        after = ""
        while True:
            page = await self._call(batch, "GET", f"batches?limit=100{after}")
            listed = [Batch.of(one) for one in objects_at(page, "data")]
            for found in listed:
                if found.token == batch.token:
                    return found
                if found.created_at < batch.state.begun - SEARCHED:
                    return None
            last = f"&after={quote(listed[-1].batch_id, safe='')}" if listed else ""
            if not page.get("has_more") or last in ("", after):
                return None
            after = last

    async def _call(self, batch: OpenBatch, method: str, path: str, **sent: Any) -> dict[str, Any]:  # noqa: ANN401
        return await self._object(batch, await self._direct.endpoint.call(method, path, **sent))

    async def _object(self, batch: OpenBatch, reply: Reply) -> dict[str, Any]:
        """Return the JSON object of a reply; a 404 here says something of the batch, and not of the model."""
        if reply.status in (404, 405):
            wrong, hint = "takes no batches", "leave out --batch"
            if batch.state.batch_id is not None:
                wrong = f"knows no {_name(batch)}"
                hint = f"use the key with which it was begun; or delete {batch.folder} to ask again"
            raise FatalBackendError(f"{self.identity['base_url']} {wrong} ({reply.status})\n  hint: {hint}")
        try:
            return await self._direct.read_object(reply, {})
        except (TransientError, FatalBackendError):
            raise
        except BackendError as error:
            raise FatalBackendError(f"{error}\n  hint: leave out --batch, or check --model") from error

    # --- and back ---

    async def _collect(self, batch: OpenBatch, ended: Batch) -> tuple[Results, str]:
        """Return what became of the Requests of which the files of an ended batch tell, whose answers are stored; and
        in what the files are not what the batch says, empty where they are."""
        store = self._opened()
        requests = batch.requests()
        results: Results = {}
        lines, fault = 0, ""
        # Answers first: once one is answered, a refusal is the fault of the Request that met it.
        for file_id in filter(None, (ended.output_file_id, ended.error_file_id)):
            path, before, ours = await self._download(batch, file_id), lines, False
            for number, (line, ends) in enumerate(self._lines(path, requests)):
                lines += 1
                if line is None:
                    fault = fault if ends else f"its file breaks off in line {lines - before}"
                    continue
                key = str(line.get("custom_id"))
                ours = ours or key in requests
                if key not in requests or isinstance(results.get(key), Response):
                    continue
                if not _is_result(line):  # its answer is paid for, and must not be asked anew
                    fault = (
                        f"line {lines - before} of its file is in no form that is known: {one_line(json.dumps(line))}"
                    )
                    continue
                result = results[key] = await self._result(requests[key], line)
                if isinstance(result, Response):
                    store.put(key, self.identity, requests[key], result)
                if number % 1000 == 999:
                    await asyncio.sleep(0)
            if lines > before and not ours:
                fault = f"its file is {self._direct.endpoint.describe(path)}"
        if not fault and lines < (expected := min(ended.completed, len(requests))):
            fault = f"its files have {lines} lines, and {expected} of its requests are answered"
        return results, fault

    async def _download(self, batch: OpenBatch, file_id: str) -> Path:
        path = batch.folder / "output.jsonl"

        async def download() -> None:
            reply = await self._direct.endpoint.download(f"files/{quote(file_id, safe='')}/content", path)
            if reply is not None and reply.status in (404, 410):
                hint = f"use the key of the batch; or, if the file has expired, delete {batch.folder} to ask again"
                problem = f"{self.identity['base_url']} has no file {one_line(file_id, 60)} ({reply.status})"
                raise FatalBackendError(f"{problem}, in which the answers of {_name(batch)} are\n  hint: {hint}")
            if reply is not None:
                await self._object(batch, reply)
                raise unreadable(f"{self.identity['base_url']} did not send the file {one_line(file_id, 60)}")

        await self._patiently(download)
        return path

    def _lines(self, path: Path, requests: Mapping[str, Request]) -> Iterator[tuple[dict[str, Any] | None, bool]]:
        """Yield what stands in each line that is not empty, None where that is no object, and whether it has an end."""

        def sent(line: object) -> object:
            request = requests.get(key := at(line, str, "custom_id") or "")
            return None if request is None else [key, self._direct.dialect.body(request)]

        with path.open("rb") as file:
            # A line that is none, or has no end, leaves its Request without an answer, as if it were missing.
            while text := file.readline(MOST_ANSWER):
                if text.strip():
                    line = self._direct.endpoint.read_json(text, sent)
                    is_object, ends = isinstance(line, dict), text.endswith(b"\n") or len(text) == MOST_ANSWER
                    yield line if is_object else None, is_object or ends

    async def _result(self, request: Request, line: Mapping[str, Any]) -> Response | BackendError:
        if (answered := at(line, dict, "response")) is None:
            return BackendError(f"the batch brought no answer: {said(line.get('error'))}")
        status, body = at(answered, int, "status_code"), at(answered, dict, "body")
        try:
            response = await self._direct.read_line(request, 200 if status is None else status, body or {})
        except BackendError as failure:
            is_answer = isinstance(failure, TransientError) and failure.came
            return BackendError(f"the batch brought no answer: {failure}") if is_answer else failure
        # Not to be tried again in this run: it is paid for, and every try is another batch.
        if not response.can_answer(request):
            return BackendError("the batch brought an answer without the log-probabilities that were asked for")
        return replace(response, batch=True)


def _is_result(line: Mapping[str, Any]) -> bool:
    """Return whether a line tells what became of a Request: an error, or the status and the body of an answer."""
    answered = at(line, dict, "response")
    failed = answered is not None and (at(answered, int, "status_code") or 0) >= 400
    body = None if answered is None else at(answered, dict, "body")
    return bool(line.get("error")) or failed or (body is not None and not {"choices", "error"}.isdisjoint(body))


def _name(batch: OpenBatch) -> str:
    return f"batch {batch.state.batch_id or f'without id ({batch.token[:8]}…)'}"


def _failure(batch: OpenBatch, ended: Batch) -> BackendError:
    """Return what is to be said of a Request that an ended batch says nothing of."""
    if ended.status != "failed":
        return BackendError(f"{_name(batch)} ended ({ended.status}) without an answer to it")
    told = "; ".join(
        f"line {fault['line']}: {said(fault)}" if isinstance(fault.get("line"), int) else said(fault)
        for fault in ended.errors[:3]
    )
    hint = "check --model and the sampling settings"
    if any(fault.get("code") == "token_limit_exceeded" for fault in ended.errors):
        hint = "run it again when other batches have ended, or send smaller ones: --concurrency is the most in one"
    return FatalBackendError(f"{_name(batch)} is refused as a whole: {told or 'no reason'}\n  hint: {hint}")
