"""Rating prediction: the means and the trained models, on the newest tenth of the ratings (Kang et al. 2023).

`python -m tests.benchmarks.recall_ratings --data ml-100k --seeds 0 1 2`

Training holds the oldest 90% of all ratings by time; users and items that come later are left to the fallbacks of each
model, and users without any training rating are not asked, as the time split says. AUC: a rating of 4 or 5 is a like.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from llmrank.data.dataset import Split
from llmrank.data.load import load_dataset
from llmrank.data.splits import time_split
from llmrank.recall import recall_model
from llmrank.recall.ratings import ratings_of
from tests.benchmarks.machine import heading, table

LIKE = 4.0
Figures = tuple[float, float, float, float]
"""RMSE, MAE, AUC, CPU seconds of the fit."""


def means(split: Split) -> dict[str, NDArray[np.float64]]:
    """Return the predictions of the three means; where a user or an item has none, the mean of all."""
    train, test, ratings = split.train, split.test, ratings_of(split.train)
    overall = float(ratings.mean())

    def mean_by(column: NDArray[np.int32], asked: NDArray[np.int32], size: int) -> NDArray[np.float64]:
        count = np.bincount(column, minlength=size)
        return np.where(count, np.bincount(column, ratings, size) / np.maximum(count, 1), overall)[asked]

    return {
        "global mean": np.full(len(test), overall),
        "item mean": mean_by(train.item, test.item, len(split.dataset.items)),
        "user mean": mean_by(train.user, test.user, len(split.dataset.users)),
    }


def figures(predicted: NDArray[np.float64], split: Split, seconds: float) -> Figures:
    """Return the measures of the predictions."""
    truth = ratings_of(split.test)
    error = predicted - truth
    auc = float(roc_auc_score(truth >= LIKE, predicted))
    return float(np.sqrt((error**2).mean())), float(np.abs(error).mean()), auc, seconds


def row(name: str, found: Sequence[Figures]) -> tuple[str, ...]:
    """Return a line of the table: means ± standard deviations over seeds."""

    def cell(values: Sequence[float], digits: int) -> str:
        spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 and digits > 1 else ""
        return f"{statistics.mean(values):.{digits}f}{spread}"

    columns = list(zip(*found, strict=True))
    return (name, f"{len(found)}", *(cell(column, 4) for column in columns[:3]), cell(columns[3], 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="ml-100k")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    given = parser.parse_args()
    dataset = load_dataset(given.data)
    times = dataset.interactions.timestamp
    assert times is not None, "the split is by time"
    split = time_split(dataset, float(np.quantile(times, 0.9)))
    rows = [row(name, [figures(predicted, split, 0)]) for name, predicted in means(split).items()]
    for name in ("mf", "mlp", "transformer_mlp"):
        found: list[Figures] = []
        for seed in given.seeds:
            started = time.process_time()
            fitted = recall_model(name, seed=seed).fit(split)
            seconds = time.process_time() - started
            predicted = np.empty(len(split.test))
            for user in np.unique(split.test.user):
                of_user = split.test.user == user
                predicted[of_user] = fitted.score_items(int(user), split.test.item[of_user])
            found.append(figures(predicted, split, seconds))
        rows.append(row(name, found))
    what = f"Ratings of {given.data}: {len(split.train):,} to train on, {len(split.test):,} asked, {split.name}"
    print(heading(what, f"python -m tests.benchmarks.recall_ratings --data {given.data}", "torch"), "", sep="\n")
    print(table(("model", "seeds", "RMSE", "MAE", "AUC", "fit, CPU s"), rows))


if __name__ == "__main__":
    main()
