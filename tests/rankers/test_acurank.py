from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmrank.errors import InputError
from llmrank.rankers.acurank import DEVIATION, PERFORMANCE, AcuRank, Belief, chance_of_top, updated
from llmrank.types import Outcome, Response

from .oracle import OracleBackend, case, drive, prompt, truth

PROMPT = prompt("rankgpt")


def test_one_answer_about_two_items_gives_what_trueskill_gives_in_closed_form():
    before = {"a": Belief(25.0, DEVIATION**2), "b": Belief(28.0, 4.0)}
    after = updated(before, ["a", "b"])
    spread = math.sqrt(DEVIATION**2 + 4.0 + 2 * PERFORMANCE**2)
    z = -3.0 / spread
    v = math.exp(-z * z / 2) / math.sqrt(2 * math.pi) / (0.5 * math.erfc(-z / math.sqrt(2)))
    w = v * (v + z)
    for item_id, sign in (("a", 1), ("b", -1)):
        mean, variance = before[item_id].mean, before[item_id].variance
        assert after[item_id].mean == pytest.approx(mean + sign * variance / spread * v, abs=1e-6)
        assert after[item_id].variance == pytest.approx(variance * (1 - variance / spread**2 * w), abs=1e-6)


def test_a_whole_order_gives_what_sampling_gives():
    before = {"a": Belief(24.0, 40.0), "b": Belief(25.0, 70.0), "c": Belief(27.0, 60.0), "d": Belief(23.0, 50.0)}
    after = updated(before, ["b", "a"])  # c and d are below a, and nothing is said of which is better
    draw = np.random.default_rng(0)
    means = np.array([one.mean for one in before.values()])
    relevance = draw.normal(means, np.sqrt([one.variance for one in before.values()]), (2_000_000, 4))
    seen = relevance + draw.normal(0, PERFORMANCE, relevance.shape)
    kept = relevance[(seen[:, 1] > seen[:, 0]) & (seen[:, 0] > seen[:, 2]) & (seen[:, 0] > seen[:, 3])]
    for place, one in enumerate(after.values()):
        # The normal distribution that is passed on is near the true one, not equal to it.
        assert one.mean == pytest.approx(kept[:, place].mean(), abs=0.15)
        assert math.sqrt(one.variance) == pytest.approx(kept[:, place].std(), abs=0.15)


@given(st.lists(st.floats(0, 50), min_size=2, max_size=20), st.data())
def test_an_answer_moves_each_item_towards_its_place_and_makes_it_surer(means, data):
    before = {f"{place}": Belief(mean, DEVIATION**2) for place, mean in enumerate(means)}
    ranked = data.draw(st.permutations(list(before)))[: data.draw(st.integers(1, len(before)))]
    after = updated(before, ranked)
    assert all(0 < after[one].variance < before[one].variance + 1e-9 for one in before)
    assert after[ranked[0]].mean >= before[ranked[0]].mean - 1e-9
    for other in set(before) - set(ranked):
        assert after[other].mean <= before[other].mean + 1e-9
    assert all(math.isfinite(one.mean) for one in after.values())


@given(st.lists(st.floats(0, 50), min_size=1, max_size=40), st.integers(1, 40))
def test_as_many_items_are_expected_at_the_top_as_there_is_room_for(means, top):
    beliefs = {f"{place}": Belief(mean, 30.0) for place, mean in enumerate(means)}
    chance = chance_of_top(beliefs, top)
    assert sum(chance.values()) == pytest.approx(min(top, len(means)), abs=1e-6)
    best_first = sorted(beliefs, key=lambda one: -beliefs[one].mean)
    assert [chance[one] for one in best_first] == sorted(chance.values(), reverse=True)


def test_all_are_asked_about_first_in_the_order_shown_and_then_the_uncertain_ones_best_first():
    one = case(50, scores=True)
    ranking, batches = drive(AcuRank(PROMPT), one, OracleBackend())
    asked = [len(batch) for batch in batches]
    assert asked[0] == 3 and 1 < len(asked) <= 8 and asked == sorted(asked, reverse=True), "ever fewer are uncertain"
    place = {item.title: at for at, item in enumerate(one.candidates)}
    for request in batches[0]:
        text = request.messages[-1].content
        shown = sorted((text.index(f'"{title}"'), title) for title in place if f'"{title}"' in text)
        assert [place[title] for _, title in shown] == sorted(place[title] for _, title in shown)
    assert ranking.order[:10] == truth(one)[:10] and ranking.outcome is Outcome.OK
    assert ranking.scores is not None and all(map(math.isfinite, ranking.scores))


