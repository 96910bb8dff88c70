"""What the ranking measures are worth: against other libraries, against all permutations, and as properties."""

import itertools
import random

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from llmrank import stats
from llmrank.measures import HR, MAP, MRR, NDCG, Judgements, Precision, Recall
from llmrank.measures.judgements import JudgedCase
from llmrank.types import Ranking
from tests.measures.arrays import judged_arrays

CUTOFFS = (1, 3, 5, 10, 20)
EVERY = [cls(k) for cls in (HR, Recall, Precision, NDCG, MRR, MAP) for k in CUTOFFS] + [MRR(), MAP()]
THEIRS = {
    HR: ir_measures.Success,
    Recall: ir_measures.R,
    Precision: ir_measures.P,
    NDCG: ir_measures.nDCG,
    MRR: ir_measures.RR,
    MAP: ir_measures.AP,
}
Case = tuple[list[bool], int]
strict_cases = st.lists(
    st.tuples(st.lists(st.booleans(), min_size=1, max_size=25), st.integers(0, 4)).filter(lambda c: any(c[0]) or c[1]),
    min_size=1,
    max_size=6,
)
"""Each: the relevance of the candidates in ranked order, and how many more relevant ids the recall stage missed."""
tied_case = st.tuples(
    st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=6), st.integers(0, 2)
).filter(lambda c: any(hit for _, hit in c[0]))


def judged(order, relevant, **how) -> Judgements:
    return Judgements.from_rankings([Ranking(tuple(order), **how)], [relevant])


@settings(max_examples=60, deadline=None)
@given(strict_cases)
def test_without_ties_they_agree_with_trec_eval(cases):
    rankings, relevant, run, qrels = [], [], {}, {}
    for case, (hits, missed) in enumerate(cases):
        order = [f"d{i}" for i in range(len(hits))]
        rankings.append(Ranking(tuple(order)))
        relevant.append([d for d, hit in zip(order, hits, strict=True) if hit] + [f"m{i}" for i in range(missed)])
        run[str(case)] = {d: float(-i) for i, d in enumerate(order)}
        qrels[str(case)] = dict.fromkeys(relevant[-1], 1)
    judgements = Judgements.from_rankings(rankings, relevant)
    theirs = {m: THEIRS[type(m)] if m.k is None else THEIRS[type(m)] @ m.k for m in EVERY}
    wanted = {(m.measure, m.query_id): m.value for m in ir_measures.iter_calc(theirs.values(), qrels, run)}
    for measure, their in theirs.items():
        for case, value in enumerate(measure.per_case(judgements)):
            assert value == pytest.approx(wanted[their, str(case)], abs=1e-9), measure


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=25), st.sampled_from(CUTOFFS))
def test_with_ties_ndcg_agrees_with_scikit_learn(items, k):
    scores, hits = (np.array([column], float) for column in zip(*items, strict=True))
    judgements = judged_arrays(hits.astype(bool), scores)
    if hits.any():
        assert NDCG(k).value(judgements) == pytest.approx(ndcg_score(hits, scores, k=k), abs=1e-9)
    else:
        assert np.isnan(NDCG(k).value(judgements))


@settings(max_examples=40, deadline=None)
@given(tied_case, st.sampled_from([1, 2, 3, 4, 6, 9, None]))
def test_with_ties_they_are_the_mean_and_the_bounds_over_all_ways_of_breaking_them(case, k):
    items, missed = case
    relevant = [str(i) for i, (_, hit) in enumerate(items) if hit] + [f"missed {i}" for i in range(missed)]
    order = sorted(range(len(items)), key=lambda i: -items[i][0])
    blocks = [list(block) for _, block in itertools.groupby(order, key=lambda i: items[i][0])]
    ways = itertools.product(*(itertools.permutations(block) for block in blocks))
    broken = [Ranking(tuple(map(str, itertools.chain(*way)))) for way in ways]
    every = Judgements.from_rankings(broken, [relevant] * len(broken))
    tied = judged(map(str, order), relevant, scores=tuple(float(items[i][0]) for i in order))
    for cls in (HR, Recall, Precision, NDCG, MRR, MAP):
        if k is None and cls.needs_cutoff:
            continue
        values = cls(k).per_case(every)
        assert cls(k).value(tied) == pytest.approx(values.mean(), abs=1e-9), cls
        assert cls(k).value(tied.worst()) == pytest.approx(values.min(), abs=1e-9), cls
        assert cls(k).value(tied.best()) == pytest.approx(values.max(), abs=1e-9), cls


