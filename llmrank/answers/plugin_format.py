"""An answer format from another package, with its contract enforced.

A plugin's format must return an Answer for every Response, and may rank only items that were shown. A violation raises
an InputError that names the package.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

from llmrank.plugin import Plugin
from llmrank.types import Answer, AnswerFormat, Question, Response, Structured

_METHODS = ("read", "labels", "structured")


@dataclass(frozen=True, slots=True)
class PluginFormat:
    """Forwards calls to the plugin's format. A violation of the contract raises an InputError that names the
    package."""

    plugin: Plugin
    format: AnswerFormat

    @classmethod
    def load(cls, plugin: Plugin) -> PluginFormat:
        """Return the format: the object that the entry point names, or an instance of it if it is a class."""
        loaded = plugin.load()
        if isinstance(loaded, type):
            with plugin.blamed("cannot be made without arguments"):
                loaded = cast(object, loaded())
        if lacking := [name for name in _METHODS if not callable(getattr(loaded, name, None))]:
            raise plugin.error(
                f"has no {' and no '.join(f'`{name}`' for name in lacking)}",
                hint="derive it from llmrank.answers.TextFormat and give it `read(self, response, question)`",
            )
        return cls(plugin, cast(AnswerFormat, loaded))

    @property
    def name(self) -> str:
        """The entry point's name."""
        return self.plugin.name

    def read(self, response: Response, question: Question) -> Answer:
        """Return the plugin's Answer. Raises InputError if the plugin raises, or if the Answer is invalid."""
        text = f"the answer {response.text[:60]!r}"
        hint = "return an Answer whatever the text (llmrank.answers.unparsed); the same command then continues"
        with self.plugin.blamed(f"raised on {text}", hint=hint):
            answer = cast(object, self.format.read(response, question))
        if not isinstance(answer, Answer):
            raise self.plugin.error(f"made no Answer of {text}, but {answer!r:.60}", hint=hint)
        strange = set(answer.ranked) - {item.item_id for item in question.items}
        if strange or len(set(answer.ranked)) < len(answer.ranked):
            what = f"ranks {min(strange)!r}, which was not shown" if strange else "ranks an item twice"
            raise self.plugin.error(
                f"{what}, in {text}", hint="put into `ranked` ids of `question.items` alone, each once"
            )
        if answer.value is not None and not math.isfinite(answer.value):
            raise self.plugin.error(f"gives the value {answer.value}, in {text}", hint="give a number, or unparsed")
        return answer

    def labels(self, question: Question) -> tuple[str, ...]:
        """Return the plugin's labels."""
        with self.plugin.blamed("raised in `labels`"):
            return self.format.labels(question)

    def structured(self, question: Question) -> Structured | None:
        """Return the plugin's constraint."""
        with self.plugin.blamed("raised in `structured`"):
            return self.format.structured(question)
