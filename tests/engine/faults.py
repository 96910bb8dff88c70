"""What real endpoints do wrong, each met by the whole engine: real HTTP, a real Store, a ranker and its parser.

Six Cases are ranked; the endpoint does the fault to one of them, once or for good, and answers the others.
"""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from llmrank.backends.openai import open_openai
from llmrank.engine import Caller, CaseResult, Clock, RetryPolicy, rank_all
from llmrank.errors import LlmrankError
from llmrank.rankers.first_token import FirstToken
from llmrank.rankers.listwise import Listwise
from llmrank.store import Store
from llmrank.types import Case, Event, Item
from tests.rankers.oracle import prompt
from tests.scripted_server import HEAD, MODEL, ScriptedServer, Step, completion, framed, good, raw, refused

CASES = 6
STRICKEN = "Seen by u2"
SPEED = 200.0
"""How much faster the engine waits than it would: Retry-After 1m30s takes half a second."""
PATIENCE = 600.0
"""Seconds, as the engine counts them."""
TIMEOUT = 0.4
"""Seconds for one call; these are real."""
PAGE = "<html><head><title>Sign in</title></head><body>Proxy: please [3] sign in</body></html>"
ANSWER = "[2] > [1] > [3]"


GEMINI = (
    "You exceeded your current quota, please check your plan and billing details. For more information on this error, "
    "head to: the documentation of rate limits. To monitor your current usage, head to: the page of usage.\\n"
    "* Quota exceeded for metric: generate_content_free_tier_requests, limit: 10, model: gemini-flash\\n"
    "Please retry in 4.07s."
)


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong."""

    name: str
    step: Callable[[], Step]
    once: str
    """What becomes of the Case when it happens once: its outcome and reason, or the error that ends the run."""
    calls_once: int
    """Calls made for that Case."""
    lasting: str
    """The same when it happens at every call."""
    calls_lasting: int
    """At least; a 429 is not counted while the other Cases get through."""
    labels: bool = False
    """Whether it is a ranker that reads log-probabilities."""


def with_logprobs(value: object) -> Step:
    """An answer of one token in which this stands as its log-probabilities."""
    body = completion("A")
    body["choices"][0]["logprobs"] = value
    return Step(body=json.dumps(body))


def judged(**logprobs: Any) -> Step:
    """An answer with log-probabilities at its one token."""
    return logprobs_of([{"token": token, "logprob": value} for token, value in logprobs.items()])


def after_thinking(**logprobs: float) -> Step:
    """An answer whose reasoning was split off its text, but not off its log-probabilities."""
    body = completion("A", reasoning_content="B is good")
    thought = {"token": "B", "top_logprobs": [{"token": "B", "logprob": -0.01}]}
    top = [{"token": token, "logprob": value} for token, value in logprobs.items()]
    body["choices"][0]["logprobs"] = {"content": [thought, {"token": "A", "top_logprobs": top}]}
    return Step(body=json.dumps(body))


def throttled(retry_after: str | None) -> Callable[[], Step]:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return lambda: refused(429, "slow down, [3] is first, try again", headers=headers)


def throttled_until() -> Step:
    return throttled(format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True))()


def throttled_by_openrouter() -> Step:
    reset = int(1000 * (datetime.now(UTC).timestamp() + 20))
    return refused(429, metadata={"headers": {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{reset}"}})


def always(step: Step) -> Callable[[], Step]:
    return lambda: step


OK, GIVEN_UP, UNPARSED = "ok", "error: ", "unparsed: empty"
GOOD = json.dumps(completion(ANSWER)).encode()
WHOLE = HEAD + f"Content-Length: {len(GOOD)}\r\n\r\n".encode() + GOOD
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
TEXT = {"type": "text", "text": ANSWER}
STREAM = (
    "".join(
        f"data: {json.dumps({'choices': [{'index': 0, 'delta': delta, 'finish_reason': reason}]})}\n\n"
        for delta, reason in (
            *[({"role": "assistant"}, None), *[({"content": part}, None) for part in re.findall(".{1,4}", ANSWER)]],
            *[({}, "stop")],
        )
    )
    + 'data: {"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 9}}\n\ndata: [DONE]\n\n'
)


def passing(name: str, step: Step, reason: str) -> Fault:
    """A fault that is tried again, and given up after six calls; `|` stands between reasons that are as good."""
    return Fault(name, always(step), OK, 2, GIVEN_UP + reason, 6)


def harmless(name: str, step: Step) -> Fault:
    """Odd, and an answer all the same."""
    return Fault(name, always(step), OK, 1, OK, 1)


def chunk(part: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(part), part)


def within(error: object) -> Step:
    """An error in the place of a choice's text."""
    body = completion("")
    body["choices"][0]["error"] = error
    return Step(body=json.dumps(body))


