"""Calibration of predicted ratings: whether items predicted at 4 are rated 4 on average."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from llmrank import stats
from llmrank.errors import InputError, count_of
from llmrank.measures import Ratings
from llmrank.run.calibration import WithReliability, binned, calibration_error, halves_of
from llmrank.run.tables import TextTable, between, estimate, number
from llmrank.stats import Values

if TYPE_CHECKING:
    from llmrank.run.run import Run


@dataclass(frozen=True, slots=True)
class RatingForecast:
    """The quality of one way to predict the ratings."""

    name: str
    squared_error: float
    """Mean squared error; for truths of 0 and 1 it is the Brier score."""
    squared_error_ci95: tuple[float, float] | None
    """95% interval over users."""
    error: float
    """Expected calibration error: the mean distance between predicted and true mean, over bins of equally many
    Cases."""


@dataclass(frozen=True, slots=True)
class RatingBin:
    """Cases with similar predictions."""

    low: float
    high: float
    """The lowest (`low`) and highest (`high`) prediction in the bin."""
    cases: int
    predicted: float
    """Mean prediction."""
    true: float
    """Mean true rating."""
    true_ci95: tuple[float, float] | None


@dataclass(frozen=True, repr=False)
class RatingCalibration(WithReliability):
    """The result of `rating_calibration`. It prints as two tables: the forecasts, and the bins of the predictions."""

    key, dropped = "calibration", ("squared error CI",)
    cases: int
    users: int
    left_out: int
    """Cases without an answer or a known rating."""
    slope: float
    """How much higher the true rating is, on average, where the prediction is 1 higher; 1 if calibrated."""
    intercept: float
    forecasts: tuple[RatingForecast, ...]
    bins: tuple[RatingBin, ...]

    def __getitem__(self, name: str) -> RatingForecast:
        """Return a forecast by name; raises KeyError if there is none."""
        return {one.name: one for one in self.forecasts}[name]

    def table(self) -> TextTable:
        """Return a row per forecast."""
        head = ("prediction", "squared error", "squared error CI", "calibration error")
        rows = [
            (one.name, *estimate(one.squared_error, one.squared_error_ci95), number(one.error))
            for one in self.forecasts
        ]
        return TextTable(head, tuple(rows))

    def reliability(self) -> TextTable:
        """Return a row per bin of the predictions."""
        rows = [
            (between((it.low, it.high)), f"{it.cases:,}", number(it.predicted), *estimate(it.true, it.true_ci95))
            for it in self.bins
        ]
        return TextTable(("predicted", "Cases", "mean", "true mean", "95% CI"), tuple(rows))

    def notes(self) -> tuple[str, ...]:
        """Return sentences on which Cases are counted and what the rows mean."""
        out = f"; {count_of(self.left_out, 'other')} left out: no answer, or no known rating" if self.left_out else ""
        return (
            f"{count_of(self.cases, 'Case')} of {count_of(self.users, 'user')}{out}.",
            f"On all users the true rating is {number(self.intercept)} + {number(self.slope)} × the prediction; "
            "a slope below 1 means that the predictions differ more than the ratings do.",
            f"{CORRECTED}, {MEAN}: fitted on the other half of the users. For yes/no truths the squared error is the "
            "Brier score.",
        )


PREDICTED, CORRECTED, MEAN = "as predicted", "with a linear correction", "the mean rating for all"


def rating_calibration(run: Run) -> RatingCalibration:
    """Return how well calibrated the predicted ratings of a Run are; yes/no answers are ratings from 0 to 1.

    The bins have about equally many Cases, as in `calibration`. Beside the predictions stand two yardsticks, each
    fitted on the other, held-out half of the users: the least-squares line through the predictions, and the mean
    rating. Predictions are kept within the scale.

    Raises InputError for fewer than two users with a prediction and a known rating.
    """
    ratings = Ratings.from_rankings(
        [run.records[case.case_id].ranking for case in run.done], run.done, run.metric_settings.scale
    )
    counted = ratings.judged & ratings.answered
    users = stats.clusters_of(case.user_id for case, counts in zip(run.done, counted, strict=True) if counts)
    if len(set(users)) < 2:
        having = count_of(int(counted.sum()), "Case has", "Cases have")
        problem = f"{having} a prediction and a known rating"
        raise InputError(problem, path=run.path, hint="name a Run with at least two such users")
    known, halves = ratings.take(counted), halves_of(users)
    corrected, means = known.predicted.copy(), known.truth.copy()
    for half in (0, 1):
        others, own = halves != half, halves == half
        slope, intercept = _line(known.predicted[others], known.truth[others])
        corrected[own] = np.clip(intercept + slope * known.predicted[own], *known.scale)
        means[own] = known.truth[others].mean()
    ways = ((PREDICTED, known.predicted), (CORRECTED, corrected), (MEAN, means))
    return RatingCalibration(
        len(known),
        len(set(users)),
        len(counted) - len(known),
        *_line(known.predicted, known.truth),
        tuple(_forecast(name, predicted, known, users) for name, predicted in ways),
        tuple(RatingBin(*one) for one in binned(known.predicted, known.truth, users, known.scale)),
    )


def _line(predicted: Values, truth: Values) -> tuple[float, float]:
    """Return the slope and intercept of the least-squares line; a slope of 0 if all predictions are equal."""
    centred = predicted - predicted.mean()
    spread = float(centred @ centred)
    slope = float(centred @ truth) / spread if spread > stats.TIE else 0.0
    return slope, float(truth.mean() - slope * predicted.mean())


def _forecast(name: str, predicted: Values, known: Ratings, users: NDArray[np.intp]) -> RatingForecast:
    squares = stats.mean_interval((predicted - known.truth) ** 2, users)
    return RatingForecast(name, squares.value, squares.ci95, calibration_error(predicted, known.truth))
