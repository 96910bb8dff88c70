"""Drives rankers: runs each Case's generator against a Caller, many Cases side by side, with bounded memory."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from os.path import commonprefix
from typing import Any

from llmrank.engine.caller import Caller, Exchange
from llmrank.engine.stop import STOP_SECONDS, StopSignal
from llmrank.errors import BoundReachedError, FatalBackendError, InputError, LlmrankError, StoppedError
from llmrank.types import Case, Outcome, Ranker, Ranking, RankingSteps, Reply, Request


@dataclass(frozen=True, slots=True)
class CaseResult:
    """A Case, its Ranking, and the calls that led to it."""

    case: Case
    """As it came, with its truth and its candidates in recall order."""
    ranking: Ranking
    exchanges: tuple[Exchange, ...] = ()
    seconds: float = 0.0
    distinct_share: float = 1.0
    """Share of its prompts that is not the beginning of another: what no prefix cache can save."""


def drive(ranker: Ranker, case: Case, answer: Callable[[list[Request]], Sequence[Reply]]) -> Ranking:
    """Return the Ranking of a Case whose candidates are in the order to be shown.

    `answer` returns the Replies to a batch of Requests, in order; what it raises ends the drive. The ranker does not
    see the truth, unless it is the oracle.
    """
    steps = _start(ranker, case)
    try:
        batch = next(steps)
        while True:
            batch = steps.send(answer(batch))
    except StopIteration as stop:
        return stop.value


def rank_without_model(ranker: Ranker, case: Case) -> Ranking:
    """Return the Ranking of a ranker that makes no model calls; raises RuntimeError if it makes one."""

    def refuse(batch: list[Request]) -> Sequence[Reply]:
        raise RuntimeError(f"the ranker {ranker.name!r} asks a model")

    return drive(ranker, case, refuse)


def complete_with_recall_order(case: Case, ranking: Ranking) -> Ranking:
    """Return the Ranking with the items that the method did not place in the Case's own (recall) order.

    Measures treat these items as tied, so the recall order cannot inflate a score; for use in production it is the best
    tie-break. Raises InputError if it is no Ranking of the candidates, which a ranker of a user's own may return.
    """
    _check_ranking(case, ranking)
    if case.target is not None or ranking.named is None:
        return ranking
    if ranking.scores is not None and any(score != -math.inf for score in ranking.scores[ranking.named :]):
        return ranking
    head = ranking.order[: ranking.named]
    placed = set(head)
    return replace(ranking, order=head + tuple(one for one in _recall_order(case) if one not in placed))


def not_ranked(case: Case, reason: str) -> Ranking:
    """Return the recall order, with outcome `error`: what would have been shown without a model."""
    order = _recall_order(case) if case.target is None else (case.target.item_id,)
    return Ranking(order, named=0, outcome=Outcome.ERROR, reason=reason)


def _recall_order(case: Case) -> tuple[str, ...]:
    return tuple(case.candidates[place].item_id for place in case.recall_places)


def _check_ranking(case: Case, ranking: Ranking) -> None:
    problem, asked = "", case.asked
    if not isinstance(ranking, Ranking):  # pyright: ignore[reportUnnecessaryIsInstance]
        problem = f"the ranker returned a value of type {type(ranking).__name__} and no Ranking"
    elif len(ranking.order) != len(asked) or {*ranking.order} != {item.item_id for item in asked}:
        problem = f"the ranker's {len(ranking.order)} ids do not name each of the {len(asked)} candidates once"
    elif ranking.scores is not None and len(ranking.scores) != len(asked):
        problem = f"the ranker gave {len(ranking.scores)} scores for {len(asked)} candidates"
    if problem:
        hint = "return a Ranking that has each candidate's item_id once, and a score for each or none at all"
        raise InputError(problem, user=case.user_id, hint=hint)


def rank_alone(
    case: Case,
    ranker: Ranker,
    arrange: Callable[[Case], Case],
    answer: Callable[[list[Request]], Sequence[Reply]] | None = None,
) -> CaseResult:
    """Return the Case's Ranking without a call, as `rank_case` does for others; None: the ranker asks nothing."""
    shown = arrange(with_recall_order(case, ranker))
    ranking = rank_without_model(ranker, shown) if answer is None else drive(ranker, shown, answer)
    return CaseResult(case, complete_with_recall_order(case, ranking))


def with_recall_order(case: Case, ranker: Ranker) -> Case:
    """Return the Case with its order as recall scores, where it has none and the ranker reads them."""
    if case.recall_scores is None and ranker.needs_recall_order:
        # Shuffling a Case without scores would hide the order of the recall stage.
        return replace(case, recall_scores=tuple(range(len(case.candidates), 0, -1)))
    return case


