"""Ratings without the easy part: a person-blind method has nothing left, and one that knows the person is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from llmrank.errors import InputError
from llmrank.rankers.baselines import RatingMeans
from llmrank.run import Run
from llmrank.run.metrics import measures_of
from llmrank.run.personal import CONCORDANCE, CORRELATION, ERROR, _concordance
from llmrank.types import Case, Item, Outcome, Ranking
from tests.run.making import case as ranking_case
from tests.run.making import how, make_run, shuffled

Values = NDArray[np.float64]
USERS, ITEMS = 120, 25


def simulated(path: Path, predict: Callable[[Values, Values, Values], Values], seed: int = 0) -> Run:
    """Return a Run of ratings made of a user's mean, an item's quality, the person's taste, and noise.

    `predict` gets the means of user and item, and the taste.
    """
    rng = np.random.default_rng(seed)
    bias, quality = rng.normal(0, 0.8, USERS), rng.normal(0, 0.8, ITEMS)
    taste, noise = rng.normal(0, 0.6, (USERS, ITEMS)), rng.normal(0, 0.4, (USERS, ITEMS))
    truth = 3 + bias[:, None] + quality[None] + taste + noise
    predicted = predict(3 + bias[:, None] + 0 * truth, 3 + quality[None] + 0 * truth, taste)
    means = RatingMeans(
        3.0,
        {f"i{item}": 3 + float(quality[item]) for item in range(ITEMS)},
        {f"u{user}": 3 + float(bias[user]) for user in range(USERS)},
    )
    cases: list[Case] = []
    rankings: list[Ranking] = []
    for user in range(USERS):
        for item in rng.choice(ITEMS, 5, replace=False).tolist():
            target = Item(f"i{item}", f"Film {item}")
            cases.append(Case(f"u{user}", (), target=target, rating=float(truth[user, item]), case_id=f"{user}-{item}"))
            rankings.append(Ranking((target.item_id,), (float(predicted[user, item]),)))
    settings = how("ratings", measures=measures_of(None, "rating"), rating_means=means, scale=(-20.0, 20.0))
    return make_run(path / f"run{seed}", cases, rankings, metric_settings=settings)


@pytest.mark.parametrize(
    "blind",
    [
        lambda user, item, taste: user,
        lambda user, item, taste: item,
        lambda user, item, taste: 0.7 * user + 0.4 * item - 1,
        lambda user, item, taste: 3 + 0 * user,
    ],
    ids=["user mean", "item mean", "both", "a constant"],
)
def test_what_knows_nothing_of_the_person_has_nothing_left(tmp_path, blind):
    found = simulated(tmp_path, blind).personal()
    assert found[CORRELATION].value is None and found[CONCORDANCE].value == 0.5


def test_taste_is_found_at_its_size_whatever_stands_beside_it(tmp_path):
    size = 0.6 / np.hypot(0.6, 0.4)  # the correlation of taste with taste and noise
    for predict in (
        lambda user, item, taste: taste,
        lambda user, item, taste: 2 * user - item + taste,
    ):
        found = simulated(tmp_path / str(id(predict)), predict).personal()
        assert found[CORRELATION].value == pytest.approx(size, abs=0.03)
        low, high = found[CORRELATION].ci95
        assert low < size < high and high - low < 0.1
        # Of two normal variables with correlation r, a pair is concordant with probability 1/2 + arcsin(r) / π.
        assert found[CONCORDANCE].value == pytest.approx(0.5 + np.arcsin(size) / np.pi, abs=0.03)
    assert found[ERROR].value > found[ERROR].impersonal, "a large error, and yet the person is in it"


def test_the_interval_of_a_method_that_guesses_covers_chance_as_often_as_it_says():
    inside, draws = 0, 400
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        users, items = np.repeat(np.arange(60), 5), np.concatenate([rng.permutation(15)[:5] for _ in range(60)])
        # What a user's guesses and truths have in common makes pairs of one user vary together.
        truth = rng.normal(0, 1, 60)[users] + rng.normal(0, 1, 300)
        guess = rng.normal(0, 1, 60)[users] + rng.normal(0, 1, 300)
        low, high = _concordance(truth, guess, items, users)[2]
        inside += low <= 0.5 <= high
    assert 0.92 <= inside / draws <= 0.975


def test_two_users_of_an_item_by_hand(tmp_path):
    pairs, share, _ = _concordance(
        np.array([1.0, 0.0, 5.0, 2.0]),
        np.array([0.3, 0.1, 0.0, 9.0]),
        *[np.array(x) for x in ([0, 0, 1, 0], [0, 1, 2, 0])],
    )
    assert (pairs, share) == (2, 1.0), "a user is not paired with themself, nor an item with another"


def test_cases_that_cannot_be_counted_are_said(tmp_path):
    run = simulated(tmp_path, lambda user, item, taste: taste)
    cases = list(run.cases)
    rankings = [run.records[one.case_id].ranking for one in cases]
    cases[0] = replace(cases[0], rating=None)
    cases[1] = replace(cases[1], target=Item("new", "New"))
    rankings[1] = Ranking(("new",), rankings[1].scores)
    rankings[2] = Ranking(rankings[2].order, None, 0, Outcome.UNPARSED, "no_rating")
    found = make_run(tmp_path / "other", cases, rankings, metric_settings=run.metric_settings).personal()
    assert found.left_out == 3 and found.cases == len(cases) - 3 and "rating of user or item: 3." in str(found)


def test_a_run_about_rankings_and_one_without_training_ratings_are_refused(tmp_path):
    cases = [ranking_case("a"), ranking_case("b")]
    with pytest.raises(InputError, match="`personal` needs a Run of ratings"):
        make_run(tmp_path / "rank", cases, [shuffled(one, 0) for one in cases]).personal()
    run = simulated(tmp_path, lambda user, item, taste: taste)
    blind = replace(run.metric_settings, rating_means=None)
    rankings = [run.records[one.case_id].ranking for one in run.cases]
    with pytest.raises(InputError, match="no training ratings"):
        make_run(tmp_path / "none", run.cases, rankings, metric_settings=blind).personal()
