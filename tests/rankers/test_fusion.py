from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrank.engine.driver import rank_without_model
from llmrank.errors import InputError
from llmrank.evaluation.method import MadeRanker, make_ranker
from llmrank.rankers.calibration import Calibrated, adaptive_strength
from llmrank.rankers.fusion import WEIGHTS, Fused, Fusion, choose_fusion
from llmrank.rankers.next_title import NextTitle, history_message, item_text
from llmrank.types import BaseRanker, Case, Event, Failure, Item, Outcome, Ranker, Ranking, RankingSteps, Response

ITEMS = tuple(Item(str(n), f"Film {n}") for n in range(5))
CASE = Case(
    "u", (Event(Item("9", "Matrix, The (1999)", {"genres": "Action"})),), ITEMS, (5.0, 4.0, 3.0, 2.0, 1.0), ("3",)
)
MODEL = Ranking(("4", "3", "2", "1", "0"), (-0.1, -1.0, -2.0, -3.0, -4.0))


class Fixed(BaseRanker):
    name = "fixed"

    def __init__(self, ranking: Ranking) -> None:
        self.ranking = ranking

    def rank(self, case: Case) -> RankingSteps:
        return self.ranking
        yield []  # a generator that asks nothing


def test_no_weight_is_the_model_and_all_weight_is_the_recall_order() -> None:
    assert Fusion(0.0).fuse(CASE, MODEL).order == MODEL.order
    for term in ("scores", "ranks"):
        assert Fusion(math.inf, term).fuse(CASE, MODEL).order == ("0", "1", "2", "3", "4")
        assert Fusion(1e6, term).fuse(CASE, MODEL).order == ("0", "1", "2", "3", "4")


def test_without_recall_scores_the_ranks_are_fused_whatever_the_order_shown() -> None:
    unscored = replace(CASE, recall_scores=None)
    by_rank = Fusion(100.0, "ranks").fuse(CASE, MODEL)
    for fusion in (Fusion(100.0), Fusion(100.0, "ranks")):
        assert fusion.fuse(unscored, MODEL) == by_rank
        assert rank_without_model(Fused(Fixed(MODEL), fusion), unscored) == by_rank
    assert Fusion(100.0).fuse(CASE, MODEL) != by_rank


@given(st.lists(st.floats(-50, 50), min_size=5, max_size=5), st.sampled_from(WEIGHTS))
def test_a_fused_ranking_is_a_permutation_with_falling_scores_whatever_the_order_shown(
    recall: list[float], weight: float
) -> None:
    case = replace(CASE, recall_scores=tuple(recall))
    shown = replace(case, candidates=case.candidates[::-1], recall_scores=tuple(recall[::-1]))
    for term in ("scores", "ranks"):
        fused = Fusion(weight, term).fuse(case, MODEL)
        assert sorted(fused.order) == sorted(MODEL.order) and fused.scores is not None
        assert list(fused.scores) == sorted(fused.scores, reverse=True)
        assert Fusion(weight, term).fuse(shown, MODEL).order == fused.order


def test_a_model_without_an_answer_keeps_its_outcome_and_one_without_scores_is_refused() -> None:
    failed = Ranking(("0", "1", "2", "3", "4"), named=0, outcome=Outcome.ERROR, reason="no")
    assert Fusion(1.0).fuse(CASE, failed) is failed
    with pytest.raises(InputError, match="no scores to fuse"):
        Fusion(1.0).fuse(CASE, Ranking(("0", "1", "2", "3", "4")))
    with pytest.raises(InputError, match="negative weight"):
        Fusion(-1.0)


def test_the_choice_takes_the_best_weight_and_looks_at_validation_cases_alone() -> None:
    # The value is the place of item 3: first with a middling weight only.
    case = replace(CASE, recall_scores=(0.0, 0.0, 0.0, 1.0, -1.0))
    choice = choose_fusion(
        lambda one: one.fuse_all([case], [MODEL]), lambda rankings: [-float(rankings[0].order.index("3"))]
    )
    assert choice.best.value == 0 and 0 < choice.best.fusion.weight < math.inf
    assert len(choice.curve) == 2 * len(WEIGHTS)
    # What is relevant is known to `value` alone: Cases without their truth give the same curve.
    blinded = case.blinded()
    blind = choose_fusion(
        lambda one: one.fuse_all([blinded], [MODEL]), lambda rankings: [-float(rankings[0].order.index("3"))]
    )
    assert blind == choice


