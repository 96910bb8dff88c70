"""A Reranker never raises for what an endpoint does, and always returns every candidate once."""

from __future__ import annotations

import asyncio
import atexit
import json
import math
import os
import pickle
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

import llmrank as lr
from llmrank.errors import InputError
from llmrank.evaluation.given import as_event
from llmrank.types import BaseRanker, Outcome, RankingSteps, Request, Response
from tests.evaluation.backends import Constant
from tests.evaluation.listening import Listening
from tests.evaluation.serving import serving
from tests.scripted_server import MODEL, ScriptedServer, Step, good, refused

FILMS = [f"Film {n}" for n in range(6)]


def backwards(body: Mapping[str, Any]) -> Step:
    return good(" > ".join(f"[{n}]" for n in range(6, 0, -1)))


def reranker(server: ScriptedServer, prompt: str = "rankgpt", **more: Any) -> lr.Reranker:
    return lr.Reranker(prompt, model=MODEL, base_url=server.base_url, order="recall", **more)


def test_titles_alone_are_enough() -> None:
    with serving(ScriptedServer(answer=backwards)) as server, reranker(server) as ranks:
        ranking = ranks.rank(["Heat"], FILMS)
        assert ranking.order == tuple(reversed(FILMS)) and ranking.outcome is lr.Outcome.OK


def test_it_reports_what_it_finds_when_it_opens() -> None:
    listening = Listening()
    with serving(ScriptedServer(answer=backwards)) as server:
        lr.Reranker("rankgpt", model="another", base_url=server.base_url, progress=listening).close()
    assert listening.lines == [f"the endpoint lists {MODEL}, but another is requested"]


def test_one_that_nobody_closes_is_closed_when_the_process_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    at_exit: list[Callable[[], None]] = []
    monkeypatch.setattr(atexit, "register", at_exit.append)
    monkeypatch.setattr(atexit, "unregister", at_exit.remove)
    with serving(ScriptedServer(answer=backwards)) as server:
        before = threading.active_count()
        ranks = reranker(server)
        assert repr(ranks) == f"<Reranker: sliding_window, {MODEL} of {server.base_url}, deadline 30 s>"
        assert threading.active_count() > before
        [close] = at_exit
        close()
        assert threading.active_count() == before
        ranks.close()
        assert not at_exit


def test_one_that_nobody_has_any_more_is_closed() -> None:
    with serving(ScriptedServer(answer=backwards)) as server:
        before = threading.active_count()
        for _ in range(3):
            assert reranker(server).rank(["Heat"], FILMS).outcome is lr.Outcome.OK
        started = time.monotonic()
        while threading.active_count() > before and time.monotonic() - started < 5:
            time.sleep(0.01)
        assert threading.active_count() == before


def test_items_keep_their_ids_and_attributes() -> None:
    with serving(ScriptedServer(answer=backwards)) as server, reranker(server) as ranks:
        items = [{"item_id": n, "title": title, "genres": "Drama"} for n, title in enumerate(FILMS)]
        assert ranks.rank([lr.Event(lr.Item("h", "Heat"), 5.0)], items).order == ("5", "4", "3", "2", "1", "0")


def test_64_callers_at_once_from_threads_get_each_their_own_answer() -> None:
    with serving(ScriptedServer(answer=backwards)) as server, reranker(server) as ranks:
        with ThreadPoolExecutor(64) as pool:
            orders = list(pool.map(lambda n: ranks.rank([f"Seen {n}"], FILMS).order, range(64)))
        assert orders == [tuple(reversed(FILMS))] * 64
        assert server.calls == 64


async def test_64_callers_at_once_in_an_event_loop() -> None:
    async with ScriptedServer(answer=backwards) as server:
        # Opening waits for the server, which lives in this very loop.
        ranks = await asyncio.to_thread(reranker, server)
        rankings = await asyncio.gather(*(ranks.rank_async([f"Seen {n}"], FILMS) for n in range(64)))
        assert {ranking.order for ranking in rankings} == {tuple(reversed(FILMS))}
        await asyncio.to_thread(ranks.close)


