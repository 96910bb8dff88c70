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
    """`then` ranks the `top` candidates of `first`; the others follow in the order of `first`.

    Lists of at most `top` candidates are ranked by `then` alone. `then` sees the candidates in the order of the Case,
    which hides the ranking of `first`. If either has no result, its Outcome becomes the Case's.
    """

    first: Ranker
    then: Ranker
    top: int = DEFAULTS.first_top
    asks_on: bool = False
    """Whether to run `then` even if `first` has no result, as in a dry run."""

    def __post_init__(self) -> None:
        check_least("first_top", self.top, 2)

    @property
    def name(self) -> str:
        """The names of both, in the order in which they rank."""
        return f"{self.first.name}-then-{self.then.name}"

    @property
    def needs_recall_order(self) -> bool:
        """Whether either does."""
        return self.first.needs_recall_order or self.then.needs_recall_order

    @property
    def sees_truth(self) -> bool:
        """Whether either does."""
        return self.first.sees_truth or self.then.sees_truth

    def needs(self, n: int) -> Needs:
        """Return the needs of a list of `n`: the sum of both rankers'.

        If `first` makes calls, the number is exact only if it has a result; which items `then` sees is unknown.
        """
        then = self.then.needs(min(n, self.top))
        if n <= self.top or not (first := self.first.needs(n)).calls:
            return then
        both = first + then
        return replace(both, likely=both.likely_calls)

    def planned(self) -> Self:
        """Return a copy that runs `then` even if `first` has no result."""
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
            # Keep the order of `first`, but report the Outcome of `then`.
            return merge_outcomes(first, [then])
        rest = [tuple(item_id for item_id in group if item_id not in chosen) for group in tie_groups(first)]
        return merge_outcomes(from_tie_groups([*tie_groups(then), *filter(None, rest)]), [first, then])
