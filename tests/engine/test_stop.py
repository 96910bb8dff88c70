"""Stopping in good order, and a deadline for all calls of a Case: what was paid for is kept, and no wait is endless."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from llmrank.backends.base import BaseBackend
from llmrank.engine import Caller, CaseResult, StopSignal, rank_all, rank_case
from llmrank.errors import InputError, StoppedError, TransientError
from llmrank.store import ForgetfulStore, KeyedRequest, Store
from llmrank.types import (
    BaseRanker,
    Case,
    Item,
    Message,
    Outcome,
    Ranking,
    RankingSteps,
    Request,
    Response,
)

from .simulated import simulate


@dataclass
class Slow(BaseBackend):
    """Answers after as many seconds as the question says, and counts."""

    asked: Counter[str] = field(default_factory=Counter[str])
    refused: frozenset[str] = frozenset()
    identity: Mapping[str, str] = field(default_factory=lambda: {"kind": "slow"})

    async def answer(self, request: Request) -> Response:
        text = request.messages[0].content
        self.asked[text] += 1
        if text in self.refused:
            raise TransientError("no connection", kind="connection", wait=500.0)
        await asyncio.sleep(float(text.split()[0]))
        return Response(text)


@dataclass(frozen=True)
class Asks(BaseRanker):
    """Asks the Case's questions one after the other; they are the titles of its history."""

    name: str = "asks"

    def rank(self, case: Case) -> RankingSteps:
        for event in case.user_id.split(", "):
            yield [Request((Message("user", event),))]
        return Ranking(tuple(item.item_id for item in case.candidates))


class AsksAtOnce(Asks):
    """Asks the Case's questions at the same moment."""

    def rank(self, case: Case) -> RankingSteps:
        yield [Request((Message("user", question),)) for question in case.user_id.split(", ")]
        return Ranking(tuple(item.item_id for item in case.candidates))


def one(questions: str) -> Case:
    return Case(questions, (), candidates=(Item("b", "B"), Item("a", "A")), case_id=questions)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store.sqlite") as opened:
        yield opened


def run(
    backend: Slow, store: Store, cases: list[Case], *stops: float, seconds: float = 10.0, ranker: Asks | None = None
) -> tuple[list[str], float]:
    """Rank the Cases two at a time, asked to stop at these moments; return the Cases done, and when it ended."""
    done: list[CaseResult] = []

    async def work() -> float:
        loop, stop = asyncio.get_running_loop(), StopSignal(seconds)
        for when in stops:
            loop.call_later(when, stop.request)
        caller = Caller(backend, store, 2)
        try:
            await rank_all(cases, ranker or Asks(), caller, arrange=lambda case: case, done=done.append, stop=stop)
        except StoppedError as stopped:
            assert stopped.exit_code == 130 and "the same command continues" in str(stopped)
        return loop.time()

    ended = simulate(work())
    return [result.case.case_id for result in done], ended


def test_calls_under_way_are_finished_and_stored_and_none_is_begun(store: Store) -> None:
    backend = Slow()
    done, ended = run(backend, store, [one("5 a"), one("4 b, 4 c"), one("3 d"), one("3 e")], 1.0)
    assert done == ["5 a"] and ended == 5.0
    assert set(backend.asked) == {"5 a", "4 b"} and store.stats().responses == 2
    again = Slow()
    done, _ = run(again, store, [one("5 a"), one("4 b, 4 c"), one("3 d")])
    assert len(done) == 3 and set(again.asked) == {"4 c", "3 d"}


def test_calls_that_one_case_makes_at_once_are_finished_and_stored(store: Store) -> None:
    """Its other calls, which do not begin any more, end the Case; those under way are paid for."""
    backend = Slow()
    done, ended = run(backend, store, [one("5 a, 4 b, 3 c")], 1.0, ranker=AsksAtOnce())
    assert (done, ended) == ([], 5.0)
    assert set(backend.asked) == {"5 a", "4 b"} and store.stats().responses == 2
    assert run(Slow(), store, [one("500 a, 500 b, 3 c")], 1.0, ranker=AsksAtOnce())[1] == 11.0
    assert run(Slow(), store, [one("500 a, 500 b, 3 c")], 1.0, 2.0, ranker=AsksAtOnce())[1] == 2.0


class FullStore(Store):
    """Takes one answer and no other."""

    def put_keyed(self, keyed: KeyedRequest, response: Response, key: str = "") -> None:
        if self.stats().responses:
            raise InputError("the store is full", hint="make room", path=self.path)
        super().put_keyed(keyed, response, key)


