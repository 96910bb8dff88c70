from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrank.errors import InputError
from llmrank.prompting import ShotPool
from llmrank.types import Case, Event, Item

from .cases import events, item


def pool(users: int = 12, ratings: bool = True) -> list[Case]:
    rating = 4.0 if ratings else None
    return [
        Case(f"u{u}", tuple(Event(item(10 * u + n), rating, float(n)) for n in range(2 + u % 4)), (item(999),))
        for u in range(users)
    ]


@given(st.integers(0, 99), st.integers(0, 11), st.sampled_from(["ranking", "rating"]), st.randoms())
def test_shots_are_other_users_past_and_do_not_depend_on_the_pools_order(
    seed: int, user: int, task: str, random: Random
):
    cases = pool()
    shuffled = random.sample(cases, len(cases))
    case = Case(f"u{user}", events(3))
    shots = ShotPool.of(cases).choose(case, 3, seed, task, candidates=5)
    assert shots == ShotPool.of(shuffled).choose(case, 3, seed, task, candidates=5)
    assert len({shot.user_id for shot in shots} | {case.user_id}) == 4
    histories = {one.user_id: one.history for one in cases}
    for shot in shots:
        *before, last = histories[shot.user_id]
        assert shot.history == tuple(before)
        if task == "rating":
            assert (shot.target, shot.rating, shot.candidates) == (last.item, last.rating, ())
        else:
            ids = [one.item_id for one in shot.candidates]
            assert shot.relevant == (last.item.item_id,)
            assert len(set(ids)) == 5 and ids.count(last.item.item_id) == 1
            assert not {event.item.item_id for event in before} & set(ids)
            assert "i999" not in ids  # candidates of the pool's Cases are no training data


def test_the_seed_decides_and_the_answer_has_no_fixed_place():
    case = Case("nobody", ())
    drawn = {tuple(shot.user_id for shot in ShotPool.of(pool()).choose(case, 3, seed, "ranking")) for seed in range(20)}
    assert len(drawn) > 10
    places = {
        [one.item_id for one in shot.candidates].index(shot.relevant[0])
        for seed in range(40)
        for shot in ShotPool.of(pool()).choose(case, 1, seed, "ranking", candidates=4)
    }
    assert places == {0, 1, 2, 3}


def test_too_few_users_is_an_error_that_says_how_many_there_are():
    with pytest.raises(InputError, match="use shots=1"):
        ShotPool.of(pool(2)).choose(Case("u0", ()), 2, 0, "ranking")
    with pytest.raises(InputError, match="two rated events"):
        ShotPool.of(pool(ratings=False)).choose(Case("x", ()), 1, 0, "rating")
    assert ShotPool.of([]).choose(Case("x", ()), 0, 0, "rating") == ()


def test_of_a_user_with_several_cases_the_longest_history_counts():
    long, short = Case("a", events(4)), Case("a", events(2))
    assert ShotPool.of([long, short]) == ShotPool.of([short, long])
    [shot] = ShotPool.of([short, long]).choose(Case("b", ()), 1, 0, "rating")
    assert shot.target == Item("i103", "Title 103")
