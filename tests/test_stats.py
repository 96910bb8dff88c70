import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from llmrank.stats import (
    RADEMACHER,
    bootstrap,
    bootstrap_p,
    clusters_of,
    detectable_difference,
    holm,
    mean_interval,
    paired_difference,
    percentile_interval,
    users_needed,
)

UNIT = (0.0, 1.0)
values_in_unit = st.lists(st.floats(0, 1), min_size=2, max_size=60).map(np.array)


@settings(deadline=None)
@given(values_in_unit)
def test_the_plain_interval_is_students(values):
    ours = mean_interval(values)
    if np.ptp(values) > 1e-6:
        theirs = scipy_stats.ttest_1samp(values, 0).confidence_interval(0.95)
        assert (ours.low, ours.high) == pytest.approx(tuple(theirs), abs=1e-9)
    assert ours.value == pytest.approx(values.mean())


@settings(deadline=None)
@given(values_in_unit)
def test_the_bounded_interval_holds_the_mean_and_stays_in_bounds(values):
    ours = mean_interval(values, bounds=UNIT)
    assert 0 <= ours.low <= ours.value + 1e-12 and ours.value <= ours.high + 1e-12 and ours.high <= 1


def test_for_a_proportion_the_bounded_interval_is_agresti_and_coulls():
    hits = np.array([1.0] * 3 + [0.0] * 97)
    ours = mean_interval(hits, bounds=UNIT)
    p = (3 + 2) / 104
    half = scipy_stats.t(99).ppf(0.975) * math.sqrt(p * (1 - p) / 104)
    assert (ours.low, ours.high) == pytest.approx((max(0, p - half), p + half))
    assert mean_interval(np.zeros(50), bounds=UNIT).high > 0.05


@pytest.mark.parametrize("users", [50, 400])
@pytest.mark.parametrize("rate", [0.02, 0.1, 0.5, 0.95])
def test_the_bounded_interval_covers_a_hit_rate_95_times_in_100(users, rate):
    rng = np.random.default_rng(0)
    samples = (rng.random((1_500, users)) < rate).astype(float)
    intervals = [mean_interval(sample, bounds=UNIT) for sample in samples]
    coverage = np.mean([i.low <= rate <= i.high for i in intervals])
    assert coverage > 0.935
    if users == 400:
        assert coverage < 0.98


def test_intervals_over_users_with_several_values_are_wider_and_cover():
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(60), 5)
    covered = []
    for _ in range(800):
        values = rng.normal(0.5, 1, 60)[clusters] + rng.normal(0, 0.2, 300)
        interval = mean_interval(values, clusters)
        covered.append((interval.low <= 0.5 <= interval.high, np.ptp((interval.low, interval.high))))
        assert interval.users == 60
    rate, width = np.mean(covered, axis=0)
    assert 0.93 < rate < 0.97
    assert width > 2 * np.ptp((mean_interval(values).low, mean_interval(values).high))


def test_every_user_once_is_no_cluster_at_all():
    values = np.random.default_rng(0).random(30)
    assert mean_interval(values, np.arange(30)) == mean_interval(values)
    assert clusters_of(["b", "a", "b"]).tolist() == [0, 1, 0]


def test_too_few_users_for_an_interval():
    assert mean_interval(np.array([0.5]), bounds=UNIT).low == 0
    assert mean_interval(np.array([0.5])).high == math.inf
    assert math.isnan(mean_interval(np.array([])).value)
    assert mean_interval(np.array([0.2, 0.4]), np.array([7, 7]), bounds=UNIT).users == 1


@settings(deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9).map(np.array))
def test_p_is_that_of_all_sign_flips(differences):
    differences = differences / 10
    ours = paired_difference(differences, np.zeros(len(differences)))
    signs = 1 - 2 * (np.arange(2 ** len(differences))[:, None] >> np.arange(len(differences)) & 1)
    exact = np.mean(np.abs(signs @ differences) >= abs(differences.sum()) - 1e-12)
    assert ours.p == pytest.approx(exact, abs=0.02)


