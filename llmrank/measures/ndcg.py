"""Normalised discounted cumulative gain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from llmrank.measures.judgements import Judgements
from llmrank.measures.measure import RankingMeasure


class NDCG(RankingMeasure):
    """NDCG@k with the item's gain (1 for binary relevance) and discount 1 / log2(rank + 1), as in trec_eval's ndcg_cut
    (Järvelin & Kekäläinen 2002).

    The divisor is the ideal DCG: the relevant items (at most k) on top, highest gain first, including those missed by
    recall. Tied items share the mean discount of their positions, and the mean gain (McSherry & Najork 2008).
    """

    name = "NDCG"
    is_headline = True

    def expected(self, judgements: Judgements) -> NDArray[np.float64]:
        """Return the expected value per Case."""
        assert self.k is not None
        top = np.minimum(judgements.above, self.k)
        bottom = top + judgements.within(self.k)
        relevant = np.minimum(judgements.relevant, self.k)
        depth = max(bottom.max(initial=0), relevant.max(initial=1))
        discounts = np.concatenate(([0.0], np.cumsum(1 / np.log2(np.arange(2, depth + 2)))))  # of the first 0, 1, …
        found = judgements.sum(judgements.gains() / judgements.size * (discounts[bottom] - discounts[top]))
        if judgements.ideal is None:
            return found / discounts[np.maximum(relevant, 1)]
        case = np.repeat(np.arange(len(judgements)), judgements.relevant)
        start = np.cumsum(judgements.relevant) - judgements.relevant
        rank = np.arange(len(case)) - start[case]
        within = rank < self.k
        gain = judgements.ideal[within] * np.diff(discounts)[rank[within]]
        ideal = np.bincount(case[within], gain, minlength=len(judgements))
        return found / np.where(ideal > 0, ideal, 1.0)
