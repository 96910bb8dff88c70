import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as scipy_stats

from llmrank.measures import (
    AUC,
    HR,
    MAE,
    MRR,
    NDCG,
    RMSE,
    Judgements,
    MeasureSummary,
    Ratings,
    VersusBaseline,
)
from llmrank.types import Outcome, Ranking

ABCD = tuple("abcd")


def test_value_answered_only_and_bounds_are_told_apart():
    rankings = [Ranking(ABCD), Ranking(ABCD, named=1, outcome=Outcome.REPAIRED), Ranking(ABCD, outcome=Outcome.ERROR)]
    judgements = Judgements.from_rankings(rankings, [["a"], ["c"], ["a"]])
    figures = MRR().summary(judgements)
    tail = (1 / 2 + 1 / 3 + 1 / 4) / 3
    assert figures.value == pytest.approx((1 + tail + 1 / 4) / 3)
    assert figures.answered_only == pytest.approx((1 + tail) / 2)
    assert figures.worst == pytest.approx((1 + 1 / 4 + 1 / 4) / 3)
    assert figures.best == pytest.approx((1 + 1 / 2 + 1) / 3)
    assert figures.ci95[0] < figures.value < figures.ci95[1]


def test_what_recall_missed_is_told_apart_from_what_was_ranked_badly():
    rankings = [Ranking(ABCD), Ranking(ABCD), Ranking(ABCD, outcome=Outcome.ERROR), Ranking(ABCD)]
    judged = Judgements.from_rankings(rankings, [["b"], ["missed"], ["b"], []])
    figures = MRR().summary(judged, ["u", "v", "w", "x"])
    assert judged.proposed().tolist() == [True, False, True, False]
    assert figures.value == pytest.approx((1 / 2 + 0 + 1 / 4) / 3)
    assert figures.proposed_only == pytest.approx((1 / 2 + 1 / 4) / 2)
    assert figures.proposed_only_ci95 is not None and figures.proposed_only_ci95[1] > figures.proposed_only
    assert "proposed_only" not in RMSE().summary(Ratings(*np.ones((3, 2)), (1, 5))).to_dict()


def test_unlabelled_cases_are_left_out_of_the_value_and_can_be_counted():
    judgements = Judgements.from_rankings([Ranking(ABCD)] * 3, [["a"], [], ["a"]])
    assert HR(1).summary(judgements).value == 1
    assert (~judgements.judged).sum() == 1
    nothing = HR(1).summary(Judgements.from_rankings([Ranking(ABCD)], [[]]))
    assert nothing.value is nothing.answered_only is nothing.worst is nothing.best is None


def test_the_entry_for_metrics_json():
    summary = NDCG(10).summary(Judgements.from_rankings([Ranking(ABCD)] * 5, [["a"]] * 5))
    versus = {"chance": VersusBaseline(0.5, (0.4, 0.6), 0.01, 0.02), "nothing": VersusBaseline(None, None, 1.0, 1.0)}
    summary = replace(summary, baselines={"ceiling": 0.5, "chance": None}, versus=versus)
    entry = json.loads(json.dumps(summary.to_dict(), allow_nan=False))
    assert MeasureSummary.from_dict(entry) == summary
    assert "imputed" not in entry and not entry["lower_is_better"]
    assert entry["share_of_ceiling"] == summary.share_of_ceiling == 2
    rated = Ratings(np.array([4.0, 1.0]), np.array([4.0, np.nan]), np.array([3.0, 3.0]), (1, 5))
    summary = RMSE().summary(rated)
    entry = json.loads(json.dumps(summary.to_dict(), allow_nan=False))
    assert MeasureSummary.from_dict(entry) == summary and summary.share_of_ceiling is None
    assert entry["lower_is_better"] and entry["imputed"] == pytest.approx(2**0.5)


def test_the_interval_is_over_users_not_cases():
    rankings = [Ranking(ABCD)] * 40
    judgements = Judgements.from_rankings(rankings, [["a"] if i < 20 else ["d"] for i in range(40)])
    alone = MRR().summary(judgements)
    tenfold = MRR().summary(judgements, users=[str(i // 10) for i in range(40)])
    assert tenfold.value == alone.value
    assert np.ptp(tenfold.ci95) > 2 * np.ptp(alone.ci95)


def test_compare_is_paired_and_signed():
    relevant = [["a"]] * 30
    good = Judgements.from_rankings([Ranking(ABCD)] * 30, relevant)
    bad = Judgements.from_rankings([Ranking(tuple("bacd") if i % 3 else ABCD) for i in range(30)], relevant)
    difference = MRR().difference(good, bad)
    assert difference.difference == pytest.approx(1 / 3) and difference.users == 30
    assert 0 < difference.low < difference.high and difference.p < 0.001
    assert MRR().difference(bad, good).difference == -difference.difference
    same = MRR().difference(good, good)
    # That none of 30 users differs does not show that no user does.
    assert (same.difference, same.p, same.low) == (0, 1, -same.high) and 0 < same.high < 0.1


def test_a_mean_of_ratings_has_the_tests_of_means_and_others_a_bootstrap():
    rng = np.random.default_rng(3)
    truth, left, right = rng.integers(1, 6, 60).astype(float), rng.uniform(1, 5, 60), rng.uniform(1, 5, 60)
    ours, theirs = (Ratings(truth, guess, np.full(60, 3.0), (1, 5)) for guess in (left, right))
    found = MAE().difference(ours, theirs)
    errors = np.abs(left - truth), np.abs(right - truth)
    assert found.p_t == pytest.approx(scipy_stats.ttest_rel(*errors).pvalue, abs=1e-9)
    assert (found.higher, found.lower) == ((errors[0] > errors[1]).sum(), (errors[0] < errors[1]).sum())
    squared = RMSE().difference(ours, theirs)
    assert np.isnan(squared.p_t) and (squared.higher, squared.lower) == (found.higher, found.lower)
    assert AUC().difference(ours, theirs).higher == AUC().difference(ours, theirs).lower == 0


def test_compare_ratings_draws_the_same_users_for_both():
    rng = np.random.default_rng(1)
    truth = rng.integers(1, 6, 200).astype(float)
    noise = rng.normal(0, 1, 200)
    mean = np.full(200, 3.0)
    better, worse = (Ratings(truth, truth + scale * noise, mean, (1, 5)) for scale in (0.9, 1.0))
    difference = RMSE().difference(better, worse)
    assert difference.difference == pytest.approx(-0.1 * np.sqrt((noise**2).mean()))
    assert difference.low < difference.high < 0 and difference.p < 0.01
    assert AUC().difference(better, better).p == 1


def test_everything_is_deterministic():
    rng = np.random.default_rng(2)
    rated = Ratings(rng.integers(1, 6, 50).astype(float), rng.uniform(1, 5, 50), np.full(50, 3.0), (1, 5))
    for measure in (RMSE(), AUC()):
        assert measure.summary(rated) == measure.summary(rated)


def test_a_summary_is_one_short_line_in_an_interactive_session():
    assert repr(MeasureSummary(0.123456, (0.1, 0.2), None, None, None, baselines={"random": 0.1})) == (
        "<MeasureSummary: value 0.1235, ci95 0.1000 to 0.2000>"
    )
    assert repr(MeasureSummary(None, None, None, None, None)) == "<MeasureSummary: value None, ci95 unknown>"
