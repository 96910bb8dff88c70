"""Reading answers: a Response in, an Answer with its repairs out. Pure, and a label is never seen.

`answer_format(name)` returns a format. A package adds its own through the entry point group `llmrank.answers`: a class
without arguments, or a value, that follows the protocol `llmrank.types.AnswerFormat`. What such a format is written
with stands here too (docs/extending.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmrank.answers.choice import Choice
from llmrank.answers.expected_rating import ExpectedRating
from llmrank.answers.json_answer import Json
from llmrank.answers.label_logprobs import LabelLogprobs
from llmrank.answers.normalise import without_reasoning
from llmrank.answers.one_title import OneTitle
from llmrank.answers.outcome import TextFormat, answered, missing, unparsed
from llmrank.answers.permutation import Permutation
from llmrank.answers.plugin_format import PluginFormat
from llmrank.answers.rating import Rating
from llmrank.answers.titles import Titles
from llmrank.answers.yes_no import YesNo
from llmrank.errors import InputError, nearest
from llmrank.plugin import find_plugin, plugin_names

if TYPE_CHECKING:
    from llmrank.types import AnswerFormat

__all__ = ["TextFormat", "answer_format", "answer_formats", "answered", "missing", "unparsed", "without_reasoning"]

_FORMATS = (Titles, Permutation, Json, Choice, YesNo, Rating, ExpectedRating, LabelLogprobs, OneTitle)
_GROUP = "llmrank.answers"


def answer_formats() -> tuple[str, ...]:
    """Return the names of all answer formats, ours first, then those that installed packages add."""
    return tuple(dict.fromkeys((*(made().name for made in _FORMATS), *plugin_names(_GROUP))))


def answer_format(name: str) -> AnswerFormat:
    """Return the answer format with this name.

    Raises InputError, with the nearest name, if there is none; also where two packages give it, llmrank's own included,
    and where a package's format cannot be loaded.
    """
    ours = {(made_format := made()).name: made_format for made in _FORMATS}
    if plugin := find_plugin(_GROUP, name, ours):
        return PluginFormat.load(plugin)
    if name in ours:
        return ours[name]
    known = answer_formats()
    problem = f"there is no answer format {name!r}{nearest(name, known)}"
    raise InputError(problem, field="answer", hint=f"use one of {', '.join(known)}")
