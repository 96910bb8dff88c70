"""Average precision: the precision at each relevant item, averaged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from llmrank.measures.judgements import Judgements
from llmrank.measures.measure import RankingMeasure


class MAP(RankingMeasure):
    """MAP, MAP@k: precision at the rank of each relevant item (within the first k), summed, divided by all relevant.

    The divisor is trec_eval's: all relevant items, including those missed by recall or beyond the cut-off.

    In a tie group of n items below a others, with r relevant ones below b others, the item at place j is relevant with
    probability r/n, and then b + 1 + (j-1)(r-1)/(n-1) relevant items are expected down to it (McSherry & Najork 2008).
    Divided by its rank a + j and summed over the m places above the cut-off, with s = (r-1)/(n-1) and harmonic
    numbers H: r/n · ((b + 1 - s(a+1)) (H(a+m) - H(a)) + s·m).
    """

    name = "MAP"
    needs_cutoff = False

    def expected(self, judgements: Judgements) -> NDArray[np.float64]:
        """Return the expected value per Case."""
        above, size, hits, within = judgements.above, judgements.size, judgements.hits, judgements.within(self.k)
        harmonic = np.concatenate(([0.0], np.cumsum(1 / np.arange(1, (above + within).max(initial=0) + 1))))
        slope = (hits - 1) / np.maximum(size - 1, 1)
        constant = judgements.hits_above() + 1 - slope * (above + 1)
        precision = constant * (harmonic[above + within] - harmonic[above]) + slope * within
        return judgements.sum(hits / size * precision) / np.maximum(judgements.relevant, 1)
