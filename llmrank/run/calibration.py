"""Calibration: whether a method's scores can be trusted as probabilities that the user takes an item.

For predicted ratings: whether items predicted at 4 are rated 4 on average.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from llmrank import stats
from llmrank.errors import InputError, count_of
from llmrank.measures import Ratings
from llmrank.run.tables import Shown, TextTable, between, estimate, number, signed
from llmrank.stats import Values
from llmrank.types import Case, Ranking

if TYPE_CHECKING:
    from llmrank.run.run import Run

BINS = 10
LOG_TEMPERATURE = (-7.0, 7.0)
"""Natural logs of the lowest and highest temperature to try."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """The quality of one way to turn scores into probabilities. Intervals are 95%, over users."""

    name: str
    log_loss: float
    """Mean of -ln p of the relevant item, in nats; 0 means certain and right."""
    log_loss_ci95: tuple[float, float] | None
    brier: float
    """Mean over Cases of the squared errors of all candidates' probabilities, in [0, 2] (Brier 1950)."""
    brier_ci95: tuple[float, float] | None
    error: float
    """Expected calibration error, over bins of equally many candidates."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Candidates with similar probabilities, and the share of them that was taken."""

    low: float
    high: float
    """The lowest (`low`) and highest (`high`) probability in the bin."""
    candidates: int
    predicted: float
    """Mean probability."""
    taken: float
    """Share that was taken."""
    taken_ci95: tuple[float, float] | None


@dataclass(frozen=True, repr=False)
class WithReliability(Shown):
    """A calibration. It prints as two tables: the forecasts, and what was observed beside what was predicted."""

    key = "calibration"
    cases: int
    users: int
    left_out: int
    """Cases that cannot be counted, such as those without an answer."""

    @abstractmethod
    def reliability(self) -> TextTable:
        """Return a row per bin of the predictions."""

    def text(self, width: int | None = None) -> str:
        """Return both tables and the notes."""
        return f"{super().text(width)}\n\n{self.reliability()}"

    def _repr_html_(self) -> str:
        return super()._repr_html_() + self.reliability().to_html()


@dataclass(frozen=True, repr=False)
class Calibration(WithReliability):
    """The result of `calibration`. It prints as two tables: the forecasts, and the bins of the scores as given; or, if
    these are no log-probabilities, of those with a temperature."""

    dropped = ("Brier CI", "log loss CI")
    temperature: float
    """The divisor of the scores that is best on all these Cases."""
    forecasts: tuple[Forecast, ...]
    bins: tuple[Bin, ...]

    def __getitem__(self, name: str) -> Forecast:
        """Return a forecast by name; raises KeyError if there is none."""
        return {one.name: one for one in self.forecasts}[name]

    def table(self) -> TextTable:
        """Return a row per forecast."""
        head = ("probabilities", "log loss", "log loss CI", "Brier", "Brier CI", "calibration error")
        rows = [
            (it.name, *estimate(it.log_loss, it.log_loss_ci95), *estimate(it.brier, it.brier_ci95), number(it.error))
            for it in self.forecasts
        ]
        return TextTable(head, tuple(rows))

    def reliability(self) -> TextTable:
        """Return a row per bin of the unscaled scores."""
        head = ("probability", "candidates", "mean", "relevant", "95% CI")
        rows = [
            (between((it.low, it.high)), f"{it.candidates:,}", number(it.predicted), *estimate(it.taken, it.taken_ci95))
            for it in self.bins
        ]
        return TextTable(head, tuple(rows))

    def notes(self) -> tuple[str, ...]:
        """Return sentences on which Cases are counted and what the rows mean."""
        others = count_of(self.left_out, "other")
        out = f"; {others} left out: no or several relevant candidates, no answer, or a candidate without a score"
        logs = SCORED in {one.name for one in self.forecasts}
        meaning = ": above 1 the method is overconfident, below 1 underconfident" if logs else ""
        if self.temperature > 0.99 * math.exp(LOG_TEMPERATURE[1]):
            meaning = ": the highest one tried, because these scores do not predict relevance"
        read = f"{SCORED}: scores are read as natural-log probabilities, as first_token gives them."
        if not logs:
            read = (
                "Some scores are above 0, so they are no log-probabilities: ratings, chances of a yes, or word counts. "
                "Only with a temperature can they be read as such."
            )
        return (
            f"{count_of(self.cases, 'Case')} of {count_of(self.users, 'user')} with one relevant candidate"
            f"{out if self.left_out else ''}.",
            read,
            f"{TEMPERED}: scores divided by a temperature chosen on the other half of the users. On all users it is "
            f"{self.temperature:.3g}{meaning}.",
        )


