"""`identifiers`: each Case with its items named by every scheme that the prompt can be combined with."""

from __future__ import annotations

from functools import partial

from llmrank.audit import identifiers
from llmrank.errors import InputError
from llmrank.evaluation.audits.options import NoOptions
from llmrank.evaluation.audits.plan import AuditPlan, Change, as_it_is, asking, refuse_catalogue, template_of
from llmrank.evaluation.evaluate import Evaluation
from llmrank.evaluation.method import check_prompt
from llmrank.prompting import PromptTemplate, View
from llmrank.prompting.identifiers import IDS, Ids

SINGLE_DIGITS = 9
"""Candidates up to which a number is one token of any model. As letters, labels that suit the model are shown."""


def plan_identifiers(evaluation: Evaluation, options: NoOptions) -> AuditPlan:
    """Return what is asked: the prompt's own scheme first.

    Raises InputError for a prompt that names no items, or that can name them in one way only.
    """
    template = template_of(evaluation, "identifiers")
    if template.front.about_one_item:
        hint = "choose a prompt that shows a list, such as rankgpt"
        raise InputError(f"{template.name} asks about one item at a time", field="prompt", hint=hint)
    refuse_catalogue(template)
    view = evaluation.setup.prompt.view
    own = view.ids or template.front.ids
    changes: dict[str, Change] = {own: as_it_is}
    left_out: dict[str, str] = {}
    for ids in IDS:
        if ids == own:
            continue
        if (why := _unusable(evaluation, template, ids)) is None:
            changes[ids] = partial(asking, ids=ids)
        else:
            left_out[ids] = why
    if len(changes) == 1:
        reasons = "; ".join(f"{ids}: {why}" for ids, why in left_out.items())
        hint = "choose a prompt that shows `item.identifier` and whose answer is read as text, such as palr or rankgpt"
        raise InputError(f"{template.name} can name items by {own} only ({reasons})", field="prompt", hint=hint)
    return AuditPlan(changes, lambda runs: identifiers(runs, left_out))


def _unusable(evaluation: Evaluation, template: PromptTemplate, ids: Ids) -> str | None:
    """Return why the prompt cannot name items by this scheme; None where it can."""
    view: View = asking(evaluation, ids=ids).setup.prompt.view
    longest = max(evaluation.cases, key=lambda case: len(case.candidates))
    try:
        check_prompt(template, view)
        template.question(longest, view)
    except InputError as error:
        return error.problem.removeprefix(f"template {template.name!r}: ")
    single = ids == "letters" or (ids == "numbers" and len(longest.candidates) <= SINGLE_DIGITS)
    if template.answer_for(ids) == "label_logprobs" and not single:
        return "the first token of the answer is read, and these need not be one token each"
    return None
