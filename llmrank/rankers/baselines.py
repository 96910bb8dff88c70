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
    """A seeded shuffle of the sorted ids, `Random(f"{seed}:{case_id}")`, independent of the input order.

    For the expected value of a measure under chance, use `Judgements.random()`, which is exact.
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
    """A ranker with a score for each candidate: highest first, equal scores tied."""

    @abstractmethod
    def scores(self, case: Case) -> Sequence[float]:
        """Return the scores, in the order of the candidates."""

    def rank(self, case: Case) -> RankingSteps:
        """Return the candidates by score."""
        yield from ()
        return by_score(case, self.scores(case))


@dataclass(frozen=True, slots=True)
class Popularity(ByScore):
    """Most popular items first. The score is the number of training events; equal counts are tied."""

    counts: Mapping[str, int]
    """Training events per item id (see `event_counts` in `llmrank.data.cases`); a missing item counts as 0."""
    name: str = "popularity"

    def scores(self, case: Case) -> Sequence[float]:
        """Return the counts."""
        return [self.counts.get(item.item_id, 0) for item in case.candidates]


@dataclass(frozen=True, slots=True)
class RecallOrder(ByScore):
    """The ranking of the recall stage, unchanged, which a reranker must improve on.

    By recall score, with ties; without scores, in the given order.
    """

    name: str = "recall_order"

    @property
    def needs_recall_order(self) -> bool:
        """True: without recall scores, the order is the ranking."""
        return True

    def scores(self, case: Case) -> Sequence[float]:
        """Return the recall scores, or decreasing numbers if there are none."""
        return range(len(case.candidates), 0, -1) if case.recall_scores is None else case.recall_scores

    def rank(self, case: Case) -> RankingSteps:
        """Return the candidates in recall order, with scores only if the Case has them."""
        yield from ()
        if case.recall_scores is None:
            return Ranking(tuple(item.item_id for item in case.candidates))
        return by_score(case, case.recall_scores)


@dataclass(frozen=True, slots=True)
class Oracle(ByScore):
    """Relevant candidates first, by gain, the others tied below: the ceiling set by the recall stage.

    The only ranker that sees the truth. Its Case must not be blinded.
    """

    name: str = "oracle"

    @property
    def sees_truth(self) -> bool:
        """True."""
        return True

    def scores(self, case: Case) -> Sequence[float]:
        """Return the gains; 0 for items that are not relevant."""
        gains = case.gain_of
        return [gains.get(item.item_id, 0.0) for item in case.candidates]


@dataclass(frozen=True, slots=True)
class Scored(ByScore):
    """Ranks, or rates, by scores computed before the run, such as those of a trained recommender.

    The scores are looked up by item, so the order of the candidates does not matter.
    """

    known: Mapping[str, Mapping[str, float]]
    """Case id -> item id -> score, or predicted rating of the target; -inf means no score."""
    name: str

    @classmethod
    def of(cls, name: str, cases: Sequence[Case], scores: Sequence[Sequence[float]]) -> Self:
        """Return a ranker with these scores, aligned with the Cases and their candidates (or target)."""
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
    """Return the candidates by score, highest first, or the target with its rating. Ties keep the given order."""
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
        """Return the means of (user_id, item_id, rating) triples. Raises InputError if there are none."""
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
    """Predicts a mean of the training ratings for the target.

    `user_mean` is the mean of the user's ratings, or else of those in the history; `item_mean` is the mean of the
    target's ratings; `global_mean` is the mean of all, and the fallback of the other two.
    """

    means: RatingMeans
    name: MeanName

    def rank(self, case: Case) -> RankingSteps:
        """Return the target with its predicted rating."""
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
