"""A retriever's table as companies have it becomes a candidate file, and loses nothing silently."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq
import pytest

import llmrank as lr
from llmrank.data.candidates import BadRowsError, CandidateFile
from llmrank.data.external_formats import convert_file, read_external
from llmrank.data.rows import in_plain_types, texts
from llmrank.data.table import Table
from llmrank.data.table_files import read_table
from llmrank.data.tables import read_event_rows
from llmrank.data.tallrec import read_tallrec
from llmrank.errors import InputError
from llmrank.prompting.library import load_template
from llmrank.types import Event, Item

USERS, ITEMS = 6, 5
PRICES = pa.array([Decimal(f"{n}.50") for n in range(ITEMS)], pa.decimal128(8, 2))


def write_catalogue(folder: Path) -> Path:
    titles = [f"Lip balm {n}" for n in range(ITEMS)]
    pq.write_table(
        pa.table({"sku": [f"s{n}" for n in range(ITEMS)], "name": titles, "price": PRICES}), folder / "i.parquet"
    )
    renamed = pq.read_table(folder / "i.parquet").rename_columns(["item_id", "title", "price"])
    pq.write_table(renamed, folder / "items.parquet")
    return folder / "items.parquet"


def long_table() -> Any:
    rows = [(f"u{u}", f"s{(u + n) % ITEMS}", 1.0 - n / 10) for u in range(USERS) for n in range(3)]
    users, items, scores = zip(*reversed(rows), strict=True)
    return pa.table({"customer_id": users, "item_id": items, "similarity": scores, "in_stock": [True] * len(rows)})


def test_a_long_table_with_items_histories_and_qrels(tmp_path: Path) -> None:
    items, table = write_catalogue(tmp_path), tmp_path / "long.parquet"
    pq.write_table(long_table(), table)
    (tmp_path / "events.csv").write_text("user_id,item_id,timestamp\nu0,s4,20\nu0,s3,10\nu1,gone,1\nx,s1,1\n")
    (tmp_path / "qrels").write_text("u0 0 s1 2\nu1 0 s4 1\nu9 0 s0 1\n")
    out = tmp_path / "out.parquet"
    rows, notes = convert_file(
        table, "table", out, items=items, histories=tmp_path / "events.csv", relevant=tmp_path / "qrels"
    )
    assert rows == USERS
    assert set(notes) == {
        "events left out of the histories because their items have no title: 1",
        "Cases with an empty history: 5",
        "Cases without a relevant item, which no measure counts: 4",
        "relevant items that are not candidates (they count against the score): 1",
        "users with relevant items but no candidates, left out: 1",
    }
    cases = {case.user_id: case for case in CandidateFile(out).cases()}
    first = cases["u0"]
    assert [item.item_id for item in first.candidates] == ["s0", "s1", "s2"]
    assert first.recall_scores == pytest.approx((1.0, 0.9, 0.8))
    assert first.candidates[1].title == "Lip balm 1"
    assert [event.item.title for event in first.history] == ["Lip balm 3", "Lip balm 4"]
    assert (first.relevant, first.gains) == (("s1",), (2.0,))
    assert cases["u1"].relevant == ("s4",)
    raw = pq.read_table(out)
    assert raw.schema.field("candidates").type.value_type.field("price").type == PRICES.type
    given = next(row for row in raw.to_pylist() if row["user_id"] == "u0")["candidates"]
    assert [(one["price"], one["in_stock"]) for one in given] == [(Decimal(f"{n}.50"), True) for n in range(3)]


def test_events_that_repeat_another_are_counted() -> None:
    proposed = pa.table({"listener_id": ["l", "l"], "episode_id": ["1", "2"], "title": ["One", "Two"], "score": [2, 1]})
    past = pa.table({"listener": ["l"] * 4 + ["m"], "episode": ["1", "1", "1", "2", "1"], "time": [5, 5, 6, 5, 5]})
    table, notes = read_external(proposed, "table", histories=past)
    assert "events of the histories that repeat another of the same user, item and time (kept): 1" in notes
    assert len(table["history"][0]) == 4


def test_the_items_without_a_title_are_counted_once_each() -> None:
    items = pa.table({"item": ["1", "2", "3"], "title": ["One", None, None]})
    proposed = pa.table({"user": ["u", "u", "u", "v", "v"], "item": ["1", "2", "3", "2", "3"]})
    with pytest.raises(BadRowsError, match=r"4 rows are invalid(.*\n)*.*\(2 items have none\)"):
        read_external(proposed, "table", items=items)


def test_ids_that_lost_their_leading_zeros_are_told_from_unknown_items() -> None:
    proposed, items = pa.table({"user": ["u"], "item": ["007"]}), pa.table({"item": [7], "title": ["Bond"]})
    with pytest.raises(InputError, match=r"lost leading zeros.*dtype=str"):
        read_external(proposed, "table", items=items)
    with pytest.raises(InputError, match="add it there, or remove the row"):
        read_external(pa.table({"user": ["u"], "item": ["008"]}), "table", items=items)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_wide_table_is_the_same_as_the_long_one(suffix: str, tmp_path: Path) -> None:
    items, table = write_catalogue(tmp_path), tmp_path / f"wide{suffix}"
    users = [f"u{u}" for u in range(USERS)]
    ids = [[f"s{(u + n) % ITEMS}" for n in range(3)] for u in range(USERS)]
    scores = [[1.0, 0.9, 0.8]] * USERS
    if suffix == ".csv":
        texts = {"user_id": users, "items": [" ".join(one) for one in ids], "score": [str(one) for one in scores]}
        pv.write_csv(pa.table(texts), table)
    else:
        pq.write_table(pa.table({"user_id": users, "items": ids, "score": scores}), table)
    pq.write_table(long_table(), tmp_path / "long.parquet")
    wide, long = (
        CandidateFile(read_external(path, "table", items=items)[0]) for path in (table, tmp_path / "long.parquet")
    )
    plain = {case.user_id: [item.item_id for item in case.candidates] for case in wide.cases()}
    assert plain == {case.user_id: [item.item_id for item in case.candidates] for case in long.cases()}
    assert next(wide.cases()).recall_scores == (1.0, 0.9, 0.8)


def test_faults_are_listed_with_their_lines_or_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text(
        "user,item,title,score\nu,1,One,0.5\nu,2, ,0.4\nu,1,One,0.3\n,3,Three,0.2\nu,4,Four,\nu,5,Five,.1\n"
    )
    with pytest.raises(BadRowsError) as caught:
        read_external(path, "table")
    assert [(fault.line, fault.field) for fault in caught.value.faults] == [
        (3, "title"),
        (4, "item"),
        (5, "user"),
        (6, "score"),
    ]
    table, notes = read_external(path, "table", skip_bad_rows=True)
    (case,) = CandidateFile(table).cases()
    assert [item.item_id for item in case.candidates] == ["1", "5"]
    assert set(notes) == {
        "rows skipped because the item has no title: 1",
        "rows skipped because the item is a duplicate candidate: 1",
        "rows skipped because the user is missing: 1",
        "rows skipped because the item has no finite score: 1",
        "Cases with an empty history: 1",
    }


@pytest.mark.parametrize("kind", [pa.list_(pa.string()), pa.large_list(pa.string())])
def test_users_whose_list_is_empty_are_counted(kind: object, tmp_path: Path) -> None:
    items = pa.array([["s1", "s2"], [], None], kind)
    pq.write_table(pa.table({"user": ["u1", "u2", "u3"], "items": items}), tmp_path / "wide.parquet")
    rows, notes = convert_file(
        tmp_path / "wide.parquet", "table", tmp_path / "out.jsonl", items=write_catalogue(tmp_path)
    )
    assert rows == 1 and "Cases without candidates, left out: 2" in notes


def test_a_list_that_is_nested_without_end_holds_no_item(tmp_path: Path) -> None:
    (tmp_path / "wide.csv").write_text(f"user,items\nu1,s1 s2 s3\nu2,{'[' * 100_000}\n")
    _, notes = read_external(tmp_path / "wide.csv", "table", items=write_catalogue(tmp_path))
    assert "Cases without candidates, left out: 1" in notes


def test_lists_of_a_fixed_size_are_lists(tmp_path: Path) -> None:
    items = pa.array([["s1", "s2"], ["s3", "s4"]], pa.list_(pa.string(), 2))
    pq.write_table(pa.table({"user": ["u1", "u2"], "items": items}), tmp_path / "wide.parquet")
    made, _ = read_external(tmp_path / "wide.parquet", "table", items=write_catalogue(tmp_path))
    assert [[one["item_id"] for one in row] for row in made["candidates"].to_pylist()] == [["s1", "s2"], ["s3", "s4"]]


@pytest.mark.parametrize("words", [("True", "False"), ("true", "false"), ("1", "0"), ("2", "0")])
def test_true_and_false_may_be_texts(words: tuple[str, str], tmp_path: Path) -> None:
    table = tmp_path / "long.csv"
    table.write_text("user,item,title,label\nu,1,A,{}\nu,2,B,{}\n".format(*words))
    made, _ = read_external(table, "table")
    (row,) = made["relevant"].to_pylist(maps_as_pydicts="strict")
    assert row == ({"1": 2.0} if words[0] == "2" else ["1"])
    made, _ = read_external(table, "table", relevant=table)
    assert made["relevant"].to_pylist(maps_as_pydicts="strict") == [row]


def test_json_keeps_bytes_and_days(tmp_path: Path) -> None:
    table = pa.table({"user": ["u"], "item": ["1"], "title": ["A"], "code": [b"\xff"]})
    pq.write_table(table, tmp_path / "long.parquet")
    convert_file(tmp_path / "long.parquet", "table", tmp_path / "out.jsonl")
    assert json.loads((tmp_path / "out.jsonl").read_text())["candidates"][0]["code"] == "_w=="
    (tmp_path / "long.jsonl").write_text('{"user": 1, "item": 1, "title": "A", "day": "2001-02-03"}\n')
    convert_file(tmp_path / "long.jsonl", "table", tmp_path / "out.jsonl", overwrite=True)
    assert json.loads((tmp_path / "out.jsonl").read_text())["candidates"][0]["day"] == "2001-02-03"


@pytest.mark.parametrize("also", [{}, {"relevant": "grade"}, {"relevant": "seen"}])
def test_a_column_named_as_the_gain_is_the_truth_and_no_attribute(tmp_path: Path, also: dict[str, str]) -> None:
    path = tmp_path / "long.csv"
    path.write_text("user,item,title,score,clicked,seen,grade\nu,a,A,2,1,1,5\nu,b,B,1,1,1,1\nu,c,C,0,0,1,0\n")
    (case,) = CandidateFile(read_external(path, "table", columns={"gain": "grade", **also})[0]).cases()
    assert (case.relevant, case.gains) == (("a", "b"), (5.0, 1.0))
    assert not {"grade", also.get("relevant", "clicked")} & set(case.candidates[0].attributes)


def test_ids_keep_what_would_be_an_entity_in_a_title(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("user,item,title,score,relevant\nu,a&amp;b,Salt &amp; Pepper,2,0\nu, a&b ,Salt,1,1\n")
    (case,) = CandidateFile(read_external(path, "table")[0]).cases()
    assert case.candidates == (Item("a&amp;b", "Salt & Pepper"), Item("a&b", "Salt"))
    assert case.relevant == ("a&b",)


def test_a_row_without_an_item_is_not_relevant(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("user,item,title,score,relevant\nu,1,One,2,1\nu,,Two,1,1\n")
    table, notes = read_external(path, "table", skip_bad_rows=True)
    assert [case.relevant for case in CandidateFile(table).cases()] == [("1",)]
    assert "rows that are relevant by the column 'relevant': 1" in notes


def test_a_column_of_relevance_beside_given_items_is_counted_as_ignored(tmp_path: Path) -> None:
    (tmp_path / "long.csv").write_text("user,item,title,score,clicked\nu,1,One,2,1\nu,2,Two,1,0\n")
    (tmp_path / "qrels").write_text("u 0 2 1\n")
    table, notes = read_external(tmp_path / "long.csv", "table", relevant=tmp_path / "qrels")
    assert [case.relevant for case in CandidateFile(table).cases()] == [("2",)]
    assert "rows that are relevant by the column 'clicked', ignored because the relevant items are given: 1" in notes


def test_histories_of_nobody_with_candidates_are_counted(tmp_path: Path) -> None:
    (tmp_path / "long.csv").write_text("user,item,title,score\n7,1,One,2\n7,2,Two,1\n")
    (tmp_path / "other.csv").write_text("user,item,timestamp,position\n007,1,1,1\n008,2,2,1\n008,1,3,2\n")
    table, notes = read_external(tmp_path / "long.csv", "table", histories=tmp_path / "other.csv")
    assert [case.history for case in CandidateFile(table).cases()] == [()]
    assert "users of the histories, none of whom has candidates (are the ids of one kind?): 2" in notes


def test_events_without_a_title_leave_an_empty_history(tmp_path: Path) -> None:
    (tmp_path / "long.csv").write_text("user,item,title,score\n7,1,One,2\n7,2,Two,1\n")
    (tmp_path / "events.csv").write_text("user,item,timestamp,position\n7,9,1,1\n")
    table, notes = read_external(tmp_path / "long.csv", "table", histories=tmp_path / "events.csv")
    assert [case.history for case in CandidateFile(table).cases()] == [()]
    assert "events left out of the histories because their items have no title: 1" in notes


def test_only_names_that_speak_of_a_moment_are_taken_for_timestamps(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text("user,item,category_id\nu,1,1400000000\nu,2,1300000000\n")
    assert read_event_rows(read_table(path)).timestamp is None
    path.write_text("user,item,category_id,viewedAt\nu,1,1400000000,1300000001\nu,2,1300000000,1300000000\n")
    found = read_event_rows(read_table(path))
    assert found.timestamp is not None and found.timestamp.tolist() == [1300000001, 1300000000]


def test_an_item_without_categories_has_an_empty_list_of_them() -> None:
    assert texts(pa.chunked_array([pa.array([["Drama", "War"], [], None])])).to_pylist() == ["Drama, War", "", None]


def test_roles_are_named_where_names_do_not_tell(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("who,what,called,closeness\nu,1,One,0.1\nu,2,Two,0.9\n")
    with pytest.raises(InputError, match=r"columns=\{'user': 'NAME'\}"):
        read_external(path, "table")
    roles = {"user": "who", "item": "what", "title": "called", "score": "closeness"}
    (case,) = CandidateFile(read_external(path, "table", columns=roles)[0]).cases()
    assert [item.title for item in case.candidates] == ["Two", "One"]
    with pytest.raises(InputError, match="unknown column role 'users'"):
        read_external(path, "table", columns={"users": "who"})
    with pytest.raises(InputError, match=r"no table has a column 'whom'.*did you mean 'who'"):
        read_external(path, "table", columns={"user": "whom"})


def test_roles_are_named_for_the_tables_beside_it_too(tmp_path: Path) -> None:
    contents = {
        "long.csv": "who,what,closeness\nu,1,0.1\nu,2,0.9\nv,1,0.5\n",
        "items.csv": "what,called\n1,One\n2,Two\n3,Three\n",
        "past.csv": "who,what,at_second\nu,3,100\n",
        "truth.csv": "who,what,how_much\nu,1,2\n",
    }
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
    roles = {"user": "who", "item": "what", "title": "called", "score": "closeness", "timestamp": "at_second"}
    table, _ = read_external(
        tmp_path / "long.csv",
        "table",
        items=tmp_path / "items.csv",
        histories=tmp_path / "past.csv",
        relevant=tmp_path / "truth.csv",
        columns=roles | {"gain": "how_much"},
    )
    first, second = CandidateFile(table).cases()
    assert [item.title for item in first.candidates] == ["Two", "One"]
    assert [(event.item.title, event.timestamp) for event in first.history] == [("Three", 100)]
    assert (first.relevant, first.gains) == (("1",), (2.0,))
    assert not second.history


def write_requests(folder: Path, suffix: str = ".csv", **more: list[Any]) -> Path:
    """Two requests of user 1, one of user 2; what the user bought stands in the table."""
    table = pa.table(
        {
            "user_id": ["1", "2", "1", "1", "1", "2"],
            "request": ["a", "c", "b", "a", "b", "c"],
            "item_id": ["s0", "s1", "s0", "s1", "s2", "s3"],
            "score": [0.1, 0.9, 0.8, 0.2, 0.3, 0.5],
            "clicked": [1, 0, 0, 0, 1, 0],
            **more,
        }
    )
    path = folder / f"requests{suffix}"
    pv.write_csv(table, path) if suffix == ".csv" else pq.write_table(table, path)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_each_request_of_a_user_becomes_a_case(suffix: str, tmp_path: Path) -> None:
    path, items, out = write_requests(tmp_path, suffix), write_catalogue(tmp_path), tmp_path / "out.parquet"
    with pytest.raises(InputError, match=r"(?s)is a duplicate candidate.*columns=\{'case': 'NAME'\}"):
        convert_file(path, "table", out, items=items)
    assert convert_file(path, "table", out, items=items, columns={"case": "request"})[0] == 3
    cases = list(CandidateFile(out).cases())
    assert [(case.user_id, case.case_id) for case in cases] == [("1", "a"), ("2", "c"), ("1", "b")]
    assert [[item.item_id for item in case.candidates] for case in cases] == [["s1", "s0"], ["s1", "s3"], ["s0", "s2"]]
    assert [case.relevant for case in cases] == [("s0",), (), ("s2",)]
    assert "request" not in cases[0].candidates[0].attributes


def test_requests_that_each_user_counts_from_one_are_named_with_the_user(tmp_path: Path) -> None:
    path = write_requests(tmp_path, case_id=["1", "1", "2", "1", "2", "1"])
    made, notes = read_external(path, "table", items=write_catalogue(tmp_path))
    assert made["case_id"].to_pylist() == ["1-1", "2-1", "1-2"]
    assert "Cases given the id USER-CASE, because users share case ids: 3" in notes


def test_the_history_of_a_case_ends_before_its_time(tmp_path: Path) -> None:
    path = write_requests(tmp_path, timestamp=[20, 40, 30, 20, 30, 40])
    (tmp_path / "past.csv").write_text("user_id,item_id,timestamp\n1,s4,25\n1,s3,10\n1,s0,20\n2,s4,50\n3,s4,1\n")
    options: dict[str, Any] = {"items": write_catalogue(tmp_path), "columns": {"case": "request"}}
    made, notes = read_external(path, "table", histories=tmp_path / "past.csv", **options)
    cases = {case.case_id: case for case in CandidateFile(made).cases()}
    ids = {name: [event.item.item_id for event in case.history] for name, case in cases.items()}
    assert ids == {"a": ["s3"], "b": ["s3", "s0", "s4"], "c": []}
    assert "events left out of a history because they are not before the Case: 3" in notes
    assert "timestamp" not in cases["a"].candidates[0].attributes
    path = write_requests(tmp_path, timestamp=[20, 40, 30, 21, 30, 40])
    with pytest.raises(InputError, match="the Case has two different times") as caught:
        read_external(path, "table", histories=tmp_path / "past.csv", **options)
    assert (caught.value.line, caught.value.user) == (2, "1")
    assert len(read_external(path, "table", **options)[0]) == 3  # without histories the time is the item's


def test_histories_and_what_is_relevant_are_of_the_case_or_of_the_user(tmp_path: Path) -> None:
    path, items = write_requests(tmp_path).rename(tmp_path / "r.csv"), write_catalogue(tmp_path)
    path.write_text(path.read_text().replace("clicked", "colour"))
    (tmp_path / "past.csv").write_text("user_id,request,item_id\n1,a,s3\n1,b,s3\n1,b,s4\n2,a,s0\n")
    (tmp_path / "next.csv").write_text("user_id,request,item_id\n1,a,s1\n1,x,s2\n2,c,s3\n")
    (tmp_path / "users.csv").write_text("user_id,item_id\n1,s0\n")
    (tmp_path / "qrels").write_text("a 0 s0 2\n1 0 s2 1\n")

    def made(histories: str, relevant: str) -> tuple[list[int], list[tuple[str, ...]], list[str]]:
        options: dict[str, Any] = {"items": items, "columns": {"case": "request"}}
        table, notes = read_external(
            path, "table", histories=tmp_path / histories, relevant=tmp_path / relevant, file_order=True, **options
        )
        cases = sorted(CandidateFile(table).cases(), key=lambda case: case.case_id)
        return [len(case.history) for case in cases], [case.relevant for case in cases], notes

    lengths, relevant, notes = made("past.csv", "next.csv")
    assert (lengths, relevant) == ([1, 2, 0], [("s1",), (), ("s3",)])
    assert "Cases with relevant items but no candidates, left out: 1" in notes
    lengths, relevant, notes = made("users.csv", "users.csv")
    assert (lengths, relevant) == ([1, 1, 0], [("s0",), ("s0",), ()])
    assert any(note.startswith("Cases that share the whole history of their user with another Case") for note in notes)
    assert made("users.csv", "qrels")[1] == [("s0",), (), ()]  # a query of TREC is a Case


def test_faults_of_the_case_column_are_named(tmp_path: Path) -> None:
    path, items = write_requests(tmp_path), write_catalogue(tmp_path)
    path.write_text(path.read_text().replace('"1","b"', '"1",""'))
    with pytest.raises(BadRowsError, match="the case is missing"):
        read_external(path, "table", items=items, columns={"case": "request"})
    table, notes = read_external(path, "table", items=items, columns={"case": "request"}, skip_bad_rows=True)
    assert table["case_id"].to_pylist() == ["a", "c"]
    assert "rows skipped because the case is missing: 2" in notes
    (tmp_path / "next.csv").write_text("user_id,visit,item_id\n1,a,s1\n")
    with pytest.raises(InputError, match="the table of candidates has no such column"):
        read_external(path, "table", items=items, columns={"case": "visit"}, relevant=tmp_path / "next.csv")


def test_relevant_rows_that_name_no_user_are_not_one_users(tmp_path: Path) -> None:
    path, items = write_requests(tmp_path).rename(tmp_path / "r.csv"), write_catalogue(tmp_path)
    path.write_text(path.read_text().replace("clicked", "colour"))
    truth = tmp_path / "next.csv"
    truth.write_text("user_id,request,item_id,gain\n1,a,s1,5\n,b,s1,1\n,b,s1,5\n2,,s3,1\n")
    options: dict[str, Any] = {"items": items, "columns": {"case": "request"}, "relevant": truth}
    with pytest.raises(BadRowsError, match="the user is missing") as caught:
        read_external(path, "table", **options)
    assert caught.value.count == 3
    assert caught.value.faults[0].line == 3 and "repeat the case id" in (caught.value.faults[0].hint or "")
    assert caught.value.faults[2].problem == "the case is missing"
    _, notes = read_external(path, "table", **options, skip_bad_rows=True)
    assert "relevant rows skipped because they have no user or Case: 3" in notes
    assert not any("another gain" in note for note in notes)


def test_lists_under_a_name_that_is_not_known_are_no_faults_of_the_scores(tmp_path: Path) -> None:
    lists = pa.table({"user_id": ["1"], "hotels": [["s0", "s1"]], "scores": [[2.0, 1.0]]})
    with pytest.raises(InputError, match="no column for the item; the columns are user_id, hotels, scores"):
        read_external(lists, "table", items=write_catalogue(tmp_path))
    row = pa.table({"user_id": ["1"], "item_id": ["s0"], "score": [[float(n) for n in range(99)]]})
    with pytest.raises(InputError, match="…"):
        read_external(row, "table", items=write_catalogue(tmp_path))


def test_wide_rows_of_a_user_with_several_requests(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text('user_id,request,items\n1,a,"[""s0"", ""s1""]"\n1,b,"[""s1"", ""s0""]"\n')
    made, _ = read_external(path, "table", items=write_catalogue(tmp_path), columns={"case": "request"})
    given = [[item.item_id for item in case.candidates] for case in CandidateFile(made).cases()]
    assert given == [["s0", "s1"], ["s1", "s0"]]


def test_a_candidate_file_needs_no_conversion(tmp_path: Path) -> None:
    path = tmp_path / "cases.parquet"
    rows = [{"user_id": "u", "item_id": "x", "candidates": [{"item_id": "a", "title": "A"}]}]
    pq.write_table(pa.Table.from_pylist(rows), path)
    with pytest.raises(InputError, match="already a candidate file"):
        read_external(path, "table")


@pytest.mark.parametrize(
    ("word", "named"), [("user", "user_id"), ("item", "item_id"), ("product", "product_id"), ("case", "case_id")]
)
@pytest.mark.parametrize("first", ["word", "named"])
def test_a_column_of_ids_wins_over_one_of_names(word: str, named: str, first: str) -> None:
    """Two customers called Anna were one Case."""
    ids = {"user_id": ["u1", "u2"], "item_id": ["a", "b"]}
    if word == "product":
        del ids["item_id"]
    both = [(word, ["Anna", "Anna"]), (named, ["n1", "n2"])]
    columns = ids | dict(both if first == "word" else reversed(both)) | {"title": ["A", "B"], "score": [2, 1]}
    made, _ = read_external(pa.table(columns), "table")
    assert len(made) == 2
    found = {**made.to_pylist()[0], **made.to_pylist()[0]["candidates"][0]}
    assert found["item_id" if word == "product" else named] == "n1"
    events = pa.table({"user": ["Anna"], "user_id": ["u"], "item": ["Soap"], "item_id": ["s"], "timestamp": [1]})
    assert (read_event_rows(Table("", events)).user_field, read_event_rows(Table("", events)).item_field) == (
        "user_id",
        "item_id",
    )


# --- TALLRec ---------------------------------------------------------------------------------------------------------

ENTRY: dict[str, Any] = {
    "instruction": 'Given …, answering "Yes." or "No.".',
    "input": 'User Preference: "Alien (1979)", "I, Robot (2004)"\nUser Unpreference: \n'
    'Whether the user will like the target movie "Say "Yes" (2000)"?',
    "output": "Yes.",
}


def test_an_entry_of_tallrec_is_a_rating_row_with_truth_0_or_1(tmp_path: Path) -> None:
    path, out = tmp_path / "valid.json", tmp_path / "out.jsonl"
    path.write_text(json.dumps([ENTRY, {**ENTRY, "output": "No."}]))
    assert convert_file(path, "tallrec", out) == (2, [])
    found = CandidateFile(out)
    first, second = found.cases()
    titles = ("Alien (1979)", "I, Robot (2004)")
    assert first.history == tuple(Event(Item(title, title), 5.0) for title in titles)
    assert first.target == Item('Say "Yes" (2000)', 'Say "Yes" (2000)')
    assert (first.rating, second.rating) == (1.0, 0.0)
    assert found.summary.rating_scale == (0.0, 1.0)
    for wrong in ({**ENTRY, "output": "Maybe."}, {**ENTRY, "input": "?"}, "text"):
        path.write_text(json.dumps([ENTRY, wrong]))
        with pytest.raises(InputError, match="entry 2 is not TALLRec's") as caught:
            convert_file(path, "tallrec", out, overwrite=True)
        assert caught.value.line == 2


def test_the_prompt_of_a_published_entry_is_its_very_text(shared_data: Callable[[str], Path]) -> None:
    path = shared_data("TALLRec") / "movie" / "valid.json"
    template = load_template("tallrec")
    for entry, case in zip(json.loads(path.read_text()), read_tallrec(path), strict=True):
        (message,) = template.render(case.blinded(), template.question(case))
        text = f"### Instruction:\n{entry['instruction']}\n\n### Input:\n{entry['input']}\n\n### Response:"
        assert message.content.rstrip().endswith(text)


def test_a_column_about_the_user_becomes_one_of_the_case(tmp_path: Path) -> None:
    path = tmp_path / "proposed.csv"
    path.write_text(
        "user,item,title,score,price,country\na,1,Soap,3,2.5,FR\na,2,Comb,2,1.0,FR\nb,1,Soap,5,2.5,IT\nb,3,Towel,1,9.0,IT\n"
    )
    _, notes = convert_file(path, "table", tmp_path / "candidates.parquet")
    cases = list(CandidateFile(tmp_path / "candidates.parquet").cases())
    assert [case.columns for case in cases] == [{"country": "FR"}, {"country": "IT"}]
    assert {name for case in cases for item in case.candidates for name in item.attributes} == {"price"}
    assert "Cases with columns of their own (country): 2" in notes


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_columns_of_the_case_keep_their_types(suffix: str, tmp_path: Path) -> None:
    """The age was the text "34", and the same column of the items a number."""
    utc = pa.timestamp("ns", "UTC")
    values = {
        "age": pa.array([34, 34, 35], pa.int16()),
        "paid": pa.array([Decimal("12.50"), Decimal("12.50"), None], pa.decimal128(8, 2)),
        "since": pa.array([1_600_000_000_000_000_000] * 2 + [0], utc),
        "share": pa.array([0.5, 0.5, float("nan")]),
        "plan": pa.DictionaryArray.from_arrays(pa.array([0, 0, None], pa.uint32()), pa.array(["gold"])),
        "exact": pa.array([1, 1, 2], utc),
        "born": pa.array([10**15] * 2 + [0], pa.timestamp("ms")),
    }
    proposed = pa.table({"user": ["a", "a", "b"], "item": ["1", "2", "1"], "title": ["A", "B", "A"], **values})
    made, notes = read_external(proposed, "table")
    texts = ("exact", "born")
    assert {name: made.schema.field(name).type for name in values} == {
        name: pa.string() if name in texts else column.type for name, column in values.items()
    }
    assert "Cases with columns of their own (age, paid, since, share, plan, exact, as text, born, as text): 2" in notes
    pq.write_table(proposed, tmp_path / "proposed.parquet")
    convert_file(tmp_path / "proposed.parquet", "table", tmp_path / f"out{suffix}")
    first, second = CandidateFile(tmp_path / f"out{suffix}").cases()
    read = {name: first.columns[name] for name in ("age", "paid", "share", "plan")}
    assert read == {"age": "34", "paid": "12.50", "share": "0.5", "plan": "gold"}
    assert first.columns["since"].startswith("2020-09-13") and first.columns["exact"].endswith("00.000000001Z")
    assert second.columns.keys() == {"age", "since", "exact", "born"}


def test_the_score_is_never_the_cases(tmp_path: Path) -> None:
    """Beside a column that was named as the score, another may be called so."""
    rows = {
        "user": ["a", "a", "b"],
        "item": ["1", "2", "1"],
        "title": ["A", "B", "A"],
        "score": [1, 2, 3],
        "sim": [7, 7, 9],
    }
    made, _ = read_external(pa.table(rows), "table", columns={"score": "sim"})
    assert [case.recall_scores for case in CandidateFile(made).cases()] == [(7.0, 7.0), (9.0,)]


def test_a_value_that_may_be_the_items_stays_with_the_items(tmp_path: Path) -> None:
    path = tmp_path / "proposed.csv"
    path.write_text("user,item,title,score,price\na,1,Soap,3,2.5\na,2,Comb,2,2.5\nb,3,Towel,5,9.0\nb,4,Brush,1,9.0\n")
    convert_file(path, "table", tmp_path / "candidates.parquet")
    cases = list(CandidateFile(tmp_path / "candidates.parquet").cases())
    assert all(case.columns == {} for case in cases)
    assert all("price" in item.attributes for case in cases for item in case.candidates)


@pytest.mark.parametrize(("column", "told"), [("distance", True), ("score", False), ("rank", False)])
def test_rows_without_a_score_are_said_to_stand_in_recall_order(column: str, told: bool, tmp_path: Path) -> None:
    (tmp_path / "proposed.csv").write_text(f"user,item,title,{column}\na,1,Soap,1\na,2,Comb,2\n")
    _, notes = convert_file(tmp_path / "proposed.csv", "table", tmp_path / "candidates.parquet")
    assert ("rows whose order is taken as the recall order, as no column is a score" in " ".join(notes)) is told


def test_a_score_that_contradicts_the_rank_is_refused(tmp_path: Path) -> None:
    """It may be a distance: taken for a score, the worst item would come first."""
    table = tmp_path / "proposed.csv"
    rows = [("Soap", 1, 0.1), ("Comb", 2, 0.2), ("Pen", 3, 0.3), ("Cup", 4, 0.4), ("Bag", 5, 0.5), ("Oil", 6, 0.6)]
    table.write_text("user,item,title,rank,score\n" + "".join(f"a,{n},{t},{n},{score}\n" for t, n, score in rows))
    with pytest.raises(InputError, match=r"field 'score': the score rises with 'rank'"):
        convert_file(table, "table", tmp_path / "candidates.parquet")
    lr.convert(table, columns={"score": "score"}, progress=False)  # now it is said
    best_first = [title for title, _, _ in rows]
    for other in (table.read_text().replace("score", "distance"), table.read_text().replace(",0.", ",-0.")):
        table.write_text(other)
        [case] = lr.load_cases(lr.convert(table, progress=False))
        assert [item.title for item in case.candidates] == best_first
    # A reranker's ranks beside the scores of the recall stage, or ranks that say nothing.
    for ranks in ((2, 1, 4, 3, 6, 5), (1, 1, 1, 1, 1, 1)):
        lines = (f"a,{n},{t},{rank},{-score}\n" for (t, n, score), rank in zip(rows, ranks, strict=True))
        table.write_text("user,item,title,rank,score\n" + "".join(lines))
        assert lr.convert(table, progress=False).num_rows == 1


def test_a_table_may_lie_in_parts(tmp_path: Path) -> None:
    """As Spark writes one: a folder of Parquet files, with notes of its own beside them."""
    (folder := tmp_path / "proposed").mkdir()
    whole = long_table()
    for name, rows in (
        ("part-0.snappy", whole.slice(0, 7)),
        ("part-1.snappy", whole.slice(7)),
        ("part-2", whole.slice(99)),
    ):
        pq.write_table(rows, folder / f"{name}.parquet")
    for name in ("_SUCCESS", "._part-0.parquet", "_metadata.parquet"):
        (folder / name).write_text("")
    items = write_catalogue(tmp_path)
    assert lr.convert(folder, items=items, progress=False) == lr.convert(whole, items=items, progress=False)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no Parquet file in this folder"):
        read_table(tmp_path / "empty")
    pq.write_table(pa.table({"customer_id": [{"a": 1}]}), folder / "part-3.parquet")
    with pytest.raises(InputError, match="the parts have different types"):
        read_table(folder)


@pytest.mark.parametrize("beside", [True, False])
@pytest.mark.parametrize("other", ["dt=2024-01-01/part-1.parquet", "more.csv"])
def test_files_of_a_folder_that_would_be_left_out_are_refused(tmp_path: Path, other: str, beside: bool) -> None:
    """The rows of 8 users among 14 were missing, without a word."""
    (folder := tmp_path / "proposed").mkdir()
    (folder / other).parent.mkdir(exist_ok=True)
    pq.write_table(long_table(), folder / other)
    says = "no Parquet file in this folder itself, only"
    if beside:
        pq.write_table(long_table(), folder / "part-0.parquet")
        says = "these files would be left out"
    with pytest.raises(InputError, match=f"{says}: {other}\n  hint: put all rows into Parquet files in the folder"):
        lr.convert(folder, items=write_catalogue(tmp_path), progress=False)
    if "/" in other:
        folder.rename(tmp_path / "interactions")
        with pytest.raises(InputError, match=f"interactions: {says}"):
            lr.load_cases(tmp_path, recall="popularity", progress=False)


@pytest.mark.parametrize("role", ["user_id", "item_id", "case_id"])
def test_ids_that_only_white_space_tells_apart_are_refused(role: str, tmp_path: Path) -> None:
    """Users "a" and "a " were one Case."""
    columns = {"user_id": ["u", "v", "u"], "item_id": ["1", "2", "3"], "case_id": ["x", "y", "x"], "title": [*"ABC"]}
    columns[role] = ["a", "b", "a "]
    pv.write_csv(pa.table(columns), tmp_path / "table.csv")
    coded = pa.table(columns | {role: pa.array(columns[role]).dictionary_encode()})
    for table in (tmp_path / "table.csv", pa.table(columns), coded):
        with pytest.raises(
            InputError, match=f"field '{role}': the ids 'a' and 'a ' differ only in white space"
        ) as caught:
            read_external(table, "table")
        assert caught.value.line == (4 if isinstance(table, Path) else 3)


def test_ids_that_lose_white_space_are_counted_in_every_table() -> None:
    """Blank ids are missing, and ids of other tables are the same without white space."""
    proposed = pa.table({"user_id": [" u ", " u "], "item_id": ["1 ", "2 "], "score": [2, 1]})
    made, notes = read_external(
        proposed,
        "table",
        items=pa.table({"id": ["1", " 2", "3", "\t4"], "title": [*"ABCD"], "user": [" x"] * 4}),
        histories=pa.table({"user_id": ["u", "", " "], "item_id": ["3 ", "3 ", "3 "], "timestamp": [1, 2, 3]}),
        relevant=pa.table({"user_id": ["u", "u"], "item_id": [" 1", "2"]}),
    )
    (case,) = CandidateFile(made).cases()
    assert (case.user_id, [item.item_id for item in case.candidates], case.relevant) == ("u", ["1", "2"], ("1", "2"))
    assert case.candidates[0].attributes == {"user": " x"}
    assert {note for note in notes if "white space" in note} == {
        f"ids of the column {name!r} of {table} without the white space around them: {count}"
        for name, table, count in (
            ("user_id", "the table", 1),
            ("item_id", "the table", 2),
            ("id", "the items", 2),
            ("item_id", "the histories", 1),
            ("item_id", "what is relevant", 1),
        )
    }


def test_attributes_come_out_as_they_went_in_from_either_table() -> None:
    values = {
        "brand": [" H&amp;M ", "  "],
        "about": ["one\ntwo", "x  y"],
        "sku": [" 0012", "\t7"],
        "url": ["?a&lt;", ""],
    }
    proposed = pa.table({"user_id": ["u", "u"], "item_id": ["1", "2"], "score": [2, 1]})
    catalogue = pa.table({"item_id": ["1", "2"], "title": ["A &amp; B", "C"], **values})
    past = pa.table({"user_id": ["u", "u"], "item_id": ["1", "2"], "timestamp": [1, 2]})
    apart = lr.convert(proposed, items=catalogue, histories=past, progress=False).to_pylist()[0]
    for column in catalogue.column_names[1:]:
        proposed = proposed.append_column(column, catalogue[column])
    for given in (
        apart["history"],
        apart["candidates"],
        lr.convert(proposed, progress=False).to_pylist()[0]["candidates"],
    ):
        assert [one["title"] for one in given] == ["A & B", "C"]
        assert {name: [one[name] for one in given] for name in values} == values


def test_decimals_are_rounded_correctly() -> None:
    """Arrow's own cast made 0.7000000000000001 of 0.7."""
    scores = [Decimal(text) for text in ("0.7", "0.5436", "-100", "0.0001")]
    for kind in (pa.decimal128(9, 4), pa.decimal256(40, 4)):
        assert Table("", pa.table({"score": pa.array(scores, kind)})).numbers("score").tolist() == [*map(float, scores)]


