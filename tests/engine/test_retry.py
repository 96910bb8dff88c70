"""Trying again, in simulated time: a bad call, a bad quarter of an hour, a bad endpoint."""

from __future__ import annotations

import asyncio
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from llmrank.backends import BaseBackend
from llmrank.engine import Caller, CaseResult, RetryPolicy, rank_all
from llmrank.engine.clock import Clock
from llmrank.engine.retry import Retries, Tries
from llmrank.errors import FatalBackendError, TransientError
from llmrank.store import Store, request_key
from llmrank.types import (
    BaseRanker,
    Case,
    Failure,
    Item,
    Message,
    Outcome,
    Ranking,
    RankingSteps,
    Request,
    Response,
)

from .simulated import simulate

DOWN = TransientError("no connection", kind="connection")


async def never_up() -> bool:
    return False


@dataclass
class Endpoint(BaseBackend):
    """Answers in a second, unless `fault` says what goes wrong with this user's call at this moment."""

    fault: Callable[[str, float], TransientError | None]
    up: Callable[[float], bool] = lambda _: False
    """Whether it answers a test request at this moment."""
    asked: Counter[str] = field(default_factory=Counter[str])
    tests: int = 0
    identity = {"kind": "simulated"}  # noqa: RUF012

    async def answers_others(self, request: Request) -> bool:
        self.tests += 1
        await asyncio.sleep(0.1)
        return self.up(asyncio.get_running_loop().time())

    async def answer(self, request: Request) -> Response:
        text = request.messages[0].content
        self.asked[text] += 1
        if (fault := self.fault(text, asyncio.get_running_loop().time())) is not None:
            await asyncio.sleep(0.01)
            raise fault
        await asyncio.sleep(1.0)
        return Response(text)


@dataclass(frozen=True)
class AsksOnce(BaseRanker):
    name: str = "asks_once"

    def rank(self, case: Case) -> RankingSteps:
        [reply] = yield [Request((Message("user", case.user_id),))]
        order = tuple(item.item_id for item in case.candidates)
        return Ranking(order, outcome=Outcome.ERROR if isinstance(reply, Failure) else Outcome.OK)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store.sqlite") as opened:
        yield opened


@dataclass
class Ended:
    failed: set[str]
    ok: int
    seconds: float
    seconds_ok: float
    """When the last good one was done."""
    caller: Caller
    most_under_way: int
    error: FatalBackendError | None
    said: list[str]


def run(
    store: Store, endpoint: Endpoint, cases: int, concurrency: int | None = 4, policy: RetryPolicy | None = None
) -> Ended:
    done: list[CaseResult] = []
    taken = most = 0
    ok_at = 0.0
    said: list[str] = []

    def source() -> Iterator[Case]:
        nonlocal taken, most
        for n in range(cases):
            taken += 1
            most = max(most, taken - len(done))
            yield Case(f"u{n}", (), candidates=(Item("a", "A"), Item("b", "B")))

    def keep(one: CaseResult) -> None:
        nonlocal ok_at
        done.append(one)
        if one.ranking.outcome is Outcome.OK:
            ok_at = asyncio.get_running_loop().time()

    async def work() -> Ended:
        caller = Caller(endpoint, store, concurrency, policy or RetryPolicy(), say=said.append)
        error = None
        try:
            await rank_all(source(), AsksOnce(), caller, arrange=lambda case: case, done=keep)
        except FatalBackendError as caught:
            error = caught
        seconds = asyncio.get_running_loop().time()
        failed = {one.case.user_id for one in done if one.ranking.outcome is Outcome.ERROR}
        return Ended(failed, len(done) - len(failed), seconds, ok_at, caller, most, error, said)

    return simulate(work())


@pytest.mark.parametrize("concurrency", [1, 4, None])
def test_a_bad_call_fails_alone_and_holds_nobody_up(store: Store, concurrency: int | None) -> None:
    endpoint = Endpoint(lambda user, _: DOWN if user == "u2" else None)
    ended = run(store, endpoint, 60, concurrency)
    assert (ended.failed, ended.ok, ended.error) == ({"u2"}, 59, None)
    assert endpoint.asked["u2"] == 6 and sum(endpoint.asked.values()) == 59 + 6
    assert ended.caller.account()["retries"] == {"connection": 5}
    # No slot is held while it waits: the others take as long as they would alone.
    assert ended.seconds_ok <= 60 / (concurrency or 8) + 2


def test_a_bad_last_case_ends(store: Store) -> None:
    ended = run(store, Endpoint(lambda *_: DOWN), 1)
    assert (ended.failed, ended.error) == ({"u0"}, None) and ended.seconds < 60


