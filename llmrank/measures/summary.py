"""The numbers of a table: a measure over all Cases with its interval and bounds, and the difference of two methods."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from llmrank import stats
from llmrank.measures.judgements import Judgements
from llmrank.measures.measure import RankingMeasure, RatingMeasure
from llmrank.measures.ratings import Ratings


@dataclass(frozen=True, slots=True)
class VersusBaseline:
    """The method minus a baseline, paired on the same users."""

    difference: float | None
    """None where it is undefined."""
    ci95: tuple[float, float] | None
    """95% interval of the difference, over users."""
    p: float
    """Two-sided p-value of the paired randomisation test (ratings: of the bootstrap)."""
    p_holm: float
    """The same, corrected (Holm) for testing several measures against this baseline."""

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> Self:
        """Return what `dataclasses.asdict` wrote to JSON."""
        return cls(entry["difference"], _pair(entry["ci95"]), entry["p"], entry["p_holm"])


@dataclass(frozen=True, slots=True)
class MeasureSummary:
    """One measure over all Cases whose truth is known. None: undefined, there is nothing to compute it from."""

    value: float | None
    """Unanswered Cases count as worst."""
    ci95: tuple[float, float] | None
    """95% interval of `value` over users."""
    answered_only: float | None
    """Without the unanswered Cases."""
    worst: float | None
    """With every tie, and every unanswered Case, against the method."""
    best: float | None
    """With every tie, and every unanswered Case, for the method."""
    imputed: float | None = None
    """Ratings only: unanswered Cases get the mean of the user's past ratings."""
    lower_is_better: bool = False
    baselines: Mapping[str, float | None] = field(default_factory=dict[str, "float | None"])
    """The value of each baseline on the same Cases. For rankings: `random` (the exact expectation), `popularity`,
    `recall_order`, the trained ones, and `ceiling`, the most that any ranking of the same candidates can reach."""
    baseline_ci95: Mapping[str, tuple[float, float] | None] = field(default_factory=dict[str, Any])
    """95% interval over users of each trained baseline."""
    versus: Mapping[str, VersusBaseline] = field(default_factory=dict[str, VersusBaseline])
    """The difference from each baseline, the most telling first."""

    @property
    def share_of_ceiling(self) -> float | None:
        """`value` as a share of what the recall stage leaves within reach; None where there is no ceiling."""
        ceiling = self.baselines.get("ceiling")
        return None if self.value is None or not ceiling else self.value / ceiling

    def to_dict(self) -> dict[str, Any]:
        """Return the entry for metrics.json; `imputed` only where there is one."""
        entry: dict[str, Any] = {
            "value": self.value,
            "ci95": None if self.ci95 is None else list(self.ci95),
            "answered_only": self.answered_only,
            "worst": self.worst,
            "best": self.best,
            **({} if self.imputed is None else {"imputed": self.imputed}),
            "lower_is_better": self.lower_is_better,
            "baselines": dict(self.baselines),
            "baseline_ci95": {name: ends and list(ends) for name, ends in self.baseline_ci95.items()},
            "versus": {name: asdict(found) for name, found in self.versus.items()},
        }
        if self.share_of_ceiling is not None:
            entry["share_of_ceiling"] = self.share_of_ceiling
        return entry

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> Self:
        """Return what `to_dict` wrote; raises KeyError or TypeError for anything else."""
        return cls(
            value=entry["value"],
            ci95=_pair(entry["ci95"]),
            answered_only=entry["answered_only"],
            worst=entry["worst"],
            best=entry["best"],
            imputed=entry.get("imputed"),
            lower_is_better=entry["lower_is_better"],
            baselines=entry["baselines"],
            baseline_ci95={name: _pair(ends) for name, ends in entry.get("baseline_ci95", {}).items()},
            versus={name: VersusBaseline.from_dict(found) for name, found in entry["versus"].items()},
        )


