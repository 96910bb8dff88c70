"""Stage 5 for titles: find the item that a careless title may stand for, misspelt or with words left out.

Such a text is not a match by itself, because its slip could also come from another title. It counts only among entries
that name other items, where just one item remains for it (`ranking.assign_items`). Lookups use tables by first letter
and by word, so that a text is never compared with each title in turn.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import cached_property
from itertools import chain

from rapidfuzz.distance import OSA

from llmrank.answers.items.title import FIGURES, Name, Title, is_plural, name_of, numbers, without_article

_SHORT = 5
"""A name of one word with at most this many letters is too short for a slip."""
_LONG = 8
"""In a word with at least this many letters, one letter may be replaced by another."""
_DISTINCTIVE = 7
"""Words with at least this many letters in all are distinctive."""
_YEARS_OFF = 2


class Recalled:
    """Finds the items that a text recalls, without comparing it with each title in turn."""

    def __init__(
        self,
        titles: Sequence[Title],
        names: Mapping[str, Sequence[int]],
        are_same: Callable[[Iterable[int]], bool],
    ) -> None:
        """`names`: the items for each name without its article; `are_same`: whether items share one title."""
        self._titles, self._names, self._are_same = titles, names, are_same

    def one(self, query: Title) -> int | None:
        """Return the one item that a title recalls, None if there are none or several."""
        if len(query.name) < 2:
            return None
        found = {*self._with_slips(query), *self._with_subtitle(query)}
        if not query.year:
            found |= {*self._abridged(name_of(without_article(query.whole)))}
        rivals = self._names.get(without_article(query.name), ())  # Aliens (1979): Alien (1979), or Aliens (1986)
        return min(found) if found and found.issuperset(rivals) and self._are_same(found) else None

    def holding(self, query: Title, among: Iterable[int]) -> set[int]:
        """Return which of these items have titles with all words of a text without a year but small ones. A single word
        must be long, and numbers may only be missing behind a whole part of the title. What stands in parentheses may
        be no part of the title (`Mistborn (Brandon Sanderson)`), unless it has a number."""
        if query.year:
            return set()
        titles = {at: self._titles[at] for at in among}
        found = _holding(name_of(query.whole), titles)
        beside = not found and query.remarks and not any(map(numbers, query.remarks))
        return _holding(name_of(query.name), titles) if beside else found

    def misspelt(self, query: Title, among: Iterable[int]) -> set[int]:
        """Return which of these items have names whose words differ from those of a text without a year by slips."""
        ours = name_of(without_article(query.name))
        return set() if query.year else {at for at in among if _is_respelt(ours, self._plain_names[at])}

    def alike(self, query: Title, among: Iterable[int]) -> set[int]:
        """Return the one of these items whose title shares most words with a text without a year, and far more than
        the others do; an empty set if there is none."""
        ours = _content(query)
        if query.year or len(ours) < _FEW_WORDS:
            return set()
        shares = {at: _share(ours, self._contents[at]) for at in among}
        first, second, *_ = [*sorted(shares.values(), reverse=True), 0.0, 0.0]
        stands_out = first >= _MOST and first > 2 * second
        return {at for at, share in shares.items() if share == first} if stands_out else set()

    def _with_slips(self, query: Title) -> Iterable[int]:
        """Yield the items whose names differ from the text only by slips. The year may be missing or slightly off."""
        ours = name_of(without_article(query.name))
        for theirs, at in self._alike.get((ours.joined[:1], ours.numbers), ()):
            title = self._titles[at]
            if query.year and query.year == title.year:  # small misspellings already match by themselves
                if is_plural(ours.joined, theirs.joined) or _is_transposed(ours.joined, theirs.joined):
                    yield at
            elif (not (query.year and title.year) or _is_near(query.year, title.year)) and _has_slips(ours, theirs):
                yield at

    def _with_subtitle(self, query: Title) -> Iterable[int]:
        """Yield the items of the text's year whose name precedes a dash in it (`Heat – Jagd auf Neil (1995)`)."""
        for at in self._names.get(query.parts[0], ()) if query.year and query.has_dash else ():
            if self._titles[at].year == query.year:
                yield at

    def _abridged(self, name: Name) -> Iterable[int]:
        """Yield the items whose titles contain all words of a name, and which the name identifies."""
        distinctive = [word for word in name.content if word not in name.numbers]
        if not distinctive:
            return
        holding = self._holding_word(name.content[0])
        for word in name.content[1:]:
            holding = holding and holding & self._holding_word(word)
        yield from (at for at in holding if _is_abridged(name, distinctive, self._titles[at]))

    def _holding_word(self, word: str) -> set[int]:
        """Return the items whose titles contain a word, or its plural or singular."""
        holding, singular = self._holders.get(word, set()), _singular(word)
        return holding if singular == word else holding | self._holders.get(singular, set())

    @cached_property
    def _plain_names(self) -> list[Name]:
        return [name_of(without_article(title.name)) for title in self._titles]

    @cached_property
    def _contents(self) -> list[Set[str]]:
        return [_content(title) for title in self._titles]

    @cached_property
    def _alike(self) -> dict[tuple[str, tuple[str, ...]], list[tuple[Name, int]]]:
        """The names and their items, by first letter and numbers. Works without their creators are names too."""
        alike: defaultdict[tuple[str, tuple[str, ...]], list[tuple[Name, int]]] = defaultdict(list)
        works = ((without_article(title.parts[-1]), (at,)) for at, title in enumerate(self._titles) if title.is_by)
        for text, items in chain(self._names.items(), works):
            name = name_of(text)
            alike[name.joined[:1], name.numbers] += ((name, at) for at in items)
        return alike

    @cached_property
    def _holders(self) -> dict[str, set[int]]:
        """The items whose titles contain each word; a plural is also listed under its singular."""
        holders: defaultdict[str, set[int]] = defaultdict(set)
        for at, title in enumerate(self._titles):
            for word in title.whole.split():
                holders[word].add(at)
                holders[_singular(word)].add(at)
        return holders


