"""Ctrl-C: the first time the work under way is given up in good order, the second time the process ends at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Coroutine
from types import FrameType

import click

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def interruptible(runner: asyncio.Runner, work: Coroutine[None, None, None]) -> None:
    """Do the work; the first Ctrl-C (or SIGTERM) cancels it and raises KeyboardInterrupt, the next ends the process.

    What was answered lies in the Store and in the Run by then, line by line, so that nothing is left to save.
    """
    if threading.current_thread() is not threading.main_thread():
        runner.run(work)
        return
    interrupted = False

    async def watched() -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()

        def give_up(number: int, frame: FrameType | None) -> None:
            nonlocal interrupted
            interrupted = True
            for one in SIGNALS:
                signal.signal(one, _stop_at_once)
            click.echo("interrupted: closing; once more stops at once", err=True)
            if task is not None:
                task.cancel()
            loop.call_soon_threadsafe(lambda: None)  # wakes a loop that waits for the network

        before = [signal.signal(one, give_up) for one in SIGNALS]
        try:
            await work
        finally:
            if not interrupted:
                for one, handler in zip(SIGNALS, before, strict=True):
                    signal.signal(one, handler)

    try:
        runner.run(watched())
    except asyncio.CancelledError as error:
        raise KeyboardInterrupt from error


def _stop_at_once(number: int, frame: FrameType | None) -> None:
    import multiprocessing

    # An engine's processes would go on without this one.
    for child in multiprocessing.active_children():
        child.kill()
    show_cursor = "\x1b[?25h" if sys.stderr.isatty() else ""  # the progress bar had hidden it
    os.write(2, f"{show_cursor}stopped at once; what was answered is saved, and the same command continues\n".encode())
    os._exit(130)
