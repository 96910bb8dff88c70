"""Fitting the recommenders of an evaluation, as recall stage or baselines, with progress and checkpoints."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from llmrank.data.dataset import Split
from llmrank.errors import InputError, count_of
from llmrank.evaluation.cases import CaseSet
from llmrank.files import cache_folder
from llmrank.measures import AUC
from llmrank.measures.ratings import Ratings
from llmrank.plugin import find_plugin
from llmrank.progress import LINE_EVERY, Say, sign_of_life
from llmrank.recall import GROUP, RecallModel, recall_class, tuned_model
from llmrank.recall.ctr import ClickModel, judged_clicks
from llmrank.recall.model import Fitted
from llmrank.recall.ratings import RatingModel
from llmrank.recall.rescoring import fit_kept, rescore
from llmrank.recall.training import Epoch
from llmrank.run.tables import between, number
from llmrank.stats import finite_pair, mean_interval

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


@dataclass(frozen=True, slots=True)
class TrainedBaselines:
    """What the trained recommenders say of the Cases."""

    scores: Mapping[str, Mapping[str, tuple[float, ...]]]
    """The scores of each Case's candidates, in their order, by model name and case id."""
    notes: tuple[str, ...]
    """AUC and log loss of each click-through model."""


def train_baselines(models: Sequence[RecallModel], cases: CaseSet, say: Say) -> TrainedBaselines:
    """Fit each recommender, and let it score the candidates of the Cases."""
    if cases.split is None:
        return TrainedBaselines({}, ())
    scores, notes = dict[str, Mapping[str, tuple[float, ...]]](), list[str]()
    ids = [case.case_id for case in cases]
    for model in models:
        fitted = fit(model, cases.split, say)
        with sign_of_life(say, f"scoring the candidates with {model.name}", at_once=False):
            scores[model.name] = dict(zip(ids, rescore(fitted, cases.split, cases.cases), strict=True))
            if isinstance(model, ClickModel):
                notes += click_notes(model.name, fitted, cases.split, cases)
    return TrainedBaselines(scores, tuple(notes))


def click_notes(name: str, fitted: Fitted, split: Split, cases: CaseSet) -> Iterator[str]:
    """Yield AUC and log loss as in papers on click-through models (see `judged_clicks`), for the users of the Cases,
    with 95% intervals over users; nothing if there is nobody to judge them on."""
    index = {user_id: user for user, user_id in enumerate(split.dataset.users)}
    wanted = np.array(sorted({index[case.user_id] for case in cases}), np.int32)
    users, probabilities = judged_clicks(fitted, split, wanted, cases.seed)
    if not len(users):
        return
    taken, left = probabilities.T
    clicked, unused = np.tile([1.0, 0.0], len(users)), np.zeros(2 * len(users))
    area = AUC().summary(
        Ratings(clicked, probabilities.ravel(), unused, (0, 1)), [f"{user}" for user in users.repeat(2)]
    )
    loss = mean_interval(-(np.log(taken) + np.log(1 - left)) / 2)
    yield (
        f"{name}: AUC {number(area.value)} (95% CI {between(area.ci95)}), log loss {number(loss.value)} (95% CI "
        f"{between(finite_pair(loss.low, loss.high))}), from {count_of(len(users), 'held-out event')}, each beside a "
        "random item that its user does not have."
    )
