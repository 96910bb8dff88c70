"""Stage 5 for titles: find an item by its title together with its attributes (`Hello by Adele`, `Bosch Kettle`).

Songs have artists, books have authors and products have brands, and models name them together with the title. If two
items share a title, only an attribute tells which one is meant. A text describes an item if it names the title and at
least one attribute, and every word of it belongs to the title or the attributes. Order and punctuation do not matter.
`Descriptions.find` finds such items; `disambiguated` picks one of several items with the same name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, lru_cache
from itertools import pairwise

from llmrank.answers.items.title import SMALL_WORDS, Title, normalised, without_article
from llmrank.answers.text.lines import word_set
from llmrank.answers.text.normalise import caseless
from llmrank.types import Item

_BY = "by from at in on feat von de par di por av van en bei chez"
_BETWEEN = word_set(f"{_BY} with the a an starring directed written performed made sung")
"""Words that may stand between a title and an attribute."""
_AND = word_set("and und et y e en")
"""Words that may stand between two parts of an attribute, and nowhere else: `War and Love` does not mean Love, about
war."""
_ATTRIBUTE_LIMIT = 80
"""Maximum length of an attribute. Longer ones are descriptions, which no answer repeats as a name."""
_TEXT_LIMIT = 400
"""Maximum length of a text to look up, which keeps the time linear."""
_SEPARATED = caseless(rf"[^\w\s'’.&]|\s(?:{_BY.replace(' ', '|')}|featuring|ft)\s")
"""What separates a title from a name that may be part of an attribute (`Sapiens (Harari)`)."""
_PARTS = re.compile(r"[|;,/]")
_YEAR = re.compile(r"(?:18|19|20)\d\d")
_NUMBER = re.compile(r"\d{1,2}")
"""A number that may also be a sequel's: `Halo 5`, which costs 5.99."""
_CELL_LIMIT = 20
"""Maximum number of cells of a row to check."""
_TITLE, _ATTRIBUTE = "\x01", "\x02"