@settings(deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=12).map(np.array))
def test_random_signs_are_as_extreme_as_the_bound_says_at_most(sizes):
    signs = 1 - 2 * (np.arange(2 ** len(sizes))[:, None] >> np.arange(len(sizes)) & 1)
    sums = np.abs(signs @ sizes)
    exact = (sums[:, None] >= sums).mean(axis=0)
    bounds = [RADEMACHER * math.erfc(one / math.sqrt(2 * (sizes**2).sum())) for one in sums]
    assert (exact <= np.array(bounds) + 1e-12).all()


def test_a_clear_difference_stays_clear_after_a_correction_for_many_tests():
    """20 Runs and five measures make 950 tests."""
    draw = np.random.default_rng(5)
    clear = paired_difference(0.5 + 0.5 * draw.random(100), 0.5 * draw.random(100))
    assert clear.p < 1e-15
    unclear = paired_difference(draw.random(100) + 0.1, draw.random(100))
    assert unclear.p > 1e-4  # an ordinary p is the share of the permutations
    replicas = bootstrap(lambda w: w @ (1 + draw.random(100)) / w.sum(axis=1), np.arange(100))
    assert bootstrap_p(replicas, 100) < 1e-15


def test_p_agrees_with_scipy_and_with_students_t():
    rng = np.random.default_rng(3)
    left, right = rng.random(300), rng.random(300)
    left += 0.04
    ours = paired_difference(left, right)
    assert ours.p == pytest.approx(scipy_stats.ttest_rel(left, right).pvalue, abs=0.015)
    theirs = scipy_stats.permutation_test(
        (left[:12], right[:12]), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=np.inf
    )
    assert paired_difference(left[:12], right[:12]).p == pytest.approx(theirs.pvalue, abs=0.015)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=80))
def test_the_paired_t_test_is_scipys(pairs):
    left, right = np.array(pairs).T
    if np.ptp(left - right) > 1e-6:
        theirs = scipy_stats.ttest_rel(left, right)
        ours = paired_difference(left, right, permutations=9)
        assert ours.p_t == pytest.approx(theirs.pvalue, abs=1e-9)
        assert ours.effect_size * math.sqrt(len(left)) == pytest.approx(theirs.statistic, rel=1e-9, abs=1e-9)
        interval = theirs.confidence_interval(0.95)
        assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_a_paired_t_test_without_variance():
    same = paired_difference(np.ones(5), np.ones(5))
    assert (same.p_t, same.effect_size, same.higher, same.equal, same.lower) == (1, 0, 0, 5, 0)
    shifted = paired_difference(np.full(5, 0.3), np.full(5, 0.1))
    assert shifted.p_t == 0 and shifted.effect_size == math.inf
    assert math.isnan(paired_difference(np.ones(1), np.zeros(1)).p_t)


def test_users_win_or_lose_as_a_whole():
    clusters = np.array([0, 0, 1, 2, 2])
    found = paired_difference(np.array([1, 0, 0.5, 0, 0]), np.array([0, 0.4, 0.5, 1, 0]), clusters)
    assert (found.higher, found.equal, found.lower, found.users) == (1, 1, 1, 3)


def test_with_equal_counts_the_clustered_t_test_is_that_of_the_users_means():
    rng = np.random.default_rng(6)
    left, right = rng.random((2, 40))
    found = paired_difference(left, right, np.repeat(np.arange(10), 4))
    means = (left - right).reshape(10, 4).mean(axis=1)
    assert found.p_t == pytest.approx(scipy_stats.ttest_1samp(means, 0).pvalue, abs=1e-9)


