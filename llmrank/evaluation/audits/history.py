"""`history`: each Case with its history, with others, and with none."""

from __future__ import annotations

from collections.abc import Callable

from llmrank.audit import history, history_variants
from llmrank.errors import InputError
from llmrank.evaluation.audits.options import HistoryOptions
from llmrank.evaluation.audits.plan import AuditPlan, changing_cases
from llmrank.evaluation.evaluate import Evaluation
from llmrank.types import Case


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
