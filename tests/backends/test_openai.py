"""The openai backend against a real HTTP server that does what real endpoints do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from llmrank.backends.base import store_first
from llmrank.backends.endpoint import Address
from llmrank.backends.openai import OpenAIBackend, open_openai
from llmrank.engine.budget import Bounds, Budget, Metered
from llmrank.errors import BackendError, FatalBackendError, MissingError, TransientError
from llmrank.progress import silent
from llmrank.store import Store
from llmrank.types import LABEL_LIMIT, Capabilities, Message, Request, Response, Sampling, Structured, Thinking, Usage
from tests.backends.test_completion import with_top
from tests.scripted_server import MODEL, ScriptedServer, Step, completion, good, raw, refused

REQUEST = Request((Message("system", "be brief"), Message("user", "rank these")))
KEY = "sk-a-very-secret-key"
PAGE = "<html><head><title>Sign in</title></head><body>Proxy: please [3] sign in</body></html>"


@asynccontextmanager
async def opened(
    *script: Step,
    models: Step | None = None,
    timeout: float = 5.0,
    answer: Callable[[Mapping[str, Any]], Step] | None = None,
    said: list[str] | None = None,
) -> AsyncGenerator[tuple[ScriptedServer, OpenAIBackend]]:
    say = silent if said is None else said.append
    async with ScriptedServer(*script, models=models, answer=answer) as server:
        backend = await open_openai(server.base_url, MODEL, timeout=timeout, api_key=KEY, say=say)
        try:
            yield server, backend
        finally:
            await backend.close()


async def test_an_answer_with_its_usage() -> None:
    async with opened(good("[2] > [1]")) as (server, backend):
        response = await backend.answer(REQUEST)
        assert replace(response, seconds=0.0) == Response("[2] > [1]", "stop", Usage(10, 4, 5, 2), model=MODEL)
        assert response.seconds > 0
        assert server.authorization == [f"Bearer {KEY}"]


class Recording(ScriptedServer):
    """Keeps the headers of every call to chat/completions."""

    def routes(self) -> list[web.RouteDef]:
        self.headers: list[Mapping[str, str]] = []

        async def complete(request: web.Request) -> web.StreamResponse:
            self.headers.append(request.headers)
            return await self._complete(request)

        return [web.post("/v1/chat/completions", complete), web.get("/v1/models", self._models)]


async def test_the_headers_and_a_cookie_that_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    async with Recording(replace(good(), headers={"Set-Cookie": "node=7; Path=/"})) as server:
        backend = await open_openai(server.base_url, MODEL)
        await backend.answer(REQUEST)
        await backend.answer(REQUEST)
        await backend.close()
        first, second = server.headers
        assert first["Authorization"] == "Bearer none" and first["User-Agent"].startswith("llmrank/")
        assert (first["OpenAI-Organization"], first["OpenAI-Project"]) == ("org-1", "proj-1")
        assert "Cookie" not in first and second["Cookie"] == "node=7"


async def test_half_a_surrogate_pair_in_an_earlier_answer_is_sent() -> None:
    async with opened() as (server, backend):
        await backend.answer(Request((Message("user", "\ud83d ¿é?"),)))
        assert server.seen[0]["messages"][0]["content"] == "\ud83d ¿é?"


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
                "reasoning_effort": "none",
            }
        ]


async def test_a_json_schema_is_sent_and_other_constraints_are_not() -> None:
    async with opened() as (server, backend):
        await backend.answer(replace(REQUEST, structured=Structured("json_schema", '{"type": "object"}')))
        await backend.answer(replace(REQUEST, structured=Structured("regex", "[AB]")))
        schema = {"name": "answer", "schema": {"type": "object"}, "strict": True}
        assert server.seen[0]["response_format"] == {"type": "json_schema", "json_schema": schema}
        assert "response_format" not in server.seen[1]


def http_date() -> str:
    # A whole second is lost in the format, so two ahead is at least one.
    return format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)


@pytest.mark.parametrize(
    ("wait", "least", "most"),
    [("1", 1.0, 1.0), ("date", 0.5, 2.0), ("0m1s", 1.0, 1.0), (None, 3.0, 3.0)],
    ids=["seconds", "date", "duration", "in words"],
)
async def test_too_many_requests_says_when_to_come_back(wait: str | None, least: float, most: float) -> None:
    text = http_date() if wait == "date" else wait
    step = refused(429, "slow down, try again in 3s", headers={"Retry-After": text} if text else {})
    async with opened(step) as (server, backend):
        with pytest.raises(TransientError) as caught:
            await backend.answer(REQUEST)
        assert caught.value.throttled and server.calls == 1
        assert least <= (caught.value.wait or 0) <= most


PASSING = {
    "408": (refused(408), "4xx"),
    "409": (refused(409), "4xx"),
    "429": (refused(429), "429"),
    "500": (refused(500), "5xx"),
    "502 page": (Step(502, PAGE, {"Content-Type": "text/html"}), "5xx"),
    "503": (refused(503), "5xx"),
    "529": (refused(529), "5xx"),
    "overloaded": (refused(529, "Overloaded", type="overloaded_error"), "busy"),
    "server busy": (refused(503, "server busy, please try again.  maximum pending requests exceeded"), "busy"),
    "model loads": (Step(503, '{"error": "Model x is currently loading", "estimated_time": 20.0}'), "loading"),
    "model does not load": (refused(500, "error loading model: out of memory"), "5xx"),
    "reset": (Step(reset=True), "connection"),
    "invalid JSON": (Step(body='{"choices": [{"message"'), "unreadable"),
    "empty body": (Step(), "unreadable"),
    "JSON list": (Step(body="[1]"), "unreadable"),
    "HTML page": (Step(body=PAGE, headers={"Content-Type": "text/html"}), "unreadable"),
    "empty choices": (Step(body=json.dumps({**completion(), "choices": []})), "unreadable"),
    "no choices": (Step(body="{}"), "unreadable"),
    "choice without message": (Step(body='{"choices": [{"index": 0}]}'), "no_answer"),
    "error with status 200": (Step(body='{"error": {"message": "provider returned [3]"}}'), "5xx"),
    "content that is a number": (good(3), "no_answer"),
    "hang": (replace(good(), hang=2.0), "timeout"),
    "trickle": (replace(good(), trickle=0.05), "timeout"),
}


@pytest.mark.parametrize(("step", "kind"), PASSING.values(), ids=PASSING)
async def test_a_fault_that_may_pass_is_one_call_and_no_answer(step: Step, kind: str) -> None:
    async with opened(step, good("now"), timeout=0.7) as (server, backend):
        with pytest.raises(TransientError) as caught:
            await backend.answer(REQUEST)
        assert (caught.value.kind, caught.value.wait, server.calls) == (kind, None, 1)
        assert (await backend.answer(REQUEST)).text == "now"


FATAL = {
    "401": (refused(401, f"Incorrect API key provided: {KEY}"), r"rejects the key \(401\)[\s\S]*OPENAI_API_KEY"),
    "403": (refused(403, f"key {KEY} has no access"), r"rejects the key \(403\)\n"),
    "403 of a region": (
        refused(403, "Country not supported"),
        r"rejects the key \(403\): Country not supported\n  hint",
    ),
    "403 of a path": (refused(403, "Missing Authentication Token"), r"\(403\)\n  hint: .*correct base_url"),
    "401 with half a key": (refused(401, "Invalid key sk-proj-ab12****wxyz"), r"rejects the key \(401\)\n"),
    **{
        f"400: {said}": (refused(400, said), r"rejects the key \(401\)[\s\S]*OPENAI_API_KEY")
        for said in (
            "API key not valid. Please pass a valid API key.",
            "API key expired. Please renew the API key.",
            "Your api_key is invalid, please check it",
        )
    },
    "401 of an address": (refused(401, "IP not in the allow-list"), r"\(401\): IP not in the allow-list\n  hint"),
    "401 with a code": (
        refused(401, f"key {KEY} may not use the model", type="key_model_access_denied", code="401"),
        r"rejects the key \(401\): key_model_access_denied\n  hint",
    ),
    "400 of a port for TLS": (
        Step(400, "<h1>400 Bad Request</h1>The plain HTTP request was sent to HTTPS port<hr>nginx"),
        r"answered 400: .*HTTPS port[\s\S]*hint: start base_url with https://",
    ),
    "404 page": (Step(404, PAGE), r"answered 404 at /chat/completions[\s\S]*correct base_url"),
    "302": (
        Step(302, "", {"Location": "https://login.example/"}),
        r"redirects to https://login.example/[\s\S]*base_url",
    ),
    "402": (refused(402, "pay first"), "quota is exhausted"),
    **{
        said: (refused(400, said), r"quota is exhausted[\s\S]*raise the limit")
        for said in (
            "You have reached your specified API usage limits. You will regain access on 2027-02-01 at 00:00 UTC.",
            "API access blocked because spend limit reached.",
            "Your account balance is too low",
            "Access denied, please make sure your account is in good standing.",
        )
    },
    "quota": (refused(429, "You exceeded your quota", code="insufficient_quota"), "quota is exhausted"),
}
REFUSED = {
    "400": (refused(400, f"malformed; key was {KEY}"), r"\(400\): malformed; key was \[key\]"),
    "404": (refused(404, "no provider"), r"\(404\): no provider"),
    "404 in a list": (Step(404, '[{"error": {"message": "x is not found"}}]'), r"\(404\): x is not found"),
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


async def test_what_stands_between_for_a_while_costs_nothing() -> None:
    async with opened(good(), Step(404, "default backend - 404")) as (_, backend):
        await backend.answer(REQUEST)
        with pytest.raises(TransientError, match="answered 404 at /chat/completions") as caught:
            await backend.answer(replace(REQUEST, repeat=1))
        assert not caught.value.charged


@pytest.mark.parametrize(("step", "message"), REFUSED.values(), ids=REFUSED)
async def test_what_a_short_question_meets_too_stops_at_once(step: Step, message: str) -> None:
    async with opened(step) as (server, backend):
        with pytest.raises(FatalBackendError, match=message) as caught:
            await backend.answer(REQUEST)
        assert [body["messages"][-1]["content"] for body in server.seen] == ["rank these", "Answer with A or B."]
        assert KEY not in str(caught.value)


@pytest.mark.parametrize(("step", "message"), REFUSED.values(), ids=REFUSED)
async def test_what_a_short_question_does_not_meet_is_the_requests_own_fault_in_every_session(
    step: Step, message: str
) -> None:
    def answer(body: Mapping[str, Any]) -> Step:
        return step if body["messages"][-1]["content"] == "rank these" else good()

    async with opened(answer=answer) as (server, backend):
        for _ in range(2):
            with pytest.raises(BackendError, match=message) as caught:
                await backend.answer(REQUEST)
            assert not isinstance(caught.value, FatalBackendError)
        assert server.calls == 3, "it is found out once"


async def test_a_model_that_is_not_served_is_named_with_those_that_are() -> None:
    async with ScriptedServer(refused(404, "no such model")) as server:
        backend = await open_openai(server.base_url, "scripted", api_key=KEY)
        with pytest.raises(
            FatalBackendError, match=rf"no model 'scripted'; did you mean[\s\S]*that it serves: {MODEL}"
        ):
            await backend.answer(REQUEST)
        await backend.close()


@pytest.mark.parametrize(
    "step",
    [
        refused(400, "This model's maximum context length is 8192 tokens", code="context_length_exceeded"),
        refused(413, "payload too large"),
        refused(400, "The response was filtered", code="content_filter"),
        refused(429, "Request too large for m on tokens per min (TPM): Limit 10000, Requested 12000."),
    ],
)
async def test_what_one_prompt_meets_is_its_own_fault(step: Step) -> None:
    async with opened(step) as (server, backend):
        with pytest.raises(BackendError) as caught:
            await backend.answer(REQUEST)
        assert not isinstance(caught.value, FatalBackendError)
        assert server.calls == 1


async def test_an_endpoint_that_takes_nothing_any_more_stops_the_run() -> None:
    """A model that is taken away in the middle, in the words of a refused request."""
    async with opened(good(), refused(400, "No model is loaded")) as (server, backend):
        await backend.answer(REQUEST)
        for _ in range(4):
            with pytest.raises(BackendError) as caught:
                await backend.answer(REQUEST)
            assert not isinstance(caught.value, FatalBackendError)
        with pytest.raises(FatalBackendError, match=r"No model is loaded[\s\S]*hint: check model, .*extra_body"):
            await backend.answer(REQUEST)
        assert server.calls == 7


async def test_however_many_are_refused_an_endpoint_that_takes_others_goes_on() -> None:
    def answer(body: Mapping[str, Any]) -> Step:
        return refused(400, "not this") if body["messages"][-1]["content"] == "rank these" else good()

    async with opened(answer=answer) as (server, backend):
        for _ in range(20):
            with pytest.raises(BackendError, match="not this") as caught:
                await backend.answer(REQUEST)
            assert not isinstance(caught.value, FatalBackendError)
        assert server.calls == 20 + 3, "it is found out ever more rarely"


@pytest.mark.parametrize(
    ("refused_as", "param"),
    [
        ("Unrecognized request argument supplied: logprob_token_ids", ""),
        ("[{'type': 'extra_forbidden', 'loc': ('body', 'logprob_token_ids'), 'msg': 'Extra inputs'}]", ""),
        ("Unknown parameter: 'return_tokens_as_token_ids'", "return_tokens_as_token_ids"),
    ],
)
async def test_a_server_that_takes_no_token_ids_is_asked_for_labels_by_text(refused_as: str, param: str) -> None:
    body = completion("A")
    top = [{"token": token, "logprob": value} for token, value in (("A", -0.5), ("B", -1.0))]
    body["choices"][0]["logprobs"] = {"content": [{"token": "A", "logprob": -0.5, "top_logprobs": top}]}
    async with Tokenizing(refused(400, refused_as, param=param), Step(body=json.dumps(body)), models=VLLM) as server:
        backend = await open_openai(server.base_url, MODEL, api_key=KEY)
        assert backend.capabilities.label_logprobs == LABEL_LIMIT
        for repeat in range(2):
            response = await backend.answer(replace(REQUEST, labels=("A", "B"), repeat=repeat))
            assert response.label_logprobs == {"A": -0.5, "B": -1.0}
        await backend.close()
        assert [sent.get("top_logprobs") for sent in server.seen] == [2, 20, 20], "it is learned once"
        assert not any("logprob_token_ids" in sent for sent in server.seen[1:])
        assert backend.capabilities.label_logprobs == 20


async def test_a_test_request_shows_whether_others_are_answered() -> None:
    request = replace(REQUEST, labels=("A", "B"), sampling=Sampling(max_tokens=7))
    async with opened(good(), refused(500), refused(400), good()) as (server, backend):
        answered = [await backend.answers_others(request) for _ in range(4)]
        assert answered == [True, False, False, True] and backend.sent_beside == 4
        texts = {body["messages"][-1]["content"] for body in server.seen}
        assert len(texts) == 4 and all("A or B" in text for text in texts), "no two are the same to a cache"
        assert server.seen[0]["logprobs"] and 7 in server.seen[0].values(), "they have the settings of the request"
    async with opened(refused(401)) as (_, backend):
        with pytest.raises(FatalBackendError, match="rejects the key"):
            await backend.answers_others(request)


GROWING = {
    "tokens": lambda body: refused(400, f"max_tokens must be >= {body['max_tokens'] + 1}", param="max_tokens"),
    "log-probabilities": lambda body: refused(
        400,
        f"Expected a value <= {body.get('top_logprobs', 0) - 1}",
        param="top_logprobs" if "top_logprobs" in body else "",
    ),
}


@pytest.mark.parametrize("growing", GROWING.values(), ids=GROWING)
async def test_a_bound_that_moves_with_every_call_is_not_followed_for_long(
    growing: Callable[[Mapping[str, Any]], Step],
) -> None:
    request = replace(REQUEST, labels=("A", "B"))
    async with opened(answer=growing) as (server, backend):
        metered = Metered(backend, budget := Budget(Bounds(requests=20)))
        with pytest.raises(FatalBackendError, match="refuses this request"):
            await metered.answer(request)
        assert server.calls == budget.spent.requests <= 10, "with the test request, and every call is counted"
        assert backend.concessions == {"left_out": [], "replaced": {}}, "none of it is believed"

    def answer(body: Mapping[str, Any]) -> Step:
        return growing(body) if body["messages"][-1]["content"] == "rank these" else good()

    async with opened(answer=answer) as (server, backend):
        metered = Metered(backend, budget := Budget(Bounds(requests=30)))
        await metered.answer(replace(request, messages=(Message("user", "rank others"),)))
        for _ in range(3):
            with pytest.raises(BackendError, match="refuses this request"):
                await metered.answer(request)
        assert server.calls == budget.spent.requests == 1 + 3 * 5


async def test_a_refusal_that_quotes_the_prompt_teaches_nothing() -> None:
    def answer(body: Mapping[str, Any]) -> Step:
        blocked = 'Blocked: content "Bad Seed, The (1956)" is not permitted by policy'
        return refused(400, blocked) if body["messages"][-1]["content"] == "rank these" else good()

    said: list[str] = []
    async with opened(answer=answer, said=said) as (server, backend):
        other = replace(REQUEST, messages=(Message("user", "rank others"),))
        await backend.answer(other)
        with pytest.raises(BackendError, match="Bad Seed"):
            await backend.answer(REQUEST)
        assert "seed" not in server.seen[-1], "it was tried"
        await backend.answer(other)
        assert "seed" in server.seen[-1] and not said and backend.concessions["left_out"] == []


async def test_a_400_after_an_answer_is_that_requests_own_fault() -> None:
    async with opened(good(), refused(400, "content filtered"), good()) as (_, backend):
        await backend.answer(REQUEST)
        with pytest.raises(BackendError, match="refuses this request") as caught:
            await backend.answer(REQUEST)
        assert not isinstance(caught.value, FatalBackendError)
        assert (await backend.answer(REQUEST)).text == "fine"


def takes(*names: str, role: str = "system") -> Callable[[Mapping[str, Any]], Step]:
    """Return an endpoint, in OpenAI's words, that takes no parameters but these, and one role beside user."""

    def answer(body: Mapping[str, Any]) -> Step:
        for place, message in enumerate(body["messages"]):
            if message["role"] not in ("user", "assistant", role):
                wrong = f"messages[{place}].role"
                said = f"Unsupported value: '{wrong}' does not support '{message['role']}' with this model."
                if role == "developer":
                    said = f"Invalid value: '{message['role']}'. Supported values are: 'user' and 'developer'."
                return refused(400, said, param=wrong, code="unsupported_value")
        for name in body.keys() - {"model", "messages", *names}:
            said = f"Unsupported parameter: '{name}' is not supported with this model."
            if name == "max_tokens" and "max_completion_tokens" in names:
                said += " Use 'max_completion_tokens' instead."
            return refused(400, said, param=name, code="unsupported_parameter")
        return good("[2] > [1] STOP [3]")

    return answer