@pytest.mark.parametrize("kind", ["connection", "5xx", "429", "busy", "loading"])
def test_a_bad_quarter_of_an_hour_costs_no_case(store: Store, kind: str) -> None:
    fault = TransientError("down", kind=kind)
    endpoint = Endpoint(lambda _, now: fault if 20 <= now < 920 else None, up=lambda now: not 20 <= now < 920)
    ended = run(store, endpoint, 400)
    assert (ended.failed, ended.ok, ended.error) == (set(), 400, None)
    assert 920 <= ended.seconds < 1100
    assert ended.most_under_way <= 4 + 4 + 8, "few Cases are begun meanwhile"
    assert len(ended.said) == 1 and "no call is answered" in ended.said[0]


@pytest.mark.parametrize("kind", ["5xx", "unreadable", "timeout"])
def test_bad_cases_are_given_up_when_the_others_are_answered(store: Store, kind: str) -> None:
    """Ten of 60 fail at every call, and soon no other call is left that could be answered."""
    fault = TransientError("broken", kind=kind)
    endpoint = Endpoint(lambda user, _: fault if user.endswith("5") or user == "u59" else None, up=lambda _: True)
    ended = run(store, endpoint, 60, concurrency=8)
    assert (len(ended.failed), ended.ok, ended.error, ended.said) == (7, 53, None, [])
    assert max(endpoint.asked.values()) <= 9 and ended.seconds < 90


def test_bad_cases_that_meet_an_outage_are_given_up_after_it(store: Store) -> None:
    def fault(user: str, now: float) -> TransientError | None:
        return DOWN if 5 <= now < 1205 or int(user[1:]) >= 32 else None

    endpoint = Endpoint(fault, up=lambda now: not 5 <= now < 1205)
    ended = run(store, endpoint, 40, concurrency=8)
    assert (len(ended.failed), ended.ok, ended.error) == (8, 32, None)
    assert 1205 < ended.seconds < 1400 and endpoint.tests < 60, "two tests a minute"
    assert len(ended.said) == 1 and "no call is answered" in ended.said[0]


def test_an_endpoint_that_answers_only_tests_ends_the_run(store: Store) -> None:
    endpoint = Endpoint(lambda _, now: DOWN if now >= 20 else None, up=lambda _: True)
    ended = run(store, endpoint, 100_000, concurrency=8)
    assert ended.error is not None and "100 Cases in a row got no readable answer" in str(ended.error)


def test_the_faults_of_an_outage_do_not_count_once_it_is_over(store: Store) -> None:
    """Half of the calls that met an outage meet three faults more when the others are answered again."""
    begin, end, more = 20.0, 28.0, 3
    met, since = set[str](), Counter[str]()

    def fault(user: str, now: float) -> TransientError | None:
        if begin <= now < end:
            if int(user[1:]) % 2:
                met.add(user)
            return DOWN
        since[user] += now >= end
        return TransientError("busy", kind="5xx") if user in met and since[user] <= more else None

    endpoint = Endpoint(fault)
    ended = run(store, endpoint, 400, concurrency=16)
    assert (ended.failed, ended.ok, ended.error) == (set(), 400, None)
    assert max(endpoint.asked[user] for user in met) > RetryPolicy().attempts


def test_a_short_wait_that_the_endpoint_names_does_not_use_up_the_attempts(store: Store) -> None:
    restarting = TransientError("restarting", kind="5xx", wait=0.0)
    ended = run(store, Endpoint(lambda _, now: restarting if now < 6 else None), 3)
    assert (ended.failed, ended.ok) == (set(), 3)


def test_a_flaky_endpoint_with_outages_costs_no_case(store: Store) -> None:
    draw = Random(0)

    # One call in twenty: six faults in a row, which give a Case up, then come once in 3,000 such runs.
    def fault(_: str, now: float) -> TransientError | None:
        if 300 <= now % 1200 < 700:
            return DOWN
        return TransientError("busy", kind="5xx") if draw.random() < 0.05 else None

    ended = run(store, Endpoint(fault), 20_000, concurrency=8)
    assert (ended.failed, ended.ok, ended.error) == (set(), 20_000, None)
    assert ended.seconds < 1.4 * 20_000 / 8 * 1200 / 800


def test_an_endpoint_that_does_not_come_back_ends_the_run(store: Store) -> None:
    endpoint = Endpoint(lambda _, now: DOWN if now >= 20 else None)
    ended = run(store, endpoint, 100_000, policy=RetryPolicy(patience=1800))
    assert ended.error is not None and "does not answer" in str(ended.error) and "same command" in str(ended.error)
    assert ended.failed == set() and 1750 < ended.seconds < 1850
    assert store.stats().responses == ended.ok > 50
    stored = ended.ok
    ended = run(store, Endpoint(lambda *_: None), 200)
    assert (ended.ok, ended.caller.calls) == (200, 200 - stored), "the same command goes on"


