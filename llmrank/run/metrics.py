"""`metrics.json`: the metrics of a Run, with the intervals, baselines and counts needed to interpret them."""

from __future__ import annotations

import html
import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from statistics import fmean
from typing import Any, Self, TypeVar, get_args

import numpy as np

from llmrank import stats
from llmrank.engine import rank_without_model
from llmrank.errors import InputError, count_of, nearest
from llmrank.measures import (
    AUC,
    MAE,
    RMSE,
    Judgements,
    Measure,
    MeasureSummary,
    RankingMeasure,
    RatingMeasure,
    Ratings,
    VersusBaseline,
    parse_measure,
    parse_measures,
)
from llmrank.measures.judgements import JudgedCase, judge_case
from llmrank.measures.parse import stored_measure
from llmrank.prices import Tariff
from llmrank.rankers.baselines import ByScore, MeanName, MeanRating, Popularity, RatingMeans, RecallOrder, Scored
from llmrank.rankers.ranking import add_counts, most_frequent
from llmrank.run.record import CaseRecord
from llmrank.run.tables import TextTable, between, estimate, in_words, number
from llmrank.types import USUAL_SCALE, Case, Outcome, Ranker, Ranking, Task, Usage, adapter

T = TypeVar("T")
RANKING_MEASURES = "HR@1,HR@10,NDCG@5,NDCG@10,MRR"
RATING_MEASURES = "RMSE,MAE,AUC"
WHOLE_CATALOGUE = "full"
"""The kind of an evaluation whose candidates are all items, in the order of the catalogue."""
USUAL_CUTOFF = 10
"""Among several headline measures, the verdict uses the one with this cut-off."""


def has_recall_order(evaluation: str, *, target_forced: bool) -> bool:
    """Return whether recall order is a baseline: not if no recall stage proposed the candidates, nor if missed targets
    were appended to them, which makes any method look better."""
    return not target_forced and evaluation != WHOLE_CATALOGUE


@dataclass(frozen=True, slots=True)
class MetricSettings:
    """How the metrics are computed, and what the baselines know about the training data."""

    evaluation: str
    """`full`, `recall-limited(…)`, `sampled(…)`, or `ratings`. Results of different kinds are not comparable."""
    target_forced: bool
    """Whether a relevant item was appended to candidate lists that had none."""
    measures: tuple[Measure, ...]
    popularity: Mapping[str, int]
    """Training events per item, for the popularity baseline; missing items have none."""
    rating_means: RatingMeans | None = None
    """Means of the training ratings, for the rating baselines; None if no rating is known."""
    scale: tuple[float, float] = USUAL_SCALE
    """Lowest and highest rating."""
    notes: tuple[str, ...] = ()
    """Sentences that a reader of the metrics must know."""
    trained: Mapping[str, Mapping[str, Sequence[float]]] = field(default_factory=dict[str, Any])
    """Trained baseline -> case id -> scores, aligned with the candidates (or the target)."""

    @property
    def has_recall_order(self) -> bool:
        """Whether recall order is a baseline (see the function)."""
        return has_recall_order(self.evaluation, target_forced=self.target_forced)

    def for_cases(self, cases: Sequence[Case]) -> Self:
        """Return the settings reduced to what the baselines need for these Cases, small enough to store in a Run."""
        items = {item.item_id for case in cases for item in case.asked}
        users = {case.user_id for case in cases}
        if means := self.rating_means:
            means = replace(means, by_item=_only(means.by_item, items), by_user=_only(means.by_user, users))
        return replace(self, popularity=_only(self.popularity, items), rating_means=means)

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `evaluation.json`; after `for_cases`, its key order is deterministic."""
        # JSON has no infinity: the score of an item unknown to the model is null.
        trained = {
            name: {case_id: [stats.finite(one) for one in scores] for case_id, scores in sorted(found.items())}
            for name, found in self.trained.items()
        }
        return {
            "evaluation": self.evaluation,
            "target_forced": self.target_forced,
            "notes": list(self.notes),
            "measures": [str(measure) for measure in self.measures],
            "scale": list(self.scale),
            "popularity": dict(self.popularity),
            "rating_means": self.rating_means and asdict(self.rating_means),
            "trained": trained,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Read the output of `to_dict`; raises KeyError or TypeError for anything else."""
        means = content["rating_means"]
        read: dict[str, Any] = {
            "measures": tuple(stored_measure(name) for name in content["measures"]),
            "rating_means": means and RatingMeans(**means),
            "scale": tuple(content["scale"]),
            "notes": tuple(content["notes"]),
            "trained": {
                name: {case: [-math.inf if one is None else one for one in scores] for case, scores in found.items()}
                for name, found in content.get("trained", {}).items()
            },
        }
        return cls(**{**content, **read})


