"""Collects the calls made for one Case and derives the Outcome of its Ranking from their answers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from llmrank.rankers.outcomes import has_no_result, merge_outcomes
from llmrank.rankers.prompt import Prompt
from llmrank.rankers.steps import Steps
from llmrank.types import Answer, Case, Failure, Item, Outcome, Ranking


@dataclass(slots=True)
class CaseCalls:
    """The calls about one Case. The profile, where the prompt wants one, is asked for once, before all else."""

    prompt: Prompt
    case: Case
    answers: list[Answer] = field(default_factory=list[Answer])
    repairs: Counter[str] = field(default_factory=Counter[str])
    """What the method had to repair, beside what is repaired in the answers."""
    history_dropped: int = 0
    _profile: Answer | str | None = None

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
        """Return the Ranking with what all the answers amount to."""
        return replace(merge_outcomes(ranking, self.answers, self.repairs), history_dropped=self.history_dropped)


def trivial_ranking(case: Case) -> Ranking | None:
    """Return the Ranking of a Case with no or one candidate, which needs no call; None where there is a choice."""
    return Ranking(tuple(item.item_id for item in case.candidates)) if len(case.candidates) < 2 else None


def partial_ranking(case: Case, placed: Sequence[str]) -> Ranking:
    """Return the Ranking that begins with `placed`; the rest follows in the order shown, tied."""
    known = set(placed)
    rest = [item.item_id for item in case.candidates if item.item_id not in known]
    return Ranking((*placed, *rest), named=len(placed))


def with_candidates(case: Case, items: Sequence[Item]) -> Case:
    """Return the Case with these of its candidates alone, in this order, and their recall scores."""
    if case.recall_scores is None:
        return replace(case, candidates=tuple(items))
    scores = {item.item_id: score for item, score in zip(case.candidates, case.recall_scores, strict=True)}
    return replace(case, candidates=tuple(items), recall_scores=tuple(scores[item.item_id] for item in items))


def require_decision(answer: Answer) -> Answer:
    """Return the Answer; a readable one that says nothing (no item, no value) as unparsed: it is no decision."""
    if has_no_result(answer) or answer.ranked or answer.value is not None:
        return answer
    return replace(answer, outcome=Outcome.UNPARSED, reason=answer.reason or "no_decision")