def test_an_endpoint_that_answers_nobody_from_the_start_ends_the_run_soon(store: Store) -> None:
    ended = run(store, Endpoint(lambda *_: DOWN), 100_000)
    assert ended.error is not None and "no call was answered so far" in str(ended.error)
    assert ended.seconds < 120


@pytest.mark.parametrize("wait", [1.0, None])
def test_a_rate_that_an_earlier_command_used_up_is_waited_for_from_the_start(store: Store, wait: float | None) -> None:
    too_many = TransientError("too many", kind="429", wait=wait)
    ended = run(store, Endpoint(lambda _, now: too_many if now < 55 else None), 200)
    assert (ended.failed, ended.ok, ended.error) == (set(), 200, None)
    for cases in (3, 100_000):
        with Store(Path(":memory:")) as other:
            ended = run(other, Endpoint(lambda *_: too_many), cases)
        assert ended.ok == 0 and 60 < ended.seconds < 100
        assert "no call was answered so far" in str(ended.error) if cases > 3 else len(ended.failed) == 3


def test_a_model_that_loads_for_minutes_is_waited_for_from_the_start(store: Store, tmp_path: Path) -> None:
    loading = TransientError("the model is loading", kind="loading")
    ended = run(store, Endpoint(lambda _, now: loading if now < 600 else None), 50)
    assert (ended.failed, ended.ok, ended.error) == (set(), 50, None) and ended.seconds < 800
    assert len(ended.said) == 1 and "no call is answered" in ended.said[0]
    with Store(tmp_path / "other.sqlite") as other:
        ended = run(other, Endpoint(lambda *_: loading), 100)
    assert ended.error is not None and "no call was answered so far" in str(ended.error) and ended.seconds < 3700


def test_a_server_that_takes_two_calls_at_a_time_and_says_busy_loses_no_case(store: Store) -> None:
    under_way: list[float] = []

    def fault(_: str, now: float) -> TransientError | None:
        under_way[:] = [end for end in under_way if end > now]
        if len(under_way) >= 2:
            return TransientError("server busy", kind="busy")
        under_way.append(now + 1.0)
        return None

    ended = run(store, Endpoint(fault), 200)
    assert (ended.failed, ended.ok, ended.error) == (set(), 200, None)


def test_what_is_never_understood_ends_the_run_after_a_second_try(store: Store) -> None:
    page = TransientError("a web page", kind="unreadable")
    endpoint = Endpoint(lambda user, now: page)
    ended = run(store, endpoint, 100_000, concurrency=20)
    assert ended.error is not None and "no call was answered so far (a web page)" in str(ended.error)
    assert "correct base_url" in str(ended.error) and ended.seconds < 3
    assert sum(endpoint.asked.values()) <= 2 * len(endpoint.asked) and len(endpoint.asked) <= 48
    # Where it passes, or something else is wrong too, it is waited for as ever.
    faults: tuple[Callable[[str, float], TransientError | None], ...] = (
        lambda user, now: page if user in ("u0", "u1", "u2") and now < 6 else None,
        lambda user, now: (page if user != "u7" else DOWN) if now < 6 else None,
        lambda user, now: page if 20 <= now < 920 else None,
    )
    for fault in faults:
        with Store(Path(":memory:")) as other:
            ended = run(other, Endpoint(fault), 400, concurrency=8)
        assert (ended.failed, ended.ok, ended.error) == (set(), 400, None)


def test_what_a_model_sent_and_is_no_answer_is_not_bought_for_an_hour(store: Store) -> None:
    garbled = TransientError("content that is not text", kind="no_answer")
    endpoint = Endpoint(lambda user, _: garbled if int(user[1:]) >= 40 else None)
    ended = run(store, endpoint, 50, concurrency=8)
    assert (ended.ok, ended.error) == (40, None) and len(ended.failed) == 10, "the last ten fail, each by itself"
    assert max(endpoint.asked.values()) == 6 and ended.seconds < 300
    with Store(Path(":memory:")) as other:
        ended = run(other, Endpoint(lambda user, _: garbled if int(user[1:]) >= 40 else None), 100_000, concurrency=8)
    assert ended.error is not None and "100 Cases in a row got no readable answer" in str(ended.error)
    assert ended.ok == 40 and len(ended.failed) < 120


def test_an_hour_of_maintenance_is_named_when_it_ends_the_run(store: Store) -> None:
    away = TransientError("under maintenance", kind="5xx", wait=3600)
    ended = run(store, Endpoint(lambda _, now: away if now >= 20 else None), 100)
    assert ended.error is not None
    assert "requests a wait of 1 h 0 min\n  hint: run the same command again after that" in str(ended.error)


