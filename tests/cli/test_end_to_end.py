"""The main job on real parts: real data, a real model behind a real server and in process, through the command line."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.prefix import chat_encoder, computed

pytestmark = pytest.mark.vllm
USERS = 6
SHORT = ("--users", str(USERS), "--max-tokens", "48", "-k", "20", "--recall", "popularity")
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def llmrank(tmp_path: Path, vllm_server: str) -> Command:
    """Return a function that runs a verb in an empty folder against the server, and expects exit code 0."""

    def run(*arguments: str, server: bool = True) -> subprocess.CompletedProcess[str]:
        there = ("--base-url", vllm_server) if server else ()
        command = [sys.executable, "-m", "llmrank", *arguments, "--store", "store.sqlite", *there]
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        assert "Traceback" not in ran.stderr
        return ran

    return run


def read_run(folder: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    metrics = json.loads((folder / "metrics.json").read_text())
    rows = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    return metrics, {row["user_id"]: row for row in rows}


def without_times(metrics: dict[str, Any]) -> dict[str, Any]:
    # What the prefix cache still held is a matter of timing too.
    timed = {"seconds", "cached_tokens"}
    return metrics | {"usage": {key: value for key, value in metrics["usage"].items() if key not in timed}}


def test_eval_counts_every_case_and_the_same_command_asks_nothing_again(tmp_path: Path, llmrank: Command) -> None:
    first = llmrank("eval", "--prompt", "palr", *SHORT, "--out", "run")
    metrics, cases = read_run(tmp_path / "run")
    assert metrics["cases"] == len(cases) == USERS == sum(metrics["outcomes"].values())
    assert metrics["outcomes"]["error"] == 0
    assert metrics["usage"]["requests"] == 2 * USERS, "a profile and a ranking for each"
    assert metrics["usage"]["completion_tokens"] <= USERS * (48 + 64)
    assert set(metrics["measures"]["NDCG@10"]["baselines"]) == {"random", "popularity", "recall_order", "ceiling"}
    for case in cases.values():
        assert set(case["placed"]) <= set(case["candidates"]) and len(case["candidates"]) == 20
        assert len(case["responses"]) == len(case["requests"]) == 2
    for word in (
        "NDCG@10",
        "95% CI",
        "random",
        "popularity",
        "recall order",
        "ceiling",
        "outcomes",
        "significant",
    ):
        assert word in first.stdout
    before = (tmp_path / "run" / "metrics.json").read_bytes()
    again = llmrank("eval", "--prompt", "palr", *SHORT, "--out", "run")
    assert (tmp_path / "run" / "metrics.json").read_bytes() == before
    assert f"{2 * USERS} (0 made now" in again.stdout
    sessions = json.loads((tmp_path / "run" / "manifest.json").read_text())["sessions"]
    assert [session["calls"] for session in sessions] == [2 * USERS, 0]


def test_two_runs_that_share_nothing_give_the_same_numbers_in_process_too(tmp_path: Path, llmrank: Command) -> None:
    runs: list[tuple[dict[str, Any], dict[str, dict[str, Any]]]] = []
    for name, server in (("a", True), ("b", True), ("c", False)):
        llmrank("eval", "--prompt", "palr", *SHORT, "--no-profile", "--out", name, server=server)
        runs.append(read_run(tmp_path / name))
        for file in tmp_path.glob("store.sqlite*"):
            file.unlink()
    assert without_times(runs[0][0]) == without_times(runs[1][0]) == without_times(runs[2][0])
    for user, case in runs[0][1].items():
        assert case["responses"] == runs[1][1][user]["responses"] == runs[2][1][user]["responses"]


def test_a_killed_run_continues_and_pays_nothing_twice(tmp_path: Path, llmrank: Command, vllm_server: str) -> None:
    arguments = ("eval", "--prompt", "palr", *SHORT, "--concurrency", "1", "--out", "run")
    command = [sys.executable, "-m", "llmrank", *arguments, "--base-url", vllm_server, "--store", "store.sqlite"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL, start_new_session=True) as killed:
        lines = tmp_path / "run" / "records.jsonl"
        deadline = time.monotonic() + 120
        while not (lines.exists() and lines.read_bytes().count(b"\n") >= 2):
            assert killed.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(killed.pid, signal.SIGKILL)
    done = lines.read_bytes().count(b"\n")
    with sqlite3.connect(tmp_path / "store.sqlite") as database:
        answered = database.execute("SELECT count(*) FROM response").fetchone()[0]
    assert 2 <= done < USERS and answered >= 2 * done
    llmrank(*arguments)
    metrics, cases = read_run(tmp_path / "run")
    assert len(cases) == metrics["cases"] == USERS
    session = json.loads((tmp_path / "run" / "manifest.json").read_text())["sessions"][-1]
    assert session["calls"] == 2 * USERS - answered
    llmrank(*arguments[:-1], "undisturbed")
    undisturbed, _ = read_run(tmp_path / "undisturbed")
    assert without_times(metrics) == without_times(undisturbed)


def test_rerank_gives_every_candidate_once_whatever_the_order_of_the_rows(tmp_path: Path, llmrank: Command) -> None:
    recalled = [sys.executable, "-m", "llmrank", "recall", "--model", "popularity", "-k", "12", "--users", "8"]
    subprocess.run([*recalled, "-o", "candidates.jsonl"], cwd=tmp_path, check=True, capture_output=True)
    rows = (tmp_path / "candidates.jsonl").read_text().splitlines()
    random.Random(1).shuffle(rows)
    (tmp_path / "shuffled.jsonl").write_text("\n".join(rows) + "\n")
    prompt = ("--prompt", "palr-recommend-retrieval", "--max-tokens", "48")
    llmrank("rerank", "candidates.jsonl", "-o", "one.jsonl", *prompt)
    llmrank("rerank", "candidates.jsonl", "-o", "two.parquet", *prompt)
    stdout = llmrank("rerank", "shuffled.jsonl", "-o", "three.jsonl", *prompt).stdout
    assert "8 rows" in stdout and "0 calls" in stdout, "the same questions are not paid again"
    one, three = (
        {row["user_id"]: row for row in map(json.loads, (tmp_path / name).read_text().splitlines())}
        for name in ("one.jsonl", "three.jsonl")
    )
    assert one == three and len(one) == 8
    for row in one.values():
        assert sorted(row["ranking"]) == sorted(item["item_id"] for item in row["candidates"])
        assert row["outcome"] in ("ok", "repaired", "unparsed")
    import pyarrow.parquet as pq

    table = pq.read_table(tmp_path / "two.parquet").to_pylist()
    assert {row["user_id"]: row["ranking"] for row in table} == {user: row["ranking"] for user, row in one.items()}


def test_ratings_from_solved_examples_beside_the_means(tmp_path: Path, llmrank: Command) -> None:
    llmrank("eval", "--prompt", "google-few-shot", "--shots", "3", "--users", "8", "--out", "run")
    metrics, cases = read_run(tmp_path / "run")
    assert set(metrics["measures"]) == {"RMSE", "MAE", "AUC"}
    assert set(metrics["measures"]["RMSE"]["baselines"]) == {"global_mean", "item_mean", "user_mean"}
    assert metrics["cases"] == 8 and all(case["candidates"] and case["measures"] for case in cases.values())


def test_a_prompt_that_names_freely_has_the_whole_catalogue_as_candidates(tmp_path: Path, llmrank: Command) -> None:
    llmrank("eval", "--prompt", "palr-recommend", "--users", "3", "--max-tokens", "48", "--out", "run")
    metrics, cases = read_run(tmp_path / "run")
    assert metrics["evaluation"] == "full" and metrics["recall"] == 1.0
    assert "recall_order" not in metrics["measures"]["NDCG@10"]["baselines"]
    assert all(len(case["candidates"]) > 1000 for case in cases.values())


def test_what_a_users_prompts_share_is_computed_once(tmp_path: Path, llmrank: Command, default_model: Path) -> None:
    ran = llmrank("eval", "--ranker", "pointwise", "--users", "30", "-k", "20", "--out", "run", server=False)
    assert "times what a perfect cache would leave" in " ".join(ran.stdout.split()), "the line may be wrapped"
    found = computed(tmp_path / "run", tmp_path / "store.sqlite", chat_encoder(default_model))
    assert found.calls == 30 * 20
    assert found.computed <= 1.15 * found.bound, f"{found.computed} tokens computed, and P + K * S is {found.bound}"
    metrics, _ = read_run(tmp_path / "run")
    assert 0.9 * found.bound < metrics["usage"]["least_prompt_tokens"] < 1.02 * found.bound, (
        "characters stand for tokens"
    )
