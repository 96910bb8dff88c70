"""The reranked file: nothing that was written is lost, whatever the moment of the kill."""

from __future__ import annotations

import json
import os
from base64 import urlsafe_b64decode
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llmrank.data.candidate_writing import write_cases
from llmrank.data.candidates import CandidateFile
from llmrank.data.reranked import SOURCE_HASH, RerankedWriter, finished_settings, remove_unfinished
from llmrank.errors import InputError
from llmrank.types import Case, Event, Item, Outcome, Ranking, Usage

SUFFIXES = (".jsonl", ".jsonl.gz", ".parquet")
SETTINGS = {"prompt": "palr", "seed": 0}
CASES = [
    Case(str(user), (Event(Item("a", "A", {"genres": "War"})),), (Item("b", "B"), Item("c", "Ç")), (2.0, 1.0), ("c",))
    for user in range(5)
]


def ranking(row_line: int, outcome: Outcome = Outcome.OK) -> Ranking:
    return Ranking(("c", "b"), (1.0, float(-row_line)), outcome=outcome, repairs={"missing": 1})


def source(tmp_path: Path) -> Path:
    path = tmp_path / "cases.jsonl"
    write_cases(path, CASES, overwrite=True)
    lines = path.read_text().splitlines()
    path.write_text("".join(json.dumps({**json.loads(line), "region": ["EU", "1"]}) + "\n" for line in lines))
    return path


def rerank(path: Path, out: Path, lines: list[int], *, finish: bool, **options: Any) -> list[int]:
    """Rerank the rows of `lines`, in that order, unless they are done; return those that were asked for."""
    candidates = CandidateFile(path, truth="ignored")
    rows = {row.line: row for row in candidates}
    asked: list[int] = []
    with RerankedWriter(out, candidates, **{"settings": SETTINGS, **options}) as writer:
        for line in lines:
            if rows[line] not in writer:
                asked.append(line)
                writer.write(rows[line], ranking(line), Usage(prompt_tokens=line))
        if finish:
            assert writer.finish() == len(candidates)
    return asked


