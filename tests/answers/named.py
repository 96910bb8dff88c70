"""The titles that llmrank finds in a recorded answer, text by text and line by line.

This is the format `titles` without its last step, in which an item that is named twice counts once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llmrank.answers import answer_format
from llmrank.answers.items.matching import title_index
from llmrank.types import Question, Response
from tests.answers.asking import mentions
from tests.answers.recorded import Row, shown

Stage = Literal["exact", "item_id", "identifier", "normalised", "fuzzy", "ambiguous", "outside"]


@dataclass(frozen=True, slots=True)
class Named:
    """A text of an answer that llmrank takes for the name of a film."""

    text: str
    line: int
    """Counted from 1."""
    stage: Stage
    item_id: str | None
    """None if the text is ambiguous or not a candidate."""


def named(row: Row) -> list[Named]:
    """Return the names in the answer of a row, in order.

    A truncated last title is left out, as in reading an answer.
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
