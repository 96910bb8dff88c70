"""Baselines: rankers that make no model calls. A model must beat them to be worth its tokens."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal, Self

from llmrank.errors import InputError
from llmrank.rankers.ranking import rank_by_score
from llmrank.types import BaseRanker, Case, Outcome, Ranking, RankingSteps

# --- ranking --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Random(BaseRanker):
    """A seeded shuffle of the sorted ids, `Random(f"{seed}:{case_id}")`, whatever order they come in.

    What chance scores needs no draw: `Judgements.random()` has its exact expectation.
    """

    seed: int = 0
    name: str = "random"

    def rank(self, case: Case) -> RankingSteps:
        """Return the shuffled ids."""
        yield from ()
        order = sorted(item.item_id for item in case.candidates)
        random.Random(f"{self.seed}:{case.case_id}").shuffle(order)
        return Ranking(tuple(order))


@dataclass(frozen=True, slots=True)
class ByScore(BaseRanker, ABC):
    """A ranker that knows a score of each candidate: highest first, equal ones tied."""

    @abstractmethod
    def scores(self, case: Case) -> Sequence[float]:
        """Return the score of each candidate, in their order."""

    def rank(self, case: Case) -> RankingSteps:
        """Return the candidates by score."""
        yield from ()
        return by_score(case, self.scores(case))


@dataclass(frozen=True, slots=True)
class Popularity(ByScore):
    """Most interactions first: the count is the score, and items with the same count are tied."""

    counts: Mapping[str, int]
    """Training events per item id (see `event_counts` in `llmrank.data.cases`). An item without an entry has none."""
    name: str = "popularity"

    def scores(self, case: Case) -> Sequence[float]:
        """Return the counts."""
        return [self.counts.get(item.item_id, 0) for item in case.candidates]


@dataclass(frozen=True, slots=True)
class RecallOrder(ByScore):
    """What the recall stage proposed, unchanged: the ranking that a reranker must improve on.

    By recall score, equal ones tied; where there are no scores, in the order that came.
    """

    name: str = "recall_order"

    @property
    def needs_recall_order(self) -> bool:
        """True: in a Case without recall scores only the order tells."""
        return True

    def scores(self, case: Case) -> Sequence[float]:
        """Return the recall scores, or numbers that fall along the order."""
        return range(len(case.candidates), 0, -1) if case.recall_scores is None else case.recall_scores

    def rank(self, case: Case) -> RankingSteps:
        """Return the candidates as proposed; without scores where they came without."""
        yield from ()
        if case.recall_scores is None:
            return Ranking(tuple(item.item_id for item in case.candidates))
        return by_score(case, case.recall_scores)


@dataclass(frozen=True, slots=True)
class Oracle(ByScore):
    """The relevant candidates first, by their gain, the others tied below: the ceiling of the recall stage.

    The only ranker that sees the truth; its Case must not be blinded.
    """

    name: str = "oracle"

    @property
    def sees_truth(self) -> bool:
        """True."""
        return True

    def scores(self, case: Case) -> Sequence[float]:
        """Return the gains; 0 of what is not relevant."""
        gains = case.gain_of
        return [gains.get(item.item_id, 0.0) for item in case.candidates]


@dataclass(frozen=True, slots=True)
class Scored(ByScore):
    """Scores computed before the run, such as those of a trained recommender, make the ranking or the rating.

    They follow their items, in whatever order these come.
    """

    known: Mapping[str, Mapping[str, float]]
    """Case id -> item id -> score, or predicted rating of the target; -inf is unscored."""
    name: str

    @classmethod
    def of(cls, name: str, cases: Sequence[Case], scores: Sequence[Sequence[float]]) -> Self:
        """Return the ranker of scores that are aligned with the Cases and their candidates (or with their target)."""
        known = {
            case.case_id: {item.item_id: score for item, score in zip(case.asked, found, strict=True)}
            for case, found in zip(cases, scores, strict=True)
        }
        return cls(known, name)

    def scores(self, case: Case) -> Sequence[float]:
        """Return the scores of the candidates, or the rating of the target."""
        known = self.known[case.case_id]
        return [known[item.item_id] for item in case.asked]


def by_score(case: Case, scores: Iterable[float]) -> Ranking:
    """Return the candidates by score, highest first; or the target with its rating. Equal ones are tied, and stand in
    the order given."""
    return rank_by_score({item.item_id: score for item, score in zip(case.asked, scores, strict=True)})


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
        users, items = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
        for user_id, item_id, rating in ratings:
            users[user_id].append(rating)
            items[item_id].append(rating)
        if not users:
            hint = "give training data, or histories, with ratings"
            raise InputError("no ratings to take a mean of", field="rating", hint=hint)
        by_item, by_user = ({name: fmean(given) for name, given in lists.items()} for lists in (items, users))
        return cls(fmean(rating for given in users.values() for rating in given), by_item, by_user)


MeanName = Literal["user_mean", "item_mean", "global_mean"]


@dataclass(frozen=True, slots=True)
class MeanRating(BaseRanker):
    """Rates the target by a mean of the training ratings.

    `user_mean`: of the user's, else of those in the history shown; `item_mean`: of the target's; `global_mean`, and
    where there are none: of all.
    """

    means: RatingMeans
    name: MeanName

    def rank(self, case: Case) -> RankingSteps:
        """Return the target with its mean."""
        yield from ()
        if case.target is None:
            return Ranking((), outcome=Outcome.ERROR, reason="the Case has no target to rate")
        rating = self.means.overall
        if self.name == "item_mean":
            rating = self.means.by_item.get(case.target.item_id, rating)
        elif self.name == "user_mean":
            past = [event.rating for event in case.history if event.rating is not None]
            rating = self.means.by_user.get(case.user_id, fmean(past) if past else rating)
        return Ranking((case.target.item_id,), (rating,))
