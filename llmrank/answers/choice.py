"""The answer format `choice`: the model picks one item by its identifier (`B`, `The most relevant is passage B`)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from llmrank.answers.expression import Word, identifier_words
from llmrank.answers.identifiers import Identifiers
from llmrank.answers.matching import title_index
from llmrank.answers.mention import mentions
from llmrank.answers.outcome import answered, unparsed
from llmrank.answers.reasoning import without_reasoning
from llmrank.answers.text_format import TextFormat
from llmrank.answers.titles import resolve_mentions
from llmrank.types import Answer, Question, Response, Structured

_CALLED = re.compile(
    r"(?:answer|choice|choose|select(?:ed)?|pick|best|most (?:relevant|likely)(?: \w+){0,3}|recommend|prefer|option)"
    r"(?: (?:is|are|would be|the|passage|document|item|movie|film|product|option|candidate|one|identifier))*"
    r"[\s:=*_\"'(\[-]{0,6}$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Choice(TextFormat):
    """Reads one identifier (or title). Precedence: the one that the text names as its answer, then the one it starts
    with, then the only one present. Two of equal precedence are `ambiguous`; one that no item has is
    `not_a_candidate`."""

    name: str = "choice"

    def read(self, response: Response, question: Question) -> Answer:
        """Return the one item in `ranked`; unparsed (`empty`, `truncated`, `refusal`, `ambiguous`,
        `no_candidate_named`)."""
        text = without_reasoning(response.text)
        if not text or not text.strip():
            return unparsed(response, text, "empty")
        identifiers = Identifiers.of(question)
        words = identifier_words(text, identifiers)
        if not words and identifiers.are_letters and len(text.strip(" .()[]\n")) == 1:
            words = identifier_words(text.upper(), identifiers)
        plainest = _plainest(words, text)
        if len({word.text for word in plainest}) > 1:
            return unparsed(response, text, "ambiguous")
        positions = [word.position for word in plainest[:1]]
        if not positions:
            index = title_index(question.items)
            named, repairs = resolve_mentions(mentions(text, index), index)
            if len(named) > 1:
                return unparsed(response, text, "ambiguous", repairs)
            if named:
                at, stage = named.popitem()
                ranked = (question.items[at].item_id,)
                return answered(response, {"title_for_identifier": 1}, ranked=ranked, matches={stage: 1})
            return unparsed(response, text, "no_candidate_named", repairs)
        if positions[0] is None:
            return unparsed(response, text, "no_candidate_named", {"not_a_candidate": 1})
        return answered(response, {}, ranked=(question.items[positions[0]].item_id,))

    def structured(self, question: Question) -> Structured | None:
        """Return the identifiers as the choices."""
        identifiers = Identifiers.of(question).texts
        return Structured("choice", "\n".join(identifiers)) if identifiers else None


def _plainest(words: list[Word], text: str) -> list[Word]:
    called = [word for word in words if _CALLED.search(text[max(0, word.start - 80) : word.start])]
    begins = [word for word in words[:1] if not any(map(str.isalnum, text[: word.start])) and _ends_there(word, text)]
    return called or begins or words


def _ends_there(word: Word, text: str) -> bool:
    return not re.match(r"[*_\"')\]]{0,4} \w", text[word.end : word.end + 6])
