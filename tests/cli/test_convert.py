"""`llmrank convert`: the files of other recall stages become candidate files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from llmrank.cli.convert import convert
from llmrank.data.candidates import read_cases
from llmrank.errors import InputError
from tests.cli.command import run


def test_a_trec_run_gets_titles_scores_and_what_is_relevant(tmp_path: Path) -> None:
    (tmp_path / "run.trec").write_text("7 Q0 b 2 0.5 bm25\n7 Q0 a 1 0.9 bm25\n")
    (tmp_path / "items.csv").write_text('item_id,title\na,"Matrix, The (1999)"\nb,Alien\n')
    (tmp_path / "qrels").write_text("7 0 b 1\n")
    arguments = [
        str(tmp_path / "run.trec"), "--from", "trec", "--items", str(tmp_path / "items.csv"), "--qrels",
        str(tmp_path / "qrels"), "-o", str(tmp_path / "out.jsonl"),
    ]  # fmt: skip
    ran = CliRunner().invoke(convert, arguments, catch_exceptions=False)
    assert ran.exit_code == 0 and "Cases with an empty history: 1" in ran.output
    row = json.loads((tmp_path / "out.jsonl").read_text())
    assert [(item["title"], item["score"]) for item in row["candidates"]] == [
        ("Matrix, The (1999)", 0.9),
        ("Alien", 0.5),
    ]
    assert row["relevant"] == ["b"]
    with pytest.raises(InputError, match="overwrite=True"):
        CliRunner().invoke(convert, arguments, catch_exceptions=False)


def test_llmrank_lists_of_real_users(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    games = shared_data("LLMRank") / "Games-6k"
    arguments = [str(games / "Games-6k.sasrec"), "--from", "lists", "--items", str(games / "Games-6k.item")]
    arguments += ["--histories", str(games / "Games-6k.test.inter"), "-o", str(tmp_path / "games.parquet")]
    ran = CliRunner().invoke(convert, arguments, catch_exceptions=False)
    assert ran.exit_code == 0 and "6,000 Cases" in ran.output


def nested(levels: int) -> str:
    """Return a row of a retriever's table, itself one level, with a column that is nested so deep."""
    return f'{{"user": "u", "item": "i", "title": "{"[" * 99}", "tags": {"[" * (levels - 1)}1{"]" * (levels - 1)}}}\n'


@pytest.mark.parametrize("levels", [33, 100_000])
def test_a_row_that_is_nested_without_end_is_named(tmp_path: Path, levels: int) -> None:
    (tmp_path / "table.jsonl").write_text(nested(2) + nested(levels))
    ran = run(tmp_path, "convert", "table.jsonl", "--from", "table", "-o", "out.parquet")  # where it may crash alone
    assert ran.returncode == 2 and "table.jsonl, line 2: nested more than 32 levels deep\n  hint: remove" in ran.stderr
    assert not (tmp_path / "out.parquet").exists()


def test_what_is_nested_as_deep_as_allowed_can_be_read_again(tmp_path: Path) -> None:
    (tmp_path / "table.jsonl").write_text(nested(32))
    arguments = [str(tmp_path / "table.jsonl"), "--from", "table", "-o", str(tmp_path / "out.parquet")]
    CliRunner().invoke(convert, arguments, catch_exceptions=False)
    (case,) = read_cases(tmp_path / "out.parquet")
    assert case.candidates[0].title == "[" * 99


def test_a_table_is_read_without_saying_so_and_with_the_types_of_recbole(tmp_path: Path) -> None:
    (tmp_path / "proposed.csv").write_text("user_id:token,item_id:token,title:token_seq,score:float\n7,a,Heat,0.5\n")
    ran = CliRunner().invoke(convert, [str(tmp_path / "proposed.csv"), "-o", str(tmp_path / "out.jsonl")])
    assert ran.exit_code == 0, ran.output
    assert json.loads((tmp_path / "out.jsonl").read_text()) == {
        "user_id": "7",
        "candidates": [{"item_id": "a", "title": "Heat", "score": 0.5}],
    }


def test_an_answer_that_a_case_lacks_stays_in_json_lines(tmp_path: Path) -> None:
    rows = [("7", "a", "Heat", "Heat"), ("7", "b", "Alien", "Heat"), ("8", "a", "Heat", ""), ("8", "b", "Alien", "")]
    (tmp_path / "t.csv").write_text("user,item,title,response\n" + "".join(",".join(row) + "\n" for row in rows))
    ran = CliRunner().invoke(convert, [str(tmp_path / "t.csv"), "-o", str(tmp_path / "out.jsonl")])
    assert ran.exit_code == 0, ran.output
    answers = [json.loads(line)["response"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert answers[0] == "Heat" and not answers[1]