def test_two_columns_of_one_name_are_refused_everywhere_alike(tmp_path: Path) -> None:
    """As a join of DuckDB gives them."""
    twice = pa.table([["u"], ["1"], ["A"], ["B"]], names=["user_id", "item_id", "title", "title"])
    pq.write_table(twice, tmp_path / "twice.parquet")
    frame = pd.DataFrame([["u", "1", "A", "B"]], columns=pd.Index(twice.column_names))
    for source in (twice, tmp_path / "twice.parquet", frame):
        with pytest.raises(InputError, match=r"(?i)duplicate column name(.|\n)*hint: rename one of them"):
            lr.convert(source, progress=False)
    with pytest.raises(InputError, match="the items, field 'title': duplicate column name"):
        lr.convert(twice.select(["user_id", "item_id"]), items=twice.select([1, 2, 3]), progress=False)


def test_a_decimal_comma_is_hinted_at(tmp_path: Path) -> None:
    (tmp_path / "proposed.csv").write_text("user;item;title;score\nu;1;A;0,5\nu;2;B;0,25\n")
    with pytest.raises(BadRowsError, match=r"hint: write it as 3\.5, with a decimal point; or skip"):
        read_external(tmp_path / "proposed.csv", "table")


def test_ids_that_pandas_wrote_as_floats_are_those_without_a_fraction(tmp_path: Path) -> None:
    (tmp_path / "proposed.csv").write_text("user,item,title,score\n1.0,10.0,Soap,3\n1.0,11.0,Comb,2\n")
    (tmp_path / "past.csv").write_text("user,item,timestamp\n1,12,1700000000\n")
    (tmp_path / "items.csv").write_text("item,title\n10,Soap\n11,Comb\n12,Towel\n")
    files = {"histories": tmp_path / "past.csv", "items": tmp_path / "items.csv"}
    convert_file(tmp_path / "proposed.csv", "table", tmp_path / "candidates.parquet", **files)
    [case] = CandidateFile(tmp_path / "candidates.parquet").cases()
    assert (case.user_id, [item.item_id for item in case.candidates]) == ("1", ["10", "11"])
    assert [event.item.item_id for event in case.history] == ["12"]


