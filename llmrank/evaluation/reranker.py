"""A reranker for services: one user's candidates in, one Ranking out, within a deadline."""

from __future__ import annotations

import asyncio
import atexit
import math
import threading
import weakref
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from datetime import date
from decimal import Decimal
from numbers import Real
from pathlib import Path
from typing import Any, NoReturn, TypeVar, cast

from llmrank.data.candidate_row import as_float, attribute_text
from llmrank.data.candidates import DataFrame
from llmrank.engine import not_ranked, rank_case
from llmrank.errors import InputError, LlmrankError
from llmrank.evaluation.cases import refuse_broken
from llmrank.evaluation.session import Session
from llmrank.evaluation.settings import ModelSettings, PromptSettings
from llmrank.evaluation.setup import Setup
from llmrank.evaluation.training_data import TrainingData
from llmrank.progress import Say, silent
from llmrank.prompting import PromptTemplate
from llmrank.store import ForgetfulStore
from llmrank.types import Backend, Case, Closable, Event, Item, Ranking

ItemLike = Item | Mapping[str, object] | str
"""An Item; a mapping with `title`, perhaps `item_id` and attributes, as an item of a candidate file; a title alone."""

HELD_UP = 0.1
"""Seconds after the deadline from which a caller does not wait for the session's thread to tell it: something holds it
up, such as a Store that another process has locked."""

Listed = TypeVar("Listed")

