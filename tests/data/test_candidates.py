"""The candidate file: what is written comes back, and what is wrong is named with its place and its hint."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from llmrank.data.candidate_row import CANDIDATE_FIELDS, EVENT_FIELDS, RowReader, Truth
from llmrank.data.candidate_writing import case_row, case_table, check_free, parquet_schema, write_cases
from llmrank.data.candidates import BadRowsError, CandidateFile, file_format, read_cases
from llmrank.data.rows import map_types
from llmrank.errors import InputError
from llmrank.types import Case, Event, Item

SUFFIXES = (".jsonl", ".jsonl.gz", ".parquet")

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
visible = text.filter(
    lambda value: bool(value.strip(" \t\r\n\x0b\x0c\x85\xa0")) and any(not c.isspace() for c in value)
)
number = st.none() | st.floats(allow_nan=False, allow_infinity=False)
item = st.builds(Item, visible, visible, st.dictionaries(text, text, max_size=2))
seconds = st.none() | st.floats(-6e10, 1e11)
event = st.builds(Event, item, number, seconds)


@st.composite
def case(draw: st.DrawFn) -> Case:
    history = tuple(draw(st.lists(event, min_size=1, max_size=3)))
    user = draw(visible)
    if draw(st.booleans()):
        return Case(user, history, target=draw(item), rating=draw(number))
    items = tuple(draw(st.lists(item, min_size=1, max_size=4, unique_by=lambda one: one.item_id)))
    scores = st.floats(allow_nan=False, allow_infinity=False)
    recall = draw(st.none() | st.lists(scores, min_size=len(items), max_size=len(items)).map(tuple))
    relevant = tuple(draw(st.lists(visible, max_size=2, unique=True)))
    return Case(user, history, items, recall, relevant)


cases = st.lists(case(), min_size=1, max_size=4, unique_by=lambda one: one.user_id)


@given(item)
def test_an_item_prints_as_a_dataclass_does(one: Item) -> None:
    values = (f"{field.name}={getattr(one, field.name)!r}" for field in fields(Item))
    assert repr(one) == f"Item({', '.join(values)})"


def nested(one: Case) -> dict[str, Any]:
    """The row of a Case with all attributes apart, as Parquet has them."""
    row: dict[str, Any] = case_row(one)
    for entry in [*row["history"], *row.get("candidates", ()), *([row["target"]] if one.target else ())]:
        apart = {name: entry.pop(name) for name in [*entry] if name not in EVENT_FIELDS | CANDIDATE_FIELDS}
        entry |= {"attributes": apart} if apart else {}
    return row


@given(cases)
def test_the_table_of_cases_is_that_of_their_rows(written: list[Case]) -> None:
    schema, rows = parquet_schema(), [nested(one) for one in written]
    assert case_table(written, schema).equals(pa.Table.from_pylist(rows, schema))


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(written=cases)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_cases_come_back_as_they_went(written: list[Case], suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"cases{suffix}"
    assert write_cases(path, written, overwrite=True) == len(written)
    assert list(read_cases(path, truth="read")) == written == list(read_cases(path, truth="read", keep=True))
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_cases_give_the_same_bytes(suffix: str, tmp_path: Path) -> None:
    one, two = tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"
    for path in (one, two):
        write_cases(path, [Case("1", (Event(Item("a", "A"), 4.0),), (Item("b", "B"),), (0.5,), ("b",))])
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_answers_travel_with_their_cases(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"answered{suffix}"
    rated = {"user_id": "2", "target": GOOD["candidates"][0], "rating": 4, "response": None}
    rows = [{**GOOD, "response": "1. B\n"}, rated]
    if suffix == ".jsonl":
        write_lines(path, *rows)
    else:
        pq.write_table(pa.Table.from_pylist([{**dict.fromkeys([*GOOD, *rated]), **row} for row in rows]), path)
    rows = CandidateFile(path, answered=True)
    assert [(row.case.user_id, row.response) for row in rows] == [("42", "1. B\n"), ("2", None)]


def test_a_file_without_responses_is_no_answered_file(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    write_cases(path, [Case("1", (Event(Item("a", "A")),), (Item("b", "B"),))])
    assert_refused(lambda: CandidateFile(path, answered=True), path, 1, "response", "1", "null")


# --- what is wrong ---------------------------------------------------------------------------------------------------

GOOD: dict[str, Any] = {
    "user_id": "42",
    "history": [{"item_id": "50", "title": "Star Wars (1977)", "rating": 5, "timestamp": 875072404}],
    "candidates": [
        {"item_id": "181", "title": "Return of the Jedi (1983)", "score": 0.91},
        {"item_id": "172", "title": "Empire Strikes Back, The (1980)", "score": 0.5},
    ],
    "relevant": ["181"],
}
OTHER = {**GOOD, "user_id": "7"}


def changed(**fields: Any) -> dict[str, Any]:
    return {**GOOD, **fields}


def candidate(**fields: Any) -> dict[str, Any]:
    return changed(candidates=[GOOD["candidates"][0], {**GOOD["candidates"][1], **fields}])


def write_lines(path: Path, *rows: object) -> Path:
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def assert_refused(
    act: Callable[[], object], path: Path | str, line: int | None, field: str | None, user: str | None, says: str
) -> InputError:
    with pytest.raises(InputError) as caught:
        act()
    error = caught.value
    assert (error.path, error.line, error.field, error.user) == (path, line, field, user), str(error)
    assert error.hint
    assert says in str(error)
    assert error.exit_code == 2
    return error


WRONG = {
    "no user": ({**GOOD, "user_id": None}, "user_id", None, "missing (null)"),
    "blank user": ({**GOOD, "user_id": " "}, "user_id", " ", "empty"),
    "user as a float": ({**GOOD, "user_id": 42.0}, "user_id", None, "expected an id, got 42.0"),
    "user as a truth value": ({**GOOD, "user_id": True}, "user_id", "True", "expected an id, got True"),
    "no title": (changed(candidates=[{"item_id": "1"}]), "candidates[0].title", "42", "the title is missing"),
    "null title": (candidate(title=None), "candidates[1].title", "42", "the title is missing"),
    "blank title": (candidate(title=" \t"), "candidates[1].title", "42", "the title is empty"),
    "title as a number": (candidate(title=1984), "candidates[1].title", "42", "expected text, got 1984"),
    "no title in the history": (changed(history=[{"item_id": "50"}]), "history[0].title", "42", "title is missing"),
    "empty id": (candidate(item_id=""), "candidates[1].item_id", "42", "the item_id is empty"),
    "score as text": (candidate(score="0.5"), "candidates[1].score", "42", "expected a number, got '0.5'"),
    "one score of two": (candidate(score=None), "candidates[1].score", "42", "but others do"),
    "duplicate": (candidate(item_id="181"), "candidates[1].item_id", "42", "duplicate candidate '181'"),
    "no candidates": (changed(candidates=[]), "candidates", "42", "the row has no candidates"),
    "null candidates": (changed(candidates=None), "candidates", "42", "the row has no candidates"),
    "candidates as ids": (changed(candidates=["181"]), "candidates[0]", "42", "expected an object, got '181'"),
    "candidates as an object": (changed(candidates={"1": "a"}), "candidates", "42", "expected a list"),
    "title of 200,000 characters": (candidate(title="a" * 200_000), "candidates[1].title", "42", "200,000 characters"),
    "empty relevant": (changed(relevant=[""]), "relevant[0]", "42", "the relevant id is empty"),
    "gain as text": (changed(relevant={"181": "2"}), "relevant.181", "42", "the gain '2' is not a number"),
    "gain of 400 digits": (changed(relevant={"181": 10**400}), "relevant.181", "42", "is not a number"),
    "attributes as numbers": (
        candidate(attributes=[1]),
        "candidates[1].attributes",
        "42",
        "expected an object, got [1]",
    ),
    "relevant as text": (changed(relevant="181"), "relevant", "42", "expected a list or an object, got '181'"),
    "relevant twice": (changed(relevant=["181", "181"]), "relevant[1]", "42", "duplicate relevant item"),
    "misspelt field": ({**changed(), "relevants": ["181"], "relevant": None}, "relevants", "42", "unknown field"),
    "both tasks": (changed(target={"item_id": "1", "title": "A"}), "target", "42", "both candidates"),
    "a target with relevant items": (
        changed(target={"item_id": "1", "title": "A"}, candidates=[], relevant=["1"]),
        "target",
        "42",
        "both relevant (ranking)",
    ),
    "response as a number": (changed(response=4), "response", "42", "expected text, got 4"),
    "time as a date": (
        changed(history=[{"item_id": "50", "title": "A", "timestamp": "1997"}]),
        "history[0].timestamp",
        "42",
        "expected a number",
    ),
}


@pytest.mark.parametrize(("row", "field", "user", "says"), WRONG.values(), ids=WRONG)
def test_a_wrong_row_is_named_before_any_case_is_handed_out(
    row: dict[str, Any], field: str, user: str | None, says: str, tmp_path: Path
) -> None:
    if field == "relevants":
        row = {name: value for name, value in row.items() if name != "relevant"}
    path = write_lines(tmp_path / "cases.jsonl", OTHER, row)
    assert_refused(lambda: read_cases(path), path, 2, field, user, says)


json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(text, values, max_size=3),
    max_leaves=6,
)


@example(junk=b"\x1c")
@given(
    junk=st.binary(max_size=40) | st.dictionaries(st.sampled_from([*GOOD, "target", "response", "missed"]), json_value)
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_junk_is_refused_and_nothing_but_refused(junk: bytes | dict[str, Any], tmp_path: Path) -> None:
    row = junk if isinstance(junk, bytes) else json.dumps({**GOOD, **junk}).encode()
    path = write_lines(tmp_path / "cases.jsonl", OTHER, row)
    try:
        read = list(read_cases(path))
    except InputError as error:
        assert error.line is not None
    else:
        assert len(read) == (2 if row.strip() else 1)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b'{"user_id": "42", "history": [', "malformed JSON: EOF while parsing a list at column 30"),
        (b'{"user_id": "42", "rating": NaN}', "NaN is not valid JSON"),
        (b'{"user_id": "\\ud800"}', "malformed JSON"),
        (b'{"user_id": "\\ud83d"}', "write the character itself, or both halves"),
        (b'["42"]', "not a JSON object"),
        ('{"user_id": "Amélie"}'.encode("latin-1"), "byte 0xe9 at position 16"),
        (b'{"user_id": "\xff"}', "byte 0xff at position 14"),
    ],
)
def test_a_line_that_is_no_json_in_utf_8_is_named(line: bytes, says: str, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "cases.jsonl", OTHER, line)
    assert_refused(lambda: read_cases(path), path, 2, None, None, says)


def test_a_second_row_of_a_case_is_named_with_the_first(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "cases.jsonl", GOOD, OTHER, {**GOOD, "user_id": 42})
    assert_refused(lambda: read_cases(path), path, 3, "user_id", "42", "duplicate Case (first seen on line 1)")
    path = write_lines(tmp_path / "cases.jsonl", {**GOOD, "case_id": "7"}, OTHER)
    assert_refused(lambda: read_cases(path), path, 2, "user_id", "7", "duplicate Case (first seen on line 1)")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_user_may_have_several_cases(suffix: str, tmp_path: Path) -> None:
    path, items = tmp_path / f"cases{suffix}", (Item("a", "A"), Item("b", "B"))
    write_cases(path, [Case("7", (), items, case_id="7-1"), Case("7", (), items, case_id="7-2"), Case("8", (), items)])
    assert [(one.user_id, one.case_id) for one in read_cases(path)] == [("7", "7-1"), ("7", "7-2"), ("8", "8")]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_relevant_item_that_recall_missed_is_normal_and_counted(suffix: str, tmp_path: Path) -> None:
    path, items = tmp_path / f"cases{suffix}", (Item("a", "A"), Item("b", "B"))
    cases = [Case("1", (), items, None, ("a", "x")), Case("2", (), items, None, ("y",)), Case("3", (), items)]
    write_cases(path, cases)
    found = CandidateFile(path)
    assert list(found.cases()) == cases
    summary = found.summary
    assert (summary.relevant, summary.missed, summary.empty_histories) == (3, 2, 3)
    assert any("2 of 3 relevant ids (66.7%)" in note for note in summary.notes())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_relevant_ids_of_another_kind_are_refused_unless_they_do_not_matter(suffix: str, tmp_path: Path) -> None:
    path, items = tmp_path / f"cases{suffix}", (Item("a", "A"), Item("b", "B"))
    write_cases(path, [Case(str(user), (), items, None, ("181",)) for user in range(3)])
    assert_refused(lambda: read_cases(path), path, None, "relevant", None, "none of 3 relevant ids is a candidate")
    assert [case.relevant for case in read_cases(path, truth="read")] == [("181",)] * 3
    assert [case.relevant for case in read_cases(path, truth="ignored")] == [()] * 3


def test_reranking_does_not_care_what_stands_in_relevant(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "cases.jsonl", changed(relevant=17, rating="none"), OTHER)
    assert [case.relevant for case in read_cases(path, truth="ignored")] == [(), ()]
    pq.write_table(pa.Table.from_pylist([changed(relevant=[[1.5]])]), tmp_path / "cases.parquet")
    assert len(CandidateFile(tmp_path / "cases.parquet", truth="ignored")) == 1


MAP, PAIR = pa.map_(pa.string(), pa.float64()), pa.struct({"item_id": pa.string(), "gain": pa.int32()})


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (MAP, [[("a", 2.0), ("x", 1.0), ("b", 0.0)], None, [("b", 1.0)]]),
        (
            pa.list_(PAIR),
            [[{"item_id": "a", "gain": 2}, {"item_id": "x", "gain": 1}], [], [{"item_id": "b", "gain": 1}]],
        ),
        (
            pa.struct({"a": pa.float64(), "x": pa.float64(), "b": pa.float64()}),
            [{"a": 2.0, "x": 1.0, "b": None}, None, {"a": None, "x": None, "b": 1.0}],
        ),
    ],
    ids=["map", "list of structs", "struct"],
)
def test_gains_are_read_from_every_form_that_parquet_has_for_them(kind: Any, values: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "cases.parquet"
    candidates = [[{"item_id": "a", "title": "A"}, {"item_id": "b", "title": "B"}]] * 3
    table = {"user_id": ["1", "2", "3"], "candidates": candidates, "relevant": pa.array(values, kind)}
    pq.write_table(pa.table(table), path)
    assert [(case.relevant, case.gains) for case in read_cases(path)] == [
        (("a", "x"), (2.0, 1.0)),
        ((), None),
        (("b",), None),
    ]


def test_gains_in_json_are_a_map_and_those_of_nothing_count_for_nothing(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "cases.jsonl", changed(relevant={"181": 2, "172": 0, "9": 0.5}))
    (case,) = read_cases(path)
    assert (case.relevant, case.gains) == (("181", "9"), (2.0, 0.5))


def test_gains_may_come_late_in_a_list_of_cases_but_not_in_an_iterator(tmp_path: Path) -> None:
    items = (Item("a", "A"),)
    cases = [
        *(Case(str(user), (), items, None, ("a",)) for user in range(2000)),
        Case("x", (), items, None, ("a",), gains=(2.0,)),
    ]
    with pytest.raises(InputError, match="as a list"):
        write_cases(tmp_path / "cases.parquet", iter(cases))
    assert not list(tmp_path.iterdir())
    write_cases(tmp_path / "cases.parquet", cases)
    assert list(read_cases(tmp_path / "cases.parquet")) == cases


def test_an_empty_history_is_normal(tmp_path: Path) -> None:
    lacking = {name: value for name, value in OTHER.items() if name != "history"}
    path = write_lines(tmp_path / "cases.jsonl", changed(history=[]), lacking)
    assert [one.history for one in read_cases(path)] == [(), ()]
    assert CandidateFile(path).summary.empty_histories == 2


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_all_faults_are_listed_and_the_other_rows_can_be_used(suffix: str, tmp_path: Path) -> None:
    bad = [
        {**GOOD, "user_id": str(user), "candidates": [{"item_id": "1", "title": "", "score": 1.0}]}
        for user in range(100, 130)
    ]
    rows = [GOOD, *bad, OTHER, {**GOOD, "user_id": "7"}]
    path = write_lines(tmp_path / "cases.jsonl", *rows)
    if suffix == ".parquet":
        path = tmp_path / "cases.parquet"
        pq.write_table(pa.Table.from_pylist(rows), path)
    with pytest.raises(BadRowsError) as caught:
        CandidateFile(path)
    message = str(caught.value)
    assert caught.value.count == 31 and len(caught.value.faults) == 20
    assert "31 rows are invalid; the first 20:" in message and "skip_bad_rows=True" in message
    assert "line 2, field 'candidates[0].title', user '100': the title is empty" in message
    assert "line 21," in message and "line 22," not in message
    found = CandidateFile(path, skip_bad_rows=True)
    assert [(row.line, row.case.user_id) for row in found] == [(1, "42"), (32, "7")]
    assert list(CandidateFile(path, skip_bad_rows=True, keep=True)) == list(found)
    assert (found.summary.rows, found.summary.skipped_rows) == (2, 31)
    assert "31 invalid rows are skipped." in found.summary.notes()


@pytest.mark.parametrize("truth", ["checked", "ignored"])
def test_a_skipped_duplicate_is_in_no_count(truth: Truth) -> None:
    again = {"user_id": "7", "candidates": GOOD["candidates"], "relevant": ["missed"]}
    table = pa.Table.from_pylist([again, again, {**again, "user_id": "8", "relevant": ["181"]}])
    found = CandidateFile(table, truth=truth, skip_bad_rows=True).summary
    assert (found.rows, found.skipped_rows, found.empty_histories) == (2, 1, 2)
    assert (found.relevant, found.missed) == ((2, 1) if truth == "checked" else (0, 0))


def test_a_file_without_a_good_row_is_refused_even_when_bad_rows_are_skipped(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "cases.jsonl", candidate(title=""))
    with pytest.raises(InputError, match="the title is empty"):
        CandidateFile(path, skip_bad_rows=True)


def test_a_file_that_changes_after_it_was_checked_is_not_read_on(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "cases.jsonl", GOOD)
    found = CandidateFile(path)
    write_lines(path, GOOD, OTHER)
    with pytest.raises(InputError, match="has changed"):
        list(found)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.jsonl", b"PAR1\x15\x04\xe9", "this is a Parquet file"),
        ("a.jsonl", b"\x1f\x8b\x08\x00", "this is a gzip file"),
        ("a.jsonl", '{"user_id": 1}'.encode("utf-16"), "in UTF-16"),
        ("a.jsonl", b"\x28\xb5\x2f\xfd\x04", "unzstd"),
        ("a.jsonl", b"PK\x03\x04\x14", "an Excel workbook"),
        ("a.jsonl", b"[\n{}]", "JSON array"),
        ("a.jsonl", b'{\n  "user_id": 1\n}', "spans several lines"),
        ("a.jsonl", b"user_id,item_id,score\n1,2,0.5\n", "llmrank convert"),
        ("a.jsonl", b'{"user_id": 1, "item_id": 2, "score": 0.5}\n', "llmrank convert"),
        ("a.parquet", b'{"user_id": 1}', "the content is not"),
        ("a.csv", b"user_id,item_id\n", "llmrank convert"),
        ("a.json", b"[]", "jq"),
    ],
)
def test_a_file_of_another_format_is_told_what_it_is(name: str, content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_cases(tmp_path / name)
    assert says in str(caught.value)


def test_a_pipe_is_no_candidate_file(tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "a.jsonl")
    with pytest.raises(InputError, match=r"a\.jsonl: is a device or a pipe, not a file\n  hint: write its content"):
        read_cases(pipe)
    with pytest.raises(InputError, match="is a device or a pipe"):
        check_free(pipe, overwrite=True)


def test_a_long_table_in_parquet_is_told_how_to_become_candidates(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(
        pa.table({"customer_id": ["1", "1"], "sku": ["a", "b"], "item_id": ["a", "b"], "score": [1.0, 2.0]}), path
    )
    with pytest.raises(InputError, match="looks like a long table") as caught:
        read_cases(path)
    assert f"llmrank convert {path} -o" in caught.value.hint


def test_a_table_whose_columns_nobody_knows_is_refused_once_and_not_row_by_row(tmp_path: Path) -> None:
    table = pa.table({"member": ["1", "1"], "sku": ["a", "b"], "sim": [1.0, 2.0]})
    pq.write_table(table, path := tmp_path / "a.parquet")
    for source, command in ((path, f"convert {path} -o"), (table, "llmrank.convert(table, items=")):
        with pytest.raises(InputError, match="'candidates' is missing; the columns are member, sku, sim") as caught:
            read_cases(source)
        assert command in caught.value.hint


# --- tables in memory ------------------------------------------------------------------------------------------------


def test_a_table_in_memory_is_read_and_checked_like_a_file(tmp_path: Path) -> None:
    table = pa.Table.from_pylist([GOOD, OTHER])
    path = tmp_path / "cases.parquet"
    pq.write_table(table, path)
    assert list(read_cases(table)) == list(read_cases(path))
    assert list(read_cases(table.to_pandas())) == list(read_cases(path))
    assert list(read_cases(table.to_reader())) == list(read_cases(path))
    assert_refused(
        lambda: read_cases(pa.Table.from_pylist([OTHER, candidate(title=" ")])),
        "the table",
        2,
        "candidates[1].title",
        "42",
        "the title is empty",
    )


# --- every form that Parquet has for a row is read like its JSON ------------------------------------------------------


@given(written=cases)
@settings(max_examples=100, deadline=None)
def test_a_table_and_its_rows_are_read_alike(written: list[Case]) -> None:
    rows = [nested(one) for one in written]
    for row in rows:
        row["price"] = {"net": 1.5}
    table = pa.Table.from_pylist(
        rows, pa.schema([*parquet_schema(), pa.field("price", pa.struct({"net": pa.float64()}))])
    )
    by_row = [RowReader(truth="read").check(row, 1).case for row in table.to_pylist()]
    assert list(read_cases(table, truth="read")) == by_row == written


PLACES = [
    *("user_id", "case_id", "history", "candidates", "relevant", "target", "rating", "response", "relevants"),
    *("candidates.item_id", "candidates.title", "candidates.score", "candidates.attributes", "candidates.year"),
    *("history.item_id", "history.title", "history.rating", "history.timestamp"),
]
odd = st.sampled_from(
    [None, "", " ", "\u2003", "a", 0, 7, 2.5, float("nan"), True, [], ["a"], [""], {}, {"a": 1.0}, "a" * 20_001]
)


@given(
    path=st.sampled_from(PLACES),
    value=odd,
    truth=st.sampled_from(["read", "ignored"]),
)
@settings(max_examples=600, deadline=None)
def test_a_row_that_is_accepted_is_read_as_it_was_checked(path: str, value: Any, truth: Any) -> None:
    row = json.loads(json.dumps(GOOD))
    outer, _, inner = path.partition(".")
    if inner:
        row[outer][0][inner] = value
    else:
        row[outer] = value
    try:
        table = pa.Table.from_pylist([row])
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return
    (raw,) = table.to_pylist()
    try:
        checked = RowReader(truth=truth).check(raw, 1).case
    except InputError:
        with pytest.raises(InputError):
            read_cases(table, truth=truth)
    else:
        assert list(read_cases(table, truth=truth)) == [checked]


def test_faults_of_one_kind_say_what_to_do() -> None:
    event = {"item_id": "50", "title": "A"}
    rows = [changed(history=[{**event, "timestamp": moment}]) for moment in ("today", "2026-13-01")]
    with pytest.raises(
        BadRowsError, match=r"hint: write seconds since the epoch, or ISO 8601 such as 2001.*skip_bad_rows=True"
    ):
        list(read_cases(pa.Table.from_pylist(rows)))


def test_times_become_seconds() -> None:
    when = datetime(1997, 9, 20, 12, tzinfo=UTC)
    event = {"item_id": "50", "title": "Star Wars (1977)"}
    units = [int(when.timestamp() * factor) for factor in (1, 1e3, 1e6, 1e9)]
    for moment in (when, when.replace(tzinfo=None), "1997-09-20T12:00:00", "1997-09-20 14:00:00+02:00", *units):
        table = pa.Table.from_pylist([changed(history=[{**event, "timestamp": moment}])])
        (case,) = read_cases(table)
        assert case.history[0].timestamp == when.timestamp()
        assert RowReader().check(table.to_pylist()[0], 1).case == case


@pytest.mark.parametrize("truth", ["checked", "ignored"])
def test_a_time_outside_the_calendar_is_an_error(truth: Truth) -> None:
    table = pa.Table.from_pylist([changed(history=[{"item_id": "50", "title": "A", "timestamp": -99_999_999_999_999}])])
    with pytest.raises(InputError, match=r"'history\[0\]\.timestamp'.*is not a time in the years 1 to 9999"):
        list(read_cases(table, truth=truth))


def test_ids_may_be_whole_numbers_and_attributes_become_text(tmp_path: Path) -> None:
    item = {"item_id": 181, "title": "Jedi", "genres": ["Action", "War"], "year": 1983, "votes": 7.0, "brand": None}
    path = write_lines(tmp_path / "cases.jsonl", changed(user_id=42, candidates=[item], relevant=[181]), b"")
    (one,) = read_cases(path)
    assert (one.user_id, one.relevant) == ("42", ("181",))
    assert one.candidates[0] == Item("181", "Jedi", {"genres": "Action, War", "year": "1983", "votes": "7"})


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "cases.jsonl", b"\xef\xbb\xbf" + json.dumps(GOOD).encode())
    assert [one.user_id for one in read_cases(path)] == ["42"]


@pytest.mark.parametrize("name", ["cases.jsonl", "cases.jsonl.gz", "cases.parquet"])
def test_a_file_cut_off_anywhere_is_never_taken_for_a_whole_one(name: str, tmp_path: Path) -> None:
    whole, path = tmp_path / f"whole-{name}", tmp_path / name
    history = (Event(Item("a", "A")),)
    write_cases(whole, [Case(str(user), history, (Item("b", "B"),)) for user in range(3)])
    content = whole.read_bytes()
    for length in range(0, len(content) - 1, 1 if name != "cases.parquet" else 37):
        path.write_bytes(content[:length])
        lines = content[:length].split(b"\n")
        if name == "cases.jsonl" and length and lines[-1] in (b"", content.split(b"\n")[len(lines) - 1]):
            continue  # cut between two lines: nothing in the file tells
        with pytest.raises(InputError) as caught:
            read_cases(path)
        assert caught.value.path == path


def test_names_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    there = write_lines(tmp_path / "cases.jsonl", GOOD)
    assert_refused(lambda: read_cases(tmp_path / "no.jsonl"), tmp_path / "no.jsonl", None, None, None, "no such file")
    for name in ("cases.feather", "cases.parquet.gz"):
        path = tmp_path / name
        path.touch()
        assert_refused(lambda path=path: read_cases(path), path, None, None, None, "Parquet or JSON lines")
    before = there.read_bytes()
    one = Case("1", (), (Item("b", "B"),))
    assert_refused(lambda: write_cases(there, [one]), there, None, None, None, "overwrite=True")
    assert there.read_bytes() == before

    def broken() -> Any:
        yield one
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_cases(there, broken(), overwrite=True)
    assert there.read_bytes() == before
    assert_refused(
        lambda: write_cases(tmp_path / "no" / "a.jsonl", [one]), tmp_path / "no", None, None, None, "no such folder"
    )


def test_parquet_of_another_hand_is_read(tmp_path: Path) -> None:
    """Ids as integers, attributes as columns of their own, null where a row has no such field."""
    path = tmp_path / "cases.parquet"
    rows = [
        {
            "user_id": 42,
            "history": [{"item_id": 50, "title": "Star Wars (1977)", "genres": ["Action", "War"]}],
            "candidates": [{"item_id": 181, "title": "Jedi", "genres": None}],
            "relevant": [181],
            "target": None,
        },
        {
            "user_id": 43,
            "history": [{"item_id": 50, "title": "Star Wars (1977)", "genres": None}],
            "candidates": None,
            "relevant": None,
            "target": {"item_id": 181, "title": "Jedi"},
        },
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)
    first, second = read_cases(path)
    assert first.history[0].item == Item("50", "Star Wars (1977)", {"genres": "Action, War"})
    assert first.relevant == ("181",)
    assert second.target == Item("181", "Jedi")


def test_parquet_errors_name_the_row(tmp_path: Path) -> None:
    path = tmp_path / "cases.parquet"
    pq.write_table(pa.Table.from_pylist([OTHER, candidate(item_id="181")]), path)
    assert_refused(lambda: read_cases(path), path, 2, "candidates[1].item_id", "42", "duplicate candidate")
    latin = pa.array([b"7", "Amélie".encode("latin-1")]).cast(pa.string(), safe=False)
    pq.write_table(pa.Table.from_pylist([OTHER, GOOD]).set_column(0, "user_id", latin), path)
    assert_refused(lambda: read_cases(path), path, 2, None, None, "byte 0xe9")


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_the_summary_counts_what_a_reader_of_the_numbers_must_know(suffix: str, tmp_path: Path) -> None:
    seen = {**OTHER, "candidates": [*GOOD["candidates"], {"item_id": "50", "title": "Star Wars (1977)", "score": 0.1}]}
    seen["relevant"] = None
    rated = {"user_id": "1", "history": GOOD["history"], "target": {"item_id": "181", "title": "Jedi"}, "rating": 1}
    rows = [GOOD, seen, rated, {**rated, "user_id": "2", "rating": 0}]
    path = write_lines(tmp_path / "cases.jsonl", *rows)
    if suffix == ".parquet":
        path = tmp_path / "cases.parquet"
        pq.write_table(pa.Table.from_pylist([{**dict.fromkeys([*GOOD, *rated]), **row} for row in rows]), path)
    found = CandidateFile(path).summary
    assert (found.rows, found.rows_with_seen) == (4, 1)
    assert found.rating_scale == (0.0, 1.0)


@pytest.mark.parametrize("truth", ["checked", "ignored"])
@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_history_with_the_newest_first_is_noted(suffix: str, truth: Truth, tmp_path: Path) -> None:
    def row(user: str, *times: float | None) -> dict[str, Any]:
        history = [{"item_id": f"h{at}", "title": "H", "timestamp": time} for at, time in enumerate(times)]
        return {"user_id": user, "history": history, "candidates": [{"item_id": "1", "title": "A"}]}

    rows = [row("a", 1, 2, 2), row("b", 3, None, 2), row("c"), row("d", 9), row("e", 1), row("f", 5, 4, 3)]
    path = write_lines(tmp_path / "cases.jsonl", *rows)
    if suffix == ".parquet":
        path = tmp_path / "cases.parquet"
        pq.write_table(pa.Table.from_pylist(rows), path)
    found = CandidateFile(path, truth=truth).summary
    assert found.falling_histories == 2
    assert any("In 2 Cases the timestamps fall along the history" in note for note in found.notes())


def test_gzip_is_told_by_the_suffix(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(GOOD).encode()))
    assert [one.user_id for one in read_cases(path)] == ["42"]
    path.write_bytes(json.dumps(GOOD).encode())
    assert_refused(lambda: read_cases(path), path, None, None, None, "gzip")


def test_a_table_with_string_views_reads_like_any_other(tmp_path: Path) -> None:
    def viewed(kind: Any) -> Any:
        return pa.string_view() if pa.types.is_string(kind) else kind

    plain = pa.Table.from_pylist([{**GOOD, "country": "at"}, {**OTHER, "country": None}])
    table = plain.cast(map_types(plain.schema, viewed))
    assert table.schema.field("country").type == pa.string_view()
    assert [row.case for row in CandidateFile(table)] == [row.case for row in CandidateFile(plain)]
    assert next(row.case.columns for row in CandidateFile(table))["country"] == "at"
    pq.write_table(plain.append_column("view", pa.array(["x", "y"], pa.string_view())), tmp_path / "views.parquet")
    assert [row.columns["view"] for row in read_cases(tmp_path / "views.parquet")] == ["x", "y"]


def test_what_no_table_can_hold_is_named(tmp_path: Path) -> None:
    twice = pa.table([pa.array(["a"]), pa.Table.from_pylist([GOOD])["candidates"], pa.array([1]), pa.array([2])],
                     names=["user_id", "candidates", "x", "x"])  # fmt: skip
    with pytest.raises(InputError, match="field 'x': duplicate column name"):
        CandidateFile(twice)
    far = pa.Table.from_pylist([GOOD]).append_column("since", pa.array([2**62], pa.timestamp("us")))
    with pytest.raises(InputError, match="line 1: Python cannot represent a value"):
        CandidateFile(far)
    frame = pandas.DataFrame([[1, 2]], columns=["x", "x"])
    with pytest.raises(InputError, match="Duplicate column names"):
        CandidateFile(frame)


def test_the_name_of_an_output_is_not_to_be_converted(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        file_format(tmp_path / "out.csv")
    assert "convert" not in caught.value.hint


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_further_columns_of_single_values_are_kept_as_text(suffix: str, tmp_path: Path) -> None:
    items = [{"item_id": "1", "title": "Heat"}]
    rows = [
        {"user_id": "a", "candidates": items, "country": "at", "age": 41, "new": True, "share": 0.5, "tags": ["x"],
         "note": "n" * 201, "scores": "taken"},
        {"user_id": "b", "candidates": items, "country": None, "age": None, "new": False, "share": 2.0, "tags": [],
         "note": "", "scores": ""},
    ]  # fmt: skip
    path = tmp_path / f"in{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    cases = list(read_cases(path))
    assert [case.columns for case in cases] == [
        {"country": "at", "age": "41", "new": "true", "share": "0.5"},
        {"new": "false", "share": "2", "note": ""},
    ]
    assert [case.columns for case in CandidateFile(path, truth="ignored").cases()] == [{}, {}]
    for again in (tmp_path / "out.parquet", tmp_path / "out.jsonl"):
        write_cases(again, cases)
        assert list(read_cases(again)) == cases


def test_a_further_column_of_decimal_numbers_is_kept() -> None:
    table = pa.Table.from_pylist([{**GOOD, "price": Decimal("1.50")}])
    assert next(iter(CandidateFile(table))).case.columns["price"] == "1.50"


def test_further_columns_are_no_part_of_what_a_ranker_sees_or_of_what_cases_are_known_by() -> None:
    plain = Case("a", (), (Item("1", "Heat"),))
    wide = replace(plain, columns={"label": "1"})
    assert wide.blinded().columns == {} and repr(wide) == repr(plain) and hash(wide) == hash(plain) and wide != plain


def test_a_further_column_takes_no_name_of_the_format_and_does_not_come_late(tmp_path: Path) -> None:
    plain = Case("a", (), (Item("1", "Heat"),))
    for name in ("history", "responses"):
        with pytest.raises(InputError, match="the column name is reserved"):
            write_cases(tmp_path / "out.parquet", [replace(plain, columns={name: "x"})])
    late = [
        replace(plain, user_id=f"u{at}", case_id="", columns={"country": "at"} if at > 1500 else {})
        for at in range(1600)
    ]
    assert write_cases(tmp_path / "list.parquet", late) == 1600
    with pytest.raises(InputError, match="'country' first occurs after"):
        write_cases(tmp_path / "late.parquet", iter(late))


def test_decimal_ids_and_numbers_of_a_warehouse_are_read() -> None:
    def table(scale: int) -> Any:
        whole, number = pa.decimal128(20, scale), pa.decimal128(9, 2)
        offered = pa.list_(pa.struct([("item_id", whole), ("title", pa.string()), ("score", number)]))
        entry = {"item_id": Decimal(7), "title": "Alien", "score": Decimal("0.91")}
        row = {"user_id": Decimal(42), "candidates": [entry], "relevant": [Decimal(7)]}
        kinds = [("user_id", whole), ("candidates", offered), ("relevant", pa.list_(whole))]
        return pa.Table.from_pylist([row], schema=pa.schema(kinds))

    [case] = read_cases(table(0))
    assert (case.user_id, case.candidates[0].item_id, case.recall_scores, case.relevant) == ("42", "7", (0.91,), ("7",))
    with pytest.raises(InputError, match=r"field 'user_id'"):
        next(read_cases(table(2)))
