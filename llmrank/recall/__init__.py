"""Models that propose candidates from the training interactions, and what they propose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from types import MappingProxyType
from typing import Any

from llmrank.data.dataset import Split
from llmrank.errors import InputError, nearest
from llmrank.recall.autoint import AutoInt
from llmrank.recall.bert4rec import BERT4Rec
from llmrank.recall.bpr import BPR
from llmrank.recall.bst import BST
from llmrank.recall.ease import Ease
from llmrank.recall.hstu import HSTU
from llmrank.recall.ials import IALS
from llmrank.recall.item_knn import ItemKNN
from llmrank.recall.model import Fitted, RecallModel
from llmrank.recall.popularity import Popularity
from llmrank.recall.proposal import Coverage, candidates_for, recall_settings
from llmrank.recall.random import RandomRecall
from llmrank.recall.ratings import MF, MLP
from llmrank.recall.sasrec import SASRec
from llmrank.recall.training import TrainedModel

__all__ = [
    "TRAINED",
    "Coverage",
    "Ease",
    "Fitted",
    "ItemKNN",
    "Popularity",
    "RandomRecall",
    "RecallModel",
    "TrainedModel",
    "candidates_for",
    "recall_model",
    "recall_settings",
    "tuned_model",
]

TRAINED: tuple[type[TrainedModel], ...] = (IALS, BPR, SASRec, BERT4Rec, HSTU, BST, AutoInt, MF, MLP)
"""The models that are trained in epochs; they need the extra `recall`. MF and MLP predict ratings."""

TUNED: Mapping[str, tuple[tuple[int, int, Mapping[str, float]], ...]] = MappingProxyType(
    {
        "ease": ((0, 0, {"l2": 100.0}), (500_000, 0, {"l2": 500.0})),
        # Of a large catalogue every step sees a small part: more steps in an epoch take no longer and learn more.
        "sasrec": ((0, 5_000, {"batch": 16}),),
        "hstu": ((0, 5_000, {"batch": 16}),),
    }
)
"""Model -> from how many training events and items on -> settings; elsewhere the model's own defaults hold. EASE's,
iALS's and BPR's come from `tests/benchmarks/recall_search.py`; the batch from learning curves (results/recall.md)."""


def recall_model(name: str, **parameters: Any) -> RecallModel:  # noqa: ANN401 - each model checks its own
    """Return the model of that name: random (seed), popularity, itemknn (neighbours), ease (l2), ease-rectools (l2), or
    one of `TRAINED`, whose parameters are its fields.

    InputError, naming the nearest, for a model or a parameter that there is not.
    """
    models: dict[str, tuple[Callable[..., RecallModel], tuple[str, ...]]] = {
        "random": (RandomRecall, ("seed",)),
        "popularity": (Popularity, ()),
        "itemknn": (ItemKNN, ("neighbours",)),
        "ease": (Ease, ("l2",)),
        "ease-rectools": (partial(Ease, transposed=True), ("l2",)),
        **{model.registered: (model, tuple(field.name for field in fields(model))) for model in TRAINED},
    }
    if name not in models:
        raise InputError(
            f"there is no recall model {name!r}{nearest(name.lower().replace('-', ''), models)}",
            hint=f"choose one of {', '.join(models)}",
        )
    model, known = models[name]
    for parameter in parameters:
        if parameter not in known:
            raise InputError(
                f"the recall model {name!r} has no parameter {parameter!r}{nearest(parameter, known)}",
                hint=f"it has {', '.join(known)}" if known else "it has none: leave it out",
            )
    return model(**parameters)


def tuned_model(name: str, split: Split, **parameters: Any) -> RecallModel:  # noqa: ANN401 - each model checks its own
    """Return the recall model of that name with the settings for as much data as `split.train` has.

    `parameters` come before the tuned settings. Raises InputError as `recall_model` does.
    """
    found: Mapping[str, float] = {}
    for events, items, settings in TUNED.get(name, ()):
        if len(split.train) >= events and len(split.dataset.items) >= items:
            found = settings
    return recall_model(name, **{**found, **parameters})
