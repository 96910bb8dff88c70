"""Matrix factorizations beside the library that owns them, alone: the same settings, data and number of iterations.

`python -m tests.benchmarks.recall_speed [--data ml-1m] [--iterations 10] [--rounds 3]`

Both sides fit on the same matrix, and propose ten items to every user without those that the user has. CPU seconds,
since other work on the machine would disturb the clock; the sides take turns.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

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


def timed(work: Callable[[], object]) -> float:
    """Return the CPU seconds of a call."""
    started = time.process_time()
    work()
    return time.process_time() - started


def of_llmrank(model: FactorModel, split: Split) -> tuple[float, float]:
    """Return the CPU seconds of fit and recommend."""
    started = time.process_time()
    fitted = model.fit(split)
    fit = time.process_time() - started
    users = np.arange(len(split.dataset.users), dtype=np.int32)
    return fit, timed(lambda: fitted.recommend(users, K))


def of_implicit(model: FactorModel, split: Split) -> tuple[float, float]:
    """Return the CPU seconds of fit and recommend of the library alone."""
    train, shape = split.train, (len(split.dataset.users), len(split.dataset.items))
    matrix = csr_matrix((np.ones(len(train)), (train.user, train.item)), shape=shape)
    matrix.data[:] = 1.0
    with threadpool_limits(1, "blas"):
        solver = model.solver()
        solver.iterations, solver.random_state = model.epochs, model.seed
        fit = timed(lambda: solver.fit(matrix, show_progress=False))
        users = np.arange(shape[0])
        return fit, timed(lambda: solver.recommend(users, matrix, N=K))


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
        for what, mine, other in zip(("fit", "recommend"), ours, alone, strict=True):
            rows.append((name, what, f"{mine:.2f}", f"{other:.2f}", f"{mine / other:.2f}"))
    command = f"python -m tests.benchmarks.recall_speed --data {given.data} --iterations {given.iterations}"
    what = f"{given.data}, {given.iterations} iterations; medians of {given.rounds} rounds"
    print(heading(what, command, "implicit"), "", sep="\n")
    print(table(("model", "", "llmrank, CPU s", "implicit alone, CPU s", "ratio"), rows))


if __name__ == "__main__":
    main()
