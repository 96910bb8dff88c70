"""What llmrank takes a recorded answer to name, text by text and line by line.

It is the format `titles` without the last step: there an item that is named twice counts once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llmrank.answers import answer_format
from llmrank.answers.matching import title_index
from llmrank.types import Question, Response
from tests.answers.asking import mentions
from tests.answers.recorded import Row, shown

Stage = Literal["exact", "item_id", "identifier", "normalised", "fuzzy", "ambiguous", "outside"]


@dataclass(frozen=True, slots=True)
class Named:
    """A text of an answer that is taken to name a film."""

    text: str
    line: int
    """From 1."""
    stage: Stage
    item_id: str | None
    """None: ambiguous, or no candidate."""


def named(row: Row) -> list[Named]:
    """Return what the answer of a row names, in order.

    A last title that the answer cuts off is left out, as in reading an answer.
    """
    text, items = row["response"], shown(row)
    index = title_index(items)
    mentioned = mentions(text, index)
    if answer_format("titles").read(Response(text), Question(items)).repairs.get("truncated"):
        mentioned.pop()
    found: list[Named] = []
    for mention in mentioned:
        match = mention.match or index.nearest(mention.text)
        if match is None:
            found.append(Named(mention.text, mention.line, "outside", None))
        else:
            item_id = items[match.positions[0]].item_id if match.positions else None
            found.append(Named(mention.text, mention.line, match.stage, item_id))
    return found
