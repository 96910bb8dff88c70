"""Trained recall models as rankers: their scores for the very candidates that a language model is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from llmrank.data.dataset import Split
from llmrank.errors import InputError
from llmrank.recall import tuned_model
from llmrank.recall.model import Fitted, RecallModel
from llmrank.recall.training import OnEpoch, TrainedModel
from llmrank.types import Case

Scores = tuple[tuple[float, ...], ...]
"""For each Case the scores of its candidates, in their order, or the rating of its target; higher is better."""


def rescore(fitted: Fitted, split: Split, cases: Sequence[Case]) -> Scores:
    """Return the model's scores for the candidates of each Case; for a Case of the rating task that of its target.

    A candidate outside the dataset scores -inf. What candidates without training events score, and those of a user
    without any, `TrainedModel.fit` and `RatingModel` state.

    Raises InputError: a Case of a user, or with a target, that the dataset does not know; a model of another split.
    """
    fitted.require(split)
    users = {user_id: index for index, user_id in enumerate(split.dataset.users)}
    items = {item.item_id: index for index, item in enumerate(split.dataset.items)}
    found: list[tuple[float, ...]] = []
    for case in cases:
        asked = case.asked
        known = np.array([items.get(item.item_id, -1) for item in asked], dtype=np.int32)
        if case.user_id not in users or (case.target is not None and known[0] < 0):
            what = "user" if case.target is None or case.user_id not in users else f"item {case.target.item_id!r}"
            problem = f"{split.dataset.name} has no such {what}: a model trained on it knows nothing of it"
            hint = "take Cases of the data set that the models are trained on"
            raise InputError(problem, user=case.user_id, hint=hint)
        scores = np.full(len(known), -np.inf)
        scores[known >= 0] = fitted.score_items(users[case.user_id], known[known >= 0])
        found.append(tuple(scores.tolist()))
    return tuple(found)


def trained_scores(
    models: Sequence[RecallModel | str],
    split: Split,
    cases: Sequence[Case],
    *,
    folder: Path | None = None,
    on_epoch: OnEpoch = lambda epoch: None,
) -> Mapping[str, Scores]:
    """Fit each model on the training part of the split and return its scores for each Case, by name (see `rescore`).

    Args:
        models: Names, for the settings tuned to the size of the data; or models, each of another name.
        split: The split that the Cases come from.
        cases: With candidates, or with a target for models that predict ratings.
        folder: Where trained models keep their checkpoints; the same call later loads them. None: they are not kept.
        on_epoch: Called after every epoch of a trained model.
    """
    chosen = [tuned_model(model, split) if isinstance(model, str) else model for model in models]
    return {model.name: rescore(fit_kept(model, split, folder, on_epoch), split, cases) for model in chosen}


def fit_kept(model: RecallModel, split: Split, folder: Path | None, on_epoch: OnEpoch = lambda epoch: None) -> Fitted:
    """Return the model fitted; a trained model is loaded from, or its training continued in, a file in `folder`.

    The model is handed the training side alone: no event after the cut can reach it.
    """
    nothing = split.train.take(np.zeros(0, np.intp))
    split = replace(split, dataset=replace(split.dataset, interactions=split.train), test=nothing)
    if not isinstance(model, TrainedModel):
        return model.fit(split)
    path = None if folder is None else folder / model.file_name(split)
    return model.fit(split, checkpoint=path, on_epoch=on_epoch)
