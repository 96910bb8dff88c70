"""The HTTP border. One place where a call can fail, and where everything that an endpoint sends is bounded, decoded and
cleared of secrets before it is used, stored or shown.

`Endpoint.call` sends once. It returns a `Reply`, whatever the status; every fault of the HTTP stack below it becomes a
`TransientError` of this one call. What a status means is for the caller to say.
"""

from __future__ import annotations

import asyncio
import base64
import html
import json
import logging
import os
import re
import zlib
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookies import CookieError
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from llmrank import __version__
from llmrank.errors import InputError, TransientError, one_line
from llmrank.progress import Say, silent

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

MOST_BYTES = 8 << 20
"""The longest answer that is read, decompressed; the longest real ones have a few hundred kilobytes."""
MOST_FILE_BYTES = 4 << 30
"""The longest file that is downloaded, decompressed."""
PART_BYTES = 1 << 20
MOST_DEPTH = 64
"""The deepest nesting of JSON that is read."""
MOST_SHOWN = 1 << 16
"""Characters that are looked at of what is no JSON."""
MOST_REDIRECTS = 3
MOST_COOKIES = 64
CONNECT_SECONDS = 30.0
LONG_WAIT = 3.0
"""Seconds after which a person is told what is being waited for."""

# --- secrets ---------------------------------------------------------------------------------------------------------

MASK = "[key]"
LONG = 8
"""Letters and digits by which a secret is known whatever stands between them."""
FEWEST = 5
"""Letters and digits without which it is looked for as it is, and no further."""
PIECE = 8
"""Characters of a secret that are masked where the rest of it is missing."""
CODE = r"0{0,6}(?:3\d|[46][1-9a-f]|[57][\da])"
"""The hexadecimal code of a letter or a digit, and the decimal one."""
DECIMAL = r"0{0,6}(?:4[89]|5[0-7]|6[5-9]|[78]\d|9[0789]|1[01]\d|12[012])(?!\d)"
BEGINS = r"\\{1,8}[ux]", r"%(?:25){0,4}", r"&(?:amp;){0,4}#"
"""How a character is escaped in JSON, in a URL and in HTML, once or several times over. All is bounded: nothing here
takes more than linear time."""
ESCAPED = rf"{BEGINS[0]}{CODE}|{BEGINS[1]}{CODE}|{BEGINS[2]}(?:{DECIMAL}|x{CODE})"
"""A letter or a digit."""
GAP = (
    rf"(?:<[^<>]{{0,200}}>|&(?:amp;){{0,4}}(?!amp;)[a-z]{{2,8}};|(?!{ESCAPED})(?:\\{{1,8}}(?:[nrtbf]|u00[\da-f]{{2}}"
    rf"|x[\da-f]{{2}})|{BEGINS[1]}[\da-f]{{2}}|{BEGINS[2]}x?[\da-f]{{1,8}};?|[^a-z\d])){{0,12}}+"
)
"""What may stand between two letters of a secret: its own punctuation however written, a tag, a line break."""
NARROW = GAP.replace(r"[^a-z\d]", r"[^a-z\d\s,>\[\]()]")
"""The same for a secret of few letters, which an answer may hold in its order: `[1], [2], [3]`."""
ENTITY = re.compile(r"&(?:#\d{1,12}|#x[\da-f]{1,12}|[a-z]\w{1,31});?", re.IGNORECASE | re.ASCII)
TAG = re.compile(r"<[^<>]{0,200}>")
JSON_ESCAPE = re.compile(r"\\{1,8}(?:u00|x)([\da-f]{2})", re.IGNORECASE)
SQUEEZED = bytes(range(256)).lower()
NO_LETTERS = bytes(code for code in range(256) if not chr(code).isascii() or not chr(code).isalnum())


