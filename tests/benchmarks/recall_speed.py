"""Matrix factorizations beside the library that owns them, alone: the same settings, data and number of iterations.

`python -m tests.benchmarks.recall_speed [--data ml-1m] [--iterations 10] [--rounds 3]`

Both sides begin with the training events, run the same iterations of the same solver with the training loss, and
propose ten items to every user without those that the user has. What only llmrank does is in its time: a call of the
library and a copy of the factors for each iteration, the order of equal scores, the check for NaN, scores in float64.

`by default` is `fit` as it is otherwise called, with at most as many iterations: it measures each iteration on held-out
events, and then trains again on all events for the best number of iterations. The library has no such thing, so that
ratio compares unlike work.

CPU seconds, since other work on the machine would disturb the clock; the sides take turns.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from llmrank.data.dataset import Split
from llmrank.data.load import load_dataset
from llmrank.data.splits import leave_last_out
from llmrank.recall import tuned_model
from llmrank.recall.ials import FactorModel
from tests.benchmarks.machine import heading, table

MODELS = ("ials", "bpr")
K = 10
CALLS = 5
"""Of recommend, in each round."""


def timed(work: Callable[[], object]) -> float:
    """Return the CPU seconds of a call."""
    started = time.process_time()
    work()
    return time.process_time() - started


def proposing(work: Callable[[], object]) -> float:
    """Return the median CPU seconds of several calls: the first may also wait for memory."""
    return statistics.median(timed(work) for _ in range(CALLS))


def of_llmrank(model: FactorModel, split: Split) -> tuple[float, float, float]:
    """Return the CPU seconds of fit, of fit by default, and of recommend."""
    by_default = timed(lambda: replace(model, validation_users=type(model)().validation_users).fit(split))
    started = time.process_time()
    fitted = model.fit(split)
    fit = time.process_time() - started
    users = np.arange(len(split.dataset.users), dtype=np.int32)
    return fit, by_default, proposing(lambda: fitted.recommend(users, K))


def of_implicit(model: FactorModel, split: Split) -> tuple[float, float, float]:
    """Return the CPU seconds of fit (twice) and recommend of the library alone."""
    train, shape = split.train, (len(split.dataset.users), len(split.dataset.items))
    with threadpool_limits(1, "blas"):
        started = time.process_time()
        matrix = csr_matrix((np.ones(len(train), np.float32), (train.user, train.item)), shape=shape)
        matrix.data[:] = 1.0
        solver = model.solver()
        solver.iterations, solver.random_state = model.epochs, model.seed
        solver.fit(matrix, show_progress=False)
        fit = time.process_time() - started
        users = np.arange(shape[0])
        return fit, fit, proposing(lambda: solver.recommend(users, matrix, N=K))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="ml-1m")
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    split = leave_last_out(load_dataset(given.data))
    rows: list[tuple[str, ...]] = []
    for name in MODELS:
        model = tuned_model(name, split, epochs=given.iterations, validation_users=0)
        assert isinstance(model, FactorModel)
        rounds = [(of_llmrank(model, split), of_implicit(model, split)) for _ in range(given.rounds)]
        ours, alone = (
            [statistics.median(part) for part in zip(*side, strict=True)] for side in zip(*rounds, strict=True)
        )
        for what, mine, other in zip(("fit", "fit, by default", "recommend"), ours, alone, strict=True):
            rows.append((name, what, f"{mine:.2f}", f"{other:.2f}", f"{mine / other:.2f}"))
    options = f"--data {given.data} --iterations {given.iterations} --rounds {given.rounds}"
    command = f"python -m tests.benchmarks.recall_speed {options}"
    what = f"{given.data}, {given.iterations} iterations; medians of {given.rounds} rounds"
    print(heading(what, command, "implicit"), "", sep="\n")
    print(table(("model", "", "llmrank, CPU s", "implicit alone, CPU s", "ratio"), rows))


if __name__ == "__main__":
    main()
