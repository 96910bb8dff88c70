"""What backends share: the defaults of the Protocol, a wrapper that passes everything on, and single-token labels."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from llmrank.errors import FatalBackendError
from llmrank.store import Store, keyed
from llmrank.types import Backend, BackendDefaults, Capabilities, Message, Request, Response

Ask = Callable[[Request], Awaitable[Response]]


class BaseBackend(BackendDefaults):
    """A backend inherits from it, adds `identity` and `answer`, and overrides the defaults that do not fit."""


class WrappedBackend:
    """A backend in front of another one. It passes everything on; a subclass overrides what it changes."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @property
    def capabilities(self) -> Capabilities:
        """Those of the backend."""
        return self._backend.capabilities

    @property
    def identity(self) -> Mapping[str, str]:
        """That of the backend."""
        return self._backend.identity

    @property
    def context_length(self) -> int | None:
        """That of the backend."""
        return self._backend.context_length

    @property
    def concessions(self) -> Mapping[str, object]:
        """Those of the backend."""
        return self._backend.concessions

    @property
    def sent_beside(self) -> int:
        """Those of the backend."""
        return self._backend.sent_beside

    def count_tokens(self, messages: Sequence[Message]) -> int | None:
        """Return what the backend counts."""
        return self._backend.count_tokens(messages)

    def holds(self, request: Request) -> bool | None:
        """Return what the backend says."""
        return self._backend.holds(request)

    def switches_thinking(self) -> bool | None:
        """Return what the backend says."""
        return self._backend.switches_thinking()

    async def label_tokens(self, texts: Sequence[str]) -> Mapping[str, int] | None:
        """Return what the backend's tokenizer says."""
        return await self._backend.label_tokens(texts)

    async def probe(self, ask: Ask, *, labels: bool) -> None:
        """Let the backend find out what it can do."""
        await self._backend.probe(ask, labels=labels)

    async def load(self) -> None:
        """Let the backend load its model."""
        await self._backend.load()

    async def answer(self, request: Request) -> Response:
        """Return the backend's Response."""
        return await self._backend.answer(request)

    async def close(self) -> None:
        """Close the backend."""
        await self._backend.close()


class NullBackend(BaseBackend):
    """The backend of a baseline, which makes no model calls."""

    @property
    def identity(self) -> Mapping[str, str]:
        """No model."""
        return {"kind": "nobody"}

    async def answer(self, request: Request) -> Response:
        """Raise FatalBackendError: a ranker that makes model calls was run as a baseline."""
        raise FatalBackendError("this run has no model to ask\n  hint: name a backend with --model or --base-url")


def store_first(backend: Backend, store: Store) -> Ask:
    """Return a function that answers a Request from the Store, or else asks the backend and stores its Response.

    `probe` takes it. A Response that lacks the log-probabilities asked for is not stored (`Response.can_answer`).
    """

    async def ask(request: Request) -> Response:
        question = keyed(backend.identity, request)
        if (stored := store.answer(question)) is not None:
            return stored
        response = await backend.answer(request)
        if response.can_answer(request):
            store.put_keyed(question, response)
        return response

    return ask


def single_token(label: str, encode: Callable[[str], list[int]], *, spaced: bool) -> int:
    """Return the id of the one token that reads `label`; raise FatalBackendError when the model has no such token.

    After a chat template the answer begins without a space, so the bare form comes first; `spaced` (a model without a
    chat template, whose prompt ends with a word) prefers the form with a leading space.
    """
    forms = (f" {label}", label) if spaced else (label, f" {label}")
    for form in forms:
        if len(ids := encode(form)) == 1:
            return ids[0]
    raise FatalBackendError(
        f"label {label!r} is {len(encode(label))} tokens of this model; a label must be a single token\n"
        "  hint: use --ids letters (they are chosen for the model), or an answer format that reads text"
    )
