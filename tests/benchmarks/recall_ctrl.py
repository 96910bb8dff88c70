"""Click-through models, and CTRL against the same model without stage 1: full catalogue, leave-last-out.

`python -m tests.benchmarks.recall_ctrl FOLDER --data ml-100k --seeds 0 1 2`

Full catalogue: NDCG@10 and HR@10 of the test events, without items already seen. As in the papers on click-through
models: AUC and log loss of each test event against an item that the user does not have, drawn with seed 0. Intervals
are over users; a user's value is the mean over the seeds. All settings are the defaults. FOLDER keeps the checkpoints,
so the same command continues; `--show` uses the seeds whose trainings are all finished, and trains nothing. BST takes
ten times as long, so it has seeds of its own.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from llmrank.data.dataset import Split
from llmrank.data.load import load_dataset
from llmrank.data.splits import leave_last_out
from llmrank.recall import tuned_model
from llmrank.recall.ctr import LEAST_PROBABILITY, judged_clicks
from llmrank.recall.model import Fitted
from llmrank.recall.training import TrainedModel, read_checkpoint
from llmrank.run.tables import p_value
from llmrank.stats import mean_interval, paired_difference
from tests.benchmarks.machine import heading, table

NAMES = ("autoint", "ctrl", "bst")
REPLICAS = 1000
Values = Mapping[str, NDArray[np.float64]]


def model_of(name: str, split: Split, seed: int) -> TrainedModel:
    """Return the untrained model."""
    model = tuned_model(name, split, seed=seed)
    assert isinstance(model, TrainedModel)
    return model


def measured(fitted: Fitted, split: Split) -> Values:
    """Return the values of each test event: those of the full catalogue, and its probability beside another's."""
    users, wanted = split.test.user, split.test.item
    items, _ = fitted.recommend(users, 10)
    hits = items == wanted[:, None]
    places = np.where(hits.any(axis=1), hits.argmax(axis=1), np.inf)
    _, probabilities = judged_clicks(fitted, split, users, 0)
    taken, left = probabilities.T
    return {
        "NDCG@10": 1 / np.log2(places + 2),
        "HR@10": np.isfinite(places).astype(float),
        "taken": taken,
        "left": left,
        "log loss": -(np.log(taken) + np.log(1 - left)) / 2,
    }


def auc(values: Values, rows: NDArray[np.int64]) -> float:
    """Return the AUC of some users' events against the items beside them."""
    labels = np.repeat([1, 0], len(rows))
    return float(roc_auc_score(labels, np.concatenate([values["taken"][rows], values["left"][rows]])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the checkpoints are kept")
    parser.add_argument("--data", default="ml-100k")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--bst", nargs="*", type=int, default=[0], metavar="SEED", help="seeds of BST")
    parser.add_argument("--show", action="store_true", help="train nothing")
    given = parser.parse_args()
    split = leave_last_out(load_dataset(given.data))
    found: dict[str, list[Values]] = {name: [] for name in NAMES}
    lines: list[tuple[str, ...]] = []
    for names, seed in [*((NAMES[:2], seed) for seed in given.seeds), *((NAMES[2:], seed) for seed in given.bst)]:
        paths = {name: given.folder / f"{given.data}-{name}-{seed}.pt" for name in names}
        done = [path.exists() and read_checkpoint(path)["progress"]["stage"] == "done" for path in paths.values()]
        if given.show and not all(done):
            continue
        for name, path in paths.items():
            model = model_of(name, split, seed)
            fitted = model.fit(split, checkpoint=path, on_epoch=lambda epoch: print(epoch, file=sys.stderr, flush=True))
            found[name].append(measured(fitted, split))
            progress = read_checkpoint(path)["progress"]
            seconds = sum(line[5] for line in progress["history"])
            cells = (f"{progress['best_epoch']} of {len(progress['history'])}", f"{progress['best_value']:.4f}")
            lines.append((name, f"{seed}", *cells, f"{seconds:.0f}"))
    found = {name: values for name, values in found.items() if values}
    means = {
        name: {key: np.mean([one[key] for one in values], axis=0) for key in values[0]}
        for name, values in found.items()
    }
    rows: list[tuple[str, ...]] = []
    for measure in ("NDCG@10", "HR@10", "log loss"):
        bounds = (0, -math.log(LEAST_PROBABILITY) if measure == "log loss" else 1)
        values = [mean_interval(one[measure], bounds=bounds) for one in means.values()]
        difference = paired_difference(means["ctrl"][measure], means["autoint"][measure])
        cells = [f"{one.value:.4f} [{one.low:.4f}, {one.high:.4f}]" for one in values]
        against = f"{difference.difference:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"
        rows.append((measure, *cells, against, p_value(difference.p)))
    rng, everyone = np.random.default_rng(0), np.arange(len(split.test))
    draws = [everyone, *(rng.choice(everyone, len(everyone)) for _ in range(REPLICAS))]
    areas = np.array([[np.mean([auc(one, rows) for one in values]) for values in found.values()] for rows in draws])
    areas = np.column_stack([areas, areas[:, 1] - areas[:, 0]])
    ends = np.quantile(areas[1:], (0.025, 0.975), axis=0).T
    *plain, against = zip(areas[0], ends, strict=True)
    cells = [f"{value:.4f} [{low:.4f}, {high:.4f}]" for value, (low, high) in plain]
    rows.append(("AUC", *cells, f"{against[0]:+.4f} [{against[1][0]:+.4f}, {against[1][1]:+.4f}]", ""))
    others = f" and {', '.join(found.keys() - {*NAMES[:2]})}" if len(found) > 2 else ""
    what = f"ctrl, autoint (the same without stage 1){others}: {given.data}, {len(split.test)} users, full catalogue"
    seeds = " ".join(["--seeds", *map(str, given.seeds), "--bst", *map(str, given.bst)])
    command = f"python -m tests.benchmarks.recall_ctrl FOLDER --data {given.data} {seeds}"
    print(heading(what, command, "torch", "torch-rechub"))
    print()
    columns = ("measure", *(f"{name} [95%]" for name in found), "ctrl minus autoint [95%]", "p")
    print(table(columns, rows), "", sep="\n")
    print(table(("model", "seed", "best epoch", "validation NDCG@10", "fit, CPU s"), lines))


if __name__ == "__main__":
    main()
