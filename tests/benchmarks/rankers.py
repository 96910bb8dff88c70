"""Every ranker on the same users and candidates, with the default model in process and behind an HTTP server.

`python -m tests.benchmarks.rankers FOLDER` runs `llmrank eval` for each (about half an hour on two cores; finished ones
are not run again) and prints one table; `--methods` without a name prints the finished ones.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmrank.backends.models import fetch_default_model
from llmrank.run import read_records
from tests.fixtures_vllm import serving

CANDIDATES = 10
LABEL = ("--max-tokens", "4")
"""Enough for a label: the default model names it first, and then goes on with the list."""
ASKING: dict[str, tuple[str, ...]] = {
    "listwise, titles": ("--ranker", "listwise", "--no-profile", "--max-tokens", "100"),
    "listwise, permutation": ("--ranker", "listwise", "--prompt", "rankgpt", "--max-tokens", "64"),
    "sliding_window": ("--ranker", "sliding_window", "--window", "6", "--step", "3", "--max-tokens", "32"),
    "first_token": ("--ranker", "first_token"),
    "pointwise, yes or no": ("--ranker", "pointwise"),
    "pointwise, rating in text": ("--ranker", "pointwise", "--prompt", "pointwise-rating"),
    "pointwise, expected rating": (
        *("--ranker", "pointwise", "--prompt", "pointwise-rating"),
        *("--answer", "expected_rating", "--max-tokens", "1"),
    ),
    "pairwise, all": ("--ranker", "pairwise", *LABEL),
    "pairwise, heap": ("--ranker", "pairwise", "--sort", "heap", "--sort-top", "3", *LABEL),
    "pairwise, bubble": ("--ranker", "pairwise", "--sort", "bubble", "--sort-top", "3", *LABEL),
    "setwise, heap, text": ("--ranker", "setwise", "--sort-top", "5", *LABEL),
    "setwise, bubble, logprobs": (
        *("--ranker", "setwise", "--sort", "bubble", "--sort-top", "5"),
        *("--answer", "label_logprobs", "--max-tokens", "1"),
    ),
    "tournament": ("--ranker", "tournament", "--group", "5", "--rounds", "2", "--max-tokens", "32"),
    "first_token ×3, borda": ("--ranker", "first_token", "--repeats", "3"),
    "first_token ×3, kemeny": ("--ranker", "first_token", "--repeats", "3", "--combine", "kemeny"),
    "cascade: first_token, pairwise": ("--ranker", "pairwise", "--first", "first_token", "--first-top", "4", *LABEL),
}
BASELINES = ("random", "popularity", "recall_order", "bm25", "oracle")


@dataclass(frozen=True)
class Ran:
    """One Run of one method."""

    metrics: dict[str, Any]
    rankings: dict[str, list[str]]
    seconds: float
    """Without the loading of the engine."""


def evaluate(folder: Path, users: int, name: str, *arguments: str) -> None:
    """Run the method; one that has run is not asked again."""
    out = run_folder(folder, name)
    if (out / "seconds.json").exists():
        return
    # What an interrupted run was answered is in its Store; the server's port is another one now.
    shutil.rmtree(out, ignore_errors=True)
    common = ("--data", "ml-100k", "--users", str(users), "-k", str(CANDIDATES))
    # A Store of its own, so that what one method asked does not come cheaper to the next; but two ways of combining the
    # same answers share them.
    store = ("--store", str(run_folder(folder, name.replace("kemeny", "borda")).with_suffix(".sqlite")))
    command = [sys.executable, "-m", "llmrank", "eval", *common, *arguments, "--out", str(out), *store]
    ran = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False, env=os.environ)
    if ran.returncode:
        sys.exit(f"{name}: {ran.stderr}")
    loading = sum(int(seconds) for seconds in re.findall(r"loaded in (\d+) s", ran.stderr))
    print(f"{out}: {(ran.stderr.splitlines() or ['is there'])[-1]}", file=sys.stderr, flush=True)
    session = json.loads((out / "manifest.json").read_text())["sessions"][-1]
    if session["cases"] == users:
        (out / "seconds.json").write_text(json.dumps(session["seconds"] - loading))


def found(folder: Path, name: str) -> Ran | None:
    """Return what the method's Run holds, None where it has not run."""
    out = run_folder(folder, name)
    if not (out / "seconds.json").exists():
        return None
    return Ran(
        json.loads((out / "metrics.json").read_text()),
        {name: record.ranking.order for name, record in read_records(out).items()},
        json.loads((out / "seconds.json").read_text()),
    )


def run_folder(folder: Path, name: str) -> Path:
    """Return where the Run of a method lies."""
    return folder / re.sub(r"\W+", "-", name)


def row(name: str, process: Ran, http: Ran | None) -> str:
    """Return a line of the table."""
    metrics, usage = process.metrics, process.metrics["usage"]
    ndcg, outcomes = metrics["measures"]["NDCG@10"], metrics["outcomes"]
    low, high = ndcg["ci95"]
    cells = [name, f"{ndcg['value']:.4f} [{low:.4f}, {high:.4f}]"]
    cells.append(" / ".join(str(outcomes[outcome]) for outcome in ("ok", "repaired", "unparsed", "error")))
    if not usage["requests"]:
        return "| " + " | ".join([*cells, *["–"] * 7]) + " |"
    mass = metrics["label_mass"]
    cells += [
        f"{usage['requests'] / metrics['cases']:.1f}",
        f"{usage['prompt_tokens']:,}",
        f"{usage['cached_tokens'] / usage['prompt_tokens']:.0%}",
        f"{usage['completion_tokens']:,}",
        "–" if mass is None else f"{mass['mean']:.2f}",
        f"{process.seconds:.0f} / {'–' if http is None else f'{http.seconds:.0f}'}",
        "–" if http is None else f"{_same(process, http)} of {len(process.rankings)}",
    ]
    return "| " + " | ".join(cells) + " |"


def _same(one: Ran, other: Ran) -> int:
    return sum(one.rankings[user] == other.rankings[user] for user in one.rankings)


def run_all(folder: Path, users: int, methods: Sequence[str]) -> None:
    """Run the methods, in process and then over HTTP."""
    (folder / "http").mkdir(parents=True, exist_ok=True)
    for name in BASELINES:
        evaluate(folder, users, name, "--ranker", name)
    for name in methods:
        evaluate(folder / "process", users, name, *ASKING[name])
    with serving(fetch_default_model(), folder / "server.log", "4") as base_url:
        for name in methods:
            evaluate(folder / "http", users, name, *ASKING[name], "--base-url", base_url)


def main() -> None:
    """Run what is asked for, and print the table of all that has run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--methods", nargs="*", choices=list(ASKING), default=list(ASKING))
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    if arguments.methods:
        run_all(folder, arguments.users, arguments.methods)
    head = ("method", "NDCG@10 [95%]", "ok / repaired / unparsed / error", "calls a user", "prompt tokens")
    head += ("cached", "completion tokens", "label mass", "seconds: in process / HTTP", "same ranking")
    print("| " + " | ".join(head) + " |")
    print("|" + " --- |" * len(head))
    for name in (*BASELINES, *ASKING):
        process = found(folder if name in BASELINES else folder / "process", name)
        if process is not None:
            print(row(name, process, found(folder / "http", name)))


if __name__ == "__main__":
    main()
