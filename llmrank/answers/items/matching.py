"""Stage 5 for titles: find the item that a text names.

A text is looked up in three steps: exactly, after normalising, and by similarity, where no other item may come close. A
wrong match costs more than a missing one, and this rule decides every doubtful case. A text that could mean two items
matches neither. A different year or number rules an item out, because remakes and sequels differ in nothing else, and a
part of a title is never enough by itself. `TitleIndex` builds its tables once per tuple of items and answers each
lookup without comparing the text with every title.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Literal

from rapidfuzz import process
from rapidfuzz.distance import OSA, Indel

from llmrank.answers.items.described import Descriptions
from llmrank.answers.items.recalled import Recalled
from llmrank.answers.items.title import (
    DASH,
    FIGURES,
    SMALL_WORDS,
    Name,
    Title,
    article_first,
    full_year,
    is_plural,
    name_of,
    names_of,
    normalised,
    numbers,
    parse_title,
    without_article,
)
from llmrank.answers.text.normalise import caseless, folded, starred, without_tags
from llmrank.types import Item

Stage = Literal["exact", "item_id", "identifier", "normalised", "fuzzy"]

_MARGIN = 0.05
_NEAR = 0.9
_NEAR_SAME_YEAR = 0.8
_TEXTS_REMEMBERED = 1000
"""Maximum number of texts whose matches an index keeps."""
_SAME_WORD_LIMIT = 200
"""Maximum number of titles with the same first word to compare, which keeps the time linear."""
_SIZE = re.compile(
    r"\b(?:\d+ )*\d+ ?(?:fl|fluid|oz|ozs|ounces?|ml|l|liters?|g|grams?|kg|lbs?|inch(?:es)?|cm|mm|count|ct|pack|pcs"
    r"|pieces?|qt|quarts?|cups?|in 1|w|watts?|gb|tb|mah)\b|\bsize \d+\b|\b(?:pack|set|box|case) of \d+\b"
)
_MODEL = re.compile(r"\b(?=[a-z]*\d)(?=\d*[a-z])[a-z\d]{2,}\b")
"""A word of letters and digits, such as the model of a product: `1000xm5`."""
_PRONOUN = 3
"""Length up to which the name of a book may be an ordinary word: `It`, `You`."""
_ACCESSORY = re.compile(
    r"\b(?:toner|cartridges?|case|cover|cable|adapter|replacement|filters?|bag|strap|sleeve|protector|stand|mount"
    r"|battery"
    r"|refills?|remote|manual|cap)\b"
)
"""Words that make a longer name another product, such as an accessory."""
_LONG_NUMBER = re.compile(r"\b(?!(?:18|19|20)\d\d\b)\d{4,}\b|\b\d+ [gt]b\b")
_GOES_ON = re.compile(r"\)[,;]? \w")
_LATIN = re.compile(r"[a-z]")
_DOUBLE = re.compile(r"([a-z])\1")
_ITEM_ID = re.compile(r"[(\[]?([\w-]{6,64})[)\]]?(?=$|[\s:(,;-])")
_WORD = re.compile(r"[\w-]+")
_YEAR = re.compile(r"(?:18|19|20)\d\d")
_YEAR_BEHIND = re.compile(r" \((?:18|19|20)\d\d\)$")
_TRAILING_YEAR = re.compile(r"\s((?:18|19|20)\d\d|['’]\d\d)$")
_INITIALS = re.compile(r"(?:[A-Z]\.){2,6}(?= \w)")
_INITIALS_ALONE = re.compile(r"\.| \((?:18|19|20)\d\d\)$")
_CREATED = re.compile(
    r"(?!(?:The|An?) )(?:[A-Z][\w.]* ){1,2}(?!(?:Wom[ae]n|M[ae]n|Kid|Boy|Girl|Children)s?\b)[A-Z]\w+(?:['’]s|s['’]) "
    r"(?=\S+ \S)"
)
"""The creator of a work (`Sid Meier's Civilization VI`); `Nike Women's` is not one."""
_OTHERWISE = re.compile(r"(\S[^,;]{2,60})[,;] or,? \S+ \S.*")
"""A title with an alternative title (`The Hobbit, or There and Back Again`)."""
_VERSION = caseless(
    r"(\S.*?)(?: [-–] | ?[(\[])(?:(?:(?:18|19|20)\d\d )?(?:digital(?:ly)? )?remaster(?:ed)?\b.{0,20}"
    r"|(?:radio|single|album|original) (?:edit|version|mix)|(?:feat|ft)\b.{1,80}|featuring .{1,80})[)\]]?"
)
"""A song with the version of its recording."""
_EDITION = re.compile(
    r"(\S.*?),? [(\[]?(?:\d{1,2}(?:st|nd|rd|th)|first|second|third|fourth|fifth|revised|updated|international|global)"
    r" ed(?:ition|n)?\.?[)\]]?",
    re.IGNORECASE,
)
"""A book with its edition (`Linear Algebra Done Right, 3rd Edition`)."""


@dataclass(frozen=True, slots=True)
class Match:
    """The items a text can stand for: one; several if their titles are the same; none if the text is ambiguous."""

    positions: tuple[int, ...]
    """Indexes into the items, ascending."""
    stage: Stage | Literal["ambiguous"]


_AMBIGUOUS = Match((), "ambiguous")


_ORIGINAL = re.compile(r"\w.{2,80} \(([^\W\d_][^()]{3,80})\)\W*$")
"""A translated title with the original one in parentheses."""
_CLOSES = ' *_"”’)]'
_CELLS = 20
"""Maximum number of cells of a row to search for a creator."""


class TitleIndex:
    """Finds items by what a text calls them. Built once per tuple of items (see `title_index`)."""

    def __init__(self, items: tuple[Item, ...]) -> None:
        self._items = items
        self._exact = _positions((_key(item.title), at) for at, item in enumerate(items))
        self._item_ids = {item.item_id: at for at, item in enumerate(items) if _is_unmistakable_id(item.item_id)}
        self._found: dict[str, Match | None] = {}
        self._near: dict[str, Match | None] = {}
        self.longest = max((len(item.title) for item in items), default=0) * 5 // 4 + 40

    def exact(self, text: str) -> Match | None:
        """Return the items with exactly this title, ignoring surrounding whitespace."""
        positions = self._exact.get(text) or self._exact.get(_as_read(_spaced(text)))
        return Match(positions, "exact") if positions else None

    def namesakes(self, at: int) -> tuple[int, ...]:
        """Return the items with the same title as this one, itself included."""
        return self._exact[_key(self._items[at].title)]

    def find(self, text: str) -> Match | None:
        """Return the exact or normalised match of a text that is expected to be one title, None if there is none."""
        text = _spaced(text)
        if positions := self._exact.get(_as_read(text)):
            return Match(positions, "exact")
        if not text or len(text) > self.longest:
            return self._find_described(text)
        return _remembered(self._found, text, self._find)

    def _find(self, text: str) -> Match | None:
        """Return the normalised match of a text, None if there is none."""
        if self._item_ids and (by_id := self._find_id(text)) is not None:
            return by_id
        query = parse_title(text)
        ends = _GOES_ON.search(text) is None
        found = self._find_normalised(query, ends) or self._find_trailing_year(text)
        found = found or self._find_in_figures(query, ends) or self._find_without_creator(text, query, ends)
        if not found and (positions := self._initials.get(_INITIALS_ALONE.sub("", text))):
            found = Match(positions, "normalised") if len(positions) == 1 else _AMBIGUOUS
        described = self._find_described(text)
        if found and all(self._titles[at].whole == query.whole for at in found.positions):
            return self._as_written(text, found, described) if described and found.positions else found
        return described or found

    def _as_written(self, text: str, found: Match, described: Match) -> Match:
        """Return which of two matches of a text begins as written there: `Hotel am See (Köln)` is not `Hotel Am See
        (Köln)` if a `Hotel am See` is in Köln."""
        if found.positions == described.positions:
            return found
        titles = [_spaced(self._items[one.positions[0]].title) for one in (found, described)]
        if titles[0] == titles[1]:
            return described
        begun = [one for one, title in zip((found, described), titles, strict=True) if text.startswith(title)]
        return begun[0] if len(begun) == 1 else _AMBIGUOUS

    def disambiguated(self, match: Match, name: str, text: str, cells: Sequence[str] = ()) -> Match:
        """Narrow a match to the one item whose attribute stands beside its name in a text or in a cell of its row,
        if there is exactly one."""
        positions = self._descriptions.disambiguated(match.positions, name, text, cells)
        return match if positions == match.positions else replace(match, positions=positions)

    def find_by(self, work: str, cells: Sequence[str]) -> Match | None:
        """Return the one item whose title joins this work with a creator that a cell names, None if there is none."""
        beside = [cell for cell in cells[:_CELLS] if cell != work]
        titles = [f"{work} - {cell}" for cell in beside] + [f"{cell} - {work}" for cell in beside]
        found = {match.positions for match in map(self.find, titles) if match and len(match.positions) == 1}
        return Match(found.pop(), "normalised") if len(found) == 1 else None

    def nearest(self, text: str) -> Match | None:
        """Return the fuzzy match of a text that `find` does not know, None if no item is similar enough."""
        text = _spaced(text)
        return _remembered(self._near, text, self._nearest) if len(text) <= self.longest else None

    def _nearest(self, text: str) -> Match | None:
        query = parse_title(text)
        if len(query.name) < 2:
            return None
        names = tuple(map(name_of, dict.fromkeys(map(without_article, (query.name, query.whole)))))
        near = self._neighbours(query, names)
        scores = {at: score for at in near if (score := self._similarity(query, names, at))}
        if not scores:
            return self._short_for(query)
        best = max(scores.values())
        return self._fuzzy(at for at, score in scores.items() if score > best - _MARGIN)

    def recalled_by(self, text: str, entry: str = "") -> int | None:
        """Return the one item that a careless text stands for (see `Recalled`), None if there are none or several.
        `entry`: the text with its remark."""
        if len(text) > self.longest:
            return None
        query = parse_title(_spaced(text))
        if (at := self._recalled.one(query)) is not None:
            theirs = {*numbers(self._titles[at].whole)}
            return at if {number for one in query.remarks for number in numbers(one)} <= theirs else None
        if (at := self._without_creator(text)) is not None or (at := self._cut_short(entry)) is not None:
            return at
        if (inner := _ORIGINAL.search(entry)) and (match := self.find(inner[1])) and len(match.positions) == 1:
            [at] = match.positions
            return None if self._titles[at].is_by else at  # Coração Valente (Braveheart), not Creep (Radiohead)
        name = query.name
        brands = self._brands.get(name.partition(" ")[0], ())
        rests = {at: name.removeprefix(f"{brand} ") for brand, at in brands if name.startswith(f"{brand} ")}
        found = {at for at, rest in rests.items() if self._recalled.one(parse_title(rest)) == at}
        return found.pop() if len(found) == 1 else None  # Bose QuietComfort Ultra

    def _without_creator(self, text: str) -> int | None:
        """Return the one item that is similar to a text before `by` and whose creator is the one behind it."""
        work, by, creator = text.rpartition(" by ")
        match = (self.find(work) or self.nearest(work)) if by else None
        if match is None or len(match.positions) != 1:
            return None
        name = normalised(creator)
        values = map(normalised, self._items[match.positions[0]].attributes.values())
        return (
            match.positions[0]
            if any(Indel.normalized_similarity(name, one) > _NEAR_SAME_YEAR for one in values)
            else None
        )

    def _cut_short(self, entry: str) -> int | None:
        """Return the one item that begins with the words before an ellipsis (`Lakers beat Celtics…`)."""
        name = without_article(normalised(entry)) if entry.rstrip(_CLOSES).endswith(("…", "...")) else ""
        start = bisect_left(self._wholes, (f"{name} ", -1))
        begun = [at for whole, at in self._wholes[start : start + 2] if whole.startswith(f"{name} ")]
        return begun[0] if " " in name and len(begun) == 1 else None

    def is_part_of_sequel(self, at: int, text: str) -> bool:
        """Return whether a text has an item's title followed by a number, as a sequel's (`Alien 3`, of Alien)."""
        name = re.escape(_YEAR_BEHIND.sub("", self._items[at].title))
        return (
            re.search(rf"{name}:? (?:\d{{1,2}}|I{{2,3}}|IV|VI{{0,3}}|Part \w+)(?![\w-])", text, re.IGNORECASE)
            is not None
        )

    def holding(self, text: str, among: Iterable[int]) -> set[int]:
        """Return which of these items have titles with all words of a text without a year."""
        return self._recalled.holding(parse_title(_spaced(text)), among) if len(text) <= self.longest else set()

    def misspelt(self, text: str, among: Iterable[int]) -> set[int]:
        """Return which of these items have names that differ from a text by a letter or two."""
        return self._recalled.misspelt(parse_title(_spaced(text)), among) if len(text) <= self.longest else set()

    def alike(self, text: str, among: Iterable[int]) -> set[int]:
        """Return the one of these items that shares by far the most words with a text, if that is most of them."""
        return self._recalled.alike(parse_title(_spaced(text)), among) if len(text) <= self.longest else set()

    def is_by_another(self, match: Match, author: str) -> bool:
        """Return whether the title of a match names an author (`Dune by Frank Herbert`) other than this one."""
        of = {self._titles[at].name.rpartition(" by ")[2] for at in match.positions if " by " in self._titles[at].name}
        return bool(of) and not any(normalised(author).startswith(one) for one in of)

    def __len__(self) -> int:
        return len(self._items)

    def begins_longer(self, text: str) -> bool:
        """Return whether the text may be the beginning of a longer title."""
        start = without_article(parse_title(_spaced(text)).name)
        after = bisect_right(self._wholes, (start, len(self._wholes)))
        return after < len(self._wholes) and self._wholes[after][0].startswith(start)

    def is_first_part(self, text: str) -> bool:
        """Return whether a text is the whole first part of a title with several (`Educated: A Memoir`)."""
        name = without_article(parse_title(_spaced(text)).name)
        return any(title.parts[1:] and title.parts[0] == name for title in self._titles)

    def begins_with(self, word: str) -> bool:
        """Return whether any title begins with this word: a cheap test before `find`."""
        return normalised(word).partition(" ")[0] in self._first_words

    def covers(self, text: str, start: int, end: int) -> bool:
        """Return whether a part of a text belongs to a candidate's title there, written as it was shown, with or
        without its year."""
        for title in self._shown_titles:
            at = text.find(title, max(0, start - len(title)), end + len(title))
            if 0 <= at <= start and end <= at + len(title) > at + end - start:
                return True
        return False

    def has_lower_case_title_at(self, text: str, start: int) -> bool:
        """Return whether a title that begins with a small letter stands here, written as it was shown."""
        return text.startswith(self._lower_case_titles, start)

    def without_titles(self, text: str) -> str:
        """Return the text without the titles in it that are written as they were shown, with or without their years."""
        for title in self._shown_titles:
            text = text.replace(title, " ")
        return text

    def named_in(self, text: str) -> set[int]:
        """Return the items whose names appear in a text, except names that are part of another name there, and short
        words in lower case (`I recommend it`)."""
        plain = f" {normalised(text)} "
        names = (*self._last_parts.items(), *self._names.items())
        present = ((name, at) for name, at in names if len(name) > 1 and f" {name} " in plain)
        found = {name: at for name, at in present if len(name) > _SHORT_NAME or not _is_common_word(name, text)}
        whole = (name for name in found if not any(f" {name} " in f" {other} " for other in found if other != name))
        return {at for name in whole for at in found[name]}

    # --- tables, built on first use

    @cached_property
    def _lower_case_titles(self) -> tuple[str, ...]:
        return tuple(title for title in self._shown_titles if title[:1].islower())

    @cached_property
    def _shown_titles(self) -> list[str]:
        """The titles as they were shown, without their years, and the works and creators that they consist of."""
        shown = [_YEAR_BEHIND.sub("", item.title) for item in self._items]
        by = [title for title, parsed in zip(shown, self._titles, strict=True) if parsed.is_by]
        shown += [first for title in shown if (first := article_first(title)) != title]  # A Bug's Life
        return shown + [part for title in by for part in DASH.split(title) if " " in part]

    @cached_property
    def _titles(self) -> list[Title]:
        return [parse_title(_spaced(folded(item.title))) for item in self._items]

    @cached_property
    def has_attributes(self) -> bool:
        """Whether the items have any attributes besides their titles."""
        return any(item.attributes for item in self._items)

    @cached_property
    def _descriptions(self) -> Descriptions:
        return Descriptions(self._items, self._titles, self._short_names, self._same_title)

    @cached_property
    def _recalled(self) -> Recalled:
        return Recalled(self._titles, self._names, self._same_title)

    @cached_property
    def _initials(self) -> dict[str, tuple[int, ...]]:
        """The initials that titles begin with: `ET` for `E.T. the Extra-Terrestrial`."""
        begun = ((_INITIALS.match(item.title), at) for at, item in enumerate(self._items))
        return _positions((found[0].replace(".", "").strip(), at) for found, at in begun if found)

    @cached_property
    def _names(self) -> dict[str, tuple[int, ...]]:
        """Every name of every item, without its article."""
        return _positions((name.text, at) for at, names in enumerate(self._called) for name in names)

    @cached_property
    def _called(self) -> list[tuple[Name, ...]]:
        """The names of each item."""
        return [names_of(title) for title in self._titles]

    @cached_property
    def _first_words(self) -> frozenset[str]:
        articles = {"the", "a", "an"}
        return frozenset(name.split(" ", 1)[0] for name in self._names) | articles

    @cached_property
    def _keys(self) -> list[str]:
        return list(self._names)

    @cached_property
    def _wholes(self) -> list[tuple[str, int]]:
        return sorted((without_article(title.whole), at) for at, title in enumerate(self._titles))

    @cached_property
    def _last_parts(self) -> dict[str, tuple[int, ...]]:
        """Other short names of items, if they are unambiguous."""
        return _positions((part, at) for part, at in self._short_names if part not in self._names)

    @cached_property
    def _short_names(self) -> list[tuple[str, int]]:
        """Short names that titles contain, with the positions of the items: the last part of a title with three or
        more, if it has two words; a work without its creator (`Prince - Purple Rain`, `Monty Python's Life of
        Brian`); a first part with a number (`Terminator 2`); the title before an `or` (`The Hobbit, or There and
        Back Again`); a song without its version (`Wonderwall - Remastered`); and a book without its edition."""
        works = [title.parts for title in self._titles if title.is_by]
        firsts, lasts = (len({parts[side] for parts in works}) for side in (0, -1))
        sides = [0, -1] if firsts == lasts else [0 if firsts > lasts else -1]  # Kid A - Radiohead
        # not a town in the name of another hotel
        inside = {
            side: {word for parts in works if " " in (other := parts[-1 - side]) for word in other.split()}
            for side in sides
        }
        short = [
            (title.parts[side], at)
            for at, title in enumerate(self._titles)
            for side in (sides if title.is_by else [-1])
            if (title.is_by and title.parts[side] not in inside[side])
            or (title.parts[2:] and len(name_of(title.parts[-1]).content) > 1)
        ]
        first = ((title.parts[0], at) for at, title in enumerate(self._titles) if title.parts[1:] and not title.is_by)
        short += [(part, at) for part, at in first if numbers(part) and len(part.split()) > 1]
        raw = [(folded(item.title), at) for at, item in enumerate(self._items)]
        created = ((title[found.end() :], at) for title, at in raw if (found := _CREATED.match(title)))
        works = ((without_article(parse_title(work).name), at) for work, at in created)
        short += [(work, at) for work, at in works if " " in work and _is_distinctive(work)]
        for pattern in (_OTHERWISE, _VERSION, _EDITION):
            before = ((found[1], at) for title, at in raw if (found := pattern.fullmatch(title)))
            short += [(without_article(parse_title(part).name), at) for part, at in before]
        authors = [title.name.rpartition(" by ") for title in self._titles]
        if 2 * sum(bool(by) for _, by, _ in authors) > len(authors) > 2:  # Emma by Jane Austen
            short += [(without_article(work), at) for at, (work, _, _) in enumerate(authors) if len(work) > _PRONOUN]
        return short

    @cached_property
    def _unbranded(self) -> dict[str, tuple[int, ...]]:
        """The titles of products that contain numbers, without their first word, the brand."""
        brands = [len(normalised(item.title.partition(" ")[0]).split()) for item in self._items]  # Audio-Technica
        undated = ((title.whole.split(" "), at) for at, title in enumerate(self._titles) if not title.year)
        plain = ((" ".join(words[brands[at] :]), at) for words, at in undated)
        models = ((rest, at) for rest, at in plain if any(one.search(rest) for one in (_MODEL, _LONG_NUMBER, _SIZE)))
        return _positions((rest, at) for rest, at in models if len(rest.split()) > (1 if _MODEL.search(rest) else 2))

    @cached_property
    def _brands(self) -> dict[str, list[tuple[str, int]]]:
        """The attribute values that may stand before a product's title, by their first word."""
        found: dict[str, list[tuple[str, int]]] = {}
        for at, item in enumerate(self._items):
            for brand in map(normalised, item.attributes.values()):
                if brand.replace(" ", "").isalpha():
                    found.setdefault(brand.partition(" ")[0], []).append((brand, at))
        return found

    @cached_property
    def _before_comma(self) -> dict[str, tuple[int, ...]]:
        """What precedes the first comma in product titles, if that is two words or more."""
        heads = ((item.title.partition(", ")[0], at) for at, item in enumerate(self._items) if ", " in item.title)
        names = ((without_article(normalised(head)), at) for head, at in heads if not self._titles[at].year)
        return _positions((name, at) for name, at in names if " " in name)

    @cached_property
    def _by_year(self) -> dict[str, tuple[int, ...]]:
        return _positions((title.year, at) for at, title in enumerate(self._titles) if title.year)

    @cached_property
    def _all_dated(self) -> bool:
        return all(title.year for title in self._titles)

    # --- exact and normalised

    def _find_id(self, text: str) -> Match | None:
        found = _ITEM_ID.match(text)
        at = self._item_ids.get(found[1]) if found else None
        if found is None or at is None:
            return None
        rest = text[found.end() :]
        if any(self._item_ids.get(word, at) != at for word in _WORD.findall(rest)):
            return None  # a list of several
        title = rest.strip(" -–—:,")
        title = title[1:-1] if title[:1] + title[-1:] == "()" else title
        named = self.find(title) if title else None
        contradicted = named is not None and named.positions and at not in named.positions
        return _AMBIGUOUS if contradicted else Match((at,), "item_id")

    def _find_described(self, text: str) -> Match | None:
        found = self._descriptions.find(text)
        return Match(found, "normalised") if found else None

    def _find_normalised(self, query: Title, ends: bool) -> Match | None:
        """Return the items with the name of this title. `ends`: nothing follows the parentheses of the text."""
        name = without_article(query.name)
        positions = {*self._names.get(name, ())}
        if query.aliases or query.remarks:
            positions.update(self._names.get(without_article(query.whole), ()))
        found = [at for at in positions if _agree(query, self._titles[at])]
        several = any(map(_YEAR.fullmatch, (*query.aliases, *query.remarks)))  # several titles with their years
        if not found and ends and query.year and query.aliases and not several:
            # Shichinin no samurai (Seven Samurai) (1954)
            others = {at for alias in query.aliases for at in self._names.get(without_article(alias), ())}
            found = [at for at in others if self._titles[at].year == query.year]
        if not found and (part := self._last_parts.get(name)) and len(part) == 1:
            found = [at for at in part if _agree(query, self._titles[at])]  # The Empire Strikes Back
        if not found and query.name.endswith(" 1"):  # Toy Story 1
            first = self._names.get(without_article(query.name[:-2]), ())
            found = [at for at in first if _agree(query, self._titles[at])]
        if not found:
            return self._find_other_year(query, positions)
        if len(found) == 1:
            return Match((found[0],), "normalised")
        named = [at for at in found if without_article(self._titles[at].name) == name]
        if not query.year and len({self._titles[at].year for at in named}) > 1:
            return _AMBIGUOUS  # without a year, a title names every remake
        # Of several, those that agree in most ways win.
        best = max(_agreement(query, self._titles[at]) for at in found)
        found = [at for at in found if _agreement(query, self._titles[at]) == best]
        return Match(tuple(sorted(found)), "normalised") if self._same_title(found) else _AMBIGUOUS

    def _find_other_year(self, query: Title, positions: set[int]) -> Match | None:
        """Return the one item with this name if the years differ by one: some catalogues give the festival, others
        the release."""
        if len(positions) != 1 or not query.year.isdigit():
            return None
        title = self._titles[next(iter(positions))]
        near = title.year.isdigit() and abs(int(title.year) - int(query.year)) == 1
        same = name_of(without_article(query.name)) in names_of(title) and not (query.remarks or title.remarks)
        return Match(tuple(positions), "normalised") if near and same else None

    def _find_trailing_year(self, text: str) -> Match | None:
        if (found := _TRAILING_YEAR.search(text, len(text) - 5)) is None:
            return None
        dated = f"{text[: found.start()]} ({full_year(found[1])})"  # Heat '95
        return self._find_normalised(parse_title(dated), ends=True)

    def _find_without_creator(self, text: str, query: Title, ends: bool) -> Match | None:
        """Return the match of a dated title without its creator, among items of the same year (`Bram Stoker's
        Dracula (1992)`)."""
        created = _CREATED.match(text) if query.year else None
        found = self._find_normalised(parse_title(text[created.end() :]), ends) if created else None
        return found if found and all(self._titles[at].year == query.year for at in found.positions) else None

    def _find_in_figures(self, query: Title, ends: bool) -> Match | None:
        """Return the match of a name with its first number in figures or in words (`Twelve Angry Men`). A number
        alone is a title of its own (`Nine` and `9`, both from 2009)."""
        words = query.name.split() if " " in query.name else []
        at = next((at for at, word in enumerate(words) if word in FIGURES), None)
        if at is None:
            return None
        count = 2 if len(words) > at + 2 and " ".join(words[at : at + 2]) in FIGURES else 1
        words[at : at + count] = [FIGURES[" ".join(words[at : at + count])]]
        return self._find_normalised(query._replace(name=" ".join(words)), ends)

    def _same_title(self, positions: Iterable[int]) -> bool:
        titles = [self._titles[at] for at in positions]
        return all((title.whole, title.year) == (titles[0].whole, titles[0].year) for title in titles)

    # --- fuzzy

    def _neighbours(self, query: Title, names: Sequence[Name]) -> set[int]:
        """Return the items that may be similar to a title with these names, without comparing each in turn."""
        near = set(self._by_year.get(query.year, ()))
        if query.year and self._all_dated:
            return near  # items of another year are ruled out
        for name in names:
            hits = process.extract(
                name.text, self._keys, scorer=Indel.normalized_similarity, score_cutoff=_NEAR_SAME_YEAR, limit=20
            )
            near.update(at for key, _, _ in hits for at in self._names[key])
            start = bisect_left(self._wholes, (name.text, -1))
            near.update(at for _, at in self._wholes[start : start + 3])
        return near

    def _short_for(self, query: Title) -> Match | None:
        """Return the one product whose title the text abbreviates by leaving out words (`AeroPress`)."""
        if query.year:
            return None
        if (unbranded := self._unbranded.get(query.whole)) and self._same_title(unbranded):
            return Match(unbranded, "fuzzy")
        brands = self._brands.get(query.name.partition(" ")[0], ())
        if branded := [at for brand, at in brands if _is_branded(query.name, brand, self._titles[at].whole)]:
            return self._fuzzy(branded)  # Sony WH-1000XM5, of a title without its brand
        names = dict.fromkeys(map(without_article, (query.whole, query.name)))  # Nail Lacquer (Big Apple Red)
        return next(filter(None, (self._abbreviated_product(name, query) for name in names)), None)

    def _abbreviated_product(self, name: str, query: Title) -> Match | None:
        """Return the one product whose title a name abbreviates; `query` is the text that has this name."""
        if before := self._before_comma.get(name):
            return self._fuzzy(before)
        first = name.split(" ", 1)[0]
        start, end = bisect_left(self._wholes, (f"{first} ", -1)), bisect_left(self._wholes, (f"{first}!", -1))
        alike = self._wholes[start:end]
        if len(alike) > _SAME_WORD_LIMIT:
            return None
        titles = [(at, self._titles[at]) for _, at in alike if _agree(query, self._titles[at])]
        return self._fuzzy(at for at, one in titles if _is_short_for(name, one) or _is_reordered(query, one))

    def _fuzzy(self, near: Iterable[int]) -> Match | None:
        """Return the match for similar items, None if there are none; ambiguous if their titles differ."""
        close = tuple(sorted(near))
        return (Match(close, "fuzzy") if self._same_title(close) else _AMBIGUOUS) if close else None

    def _similarity(self, query: Title, names: Sequence[Name], at: int) -> float:
        """Return the similarity between a title with these names and an item, 0 to 1; 0 if the item is ruled out."""
        title = self._titles[at]
        if not _agree(query, title):
            return 0.0
        same_year = bool(query.year) and query.year == title.year
        near = 0.0
        for ours in names:
            for theirs in self._called[at]:
                if ours.numbers == theirs.numbers or ours.joined == theirs.joined:  # Q-30 and Q30
                    near = max(near, _name_similarity(ours, theirs, same_year))
        if near:
            return near
        if same_year:
            return _NEAR if _is_part(query, title) or _is_part(title, query) else 0.0
        cut = not title.year and _is_cut_short(without_article(query.name), without_article(title.whole))
        return _NEAR if cut else 0.0


