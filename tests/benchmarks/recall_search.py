"""Search the settings of the recall models.

`python -m tests.benchmarks.recall_search FOLDER --data ml-100k ml-latest-small --models ease ials …`

The criterion is NDCG@10 on validation events taken from the training events; for rating models it is the RMSE, shown
negative. Every combination of `GRID` is fitted once, with seed 0. FOLDER keeps a line for each finished fit, so the
same command continues; at the end it prints the table. The test events are never used.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from llmrank.data.dataset import Split
from llmrank.data.load import load_dataset
from llmrank.data.splits import leave_last_out
from llmrank.recall import recall_model
from llmrank.recall.training import Epoch, TrainedModel, hold_out, ndcg
from tests.benchmarks.machine import heading, table

Settings = Mapping[str, float]

GRID: Mapping[str, Mapping[str, tuple[float, ...]]] = {
    "popularity": {},
    "itemknn": {"neighbours": (20, 50, 100, 200)},
    "ease": {"l2": (50.0, 100.0, 200.0, 500.0, 1000.0)},
    "ials": {"dimension": (16, 32, 64, 128), "alpha": (1.0, 4.0, 16.0, 64.0), "regularization": (0.01, 1.0, 10.0)},
    "bpr": {"dimension": (32, 64), "learning_rate": (0.02, 0.05), "regularization": (0.0003, 0.001, 0.003, 0.01, 0.03)},
    "hstu": {"learning_rate": (0.003, 0.001), "batch": (16, 64), "dropout": (0.2, 0.5)},
    "sasrec": {"learning_rate": (0.003, 0.001), "batch": (16, 64), "dropout": (0.2, 0.5)},
    "bert4rec": {"learning_rate": (0.003, 0.001), "mask_probability": (0.2, 0.4)},
    "mf": {"weight_decay": (0.0003, 0.0001, 0.00003, 0.00001)},
    "mlp": {"weight_decay": (0.0003, 0.0001, 0.00003, 0.00001)},
}


def combinations(name: str) -> Iterator[Settings]:
    """Yield every combination of the model's grid."""
    grid = GRID[name]
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def tried(split: Split, name: str, settings: Settings, checkpoint: Path) -> dict[str, float]:
    """Return the best validation measure of a combination, the epoch that had it, all epochs, and the CPU seconds."""
    started = time.process_time()
    model = recall_model(name, **settings)
    if isinstance(model, TrainedModel):
        model = recall_model(name, **settings, refit=False)
        assert isinstance(model, TrainedModel)
        epochs: list[Epoch] = []
        model.fit(split, checkpoint=checkpoint, on_epoch=lambda epoch: (epochs.append(epoch), print(epoch, flush=True)))
        best = max(epochs, key=lambda epoch: (epoch.validation or 0, -epoch.number))
        value, epoch = best.validation or 0, best.number
        checkpoint.unlink()
    else:
        inner = hold_out(split, 1000, 0)
        value, epoch = ndcg(model.fit(inner), inner.test), 0
    return {"value": value, "epoch": epoch, "seconds": round(time.process_time() - started, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the results are kept")
    parser.add_argument("--data", nargs="+", default=["ml-100k", "ml-latest-small"])
    models = [name for name in GRID if name not in ("mf", "mlp")]
    parser.add_argument("--models", nargs="+", default=models, choices=list(GRID))
    parser.add_argument("--show", action="store_true", help="print the table of what is done, and try nothing")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    results: dict[tuple[str, str, str], dict[str, float]] = {}
    for path in sorted(given.folder.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            record = json.loads(line)
            results[record.pop("data"), record.pop("model"), record.pop("settings")] = record
    for data in () if given.show else given.data:
        split = leave_last_out(load_dataset(data))
        for name in given.models:
            for settings in combinations(name):
                key = (Path(data).name, name, json.dumps(settings))
                if key in results:
                    continue
                results[key] = tried(split, name, settings, given.folder / f"{os.getpid()}.pt")
                record = {"data": key[0], "model": name, "settings": key[2], **results[key]}
                with (given.folder / f"{key[0]}-{name}.jsonl").open("a") as file:
                    file.write(json.dumps(record) + "\n")
                print(json.dumps(record), flush=True)
    rows = [
        (data, name, settings, f"{found['value']:.4f}", f"{found['epoch']:.0f}", f"{found['seconds']:.0f}")
        for (data, name, settings), found in sorted(results.items(), key=lambda one: (*one[0][:2], -one[1]["value"]))
        if data in {Path(one).name for one in given.data} and name in given.models
    ]
    measure = "-RMSE" if {*given.models} <= {"mf", "mlp"} else "NDCG@10"
    what = f"Settings of the recall models: {measure} on validation events, seed 0, one thread"
    print(heading(what, "python -m tests.benchmarks.recall_search FOLDER", "torch", "torch-rechub", "implicit"))
    print(table(("data", "model", "settings", measure, "epoch", "CPU seconds"), rows))


if __name__ == "__main__":
    main()
