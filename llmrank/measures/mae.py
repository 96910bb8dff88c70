"""Mean absolute error of ratings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from llmrank.measures.measure import RatingMeasure, weighted_mean
from llmrank.measures.ratings import Ratings


class MAE(RatingMeasure):
    """MAE, in units of the rating scale."""

    name = "MAE"
    is_mean = True

    def weighted(self, ratings: Ratings, weights: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the measure for each row of `weights`."""
        return weighted_mean(np.abs(ratings.predicted - ratings.truth), weights)
