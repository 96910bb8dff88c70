"""Requests a second at an endpoint: the complete `llmrank rerank` beside bare clients that send the same bodies.

`python -m tests.benchmarks.over_http [--requests 5000] [--rounds 5]`. Every client runs in its own process against the
same stub; they take turns in each round, so other load on the machine affects all of them. The bare clients send the
bodies that llmrank sent, recorded beforehand; they store nothing and parse no ranking.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.lists import rows, write_jsonl
from tests.benchmarks.machine import heading, table
from tests.benchmarks.stub_server import MODEL, Stub, serving_stub

CANDIDATES = 20
BARE = {
    "openai": "AsyncOpenAI, semaphore",
    "openai-aiohttp": "AsyncOpenAI over aiohttp, semaphore",
    "aiohttp": "aiohttp alone, semaphore",
}


def rerank(folder: Path, candidates: Path, base_url: str, concurrency: int) -> float:
    """Return the seconds that the command takes from its start to its end, with a Store of its own."""
    output, store = folder / "reranked.jsonl", folder / "store.sqlite"
    for path in (output, store, Path(f"{store}-wal"), Path(f"{store}-shm")):
        path.unlink(missing_ok=True)
    command = [sys.executable, "-m", "llmrank", "rerank", str(candidates), "-o", str(output), "--base-url", base_url]
    command += ["--model", MODEL, "--prompt", "rankgpt", "--ranker", "listwise", "--store", str(store), "--json"]
    started = time.perf_counter()
    ran = subprocess.run([*command, "--concurrency", str(concurrency)], capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if ran.returncode:
        sys.exit(ran.stderr)
    result = json.loads(ran.stdout)
    if result["outcomes"] != {"ok": result["rows"]} or result["calls"] != result["rows"]:
        sys.exit(f"not every row was asked once and read: {result}")
    return seconds


def bare(client: str, bodies: Path, base_url: str, concurrency: int) -> float:
    """Return the seconds from the first call to the last, start-up and reading of the bodies left out."""
    command = [sys.executable, "-m", "tests.benchmarks.over_http", "--client", client, "--bodies", str(bodies)]
    command += ["--base-url", base_url, "--concurrency", str(concurrency)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


async def send_all(client: str, bodies: list[dict[str, Any]], base_url: str, concurrency: int) -> float:
    """Send every body, so many at once, and return the seconds it took."""
    import aiohttp
    from openai import AsyncOpenAI, DefaultAioHttpClient

    slots = asyncio.Semaphore(concurrency)

    async def timed(send: Callable[[dict[str, Any]], Awaitable[str]]) -> float:
        async def one(body: dict[str, Any]) -> None:
            async with slots:
                assert await send(body)

        started = time.perf_counter()
        await asyncio.gather(*map(one, bodies))
        return time.perf_counter() - started

    if client == "aiohttp":
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def post(body: dict[str, Any]) -> str:
                async with session.post(f"{base_url}/chat/completions", json=body) as answer:
                    return (await answer.json())["choices"][0]["message"]["content"]

            return await timed(post)
    transport = {"http_client": DefaultAioHttpClient()} if client == "openai-aiohttp" else {}
    async with AsyncOpenAI(base_url=base_url, api_key="none", **transport) as sdk:

        async def create(body: dict[str, Any]) -> str:
            return (await sdk.chat.completions.create(**body)).choices[0].message.content or ""

        return await timed(create)


def recorded(folder: Path, candidates: Path, concurrency: int) -> Path:
    """Return the file with the bodies that llmrank sends for these candidates."""
    path = folder / "bodies.jsonl"
    with serving_stub(0.0, record=path) as stub:
        rerank(folder, candidates, stub.base_url, concurrency)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.02, help="seconds")
    parser.add_argument("--client", choices=list(BARE), help=argparse.SUPPRESS)
    parser.add_argument("--bodies", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--base-url", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.client:
        bodies = [json.loads(line) for line in given.bodies.read_text().splitlines()]
        print(asyncio.run(send_all(given.client, bodies, given.base_url, given.concurrency)))
        return
    with tempfile.TemporaryDirectory() as name, serving_stub(given.latency) as stub:
        print(measured(Path(name), stub, given.requests, given.rounds, given.concurrency, given.latency))


def measured(folder: Path, stub: Stub, requests: int, rounds: int, concurrency: int, latency: float) -> str:
    """Run the rounds and return the block."""
    candidates, one = folder / "candidates.jsonl", folder / "one.jsonl"
    write_jsonl(candidates, rows(requests, candidates=CANDIDATES))
    write_jsonl(one, rows(1, candidates=CANDIDATES, seed=1))
    bodies = recorded(folder, candidates, concurrency)
    seconds: dict[str, list[float]] = {name: [] for name in ("start-up", "llmrank", *BARE)}
    for number in range(rounds):
        seconds["start-up"].append(rerank(folder, one, stub.base_url, concurrency))
        seconds["llmrank"].append(rerank(folder, candidates, stub.base_url, concurrency))
        for client in BARE:
            seconds[client].append(bare(client, bodies, stub.base_url, concurrency))
        print(
            f"round {number + 1}: { ({name: round(times[-1], 2) for name, times in seconds.items()}) }", file=sys.stderr
        )
    middle = {name: statistics.median(times) for name, times in seconds.items()}
    work = statistics.median(
        whole - start for whole, start in zip(seconds["llmrank"], seconds["start-up"], strict=True)
    )
    taken = {
        "llmrank rerank, without start-up": work,
        "llmrank rerank, the whole command": middle["llmrank"],
        **{BARE[client]: middle[client] for client in BARE},
    }
    plain = middle["openai"]
    what = (
        f"{requests:,} listwise Requests of {CANDIDATES} candidates, {latency * 1000:.0f} ms latency, concurrency "
        f"{concurrency}; medians of {rounds} rounds\nllmrank reads, renders, stores, parses, accounts and writes; its "
        f"start-up (the command with one row) takes {middle['start-up']:.2f} s"
    )
    ratios = [
        plain_time / (whole - start)
        for plain_time, whole, start in zip(seconds["openai"], seconds["llmrank"], seconds["start-up"], strict=True)
    ]
    note = (
        f"without start-up, as fast as AsyncOpenAI times: {', '.join(f'{ratio:.2f}' for ratio in ratios)} in each round"
    )
    command = f"python -m tests.benchmarks.over_http --requests {requests} --rounds {rounds}"
    lines = [
        (name, f"{taken[name]:.2f}", f"{requests / taken[name]:,.0f}", f"{plain / taken[name]:.2f}") for name in taken
    ]
    block = table(("client", "seconds", "requests/s", "times AsyncOpenAI"), lines)
    return "\n".join((heading(what, command, "openai", "aiohttp"), "", block, "", note))


if __name__ == "__main__":
    main()
