"""Trained recall models as baselines: their scores for the candidates that the language model ranks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from llmrank.data.dataset import Split
from llmrank.errors import InputError, as_path, expect
from llmrank.recall.model import Fitted, RecallModel, fit
from llmrank.recall.training import OnEpoch, TrainedModel
from llmrank.types import Case

Scores = tuple[tuple[float, ...], ...]
"""For each Case, the scores of its candidates in their order, or the rating of its target; higher is better."""


def rescore(fitted: Fitted, split: Split, cases: Sequence[Case]) -> Scores:
    """Return the model's scores for the candidates of each Case, or for the target of a rating Case.

    A candidate outside the dataset scores -inf. For items and users without training events, see `TrainedModel.fit` and
    `RatingModel`.

    Raises InputError for a user or target that is not in the dataset, and for a model of another split.
    """
    expect(cases, Sequence, "a list of Cases", "cases")
    fitted.require(split)
    users = {user_id: index for index, user_id in enumerate(split.dataset.users)}
    items = {item.item_id: index for index, item in enumerate(split.dataset.items)}
    found: list[tuple[float, ...]] = []
    for case in cases:
        asked = case.asked
        known = np.array([items.get(item.item_id, -1) for item in asked], dtype=np.int32)
        if case.user_id not in users or (case.target is not None and known[0] < 0):
            what = "user" if case.target is None or case.user_id not in users else f"item {case.target.item_id!r}"
            problem = f"{split.dataset.name}, the training data of the model, has no such {what}"
            hint = "use Cases from the dataset that the models are trained on"
            raise InputError(problem, user=case.user_id, hint=hint)
        scores = np.full(len(known), -np.inf)
        scores[known >= 0] = fitted.score_items(users[case.user_id], known[known >= 0])
        found.append(tuple(scores.tolist()))
    return tuple(found)


def fit_kept(
    model: RecallModel, split: Split, folder: str | Path | None, on_epoch: OnEpoch = lambda epoch: None
) -> Fitted:
    """Fit the model. A trained model is loaded from a file in `folder`, or its training continues from there."""
    expect(model, RecallModel, "a recall model, such as that of `recall_model`", "model")
    if not isinstance(model, TrainedModel):
        return fit(model, split)
    path = None if folder is None else as_path(folder, "folder") / model.file_name(split)
    return fit(model, split, checkpoint=path, on_epoch=on_epoch)
