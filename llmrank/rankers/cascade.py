"""Cascade: a cheap ranker preselects for an expensive one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from llmrank.rankers.calls import with_candidates
from llmrank.rankers.options import DEFAULTS, check_least
from llmrank.rankers.ranking import from_tie_groups, has_no_result, merge_outcomes, tie_groups
from llmrank.types import BaseRanker, Case, Needs, Ranker, RankingSteps


@dataclass(frozen=True, slots=True)
class Cascade(BaseRanker):
    """`then` ranks the `top` of what `first` returns; the others follow as `first` has them.

    `then` alone ranks a list of at most `top`. It sees the top in the order of the Case, so that the opinion of `first`
    is not passed on. When either has no result, its Outcome is the Case's.
    """

    first: Ranker
    then: Ranker
    top: int = DEFAULTS.first_top
    name: str = "cascade"
    asks_on: bool = False
    """Whether `then` is asked though `first` has no result: in a dry run."""

    def __post_init__(self) -> None:
        check_least("--first-top", self.top, 2)

    @property
    def needs_recall_order(self) -> bool:
        """Whether either does."""
        return self.first.needs_recall_order or self.then.needs_recall_order

    @property
    def sees_truth(self) -> bool:
        """Whether either does."""
        return self.first.sees_truth or self.then.sees_truth

    def needs(self, n: int) -> Needs:
        """Return the needs of a list of `n`: those of both, each for its list.

        Where `first` asks, the number of calls is exact only if it has a result, and which items `then` sees is not
        known before.
        """
        then = self.then.needs(min(n, self.top))
        if n <= self.top or not (first := self.first.needs(n)).calls:
            return then
        both = first + then
        return replace(both, likely=both.likely_calls)

    def planned(self) -> Self:
        """Return one that asks `then` whatever `first` answers."""
        return replace(self, first=self.first.planned(), then=self.then.planned(), asks_on=True)

    def rank(self, case: Case) -> RankingSteps:
        """Rank with `first`, then its top with `then`."""
        if len(case.candidates) <= self.top:
            return (yield from self.then.rank(case))
        first = yield from self.first.rank(case)
        if has_no_result(first) and not self.asks_on:
            return first
        chosen = set(first.order[: self.top])
        top = [item for item in case.candidates if item.item_id in chosen]
        then = yield from self.then.rank(with_candidates(case, top))
        if has_no_result(then):
            # The order of `first` is still the one to use, but the method has no result, and that is the Outcome.
            return merge_outcomes(first, [then])
        rest = [tuple(item_id for item_id in group if item_id not in chosen) for group in tie_groups(first)]
        return merge_outcomes(from_tie_groups([*tie_groups(then), *filter(None, rest)]), [first, then])
