"""Answer formats: each turns one Response into one Answer.

A Response is what a model wrote; an Answer holds the items it ranked or the value it gave, exactly one Outcome, and the
repairs that were needed. Models answer in many forms, so reading runs in six stages (docs/reading-answers.md). An
answer that can be read in two ways is left unparsed, because a wrong ranking is worse than none. Reading is pure: the
same Response and Question always give the same Answer, and the ground truth is never seen.

`answer_format(name)` returns a format. A package adds its own through the entry point group `llmrank.answers`: a class
that needs no arguments, or a value, that follows the protocol `llmrank.types.AnswerFormat`. The helpers for writing
such a format are exported here too (docs/extending.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint

from llmrank.answers.outcome import TextFormat, answered, missing, unparsed
from llmrank.answers.plugin_format import PluginFormat
from llmrank.answers.text.envelope import without_reasoning
from llmrank.errors import InputError, nearest
from llmrank.plugin import find_plugin, plugin_names
from llmrank.types import AnswerFormat

__all__ = ["TextFormat", "answer_format", "answer_formats", "answered", "missing", "unparsed", "without_reasoning"]

_FORMATS: Mapping[str, str] = {
    "titles": "formats.ranking:Titles",
    "permutation": "formats.ranking:Permutation",
    "json": "formats.json_answer:Json",
    "choice": "formats.choice:Choice",
    "yes_no": "formats.yes_no:YesNo",
    "rating": "formats.rating:Rating",
    "expected_rating": "formats.expected_rating:ExpectedRating",
    "label_logprobs": "formats.label_logprobs:LabelLogprobs",
    "one_title": "formats.one_title:OneTitle",
}
"""The built-in formats: name -> module and class. Each is loaded on first use, because the patterns that a format
compiles take longer to load than most commands take to run."""
_GROUP = "llmrank.answers"


def answer_formats() -> tuple[str, ...]:
    """Return the names of all answer formats: the built-in ones first, then those of installed packages."""
    return tuple(dict.fromkeys((*_FORMATS, *plugin_names(_GROUP))))


def answer_format(name: str) -> AnswerFormat:
    """Return the answer format with this name.

    Raises InputError if there is none (with the nearest name), if two packages provide it or one reuses a built-in
    name, or if a package's format cannot be loaded.
    """
    if plugin := find_plugin(_GROUP, name, _FORMATS):
        return PluginFormat.load(plugin)
    if name in _FORMATS:
        return EntryPoint(name, f"{__name__}.{_FORMATS[name]}", _GROUP).load()()
    known = answer_formats()
    problem = f"there is no answer format {name!r}{nearest(name, known)}"
    raise InputError(problem, field="answer", hint=f"use one of {', '.join(known)}")