def test_hit_rate_in_a_cut_tie_group_is_hypergeometric():
    tied = judged(map(str, range(10)), ["0", "1", "2"], named=0)
    for m in range(1, 11):
        missed = np.prod([(10 - m - j) / (10 - j) for j in range(3)]) if m <= 7 else 0
        assert HR(m).value(tied) == pytest.approx(1 - missed)


@pytest.mark.parametrize(("k", "ndcg"), [(1, 0.0500), (5, 0.1474), (10, 0.2272), (20, 0.3520)])
def test_chance_with_one_relevant_among_twenty(k, ndcg):
    chance = judged(map(str, range(20)), ["7"]).random()
    assert round(NDCG(k).value(chance), 4) == ndcg
    assert HR(k).value(chance) == pytest.approx(k / 20)
    assert MRR().value(chance) == pytest.approx(np.mean(1 / np.arange(1, 21)))


@settings(deadline=None)
@given(strict_cases)
def test_a_method_that_says_nothing_scores_exactly_as_chance(cases):
    orders = [tuple(map(str, range(len(hits)))) for hits, _ in cases]
    relevant = [
        [str(i) for i, hit in enumerate(hits) if hit] + [f"m{i}" for i in range(missed)] for hits, missed in cases
    ]
    constant = Judgements.from_rankings([Ranking(o, tuple(1.0 for _ in o)) for o in orders], relevant)
    silent = Judgements.from_rankings([Ranking(o, named=0) for o in orders], relevant)
    strict = Judgements.from_rankings([Ranking(o) for o in orders], relevant)
    for measure in EVERY:
        chance = measure.per_case(strict.random())
        np.testing.assert_array_equal(measure.per_case(constant), chance)
        np.testing.assert_array_equal(measure.per_case(silent), chance)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=15), st.randoms(use_true_random=False)
)
def test_neither_input_order_nor_item_names_matter(items, rng: random.Random):
    def per_case(names):
        order = sorted(names, key=lambda name: -items[names[name]][0])
        scores = tuple(float(items[names[name]][0]) for name in order)
        judgements = judged(order, [name for name in order if items[names[name]][1]], scores=scores)
        return [measure.per_case(judgements)[0] for measure in EVERY]

    plain = {f"a{i}": i for i in range(len(items))}
    shuffled = rng.sample(range(len(items)), len(items))
    np.testing.assert_array_equal(per_case(plain), per_case({f"{rng.random()} {i}": i for i in shuffled}))


