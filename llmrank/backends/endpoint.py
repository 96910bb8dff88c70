"""The HTTP boundary: the only place where a call can fail, and where everything that an endpoint sends is limited in
size, decoded and cleared of secrets (`masking`) before it is used, stored or shown.

`Endpoint.call` sends once and returns a `Reply`, whatever the status. Every failure of the HTTP stack becomes a
`TransientError` of that call. `refusals` interprets the status.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import re
import select
import zlib
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.cookies import CookieError
from pathlib import Path
from ssl import SSLCertVerificationError, create_default_context
from typing import Any, Self
from urllib.parse import SplitResult, unquote, unquote_plus, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from llmrank import __version__
from llmrank.backends.completion import EVENTS, Json, joined_events, json_value
from llmrank.backends.masking import MAX_SEARCHED, Secrets, without_entities
from llmrank.errors import InputError, TransientError, one_line
from llmrank.files import cannot_write
from llmrank.progress import Say, silent

MAX_BYTES = 8 << 20
"""Maximum size of an answer, decompressed. The longest real ones have a few hundred kilobytes."""
MAX_FILE_BYTES = 4 << 30
"""Maximum size of a downloaded file, decompressed."""
PART_BYTES = 1 << 20
MAX_SHOWN = 1 << 16
"""How many characters are read of a reply that is not JSON."""
MAX_REDIRECTS = 3
STALLED, GRACE = 0.2, 1.0
"""Seconds by which a timeout may be late before it counts as a stall, and then the time to read what has arrived."""
MAX_COOKIES = 64
CONNECT_SECONDS = 30.0
LONG_WAIT = 3.0
"""Seconds after which the user is told what is being waited for."""
USED_HEADERS = (
    *("content-type", "content-encoding", "date", "location", "retry-after", "retry-after-ms", "www-authenticate"),
    *("x-should-retry", "ratelimit", "ratelimit-reset", "ratelimit-remaining"),
    *(f"x-ratelimit-{what}{limit}" for what in ("remaining", "reset") for limit in ("", "-requests", "-tokens")),
)
BROKEN = (
    *(aiohttp.ClientResponseError, HttpProcessingError, CookieError, zlib.error),
    *(ValueError, RuntimeError, LookupError, ArithmeticError),
)
"""The exceptions that the HTTP stack raises for invalid HTTP."""
FAULTS = (*BROKEN, aiohttp.ClientError, OSError, EOFError)
"""All exceptions that it raises for a call."""

# --- the address -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Address:
    """The base URL of an endpoint, split into its parts."""

    public: str
    """Without user, password, query and trailing slash, so that it can be shown and stored."""
    query: str = ""
    user: str = ""
    password: str = ""

    @classmethod
    def of(cls, url: str) -> Self:
        """Parse a base URL; raise InputError if it is invalid."""
        url, hint = url.strip(), "write it with its scheme, as in --base-url http://localhost:8000/v1"
        parts = _parse_http_url(url)
        # Show no part of a password. Python's own message quotes the port, which may be the start of one.
        if parts is None or not url.isprintable() or " " in url:
            secret = "@" in url.partition("?")[2]
            shown = "this" if secret else repr(one_line(url.rpartition("@")[2].partition("?")[0], 80))
            raise InputError(f"{shown} is not a base URL", field="base_url", hint=hint)
        host, port = parts.hostname or "", parts.port
        if port is not None and parts.username is None and "@" in parts.path + parts.fragment:
            raise InputError(
                "the base URL has an @ after its host: the text before it may be part of a password",
                field="base_url",
                hint="write the characters / # ? @ in a user or a password as %2F %23 %3F %40",
            )
        name = f"[{host}]" if ":" in host else host
        public = f"{parts.scheme}://{name}{'' if port is None else f':{port}'}{parts.path}".rstrip("/")
        return cls(public, parts.query, unquote(parts.username or ""), unquote(parts.password or ""))

    def authorization(self, key: str | None) -> str:
        """Return the Authorization header: the user and password of the URL, else the key (which endpoints without
        authentication ignore).

        Raises InputError for a key with characters that are not allowed in an HTTP header.
        """
        if self.user or self.password:
            return f"Basic {base64.b64encode(f'{self.user}:{self.password}'.encode()).decode()}"
        return f"Bearer {_check_header_value(key or 'none', 'OPENAI_API_KEY', 'the API key contains')}"

    def secrets(self, *others: str) -> Secrets:
        """Return the secrets to mask: the password, the values of the query, and the others."""
        basic = f"{self.user}:{self.password}" if self.password else ""
        values = [value for part in self.query.split("&") for value in part.partition("=")[2:]]
        return Secrets(self.password, basic, *values, *map(unquote, values), *map(unquote_plus, values), *others)


def _parse_http_url(url: str) -> SplitResult | None:
    """Return the parts of a URL that HTTP can reach; None if it is not one."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        if host.isascii():
            host.encode("idna")  # rejects labels that are empty or too long, as the lookup would
    except ValueError:
        return None
    return parts if parts.scheme in ("http", "https") and host and port != 0 else None


