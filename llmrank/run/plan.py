"""Before a token is spent: what difference so many users can show, and how many users a difference needs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Self

from llmrank import stats
from llmrank.errors import InputError
from llmrank.measures import Judgements, RankingMeasure
from llmrank.run.metrics import in_recall_order, ranked_by
from llmrank.run.run import Run
from llmrank.run.tables import Shown, TextTable, number
from llmrank.types import Case, Ranker, Ranking

DIFFERENCES = (0.005, 0.01, 0.02, 0.05)
"""What is planned for where no difference is named."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How differently users gain: what a plan must know of a method before it is run, and takes from another."""

    like: str
    """Whose differences from recall order these are."""
    users: int
    """On how many users it is estimated."""
    value: float
    """Standard deviation of the users' differences (`stats.spread`)."""


@dataclass(frozen=True, slots=True)
class PlanColumn:
    """What holds if the method differs from recall order as another one does."""

    spread: Spread
    detectable: float
    """The least true difference that the chosen users detect."""
    detectable_by_all: float
    """The same with all users there are."""
    users_needed: tuple[int, ...]
    """For each of the plan's differences."""


@dataclass(frozen=True, repr=False)
class Plan(Shown):
    """How many users an evaluation needs. It prints as a table."""

    measure: str
    evaluation: str
    """The kind of evaluation, as in `MetricSettings`."""
    users: int
    """Those chosen whose truth is known."""
    available: int
    """All users who could be chosen and whose truth is known."""
    differences: tuple[float, ...]
    """The true differences from recall order that are planned for."""
    columns: tuple[PlanColumn, ...]
    run: str | None = None
    """Of which Run the spread is, in words; None: of orders that ask no model, on the very Cases of this plan."""
    left_out: tuple[str, ...] = ()
    """Those that do not differ from recall order."""

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
        """Return the plan for so many users, as the fields are described.

        The convention is that of `stats.detectable_difference`, for a single measure: the verdict of an evaluation is
        also corrected for the number of measures. Raises InputError: a difference is not between 0 and 1, there are
        fewer than two users, or nothing differs.
        """
        if wrong := [one for one in differences if not 0 < one <= 1]:
            raise InputError(f"{wrong[0]:g} is no difference to detect", field="detect", hint="name one such as 0.01")
        if users < 2:
            raise InputError("a plan needs two users whose truth is known", field="users", hint="choose more users")
        known = [one for one in spreads if one.value > stats.TIE]
        left_out = tuple(one.like for one in spreads if one not in known)
        if not known:
            hint = "give longer lists (-k 50), or --like another Run"
            raise InputError("no method differs from recall order here", field="plan", hint=hint)
        columns = [
            PlanColumn(
                one,
                stats.detectable_difference(one.value, users),
                stats.detectable_difference(one.value, available),
                tuple(stats.users_needed(one.value, difference) for difference in differences),
            )
            for one in known
        ]
        return cls(str(measure), evaluation, users, available, tuple(differences), tuple(columns), run, left_out)

    def __iter__(self) -> Iterator[PlanColumn]:
        return iter(self.columns)

    def table(self) -> TextTable:
        """Return a column for each method from which the spread is taken."""
        rows = [(f"{self.users:,} users detect", *(number(one.detectable) for one in self))]
        if self.available > self.users:
            rows.append((f"all {self.available:,} users detect", *(number(one.detectable_by_all) for one in self)))
        rows += [
            (f"users to detect {difference:g}", *(f"{one.users_needed[place]:,}" for one in self))
            for place, difference in enumerate(self.differences)
        ]
        rows.append(("standard deviation", *(number(one.spread.value) for one in self)))
        return TextTable(("differs from recall order as", *(one.spread.like for one in self)), tuple(rows))

    def notes(self) -> tuple[str, ...]:
        """Return what must be known to believe the plan, in sentences."""
        first = self.columns[0].spread
        says = f"detect: find a difference of {self.measure} from recall order, 80% power, p < .05, paired on users"
        if self.run is not None:
            return says, f"standard deviation of the differences of {first.users:,} users: {self.run}"
        more = f" of {self.available:,}; --users 0 takes all" if first.users < self.available else ""
        alike = f"Left out, because it is recall order here: {', '.join(self.left_out)}."
        return (
            says,
            f"standard deviation of the differences of these {first.users:,} users{more}",
            f"Your method's is not known before it is run: the first column says what holds if it differs as "
            f"{first.like} does. The closer it stays to recall order, the fewer users it needs. --like RUN takes that "
            "of a finished Run.",
            *([alike] if self.left_out else ()),
        )


def spread_of_rankers(like: str, cases: Sequence[Case], rankers: Sequence[Ranker], measure: RankingMeasure) -> Spread:
    """Return the spread of rankers that ask no model, the root mean square where they are several draws of one."""
    judged = [case for case in cases if case.relevant]
    squares = [_spread(judged, ranked_by(judged, ranker), measure) ** 2 for ranker in rankers]
    return Spread(like, users_of(judged), math.sqrt(fmean(squares)))


def spread_of_run(run: Run, measure: RankingMeasure) -> Spread:
    """Return the spread of what a Run's method did; raises InputError for a Run about ratings."""
    run.require_rankings()
    judged = [case for case in run.done if case.relevant]
    rankings = [run.records[case.case_id].ranking for case in judged]
    return Spread(run.name, users_of(judged), _spread(judged, rankings, measure))


def users_of(cases: Sequence[Case]) -> int:
    """Return how many users have a Case whose truth is known."""
    return len({case.user_id for case in cases if case.relevant})


def _spread(cases: Sequence[Case], rankings: Sequence[Ranking], measure: RankingMeasure) -> float:
    method, recalled = (
        measure.per_case(Judgements.from_cases(found, cases)) for found in (rankings, in_recall_order(cases))
    )
    return stats.spread(*stats.by_cluster(method - recalled, stats.clusters_of(case.user_id for case in cases)))