def summarise(
    measures: Sequence[RankingMeasure], judgements: Judgements, users: Sequence[str] | None = None
) -> dict[str, MeasureSummary]:
    """Return each measure, by name, over the judged Cases (`(~judgements.judged).sum()` counts the others).

    `users[case]` is needed only where a user has several Cases, so that the interval is over users.
    """
    judged = judgements.judged
    clusters = None if users is None else stats.clusters_of(users)[judged]
    worst, best = judgements.worst(), judgements.best()
    summaries: dict[str, MeasureSummary] = {}
    for measure in measures:
        values = measure.per_case(judgements)
        answered = values[judged & judgements.answered]
        interval = stats.mean_interval(values[judged], clusters, bounds=(0.0, 1.0))
        summaries[str(measure)] = MeasureSummary(
            value=finite(interval.value),
            ci95=finite_pair(interval.low, interval.high) if interval.users else None,
            answered_only=finite(answered.mean()) if len(answered) else None,
            worst=finite(measure.value(worst)),
            best=finite(measure.value(best)),
            lower_is_better=measure.lower_is_better,
        )
    return summaries


def summarise_ratings(
    measures: Sequence[RatingMeasure], ratings: Ratings, users: Sequence[str] | None = None
) -> dict[str, MeasureSummary]:
    """Return each measure, by name, over the Cases with a true rating; its interval is a bootstrap over users."""
    clusters = stats.clusters_of(users if users is not None else range(len(ratings)))[ratings.judged]
    ratings = ratings.take(ratings.judged)
    summaries: dict[str, MeasureSummary] = {}
    for measure in measures:
        replicas = stats.bootstrap(replicate(measure, ratings), clusters)
        summaries[str(measure)] = MeasureSummary(
            value=finite(measure.value(ratings)),
            ci95=finite_pair(*stats.percentile_interval(replicas)),
            answered_only=finite(measure.value(ratings, "dropped")),
            worst=finite(measure.value(ratings, "worst")),
            best=finite(measure.value(ratings, "best")),
            imputed=finite(measure.value(ratings, "imputed")),
            lower_is_better=measure.lower_is_better,
        )
    return summaries


def compare(
    measure: RankingMeasure, left: Judgements, right: Judgements, users: Sequence[str] | None = None
) -> stats.Difference:
    """Return left minus right on the same Cases, in the same order, over those judged in both; paired on users."""
    both = left.judged & right.judged
    clusters = None if users is None else stats.clusters_of(users)[both]
    return stats.paired_difference(measure.per_case(left)[both], measure.per_case(right)[both], clusters)


def compare_ratings(
    measure: RatingMeasure, left: Ratings, right: Ratings, users: Sequence[str] | None = None
) -> stats.Difference:
    """Return left minus right on the same Cases, in the same order, by a bootstrap of the same users for both.

    A mean over Cases, such as MAE, also has the tests of `stats.paired_difference`; p is theirs then.
    """
    both = left.judged & right.judged
    clusters = stats.clusters_of(users if users is not None else range(len(left)))[both]
    left, right = left.take(both), right.take(both)
    if measure.is_mean:
        return stats.paired_difference(measure.per_case(left), measure.per_case(right), clusters)
    of_left, of_right = replicate(measure, left), replicate(measure, right)
    replicas = stats.bootstrap(lambda weights: of_left(weights) - of_right(weights), clusters)
    low, high = stats.percentile_interval(replicas)
    errors, _ = stats.by_cluster(measure.per_case(left) - measure.per_case(right), clusters)
    higher, lower = int((errors > stats.TIE).sum()), int((errors < -stats.TIE).sum())
    return stats.Difference(
        measure.value(left) - measure.value(right),
        low,
        high,
        stats.bootstrap_p(replicas),
        len(np.unique(clusters)),
        higher=higher,
        equal=int((~np.isnan(errors)).sum()) - higher - lower,
        lower=lower,
    )


def replicate(measure: RatingMeasure, ratings: Ratings) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return the measure as a function of `weights[replica, case]`."""
    return lambda weights: measure.replicated(ratings, weights)


def finite(value: float) -> float | None:
    """Return the value as a plain float, or None where JSON has no number for it."""
    return float(value) if math.isfinite(value) else None


def finite_pair(low: float, high: float) -> tuple[float, float] | None:
    """Return both ends, or None unless both are finite."""
    return (float(low), float(high)) if math.isfinite(low) and math.isfinite(high) else None


def _pair(ends: Sequence[float] | None) -> tuple[float, float] | None:
    return None if ends is None else (ends[0], ends[1])