def _check_header_value(value: str, field: str, what: str) -> str:
    """Return the value; raise InputError if it is not allowed in an HTTP header."""
    if wrong := [character for character in value if not "!" <= character <= "~"]:
        kind = "a line break" if wrong[0] in "\r\n" else "a space" if wrong[0].isspace() else "a non-ASCII character"
        raise InputError(
            f"{what} {kind}, which is not allowed in an HTTP header",
            field=field,
            hint="set it again, without anything before or after it",
        )
    return value


def _proxy(url: str) -> str | None:
    """Return the proxy set in the environment for this URL (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY)."""
    parts = urlsplit(url)
    if proxy_bypass(parts.netloc):
        return None
    known = getproxies()
    scheme = parts.scheme if known.get(parts.scheme) else "all"
    proxy = known.get(scheme)
    if proxy and _parse_http_url(proxy) is None:
        raise InputError(
            f"the proxy set in the environment ({one_line(proxy.rpartition('@')[2], 80)}) is not an HTTP proxy",
            field=f"{scheme}_proxy",
            hint="name a proxy of the form http://host:port, or add the endpoint's host to NO_PROXY",
        )
    return proxy or None


def _certificate_warning() -> str:
    """Return a warning if SSL_CERT_FILE names a file without certificates, which Python ignores; else an empty
    string."""
    if not (name := os.environ.get("SSL_CERT_FILE")):
        return ""
    try:
        create_default_context(cafile=name)
    except (OSError, ValueError) as error:
        return f"no certificate could be read from {one_line(name, 200)}, the file named by SSL_CERT_FILE ({error})"
    return ""


# --- replies ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reply:
    """What an endpoint sent: limited in size, decoded, and without secrets."""

    status: int
    headers: Mapping[str, str]
    """Only the headers in use, with names in lower case."""
    body: Json
    """None if the text is not JSON."""
    text: str
    """The text, if the body is not JSON or the status is an error."""

    @property
    def ok(self) -> bool:
        """Whether the status is a success."""
        return 200 <= self.status < 300

    @property
    def kind(self) -> str:
        """The content type in lower case; "" if there is none."""
        return one_line(self.headers.get("content-type", "").partition(";")[0], 60).lower()

    @property
    def is_stream(self) -> bool:
        """Whether it is a stream of events: the model answered, but in a format that was not requested."""
        return self.kind == "text/event-stream" or EVENTS.match(self.text) is not None

    def describe(self) -> str:
        """Describe briefly a reply that is not an answer."""
        kind = self.kind
        if self.body is not None:
            return f"JSON that is a {type(self.body).__name__} and not an object"
        if not self.text.strip():
            return "an empty body"
        if self.is_stream:
            return "a stream of events, although none was requested"
        if "html" in kind or self.text.lstrip()[:1] == "<":
            return f"a web page and not JSON ({error_text(self.text, 60)})"
        encoding = one_line(self.headers.get("content-encoding", ""), 40)
        what, said = ", ".join(filter(None, (kind or "no content type", encoding))), error_text(self.text, 60)
        # Compressed or binary data are not shown.
        return f"something that is not JSON ({what})" + ("" if re.search(r"\ufffd|\\x", said) else f": {said}")