EVERYTHING = replace(
    REQUEST,
    sampling=Sampling(stop=("STOP",)),
    labels=("A",),
    structured=Structured("json_schema", '{"type": "object"}'),
)


async def test_an_endpoint_that_refuses_everything_gets_what_it_takes() -> None:
    said: list[str] = []
    async with opened(answer=takes("max_completion_tokens", role=""), said=said) as (server, backend):
        first, *others = await asyncio.gather(*(backend.answer(replace(EVERYTHING, repeat=n)) for n in range(4)))
        # What it would not do is done here where that is possible.
        assert (first.text, first.finish_reason, first.label_logprobs) == ("[2] > [1] ", "stop", None)
        assert [other.text for other in others] == [first.text] * 3
        calls = server.calls
        await backend.answer(EVERYTHING)
        assert server.calls == calls + 1 and backend.sent_beside == server.calls - 5
        assert server.seen[-1] == {
            "model": MODEL,
            "messages": [{"role": "user", "content": "be brief\n\nrank these"}],
            "max_completion_tokens": 400,
        }
        left_out = [
            "frequency_penalty",
            "logprobs",
            "n",
            "presence_penalty",
            "reasoning_effort",
            "response_format",
            "seed",
            "stop",
        ]
        assert backend.concessions == {
            "left_out": [*left_out, "temperature", "top_p"],
            "replaced": {"system": "user", "max_tokens": "max_completion_tokens"},
        }
        assert backend.capabilities == Capabilities(0)
        assert len(said) == len(set(said)) == 12


