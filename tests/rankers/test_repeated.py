from __future__ import annotations

from dataclasses import replace
from itertools import combinations, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmrank.errors import InputError
from llmrank.rankers.listwise import Listwise
from llmrank.rankers.pointwise import Pointwise
from llmrank.rankers.repeated import AskedAgain, Repeated, combine
from llmrank.rankers.sliding_window import SlidingWindow
from llmrank.types import Outcome, Ranking

from .oracle import OracleBackend, case, drive, prompt

RANKGPT = prompt("rankgpt")


def shown(request) -> list[str]:
    return [line.split('"')[1] for line in request.messages[-1].content.splitlines() if '"Film ' in line]


def test_each_order_is_a_shuffle_of_its_own_and_all_are_asked_together():
    _, batches = drive(Repeated(Listwise(RANKGPT), 4), case(20), OracleBackend())
    [batch] = batches
    orders = {tuple(shown(request)) for request in batch}
    assert len(orders) == 4 and len({frozenset(order) for order in orders}) == 1
    assert [request.repeat for request in batch] == [0, 1, 2, 3]
    _, batches = drive(Repeated(SlidingWindow(RANKGPT), 3), case(40), OracleBackend())
    assert [len(batch) for batch in batches] == [3, 3, 3]


def test_users_and_seeds_have_other_orders():
    def first(seed: int, user: str) -> list[str]:
        return shown(drive(Repeated(Listwise(RANKGPT), 2, seed=seed), case(20, user=user), OracleBackend())[1][0][0])

    assert first(0, "u") == first(0, "u")
    assert first(0, "u") != first(1, "u") and first(0, "u") != first(0, "v")


@pytest.mark.parametrize("how", ["borda", "reciprocal_rank", "kemeny"])
def test_the_result_does_not_depend_on_the_order_that_came(how):
    ranker = Repeated(Listwise(RANKGPT), 3, how)
    rankings = [drive(ranker, case(12, seed=seed), OracleBackend(noise=0.5))[0] for seed in range(4)]
    assert len({(ranking.order, ranking.scores) for ranking in rankings}) == 1


def test_repeats_outweigh_noise():
    def wrong(repeats: int) -> int:
        orders = [
            drive(Repeated(Listwise(RANKGPT), repeats), case(15, user=str(user)), OracleBackend(noise=0.4))[0].order
            for user in range(30)
        ]
        return sum(a > b for order in orders for a, b in combinations(order, 2))

    assert wrong(1) > wrong(7)


def test_a_lost_repeat_is_counted_and_left_out():
    repaired = []
    for seed in range(6):
        one = case(10, user=str(seed))
        ranking, _ = drive(Repeated(Listwise(RANKGPT), 5), one, OracleBackend(unreadable=0.3, failures=0.2))
        repaired += [ranking] if ranking.outcome is Outcome.REPAIRED else []
    assert len(repaired) >= 4, "the seeds lose some of five answers, and seldom all or none"
    for ranking in repaired:
        assert ranking.order == tuple(sorted(ranking.order)), "those that answered agree"
        assert ranking.repairs and set(ranking.repairs) <= {"unread", "failed"}


def test_a_rating_is_asked_once():
    one = case(1)
    rated = replace(one, candidates=(), target=one.candidates[0])
    ranking, batches = drive(Repeated(Pointwise(prompt("pointwise-rating"))), rated, OracleBackend())
    assert ranking.scores == (5.0,) and len(batches) == 1


def test_the_ways_to_combine_by_hand():
    rankings = [Ranking(("a", "b", "c", "d")), Ranking(("b", "a", "d", "c")), Ranking(("b", "c", "d", "a"), named=1)]
    borda = combine(rankings, "borda")
    assert dict(zip(borda.order, borda.scores or (), strict=True)) == {"b": 8.0, "a": 6.0, "c": 2.0, "d": 2.0}
    reciprocal = combine(rankings[:2], "reciprocal_rank")
    assert dict(zip(reciprocal.order, reciprocal.scores or (), strict=True)) == {
        "a": 1.5,
        "b": 1.5,
        "c": 1 / 3 + 1 / 4,
        "d": 1 / 3 + 1 / 4,
    }
    kemeny = combine([Ranking(("b", "a", "d", "c"), named=2)] * 2, "kemeny")
    assert kemeny.order[:2] == ("b", "a") and kemeny.named == 2


def distance(order, rankings) -> int:
    place = [{item: at for at, item in enumerate(ranking.order)} for ranking in rankings]
    return sum(one[b] < one[a] for one in place for a, b in combinations(order, 2))


@settings(deadline=None)
@given(st.lists(st.permutations("abcde"), min_size=1, max_size=6))
def test_kemeny_is_never_farther_than_borda_and_no_move_improves_it(orders):
    rankings = [Ranking(tuple(order)) for order in orders]
    found = combine(rankings, "kemeny").order
    cost = distance(found, rankings)
    assert cost <= distance(combine(rankings, "borda").order, rankings)
    for item in found:
        rest = [other for other in found if other != item]
        assert all(cost <= distance([*rest[:at], item, *rest[at:]], rankings) for at in range(5))
    majority = {
        (a, b): sum(order.index(a) < order.index(b) for order in orders) * 2 > len(orders)
        for a, b in permutations("abcde", 2)
    }
    for order in permutations("abcde"):
        if all(majority[pair] for pair in combinations(order, 2)):
            assert found == order, "a Condorcet order is the nearest"


def test_settings_out_of_range_are_refused():
    with pytest.raises(InputError, match="did you mean 'borda'"):
        Repeated(Listwise(RANKGPT), 2, "bordo")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="field 'repeats'"):
        Repeated(Listwise(RANKGPT), 0)


def test_another_draw_asks_the_same_and_no_repeat_twice():
    repeated = Repeated(Listwise(RANKGPT), 3)
    draws = [drive(AskedAgain(repeated, draw), case(12), OracleBackend())[1][0] for draw in (1, 2, 3)]
    assert [request.repeat for batch in draws for request in batch] == [0, 1, 2, 1000, 1001, 1002, 2000, 2001, 2002]
    assert [[request.messages for request in batch] for batch in draws] == 3 * [[one.messages for one in draws[0]]]
    assert AskedAgain(repeated, 2).needs(12) == repeated.needs(12) and AskedAgain(repeated, 2).name == repeated.name
