"""Seconds of the same commands with this version and with an earlier one: `python -m tests.benchmarks.earlier PYTHON`.

PYTHON is that of an environment with the earlier version, such as 0.1.0, from the last commit before
`llmrank/evaluation/`: `git worktree add EARLIER eb023ebc`, then `python -m venv ENV` and `ENV/bin/pip install EARLIER`.
The two versions take turns, each with a Store of its own, so other load on the machine affects both. The seconds are
those of the whole command.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.lists import rows, write_jsonl, write_parquet
from tests.benchmarks.machine import heading, table
from tests.benchmarks.stub_server import MODEL, serving_stub

LISTWISE = ("--model", MODEL, "--prompt", "rankgpt", "--ranker", "listwise")
UNASKED = ("--ranker", "recall_order")


def llmrank(python: str, *arguments: str) -> str:
    """Run the command with the version of this Python and return its output; exit if it fails."""
    # In a folder without prompts/, whose templates would be taken instead of the version's own.
    command = [python, "-P", "-m", "llmrank", *arguments]
    ran = subprocess.run(command, cwd=tempfile.gettempdir(), capture_output=True, text=True, check=False)
    if ran.returncode:
        sys.exit(f"{python} -m llmrank {' '.join(arguments)}: {ran.stderr}")
    return ran.stdout.strip()


def seconds(python: str, *arguments: str) -> float:
    """Return the seconds that the command takes."""
    started = time.perf_counter()
    llmrank(python, *arguments)
    return time.perf_counter() - started


def measured(pythons: Sequence[str], rounds: int, folder: Path) -> dict[str, list[list[float]]]:
    """Return, for each job, the seconds in each round of each of the two versions."""
    many, wide, some = folder / "many.parquet", folder / "wide.jsonl", folder / "some.jsonl"
    write_parquet(many, rows(50_000, candidates=15, history=5))
    write_jsonl(wide, rows(10_000, candidates=50))
    write_jsonl(some, rows(5_000, candidates=20))
    stores = [folder / f"stored-{number}.sqlite" for number, _ in enumerate(pythons)]
    evaluate = ("eval", "--data", str(wide), "--users", "0", *LISTWISE)
    found: dict[str, list[list[float]]] = {}
    with serving_stub(0.0) as stub:
        for python, store in zip(pythons, stores, strict=True):
            out = ("--out", str(folder / f"asked-{store.stem}"), "--store", str(store))
            llmrank(python, *evaluate, "--base-url", stub.base_url, *out)
    with serving_stub(0.02) as stub:
        for number in range(rounds):
            for python, store in zip(pythons, stores, strict=True):
                own = f"{number}-{store.stem}"
                kept = ("--store", str(folder / f"{own}.sqlite"))
                output, run, reranked = (str(folder / f"{own}{end}") for end in (".parquet", "", ".jsonl"))
                http = ("--base-url", stub.base_url, "--concurrency", "64", *kept)
                jobs = {
                    "rerank --ranker recall_order, 50,000 rows": ("rerank", str(many), "-o", output, *UNASKED),
                    "eval of 10,000 stored Cases": (*evaluate, "--backend", f"replay:{store}", "--out", run, *kept),
                    "rerank, 5,000 calls of 20 ms": ("rerank", str(some), "-o", reranked, *LISTWISE, *http),
                }
                for job, arguments in jobs.items():
                    taken = found.setdefault(job, [[] for _ in pythons])
                    taken[pythons.index(python)].append(seconds(python, *arguments))
            print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return found


def main() -> None:
    """Run the jobs, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python", help="of the environment with the earlier version")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    pythons = [given.python, sys.executable]
    with tempfile.TemporaryDirectory() as name:
        found = measured(pythons, given.rounds, Path(name))
    before, now = (llmrank(python, "--version").rpartition(" ")[2] for python in pythons)
    lines = [
        (
            job,
            *(f"{statistics.median(taken):.1f}" for taken in times),
            f"{statistics.median(ratios):.2f}",
            ", ".join(f"{ratio:.2f}" for ratio in ratios),
        )
        for job, times in found.items()
        for ratios in [[earlier / later for earlier, later in zip(*times, strict=True)]]
    ]
    head = ("whole command", f"{before}, seconds", f"{now}, seconds", "times as fast", "in each round")
    command = f"python -m tests.benchmarks.earlier PYTHON --rounds {given.rounds}"
    print(heading(f"medians of {given.rounds} rounds", command), table(head, lines), sep="\n\n")


if __name__ == "__main__":
    main()
