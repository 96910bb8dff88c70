"""What answers took: sums and percentiles over Cases, what was there before, and what it cost."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import llmrank as lr
from llmrank.errors import InputError
from llmrank.run import Run, RunFolder
from llmrank.run.metrics import metrics
from llmrank.types import Usage
from tests.run.making import SETTINGS, case, how, record, shuffled

SECONDS = [float(at) for at in range(1, 21)]


def made(path: Path, calls: int) -> Run:
    cases = [case(f"u{user}") for user in range(20)]
    with RunFolder(path, SETTINGS) as folder:
        folder.keep_inputs(cases, how())
        for at, one in enumerate(cases):
            kept = record(one, shuffled(one, 0), None if at == 3 else "an answer")
            folder.add(replace(kept, seconds=SECONDS[at], usage=Usage(100 * at, completion_tokens=7)))
        folder.finish(metrics(cases, folder.records, how()), {"calls": calls})
    return Run(path)


def test_each_quantity_in_all_and_over_the_cases(tmp_path: Path) -> None:
    found = made(tmp_path / "run", 20).usage()
    seconds = found["seconds"]
    assert (seconds.total, seconds.mean, seconds.most) == (210, 10.5, 20)
    assert (seconds.p50, seconds.p95) == tuple(np.percentile(SECONDS, (50, 95)))
    assert found["prompt tokens"].total == 100 * sum(range(20)) and found["completion tokens"].p95 == 7
    assert found["calls"].total == 20 and found["calls without an answer"].total == 1
    assert [row.name for row in found.rows] == [
        "calls", "calls without an answer", "prompt tokens", "completion tokens", "seconds",
    ]  # fmt: skip
    assert "19,000" in str(found) and "took no time" not in str(found) and "cost" not in str(found)


def test_answers_that_were_there_before_took_no_time(tmp_path: Path) -> None:
    assert "14 of 19 answers took no time" in str(made(tmp_path / "run", 5).usage()), "a failed call has none"


def test_of_answers_from_a_file_only_their_number_is_known(tmp_path: Path) -> None:
    items = [{"item_id": f"i{at}", "title": f"Film {at}"} for at in range(2)]
    row = {"user_id": "u", "candidates": items, "relevant": ["i1"], "response": "1. Film 1"}
    (tmp_path / "answers.jsonl").write_text(json.dumps(row) + "\n")
    found = lr.score(tmp_path / "answers.jsonl", "titles", out=tmp_path / "run").usage()
    assert [row.name for row in found.rows] == ["calls"]
    assert found.notes() == ("Answers from a file: no tokens or times are known.",)


def test_the_cost_is_said_for_all_and_for_a_thousand(tmp_path: Path) -> None:
    found = replace(made(tmp_path / "run", 20).usage(), cost=0.5, currency="USD", prices_dated="2026-11-01")
    assert "cost: 0.5000 USD for all answers, 25.0000 USD per 1,000 Cases; prices of 2026-11-01." in found.notes()


def test_a_method_that_asks_no_model_is_refused(tmp_path: Path) -> None:
    run = lr.evaluate([case("u1")], ranker="bm25", out=tmp_path / "run", progress=False)
    with pytest.raises(InputError, match="no model calls"):
        run.usage()
