"""Seconds to judge and measure N Cases of 100 candidates: `python tests/benchmarks/measures.py [CASES]` (1,000,000).

Each line is one way in, timed from the arrays to the per-Case values of ten measures; the arrays are made beforehand.
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np

from llmrank.measures import Judgements, parse_measure
from llmrank.types import Ranking

MEASURES = [
    *(parse_measure(name) for name in ("HR@1", "HR@10", "Recall@10", "Recall@50", "Precision@10")),
    *(parse_measure(name) for name in ("NDCG@10", "NDCG@50", "MRR", "MRR@10", "MAP")),
]
CANDIDATES = 100


def timed(label: str, judge) -> None:
    started = time.perf_counter()
    judgements: Judgements = judge()
    judged = time.perf_counter()
    means = [measure.value(judgements) for measure in MEASURES]
    done = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{label:44} judge {judged - started:6.2f} s  measure {done - judged:6.2f} s  peak {peak:5} MB"
        f"  {MEASURES[5]} {means[5]:.4f}"
    )


def main() -> None:
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    print(f"{cases:,} Cases x {CANDIDATES} candidates, {len(MEASURES)} measures, means of per-Case values")
    rng = np.random.default_rng(0)
    scores = rng.random((cases, CANDIDATES), dtype=np.float32)
    relevance = np.zeros((cases, CANDIDATES), dtype=bool)
    relevance[np.arange(cases), rng.integers(0, CANDIDATES, cases)] = True
    timed("1 relevant, columns in ranked order", lambda: Judgements.from_arrays(relevance))
    timed("1 relevant, scores, unsorted", lambda: Judgements.from_arrays(relevance, scores))
    timed("1 relevant, every candidate tied", lambda: Judgements.from_arrays(relevance).random())
    relevance[np.arange(cases)[:, None], rng.integers(0, CANDIDATES, (cases, 9))] = True
    timed("10 relevant, columns in ranked order", lambda: Judgements.from_arrays(relevance))
    timed("10 relevant, scores, unsorted", lambda: Judgements.from_arrays(relevance, scores))
    np.floor(scores * 5, out=scores)
    timed("10 relevant, scores of 5 levels: ties", lambda: Judgements.from_arrays(relevance, scores))
    timed("10 relevant, every candidate tied", lambda: Judgements.from_arrays(relevance).random())
    few = min(cases, 10_000)
    names = np.array([f"item {i}" for i in range(CANDIDATES)], dtype=object)
    orders = [tuple(names[np.argsort(-row)]) for row in scores[:few]]
    labels = [set(names[row]) for row in relevance[:few]]
    timed(f"{few:,} Rankings", lambda: Judgements.from_rankings((Ranking(o, named=20) for o in orders), labels))


if __name__ == "__main__":
    main()