def test_under_the_null_both_tests_reject_five_times_in_a_hundred():
    # As on ranking measures: most users have 0 with both methods, the others a few discrete values.
    rng = np.random.default_rng(7)
    rejected = []
    for _ in range(1_000):
        left, right = rng.choice([0, 0, 0, 0.2, 0.5, 1], (2, 80))
        found = paired_difference(left, right, permutations=499)
        rejected.append((found.p <= 0.05, found.p_t <= 0.05))
    # 5% of 1,000 has a standard error of 0.7 points.
    assert np.mean(rejected, axis=0) == pytest.approx([0.05, 0.05], abs=0.021)


def test_p_is_uniform_when_there_is_no_difference():
    rng = np.random.default_rng(4)
    p = [paired_difference(*rng.random((2, 40)), permutations=499).p for _ in range(400)]
    assert scipy_stats.kstest(p, "uniform").pvalue > 0.01


def test_users_not_cases_are_flipped():
    clusters = np.repeat(np.arange(4), 50)
    left = np.ones(200)
    assert paired_difference(left, np.zeros(200)).p < 0.001
    assert paired_difference(left, np.zeros(200), clusters).p == pytest.approx(2 / 16, abs=0.02)


def test_the_bootstrap_of_a_mean_is_near_its_t_interval():
    values = np.random.default_rng(5).random(300)
    replicas = bootstrap(lambda w: w @ values / w.sum(axis=1), np.arange(300), replicas=4_000)
    low, high = percentile_interval(replicas, 300)
    assert (low, high) == pytest.approx((mean_interval(values).low, mean_interval(values).high), abs=0.005)
    assert len(replicas) == 4_000


def test_the_bootstrap_draws_whole_users():
    clusters = np.array([5, 5, 9])
    seen = bootstrap(lambda w: (w[:, 0] == w[:, 1]) & (w[:, 0] + w[:, 2] == 2), clusters, replicas=50)
    assert seen.all()
    assert len(bootstrap(lambda w: w[:, 0], np.array([], dtype=np.intp))) == 0
    assert math.isnan(percentile_interval(np.array([math.nan]), 2)[0])


def test_bootstrap_p_is_twice_the_smaller_tail():
    assert bootstrap_p(np.array([-1.0] * 2 + [1.0] * 97), 100_000) == pytest.approx(6 / 100, abs=1e-4)
    assert bootstrap_p(np.zeros(99), 50) == bootstrap_p(np.ones(99), 1) == 1


@pytest.mark.parametrize("users", [2, 5, 10])
def test_a_bootstrap_of_few_users_claims_no_more_than_student(users):
    """The plain percentiles reject what is true in 42% of samples of two users, and in 11% of those of ten."""
    draw, wrong = np.random.default_rng(users), 0
    for sample in range(200):
        values = draw.normal(size=users)
        replicas = bootstrap(lambda w, v=values: w @ v / w.sum(axis=1), np.arange(users), seed=sample)
        low, high = percentile_interval(replicas, users)
        assert (bootstrap_p(replicas, users) < 0.05) <= (low >= 0 or high <= 0)
        wrong += bootstrap_p(replicas, users) < 0.05
    assert wrong <= 18
    assert math.isnan(percentile_interval(np.ones(99), 1)[0])


def test_holm_against_the_example_worked_by_hand():
    # Sorted .005 .01 .03 .04, times 4 3 2 1: .02 .03 .06 .04; the last may not fall below the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_no_correction_and_bonferroni(p):
    for raw, adjusted in zip(p, holm(p), strict=True):
        assert raw <= adjusted <= min(1.0, len(p) * raw)


@pytest.mark.parametrize("users", [10, 40, 943])
def test_a_test_finds_the_detectable_difference_in_four_of_five_samples(users: int) -> None:
    from scipy.stats import nct, t

    left, right = np.random.default_rng(users).random((2, users))
    spread = (left - right).std(ddof=1)
    detectable = detectable_difference(spread, users)
    critical = t.ppf(0.975, users - 1)
    power = 1 - nct.cdf(critical, users - 1, detectable / (spread / np.sqrt(users)))
    assert power == pytest.approx(0.8, abs=0.02)
    if users >= 15:
        assert paired_difference(left, right, permutations=9).detectable == pytest.approx(detectable)