@dataclass(frozen=True, slots=True)
class LabelMass:
    """The share of the first token's probability that fell on labels, over the Cases whose labels were read."""

    mean: float
    lowest: float
    cases_with_low: int
    """Cases with a mass so low that their answer counts as repaired."""


@dataclass(frozen=True, slots=True)
class UsageSummary:
    """What all answers of a Run used, whether they were paid for in this Run or earlier."""

    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Prompt tokens from the prefix cache; 0 if the endpoint does not report it."""
    least_prompt_tokens: int = 0
    """Prompt tokens if each prefix shared within a Case is computed only once."""
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    seconds: float = 0.0
    """Sum over the Cases of the time each took, including waiting."""
    cost: float | None = None
    """Money at the tariff; None if no prices are given or no tokens are known."""
    currency: str | None = None
    prices_dated: str | None = None
    """The date of the prices, ISO format."""
    unreported: int = 0
    """Answered Cases whose token usage the endpoint did not report; they count as 0 tokens."""


@dataclass(frozen=True, slots=True, repr=False)
class Metrics:
    """The metrics of a Run: `metrics["NDCG@10"].value`. Iterating yields the names of the measures."""

    evaluation: str
    """The kind of evaluation, as in `MetricSettings`."""
    target_forced: bool
    cases: int
    """All Cases; the denominator of every measure if all have a known truth."""
    users: int
    judged_cases: int
    """Cases with a known relevant item or rating: the denominator of every measure."""
    answered_cases: int
    """Cases with a readable answer (`ok` or `repaired`); the others count as worst."""
    measures: Mapping[str, MeasureSummary]
    headline: str | None
    """The measure used for the verdict; None if there is no measure."""
    notes: tuple[str, ...] = ()
    """Sentences that a reader of the metrics must know."""
    recall: float | None = None
    """Mean share of a Case's relevant items that are among its candidates; None for ratings."""
    candidates: int = 0
    """The length of the longest candidate list."""
    outcomes: Mapping[str, int] = field(default_factory=dict[str, int])
    """Cases by outcome; all four are present and add up to `cases`."""
    reasons: Mapping[str, int] = field(default_factory=dict[str, int])
    """Cases by outcome and reason, most frequent first."""
    repairs: Mapping[str, int] = field(default_factory=dict[str, int])
    matches: Mapping[str, int] = field(default_factory=dict[str, int])
    """Titles by how they were matched: `exact`, `normalised`, `fuzzy`, `loose`."""
    history_dropped: int = 0
    """Events dropped to fit the prompt into the context window."""
    label_mass: LabelMass | None = None
    """None if no labels were read."""
    usage: UsageSummary = UsageSummary()
    proposed_cases: int | None = None
    """Cases with a relevant candidate: the denominator of `proposed_only`; None for ratings."""

    def __getitem__(self, name: str) -> MeasureSummary:
        if name not in self.measures:
            problem = f"the Run has no measure {name!r}{nearest(name, self.measures)}"
            hint = f"use one of {', '.join(self.measures)}; or compute it with run.measure({name!r})"
            raise InputError(problem, field="measures", hint=hint)
        return self.measures[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.measures)

    def __contains__(self, name: object) -> bool:
        return name in self.measures

    def __len__(self) -> int:
        return len(self.measures)

    def __str__(self) -> str:
        return f"{count_of(self.cases, 'Case')}, {self.evaluation}\n{self.table()}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<p>{count_of(self.cases, 'Case')}, {html.escape(self.evaluation)}</p>{self.table().to_html()}"

    @property
    def has_recall_order(self) -> bool:
        """Whether recall order is a baseline (see the function)."""
        return has_recall_order(self.evaluation, target_forced=self.target_forced)

    @property
    def remarks(self) -> tuple[str, ...]:
        """The number of Cases that no measure counts, if any, followed by `notes`."""
        done = "rated" if self.evaluation == "ratings" else "ranked"
        unjudged = self.cases - self.judged_cases
        unknown = f"{count_of(unjudged, 'Case has', 'Cases have')} no known truth"
        return (*([f"{unknown}: {done}, but not counted in any measure."] if unjudged else ()), *self.notes)

    def verdict(self) -> list[str]:
        """Return sentences that compare the method with the baselines."""
        sentences: list[str] = []
        if self.headline is not None and self.headline in self:
            summary = self[self.headline]
            everyone = f"all {count_of(self.users, 'user')}" if self.judged_cases == self.cases else "all users"
            for name, found in summary.versus.items():
                if found.difference is not None and found.ci95 is not None:
                    # Of AUC, which no single user has, it is not known for whom it is the same.
                    same = not found.different and abs(found.difference) <= stats.TIE and self.headline[:3] != "AUC"
                    shown = name if name in summary.baseline_ci95 else name.replace("_", " ")
                    words = (found, summary.lower_is_better, shown, "", everyone if same else "")
                    sentences.append(f"{self.headline}: {in_words(*words)}")
        if unread := self.cases - self.answered_cases:
            sentences.append(f"No readable answer in {unread:,} of {count_of(self.cases, 'Case')}, counted as worst.")
            cut = self.reasons.get("unparsed: truncated", 0)
            if 2 * cut > unread:
                sentences.append(self._why_cut_off(cut))
        return sentences

    def _why_cut_off(self, cut: int) -> str:
        """Return advice for many answers truncated at the token limit before they rank anything."""
        why, then = "before ranking anything", ""
        if 2 * self.usage.reasoning_tokens > self.usage.completion_tokens:
            why, then = "while the model still reasons", ', or switch the reasoning off (thinking="off")'
        reach = count_of(cut, "answer reaches", "answers reach")
        return f"{reach} the token limit {why}: raise it with --max-tokens (max_tokens=){then}."

    def table(self) -> TextTable:
        """Return the metrics as a publishable table: a row per measure; four columns, then one per baseline.

        Trained baselines are not included, because they have intervals of their own: see `summary.baseline_ci95`.
        """
        named = ((name, one) for one in self.measures.values() for name in one.baselines)
        beside = list(dict.fromkeys(name for name, one in named if name not in one.baseline_ci95))
        rows = [
            (
                name,
                *estimate(summary.value, summary.ci95),
                number(summary.answered_only),
                between((summary.worst, summary.best)),
                *(number(summary.baselines.get(baseline)) for baseline in beside),
            )
            for name, summary in self.measures.items()
        ]
        names = (baseline.replace("_", " ") for baseline in beside)
        return TextTable(("measure", "value", "95% CI", "answered only", "worst to best", *names), tuple(rows))

    def to_markdown(self) -> str:
        """Return `table` as a Markdown pipe table."""
        return self.table().to_markdown()

    def to_latex(self) -> str:
        """Return `table` as a LaTeX `tabular` (package booktabs)."""
        return self.table().to_latex()

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `metrics.json`."""
        measures = {name: summary.to_dict() for name, summary in self.measures.items()}
        return asdict(self) | {"measures": measures, "notes": list(self.notes)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Read the output of `to_dict`; raises ValueError for anything else."""
        return adapter(cls).validate_python(content)


