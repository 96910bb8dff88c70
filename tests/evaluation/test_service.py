"""A Reranker inside a FastAPI app, served by uvicorn: many callers at once, a deadline, an endpoint that dies."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aiohttp
import pytest

import llmrank as lr
from tests.evaluation.serving import serving
from tests.scripted_server import MODEL, ScriptedServer, Step, good

uvicorn = pytest.importorskip("uvicorn")
fastapi = pytest.importorskip("fastapi")
FILMS = [f"Film {n}" for n in range(5)]


@contextmanager
def served(base_url: str, deadline: float) -> Generator[str]:
    """Run the app of a service that reranks, and give its URL."""
    held: dict[str, lr.Reranker] = {}

    @asynccontextmanager
    async def lifespan(app: Any) -> Any:
        held["reranker"] = await asyncio.to_thread(
            lr.Reranker, "rankgpt", model=MODEL, base_url=base_url, deadline=deadline, order="recall"
        )
        yield
        await asyncio.to_thread(held["reranker"].close)

    app = fastapi.FastAPI(lifespan=lifespan)

    async def rank(body: dict[str, list[str]]) -> dict[str, Any]:
        ranking = await held["reranker"].rank_async(body["history"], body["candidates"])
        return {"order": ranking.order, "outcome": ranking.outcome}

    app.post("/rank")(rank)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/rank"
    server.should_exit = True
    thread.join()


async def ask(url: str, callers: int) -> list[dict[str, Any]]:
    async with aiohttp.ClientSession() as session:

        async def one(number: int) -> dict[str, Any]:
            body = {"history": [f"Seen {number}"], "candidates": FILMS}
            async with session.post(url, json=body) as answer:
                assert answer.status == 200
                return await answer.json()

        return await asyncio.gather(*map(one, range(callers)))


def backwards(body: Mapping[str, Any]) -> Step:
    return good("[5] > [4] > [3] > [2] > [1]")


def test_64_callers_of_a_service_are_answered() -> None:
    with serving(ScriptedServer(answer=backwards)) as endpoint, served(endpoint.base_url, 30.0) as url:
        answers = asyncio.run(ask(url, 64))
    assert answers == [{"order": FILMS[::-1], "outcome": "ok"}] * 64


def test_a_deadline_and_a_dead_endpoint_are_answered_too() -> None:
    slow = backwards({})
    hanging = ScriptedServer(Step(body=slow.body, headers=slow.headers, hang=30))
    with serving(hanging) as endpoint, served(endpoint.base_url, 0.5) as url:
        late = asyncio.run(ask(url, 4))
    assert late == [{"order": FILMS, "outcome": "error"}] * 4
    with serving(ScriptedServer(answer=backwards)) as endpoint:
        running = served(endpoint.base_url, 1.0)
        url = running.__enter__()
    dead = asyncio.run(ask(url, 4))
    running.__exit__(None, None, None)
    assert dead == [{"order": FILMS, "outcome": "error"}] * 4
