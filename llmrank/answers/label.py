"""The identifiers shown beside the items (numbers, letters, item ids, words), as an answer writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from llmrank.types import Question

_TOKEN = re.compile(r"[-−]?\w+(?:-\w+)*")


@dataclass(frozen=True)
class Labels:
    """The labels of a question; numbers from 1 where it names none."""

    labels: tuple[str, ...]

    @staticmethod
    def of(question: Question) -> Labels:
        """Return the labels of a question's items, in the order shown."""
        return _shared(question.labels or tuple(str(number) for number in range(1, len(question.items) + 1)))

    @cached_property
    def positions(self) -> dict[str, int]:
        """Where each label stands."""
        return {label: at for at, label in enumerate(self.labels)}

    @cached_property
    def _folded(self) -> dict[str, int]:
        return {label.casefold(): at for label, at in reversed(self.positions.items())}

    @cached_property
    def are_numbers(self) -> bool:
        """Whether all labels are numbers."""
        return all(label.isascii() and label.isdigit() for label in self.labels)

    @cached_property
    def are_letters(self) -> bool:
        """Whether all labels are single letters."""
        return all(len(label) == 1 and label.isalpha() for label in self.labels)

    @cached_property
    def token(self) -> re.Pattern[str]:
        """What to look for in a text: any word, and the labels that are more than a word."""
        longer = sorted((label for label in self.labels if not _TOKEN.fullmatch(label)), key=len, reverse=True)
        return re.compile("|".join([*map(re.escape, longer), _TOKEN.pattern])) if longer else _TOKEN

    def find(self, text: str) -> int | None:
        """Return the position of the item with this label, None if none has it. `03` is `3`; only letters have case."""
        if (at := self.positions.get(text)) is not None:
            return at
        if self.are_numbers and text.isascii() and text.isdigit() and len(text) < 10:
            return self.positions.get(str(int(text)))
        return None if self.are_letters else self._folded.get(text.casefold())

    def is_of_kind(self, text: str) -> bool:
        """Return whether a text that is no label looks like one: a number among numbers, a letter among letters."""
        if self.are_numbers:
            return text.lstrip("-−").isdigit()
        return self.are_letters and len(text) == 1 and text.isalpha() and text.isupper()


@lru_cache(maxsize=64)
def _shared(labels: tuple[str, ...]) -> Labels:
    """Return the Labels; for lists that are labelled alike the same object, so that its tables are built once."""
    return Labels(labels)
