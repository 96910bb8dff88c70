"""Choosing the weight of the recall scores on validation Cases, before any test Case is ranked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llmrank.errors import InputError, count_of
from llmrank.evaluation.cases import CaseSet, reachable, validation_cases
from llmrank.evaluation.session import Session, refuse_errors
from llmrank.evaluation.setup import Setup
from llmrank.measures import NDCG, Judgements
from llmrank.progress import Reporter, Say
from llmrank.rankers.fusion import FusionChoice, choose_fusion
from llmrank.types import Case, Outcome, Ranking

MEASURE = NDCG(10)
"""The measure of a weight, averaged over all sampled users."""


@dataclass(frozen=True, slots=True)
class Validation:
    """Validation Cases for choosing the weight."""

    drawn: CaseSet
    """The Cases of all sampled users. Those whose item recall missed always score 0."""

    @classmethod
    def of(cls, cases: CaseSet, users: int, say: Say) -> Validation:
        """Make `users` validation Cases (0: all) from the dataset and the recall stage of the Cases.

        Raises InputError for Cases from a file or a list, for Cases without a recall stage, and if the recall stage
        proposes none of the users' items.
        """
        if cases.split is None or cases.proposed is None:
            missing = "a recall stage" if cases.split else "training data"
            hint = "give a weight, such as --fuse 1.5, or evaluate the dataset itself (--data ml-100k)"
            raise InputError(f"choosing a weight needs {missing}", field="fuse", hint=hint)
        validation = cls(validation_cases(cases.split, cases.proposed, users, say))
        if not validation.asked:
            problem = f"recall missed the items of every validation user ({len(validation.drawn):,})"
            raise InputError(problem, field="fuse_users", hint="sample more users, or propose more candidates (-k)")
        return validation

    @property
    def asked(self) -> list[Case]:
        """The Cases to rank: those with the relevant item among their candidates."""
        return reachable(self.drawn)

    def value(self, rankings: Sequence[Ranking]) -> float:
        """Return the value of Rankings of the `asked` Cases, averaged over all sampled users."""
        judged = Judgements.from_cases(rankings, self.asked)
        return float(MEASURE.per_case(judged).sum()) / len(self.drawn)

    def choose(self, setup: Setup, session: Session, reporter: Reporter) -> FusionChoice:
        """Rank the Cases with the method alone, and return the best weight and term.

        Every answer is stored as it arrives. Raises what `Session.rank` raises, and TooManyErrorsError if any call
        failed, because the missing answer could change the choice.
        """
        drawn, cases = self.drawn, self.asked
        reporter.message(f"choosing the weight of the recall scores on {count_of(len(drawn), 'validation user')}")
        method = setup.fused(None).method(session, drawn.training, drawn.seed, drawn.domain)
        ranked = session.rankings(cases, method, reporter)
        refuse_errors(sum(ranking.outcome is Outcome.ERROR for ranking in ranked), len(ranked), 0.0)
        return choose_fusion(cases, ranked, self.value, setup.prompt.options.fuse_term)

    def describe(self, choice: FusionChoice) -> str:
        """Describe the choice and the alternatives in a sentence."""
        best = choice.best.fusion
        return (
            f"Recall stage fused in with weight {best.weight:g} on its {best.term}, chosen on "
            f"{count_of(len(self.drawn), 'validation user')}: {MEASURE} {choice.best.value:.4f} there, the method "
            f"alone {choice.alone:.4f}, recall order {choice.recall_order:.4f}."
        )
