"""Any OpenAI-compatible endpoint. Each call is one POST through `Endpoint`, which handles HTTP and checks the replies.

Apart from the calls before a run, nothing is retried here: a transient failure is raised as TransientError, and the
engine decides when to retry.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from secrets import token_hex
from typing import Any, TypeVar

from llmrank.backends.base import Ask, BaseBackend, single_token
from llmrank.backends.completion import (
    at,
    cut_at,
    no_answer,
    objects_at,
    read_completion,
    token_text,
    unreadable,
)
from llmrank.backends.dialect import BY_ID, Dialect
from llmrank.backends.endpoint import Address, Endpoint, Reply
from llmrank.backends.refusals import LOADING, RefusedError, UnsupportedError, refusal, with_inner_refusal
from llmrank.backends.thinking import THINKING_TAIL, begins_with_reasoning, ends_in_thinking
from llmrank.backends.watch import MAX_NAMES, Watch, is_version
from llmrank.errors import (
    BackendError,
    FatalBackendError,
    InputError,
    MissingError,
    TransientError,
    count_of,
    nearest,
    one_line,
    safe_for_console,
)
from llmrank.progress import Say, duration, silent
from llmrank.types import LABEL_LIMIT, Capabilities, Message, Request, Response, Sampling, Thinking

Result = TypeVar("Result")

DEFAULT_URL = "https://api.openai.com/v1"
COMPLETIONS = "chat/completions"
REMEDIES = {
    "certificate": "set SSL_CERT_FILE to a PEM file with the certificate, or that of the authority that signed it; if "
    "it has expired or is for another host, replace it on the server, or correct --base-url",
    "tls": "if the server speaks plain HTTP, start --base-url with http://; if it requires a client certificate, or an "
    "older TLS than 1.2, put a proxy before it",
}
"""The hints for kinds of failures that say what is wrong."""
GREETING_SECONDS = 60.0
"""Timeout for the list of models."""
GREETING_WAITS, LONGEST_GREETING_WAIT = (0.5, 1.0, 2.0, 4.0), 30.0
"""Seconds between attempts before a run, if the endpoint requests none; and the longest requested wait."""
NOT_READY = frozenset({"429", "busy", "5xx"})
"""The kinds of failures in which an endpoint says that it cannot answer at the moment."""
LOADING_SECONDS, LOADING_PAUSE = 900.0, 1.0
"""How long to wait for a model to load, and the interval between attempts."""
PROBE = Request((Message("user", "Answer with A or B."),), Sampling(max_tokens=1), labels=("A", "B"))
"""The request that tests whether an endpoint answers, and whether it returns log-probabilities."""
FEW_REFUSALS = 5
"""Consecutive refusals blamed on the requests; after that, the endpoint may have changed (a model was removed, say)."""
MAX_ROUNDS = 4
"""How often one parameter may be refused during a call, replaced or with another value each time."""
FEW_NAMES = 3
"""With at most this many served models, a mismatch of names is reported; a gateway with many may accept other names."""


class OpenAIBackend(BaseBackend):
    """One model at one endpoint. `answer` may be called concurrently."""

    def __init__(self, endpoint: Endpoint, model: str, *, say: Say = silent) -> None:
        """`say` receives messages for the user that are not errors."""
        self.endpoint, self._model, self._say, self._url = endpoint, model, say, endpoint.url
        self.dialect = Dialect(model, endpoint.url, say)
        """How Requests are encoded for this endpoint."""
        self._watch = Watch(endpoint, model, say)
        self._tokenizes = self._has_answered = False
        self._refusals, self._refusals_tolerated = 0, FEW_REFUSALS
        """Refusals since the last answer, and the number of them that triggers a test request."""
        self._lists_models, self._sent_beside = True, 0
        self._label_ids: dict[str, int] = {}
        self._context_length: int | None = None
        self._deciding = asyncio.Lock()
        self._not_in_thinking_turn: set[Thinking] = set()
        """The `thinking` settings for which a prompt was found not to end in a thinking turn."""

    @property
    def capabilities(self) -> Capabilities:
        """vLLM: 128 labels, by token id. Others: labels among the 20 most likely first tokens, by text, unless the
        endpoint has refused log-probabilities."""
        if self.dialect.is_vllm:
            by_id = self._tokenizes and not self.dialect.left_out & BY_ID
            return Capabilities(LABEL_LIMIT if by_id else self.dialect.most_logprobs)
        return Capabilities(0 if "logprobs" in self.dialect.left_out else self.dialect.most_logprobs)

    @property
    def context_length(self) -> int | None:
        """The model's context length as reported by the endpoint; None if it reports none."""
        return self._context_length

    @property
    def concessions(self) -> Mapping[str, object]:
        """What the endpoint does not support (`left_out`) or supports under another name (`replaced`); the number of
        invalid fields in its answers (`ignored`); and what `Watch` has seen."""
        seen = {"ignored": dict(+self.endpoint.faults), **self._watch.concessions}
        return {**self.dialect.concessions, **{name: what for name, what in seen.items() if what}}

    @property
    def sent_beside(self) -> int:
        """Calls refused because of a parameter, and test requests."""
        return self._sent_beside

    def switches_thinking(self) -> bool | None:
        """Return False once the endpoint has refused `reasoning_effort`; None until then, and for vLLM."""
        return False if "reasoning_effort" in self.dialect.left_out else None

    @property
    def identity(self) -> Mapping[str, str]:
        """Kind, base URL (without user, password and query) and model; `server: vllm` if it accepts every sampling
        field."""
        server = {"server": "vllm"} if self.dialect.is_vllm else {}
        return {"kind": "openai", "base_url": self._url, "model": self._model, **server}

    # --- before a run ---

    async def greet(self) -> None:
        """List the endpoint's models to find out whether it is up, whether it is vLLM, and its context length.

        Raises MissingError if nothing answers at the URL or the endpoint stays busy, InputError if the models are found
        at a similar URL, and FatalBackendError if the key is rejected or a vLLM server does not serve the model. An
        endpoint that lists no models is accepted; `probe` then sends it a request.
        """
        seconds = min(GREETING_SECONDS, self.endpoint.timeout)
        try:
            with self.endpoint.announcing("the list of its models", seconds):
                reply = await self._when_loaded(lambda: self._ask_for_models(seconds))
        except TransientError as error:
            raise self._unreachable(error) from None
        served = _models(reply)
        if served is None:
            await self._suggest_base_url(reply)
        self._lists_models, served = served is not None, served or {}
        self.dialect.is_vllm = any(model.get("owned_by") == "vllm" for model in served.values())
        if self.dialect.is_vllm and self._model not in served:
            raise FatalBackendError(self._no_such_model(served))
        if 0 < len(served) <= FEW_NAMES and not any(is_version(name, self._model) for name in served):
            names = ", ".join(one_line(name, 100) for name in served)
            self._say(f"the endpoint lists {names}, but {safe_for_console(self._model)} is requested")
        length = served.get(self._model, {}).get("max_model_len")
        # `type`, since a bool is an int.
        self._context_length = length if type(length) is int and 0 < length < 10**9 else None
        if self.dialect.is_vllm:
            # A gateway in front of vLLM may forward only the paths of the OpenAI API.
            try:
                self._tokenizes = bool(await with_retries(lambda: self._tokenize("A")))
            except BackendError as error:
                self._tokenizes = False
                if isinstance(error, TransientError):
                    self._say(f"labels are matched by text: {error}")

    def _unreachable(self, error: TransientError) -> MissingError:
        """Return the error for an endpoint that did not list its models because of this one."""
        if error.kind in NOT_READY:
            return _not_ready(error)
        if error.kind in REMEDIES:
            return MissingError(f"{error}", hint=REMEDIES[error.kind])
        hint = "start the server, or correct --base-url (it usually ends in /v1)"
        if self.endpoint.proxy:
            proxy = f"the environment (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY) selects the proxy {self.endpoint.proxy}"
            hint += f"; {proxy}: correct it, or add the endpoint's host to NO_PROXY"
        return MissingError(f"no endpoint answers at {self._url}: {error}", hint=hint)

    async def probe(self, ask: Ask, *, labels: bool) -> None:
        """Send a one-token call if there is something to learn: with `labels`, whether the endpoint returns
        log-probabilities; if it lists no models, whether it answers at all.

        Raises MissingError if there is no reply, if it is not an answer (a web page) or if the endpoint stays busy,
        else whatever `ask` raises.
        """
        wanted = labels and not self.dialect.is_vllm and "logprobs" not in self.dialect.left_out
        if not wanted and self._lists_models:
            return
        request = PROBE if wanted else replace(PROBE, labels=())
        try:
            with self.endpoint.announcing("a first answer"):
                response = await self._when_loaded(lambda: ask(request))
        except TransientError as error:
            if error.kind in NOT_READY:
                raise _not_ready(error) from None
            if not error.came:
                raise _silent(error) from error
            raise MissingError(
                f"this endpoint does not answer as an OpenAI-compatible API does: {error}",
                hint="correct --base-url (it usually ends in /v1), or sign in if a proxy requires it",
            ) from error
        if wanted and response.label_logprobs is None and "logprobs" not in self.dialect.left_out:
            self.dialect.leave_out("logprobs", "returns no")

    async def _when_loaded(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """Return the call's result (see `with_retries`), waiting while the server reports that it loads its model."""
        until, reported = time.monotonic() + LOADING_SECONDS, False
        while True:
            try:
                return await with_retries(call)
            except TransientError as error:
                if not error.loading or time.monotonic() > until:
                    raise
                if not reported:
                    self._say(f"waiting for the model to load: {error}")
                    reported = True
            await asyncio.sleep(LOADING_PAUSE)

    async def _ask_for_models(self, seconds: float) -> Reply:
        for wait in (0.5, 0.0):
            reply = await self.endpoint.call("GET", "models", timeout=seconds)
            if reply.status not in (500, 501) or LOADING.search(reply.text):
                break
            await asyncio.sleep(wait)
        else:
            # Only the list may be missing: a gateway may not be allowed to read it.
            self._say(f"{self._url}/models answered {reply.status}; continuing without the list of models")
            return reply
        if reply.status == 401:
            # A gateway's key may be valid for calls only (LiteLLM); a wrong key is refused here too.
            self._sent_beside += 1
            with suppress(RefusedError):
                await self._ask(replace(PROBE, labels=()))
        elif reply.status == 429 or reply.status >= 500:
            raise await self._refusal(reply, {})
        return reply

    async def _suggest_base_url(self, reply: Reply) -> None:
        """Raise InputError if another path on the same host lists models: the base URL is then wrong."""
        what = f"answered {reply.status}" if not reply.ok else f"is {reply.describe()}"
        for other in other_bases(self._url):
            try:
                served = _models(await self.endpoint.call("GET", f"{other}/models", timeout=GREETING_SECONDS / 6))
            except TransientError:
                continue
            if served:
                raise InputError(
                    f"{self._url} is not the base URL of this endpoint: {self._url}/models {what}, "
                    f"and {other}/models lists {count_of(len(served), 'model')}",
                    field="base_url",
                    hint=f"use --base-url {other}",
                )

    # --- calls ---

    async def answer(self, request: Request) -> Response:
        """Return the endpoint's Response. This takes one call, plus one for each parameter that the endpoint refuses.

        Raises TransientError for a transient failure; FatalBackendError for a rejected key, an unknown model, an
        exhausted quota, or a refusal that other requests meet too; BackendError for any other refusal.
        """
        try:
            return await self._ask(request)
        except RefusedError as error:
            self._refusals += 1
            if await self._accepts_others(request):
                raise
            hint = "check --model, the key and the sampling settings (--extra-body adds fields to each call)"
            raise FatalBackendError(f"{error}\n  hint: {hint}") from error

    async def _ask(self, request: Request) -> Response:
        await self._check_thinking(request)
        ids = await self._token_ids_of(request.labels)
        started, rounds = time.monotonic(), Counter[str]()
        known, dialect = self.dialect.concessions, self.dialect
        while True:
            sent = dialect.body(request, ids)
            try:
                body = await self.read_object(await self.endpoint.call("POST", COMPLETIONS, sent), sent)
                seconds, left_out = time.monotonic() - started, dialect.missing(request)
                asked = request if "logprobs" in sent or not request.labels else replace(request, labels=())
                response = self._read(body, asked, sent, ids, seconds=seconds, left_out=left_out)
            except UnsupportedError as error:
                rounds[error.parameter] += 1
                if rounds[error.parameter] > MAX_ROUNDS:
                    raise RefusedError(f"{self._url} refuses this request again and again: {error}") from error
                self._sent_beside += 1
                if self.dialect.concessions == known:
                    dialect = dialect.without(error.parameter, str(error))
                else:  # another call has learned something in the meantime
                    known, dialect = self.dialect.concessions, self.dialect
                continue
            if dialect is not self.dialect:
                self.dialect.adopt(dialect)
            return cut_at(response, request.sampling.stop) if "stop" in dialect.left_out else response

    async def _accepts_others(self, request: Request) -> bool:
        """Return whether the refusal is due to this request alone, because the endpoint accepts others like it.

        A short test request finds out, if nothing was answered yet or several requests in a row were refused. Stored
        answers prove nothing: an earlier command may have had other settings.
        """
        async with self._deciding:
            if request.messages == PROBE.messages:
                return self._has_answered
            if self._has_answered:
                if self._refusals < self._refusals_tolerated:
                    return True
                self._refusals_tolerated *= 2
            self._sent_beside += 1
            try:
                await self._ask(replace(request, messages=PROBE.messages))
            except RefusedError:
                return False
            return True

    async def answers_others(self, request: Request) -> bool:
        """Return whether a short test request with the settings of this one is answered now. Raises FatalBackendError
        for a rejected key."""
        # A gateway may have stored the answer to an earlier test.
        text = f"{PROBE.messages[0].content} ({token_hex(4)})"
        self._sent_beside += 1
        try:
            await self._ask(replace(request, messages=(Message("user", text),)))
        except (TransientError, RefusedError):
            return False
        return True

    async def read_line(self, request: Request, status: int, body: Mapping[str, Any]) -> Response:
        """Return the Response in a status and body that came through a batch. Raises as `answer` does, but any refusal
        not related to the key is attributed to this request."""
        answered = await self.read_object(Reply(status, {}, body, ""), {})
        sent, left_out = self.dialect.body(request), self.dialect.missing(request)
        return self._read(answered, request, sent, (), left_out=left_out)

    async def read_object(self, reply: Reply, sent: Mapping[str, Any]) -> dict[str, Any]:
        """Return the JSON object in a reply; raise the error that its status means, or TransientError if there is
        none. A refusal may concern the parameters in `sent`."""
        reply = with_inner_refusal(reply)
        if not reply.ok:
            raise await self._refusal(reply, sent)
        if not isinstance(reply.body, dict):
            fault = no_answer if reply.is_stream else unreadable
            raise fault(f"{self._url} answered with {reply.describe()}")
        return reply.body

    async def close(self) -> None:
        """Close the connections."""
        await self.endpoint.close()

    def _read(
        self,
        body: dict[str, Any],
        request: Request,
        sent: Mapping[str, Any],
        ids: Sequence[int],
        *,
        seconds: float = 0.0,
        left_out: str = "",
    ) -> Response:
        """Return the Response in the answer to the body `sent`. `ids` are the token ids of the labels, if sent."""
        try:
            response = read_completion(body, request.labels, ids, faults=self.endpoint.faults)
        except TransientError as error:
            raise TransientError(f"{self._url}: {error}", kind=error.kind) from error
        self._has_answered, self._refusals = True, 0
        # The key may have been split across parts of the text.
        text, reasoning = (self.endpoint.mask(one, sent) for one in (response.text, response.reasoning))
        response = replace(response, text=text, reasoning=reasoning, seconds=seconds, left_out=left_out)
        self._watch.see(request, sent, body, response)
        return response

    async def _token_ids_of(self, labels: Sequence[str]) -> list[int]:
        """Return the token id of each label from the server's tokenizer; empty if the server does not offer one."""
        if not self._tokenizes:
            return []
        for label in labels:
            if label not in self._label_ids:
                bare, spaced = await asyncio.gather(self._tokenize(label), self._tokenize(f" {label}"))
                forms = {label: bare, f" {label}": spaced}
                self._label_ids[label] = single_token(label, forms.__getitem__, spaced=False)
        return [self._label_ids[label] for label in labels]

    async def label_tokens(self, texts: Sequence[str]) -> dict[str, int] | None:
        """Return the token id of every text that is a single token; None if the server offers no tokenizer. Raises
        MissingError if that does not answer."""
        if not self._tokenizes:
            return None
        try:
            tokens = await asyncio.gather(*(with_retries(partial(self._tokenize, text)) for text in texts))
        except TransientError as error:
            raise _silent(error) from error
        return {text: ids[0] for text, ids in zip(texts, tokens, strict=True) if len(ids) == 1}

    async def _check_thinking(self, request: Request) -> None:
        """Raise FatalBackendError if labels are to be read where the model would start with its reasoning."""
        if not request.labels or request.thinking in self._not_in_thinking_turn:
            return
        wrong = request.thinking.on
        if self._tokenizes and not wrong:
            sent = self.dialect.body(request)
            asked = {name: sent[name] for name in ("messages", "chat_template_kwargs") if name in sent}
            body = await self._post_tokenize({**asked, "add_generation_prompt": True, "return_token_strs": True})
            texts = [text for text in at(body, list, "token_strs") or () if isinstance(text, str)][-THINKING_TAIL:]
            wrong = ends_in_thinking(token_text("".join(texts)))
        if wrong:
            raise begins_with_reasoning(self._model)
        self._not_in_thinking_turn.add(request.thinking)

    async def _tokenize(self, text: str) -> list[int]:
        body = await self._post_tokenize({"prompt": text, "add_special_tokens": False})
        return [token for token in at(body, list, "tokens") or () if isinstance(token, int)]

    async def _post_tokenize(self, content: Mapping[str, Any]) -> dict[str, Any]:
        reply = await self.endpoint.call(
            "POST", f"{self._url.removesuffix('/v1')}/tokenize", {"model": self._model, **content}
        )
        return await self.read_object(reply, {})

    # --- refusals ---

    async def _refusal(self, reply: Reply, sent: Mapping[str, Any]) -> BackendError:
        if reply.status == 404 and (served := await self._served()) and self._model not in served:
            return FatalBackendError(self._no_such_model(served))
        return refusal(self._url, reply, sent, answered=self._has_answered)

    async def _served(self) -> Collection[str]:
        try:
            return _models(await self.endpoint.call("GET", "models", timeout=GREETING_SECONDS)) or ()
        except TransientError:
            return ()

    def _no_such_model(self, served: Collection[str]) -> str:
        more = f" and {len(served) - MAX_NAMES} more" if len(served) > MAX_NAMES else ""
        names = ", ".join(one_line(name, 100) for name in islice(served, MAX_NAMES)) or "it lists none"
        close = one_line(nearest(self._model, served), 200)
        return (
            f"{self._url} serves no model {safe_for_console(self._model)!r}{close}\n"
            f"  hint: choose a --model that it serves: {names}{more}"
        )


async def open_openai(
    base_url: str | None, model: str, *, timeout: float = 600.0, api_key: str | None = None, say: Say = silent
) -> OpenAIBackend:
    """Return a backend for the endpoint, after listing its models. `say` receives messages about its limitations.

    The URL is `base_url`, else OPENAI_BASE_URL, else OpenAI's. The key is `api_key`, else OPENAI_API_KEY; an endpoint
    without authentication needs none. A user and password in the URL are sent in place of the key.

    Raises InputError for an invalid URL or key, MissingError if nothing answers at the URL, and FatalBackendError for a
    rejected key.
    """
    key = api_key or os.environ.get("OPENAI_API_KEY")
    # An empty base URL comes from an unset variable (`--base-url "$URL"`); it does not mean OpenAI.
    url = os.environ.get("OPENAI_BASE_URL") or None if base_url is None else base_url
    if not key and url is None:
        raise MissingError(
            "neither an endpoint nor a key is set",
            hint="name an endpoint with --base-url, or set OPENAI_API_KEY (or OPENAI_BASE_URL)",
        )
    endpoint = Endpoint(Address.of(DEFAULT_URL if url is None else url), key, timeout=timeout, say=say)
    backend = OpenAIBackend(endpoint, model, say=say)
    async with AsyncExitStack() as unless_ready:
        unless_ready.push_async_callback(backend.close)
        await backend.greet()
        unless_ready.pop_all()
    return backend


async def with_retries(call: Callable[[], Awaitable[Result]]) -> Result:
    """Return the call's result. Retry once, or several times if the endpoint is too busy or not ready, but not after a
    long requested wait: before a run, someone is waiting at the terminal."""
    for number, wait in enumerate(GREETING_WAITS):
        try:
            return await call()
        except TransientError as error:
            if (number and error.kind not in NOT_READY) or (error.wait or 0.0) > LONGEST_GREETING_WAIT:
                raise
            await asyncio.sleep(wait if error.wait is None else error.wait)
    return await call()


def other_bases(url: str) -> list[str]:
    """Return the base URLs that the user may have meant by one that lists no models, most likely first."""
    ends = (f"/{COMPLETIONS}", "/completions", "/models", "/responses")
    cut = next((url.removesuffix(end) for end in ends if url.endswith(end)), url)
    scheme, _, rest = cut.partition("://")
    guesses = [cut, f"{cut}/v1", f"{scheme}://{rest.partition('/')[0]}/v1"]
    return [guess for guess in dict.fromkeys(guesses) if guess != url and not guess.endswith("/v1/v1")]


def _not_ready(error: TransientError) -> MissingError:
    wait = f"; it requests a wait of {duration(error.wait)}" if error.wait else ""
    hint = "run the same command again later; if the endpoint goes on like this, check it and any proxy in front of it"
    return MissingError(f"the endpoint is not ready: {error}{wait}", hint=hint)


def _silent(error: TransientError) -> MissingError:
    hint = "check the server, then run the same command again, perhaps with a longer --timeout"
    return MissingError(f"the endpoint lists its models, but does not answer calls: {error}", hint=hint)


def _models(reply: Reply) -> dict[str, dict[str, Any]] | None:
    """Return the entry of each model in a reply by id; None if the reply is not a list of models."""
    if not reply.ok or at(reply.body, list, "data") is None:
        return None
    return {model["id"]: model for model in objects_at(reply.body, "data") if at(model, str, "id") is not None}
