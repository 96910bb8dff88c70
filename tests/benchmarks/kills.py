"""The cost of kill -9, as a Markdown table: `python -m tests.benchmarks.kills`. The tests check the same."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.killing import CONCURRENCY, EVAL, RERANK, check_run, compare_killed, metrics_of, reranked_of

COLUMNS = (
    "command",
    "Cases",
    "kills",
    "questions",
    f"in flight at a kill (at most {CONCURRENCY} each)",
    "asked again",
    "asked though stored",
    "same result",
    "seconds, undisturbed",
    "seconds, killed",
)


def main() -> None:
    print("|", " | ".join(COLUMNS), "|")
    print("|", " | ".join("---" for _ in COLUMNS), "|")
    for arguments, cases, kills in ((EVAL, 300, 22), (RERANK, 300, 12)):
        result, check = (metrics_of, check_run) if arguments is EVAL else (reranked_of, lambda folder: None)
        with tempfile.TemporaryDirectory() as folder:
            found = compare_killed(Path(folder), arguments, cases=cases, kills=kills, result=result, check=check)
        row = (
            f"`{' '.join(arguments[:2] if arguments is RERANK else arguments[:1])} …`",
            cases,
            found.killed.kills,
            len(set(found.killed.asked)),
            f"{found.killed.in_flight} ({found.most_in_flight})",
            found.killed.repeated,
            found.killed.asked_though_stored,
            "yes" if found.same_result else "NO",
            f"{found.undisturbed.seconds:.1f}",
            f"{found.killed.seconds:.1f}",
        )
        print("|", " | ".join(map(str, row)), "|", flush=True)


if __name__ == "__main__":
    main()
