"""`metrics.json`: the numbers of a Run, with what must stand beside them to be believed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmrank import stats
from llmrank.engine import rank_without_model
from llmrank.errors import InputError
from llmrank.measures import (
    MAE,
    Judgements,
    Measure,
    RankingMeasure,
    RatingMeasure,
    Ratings,
    compare,
    compare_ratings,
    parse_measure,
    summarise,
    summarise_ratings,
)
from llmrank.prices import Tariff
from llmrank.rankers.baselines import GlobalMean, ItemMean, Popularity, RatingMeans, RecallOrder, UserMean
from llmrank.run.record import CaseRecord
from llmrank.types import Case, Outcome, Ranker, Ranking, Usage

RANKING_MEASURES = ("HR@1", "HR@10", "NDCG@5", "NDCG@10", "MRR")
RATING_MEASURES = ("RMSE", "MAE", "AUC")


@dataclass(frozen=True, slots=True)
class MetricSettings:
    """How the numbers were taken."""

    evaluation: str
    """`full`, `recall-limited(…)`, `sampled(…)`, or `ratings`."""
    target_forced: bool
    measures: tuple[Measure, ...]
    popularity: Mapping[str, int]
    """Training events per item, for the popularity baseline."""
    histories: Iterable[Case]
    """Training events of all users, for the rating means."""
    scale: tuple[float, float] = (1.0, 5.0)


def parse_measures(text: str | None, task: str) -> tuple[Measure, ...]:
    """Return the measures named in a comma-separated list; None: the usual ones of the task.

    Raises InputError for an unknown one, or one that does not fit the task.
    """
    usual = RATING_MEASURES if task == "rating" else RANKING_MEASURES
    names = usual if text is None else tuple(name.strip() for name in text.split(",") if name.strip())
    measures = tuple(parse_measure(name) for name in names)
    for measure in measures:
        if isinstance(measure, RatingMeasure) != (task == "rating"):
            raise InputError(
                f"{measure} does not measure a {task}", field="--measures", hint=f"choose such as {', '.join(usual)}"
            )
    return measures


def case_measures(case: Case, ranking: Ranking, measures: Sequence[Measure]) -> dict[str, float]:
    """Return each measure's value for one Case; nothing where the truth is unknown.

    Of a rating Case it is the absolute error, as `MAE`.
    """
    if case.target is not None:
        if case.rating is None:
            return {}
        ratings = Ratings.from_rankings([ranking], [case], _scale_around(case))
        return {"MAE": float(MAE().per_case(ratings)[0])}
    if not case.relevant:
        return {}
    judgements = Judgements.from_rankings([ranking], [case.relevant])
    return {str(m): float(m.per_case(judgements)[0]) for m in measures if isinstance(m, RankingMeasure)}


def metrics(
    cases: Sequence[Case], records: Mapping[str, CaseRecord], protocol: MetricSettings, tariff: Tariff | None = None
) -> dict[str, Any]:
    """Return the content of `metrics.json`. Every Case counts; the order of the Cases changes nothing.

    `usage.cost` is what all the answers cost at the tariff, whether they were paid in this Run or before.
    """
    cases = sorted(cases, key=lambda case: case.user_id)
    done = [records[case.user_id] for case in cases]
    rankings = [record.ranking for record in done]
    rating = bool(cases) and cases[0].target is not None
    numbers = _rating_numbers(cases, rankings, protocol) if rating else _ranking_numbers(cases, rankings, protocol)
    outcomes = Counter(ranking.outcome for ranking in rankings)
    return {
        "cases": len(cases),
        "evaluation": protocol.evaluation,
        "target_forced": protocol.target_forced,
        **numbers,
        "outcomes": {str(outcome): outcomes[outcome] for outcome in Outcome},
        "reasons": _sorted(Counter(f"{r.outcome}: {r.reason}" for r in rankings if r.reason)),
        "repairs": _total(ranking.repairs for ranking in rankings),
        "matches": _total(ranking.matches for ranking in rankings),
        "history_dropped": sum(ranking.history_dropped for ranking in rankings),
        "label_mass": _label_mass(rankings),
        "usage": _usage(done, tariff),
    }


def _label_mass(rankings: Sequence[Ranking]) -> dict[str, float | int] | None:
    """Return the mean and the lowest of the Cases' label masses; None where no labels were read."""
    masses = [ranking.label_mass for ranking in rankings if ranking.label_mass is not None]
    if not masses:
        return None
    low = sum("low_label_mass" in ranking.repairs for ranking in rankings)
    return {"mean": sum(masses) / len(masses), "lowest": min(masses), "cases_with_low": low}


