"""Listwise: one call shows all candidates and asks for them in order (PALR 2305.07622, LLMRank 2305.08845, RankGPT)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from llmrank.rankers.calls import CaseCalls
from llmrank.rankers.prompt import Prompt, prompt_needs
from llmrank.rankers.ranking import merge_outcomes, partial_ranking, trivial_ranking
from llmrank.types import Answer, BaseRanker, Case, Needs, Ranking, RankingSteps


@dataclass(frozen=True, slots=True)
class Listwise(BaseRanker):
    """One call, or two where the prompt wants a profile of the user first (PALR §2.1)."""

    prompt: Prompt
    name: str = "listwise"

    def needs(self, n: int) -> Needs:
        """Return the needs of a list of `n`: exactly one call, and one for the profile."""
        return prompt_needs(self.prompt, int(n > 1), n)

    def rank(self, case: Case) -> RankingSteps:
        """Ask once, and rank first what the answer names; the rest follows, tied."""
        if ranking := trivial_ranking(case):
            return ranking
        calls = CaseCalls(self.prompt, case)
        [answer] = yield from calls.ask([case])
        return calls.ranked(answer.ranked)


def from_answer(case: Case, answer: Answer, history_dropped: int = 0) -> Ranking:
    """Return the Ranking of an Answer: what it names, best first, then the rest in the order shown, tied."""
    return replace(merge_outcomes(partial_ranking(case, answer.ranked), [answer]), history_dropped=history_dropped)
