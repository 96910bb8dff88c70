"""Cost against quality: the Pareto front of several Runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from llmrank.errors import count_of
from llmrank.run.compare import chosen_measures, shared_cases
from llmrank.run.metrics import headline
from llmrank.run.run import Run
from llmrank.run.tables import Shown, TextTable, estimate
from llmrank.run.usage import PER, money
from llmrank.types import Case


@dataclass(frozen=True, slots=True)
class ParetoPoint:
    """The quality and the cost of one Run."""

    name: str
    value: float | None
    ci95: tuple[float, float] | None
    """95% interval of `value` over users."""
    cost: float | None
    """In the unit of the `Pareto`; None if unknown."""
    on_front: bool = False
    """Whether no other Run dominates it: at least as good, at most as expensive, and better or cheaper."""


@dataclass(frozen=True, repr=False)
class Pareto(Shown):
    """The result of `pareto`. It prints as a table."""

    key = "pareto"
    measure: str
    lower_is_better: bool
    unit: str
    """The unit of the costs, such as `tokens per Case`."""
    cases: int
    """Cases with a known truth that all Runs have; the measure is over these."""
    points: tuple[ParetoPoint, ...]

    def __iter__(self) -> Iterator[ParetoPoint]:
        return iter(self.points)

    @property
    def known(self) -> list[tuple[ParetoPoint, float, float]]:
        """Each point with a known cost and value, as (point, cost, value), cheapest first."""
        found = [(one, one.cost, one.value) for one in self.points if one.cost is not None and one.value is not None]
        return sorted(found, key=lambda one: one[1])

    @property
    def spread(self) -> float:
        """The highest cost as a multiple of the lowest one above 0; 0 if all costs are 0."""
        costs = [cost for _, cost, _ in self.known if cost]
        return max(costs) / min(costs) if costs else 0.0

    def table(self) -> TextTable:
        """Return a row per Run."""
        rows = [
            (one.name, *estimate(one.value, one.ci95), _amount(one.cost), "yes" if one.on_front else "–")
            for one in self.points
        ]
        return TextTable(("Run", self.measure, "95% CI", self.unit, "on the front"), tuple(rows))

    def notes(self) -> tuple[str, ...]:
        """Return sentences that explain the measure and the front."""
        worth = "lower is better" if self.lower_is_better else "higher is better"
        return (
            f"{self.measure} ({worth}) of the {count_of(self.cases, 'Case')} with a known truth that all Runs have.",
            "On the front: no other Run is at least as good and as cheap, and better or cheaper. If intervals overlap, "
            "that is uncertain.",
        )


def pareto(run: Run, other: Run, *more: Run, measure: str | None = None) -> Pareto:
    """Return the quality of Runs, on the Cases that all have, against the cost per Case.

    Costs are money if the prices of all Runs that ask a model are known in one currency; otherwise prompt and
    completion tokens, if all report them; otherwise seconds. A Run that asks no model costs no money and no tokens.
    The default measure is the headline of those that all Runs chose.

    Raises InputError like `compare`.
    """
    runs = (run, other, *more)
    names, cases = shared_cases(runs)
    chosen = headline(chosen_measures(runs, measure), cases)
    unit, costs = _costs(runs, cases)
    users, lower = [case.user_id for case in cases], chosen.lower_is_better
    found = [chosen.summary(one.judged(cases), users) for one in runs]
    points = [
        ParetoPoint(called, summary.value, summary.ci95, cost)
        for called, summary, cost in zip(names, found, costs, strict=True)
    ]
    marked = tuple(replace(one, on_front=_on_front(one, points, lower)) for one in points)
    return Pareto(str(chosen), lower, unit, int(run.judged(cases).judged.sum()), marked)


def _costs(runs: Sequence[Run], cases: Sequence[Case]) -> tuple[str, Sequence[float | None]]:
    """Return the unit that all Runs share, and the cost of each."""
    if known := money(runs):
        return f"{known[0]} per {PER:,} Cases", known[1]
    asking = [one.metrics.usage for one in runs if one.metrics.usage.requests]
    records = [[one.records[case.case_id] for case in cases] for one in runs]
    if all(one.prompt_tokens for one in asking):
        used = [[record.usage for record in some] for some in records]
        return "tokens per Case", [fmean(one.prompt_tokens + one.completion_tokens for one in some) for some in used]
    # The time is unknown for answers that came from a file.
    seconds = [(one, fmean(record.seconds for record in some)) for one, some in zip(runs, records, strict=True)]
    return "seconds per Case", [mean if mean or not one.metrics.usage.requests else None for one, mean in seconds]


def _on_front(point: ParetoPoint, points: Sequence[ParetoPoint], lower_is_better: bool) -> bool:
    sign = -1 if lower_is_better else 1
    known = ((one.name, one.value, one.cost) for one in points)
    worth = {name: (sign * value, -cost) for name, value, cost in known if value is not None and cost is not None}
    mine = worth.get(point.name)
    return mine is not None and not any(
        theirs != mine and theirs[0] >= mine[0] and theirs[1] >= mine[1] for theirs in worth.values()
    )


def _amount(value: float | None) -> str:
    """Format a cost with at least three digits."""
    return "–" if value is None else f"{value:,.0f}" if value == 0 or value >= 100 else f"{value:.3g}"
