"""Any OpenAI-compatible endpoint: one POST per call, straight through the HTTP client that the SDK is opened with.

The SDK builds every request anew and validates every answer into typed models, which costs more than the call itself at
high concurrency; here the same request is sent with headers made once, and `read_completion` reads the answer. What is
asked seldom (models, files, batches) goes through the SDK, with its retries off: a fault that may pass is a
TransientError, and the engine knows when to try again.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from llmrank.backends.completion import cut_at, read_completion, unreadable
from llmrank.backends.dialect import TOP_LOGPROBS, Dialect
from llmrank.backends.error_body import ErrorBody
from llmrank.backends.labels import single_token
from llmrank.backends.retry_after import wait_of
from llmrank.backends.thinking import THINKING_TAIL, ends_in_thinking
from llmrank.backends.unsupported import NAMES, refused_parameter
from llmrank.errors import BackendError, FatalBackendError, MissingError, TransientError, nearest
from llmrank.progress import Say, silent
from llmrank.store import Store, request_key
from llmrank.types import LABEL_LIMIT, Capabilities, Message, Request, Response, Sampling, Thinking

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

Result = TypeVar("Result")

QUOTA = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
ITS_OWN = re.compile(
    r"context.length|maximum context|too many tokens|prompt is too long"
    r"|content_filter|content management policy|moderation",
    re.IGNORECASE,
)
"""Words of a refusal that another request need not meet."""
TOO_LARGE = re.compile(r"request too large", re.IGNORECASE)
"""Words of a 429 that no waiting helps: one request asks for more than is allowed a minute."""
PROBE = Request((Message("user", "Answer with A or B."),), Sampling(max_tokens=1), labels=("A", "B"))
"""Shows whether an endpoint returns log-probabilities."""


class OpenAIBackend:
    """One endpoint and one model. `answer` may be called many times at once."""

    def __init__(
        self,
        client: AsyncOpenAI,
        http: httpx2.AsyncClient,
        model: str,
        *,
        timeout: float,
        api_key: str | None = None,
        say: Say = silent,
    ) -> None:
        """`http` is the client that `client` sends with."""
        self._client, self._http, self._model, self._timeout = client, http, model, timeout
        self._api_key = api_key
        self._url = public_url(str(client.base_url))
        self.dialect = Dialect(model, self._url, say)
        """The form in which the endpoint takes a Request."""
        self._tokenizes = self._has_answered = False
        self._label_ids: dict[str, int] = {}
        self._answers_at_once: set[Thinking] = set()
        """With which `thinking` a prompt was seen not to end in a thinking turn."""
        self.context_length: int | None = None
        """Tokens of prompt and answer together; None when the endpoint does not say."""

    @property
    def capabilities(self) -> Capabilities:
        """vLLM: 128 labels by token id and every kind of structured output. Others: labels among the 20 likeliest
        first tokens, by text, and JSON schema, unless the endpoint has refused them."""
        if self.dialect.is_vllm:
            kinds = frozenset({"choice", "regex", "json_schema"})
            return Capabilities(LABEL_LIMIT if self._tokenizes else TOP_LOGPROBS, kinds)
        kinds = frozenset[str]() if "response_format" in self.dialect.left_out else frozenset({"json_schema"})
        return Capabilities(
            0 if "logprobs" in self.dialect.left_out else TOP_LOGPROBS, kinds, seed="seed" not in self.dialect.left_out
        )

    @property
    def concessions(self) -> Mapping[str, object]:
        """What the endpoint does not take (`left_out`), or takes in another form (`replaced`)."""
        return self.dialect.concessions

    @property
    def identity(self) -> Mapping[str, str]:
        """Kind, base URL (no user, password or query), model, and `server: vllm` if every sampling field is sent."""
        server = {"server": "vllm"} if self.dialect.is_vllm else {}
        return {"kind": "openai", "base_url": self._url, "model": self._model, **server}

    async def greet(self) -> None:
        """Ask the endpoint for its models: whether it is there, whether it is vLLM, how long its context is.

        Raises MissingError when nothing answers at the URL, FatalBackendError when the key is refused or the endpoint
        is a vLLM that does not serve the model. An endpoint that lists no models is taken as it is.
        """
        try:
            listed = await twice(self._get_models)
        except TransientError as error:
            raise MissingError(
                f"no endpoint answers at {self._url}: {error}",
                hint="start the server, or correct --base-url (it usually ends in /v1)",
            ) from error
        served = {str(entry.get("id")): entry for entry in listed}
        self.dialect.is_vllm = any(entry.get("owned_by") == "vllm" for entry in listed)
        if self.dialect.is_vllm and self._model not in served:
            raise FatalBackendError(self._no_such_model(served))
        length = served.get(self._model, {}).get("max_model_len")
        self.context_length = length if isinstance(length, int) else None
        if self.dialect.is_vllm:
            # A gateway in front of vLLM may pass on nothing but the OpenAI paths.
            try:
                self._tokenizes = bool(await self._tokenize("A"))
            except BackendError:
                self._tokenizes = False

    async def probe(self, store: Store, ask: Callable[[Request], Awaitable[Response]]) -> None:
        """Learn whether the endpoint returns log-probabilities, by one call of one token; `capabilities` then says so.

        The Store keeps a good answer, so that it is asked once. `ask` is `answer`, or what counts its calls. Raises
        what it raises when there is no answer.
        """
        key = request_key(self.identity, PROBE)
        if self.dialect.is_vllm or "logprobs" in self.dialect.left_out or store.get(key) is not None:
            return
        response = await twice(lambda: ask(PROBE))
        if response.label_logprobs is not None:
            store.put(key, self.identity, PROBE, response)
        elif "logprobs" not in self.dialect.left_out:
            self.dialect.leave_out("logprobs", "returns none")

    async def answer(self, request: Request) -> Response:
        """Return the endpoint's Response, by one call, and one more for each parameter that the endpoint refuses.

        Raises TransientError for a fault that may pass; FatalBackendError for a refused key, an unknown model, an
        exhausted quota, or a request that the endpoint refuses before it answered any; BackendError for everything else
        that is no answer.
        """
        await self._check_thinking(request)
        ids = await self._ids_of(request.labels)
        started = time.monotonic()
        while True:
            sent = self.dialect.body(request, ids)
            try:
                body = await self._post(self._completions, sent)
                break
            except UnsupportedError as error:
                # Another call may have learned it meanwhile.
                if self.dialect.body(request, ids) == sent:
                    self.dialect.do_without(error.parameter, str(error))
        self._has_answered = True
        labels = request.labels if "logprobs" in sent else ()
        response = read_completion(body, labels, ids, seconds=time.monotonic() - started)
        return cut_at(response, request.sampling.stop) if "stop" in self.dialect.left_out else response

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _ids_of(self, labels: Sequence[str]) -> list[int]:
        """Return the token id of each label, as the server's tokenizer has it; nothing if it does not tell."""
        if not self._tokenizes:
            return []
        for label in labels:
            if label not in self._label_ids:
                bare, spaced = await asyncio.gather(self._tokenize(label), self._tokenize(f" {label}"))
                forms = {label: bare, f" {label}": spaced}
                self._label_ids[label] = single_token(label, forms.__getitem__, spaced=False)
        return [self._label_ids[label] for label in labels]

    async def label_tokens(self, texts: Sequence[str]) -> dict[str, int] | None:
        """Return the token id of every text that is a single token of the model; None if the server does not tell."""
        if not self._tokenizes:
            return None
        tokens = await asyncio.gather(*map(self._tokenize, texts))
        return {text: ids[0] for text, ids in zip(texts, tokens, strict=True) if len(ids) == 1}

    async def _check_thinking(self, request: Request) -> None:
        """Raise FatalBackendError where labels are read and the answer would begin with the model's reasoning."""
        if not request.labels or request.thinking in self._answers_at_once:
            return
        wrong = request.thinking.on
        if self._tokenizes and not wrong:
            sent = self.dialect.body(request)
            asked = {name: sent[name] for name in ("messages", "chat_template_kwargs") if name in sent}
            body = await self._post_tokenize({**asked, "add_generation_prompt": True, "return_token_strs": True})
            texts = [text for text in body.get("token_strs") or () if isinstance(text, str)][-THINKING_TAIL:]
            # Byte-level tokenizers write a space and a line break as these.
            wrong = ends_in_thinking("".join(texts).replace("Ġ", " ").replace("Ċ", "\n").replace("▁", " "))
        if wrong:
            raise FatalBackendError(
                f"the first token of the answer is read, and {self._model} would begin with its reasoning\n"
                "  hint: write `thinking: off`; a model whose reasoning cannot be switched off needs an answer format "
                "that reads text"
            )
        self._answers_at_once.add(request.thinking)

    async def _tokenize(self, text: str) -> list[int]:
        tokens = (await self._post_tokenize({"prompt": text, "add_special_tokens": False})).get("tokens")
        return [token for token in tokens if isinstance(token, int)] if isinstance(tokens, list) else []

    async def _post_tokenize(self, content: Mapping[str, Any]) -> dict[str, Any]:
        import httpx2

        url = f"{str(self._client.base_url).rstrip('/').removesuffix('/v1')}/tokenize"
        return await self._post(httpx2.URL(url), {"model": self._model, **content})

    async def _get_models(self) -> list[dict[str, Any]]:
        import httpx2
        from openai import APIStatusError

        try:
            raw = await self._bounded(self._client.get("models", cast_to=httpx2.Response))
        except APIStatusError as error:
            if error.status_code in (401, 429) or error.status_code >= 500:
                await self._refused(error.status_code, error.response.headers, error.response.text, {})
            return []
        try:
            entries = raw.json().get("data")
        except (ValueError, AttributeError):
            return []
        return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []

    @cached_property
    def _completions(self) -> httpx2.URL:
        return self._client.base_url.join("chat/completions")

    @cached_property
    def _headers(self) -> httpx2.Headers:
        """Return what the SDK sends with every request."""
        import httpx2

        headers = {**self._client.default_headers, **self._client.auth_headers}
        return httpx2.Headers({name: value for name, value in headers.items() if isinstance(value, str)})

    async def _post(self, url: httpx2.URL, content: Mapping[str, Any]) -> dict[str, Any]:
        """Send once; return the JSON object that came back, or raise the error that fits."""
        import httpx2

        # ASCII: an earlier answer may hold half a surrogate pair, which has no UTF-8.
        sent = json.dumps(content, separators=(",", ":")).encode()
        request = httpx2.Request("POST", url, headers=self._headers, cookies=self._http.cookies, content=sent)
        raw = await self._bounded(self._http.send(request))
        if not raw.is_success:
            await self._refused(raw.status_code, raw.headers, raw.text, content)
        try:
            body = raw.json()
        except ValueError as error:
            kind = raw.headers.get("content-type", "no content type").partition(";")[0]
            raise unreadable(f"{self._url} answered with something that is no JSON ({kind})") from error
        if not isinstance(body, dict):
            raise unreadable(f"{self._url} answered with JSON that is no object")
        return body

    async def _bounded(self, call: Awaitable[Result]) -> Result:
        """Await either client's call within the time allowed; a connection that fails or hangs is a passing fault."""
        import httpx2
        from openai import APIConnectionError

        try:
            async with asyncio.timeout(self._timeout):
                return await call
        except (TimeoutError, ssl.SSLError, httpx2.RequestError, APIConnectionError) as error:
            cause = error.__cause__ if isinstance(error, APIConnectionError) else error
            # Over aiohttp a refused connection comes as a timeout of connecting, at once.
            connecting = isinstance(cause, httpx2.ConnectTimeout)
            if isinstance(error, TimeoutError) or (isinstance(cause, httpx2.TimeoutException) and not connecting):
                raise TransientError(
                    f"{self._url} gave no answer within {self._timeout:g} s", kind="timeout"
                ) from error
            raise TransientError(
                f"no connection to {self._url} ({cause})", kind="connection", charged=not connecting
            ) from error

    async def _refused(self, status: int, headers: Mapping[str, str], text: str, sent: Mapping[str, Any]) -> NoReturn:
        """Raise what an error status means: passing, this request's own fault, or every further call's too."""
        body = ErrorBody.read(text)
        said, code = self._said(body), body.code or body.type
        if (
            status in (400, 403, 422)
            and (name := self._unsupported(body, sent))
            and (
                # 403 is about the key, but for models that may not be asked for log-probabilities.
                status != 403 or name == "logprobs"
            )
        ):
            raise UnsupportedError(name, said)
        if status in (401, 403):
            raise FatalBackendError(
                f"{self._url} refuses the key ({status})\n  hint: set OPENAI_API_KEY to a key for this endpoint"
            )
        if status == 402 or code in QUOTA:
            raise FatalBackendError(f"{self._url}: the quota is used up ({said})\n  hint: top up, then run it again")
        if status == 429 and TOO_LARGE.search(said):
            raise BackendError(f"{self._url} refuses this request ({status}): {said}")
        if status in (408, 409, 429) or status >= 500:
            kind = "429" if status == 429 else f"{status // 100}xx"
            wait = wait_of(headers)
            raise TransientError(f"{self._url} answered {status}: {said}", kind=kind, wait=wait)
        if status == 404:
            served = [str(entry.get("id")) for entry in await self._get_models()]
            raise FatalBackendError(self._no_such_model(served))
        if self._has_answered or status == 413 or ITS_OWN.search(f"{code} {said}"):
            raise BackendError(f"{self._url} refuses this request ({status}): {said}")
        raise FatalBackendError(
            f"{self._url} refuses the request ({status}): {said}\n  hint: check --model and the sampling settings"
        )

    async def through(self, call: Callable[[AsyncOpenAI], Awaitable[Any]]) -> Any:  # noqa: ANN401 - what the SDK returns
        """Return what a call of the SDK returns, sent once; raises as `answer` does."""
        from openai import APIStatusError

        try:
            return await self._bounded(call(self._client))
        except APIStatusError as error:
            await self._refused(error.status_code, error.response.headers, error.response.text, {})

    async def read_line(self, request: Request, status: int, body: Mapping[str, Any]) -> Response:
        """Return the Response in a status and a body that came by another way (a batch); raises as `answer` does."""
        if status >= 400:
            await self._refused(status, {}, json.dumps(body), {})
        response = read_completion(body, request.labels)
        self._has_answered = True
        return response

    def _unsupported(self, body: ErrorBody, sent: Mapping[str, Any]) -> str | None:
        """Return the parameter of the body `sent` that the endpoint does not take, if the refusal names one."""
        names = [name for name in NAMES if name in sent]
        if any(message["role"] in ("system", "developer") for message in sent.get("messages", ())):
            names.append("system")
        return refused_parameter(self._said(body, 1000), body.param, body.code, names)

    def _said(self, body: ErrorBody, most: int = 300) -> str:
        """Return the endpoint's message in one line, without the key if it quotes it."""
        text = body.message
        text = re.sub(r"<[^>]*>", " ", text) if text.lstrip().startswith("<") else text
        text = text.replace(self._api_key, "[key]") if self._api_key else text
        return " ".join(text.split())[:most] or "no message"

    def _no_such_model(self, served: Mapping[str, Any] | Sequence[str]) -> str:
        names = ", ".join(served) or "it lists none"
        return (
            f"{self._url} serves no model {self._model!r}{nearest(self._model, served)}\n"
            f"  hint: choose with --model among: {names}"
        )


