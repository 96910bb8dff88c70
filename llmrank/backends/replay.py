"""Answers Requests from a Store only; any Request that it does not hold is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from llmrank.backends.base import BaseBackend
from llmrank.errors import BackendError, InputError
from llmrank.store import Store, request_key
from llmrank.types import LABEL_LIMIT, Capabilities, Request, Response

LATEST = 1024
"""Number of answers kept in memory after they were read."""


class ReplayBackend(BaseBackend):
    """Answers as the backend that filled the Store did: with the same identity, and so the same keys."""

    def __init__(self, stores: Sequence[Store], identity: Mapping[str, str]) -> None:
        self._stores, self.identity = tuple(stores), identity
        # `holds` is called before `answer`.
        self._find = lru_cache(maxsize=LATEST)(self._look_up)

    @property
    def capabilities(self) -> Capabilities:
        """Any number of labels: stored answers have their log-probabilities, or are absent."""
        return Capabilities(LABEL_LIMIT)

    def holds(self, request: Request) -> bool:
        """Return whether the Request was answered. A run that shortened a history to fit the model sent a shorter
        Request; so must a replay, which knows neither the model's tokenizer nor its context length."""
        return self._find(request_key(self.identity, request)) is not None

    async def answer(self, request: Request) -> Response:
        """Return the stored Response; raise BackendError if there is none."""
        key = request_key(self.identity, request)
        if (response := self._find(key)) is not None:
            return response
        held = " and ".join(str(store.path) for store in self._stores)
        raise BackendError(f"no answer to this request in {held}")

    def _look_up(self, key: str) -> Response | None:
        return next((response for store in self._stores if (response := store.get(key)) is not None), None)

    async def close(self) -> None:
        """Close the Stores."""
        for store in self._stores:
            store.close()


def open_replay(path: Path, model: str) -> ReplayBackend:
    """Return a backend over a Store file, or over the Stores that received the answers of a Run.

    A Run knows which backend answered. A Store file with answers from one backend needs no `model`; with several,
    `model` selects one. Raises InputError if there is no Store, or if the selection is ambiguous.
    """
    if path.is_dir():
        manifest = _manifest(path)
        return ReplayBackend(_open_stores(manifest, path), _backend_of(manifest, path))
    store = Store(path, read_only=True)
    known = store.identities()
    chosen = known if len(known) == 1 else [identity for identity in known if identity.get("model") == model]
    if len(chosen) != 1:
        names = ", ".join(sorted({identity.get("model", "?") for identity in known})) or "no model"
        store.close()
        problem = f"holds answers of {names}; {len(chosen)} backends match model {model!r}"
        raise InputError(problem, hint="choose one with --model", path=store.path)
    return ReplayBackend([store], chosen[0])


def _open_stores(manifest: Mapping[str, Any], run: Path) -> list[Store]:
    """Open the Stores with the Run's answers for reading; raise InputError if none of them exists any more."""
    named = [run / text for text in manifest.get("stores", [])]
    there = [path for path in named if path.is_file()]
    if not there:
        gone = ", ".join(map(str, named)) or "none is noted"
        hint = "if it was moved, name it with --backend replay:FILE"
        raise InputError(f"the Store of this Run is missing ({gone})", path=run, hint=hint)
    return [Store(path, read_only=True) for path in there]


def _backend_of(manifest: Mapping[str, Any], run: Path) -> dict[str, str]:
    identity = manifest["settings"].get("backend")
    if not isinstance(identity, dict):
        raise InputError("this Run used no model", path=run, hint="name a Run of `llmrank eval`")
    return {str(name): str(value) for name, value in identity.items()}


def _manifest(run: Path) -> dict[str, Any]:
    """Return the manifest of a Run; raise InputError if the folder does not hold one."""
    path = run / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        manifest["settings"].keys()
        _ = [run / name for name in manifest.get("stores", [])]  # raises TypeError unless all are names
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        hint = "name a Store file, or the folder of a Run (see --out)"
        raise InputError("this folder is not a Run", path=run, hint=hint) from error
    return manifest
