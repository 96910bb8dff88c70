import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmrank.errors import InputError
from llmrank.measures import HR, MRR, NDCG, Judgements, Recall
from llmrank.measures.judgements import scores_with_ties
from llmrank.rankers.baselines import by_score
from llmrank.types import Case, Item, Outcome, Ranking
from tests.measures.arrays import judged_arrays


def judge(ranking: Ranking, *relevant: str) -> Judgements:
    return Judgements.from_rankings([ranking], [relevant])


def groups(judgements: Judgements) -> list[tuple[int, int, int]]:
    return list(zip(judgements.above.tolist(), judgements.size.tolist(), judgements.hits.tolist(), strict=True))


def test_a_strict_order_has_no_ties():
    assert groups(judge(Ranking(("a", "b", "c")), "a", "c")) == [(0, 1, 1), (2, 1, 1)]


def test_what_was_not_named_is_one_tie_group_below_what_was():
    assert groups(judge(Ranking(tuple("abcde"), named=2), "b", "d", "e")) == [(1, 1, 1), (2, 3, 2)]


def test_equal_scores_are_tied_but_never_across_the_named_head():
    scores = (3.0, 2.0, 2.0, 1.0, 1.0)
    assert groups(judge(Ranking(tuple("abcde"), scores), "b", "c", "e")) == [(1, 2, 2), (3, 2, 1)]
    assert groups(judge(Ranking(tuple("abcde"), scores, named=2), "b", "e")) == [(1, 1, 1), (2, 3, 1)]
    assert groups(judge(Ranking(tuple("abc"), (1.0, -np.inf, -np.inf), named=1), "c")) == [(1, 2, 1)]


@pytest.mark.parametrize("named, wanted", [(None, [4, 3, 3, 1]), (2, [4, 3, 2, 2]), (0, [4, 4, 4, 4])])
def test_what_the_method_did_not_tell_apart_has_one_score(named, wanted):
    """ranx and trec_eval break ties by their own rules: a tie must reach them as one."""
    ranking = Ranking(tuple("abcd"), (3.0, 2.0, 2.0, 1.0) if named is None else None, named)
    assert list(scores_with_ties(ranking).items()) == list(zip("abcd", wanted, strict=True))


@pytest.mark.parametrize("outcome", [Outcome.UNPARSED, Outcome.ERROR])
def test_a_case_without_an_answer_counts_as_worst_whatever_its_order_says(outcome):
    judgements = judge(Ranking(tuple("abcd"), outcome=outcome), "a", "missed")
    assert MRR().per_case(judgements).tolist() == [1 / 4]
    assert MRR().per_case(judgements.worst()).tolist() == [1 / 4]
    assert MRR().per_case(judgements.best()).tolist() == [1.0]
    assert HR(3).value(judgements) == 0 and HR(4).value(judgements) == 1
    assert not judgements.answered.any()


def test_bounds_of_an_answered_case_span_the_unnamed_tail_only():
    judgements = judge(Ranking(tuple("abcde"), named=2, outcome=Outcome.REPAIRED), "d")
    assert MRR().value(judgements.best()) == 1 / 3
    assert MRR().value(judgements.worst()) == 1 / 5
    assert MRR().value(judgements) == pytest.approx((1 / 3 + 1 / 4 + 1 / 5) / 3)


def test_the_misses_of_the_recall_stage_count():
    judgements = judge(Ranking(("a", "b")), "a", "missed", "missed too")
    assert Recall(2).value(judgements) == pytest.approx(1 / 3)
    assert judgements.recalled().tolist() == [pytest.approx(1 / 3)]
    ideal = 1 + 1 / np.log2(3) + 1 / 2
    assert NDCG(10).value(judgements) == pytest.approx(1 / ideal)
    assert NDCG(1).value(judgements) == 1
    assert NDCG(10).value(judgements.oracle()) == pytest.approx(1 / ideal)