def test_a_deadline_that_passes_gives_the_recall_order() -> None:
    slow = good("[6] > [5]")
    with (
        serving(ScriptedServer(Step(body=slow.body, headers=slow.headers, hang=30))) as server,
        reranker(server, deadline=0.3) as ranks,
    ):
        started = time.monotonic()
        ranking = ranks.rank(["Heat"], FILMS)
        assert time.monotonic() - started < 10
        assert ranking.order == tuple(FILMS) and ranking.outcome is lr.Outcome.ERROR
        assert "deadline" in ranking.reason


def test_a_passed_deadline_names_the_fault_that_was_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    # On a busy machine the first refusal, and the end of the Case, may arrive late.
    monkeypatch.setattr("llmrank.evaluation.reranker.GRACE", 30.0)
    # It waits as long as the endpoint asks; without that, it might give up after six refusals in three seconds.
    full = refused(503, "overloaded", headers={"Retry-After": "20"})
    with serving(ScriptedServer(full)) as server, reranker(server, deadline=3) as ranks:
        ranking = ranks.rank(["Heat"], FILMS)
    assert ranking.order == tuple(FILMS)
    assert ranking.reason.startswith("deadline: ") and "answered 503: overloaded" in ranking.reason


def test_an_answer_after_the_deadline_is_kept_in_the_store(tmp_path: Path) -> None:
    late = replace(good("[6] > [5] > [4] > [3] > [2] > [1]"), hang=2)
    with serving(ScriptedServer(late)) as server:
        with reranker(server, deadline=0.5, store=tmp_path / "answers.sqlite") as ranks:
            first = ranks.rank(["Heat"], FILMS)
            while (ranking := ranks.rank(["Heat"], FILMS)).reason == "deadline":
                pass
        assert first.reason == "deadline" and first.order == tuple(FILMS)
        assert ranking.order == tuple(reversed(FILMS)) and len(server.seen) == 1


def test_after_the_deadline_nothing_is_sent_again(tmp_path: Path) -> None:
    late = replace(refused(503, "overloaded"), hang=1)
    with (
        serving(ScriptedServer(late, good("fine"))) as server,
        reranker(server, deadline=0.5, store=tmp_path / "answers.sqlite") as ranks,
    ):
        assert ranks.rank(["Heat"], FILMS).reason == "deadline"
        time.sleep(4)
        assert len(server.seen) == 1
        assert ranks.rank(["Up"], FILMS).outcome is lr.Outcome.UNPARSED


def test_a_store_that_is_locked_holds_nobody_up(tmp_path: Path) -> None:
    store = tmp_path / "answers.sqlite"
    with serving(ScriptedServer(answer=backwards)) as server, reranker(server, deadline=0.2, store=store) as ranks:
        other = sqlite3.connect(store)
        other.execute("BEGIN IMMEDIATE")

        async def both() -> list[lr.Ranking]:
            calls = asyncio.to_thread(ranks.rank, ["Up"], FILMS), ranks.rank_async(["Heat"], FILMS)
            return list(await asyncio.gather(*calls))

        started = time.monotonic()
        rankings = asyncio.run(both())
        assert time.monotonic() - started < 20  # SQLite itself would wait for 60 seconds
        other.rollback()
        other.close()
    assert {(ranking.order, ranking.reason) for ranking in rankings} == {(tuple(FILMS), "deadline")}


@pytest.mark.parametrize("deadline", [0, -1.0, math.nan, "1", None])
def test_a_deadline_is_a_number_of_seconds(deadline: Any) -> None:
    with pytest.raises(InputError, match=r"'deadline': expected a number of seconds above 0"):
        lr.Reranker(ranker="recall_order", deadline=deadline)


def test_calls_under_way_when_it_is_closed_give_the_recall_order() -> None:
    slow = good("[6] > [5]")
    with serving(ScriptedServer(Step(body=slow.body, headers=slow.headers, hang=30))) as server:
        ranks = reranker(server)

        async def both() -> list[lr.Ranking]:
            calls = asyncio.to_thread(ranks.rank, ["Heat"], FILMS), ranks.rank_async(["Fargo"], FILMS)
            waiting = asyncio.gather(*calls)
            while server.calls < 2:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(ranks.close)
            return list(await waiting)

        for ranking in asyncio.run(both()):
            assert ranking.order == tuple(FILMS)
            assert (ranking.outcome, ranking.reason) == (lr.Outcome.ERROR, "closed")
        with pytest.raises(InputError, match="the Reranker, or the session, is closed"):
            ranks.rank(["Heat"], FILMS)


