"""`rerank` in parts: folders and shards give the rows of one process, each once, and are continued."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import llmrank as lr
from llmrank.data.candidate_writing import write_cases
from llmrank.errors import LlmrankError
from llmrank.evaluation.rerank import RerankJob, estimate_rerank
from llmrank.evaluation.settings import ModelSettings
from llmrank.evaluation.setup import Setup
from llmrank.progress import Reporter
from llmrank.types import Case, Event, Item
from tests.data.test_reranked import read_back
from tests.scale.answering_server import MODEL, Endpoint, answering

ITEMS = [Item(str(number), f"Item number {number}") for number in range(60)]
ROWS = 12
Command = Callable[..., subprocess.CompletedProcess[str]]


def cases(users: range) -> Iterator[Case]:
    for user in users:
        drawn = random.Random(user).sample(ITEMS, 14)
        yield Case(str(user), tuple(map(Event, drawn[:4])), tuple(drawn[4:]))


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with answering(0) as found:
        yield found


@pytest.fixture
def rerank(tmp_path: Path, endpoint: Endpoint) -> Command:
    """Return a function that runs `rerank` and expects an exit code (0)."""
    asks = ("--prompt", "rankgpt", "--base-url", endpoint.base_url, "--model", MODEL)

    def run(*arguments: str, expected: int = 0) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "llmrank", "rerank", *arguments, *asks]
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ran.returncode == expected, ran.stderr
        assert "Traceback" not in ran.stderr
        return ran

    return run


def write_folder(folder: Path, *suffixes: str) -> None:
    folder.mkdir()
    for number, suffix in enumerate(suffixes):
        write_cases(folder / f"part-{number}{suffix}", cases(range(number * ROWS, (number + 1) * ROWS)))


def rankings(*paths: Path) -> list[tuple[str, Any]]:
    """Return the users with their rankings, in the order of the rows."""
    return [(str(row["user_id"]), row["ranking"]) for path in paths for row in read_back(path)]


def test_a_folder_gives_the_rankings_of_its_files_and_what_is_done_is_left_alone(
    tmp_path: Path, rerank: Command
) -> None:
    write_folder(tmp_path / "in", ".parquet", ".jsonl", ".jsonl.gz")
    write_cases(tmp_path / "all.parquet", cases(range(3 * ROWS)))
    rerank("all.parquet", "-o", "whole.parquet", "--store", "store.sqlite")
    first = rerank("in", "-o", "out")
    assert "36 rows" in first.stdout and "36 calls" in first.stdout and "[3/3]" in first.stderr
    files = [
        tmp_path / "out" / f"part-{number}{suffix}" for number, suffix in enumerate((".parquet", ".jsonl", ".jsonl.gz"))
    ]
    assert rankings(*files) == rankings(tmp_path / "whole.parquet")
    before = [path.stat().st_mtime_ns for path in files]
    files[1].unlink()
    again = rerank("in", "-o", "out", "--json")
    said = json.loads(again.stdout)
    assert (said["rows"], said["outcomes"], said["calls"]) == (ROWS, {"ok": ROWS}, 0)
    assert said["completion_tokens"] == ROWS * 20 and said["spent"]["requests"] == 0
    assert "2 of 3 files already done" in again.stderr
    assert [files[0].stat().st_mtime_ns, files[2].stat().st_mtime_ns] == [before[0], before[2]]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *(path.name for path in files),
        *(f"_{path.name}.settings.json" for path in files),
        "_settings.json",
        "_stores",
    }


DIES = """
import os
from llmrank import cli
from llmrank.data import reranked
reranked.write_json = lambda *_: os._exit(9)  # the settings, after the output
cli.main()
"""


def test_a_part_whose_process_died_at_the_very_end_is_tidied_up(
    tmp_path: Path, rerank: Command, endpoint: Endpoint
) -> None:
    write_folder(tmp_path / "in", ".jsonl", ".jsonl")
    rerank("in", "-o", "out")
    there = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*part-1*")}
    (tmp_path / "out" / "part-1.jsonl").unlink()
    command = [sys.executable, "-c", DIES, "rerank", "in", "-o", "out", "--prompt", "rankgpt", "--model", MODEL]
    command += ["--base-url", endpoint.base_url]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 9
    assert (tmp_path / "out" / "part-1.jsonl").exists() and (tmp_path / "out" / "part-1.jsonl.part").exists()
    assert "1 of 2 files already done" in rerank("in", "-o", "out").stderr
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*part-1*")} == there


def test_other_settings_are_refused_even_when_all_is_done_and_force_begins_again(
    tmp_path: Path, rerank: Command
) -> None:
    write_folder(tmp_path / "in", ".jsonl")
    rerank("in", "-o", "out")
    refused = rerank("in", "-o", "out", "--seed", "1", expected=2)
    assert "seed: was 0, now 1" in refused.stderr and "--force" in refused.stderr
    before = rankings(tmp_path / "out" / "part-0.jsonl")
    rerank("in", "-o", "out", "--seed", "1", "--force")
    assert rankings(tmp_path / "out" / "part-0.jsonl") != before


def test_a_wrong_file_does_not_keep_the_others_and_is_named(tmp_path: Path, rerank: Command) -> None:
    write_folder(tmp_path / "in", ".jsonl", ".jsonl", ".jsonl")
    wrong = tmp_path / "in" / "part-1.jsonl"
    right = wrong.read_text()
    wrong.write_text(right.replace("Item number", " ", 1).replace('"title":"', '"titel":"', 1))
    ran = rerank("in", "-o", "out", expected=2)
    assert "1 of 3 files" in ran.stderr and "part-1.jsonl, line 1" in ran.stderr and "title" in ran.stderr
    assert {path.name for path in (tmp_path / "out").glob("*.jsonl")} == {"part-0.jsonl", "part-2.jsonl"}
    wrong.write_text(right)
    mended = rerank("in", "-o", "out")
    assert f"{ROWS} rows" in mended.stdout and "2 of 3 files already done" in mended.stderr


def test_shards_of_a_file_are_together_the_whole_each_row_once(tmp_path: Path, rerank: Command) -> None:
    write_cases(tmp_path / "all.parquet", cases(range(40)))
    rerank("all.parquet", "-o", "whole.parquet", "--store", "store.sqlite")
    calls = 0
    for number in (1, 2, 3):
        ran = rerank("all.parquet", "-o", "out.parquet", "--shard", f"{number}/3", "--json")
        calls += json.loads(ran.stdout)["calls"]
    assert calls == 40
    parts = [tmp_path / f"out.{number}-of-3.parquet" for number in (1, 2, 3)]
    assert all(len(rankings(part)) > 5 for part in parts)
    assert sorted(rankings(*parts)) == sorted(rankings(tmp_path / "whole.parquet"))
    again = rerank("all.parquet", "-o", "out.parquet", "--shard", "2/3")
    assert "1 of 1 file already done" in again.stderr and "0 calls" in again.stdout
    assert (
        "seed: was 0, now 1"
        in rerank("all.parquet", "-o", "out.parquet", "--shard", "2/3", "--seed", "1", expected=2).stderr
    )


def test_shards_of_a_folder_are_together_the_whole_and_one_may_be_empty(tmp_path: Path, rerank: Command) -> None:
    write_folder(tmp_path / "in", ".jsonl", ".jsonl", ".jsonl")
    rows = [
        json.loads(rerank("in", "-o", "out", "--shard", f"{number}/4", "--json").stdout)["rows"]
        for number in range(1, 5)
    ]
    assert rows == [ROWS, ROWS, ROWS, 0]
    assert "--shard" in rerank("in", "-o", "out", "--shard", "4/4", "--dry-run", expected=2).stderr
    users = [user for user, _ in rankings(*sorted((tmp_path / "out").glob("*.jsonl")))]
    assert users == [str(user) for user in range(3 * ROWS)]


def test_a_dry_run_counts_the_part_and_writes_nothing(tmp_path: Path, rerank: Command) -> None:
    write_folder(tmp_path / "in", ".jsonl", ".jsonl")
    assert json.loads(rerank("in", "-o", "out", "--dry-run", "--json", "--store", "s").stdout)["requests"] == 2 * ROWS
    part = rerank("in", "-o", "out", "--dry-run", "--json", "--store", "s", "--shard", "1/2")
    assert json.loads(part.stdout)["requests"] == ROWS
    assert not (tmp_path / "out").exists()


def test_a_dry_run_of_parts_knows_what_is_done_and_what_their_stores_have(tmp_path: Path, endpoint: Endpoint) -> None:
    write_folder(tmp_path / "in", ".jsonl", ".jsonl", ".jsonl")
    settings: dict[str, Any] = {"prompt": "rankgpt", "model": ModelSettings(MODEL, base_url=endpoint.base_url)}
    job = RerankJob(Setup.of(**settings)[0])
    places = tmp_path / "in", tmp_path / "out"

    def counted(*, overwrite: bool = False) -> tuple[int, int]:
        told = estimate_rerank(*places, job, Reporter(), overwrite=overwrite).counted
        return told.most.requests, told.most_left.requests

    with pytest.raises(LlmrankError, match="max-requests"):
        lr.rerank(*places, max_requests=ROWS + 2, progress=False, **settings)
    assert counted() == (2 * ROWS, 2 * ROWS - 2) and counted(overwrite=True) == (3 * ROWS, 2 * ROWS - 2)
    lr.rerank(*places, progress=False, **settings)
    assert counted() == (0, 0)


def test_a_bound_stops_a_folder_and_the_same_command_goes_on(tmp_path: Path, rerank: Command) -> None:
    write_folder(tmp_path / "in", ".jsonl", ".jsonl")
    bound = ("in", "-o", "out", "--concurrency", "1", "--max-requests")
    stopped = rerank(*bound, str(ROWS + 3), expected=5)
    assert "--max-requests" in stopped.stderr and stopped.stderr.count("hint:") == 1
    assert [path.name for path in (tmp_path / "out").glob("*.jsonl")] == ["part-0.jsonl"]
    went_on = json.loads(rerank(*bound, "100", "--json").stdout)
    assert (went_on["rows"], went_on["calls"], went_on["spent"]["requests"]) == (ROWS, ROWS - 3, ROWS - 3)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--engine", "ray", "--max-requests", "9"), "cannot share a limit"),
        (("--engine", "ray", "--max-total-tokens", "9"), "--max-total-tokens: Ray actors cannot share a limit"),
        (("--engine", "ray", "--batch"), "Batch API"),
        (("--batch",), "Batch API"),
        (("--shard", "3/2"), "there is no shard 3 of 2"),
    ],
)
def test_what_parts_cannot_keep_is_refused(tmp_path: Path, rerank: Command, more: tuple[str, ...], said: str) -> None:
    write_folder(tmp_path / "in", ".jsonl")
    refused = rerank("in", "-o", "out", *more, expected=2)
    assert said in refused.stderr and "hint:" in refused.stderr
    assert not (tmp_path / "out").exists()


def test_ray_is_for_folders(tmp_path: Path, rerank: Command) -> None:
    write_cases(tmp_path / "all.jsonl", cases(range(2)))
    refused = rerank("all.jsonl", "-o", "out.jsonl", "--engine", "ray", expected=2)
    assert "--engine: Ray actors" in refused.stderr and "single file" in refused.stderr and "hint:" in refused.stderr
