"""Which item a text describes: its title, and beside it what else is known of it (`Hello by Adele`, `Bosch Kettle`).

Songs have artists, books have authors, products have brands; a model names them with the title, and of two items with
one title they alone tell which is meant. A text describes an item when the item's title and its attributes account for
every word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from llmrank.answers.blocks import word_set
from llmrank.answers.title import normalised

if TYPE_CHECKING:
    from llmrank.types import Item

_BETWEEN = word_set(
    "by from at and with the a an feat starring directed written performed made sung"
    " von und de par et di por y av van en bei chez"
)
"""Words that may stand between a title and an attribute."""
_LONGEST = 80
"""Characters of an attribute; longer ones are descriptions, which no answer repeats as a name."""
_MOST = 400
"""Characters of a text that is looked at, so that the time stays linear."""
_PARTS = re.compile(r"[|;,/]")
_TITLE, _ATTRIBUTE = "\x01", "\x02"


class Descriptions:
    """Finds items by their titles with attributes beside them."""

    def __init__(
        self, items: Sequence[Item], names: Callable[[int], Iterable[str]], are_same: Callable[[Iterable[int]], bool]
    ) -> None:
        """`names`: what the item at a place may be called, normalised; `are_same`: whether items have one title."""
        self._items, self._names, self._are_same = items, names, are_same

    def find(self, text: str) -> tuple[int, ...]:
        """Return the item that a text describes, several that it cannot tell apart; nothing where there is none."""
        if not self._by_word or len(text) > _MOST:
            return ()
        words = normalised(text).split()
        near = dict.fromkeys(at for word in words for at in self._by_word.get(word, ()))
        found = tuple(sorted(at for at in near if self._accounts_for(at, words)))
        return found if self._are_same(found) else ()

    def told_apart(self, positions: Sequence[int], text: str) -> tuple[int, ...]:
        """Return which one of some items with the same title has an attribute beside its title in a text that no other
        of them has; all of them where there is none, or where there are several."""
        words = normalised(text[:_MOST]).split() if self._by_word else []
        found = tuple(at for at in positions if self._stands_beside(at, words, positions))
        return found if len(found) == 1 else tuple(positions)

    @cached_property
    def _attributes(self) -> list[frozenset[str]]:
        """The attributes of each item, and the parts of those that are lists."""
        return [
            frozenset(
                plain
                for value in item.attributes.values()
                if len(value) <= _LONGEST
                for part in (value, *_PARTS.split(value))
                if len(plain := normalised(part)) > 1
            )
            for item in self._items
        ]

    @cached_property
    def _by_word(self) -> dict[str, list[int]]:
        """The items of each first word of an attribute."""
        found: dict[str, list[int]] = {}
        for at, attributes in enumerate(self._attributes):
            for word in {one.split(" ", 1)[0] for one in attributes}:
                found.setdefault(word, []).append(at)
        return found

    def _accounts_for(self, at: int, words: Sequence[str]) -> bool:
        """Return whether the title of an item and its attributes are all that a text has."""
        marked = self._marked(at, words, self._attributes[at])
        return marked.count(_TITLE) == 1 and _ATTRIBUTE in marked and {*marked} == {_TITLE, _ATTRIBUTE}

    def _stands_beside(self, at: int, words: Sequence[str], same: Sequence[int]) -> bool:
        others = frozenset[str]().union(*(self._attributes[other] for other in same if other != at))
        marked = self._marked(at, words, self._attributes[at] - others)
        return any({*pair} == {_TITLE, _ATTRIBUTE} for pair in pairwise(marked))

    def _marked(self, at: int, words: Sequence[str], attributes: Iterable[str]) -> list[str]:
        """Return the words with a mark for the item's title, one for each attribute, and without those between them."""
        names, left_out = {*self._names(at)}, _BETWEEN | {*map(normalised, self._items[at].attributes)}
        known = sorted({*names, *attributes}, key=len, reverse=True)
        text = f" {' '.join(words)} "
        for one in known:
            times = 1 if one in names else -1
            text = text.replace(f" {one} ", f" {_TITLE if one in names and _TITLE not in text else _ATTRIBUTE} ", times)
        return [word for word in text.split() if word not in left_out]
