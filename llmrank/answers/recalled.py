"""Which item a careless title may stand for: with a slip that another title could have, or with words left out.

It is no match by itself. Only among entries that name other items is such a text meant for the one that is left.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import accumulate, islice

from rapidfuzz.distance import OSA

from llmrank.answers.title import Name, Title, name_of, names_of, numbers, without_article

_SHORT = 5
"""Letters up to which a name of one word is too short for a slip."""
_LONG = 8
"""Letters of a word in which one may be another."""
_TELLING = 7
"""Letters that make words tell an item from others."""
_YEARS_OFF = 2


class Recalled:
    """Finds the items that a text recalls, without comparing it with each title in turn."""

    def __init__(self, titles: Sequence[Title], are_same: Callable[[Iterable[int]], bool]) -> None:
        """`are_same` says whether items have one and the same title."""
        self._titles = titles
        self._are_same = are_same

    def one(self, query: Title) -> int | None:
        """Return the one item that a title recalls, None if it recalls none or several."""
        if len(query.name) < 2:
            return None
        found = {*self._with_slips(query)}
        if not query.year:
            found |= {*self._abridged(name_of(without_article(query.whole)))}
        rivals = self._called.get(without_article(query.name), set())  # Aliens (1979): Alien (1979), or Aliens (1986)
        return min(found) if found and rivals <= found and self._are_same(found) else None

    def holding(self, query: Title, among: Iterable[int]) -> set[int]:
        """Return which of some items have titles with all words of a text without a year, the small ones apart."""
        name = name_of(query.whole)
        if query.year or len(name.content) < 2:
            return set()
        wholes = {at: self._titles[at].whole for at in among}
        return {
            at for at, whole in wholes.items() if {*name.content} <= {*whole.split()} and name.numbers == numbers(whole)
        }

    def _with_slips(self, query: Title) -> Iterable[int]:
        """Yield the items whose names are those of a text but for slips; a year may be missing, or a little off."""
        ours = name_of(without_article(query.name))
        for theirs, at in self._alike.get((ours.joined[:1], ours.numbers), ()):
            title = self._titles[at]
            if query.year and query.year == title.year:  # what is near by letters matches by itself
                if ours.joined != theirs.joined and _is_plural(ours.joined, theirs.joined):
                    yield at
            elif (not (query.year and title.year) or _is_near(query.year, title.year)) and _has_slips(ours, theirs):
                yield at

    def _abridged(self, name: Name) -> Iterable[int]:
        """Yield the items in whose titles all words of a name stand: of a film in its second part, or as its first."""
        telling = [word for word in name.content if not any(map(str.isdigit, word))]
        if not telling:
            return
        holding = set[int].intersection(*map(self._holding_word, name.content))
        is_long = sum(map(len, telling)) >= _TELLING
        for at in holding:
            title = self._titles[at]
            if not is_long and name.text not in title.parts[1:]:
                continue
            whole = without_article(title.whole)
            begins = whole.startswith(f"{name.text} ")
            parts = map(" ".join, accumulate(((part,) for part in title.parts), initial=()))
            if name.text in islice(parts, 2, None):  # Star Wars: Episode V
                yield at
            elif title.year:
                whole_part = name.text in title.parts[1:] and len(telling) > 1  # Fury Road
                if whole_part or (len(name.words) == 1 and begins and not numbers(whole)):  # Shawshank
                    yield at
            elif len(telling) > 1 or name.numbers or begins or len(telling[0]) > _TELLING or name.text in title.parts:
                yield at

    def _holding_word(self, word: str) -> set[int]:
        """Return the items in whose titles a word stands, or its plural or singular."""
        return self._holders.get(word, set()) | self._holders.get(_singular(word), set())

    @cached_property
    def _called(self) -> dict[str, set[int]]:
        """The items of each name."""
        called: defaultdict[str, set[int]] = defaultdict(set)
        for at, title in enumerate(self._titles):
            for name in (*names_of(title), *(title.parts[1:] if title.is_by else ())):
                called[without_article(name)].add(at)
        return called

    @cached_property
    def _alike(self) -> dict[tuple[str, tuple[str, ...]], list[tuple[Name, int]]]:
        """The names with the items that have them, by their first letter and their numbers."""
        alike: defaultdict[tuple[str, tuple[str, ...]], list[tuple[Name, int]]] = defaultdict(list)
        for text, items in self._called.items():
            name = name_of(text)
            alike[name.joined[:1], name.numbers] += ((name, at) for at in items)
        return alike

    @cached_property
    def _holders(self) -> dict[str, set[int]]:
        """The items in whose titles each word stands, a plural also as its singular."""
        holders: defaultdict[str, set[int]] = defaultdict(set)
        for at, title in enumerate(self._titles):
            for word in title.whole.split():
                holders[word].add(at)
                holders[_singular(word)].add(at)
        return holders


def _is_near(year: str, other: str) -> bool:
    return year.isdigit() and other.isdigit() and abs(int(year) - int(other)) <= _YEARS_OFF


def _has_slips(a: Name, b: Name) -> bool:
    """Return whether two names are alike but for a slip in each word, or for the spaces between them."""
    if a.joined == b.joined:
        return True
    if len(a.words) != len(b.words) or len(a.words) == 1:
        return min(len(a.joined), len(b.joined)) > _SHORT and _is_slip(a.joined, b.joined, 1)
    pairs = zip(a.words, b.words, strict=True)
    return all(one == other or _is_slip(one, other, max(1, len(one) // 4)) for one, other in pairs)


def _is_slip(a: str, b: str, most: int) -> bool:
    """Return whether one word is the other with a letter too many, too few, or in the wrong place.

    A plural is another word; another letter makes another word, but for a long one.
    """
    if min(len(a), len(b)) < 3 or abs(len(a) - len(b)) > most or _is_plural(a, b) or OSA.distance(a, b) > most:
        return False
    return len(a) != len(b) or sorted(a) == sorted(b) or len(a) >= _LONG


def _is_plural(a: str, b: str) -> bool:
    short, long = sorted((a, b), key=len)
    return long in (f"{short}s", f"{short}es")


def _singular(word: str) -> str:
    return word.removesuffix("s")
