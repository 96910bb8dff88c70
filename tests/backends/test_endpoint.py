"""The HTTP border: what comes in is bounded, decoded, cleared of secrets; what fails is a fault of one call."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import gzip
import html
import itertools
import json
import re
import sys
import threading
import time
import tracemalloc
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, unquote

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from llmrank.backends.base import store_first
from llmrank.backends.endpoint import Address, Endpoint
from llmrank.backends.masking import Secrets
from llmrank.backends.openai import OpenAIBackend, open_openai, other_bases
from llmrank.backends.refusals import ErrorBody, wait_for_reset, wait_in, wait_of
from llmrank.errors import (
    BackendError,
    FatalBackendError,
    InputError,
    LlmrankError,
    MissingError,
    TransientError,
    safe_for_console,
)
from llmrank.store import Store
from llmrank.types import Message, Request
from tests.scripted_server import HEAD, MODEL, ScriptedServer, Step, completion, framed, good, raw, refused

KEY = "sk-proj-A1b2/C3d4+E5f6&G7"
REQUEST = Request((Message("user", "rank these"),))

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
        ({"retry-after": "Fri, 01 Jan 2027 11:00:02 GMT", "date": "Fri, 01 Jan 2027 11:00:00 GMT"}, 2.0),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:20 GMT", "date": "yesterday"}, 20.0),
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


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("You exceeded your current quota … Please retry in 4.07s.", 4.07),
        ('"details": [{"retryDelay": "17s"}]', 17.0),
        ("Rate limit reached for m … Please try again in 1m30s. Visit …", 90.0),
        ("Please try again in 320ms", 0.32),
        ("try again in 2 minutes", 120.0),
        ("have exceeded call rate limit. Please retry after 8 seconds.", 8.0),
        ("Retry in 30 Seconds", 30.0),
        ("Rate limit of 50 per 86400s exceeded. Please wait 43567 seconds before retrying.", 43567.0),
        ("wait for 2 minutes", 120.0),
        ("try again in a moment", None),
        ("retry in 3 steps", None),
        ("", None),
    ],
)
def test_the_words_in_which_a_refusal_says_when_to_come_back(text: str, seconds: float | None) -> None:
    assert wait_in(text) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"-requests": "1m2.5s", "-tokens": "6s"}, 62.5),
        ({"-requests": "120ms", "-tokens": "8s", "remaining-requests": "99", "remaining-tokens": "0"}, 8.0),
        ({"-requests": "8s", "remaining-requests": "99"}, None),
        ({"": "1767268820000"}, 20.0),
        ({"": "1767268820"}, 20.0),
        ({"": "1767268700"}, 0.0),
        ({"": "7"}, 7.0),
        ({"": "soon"}, None),
        ({"ratelimit-reset": "5"}, 5.0),
        ({"ratelimit-reset": "5", "ratelimit-remaining": "3"}, None),
        ({"ratelimit": '"default";r=0;t=5, "day";r=0;t=40'}, 40.0),
        ({"ratelimit": '"default";r=3;t=5'}, None),
        ({"ratelimit": "limit=10, remaining=0, reset=5"}, 5.0),
        ({}, None),
    ],
)
def test_the_forms_in_which_a_limit_says_when_it_is_reset(headers: dict[str, str], seconds: float | None) -> None:
    sent = {
        name if "ratelimit" in name else f"x-ratelimit-{name if name.startswith('rem') else f'reset{name}'}": text
        for name, text in headers.items()
    }
    assert wait_for_reset({**sent, "date": "Thu, 01 Jan 2026 12:00:00 GMT"}) == seconds


@given(st.text(max_size=30))
def test_any_header_is_read_or_left(text: str) -> None:
    for wait in (wait_of({"retry-after": text}, NOW), wait_for_reset({"x-ratelimit-reset": text})):
        assert wait is None or wait >= 0


# --- secrets ---

ECHOES: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "JSON-escaped": lambda key: "".join(f"\\u{ord(c):04x}" for c in key),
    "JSON-escaped once": lambda key: json.dumps(key).replace("/", "\\/")[1:-1],
    "escaped twice": lambda key: json.dumps(json.dumps("".join(f"\\u{ord(c):04X}" for c in key))),
    "URL-encoded": lambda key: quote(key, safe=""),
    "URL-encoded throughout": lambda key: "".join(f"%{ord(c):02x}" for c in key),
    "URL-encoded twice": lambda key: quote(quote(key, safe=""), safe=""),
    "as entities": html.escape,
    "as numbered entities": lambda key: "".join(f"&#{ord(c)};" for c in key),
    "as hexadecimal entities": lambda key: "".join(f"&#x{ord(c):X};" for c in key),
    "split by a tag": lambda key: f"{key[:9]}<wbr>{key[9:]}",
    "split by tags": lambda key: "<b></b>".join(key),
    "split by a tag with attributes": lambda key: f'{key[:5]}<span class="x">{key[5:]}</span>',
    "split by line breaks": lambda key: f"{key[:8]}\n{key[8:]}",
    "split over many lines": lambda key: "\n".join(key[start : start + 5] for start in range(0, len(key), 5)),
    "split by many spaces": lambda key: (" " * 20).join(key),
    "split by long tags": lambda key: "".join(f'<i class="{"c" * 300}">{c}</i>' for c in key),
    "within a tag": lambda key: f'<a title="{"".join(f"&#{ord(c)};" for c in key)}">x</a>',
    "split by invisible characters": lambda key: "\u200b".join(key),
    "in base64": lambda key: base64.b64encode(key.encode()).decode(),
    "in base64 behind other bytes": lambda key: base64.b64encode(f"Bearer {key}".encode()).decode(),
    "in base64 for URLs": lambda key: base64.urlsafe_b64encode(f":{key}".encode()).decode(),
    "in hexadecimal": lambda key: key.encode().hex(" ").upper(),
    "in base64 twice": lambda key: base64.b64encode(base64.b64encode(key.encode())).decode(),
    "backwards": lambda key: key[::-1],
    "in full width": lambda key: "".join(chr(ord(c) + 0xFEE0) for c in key),
    "as octal numbers": lambda key: "".join(f"\\{ord(c):03o}" for c in key),
    "as code points in braces": lambda key: "".join(f"\\u{{{ord(c):x}}}" for c in key),
    "as code points behind %u": lambda key: "".join(f"%u{ord(c):04X}" for c in key),
    "as bytes of C": lambda key: "".join(f"\\x{ord(c):02x}" for c in key),
    "in capitals": str.upper,
    "with asterisks": lambda key: f"{key[:7]}***{key[7:]}",
    "in two strings": lambda key: f'{key[:12]}", "{key[12:]}',
    "all but the end": lambda key: key[:-5],
    "all but the beginning": lambda key: key[5:],
    "as a header": lambda key: f"Authorization: Bearer {key}",
}


def remains(text: str) -> bool:
    """Whether a person could read the key: without tags, spaces and escapes."""
    plain = html.unescape(text).lower()
    letters = "".join(filter(str.isalnum, plain))
    parts = ("a1b2c3d4", "c3d4e5f6", KEY.encode().hex(), ECHOES["in base64"](KEY)[:-2].lower())
    return KEY.lower() in plain or any(part in letters for part in parts)


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
def test_a_secret_is_masked_in_every_encoding(echo: Callable[[str], str]) -> None:
    masked = Secrets(KEY).mask(f"Incorrect key <b>{echo(KEY)}</b>, see the page")
    assert "[key]" in masked and not remains(masked)
    assert masked.endswith("</b>, see the page") and masked.startswith("Incorrect key <b>")


NOTATIONS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "repr": repr,
    "repr of bytes": lambda text: repr(text.encode()),
    "JSON": json.dumps,
    "JSON of a page": lambda text: re.sub("[<>&']", lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text)),
    "JSON throughout": lambda text: "".join(f"\\u{ord(c):04X}" for c in text),
    "HTML": html.escape,
    "HTML without quotes": lambda text: html.escape(text, quote=False),
    "HTML by number": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "URL": lambda text: quote(text, safe=""),
    "URL with slashes": quote,
    "URL of a form": quote_plus,
    "split by tags": "<wbr>".join,
}
DECODED: tuple[Callable[[str], str], ...] = (
    html.unescape,
    unquote,
    lambda text: re.sub(r"\\u([\da-fA-F]{4})", lambda found: chr(int(found[1], 16)), text),
    lambda text: re.sub(r"\\x([\da-fA-F]{2})", lambda found: chr(int(found[1], 16)), text),
    lambda text: re.sub(r"\\(.)", r"\1", text),
    lambda text: text.replace("<wbr>", ""),
)
PRINTABLE = [chr(code) for code in range(33, 127)]
ODD_KEYS = (
    "Xy7&Qw9!Kp3",
    "sk-a\"b\\c<d>&e%f'g=9zQx77",
    "S3cret&lt;x9",
    "hunter&2x9",
    "xox-1<2>3abcd",
    "!@#$%^&*<>\"'\\",
    "a\\n41&lt;%41bcd",
)


def runs_in(text: str, key: str) -> list[str]:
    """Return the runs of six significant characters of the key that a person could read in the text: letters and
    digits, or any, if the key has few of those."""
    letters = "".join(filter(str.isalnum, key))

    def significant(one: str) -> str:
        return ("".join(filter(str.isalnum, one)) if len(letters) > 5 else one).lower()

    seen = {text}
    for _ in range(2):
        seen |= {decoded(one) for one in seen for decoded in DECODED}
    sought, read = significant(key), "\n".join(map(significant, seen))
    return [run for start in range(len(sought) - 5) if (run := sought[start : start + 6]) in read]


@given(
    st.one_of(st.text(PRINTABLE, min_size=8, max_size=40), st.text("ab41&<>\"'%\\;/+#=", min_size=8)),
    st.sampled_from(list(NOTATIONS)),
    st.sampled_from(list(NOTATIONS)),
)
@settings(max_examples=400)
def test_of_any_key_in_any_notation_and_any_two_nothing_is_left(key: str, inner: str, outer: str) -> None:
    assume(not runs_in("Incorrect key; see the page", key))
    assume(len(set(key.lower())) > 3 and (key.lower() != key or not key.isalpha()))
    masked = Secrets(key).mask(f"Incorrect key; {NOTATIONS[outer](NOTATIONS[inner](key))}; see the page")
    assert not runs_in(masked, key)
    assert masked.startswith("Incorrect key; ") and masked.endswith("; see the page")


@pytest.mark.parametrize("key", ODD_KEYS)
def test_a_key_of_odd_characters_is_masked_in_every_notation(key: str) -> None:
    for inner, outer in itertools.product(NOTATIONS.values(), repeat=2):
        masked = Secrets(key).mask(outer(f"no such key: {inner(key)}"))
        assert not runs_in(masked, key) and "[key]" in masked


@given(st.text(alphabet="sk-proj<>&%\\u0123 \n", max_size=200))
def test_what_holds_no_secret_is_left_as_it_is(text: str) -> None:
    assert Secrets(KEY).mask(text) == text
    assert KEY not in Secrets(KEY).mask(text + KEY + text)


@pytest.mark.parametrize("key", ["", "none", "EMPTY", "sk", "x", "ollama"])
def test_a_word_that_is_no_secret_is_left_in_answers(key: str) -> None:
    assert Secrets(key).mask(f"{key}, none of these; EMPTY x ollama sk") == f"{key}, none of these; EMPTY x ollama sk"


def test_a_secret_of_few_letters_takes_no_list_for_itself() -> None:
    assert Secrets("12345").mask("[1], [2], [3], [4], [5]") == "[1], [2], [3], [4], [5]"
    assert Secrets("12345").mask("it is 12345") == "it is [key]"
    assert Secrets("p\u00e4ss-\u00f6").mask("p and ss; p\u00e4ss-\u00f6") == "p and ss; [key]"


OWN = {
    "an item's id": ("12345", "[12345] a\n[22222] b", "[22222] > [12345]", "[22222] > [12345]"),
    "the beginning of an id": ("12345", "[123456] a", "[123456]", "[123456]"),
    "a title in other capitals": ("star-wars", "Star Wars (1977)", "1. STAR WARS", "1. STAR WARS"),
    "a title with quotes": ("starwars", 'Star "Wars"', 'Star "Wars"', 'Star "Wars"'),
    "nothing of it": ("star-wars", "Alien", "Star Wars", "[key]"),
    "less of it than the answer": ("12345", "[1234] a", "12345", "[key]"),
    "a piece of it": (KEY, f"the film {KEY[9:17]}", f"{KEY[9:17]}, and {KEY}", f"{KEY[9:17]}, and [key]"),
    "its letters, apart": ("12345", "[1], [2], [3], [4], [5]", "it is 12345", "it is [key]"),
}


@pytest.mark.parametrize(("key", "sent", "answer", "seen"), OWN.values(), ids=OWN)
async def test_of_a_key_an_answer_may_hold_what_the_request_holds(key: str, sent: str, answer: str, seen: str) -> None:
    tokens = {"content": [{"token": answer, "logprob": -1.0, "top_logprobs": [{"token": answer, "logprob": -1.0}]}]}
    body = completion(in_parts("text", answer), reasoning_content=answer)
    body["choices"][0]["logprobs"] = tokens
    request = Request((Message("user", sent),), labels=(answer,))
    async with ScriptedServer(Step(body=json.dumps({**body, "model": answer})), refused(400, answer)) as server:
        backend = await open_openai(server.base_url, MODEL, api_key=key)
        response = await backend.answer(request)
        assert (response.text, response.reasoning) == (seen, seen)
        assert response.label_logprobs == ({answer: -1.0} if seen == answer else {})
        kept = "" if key not in answer.lower() else key
        assert not kept or kept not in response.model.lower(), "what surrounds the answer is masked"
        with pytest.raises(BackendError) as caught:
            await backend.answer(request)
        assert not kept or kept not in str(caught.value).lower(), "and so is every error"
        await backend.close()


@pytest.mark.parametrize("letter", "bnrtf")
@pytest.mark.parametrize("rest", ["234567", "234567-and-so-on"])
@pytest.mark.parametrize("echo", [str, lambda key: json.dumps(key)[1:-1], lambda key: json.dumps(json.dumps(key))])
def test_a_key_with_a_backslash_is_masked(letter: str, rest: str, echo: Callable[[str], str]) -> None:
    key = f"sk-a\\{letter}{rest}"
    seen = Secrets(key).mask(f"the key is {echo(key)}.")
    assert seen.startswith("the key is ") and "[key]" in seen and rest not in seen


@pytest.mark.parametrize(
    "part", ["<", "&", "\\", "%25", "&amp;", "\\u0", "&#0", "\\%26&amp;<", KEY[:9], KEY[0] + "-" * 11]
)
def test_no_text_takes_more_than_its_length(part: str) -> None:
    def seconds(count: int) -> float:
        text = part * (count // len(part)) + KEY
        begun = time.process_time()
        Secrets(KEY).mask(text)
        return time.process_time() - begun

    # Quadratic time would be a minute and more.
    assert seconds(200_000) < 5


def test_of_a_secret_within_megabytes_nothing_is_kept_and_nobody_waits() -> None:
    begun = time.process_time()
    assert Secrets(KEY).mask("s &amp; " * 1_000_000 + KEY) == "[key]"
    assert time.process_time() - begun < 5


def test_masking_takes_time_in_proportion_to_the_text() -> None:
    def steps(size: int) -> int:
        calls = itertools.count()
        text = "<" + (KEY[:8] + "\\%26&amp;") * size
        sys.setprofile(lambda *_: next(calls))
        try:
            Secrets(KEY).mask(text)
        finally:
            sys.setprofile(None)
        return next(calls)

    assert steps(2000) < 2.1 * steps(1000)


def in_parts(kind: str, text: str) -> list[dict[str, str]]:
    return [{"type": kind, kind: text[start : start + 4]} for start in range(0, len(text), 4)]


PLACES: dict[str, Callable[[str], Step]] = {
    "the answer": lambda echo: good(f"my key is {echo}"),
    "a part of the answer": lambda echo: good([{"type": "text", "text": echo}]),
    "parts of the answer": lambda echo: good(in_parts("text", echo)),
    "parts of the reasoning": lambda echo: good([{"type": "thinking", "thinking": in_parts("text", echo)}]),
    "parts of a refusal": lambda echo: good(in_parts("refusal", echo)),
    "the reasoning": lambda echo: good("fine", reasoning_content=echo),
    "the finish reason": lambda echo: good("fine", finish_reason=echo),
    "the model": lambda echo: Step(body=json.dumps({**completion(), "model": echo})),
    "the fingerprint": lambda echo: Step(body=json.dumps({**completion(), "system_fingerprint": echo})),
    "a refusal": lambda echo: good(None, refusal=echo),
    "an error in a 200": lambda echo: Step(body=json.dumps({"error": {"message": echo}})),
    "an error in a choice": lambda echo: (
        good("", error=None)
        if not echo
        else Step(
            body=json.dumps({"choices": [{"error": {"message": echo, "code": echo}, "message": {"content": ""}}]})
        )
    ),
    "a page": lambda echo: Step(body=f"<html><body>{echo}</body></html>"),
    "a 400": lambda echo: refused(400, f"bad header {echo}"),
    "a 400's parameter": lambda echo: refused(400, "no", param=echo, code=echo, type=echo),
    "a 401": lambda echo: refused(401, echo),
    "a 404": lambda echo: refused(404, echo),
    "a 500 page": lambda echo: Step(500, f"<p>{echo}</p>"),
    "a 413 text": lambda echo: Step(413, echo),
    "a redirect": lambda echo: Step(302, "", {"Location": f"https://h/?key={quote(echo)}"}),
    "a content type": lambda echo: Step(body="no", headers={"Content-Type": f"text/plain-{quote(echo, safe='')}"}),
    "an encoding": lambda echo: Step(body="no", headers={"Content-Encoding": quote(echo, safe="")}),
    "a banner": lambda echo: raw(f"{echo} is no HTTP\r\n".encode()),
    "a header that is none": lambda echo: raw(f"HTTP/1.1 200 OK\r\n{echo}\r\n\r\n".encode()),
    "a stream, in pieces": lambda echo: Step(body=in_pieces(echo)),
}


def in_pieces(text: str) -> str:
    deltas = [({"content": text[start : start + 4]}, None) for start in range(0, len(text), 4)]
    events = [
        {"choices": [{"index": 0, "delta": delta, "finish_reason": why}]} for delta, why in (*deltas, ({}, "stop"))
    ]
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events)


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
async def test_the_key_is_in_no_answer_and_no_error_wherever_it_is_echoed(
    place: Callable[[str], Step], tmp_path: Path
) -> None:
    said: list[str] = []
    for number, echo in enumerate(ECHOES.values()):
        async with ScriptedServer(place(echo(KEY))) as server:
            backend = await open_openai(server.base_url, MODEL, api_key=KEY, say=said.append)
            with Store(tmp_path / f"{number}.sqlite") as store:
                try:
                    seen = repr(await store_first(backend, store)(REQUEST))
                except BackendError as error:
                    seen = str(error)
                assert not remains(seen) and not remains(repr(backend.concessions))
            assert not remains((tmp_path / f"{number}.sqlite").read_bytes().decode("latin-1"))
            await backend.close()
    assert not remains(" ".join(said))


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
async def test_the_key_is_in_no_error_of_the_list_of_models(
    echo: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmrank.backends.openai.GREETING_WAITS", (0.01,))
    listed = {"data": [{"id": f"m-{echo(KEY)}", "owned_by": "vllm"}]}
    for models in (Step(body=json.dumps(listed)), refused(503, echo(KEY)), refused(401, echo(KEY))):
        async with ScriptedServer(refused(401, echo(KEY)), models=models) as server:
            with pytest.raises(LlmrankError) as caught:
                await open_openai(server.base_url, MODEL, api_key=KEY)
            assert not remains(str(caught.value))


@pytest.mark.parametrize(
    "key", ["sk-abc\n", "sk-abc\r\nHost: x", "sk-ключ", "sk abc", "sk-“abc”", "sk-\x00", "sk-abc\udcff0123456789"]
)
async def test_a_key_that_no_header_can_hold_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(InputError, match="the API key contains a") as caught:
        await open_openai("http://localhost:1/v1", MODEL, api_key=key)
    assert key not in str(caught.value) and "abc" not in str(caught.value)


async def test_user_and_password_of_the_url_are_sent_and_seen_nowhere() -> None:
    async with ScriptedServer(good("the password is hunter2!"), refused(400, "hunter2! is wrong")) as server:
        url = server.base_url.replace("http://", "http://me:hunter2%21@")
        backend = await open_openai(url, MODEL, api_key=KEY)
        assert (await backend.answer(REQUEST)).text == "the password is [key]"
        with pytest.raises(BackendError, match=r"\[key\] is wrong"):
            await backend.answer(REQUEST)
        await backend.close()
        assert server.authorization[0] == f"Basic {base64.b64encode(b'me:hunter2!').decode()}"
        assert backend.identity["base_url"] == server.base_url


NO_HOSTS = [f"http://{'a' * 64}.example/v1", "http://a..b/v1", "http://h:0/v1", "http:///v1"]


@pytest.mark.parametrize(
    "url", ["h:8000/v1", "ftp://h/v1", "http://", "http://h:99999/v1", "http://[::1/v1", "h", "", *NO_HOSTS]
)
def test_what_is_no_base_url_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="base URL") as caught:
        Address.of(url)
    assert "--base-url http" in caught.value.hint


@pytest.mark.parametrize(
    "url",
    [f"http://me:{word}{sign}{word}@h/v1" for word in ("4321", "hunter2") for sign in "/#"]
    + ["http://h:x/v1?key=4321@hunter2", "http://me:hunter2@h:x/v1"],
)
def test_nothing_of_a_password_that_was_not_escaped_is_shown_or_sent(url: str) -> None:
    with pytest.raises(InputError, match="base URL") as caught:
        Address.of(url)
    assert "hunter2" not in str(caught.value) and "4321" not in str(caught.value)


async def test_an_empty_base_url_is_not_openais() -> None:
    with pytest.raises(InputError, match="base URL"):
        await open_openai("", MODEL, api_key=KEY)


class Queried(ScriptedServer):
    async def _complete(self, request: Any) -> Any:
        self.query, self.asked = request.query_string, dict(request.query)
        return await super()._complete(request)


async def test_a_query_that_is_escaped_is_sent_as_it_is_and_seen_nowhere_in_any_form() -> None:
    secret = "p+a:ss/W0rd=xyz 1"
    for escaped in (quote(secret, safe=""), quote_plus(secret)):
        async with Queried(good(f"it was {secret}, {escaped}")) as server:
            backend = await open_openai(f"{server.base_url}?key={escaped}", MODEL, api_key=KEY)
            assert (await backend.answer(REQUEST)).text == "it was [key], [key]"
            await backend.close()
            assert server.asked == {"key": secret}


async def test_a_query_of_the_base_url_goes_with_every_call() -> None:
    async with Queried() as server:
        backend = await open_openai(f"{server.base_url}?api-version=2026-01-01", MODEL, api_key=KEY)
        await backend.answer(REQUEST)
        await backend.close()
        assert server.query == "api-version=2026-01-01" and "?" not in backend.identity["base_url"]


async def test_an_organisation_that_no_header_can_hold_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1\r\nX-Evil: 1")
    async with ScriptedServer() as server:
        with pytest.raises(InputError, match="OPENAI_ORG_ID contains a line break"):
            await open_openai(server.base_url, MODEL, api_key=KEY)


# --- bounds ---


async def test_a_gzip_bomb_takes_no_more_memory_than_an_answer_may() -> None:
    bomb = framed(gzip.compress(bytes(300 << 20)), "Content-Encoding: gzip")
    async with ScriptedServer(bomb) as server:
        backend = await open_openai(server.base_url, MODEL, api_key=KEY)
        tracemalloc.start()
        with pytest.raises(TransientError, match="longer than 8 MiB"):
            await backend.answer(REQUEST)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        await backend.close()
        assert peak < 40 << 20


async def test_half_a_character_costs_no_answer() -> None:
    """As a server sends it that cuts a text between the bytes of a character."""
    body = json.dumps(completion("[2] X > [1]")).encode().replace(b"X", b"\xf0\x9f")
    async with ScriptedServer(framed(body)) as server:
        backend = await open_openai(server.base_url, MODEL, api_key=KEY)
        assert (await backend.answer(REQUEST)).text == "[2] \ufffd > [1]"
        assert backend.concessions["ignored"] == {"encoding": 1}
        await backend.close()


async def test_the_cookies_of_an_endpoint_do_not_pile_up() -> None:
    count = iter(range(10**6))

    def answer(_: Mapping[str, Any]) -> Step:
        return Step(body=json.dumps(completion()), headers={"Set-Cookie": f"c{next(count)}=1; Path=/"})

    async with ScriptedServer(answer=answer) as server:
        backend = await open_openai(server.base_url, MODEL, api_key=KEY)
        for _ in range(150):
            await backend.answer(REQUEST)
        assert len(backend.endpoint._session.cookie_jar) <= 65  # pyright: ignore[reportPrivateUsage]
        await backend.close()


# --- redirects ---


@pytest.mark.parametrize("status", [307, 308])
async def test_a_redirect_on_the_same_host_is_followed_with_the_body(status: int) -> None:
    async with ScriptedServer(Step(status, "", {"Location": "/v1/chat/completions"}), good("there")) as server:
        backend = await open_openai(server.base_url, MODEL, api_key=KEY)
        assert (await backend.answer(REQUEST)).text == "there"
        await backend.close()
        assert server.seen[0] == server.seen[1] and set(server.authorization) == {f"Bearer {KEY}"}


async def test_the_key_goes_to_no_other_host_and_no_post_becomes_a_get() -> None:
    async with ScriptedServer() as other:
        elsewhere = f"{other.base_url}/chat/completions"
        for step in (Step(307, "", {"Location": elsewhere}), Step(302, "", {"Location": "/v1/chat/completions"})):
            async with ScriptedServer(step, good()) as server:
                backend = await open_openai(server.base_url, MODEL, api_key=KEY)
                with pytest.raises(FatalBackendError, match="redirects to"):
                    await backend.answer(REQUEST)
                await backend.close()
                assert (server.calls, other.calls) == (1, 0)


async def test_a_circle_of_redirects_ends() -> None:
    async with ScriptedServer(Step(308, "", {"Location": "/v1/chat/completions"})) as server:
        backend = await open_openai(server.base_url, MODEL, api_key=KEY)
        with pytest.raises(TransientError, match="in a loop"):
            await backend.answer(REQUEST)
        await backend.close()
        assert server.calls == 3


# --- connections ---


Send = Callable[[int, object], None]


@contextlib.asynccontextmanager
async def kept_open(play: Callable[[Send, int], Awaitable[None]]) -> AsyncGenerator[OpenAIBackend]:
    """Give the backend of an endpoint that never closes a connection: `play` sends a status and JSON, as often as it
    likes, for each call, and is told how many calls that connection has had."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def send(status: int, content: object) -> None:
            body = json.dumps(content).encode()
            head = HEAD.replace(b"200", str(status).encode())
            writer.write(head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)

        calls = 0
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if b"GET" in head:
                    send(200, {"data": []})
                    continue
                length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
                await reader.readexactly(int(length.split(b":")[1]))
                calls += 1
                await play(send, calls)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    backend = await open_openai(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", MODEL, api_key=KEY)
    try:
        yield backend
    finally:
        await backend.close()
        server.close()


@pytest.mark.parametrize("busy", [False, True])
async def test_a_late_second_answer_is_not_read_as_that_to_the_next_call(busy: bool) -> None:
    """As a gateway sends it that has given a call up already: on a connection that waits for its next call. While the
    event loop is busy it has not read what came."""
    answers, sent = itertools.count(1), asyncio.Event()

    async def play(send: Send, _: int) -> None:
        send(200, completion(f"answer {next(answers)}"))
        await asyncio.sleep(0.01)
        send(200, completion("late"))
        sent.set()

    texts: list[str] = []
    async with kept_open(play) as backend:
        for _ in range(4):
            sent.clear()
            texts.append((await backend.answer(REQUEST)).text)
            await (sent.wait() if busy else asyncio.sleep(0.1))
    assert texts == [f"answer {number}" for number in range(1, 5)]


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 524])
async def test_what_comes_after_a_call_was_given_up_is_not_read_as_the_answer_to_the_next(status: int) -> None:
    """The late answer comes when the next call has been sent already, so that nothing shows whose it is."""
    given_up = False

    async def play(send: Send, calls: int) -> None:
        nonlocal given_up
        if not given_up:
            given_up = True
            send(status, {"error": {"message": "upstream timeout"}})
        else:
            send(200, completion("late" if calls > 1 else "answer"))

    async with kept_open(play) as backend:
        with pytest.raises(TransientError, match=str(status)):
            await backend.answer(REQUEST)
        assert (await backend.answer(REQUEST)).text == "answer"


