"""The weight of the recall stage, chosen on validation Cases before a Case of the test is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llmrank.errors import InputError
from llmrank.evaluation.cases import CaseSet, reachable, validation_cases
from llmrank.evaluation.session import Session, refuse_errors
from llmrank.evaluation.setup import Setup
from llmrank.measures import NDCG, Judgements
from llmrank.progress import Reporter, Say
from llmrank.rankers.fusion import FusionChoice, choose_fusion
from llmrank.types import Case, Outcome, Ranking

MEASURE = NDCG(10)
"""What a weight is worth; the mean over all users who were drawn."""


@dataclass(frozen=True, slots=True)
class Validation:
    """Validation Cases, and what is chosen on them."""

    drawn: CaseSet
    """All users who were drawn. Those whose item the recall stage missed are worth 0 whatever is done."""

    @classmethod
    def of(cls, cases: CaseSet, users: int, say: Say) -> Validation:
        """Return `users` validation Cases (0: all) of the dataset that the Cases come from, proposed by the same recall
        stage.

        Raises InputError for Cases of a file or a list, those that no recall stage proposed, and a dataset whose recall
        stage finds nothing.
        """
        if cases.split is None or cases.proposed is None:
            whence = (
                "no recall stage proposed these candidates" if cases.split else "these Cases bring no training data"
            )
            hint = "give a weight, such as --fuse 1.5, or evaluate the data set itself (--data ml-100k)"
            raise InputError(f"{whence}, so no weight can be chosen for them", field="fuse", hint=hint)
        validation = cls(validation_cases(cases.split, cases.proposed, users, say))
        if not validation.asked:
            problem = f"the recall stage proposes the item of none of {len(validation.drawn)} validation users"
            raise InputError(problem, field="fuse_users", hint="draw more users, or propose more candidates (-k)")
        return validation

    @property
    def asked(self) -> list[Case]:
        """The Cases that are ranked: those with the item among their candidates."""
        return reachable(self.drawn)

    def value(self, rankings: Sequence[Ranking]) -> float:
        """Return what Rankings of the Cases that are asked are worth, over all users who were drawn."""
        judged = Judgements.from_cases(rankings, self.asked)
        return float(MEASURE.per_case(judged).sum()) / len(self.drawn)

    def choose(self, setup: Setup, session: Session, reporter: Reporter) -> FusionChoice:
        """Rank the Cases with the method alone, and return the weight and the term that are worth most.

        Every answer is stored as it arrives. Raises what `Session.rank` raises, and TooManyErrorsError where a call
        failed: with the missing answer the choice might be another.
        """
        drawn, cases = self.drawn, self.asked
        reporter.message(f"choosing the weight of the recall stage on {len(drawn):,} validation users")
        method = setup.fused(None).method(session, drawn.training, drawn.seed, drawn.domain)
        ranked = session.rankings(cases, method, reporter)
        refuse_errors(sum(ranking.outcome is Outcome.ERROR for ranking in ranked), len(ranked), 0.0)
        return choose_fusion(cases, ranked, self.value, setup.prompt.options.fuse_term)

    def describe(self, choice: FusionChoice) -> str:
        """Return what was chosen, and what was compared, in a sentence."""
        best = choice.best.fusion
        return (
            f"Recall stage fused in with weight {best.weight:g} on its {best.term}, chosen on {len(self.drawn):,} "
            f"validation users: {MEASURE} {choice.best.value:.4f} there, the method alone {choice.alone:.4f}, recall "
            f"order {choice.recall_order:.4f}."
        )
