"""The answer format `permutation`: the model orders the identifiers of the items (`[2] > [3] > [1]`, `B, C, A`)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from llmrank.answers.identifiers import Identifiers
from llmrank.answers.outcome import TextFormat, missing
from llmrank.answers.ranking import read_ranking
from llmrank.types import Answer, Question, Response, Structured


@dataclass(frozen=True, slots=True)
class Permutation(TextFormat):
    """Reads an order of identifiers; the question's identifiers, or the numbers from 1 (see docs/reading-answers.md).

    List numbers do not count; once identifiers stand in square brackets, only those count. An answer that counts from
    0 is read so only if it names every item and so leaves no doubt (repair `zero_based`); else it is unparsed for that
    reason. Where the answer names titles in place of identifiers, they are read (repair `title_for_identifier`).
    Further repairs: `missing`, `duplicate`, `not_a_candidate`, `truncated`.
    """

    name: str = "permutation"

    def read(self, response: Response, question: Question) -> Answer:
        """Return the items in `ranked`; unparsed (`empty`, `truncated`, `refusal`, `ambiguous`, `zero_based`,
        `no_candidate_named`)."""
        return read_ranking(response, question, titles=False)

    def structured(self, question: Question) -> Structured | None:
        """Return `[2] > [3] > [1]` as a regular expression: as many as asked for, none but the question's."""
        identifiers = Identifiers.of(question).texts
        if not identifiers:
            return None
        one = rf"\[(?:{'|'.join(map(re.escape, identifiers))})\]"
        return Structured("regex", rf"{one}(?: > {one}){{{missing(0, len(identifiers), question.top) - 1}}}")
