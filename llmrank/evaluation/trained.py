"""Recommenders of an evaluation: fitted with progress and checkpoints, as recall stage or as baselines."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from llmrank.data.dataset import Split
from llmrank.errors import InputError
from llmrank.evaluation.cases import CaseSet
from llmrank.files import cache_folder
from llmrank.progress import LINE_EVERY, Say
from llmrank.recall import RecallModel, recall_class, tuned_model
from llmrank.recall.model import Fitted
from llmrank.recall.ratings import RatingModel
from llmrank.recall.rescoring import fit_kept, trained_scores
from llmrank.recall.training import Epoch, OnEpoch

ALWAYS = frozenset({"random", "popularity"})
"""Baselines that every table has."""


def fit(model: RecallModel, split: Split, say: Say) -> Fitted:
    """Return the model fitted to the training side. A trained one is kept in the cache folder: the next call loads it,
    or continues a training that was stopped."""
    say(f"fitting {model.name} on {len(split.train):,} training events")
    return fit_kept(model, split, folder(), told(say))


def folder() -> Path:
    """Return where trained models are kept."""
    return cache_folder() / "recall"


def told(say: Say) -> OnEpoch:
    """Return what says how far a training is: its first epoch, then one every ten seconds or more."""
    last = float("-inf")

    def tell(epoch: Epoch) -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_EVERY:
            last = time.monotonic()
            say(f"{epoch}")

    return tell


def seed_of(name: str, seed: int) -> dict[str, int]:
    """Return the seed as a parameter of the recall model of that name; nothing where it draws nothing."""
    return {"seed": seed} if any(one.name == "seed" for one in fields(recall_class(name))) else {}


def baseline_models(names: Sequence[str], cases: CaseSet) -> list[RecallModel]:
    """Return the untrained recommenders of these names, with the settings for as much data as the Cases come from.

    Raises InputError for Cases without training data, an unknown name, and one that cannot stand beside them.
    """
    models: list[RecallModel] = []
    for name in dict.fromkeys(names):
        if cases.split is None:
            raise InputError(
                f"{cases.settings['data']} brings no training data, so {name} cannot be trained for it",
                field="baselines",
                hint="evaluate the data set itself (--data ml-100k); or score the rows with a recommender of your own, "
                "make a candidate file of its table (`llmrank convert`), and evaluate it with --ranker recall_order",
            )
        if name in ALWAYS:
            raise InputError(f"{name} is in every table", field="baselines", hint="leave it out")
        model = tuned_model(name, cases.split, **seed_of(name, cases.seed))
        if cases.task == "rating" and not isinstance(model, RatingModel):
            raise InputError(f"{name} predicts no ratings", field="baselines", hint="choose mf, mlp or transformer_mlp")
        models.append(model)
    return models


def baseline_scores(
    models: Sequence[RecallModel], cases: CaseSet, say: Say
) -> dict[str, Mapping[str, tuple[float, ...]]]:
    """Return, by the name of the model and by case id, its scores of the Case's candidates, in their order."""
    if cases.split is None:
        return {}
    found = trained_scores(models, cases.split, cases.cases, folder=folder(), on_epoch=told(say))
    ids = [case.case_id for case in cases]
    return {name: dict(zip(ids, scores, strict=True)) for name, scores in found.items()}
