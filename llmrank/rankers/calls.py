"""The calls of one Case, and the Ranking from their answers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TypeVar

from llmrank.answers import without_reasoning
from llmrank.rankers.prompt import Prompt
from llmrank.rankers.ranking import merge_outcomes, partial_ranking, rank_by_score, require_decision, trivial_ranking
from llmrank.types import Answer, BaseRanker, Case, Failure, Item, Outcome, Ranking, RankingSteps, Reply, Request

T = TypeVar("T")
Steps = Generator[list[Request], Sequence[Reply], T]
"""Yields batches of Requests, receives their Replies in the same order, returns a T."""


@dataclass(slots=True)
class CaseCalls:
    """The calls about one Case. If the prompt needs a profile of the user, the first call asks for it."""

    prompt: Prompt
    case: Case
    answers: list[Answer] = field(default_factory=list[Answer])
    repairs: Counter[str] = field(default_factory=Counter[str])
    """Repairs by the method, in addition to those in the answers."""
    history_dropped: int = 0
    _profile: str | Answer | None = None
    _scores: Mapping[str, float] = field(init=False)

    def __post_init__(self) -> None:
        self._scores = recall_scores(self.case)

    def view(self, items: Sequence[Item]) -> Case:
        """Return the Case with only these candidates, in this order, for one call.

        Takes time proportional to `items`, not to the Case's candidates.
        """
        return with_candidates(self.case, items, self._scores)

    def by_recall(self) -> list[Item]:
        """Return the candidates by recall score, best first; without scores, in the order shown."""
        return sorted(self.case.candidates, key=lambda item: -self._scores.get(item.item_id, 0.0))

    def ask(self, shown: Sequence[Case], tops: Sequence[int] | None = None) -> Steps[list[Answer]]:
        """Ask about each of `shown` (views of the Case) concurrently, and return the Answers.

        `tops` is the number of items that each should return; None: the prompt's default.
        """
        first = self.prompt.profile_for(self.case)
        if first is not None and self._profile is None:
            asked = first.ask(self.case)
            [reply] = yield [asked.request]
            self._profile, self.history_dropped = _profile(reply), asked.history_dropped
        if isinstance(profile := self._profile, Answer):
            answers = [profile for _ in shown]
        else:
            prepared = [
                self.prompt.ask(view, top=top, profile=profile)
                for view, top in zip(shown, tops or [None] * len(shown), strict=True)
            ]
            replies = yield [one.request for one in prepared]
            answers = [
                require_decision(self.prompt.read(reply, one.question))
                for reply, one in zip(replies, prepared, strict=True)
            ]
            self.history_dropped = max([self.history_dropped, *(one.history_dropped for one in prepared)])
        self.answers += answers
        return answers

    def ranked(self, placed: Sequence[str]) -> Ranking:
        """Return a Ranking that starts with `placed`; the rest follows, tied. For the Outcome, see `merge_outcomes`."""
        return self._finish(partial_ranking(self.case, placed))

    def scored(self, scores: Mapping[str, float]) -> Ranking:
        """Return the Ranking by score, highest first, with ties; candidates without a score come last, with -inf."""
        everyone = {item.item_id: scores.get(item.item_id, -math.inf) for item in self.case.candidates}
        return self._finish(rank_by_score(everyone, named=len(scores)))

    def _finish(self, ranking: Ranking) -> Ranking:
        return merge_outcomes(replace(ranking, history_dropped=self.history_dropped), self.answers, self.repairs)


@dataclass(frozen=True, slots=True)
class PromptRanker(BaseRanker, ABC):
    """A method that asks about a Case's candidates with a prompt. Fewer than two candidates need no call."""

    prompt: Prompt

    def rank(self, case: Case) -> RankingSteps:
        """Ask about the candidates, and rank them by the answers."""
        return trivial_ranking(case) or (yield from self._ask(CaseCalls(self.prompt, case)))

    @abstractmethod
    def _ask(self, calls: CaseCalls) -> RankingSteps: ...


def _profile(reply: Reply) -> str | Answer:
    """Return the profile in a Reply, without reasoning; if it is missing, the Answer for all further calls."""
    if isinstance(reply, Failure):
        return Answer(Outcome.ERROR, reason=f"profile: {reply.reason}")
    text = without_reasoning(reply.text)
    return Answer(Outcome.UNPARSED, reason="profile: the reasoning does not end") if text is None else text.strip()


def with_candidates(case: Case, items: Sequence[Item], scores: Mapping[str, float] | None = None) -> Case:
    """Return the Case with only these candidates, in this order, and their recall scores.

    Pass the `recall_scores` of the Case as `scores` to make many views of a long list.
    """
    if case.recall_scores is None:
        return replace(case, candidates=tuple(items))
    known = recall_scores(case) if scores is None else scores
    return replace(case, candidates=tuple(items), recall_scores=tuple(known[item.item_id] for item in items))


def at_places(case: Case, places: Sequence[int]) -> Case:
    """Return the Case with only the candidates at these places, in this order, and their recall scores."""
    items, scores = case.candidates, case.recall_scores
    return replace(
        case,
        candidates=tuple(items[place] for place in places),
        recall_scores=scores and tuple(scores[place] for place in places),
    )


def recall_scores(case: Case) -> dict[str, float]:
    """Return the recall scores by item id; empty if there are none."""
    scores = case.recall_scores or ()
    return {item.item_id: score for item, score in zip(case.candidates, scores, strict=bool(scores))}


def side_by_side(
    generators: Sequence[Steps[T]], change: Callable[[int, list[Request]], list[Request]] = lambda _, batch: batch
) -> Steps[list[T]]:
    """Run the generators concurrently, merging their batches, and return their results in order.

    `change` receives the number of a generator and its batch, and returns the batch to send instead.
    """
    results: dict[int, T] = {}
    answers: dict[int, Sequence[Reply] | None] = dict.fromkeys(range(len(generators)))
    while answers:
        batches: dict[int, list[Request]] = {}
        for number, replies in answers.items():
            steps = generators[number]
            try:
                batches[number] = change(number, next(steps) if replies is None else steps.send(replies))
            except StopIteration as stop:
                results[number] = stop.value
        if not batches:
            break
        answered = iter((yield [request for batch in batches.values() for request in batch]))
        answers = {number: list(islice(answered, len(batch))) for number, batch in batches.items()}
    return [results[number] for number in range(len(generators))]
