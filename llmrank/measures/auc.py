"""Area under the ROC curve of ratings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from llmrank.measures.measure import RatingMeasure
from llmrank.measures.ratings import Ratings
from llmrank.types import liked_from


@dataclass(frozen=True)
class AUC(RatingMeasure):
    """The probability that a liked Case (true rating at or above `threshold`) has a higher prediction than a disliked
    one, over all Cases together; equal predictions count one half (Mann-Whitney).

    The default threshold is `liked_from` the scale. In the worst case, an unanswered liked Case is below all others,
    and a disliked one above. Undefined (NaN) if all Cases are liked, or none.
    """

    threshold: float | None = None
    name = "AUC"
    lower_is_better = False

    def __str__(self) -> str:
        return self.name if self.threshold is None else f"{self.name}(>={self.threshold:g})"

    def liked(self, ratings: Ratings) -> NDArray[np.bool_]:
        """Return whether the user liked the item, per Case."""
        return ratings.truth >= (liked_from(ratings.scale) if self.threshold is None else self.threshold)

    def per_case(self, judged: Ratings) -> NDArray[np.float64]:
        """Return NaN for every Case: AUC is undefined for a single Case."""
        return np.full(len(judged), np.nan)

    def extreme(self, ratings: Ratings, unanswered: Literal["worst", "best"]) -> NDArray[np.float64]:
        """Return -inf for a liked Case and inf for a disliked one in the worst case; the reverse in the best."""
        return np.where(self.liked(ratings) == (unanswered == "best"), np.inf, -np.inf)

    def weighted(self, ratings: Ratings, weights: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the measure for each row of `weights`."""
        values, group = np.unique(ratings.predicted, return_inverse=True)
        liked = self.liked(ratings)
        positives = weights_by_group(weights[:, liked], group[liked], len(values))
        negatives = weights_by_group(weights[:, ~liked], group[~liked], len(values))
        pairs = positives.sum(axis=1) * negatives.sum(axis=1)
        won = (positives * (np.cumsum(negatives, axis=1) - negatives / 2)).sum(axis=1)
        return np.divide(won, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def weights_by_group(weights: NDArray[np.floating], group: NDArray[np.intp], groups: int) -> NDArray[np.float64]:
    """Return the weights of each row summed by group, `[replica, group]`."""
    replicas = len(weights)
    cells = group + groups * np.arange(replicas)[:, None]
    sums = np.bincount(cells.ravel(), weights.ravel(), minlength=replicas * groups)
    return sums.astype(np.float64, copy=False).reshape(replicas, groups)