async def test_the_role_developer_in_place_of_system() -> None:
    all_names = server_names()
    async with opened(answer=takes(*all_names, role="developer")) as (server, backend):
        await asyncio.gather(backend.answer(REQUEST), backend.answer(replace(REQUEST, repeat=1)))
        assert server.seen[-1]["messages"][0] == {"role": "developer", "content": "be brief"}
        assert backend.concessions == {"left_out": [], "replaced": {"system": "developer"}}


def server_names() -> tuple[str, ...]:
    return (
        "n",
        "temperature",
        "top_p",
        "max_tokens",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "reasoning_effort",
    )


async def test_without_any_name_for_the_most_tokens_none_is_sent() -> None:
    async with opened(answer=takes(*(set(server_names()) - {"max_tokens"}))) as (server, backend):
        await backend.answer(REQUEST)
        assert not {"max_tokens", "max_completion_tokens"} & server.seen[-1].keys()


async def test_a_prompt_that_the_endpoint_cuts_is_told_of() -> None:
    """As Ollama does with what is longer than its num_ctx, without a word."""
    said: list[str] = []
    long = replace(REQUEST, messages=(Message("user", "Heat (1995)\n" * 500),))
    async with opened(said=said) as (_, backend):
        await backend.answer(REQUEST)
        assert not said and "cut_prompts" not in backend.concessions
        for repeat in range(2):
            await backend.answer(replace(long, repeat=repeat))
        assert backend.concessions["cut_prompts"] == 2
        assert len(said) == 1 and "counted 10 tokens in a prompt of 6,000 characters" in said[0]
        await backend.read_line(long, 200, completion("[1]"))
        assert backend.concessions["cut_prompts"] == 3, "the answers of a batch are watched too"


