"""Rankers by name: the built-in ones, and plugins from the entry point `llmrank.rankers`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from inspect import signature
from typing import get_args

from llmrank.errors import InputError, nearest
from llmrank.plugin import find_plugin, plugin_names
from llmrank.rankers.acurank import AcuRank
from llmrank.rankers.baselines import MeanName, MeanRating, Oracle, Popularity, Random, RatingMeans, RecallOrder
from llmrank.rankers.bm25 import BM25
from llmrank.rankers.calibration import Calibrated
from llmrank.rankers.cascade import Cascade
from llmrank.rankers.first_token import FirstToken
from llmrank.rankers.fusion import DEFAULT_TERM, Fused, Fusion
from llmrank.rankers.listwise import Listwise
from llmrank.rankers.next_title import NextTitle
from llmrank.rankers.options import DEFAULTS, RankerOptions
from llmrank.rankers.pairwise import Pairwise
from llmrank.rankers.plugin_ranker import PluginRanker
from llmrank.rankers.pointwise import Pointwise
from llmrank.rankers.prompt import Prompt
from llmrank.rankers.repeated import Repeated
from llmrank.rankers.setwise import Setwise
from llmrank.rankers.sliding_window import SlidingWindow
from llmrank.rankers.tournament import Tournament
from llmrank.types import Ranker

GROUP = "llmrank.rankers"
USUAL_PROMPTS: Mapping[str, str] = {
    "listwise": "palr",
    "sliding_window": "rankgpt",
    "first_token": "first-token",
    "pointwise": "pointwise-yes-no",
    "pairwise": "pairwise",
    "setwise": "setwise",
    "tournament": "tourrank",
    "acurank": "rankgpt",
}
"""The default template of each method."""
BUILDERS: Mapping[str, Callable[..., Ranker]] = {
    "listwise": Listwise,
    "sliding_window": SlidingWindow,
    "first_token": FirstToken,
    "pointwise": Pointwise,
    "pairwise": Pairwise,
    "setwise": Setwise,
    "tournament": Tournament,
    "acurank": AcuRank,
}
WITHOUT_PROMPT: Mapping[str, Callable[[], Ranker]] = {"next_title": NextTitle}
"""Methods that call a model without a prompt template."""
SCORED = frozenset({"first_token", "pointwise", "next_title"})
"""Methods whose scores can be fused with recall scores."""
CALIBRATED = frozenset({"first_token"})
"""Methods whose scores can be calibrated for the position in the list."""


def ranker_names() -> list[str]:
    """Return the names of all rankers that use a prompt, plugins last."""
    return list(dict.fromkeys((*BUILDERS, *plugin_names(GROUP))))


@dataclass(frozen=True, slots=True)
class BaselineData:
    """Training data for the baselines, read on demand. It contains nothing after the cut-off."""

    popularity: Callable[[], Mapping[str, int]]
    """Returns the number of training events per item."""
    rating_means: Callable[[], RatingMeans]
    """Returns the means of the training ratings; raises InputError if there are none."""


BASELINES: Mapping[str, Callable[[BaselineData, int], Ranker]] = {
    "random": lambda training, seed: Random(seed),
    "popularity": lambda training, seed: Popularity(training.popularity()),
    "recall_order": lambda training, seed: RecallOrder(),
    "bm25": lambda training, seed: BM25(),
    "oracle": lambda training, seed: Oracle(),
    "global_mean": lambda training, seed: MeanRating(training.rating_means(), "global_mean"),
    "item_mean": lambda training, seed: MeanRating(training.rating_means(), "item_mean"),
    "user_mean": lambda training, seed: MeanRating(training.rating_means(), "user_mean"),
}
"""Rankers without model calls, built from the training data and a seed."""
RATING_BASELINES = frozenset[str](get_args(MeanName))


def build_baseline(name: str, training: BaselineData, seed: int) -> Ranker:
    """Return the baseline with this name. Raises InputError if a plugin has the same name."""
    find_plugin(GROUP, name, BASELINES)
    return BASELINES[name](training, seed)


def check_options(name: str, options: RankerOptions) -> None:
    """Raise InputError for an unknown name, and for options that the method does not support.

    The method is not built. Options of plugins are not checked.
    """
    check_name(name)
    known = {*BUILDERS, *WITHOUT_PROMPT, *BASELINES}
    asked = (("fuse", options.fuse, SCORED), ("calibrate", options.calibrate, CALIBRATED))
    for field, given, able in asked:
        if given is not None and name in known - able:
            problem = f"{name} has no scores that can be {field}d"
            raise InputError(problem, field=field, hint=f"use --ranker {' or '.join(sorted(able))}, or omit it")
    if options.fuse is None and options.fuse_term is not None:
        raise InputError("this has no effect without --fuse", field="fuse_term", hint="give a weight: --fuse 1")


def refuse_unused(names: Sequence[str | None], options: RankerOptions) -> None:
    """Raise InputError for an option that was set but that none of these methods uses.

    Does nothing if one of them is a plugin, which may use any option.
    """
    methods = [BUILDERS.get(name, WITHOUT_PROMPT.get(name, BASELINES.get(name))) for name in names if name is not None]
    if None in methods:
        return
    chosen = "validation" in (options.fuse, options.calibrate)
    beside = {
        # The order in which `next_title` gets the candidates changes nothing.
        "repeats": (
            names[0] not in {*BASELINES, *WITHOUT_PROMPT},
            "omit it, or choose a --ranker that calls a model with a prompt",
        ),
        "combine": (options.repeats != 1, "add --repeats; a single ranking needs no combining"),
        "first_top": (len(methods) > 1, "add --first, the ranker that preselects"),
        "fuse_users": (chosen, "add --fuse validation or --calibrate validation, which choose on these users"),
    }
    read = {"seed", "first", "fuse", "fuse_term", "calibrate", *(name for name, (used, _) in beside.items() if used)}
    read |= {one for method in methods if method is not None for one in signature(method).parameters}
    for option in fields(options):
        if option.name not in read and getattr(options, option.name) != getattr(DEFAULTS, option.name):
            serve = [name for name, method in BUILDERS.items() if option.name in signature(method).parameters]
            hint = f"omit it, or use --ranker {' or '.join(serve)}" if serve else beside[option.name][1]
            raise InputError(f"{names[0]} does not use this option", field=option.name, hint=hint)


def check_name(name: str, field: str = "ranker") -> None:
    """Raise InputError for an unknown ranker name."""
    names = [*ranker_names(), *WITHOUT_PROMPT, *BASELINES]
    if name not in names:
        hint = f"use one of {', '.join(names)}"
        raise InputError(f"unknown ranker {name!r}{nearest(name, names)}", field=field, hint=hint)


def build_ranker(name: str, prompt: Prompt | None, options: RankerOptions = DEFAULTS) -> Ranker:
    """Return the ranker with this name and prompt (None for those in `WITHOUT_PROMPT`).

    The options may calibrate it, fuse it with recall scores, repeat it, and put a cheaper ranker in front of it.

    Raises InputError for an unknown or ambiguous name, for an option that is out of range or unsupported, and for a
    weight that has not been chosen yet. `llmrank.prompting.check` checks whether the prompt suits the method.
    """
    check_options(name, options)
    if (plugin := find_plugin(GROUP, name, {*BUILDERS, *WITHOUT_PROMPT, *BASELINES})) is not None:
        ranker: Ranker = PluginRanker.load(plugin, prompt, options)
    elif name in WITHOUT_PROMPT:
        ranker = WITHOUT_PROMPT[name]()
    elif name in BUILDERS:
        known = {one.name for one in fields(options)} & set(signature(BUILDERS[name]).parameters)
        given = {option: getattr(options, option) for option in known}
        ranker = BUILDERS[name](prompt, **{option: value for option, value in given.items() if value is not None})
    else:
        raise InputError(f"{name} does not use a prompt", field="ranker", hint="choose another --ranker")
    if options.fuse == "validation":
        raise _not_chosen("fuse", "weight: --fuse 1.5")
    if options.calibrate == "validation":
        raise _not_chosen("calibrate", "strength: --calibrate 1")
    if options.calibrate is not None:
        if prompt is not None and prompt.view.show_scores:
            problem = "the prompt with empty items would still show the recall scores"
            raise InputError(problem, field="calibrate", hint="omit --show-scores, or --calibrate")
        ranker = Calibrated(ranker, options.calibrate, log=options.fuse is not None)
    if options.fuse is not None:
        ranker = Fused(ranker, Fusion(options.fuse, options.fuse_term or DEFAULT_TERM))
    if options.repeats != 1:
        ranker = Repeated(ranker, options.repeats, options.combine, options.seed)
    if options.first is not None:
        ranker = Cascade(options.first, ranker, options.first_top)
    return ranker


def _not_chosen(option: str, example: str) -> InputError:
    hint = f"run `llmrank eval --{option} validation` on a dataset, then pass the {example}"
    return InputError("there are no validation users for choosing a value", field=option, hint=hint)
