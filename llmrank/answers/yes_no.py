"""The answer format `yes_no`: would the user like it? From label log-probabilities where there are any, else the text.

TALLRec (arXiv:2305.00447) and PRP score by the probability of `Yes` against `No`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from llmrank.answers.label_logprobs import logprobs
from llmrank.answers.outcome import answered, unparsed
from llmrank.answers.reasoning import without_reasoning
from llmrank.types import Answer, Question, Response, Structured

_WORD = re.compile(r"\b(yes|no|true|false)\b", re.IGNORECASE)
_YES = frozenset(("yes", "true"))
_NO = frozenset(("no", "false"))
_NO_ANSWER = re.compile(
    r"\b(?:yes ?(?:or|/) ?no|true ?(?:or|/) ?false|no (?:doubt|one|more|other|longer|information))\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class YesNo:
    """Reads the probability of yes. Without log-probabilities it is 1 or 0, by the first yes or no of the text."""

    name: str = "yes_no"
    least_mass: float = 0.5
    """Below this probability of yes and no together, the answer is flagged (repair `low_label_mass`)."""

    def read(self, response: Response, question: Question) -> Answer:
        """Return P(yes) / (P(yes) + P(no)) in `value`, and the two in `scores`; unparsed
        (`label_missing` when the backend returned only one, `ambiguous` when the text begins with neither and says
        both, `empty`, `truncated`, `refusal`, `no_yes_or_no`)."""
        if response.label_logprobs is not None:
            given = {label.casefold(): math.exp(p) for label, p in logprobs(response).items()}
            yes, no = (sum(given[label] for label in labels if label in given) for labels in (_YES, _NO))
            if not yes or not no:  # a missing one is not replaced by a guess
                return unparsed(response, "label", "label_missing")
            repairs = {"low_label_mass": int(yes + no < self.least_mass)}
            return answered(
                Response(""), repairs, value=yes / (yes + no), scores={"Yes": yes, "No": no}, label_mass=yes + no
            )
        text = without_reasoning(response.text)
        if not text or not text.strip():
            return unparsed(response, text, "empty")
        plain = _NO_ANSWER.sub(" ", text).lstrip(" \t\n*_\"'`([{")
        begins = _WORD.match(plain)
        words = [found[1].casefold() in _YES for found in ([begins] if begins else _WORD.finditer(plain))]
        if len(set(words)) != 1:
            return unparsed(response, text, "ambiguous" if words else "no_yes_or_no")
        return answered(response, {}, value=float(words[0]))

    def labels(self, question: Question) -> tuple[str, ...]:
        """Return `Yes` and `No`."""
        return ("Yes", "No")

    def structured(self, question: Question) -> Structured | None:
        """Return `Yes` and `No` as the choices."""
        return Structured("choice", "Yes\nNo")
