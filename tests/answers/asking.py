"""Helpers that ask a format to read an answer in a test."""

from __future__ import annotations

import string

from llmrank.answers import answer_format
from llmrank.answers.items.listing import Mention
from llmrank.answers.items.matching import TitleIndex
from llmrank.answers.rankings.entries import titles_of
from llmrank.answers.text.blocks import split
from llmrank.answers.text.normalise import normalise
from llmrank.types import Answer, Item, Question, Response


def items(*titles: str) -> tuple[Item, ...]:
    """Return items with these titles; their ids are `i1`, `i2`, …"""
    return tuple(Item(f"i{number}", title) for number, title in enumerate(titles, 1))


def read(name: str, text: str, question: Question, finish_reason: str = "stop") -> Answer:
    return answer_format(name).read(Response(text, finish_reason), question)


def numbered(count: int, labels: str = "numbers", top: int | None = None) -> Question:
    """Return a question about items `First film`…, identified by 1..n or A, B, C, …"""
    titles = [f"Film called {word}" for word in string.ascii_lowercase[:count]]
    names = tuple(string.ascii_uppercase if labels == "letters" else map(str, range(1, count + 1)))[:count]
    return Question(items(*titles), names, top)


def places(answer: Answer) -> list[int]:
    """Return the numbers of the ranked items, counted from 1."""
    return [int(item_id[1:]) for item_id in answer.ranked]


def mentions(text: str, index: TitleIndex) -> list[Mention]:
    """Return every title named in any list of an answer, in the order of its lines, before one list is chosen."""
    listings = titles_of(split(normalise(text)), index)
    strong = [listing for listing in listings if not listing.in_sentence] or listings
    return sorted((mention for listing in strong for mention in listing.mentions), key=lambda one: one.line)