_FEW_WORDS = 4
"""Number of words from which a text can be recognised by most of them."""
_MOST = 0.5
"""Share of the words of a text and a title that both have, from which the text may stand for the title."""


def _holding(name: Name, titles: Mapping[int, Title]) -> set[int]:
    # Red, of Three Colors: Red; Katz's, of Katz's Delicatessen; G502, of Logitech G502 HERO
    if len("".join(name.content)) < _DISTINCTIVE - 1:
        words = {at: title.whole.split() * (not title.year) for at, title in titles.items()}
        heads = {
            at: {
                *title.parts,
                *words[at][:1],
                *(one for one in words[at] if _has_digit(one) and not one[0].isdigit()),
            }
            for at, title in titles.items()
        }
        return {at for at, head in heads.items() if name.text in head and len(name.text) > 2}
    return {
        at
        for at, title in titles.items()
        if {*name.content} <= {*title.whole.split()}
        and (name.numbers == numbers(title.whole) or (title.parts[1:] and name.text == title.parts[0]))
    }


def _content(title: Title) -> Set[str]:
    """Return the words of a title that are not small, with small numbers in words."""
    return {FIGURES[word] if word[0].isdigit() and word in FIGURES else word for word in name_of(title.whole).content}


def _share(ours: Set[str], theirs: Set[str]) -> float:
    """Return which share of the words of two names both have; 0 if their numbers differ (WH-1000XM4, WH-1000XM5)."""
    both, exclusive = ours & theirs, (ours - theirs, theirs - ours)
    if (
        not both
        or any(word in FIGURES for word in ours ^ theirs)
        or all(any(map(_has_digit, one)) for one in exclusive)
    ):
        return 0.0
    return len(both) / len(ours | theirs)


def _has_digit(word: str) -> bool:
    return any(map(str.isdigit, word))


def _is_abridged(name: Name, distinctive: Sequence[str], title: Title) -> bool:
    """Return whether a name identifies a title that has all its words. `distinctive`: those without numbers."""
    whole = without_article(title.whole)
    begins = whole.startswith(f"{name.text} ")
    rest = whole.removeprefix(name.text).split() if begins else []
    if rest and (rest[0].isdigit() or rest[0] in ("i", "v", "x")) and (len(rest) == 1 or len(title.parts) > 1):
        return False  # Left 4 Dead is not Left 4 Dead 2
    if any(name.text == " ".join(title.parts[:count]) for count in range(2, len(title.parts))):
        return True  # Star Wars: Episode V
    is_part, letters = name.text in title.parts[1:], sum(map(len, distinctive))
    if title.year:
        first = len(name.words) == 1 and begins and not numbers(whole)
        return letters >= _DISTINCTIVE and ((is_part and len(distinctive) > 1) or first)  # Fury Road, Shawshank
    return is_part or (
        letters >= _DISTINCTIVE and (len(distinctive) > 1 or bool(name.numbers) or begins or letters > _DISTINCTIVE)
    )


def _is_near(year: str, other: str) -> bool:
    return year.isdigit() and other.isdigit() and abs(int(year) - int(other)) <= _YEARS_OFF


def _has_slips(a: Name, b: Name) -> bool:
    """Return whether two names differ only by a slip in each word, or by the spaces between words."""
    if a.joined == b.joined:
        return True
    if len(a.words) != len(b.words) and a.words[: len(b.words)] == b.words[: len(a.words)]:
        return False  # Final Fantasy X
    if len(a.words) != len(b.words) or len(a.words) == 1:
        return min(len(a.joined), len(b.joined)) > _SHORT and _is_slip(a.joined, b.joined, 1)
    for one, other in zip(a.words, b.words, strict=True):
        if one != other and not _is_slip(one, other, max(1, len(one) // 4)):
            return False
    return True


def _is_slip(a: str, b: str, most: int) -> bool:
    """Return whether two words differ by one extra, missing or misplaced letter.

    A plural is a different word. So is a word with another letter in place of one, unless it is long.
    """
    if min(len(a), len(b)) < 3 or abs(len(a) - len(b)) > most or OSA.distance(a, b) > most or is_plural(a, b):
        return False
    return len(a) != len(b) or sorted(a) == sorted(b) or len(a) >= _LONG


def _is_respelt(a: Name, b: Name) -> bool:
    """Return whether two names differ by one letter, or by slips in some words (`Donny Brasco`)."""
    if a.numbers != b.numbers or a.joined[:1] != b.joined[:1] or len(a.words) != len(b.words):
        return False
    if len(a.joined) > _SHORT and OSA.distance(a.text, b.text) == 1:
        return True
    return all(
        one == other
        or (len(one) > 3 and _is_slip(one, other, 1))
        or (len(a.words) > 1 and min(len(one), len(other)) >= _SHORT and _is_two_off(one, other))
        for one, other in zip(a.words, b.words, strict=True)
    )


def _is_two_off(a: str, b: str) -> bool:
    """Return whether two words of different lengths differ by two letters: `Donny`, `Donnie`."""
    return len(a) != len(b) and OSA.distance(a, b) == 2


def _is_transposed(a: str, b: str) -> bool:
    """Return whether two adjacent letters have changed places: `Frago`."""
    return len(a) == len(b) > 4 and sorted(a) == sorted(b) and OSA.distance(a, b) == 1


def _singular(word: str) -> str:
    return word if word[:1].isdigit() else word.removesuffix("s")  # 3S is not the plural of 3