def _ranking_numbers(cases: Sequence[Case], rankings: Sequence[Ranking], protocol: MetricSettings) -> dict[str, Any]:
    measures = [measure for measure in protocol.measures if isinstance(measure, RankingMeasure)]
    relevant = [case.relevant for case in cases]
    judged = Judgements.from_rankings(rankings, relevant)
    beside = {
        "random": judged.random(),
        "popularity": Judgements.from_rankings(_ranked(cases, Popularity(protocol.popularity)), relevant),
        "recall_order": Judgements.from_rankings(_ranked(cases, RecallOrder()), relevant),
        "oracle": judged.oracle(),
    }
    most = max((len(case.candidates) for case in cases), default=0)
    recalled = judged.recalled()[judged.judged]
    return {
        "judged_cases": int(judged.judged.sum()),
        "measures": {name: summary.to_dict() for name, summary in summarise(measures, judged).items()},
        "baselines": {
            name: {str(m): m.value(other) if judged.judged.any() else None for m in measures}
            for name, other in beside.items()
        },
        "versus_recall_order": _versus({str(m): compare(m, judged, beside["recall_order"]) for m in measures}),
        "versus_random": _versus({str(m): compare(m, judged, beside["random"]) for m in measures}),
        "ceiling": {f"recall@{most}": float(recalled.mean()) if len(recalled) else None},
    }


def _rating_numbers(cases: Sequence[Case], rankings: Sequence[Ranking], protocol: MetricSettings) -> dict[str, Any]:
    measures = [measure for measure in protocol.measures if isinstance(measure, RatingMeasure)]

    def judged(which: Iterable[Ranking]) -> Ratings:
        return Ratings.from_rankings(which, cases, protocol.scale)

    ratings = judged(rankings)
    beside: dict[str, Ratings] = {}
    histories = list(protocol.histories)
    if any(event.rating is not None for case in histories for event in case.history):
        means = RatingMeans.of_histories(histories)
        beside = {
            ranker.name: judged(_ranked(cases, ranker))
            for ranker in (GlobalMean(means), ItemMean(means), UserMean(means))
        }
    return {
        "judged_cases": int(ratings.judged.sum()),
        "measures": {name: summary.to_dict() for name, summary in summarise_ratings(measures, ratings).items()},
        "baselines": {name: {str(m): _number(m.value(other)) for m in measures} for name, other in beside.items()},
        **{
            f"versus_{name}": _versus({str(m): compare_ratings(m, ratings, other) for m in measures})
            for name, other in beside.items()
        },
    }


def _ranked(cases: Sequence[Case], ranker: Ranker) -> list[Ranking]:
    return [rank_without_model(ranker, case) for case in cases]


def _versus(differences: Mapping[str, stats.Difference]) -> dict[str, Any]:
    """Return differences with their intervals; the p-values corrected (Holm) for being several."""
    corrected = stats.holm([difference.p for difference in differences.values()])
    return {
        name: {
            "difference": _number(difference.difference),
            "ci95": [_number(difference.low), _number(difference.high)],
            "p": difference.p,
            "p_holm": p_holm,
        }
        for (name, difference), p_holm in zip(differences.items(), corrected, strict=True)
    }


def _usage(records: Sequence[CaseRecord], tariff: Tariff | None) -> dict[str, Any]:
    usage = sum((record.usage for record in records), Usage())
    of_batches = sum((record.batch_usage for record in records), Usage())
    return {
        "requests": sum(len(record.requests) for record in records),
        "prompt_tokens": usage.prompt_tokens,
        "cached_tokens": usage.cached_tokens,
        "least_prompt_tokens": sum(record.least_prompt_tokens for record in records),
        "completion_tokens": usage.completion_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "seconds": round(sum(record.seconds for record in records), 3),
        "cost": None if tariff is None else round(tariff.cost(usage, of_batches), 9),
        "currency": None if tariff is None else tariff.currency,
        "prices_dated": None if tariff is None else tariff.dated.isoformat(),
    }


def _scale_around(case: Case) -> tuple[float, float]:
    """Return the usual scale, widened where the truth lies outside: one Case alone does not know its own."""
    truth = 1.0 if case.rating is None else case.rating
    return min(1.0, truth), max(5.0, truth)


def _total(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    return _sorted(sum((Counter(count) for count in counts), Counter[str]()))


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _number(value: float) -> float | None:
    return value if value == value and abs(value) != float("inf") else None
