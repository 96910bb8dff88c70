"""Drives rankers: runs each Case's generator against a Caller, many Cases concurrently, with bounded memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from os.path import commonprefix
from typing import Any, cast

from llmrank.engine.caller import Caller, Exchange
from llmrank.engine.stop import STOP_SECONDS, StopSignal
from llmrank.errors import BoundReachedError, FatalBackendError, InputError, LlmrankError, StoppedError, count_of
from llmrank.rankers.ranking import tie_groups
from llmrank.types import Case, Message, Outcome, Ranker, Ranking, RankingSteps, Reply, Request


@dataclass(frozen=True, slots=True)
class CaseResult:
    """A Case, its Ranking, and the calls that led to it."""

    case: Case
    """The Case as given, with its ground truth and its candidates in recall order."""
    ranking: Ranking
    exchanges: tuple[Exchange, ...] = ()
    seconds: float = 0.0
    distinct_share: float = 1.0
    """Share of its prompts, by length, that no prefix cache can save (see `distinct_share`)."""


def drive(ranker: Ranker, case: Case, answer: Callable[[list[Request]], Sequence[Reply]]) -> Ranking:
    """Return the Ranking of a Case whose candidates are already in the order to be shown.

    `answer` returns the Replies to a batch of Requests, in order; whatever it raises is passed on. The ranker does not
    see the ground truth, unless it is the oracle.
    """
    steps = _start(ranker, case)
    try:
        batch = _checked(next(steps), ranker, case)
        while True:
            batch = _checked(steps.send(answer(batch)), ranker, case)
    except StopIteration as stop:
        return stop.value


def rank_without_model(ranker: Ranker, case: Case) -> Ranking:
    """Return the Ranking of a ranker that makes no model calls; raise RuntimeError if it makes one."""

    def refuse(batch: list[Request]) -> Sequence[Reply]:
        raise RuntimeError(f"the ranker {ranker.name!r} makes a model call")

    return drive(ranker, case, refuse)


def complete_with_recall_order(case: Case, ranking: Ranking) -> Ranking:
    """Return the Ranking with items of equal scores, and those that the method did not place, in recall order.

    Measures treat these items as tied, so the recall order cannot inflate a score; in production it is the best
    tie-break. Raises InputError if the Ranking is not a permutation of the candidates: a custom ranker may return
    anything.
    """
    _check_ranking(case, ranking)
    groups = tie_groups(ranking)
    if len(groups) == len(ranking.order):
        return ranking
    places = {item_id: place for place, item_id in enumerate(_recall_order(case))}
    order = tuple(item_id for group in groups for item_id in sorted(group, key=places.__getitem__))
    return replace(ranking, order=order)


def not_ranked(case: Case, reason: str) -> Ranking:
    """Return the recall order with outcome `error`: what would be shown without a model."""
    order = _recall_order(case) if case.target is None else (case.target.item_id,)
    return Ranking(order, named=0, outcome=Outcome.ERROR, reason=reason)


def _recall_order(case: Case) -> tuple[str, ...]:
    return tuple(case.candidates[place].item_id for place in case.recall_places)


def _check_ranking(case: Case, ranking: Ranking) -> None:
    problem, asked = "", case.asked
    candidates = count_of(len(asked), "candidate")
    if not isinstance(ranking, Ranking):  # pyright: ignore[reportUnnecessaryIsInstance]
        problem = f"the ranker returned a value of type {type(ranking).__name__}, not a Ranking"
    elif strange := [one for one in ranking.order if not isinstance(one, str)]:  # pyright: ignore[reportUnnecessaryIsInstance]
        problem = f"the ranker returned {strange[0]!r} of type {type(strange[0]).__name__} for an id, which is text"
    elif len(ranking.order) != len(asked) or {*ranking.order} != {item.item_id for item in asked}:
        problem = f"the ranker returned {count_of(len(ranking.order), 'id')}, but not each of the {candidates} once"
    elif ranking.scores is not None and len(ranking.scores) != len(asked):
        problem = f"the ranker returned {count_of(len(ranking.scores), 'score')} for {candidates}"
    if problem:
        hint = "return a Ranking with each candidate's item_id exactly once, and either one score per item or none"
        raise InputError(problem, user=case.user_id, hint=hint)


def rank_alone(
    case: Case, ranker: Ranker, arrange: Callable[[Case], Case], answer: Callable[[list[Request]], Sequence[Reply]]
) -> CaseResult:
    """Return the Ranking without a Caller (compare `rank_case`)."""
    ranking = drive(ranker, arrange(with_recall_order(case, ranker)), answer)
    return CaseResult(case, complete_with_recall_order(case, ranking))


def with_recall_order(case: Case, ranker: Ranker) -> Case:
    """Return the Case with recall scores that reflect its order, if it has none and the ranker needs them."""
    if case.recall_scores is None and ranker.needs_recall_order:
        # Without scores, shuffling would destroy the recall order.
        return replace(case, recall_scores=tuple(range(len(case.candidates), 0, -1)), only_ordered=True)
    return case


async def rank_case(
    case: Case, ranker: Ranker, caller: Caller, arrange: Callable[[Case], Case], *, deadline: float | None = None
) -> CaseResult:
    """Return the Case's Ranking. The ranker sees the arranged Case and, unless it is the oracle, no ground truth.

    `deadline` limits the seconds for all calls of the Case together; None: no limit. When it passes, the Ranking is the
    recall order with outcome `error`. The reason is `deadline`, followed by the last error if a call was waiting for a
    retry. Calls are cancelled, except those that were sent and whose answer the Store will keep.
    """
    started = time.monotonic()
    case = with_recall_order(case, ranker)
    steps = _start(ranker, arrange(case))
    exchanges: list[Exchange] = []
    asked: list[Request] = []
    timer = asyncio.timeout(deadline)
    try:
        async with timer:
            requests = _checked(next(steps), ranker, case)
            while True:
                asked += requests
                answered = await caller.ask(requests, finish_late=deadline is not None)
                exchanges += answered
                requests = _checked(steps.send([exchange.reply for exchange in answered]), ranker, case)
    except StopIteration as stop:
        ranking: Ranking = stop.value
    except TimeoutError:
        if not timer.expired():
            raise
        fault = caller.fault_of(asyncio.current_task())
        ranking = not_ranked(case, f"deadline: {fault}" if fault else "deadline")
    seconds = time.monotonic() - started
    return CaseResult(case, complete_with_recall_order(case, ranking), tuple(exchanges), seconds, distinct_share(asked))


def distinct_share(requests: Sequence[Request]) -> float:
    """Return the share of the prompts' characters that remains when common prefixes are counted once, in [0, 1].

    For K prompts that share a prefix of P characters, each followed by S more, it is (P + K * S) / (K * (P + S)): the
    least that must be computed, as a share of the total. It counts characters, since only the backend could count
    tokens, and ignores what a chat template adds to each prompt, so it is slightly too low.
    """
    if len(requests) < 2:
        return 1.0
    # After sorting, each text shares its longest prefix with the one before it, so the sum is the size of their trie.
    texts = sorted("\0".join(message.content for message in request.messages) for request in requests)
    total = sum(map(len, texts))
    distinct = sum(
        len(text) - len(commonprefix((before, text)))  # noqa: RUF071 - a prefix of characters, not of a path
        for before, text in pairwise(["", *texts])
    )
    return distinct / total if total else 1.0


async def rank_all(
    cases: Iterable[Case],
    ranker: Ranker,
    caller: Caller,
    *,
    arrange: Callable[[Case], Case],
    done: Callable[[CaseResult], None],
    stop: StopSignal | None = None,
) -> None:
    """Rank every Case, calling `done` with each result as it completes (not in the order of the Cases).

    A Case is taken from the iterator only when the caller has capacity for it, so memory does not grow with the number
    of Cases.

    Raises:
        BoundReachedError: the next call could exceed a bound. Cases that need no further call are completed first.
        StoppedError: `stop` requested it. Calls in flight got time to finish, and Cases they completed are done.
        LlmrankError: an error from `caller.ask`, `done` or the iterator of Cases. Calls in flight get ten seconds to
            finish, so that billed answers are stored. Any other exception from a custom backend, ranker or reporter is
            treated alike.
    """
    run = _Run(iter(cases), partial(rank_case, ranker=ranker, caller=caller, arrange=arrange), caller, done)
    starting = asyncio.create_task(run.start_cases())
    starting.add_done_callback(run.ended)
    watching = [] if stop is None else [asyncio.create_task(run.watch(stop))]
    try:
        await run.finish(starting)
    finally:
        left: list[asyncio.Task[Any]] = [*run.running, *caller.orphaned, starting, *watching]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
    if errors := [*run.failures, *run.stops]:
        # The first error is the cause; the others may be its consequences.
        raise _noting_unstored(first, caller.unstored) if isinstance(first := errors[0], InputError) else first


@dataclass(slots=True)
class _Run:
    """The pending and running Cases of a run, and why it is ending."""

    pending: Iterator[Case]
    rank: Callable[[Case], Awaitable[CaseResult]]
    caller: Caller
    done: Callable[[CaseResult], None]
    running: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    stops: list[LlmrankError] = field(default_factory=list[LlmrankError])
    """Reasons other than failures to start no more Cases."""
    failures: list[BaseException] = field(default_factory=list[BaseException])

    async def start_cases(self) -> None:
        """Start Cases as the caller has capacity for them, until none are left or the run is ending."""
        while not self.stops and not self.failures and not self.caller.halted:
            if len(self.running) >= self.caller.capacity:
                self.caller.changed.clear()
                await self.caller.changed.wait()
            elif (case := next(self.pending, None)) is None:
                break
            else:
                task = asyncio.create_task(self._work(case))
                self.running.add(task)
                task.add_done_callback(self.ended)
                await asyncio.sleep(0)
                if task.done():  # all its answers were stored
                    self.running.discard(task)

    async def _work(self, case: Case) -> None:
        try:
            self.done(await self.rank(case))
        except (BoundReachedError, StoppedError) as error:
            self.stops.append(error)

    def ended(self, task: asyncio.Task[None]) -> None:
        """Record that a Case, or the task that starts Cases, has ended, and how."""
        self.running.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            self.failures.append(failure)
            if isinstance(failure, FatalBackendError) or self.caller.unstored:
                self.caller.halt()  # any other call would fail too, or be billed without being stored
        self.caller.changed.set()

    async def watch(self, stop: StopSignal) -> None:
        """Halt at the first request to stop. Cancel everything at the second one, or when the time is up."""
        await stop.wait(1)
        self.caller.halt()
        with suppress(TimeoutError):
            async with asyncio.timeout(stop.seconds):
                await stop.wait(2)
        for task in (*self.running, *self.caller.orphaned):
            task.cancel()
        self.stops.append(self.caller.stopped())

    async def finish(self, starting: asyncio.Task[None]) -> None:
        """Return when nothing is running any more, or ten seconds after a failure."""
        with suppress(TimeoutError):
            async with asyncio.timeout(None) as patience:
                while self.running or self.caller.orphaned or not starting.done():
                    if self.failures and patience.when() is None:
                        patience.reschedule(asyncio.get_running_loop().time() + STOP_SECONDS)
                    self.caller.changed.clear()
                    await self.caller.changed.wait()
        if not self.failures and self.caller.halted and next(self.pending, None) is not None:
            self.stops.append(self.caller.stopped())


def _noting_unstored(error: InputError, count: int) -> InputError:
    """Return the error that ended a run, and add how many answers could not be stored, if any."""
    if not count:
        return error
    lost = count_of(count, "answer")
    problem = f"{error.problem}; {lost} arrived but could not be stored, and will be requested again"
    return InputError(problem, hint=error.hint, path=error.path, line=error.line, field=error.field, user=error.user)


def _start(ranker: Ranker, case: Case) -> RankingSteps:
    steps = ranker.rank(case if ranker.sees_truth else case.blinded())
    if not isinstance(steps, Generator):  # pyright: ignore[reportUnnecessaryIsInstance]
        problem = f"`rank` of {type(ranker).__name__} is no generator: it returned a {type(steps).__name__}"
        hint = "yield lists of Requests, and return the Ranking; without any Request, write a `yield` behind the return"
        raise InputError(problem, user=case.user_id, hint=hint)
    return steps


def _checked(batch: list[Request], ranker: Ranker, case: Case) -> list[Request]:
    """Return a batch of a ranker. Raises InputError if it is not a list of Requests with Messages: a custom ranker may
    yield anything."""
    problem = ""
    if not isinstance(batch, list) or not all(isinstance(one, Request) for one in batch):  # pyright: ignore[reportUnnecessaryIsInstance]
        problem = f"yields a {type(batch).__name__}, not a list of Requests"
    elif strange := [one.messages for one in batch if not _are_messages(one.messages)]:
        problem = f"yields a Request whose messages are {strange[0]!r:.60}, not a tuple of Messages with text"
    if problem:
        hint = "yield lists of Requests (see llmrank.rankers.CaseCalls)"
        raise InputError(f"`rank` of {type(ranker).__name__} {problem}", user=case.user_id, hint=hint)
    return batch


def _are_messages(given: object) -> bool:
    many = cast("tuple[object, ...]", given) if isinstance(given, tuple) else (None,)
    return all(isinstance(one, Message) and isinstance(cast(object, one.content), str) for one in many)
