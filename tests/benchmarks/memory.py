"""Peak memory of `llmrank rerank` over Parquet files of increasing size: it must not grow with the number of rows.

`python -m tests.benchmarks.memory [--rows 100000 1000000]`. The ranker makes no model calls (`--ranker recall_order`),
so a million rows take minutes; reading, checking, ranking and writing are all included. The peak is that of the
command's process, as the kernel reports it at its end.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.lists import rows, write_parquet
from tests.benchmarks.machine import heading, table

LIMIT = 700
"""Megabytes."""
CANDIDATES, HISTORY = 15, 5


@dataclass(frozen=True)
class Ran:
    """One command that has ended."""

    seconds: float
    peak: float
    """Megabytes of resident memory at most."""


def rerank(candidates: Path, output: Path, ranker: str) -> Ran:
    """Run the command; exit when it fails."""
    command = [sys.executable, "-m", "llmrank", "rerank", str(candidates), "-o", str(output), "--ranker", ranker]
    started = time.perf_counter()
    quiet = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
    child = os.posix_spawn(sys.executable, command, {**os.environ}, file_actions=quiet)
    _, status, used = os.wait4(child, 0)
    if code := os.waitstatus_to_exitcode(status):
        sys.exit(f"{' '.join(command)} ended with {code}")
    return Ran(time.perf_counter() - started, used.ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--ranker", default="recall_order")
    given = parser.parse_args()
    lines: list[tuple[str, ...]] = []
    with tempfile.TemporaryDirectory() as name:
        candidates, output = Path(name) / "candidates.parquet", Path(name) / "reranked.parquet"
        for number in given.rows:
            write_parquet(candidates, rows(number, candidates=CANDIDATES, history=HISTORY))
            ran = rerank(candidates, output, given.ranker)
            sizes = [f"{path.stat().st_size / 2**20:,.0f}" for path in (candidates, output)]
            held = "yes" if ran.peak < LIMIT else "NO"
            lines.append(
                (f"{number:,}", *sizes, f"{ran.seconds:.0f}", f"{number / ran.seconds:,.0f}", f"{ran.peak:.0f}", held)
            )
            output.unlink()
    what = (
        f"llmrank rerank --ranker {given.ranker}, Parquet to Parquet; rows of {CANDIDATES} candidates, {HISTORY} events"
    )
    head = ("rows", "input MB", "output MB", "seconds", "rows/s", "peak MB", f"under {LIMIT} MB")
    command = f"python -m tests.benchmarks.memory --rows {' '.join(map(str, given.rows))} --ranker {given.ranker}"
    print(heading(what, command, "pyarrow"), table(head, lines), sep="\n\n")


if __name__ == "__main__":
    main()
