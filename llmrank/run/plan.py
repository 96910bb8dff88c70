"""Plan an evaluation before spending a token: the detectable difference, and the users that a difference needs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Self

import numpy as np

from llmrank import stats
from llmrank.errors import InputError, count_of
from llmrank.measures import Judgements, RankingMeasure
from llmrank.run.metrics import in_recall_order, ranked_by
from llmrank.run.run import Run
from llmrank.run.tables import Shown, TextTable, number
from llmrank.types import Case, Ranker, Ranking

DIFFERENCES = (0.005, 0.01, 0.02, 0.05)
"""The differences planned for by default."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How much the gain varies between users. A plan takes it from another method, as the own one has not yet run."""

    like: str
    """The method whose differences from recall order these are."""
    users: int
    """The number of users on which it is estimated."""
    value: float
    """Standard deviation of the users' differences (`stats.spread`)."""
    different: float = 1.0
    """Share of the users for whom the method differs from recall order."""

    def detectable(self, users: int) -> float:
        """Return the smallest true difference that so many users detect; NaN if it differs for fewer than 15."""
        few = users * self.different < stats.FEW_DIFFERENT
        return math.nan if few else stats.detectable_difference(self.value, users)

    def users_needed(self, difference: float) -> int:
        """Return the smallest number of users that detect the difference, and for 15 of whom the method differs."""
        return max(stats.users_needed(self.value, difference), math.ceil(stats.FEW_DIFFERENT / self.different))


@dataclass(frozen=True, slots=True)
class PlanColumn:
    """The plan under the assumption that the method differs from recall order as another one does."""

    spread: Spread
    detectable: float
    """The smallest true difference that the chosen users detect; NaN if the method differs for fewer than 15 of
    them."""
    detectable_by_all: float
    """The smallest true difference that all available users detect."""
    users_needed: tuple[int, ...]
    """For each of the plan's differences."""


