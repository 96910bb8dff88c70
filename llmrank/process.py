"""The process's relation to its parent: streams that may be closed or full, and the signals that stop it."""

from __future__ import annotations

import io
import os
import resource
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from typing_extensions import Buffer


OPEN_FILES = 10_240
"""Number of open files to allow, if the system does. macOS starts programs with 256, too few for 256 calls at once, and
grants at most this many."""


PUT_OFF, MOST_PUT_OFF = 0.05, 100
"""Seconds by which Ctrl-C is put off within an import, and how often."""


class _LossyStream(io.FileIO):
    """A stream whose reader may be gone: on a full disk, a closed pipe or a closed terminal."""

    def __init__(self, number: int, ignored: type[OSError]) -> None:
        super().__init__(number, "w", closefd=False)
        self._ignored = ignored

    def write(self, data: Buffer, /) -> int:
        """Return the number of bytes, including those that could not be written."""
        try:
            return super().write(data) or 0
        except self._ignored:
            return memoryview(data).nbytes


def prepare_for_command() -> None:
    """Prepare this process for a command: its streams, its signals, and the number of files it may open."""
    keep_streams()
    stop_as_by_ctrl_c()
    allow_open_files()


def allow_open_files() -> None:
    """Raise the soft limit of open files; connections count as such."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def keep_streams() -> None:
    """Replace stdout and stderr by streams whose loss does not end the command.

    A progress line that cannot be written must not stop billed calls. Neither must a reader of the result that has seen
    enough (`| head`): the command ends as it otherwise would, with the same exit code. Any other failure to write the
    result, such as a full disk, remains an error. A closed stream (`2>&-`) is opened on the null device; otherwise the
    next opened file, such as a Store, would get its number.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
    if sys.stdout is sys.__stdout__:
        sys.stdout = _stream(1, sys.stdout, BrokenPipeError, line_buffering=os.isatty(1))
    if sys.stderr is sys.__stderr__:
        sys.stderr = _stream(2, sys.stderr, OSError, line_buffering=True)
    for stream in (sys.stdout, sys.stderr):
        # If the encoding is not UTF-8, escape what it lacks, such as a minus sign, instead of failing.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _stream(number: int, now: TextIO | None, ignored: type[OSError], *, line_buffering: bool) -> TextIO:
    encoding = now.encoding if now else None
    return io.TextIOWrapper(io.BufferedWriter(_LossyStream(number, ignored)), encoding, line_buffering=line_buffering)


def stdout_fails() -> bool:
    """Return whether the remaining output to stdout cannot be written."""
    try:
        sys.stdout.flush()
    except OSError:
        return True
    return False


def stop_as_by_ctrl_c() -> None:
    """Make SIGTERM (a job scheduler) and SIGHUP (the terminal was closed) act like Ctrl-C: wait for the calls in
    flight, which are billed. An ignored SIGHUP (`nohup`) stays ignored."""
    put_off = iter(range(MOST_PUT_OFF))

    def interrupted(_number: int, frame: FrameType | None) -> None:
        # Within an import, a KeyboardInterrupt may be swallowed, or reported as a library's own error.
        if _imports(frame) and next(put_off, None) is not None:
            signal.setitimer(signal.ITIMER_REAL, PUT_OFF)
        else:
            raise KeyboardInterrupt

    # A shell makes background commands ignore SIGINT; anyone who sends one explicitly means it.
    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGALRM, lambda _number, _frame: signal.raise_signal(signal.SIGINT))
    signal.signal(signal.SIGTERM, _stop)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, _stop)


def forget_interrupt() -> None:
    """Forget a Ctrl-C that was put off: the command has ended."""
    signal.setitimer(signal.ITIMER_REAL, 0)


def _imports(frame: FrameType | None) -> bool:
    """Return whether a module is being imported."""
    while frame is not None and frame.f_code.co_filename != "<frozen importlib._bootstrap>":
        frame = frame.f_back
    return frame is not None


def _stop(_number: int, _frame: FrameType | None) -> None:
    # Both the system and the shell send SIGHUP when a terminal closes, and a second Ctrl-C would wait for no call.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.raise_signal(signal.SIGINT)
