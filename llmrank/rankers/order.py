"""The order in which a Case's candidates are shown."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from llmrank.errors import InputError
from llmrank.types import Case


@dataclass(frozen=True, slots=True)
class Order:
    """The order of the candidates in a prompt.

    `shuffled` hides the recall order; `shuffled-N` is the Nth shuffle. `recall` and `reversed` reveal how much the
    model relies on the recall order. `target-at-P` puts the first relevant candidate at position P (from 0), to measure
    position bias; it is the only order that uses the truth.
    """

    mode: Literal["shuffled", "recall", "reversed", "target-at"] = "shuffled"
    seed: int = 0
    position: int = 0
    number: int = 1
    """Number of the shuffle, from 1; each gives a different order for the same Cases and seed."""

    @classmethod
    def parse(cls, text: str, seed: int = 0) -> Order:
        """Parse `shuffled`, `shuffled-N`, `recall`, `reversed` or `target-at-P`. Raises InputError for others."""
        if text in ("shuffled", "recall", "reversed"):
            return cls(text, seed)
        if match := re.fullmatch(r"shuffled-([1-9]\d*)", text):
            return cls("shuffled", seed, number=int(match[1]))
        if match := re.fullmatch(r"target-at-(\d+)", text):
            return cls("target-at", seed, int(match[1]))
        hint = "use shuffled, shuffled-N (N from 2), recall, reversed or target-at-P (P from 0)"
        raise InputError(f"unknown order {text!r}", field="--order", hint=hint)

    def __str__(self) -> str:
        if self.mode == "target-at":
            return f"target-at-{self.position}"
        return self.mode if self.number == 1 else f"{self.mode}-{self.number}"

    @property
    def is_shuffled(self) -> bool:
        """Whether the positions are random."""
        return self.mode == "shuffled"

    def arrange(self, case: Case) -> Case:
        """Return the Case with its candidates, and their recall scores, in this order.

        A shuffle is seeded with `Random(f"{seed}:{case_id}")`, prefixed with `shuffle {N}:` for the Nth, so it is
        independent of other Cases. Raises InputError if the list is too short for the target's position.
        """
        places = list(case.recall_places if self.mode in ("recall", "reversed") else range(len(case.candidates)))
        if self.mode == "reversed":
            places.reverse()
        elif self.mode != "recall":
            which = "" if self.number == 1 else f"shuffle {self.number}:"
            Random(f"{which}{self.seed}:{case.case_id}").shuffle(places)
        if self.mode == "target-at":
            targets = [place for place in places if case.candidates[place].item_id in case.relevant]
            for target in targets[:1]:
                if self.position >= len(places):
                    problem = f"position {self.position} is out of range: the list has positions 0 to {len(places) - 1}"
                    hint = "use a position that every list has, or show more candidates"
                    raise InputError(problem, field="order", user=case.user_id, hint=hint)
                places.remove(target)
                places.insert(self.position, target)
        scores = case.recall_scores
        return replace(
            case,
            candidates=tuple(case.candidates[place] for place in places),
            recall_scores=None if scores is None else tuple(scores[place] for place in places),
        )
