"""The answer format `titles`: the model names the items by their titles."""

from __future__ import annotations

from dataclasses import dataclass

from llmrank.answers.outcome import TextFormat
from llmrank.answers.ranking import read_ranking
from llmrank.types import Answer, Question, Response


@dataclass(frozen=True, slots=True)
class Titles(TextFormat):
    """Reads a list of titles in any dressing; see docs/reading-answers.md.

    Repairs counted: `missing`, `duplicate`, `not_a_candidate` (a title that is none of the items, as often as it
    stands in the raw answer), `ambiguous` (it could be several of them), `truncated`. Items whose titles are the same
    are taken in the order shown, one for each time the title is named. Where identifiers were shown beside the
    titles, an answer may name those instead.
    """

    name: str = "titles"

    def read(self, response: Response, question: Question) -> Answer:
        """Return the named items in `ranked`; unparsed (`empty`, `truncated`, `refusal`, `ambiguous`,
        `no_candidate_named`)."""
        return read_ranking(response, question, titles=True)
