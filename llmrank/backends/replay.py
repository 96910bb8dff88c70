"""Answers from a Store, and nothing else: what it does not hold is refused."""

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
"""Answers that are kept after they were read."""


class ReplayBackend(BaseBackend):
    """Answers as the backend that filled the Store did: the same identity, so the same keys."""

    def __init__(self, stores: Sequence[Store], identity: Mapping[str, str]) -> None:
        self._stores, self.identity = tuple(stores), identity
        # Whether it is there is asked before the answer itself.
        self._find = lru_cache(maxsize=LATEST)(self._look_up)

    @property
    def capabilities(self) -> Capabilities:
        """Every label: the stored answers have their log-probabilities or are not there."""
        return Capabilities(LABEL_LIMIT)

    def holds(self, request: Request) -> bool:
        """Return whether the Request was answered. A run that shortened a history to fit the model asked a shorter one;
        so does a replay, which knows neither the model's tokenizer nor its context length."""
        return self._find(request_key(self.identity, request)) is not None

    async def answer(self, request: Request) -> Response:
        """Return the stored Response; raise BackendError if there is none."""
        key = request_key(self.identity, request)
        if (response := self._find(key)) is not None:
            return response
        held = " and ".join(str(store.path) for store in self._stores)
        raise BackendError(f"no answer to this request (key {key[:12]}…) is in {held}")

    def _look_up(self, key: str) -> Response | None:
        return next((response for store in self._stores if (response := store.get(key)) is not None), None)

    async def close(self) -> None:
        """Close the files."""
        for store in self._stores:
            store.close()


def open_replay(path: Path, model: str) -> ReplayBackend:
    """Return a backend over a Store file, or over the Stores that a Run's answers went into.

    A Run knows whose answers it has. A Store file with the answers of one backend needs no `model`; of several, `model`
    names the one. Raises InputError when there is no Store, or when it is unclear whose answers are meant.
    """
    if path.is_dir():
        manifest = _manifest(path)
        return ReplayBackend(_open_stores(manifest, path), _asked_backend(manifest, path))
    store = Store(path, read_only=True)
    known = store.identities()
    chosen = known if len(known) == 1 else [identity for identity in known if identity.get("model") == model]
    if len(chosen) != 1:
        names = ", ".join(sorted({identity.get("model", "?") for identity in known})) or "nobody"
        store.close()
        problem = f"holds answers of {names}; {len(chosen)} backends match model {model!r}"
        raise InputError(problem, hint="choose one with --model", path=store.path)
    return ReplayBackend([store], chosen[0])


def _open_stores(manifest: Mapping[str, Any], run: Path) -> list[Store]:
    """Open for reading the Stores that hold the Run's answers. Raises InputError where none is there any more."""
    named = [run / text for text in manifest.get("stores", [])]
    there = [path for path in named if path.is_file()]
    if not there:
        gone = ", ".join(map(str, named)) or "none is noted"
        hint = "name the file it has moved to: --backend replay:FILE"
        raise InputError(f"the Store of this Run is not there ({gone})", path=run, hint=hint)
    return [Store(path, read_only=True) for path in there]


def _asked_backend(manifest: Mapping[str, Any], run: Path) -> dict[str, str]:
    identity = manifest["settings"].get("backend")
    if not isinstance(identity, dict):
        raise InputError("nobody was asked in this Run", path=run, hint="name a Run of `llmrank eval`")
    return {str(name): str(value) for name, value in identity.items()}


def _manifest(run: Path) -> dict[str, Any]:
    """Return what a Run says of itself; raises InputError where the folder holds none."""
    path = run / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        manifest["settings"].keys()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        hint = "name a Store file, or a folder that --out named"
        raise InputError("this folder holds no Run", path=run, hint=hint) from error
    return manifest
