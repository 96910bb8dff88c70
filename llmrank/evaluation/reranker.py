"""A reranker for services: one user's candidates in, one Ranking out, within a deadline."""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

from llmrank.engine import rank_case
from llmrank.errors import InputError, LlmrankError
from llmrank.evaluation.settings import ModelSettings, PromptSettings
from llmrank.evaluation.setup import Setup
from llmrank.evaluation.training_data import TrainingData
from llmrank.progress import Say, silent
from llmrank.prompting import PromptTemplate
from llmrank.store import ForgetfulStore
from llmrank.types import Backend, Case, Closable, Event, Item, Outcome, Ranking

ItemLike = Item | Mapping[str, object] | str
"""An Item, a mapping with `title` and perhaps `item_id` and attributes, or a title alone."""


class Reranker(Closable):
    """Reranks candidates for one user at a time, for as many callers at once as there are.

    Make one per process: it holds the backend's connections, or the model. A bad answer, a passed deadline, or an
    endpoint that dies never raises: the result is always a full permutation of the candidates, and `outcome` says how
    it came about.

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
        say: Say = silent,
        **settings: Any,  # noqa: ANN401 - checked by name and type
    ) -> None:
        """Open the backend, and check that it can do what the method needs.

        Args:
            prompt: Name or path of a template, the template itself, or all settings of the prompt; None: first-token,
                or what is usual for `ranker`.
            model: Name of the model, or all settings of the backend.
            backend: `vllm`, `openai`, `titles`, or a Backend of your own, which is closed with the Reranker.
            deadline: Seconds for all calls of one Case together; when they have passed, the candidates come back in
                recall order with outcome `error`.
            seed: For shuffles and sampling.
            say: Told what is being done at the start.
            settings: Any field of `PromptSettings`, `ModelSettings` and `Limits`, by name. Answers are kept only where
                `store` names a file.

        Raises:
            InputError: something in the settings is wrong, or they ask for what a service does not have (shots).
            MissingError: a package, a model or an endpoint is missing.
        """
        self.deadline = deadline
        if prompt is None and settings.get("ranker") is None:
            prompt = "first-token"
        setup, _ = Setup.of(prompt=prompt, model=model, backend=backend, **settings)
        self._session = setup.session(say, ForgetfulStore() if setup.model.store is None else None)
        with ExitStack() as unless_ready:
            unless_ready.callback(self._session.close)
            self._method = setup.method(self._session, TrainingData(lambda: ()), seed)
            self._session.check(self._method.ranker.needs(2))
            unless_ready.pop_all()
        self._numbers = count()
        # A service runs until its process ends, and seldom closes anything.
        atexit.register(self._session.close)

    def rank(
        self,
        history: Iterable[Event | ItemLike],
        candidates: Iterable[ItemLike],
        *,
        scores: Iterable[float] | None = None,
        user_id: str = "",
    ) -> Ranking:
        """Return the candidates, best first.

        Args:
            history: What the user did, oldest first.
            candidates: What to rank, in recall order.
            scores: Recall scores, aligned with the candidates; higher is better.
            user_id: Seeds the shuffle of the candidates, so that one user sees one order.

        Raises InputError for candidates that cannot be told apart.
        """
        return self._begin(history, candidates, scores, user_id).result()

    async def rank_async(
        self,
        history: Iterable[Event | ItemLike],
        candidates: Iterable[ItemLike],
        *,
        scores: Iterable[float] | None = None,
        user_id: str = "",
    ) -> Ranking:
        """Return the candidates, best first (see `rank`), without blocking the caller's event loop."""
        return await asyncio.wrap_future(self._begin(history, candidates, scores, user_id))

    def _begin(
        self,
        history: Iterable[Event | ItemLike],
        candidates: Iterable[ItemLike],
        scores: Iterable[float] | None,
        user_id: str,
    ) -> Future[Ranking]:
        items = tuple(as_item(candidate) for candidate in candidates)
        if len({item.item_id for item in items}) < len(items):
            raise InputError(
                "two candidates have the same item_id", field="candidates", hint="give each an item_id of its own"
            )
        given = None if scores is None else tuple(scores)
        if given is not None and len(given) != len(items):
            problem = f"{len(given)} scores for {len(items)} candidates"
            raise InputError(problem, field="scores", hint="give one for each candidate, in their order")
        case = Case(
            user_id,
            tuple(one if isinstance(one, Event) else Event(as_item(one)) for one in history),
            candidates=items,
            recall_scores=given,
            case_id=f"{next(self._numbers)}",
        )
        return self._session.loop.submit(self._rank(case))

    async def _rank(self, case: Case) -> Ranking:
        try:
            result = await rank_case(
                case, self._method.ranker, self._session.caller, self._method.order.arrange, deadline=self.deadline
            )
        except LlmrankError as error:
            # A service answers in any case: the recall order is what it would have shown without a model.
            order = tuple(item.item_id for item in case.candidates)
            return Ranking(order, named=0, outcome=Outcome.ERROR, reason=str(error))
        return result.ranking

    def close(self) -> None:
        """Release the model or the connections; at the end of the process this happens by itself."""
        atexit.unregister(self._session.close)
        self._session.close()

    def __repr__(self) -> str:
        identity = self._session.backend.identity
        shown = " of ".join(str(identity[key]) for key in ("model", "base_url") if identity.get(key))
        return f"<Reranker: {self._method.ranker.name}, {shown or identity['kind']}, deadline {self.deadline:g} s>"


def as_item(given: ItemLike) -> Item:
    """Return the Item: a text is a title, which stands for the id too."""
    if isinstance(given, Item):
        return given
    if isinstance(given, str):
        return Item(given, given)
    fields = {str(name): value for name, value in given.items()}
    title = fields.pop("title", None)
    if not isinstance(title, str) or not title.strip():
        raise InputError("an item without a title", field="title", hint="give each item a title, or pass titles alone")
    item_id = fields.pop("item_id", title)
    return Item(f"{item_id}", title, {name: f"{value}" for name, value in fields.items() if value is not None})
