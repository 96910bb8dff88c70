"""First token: one call ranks all candidates by the log-probabilities of their labels at the first answer token.

LlamaRec (2311.02089 §3.3, the verbalizer) and FIRST (2406.15657 §3).
"""

from __future__ import annotations

from dataclasses import dataclass

from llmrank.errors import InputError
from llmrank.rankers.calls import CaseCalls, PromptRanker
from llmrank.rankers.prompt import prompt_needs
from llmrank.types import LABEL_LIMIT, Needs, RankingSteps


@dataclass(frozen=True, slots=True)
class FirstToken(PromptRanker):
    """One call. Scores are natural-log probabilities, comparable only within a Case.

    A candidate whose label the backend does not return gets no score.
    """

    name: str = "first_token"

    def needs(self, n: int) -> Needs:
        """Return the needs of a list of `n`: exactly one call, with a label per candidate.

        Raises InputError for more than 128 candidates.
        """
        if n > LABEL_LIMIT:
            raise InputError(
                f"first_token ranks at most {LABEL_LIMIT} candidates, but the list has {n}",
                field="ranker",
                hint="use --ranker sliding_window, which uses this prompt window by window; preselect with a cheap "
                f"ranker (--first recall_order --first-top {LABEL_LIMIT}); or show fewer (-k {LABEL_LIMIT})",
            )
        return prompt_needs(self.prompt, int(n > 1), n)

    def _ask(self, calls: CaseCalls) -> RankingSteps:
        self.needs(len(calls.case.candidates))
        [answer] = yield from calls.ask([calls.case])
        return calls.scored(answer.scores or {})
