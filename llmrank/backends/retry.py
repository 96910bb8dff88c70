"""Trying again: which faults pass, how long to wait, and when to give up."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

from llmrank.errors import BackendError

if TYPE_CHECKING:
    from tenacity import RetryCallState

Result = TypeVar("Result")

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Seconds: the first wait of our own choosing doubles up to the longest."""
PATIENCE = 300.0
"""Seconds: an endpoint that asks for a longer wait is given up."""

NUMBER = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)
DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|h|m|s))+", re.ASCII)
PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class TransientError(BackendError):
    """A fault that may pass: worth another try. After the last try it is the BackendError that the caller meets."""

    def __init__(self, message: str, *, wait: float | None = None, charged: bool = True) -> None:
        self.charged, self.wait = charged, wait
        """Seconds that the endpoint asked for; None when it did not say."""
        super().__init__(message)


def wait_of(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds in `retry-after-ms` or `Retry-After` (seconds, an HTTP date, or `1m30s`); None if there are
    none that can be read. RFC 9110, section 10.2.3, for the first two forms."""
    if NUMBER.fullmatch(text := headers.get("retry-after-ms", "").strip()):
        return max(0.0, float(text) / 1000)
    if NUMBER.fullmatch(text := headers.get("retry-after", "").strip()):
        return max(0.0, float(text))
    if DURATION.fullmatch(text):
        return sum(float(number) * UNITS[unit] for number, unit in PART.findall(text))
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())


async def retrying(call: Callable[[], Awaitable[Result]], *, attempts: int) -> Result:
    """Return the call's result; a TransientError is tried again, up to `attempts` calls in all.

    Waits as long as the endpoint asked, else 0.5, 1, 2 … 30 s, with a random share on top so that many callers do not
    come back at once. Raises the last TransientError, or at once the one that asks for more patience than there is.
    """
    from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

    def passes(error: BaseException) -> bool:
        return isinstance(error, TransientError) and (error.wait is None or error.wait <= PATIENCE)

    async def awaited() -> Result:
        return await call()

    policy = AsyncRetrying(
        retry=retry_if_exception(passes), stop=stop_after_attempt(attempts), wait=_next_wait, reraise=True
    )
    return await policy(awaited)


def _next_wait(state: RetryCallState) -> float:
    from random import random

    error = state.outcome.exception() if state.outcome else None
    asked = error.wait if isinstance(error, TransientError) else None
    if asked is not None:
        return asked * (1 + 0.1 * random()) if asked else 0.0
    return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (state.attempt_number - 1)) * (0.5 + random())