def test_a_batch_is_refused_before_it_is_paid(tmp_path: Path) -> None:
    with serving(ScriptedServer(answer=backwards)) as server:
        with pytest.raises(InputError, match=r"'batch': a batch may take a day.*\n  hint: omit it"):
            reranker(server, batch=True, store=tmp_path / "answers.sqlite")
        assert server.calls == 0


def test_what_was_sent_before_it_is_closed_is_answered_and_kept_with_a_store(tmp_path: Path) -> None:
    store = tmp_path / "answers.sqlite"
    with serving(ScriptedServer(replace(backwards({}), hang=1))) as server, ThreadPoolExecutor() as pool:
        ranks = reranker(server, store=store, concurrency=2)
        waiting = [pool.submit(ranks.rank, [film], FILMS) for film in FILMS[:3]]
        while server.calls < 2:
            time.sleep(0.01)
        ranks.close()
        ended = sorted((one.result().outcome.value, one.result().reason) for one in waiting)
        assert ended == [("error", "closed"), ("ok", ""), ("ok", "")] and server.calls == 2
        with reranker(server, store=store) as ranks:
            assert {ranks.rank([film], FILMS).outcome for film in FILMS[:3]} == {lr.Outcome.OK}
        assert server.calls == 3


@pytest.mark.parametrize("kept", [True, False])
def test_closing_waits_only_so_long_and_only_for_answers_that_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    monkeypatch.setattr("llmrank.evaluation.reranker.STOP_SECONDS", 1.0 if kept else 60.0)
    with serving(ScriptedServer(replace(backwards({}), hang=30))) as server, ThreadPoolExecutor() as pool:
        ranks = reranker(server, **({"store": tmp_path / "answers.sqlite"} if kept else {}))
        waiting = pool.submit(ranks.rank, ["Heat"], FILMS)
        while server.calls < 1:
            time.sleep(0.01)
        started = time.monotonic()
        ranks.close()
        assert (time.monotonic() - started >= 1) == kept and time.monotonic() - started < 15
        assert waiting.result().reason == "closed"


class Answering(Constant):
    """Answers with what it is given, or raises it."""

    def __init__(self, what: Any) -> None:
        super().__init__("given")
        self.what = what

    async def answer(self, request: Request) -> Response:
        if isinstance(self.what, BaseException):
            raise self.what
        return self.what


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (RuntimeError("boom"), "RuntimeError: boom"),
        (SystemExit("no license"), "RuntimeError: SystemExit('no license')"),
        (asyncio.CancelledError(), "RuntimeError: CancelledError()"),
        (Response(cast("Any", None)), "a Response with text=None"),
        (Response("1", usage=cast("Any", {"prompt_tokens": 3})), "a Response with usage={'prompt_tokens': 3}"),
    ],
)
def test_whatever_a_backend_of_ones_own_does_is_a_reason(tmp_path: Path, what: Any, reason: str, kept: bool) -> None:
    more: dict[str, Any] = {"store": tmp_path / "answers.sqlite"} if kept else {}
    with lr.Reranker("rankgpt", backend=Answering(what), **more) as ranks:
        for _ in range(2):
            ranking = ranks.rank(["Heat"], FILMS)
            assert ranking.order == tuple(FILMS) and ranking.outcome is lr.Outcome.ERROR and reason in ranking.reason


def test_a_reached_bound_is_a_reason_that_promises_nothing() -> None:
    with serving(ScriptedServer(answer=backwards)) as server, reranker(server, max_requests=1) as ranks:
        assert ranks.rank(["Heat"], FILMS).outcome is lr.Outcome.OK
        reason = ranks.rank(["Up"], FILMS).reason
    assert reason.startswith("stopped before a call that could exceed max_requests=1; spent: 1 request, ")
    assert "saved" not in reason and "command" not in reason


