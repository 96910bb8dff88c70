"""Reading answers: a Response in, an Answer with its repairs out. Pure, and a label is never seen.

`answer_format(name)` returns a format. A package adds its own through the entry point group `llmrank.answers`: a class
without arguments, or a value, that follows the protocol `llmrank.types.AnswerFormat`.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, cast

from llmrank.answers.choice import Choice
from llmrank.answers.expected_rating import ExpectedRating
from llmrank.answers.json_answer import Json
from llmrank.answers.label_logprobs import LabelLogprobs
from llmrank.answers.permutation import Permutation
from llmrank.answers.rating import Rating
from llmrank.answers.titles import Titles
from llmrank.answers.yes_no import YesNo
from llmrank.errors import InputError, nearest

if TYPE_CHECKING:
    from llmrank.types import AnswerFormat

__all__ = ["answer_format", "answer_formats"]

_FORMATS = (Titles, Permutation, Json, Choice, YesNo, Rating, ExpectedRating, LabelLogprobs)
_GROUP = "llmrank.answers"


def answer_formats() -> tuple[str, ...]:
    """Return the names of all answer formats, ours first, then those that installed packages add."""
    ours = [made().name for made in _FORMATS]
    return (*ours, *sorted(entry_points(group=_GROUP).names - set(ours)))


def answer_format(name: str) -> AnswerFormat:
    """Return the answer format with this name; raise `InputError`, with the nearest name, if there is none."""
    for made in _FORMATS:
        if (ours := made()).name == name:
            return ours
    for point in entry_points(group=_GROUP, name=name):
        loaded = cast("type[AnswerFormat] | AnswerFormat", point.load())
        added = loaded() if isinstance(loaded, type) else loaded
        if not callable(getattr(added, "read", None)):
            raise InputError(
                f"the answer format {name!r} of {point.value} has no `read(response, question)`",
                mend="give it one: see the AnswerFormat protocol in llmrank.types",
            )
        return added
    known = answer_formats()
    problem = f"there is no answer format {name!r}{nearest(name, known)}"
    raise InputError(problem, field="answer", mend=f"use one of {', '.join(known)}")
