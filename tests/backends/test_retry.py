"""Waiting and trying again."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrank.backends.retry import TransientError, retrying, wait_of
from llmrank.errors import BackendError

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


async def count_calls(errors: list[BackendError], attempts: int) -> tuple[int, BackendError | None]:
    calls = 0

    async def call() -> str:
        nonlocal calls
        calls += 1
        if calls <= len(errors):
            raise errors[calls - 1]
        return "done"

    try:
        assert await retrying(call, attempts=attempts) == "done"
    except BackendError as error:
        return calls, error
    return calls, None


async def test_a_passing_fault_is_tried_again() -> None:
    assert await count_calls([TransientError("a", wait=0), TransientError("b", wait=0)], 6) == (3, None)


async def test_the_last_fault_is_what_the_caller_meets() -> None:
    errors: list[BackendError] = [TransientError(str(n), wait=0) for n in range(9)]
    assert await count_calls(errors, 4) == (4, errors[3])


async def test_a_lasting_fault_is_met_at_once() -> None:
    error = BackendError("no")
    assert await count_calls([error], 6) == (1, error)


async def test_an_endpoint_that_wants_an_hour_is_given_up() -> None:
    error = TransientError("later", wait=3600)
    started = time.monotonic()
    assert await count_calls([error], 6) == (1, error)
    assert time.monotonic() - started < 1


async def test_the_wait_asked_for_is_kept() -> None:
    started = time.monotonic()
    await count_calls([TransientError("a", wait=0.3)], 6)
    assert 0.3 <= time.monotonic() - started < 1
