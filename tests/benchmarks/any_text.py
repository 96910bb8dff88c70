"""Arbitrary texts, read by every answer format: `python -m tests.benchmarks.any_text [--examples 100000]`.

The examples are generated as in the property test of `tests/answers/test_formats.py`, but many more: each answer has
exactly one Outcome, ranks no item twice and none that was not shown, and raises nothing. The first text that violates
this ends the run and is printed in its smallest form.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter

from hypothesis import Phase, given, seed, settings

from llmrank.types import Outcome
from tests.answers.test_formats import ANY_TEXT, FORMATS, check_any_text
from tests.benchmarks.machine import heading, table


def outcomes(name: str, examples: int, seed_: int) -> Counter[Outcome]:
    """Return how often each Outcome came; raises AssertionError for a text that is read in no right way."""
    found: Counter[Outcome] = Counter()

    @seed(seed_)
    @settings(max_examples=examples, deadline=None, database=None, phases=(Phase.generate, Phase.shrink))
    @given(**ANY_TEXT)
    def read(**example: object) -> None:
        found[check_any_text(name, **example).outcome] += 1

    read()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=100_000, help="of all formats together")
    parser.add_argument("--seed", type=int, default=1)
    given_ = parser.parse_args()
    each = -(-given_.examples // len(FORMATS))
    started = time.process_time()
    rows = {name: outcomes(name, each, given_.seed) for name in FORMATS}
    seconds = time.process_time() - started
    total = sum(map(Counter.total, rows.values()))
    print(
        heading(
            f"{total:,} texts in {seconds:,.0f} CPU seconds; none is read in a wrong way",
            "python -m tests.benchmarks.any_text",
            "hypothesis",
        )
    )
    kinds = (Outcome.OK, Outcome.REPAIRED, Outcome.UNPARSED)
    print()
    print(table(("format", *kinds), [(name, *(f"{found[kind]:,}" for kind in kinds)) for name, found in rows.items()]))


if __name__ == "__main__":
    main()
