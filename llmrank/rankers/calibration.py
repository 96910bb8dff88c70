"""Calibration: subtract the model's position bias, measured with content-free candidates, from the scores.

CapCal (2604.10150). Models prefer some positions and labels. The same prompt with every candidate's text replaced by a
placeholder reveals this preference. The paper subtracts it at each step of a decoded list; here, the first step ranks
all candidates.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from annotated_types import Ge

from llmrank.errors import InputError
from llmrank.rankers.calls import side_by_side, with_candidates
from llmrank.rankers.ranking import has_no_result, merge_outcomes, rank_by_score
from llmrank.types import Case, Item, Needs, Ranking, RankingSteps, WrappedRanker

PLACEHOLDER = "N/A"
STEEPNESS, STRONGEST = 5.0, 2.0
"""Parameters of the adaptive strength, as in the paper's published code."""

Strength = Annotated[float, Ge(0)] | Literal["adaptive"]
STRENGTHS: tuple[Strength, ...] = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, "adaptive")
"""The strengths that are tried: 0 is the method alone."""


def without_content(case: Case) -> Case:
    """Return the Case with the same placeholder title for every candidate, and without other attributes."""
    return with_candidates(case, [Item(item.item_id, PLACEHOLDER) for item in case.candidates])


@dataclass(frozen=True, slots=True)
class Calibrated(WrappedRanker):
    """Ranks by P(item | list) - strength x (P(item | empty list) - 1/n), with a second call per list for the prior. A
    strength of 0 needs no prior.

    The probabilities come from `ranker`'s scores (natural logarithms), normalised over the candidates. An `adaptive`
    strength is computed for each list (see `adaptive_strength`).

    With `log`, the scores are ln P(item | list) - strength x (n P(item | empty list) - 1), which matches the logarithm
    of the above near equal probabilities. Fusion needs this form.
    """

    strength: Strength = 1.0
    log: bool = False

    def __post_init__(self) -> None:
        if self.strength != "adaptive" and not 0 <= self.strength < math.inf:
            hint = "use 0 or more, such as 1, or adaptive"
            raise InputError(f"invalid strength {self.strength}", field="calibrate", hint=hint)

    @property
    def name(self) -> str:
        """The method's name, with a suffix."""
        return f"{self.ranker.name}-calibrated"

    def needs(self, n: int) -> Needs:
        """Return the needs of a list of `n`: twice those of the ranker, or once."""
        return self.ranker.needs(n) * (2 if self.strength else 1)

    def rank(self, case: Case) -> RankingSteps:
        """Rank the list and its content-free copy concurrently. Raises InputError for a method without scores."""
        if case.target is not None or len(case.candidates) < 2:
            return (yield from self.ranker.rank(case))
        lists = [case, without_content(case)] if self.strength else [case]
        ranking, *priors = yield from side_by_side([self.ranker.rank(one) for one in lists])
        if has_no_result(ranking):
            return ranking
        if any(map(has_no_result, priors)):
            return merge_outcomes(ranking, [ranking, *priors])
        seen = _probabilities(ranking)
        expected = _probabilities(priors[0]) if priors else seen
        strength = adaptive_strength(seen.values()) if self.strength == "adaptive" else self.strength
        uniform = 1 / len(expected)

        def score(item_id: str) -> float:
            if not seen[item_id]:
                return -math.inf
            prior = strength * (expected[item_id] - uniform)
            return math.log(seen[item_id]) - prior / uniform if self.log else seen[item_id] - prior

        best_first = rank_by_score({item_id: score(item_id) for item_id in ranking.order})
        return replace(ranking, order=best_first.order, scores=best_first.scores)


def adaptive_strength(probabilities: Collection[float]) -> float:
    """Return the strength for two or more probabilities with sum 1: higher where the model is less sure.

    The strength is min(5 H, 2), where H is the entropy relative to that of equal probabilities: 0 for a certain model,
    2 if H is 0.4 or more.
    """
    entropy = -math.fsum(part * math.log(part) for part in probabilities if part)
    return min(STEEPNESS * entropy / math.log(len(probabilities)), STRONGEST)


def _probabilities(ranking: Ranking) -> dict[str, float]:
    if ranking.scores is None:
        problem = "the method has no scores to calibrate"
        raise InputError(problem, field="calibrate", hint="use first_token")
    top = max(ranking.scores)
    parts = [math.exp(score - top) for score in ranking.scores]
    return {item_id: part / math.fsum(parts) for item_id, part in zip(ranking.order, parts, strict=True)}