def test_it_can_be_closed_from_several_threads_at_once() -> None:
    with serving(ScriptedServer(answer=backwards)) as server, ThreadPoolExecutor(8) as pool:
        ranks = reranker(server)
        closing = [pool.submit(ranks.close) for _ in range(8)]
        assert [one.result() for one in closing] == [None] * 8


def test_a_fork_of_the_process_is_told_to_open_its_own() -> None:
    with serving(ScriptedServer(answer=backwards)) as server, reranker(server) as ranks:
        if (child := os.fork()) == 0:
            signal.alarm(10)
            try:
                ranks.rank(["Heat"], FILMS)
            except InputError as error:
                ranks.close()
                os._exit("before the process was forked" in str(error))
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
        assert ranks.rank(["Heat"], FILMS).outcome is lr.Outcome.OK


def test_it_cannot_be_sent_to_another_process() -> None:
    with lr.Reranker(ranker="recall_order") as ranks, pytest.raises(InputError, match="make one in each process"):
        pickle.dumps(ranks)


def test_an_endpoint_that_dies_gives_the_recall_order() -> None:
    with serving(ScriptedServer(answer=backwards)) as server:
        ranks = reranker(server, deadline=1.0)
        assert ranks.rank(["Heat"], FILMS).outcome is lr.Outcome.OK
    ranking = ranks.rank(["Fargo"], FILMS)
    assert sorted(ranking.order) == sorted(FILMS) and ranking.outcome is lr.Outcome.ERROR and ranking.reason
    ranks.close()


def test_a_key_that_is_refused_later_does_not_raise() -> None:
    with serving(ScriptedServer(backwards({}), refused(401, "no such key"))) as server, reranker(server) as ranks:
        assert ranks.rank(["Heat"], FILMS).outcome is lr.Outcome.OK
        ranking = ranks.rank(["Fargo"], FILMS)
        assert ranking.outcome is lr.Outcome.ERROR and sorted(ranking.order) == sorted(FILMS)
        assert "401" in ranking.reason and "\n" not in ranking.reason, "one line of a service's log"


@pytest.mark.parametrize("text", ["", "I cannot do that.", "[9] > [9]", "<html>", "\x00" * 100, "[" * 5000])
def test_any_answer_gives_a_full_permutation(text: str) -> None:
    with serving(ScriptedServer(good(text))) as server, reranker(server) as ranks:
        ranking = ranks.rank(["Heat"], FILMS)
        assert sorted(ranking.order) == sorted(FILMS)
        assert ranking.outcome in (lr.Outcome.UNPARSED, lr.Outcome.REPAIRED)


def test_no_history_and_few_candidates_are_normal() -> None:
    with serving(ScriptedServer(answer=backwards)) as server, reranker(server) as ranks:
        assert ranks.rank([], ["Heat"]).order == ("Heat",)
        assert ranks.rank([], []).order == ()
        assert len(ranks.rank([], FILMS).order) == 6


FRAME = pd.DataFrame({"item_id": [1, 2], "title": ["Heat", "Up"], "year": [1995, None]})


