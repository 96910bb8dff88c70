"""Each fault of real endpoints has its effect, on its own Case alone; none becomes an answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from .faults import ANSWER, CASES, FAULTS, Fault, meet

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