def test_answers_that_could_not_be_stored_are_counted_and_no_further_call_begins(tmp_path: Path) -> None:
    backend = Slow()
    with FullStore(tmp_path / "full.sqlite") as full:
        cases = [one("1 a"), one("2 b, 2 never"), one("3 c, 4 d, 5 never")]
        with pytest.raises(InputError, match=r"full.sqlite: the store is full; 2 answers arrived but .*\n  hint: make"):
            run(backend, full, cases)
    assert set(backend.asked) == {"1 a", "2 b", "3 c"}


def test_calls_that_take_too_long_are_given_up_and_a_second_request_does_not_wait(store: Store) -> None:
    assert run(Slow(), store, [one("500 a"), one("4 b")], 1.0)[1] == 11.0
    assert run(Slow(), store, [one("500 a"), one("500 b")], 1.0, seconds=3.0)[1] == 4.0
    assert run(Slow(), store, [one("500 a"), one("500 b")], 1.0, 2.0)[1] == 2.0


def test_a_call_that_waits_for_its_next_try_is_not_waited_for(store: Store) -> None:
    done, ended = run(Slow(refused=frozenset({"1 a"})), store, [one("1 a"), one("4 b"), one("4 c")], 2.0)
    assert done == ["4 b", "4 c"][: len(done)] and ended == 4.0


def test_a_stop_after_the_last_case_is_no_stop(store: Store) -> None:
    assert run(Slow(), store, [one("5 a"), one("4 b")], 1.0) == (["4 b", "5 a"], 5.0)


async def test_it_can_be_requested_from_another_thread(store: Store) -> None:
    stop = StopSignal(0.0)
    threading.Timer(0.1, stop.request).start()
    with pytest.raises(StoppedError):
        await rank_all([one("60 a")], Asks(), Caller(Slow(), store), arrange=lambda c: c, done=print, stop=stop)


def test_a_deadline_gives_the_recall_order_and_an_open_call_ends_in_the_store(store: Store) -> None:
    async def work() -> None:
        caller, loop = Caller(Slow(), store), asyncio.get_running_loop()
        late = await rank_case(one("2 a, 9 b"), Asks(), caller, lambda case: case, deadline=5.0)
        assert loop.time() == 5.0 and caller.limit.in_flight == 1
        assert (late.ranking.outcome, late.ranking.reason) == (Outcome.ERROR, "deadline")
        assert (late.ranking.order, late.ranking.named) == (("b", "a"), 0)
        assert [exchange.stored for exchange in late.exchanges] == [False]
        in_time = await rank_case(one("2 a, 1 c"), Asks(), caller, lambda case: case, deadline=5.0)
        assert in_time.ranking.outcome is Outcome.OK and in_time.exchanges[0].stored
        again = await rank_case(one("2 a, 9 b"), Asks(), caller, lambda case: case, deadline=5.5)
        assert loop.time() == 11.0 and caller.limit.in_flight == 0 and caller.calls == 3
        assert again.ranking.outcome is Outcome.OK and all(exchange.stored for exchange in again.exchanges)

    simulate(work())


def test_a_deadline_cancels_the_open_call_if_its_answer_would_be_lost() -> None:
    async def work() -> None:
        with ForgetfulStore() as store:
            caller, loop = Caller(Slow(), store), asyncio.get_running_loop()
            await rank_case(one("9 b"), Asks(), caller, lambda case: case, deadline=5.0)
            assert loop.time() == 5.0 and caller.limit.in_flight == 0

    simulate(work())


def test_after_a_deadline_nothing_new_is_sent(store: Store) -> None:
    async def work() -> None:
        caller = Caller(Slow(), store, concurrency=1)
        await rank_case(one("9 a, 9 b"), AsksAtOnce(), caller, lambda case: case, deadline=5.0)
        await asyncio.sleep(60)
        assert caller.calls == store.stats().responses == 1

    simulate(work())


def test_a_deadline_of_one_case_does_not_cost_another_its_answer(store: Store) -> None:
    """Both ask the same question, and the first gives up."""
    backend = Slow()

    async def work() -> tuple[CaseResult, CaseResult]:
        caller = Caller(backend, store)
        return await asyncio.gather(
            rank_case(one("6 same"), Asks(), caller, lambda case: case, deadline=2.0),
            rank_case(one("6 same"), Asks(), caller, lambda case: case),
        )

    first, second = simulate(work())
    assert first.ranking.reason == "deadline" and second.ranking.outcome is Outcome.OK
    assert backend.asked["6 same"] == 1 and store.stats().responses == 1
