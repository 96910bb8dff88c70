"""Interprets refusals: a status and a message become the error for the engine and the user.

A refusal can be transient (TransientError), due to this request alone (BackendError), or one that every further call
would meet too (FatalBackendError). The messages of many vendors are recognised; anything else is judged by its status.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from itertools import product
from typing import Any, Self

from llmrank.backends.completion import at, first_choice, json_value, unreadable
from llmrank.backends.dialect import refused_parameter
from llmrank.backends.endpoint import Reply, error_text
from llmrank.errors import BackendError, FatalBackendError, TransientError

QUOTA = frozenset(
    {"insufficient_quota", "exceeded_current_quota_error", "billing_hard_limit_reached", "billing_not_active"}
)
OUT_OF_MONEY = re.compile(
    r"balance is too low|insufficient (?:account )?(?:balance|credits)|used all available credits"
    r"|exceeded your (?:current|monthly)|(?:key|spend(?:ing)?|billing hard) limit (?:exceeded|(?:has been )?reached)"
    r"|reached your specified (?:api )?usage limit|account is in good standing|out of call volume quota"
    r"|monthly (?:spending )?limit|\bbudget has been exceeded|exceeded(?:token)?budget|over budget\. spend",
    re.IGNORECASE,
)
"""Phrases of refusals that waiting does not help, unless they say when to come back (`COMES_BACK`)."""
COMES_BACK = re.compile(r"per[ _](?:second|minute|hour|day)|(?:retry|try again) (?:in|after \d)", re.IGNORECASE)
NOTHING_ALLOWED = re.compile(r"\blimit: 0(?:\.0+)?\b(?!\.\d)", re.IGNORECASE)
"""The words for a limit of zero (Gemini's models outside the free tier), which no waiting helps, whatever it says."""
PASSING = frozenset({408, 409, 421, 423, 424, 425, 429})
"""HTTP statuses of transient refusals."""
KNOWN = frozenset(status.value for status in HTTPStatus)
TOO_LONG = (
    r"context.?(?:length|limit|size|window)|maximum (?:context|prompt|model|input|allowed) ?length"
    r"|(?:prompt|input|messages?) (?:is |are )?too (?:long|large)|reduce the length|longer than the (?:max|model)"
    r"|input token count|tokens? .{0,60}must be <="
)
REQUEST_SPECIFIC = re.compile(
    rf"{TOO_LONG}|too many tokens|request (?:is )?too (?:long|large)"
    r"|content.?filter|content management policy|moderation|flagged|inappropriate content",
    re.IGNORECASE,
)
"""Phrases of refusals due to this request alone: it is too long, or its content is filtered."""
REQUEST_TOO_LONG = re.compile(rf"{TOO_LONG}|request (?:is )?too (?:large|long)", re.IGNORECASE)
"""The phrases that count even if the status says that the endpoint is busy or broken, which some return for a request
that is too long: `429 Request too large`, `500 … exceeds the available context size`."""
A_MINUTE = re.compile(r"per.minute|per.second|wait before", re.IGNORECASE)
"""Phrases about a length limit that several requests share."""
FILTERED = re.compile(r"content_?filter|content_?policy_?violation", re.IGNORECASE)
"""Error codes for filtered content, whatever the status."""
THROTTLES = re.compile(r"throttl|too_?many_?requests", re.IGNORECASE)
SAYS_IT_THROTTLES = re.compile(
    r"\W*(?:detail\W+)?(?:(?:an error occurred \()?throttlingexception|too many requests"
    r"|rate.?limit(?:ed| exceeded| reached))\b",
    re.IGNORECASE,
)
"""How to recognise a 400 that means 429: by its code, or by the start of its message (the rest may quote a title)."""
BUSY = re.compile(
    r"\bbusy\b|overload|pending requests|queue (?:is )?full|queue size|queued_requests|(?:at|over) capacity"
    r"|capacity exceeded|\bno (?:free |available )?slots?\b|too many (?:requests|connections)",
    re.IGNORECASE,
)
"""How to recognise a 5xx that means 429 (Ollama: `maximum pending requests exceeded`; Gemini: `overloaded`)."""
LOADING = re.compile(r"\bloading\b|\bstarting\b|\bwarming\b|\bnot (?:yet )?ready\b", re.IGNORECASE)
"""Phrases in a 5xx from a server whose model is not loaded yet (llama.cpp: `Loading model`)."""
STATUSES = {
    **dict.fromkeys(("context_length_exceeded", "content_filter", "invalid_request_error"), 400),
    **dict.fromkeys(("invalid_api_key", "authentication_error"), 401),
    "insufficient_quota": 402,
    "model_not_found": 404,
    **dict.fromkeys(("rate_limit_exceeded", "rate_limit_error"), 429),
}
"""The HTTP status that OpenAI (or Anthropic) uses with an error code or type."""
ABOUT_THE_KEY = re.compile(
    r"\bkeys?\b|apikey|token|credential|password|unauthorized|authenticat|bearer|signature|\bsk-|\*{3}", re.IGNORECASE
)
WRONG_KEY = re.compile(r"\W*(?:your )?api.?key (?:is )?(?:not valid|invalid|expired)", re.IGNORECASE)
"""The start of the message of a 400 that means 401 (Gemini)."""
STATE_OF_THE_KEY = re.compile(r"\b(?:expired|revoked|disabled|deactivated|suspended)\b", re.IGNORECASE)
WANTS_HTTPS = re.compile("http request .{0,20}to (?:an )?https (?:port|server)", re.IGNORECASE)
"""How nginx and Go answer plain HTTP at a port for TLS."""
SYSTEM_ROLES = ("system", "developer")
CORRECT_URL = "correct --base-url (it usually ends in /v1)"


class RefusedError(BackendError):
    """The endpoint refused a request, and may or may not refuse all others too."""


class UnsupportedError(BackendError):
    """The endpoint does not support a parameter; the request may be answered without it."""

    def __init__(self, parameter: str, message: str) -> None:
        self.parameter = parameter
        super().__init__(message)


def with_inner_refusal(reply: Reply) -> Reply:
    """Unwrap a provider's error passed on by a gateway. If an answer contains an error, return that error with the
    status that its code or type implies. The same applies to a 400 that contains a transient error."""
    if not (reply.ok or reply.status == 400) or not isinstance(reply.body, dict):
        return reply
    places = (at(reply.body, dict, "error"), at(first_choice(reply.body), dict, "error"))
    for error, name in product(filter(None, places), ("code", "type")):
        status = _status(error.get(name))
        if 400 <= status < 600 and (reply.ok or status == 429 or status >= 500):
            return replace(reply, status=status, body={"error": error})
    return reply


def _status(code: object) -> int:
    """Return the HTTP status that an error code implies; 0 if none."""
    if isinstance(code, str):
        return STATUSES.get(code) or (int(code) if re.fullmatch("[45][0-9]{2}", code) else 0)
    return code if isinstance(code, int) else 0


def refusal(url: str, reply: Reply, sent: Mapping[str, Any], *, answered: bool) -> BackendError:
    """Return the error for a reply that is not an answer; `sent` is the body of the call.

    `answered` says whether the endpoint has answered a call before. A proxy's reply is then transient; otherwise it
    means that the URL is wrong.
    """
    status, body, wait = reply.status, ErrorBody.read(reply.body, reply.text), wait_of(reply.headers)
    message, code, full_message = error_text(body.message), body.code or body.type, error_text(body.message, 2000)
    if status == 400 and (THROTTLES.search(code) or SAYS_IT_THROTTLES.match(full_message)):
        status = 429
    if status == 400 and WRONG_KEY.match(full_message):
        status = 401
    kind = "429" if status == 429 else "4xx" if status < 500 else _kind_of_failure(full_message)
    if wait is None and kind in ("429", "busy"):
        wait = wait_in(f"{full_message} {reply.text[-2000:]}")
    request_specific = f"{url} refuses this request ({status}): {message}"
    if parameter := _unsupported_parameter(status, body, full_message, sent):
        return UnsupportedError(parameter, full_message)
    if _is_request_specific(status, code, message):
        return BackendError(request_specific)
    spent = OUT_OF_MONEY.search(full_message) and not COMES_BACK.search(full_message) and wait is None
    nothing = NOTHING_ALLOWED.search(full_message) if status == 429 else None
    if status == 402 or code in QUOTA or nothing or (spent and status in (400, 403, 429)):
        said = message if nothing is None or nothing[0] in message else f"{message} {nothing[0]}"
        hint = "add credit or raise the limit, then run it again"
        return FatalBackendError(f"{url}: the quota is exhausted ({said})\n  hint: {hint}")
    if status < 300:
        return unreadable(f"{url} answered with status {status}, which is not valid for an answer")
    if intermediary := _intermediary(reply, message):
        what, hint = intermediary
        if answered:
            return TransientError(f"{url} {what}", kind="unreadable", charged=False)
        return FatalBackendError(f"{url} {what}\n  hint: {hint}")
    if status in (401, 403):
        login = reply.headers.get("www-authenticate", "").lower().startswith("basic")
        what = "USER:PASSWORD@ before the host of --base-url" if login else "OPENAI_API_KEY to a key for this endpoint"
        hint = f"\n  hint: set {what}{'' if answered else ', or correct --base-url'}"
        return FatalBackendError(f"{url} rejects the key ({status}){_why_rejected(body, full_message, hint)}")
    # A status unknown to HTTP, such as 499 or 460, comes from an intermediary.
    told = reply.headers.get("x-should-retry") == "true"  # as OpenAI and Anthropic tell their own clients
    if told or status in PASSING or status >= 500 or status not in KNOWN:
        reset = wait_for_reset({**reply.headers, **_passed_on(reply.body)}) if status == 429 else None
        wait = reset if wait is None else wait
        return TransientError(f"{url} answered {status}: {message}", kind=kind, wait=wait)
    return RefusedError(request_specific)


def _why_rejected(body: ErrorBody, full_message: str, hint: str) -> str:
    """Return why the endpoint rejects the key, if it says so, and the hint. A message about the key may quote part of
    it; its one telling word and the error's code are then shown."""
    if full_message != "no message" and not ABOUT_THE_KEY.search(full_message):
        return f": {error_text(body.message)}{hint}, or check what this key may do, and from where"
    codes = [code for code in (body.code, body.type) if re.fullmatch("[a-z_]{1,60}", code)]
    told = [*dict.fromkeys(word.lower() for word in STATE_OF_THE_KEY.findall(full_message)), *codes[:1]]
    return f"{': ' if told else ''}{', '.join(told)}{hint}"


def _kind_of_failure(message: str) -> str:
    """Return the kind of a 5xx: whether the endpoint says that it has too many calls, or that its model loads."""
    loading = LOADING.search(message) and not re.search("error|fail|unable", message, re.IGNORECASE)
    return "busy" if BUSY.search(message) else "loading" if loading else "5xx"


def _passed_on(body: object) -> dict[str, str]:
    """Return the headers that OpenRouter copies into the error."""
    headers = at(body, dict, "error", "metadata", "headers") or {}
    return {str(name).lower(): value for name, value in headers.items() if isinstance(value, str)}


def _unsupported_parameter(status: int, body: ErrorBody, full_message: str, sent: Mapping[str, Any]) -> str | None:
    """Return which of the `sent` parameters the refusal names as unsupported."""
    if status not in (400, 403, 422) and not (status == 500 and "unexpected keyword argument" in full_message):
        return None
    names = set(sent) | {"system" for message in sent.get("messages", ()) if message["role"] in SYSTEM_ROLES}
    name = refused_parameter(full_message, body.param[:200], body.code[:200], names)
    # A 403 is about the key, except for models that do not offer log-probabilities.
    return None if status == 403 and name != "logprobs" else name


def _is_request_specific(status: int, code: str, message: str) -> bool:
    """Return whether the refusal is due to this request alone: it is too long, or its content is filtered."""
    own = REQUEST_TOO_LONG if status == 429 or status >= 500 else REQUEST_SPECIFIC
    shared = status == 429 and A_MINUTE.search(message) and "too large" not in message.lower()
    return status == 413 or bool(FILTERED.search(code) or (own.search(f"{code} {message}") and not shared))


def _intermediary(reply: Reply, message: str) -> tuple[str, str] | None:
    """Return what answered in place of the endpoint (a proxy, a redirect, a server without this path) and a hint."""
    status = reply.status
    if status == 407 or (status == 403 and reply.text.lstrip().startswith("<")):
        hint = "allow these calls (HTTPS_PROXY may contain a user and a password), or correct --base-url"
        return f"is behind a proxy or a firewall that answered {status}: {message}", hint
    if 300 <= status < 400:
        return f"redirects to {error_text(reply.headers.get('location') or 'nowhere', 200)}", CORRECT_URL
    if status == 400 and WANTS_HTTPS.search(message):
        return f"answered 400: {message}", "start --base-url with https://"
    if status in (404, 405) and not isinstance(reply.body, dict | list):
        return f"answered {status} at /chat/completions: {message}", CORRECT_URL
    return None


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """The fields of an OpenAI error; empty if the body has none."""

    message: str
    """The whole body if it has no message: a proxy's page, or JSON in another format."""
    param: str = ""
    code: str = ""
    type: str = ""

    @classmethod
    def read(cls, body: object, text: str) -> Self:
        """Return the fields of the object under `error`, or of the body itself. Accepts any value."""
        if isinstance(body, list) and len(body) == 1:  # Gemini's
            body = body[0]
        error = body.get("error", body) if isinstance(body, dict) else body
        if not isinstance(error, dict):
            return cls(error if isinstance(error, str) else text)
        message = error.get("message")
        if isinstance(message, str) and (said := at(error, str, "metadata", "raw")):  # OpenRouter's provider
            inner = cls.read(json_value(said), said)
            return replace(inner, message=f"{message}: {inner.message}")
        named = [
            str(field) if isinstance(field := error.get(name), str | int) else "" for name in ("param", "code", "type")
        ]
        if isinstance(kind := error.get("__type"), str):  # Bedrock's
            named[2] = kind
        return cls(message if isinstance(message, str) else text, *named)


NUMBER = re.compile(r"-?\d{1,12}(?:\.\d{1,12})?", re.ASCII)
UNIX_TIME = re.compile(r"\d{1,13}(?:\.\d{1,6})?", re.ASCII)
DURATION = re.compile(r"(?:\d{1,12}(?:\.\d{1,12})?(?:ms|h|m|s)){1,8}", re.ASCII)
USED_UP = re.compile(r"\b(?:r|remaining)=0\b[^,]*?[;,] ?(?:t|reset)=(\d{1,9})\b", re.ASCII)
PART = re.compile(r"(\d+(?:\.\d+)?) ?(ms|h|m|s)")
IN_WORDS = re.compile(
    r"(?:\b(?:retry|try again) (?:in|after) |\"retry_?delay\" ?: ?\")"
    r"(?:\d{1,6}(?:\.\d{1,12})? ?(?:ms|h|m|s)(?![a-z]) ?){1,4}"
    r"|\b(?:(?:retry|try again) (?:in|after)|wait(?: for)?) \d{1,6}(?:\.\d{1,12})? (?:seconds?|minutes?|hours?)\b",
    re.IGNORECASE,
)
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def wait_in(text: str) -> float | None:
    """Return the seconds to wait that the text of a refusal states, or None: OpenAI's `Please try again in 1m30s`,
    Gemini's `Please retry in 4.07s` and `"retryDelay": "4s"`."""
    found = IN_WORDS.search(text)
    return None if found is None else _seconds(found[0].lower())


def wait_of(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds to wait from `retry-after-ms` or `Retry-After` (seconds, an HTTP date, or `1m30s`); None if
    there is no valid value. RFC 9110, section 10.2.3, defines the first two forms.

    A date is compared with the endpoint's own clock (`Date`), or else with `now` (None: this machine's clock).
    """
    if NUMBER.fullmatch(text := headers.get("retry-after-ms", "").strip()):
        return max(0.0, float(text) / 1000)
    if NUMBER.fullmatch(text := headers.get("retry-after", "").strip()):
        return max(0.0, float(text))
    if DURATION.fullmatch(text):
        return _seconds(text)
    try:
        return max(0.0, (_date(text) - _now(headers, now)).total_seconds())
    except NO_DATE:
        return None


def wait_for_reset(headers: Mapping[str, str]) -> float | None:
    """Return the seconds until every limit that is used up is reset, or None if no header says: `x-ratelimit-reset`
    (OpenRouter: a Unix time in milliseconds), or `-requests` and `-tokens` after it (OpenAI: `6m0s`); or those of the
    IETF's drafts, `ratelimit-reset: 5` and `ratelimit: "default";r=0;t=5`."""
    waits: list[float] = []
    for limit in ("x-ratelimit{}", "x-ratelimit{}-requests", "x-ratelimit{}-tokens", "ratelimit{}"):
        text = headers.get(limit.format("-reset"), "").strip()
        if headers.get(limit.format("-remaining"), "0").strip() != "0":
            continue
        if DURATION.fullmatch(text):
            waits.append(_seconds(text))
        elif UNIX_TIME.fullmatch(text):
            time = float(text) / (1000 if float(text) > 1e11 else 1)
            waits.append(max(0.0, time - _now(headers).timestamp() if time > 1e9 else time))
    waits += [float(seconds) for seconds in USED_UP.findall(headers.get("ratelimit", ""))]
    return max(waits, default=None)


def _seconds(text: str) -> float:
    parts: list[tuple[str, str]] = PART.findall(text)
    return sum(float(number) * UNITS[unit] for number, unit in parts)


def _now(headers: Mapping[str, str], now: datetime | None = None) -> datetime:
    """Return the time by the endpoint's own clock, if it states a valid one."""
    with suppress(*NO_DATE):
        return _date(headers.get("date", ""))
    return now or datetime.now(UTC)


NO_DATE = (ValueError, TypeError, IndexError, ArithmeticError)
"""The exceptions that an invalid date raises."""


def _date(text: str) -> datetime:
    date = parsedate_to_datetime(text[:100])
    return date if date.tzinfo else date.replace(tzinfo=UTC)
