"""Recall by popularity: the same list for all users, without the items each one has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmrank.data.dataset import Split
from llmrank.recall.model import Fitted, RecallModel, preferences


@dataclass(frozen=True)
class Popularity(RecallModel):
    """An item's score is the number of its training events."""

    name = "popularity"

    def fit(self, split: Split) -> Fitted:
        """Return the model."""
        known = preferences(split)
        counts = known.popularity.astype(np.float64)
        return Fitted(known, lambda rows: np.tile(counts, (len(rows), 1)))
