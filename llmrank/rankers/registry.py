"""The rankers by name: those here, and those that other packages add through the entry point `llmrank.rankers`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import cast

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
from llmrank.rankers.needs import prompt_needs
from llmrank.rankers.pairwise import Pairwise, PairwiseSort
from llmrank.rankers.plugin_ranker import PluginRanker
from llmrank.rankers.pointwise import Pointwise
from llmrank.rankers.prompt import Prompt
from llmrank.rankers.repeated import Combine, Repeated
from llmrank.rankers.setwise import Setwise, SetwiseSort
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
"""The template that each method asks with, unless another is named."""


@dataclass(frozen=True, slots=True)
class RankerOptions:
    """What the methods can be told. None: the method's own default. Each method reads what it knows."""

    window: int = 20
    """`sliding_window`: items shown at a time."""
    step: int = 10
    """`sliding_window`: how far each window lies before the last."""
    sort: str | None = None
    """`pairwise`: all (default), heap, bubble; `setwise`: heap (default), bubble."""
    group: int | None = None
    """Items shown at a time: `setwise` 4, `tournament` 20 unless given."""
    sort_top: int = 10
    """`pairwise` and `setwise`: how many places a sort fills."""
    rounds: int = 2
    """`tournament`: how many are played."""
    repeats: int = 1
    """Orders in which the method is asked; more than one are combined."""
    combine: Combine = "borda"
    first: Ranker | None = None
    """A cheap ranker for the whole list, whose top alone the method ranks."""
    first_top: int = 20
    seed: int = 0
    """For groups and repeats."""


Build = Callable[[Prompt, RankerOptions], Ranker]
"""What an entry point of the group `llmrank.rankers` loads."""

BUILDERS: Mapping[str, Build] = MappingProxyType(
    {
        "listwise": lambda prompt, options: Listwise(prompt),
        "sliding_window": lambda prompt, options: SlidingWindow(prompt, options.window, options.step),
        "first_token": lambda prompt, options: FirstToken(prompt),
        "pointwise": lambda prompt, options: Pointwise(prompt),
        "pairwise": lambda prompt, options: Pairwise(
            prompt, cast(PairwiseSort, options.sort or "all"), options.sort_top
        ),
        "setwise": lambda prompt, options: Setwise(
            prompt,
            cast(SetwiseSort, options.sort or "heap"),
            4 if options.group is None else options.group,
            options.sort_top,
        ),
        "tournament": lambda prompt, options: Tournament(
            prompt, 20 if options.group is None else options.group, options.rounds, options.seed
        ),
    }
)


def ranker_names() -> list[str]:
    """Return the names of all rankers that ask with a prompt, those of other packages last."""
    return list(dict.fromkeys((*BUILDERS, *plugin_names(GROUP))))


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What the baselines are made of, read when it is wanted: nothing from after the cut-off."""

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
"""The rankers that ask nobody, made of the training data and a seed."""
RATING_BASELINES = frozenset({"global_mean", "item_mean", "user_mean"})


def build_baseline(name: str, training: TrainingData, seed: int) -> Ranker:
    """Return the ranker of that name that asks nobody; raises InputError where a package gives that name too."""
    find_plugin(GROUP, name, BASELINES)
    return BASELINES[name](training, seed)


def build_ranker(name: str, prompt: Prompt, options: RankerOptions | None = None) -> Ranker:
    """Return the ranker of that name that asks with the prompt, repeated and behind a cheaper one where the options say
    so.

    Raises InputError for a name that nobody or more than one package gives, a prompt that the method cannot ask with,
    and an option out of range.
    """
    options = options or RankerOptions()
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
    """Raise InputError where a method of this package cannot ask with the prompt."""
    front, template = prompt.template.front, repr(prompt.template.name)
    if front.about_one_item != (name == "pointwise"):
        asks = "one item at a time" if front.about_one_item else "several items at a time"
        raise InputError(
            f"the prompt {template} asks about {asks}, and {name} does not",
            field="--ranker",
            hint="take --ranker pointwise" if front.about_one_item else "take a prompt whose `ranker` is pointwise",
        )
    if front.candidates == "catalogue" and name != "listwise":
        raise InputError(
            f"the prompt {template} shows no list, and {name} ranks parts of one",
            field="--ranker",
            hint="take --ranker listwise, or a prompt that shows the candidates",
        )
    if name == "first_token" and (prompt.view.ids or front.ids) == "titles":
        raise InputError(
            f"first_token reads labels, and {template} shows none", field="--ids", hint="take --ids letters"
        )
    if name == "first_token" and not prompt_needs(prompt, 1, 2).labels:
        raise InputError(
            f"first_token reads label log-probabilities, and the answer format {prompt.answer.name!r} reads text",
            field="--answer",
            hint="take --answer label_logprobs",
        )


def _builder(name: str) -> Build:
    if name in BUILDERS:
        return BUILDERS[name]
    known = [*ranker_names(), *BASELINES]
    raise InputError(
        f"unknown ranker {name!r}{nearest(name, known)}", field="--ranker", hint=f"use one of {', '.join(known)}"
    )
