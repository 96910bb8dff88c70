"""What a command spends, and the bounds that it keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from llmrank.backends.base import WrappedBackend
from llmrank.errors import BackendError, BoundReachedError
from llmrank.prices import Tariff
from llmrank.rankers.prompt import most_tokens
from llmrank.types import Backend, Message, Request, Response, Usage

NOTHING = Usage()


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that one command may spend; None: no bound. What comes from the Store costs nothing."""

    requests: int | None = None
    tokens: int | None = None
    """Of prompts and completions together."""
    cost: float | None = None
    """In the currency of the tariff."""


class Budget:
    """Counts what is spent, and keeps the bounds.

    Before a call begins, three amounts are added: what is spent, the most that the calls under way can take, and the
    most that the new call can take. The call begins only if the sum is within every bound. The most that a call can
    take is its `max_tokens` plus what the backend counts in its prompt. A prompt that nobody counts is taken for a
    token a byte, three to four times what English takes. So near the bound a call may wait, the last calls run one by
    one, and a command stops short of the bound by less than one call can take. This trusts the endpoint to keep to
    `max_tokens`, to say what it used, and to hide no text around a prompt. (Batches begin with one direct call, which
    is set aside at their price.)

    A refused call counts as a request without tokens. Calls that find out what the endpoint takes count once they are
    sent; only they may pass the bound on requests. A call that was sent and got no usable answer (a timeout, a cut
    connection, no usage) may still be charged. It counts with the most it can take, as `doubtful`.
    """

    def __init__(
        self,
        bounds: Bounds = Bounds(),
        tariff: Tariff | None = None,
        *,
        batch: bool = False,
        count_tokens: Callable[[Sequence[Message]], int | None] | None = None,
    ) -> None:
        """`batch` says that calls go through a Batch API, at its price."""
        self.bounds, self.tariff, self.batch = bounds, tariff, batch
        self._count_tokens = count_tokens
        self.requests = 0
        """Calls sent."""
        self.spent = NOTHING
        """What the calls that were answered took."""
        self.doubtful = NOTHING
        self._of_batches = NOTHING
        self._under_way = 0
        self._reserved = NOTHING
        self._excess = NOTHING
        """By how much one call has taken more than it may."""
        self._turn, self._released = asyncio.Lock(), asyncio.Event()
        self._reached = ""

    @property
    def cost(self) -> float | None:
        """The money spent; None without a tariff."""
        return None if self.tariff is None else self.tariff.cost(self.spent, self._of_batches)

    def money(self) -> str:
        """Return the money spent, with its currency; empty without a tariff."""
        return "" if self.tariff is None or self.cost is None else self.tariff.show(self.cost)

    def describe(self) -> str:
        """Return what is spent, in a few words."""
        said = f"{self.spent.prompt_tokens:,} prompt and {self.spent.completion_tokens:,} completion tokens"
        said += f", {self.money()}" if self.tariff else ""
        if self.doubtful == NOTHING:
            return said
        more = f"{_tokens(self.doubtful):,} tokens"
        more += "" if self.tariff is None else f", {self.tariff.show(self._priced(self.doubtful))},"
        return f"{said}; perhaps {more} more for calls that did not say what they took"

    def to_dict(self, since: Budget | None = None) -> dict[str, Any]:
        """Return what is spent, and the prices, as JSON values for the manifest.

        `since` is a copy of this budget: what it had counted is left out.
        """
        before = since or Budget()
        spent = {"requests": self.requests - before.requests, **asdict(self.spent - before.spent)}
        if (doubtful := self.doubtful - before.doubtful) != NOTHING:
            money = {} if self.tariff is None else {"cost": round(self._priced(doubtful), 9)}
            spent["doubtful"] = asdict(doubtful) | money
        if self.tariff is None or self.cost is None:
            return {"spent": spent}
        money = {"cost": round(self.cost - (before.cost or 0.0), 9), "currency": self.tariff.currency}
        return {"spent": spent | money, "prices": self.tariff.to_dict()}

    def add(self, requests: int, spent: Usage, doubtful: Usage) -> None:
        """Count what was spent without being set aside here: by another process, or by a backend that learns."""
        self.requests += requests
        self.spent += spent
        self.doubtful += doubtful

    async def reserve(self, request: Request) -> Usage:
        """Return the most that the call may take, set aside until `release`; nothing where there is no bound.

        Waits while calls under way may still make room, in the order of asking. Raises BoundReachedError when none is
        under way and the bound could be passed, and from then on always.
        """
        if self.bounds == Bounds():
            most = NOTHING
        else:
            most = self.most(request)
            async with self._turn:
                while not self._reached and (passed := self._passed_by(most)):
                    if not self._under_way:
                        self._reached = passed
                        break
                    self._released.clear()
                    await self._released.wait()
            if self._reached:
                raise BoundReachedError(
                    f"stopped before the call that could pass {self._reached}; spent: {self.requests} requests, "
                    f"{self.describe()}\n"
                    "  hint: what was answered is saved; the same command goes on, with as much again or a higher bound"
                )
        self.requests += 1
        self._under_way += 1
        self._reserved += most
        return most

    def release(self, reserved: Usage, spent: Usage, doubtful: Usage, *, batch: bool) -> None:
        """Count a call that has ended, and free what was set aside for it; `batch` says by which price it is paid."""
        self._under_way -= 1
        self._reserved -= reserved
        if reserved != NOTHING:
            over, known = spent - reserved, self._excess
            self._excess = Usage(
                max(known.prompt_tokens, over.prompt_tokens), 0, max(known.completion_tokens, over.completion_tokens)
            )
        self.spent += spent
        self._of_batches += spent if batch else NOTHING
        self.doubtful += doubtful
        self._released.set()

    def most(self, request: Request) -> Usage:
        """Return the most that a call may take."""
        prompt = None if self._count_tokens is None else self._count_tokens(request.messages)
        if prompt is None:
            # A schema is part of what some endpoints charge for.
            texts = [
                *(message.content for message in request.messages),
                request.structured.spec if request.structured else "",
            ]
            prompt = most_tokens(texts)
        return Usage(prompt_tokens=prompt, completion_tokens=request.sampling.max_tokens)

    def _passed_by(self, most: Usage) -> str:
        """Return the bound that another call of this size could pass, or an empty text."""
        bounds, over = self.bounds, self._excess
        beside = Usage(over.prompt_tokens * self._under_way, 0, over.completion_tokens * self._under_way)
        most += over
        open_ended = self.doubtful + self._reserved + beside + most
        if bounds.requests is not None and self.requests + 1 > bounds.requests:
            return f"--max-requests {bounds.requests}"
        if bounds.tokens is not None and _tokens(self.spent + open_ended) > bounds.tokens:
            return f"--max-total-tokens {bounds.tokens} (it may take {_tokens(most):,}{self._warning})"
        if bounds.cost is None or self.tariff is None or self.cost is None:
            return ""
        if self.cost + self._priced(open_ended) > bounds.cost:
            return f"--max-cost {bounds.cost:g} (it may take {self.tariff.show(self._priced(most))}{self._warning})"
        return ""

    @property
    def _warning(self) -> str:
        return "" if self._excess == NOTHING else f": one call took {_tokens(self._excess):,} tokens more than it may"

    def _priced(self, usage: Usage) -> float:
        """Return the money for what is not, or may not be, paid yet."""
        return 0.0 if self.tariff is None else self.tariff.price(batch=self.batch).cost(usage)


def _tokens(usage: Usage) -> int:
    return usage.prompt_tokens + usage.completion_tokens


class Metered(WrappedBackend):
    """A backend whose calls a Budget counts."""

    def __init__(self, backend: Backend, budget: Budget) -> None:
        super().__init__(backend)
        self._budget, self._beside = budget, backend.sent_beside

    async def answer(self, request: Request) -> Response:
        """Return the Response; raises BoundReachedError when the call could pass a bound, else as the backend does."""
        if self._backend.holds(request) is not None:
            # A replay: there is nothing to pay.
            return await self._backend.answer(request)
        reserved = await self._budget.reserve(request)
        spent, doubtful, batch = NOTHING, True, False
        try:
            response = await self._backend.answer(request)
            spent, doubtful, batch = response.usage, response.usage == NOTHING, response.batch
            return response
        except BackendError as error:
            doubtful = error.charged
            raise
        finally:
            before, self._beside = self._beside, self._backend.sent_beside
            self._budget.add(self._beside - before, NOTHING, NOTHING)
            lost = self._budget.most(request) if doubtful else NOTHING
            self._budget.release(reserved, spent, lost, batch=batch)
