"""Seconds to read stored answers again: 10,000 Cases of 50 candidates, parsed and measured with the current code.

`python -m tests.benchmarks.replay [--cases 10000]`. `llmrank eval` fills the Store against a stub without latency. Then
`llmrank eval --backend replay:STORE` renders every prompt, finds its answer, parses it, writes the Run and computes the
measures with their baselines, intervals and tests. The seconds are those of the whole command.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.lists import rows, write_jsonl
from tests.benchmarks.machine import heading, table
from tests.benchmarks.stub_server import MODEL, serving_stub

CANDIDATES = 50


def evaluate(data: Path, out: Path, *backend: str) -> tuple[float, dict[str, Any]]:
    """Return the seconds of the whole command, and the numbers it prints."""
    command = [sys.executable, "-m", "llmrank", "eval", "--data", str(data), "--users", "0", "--json", *backend]
    command += ["--out", str(out), "--model", MODEL, "--prompt", "rankgpt", "--ranker", "listwise"]
    started = time.perf_counter()
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if ran.returncode:
        sys.exit(ran.stderr)
    return seconds, json.loads(ran.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data, store = folder / "candidates.jsonl", folder / "store.sqlite"
        write_jsonl(data, rows(given.cases, candidates=CANDIDATES))
        with serving_stub(0.0) as stub:
            filled, asked = evaluate(data, folder / "asked", "--base-url", stub.base_url, "--store", str(store))
        seconds: list[float] = []
        for number in range(given.rounds):
            # A Store of its own, or the answers would go into the user's.
            kept = str(folder / f"kept-{number}.sqlite")
            taken, again = evaluate(data, folder / f"again-{number}", "--backend", f"replay:{store}", "--store", kept)
            if again["measures"] != asked["measures"] or again["outcomes"] != asked["outcomes"]:
                sys.exit("the stored answers gave other numbers than the fresh ones")
            seconds.append(taken)
        what = f"{given.cases:,} Cases of {CANDIDATES} candidates; {given.rounds} rounds; the same numbers each time"
        lines = [
            ("asked of a stub without latency, whole command", f"{filled:.1f}", f"{given.cases / filled:,.0f}"),
            *(
                (f"replayed, whole command ({kind})", f"{value:.1f}", f"{given.cases / value:,.0f}")
                for kind, value in (("median", statistics.median(seconds)), ("slowest", max(seconds)))
            ),
        ]
        command = f"python -m tests.benchmarks.replay --cases {given.cases} --rounds {given.rounds}"
        print(heading(what, command), table(("", "seconds", "Cases/s"), lines), sep="\n\n")


if __name__ == "__main__":
    main()
