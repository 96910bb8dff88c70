"""Cost against quality: the unit is one that all Runs have, and the front is what no other Run beats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from llmrank.engine import CaseResult, Exchange
from llmrank.errors import InputError
from llmrank.run import CaseRecord, Run, RunFolder, compare, pareto
from llmrank.run.metrics import metrics
from llmrank.run.pareto import ParetoPoint
from llmrank.types import Case, Ranking, Response, Usage
from tests.run.making import SETTINGS, case, how, make_run, shuffled

CASES = [replace(case(f"u{user}"), relevant=()) for user in range(20)]
CASES = [replace(one, relevant=(one.candidates[at % 5].item_id,)) for at, one in enumerate(CASES)]


def made(
    path: Path, lifted: int, tokens: int | None, *, seconds: float = 0.5, cost: tuple[float, str] | None = None
) -> Run:
    """Make a Run that puts the relevant item of so many users first; `tokens` None: it asks no model."""
    with RunFolder(path, SETTINGS) as folder:
        folder.keep_inputs(CASES, how())
        for at, one in enumerate(CASES):
            order = [item.item_id for item in one.candidates]
            order.sort(key=lambda item_id, one=one: item_id not in one.relevant, reverse=at >= lifted)
            folder.add(_record(one, order, tokens, seconds))
        found = metrics(CASES, folder.records, how())
        if cost is not None:
            usage = replace(found.usage, cost=cost[0], currency=cost[1], prices_dated="2026-11-01")
            found = replace(found, usage=usage)
        folder.finish(found, {"calls": len(CASES)})
    return Run(path)


def _record(one: Case, order: list[str], tokens: int | None, seconds: float) -> CaseRecord:
    usage = Usage(tokens or 0, completion_tokens=20 if tokens else 0)
    asked = () if tokens is None else (Exchange("key", Response("an answer", usage=usage), stored=False),)
    return CaseRecord.of(CaseResult(one, Ranking(tuple(order)), asked, seconds=seconds), {})


def test_the_front_is_what_no_other_run_beats(tmp_path: Path) -> None:
    free, dear, worse, same = (
        made(tmp_path / name, lifted, tokens)
        for name, lifted, tokens in (("free", 5, None), ("dear", 15, 300), ("worse", 10, 400), ("same", 15, 300))
    )
    found = pareto(free, dear, worse, same)
    assert (found.unit, found.measure, found.cases) == ("tokens per Case", "NDCG@10", 20)
    assert [(one.name, one.cost, one.on_front) for one in found] == [
        ("free", 0, True), ("dear", 320, True), ("worse", 420, False), ("same", 320, True),
    ]  # fmt: skip
    for one, run in zip(found, (free, dear, worse, same), strict=True):
        assert one.value == run.metrics["NDCG@10"].value and one.ci95 == run.metrics["NDCG@10"].ci95
    assert "yes" in str(found) and "NDCG@10 (higher is better)" in str(found)


def test_money_counts_where_all_that_ask_have_a_price_in_one_currency(tmp_path: Path) -> None:
    priced, other = (made(tmp_path / name, 15, 300, cost=(0.4, "USD")) for name in ("priced", "other"))
    free = made(tmp_path / "free", 5, None)
    found = pareto(priced, other, free)
    assert found.unit == "USD per 1,000 Cases"
    assert [one.cost for one in found] == [pytest.approx(20), pytest.approx(20), 0]
    assert "Cost per 1,000 Cases: priced 20.0000 USD, free 0.0000 USD." in compare(priced, free).notes()
    assert "Cost" not in str(compare(priced, made(tmp_path / "dollars", 15, 300)))
    assert pareto(priced, made(tmp_path / "euro", 15, 300, cost=(0.4, "EUR"))).unit == "tokens per Case"
    assert pareto(priced, made(tmp_path / "unknown", 15, 300)).unit == "tokens per Case"


def test_cases_without_a_known_truth_are_not_counted(tmp_path: Path) -> None:
    cases = [case(f"u{user}") for user in range(6)]
    cases[0] = replace(cases[0], relevant=())
    runs = [make_run(tmp_path / f"{seed}", cases, [shuffled(one, seed) for one in cases]) for seed in range(2)]
    assert "of the 5 Cases with a known truth that all Runs have." in pareto(*runs).notes()[0]


def test_seconds_count_where_an_endpoint_says_no_tokens(tmp_path: Path) -> None:
    silent, asked = made(tmp_path / "silent", 15, 0, seconds=2.0), made(tmp_path / "asked", 5, 300)
    found = pareto(silent, asked)
    assert found.unit == "seconds per Case" and [one.cost for one in found] == [2.0, 0.5]


def test_what_an_answer_from_a_file_took_is_not_known(tmp_path: Path) -> None:
    given, asked = made(tmp_path / "given", 15, 0, seconds=0.0), made(tmp_path / "asked", 5, 300)
    found = pareto(given, asked)
    assert [(one.cost, one.on_front) for one in found] == [(None, False), (0.5, True)]


def test_a_measure_can_be_named_and_lower_may_be_better(tmp_path: Path) -> None:
    runs = [made(tmp_path / name, lifted, 300) for name, lifted in (("a", 5), ("b", 15))]
    assert pareto(*runs, measure="HR@1").measure == "HR@1"
    with pytest.raises(InputError, match="NDGC"):
        pareto(*runs, measure="NDGC@10")
    from llmrank.run.pareto import _on_front

    low, high = ParetoPoint("low", 0.9, None, 1.0), ParetoPoint("high", 1.1, None, 1.0)
    assert _on_front(low, [low, high], lower_is_better=True) and not _on_front(low, [low, high], lower_is_better=False)
