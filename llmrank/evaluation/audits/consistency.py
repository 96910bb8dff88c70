"""`consistency`: does the order of the candidates change the ranking? Each Case is asked in several orders."""

from __future__ import annotations

from functools import partial

from llmrank.audit import consistency
from llmrank.evaluation.audits.options import ConsistencyOptions
from llmrank.evaluation.audits.plan import AuditPlan, Change, as_it_is, asking, refuse_fixed_order
from llmrank.evaluation.evaluate import Evaluation


def plan_consistency(evaluation: Evaluation, options: ConsistencyOptions) -> AuditPlan:
    """Return the plan: the Run of `eval`, and Runs in other orders; raises InputError if the order is fixed."""
    order = refuse_fixed_order(evaluation)
    changes: dict[str, Change] = {"order-1": as_it_is}
    for at in range(1, options.orders):
        changes[f"order-{at + 1}"] = partial(asking, order=f"shuffled-{order.number + at}")
    return AuditPlan(changes, lambda runs: consistency(*runs.values()))
