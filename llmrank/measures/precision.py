"""Precision: how many of the first k are relevant?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from llmrank.measures.judgements import Judgements
from llmrank.measures.measure import RankingMeasure


class Precision(RankingMeasure):
    """Precision@k: relevant items among the first k, divided by k (as in trec_eval, even for shorter lists)."""

    name = "Precision"

    def expected(self, judgements: Judgements) -> NDArray[np.float64]:
        """Return the expected value per Case."""
        assert self.k is not None
        return judgements.sum(judgements.hits * (judgements.within(self.k) / judgements.size)) / self.k
