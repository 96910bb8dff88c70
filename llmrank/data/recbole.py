"""RecBole's atomic files: `NAME.inter` and `NAME.item`, tab-separated, with typed headers (`item_id:token`)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa

from llmrank.data.rows import EventRows, ItemRows, Rows, map_texts
from llmrank.data.table import Table
from llmrank.data.table_files import read_table
from llmrank.data.tables import read_event_rows, read_item_rows, split_genres
from llmrank.errors import InputError

_GENRE_NAMES = {"class", "genre", "genres"}
_KINDS = ("token", "token_seq", "float", "float_seq")


def read_recbole(folder: Path) -> Rows:
    """Read the only `*.inter` of a folder and the `*.item` of the same name.

    RecBole's conversion of MovieLens takes the year off the title (`release_year:token`) and calls the genres `class`:
    both are undone here, so that an item reads the same whichever way it came.

    Raises InputError: a file is not there, or its header is not RecBole's.
    """
    found = sorted(folder.glob("*.inter"))
    if len(found) != 1:
        problem, hint = f"expected one *.inter file, found {len(found)}", "keep one dataset per folder"
        raise InputError(problem, path=folder, hint=hint)
    inter, item = found[0], found[0].with_suffix(".item")
    if not item.is_file():
        hint = "add a file with item_id:token and a title"
        raise InputError("the items file is missing", path=item, hint=hint)
    return Rows(read_atomic_items(item), read_atomic_events(inter))


def read_atomic_items(path: Path) -> ItemRows:
    """Read a `.item` file; a `token_seq` column of genres becomes the attribute `genres`, joined with ", "."""
    table, kinds = _atomic(path)
    rows = read_item_rows(table)
    attributes, titles = dict(rows.attributes), rows.title
    if (years := attributes.pop("release_year", None)) is not None:
        pairs = zip(titles.to_pylist(), years.to_pylist(), strict=True)
        titles = pa.array([_with_year(title, year) for title, year in pairs], pa.string())
    for name in _GENRE_NAMES & attributes.keys():
        genres = attributes.pop(name)
        if kinds[name] == "token_seq":
            genres = map_texts(genres, partial(split_genres, separator=" "))
        attributes["genres"] = genres
    return replace(rows, title=titles, attributes=attributes)


def read_atomic_events(path: Path) -> EventRows:
    """Read a `.inter` file with one interaction a row."""
    return read_event_rows(_atomic(path)[0])


def _atomic(path: Path) -> tuple[Table, dict[str, str]]:
    table = read_table(path, quoted=False)
    kinds: dict[str, str] = {}
    for header in table.data.column_names:
        name, colon, kind = header.rpartition(":")
        if not colon or kind not in _KINDS:
            hint = "write it as name:token, name:token_seq, name:float or name:float_seq"
            raise InputError("the column has no RecBole type", path=path, line=1, field=header, hint=hint)
        kinds[name] = kind
    return replace(table, data=table.data.rename_columns(list(kinds))), kinds


def without_types(table: Table) -> Table:
    """Return a table whose headers all have a RecBole type (`user_id:token`) with the names alone; another as it is."""
    names = [header.rpartition(":") for header in table.data.column_names]
    if any(not name or kind not in _KINDS for name, _, kind in names):
        return table
    return replace(table, data=table.data.rename_columns([name for name, _, _ in names]))


def _with_year(title: str | None, year: str | None) -> str | None:
    # 'unkonwn' is how RecBole spells the title and the year of MovieLens 100K's nameless film (id 267).
    title = "unknown" if title == "unkonwn" else title
    # The "year" is whatever stood in the last parentheses: one film ends in "(1995) (V)". So it all goes back.
    return f"{title.strip()} ({year})" if title and year and year != "unkonwn" else title
