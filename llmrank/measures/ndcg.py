"""Normalised discounted cumulative gain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from llmrank.measures.judgements import Judgements
from llmrank.measures.measure import RankingMeasure


class NDCG(RankingMeasure):
    """NDCG@k with gain 1 for a relevant item and discount 1 / log2(rank + 1) (Järvelin & Kekäläinen 2002).

    It is divided by the ideal that can be achieved: all relevant items (at most k) on top, those that the recall stage
    missed included. Tied items share the mean discount of their places (McSherry & Najork 2008).
    """

    name = "NDCG"
    is_headline = True

    def _expected(self, judgements: Judgements) -> NDArray[np.float64]:
        assert self.k is not None
        top = np.minimum(judgements.above, self.k)
        bottom = top + judgements.within(self.k)
        ideal = np.minimum(judgements.relevant, self.k)
        gain = discounts_up_to(max(bottom.max(initial=0), ideal.max(initial=1)))
        found = judgements.hits / judgements.size * (gain[bottom] - gain[top])
        return judgements.sum(found) / gain[np.maximum(ideal, 1)]


def discounts_up_to(depth: int) -> NDArray[np.float64]:
    """Return the sums of the first 0, 1, …, `depth` discounts."""
    return np.concatenate(([0.0], np.cumsum(1 / np.log2(np.arange(2, depth + 2)))))
