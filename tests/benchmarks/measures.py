"""Seconds and memory to measure a million Cases of 100 candidates, beside ranx and ir_measures on the same arrays.

`python -m tests.benchmarks.measures FOLDER [--cases 1000000] [--dict-cases 100000]`. FOLDER keeps an environment for
ranx. Every package runs in its own process, from the same matrix of scores and the same relevant columns to the means
of ten per-Case measures; all must find the same means.

*prepare* turns the two matrices into the native input of each. For llmrank these are its Judgements; for ranx the
arrays of ids and scores, best first, that its compiled functions take (compiled beforehand, on few Cases); for
ir_measures the dictionaries of trec_eval. A million Cases do not fit into these, so it gets `--dict-cases`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.environments import environment, installed
from tests.benchmarks.machine import heading, table

CANDIDATES = 100
NAMES = ("HR@1", "HR@10", "Recall@10", "Recall@50", "Precision@10", "NDCG@10", "NDCG@50", "MRR", "MRR@10", "MAP")
RANX = (
    "hit_rate@1",
    "hit_rate@10",
    "recall@10",
    "recall@50",
    "precision@10",
    "ndcg@10",
    "ndcg@50",
    "mrr",
    "mrr@10",
    "map",
)
IR_MEASURES = ("Success@1", "Success@10", "R@10", "R@50", "P@10", "nDCG@10", "nDCG@50", "RR", "RR@10", "AP")

Scores, Columns = NDArray[np.float64], NDArray[np.int64]
Laps = tuple[float, float, list[float]]
"""Seconds to prepare, seconds to measure, and the means."""


def drawn(cases: int, relevant: int) -> tuple[Scores, Columns]:
    """Return scores[case, column], and which columns are relevant[case, place], each once."""
    rng = np.random.default_rng(0)
    scores = rng.random((cases, CANDIDATES))
    first = rng.integers(0, CANDIDATES, cases)
    return scores, (first[:, None] + 7 * np.arange(relevant)) % CANDIDATES


def relevance(columns: Columns) -> NDArray[np.bool_]:
    """Return which candidates are relevant, as a matrix."""
    matrix = np.zeros((len(columns), CANDIDATES), dtype=bool)
    matrix[np.arange(len(columns))[:, None], columns] = True
    return matrix


def llmrank(scores: Scores, columns: Columns, *, ranked: bool = False, ties: bool = False) -> Laps:
    """Judge by the scores, or with `ranked` by columns that stand in order, as ranx needs them; with `ties` of 5
    levels of scores."""
    from llmrank.measures import RankingMeasure, parse_measure
    from tests.measures.arrays import judged_arrays

    measures = [measure for name in NAMES if isinstance(measure := parse_measure(name), RankingMeasure)]
    matrix = relevance(columns)
    if ties:
        scores = np.floor(scores * 5)
    started = time.perf_counter()
    if ranked:
        order = np.argsort(-scores, axis=1)
        judgements = judged_arrays(np.take_along_axis(matrix, order, axis=1))
    else:
        judgements = judged_arrays(matrix, scores)
    judged = time.perf_counter()
    means = [float(measure.per_case(judgements).mean()) for measure in measures]
    return judged - started, time.perf_counter() - judged, means


def ranx(scores: Scores, columns: Columns) -> Laps:
    """Sort by the scores, as ranx wants its arrays, and let it measure on all cores."""
    from ranx import evaluate

    def arrays(scores: Scores, columns: Columns) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        order = np.argsort(-scores, axis=1)
        run = np.stack([order.astype(np.float64), np.take_along_axis(scores, order, axis=1)], axis=2)
        return np.stack([columns.astype(np.float64), np.ones(columns.shape)], axis=2), run

    evaluate(*arrays(scores[:50], columns[:50]), list(RANX))
    started = time.perf_counter()
    qrels, run = arrays(scores, columns)
    prepared = time.perf_counter()
    found: Any = evaluate(qrels, run, list(RANX))
    return prepared - started, time.perf_counter() - prepared, [float(found[name]) for name in RANX]


def ir_measures(scores: Scores, columns: Columns) -> Laps:
    """Make the dictionaries, and let ir_measures aggregate."""
    import ir_measures as irm

    measures = [irm.parse_measure(name) for name in IR_MEASURES]
    started = time.perf_counter()
    items = [str(column) for column in range(CANDIDATES)]
    run = {str(case): dict(zip(items, row, strict=True)) for case, row in enumerate(scores.tolist())}
    qrels = {str(case): {items[column]: 1 for column in row} for case, row in enumerate(columns.tolist())}
    prepared = time.perf_counter()
    found = irm.calc_aggregate(measures, qrels, run)
    return prepared - started, time.perf_counter() - prepared, [float(found[measure]) for measure in measures]


WAYS: dict[str, tuple[Callable[[Scores, Columns], Laps], int]] = {
    "llmrank, 1 relevant": (llmrank, 1),
    "ranx, 1 relevant": (ranx, 1),
    "ir_measures, 1 relevant": (ir_measures, 1),
    "llmrank, 10 relevant": (llmrank, 10),
    "ranx, 10 relevant": (ranx, 10),
    "ir_measures, 10 relevant": (ir_measures, 10),
    "llmrank, 10 relevant, sorted first": (lambda scores, columns: llmrank(scores, columns, ranked=True), 10),
    "llmrank, 10 relevant, scores of 5 levels: ties": (lambda scores, columns: llmrank(scores, columns, ties=True), 10),
}


def run(way: str, cases: int) -> None:
    """Measure in this process, and print what came of it."""
    measure, relevant = WAYS[way]
    scores, columns = drawn(cases, relevant)
    arrays = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    prepare, seconds, means = measure(scores, columns)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"prepare": prepare, "measure": seconds, "means": means, "more": (peak - arrays) / 1024}))


def compare(folder: Path, cases: int, dict_cases: int) -> list[tuple[str, ...]]:
    """Return a line per way."""
    lines: list[tuple[str, ...]] = []
    agreed: dict[tuple[int, int], list[float]] = {}
    for way, (measure, relevant) in WAYS.items():
        number = dict_cases if measure is ir_measures else cases
        python = str(environment(folder, "ranx")) if measure is ranx else sys.executable
        command = [python, "-m", "tests.benchmarks.measures", str(folder), "--run", way, "--cases", str(number)]
        env = {**os.environ, "PYTHONPATH": "."}
        ran = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
        if ran.returncode:
            sys.exit(f"{way}: {ran.stderr[-2000:]}")
        found = json.loads(ran.stdout.splitlines()[-1])
        if (number, relevant) not in agreed:
            agreed[number, relevant] = found["means"] if measure is llmrank else llmrank(*drawn(number, relevant))[2]
        # Of ties llmrank takes the expected value, which the others do not know.
        if "ties" not in way and not np.allclose(found["means"], agreed[number, relevant], rtol=0, atol=1e-7):
            sys.exit(f"{way} found {found['means']}, llmrank {agreed[number, relevant]}")
        both = found["prepare"] + found["measure"]
        lines.append(
            (
                way,
                f"{number:,}",
                f"{found['prepare']:.2f}",
                f"{found['measure']:.2f}",
                f"{both:.2f}",
                f"{number / both:,.0f}",
                f"{found['more']:,.0f}",
            )
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the environment of ranx is kept")
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--dict-cases", type=int, default=100_000, help="for ir_measures")
    parser.add_argument("--run", choices=list(WAYS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        run(given.run, given.cases)
        return
    folder: Path = given.folder.resolve()
    lines = compare(folder, given.cases, given.dict_cases)
    what = (
        f"{CANDIDATES} candidates a Case, {len(NAMES)} measures; ranx {installed(folder, 'ranx')} in an environment of "
        "its own, on all cores; the others on one\neach found the same means; MB: peak above the matrices given"
    )
    head = ("", "Cases", "prepare s", "measure s", "both s", "Cases/s", "MB")
    command = f"python -m tests.benchmarks.measures FOLDER --cases {given.cases} --dict-cases {given.dict_cases}"
    print(heading(what, command, "numpy", "ir-measures", "pytrec_eval-terrier"), table(head, lines), sep="\n\n")


if __name__ == "__main__":
    main()
