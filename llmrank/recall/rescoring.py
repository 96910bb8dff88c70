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
from llmrank.recall.ratings import RatingModel
from llmrank.recall.training import OnEpoch, TrainedModel
from llmrank.types import Case

Scores = tuple[tuple[float, ...], ...]
"""For each Case the scores of its candidates, in the order of the candidates; higher is better."""


def rescore(fitted: Fitted, split: Split, cases: Sequence[Case]) -> Scores:
    """Return the model's scores for the candidates of each Case.

    A candidate outside the dataset scores -inf. A candidate without training events scores below all others, and the
    candidates of a user without training events score by popularity; both are what `fit` of a trained model states.

    Raises:
        InputError: a Case of a user whom the dataset does not know.
    """
    users = {user_id: index for index, user_id in enumerate(split.dataset.users)}
    items = {item.item_id: index for index, item in enumerate(split.dataset.items)}
    found: list[tuple[float, ...]] = []
    for case in cases:
        if case.user_id not in users:
            raise InputError(
                f"{split.dataset.name} has no such user: a model trained on it cannot rank for them",
                user=case.user_id,
                hint="take Cases of the data set that the models are trained on",
            )
        known = np.array([items.get(item.item_id, -1) for item in case.candidates], dtype=np.int32)
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
    """Fit each model on the training part of the split and return its scores for the candidates of each Case, by name.

    Args:
        models: Names, for the settings tuned to the size of the data; or models, each of another name.
        split: The split that the Cases come from.
        cases: With candidates.
        folder: Where trained models keep their checkpoints; the same call later loads them. None: they are not kept.
        on_epoch: Called after every epoch of a trained model.
    """
    chosen = [tuned_model(model, split) if isinstance(model, str) else model for model in models]
    return {model.name: rescore(fit_kept(model, split, folder, on_epoch), split, cases) for model in chosen}


def trained_ratings(
    models: Sequence[RatingModel],
    split: Split,
    cases: Sequence[Case],
    *,
    folder: Path | None = None,
    on_epoch: OnEpoch = lambda epoch: None,
) -> Mapping[str, tuple[float, ...]]:
    """Return, by the name of the model, the rating that it predicts for the target of each Case.

    The arguments are those of `trained_scores`. A user or a target without training ratings gets the mean rating.

    Raises:
        InputError: a Case without a target, or of a user or with a target that the dataset does not know.
    """
    asked: list[Case] = []
    for case in cases:
        if case.target is None:
            raise InputError("the Case has no target to rate", user=case.user_id, hint="use Cases of the rating task")
        asked.append(replace(case, candidates=(case.target,)))
    scores = trained_scores(models, split, asked, folder=folder, on_epoch=on_epoch)
    for case, *found in zip(asked, *scores.values(), strict=True):
        if (-np.inf,) in found:
            problem = f"{split.dataset.name} has no item {case.candidates[0].item_id!r}"
            raise InputError(
                problem, user=case.user_id, hint="take Cases of the data set that the models are trained on"
            )
    return {name: tuple(rating for (rating,) in lists) for name, lists in scores.items()}


def fit_kept(model: RecallModel, split: Split, folder: Path | None, on_epoch: OnEpoch = lambda epoch: None) -> Fitted:
    """Return the model fitted; a trained model is loaded from, or its training continued in, a file in `folder`."""
    if not isinstance(model, TrainedModel):
        return model.fit(split)
    path = None if folder is None else folder / model.file_name(split)
    return model.fit(split, checkpoint=path, on_epoch=on_epoch)
