"""The identifiers shown beside the items (numbers, letters, item ids, words), as an answer writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from llmrank.types import Question

_TOKEN = re.compile(r"[-−]?\w+(?:-\w+)*")


@dataclass(frozen=True)
class Identifiers:
    """The identifiers of a question; numbers from 1 where it names none."""

    texts: tuple[str, ...]

    @staticmethod
    def of(question: Question) -> Identifiers:
        """Return the identifiers of a question's items, in the order shown."""
        return _shared(question.identifiers or tuple(str(number) for number in range(1, len(question.items) + 1)))

    @cached_property
    def positions(self) -> dict[str, int]:
        """Where each identifier stands."""
        return {identifier: at for at, identifier in enumerate(self.texts)}

    @cached_property
    def _folded(self) -> dict[str, int]:
        return {identifier.casefold(): at for identifier, at in reversed(self.positions.items())}

    @cached_property
    def are_numbers(self) -> bool:
        """Whether all identifiers are numbers."""
        return all(identifier.isascii() and identifier.isdigit() for identifier in self.texts)

    @cached_property
    def are_letters(self) -> bool:
        """Whether all identifiers are single letters."""
        return all(len(identifier) == 1 and identifier.isalpha() for identifier in self.texts)

    @cached_property
    def token(self) -> re.Pattern[str]:
        """What to look for in a text: any word, and the identifiers that are more than a word."""
        longer = sorted(
            (identifier for identifier in self.texts if not _TOKEN.fullmatch(identifier)), key=len, reverse=True
        )
        return re.compile("|".join([*map(re.escape, longer), _TOKEN.pattern])) if longer else _TOKEN

    def find(self, text: str) -> int | None:
        """Return the position of the item with this identifier, else None. `03` is `3`; only letters have case."""
        if (at := self.positions.get(text)) is not None:
            return at
        if self.are_numbers and text.isascii() and text.isdigit() and len(text) < 10:
            return self.positions.get(str(int(text)))
        return None if self.are_letters else self._folded.get(text.casefold())

    def is_of_kind(self, text: str) -> bool:
        """Return whether an unknown text looks like an identifier: a number among numbers, a letter among letters."""
        if self.are_numbers:
            return text.lstrip("-−").isdigit()
        return self.are_letters and len(text) == 1 and text.isalpha() and text.isupper()


@lru_cache(maxsize=64)
def _shared(identifiers: tuple[str, ...]) -> Identifiers:
    """Return the Identifiers; for lists that are judged alike the same object, so that its tables are built once."""
    return Identifiers(identifiers)