@pytest.mark.parametrize(
    ("history", "candidates", "message"),
    [
        ([], ["Heat", "Heat"], "duplicate item_id 'Heat'"),
        ([], [{"item_id": "1"}], r"'candidates\[0\].title': missing title, but 'item_id'"),
        ([], ["Up", {"title": " "}], r"'candidates\[1\].title': invalid title ' '"),
        ([], [{"title": 1917}], "invalid title 1917"),
        ([], [{"id": 1, "title": "Heat"}], r"'candidates\[0\].id': .* did you mean 'item_id'"),
        ([], [{"item_id": None, "title": "Heat"}], r"'candidates\[0\].item_id': missing item_id"),
        ([], [{"item_id": " ", "title": "Heat"}], "empty item_id"),
        ([], [1, 2], r"'candidates\[0\]': expected an item, got int"),
        ([], [lr.Item("1", "Heat"), lr.Item("2", "")], r"'candidates\[1\]': invalid item Item\(item_id='2', title=''"),
        ([lr.Event(cast("Any", "Up"))], ["Heat"], r"'history\[0\]': invalid item 'Up'"),
        ([], [("1", "Heat")], "expected an item, got tuple"),
        ([], "Heat", "'candidates': expected a list, got str"),
        ([], {"1": "Heat"}, "'candidates': expected a list, got dict"),
        ([], FRAME, "expected a list, got DataFrame"),
        ([], [{"title": "Heat", "score": 1}, "Up"], "a score is given for 1 of 2 candidates"),
        ([], [{"title": "Heat", "score": "high"}], r"'candidates\[0\].score': expected a number, got 'high'"),
        (None, ["Heat"], "'history': expected a list, got NoneType"),
        (
            ["Up", {"title": "Heat", "rating": "good"}],
            ["Heat"],
            r"'history\[1\].rating': expected a number, got 'good'",
        ),
        (
            [{"title": "Heat", "timestamp": "2020"}],
            ["Heat"],
            r"'history\[0\].timestamp': expected a number, got '2020'",
        ),
        (
            [{"title": "Heat", "timestamp": -99_999_999_999_999}],
            ["Heat"],
            r"'history\[0\].timestamp': -1e\+14 is not a time in the years 1 to 9999",
        ),
    ],
)
def test_what_is_no_item_or_event_is_the_callers_mistake(history: Any, candidates: Any, message: str) -> None:
    with lr.Reranker(ranker="recall_order") as ranks, pytest.raises(InputError, match=message):
        ranks.rank(history, candidates)


def test_entries_are_read_as_those_of_a_candidate_file() -> None:
    past = {"item_id": 7, "title": "Heat", "rating": 4, "timestamp": 12, "genres": ["Crime", "Drama"]}
    event = lr.Event(lr.Item("7", "Heat", {"genres": "Crime, Drama"}), 4.0, 12.0)
    with serving(ScriptedServer(good("A"))) as server, reranker(server, "pairwise") as ranks:
        for one in (past, event, cast("Any", pd.Series(past)), past | {"timestamp": "1970-01-01T00:00:12Z"}):
            ranks.rank([one], FILMS[:2])
    first, *others = [body["messages"] for body in server.seen]
    assert "rated 4" in first[-1]["content"] and others.count(first) == 3


def test_the_size_of_a_time_tells_its_unit() -> None:
    known = {as_event({"title": "Heat", "timestamp": time}, "history[0]").timestamp for time in (9e8, 9e11, 9e14, 9e17)}
    assert known == {9e8}


def test_rows_of_pandas_are_candidates() -> None:
    seen = list[lr.Case]()

    class Watching(BaseRanker):
        name = "watching"

        def rank(self, case: lr.Case) -> RankingSteps:
            seen.append(case)
            yield from ()
            return lr.Ranking(tuple(item.item_id for item in case.candidates))

    rows: Any = FRAME.assign(score=[0.9, 0.2]).to_dict("records")
    with lr.Reranker(ranker=Watching(), order="recall") as ranks:
        assert ranks.rank([], rows).order == ("1", "2")
        ranks.rank([], cast("Any", [row for _, row in FRAME.iterrows()]), scores=[0.9, 0.2])
    for case in seen:
        assert case.candidates == (lr.Item("1", "Heat", {"year": "1995"}), lr.Item("2", "Up"))
        assert case.recall_scores == (0.9, 0.2)


def test_every_candidate_has_a_score_or_none_has() -> None:
    with lr.Reranker(ranker="recall_order") as ranks, pytest.raises(InputError, match="2 scores for 6 candidates"):
        ranks.rank(["Heat"], FILMS, scores=[1.0, 2.0])
    with (
        lr.Reranker(ranker="recall_order") as ranks,
        pytest.raises(InputError, match=r"'scores\[1\]': expected a number, got nan[\s\S]*or pass no scores"),
    ):
        ranks.rank(["Heat"], FILMS[:2], scores=[1.0, math.nan])


def test_a_baseline_loads_no_model() -> None:
    with lr.Reranker(None, ranker="bm25") as ranks:
        assert ranks.rank(["Film 3"], FILMS).order[0] in FILMS


