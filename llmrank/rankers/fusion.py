"""Fusion with the recall stage: the method's score plus a weight times a recall term.

The method's scores are natural-log probabilities; of `pointwise`, probabilities or ratings. The recall term is the
log-softmax of the recall scores, or -log(60 + rank), which needs no scores (60 as in reciprocal rank fusion, Cormack et
al. 2009). The weight is chosen on validation Cases.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from llmrank.errors import InputError, nearest
from llmrank.rankers.ranking import has_no_result, rank_by_score
from llmrank.types import Case, Ranking, RankingSteps, WrappedRanker

RecallTerm = Literal["scores", "ranks"]
DEFAULT_TERM: RecallTerm = "scores"
WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0, math.inf)
"""The weights that are tried: 0 is the method alone, infinity the recall order alone."""


@dataclass(frozen=True, slots=True)
class Fusion:
    """The weight and the recall term."""

    weight: float
    term: RecallTerm = DEFAULT_TERM

    def __post_init__(self) -> None:
        if not self.weight >= 0:
            hint = "use 0 or more, or `validation`"
            raise InputError(f"negative weight {self.weight}", field="fuse", hint=hint)
        if self.term not in get_args(RecallTerm):
            problem = f"unknown recall term {self.term!r}{nearest(self.term, get_args(RecallTerm))}"
            raise InputError(problem, field="fuse", hint=f"use {' or '.join(get_args(RecallTerm))}")

    def fuse_all(self, cases: Sequence[Case], rankings: Sequence[Ranking]) -> list[Ranking]:
        """Return the Ranking of each Case, fused (see `fuse`)."""
        return [self.fuse(case, ranking) for case, ranking in zip(cases, rankings, strict=True)]

    def fuse(self, case: Case, ranking: Ranking) -> Ranking:
        """Return the Ranking by score + weight x recall term. A Ranking without an answer is returned unchanged.

        A Case without recall scores has ranks only, which become its term. An infinite weight gives the recall order,
        including its ties.

        Raises InputError for a method without scores.
        """
        if has_no_result(ranking) or len(ranking.order) < 2:
            return ranking
        if ranking.scores is None:
            problem = "the method has no scores to fuse"
            raise InputError(problem, field="fuse", hint="use a method with scores: first_token, pointwise, next_title")
        recalled = recall_terms(case, self.term)
        infinite = math.isinf(self.weight)
        total = {
            item_id: recalled[item_id] if infinite else score + self.weight * recalled[item_id]
            for item_id, score in zip(ranking.order, ranking.scores, strict=True)
        }
        best_first = rank_by_score(total)
        return replace(ranking, order=best_first.order, scores=best_first.scores, named=None)


def recall_terms(case: Case, term: RecallTerm) -> dict[str, float]:
    """Return the recall term of each candidate, by item id: higher is better; equal recall scores get equal terms."""
    given = case.recall_scores or tuple(float(-place) for place in range(len(case.candidates)))
    ids = [item.item_id for item in case.candidates]
    if term == "ranks" or case.recall_scores is None or case.only_ordered:  # the softmax of an order means nothing
        better = sorted(given, reverse=True)
        return {item_id: -math.log(60 + 1 + better.index(score)) for item_id, score in zip(ids, given, strict=True)}
    top = max(given)
    total = top + math.log(math.fsum(math.exp(score - top) for score in given))
    return {item_id: score - total for item_id, score in zip(ids, given, strict=True)}


@dataclass(frozen=True, slots=True)
class Fused(WrappedRanker):
    """Ranks with `ranker`, then adds the recall term. The Outcome is the ranker's."""

    fusion: Fusion

    @property
    def name(self) -> str:
        """The method's own name, with the weight."""
        return f"{self.ranker.name}+recall"

    @property
    def needs_recall_order(self) -> bool:
        """True."""
        return True

    def rank(self, case: Case) -> RankingSteps:
        """Rank and fuse. Rating Cases have no recall scores, and are left to the ranker."""
        ranking = yield from self.ranker.rank(case)
        return ranking if case.target is not None else self.fusion.fuse(case, ranking)


@dataclass(frozen=True, slots=True)
class FusionPoint:
    """The values of one weight on the validation Cases."""

    fusion: Fusion
    values: tuple[float, ...] = field(repr=False)
    """The value of each validation user."""

    @property
    def value(self) -> float:
        """The mean over the validation users."""
        return math.fsum(self.values) / len(self.values)


@dataclass(frozen=True, slots=True)
class FusionChoice:
    """The chosen fusion, and all that were tried."""

    best: FusionPoint
    curve: tuple[FusionPoint, ...]

    @property
    def alone(self) -> float:
        """The value of the method without recall scores."""
        return next(point.value for point in self.curve if point.fusion.weight == 0)

    @property
    def recall_order(self) -> float:
        """The value of the recall order."""
        return next(point.value for point in self.curve if math.isinf(point.fusion.weight))

    def to_dict(self) -> dict[str, object]:
        """Return weight, term and curve (a list of [term, weight, value]) as JSON-compatible values.

        The weights of the curve are strings, because JSON has no infinity.
        """
        best = self.best.fusion
        return {
            "weight": best.weight if math.isfinite(best.weight) else str(best.weight),
            "term": best.term,
            "curve": [[point.fusion.term, str(point.fusion.weight), round(point.value, 5)] for point in self.curve],
        }


def choose_fusion(
    fused: Callable[[Fusion], Sequence[Ranking]],
    values: Callable[[Sequence[Ranking]], Iterable[float]],
    term: RecallTerm | None = None,
) -> FusionChoice:
    """Return the weight and recall term with the highest value on validation Cases; for ties, the smaller weight.

    Args:
        fused: Returns the fused Rankings of the validation Cases, whose relevant items must not be part of the test.
        values: Returns each user's value of such Rankings; the highest mean is best.
        term: The recall term to try with all `WEIGHTS`; None: both.
    """
    curve: list[FusionPoint] = []
    for tried in get_args(RecallTerm) if term is None else (term,):
        for weight in WEIGHTS:
            fusion = Fusion(weight, tried)
            curve.append(FusionPoint(fusion, tuple(values(fused(fusion)))))
    best = max(curve, key=lambda point: (point.value, -point.fusion.weight))
    return FusionChoice(best, tuple(curve))
