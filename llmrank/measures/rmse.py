"""Root mean squared error of ratings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from llmrank.measures.measure import RatingMeasure, weighted_mean
from llmrank.measures.ratings import Ratings


class RMSE(RatingMeasure):
    """RMSE, in units of the rating scale."""

    name = "RMSE"
    is_headline = True
    of_case = "squared error"

    def compared(self, judged: Ratings) -> NDArray[np.float64]:
        """Return the squared error per Case."""
        return self.per_case(judged) ** 2

    def weighted(self, ratings: Ratings, weights: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the measure for each row of `weights`."""
        return np.sqrt(weighted_mean((ratings.predicted - ratings.truth) ** 2, weights))
