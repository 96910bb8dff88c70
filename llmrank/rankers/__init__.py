"""Rankers: pure generators that say what to ask, and make a Ranking of the answers. One file per method.

A package adds its own through the entry point group `llmrank.rankers`: a function of (Prompt, RankerOptions) that
returns a `llmrank.types.Ranker`. What such a ranker is written with stands here (docs/extending.md).
"""

from llmrank.rankers.dialogue import Dialogue, showing, unasked
from llmrank.rankers.needs import Needs, prompt_needs
from llmrank.rankers.prompt import Prompt
from llmrank.rankers.registry import RankerOptions, build_ranker, ranker_names
from llmrank.rankers.settle import is_lost
from llmrank.rankers.steps import Steps

__all__ = [
    "Dialogue",
    "Needs",
    "Prompt",
    "RankerOptions",
    "Steps",
    "build_ranker",
    "is_lost",
    "prompt_needs",
    "ranker_names",
    "showing",
    "unasked",
]