def test_a_daily_quota_ends_the_run_at_once(store: Store) -> None:
    used_up = TransientError("come back tomorrow", kind="429", wait=30_000)
    ended = run(store, Endpoint(lambda _, now: used_up if now >= 20 else None), 100_000)
    assert ended.error is not None and "come back tomorrow" in str(ended.error)
    assert "requests a wait of 8 h 20 min\n  hint: run the same command again after that" in str(ended.error)
    assert ended.seconds < 60 and len(ended.failed) < 10


@pytest.mark.parametrize("wait", [60.0, None])
def test_many_refusals_are_no_failure_while_others_get_through(store: Store, wait: float | None) -> None:
    taken: list[float] = []

    def fault(_: str, now: float) -> TransientError | None:
        """Ten calls a minute, counted by the clock."""
        if sum(when // 60 == now // 60 for when in taken) >= 10:
            return TransientError("too many", kind="429", wait=None if wait is None else 60 - now % 60)
        taken.append(now)
        return None

    ended = run(store, Endpoint(fault), 100, concurrency=None)
    assert (ended.failed, ended.ok, ended.error) == (set(), 100, None)


def test_a_call_that_alone_is_refused_is_given_up_in_the_end(store: Store) -> None:
    too_many = TransientError("too many", kind="429", wait=5.0)
    endpoint = Endpoint(lambda user, _: too_many if user == "u2" else None)
    ended = run(store, endpoint, 20, policy=RetryPolicy(patience=600))
    assert (ended.failed, ended.ok, ended.error) == ({"u2"}, 19, None)
    assert 500 < ended.seconds <= 700


def test_the_adaptive_limit_widens_production(store: Store) -> None:
    ended = run(store, Endpoint(lambda *_: None), 2000, concurrency=None)
    assert ended.most_under_way == ended.caller.limit.size == 256
    assert ended.seconds < 20


def test_the_waits_of_our_own_double(store: Store) -> None:
    times: list[float] = []

    def fault(_: str, now: float) -> TransientError:
        times.append(now)
        return DOWN

    run(store, Endpoint(fault), 1)
    waits = [after - before for before, after in pairwise(times)]
    assert len(waits) == 5
    for step, wait in enumerate(waits):
        assert 0.5 * 0.5 * 2**step <= wait <= 1.5 * 0.5 * 2**step + 0.1


def test_the_wait_asked_for_is_kept(store: Store) -> None:
    times: list[float] = []

    def fault(_: str, now: float) -> TransientError | None:
        times.append(now)
        return TransientError("busy", kind="5xx", wait=17.0) if len(times) == 1 else None

    ended = run(store, Endpoint(fault), 1)
    assert 17.0 <= times[1] - times[0] <= 17.1
    assert ended.said == ["the endpoint requests a wait of 17 s (busy)"]


def test_a_long_wait_after_a_refusal_is_reported_before_it(store: Store) -> None:
    said: list[str] = []

    async def work() -> None:
        too_many = TransientError("too many", kind="429", wait=15.0)
        caller = Caller(Endpoint(lambda _, now: too_many if now < 10 else None), store, say=said.append)
        asked = asyncio.create_task(caller.ask([Request((Message("user", "u0"),))]))
        await asyncio.sleep(1)
        assert said == ["the endpoint requests a wait of 15 s (too many)"]
        await asked
        assert 15 <= asyncio.get_running_loop().time() < 18 and len(said) == 1

    simulate(work())


def test_an_outage_keeps_no_trace_of_most_of_the_cases_that_it_meets() -> None:
    class Asker:
        """A Case that is given up after its first fault, as in a service."""

    async def fail(callers: int) -> int:
        retries = Retries(RetryPolicy(), Clock())
        met = list[weakref.ref[Asker]]()
        for _ in range(callers):
            asker = Asker()
            met.append(weakref.ref(asker))
            await retries.wait(Tries(asker, retries.clock.now(), 0), DOWN, never_up)
        del asker
        return sum(one() is not None for one in met)

    assert asyncio.run(fail(3000)) <= 1000


def test_a_process_that_keeps_what_it_claimed_is_told_of_once(store: Store) -> None:
    """It may have been stopped (Ctrl-Z), which ends no claim."""
    said: list[str] = []
    questions = [Request((Message("user", text),)) for text in ("a", "b")]
    keys = [request_key(Endpoint.identity, question) for question in questions]

    async def work() -> list[str]:
        with Store(store.path) as other:
            assert all(map(other.claim, keys))
            caller = Caller(Endpoint(lambda user, at: None), store, 2, say=said.append)
            asked = asyncio.create_task(caller.ask(questions))
            await asyncio.sleep(50)
            assert not said
            await asyncio.sleep(600)
            assert len(said) == 1 and "another process" in said[0] and str(store.path) in said[0]
        return [exchange.reply.text for exchange in await asked if isinstance(exchange.reply, Response)]

    assert simulate(work()) == ["a", "b"]