def _remembered(known: dict[str, Match | None], text: str, look_up: Callable[[str], Match | None]) -> Match | None:
    """Return the match of a text, looked up once. Most entries are looked up again in the context of the others."""
    if text in known:
        return known[text]
    if len(known) >= _TEXTS_REMEMBERED:
        known.clear()
    known[text] = match = look_up(text)
    return match


def _is_distinctive(work: str) -> bool:
    """Return whether the name of a work is distinctive without its creator: `civilization 6` is, `house 2` is not."""
    words = [word for word in work.split() if not word.isdigit()]
    return len(words) > 1 or len("".join(words)) > _LONG_WORD


_LONG_WORD = 7
"""A word with more letters than this is distinctive by itself."""


def _agree(query: Title, title: Title) -> bool:
    """Return whether an item of the same name is compatible with the query in its year and its remarks."""
    if query.year and title.year:
        return query.year == title.year
    ours, theirs = query.aliases + query.remarks, title.aliases + title.remarks
    if _LATIN.search(title.name):  # Spirited Away (千と千尋)
        ours = tuple(one for one in ours if _LATIN.search(one) or not any(map(str.isalpha, one)))
    return not ours or not theirs or not {*ours}.isdisjoint(theirs)


def _agreement(query: Title, title: Title) -> tuple[bool, ...]:
    """Return in which respects beyond the name a title agrees with a query, the most important first."""
    return (
        bool(query.year) and query.year == title.year,
        not {*query.aliases, *query.remarks}.isdisjoint(title.aliases + title.remarks),
        query.whole == title.whole,
        query.name == title.name,
        without_article(query.name) == without_article(title.name),
    )