async def test_tls_to_a_plain_port_is_a_clear_line() -> None:
    async with ScriptedServer() as server:
        with pytest.raises(
            MissingError, match=r"no TLS connection to https://.*\n.*start base_url with http://; .*certificate"
        ):
            await open_openai(server.base_url.replace("http:", "https:"), MODEL, api_key=KEY)


async def test_a_connection_that_is_closed_during_the_handshake_is_a_clear_line() -> None:
    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.close()

    server = await asyncio.start_server(close, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    with pytest.raises(MissingError, match=r"no TLS connection to https://.* \(the connection was closed") as caught:
        await open_openai(url, MODEL, api_key=KEY)
    assert "http://" in caught.value.hint
    server.close()


async def test_a_refused_connection_costs_nothing_and_recovers() -> None:
    async with ScriptedServer() as server:
        backend = await open_openai(server.base_url, MODEL, api_key=KEY)
        address = server.base_url.removeprefix("http://").partition("/")[0].partition(":")
    with pytest.raises(TransientError, match=r"no connection|broke"):
        await backend.answer(REQUEST)
    with pytest.raises(TransientError, match="no connection") as caught:
        await backend.answer(REQUEST)
    assert not caught.value.charged
    back = await asyncio.start_server(
        lambda _, writer: writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), address[0], int(address[2])
    )
    with pytest.raises(TransientError, match="no choice"):
        await backend.answer(REQUEST)
    back.close()
    await backend.close()


