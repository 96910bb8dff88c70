"""A Case with a failed call inside is no finished Case: the same command asks again for what failed, and only that."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import asking, run
from tests.killing import write_candidates
from tests.scripted_server import ScriptedServer, Step, good, refused

CASES, CANDIDATES = 4, 10
WHAT = {
    "eval": ("eval", "--data", "candidates.jsonl", "--users", "0", "--out", "run"),
    "rerank": ("rerank", "candidates.jsonl", "-o", "reranked.jsonl"),
}


class Refusing:
    """Rates every film 4, but for questions about some, which it refuses as long as it is told to."""

    def __init__(self) -> None:
        self.refuses, self.asked = True, 0

    def __call__(self, content: Mapping[str, Any]) -> Step:
        self.asked += 1
        # Not the first one: what refuses everything from the start is taken for a wrong setting.
        turn = self.asked > 5 and self.asked % 7 == 0
        return refused(400, "not now") if self.refuses and turn else good("4")


@pytest.mark.parametrize("verb", WHAT)
async def test_what_failed_inside_a_case_is_asked_again_and_nothing_else(tmp_path: Path, verb: str) -> None:
    write_candidates(tmp_path / "candidates.jsonl", CASES)
    answer = Refusing()
    async with ScriptedServer(answer=answer) as server:
        arguments = asking(server.base_url, *WHAT[verb], "--prompt", "pointwise-rating", concurrency=1)
        ran = await asyncio.to_thread(run, tmp_path, *arguments)
        assert ran.returncode == 4, ran.stderr
        assert "a call failed in" in ran.stderr and "run the same command to retry them" in ran.stderr
        first = answer.asked
        failed = len([number for number in range(6, first + 1) if number % 7 == 0])
        assert failed >= 5 and first == CASES * CANDIDATES
        if verb == "eval":
            outcomes = json.loads((tmp_path / "run" / "metrics.json").read_text())["outcomes"]
            assert outcomes["error"] == 0 and outcomes["repaired"] == CASES, "calls failed inside, no Case as a whole"
        else:
            assert not (tmp_path / "reranked.jsonl").exists()
        answer.refuses = False
        ran = await asyncio.to_thread(run, tmp_path, *arguments)
        assert ran.returncode == 0, ran.stderr
        assert answer.asked - first == failed
    if verb == "eval":
        metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
        assert metrics["outcomes"]["ok"] == CASES and "failed" not in metrics["repairs"]
    else:
        rows = [json.loads(line) for line in (tmp_path / "reranked.jsonl").read_text().splitlines()]
        assert [row["outcome"] for row in rows] == ["ok"] * CASES
