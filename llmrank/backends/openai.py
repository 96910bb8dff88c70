"""Any OpenAI-compatible endpoint: one POST per call, over `Endpoint`, which knows HTTP and checks what comes back.

Nothing is tried again here, apart from the first call of a run: a fault that may pass is a TransientError, and the
engine decides when to send again.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import islice
from typing import Any, TypeVar

from llmrank.backends.base import Ask, BaseBackend, single_token
from llmrank.backends.completion import at, cut_at, no_answer, objects_at, read_completion, token_text, unreadable
from llmrank.backends.dialect import Dialect
from llmrank.backends.endpoint import Address, Endpoint, Reply
from llmrank.backends.refusals import RefusedError, UnsupportedError, refusal, with_inner_refusal
from llmrank.backends.thinking import THINKING_TAIL, begins_with_reasoning, ends_in_thinking
from llmrank.errors import (
    BackendError,
    FatalBackendError,
    InputError,
    MissingError,
    TransientError,
    nearest,
    one_line,
    safe_for_console,
)
from llmrank.progress import Say, silent
from llmrank.types import LABEL_LIMIT, Capabilities, Message, Request, Response, Sampling, Thinking

Result = TypeVar("Result")

DEFAULT_URL = "https://api.openai.com/v1"
COMPLETIONS = "chat/completions"
TRUST = (
    "set SSL_CERT_FILE to a PEM file with the certificate, or that of the authority that signed it; where it has "
    "expired or is for another host, replace it at the server, or correct --base-url"
)
"""What helps where a certificate is not trusted."""
GREETING_SECONDS = 60.0
"""How long an endpoint may take to list its models."""
LOADING = re.compile(r"\bloading\b|\bstarting\b|\bwarming\b|\bnot (?:yet )?ready\b", re.IGNORECASE)
"""Words of a 503 that a server sends before its model is ready (llama.cpp: `Loading model`)."""
LOADING_SECONDS, LOADING_PAUSE = 900.0, 1.0
"""How long a model may take to load, and how long is waited before it is asked again."""
PROBE = Request((Message("user", "Answer with A or B."),), Sampling(max_tokens=1), labels=("A", "B"))
"""Shows whether an endpoint answers at all, and whether it returns log-probabilities."""
FEW_REFUSALS = 5
"""Requests in a row that may be refused as their own fault; then the endpoint may have changed (a model taken away)."""
FEW_NAMES = 3
"""Served models of which one is likely the one that is meant; a gateway with many may take other names too."""
LONG_PROMPT, MOST_LETTERS = 4000, 12
"""Letters of a prompt of which so many a token can only be counted where it was cut; English has four."""
PROMPTS_CUT = 5
"""Prompts of several lengths that count the same number of tokens, and none more, where they are cut."""
MOST_NAMES = 20
"""Served models that an error lists."""


class OpenAIBackend(BaseBackend):
    """One endpoint and one model. `answer` may be called many times at once."""

    def __init__(self, endpoint: Endpoint, model: str, *, say: Say = silent) -> None:
        """`say` receives a line for everything that a person should know and that is no error."""
        self.endpoint, self._model, self._say, self._url = endpoint, model, say, endpoint.url
        self.dialect = Dialect(model, endpoint.url, say)
        """The form in which the endpoint takes a Request."""
        self._tokenizes = self._has_answered = self._told_of_logprobs = False
        self._refusals, self._refusals_borne = 0, FEW_REFUSALS
        """Requests refused since the last answer, and after how many it is asked whether any is taken."""
        self._lists_models, self._sent_beside, self._cut_prompts = True, 0, 0
        self._most_tokens, self._of_most = 0, (0, 0, 0)
        """The most tokens that a prompt counted; how many prompts did, with how few and how many letters."""
        self._label_ids: dict[str, int] = {}
        self._context_length: int | None = None
        self._known: dict[str, list[str]] = {"model": [], "system_fingerprint": []}
        self._deciding = asyncio.Lock()
        self._answers_at_once: set[Thinking] = set()
        """With which `thinking` a prompt was seen not to end in a thinking turn."""

    @property
    def capabilities(self) -> Capabilities:
        """vLLM: 128 labels, by token id. Others: labels among the 20 likeliest first tokens, by text, unless the
        endpoint has refused log-probabilities."""
        if self.dialect.is_vllm:
            return Capabilities(LABEL_LIMIT if self._tokenizes else self.dialect.most_logprobs)
        return Capabilities(0 if "logprobs" in self.dialect.left_out else self.dialect.most_logprobs)

    @property
    def context_length(self) -> int | None:
        """What the endpoint says of the model; None when it does not say."""
        return self._context_length

    @property
    def concessions(self) -> Mapping[str, object]:
        """What the endpoint does not take (`left_out`), or takes under another name (`replaced`); how many fields of
        its answers made no sense (`ignored`); which models answered, where it was more than one or another than was
        asked for (`served`); how many prompts it cut (`cut_prompts`)."""
        ignored = {name: count for name, count in self.endpoint.faults.items() if count}
        served = {name: list(values) for name, values in self._known.items() if len(values) > 1}
        if any(not _is_version(model, self._model) for model in self._known["model"]):
            served["model"] = list(self._known["model"])
        seen = {"ignored": ignored, "served": served, "cut_prompts": self._cut_prompts}
        return {**self.dialect.concessions, **{name: what for name, what in seen.items() if what}}

    @property
    def sent_beside(self) -> int:
        """Calls that were refused for a parameter, and questions whether the endpoint takes any call."""
        return self._sent_beside

    def switches_thinking(self) -> bool | None:
        """Return False once the endpoint has refused `reasoning_effort`; until then, and of vLLM's, it is not known."""
        return False if "reasoning_effort" in self.dialect.left_out else None

    @property
    def identity(self) -> Mapping[str, str]:
        """Kind, base URL (no user, password or query), model, and `server: vllm` if every sampling field is sent."""
        server = {"server": "vllm"} if self.dialect.is_vllm else {}
        return {"kind": "openai", "base_url": self._url, "model": self._model, **server}

    # --- before a run ---

    async def greet(self) -> None:
        """Ask the endpoint for its models: whether it is there, whether it is vLLM, how long its context is.

        Raises MissingError when nothing answers at the URL, InputError when a neighbouring path is meant,
        FatalBackendError when the key is refused or the endpoint is a vLLM that does not serve the model. An endpoint
        that lists no models is accepted; `probe` asks it a question.
        """
        seconds = min(GREETING_SECONDS, self.endpoint.timeout)
        try:
            with self.endpoint.telling("the list of its models", seconds):
                reply = await self._once_loaded(lambda: self._ask_for_models(seconds))
        except TransientError as error:
            if error.kind == "certificate":
                raise MissingError(f"{error}", hint=TRUST) from error
            if error.kind == "tls":
                hint = "if the server speaks plain HTTP, begin --base-url with http://"
                raise MissingError(f"{error}", hint=hint) from error
            hint = "start the server, or correct --base-url (it usually ends in /v1)"
            if self.endpoint.proxy:
                proxy = f"the environment sends this through the proxy {self.endpoint.proxy} (HTTP_PROXY, HTTPS_PROXY, "
                hint += f"; {proxy}ALL_PROXY): correct that, or add the endpoint's host to NO_PROXY"
            raise MissingError(f"no endpoint answers at {self._url}: {error}", hint=hint) from error
        served = _models(reply)
        if served is None:
            await self._look_elsewhere(reply)
        self._lists_models, served = served is not None, served or {}
        self.dialect.is_vllm = any(model.get("owned_by") == "vllm" for model in served.values())
        if self.dialect.is_vllm and self._model not in served:
            raise FatalBackendError(self._no_such_model(served))
        if 0 < len(served) <= FEW_NAMES and self._model not in served:
            names = ", ".join(one_line(name, 100) for name in served)
            self._say(f"the endpoint lists {names}, and is asked for {safe_for_console(self._model)}")
        length = served.get(self._model, {}).get("max_model_len")
        # True is an int.
        self._context_length = length if type(length) is int and 0 < length < 10**9 else None
        if self.dialect.is_vllm:
            # A gateway in front of vLLM may pass on nothing but the OpenAI paths.
            try:
                self._tokenizes = bool(await twice(lambda: self._tokenize("A")))
            except BackendError as error:
                self._tokenizes = False
                if isinstance(error, TransientError):
                    self._say(f"labels are found by their text: {error}")

    async def probe(self, ask: Ask, *, labels: bool) -> None:
        """Send one call of one token where that is to be learned: with `labels`, whether the endpoint returns
        log-probabilities; for one that lists no models, whether it answers at all.

        Raises MissingError for an endpoint whose answers are none (a web page), else what `ask` raises.
        """
        wanted = labels and not self.dialect.is_vllm and "logprobs" not in self.dialect.left_out
        if not wanted and self._lists_models:
            return
        request = PROBE if wanted else replace(PROBE, labels=())
        try:
            with self.endpoint.telling("a first answer"):
                response = await self._once_loaded(lambda: ask(request))
        except TransientError as error:
            if not error.came:
                raise
            raise MissingError(
                f"this endpoint does not answer as OpenAI's does: {error}",
                hint="correct --base-url (it usually ends in /v1), or sign in where a proxy asks for it",
            ) from error
        if wanted and response.label_logprobs is None and "logprobs" not in self.dialect.left_out:
            self.dialect.leave_out("logprobs", "returns no")

    async def _once_loaded(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """Return the call's result (see `twice`); where the server says that it still loads its model, once it has."""
        until, told = time.monotonic() + LOADING_SECONDS, False
        while True:
            try:
                return await twice(call)
            except TransientError as error:
                if error.kind != "5xx" or not LOADING.search(str(error)) or time.monotonic() > until:
                    raise
                if not told:
                    self._say(f"waiting until the model is loaded: {error}")
                    told = True
            await asyncio.sleep(LOADING_PAUSE)

    async def _ask_for_models(self, seconds: float) -> Reply:
        reply = await self.endpoint.call("GET", "models", timeout=seconds)
        if reply.status in (401, 429) or reply.status >= 500:
            raise await self._refusal(reply, {})
        return reply

    async def _look_elsewhere(self, reply: Reply) -> None:
        """Raise InputError when another path of the same host lists models: the base URL has the wrong one."""
        what = f"answered {reply.status}" if not reply.ok else f"is {reply.describe()}"
        for other in other_bases(self._url):
            try:
                served = _models(await self.endpoint.call("GET", f"{other}/models", timeout=GREETING_SECONDS / 6))
            except TransientError:
                continue
            if served:
                raise InputError(
                    f"{self._url} is not the base URL of this endpoint: {self._url}/models {what}, "
                    f"and {other}/models lists {len(served)} model{'s' * (len(served) > 1)}",
                    field="base_url",
                    hint=f"use --base-url {other}",
                )

    # --- calls ---

    async def answer(self, request: Request) -> Response:
        """Return the endpoint's Response, by one call, and one more for each parameter that the endpoint refuses.

        Raises TransientError for a fault that may pass; FatalBackendError for a refused key, an unknown model, an
        exhausted quota, or a refusal that other requests meet too; BackendError for everything else that is no answer.
        """
        try:
            return await self._ask(request)
        except RefusedError as error:
            self._refusals += 1
            if await self._takes_others(request):
                raise
            raise FatalBackendError(f"{error}\n  hint: check --model, the key and the sampling settings") from error

    async def _ask(self, request: Request) -> Response:
        await self._check_thinking(request)
        ids = await self._ids_of(request.labels)
        started = time.monotonic()
        known, dialect = self.dialect.concessions, self.dialect
        while True:
            sent = dialect.body(request, ids)
            try:
                reply = await self.endpoint.call("POST", COMPLETIONS, sent)
                labels = request.labels if "logprobs" in sent else ()
                response = await self._read(reply, sent, sent, labels, ids, time.monotonic() - started)
            except UnsupportedError as error:
                self._sent_beside += 1
                if self.dialect.concessions == known:
                    dialect = dialect.without(error.parameter, str(error))
                else:  # another call has learned something meanwhile
                    known, dialect = self.dialect.concessions, self.dialect
                continue
            if dialect is not self.dialect:
                self.dialect.adopt(dialect)
            self._look_at_length(request, response)
            response = replace(response, left_out=dialect.missing(request))
            return cut_at(response, request.sampling.stop) if "stop" in dialect.left_out else response

    def _look_at_length(self, request: Request, response: Response) -> None:
        """Count an answer to a prompt that the endpoint has cut, as its count of tokens shows; say so once.

        It counts too few for so many letters, or the same for prompts of several lengths, and never more.
        """
        letters, tokens = sum(len(message.content) for message in request.messages), response.usage.prompt_tokens
        if letters <= LONG_PROMPT or tokens <= 0:
            return
        if tokens > self._most_tokens:
            self._most_tokens, self._of_most = tokens, (0, letters, letters)
        count, least, most = self._of_most
        if tokens == self._most_tokens:
            count, least, most = self._of_most = count + 1, min(least, letters), max(most, letters)
        levelled = tokens == self._most_tokens and count >= PROMPTS_CUT and most > 1.05 * least
        if tokens >= letters / MOST_LETTERS and not levelled:
            return
        if not self._cut_prompts:
            self._say(
                f"{self._url} counted {tokens:,} tokens in a prompt of {letters:,} letters"
                f"{', as in prompts of other lengths' if levelled else ''}: it cuts long prompts. "
                "Give the model a longer context (Ollama: num_ctx), or show fewer events (--history)"
            )
        self._cut_prompts += 1

    async def _takes_others(self, request: Request) -> bool:
        """Return whether a refusal is this request's own fault: the endpoint takes others with the same settings.

        Where it has answered nothing yet, or refused several in a row since, that is found out by one short question.
        What an earlier command was answered says nothing: it may have had other settings.
        """
        async with self._deciding:
            if request.messages == PROBE.messages:
                return self._has_answered
            if self._has_answered:
                if self._refusals < self._refusals_borne:
                    return True
                self._refusals_borne *= 2
            self._sent_beside += 1
            try:
                await self._ask(replace(request, messages=PROBE.messages))
            except RefusedError:
                return False
            return True

    async def read_line(self, request: Request, status: int, body: Mapping[str, Any]) -> Response:
        """Return the Response in a status and a body that came by another way (a batch); raises as `answer` does, but
        takes every refusal that does not concern the key for that of this request."""
        sent = self.dialect.body(request)
        response = await self._read(Reply(status, {}, body, ""), {}, sent, request.labels, (), 0.0)
        return replace(response, left_out=self.dialect.missing(request))

    async def read_object(self, reply: Reply, sent: Mapping[str, Any]) -> dict[str, Any]:
        """Return the JSON object of a reply; raise what its status means, or TransientError when it holds none."""
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

    async def _read(
        self,
        reply: Reply,
        refusable: Mapping[str, Any],
        sent: Mapping[str, Any],
        labels: Sequence[str],
        ids: Sequence[int],
        seconds: float,
    ) -> Response:
        """Return the Response to what was `sent`; `refusable` is what of it the endpoint may refuse by name."""
        body = await self.read_object(reply, refusable)
        try:
            response = read_completion(body, labels, ids, seconds=seconds, faults=self.endpoint.faults)
        except TransientError as error:
            raise TransientError(f"{self._url}: {error}", kind=error.kind) from error
        self._has_answered, self._refusals = True, 0
        # Text that came in parts may hold the key only now.
        text, reasoning = (self.endpoint.mask(one, sent) for one in (response.text, response.reasoning))
        response = replace(response, text=text, reasoning=reasoning)
        if self.endpoint.faults["logprobs"] and not response.label_logprobs and not self._told_of_logprobs:
            self._told_of_logprobs = True
            self._say(
                f"{self._url} returned log-probabilities that are none: they are no numbers, above 0, or come to more "
                "than a probability of 1 together; they are left out, and what reads nothing else has no answer"
            )
        elif response.label_logprobs == {} and not self._told_of_logprobs:
            self._told_of_logprobs = True
            self._say(
                f"{self._url}: of {', '.join(labels[:3])}{', …' * (len(labels) > 3)} none is among the most likely "
                f"first tokens of an answer (it begins {one_line(text, 20)!r}); what reads nothing else has no answer"
            )
        self._note(response)
        return response

    def _note(self, response: Response) -> None:
        """Say when another model answers than before: the numbers of one run would be those of two."""
        for name, value in (("model", response.model), ("system_fingerprint", response.system_fingerprint)):
            known = self._known[name]
            if not value or value in known or len(known) >= MOST_NAMES:
                continue
            if name == "model" and not known and not _is_version(value, self._model):
                self._say(f"{self._url} answers as {value!r}, and was asked for {safe_for_console(self._model)!r}")
            # Endpoints with many machines have many fingerprints: told once.
            if known and (name == "model" or len(known) == 1):
                self._say(f"{self._url} now answers with {name} {value!r}; before it was {known[-1]!r}")
            known.append(value)

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
            texts = [text for text in at(body, list, "token_strs") or () if isinstance(text, str)][-THINKING_TAIL:]
            wrong = ends_in_thinking(token_text("".join(texts)))
        if wrong:
            raise begins_with_reasoning(self._model)
        self._answers_at_once.add(request.thinking)

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
        more = f" and {len(served) - MOST_NAMES} more" if len(served) > MOST_NAMES else ""
        names = ", ".join(one_line(name, 100) for name in islice(served, MOST_NAMES)) or "it lists none"
        close = one_line(nearest(self._model, served), 200)
        return (
            f"{self._url} serves no model {safe_for_console(self._model)!r}{close}\n"
            f"  hint: choose with --model among: {names}{more}"
        )


async def open_openai(
    base_url: str | None, model: str, *, timeout: float = 600.0, api_key: str | None = None, say: Say = silent
) -> OpenAIBackend:
    """Return a backend for the endpoint, after one call that asks for its models; what it refuses is told to `say`.

    The URL is `base_url`, else OPENAI_BASE_URL, else OpenAI's own; the key is `api_key`, else OPENAI_API_KEY, and an
    endpoint that asks for none needs none. A user and password in the URL are sent in the key's place.

    Raises InputError for a URL or a key that cannot be one, MissingError when nothing answers there, FatalBackendError
    for a refused key.
    """
    key = api_key or os.environ.get("OPENAI_API_KEY")
    # An empty one stands where a variable was not set (`--base-url "$URL"`), and OpenAI is not meant by it.
    url = os.environ.get("OPENAI_BASE_URL") or None if base_url is None else base_url
    if not key and url is None:
        raise MissingError(
            "no endpoint and no key are set",
            hint="name one with --base-url, or set OPENAI_API_KEY (or OPENAI_BASE_URL)",
        )
    endpoint = Endpoint(Address.of(DEFAULT_URL if url is None else url), key, timeout=timeout, say=say)
    backend = OpenAIBackend(endpoint, model, say=say)
    async with AsyncExitStack() as unless_ready:
        unless_ready.push_async_callback(backend.close)
        await backend.greet()
        unless_ready.pop_all()
    return backend


async def twice(call: Callable[[], Awaitable[Result]]) -> Result:
    """Return the call's result, at the second try if need be: before a run somebody waits at the terminal."""
    try:
        return await call()
    except TransientError as error:
        await asyncio.sleep(min(error.wait or 0.5, 5.0))
        return await call()


def _is_version(answered: str, asked: str) -> bool:
    """Return whether a model's name is that of the one asked for, but for a date, a tag, or its owner."""
    names: list[str] = []
    for name in (answered, asked):
        base = name.rstrip("/").rpartition("/")[2].casefold().removesuffix(".gguf")
        names.append(re.sub(r"[\W_]", "", _VERSION.sub("", base)))
    return names[0] == names[1]


_VERSION = re.compile(r"(?:[-@:](?:\d{4}-\d{2}-\d{2}|\d{8}|\d{6}|\d{3,4}|latest|preview|free))+$")
"""What follows the name of a model: `-2024-08-06`, `:latest`."""


def other_bases(url: str) -> list[str]:
    """Return the base URLs that may be meant by one at which no models are listed, likeliest first."""
    ends = (f"/{COMPLETIONS}", "/completions", "/models", "/responses")
    cut = next((url.removesuffix(end) for end in ends if url.endswith(end)), url)
    scheme, _, rest = cut.partition("://")
    guesses = [cut, f"{cut}/v1", f"{scheme}://{rest.partition('/')[0]}/v1"]
    return [guess for guess in dict.fromkeys(guesses) if guess != url and not guess.endswith("/v1/v1")]


def _models(reply: Reply) -> dict[str, dict[str, Any]] | None:
    """Return what a reply says of each model that it lists; None when it is no list of models."""
    if not reply.ok or at(reply.body, list, "data") is None:
        return None
    return {model["id"]: model for model in objects_at(reply.body, "data") if at(model, str, "id") is not None}