def test_unsure_answers_are_asked_about_longer_and_the_bound_holds():
    def calls(noise: float, **options: int) -> int:
        backend = OracleBackend(noise=noise)
        return sum(
            len(b) for seed in range(5) for b in drive(AcuRank(PROMPT, **options), case(50, seed=seed), backend)[1]
        )

    assert calls(0.0) < calls(0.5) <= 5 * 40
    assert calls(0.5, most_calls=6) == 5 * 6


@pytest.mark.parametrize("n", [20, 50])
def test_the_likely_number_of_calls_is_that_of_noisy_answers_not_the_minimum(n):
    """A model whose answers were sometimes wrong took 49 requests where a dry run had called 20 likely."""

    def mean(noise: float) -> float:
        backend = OracleBackend(noise=noise)
        return sum(len(b) for seed in range(8) for b in drive(AcuRank(PROMPT), case(n, seed=seed), backend)[1]) / 8

    assert 1.25 * mean(0.0) < AcuRank(PROMPT).needs(n).likely_calls < mean(1.0)


def test_the_same_order_is_not_asked_about_twice():
    @dataclass(frozen=True)
    class Stubborn(OracleBackend):
        def words(self, text, request, best_first, labels):
            return " > ".join(f"[{label}]" for label in labels.values())  # as shown: nothing will ever change

    _, batches = drive(AcuRank(PROMPT), case(20), Stubborn())
    asked = [request.messages for batch in batches for request in batch]
    assert len(asked) == len(set(asked)) < 40


def test_what_no_answer_is_read_of_comes_last_tied_and_is_counted():
    one = case(40)
    lost = {item.title for item in one.candidates[20:]}

    @dataclass(frozen=True)
    class Loses(OracleBackend):
        def reply(self, request):
            shown = [title for title in lost if title in request.messages[-1].content]
            return Response("") if shown else super().reply(request)

    ranking, _ = drive(AcuRank(PROMPT, most_calls=2), one, Loses())
    assert ranking.outcome is Outcome.REPAIRED and ranking.repairs == {"unread": 1}
    assert ranking.named == 20 and ranking.scores is not None and set(ranking.scores[20:]) == {-math.inf}
    ranking, _ = drive(AcuRank(PROMPT), one, OracleBackend(unreadable=1.0))
    assert ranking.outcome is Outcome.UNPARSED and ranking.scores is None


def test_what_an_answer_leaves_out_is_below_what_it_names():
    @dataclass(frozen=True)
    class NamesThree(OracleBackend):
        def words(self, text, request, best_first, labels):
            return " > ".join(f"[{labels[title]}]" for title in best_first[:3])

    ranking, _ = drive(AcuRank(PROMPT, most_calls=1), case(12), NamesThree())
    assert ranking.order[:3] == ("i000", "i001", "i002") and ranking.named == 12


def test_each_candidate_is_asked_about_once_however_few_calls_are_allowed():
    ranker = AcuRank(PROMPT, most_calls=1)
    ranking, batches = drive(ranker, case(50), OracleBackend())
    assert [len(batch) for batch in batches] == [3] and ranker.needs(50).calls == 3 and ranking.named == 50


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(2, 300),
    most=st.integers(1, 20),
    window=st.integers(3, 20),
    noise=st.sampled_from([0.0, 0.5, 1.0]),
    seed=st.integers(0, 50),
)
def test_no_more_is_asked_than_is_said_before(n, most, window, noise, seed):
    ranker = AcuRank(PROMPT, window, most_calls=most)
    _, batches = drive(ranker, case(n, seed=seed), OracleBackend(noise=noise, seed=seed))
    assert sum(map(len, batches)) <= ranker.needs(n).calls


@pytest.mark.parametrize(
    "options",
    [{"window": 2}, {"sort_top": 0}, {"tolerance": 0.5}, {"tolerance": 0.0}, {"most_calls": 0}],
)
def test_settings_that_cannot_work_are_refused(options):
    with pytest.raises(InputError, match=f"field '{next(iter(options))}'"):
        AcuRank(PROMPT, **options)


@pytest.mark.parametrize("n", [4, 12, 30])
def test_no_list_is_shown_twice_in_the_same_order(n: int):
    for noise in (0.0, 0.5):
        _, batches = drive(AcuRank(PROMPT, window=10, sort_top=3), case(n, scores=True), OracleBackend(noise=noise))
        asked = [request for batch in batches for request in batch]
        assert len(set(asked)) == len(asked)
