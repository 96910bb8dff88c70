"""`prior`: do identifier and position alone affect the ranking? All candidates of a Case have the same text."""

from __future__ import annotations

from llmrank.audit.finding import Audit
from llmrank.audit.options import PriorOptions
from llmrank.audit.plan import AuditPlan, changing_cases, refuse_unnamed
from llmrank.audit.position import place_audit, shuffled_stories
from llmrank.errors import InputError
from llmrank.evaluation.evaluate import Evaluation
from llmrank.rankers.calibration import without_content
from llmrank.rankers.order import Order
from llmrank.run import Run


def plan_prior(evaluation: Evaluation, options: PriorOptions) -> AuditPlan:
    """Return the plan; raises InputError if candidates are named by title, shown with scores, or not shuffled."""
    refuse_unnamed(evaluation, "candidates with equal titles cannot be told apart")
    prompt = evaluation.setup.prompt
    if prompt.view.show_scores:
        problem = "recall scores distinguish the candidates"
        raise InputError(problem, field="show_scores", hint="omit --show-scores")
    if not Order.parse(prompt.order).is_shuffled:
        hint = "use --order shuffled: only then are the positions random"
        raise InputError(f"the order {prompt.order} is not shuffled", field="order", hint=hint)
    return AuditPlan(changing_cases("prior", {"prior": without_content}), lambda runs: prior(runs["prior"]))


def prior(run: Run) -> Audit:
    """Return how much the position matters when all candidates have the same text.

    Replacing content by a placeholder follows Zhao et al. (2021, arXiv:2102.09690). The findings are those of
    `position` without the hit rate: the correlation of position and rank, and where the item ranked first was shown.

    Raises InputError if the candidates were not shown in a shuffled order, or if no Case has a readable ranking.
    """
    return place_audit("Do identifier and position alone affect the ranking?", shuffled_stories(run), run.title)
