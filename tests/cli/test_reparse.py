"""`llmrank reparse`: the stored answers, today's parser, no call."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Generator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from llmrank.data.candidate_writing import case_row
from llmrank.data.candidates import read_cases
from llmrank.run import CaseRecord, read_records
from tests.cli.command import asking, run
from tests.deterministic_server import deterministic_server
from tests.killing import EVAL, write_candidates

CASES = 12
Change = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Path, str]]:
    """A folder with a Run of `eval` and one of `score`, made once, and the server that answered."""
    folder = tmp_path_factory.mktemp("made")
    write_candidates(folder / "candidates.jsonl", CASES)
    with deterministic_server(folder / "log") as url:
        goes_well(run(folder, *asking(url, *EVAL)))
        goes_well(
            run(
                folder, *asking(url, *EVAL[:-1], "window", "--ranker", "sliding_window", "--window", "6", "--step", "3")
            )
        )
        cases = read_cases(folder / "candidates.jsonl")
        records = read_records(folder / "run")
        answered = [(case, records[case.user_id].responses[-1]) for case in cases]
        rows = [{**case_row(case), "response": answer} for case, answer in answered]
        rows[-1]["response"] = None
        (folder / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        goes_well(run(folder, "score", "answers.jsonl", "--answer", "titles", "--out", "scored"))
        yield folder, url


@pytest.fixture
def folder(made: tuple[Path, str], tmp_path: Path) -> Path:
    shutil.copytree(made[0], tmp_path / "work")
    return tmp_path / "work"


def goes_well(ran: CompletedProcess[str]) -> CompletedProcess[str]:
    assert ran.returncode == 0, ran.stderr
    return ran


def rewrite(run_folder: Path, users: set[str], change: Change) -> None:
    """Make a Run what an older parser would have left, by changing some of its records."""
    path = run_folder / "records.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(change(row) if row["user_id"] in users else row) + "\n" for row in rows))


def unparsed(row: dict[str, Any]) -> dict[str, Any]:
    measures = dict.fromkeys(row["measures"], 0.0)
    return (
        row
        | {"outcome": "unparsed", "reason": "old_parser", "repairs": {}, "matches": {}}
        | {"placed": [], "scores": None, "measures": measures}
    )


def reparsed(folder: Path, run_name: str, *more: str) -> dict[str, Any]:
    return json.loads(goes_well(run(folder, "reparse", run_name, "--json", *more)).stdout)


@pytest.mark.parametrize("which", ["run", "window", "scored"])
def test_with_the_same_parser_nothing_changes(folder: Path, made: tuple[Path, str], which: str) -> None:
    asked = (made[0] / "log").read_bytes()
    before = {path: path.read_bytes() for path in (folder / which).iterdir()}
    found = reparsed(folder, which)
    assert (found["cases"], found["changed"], found["unreadable"]) == (CASES, 0, {})
    metrics = json.loads((folder / which / "metrics.json").read_text())
    for name, summary in metrics["measures"].items():
        assert found["measures"][name] == {"before": summary["value"], "after": summary["value"]}
    assert (made[0] / "log").read_bytes() == asked, "nobody was asked"
    assert {path: path.read_bytes() for path in (folder / which).iterdir()} == before


@pytest.mark.parametrize("which", ["run", "window", "scored"])
def test_what_changed_is_shown_per_case_and_written_when_told_to(folder: Path, which: str) -> None:
    right = read_records(folder / which)
    numbers = json.loads((folder / which / "metrics.json").read_text())
    users = {"u1", "u4"}
    rewrite(folder / which, users, unparsed)
    old = (folder / which / "records.jsonl").read_bytes()
    found = reparsed(folder, which)
    changes = {change["user_id"]: change for change in found["changes"]}
    assert set(changes) == {user for user in users if right[user].ranking.outcome != "unparsed"} and changes
    for user, change in changes.items():
        assert change["outcome"] == ["unparsed", str(right[user].ranking.outcome)]
        assert change["reason"][0] == "old_parser"
        assert change["first_position"] >= 1
        assert change["measures"][1].items() <= dict(right[user].measures).items()
    said = goes_well(run(folder, "reparse", which)).stdout
    assert "2 changed · 10 unchanged" in said, said
    assert "case u1: outcome unparsed →" in said and "NDCG@10" in said
    said = goes_well(run(folder, "reparse", which, "--write")).stdout
    assert "records.jsonl.before" in said
    assert read_records(folder / which) == right
    assert (folder / which / "records.jsonl.before").read_bytes() == old
    after = json.loads((folder / which / "metrics.json").read_text())
    assert without_usage(after) == without_usage(numbers)
    session = json.loads((folder / which / "manifest.json").read_text())["sessions"][-1]
    assert (session["reparsed"], session["changed"]) == (CASES, len(changes))
    assert reparsed(folder, which)["changed"] == 0


def without_usage(metrics: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in metrics.items() if name != "usage"}


def test_the_prompt_of_then_is_used_whatever_was_edited_since(folder: Path) -> None:
    (folder / "prompts").mkdir()
    shipped = Path(__file__).resolve().parents[2] / "prompts"
    for name in ("palr", "palr-profile"):
        text = (shipped / f"{name}.jinja").read_text().replace("{% block user %}", "{% block user %}Dear model,")
        (folder / "prompts" / f"{name}.jinja").write_text(text)
    found = reparsed(folder, "run")
    assert (found["changed"], found["unreadable"]) == (0, {})


@pytest.mark.parametrize("which", ["run", "scored"])
def test_the_folder_alone_is_needed(folder: Path, made: tuple[Path, str], which: str) -> None:
    away = made[0] / "away"
    away.mkdir()
    needless = ["store.sqlite", "candidates.jsonl", "answers.jsonl"]
    try:
        for name in needless:
            (made[0] / name).rename(away / name)
        found = reparsed(shutil.copytree(folder / which, away / "copy").parent, "copy")
        assert (found["cases"], found["changed"], found["unreadable"]) == (CASES, 0, {})
    finally:
        for name in needless:
            (away / name).rename(made[0] / name)
        shutil.rmtree(away)


def test_a_case_that_cannot_be_read_again_is_named_and_keeps_its_reading(folder: Path) -> None:
    before = read_records(folder / "run")
    # Its answers are those of other questions: as if the prompt were rendered otherwise today.
    rewrite(folder / "run", {"u2"}, lambda row: row | {"requests": ["0" * 64, "1" * 64]})
    found = reparsed(folder, "run")
    assert set(found["unreadable"]) == {"u2"} and found["changed"] == 0
    assert "other requests" in found["unreadable"]["u2"]
    said = goes_well(run(folder, "reparse", "run", "--write")).stdout
    assert "1 cannot be parsed again" in said and "case u2: cannot be parsed again" in said
    assert read_records(folder / "run")["u2"].ranking == before["u2"].ranking


def test_a_call_that_failed_stays_failed(folder: Path) -> None:
    def failed(row: dict[str, Any]) -> dict[str, Any]:
        return unparsed(row) | {
            "outcome": "error",
            "reason": "HTTP 500",
            "responses": [row["responses"][0], None],
            "finish_reasons": ["stop", "error"],
            "errors": [None, "HTTP 500"],
        }

    rewrite(folder / "run", {"u5"}, failed)
    found = reparsed(folder, "run")
    assert (found["outcomes"]["after"]["error"], found["unreadable"]) == (1, {})
    record: CaseRecord = read_records(folder / "run")["u5"]
    assert record.failed
    goes_well(run(folder, "reparse", "run", "--write"))
    assert read_records(folder / "run")["u5"].failed, "the same eval asks for it again"


def test_a_run_that_says_nothing_of_its_making_and_a_folder_that_is_none(folder: Path) -> None:
    manifest = json.loads((folder / "run" / "manifest.json").read_text())
    (folder / "run" / "manifest.json").write_text(json.dumps({"format": 2, "settings": manifest["settings"]}))
    ran = run(folder, "reparse", "run")
    assert ran.returncode == 2 and "repeat the command that made it" in ran.stderr
    (folder / "other").mkdir()
    ran = run(folder, "reparse", "other")
    assert ran.returncode == 2 and "not a Run folder" in ran.stderr


def test_a_run_that_is_under_way_is_read_as_far_as_it_is(folder: Path) -> None:
    path = folder / "run" / "records.jsonl"
    (folder / "run" / "metrics.json").unlink()
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:5]) + lines[5][:20])
    found = reparsed(folder, "run")
    assert (found["cases"], found["changed"]) == (5, 0)
    assert "metrics.json needs" in goes_well(run(folder, "reparse", "run", "--write")).stdout
    assert not (folder / "run" / "metrics.json").exists()
    path.write_text("")
    ran = run(folder, "reparse", "run")
    assert ran.returncode == 2 and "no Cases yet" in ran.stderr
