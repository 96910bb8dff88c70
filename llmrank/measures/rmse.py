"""Root mean squared error of ratings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from llmrank.measures.measure import RatingMeasure


class RMSE(RatingMeasure):
    """RMSE, in units of the rating scale."""

    name = "RMSE"
    is_headline = True

    def _weighted(
        self, truth: NDArray[np.float64], predicted: NDArray[np.float64], weights: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        total = weights.sum(axis=1)
        squared = weights @ (predicted - truth) ** 2
        return np.sqrt(np.divide(squared, total, out=np.full(len(total), np.nan), where=total > 0))
