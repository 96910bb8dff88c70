"""Each fault of real endpoints has its effect, on its own Case alone; none becomes an answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmrank.backends.openai import open_openai
from llmrank.engine import Caller, CaseResult, Clock, RetryPolicy, rank_all
from llmrank.errors import FatalBackendError
from llmrank.rankers.listwise import Listwise
from llmrank.store import Store
from llmrank.types import Case, Event, Item
from tests.rankers.oracle import prompt
from tests.scripted_server import MODEL, ScriptedServer, Step, good, refused

from .faults import ANSWER, CASES, FAULTS, SPEED, Fault, meet

MET = [(fault, lasting) for fault in FAULTS for lasting in (False, True)]


@pytest.mark.parametrize(
    ("fault", "lasting"), MET, ids=[f"{fault.name}, {'lasting' if lasting else 'once'}" for fault, lasting in MET]
)
async def test_a_fault_has_its_effect_and_no_other(
    fault: Fault, lasting: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    met = await meet(fault, tmp_path, lasting=lasting)
    # What the server says of a client that has left is its own affair; the client leaves no exception behind.
    noise = [record.getMessage() for record in caplog.records if record.name in ("asyncio", "aiohttp.client")]
    assert not [line for line in noise if "socket.send()" not in line]
    effect, least = (fault.lasting, fault.calls_lasting) if lasting else (fault.once, fault.calls_once)
    outcome, _, reason = effect.partition(": ")
    assert met.effect.startswith(outcome) and any(text in met.effect for text in reason.split("|"))
    most = 40 if lasting and fault.name.startswith(("429", "503: ")) and least > 1 else least
    assert least <= met.calls <= most
    assert sum(met.retries.values()) == (met.calls - 1 if "unsupported" not in fault.name else 0)
    if outcome == "stops":
        assert len(met.stored) == met.others
        return
    assert met.others == CASES - 1, "the others are done"
    # What the model said is stored, however little it is worth; what went wrong on the way is not.
    assert len(met.stored) == CASES - (outcome == "error")
    if not fault.labels and not fault.name.startswith("text: ") and outcome in ("ok", "error"):
        assert set(met.stored) == {ANSWER}


async def test_a_key_that_is_revoked_in_the_middle_ends_the_run_soon(tmp_path: Path) -> None:
    asked = 0

    def answer(_: object) -> Step:
        nonlocal asked
        asked += 1
        return good(ANSWER) if asked <= 20 else refused(401, "revoked")

    cases = [
        Case(f"u{n}", (Event(Item("h", f"Seen by u{n}")),), tuple(Item(f"i{m}", f"Film {m}") for m in range(3)))
        for n in range(60)
    ]
    done: list[CaseResult] = []
    async with ScriptedServer(answer=answer) as server:
        backend = await open_openai(server.base_url, MODEL, api_key="sk-secret")
        with Store(tmp_path / "s.sqlite") as store:
            caller = Caller(backend, store, 8, RetryPolicy(patience=3600.0), Clock(SPEED))
            with pytest.raises(FatalBackendError, match=r"rejects the key \(401\): revoked\n  hint"):
                await rank_all(cases, Listwise(prompt("rankgpt")), caller, arrange=lambda case: case, done=done.append)
        await backend.close()
    assert sum(one.ranking.outcome == "ok" for one in done) == 20
    assert asked < 200, "no call is made again for an hour"
