"""The driver and the caller: every Case is ranked once, no question is asked twice, a failure is never an answer."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest

from llmrank.backends import BaseBackend
from llmrank.engine import Caller, CaseResult, Workload, estimate, estimated_tokens, rank_all, rank_without_model
from llmrank.engine.driver import rank_alone
from llmrank.errors import BackendError, FatalBackendError, InputError
from llmrank.rankers.acurank import AcuRank
from llmrank.rankers.baselines import Oracle
from llmrank.rankers.first_token import FirstToken
from llmrank.rankers.fusion import Fused, Fusion
from llmrank.rankers.ranking import rank_by_score
from llmrank.rankers.setwise import Setwise
from llmrank.store import Store, request_key
from llmrank.types import (
    BaseRanker,
    Case,
    Failure,
    Item,
    Message,
    Needs,
    Outcome,
    Ranker,
    Ranking,
    RankingSteps,
    Reply,
    Request,
    Response,
    Sampling,
    Usage,
)
from tests.rankers.oracle import prompt


@dataclass
class Counting(BaseBackend):
    """A backend that counts what it is asked, and fails where it is told to."""

    fails: Mapping[str, Exception] = field(default_factory=dict[str, Exception])
    asked: Counter[str] = field(default_factory=Counter[str])
    in_flight: int = 0
    most_under_way: int = 0
    usage: Usage = field(default_factory=Usage)
    identity = {"kind": "counting"}  # noqa: RUF012

    async def answer(self, request: Request) -> Response:
        text = request.messages[0].content
        self.asked[text] += 1
        self.in_flight += 1
        self.most_under_way = max(self.most_under_way, self.in_flight)
        await asyncio.sleep(0.001)
        self.in_flight -= 1
        if text in self.fails:
            raise self.fails[text]
        return Response(text.upper(), usage=self.usage)


@dataclass(frozen=True)
class AsksEach(BaseRanker):
    """Asks about each candidate, then once more about the first; keeps the order given."""

    name: str = "asks_each"

    def needs(self, n: int) -> Needs:
        return Needs(n + 1)

    def rank(self, case: Case) -> RankingSteps:
        assert case.relevant == (), "a ranker must not see the truth"
        replies = yield [ask(item.item_id) for item in case.candidates]
        [last] = yield [ask(f"again {case.candidates[0].item_id}")]
        failed = [reply for reply in [*replies, last] if isinstance(reply, Failure)]
        order = tuple(item.item_id for item in case.candidates)
        return Ranking(
            order, outcome=Outcome.ERROR if failed else Outcome.OK, reason=failed[0].reason if failed else ""
        )


def ask(text: str) -> Request:
    return Request((Message("user", text),))


def cases(number: int) -> list[Case]:
    return [
        Case(f"u{n}", (), candidates=(Item(f"a{n}", "A"), Item(f"b{n}", "B")), relevant=(f"b{n}",))
        for n in range(number)
    ]


def run(
    backend: Counting, store: Store, todo: list[Case] | Iterator[Case], concurrency: int = 4
) -> dict[str, CaseResult]:
    done: dict[str, CaseResult] = {}

    async def work() -> None:
        caller = Caller(backend, store, concurrency)
        await rank_all(
            todo, AsksEach(), caller, arrange=lambda case: case, done=lambda one: done.update({one.case.user_id: one})
        )

    asyncio.run(work())
    return done


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store.sqlite") as opened:
        yield opened


def test_every_case_is_ranked_and_every_question_asked_once(store: Store) -> None:
    backend = Counting()
    done = run(backend, store, cases(20))
    assert len(done) == 20 and set(backend.asked.values()) == {1} and sum(backend.asked.values()) == 60
    assert backend.most_under_way <= 4
    assert [exchange.reply.text for exchange in done["u3"].exchanges] == ["A3", "B3", "AGAIN A3"]  # type: ignore[union-attr]


def test_a_second_run_asks_nothing(store: Store) -> None:
    run(Counting(), store, cases(5))
    again = Counting()
    done = run(again, store, cases(5))
    assert not again.asked and all(exchange.stored for one in done.values() for exchange in one.exchanges)


def test_the_same_question_at_the_same_moment_is_asked_once(store: Store) -> None:
    same = [Case(f"u{n}", (), candidates=(Item("a", "A"), Item("b", "B"))) for n in range(8)]
    backend = Counting()
    assert len(run(backend, store, same, concurrency=8)) == 8
    assert set(backend.asked.values()) == {1}


def test_a_failed_call_is_an_error_outcome_and_is_not_stored(store: Store) -> None:
    text = "rate limit reached, try again in 3s"
    done = run(Counting({"a2": BackendError(text)}), store, cases(5))
    assert done["u2"].ranking.outcome is Outcome.ERROR and done["u2"].ranking.reason == text
    assert sum(one.ranking.outcome is Outcome.OK for one in done.values()) == 4
    again = Counting()
    assert run(again, store, cases(5))["u2"].ranking.outcome is Outcome.OK
    assert set(again.asked) == {"a2"}, "only what failed is asked again"


def test_a_fatal_failure_stops_the_run_with_one_error_and_keeps_what_was_answered(store: Store) -> None:
    backend = Counting({"a7": FatalBackendError("wrong key")})
    with pytest.raises(FatalBackendError, match="wrong key"):
        run(backend, store, cases(200))
    assert sum(backend.asked.values()) < 100, "the others are not asked any more"
    again = Counting()
    run(again, store, cases(7))
    assert not {"a0", "b0"} & set(again.asked)


@pytest.mark.parametrize("failure", [FatalBackendError("wrong key"), ValueError("a fault of a backend of one's own")])
def test_answers_under_way_at_a_failure_are_stored(store: Store, failure: Exception) -> None:
    class Slow(Counting):
        async def answer(self, request: Request) -> Response:
            if request.messages[-1].content == "a0":
                await asyncio.sleep(0.05)
                raise failure
            await asyncio.sleep(0.1)
            return await super().answer(request)

    backend = Slow()
    with pytest.raises(type(failure), match=str(failure)):
        run(backend, store, cases(200))
    assert 0 < sum(backend.asked.values()) < 20 and store.stats().responses == sum(backend.asked.values())


def test_answers_under_way_at_a_fault_of_the_source_are_stored(store: Store) -> None:
    def source() -> Iterator[Case]:
        yield from cases(2)
        raise InputError("row 3 is no Case", hint="mend it")

    backend = Counting()
    with pytest.raises(InputError, match="row 3"):
        run(backend, store, source())
    assert store.stats().responses == sum(backend.asked.values()) == 6


def test_cases_are_taken_from_the_source_only_as_they_are_needed(store: Store) -> None:
    taken = 0
    most_ahead = 0
    finished = 0

    def source() -> Iterator[Case]:
        nonlocal taken, most_ahead
        for case in cases(100):
            taken += 1
            most_ahead = max(most_ahead, taken - finished)
            yield case

    def done(_: CaseResult) -> None:
        nonlocal finished
        finished += 1

    async def work() -> None:
        await rank_all(source(), AsksEach(), Caller(Counting(), store, 5), arrange=lambda case: case, done=done)

    asyncio.run(work())
    assert finished == 100 and most_ahead <= 5


def test_a_dry_run_counts_what_a_run_asks(store: Store) -> None:
    counted = estimate(cases(5), AsksEach(), arrange=lambda case: case, count_tokens=len)
    backend = Counting()
    run(backend, store, cases(5))
    asked = sum(backend.asked.values())
    assert counted.cases == 5 and counted.exact
    assert counted.most == counted.most_left == Workload(asked, counted.most.prompt_tokens, asked * 400)
    assert counted.cached_share is None


def test_a_dry_run_knows_what_the_store_has(store: Store) -> None:
    backend = Counting(usage=Usage(100, 30, 5))
    run(backend, store, cases(2))
    counted = estimate(
        cases(5),
        AsksEach(),
        arrange=lambda case: case,
        count_tokens=len,
        stored=lambda request: store.get(request_key(backend.identity, request)),
    )
    assert (counted.most.requests, counted.most_left.requests, counted.likely_left.requests) == (15, 9, 9)
    assert counted.cached_share == 0.3
    assert counted.most_left.usage(counted.cached_share) == Usage(9, 2, 9 * 400)


def test_a_dry_run_counts_an_answer_that_is_shown_again() -> None:
    @dataclass(frozen=True)
    class ShowsTheFirst(BaseRanker):
        name: str = "shows_the_first"

        def needs(self, n: int) -> Needs:
            return Needs(2)

        def rank(self, case: Case) -> RankingSteps:
            (reply,) = yield [ask("who?")]
            yield [ask(cast("Response", reply).text)]
            return Ranking(tuple(item.item_id for item in case.candidates))

    counted = estimate(cases(1), ShowsTheFirst(), arrange=lambda case: case, count_tokens=estimated_tokens)
    frame = estimated_tokens([Message("user", "")])
    assert counted.most.prompt_tokens == estimated_tokens(ask("who?").messages) + Sampling().max_tokens + frame


def test_a_dry_run_knows_that_nothing_is_left_where_the_store_has_every_answer() -> None:
    @dataclass(frozen=True)
    class MayAskMore(AsksEach):
        def needs(self, n: int) -> Needs:
            return Needs(calls=50, likely=40)

    def left(stored: Callable[[Request], Response | None]) -> int:
        return estimate(
            cases(1), MayAskMore(), arrange=lambda case: case, count_tokens=len, stored=stored
        ).most_left.requests

    assert left(lambda _: Response("A")) == 0 and left(lambda _: None) == 50


def test_a_tokenizer_that_is_not_known_is_taken_to_cut_titles_and_numbers_small() -> None:
    def count(text: str) -> int:
        return estimated_tokens([Message("user", text)]) - estimated_tokens([Message("user", "")])

    assert count("Alien (1979)") == 2 + 6 and count("星球大战") == 4 and count("a and\n") == 3


def test_what_was_not_named_follows_in_recall_order(store: Store) -> None:
    @dataclass(frozen=True)
    class NamesOne(BaseRanker):
        name: str = "names_one"

        def rank(self, case: Case) -> RankingSteps:
            yield [ask(case.user_id)]
            order = tuple(item.item_id for item in case.candidates)
            return Ranking(order, named=1)

    items = tuple(Item(letter, letter) for letter in "abcde")

    def reverse(case: Case) -> Case:
        return Case(case.user_id, case.history, candidates=case.candidates[::-1])

    done: list[CaseResult] = []

    async def work() -> None:
        caller = Caller(Counting(), store, 1)
        await rank_all([Case("u", (), candidates=items)], NamesOne(), caller, arrange=reverse, done=done.append)

    asyncio.run(work())
    assert done[0].ranking.order == ("e", "a", "b", "c", "d")


def test_only_the_oracle_sees_the_truth() -> None:
    assert rank_without_model(Oracle(), cases(1)[0]).order == ("b0", "a0")
    with pytest.raises(RuntimeError, match="makes a model call"):
        rank_without_model(AsksEach(), cases(1)[0])


def no_call(batch: list[Request]) -> list[Reply]:
    raise AssertionError(f"{len(batch)} calls")


@dataclass(frozen=True)
class Returns(BaseRanker):
    """Returns what it is told to, as a ranker of a user's own may."""

    name = "returns"
    what: object

    def rank(self, case: Case) -> RankingSteps:
        yield from ()
        return cast("Ranking", self.what)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (None, "of type NoneType, not a Ranking"),
        (Ranking(("a",)), "1 id, but not each of the 2 candidates once"),
        (Ranking(("a", "a")), "2 ids, but not each of"),
        (Ranking(("a", "z")), "2 ids, but not each of"),
        (Ranking(("a", "b"), (1.0,)), "1 score for 2 candidates"),
        (Ranking(cast("tuple[str, ...]", (1, 2))), "1 of type int for an id, which is text"),
    ],
)
def test_what_is_no_ranking_of_the_candidates_is_refused(what: object, message: str) -> None:
    case = Case("u", (), (Item("a", "Alien"), Item("b", "Brazil")))
    with pytest.raises(InputError, match=f"user 'u': .*{message}"):
        rank_alone(case, Returns(what), lambda shown: shown, no_call)


