"""The identifiers of a question (numbers, letters, item ids, words), and the words of a text that are identifiers.

A number in an answer can be an identifier, a list number, a rank, a score, a year or a count. `words_of` splits a text
into `Word`s and says which of them are identifiers: once any stand in square brackets only those count.
`identifier_lists.py` reads lists, tables and chains of them; `chain_alone` is the fast path for the common answer `[2]
> [3] > [1]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal, NamedTuple

from llmrank.answers.text.lines import ITEM_HEADS, RANK_HEADS, word_set
from llmrank.types import Question

_TOKEN = re.compile(r"[-−]?\w+(?:-\w+)*+")
_BRACKETS = re.compile(r"\[([^\[\]\n]{0,2000})(?:\]|$)", re.MULTILINE)
_CHAIN = re.compile(r"\[(?:\d++|[A-Z]{1,2})\](?: > \[(?:\d++|[A-Z]{1,2})\])++")
_MEASURE = re.compile(
    r"(?<![\d,.])\d{1,6}(?:,\d{1,2})? ?(?:€|(?:EUR|Euros?|km|kg|cm|Sterne?n?|étoiles|estrellas|stelle)\b)"
    r"|[€$£] ?\d{1,6}\b|\b\d{1,3} (?:previous|earlier|past|recent|similar|further|remaining) [a-z]{3,}"
)
"""`147,43 €`, `0,4 km`, `4 Sterne`: not two identifiers."""
_SENTENCE = re.compile(r"['’]\w|\s(?!(?:or|and|is|then|over|ou|et|oder|und)\b)[a-z]{2}")
_VERB = (
    r"\s(?:(?:also|still|just|\w{2,12}ly) )?(?:is|has|does|goes|(?!(?:series|species|sports|news|comics|games|sales"
    r"|perhaps)\b)[a-z]{2,20}(?<![aiosu])s)(?:n['’]t\b)?(?![\w'’-])"
)
"""What may follow the name of an item but neither the article `A` nor the pronoun `I`: `A matches`."""
_BEHIND_I = re.compile(rf"{_VERB}(?<!\bis)(?<!always)|\s(?:is|because)\b(?!-)")
_BEHIND_A = re.compile(
    rf"['’]s\b|{_VERB}|\s(?:(?:to|before|not|than) (?:me\b|[B-Z]\b)|(?:rather|more|better|closer) than\b"
    r"|by (?!the \w+s\b)|(?:would|will|should|could|can|may|might|must|was|had|did|won|came|got|felt|stood|because"
    r"|since|in|on|for|with|over|at|after|it|here|instead|all the way|hands|due|as|from|too|but|while|whereas"
    r"|although|though|if|despite|ist|passt|wäre|hat|est|serait|convient|es|sería|è|é|sarebbe|seria|tem|tiene)(?:n['’]t)?(?![\w-])|(?:first|\w{2,12}ly|again|overall)(?=[.,;:!]|$))"
)
"""What may follow the identifier `A` but not the article: `I prefer A to B`."""
_WITHIN = re.compile(r"(?<!grad)[a-z\d],? $")
"""The words before a letter within a sentence, where the article `a` would be a small letter."""
_FILLER = (
    ITEM_HEADS
    | RANK_HEADS
    | frozenset(("and", "then", "or", "doc", "documents", "passages", "products", "und", "et", "y", "n", "nº"))
    | word_set("lastly finally next followed by opción opzione opção ثم तब zuletzt sonra")
)
_FUNCTION_WORDS = frozenset(("and", "then", "or", "und", "et", "y"))
_ELIDED = re.compile(r"['’](?!s\b)[^\W\d_]")
"""A letter with an apostrophe that begins a name: `L'Oréal`."""
_INITIALS = re.compile(r"\b(?:[A-Z]\.){2,4}(?= ?\w\w)")
"""`L.A. Confidential`"""


@dataclass(frozen=True)
class Identifiers:
    """The identifiers of a question; numbers from 1 if it has none."""

    texts: tuple[str, ...]

    @staticmethod
    def of(question: Question) -> Identifiers:
        """Return the identifiers of a question's items, in the order shown."""
        return _shared(question.identifiers or tuple(str(number) for number in range(1, len(question.items) + 1)))

    @cached_property
    def positions(self) -> dict[str, int]:
        """The position of each identifier."""
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
        """Matches any word, and any identifier that is more than a word."""
        longer = sorted(
            (identifier for identifier in self.texts if not _TOKEN.fullmatch(identifier)), key=len, reverse=True
        )
        return re.compile("|".join([*map(re.escape, longer), _TOKEN.pattern])) if longer else _TOKEN

    def find(self, text: str) -> int | None:
        """Return the position of the item with this identifier, None if there is none. `03` is `3`; only single
        letters are case-sensitive."""
        if (at := self.positions.get(text)) is not None:
            return at
        if self.are_numbers and text.isascii() and text.isdigit() and len(text) < 10:
            return self.positions.get(str(int(text)))
        return None if self.are_letters else self._folded.get(text.casefold())

    def named_in(self, text: str) -> list[int]:
        """Return the positions of the identifiers in a text. Bare numbers are left out, because they may count
        anything."""
        if not self.are_numbers:
            words = naming(words_of(text, self, uses_brackets(text, self)))
            return [word.position for word in words if word.position is not None]
        return [at for at in map(self.find, _inside_brackets(text)) if at is not None]

    def is_of_kind(self, text: str) -> bool:
        """Return whether an unknown text looks like an identifier: a number among numbers, a letter among letters."""
        if self.are_numbers:
            return text.lstrip("-−").isdigit()
        return self.are_letters and len(text) == 1 and text.isalpha() and text.isupper()


