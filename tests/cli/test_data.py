"""`llmrank data …`, run as a person would."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from llmrank.cli.data import data
from llmrank.cli.output import show_rows
from llmrank.errors import InputError


def run(*arguments: str) -> str:
    result = CliRunner().invoke(data, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LLMRANK_CACHE", str(tmp_path))
    monkeypatch.delenv("LLMRANK_DATA", raising=False)
    rows = json.loads(run("list", "--json"))
    assert [row["name"] for row in rows] == ["ml-100k", "ml-1m", "ml-latest-small", "beauty", "books"]
    assert not any(row["fetched"] for row in rows)
    table = run("list")
    assert "ml-latest-small" in table and "1,000,209" in table
    (tmp_path / "sets" / "ml-1m").mkdir(parents=True)
    monkeypatch.setenv("LLMRANK_DATA", str(tmp_path / "sets"))
    assert [row["name"] for row in json.loads(run("list", "--json")) if row["fetched"]] == ["ml-1m"], "it is at hand"
    monkeypatch.setenv("LLMRANK_DATA", str(tmp_path / "gone"))
    assert not any(row["fetched"] for row in json.loads(run("list", "--json")))


def test_describe() -> None:
    found = json.loads(run("describe", "ml-100k", "--json"))
    assert found["ratings"] == {"1": 6110, "2": 11370, "3": 27145, "4": 34174, "5": 21201}
    assert (found["first"], found["last"]) == ("1997-09-20", "1998-04-22")
    assert (found["items_without_title"], found["items_sharing_a_title"]) == (0, 36)
    assert round(found["density"], 4) == 0.0630
    assert found["history_length"]["min"] == 20
    assert 0.75 < found["equal_timestamps"] < 0.77
    text = run("describe", "ml-100k")
    assert "100,000" in text and "GroupLens" in text


def test_describe_ones_own(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("sku,title,brand\na,Same,X\nb,Same,\nc,,\n")
    (tmp_path / "interactions.csv").write_text("user,sku\nu,a\nu,a\nv,b\n")
    found = json.loads(run("describe", str(tmp_path), "--column", "item=sku", "--json"))
    assert found["repeated_interactions"] == 1
    assert found["density"] == 2 / 6, "a pair of user and item counts once, however often it is repeated"
    assert (found["items"], found["items_with_interactions"]) == (3, 2)
    assert (found["items_without_title"], found["items_sharing_a_title"]) == (1, 2)
    assert found["attributes"] == {"brand": 1 / 3}
    assert found["ratings"] is found["first"] is found["equal_timestamps"] is None
    with pytest.raises(InputError, match="expected ROLE=NAME, got 'item'"):
        run("describe", str(tmp_path), "--column", "item")
    with pytest.raises(InputError, match="the item has two names, sku and asin"):
        run("describe", str(tmp_path), "--column", "item=sku", "--column", "item=asin")


def test_counts_above_a_million_are_written_out(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("id,title\n0,A film\n")
    events = 1_234_567
    columns = {"user": pa.repeat("0", events), "item": pa.repeat("0", events), "rating": pa.repeat(5.0, events)}
    pq.write_table(pa.table(columns), tmp_path / "ratings.parquet")
    assert "5: 1,234,567" in run("describe", str(tmp_path))


def test_ratings_of_seven_digits_stay_distinct_and_unknown_ones_are_named_so(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("id,title\n0,A film\n")
    (tmp_path / "events.csv").write_text("user,item,rating\na,0,1234567\nb,0,1234568\nc,0,\n")
    ratings = json.loads(run("describe", str(tmp_path), "--json"))["ratings"]
    assert ratings == {"1234567": 1, "1234568": 1, "unknown": 1}
    assert "1 to 1,234,568" in run("describe", str(tmp_path))


def test_names_can_be_copied_from_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    name = "amazon-all-beauty-and-personal-care"
    show_rows([{"name": name, "title": "a long title " * 5, "users": 1}], as_json=False)
    assert name in capsys.readouterr().out
