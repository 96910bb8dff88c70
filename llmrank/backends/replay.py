"""Answers from a Store, and nothing else: what it does not hold is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from llmrank.backends.models import DEFAULT_MODEL
from llmrank.errors import BackendError, InputError
from llmrank.store import Store, request_key
from llmrank.types import Capabilities, Request, Response

STORE_NAME = "store.sqlite"
"""The Store's name inside a Run folder."""


class ReplayBackend:
    """Answers as the backend that filled the Store did: the same identity, so the same keys."""

    def __init__(self, store: Store, identity: Mapping[str, str]) -> None:
        self._store, self._identity = store, identity
        self.context_length: int | None = None

    @property
    def capabilities(self) -> Capabilities:
        """Everything: what was asked with them is there or not."""
        return Capabilities(label_logprobs=128, structured=frozenset({"choice", "regex", "json_schema"}))

    @property
    def identity(self) -> Mapping[str, str]:
        """The identity of the backend that gave the stored answers."""
        return self._identity

    async def answer(self, request: Request) -> Response:
        """Return the stored Response; raise BackendError if there is none."""
        key = request_key(self._identity, request)
        if (response := self._store.get(key)) is None:
            raise BackendError(f"{self._store.path} holds no answer to this request (key {key[:12]}…)")
        return response

    async def close(self) -> None:
        """Close the file."""
        self._store.close()


def open_replay(path: Path, model: str = DEFAULT_MODEL) -> ReplayBackend:
    """Return a backend over a Store file, or over the one in a Run folder.

    A Store with the answers of one backend needs no `model`; of several, `model` names the one.
    Raises InputError when there is no Store, or when it is unclear whose answers are meant.
    """
    store = Store(path / STORE_NAME if path.is_dir() else path, read_only=True)
    known = store.identities()
    chosen = known if len(known) == 1 else [identity for identity in known if identity.get("model") == model]
    if len(chosen) != 1:
        names = ", ".join(sorted({identity.get("model", "?") for identity in known})) or "nobody"
        store.close()
        raise InputError(
            f"holds answers of {names}; {len(chosen)} backends match model {model!r}",
            mend="choose one with --model",
            path=store.path,
        )
    return ReplayBackend(store, chosen[0])
