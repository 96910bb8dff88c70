"""Answers Requests: from the Store where the answer is known, else from the backend, and stores what arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from llmrank.errors import BackendError, FatalBackendError
from llmrank.store import Store, request_key
from llmrank.types import Backend, Failure, Reply, Request


@dataclass(frozen=True, slots=True)
class Exchange:
    """One Request's key and its Reply."""

    key: str
    reply: Reply
    stored: bool
    """Whether the Reply came from the Store, at no call."""


@dataclass
class Caller:
    """Bounds the calls under way, stores every Response the moment it arrives, and asks no question twice."""

    backend: Backend
    store: Store
    concurrency: int
    """Calls under way at once."""
    calls: int = 0
    """Calls made of the backend so far."""
    _slots: asyncio.Semaphore = field(init=False)
    _under_way: dict[str, asyncio.Task[Reply]] = field(init=False, default_factory=dict[str, "asyncio.Task[Reply]"])

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.concurrency)

    async def ask(self, requests: Sequence[Request]) -> list[Exchange]:
        """Return one Exchange per Request, in order.

        Raises FatalBackendError when the backend fails in a way that every further call would meet too; any other
        failure of a call becomes a `Failure` and is stored nowhere.
        """
        if len(requests) == 1:
            return [await self._ask_one(requests[0])]
        return list(await asyncio.gather(*(self._ask_one(request) for request in requests)))

    async def _ask_one(self, request: Request) -> Exchange:
        key = request_key(self.backend.identity, request)
        if (stored := self.store.get(key)) is not None:
            return Exchange(key, stored, stored=True)
        # Two Cases may ask the same question at the same moment: the second waits for the first one's answer.
        if (task := self._under_way.get(key)) is None:
            task = asyncio.create_task(self._call(key, request))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
            return Exchange(key, await task, stored=False)
        return Exchange(key, await asyncio.shield(task), stored=True)

    async def _call(self, key: str, request: Request) -> Reply:
        async with self._slots:
            self.calls += 1
            try:
                response = await self.backend.answer(request)
            except FatalBackendError:
                raise
            except BackendError as error:
                return Failure(str(error))
        self.store.put(key, self.backend.identity, request, response)
        return response
