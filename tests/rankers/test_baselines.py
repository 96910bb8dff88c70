import random
from collections import Counter
from dataclasses import replace

import pytest

from llmrank.errors import InputError
from llmrank.measures import MRR, Judgements
from llmrank.rankers.baselines import (
    MeanRating,
    Oracle,
    Popularity,
    Random,
    RatingMeans,
    RecallOrder,
    Scored,
)
from llmrank.types import Case, Event, Item, Outcome, Ranking

ITEMS = {name: Item(name, name.upper()) for name in "abcde"}


def case(user="u", candidates="abcd", *, history="", scores=None, relevant=(), **rest) -> Case:
    events = tuple(Event(ITEMS[name], 3.0) for name in history)
    return Case(user, events, tuple(ITEMS[name] for name in candidates), scores, tuple(relevant), **rest)


def finished(ranker, case: Case) -> Ranking:
    """Run a ranker that asks nobody: its generator must return before it yields."""
    with pytest.raises(StopIteration) as stop:
        next(ranker.rank(case))
    return stop.value.value


@pytest.mark.parametrize("ranker", [Random(), Popularity({"a": 1}), RecallOrder(), Oracle()], ids=lambda r: r.name)
def test_each_returns_every_candidate_once(ranker):
    for candidates in ("", "a", "dcba"):
        ranking = finished(ranker, case(candidates=candidates))
        assert sorted(ranking.order) == sorted(candidates)
        assert ranking.outcome is Outcome.OK
        assert ranking.scores is None or len(ranking.scores) == len(candidates)


def test_random_is_seeded_by_user_alone():
    first = finished(Random(7), case())
    assert finished(Random(7), case(candidates="dbca")).order == first.order
    expected = list("abcd")
    random.Random("7:u").shuffle(expected)
    assert list(first.order) == expected
    assert len({finished(Random(7), case(str(user))).order for user in range(300)}) == 24
    assert {finished(Random(seed), case()).order for seed in range(50)} != {first.order}


def test_random_puts_the_target_anywhere():
    places = Counter(finished(Random(), case(str(user))).order.index("c") for user in range(4_000))
    assert sum((n - 1_000) ** 2 / 1_000 for n in places.values()) < 16.3  # chi-square, 3 degrees, p = .001


def test_popularity_ties_equal_counts():
    ranking = finished(Popularity({"a": 2, "b": 5, "d": 2}), case())
    assert ranking == Ranking(("b", "a", "d", "c"), (5.0, 2.0, 2.0, 0.0))
    judgements = Judgements.from_rankings([ranking], [["d"]])
    assert MRR().value(judgements) == pytest.approx((1 / 2 + 1 / 3) / 2)


def test_recall_order_by_score_whatever_order_is_shown():
    assert finished(RecallOrder(), case()).order == tuple("abcd")
    shown = case(candidates="dbca", scores=(0.1, 0.9, 0.9, 0.2))
    assert finished(RecallOrder(), shown) == Ranking(tuple("bcad"), (0.9, 0.9, 0.2, 0.1))


def test_only_the_oracle_sees_labels():
    judged = case(relevant="ce")
    assert finished(Oracle(), judged) == Ranking(tuple("cabd"), (1.0, 0.0, 0.0, 0.0))
    assert Oracle().sees_truth
    graded = replace(judged, relevant=("c", "d"), gains=(1.0, 3.0))
    assert finished(Oracle(), graded) == Ranking(tuple("dcab"), (3.0, 1.0, 0.0, 0.0))
    for ranker in (Random(), Popularity({}), RecallOrder()):
        assert not ranker.sees_truth
        assert finished(ranker, judged) == finished(ranker, judged.blinded())


def test_the_three_means():
    means = RatingMeans.of([("u", "a", 5.0), ("u", "b", 4.0), ("v", "b", 1.0)])
    target = case("u", "", target=ITEMS["b"])
    assert finished(MeanRating(means, "global_mean"), target) == Ranking(("b",), (pytest.approx(10 / 3),))
    assert finished(MeanRating(means, "item_mean"), target).scores == (2.5,)
    assert finished(MeanRating(means, "user_mean"), target).scores == (4.5,)


def test_the_means_fall_back():
    means = RatingMeans.of([("v", "b", 1.0), ("v", "a", 4.0)])
    stranger = case("u", "", history="ab", target=ITEMS["e"])
    assert finished(MeanRating(means, "item_mean"), stranger).scores == (2.5,)
    assert finished(MeanRating(means, "user_mean"), stranger).scores == (3.0,)
    assert finished(MeanRating(means, "user_mean"), case("u", "", target=ITEMS["e"])).scores == (2.5,)
    assert finished(MeanRating(means, "global_mean"), case()).outcome is Outcome.ERROR


def test_there_are_no_means_without_ratings():
    with pytest.raises(InputError, match="no ratings"):
        RatingMeans.of([])


def test_scores_from_before_the_run_follow_their_items_whatever_the_order_shown():
    cases = [case("u", "abc"), case("v", "cb"), Case("w", (), target=ITEMS["a"])]
    ranker = Scored.of("sasrec", cases, [(0.1, 0.3, float("-inf")), (2.0, 2.0), (3.5,)])
    assert ranker.name == "sasrec"
    assert finished(ranker, case("u", "cab")) == Ranking(("b", "a", "c"), (0.3, 0.1, float("-inf")))
    assert finished(ranker, case("v", "bc")).scores == (2.0, 2.0)
    assert finished(ranker, cases[2]) == Ranking(("a",), (3.5,))
    with pytest.raises(ValueError, match="zip"):
        Scored.of("sasrec", cases[:1], [(0.1, 0.3)])
