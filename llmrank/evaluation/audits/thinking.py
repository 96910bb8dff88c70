"""`thinking`: each Case without reasoning, with it, and with budgets."""

from __future__ import annotations

from functools import partial

from llmrank.audit import thinking
from llmrank.audit.thinking import NO_SWITCH, OFF
from llmrank.errors import InputError
from llmrank.evaluation.audits.options import ThinkingOptions
from llmrank.evaluation.audits.plan import AuditPlan, Change, as_it_is, asking, template_of
from llmrank.evaluation.evaluate import Evaluation
from llmrank.evaluation.method import check_prompt
from llmrank.prompting import PromptTemplate, parse_thinking
from llmrank.types import Backend


def plan_thinking(evaluation: Evaluation, options: ThinkingOptions) -> AuditPlan:
    """Return what is asked: `off` first.

    Raises InputError for a prompt whose answer begins with its first token or is constrained, and for `--thinking`.
    """
    template = template_of(evaluation, "thinking")
    if evaluation.setup.prompt.thinking is not None:
        hint = "leave it out; --budget adds a budget"
        raise InputError("the audit asks with thinking off and on", field="thinking", hint=hint)
    texts = (OFF, "on", *map(str, options.budget))
    return AuditPlan({text: _thinking(template, text) for text in texts}, thinking, refuse_unswitched)


def refuse_unswitched(backend: Backend) -> None:
    """Raise InputError where the model's reasoning is known to have no switch."""
    if backend.switches_thinking() is False:
        name = backend.identity.get("model", "the model")
        raise InputError(f"the reasoning of {name} cannot be switched", field="model", hint=NO_SWITCH)


def _thinking(template: PromptTemplate, text: str) -> Change:
    changed = template.override(thinking=parse_thinking(text))
    if changed.front.thinking == template.front.thinking:
        return as_it_is
    try:
        check_prompt(changed)
    except InputError as error:
        hint = "choose a prompt whose answer is read as text, such as rankgpt"
        raise InputError(f"{template.name}: {error.problem}", field="prompt", hint=hint) from error
    return partial(asking, template=changed, thinking=text)
