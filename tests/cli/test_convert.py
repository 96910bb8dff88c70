"""`llmrank convert`: the files of other recall stages become candidate files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from llmrank.cli.convert import convert
from llmrank.errors import InputError


def test_a_trec_run_gets_titles_scores_and_what_is_relevant(tmp_path: Path) -> None:
    (tmp_path / "run.trec").write_text("7 Q0 b 2 0.5 bm25\n7 Q0 a 1 0.9 bm25\n")
    (tmp_path / "items.csv").write_text('item_id,title\na,"Matrix, The (1999)"\nb,Alien\n')
    (tmp_path / "qrels").write_text("7 0 b 1\n")
    arguments = [
        str(tmp_path / "run.trec"), "--from", "trec", "--items", str(tmp_path / "items.csv"), "--qrels",
        str(tmp_path / "qrels"), "-o", str(tmp_path / "out.jsonl"),
    ]  # fmt: skip
    ran = CliRunner().invoke(convert, arguments, catch_exceptions=False)
    assert ran.exit_code == 0 and "1 Cases have an empty history" in ran.output
    row = json.loads((tmp_path / "out.jsonl").read_text())
    assert [(item["title"], item["score"]) for item in row["candidates"]] == [
        ("Matrix, The (1999)", 0.9),
        ("Alien", 0.5),
    ]
    assert row["relevant"] == ["b"]
    with pytest.raises(InputError, match="--force"):
        CliRunner().invoke(convert, arguments, catch_exceptions=False)


def test_llmrank_lists_of_real_users(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    games = shared_data("LLMRank") / "Games-6k"
    arguments = [str(games / "Games-6k.sasrec"), "--from", "lists", "--items", str(games / "Games-6k.item")]
    arguments += ["--histories", str(games / "Games-6k.test.inter"), "-o", str(tmp_path / "games.parquet")]
    ran = CliRunner().invoke(convert, arguments, catch_exceptions=False)
    assert ran.exit_code == 0 and "6,000 Cases" in ran.output
