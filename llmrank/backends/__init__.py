"""Backends: what answers Requests. `vllm` in this process, `openai` at any compatible URL, `replay` from a Store,
`titles` with an adapter that continues title sequences, and those that other packages add through the entry point group
`llmrank.backends`."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from inspect import isawaitable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from llmrank.backends.base import BaseBackend, WrappedBackend, store_first
from llmrank.backends.models import DEFAULT_MODEL
from llmrank.errors import InputError, nearest
from llmrank.files import cache_folder
from llmrank.plugin import Plugin, find_plugin, plugin_names
from llmrank.progress import Say, silent
from llmrank.types import Request, Response

if TYPE_CHECKING:
    from llmrank.types import Backend

__all__ = [
    "DEFAULT_MODEL",
    "BackendSettings",
    "BaseBackend",
    "WrappedBackend",
    "backend_names",
    "open_backend",
    "store_first",
]

KINDS = ("vllm", "openai", "replay", "titles")
GROUP = "llmrank.backends"
SERVERS = {
    "ollama": "http://localhost:11434/v1",
    "lmstudio": "http://localhost:1234/v1",
    "llamacpp": "http://localhost:8080/v1",
    "sglang": "http://localhost:30000/v1",
    "openrouter": "https://openrouter.ai/api/v1",
}
"""What people type as a backend, and the base URL at which these servers speak OpenAI's interface."""


@dataclass(frozen=True, slots=True)
class BackendSettings:
    """Which backend, and which model."""

    kind: str = "vllm"
    """`vllm`, `openai`, `replay:PATH` with a Store file or a Run folder, `titles:ADAPTER` with the folder or name of an
    adapter that llmrank trained (`titles` alone: one that comes with it), or `NAME` or `NAME:ARGUMENT` of a plugin."""
    model: str = DEFAULT_MODEL
    """A folder, a hub name, or the name that an endpoint serves; for a replayed Store, the model that answered."""
    base_url: str | None = None
    """`openai`: where the endpoint is; None: OPENAI_BASE_URL, else OpenAI's own."""
    revision: str | None = None
    """`vllm` and `titles`: branch, tag or commit of a hub model."""
    adapter: Path | None = None
    """`vllm`: folder of a LoRA adapter. `titles`: in the place of its argument."""
    timeout: float = 600.0
    """`openai`: seconds after which a call without an answer is given up; it is then tried again."""
    batch_store: Path | None = None
    """`openai`: send through the Batch API; the Store that keeps the answers, and beside which batches are noted."""
    cache: Path | None = None
    """Folder of fetched models; None: the user's cache folder."""
    verbose: bool = False
    """`vllm`: show the engine's own log lines on stderr."""

    @property
    def name(self) -> str:
        """The kind without its argument."""
        return self.kind.partition(":")[0]

    @property
    def argument(self) -> str:
        """What stands behind the colon; empty when nothing does."""
        return self.kind.partition(":")[2]

    def check(self) -> None:
        """Raise InputError for a kind that does not exist, a setting that the kind would ignore, or a name that can be
        neither sent nor written down."""
        name = self.name
        for field, value in (("model", self.model), ("revision", self.revision or "")):
            if any("\ud800" <= character <= "\udfff" for character in value):
                hint = "write it in UTF-8, as the endpoint or the hub does"
                raise InputError(f"{value!r} holds what is no UTF-8", hint=hint, field=field)
        if not self.model.strip():
            raise InputError("the name of the model is empty", hint="name one with --model", field="model")
        if name not in KINDS:
            if find_plugin(GROUP, name) is None:
                raise self._unknown()
            return
        if name == "replay" and not self.argument:
            hint = "write replay:FILE or replay:RUN"
            raise InputError("replay needs the answers to replay", hint=hint, field="backend")
        if not 0 < self.timeout < float("inf"):
            raise InputError(f"{self.timeout:g} is no number of seconds", hint="give more than 0", field="timeout")
        ignored = {
            "base_url": (self.base_url is not None and name != "openai", "use --backend openai with a base URL"),
            "revision": (self.revision is not None and name == "openai", "the endpoint decides what it serves"),
            "batch": (
                self.batch_store is not None and name != "openai",
                "use --backend openai, at an endpoint that has a Batch API",
            ),
            "adapter": (self.adapter is not None and name == "openai", "name the adapter's served name with --model"),
        }
        for field, (wrong, hint) in ignored.items():
            if wrong:
                raise InputError(f"the {name} backend takes no {field}", hint=hint, field=field)

    def _unknown(self) -> InputError:
        known = backend_names()
        close = nearest(self.name, known)
        hint = f"choose {', '.join(known)}; for a server that speaks OpenAI's interface, say --base-url URL"
        if url := SERVERS.get(re.sub(r"[-._]", "", self.name.lower())):
            close, hint = "", f"{self.name} speaks OpenAI's interface: say --base-url {url}"
        return InputError(f"unknown backend {self.kind!r}{close}", hint=hint, field="backend")


