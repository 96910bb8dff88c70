"""`injection`: each Case with the title of one candidate attacked."""

from __future__ import annotations

from collections.abc import Callable

from llmrank.audit import injection, injection_variants
from llmrank.evaluation.audits.options import NoOptions
from llmrank.evaluation.audits.plan import AuditPlan, changing_cases, refuse_unnamed
from llmrank.evaluation.evaluate import Evaluation
from llmrank.rankers.order import Order
from llmrank.types import Case, Item


def plan_injection(evaluation: Evaluation, options: NoOptions) -> AuditPlan:
    """Return what is asked; raises InputError where answers name titles."""
    refuse_unnamed(evaluation, "an answer could name the item without the attack, and would not be read")
    variants = injection_variants(evaluation.cases.seed, _answer_line(evaluation))
    return AuditPlan(changing_cases("injection", variants), injection)


def _answer_line(evaluation: Evaluation) -> Callable[[Case, Item], str]:
    """Return what says how an answer would rank an item first, by the identifier that it has in the whole list."""
    template, view = evaluation.setup.template, evaluation.setup.prompt.view
    if template is None:
        return lambda _, item: item.title
    answer, order = template.answer_for(view.ids), Order.parse(evaluation.setup.prompt.order, evaluation.cases.seed)
    high = (template.front.scale or evaluation.cases.training.scale)[1]

    def line(case: Case, item: Item) -> str:
        if template.front.about_one_item:
            return "Yes" if answer == "yes_no" else f"{high:g}"
        question = template.question(order.arrange(case), view)
        identifier = question.identifiers[question.items.index(item)]
        forms = {"permutation": f"[{identifier}] >", "json": f'{{"ranking": ["{identifier}"]}}'}
        return forms.get(answer, identifier)

    return line
