"""Area under the ROC curve of ratings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from llmrank.measures.measure import RatingMeasure
from llmrank.measures.ratings import Ratings


@dataclass(frozen=True)
class AUC(RatingMeasure):
    """The chance that a Case the user liked (true rating at or above `threshold`) is predicted higher than one they
    did not, over all Cases together; equal predictions count one half (Mann-Whitney).

    Without a threshold it is three quarters up the scale: 4 on a scale of 1 to 5, and 1 where ratings are 0 or 1.

    Unanswered at its worst is a liked Case below all others and a disliked one above. Undefined (NaN) when the Cases
    are all liked or all not.
    """

    threshold: float | None = None
    name = "AUC"
    lower_is_better = False

    def __str__(self) -> str:
        return self.name if self.threshold is None else f"{self.name}(>={self.threshold:g})"

    def liked(self, ratings: Ratings) -> NDArray[np.bool_]:
        """Return which true ratings say that the user liked the item."""
        low, high = ratings.scale
        return ratings.truth >= (low + 0.75 * (high - low) if self.threshold is None else self.threshold)

    def per_case(self, judged: Ratings) -> NDArray[np.float64]:
        """Return NaN for every Case: one Case alone has no AUC."""
        return np.full(len(judged), np.nan)

    def extreme(self, ratings: Ratings, unanswered: Literal["worst", "best"]) -> NDArray[np.float64]:
        """Return below all others for a liked Case, above them for a disliked one; or the reverse."""
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
    """Return `[replica, group]`: the weights of each row, summed by group."""
    replicas = len(weights)
    cells = group + groups * np.arange(replicas)[:, None]
    sums = np.bincount(cells.ravel(), weights.ravel(), minlength=replicas * groups)
    return sums.astype(np.float64, copy=False).reshape(replicas, groups)