def error_text(text: str, most: int = 300) -> str:
    """Return an endpoint's message on one line, safe for a console; for a web page, its words without the tags."""
    text = text[:MAX_SHOWN]
    if text.lstrip().startswith("<"):
        text = without_entities(re.sub(r"<[^<>]*>", " ", text))
    return one_line(text, most) or "no message"


# --- calls -----------------------------------------------------------------------------------------------------------


class Endpoint:
    """The connections to one base URL, with its credentials. Every call is sent once."""

    def __init__(self, address: Address, key: str | None, *, timeout: float, say: Say = silent) -> None:
        """`timeout` is in seconds per call. Use the endpoint in a single event loop, and close it there.

        Raises InputError for a key that is not allowed in a header, and for a proxy that is not an HTTP proxy.
        """
        # Otherwise aiohttp's warnings about cookies would be printed to the terminal.
        logging.getLogger("aiohttp").addHandler(logging.NullHandler())
        self.url, self.timeout, self._say, self._query = address.public, timeout, say, address.query
        self.faults: Counter[str] = Counter()
        """Number of invalid fields dropped from answers, by name."""
        proxy = _proxy(self.url)
        self.proxy = None if proxy is None else one_line(urlsplit(proxy).netloc.rpartition("@")[2], 80)
        """Host and port of the proxy that the environment sets for this URL; None if there is none."""
        self._secrets = address.secrets(key or "", unquote(urlsplit(proxy or "").password or ""))
        # Sent per request, since aiohttp would send a session's headers to a proxy as well.
        self._auth_headers = {"Authorization": address.authorization(key)}
        for name, variable in (("OpenAI-Organization", "OPENAI_ORG_ID"), ("OpenAI-Project", "OPENAI_PROJECT_ID")):
            if value := os.environ.get(variable):
                self._auth_headers[name] = _check_header_value(value, variable, f"{variable} contains")
        if self.url.startswith("https:") and (wrong := _certificate_warning()):
            say(wrong)
        self._urls: dict[str, URL] = {}
        self._deadlines = _Deadlines()
        connect = min(timeout, CONNECT_SECONDS)
        self._no_read_timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect)
        self._read_timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect, sock_read=timeout)
        self._session = aiohttp.ClientSession(
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "User-Agent": f"llmrank/{__version__}",
            },
            # The engine limits the number of calls in flight.
            connector=_Connector(limit=0),
            response_class=_Response,
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            # ASCII, since an earlier answer may contain a lone surrogate, which UTF-8 cannot encode.
            json_serialize=json.JSONEncoder(separators=(",", ":")).encode,
            # A small body may expand to gigabytes, so it is decompressed here, up to a limit.
            auto_decompress=False,
            proxy=proxy,
        )

    async def close(self) -> None:
        """Close the connections."""
        self._deadlines.close()
        await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        content: Mapping[str, Any] | None = None,
        *,
        data: aiohttp.FormData | None = None,
        timeout: float | None = None,
    ) -> Reply:
        """Send once to a path below the base URL (or to a full URL), with `content` as JSON, and return the reply.

        Raises TransientError for any connection failure, and for a body that is too long.
        """
        async with self._request(method, path, timeout or self.timeout, content, data) as response:
            return await self._reply(response, content)

    async def download(self, path: str, target: Path) -> Reply | None:
        """Download a file from the endpoint to `target` and return None; or return the reply if it is not a file.

        The timeout applies to the time between two chunks. Raises as `call` does, and InputError or OSError if `target`
        cannot be written.
        """
        with target.open("wb") as file:
            async with self._request("GET", path, None) as response:
                if response.status >= 300:
                    return await self._reply(response, None)
                async for part in _chunks(response, MAX_FILE_BYTES):
                    try:
                        file.write(part)
                    except OSError as error:
                        # A disk error, unlike the OSErrors raised for the connection.
                        raise cannot_write(target, error) from error
        return None

    def describe(self, path: Path) -> str:
        """Describe briefly a downloaded file that is not what it should be."""
        with path.open("rb") as file:
            _, text = self._read(file.read(MAX_SHOWN), lambda _: None)
        return Reply(HTTPStatus.OK, {}, None, text).describe()

    @contextmanager
    def announcing(self, what: str, timeout: float | None = None) -> Generator[None]:
        """Tell the user what is being waited for, if it takes longer than three seconds."""
        most = timeout or self.timeout
        line = f"waiting for {self.url}: {what} (up to {most:g} s; change this with --timeout)"
        timer = asyncio.get_running_loop().call_later(LONG_WAIT, self._say, line)
        try:
            yield
        finally:
            timer.cancel()

    def mask(self, text: str, sent: Mapping[str, Any]) -> str:
        """Return the text of an answer to `sent`, with secrets masked."""
        return self._secrets.mask(text, sent)

    def read_json(self, line: bytes, sent: Callable[[Json], object]) -> Json:
        """Return the JSON value of a line in a downloaded file, with secrets masked; None if it is invalid. `sent`
        returns what the line answers."""
        return self._read(line, sent)[0]

    async def _reply(self, response: aiohttp.ClientResponse, sent: Mapping[str, Any] | None) -> Reply:
        if response.status == 407 and self.proxy:  # on the way to https, aiohttp raises this
            raise aiohttp.ClientHttpProxyError(response.request_info, (), status=407, message=response.reason or "")
        reading = partial(self._read, await _body(response), lambda _: sent, response.charset)
        # A search takes seconds in a long body full of escapes; meanwhile other calls go on.
        value, text = reading() if len(reading.args[0]) <= MAX_SEARCHED else await asyncio.to_thread(reading)
        headers = {
            name: self._secrets.mask(response.headers[name]) for name in USED_HEADERS if name in response.headers
        }
        return Reply(response.status, headers, value, "" if value is not None and response.status < 300 else text)

    def _read(self, raw: bytes, sent: Callable[[Json], object], charset: str | None = None) -> tuple[Json, str]:
        """Return the JSON value of a body, or None, and its text; both with secrets masked. `charset` is the declared
        encoding."""
        # As in JSON: UTF-8, UTF-16 or UTF-32, with or without a byte order mark.
        encoding = json.detect_encoding(raw)
        try:
            text = raw.decode(encoding, "surrogatepass")
        except ValueError:
            try:
                text = raw.decode(charset or encoding)
            except (ValueError, LookupError):
                # Do not lose an answer because of one broken character.
                text = raw.decode(encoding, "replace")
                self.faults["encoding"] += 1
        value = json_value(text)
        if value is None and EVENTS.match(text) and (joined := joined_events(text)) is not None:
            # A secret may be split across events, so search what they add up to.
            value, text = joined, json.dumps(joined)
        if not self._secrets.may_be_in(text):
            return value, text[:MAX_SHOWN]
        # Mask before truncating, which might leave half a secret at the end.
        return self._secrets.masked(value, sent(value)), self._secrets.mask(text[: 2 * MAX_SHOWN])[:MAX_SHOWN]

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        timeout: float | None,
        content: Mapping[str, Any] | None = None,
        data: aiohttp.FormData | None = None,
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """The only place where a call can fail: exceptions of the HTTP stack become TransientErrors of this call."""
        if len(self._session.cookie_jar) > MAX_COOKIES:
            self._session.cookie_jar.clear()
        limit = asyncio.timeout(None)
        try:
            url = self._urls.get(path) or self._urls.setdefault(path, self._full_url(path))
            async with limit:
                self._deadlines.add(limit, timeout)
                for _ in range(MAX_REDIRECTS):
                    async with self._session.request(
                        method,
                        url,
                        json=content,
                        data=data,
                        headers=self._auth_headers,
                        allow_redirects=False,
                        timeout=self._no_read_timeout if timeout else self._read_timeout,
                    ) as response:
                        target = self._redirect_target(method, response) if 300 <= response.status < 400 else None
                        if target is None:
                            yield response
                            return
                    url = target
                raise TransientError(f"{self.url} redirects in a loop", kind="unreadable")
        except FAULTS as error:
            raise self._fault(error, timeout or self.timeout) from error
        finally:
            self._deadlines.remove(limit)

    def _fault(self, error: Exception, seconds: float) -> TransientError:
        """Return what an exception of the HTTP stack says about a call with this timeout."""
        url, reason = self.url, self._reason(error)
        match error:
            case aiohttp.ClientConnectorCertificateError(certificate_error=cause):
                why = cause.verify_message.rstrip(".") if isinstance(cause, SSLCertVerificationError) else str(cause)
                return TransientError(f"the certificate of {url} is not trusted ({why})", kind="certificate")
            case aiohttp.ClientConnectorSSLError():
                return TransientError(f"no TLS connection to {url} ({reason})", kind="tls")
            case aiohttp.ClientConnectorError(errno=None, os_error=ConnectionResetError()):
                # There was a connection, but it ended before TLS was spoken: the system has no number for that fault.
                text = f"no TLS connection to {url} (the connection was closed during the handshake)"
                return TransientError(text, kind="connection" if self.proxy else "tls", charged=False)
            case aiohttp.ClientProxyConnectionError():
                text = f"no connection to the proxy {self.proxy} for {url} ({reason})"
                return TransientError(text, kind="connection", charged=False)
            case aiohttp.ClientConnectorError():
                return TransientError(f"no connection to {url} ({reason})", kind="connection", charged=False)
            case aiohttp.ConnectionTimeoutError():
                return TransientError(f"no connection to {url} in time", kind="connection", charged=False)
            case aiohttp.ClientHttpProxyError(status=status):
                text = f"the proxy {self.proxy} refuses to connect to {url} ({status} {reason})"
                return TransientError(text, kind="connection", charged=False)
            case TimeoutError():
                return TransientError(f"{url} gave no answer within {seconds:g} s", kind="timeout")
            case _ if isinstance(error, BROKEN):
                return TransientError(f"{url} sent something that is not valid HTTP ({reason})", kind="unreadable")
            case _:
                return TransientError(f"the connection to {url} broke ({reason})", kind="connection")

    def _reason(self, error: Exception) -> str:
        if isinstance(error, aiohttp.ServerDisconnectedError):
            return "closed by the endpoint"  # its text may be the Python object for the headers that came
        if isinstance(error, aiohttp.ClientPayloadError) and isinstance(error.__cause__, HttpProcessingError):
            error = error.__cause__
        # aiohttp's own text starts with a status and repeats the URL.
        message = error.message if isinstance(error, aiohttp.ClientResponseError | HttpProcessingError) else ""
        return error_text(self._secrets.mask(message or str(error) or type(error).__name__), 200)

    def _full_url(self, path: str) -> URL:
        url = path if "://" in path else f"{self.url}/{path}"
        # The query is added as given, so that it is not escaped twice.
        return URL(f"{url}{'&' if '?' in url else '?'}{self._query}" if self._query else url)

    def _redirect_target(self, method: str, response: aiohttp.ClientResponse) -> URL | None:
        """Return the target of a redirect if it may be followed: same host, with the same method and body.

        The key must not be sent to another host, and a POST must not become a GET.
        """
        location = response.headers.get("Location")
        if not location or (method != "GET" and response.status not in (307, 308)):
            return None
        here, there = response.url, response.url.join(URL(location))
        upgraded = (here.scheme, there.scheme) == ("http", "https")
        same = upgraded or (here.scheme, here.port) == (there.scheme, there.port)
        return there if there.host == here.host and same else None