def test_a_case_whose_relevant_ids_are_all_missed_is_zero_and_an_unknown_one_has_no_value():
    judgements = Judgements.from_rankings([Ranking(("a",)), Ranking(("a",)), Ranking(())], [["x"], [], ["x"]])
    for measure in (NDCG(1), HR(1), MRR(), Recall(5)):
        np.testing.assert_array_equal(measure.per_case(judgements), [0, np.nan, 0])
        assert measure.value(judgements) == 0
    assert judgements.judged.tolist() == [True, False, True]


def test_a_repeated_relevant_id_counts_once():
    assert judge(Ranking(("a", "b")), "a", "a").relevant.tolist() == [1]


@pytest.mark.parametrize(
    "ranking",
    [
        Ranking(("a", "a")),
        Ranking(("a", "b"), (1.0,)),
        Ranking(("a", "b"), (1.0, 2.0)),
        Ranking(("a", "b"), (1.0, float("nan"))),
    ],
)
def test_a_ranking_that_cannot_be_judged_is_an_error(ranking):
    with pytest.raises(InputError, match="ranking 0"):
        judge(ranking, "a")


@settings(deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=12), min_size=1, max_size=5))
def test_arrays_and_rankings_are_judged_alike(rows):
    width = max(map(len, rows))
    relevance = np.zeros((len(rows), width), bool)
    scores = np.full((len(rows), width), np.nan)
    rankings, relevant = [], []
    for case, row in enumerate(rows):
        for column, (score, hit) in enumerate(row):
            relevance[case, column], scores[case, column] = hit, score
        order = sorted(range(len(row)), key=lambda i: -row[i][0])
        rankings.append(Ranking(tuple(map(str, order)), tuple(float(row[i][0]) for i in order)))
        relevant.append([str(i) for i, (_, hit) in enumerate(row) if hit])
    left = Judgements.from_rankings(rankings, relevant)
    right = judged_arrays(relevance, scores)
    for column in ("relevant", "candidates", "answered", "case", "above", "size", "hits"):
        np.testing.assert_array_equal(getattr(left, column), getattr(right, column), column)


@given(
    st.lists(st.tuples(st.sampled_from([-math.inf, -0.5, 0.0, 1.0, 3]), st.sampled_from([0, 1, 2])), max_size=9),
    st.booleans(),
)
def test_scores_are_judged_as_the_rankings_that_they_make(offered: list[tuple[float, int]], missed: bool) -> None:
    items = [Item(str(place), f"title {place}") for place in range(len(offered))]
    gains = {item.item_id: gain for item, (_, gain) in zip(items, offered, strict=True) if gain}
    gains |= {"not proposed": 2} if missed else {}
    case = Case("u", (), tuple(items), relevant=tuple(gains), gains=tuple(gains.values()))
    scores = [score for score, _ in offered]
    left = Judgements.from_cases([by_score(case, scores)] * 2, [case] * 2)
    right = Judgements.from_scores([scores] * 2, [case] * 2)
    for column in ("relevant", "candidates", "answered", "case", "above", "size", "hits", "gain", "ideal"):
        np.testing.assert_array_equal(getattr(left, column), getattr(right, column), column)


@pytest.mark.parametrize("scores", [[1.0], [1.0, math.nan], [math.nan, 1.0]])
def test_scores_that_cannot_be_judged_are_an_error(scores: list[float]) -> None:
    case = Case("u", (), (Item("a", "A"), Item("b", "B")), relevant=("a",))
    with pytest.raises(InputError, match="scores for Case 0"):
        Judgements.from_scores([scores], [case])


def test_arrays_without_scores_are_in_ranked_order():
    judgements = judged_arrays(np.array([[False, True], [True, False]]), relevant=np.array([2, 1]))
    assert MRR().per_case(judgements).tolist() == [0.5, 1.0]
    assert Recall(2).per_case(judgements).tolist() == [0.5, 1.0]


def test_no_cases_at_all():
    empty = Judgements.from_rankings([], [])
    assert len(empty) == 0
    for measure in (NDCG(10), HR(10), MRR()):
        assert len(measure.per_case(empty)) == 0
        assert np.isnan(measure.value(empty))
