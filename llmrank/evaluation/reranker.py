"""A reranker for services: one user's candidates in, one Ranking out, within a deadline."""

from __future__ import annotations

import asyncio
import atexit
import threading
import weakref
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from llmrank.engine import STOP_SECONDS, not_ranked, rank_case
from llmrank.errors import BoundReachedError, InputError, LlmrankError, StoppedError
from llmrank.evaluation.given import ItemLike, case_of
from llmrank.evaluation.session import Session
from llmrank.evaluation.settings import ModelSettings, PromptSettings
from llmrank.evaluation.setup import Setup
from llmrank.evaluation.training_data import TrainingData
from llmrank.progress import Reporter, reporter_of
from llmrank.prompting import PromptTemplate
from llmrank.store import ForgetfulStore
from llmrank.types import USUAL_SCALE, Backend, Case, Closable, Event, Ranking

GRACE = 0.1
"""Seconds after the deadline that a caller waits for the session's thread, which may itself be blocked, for example by
a Store that another process has locked."""


class Reranker(Closable):
    """Reranks candidates for one user at a time, and serves any number of concurrent callers.

    Make one per process: it holds the backend's connections, or the model. A bad answer, a missed deadline, or a dead
    endpoint never raises. The result is always a full permutation of the candidates, and its `outcome` says what
    happened.

    ```python
    reranker = Reranker(prompt="first-token", model="qwen3-8b", base_url=URL, deadline=0.8)
    ranking = reranker.rank(history=["Heat (1995)"], candidates=["Fargo (1996)", "Up (2009)"])
    ```
    """

    def __init__(
        self,
        prompt: str | Path | PromptTemplate | PromptSettings | None = None,
        *,
        model: str | ModelSettings | None = None,
        backend: str | Backend | None = None,
        deadline: float = 30.0,
        seed: int = 0,
        progress: bool | Reporter = False,
        **settings: Any,
    ) -> None:
        """Open the backend, check that it supports the method, and load the model if it runs in this process.

        Args:
            prompt: Name or path of a template, a template, or a `PromptSettings`; None: first-token, or the default
                template of `ranker`.
            model: Name of the model, or a `ModelSettings`.
            backend: `vllm`, `openai`, `titles`, or your own Backend, which is closed with the Reranker.
            deadline: Seconds for all calls of one Case together. After that, the candidates are returned in recall
                order with outcome `error`.
            seed: Seed for shuffles and sampling.
            progress: Whether to report on stderr what startup waits for; or a Reporter that receives the messages.
            settings: Any field of `PromptSettings`, `ModelSettings` and `Limits`, by name. Answers are stored only if
                `store` names a file.

        Raises:
            InputError: the settings are invalid, or need what a service does not have: data (shots) or time (batch).
            MissingError: a package, a model or an endpoint is missing.
            FatalBackendError: the model cannot be loaded, or the endpoint refuses the key.
        """
        if not isinstance(deadline, int | float) or not deadline > 0:  # pyright: ignore[reportUnnecessaryIsInstance]
            problem = f"expected a number of seconds above 0, got {deadline!r}"
            hint = "give the longest time a caller can wait; math.inf waits indefinitely"
            raise InputError(problem, field="deadline", hint=hint)
        self.deadline = deadline
        self._timeout = min(deadline + GRACE, threading.TIMEOUT_MAX)
        if prompt is None and settings.get("ranker") is None:
            prompt = "first-token"
        own = ("deadline", "progress", "seed")
        setup, _ = Setup.of(prompt=prompt, model=model, backend=backend, beside=own, **settings)
        if setup.model.batch:
            hint = "omit it; `llmrank.rerank` and `llmrank.evaluate` wait for batches"
            raise InputError("a batch may take a day, longer than a caller can wait", field="batch", hint=hint)
        say = reporter_of(progress).message
        self._session = setup.session(say, ForgetfulStore() if setup.model.store is None else None)
        with ExitStack() as unless_ready:
            unless_ready.callback(self._session.close)
            self._method = setup.method(
                self._session, TrainingData(_no_training_data, rated=USUAL_SCALE), seed
            ).without_truth()
            if self._method.prompt is not None:
                self._method.prompt.shots(Case("", ()))  # raises now if the prompt needs shots
            self._session.check(self._method.ranker.needs(2))
            self._session.loop.run(self._session.backend.load())  # takes longer than any caller's deadline
            unless_ready.pop_all()
        # Services rarely close anything before their process ends; a notebook cell makes a new Reranker at each run.
        atexit.register(self._session.close)
        self._dropped = weakref.finalize(self, _close_dropped, self._session)
        self._dropped.atexit = False

    def rank(
        self,
        history: Iterable[Event | ItemLike],
        candidates: Iterable[ItemLike],
        *,
        scores: Iterable[float] | None = None,
        user_id: str | int | None = None,
    ) -> Ranking:
        """Return the candidates, best first.

        Args:
            history: The user's events, oldest first.
            candidates: The items to rank, in recall order.
            scores: Recall scores, aligned with the candidates; higher is better. None: the `score` of each, if any.
            user_id: Seeds the shuffle of the candidates, as in an evaluation, so that a user always gets the same
                order. Without it, history and candidates seed the shuffle.

        Raises InputError for invalid items or events, for duplicate candidates, and after `close`.
        """
        case = case_of(history, candidates, scores, user_id)
        future = self._session.loop.submit(self._rank(case))
        try:
            return future.result(self._timeout)
        except TimeoutError:
            return _given_up(case, future)

    async def rank_async(
        self,
        history: Iterable[Event | ItemLike],
        candidates: Iterable[ItemLike],
        *,
        scores: Iterable[float] | None = None,
        user_id: str | int | None = None,
    ) -> Ranking:
        """Return the candidates, best first (see `rank`), without blocking the caller's event loop."""
        case = case_of(history, candidates, scores, user_id)
        future = self._session.loop.submit(self._rank(case))
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            return _given_up(case, future)

    async def _rank(self, case: Case) -> Ranking:
        with _Failure() as failure:
            ranker, arrange = self._method.ranker, self._method.order.arrange
            return (await rank_case(case, ranker, self._session.caller, arrange, deadline=self.deadline)).ranking
        return not_ranked(case, failure.reason)

    def close(self) -> None:
        """Release the model or the connections.

        Callers that still wait get their Ranking: with a `store`, requests that were sent have ten seconds to be
        answered, and their answers are kept; anything else ends at once, in recall order, with outcome `error`.

        When the process ends, or when nothing refers to the Reranker any more, it is closed without waiting for
        answers.
        """
        self._dropped.detach()
        atexit.unregister(self._session.close)
        self._session.close(patience=STOP_SECONDS)

    def __reduce__(self) -> NoReturn:
        raise InputError("a Reranker cannot be copied or sent to another process", hint="make one in each process")

    def __repr__(self) -> str:
        identity = self._session.backend.identity
        shown = " of ".join(str(identity[key]) for key in ("model", "base_url") if identity.get(key))
        return f"<Reranker: {self._method.ranker.name}, {shown or identity['kind']}, deadline {self.deadline:g} s>"