async def open_openai(
    base_url: str | None, model: str, *, timeout: float = 600.0, api_key: str | None = None, say: Say = silent
) -> OpenAIBackend:
    """Return a backend for the endpoint, after one call that asks for its models; what it refuses is told to `say`.

    The URL is `base_url`, else OPENAI_BASE_URL, else the SDK's own; the key is OPENAI_API_KEY, and none is needed for
    an endpoint that asks for none. Raises MissingError when nothing answers there, FatalBackendError for a refused key.
    """
    from openai import AsyncOpenAI, DefaultAioHttpClient

    key = api_key or os.environ.get("OPENAI_API_KEY")
    url = base_url or os.environ.get("OPENAI_BASE_URL")
    if not key and not url:
        raise MissingError(
            "no endpoint and no key are set",
            hint="name one with --base-url, or set OPENAI_API_KEY (or OPENAI_BASE_URL)",
        )
    http = DefaultAioHttpClient(timeout=timeout)
    client = AsyncOpenAI(api_key=key or "none", base_url=url, max_retries=0, timeout=timeout, http_client=http)
    backend = OpenAIBackend(client, http, model, timeout=timeout, api_key=key, say=say)
    async with AsyncExitStack() as unless_greeted:
        unless_greeted.push_async_callback(backend.close)
        await backend.greet()
        unless_greeted.pop_all()
    return backend


class UnsupportedError(BackendError):
    """The endpoint does not take a parameter; the request without it may be answered."""

    def __init__(self, parameter: str, message: str) -> None:
        self.parameter = parameter
        super().__init__(message)


async def twice(call: Callable[[], Awaitable[Result]]) -> Result:
    """Return the call's result, at the second try if need be: before a run somebody waits at the terminal."""
    try:
        return await call()
    except TransientError as error:
        await asyncio.sleep(min(error.wait or 0.5, 5.0))
        return await call()


def public_url(url: str) -> str:
    """Return the URL without user, password, query or trailing slash: what may be shown and stored."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")
