"""NoteLLM with both losses, with the contrastive loss alone, and before training: full catalogue, leave-last-out.

`python -m tests.benchmarks.recall_notellm FOLDER --data ml-100k --seeds 0`

HR@10, NDCG@10 and recall@50 of the test events, without items already seen. Cold items: all training events of a tenth
of the items (drawn with seed 0) are removed, and each model is trained again without validation. recall@50 is then the
share of a user's removed events among the 50 items proposed from the full catalogue; chance is that of 50 random items
that the user does not have. Intervals are over users; a user's value is the mean over seeds. FOLDER keeps the
checkpoints, so the same command continues.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmrank.data.dataset import Split
from llmrank.data.load import load_dataset
from llmrank.data.splits import leave_last_out
from llmrank.recall import tuned_model
from llmrank.recall.model import Fitted, Setting
from llmrank.recall.training import TrainedModel, read_checkpoint
from llmrank.run.tables import p_value
from llmrank.stats import mean_interval, paired_difference
from tests.benchmarks.machine import heading, table

VARIANTS: Mapping[str, Mapping[str, Setting]] = {
    "both losses": {},
    "contrastive alone": {"generation_weight": 0.0},
    "untrained": {"generation_weight": 0.0},
}
EPOCHS = 13
"""At most; what two cores had time for. Exactly so many without validation."""
COLD_SHARE, MOST = 0.1, 50
COLD = f"cold recall@{MOST}"
Values = Mapping[str, NDArray[np.float64]]


def model_of(variant: str, split: Split, **settings: Setting) -> TrainedModel:
    """Return the untrained model."""
    model = tuned_model("notellm", split, epochs=EPOCHS, **VARIANTS[variant], **settings)
    assert isinstance(model, TrainedModel)
    return model


def fit(model: TrainedModel, split: Split, path: Path) -> Fitted:
    """Return the model trained, or as far as the checkpoint has it."""
    return model.fit(split, checkpoint=path, on_epoch=lambda epoch: print(epoch, file=sys.stderr, flush=True))


def without_cold_items(split: Split) -> tuple[Split, Split]:
    """Return the split without the training events of some items, and one whose test events they are."""
    items = np.unique(split.train.item)
    drawn = np.random.default_rng(0).choice(items, round(COLD_SHARE * len(items)), replace=False)
    cold = np.isin(split.train.item, drawn)
    left = replace(split, train=split.train.take(~cold), name=f"{split.name}, {COLD_SHARE:.0%} of the items cold")
    return left, replace(left, test=split.train.take(cold))


def warm_values(fitted: Fitted, split: Split) -> Values:
    """Return the values of each test event."""
    items, _ = fitted.recommend(split.test.user, MOST)
    hits = items == split.test.item[:, None]
    places = np.where(hits.any(axis=1), hits.argmax(axis=1), np.inf)
    ten = places < 10
    return {
        "HR@10": ten.astype(float),
        "NDCG@10": np.where(ten, 1 / np.log2(places + 2), 0.0),
        f"recall@{MOST}": np.isfinite(places).astype(float),
    }


def cold_values(fitted: Fitted, wanted: Split) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return, of each user with events taken away, the share of them that is proposed, and the share by chance."""
    users = np.unique(wanted.test.user)
    items, _ = fitted.recommend(users, MOST)
    seen = np.diff(fitted.preferences.matrix.indptr)
    shares = [
        np.isin(wanted.test.item[wanted.test.user == user], proposed).mean()
        for user, proposed in zip(users, items, strict=True)
    ]
    return np.array(shares), MOST / (len(wanted.dataset.items) - seen[users])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the checkpoints are kept")
    parser.add_argument("--data", default="ml-100k")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    given = parser.parse_args()
    split = leave_last_out(load_dataset(given.data))
    left, wanted = without_cold_items(split)
    found: dict[str, list[Values]] = {variant: [] for variant in VARIANTS}
    lines: list[tuple[str, ...]] = []
    chance = np.zeros(0)
    for seed in given.seeds:
        for variant in VARIANTS:
            model = model_of(variant, split, seed=seed)
            if variant == "untrained":
                warm, cold = (model.fitted(model.learner(one), one) for one in (split, left))
            else:
                path = given.folder / f"{given.data}-{variant.split()[0]}-{seed}.pt"
                warm = fit(model, split, path)
                progress = read_checkpoint(path)["progress"]
                cold_path = path.with_suffix(".cold.pt")
                cold = fit(model_of(variant, split, seed=seed, validation_users=0), left, cold_path)
                history = progress["history"]
                seconds = [sum(line[5] for line in history), history[0][5]]
                seconds.append(sum(line[5] for line in read_checkpoint(cold_path)["progress"]["history"]))
                cells = (f"{progress['best_epoch']} of {len(history)}", f"{progress['best_value']:.4f}")
                losses = f"{history[0][2]:.3f} to {history[-1][2]:.3f}"
                lines.append((variant, f"{seed}", *cells, losses, *(f"{one:.0f}" for one in seconds)))
            shares, chance = cold_values(cold, wanted)
            found[variant].append({**warm_values(warm, split), COLD: shares})
    means = {
        variant: {key: np.mean([one[key] for one in values], axis=0) for key in values[0]}
        for variant, values in found.items()
    }
    measures = list(means["untrained"])
    rows: list[tuple[str, ...]] = []
    for measure in measures:
        values = [mean_interval(means[variant][measure], bounds=(0, 1)) for variant in VARIANTS]
        cells = [f"{one.value:.4f} [{one.low:.4f}, {one.high:.4f}]" for one in values]
        rows.append((measure, *cells, f"{chance.mean():.4f}" if measure == COLD else ""))
    differences: list[tuple[str, ...]] = []
    for measure in measures:
        for one, other in combinations(VARIANTS, 2):
            by = paired_difference(means[one][measure], means[other][measure])
            cell = f"{by.difference:+.4f} [{by.low:+.4f}, {by.high:+.4f}]"
            differences.append((measure, f"{one} minus {other}", cell, p_value(by.p)))
    what = f"NoteLLM, its two losses and without training: {given.data}, {len(split.test)} users, full catalogue"
    again = f"python -m tests.benchmarks.recall_notellm FOLDER --data {given.data}"
    settings = ", ".join(f"{name} {value}" for name, value in model_of("both losses", split).settings.items())
    events, items = len(wanted.test), len(np.unique(wanted.test.item))
    print(heading(what, again, "torch", "transformers", "peft"))
    print(f"settings  {settings}")
    print(f"cold      {items} items, {events} training events of {len(chance)} users taken away", "", sep="\n")
    print(table(("measure", *(f"{variant} [95%]" for variant in VARIANTS), "chance"), rows), "", sep="\n")
    print(table(("measure", "difference", "[95%]", "p"), differences), "", sep="\n")
    head = (
        "losses",
        "seed",
        "best epoch",
        "validation NDCG@10",
        "loss",
        "fit, CPU s",
        "first epoch",
        "cold fit, CPU s",
    )
    print(table(head, lines))


if __name__ == "__main__":
    main()
