"""Reading answers: a Response in, an Answer with its repairs out. Pure, and a label is never seen.

`answer_format(name)` returns a format. A package adds its own through the entry point group `llmrank.answers`: a class
without arguments, or a value, that follows the protocol `llmrank.types.AnswerFormat`. What such a format is written
with stands here too (docs/extending.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint

from llmrank.answers.normalise import without_reasoning
from llmrank.answers.outcome import TextFormat, answered, missing, unparsed
from llmrank.answers.plugin_format import PluginFormat
from llmrank.errors import InputError, nearest
from llmrank.plugin import find_plugin, plugin_names
from llmrank.types import AnswerFormat

__all__ = ["TextFormat", "answer_format", "answer_formats", "answered", "missing", "unparsed", "without_reasoning"]

_FORMATS: Mapping[str, str] = {
    "titles": "ranking:Titles",
    "permutation": "ranking:Permutation",
    "json": "json_answer:Json",
    "choice": "choice:Choice",
    "yes_no": "yes_no:YesNo",
    "rating": "rating:Rating",
    "expected_rating": "expected_rating:ExpectedRating",
    "label_logprobs": "label_logprobs:LabelLogprobs",
    "one_title": "one_title:OneTitle",
}
"""llmrank's own: name -> module and class. One is loaded when it is asked for, as a package's is: what it knows of the
ways models write takes longer to load than most commands take."""
_GROUP = "llmrank.answers"


def answer_formats() -> tuple[str, ...]:
    """Return the names of all answer formats, ours first, then those that installed packages add."""
    return tuple(dict.fromkeys((*_FORMATS, *plugin_names(_GROUP))))


def answer_format(name: str) -> AnswerFormat:
    """Return the answer format with this name.

    Raises InputError, with the nearest name, if there is none; also where two packages give it, llmrank's own included,
    and where a package's format cannot be loaded.
    """
    if plugin := find_plugin(_GROUP, name, _FORMATS):
        return PluginFormat.load(plugin)
    if name in _FORMATS:
        return EntryPoint(name, f"{__name__}.{_FORMATS[name]}", _GROUP).load()()
    known = answer_formats()
    problem = f"there is no answer format {name!r}{nearest(name, known)}"
    raise InputError(problem, field="answer", hint=f"use one of {', '.join(known)}")
