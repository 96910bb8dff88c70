"""A plan keeps its word: with so many users, so large a difference is found in four of five evaluations."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from llmrank import stats
from llmrank.errors import InputError
from llmrank.measures import Judgements, RankingMeasure, parse_measure
from llmrank.rankers.baselines import Random, RecallOrder
from llmrank.run.metrics import ranked_by
from llmrank.run.plan import Plan, Spread, spread_of_rankers, spread_of_run, users_of
from llmrank.types import Case
from tests.run.making import case, make_run, shuffled

NDCG = parse_measure("NDCG@10")
assert isinstance(NDCG, RankingMeasure)
MEASURE: RankingMeasure = NDCG


def users_with_cases(users: int, most: int) -> list[Case]:
    """Users with 1 to `most` Cases each."""
    return [case(f"u{user}", case_id=f"{user}-{at}") for user in range(users) for at in range(user % most + 1)]


def planned(*spreads: Spread, detect: float = 0.01, users: int = 40, available: int = 943) -> Plan:
    return Plan.of(MEASURE, spreads, [detect], evaluation="full", users=users, available=available)


@pytest.mark.parametrize(("most", "detect"), [(1, 0.1), (1, 0.03), (3, 0.05)])
def test_with_the_users_planned_the_difference_is_found_in_four_of_five_evaluations(most: int, detect: float) -> None:
    everyone = users_with_cases(1_000, most)
    spread = spread_of_rankers("random order", everyone, [Random(seed) for seed in range(3)], MEASURE)
    users = planned(spread, detect=detect).columns[0].users_needed[0]
    # A method that differs from recall order as another random order does, and is better by the difference planned for.
    method, recalled = (
        MEASURE.per_case(Judgements.from_cases(ranked_by(everyone, ranker), everyone))
        for ranker in (Random(99), RecallOrder())
    )
    sums, counts = stats.by_cluster(method - recalled, stats.clusters_of(one.user_id for one in everyone))
    sums += (detect - sums.sum() / counts.sum()) * counts
    draw = np.random.default_rng(0)
    drawn = [draw.integers(0, len(sums), users) for _ in range(2_000)]
    found = [stats.paired_t(sums[which], counts[which])[0] < 0.05 for which in drawn]
    assert np.mean(found) == pytest.approx(0.8, abs=0.04)


def test_the_columns_hold_the_formula_and_the_table_says_it() -> None:
    found = planned(Spread("random order", 40, 0.2), Spread("popularity", 40, 0.0), detect=0.1)
    (column,) = found
    # t(.975) and t(.8) of 39 degrees of freedom are 2.0227 and 0.8512.
    assert column.detectable == pytest.approx((2.0227 + 0.8512) * 0.2 / math.sqrt(40), abs=1e-5)
    assert column.users_needed == (34,) and found.left_out == ("popularity",)
    text = str(found)
    for part in (
        "40 users detect",
        "all 943 users detect",
        "users to detect 0.1",
        "if it differs as random order does",
    ):
        assert part in " ".join(text.split()), text
    assert max(map(len, text.splitlines())) <= 80 and "These data have" not in text


def test_a_difference_that_needs_more_users_than_the_data_have_is_said() -> None:
    text = str(planned(Spread("random order", 40, 0.2), detect=0.01))
    assert "These data have 943 users" in " ".join(text.split()), text


def test_the_spread_of_a_run_is_that_of_its_differences(tmp_path: Path) -> None:
    cases = [
        replace(case(f"u{user}", relevant=1), relevant=()) if user == 3 else case(f"u{user}") for user in range(40)
    ]
    rankings = [shuffled(one, 1) for one in cases]
    run = make_run(tmp_path / "mine", cases, rankings)
    differences = (run.per_case("NDCG@10") - run.recall_order("NDCG@10"))[[place for place in range(40) if place != 3]]
    found = spread_of_run(run, MEASURE)
    assert (found.like, found.users, users_of(cases)) == ("mine", 39, 39)
    assert found.value == pytest.approx(differences.std(ddof=1))
    detectable = run.metrics["NDCG@10"].versus["recall_order"].detectable
    assert planned(found, users=39).columns[0].detectable == pytest.approx(detectable)


def test_what_cannot_be_planned_is_refused() -> None:
    with pytest.raises(InputError, match="the difference to detect"):
        planned(Spread("random order", 40, 0.2), detect=0)
    with pytest.raises(InputError, match="two users"):
        planned(Spread("random order", 1, math.nan), users=1)
    one = [replace(case(f"u{user}", n=1), relevant=("i1",)) for user in range(5)]
    with pytest.raises(InputError, match="no method differs"):
        planned(spread_of_rankers("random order", one, [Random()], MEASURE))
