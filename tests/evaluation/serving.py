"""A scripted endpoint in a thread of its own, for tests that call the Python API as a person does."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from llmrank.evaluation.session import EventLoop
from llmrank.types import Case, Event, Item
from tests.scripted_server import ScriptedServer


@contextmanager
def serving(server: ScriptedServer) -> Generator[ScriptedServer]:
    """Run the server until the block ends."""
    loop = EventLoop()
    try:
        loop.run(server.__aenter__())
        yield server
        loop.run(server.__aexit__())
    finally:
        loop.close()


def cases(users: int = 6, candidates: int = 5) -> list[Case]:
    """Return Cases whose relevant item stands second in recall order."""
    return [
        Case(
            f"u{user}",
            (Event(Item("h", f"Seen by u{user}"), 4.0),),
            candidates=tuple(Item(f"i{place}", f"Film {place}") for place in range(candidates)),
            recall_scores=tuple(float(candidates - place) for place in range(candidates)),
            relevant=("i1",),
        )
        for user in range(users)
    ]
