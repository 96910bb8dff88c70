"""Hit rate: is any relevant item among the first k?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from llmrank.measures.judgements import Judgements
from llmrank.measures.measure import RankingMeasure


class HR(RankingMeasure):
    """HR@k: 1 if a relevant item is among the first k, else 0 (ir_measures: Success@k).

    If the cut-off falls inside the topmost tie group with relevant items, with m of its n positions above the cut-off
    and r of its items relevant, the value is 1 - C(n-r, m) / C(n, m), the hypergeometric probability of at least one.
    """

    name = "HR"

    def expected(self, judgements: Judgements) -> NDArray[np.float64]:
        """Return the expected value per Case."""
        first = judgements.first()
        size, hits, within = judgements.size[first], judgements.hits[first], judgements.within(self.k)[first]
        miss = np.ones(len(size))
        cut = np.flatnonzero((within > 0) & (within < size))
        miss[within == size] = 0
        for drawn in range(hits[cut].max(initial=0)):
            left = np.maximum(size[cut] - within[cut] - drawn, 0) / (size[cut] - np.minimum(drawn, hits[cut] - 1))
            miss[cut] *= np.where(drawn < hits[cut], left, 1)
        values = np.zeros(len(judgements))
        values[judgements.case[first]] = 1 - miss
        return values
