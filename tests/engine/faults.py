"""What real endpoints do wrong, each met by the whole engine: real HTTP, a real Store, a ranker and its parser.

Six Cases are ranked; the endpoint does the fault to one of them, once or for good, and answers the others.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from llmrank.backends.openai import open_openai
from llmrank.engine import Caller, CaseResult, Clock, RetryPolicy, rank_all
from llmrank.errors import LlmrankError
from llmrank.rankers.first_token import FirstToken
from llmrank.rankers.listwise import Listwise
from llmrank.store import Store
from llmrank.types import Case, Event, Item
from tests.rankers.oracle import prompt
from tests.scripted_server import MODEL, ScriptedServer, Step, completion, good, refused

CASES = 6
STRICKEN = "Seen by u2"
SPEED = 200.0
"""How much faster the engine waits than it would: Retry-After 1m30s takes half a second."""
PATIENCE = 600.0
"""Seconds, as the engine counts them."""
TIMEOUT = 0.4
"""Seconds for one call; these are real."""
PAGE = "<html><head><title>Sign in</title></head><body>Proxy: please [3] sign in</body></html>"
ANSWER = "[2] > [1] > [3]"


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong."""

    name: str
    step: Callable[[], Step]
    once: str
    """What becomes of the Case when it happens once: its outcome and reason, or the error that ends the run."""
    calls_once: int
    """Calls made for that Case."""
    lasting: str
    """The same when it happens at every call."""
    calls_lasting: int
    """At least; a 429 is not counted while the other Cases get through."""
    labels: bool = False
    """Whether it is a ranker that reads log-probabilities."""


def judged(**logprobs: float) -> Step:
    """An answer with log-probabilities at its one token."""
    body = completion("A")
    top = [{"token": token, "logprob": value} for token, value in logprobs.items()]
    body["choices"][0]["logprobs"] = {"content": [{"token": "A", "logprob": -1.0, "top_logprobs": top}]}
    return Step(body=json.dumps(body))


def throttled(retry_after: str | None) -> Callable[[], Step]:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return lambda: refused(429, "slow down, [3] is first, try again", headers=headers)


def throttled_until() -> Step:
    return throttled(format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True))()


def always(step: Step) -> Callable[[], Step]:
    return lambda: step


OK, GIVEN_UP = "ok", "error: "
FAULTS = (
    Fault("429, Retry-After: 20", throttled("20"), OK, 2, GIVEN_UP + "answered 429", 6),
    Fault("429, Retry-After: a date", throttled_until, OK, 2, GIVEN_UP + "answered 429", 6),
    Fault("429, Retry-After: 1m30s", throttled("1m30s"), OK, 2, GIVEN_UP + "answered 429", 6),
    Fault("429, no Retry-After", throttled(None), OK, 2, GIVEN_UP + "answered 429", 6),
    Fault("429, Retry-After: 7200", throttled("7200"), GIVEN_UP + "answered 429", 1, GIVEN_UP + "answered 429", 1),
    Fault("500", always(refused(500)), OK, 2, GIVEN_UP + "answered 500", 6),
    Fault("502, a page", always(Step(502, PAGE)), OK, 2, GIVEN_UP + "answered 502", 6),
    Fault("503", always(refused(503, headers={"Retry-After": "10"})), OK, 2, GIVEN_UP + "answered 503", 6),
    Fault("silence", always(replace(good(), hang=2)), OK, 2, GIVEN_UP + "gave no answer within", 6),
    Fault("reset in the body", always(Step(reset=True)), OK, 2, GIVEN_UP + "no connection", 6),
    Fault("slow trickle", always(replace(good(), trickle=0.05)), OK, 2, GIVEN_UP + "gave no answer within", 6),
    Fault("invalid JSON", always(Step(body='{"choices": [{"m')), OK, 2, GIVEN_UP + "that is no JSON", 6),
    Fault("a proxy's page", always(Step(body=PAGE)), OK, 2, GIVEN_UP + "that is no JSON", 6),
    Fault("no choices", always(Step(body='{"choices": []}')), OK, 2, GIVEN_UP + "returned no choice", 6),
    Fault("null content", always(good(None)), "unparsed: empty", 1, "unparsed: empty", 1),
    Fault("a refusal", always(good(None, refusal="I can't")), "unparsed: refusal", 1, "unparsed: refusal", 1),
    Fault(
        "content filter",
        always(good(None, finish_reason="content_filter")),
        "unparsed: refusal",
        1,
        "unparsed: refusal",
        1,
    ),
    Fault(
        "content filter, 400",
        always(refused(400, "filtered", code="content_filter")),
        GIVEN_UP + "refuses this request",
        1,
        GIVEN_UP + "refuses this request",
        1,
    ),
    Fault("cut off", always(good("[2] > [", finish_reason="length")), "repaired", 1, "repaired", 1),
    Fault("a label too few", lambda: judged(A=-1.0, B=-0.5), "repaired", 1, "repaired", 1, labels=True),
    Fault("no log-probabilities", always(good("A")), "unparsed: label_missing", 1, "unparsed: label_missing", 1, True),
    Fault(
        "400, seed unsupported",
        always(refused(400, "Unsupported parameter: 'seed'", param="seed", code="unsupported_parameter")),
        OK,
        2,
        GIVEN_UP + "refuses this request",
        2,
    ),
    Fault("401", always(refused(401)), "stops: refuses the key", 1, "stops: refuses the key", 1),
    Fault("404, no such model", always(refused(404)), "stops: serves no model", 1, "stops: serves no model", 1),
)


