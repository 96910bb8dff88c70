"""Fitting the recommenders of an evaluation, as recall stage or baselines, with progress and checkpoints."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from llmrank.data.dataset import Split
from llmrank.errors import InputError, count_of
from llmrank.evaluation.cases import CaseSet
from llmrank.files import cache_folder
from llmrank.plugin import find_plugin
from llmrank.progress import LINE_EVERY, Say, sign_of_life
from llmrank.recall import GROUP, RecallModel, recall_class, tuned_model
from llmrank.recall.model import Fitted
from llmrank.recall.ratings import RatingModel
from llmrank.recall.rescoring import fit_kept, rescore
from llmrank.recall.training import Epoch

ALWAYS = frozenset({"random", "popularity"})
"""Baselines that are always included."""


def fit(model: RecallModel, split: Split, say: Say) -> Fitted:
    """Fit the model to the training side. Trained models are cached: the next call loads the model, or continues a
    stopped training. Its progress is said in at most one line every ten seconds, the best epoch at the end."""
    say(f"fitting {model.name} on {count_of(len(split.train), 'training event')}")
    last, best = float("-inf"), None

    def report(epoch: Epoch) -> None:
        nonlocal last, best
        best = epoch if epoch.best else best
        if time.monotonic() - last >= LINE_EVERY:
            last = time.monotonic()
            say(f"{epoch}")

    fitted = fit_kept(model, split, folder(), report)
    if best is not None:
        say(f"{model.name}: epoch {best.number} is the best{best.measured}")
    return fitted


def folder() -> Path:
    """Return the cache folder of trained models."""
    return cache_folder() / "recall"


def seed_of(name: str, seed: int) -> dict[str, int]:
    """Return the seed as a parameter of this recall model; empty if the model is not random."""
    return {"seed": seed} if any(one.name == "seed" for one in fields(recall_class(name))) else {}


def package_of(name: str) -> dict[str, str]:
    """Return the package, with its version, that adds this recall model; empty if the model is built in."""
    plugin = find_plugin(GROUP, name)
    return {} if plugin is None else {"package": plugin.package}


def check_baselines(names: Sequence[str]) -> None:
    """Raise InputError for an unknown recommender, and for one that is always included."""
    for name in names:
        if name in ALWAYS:
            raise InputError(f"{name} is always included", field="baselines", hint="omit it")
        recall_class(name)


def baseline_models(names: Sequence[str], cases: CaseSet) -> list[RecallModel]:
    """Return the untrained recommenders with these names, with settings tuned for the size of the data.

    The names have passed `check_baselines`. Raises InputError for Cases without training data, and for an unsuitable
    recommender, or one that these data are too few or too many for; MissingError if one of them lacks something.
    """
    models: list[RecallModel] = []
    for name in dict.fromkeys(names):
        if cases.split is None:
            raise InputError(
                f"{cases.settings['data']} has no training data for {name}",
                field="baselines",
                hint="evaluate the dataset itself (--data ml-100k); or score the rows with your own recommender, "
                "convert its table to a candidate file (`llmrank convert`), and evaluate it with --ranker recall_order",
            )
        model = tuned_model(name, cases.split, **seed_of(name, cases.seed))
        if cases.task == "rating" and not isinstance(model, RatingModel):
            hint = "choose mf, mlp or transformer_mlp"
            raise InputError(f"{name} does not predict ratings", field="baselines", hint=hint)
        model.check(cases.split)
        models.append(model)
    return models


def baseline_scores(
    models: Sequence[RecallModel], cases: CaseSet, say: Say
) -> dict[str, Mapping[str, tuple[float, ...]]]:
    """Return the scores of each Case's candidates, in their order, by model name and case id."""
    if cases.split is None:
        return {}
    found, ids = dict[str, Mapping[str, tuple[float, ...]]](), [case.case_id for case in cases]
    for model in models:
        fitted = fit(model, cases.split, say)
        with sign_of_life(say, f"scoring the candidates with {model.name}", at_once=False):
            found[model.name] = dict(zip(ids, rescore(fitted, cases.split, cases.cases), strict=True))
    return found
