"""Mean absolute error of ratings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from llmrank.measures.measure import RatingMeasure


class MAE(RatingMeasure):
    """MAE, in units of the rating scale."""

    name = "MAE"
    is_mean = True

    def _weighted(
        self, truth: NDArray[np.float64], predicted: NDArray[np.float64], weights: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        total = weights.sum(axis=1)
        return np.divide(weights @ np.abs(predicted - truth), total, out=np.full(len(total), np.nan), where=total > 0)
