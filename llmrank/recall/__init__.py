"""Recall models, which propose candidates from the training interactions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import MappingProxyType

from llmrank.data.dataset import Split
from llmrank.errors import InputError, expect, nearest
from llmrank.plugin import find_plugin, plugin_names
from llmrank.recall.autoint import AutoInt
from llmrank.recall.bert4rec import BERT4Rec
from llmrank.recall.bpr import BPR
from llmrank.recall.bst import BST
from llmrank.recall.ctrl import CTRL
from llmrank.recall.ease import Ease
from llmrank.recall.hstu import HSTU
from llmrank.recall.ials import IALS
from llmrank.recall.item_knn import ItemKNN
from llmrank.recall.model import GROUP, Fitted, RecallModel, Setting, check_setting
from llmrank.recall.notellm import NoteLLM
from llmrank.recall.popularity import Popularity
from llmrank.recall.proposal import Coverage, candidates_for, recall_settings
from llmrank.recall.random import RandomRecall
from llmrank.recall.ratings import MF, MLP
from llmrank.recall.sasrec import SASRec
from llmrank.recall.sentences import Sentences
from llmrank.recall.training import TrainedModel
from llmrank.recall.transformer_mlp import TransformerMLP

__all__ = [
    "TRAINED",
    "Coverage",
    "Ease",
    "Fitted",
    "ItemKNN",
    "Popularity",
    "RandomRecall",
    "RecallModel",
    "Setting",
    "TrainedModel",
    "candidates_for",
    "recall_class",
    "recall_model",
    "recall_settings",
    "tuned_model",
]

TRAINED: tuple[type[TrainedModel], ...] = (
    *(IALS, BPR, SASRec, BERT4Rec, HSTU, BST, AutoInt, CTRL, NoteLLM),
    *(MF, MLP, TransformerMLP),
)
"""Models that are trained in epochs and need the extra `recall`. The last three predict ratings."""

TUNED: Mapping[str, tuple[tuple[int, int, Mapping[str, Setting]], ...]] = MappingProxyType(
    {
        "ease": ((0, 0, {"l2": 100.0}), (500_000, 0, {"l2": 500.0})),
        "ials": (
            (500_000, 0, {"dimension": 64, "regularization": 10.0}),
            (0, 10_000, {"dimension": 128, "alpha": 64.0, "regularization": 10.0}),
        ),
        "bpr": ((500_000, 0, {"regularization": 0.0003}), (0, 10_000, {"learning_rate": 0.05, "regularization": 0.03})),
        "bst": ((50_000, 0, {"patience": 5}),),
        # Weights decay at every step; with more ratings, each user and item appears in a smaller share of the steps.
        "mf": ((500_000, 0, {"weight_decay": 1e-05}),),
        "mlp": ((500_000, 0, {"weight_decay": 3e-05}),),
        # A step covers only a small part of a large catalogue: more steps per epoch take no longer and learn more. With
        # few events per item, learning begins late and the validation measure fluctuates: it pays to wait.
        "sasrec": ((0, 5_000, {"batch": 16, "patience": 40}),),
        "bert4rec": ((0, 5_000, {"patience": 60}),),
        "hstu": ((0, 5_000, {"batch": 16}), (0, 10_000, {"learning_rate": 0.001, "dropout": 0.5})),
    }
)
"""Model -> (minimum training events, minimum items, settings); otherwise the model's defaults apply. The settings of
EASE, iALS, BPR, the rating models, and HSTU from ten thousand items up come from `tests/benchmarks/recall_search.py`;
the batch size comes from learning curves (results/recall.md)."""


MODELS: Mapping[str, type[RecallModel]] = MappingProxyType(
    {model.name: model for model in (RandomRecall, Popularity, ItemKNN, Ease, Sentences, *TRAINED)}
)


def recall_class(name: str) -> type[RecallModel]:
    """Return the class of the model with this name, built in or from a plugin.

    Raises InputError for an unknown model, with the closest match; and for an invalid plugin.
    """
    plugin = find_plugin(GROUP, name, MODELS)
    if plugin is None:
        if name not in MODELS:
            known = [*MODELS, *plugin_names(GROUP)]
            problem = f"there is no recall model {name!r}{nearest(name.lower().replace('-', ''), known)}"
            raise InputError(problem, hint=f"choose one of {', '.join(known)}")
        return MODELS[name]
    loaded = plugin.load()
    if not (isinstance(loaded, type) and issubclass(loaded, RecallModel) and is_dataclass(loaded)):
        raise plugin.error("is not a dataclass that inherits from RecallModel")
    if lacking := [one.name for one in fields(loaded) if one.default is one.default_factory is MISSING]:
        hint = "give each field a default: the fields are the parameters of the model"
        raise plugin.error(f"has no default for its field {lacking[0]!r}", hint=hint)
    return loaded


def recall_model(name: str, **parameters: Setting) -> RecallModel:
    """Return the model with this name: random (seed), popularity, itemknn (neighbours), ease (l2), sentences
    (encoder, length), a trained one or a plugin's.

    Raises InputError for an unknown model or parameter, with the closest match; and for a value of the wrong type.
    """
    model = recall_class(name)
    known = {one.name: one for one in fields(model)}
    for parameter, value in parameters.items():
        if parameter not in known:
            problem = f"the recall model {name!r} has no parameter {parameter!r}{nearest(parameter, known)}"
            raise InputError(problem, hint=f"use {', '.join(known)}" if known else "omit it; the model has none")
        check_setting(known[parameter], value)
    return model(**parameters)


def tuned_model(name: str, split: Split, **parameters: Setting) -> RecallModel:
    """Return the recall model with this name, with settings tuned for the size of `split.train`.

    `parameters` override the tuned settings. Raises InputError as `recall_model` does.
    """
    expect(split, Split, "a Split of a Dataset", "split")
    found: Mapping[str, Setting] = {}
    for events, items, settings in TUNED.get(name, ()):
        if len(split.train) >= events and len(split.dataset.items) >= items:
            found = settings
    return recall_model(name, **{**found, **parameters})
