"""The `titles` backend: a fine-tuned model in this process that predicts which of several titles comes next."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Ge

from llmrank.backends.adapter import NEXT_TITLE, check_base, read_card
from llmrank.backends.base import BaseBackend
from llmrank.backends.models import DEFAULT_MODEL, Model, fingerprint, resolve_model
from llmrank.errors import FatalBackendError, InputError, MissingError
from llmrank.progress import Say, sign_of_life, silent
from llmrank.types import Capabilities, Message, Request, Response, Usage

if TYPE_CHECKING:
    from llmrank.backends.title_model import TitleModel

DEFAULT_ADAPTER = "ml-100k"
MAX_TITLES = 4096
PACKAGES = ("torch", "transformers", "peft")
"""The packages that a title model needs."""
SHIPPED = "adapters"
"""The folder in the package with the adapters shipped with it."""


@dataclass(frozen=True, slots=True)
class TitleShape:
    """How much of the language model is used."""

    layers: Annotated[int, Ge(1)] = 4
    """Decoder layers that read the history."""
    item_layers: Annotated[int, Ge(1)] = 8
    """Decoder layers that read a title."""
    rank: Annotated[int, Ge(1)] = 4
    """Rank of the LoRA adapter, on all linear layers.  [default: 4; with --prompt 8]"""
    window: Annotated[int, Ge(1)] = 128
    """Number of most recent events read from a history."""


class TitleBackend(BaseBackend):
    """Answers Requests that consist of one user message with a line per event, and whose labels are candidate titles.

    The label log-probabilities are normalised over the labels. The model computes in float32 and answers each Request
    on its own, so that equal Requests get equal answers. It is loaded with the first request; a run whose answers are
    all stored does not load it.
    """

    def __init__(self, base: Model, folder: Path, card: Mapping[str, Any], say: Say = silent) -> None:
        self._base, self._folder, self._say = base, folder, say
        self._loading: asyncio.Task[TitleModel] | None = None
        self._turn = asyncio.Lock()
        self.identity: Mapping[str, str] = {
            "kind": "titles",
            "model": base.name,
            "revision": base.revision,
            "adapter": folder.name,
            "adapter_sha256": fingerprint(folder),
            "dtype": "float32",
        }
        """The model, its revision, and a hash of the adapter's content."""
        self.card = card
        """The adapter's card. Its `fusion` holds the weight and the term chosen on validation Cases."""

    @property
    def capabilities(self) -> Capabilities:
        """Label log-probabilities only: it generates no text."""
        return Capabilities(label_logprobs=MAX_TITLES)

    async def answer(self, request: Request) -> Response:
        """Return the log-probability of each label.

        Raises FatalBackendError for any other kind of Request, and as `load` does.
        """
        if len(request.messages) != 1 or not request.labels:
            raise FatalBackendError(
                "this model continues a list of titles and cannot answer other prompts\n"
                "  hint: use --ranker next_title, or another model for this prompt"
            )
        model = await self._loaded()
        async with self._turn:
            started = time.monotonic()
            found = await asyncio.to_thread(_label_logprobs, model, request)
        return Response(
            "",
            usage=Usage(prompt_tokens=self.count_tokens(request.messages)),
            label_logprobs=found,
            seconds=time.monotonic() - started,
        )

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Return the number of events read, the newest ones: to this model each event is one token."""
        window: int = self.card["shape"]["window"]
        return min(window, sum(len(_lines(message)) for message in messages))

    async def load(self) -> None:
        """Load the model; raise InputError if the adapter is incomplete, MissingError if a package is missing."""
        await self._loaded()

    async def _loaded(self) -> TitleModel:
        """Return the model. It is loaded, or fails to load, only once, even if its waiters are cancelled."""
        if self._loading is None:
            self._loading = asyncio.create_task(asyncio.to_thread(self._load))
        return await asyncio.shield(self._loading)

    def _load(self) -> TitleModel:
        try:
            from llmrank.backends.title_model import load_adapter
        except ImportError as error:
            raise MissingError(f"{error}", hint="reinstall it: pip install 'llmrank[finetune]'") from error
        with sign_of_life(self._say, f"loading the adapter {self._folder.name}", at_once=False):
            model = load_adapter(self._folder, self._base)
        if fingerprint(self._folder) != self.identity["adapter_sha256"]:
            hint = "run the same command again"
            raise InputError("the adapter has changed since the command started", path=self._folder, hint=hint)
        return model


def _label_logprobs(model: TitleModel, request: Request) -> dict[str, float]:
    import torch

    scores = torch.tensor(model.scores(_lines(request.messages[0]), request.labels), dtype=torch.float64)
    return dict(zip(request.labels, torch.log_softmax(scores, 0).tolist(), strict=True))


def _lines(history: Message) -> list[str]:
    return [line for line in history.content.split("\n") if line]


def shipped_adapter(name: str) -> Path | None:
    """Return the folder of an adapter shipped with the package, or None."""
    folder = Path(str(resources.files("llmrank") / SHIPPED / name))
    return folder if (folder / "card.json").is_file() else None


def find_adapter(adapter: Path | str | None) -> Path:
    """Return the folder of an adapter, given as a folder or as the name of a shipped one; None: the default one."""
    if adapter is not None and Path(adapter).is_dir():
        return Path(adapter)
    return shipped_adapter(str(adapter or DEFAULT_ADAPTER)) or Path(str(adapter))


def adapter_card(adapter: Path | str | None) -> dict[str, Any]:
    """Return the card of an adapter (see `find_adapter`); raise InputError if the folder holds none for titles."""
    return read_card(find_adapter(adapter), NEXT_TITLE)


def open_titles(
    adapter: Path | str | None = None,
    model: str = DEFAULT_MODEL,
    *,
    revision: str | None = None,
    say: Say = silent,
) -> TitleBackend:
    """Return the backend for an adapter (see `find_adapter`).

    Raises InputError if the folder holds no adapter or one for another base model, and MissingError if a package is
    missing.
    """
    if missing := next((name for name in PACKAGES if find_spec(name) is None), None):
        raise MissingError(f"{missing} is not installed", hint="pip install 'llmrank[finetune]'")
    folder, card = find_adapter(adapter), adapter_card(adapter)
    base = resolve_model(model, revision=revision, say=say)
    check_base(card, base, folder)
    say(f"adapter {folder.name}, trained on {card['data']['name']}")
    return TitleBackend(base, folder, card, say)
