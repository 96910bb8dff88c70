"""Prices, bounds and batches through the command line, against a real HTTP server; with processes that are killed."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.batch_server import BatchServer, Moment, answered
from tests.scripted_server import MODEL

USERS = 8
PRICES = """
date: 2026-11-01
currency: EUR
models:
  scripted-model: {input: 1000, cached_input: 100, output: 2000, batch: 0.5}
"""
DIRECT = (6 * 1000 + 4 * 100 + 5 * 2000) / 1_000_000
"""What the server's answer to one direct call costs: 10 prompt tokens, 4 of them cached, and 5 completion tokens."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return filled(tmp_path)


def filled(folder: Path) -> Path:
    items = [{"item_id": str(n), "title": f"Film {n}"} for n in range(5)]
    rows = [
        {"user_id": f"u{n}", "history": [{"item_id": "9", "title": "Old " * (n + 1)}], "candidates": items,
         "relevant": [str(n % 5)]}
        for n in range(USERS)
    ]  # fmt: skip
    (folder / "candidates.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "prices.yaml").write_text(PRICES)
    return folder


async def start(folder: Path, server: BatchServer, verb: str, *arguments: str) -> asyncio.subprocess.Process:
    where = (
        ("--data", "candidates.jsonl", "--out", "run") if verb == "eval" else ("candidates.jsonl", "-o", "out.jsonl")
    )
    command = [sys.executable, "-m", "llmrank", verb, *where, "--base-url", server.base_url, "--model", MODEL]
    return await asyncio.create_subprocess_exec(
        *command, "--store", "store.sqlite", *arguments,
        cwd=folder, stdout=PIPE, stderr=PIPE, env={**os.environ, "OPENAI_API_KEY": "sk-secret"},
    )  # fmt: skip


async def llmrank(folder: Path, server: BatchServer, verb: str, *arguments: str, code: int = 0) -> tuple[str, str]:
    """Return stdout and stderr of a command that ends with the exit code."""
    process = await start(folder, server, verb, *arguments)
    out, err = (text.decode() for text in await process.communicate())
    assert process.returncode == code and "Traceback" not in err, err
    return out, err


def numbers(folder: Path) -> dict[str, Any]:
    metrics = json.loads((folder / "run" / "metrics.json").read_text())
    metrics["usage"].pop("seconds")
    return metrics


def sessions(folder: Path) -> list[dict[str, Any]]:
    return json.loads((folder / "run" / "manifest.json").read_text())["sessions"]


async def test_a_run_that_stops_at_a_bound_is_continued_and_its_money_adds_up(folder: Path) -> None:
    priced = ("--no-profile", "--prices", "prices.yaml")
    async with BatchServer() as server:
        out, err = await llmrank(folder, server, "eval", *priced, "--max-requests", "3", code=5)
        assert not out and "--max-requests 3" in err and "the same command continues" in err and server.calls == 3
        out, err = await llmrank(folder, server, "eval", *priced, "--max-cost", "10")
        assert server.calls == USERS and set(server.paid.values()) == {1}
    assert f"{USERS * DIRECT:.4f} EUR for these answers, {(USERS - 3) * DIRECT:.4f} EUR now" in out
    assert "prices of 2026-11-01" in out and "50 prompt and 25 completion tokens, 0.0820 EUR" in err
    usage = numbers(folder)["usage"]
    assert (usage["cost"], usage["currency"]) == (pytest.approx(USERS * DIRECT), "EUR")
    stopped, finished = sessions(folder)
    assert stopped["stopped"] == "BoundReachedError" and "stopped" not in finished
    assert (stopped["calls"], finished["calls"]) == (3, USERS - 3)
    assert stopped["spent"]["cost"] + finished["spent"]["cost"] == pytest.approx(usage["cost"])
    assert finished["prices"]["dated"] == "2026-11-01" and finished["prices"]["direct"]["input"] == 1000


async def test_prices_that_were_given_once_hold_until_others_are_given(folder: Path) -> None:
    async with BatchServer() as server:
        await llmrank(folder, server, "eval", "--no-profile", "--prices", "prices.yaml", "--max-requests", "3", code=5)
        out, _ = await llmrank(folder, server, "eval", "--no-profile")  # answers of both sessions, at the known prices
        usage = numbers(folder)["usage"]
        assert usage["cost"] == pytest.approx(USERS * DIRECT) and "prices of 2026-11-01" in out
        await llmrank(folder, server, "eval", "--no-profile")
        assert numbers(folder)["usage"] == usage
        (folder / "dearer.yaml").write_text(PRICES.replace("2026-11-01", "2026-11-02").replace("1000", "2000"))
        await llmrank(folder, server, "eval", "--no-profile", "--prices", "dearer.yaml")
        dearer = numbers(folder)["usage"]
        assert dearer["cost"] > usage["cost"] and dearer["prices_dated"] == "2026-11-02"
    assert ["prices" in session for session in sessions(folder)] == [True, False, False, True]


async def test_rerank_keeps_a_bound_too(folder: Path) -> None:
    async with BatchServer() as server:
        await llmrank(folder, server, "rerank", "--no-profile", "--max-requests", "3", code=5)
        assert not (folder / "out.jsonl").exists() and server.calls == 3
        out, _ = await llmrank(folder, server, "rerank", "--no-profile", "--prices", "prices.yaml")
        assert "8 rows" in out and "EUR" in out and server.calls == USERS


def with_letters(body: Mapping[str, Any]) -> tuple[int, Any]:
    status, content = answered(body)
    top = [{"token": letter, "logprob": -float(place)} for place, letter in enumerate("ABCDE", 1)]
    content["choices"][0]["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
    return status, content


async def test_the_call_that_tries_the_endpoint_counts_too(folder: Path) -> None:
    async with BatchServer(answer=with_letters) as server:
        await llmrank(folder, server, "eval", "--ranker", "first_token", "--max-requests", "3", code=5)
        assert server.calls == 3 and sessions(folder)[0]["spent"]["requests"] == 3
        await llmrank(folder, server, "eval", "--ranker", "first_token")
        assert server.calls == USERS + 1 and set(server.paid.values()) == {1}


async def test_a_dry_run_says_what_is_left_to_pay(folder: Path) -> None:
    priced = ("--no-profile", "--prices", "prices.yaml")
    async with BatchServer() as server:
        out, _ = await llmrank(folder, server, "eval", *priced, "--dry-run")
        assert "8 requests" in out and "The store has" not in out and "At most" in out and "cached" not in out
        await llmrank(folder, server, "eval", *priced, "--max-requests", "3", code=5)
        out, _ = await llmrank(folder, server, "eval", *priced, "--dry-run")
        assert (
            "The store has 3 of the answers; left to ask: at most 5 requests" in out
            and "40% of the prompt is cached" in out
        )
        told = json.loads((await llmrank(folder, server, "eval", *priced, "--dry-run", "--json"))[0])
        most = told["left"]["prompt_tokens"] * 1000 + told["left"]["completion_tokens"] * 2000
        assert told["most_cost"] == pytest.approx(most / 1_000_000)
        batch = json.loads((await llmrank(folder, server, "eval", *priced, "--dry-run", "--json", "--batch"))[0])
        assert batch["most_cost"] == pytest.approx(told["most_cost"] / 2)
        assert server.calls == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--max-cost", "1"), "--prices"),
        (("--prices", "absent.yaml"), "absent.yaml"),
        (("--prices", "other.yaml"), "did you mean 'scripted-modl'?"),
        (("--backend", "vllm", "--batch"), "--backend openai"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
async def test_what_cannot_be_is_said_before_anything_is_asked(
    folder: Path, arguments: tuple[str, ...], said: str
) -> None:
    (folder / "other.yaml").write_text(PRICES.replace(MODEL, "scripted-modl"))
    async with BatchServer() as server:
        _, err = await llmrank(folder, server, "eval", *arguments, code=2)
        assert said in err and "hint" in err and server.calls == 0


async def test_old_prices_are_used_with_a_note(folder: Path) -> None:
    (folder / "prices.yaml").write_text(PRICES.replace("2026-11-01", "2020-01-01"))
    async with BatchServer() as server:
        out, err = await llmrank(folder, server, "eval", "--prices", "prices.yaml", "--no-profile")
        assert "prices.yaml: the prices are dated 2020-01-01, more than a year ago" in err and "2020-01-01" in out


@pytest.fixture(scope="module")
async def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a Run with `--batch` that nothing disturbed."""
    folder = filled(tmp_path_factory.mktemp("undisturbed"))
    async with BatchServer() as server:
        await llmrank(folder, server, "eval", "--prices", "prices.yaml", "--batch")
        assert set(server.paid.values()) == {1}
        # Profile first, then the ranking: two rounds.
        assert len(server.batches) == 2 and server.calls == 1
    return folder


async def test_a_batch_has_its_price(undisturbed: Path) -> None:
    cost = numbers(undisturbed)["usage"]["cost"]
    assert cost == pytest.approx(DIRECT * (1 + (2 * USERS - 1) / 2))
    assert sessions(undisturbed)[0]["spent"]["cost"] == pytest.approx(cost)


async def test_direct_calls_find_what_batches_brought(folder: Path) -> None:
    async with BatchServer() as server:
        await llmrank(folder, server, "eval", "--no-profile", "--batch")
        out, _ = await llmrank(folder, server, "rerank", "--no-profile")
        assert "8 rows" in out and "; 0 calls" in out and server.calls == 1


KILLED_AT: list[Moment] = [
    ("upload", "before"),
    ("upload", "after"),
    ("create", "before"),
    ("create", "after"),
    ("look", "before"),
    ("download", "before"),
]


@pytest.mark.parametrize("moment", KILLED_AT, ids=" ".join)
async def test_a_kill_at_any_moment_of_a_batch_pays_nothing_twice(
    folder: Path, undisturbed: Path, moment: Moment
) -> None:
    command = ("eval", "--prices", "prices.yaml", "--batch")
    async with BatchServer(hold=moment) as server:
        process = await start(folder, server, *command)
        await asyncio.wait_for(server.held.wait(), 60)
        process.kill()
        assert await process.wait() == -9
        _, err = await llmrank(folder, server, *command)
        assert "resuming batch" in err
        assert set(server.paid.values()) == {1} and len(server.paid) == 2 * USERS
        assert len(server.batches) == 2, "one a round"
        assert not list((folder / "store.sqlite.batches").iterdir())
    # Which calls were direct ones (the first of each process) changes the money, and nothing else.
    got, expected = numbers(folder), numbers(undisturbed)
    assert got["usage"].pop("cost") >= expected["usage"].pop("cost")
    assert got == expected


async def test_without_batch_the_person_is_told_of_what_waits_in_one(folder: Path) -> None:
    async with BatchServer(hold=("look", "before")) as server:
        process = await start(folder, server, "eval", "--batch", "--no-profile")
        await asyncio.wait_for(server.held.wait(), 60)
        process.kill()
        await process.wait()
        _, err = await llmrank(folder, server, "eval", "--no-profile", "--max-requests", "0", code=5)
        assert f"{USERS - 1} requests are pending in a batch: use --batch" in err
