"""Rankers: pure generators that say what to ask, and make a Ranking of the answers. One file per method.

A package adds its own through the entry point group `llmrank.rankers`: a function of (Prompt, RankerOptions) that
returns a `llmrank.types.Ranker`. What such a ranker is written with stands here (docs/extending.md).
"""

from llmrank.rankers.calls import CaseCalls, trivial_ranking, with_candidates
from llmrank.rankers.needs import Needs, prompt_needs
from llmrank.rankers.outcomes import has_no_result
from llmrank.rankers.prompt import Prompt
from llmrank.rankers.registry import RankerOptions, build_ranker, ranker_names
from llmrank.rankers.steps import Steps

__all__ = [
    "CaseCalls",
    "Needs",
    "Prompt",
    "RankerOptions",
    "Steps",
    "build_ranker",
    "has_no_result",
    "prompt_needs",
    "ranker_names",
    "trivial_ranking",
    "with_candidates",
]
