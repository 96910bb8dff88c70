"""Items and interactions as a reader found them, and the one way in which they become a `Dataset`."""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmrank.data.dataset import Dataset, Interactions
from llmrank.errors import InputError
from llmrank.types import Item

Arrow = Any
"""A value of pyarrow, which ships no types. In the columns below: a `ChunkedArray` of strings."""


@dataclass(frozen=True, slots=True)
class ItemRows:
    """The items table, column by column."""

    path: str
    item_id: Sequence[str]
    title: Sequence[str | None]
    """None or blank: the item has no title, and its id stands in for it (counted by `describe`)."""
    attributes: Mapping[str, Sequence[str | None]] = field(default_factory=dict[str, Sequence[str | None]])
    first_line: int = 1
    """Line number of row 0, for messages."""
    id_field: str = "item_id"


@dataclass(frozen=True, slots=True)
class EventRows:
    """The interactions table, column by column, in file order."""

    path: str
    user: Arrow
    item: Arrow
    rating: NDArray[np.float64] | None = None
    """NaN: unknown."""
    timestamp: NDArray[np.float64] | None = None
    """Seconds since the epoch. NaN (unknown) is allowed only where `position` says the order."""
    position: NDArray[np.float64] | None = None
    """Place of the event within its user's history, where the file knows it better than the timestamps do."""
    rating_scale: tuple[float, float] | None = None
    """None: lowest and highest rating seen."""
    first_line: int = 1
    lines: NDArray[np.int64] | None = None
    """Line number of each row, where a line holds several."""
    ordered: bool = False
    """Whether the format itself lists events oldest first."""
    notes: tuple[str, ...] = ()
    """What was decided about its columns."""
    user_field: str = "user_id"
    item_field: str = "item_id"
    timestamp_field: str = "timestamp"


@dataclass(frozen=True, slots=True)
class Rows:
    """All that a reader found."""

    items: ItemRows
    events: EventRows
    domain: str | None = None
    """What the items are, where the layout tells: `movies`, `books`, `products`, …"""


_ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);")


def clean_text(text: str | None) -> str:
    """Return `text` with HTML entities resolved and every run of white space as one space; "" for None.

    Only entities closed by a semicolon count: "Q&notes" is a title, not "Q¬es".
    """
    if not text:
        return ""
    if "&" in text:
        text = _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    return " ".join(text.split())


def natural_order(ids: Iterable[str]) -> list[str]:
    """Return the ids in numeric order if all are numbers, else in code point order."""
    ids = list(ids)
    if all(text.isascii() and text.isdigit() for text in ids):
        return sorted(ids, key=lambda text: (int(text), text))
    return sorted(ids)


def make_items(rows: ItemRows) -> tuple[Item, ...]:
    """Return the items in natural order of their ids.

    Raises:
        InputError: an item has no id, or two rows have the same one.
    """
    line_of: dict[str, int] = {}
    for row, item_id in enumerate(rows.item_id):
        line = rows.first_line + row
        if not item_id:
            raise InputError(
                "an item without an id", path=rows.path, line=line, field=rows.id_field, hint="give it one"
            )
        if (first := line_of.setdefault(item_id, line)) != line:
            raise InputError(
                f"item {item_id!r} stands here a second time (first on line {first})",
                path=rows.path,
                line=line,
                field=rows.id_field,
                hint="keep one row for each item",
            )
    columns = list(rows.attributes.items())
    items: dict[str, Item] = {}
    for row, item_id in enumerate(rows.item_id):
        attributes = {name: text for name, values in columns if (text := clean_text(values[row]))}
        items[item_id] = Item(item_id, clean_text(rows.title[row]) or item_id, attributes)
    return tuple(items[item_id] for item_id in natural_order(items))


