"""`lr.score`: what is wrong with the answers of a system is listed, or left out and counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import llmrank as lr
from llmrank.errors import InputError


def test_rows_with_faults_are_listed_or_left_out_and_counted(tmp_path: Path) -> None:
    row = {"candidates": [{"item_id": "1", "title": "A"}, {"item_id": "2", "title": "B"}], "relevant": ["2"]}
    rows = [{**row, "user_id": "a", "response": "B"}, {**row, "user_id": "b"}, {**row, "user_id": "c", "response": 3}]
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    with pytest.raises(InputError, match=r"2 rows have faults(.|\n)*--skip-bad-rows"):
        lr.score(path, out=tmp_path / "run")
    run = lr.score(path, out=tmp_path / "run", skip_bad_rows=True)
    assert [case.user_id for case in run.cases] == ["a"]
    assert "2 rows with faults are left out." in run.metrics.notes


def test_a_misspelt_column_beside_the_response_is_found_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    row = {"user_id": "a", "candidates": [{"item_id": "1", "title": "A"}], "relevant": ["1"], "response": "A"}
    path.write_text(json.dumps({**row, "reponse": "B"}) + "\n")
    with pytest.raises(InputError, match=r"answers.jsonl, line 1, field 'reponse'.*did you mean 'response'"):
        lr.score(path, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
