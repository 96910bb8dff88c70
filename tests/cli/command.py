"""The command line in a process of its own, as a person runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.scripted_server import MODEL

ROOT = Path(__file__).resolve().parent.parent.parent


def command(*arguments: str) -> list[str]:
    """Return the command that runs this checkout's llmrank."""
    return [sys.executable, "-m", "llmrank", *arguments]


def environment(**more: str) -> dict[str, str]:
    """Return the environment in which `command` finds this checkout, wherever it runs."""
    return os.environ | {"PYTHONPATH": str(ROOT)} | more


def run(
    folder: Path, *arguments: str, before: Callable[[], None] | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a verb to its end; `before` is called in the new process before it begins."""
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=before,
    )


def asking(url: str, *arguments: str, concurrency: int = 8, store: str = "store.sqlite") -> tuple[str, ...]:
    """Return the arguments with those that say who is asked."""
    return (*arguments, "--base-url", url, "--model", MODEL, "--concurrency", f"{concurrency}", "--store", store)
