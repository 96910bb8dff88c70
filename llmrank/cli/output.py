"""Printing results: as text, as a table, or with --json as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import click

from llmrank.errors import UNPRINTABLE, safe_for_console

if TYPE_CHECKING:
    from llmrank.run import Run


class Showable(Protocol):
    """A result that `str` turns into readable text."""

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-compatible values."""
        ...


def show(result: Showable, *, as_json: bool) -> None:
    """Print a result."""
    from llmrank.report import console
    from llmrank.run.tables import Shown

    if as_json:
        show_json(result.to_dict())
    else:
        click.echo(result.text(console().width) if isinstance(result, Shown) else result)


def show_json(value: object) -> None:
    """Print a JSON-compatible value; what could act on a terminal is escaped, as JSON allows."""
    click.echo(UNPRINTABLE.sub(lambda one: json.dumps(one[0])[1:-1], json.dumps(value, indent=2, ensure_ascii=False)))


def say(line: str) -> None:
    """Print a message on stderr."""
    click.echo(safe_for_console(line), err=True)


def show_rows(rows: Sequence[Mapping[str, object]], *, as_json: bool) -> None:
    """Print rows with the same keys as a table with one column per key; numbers are right-aligned."""
    if as_json:
        show_json(rows)
        return
    from rich.table import Table

    from llmrank.report import console

    table = Table()
    for place, (name, value) in enumerate(rows[0].items()):
        # The first column is what a user copies: never folded.
        right = "right" if type(value) in (int, float) else "left"
        table.add_column(name, overflow="fold", justify=right, no_wrap=place == 0)
    for row in rows:
        table.add_row(*map(shown, row.values()))
    console().print(table)


def shown(value: object) -> str:
    """Format a value for a table."""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, int):
        return f"{value:,}"
    return "" if value is None else f"{value}"


def show_run(run: Run, *, as_json: bool) -> None:
    """Print the results of a finished Run."""
    if as_json:
        show_json({**run.metrics.to_dict(), "run": str(run.path)})
        return
    from llmrank.report import console, show_finished

    to = console()
    to.print(show_finished(run, to.width))
