import csv
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, roc_auc_score, root_mean_squared_error

from llmrank.errors import InputError
from llmrank.measures import AUC, MAE, RMSE, Ratings
from llmrank.types import Case, Event, Item, Outcome, Ranking

FILM = Item("1", "Das Boot (1981)")
NAN = np.nan


def ratings(truth, predicted, user_mean=None) -> Ratings:
    n = len(truth)
    mean = np.full(n, 3.0) if user_mean is None else np.array(user_mean, float)
    return Ratings(np.array(truth, float), np.array(predicted, float), mean, (1.0, 5.0))


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([1, 2, 3, 4, 5]), st.floats(1, 5)), min_size=1, max_size=40))
def test_they_agree_with_scikit_learn(pairs):
    truth, predicted = (np.array(column, float) for column in zip(*pairs, strict=True))
    answered = ratings(truth, predicted)
    assert RMSE().value(answered) == pytest.approx(root_mean_squared_error(truth, predicted), abs=1e-9)
    assert MAE().value(answered) == pytest.approx(mean_absolute_error(truth, predicted), abs=1e-9)
    liked = truth >= 4
    if liked.any() and not liked.all():
        assert AUC().value(answered) == pytest.approx(roc_auc_score(liked, predicted), abs=1e-9)
    else:
        assert np.isnan(AUC().value(answered))


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 3)), min_size=2, max_size=30))
def test_auc_counts_a_tie_as_one_half(pairs):
    liked, predicted = [p for hit, p in pairs if hit], [p for hit, p in pairs if not hit]
    truth = [5] * len(liked) + [1] * len(predicted)
    value = AUC().value(ratings(truth, liked + predicted))
    if liked and predicted:
        won = [(a > b) + (a == b) / 2 for a in liked for b in predicted]
        assert value == pytest.approx(np.mean(won), abs=1e-12)


def test_an_unanswered_case_counts_as_worst():
    unanswered = ratings([5, 2, 3], [NAN, NAN, 3], user_mean=[4, 4, 4])
    assert MAE().per_case(unanswered).tolist() == [4, 3, 0]
    assert MAE().value(unanswered) == pytest.approx(7 / 3)
    assert RMSE().value(unanswered) == pytest.approx(np.sqrt((16 + 9) / 3))
    assert MAE().value(unanswered, "dropped") == 0
    assert MAE().value(unanswered, "best") == 0
    assert MAE().value(unanswered, "imputed") == pytest.approx((1 + 2 + 0) / 3)


def test_a_user_is_better_off_by_the_measure_itself():
    """Errors of 2 and 2, or of 0 and 3: the mean absolute error prefers the second, the squared error the first."""
    left, right = ratings([4, 4], [2, 2]), ratings([4, 4], [4, 1])
    rmse, mae = (measure.difference(left, right, ["u", "u"]) for measure in (RMSE(), MAE()))
    assert (rmse.lower, rmse.higher) == (1, 0) and (mae.lower, mae.higher) == (0, 1)


def test_an_unanswered_case_loses_or_wins_every_pair_of_the_auc():
    perfect = ratings([5, 5, 1, 1], [5, NAN, 1, 1])
    assert AUC().value(perfect) == 0.5
    assert AUC().value(perfect, "best") == AUC().value(perfect, "dropped") == 1
    assert AUC().value(ratings([5, 5, 1, 1], [5, 5, NAN, 1])) == 0.5
    assert AUC().value(ratings([5, 1], [NAN, NAN])) == 0
    assert AUC(2).value(ratings([1, 2], [1, 2])) == 1
    assert np.isnan(AUC().per_case(perfect)).all()


def test_nothing_answered_and_nothing_known():
    silent = ratings([4, 2], [NAN, NAN])
    assert np.isnan(RMSE().value(silent, "dropped"))
    assert RMSE().value(ratings([NAN, 4], [1, 4])) == 0
    assert np.isnan(MAE().per_case(ratings([NAN], [1]))).all()
    figures = {measure.name: measure.summary(ratings([NAN], [3])) for measure in (RMSE(), AUC())}
    assert figures["RMSE"].value is None and figures["RMSE"].ci95 is None and figures["AUC"].imputed is None


def test_rankings_of_the_rating_task_are_read():
    def case(rating, *past):
        return Case("u", tuple(Event(FILM, r) for r in past), target=FILM, rating=rating)

    rankings = [
        Ranking(("1",), (4.5,)),
        Ranking(("1",), (2.0,), outcome=Outcome.REPAIRED),
        Ranking(("1",), outcome=Outcome.UNPARSED),
        Ranking(("1",), (3.0,), outcome=Outcome.ERROR),
        Ranking(("1",), (-np.inf,)),
    ]
    read = Ratings.from_rankings(rankings, [case(4, 1, 2), case(None), case(1, 5), case(2, None), case(3)])
    np.testing.assert_array_equal(read.truth, [4, NAN, 1, 2, 3])
    np.testing.assert_array_equal(read.predicted, [4.5, 2, NAN, NAN, NAN])
    np.testing.assert_allclose(read.user_mean, [1.5, 8 / 3, 5, 8 / 3, 8 / 3])
    with pytest.raises(InputError, match="outside the scale"):
        Ratings.from_rankings(rankings[:1], [case(7)])


def test_6040_recorded_gpt_ratings(shared_data):
    with (shared_data("LLM-rating-predictions") / "ml1m_few_shot.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    # Seven hold the text of a server's error where the rating should be.
    numbers = [row["predicted_rating"] for row in rows]
    recorded = ratings(
        [row["actual_rating"] for row in rows], [float(n) if re.fullmatch(r"[\d.]+", n) else NAN for n in numbers]
    )
    figures = {measure.name: measure.summary(recorded) for measure in (RMSE(), MAE(), AUC())}
    assert len(rows) == 6040 and (~recorded.answered).sum() == 7
    assert round(figures["RMSE"].answered_only, 4) == 1.0724
    assert round(figures["MAE"].answered_only, 4) == 0.7900
    for name in ("RMSE", "MAE"):
        assert figures[name].best < figures[name].answered_only < figures[name].value == figures[name].worst
        assert figures[name].best < figures[name].imputed < figures[name].value
        assert figures[name].ci95[0] < figures[name].value < figures[name].ci95[1]
    assert figures["AUC"].worst == figures["AUC"].value < figures["AUC"].answered_only < figures["AUC"].best
