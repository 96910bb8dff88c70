"""Recall by popularity: the same list for everybody, less what they have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmrank.data.dataset import Split
from llmrank.recall.model import Fitted, preferences


@dataclass(frozen=True, slots=True)
class Popularity:
    """An item's score is the number of training users who have it."""

    @property
    def name(self) -> str:
        """`popularity`."""
        return "popularity"

    @property
    def settings(self) -> Mapping[str, int | float | str | bool]:
        """There are none."""
        return {}

    def fit(self, split: Split) -> Fitted:
        """Return the model."""
        known = preferences(split)
        counts = known.popularity.astype(np.float64)

        def score(rows: NDArray[np.int32]) -> NDArray[np.float64]:
            return np.tile(counts, (len(rows), 1))

        return Fitted(known, score)
