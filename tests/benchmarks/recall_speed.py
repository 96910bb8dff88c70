"""Recommenders beside the library that owns them, alone: the same settings, data and number of iterations.

`python -m tests.benchmarks.recall_speed [--data ml-1m] [--iterations 10] [--rounds 3]`

`ials` and `bpr` beside implicit. Both sides begin with the training events, run the same iterations of the same solver
with the training loss, and propose ten items to every user without those that the user has. What only llmrank does is
in its time: a call of the library and a copy of the factors for each iteration, the order of equal scores, the check
for NaN, scores in float64.

`by default` is `fit` as it is otherwise called, with at most as many iterations: it measures each iteration on held-out
events, and then trains again on all events for the best number of iterations. The library has no such thing, so that
ratio compares unlike work.

`--networks [--users 100]`: `autoint`, `bst` and `hstu` beside the network of torch-rechub in its own trainer, with its
data loader and the batch size of llmrank. Both sides train one epoch on the events of some users, and propose ten
items: HSTU to all of them, the click models to `PROPOSED`, for they take a pass per item. HSTU learns with the whole
catalogue on both sides. llmrank draws the negatives of the click models in its time; the library is given them.

CPU seconds, since other work on the machine would disturb the clock; the sides take turns.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits
from torch.utils.data import DataLoader

from llmrank.data.dataset import Split
from llmrank.data.load import load_dataset
from llmrank.data.splits import leave_last_out
from llmrank.recall import tuned_model
from llmrank.recall.ctr import ClickLearner, ClickModel
from llmrank.recall.ials import FactorModel
from llmrank.recall.sequential import SequentialLearner, SequentialModel
from tests.benchmarks.machine import heading, table

MODELS = ("ials", "bpr")
NETWORKS = ("autoint", "bst", "hstu")
K, PROPOSED = 10, 20
CALLS = 5
"""Of recommend, in each round."""
Sides = tuple[tuple[float, ...], tuple[float, ...]]
"""CPU seconds of llmrank and of the library alone."""


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


def of_clicks(model: ClickModel, split: Split, users: NDArray[np.int32]) -> Sides:
    """Return the CPU seconds of an epoch and of proposing: of llmrank, and of torch-rechub alone."""
    import torch
    from torch_rechub.trainers import CTRTrainer
    from torch_rechub.utils.data import TorchDataset

    learner = ClickLearner(model, split)
    network = model.network(len(split.dataset.users), learner.items)
    owners, taken, history = learner.samples(np.arange(len(learner.events)))
    times, rng = 1 + model.negatives, np.random.default_rng(0)
    items = np.column_stack([taken, rng.integers(1, learner.items + 1, (len(taken), model.negatives))]).ravel()
    inputs = learner.inputs(np.repeat(owners, times), items, np.repeat(history, times, axis=0))
    clicked = torch.tensor([1.0, *[0.0] * model.negatives]).repeat(len(taken))
    loader = DataLoader(TorchDataset(inputs, clicked), model.batch // times * times, shuffle=True)
    trainer = CTRTrainer(network, optimizer_params={"lr": model.learning_rate})
    every = np.arange(1, learner.items + 1)

    def propose() -> None:
        for user in users.tolist():
            newest = np.tile(learner._before(learner.ends[[user]]), (len(every), 1))
            asked = TorchDataset(learner.inputs(np.full(len(every), user), every, newest), torch.zeros(len(every)))
            scores = np.array(trainer.predict(network, DataLoader(asked, len(every))))
            scores[learner.owned[learner.owned // (learner.items + 1) == user] % (learner.items + 1) - 1] = -np.inf
            np.argsort(-scores)[:K]

    fitted = model.fitted(learner, split)
    ours = timed(lambda: learner.epoch(1)), timed(lambda: fitted.recommend(users, K))
    return ours, (timed(lambda: trainer.train_one_epoch(loader)), timed(propose))


def of_sequences(model: SequentialModel, split: Split, users: NDArray[np.int32]) -> Sides:
    """Return the CPU seconds of an epoch and of proposing: of llmrank, and of torch-rechub alone."""
    import torch
    from torch_rechub.models.generative import HSTUModel
    from torch_rechub.trainers import SeqTrainer
    from torch_rechub.utils.data import SeqDataset

    learner, length = SequentialLearner(model, split), model.length
    wide = model.dimension // model.heads
    network = HSTUModel(
        *(learner.items + 1, model.dimension, model.heads, model.blocks, wide, wide, length, model.dropout),
        time_bucket_fn="log",
        time_bucket_divisor=0.301,
        time_bucket_unit="seconds",
    )

    def rows(spans: Sequence[tuple[int, int, int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return items and times, left-padded."""
        both = np.zeros((2, len(spans), length), np.int64)
        for row, (user, start, end) in enumerate(spans):
            both[:, row, length - (end - start) :] = learner.sequences[user][start:end], learner.times[user][start:end]
        return both[0], both[1]

    tokens, times = rows([(user, start, end - 1) for user, start, end in learner.spans.tolist()])
    targets = np.array([learner.sequences[user][end - 1] for user, _, end in learner.spans.tolist()])
    positions = np.tile(np.arange(length), (len(tokens), 1))
    loader = DataLoader(SeqDataset(tokens, positions, targets, times), model.batch, shuffle=True)
    trainer = SeqTrainer(network, optimizer_params={"lr": model.learning_rate})

    def propose() -> None:
        newest, when = rows([(user, max(0, len(own) - length), len(own)) for user, own in enumerate(learner.sequences)])
        network.eval()
        with torch.inference_mode():
            for some in np.split(users, range(256, len(users), 256)):
                scores = network(torch.from_numpy(newest[some]), torch.from_numpy(when[some]))[:, -1]
                for row, user in enumerate(some.tolist()):
                    scores[row, learner.sequences[user]] = -torch.inf
                scores.topk(K)

    fitted = model.fitted(learner, split)
    ours = timed(lambda: learner.epoch(1)), timed(lambda: fitted.recommend(users, K))
    return ours, (timed(lambda: trainer.train_one_epoch(loader)), timed(propose))