async def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://me:hunter2!@127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(MissingError, match=r"no connection to the proxy 127\.0\.0\.1:1 for http://model") as caught:
        await open_openai("http://model.invalid/v1", MODEL, api_key=KEY)
    assert "ALL_PROXY) selects the proxy 127.0.0.1:1" in caught.value.hint and "hunter2" not in str(caught.value)


async def test_a_proxy_that_the_environment_names_is_used_and_one_of_another_kind_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with ScriptedServer() as proxy:
        monkeypatch.setenv("http_proxy", proxy.base_url.removesuffix("/v1"))
        monkeypatch.setenv("no_proxy", "")
        backend = await open_openai("http://model.invalid/v1", MODEL, api_key=KEY)
        assert (await backend.answer(REQUEST)).text == "fine"
        await backend.close()
    for wrong in ("socks5://h:1", "h:1", "http://me:hunter2@:::/", "http://me:hunter2@h:99999"):
        monkeypatch.setenv("http_proxy", wrong)
        with pytest.raises(InputError, match="not an HTTP proxy") as caught:
            await open_openai("http://model.invalid/v1", MODEL, api_key=KEY)
        assert "hunter2" not in str(caught.value)
    monkeypatch.setenv("no_proxy", "model.invalid")
    with pytest.raises(MissingError):
        await open_openai("http://model.invalid/v1", MODEL, api_key=KEY)


