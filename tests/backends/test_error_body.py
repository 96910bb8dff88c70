"""Reading the body of an error status, whatever stands in it."""

from __future__ import annotations

import pytest

from llmrank.backends.error_body import ErrorBody

BODIES = {
    "openai": (
        '{"error": {"message": "no", "param": "seed", "code": "unsupported", "type": "invalid"}}',
        ErrorBody("no", "seed", "unsupported", "invalid"),
    ),
    "the object itself": ('{"message": "no", "code": 400, "param": null}', ErrorBody("no", code="400")),
    "a text as error": ('{"error": "no such model"}', ErrorBody("no such model")),
    "a text": ('"busy"', ErrorBody("busy")),
    "another form": ('{"detail": [{"loc": ["seed"]}]}', ErrorBody('{"detail": [{"loc": ["seed"]}]}')),
    "no message": ('{"error": {"code": "x"}}', ErrorBody('{"error": {"code": "x"}}', code="x")),
    "null": ('{"error": null}', ErrorBody('{"error": null}')),
    "list": ("[1]", ErrorBody("[1]")),
    "page": ("<html>busy</html>", ErrorBody("<html>busy</html>")),
    "nothing": ("", ErrorBody("")),
}


@pytest.mark.parametrize(("text", "body"), BODIES.values(), ids=BODIES)
def test_what_an_error_says(text: str, body: ErrorBody) -> None:
    assert ErrorBody.read(text) == body


@pytest.mark.parametrize("text", [text for text, _ in BODIES.values() if text])
def test_it_is_what_the_sdk_reads(text: str) -> None:
    import httpx2
    from openai import AsyncOpenAI

    answered = httpx2.Response(418, text=text, request=httpx2.Request("POST", "http://localhost"))
    error = AsyncOpenAI(api_key="none")._make_status_error_from_response(answered)  # pyright: ignore[reportPrivateUsage]
    read = ErrorBody.read(text)
    assert (read.param, read.code, read.type) == (error.param or "", error.code or "", error.type or "")
