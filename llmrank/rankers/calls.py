"""Collects the calls made for one Case and derives its Ranking from their answers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from llmrank.rankers.prompt import Prompt
from llmrank.rankers.ranking import has_no_result, merge_outcomes, partial_ranking
from llmrank.types import Answer, Case, Failure, Item, Outcome, Ranking, Reply, Request

T = TypeVar("T")
Steps = Generator[list[Request], Sequence[Reply], T]
"""Yields batches of Requests, receives their Replies in the same order, returns a T."""


@dataclass(slots=True)
class CaseCalls:
    """The calls about one Case. A prompt that wants a profile of the user asks for it once, before all else."""

    prompt: Prompt
    case: Case
    answers: list[Answer] = field(default_factory=list[Answer])
    repairs: Counter[str] = field(default_factory=Counter[str])
    """What the method had to repair, in addition to what is repaired in the answers."""
    history_dropped: int = 0
    _profile: Answer | str | None = None
    _scores: Mapping[str, float] | None = None

    def view(self, items: Sequence[Item]) -> Case:
        """Return the Case with these of its candidates alone, in this order: what one call shows.

        It takes time in proportion to `items`, not to the Case's candidates.
        """
        if self.case.recall_scores is None:
            return replace(self.case, candidates=tuple(items))
        if self._scores is None:
            self._scores = _scores_of(self.case)
        scores = tuple(self._scores[item.item_id] for item in items)
        return replace(self.case, candidates=tuple(items), recall_scores=scores)

    def ask(self, shown: Sequence[Case], tops: Sequence[int] | None = None) -> Steps[list[Answer]]:
        """Ask about each of `shown`, views of the Case, side by side, and return the Answers.

        `tops` says how many items each is to return; None: what the prompt says.
        """
        if self.prompt.profile is not None and self._profile is None:
            [reply] = yield [self.prompt.profile.ask(self.case).request]
            failed = isinstance(reply, Failure)
            self._profile = Answer(Outcome.ERROR, f"profile: {reply.reason}") if failed else reply.text.strip()
        if isinstance(self._profile, Answer):
            answers = [self._profile for _ in shown]
        else:
            asked = [
                self.prompt.ask(view, top=top, profile=self._profile)
                for view, top in zip(shown, tops or [None] * len(shown), strict=True)
            ]
            replies = yield [one.request for one in asked]
            answers = [
                require_decision(self.prompt.read(reply, one.question))
                for reply, one in zip(replies, asked, strict=True)
            ]
            self.history_dropped = max([self.history_dropped, *(one.history_dropped for one in asked)])
        self.answers += answers
        return answers

    def ranked(self, placed: Sequence[str]) -> Ranking:
        """Return the Ranking that begins with `placed`; the rest follows, tied. Its Outcome: see `merge_outcomes`."""
        return self.finish(partial_ranking(self.case, placed))

    def scored(self, scores: Mapping[str, float]) -> Ranking:
        """Return the Ranking by score, highest first, equal ones tied; candidates without one last, with -inf."""
        everyone = {item.item_id: scores.get(item.item_id, -math.inf) for item in self.case.candidates}
        order = tuple(sorted(everyone, key=lambda item_id: -everyone[item_id]))
        return self.finish(Ranking(order, tuple(everyone[item_id] for item_id in order), named=len(scores)))

    def finish(self, ranking: Ranking) -> Ranking:
        """Return the Ranking with the Outcome that all the answers add up to."""
        return replace(merge_outcomes(ranking, self.answers, self.repairs), history_dropped=self.history_dropped)


def with_candidates(case: Case, items: Sequence[Item]) -> Case:
    """Return the Case with these of its candidates alone, in this order, and their recall scores.

    For many views of one long list, `CaseCalls.view` is faster.
    """
    if case.recall_scores is None:
        return replace(case, candidates=tuple(items))
    scores = _scores_of(case)
    return replace(case, candidates=tuple(items), recall_scores=tuple(scores[item.item_id] for item in items))


def require_decision(answer: Answer) -> Answer:
    """Return the Answer; a readable one that names no item and no value becomes unparsed: it decides nothing."""
    if has_no_result(answer) or answer.ranked or answer.value is not None:
        return answer
    return replace(answer, outcome=Outcome.UNPARSED, reason=answer.reason or "no_decision")


def transformed(steps: Steps[T], change: Callable[[list[Request]], list[Request]]) -> Steps[T]:
    """Return the steps with every batch changed by `change` before it is yielded."""
    replies: Sequence[Reply] | None = None
    while True:
        try:
            batch = next(steps) if replies is None else steps.send(replies)
        except StopIteration as stop:
            return stop.value
        replies = yield change(batch)


def side_by_side(generators: Sequence[Steps[T]]) -> Steps[list[T]]:
    """Return what each generator returns, in order; batches that are open at the same time are yielded as one."""
    results: dict[int, T] = {}
    answers: dict[int, Sequence[Reply] | None] = dict.fromkeys(range(len(generators)))
    while answers:
        batches: dict[int, list[Request]] = {}
        for number, replies in answers.items():
            try:
                batches[number] = next(generators[number]) if replies is None else generators[number].send(replies)
            except StopIteration as stop:
                results[number] = stop.value
        if not batches:
            break
        replies = yield [request for batch in batches.values() for request in batch]
        answers, start = {}, 0
        for number, batch in batches.items():
            answers[number] = replies[start : start + len(batch)]
            start += len(batch)
    return [results[number] for number in range(len(generators))]


def _scores_of(case: Case) -> dict[str, float]:
    scores = case.recall_scores or ()
    return {item.item_id: score for item, score in zip(case.candidates, scores, strict=True)}
