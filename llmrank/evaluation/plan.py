"""An evaluation, planned: composed as it would be run, and nothing asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from llmrank.errors import InputError
from llmrank.evaluation.cases import CaseSource
from llmrank.evaluation.evaluate import Evaluation, compose
from llmrank.evaluation.trained import baseline_scores
from llmrank.measures import Measure, RankingMeasure
from llmrank.progress import Reporter
from llmrank.rankers.baselines import Popularity, Random, Scored
from llmrank.run import Run, run_of
from llmrank.run.metrics import headline
from llmrank.run.plan import DIFFERENCES, Plan, Spread, spread_of_rankers, spread_of_run, users_of

SHUFFLES = 10
"""Random orders over which the spread of one is averaged."""


def plan(
    cases: CaseSource,
    *,
    detect: float | Sequence[float] = DIFFERENCES,
    like: Run | str | Path | None = None,
    measures: str | Sequence[str | Measure] | None = None,
    progress: bool | Reporter = True,
    **settings: Any,  # noqa: ANN401 - checked by name and type
) -> Plan:
    """Return what difference of the headline measure from recall order these users can show, before anything is asked.

    A difference is detectable if a paired test at 5% finds it with 80% power: (t(.975) + t(.8)) times its standard
    error over users (`stats.detectable_difference`), before any correction for several measures. The standard error
    depends on the method, which is not yet known: it is taken from `like`, or from orders that ask no model, random and
    popularity and the trained `baselines`, on these very Cases.

    Args:
        cases: What is to be evaluated; see `evaluate`.
        detect: The differences to plan for, in units of the measure: above 0, at most 1.
        like: A Run, or its folder, whose method will be about as different from recall order.
        measures: As for `evaluate`; the headline among them is planned for.
        progress: Whether what is being done is shown, or who is told.
        settings: Any further argument of `evaluate`.

    Raises:
        InputError: Cases or a Run about ratings, a difference out of range, or fewer than two users whose truth is
            known; and what `evaluate` raises for its arguments.
        MissingError: the data cannot be fetched.
    """
    wanted: Sequence[float] = (detect,) if isinstance(detect, float | int | str) else detect
    if not all(isinstance(one, float | int) for one in wanted):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(f"{detect!r} is no difference", field="detect", hint="give a number, such as 0.05, or several")
    evaluation = compose(cases, measures=measures, progress=progress, **settings)
    found = evaluation.cases
    if found.task == "rating":
        raise InputError("a plan is about rankings: ratings have no recall order", field="plan", hint="plan a ranking")
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
    """Yield the spread of each order that asks no model, on the evaluation's Cases."""
    cases = evaluation.cases
    yield spread_of_rankers("random order", cases, [Random(cases.seed + one) for one in range(SHUFFLES)], measure)
    if counts := cases.training.popularity:
        yield spread_of_rankers("popularity", cases, [Popularity(counts)], measure)
    for name, scores in baseline_scores(evaluation.baselines, cases, evaluation.reporter.message).items():
        ranker = Scored.of(name, cases, [scores[case.case_id] for case in cases])
        yield spread_of_rankers(name, cases, [ranker], measure)
