"""What a measure is: a value with a name that scores many Cases, sums them up, and compares two methods."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from llmrank import stats
from llmrank.errors import InputError
from llmrank.measures.judgements import Judgements
from llmrank.measures.ratings import Ratings
from llmrank.measures.summary import MeasureSummary

ROUNDING = 1e-9
"""How far a sum of fractions may pass 1."""

Unanswered = Literal["worst", "best", "imputed", "dropped"]
"""What stands for a rating that is not there: the end of the scale that measures worst, or best; the user's mean; or
nothing, which leaves the Case out."""

Judged = TypeVar("Judged", Judgements, Ratings)


@dataclass(frozen=True)
class BaseMeasure(ABC, Generic[Judged]):
    """What measures of rankings and of ratings share.

    `users[case]` says whose each Case is, where a user has several: intervals and tests are over users.
    """

    name: ClassVar[str] = ""
    lower_is_better: ClassVar[bool] = False
    is_headline: ClassVar[bool] = False
    """Whether a table's verdict is about this measure when it is among those chosen."""
    most: ClassVar[float] = math.inf
    """The largest difference that two values can have."""

    @abstractmethod
    def per_case(self, judged: Judged) -> NDArray[np.float64]:
        """Return the value of each Case; NaN where the truth is unknown."""

    @abstractmethod
    def value(self, judged: Judged) -> float:
        """Return one number for all Cases whose truth is known; NaN where it is undefined."""

    @abstractmethod
    def summary(self, judged: Judged, users: Sequence[str] | None = None) -> MeasureSummary:
        """Return the measure over the Cases whose truth is known (`(~judged.judged).sum()` counts the others)."""

    def difference(self, left: Judged, right: Judged, users: Sequence[str] | None = None) -> stats.Difference:
        """Return left minus right on the same Cases, in the same order, over those judged in both; paired on users."""
        both = left.judged & right.judged
        values = [self.per_case(left)[both], self.per_case(right)[both]]
        return stats.paired_difference(values[0], values[1], _clusters(users, both), most=self.most)


@dataclass(frozen=True)
class RankingMeasure(BaseMeasure[Judgements]):
    """A measure of rankings, at a cut-off `k` (None: the whole list). A subclass has a `name`, and `expected`."""

    k: int | None = None
    needs_cutoff: ClassVar[bool] = True
    most: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        if self.k is None and self.needs_cutoff:
            raise InputError(f"{self.name} needs a cut-off", field="measure", hint=f"write it like {self.name}@10")
        if self.k is not None and self.k < 1:
            raise InputError(f"{self.name}@{self.k}: the cut-off must be 1 or more", field="measure", hint="raise it")

    def __str__(self) -> str:
        return self.name if self.k is None else f"{self.name}@{self.k}"

    def per_case(self, judged: Judgements) -> NDArray[np.float64]:
        """Return, per Case, the expected value over random tie-breaking, in [0, 1]; NaN: no relevant id is known.

        Raises InputError where a measure of another package gives something else.
        """
        values = judged.where_judged(np.asarray(self.expected(judged), dtype=np.float64))
        known = values[judged.judged]
        if len(values) != len(judged) or not bool(((known >= -ROUNDING) & (known <= 1 + ROUNDING)).all()):
            problem = f"the measure {self} ({type(self).__module__}) gave no number between 0 and 1 for some Case"
            raise InputError(problem, field="measure", hint="correct its method `expected`, or leave the measure out")
        return values

    def value(self, judged: Judgements) -> float:
        """Return the mean over the Cases with a known relevant id; NaN when there are none."""
        values = self.per_case(judged)[judged.judged]
        return float(values.mean()) if len(values) else float("nan")

    def summary(self, judged: Judgements, users: Sequence[str] | None = None) -> MeasureSummary:
        """Return the mean over the judged Cases, with a t interval over users and the bounds."""
        values = self.per_case(judged)
        answered = values[judged.judged & judged.answered]
        clusters = _clusters(users, judged.judged)
        interval = stats.mean_interval(values[judged.judged], clusters, bounds=(0.0, 1.0))
        return MeasureSummary(
            value=stats.finite(interval.value),
            ci95=interval.ci95,
            answered_only=stats.finite(answered.mean()) if len(answered) else None,
            worst=stats.finite(self.value(judged.worst())),
            best=stats.finite(self.value(judged.best())),
            lower_is_better=self.lower_is_better,
        )

    def difference(self, left: Judgements, right: Judgements, users: Sequence[str] | None = None) -> stats.Difference:
        """Return left minus right, as for any measure; where right is chance, see `stats.difference_from_chance`."""
        found = super().difference(left, right, users)
        both = left.judged & right.judged
        if found.users < 2 or left.of_chance or not right.of_chance or not right.answered[both].all():
            return found
        orders, kinds, counts = right.orders()
        values, chance = self.per_case(left)[both], self.per_case(right)[both]
        possible = (self.per_case(orders), kinds, counts)
        return stats.difference_from_chance(found, values, chance, _clusters(users, both), possible)

    @abstractmethod
    def expected(self, judgements: Judgements) -> NDArray[np.float64]:
        """Return the expected value per Case; anything finite where no relevant id is known."""