def backend_names() -> tuple[str, ...]:
    """Return the names of all backends: llmrank's own, then those of plugins."""
    return (*KINDS, *(name for name in plugin_names(GROUP) if name not in KINDS))


async def open_backend(settings: BackendSettings, *, say: Say = silent) -> Backend:
    """Return the backend, ready to answer; close it after use. `say` receives lines of progress.

    Raises InputError for wrong settings or a folder that is no model, MissingError for a package that is not
    installed, a model that no source has or an endpoint out of reach, FatalBackendError for a refused key.
    """
    settings.check()
    plugin = find_plugin(GROUP, settings.name, KINDS)
    if plugin is not None:
        return await _open_plugin(plugin, settings)
    if settings.name == "replay":
        from llmrank.backends.replay import open_replay

        return open_replay(Path(settings.argument), settings.model)
    if settings.name == "openai":
        from llmrank.backends.openai import open_openai

        direct = await open_openai(settings.base_url, settings.model, timeout=settings.timeout, say=say)
        if settings.batch_store is None:
            return direct
        from llmrank.backends.batch import BatchBackend

        return BatchBackend(direct, settings.batch_store, say=say)
    if settings.name == "titles":
        from llmrank.backends.titles import open_titles

        adapter = settings.argument or settings.adapter
        return open_titles(adapter, settings.model, cache=settings.cache, revision=settings.revision, say=say)
    from llmrank.backends.vllm import open_vllm

    return await open_vllm(
        settings.model,
        cache=settings.cache or cache_folder(),
        revision=settings.revision,
        adapter=settings.adapter,
        verbose=settings.verbose,
        say=say,
    )


class PluginBackend(WrappedBackend):
    """A backend of another package. What it raises beside llmrank's own errors, and what it returns beside a Response,
    ends the run under the package's name."""

    def __init__(self, plugin: Plugin, backend: Backend) -> None:
        super().__init__(backend)
        self._plugin = plugin

    async def answer(self, request: Request) -> Response:
        """Return the plugin's Response."""
        with self._plugin.blamed("raised in `answer`", hint="let it raise an error of llmrank.errors"):
            response = cast(object, await self._backend.answer(request))
        if not isinstance(response, Response):
            raise self._plugin.error(f"answers {response!r:.60}", hint="return a llmrank.types.Response")
        return response


async def _open_plugin(plugin: Plugin, settings: BackendSettings) -> Backend:
    build = plugin.load()
    hint = "let the entry point name a function of (settings) that returns a llmrank.backends.BaseBackend"
    if not callable(build):
        raise plugin.error(f"is no callable, but {build!r:.60}", hint=hint)
    with plugin.blamed("cannot be opened"):
        built = build(settings)
        backend = await cast("Awaitable[object]", built) if isawaitable(built) else built
    if not isinstance(backend, BaseBackend | WrappedBackend):
        raise plugin.error(f"opens no backend, but {backend!r:.60}", hint=hint)
    identity = cast(object, cast("Backend", backend).identity)
    if not isinstance(identity, Mapping) or not all(isinstance(one, str) for pair in identity.items() for one in pair):
        raise plugin.error(f"has the identity {identity!r:.60}", hint="let `identity` map texts to texts")
    return PluginBackend(plugin, cast("Backend", backend))
