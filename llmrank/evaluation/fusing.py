"""Choosing the weight of the recall scores and the strength of the calibration, before any test Case is ranked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import numpy as np

from llmrank.errors import InputError, count_of
from llmrank.evaluation.cases import CaseSet, reachable, validation_cases
from llmrank.evaluation.session import Session, refuse_errors
from llmrank.evaluation.setup import Setup
from llmrank.measures import NDCG, Judgements
from llmrank.progress import Reporter, Say
from llmrank.rankers.calibration import STRENGTHS, Strength
from llmrank.rankers.fusion import Fusion, FusionChoice, choose_fusion
from llmrank.rankers.options import RankerOptions
from llmrank.rankers.repeated import AskedAgain, Repeated
from llmrank.stats import difference_interval
from llmrank.types import Case, Outcome, Ranker, Ranking

Tried = TypeVar("Tried")

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


def not_worse(best: Sequence[float], tried: Iterable[tuple[Tried, Sequence[float]]]) -> list[Tried]:
    """Return what was tried, given with each user's value, and is not significantly worse than the best.

    The best of many is best partly by chance. The fewer users make a difference, the more is not worse.
    """
    chosen = np.array(best)
    return [one for one, values in tried if difference_interval(chosen, np.array(values), most=1.0).low <= 0]


def each_order(ranker: Ranker) -> list[Ranker]:
    """Return a ranker for each order that the ranker combines; the ranker itself if it combines none."""
    if isinstance(ranker, AskedAgain):
        return [replace(ranker, ranker=order) for order in each_order(ranker.ranker)]
    return [*ranker.orders] if isinstance(ranker, Repeated) else [ranker]


def _fused(
    ranker: Ranker, cases: Sequence[Case], ranked: Sequence[Sequence[Ranking]], fusion: Fusion | None
) -> list[Ranking]:
    """Return the Rankings of the Cases, fused. `ranked` holds those of `each_order` of the ranker; they are combined
    after the fusion, as the ranker does."""
    orders = ranked if fusion is None else [fusion.fuse_all(cases, rankings) for rankings in ranked]
    combining = ranker.ranker if isinstance(ranker, AskedAgain) else ranker
    if not isinstance(combining, Repeated):
        return [*orders[0]]
    return [combining.combined(rankings) for rankings in zip(*orders, strict=True)]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A strength of the calibration, with the values of its best weight."""

    strength: Strength
    values: Sequence[float] = field(repr=False)
    """The value of each validation user."""
    fusion: FusionChoice | None
    """The weights; None if the weight was given."""

    @property
    def value(self) -> float:
        """The mean over the validation users."""
        return float(np.mean(self.values))


@dataclass(frozen=True, slots=True)
class Choice:
    """The weight and the strength that were chosen, and all that were tried."""

    best: Attempt
    attempts: Sequence[Attempt]
    """An attempt for each strength that was tried; empty if the strength was given."""

    def applied_to(self, setup: Setup) -> Setup:
        """Return the setup with what was chosen."""
        if self.best.fusion is not None:
            chosen = self.best.fusion.best.fusion
            setup = setup.with_options(fuse=chosen.weight, fuse_term=chosen.term)
        return setup.with_options(calibrate=self.best.strength) if self.attempts else setup

    @property
    def strengths_not_worse(self) -> list[Strength]:
        """The strengths that are not significantly worse than the best."""
        return not_worse(self.best.values, ((one.strength, one.values) for one in self.attempts))

    def settings(self, users: int) -> Mapping[str, object]:
        """Return what a Run records; `users` were sampled."""
        chosen: dict[str, object] = {}
        if self.best.fusion is not None:
            chosen["fusion"] = {**fusion_settings(self.best.fusion), "users": users}
        if self.attempts:
            chosen["calibration"] = {
                "strength": self.best.strength,
                "curve": [[str(one.strength), round(one.value, 5)] for one in self.attempts],
                "not_worse": [str(one) for one in self.strengths_not_worse],
                "users": users,
            }
        return chosen


def weights_not_worse(choice: FusionChoice) -> list[Fusion]:
    """Return the weights and terms that are not significantly worse than the best."""
    return not_worse(choice.best.values, ((point.fusion, point.values) for point in choice.curve))


