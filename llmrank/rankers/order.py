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
    """A way of arranging candidates before they are shown.

    `shuffled` hides the retriever's order, and `shuffled-N` is the Nth of such shuffles; `recall` and `reversed` show
    what that order is worth to the model; `target-at-P` puts the first relevant candidate at position P (from 0), a
    probe for position bias: only this one reads the truth.
    """

    mode: Literal["shuffled", "recall", "reversed", "target-at"] = "shuffled"
    seed: int = 0
    position: int = 0
    number: int = 1
    """Which shuffle it is: the same Cases with the same seed, in another order."""

    @classmethod
    def parse(cls, text: str, seed: int = 0) -> Order:
        """Return the Order for `shuffled`, `shuffled-N`, `recall`, `reversed` or `target-at-P`; raises InputError for
        others."""
        if text == "shuffled" or text == "recall" or text == "reversed":
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
        """Whether the place of a candidate is a matter of chance."""
        return self.mode == "shuffled"

    def arrange(self, case: Case) -> Case:
        """Return the Case with its candidates, and their recall scores, in the order to be shown.

        The shuffle of a Case is drawn from `Random(f"{seed}:{case_id}")`, with `shuffle {N}:` before it for the Nth,
        so it depends neither on the order of the Cases nor on other draws. Raises InputError where the list has no such
        place for the target.
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
                    problem = f"the list has {len(places)} candidates, whose places are 0 to {len(places) - 1}"
                    hint = "name a place that every list has, or show more candidates"
                    raise InputError(problem, field="order", user=case.user_id, hint=hint)
                places.remove(target)
                places.insert(self.position, target)
        scores = case.recall_scores
        return replace(
            case,
            candidates=tuple(case.candidates[place] for place in places),
            recall_scores=None if scores is None else tuple(scores[place] for place in places),
        )
