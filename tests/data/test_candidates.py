"""The candidate file: what is written comes back, and what is wrong is named with its place and its hint."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from llmrank.data.candidates import (
    check_candidates,
    read_answered,
    read_cases,
    read_rows,
    write_answered,
    write_cases,
)
from llmrank.errors import InputError
from llmrank.types import Case, Event, Item

SUFFIXES = (".jsonl", ".jsonl.gz", ".parquet")

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
visible = text.filter(
    lambda value: bool(value.strip(" \t\r\n\x0b\x0c\x85\xa0")) and any(not c.isspace() for c in value)
)
number = st.none() | st.floats(allow_nan=False, allow_infinity=False)
item = st.builds(Item, visible, visible, st.dictionaries(text, text, max_size=2))
event = st.builds(Event, item, number, number)


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


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(written=cases)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_cases_come_back_as_they_went(written: list[Case], suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"cases{suffix}"
    assert write_cases(path, written, overwrite=True) == len(written)
    assert list(read_cases(path)) == written
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_cases_give_the_same_bytes(suffix: str, tmp_path: Path) -> None:
    one, two = tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"
    for path in (one, two):
        write_cases(path, [Case("1", (Event(Item("a", "A"), 4.0),), (Item("b", "B"),), (0.5,), ("b",))])
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_answers_travel_with_their_cases(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"answered{suffix}"
    rated = Case("2", (Event(Item("a", "A")),), target=Item("b", "B"), rating=4.0)
    answered = [(Case("1", (Event(Item("a", "A")),), (Item("b", "B"),)), "1. B\n"), (rated, None)]
    write_answered(path, answered)
    assert list(read_answered(path)) == answered


def test_a_file_without_responses_is_no_answered_file(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    write_cases(path, [Case("1", (Event(Item("a", "A")),), (Item("b", "B"),))])
    assert_refused(lambda: read_answered(path), path, 1, "response", "1", "null")


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
    act: Callable[[], object], path: Path, line: int | None, field: str | None, user: str | None, says: str
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
    "user as a float": ({**GOOD, "user_id": 42.0}, "user_id", None, "42.0 is no id"),
    "user as a truth value": ({**GOOD, "user_id": True}, "user_id", "True", "True is no id"),
    "no title": (changed(candidates=[{"item_id": "1"}]), "candidates[0].title", "42", "the title is missing"),
    "null title": (candidate(title=None), "candidates[1].title", "42", "the title is missing"),
    "blank title": (candidate(title=" \t"), "candidates[1].title", "42", "the title is empty"),
    "title as a number": (candidate(title=1984), "candidates[1].title", "42", "1984 is no text"),
    "no title in the history": (changed(history=[{"item_id": "50"}]), "history[0].title", "42", "title is missing"),
    "empty id": (candidate(item_id=""), "candidates[1].item_id", "42", "the item_id is empty"),
    "score as text": (candidate(score="0.5"), "candidates[1].score", "42", "'0.5' is no number"),
    "one score of two": (candidate(score=None), "candidates[1].score", "42", "others have one"),
    "duplicate": (candidate(item_id="181"), "candidates[1].item_id", "42", "'181' is a candidate twice"),
    "no candidates": (changed(candidates=[]), "candidates", "42", "there are no candidates"),
    "null candidates": (changed(candidates=None), "candidates", "42", "there are no candidates"),
    "candidates as ids": (changed(candidates=["181"]), "candidates[0]", "42", "'181' is no object"),
    "candidates as an object": (changed(candidates={"1": "a"}), "candidates", "42", "no list"),
    "no history": (changed(history=[]), "history", "42", "--allow-empty-history"),
    "history left out": ({k: v for k, v in GOOD.items() if k != "history"}, "history", "42", "no history"),
    "unknown relevant": (changed(relevant=["999"]), "relevant", "42", "'999' is no item"),
    "empty relevant": (changed(relevant=[""]), "relevant[0]", "42", "the relevant is empty"),
    "relevant as text": (changed(relevant="181"), "relevant", "42", "'181' is no list"),
    "relevant twice": (changed(relevant=["181", "181"]), "relevant[1]", "42", "named twice"),
    "misspelt field": ({**changed(), "relevants": ["181"], "relevant": None}, "relevants", "42", "no such field"),
    "both tasks": (changed(target={"item_id": "1", "title": "A"}), "target", "42", "not both"),
    "response as a number": (changed(response=4), "response", "42", "4 is no text"),
    "time as a date": (
        changed(history=[{"item_id": "50", "title": "A", "timestamp": "1997"}]),
        "history[0].timestamp",
        "42",
        "no number",
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
        (b'{"user_id": "42", "history": [', "malformed JSON"),
        (b'{"user_id": "42", "rating": NaN}', "malformed JSON"),
        (b'{"user_id": "\\ud800"}', "malformed JSON"),
        (b'["42"]', "no JSON object"),
        ('{"user_id": "Amélie"}'.encode("latin-1"), "byte 0xe9 at place 16"),
        ('{"user_id": "42"}'.encode("utf-16"), "byte 0xff at place 1"),
    ],
)
def test_a_line_that_is_no_json_in_utf_8_is_named(line: bytes, says: str, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "cases.jsonl", OTHER, line)
    assert_refused(lambda: read_cases(path), path, 2, None, None, says)


def test_a_second_row_of_a_user_is_named_with_the_first(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "cases.jsonl", GOOD, OTHER, {**GOOD, "user_id": 42})
    assert_refused(lambda: read_cases(path), path, 3, "user_id", "42", "the first is 1")


def test_a_relevant_item_that_recall_missed_is_no_error(tmp_path: Path) -> None:
    """It is known from another row, from `missed`, or from an items table."""
    missed = changed(relevant=["300"])
    elsewhere = {**OTHER, "candidates": [{"item_id": 300, "title": "Air Force One (1997)"}]}
    for rows in ([missed, elsewhere], [elsewhere, missed], [{**missed, "missed": ["300"]}]):
        path = write_lines(tmp_path / "cases.jsonl", *rows)
        assert ("300",) in [one.relevant for one in read_cases(path)]
    path = write_lines(tmp_path / "cases.jsonl", missed)
    assert [one.relevant for one in read_cases(path, items={"300"})] == [("300",)]
    error = assert_refused(lambda: read_cases(path), path, 1, "relevant", "42", "'300'")
    assert "`missed`" in error.hint


def test_what_recall_wrote_is_read_although_it_missed(tmp_path: Path) -> None:
    path = tmp_path / "cases.parquet"
    write_cases(path, [Case("1", (Event(Item("a", "A")),), (Item("b", "B"),), None, ("c",))])
    assert next(iter(read_cases(path))).relevant == ("c",)
    assert next(read_rows(path)).missed == ("c",)


def test_an_empty_history_may_be_let_in(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "cases.jsonl", changed(history=[]))
    assert [one.history for one in read_cases(path, allow_empty_history=True)] == [()]


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
    for name in ("cases.csv", "cases.parquet.gz"):
        path = tmp_path / name
        path.touch()
        assert_refused(lambda path=path: read_cases(path), path, None, None, None, "Parquet or JSON lines")
    before = there.read_bytes()
    one = Case("1", (), (Item("b", "B"),))
    assert_refused(lambda: write_cases(there, [one]), there, None, None, None, "--force")
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
    assert_refused(lambda: read_cases(path), path, 2, "candidates[1].item_id", "42", "twice")
    latin = pa.array([b"7", "Amélie".encode("latin-1")]).cast(pa.string(), safe=False)
    pq.write_table(pa.Table.from_pylist([OTHER, GOOD]).set_column(0, "user_id", latin), path)
    assert_refused(lambda: read_cases(path), path, 2, None, None, "byte 0xe9")


def test_the_summary_counts_what_a_reader_of_the_numbers_must_know(tmp_path: Path) -> None:
    seen = {**OTHER, "candidates": GOOD["candidates"] + GOOD["history"], "relevant": None}
    seen["candidates"][2] = {**seen["candidates"][2], "score": 0.1}
    rated = {"user_id": 1, "history": GOOD["history"], "target": GOOD["candidates"][0], "rating": 4}
    found = check_candidates(write_lines(tmp_path / "cases.jsonl", GOOD, seen, rated))
    assert (found.rows, found.ranking_rows, found.rating_rows, found.labelled_rows) == (3, 2, 1, 2)
    assert (found.candidates, found.seen_candidates) == (5, 1)


def test_gzip_is_told_by_the_suffix(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(GOOD).encode()))
    assert [one.user_id for one in read_cases(path)] == ["42"]
    path.write_bytes(json.dumps(GOOD).encode())
    assert_refused(lambda: read_cases(path), path, 1, None, None, "gzip")
