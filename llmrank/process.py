"""What a command shares with whoever started it: streams that may be closed or full, and the signals that end it."""

from __future__ import annotations

import io
import os
import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from typing_extensions import Buffer


class _Unheard(io.FileIO):
    """Writes where nobody may read: a disk that is full, a pipe or a terminal that has gone."""

    def __init__(self, number: int, ignored: type[OSError]) -> None:
        super().__init__(number, "w", closefd=False)
        self._ignored = ignored

    def write(self, data: Buffer, /) -> int:
        """Return how many bytes went, those that nobody gets included."""
        try:
            return super().write(data) or 0
        except self._ignored:
            return memoryview(data).nbytes


def keep_streams() -> None:
    """Make stdout and stderr streams that what is done for them does not end with.

    A line of progress that cannot be written is no reason to stop calls that are paid for. Nor is a reader of the
    result that has seen enough (`| head`): the command ends as it would have ended, with the same exit code. Whatever
    else keeps the result from being written, such as a full disk, stays an error. A stream that was closed (`2>&-`)
    leads nowhere: the next file to be opened, a Store, would else have its number.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    if sys.stdout is sys.__stdout__:
        sys.stdout = _stream(1, sys.stdout, BrokenPipeError, line_buffering=os.isatty(1))
    if sys.stderr is sys.__stderr__:
        sys.stderr = _stream(2, sys.stderr, OSError, line_buffering=True)
    for stream in (sys.stdout, sys.stderr):
        # Of a console or a pipe that is not UTF-8: what it does not know, such as a minus sign, is no reason to stop.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _stream(number: int, now: TextIO | None, ignored: type[OSError], *, line_buffering: bool) -> TextIO:
    encoding = now.encoding if now else None
    return io.TextIOWrapper(io.BufferedWriter(_Unheard(number, ignored)), encoding, line_buffering=line_buffering)


def stdout_fails() -> bool:
    """Return whether what is left to write to stdout can't be written."""
    try:
        sys.stdout.flush()
    except OSError:
        return True
    return False


def stop_as_by_ctrl_c() -> None:
    """Let SIGTERM (a job scheduler) and SIGHUP (the terminal has gone) do what Ctrl-C does: the calls under way, which
    are paid for, are waited for. A SIGHUP that is ignored (`nohup`) stays so."""
    # A shell that starts a command in the background lets it ignore SIGINT; whoever sends one means it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _stop)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, _stop)


def _stop(_number: int, _frame: FrameType | None) -> None:
    # The system and the shell both send it when a terminal goes, and a second Ctrl-C waits for no call.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.raise_signal(signal.SIGINT)