SCORED, TEMPERED, EQUAL = "as scored", "with a temperature", "equal for all"


@dataclass(frozen=True, slots=True, eq=False)
class _Scores:
    """The scores of all candidates, Case after Case."""

    case: NDArray[np.intp]
    starts: NDArray[np.intp]
    """The index of each Case's first candidate."""
    values: Values
    taken: Values
    """1 for the relevant candidate, 0 for the others."""

    def log_probabilities(self, temperature: Values | float) -> Values:
        """Return the log-softmax over each Case's candidates, with one temperature or one per candidate."""
        scaled = self.values / temperature
        return scaled - np.logaddexp.reduceat(scaled, self.starts)[self.case]

    def losses(self, temperature: Values | float) -> Values:
        """Return -ln p of the item that was taken, per Case."""
        return -self.log_probabilities(temperature)[self.taken > 0]

    def best_temperature(self, cases: NDArray[np.bool_]) -> float:
        """Return the temperature with the lowest log loss on the selected Cases."""
        from scipy.optimize import minimize_scalar

        def loss(log_temperature: float) -> float:
            return float(self.losses(math.exp(log_temperature))[cases].mean())

        return math.exp(minimize_scalar(loss, bounds=LOG_TEMPERATURE, method="bounded").x)


def calibration(run: Run) -> Calibration:
    """Return how well calibrated a Run's scores are as probabilities that the user takes a candidate.

    Scores are read as natural-log probabilities, as `first_token` gives them, and normalised over the Case's
    candidates. All results are therefore conditional on the relevant item being a candidate. They are compared with the
    same scores divided by a temperature (Guo et al. 2017, arXiv:1706.04599, §4.2), and with equal probabilities. Scores
    above 0 are no log-probabilities; if there are any, only those with a temperature are judged. The temperature for
    each half of the users is chosen on the other, held-out half. The calibration error is the mean distance between
    probability and share taken, over ten bins of equally many candidates (the adaptive calibration error of Nixon et
    al. 2019, arXiv:1904.01685).

    Raises InputError for a rating Run, or for fewer than two users with a Case that counts.
    """
    run.require_rankings()
    pairs = [(case, run.records[case.case_id].ranking) for case in run.done]
    counted = [(case, ranking) for case, ranking in pairs if _is_scored(case, ranking)]
    users = stats.clusters_of(case.user_id for case, _ in counted)
    what = "exactly one relevant candidate and scores for all candidates"
    halves = _halves(run, users, what, "name a Run of a method with scores, such as first_token,")
    scores = _scores(counted)
    one, other = (scores.best_temperature(halves != half) for half in (0, 1))
    crossed = np.where(halves == 0, one, other)[scores.case]
    logs = {TEMPERED: scores.log_probabilities(crossed), EQUAL: scores.log_probabilities(math.inf)}
    if scores.values.max() <= stats.TIE:
        logs = {SCORED: scores.log_probabilities(1.0), **logs}
    first = next(iter(logs.values()))
    everyone = np.ones(len(counted), bool)
    return Calibration(
        len(counted),
        int(users.max()) + 1,
        len(pairs) - len(counted),
        scores.best_temperature(everyone),
        tuple(_forecast(name, scores, log, users) for name, log in logs.items()),
        tuple(Bin(*one) for one in _binned(np.exp(first), scores.taken, users[scores.case], (0.0, 1.0), scores.case)),
    )


def _halves(run: Run, users: NDArray[np.intp], what: str, hint: str) -> NDArray[np.intp]:
    """Return, per Case, the half (0 or 1) that its user was drawn into, with a fixed seed.

    Raises InputError for fewer than two users.
    """
    if len(set(users)) < 2:
        problem = f"{count_of(len(users), 'Case has', 'Cases have')} {what}"
        raise InputError(problem, path=run.path, hint=f"{hint} with at least two such users")
    return (np.random.default_rng(0).permutation(int(users.max()) + 1) % 2)[users]


def _is_scored(case: Case, ranking: Ranking) -> bool:
    """Return whether exactly one candidate is relevant and all have a score."""
    hits = sum(item.item_id in case.gain_of for item in case.candidates)
    return hits == 1 and ranking.answered and ranking.scores is not None and all(map(math.isfinite, ranking.scores))


