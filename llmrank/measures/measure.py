"""What a measure is: a value with a name, a way to score many Cases, and one number for all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from llmrank.errors import InputError
from llmrank.measures.judgements import Judgements, per_case
from llmrank.measures.ratings import Ratings

ROUNDING = 1e-9
"""How far a sum of fractions may pass 1."""

Unanswered = Literal["worst", "best", "imputed", "dropped"]
"""What stands for a rating that is not there: the end of the scale that measures worst, or best; the user's mean; or
nothing, which leaves the Case out."""


@dataclass(frozen=True)
class RankingMeasure(ABC):
    """A measure of rankings, at a cut-off `k` (None: the whole list). A subclass has a `name`, and `expected`."""

    k: int | None = None
    name: ClassVar[str] = ""
    needs_cutoff: ClassVar[bool] = True
    lower_is_better: ClassVar[bool] = False
    is_headline: ClassVar[bool] = False
    """Whether a table's verdict is about this measure when it is among those chosen."""

    def __post_init__(self) -> None:
        if self.k is None and self.needs_cutoff:
            raise InputError(f"{self.name} needs a cut-off", field="measure", hint=f"write it like {self.name}@10")
        if self.k is not None and self.k < 1:
            raise InputError(f"{self.name}@{self.k}: the cut-off must be 1 or more", field="measure", hint="raise it")

    def __str__(self) -> str:
        return self.name if self.k is None else f"{self.name}@{self.k}"

    def per_case(self, judgements: Judgements) -> NDArray[np.float64]:
        """Return, per Case, the expected value over random tie-breaking, in [0, 1]; NaN: no relevant id is known.

        Raises InputError where a measure of another package gives something else.
        """
        values = per_case(judgements, np.asarray(self.expected(judgements), dtype=np.float64))
        known = values[judgements.judged]
        if len(values) != len(judgements) or not bool(((known >= -ROUNDING) & (known <= 1 + ROUNDING)).all()):
            problem = f"the measure {self} ({type(self).__module__}) gave no number between 0 and 1 for some Case"
            raise InputError(problem, field="measure", hint="correct its method `expected`, or leave the measure out")
        return values

    def value(self, judgements: Judgements) -> float:
        """Return the mean over the Cases with a known relevant id; NaN when there are none."""
        values = self.per_case(judgements)[judgements.judged]
        return float(values.mean()) if len(values) else float("nan")

    @abstractmethod
    def expected(self, judgements: Judgements) -> NDArray[np.float64]:
        """Return the expected value per Case; anything finite where no relevant id is known."""


@dataclass(frozen=True)
class RatingMeasure(ABC):
    """A measure of predicted ratings."""

    name: ClassVar[str] = ""
    lower_is_better: ClassVar[bool] = True
    is_headline: ClassVar[bool] = False
    """Whether a table's verdict is about this measure when it is among those chosen."""
    is_mean: ClassVar[bool] = False
    """Whether it is the mean of `per_case`, so that paired tests of means apply."""

    def __str__(self) -> str:
        return self.name

    def per_case(self, ratings: Ratings) -> NDArray[np.float64]:
        """Return, per Case, the absolute error (unanswered: the largest possible); NaN: the true rating is unknown."""
        return np.abs(self.filled(ratings, "worst") - ratings.truth)

    def value(self, ratings: Ratings, unanswered: Unanswered = "worst") -> float:
        """Return the measure over all Cases with a known true rating; NaN when it is undefined."""
        return float(self.replicated(ratings, np.ones((1, len(ratings))), unanswered)[0])

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


Measure = RankingMeasure | RatingMeasure