@pytest.mark.parametrize("users", [40, 200])
def test_the_interval_of_a_difference_holds_the_truth_where_few_users_differ(users: int) -> None:
    # For one user in ten the left method is right; a plain t interval holds .1 in 88% of samples of 40.
    draw = np.random.default_rng(users)
    samples = (draw.random((2_000, users)) < 0.1).astype(float)
    found = [paired_difference(one, np.zeros(users), most=1, permutations=1) for one in samples]
    assert np.mean([one.low <= 0.1 <= one.high for one in found]) > 0.94


def test_no_difference_is_said_to_be_detectable_where_few_users_differ() -> None:
    left = np.zeros(200)
    left[:14] = 1
    assert np.isnan(paired_difference(left, np.zeros(200)).detectable)
    left[14] = 1
    assert paired_difference(left, np.zeros(200)).detectable == pytest.approx(0.0525, abs=1e-3)


def test_no_difference_is_said_to_be_detectable_where_all_users_differ_by_the_same_amount() -> None:
    assert np.isnan(paired_difference(np.full(60, 0.3), np.full(60, 0.1)).detectable)


@given(st.lists(st.floats(-1, 1).map(lambda one: round(one, 2)), min_size=1, max_size=10))
def test_where_few_users_differ_p_is_the_share_of_all_signs(differences: list[float]) -> None:
    sums = [
        sum(s * d for s, d in zip(signs, differences, strict=True))
        for signs in product((1, -1), repeat=len(differences))
    ]
    exact = np.mean([abs(one) >= abs(sum(differences)) - 1e-9 for one in sums])
    assert paired_difference(np.array(differences), np.zeros(len(differences))).p == pytest.approx(exact)


def test_with_one_user_no_difference_is_known_to_be_detectable() -> None:
    assert np.isnan(paired_difference(np.ones(1), np.zeros(1)).detectable)
    assert np.isnan(detectable_difference(1.0, 1))


def test_the_users_needed_are_the_fewest_that_detect_the_difference() -> None:
    # Normal quantiles give ((1.960 + 0.842) × 0.2 / 0.1)² = 31.4; with t's of 33 degrees of freedom it takes 34.
    assert users_needed(0.2, 0.1) == 34
    for spread, difference in ((0.2, 0.5), (0.3, 0.01), (0.0, 0.1), (1.0, 1e-4)):
        users = users_needed(spread, difference)
        assert detectable_difference(spread, users) <= difference
        assert users == 2 or detectable_difference(spread, users - 1) > difference


def test_an_interval_that_is_not_known_is_none() -> None:
    values = np.array([0.2, 0.6, 0.4])
    found = mean_interval(values)
    assert found.ci95 == (found.low, found.high)
    paired = paired_difference(values, values[::-1])
    assert paired.ci95 == (paired.low, paired.high)
    assert mean_interval(values[:0], bounds=(0.0, 1.0)).ci95 is None
    assert mean_interval(values[:1]).ci95 is None and paired_difference(values[:1], values[:1]).ci95 is None


def test_p_agrees_with_ranx():
    """Its randomisation test draws 20,000 orders of its own: the standard error of either p is below .004."""
    from ranx.statistical_tests import fisher_randomization_test, paired_student_t_test

    draw = np.random.default_rng(8)
    for shift in (0.0, 0.02, 0.05, 0.2):
        left, right = draw.random(120) + shift, draw.random(120)
        ours = paired_difference(left, right)
        randomised, _ = fisher_randomization_test(left, right, n_permutations=20_000, max_p=0.05, random_seed=3)
        student, _ = paired_student_t_test(left, right, max_p=0.05)
        assert ours.p == pytest.approx(randomised, abs=0.02)
        assert ours.p_t == pytest.approx(student, abs=1e-9)