def test_fused_asks_what_its_ranker_asks() -> None:
    ranker = Fused(Fixed(MODEL), Fusion(math.inf))
    assert rank_without_model(ranker, CASE).order == ("0", "1", "2", "3", "4")
    assert ranker.needs_recall_order and ranker.name == "fixed+recall"


def test_next_title_shows_lines_and_reads_the_labels() -> None:
    assert item_text(CASE.history[0].item) == "The Matrix (1999): Action"
    assert history_message(CASE.history).content == "The Matrix (1999): Action"
    steps = NextTitle().rank(CASE)
    [request] = next(steps)
    assert request.labels == tuple(f"Film {n}" for n in range(5))
    logprobs = {f"Film {n}": -abs(n - 2.2) for n in range(5)}
    with pytest.raises(StopIteration) as stop:
        steps.send([Response("", label_logprobs=logprobs)])
    assert stop.value.value.order == ("2", "3", "1", "4", "0")


def test_next_title_without_an_answer_places_nothing() -> None:
    for reply, outcome in ((Failure("gone"), Outcome.ERROR), (Response("text"), Outcome.UNPARSED)):
        steps = NextTitle().rank(CASE)
        next(steps)
        with pytest.raises(StopIteration) as stop:
            steps.send([reply])
        assert stop.value.value.outcome is outcome and stop.value.value.named == 0


class Biased(BaseRanker):
    """Likes the first place by a factor of ten, and item 3 by a factor of two."""

    name = "biased"

    def rank(self, case: Case) -> RankingSteps:
        mass = [10.0 if place == 0 else 1.0 for place in range(len(case.candidates))]
        mass = [m * (2 if item.title == "Film 3" else 1) for m, item in zip(mass, case.candidates, strict=True)]
        scored = sorted(
            zip((math.log(m / sum(mass)) for m in mass), (item.item_id for item in case.candidates), strict=True),
            reverse=True,
        )
        return Ranking(tuple(i for _, i in scored), tuple(s for s, _ in scored))
        yield []


def test_calibration_takes_off_what_the_place_alone_earns() -> None:
    assert rank_without_model(Calibrated(Biased(), 0.0), CASE).order[0] == "0"
    assert rank_without_model(Calibrated(Biased(), 1.0), CASE).order[0] == "3"
    adaptive = rank_without_model(Calibrated(Biased(), "adaptive"), CASE)
    unsure = rank_without_model(Calibrated(Biased(), 2.0), CASE)
    assert adaptive == unsure, "the two answers are spread over the candidates: the greatest strength"


def test_a_model_that_is_sure_is_hardly_calibrated() -> None:
    assert adaptive_strength([1.0, 0.0, 0.0]) == 0
    assert adaptive_strength([0.25] * 4) == 2
    share = -sum(part * math.log(part) for part in (0.97, 0.01, 0.01, 0.01)) / math.log(4)
    assert adaptive_strength([0.01, 0.97, 0.01, 0.01]) == pytest.approx(5 * share)
    assert 0 < 5 * share < 2


@given(st.lists(st.floats(1e-6, 1.0), min_size=2, max_size=30))
def test_the_adaptive_strength_lies_between_none_and_two(weights: list[float]) -> None:
    probabilities = [weight / math.fsum(weights) for weight in weights]
    assert 0 <= adaptive_strength(probabilities) <= 2


def composed(name: str, **options: Any) -> Ranker:
    made = make_ranker(name, **options)
    assert isinstance(made, MadeRanker)
    return made.ranker


def test_what_is_calibrated_is_a_logarithm_where_it_is_fused() -> None:
    alike = Ranking(MODEL.order, (math.log(0.2),) * 5)
    assert Calibrated(Fixed(alike), 1.0, log=True).log
    plain, log = (rank_without_model(Calibrated(Fixed(MODEL), 0.0, log=log), CASE) for log in (False, True))
    assert plain.scores is not None and log.scores is not None and plain.order == log.order
    assert log.scores == pytest.approx([math.log(score) for score in plain.scores])
    made = composed("first_token", calibrate=1.0, fuse=0.5)
    assert isinstance(made, Fused) and isinstance(made.ranker, Calibrated) and made.ranker.log
    alone = composed("first_token", calibrate=1.0)
    assert isinstance(alone, Calibrated) and not alone.log
