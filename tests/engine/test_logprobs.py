"""Answers without the log-probabilities that were asked for, and who can do without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from llmrank.backends import BaseBackend
from llmrank.engine import Caller, Clock
from llmrank.errors import FatalBackendError
from llmrank.store import Store, keyed
from llmrank.types import Capabilities, Failure, Message, Request, Response, Sampling

WANTED = Request((Message("user", "Which?"),), Sampling(max_tokens=1), labels=("A", "B"))
READS_TEXT_TOO = Request((Message("user", "Yes or no?"),), Sampling(max_tokens=4), labels=("Yes", "No"))
LACKING, WHOLE = Response("A"), Response("A", label_logprobs={"A": -0.5, "B": -1.0})


class Gives(BaseBackend):
    """Gives these answers, one after another, and the last one for ever."""

    identity: Mapping[str, str] = {"kind": "gives"}

    def __init__(self, *responses: Response, labels: int = 20, replays: bool = False) -> None:
        self.responses, self.labels, self.replays, self.asked = list(responses), labels, replays, 0

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(self.labels)

    def holds(self, request: Request) -> bool | None:
        return True if self.replays else None

    async def answer(self, request: Request) -> Response:
        self.asked += 1
        return self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]


@pytest.fixture
def store() -> Iterator[Store]:
    with Store(Path(":memory:")) as store:
        yield store


async def test_it_is_asked_for_again_and_never_stored(store: Store) -> None:
    [exchange] = await Caller(Gives(LACKING, LACKING, WHOLE), store, 1, clock=Clock(1000.0)).ask([WANTED])
    assert exchange.reply == WHOLE
    other = Request((Message("user", "And now?"),), Sampling(max_tokens=1), labels=("A", "B"))
    [exchange] = await Caller(Gives(LACKING), store, 1, clock=Clock(1000.0)).ask([other])
    assert isinstance(exchange.reply, Failure) and "lacks the log-probabilities" in exchange.reply.reason
    assert store.stats().responses == 1


async def test_what_an_earlier_version_stored_is_asked_again(store: Store) -> None:
    backend = Gives(WHOLE)
    store.put_keyed(keyed(backend.identity, WANTED), LACKING)
    caller = Caller(backend, store, 1)
    assert [(await caller.ask([WANTED]))[0].reply for _ in range(2)] == [WHOLE, WHOLE]
    assert backend.asked == 1


@pytest.mark.parametrize(
    ("request_", "backend"),
    [
        (READS_TEXT_TOO, Gives(LACKING)),
        (WANTED, Gives(LACKING, replays=True)),
        (WANTED, Gives(Response("", label_logprobs={}))),
    ],
    ids=["the text is read where there are none", "a replay has no better one", "none of the labels is likely"],
)
async def test_all_else_is_an_answer(request_: Request, backend: Gives, store: Store) -> None:
    [exchange] = await Caller(backend, store, 1).ask([request_])
    assert isinstance(exchange.reply, Response) and backend.asked == 1


async def test_an_endpoint_that_now_refuses_them_ends_the_run(store: Store) -> None:
    with pytest.raises(FatalBackendError, match="no longer returns log-probabilities"):
        await Caller(Gives(LACKING, labels=0), store, 1).ask([WANTED])
