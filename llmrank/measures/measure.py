"""What a measure is: a value with a name that scores many Cases, sums them up, and compares two methods."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from llmrank import stats
from llmrank.errors import InputError
from llmrank.measures.judgements import Judgements
from llmrank.measures.ratings import Ratings
from llmrank.measures.summary import MeasureSummary
from llmrank.plugin import plugin_of

GROUP = "llmrank.measures"
ROUNDING = 1e-9
"""Tolerance for sums of fractions that exceed 1 through rounding."""

Unanswered = Literal["worst", "best", "imputed", "dropped"]
"""How to treat a missing rating: use the worst or best end of the scale, impute the user's mean, or drop the Case."""

Judged = TypeVar("Judged", Judgements, Ratings)


@dataclass(frozen=True)
class BaseMeasure(ABC, Generic[Judged]):
    """Base class for measures of rankings and of ratings.

    `users[case]` is the user of each Case, needed if users have several: intervals and tests are over users.
    """

    name: ClassVar[str] = ""
    lower_is_better: ClassVar[bool] = False
    is_headline: ClassVar[bool] = False
    """Whether tables use this measure for their verdict."""
    most: ClassVar[float] = math.inf
    """Largest possible difference between two values."""
    of_case: ClassVar[str] = ""
    """What `compared` returns, if it is not the measure itself."""

    def computed(self, method: str, compute: Callable[[], object], size: int) -> NDArray[np.float64]:
        """Return the `size` numbers that a method of a subclass computes.

        Raises InputError if there are more or fewer; also, and with its package, if the method of a plugin raises.
        """
        plugin = plugin_of(GROUP, self.name, type(self))
        with nullcontext() if plugin is None else plugin.blamed(f"raised in `{method}`"):
            values = np.asarray(compute(), dtype=np.float64)
        if values.shape != (size,):
            problem = f"the measure {self} ({type(self).__module__}) returned an array of shape {values.shape}"
            hint = f"let its method `{method}` return one of shape {(size,)}, or omit the measure"
            raise InputError(problem, field="measures", hint=hint)
        return values

    @abstractmethod
    def per_case(self, judged: Judged) -> NDArray[np.float64]:
        """Return the value of each Case; NaN where the truth is unknown."""

    def compared(self, judged: Judged) -> NDArray[np.float64]:
        """Return the number of each Case whose mean over a user's Cases says which of two methods is better there."""
        return self.per_case(judged)

    @abstractmethod
    def value(self, judged: Judged) -> float:
        """Return the value over all Cases with a known truth; NaN if undefined."""

    @abstractmethod
    def summary(self, judged: Judged, users: Sequence[str] | None = None) -> MeasureSummary:
        """Return the summary over the Cases with a known truth (`(~judged.judged).sum()` counts the others)."""

    def difference(self, left: Judged, right: Judged, users: Sequence[str] | None = None) -> stats.Difference:
        """Return left minus right over the Cases judged in both, paired by user. Both need the same Cases in order."""
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
            raise InputError(f"{self.name} needs a cut-off", field="measures", hint=f"write it like {self.name}@10")
        if self.k is not None and self.k < 1:
            raise InputError(f"{self.name}@{self.k}: the cut-off must be 1 or more", field="measures", hint="raise it")

    def __str__(self) -> str:
        return self.name if self.k is None else f"{self.name}@{self.k}"

    def per_case(self, judged: Judgements) -> NDArray[np.float64]:
        """Return, per Case, the expected value over random tie-breaking, in [0, 1]; NaN without a known relevant id.

        Raises InputError if a plugin's measure returns anything else.
        """
        values = judged.where_judged(self.computed("expected", lambda: self.expected(judged), len(judged)))
        known = values[judged.judged]
        if not bool(((known >= -ROUNDING) & (known <= 1 + ROUNDING)).all()):
            problem = f"the measure {self} ({type(self).__module__}) returned a value outside 0 to 1 for some Case"
            raise InputError(problem, field="measures", hint="correct its method `expected`, or omit the measure")
        return values

    def value(self, judged: Judgements) -> float:
        """Return the mean over the Cases with a known relevant id; NaN if there are none."""
        values = self.per_case(judged)[judged.judged]
        return float(values.mean()) if len(values) else float("nan")

    def summary(self, judged: Judgements, users: Sequence[str] | None = None) -> MeasureSummary:
        """Return the mean over the judged Cases, with a t interval over users and the bounds."""
        values = self.per_case(judged)
        answered = values[judged.judged & judged.answered]
        clusters = _clusters(users, judged.judged)
        interval = stats.mean_interval(values[judged.judged], clusters, bounds=(0.0, 1.0))
        found = judged.proposed()
        proposed = stats.mean_interval(values[found], _clusters(users, found), bounds=(0.0, 1.0))
        return MeasureSummary(
            value=stats.finite(interval.value),
            ci95=interval.ci95,
            answered_only=stats.finite(answered.mean()) if len(answered) else None,
            worst=stats.finite(self.value(judged.worst())),
            best=stats.finite(self.value(judged.best())),
            proposed_only=stats.finite(proposed.value),
            proposed_only_ci95=proposed.ci95,
            lower_is_better=self.lower_is_better,
        )

    def difference(self, left: Judgements, right: Judgements, users: Sequence[str] | None = None) -> stats.Difference:
        """Return left minus right. If only one of them is chance, uses `stats.difference_from_chance`."""
        if left.of_chance and not right.of_chance:
            return -self.difference(right, left, users)
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
        """Return the expected value per Case; any finite value for Cases without a known relevant id."""


