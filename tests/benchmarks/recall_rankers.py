"""Trained recommenders as rankers: all score the candidates of one recall model, for the same users.

`python -m tests.benchmarks.recall_rankers FOLDER --data ml-100k --recall sasrec -k 20 50 --users 0`

FOLDER is that of `recall_table`: checkpoints with seed 0 are read from it, and made if they are missing.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from llmrank.data.cases import ranking_cases, sample_users
from llmrank.data.dataset import Split
from llmrank.data.load import load_dataset
from llmrank.data.splits import leave_last_out
from llmrank.measures import HR, MRR, NDCG, Judgements
from llmrank.rankers.baselines import Oracle, RecallOrder, Scored
from llmrank.recall import tuned_model
from llmrank.recall.model import Fitted
from llmrank.recall.rescoring import rescore
from llmrank.recall.training import TrainedModel
from llmrank.stats import mean_interval, paired_difference
from llmrank.types import Case, Ranker, Ranking
from tests.benchmarks.machine import heading, table
from tests.benchmarks.recall_table import MODELS

MEASURES = (NDCG(10), HR(1), MRR())


def fit(name: str, split: Split, folder: Path) -> Fitted:
    """Return the model with seed 0, from its checkpoint where there is one."""
    model = tuned_model(name, split)
    if isinstance(model, TrainedModel):
        return model.fit(split, checkpoint=folder / f"{split.dataset.name}-{name}-0.pt", on_epoch=print)
    return model.fit(split)


def judged(ranker: Ranker, cases: Sequence[Case]) -> Judgements:
    """Return where the relevant items stand in the ranker's rankings."""

    def rankings() -> Iterator[Ranking]:
        for case in cases:
            try:
                next(ranker.rank(case))
            except StopIteration as stop:
                yield stop.value

    return Judgements.from_rankings(rankings(), [case.relevant for case in cases])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the checkpoints are kept")
    parser.add_argument("--data", default="ml-100k")
    parser.add_argument("--recall", default="sasrec", choices=MODELS, help="whose candidates are ranked")
    parser.add_argument("-k", nargs="+", type=int, default=[20, 50], help="candidates per user")
    parser.add_argument("--users", type=int, default=0, help="drawn with seed 0; 0: all")
    parser.add_argument("--models", nargs="+", default=[m for m in MODELS if m != "random"], choices=MODELS)
    given = parser.parse_args()
    split = leave_last_out(load_dataset(given.data))
    names = split.dataset.users
    users = sample_users([names[user] for user in split.test.user], given.users or len(names), 0)
    rows = np.array([names.index(user) for user in users], dtype=np.int32)
    fitted = {name: fit(name, split, given.folder) for name in {given.recall: 0, **dict.fromkeys(given.models, 0)}}
    tables: list[str] = []
    for k in given.k:
        cases = list(ranking_cases(split, users, *fitted[given.recall].recommend(rows, k)))
        order = judged(RecallOrder(), cases)
        found = {"random": order.random(), f"recall order ({given.recall})": order}
        found |= {
            name: judged(Scored.of(name, cases, rescore(fitted[name], split, cases)), cases)
            for name in given.models
            if name != given.recall
        }
        found["oracle"] = judged(Oracle(), cases)
        lines: list[tuple[str, ...]] = []
        for name, judgements in found.items():
            values = MEASURES[0].per_case(judgements)
            interval = mean_interval(values, bounds=(0, 1))
            against = paired_difference(values, MEASURES[0].per_case(order))
            difference = f"{against.difference:+.4f} [{against.low:+.4f}, {against.high:+.4f}]"
            lines.append(
                (
                    name,
                    f"{interval.value:.4f}",
                    f"{interval.low:.4f} to {interval.high:.4f}",
                    "" if judgements is order else difference,
                    *(f"{measure.value(judgements):.4f}" for measure in MEASURES[1:]),
                )
            )
        head = ("ranker", str(MEASURES[0]), "95% interval", "against recall order", *map(str, MEASURES[1:]))
        tables += ["", f"Top {k} of {given.recall}:", "", table(head, lines)]
    what = f"Trained recommenders on the same candidates: {given.data}, {len(users)} users, leave-last-out, seed 0"
    command = f"python -m tests.benchmarks.recall_rankers FOLDER --data {given.data} --recall {given.recall}"
    print(heading(what, command, "torch", "torch-rechub", "implicit"), *tables, sep="\n")


if __name__ == "__main__":
    main()
