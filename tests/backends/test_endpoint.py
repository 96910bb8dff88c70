"""The HTTP border: what comes in is bounded, decoded, cleared of secrets; what fails is a fault of one call."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrank.backends.endpoint import ErrorBody, wait_of

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
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    assert ErrorBody.read(value, text) == body


NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "1m30s"}, 90.0),
        ({"retry-after": "1h0m5s"}, 3605.0),
        ({"retry-after": "250ms"}, 0.25),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:20 GMT"}, 20.0),
        ({"retry-after": "Thu, 01 Jan 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({}, None),
    ],
)
def test_the_forms_of_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert wait_of(headers, NOW) == seconds


@given(st.text(max_size=30))
def test_any_header_is_read_or_left(text: str) -> None:
    wait = wait_of({"retry-after": text}, NOW)
    assert wait is None or wait >= 0
