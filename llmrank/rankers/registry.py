"""The rankers by name: those here, and those that other packages add through the entry point `llmrank.rankers`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from llmrank.errors import InputError, nearest
from llmrank.plugin import find_plugin, plugin_names
from llmrank.rankers.baselines import (
    GlobalMean,
    ItemMean,
    Oracle,
    Popularity,
    Random,
    RatingMeans,
    RecallOrder,
    UserMean,
)
from llmrank.rankers.bm25 import BM25
from llmrank.rankers.cascade import Cascade
from llmrank.rankers.first_token import FirstToken
from llmrank.rankers.listwise import Listwise
from llmrank.rankers.options import DEFAULTS, RankerOptions
from llmrank.rankers.pairwise import Pairwise
from llmrank.rankers.plugin_ranker import PluginRanker
from llmrank.rankers.pointwise import Pointwise
from llmrank.rankers.prompt import Prompt, prompt_needs
from llmrank.rankers.repeated import Repeated
from llmrank.rankers.setwise import Setwise
from llmrank.rankers.sliding_window import SlidingWindow
from llmrank.rankers.tournament import Tournament
from llmrank.types import Ranker

GROUP = "llmrank.rankers"
USUAL_PROMPTS: Mapping[str, str] = MappingProxyType(
    {
        "listwise": "palr",
        "sliding_window": "rankgpt",
        "first_token": "first-token",
        "pointwise": "pointwise-yes-no",
        "pairwise": "pairwise",
        "setwise": "setwise",
        "tournament": "tourrank",
    }
)
"""The template that each method uses unless another is named."""


Build = Callable[[Prompt, RankerOptions], Ranker]
"""What an entry point of the group `llmrank.rankers` loads."""

BUILDERS: Mapping[str, Build] = MappingProxyType(
    {
        "listwise": lambda prompt, options: Listwise(prompt),
        "sliding_window": lambda prompt, options: SlidingWindow(prompt, options.window, options.step),
        "first_token": lambda prompt, options: FirstToken(prompt),
        "pointwise": lambda prompt, options: Pointwise(prompt),
        "pairwise": lambda prompt, options: Pairwise(prompt, **_given(options, "sort"), top=options.sort_top),
        "setwise": lambda prompt, options: Setwise(prompt, **_given(options, "sort", "group"), top=options.sort_top),
        "tournament": lambda prompt, options: Tournament(
            prompt, **_given(options, "group"), rounds=options.rounds, seed=options.seed
        ),
    }
)


def _given(options: RankerOptions, *names: str) -> dict[str, Any]:
    """Return the options of these names that are set."""
    values = {name: getattr(options, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def ranker_names() -> list[str]:
    """Return the names of all rankers that use a prompt, those of other packages last."""
    return list(dict.fromkeys((*BUILDERS, *plugin_names(GROUP))))


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What the baselines are built from, read on demand: nothing from after the cut-off."""

    popularity: Callable[[], Mapping[str, int]]
    """How many training events each item has."""
    rating_means: Callable[[], RatingMeans]
    """The means of the training ratings; raises InputError where there are none."""


BASELINES: Mapping[str, Callable[[TrainingData, int], Ranker]] = MappingProxyType(
    {
        "random": lambda training, seed: Random(seed),
        "popularity": lambda training, seed: Popularity(training.popularity()),
        "recall_order": lambda training, seed: RecallOrder(),
        "bm25": lambda training, seed: BM25(),
        "oracle": lambda training, seed: Oracle(),
        "global_mean": lambda training, seed: GlobalMean(training.rating_means()),
        "item_mean": lambda training, seed: ItemMean(training.rating_means()),
        "user_mean": lambda training, seed: UserMean(training.rating_means()),
    }
)
"""The rankers that make no model calls, built from the training data and a seed."""
RATING_BASELINES = frozenset({"global_mean", "item_mean", "user_mean"})


def build_baseline(name: str, training: TrainingData, seed: int) -> Ranker:
    """Return the baseline of that name; raises InputError where a package adds a ranker of that name too."""
    find_plugin(GROUP, name, BASELINES)
    return BASELINES[name](training, seed)


def build_ranker(name: str, prompt: Prompt, options: RankerOptions = DEFAULTS) -> Ranker:
    """Return the ranker of that name with the prompt; the options may repeat it and put a cheaper ranker before it.

    Raises InputError for an unknown or ambiguous name, a prompt that the method cannot use, and an option out of range.
    """
    plugin = find_plugin(GROUP, name, {*BUILDERS, *BASELINES})
    build = _builder(name) if plugin is None else partial(PluginRanker.load, plugin)
    if name in BUILDERS:
        check_prompt(name, prompt)
    ranker = build(prompt, options)
    if options.repeats != 1:
        ranker = Repeated(ranker, options.repeats, options.combine, options.seed)
    if options.first is not None:
        ranker = Cascade(options.first, ranker, options.first_top)
    return ranker


def check_prompt(name: str, prompt: Prompt) -> None:
    """Raise InputError where a method of this package cannot use the prompt."""
    front, template = prompt.template.front, repr(prompt.template.name)
    if front.about_one_item != (name == "pointwise"):
        asks = "one item at a time" if front.about_one_item else "several items at a time"
        raise InputError(
            f"the prompt {template} asks about {asks}, and {name} does not",
            field="--ranker",
            hint="use --ranker pointwise" if front.about_one_item else "use a prompt whose `ranker` is pointwise",
        )
    if front.candidates == "catalogue" and name != "listwise":
        raise InputError(
            f"the prompt {template} shows no list, and {name} ranks parts of one",
            field="--ranker",
            hint="use --ranker listwise, or a prompt that shows the candidates",
        )
    if name == "first_token" and (prompt.view.ids or front.ids) == "titles":
        raise InputError(
            f"first_token needs identifiers beside the items, and {template} shows none",
            field="--ids",
            hint="use --ids letters",
        )
    if name == "first_token" and not prompt_needs(prompt, 1, 2).labels:
        raise InputError(
            f"first_token reads label log-probabilities, and the answer format {prompt.answer.name!r} reads text",
            field="--answer",
            hint="use --answer label_logprobs",
        )


def _builder(name: str) -> Build:
    if name in BUILDERS:
        return BUILDERS[name]
    known = [*ranker_names(), *BASELINES]
    raise InputError(
        f"unknown ranker {name!r}{nearest(name, known)}", field="--ranker", hint=f"use one of {', '.join(known)}"
    )
