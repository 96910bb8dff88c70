"""The answer format `json`: an array of identifiers or titles, alone or in an object (`{"ranking": [3, 1, 2]}`).

The JSON may be fenced, or stand in a text with other words. Each element is an identifier, an item id, a title, or an
object that contains one. `structured` gives the schema for backends that can constrain the output, so that every answer
is valid. A text without usable JSON falls back to the formats `permutation` and `titles`, and this is counted. From
there on, entries are resolved as in those formats (`ranking.py`).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, replace

from llmrank.answers.formats.ranking import by_identifier, by_title, read_ranking
from llmrank.answers.items.identifiers import Identifiers
from llmrank.answers.items.listing import Listing, Mention
from llmrank.answers.items.matching import Match, title_index
from llmrank.answers.outcome import TextFormat, is_error_object, missing, unparsed, with_repairs
from llmrank.answers.rankings.choosing import choose, gather
from llmrank.answers.rankings.entries import title_in_cell
from llmrank.answers.rankings.ranks import read_rows
from llmrank.answers.text.blocks import split
from llmrank.answers.text.lines import Block
from llmrank.answers.text.normalise import plain_text
from llmrank.types import Answer, Outcome, Question, Response, Structured


@dataclass(frozen=True, slots=True)
class Json(TextFormat):
    """Reads JSON, fenced or not: an array, or an object of ranks or scores. Elements are identifiers, item ids or
    titles, or objects that contain one.

    Text that is not valid JSON (truncated, single quotes) is read as a permutation or as titles (repair `not_json`).
    """

    name: str = "json"

    def read(self, response: Response, question: Question) -> Answer:
        """Return the items in `ranked`, with the repairs and reasons of `permutation` and `titles`."""
        text = plain_text(response.text) or ""
        if is_error_object(text):
            return unparsed(response, text, "no_candidate_named")
        blocks = [block for block in split(text) if block.kind in ("json", "text")]
        listings = _listings(blocks, question, numbers=bool(question.identifiers))
        if not question.identifiers and not any(listing.named for listing in listings):
            listings = _listings(blocks, question, numbers=True)
        if not any(listing.mentions for listing in listings):
            answer = read_ranking(response, question, titles=not question.identifiers)
            if answer.outcome is Outcome.UNPARSED:
                return answer
            return replace(answer, outcome=Outcome.REPAIRED, repairs={**answer.repairs, "not_json": 1})
        reading = choose(listings, text, missing(0, len(question.items), question.top))
        if reading.ambiguous:
            return unparsed(response, text, "ambiguous")
        of_kind = Identifiers.of(question).is_of_kind
        truncated = response.finish_reason in ("length", "content_filter")
        if all(one.match.stage == "identifier" if one.match else of_kind(one.text) for one in reading.mentions):
            answer = by_identifier(reading.mentions, response, question, text, truncated)
        else:
            answer = by_title(reading.mentions, response, question, text, truncated, Counter())
        return with_repairs(
            answer, {"truncated": int(reading.cut), "not_json": int(any(block.mended for block in blocks))}
        )

    def structured(self, question: Question) -> Structured | None:
        """Return the schema of `{"ranking": [...]}` with the identifiers or titles, as many as were asked for."""
        names = question.identifiers or tuple(dict.fromkeys(item.title for item in question.items))
        count = missing(0, len(question.items), question.top)
        ranking = {"type": "array", "items": {"enum": names}, "minItems": count, "maxItems": count}
        schema = {"type": "object", "properties": {"ranking": ranking}, "required": ["ranking"]}
        return Structured("json_schema", json.dumps(schema, ensure_ascii=False)) if names else None


def _listings(blocks: list[Block], question: Question, *, numbers: bool) -> list[Listing]:
    def rows(block: Block) -> Listing:
        return read_rows(block, lambda name, line: _named(name, line, question, numbers))

    return gather(blocks, lambda _: None, lambda _: Listing([]), rows)


_NUMBERED = re.compile(r"^(item|movie|film|product|book|doc|document|passage|song|track|game|article|id)_(\w{1,4})$")
"""`item_3`; but `recommendation_3` is a place."""


def _named(name: str, line: int, question: Question, numbers: bool) -> list[Mention]:
    """Return the mention in a JSON value: an identifier (`3`, `Item 3`), an item id, or a title."""
    identifiers, index = Identifiers.of(question), title_index(question.items)
    name = name.upper() if identifiers.are_letters and len(name) == 1 else name
    if question.identifiers or not index.exact(name):
        words = _NUMBERED.sub(r"\1 \2", name).split()
        titled = len(words) > 1 and index.exact(name)  # Portal 2
        last = words[-1].strip("#[]()") if 0 < len(words) < 3 and not titled else name
        if numbers and ((at := identifiers.find(name)) is not None or (at := identifiers.find(last)) is not None):
            return [Mention(name, Match((at,), "identifier"), line)]
        if ids := [at for at, item in enumerate(question.items) if item.item_id == name]:
            return [Mention(name, Match((ids[0],), "item_id"), line)]
        if numbers and identifiers.is_of_kind(name):
            return [Mention(name, None, line)]
    return title_in_cell(name, index, line)