def predicts_order(answer: str | None, task: Task, scale: tuple[float, float]) -> bool:
    """Return whether the predictions only order the items: yes/no answers to ratings such as 1 to 5. Their values
    cannot be compared with the ratings."""
    return task == "rating" and answer == "yes_no" and scale != (0.0, 1.0)


def measures_of(
    measures: str | Iterable[str | Measure] | None, task: Task, *, order_only: bool = False
) -> tuple[Measure, ...]:
    """Parse measures by name (`NDCG@1..50` names fifty), or as objects; None gives the usual ones of the task.

    Raises InputError for an unknown measure or one of the other task; with `order_only` (see `predicts_order`), for one
    that compares values.
    """
    usual = RATING_MEASURES if task == "rating" else RANKING_MEASURES
    if order_only:
        usual = "AUC"
    chosen = parse_measures(usual if measures is None else measures)
    for measure in chosen:
        if order_only and isinstance(measure, RMSE | MAE):
            problem = f"{measure} needs predicted ratings on the scale of the true ones, not yes/no answers"
            raise InputError(problem, field="measures", hint="choose AUC, or provide true ratings of 0 and 1")
        if isinstance(measure, RatingMeasure) != (task == "rating"):
            hint = f"choose, for example, {usual.replace(',', ', ')}"
            if task == "ranking":
                hint += f"; {measure} needs rows with a `target` and its `rating` (docs/running.md)"
            raise InputError(f"{measure} does not measure a {task}", field="measures", hint=hint)
    return chosen