PAST = "user_id,item_id,timestamp\n1,s3,1700000010\n1,s4,1700000025\n2,s0,1700000001\n"


def one_list_a_user(folder: Path, *times: int, gain: str = "1") -> tuple[Path, Path, Path]:
    """Return a table of three rows of user 1 with these times, what the users did before, and what was relevant."""
    rows = "".join(f"1,s{number},{time}\n" for number, time in enumerate(times))
    for name, content in (
        ("table", f"user_id,item_id,timestamp\n{rows}"),
        ("past", PAST),
        ("next", f"user_id,item_id,gain\n1,s1,{gain}\n1,s0,0\n"),
    ):
        (folder / f"{name}.csv").write_text(content)
    return folder / "table.csv", folder / "past.csv", folder / "next.csv"


def test_the_history_of_a_user_with_one_request_ends_before_it(tmp_path: Path) -> None:
    items = write_catalogue(tmp_path)
    now = 1_700_000_020
    table, past, _ = one_list_a_user(tmp_path, now, now, now)
    made, _ = read_external(table, "table", items=items, histories=past)
    [case] = CandidateFile(made).cases()
    assert [event.item.item_id for event in case.history] == ["s3"]
    for times in ((now, now + 1, now), (now,), (120, 120)):  # dates of the items, and their length in minutes
        table, past, _ = one_list_a_user(tmp_path, *times)
        made, notes = read_external(table, "table", items=items, histories=past)
        hint = "if it is the time of the request: --column timestamp=timestamp"
        assert f"rows with a 'timestamp' that is kept as an attribute ({hint}): {len(times)}" in notes
        [case] = CandidateFile(made).cases()
        assert len(case.history) == 2 and "timestamp" in case.candidates[0].attributes
    named = {"timestamp": "timestamp"}
    table, past, _ = one_list_a_user(tmp_path, now)
    made, _ = read_external(table, "table", items=items, histories=past, columns=named)
    assert len(next(CandidateFile(made).cases()).history) == 1
    table, past, _ = one_list_a_user(tmp_path, now, now + 1)
    with pytest.raises(InputError, match="the Case has two different times"):
        read_external(table, "table", items=items, histories=past, columns=named)
    past.write_text(PAST.replace("timestamp", "seen"))
    made, _ = read_external(table, "table", items=items, histories=past, columns={"timestamp": "seen"})
    assert len(next(CandidateFile(made).cases()).history) == 2, "it is the name of the histories' column"


