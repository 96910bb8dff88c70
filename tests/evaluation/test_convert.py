"""`lr.convert`: a retriever's DataFrame becomes Cases, as its file does."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

import llmrank as lr
from llmrank.data.external_formats import convert_file
from llmrank.errors import InputError
from tests.evaluation.listening import Listening

PROPOSED = pd.DataFrame(
    {
        "user_id": [1, 1, 1, 1, 2],
        "request": ["a", "a", "b", "b", "c"],
        "item_id": [10, 11, 10, 12, 10],
        "score": [0.1, 0.9, 0.8, 0.3, 0.5],
        "timestamp": pd.to_datetime(["2026-01-02"] * 2 + ["2026-01-04"] * 3),
    }
)
ITEMS = pd.DataFrame({"item_id": [10, 11, 12, 13], "title": ["Heat", "Fargo", "Alien", "Cube"], "year": [1995] * 4})
PAST = pd.DataFrame({"user_id": [1, 1], "item_id": [13, 11], "timestamp": pd.to_datetime(["2026-01-01", "2026-01-03"])})
NEXT = pd.DataFrame({"user_id": [1, 1], "request": ["a", "b"], "item_id": [10, 12]})


def test_a_frame_of_requests_becomes_cases() -> None:
    told = Listening()
    shuffled = PROPOSED.sort_values("score")  # its index is no longer a range
    table = lr.convert(shuffled, items=ITEMS, histories=PAST, relevant=NEXT, columns={"case": "request"}, progress=told)
    cases = lr.load_cases(table)
    assert [(case.case_id, [item.title for item in case.candidates]) for case in cases] == [
        ("a", ["Fargo", "Heat"]),
        ("b", ["Heat", "Alien"]),
        ("c", ["Heat"]),
    ]
    assert [[event.item.title for event in case.history] for case in cases] == [["Cube"], ["Cube", "Fargo"], []]
    assert [case.relevant for case in cases] == [("10",), ("12",), ()]
    assert cases[0].candidates[0].attributes == {"year": "1995"}
    assert "Cases without a relevant item, which no measure counts: 1" in told.lines
    rankings = lr.rerank(table, ranker="recall_order", progress=False)
    assert [ranking.order for ranking in rankings] == [("11", "10"), ("10", "12"), ("10",)]


def test_notes_name_settings_as_in_python() -> None:
    told = Listening()
    lr.convert(pd.DataFrame({"user": ["u"], "item": ["1"], "title": ["A"], "price": [1]}), progress=told)
    assert any("no column is a score (columns={'score': 'NAME'})" in line for line in told.lines)


def test_a_frame_is_read_as_its_file(tmp_path: Path) -> None:
    proposed = PROPOSED.drop(columns="timestamp")
    proposed.to_csv(tmp_path / "proposed.csv", index=False)
    ITEMS.to_parquet(tmp_path / "items.parquet")
    convert_file(
        tmp_path / "proposed.csv",
        "table",
        tmp_path / "out.parquet",
        items=tmp_path / "items.parquet",
        columns={"case": "request"},
    )
    made = lr.convert(proposed, items=str(tmp_path / "items.parquet"), columns={"case": "request"}, progress=False)
    assert list(lr.load_cases(made)) == list(lr.load_cases(tmp_path / "out.parquet"))


def test_a_column_of_several_types_is_named_with_how_to_give_it_one() -> None:
    frame = pd.DataFrame({"user_id": ["a", "a"], "item_id": [1, "2"], "title": ["Heat", "Fargo"]})
    with pytest.raises(InputError, match="item_id") as refused:
        lr.convert(frame, progress=False)
    assert refused.value.hint.endswith("frame['item_id'] = frame['item_id'].astype('string')")
    frame["item_id"] = frame["item_id"].astype("string")
    [case] = lr.load_cases(lr.convert(frame, progress=False), progress=False)
    assert [item.item_id for item in case.candidates] == ["1", "2"]


def test_what_is_wrong_with_a_frame_is_said_with_its_table_and_the_remedy() -> None:
    with pytest.raises(lr.LlmrankError, match=r"hint: convert it: llmrank\.convert\(table"):
        lr.load_cases(PROPOSED)
    with pytest.raises(
        lr.LlmrankError, match=r"the table, line 1, field 'item_id', user '1': item '10' is a duplicate candidate"
    ):
        lr.convert(PROPOSED, items=ITEMS)
    with pytest.raises(lr.LlmrankError, match="the items, line 1, field 'title': no column for the title"):
        lr.convert(PROPOSED, items=ITEMS[["item_id"]])
    with pytest.raises(lr.LlmrankError, match="format 'trec' is read from a file"):
        lr.convert(pa.table({"a": [1]}), "trec", items=ITEMS)
    with pytest.raises(lr.LlmrankError, match="the table: no table is given"):
        lr.convert(None)  # pyright: ignore[reportArgumentType]
    with pytest.raises(lr.LlmrankError, match="field 'columns': expected a mapping of roles"):
        lr.convert(PROPOSED, items=ITEMS, columns="user=uid")  # pyright: ignore[reportArgumentType]