class _Deadlines:
    """The deadlines of the calls in flight. They share one timer: one for each call would cost a tenth of the call."""

    def __init__(self) -> None:
        self._due: dict[asyncio.Timeout, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, limit: asyncio.Timeout, seconds: float | None) -> None:
        """Let the timeout expire after that many seconds (None: never), unless it is removed before."""
        if seconds is None:
            return
        due = self._due[limit] = asyncio.get_running_loop().time() + seconds
        if self._timer is None or due < self._timer.when():
            self._watch()

    def remove(self, limit: asyncio.Timeout) -> None:
        """Forget the timeout of a call that has ended."""
        self._due.pop(limit, None)

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def _watch(self) -> None:
        self.close()
        first = min(self._due.values(), default=None)
        self._timer = None if first is None else asyncio.get_running_loop().call_at(first, self._expire)

    def _expire(self) -> None:
        """End the calls that are due. If this process itself was stalled (suspended, or waiting for a disk), they first
        read what has arrived meanwhile, since it is billed."""
        now = asyncio.get_running_loop().time()
        for limit in [limit for limit, due in self._due.items() if due <= now]:
            due = self._due.pop(limit)
            limit.reschedule(now + GRACE if now - due > STALLED else now)
        self._watch()


class _Response(aiohttp.ClientResponse):
    """A response that closes its connection if the call was given up. A late answer could still arrive on it, and would
    be read as the answer to the next call."""

    async def start(self, connection: Connection) -> Self:
        protocol = connection.protocol
        await super().start(connection)
        if protocol is not None and (self.status >= 500 or self.status == HTTPStatus.REQUEST_TIMEOUT):
            protocol.force_close()
        return self


