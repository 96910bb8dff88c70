"""Throughput when some calls meet a fault: `python -m tests.benchmarks.faults_throughput [--requests 4000]`.

An endpoint in its own process answers after 50 to 500 ms. One call in twenty meets a 429 with or without Retry-After, a
500, a 503, a reset in the body, or two seconds of silence before a 504. The engine (limit, retries, Store, ranker and
parser) ranks Cases, with 64 concurrent calls and with adaptive concurrency; beside it a plain loop of 64 workers over
the same backend retries immediately. All take turns in each round.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

from llmrank.backends.openai import OpenAIBackend, open_openai
from llmrank.engine import Caller, rank_all
from llmrank.errors import TransientError
from llmrank.rankers.listwise import Listwise
from llmrank.store import Store
from llmrank.types import Case, Event, Item, Message, Request
from tests.benchmarks.machine import heading, table
from tests.rankers.oracle import prompt
from tests.scripted_server import MODEL, ScriptedServer, Step, good, refused

WORKERS = 64
Load = Callable[[OpenAIBackend, int], Awaitable[int]]


def serve(pipe: Connection, share: float, shortest: float, longest: float, refusals: str | None) -> None:
    """Serve until the other end is closed; the faults are of all kinds, or refusals with this Retry-After only."""
    draw = Random(0)
    faults = [lambda: refused(429, "slow down", headers={"Retry-After": refusals or "1"})]
    faults += (
        []
        if refusals
        else [
            lambda: refused(429, "slow down"),
            lambda: refused(500, "internal error"),
            lambda: refused(503, "busy"),
            lambda: Step(reset=True),
            lambda: Step(504, "late", hang=2.0),
        ]
    )

    def answer(_: Mapping[str, Any]) -> Step:
        if draw.random() < share:
            return draw.choice(faults)()
        step = good("[2] > [1] > [3]")
        return Step(step.status, step.body, step.headers, hang=draw.uniform(shortest, longest))

    async def main() -> None:
        async with ScriptedServer(answer=answer) as server:
            pipe.send(server.base_url)
            await asyncio.to_thread(pipe.recv)

    asyncio.run(main())


async def with_engine(backend: OpenAIBackend, requests: int, concurrency: int | None = None) -> int:
    """Rank so many Cases, as a command does, so many at once; return how many were ranked well."""
    items = tuple(Item(f"i{place}", f"Film {place}") for place in range(3))
    cases = (Case(f"u{n}", (Event(Item("h", f"Seen by u{n}")),), items) for n in range(requests))
    well: list[bool] = []
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "store.sqlite") as store:
        caller = Caller(backend, store, concurrency)
        await rank_all(
            cases,
            Listwise(prompt("rankgpt")),
            caller,
            arrange=lambda case: case,
            done=lambda one: well.append(one.ranking.outcome == "ok"),
        )
    return sum(well)


async def with_workers(backend: OpenAIBackend, requests: int) -> int:
    """Ask as often, 64 at once, each call again until it is answered."""
    numbers, well = iter(range(requests)), 0

    async def worker() -> None:
        nonlocal well
        for number in numbers:
            while True:
                try:
                    await backend.answer(Request((Message("user", f"rank these {number}"),)))
                    break
                except TransientError:
                    continue
            well += 1

    await asyncio.gather(*(worker() for _ in range(WORKERS)))
    return well


async def measured(base_url: str, load: Load, requests: int) -> float:
    """Return the seconds that the load takes."""
    backend = await open_openai(base_url, MODEL, api_key="none", timeout=30.0)
    started = time.perf_counter()
    well = await load(backend, requests)
    seconds = time.perf_counter() - started
    await backend.close()
    assert well == requests, f"{requests - well} Cases were lost"
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--share", type=float, default=0.05, help="of calls that meet a fault")
    parser.add_argument("--refusals", metavar="SECONDS", help="all faults are refusals with this Retry-After")
    given = parser.parse_args()
    here, there = multiprocessing.Pipe()
    arguments = (there, given.share, 0.05, 0.5, given.refusals)
    process = multiprocessing.get_context("spawn").Process(target=serve, args=arguments, daemon=True)
    process.start()
    base_url = here.recv()
    loads: dict[str, Load] = {
        f"llmrank, {WORKERS} at once": partial(with_engine, concurrency=WORKERS),
        "llmrank": with_engine,
        f"{WORKERS} workers": with_workers,
    }
    seconds: dict[str, list[float]] = {name: [] for name in loads}
    for _ in range(given.rounds):
        for name, load in loads.items():
            seconds[name].append(asyncio.run(measured(base_url, load, given.requests)))
    here.send(None)
    process.join()
    plain = statistics.median(seconds[f"{WORKERS} workers"])
    rows = [
        (
            name,
            f"{statistics.median(taken):.1f}",
            f"{given.requests / statistics.median(taken):,.0f}",
            f"{plain / statistics.median(taken):.2f}",
            ", ".join(f"{one:.1f}" for one in taken),
        )
        for name, taken in seconds.items()
    ]
    kind = f"are refused at random (Retry-After: {given.refusals})" if given.refusals else "meet a fault"
    what = f"{given.requests:,} Cases, answers after 50 to 500 ms, {given.share:.0%} of the calls {kind}"
    command = f"python -m tests.benchmarks.faults_throughput --requests {given.requests} --rounds {given.rounds}"
    command += f" --share {given.share:g} --refusals {given.refusals}" if given.refusals else ""
    print(heading(what, command), table(("", "seconds", "Cases/s", "times 64 workers", "each round"), rows), sep="\n\n")


if __name__ == "__main__":
    main()
