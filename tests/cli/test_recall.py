"""`llmrank recall`, from a data set on disk to a candidate file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import llmrank as lr
from llmrank.cli.data import describe_command
from llmrank.cli.recall import recall
from llmrank.data.candidates import read_cases
from llmrank.data.external_formats import convert_file
from llmrank.errors import InputError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "items.csv").write_text("id,title\n" + "".join(f"{i},Thing {i}\n" for i in range(12)))
    rows = [(user, (user + step * step) % 12, step) for user in range(20) for step in range(4)]
    (folder / "interactions.csv").write_text(
        "user,item,timestamp\n" + "".join(f"u{user},{item},{time}\n" for user, item, time in rows)
    )
    return folder


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(recall, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("model", ["ease", "itemknn", "popularity", "random"])
def test_it_writes_what_can_be_read_and_prints_what_is_in_it(data: Path, tmp_path: Path, model: str) -> None:
    out = tmp_path / "candidates.parquet"
    printed = json.loads(run("--data", data, "--model", model, "-k", 5, "--users", 8, "-o", out, "--json"))
    cases = list(read_cases(out))
    assert printed["rows"] == len(cases) == 8
    assert printed["recall"]["model"] == model
    assert printed["recall"]["seen_items"] == "excluded"
    found = [case.relevant[0] in {item.item_id for item in case.candidates} for case in cases]
    assert printed["measures"] == {"HR@5": sum(found) / 8, "recall@5": sum(found) / 8}
    assert all(len(case.candidates) == 5 for case in cases)
    seen = [{event.item.item_id for event in case.history} for case in cases]
    assert not any(past & {item.item_id for item in case.candidates} for past, case in zip(seen, cases, strict=True))
    assert "time split" in run("--data", data, "--model", model, "-k", 5, "-o", out, "--force")
    assert len(list(read_cases(out))) == 20


def test_it_says_that_the_users_are_a_sample_and_that_there_are_fewer(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "candidates.jsonl"
    assert "8 of 20 users, sampled with seed 3." in run("--data", data, "--users", 8, "--seed", 3, "-o", out)
    assert "30 users requested; there are only 20." in run("--data", data, "--users", 30, "-o", out, "--force")
    assert "sampled" not in run("--data", data, "-o", out, "--force")


def test_how_columns_were_understood_is_said_wherever_the_data_are_read(data: Path, tmp_path: Path) -> None:
    events = data / "interactions.csv"
    events.write_text("user,item,viewed_at\n" + "".join(f"u{i % 20},{i % 7},{10**9 + i}\n" for i in range(80)))
    note = "The column 'viewed_at' is read as the timestamp."
    assert note in run("--data", data, "-k", 5, "-o", tmp_path / "candidates.parquet")
    assert note in CliRunner().invoke(describe_command, [str(data)], catch_exceptions=False).stdout
    cases = lr.load_cases(str(data), users=5)
    assert note in cases.notes
    assert note in lr.evaluate(cases, ranker="random", out=tmp_path / "run", progress=False).metrics.notes
    (tmp_path / "proposed.csv").write_text("user,item,title\nu1,11,Thing 11\n")
    files: dict[str, Any] = {"items": data / "items.csv", "histories": events}
    assert note in convert_file(tmp_path / "proposed.csv", "table", tmp_path / "converted.parquet", **files)[1]


def test_items_shown_by_their_id_are_counted_wherever_they_are_shown(data: Path, tmp_path: Path) -> None:
    assert not any("no title" in note for note in lr.load_cases(data, users=5).notes)
    titles = ["", " ", *(f"Thing {i}" for i in range(2, 12)), ""]  # nobody met the last one, and k leaves it out
    (data / "items.csv").write_text("id,title\n" + "".join(f"{i},{title}\n" for i, title in enumerate(titles)))
    assert "3 items have no title" in run("--data", data, "-k", 5, "-o", tmp_path / "candidates.parquet")
    cases = lr.load_cases(data, k=5)
    note = "2 items have no title: the id is shown instead."
    assert note in cases.notes
    assert note in lr.evaluate(cases, ranker="random", out=tmp_path / "run", progress=False).metrics.notes

    def shows(case: lr.Case, item_id: str) -> bool:
        return item_id in {item.item_id for item in (*case.candidates, *(event.item for event in case.history))}

    part = cases.where(lambda case: shows(case, "0") and not shows(case, "1"))
    assert part.notes.count("1 item has no title: the id is shown instead.") == 1 and note not in part.notes


def test_the_same_command_writes_the_same_bytes(data: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    for out in (one, two):
        run("--data", data, "--model", "random", "--seed", 3, "-o", out)
    assert one.read_bytes() == two.read_bytes()


def test_the_help_speaks_of_data_sets_only(data: Path, tmp_path: Path) -> None:
    text = " ".join(run("--help").split())
    assert "Dataset name, folder, or hf:owner/name." in text
    assert "Candidates per user. [default: 50]" in text
    assert text.count("candidate file") == 1  # the one that is written
    (tmp_path / "cases.jsonl").write_text("{}")
    with pytest.raises(InputError, match="expected the name or folder of a dataset"):
        run("--data", tmp_path / "cases.jsonl", "-o", tmp_path / "out.jsonl")


def test_nothing_is_overwritten_and_nothing_half_written(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "candidates.jsonl"
    out.write_text("mine")
    with pytest.raises(InputError, match="overwrite=True"):
        run("--data", data, "-o", out)
    assert out.read_text() == "mine"
    for wrong in (["--model", "eese"], ["--model", "popularity", "--l2", "3"], ["--split", "last"]):
        with pytest.raises(InputError):
            run("--data", data, "-o", tmp_path / "new.jsonl", *wrong)
    assert not (tmp_path / "new.jsonl").exists()