def _name_similarity(a: Name, b: Name, same_year: bool) -> float:
    """Return the similarity of two names, 0 if a word of one is not a plausible misspelling of its counterpart."""
    alike = a.content == b.content and (len(a.content) > 1 or same_year)  # not On the Road for The Road
    if a.joined == b.joined or alike:
        return 0.99
    near = Indel.normalized_similarity(a.text, b.text, score_cutoff=_NEAR_SAME_YEAR if same_year else _NEAR)
    return near if near and _is_misspelt(a.words, b.words, same_year) else 0.0


def _is_misspelt(words: Sequence[str], others: Sequence[str], same_year: bool) -> bool:
    """Return whether the words differ only by misspellings: one or two letters of a long word, but not a plural.

    Shorter words are accepted if the years agree; longer ones are required if there is no year.
    """
    if len(words) != len(others):
        return False
    shortest = 4 if same_year else 5 if len(words) > 1 else 7
    for a, b in zip(words, others, strict=True):
        if a == b or (same_year and _with_double_letters(a, b)):
            continue
        short, long = (a, b) if len(a) <= len(b) else (b, a)
        alone = len(words) == 1
        most = max(1, len(short) // 4)
        if len(long) - len(short) > most or OSA.distance(a, b) > most:
            return False
        if same_year and not alone and (a in SMALL_WORDS or b in SMALL_WORDS):
            continue
        swapped = len(a) == len(b) and sorted(a) != sorted(b)
        plural = is_plural(a, b) and (alone or not same_year)
        first = a[0] != b[0] and (alone or not same_year or swapped)
        too_short = len(long if same_year else short) < shortest or (swapped and len(a) < (8 if alone else 5))
        if plural or first or too_short:
            return False  # Alien and Aliens, Gamer and Amer, Twister and Twisted
    return True


def _with_double_letters(a: str, b: str) -> bool:
    """Return whether two long words differ only in doubled letters: `Appolo`."""
    return len(a) > 4 and len(b) > 4 and a[0] == b[0] and _DOUBLE.sub(r"\1", a) == _DOUBLE.sub(r"\1", b)


def _is_part(shorter: Title, longer: Title) -> bool:
    """Return whether one title is the other without its series or episode (`Star Wars (1977)`), given the same year.

    The first part of a two-part title may be another film: `Kung Fu Panda` and `Kung Fu Panda: Secrets of the Furious
    Five`. A sequel with its number is not: `Terminator 2` and `Terminator 2: Judgment Day`.
    """
    if len(longer.parts) == 2 and shorter.parts == longer.parts[:1] and numbers(shorter.name):
        return True
    return bool(shorter.parts) and len(longer.parts) > 2 and all(part in longer.parts for part in shorter.parts)


def _is_cut_short(name: str, whole: str) -> bool:
    """Return whether a name is a long title cut at its end. Most of it or its model number must remain, and no
    number may be lost."""
    words, rest = name.split(), whole.removeprefix(f"{name} ")
    if rest == whole:
        return False
    has_model = _MODEL.search(name) or (_LONG_NUMBER.search(name) and not _ACCESSORY.search(rest))
    if len(words) > 2 and has_model and not numbers(rest):
        return True  # Sony WH-1000XM5
    most = 0.6 if len(words) > 3 else 0.75
    return len(words) > 2 and len(name) >= most * len(whole) and not numbers(_SIZE.sub("", rest))


def _is_branded(name: str, brand: str, whole: str) -> bool:
    """Return whether a name is a brand and the beginning of a product's title, with its numbers (`Bose QuietComfort
    45` for `QuietComfort 45 Headphones`)."""
    rest = f"{brand} {whole} ".removeprefix(f"{name} ")
    begins = rest != f"{brand} {whole} " and len(name.split()) > 2 and name.startswith(f"{brand} ")
    return begins and bool(numbers(name)) and not numbers(rest) and not _ACCESSORY.search(rest)


def _is_short_for(name: str, title: Title) -> bool:
    """Return whether a text is a product's title with words left out, but no number other than the size.

    The text is the beginning of a longer title (a single word requires a size and commas in that title). Or it has at
    least three words in order, starting with the first, of a title with a size.
    """
    whole = without_article(title.whole)
    words, others = name.split(), whole.split()
    unsized = _SIZE.sub("", whole)
    sized = unsized != whole
    if title.has_commas and not title.year and len(words) > 2 and _MODEL.search(name) and words[0] == others[0]:
        rest = iter(others)
        spare = _ACCESSORY.search(whole) and not _ACCESSORY.search(name)
        if not spare and all(word in rest for word in words):
            return True  # Soundcore Life Q30: Soundcore by Anker Life Q30 Hybrid Headphones, 40H Playtime
    if title.year or not (sized or title.has_commas) or numbers(unsized) != numbers(name) or _SIZE.search(name):
        return False
    if whole.startswith(f"{name} "):
        return len(words) > 2 or (len(others) > 4 and (len(words) > 1 or (sized and title.has_commas)))  # AeroPress
    rest = iter(others)
    return sized and len(words) > 2 and words[0] == others[0] and all(word in rest for word in words)


_DIRECTED = frozenset(("to", "from", "for"))
"""Words whose two sides cannot be swapped: `Cable HDMI to USB`."""


def _is_reordered(query: Title, title: Title) -> bool:
    """Return whether a text has the words of a product's title in another order (`Toaster, 2-slice`), or its model
    with words left out before parentheses (`Keychron K2 (Version 2)`)."""
    words = query.whole.split()
    others = title.whole.split()
    counts = [[word for word in side if any(map(str.isdigit, word))] for side in (words, others)]
    if title.year or len(words) < 4 or counts[0] != counts[1] or not _DIRECTED.isdisjoint(words):
        return False
    rest = iter(others)
    left_out = words[0] == others[0] and _MODEL.search(query.name) and all(word in rest for word in words)
    return sorted(words) == sorted(others) or bool(left_out)


def _positions(pairs: Iterable[tuple[str, int]]) -> dict[str, tuple[int, ...]]:
    found: dict[str, dict[int, None]] = {}
    for key, at in pairs:
        found.setdefault(key, {})[at] = None
    return {key: tuple(positions) for key, positions in found.items()}


def _spaced(text: str) -> str:
    return " ".join(text.split())


@lru_cache(maxsize=1 << 16)
def _key(title: str) -> str:
    """Return a title as it stands in a normalised answer. Kept, because the same items are candidates many times."""
    return _as_read(_spaced(folded(title)))


def _as_read(title: str) -> str:
    """Return a title as it stands in a normalised answer, where an asterisk at the end has become a star."""
    return starred(title) if title.endswith("*") else title


def _is_unmistakable_id(item_id: str) -> bool:
    """Return whether an item id cannot be mistaken for a list number or a word: `B000142FVW`, `7806397051`."""
    return len(item_id) >= 6 and any(map(str.isdigit, item_id))


class _SameItems:
    """A tuple of items as a cache key. It compares by identity, which avoids hashing thousands of items."""

    __slots__ = ("items",)

    def __init__(self, items: tuple[Item, ...]) -> None:
        self.items = items

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _SameItems) and self.items is other.items

    def __hash__(self) -> int:
        return id(self.items)


@lru_cache(maxsize=8)
def _cached_index(same: _SameItems) -> TitleIndex:
    # Answers are read with HTML entities decoded and without tags, and they may copy titles that contain them.
    plain = ((item, without_tags(item.title)) for item in same.items)
    return TitleIndex(tuple(item if title == item.title else replace(item, title=title) for item, title in plain))


def title_index(items: tuple[Item, ...]) -> TitleIndex:
    """Return the index for these items. The last 8 are cached by the identity of the tuple."""
    return _cached_index(_SameItems(items))


_SHORT_NAME = 3
"""Maximum length of a title that may be a common word."""


def _is_common_word(name: str, text: str) -> bool:
    """Return whether a text has a name only in lower case, as `it` and `big` are written."""
    ways = {found[0] for found in re.finditer(rf"\b{name}\b", text, re.IGNORECASE)}
    return ways == {name} and name.isalpha()