def raw_deflated(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


def nested(depth: int) -> bytes:
    """A good answer with a tag, so that it is searched for the key, and a field that is nested so deep."""
    return b'{"tag": "<b>", "deep": ' + b"[" * depth + b"]" * depth + b", " + GOOD[1:]


def several(*choices: Any) -> Step:
    return Step(body=json.dumps({**completion(), "choices": choices}))


def numbered(text: str, index: object) -> dict[str, Any]:
    return {"index": index, "message": {"content": text}, "finish_reason": "stop"}


def several_with(error: object) -> Step:
    return Step(body=json.dumps({**completion(ANSWER), "error": error}))


def own(name: str, step: Step) -> Fault:
    """A refusal of this one request."""
    return Fault(name, always(step), GIVEN_UP + "refuses this", 1, GIVEN_UP + "refuses this", 1)


def stopping(name: str, step: Step, reason: str) -> Fault:
    """A refusal that every other call would meet."""
    return Fault(name, always(step), f"stops: {reason}", 1, f"stops: {reason}", 1)


def refusing(name: str, step: Step) -> Fault:
    """An answer in which the model refuses."""
    return Fault(name, always(step), "unparsed: refusal", 1, "unparsed: refusal", 1)


def busy(name: str, step: Step) -> Fault:
    """Too many calls: not counted while the other Cases get through."""
    return Fault(name, always(step), OK, 2, GIVEN_UP + f"answered {name[:3]}", 6)


def logprobs_of(top: object) -> Step:
    """An answer whose likeliest tokens are these, which may be no such thing."""
    return with_logprobs({"content": [{"token": "A", "logprob": -1.0, "top_logprobs": top}]})


FAULTS = (
    Fault("429, Retry-After: 20", throttled("20"), OK, 2, GIVEN_UP + "answered 429", 6),
    Fault("429, Retry-After: a date", throttled_until, OK, 2, GIVEN_UP + "answered 429", 6),
    Fault("429, Retry-After: 1m30s", throttled("1m30s"), OK, 2, GIVEN_UP + "answered 429", 6),
    Fault("429, no Retry-After", throttled(None), OK, 2, GIVEN_UP + "answered 429", 6),
    Fault("429, Retry-After: 7200", throttled("7200"), GIVEN_UP + "answered 429", 1, GIVEN_UP + "answered 429", 1),
    Fault("500", always(refused(500)), OK, 2, GIVEN_UP + "answered 500", 6),
    Fault("502, a page", always(Step(502, PAGE)), OK, 2, GIVEN_UP + "answered 502", 6),
    Fault("503", always(refused(503, headers={"Retry-After": "10"})), OK, 2, GIVEN_UP + "answered 503", 6),
    Fault("silence", always(replace(good(), hang=2)), OK, 2, GIVEN_UP + "gave no answer within", 6),
    Fault("reset in the body", always(Step(reset=True)), OK, 2, GIVEN_UP + "broke", 6),
    Fault("slow trickle", always(replace(good(), trickle=0.05)), OK, 2, GIVEN_UP + "gave no answer within", 6),
    Fault("invalid JSON", always(Step(body='{"choices": [{"m')), OK, 2, GIVEN_UP + "that is not JSON", 6),
    Fault("a proxy's page", always(Step(body=PAGE)), OK, 2, GIVEN_UP + "a web page and not JSON (Sign in", 6),
    Fault("no choices", always(Step(body='{"choices": []}')), OK, 2, GIVEN_UP + "returned no choice", 6),
    Fault("null content", always(good(None)), "unparsed: empty", 1, "unparsed: empty", 1),
    Fault("a refusal", always(good(None, refusal="I can't")), "unparsed: refusal", 1, "unparsed: refusal", 1),
    Fault(
        "content filter",
        always(good(None, finish_reason="content_filter")),
        "unparsed: refusal",
        1,
        "unparsed: refusal",
        1,
    ),
    Fault(
        "content filter, 400",
        always(refused(400, "filtered", code="content_filter")),
        GIVEN_UP + "refuses this request",
        1,
        GIVEN_UP + "refuses this request",
        1,
    ),
    Fault("cut off", always(good("[2] > [", finish_reason="length")), "repaired", 1, "repaired", 1),
    Fault("a label too few", lambda: judged(A=-1.0, B=-0.5), "repaired", 1, "repaired", 1, labels=True),
    *(
        Fault(name, always(step), OK, 2, GIVEN_UP + "lacks the log-probabilities", 6, True)
        for name, step in {
            "no log-probabilities": good("A"),
            "log-probabilities: null": with_logprobs(None),
            "log-probabilities: a list": with_logprobs([-1.0]),
            "log-probabilities of no token": with_logprobs({"content": []}),
            "log-probabilities: null content": with_logprobs({"content": None}),
            "log-probabilities in the legacy form": with_logprobs(
                {"tokens": ["A"], "token_logprobs": [-1.0], "top_logprobs": [{"A": -1.0, "B": -0.5, "C": -3.0}]}
            ),
        }.items()
    ),
    Fault(
        "400, seed unsupported",
        always(refused(400, "Unsupported parameter: 'seed'", param="seed", code="unsupported_parameter")),
        OK,
        2,
        GIVEN_UP + "refuses this request",
        2,
    ),
    Fault("401", always(refused(401)), "stops: rejects the key", 1, "stops: rejects the key", 1),
    Fault("404", always(refused(404)), GIVEN_UP + "refuses this request (404)", 1, GIVEN_UP + "(404)", 1),
    # --- what is no HTTP, or breaks off ---
    passing("body shorter than its length", framed(GOOD, length=len(GOOD) + 100), "broke"),
    passing("body longer than its length", framed(GOOD, length=len(GOOD) - 10), "no JSON|not valid HTTP"),
    harmless("more after the body", framed(GOOD + b"HTTP/1.1 500 No\r\n\r\n", length=len(GOOD))),
    passing("negative length", framed(GOOD, length=-5), "not valid HTTP"),
    passing("length that is no number", raw(HEAD + b"Content-Length: many\r\n\r\n" + GOOD), "not valid HTTP"),
    passing("two lengths", framed(GOOD, "Content-Length: 3"), "not valid HTTP"),
    passing("bad chunk", raw(CHUNKED + b"zz\r\n" + GOOD), "valid HTTP|broke"),
    passing("chunk of negative size", raw(CHUNKED + b"-5\r\nhello\r\n"), "valid HTTP|broke"),
    passing("chunks cut off", raw(CHUNKED + b'5\r\n{"cho\r\n'), "broke"),
    passing(
        "chunks without end", raw(CHUNKED, b"10000\r\n" + b" " * 0x10000 + b"\r\n", then="repeat"), "longer|within"
    ),
    passing("huge header", framed(GOOD, "X-Pad: " + "x" * 100_000), "not valid HTTP"),
    passing("ten thousand headers", framed(GOOD, *[f"X-{n}: 1" for n in range(10_000)]), "not valid HTTP"),
    passing("banner of another protocol", raw(b"220 smtp.example ESMTP ready\r\n"), "not valid HTTP"),
    passing("SSH banner, then silence", raw(b"SSH-2.0-OpenSSH_9.6\r\n", then="hold"), "valid HTTP|within"),
    passing("HTTP/0.9", raw(b"<html>It works [3] > [1]</html>"), "not valid HTTP"),
    passing("binary noise", raw(bytes(range(256)) * 8), "not valid HTTP"),
    passing("TLS alert in plain", raw(b"\x15\x03\x01\x00\x02\x02\x28"), "not valid HTTP"),
    passing("status line cut off", raw(b"HTTP/1.1 20"), "broke|valid HTTP"),
    passing("status of four digits", raw(b"HTTP/1.1 2000 OK\r\n\r\n" + GOOD), "valid HTTP|broke"),
    passing("NUL in a header", framed(GOOD, "X-Nul: a\0b"), "not valid HTTP"),
    passing("closed before anything", raw(), "broke"),
    passing("reset before anything", raw(then="reset"), "broke"),
    passing("reset within the headers", raw(HEAD, then="reset"), "broke (closed by the endpoint)"),
    passing("reset within the body", raw(WHOLE[:-9], then="reset"), "broke (Not enough data"),
    passing("silence on the wire", raw(then="hold"), "gave no answer within"),
    passing("headers, then silence", raw(HEAD, then="hold"), "gave no answer within"),
    passing("one byte of a header at a time", raw(*(bytes([b]) for b in HEAD), pause=0.1), "gave no answer within"),
    passing("100 Continue without end", raw(b"HTTP/1.1 100 Continue\r\n\r\n", then="repeat"), "gave no answer within"),
    harmless("fifty times 103, then the answer", raw(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50 + WHOLE)),
    passing("101 Switching Protocols", raw(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), ""),
    harmless("called gzip and plain", framed(GOOD, "Content-Encoding: gzip")),
    passing("garbage as gzip", framed(b"\x1f\x8b" + GOOD, "Content-Encoding: gzip"), "not valid HTTP"),
    *(harmless(f"packed as {name!r}", framed(GOOD, f"Content-Encoding: {name}")) for name in ("", "utf-8", "none")),
    passing("gzip cut off", framed(gzip.compress(GOOD)[:-20], "Content-Encoding: gzip"), "truncated"),
    harmless("gzip", framed(gzip.compress(GOOD), "Content-Encoding: gzip")),
    harmless("gzip twice", framed(gzip.compress(GOOD[:99]) + gzip.compress(GOOD[99:]), "Content-Encoding: gzip")),
    harmless(
        "gzip, then something without end",
        raw(
            CHUNKED[:-2] + b"Content-Encoding: gzip\r\n\r\n" + chunk(gzip.compress(GOOD)),
            chunk(b"x" * 99),
            then="repeat",
        ),
    ),
    passing("gzip bomb", framed(gzip.compress(bytes(64 << 20)), "Content-Encoding: gzip"), "longer than 8 MiB"),
    passing("brotli", framed(b"\x0b\x02\x80hi\x03", "Content-Encoding: br"), "not JSON (application/json, br)"),
    passing("a body of 20 MB", framed(b'"' + b"x" * 20_000_000 + b'"'), "longer than 8 MiB"),
    harmless("a thousand cookies", framed(GOOD, *[f"Set-Cookie: c{n}=\x1b[31m" for n in range(100)])),
    # --- what is no JSON, or odd JSON ---
    passing("204", Step(204), "an empty body"),
    passing("empty body", Step(), "an empty body"),
    harmless("stream of events, from the model to its end", Step(body=STREAM)),
    harmless("stream of events after a comment", Step(body=": PROCESSING\n\n" + STREAM.replace("\n\n", "\r\n\r\n"))),
    *(
        harmless(f"stream of events after a comment, with {name} line ends", Step(body=text.replace("\n", end)))
        for name, end in (("CR", "\r"), ("CRLF", "\r\n"))
        for text in (": PROCESSING\n\n: PROCESSING\n" + STREAM,)
    ),
    harmless(
        "stream of events with line breaks of Unicode",
        Step(body=STREAM.replace('"stop"', '"stop", "note": "a\u2028b"')),
    ),
    passing("stream with an event that is no JSON", Step(body="data: {\n\n" + STREAM), "a stream of events"),
    passing("stream of whole messages", Step(body=STREAM.replace('"delta"', '"message"')), "a stream of events"),
    passing("stream of events that breaks off", Step(body=STREAM.partition('"stop"')[0]), "a stream of events"),
    passing("stream of events with an error", Step(body='data: {"error": {"message": "busy"}}\n\n'), "busy"),
    passing("stream of events", Step(body='data: {"choices": []}\n\ndata: [DONE]\n\n'), "a stream of events"),
    passing("trailing comma", Step(body=json.dumps(completion(ANSWER))[:-1] + ",}"), "not JSON"),
    passing("two JSON values", Step(body=json.dumps(completion(ANSWER)) * 2), "not JSON"),
    harmless("a byte of Latin-1 elsewhere", framed(GOOD[:-1] + b', "note": "Am\xe9lie"}')),
    passing("nested 100,000 deep", Step(body="[" * 100_000 + "]" * 100_000), "not JSON"),
    passing("number of 10,000 digits", Step(body='{"choices": ' + "9" * 10_000 + "}"), "no choice"),
    harmless("5,000 digits in the usage", Step(body=GOOD.decode().replace("10,", "9" * 5000 + ",", 1))),
    harmless("nested 300 deep in a field that is not read", framed(nested(300))),
    passing("nested 5,000 deep in one", framed(nested(5000)), "not JSON"),
    *(passing(f"cut off after {place} bytes", framed(GOOD[:place]), "not JSON") for place in (1, 150, len(GOOD) - 1)),
    passing("a comment before it", framed(b"/* ok */" + GOOD), "not JSON"),
    harmless("line breaks around it", framed(b"\n\r\n " + GOOD + b"\n")),
    harmless("a line break within a text", framed(GOOD[:-1] + b', "note": "two\nlines"}')),
    harmless("a charset that is none", framed(GOOD, "Content-Type: application/json; charset=x-1")),
    *(passing(f"JSON: {text}", Step(body=text), "that is|not JSON") for text in ("null", "true", "3")),
    passing("JSON list", Step(body=json.dumps([completion(ANSWER)])), "JSON that is a list"),
    passing("JSON text", Step(body=json.dumps(ANSWER)), "JSON that is a str"),
    harmless("byte order mark", framed(b"\xef\xbb\xbf" + GOOD)),
    harmless("UTF-16", framed(GOOD.decode().encode("utf-16"))),
    harmless("another content type", replace(good(ANSWER), headers={"Content-Type": "text/html"})),
    harmless("NaN elsewhere", Step(body=json.dumps({**completion(ANSWER), "cost": float("nan")}))),
    harmless("no model", Step(body=json.dumps({**completion(ANSWER), "model": None}))),
    harmless("a model that is no name", Step(body=json.dumps({**completion(ANSWER), "model": {"a": [1]}}))),
    harmless("another model", Step(body=json.dumps({**completion(ANSWER), "model": "\x1b[31mother"}))),
    # --- what is no answer ---
    *(
        passing(
            f"choices: {json.dumps(choices)[:30]}",
            Step(body=json.dumps({**completion(), "choices": choices})),
            "no choice",
        )
        for choices in (None, [], {}, "[3] > [1]", [None], ["[3] > [1]"], [[]], 3)
    ),
    *(
        passing(
            f"message: {message}", Step(body=json.dumps({**completion(), "choices": [{"message": message}]})), "message"
        )
        for message in (None, [], {}, "[3] > [1]", 3)
    ),
    passing("content: a number", good(3), "content that is not text"),
    passing("content: an object", good({"text": "[3]"}), "content that is not text"),
    passing("finish reason error", good("[3] >", finish_reason="error"), "failed during its answer"),
    passing("error in the choice", within({"message": "provider went away, [3]"}), "provider went away"),
    passing(
        "error beside the choices", Step(body=json.dumps({**completion("[3]"), "error": "overloaded"})), "overloaded"
    ),
    passing("error in a 200", Step(body=json.dumps({"error": {"message": "busy [3]"}})), "busy [3]"),
    Fault(
        "429 as a code in a 200", always(within({"code": 429, "message": "slow"})), OK, 2, GIVEN_UP + "answered 429", 6
    ),
    passing("503 as a code in a 200", within({"code": 503, "message": "away"}), "answered 503"),
    harmless("finish reason: an object", good(ANSWER, finish_reason={"a": 1})),
    Fault("tool calls only", always(good(None, tool_calls=[{"id": "1"}])), UNPARSED, 1, UNPARSED, 1),
    Fault("no parts", always(good([])), UNPARSED, 1, UNPARSED, 1),
    *(
        passing(f"parts: {json.dumps(parts)[:30]}", good(parts), "without any text part|a text part without text")
        for parts in ([None], [{"type": "image_url"}], [{"type": "image_url"}, 3, None], [{"type": "text"}])
    ),
    Fault("thinking alone", always(good([{"type": "thinking", "thinking": "hm"}])), UNPARSED, 1, UNPARSED, 1),
    Fault("legacy text", always(Step(body='{"choices": [{"text": "[3] > [1]"}]}')), OK, 2, GIVEN_UP + "message", 6),
    harmless("thinking parts", good([{"type": "thinking", "thinking": [{"type": "text", "text": "[3] first"}]}, TEXT])),
    # --- fields that make no sense ---
    *(
        harmless(f"usage: {json.dumps(usage)[:40]}", Step(body=json.dumps({**completion(ANSWER), "usage": usage})))
        for usage in (
            None,
            [],
            "many",
            {"prompt_tokens": 1e30},
            {"prompt_tokens": 10**30},
            {"completion_tokens": -5},
            {"prompt_tokens": "7"},
            {"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 9}},
        )
    ),
    *(
        Fault(f"log-probability {name}", always(step), "repaired", 1, "repaired", 1, True)
        for name, step in {
            "of 400 digits": judged(A=-1.0, B=-0.5, C=-(10**400)),
            "not a number": judged(A=-1.0, B=-0.5, C=float("nan")),
            "infinite": judged(A=-1.0, B=-0.5, C=float("-inf")),
            "as a text": judged(A=-1.0, B=-0.5, C="-1.0"),
        }.items()
    ),
    *(
        Fault(
            f"log-probabilities {name}", always(step), "unparsed: label_missing", 1, "unparsed: label_missing", 1, True
        )
        for name, step in {
            "of which one is above zero": judged(A=-1.0, B=-0.5, C=3.0),
            "for nothing": logprobs_of([]),
            "as a text": logprobs_of("A"),
            "as an object": logprobs_of([{"A": -1.0}]),
            "of nobody": logprobs_of([None, 3, {"token": None, "logprob": None}]),
        }.items()
    ),
    # --- refusals in other words ---
    *(
        Fault(f"429, Retry-After: {text[:30]}", throttled(text), OK, 2, GIVEN_UP + "answered 429", 6)
        for text in ("Thu, 01 Jan 2026 12:00:00 +9999999", "31 Feb 99999", "9" * 400, "-1", "NaN", "Thu, ,", "12:00:61")
    ),
    *(
        Fault(
            f"{status}: {text[:40]}",
            always(refused(status, text)),
            GIVEN_UP + "refuses this",
            1,
            GIVEN_UP + "refuses this",
            1,
        )
        for status, text in (
            (413, "payload too large"),
            (400, "prompt is too long: 210000 tokens > 200000 maximum"),
            (400, "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."),
            (422, "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000"),
            (400, "the request exceeds the available context size, try increasing it"),
            (400, "Input is too long for requested model."),
            (403, "Your input was flagged by moderation"),
            (400, "DataInspectionFailed: Input data may contain inappropriate content."),
            (400, "something of its own: [3]"),
            (400, "flagged by our content filter: 'Charlie's Angels: Full Throttle (2003)'"),
            (429, "Request too large for this model: 9000 tokens per minute"),
            (500, "the request is too long"),
        )
    ),
    *(
        passing(
            f"{429 if status == 400 else status}: {text[:30]}",
            refused(status, text, **more),
            f"answered {429 if status == 400 else status}",
        )
        for status, text, more in (
            (429, "Too many tokens, please wait before trying again.", {}),
            (429, "Rate limit of the moderation endpoint reached", {}),
            (503, "the content filter is not available", {}),
            (500, "the moderation service failed", {}),
            (400, "slow down", {"code": "ThrottlingException"}),
            (400, "Too many requests, please wait", {}),
        )
    ),
    passing("425", refused(425), "answered 425"),
    passing("400, to be retried", refused(400, "later", headers={"x-should-retry": "true"}), "answered 400: later"),
    stopping("400, a wrong key", refused(400, "API key not valid. Please pass a valid API key."), "rejects the key"),
    *(
        busy(f"429, {name}: {text[:20]}", refused(429, headers={name: text}))
        for name, text in (
            ("RateLimit-Reset", "20"),
            ("RateLimit", '"default";r=0;t=20'),
            ("x-ratelimit-reset-tokens", "1m0s"),
            ("anthropic-ratelimit-requests-reset", "2099-01-01T00:00:00Z"),
            ("retry-after-ms", "1e300"),
        )
    ),
    *(passing(f"error in a 200: {json.dumps(error)}", several_with(error), "instead") for error in ("away", [1], True)),
    passing("599", refused(599), "answered 599"),
    passing("500, nested 100,000 deep", Step(500, '{"error":' * 100_000), "answered 500"),
    passing("500, a message that is no text", Step(500, json.dumps({"error": {"message": [[[3]]]}})), "answered 500"),
    passing(
        "302 to a page",
        Step(302, PAGE, {"Location": "https://login.example/[3]"}),
        "redirects to https://login.example",
    ),
    passing("303 without a place", Step(303), "redirects to nowhere"),
    passing("308 to nothing", Step(308, "", {"Location": ""}), "redirects to nowhere"),
    passing("308 to what is no URL", Step(308, "", {"Location": "http://[::1"}), "not valid HTTP"),
    passing("404, a proxy's page", Step(404, PAGE), "answered 404"),
    Fault("402", always(refused(402)), "stops: quota is exhausted", 1, "stops: quota is exhausted", 1),
    # --- more of what stands before the answer ---
    harmless("100 Continue, then the answer", raw(b"HTTP/1.1 100 Continue\r\n\r\n" + WHOLE)),
    *(harmless(f"{status} with an answer", replace(good(ANSWER), status=status)) for status in (201, 203, 206)),
    passing("202, queued", Step(202, '{"id": "7", "status": "queued"}'), "no choice"),
    passing("304", raw(b"HTTP/1.1 304 Not Modified\r\n\r\n"), "redirects to nowhere"),
    *(
        passing(f"status {status}", raw(f"HTTP/1.1 {status} ?\r\nContent-Length: 2\r\n\r\n{{}}".encode()), reason)
        for status, reason in (
            ("099", "not valid"),
            ("abc", "valid HTTP"),
            ("600", "600"),
            ("999", "999"),
        )
    ),
    *(passing(f"{status}", refused(status), f"answered {status}") for status in (421, 423, 424, 460, 498, 499, 529)),
    *(own(f"{status}", refused(status, "no, [3]")) for status in (406, 410, 415, 418, 431, 451)),
    passing("407", Step(407, PAGE), "a proxy or a firewall that answered 407"),
    passing("403, a firewall's page", Step(403, PAGE), "a proxy or a firewall that answered 403"),
    stopping("403 in JSON", refused(403, "no access"), "rejects the key (403)"),
    harmless("HTTP/1.0 without a length", raw(b"HTTP/1.0 200 OK\r\n\r\n" + GOOD)),
    harmless("chunk extensions and trailers", raw(CHUNKED + b"%x;a=b\r\n%b\r\n0\r\nX: 1\r\n\r\n" % (len(GOOD), GOOD))),
    passing(
        "chunks and a length", raw(CHUNKED[:-2] + b"Content-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), "valid HTTP"
    ),
    passing("a chunk of 2^96 bytes", raw(CHUNKED + b"f" * 24 + b"\r\n" + GOOD), "valid HTTP|broke"),
    passing("a length of 10^20", framed(GOOD, length=10**20), "broke|valid HTTP|longer"),
    passing("a length of 0 before a body", framed(GOOD, length=0), "empty body|valid HTTP"),
    passing("a header without a colon", framed(GOOD, "no colon"), "valid HTTP"),
    passing("HTTP/2 in binary", raw(b"\0\0\x12\4\0\0\0\0\0\0\3\0\0\0\x64"), "valid HTTP"),
    harmless("two answers at once", raw(WHOLE + WHOLE.replace(b"[2] >", b"[3] >"), then="hold")),
    # --- an error whose body does not come ---
    busy("429, its body cut off", raw(b"HTTP/1.1 429 No\r\nContent-Length: 99\r\n\r\n{")),
    busy("429, a body of 20 MB", raw(b"HTTP/1.1 429 No\r\nContent-Length: 20000000\r\n\r\n" + b"x" * 20_000_000)),
    stopping("401, its body cut off", raw(b"HTTP/1.1 401 No\r\nContent-Length: 99\r\n\r\n{"), "rejects the key"),
    own("400 in brotli", raw(b"HTTP/1.1 400 No\r\nContent-Encoding: br\r\nContent-Length: 3\r\n\r\n\x0b\x02\x80")),
    own("400, an entity of 5,000 digits", Step(400, f"<p>&#{'9' * 5000};</p>")),
    own("400, a list", Step(400, '[{"error": {"code": 400, "message": "no"}}]')),
    *(
        own(f"400: {body!r:.20}", Step(400, body))
        for body in ("", "null", PAGE, '{"detail": [{"msg": "no"}]}', "<" * 99_999)
    ),
    # --- which choice, which content ---
    harmless("the second choice first", several(numbered("[3] > [1] > [2]", 1), numbered(ANSWER, 0))),
    harmless("a choice of nobody first", several(None, numbered(ANSWER, 0))),
    *(harmless(f"a choice with the index {index!r}", several(numbered(ANSWER, index))) for index in (7, "0", None)),
    harmless("parts that are texts", good([ANSWER])),
    passing("a part whose text is an object", good([{"type": "text", "text": {"value": ANSWER}}]), "without text"),
    refusing("a part that refuses", good([{"type": "refusal", "refusal": "I can't help"}])),
    harmless("thinking that is no text", good([{"type": "thinking", "thinking": [{"text": 7}, None]}, TEXT])),
    passing("a delta", Step(body=json.dumps({"choices": [{"delta": {"content": ANSWER}}]})), "message"),
    # --- how it ended ---
    *(
        passing(f"finish reason {reason}", good("[3] >", finish_reason=reason), "failed during its answer")
        for reason in (
            *("abort", "cancelled", "network_error", "insufficient_system_resource", "ERROR"),
            *("failed", "server_error", "interrupted", "timed-out", "ERROR_LIMIT"),
        )
    ),
    *(
        refusing(f"finish reason {reason}", good("", finish_reason=reason))
        for reason in (
            *("SAFETY", "RECITATION", "sensitive", "content-filter"),
            *("content_filter: PROHIBITED_CONTENT", "content_filter: RECITATION", "content_filter: OTHER"),
        )
    ),
    *(
        refusing(f"content filter, {name}", several({"index": 0, "finish_reason": reason, **choice}))
        for name, reason, choice in (
            ("no message", "content_filter", {}),
            ("no message, in Gemini's words", "content_filter: RECITATION", {}),
            ("an empty message", "content_filter", {"message": {}}),
            ("null as message", "content_filter", {"message": None, "content_filter_results": {}}),
        )
    ),
    refusing(
        "content filter at the first event of a stream",
        Step(body='data: {"choices": [{"index": 0, "finish_reason": "content_filter: SAFETY"}]}\n\ndata: [DONE]\n\n'),
    ),
    *(
        Fault(f"content filter, {name}", always(step), "unparsed: refusal", 1, "unparsed: refusal", 1, labels=True)
        for name, step in (
            ("no log-probabilities", good("", finish_reason="content_filter")),
            ("neither message nor log-probabilities", several({"finish_reason": "content_filter: SAFETY"})),
        )
    ),
    *(
        Fault(f"{reason} within the answer", always(good("[2] > [1", finish_reason=reason)), *("repaired", 1) * 2)
        for reason in ("content_filter", "content_filter: RECITATION")
    ),
    passing("no message, and no reason why", several({"index": 0, "finish_reason": "stop"}), "without a message"),
    *(
        Fault(f"finish reason {reason}", always(good("[2] > [", finish_reason=reason)), "repaired", 1, "repaired", 1)
        for reason in ("MAX_TOKENS", "model_length")
    ),
    *(
        harmless(f"finish reason {reason!r:.9}", good(ANSWER, finish_reason=reason))
        for reason in ("STOP", "", "x" * 999)
    ),
    # --- log-probabilities that cannot be ---
    *(
        Fault(f"log-probabilities {name}", always(step), effect, 1, effect, 1, True)
        for name, step, effect in (
            ("all zero", judged(A=0.0, B=0, C=0.0), "unparsed: label_missing"),
            ("that are probabilities", judged(A=0.5, B=0.3, C=0.2), "unparsed: label_missing"),
            ("all certain", judged(A=-0.01, B=-0.02, C=-0.03), "unparsed: label_missing"),
            ("of nothing but infinity", judged(A=float("-inf"), B=float("-inf")), "unparsed: label_missing"),
            ("by name, in an object", logprobs_of({"A": -1.0, "B": -0.5, "C": -3.0}), OK),
            ("that are true", judged(A=True, B=-0.5, C=-3.0), "repaired"),
            ("of -9999", judged(A=-1.0, B=-0.5, C=-9999.0), OK),
            ("fewer than requested", judged(A=-0.5, B=-1.0), "repaired"),
            ("of tokens by their ids", judged(**{"token_id:32": -0.5, "token_id:33": -1.0}), "unparsed: label_missing"),
            ("of the alternatives alone", judged(B=-0.9, C=-3.0), OK),
            ("that start with the thinking", after_thinking(A=-0.5, B=-1.0, C=-3.0), OK),
            (
                "twice",
                logprobs_of([{"token": t, "logprob": v} for t, v in (("A", -0.5), ("B", -1), ("C", -3))] * 2),
                OK,
            ),
        )
    ),
    # --- errors in the place of an answer ---
    *(harmless(f"error {error!r} beside the answer", several_with(error)) for error in (None, {}, "", [], False, 0)),
    passing("error in a list", Step(body='{"error": [{"message": "busy [3]"}]}'), "busy [3]"),
    *(
        passing(f"{name} in a 200", Step(body=json.dumps({name: "upstream sleeps [3]"})), "upstream sleeps")
        for name in ("message", "detail")
    ),
    busy("429 as the code of a 400", Step(status=400, body='{"error": {"code": "429", "message": "slow"}}')),
    busy(
        "429 as a ThrottlingException in a 400",
        Step(400, '{"detail": "An error occurred (ThrottlingException) when calling the Converse operation: slow"}'),
    ),
    busy("429: Please retry after 20 seconds", refused(429, "Please retry after 20 seconds.")),
    busy(
        "429, x-ratelimit-reset-requests: 20s",
        refused(429, headers={"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "20s"}),
    ),
    Fault("429, X-RateLimit-Reset in the error", throttled_by_openrouter, OK, 2, GIVEN_UP + "answered 429", 6),
    harmless(
        "half of a surrogate pair", Step(body=json.dumps({**completion(ANSWER, reasoning="\ud83d"), "id": "\ud83d"}))
    ),
    own("400: terminal codes", refused(400, "\x1b[2J\x1b]0;mine\x07 [3]")),
    busy(
        "429 of Gemini's for a minute, in a list, the time at the end of a long text",
        Step(
            status=429, body=json.dumps([{"error": {"code": 429, "message": GEMINI, "status": "RESOURCE_EXHAUSTED"}}])
        ),
    ),
    *(
        busy(f"429 as the code {code!r} in a 200", Step(body=json.dumps({"error": {"code": code, "message": "slow"}})))
        for code in ("429", "rate_limit_exceeded")
    ),
    stopping("401 in a 200", Step(body='{"error": {"code": 401, "message": "who?"}}'), "rejects the key"),
    stopping("invalid_api_key in a 200", Step(body='{"error": {"code": "invalid_api_key"}}'), "rejects the key"),
    own("context_length_exceeded in a 200", Step(body='{"error": {"code": "context_length_exceeded"}}')),
    # --- no more money, or no more just now ---
    *(
        stopping(f"{status}: {text}", refused(status, text, type=kind), "quota is exhausted")
        for status, text, kind in (
            (429, "You exceeded your current quota", "insufficient_quota"),
            (429, "You exceeded your current quota, please check your plan and billing details", None),
            (429, "Your team has used all available credits or reached its monthly spending limit", None),
            (403, "Key limit exceeded (monthly limit)", None),
            (400, "Your credit balance is too low", None),
            (400, "Budget has been exceeded! Current cost: 10.1, Max budget: 10.0", "budget_exceeded"),
            (429, "ExceededBudget: User=me over budget. Spend=12.3, Budget=10.0", None),
        )
    ),
    busy(
        "429 in the words of a quota",
        refused(429, "You exceeded your current quota: 15 requests per minute; retry in 9s"),
    ),
    *(
        busy(f"429, Retry-After: {text}", throttled(text)())
        for text in ("", "0", "0.5", "1, 2", "1e3", "soon", "\u0661".encode().decode("latin-1"))
    ),
    # --- what gateways and local servers say ---
    *(
        busy(f"503: {text}", refused(503, text))
        for text in (
            "server busy, please try again.  maximum pending requests exceeded",
            "The model is overloaded. Please try again later.",
            "Model x is currently loading",
        )
    ),
    passing("500: error loading model: out of memory", refused(500, "error loading model: out of memory"), "500"),
    passing("503: no available server, in plain text", Step(503, "no available server\n"), "answered 503"),
    passing("400: plain HTTP at a port for TLS", Step(400, "Client sent an HTTP request to an HTTPS server.\n"), "400"),
    *(
        Fault(f"429: {text}", always(refused(429, text)), GIVEN_UP + "answered 429", 1, GIVEN_UP + "answered 429", 1)
        for text in (
            "tokens per day (TPD): Limit 100000, Used 99800. Please try again in 2h10m4.8s.",
            "Rate limit of 50 per 86400s exceeded. Please wait 43567 seconds before retrying.",
        )
    ),
    stopping(
        "401: key_model_access_denied",
        refused(401, "key not allowed to access model", type="key_model_access_denied", code="401"),
        "rejects the key (401): key_model_access_denied",
    ),
    own("404 of Gemini's, in a list", Step(404, '[{"error": {"code": 404, "message": "models/x is not found"}}]')),
    own("400: max_tokens is too large", refused(400, "max_tokens is too large: 400. It supports at most 128")),
    *(
        Fault(f"unsupported: {text}", always(refused(400, text)), OK, 2, GIVEN_UP + "refuses this request", 2)
        for text in ("x does not support thinking", "`top_p` must be > 0.0 and < 1.0")
    ),
    # --- other APIs, and what a gateway's provider said ---
    *(
        passing(name, Step(body=json.dumps(body)), shown)
        for name, body, shown in (
            ("Anthropic's own form", {"type": "message", "content": [{"text": "[3] > [1]"}]}, '"type": "message"'),
            ("Ollama's own form", {"message": {"content": "[3] > [1]"}, "done": True}, '"done": true'),
            ("Workers AI's wrapping", {"result": completion("[3] > [1]"), "success": True}, '{"result": '),
            ("Lambda's wrapping", {"statusCode": 200, "body": json.dumps(completion("[3]"))}, '"statusCode": 200'),
            ("MiniMax's error in a 200", {"choices": None, "base_resp": {"status_msg": "login fail"}}, "login fail"),
            ("Cloudflare's error in a 200", {"errors": [{"message": "no login"}], "result": None}, "no login"),
            ("Lambda's error in a 200", {"errorMessage": "Task timed out after 30.03 seconds"}, "Task timed out"),
        )
    ),
    own(
        "400 of OpenRouter's provider: the prompt is too long",
        refused(400, "Provider returned error", metadata={"raw": '{"error": {"message": "context length is 4096"}}'}),
    ),
    Fault(
        "unsupported: 400 of OpenRouter's provider",
        always(refused(400, "Provider returned error", metadata={"raw": '{"detail": "seed is not supported"}'})),
        *(OK, 2, GIVEN_UP + "seed is not supported", 2),
    ),
    *(
        stopping(f"400: {text}", refused(400, text), "quota is exhausted")
        for text in (
            "You have reached your specified API usage limits. You will regain access on 2027-02-01 at 00:00 UTC.",
            "API access blocked because spend limit reached.",
            "Access denied, please make sure your account is in good standing.",
        )
    ),
    stopping("403: Missing Authentication Token", refused(403, "Missing Authentication Token"), "rejects the key"),
    own(
        "413 with a rate limit's code",
        refused(413, "Request too large on tokens per minute (TPM)", code="rate_limit_exceeded"),
    ),
    *(
        Fault(f"finish reason {reason}", always(good("[2] > [1]", finish_reason=reason)), "repaired", 1, "repaired", 1)
        for reason in ("token_limit", "max_new_tokens", "model_context_window_exceeded")
    ),
    *(
        refusing(f"finish reason {reason}", good("", finish_reason=reason))
        for reason in ("content_filtered", "guardrail_intervened", "blocked")
    ),
    harmless(
        "Azure's filter that failed",
        several(numbered(ANSWER, 0) | {"content_filter_results": {"error": {"code": "x"}}}),
    ),
    harmless("content twice", Step(body=GOOD.decode().replace('"content"', '"content": null, "content"', 1))),
    passing("deflate without its header", framed(raw_deflated(GOOD), "Content-Encoding: deflate"), "not JSON"),
    harmless("line breaks without CR", raw(WHOLE.replace(b"\r\n", b"\n"))),
    harmless("no reason phrase", raw(WHOLE.replace(b"200 OK", b"200"))),
    passing("a space before a colon", raw(WHOLE.replace(b"Type:", b"Type :")), "not valid HTTP"),
    harmless("blank lines for a while", raw(CHUNKED, *[chunk(b"\n")] * 5, chunk(GOOD), b"0\r\n\r\n", pause=0.01)),
    passing("blank lines and no more", raw(CHUNKED, *[chunk(b"\n")] * 5, b"0\r\n\r\n", pause=0.01), "empty body"),
    Fault("the prompt before the answer", always(good(f"Film 0, Film 1?\n{ANSWER}")), "repaired", 1, "repaired", 1),
    passing(
        "Ollama's stream of lines",
        Step(body='{"message": {"content": "[3]"}, "done": false}\n{"message": {"content": ""}, "done": true}\n'),
        "not JSON",
    ),
    *(
        Fault(name, always(step), effect, 1, effect, 1)
        for name, step, effect in (
            ("an error as the text", good("Error: 429, try again in [3] seconds"), "unparsed: no_candidate_named"),
            (
                "thinking that used up the tokens",
                good("", finish_reason="length", reasoning_content="[3] > [1]"),
                "unparsed: truncated",
            ),
        )
    ),
    # --- words of hosts at home and of clouds ---
    *(
        Fault(name, always(several({"message": {"role": "assistant"}, "finish_reason": reason})), effect, 1, effect, 1)
        for name, reason, effect in (
            ("no content, thinking used up the tokens", "length", "unparsed: truncated"),
            ("no content at all", "stop", UNPARSED),
        )
    ),
    stopping("429: limit: 0", refused(429, GEMINI.replace("limit: 10", "limit: 0")), "quota is exhausted"),
    stopping(
        "403: Out of call volume quota",
        Step(403, '{"statusCode": 403, "message": "Out of call volume quota. It will be replenished in 07:21:33."}'),
        "quota is exhausted",
    ),
    stopping(
        "403: expired",
        Step(403, '{"message": "The security token included in the request is expired"}'),
        "rejects the key (403): expired",
    ),
    stopping(
        "401 of a password's page",
        Step(401, "<h1>401 Authorization Required</h1>", {"WWW-Authenticate": "Basic realm=x"}),
        "USER:PASSWORD@",
    ),
    *(
        own(f"400: {text}", Step(400, json.dumps({"error": text})))
        for text in (
            "The model has crashed without additional information. (Exit code: null)",
            "This model only support stream mode, please enable the stream parameter to access the model.",
            "parameter.enable_thinking must be set to false for non-streaming calls",
            "Invocation of model ID x with on-demand throughput isn't supported.",
        )
    ),
    Fault(
        "unsupported: a temperature of 0",
        always(refused(400, "InternalError.Algo.InvalidParameter: Temperature should be in (0.0, 2.0)")),
        *(OK, 2, GIVEN_UP + "refuses this request", 2),
    ),
    Fault(
        "unsupported: the message of Mistral's is an object",
        always(
            Step(422, '{"message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra"}]}}')
        ),
        *(OK, 2, GIVEN_UP + "refuses this request", 2),
    ),
    passing("530: the tunnel is down", Step(530, "error code: 1033"), "answered 530: error code: 1033"),
    passing(
        "404 of a tunnel's page", Step(404, "<p>The endpoint x is offline. ERR_NGROK_3200</p>"), "404 at /chat/compl"
    ),
    harmless("Retry-After of an answer", replace(good(ANSWER), headers={"Retry-After": "3600"})),
    harmless(
        "no requests remaining after an answer",
        replace(good(ANSWER), headers={"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}),
    ),
    harmless("Apache's offer of HTTP/2", framed(GOOD, "Upgrade: h2,h2c", "Connection: Upgrade, Keep-Alive")),
    harmless("a header in UTF-8", framed(GOOD, "X-Msg: 余额不足")),
    harmless("GZIP in capitals", framed(gzip.compress(GOOD), "Content-Encoding: GZIP")),
    passing("gzip, chunked", raw(HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunk(gzip.compress(GOOD))), ""),
    passing("identity, gzip", framed(gzip.compress(GOOD), "Content-Encoding: identity, gzip"), "json, identity, gzip)"),
    passing("no length, and not closed", raw(HEAD + b"\r\n" + GOOD, then="hold"), "gave no answer within"),
    harmless(
        "GBK", framed(GOOD[:-1] + ', "note": "余额"}'.encode("gbk"), "Content-Type: application/json; charset=gbk")
    ),
    passing(
        "a warning of PHP's before it", framed(b"<br />\n<b>Warning</b>: no key [3]<br />" + GOOD), "Warning : no key"
    ),
    passing("a guard before it", framed(b")]}',\n" + GOOD), ")]}', {"),
    passing("Python's repr", Step(body=repr(completion(ANSWER))), "{'id': '1', "),
    passing("RunPod's queue", Step(body='{"id": "sync-1", "status": "IN_PROGRESS"}'), "IN_PROGRESS"),
    *(
        harmless(f"text: {name}", good(text))
        for name, text in (
            (
                "an advertisement below",
                f"{ANSWER}\n\n---\n**Ad** Powered by us. [Support our mission](https://x.example)",
            ),
            ("a notice with numbers above", f"This model will be retired on 2026-12-01; 3 weeks left.\n\n{ANSWER}"),
            ("a role above", f"assistant\n\n{ANSWER}"),
            ("a list of parts as text", str([TEXT])),
            ("a JSON string", json.dumps(ANSWER)),
        )
    ),
    *(
        Fault(f"text: {name}", always(good(text)), "unparsed: no_candidate_named", 1, "unparsed: no_candidate_named", 1)
        for name, text in (("!!!!", "!" * 99_999), ("a notice alone", "Retired on 2026-12-01; 3 weeks left."))
    ),
    *(
        Fault(f"log-probabilities {name}", always(step), effect, 1, effect, 1, True)
        for name, step, effect in (
            ("of SGLang's, a little above zero", judged(A=-17.0, B=1.2e-7, C=-19.0), OK),
            (
                "that start with a channel",
                with_logprobs({"content": [{"token": "<|channel|>", "top_logprobs": [{"token": "<|channel|>"}]}]}),
                "unparsed: label_missing",
            ),
        )
    ),
    # --- Python's own codecs as charsets, odd cookies, lengths and places ---
    *(
        harmless(
            f"charset {name}",
            framed(GOOD[:-1] + b', "note": "Am\xe9lie"}', f"Content-Type: application/json; charset={name}"),
        )
        for name in ("rot13", "unicode_escape", "punycode", "undefined", "utf-7")
    ),
    *(
        harmless(f"cookie {cookie[:30]}", framed(GOOD, f"Set-Cookie: {cookie}"))
        for cookie in (
            "a=b; Max-Age=1e400",
            f"a=b; Max-Age={'9' * 99}",
            "a=b; Expires=Thu, 99 Foo 99999",
            "=;=;=",
            'a="',
        )
    ),
    harmless("a folded header", framed(GOOD, "X-A: b\r\n  c")),
    *(
        passing(f"a length of {text}", raw(HEAD + f"Content-Length: {text}\r\n\r\n".encode() + GOOD), "not valid HTTP")
        for text in ("+340", "0x10", "12, 12")
    ),
    passing("two spaces in the status line", raw(WHOLE.replace(b"1.1 200", b"1.1  200")), "not valid HTTP"),
    *(
        passing(f"308 to {place}", Step(308, "", {"Location": place}), "redirects to")
        for place in ("//other.example/v1", "http://127.0.0.1:1/v1", "file:///etc/passwd")
    ),
    harmless("text: NUL around it", good(f"\0{ANSWER}\0")),
    *(
        passing(f"the code {code} in a 200", Step(body=f'{{"error": {{"code": {code}, "message": "slow"}}}}'), "slow")
        for code in ("true", "-429", "[429]", "1e400", '{"a": 429}')
    ),
    Fault(
        "503, Retry-After: in the year 9999",
        always(refused(503, headers={"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"})),
        GIVEN_UP + "answered 503",
        1,
        GIVEN_UP + "answered 503",
        1,
    ),
)


@dataclass(frozen=True)
class Met:
    """What became of a fault."""

    effect: str
    """The stricken Case's outcome and reason, or the error that stopped the run."""
    calls: int
    """Calls made for the stricken Case."""
    others: int
    """Other Cases that are done and ok."""
    stored: tuple[str, ...]
    """Texts of the stored answers."""
    retries: Mapping[str, int]


async def meet(fault: Fault, folder: Path, *, lasting: bool) -> Met:
    """Rank six Cases at an endpoint that does this to one of them; Cases are asked two at a time."""
    stricken = 0
    well = judged(A=-1.0, B=-0.5, C=-3.0) if fault.labels else good(ANSWER)

    def answer(body: Mapping[str, Any]) -> Step:
        nonlocal stricken
        if STRICKEN not in body["messages"][-1]["content"]:
            return well
        stricken += 1
        return fault.step() if lasting or stricken == 1 else well

    ranker = FirstToken(prompt("first-token")) if fault.labels else Listwise(prompt("rankgpt"))
    items = tuple(Item(f"i{place}", f"Film {place}") for place in range(3))
    cases = [Case(f"u{n}", (Event(Item("h", f"Seen by u{n}")),), items) for n in range(CASES)]
    done: dict[str, CaseResult] = {}
    path = folder / f"{lasting}.sqlite"
    path.unlink(missing_ok=True)
    async with ScriptedServer(answer=answer) as server:
        # Where nothing is late on purpose, a busy machine must not make it so.
        timeout = TIMEOUT if fault.step().slow else 60.0
        backend = await open_openai(server.base_url, MODEL, timeout=timeout, api_key="sk-secret")
        with Store(path) as store:
            caller = Caller(backend, store, 2, RetryPolicy(patience=PATIENCE), Clock(SPEED))
            stopped = ""
            try:
                await rank_all(
                    cases,
                    ranker,
                    caller,
                    arrange=lambda case: case,
                    done=lambda one: done.update({one.case.user_id: one}),
                )
            except LlmrankError as error:
                stopped = f"stops: {error}"
        await backend.close()
    with sqlite3.connect(path) as database:
        stored = tuple(json.loads(text)["text"] for (text,) in database.execute("SELECT response FROM response"))
    case = done.pop("u2", None)
    reason = "" if case is None or not case.ranking.reason else f": {case.ranking.reason}"
    effect = (stopped if case is None else f"{case.ranking.outcome}{reason}").replace(server.base_url, "the endpoint")
    good_ones = sum(one.ranking.outcome == "ok" for one in done.values())
    retries = caller.account()["retries"]
    assert isinstance(retries, dict)
    return Met(effect, stricken, good_ones, stored, retries)