@pytest.mark.parametrize("late", [False, True])
async def test_a_proxy_that_wants_a_password_is_named_for_plain_http_too(
    late: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse = Step(407, f"<p>sign in, {KEY}</p>")
    async with ScriptedServer(refuse, models=None if late else refuse) as proxy:
        monkeypatch.setenv("http_proxy", proxy.base_url.removesuffix("/v1").replace("//", "//me:hunter2@"))
        monkeypatch.setenv("no_proxy", "")
        with pytest.raises(LlmrankError, match=r"the proxy 127\.0\.0\.1:\d+ refuses to connect to .* \(407") as caught:
            backend = await open_openai("http://model.invalid/v1", MODEL, api_key=KEY)
            await backend.answer(REQUEST)
        assert isinstance(caught.value, TransientError if late else MissingError)
        assert KEY not in str(caught.value) and "hunter2" not in str(caught.value)
        if late:
            await backend.close()


async def test_a_proxy_sees_no_key_and_its_refusal_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    proxy = await asyncio.start_server(refuse, "127.0.0.1", 0)
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-mine")
    with pytest.raises(MissingError, match=r"the proxy 127\.0\.0\.1:\d+ refuses to connect .* \(407 Proxy Auth"):
        await open_openai("https://model.invalid/v1", MODEL, api_key=KEY)
    proxy.close()
    sent = b"".join(seen)
    assert sent.startswith(b"CONNECT model.invalid:443") and KEY.encode() not in sent and b"org-of-mine" not in sent


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_a_file_without_certificates_is_named(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "certificates.pem"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    said: list[str] = []
    for scheme in ("https", "http"):
        with pytest.raises(MissingError, match="no endpoint answers"):
            await open_openai(f"{scheme}://model.invalid/v1", MODEL, api_key=KEY, say=said.append)
    [line] = said
    assert line.startswith(f"no certificate could be read from {path}, the file named by SSL_CERT_FILE")


async def test_what_is_waited_for_is_said_and_only_when_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmrank.backends.endpoint.LONG_WAIT", 0.05)
    said: list[str] = []
    async with ScriptedServer(models=Step(body='{"data": []}', hang=0.3)) as server:
        await (await open_openai(server.base_url, MODEL, timeout=7, say=said.append)).close()
        assert said == [
            f"waiting for {server.base_url}: the list of its models (up to 7 s; change this with --timeout)"
        ]
    said.clear()
    async with ScriptedServer() as server:
        await (await open_openai(server.base_url, MODEL, say=said.append)).close()
        await asyncio.sleep(0.1)
    assert not said


async def test_an_answer_that_came_while_this_process_stood_still_is_not_given_up() -> None:
    """As after SIGSTOP, or while another process held the Store: the time limit and the answer are met at once."""

    class Slow(BaseHTTPRequestHandler):
        """In a thread, so that it goes on while the event loop does not."""

        def do_GET(self) -> None:
            self._send({"data": []})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(0.3)
            self._send(completion("x" * (1 << 20)))

        def _send(self, content: object) -> None:
            body = json.dumps(content).encode()
            # It closes each connection, and says so: else the client may send the next call on one that is closing.
            self.wfile.write(HEAD + f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        backend = await open_openai(f"http://127.0.0.1:{server.server_port}/v1", MODEL, api_key=KEY, timeout=0.5)
        answer = asyncio.create_task(backend.answer(REQUEST))
        await asyncio.sleep(0.1)
        time.sleep(0.9)
        assert len((await answer).text) == 1 << 20
        await backend.close()
        server.shutdown()


async def test_each_call_has_its_own_timeout() -> None:
    slow = replace(good("late"), hang=1.0)
    async with ScriptedServer(slow, slow, slow, slow) as server:
        endpoint = Endpoint(Address.of(server.base_url), KEY, timeout=60.0)
        calls = [endpoint.call("POST", "chat/completions", {}, timeout=timeout) for timeout in (None, 0.3, 0.1, 30.0)]
        replies = await asyncio.gather(*calls, return_exceptions=True)
        assert [isinstance(reply, TransientError) and reply.kind for reply in replies] == [
            False,
            "timeout",
            "timeout",
            False,
        ]
        await endpoint.close()


async def test_a_silent_endpoint_is_given_up_after_the_timeout() -> None:
    async with ScriptedServer(models=raw(then="hold")) as server:
        with pytest.raises(MissingError, match=r"no answer within 0\.2 s"):
            await open_openai(server.base_url, MODEL, timeout=0.2)


# --- which endpoint it is ---


def test_the_bases_that_may_be_meant() -> None:
    assert other_bases("http://h:1") == ["http://h:1/v1"]
    assert other_bases("http://h/v1/chat/completions")[0] == "http://h/v1"
    assert other_bases("http://h/api") == ["http://h/api/v1", "http://h/v1"]
    assert other_bases("http://h/v1") == []


@pytest.mark.parametrize("wrong", ["", "/v1/chat/completions", "/v1/models", "/v1/completions", "/api"])
async def test_a_wrong_path_is_told_with_the_right_one(wrong: str) -> None:
    async with ScriptedServer() as server:
        host = server.base_url.removesuffix("/v1")
        with pytest.raises(InputError, match="is not the base URL of this endpoint") as caught:
            await open_openai(host + wrong, MODEL, api_key=KEY)
        assert caught.value.hint == f"use --base-url {server.base_url}"


async def test_pages_in_the_place_of_answers_are_refused_by_the_first_question(tmp_path: Path) -> None:
    page = Step(body="<html><title>Sign in</title></html>")
    async with ScriptedServer(page, models=page) as server:
        backend = await open_openai(server.base_url, MODEL, api_key=KEY)
        with Store(tmp_path / "s") as store, pytest.raises(MissingError, match="a web page and not JSON") as caught:
            await backend.probe(store_first(backend, store), labels=False)
        await backend.close()
        assert server.calls == 2 and "--base-url" in caught.value.hint


async def test_an_endpoint_that_lists_models_is_asked_nothing_beforehand(tmp_path: Path) -> None:
    async with ScriptedServer() as server:
        backend = await open_openai(server.base_url, MODEL, api_key=KEY)
        with Store(tmp_path / "s") as store:
            await backend.probe(store_first(backend, store), labels=False)
        await backend.close()
        assert not server.calls


@pytest.mark.parametrize(
    "models",
    [
        Step(body="[" * 100_000), Step(body='{"data": [3, null, {"id": null}, {"id": {"a": 1}}, []]}'),
        Step(body='{"data": 3}'), Step(204), Step(302, "", {"Location": "/x"}),
        Step(body=json.dumps({"data": [{"id": MODEL, "max_model_len": -1}]})),
        Step(body=json.dumps({"data": [{"id": MODEL, "max_model_len": 10**30, "owned_by": ["vllm"]}]})),
    ],
)  # fmt: skip
async def test_any_list_of_models_is_read(models: Step) -> None:
    gc.collect()  # what other tests left would be collected, and fail, within the deep recursion
    async with ScriptedServer(models=models) as server:
        backend = await open_openai(server.base_url, MODEL, api_key=KEY)
        assert backend.context_length is None and (await backend.answer(REQUEST)).text == "fine"
        await backend.close()


@pytest.mark.parametrize("models", [raw(b"220 smtp\r\n"), raw(), framed(b"{}", length=9), raw(then="reset")])
async def test_a_list_of_models_that_does_not_come_is_no_endpoint(models: Step) -> None:
    async with ScriptedServer(models=models) as server:
        with pytest.raises(MissingError, match="no endpoint answers at"):
            await open_openai(server.base_url, MODEL, api_key=KEY)


async def test_a_served_name_acts_on_no_terminal() -> None:
    models = Step(body=json.dumps({"data": [{"id": "\x1b[2Jevil\n  hint: rm", "owned_by": "vllm"}]}))
    async with ScriptedServer(models=models) as server:
        with pytest.raises(FatalBackendError) as caught:
            await open_openai(server.base_url, MODEL, api_key=KEY)
        assert "\x1b" not in str(caught.value) and str(caught.value).count("\n") == 1


def test_what_could_act_on_a_screen_is_escaped() -> None:
    assert safe_for_console("a\tb\n\x1b[31m\x9b\u202e\u200b\ud800\x00é日👩\u200d🚀") == (
        "a\tb\n\\x1b[31m\\x9b\\u202e\\u200b\\ud800\\x00é日👩\u200d🚀"
    )


async def test_another_model_or_configuration_is_told_once_and_recorded() -> None:
    said: list[str] = []
    bodies = [
        {**completion(), "model": model, "system_fingerprint": name}
        for model, name in [(MODEL, "f1"), (MODEL, "f2"), ("b", "f3"), (MODEL, "f1"), ("b", "f4")]
    ]
    async with ScriptedServer(*[Step(body=json.dumps(body)) for body in bodies]) as server:
        backend = await open_openai(server.base_url, MODEL, api_key=KEY, say=said.append)
        answers = [await backend.answer(REQUEST) for _ in bodies]
        await backend.close()
        assert [(one.model, one.system_fingerprint) for one in answers][1:3] == [(MODEL, "f2"), ("b", "f3")]
        assert backend.concessions["served"] == {"model": [MODEL, "b"], "system_fingerprint": ["f1", "f2", "f3", "f4"]}
        assert [line.removeprefix(server.base_url) for line in said] == [
            " now answers with system_fingerprint 'f2'; until now it was 'f1'",
            f" now answers with model 'b'; until now it was {MODEL!r}",
        ]


@pytest.mark.parametrize("answers", [MODEL, f"{MODEL}-2024-08-06", f"owner/{MODEL}", MODEL.upper(), ""])
async def test_a_version_of_the_model_is_no_other_model(answers: str) -> None:
    said: list[str] = []
    async with ScriptedServer(Step(body=json.dumps({**completion(), "model": answers}))) as server:
        backend = await open_openai(server.base_url, MODEL, api_key=KEY, say=said.append)
        await backend.answer(REQUEST)
        await backend.close()
    assert not said and "served" not in backend.concessions


async def test_another_model_than_the_one_asked_for_is_told_and_recorded() -> None:
    said: list[str] = []
    async with ScriptedServer(Step(body=json.dumps({**completion(), "model": "cheaper-7b"}))) as server:
        backend = await open_openai(server.base_url, MODEL, api_key=KEY, say=said.append)
        await backend.answer(REQUEST)
        await backend.answer(REQUEST)
        await backend.close()
    assert said == [f"{server.base_url} answers as 'cheaper-7b', but {MODEL!r} was requested"]
    assert backend.concessions["served"] == {"model": ["cheaper-7b"]}


async def test_fields_that_make_no_sense_are_counted() -> None:
    body = {**completion(), "usage": {"prompt_tokens": -3, "completion_tokens": 5}, "model": 7}
    async with ScriptedServer(Step(body=json.dumps(body))) as server:
        backend = await open_openai(server.base_url, MODEL, api_key=KEY)
        await backend.answer(REQUEST)
        response = await backend.answer(REQUEST)
        await backend.close()
        assert (response.usage.prompt_tokens, response.usage.completion_tokens) == (0, 0), (
            "a budget trusts no half of it"
        )
        assert backend.concessions["ignored"] == {"usage": 2, "model": 2}


async def test_an_endpoint_is_closed_when_it_cannot_be_opened() -> None:
    endpoint = Endpoint(Address.of("http://127.0.0.1:1/v1"), KEY, timeout=1.0)
    await endpoint.close()
    with pytest.raises(TransientError):
        await endpoint.call("GET", "models")


async def test_a_body_in_the_charset_that_it_names_is_read() -> None:
    content = json.dumps({"said": "Amélie"}, ensure_ascii=False).encode("latin-1")
    for kind, said in (("application/json; charset=iso-8859-1", "Amélie"), ("application/json", "Am\ufffdlie")):
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n".encode()
        async with ScriptedServer(Step(raw=(head + content,))) as server:
            endpoint = Endpoint(Address.of(server.base_url), KEY, timeout=5.0)
            assert (await endpoint.call("POST", "chat/completions", {})).body == {"said": said}
            await endpoint.close()


async def test_the_search_of_a_long_body_keeps_no_other_call_waiting() -> None:
    escapes = json.dumps({**completion("fine"), "note": "<b>&amp;amp;%2525\\n" * 150_000})
    async with ScriptedServer(Step(body=escapes)) as server:
        backend = await open_openai(server.base_url, MODEL, api_key=KEY)
        answer, turns = asyncio.create_task(backend.answer(Request((Message("user", "0"),)))), [time.monotonic()]
        while not answer.done():
            await asyncio.sleep(0.005)
            turns.append(time.monotonic())
        assert (await answer).text == "fine"
        await backend.close()
    longest = max(after - before for before, after in itertools.pairwise(turns))
    assert longest < (turns[-1] - turns[0]) / 3
