"""Drives rankers: runs each Case's generator against a Caller, many Cases side by side, with bounded memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from llmrank.engine.caller import Caller, Exchange
from llmrank.engine.prefix import distinct_share
from llmrank.errors import BoundReachedError, LlmrankError
from llmrank.types import Case, Ranker, Ranking, Request


@dataclass(frozen=True, slots=True)
class CaseResult:
    """A Case, its Ranking, and the calls that led to it."""

    case: Case
    """As it came, with its labels and its candidates in recall order."""
    ranking: Ranking
    exchanges: tuple[Exchange, ...] = ()
    seconds: float = 0.0
    distinct_share: float = 1.0
    """Share of its prompts that is not the beginning of another: what no prefix cache can save."""


def complete_with_recall_order(case: Case, ranking: Ranking) -> Ranking:
    """Return the Ranking with the items that the method did not place in the Case's own (recall) order.

    The measures take them as tied, so that the numbers owe nothing to the retriever; a list that is put to use is best
    continued in its order. Raises AssertionError if the Ranking is no permutation of the candidates.
    """
    if case.target is not None:
        return ranking
    assert len(ranking.order) == len(case.candidates), f"user {case.user_id!r}: not every candidate is ranked once"
    if ranking.named is None or ranking.scores is not None:
        return ranking
    head = ranking.order[: ranking.named]
    placed = set(head)
    tail = tuple(item.item_id for item in case.candidates if item.item_id not in placed)
    return replace(ranking, order=head + tail)


def rank_without_model(ranker: Ranker, case: Case) -> Ranking:
    """Return the Ranking of a ranker that asks nobody; raises RuntimeError if it does ask."""
    steps = ranker.rank(case if getattr(ranker, "sees_truth", False) else case.blinded())
    try:
        next(steps)
    except StopIteration as stop:
        return stop.value
    raise RuntimeError(f"the ranker {ranker.name!r} asks a model")


async def rank_case(case: Case, ranker: Ranker, caller: Caller, arrange: Callable[[Case], Case]) -> CaseResult:
    """Return the Case's Ranking; the ranker sees it arranged and, but for the oracle, without its labels."""
    started = time.monotonic()
    if case.recall_scores is None and getattr(ranker, "needs_recall_order", False):
        # Shuffled, and without scores, the order of the recall stage would be lost on it.
        case = replace(case, recall_scores=tuple(range(len(case.candidates), 0, -1)))
    shown = arrange(case)
    steps = ranker.rank(shown if getattr(ranker, "sees_truth", False) else shown.blinded())
    exchanges: list[Exchange] = []
    asked: list[Request] = []
    try:
        requests = next(steps)
        while True:
            asked += requests
            answered = await caller.ask(requests)
            exchanges.extend(answered)
            requests = steps.send([exchange.reply for exchange in answered])
    except StopIteration as stop:
        ranking: Ranking = stop.value
    seconds = time.monotonic() - started
    return CaseResult(case, complete_with_recall_order(case, ranking), tuple(exchanges), seconds, distinct_share(asked))


async def rank_all(
    cases: Iterable[Case],
    ranker: Ranker,
    caller: Caller,
    *,
    arrange: Callable[[Case], Case],
    done: Callable[[CaseResult], None],
) -> None:
    """Rank every Case, calling `done` with each as it ends (not in the order of the Cases).

    The next Case is taken from the iterator only when the caller has room for it, so memory does not grow with their
    number. Raises what `caller.ask` and `done` raise, after stopping the others; but at a bound (BoundReachedError) the
    Cases under way that need no further call are done first.
    """
    waiting = iter(cases)
    under_way = 0
    stopped: list[BoundReachedError] = []

    async def work(case: Case) -> None:
        nonlocal under_way
        try:
            done(await rank_case(case, ranker, caller, arrange))
        except BoundReachedError as error:
            stopped.append(error)
        under_way -= 1
        caller.changed.set()

    try:
        async with asyncio.TaskGroup() as group:
            while True:
                while under_way >= caller.room:
                    caller.changed.clear()
                    await caller.changed.wait()
                if stopped or (case := next(waiting, None)) is None:
                    break
                under_way += 1
                group.create_task(work(case))
    except BaseExceptionGroup as failures:
        # One clear error for the person, not a group of the same one from every worker.
        first = failures.exceptions[0]
        raise first if isinstance(first, LlmrankError) else failures from None
    if stopped:
        raise stopped[0]