class Secrets:
    """What must be seen nowhere: `[key]` stands in its place, however an endpoint writes it, whole or in part."""

    def __init__(self, *values: str) -> None:
        """Empty values, and words too short to be a secret (`none`, `EMPTY`), are left alone: answers may hold them."""
        plain = {value for value in values if len(value) >= 8 or (len(value) >= 5 and not value.isalpha())}
        coded = {one for value in plain for one in (value.encode().hex(), *_in_base64(value))}
        self._values = sorted(plain | coded, key=len, reverse=True)
        self._pieces = {one: piece for value in sorted(plain) for one, piece in _pieces(value)}
        self._signs = tuple({_squeezed(one) for one in (*self._pieces, *(value[:PIECE] for value in self._values))})
        self._pattern: re.Pattern[str] | None = None

    def may_be_in(self, text: str) -> bool:
        """Return whether the text must be searched; fast, and false for nearly every answer."""
        if not self._signs:
            return False
        # Escapes may lie in one another: a URL in HTML in JSON.
        for _ in range(5):
            squeezed = _squeezed(text)
            if any(sign in squeezed for sign in self._signs):
                return True
            before = text
            if "<" in text:
                text = TAG.sub("", text)
            if "%" in text:
                text = unquote(text)
            if "&" in text:
                text = _without_entities(text)
            if "\\" in text:
                text = JSON_ESCAPE.sub(lambda code: chr(int(code[1], 16)), text)
            if text == before:
                break
        return False

    def mask(self, text: str) -> str:
        """Return the text without the secrets."""
        if not self.may_be_in(text):
            return text
        if self._pattern is None:
            patterns = [*map(_form, self._values), *self._pieces.values()]
            self._pattern = re.compile("|".join(patterns), re.IGNORECASE)
        return self._pattern.sub(MASK, text)

    def masked(self, value: object, depth: int = 0) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON value with the secrets masked in every text and every name, and without what is nested deeper
        than anything that is read."""
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, list | dict) and depth >= MOST_DEPTH:
            return None
        if isinstance(value, list):
            return [self.masked(one, depth + 1) for one in value]
        if isinstance(value, dict):
            return {self.mask(str(name)): self.masked(one, depth + 1) for name, one in value.items()}
        return value


def _squeezed(text: str) -> bytes:
    """Return the ASCII letters and digits of a text, in lower case."""
    return text.encode("utf-8", "surrogatepass").translate(SQUEEZED, NO_LETTERS)


def _without_entities(text: str) -> str:
    # All at once, one of thousands of digits would be an error.
    return ENTITY.sub(lambda entity: html.unescape(entity[0]), text)


def _in_base64(value: str) -> Generator[str]:
    """Yield what base64 makes of a value, with nothing, one or two bytes before it (`Bearer `), in both alphabets."""
    for before in range(3):
        code = base64.b64encode(bytes(before) + value.encode()).decode()
        # The first and the last character may hold bits of what stands beside the value.
        core = code[before + (before > 0) : (before + len(value.encode())) * 8 // 6]
        yield from {core, core.replace("+", "-").replace("/", "_")}


def _form(value: str) -> str:
    """Return a pattern for the ways in which a value may be written."""
    letters = re.findall(r"[A-Za-z\d]", value, re.ASCII)
    if len(letters) < FEWEST:
        return re.escape(value)
    gap = GAP if len(letters) >= LONG and not "".join(letters).isdigit() else NARROW
    before, after = value[: value.index(letters[0])], value[value.rindex(letters[-1]) + 1 :]
    inner = gap.join(
        rf"(?:{letter}|{BEGINS[0]}0{{0,6}}{code:x}|{BEGINS[1]}{code:x}"
        rf"|{BEGINS[2]}(?:0{{0,6}}{code}(?!\d)|x0{{0,6}}{code:x});?)"
        for letter, code in zip(letters, map(ord, letters), strict=True)
    )
    return f"(?:{re.escape(before)})?{inner}(?:{re.escape(after)})?"


def _pieces(value: str) -> Generator[tuple[str, str]]:
    """Yield parts of a value of eight characters, each with a pattern that also takes in what stands beside it."""
    for start in range(0, len(value) - PIECE + 1 if len(value) >= 2 * PIECE else 0, PIECE // 2):
        piece, before, after = value[start : start + PIECE], "", ""
        if piece.isalpha() and (piece.islower() or piece.isupper() or piece.istitle()):
            continue  # perhaps a word
        for character in value[max(0, start - PIECE // 2) : start]:
            before = f"(?:{before}{re.escape(character)})?"
        for character in reversed(value[start + PIECE : start + PIECE + PIECE // 2]):
            after = f"(?:{re.escape(character)}{after})?"
        yield piece, f"{before}{re.escape(piece)}{after}"


# --- where the endpoint is -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Address:
    """The base URL of an endpoint, taken apart."""

    public: str
    """Without user, password, query and trailing slash: what may be shown and stored."""
    query: str = ""
    user: str = ""
    password: str = ""

    @classmethod
    def of(cls, url: str) -> Self:
        """Return the parts of a base URL; raise InputError when it is none."""
        hint = "write it with its scheme, as in --base-url http://localhost:8000/v1"
        try:
            parts = urlsplit(url.strip())
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise InputError(f"not a base URL ({error})", field="base_url", hint=hint) from error
        if parts.scheme not in ("http", "https") or not host or not url.strip().isprintable() or " " in url.strip():
            shown = one_line(url.rpartition("@")[2].partition("?")[0], 80)
            raise InputError(f"{shown!r} is not a base URL", field="base_url", hint=hint)
        name = f"[{host}]" if ":" in host else host
        public = f"{parts.scheme}://{name}{'' if port is None else f':{port}'}{parts.path}".rstrip("/")
        return cls(public, parts.query, unquote(parts.username or ""), unquote(parts.password or ""))

    def authorization(self, key: str | None) -> str:
        """Return the header that says who asks: the user of the URL, else the key (endpoints that need none ignore it).

        Raises InputError for a key that no HTTP header can hold.
        """
        if self.user or self.password:
            return f"Basic {base64.b64encode(f'{self.user}:{self.password}'.encode()).decode()}"
        return f"Bearer {_in_a_header(key or 'none', 'OPENAI_API_KEY', 'the API key holds')}"

    def secrets(self, key: str | None) -> Secrets:
        """Return what must be seen nowhere: the key, the password, and the values of the query."""
        basic = f"{self.user}:{self.password}" if self.password else ""
        values = [value for part in self.query.split("&") for value in part.partition("=")[2:]]
        return Secrets(key or "", self.password, basic, *values)


def _in_a_header(value: str, field: str, what: str) -> str:
    """Return the value; raise InputError where no HTTP header can hold it."""
    if wrong := [character for character in value if not "!" <= character <= "~"]:
        kind = "a line break" if wrong[0] in "\r\n" else "a space" if wrong[0].isspace() else "a character not in ASCII"
        raise InputError(
            f"{what} {kind}, which no HTTP header can carry",
            field=field,
            hint="set it again, without anything before or after it",
        )
    return value


def _proxy(url: str) -> str | None:
    """Return the proxy that the environment names for this URL (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY)."""
    parts = urlsplit(url)
    if proxy_bypass(parts.netloc):
        return None
    known = getproxies()
    proxy = known.get(parts.scheme) or known.get("all")
    if proxy and not proxy.startswith(("http://", "https://")):
        raise InputError(
            f"the proxy that the environment names ({one_line(proxy.rpartition('@')[2], 80)}) is not an HTTP proxy",
            field=f"{parts.scheme}_proxy",
            hint="name a proxy of the form http://host:port, or add the endpoint's host to NO_PROXY",
        )
    return proxy or None


# --- what comes back -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reply:
    """What an endpoint sent: bounded, decoded, and without secrets."""

    status: int
    headers: Mapping[str, str]
    """Those that are used, their names in lower case."""
    body: Any
    """The JSON value; None when the text is no JSON."""
    text: str
    """The text, when the body is no JSON or the status is that of an error."""

    @property
    def ok(self) -> bool:
        """Whether the status is that of an answer."""
        return 200 <= self.status < 300

    def describe(self) -> str:
        """Return what it is that is no answer, in a few words."""
        kind = one_line(self.headers.get("content-type", "").partition(";")[0], 60).lower()
        if self.body is not None:
            return f"JSON that is a {type(self.body).__name__} and not an object"
        if not self.text.strip():
            return "an empty body"
        if kind == "text/event-stream" or self.text.lstrip().startswith("data:"):
            return "a stream of events, though none was asked for"
        if "html" in kind or self.text.lstrip()[:1] == "<":
            return f"a web page and not JSON ({error_text(self.text, 60)})"
        packing = one_line(self.headers.get("content-encoding", ""), 40)
        return f"something that is no JSON ({', '.join(filter(None, (kind or 'no content type', packing)))})"


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """The fields of an error as OpenAI has them; empty where the body has none."""

    message: str
    """The whole body where it has no message: a proxy's page, or JSON of another form."""
    param: str = ""
    code: str = ""
    type: str = ""

    @classmethod
    def read(cls, body: object, text: str) -> Self:
        """Return the fields of the object under `error`, or of the object that the body is; anything is read."""
        error = body.get("error", body) if isinstance(body, dict) else body
        if not isinstance(error, dict):
            return cls(error if isinstance(error, str) else text)
        message = error.get("message")
        named = [
            str(field) if isinstance(field := error.get(name), str | int) else "" for name in ("param", "code", "type")
        ]
        return cls(message if isinstance(message, str) else text, *named)


