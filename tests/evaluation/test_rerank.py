"""`lr.rerank`: Cases and tables in, Rankings out; and what a method cannot do is said before anything is asked."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, cast

import pandas
import pyarrow as pa
import pytest

import llmrank as lr
from llmrank.errors import InputError
from tests.evaluation.listening import Listening
from tests.scripted_server import MODEL, ScriptedServer, Step, completion

ROWS: list[dict[str, Any]] = [
    {"user_id": user, "candidates": [{"item_id": "1", "title": "A"}, {"item_id": "2", "title": "B"}]} for user in "ab"
]
RATED = {"user_id": "r", "target": {"item_id": "1", "title": "A"}}
A, B = lr.Item("1", "A"), lr.Item("2", "B")


def ranked(candidates: Any, output: Path | None = None, **settings: Any) -> Any:
    return lr.rerank(candidates, output, **{"ranker": "recall_order", "progress": False, **settings})


def test_a_table_is_ranked_like_its_cases() -> None:
    wanted = ranked([lr.Case(user, (), (A, B)) for user in "ab"])
    assert wanted[0].order == ("1", "2")
    assert ranked(pandas.DataFrame(ROWS)) == ranked(pa.Table.from_pylist(ROWS)) == wanted
    assert ranked(lr.load_cases(pandas.DataFrame(ROWS))) == wanted
    twice = pa.Table.from_pylist([*ROWS, ROWS[0]])
    with pytest.raises(InputError, match="duplicate Case"):
        ranked(twice)
    assert ranked(twice, skip_bad_rows=True) == wanted


@pytest.mark.parametrize(
    ("candidates", "message"),
    [
        (ROWS, "expected a Case, got dict"),
        (lr.Case("a", (), (A,)), "expected a list of Cases, got Case"),
        (42, "expected a list of Cases, got int"),
        ([lr.Case("a", (), (A,)), lr.Case("a", (), (B,))], "user 'a': duplicate case_id 'a'"),
        ([lr.Case("a", (), (A, A))], "user 'a': duplicate candidate"),
        ([lr.Case("a", (), target=A)], "1 row has a rating target"),
        (pa.Table.from_pylist([RATED]), "1 row has a rating target"),
    ],
)
def test_what_are_no_cases_to_rank_is_said(candidates: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ranked(candidates)


def test_a_single_row_is_not_in_the_plural(tmp_path: Path) -> None:
    (path := tmp_path / "in.jsonl").write_text(json.dumps(ROWS[0]))
    output = tmp_path / "out.jsonl"
    assert str(ranked(path, output)).startswith(f"{output}: 1 row. This time: ok 1 ")
    assert str(ranked(path, output)) == f"{output}: already complete; 0 calls."


@pytest.mark.parametrize(("reports", "usage"), [(True, 10), (False, None)])
async def test_tokens_that_nobody_reported_are_not_zero(reports: bool, usage: int | None, tmp_path: Path) -> None:
    body = completion("[2] > [1]") if reports else {**completion("[2] > [1]"), "usage": None}
    (path := tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    async with ScriptedServer(Step(body=json.dumps(body), headers={"Content-Type": "application/json"})) as server:
        asked: dict[str, Any] = {"prompt": "rankgpt", "order": "recall", "base_url": server.base_url, "model": MODEL}
        output = tmp_path / "out.jsonl"
        await asyncio.to_thread(ranked, path, output, ranker=None, store=tmp_path / "s.sqlite", **asked)
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["ranking"] for row in rows] == [["2", "1"]] * 2
    assert [row["usage"] and row["usage"]["prompt_tokens"] for row in rows] == [usage] * 2


@pytest.mark.parametrize(("setting", "option"), [("actors", "--actors"), ("gpus_per_actor", "--gpus-per-actor")])
def test_actors_without_ray_are_refused(setting: str, option: str, tmp_path: Path) -> None:
    (path := tmp_path / "in.jsonl").write_text(json.dumps(ROWS[0]) + "\n")
    with pytest.raises(InputError, match=f"{option}: only --engine ray has actors"):
        ranked(path, tmp_path / "out.jsonl", **{setting: 2})


@pytest.mark.parametrize(("setting", "value"), [("ranker", "oracle"), ("order", "target-at-0")])
def test_what_needs_the_truth_is_refused(setting: str, value: str, tmp_path: Path) -> None:
    cases = [lr.Case("a", (), (A, B), relevant=("2",))]
    (path := tmp_path / "in.jsonl").write_text(json.dumps(ROWS[0]) + "\n")
    for candidates, output in ((cases, None), (path, tmp_path / "out.jsonl")):
        with pytest.raises(InputError, match=f"field '{setting}'.*needs the relevant items"):
            ranked(candidates, output, **{setting: value})
    with pytest.raises(InputError, match=f"field '{setting}'.*needs the relevant items"):
        lr.Reranker(**cast("Any", {"ranker": "recall_order", setting: value}))


def test_rankings_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="field 'out'"):
        ranked([lr.Case("a", (), (A,))], tmp_path / "out.parquet")


def test_a_rating_row_needs_a_method_that_rates(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in (*ROWS, RATED)))
    for settings in ({}, {"ranker": None, "prompt": "palr"}):  # the endpoint is never asked
        with pytest.raises(InputError, match="field 'target': 1 row has a rating target"):
            ranked(path, tmp_path / "out.jsonl", base_url="http://127.0.0.1:9/v1", **settings)
    past = [{"item_id": "h", "title": "H", "rating": 4}]
    path.write_text(json.dumps({**RATED, "history": past}) + "\n")
    assert ranked(path, tmp_path / "out.jsonl", ranker="user_mean").rows == 1


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_columns_that_are_replaced_are_named(suffix: str, tmp_path: Path) -> None:
    path, listening = tmp_path / f"in{suffix}", Listening()
    frame = pandas.DataFrame([{**row, "outcome": "bought"} for row in ROWS])
    if suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_json(path, orient="records", lines=True)
    ranked(path, tmp_path / f"out{suffix}", progress=listening)
    assert any("Replacing the column outcome of the input" in text for text in listening.lines)
    listening.lines.clear()
    ranked(tmp_path / f"out{suffix}", tmp_path / f"again{suffix}", progress=listening)
    assert not any("replaced" in text for text in listening.lines)


def test_what_the_hint_says_about_an_existing_output_can_be_done(tmp_path: Path) -> None:
    rows, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    row = {"user_id": "a", "candidates": [{"item_id": "1", "title": "A"}, {"item_id": "2", "title": "B"}]}
    rows.write_text(json.dumps(row) + "\n")
    out.write_text("mine\n")
    with pytest.raises(InputError, match="overwrite=True"):
        lr.rerank(rows, out, ranker="recall_order", progress=False)
    lr.rerank(rows, out, ranker="recall_order", overwrite=True, progress=False)
    assert json.loads(out.read_text())["ranking"] == ["1", "2"]


def test_a_shard_says_which_file_it_wrote_and_how_many_rows_that_holds(tmp_path: Path) -> None:
    users = [row | {"user_id": f"{row['user_id']}{number}"} for number in range(4) for row in ROWS]
    (tmp_path / "in.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in users))
    shards = [ranked(tmp_path / "in.jsonl", tmp_path / "one.jsonl", shard="2/2") for _ in range(2)]
    assert {one.output for one in shards} == {tmp_path / "one.2-of-2.jsonl"} and shards[0].output.is_file()
    assert shards[0].rows == shards[1].rows == sum(shards[0].outcomes.values()) > 0
