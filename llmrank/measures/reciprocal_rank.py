"""Reciprocal rank: how far down is the first relevant item?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from llmrank.measures.judgements import Judgements
from llmrank.measures.measure import RankingMeasure


class MRR(RankingMeasure):
    """MRR, MRR@k: 1 / rank of the first relevant item; 0 if there is none (within the first k).

    In a tie group of n items, r of them relevant, the first relevant item is at position j with probability
    C(n-j, r-1) / C(n, r) (McSherry & Najork 2008). From position j to j+1, this changes by (n-j-r+1) / (n-j).
    """

    name = "MRR"
    needs_cutoff = False

    def expected(self, judgements: Judgements) -> NDArray[np.float64]:
        """Return the expected value per Case."""
        first = judgements.first()
        above, size, hits = judgements.above[first], judgements.size[first], judgements.hits[first]
        places = np.minimum(judgements.within(self.k)[first], size - hits + 1)
        chance = hits / size
        expected = np.where(places > 0, chance / (above + 1), 0)
        place, rest = 1, np.flatnonzero(places > 1)
        chance = chance[rest]
        while len(rest):
            chance *= (size[rest] - hits[rest] - place + 1) / (size[rest] - place)
            place += 1
            expected[rest] += chance / (above[rest] + place)
            more = places[rest] > place
            rest, chance = rest[more], chance[more]
        values = np.zeros(len(judgements))
        values[judgements.case[first]] = expected
        return values
