"""Backends answer Requests: `vllm` in this process, `openai` at any compatible URL, `replay` from a Store, `titles`
with an adapter that continues title sequences, and those added by other packages through the entry point group
`llmrank.backends`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Mapping
from dataclasses import asdict, dataclass, fields
from inspect import isawaitable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from llmrank.backends.base import BaseBackend, WrappedBackend, store_first
from llmrank.backends.models import DEFAULT_MODEL
from llmrank.errors import InputError, nearest, safe_for_console
from llmrank.plugin import Plugin, find_plugin, plugin_names
from llmrank.progress import Say, silent
from llmrank.types import Request, Response, Usage

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
"""Servers that users may name as a backend, with the base URL of their OpenAI-compatible API."""


@dataclass(frozen=True, slots=True)
class BackendSettings:
    """Selects a backend and a model."""

    kind: str = "vllm"
    """`vllm`, `openai`, `replay:PATH` with a Store file or a Run folder, `titles:ADAPTER` with the folder or name of an
    adapter trained by llmrank (`titles` alone: the one shipped with it), or `NAME` or `NAME:ARGUMENT` of a plugin."""
    model: str = DEFAULT_MODEL
    """A folder, a hub name, or the name under which an endpoint serves it. To replay a Store: the model that
    answered."""
    base_url: str | None = None
    """`openai`: the endpoint's URL; None: OPENAI_BASE_URL, else OpenAI itself."""
    revision: str | None = None
    """`vllm` and `titles`: branch, tag or commit of a hub model."""
    adapter: Path | None = None
    """`vllm`: folder of a LoRA adapter. `titles`: used if `kind` names no adapter."""
    timeout: float = 600.0
    """`openai`: seconds after which a call times out; it is then retried."""
    batch_store: Path | None = None
    """`openai`: use the Batch API with this Store file, which receives the answers; open batches are recorded beside
    it.
    """
    verbose: bool = False
    """`vllm`: show the engine's own log on stderr."""

    @property
    def name(self) -> str:
        """The kind without its argument."""
        return self.kind.partition(":")[0]

    @property
    def argument(self) -> str:
        """The part after the colon; empty if there is none."""
        return self.kind.partition(":")[2]

    def check(self) -> None:
        """Raise InputError for an unknown kind, a setting that does not apply to the kind, or a name that is not valid
        UTF-8."""
        name = self.name
        for field, value in (("model", self.model), ("revision", self.revision or "")):
            if any("\ud800" <= character <= "\udfff" for character in value):
                hint = "write it in UTF-8, as the endpoint or the hub does"
                raise InputError(f"{value!r} is not valid UTF-8", hint=hint, field=field)
        if not self.model.strip():
            raise InputError("the name of the model is empty", hint="name one with --model", field="model")
        if name not in KINDS:
            if find_plugin(GROUP, name) is None:
                raise self._unknown()
            return
        if name == "replay" and not self.argument:
            hint = "write replay:FILE or replay:RUN"
            raise InputError("replay needs a source of answers", hint=hint, field="backend")
        if not 0 < self.timeout < float("inf"):
            raise InputError(f"{self.timeout:g} is not a valid timeout", hint="give more than 0 s", field="timeout")
        ignored = {
            "base_url": (self.base_url is not None and name != "openai", "leave it out, or use --backend openai"),
            "revision": (self.revision is not None and name == "openai", "the endpoint decides what it serves"),
            "batch": (
                self.batch_store is not None and name != "openai",
                "use --backend openai and an endpoint with a Batch API",
            ),
            "adapter": (self.adapter is not None and name == "openai", "name the adapter's served name with --model"),
        }
        for field, (wrong, hint) in ignored.items():
            if wrong:
                raise InputError(f"the {name} backend does not accept {field}", hint=hint, field=field)
        if name == "vllm" and self.adapter is not None and not self.adapter.is_dir():
            raise InputError(f"no such folder: {self.adapter}", field="adapter", hint="name a LoRA adapter's folder")
        if name == "titles":
            from llmrank.backends.titles import adapter_card

            adapter_card(self.argument or self.adapter)

    def _unknown(self) -> InputError:
        known = backend_names()
        close = nearest(self.name, known)
        hint = f"choose {', '.join(known)}; for a server with an OpenAI-compatible API, use --base-url URL"
        if url := SERVERS.get(re.sub(r"[-._]", "", self.name.lower())):
            close, hint = "", f"{self.name} has an OpenAI-compatible API: use --base-url {url}"
        return InputError(f"unknown backend {self.kind!r}{close}", hint=hint, field="backend")


def backend_names() -> tuple[str, ...]:
    """Return the names of all backends: llmrank's own, then those of plugins."""
    return (*KINDS, *(name for name in plugin_names(GROUP) if name not in KINDS))


