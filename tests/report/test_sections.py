"""The parts of the page that need no script: what they hold, and that foreign text in them stays text."""

from __future__ import annotations

import math
import re
from pathlib import Path
from random import Random

import llmrank as lr
from llmrank.report import page
from llmrank.types import Ranking
from tests.run.making import case, make_run

CALIBRATION = "Can scores be believed as probabilities?"


def with_scores(path: Path, users: int = 30) -> lr.Run:
    """Make a Run that asked once per Case and has a score for each candidate, drawn by seed."""
    cases = [case(f"u{user:02}", n=6) for user in range(users)]
    rankings: list[Ranking] = []
    for one in cases:
        draw = Random(one.case_id)
        scores = sorted((math.log(draw.random()) for _ in one.candidates), reverse=True)
        order = draw.sample([item.item_id for item in one.candidates], 6)
        rankings.append(Ranking(tuple(order), tuple(scores)))
    return make_run(path, cases, rankings)


def without_scores(path: Path, users: int = 30) -> lr.Run:
    cases = [case(f"u{user:02}", n=6) for user in range(users)]
    return make_run(path, cases, [Ranking(tuple(item.item_id for item in one.candidates)) for one in cases])


def section(content: str, title: str) -> str:
    """Return the part of a page under a heading; an empty text where there is none."""
    found = re.search(rf"<section><h2>{re.escape(title)}</h2>.*?</section>", content, re.DOTALL)
    return found[0] if found else ""


def test_calibration_is_shown_where_a_model_gave_scores(tmp_path: Path) -> None:
    run = with_scores(tmp_path / "run")
    shown = section(page(run), CALIBRATION)
    found = run.calibration()
    for table in (found.table(), found.reliability()):
        assert all(cell in shown for row in table.rows for cell in row)
    assert f"{found.temperature:.3g}" in shown
    assert shown.count("<circle") == len(found.bins)
    assert section(page(without_scores(tmp_path / "bare")), CALIBRATION) == ""


def test_of_several_runs_those_with_scores_are_named(tmp_path: Path) -> None:
    shown = section(page(without_scores(tmp_path / "bare"), with_scores(tmp_path / "scored")), CALIBRATION)
    assert re.findall("<h3>(.*?)</h3>", shown) == ["scored"]


def test_counts_of_a_method_that_asks_no_model_are_no_probabilities(tmp_path: Path) -> None:
    run = lr.evaluate([case(f"u{user}", n=6) for user in range(4)], ranker="bm25", out=tmp_path / "run", progress=False)
    assert section(page(run), CALIBRATION) == ""