def fusion_settings(choice: FusionChoice) -> dict[str, object]:
    """Return `FusionChoice.to_dict`, with the weights that are not significantly worse as [term, weight]."""
    return {**choice.to_dict(), "not_worse": [[one.term, str(one.weight)] for one in weights_not_worse(choice)]}


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

    def values(self, rankings: Sequence[Ranking]) -> list[float]:
        """Return the value of each sampled user, from Rankings of the `asked` Cases; 0 for the users without one."""
        found: list[float] = MEASURE.per_case(Judgements.from_cases(rankings, self.asked)).tolist()
        return found + [0.0] * (len(self.drawn) - len(found))

    def choose(self, setup: Setup, session: Session, reporter: Reporter) -> Choice:
        """Rank the Cases with the method alone, and return the best strength, weight and term that are to be chosen.

        Every answer is stored as it arrives; all strengths read the same answers. Raises what `Session.rank` raises,
        and TooManyErrorsError if any call failed, because the missing answer could change the choice.
        """
        drawn, cases, names = self.drawn, self.asked, to_choose(setup.prompt.options)
        what = {"fuse": "the weight of the recall scores", "calibrate": "the strength of the calibration"}
        reporter.message(f"choosing {' and '.join(what[name] for name in names)} on {self._users}")
        alone, attempts = undecided(setup), list[Attempt]()
        # The last strength first: the first one is 0, which makes no calls for the prior.
        for strength in reversed(STRENGTHS) if "calibrate" in names else (0.0,):
            one = alone.with_options(calibrate=strength) if "calibrate" in names else alone
            method = one.method(session, drawn.training, drawn.seed, drawn.domain)
            # The other strengths read the same answers, so there is no progress to report.
            progress = Reporter() if attempts else reporter
            ranked = [
                session.rankings(cases, replace(method, ranker=order), progress) for order in each_order(method.ranker)
            ]
            failed = sum(ranking.outcome is Outcome.ERROR for rankings in ranked for ranking in rankings)
            refuse_errors(failed, len(ranked) * len(cases), 0.0)
            fused = partial(_fused, method.ranker, cases, ranked)
            fusion = choose_fusion(fused, self.values, setup.prompt.options.fuse_term) if "fuse" in names else None
            attempts.insert(0, Attempt(strength, fusion.best.values if fusion else self.values(fused(None)), fusion))
        # Of equally good ones the first.
        return Choice(max(attempts, key=lambda one: one.value), attempts if "calibrate" in names else ())

    def describe(self, choice: Choice) -> Iterator[str]:
        """Describe the choices and the alternatives, each in a note."""
        if choice.best.fusion is not None:
            yield self.describe_fusion(choice.best.fusion)
        if choice.attempts:
            best, without = choice.best, next(one for one in choice.attempts if one.strength == 0)
            others = [f"{one}" for one in choice.strengths_not_worse if one not in (best.strength, 0)]
            yield (
                f"Calibrated with strength {best.strength}, chosen on {self._users}: {MEASURE} {best.value:.4f} there, "
                f"without calibration {without.value:.4f}."
                + _not_told_apart(
                    "calibration",
                    f"strengths {', '.join(others)}" if others else "",
                    {"no calibration": best.strength != 0 and 0 in choice.strengths_not_worse},
                )
            )

    def describe_fusion(self, choice: FusionChoice) -> str:
        """Describe the chosen weight and the alternatives in a note."""
        best, others = choice.best.fusion, weights_not_worse(choice)
        between = [one.weight for one in others if one.term == best.term and 0 < one.weight < np.inf]
        return (
            f"Recall stage fused in with weight {best.weight:g} on its {best.term}, chosen on {self._users}: {MEASURE} "
            f"{choice.best.value:.4f} there, the method alone {choice.alone:.4f}, recall order "
            f"{choice.recall_order:.4f}."
            + _not_told_apart(
                "fusion",
                f"weights {min(between):g} to {max(between):g}" if len(between) > 1 else "",
                {
                    "the method alone": best.weight != 0 and any(one.weight == 0 for one in others),
                    "recall order": best.weight < np.inf and any(one.weight == np.inf for one in others),
                },
            )
        )


def _not_told_apart(what: str, others: str, simpler: Mapping[str, bool]) -> str:
    """Return the end of a note: what else may be as good as what was chosen, and whether something simpler is."""
    as_simple = [name for name, there in simpler.items() if there]
    if not others and not as_simple:
        return ""
    found = f" Not significantly worse there: {', '.join(filter(None, (others, *as_simple)))}."
    return found + f" These users do not show that {what} helps." * bool(as_simple)
