"""The openai backend against a real HTTP server that does what real endpoints do."""

from __future__ import annotations

import json
import math
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from llmrank.backends.openai import OpenAIBackend, open_openai, public_url, read_completion
from llmrank.errors import BackendError, FatalBackendError, MissingError
from llmrank.types import Message, Request, Response, Sampling, Structured, Usage
from tests.scripted_server import MODEL, ScriptedServer, Step, completion, good, refused

REQUEST = Request((Message("system", "be brief"), Message("user", "rank these")))
KEY = "sk-a-very-secret-key"
PAGE = "<html><head><title>Sign in</title></head><body>Proxy: please [3] sign in</body></html>"


@asynccontextmanager
async def opened(
    *script: Step, models: Step | None = None, timeout: float = 5.0, attempts: int = 3
) -> AsyncGenerator[tuple[ScriptedServer, OpenAIBackend]]:
    async with ScriptedServer(*script, models=models) as server:
        backend = await open_openai(server.base_url, MODEL, timeout=timeout, attempts=attempts, api_key=KEY)
        try:
            yield server, backend
        finally:
            await backend.close()


async def test_an_answer_with_its_usage() -> None:
    async with opened(good("[2] > [1]")) as (server, backend):
        response = await backend.answer(REQUEST)
        assert replace(response, seconds=0.0) == Response("[2] > [1]", "stop", Usage(10, 4, 5, 2))
        assert response.seconds > 0
        assert server.authorization == [f"Bearer {KEY}"]


async def test_every_sampling_field_is_sent() -> None:
    sampling = Sampling(0.5, 0.9, 7, 33, 11, ("\n",), 0.1, 0.2)
    async with opened() as (server, backend):
        await backend.answer(Request(REQUEST.messages, sampling, repeat=2))
        assert server.seen == [
            {
                "model": MODEL,
                "messages": [
                    {"role": "system", "content": "be brief"},
                    {"role": "user", "content": "rank these"},
                ],
                "n": 1,
                "temperature": 0.5,
                "top_p": 0.9,
                "max_tokens": 33,
                "seed": 13,
                "presence_penalty": 0.1,
                "frequency_penalty": 0.2,
                "stop": ["\n"],
            }
        ]


async def test_a_json_schema_is_sent_and_other_constraints_are_not() -> None:
    async with opened() as (server, backend):
        await backend.answer(replace(REQUEST, structured=Structured("json_schema", '{"type": "object"}')))
        await backend.answer(replace(REQUEST, structured=Structured("regex", "[AB]")))
        schema = {"name": "answer", "schema": {"type": "object"}, "strict": True}
        assert server.seen[0]["response_format"] == {"type": "json_schema", "json_schema": schema}
        assert "response_format" not in server.seen[1]
        assert backend.capabilities.structured == {"json_schema"}


def http_date() -> str:
    # A whole second is lost in the format, so two ahead is at least one.
    return format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)


@pytest.mark.parametrize(
    ("wait", "least", "most"),
    [("1", 1.0, 2.0), ("date", 0.9, 3.0), ("0m1s", 1.0, 2.0), (None, 0.2, 1.5)],
    ids=["seconds", "date", "duration", "missing"],
)
async def test_too_many_requests_waits_as_asked(wait: str | None, least: float, most: float) -> None:
    text = http_date() if wait == "date" else wait
    step = refused(429, "slow down, try again in 3s", headers={"Retry-After": text} if text else {})
    async with opened(step, good()) as (server, backend):
        started = time.monotonic()
        assert (await backend.answer(REQUEST)).text == "fine"
        assert least <= time.monotonic() - started <= most
        assert server.calls == 2


AT_ONCE = {"Retry-After": "0"}
PASSING = {
    "408": refused(408, headers=AT_ONCE),
    "409": refused(409, headers=AT_ONCE),
    "429": refused(429, headers=AT_ONCE),
    "500": refused(500, headers=AT_ONCE),
    "502 page": Step(502, PAGE, {"Content-Type": "text/html", **AT_ONCE}),
    "503": refused(503, headers=AT_ONCE),
    "529": refused(529, "overloaded", headers=AT_ONCE),
    "reset": Step(reset=True),
    "invalid JSON": Step(body='{"choices": [{"message"'),
    "empty body": Step(),
    "JSON list": Step(body="[1]"),
    "HTML page": Step(body=PAGE, headers={"Content-Type": "text/html"}),
    "empty choices": Step(body=json.dumps({**completion(), "choices": []})),
    "no choices": Step(body="{}"),
    "choice without message": Step(body='{"choices": [{"index": 0}]}'),
    "error with status 200": Step(body='{"error": {"message": "provider returned [3]"}}'),
    "content that is a number": good(3),
    "hang": replace(good(), hang=2.0),
}


@pytest.mark.parametrize("step", PASSING.values(), ids=PASSING)
async def test_a_passing_fault_is_retried(step: Step) -> None:
    async with opened(step, good("now"), timeout=0.7) as (server, backend):
        assert (await backend.answer(REQUEST)).text == "now"
        assert server.calls == 2


@pytest.mark.parametrize("step", PASSING.values(), ids=PASSING)
async def test_a_lasting_fault_is_no_answer(step: Step) -> None:
    async with opened(step, timeout=0.3, attempts=2) as (server, backend):
        with pytest.raises(BackendError) as caught:
            await backend.answer(REQUEST)
        assert not isinstance(caught.value, FatalBackendError)
        assert server.calls == 2


