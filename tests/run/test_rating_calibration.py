"""Predicted ratings: hand-computed errors, a method that is right on average, and one that exaggerates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from llmrank.errors import InputError
from llmrank.measures import RMSE
from llmrank.run import Run
from llmrank.run.calibration import CORRECTED, MEAN, PREDICTED, RatingCalibration
from llmrank.types import Case, Item, Outcome, Ranking
from tests.run.making import how, make_run


def rated(path: Path, truth: list[float], predicted: list[float | None]) -> Run:
    cases = [Case(f"u{at}", (), target=Item("t", "Heat"), rating=rating) for at, rating in enumerate(truth)]
    rankings = [
        Ranking(("t",), outcome=Outcome.UNPARSED) if value is None else Ranking(("t",), (value,)) for value in predicted
    ]
    return make_run(path / "run", cases, rankings, metric_settings=how(measures=(RMSE(),)))


def calibration(run: Run) -> RatingCalibration:
    found = run.calibration()
    assert isinstance(found, RatingCalibration)
    return found


def test_four_cases_by_hand(tmp_path: Path) -> None:
    found = calibration(rated(tmp_path, [1, 3, 4, 4, 5], [2, 2, 4, 4, None]))
    assert (found.cases, found.users, found.left_out) == (4, 4, 1)
    assert found[PREDICTED].squared_error == pytest.approx((1 + 1 + 0 + 0) / 4)
    assert found[PREDICTED].error == 0, "2 was right on average, and so was 4"
    assert (found.slope, found.intercept) == pytest.approx((1, 0))
    assert [(one.cases, one.predicted, one.true) for one in found.bins] == [(2, 2, 2), (2, 4, 4)]


def test_a_method_that_exaggerates_is_found_and_corrected(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    truth = np.clip(np.round(3 + draw.normal(size=2000)), 1, 5)
    predicted = np.clip(3 + 2 * (truth - 3) + draw.normal(size=2000), 1, 5)
    found = calibration(rated(tmp_path, truth.tolist(), predicted.tolist()))
    slope, intercept = np.polyfit(predicted, truth, 1)
    assert (found.slope, found.intercept) == pytest.approx((slope, intercept)) and slope < 0.8
    assert found[PREDICTED].squared_error == pytest.approx(np.mean((predicted - truth) ** 2))
    assert found[CORRECTED].squared_error < found[PREDICTED].squared_error < found[MEAN].squared_error
    assert found[CORRECTED].error < found[PREDICTED].error / 2
    assert found[MEAN].squared_error == pytest.approx(truth.var(), rel=0.02)


def test_it_prints_what_a_reader_needs(tmp_path: Path) -> None:
    text = str(calibration(rated(tmp_path, [1, 3, 4, 4, 5], [2, 2, 4, 4, None])))
    assert "4 Cases of 4 users; 1 other left out" in " ".join(text.split())
    assert "0.0000 + 1.0000 × the prediction" in " ".join(text.split())
    assert "as predicted" in text and "true mean" in text


def test_a_negative_slope_is_written_as_a_difference(tmp_path: Path) -> None:
    text = " ".join(str(calibration(rated(tmp_path, [5, 4, 2, 1], [1, 2, 4, 5]))).split())
    assert "6.0000 − 1.0000 × the prediction" in text


def test_equal_predictions_have_no_slope(tmp_path: Path) -> None:
    found = calibration(rated(tmp_path, [1, 3, 5, 3], [4, 4, 4, 4]))
    assert (found.slope, found.intercept) == (0, 3) and len(found.bins) == 1
    assert found[PREDICTED].error == pytest.approx(1)


def test_one_user_is_not_enough(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1 Case has a prediction and a known rating"):
        rated(tmp_path, [4, 3], [4, None]).calibration()