async def open_backend(settings: BackendSettings, *, say: Say = silent) -> Backend:
    """Return the backend, ready to answer; close it after use. `say` receives progress messages.

    Raises InputError for invalid settings or a folder that is not a model, MissingError for a missing package, a model
    that cannot be found or an unreachable endpoint, and FatalBackendError for a rejected key.
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

        def told(line: str) -> None:
            say(safe_for_console(line))  # it may quote the endpoint

        direct = await open_openai(settings.base_url, settings.model, timeout=settings.timeout, say=told)
        if settings.batch_store is None:
            return direct
        from llmrank.backends.batch import BatchBackend

        return BatchBackend(direct, settings.batch_store, say=told)
    if settings.name == "titles":
        from llmrank.backends.titles import open_titles

        adapter = settings.argument or settings.adapter
        return open_titles(adapter, settings.model, revision=settings.revision, say=say)
    from llmrank.backends.vllm import open_vllm

    return await open_vllm(
        settings.model,
        revision=settings.revision,
        adapter=settings.adapter,
        verbose=settings.verbose,
        say=say,
    )


class PluginBackend(WrappedBackend):
    """A backend from another package. If it raises anything but an LlmrankError, or returns anything but a valid
    Response, the run ends with an error that names the package."""

    def __init__(self, plugin: Plugin, backend: Backend) -> None:
        super().__init__(backend)
        self._plugin = plugin

    async def answer(self, request: Request) -> Response:
        """Return the plugin's Response."""
        with self._plugin.blamed("raised in `answer`", hint="make it raise an error from llmrank.errors"):
            response = await _awaited(self._backend.answer(request))
        if fault := _fault_in_response(response):
            raise self._plugin.error(f"answers {fault}", hint="return a llmrank.types.Response")
        return cast("Response", response)


class OwnBackend(WrappedBackend):
    """A backend given as an object. If it answers with anything but a valid Response, the run ends with an error that
    names its class."""

    def __init__(self, backend: Backend) -> None:
        """Raises InputError if the backend cannot say what it is."""
        super().__init__(backend)
        if fault := _fault_in_backend(backend):
            raise InputError(f"the backend {type(backend).__name__} {fault[0]}", field="backend", hint=fault[1])

    async def answer(self, request: Request) -> Response:
        """Return the backend's Response."""
        answered = cast(object, self._backend.answer(request))
        is_async = isawaitable(answered)
        response = await _awaited(cast("Awaitable[object]", answered)) if is_async else answered
        if fault := _fault_in_response(response) if is_async else f"{response!r:.60}":
            problem = f"`answer` of {type(self._backend).__name__} returned {fault}"
            hint = "write `async def answer`, and return a llmrank.types.Response"
            raise InputError(problem, field="backend", hint=hint)
        return cast("Response", response)


async def _awaited(answer: Awaitable[object]) -> object:
    """Return what a backend of a user answers.

    Raises RuntimeError in place of a SystemExit, which would end the event loop, and of a cancellation that nobody
    asked for, after which asyncio would drop the Case.
    """
    try:
        return await answer
    except (SystemExit, asyncio.CancelledError) as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        # With the traceback of the backend's own code, where the error is looked for.
        raise RuntimeError(repr(error)).with_traceback(error.__traceback__) from error


def _fault_in_response(response: object) -> str:
    """Return how to show what a backend returned, if it is no valid Response; else an empty string."""
    if not isinstance(response, Response):
        return f"{response!r:.60}"
    given: dict[str, Any] = {one.name: getattr(response, one.name) for one in fields(response)}
    usage, labels = given["usage"], given["label_logprobs"]
    valid = {
        "usage": isinstance(usage, Usage) and all(isinstance(count, int) for count in asdict(usage).values()),
        "label_logprobs": labels is None
        or (
            isinstance(labels, Mapping)
            and all(isinstance(label, str) and isinstance(one, int | float) for label, one in labels.items())
        ),
        "seconds": isinstance(given["seconds"], int | float),
        "batch": isinstance(given["batch"], bool),
    }
    for name, value in given.items():
        if not valid.get(name, isinstance(value, str)):
            return f"a Response with {name}={value!r:.60}"
    return ""


def _fault_in_backend(backend: Backend) -> tuple[str, str] | None:
    """Return what is wrong with the values of a backend's properties, and what to do; None if nothing is."""
    identity, length = cast("tuple[object, object]", (backend.identity, backend.context_length))
    pairs = cast("Mapping[object, object]", identity).items() if isinstance(identity, Mapping) else [(None,)]
    if not all(isinstance(one, str) for pair in pairs for one in pair):
        return f"has the identity {identity!r:.60}", "make `identity` a mapping of str to str"
    if length is not None and not isinstance(length, int):
        return f"has the context_length {length!r:.60}", "make it a number of tokens, or None"
    return None


async def _open_plugin(plugin: Plugin, settings: BackendSettings) -> Backend:
    build = plugin.load()
    hint = "make the entry point name a function of (settings) that returns a llmrank.backends.BaseBackend"
    if not callable(build):
        raise plugin.error(f"is not callable, but {build!r:.60}", hint=hint)
    with plugin.blamed("cannot be opened"):
        built = build(settings)
        backend = await cast("Awaitable[object]", built) if isawaitable(built) else built
    if not isinstance(backend, BaseBackend | WrappedBackend):
        raise plugin.error(f"does not return a backend, but {backend!r:.60}", hint=hint)
    with plugin.blamed("cannot say what it is"):
        fault = _fault_in_backend(cast("Backend", backend))
    if fault:
        raise plugin.error(fault[0], hint=fault[1])
    return PluginBackend(plugin, cast("Backend", backend))
