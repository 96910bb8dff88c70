"""The answer format `label_logprobs`: the candidates in the order of their labels' log-probabilities at one token.

As in LlamaRec (arXiv:2311.02089) and FIRST (arXiv:2406.15657).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from llmrank.answers.items.identifiers import Identifiers
from llmrank.answers.outcome import LEAST_MASS, TextFormat, answered, missing, unparsed
from llmrank.types import Answer, Question, Response


@dataclass(frozen=True, slots=True)
class LabelLogprobs(TextFormat):
    """Ranks the items by the log-probabilities of their labels; the text is ignored."""

    name: str = "label_logprobs"

    def read(self, response: Response, question: Question) -> Answer:
        """Return the items in `ranked` (ties in the order shown) and the natural log-probabilities of their labels
        in `scores`, by item id. An item is not ranked if the backend did not return its label (`missing`). Unparsed
        (`label_missing`) if it returned none."""
        given = logprobs(response)
        labels = zip(Identifiers.of(question).texts, question.items, strict=False)
        found = {item.item_id: given[label] for label, item in labels if label in given}
        if not found:
            return unparsed(response, "label", "label_missing")
        scores = dict(sorted(found.items(), key=lambda one: -one[1]))
        mass = sum(map(math.exp, scores.values()))
        repairs = {
            "missing": missing(len(scores), len(question.items), None),
            "low_label_mass": int(mass < LEAST_MASS),
        }
        return answered(Response(""), repairs, ranked=tuple(scores), scores=scores, label_mass=mass)

    def labels(self, question: Question) -> tuple[str, ...]:
        """Return the labels of the items."""
        return Identifiers.of(question).texts


def logprobs(response: Response) -> dict[str, float]:
    """Return the natural log-probability of each label that the backend returned with a finite one. Whitespace
    around a label is ignored, and the probabilities of its variants are added up."""
    found: dict[str, float] = {}
    for label, given in (response.label_logprobs or {}).items():
        if math.isfinite(given) and given < 0.01:  # rounding may leave a hair above 0
            name, own = label.strip(), min(given, 0.0)
            other = found.get(name)
            high, low = max(own, other or own), min(own, other or own)
            found[name] = own if other is None else min(0.0, high + math.log1p(math.exp(low - high)))
    return found
