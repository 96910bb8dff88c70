"""The rankers by name: those here, and those that other packages add through the entry point `llmrank.rankers`."""

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
"""The template that each method uses unless another is named."""
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
"""The methods that ask a model, and write what they ask themselves."""
SCORED = frozenset({"first_token", "pointwise", "next_title"})
"""The methods whose scores can be added to those of the recall stage."""
CALIBRATED = frozenset({"first_token"})
"""The methods whose scores may depend on the place in the list."""


def ranker_names() -> list[str]:
    """Return the names of all rankers that use a prompt, those of other packages last."""
    return list(dict.fromkeys((*BUILDERS, *plugin_names(GROUP))))


@dataclass(frozen=True, slots=True)
class BaselineData:
    """What the baselines are built from, read on demand: nothing from after the cut-off."""

    popularity: Callable[[], Mapping[str, int]]
    """How many training events each item has."""
    rating_means: Callable[[], RatingMeans]
    """The means of the training ratings; raises InputError where there are none."""


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
"""The rankers that make no model calls, built from the training data and a seed."""
RATING_BASELINES = frozenset[str](get_args(MeanName))


def build_baseline(name: str, training: BaselineData, seed: int) -> Ranker:
    """Return the baseline of that name; raises InputError where a package adds a ranker of that name too."""
    find_plugin(GROUP, name, BASELINES)
    return BASELINES[name](training, seed)


def check_options(name: str, options: RankerOptions) -> None:
    """Raise InputError for an unknown name, and for options that the method of that name cannot serve; it is not built.

    Of what the methods of other packages can serve nothing is known here.
    """
    check_name(name)
    known = {*BUILDERS, *WITHOUT_PROMPT, *BASELINES}
    asked = (("fuse", options.fuse, SCORED), ("calibrate", options.calibrate, CALIBRATED))
    for field, given, able in asked:
        if given is not None and name in known - able:
            problem = f"the scores of {name} cannot be {field}d, or it has none"
            raise InputError(problem, field=field, hint=f"use --ranker {' or '.join(sorted(able))}, or leave it out")
    if options.fuse is None and options.fuse_term is not None:
        raise InputError("there is nothing to fuse", field="fuse_term", hint="give a weight: --fuse 1")


def refuse_idle(names: Sequence[str | None], options: RankerOptions) -> None:
    """Raise InputError for an option that was set and that none of these methods uses.

    A method of another package may use any option, so beside one nothing is refused.
    """
    methods = [BUILDERS.get(name, WITHOUT_PROMPT.get(name, BASELINES.get(name))) for name in names if name is not None]
    if None in methods:
        return
    read = {"seed", "first", "fuse", "fuse_term", "calibrate"} | ({"repeats"} if names[0] not in BASELINES else set())
    read |= {one for method in methods if method is not None for one in signature(method).parameters}
    read |= {"combine"} if options.repeats != 1 else set()
    read |= {"first_top"} if len(methods) > 1 else set()
    read |= {"fuse_users"} if options.fuse == "validation" else set()
    for option in fields(options):
        if option.name not in read and getattr(options, option.name) != getattr(DEFAULTS, option.name):
            serve = [name for name, method in BUILDERS.items() if option.name in signature(method).parameters]
            hint = f"leave it out, or use --ranker {' or '.join(serve)}" if serve else _NEEDS[option.name]
            raise InputError(f"{names[0]} does nothing with it", field=option.name, hint=hint)


_NEEDS = {
    "combine": "give --repeats too: there is one ranking to combine",
    "first_top": "give --first too: nothing preselects",
    "fuse_users": "give --fuse validation too: no weight is chosen",
    "repeats": "leave it out, or choose a --ranker that asks a model",
}
"""Options that say how another one works."""


def check_name(name: str, field: str = "--ranker") -> None:
    """Raise InputError for a name that no ranker has."""
    names = [*ranker_names(), *WITHOUT_PROMPT, *BASELINES]
    if name not in names:
        hint = f"use one of {', '.join(names)}"
        raise InputError(f"unknown ranker {name!r}{nearest(name, names)}", field=field, hint=hint)


def build_ranker(name: str, prompt: Prompt | None, options: RankerOptions = DEFAULTS) -> Ranker:
    """Return the ranker of that name with the prompt (None for those in `WITHOUT_PROMPT`).

    The options may calibrate it, fuse it with the recall stage, repeat it, and put a cheaper ranker before it.

    Raises InputError for an unknown or ambiguous name, for an option out of range or of no use to the method, and for a
    weight that is still to be chosen. Whether the prompt suits the method is for `llmrank.prompting.check` to say.
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
        raise InputError(f"{name} asks with no prompt", field="--ranker", hint="choose another --ranker")
    if options.calibrate is not None:
        ranker = Calibrated(ranker, options.calibrate, log=options.fuse is not None)
    if options.fuse == "validation":
        hint = "choose one with `llmrank eval --fuse validation` on a data set, then give its weight: --fuse 1.5"
        raise InputError("here are no validation users on whom a weight could be chosen", field="fuse", hint=hint)
    if options.fuse is not None:
        ranker = Fused(ranker, Fusion(options.fuse, options.fuse_term or DEFAULT_TERM))
    if options.repeats != 1:
        ranker = Repeated(ranker, options.repeats, options.combine, options.seed)
    if options.first is not None:
        ranker = Cascade(options.first, ranker, options.first_top)
    return ranker
