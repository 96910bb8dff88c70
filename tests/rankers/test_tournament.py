from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrank.errors import InputError
from llmrank.rankers.tournament import Tournament, dealt
from llmrank.types import Outcome, Request

from .oracle import OracleBackend, case, drive, prompt, truth

PROMPT = prompt("tourrank")


def test_a_hundred_take_thirteen_calls_a_round():
    ranker = Tournament(PROMPT, rounds=1)
    assert [sum(sizes) for sizes in ranker.stages(100)] == [100, 50, 24, 12, 6, 3]
    assert ranker.needs(100).calls == 13 and Tournament(PROMPT, rounds=10).needs(100).calls == 130


@given(n=st.integers(2, 300), size=st.integers(3, 30))
def test_groups_are_as_equal_as_can_be(n, size):
    sizes = [len(group) for group in dealt(range(n), size)]
    assert sum(sizes) == n and max(sizes) - min(sizes) <= 1 and 2 <= min(sizes) <= max(sizes) <= size


def test_rounds_run_side_by_side_and_ask_for_half_of_each_group():
    ranker = Tournament(PROMPT, group=10, rounds=3)
    _, batches = drive(ranker, case(40), OracleBackend())
    assert [len(batch) for batch in batches] == [3 * len(sizes) for sizes in ranker.stages(40)]
    for batch in batches:
        for request in batch:
            shown = request.messages[-1].content.count('"Film ')
            assert re.findall(r"select the (\d+)", request.messages[-1].content) == [str(shown // 2)]


def test_where_one_group_holds_all_points_follow_the_truth():
    one = case(20)
    ranking, _ = drive(Tournament(PROMPT, rounds=2), one, OracleBackend())
    points = dict(zip(ranking.order, ranking.scores or (), strict=True))
    inorder = [points[item_id] for item_id in truth(one)]
    assert inorder == sorted(inorder, reverse=True) and inorder[:3] == [8.0, 6.0, 4.0]


def test_a_model_that_orders_the_whole_group_passes_on_no_more_than_half():
    class Orders(OracleBackend):
        def words(self, text: str, request: Request, best_first: list[str], labels: dict[str, str]) -> str:
            return ", ".join(f"Movie {labels[title]}" for title in best_first)

    one, ranker = case(40), Tournament(PROMPT, 10)
    ranking, batches = drive(ranker, one, Orders())
    expected, asked = drive(ranker, one, OracleBackend())
    assert (ranking, batches) == (expected, asked) and sum(map(len, batches)) == ranker.needs(40).calls


def test_more_rounds_come_nearer_to_the_truth():
    def inversions(rounds: int) -> int:
        return sum(
            order[left] > order[right]
            for seed in range(8)
            for order in [drive(Tournament(PROMPT, 10, rounds), case(40, seed=seed), OracleBackend(noise=0.2))[0].order]
            for left in range(40)
            for right in range(left + 1, 40)
        )

    assert inversions(1) > inversions(4) > inversions(12)


def test_an_unreadable_group_shares_its_points():
    ranking, _ = drive(Tournament(PROMPT, rounds=1), case(4), OracleBackend(unreadable=1.0))
    assert ranking.outcome is Outcome.UNPARSED and ranking.scores is None
    seeds = [drive(Tournament(PROMPT, 10, 2), case(40, seed=s), OracleBackend(unreadable=0.3))[0] for s in range(5)]
    expected = sum(sum(size // 2 for size in sizes) for sizes in Tournament(PROMPT, 10).stages(40)) * 2
    for ranking in seeds:
        assert sum(ranking.scores or ()) == pytest.approx(expected), "every place of every stage gives one point"


def test_settings_out_of_range_are_refused():
    for settings in ({"group": 2}, {"rounds": 0}):
        with pytest.raises(InputError):
            Tournament(PROMPT, **settings)
