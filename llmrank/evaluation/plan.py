"""Planning an evaluation: what difference it could detect, without model calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

from llmrank.errors import InputError
from llmrank.evaluation.cases import CaseSource
from llmrank.evaluation.evaluate import Evaluation, compose
from llmrank.evaluation.trained import train_baselines
from llmrank.measures import Measure, RankingMeasure
from llmrank.progress import Reporter
from llmrank.rankers.baselines import Popularity, Random, Scored
from llmrank.run import Run, run_of
from llmrank.run.metrics import has_recall_order, headline
from llmrank.run.plan import DIFFERENCES, Plan, Spread, spread_of_rankers, spread_of_run, users_of

SHUFFLES = 10
"""Number of random orders over which the spread of a random ranking is averaged."""


def plan(
    cases: CaseSource,
    *,
    detect: float | Sequence[float] = DIFFERENCES,
    like: Run | str | Path | None = None,
    measures: str | Sequence[str | Measure] | None = None,
    progress: bool | Reporter = True,
    **settings: Any,
) -> Plan:
    """Return the difference from recall order that these users can detect in the headline measure, without model calls.

    A difference is detectable if a paired test at the 5% level finds it with 80% power: (t(.975) + t(.8)) times its
    standard error over users (`stats.detectable_difference`), before any correction for several measures. The standard
    error depends on the method, which has not run yet. It is estimated from `like`, or from orders that need no model
    on the same Cases: random, popularity, and the trained `baselines`.

    Args:
        cases: The Cases to evaluate; see `evaluate`.
        detect: The differences to plan for, in units of the measure: above 0, at most 1.
        like: A Run, or its folder, whose method differs about as much from recall order.
        measures: As for `evaluate`; the plan is for the headline measure.
        progress: Whether to show progress; or a Reporter that receives it.
        settings: Any other argument of `evaluate`.

    Raises:
        InputError: the Cases or the Run are about ratings or have no recall order, a difference is out of range, or
            fewer than two users have a known truth; and what `evaluate` raises for its arguments.
        MissingError: the data cannot be fetched.
    """
    wanted = tuple(detect) if isinstance(detect, Iterable) else (detect,)
    if not all(isinstance(one, Real) for one in wanted):
        hint = "give one, such as 0.05, or several"
        raise InputError(f"expected a number, got {detect!r:.80}", field="detect", hint=hint)
    evaluation = compose(cases, measures=measures, progress=progress, **settings)
    found = evaluation.cases
    if found.task == "rating":
        problem = "ratings cannot be planned for: they have no recall order"
        raise InputError(problem, field="plan", hint="use Cases with candidates")
    if not has_recall_order(found.evaluation, target_forced=found.target_forced):
        problem = "a plan is for the difference from recall order, which is no baseline here"
        raise InputError(problem, field="plan", hint="propose candidates (another prompt), without --force-target")
    measure = headline(evaluation.measures)
    assert isinstance(measure, RankingMeasure)
    run = None if like is None else run_of(like)
    return Plan.of(
        measure,
        [*_spreads(evaluation, measure)] if run is None else [spread_of_run(run, measure)],
        wanted,
        evaluation=found.evaluation,
        users=users_of(found),
        available=max(found.available, users_of(found)),
        run=None if run is None else f"{run.title}, {run.metric_settings.evaluation}",
    )


def _spreads(evaluation: Evaluation, measure: RankingMeasure) -> Iterator[Spread]:
    """Yield the spread of each order that needs no model, on the evaluation's Cases."""
    cases = evaluation.cases
    yield spread_of_rankers("random order", cases, [Random(cases.seed + one) for one in range(SHUFFLES)], measure)
    if counts := cases.training.popularity:
        yield spread_of_rankers("popularity", cases, [Popularity(counts)], measure)
    for name, scores in train_baselines(evaluation.baselines, cases, evaluation.reporter.message).scores.items():
        ranker = Scored.of(name, cases, [scores[case.case_id] for case in cases])
        yield spread_of_rankers(name, cases, [ranker], measure)
