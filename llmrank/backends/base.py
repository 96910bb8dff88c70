"""Shared by the backends: the protocol's defaults, a delegating wrapper, and single-token labels."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from llmrank.errors import FatalBackendError, count_of
from llmrank.store import Store, keyed
from llmrank.types import Backend, BackendDefaults, Capabilities, Message, Request, Response

Ask = Callable[[Request], Awaitable[Response]]

PROBE_POLLS, PROBE_INTERVAL = 200, 0.05
"""How often, and after how many seconds each, another process is asked for the answer to a probe. After that it is sent
again: it is one token, and a suspended process keeps its claims."""


class BaseBackend(BackendDefaults):
    """Base class of backends. Subclasses add `identity` and `answer`, and override the defaults that do not fit."""


class WrappedBackend:
    """A backend that wraps another. It delegates everything; subclasses override what they change."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @property
    def capabilities(self) -> Capabilities:
        """See the wrapped backend."""
        return self._backend.capabilities

    @property
    def identity(self) -> Mapping[str, str]:
        """See the wrapped backend."""
        return self._backend.identity

    @property
    def context_length(self) -> int | None:
        """See the wrapped backend."""
        return self._backend.context_length

    @property
    def concessions(self) -> Mapping[str, object]:
        """See the wrapped backend."""
        return self._backend.concessions

    @property
    def sent_beside(self) -> int:
        """See the wrapped backend."""
        return self._backend.sent_beside

    def count_tokens(self, messages: Sequence[Message]) -> int | None:
        """Return the wrapped backend's count."""
        return self._backend.count_tokens(messages)

    def holds(self, request: Request) -> bool | None:
        """See the wrapped backend."""
        return self._backend.holds(request)

    def switches_thinking(self) -> bool | None:
        """See the wrapped backend."""
        return self._backend.switches_thinking()

    async def label_tokens(self, texts: Sequence[str]) -> Mapping[str, int] | None:
        """See the wrapped backend."""
        return await self._backend.label_tokens(texts)

    async def probe(self, ask: Ask, *, labels: bool) -> None:
        """Probe the wrapped backend."""
        await self._backend.probe(ask, labels=labels)

    async def answers_others(self, request: Request) -> bool:
        """See the wrapped backend."""
        return await self._backend.answers_others(request)

    async def load(self) -> None:
        """Load the wrapped backend's model."""
        await self._backend.load()

    async def answer(self, request: Request) -> Response:
        """Return the wrapped backend's Response."""
        return await self._backend.answer(request)

    async def close(self) -> None:
        """Close the wrapped backend."""
        await self._backend.close()


class NullBackend(BaseBackend):
    """The backend of a baseline, which makes no model calls."""

    @property
    def identity(self) -> Mapping[str, str]:
        """No model."""
        return {"kind": "none"}

    async def answer(self, request: Request) -> Response:
        """Raise FatalBackendError: a ranker that makes model calls was run as a baseline."""
        raise FatalBackendError("this run has no model\n  hint: name a backend with --model or --base-url")


def store_first(backend: Backend, store: Store) -> Ask:
    """Return a function that answers a Request from the Store, or else from the backend and stores the Response.

    It is the `ask` argument of `probe`. A Response without the requested log-probabilities is not stored (see
    `Response.can_answer`). If another process is sending the same Request, its answer is waited for, but not long.
    """

    async def ask(request: Request) -> Response:
        question = keyed(backend.identity, request)
        if (stored := store.answer(question)) is not None:
            return stored
        for _ in range(PROBE_POLLS):
            if store.claim(question.key):
                break
            await asyncio.sleep(PROBE_INTERVAL)
        try:
            if (stored := store.answer(question)) is not None:
                return stored
            response = await backend.answer(request)
            if response.can_answer(request):
                store.put_keyed(question, response)
            return response
        finally:
            store.release(question.key)

    return ask


def single_token(label: str, encode: Callable[[str], list[int]], *, spaced: bool) -> int:
    """Return the id of the single token that encodes `label`; raise FatalBackendError if there is none.

    After a chat template the answer starts without a space, so the bare form is tried first. With `spaced` (a model
    without a chat template, whose prompt ends with a word) the form with a leading space is.
    """
    forms = (f" {label}", label) if spaced else (label, f" {label}")
    for form in forms:
        if len(ids := encode(form)) == 1:
            return ids[0]
    raise FatalBackendError(
        f"label {label!r} is {count_of(len(encode(label)), 'token')} for this model; a label must be a single token\n"
        "  hint: use an answer format that reads text (for ratings --answer rating), or for candidates --ids letters, "
        "chosen to fit the model"
    )
