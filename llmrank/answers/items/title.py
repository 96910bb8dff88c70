"""Parse a title and reduce it to what distinguishes one item from another.

Catalogues and models write the same title in different ways: `Matrix, The (1999)`, `The Matrix`, `MATRIX [1999]`.
`parse_title` separates the name from its year, aliases and remarks, and drops case, accents and punctuation.
`normalised` does this for a plain text: it maps numbers in words, Roman numerals and abbreviations to one form.
`names_of` lists everything that an item may be called. Titles and answers pass through the same functions, so matching
can compare them word by word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from llmrank.answers.text.normalise import EAST_ASIAN, caseless, folded
from llmrank.types import Item

_YEAR = re.compile(r"[(\[]\s*((?:18|19|20)\d\d)\s*(?:[-–]\s*(\d{2,4})?\s*)?[)\]]")
_YEAR_INSIDE = re.compile(r"\([^()]*?(?<=[(,;\s])(?P<year>(?:18|19|20)\d\d|['’]\d\d)(?=[),;\s])[^()]*\)")
"""A year together with other words: `(Bryan Singer, 1995)`, `(the '98 remake)`."""
_PARENTHESIS = re.compile(r"\(([^()]*(?:\([^()]*\)[^()]*)*)\)")
"""Parentheses, which may contain another pair."""
_ALSO_KNOWN_AS = caseless(r"^\s*(?:a\.?\s?k\.?\s?a\.?|also known as)(?=[\s:])\s*:?\s*")
_OR = caseless(r"[,:;]?\s+or\s*[:,]\s*|[,:]\s+or\s*$")
_ARTICLES = r"the|an?|das|der|die|den|det|de|het|ein|eine|le|la|les|l'|l’|un|une|il|lo|gli|i|el|los|las|una|o|os|as"
_ARTICLE_LAST = caseless(rf"^([^:]*?\S|.*\S),\s*({_ARTICLES})(?=\s*(?::|$))")
_LEADING_ARTICLES = frozenset(("the", "a", "an"))
SMALL_WORDS = frozenset(("the", "a", "an", "of", "and", "in", "on", "to", "for", "vol", "part"))
"""Words that do not distinguish titles."""
_INITIALS = re.compile(r"\b(?:[^\W\d_][.*]){2,}")
_PART = re.compile(r":\s|\s[-–—]\s")
DASH = re.compile(r"\s[-–—]\s")
_APOSTROPHES = re.compile(r"['’‘`´ʼ]")
_BEFORE_UNIT = re.compile(r"(?<=\d)(?=(?:oz|ml|mg|kg|g|l|lbs?|ct|pcs?|gb|tb)\b)")
_INCHES = re.compile(r"(?<=\d)\"(?=[\s),]|$)")
_LETTERS_AND_DIGITS = re.compile(r"[^\W_]+")
_ACCENTS = re.compile(r"[\u0300-\u036f]")
_SIGNS = {"½": " 1/2", "×": "x", "™": "", "℠": ""}
_LETTERS = str.maketrans(_SIGNS | {"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
_WORDS = {"volume": "vol", "pt": "part", "versus": "vs", "ft": "feat", "featuring": "feat", "gray": "grey"}
_ROMAN = {"ii": "2", "iii": "3", "iv": "4", "vi": "6", "vii": "7", "viii": "8", "ix": "9", "xi": "11", "xii": "12"}
_ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_TEENS = ["thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_IN_WORDS = (*_ONES, *_TEENS, *(f"{ten} {one}".removesuffix(" zero") for ten in _TENS for one in _ONES[:10]))
_NTH = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh"]
_ENDINGS = {1: "st", 2: "nd", 3: "rd"}
_IN_FIGURES = dict(zip(_IN_WORDS, map(str, range(100)), strict=True)) | {
    word: f"{number}{_ENDINGS.get(number, 'th')}"
    for number, word in enumerate((*_NTH, "twelfth", *(f"{teen}th" for teen in _TEENS), "twentieth"), 1)
}
FIGURES = _IN_FIGURES | {figures: word for word, figures in _IN_FIGURES.items()}
"""Numbers up to 99 and ordinals up to 20th, from words to figures and back (`twenty one`, `13th`)."""
_COUNTED = {"part", "episode", "vol", "chapter", "book", "season"}
_IN_OTHER_WORDS = {
    word: ours
    for ours, words in (
        ("season", "temporada saison staffel stagione seizoen sasong saeson sesong sezon сезон kausi"),
        ("part", "teil parte partie deel часть czesc resz"),
    )
    for word in words.split()
}
"""Words before a number in other languages, without accents."""
_SEASON = re.compile(r"(?:시즌|シーズン) ?(\d{1,2})|第 ?(\d{1,2}) ?(?:季|シーズン)")
_OF_SEASON = re.compile(r"\bseason (?=\d{1,2}\b)")
_AFTER_COUNTED = {"i": "1", "v": "5", "x": "10", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5"}
_ORDINAL = re.compile(r"\d{1,2}(?:st|nd|rd|th)")
_AFTER_ORDINAL = {"ed": "edition", "gen": "generation"}
_REWRITTEN = frozenset((*_AFTER_ORDINAL, *_WORDS, *_ROMAN, *_AFTER_COUNTED, *_IN_OTHER_WORDS))
_SYLLABLE = re.compile(r"[^aeiou][aeiou][^aeiou]")
"""Initials that form such a syllable may be a word, so they are ignored: `Saw 2`."""


class Title(NamedTuple):
    """A title without case, accents, punctuation and year."""

    name: str
    """The words outside parentheses, separated by single spaces, with the article first (`Matrix, The` → `the
    matrix`)."""
    aliases: tuple[str, ...]
    """Other names of the item: those after `a.k.a.` or `or:`, or in parentheses before a year."""
    remarks: tuple[str, ...]
    """Other text in parentheses (`Xbox 360`, `packaging may vary`)."""
    parts: tuple[str, ...]
    """The parts of the name, without articles (`star wars`, `episode 4`, `new hope`). Most titles have one part."""
    year: str
    """`1999` or `1989-1990`; empty if there is none."""
    has_dash: bool = False
    """A dash follows the first part."""
    is_by: bool = False
    """It is a creator and a work, separated by a dash (`Prince - Purple Rain`)."""
    has_commas: bool = False
    """It has one part, with commas outside parentheses, as between the features of a product."""

    @property
    def whole(self) -> str:
        """Return the name and everything in parentheses as one string."""
        return " ".join((self.name, *self.aliases, *self.remarks)) if self.aliases or self.remarks else self.name


def normalised(text: str) -> str:
    """Return the words of a text without case, accents and punctuation. `&` becomes `and`, `Part II` becomes `part 2`.

    Only marks on Latin, Greek and Cyrillic letters are dropped; in other scripts they make different letters.
    """
    text = text.casefold()
    if not text.isascii():
        text = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFKD", text.translate(_LETTERS))))
        text = _SEASON.sub(lambda found: f" season {found[1] or found[2]} ", text)
    if "." in text or "*" in text:
        text = _INITIALS.sub(lambda found: found[0].replace(".", "").replace("*", ""), text)
    if '"' in text:
        text = _INCHES.sub(" inch", text)
    text = _BEFORE_UNIT.sub(" ", text).replace("%", " percent ").replace(" w/ ", " with ")
    words: list[str] = _LETTERS_AND_DIGITS.findall(_APOSTROPHES.sub("", text).replace("&", " and "))
    if _REWRITTEN.isdisjoint(words):
        return " ".join(words)
    for at, word in enumerate(words):
        word = _WORDS.get(word, word)
        if word in _IN_OTHER_WORDS and words[at + 1 : at + 2] and words[at + 1].isdigit():
            word = _IN_OTHER_WORDS[word]
        if at:
            word = _AFTER_ORDINAL.get(word, word) if _ORDINAL.fullmatch(words[at - 1]) else _ROMAN.get(word, word)
            if words[at - 1] in _COUNTED or (word == "v" and at == len(words) - 1):  # Part V, Rocky V
                word = _AFTER_COUNTED.get(word, word)
        words[at] = word
    return " ".join(words)


def without_article(name: str) -> str:
    """Return a normalised name without its leading English article."""
    first, _, rest = name.partition(" ")
    return rest if rest and first in _LEADING_ARTICLES else name


def is_plural(a: str, b: str) -> bool:
    """Return whether one of two words is the plural of the other."""
    short, long = sorted((a, b), key=len)
    return long == f"{short}es" or (long == f"{short}s" and short[-1:] != "s")


def numbers(name: str) -> tuple[str, ...]:
    """Return the words of a normalised name that contain a digit, sorted. They distinguish a sequel from its
    original."""
    if name.replace(" ", "").isalpha():
        return ()
    return tuple(sorted(word for word in name.split() if any(map(str.isdigit, word))))


@lru_cache(maxsize=1 << 16)
def parse_title(text: str) -> Title:
    """Parse a title from a text without list markers and quotation marks."""
    given, year = text, ""
    for found in [*_YEAR.finditer(text)][-1:]:
        year = "-".join(filter(None, found.groups()))
        text = text[: found.start()] + text[found.end() :]
    if not year and "(" in text and (found := _YEAR_INSIDE.search(text)):
        year = full_year(found["year"])
        text = text[: found.start("year")] + text[found.end("year") :]
    aliases: list[str] = []
    remarks: list[str] = []
    if "(" in text:
        for inside in _PARENTHESIS.findall(text):
            name = normalised(article_first(_ALSO_KNOWN_AS.sub("", inside)))
            is_name = year or _ALSO_KNOWN_AS.match(inside)
            (aliases if is_name and any(map(str.isalpha, name)) else remarks).append(name)
        outside = _PARENTHESIS.sub(" ", text)
        if text.startswith("("):  # (500) Days of Summer
            outside = text
    else:
        outside = text
    main, *others = _OR.split(outside, maxsplit=1)
    if any(other.strip() for other in others):
        aliases.append(normalised(article_first(main)))
        main = outside
    main = article_first(main)
    words = normalised(main)
    name = words or " ".join(outside.casefold().split()) or normalised(given) or given.strip()  # `(1999)` is 1999
    pieces = _PART.split(main)
    named = map(normalised, pieces) if len(pieces) > 1 else (words,)
    parts = tuple(without_article(part) for part in named if part)
    has_dash = len(parts) > 1 and DASH.match(main, len(pieces[0])) is not None
    is_by = not year and len(parts) == 2 and has_dash
    return Title(name, tuple(aliases), tuple(remarks), parts, year, has_dash, is_by, ", " in main and len(parts) < 2)


class Name(NamedTuple):
    """A normalised name without its article, with the values used for comparison."""

    text: str
    words: tuple[str, ...]
    numbers: tuple[str, ...]
    joined: str
    """Without spaces."""
    content: tuple[str, ...]
    """The words without small words."""


@lru_cache(maxsize=1 << 14)
def name_of(text: str) -> Name:
    """Return the Name for a normalised name."""
    words = tuple(text.split())
    content = tuple(word for word in words if word not in SMALL_WORDS)
    return Name(text, words, numbers(text), "".join(words), content)


@lru_cache(maxsize=1 << 14)
def names_of(title: Title) -> tuple[Name, ...]:
    """Return the names that an item may have, each once and without its article. They are its name, its name with
    all parentheses, its aliases, the name with initials for its first part (`LOTR: The Two Towers`) or before its
    number (`GTA V`), and the name followed by its creator (`Purple Rain by Prince`)."""
    names = [title.name, title.whole]
    if title.is_by:
        one, other = title.parts
        names += (f"{other} by {one}", f"{other} {one}", f"{one} by {other}")
        names += (f"{other} by the {one}", f"{one} by the {other}")  # Zombie - The Cranberries, without its article
    else:
        names += title.aliases
        if len(title.parts) > 1 and len(series := title.parts[0].split()) > 2:
            names.append(" ".join(("".join(word[0] for word in series), *title.parts[1:])))
        *before, last = title.name.split()
        initials = "".join(word[0] for word in before)
        if len(before) > 2 and last.isdigit() and initials.isalpha() and not _SYLLABLE.search(initials):
            names.append(f"{initials} {last}")
        if len(title.parts) > 2:  # Star Wars: A New Hope
            names.append(" ".join((title.parts[0], title.parts[-1])))
        if _OF_SEASON.search(title.name):  # Fargo S2, Fargo S02
            names += (_OF_SEASON.sub(short, title.name) for short in ("s", "s0"))
    return tuple(map(name_of, dict.fromkeys(map(without_article, names))))


def full_year(year: str) -> str:
    """Return a year with its century: `'95` becomes `1995`."""
    short = year.lstrip("'’")
    return year if len(short) == 4 else f"{20 if short < '30' else 19}{short}"


def without_titles(text: str, items: Sequence[Item], mark: str) -> str:
    """Replace the items' titles in a text with a mark, because they may contain numbers, or `Yes` and `No`.

    A short word without a number stays: if the film is called `No`, the answer may be `No` too.
    """

    def marked(found: re.Match[str]) -> str:
        beside = found.string[max(0, found.start() - 1) : found.start()] + found.string[found.end() : found.end() + 1]
        return found[0] if _LETTER.search(beside) else mark

    lower = text.casefold()
    for item in items[:_TITLES_OUT]:
        title = folded(item.title)
        for name in (title, _LAST_YEAR.sub("", title), parse_title(item.title).name):
            long = len(name) > _SHORT or (len(name) == _SHORT and any(map(str.isdigit, name)))
            if long and name.casefold() in lower:  # most are not: compiling a pattern takes longer than reading
                text = re.sub(re.escape(name), marked, text, flags=re.IGNORECASE)
                lower = text.casefold()
    return text


def places_of(name: str, text: str) -> Iterator[tuple[int, int]]:
    """Yield where a name begins and ends in a text, as a whole word or several."""
    at = text.find(name) if name else -1
    while at >= 0:
        end = at + len(name)
        if is_whole := not any(one.isalnum() or one == "_" for one in text[max(0, at - 1) : at] + text[end : end + 1]):
            yield at, end
        at = text.find(name, end if is_whole else at + 1)


_LETTER = re.compile(rf"[^\W{EAST_ASIAN}]")
"""What touches no title: `我推荐Heat。` names it."""
_LAST_YEAR = re.compile(r" \(\d{4}\)$")
_TITLES_OUT = 20
_SHORT = 3


def article_first(text: str) -> str:
    """Return a title with its article in front (`Matrix, The` as `The Matrix`)."""
    text = text.strip(' \t\n,.;:"“”')
    found = _ARTICLE_LAST.match(text) if "," in text else None
    if found is None:
        return text
    article = found[2] if found[2][-1] in "'’" else f"{found[2]} "
    return article + found[1] + text[found.end() :]
