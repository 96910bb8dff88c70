"""Backends: what answers Requests. `vllm` in this process, `openai` at any compatible URL, `replay` from a Store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llmrank.backends.models import DEFAULT_MODEL
from llmrank.errors import InputError, nearest
from llmrank.files import cache_folder
from llmrank.progress import Say, silent

if TYPE_CHECKING:
    from llmrank.types import Backend

__all__ = ["DEFAULT_MODEL", "BackendSettings", "open_backend"]

KINDS = ("vllm", "openai", "replay")


@dataclass(frozen=True, slots=True)
class BackendSettings:
    """Which backend, and which model."""

    kind: str = "vllm"
    """`vllm`, `openai`, or `replay:PATH` with a Store file, or a Run folder, which knows where its Stores are."""
    model: str = DEFAULT_MODEL
    """A folder, a hub name, or the name that an endpoint serves; of a replayed Store, which model's answers."""
    base_url: str | None = None
    """`openai`: the endpoint; None: OPENAI_BASE_URL, else the SDK's own."""
    revision: str | None = None
    """`vllm`: branch, tag or commit of a hub model."""
    adapter: Path | None = None
    """`vllm`: folder of a LoRA adapter."""
    timeout: float = 600.0
    """`openai`: seconds after which a call without an answer is given up and retried."""
    batch_store: Path | None = None
    """`openai`: ask through the Batch API; the Store that keeps what batches bring, and beside which they are noted."""
    cache: Path | None = None
    """The folder of fetched models; None: the user's cache folder."""
    verbose: bool = False
    """`vllm`: show the engine's own log lines on stderr."""

    def check(self) -> None:
        """Raise InputError for a kind that does not exist, or a setting that the kind would ignore."""
        kind = self.kind.partition(":")[0]
        if kind not in KINDS:
            raise InputError(
                f"unknown backend {self.kind!r}{nearest(kind, KINDS)}",
                hint=f"choose {', '.join(KINDS)}",
                field="backend",
            )
        if kind == "replay" and not self.kind.partition(":")[2]:
            raise InputError("replay of what?", hint="write replay:FILE or replay:RUN", field="backend")
        ignored = {
            "base_url": (self.base_url is not None and kind != "openai", "use --backend openai with a base URL"),
            "revision": (
                self.revision is not None and kind == "openai",
                "the endpoint decides what it serves",
            ),
            "batch": (
                self.batch_store is not None and kind != "openai",
                "use --backend openai, at an endpoint that has a Batch API",
            ),
            "adapter": (self.adapter is not None and kind == "openai", "name the adapter's served name with --model"),
        }
        for field, (wrong, hint) in ignored.items():
            if wrong:
                raise InputError(f"the {kind} backend takes no {field}", hint=hint, field=field)


async def open_backend(settings: BackendSettings, *, say: Say = silent) -> Backend:
    """Return the backend, ready to answer; progress lines (fetching, loading) go to `say`. Close it after use.

    Raises InputError for wrong settings or a folder that is no model, MissingError for a package that is not
    installed, a model that no source has or an endpoint out of reach, FatalBackendError for a refused key.
    """
    settings.check()
    kind, _, path = settings.kind.partition(":")
    if kind == "replay":
        from llmrank.backends.replay import open_replay

        return open_replay(Path(path), settings.model)
    if kind == "openai":
        from llmrank.backends.openai import open_openai

        direct = await open_openai(settings.base_url, settings.model, timeout=settings.timeout, say=say)
        if settings.batch_store is None:
            return direct
        from llmrank.backends.batch import BatchBackend

        return BatchBackend(direct, settings.batch_store, say=say)
    from llmrank.backends.vllm import open_vllm

    return await open_vllm(
        settings.model,
        cache=settings.cache or cache_folder(),
        revision=settings.revision,
        adapter=settings.adapter,
        verbose=settings.verbose,
        say=say,
    )
