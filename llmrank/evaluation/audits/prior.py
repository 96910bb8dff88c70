"""`prior`: each Case with candidates that all look alike."""

from __future__ import annotations

from llmrank.audit import prior, prior_variants
from llmrank.audit.prior import PRIOR
from llmrank.errors import InputError
from llmrank.evaluation.audits.options import NoOptions
from llmrank.evaluation.audits.plan import AuditPlan, changing_cases, refuse_unnamed
from llmrank.evaluation.evaluate import Evaluation
from llmrank.rankers.order import Order


def plan_prior(evaluation: Evaluation, options: NoOptions) -> AuditPlan:
    """Return what is asked; raises InputError where candidates are named by title, or shown with more than that."""
    refuse_unnamed(evaluation, "candidates that all look alike cannot be named")
    prompt = evaluation.setup.prompt
    if prompt.view.show_scores:
        raise InputError("recall scores are content", field="show_scores", hint="leave --show-scores out")
    if not Order.parse(prompt.order).is_shuffled:
        hint = "use --order shuffled: only there is the place a matter of chance"
        raise InputError(f"the order is {prompt.order}", field="order", hint=hint)
    return AuditPlan(changing_cases("prior", prior_variants()), lambda runs: prior(runs[PRIOR]))
