"""Pointwise: one call per item, each answered by a number.

Depending on the answer format, the number is a rating read from the text (Kang 2023, 2305.06474; Liu 2023, 2304.10149),
the expectation over the rating tokens, or the probability of yes (TALLRec, 2305.00447). A rating Case has one item, its
target. A ranking Case is ranked by the numbers of its candidates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from llmrank.answers.outcome import with_repairs
from llmrank.rankers.calls import CaseCalls, PromptRanker
from llmrank.rankers.prompt import prompt_needs
from llmrank.rankers.ranking import merge_outcomes, rank_by_score, require_decision, trivial_ranking
from llmrank.types import Answer, Case, Item, Needs, Ranking, RankingSteps


@dataclass(frozen=True, slots=True)
class Pointwise(PromptRanker):
    """One call per item, all concurrent. Equal numbers are ties. Items with an unparsed answer come last, unscored."""

    name: str = "pointwise"

    def needs(self, n: int) -> Needs:
        """Return the needs of a list of `n`: exactly one call per candidate; one call for a rating Case."""
        return prompt_needs(self.prompt, n if n > 1 else 0, 1)

    def rank(self, case: Case) -> RankingSteps:
        """Ask about every candidate, or about the target of a rating Case, and rank by the numbers."""
        ranking = trivial_ranking(case) if case.target is None else None
        return ranking or (yield from self._ask(CaseCalls(self.prompt, case)))

    def _ask(self, calls: CaseCalls) -> RankingSteps:
        case = calls.case
        # Adjacent, so that their shared prefix is computed only once.
        answers = yield from calls.ask([replace(case, target=item) for item in case.asked])
        return replace(from_values(case.asked, answers), history_dropped=calls.history_dropped)


def from_values(items: Sequence[Item], answers: Sequence[Answer]) -> Ranking:
    """Return the Ranking by `Answer.value`, highest first; items without a value come last, with score -inf.

    A `yes` read from text (1) is not a probability. If other answers of the Case have one, it counts as a repair, and
    as the middle of what it may be: 3/4, and a `no` as 1/4. So it is neither above every probability nor below.
    """
    answers = [require_decision(answer, of_value=True) for answer in answers]
    if any(answer.label_mass is not None for answer in answers):
        answers = [_verdict(answer) if answer.label_mass is None else answer for answer in answers]
    values = [-math.inf if answer.value is None else answer.value for answer in answers]
    scores = {item.item_id: value for item, value in zip(items, values, strict=True)}
    return merge_outcomes(rank_by_score(scores, len(values) - values.count(-math.inf)), answers)


def _verdict(answer: Answer) -> Answer:
    """Return an answer without a probability, among others with one."""
    if answer.value is None:
        return answer
    return with_repairs(replace(answer, value=1 / 4 + answer.value / 2), {"no_probability": 1})
