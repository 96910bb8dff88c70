"""The order in which a Case's candidates are shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from typing import Literal

from llmrank.errors import InputError
from llmrank.rankers.calls import at_places
from llmrank.types import Case


@dataclass(frozen=True, slots=True)
class Order:
    """The order of the candidates in a prompt.

    `shuffled` hides the recall order; `shuffled-N` is the Nth shuffle; `shuffled+J/K` (and `shuffled-N+J/K`) moves each
    candidate of the shuffle down by J/K of the list, those at the end to the beginning. `recall` and `reversed` reveal
    how much the model relies on the recall order. `target-at-P` puts the first relevant candidate at position P (from
    0), to measure position bias; it is the only order that uses the truth.
    """

    mode: Literal["shuffled", "recall", "reversed", "target-at"] = "shuffled"
    seed: int = 0
    position: int = 0
    number: int = 1
    """Number of the shuffle, from 1; each gives a different order for the same Cases and seed."""
    moved: tuple[int, int] = (0, 1)
    """J and K: how far a shuffle is moved down, as a fraction of the list below 1."""

    @classmethod
    def parse(cls, text: str, seed: int = 0) -> Order:
        """Parse the text of an order, such as `shuffled-2`. Raises InputError for any other text."""
        if text in ("shuffled", "recall", "reversed"):
            return cls(text, seed)
        if match := re.fullmatch(r"shuffled(?:-([1-9]\d*))?(?:\+([1-9]\d*)/([1-9]\d*))?", text):
            moved = (int(match[2] or 0), int(match[3] or 1))
            if moved[0] < moved[1]:
                return cls("shuffled", seed, number=int(match[1] or 1), moved=moved)
        if match := re.fullmatch(r"target-at-(\d+)", text):
            return cls("target-at", seed, int(match[1]))
        hint = "use shuffled, shuffled-N (N from 2), shuffled+J/K (J < K), recall, reversed or target-at-P (P from 0)"
        raise InputError(f"unknown order {text!r}", field="order", hint=hint)

    def __str__(self) -> str:
        if self.mode == "target-at":
            return f"target-at-{self.position}"
        which = self.mode if self.number == 1 else f"{self.mode}-{self.number}"
        return which + (f"+{self.moved[0]}/{self.moved[1]}" if self.moved[0] else "")

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
            kept = len(places) - len(places) * self.moved[0] // self.moved[1]
            places = places[kept:] + places[:kept]
        if self.mode == "target-at":
            targets = [place for place in places if case.candidates[place].item_id in case.relevant]
            for target in targets[:1]:
                if self.position >= len(places):
                    problem = f"position {self.position} is out of range: the list has positions 0 to {len(places) - 1}"
                    hint = "use a position that every list has, or show more candidates"
                    raise InputError(problem, field="order", user=case.user_id, hint=hint)
                places.remove(target)
                places.insert(self.position, target)
        return at_places(case, places)
