"""The examples of docs/recall.md for other libraries, each run in its own environment, made with pip.

`python -m tests.benchmarks.recall_outside FOLDER` writes the training events of MovieLens 100K, runs each example
unchanged, and prints the hit rate of its candidates. FOLDER keeps the environments.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import subprocess
from collections import defaultdict
from pathlib import Path

from llmrank.data.dataset import Dataset, Interactions, Split
from llmrank.data.load import load_dataset
from llmrank.data.splits import leave_last_out
from tests.benchmarks.environments import environment, installed
from tests.benchmarks.machine import heading, table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "recall.md"
EXAMPLES = dict(re.findall(r"<!-- ([\w-]+) -->\n```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))

BEFORE = {
    "recbole": """
from pathlib import Path
import pandas as pd
from recbole.quick_start import run_recbole

Path("events").mkdir(exist_ok=True)
kinds = {"user_id": "user_id:token", "item_id": "item_id:token", "timestamp": "timestamp:float"}
pd.read_csv("events.csv").rename(columns=kinds).to_csv("events/events.inter", sep="\\t", index=False)
split = {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full", "group_by": "user"}
settings = {"data_path": ".", "load_col": {"inter": list(kinds)}, "eval_args": split, "show_progress": False}
run_recbole("ItemKNN", "events", config_dict=settings | {"epochs": 1, "checkpoint_dir": "saved"})
max(Path("saved").glob("ItemKNN-*.pth")).rename("saved/model.pth")
"""
}
"""What makes the model that an example loads."""


def write_events(dataset: Dataset, train: Interactions, path: Path) -> None:
    """Write events as the examples expect them."""
    times = [""] * len(train) if train.timestamp is None else train.timestamp.astype(int).tolist()
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("user_id", "item_id", "timestamp"))
        for user, item, time in zip(train.user.tolist(), train.item.tolist(), times, strict=True):
            rows.writerow((dataset.users[user], dataset.items[item].item_id, time))


def hit_rates(split: Split, path: Path) -> tuple[int, float, float]:
    """Return the users of a table of proposed items, their HR@10 and their HR@50."""
    dataset, proposed = split.dataset, defaultdict[str, list[tuple[float, str]]](list)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            proposed[row["user_id"]].append((-float(row["score"]), row["item_id"]))
    places: list[int] = []
    for user, item in zip(split.test.user.tolist(), split.test.item.tolist(), strict=True):
        ranked = [found for _, found in sorted(proposed[dataset.users[user]], key=lambda pair: pair[0])]
        wanted = dataset.items[item].item_id
        places.append(ranked.index(wanted) if wanted in ranked else 10**6)
    return len(proposed), *(sum(place < k for place in places) / len(places) for k in (10, 50))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the environments are kept")
    parser.add_argument("--libraries", nargs="+", default=list(EXAMPLES), choices=list(EXAMPLES))
    given = parser.parse_args()
    folder: Path = given.folder.resolve()
    split = leave_last_out(load_dataset("ml-100k"))
    rows: list[tuple[str, ...]] = []
    for name in given.libraries:
        work = folder / f"{name}-work"
        work.mkdir(parents=True, exist_ok=True)
        write_events(split.dataset, split.train, work / "train.csv")
        write_events(split.dataset, split.dataset.interactions, work / "events.csv")
        for code in (BEFORE.get(name, ""), EXAMPLES[name]):
            allowed = os.environ | {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}  # for the models that RecBole saves
            subprocess.run([str(environment(folder, name)), "-c", code], check=True, cwd=work, env=allowed)
        users, first, more = hit_rates(split, work / "proposed.csv")
        rows.append((f"{name} {installed(folder, name)}", f"{users}", f"{first:.4f}", f"{more:.4f}"))
    what = "Candidates of other libraries, by the examples of docs/recall.md, on ml-100k, leave-last-out"
    print(heading(what, "python -m tests.benchmarks.recall_outside FOLDER"), "", sep="\n")
    print(table(("library", "users", "HR@10", "HR@50"), rows))


if __name__ == "__main__":
    main()
