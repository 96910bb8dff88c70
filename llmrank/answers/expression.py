"""The part of an answer that is meant as an order of identifiers: `[2] > [3] > [1]`, not `the 10 passages`."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Literal, NamedTuple

from llmrank.answers.identifiers import Identifiers

_MARKER = re.compile(r"^[ \t]*(?:\(?#?(\d{1,4})[.):]|[-*•])[ \t]+(?=\S)", re.MULTILINE)
_BRACKETS = re.compile(r"\[([^\[\]\n]*)(?:\]|$)", re.MULTILINE)
_SEPARATOR = re.compile(r"[\s,;>≻→|=\[\](){}\"'`*_<~/&#-]*")
_PART = re.compile(r"[>≻→\n]")
_SENTENCE = re.compile(r"['’]\w|\s(?!(?:or|and|is|then|over)\b)[a-z]{2}")
_FILLER = frozenset(
    (
        *("and", "then", "or", "passage", "passages", "document", "documents", "doc", "item", "items", "candidate"),
        *("candidates", "movie", "movies", "film", "films", "product", "products", "option", "no", "number", "rank"),
    )
)


class Word(NamedTuple):
    """A word of an answer: a identifier, a word that may stand between identifiers, or one that ends a run of them.

    A tuple, which is cheap to make: an answer has one for each of its words.
    """

    text: str
    start: int
    kind: Literal["identifier", "filler", "other"]
    position: int | None = None
    """Of the item with this identifier; None: it looks like a identifier, but no item has it."""
    bracketed: bool = False

    @property
    def end(self) -> int:
        """Where the word ends in the text."""
        return self.start + len(self.text)


def expression(text: str, identifiers: Identifiers) -> list[Word]:
    """Return the identifiers of the ranking expression, in order: the longest unbroken run of them, or those that lead
    the lines or the parts between `>`, whichever names more items. The time is linear in the length of the text."""
    text = _without_list_numbers(text, identifiers)
    words = _words(text, identifiers)
    found = max((_leading(text, words), *_runs(text, words)), key=_worth)
    if (
        len(found) == 1
        and identifiers.are_numbers
        and not found[0].bracketed
        and any(word.kind == "other" for word in words)
    ):
        return []  # `I like 3 of them`
    return found


def identifier_words(text: str, identifiers: Identifiers) -> list[Word]:
    """Return every identifier in the text, in order; if identifiers stand in square brackets, only those."""
    return [word for word in _words(_without_list_numbers(text, identifiers), identifiers) if word.kind == "identifier"]


def _without_list_numbers(text: str, identifiers: Identifiers) -> str:
    """Return the text with its list numbers blanked: they count 1, 2, 3 down the lines; identifiers would not."""
    numbers = [int(number) for number in _MARKER.findall(text) if number]
    if identifiers.are_numbers and any(after not in (before + 1, 1) for before, after in pairwise([0, *numbers])):
        return text
    return _MARKER.sub(lambda found: " " * len(found[0]), text)


def _words(text: str, identifiers: Identifiers) -> list[Word]:
    words: list[Word] = []
    brackets = [found.span(1) for found in _BRACKETS.finditer(text)]
    at = 0
    for match in identifiers.token.finditer(text):
        word, (start, end) = match[0], match.span()
        while at < len(brackets) and brackets[at][1] < end:
            at += 1
        bracketed = at < len(brackets) and brackets[at][0] <= start
        position = identifiers.find(word)
        is_identifier = position is not None or identifiers.is_of_kind(word)
        if is_identifier and (bracketed or not _is_pronoun(match, text)):
            words.append(Word(word, start, "identifier", position, bracketed))
        else:
            words.append(Word(word, start, "filler" if word.casefold() in _FILLER else "other"))
    if any(word.bracketed for word in words):
        words = [
            word if word.bracketed or word.kind != "identifier" else word._replace(kind="filler") for word in words
        ]
    return words


def _is_pronoun(match: re.Match[str], text: str) -> bool:
    """Return whether this is the `I` or the `A` of a sentence and no letter of a list."""
    return match[0] in ("I", "A") and _SENTENCE.match(text, match.end()) is not None


def _runs(text: str, words: list[Word]) -> list[list[Word]]:
    """Return the unbroken runs of identifiers."""
    runs: list[list[Word]] = [[]]
    end = 0
    for word in words:
        if word.kind == "other" or not _SEPARATOR.fullmatch(text, end, word.start):
            runs.append([])
        if word.kind == "identifier":
            runs[-1].append(word)
        end = word.end
    return runs


def _leading(text: str, words: list[Word]) -> list[Word]:
    """Return the first identifier of each line, or of each part between `>`, if no other word stands before it."""
    ends = [*(found.start() for found in _PART.finditer(text)), len(text)]
    bracketed = any(word.bracketed for word in words)
    leading: list[Word] = []
    part, taken = 0, False
    for word in words:
        while word.start >= ends[part]:
            part, taken = part + 1, False
        if not taken and word.kind == "identifier":
            leading.append(word)
        taken = taken or word.kind == "identifier" or (word.kind == "other" and not bracketed)
    return leading


def _worth(found: list[Word]) -> tuple[int, int]:
    different = len({word.text for word in found})
    return different, different - len(found)
