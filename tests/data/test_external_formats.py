"""Other people's formats: what they say is what the Cases say, and a run that is written keeps its order."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ir_measures
import pytest

from llmrank.data.candidate_writing import write_cases
from llmrank.data.candidates import BadRowsError, read_cases
from llmrank.data.external_formats import convert_file, read_external, read_lists
from llmrank.data.recbole import read_atomic_items
from llmrank.data.rows import make_items
from llmrank.data.trec import read_qrels, read_trec_run, write_qrels, write_trec_run
from llmrank.errors import InputError
from llmrank.types import Case, Event, Item

ITEMS = "item_id,title,year\n1,Alien,1979\n2,Brazil,1985\n3,Cube,1997\n4,Dune,1984\n5, ,1999\n"
HISTORIES = "user_id,item_id,rating,timestamp\n7,4,5,20\n7,3,4,10\n8,3,1,5\n"


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., dict[str, Path]]:
    def write(**texts: str) -> dict[str, Path]:
        names = {"items": "items.csv", "histories": "interactions.csv"}
        for name, content in {"items": ITEMS, "histories": HISTORIES, **texts}.items():
            (tmp_path / names.get(name, name)).write_text(content, encoding="utf-8")
        return {name: tmp_path / names.get(name, name) for name in {"items": "", "histories": "", **texts}}

    return write


def cases_of(path: Path, format: str, **options: Any) -> list[Case]:
    return list(read_cases(read_external(path, format, **options)[0], truth="read"))


def test_a_trec_run_is_read_by_score_then_by_rank(files: Callable[..., dict[str, Path]]) -> None:
    run = "7 Q0 1 1 0.5 x\n7 Q0 2 3 0.9 x\n\n8 Q0 2 2 0.0 x\n8 Q0 1 1 0.0 x\n7 Q0 3 2 0.5 x\n"
    there = files(run=run, qrels="7 0 2 1\n7 0 9 0\n8 0 4 2\n")
    there["qrels"].write_text("7 0 2 1\n7 0 9 0\n8 0 4 2\n8 0 1 1\n9 0 1 1\n10 0 1 0\n")
    table, notes = read_external(
        there["run"], "trec", items=there["items"], histories=there["histories"], relevant=there["qrels"]
    )
    cases = list(read_cases(table))
    assert [[item.title for item in case.candidates] for case in cases] == [
        ["Brazil", "Alien", "Cube"],
        ["Alien", "Brazil"],
    ]
    assert cases[0].recall_scores == (0.9, 0.5, 0.5)
    assert (cases[0].relevant, cases[0].gains) == (("2",), None)
    assert (cases[1].relevant, cases[1].gains) == (("4", "1"), (2.0, 1.0))
    assert notes == [
        "relevant items that are not candidates (they count against the score): 1",
        "users with relevant items but no candidates, left out: 1",
    ]
    assert cases[0].history == (
        Event(Item("3", "Cube", {"year": "1997"}), 4.0, 10.0),
        Event(Item("4", "Dune", {"year": "1984"}), 5.0, 20.0),
    )


@pytest.mark.parametrize("name", ["qrels.tsv", "qrels.csv", "qrels.tsv.gz"])
def test_qrels_are_known_by_their_content_when_they_are_called_a_table(
    files: Callable[..., dict[str, Path]], tmp_path: Path, name: str
) -> None:
    there, content = files(run="7 Q0 3 1 0.5 x\n7 Q0 2 2 0.4 x\n"), b"7\t0\t3\t2\n7\t0\t2\t1\n"
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    (case,) = cases_of(there["run"], "trec", items=there["items"], relevant=tmp_path / name)
    assert (case.relevant, case.gains) == (("3", "2"), (2.0, 1.0))
    table = tmp_path / "next.tsv"
    table.write_text("user\titem\tgain\n7\t3\t2\n7\t2\t1\n")
    assert cases_of(there["run"], "trec", items=there["items"], relevant=table) == [case]


def test_a_history_that_holds_what_is_relevant_is_noted(files: Callable[..., dict[str, Path]]) -> None:
    there = files(run="7 Q0 3 1 0.5 x\n8 Q0 2 1 0.5 x\n", qrels="7 0 3 1\n8 0 2 1\n")
    options = {"items": there["items"], "histories": there["histories"], "relevant": there["qrels"]}
    [note] = read_external(there["run"], "trec", **options)[1]
    assert note.startswith("Cases with a relevant item in their history") and note.endswith(": 1")


@pytest.mark.parametrize(
    ("run", "line", "says"),
    [
        ("7 Q0 1 1 0.5\n", 1, "malformed line of a TREC run"),
        ("7 Q0 1 1 high x\n", 1, "malformed line of a TREC run"),
        ("7 Q0 1 1 2 x\n7 Q0 9 2 1 x\n", 2, "'9' is not in the items table"),
        ("7 Q0 1 1 2 x\n7 Q0 1 2 1 x\n", 2, "'1' is a duplicate candidate"),
        ("7 Q0 5 1 2 x\n", 1, "'5' has no title"),
    ],
)
def test_a_wrong_run_is_named_with_its_line(
    run: str, line: int, says: str, files: Callable[..., dict[str, Path]]
) -> None:
    there = files(run=run)
    with pytest.raises(InputError, match=says) as caught:
        read_external(there["run"], "trec", items=there["items"], histories=there["histories"])
    assert caught.value.line == line
    assert caught.value.path == there["run"]


def test_ids_alone_need_an_items_table_and_formats_have_names(files: Callable[..., dict[str, Path]]) -> None:
    there = files(run="7 Q0 1 1 2 x\n")
    with pytest.raises(InputError, match=r"\(items\)"):
        read_external(there["run"], "trec")
    with pytest.raises(InputError, match="did you mean 'rank_llm'"):
        read_external(there["run"], "rankllm")


def test_lists_keep_their_order_and_duplicates_are_refused_or_dropped(files: Callable[..., dict[str, Path]]) -> None:
    there = files(lists="7\t3 1 2\n8\t2 1 2\n")
    options = {"items": there["items"], "histories": there["histories"]}
    with pytest.raises(InputError, match="'2' is a duplicate candidate") as caught:
        read_external(there["lists"], "lists", **options)
    assert caught.value.line == 2
    cases = cases_of(there["lists"], "lists", **options, drop_duplicates=True)
    assert [[item.item_id for item in case.candidates] for case in cases] == [["3", "1", "2"], ["2", "1"]]
    for wrong in ("7 3 1 2\n", "7\t1\n7\t2\n"):
        there["lists"].write_text(wrong)
        with pytest.raises(InputError, match=r"malformed list|duplicate user"):
            read_lists(there["lists"])


def test_rank_llm_requests_bring_their_titles(files: Callable[..., dict[str, Path]]) -> None:
    request = {
        "query": {"qid": 7, "text": "space films"},
        "candidates": [
            {"docid": 1, "score": 2.5, "doc": {"title": "Alien", "year": 1979}},
            {"docid": "x", "score": 1, "doc": {"segment": "A man wakes up in a maze."}},
        ],
    }
    there = files(requests=json.dumps(request) + "\n")
    (case,) = cases_of(there["requests"], "rank_llm")
    assert case.history == (Event(Item("query:7", "space films")),)
    assert case.candidates == (Item("1", "Alien", {"year": "1979"}), Item("x", "A man wakes up in a maze."))
    assert case.recall_scores == (2.5, 1.0)
    (case,) = cases_of(there["requests"], "rank_llm", items=there["items"], histories=there["histories"])
    assert [event.item.title for event in case.history] == ["Cube", "Dune"]
    request["candidates"][0]["doc"] = {"title": 1984, "score": 7, "rank": "high"}
    there["requests"].write_text(json.dumps(request))
    (case,) = cases_of(there["requests"], "rank_llm")
    assert case.candidates[0] == Item("1", "1984", {"column_score": "7", "column_rank": "high"})
    empty = {"query": {"qid": 8, "text": "nothing"}, "candidates": []}
    there["requests"].write_text(f"{json.dumps(request)}\n{json.dumps(empty)}\n")
    assert read_external(there["requests"], "rank_llm")[1] == ["Cases without candidates, left out: 1"]
    there["requests"].write_text(json.dumps(empty))
    with pytest.raises(InputError, match="the table has no rows"):
        read_external(there["requests"], "rank_llm")
    del request["candidates"][1]["doc"]["segment"]
    wrong = (request, {"query": {}}, {"query": {"qid": 1, "text": "a"}, "candidates": [{"docid": 1}]}, [])
    for bad in (*map(json.dumps, wrong), "[" * 100_000):
        there["requests"].write_text(bad)
        with pytest.raises(InputError) as caught:
            read_external(there["requests"], "rank_llm")
        assert caught.value.line == 1


@pytest.mark.parametrize(("requests", "said", "line"), [(0, "has no requests", None), (2, "duplicate qid", 2)])
def test_rank_llm_files_hold_one_request_for_each_query(
    files: Callable[..., dict[str, Path]], requests: int, said: str, line: int | None
) -> None:
    request = {
        "query": {"qid": "7", "text": "space films"},
        "candidates": [{"docid": "1", "score": 2, "doc": {"title": "Alien", "relevant": "horror"}}],
    }
    there = files(requests=(json.dumps(request) + "\n") * requests)
    with pytest.raises(InputError, match=said) as caught:
        read_external(there["requests"], "rank_llm")
    assert caught.value.line == line
    there["requests"].write_text(json.dumps(request))
    (case,) = cases_of(there["requests"], "rank_llm")
    assert case.candidates[0].attributes == {"relevant": "horror"} and not case.relevant


def test_histories_are_read_from_every_format_alike(tmp_path: Path, files: Callable[..., dict[str, Path]]) -> None:
    there = files(run="7 Q0 1 1 2 x\n")
    (tmp_path / "a.inter").write_text("user_id:token\titem_id:token\ttimestamp:float\n7\t4\t20\n7\t3\t10\n")
    (tmp_path / "b.inter").write_text("user_id:token\titem_id_list:token_seq\titem_id:token\n7\t3 4\t1\n")
    (tmp_path / "c.txt").write_text("7 3 4\n")
    for name, relevant in (("a.inter", ()), ("b.inter", ("1",)), ("c.txt", ())):
        (case,) = cases_of(there["run"], "trec", items=there["items"], histories=tmp_path / name)
        assert [event.item.title for event in case.history] == ["Cube", "Dune"]
        assert case.relevant == relevant
    (tmp_path / "b.inter").write_text("user_id:token\titem_id_list:token_seq\titem_id:token\n7\t3\t4\n7\t3 4\t1\n")
    with pytest.raises(InputError, match=r"b\.inter, line 3, .*user '7': the user has several histories"):
        cases_of(there["run"], "trec", items=there["items"], histories=tmp_path / "b.inter")


def test_histories_of_lists_may_call_the_user_otherwise(tmp_path: Path, files: Callable[..., dict[str, Path]]) -> None:
    there = files(run="7 Q0 1 1 2 x\n")
    lists = tmp_path / "b.inter"
    lists.write_text("uid:token\titem_id_list:token_seq\titem_id:token\n7\t3 4\t1\n")
    (case,) = cases_of(there["run"], "trec", items=there["items"], histories=lists)
    assert [event.item.title for event in case.history] == ["Cube", "Dune"]
    lists.write_text("nobody:token\titem_id_list:token_seq\titem_id:token\n7\t3 4\t1\n")
    with pytest.raises(InputError, match="no column"):
        cases_of(there["run"], "trec", items=there["items"], histories=lists)


def test_a_request_without_a_text_and_a_past_has_an_empty_history(
    tmp_path: Path, files: Callable[..., dict[str, Path]]
) -> None:
    request = {"query": {"qid": 9, "text": " "}, "candidates": [{"docid": 1, "score": 1, "doc": {"title": "Alien"}}]}
    there = files(requests=json.dumps(request))
    (tmp_path / "qrels").write_text("9 0 1 1\n")
    options = {"items": there["items"], "histories": there["histories"], "relevant": tmp_path / "qrels"}
    (case,) = cases_of(there["requests"], "rank_llm", **options)
    assert (case.history, case.relevant) == ((), ("1",))


def test_a_written_run_keeps_its_order_in_trec_eval(tmp_path: Path) -> None:
    """Ties would be broken by item id, backwards: whichever way the ids run, the first item must stay the first."""
    for ids in ([f"{n:03}" for n in range(30)], [f"{n:03}" for n in reversed(range(30))]):
        run, qrels = tmp_path / "run", tmp_path / "qrels"
        case = Case("u", (), (), relevant=(ids[3],))
        write_trec_run(run, [("u", [(item_id, 30.0 - place) for place, item_id in enumerate(ids)])], overwrite=True)
        write_qrels(qrels, [case], overwrite=True)
        measured = ir_measures.calc_aggregate(
            [ir_measures.RR], ir_measures.read_trec_qrels(str(qrels)), ir_measures.read_trec_run(str(run))
        )
        assert measured[ir_measures.RR] == 0.25
        assert read_trec_run(run).texts("item").to_pylist() == ids
        assert read_qrels(qrels) == {"u": {ids[3]: 1.0}}


def test_scores_of_a_long_list_stay_apart(tmp_path: Path) -> None:
    write_trec_run(tmp_path / "run", [("u", [("a", 1_234_568.0), ("b", 1_234_567.0)])])
    assert read_trec_run(tmp_path / "run").numbers("score").tolist() == [1_234_568.0, 1_234_567.0]


def test_grades_go_to_qrels_and_come_back(tmp_path: Path) -> None:
    cases = [
        Case("u", (), (), relevant=("a", "b"), gains=(2.0, 1.0), case_id="u-1"),
        Case("v", (), (), relevant=("c",)),
    ]
    write_qrels(tmp_path / "qrels", cases)
    assert (tmp_path / "qrels").read_text() == "u-1 0 a 2\nu-1 0 b 1\nv 0 c 1\n"
    assert read_qrels(tmp_path / "qrels") == {"u-1": {"a": 2.0, "b": 1.0}, "v": {"c": 1.0}}


def test_a_gain_that_trec_eval_would_cut_is_refused(tmp_path: Path) -> None:
    case = Case("u", (), (), relevant=("a", "b"), gains=(2.0, 0.5))
    with pytest.raises(InputError, match=r"gain 0.5 of item 'b'"):
        write_qrels(tmp_path / "qrels", [case])
    assert not (tmp_path / "qrels").exists()


def test_faults_are_listed_or_left_out_and_counted(files: Callable[..., dict[str, Path]], tmp_path: Path) -> None:
    there = files(run="7 Q0 1 1 2 x\n7 Q0 5 2 1 x\n8 Q0 9 1 1 x\n10 Q0 1 1 1 x\n")
    options: Any = {"items": there["items"], "histories": there["histories"]}
    with pytest.raises(BadRowsError, match="2 rows are invalid"):
        convert_file(there["run"], "trec", tmp_path / "out.jsonl", **options)
    assert not (tmp_path / "out.jsonl").exists()
    rows, notes = convert_file(there["run"], "trec", tmp_path / "out.jsonl", **options, skip_bad_rows=True)
    assert rows == 2
    assert set(notes) == {
        "rows skipped because the item is not in the items table: 1",
        "rows skipped because the item has no title: 1",
        "Cases without candidates, left out: 1",
        "Cases with an empty history: 1",
    }
    assert [case.user_id for case in read_cases(tmp_path / "out.jsonl")] == ["7", "10"]


def test_the_output_of_a_conversion_is_none_of_its_inputs(files: Callable[..., dict[str, Path]]) -> None:
    there = files(run="7 Q0 1 1 2 x\n")
    copy = there["run"].with_name("run.jsonl")
    there["run"].rename(copy)
    with pytest.raises(InputError, match="the output would overwrite the input"):
        convert_file(copy, "trec", copy, items=there["items"], overwrite=True)


def test_ids_with_white_space_cannot_stand_in_a_run(tmp_path: Path) -> None:
    for user, item in (("a b", "1"), ("a", "1\t2"), ("a", "")):
        with pytest.raises(InputError, match="candidate file instead"):
            write_trec_run(tmp_path / "run", [(user, [(item, 1.0)])])
    assert not (tmp_path / "run").exists()
    with pytest.raises(InputError, match="overwrite=True"):
        (tmp_path / "run").touch()
        write_trec_run(tmp_path / "run", [])


# --- real files ------------------------------------------------------------------------------------------------------


def test_llmrank_games_lists_with_titles_histories_and_targets(
    shared_data: Callable[[str], Path], tmp_path: Path
) -> None:
    """Figures of the data's own record: 6,000 users, 100 candidates, the target in 0.324 of the lists of SASRec."""
    folder = shared_data("LLMRank") / "Games-6k"
    cases = cases_of(
        folder / "Games-6k.sasrec",
        "lists",
        items=folder / "Games-6k.item",
        histories=folder / "Games-6k.test.inter",
    )
    assert len(cases) == 6000
    assert {len(case.candidates) for case in cases} == {100}
    assert all(len(case.relevant) == 1 for case in cases)
    found = sum(case.relevant[0] in {item.item_id for item in case.candidates} for case in cases)
    assert round(found / 6000, 3) == 0.324
    assert cases[0].candidates[0] in make_items(read_atomic_items(folder / "Games-6k.item"))
    write_cases(tmp_path / "games.parquet", cases[:500])
    assert list(read_cases(tmp_path / "games.parquet")) == cases[:500]


