"""Answers Requests: from the Store where the answer is known, else from the backend, and stores what arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from llmrank.engine.clock import Clock
from llmrank.engine.limit import Limit
from llmrank.engine.retry import Retries, RetryPolicy, Tries, own_wait
from llmrank.errors import BackendError, BoundReachedError, FatalBackendError, TransientError
from llmrank.progress import Say, silent
from llmrank.store import Store, request_key
from llmrank.types import Backend, Failure, Reply, Request, Response


@dataclass(frozen=True, slots=True)
class Exchange:
    """One Request's key and its Reply."""

    key: str
    reply: Reply
    stored: bool
    """Whether the Reply came from the Store, at no call."""


@dataclass
class Caller:
    """Bounds the calls under way, tries again after faults that pass, stores every Response the moment it arrives, and
    asks no question twice."""

    backend: Backend
    store: Store
    concurrency: int | None = None
    """Calls under way at once; None: as many as the endpoint takes (`Limit`)."""
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    clock: Clock = field(default_factory=Clock)
    say: Say = silent
    """Told of long waits."""
    calls: int = 0
    """Questions that the backend has been asked; one that is sent again is counted in `account`."""
    limit: Limit = field(init=False)
    changed: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    """Set when there may be more room for Cases than there was."""
    _retries: Retries = field(init=False)
    _waiting: int = field(init=False, default=0)
    _under_way: dict[str, asyncio.Task[Reply]] = field(init=False, default_factory=dict[str, "asyncio.Task[Reply]"])

    def __post_init__(self) -> None:
        self.limit = Limit(self.concurrency, self.clock)
        self._retries = Retries(self.policy, self.clock, self.say)

    @property
    def room(self) -> int:
        """How many Cases may be under way: as many as calls, and some in the place of those that wait for a retry."""
        return self.limit.size + min(self._waiting, self.limit.size + 8)

    async def ask(self, requests: Sequence[Request]) -> list[Exchange]:
        """Return one Exchange per Request, in order.

        Raises FatalBackendError when the backend fails in a way that every further call would meet too; any other
        failure of a call becomes a `Failure` and is stored nowhere.
        """
        asker = asyncio.current_task()
        if len(requests) == 1:
            return [await self._ask_one(requests[0], asker)]
        return list(await asyncio.gather(*(self._ask_one(request, asker) for request in requests)))

    def account(self) -> dict[str, object]:
        """Return how the calls went, for the manifest: retries by kind, the limit's history, what is not sent."""
        return {
            "retries": dict(self._retries.counts),
            "limit": [asdict(change) for change in self.limit.history],
            "endpoint": dict(getattr(self.backend, "concessions", {})),
        }

    async def _ask_one(self, request: Request, asker: object) -> Exchange:
        key = request_key(self.backend.identity, request)
        if (stored := self.store.get(key)) is not None:
            return Exchange(key, stored, stored=True)
        # Two Cases may ask the same question at the same moment: the second waits for the first one's answer.
        if (task := self._under_way.get(key)) is None:
            task = asyncio.create_task(self._call(key, request, asker))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
            return Exchange(key, await task, stored=False)
        return Exchange(key, await asyncio.shield(task), stored=True)

    async def _call(self, key: str, request: Request, asker: object) -> Reply:
        answers = self._retries.answers
        reply = await self._send(request)
        self.calls += 1
        if isinstance(reply, TransientError):
            reply = await self._send_again(request, reply, Tries(asker, self.clock.now(), answers))
        if isinstance(reply, Response):
            self.store.put(key, self.backend.identity, request, reply)
        return reply

    async def _send_again(self, request: Request, fault: TransientError, tries: Tries) -> Response | Failure:
        """Send until there is an answer or the call is given up; no slot is held while it waits."""
        reply: Response | Failure | TransientError = fault
        while isinstance(reply, TransientError):
            if (wait := self._retries.wait(tries, reply)) is None:
                return Failure(str(reply))
            if wait:
                await self._pause(wait)
            reply = await self._send(request, first=True)
        return reply

    async def _pause(self, seconds: float) -> None:
        self._waiting += 1
        self.changed.set()
        try:
            await self.clock.sleep(seconds)
        finally:
            self._waiting -= 1

    async def _send(self, request: Request, *, first: bool = False) -> Response | Failure | TransientError:
        """Send once; a fault that may pass is returned, not raised. Raises FatalBackendError."""
        slot = await self.limit.enter(first=first)
        size = self.limit.size
        try:
            response = await self.backend.answer(request)
        except TransientError as fault:
            if fault.throttled:
                bearable = (fault.wait or 0.0) <= self.policy.patience
                if not self.limit.refused(slot, fault.wait if bearable else None) and bearable:
                    await self._pause(own_wait(1) if fault.wait is None else fault.wait)
            else:
                self.limit.faulted(slot)
            return fault
        except (FatalBackendError, BoundReachedError, asyncio.CancelledError):
            self.limit.leave(slot)
            raise
        except BackendError as error:
            self.limit.leave(slot)
            self._retries.answered()
            return Failure(str(error))
        self.limit.answered(slot, response.usage.completion_tokens)
        self._retries.answered()
        if self.limit.size > size:
            self.changed.set()
        return response
