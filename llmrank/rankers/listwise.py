"""Listwise: one call shows all candidates and asks for them in order (PALR 2305.07622, LLMRank 2305.08845, RankGPT)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from llmrank.rankers.dialogue import Dialogue, head_first, unasked
from llmrank.rankers.needs import Needs, prompt_needs
from llmrank.rankers.prompt import Prompt
from llmrank.rankers.settle import settled
from llmrank.types import Answer, Case, Ranking, RankingSteps


@dataclass(frozen=True, slots=True)
class Listwise:
    """One call, or two where the prompt wants a profile of the user first (PALR §2.1)."""

    prompt: Prompt
    name: str = "listwise"

    def needs(self, n: int) -> Needs:
        """Return what a list of `n` takes: exactly one call, and one for the profile."""
        return prompt_needs(self.prompt, int(n > 1), n)

    def rank(self, case: Case) -> RankingSteps:
        """Ask once, and rank what was named first; what was not named follows, tied."""
        if ranking := unasked(case):
            return ranking
        dialogue = Dialogue(self.prompt, case)
        [answer] = yield from dialogue.ask([case])
        return dialogue.ranked(answer.ranked)


def from_answer(case: Case, answer: Answer, history_dropped: int = 0) -> Ranking:
    """Return the Ranking an Answer stands for: what it names, best first, then the rest in the order shown, tied."""
    return replace(settled(head_first(case, answer.ranked), [answer]), history_dropped=history_dropped)
