"""A short soak: the whole command, twice on one Store, over an endpoint of which every third call fails."""

from __future__ import annotations

import re
from pathlib import Path

from tests.benchmarks.soak import soak


async def test_every_row_is_what_was_answered_and_nothing_paid_for_is_asked_twice(tmp_path: Path):
    # `soak` itself ends at the first row that is not what the server sent for it.
    printed = await soak(tmp_path, cases=60, rate=0.3, latency=0.0, every=0.5, processes=2)
    assert printed.startswith("all 60 Cases done")
    assert re.search(r"\b0 of them for a question that had been answered", printed)
    assert int(re.search(r"(\d+) of these were no answer", printed)[1]) > 5  # type: ignore[index]