class _Connector(aiohttp.TCPConnector):
    """A connector that does not reuse a connection on which unexpected data has arrived.

    If a gateway gives up a call but answers it later, the late answer would otherwise be read as the answer to the next
    call: another Case's ranking.
    """

    async def _get(self, key: Any, traces: list[Any]) -> Any:  # noqa: ANN401 - not a public type
        while (connection := await super()._get(key, traces)) is not None:
            protocol, transport = connection.protocol, connection.transport
            if protocol is None or not (protocol.should_close or _has_unread(transport)):
                return connection
            connection.close()
        return None


def _has_unread(transport: asyncio.Transport | None) -> bool:
    """Return whether data has arrived that the event loop, perhaps busy, has not read yet."""
    socket = None if transport is None else transport.get_extra_info("socket")
    if socket is None:
        return False
    waiting = select.poll()
    waiting.register(socket, select.POLLIN)
    return bool(waiting.poll(0))


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """Return the body. For an error, return as much as can be read, since the status says enough."""
    length, failed = response.content_length, response.status >= 400
    if not failed and length is not None and length <= MAX_BYTES and "Content-Encoding" not in response.headers:
        return await response.read()
    parts: list[bytes] = []
    try:
        async for part in _chunks(response, PART_BYTES if failed else MAX_BYTES):
            parts.append(part)
    except (TransientError, aiohttp.ClientError, OSError, EOFError, zlib.error):
        if not failed:
            raise
    return b"".join(parts)


