"""A data set in tables of one's own: items and interactions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from llmrank.data.rows import Arrow, EventRows, ItemRows, Rows, is_text, map_texts
from llmrank.data.table import ROLES, Table, usual_column
from llmrank.data.table_files import parts_of, read_table
from llmrank.errors import InputError, nearest

ITEM_STEMS = ("items", "item", "movies", "books", "products", "articles", "catalogue", "catalog")
EVENT_STEMS = ("interactions", "ratings", "events", "reviews", "clicks")
EXTENSIONS = (".csv", ".tsv", ".parquet", ".jsonl", ".csv.gz", ".tsv.gz", ".jsonl.gz")
MANY_VALUED = {"genre", "genres", "category", "categories", "tags"}


def item_column(table: Table) -> str:
    """Return the column of ids of an items table, which may be `id`. Raises InputError: it has none."""
    return "id" if table.find("item") is None and "id" in table.data.column_names else table.require("item")


def read_item_rows(table: Table) -> ItemRows:
    """Return the items of a table: id, title, and every other column as an attribute."""
    item, title = item_column(table), table.require("title")
    attributes: dict[str, Arrow] = {
        name: map_texts(column, split_genres) if name.lower() in MANY_VALUED and is_text(column.type) else column
        for name, column in zip(table.data.column_names, table.data.columns, strict=True)
        if name not in (item, title)
    }
    ids = table.ids(item).fill_null("")
    return ItemRows(table.path, ids, table.texts(title), attributes, table.lines, item)


def read_event_rows(table: Table) -> EventRows:
    """Return the interactions of a table, with rating, timestamp and position if it has them."""
    table.refuse_shared(ROLES)
    user, item = table.require("user"), table.require("item")
    rating, time, place = (table.find(role) for role in ("rating", "timestamp", "position"))
    # Not `find`: a title column that the user named may be one of the items table.
    title = usual_column("title", table.data.column_names)
    notes: list[str] = []
    if time is None and place is None:
        time = table.like("timestamp", {user, item}) or table.dates_of_events(user, item)
        notes += [] if time is None else [f"The column {time!r} is read as the timestamp."]
    unread = [] if time is not None else list(table.unread_dates({user, item}))
    if rating is None and (rating := table.like("rating", {user, item, time or ""})) is not None:
        notes.append(f"The column {rating!r} is read as the rating.")
    rest = [name for name in table.data.column_names if name not in (user, item, rating, title)]
    if time is None and place is None and rest and not unread:
        unread = [f"No column is read as the timestamp; these are ignored: {', '.join(rest)}."]
    return EventRows(
        table.path,
        table.ids(user),
        table.ids(item),
        table.ratings(rating) if rating else None,
        table.seconds(time) if time else None,
        table.numbers(place) if place else None,
        table.texts(title) if title else None,
        lines=table.lines,
        user_field=user,
        item_field=item,
        timestamp_field=time or "timestamp",
        notes=(*notes, *unread),
    )


def tables_to_rows(items: Table | None, events: Table, columns: Mapping[str, str]) -> Rows:
    """Return the rows of an items table and an interactions table.

    Without an items table, the interactions must have titles; the first title of each item is used.

    Raises InputError: a required column is missing, or `columns` names one that is in neither table.
    """
    for role in columns:
        if role not in ROLES:
            hint = f"use one of {', '.join(ROLES)}{nearest(role, ROLES)}"
            raise InputError(f"unknown column role {role!r}", field=role, hint=hint)
    events = replace(events, named=columns)
    if items is None:
        beside = "add an items table, such as items.csv (Amazon's: meta_NAME.jsonl); for a column with titles, "
        item, title = events.require("item"), events.require("title", beside)
        first = dict(reversed(list(zip(events.ids(item).to_pylist(), events.texts(title).to_pylist(), strict=True))))
        first.pop(None, None)
        ids, titles = (pa.array(values, pa.string()) for values in (first.keys(), first.values()))
        return Rows(ItemRows(events.path, ids, titles), read_event_rows(events))
    # The item id may have different names in the two tables, so a named column need only exist in one of them.
    asked, usual = columns.get("item"), {role: name for role, name in columns.items() if role != "item"}
    here, there = (asked in table.data.column_names for table in (items, events))
    known = read_item_rows(replace(items, named=usual if there and not here else columns))
    return Rows(known, read_event_rows(replace(events, named=usual) if here and not there else events))


def find_table(folder: Path, stems: Sequence[str]) -> Path | None:
    """Return the first table (a file or a folder of parts) in `folder` that is named by one of `stems`, or None.

    Raises InputError: the same table exists in two formats.
    """
    for stem in stems:
        named = [folder / f"{stem}{extension}" for extension in ("", *EXTENSIONS)]
        found = [path for path in named[1:] if path.is_file()] or [path for path in named if parts_of(path)]
        if len(found) > 1:
            problem = f"the same table exists more than once: {', '.join(path.name for path in found)}"
            raise InputError(problem, path=folder, hint="keep one of them")
        if found:
            return found[0]
    return None


def read_tables(folder: Path, columns: Mapping[str, str]) -> Rows:
    """Read a folder with an items table (`items.csv`, `movies.parquet`, …) and interactions (`ratings.csv`, …).

    Raises InputError: a table is missing or cannot be read.
    """
    items, events = find_table(folder, ITEM_STEMS), find_table(folder, EVENT_STEMS)
    if events is None:
        hint = f"name it one of {', '.join(EVENT_STEMS)}, with one of the extensions {', '.join(EXTENSIONS)}"
        if any(folder.glob("*.parquet")):
            hint += ", or make it a folder of parts; for candidate files, name one (`llmrank rerank` takes the folder)"
        raise InputError("no interactions table in this folder", path=folder, hint=hint)
    return tables_to_rows(read_table(items) if items else None, read_table(events), columns)


def split_genres(text: str, separator: str = "|") -> str | None:
    """Return "A|B" as "A, B", or None for MovieLens's placeholders for no genres."""
    return None if text in {"(no genres listed)", "unknown"} else text.replace(separator, ", ")
