"""Reasoning models: how chat templates switch reasoning on and off, and where the reasoning ends in the output."""

from __future__ import annotations

import re
from collections.abc import Mapping

from llmrank.errors import FatalBackendError
from llmrank.types import REASONING_TAGS, Thinking

SWITCHES: Mapping[str, type] = {"enable_thinking": bool, "thinking": bool, "reasoning_effort": str}
"""Variables by which chat templates switch reasoning (Qwen and GLM; DeepSeek and Granite; gpt-oss)."""
BUDGETS = ("thinking_budget", "reasoning_budget")
"""Variables by which some chat templates tell the model its reasoning budget in tokens."""
EFFORTS: Mapping[int, str] = {1024: "low", 8192: "medium"}
"""The `reasoning_effort` for budgets up to this many tokens, as Gemini's endpoint maps them."""
THINKING_TAIL = 32
"""How many of a prompt's last tokens are searched for the start of a thinking turn."""
OPENING = re.compile(rf"<{REASONING_TAGS}>|\[THINK\]|<\|channel\|>analysis<\|message\|>", re.IGNORECASE)
CLOSING = re.compile(rf"</{REASONING_TAGS}>|\[/THINK\]|<\|channel\|>final<\|message\|>", re.IGNORECASE)


def effort(thinking: Thinking) -> str:
    """Return the `reasoning_effort`: by budget, `medium` without one, `none` if thinking is off."""
    if not thinking.on:
        return "none"
    if thinking.budget is None:
        return "medium"
    return next((name for most, name in EFFORTS.items() if thinking.budget <= most), "high")


def template_arguments(variables: frozenset[str], thinking: Thinking) -> dict[str, object]:
    """Return the arguments that make a chat template switch reasoning as requested.

    `variables` are the ones that the template reads; the result is empty if it has no switch.
    """
    arguments: dict[str, object] = {
        name: thinking.on if kind is bool else effort(thinking) for name, kind in SWITCHES.items() if name in variables
    }
    if thinking.on and thinking.budget is not None:
        arguments |= {name: thinking.budget for name in BUDGETS if name in variables}
    return arguments


def template_variables(chat_template: str) -> frozenset[str]:
    """Return the variables that a chat template reads but does not set."""
    from jinja2 import Environment, TemplateError, meta, nodes
    from jinja2.ext import Extension
    from jinja2.parser import Parser

    class Generation(Extension):
        """Accepts the `{% generation %}` block that transformers adds to Jinja."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Parser) -> list[nodes.Node]:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    try:
        environment = Environment(extensions=["jinja2.ext.loopcontrols", Generation])
        return frozenset(meta.find_undeclared_variables(environment.parse(chat_template)))
    except TemplateError:
        # It may use extensions of other template engines; fall back to all names it mentions.
        return frozenset(re.findall(r"\w+", chat_template))


def ends_in_thinking(prompt: str) -> bool:
    """Return whether a rendered prompt leaves the model in a thinking turn, so that it continues with reasoning."""
    opened = max((found.end() for found in OPENING.finditer(prompt)), default=-1)
    # Only a tag at the very end opens the model's turn; an earlier `<think>` may be part of a title.
    return opened >= 0 and not prompt[opened:].strip()


def begins_with_reasoning(model: str) -> FatalBackendError:
    """Return the error for reading labels where the model would reason first."""
    return FatalBackendError(
        f"this prompt reads the first token of the answer, but {model} starts with its reasoning\n"
        "  hint: set `thinking: off`; for a model whose reasoning cannot be switched off, use an answer format "
        "that reads text"
    )


def split_reasoning(text: str, opened: bool) -> tuple[int, str]:
    """Return where the reasoning ends in `text` (0 if there is none), and the answer after it.

    `opened` says that the prompt left the model in a thinking turn. If the reasoning never ends, it is the whole text,
    and the answer is empty.
    """
    opening = None if opened else OPENING.match(text, len(text) - len(text.lstrip()))
    if not opened and opening is None:
        return 0, text
    closing = CLOSING.search(text, opening.end() if opening else 0)
    return (len(text), "") if closing is None else (closing.end(), text[closing.end() :].lstrip())
