"""`prior`: do identifier and position alone affect the ranking? All candidates of a Case have the same text."""

from __future__ import annotations

from llmrank.audit.finding import Audit
from llmrank.audit.position import place_findings, shuffled_stories
from llmrank.errors import InputError
from llmrank.evaluation.audits.options import PriorOptions
from llmrank.evaluation.audits.plan import AuditPlan, changing_cases, refuse_unnamed
from llmrank.evaluation.evaluate import Evaluation
from llmrank.rankers.calibration import without_content
from llmrank.rankers.order import Order
from llmrank.run import CaseStory, Run


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

    Replacing content by a placeholder follows Zhao et al. (2021, arXiv:2102.09690). The main number is Spearman's
    correlation between the position shown and the rank given, averaged over Cases: 1 if the list is returned as shown.
    Other rows give how often the item ranked first was shown in the first and in the last third of the list.

    Raises InputError if the candidates were not shown in a shuffled order, or if no Case has a readable ranking.
    """
    stories = shuffled_stories(run)
    thirds = {
        f"the item ranked first was shown in the {name} third": [_third(story, third) for story in stories]
        for third, name in ((0, "first"), (2, "last"))
    }
    rows, sentence = place_findings(stories, thirds)
    return Audit("Do identifier and position alone affect the ranking?", sentence, tuple(rows), run.title)


def _third(story: CaseStory, third: int) -> list[str]:
    n = len(story.shown)
    return [item.item_id for place, item in enumerate(story.shown) if 3 * place // n == third]
