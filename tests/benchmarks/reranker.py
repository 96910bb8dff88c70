"""The latency that a `Reranker` adds to a call, compared with a bare client that sends the same bodies.

`python -m tests.benchmarks.reranker [--calls 2000]`. Both call the same stub, in turns, in one process each. The stub
answers at once to measure the overhead of one call, and after 20 ms for 64 concurrent callers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import aiohttp

import llmrank as lr
from tests.benchmarks.machine import heading, table
from tests.benchmarks.stub_server import MODEL, serving_stub

CANDIDATES = 20
CALLERS = 64


def case(number: int) -> tuple[list[str], list[str]]:
    """Return the history and the candidates of one caller."""
    return [f"Seen film {number}-{n}" for n in range(10)], [f"Film {number}-{n}" for n in range(CANDIDATES)]


def recorded(folder: Path, calls: int) -> list[bytes]:
    """Return the bodies that a Reranker sends for these callers."""
    path = folder / "bodies.jsonl"
    with serving_stub(0.0, record=path) as stub, reranker(stub.base_url) as ranks:
        for number in range(calls):
            ranks.rank(*case(number))
    # What was asked at the start, to see what the endpoint can do, is not of the calls.
    return path.read_bytes().splitlines()[-calls:]


def reranker(base_url: str) -> lr.Reranker:
    """Return the Reranker that is measured."""
    return lr.Reranker("rankgpt", model=MODEL, base_url=base_url)


async def one_by_one(send: Callable[[int], Awaitable[object]], calls: int) -> list[float]:
    """Return the seconds of each of the calls, one after the other."""
    seconds: list[float] = []
    for number in range(calls):
        started = time.perf_counter()
        await send(number)
        seconds.append(time.perf_counter() - started)
    return seconds


async def at_once(send: Callable[[int], Awaitable[object]], calls: int) -> list[float]:
    """Return the seconds of each of the calls, 64 callers at a time."""
    slots, seconds = asyncio.Semaphore(CALLERS), list[float]()

    async def timed(number: int) -> None:
        async with slots:
            started = time.perf_counter()
            await send(number)
            seconds.append(time.perf_counter() - started)

    await asyncio.gather(*map(timed, range(calls)))
    return seconds


Way = Callable[[Callable[[int], Awaitable[object]], int], Awaitable[list[float]]]


async def bare(base_url: str, bodies: Sequence[bytes], way: Way) -> list[float]:
    """Return the seconds of the calls through aiohttp alone; the answer is read, and nothing is made of it."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def send(number: int) -> str:
            headers = {"Content-Type": "application/json"}
            async with session.post(f"{base_url}/chat/completions", data=bodies[number], headers=headers) as answer:
                return json.loads(await answer.read())["choices"][0]["message"]["content"]

        await way(send, min(50, len(bodies)))
        return await way(send, len(bodies))


async def ours(base_url: str, calls: int, way: Way) -> list[float]:
    """Return the seconds of the calls through a Reranker."""
    ranks = await asyncio.to_thread(reranker, base_url)

    async def send(number: int) -> lr.Ranking:
        return await ranks.rank_async(*case(number))

    await way(send, min(50, calls))
    seconds = await way(send, calls)
    await asyncio.to_thread(ranks.close)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        bodies = recorded(Path(name), given.calls)
    lines: list[tuple[str, ...]] = []
    for what, latency, way in (("one caller", 0.0, one_by_one), (f"{CALLERS} callers", 0.02, at_once)):
        mine: list[float] = []
        theirs: list[float] = []
        with serving_stub(latency) as stub:
            for _ in range(given.rounds):
                theirs += asyncio.run(bare(stub.base_url, bodies, way))
                mine += asyncio.run(ours(stub.base_url, given.calls, way))
        for client, seconds in (("aiohttp alone", theirs), ("Reranker", mine)):
            p50, p95 = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]
            over = statistics.median(seconds) - statistics.median(theirs)
            lines.append((what, client, f"{p50 * 1e3:.2f}", f"{p95 * 1e3:.2f}", f"{over * 1e3:.2f}"))
    what = (
        f"{given.calls:,} calls of {CANDIDATES} candidates, {given.rounds} rounds; "
        f"the stub answers one caller at once, {CALLERS} callers after 20 ms"
    )
    print(heading(what, f"python -m tests.benchmarks.reranker --calls {given.calls}", "aiohttp"))
    print()
    print(table(("callers", "client", "p50 ms", "p95 ms", "over the bare client, ms"), lines))


if __name__ == "__main__":
    main()
