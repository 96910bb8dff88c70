"""`identifiers`: does what an item is called in the prompt decide? Each Case with every scheme that it can use."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from llmrank.audit.contrast import Contrast
from llmrank.audit.finding import Audit, with_reasons
from llmrank.errors import InputError
from llmrank.evaluation.audits.options import IdentifiersOptions
from llmrank.evaluation.audits.plan import AuditPlan, as_it_is, asking, refuse_catalogue, template_of
from llmrank.evaluation.evaluate import Evaluation
from llmrank.evaluation.method import check_prompt
from llmrank.prompting import PromptTemplate, View
from llmrank.prompting.identifiers import IDS, Ids
from llmrank.run import Run

SINGLE_DIGITS = 9
"""Candidates up to which a number is one token of any model. As letters, labels that suit the model are shown."""


def plan_identifiers(evaluation: Evaluation, options: IdentifiersOptions) -> AuditPlan:
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
    others = {ids: _unusable(evaluation, template, ids) for ids in IDS if ids != own}
    left_out = {_said(ids): why for ids, why in others.items() if why is not None}
    if len(left_out) == len(others):
        reasons = "; ".join(f"{ids}: {why}" for ids, why in others.items())
        hint = "choose a prompt that shows `item.identifier` and whose answer is read as text, such as palr or rankgpt"
        raise InputError(f"{template.name} can name items by {own} only ({reasons})", field="prompt", hint=hint)
    changes = {own: as_it_is} | {ids: partial(asking, ids=ids) for ids, why in others.items() if why is None}
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


def identifiers(runs: Mapping[str, Run], left_out: Mapping[str, str]) -> Audit:
    """Return the headline measure under each identifier scheme, and how far the others differ from the prompt's own.

    Beside the differences, which are paired on users: Kendall's tau of the ranks, the overlap of the tops, and the
    share of answers that cannot be read, which count as worst. The Runs are by identifier scheme, the prompt's own
    first; `left_out` are the schemes that the method cannot use, in words, and why.

    Raises InputError: no relevant item is known, or the Runs have no Case in common.
    """
    own = _said(next(iter(runs)))
    found = Contrast.of(runs)
    return found.audit(
        "Does what an item is called in the prompt decide?",
        lambda name: f"naming items by {_said(name)} rather than {own}",
        _said,
        remark=with_reasons("Left out", left_out),
    )


def _said(scheme: str) -> str:
    return "item ids" if scheme == "item_id" else scheme
