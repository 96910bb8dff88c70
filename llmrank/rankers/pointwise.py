"""Pointwise: one call per item, each answered by a number.

A rating read from the text (Kang 2023, 2305.06474; Liu 2023, 2304.10149), the expectation over the rating tokens, or
the probability of yes (TALLRec, 2305.00447): the answer format says which. A rating Case has one item, its target; a
ranking Case is ranked by the numbers of its candidates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from llmrank.rankers.calls import CaseCalls
from llmrank.rankers.prompt import Prompt, prompt_needs
from llmrank.rankers.ranking import has_no_result, merge_outcomes, trivial_ranking
from llmrank.types import NO_COUNTS, Answer, BaseRanker, Case, Item, Needs, Outcome, Ranking, RankingSteps


@dataclass(frozen=True, slots=True)
class Pointwise(BaseRanker):
    """One call per item; equal numbers are ties."""

    prompt: Prompt
    name: str = "pointwise"

    def needs(self, n: int) -> Needs:
        """Return the needs of a list of `n`: exactly one call per candidate. A rating Case needs one call."""
        return prompt_needs(self.prompt, n if n > 1 else 0, 1)

    def rank(self, case: Case) -> RankingSteps:
        """Ask for every item side by side; an item whose answer cannot be read stays unscored, below all scored."""
        if case.target is None and (ranking := trivial_ranking(case)):
            return ranking
        items = (case.target,) if case.target is not None else case.candidates
        calls = CaseCalls(self.prompt, case)
        # Adjacent, so that the prefix which the prompts share is computed once.
        answers = yield from calls.ask([replace(case, target=item) for item in items])
        ranking = from_values(items, answers, calls.repairs)
        return replace(ranking, history_dropped=calls.history_dropped)


def from_values(items: Sequence[Item], answers: Sequence[Answer], repairs: Mapping[str, int] = NO_COUNTS) -> Ranking:
    """Return the Ranking by `Answer.value`, highest first; items without one come last, with score -inf.

    `repairs` are those of the method, beside those in the answers.
    """
    answers = [
        answer
        if has_no_result(answer) or answer.value is not None
        else replace(answer, outcome=Outcome.UNPARSED, reason=answer.reason or "no_decision")
        for answer in answers
    ]
    values = {item.item_id: answer.value for item, answer in zip(items, answers, strict=True)}
    scores = {item_id: -math.inf if value is None else value for item_id, value in values.items()}
    order = tuple(sorted(scores, key=lambda item_id: -scores[item_id]))
    named = sum(value is not None for value in values.values())
    return merge_outcomes(Ranking(order, tuple(scores[item_id] for item_id in order), named), answers, repairs)
