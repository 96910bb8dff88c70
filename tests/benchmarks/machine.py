"""The context of a benchmark's figures: machine, date and command; and a table of them."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def heading(what: str, command: str, *packages: str) -> str:
    """Return what was measured, the machine with its load and versions, and how to repeat it: one line each."""
    found: list[str] = []
    for name in ("llmrank", *packages):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return "\n".join(
        (
            what,
            f"machine   {len(os.sched_getaffinity(0))} cores, {_processor()}, {memory:.0f} GiB, "
            f"load {os.getloadavg()[0]:.1f} at the end; {datetime.now(UTC):%Y-%m-%d}",
            f"versions  Python {platform.python_version()}, {', '.join(found)}",
            f"repeat    {command}",
        )
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table whose columns are aligned, so that it reads well as plain text too."""
    cells = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join((lines[0], rule, *lines[1:]))


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