@pytest.mark.parametrize("gain", ["inf", "nan", ""])
def test_a_gain_that_is_no_number_is_refused(tmp_path: Path, gain: str) -> None:
    table, _, relevant = one_list_a_user(tmp_path, 20, 20, gain=gain)
    with pytest.raises(InputError, match=r"is not a valid gain|the gain is missing"):
        read_external(table, "table", items=write_catalogue(tmp_path), relevant=relevant)


def test_a_truth_in_which_nothing_is_relevant_is_told(tmp_path: Path) -> None:
    table, _, relevant = one_list_a_user(tmp_path, 20, 20, gain="0")
    _, notes = read_external(table, "table", items=write_catalogue(tmp_path), relevant=relevant)
    assert "Cases without a relevant item, which no measure counts: 1" in notes


def test_times_in_two_units_are_refused(tmp_path: Path) -> None:
    (tmp_path / "past.csv").write_text("user_id,item_id,timestamp\n1,s3,1600000000\n1,s4,1700000000000\n1,s0,0\n")
    with pytest.raises(InputError, match="1600000000 and 1700000000000 are times in different units") as caught:
        read_event_rows(read_table(tmp_path / "past.csv"))
    assert caught.value.line == 2


def test_histories_may_be_lists_too(tmp_path: Path) -> None:
    table, _, _ = one_list_a_user(tmp_path, 20, 20)
    past = pd.DataFrame({"user_id": ["1", "9"], "item_id": [["s3", "s4"], ["s0"]], "timestamp": [[10, 15], [1]]})
    made, _ = read_external(table, "table", items=write_catalogue(tmp_path), histories=past)
    assert [event.item.item_id for event in next(CandidateFile(made).cases()).history] == ["s3", "s4"]


