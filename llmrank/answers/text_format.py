"""What formats that read plain text have in common: they need no log-probabilities, and are not constrained."""

from __future__ import annotations

from llmrank.types import Question, Structured


class TextFormat:
    """Base of the formats that read the text alone."""

    __slots__ = ()

    def labels(self, question: Question) -> tuple[str, ...]:
        """Return nothing: no log-probabilities are read."""
        return ()

    def structured(self, question: Question) -> Structured | None:
        """Return None: no constraint makes every answer readable."""
        return None
