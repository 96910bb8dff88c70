"""The effect of each endpoint fault, as a Markdown table: `python -m tests.benchmarks.faults`."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from tests.engine.faults import CASES, FAULTS, Met, meet


def cell(met: Met) -> str:
    effect = " ".join(met.effect.split()).replace("the endpoint ", "")
    effect = effect if len(effect) <= 60 else effect[:57] + "…"
    return f"{effect} | {met.calls} | {met.others} of {CASES - 1}"


async def main() -> None:
    print(
        f"{CASES} Cases; the endpoint does it to one of them, once or at every call. Waits are run 200 times as fast.\n"
    )
    print("| fault | once: its Case | calls | others done | at every call: its Case | calls | others done |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for fault in FAULTS:
            once = await meet(fault, Path(folder), lasting=False)
            lasting = await meet(fault, Path(folder), lasting=True)
            print(f"| {fault.name} | {cell(once)} | {cell(lasting)} |")


if __name__ == "__main__":
    asyncio.run(main())
