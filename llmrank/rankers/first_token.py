"""First token: one call, all candidates ranked by the log-probabilities of their labels at the first answer token.

LlamaRec (2311.02089 §3.3, the verbalizer) and FIRST (2406.15657 §3).
"""

from __future__ import annotations

from dataclasses import dataclass

from llmrank.errors import InputError
from llmrank.rankers.calls import CaseCalls
from llmrank.rankers.prompt import Prompt, prompt_needs
from llmrank.rankers.ranking import trivial_ranking
from llmrank.types import BaseRanker, Case, Needs, RankingSteps

MOST_LABELS = 128
"""The most labels whose log-probabilities a backend returns in one call."""


@dataclass(frozen=True, slots=True)
class FirstToken(BaseRanker):
    """One call; the scores are natural-log probabilities, comparable within a Case only.

    A candidate whose label the backend does not return stays unscored. Lists of more than 128 are refused: a
    `sliding_window` over the same prompt ranks them.
    """

    prompt: Prompt
    name: str = "first_token"

    def needs(self, n: int) -> Needs:
        """Return the needs of a list of `n`: exactly one call, with a label per candidate.

        Raises InputError for more than 128 candidates.
        """
        if n > MOST_LABELS:
            raise InputError(
                f"first_token ranks {MOST_LABELS} candidates at most, and the list has {n}",
                field="--ranker",
                hint="use --ranker sliding_window with the same prompt, or show fewer candidates (-k)",
            )
        return prompt_needs(self.prompt, int(n > 1), n)

    def rank(self, case: Case) -> RankingSteps:
        """Ask once and rank by the scores; raises InputError for more than 128 candidates."""
        if ranking := trivial_ranking(case):
            return ranking
        self.needs(len(case.candidates))
        calls = CaseCalls(self.prompt, case)
        [answer] = yield from calls.ask([case])
        return calls.scored(answer.scores or {})
