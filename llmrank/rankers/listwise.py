"""Listwise: one call shows all candidates and asks for them in order (PALR 2305.07622, LLMRank 2305.08845, RankGPT)."""

from __future__ import annotations

from dataclasses import dataclass

from llmrank.rankers.calls import CaseCalls, PromptRanker
from llmrank.rankers.prompt import prompt_needs
from llmrank.rankers.ranking import merge_outcomes, partial_ranking
from llmrank.types import Answer, Case, Needs, Ranking, RankingSteps


@dataclass(frozen=True, slots=True)
class Listwise(PromptRanker):
    """Ranks the items that the answer names first; the rest follows, tied.

    One call, or two if the prompt needs a profile of the user (PALR §2.1) and there is a history.
    """

    name: str = "listwise"

    def needs(self, n: int) -> Needs:
        """Return the needs of a list of `n`: exactly one call, plus one for the profile of a user with a history."""
        return prompt_needs(self.prompt, int(n > 1), n)

    def _ask(self, calls: CaseCalls) -> RankingSteps:
        [answer] = yield from calls.ask([calls.case])
        return calls.ranked(answer.ranked)


def from_answer(case: Case, answer: Answer) -> Ranking:
    """Return the Ranking of an Answer: the items it names, best first, then the rest in the order shown, tied."""
    return merge_outcomes(partial_ranking(case, answer.ranked), [answer])
