"""Mean absolute error of ratings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from llmrank.measures.measure import RatingMeasure
from llmrank.measures.ratings import Ratings


class MAE(RatingMeasure):
    """MAE, in units of the rating scale."""

    name = "MAE"
    is_mean = True

    def weighted(self, ratings: Ratings, weights: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the measure for each row of `weights`."""
        total = weights.sum(axis=1)
        return np.divide(
            weights @ np.abs(ratings.predicted - ratings.truth), total, out=np.full(len(total), np.nan), where=total > 0
        )