def error_text(text: str, most: int = 300) -> str:
    """Return an endpoint's message in one line that is safe for a console; of a page, the words without the tags."""
    text = text[: 1 << 16]
    if text.lstrip().startswith("<"):
        text = _without_entities(re.sub(r"<[^<>]*>", " ", text))
    return one_line(text, most) or "no message"


NUMBER = re.compile(r"-?\d{1,12}(?:\.\d{1,12})?", re.ASCII)
DURATION = re.compile(r"(?:\d{1,12}(?:\.\d{1,12})?(?:ms|h|m|s)){1,8}", re.ASCII)
PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def wait_of(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds in `retry-after-ms` or `Retry-After` (seconds, an HTTP date, or `1m30s`); None where there
    are none that make sense. RFC 9110, section 10.2.3, for the first two forms."""
    if NUMBER.fullmatch(text := headers.get("retry-after-ms", "").strip()):
        return max(0.0, float(text) / 1000)
    if NUMBER.fullmatch(text := headers.get("retry-after", "").strip()):
        return max(0.0, float(text))
    if DURATION.fullmatch(text):
        return sum(float(number) * UNITS[unit] for number, unit in PART.findall(text))
    try:
        date = parsedate_to_datetime(text[:100])
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())
    except (ValueError, TypeError, IndexError, ArithmeticError):  # whatever stands where a date should
        return None


# --- calls -----------------------------------------------------------------------------------------------------------


class Endpoint:
    """One base URL, the right to ask there, and the connections to it. Every call is sent once."""

    def __init__(self, address: Address, key: str | None, *, timeout: float, say: Say = silent) -> None:
        """`timeout` is in seconds, for one call. Use it in one event loop, and close it there.

        Raises InputError for a key that no header can hold, and for a proxy of another kind than HTTP.
        """
        import aiohttp
        from yarl import URL

        # What aiohttp has to say of an endpoint's cookies would otherwise come to the terminal as it is.
        logging.getLogger("aiohttp").addHandler(logging.NullHandler())
        self.url, self.timeout, self._say, self._query = address.public, timeout, say, address.query
        self.faults: Counter[str] = Counter()
        """Fields of answers that made no sense and were left out, by name."""
        proxy = _proxy(self.url)
        password = urlsplit(proxy).password if proxy else None
        self._secrets = address.secrets(key)
        if password:
            self._secrets = Secrets(key or "", address.password, unquote(password))
        headers = {
            "Authorization": address.authorization(key),
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": f"llmrank/{__version__}",
        }
        for name, variable in (("OpenAI-Organization", "OPENAI_ORG_ID"), ("OpenAI-Project", "OPENAI_PROJECT_ID")):
            if value := os.environ.get(variable):
                headers[name] = _in_a_header(value, variable, f"{variable} holds")
        self._origin = URL(self.url)
        self._urls: dict[str, URL] = {}
        connect = min(timeout, CONNECT_SECONDS)
        self._whole = aiohttp.ClientTimeout(total=None, sock_connect=connect)
        self._each_part = aiohttp.ClientTimeout(total=None, sock_connect=connect, sock_read=timeout)
        self._session = aiohttp.ClientSession(
            headers=headers,
            connector=_connector(),
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            # A small body may hold gigabytes: decompressed here, up to a bound.
            auto_decompress=False,
            proxy=proxy,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    def mask(self, text: str) -> str:
        """Return the text without the key and the password."""
        return self._secrets.mask(text)

    def shown(self, text: str, most: int = 300) -> str:
        """Return foreign text as an error may show it: one line, without secrets, safe for a console."""
        return error_text(self._secrets.mask(text), most)

    async def call(
        self,
        method: str,
        path: str,
        content: Mapping[str, Any] | None = None,
        *,
        data: aiohttp.FormData | None = None,
        timeout: float | None = None,
    ) -> Reply:
        """Send once to a path below the base URL (or to a whole URL), with `content` as JSON, and return what came.

        Raises TransientError for every fault of the connection, and for a body that is too long.
        """
        # ASCII: an earlier answer may hold half a surrogate pair, which has no UTF-8.
        body = data if content is None else json.dumps(content, separators=(",", ":")).encode()
        headers = None if content is None else JSON_HEADERS
        async with self._sent(method, path, body, headers, timeout or self.timeout) as response:
            value, text = self._read(await _body(response))
            text = "" if value is not None and response.status < 300 else text
            return Reply(response.status, self._headers(response), value, text)

    async def download(self, path: str, target: Path) -> Reply | None:
        """Write a file that the endpoint keeps to `target`, and return None; or return the reply that is no file.

        The time limit is for the silence between two parts of the file. Raises as `call`; InputError where `target`
        cannot be written.
        """
        try:
            with target.open("wb") as file:
                async with self._sent("GET", path, None, None, None) as response:
                    if response.status >= 300:
                        return Reply(response.status, self._headers(response), *self._read(await _body(response)))
                    async for part in _parts(response, MOST_FILE_BYTES):
                        _written(file.write, part)
        except (_DiskError, OSError) as error:
            raise InputError(
                f"cannot be written: {error}",
                path=target,
                hint="make room, or make it writable; the same command then continues",
            ) from error
        return None

    @contextmanager
    def telling(self, what: str, timeout: float | None = None) -> Generator[None]:
        """Say what is being waited for, once that takes longer than three seconds."""
        most = timeout or self.timeout
        line = f"waiting for {self.url}: {what} (for at most {most:g} s; --timeout changes that)"
        told = asyncio.get_running_loop().call_later(LONG_WAIT, self._say, line)
        try:
            yield
        finally:
            told.cancel()

    def read_json(self, line: bytes) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON value of a line of a downloaded file, without secrets; None where it is none."""
        return self._read(line)[0]

    def _read(self, raw: bytes) -> tuple[Any, str]:
        """Return the JSON value of a body, or None, and its text; both without secrets."""
        # As JSON has it: UTF-8, UTF-16 or UTF-32, with or without a byte order mark.
        encoding = json.detect_encoding(raw)
        try:
            text = raw.decode(encoding, "surrogatepass")
        except ValueError:
            # Half a character among many whole ones: the answer is not lost for it.
            text = raw.decode(encoding, "replace")
            self.faults["encoding"] += 1
        try:
            value = _json(text)
        except (ValueError, RecursionError):  # RecursionError: nested a hundred thousand deep
            value = None
        if not self._secrets.may_be_in(text):
            return value, text[:MOST_SHOWN]
        # Masked before it is cut, or half a secret would be left at the end.
        return self._secrets.masked(value), self.mask(text[: 2 * MOST_SHOWN])[:MOST_SHOWN]

    def _headers(self, response: aiohttp.ClientResponse) -> Mapping[str, str]:
        headers = response.headers
        return {name: self.mask(headers[name]) for name in USED_HEADERS if name in headers}

    @asynccontextmanager
    async def _sent(
        self,
        method: str,
        path: str,
        body: bytes | aiohttp.FormData | None,
        headers: Mapping[str, str] | None,
        timeout: float | None,
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """The one place where a call can fail: what the HTTP stack raises becomes a TransientError of this call."""
        import aiohttp
        from aiohttp.http_exceptions import HttpProcessingError

        if len(self._session.cookie_jar) > MOST_COOKIES:
            self._session.cookie_jar.clear()
        try:
            url = self._urls.get(path) or self._urls.setdefault(path, self._joined(path))
            async with asyncio.timeout(timeout):
                for _ in range(MOST_REDIRECTS):
                    async with self._session.request(
                        method,
                        url,
                        data=body,
                        headers=headers,
                        allow_redirects=False,
                        timeout=self._whole if timeout else self._each_part,
                    ) as response:
                        further = self._further(method, response) if 300 <= response.status < 400 else None
                        if further is None:
                            yield response
                            return
                    url = further
                raise TransientError(f"{self.url} redirects in a circle", kind="unreadable")
        except TimeoutError as error:
            if isinstance(error, aiohttp.ConnectionTimeoutError):
                raise TransientError(
                    f"no connection to {self.url} in time", kind="connection", charged=False
                ) from error
            text = f"{self.url} gave no answer within {timeout or self.timeout:g} s"
            raise TransientError(text, kind="timeout") from error
        except aiohttp.ClientConnectorError as error:
            text = f"no connection to {self.url} ({self._why(error)})"
            raise TransientError(text, kind="connection", charged=False) from error
        except (aiohttp.ClientResponseError, HttpProcessingError) as error:
            raise self._broken(error) from error
        except (aiohttp.ClientError, OSError, EOFError) as error:
            raise TransientError(
                f"the connection to {self.url} broke ({self._why(error)})", kind="connection"
            ) from error
        except (zlib.error, CookieError, ValueError, RuntimeError, LookupError, ArithmeticError) as error:
            raise self._broken(error) from error

    def _why(self, error: Exception) -> str:
        # aiohttp's own text of these begins with a status and repeats the URL.
        from aiohttp import ClientResponseError
        from aiohttp.http_exceptions import HttpProcessingError

        said = error.message if isinstance(error, ClientResponseError | HttpProcessingError) else ""
        return self.shown(said or str(error) or type(error).__name__, 200)

    def _broken(self, error: Exception) -> TransientError:
        return TransientError(
            f"{self.url} sent something that is not valid HTTP ({self._why(error)})", kind="unreadable"
        )

    def _joined(self, path: str) -> URL:
        from yarl import URL

        url = URL(path if "://" in path else f"{self.url}/{path}")
        return url.with_query(f"{url.query_string}&{self._query}".strip("&")) if self._query else url

    def _further(self, method: str, response: aiohttp.ClientResponse) -> URL | None:
        """Return where a redirect leads, if it may be followed: on the same host, with the same method and body.

        The key goes to no other host, and a POST must not become a GET.
        """
        from yarl import URL

        location = response.headers.get("Location")
        if not location or (method != "GET" and response.status not in (307, 308)):
            return None
        here, there = response.url, response.url.join(URL(location))
        same = (there.scheme, there.port) == (here.scheme, here.port) or (here.scheme, there.scheme) == (
            "http",
            "https",
        )
        return there if there.host == here.host and same else None


def _json(text: str) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        # A number of thousands of digits, which makes no sense, in a field that may not matter.
        return json.loads(text, parse_int=float)


def _connector() -> aiohttp.TCPConnector:
    """Return connections of which none is used again that has received what nobody asked for.

    A gateway that gives a call up and answers it later all the same would else have its late answer read as the answer
    to the next call: another Case's ranking.
    """
    import aiohttp

    class Connector(aiohttp.TCPConnector):
        async def _get(self, key: Any, traces: list[Any]) -> Any:  # noqa: ANN401 - of no public type
            while (connection := await super()._get(key, traces)) is not None:
                if connection.protocol is None or not connection.protocol.should_close:
                    return connection
                connection.close()
            return None

    # How many calls are under way is for the engine to say.
    return Connector(limit=0)


USED_HEADERS = ("content-type", "content-encoding", "location", "retry-after", "retry-after-ms")
JSON_HEADERS = {"Content-Type": "application/json"}


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """Return the body; of an error what can be read of it, as its status says enough."""
    from aiohttp import ClientError

    length, failed = response.content_length, response.status >= 400
    if not failed and length is not None and length <= MOST_BYTES and "Content-Encoding" not in response.headers:
        return await response.read()
    parts: list[bytes] = []
    try:
        async for part in _parts(response, PART_BYTES if failed else MOST_BYTES):
            parts.append(part)
    except (TransientError, ClientError, OSError, EOFError, zlib.error):
        if not failed:
            raise
    return b"".join(parts)


async def _parts(response: aiohttp.ClientResponse, most: int) -> AsyncGenerator[bytes]:
    """Yield the body, decompressed, in parts; raise TransientError when it is longer than `most` bytes.

    A body cut off within its compression raises EOFError. What is said to be compressed and is not is taken as it is,
    and so is what is compressed in a way that was not asked for: it will be no JSON.
    """
    size, unpack = 0, None
    packing = response.headers.get("Content-Encoding", "").strip().lower()
    first = {"gzip": b"\x1f", "x-gzip": b"\x1f", "deflate": b"x"}.get(packing)
    async for packed in response.content.iter_any():
        if first is not None and not size and packed.startswith(first):
            unpack = zlib.decompressobj(zlib.MAX_WBITS | 32)
        rest = packed
        while rest:
            part, rest = (
                (rest, b"") if unpack is None else (unpack.decompress(rest, PART_BYTES), unpack.unconsumed_tail)
            )
            size += len(part)
            if size > most:
                raise TransientError(f"the answer is longer than {most >> 20} MiB", kind="unreadable")
            yield part
    if unpack is not None and not unpack.eof:
        raise EOFError("the compressed answer is cut off")


class _DiskError(Exception):
    """What the file system says, apart from what the network says: both raise OSError."""


def _written(write: Callable[[bytes], object], part: bytes) -> None:
    try:
        write(part)
    except OSError as error:
        raise _DiskError(error.strerror or str(error)) from error