def test_llmrank_ml_1m_lists_over_the_real_catalogue(shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("LLMRank") / "ml-1m"
    path = folder / "ml-1m.rabmbepobpgrsa_3"
    assert len(set(read_lists(path).texts("user").to_pylist())) == 200
    with pytest.raises(InputError, match="duplicate candidate"):
        read_external(path, "lists", items=folder / "ml-1m.item")
    cases = cases_of(path, "lists", items=folder / "ml-1m.item", drop_duplicates=True)
    assert sum(len(case.candidates) < 21 for case in cases) == 146  # lists with duplicates, says the record


LISTS = "user,item,title,score,day\n7,1,Alien,2,1\n7,2,Brazil,1,1\n8,1,Alien,1,1\n"


def test_the_order_of_histories_without_times_must_be_vouched_for(files: Callable[..., dict[str, Path]]) -> None:
    there = files(lists=LISTS, past="user,item,clock\n7,2,20\n7,1,10\n", only="user:token\titem:token\n7\t2\n7\t1\n")
    table, past = there["lists"].rename(there["lists"].with_suffix(".csv")), there["past"].with_suffix(".csv")
    there["past"].rename(past)
    inter = there["only"].rename(there["only"].with_suffix(".inter"))
    for histories in (past, inter):
        with pytest.raises(InputError, match=r"has no timestamps(.|\n)*file_order=True"):
            read_external(table, "table", histories=histories)
        given = cases_of(table, "table", histories=histories, file_order=True)
        assert [event.item.item_id for event in given[0].history] == ["2", "1"]
    timed = cases_of(table, "table", histories=past, columns={"timestamp": "clock"})
    assert [event.item.item_id for event in timed[0].history] == ["1", "2"]


def test_a_column_named_for_two_roles_is_refused(files: Callable[..., dict[str, Path]]) -> None:
    there = files(lists=LISTS)
    table = there["lists"].rename(there["lists"].with_suffix(".csv"))
    for columns, role in (({"score": "title"}, "title"), ({"user": "day", "case": "day"}, "user")):
        with pytest.raises(InputError, match=f"the column is already the {role}"):
            read_external(table, "table", columns=columns)
    with pytest.raises(InputError, match="the column is already the rating"):
        read_external(table, "table", histories=there["histories"], columns={"position": "rating"})
    # Titles may be ids, and what is a score here may be a rating there.
    same = cases_of(table, "table", columns={"item": "title", "title": "title"}, items=None)
    assert [item.item_id for item in same[0].candidates] == ["Alien", "Brazil"]
    assert cases_of(table, "table", histories=there["histories"], columns={"score": "score", "rating": "rating"})


def test_numbers_and_times_that_cannot_be_read_are_listed_or_left_out(files: Callable[..., dict[str, Path]]) -> None:
    there = files(
        lists=LISTS + "8,2,Brazil,n/a,1\n8,3,Cube,?,1\n",
        past="user,item,timestamp,rating\n7,1,2001-01-02,1\n7,2,gestern,2\n7,2,,3\n7,2,2001-01-01T00:00:00Z,4\n8,1,2001-01-01,*\n",
        next="user,item,gain\n7,1,1\n8,2,lots\n",
        good=LISTS,
    )
    table, past, wanted, good = (there[name].rename(there[name].with_suffix(".csv")) for name in [*there][2:])
    with pytest.raises(BadRowsError, match=r"2 rows are invalid") as caught:
        read_external(table, "table")
    assert [(fault.line, fault.problem) for fault in caught.value.faults] == [
        (5, "expected a score, got 'n/a'"),
        (6, "expected a score, got '?'"),
    ]
    assert "--skip-bad-rows" in caught.value.hint
    with pytest.raises(BadRowsError) as caught:
        read_external(table, "table", histories=past)
    assert [(fault.line, fault.problem) for fault in caught.value.faults] == [
        (3, "expected a time, got 'gestern'"),
        (4, "the time is missing"),
        (6, "expected a rating, got '*'"),
    ]
    with pytest.raises(InputError, match=r"line 3, field 'gain': expected a gain, got 'lots'(.|\n)*skip_bad_rows=True"):
        read_external(good, "table", relevant=wanted)
    made, notes = read_external(table, "table", histories=past, relevant=wanted, skip_bad_rows=True)
    cases = list(read_cases(made, truth="read"))
    assert [len(case.candidates) for case in cases] == [2, 1]
    assert [event.timestamp for event in cases[0].history] == [978307200.0, 978393600.0]
    what = "skipped because of an invalid number or time"
    assert {f"rows of {path} {what}: {count}" for path, count in ((table, 2), (past, 3), (wanted, 1))} <= {*notes}