def make_dataset(name: str, rows: Rows, *, source: str, rating_scale: tuple[float, float] | None = None) -> Dataset:
    """Return the Dataset of `rows`: users and items in natural order of their ids, interactions oldest first.

    A user who met an item twice keeps both events: coming back is behaviour. The catalogue is the whole items table.

    Raises:
        InputError: a duplicate or empty id, an interaction with an unknown item, a missing timestamp, no interactions.
    """
    items, events = make_items(rows.items), rows.events
    if not len(events.user):
        raise InputError("no interactions", path=events.path, hint="give at least one")
    user_ids, user = _users(events)
    order = _chronological(user, events)
    item = _item_index(items, rows)
    interactions = Interactions(user, item, events.rating, events.timestamp).take(order)
    scale = rating_scale or events.rating_scale
    if events.rating is None or bool(np.isnan(events.rating).all()):
        scale = None
    elif scale is None:
        scale = float(np.nanmin(events.rating)), float(np.nanmax(events.rating))
    return Dataset(
        name,
        user_ids,
        items,
        interactions,
        scale,
        source,
        content_hash(user_ids, items, interactions),
        rows.domain,
        file_order=events.timestamp is None and events.position is None and not events.ordered,
        notes=events.notes,
    )


def content_hash(users: Sequence[str], items: Sequence[Item], interactions: Interactions) -> str:
    """Return the sha256 of what a Dataset holds: the same data hashes the same, wherever and however it was read."""
    digest = hashlib.sha256()
    rows = [(item.item_id, item.title, dict(item.attributes)) for item in items]
    digest.update(json.dumps([list(users), rows], sort_keys=True, ensure_ascii=False).encode())
    for column in (interactions.user, interactions.item, interactions.rating, interactions.timestamp):
        digest.update(b"-" if column is None else column.astype(column.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def _users(events: EventRows) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    found, code = _encode(events.user)
    if "" in found:
        problem, hint = "an interaction without a user", "give it one, or remove it"
        _refuse(code == found.index(""), events, events.user_field, problem, hint)
    user_ids = natural_order(found)
    index = {user_id: index for index, user_id in enumerate(user_ids)}
    return tuple(user_ids), np.array([index[user_id] for user_id in found], np.int32)[code]


def _item_index(items: Sequence[Item], rows: Rows) -> NDArray[np.int32]:
    found, code = _encode(rows.events.item)
    index = {item.item_id: index for index, item in enumerate(items)}
    item = np.array([index.get(item_id, -1) for item_id in found], np.int32)[code]
    if (unknown := item < 0).any():
        first, count = found[code[unknown.argmax()]], int(unknown.sum())
        problem = f"item {first!r} is not in the items table" if first else "an interaction without an item"
        problem += f" ({count} interactions have this fault)" if count > 1 else ""
        hint = f"add it to {rows.items.path}, or remove the interaction"
        _refuse(unknown, rows.events, rows.events.item_field, problem, hint)
    return item


def _encode(column: Arrow) -> tuple[list[str], NDArray[np.int32]]:
    """The distinct texts ("" for null), and for each row which one it is."""
    encoded = column.fill_null("").combine_chunks().dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy(zero_copy_only=False)


def _chronological(user: NDArray[np.int32], events: EventRows) -> NDArray[np.intp]:
    time, position = events.timestamp, events.position
    rows = np.arange(len(user))
    if position is None:
        if time is None:
            return rows
        hint = "fill it in, or remove the column to take the file's order"
        _refuse(np.isnan(time), events, events.timestamp_field, "an interaction without a timestamp", hint)
        return np.argsort(time, kind="stable")
    # Positions order the events of a user; the known timestamps, carried forward along them, order the users among each
    # other. An event without a position goes where its timestamp puts it, or to the very beginning without one: it must
    # never become the event that is held out.
    placed = ~np.isnan(position)
    filled = np.full(len(user), -np.inf) if time is None else np.where(np.isnan(time), -np.inf, time)
    along = np.lexsort((rows, position, user, ~placed))[: int(placed.sum())]
    starts = np.flatnonzero(np.diff(user[along], prepend=-1))
    for start, end in zip(starts, np.append(starts[1:], len(along)), strict=True):
        filled[along[start:end]] = np.maximum.accumulate(filled[along[start:end]])
    unplaced = np.where(np.isneginf(filled), -1.0, np.inf)
    return np.lexsort((rows, np.where(placed, position, unplaced), filled))


def _refuse(bad: NDArray[np.bool_], events: EventRows, field: str, problem: str, hint: str) -> None:
    if bad.any():
        row = int(bad.argmax())
        line = events.first_line + row if events.lines is None else int(events.lines[row])
        raise InputError(problem, path=events.path, line=line, field=field, hint=hint)
