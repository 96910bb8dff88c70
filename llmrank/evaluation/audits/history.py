"""`history`: what is the user's history worth, and does its order matter? Each Case with it, with others, with none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random

from llmrank.audit.contrast import Contrast, worth
from llmrank.audit.finding import Audit, Variants, difference_rows, sentence_of, unread
from llmrank.errors import InputError
from llmrank.evaluation.audits.options import HistoryOptions
from llmrank.evaluation.audits.plan import AuditPlan, changing_cases
from llmrank.evaluation.evaluate import Evaluation
from llmrank.run import Run
from llmrank.types import Case, Event

FULL = "full"


def plan_history(evaluation: Evaluation, options: HistoryOptions) -> AuditPlan:
    """Return what is asked; raises InputError where no history is shown, or there is no other user's to show."""
    variants = history_variants(evaluation.cases, evaluation.cases.seed, _shown(evaluation), options.last)
    return AuditPlan(changing_cases("history", variants), history)


def _shown(evaluation: Evaluation) -> Callable[[Case], int]:
    """Return what says how many events of a Case the prompt shows; all, for a method without a template.

    Raises InputError where none are shown.
    """
    template, view = evaluation.setup.template, evaluation.setup.prompt.view
    if template is None:
        return lambda case: len(case.history)
    if not any(template.shown_events(case, view) for case in evaluation.cases):
        raise InputError("the prompt shows no history", field="history", hint="leave --no-history and --history 0 out")
    return lambda case: template.shown_events(case, view)


def history(runs: Mapping[str, Run]) -> Audit:
    """Return the headline measure under each history, and what the full one has more than each other.

    Random and fake histories are from LLMRank (Hou et al. 2023, arXiv:2305.08845). The differences are paired on users;
    unreadable answers count as worst. The Runs are by the names of `history_variants`, `full` among them.

    Raises InputError: no relevant item is known, or the Runs have no Case in common.
    """
    found = Contrast.of(runs)
    others = [name for name in runs if name != FULL]
    gained = difference_rows(
        [(f"full minus {said(name)}", found.values[FULL], found.values[name], found.users) for name in others]
    )
    claims = [worth(_subject(name), row, found.headline) for name, row in zip(others, gained, strict=True)]
    sentence = sentence_of(claims) + unread(runs.values(), "they count as worst")
    return Audit("What is the user's history worth?", sentence, (*found.levels(said), *gained), found.about)


def history_variants(
    cases: Sequence[Case], seed: int, shown: Callable[[Case], int], last: int | None = None
) -> Variants:
    """Return how the history of each Case is changed, by the name of the change.

    `full` changes nothing; `none` takes the history away; `other` shows another user's; `shuffled` shows it in another
    order, the newest events alone that the prompt shows (`shown` says how many); `last-N` leaves the newest N events
    (None: there is no such variant). A Case without history stays as it is.

    Raises InputError where fewer than two users have a history.
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
            raise InputError(f"{last} events are no history", field="last", hint="leave 1 or more")
        changes[f"last-{last}"] = lambda case: replace(case, history=case.history[-last:])
    return changes


def said(name: str) -> str:
    """Return a variant in words."""
    words = {FULL: "full history", "none": "no history", "other": "another user's", "shuffled": "shuffled history"}
    return words.get(name) or f"last {name.removeprefix('last-')} events"


def _shuffled(case: Case, seed: int, shown: int) -> Case:
    """Return the Case with the newest events in another order; the times stay where they were."""
    start = len(case.history) - shown
    newest = case.history[start:]
    drawn = Random(f"history:{seed}:{case.case_id}").sample(newest, len(newest))
    moved = [replace(event, timestamp=place.timestamp) for event, place in zip(drawn, newest, strict=True)]
    return replace(case, history=(*case.history[:start], *moved))


def _lent(cases: Sequence[Case], seed: int) -> dict[str, tuple[Event, ...]]:
    """Return the history that each Case is lent, by case id: the users stand in a drawn circle, and each takes from the
    next."""
    of_user: dict[str, list[Case]] = {}
    for case in cases:
        if case.history:
            of_user.setdefault(case.user_id, []).append(case)
    if len(of_user) < 2:
        hint = "audit Cases of two users or more, with histories"
        raise InputError("there is no other user's history to show", field="history", hint=hint)
    circle = sorted(of_user)
    Random(f"other:{seed}").shuffle(circle)
    return {
        case.case_id: of_user[lender][number % len(of_user[lender])].history
        for user, lender in zip(circle, [*circle[1:], circle[0]], strict=True)
        for number, case in enumerate(of_user[user])
    }


def _subject(name: str) -> str:
    subjects = {
        "none": "showing a history rather than none",
        "other": "showing the user's own rather than another's",
        "shuffled": "its order",
    }
    return subjects.get(name) or f"what lies before the {said(name)}"
