"""Ctrl-C with real processes and signals: once, in good order; twice, at once; and the same command goes on."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmrank.run import read_manifest, read_records
from tests.cli.command import asking, command, environment
from tests.killing import EVAL, RERANK, write_candidates
from tests.scripted_server import ScriptedServer, Step, good

CASES, ANSWERED = 12, 9
SOON = 60.0
"""Seconds: less than any call here takes, and more than a loaded machine needs to end a process."""


class Stalling:
    """Answers so many questions, then none until it is told to."""

    def __init__(self, answered: int) -> None:
        self.answered, self.asked = answered, 0

    def __call__(self, content: Mapping[str, Any]) -> Step:
        self.asked += 1
        return good("Film 1") if self.asked <= self.answered else Step(hang=600)

    async def stalled(self, calls: int) -> None:
        deadline = time.monotonic() + 60
        while self.asked < self.answered + calls:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)


async def start(folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command(*arguments),
        cwd=folder,
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    _, stderr = await asyncio.wait_for(process.communicate(), SOON)
    return process.returncode, stderr.decode()


async def interrupted(folder: Path, stalling: Stalling, arguments: list[str], *signals: signal.Signals) -> str:
    """Give the command, send it the signals once its calls hang, and return what it says before it ends with 130."""
    process = await start(folder, *arguments)
    await stalling.stalled(3)
    for number in signals:
        process.send_signal(number)
    code, said = await ended(process)
    assert code == 130 and "Traceback" not in said, said
    return said


async def gone_on_with(folder: Path, stalling: Stalling, arguments: list[str]) -> None:
    """Give the same command again: it ends well, and asks only for what was not answered."""
    asked, stalling.answered = stalling.asked, 1_000
    code, said = await ended(await start(folder, *arguments))
    assert code == 0, said
    assert stalling.asked - asked == CASES - ANSWERED


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_once_leaves_a_readable_run_and_says_how_to_go_on(tmp_path: Path, number: signal.Signals) -> None:
    write_candidates(tmp_path / "candidates.jsonl", CASES)
    stalling = Stalling(ANSWERED)
    async with ScriptedServer(answer=stalling) as server:
        arguments = asking(server.base_url, *EVAL, "--no-profile", concurrency=3)
        said = await interrupted(tmp_path, stalling, arguments, number)
        assert "the same command continues" in said and f"Cases {ANSWERED}/{CASES}" in said
        assert len(read_records(tmp_path / "run")) == ANSWERED
        assert read_manifest(tmp_path / "run")["origin"]["verb"] == "eval"
        await gone_on_with(tmp_path, stalling, arguments)
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["cases"] == CASES


@pytest.mark.parametrize("numbers", [(signal.SIGTERM,), (signal.SIGHUP, signal.SIGHUP)], ids=["term", "hup"])
async def test_calls_under_way_are_waited_for_whoever_asks_to_stop(
    tmp_path: Path, numbers: tuple[signal.Signals, ...]
) -> None:
    write_candidates(tmp_path / "candidates.jsonl", CASES)
    asked: list[Mapping[str, Any]] = []

    def slow(content: Mapping[str, Any]) -> Step:
        asked.append(content)
        return replace(good("Film 1"), hang=3.0)

    async with ScriptedServer(answer=slow) as server:
        arguments = asking(server.base_url, *EVAL, "--no-profile", concurrency=3)
        ignored = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # by nohup: what is ignored stays so in a new process
        process = await start(tmp_path, *arguments)
        signal.signal(signal.SIGHUP, ignored)
        while len(asked) < 3:
            assert process.returncode is None
            await asyncio.sleep(0.02)
        for number in numbers:
            process.send_signal(number)
        assert (await ended(process))[0] == 130
        assert len(asked) == 3 == len(read_records(tmp_path / "run"))
        assert (await ended(await start(tmp_path, *arguments)))[0] == 0
        assert len(asked) == CASES


async def test_once_while_reranking_keeps_what_was_done(tmp_path: Path) -> None:
    write_candidates(tmp_path / "candidates.jsonl", CASES)
    stalling = Stalling(ANSWERED)
    async with ScriptedServer(answer=stalling) as server:
        arguments = asking(server.base_url, *RERANK, "--no-profile", concurrency=3)
        assert "the same command continues" in await interrupted(tmp_path, stalling, arguments, signal.SIGINT)
        await gone_on_with(tmp_path, stalling, arguments)
    assert len((tmp_path / "reranked.jsonl").read_text().splitlines()) == CASES


async def test_twice_while_calls_hang_leaves_a_run_that_goes_on(tmp_path: Path) -> None:
    write_candidates(tmp_path / "candidates.jsonl", CASES)
    stalling = Stalling(ANSWERED)
    async with ScriptedServer(answer=stalling) as server:
        arguments = asking(server.base_url, *EVAL, "--no-profile", concurrency=3)
        await interrupted(tmp_path, stalling, arguments, signal.SIGINT, signal.SIGINT)
        assert len(read_records(tmp_path / "run")) == ANSWERED
        await gone_on_with(tmp_path, stalling, arguments)


HELD_UP = """
import asyncio, signal, sys
from llmrank.evaluation.session import Session

signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the tests run in the background

async def work(stop):
    print("working", flush=True)
    await asyncio.sleep(600)  # an engine that takes its time, whatever it is asked

try:
    with Session.without_model(say=lambda line: print(line, file=sys.stderr, flush=True)) as session:
        session.run_to_end(work)
except KeyboardInterrupt:
    sys.exit(130)
"""


async def test_three_times_quits_at_once_whatever_is_still_under_way() -> None:
    process = await asyncio.create_subprocess_exec(
        command()[0], "-c", HELD_UP, env=environment(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    assert await asyncio.wait_for(process.stdout.readline(), SOON) == b"working\n"
    for said in (b"Press Ctrl-C again to stop at once", b"Press Ctrl-C again to quit at once"):
        process.send_signal(signal.SIGINT)
        assert said in await asyncio.wait_for(process.stderr.readline(), SOON)
    process.send_signal(signal.SIGINT)
    code, rest = await ended(process)
    assert code == 130 and rest == ""


def test_while_modules_are_imported_it_ends_the_command_without_a_traceback(tmp_path: Path) -> None:
    # A module that swallows it, as C code and callbacks of the garbage collector do, and one that calls it its own.
    (tmp_path / "slow.py").write_text(
        "import os, signal\n"
        "try:\n    os.kill(os.getpid(), signal.SIGINT)\n    sum(range(10**6))\n"
        "except KeyboardInterrupt as error:\n    raise ImportError('broken') from error\n"
    )
    main = "from llmrank import cli\ncli._check_environment = lambda: __import__('slow')\ncli.main()\n"
    ended = subprocess.run(
        [sys.executable, "-c", main, "prompts", "list"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 130 and "Interrupted." in ended.stderr and "Traceback" not in ended.stderr, ended.stderr


def test_before_the_command_begins_it_ends_without_a_traceback(tmp_path: Path) -> None:
    # The first module that it imports of others, found in the current folder.
    (tmp_path / "click.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nsum(range(10**6))\n")
    ended = subprocess.run(
        command("prompts", "list"), cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (-signal.SIGINT, "")
