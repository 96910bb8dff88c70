"""A plan from Python and from the command line: the very Cases of `eval`, and nothing asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import llmrank as lr
from llmrank.data.candidate_writing import write_cases
from llmrank.errors import InputError
from llmrank.types import Case, Item
from tests.cli.command import run as run_command
from tests.run.making import case

CASES = [case(f"u{user:02}") for user in range(60)]


def test_the_command_prints_the_plan_of_the_cases_that_eval_would_take(tmp_path: Path) -> None:
    write_cases(tmp_path / "cases.parquet", CASES)
    plan = ("eval", "--plan", "--data", "cases.parquet", "--users", "30")
    ran = run_command(tmp_path, *plan, "--detect", "0.1", "--detect", "0.2")
    assert ran.returncode == 0, ran.stderr
    found = lr.plan(str(tmp_path / "cases.parquet"), users=30, detect=(0.1, 0.2), progress=False)
    assert ran.stdout == f"{found}\n" and [path.name for path in tmp_path.iterdir()] == ["cases.parquet"]
    assert (found.users, found.available) == (30, 60) and "30 users of 60" in ran.stdout
    assert [one.spread.like for one in found] == ["random order", "popularity"]
    as_json = json.loads(run_command(tmp_path, *plan, "--json", "--measures", "HR@5").stdout)
    assert as_json["measure"] == "HR@5" and as_json["differences"] == [0.005, 0.01, 0.02, 0.05]


def test_users_whose_truth_is_not_known_are_no_users_to_be_had(tmp_path: Path) -> None:
    write_cases(
        tmp_path / "cases.parquet", [replace(one, relevant=()) if at % 3 else one for at, one in enumerate(CASES)]
    )
    found = lr.plan(str(tmp_path / "cases.parquet"), users=0, detect=0.1, progress=False)
    assert (found.users, found.available) == (20, 20) and "all 60 users" not in str(found)


def test_a_finished_run_lends_its_spread(tmp_path: Path) -> None:
    run = lr.evaluate(CASES, ranker="random", out=tmp_path / "mine", progress=False)
    found = lr.plan(CASES, like=run, detect=0.1, progress=False)
    detectable = run.metrics["NDCG@10"].versus["recall_order"].detectable
    assert [one.detectable for one in found] == pytest.approx([detectable])
    assert str(lr.plan(CASES, like=tmp_path / "mine", detect=0.1, progress=False)) == str(found)
    assert "random on cases" in str(found) and "mine" in str(found)


def test_what_is_no_plan_is_refused(tmp_path: Path) -> None:
    ran = run_command(tmp_path, "eval", "--detect", "0.1")
    assert ran.returncode == 2 and "--plan" in ran.stderr
    rating = [Case(f"u{user}", (), target=Item("i", "Film"), rating=3.0) for user in range(3)]
    with pytest.raises(InputError, match="have no recall order"):
        lr.plan(rating, ranker="global_mean", progress=False)
    with pytest.raises(InputError, match="field 'detect': expected a number, got 'big'"):
        lr.plan(rating, ranker="random", detect="big", progress=False)  # pyright: ignore[reportArgumentType]