def the_measure(measure: str | Measure, task: Task, *, order_only: bool = False) -> Measure:
    """Return the measure, parsed if given by name; raises InputError like `measures_of`."""
    one = parse_measure(measure) if isinstance(measure, str) else measure
    return measures_of([one], task, order_only=order_only)[0]


def task_of(cases: Sequence[Case]) -> Task:
    """Return the task of the Cases."""
    return "rating" if cases and cases[0].target is not None else "ranking"


def judge(cases: Sequence[Case], rankings: Sequence[Ranking], scale: tuple[float, float]) -> Judgements | Ratings:
    """Judge the Rankings of these Cases by their relevant items or true ratings."""
    if task_of(cases) == "rating":
        return Ratings.from_rankings(rankings, cases, scale)
    return Judgements.from_cases(rankings, cases)


def case_measures(case: Case, ranking: Ranking, measures: Sequence[Measure]) -> dict[str, float]:
    """Return each measure's value for one Case; empty if the truth is unknown.

    A rating Case has only its absolute error, as `MAE`, and only if a measure is an error. A single Case does not know
    its rating scale, so the usual scale of 1 to 5 is widened to include the truth.
    """
    if case.target is None:
        return dict(_measured(judge_case(ranking, case.gain_of), tuple(measures)))
    if case.rating is None or not any(measure.lower_is_better for measure in measures):
        return {}
    scale = (min(1.0, case.rating), max(5.0, case.rating))
    return {"MAE": float(MAE().per_case(Ratings.from_rankings([ranking], [case], scale))[0])}


@lru_cache(maxsize=4096)
def _measured(case: JudgedCase, measures: tuple[Measure, ...]) -> tuple[tuple[str, float], ...]:
    """Return the values of the measures. Cached: computing a single Case is slow, and few JudgedCases differ."""
    judged = Judgements.of([case])
    return tuple((str(measure), float(measure.per_case(judged)[0])) for measure in measures if case.relevant)


def metrics(
    cases: Sequence[Case], records: Mapping[str, CaseRecord], settings: MetricSettings, tariff: Tariff | None = None
) -> Metrics:
    """Return the metrics of a Run. Every Case must have a record and counts; the order of the Cases does not matter.

    With a tariff, `usage.cost` is the cost of all answers, whether they were paid for in this Run or earlier.
    """
    cases = sorted(cases, key=lambda case: (case.user_id, case.case_id))
    done = [records[case.case_id] for case in cases]
    rankings = [record.ranking for record in done]
    judged = judge(cases, rankings, settings.scale)
    is_ranking = isinstance(judged, Judgements)
    recalled = judged.recalled()[judged.judged] if is_ranking else ()
    outcomes = Counter(ranking.outcome for ranking in rankings)
    return Metrics(
        evaluation=settings.evaluation,
        target_forced=settings.target_forced,
        cases=len(cases),
        users=len({case.user_id for case in cases}),
        judged_cases=int(judged.judged.sum()),
        answered_cases=outcomes[Outcome.OK] + outcomes[Outcome.REPAIRED],
        headline=str(headline(settings.measures, cases)) if settings.measures else None,
        notes=settings.notes,
        measures=_summaries(cases, judged, settings),
        recall=float(np.mean(recalled)) if len(recalled) else None,
        proposed_cases=int(judged.proposed().sum()) if is_ranking else None,
        candidates=max((len(case.candidates) for case in cases), default=0),
        outcomes={str(outcome): outcomes[outcome] for outcome in Outcome},
        reasons=dict(most_frequent(Counter(f"{r.outcome}: {r.reason}" for r in rankings if r.reason))),
        repairs=_total(ranking.repairs for ranking in rankings),
        matches=_total(ranking.matches for ranking in rankings),
        history_dropped=sum(ranking.history_dropped for ranking in rankings),
        label_mass=_label_mass(rankings),
        usage=_usage(done, tariff),
    )


def headline(measures: Sequence[Measure], cases: Iterable[Case] = ()) -> Measure:
    """Return the measure for the verdict: NDCG@10 or RMSE if chosen; AUC if all true ratings of the Cases are 0 or 1,
    as in TALLRec's paper."""
    binary = {case.rating for case in cases} - {None} == {0, 1}

    def likely(measure: Measure) -> tuple[bool, bool]:
        is_first = isinstance(measure, AUC) if binary else measure.is_headline
        return is_first, isinstance(measure, RankingMeasure) and measure.k == USUAL_CUTOFF

    return max(measures, key=likely)


