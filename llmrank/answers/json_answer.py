"""The answer format `json`: an array of identifiers or titles, alone or in an object (`{"ranking": [3, 1, 2]}`)."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from llmrank.answers.identifiers import Identifiers
from llmrank.answers.json_value import find_json, listed
from llmrank.answers.matching import Match, TitleIndex, title_index
from llmrank.answers.mention import Mention
from llmrank.answers.outcome import missing
from llmrank.answers.permutation import Permutation, ordered
from llmrank.answers.reasoning import without_reasoning
from llmrank.answers.text_format import TextFormat
from llmrank.answers.titles import Titles, answered_titles
from llmrank.types import Answer, Outcome, Question, Response, Structured


@dataclass(frozen=True, slots=True)
class Json(TextFormat):
    """Reads a JSON array, fenced or not. Elements are identifiers, item ids or titles, or objects that hold one.

    What is no JSON (cut off, single quotes) is read as a permutation or as titles, and counted (repair `not_json`).
    """

    name: str = "json"

    def read(self, response: Response, question: Question) -> Answer:
        """Return the items in `ranked`, with the repairs and reasons of `permutation` and `titles`."""
        text = without_reasoning(response.text) or ""
        names = listed(find_json(text))
        if not names:
            answer = (Permutation() if question.identifiers else Titles()).read(response, question)
            if answer.outcome is Outcome.UNPARSED:
                return answer
            return replace(answer, outcome=Outcome.REPAIRED, repairs={**answer.repairs, "not_json": 1})
        identifiers, index = Identifiers.of(question), title_index(question.items)
        if all(identifiers.find(name) is not None or identifiers.is_of_kind(name) for name in names) and (
            question.identifiers or not any(index.exact(name) for name in names)
        ):
            return ordered([(name, identifiers.find(name)) for name in names], response, question, text)
        found = [Mention(name, _find(name, identifiers, index, question)) for name in names]
        return answered_titles(found, response, question, text)

    def structured(self, question: Question) -> Structured | None:
        """Return the schema of `{"ranking": [...]}`: as many as asked for, from the identifiers or titles."""
        names = question.identifiers or tuple(dict.fromkeys(item.title for item in question.items))
        count = missing(0, len(question.items), question.top)
        ranking = {"type": "array", "items": {"enum": names}, "minItems": count, "maxItems": count}
        schema = {"type": "object", "properties": {"ranking": ranking}, "required": ["ranking"]}
        return Structured("json_schema", json.dumps(schema, ensure_ascii=False)) if names else None


def _find(name: str, identifiers: Identifiers, index: TitleIndex, question: Question) -> Match | None:
    ids = [at for at, item in enumerate(question.items) if item.item_id == name]
    at = identifiers.find(name) if question.identifiers else None
    if at is None and ids and not index.exact(name):
        at = ids[0]
    return Match((at,), "item_id") if at is not None else index.find(name)
