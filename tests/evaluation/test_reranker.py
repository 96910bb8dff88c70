"""A Reranker never raises for what an endpoint does, and always returns every candidate once."""

from __future__ import annotations

import asyncio
import atexit
import json
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import llmrank as lr
from llmrank.errors import InputError
from tests.evaluation.serving import serving
from tests.scripted_server import MODEL, ScriptedServer, Step, good, refused

FILMS = [f"Film {n}" for n in range(6)]


def backwards(body: Mapping[str, Any]) -> Step:
    return good(" > ".join(f"[{n}]" for n in range(6, 0, -1)))


def reranker(server: ScriptedServer, **more: Any) -> lr.Reranker:
    return lr.Reranker("rankgpt", model=MODEL, base_url=server.base_url, order="recall", **more)


def test_titles_alone_are_enough() -> None:
    with serving(ScriptedServer(answer=backwards)) as server, reranker(server) as ranks:
        ranking = ranks.rank(["Heat"], FILMS)
        assert ranking.order == tuple(reversed(FILMS)) and ranking.outcome is lr.Outcome.OK


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


@pytest.mark.parametrize("candidates", [["Heat", "Heat"], [{"item_id": "1"}], [{"title": " "}]])
def test_candidates_that_cannot_be_told_apart_are_the_callers_mistake(candidates: list[Any]) -> None:
    with serving(ScriptedServer(answer=backwards)) as server, reranker(server) as ranks, pytest.raises(InputError):
        ranks.rank(["Heat"], candidates)


def test_every_candidate_has_a_score_or_none_has() -> None:
    with lr.Reranker(ranker="recall_order") as ranks, pytest.raises(InputError, match="2 scores for 6 candidates"):
        ranks.rank(["Heat"], FILMS, scores=[1.0, 2.0])


def test_a_baseline_loads_no_model() -> None:
    with lr.Reranker(None, ranker="bm25") as ranks:
        assert ranks.rank(["Film 3"], FILMS).order[0] in FILMS


def test_nothing_is_kept_unless_a_store_is_named(tmp_path) -> None:
    with serving(ScriptedServer(answer=backwards)) as server:
        with reranker(server) as ranks:
            for _ in range(3):
                ranks.rank(["Heat"], FILMS)
        assert server.calls == 3
        with reranker(server, store=tmp_path / "answers.sqlite") as ranks:
            for _ in range(3):
                ranks.rank(["Heat"], FILMS)
        assert server.calls == 4


def test_a_request_is_what_an_evaluation_would_send(tmp_path) -> None:
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