def test_what_is_relevant_may_be_lists_too(tmp_path: Path) -> None:
    table, _, _ = one_list_a_user(tmp_path, 20, 20)
    lists = pd.DataFrame({"user_id": ["1", "9"], "item_id": [["s1", "s0"], ["s0"]], "gain": [[2, 1], [1]]})
    lists.to_csv(tmp_path / "lists.csv", index=False)  # as Python prints them: "['s1', 's0']"
    for relevant in (lists, tmp_path / "lists.csv"):
        made, _ = read_external(table, "table", items=write_catalogue(tmp_path), relevant=relevant)
        assert dict(made.to_pylist()[0]["relevant"]) == {"s1": 2.0, "s0": 1.0}


def test_the_one_relevant_item_of_each_user_may_have_blanks_in_its_id() -> None:
    proposed = pa.table({"user_id": ["u", "u"], "item_id": ["Toy Story 2", "Toy"], "title": ["Toy Story 2", "Toy"]})
    made, _ = read_external(proposed, "table", relevant=pa.table({"user_id": ["u"], "item_id": ["Toy Story 2"]}))
    assert made["relevant"].to_pylist() == [["Toy Story 2"]]


def test_uuids_and_categories_of_polars_are_texts(tmp_path: Path) -> None:
    users, items = [uuid4() for _ in range(2)], [uuid4() for _ in range(3)]
    as_uuid = pa.array([one.bytes for one in [*users, users[0]]], pa.uuid())
    titles = pa.array(["Heat", "Alien", "Fargo"]).cast(pa.string_view())
    categories = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2], pa.uint32()), titles)
    table = pa.table(
        {"user_id": as_uuid, "item_id": pa.array([one.bytes for one in items], pa.uuid()), "title": categories}
    )
    pq.write_table(table.set_column(2, "title", titles), tmp_path / "uuids.parquet")
    for source in (table, tmp_path / "uuids.parquet"):
        rows = {row["user_id"]: row["candidates"] for row in lr.convert(source, progress=False).to_pylist()}
        first = [{"item_id": str(items[place]), "title": title} for place, title in ((0, "Heat"), (2, "Fargo"))]
        assert [{name: one[name] for name in first[0]} for one in rows[str(users[0])]] == first