def _scores(counted: Sequence[tuple[Case, Ranking]]) -> _Scores:
    lengths = [len(ranking.order) for _, ranking in counted]
    values = [score for _, ranking in counted for score in ranking.scores or ()]
    taken = [float(item_id in case.gain_of) for case, ranking in counted for item_id in ranking.order]
    return _Scores(
        np.repeat(np.arange(len(counted)), lengths),
        np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.intp),
        np.array(values),
        np.array(taken),
    )


def _forecast(name: str, scores: _Scores, logs: Values, users: NDArray[np.intp]) -> Forecast:
    probabilities = np.exp(logs)
    losses = stats.mean_interval(-logs[scores.taken > 0], users)
    squares = np.add.reduceat((probabilities - scores.taken) ** 2, scores.starts)
    brier = stats.mean_interval(squares, users)
    error = _calibration_error(probabilities, scores.taken)
    return Forecast(name, losses.value, losses.ci95, brier.value, brier.ci95, error)


def _calibration_error(predicted: Values, observed: Values) -> float:
    """Return the mean distance between what is predicted and what is observed on average, over bins."""
    return float(np.abs(np.bincount(_bin_of(predicted), predicted - observed)).sum() / len(predicted))


def _bin_of(probabilities: Values) -> NDArray[np.intp]:
    """Return the bin of each value; bins have about equal counts, and equal values share one."""
    ordered = np.sort(probabilities)
    edges = ordered[np.linspace(0, len(ordered), BINS, endpoint=False).astype(np.intp)]
    return np.searchsorted(np.unique(edges), probabilities, "right")


def _binned(
    predicted: Values, observed: Values, users: NDArray[np.intp], bounds: tuple[float, float], cases: NDArray[np.intp]
) -> Iterator[tuple[float, float, int, float, float, tuple[float, float] | None]]:
    """Yield, per bin, its lowest and highest prediction, its size, the mean prediction, and the mean that is observed
    with its interval over users. `bounds` are those of an observed value; with several values in a Case, which are 0 or
    1, at most one is 1."""
    place = _bin_of(predicted)
    for at in np.unique(place):
        inside = place == at
        # A Case with five candidates in the bin has a share of .2 at most: with 1 the intervals would be too high.
        most = bounds[1] * len(np.unique(cases[inside])) / int(inside.sum())
        mean = stats.mean_interval(observed[inside], users[inside], bounds=(bounds[0], most))
        some = predicted[inside]
        yield float(some.min()), float(some.max()), len(some), float(some.mean()), mean.value, mean.ci95


# --- ratings ----------------------------------------------------------------------------------------------------------


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

    dropped = ("squared error CI",)
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
        slope = signed(self.slope)
        return (
            f"{count_of(self.cases, 'Case')} of {count_of(self.users, 'user')}{out}.",
            f"On all users the true rating is {number(self.intercept)} {slope[0]} {slope[1:]} × the prediction; "
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

    Raises InputError for fewer than two users with a prediction and a known rating, and for yes/no answers to ratings
    such as 1 to 5.
    """
    if run.order_only:
        problem = "yes/no answers are no predictions of ratings such as 1 to 5"
        raise InputError(problem, path=run.path, hint="score them against truths of 0 and 1, or see AUC")
    ratings = Ratings.from_rankings(
        [run.records[case.case_id].ranking for case in run.done], run.done, run.metric_settings.scale
    )
    counted = ratings.judged & ratings.answered
    users = stats.clusters_of(case.user_id for case, counts in zip(run.done, counted, strict=True) if counts)
    known, halves = ratings.take(counted), _halves(run, users, "a prediction and a known rating", "name a Run")
    corrected, means, cases = known.predicted.copy(), known.truth.copy(), np.arange(len(known))
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
        tuple(_rating_forecast(name, predicted, known, users) for name, predicted in ways),
        tuple(RatingBin(*one) for one in _binned(known.predicted, known.truth, users, known.scale, cases)),
    )


def _line(predicted: Values, truth: Values) -> tuple[float, float]:
    """Return the slope and intercept of the least-squares line; a slope of 0 if all predictions are equal."""
    centred = predicted - predicted.mean()
    spread = float(centred @ centred)
    slope = float(centred @ truth) / spread if spread > stats.TIE else 0.0
    return slope, float(truth.mean() - slope * predicted.mean())


def _rating_forecast(name: str, predicted: Values, known: Ratings, users: NDArray[np.intp]) -> RatingForecast:
    squares = stats.mean_interval((predicted - known.truth) ** 2, users)
    return RatingForecast(name, squares.value, squares.ci95, _calibration_error(predicted, known.truth))