@lru_cache(maxsize=64)
def _shared(identifiers: tuple[str, ...]) -> Identifiers:
    """Return the Identifiers, the same object for equal lists, so that its tables are built once."""
    return Identifiers(identifiers)


class Word(NamedTuple):
    """A word of an answer: an identifier, a word that may stand between identifiers, or a word that ends a run of them.

    A tuple, because every answer needs one for each of its words and tuples are cheap.
    """

    text: str
    start: int
    kind: Literal["identifier", "filler", "other"]
    position: int | None = None
    """The position of the item with this identifier. None if it looks like an identifier but no item has it."""
    bracketed: bool = False

    @property
    def end(self) -> int:
        """The end of the word in the text."""
        return self.start + len(self.text)


def words_of(text: str, identifiers: Identifiers, bracketed_only: bool) -> list[Word]:
    """Return the words of a text. If identifiers are in square brackets, only those count."""
    words: list[Word] = []
    brackets = [found.span(1) for found in _BRACKETS.finditer(text)] if "[" in text else []
    at = 0
    measures = (
        {at for found in _MEASURE.finditer(text) for at in range(*found.span())} if identifiers.are_numbers else ()
    )
    if identifiers.are_letters and "." in text:
        text = _INITIALS.sub(lambda found: found[0].replace(".", "_"), text)
    for match in identifiers.token.finditer(text):
        word, (start, end) = match[0], match.span()
        while at < len(brackets) and brackets[at][1] < end:
            at += 1
        bracketed = at < len(brackets) and brackets[at][0] <= start
        position = identifiers.find(word)
        is_identifier = position is not None or identifiers.is_of_kind(word)
        if is_identifier and (
            start in measures or _is_measure(text, start, end)
            if identifiers.are_numbers
            else _ELIDED.match(text, end) is not None
        ):
            is_identifier, position = False, None
        if is_identifier and (bracketed or (not bracketed_only and not _is_pronoun(match, text))):
            words.append(Word(word, start, "identifier", position, bracketed))
        else:
            filler = is_identifier or word.casefold() in _FILLER
            words.append(Word(word, start, "filler" if filler else "other"))
    return words


def uses_brackets(text: str, identifiers: Identifiers) -> bool:
    """Return whether an answer puts identifiers in square brackets."""
    return "[" in text and any(
        identifiers.find(word) is not None or identifiers.is_of_kind(word) for word in _inside_brackets(text)
    )


def _inside_brackets(text: str) -> Iterator[str]:
    return (word for found in _BRACKETS.finditer(text) for word in found[1][:200].replace(",", " ").split())


def naming(words: Sequence[Word]) -> list[Word]:
    """Return the words that are identifiers."""
    return [word for word in words if word.kind == "identifier"]


def _is_measure(text: str, start: int, end: int) -> bool:
    """Return whether a number is part of another: `3/10`, `85%`, `7.5`."""
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    if after[:1] == "%" or (before[-1:] in (".", "/") and before[:-1].isdigit()):
        return True
    return after[:1] in ("/", ".") and after[1:].isdigit() and before[-1:] in ("", " ")


def _is_pronoun(match: re.Match[str], text: str) -> bool:
    """Return whether this is the `I` or the `A` of a sentence rather than an identifier."""
    if match[0] not in ("I", "A") or _SENTENCE.match(text, match.end()) is None:
        return False
    if (_BEHIND_A if match[0] == "A" else _BEHIND_I).match(text, match.end()):
        return False
    if match[0] == "A" and _WITHIN.search(text, max(0, match.start() - 9), match.start()):
        return False
    before = text[max(0, match.start() - 20) : match.start()].split()
    return not before or before[-1].casefold() not in _FILLER - _FUNCTION_WORDS


def chain_alone(text: str, identifiers: Identifiers) -> list[int] | None:
    """Return the positions in an answer that is only `[2] > [3] > [1]`, with every identifier known and named once.

    This is the common case. Stages 2 to 4 would give the same result.
    """
    text = text.strip()
    if not _CHAIN.fullmatch(text):
        return None
    named = [identifiers.positions.get(one, -1) for one in text[1:-1].split("] > [")]
    return None if len(set(named)) < len(named) or -1 in named else named


def starts_with_identifier(word: Word, text: str, start: int = 0) -> bool:
    """Return whether only a noun for an item (`Option`) stands between this place and an identifier."""
    return all(one.casefold() in _FILLER for one in re.findall(r"\w+", text[start : word.start][-80:]))