def test_columns_of_other_types_disturb_nobody_who_does_not_read_them() -> None:
    table = pa.table({"user_id": ["u"], "item_id": ["a"], "title": ["A"]})
    tensor = pa.FixedShapeTensorArray.from_numpy_ndarray(np.zeros((1, 2)))
    made = lr.convert(
        table.append_column("embedding", tensor).append_column("ok", pa.array([True]).cast(pa.bool8())), progress=False
    )
    assert [one["title"] for one in made.to_pylist()[0]["candidates"]] == ["A"]
    known = pa.array([uuid4().bytes, None], pa.uuid())
    ids = pa.ListArray.from_arrays(pa.array([0, None, 1, 2], pa.int32()), known)
    kept = in_plain_types(pa.table({"ids": ids, "coded": pa.array([uuid4().bytes] * 3, pa.uuid())})).to_pylist()
    assert isinstance(kept[0]["ids"][0], str) and kept[1]["ids"] is None and kept[2]["ids"] == [None]


def test_periods_of_pandas_are_refused_and_not_read_as_numbers(tmp_path: Path) -> None:
    """As seconds they are of 1970: what is still to come would be shown to the model."""
    proposed = pd.DataFrame({"user_id": ["u"], "item_id": ["a"], "title": ["A"]})
    past = proposed.assign(timestamp=pd.PeriodIndex(["2024-05"], freq="M"))
    past.to_parquet(tmp_path / "past.parquet")
    unknown = pa.field("timestamp", pa.int64(), metadata={"ARROW:extension:name": "somebody.period"})
    storage = pa.table(past).set_column(3, unknown, pa.array([652]))
    for histories in (past, tmp_path / "past.parquet", storage):
        with pytest.raises(InputError, match=r"field 'timestamp': a column of type \w+\.period cannot"):
            lr.convert(proposed, histories=histories, progress=False)


