"""Tournament: each stage keeps the better half of every group, and items collect points (TourRank, 2406.11678 §3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import TypeVar

from llmrank.rankers.calls import CaseCalls, PromptRanker
from llmrank.rankers.options import DEFAULTS, check_least
from llmrank.rankers.prompt import prompt_needs
from llmrank.types import Item, Needs, RankingSteps

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Tournament(PromptRanker):
    """In every stage, a group of q items passes on q // 2, until one item is left.

    An item's score is the number of stages it passed, summed over `rounds` concurrent tournaments with different
    groups. Equal scores are ties. The paper uses stages of 100, 50, 20, 10, 5 and 2 documents in 13 calls; halving also
    takes 13 calls, and is defined for every length. Groups are drawn per Case and round from the sorted ids,
    `Random(f"{seed}:{case_id}:round:{number}")`. If an answer names too few items, the open places are filled in draw
    order, and their points are shared equally among the unnamed items; `unread` or `missing` counts these answers.
    """

    group: int = 20
    rounds: int = DEFAULTS.rounds
    seed: int = DEFAULTS.seed
    name: str = "tournament"

    def __post_init__(self) -> None:
        check_least("group", self.group, 3)  # with pairs, an odd number would leave a group of one
        check_least("rounds", self.rounds, 1)

    def needs(self, n: int) -> Needs:
        """Return the needs of a list of `n`: exactly one call per group of every stage and round."""
        calls = sum(len(sizes) for sizes in self.stages(n))
        return prompt_needs(self.prompt, self.rounds * calls, min(n, self.group))

    def stages(self, n: int) -> list[list[int]]:
        """Return the group sizes in each stage of one tournament."""
        stages: list[list[int]] = []
        while n > 1:
            stages.append(list(map(len, dealt(range(n), self.group))))
            n = sum(size // 2 for size in stages[-1])
        return stages

    def _ask(self, calls: CaseCalls) -> RankingSteps:
        case = calls.case
        points = dict.fromkeys((item.item_id for item in case.candidates), 0.0)
        playing = [sorted(case.candidates, key=lambda item: item.item_id) for _ in range(self.rounds)]
        draws = [Random(f"{self.seed}:{case.case_id}:round:{number}") for number in range(self.rounds)]
        while len(playing[0]) > 1:
            groups: list[tuple[int, Sequence[Item]]] = []
            for number, (items, draw) in enumerate(zip(playing, draws, strict=True)):
                draw.shuffle(items)
                groups += [(number, group) for group in dealt(items, self.group)]
            answers = yield from calls.ask(
                [calls.view(group) for _, group in groups], [len(group) // 2 for _, group in groups]
            )
            playing = [[] for _ in range(self.rounds)]
            for (number, group), answer in zip(groups, answers, strict=True):
                by_id = {item.item_id: item for item in group}
                named = [by_id[item_id] for item_id in answer.ranked[: len(group) // 2]]
                unnamed = [item for item in group if item not in named]
                left = len(group) // 2 - len(named)
                for item in named:
                    points[item.item_id] += 1
                for item in unnamed:
                    points[item.item_id] += left / len(unnamed)
                playing[number] += [*named, *unnamed[:left]]
        return calls.scored(points)


def dealt(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """Divide the items into the fewest groups of at most `size`, of nearly equal size, each with at least 2 items."""
    groups = -(-len(items) // size)
    ends = [len(items) * place // groups for place in range(groups + 1)]
    return [items[start:end] for start, end in pairwise(ends)]