async def _chunks(response: aiohttp.ClientResponse, most: int) -> AsyncGenerator[bytes]:
    """Yield the body, decompressed, in chunks; raise TransientError if it is longer than `most` bytes.

    A truncated compressed body raises EOFError. A body declared as compressed that is not is used unchanged; so is one
    compressed in a way that was not requested, which will not be valid JSON.
    """
    size, decompressor = 0, None
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    first = {"gzip": b"\x1f", "x-gzip": b"\x1f", "deflate": b"x"}.get(encoding)
    async for compressed in response.content.iter_any():
        if first is not None and not size and compressed.startswith(first):
            decompressor = zlib.decompressobj(zlib.MAX_WBITS | 32)
        rest = compressed
        while rest:
            if decompressor is None:
                part, rest = rest, b""
            elif not decompressor.eof:
                part = decompressor.decompress(rest, PART_BYTES)
                rest = decompressor.unconsumed_tail or decompressor.unused_data
            elif rest.startswith(b"\x1f"):
                # Another member, compressed separately.
                decompressor = zlib.decompressobj(zlib.MAX_WBITS | 32)
                continue
            else:
                return
            size += len(part)
            if size > most:
                raise TransientError(f"the answer is longer than {most >> 20} MiB", kind="unreadable")
            yield part
    if decompressor is not None and not decompressor.eof:
        raise EOFError("the compressed answer is truncated")
