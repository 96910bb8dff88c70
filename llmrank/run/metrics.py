"""`metrics.json`: the numbers of a Run, with what must stand beside them to be believed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, Self, get_args

from llmrank import stats
from llmrank.engine import rank_without_model
from llmrank.errors import InputError, nearest
from llmrank.measures import (
    MAE,
    Judgements,
    Measure,
    MeasureSummary,
    RankingMeasure,
    RatingMeasure,
    Ratings,
    VersusBaseline,
    compare,
    compare_ratings,
    parse_measure,
    summarise,
    summarise_ratings,
)
from llmrank.measures import parse_measures as parse_measure_list
from llmrank.measures.summary import finite, finite_pair
from llmrank.prices import Tariff
from llmrank.rankers.baselines import MeanName, MeanRating, Popularity, RatingMeans, RecallOrder, Scored
from llmrank.run.record import CaseRecord
from llmrank.types import Case, Outcome, Ranker, Ranking, Usage

RANKING_MEASURES = "HR@1,HR@10,NDCG@5,NDCG@10,MRR"
RATING_MEASURES = "RMSE,MAE,AUC"
USUAL_CUTOFF = 10
"""Of several headline measures, the verdict is about the one with this cut-off."""


@dataclass(frozen=True, slots=True)
class MetricSettings:
    """How the numbers are taken, and what the baselines know of the training data."""

    evaluation: str
    """`full`, `recall-limited(…)`, `sampled(…)`, or `ratings`. Results of different kinds are not comparable."""
    target_forced: bool
    """Whether the first relevant item was put into every list of candidates."""
    measures: tuple[Measure, ...]
    popularity: Mapping[str, int]
    """Training events per item, for the popularity baseline; an item without an entry has none."""
    rating_means: RatingMeans | None = None
    """Means of the training ratings, for the rating baselines; None where no rating is known."""
    scale: tuple[float, float] = (1.0, 5.0)
    """Lowest and highest rating."""
    notes: tuple[str, ...] = ()
    """What a reader of the numbers must know, in sentences."""
    trained: Mapping[str, Mapping[str, Sequence[float]]] = field(default_factory=dict[str, Any])
    """Trained baseline -> case id -> its scores of the candidates (or of the target), in their order."""

    def trained_rankers(self, cases: Sequence[Case]) -> list[Scored]:
        """Return the trained baselines as rankers."""
        return [
            Scored.of(name, cases, [scores[case.case_id] for case in cases]) for name, scores in self.trained.items()
        ]

    def for_cases(self, cases: Sequence[Case]) -> Self:
        """Return the settings with only what the baselines need for these Cases, small enough to keep in a Run."""
        items = {item.item_id for case in cases for item in (*case.candidates, *filter(None, (case.target,)))}
        users = {case.user_id for case in cases}
        means = self.rating_means and RatingMeans(
            self.rating_means.overall,
            {item: mean for item, mean in self.rating_means.by_item.items() if item in items},
            {user: mean for user, mean in self.rating_means.by_user.items() if user in users},
        )
        popularity = {item: count for item, count in self.popularity.items() if item in items}
        return replace(self, popularity=popularity, rating_means=means)

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `evaluation.json`, in an order that does not depend on how it was counted."""
        means = self.rating_means
        return {
            "evaluation": self.evaluation,
            "target_forced": self.target_forced,
            "notes": list(self.notes),
            "measures": [str(measure) for measure in self.measures],
            "scale": list(self.scale),
            "popularity": dict(sorted(self.popularity.items())),
            "rating_means": means
            and {
                "overall": means.overall,
                "by_item": dict(sorted(means.by_item.items())),
                "by_user": dict(sorted(means.by_user.items())),
            },
            "trained": {
                name: {case_id: [finite(one) for one in scores] for case_id, scores in sorted(found.items())}
                for name, found in self.trained.items()
            },
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Return what `to_dict` wrote; raises KeyError or TypeError for anything else."""
        means = content["rating_means"]
        return cls(
            evaluation=content["evaluation"],
            target_forced=content["target_forced"],
            measures=tuple(parse_measure(name) for name in content["measures"]),
            popularity=content["popularity"],
            rating_means=None if means is None else RatingMeans(**means),
            scale=(content["scale"][0], content["scale"][1]),
            notes=tuple(content["notes"]),
            trained={
                name: {case: [-math.inf if one is None else one for one in scores] for case, scores in found.items()}
                for name, found in content.get("trained", {}).items()
            },
        )


@dataclass(frozen=True, slots=True)
class LabelMass:
    """How much of the first token's probability the labels got, over the Cases for which labels were read."""

    mean: float
    lowest: float
    cases_with_low: int
    """Cases whose mass was so low that their answer is counted as repaired."""


@dataclass(frozen=True, slots=True)
class UsageSummary:
    """What all answers of a Run used, whether they were paid for in this Run or before."""

    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Prompt tokens from the prefix cache; 0 where the endpoint does not report it."""
    least_prompt_tokens: int = 0
    """Prompt tokens that remain when each prefix shared within a Case is computed once."""
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    seconds: float = 0.0
    """Sum over the Cases of the time each took, waiting included."""
    cost: float | None = None
    """Money at the tariff; None where no prices are given."""
    currency: str | None = None
    prices_dated: str | None = None
    """The date of the prices, ISO format."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """The numbers of a Run. `metrics["NDCG@10"].value`; iterating gives the names of the measures."""

    evaluation: str
    """The kind of evaluation, as in `MetricSettings`."""
    target_forced: bool
    cases: int
    """All Cases; the denominator of every measure where the truth of all is known."""
    users: int
    judged_cases: int
    """Cases with a known relevant item, or a known rating: the denominator of every measure."""
    answered_cases: int
    """Cases with a readable answer (`ok` or `repaired`); the others count as worst."""
    measures: Mapping[str, MeasureSummary]
    headline: str | None
    """The measure that the verdict is about; None where there is no measure."""
    notes: tuple[str, ...] = ()
    """What a reader of the numbers must know, in sentences."""
    recall: float | None = None
    """Mean share of a Case's relevant items that are among its candidates; None for ratings."""
    candidates: int = 0
    """The length of the longest list of candidates."""
    outcomes: Mapping[str, int] = field(default_factory=dict[str, int])
    """Cases by outcome; all four are there, and they add up to `cases`."""
    reasons: Mapping[str, int] = field(default_factory=dict[str, int])
    """Cases by outcome and reason, the most frequent first."""
    repairs: Mapping[str, int] = field(default_factory=dict[str, int])
    matches: Mapping[str, int] = field(default_factory=dict[str, int])
    """Titles by how they were matched: `exact`, `normalised`, `fuzzy`."""
    history_dropped: int = 0
    """Events left out because the prompt would not have fitted the context window."""
    label_mass: LabelMass | None = None
    """None where no labels were read."""
    usage: UsageSummary = UsageSummary()

    def __getitem__(self, name: str) -> MeasureSummary:
        if name not in self.measures:
            raise InputError(
                f"the Run has no measure {name!r}{nearest(name, self.measures)}",
                field="measure",
                hint=f"use one of {', '.join(self.measures)}; or compute it with run.measure({name!r})",
            )
        return self.measures[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.measures)

    def __contains__(self, name: object) -> bool:
        return name in self.measures

    def __len__(self) -> int:
        return len(self.measures)

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `metrics.json`."""
        content = {name.name: getattr(self, name.name) for name in fields(self)}
        return content | {
            "notes": list(self.notes),
            "measures": {name: summary.to_dict() for name, summary in self.measures.items()},
            "label_mass": self.label_mass and asdict(self.label_mass),
            "usage": asdict(self.usage),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Return what `to_dict` wrote; raises KeyError or TypeError for anything else."""
        mass = content["label_mass"]
        values: dict[str, Any] = {name.name: content[name.name] for name in fields(cls)}
        values["notes"] = tuple(content["notes"])
        values["measures"] = {name: MeasureSummary.from_dict(entry) for name, entry in content["measures"].items()}
        values["label_mass"] = None if mass is None else LabelMass(**mass)
        values["usage"] = UsageSummary(**content["usage"])
        return cls(**values)


def parse_measures(text: str | None, task: Literal["ranking", "rating"]) -> tuple[Measure, ...]:
    """Return the measures in a comma-separated list (`NDCG@1..50` names fifty); None: the usual ones of the task.

    Raises InputError for an unknown measure, or for one of the other task.
    """
    usual = RATING_MEASURES if task == "rating" else RANKING_MEASURES
    measures = parse_measure_list(usual if text is None else text)
    for measure in measures:
        if isinstance(measure, RatingMeasure) != (task == "rating"):
            raise InputError(
                f"{measure} does not measure a {task}",
                field="--measures",
                hint=f"choose for example {usual.replace(',', ', ')}",
            )
    return measures


def task_of(cases: Sequence[Case]) -> Literal["ranking", "rating"]:
    """Return what the Cases ask for."""
    return "rating" if cases and cases[0].target is not None else "ranking"


def judge(cases: Sequence[Case], rankings: Sequence[Ranking]) -> Judgements:
    """Return the Rankings of these Cases, judged by what is relevant."""
    return Judgements.from_cases(rankings, cases)


def case_measures(case: Case, ranking: Ranking, measures: Sequence[Measure]) -> dict[str, float]:
    """Return each measure's value for one Case; nothing where the truth is unknown.

    For a rating Case it is the absolute error, as `MAE`.
    """
    if case.target is not None:
        if case.rating is None:
            return {}
        ratings = Ratings.from_rankings([ranking], [case], _scale_around(case))
        return {"MAE": float(MAE().per_case(ratings)[0])}
    if not case.relevant:
        return {}
    judged = judge([case], [ranking])
    return {str(m): float(m.per_case(judged)[0]) for m in measures if isinstance(m, RankingMeasure)}


def metrics(
    cases: Sequence[Case], records: Mapping[str, CaseRecord], settings: MetricSettings, tariff: Tariff | None = None
) -> Metrics:
    """Return the numbers of a Run. Every Case counts; the order of the Cases changes nothing.

    Args:
        cases: All Cases, each with a record.
        records: By case id.
        settings: How the numbers are taken.
        tariff: For `usage.cost`: what all the answers cost, whether they were paid for in this Run or before.
    """
    cases = sorted(cases, key=lambda case: (case.user_id, case.case_id))
    done = [records[case.case_id] for case in cases]
    rankings = [record.ranking for record in done]
    summaries = _rating_summaries if task_of(cases) == "rating" else _ranking_summaries
    outcomes = Counter(ranking.outcome for ranking in rankings)
    return Metrics(
        evaluation=settings.evaluation,
        target_forced=settings.target_forced,
        cases=len(cases),
        users=len({case.user_id for case in cases}),
        answered_cases=outcomes[Outcome.OK] + outcomes[Outcome.REPAIRED],
        headline=headline(settings.measures),
        notes=settings.notes,
        **summaries(cases, rankings, settings),
        outcomes={str(outcome): outcomes[outcome] for outcome in Outcome},
        reasons=_sorted(Counter(f"{r.outcome}: {r.reason}" for r in rankings if r.reason)),
        repairs=_total(ranking.repairs for ranking in rankings),
        matches=_total(ranking.matches for ranking in rankings),
        history_dropped=sum(ranking.history_dropped for ranking in rankings),
        label_mass=_label_mass(rankings),
        usage=_usage(done, tariff),
    )


def headline(measures: Sequence[Measure]) -> str | None:
    """Return the name of the measure that the verdict is about: NDCG@10 or RMSE where they are among those chosen."""

    def place(measure: Measure) -> tuple[bool, bool]:
        usual = isinstance(measure, RankingMeasure) and measure.k == USUAL_CUTOFF
        return not measure.is_headline, not usual

    ordered = sorted(measures, key=place)
    return str(ordered[0]) if ordered else None


def users_of(cases: Sequence[Case]) -> list[str] | None:
    """Return whose each Case is, for intervals over users; None where every user has one Case."""
    users = [case.user_id for case in cases]
    return users if len(set(users)) < len(users) else None


def ranked_by(cases: Sequence[Case], ranker: Ranker) -> list[Ranking]:
    """Return what a ranker that asks no model makes of each Case."""
    return [rank_without_model(ranker, case) for case in cases]


def _ranking_summaries(cases: Sequence[Case], rankings: Sequence[Ranking], settings: MetricSettings) -> dict[str, Any]:
    measures = [measure for measure in settings.measures if isinstance(measure, RankingMeasure)]
    users, judged = users_of(cases), judge(cases, rankings)
    trained = {ranker.name: judge(cases, ranked_by(cases, ranker)) for ranker in settings.trained_rankers(cases)}
    beside = {name: summarise(measures, other, users) for name, other in trained.items()}
    baselines = {
        "random": judged.random(),
        "popularity": judge(cases, ranked_by(cases, Popularity(settings.popularity))),
        "recall_order": judge(cases, ranked_by(cases, RecallOrder())),
        **trained,
        "ceiling": judged.oracle(),
    }
    versus = {
        name: _versus({str(m): compare(m, judged, baselines[name], users) for m in measures})
        for name in (*trained, "recall_order", "popularity", "random")
    }
    recalled = judged.recalled()[judged.judged]
    return {
        "judged_cases": int(judged.judged.sum()),
        "measures": {
            str(m): replace(
                summary,
                baselines={name: finite(m.value(other)) for name, other in baselines.items()},
                baseline_ci95={name: found[str(m)].ci95 for name, found in beside.items()},
                versus={name: found[str(m)] for name, found in versus.items()},
            )
            for m, summary in zip(measures, summarise(measures, judged, users).values(), strict=True)
        },
        "recall": float(recalled.mean()) if len(recalled) else None,
        "candidates": max((len(case.candidates) for case in cases), default=0),
    }


def _rating_summaries(cases: Sequence[Case], rankings: Sequence[Ranking], settings: MetricSettings) -> dict[str, Any]:
    measures = [measure for measure in settings.measures if isinstance(measure, RatingMeasure)]
    users, ratings = users_of(cases), Ratings.from_rankings(rankings, cases, settings.scale)
    means = settings.rating_means
    trained = settings.trained_rankers(cases)
    rankers = () if means is None else [MeanRating(means, name) for name in get_args(MeanName)]
    baselines = {
        ranker.name: Ratings.from_rankings(ranked_by(cases, ranker), cases, settings.scale)
        for ranker in (*trained, *rankers)
    }
    beside = {one.name: summarise_ratings(measures, baselines[one.name], users) for one in trained}
    versus = {
        name: _versus({str(m): compare_ratings(m, ratings, other, users) for m in measures})
        for name, other in baselines.items()
    }
    return {
        "judged_cases": int(ratings.judged.sum()),
        "measures": {
            str(m): replace(
                summary,
                baselines={name: finite(m.value(other)) for name, other in baselines.items()},
                baseline_ci95={name: found[str(m)].ci95 for name, found in beside.items()},
                versus={name: found[str(m)] for name, found in versus.items()},
            )
            for m, summary in zip(measures, summarise_ratings(measures, ratings, users).values(), strict=True)
        },
    }


def _versus(differences: Mapping[str, stats.Difference]) -> dict[str, VersusBaseline]:
    """Return the differences from one baseline, by measure; the p-values are corrected for testing several measures."""
    corrected = stats.holm([difference.p for difference in differences.values()])
    return {
        name: VersusBaseline(finite(found.difference), finite_pair(found.low, found.high), found.p, p_holm)
        for (name, found), p_holm in zip(differences.items(), corrected, strict=True)
    }


def _label_mass(rankings: Sequence[Ranking]) -> LabelMass | None:
    masses = [ranking.label_mass for ranking in rankings if ranking.label_mass is not None]
    if not masses:
        return None
    low = sum("low_label_mass" in ranking.repairs for ranking in rankings)
    return LabelMass(sum(masses) / len(masses), min(masses), low)


def _usage(records: Sequence[CaseRecord], tariff: Tariff | None) -> UsageSummary:
    usage = sum((record.usage for record in records), Usage())
    of_batches = sum((record.batch_usage for record in records), Usage())
    return UsageSummary(
        requests=sum(len(record.requests) for record in records),
        prompt_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached_tokens,
        least_prompt_tokens=sum(record.least_prompt_tokens for record in records),
        completion_tokens=usage.completion_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        seconds=round(sum(record.seconds for record in records), 3),
        cost=None if tariff is None else round(tariff.cost(usage, of_batches), 9),
        currency=None if tariff is None else tariff.currency,
        prices_dated=None if tariff is None else tariff.dated.isoformat(),
    )


def _scale_around(case: Case) -> tuple[float, float]:
    """Return the usual scale, widened where the truth lies outside: one Case alone does not know its own."""
    truth = 1.0 if case.rating is None else case.rating
    return min(1.0, truth), max(5.0, truth)


def _total(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    return _sorted(sum((Counter(count) for count in counts), Counter[str]()))


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
