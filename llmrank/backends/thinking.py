"""Reasoning models: how a chat template switches reasoning, and where the reasoning ends in what the model wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping

from llmrank.errors import FatalBackendError
from llmrank.types import REASONING_TAGS, Thinking

SWITCHES: Mapping[str, type] = {"enable_thinking": bool, "thinking": bool, "reasoning_effort": str}
"""The variables with which chat templates switch reasoning (Qwen and GLM; DeepSeek and Granite; gpt-oss)."""
BUDGETS = ("thinking_budget", "reasoning_budget")
"""The variables by which some chat templates tell the model how many tokens it has for its reasoning."""
EFFORTS: Mapping[int, str] = {1024: "low", 8192: "medium"}
"""The `reasoning_effort` that stands for a budget of so many tokens or fewer, as Gemini's endpoint maps them."""
THINKING_TAIL = 32
"""How many of a prompt's last tokens are looked at for the beginning of a thinking turn."""
OPENING = re.compile(rf"<{REASONING_TAGS}>|\[THINK\]|<\|channel\|>analysis<\|message\|>", re.IGNORECASE)
CLOSING = re.compile(rf"</{REASONING_TAGS}>|\[/THINK\]|<\|channel\|>final<\|message\|>", re.IGNORECASE)


def effort(thinking: Thinking) -> str:
    """Return the `reasoning_effort` for a budget, `medium` without one, `none` for thinking that is off."""
    if not thinking.on:
        return "none"
    if thinking.budget is None:
        return "medium"
    return next((name for most, name in EFFORTS.items() if thinking.budget <= most), "high")


def template_arguments(variables: frozenset[str], thinking: Thinking) -> dict[str, object]:
    """Return the arguments that make a chat template switch reasoning as wanted.

    `variables` are those that the template reads; empty where it has no switch.
    """
    arguments: dict[str, object] = {
        name: thinking.on if kind is bool else effort(thinking) for name, kind in SWITCHES.items() if name in variables
    }
    if thinking.on and thinking.budget is not None:
        arguments |= {name: thinking.budget for name in BUDGETS if name in variables}
    return arguments


def template_variables(chat_template: str) -> frozenset[str]:
    """Return the variables that a chat template reads without setting them itself."""
    from jinja2 import Environment, TemplateError, meta, nodes
    from jinja2.ext import Extension
    from jinja2.parser import Parser

    class Generation(Extension):
        """`{% generation %}`, which transformers adds to Jinja."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Parser) -> list[nodes.Node]:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    try:
        environment = Environment(extensions=["jinja2.ext.loopcontrols", Generation])
        return frozenset(meta.find_undeclared_variables(environment.parse(chat_template)))
    except TemplateError:
        # The template is used by others who may read more than Jinja: then the names that it mentions must do.
        return frozenset(re.findall(r"\w+", chat_template))


def ends_in_thinking(prompt: str) -> bool:
    """Return whether a rendered prompt leaves the model in a thinking turn: what it writes next is reasoning."""
    opened = max((found.end() for found in OPENING.finditer(prompt)), default=-1)
    # Only what stands at the end is the model's own turn; an earlier `<think>` may be quoted by a title.
    return opened >= 0 and not prompt[opened:].strip()


def begins_with_reasoning(model: str) -> FatalBackendError:
    """Return the error of labels that are read where the model would reason first."""
    return FatalBackendError(
        f"the first token of the answer is read, and {model} would begin with its reasoning\n"
        "  hint: write `thinking: off`; a model whose reasoning cannot be switched off needs an answer format "
        "that reads text"
    )


def split_reasoning(text: str, opened: bool) -> tuple[int, str]:
    """Return where the reasoning ends in `text` (0: there is none) and the answer after it.

    `opened`: the prompt left the model in a thinking turn. Reasoning that never ends is the whole text, and there is
    no answer.
    """
    opening = None if opened else OPENING.match(text, len(text) - len(text.lstrip()))
    if not opened and opening is None:
        return 0, text
    closing = CLOSING.search(text, opening.end() if opening else 0)
    return (len(text), "") if closing is None else (closing.end(), text[closing.end() :].lstrip())
