"""The plan of an audit: the variants of an evaluation to run, and how to read their Runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from llmrank.audit.finding import Audit, Variants
from llmrank.errors import InputError
from llmrank.evaluation.cases import cases_hash
from llmrank.evaluation.evaluate import Evaluation
from llmrank.evaluation.settings import gather
from llmrank.prompting import PromptTemplate
from llmrank.rankers.order import Order
from llmrank.run import Run
from llmrank.types import Backend, Case

Change = Callable[[Evaluation], Evaluation]


@dataclass(frozen=True, slots=True)
class AuditPlan:
    """What an audit asks, and how it reads the answers."""

    changes: Mapping[str, Change]
    """The change to the evaluation, by name of the variant."""
    read: Callable[[Mapping[str, Run]], Audit]
    """Returns the audit of the Runs, which have the names of `changes`."""
    refuse: Callable[[Backend], None] = lambda _: None
    """Raises InputError for a backend known not to support the audit; called before each variant."""


def as_it_is(evaluation: Evaluation) -> Evaluation:
    """Return the evaluation unchanged: its Run is the one that `eval` would make."""
    return evaluation


def changing_cases(audit: str, variants: Variants) -> dict[str, Change]:
    """Return changes of an evaluation that apply each variant to its Cases."""
    return {name: partial(_with_changed_cases, f"{audit}: {name}", change) for name, change in variants.items()}


def _with_changed_cases(variant: str, change: Callable[[Case], Case], evaluation: Evaluation) -> Evaluation:
    cases = evaluation.cases
    changed = tuple(map(change, cases))
    if changed == cases.cases:
        return evaluation
    note = f"The Cases are changed for the audit {variant}."
    # Another version of llmrank may change the Cases differently; the hash keeps it from continuing this Run.
    settings = {**cases.settings, "variant": variant, "variant_sha256": cases_hash(changed)}
    return replace(evaluation, cases=replace(cases, cases=changed, notes=(*cases.notes, note), settings=settings))


def asking(evaluation: Evaluation, template: PromptTemplate | None = None, **settings: object) -> Evaluation:
    """Return the evaluation with another template (None: its own), and other settings of the prompt."""
    setup = evaluation.setup
    changed = replace(setup, prompt=gather(setup.prompt, settings), template=template or setup.template)
    return replace(evaluation, setup=changed)


def template_of(evaluation: Evaluation, audit: str) -> PromptTemplate:
    """Return the method's template; raises InputError if it has none."""
    if evaluation.setup.template is None:
        hint = "choose a prompt, and a --ranker that uses it"
        raise InputError(f"{audit} audits a prompt, but this method uses none", field="ranker", hint=hint)
    return evaluation.setup.template


def refuse_fixed_order(evaluation: Evaluation) -> Order:
    """Return the order of the evaluation; raises InputError unless it is a plain shuffle, asked once."""
    prompt = evaluation.setup.prompt
    order = Order.parse(prompt.order)
    if not order.is_shuffled or order.moved[0]:
        hint = "use --order shuffled: the audit makes the other orders itself"
        raise InputError(f"the order {prompt.order} is not a plain shuffle", field="order", hint=hint)
    if prompt.options.repeats > 1:
        raise InputError("--repeats uses its own orders", field="repeats", hint="omit --repeats")
    return order


def refuse_unnamed(evaluation: Evaluation, why: str) -> None:
    """Raise InputError for a prompt that shows no candidates, or whose answer names them by title."""
    template, view = evaluation.setup.template, evaluation.setup.prompt.view
    if template is None or template.front.about_one_item:
        return
    refuse_catalogue(template)
    if (view.ids or template.front.ids) == "titles":
        hint = "show identifiers: --ids numbers, or letters"
        raise InputError(f"{template.name} asks for titles: {why}", field="ids", hint=hint)


def refuse_catalogue(template: PromptTemplate) -> None:
    """Raise InputError for a prompt that shows no candidates."""
    if template.front.candidates == "catalogue":
        hint = "choose a prompt that shows the candidates, such as palr"
        raise InputError(f"{template.name} shows no candidates", field="prompt", hint=hint)
