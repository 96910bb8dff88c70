"""Choosing the weight of the recall scores and the strength of the calibration, before any test Case is ranked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from llmrank.errors import InputError, count_of
from llmrank.evaluation.cases import CaseSet, reachable, validation_cases
from llmrank.evaluation.session import Session, refuse_errors
from llmrank.evaluation.setup import Setup
from llmrank.measures import NDCG, Judgements
from llmrank.progress import Reporter, Say
from llmrank.rankers.calibration import STRENGTHS, Strength
from llmrank.rankers.fusion import FusionChoice, choose_fusion
from llmrank.rankers.options import RankerOptions
from llmrank.types import Case, Outcome, Ranking

MEASURE = NDCG(10)
"""The measure of a choice, averaged over all sampled users."""


def to_choose(options: RankerOptions) -> list[str]:
    """Return the names of the options whose value is to be chosen on validation Cases."""
    given = {"fuse": options.fuse, "calibrate": options.calibrate}
    return [name for name, value in given.items() if value == "validation"]


def undecided(setup: Setup) -> Setup:
    """Return the setup with weight 0 and strength 1 where they are to be chosen. All choices make the same calls."""
    # Weight 0 rather than None: what is fused is calibrated in another form.
    tried = {"fuse": 0.0, "calibrate": 1.0}
    return setup.with_options(**{name: tried[name] for name in to_choose(setup.prompt.options)})


@dataclass(frozen=True, slots=True)
class Choice:
    """The weight and the strength that were chosen, and all that were tried."""

    value: float
    """The measure on the validation Cases."""
    fusion: FusionChoice | None
    """None if the weight was given."""
    strengths: Sequence[tuple[Strength, float]]
    """The strengths that were tried, each with the value of its best weight; empty if the strength was given."""

    @property
    def strength(self) -> Strength | None:
        """The chosen strength: of equally good ones the first."""
        return max(self.strengths, key=lambda tried: tried[1])[0] if self.strengths else None

    def applied_to(self, setup: Setup) -> Setup:
        """Return the setup with what was chosen."""
        if self.fusion is not None:
            best = self.fusion.best.fusion
            setup = setup.with_options(fuse=best.weight, fuse_term=best.term)
        return setup if self.strength is None else setup.with_options(calibrate=self.strength)

    def settings(self, users: int) -> Mapping[str, object]:
        """Return what a Run records; `users` were sampled."""
        chosen: dict[str, object] = {}
        if self.fusion is not None:
            chosen["fusion"] = {**self.fusion.to_dict(), "users": users}
        if self.strengths:
            curve = [[str(strength), round(value, 5)] for strength, value in self.strengths]
            chosen["calibration"] = {"strength": self.strength, "curve": curve, "users": users}
        return chosen


@dataclass(frozen=True, slots=True)
class Validation:
    """Validation Cases for choosing weight and strength."""

    drawn: CaseSet
    """The Cases of all sampled users. Those whose item recall missed always score 0."""

    @classmethod
    def of(cls, cases: CaseSet, options: RankerOptions, say: Say) -> Validation | None:
        """Make validation Cases from the dataset and the recall stage of the Cases; None if nothing is to be chosen.

        Raises InputError for Cases from a file or a list, for Cases without a recall stage, and if the recall stage
        proposes none of the users' items.
        """
        if not (names := to_choose(options)):
            return None
        if cases.split is None or cases.proposed is None:
            missing = "a recall stage" if cases.split else "training data"
            given = {"fuse": "a weight, such as --fuse 1.5", "calibrate": "a strength, such as --calibrate 1"}
            hint = f"give {given[names[0]]}, or evaluate the dataset itself (--data ml-100k)"
            raise InputError(f"choosing on validation users needs {missing}", field=names[0], hint=hint)
        validation = cls(validation_cases(cases.split, cases.proposed, options.fuse_users, say))
        if not validation.asked:
            problem = f"recall missed the items of every validation user ({len(validation.drawn):,})"
            raise InputError(problem, field="fuse_users", hint="sample more users, or propose more candidates (-k)")
        return validation

    @property
    def asked(self) -> list[Case]:
        """The Cases to rank: those with the relevant item among their candidates."""
        return reachable(self.drawn)

    @property
    def _users(self) -> str:
        """The number of sampled users, and of those who make a difference."""
        return f"{count_of(len(self.drawn), 'validation user')} (recall proposed the item of {len(self.asked):,})"

    def value(self, rankings: Sequence[Ranking]) -> float:
        """Return the value of Rankings of the `asked` Cases, averaged over all sampled users."""
        judged = Judgements.from_cases(rankings, self.asked)
        return float(MEASURE.per_case(judged).sum()) / len(self.drawn)

    def choose(self, setup: Setup, session: Session, reporter: Reporter) -> Choice:
        """Rank the Cases with the method alone, and return the best strength, weight and term that are to be chosen.

        Every answer is stored as it arrives; all strengths read the same answers. Raises what `Session.rank` raises,
        and TooManyErrorsError if any call failed, because the missing answer could change the choice.
        """
        drawn, cases, names = self.drawn, self.asked, to_choose(setup.prompt.options)
        what = {"fuse": "the weight of the recall scores", "calibrate": "the strength of the calibration"}
        reporter.message(f"choosing {' and '.join(what[name] for name in names)} on {self._users}")
        alone, tried = undecided(setup), list[tuple[Strength, float, FusionChoice | None]]()
        for strength in STRENGTHS if "calibrate" in names else (0.0,):
            one = alone.with_options(calibrate=strength) if "calibrate" in names else alone
            method = one.method(session, drawn.training, drawn.seed, drawn.domain)
            # The other strengths read the same answers, so there is no progress to report.
            ranked = session.rankings(cases, method, Reporter() if tried else reporter)
            refuse_errors(sum(ranking.outcome is Outcome.ERROR for ranking in ranked), len(ranked), 0.0)
            fusion = None
            if "fuse" in names:
                fusion = choose_fusion(cases, ranked, self.value, setup.prompt.options.fuse_term)
            tried.append((strength, fusion.best.value if fusion else self.value(ranked), fusion))
        _, value, fusion = max(tried, key=lambda one: one[1])
        strengths: list[tuple[Strength, float]] = [(one, value) for one, value, _ in tried if "calibrate" in names]
        return Choice(value, fusion, strengths)

    def describe(self, choice: Choice) -> Iterator[str]:
        """Describe the choices and the alternatives, each in a sentence."""
        if choice.fusion is not None:
            yield self.describe_fusion(choice.fusion)
        if choice.strengths:
            without = dict(choice.strengths)[0.0]
            yield (
                f"Calibrated with strength {choice.strength}, chosen on {self._users}: {MEASURE} {choice.value:.4f} "
                f"there, without calibration {without:.4f}."
            )

    def describe_fusion(self, choice: FusionChoice) -> str:
        """Describe the chosen weight and the alternatives in a sentence."""
        best = choice.best.fusion
        return (
            f"Recall stage fused in with weight {best.weight:g} on its {best.term}, chosen on {self._users}: {MEASURE} "
            f"{choice.best.value:.4f} there, the method alone {choice.alone:.4f}, recall order "
            f"{choice.recall_order:.4f}."
        )
