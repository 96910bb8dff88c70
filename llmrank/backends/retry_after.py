"""What an endpoint says about when to come back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

NUMBER = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)
DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|h|m|s))+", re.ASCII)
PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


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