@dataclass(frozen=True)
class Met:
    """What became of a fault."""

    effect: str
    """The stricken Case's outcome and reason, or the error that stopped the run."""
    calls: int
    """Calls made for the stricken Case."""
    others: int
    """Other Cases that are done and ok."""
    stored: tuple[str, ...]
    """Texts of the stored answers."""
    retries: Mapping[str, int]


async def meet(fault: Fault, folder: Path, *, lasting: bool) -> Met:
    """Rank six Cases at an endpoint that does this to one of them; Cases are asked two at a time."""
    stricken = 0
    well = judged(A=-1.0, B=-0.5, C=-3.0) if fault.labels else good(ANSWER)

    def answer(body: Mapping[str, Any]) -> Step:
        nonlocal stricken
        if STRICKEN not in body["messages"][-1]["content"]:
            return well
        stricken += 1
        return fault.step() if lasting or stricken == 1 else well

    ranker = FirstToken(prompt("first-token")) if fault.labels else Listwise(prompt("rankgpt"))
    items = tuple(Item(f"i{place}", f"Film {place}") for place in range(3))
    cases = [Case(f"u{n}", (Event(Item("h", f"Seen by u{n}")),), items) for n in range(CASES)]
    done: dict[str, CaseResult] = {}
    path = folder / f"{fault.name.replace('/', '-')}-{lasting}.sqlite"
    async with ScriptedServer(answer=answer) as server:
        # Where nothing is late on purpose, a busy machine must not make it so.
        late = bool(fault.step().hang or fault.step().trickle)
        timeout = TIMEOUT if late else 60.0
        backend = await open_openai(server.base_url, MODEL, timeout=timeout, api_key="sk-secret")
        with Store(path) as store:
            caller = Caller(backend, store, 2, RetryPolicy(patience=PATIENCE), Clock(SPEED))
            stopped = ""
            try:
                await rank_all(
                    cases,
                    ranker,
                    caller,
                    arrange=lambda case: case,
                    done=lambda one: done.update({one.case.user_id: one}),
                )
            except LlmrankError as error:
                stopped = f"stops: {error}"
        await backend.close()
    with sqlite3.connect(path) as database:
        stored = tuple(json.loads(text)["text"] for (text,) in database.execute("SELECT response FROM response"))
    case = done.pop("u2", None)
    reason = "" if case is None or not case.ranking.reason else f": {case.ranking.reason}"
    effect = (stopped if case is None else f"{case.ranking.outcome}{reason}").replace(server.base_url, "the endpoint")
    good_ones = sum(one.ranking.outcome == "ok" for one in done.values())
    retries = caller.account()["retries"]
    assert isinstance(retries, dict)
    return Met(effect, stricken, good_ones, stored, retries)