@dataclass(frozen=True)
class RatingMeasure(BaseMeasure[Ratings]):
    """A measure of predicted ratings. A subclass has a `name`, and `weighted`."""

    lower_is_better = True
    is_mean: ClassVar[bool] = False
    """Whether it is the mean of `per_case`, so that paired tests of means apply."""

    def __str__(self) -> str:
        return self.name

    def per_case(self, judged: Ratings) -> NDArray[np.float64]:
        """Return, per Case, the absolute error (unanswered: the largest possible); NaN: the true rating is unknown."""
        return np.abs(self.filled(judged, "worst") - judged.truth)

    def value(self, judged: Ratings, unanswered: Unanswered = "worst") -> float:
        """Return the measure over all Cases with a known true rating; NaN when it is undefined."""
        return float(self.replicated(judged, np.ones((1, len(judged))), unanswered)[0])

    def summary(self, judged: Ratings, users: Sequence[str] | None = None) -> MeasureSummary:
        """Return the measure over the Cases with a true rating, with the interval of a bootstrap over users."""
        clusters, ratings = _clusters(users, judged.judged), judged.take(judged.judged)
        replicas = stats.bootstrap(lambda weights: self.replicated(ratings, weights), clusters)
        return MeasureSummary(
            value=stats.finite(self.value(ratings)),
            ci95=stats.finite_pair(*stats.percentile_interval(replicas, len(np.unique(clusters)))),
            answered_only=stats.finite(self.value(ratings, "dropped")),
            worst=stats.finite(self.value(ratings, "worst")),
            best=stats.finite(self.value(ratings, "best")),
            imputed=stats.finite(self.value(ratings, "imputed")),
            lower_is_better=self.lower_is_better,
        )

    def difference(self, left: Ratings, right: Ratings, users: Sequence[str] | None = None) -> stats.Difference:
        """Return left minus right on the same Cases, in the same order, by a bootstrap of the same users for both.

        A mean over Cases, such as MAE, has the tests of `stats.paired_difference` instead.
        """
        if self.is_mean:
            return super().difference(left, right, users)
        both = left.judged & right.judged
        clusters, left, right = _clusters(users, both), left.take(both), right.take(both)
        replicas = stats.bootstrap(
            lambda weights: self.replicated(left, weights) - self.replicated(right, weights), clusters
        )
        difference = self.value(left) - self.value(right)
        return stats.bootstrapped_difference(difference, replicas, self.per_case(left) - self.per_case(right), clusters)

    def replicated(
        self, ratings: Ratings, weights: NDArray[np.floating], unanswered: Unanswered = "worst"
    ) -> NDArray[np.float64]:
        """Return the measure once for each row of `weights[replica, case]`, every Case counted as often as it says."""
        predicted = self.filled(ratings, unanswered)
        known = ~np.isnan(ratings.truth) & ~np.isnan(predicted)
        return self.weighted(replace(ratings, predicted=predicted).take(known), weights[:, known])

    def filled(self, ratings: Ratings, unanswered: Unanswered) -> NDArray[np.float64]:
        """Return the predictions with the missing ones filled in; NaN where they are to be dropped."""
        if unanswered == "dropped":
            return ratings.predicted
        fill = ratings.user_mean if unanswered == "imputed" else self.extreme(ratings, unanswered)
        return np.where(ratings.answered, ratings.predicted, fill)

    def extreme(self, ratings: Ratings, unanswered: Literal["worst", "best"]) -> NDArray[np.float64]:
        """Return, per Case, the prediction that measures worst (the end of the scale farther away) or best."""
        low, high = ratings.scale
        truth = ratings.truth
        return truth if unanswered == "best" else np.where(truth - low > high - truth, low, high)

    @abstractmethod
    def weighted(self, ratings: Ratings, weights: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the measure for each row of `weights[replica, case]`; NaN where it is undefined.

        Every Case of `ratings` has a truth and a prediction.
        """


Measure = BaseMeasure[Any]


def _clusters(users: Sequence[str] | None, which: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return whose each of the chosen Cases is; without `users`, every Case has a user of its own."""
    return stats.clusters_of(range(len(which)) if users is None else users)[which]
