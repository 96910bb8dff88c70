"""Kills a command at random moments until it is done, and counts what that cost. The test and the table share it."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llmrank.run import read_records
from tests.deterministic_server import deterministic_server, question_hash
from tests.scripted_server import MODEL

CONCURRENCY = 8
LATE_KILLS = 2
"""Of the kills, those that come when all has been asked: while numbers are worked out and files are written."""
PATIENCE = 60.0
QUIET = 0.2
"""Seconds without a question after which none is under way any more."""


EVAL = ("eval", "--data", "candidates.jsonl", "--users", "0", "--prompt", "palr", "--out", "run")
RERANKED = "reranked.jsonl"
RERANK = ("rerank", "candidates.jsonl", "-o", RERANKED, "--prompt", "palr")


@dataclass
class Killing:
    """What a command that was killed again and again did."""

    kills: int = 0
    asked: list[str] = field(default_factory=list)
    """The questions that came to the server, in order."""
    in_flight: int = 0
    """Questions that had come when it was killed, and whose answers the Store did not hold."""
    asked_though_stored: int = 0
    """Questions that came although, at an earlier kill, the Store held the answer."""
    seconds: float = 0.0

    @property
    def repeated(self) -> int:
        """How many questions came that had come before."""
        return len(self.asked) - len(set(self.asked))


def write_candidates(path: Path, cases: int) -> None:
    """Write a candidate file of so many users, each with 5 films behind them and 10 to rank."""
    choice = random.Random(0)
    with path.open("w") as file:
        for user in range(cases):
            films = [{"item_id": str(i), "title": f"Film {i}"} for i in choice.sample(range(400), 15)]
            row = {"user_id": f"u{user}", "history": films[:5], "candidates": films[5:]}
            file.write(json.dumps(row | {"relevant": [choice.choice(films[5:])["item_id"]]}) + "\n")


def run_killed(
    folder: Path,
    arguments: Sequence[str],
    *,
    kills: int,
    questions: int = 0,
    seed: int = 0,
    check: Callable[[Path], None] = lambda folder: None,
) -> Killing:
    """Run `llmrank ARGUMENTS` in the folder against a server of its own, killed so many times, then to its end.

    The moments are spread by `seed` over the `questions` that the command asks in all. After each kill `check` looks at
    what lies in the folder. Raises AssertionError when the last run does not end well.
    """
    started, choice = time.monotonic(), random.Random(seed)
    early = sorted(choice.randrange(questions) for _ in range(kills - LATE_KILLS)) if kills else []
    moments = [*early, *([questions] * LATE_KILLS if kills else [])]
    killing, stored = Killing(), list[tuple[int, set[str]]]()
    log = folder / "questions.log"
    log.touch()
    with deterministic_server(log) as url:
        command = [sys.executable, "-m", "llmrank", *arguments, "--base-url", url, "--model", MODEL]
        command += ["--store", "store.sqlite", "--concurrency", str(CONCURRENCY)]
        for moment in moments:
            with subprocess.Popen(
                command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
            ) as process:
                deadline = time.monotonic() + PATIENCE
                while len(set(_lines(log))) < moment:
                    assert process.poll() is None and time.monotonic() < deadline, "it neither works nor waits"
                    time.sleep(0.005)
                # From the start of the process, or from the question, to anywhere in what follows.
                time.sleep(choice.uniform(0, 0.2))
                if moment < questions or process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                ended = process.wait()
            assert ended in (-signal.SIGKILL, 0), ended
            killing.kills += ended == -signal.SIGKILL
            check(folder)
            stored.append((len(_settled(log)), _stored(folder / "store.sqlite")))
            if ended == 0 or (folder / RERANKED).exists():
                break
        else:
            last = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            assert last.returncode == 0, last.stderr
    killing.asked = _lines(log)
    begun = 0
    for place, held in stored:
        killing.in_flight += len({*killing.asked[begun:place]} - held)
        begun = place
    killing.asked_though_stored = sum(len(held.intersection(killing.asked[place:])) for place, held in stored)
    killing.seconds = time.monotonic() - started
    return killing


@dataclass(frozen=True)
class Compared:
    """A command killed again and again beside the same command undisturbed."""

    undisturbed: Killing
    killed: Killing
    same_result: bool

    @property
    def most_in_flight(self) -> int:
        """How many calls can have been under way at the kills."""
        return CONCURRENCY * self.killed.kills


def compare_killed(
    folder: Path,
    arguments: Sequence[str],
    *,
    cases: int,
    kills: int,
    result: Callable[[Path], object],
    check: Callable[[Path], None] = lambda folder: None,
) -> Compared:
    """Run the command in a folder undisturbed, in another killed, and compare what `result` returns of the two."""
    quiet, wild = folder / "undisturbed", folder / "killed"
    for one in (quiet, wild):
        one.mkdir()
        write_candidates(one / "candidates.jsonl", cases)
    undisturbed = run_killed(quiet, arguments, kills=0)
    killed = run_killed(wild, arguments, kills=kills, questions=len(set(undisturbed.asked)), check=check)
    return Compared(undisturbed, killed, result(quiet) == result(wild))


def metrics_of(folder: Path) -> object:
    """Return what `eval` made in the folder: metrics.json but for the seconds, and the Cases but for theirs."""
    metrics = json.loads((folder / "run" / "metrics.json").read_text())
    del metrics["usage"]["seconds"]
    lines = (folder / "run" / "records.jsonl").read_text().splitlines()
    # A Run's keys are made with the server's address.
    cases = {row["case_id"]: row | {"seconds": 0, "requests": len(row["requests"])} for row in map(json.loads, lines)}
    return metrics, cases


def reranked_of(folder: Path) -> object:
    """Return what `rerank` made in the folder: the file, and whether anything unfinished is left."""
    return (folder / RERANKED).read_bytes(), [*folder.glob("*.part")]


def check_run(folder: Path) -> None:
    """Raise AssertionError or ValueError if a Run, after a kill, could not be read."""
    run = folder / "run"
    if (run / "manifest.json").exists():
        assert json.loads((run / "manifest.json").read_text())["origin"]["verb"] == "eval"
    if (run / "metrics.json").exists():
        assert json.loads((run / "metrics.json").read_text())["cases"]
    if (run / "records.jsonl").exists():
        read_records(run)


def _lines(log: Path) -> list[str]:
    return log.read_text().split()


def _settled(log: Path) -> list[str]:
    """Return the questions once those have come, too, that a killed process had sent and the server not yet read."""
    before, lines = list[str](), _lines(log)
    while lines != before:
        time.sleep(QUIET)
        before, lines = lines, _lines(log)
    return lines


def _stored(store: Path) -> set[str]:
    """Return the hashes of the questions that the Store holds an answer to."""
    if not store.exists():
        return set()
    with sqlite3.connect(store) as database:
        tables = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'response'").fetchall()
        rows = database.execute("SELECT request FROM response").fetchall() if tables else []
    database.close()
    return {question_hash(json.loads(text)["messages"]) for (text,) in rows}
