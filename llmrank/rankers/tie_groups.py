"""The groups of equals in a Ranking."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from llmrank.types import Ranking


def tie_groups(ranking: Ranking) -> list[tuple[str, ...]]:
    """Return the items in groups, best first: those with equal scores, and those that the method did not place."""
    if ranking.scores is not None:
        scored = zip(ranking.scores, ranking.order, strict=True)
        return [tuple(item_id for _, item_id in group) for _, group in groupby(scored, key=lambda pair: pair[0])]
    named = len(ranking.order) if ranking.named is None else ranking.named
    head, tail = ranking.order[:named], ranking.order[named:]
    return [*((item_id,) for item_id in head), *([tail] if tail else [])]


def without(groups: Iterable[tuple[str, ...]], taken: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the groups without the items taken, and without those that are then empty."""
    gone = set(taken)
    kept = (tuple(item_id for item_id in group if item_id not in gone) for group in groups)
    return [group for group in kept if group]


def from_tie_groups(groups: Sequence[tuple[str, ...]]) -> Ranking:
    """Return the Ranking of the groups; where there are ties, the score is minus the group's place, from 0."""
    order = tuple(item_id for group in groups for item_id in group)
    if len(order) == len(groups):
        return Ranking(order)
    return Ranking(order, tuple(-float(place) for place, group in enumerate(groups) for _ in group))
