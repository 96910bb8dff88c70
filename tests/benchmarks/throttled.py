"""How much of an allowed rate is used, and how much is rejected: `python -m tests.benchmarks.throttled [SECONDS]` (60).

An endpoint in its own process accepts 50 calls a second (a token bucket), answers each after 20 ms, and rejects the
excess with 429. The engine adapts its concurrency; beside it a plain loop with a semaphore of 64 retries when the
endpoint says, or after half a second.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from llmrank.backends.openai import OpenAIBackend, open_openai
from llmrank.engine import Caller, rank_all
from llmrank.errors import TransientError
from llmrank.rankers.listwise import Listwise
from llmrank.store import Store
from llmrank.types import Case, Event, Item, Message, Request
from tests.engine.simulated import Bucket
from tests.rankers.oracle import prompt
from tests.scripted_server import MODEL, completion

RATE, LATENCY, SETTLED = 50.0, 0.02, 30.0
ENDPOINTS = {
    "Retry-After: 1, burst 5": (5.0, 1.0),
    "no Retry-After, burst 5": (5.0, None),
    "Retry-After: 1, burst 50": (50.0, 1.0),
}
Load = Callable[[OpenAIBackend, float], Awaitable[None]]


def serve(pipe: Connection, burst: float, retry_after: float | None) -> None:
    """Serve until the other end wants to know how it went: the moments of what was taken and of what was refused."""
    from aiohttp import web

    bucket = Bucket(RATE, burst, retry_after=retry_after)
    answer = json.dumps(completion("[2] > [1] > [3]")).encode()
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}

    async def complete(request: web.Request) -> web.Response:
        await request.read()
        if not bucket.takes(time.monotonic()):
            return web.json_response({"error": {"message": "slow down"}}, status=429, headers=headers)
        await asyncio.sleep(LATENCY)
        return web.Response(body=answer, content_type="application/json")

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": MODEL}]})

    async def main() -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", complete)
        app.router.add_get("/v1/models", models)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        bucket.last = time.monotonic()
        pipe.send(runner.addresses[0][1])
        await asyncio.to_thread(pipe.recv)
        pipe.send((bucket.accepted, bucket.refused))

    asyncio.run(main())


async def with_limit(backend: OpenAIBackend, seconds: float) -> None:
    """Rank Cases for so many seconds: engine, Store, ranker and parser."""
    end = time.monotonic() + seconds
    items = tuple(Item(f"i{place}", f"Film {place}") for place in range(3))

    def cases() -> Iterator[Case]:
        number = 0
        while time.monotonic() < end:
            number += 1
            yield Case(f"u{number}", (Event(Item("h", f"Seen by u{number}")),), items)

    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "store.sqlite") as store:
        caller = Caller(backend, store)
        await rank_all(cases(), Listwise(prompt("rankgpt")), caller, arrange=lambda case: case, done=lambda _: None)


async def with_semaphore(backend: OpenAIBackend, seconds: float) -> None:
    """Ask for so many seconds, 64 at once."""
    end = time.monotonic() + seconds
    slots = asyncio.Semaphore(64)

    async def ask() -> None:
        while time.monotonic() < end:
            async with slots:
                try:
                    await backend.answer(Request((Message("user", "rank these"),)))
                except TransientError as fault:
                    await asyncio.sleep(0.5 if fault.wait is None else fault.wait)

    await asyncio.gather(*(ask() for _ in range(64)))


async def measure(load: Load, burst: float, retry_after: float | None, seconds: float) -> tuple[float, float, float]:
    """Return the share of the allowed rate that was used in all and after 30 s, and the share refused after 30 s."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(there, burst, retry_after), daemon=True)
    process.start()
    port = await asyncio.to_thread(here.recv)
    backend = await open_openai(f"http://127.0.0.1:{port}/v1", MODEL, api_key="none")
    begin = time.monotonic()
    await load(backend, seconds)
    await backend.close()
    here.send(None)
    accepted, refused = await asyncio.to_thread(here.recv)
    process.join()
    settled, end = begin + min(SETTLED, seconds / 2), begin + seconds
    late_accepted = sum(settled <= when < end for when in accepted)
    late_refused = sum(settled <= when < end for when in refused)
    late = late_accepted + late_refused
    in_all = sum(when < end for when in accepted)
    return in_all / RATE / seconds, late_accepted / RATE / (end - settled), late_refused / late if late else 0.0


async def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    after = min(SETTLED, seconds / 2)
    print(
        f"{RATE:.0f} calls a second allowed, {seconds:.0f} s each; {os.cpu_count()} cores, "
        f"Python {sys.version.split()[0]}, {time.strftime('%Y-%m-%d')}\n"
    )
    print(f"| endpoint | loop | used of what is allowed | used after {after:.0f} s | refused after {after:.0f} s |")
    print("|---|---|---|---|---|")
    for name, (burst, retry_after) in ENDPOINTS.items():
        for loop, load in (("llmrank", with_limit), ("semaphore of 64", with_semaphore)):
            used, late, refused = await measure(load, burst, retry_after, seconds)
            print(f"| {name} | {loop} | {used:.1%} | {late:.1%} | {refused:.1%} |", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