NOTHING = frozenset(("None", "nan", "NaT", "<NA>"))
"""What the values print that pandas has where there is none; they compare in ways of their own."""


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
        """Open the backend, check that it can do what the method needs, and load a model that runs in this process.

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
            FatalBackendError: the model cannot be loaded, or the endpoint refuses the key.
        """
        if not isinstance(deadline, int | float) or not deadline > 0:  # pyright: ignore[reportUnnecessaryIsInstance]
            problem = f"{deadline!r} is no number of seconds above 0"
            hint = "say how long a caller can wait; math.inf: as long as it takes"
            raise InputError(problem, field="deadline", hint=hint)
        self.deadline = deadline
        self._patience = min(deadline + HELD_UP, threading.TIMEOUT_MAX)
        if prompt is None and settings.get("ranker") is None:
            prompt = "first-token"
        setup, _ = Setup.of(prompt=prompt, model=model, backend=backend, beside=("deadline", "say", "seed"), **settings)
        self._session = setup.session(say, ForgetfulStore() if setup.model.store is None else None)
        with ExitStack() as unless_ready:
            unless_ready.callback(self._session.close)
            self._method = setup.method(self._session, TrainingData(_no_training_data), seed).without_truth()
            if self._method.prompt is not None:
                self._method.prompt.shots(Case("", ()))  # refused now, where there are to be any
            self._session.check(self._method.ranker.needs(2))
            self._session.loop.run(self._session.backend.load())  # no caller's deadline is long enough for it
            unless_ready.pop_all()
        # A service runs until its process ends, and seldom closes anything; a notebook's cell makes one anew each time.
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
            history: What the user did, oldest first.
            candidates: What to rank, in recall order.
            scores: Recall scores, aligned with the candidates; higher is better. None: the `score` of each, if any.
            user_id: Seeds the shuffle of the candidates, as in an evaluation, so that one user sees one order; where
                there is none, history and candidates do.

        Raises InputError for what is no item or event, for candidates that cannot be told apart, and after `close`.
        """
        case = self._case(history, candidates, scores, user_id)
        future = self._session.loop.submit(self._rank(case))
        try:
            return future.result(self._patience)
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
        case = self._case(history, candidates, scores, user_id)
        future = self._session.loop.submit(self._rank(case))
        try:
            async with asyncio.timeout(self._patience):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            return _given_up(case, future)

    def _case(
        self,
        history: Iterable[Event | ItemLike],
        candidates: Iterable[ItemLike],
        scores: Iterable[float] | None,
        user_id: str | int | None,
    ) -> Case:
        known = isinstance(user_id, str) or str(user_id) not in NOTHING
        user_id = attribute_text(user_id) if known else ""
        items, own_scores = _candidates(candidates)
        if len({item.item_id for item in items}) < len(items):
            [(twice, _)] = Counter(item.item_id for item in items).most_common(1)
            problem = f"two candidates have the item_id {twice!r}"
            raise InputError(problem, field="candidates", hint="give each an item_id of its own")
        given = own_scores
        if scores is not None:
            given = tuple(_number(score, f"scores[{place}]") for place, score in enumerate(_listed(scores, "scores")))
        if given is not None and len(given) != len(items):
            problem = f"{len(given)} scores for {len(items)} candidates"
            raise InputError(problem, field="scores", hint="give one for each candidate, in their order")
        past = tuple(as_event(one, f"history[{place}]") for place, one in enumerate(_listed(history, "history")))
        case = Case(
            user_id,
            past,
            candidates=items,
            recall_scores=given,
            # What is drawn is drawn by it: the same call is the same question, as it is in an evaluation.
            case_id=user_id or "\n".join(item.item_id for item in (*(event.item for event in past), *items)),
        )
        refuse_broken(case)
        return case

    async def _rank(self, case: Case) -> Ranking:
        try:
            result = await rank_case(
                case, self._method.ranker, self._session.caller, self._method.order.arrange, deadline=self.deadline
            )
        except LlmrankError as error:
            reason = " ".join(str(error).split())  # one line, for logs
        except asyncio.CancelledError:
            # By the caller, who no longer listens, or by `close`, which must not look like it.
            reason = "closed"
        else:
            return result.ranking
        return not_ranked(case, reason)

    def close(self) -> None:
        """Release the model or the connections; at the end of the process this happens by itself.

        Calls under way end in recall order, with outcome `error`.
        """
        self._dropped.detach()
        atexit.unregister(self._session.close)
        self._session.close()

    def __reduce__(self) -> NoReturn:
        raise InputError("a Reranker cannot be sent to another process, or copied", hint="make one in each process")

    def __repr__(self) -> str:
        identity = self._session.backend.identity
        shown = " of ".join(str(identity[key]) for key in ("model", "base_url") if identity.get(key))
        return f"<Reranker: {self._method.ranker.name}, {shown or identity['kind']}, deadline {self.deadline:g} s>"


def _no_training_data() -> NoReturn:
    hint = "choose a method that needs none, and no --shots; `llmrank.rerank` counts in the rows of a file"
    raise InputError("the method needs the events of other users, which a Reranker does not have", hint=hint)


def _close_dropped(session: Session) -> None:
    """Close the session of a Reranker that nobody has any more; whichever thread finds that out cannot wait for it."""
    atexit.unregister(session.close)
    if not session.loop.left_behind:
        threading.Thread(target=session.close, name="llmrank", daemon=True).start()


def _given_up(case: Case, future: Future[Ranking]) -> Ranking:
    if future.done() and not future.cancelled():
        return future.result()
    future.cancel()
    return not_ranked(case, "deadline")


def as_event(given: Event | ItemLike, place: str) -> Event:
    """Return the Event; a mapping may have `rating` and `timestamp`. `place` is for the messages."""
    if isinstance(given, Event):
        return given
    if isinstance(given, Item | str):
        return Event(as_item(given, place))
    fields = _fields(given, place)
    if isinstance(moment := fields.get("timestamp"), str):
        with suppress(ValueError):
            fields["timestamp"] = as_float(moment)
    known = {name: _number(fields.pop(name), f"{place}.{name}") for name in ("rating", "timestamp") if name in fields}
    return Event(as_item(fields, place), known.get("rating"), known.get("timestamp"))


def as_item(given: ItemLike, place: str) -> Item:
    """Return the Item: a text is a title, which stands for the id too."""
    if isinstance(given, Item):
        return given
    if isinstance(given, str) and given.strip():
        return Item(given, given)
    fields = {"title": given} if isinstance(given, str) else _fields(given, place)
    title = fields.pop("title", None)
    if not isinstance(title, str) or not title.strip():
        has = f", but {', '.join(map(repr, fields))}" if fields else ""
        problem = f"an item without a title{has}" if title is None else f"{title!r} is no title"
        raise InputError(problem, field=f"{place}.title", hint="give each item a title, or pass titles alone")
    if misnamed := [
        name for name in fields if name.casefold().replace("_", "") in ("id", "itemid") and name != "item_id"
    ]:
        hint = "rename it: without an item_id the title stands for it"
        raise InputError("there is no such field; did you mean 'item_id'?", field=f"{place}.{misnamed[0]}", hint=hint)
    item_id = attribute_text(fields.pop("item_id", title))
    if not item_id.strip():
        raise InputError("the item_id is empty", field=f"{place}.item_id", hint="give it as text or as a whole number")
    fields |= _fields(cast("Any", fields.pop("attributes", {})), f"{place}.attributes")
    return Item(item_id, title, {name: attribute_text(value) for name, value in fields.items()})


def _candidates(given: Iterable[ItemLike]) -> tuple[tuple[Item, ...], tuple[float, ...] | None]:
    """Return the candidates, and their scores where all have one."""
    items: list[Item] = []
    scores: list[float] = []
    for number, one in enumerate(_listed(given, "candidates")):
        place, shown = f"candidates[{number}]", one
        if not isinstance(one, Item | str):
            shown = _fields(one, place)
            if "score" in shown:
                scores.append(_number(shown.pop("score"), f"{place}.score"))
        items.append(as_item(shown, place))
    if scores and len(scores) < len(items):
        problem = f"{len(scores)} of {len(items)} candidates have a score"
        raise InputError(problem, field="candidates", hint="score all candidates (NaN is no score), or none")
    return tuple(items), tuple(scores) or None


def _listed(given: Iterable[Listed], field: str) -> Iterable[Listed]:
    """Return what can be gone through entry by entry: no text, mapping or table, which would be read as titles."""
    if isinstance(given, list | tuple):  # the common case: what a protocol has is slow to look for
        return given
    if isinstance(given, str | bytes | Mapping | DataFrame) or not isinstance(given, Iterable):  # pyright: ignore
        problem = f"a value of type {type(given).__name__} is no list"
        hint = 'give a list, an empty one where there is nothing; of a DataFrame frame.to_dict("records")'
        raise InputError(problem, field=field, hint=hint)
    return given


def _fields(given: Mapping[str, object], place: str) -> dict[str, object]:
    """Return what a mapping, or a row of pandas, says of an item: its values that are there."""
    try:
        fields = {str(name): value for name, value in dict(given).items()}
    except (TypeError, ValueError):
        problem, hint = f"a value of type {type(given).__name__} is no item", "give an Item, a mapping or a title"
        raise InputError(problem, field=place, hint=hint) from None
    there = {name: value for name, value in fields.items() if isinstance(value, str) or str(value) not in NOTHING}
    if "item_id" in fields and "item_id" not in there:
        hint = "give it, or leave it out of all items"
        raise InputError("the item_id is missing", field=f"{place}.item_id", hint=hint)
    return there


def _number(given: object, place: str) -> float:
    """Return a number, or a date as seconds since the epoch."""
    number = math.nan
    if isinstance(given, Decimal | date):
        number = as_float(given)
    elif isinstance(given, Real):
        number = float(given)
    if not math.isfinite(number):
        hint = "give a finite number, or None where it is unknown"
        raise InputError(f"{given!r} is no number", field=place, hint=hint)
    return number