def test_a_user_may_be_a_number_or_nobody() -> None:
    with (
        serving(ScriptedServer(answer=backwards)) as server,
        lr.Reranker("rankgpt", model=MODEL, base_url=server.base_url) as ranks,
    ):
        for user in (7, np.int64(7), "7", None, math.nan, ""):
            assert ranks.rank(["Heat"], FILMS, user_id=user).outcome is Outcome.OK
    number, numpys, text, *nobody = (json.dumps(body, sort_keys=True) for body in server.seen)
    assert number == numpys == text and nobody[0] == nobody[1] == nobody[2]


def test_a_user_sees_one_order_which_is_that_of_an_evaluation(tmp_path: Path) -> None:
    items = tuple(lr.Item(film, film) for film in FILMS)
    with serving(ScriptedServer(answer=backwards)) as server:
        asks: Any = {"model": MODEL, "base_url": server.base_url, "seed": 3}
        with lr.Reranker("rankgpt", **asks) as ranks:
            ranks.rank(["Heat"], FILMS, user_id="other")
            for user in ("u", "u", "", ""):
                ranks.rank(["Heat"], FILMS, user_id=user)
        case = lr.Case("u", (lr.Event(lr.Item("Heat", "Heat")),), items)
        lr.rerank([case], prompt="rankgpt", store=tmp_path / "s.sqlite", progress=False, **asks)
    other, first, second, without, again, evaluated = (json.dumps(body, sort_keys=True) for body in server.seen)
    assert first == second == evaluated != other and without == again


@pytest.mark.parametrize("asks", [{"ranker": "popularity"}, {"ranker": "item_mean"}, {"prompt": "rankgpt", "shots": 2}])
def test_a_method_that_learns_from_other_users_is_refused(asks: dict[str, Any]) -> None:
    with serving(ScriptedServer(answer=backwards)) as server, pytest.raises(InputError, match="events of other users"):
        lr.Reranker(**asks, **cast("Any", {"model": MODEL, "base_url": server.base_url} if "prompt" in asks else {}))


def test_a_method_that_sees_the_truth_is_refused() -> None:
    with pytest.raises(InputError, match="needs the relevant items"):
        lr.Reranker(ranker="oracle")


def test_nothing_is_kept_unless_a_store_is_named(tmp_path: Path) -> None:
    with serving(ScriptedServer(answer=backwards)) as server:
        with reranker(server) as ranks:
            for _ in range(3):
                ranks.rank(["Heat"], FILMS)
        assert server.calls == 3
        with reranker(server, store=tmp_path / "answers.sqlite") as ranks:
            for _ in range(3):
                ranks.rank(["Heat"], FILMS)
        assert server.calls == 4


def test_a_request_is_what_an_evaluation_would_send(tmp_path: Path) -> None:
    with serving(ScriptedServer(answer=backwards)) as server:
        with reranker(server) as ranks:
            ranks.rank(["Heat"], FILMS)
        case = lr.Case("u", (lr.Event(lr.Item("Heat", "Heat")),), tuple(lr.Item(film, film) for film in FILMS))
        lr.rerank(
            [case],
            prompt="rankgpt",
            model=MODEL,
            base_url=server.base_url,
            order="recall",
            progress=False,
            store=tmp_path / "s.sqlite",
        )
        first, second = (json.dumps(body, sort_keys=True) for body in server.seen)
        assert first == second


@pytest.mark.parametrize(
    ("broken", "place"),
    [("history", r"'history\[1\]\.title'"), ("candidates", r"'candidates\[1\]\.title'"), ("user_id", "'user_id'")],
)
def test_half_a_surrogate_pair_is_refused_with_its_place(broken: str, place: str) -> None:
    given: dict[str, Any] = {"history": ["Heat"], "candidates": FILMS, "user_id": None}
    given[broken] = "\ud800" if broken == "user_id" else ["Alien", "\ud800"]
    with (
        lr.Reranker(ranker="recall_order") as ranks,
        pytest.raises(InputError, match=f"^field {place}.*: invalid text: an unpaired surrogate"),
    ):
        ranks.rank(given["history"], given["candidates"], user_id=given["user_id"])
