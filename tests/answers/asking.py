"""Short ways to ask a format in a test."""

from __future__ import annotations

import string

from llmrank.answers import answer_format
from llmrank.types import Answer, Item, Question, Response


def items(*titles: str) -> tuple[Item, ...]:
    """Items with these titles; their ids are `i1`, `i2`, …"""
    return tuple(Item(f"i{number}", title) for number, title in enumerate(titles, 1))


def read(name: str, text: str, question: Question, finish_reason: str = "stop") -> Answer:
    return answer_format(name).read(Response(text, finish_reason), question)


def numbered(count: int, labels: str = "numbers", top: int | None = None) -> Question:
    """A question about items `First film`…, judged 1..n or A, B, C, …"""
    titles = [f"Film called {word}" for word in string.ascii_lowercase[:count]]
    names = tuple(string.ascii_uppercase if labels == "letters" else map(str, range(1, count + 1)))[:count]
    return Question(items(*titles), names, top)


def places(answer: Answer) -> list[int]:
    """Numbers of the ranked items, from 1."""
    return [int(item_id[1:]) for item_id in answer.ranked]
