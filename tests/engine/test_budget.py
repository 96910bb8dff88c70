"""The budget: bounds are kept with calls in flight, what is under way is finished, and the next command goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrank.backends import BaseBackend
from llmrank.engine import Bounds, Budget, Caller, CaseResult, Metered, rank_all
from llmrank.errors import BackendError, BoundReachedError
from llmrank.prices import Price, Tariff
from llmrank.store import Store
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
    Sampling,
    Usage,
)

TARIFF = Tariff("m", "USD", date(2026, 11, 1), Price(10.0, 1.0, 100.0), Price(5.0, 0.5, 50.0))
MOST = 20


@dataclass
class Charging(BaseBackend):
    """A backend that keeps the books: what it would charge for each call, and the most that was open at any time."""

    usage: Callable[[int], Usage] = lambda number: Usage(10 + number % 7, number % 5, number % (MOST + 1))
    fails: Callable[[int], BackendError | None] = lambda _: None
    batch: bool = False
    calls: int = 0
    charged: Usage = field(default_factory=Usage)
    in_flight: int = 0
    cut_off: int = 0
    identity = {"kind": "charging"}  # noqa: RUF012

    async def answer(self, request: Request) -> Response:
        number, self.calls = self.calls, self.calls + 1
        self.in_flight += 1
        try:
            await asyncio.sleep(0.001 * (number % 3))
        except asyncio.CancelledError:
            self.cut_off += 1
            raise
        finally:
            self.in_flight -= 1
        if (failure := self.fails(number)) is not None:
            raise failure
        usage = self.usage(number)
        self.charged += usage
        return Response("fine", usage=usage, batch=self.batch)


@dataclass(frozen=True)
class AsksTwice(BaseRanker):
    """Asks about the user, then once more."""

    name: str = "asks_twice"

    def rank(self, case: Case) -> RankingSteps:
        for step in ("first", "then"):
            message = Message("user", f"{step} {case.user_id}")
            yield [Request((message,), Sampling(max_tokens=MOST))]
        return Ranking(("a",))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store.sqlite") as opened:
        yield opened


def run(backend: Charging, store: Store, budget: Budget, users: int = 30) -> tuple[list[CaseResult], str]:
    """Return the Cases that were done and what was said at the bound, if it was reached."""
    done: list[CaseResult] = []
    todo = [Case(f"u{n:02}", (), candidates=(Item("a", "A"),)) for n in range(users)]

    async def work() -> None:
        caller = Caller(Metered(backend, budget), store, 8)
        await rank_all(todo, AsksTwice(), caller, arrange=lambda case: case, done=done.append)

    try:
        asyncio.run(work())
    except BoundReachedError as reached:
        return done, str(reached)
    return done, ""


def test_calls_by_which_a_backend_learns_count(store: Store) -> None:
    class Learning(Charging):
        @property
        def sent_beside(self) -> int:
            return 3 * (self.calls > 0) + 2 * (self.calls > 20)

    budget = Budget(Bounds(requests=40))
    done, said = run(learning := Learning(), store, budget)
    assert "max_requests=40" in said and budget.spent.requests == 40 and learning.calls == 35 and done


def test_without_bounds_it_counts(store: Store) -> None:
    backend, budget = Charging(), Budget(tariff=TARIFF)
    done, said = run(backend, store, budget)
    assert len(done) == 30 and not said
    assert (budget.spent.requests, budget.spent.usage) == (60, backend.charged)
    assert budget.cost == pytest.approx(TARIFF.cost(backend.charged, Usage()))
    again = Budget(tariff=TARIFF)
    run(Charging(), store, again)
    assert (again.spent.requests, again.spent.usage, again.cost) == (0, Usage(), 0.0), "what is stored costs nothing"


@pytest.mark.parametrize("most", [0, 1, 7, 59, 60])
def test_no_more_requests_than_allowed(store: Store, most: int) -> None:
    backend = Charging()
    done, said = run(backend, store, Budget(Bounds(requests=most)))
    assert backend.calls == most and backend.cut_off == 0
    assert bool(said) == (most < 60) and (len(done) == 30) == (most == 60)
    if said:
        assert f"max_requests={most}" in said and f"spent: {most} request" in said
    assert store.stats().responses == most, "all that was paid for is kept"
    rest = Charging()
    done, said = run(rest, store, Budget(Bounds(requests=60 - most)))
    assert not said and rest.calls == 60 - most, "the same command goes on, and pays nothing twice"
    assert all(one.ranking.outcome is Outcome.OK for one in done)


@given(bound=st.integers(0, 1500))
def test_tokens_stay_within_the_bound(tmp_path_factory: pytest.TempPathFactory, bound: int) -> None:
    with Store(tmp_path_factory.mktemp("store") / "s.sqlite") as store:
        backend, budget = Charging(), Budget(Bounds(tokens=bound))
        _, said = run(backend, store, budget, users=15)
        assert backend.charged.prompt_tokens + backend.charged.completion_tokens <= bound
        assert budget.spent.usage == backend.charged and backend.cut_off == 0
        if said:
            left = bound - backend.charged.prompt_tokens - backend.charged.completion_tokens
            assert left < len("first u00") + 40 + MOST, "and it stops only when one more call could pass it"


@given(bound=st.floats(0, 0.05), batch=st.booleans())
def test_money_stays_within_the_bound(tmp_path_factory: pytest.TempPathFactory, bound: float, batch: bool) -> None:
    with Store(tmp_path_factory.mktemp("store") / "s.sqlite") as store:
        backend, budget = Charging(batch=batch), Budget(Bounds(cost=bound), TARIFF, batch=batch)
        _, said = run(backend, store, budget, users=15)
        cost = TARIFF.price(batch=batch).cost(backend.charged)
        assert cost <= bound and budget.cost == pytest.approx(cost)
        if said:
            most = TARIFF.price(batch=batch).cost(Usage(len("first u00") + 40, 0, MOST))
            assert bound - cost < most and "USD" in said


def test_a_backend_that_counts_is_taken_at_its_word(store: Store) -> None:
    bounds = Bounds(tokens=16 + MOST)
    assert Charging().usage(0).prompt_tokens <= 16
    _, by_bytes = run(Charging(), store, Budget(bounds), users=1)
    _, counted = run(Charging(), store, Budget(bounds, count_tokens=lambda _: 8), users=1)
    assert by_bytes and counted, "the second call does not fit"
    assert store.stats().responses == 1


def test_half_a_surrogate_pair_in_a_prompt_is_counted() -> None:
    budget = Budget(Bounds(tokens=1000))
    broken = Request((Message("user", "\ud83d" * 4),), Sampling(max_tokens=MOST))
    reserved = asyncio.run(budget.reserve(broken))
    assert reserved.prompt_tokens >= 3 * 4 and reserved.completion_tokens == MOST


def test_refused_calls_are_free_and_lost_ones_may_not_be(store: Store) -> None:
    def failure(*, charged: bool) -> BackendError:
        error = BackendError("no")
        error.charged = charged
        return error

    budget = Budget(Bounds(tokens=10**6))
    run(Charging(fails=lambda _: failure(charged=False)), store, budget, users=4)
    assert budget.spent.doubtful == budget.spent.usage == Usage() and budget.spent.requests == 8
    budget = Budget(Bounds(tokens=10**6))
    run(Charging(fails=lambda _: failure(charged=True)), store, budget, users=4)
    assert budget.spent.doubtful.completion_tokens == 8 * MOST and budget.spent.usage == Usage()
    assert budget.to_dict()["spent"]["doubtful"]["completion_tokens"] == 8 * MOST


def test_what_may_be_charged_for_is_said_without_a_bound_too(store: Store) -> None:
    budget = Budget(tariff=TARIFF)
    run(Charging(usage=lambda _: Usage()), store, budget, users=1)
    most = budget.spent.doubtful
    assert most.completion_tokens == 2 * MOST and budget.spent.usage == Usage()
    money = TARIFF.direct.cost(most)
    assert budget.to_dict()["spent"]["doubtful"]["cost"] == pytest.approx(money)
    more = f"another {most.prompt_tokens + 2 * MOST} tokens, {money:.6f} USD"
    assert budget.describe() == (
        f"0 prompt and 0 completion tokens, 0.0000 USD; calls that reported no usage may have cost {more}"
    )


def test_of_an_endpoint_that_takes_more_than_it_may_only_the_calls_under_way_pass_the_bound(store: Store) -> None:
    backend = Charging(usage=lambda _: Usage(10, 0, 500))
    _, said = run(backend, store, Budget(Bounds(tokens=2000)))
    assert backend.calls <= 8 and "exceeded its limit by 480 tokens" in said
    alone, budget = Charging(usage=lambda _: Usage(10, 0, 500)), Budget(Bounds(tokens=2000))
    with Store(store.path.with_name("other")) as other:

        async def work() -> None:
            caller = Caller(Metered(alone, budget), other, 1)
            todo = [Case(f"u{n}", (), candidates=(Item("a", "A"),)) for n in range(9)]
            await rank_all(todo, AsksTwice(), caller, arrange=lambda case: case, done=lambda _: None)

        with pytest.raises(BoundReachedError):
            asyncio.run(work())
    assert alone.calls == 3 and alone.charged.completion_tokens == 1500


class Replaying(Charging):
    """A backend that has every answer."""

    def holds(self, request: Request) -> bool:
        return True


def test_a_replay_is_paid_by_nobody(store: Store) -> None:
    backend, budget = Replaying(), Budget(Bounds(requests=0, tokens=0, cost=0), TARIFF)
    done, said = run(backend, store, budget)
    assert len(done) == 30 and not said and backend.calls == 60
    assert (budget.spent.requests, budget.spent.usage, budget.cost) == (0, Usage(), 0)


def test_an_answer_without_its_usage_counts_with_the_most_it_can_take(store: Store) -> None:
    backend = Charging(usage=lambda _: Usage())
    _, said = run(backend, store, Budget(Bounds(tokens=200)))
    assert said and 0 < backend.calls <= 200 // MOST


def test_the_session_says_what_it_spent_and_at_which_prices(store: Store) -> None:
    budget = Budget(tariff=replace(TARIFF, model="m"))
    run(Charging(usage=lambda _: Usage(1000, 500, 100)), store, budget, users=1)
    noted = budget.to_dict()
    assert noted["spent"]["requests"] == 2 and noted["spent"]["cost"] == pytest.approx(2 * (0.005 + 0.0005 + 0.01))
    assert noted["prices"]["dated"] == "2026-11-01" and noted["prices"]["direct"]["cached_input"] == 1.0
    assert budget.describe() == "2,000 prompt and 200 completion tokens, 0.0310 USD"


def test_what_an_endpoint_refuses_is_found_out_by_one_call_if_requests_are_bounded(store: Store) -> None:
    class Learning(Charging):
        learned, tries = False, 0

        @property
        def sent_beside(self) -> int:
            return self.tries

        async def answer(self, request: Request) -> Response:
            self.tries += 2 * (not self.learned)
            await asyncio.sleep(0.01)
            response = await super().answer(request)
            self.learned = True
            return response

    budget = Budget(Bounds(requests=10))
    _, said = run(learning := Learning(), store, budget)
    assert "max_requests=10" in said and budget.spent.requests == 10 and learning.calls == 8
