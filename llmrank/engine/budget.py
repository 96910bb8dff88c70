"""What a command spends, and the bounds it must respect."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from llmrank.backends.base import WrappedBackend
from llmrank.errors import BackendError, BoundReachedError, count_of
from llmrank.prices import Tariff
from llmrank.rankers.prompt import most_tokens
from llmrank.types import Backend, Message, Request, Response, Spending, Usage

NOTHING, ONE_REQUEST = Usage(), Spending(1)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that one command may spend; None: unlimited. Answers from the Store cost nothing."""

    requests: int | None = None
    tokens: int | None = None
    """Prompt and completion tokens together."""
    cost: float | None = None
    """In the tariff's currency."""


class Budget:
    """Counts spending and enforces the bounds.

    Before a call starts, three amounts are added: what has been spent, the most that the calls in flight can use, and
    the most that the new call can use. The call starts only if the sum is within every bound. The most that a call can
    use is its `max_tokens` plus the backend's count of its prompt tokens. If the backend cannot count, each byte counts
    as a token, three to four times the usual number for English. Near a bound, calls may therefore wait, the last ones
    run one at a time, and the command stops short of the bound by less than one call. This relies on the endpoint to
    respect `max_tokens`, to report its usage, and to add no hidden text to a prompt. (Batches start with one direct
    call, which is reserved at the batch price.)

    A refused call counts as a request without tokens. Calls that find out what the endpoint supports are counted once
    they are sent; only they can exceed the bound on requests. So if there is one, calls go one at a time until the
    first is answered: others would find out the same. A call that was sent but got no usable answer (a timeout,
    a dropped connection, no usage) may still be billed, so the most it can use is counted as `doubtful`.
    """

    def __init__(
        self,
        bounds: Bounds = Bounds(),
        tariff: Tariff | None = None,
        *,
        batch: bool = False,
        count_tokens: Callable[[Sequence[Message]], int | None] | None = None,
    ) -> None:
        """`batch` says that calls go through a Batch API and are billed at its price."""
        self.bounds, self.tariff, self.batch = bounds, tariff, batch
        self._is_bounded = bounds != Bounds()
        self._count_tokens = count_tokens
        self.spent = Spending()
        self._in_flight = 0
        self._reserved = NOTHING
        self._excess = NOTHING
        """The largest excess of a call over what was reserved for it."""
        self._turn, self._released = asyncio.Lock(), asyncio.Event()
        self._bound_reached = ""
        self._one_at_a_time = bounds.requests is not None and not batch  # batches send one call first themselves

    @property
    def cost(self) -> float | None:
        """The money spent; None without a tariff."""
        return None if self.tariff is None else self.tariff.cost(self.spent.usage, self.spent.of_batches)

    def describe(self) -> str:
        """Return a one-line summary of what was spent."""
        usage, doubtful = self.spent.usage, self.spent.doubtful
        text = f"{usage.prompt_tokens:,} prompt and {count_of(usage.completion_tokens, 'completion token')}"
        more = count_of(_tokens(doubtful), "token")
        if self.tariff is not None:
            text += f", {self.tariff.show(self.cost or 0.0)}"
            more += f", {self.tariff.show(self._priced(doubtful))}"
        if doubtful == NOTHING:
            return text
        return f"{text}; calls that reported no usage may have cost another {more}"

    def to_dict(self, before: Spending | None = None) -> dict[str, Any]:
        """Return what was spent after `before`, and the prices, as JSON values for the manifest."""
        since = self.spent - (before or Spending())
        spent = {"requests": since.requests, **asdict(since.usage)}
        if since.doubtful != NOTHING:
            money = {} if self.tariff is None else {"cost": round(self._priced(since.doubtful), 9)}
            spent["doubtful"] = asdict(since.doubtful) | money
        if self.tariff is None:
            return {"spent": spent}
        cost = round(self.tariff.cost(since.usage, since.of_batches), 9)
        return {"spent": {**spent, "cost": cost, "currency": self.tariff.currency}, "prices": self.tariff.to_dict()}

    async def reserve(self, request: Request) -> Usage:
        """Reserve, and return, the most that the call may use, until `release`; nothing if there are no bounds.

        If the bound could be exceeded, calls wait in order while others in flight may still free some of it. When none
        is in flight, BoundReachedError is raised, and from then on always.
        """
        most = NOTHING
        if self._is_bounded:
            most = self.most(request)
            async with self._turn:
                while self._in_flight and (self._one_at_a_time or self._exceeded_bound(most)):
                    self._released.clear()
                    await self._released.wait()
                self._bound_reached = self._bound_reached or self._exceeded_bound(most)
            if self._bound_reached:
                raise BoundReachedError(
                    f"stopped before a call that could exceed {self._bound_reached}; spent: "
                    f"{count_of(self.spent.requests, 'request')}, {self.describe()}\n"
                    "  hint: all answers are saved; the same command continues, with a fresh budget or a higher bound"
                )
            self._reserved += most
        self.spent += ONE_REQUEST
        self._in_flight += 1
        return most

    def release(self, reserved: Usage, spent: Spending, *, answered: bool) -> None:
        """Count what a finished call has used, and release its reservation."""
        self._in_flight -= 1
        self._one_at_a_time &= not answered
        if self._is_bounded:
            self._reserved -= reserved
            over, known = spent.usage - reserved, self._excess
            self._excess = Usage(
                max(known.prompt_tokens, over.prompt_tokens), 0, max(known.completion_tokens, over.completion_tokens)
            )
        self.spent += spent
        self._released.set()

    def most(self, request: Request) -> Usage:
        """Return the most that a call may use."""
        prompt = None if self._count_tokens is None else self._count_tokens(request.messages)
        if prompt is None:
            # Some endpoints also bill the schema.
            texts = [
                *(message.content for message in request.messages),
                request.structured.spec if request.structured else "",
            ]
            prompt = most_tokens(texts)
        return Usage(prompt_tokens=prompt, completion_tokens=request.sampling.max_tokens)

    def _exceeded_bound(self, most: Usage) -> str:
        """Return the bound that another call of this size could exceed, or an empty string."""
        bounds, over = self.bounds, self._excess
        beside = Usage(over.prompt_tokens * self._in_flight, 0, over.completion_tokens * self._in_flight)
        most += over
        pending = self.spent.doubtful + self._reserved + beside + most
        if bounds.requests is not None and self.spent.requests + 1 > bounds.requests:
            return f"--max-requests {bounds.requests}"
        if bounds.tokens is not None and _tokens(self.spent.usage + pending) > bounds.tokens:
            return f"--max-total-tokens {bounds.tokens} (it may take {_tokens(most):,}{self._warning})"
        if bounds.cost is None or self.tariff is None or self.cost is None:
            return ""
        if self.cost + self._priced(pending) > bounds.cost:
            return f"--max-cost {bounds.cost:g} (it may take {self.tariff.show(self._priced(most))}{self._warning})"
        return ""

    @property
    def _warning(self) -> str:
        excess = count_of(_tokens(self._excess), "token")
        return "" if self._excess == NOTHING else f": one call exceeded its limit by {excess}"

    def _priced(self, usage: Usage) -> float:
        """Return the price of usage that has not been, or may not have been, billed."""
        return 0.0 if self.tariff is None else self.tariff.price(batch=self.batch).cost(usage)


def _tokens(usage: Usage) -> int:
    return usage.prompt_tokens + usage.completion_tokens


class Metered(WrappedBackend):
    """A backend whose calls are counted by a Budget."""

    def __init__(self, backend: Backend, budget: Budget) -> None:
        super().__init__(backend)
        self._budget, self._beside = budget, backend.sent_beside

    async def answer(self, request: Request) -> Response:
        """Return the Response. Raises BoundReachedError if the call could exceed a bound, else as the backend does."""
        if self._backend.holds(request) is not None:
            # A replay is free.
            return await self._backend.answer(request)
        reserved = await self._budget.reserve(request)
        usage, doubtful, batch, answered = NOTHING, True, False, False
        try:
            response = await self._backend.answer(request)
            usage, doubtful, batch, answered = response.usage, response.usage == NOTHING, response.batch, True
            return response
        except BackendError as error:
            doubtful = error.charged
            raise
        finally:
            before, self._beside = self._beside, self._backend.sent_beside
            lost = self._budget.most(request) if doubtful else NOTHING
            spent = Spending(self._beside - before, usage, usage if batch else NOTHING, lost)
            self._budget.release(reserved, spent, answered=answered)
