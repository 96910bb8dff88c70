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

    Guaranteed: no call begins unless all that is spent, the most that the calls under way can take, and the most that
    the new call can take are within every bound. The most that a call can take is its `max_tokens`, and a prompt as
    long as the backend counts it; where it does not count, a token for each byte, which is three to four times what
    English takes. So a call may have to wait until those under way have shown what they really took, the last calls
    run one by one, and a command stops short of the bound by less than the most that one call can take. It rests on
    the endpoint: that it keeps to `max_tokens`, says what it used, and puts no hidden text around a prompt. (The one
    direct call that batches begin with is set aside at their price.)

    A refused call counts as a request without tokens. One that was sent and came to nothing (a timeout, a cut
    connection, an answer without its usage) may be charged for: it counts with the most it can take, as `doubtful`.
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
        tokens = f"{self.spent.prompt_tokens:,} prompt and {self.spent.completion_tokens:,} completion tokens"
        return f"{tokens}, {self.money()}" if self.tariff else tokens

    def to_dict(self, since: Budget | None = None) -> dict[str, Any]:
        """Return what is spent, and the prices, as JSON values for the manifest.

        `since` is a copy of this budget: what it had counted is left out.
        """
        before = since or Budget()
        spent = {"requests": self.requests - before.requests, **asdict(self.spent - before.spent)}
        if (doubtful := self.doubtful - before.doubtful) != NOTHING:
            spent["doubtful"] = asdict(doubtful)
        if self.tariff is None or self.cost is None:
            return {"spent": spent}
        money = {"cost": round(self.cost - (before.cost or 0.0), 9), "currency": self.tariff.currency}
        return {"spent": spent | money, "prices": self.tariff.to_dict()}

    def add(self, requests: int, spent: Usage, doubtful: Usage) -> None:
        """Count what another process has spent."""
        self.requests += requests
        self.spent += spent
        self.doubtful += doubtful

    async def reserve(self, request: Request) -> Usage:
        """Return the most that the call can take, set aside until `release`.

        Waits while calls under way may still make room, in the order of asking. Raises BoundReachedError when none is
        under way and the bound could be passed, and from then on always.
        """
        if self.bounds == Bounds():
            most = NOTHING
        else:
            most = self._most(request)
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
        self.spent += spent
        self._of_batches += spent if batch else NOTHING
        self.doubtful += doubtful
        self._released.set()

    def _most(self, request: Request) -> Usage:
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
        bounds, open_ended = self.bounds, self.doubtful + self._reserved + most
        usage = self.spent + open_ended
        if bounds.requests is not None and self.requests + 1 > bounds.requests:
            return f"--max-requests {bounds.requests}"
        if bounds.tokens is not None and usage.prompt_tokens + usage.completion_tokens > bounds.tokens:
            return f"--max-total-tokens {bounds.tokens} (it may take {most.prompt_tokens + most.completion_tokens:,})"
        if bounds.cost is not None and self.tariff is not None and self.cost is not None:
            price = self.tariff.price(batch=self.batch)
            if self.cost + price.cost(open_ended) > bounds.cost:
                return f"--max-cost {bounds.cost:g} (it may take {self.tariff.show(price.cost(most))})"
        return ""


class Metered(WrappedBackend):
    """A backend whose calls a Budget counts."""

    def __init__(self, backend: Backend, budget: Budget) -> None:
        super().__init__(backend)
        self._budget = budget

    async def answer(self, request: Request) -> Response:
        """Return the Response; raises BoundReachedError when the call could pass a bound, else as the backend does."""
        reserved = await self._budget.reserve(request)
        spent, doubtful, batch = NOTHING, reserved, False
        try:
            response = await self._backend.answer(request)
            batch = response.batch
            if response.usage != NOTHING:
                spent, doubtful = response.usage, NOTHING
            return response
        except BackendError as error:
            doubtful = reserved if error.charged else NOTHING
            raise
        finally:
            self._budget.release(reserved, spent, doubtful, batch=batch)