def read_back(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a reranked file as Python values, read by no code of ours."""
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist(maps_as_pydicts="strict")
    import gzip

    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_rows_stand_in_the_order_of_the_input_whatever_the_order_they_were_done_in(suffix: str, tmp_path: Path) -> None:
    path, one, two = source(tmp_path), tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"
    rerank(path, one, [1, 2, 3, 4, 5], finish=True)
    rerank(path, two, [4, 2, 5, 1, 3], finish=True)
    assert one.read_bytes() == two.read_bytes()
    assert not list(tmp_path.glob("*.part"))
    assert list(CandidateFile(one).cases()) == CASES
    first = read_back(one)[0]
    assert first["ranking"] == ["c", "b"]
    assert first["scores"] == [1.0, -1.0]
    assert first["outcome"] == "ok"
    assert first["repairs"] == {"missing": 1}
    usage = {"prompt_tokens": 1, "cached_tokens": 0, "completion_tokens": 0, "reasoning_tokens": 0}
    assert first["usage"] == usage
    assert first["region"] == ["EU", "1"]


PRICED = pa.schema(
    [
        pa.field("user_id", pa.int64()),
        pa.field(
            "candidates",
            pa.list_(pa.struct([("item_id", pa.string()), ("title", pa.string()), ("price", pa.decimal128(8, 2))])),
        ),
        pa.field("relevant", pa.list_(pa.string())),
        pa.field("segment", pa.dictionary(pa.int32(), pa.string())),
        pa.field("embedding", pa.list_(pa.float32(), 2)),
        pa.field("since", pa.timestamp("ms", "UTC")),
    ]
)


def priced(path: Path) -> pa.Table:
    item = {"item_id": "b", "title": "B", "price": Decimal("12.50")}
    rows = [
        {
            "user_id": user,
            "candidates": [item, {**item, "item_id": "c", "price": None}],
            "relevant": ["no such item"],
            "segment": "new",
            "embedding": [0.1, 0.2],
            "since": 880_000_000_000 + user,
        }
        for user in range(5)
    ]
    table = pa.Table.from_pylist(rows, PRICED)
    pq.write_table(table, path)
    return table


def test_columns_of_parquet_come_out_with_the_types_and_values_they_had(tmp_path: Path) -> None:
    path, out = tmp_path / "in.parquet", tmp_path / "out.parquet"
    before = priced(path)
    rerank(path, out, [1, 2, 3, 4, 5], finish=True)
    after = pq.read_table(out)
    assert after.schema.names[-5:] == ["ranking", "scores", "outcome", "repairs", "usage"]
    assert after.select(before.schema.names).equals(before)
    again = tmp_path / "again.parquet"
    rerank(out, again, [1, 2, 3, 4, 5], finish=True)
    assert pq.read_table(again).equals(after)


def test_lines_of_json_come_out_as_they_were_to_the_digit(tmp_path: Path) -> None:
    path, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    items = '[{"item_id": "b", "title": "B", "price": 12.50}, {"item_id": "c", "title": "C", "price": 1e2}]'
    lines = [f'{{"user_id": {user},  "candidates": {items}, "n": 10000000000000000000001}}' for user in range(5)]
    path.write_text("\n".join(lines) + "\n")
    rerank(path, out, [1, 2, 3, 4, 5], finish=True)
    for line, written in zip(lines, out.read_text().splitlines(), strict=True):
        assert written.startswith(line[:-1]) and json.loads(written)["ranking"] == ["c", "b"]
    again = tmp_path / "again.jsonl"
    rerank(out, again, [1, 2, 3, 4, 5], finish=True)
    assert read_back(again) == read_back(out)


def test_parquet_becomes_json_and_json_parquet(tmp_path: Path) -> None:
    priced(tmp_path / "in.parquet")
    rerank(tmp_path / "in.parquet", tmp_path / "out.jsonl", [1, 2, 3, 4, 5], finish=True)
    row = read_back(tmp_path / "out.jsonl")[0]
    assert row["candidates"][0]["price"] == "12.50" and row["segment"] == "new" and row["ranking"] == ["c", "b"]
    mixed = tmp_path / "mixed.jsonl"
    items = [{"item_id": 1, "title": "B", "price": 12}, {"item_id": "c", "title": "C", "price": 12.5}]
    rows = [{"user_id": 1, "candidates": items, "relevant": {"c": 2}}, {"user_id": "2", "candidates": items[::-1]}]
    mixed.write_text("".join(json.dumps(row) + "\n" for row in rows))
    rerank(mixed, tmp_path / "mixed.parquet", [1, 2], finish=True)
    (first, second) = read_back(tmp_path / "mixed.parquet")
    assert [item["price"] for item in first["candidates"]] == [12.0, 12.5]
    assert (first["user_id"], second["user_id"], first["relevant"]) == ("1", "2", {"c": 2.0})


def test_rows_without_a_common_type_are_refused_before_anything_is_paid(tmp_path: Path) -> None:
    path = source(tmp_path)
    first, *rest = path.read_text().splitlines()
    path.write_text("\n".join([json.dumps({**json.loads(first), "region": {"a": 1}}), *rest]))
    with pytest.raises(InputError, match="no common Parquet type") as caught:
        RerankedWriter(tmp_path / "out.parquet", CandidateFile(path), settings=SETTINGS)
    assert ".jsonl" in caught.value.hint
    assert not (tmp_path / "out.parquet.part").exists()


def refused(path: Path, out: Path, match: str) -> InputError:
    """Return what is said before anything is paid."""
    with pytest.raises(InputError, match=match) as caught:
        RerankedWriter(out, CandidateFile(path, truth="ignored"), settings=SETTINGS)
    assert not out.with_name(f"{out.name}.part").exists()
    return caught.value


def with_columns(path: Path, **columns: Any) -> Path:
    table = priced(path).slice(0, 2)
    for name, values in columns.items():
        table = table.append_column(name, values)
    pq.write_table(table, path)
    return path


def test_what_has_no_form_in_the_output_is_refused_before_anything_is_paid(tmp_path: Path) -> None:
    bytes_ = pa.array([b"\xff", b"ok"])
    broken = pa.Array.from_buffers(pa.string(), 2, bytes_.buffers())
    path = with_columns(tmp_path / "in.parquet", note=broken)
    assert ".parquet" in refused(path, tmp_path / "out.jsonl", "line 1: not UTF-8").hint
    path = with_columns(path, until=pa.array([0, 2**62], pa.timestamp("us")))
    assert ".parquet" in refused(path, tmp_path / "out.jsonl", "line 2: Python cannot represent a value").hint
    pairs = pa.array([[("k", 1)], [("k", 1), ("k", 2)]], pa.map_(pa.string(), pa.int64()))
    path = with_columns(path, pairs=pairs)
    assert ".parquet" in refused(path, tmp_path / "out.jsonl", "line 2: a map has a key twice").hint
    for kind in (pa.timestamp("ns", "Europe/Berlin"), pa.duration("ns"), pa.time64("ns")):
        path = with_columns(path, moment=pa.array([1000, 1001], pa.int64()).cast(kind))
        assert ".parquet" in refused(path, tmp_path / "out.jsonl", "JSON would lose the nanoseconds").hint
    lines = tmp_path / "in.jsonl"
    row = {"user_id": "a", "candidates": [{"item_id": "b", "title": "B"}]}
    lines.write_text(json.dumps({**row, "context": {}}) + "\n")
    assert ".jsonl" in refused(lines, tmp_path / "out.parquet", "no Parquet type .*'context'").hint
    # A whole number that no fraction is, and a batch later a fraction.
    rows = [{**row, "user_id": str(user), "n": 2**60 + 1} for user in range(1024)]
    lines.write_text("".join(json.dumps(one) + "\n" for one in [*rows, {**row, "n": 0.5}]))
    refused(lines, tmp_path / "out.parquet", "line 1, field 'n': the rows have no common Parquet type")
    for gains in ({"b": "high"}, "b"):
        lines.write_text("".join(json.dumps({**row, **one}) + "\n" for one in (
            {"relevant": gains}, {"user_id": "z", "relevant": {"b": 2}})))  # fmt: skip
        refused(lines, tmp_path / "out.parquet", "field 'relevant': the rows have no common Parquet type")


def test_bytes_are_base64_in_json_and_an_unknown_gain_is_null_in_parquet(tmp_path: Path) -> None:
    path = with_columns(tmp_path / "in.parquet", code=pa.array([b"\xff\xfe", b"ok"]))
    rerank(path, tmp_path / "out.jsonl", [1, 2], finish=True)
    assert [urlsafe_b64decode(row["code"]) for row in read_back(tmp_path / "out.jsonl")] == [b"\xff\xfe", b"ok"]
    row = {"candidates": [{"item_id": "b", "title": "B"}, {"item_id": "c", "title": "C"}]}
    rows = [{**row, "user_id": str(user), "relevant": ["b"]} for user in range(1024)]
    rows.append({**row, "user_id": "z", "relevant": {"b": None, "c": 2}})  # a batch later
    lines = tmp_path / "in.jsonl"
    lines.write_text("".join(json.dumps(one) + "\n" for one in rows))
    rerank(lines, tmp_path / "out.parquet", list(range(1, 1026)), finish=True)
    made = read_back(tmp_path / "out.parquet")
    assert (made[0]["relevant"], made[-1]["relevant"]) == ({"b": 1.0}, {"b": None, "c": 2.0})


def test_the_index_of_a_frame_comes_back(tmp_path: Path) -> None:
    frame = pandas.DataFrame(
        {"user_id": ["a", "b"], "candidates": [[{"item_id": "b", "title": "B"}, {"item_id": "c", "title": "C"}]] * 2},
        index=pandas.Index([10, 20], name="row"),
    )
    frame.to_parquet(tmp_path / "in.parquet")
    rerank(tmp_path / "in.parquet", tmp_path / "out.parquet", [1, 2], finish=True)
    assert pandas.read_parquet(tmp_path / "out.parquet").index.equals(frame.index)


def test_unscored_items_are_null_in_json(tmp_path: Path) -> None:
    out, candidates = tmp_path / "out.jsonl", CandidateFile(source(tmp_path))
    with RerankedWriter(out, candidates, settings=SETTINGS) as writer:
        for row in candidates:
            writer.write(row, Ranking(("c", "b"), (1.0, float("-inf"))), Usage())
        writer.finish()
    assert "Infinity" not in out.read_text()
    assert read_back(out)[0]["scores"] == [1.0, None]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_cut_off_at_any_byte_it_goes_on_and_asks_nothing_twice(suffix: str, tmp_path: Path) -> None:
    path, whole, out = source(tmp_path), tmp_path / f"whole{suffix}", tmp_path / f"out{suffix}"
    rerank(path, whole, [1, 2, 3, 4, 5], finish=True)
    rerank(path, out, [3, 1, 2], finish=False)
    part = tmp_path / f"out{suffix}.part"
    content = part.read_bytes()
    header = content.index(b"\n") + 1
    for length in range(0, len(content) + 1, 29):
        part.write_bytes(content[:length])
        complete = content[header:length].count(b"\n") if length > header else 0
        asked = rerank(path, out, [1, 2, 3, 4, 5], finish=True)
        assert len(asked) == 5 - complete
        assert out.read_bytes() == whole.read_bytes()
        out.unlink()


def test_a_damaged_unfinished_file_is_named_whatever_was_changed(tmp_path: Path) -> None:
    path, out = source(tmp_path), tmp_path / "out.jsonl"
    rerank(path, out, [1, 2, 3], finish=False)
    part = tmp_path / "out.jsonl.part"
    content = part.read_bytes()
    for place in range(0, len(content) - 1, 7):  # a changed row number among them
        if content[place : place + 1] == b"\n":
            continue
        part.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        if part.read_bytes().count(b"\n") != content.count(b"\n"):
            continue
        with pytest.raises(InputError, match="damaged") as caught:
            RerankedWriter(out, CandidateFile(path), settings=SETTINGS)
        assert caught.value.path == part and caught.value.line == content[:place].count(b"\n") + 1
        assert "--force" in caught.value.hint
    lines = content.splitlines(keepends=True)
    for whole, wrong in (([lines[0]] * 2, 2), (lines[::-1], 1), (lines[1:], 1)):  # two headers, or another line first
        part.write_bytes(b"".join(whole))
        with pytest.raises(InputError, match="damaged") as caught:
            RerankedWriter(out, CandidateFile(path), settings=SETTINGS)
        assert caught.value.line == wrong


def test_a_row_that_ended_in_an_error_is_asked_for_again_and_the_new_answer_counts(tmp_path: Path) -> None:
    path, out = source(tmp_path), tmp_path / "out.jsonl"
    candidates = CandidateFile(path)
    rows = list(candidates)
    with RerankedWriter(out, candidates, settings=SETTINGS) as writer:
        writer.write(rows[1], ranking(2, Outcome.ERROR), Usage())
        writer.write(rows[0], ranking(1), Usage())
        assert len(writer) == 1
    assert rerank(path, out, [1, 2, 3, 4, 5], finish=True) == [2, 3, 4, 5]
    assert [row["outcome"] for row in read_back(out)] == ["ok"] * 5
    assert len(CandidateFile(out)) == 5


def test_a_row_with_a_failed_call_inside_is_done_again_too(tmp_path: Path) -> None:
    path, out = source(tmp_path), tmp_path / "out.jsonl"
    candidates = CandidateFile(path)
    rows = list(candidates)
    with RerankedWriter(out, candidates, settings=SETTINGS) as writer:
        writer.write(rows[0], ranking(1, Outcome.REPAIRED), Usage(), failed=True)
        writer.write(rows[1], ranking(2, Outcome.REPAIRED), Usage())
    assert rerank(path, out, [1, 2, 3, 4, 5], finish=True) == [1, 3, 4, 5]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_command_on_a_finished_output_has_nothing_to_do(suffix: str, tmp_path: Path) -> None:
    path, out = source(tmp_path), tmp_path / f"out{suffix}"
    rerank(path, out, [1, 2, 3, 4, 5], finish=True)
    content = out.read_bytes()
    with RerankedWriter(out, CandidateFile(path), settings=SETTINGS) as writer:
        assert writer.finished and len(writer) == 5 and writer.finish() == 5
    assert rerank(path, out, [1, 2, 3, 4, 5], finish=True) == []
    assert out.read_bytes() == content
    assert not list(tmp_path.glob("*.part"))


def test_a_kill_at_any_step_of_the_end_leaves_what_the_same_command_completes(tmp_path: Path) -> None:
    path, out = source(tmp_path), tmp_path / "out.jsonl"
    rerank(path, out, [1, 2, 3], finish=False)
    part = (tmp_path / "out.jsonl.part").read_bytes()
    rerank(path, out, [1, 2, 3, 4, 5], finish=True)
    content, settings = out.read_bytes(), finished_settings(out).read_bytes()
    for named, noted in ((True, False), (True, True), (False, True)):
        for file, there, was in ((out, named, content), (finished_settings(out), noted, settings)):
            file.unlink(missing_ok=True)
            if there:
                file.write_bytes(was)
        (tmp_path / "out.jsonl.part").write_bytes(part)
        rerank(path, out, [1, 2, 3, 4, 5], finish=True)
        assert out.read_bytes() == content
        assert not list(tmp_path.glob("*.part"))


def test_other_settings_other_input_and_a_file_of_another_hand_are_refused_unless_forced(tmp_path: Path) -> None:
    path, out = source(tmp_path), tmp_path / "out.jsonl"
    rerank(path, out, [1], finish=False)
    other = {"prompt": "palr", "seed": 1}
    with pytest.raises(InputError, match="seed: was 0, now 1"):
        RerankedWriter(out, CandidateFile(path), settings=other)
    RerankedWriter(out, CandidateFile(path), settings=other, overwrite=True).close()
    assert rerank(path, out, [1, 2, 3, 4, 5], finish=True, overwrite=True) == [1, 2, 3, 4, 5]
    with pytest.raises(InputError, match="made with other settings:\n    seed: was 0, now 1"):
        RerankedWriter(out, CandidateFile(path), settings=other)
    out.write_text("mine")
    finished_settings(out).write_text("[" * 100_000)
    with pytest.raises(InputError, match="file already exists"):
        RerankedWriter(out, CandidateFile(path), settings=SETTINGS)
    assert out.read_text() == "mine"


@pytest.mark.parametrize("finish", [False, True])
def test_an_input_that_has_changed_since_is_named(tmp_path: Path, finish: bool) -> None:
    path, out = source(tmp_path), tmp_path / "out.jsonl"
    rerank(path, out, [1, 2, 3, 4, 5] if finish else [1], finish=finish, settings=SETTINGS | {SOURCE_HASH: "12ab"})
    hint = "name another output" if finish else "resume with the input as it was, or start over with"
    says = f"made from other rows: {path} has changed since, or is another input\n  hint: {hint}"
    with pytest.raises(InputError, match=says):
        RerankedWriter(out, CandidateFile(path), settings=SETTINGS | {SOURCE_HASH: "34cd"})


def test_the_output_is_never_the_input(tmp_path: Path) -> None:
    path = source(tmp_path)
    content = path.read_bytes()
    (tmp_path / "link.jsonl").symlink_to(path)
    for out in (path, tmp_path / "link.jsonl", tmp_path / "." / "cases.jsonl"):
        with pytest.raises(InputError, match="the output would overwrite the input"):
            RerankedWriter(out, CandidateFile(path), settings=SETTINGS, overwrite=True)
    assert path.read_bytes() == content


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_pipe_in_the_place_of_the_unfinished_file_is_not_waited_for(overwrite: bool, tmp_path: Path) -> None:
    path, out = source(tmp_path), tmp_path / "out.jsonl"
    out.touch()
    os.mkfifo(tmp_path / "out.jsonl.part")
    with pytest.raises(InputError, match="device or a pipe"):
        RerankedWriter(out, CandidateFile(path), settings=SETTINGS, overwrite=overwrite)


def test_what_another_process_is_writing_is_not_removed(tmp_path: Path) -> None:
    path, out = source(tmp_path), tmp_path / "out.jsonl"
    with RerankedWriter(out, CandidateFile(path), settings=SETTINGS):
        remove_unfinished(out)
        with pytest.raises(InputError, match="another process"):
            RerankedWriter(out, CandidateFile(path), settings=SETTINGS, overwrite=True)
        assert (tmp_path / "out.jsonl.part").exists()
    remove_unfinished(out)
    assert not (tmp_path / "out.jsonl.part").exists()