async def test_prompts_of_several_lengths_that_count_the_same_are_cut() -> None:
    said: list[str] = []
    counts = {letters: min(2048, letters // 4) for letters in (4800, 6000, 7200, 9000, 10_000, 11_000, 12_000, 13_000)}

    def counted(body: Mapping[str, Any]) -> Step:
        usage = {"prompt_tokens": counts[len(body["messages"][0]["content"])], "completion_tokens": 1}
        return Step(body=json.dumps({**completion("[1]"), "usage": usage}))

    async with opened(answer=counted, said=said) as (_, backend):
        for letters in counts:
            assert not said or letters > 12_000
            await backend.answer(replace(REQUEST, messages=(Message("user", "x" * letters),)))
    assert len(said) == 1 and "counted 2,048 tokens in a prompt of 13,000 characters, as in prompts of other" in said[0]


async def test_one_completion_for_several_calls_is_told_of() -> None:
    """As from a gateway's cache of similar prompts."""
    said: list[str] = []
    body = {**completion("[1]"), "created": 1_767_268_820}
    fresh = [Step(body=json.dumps({**body, "id": f"own-{number}"})) for number in range(9)]
    async with opened(*fresh, Step(body=json.dumps(body)), said=said) as (_, backend):
        for number in range(14):
            await backend.answer(replace(REQUEST, repeat=number))
        assert not said and backend.concessions["repeated"] == 4
        for _ in range(9):
            await backend.answer(replace(REQUEST, repeat=14))
        assert backend.concessions["repeated"] == 5, "the same request may get the same completion"
    assert len(said) == 1 and "answered 5 calls with the completion of another call (the last: 1)" in said[0]


async def test_fewer_log_probabilities_than_were_requested_are_told_of() -> None:
    said: list[str] = []
    body = completion("A")
    body["choices"][0]["logprobs"] = {"content": [{"token": "A", "logprob": -0.1, "top_logprobs": []}]}
    async with opened(Step(body=json.dumps(body)), said=said) as (_, backend):
        assert (await backend.answer(replace(REQUEST, labels=("A", "B")))).label_logprobs == {}
    assert "returned only 0 of 20 requested log-probabilities" in said.pop()
    body["choices"][0]["logprobs"] = {"content": [{"token": "A", "top_logprobs": [{"token": "A", "logprob": -0.1}]}]}
    async with opened(Step(body=json.dumps(body)), said=said) as (_, backend):
        for labels in (("A",), ("A", "B"), ("A", "B")):
            assert (await backend.answer(replace(REQUEST, labels=labels))).label_logprobs == {"A": -0.1}
    assert [line.partition(" ")[2] for line in said] == [
        "returned only 1 of 20 requested log-probabilities; candidates whose label is not among them are not placed"
    ]


@pytest.mark.parametrize(
    ("listed", "told"), [(f"models/{MODEL}", False), (f"{MODEL}:latest", False), ("another", True)]
)
async def test_only_a_model_that_is_not_listed_is_told_of(listed: str, told: bool) -> None:
    """Gemini lists `models/gemini-flash`, Ollama `qwen3:latest`, and both answer without these parts."""
    said: list[str] = []
    async with opened(models=Step(body=json.dumps({"data": [{"id": listed}]})), said=said):
        assert said == [f"the endpoint lists {listed}, but {MODEL} is requested"] * told


@pytest.mark.parametrize("status", [500, 501])
async def test_a_list_of_models_that_fails_is_done_without(status: int) -> None:
    """A gateway may not be allowed to ask for it, and answer calls all the same."""
    said: list[str] = []
    async with opened(models=refused(status), said=said) as (server, backend):
        await backend.probe(backend.answer, labels=False)
        assert server.calls == 1
        assert said == [f"{server.base_url}/models answered {status}; continuing without the list of models"]


async def test_a_refusal_that_names_nothing_changes_nothing() -> None:
    async with opened(refused(400, "the temperature outside is out of range")) as (server, backend):
        with pytest.raises(FatalBackendError, match="out of range"):
            await backend.answer(REQUEST)
        assert server.calls == 2 and backend.concessions == {"left_out": [], "replaced": {}}
        assert backend.sent_beside == 1


async def test_one_call_of_one_token_shows_that_there_are_log_probabilities(tmp_path: Path) -> None:
    with Store(tmp_path / "store.sqlite") as store:
        async with opened(Step(body=json.dumps(with_top(("A", -1.0))))) as (server, backend):
            await backend.probe(store_first(backend, store), labels=True)
            assert server.calls == 1 and server.seen[0]["max_tokens"] == 1
            again = await open_openai(server.base_url, MODEL, api_key=KEY)
            await again.probe(store_first(again, store), labels=True)
            await again.close()
            assert server.calls == 1, "the second session has it from the Store"
            assert backend.capabilities.label_logprobs == again.capabilities.label_logprobs == 20


async def test_two_processes_that_start_together_send_one_probe(tmp_path: Path) -> None:
    slow = Step(body=json.dumps(with_top(("A", -1.0))), hang=0.2)
    with Store(tmp_path / "store.sqlite") as store, Store(tmp_path / "store.sqlite") as other:
        async with opened(slow) as (server, backend):
            again = await open_openai(server.base_url, MODEL, api_key=KEY)
            await asyncio.gather(
                backend.probe(store_first(backend, store), labels=True),
                again.probe(store_first(again, other), labels=True),
            )
            await again.close()
            assert server.calls == 1 and again.capabilities.label_logprobs == 20


async def test_an_endpoint_that_ignores_the_wish_for_log_probabilities_is_found_out(tmp_path: Path) -> None:
    said: list[str] = []
    with Store(tmp_path / "store.sqlite") as store:
        async with opened(said=said) as (server, backend):
            await backend.probe(store_first(backend, store), labels=True)
            await backend.probe(store_first(backend, store), labels=True)
            assert backend.capabilities.label_logprobs == 0 and server.calls == len(said) == 1
            # What wants them and does without is not refused: the text is there to read.
            assert (await backend.answer(replace(REQUEST, labels=("A", "B")))).label_logprobs is None
            assert "logprobs" not in server.seen[-1]
        assert store.stats().responses == 0


async def test_a_probe_that_is_refused_is_an_answer_too(tmp_path: Path) -> None:
    with Store(tmp_path / "store.sqlite") as store:
        async with opened(answer=takes(*server_names())) as (server, backend):
            await backend.probe(store_first(backend, store), labels=True)
            assert backend.capabilities.label_logprobs == 0 and server.calls == 2


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
        await open_openai(url, MODEL)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("step", [refused(429, headers={"Retry-After": "0"}), refused(503), refused(500, "overloaded")])
async def test_an_endpoint_that_is_busy_for_a_while_is_waited_for(
    step: Step, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmrank.backends.openai.GREETING_WAITS", (0.01,) * 4)
    models = iter([step] * 4)

    class Busy(ScriptedServer):
        async def _models(self, request: web.Request) -> web.StreamResponse:
            return await self._play(next(models, self.models), request)

    async with Busy(*[step] * 4, good("A")) as server:
        backend = await open_openai(server.base_url, MODEL, api_key=KEY)
        with Store(tmp_path / "store.sqlite") as store:
            await backend.probe(store_first(backend, store), labels=True)
        assert server.calls == 5
        await backend.close()


@pytest.mark.parametrize(
    ("step", "end", "calls"),
    [
        (refused(429, "slow"), "answered 429: slow", 5),
        (refused(503, "away"), "answered 503: away", 5),
        (
            refused(429, "slow", headers={"Retry-After": "90"}),
            "answered 429: slow; it requests a wait of 1 min 30 s",
            1,
        ),
    ],
)
async def test_an_endpoint_that_stays_busy_is_not_said_to_be_missing(
    step: Step, end: str, calls: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmrank.backends.openai.GREETING_WAITS", (0.01,) * 4)
    async with opened(step) as (server, backend):
        with Store(tmp_path / "store.sqlite") as store, pytest.raises(MissingError) as caught:
            await backend.probe(store_first(backend, store), labels=True)
        message = f"the endpoint is not ready: {server.base_url} {end}\n  hint: run the same command again later"
        assert str(caught.value).startswith(message) and server.calls == calls
        with pytest.raises(MissingError) as caught:
            async with opened(models=step):
                pass
        assert end in str(caught.value) and "no endpoint answers" not in str(caught.value)


async def test_a_wrong_key_is_told_on_opening() -> None:
    with pytest.raises(FatalBackendError, match="rejects the key") as caught:
        async with opened(refused(401, f"bad key {KEY}"), models=refused(401, f"bad key {KEY}")):
            pass
    assert KEY not in str(caught.value)


async def test_a_key_that_may_not_list_the_models_is_used_if_it_may_call_one() -> None:
    async with opened(models=refused(401, "Virtual key is not allowed to call this route")) as (server, backend):
        assert (await backend.answer(REQUEST)).text == "fine"
        assert (server.calls, backend.sent_beside) == (2, 1)


@pytest.mark.parametrize("models", [refused(404), refused(405), Step(body=PAGE), Step(body="[]"), Step(body="{}")])
async def test_an_endpoint_that_lists_no_models_is_taken_as_it_is(models: Step) -> None:
    async with opened(models=models) as (_, backend):
        assert (await backend.answer(REQUEST)).text == "fine"
        assert backend.context_length is None


async def test_neither_endpoint_nor_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(MissingError, match="with base_url"):
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
        ("https://[::1]:8000/v1", "https://[::1]:8000/v1"),
    ],
)
def test_an_url_is_shown_without_secrets(url: str, shown: str) -> None:
    assert Address.of(url).public == shown


class Tokenizing(ScriptedServer):
    """Says it is vLLM, and gives each character its code as the token's id."""

    def routes(self) -> list[web.RouteDef]:
        self.tokenized: list[dict[str, Any]] = []
        self.strings: object = None
        self.away = 0
        """Calls that are not answered yet."""

        async def tokenize(request: web.Request) -> web.Response:
            if self.away:
                self.away -= 1
                return web.Response(status=503)
            self.tokenized.append(await request.json())
            tokens = [ord(character) for character in self.tokenized[-1].get("prompt", "").strip()]
            return web.json_response({"tokens": tokens, "token_strs": self.strings})

        return [*super().routes(), web.post("/tokenize", tokenize)]


VLLM = Step(body=json.dumps({"data": [{"id": MODEL, "owned_by": "vllm"}]}))


@pytest.mark.parametrize("strings", [7, True, "<think>", {"a": 1}, [None, 3]])
async def test_what_are_no_tokens_of_a_prompt_is_left(strings: object) -> None:
    async with Tokenizing(good("A"), models=VLLM) as server:
        server.strings = strings
        backend = await open_openai(server.base_url, MODEL, api_key=KEY)
        assert (await backend.answer(replace(REQUEST, labels=("A", "B")))).text == "A"
        await backend.close()


THINKS = "starts with its reasoning"


@pytest.mark.parametrize(
    ("strings", "thinking", "wrong"),
    [
        (["<|im_start|>", "assistant", "\u010a", "<think>", "\u010a"], Thinking(), THINKS),
        (["<|im_start|>", "assistant", "\n", "<th", "ink>", "\n"], Thinking(), THINKS),
        (["[THINK]"], Thinking(), THINKS),
        (["<|im_start|>", "assistant", "\u010a", "<think>", "\n\n", "</think>", "\n\n"], Thinking(), ""),
        (["<|im_start|>", "assistant", "\n"], Thinking(), ""),
        (["<|im_start|>", "assistant", "\n"], Thinking(True), THINKS),
    ],
)
async def test_no_label_is_read_where_a_vllm_server_lets_the_model_think_first(
    strings: list[str], thinking: Thinking, wrong: str
) -> None:
    """As after a chat template that opens `<think>` itself, although thinking is off."""
    request = replace(REQUEST, labels=("A", "B"), thinking=thinking)
    async with Tokenizing(good("A"), models=VLLM) as server:
        server.strings = strings
        backend = await open_openai(server.base_url, MODEL, api_key=KEY)
        if wrong:
            with pytest.raises(FatalBackendError, match=wrong):
                await backend.answer(request)
        else:
            await backend.answer(request)
            await backend.answer(request)
        await backend.close()
        assert server.calls == (0 if wrong else 2), "nothing is paid for"
        asked = [body for body in server.tokenized if "messages" in body]
        assert len(asked) == (not thinking.on), "it is found out once"
        for body in asked:
            assert body["add_generation_prompt"] and body["chat_template_kwargs"]["enable_thinking"] is False


async def test_a_label_of_several_tokens_is_refused_by_name() -> None:
    async with Tokenizing(good("A"), models=VLLM) as server:
        backend = await open_openai(server.base_url, MODEL, api_key=KEY)
        with pytest.raises(FatalBackendError, match="label '10' is 2 tokens for this model"):
            await backend.answer(replace(REQUEST, labels=("9", "10")))
        await backend.close()
        assert not server.calls


async def test_a_server_that_still_loads_its_model_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmrank.backends.openai.LOADING_PAUSE", 0.01)
    said: list[str] = []
    loading = Step(503, body=json.dumps({"error": {"code": 503, "message": "Loading model"}}))
    async with ScriptedServer(models=loading) as server:
        opening = asyncio.create_task(open_openai(server.base_url, MODEL, api_key=KEY, say=said.append))
        async with asyncio.timeout(30):
            while not said:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert not opening.done()
        server.models = Step(body=json.dumps({"data": [{"id": MODEL}]}))
        await (await opening).close()
        assert said == [f"waiting for the model to load: {server.base_url} answered 503: Loading model"]


async def test_a_tokenizer_that_stays_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmrank.backends.openai.GREETING_WAITS", (0.01,) * 4)
    said: list[str] = []
    async with Tokenizing(models=VLLM) as server:
        server.away = 5
        backend = await open_openai(server.base_url, MODEL, api_key=KEY, say=said.append)
        assert said == [f"labels are matched by text: {server.base_url} answered 503: no message"]
        assert backend.capabilities == Capabilities(20)
        await backend.close()


async def test_a_call_to_the_tokenizer_that_fails_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Tokenizing(models=VLLM) as server:
        backend = await open_openai(server.base_url, MODEL, api_key=KEY)
        server.away = 1
        assert await backend.label_tokens(["A", "B", "C"]) == {"A": 65, "B": 66, "C": 67}
        server.away = 99
        monkeypatch.setattr("llmrank.backends.openai.GREETING_WAITS", (0.01,) * 4)
        with pytest.raises(MissingError, match=r"does not answer calls: .*503[\s\S]*hint: check the server"):
            await backend.label_tokens(["D"])
        await backend.close()


async def test_an_endpoint_that_lists_its_models_and_is_silent_is_told_with_what_to_do() -> None:
    async with opened(raw(then="hold"), timeout=0.2) as (_, backend):
        with pytest.raises(MissingError, match=r"does not answer calls: .*within 0\.2 s[\s\S]*longer timeout"):
            await backend.probe(backend.answer, labels=True)


async def test_the_token_ids_of_labels_are_asked_of_the_server() -> None:
    async with Tokenizing(good("A"), models=VLLM) as server:
        # Without them the labels would be others, and the same command would not go on with the Run.
        server.away = 1
        backend = await open_openai(server.base_url, MODEL, api_key=KEY)
        await backend.answer(replace(REQUEST, labels=("A", "B")))
        await backend.close()
        assert server.seen[0]["logprob_token_ids"] == [65, 66]
        assert {"model": MODEL, "prompt": "A", "add_special_tokens": False} in server.tokenized
