"""Judges a whole matrix at once: for comparing with libraries that work on matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from llmrank.measures import Judgements

COMPARED_AT_A_TIME = 1 << 20
"""Scores compared in one step, so that memory does not grow with the number of Cases."""


def judged_arrays(
    relevance: NDArray[np.bool_],
    scores: NDArray[np.floating] | None = None,
    relevant: NDArray[np.integer] | None = None,
) -> Judgements:
    """`relevance[case, column]` says whether that candidate is relevant. Without `scores` the columns are the ranks,
    best first, and there are no ties. With them the columns may stand in any order, higher is better, equal is tied,
    and NaN fills up rows that have fewer candidates. `relevant[case]` counts all relevant ids, where some are missed.
    """
    cases, columns = relevance.shape
    case, column = np.nonzero(relevance)
    known = relevance.sum(axis=1, dtype=np.int64) if relevant is None else relevant.astype(np.int64)
    everyone = np.ones(cases, dtype=bool)
    if scores is None:
        alone = np.ones_like(case)
        return Judgements(known, np.full(cases, columns), everyone, case, column, alone, alone)
    own = scores[case, column]
    above, size = np.empty_like(case), np.empty_like(case)
    step = max(1, COMPARED_AT_A_TIME // max(columns, 1))
    for first in range(0, len(case), step):
        part = slice(first, first + step)
        rows, score = scores[case[part]], own[part, None]
        above[part] = np.count_nonzero(rows > score, axis=1)
        size[part] = np.count_nonzero(rows == score, axis=1)
    order = np.lexsort((above, case))
    case, above, size = case[order], above[order], size[order]
    head = np.flatnonzero(np.diff(case, prepend=-1) | np.diff(above, prepend=-1))
    hits = np.diff(head, append=len(case))
    listed = np.count_nonzero(~np.isnan(scores), axis=1)
    return Judgements(known, listed, everyone, case[head], above[head], size[head], hits)
