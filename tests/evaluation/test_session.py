"""The session works where the caller's thread runs an event loop of its own, and ends what it began."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
from pathlib import Path

import pytest

from llmrank.engine import StopSignal
from llmrank.errors import FatalBackendError, InputError, MissingError
from llmrank.evaluation.session import EventLoop, Session, open_store
from llmrank.evaluation.settings import Limits, ModelSettings
from llmrank.store import Store
from llmrank.types import Message, Request, Response


def loops() -> int:
    return sum(thread.name == "llmrank" for thread in threading.enumerate())


async def test_work_is_waited_for_inside_a_running_event_loop() -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 7

    loop = EventLoop()
    assert loop.run(work()) == 7
    loop.close()


def test_a_session_ends_its_thread() -> None:
    before = loops()
    with Session.without_model() as session:
        assert loops() == before + 1
        assert session.backend.identity is not None
    assert loops() == before


def test_a_session_that_cannot_open_ends_its_thread() -> None:
    before = loops()
    with pytest.raises(InputError, match="price"):
        Session(ModelSettings(), Limits(max_cost=1.0))
    assert loops() == before


def test_an_endpoint_that_only_the_environment_names_is_not_asked_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:1/v1")
    told: list[str] = []
    with pytest.raises((InputError, MissingError)):
        Session(ModelSettings(model="no such model"), say=told.append)
    assert "Use --backend openai for the endpoint" in told[0]


def test_a_store_that_is_taken_away_while_it_is_used_is_told(tmp_path: Path) -> None:
    asked, kept, told = tmp_path / "asked.sqlite", tmp_path / "kept.sqlite", list[str]()
    with Store(asked) as store:
        store.put("key", {"model": "m"}, Request((Message("user", "?"),)), Response("!"))
    settings = ModelSettings(model="m", backend=f"replay:{asked}", store=kept)
    with Session(settings, say=told.append):
        pass
    assert not told
    with Session(settings, say=told.append):
        kept.unlink()
    assert told == [f"{kept} was removed or replaced while in use: the new answers were not kept"]


def test_a_failure_in_the_loop_is_raised_where_it_is_waited_for() -> None:
    async def work() -> None:
        raise InputError("wrong", hint="right")

    loop = EventLoop()
    with pytest.raises(InputError, match="wrong"):
        loop.run(work())
    loop.close()


def test_what_is_here_to_stay_is_looked_through_again_only_once_the_session_is_closed() -> None:
    async def work(_: StopSignal) -> None:
        await asyncio.sleep(0)

    with Session.without_model() as session:
        session.run_to_end(work)
        assert gc.get_freeze_count() > 0
    assert gc.get_freeze_count() == 0


def test_open_store_makes_a_file(tmp_path) -> None:
    with open_store(tmp_path / "store.sqlite") as store:
        assert store.stats().responses == 0


@pytest.mark.parametrize("in_main_thread", [True, False])
def test_an_engine_that_ctrl_c_ends_while_it_loads_is_no_failure_of_its_own(in_main_thread: bool) -> None:
    """Also where the system delivers the signal to a thread other than the one that waits."""

    async def work(stop: StopSignal) -> None:
        if in_main_thread:
            os.kill(os.getpid(), signal.SIGINT)
        else:
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        while not stop.requested:
            await asyncio.sleep(0.01)
        raise FatalBackendError("Engine core initialization failed")

    with Session.without_model() as session, pytest.raises(KeyboardInterrupt):
        session.run_to_end(work)


@pytest.mark.parametrize("nested", [False, True])
def test_an_exit_in_the_loop_is_an_error_where_it_is_waited_for_and_the_loop_goes_on(nested: bool) -> None:
    async def leave() -> None:
        raise SystemExit("no license")

    async def work() -> None:
        await (asyncio.create_task(leave()) if nested else leave())

    async def later(_: StopSignal) -> None:
        await work()

    with Session.without_model() as session:
        for wait in (lambda: session.loop.run(work()), lambda: session.run_to_end(later)):
            with pytest.raises(InputError, match=r"tried to end the process: SystemExit\('no license'\)"):
                wait()
        assert session.loop.run(asyncio.sleep(0, 7)) == 7
