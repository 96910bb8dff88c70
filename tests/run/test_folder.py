"""The Run folder: what is written stays, a kill costs at most the line it cut, and settings don't mix."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrank.errors import InputError
from llmrank.run import CaseRecord, RunFolder
from llmrank.types import Outcome, Ranking, Usage

texts = st.text(st.characters(exclude_categories=("Cs",)))


def record(user_id: str, outcome: Outcome = Outcome.OK, response: str | None = "x") -> CaseRecord:
    return CaseRecord(
        user_id=user_id,
        candidates=("1", "2"),
        relevant=("2",),
        target=None,
        rating=None,
        ranking=Ranking(("2", "1"), (1.5, -math.inf), 1, outcome, "why", {"missing": 1}, {"exact": 1}, label_mass=0.25),
        measures={"NDCG@10": 1.0},
        requests=("k",),
        responses=(response,),
        usage=Usage(3, 2, 1),
        finish_reasons=("stop",),
    )


@given(texts, texts)
def test_a_record_survives_its_line(user_id: str, response: str) -> None:
    before = record(user_id, response=response)
    line = before.to_json()
    assert CaseRecord.from_json(line) == before
    assert "\n" not in line and "\r" not in line and "Infinity" not in line


@pytest.mark.parametrize("cut", [1, 5, 40, 200])
def test_a_line_cut_by_a_kill_is_dropped_and_the_rest_kept(tmp_path: Path, cut: int) -> None:
    with RunFolder(tmp_path / "run", {"seed": 0}) as folder:
        for user in ("a", "b", "c"):
            folder.add(record(user))
    path = tmp_path / "run" / "cases.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    with RunFolder(tmp_path / "run", {"seed": 0}) as folder:
        assert [user for user in "abc" if folder.wants(user)] == ["c"]
        folder.add(record("c"))
    with RunFolder(tmp_path / "run", {"seed": 0}) as folder:
        assert set(folder.records) == {"a", "b", "c"}
    assert len(path.read_text().splitlines()) == 3


def test_a_failed_case_is_wanted_again_and_its_last_line_counts(tmp_path: Path) -> None:
    with RunFolder(tmp_path, {}) as folder:
        folder.add(record("a", Outcome.ERROR))
        assert folder.wants("a")
        folder.add(record("a"))
    with RunFolder(tmp_path, {}) as folder:
        assert not folder.wants("a") and folder.records["a"].ranking.outcome is Outcome.OK


def test_other_settings_are_refused_and_the_difference_is_named(tmp_path: Path) -> None:
    RunFolder(tmp_path, {"seed": 0, "prompt": "palr"}).close()
    before = (tmp_path / "manifest.json").read_text()
    with pytest.raises(InputError, match=r"seed: was 0, now 1") as raised:
        RunFolder(tmp_path, {"seed": 1, "prompt": "palr"})
    assert "prompt" not in str(raised.value).split("mend")[0].replace("prompt: was", "")
    assert (tmp_path / "manifest.json").read_text() == before


def test_two_processes_on_one_run_are_refused(tmp_path: Path) -> None:
    with RunFolder(tmp_path, {}), pytest.raises(InputError, match="another process"):
        RunFolder(tmp_path, {})


def test_a_folder_that_is_a_file_is_refused_with_a_mend(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match="choose another --out"):
        RunFolder(tmp_path / "taken", {})


def test_finishing_writes_the_numbers_and_notes_the_session(tmp_path: Path) -> None:
    for calls in (3, 0):
        with RunFolder(tmp_path, {"seed": 0}) as folder:
            folder.finish({"cases": 1}, {"calls": calls})
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert [session["calls"] for session in manifest["sessions"]] == [3, 0]
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"cases": 1}
    assert not list(tmp_path.glob("*.part"))