@settings(deadline=None)
@given(strict_cases)
def test_each_lies_between_its_bounds_and_under_the_ceiling(cases):
    rankings = [Ranking(tuple(map(str, range(len(hits)))), named=len(hits) // 2) for hits, _ in cases]
    relevant = [[str(i) for i, h in enumerate(hits) if h] + [f"m{i}" for i in range(m)] for hits, m in cases]
    judgements = Judgements.from_rankings(rankings, relevant)
    for measure in EVERY:
        worst, value, best, ceiling = (
            measure.per_case(j) for j in (judgements.worst(), judgements, judgements.best(), judgements.oracle())
        )
        for low, high in itertools.pairwise([np.zeros(len(cases)), worst, value, best, ceiling, np.ones(len(cases))]):
            assert (low <= high + 1e-12).all(), measure


def test_many_relevant_in_a_long_tie_group_stay_exact():
    n, r = 3_000, 400
    tied = judged(map(str, range(n)), map(str, range(r)), named=0)
    rng = np.random.default_rng(0)
    ranks = np.sort(np.argsort(rng.random((4_000, n)), axis=1)[:, :r], axis=1) + 1
    assert MRR().value(tied) == pytest.approx((1 / ranks[:, 0]).mean(), abs=0.01)
    assert MAP().value(tied) == pytest.approx((np.arange(1, r + 1) / ranks).mean(), abs=0.001)
    assert HR(5).value(tied) == pytest.approx((ranks[:, 0] <= 5).mean(), abs=0.03)


def _strict(places: list[int | None], n: int) -> Judgements:
    """Return Cases of n candidates with the one relevant item at these places (from 0), or not among them (None)."""
    return Judgements.of(
        JudgedCase(1, n, True, () if place is None else ((place, 1, 1),), () if place is None else (1.0,), (1.0,))
        for place in places
    )


def test_no_hit_of_few_users_is_no_proof_of_being_worse_than_chance() -> None:
    never_first = _strict([3, 7, 12, None] * 10, 20)
    found = HR(1).difference(never_first, never_first.random())
    # 30 lists of 20: chance itself has no hit in .95 ** 30 = 21% of samples.
    assert found.p > 0.2 and found.low <= found.difference < 0 < found.high
    always_first = _strict([0, 0, 0, None] * 10, 20)
    assert HR(1).difference(always_first, always_first.random()).p < 0.001


def test_chance_minus_a_method_is_the_method_minus_chance_turned_around() -> None:
    method = _strict([0, 3, 3, None, 1] * 10, 20)
    there, back = HR(3).difference(method, method.random()), HR(3).difference(method.random(), method)
    assert (back.difference, back.ci95, back.p) == (-there.difference, (-there.high, -there.low), there.p)
    assert (back.higher, back.lower, back.effect_size) == (there.lower, there.higher, -there.effect_size)
    assert np.isnan([there.p_t, back.p_t]).all()


def _drawn(rng: np.random.Generator, users: int) -> Judgements:
    """Return lists of 50 in random order, half of them without a relevant item."""
    return _strict([int(place) if place < 50 else None for place in rng.integers(0, 100, users)], 50)


def test_random_orders_seldom_differ_from_chance() -> None:
    rng, rejected, missed = np.random.default_rng(40), 0, 0
    for _ in range(100):
        drawn = _drawn(rng, 40)
        found = NDCG(10).difference(drawn, drawn.random())
        rejected += found.p < 0.05
        missed += not found.low <= 0 <= found.high
    # The signs alone reject 12 of 100 with 40 users.
    assert rejected <= 9 and missed <= 11


def test_many_cases_are_compared_with_chance_as_few_are(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = _drawn(np.random.default_rng(0), 1_000)
    many = NDCG(10).difference(drawn, drawn.random())
    monkeypatch.setattr(stats, "MANY_CASES", 10_000)
    assert NDCG(10).difference(drawn, drawn.random()).p == pytest.approx(many.p, abs=0.02)


def test_the_difference_of_graded_lists_from_chance() -> None:
    best = [JudgedCase(3, 10, True, ((0, 1, 1), (1, 1, 1)), (3.0, 1.0), (3.0, 2.0, 1.0))] * 12
    worst = [JudgedCase(3, 10, True, ((8, 1, 1), (9, 1, 1)), (1.0, 3.0), (3.0, 2.0, 1.0))] * 12
    for cases, better in ((best, True), (worst, False)):
        judged = Judgements.of(cases)
        found = NDCG(10).difference(judged, judged.random())
        assert found.p < 0.01 and (found.difference > 0) == better
    assert NDCG(10).difference(Judgements.of(best[:6] + worst[:6]), Judgements.of(best).random()).p > 0.05


def test_random_orders_are_drawn_once_for_all_measures() -> None:
    judged = Judgements.from_rankings([Ranking(("a", "b", "c"))], [("b",)])
    chance = judged.random()
    assert chance.orders() is chance.orders()
    assert chance.random().orders() is not chance.orders(), "other Judgements have their own"
