"""Rankers: pure generators that yield Requests and turn the replies into a Ranking. One file per method.

Packages add rankers through the entry point group `llmrank.rankers`: a function of (Prompt, RankerOptions) that returns
a `llmrank.types.Ranker`. This module exports what is needed to write one (see docs/extending.md).
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