@dataclass(frozen=True, repr=False)
class Plan(Shown):
    """The number of users that an evaluation needs. It prints as a table."""

    measure: str
    evaluation: str
    """The kind of evaluation, as in `MetricSettings`."""
    users: int
    """Chosen users whose truth is known."""
    available: int
    """All users who could be chosen and whose truth is known."""
    differences: tuple[float, ...]
    """The true differences from recall order to plan for."""
    columns: tuple[PlanColumn, ...]
    run: str | None = None
    """A description of the Run that the spread comes from; None: it comes from orders that ask no model, on the Cases
    of this plan."""
    left_out: tuple[str, ...] = ()
    """Methods that do not differ from recall order here."""

    @classmethod
    def of(
        cls,
        measure: RankingMeasure,
        spreads: Sequence[Spread],
        differences: Sequence[float],
        *,
        evaluation: str,
        users: int,
        available: int,
        run: str | None = None,
    ) -> Self:
        """Return the plan for this number of users. See the fields for the arguments.

        The convention is that of `stats.detectable_difference`, for a single measure; the verdict of an evaluation is
        also corrected for the number of measures. No number of users is named of whom a method would differ for fewer
        than 15.

        Raises InputError if a difference is not between 0 and 1, if there are fewer than two users, or if no method
        differs from recall order.
        """
        if wrong := [one for one in differences if not 0 < one <= 1]:
            problem = f"the difference to detect must be above 0 and at most 1, got {wrong[0]:g}"
            raise InputError(problem, field="detect", hint="choose one such as 0.01")
        if users < 2:
            problem = "a plan needs at least two users whose truth is known"
            raise InputError(problem, field="users", hint="choose more users")
        known = [one for one in spreads if one.value > stats.TIE]
        left_out = tuple(one.like for one in spreads if one not in known)
        if not known:
            hint = "use longer candidate lists (-k 50), or the spread of another Run (--like RUN)"
            raise InputError("no method differs from recall order here", field="plan", hint=hint)
        columns = [
            PlanColumn(
                one,
                one.detectable(users),
                one.detectable(available),
                tuple(map(one.users_needed, differences)),
            )
            for one in known
        ]
        return cls(str(measure), evaluation, users, available, tuple(differences), tuple(columns), run, left_out)

    def __iter__(self) -> Iterator[PlanColumn]:
        return iter(self.columns)

    def table(self) -> TextTable:
        """Return a column for each method that a spread is taken from."""
        found = [
            [number(stats.finite(one)) for one in ends]
            for ends in zip(*((one.detectable, one.detectable_by_all) for one in self), strict=True)
        ]
        rows = [(count_of(self.users, "user detects", "users detect"), *found[0])]
        if self.available > self.users:
            rows.append((f"all {self.available:,} users detect", *found[1]))
        rows += [
            (f"users to detect {difference:g}", *(f"{one.users_needed[place]:,}" for one in self))
            for place, difference in enumerate(self.differences)
        ]
        rows.append(("standard deviation", *(number(one.spread.value) for one in self)))
        return TextTable(("differs from recall order as", *(one.spread.like for one in self)), tuple(rows))

    def notes(self) -> tuple[str, ...]:
        """Return the assumptions behind the plan, in sentences."""
        first = self.columns[0].spread
        detect = (
            f"detect: find a difference of {self.measure} from recall order, 80% power, p < .05 for this measure "
            "alone, paired on users"
        )
        if any(math.isnan(one.detectable) for one in self):
            detect += f". –: the method differs for fewer than {stats.FEW_DIFFERENT} users, too few to say"
        if any(needed > self.available for one in self for needed in one.users_needed):
            detect += f". These data have {count_of(self.available, 'user')}"
        if self.run is not None:
            return detect, f"standard deviation of the differences of {count_of(first.users, 'user')}: {self.run}"
        more = f" of {self.available:,}; --users 0 takes all" if first.users < self.available else ""
        if any(one.spread.users * one.spread.different < stats.FEW_DIFFERENT for one in self):
            more = f"{more}. So few of them differ that all numbers are rough"
        alike = f"Left out, because it equals recall order here: {', '.join(self.left_out)}."
        return (
            detect,
            f"standard deviation of the differences of {count_of(first.users, 'user')}{more}",
            f"Your method's is not known before it is run: the first column says what holds if it differs as "
            f"{first.like} does. The closer it stays to recall order, the fewer users it needs. --like RUN takes that "
            "of a finished Run.",
            *([alike] if self.left_out else ()),
        )


def spread_of_rankers(like: str, cases: Sequence[Case], rankers: Sequence[Ranker], measure: RankingMeasure) -> Spread:
    """Return the spread of a ranker that asks no model; of several draws of it, the root mean square."""
    judged = [case for case in cases if case.relevant]
    spreads = [_spread(judged, ranked_by(judged, ranker), measure) for ranker in rankers]
    value, different = math.sqrt(fmean(value**2 for value, _ in spreads)), fmean(share for _, share in spreads)
    return Spread(like, users_of(judged), value, different)


def spread_of_run(run: Run, measure: RankingMeasure) -> Spread:
    """Return the spread of a Run's method; raises InputError for a Run without recall order."""
    run.require_recall_order()
    judged = [case for case in run.done if case.relevant]
    rankings = [run.records[case.case_id].ranking for case in judged]
    return Spread(run.name, users_of(judged), *_spread(judged, rankings, measure))


def users_of(cases: Sequence[Case]) -> int:
    """Return the number of users with a Case whose truth is known."""
    return len({case.user_id for case in cases if case.relevant})


def _spread(cases: Sequence[Case], rankings: Sequence[Ranking], measure: RankingMeasure) -> tuple[float, float]:
    """Return the standard deviation of the users' differences from recall order, and the share that are not 0."""
    method, recalled = (
        measure.per_case(Judgements.from_cases(found, cases)) for found in (rankings, in_recall_order(cases))
    )
    sums, counts = stats.by_cluster(method - recalled, stats.clusters_of(case.user_id for case in cases))
    return stats.spread(sums, counts), np.count_nonzero(sums) / max(len(sums), 1)