@pytest.mark.parametrize("kind", [pa.duration("us"), pa.duration("ns"), pa.time32("s"), pa.time64("us")])
def test_spans_and_times_of_day_are_no_times(kind: pa.DataType, tmp_path: Path) -> None:
    proposed = pd.DataFrame({"user_id": ["u"], "item_id": ["a"], "title": ["A"]})
    past = pa.table(proposed).append_column(
        "timestamp", pa.array([7], pa.int64() if kind.bit_width == 64 else pa.int32()).cast(kind)
    )
    pq.write_table(past, tmp_path / "past.parquet")
    for histories in (past, tmp_path / "past.parquet"):
        with pytest.raises(InputError, match=r"field 'timestamp': a column of type .* has no dates"):
            lr.convert(proposed, histories=histories, progress=False)


def test_of_several_gains_of_an_item_the_highest_counts_and_is_told() -> None:
    bought = pa.table({"user_id": ["u", "u", "u", "u"], "item_id": ["a", "a", "b", "b"], "gain": [5, 1, 2, 2]})
    proposed = pa.table({"user_id": ["u", "u"], "item_id": ["a", "b"], "title": ["A", "B"], "score": [2, 1]})
    made, notes = read_external(proposed, "table", relevant=bought)
    assert dict(made.to_pylist()[0]["relevant"]) == {"a": 5.0, "b": 2.0}
    assert "rows that give an item a different gain than an earlier row (the highest counts): 1" in notes


