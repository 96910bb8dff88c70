"""`identifiers`: do the identifiers in the prompt matter? Cases are asked with every usable scheme."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from llmrank.audit.contrast import Contrast
from llmrank.audit.finding import Audit, with_reasons
from llmrank.audit.options import IdentifiersOptions
from llmrank.audit.plan import AuditPlan, as_it_is, asking, refuse_catalogue, template_of
from llmrank.errors import InputError
from llmrank.evaluation.evaluate import Evaluation
from llmrank.evaluation.method import check_prompt
from llmrank.prompting import PromptTemplate, View
from llmrank.prompting.identifiers import IDS, Ids
from llmrank.run import Run

SINGLE_DIGITS = 9
"""Up to this many candidates, a number is a single token of any model. For letters, suitable labels are chosen."""


def plan_identifiers(evaluation: Evaluation, options: IdentifiersOptions) -> AuditPlan:
    """Return the plan, with the prompt's own scheme first.

    Raises InputError for a prompt that shows no list of items, or that supports only one scheme.
    """
    template = template_of(evaluation, "identifiers")
    if template.front.about_one_item:
        hint = "choose a prompt that shows a list, such as rankgpt"
        raise InputError(f"{template.name} asks about one item at a time", field="prompt", hint=hint)
    refuse_catalogue(template)
    view = evaluation.setup.prompt.view
    own = view.ids or template.front.ids
    others = {ids: _unusable(evaluation, template, ids) for ids in IDS if ids != own}
    left_out = {_said(ids): why for ids, why in others.items() if why is not None}
    if len(left_out) == len(others):
        reasons = "; ".join(f"{ids}: {why}" for ids, why in others.items())
        hint = "choose a prompt that shows `item.identifier` and whose answer is read as text, such as palr or rankgpt"
        raise InputError(f"{template.name} can identify items only by {own} ({reasons})", field="prompt", hint=hint)
    changes = {own: as_it_is} | {ids: partial(asking, ids=ids) for ids, why in others.items() if why is None}
    return AuditPlan(changes, lambda runs: identifiers(runs, left_out))


def _unusable(evaluation: Evaluation, template: PromptTemplate, ids: Ids) -> str | None:
    """Return why the prompt cannot use this scheme, or None if it can."""
    view: View = asking(evaluation, ids=ids).setup.prompt.view
    longest = max(evaluation.cases, key=lambda case: len(case.candidates))
    try:
        check_prompt(template, view)
        template.question(longest, view)
    except InputError as error:
        return error.problem.removeprefix(f"template {template.name!r}: ")
    single = ids == "letters" or (ids == "numbers" and len(longest.candidates) <= SINGLE_DIGITS)
    if template.answer_for(ids) == "label_logprobs" and not single:
        return "the first token of the answer is read, but these identifiers may be longer than one token"
    return None


def identifiers(runs: Mapping[str, Run], left_out: Mapping[str, str]) -> Audit:
    """Return the headline measure under each identifier scheme, and the differences from the prompt's own.

    The differences are paired on users. Other rows give Kendall's tau of the ranks, the overlap of the tops, and the
    share of unreadable answers, which count as worst. The Runs are by identifier scheme, the prompt's own first;
    `left_out` maps the schemes that the method cannot use to the reasons.

    Raises InputError if no relevant item is known, or if the Runs have no Case in common.
    """
    own = _said(next(iter(runs)))
    return Contrast.of(runs, _said).audit(
        "Does the identifier scheme affect the ranking?",
        lambda name: f"identifying items by {_said(name)} instead of {own}",
        remark=with_reasons("Left out", left_out),
    )


def _said(scheme: str) -> str:
    return "item ids" if scheme == "item_id" else scheme
