"""Graded relevance: NDCG as trec_eval computes it, exact where there are ties; the other measures stay binary."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from llmrank.measures import HR, MRR, NDCG, Judgements, Recall
from llmrank.types import Case, Item, Outcome, Ranking

graded_case = st.tuples(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0, 1, 2])), min_size=1, max_size=5),
    st.lists(st.sampled_from([1, 2]), max_size=2),
    st.sampled_from([Outcome.OK, Outcome.OK, Outcome.ERROR]),
).filter(lambda case: any(gain for _, gain in case[0]))
"""Score and grade of each candidate, the grades of what recall missed, and how the Case ended."""
trec_case = st.tuples(
    st.lists(st.integers(0, 2), min_size=1, max_size=20), st.lists(st.integers(1, 2), max_size=3)
).filter(lambda case: any(case[0]) or bool(case[1]))


def gains_of(items: list[tuple[int, int]], missed: list[int]) -> dict[str, float]:
    gains = {str(i): float(gain) for i, (_, gain) in enumerate(items) if gain}
    return gains | {f"missed {i}": float(gain) for i, gain in enumerate(missed)}


@settings(max_examples=120, deadline=None)
@given(st.lists(graded_case, min_size=1, max_size=3), st.sampled_from([1, 2, 3, 5, 9]))
def test_every_bound_is_the_exact_one_over_all_ways_of_breaking_ties(cases: list[Any], k: int) -> None:
    rankings: list[Ranking] = []
    for items, _, outcome in cases:
        order = sorted(range(len(items)), key=lambda i: -items[i][0])
        scores = tuple(float(items[i][0]) for i in order)
        rankings.append(Ranking(tuple(map(str, order)), scores, outcome=outcome))
    together = Judgements.from_rankings(rankings, [gains_of(items, missed) for items, missed, _ in cases])
    views = {
        "value": together,
        "worst": together.worst(),
        "best": together.best(),
        "random": together.random(),
        "oracle": together.oracle(),
    }
    for number, (items, missed, outcome) in enumerate(cases):
        gains = gains_of(items, missed)
        ideal = sum(g / np.log2(p + 2) for p, g in enumerate(sorted(gains.values(), reverse=True)[:k]))

        def ndcg(orders: Iterable[Sequence[int]], gains: Any = gains, ideal: Any = ideal) -> list[float]:
            return [
                sum(gains.get(str(i), 0.0) / np.log2(p + 2) for p, i in enumerate(order[:k])) / ideal
                for order in orders
            ]

        everything = ndcg(itertools.permutations(range(len(items))))
        by_score = sorted(range(len(items)), key=lambda i: -items[i][0])
        blocks = [list(block) for _, block in itertools.groupby(by_score, key=lambda i: items[i][0])]
        ways = itertools.product(*(itertools.permutations(block) for block in blocks))
        tied = ndcg([tuple(itertools.chain(*way)) for way in ways])
        failed = outcome is Outcome.ERROR
        wanted = {
            "value": min(everything) if failed else np.mean(tied),
            "worst": min(everything) if failed else min(tied),
            "best": max(everything) if failed else max(tied),
            "random": np.mean(everything),
            "oracle": max(everything),
        }
        measured = {name: NDCG(k).per_case(view)[number] for name, view in views.items()}
        assert measured == pytest.approx(wanted, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.lists(trec_case, min_size=1, max_size=5))
def test_ndcg_is_that_of_trec_eval_and_the_other_measures_are_binary(cases: list[Any]) -> None:
    rankings: list[Ranking] = []
    run: dict[str, dict[str, float]] = {}
    qrels: dict[str, dict[str, int]] = {}
    for number, (grades, missed) in enumerate(cases):
        order = tuple(f"d{i}" for i in range(len(grades)))
        run[str(number)] = {item: float(-place) for place, item in enumerate(order)}
        qrels[str(number)] = dict(zip(order, grades, strict=True)) | {f"m{i}": grade for i, grade in enumerate(missed)}
        rankings.append(Ranking(order))
    relevant = [{item: float(grade) for item, grade in one.items() if grade} for one in qrels.values()]
    graded = Judgements.from_rankings(rankings, relevant)
    theirs = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.1,5,10"}).evaluate(run)
    for k in (1, 5, 10):
        wanted = [theirs[str(number)][f"ndcg_cut_{k}"] for number in range(len(cases))]
        assert NDCG(k).per_case(graded).tolist() == pytest.approx(wanted, abs=1e-9)
    binary = Judgements.from_rankings(rankings, [set(ids) for ids in relevant])
    for measure in (HR(5), Recall(5), MRR()):
        np.testing.assert_array_equal(measure.per_case(graded), measure.per_case(binary))
        for view in (Judgements.worst, Judgements.best, Judgements.random, Judgements.oracle):
            np.testing.assert_allclose(measure.per_case(view(graded)), measure.per_case(view(binary)), atol=1e-12)


def test_cases_bring_their_gains() -> None:
    items = (Item("a", "A"), Item("b", "B"))
    cases = [Case("1", (), items, relevant=("a", "b"), gains=(1.0, 2.0)), Case("2", (), items, relevant=("a",))]
    judged = Judgements.from_cases([Ranking(("a", "b")), Ranking(("a", "b"))], cases)
    assert NDCG(1).per_case(judged).tolist() == [0.5, 1.0]
