"""Cascade: a cheap ranker for the whole list, a dear one for its top."""

from __future__ import annotations

from dataclasses import dataclass, replace

from llmrank.errors import InputError
from llmrank.rankers.calls import with_candidates
from llmrank.rankers.needs import Needs, needs_of
from llmrank.rankers.outcomes import has_no_result, merge_outcomes
from llmrank.rankers.tie_groups import from_tie_groups, tie_groups, without
from llmrank.types import Case, Ranker, RankingSteps


@dataclass(frozen=True, slots=True)
class Cascade:
    """`then` ranks the `top` of what `first` returns; the others follow as `first` has them.

    A list of at most `top` is left to `then` alone. The top is shown to `then` in the order in which the Case has it,
    so that the opinion of `first` is not passed on. When either says nothing, its Outcome is the Case's.
    """

    first: Ranker
    then: Ranker
    top: int = 20
    name: str = "cascade"

    def __post_init__(self) -> None:
        if self.top < 2:
            raise InputError(f"the top {self.top} leaves nothing to rank", field="--first-top", hint="use 2 or more")

    @property
    def needs_recall_order(self) -> bool:
        """Whether `first` does."""
        return getattr(self.first, "needs_recall_order", False)

    def needs(self, n: int) -> Needs:
        """Return what a list of `n` takes: what both need, each for its list."""
        then = needs_of(self.then, min(n, self.top))
        return then if n <= self.top else needs_of(self.first, n) + then

    def rank(self, case: Case) -> RankingSteps:
        """Rank with the one, then the top with the other."""
        if len(case.candidates) <= self.top:
            return (yield from self.then.rank(case))
        first = yield from self.first.rank(case)
        if has_no_result(first):
            return first
        chosen = set(first.order[: self.top])
        then = yield from self.then.rank(
            with_candidates(case, [item for item in case.candidates if item.item_id in chosen])
        )
        if has_no_result(then):
            # What the cheap one found stays the order to use; but the method gave no answer, and that is the Outcome.
            return merge_outcomes(first, [then])
        rest = without(tie_groups(first), chosen)
        ranking = merge_outcomes(from_tie_groups([*tie_groups(then), *rest]), [first, then])
        return replace(ranking, history_dropped=max(first.history_dropped, then.history_dropped))
