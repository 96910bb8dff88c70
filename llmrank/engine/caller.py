"""Answers Requests from the Store, or else from the backend, and stores every Response."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import chain, repeat
from math import inf
from typing import Any, cast

from llmrank.engine.clock import Clock
from llmrank.engine.limit import Limit
from llmrank.engine.retry import LONGEST_WAIT, Retries, RetryPolicy, Tries, backoff, long_wait
from llmrank.errors import BackendError, BoundReachedError, FatalBackendError, InputError, StoppedError, TransientError
from llmrank.progress import Say, silent
from llmrank.store import KeyedRequest, Store, keyed
from llmrank.types import Backend, Failure, Reply, Request, Response

CLAIM_WAITS = (0.02, 0.05, 0.1, 0.25)
"""Seconds between polls for an answer that another process is waiting for; the last interval repeats."""

CLAIM_TOLD = 60.0
"""Seconds of waiting for another process before the user is told: a suspended process keeps its claims."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """The key of a Request, and its Reply."""

    key: str
    reply: Reply
    stored: bool
    """Whether the Reply came from the Store, or from a call for another Case, and so cost no call of its own."""


class Caller:
    """Limits the calls in flight, retries transient failures, stores every Response as soon as it arrives, and never
    sends a request twice: neither for two Cases nor, if they share a Store, from two processes."""

    def __init__(
        self,
        backend: Backend,
        store: Store,
        concurrency: int | None = None,
        policy: RetryPolicy | None = None,
        clock: Clock | None = None,
        say: Say = silent,
    ) -> None:
        """`concurrency` is the number of calls in flight at once; None: as many as the endpoint takes (see `Limit`).
        `say` receives a message about each long wait."""
        self.backend, self.store, self._say, self._reports_claims = backend, store, say, True
        self.policy, self.clock = policy or RetryPolicy(), clock or Clock()
        self.limit, self._retries = Limit(concurrency, self.clock), Retries(self.policy, self.clock, say)
        self.calls = 0
        """Requests sent to the backend, except to a replay. A retried request counts once here and in `account`."""
        self.answered = 0
        """Requests that got an answer."""
        self.changed = asyncio.Event()
        """Set when the capacity may have grown, and when a call in `orphaned` ends."""
        self.orphaned: set[asyncio.Task[Exchange]] = set()
        """Calls still in flight after another call of their Case raised an error, or after the Case stopped waiting.
        They may be billed as well."""
        self._sent = set[asyncio.Task[Any] | None]()
        """Tasks with a request at the backend."""
        self._asking = set[asyncio.Task[Any]]()
        """Cases (tasks) that wait for answers."""
        self.unstored = 0
        """Answers that arrived but could not be stored."""
        self._left_out = set[str]()
        """Parameters that the stored answers used in this run were requested without."""
        self._testing, self._tested_at, self._was_up = asyncio.Lock(), -inf, False
        """When the endpoint was last tested, and whether it answered."""
        self._halted, self._waiting = asyncio.Event(), 0
        self._in_flight: dict[str, asyncio.Future[Reply | None]] = {}

    @property
    def capacity(self) -> int:
        """Maximum number of Cases in progress: one per call, and more to replace those waiting for a retry."""
        return self.limit.size + min(self._waiting, self.limit.size + 8)

    async def ask(self, requests: Sequence[Request], *, finish_late: bool = False) -> list[Exchange]:
        """Return one Exchange per Request, in order.

        If it is cancelled, its calls are cancelled too. With `finish_late`, those that were sent go on once, so that
        the Store gets their answers.

        Raises FatalBackendError for a failure that every further call would meet too, and StoppedError for a call that
        would start after `halt`. Any other failure of a call becomes a `Failure`, which is not stored.
        """
        prepared = [keyed(self.backend.identity, request) for request in requests]
        known = self.store.answers(prepared)
        for reply in known.values():
            if reply.left_out and not self._left_out.issuperset(names := reply.left_out.split(",")):
                self._left_out.update(names)
                without = ", ".join(names)
                self._say(f"some answers in the Store were requested without {without}: the endpoint did not accept it")
        found = {key: Exchange(key, reply, stored=True) for key, reply in known.items()}
        case_task = cast("asyncio.Task[Any]", asyncio.current_task())
        for one in prepared:
            if one.key not in found and self.backend.holds(one.request):
                # A replay: nothing to wait for, and no need to keep others from sending the same request.
                found[one.key] = Exchange(one.key, await self._call(one, case_task), stored=True)
        left = [self._ask_one(one, case_task) for one in prepared if one.key not in found]
        finish_late &= self.store.keeps
        self._asking.add(case_task)
        try:
            answered = iter(
                [await left[0]] if len(left) == 1 and not finish_late else await self._together(left, finish_late)
            )
        finally:
            self._asking.discard(case_task)
        return [found[one.key] if one.key in found else next(answered) for one in prepared]

    def fault_of(self, case_task: object) -> str:
        """Return the last error of the calls of a Case (a task) that are waiting for a retry."""
        return self._retries.fault_of(case_task)

    @property
    def halted(self) -> bool:
        """Whether no new call starts."""
        return self._halted.is_set()

    def halt(self) -> None:
        """Start no new calls: those waiting for a slot or a retry raise StoppedError. Calls in flight continue."""
        self._halted.set()
        self.limit.close(self.stopped())
        self.changed.set()

    async def finish(self, seconds: float) -> None:
        """Halt, and give the requests that were sent, and the Cases that wait for them, some seconds to end."""
        self.halt()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while left := [task for task in (*self._asking, *self.orphaned) if not task.done()]:
                    await asyncio.wait(left)

    def stopped(self) -> StoppedError:
        """Return the error for a run that was asked to stop."""
        return StoppedError("stopped; all answers are saved, and the same command continues")

    def account(self) -> dict[str, object]:
        """Return a summary for the manifest: retries by kind, the history of the limit, and the concessions."""
        endpoint = dict(self.backend.concessions)
        if self._left_out:
            now = cast("Sequence[str]", endpoint.get("left_out", ()))
            endpoint["left_out"] = sorted({*now, *self._left_out})
        return {
            "retries": dict(self._retries.counts),
            "limit": [asdict(change) for change in self.limit.history],
            "endpoint": endpoint,
        }

    async def _together(self, questions: Sequence[Coroutine[Any, Any, Exchange]], finish_late: bool) -> list[Exchange]:
        """Run concurrently and return the results in order. The first error is raised; the other calls continue."""
        tasks = [asyncio.create_task(question) for question in questions]
        try:
            return await asyncio.gather(*(map(asyncio.shield, tasks) if finish_late else tasks))
        except asyncio.CancelledError:
            for task in tasks:
                if task not in self._sent:
                    task.cancel()
            raise
        finally:
            for task in tasks:
                if not task.done():
                    self.orphaned.add(task)
                    task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Exchange]) -> None:
        self.orphaned.discard(task)
        self.changed.set()

    async def _ask_one(self, question: KeyedRequest, case_task: object) -> Exchange:
        """Return the answer to a request that was not in the Store a moment ago."""
        key = question.key
        # Two Cases may send the same request at the same moment: the second waits for the answer to the first.
        while (other := self._in_flight.get(key)) is not None:
            if (reply := await asyncio.shield(other)) is not None:
                return Exchange(key, reply, stored=True)
            # The first call was cancelled before it was answered; the first waiter to wake sends the request.
        answer = asyncio.get_running_loop().create_future()
        self._in_flight[key] = answer
        reply = None
        try:
            # The Store may have the answer by now, from another process or from a Case that has ended.
            if (reply := await self._claim(question)) is not None:
                return Exchange(key, reply, stored=True)
            reply = await self._call(question, case_task)
            return Exchange(key, reply, stored=False)
        finally:
            self.store.release(key)
            del self._in_flight[key]
            answer.set_result(reply)

    async def _claim(self, question: KeyedRequest) -> Response | None:
        """Claim the request and return None; if another process gets the answer first, return that."""
        waits, told_at = chain(CLAIM_WAITS, repeat(CLAIM_WAITS[-1])), self.clock.now() + CLAIM_TOLD
        while not self.store.claim(question.key):
            if self._reports_claims and self.clock.now() > told_at:
                self._reports_claims = False
                self._say(
                    f"waiting for another process that sent the same request more than {CLAIM_TOLD:g} s ago "
                    f"({self.store.path}); if that process hangs, end it, and the request is sent from here"
                )
            await self._pause(next(waits))
            if (reply := self.store.answer(question)) is not None:
                return reply
        return self.store.answer(question)

    async def _call(self, question: KeyedRequest, case_task: object) -> Reply:
        """Send until an answer arrives, which is stored, or the call is given up. Holds no slot while waiting."""
        answers = self._retries.answers
        reply, pause = await self._send(question.request)
        sent = self.backend.holds(question.request) is None
        self.calls += sent
        tries = Tries(case_task, self.clock.now(), answers)
        while isinstance(reply, TransientError):
            self._end_orphan()
            if (wait := await self._retries.wait(tries, reply, lambda: self._is_up(question.request))) is None:
                return Failure(reply.message + long_wait(reply))
            if wait := max(wait, pause):
                await self._pause(wait)
                self._end_orphan()
            reply, pause = await self._send(question.request, first=True)
        if isinstance(reply, Response):
            self.answered += sent
            try:
                self.store.put_keyed(question, reply)
            except InputError:
                self.unstored += 1
                raise
        return reply

    def _end_orphan(self) -> None:
        """Cancel this call if its Case has ended: not a Failure, since another Case may be waiting for the answer."""
        if asyncio.current_task() in self.orphaned:
            raise asyncio.CancelledError

    async def _is_up(self, request: Request) -> bool:
        """Return whether the endpoint answers a test request like this one. Calls that ask at the same time share a
        test, and in an outage there is one every half minute."""
        failed_at = self.clock.now()
        async with self._testing:
            if self._tested_at < failed_at - (0.0 if self._was_up else LONGEST_WAIT):
                self._tested_at = self.clock.now()
                self._was_up = await self.backend.answers_others(request)
            return self._was_up

    async def _pause(self, seconds: float) -> None:
        """Wait; meanwhile another Case may start. Raises StoppedError as soon as the caller is halted."""
        self._waiting += 1
        self.changed.set()
        try:
            await self.clock.sleep(seconds, self._halted)
        finally:
            self._waiting -= 1
        if self.halted:
            raise self.stopped()

    async def _answer(self, request: Request) -> Response:
        """Return the backend's Response; raise as the backend does, and if the Response lacks what was requested.

        A replayed Response is returned as it is, since there is none better.
        """
        response = await self.backend.answer(request)
        if response.can_answer(request) or self.backend.holds(request) is not None:
            return response
        if not self.backend.capabilities.label_logprobs:
            raise FatalBackendError(
                "the endpoint no longer returns log-probabilities, and this prompt reads nothing else\n"
                "  hint: all answers are stored; use an endpoint that returns them, or a prompt that reads text"
            )
        raise TransientError("the answer lacks the log-probabilities that were requested", kind="no_answer")

    async def _send(
        self, request: Request, *, first: bool = False
    ) -> tuple[Response | Failure | TransientError, float]:
        """Send once. Return the reply, and the seconds for which this call alone must wait after a refusal. A transient
        failure is returned, not raised. Raises FatalBackendError."""
        slot = await self.limit.enter(first=first)
        size = self.limit.size
        self._sent.add(task := asyncio.current_task())
        try:
            response = await self._answer(request)
        except TransientError as fault:
            if not fault.throttled:
                self.limit.faulted(slot)
                return fault, 0.0
            bearable = (fault.wait or 0.0) <= self.policy.patience
            all_wait = self.limit.refused(slot, fault.wait if bearable else None)
            return fault, 0.0 if all_wait or not bearable else backoff(1) if fault.wait is None else fault.wait
        except (FatalBackendError, BoundReachedError, asyncio.CancelledError):
            self.limit.leave(slot)
            raise
        except BackendError as error:
            self.limit.leave(slot)
            self._retries.answered()
            return Failure(error.message), 0.0
        finally:
            self._sent.discard(task)
        self.limit.answered(slot, response.usage.completion_tokens)
        self._retries.answered()
        if self.limit.size > size:
            self.changed.set()
        return response, 0.0