def network_rows(split: Split, users: int, rounds: int) -> Iterator[tuple[str, ...]]:
    """Yield the lines of the models beside torch-rechub."""
    own = split.train.take(split.train.user < users)
    some = replace(split, train=own, dataset=replace(split.dataset, users=split.dataset.users[:users]))
    for name in NETWORKS:
        model = tuned_model(name, split, **({"negatives": len(split.dataset.items)} if name == "hstu" else {}))
        found: list[Sides] = []
        for _ in range(rounds):
            if isinstance(model, ClickModel):
                found.append(of_clicks(model, some, np.arange(PROPOSED, dtype=np.int32)))
            else:
                assert isinstance(model, SequentialModel)
                found.append(of_sequences(model, some, np.arange(users, dtype=np.int32)))
        yield from lines(name, ("an epoch", "recommend"), found)


def lines(name: str, what: Sequence[str], rounds: Sequence[Sides]) -> Iterator[tuple[str, ...]]:
    """Yield the lines of a model: the medians of both sides over the rounds, and their ratio."""
    ours, alone = ([statistics.median(part) for part in zip(*side, strict=True)] for side in zip(*rounds, strict=True))
    for part, mine, other in zip(what, ours, alone, strict=True):
        yield name, part, f"{mine:.2f}", f"{other:.2f}", f"{mine / other:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="ml-1m")
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--users", type=int, default=100, help="whose events the networks learn from")
    parser.add_argument("--networks", action="store_true", help="only the models beside torch-rechub")
    given = parser.parse_args()
    split = leave_last_out(load_dataset(given.data))
    rows: list[tuple[str, ...]] = []
    for name in () if given.networks else MODELS:
        model = tuned_model(name, split, epochs=given.iterations, validation_users=0)
        assert isinstance(model, FactorModel)
        rounds = [(of_llmrank(model, split), of_implicit(model, split)) for _ in range(given.rounds)]
        rows += lines(name, ("fit", "fit, by default", "recommend"), rounds)
    if given.networks:
        rows += network_rows(split, given.users, given.rounds)
    options = f"--networks --users {given.users}" if given.networks else f"--iterations {given.iterations}"
    command = f"python -m tests.benchmarks.recall_speed --data {given.data} {options} --rounds {given.rounds}"
    size = f"events of {given.users} users" if given.networks else f"{given.iterations} iterations"
    library = "torch-rechub" if given.networks else "implicit"
    print(heading(f"{given.data}, {size}; medians of {given.rounds} rounds", command, library), "", sep="\n")
    print(table(("model", "", "llmrank, CPU s", f"{library} alone, CPU s", "ratio"), rows))


if __name__ == "__main__":
    main()
