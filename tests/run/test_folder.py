"""The Run folder: what is written stays, a kill costs at most the line it cut, and settings don't mix."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrank.data.candidate_writing import write_cases
from llmrank.errors import InputError
from llmrank.run import CaseRecord, Metrics, Origin, RunFolder, load_run, read_manifest, read_records
from llmrank.types import Failure, Outcome, Ranking, Response, Usage
from tests.run.making import SETTINGS, case, how, make_run, shuffled

NUMBERS = Metrics("full", False, 1, 1, 1, 1, {}, None)
texts = st.text(st.characters(exclude_categories=("Cs",)))


def record(user_id: str, outcome: Outcome = Outcome.OK, response: str | None = "x") -> CaseRecord:
    return CaseRecord(
        case_id=user_id,
        user_id=user_id,
        candidates=("1", "2"),
        ranking=Ranking(("2", "1"), (1.5, -math.inf), 1, outcome, "why", {"missing": 1}, {"exact": 1}, label_mass=0.25),
        measures={"NDCG@10": 1.0},
        requests=("k",),
        replies=(Failure("no answer") if response is None else Response(response),),
        usage=Usage(3, 2, 1),
    )


def test_a_folder_that_is_gone_at_the_end_says_so(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run", SETTINGS) as folder:
        (tmp_path / "run").rename(tmp_path / "moved")
        with pytest.raises(InputError, match="moved or deleted"):
            folder.latest_tariff()


@given(texts, texts)
def test_a_record_survives_its_line(user_id: str, response: str) -> None:
    before = record(user_id, response=response)
    line = before.to_json()
    assert CaseRecord.from_json(line) == before
    assert "\n" not in line and "\r" not in line
    json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_half_a_surrogate_pair_from_an_endpoint_is_kept(tmp_path: Path) -> None:
    with RunFolder(tmp_path, {}) as folder:
        folder.add(record("a", response="cut off: \ud83d"))
    assert read_records(tmp_path)["a"].responses == ("cut off: \ud83d",)


@pytest.mark.parametrize("cut", [1, 5, 40, 200])
def test_a_line_cut_by_a_kill_is_dropped_and_the_rest_kept(tmp_path: Path, cut: int) -> None:
    with RunFolder(tmp_path / "run", {"seed": 0}) as folder:
        for user in ("a", "b", "c"):
            folder.add(record(user))
    path = tmp_path / "run" / "records.jsonl"
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


def test_a_case_with_a_failed_call_inside_is_wanted_again(tmp_path: Path) -> None:
    with RunFolder(tmp_path, {}) as folder:
        replies = (Response("x"), Failure("no answer"))
        folder.add(replace(record("a", Outcome.REPAIRED), requests=("k", "l"), replies=replies))
        folder.add(record("b", Outcome.REPAIRED))
    with RunFolder(tmp_path, {}) as folder:
        assert folder.wants("a") and not folder.wants("b")


def test_where_it_came_from_is_noted_and_never_compared(tmp_path: Path) -> None:
    inside, outside = tmp_path / "run" / "s.sqlite", tmp_path / "t.sqlite"
    for store, data in ((inside, "a.jsonl"), (outside, "b.jsonl"), (inside, "b.jsonl"), (None, "b.jsonl")):
        RunFolder(tmp_path / "run", {"seed": 0}, Origin("eval", {"data": data}, store)).close()
    manifest = read_manifest(tmp_path / "run")
    assert manifest["origin"] == {"verb": "eval", "options": {"data": "b.jsonl"}}
    assert manifest["stores"] == ["s.sqlite", str(outside)]
    before = (tmp_path / "run" / "manifest.json").read_bytes()
    RunFolder(tmp_path / "run", {"seed": 0}).close()
    assert (tmp_path / "run" / "manifest.json").read_bytes() == before


def test_records_are_replaced_whole_and_the_old_ones_kept(tmp_path: Path) -> None:
    with RunFolder(tmp_path, {}) as folder:
        folder.add(record("a"))
        folder.finish(NUMBERS, {})
        first = (tmp_path / "records.jsonl").read_bytes()
        assert folder.replace({"a": record("a", Outcome.UNPARSED)}) == tmp_path / "records.jsonl.before"
        assert folder.replace({"a": record("a", response="y")}) == tmp_path / "records.jsonl.before-2"
        with pytest.raises(InputError, match="another process"):
            RunFolder(tmp_path, {})
        folder.add(record("b"))
    assert (tmp_path / "records.jsonl.before").read_bytes() == first
    assert json.loads((tmp_path / "metrics.json.before").read_text()) == NUMBERS.to_dict()
    assert {user: one.responses for user, one in read_records(tmp_path).items()} == {"a": ("y",), "b": ("x",)}


def test_other_settings_are_refused_and_the_difference_is_named(tmp_path: Path) -> None:
    RunFolder(tmp_path, {"seed": 0, "prompt": "palr"}).close()
    before = (tmp_path / "manifest.json").read_text()
    with pytest.raises(InputError, match=r"seed: was 0, now 1") as raised:
        RunFolder(tmp_path, {"seed": 1, "prompt": "palr"})
    assert "prompt" not in str(raised.value).split("hint")[0].replace("prompt: was", "")
    assert (tmp_path / "manifest.json").read_text() == before


@pytest.mark.parametrize("kept", [None, 0, 500])
def test_lost_and_truncated_cases_are_written_again(tmp_path: Path, kept: int | None) -> None:
    cases = [case(user, 2) for user in ("u0", "u1")]
    make_run(tmp_path, cases, [shuffled(one, 0) for one in cases])
    path = tmp_path / "cases.parquet"
    content = path.read_bytes()
    path.unlink()
    if kept is not None:
        path.write_bytes(content[:kept])
    with RunFolder(tmp_path, SETTINGS) as folder:
        folder.keep_inputs(cases, how())
    assert len(load_run(tmp_path).done) == 2


def test_a_record_of_another_run_is_refused(tmp_path: Path) -> None:
    cases = [case(user, 2) for user in ("u0", "u1")]
    make_run(tmp_path, cases, [shuffled(one, 0) for one in cases])
    path = tmp_path / "records.jsonl"
    other = path.read_text().splitlines()[0].replace('"u0"', '"u1"')
    path.write_text(f"{path.read_text()}{other}\n")
    with (
        RunFolder(tmp_path, SETTINGS) as folder,
        pytest.raises(InputError, match=r"records.jsonl: the record of Case 'u1' is not about"),
    ):
        folder.keep_inputs(cases, how())


@pytest.mark.parametrize("part", [{"stores": 5}, {"sessions": "x"}, {"origin": None}])
def test_a_manifest_whose_parts_are_of_other_types_is_damaged(tmp_path: Path, part: dict[str, object]) -> None:
    RunFolder(tmp_path, {"seed": 0}).close()
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **part}))
    with pytest.raises(InputError, match=f"damaged, or of another version: TypeError: {next(iter(part))} is of"):
        RunFolder(tmp_path, {"seed": 0})


def test_two_processes_on_one_run_are_refused(tmp_path: Path) -> None:
    with RunFolder(tmp_path, {}), pytest.raises(InputError, match="another process"):
        RunFolder(tmp_path, {})


def test_a_folder_that_is_a_file_is_refused_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match=r"taken: cannot be written: File exists[\s\S]*name another"):
        RunFolder(tmp_path / "taken", {})


def test_finishing_writes_the_numbers_and_notes_the_session(tmp_path: Path) -> None:
    for calls in (3, 0):
        with RunFolder(tmp_path, {"seed": 0}) as folder:
            folder.finish(NUMBERS, {"calls": calls})
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert [session["calls"] for session in manifest["sessions"]] == [3, 0]
    assert Metrics.from_dict(json.loads((tmp_path / "metrics.json").read_text())) == NUMBERS
    assert not list(tmp_path.glob("*.part"))


def test_a_file_of_another_run_is_refused(tmp_path: Path) -> None:
    """Also one with the same Cases, whose numbers would be believed."""
    cases = [case(f"u{at}") for at in range(6)]
    run, other = (
        make_run(tmp_path / name, cases, [shuffled(one, seed) for one in cases], settings=SETTINGS | {"seed": seed})
        for seed, name in enumerate(("run", "other"))
    )
    write_cases(tmp_path / "cases.parquet", [replace(one, relevant=one.relevant[:0]) for one in cases])
    changed = {
        "metrics.json": (other.path / "metrics.json").read_bytes(),
        "cases.parquet": (tmp_path / "cases.parquet").read_bytes(),
        "evaluation.json": (run.path / "evaluation.json").read_bytes().replace(b"5.0", b"9.0"),
    }
    for name, content in changed.items():
        kept = (run.path / name).read_bytes()
        (run.path / name).write_bytes(content)
        again = load_run(run.path)
        with pytest.raises(InputError, match="another Run"):
            _ = (again.metrics, again.cases, again.metric_settings)
        if name != "metrics.json":  # which are written again
            with pytest.raises(InputError, match="another Run"), RunFolder(run.path, SETTINGS | {"seed": 0}) as folder:
                folder.keep_inputs(cases, how())
        (run.path / name).write_bytes(kept)
    assert len(load_run(run.path).records) == 6 == load_run(run.path).metrics.cases
