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

    Unanswered at its worst is a liked Case below all others and a disliked one above. Undefined (NaN) when the Cases
    are all liked or all not.
    """

    threshold: float = 4.0
    name = "AUC"
    lower_is_better = False

    def __str__(self) -> str:
        return self.name if self.threshold == AUC().threshold else f"{self.name}(>={self.threshold:g})"

    def per_case(self, ratings: Ratings) -> NDArray[np.float64]:
        """Return NaN for every Case: one Case alone has no AUC."""
        return np.full(len(ratings), np.nan)

    def _extreme(self, ratings: Ratings, unanswered: Literal["worst", "best"]) -> NDArray[np.float64]:
        above = (ratings.truth >= self.threshold) == (unanswered == "best")
        return np.where(above, np.inf, -np.inf)

    def _weighted(
        self, truth: NDArray[np.float64], predicted: NDArray[np.float64], weights: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        values, group = np.unique(predicted, return_inverse=True)
        liked = truth >= self.threshold
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
