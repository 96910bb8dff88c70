"""Recall: how many of the relevant items are among the first k?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from llmrank.measures.judgements import Judgements
from llmrank.measures.measure import RankingMeasure


class Recall(RankingMeasure):
    """Recall@k: relevant items among the first k, divided by all relevant items, including those missed by recall."""

    name = "Recall"

    def expected(self, judgements: Judgements) -> NDArray[np.float64]:
        """Return the expected value per Case."""
        found = judgements.hits * (judgements.within(self.k) / judgements.size)
        return judgements.sum(found) / np.maximum(judgements.relevant, 1)