def test_what_a_callers_own_code_raises_comes_as_it_is(tmp_path: Path) -> None:
    def done(result: CaseResult) -> None:
        raise ZeroDivisionError

    async def work() -> None:
        with Store(tmp_path / "answers.sqlite") as store:
            caller = Caller(Counting(), store, 2)
            await rank_all(cases(4), AsksEach(), caller, arrange=lambda case: case, done=done)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(work())


@pytest.mark.parametrize("scores", [None, (0.5, float("-inf"), float("-inf"), float("-inf"))])
def test_what_is_not_placed_follows_in_recall_order_however_it_was_shown(scores: tuple[float, ...] | None) -> None:
    class PlacesOne(BaseRanker):
        name = "places_one"

        def rank(self, case: Case) -> RankingSteps:
            yield from ()
            ids = [item.item_id for item in case.candidates]
            return Ranking(("c", *(one for one in ids if one != "c")), scores, named=1)

    given = Case("u", (), tuple(Item(name, name) for name in "abcd"), (1.0, 4.0, 2.0, 3.0))
    result = rank_alone(given, PlacesOne(), lambda case: case, no_call)
    assert result.ranking.order == ("c", "b", "d", "a") and result.ranking.scores == scores


def test_equal_scores_follow_in_recall_order_however_they_were_shown() -> None:
    class Coarse(BaseRanker):
        name = "coarse"

        def rank(self, case: Case) -> RankingSteps:
            yield from ()
            return rank_by_score({item.item_id: float(item.item_id in "bc") for item in case.candidates})

    given = Case("u", (), tuple(Item(name, name) for name in "abcd"), (1.0, 2.0, 4.0, 3.0))
    result = rank_alone(given, Coarse(), lambda case: replace(case, candidates=case.candidates[::-1]), no_call)
    assert result.ranking.order == ("c", "b", "d", "a") and result.ranking.scores == (1.0, 1.0, 0.0, 0.0)


@pytest.mark.parametrize(
    "ranker",
    [
        Fused(FirstToken(prompt("first-token", show_scores=True)), Fusion(1.0)),
        Setwise(prompt("setwise", show_scores=True), sort="insertion"),
        AcuRank(prompt("rankgpt", show_scores=True)),
    ],
    ids=lambda ranker: ranker.name,
)
def test_a_recall_order_without_scores_is_never_shown_as_scores(ranker: Ranker) -> None:
    def answer(requests: list[Request]) -> list[Failure]:
        return [Failure("asked") for _ in requests]

    given = Case("u", (), tuple(Item(name, name) for name in "abcd"))
    with pytest.raises(InputError, match="the candidates have no recall scores"):
        rank_alone(given, ranker, lambda case: case, answer)
    scored = replace(given, recall_scores=(4.0, 3.0, 2.0, 1.0))
    assert rank_alone(scored, ranker, lambda case: case, answer).ranking.outcome is Outcome.ERROR
