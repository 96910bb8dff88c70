"""What a chat completion says, read."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from llmrank.backends.completion import joined_events, read_completion
from llmrank.errors import TransientError
from llmrank.types import Response, Usage
from tests.scripted_server import MODEL, completion

READ: dict[str, tuple[dict[str, Any], Response]] = {
    "null content": (completion(None), Response("", "stop")),
    "content filter": (completion(None, finish_reason="content_filter"), Response("", "content_filter")),
    "refusal": (completion(None, refusal="I can't help"), Response("I can't help", "refusal")),
    "cut off": (completion("[1] > [", finish_reason="length"), Response("[1] > [", "length")),
    **{
        reason: (completion("[1] > [", finish_reason=reason), Response("[1] > [", "length"))
        for reason in ("token_limit", "max_new_tokens", "model_context_window_exceeded")
    },
    "reasoning": (
        completion(None, finish_reason="length", reasoning_content="let me see [3]"),
        Response("", "length", reasoning="let me see [3]"),
    ),
    "parts": (
        completion([{"type": "text", "text": "[1]"}, {"type": "text", "text": " > [2]"}]),
        Response("[1] > [2]", "stop"),
    ),
    "no finish reason": (completion("[1]", finish_reason=None), Response("[1]", "unknown")),
}


@pytest.mark.parametrize(("body", "expected"), READ.values(), ids=READ)
def test_odd_but_real_completions(body: dict[str, Any], expected: Response) -> None:
    assert read_completion(body) == replace(expected, usage=Usage(10, 4, 5, 2), model=MODEL)


@pytest.mark.parametrize(
    "usage",
    [
        *(None, {}, [], {"prompt_tokens": None, "prompt_tokens_details": None}),
        *({"prompt_tokens": 7}, {"completion_tokens": 7, "total_tokens": 9}),
    ],
)
def test_missing_usage_counts_nothing(usage: Any) -> None:
    """Nor does half of it: a bound would take it for all."""
    assert read_completion({**completion(), "usage": usage}).usage == Usage()


@pytest.mark.parametrize(
    ("usage", "paid"),
    [
        ({"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 135}, 103),  # Gemini
        ({"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 41}, 9),
        ({"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 3}, 9),
        ({"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": "many"}, 9),
        ({"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 250_041}, 250_009),
        ({"prompt_tokens": 32, "completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 94}}, 103),
        ({"prompt_tokens": 32, "completion_tokens": 99, "completion_tokens_details": {"reasoning_tokens": 94}}, 99),
    ],
)
def test_reasoning_that_is_no_part_of_the_completion_tokens_is_paid_for(usage: dict[str, Any], paid: int) -> None:
    found = read_completion({**completion(), "usage": usage}).usage
    assert (found.prompt_tokens, found.completion_tokens) == (32, paid)


@pytest.mark.parametrize("total", [400_000, 9_999_999, 99_999_999, 10**30])
def test_a_total_that_counts_something_else_is_left_out_and_told(total: int) -> None:
    faults = Counter[str]()
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": total}
    assert read_completion({**completion(), "usage": usage}, faults=faults).usage == Usage(10, 0, 5)
    assert faults == {"usage": 1}
    assert read_completion({**completion(), "usage": {**usage, "prompt_tokens": 10**8}}).usage == Usage()


def with_top(*pairs: tuple[str, float]) -> dict[str, Any]:
    body = completion("B")
    top = [{"token": token, "logprob": logprob} for token, logprob in pairs]
    body["choices"][0]["logprobs"] = {"content": [{"token": "B", "logprob": -0.1, "top_logprobs": top}]}
    return body


def test_labels_by_text_add_up_their_forms() -> None:
    body = with_top(("B", math.log(0.5)), (" B", math.log(0.25)), ("A", math.log(0.1)), ("the", -3.0))
    found = read_completion(body, ("A", "B", "C")).label_logprobs
    assert found is not None
    assert {label: math.exp(value) for label, value in found.items()} == pytest.approx({"A": 0.1, "B": 0.75})


def test_a_word_is_a_label_in_capitals_or_not_and_a_letter_only_as_it_is() -> None:
    body = with_top(("yes", math.log(0.5)), ("▁YES", math.log(0.25)), ("No", math.log(0.1)), ("no", math.log(0.05)))
    found = read_completion(body, ("Yes", "No")).label_logprobs
    assert found is not None
    assert {label: math.exp(value) for label, value in found.items()} == pytest.approx({"Yes": 0.75, "No": 0.15})
    body = with_top(("a", -0.5), ("A", -2.0), ("B", -3.0))
    assert read_completion(body, ("A", "B")).label_logprobs == {"A": -2.0, "B": -3.0}


@pytest.mark.parametrize("space", ["Ġ", "▁"])
def test_labels_are_read_as_the_vocabulary_writes_them(space: str) -> None:
    body = with_top((f"{space}B", math.log(0.5)), ("B", math.log(0.25)), ("ĊA", math.log(0.1)))
    found = read_completion(body, ("A", "B")).label_logprobs
    assert found is not None
    assert {label: math.exp(value) for label, value in found.items()} == pytest.approx({"A": 0.1, "B": 0.75})


def test_labels_are_read_from_an_object_of_tokens() -> None:
    body = with_top()
    body["choices"][0]["logprobs"]["content"][0]["top_logprobs"] = {"B": -0.2, "A": -2.0, "the": None}
    faults = Counter[str]()
    assert read_completion(body, ("A", "B"), faults=faults).label_logprobs == {"A": -2.0, "B": -0.2}
    assert faults["logprobs"] == 1


def test_a_list_of_the_alternatives_alone_does_not_lose_the_label_that_was_answered() -> None:
    body = with_top(("A", -3.0), (" C", -4.0))
    assert read_completion(body, ("A", "B", "C")).label_logprobs == {"A": -3.0, "B": -0.1, "C": -4.0}
    # `B` under another name, which must not count twice.
    body = with_top(("token_id:33", -0.1), ("A", -3.0))
    assert read_completion(body, ("A", "B")).label_logprobs == {"A": -3.0}


@pytest.mark.parametrize("thought", [("<think>", "\n", "A", "</think>", "\n\n"), ("A", " or", " B", "\n")])
@pytest.mark.parametrize("answer", [("B",), ("[", "B", "]", "<|im_end|>")])
def test_labels_are_read_where_the_answer_begins_if_the_thinking_comes_before(
    thought: tuple[str, ...], answer: tuple[str, ...]
) -> None:
    body = completion("".join(answer[:3]), reasoning_content="A, or B")
    body["choices"][0]["logprobs"] = {
        "content": [
            {"token": token, "top_logprobs": [{"token": "A" if place < len(thought) else "B", "logprob": -0.2}]}
            for place, token in enumerate((*thought, *answer))
        ]
    }
    assert read_completion(body, ("A", "B")).label_logprobs == {"B": -0.2}
    body["choices"][0]["message"]["content"] = "something else"
    assert read_completion(body, ("A", "B")).label_logprobs == {"A": -0.2}


def test_labels_by_id_take_the_id() -> None:
    body = with_top(("token_id:49", -0.2), ("token_id:48", -2.0), ("token_id:50", -4.0))
    assert read_completion(body, ("A", "B", "C"), (48, 49, 99)).label_logprobs == {"A": -2.0, "B": -0.2}
    # A gateway in front of the server that drops the fields that ask for ids.
    body = with_top(("B", -0.2), (" A", -2.0))
    assert read_completion(body, ("A", "B", "C"), (48, 49, 99)).label_logprobs == {"A": -2.0, "B": -0.2}


@pytest.mark.parametrize("logprobs", [None, {}, {"content": None}, {"content": []}])
def test_an_endpoint_without_log_probabilities_has_none(logprobs: Any) -> None:
    body = completion("A")
    body["choices"][0]["logprobs"] = logprobs
    assert read_completion(body, ("A",)).label_logprobs is None


@pytest.mark.parametrize(
    "first", [{"token": "A"}, {"token": "A", "top_logprobs": []}, {"top_logprobs": [{"token": "B"}]}]
)
def test_labels_that_did_not_come_are_absent(first: Any) -> None:
    body = completion("A")
    body["choices"][0]["logprobs"] = {"content": [first]}
    assert read_completion(body, ("A",)).label_logprobs == {}


@pytest.mark.parametrize("name", ["message", "detail", "msg", "error_msg"])
def test_why_there_is_no_answer_is_told_in_the_words_of_the_gateway(name: str) -> None:
    with pytest.raises(TransientError, match="no choice: the model is busy"):
        read_completion({"code": 1001, name: "the model is busy", "data": None})


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ({"type": "message", "content": [{"text": "[2] > [1]"}], "usage": {}}, '"text": "[2] > [1]"'),
        ({"message": {"content": "[2] > [1]"}, "done": True}, '"done": true'),
        ({"result": {"choices": []}, "success": True}, '"result": {"choices": []}'),
        ({"base_resp": {"status_msg": "login fail"}, "choices": None}, '"status_msg": "login fail"'),
        ({"errors": [{"message": "Authentication error"}], "result": None}, '"message": "Authentication error"'),
        ({"id": "7", "created": 3, "choices": []}, r'no choice: {"choices": \[\]}$'),
    ],
)
def test_a_body_without_a_choice_or_a_known_reason_is_shown(body: Any, shown: str) -> None:
    with pytest.raises(TransientError, match=shown if shown.endswith("$") else re.escape(shown)):
        read_completion(body)


def test_of_a_stream_with_several_answers_the_first_is_read() -> None:
    def event(index: int, text: str, finish: str | None = None) -> str:
        choice = {"index": index, "delta": {"content": text}, "finish_reason": finish}
        return f"data: {json.dumps({'choices': [choice]})}\n\n"

    events = [event(1, "[2] >", "length"), event(0, "[1]"), event(1, " [1]"), event(0, " > [2]", "stop"), event(1, ".")]
    body = joined_events("".join(events))
    assert body is not None
    assert read_completion(body) == Response("[1] > [2]", "stop")
    # The first one's end did not come.
    assert joined_events(event(0, "[1]") + event(1, "[2] > [1]", "stop")) is None
