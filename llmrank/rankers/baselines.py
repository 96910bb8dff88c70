"""Baselines: rankers that make no model calls. A model must beat them to be worth its tokens."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from llmrank.errors import InputError
from llmrank.types import BaseRanker, Case, Item, Outcome, Ranking, RankingSteps

# --- ranking --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Random(BaseRanker):
    """A seeded shuffle per Case. What chance scores needs no draw: `Judgements.random()` has its exact expectation."""

    seed: int = 0
    name: str = "random"

    def rank(self, case: Case) -> RankingSteps:
        """Return the sorted ids as `Random(f"{seed}:{case_id}")` shuffles them, whatever order they come in."""
        yield from ()
        order = sorted(item.item_id for item in case.candidates)
        random.Random(f"{self.seed}:{case.case_id}").shuffle(order)
        return Ranking(tuple(order))


@dataclass(frozen=True, slots=True)
class Popularity(BaseRanker):
    """Most interactions first; items with the same count are tied."""

    counts: Mapping[str, int]
    """Training events per item id (see `event_counts` in `llmrank.data.cases`). An item without an entry has none."""
    name: str = "popularity"

    def rank(self, case: Case) -> RankingSteps:
        """Return the candidates by their count, which is their score."""
        yield from ()
        return by_score(case, [self.counts.get(item.item_id, 0) for item in case.candidates])


@dataclass(frozen=True, slots=True)
class RecallOrder(BaseRanker):
    """What the recall stage proposed, unchanged: the ranking that a reranker must improve on."""

    name: str = "recall_order"

    @property
    def needs_recall_order(self) -> bool:
        """True: in a Case without recall scores only the order tells."""
        return True

    def rank(self, case: Case) -> RankingSteps:
        """Return the candidates by recall score, equal ones tied; where there are no scores, as they come."""
        yield from ()
        if case.recall_scores is None:
            return Ranking(tuple(item.item_id for item in case.candidates))
        return by_score(case, case.recall_scores)


@dataclass(frozen=True, slots=True)
class Oracle(BaseRanker):
    """The relevant candidates first: the ceiling of the recall stage. The only ranker that sees the truth."""

    name: str = "oracle"

    @property
    def sees_truth(self) -> bool:
        """True."""
        return True

    def rank(self, case: Case) -> RankingSteps:
        """Return the relevant candidates first, the others tied below them. The Case must not be blinded."""
        yield from ()
        relevant = set(case.relevant)
        return by_score(case, [item.item_id in relevant for item in case.candidates])


@dataclass(frozen=True, slots=True)
class Scored(BaseRanker):
    """Scores computed before the run, such as those of a trained recommender, make the ranking or the rating."""

    scores: Mapping[str, Mapping[str, float]]
    """Case id -> item id -> score, or predicted rating of the target; -inf is unscored."""
    name: str

    @classmethod
    def of(cls, name: str, cases: Sequence[Case], scores: Sequence[Sequence[float]]) -> Self:
        """Return the ranker of scores that are aligned with the Cases and their candidates (or with their target)."""
        return cls(
            {
                case.case_id: {item.item_id: score for item, score in zip(_asked(case), found, strict=True)}
                for case, found in zip(cases, scores, strict=True)
            },
            name,
        )

    def rank(self, case: Case) -> RankingSteps:
        """Return the candidates by their score, in whatever order they come; or the target with its rating."""
        yield from ()
        known = self.scores[case.case_id]
        if case.target is not None:
            return rated(case, known[case.target.item_id])
        return by_score(case, [known[item.item_id] for item in case.candidates])


def _asked(case: Case) -> tuple[Item, ...]:
    return case.candidates if case.target is None else (case.target,)


def by_score(case: Case, scores: Iterable[float]) -> Ranking:
    """Return the candidates by score, highest first; equal ones are tied, and stand in the order given."""
    pairs = zip((item.item_id for item in case.candidates), map(float, scores), strict=True)
    ranked = sorted(pairs, key=lambda pair: -pair[1])
    return Ranking(tuple(item_id for item_id, _ in ranked), tuple(score for _, score in ranked))


# --- rating ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RatingMeans:
    """The means of the training ratings: the three heuristics of Kang et al. (arXiv:2305.06474)."""

    overall: float
    by_item: Mapping[str, float]
    by_user: Mapping[str, float]

    @classmethod
    def of(cls, ratings: Iterable[tuple[str, str, float]]) -> Self:
        """Return the means of (user_id, item_id, rating) from before the cut-off; raises InputError without any."""
        users: dict[str, list[float]] = {}
        items: dict[str, list[float]] = {}
        for user_id, item_id, rating in ratings:
            users.setdefault(user_id, []).append(rating)
            items.setdefault(item_id, []).append(rating)
        count = sum(map(len, users.values()))
        if not count:
            raise InputError(
                "no ratings to take a mean of", field="rating", hint="give training data, or histories, with ratings"
            )
        return cls(sum(map(sum, users.values())) / count, means(items), means(users))

    @classmethod
    def of_histories(cls, cases: Iterable[Case]) -> Self:
        """Return the means of the ratings in the histories of all Cases, where there is no training data.

        Where users have several Cases, an event in the history of each counts once per Case.
        """
        return cls.of(
            (case.user_id, event.item.item_id, event.rating)
            for case in cases
            for event in case.history
            if event.rating is not None
        )


@dataclass(frozen=True, slots=True)
class GlobalMean(BaseRanker):
    """The mean of all training ratings, for everybody and everything."""

    means: RatingMeans
    name: str = "global_mean"

    def rank(self, case: Case) -> RankingSteps:
        """Return the target with the overall mean."""
        yield from ()
        return rated(case, self.means.overall)


@dataclass(frozen=True, slots=True)
class ItemMean(BaseRanker):
    """The mean of the target's training ratings; of an item without any, the overall mean."""

    means: RatingMeans
    name: str = "item_mean"

    def rank(self, case: Case) -> RankingSteps:
        """Return the target with its mean."""
        yield from ()
        target = "" if case.target is None else case.target.item_id
        return rated(case, self.means.by_item.get(target, self.means.overall))


@dataclass(frozen=True, slots=True)
class UserMean(BaseRanker):
    """The mean of the user's training ratings; else of the ratings in the history shown; else the overall mean."""

    means: RatingMeans
    name: str = "user_mean"

    def rank(self, case: Case) -> RankingSteps:
        """Return the target with the user's mean."""
        yield from ()
        past = [event.rating for event in case.history if event.rating is not None]
        fallback = sum(past) / len(past) if past else self.means.overall
        return rated(case, self.means.by_user.get(case.user_id, fallback))


def rated(case: Case, value: float) -> Ranking:
    """Return the Ranking of the rating task: the target alone, with its predicted rating."""
    if case.target is None:
        return Ranking((), outcome=Outcome.ERROR, reason="the Case has no target to rate")
    return Ranking((case.target.item_id,), (value,))


def means(lists: Mapping[str, list[float]]) -> dict[str, float]:
    """Return the mean of each list."""
    return {key: sum(values) / len(values) for key, values in lists.items()}
