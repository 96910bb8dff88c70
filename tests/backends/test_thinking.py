"""Where reasoning ends, and what switches it, without a model."""

from __future__ import annotations

import pytest

from llmrank.backends.dialect import Dialect
from llmrank.backends.thinking import (
    effort,
    ends_in_thinking,
    split_reasoning,
    template_arguments,
    template_variables,
)
from llmrank.progress import silent
from llmrank.types import Message, Request, Thinking
from tests.chat_templates import ALWAYS, HYBRID

OFF, ON, BUDGET = Thinking(), Thinking(True), Thinking(True, 2000)
ASK = (Message("user", "rank"),)


def test_the_switch_is_found_by_looking_at_the_chat_template() -> None:
    assert "enable_thinking" in template_variables(HYBRID)
    assert template_arguments(template_variables(HYBRID), OFF) == {"enable_thinking": False}
    assert template_arguments(template_variables(HYBRID), ON) == {"enable_thinking": True}
    assert template_arguments(template_variables(ALWAYS), ON) == {}
    deepseek = (
        "{% if not thinking is defined %}{% set thinking = false %}{% endif %}{% if thinking %}<think>{% endif %}"
    )
    assert template_arguments(template_variables(deepseek), ON) == {"thinking": True}
    seed = "{% if thinking_budget is defined %}{{ thinking_budget }}{% endif %}{{ reasoning_effort }}"
    assert template_arguments(template_variables(seed), BUDGET) == {
        "thinking_budget": 2000,
        "reasoning_effort": "medium",
    }
    marked = "{% generation %}{{ enable_thinking }}{% endgeneration %}{% for m in messages %}{% break %}{% endfor %}"
    assert "enable_thinking" in template_variables(marked)
    assert "enable_thinking" in template_variables("{% unknown_tag %}{{ enable_thinking }}")


@pytest.mark.parametrize(
    ("prompt", "thinking"),
    [
        ("<|im_start|>assistant\n", False),
        ("<|im_start|>assistant\n<think>\n", True),
        ("<|im_start|>assistant\n<think>\n\n</think>\n\n", False),
        ("a film called <think>, and one called Heat<|im_end|>\n<|im_start|>assistant\n", False),
        ("[THINK]", True),
        ("<|start|>assistant<|channel|>analysis<|message|>", True),
    ],
)
def test_a_prompt_that_leaves_the_model_in_a_thinking_turn(prompt: str, thinking: bool) -> None:
    assert ends_in_thinking(prompt) == thinking


@pytest.mark.parametrize(
    ("text", "opened", "answer"),
    [
        ("B, A", False, "B, A"),
        ("<think>\nmaybe [3]\n</think>\n\n[2] > [1]", False, "[2] > [1]"),
        ("maybe [3]</think>[2] > [1]", True, "[2] > [1]"),
        ("I like [3], then [1]", True, ""),
        ("<think>I like [3], then", False, ""),
        ("The film <think> is good", False, "The film <think> is good"),
        ("[THINK]x[/THINK] y", False, "y"),
    ],
)
def test_reasoning_is_split_from_the_answer(text: str, opened: bool, answer: str) -> None:
    end, found = split_reasoning(text, opened)
    assert found == answer
    assert text[end:].strip() == found.strip()


def test_an_effort_stands_for_a_budget() -> None:
    assert [effort(Thinking(True, budget)) for budget in (1024, 8192, 8193)] == ["low", "medium", "high"]
    assert (effort(OFF), effort(ON)) == ("none", "medium")


def test_vllm_is_told_by_the_chat_templates_arguments_and_others_by_an_effort() -> None:
    dialect = Dialect("m", "http://host/v1", silent)
    assert dialect.body(Request(ASK))["reasoning_effort"] == "none"
    assert dialect.body(Request(ASK, thinking=BUDGET))["reasoning_effort"] == "medium"
    dialect.is_vllm = True
    assert dialect.body(Request(ASK))["chat_template_kwargs"] == {"enable_thinking": False, "thinking": False}
    told = dialect.body(Request(ASK, thinking=BUDGET))
    assert told["thinking_token_budget"] == told["chat_template_kwargs"]["thinking_budget"] == 2000
    assert told["chat_template_kwargs"]["enable_thinking"] is True
    assert "reasoning_effort" not in told


def test_extra_body_is_sent_beside_what_switches_reasoning() -> None:
    dialect = Dialect("m", "http://host/v1", silent)
    dialect.is_vllm = True
    body = dialect.body(Request(ASK, extra_body='{"chat_template_kwargs":{"open_turn":true},"min_p":0.1}'))
    assert body["min_p"] == 0.1
    assert body["chat_template_kwargs"] == {"enable_thinking": False, "thinking": False, "open_turn": True}


@pytest.mark.parametrize(
    ("said", "then"),
    [
        ("Unsupported value: 'none'. Supported values are: 'minimal', 'low', 'medium', and 'high'.", "minimal"),
        ("Unsupported value: 'none'. Supported values are: 'low', 'medium', and 'high'.", "low"),
        ("Unrecognized request argument supplied: reasoning_effort", None),
    ],
)
def test_an_endpoint_that_knows_no_effort_none_gets_the_least_it_knows(said: str, then: str | None) -> None:
    dialect = Dialect("m", "http://host/v1", silent)
    dialect = dialect.without("reasoning_effort", said)
    assert dialect.body(Request(ASK)).get("reasoning_effort") == then
    if then is not None:
        assert dialect.body(Request(ASK, thinking=ON))["reasoning_effort"] == "medium"
        dialect = dialect.without("reasoning_effort", said)
        assert "reasoning_effort" not in dialect.body(Request(ASK))
