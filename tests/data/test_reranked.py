"""The reranked file: nothing that was written is lost, whatever the moment of the kill."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from llmrank.data.candidates import check_candidates, read_rows, write_cases
from llmrank.data.reranked import RerankedWriter
from llmrank.errors import InputError
from llmrank.types import Case, Event, Item, Outcome, Ranking, Usage

SUFFIXES = (".jsonl", ".jsonl.gz", ".parquet")
SETTINGS = {"prompt": "palr", "seed": 0}
CASES = [
    Case(str(user), (Event(Item("a", "A", {"genres": "War"})),), (Item("b", "B"), Item("c", "Ç")), (2.0, 1.0), ("c",))
    for user in range(5)
]


def ranking(row_line: int, outcome: Outcome = Outcome.OK) -> Ranking:
    return Ranking(("c", "b"), (1.0, float(row_line)), outcome=outcome, repairs={"missing": 1})


def source(tmp_path: Path) -> Path:
    path = tmp_path / "cases.jsonl"
    write_cases(path, CASES, overwrite=True)
    lines = path.read_text().splitlines()
    path.write_text("".join(json.dumps({**json.loads(line), "region": ["EU", 1]}) + "\n" for line in lines))
    return path


def rerank(path: Path, out: Path, lines: list[int], *, finish: bool, **options: Any) -> list[int]:
    """Rerank the rows of `lines`, in that order, unless they are done; return those that were asked for."""
    rows = {row.line: row for row in read_rows(path)}
    asked: list[int] = []
    with RerankedWriter(out, settings=SETTINGS, **options) as writer:
        for line in lines:
            if rows[line] not in writer:
                asked.append(line)
                writer.write(rows[line], ranking(line), Usage(prompt_tokens=line))
        if finish:
            assert writer.finish() == 5
    return asked


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_rows_stand_in_the_order_of_the_input_whatever_the_order_they_were_done_in(suffix: str, tmp_path: Path) -> None:
    path, one, two = source(tmp_path), tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"
    rerank(path, one, [1, 2, 3, 4, 5], finish=True)
    rerank(path, two, [4, 2, 5, 1, 3], finish=True)
    assert one.read_bytes() == two.read_bytes()
    assert not list(tmp_path.glob("*.part"))
    rows = list(read_rows(one))
    assert [row.case for row in rows] == CASES
    first: Any = rows[0].raw
    assert first["ranking"] == ["c", "b"]
    assert first["scores"] == [1.0, 1.0]
    assert first["outcome"] == "ok"
    assert dict(first["repairs"]) == {"missing": 1}
    assert first["usage"] == {
        "prompt_tokens": 1,
        "cached_tokens": 0,
        "completion_tokens": 0,
        "reasoning_tokens": 0,
    }
    assert first["region"] == ('["EU", 1]' if suffix == ".parquet" else ["EU", 1])


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
        asked = rerank(path, out, [1, 2, 3, 4, 5], finish=True, overwrite=False)
        assert len(asked) == 5 - complete
        assert out.read_bytes() == whole.read_bytes()
        out.unlink()


def test_a_row_that_ended_in_an_error_is_asked_for_again_and_the_new_answer_counts(tmp_path: Path) -> None:
    path, out = source(tmp_path), tmp_path / "out.jsonl"
    rows = list(read_rows(path))
    with RerankedWriter(out, settings=SETTINGS) as writer:
        writer.write(rows[1], ranking(2, Outcome.ERROR), Usage())
        writer.write(rows[0], ranking(1), Usage())
        assert len(writer) == 1
    assert rerank(path, out, [1, 2, 3, 4, 5], finish=True) == [2, 3, 4, 5]
    assert [row.raw["outcome"] for row in read_rows(out)] == ["ok"] * 5
    assert check_candidates(out).rows == 5


def test_a_row_with_a_failed_call_inside_is_done_again_too(tmp_path: Path) -> None:
    path, out = source(tmp_path), tmp_path / "out.jsonl"
    rows = list(read_rows(path))
    with RerankedWriter(out, settings=SETTINGS) as writer:
        writer.write(rows[0], ranking(1, Outcome.REPAIRED), Usage(), failed=True)
        writer.write(rows[1], ranking(2, Outcome.REPAIRED), Usage())
    assert rerank(path, out, [1, 2, 3, 4, 5], finish=True) == [1, 3, 4, 5]


def test_other_settings_and_a_finished_file_are_refused_unless_forced(tmp_path: Path) -> None:
    path, out = source(tmp_path), tmp_path / "out.jsonl"
    rerank(path, out, [1], finish=False)
    with pytest.raises(InputError, match="seed: was 0, now 1"):
        RerankedWriter(out, settings={"prompt": "palr", "seed": 1})
    RerankedWriter(out, settings={"prompt": "palr", "seed": 1}, overwrite=True).close()
    assert rerank(path, out, [1, 2, 3, 4, 5], finish=True, overwrite=True) == [1, 2, 3, 4, 5]
    with pytest.raises(InputError, match="there already"):
        RerankedWriter(out, settings=SETTINGS)


def test_parquet_columns_have_one_type_whatever_the_rows_hold(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    rerank(source(tmp_path), out, [1, 2, 3, 4, 5], finish=True)
    schema = pq.read_schema(out)
    assert str(schema.field("ranking").type).startswith("list<")
    assert str(schema.field("repairs").type).startswith("map<string, int64")
    assert schema.names[-5:] == ["ranking", "scores", "outcome", "repairs", "usage"]