async def rank_case(
    case: Case, ranker: Ranker, caller: Caller, arrange: Callable[[Case], Case], *, deadline: float | None = None
) -> CaseResult:
    """Return the Case's Ranking; the ranker sees it arranged and, unless it is the oracle, without its truth.

    `deadline` is how many seconds all calls of the Case may take together; None: any time. When it passes, open calls
    are cancelled and the Ranking is the recall order with outcome `error` and reason `deadline`, behind it the fault
    after which a call waited to be sent again.
    """
    started = time.monotonic()
    case = with_recall_order(case, ranker)
    steps = _start(ranker, arrange(case))
    exchanges: list[Exchange] = []
    asked: list[Request] = []
    timer = asyncio.timeout(deadline)
    try:
        async with timer:
            requests = next(steps)
            while True:
                asked += requests
                answered = await caller.ask(requests)
                exchanges += answered
                requests = steps.send([exchange.reply for exchange in answered])
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
    """Return which share of the prompts' characters remains when every common beginning is counted once, in [0, 1].

    For K prompts that share a prefix of P characters and end in S each it is (P + K * S) / (K * (P + S)): the least
    that must be computed, as a share of all. Characters stand for tokens, which only the backend could count: what a
    chat template adds to every prompt is not among them, so it errs on the side of too little.
    """
    if len(requests) < 2:
        return 1.0
    # Sorted, each text shares its longest beginning with the one before it: the sum is the size of their trie.
    texts = sorted("\0".join(message.content for message in request.messages) for request in requests)
    total = sum(map(len, texts))
    distinct = sum(
        len(text) - len(commonprefix((before, text)))  # noqa: RUF071 - characters are what is meant
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
    """Rank every Case, calling `done` with each as it ends (not in the order of the Cases).

    A Case is taken from the iterator only when the caller has capacity for it, so memory does not grow with their
    number.

    Raises:
        BoundReachedError: the next call could pass a bound; Cases that need no further call are done first.
        StoppedError: `stop` asked for it; the calls under way were given its time, and Cases that they complete are
            done.
        LlmrankError: what `caller.ask`, `done` and the iterator of Cases raise, after the calls under way were given
            ten seconds, so that answers that are paid for are stored; so is whatever else a backend, a ranker or a
            reporter of the user's own raises.
    """
    run = _Run(iter(cases), partial(rank_case, ranker=ranker, caller=caller, arrange=arrange), caller, done)
    beginning = asyncio.create_task(run.begin())
    beginning.add_done_callback(run.ended)
    watching = [] if stop is None else [asyncio.create_task(run.watch(stop))]
    try:
        await run.finish(beginning)
    finally:
        left: list[asyncio.Task[Any]] = [*run.working, *caller.left_behind, beginning, *watching]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
    if errors := [*run.failures, *run.stops]:
        # The first says why; what the others met may be its effect.
        raise _with_unstored(first, caller.unstored) if isinstance(first := errors[0], InputError) else first


@dataclass(slots=True)
class _Run:
    """The Cases of a run that are waiting and under way, and what has ended it."""

    waiting: Iterator[Case]
    rank: Callable[[Case], Awaitable[CaseResult]]
    caller: Caller
    done: Callable[[CaseResult], None]
    working: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    stops: list[LlmrankError] = field(default_factory=list[LlmrankError])
    """Why no further Case begins where nothing is broken."""
    failures: list[BaseException] = field(default_factory=list[BaseException])

    async def begin(self) -> None:
        """Begin Cases as the caller has capacity for them, until there are no more or something has ended the run."""
        while not self.stops and not self.failures and not self.caller.halted:
            if len(self.working) >= self.caller.capacity:
                self.caller.changed.clear()
                await self.caller.changed.wait()
            elif (case := next(self.waiting, None)) is None:
                break
            else:
                task = asyncio.create_task(self._work(case))
                self.working.add(task)
                task.add_done_callback(self.ended)
                await asyncio.sleep(0)
                if task.done():  # its answers were at hand
                    self.working.discard(task)

    async def _work(self, case: Case) -> None:
        try:
            self.done(await self.rank(case))
        except (BoundReachedError, StoppedError) as error:
            self.stops.append(error)

    def ended(self, task: asyncio.Task[None]) -> None:
        """Note that a Case, or the beginning of Cases, has ended, and how."""
        self.working.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            self.failures.append(failure)
            if isinstance(failure, FatalBackendError) or self.caller.unstored:
                self.caller.halt()  # every other call would meet it too, or be paid for in vain
        self.caller.changed.set()

    async def watch(self, stop: StopSignal) -> None:
        """Halt at the first request to stop; cancel what is under way at the second, or when its time is over."""
        await stop.wait(1)
        self.caller.halt()
        with suppress(TimeoutError):
            async with asyncio.timeout(stop.seconds):
                await stop.wait(2)
        for task in (*self.working, *self.caller.left_behind):
            task.cancel()
        self.stops.append(self.caller.stopped())

    async def finish(self, beginning: asyncio.Task[None]) -> None:
        """Return when no Case and no call is under way, or when a failure has left them ten seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(None) as patience:
                while self.working or self.caller.left_behind or not beginning.done():
                    if self.failures and patience.when() is None:
                        patience.reschedule(asyncio.get_running_loop().time() + STOP_SECONDS)
                    self.caller.changed.clear()
                    await self.caller.changed.wait()
        if not self.failures and self.caller.halted and next(self.waiting, None) is not None:
            self.stops.append(self.caller.stopped())


def _with_unstored(error: InputError, count: int) -> InputError:
    """Return the error that ended a run, with how many answers came and could not be stored, if any."""
    if not count:
        return error
    problem = f"{error.problem}; {count:,} answers came and could not be stored: they will be asked for again"
    return InputError(problem, hint=error.hint, path=error.path, line=error.line, field=error.field, user=error.user)


def _start(ranker: Ranker, case: Case) -> RankingSteps:
    return ranker.rank(case if ranker.sees_truth else case.blinded())