def test_a_column_of_numbers_that_may_be_the_gain_is_told(tmp_path: Path) -> None:
    table, _, relevant = one_list_a_user(tmp_path, 20, 20)
    items = write_catalogue(tmp_path)
    relevant.write_text("user_id,item_id,plays,timestamp\n1,s1,7,1700000010\n1,s0,1,1700000011\n")
    _, notes = read_external(table, "table", items=items, relevant=relevant)
    assert "relevant rows given gain 1, ignoring 'plays' (to use it: --column gain=plays): 2" in notes
    made, notes = read_external(table, "table", items=items, relevant=relevant, columns={"gain": "plays"})
    assert dict(made.to_pylist()[0]["relevant"]) == {"s1": 7, "s0": 1} and not any("count 1" in note for note in notes)


@pytest.mark.parametrize("first", ["yesterday", "31/05/2024 10:00"])
def test_one_time_that_is_none_costs_its_row_and_no_other(first: str, tmp_path: Path) -> None:
    (tmp_path / "past.csv").write_text(f"user,item,timestamp\nu,b,{first}\nu,c,2024-05-01\nu,d,2024-05-02T10:00Z\n")
    (tmp_path / "items.csv").write_text("item,title\na,A\nb,B\nc,C\nd,D\n")
    (tmp_path / "proposed.csv").write_text("user,item,score\nu,a,1\n")
    files = {"items": tmp_path / "items.csv", "histories": tmp_path / "past.csv"}
    with pytest.raises(InputError, match=f"line 2, field 'timestamp': expected a time, got '{first}'"):
        lr.convert(tmp_path / "proposed.csv", **files, progress=False)
    made = lr.convert(tmp_path / "proposed.csv", **files, skip_bad_rows=True, progress=False)
    assert [event["item_id"] for event in made.to_pylist()[0]["history"]] == ["c", "d"]


def test_a_table_of_which_no_row_is_good_says_why() -> None:
    """Ids that were read as numbers lost their zeros."""
    proposed = pa.table({"user_id": ["u", "u"], "item_id": ["001", "002"], "score": [2, 1]})
    items = pa.table({"item_id": [1, 2], "title": ["A", "B"]})
    with pytest.raises(InputError, match="no rows remain; rows skipped because the item is not in the items table: 2"):
        lr.convert(proposed, items=items, skip_bad_rows=True, progress=False)


def test_users_that_are_no_text_are_refused_by_name() -> None:
    users = pa.array([{"id": 1}, {"id": 2}])
    table = pa.table({"user_id": users, "item_id": ["1", "2"], "title": ["Heat", "Fargo"]})
    with pytest.raises(InputError, match="field 'user_id': the column cannot be read as text"):
        lr.convert(table)
