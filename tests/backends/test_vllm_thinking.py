"""A chat template with a switch for reasoning, through real vLLM, in this process and behind a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from llmrank.backends.models import DEFAULT_MODEL
from llmrank.backends.openai import OpenAIBackend, open_openai
from llmrank.backends.vllm import VllmBackend, open_vllm
from llmrank.errors import FatalBackendError
from llmrank.types import Message, Request, Sampling, Structured, Thinking
from tests.chat_templates import ALWAYS, HYBRID, with_chat_template
from tests.fixtures_vllm import KV_CACHE_GIB, serving

pytestmark = pytest.mark.vllm

ON = Thinking(True)
OPEN = json.dumps({"chat_template_kwargs": {"open_turn": True}})
LONG = json.dumps({"chat_template_kwargs": {"open_turn": True}, "min_tokens": 24})
ASK = Request((Message("user", "Which film is better? A. Heat B. Up"),), Sampling(max_tokens=24))
LABELS = replace(ASK, labels=("A", "B"))


def forced(regex: str, **changes: object) -> Request:
    """Return a Request whose answer has this form: the model is too small to reason of its own accord."""
    return replace(ASK, structured=Structured("regex", regex), **changes)


@pytest.fixture(scope="module")
def hybrid(default_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_chat_template(default_model, tmp_path_factory.mktemp("hybrid") / "model", HYBRID)


@pytest.fixture(scope="module")
def in_process(hybrid: Path, engine_loop: asyncio.Runner) -> Iterator[VllmBackend]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", KV_CACHE_GIB)
        backend = engine_loop.run(open_vllm(str(hybrid)))
        yield backend
        engine_loop.run(backend.close())


@pytest.fixture(scope="module")
def served(
    hybrid: Path, engine_loop: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OpenAIBackend]:
    with serving(hybrid, tmp_path_factory.mktemp("vllm") / "server.log") as base_url:
        backend = engine_loop.run(open_openai(base_url, DEFAULT_MODEL))
        yield backend
        engine_loop.run(backend.close())


@pytest.fixture(params=["in process", "server"])
def backend(request: pytest.FixtureRequest) -> VllmBackend | OpenAIBackend:
    return request.getfixturevalue("in_process" if request.param == "in process" else "served")


def test_off_puts_an_empty_reasoning_into_the_prompt(
    engine_loop: asyncio.Runner, backend: VllmBackend | OpenAIBackend
) -> None:
    off, on = (engine_loop.run(backend.answer(replace(ASK, thinking=one))) for one in (Thinking(), ON))
    assert off.usage.prompt_tokens > on.usage.prompt_tokens
    assert (off.usage.reasoning_tokens, off.reasoning) == (0, "")


def test_first_tokens_are_refused_in_a_thinking_turn(
    engine_loop: asyncio.Runner, backend: VllmBackend | OpenAIBackend
) -> None:
    logprobs = engine_loop.run(backend.answer(LABELS)).label_logprobs
    assert logprobs is not None and logprobs.keys() == {"A", "B"}
    with pytest.raises(FatalBackendError, match="the first token of the answer"):
        engine_loop.run(backend.answer(replace(LABELS, thinking=ON)))


def test_labels_are_found_in_both_ways(
    engine_loop: asyncio.Runner, in_process: VllmBackend, served: OpenAIBackend
) -> None:
    texts = ("A", "AA", "AQ", "10", "elephantine")
    assert engine_loop.run(in_process.label_tokens(texts)) == engine_loop.run(served.label_tokens(texts))


def test_reasoning_is_split_off_and_counted(engine_loop: asyncio.Runner, in_process: VllmBackend) -> None:
    answer = engine_loop.run(in_process.answer(forced(r"<think>\nheat\n</think>\n\n[AB]", thinking=ON)))
    assert answer.text in ("A", "B") and answer.reasoning == "heat" and answer.finish_reason == "stop"
    assert 0 < answer.usage.reasoning_tokens < answer.usage.completion_tokens
    opened = forced(r"hm [a-z]{3}\n</think>\n\n[AB]", thinking=ON, extra_body=OPEN)
    answer = engine_loop.run(in_process.answer(opened))
    assert answer.text in ("A", "B") and answer.reasoning.startswith("hm ")


def test_reasoning_that_is_cut_off_is_no_answer(engine_loop: asyncio.Runner, in_process: VllmBackend) -> None:
    answer = engine_loop.run(in_process.answer(replace(ASK, thinking=ON, extra_body=LONG)))
    assert (answer.text, answer.finish_reason) == ("", "length")
    assert answer.usage.reasoning_tokens == answer.usage.completion_tokens == 24
    assert answer.reasoning


def test_a_budget_ends_the_reasoning(engine_loop: asyncio.Runner, in_process: VllmBackend) -> None:
    budget = replace(ASK, thinking=Thinking(True, 8), extra_body=LONG)
    answer = engine_loop.run(in_process.answer(budget))
    assert answer.text
    assert 8 <= answer.usage.reasoning_tokens < 16 < answer.usage.completion_tokens


def test_a_model_that_always_reasons_is_refused_while_thinking_is_off(
    default_model: Path, tmp_path: Path, engine_loop: asyncio.Runner
) -> None:
    folder = with_chat_template(default_model, tmp_path / "model", ALWAYS)
    backend = engine_loop.run(open_vllm(str(folder)))
    for request in (ASK, LABELS):
        with pytest.raises(FatalBackendError, match=r"thinking cannot be switched off|the first token"):
            backend.prepare(request)


def test_whether_reasoning_has_a_switch_is_read_in_the_chat_template(
    hybrid: Path, default_model: Path, tmp_path: Path, engine_loop: asyncio.Runner
) -> None:
    always = with_chat_template(default_model, tmp_path / "model", ALWAYS)
    for folder, known in ((hybrid, True), (always, False), (default_model, False)):
        assert engine_loop.run(open_vllm(str(folder))).switches_thinking() is known


def test_extra_body_reaches_the_engine_and_what_it_does_not_know_is_refused(
    engine_loop: asyncio.Runner, in_process: VllmBackend
) -> None:
    banned = replace(ASK, extra_body='{"min_tokens":24}')
    assert engine_loop.run(in_process.answer(banned)).usage.completion_tokens == 24
    with pytest.raises(FatalBackendError, match="did you mean 'min_tokens'"):
        engine_loop.run(in_process.answer(replace(ASK, extra_body='{"min_token":3}')))
