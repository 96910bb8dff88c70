"""Sequence files: one line per user, `user item item …`, oldest first, with an items table in the same folder."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from llmrank.data.lines import text_lines
from llmrank.data.rows import EventRows, Rows
from llmrank.data.table_files import read_table
from llmrank.data.tables import ITEM_STEMS, find_table, read_item_rows
from llmrank.errors import InputError

_PROSE = ("readme", "source", "licen", "origin")


def find_sequences(folder: Path) -> Path | None:
    """Return the only `.txt` file of a folder other than README, SOURCE or LICENSE, else None."""
    found = [path for path in folder.glob("*.txt") if not path.name.lower().startswith(_PROSE)]
    return found[0] if len(found) == 1 else None


def read_sequences(folder: Path) -> Rows:
    """Read a folder with one sequence file and an items table. The format has no ratings or timestamps.

    Raises InputError: a file is missing or not UTF-8, or a user has two lines or no items.
    """
    path, table = find_sequences(folder), find_table(folder, ITEM_STEMS)
    if path is None or table is None:
        hint = "put an items table (items.csv with an id and a title) beside one .txt of `user item item …` lines"
        raise InputError("no sequence file with an items table", path=folder, hint=hint)
    return Rows(read_item_rows(read_table(table)), read_sequence_file(path))


def read_sequence_file(path: Path) -> EventRows:
    """Read `user item item …` lines, separated by any white space."""
    users, items, lines = list[str](), list[str](), list[int]()
    line_of: dict[str, int] = {}
    for line, text in text_lines(path):
        user, *sequence = text.split()
        if not sequence:
            raise InputError("the user has no items", path=path, line=line, user=user, hint="remove the line")
        if (first := line_of.setdefault(user, line)) != line:
            hint = f"merge it with line {first}, oldest first"
            raise InputError("duplicate user", path=path, line=line, user=user, hint=hint)
        users += [user] * len(sequence)
        items += sequence
        lines += [line] * len(sequence)
    columns = (pa.array(values, pa.string()) for values in (users, items))
    return EventRows(path, *columns, ordered=True, lines=lines)