class _Failure(AbstractContextManager["_Failure"]):
    """Turns whatever ends a ranking, also in a ranker or a backend of the user, into a reason: a service goes on."""

    reason = ""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if isinstance(error, asyncio.CancelledError | StoppedError):
            # Cancelled by the caller, who ignores the result, or ended by `close`, which must return a Ranking.
            self.reason = "closed"
        elif error is not None:
            text = str(error) if isinstance(error, LlmrankError) else f"{type(error).__name__}: {error}"
            if isinstance(error, BoundReachedError):
                text = text.partition("\n")[0]  # the hint is about work that continues
            self.reason = " ".join(text.split())  # one line, for logs
        return True


def _no_training_data() -> NoReturn:
    hint = "choose another method, without shots; or use `llmrank.rerank`, which reads them from the file"
    raise InputError("the method needs the events of other users, which a Reranker does not have", hint=hint)


def _close_dropped(session: Session) -> None:
    """Close the session of a garbage-collected Reranker, in a new thread because the collecting one must not wait."""
    atexit.unregister(session.close)
    if not session.loop.is_forked:
        threading.Thread(target=session.close, name="llmrank", daemon=True).start()


def _given_up(case: Case, future: Future[Ranking]) -> Ranking:
    if future.done() and not future.cancelled():
        return future.result()
    future.cancel()
    return not_ranked(case, "deadline")