FATAL = {
    "401": (refused(401, f"Incorrect API key provided: {KEY}"), r"refuses the key \(401\)[\s\S]*OPENAI_API_KEY"),
    "403": (refused(403, f"key {KEY} has no access"), r"refuses the key \(403\)"),
    "404": (refused(404, "no such model"), rf"serves no model[\s\S]*choose with --model among: {MODEL}"),
    "402": (refused(402, "pay first"), "quota is used up"),
    "quota": (refused(429, "You exceeded your quota", code="insufficient_quota"), "quota is used up"),
    "400": (refused(400, f"unsupported parameter; key was {KEY}"), r"\(400\): unsupported parameter; key was \[key\]"),
    "422": (refused(422, "bad field"), r"\(422\): bad field"),
}


@pytest.mark.parametrize(("step", "message"), FATAL.values(), ids=FATAL)
async def test_what_every_call_would_meet_stops_at_once(step: Step, message: str) -> None:
    async with opened(step) as (server, backend):
        with pytest.raises(FatalBackendError, match=message) as caught:
            await backend.answer(REQUEST)
        assert server.calls == 1
        assert KEY not in str(caught.value)
        assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "step",
    [
        refused(400, "This model's maximum context length is 8192 tokens", code="context_length_exceeded"),
        refused(413, "payload too large"),
    ],
)
async def test_a_prompt_that_is_too_long_is_its_own_fault(step: Step) -> None:
    async with opened(step) as (server, backend):
        with pytest.raises(BackendError) as caught:
            await backend.answer(REQUEST)
        assert not isinstance(caught.value, FatalBackendError)
        assert server.calls == 1


async def test_a_400_after_an_answer_is_that_requests_own_fault() -> None:
    async with opened(good(), refused(400, "content filtered"), good()) as (_, backend):
        await backend.answer(REQUEST)
        with pytest.raises(BackendError, match="refuses this request") as caught:
            await backend.answer(REQUEST)
        assert not isinstance(caught.value, FatalBackendError)
        assert (await backend.answer(REQUEST)).text == "fine"


async def test_the_newer_name_of_max_tokens() -> None:
    message = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    async with opened(refused(400, message, param="max_tokens"), good()) as (server, backend):
        await backend.answer(REQUEST)
        await backend.answer(REQUEST)
        assert ["max_tokens" in body for body in server.seen] == [True, False, False]
        assert [body.get("max_completion_tokens") for body in server.seen] == [None, 400, 400]


READ: dict[str, tuple[dict[str, Any], Response]] = {
    "null content": (completion(None), Response("", "stop")),
    "content filter": (completion(None, finish_reason="content_filter"), Response("", "content_filter")),
    "refusal": (completion(None, refusal="I can't help"), Response("I can't help", "refusal")),
    "cut off": (completion("[1] > [", finish_reason="length"), Response("[1] > [", "length")),
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
    assert read_completion(body) == replace(expected, usage=Usage(10, 4, 5, 2))


@pytest.mark.parametrize("usage", [None, {}, [], {"prompt_tokens": None, "prompt_tokens_details": None}])
def test_missing_usage_counts_nothing(usage: Any) -> None:
    assert read_completion({**completion(), "usage": usage}).usage == Usage()


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


def test_labels_by_id_take_the_id() -> None:
    body = with_top(("token_id:49", -0.1), ("token_id:48", -2.0), ("token_id:50", -4.0))
    assert read_completion(body, ("A", "B", "C"), (48, 49, 99)).label_logprobs == {"A": -2.0, "B": -0.1}


@pytest.mark.parametrize("logprobs", [None, {}, {"content": None}, {"content": []}, {"content": [{"token": "A"}]}])
def test_labels_that_did_not_come_are_absent(logprobs: Any) -> None:
    body = completion("A")
    body["choices"][0]["logprobs"] = logprobs
    assert read_completion(body, ("A",)).label_logprobs == {}


async def test_labels_are_asked_for_by_text_where_there_are_no_ids() -> None:
    async with opened(Step(body=json.dumps(with_top(("A", -1.0))))) as (server, backend):
        response = await backend.answer(replace(REQUEST, labels=("A", "B")))
        assert response.label_logprobs == {"A": -1.0}
        assert (server.seen[0]["logprobs"], server.seen[0]["top_logprobs"]) == (True, 20)
        assert backend.capabilities.label_logprobs == 20


async def test_nobody_there() -> None:
    async with ScriptedServer() as server:
        url = server.base_url
    with pytest.raises(MissingError, match=f"no endpoint answers at {url}") as caught:
        await open_openai(url, MODEL, attempts=1)
    assert caught.value.exit_code == 3


async def test_a_wrong_key_is_told_on_opening() -> None:
    with pytest.raises(FatalBackendError, match="refuses the key") as caught:
        async with opened(models=refused(401, f"bad key {KEY}")):
            pass
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("models", [refused(404), refused(405), Step(body=PAGE), Step(body="[]"), Step(body="{}")])
async def test_an_endpoint_that_lists_no_models_is_taken_as_it_is(models: Step) -> None:
    async with opened(models=models) as (_, backend):
        assert (await backend.answer(REQUEST)).text == "fine"
        assert backend.context_length is None


async def test_neither_endpoint_nor_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(MissingError, match="--base-url"):
        await open_openai(None, MODEL)


async def test_the_environment_names_endpoint_and_key(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ScriptedServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        backend = await open_openai(None, MODEL)
        await backend.answer(REQUEST)
        await backend.close()
        assert server.authorization == [f"Bearer {KEY}"]
        assert backend.identity == {"kind": "openai", "base_url": server.base_url, "model": MODEL}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:pass@host:8000/v1/", "http://host:8000/v1"),
        ("https://host/v1?key=secret", "https://host/v1"),
        ("https://host/openai/v1", "https://host/openai/v1"),
    ],
)
def test_an_url_is_shown_without_secrets(url: str, shown: str) -> None:
    assert public_url(url) == shown
