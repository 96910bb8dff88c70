"""Ctrl-C: the first stops new calls and lets those under way finish, the second stops at once, the third ends the
process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from types import FrameType

import click

from llmrank.engine.stop import StopSignal
from llmrank.errors import StoppedError

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def interruptible(runner: asyncio.Runner, work: Callable[[StopSignal], Coroutine[None, None, None]]) -> None:
    """Do the work, which stops when the signal asks for it; then raise KeyboardInterrupt.

    What was answered lies in the Store and in the Run by then, line by line, so that nothing is left to save.
    """
    stop = StopSignal()
    if threading.current_thread() is not threading.main_thread():
        runner.run(work(stop))
        return

    def give_up(number: int, frame: FrameType | None) -> None:
        if stop.at_once:
            _end_process()
        stop.request()
        if stop.at_once:
            line = "Interrupted again: stopping without waiting. Press Ctrl-C again to end the process."
        else:
            line = f"Interrupted: waiting up to {stop.seconds:.0f} s for the calls under way. Press Ctrl-C again to"
            line += " stop at once."
        click.echo(line, err=True)

    async def watched() -> None:
        before = [signal.signal(one, give_up) for one in SIGNALS]
        try:
            await work(stop)
        finally:
            for one, handler in zip(SIGNALS, before, strict=True):
                signal.signal(one, handler)

    try:
        runner.run(watched())
    except StoppedError as error:
        raise KeyboardInterrupt from error


def _end_process() -> None:
    import multiprocessing

    # An engine's processes would go on without this one.
    for child in multiprocessing.active_children():
        child.kill()
    show_cursor = "\x1b[?25h" if sys.stderr.isatty() else ""  # the progress bar had hidden it
    os.write(2, f"{show_cursor}stopped at once; what was answered is saved, and the same command continues\n".encode())
    os._exit(130)
