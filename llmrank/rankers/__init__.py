"""Rankers: pure generators that say what to ask, and turn the answers into a Ranking. One file per method.

A package adds its own through the entry point group `llmrank.rankers`: a function of (Prompt, RankerOptions) that
returns a `llmrank.types.Ranker`. The names for writing one are exported here (docs/extending.md).
"""

from llmrank.rankers.calls import CaseCalls, Steps, with_candidates
from llmrank.rankers.options import RankerOptions
from llmrank.rankers.prompt import Prompt, check_capabilities, prompt_needs
from llmrank.rankers.ranking import has_no_result, trivial_ranking
from llmrank.rankers.registry import build_ranker, ranker_names
from llmrank.types import BaseRanker, Needs

__all__ = [
    "BaseRanker",
    "CaseCalls",
    "Needs",
    "Prompt",
    "RankerOptions",
    "Steps",
    "build_ranker",
    "check_capabilities",
    "has_no_result",
    "prompt_needs",
    "ranker_names",
    "trivial_ranking",
    "with_candidates",
]
