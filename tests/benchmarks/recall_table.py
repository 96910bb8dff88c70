"""All recall models on the same data: full catalogue, leave-last-out, without items already seen.

`python -m tests.benchmarks.recall_table FOLDER --data ml-100k ml-latest-small --seeds 0 1 2`

Each fit runs in its own process, to measure its peak memory. FOLDER keeps the results and the checkpoints, so the same
command continues. A training that `--cpu-minutes` ends, or that is not finished, counts with its best epoch so far and
is marked. `--show` fits nothing; `--curves` also prints the learning curves.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llmrank.data.dataset import Split
from llmrank.data.load import load_dataset
from llmrank.data.splits import leave_last_out
from llmrank.recall import tuned_model
from llmrank.recall.model import Fitted, RecallModel
from llmrank.recall.training import Epoch, TrainedModel, read_checkpoint
from tests.benchmarks.machine import heading, table

MODELS = ("random", "popularity", "itemknn", "ease", "ials", "bpr", "autoint", "bst", "bert4rec", "sasrec", "hstu")
UNSEEDED = frozenset({"popularity", "itemknn", "ease", "sentences"})
MEASURES = ("HR@10", "NDCG@10", "recall@20", "recall@50")
Record = Mapping[str, Any]


class OutOfTimeError(Exception):
    """The training has had the CPU time it was given."""


def measured(model: Fitted, split: Split) -> dict[str, float]:
    """Return the measures over all users with a test event; each has one, so recall@k is HR@k."""
    started = time.process_time()
    items, _ = model.recommend(split.test.user, 50)
    seconds = time.process_time() - started
    hits = items == split.test.item[:, None]
    _, places = np.nonzero(hits[:, :10])
    ndcg = float((1 / np.log2(places + 2)).sum() / len(hits))
    rates = {
        f"{name}@{k}": float(hits[:, :k].any(axis=1).mean()) for name, k in (("HR", 10), ("recall", 20), ("recall", 50))
    }
    return {**rates, "NDCG@10": ndcg, "recommend": seconds}


def trained(model: RecallModel, split: Split, checkpoint: Path, most: float) -> tuple[Fitted, dict[str, Any]]:
    """Return the fitted model, its CPU seconds, and for a trained one its epochs and whether it was stopped."""
    if not isinstance(model, TrainedModel):
        started = time.process_time()
        return model.fit(split), {"fit": time.process_time() - started, "epochs": 0, "stopped": False}
    spent, done = 0.0, False
    if checkpoint.exists():
        before = read_checkpoint(checkpoint)["progress"]
        spent, done = sum(line[5] for line in before["history"]), before["stage"] == "done"

    def watch(epoch: Epoch) -> None:
        nonlocal spent
        spent += epoch.cpu_seconds
        print(epoch, file=sys.stderr, flush=True)
        if spent > most:
            raise OutOfTimeError

    try:
        if spent > most and not done:
            raise OutOfTimeError
        found, stopped = model.fit(split, checkpoint=checkpoint, on_epoch=watch), False
    except OutOfTimeError:
        learner = model.learner(split)
        learner.restore(read_checkpoint(checkpoint)["progress"]["best_state"])
        found, stopped = model.fitted(learner, split), True
    progress = read_checkpoint(checkpoint)["progress"]
    fit = sum(line[5] for line in progress["history"])
    return found, {"fit": fit, "epochs": progress["best_epoch"], "stopped": stopped}


def one(data: str, name: str, seed: int, folder: Path, most: float) -> None:
    """Fit, measure and print a record."""
    split = leave_last_out(load_dataset(data))
    model = tuned_model(name, split, **({"seed": seed} if name not in UNSEEDED else {}))
    found, how = trained(model, split, folder / f"{data}-{name}-{seed}.pt", most)
    record = {"data": data, "model": name, "seed": seed, **how, **measured(found, split)}
    print(json.dumps(record | {"memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}))


def kept(folder: Path) -> dict[tuple[str, str, int], Record]:
    """Return the results that the folder holds; of one fitted twice the later."""
    path, found = folder / "results.jsonl", dict[tuple[str, str, int], Record]()
    for line in path.read_text().splitlines() if path.exists() else ():
        record = json.loads(line)
        found[record["data"], record["model"], record["seed"]] = record
    return found


def row(name: str, records: Sequence[Record]) -> tuple[str, ...]:
    """Return a line of the table: means, with the standard deviation over seeds where there are several."""

    def cell(key: str, digits: int) -> str:
        values = [record[key] for record in records]
        spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 and digits > 1 else ""
        return f"{statistics.mean(values):.{digits}f}{spread}"

    mark = " (stopped)" if any(record["stopped"] for record in records) else ""
    epochs = "/".join(f"{record['epochs']}" for record in records) if records[0]["epochs"] else ""
    numbers = [cell(measure, 4) for measure in MEASURES]
    return (name + mark, f"{len(records)}", *numbers, epochs, cell("fit", 1), cell("recommend", 1), cell("memory", 1))


def curve(data: str, name: str, seed: int, path: Path) -> str:
    """Return the learning curve of a checkpoint: validation NDCG@10 by epoch; `-` in a first stage, without any."""
    progress = read_checkpoint(path)["progress"]
    points = [
        f"{number}: {loss:.3f}/{'-' if value is None else f'{value:.4f}'}"
        for stage, number, loss, value, *_ in progress["history"]
        if stage == "search"
    ]
    state = {"done": "finished", "refit": "validation finished, refit not", "search": "not finished"}[progress["stage"]]
    return f"{data} {name}, seed {seed}, {state}; epoch: loss/validation NDCG@10\n  " + ", ".join(points)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where results and checkpoints are kept")
    parser.add_argument("--data", nargs="+", default=["ml-100k", "ml-latest-small"])
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=(*MODELS, "ctrl", "sentences"))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--cpu-minutes", type=float, default=60, help="the most a training may take")
    parser.add_argument("--show", action="store_true", help="fit nothing")
    parser.add_argument("--curves", action="store_true", help="print the learning curves too")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    folder: Path = given.folder
    folder.mkdir(parents=True, exist_ok=True)
    if given.one:
        one(given.one[0], given.one[1], int(given.one[2]), folder, given.cpu_minutes * 60)
        return
    wanted = [
        (data, name, seed)
        for seed in given.seeds
        for data in given.data
        for name in given.models
        if name not in UNSEEDED or seed == given.seeds[0]
    ]
    for key in () if given.show else wanted:
        if key in (done := kept(folder)) and not done[key]["stopped"]:
            continue
        command = [sys.executable, "-m", "tests.benchmarks.recall_table", str(folder), "--one", *map(str, key)]
        ran = subprocess.run(
            [*command, "--cpu-minutes", str(given.cpu_minutes)], stdout=subprocess.PIPE, text=True, check=True
        )
        with (folder / "results.jsonl").open("a") as file:
            file.write(ran.stdout.splitlines()[-1] + "\n")
    done = kept(folder)
    what = "Recall models: full catalogue, leave-last-out, seen items left out; mean ± standard deviation over seeds"
    print(heading(what, "python -m tests.benchmarks.recall_table FOLDER", "torch", "torch-rechub", "implicit"))
    head = ("model", "seeds", *MEASURES, "best epoch", "fit, CPU s", "recommend, CPU s", "peak memory, GiB")
    for data in given.data:
        groups = {
            name: [done[key] for key in wanted if key[:2] == (data, name) and key in done] for name in given.models
        }
        print("", f"{data}:", "", table(head, [row(name, group) for name, group in groups.items() if group]), sep="\n")
    if given.curves:
        for key in wanted:
            if (path := folder / "{}-{}-{}.pt".format(*key)).exists():
                print("", curve(*key, path), sep="\n")


if __name__ == "__main__":
    main()