class Descriptions:
    """Finds items by their titles together with their attributes."""

    def __init__(
        self,
        items: Sequence[Item],
        titles: Sequence[Title],
        short_names: Iterable[tuple[str, int]],
        are_same: Callable[[Iterable[int]], bool],
    ) -> None:
        """`short_names`: further names of items, with their positions; `are_same`: whether items share one title."""
        self._items, self._titles, self._are_same = items, titles, are_same
        self._short_names = short_names

    def find(self, text: str) -> tuple[int, ...]:
        """Return the item that a text describes, or several if it cannot tell them apart. Return nothing if there is
        none."""
        if not self._attribute_words or len(text) > _TEXT_LIMIT:
            return ()
        plain = normalised(text)
        words = {*plain.split()}
        if words.isdisjoint(self._attribute_words):
            return ()  # the common case
        without_numbers = {word for word in words if not _NUMBER.fullmatch(word)}
        near = {at for word in words for at in self._by_rarest_word.get(word, ())}
        found = tuple(sorted(at for at in near if self._may_be(without_numbers, at) and self._describes(plain, at)))
        if not _SEPARATED.search(text):  # Bosch Kettle; but not Forever Young for Forever, by Neil Young
            found = tuple(at for at in found if self._is_held_whole(at, _holds(plain)))
        if len(found) > 1 and len(whole := {*self._distinguishing(found, _holds(plain)).values()}) == 1:
            return tuple(whole)  # by Queen, where the other is by Queen Latifah
        return found if self._are_same(found) else ()

    def disambiguated(self, positions: Sequence[int], name: str, text: str, cells: Sequence[str]) -> tuple[int, ...]:
        """Return the one item that the text beside a name identifies, among the given items and others of that name.

        An item is identified if only it has an attribute that stands beside the name in the text, or in a cell of its
        own. Return the given items if this holds for none, or for several.
        """
        title = without_article(normalised(name))
        words = frozenset(title.split())
        same = {*positions, *self._by_name.get(words - SMALL_WORDS or words, ())} if title else set(positions)
        if len(same) < 2 or not title or not self._attribute_words:
            return tuple(positions)
        distinguishing = self._distinguishing(same, _holds(title)).values()
        if len(called := {at for at in distinguishing if words <= self._known[at]}) == 1:
            return tuple(called)  # Dracula, 1958
        if cells:
            whole = {*self._distinguishing(same, [*map(normalised, cells[:_CELL_LIMIT])].__contains__).values()}
            return tuple(whole) if len(whole) == 1 else tuple(positions)
        plain = normalised(text[:_TEXT_LIMIT])
        own: dict[int, list[str]] = {}
        for attribute, at in self._distinguishing(same, _holds(plain)).items():
            own.setdefault(at, []).append(attribute)
        found = tuple(at for at, attributes in own.items() if self._is_beside(title, at, plain, attributes))
        return found if len(found) == 1 else tuple(positions)

    @cached_property
    def _attributes(self) -> list[frozenset[str]]:
        """The attributes of each item, with the parts of those that are lists. Bare numbers are left out, because
        they may be a sequel's."""
        return [frozenset[str]().union(*map(_with_parts, item.attributes.values())) for item in self._items]

    @cached_property
    def _own_words(self) -> list[frozenset[str]]:
        """The words of each item's attributes that are not in its title, without small numbers."""
        return [
            frozenset(word for word in _words(attributes) - _BETWEEN if not _NUMBER.fullmatch(word))
            - {*title.whole.split()}
            for attributes, title in zip(self._attributes, self._titles, strict=True)
        ]

    @cached_property
    def _attribute_words(self) -> frozenset[str]:
        """The words of the attributes of any item that its title lacks."""
        return frozenset[str]().union(*self._own_words)

    @cached_property
    def _known(self) -> list[frozenset[str]]:
        """All words that may appear in a text about each item. Years may be one off, because catalogues differ.

        Small numbers in attributes are left out; `_phrases` handles them.
        """
        found: list[frozenset[str]] = []
        for title, item, attributes in zip(self._titles, self._items, self._attributes, strict=True):
            years = {int(one) for one in attributes if _YEAR.fullmatch(one)}
            near = (str(year + off) for year in years for off in (-1, 0, 1))
            names = _words(map(normalised, item.attributes))
            own = {word for word in _words(attributes) if not _NUMBER.fullmatch(word)}
            own |= _AND if any(map(_PARTS.search, item.attributes.values())) else set()
            found.append(_BETWEEN | {*title.whole.split(), title.year} | names | own | {*near})
        return found

    @cached_property
    def _phrases(self) -> list[list[str]]:
        """Attributes that contain a small number, and each such number with its unit (`64 oz` from `64 fl oz`)."""
        found: list[list[str]] = []
        for attributes in self._attributes:
            held = [one for one in attributes if any(map(_NUMBER.fullmatch, one.split()))]
            parts = ([*filter(_NUMBER.fullmatch, one.split())] for one in held)
            units = ((number, one.split()[-1]) for one, numbers in zip(held, parts, strict=True) for number in numbers)
            found.append([*held, *(f"{number} {unit}" for number, unit in units if unit.isalpha())])
        return found

    @cached_property
    def _name_words(self) -> list[list[frozenset[str]]]:
        """The words of each name of each item, without small words. Names are the title, its first part, and shorter
        names."""
        names: list[list[str]] = []
        for title in self._titles:
            first = title.parts[:1] if len(title.parts) > 1 and not title.is_by else ()
            names.append([title.name, *first])
        for name, at in self._short_names:
            names[at].append(name)
        return [[*map(_main_words, one)] for one in names]

    @cached_property
    def _by_name(self) -> dict[frozenset[str], list[int]]:
        """The items for each set of words that may name them."""
        found: dict[frozenset[str], list[int]] = {}
        for at, names in enumerate(self._name_words):
            for name in {*names}:
                found.setdefault(name, []).append(at)
        return found

    @cached_property
    def _by_rarest_word(self) -> dict[str, list[int]]:
        """The items by the rarest word of each of their names, so that each text is compared with few items."""
        often = Counter(word for name in self._by_name for word in name)
        found: dict[str, list[int]] = {}
        for name, places in self._by_name.items():
            if name:
                found.setdefault(min(name, key=lambda word: (often[word], word)), []).extend(places)
        return found

    def _may_be(self, words: set[str], at: int) -> bool:
        """Return whether all words belong to an item and one of them to its attributes: a cheap test."""
        return words <= self._known[at] and not words.isdisjoint(self._own_words[at])

    def _describes(self, text: str, at: int) -> bool:
        """Return whether a text names an item and all its words belong to that item."""
        words = {*text.split()}
        if not any(name <= words for name in self._name_words[at]):
            return False
        text = f" {text} "
        for one in self._phrases[at]:
            if f" {one} " in text:
                text = text.replace(f" {one} ", " ")
        return {*text.split()} <= self._known[at]

    def _is_held_whole(self, at: int, holds: Callable[[str], bool]) -> bool:
        """Return whether a text contains a whole attribute of an item, or a part of one with a number (`64 oz`)."""
        own = (one for one in self._attributes[at] if not self._own_words[at].isdisjoint(one.split()))
        return any(map(holds, (*own, *self._phrases[at])))

    def _distinguishing(self, same: Iterable[int], holds: Callable[[str], bool]) -> dict[str, int]:
        """Return the attributes in a text that only one of these items has, with that item."""
        held = [(one, at) for at in same for one in self._attributes[at] if holds(one)]
        often = Counter(one for one, _ in held)
        return {one: at for one, at in held if often[one] == 1}

    def _is_beside(self, title: str, at: int, text: str, attributes: Iterable[str]) -> bool:
        """Return whether one of these attributes stands beside a title in a text."""
        text = f" {text} "
        for one in sorted({title, *attributes}, key=len, reverse=True):
            text = text.replace(f" {one} ", f" {_TITLE if one == title else _ATTRIBUTE} ")
        left_out = _BETWEEN | {*map(normalised, self._items[at].attributes)}
        marks = [word for word in text.split() if word not in left_out]
        return any({*pair} == {_TITLE, _ATTRIBUTE} for pair in pairwise(marks))


def _holds(text: str) -> Callable[[str], bool]:
    """Return a test of whether a normalised text contains a phrase."""
    spaced = f" {text} "
    return lambda words: f" {words} " in spaced


def _words(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in text.split()}


@lru_cache(maxsize=1 << 14)
def _main_words(name: str) -> frozenset[str]:
    """Return the words of a name without small words, unless it has no others."""
    words = frozenset(name.split())
    return words - SMALL_WORDS or words


@lru_cache(maxsize=1 << 14)
def _with_parts(value: str) -> frozenset[str]:
    """Return the normalised value of an attribute and, if it is a list, its parts, without bare numbers. Many items
    of a catalogue share a value."""
    parts = (value, *_PARTS.split(value)) if len(value) <= _ATTRIBUTE_LIMIT else ()
    return frozenset(one for one in map(normalised, parts) if one and not _NUMBER.fullmatch(one))
