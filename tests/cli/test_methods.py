"""Which method ranks: baselines that ask nobody, the usual prompt of each method, and a cheap one before a dear one."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.scripted_server import MODEL, ScriptedServer, Step, good


def llmrank(folder: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    ran = subprocess.run(
        [sys.executable, "-m", "llmrank", *arguments],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == code, ran.stderr
    return ran


def evaluated(folder: Path, *arguments: str) -> dict[str, Any]:
    return json.loads(llmrank(folder, "eval", *arguments, "--json").stdout)


@contextmanager
def serving(answer: Any = None) -> Iterator[ScriptedServer]:
    """Run the server in a thread of its own, for commands that are processes."""
    loop, server = asyncio.new_event_loop(), ScriptedServer(answer=answer)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result()
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def backwards(content: Mapping[str, Any]) -> Step:
    """Name the candidates that the prompt numbers, the last one first."""
    return good(" > ".join(f"[{number}]" for number in reversed(numbers_shown(content))))


def numbers_shown(content: Mapping[str, Any]) -> list[str]:
    """Return the numbers of the candidates, as rankgpt (`[1] "…"`) and tourrank (`Item 1: "…"`) show them."""
    return re.findall(r"^(?:\[|Movie |Item )(\d+)[]:] ", content["messages"][-1]["content"], re.MULTILINE)


@pytest.fixture
def candidates(tmp_path: Path) -> Path:
    """Three users with eight candidates each, without recall scores; the sixth is relevant."""
    rows = [
        {
            "user_id": user,
            "history": [{"item_id": "h", "title": f"Seen by {user}"}, {"item_id": "c2", "title": "Title 2"}],
            "candidates": [{"item_id": f"c{n}", "title": f"Title {n}"} for n in range(8)],
            "relevant": ["c5"],
        }
        for user in ("a", "b", "c")
    ]
    path = tmp_path / "candidates.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("name", ["popularity", "recall_order", "oracle"])
def test_a_baseline_scores_what_stands_beside_every_model(tmp_path: Path, name: str) -> None:
    found = evaluated(tmp_path, "--ranker", name, "--out", "run")
    assert found["outcomes"]["ok"] == found["cases"] == 40 and found["usage"]["requests"] == 0
    assert {measure: one["value"] for measure, one in found["measures"].items()} == {
        measure: one["baselines"]["ceiling" if name == "oracle" else name] for measure, one in found["measures"].items()
    }


def test_a_rating_baseline_scores_what_stands_beside_every_model(tmp_path: Path) -> None:
    found = evaluated(tmp_path, "--ranker", "item_mean", "--out", "run")
    assert found["measures"]["RMSE"]["value"] == found["measures"]["RMSE"]["baselines"]["item_mean"]


@pytest.mark.parametrize("name", ["random", "bm25", "popularity", "recall_order"])
def test_rerank_with_a_baseline_needs_no_model(tmp_path: Path, candidates: Path, name: str) -> None:
    ran = llmrank(tmp_path, "rerank", str(candidates), "-o", "out.jsonl", "--ranker", name)
    assert "ok 3" in ran.stdout and "0 calls" in ran.stdout
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [sorted(row["ranking"]) for row in rows] == [[f"c{n}" for n in range(8)]] * 3
    heads = {row["ranking"][0] for row in rows}
    # Of the titles only one shares a word with the history, and it alone is in a history.
    assert heads == {"bm25": {"c2"}, "popularity": {"c2"}, "recall_order": {"c0"}}.get(name, heads)


def test_each_method_has_a_usual_prompt(tmp_path: Path, candidates: Path) -> None:
    with serving(backwards) as server:
        there = ("--base-url", server.base_url, "--model", MODEL, "--data", str(candidates), "--store", "s.sqlite")
        for ranker, prompt in (("sliding_window", "rankgpt"), ("tournament", "tourrank")):
            found = evaluated(tmp_path, "--ranker", ranker, "--out", ranker, *there)
            assert found["outcomes"]["ok"] + found["outcomes"]["repaired"] == 3
            settings = json.loads((tmp_path / ranker / "manifest.json").read_text())["settings"]
            assert (settings["prompt"], settings["ranker"]) == (prompt, ranker)


def test_the_dear_method_ranks_what_the_cheap_one_leaves_over(tmp_path: Path, candidates: Path) -> None:
    with serving(backwards) as server:
        there = ("--base-url", server.base_url, "--model", MODEL, "--store", "s.sqlite")
        cascade = ("--ranker", "listwise", "--prompt", "rankgpt", "--first", "recall_order", "--first-top", "3")
        llmrank(tmp_path, "rerank", str(candidates), "-o", "out.jsonl", *there, *cascade, "--order", "shuffled")
        assert [len(numbers_shown(one)) for one in server.seen] == [3, 3, 3]
    for line in (tmp_path / "out.jsonl").read_text().splitlines():
        ranking = json.loads(line)["ranking"]
        assert set(ranking[:3]) == {"c0", "c1", "c2"} and ranking[3:] == ["c3", "c4", "c5", "c6", "c7"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--ranker", "popularity", "--prompt", "palr"), "makes no model calls"),
        (("--ranker", "popularity", "--first", "bm25"), "makes no model calls"),
        (("--first", "oracle"), "without the truth"),
        (("--first", "item_mean"), "without the truth"),
        (("--ranker", "popularty"), "did you mean 'popularity'"),
    ],
)
def test_what_makes_no_method_is_refused(
    tmp_path: Path, candidates: Path, arguments: tuple[str, ...], says: str
) -> None:
    with serving() as server:
        there = ("--base-url", server.base_url, "--model", MODEL)
        ran = llmrank(tmp_path, "eval", "--data", str(candidates), *there, *arguments, code=2)
        assert says in ran.stderr and "hint:" in ran.stderr and not server.seen