@dataclass(frozen=True)
class RatingMeasure(BaseMeasure[Ratings]):
    """A measure of predicted ratings. A subclass has a `name`, and `weighted`."""

    lower_is_better = True
    is_mean: ClassVar[bool] = False
    """Whether the measure is the mean of `per_case`, so that paired tests of means apply."""

    def __str__(self) -> str:
        return self.name

    def per_case(self, judged: Ratings) -> NDArray[np.float64]:
        """Return, per Case, the absolute error (the maximum if unanswered); NaN if the true rating is unknown."""
        return np.abs(self.filled(judged, "worst") - judged.truth)

    def value(self, judged: Ratings, unanswered: Unanswered = "worst") -> float:
        """Return the measure over all Cases with a known true rating; NaN if undefined."""
        return float(self.replicated(judged, np.ones((1, len(judged))), unanswered)[0])

    def summary(self, judged: Ratings, users: Sequence[str] | None = None) -> MeasureSummary:
        """Return the summary over the Cases with a true rating, with a bootstrap interval over users."""
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
        """Return left minus right on the same Cases, with a bootstrap that resamples the same users for both.

        Means over Cases, such as MAE, use `stats.paired_difference` instead.
        """
        if self.is_mean:
            return super().difference(left, right, users)
        both = left.judged & right.judged
        clusters, left, right = _clusters(users, both), left.take(both), right.take(both)
        replicas = stats.bootstrap(
            lambda weights: self.replicated(left, weights) - self.replicated(right, weights), clusters
        )
        difference = self.value(left) - self.value(right)
        return stats.bootstrapped_difference(difference, replicas, self.compared(left) - self.compared(right), clusters)

    def replicated(
        self, ratings: Ratings, weights: NDArray[np.floating], unanswered: Unanswered = "worst"
    ) -> NDArray[np.float64]:
        """Return the measure for each row of `weights[replica, case]`, which says how often each Case counts."""
        predicted = self.filled(ratings, unanswered)
        known = ~np.isnan(ratings.truth) & ~np.isnan(predicted)
        rated, weights = replace(ratings, predicted=predicted).take(known), weights[:, known]
        return self.computed("weighted", lambda: self.weighted(rated, weights), len(weights))

    def filled(self, ratings: Ratings, unanswered: Unanswered) -> NDArray[np.float64]:
        """Return the predictions with missing ones filled in; NaN for `dropped`."""
        if unanswered == "dropped":
            return ratings.predicted
        fill = ratings.user_mean if unanswered == "imputed" else self.extreme(ratings, unanswered)
        return np.where(ratings.answered, ratings.predicted, fill)

    def extreme(self, ratings: Ratings, unanswered: Literal["worst", "best"]) -> NDArray[np.float64]:
        """Return, per Case, the worst prediction (the farther end of the scale) or the best."""
        low, high = ratings.scale
        truth = ratings.truth
        return truth if unanswered == "best" else np.where(truth - low > high - truth, low, high)

    @abstractmethod
    def weighted(self, ratings: Ratings, weights: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the measure for each row of `weights[replica, case]`; NaN if undefined.

        Every Case of `ratings` has a truth and a prediction.
        """


Measure = BaseMeasure[Any]


def weighted_mean(values: NDArray[np.float64], weights: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the mean of `values` for each row of weights; NaN for a row of zeros."""
    total = weights.sum(axis=1)
    return np.divide(weights @ values, total, out=np.full(len(total), np.nan), where=total > 0)


def _clusters(users: Sequence[str] | None, which: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the user of each chosen Case; without `users`, each Case counts as its own user."""
    return stats.clusters_of(range(len(which)) if users is None else users)[which]
