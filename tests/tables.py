"""Tables for the pages of results/, as wide as they need to be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def show(columns: Sequence[str], rows: Iterable[Sequence[str]], width: int = 120) -> None:
    """Print a table to stdout: the first column to the left, the figures to the right."""
    from rich.console import Console
    from rich.table import Table

    table = Table(pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    Console(width=width, highlight=False, markup=False).print(table)
