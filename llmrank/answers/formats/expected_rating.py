"""The answer format `expected_rating`: the expected value over the probabilities of the rating labels.

The value is the sum of r * P(r) over the labels, divided by the sum of P(r). It has decimals and few ties, which makes
the AUC of a rating prompt comparable (G-Eval, arXiv:2303.16634, section 2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from llmrank.answers.formats.label_logprobs import logprobs
from llmrank.answers.formats.rating import rating_labels
from llmrank.answers.outcome import LEAST_MASS, TextFormat, answered, unparsed
from llmrank.types import Answer, Question, Response


@dataclass(frozen=True, slots=True)
class ExpectedRating(TextFormat):
    """Reads an expected rating from the log-probabilities of rating labels; the text is ignored."""

    name: str = "expected_rating"

    def read(self, response: Response, question: Question) -> Answer:
        """Return the expectation in `value`, and the probability of each label in `scores`. Requested labels that
        the backend did not return are counted (`missing`). Unparsed (`label_missing`) if it returned none."""
        low, high = question.scale
        given = {
            label: math.exp(p)
            for label, p in logprobs(response).items()
            if (rating := _rating(label)) is not None and low <= rating <= high
        }
        mass = sum(given.values())
        if not mass:
            return unparsed(response, "label", "label_missing")
        repairs = {
            "missing": len([label for label in self.labels(question) if label.strip() not in given]),
            "low_label_mass": int(mass < LEAST_MASS),
        }
        value = sum(float(label) * p for label, p in given.items()) / mass
        value = min(max(value, low), high)  # rounding can turn 5 into 5.000000000000001
        return answered(Response(""), repairs, value=value, scores=given, label_mass=mass)

    def labels(self, question: Question) -> tuple[str, ...]:
        """Return the whole ratings of the scale (1 to 5 of 0.5 to 5), unless they are fewer than three.

        Halves are several tokens, and the expectation has decimals without them.
        """
        low, high = question.scale
        whole = range(math.ceil(low), math.floor(high) + 1)
        return rating_labels(question) if question.identifiers or len(whole) < 3 else tuple(map(str, whole))


def _rating(label: str) -> float | None:
    try:
        return float(label)
    except ValueError:
        return None
