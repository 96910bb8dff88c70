"""Answers Requests: from the Store where the answer is known, else from the backend, and stores what arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, repeat
from typing import Any, cast

from llmrank.engine.clock import Clock
from llmrank.engine.limit import Limit
from llmrank.engine.retry import Retries, RetryPolicy, Tries, own_wait
from llmrank.errors import BackendError, BoundReachedError, FatalBackendError, InputError, StoppedError, TransientError
from llmrank.progress import Say, silent
from llmrank.store import KeyedRequest, Store, keyed
from llmrank.types import Backend, Failure, Reply, Request, Response

CLAIM_WAITS = (0.02, 0.05, 0.1, 0.25)
"""Seconds between looks for an answer that another process is waiting for; the last one is repeated."""

CLAIM_TOLD = 60.0
"""Seconds of waiting for another process that a person is told of: it may be stopped, and keeps what it claimed."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One Request's key and its Reply."""

    key: str
    reply: Reply
    stored: bool
    """Whether the Reply came from a Store, or from a call made for another Case: at no further call."""


class Caller:
    """Bounds the calls under way, tries again after faults that pass, stores every Response the moment it arrives, and
    asks no question twice: neither for two Cases nor, with one Store, in two processes."""

    def __init__(
        self,
        backend: Backend,
        store: Store,
        concurrency: int | None = None,
        policy: RetryPolicy | None = None,
        clock: Clock | None = None,
        say: Say = silent,
    ) -> None:
        """`concurrency` is how many calls are under way at once; None: as many as the endpoint takes (`Limit`). `say`
        is told of long waits."""
        self.backend, self.store, self._say, self._tells_of_claims = backend, store, say, True
        self.policy, self.clock = policy or RetryPolicy(), clock or Clock()
        self.limit, self._retries = Limit(concurrency, self.clock), Retries(self.policy, self.clock, say)
        self.calls = 0
        """Questions that the backend has been asked, a replay apart; one that is sent again counts once here, and in
        `account`."""
        self.answered = 0
        """Those of them that got an answer."""
        self.changed = asyncio.Event()
        """Set when there may be more capacity for Cases than there was, and when one of `left_behind` has ended."""
        self.left_behind: set[asyncio.Task[Exchange]] = set()
        """Calls whose Case has ended with an error of another of its calls. They may be paid for, too."""
        self.unstored = 0
        """Answers that came and could not be stored."""
        self._left_out = set[str]()
        """What the stored answers that are used were asked without."""
        self._halted, self._waiting = asyncio.Event(), 0
        self._under_way: dict[str, asyncio.Future[Reply | None]] = {}

    @property
    def capacity(self) -> int:
        """How many Cases may be under way: as many as calls, and some in place of those that wait for a retry."""
        return self.limit.size + min(self._waiting, self.limit.size + 8)

    async def ask(self, requests: Sequence[Request]) -> list[Exchange]:
        """Return one Exchange per Request, in order.

        Raises FatalBackendError when the backend fails in a way that every further call would meet too, and
        StoppedError for a call that would begin after `halt`; any other failure of a call becomes a `Failure` and is
        stored nowhere.
        """
        prepared = [keyed(self.backend.identity, request) for request in requests]
        known = self.store.answers(prepared)
        for reply in known.values():
            if reply.left_out and not self._left_out.issuperset(names := reply.left_out.split(",")):
                self._left_out.update(names)
                without = ", ".join(names)
                self._say(f"answers in the Store were asked for without {without}, which the endpoint did not take")
        found = {key: Exchange(key, reply, stored=True) for key, reply in known.items()}
        asker = asyncio.current_task()
        for one in prepared:
            if one.key not in found and self.backend.holds(one.request):
                # A replay: there is nothing to wait for, and nobody who must not ask the same meanwhile.
                found[one.key] = Exchange(one.key, await self._call(one, asker), stored=True)
        left = [self._ask_one(one, asker) for one in prepared if one.key not in found]
        answered = iter([await left[0]] if len(left) == 1 else await self._together(left))
        return [found[one.key] if one.key in found else next(answered) for one in prepared]

    def fault_of(self, asker: object) -> str:
        """Return what the calls of a Case (the task that asks for it) met last, where they are to be sent again."""
        return self._retries.fault_of(asker)

    @property
    def halted(self) -> bool:
        """Whether no further call begins."""
        return self._halted.is_set()

    def halt(self) -> None:
        """Begin no further call: those that wait for a slot or a retry raise StoppedError. Calls under way go on."""
        self._halted.set()
        self.limit.close(self.stopped())
        self.changed.set()

    def stopped(self) -> StoppedError:
        """Return the error of a run that was asked to stop."""
        return StoppedError("stopped; what was answered is saved, and the same command continues")

    def account(self) -> dict[str, object]:
        """Return how the calls went, for the manifest: retries by kind, the limit's history, what is not sent."""
        endpoint = dict(self.backend.concessions)
        if self._left_out:
            now = cast("Sequence[str]", endpoint.get("left_out", ()))
            endpoint["left_out"] = sorted({*now, *self._left_out})
        return {
            "retries": dict(self._retries.counts),
            "limit": [asdict(change) for change in self.limit.history],
            "endpoint": endpoint,
        }

    async def _together(self, questions: Sequence[Coroutine[Any, Any, Exchange]]) -> list[Exchange]:
        """Ask at once, and return the answers in order. What the first raises is raised; the others go on."""
        tasks = [asyncio.create_task(question) for question in questions]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                if not task.done():
                    self.left_behind.add(task)
                    task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Exchange]) -> None:
        self.left_behind.discard(task)
        self.changed.set()

    async def _ask_one(self, question: KeyedRequest, asker: object) -> Exchange:
        """Return the answer to a question that was not in the Store a moment ago."""
        key = question.key
        # Two Cases may ask the same question at the same moment: the second waits for the first one's answer.
        while (other := self._under_way.get(key)) is not None:
            if (reply := await asyncio.shield(other)) is not None:
                return Exchange(key, reply, stored=True)
            # The first was given up before it was answered; the first to wake asks again.
        answer = asyncio.get_running_loop().create_future()
        self._under_way[key] = answer
        reply = None
        try:
            # The Store may have the answer now: of another process, or of a Case that ended meanwhile.
            if (reply := await self._claim(question)) is not None:
                return Exchange(key, reply, stored=True)
            reply = await self._call(question, asker)
            return Exchange(key, reply, stored=False)
        finally:
            self.store.release(key)
            del self._under_way[key]
            answer.set_result(reply)

    async def _claim(self, question: KeyedRequest) -> Response | None:
        """Return once the question is ours to ask (None), or with its answer if another process gets it first."""
        waits, told_at = chain(CLAIM_WAITS, repeat(CLAIM_WAITS[-1])), self.clock.now() + CLAIM_TOLD
        while not self.store.claim(question.key):
            if self._tells_of_claims and self.clock.now() > told_at:
                self._tells_of_claims = False
                self._say(
                    f"waiting for another process, which has been asking the same question for {CLAIM_TOLD:g} s "
                    f"({self.store.path}); where it stands still, end it, and the question is asked here"
                )
            await self._pause(next(waits))
            if (reply := self.store.answer(question)) is not None:
                return reply
        return self.store.answer(question)

    async def _call(self, question: KeyedRequest, asker: object) -> Reply:
        """Send until there is an answer, which is stored, or the call is given up; no slot is held while it waits."""
        answers = self._retries.answers
        reply = await self._send(question.request)
        sent = self.backend.holds(question.request) is None
        self.calls += sent
        tries = Tries(asker, self.clock.now(), answers)
        while isinstance(reply, TransientError):
            if (wait := self._retries.wait(tries, reply)) is None:
                return Failure(str(reply))
            if wait:
                await self._pause(wait)
            reply = await self._send(question.request, first=True)
        if isinstance(reply, Response):
            self.answered += sent
            try:
                self.store.put_keyed(question, reply)
            except InputError:
                self.unstored += 1
                raise
        return reply

    async def _pause(self, seconds: float) -> None:
        """Wait; another Case may begin meanwhile. Raises StoppedError as soon as the caller is halted."""
        self._waiting += 1
        self.changed.set()
        try:
            await self.clock.sleep(seconds, self._halted)
        finally:
            self._waiting -= 1
        if self.halted:
            raise self.stopped()

    async def _answer(self, request: Request) -> Response:
        """Return the backend's Response; raise as it does, and for one that cannot answer the Request.

        What replays earlier answers has no better one.
        """
        response = await self.backend.answer(request)
        if response.can_answer(request) or self.backend.holds(request) is not None:
            return response
        if not self.backend.capabilities.label_logprobs:
            raise FatalBackendError(
                "the endpoint returns no log-probabilities any more, and nothing else is read\n"
                "  hint: what was answered is stored; choose an endpoint that returns them, or a prompt that reads text"
            )
        raise TransientError("the answer came without the log-probabilities that were asked for", kind="no_answer")

    async def _send(self, request: Request, *, first: bool = False) -> Response | Failure | TransientError:
        """Send once; a fault that may pass is returned, not raised. Raises FatalBackendError."""
        slot = await self.limit.enter(first=first)
        size = self.limit.size
        try:
            response = await self._answer(request)
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