def ranked_by(cases: Sequence[Case], ranker: Ranker) -> list[Ranking]:
    """Return the Ranking of each Case by a ranker that asks no model."""
    return [rank_without_model(ranker, case) for case in cases]


def in_recall_order(cases: Sequence[Case]) -> list[Ranking]:
    """Return a Ranking of each Case in the order of the recall stage."""
    return ranked_by(cases, RecallOrder())


def _summaries(
    cases: Sequence[Case], judged: Judgements | Ratings, settings: MetricSettings
) -> dict[str, MeasureSummary]:
    """Return a summary of each measure, with the baselines and the differences from them."""
    users, means = [case.user_id for case in cases], settings.rating_means

    def ranked(*rankers: Ranker) -> dict[str, Judgements | Ratings]:
        return {ranker.name: _judge_baseline(cases, ranker, settings.scale) for ranker in rankers}

    known = {name: [scores[case.case_id] for case in cases] for name, scores in settings.trained.items()}
    trained = ranked(*(Scored.of(name, cases, scores) for name, scores in known.items()))
    if isinstance(judged, Judgements):
        recalled = (RecallOrder(),) if settings.has_recall_order else ()
        # Without training events, popularity would be random order under another name.
        popular = (Popularity(settings.popularity),) if settings.popularity else ()
        proposed = ranked(*popular, *recalled)
        compared = [*trained, *(ranker.name for ranker in (*recalled, *popular)), "random"]
        baselines = {"random": judged.random(), **proposed, **trained, "ceiling": judged.oracle()}
    else:
        means_of = [] if means is None else [MeanRating(means, name) for name in get_args(MeanName)]
        baselines = {**trained, **ranked(*means_of)}
        compared = list(baselines)
    versus = {
        name: _versus({str(m): m.difference(judged, baselines[name], users) for m in settings.measures})
        for name in compared
    }
    return {
        str(m): replace(
            m.summary(judged, users),
            baselines={name: stats.finite(m.value(other)) for name, other in baselines.items()},
            baseline_ci95={name: m.summary(other, users).ci95 for name, other in trained.items()},
            versus={name: found[str(m)] for name, found in versus.items()},
        )
        for m in settings.measures
    }


def _judge_baseline(cases: Sequence[Case], ranker: Ranker, scale: tuple[float, float]) -> Judgements | Ratings:
    if isinstance(ranker, ByScore) and task_of(cases) == "ranking":
        return Judgements.from_scores(map(ranker.scores, cases), cases)  # faster: builds no Rankings
    return judge(cases, ranked_by(cases, ranker), scale)


def _versus(differences: Mapping[str, stats.Difference]) -> dict[str, VersusBaseline]:
    """Return the differences from one baseline by measure, with p-values corrected for several measures."""
    corrected = stats.holm([difference.p for difference in differences.values()])
    return {
        name: VersusBaseline(
            stats.finite(found.difference),
            found.ci95,
            found.p,
            p_holm,
            stats.finite(found.detectable),
            found.higher + found.lower,
        )
        for (name, found), p_holm in zip(differences.items(), corrected, strict=True)
    }


def _label_mass(rankings: Sequence[Ranking]) -> LabelMass | None:
    masses = [ranking.label_mass for ranking in rankings if ranking.label_mass is not None]
    low = sum("low_label_mass" in ranking.repairs for ranking in rankings)
    return LabelMass(fmean(masses), min(masses), low) if masses else None


def _usage(records: Sequence[CaseRecord], tariff: Tariff | None) -> UsageSummary:
    usage = sum((record.usage for record in records), Usage())
    of_batches = sum((record.batch_usage for record in records), Usage())
    asked = [record for record in records if record.requests]
    found = UsageSummary(
        requests=sum(len(record.requests) for record in records),
        least_prompt_tokens=sum(record.least_prompt_tokens for record in records),
        seconds=round(sum(record.seconds for record in records), 3),
        unreported=sum(
            record.usage == Usage() and any(text is not None for text in record.responses) for record in asked
        ),
        **asdict(usage),
    )
    if tariff is None:
        return found
    unknown = found.unreported > 0 and usage == Usage()
    cost = None if unknown else round(tariff.cost(usage, of_batches), 9)
    return replace(found, cost=cost, currency=tariff.currency, prices_dated=tariff.dated.isoformat())


def _total(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    return dict(most_frequent(+Counter(add_counts(*counts))))


def _only(values: Mapping[str, T], keys: Collection[str]) -> dict[str, T]:
    """Return the entries for these keys, sorted by key."""
    return {key: values[key] for key in sorted(values) if key in keys}
