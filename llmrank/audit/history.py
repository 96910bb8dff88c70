"""`history`: what is the user's history worth, and does its order matter? Cases are asked with varied histories."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random

from llmrank.audit.contrast import Contrast, worth
from llmrank.audit.finding import Audit, Variants, difference_rows, sentence_of, unread
from llmrank.audit.options import HistoryOptions
from llmrank.audit.plan import AuditPlan, changing_cases
from llmrank.errors import InputError, count_of
from llmrank.evaluation.evaluate import Evaluation
from llmrank.run import Run
from llmrank.types import Case, Event

FULL = "full"


def plan_history(evaluation: Evaluation, options: HistoryOptions) -> AuditPlan:
    """Return the plan; raises InputError if no history is shown, or if there is no other user's to show."""
    variants = history_variants(evaluation.cases, evaluation.cases.seed, _shown(evaluation), options.last)
    return AuditPlan(changing_cases("history", variants), history)


def _shown(evaluation: Evaluation) -> Callable[[Case], int]:
    """Return a function that counts the events of a Case that the prompt shows; all, for a method without a template.

    Raises InputError if none are shown.
    """
    template, view = evaluation.setup.template, evaluation.setup.prompt.view
    if template is None:
        return lambda case: len(case.history)
    if not any(template.shown_events(case, view) for case in evaluation.cases):
        raise InputError("the prompt shows no history", field="history", hint="show at least one event (--history)")
    return lambda case: template.shown_events(case, view)


def history(runs: Mapping[str, Run]) -> Audit:
    """Return the headline measure under each history, and the gain of the full history over each other.

    Random and fake histories are from LLMRank (Hou et al. 2023, arXiv:2305.08845). The differences are paired on users;
    unreadable answers count as worst. The Runs have the names of `history_variants`, including `full`.

    Raises InputError if no relevant item is known, or if the Runs have no Case in common.
    """
    found = Contrast.of(runs, said)
    others = [name for name in runs if name != FULL]
    gained = difference_rows(
        [(f"full minus {said(name)}", found.values[FULL], found.values[name], found.users) for name in others], most=1
    )
    claims = [worth(_subject(name), row, found.headline) for name, row in zip(others, gained, strict=True)]
    sentence = sentence_of(claims) + unread(runs.values(), "such answers count as worst")
    return Audit("What is the user's history worth?", sentence, (*found.levels(), *gained), found.about)


def history_variants(
    cases: Sequence[Case], seed: int, shown: Callable[[Case], int], last: int | None = None
) -> Variants:
    """Return the changes to each Case's history, by name.

    `full` changes nothing; `none` removes the history; `other` shows another user's; `shuffled` shuffles the newest
    events, as many as the prompt shows (`shown`); `last-N` keeps the newest N events (no such variant if `last` is
    None). A Case without history stays unchanged.

    Raises InputError if fewer than two users have a history.
    """
    lent = _lent(cases, seed)
    changes: dict[str, Callable[[Case], Case]] = {
        FULL: lambda case: case,
        "none": lambda case: replace(case, history=()),
        "other": lambda case: replace(case, history=lent.get(case.case_id, ())),
        "shuffled": lambda case: _shuffled(case, seed, shown(case)),
    }
    if last is not None:
        if last < 1:
            raise InputError(f"expected at least 1 event, got {last}", field="last", hint="keep 1 or more")
        changes[f"last-{last}"] = lambda case: replace(case, history=case.history[-last:])
    return changes


def said(name: str) -> str:
    """Return a variant in words."""
    words = {
        FULL: "full history",
        "none": "no history",
        "other": "another user's history",
        "shuffled": "shuffled history",
    }
    return words.get(name) or f"last {count_of(int(name.removeprefix('last-')), 'event')}"


def _shuffled(case: Case, seed: int, shown: int) -> Case:
    """Shuffle the newest events of a Case; the timestamps keep their places."""
    start = len(case.history) - shown
    newest = case.history[start:]
    drawn = Random(f"history:{seed}:{case.case_id}").sample(newest, len(newest))
    moved = [replace(event, timestamp=place.timestamp) for event, place in zip(drawn, newest, strict=True)]
    return replace(case, history=(*case.history[:start], *moved))


def _lent(cases: Sequence[Case], seed: int) -> dict[str, tuple[Event, ...]]:
    """Return another user's history for each Case, by case id: users form a random circle and each takes the next's."""
    of_user: dict[str, list[Case]] = {}
    for case in cases:
        if case.history:
            of_user.setdefault(case.user_id, []).append(case)
    if len(of_user) < 2:
        hint = "audit Cases of at least two users with histories"
        raise InputError("no other user has a history to show", field="history", hint=hint)
    circle = sorted(of_user)
    Random(f"other:{seed}").shuffle(circle)
    return {
        case.case_id: of_user[lender][number % len(of_user[lender])].history
        for user, lender in zip(circle, [*circle[1:], circle[0]], strict=True)
        for number, case in enumerate(of_user[user])
    }


def _subject(name: str) -> str:
    subjects = {
        "none": "showing a history instead of none",
        "other": "showing the user's own history instead of another user's",
        "shuffled": "keeping the history in order",
    }
    return subjects.get(name) or f"showing more than the {said(name)}"
