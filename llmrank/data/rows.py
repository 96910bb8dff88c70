"""Items and interactions as they are in the files, and how they become a `Dataset`."""

from __future__ import annotations

import hashlib
import html
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from llmrank.data.dataset import Dataset, Interactions
from llmrank.errors import InputError
from llmrank.types import Item

pc: Any = pyarrow.compute
Arrow = Any
"""A value of pyarrow, which ships no types. In the columns below: an array, in chunks or not, of strings or as said."""
Lines = Sequence[int] | NDArray[np.int64]
"""The line of each row, for messages."""
TIME_HINT = "write seconds since the epoch, or as in 2001-12-31T23:59:00"
MOST_WHOLE = 2.0**63
"""Whole numbers from here on have more than 64 bits."""
MOST_EXACT = {16: 2.0**11, 32: 2.0**24, 64: 2.0**53}
"""By its bits: from here on a floating-point number stands for several whole ones."""
YEAR_1, YEAR_10000 = -62_135_596_800, 253_402_300_800
"""Seconds since the epoch between which a calendar has a date."""
FROM_ONE: Lines = range(1, sys.maxsize)
"""The first row stands on line 1, and so on."""


def lines_of(lines: Lines, rows: NDArray[np.intp]) -> Lines:
    """Return the lines of the chosen rows."""
    return rows + lines.start if isinstance(lines, range) else np.asarray(lines)[rows]


@dataclass(frozen=True, slots=True)
class ItemRows:
    """The items table, column by column."""

    path: Path | str
    item_id: Arrow
    title: Arrow
    """Null or blank: the item has no title, and its id is shown instead (`describe` counts these)."""
    attributes: Mapping[str, Arrow] = field(default_factory=dict[str, Arrow])
    """Of any type: the items of a Dataset take what is text, a number, a date, yes or no, or a list of texts."""
    lines: Lines = FROM_ONE
    id_field: str = "item_id"


@dataclass(frozen=True, slots=True)
class EventRows:
    """The interactions table, column by column, in file order."""

    path: Path | str
    user: Arrow
    item: Arrow
    rating: NDArray[np.float64] | None = None
    """NaN: unknown."""
    timestamp: NDArray[np.float64] | None = None
    """Seconds since the epoch. NaN (unknown) is allowed only where `position` says the order."""
    position: NDArray[np.float64] | None = None
    """Place of the event in its user's history, where the file says it more exactly than the timestamps do."""
    title: Arrow = None
    """Of the item, where the table has it."""
    rating_scale: tuple[float, float] | None = None
    """None: lowest and highest rating seen."""
    lines: Lines = FROM_ONE
    ordered: bool = False
    """Whether the format itself lists events oldest first."""
    notes: tuple[str, ...] = ()
    """How its columns were understood, where that was a guess."""
    user_field: str = "user_id"
    item_field: str = "item_id"
    timestamp_field: str = "timestamp"

    @property
    def in_file_order(self) -> bool:
        """Whether nothing says in which order the events happened, but for the order of the file."""
        return self.timestamp is None and self.position is None and not self.ordered

    def take(self, rows: NDArray[np.intp]) -> EventRows:
        """Return the chosen rows, in the order given."""
        places = pa.array(rows)
        return replace(
            self,
            user=self.user.take(places),
            item=self.item.take(places),
            rating=None if self.rating is None else self.rating[rows],
            timestamp=None if self.timestamp is None else self.timestamp[rows],
            position=None if self.position is None else self.position[rows],
            title=None if self.title is None else self.title.take(places),
            lines=lines_of(self.lines, rows),
        )


@dataclass(frozen=True, slots=True)
class Rows:
    """Both tables of a data set."""

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


def whole(column: Arrow) -> Arrow:
    """Return a column as one `Array`."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def map_texts(column: Arrow, change: Callable[[str], str | None]) -> Arrow:
    """Return a column of texts with each of them changed, as one array; null stays null."""
    encoded = whole(column).cast(pa.string()).dictionary_encode()
    changed = pa.array([change(text) for text in encoded.dictionary.to_pylist()], pa.string())
    return changed.take(encoded.indices)


def is_text(kind: Arrow) -> bool:
    """Return whether a type of Arrow is one of strings."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def is_list(kind: Arrow) -> bool:
    """Return whether a type of Arrow is one of lists."""
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def is_single(kind: Arrow) -> bool:
    """Return whether a type of Arrow is one of texts, numbers, dates, or yes and no, also as a dictionary of them."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    numbers = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean)
    return any(is_one(kind) for is_one in (is_text, *numbers, pa.types.is_date, pa.types.is_timestamp))


def map_types(schema: Arrow, change: Callable[[Arrow], Arrow]) -> Arrow:
    """Return a schema of Arrow with each type that is not made of others changed, also within lists and structs."""

    def changed(kind: Arrow) -> Arrow:
        if pa.types.is_struct(kind):
            return pa.struct([one.with_type(changed(one.type)) for one in kind])
        if pa.types.is_list(kind):
            return pa.list_(kind.value_field.with_type(changed(kind.value_type)))
        if pa.types.is_large_list(kind):
            return pa.large_list(kind.value_field.with_type(changed(kind.value_type)))
        if pa.types.is_map(kind):
            return pa.map_(changed(kind.key_type), changed(kind.item_type))
        return change(kind)

    return pa.schema([one.with_type(changed(one.type)) for one in schema], schema.metadata)


_VIEWS: Mapping[Arrow, Arrow] = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}


def in_plain_types(data: Arrow) -> Arrow:
    """Return a table or a batch in types that everything here can read: string views (polars), categories of them and
    UUIDs, also in lists, are texts."""
    for place, column in enumerate(data.schema):
        kind = column.type
        if isinstance(kind, pa.UuidType) or (pa.types.is_dictionary(kind) and isinstance(kind.value_type, pa.UuidType)):
            data = _changed(data, place, pa.string(), lambda part: _as_texts(part.to_pylist()))
        elif is_list(kind) and isinstance(kind.value_type, pa.UuidType):
            data = _changed(data, place, pa.list_(pa.string()), lambda part: [*map(_as_texts, part.to_pylist())])
        elif pa.types.is_dictionary(kind) and kind.value_type in _VIEWS:
            plain = pa.dictionary(kind.index_type, _VIEWS[kind.value_type])
            data = _changed(data, place, plain, _of_plain_values)
    schema = map_types(data.schema, lambda kind: _VIEWS.get(kind, kind))
    return data if schema.equals(data.schema) else data.cast(schema)


def extension_of(column: Arrow) -> str | None:
    """Return the name of the extension type of a column, given as its field; None where it has none or holds text.

    Only its maker knows what such values mean; pyarrow may know the type or not.
    """
    kind, named = column.type, (column.metadata or {}).get(b"ARROW:extension:name")
    if isinstance(kind, pa.BaseExtensionType):
        return None if is_text(kind.storage_type) else kind.extension_name
    return None if named is None or is_text(kind) else named.decode("utf-8", "replace")


def _as_texts(values: Sequence[object] | None) -> list[str | None] | None:
    return None if values is None else [None if one is None else str(one) for one in values]


def _changed(data: Arrow, place: int, kind: Arrow, change: Callable[[Arrow], Arrow]) -> Arrow:
    """Return the table or batch with each part of a column changed to this type."""
    column, name = data[place], data.schema.field(place).name
    if isinstance(column, pa.ChunkedArray):
        parts = [pa.array(change(part), kind) for part in column.chunks]
        return data.set_column(place, name, pa.chunked_array(parts, kind))
    return data.set_column(place, name, pa.array(change(column), kind))


def _of_plain_values(part: Arrow) -> Arrow:
    return pa.DictionaryArray.from_arrays(part.indices, part.dictionary.cast(_VIEWS[part.type.value_type]))


def texts(column: Arrow) -> Arrow:
    """Return a column as strings; whole floating-point numbers (ids that went through pandas) lose their `.0`, and NaN
    is null.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if is_list(column.type):
        joined = [None if values is None else ", ".join(map(str, values)) for values in column.to_pylist()]
        return pa.chunked_array([pa.array(joined, pa.string())])
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column.cast(pa.float64())), pa.scalar(None, column.type), column)
        values = column.drop_null().to_numpy()
        are_whole = (np.floor(values) == values) & (np.abs(values) < MOST_WHOLE)
        column = column.cast(pa.int64()) if are_whole.all() else column
    if pa.types.is_timestamp(column.type):
        with suppress(pa.ArrowInvalid):  # days, such as pandas has them
            column = column.cast(pa.date32())
    return column.cast(pa.string())


def whole_ids(column: Arrow) -> Arrow:
    """Return ids as texts; where all of them end in `.0`, as pandas writes numbers beside empty cells to CSV, without
    that."""
    said = column.drop_null()
    if not len(said) or not pc.all(pc.match_substring_regex(said, r"^-?\d{1,15}\.0$")).as_py():
        return column
    return pc.replace_substring_regex(column, r"\.0$", "")


def natural_order(ids: Iterable[str]) -> list[str]:
    """Return the ids in numeric order if all are numbers, else in code point order."""
    ids = list(ids)
    if all(text.isascii() and text.isdigit() for text in ids):
        return sorted(ids, key=lambda text: (int(text), text))
    return sorted(ids)


def make_items(rows: ItemRows) -> tuple[Item, ...]:
    """Return the items in natural order of their ids.

    Raises InputError: an item has no id, or two rows have the same one.
    """
    ids: list[str | None] = rows.item_id.to_pylist()
    titles: list[str | None] = rows.title.to_pylist()
    shown = {
        name: column
        for name, column in rows.attributes.items()
        if is_single(column.type) or (is_list(column.type) and is_text(column.type.value_type))
    }
    columns = [(name, texts(column).to_pylist()) for name, column in shown.items()]
    items: dict[str, Item] = {}
    line_of: dict[str, int] = {}
    for row, (item_id, title) in enumerate(zip(ids, titles, strict=True)):
        line = int(rows.lines[row])
        if not item_id:
            hint = "fill in the id, or remove the row"
            raise InputError("an item without an id", path=rows.path, line=line, field=rows.id_field, hint=hint)
        if (first := line_of.setdefault(item_id, line)) != line:
            problem, hint = f"item {item_id!r} is listed twice (first on line {first})", "keep one row for each item"
            raise InputError(problem, path=rows.path, line=line, field=rows.id_field, hint=hint)
        attributes = {name: text for name, values in columns if (text := clean_text(values[row]))}
        items[item_id] = Item(item_id, clean_text(title) or item_id, attributes)
    return tuple(items[item_id] for item_id in natural_order(items))


def make_dataset(name: str, rows: Rows, *, source: str, rating_scale: tuple[float, float] | None = None) -> Dataset:
    """Return the Dataset of `rows`: users and items in natural order of their ids, interactions oldest first.

    A user who met an item twice keeps both events, because repetition is behaviour too. The catalogue is the whole
    items table.

    Raises InputError: a duplicate or empty id, an interaction with an unknown item, a missing timestamp, no
    interactions.
    """
    items, events = make_items(rows.items), rows.events
    if not len(events.user):
        raise InputError("no interactions", path=events.path, hint="the table must hold at least one")
    user_ids, user = _users(events)
    order = chronological(user, events)
    item = _item_index(items, rows)
    interactions = Interactions(user, item, events.rating, events.timestamp).take(order)
    scale = rating_scale or events.rating_scale
    if events.rating is None or bool(np.isnan(events.rating).all()):
        scale = None
    elif scale is None:
        scale = scale_of((float(np.nanmin(events.rating)), float(np.nanmax(events.rating))))
    return Dataset(
        name,
        user_ids,
        items,
        interactions,
        scale,
        source,
        content_hash(user_ids, items, interactions),
        rows.domain,
        file_order=events.in_file_order,
        notes=events.notes,
    )


def scale_of(ratings: Iterable[float]) -> tuple[float, float]:
    """Return the scale of ratings: 0 to 1 where none lies outside, else 1 to 5, widened to hold them all.

    The least and the greatest that were given are no scale: few hotels are given a 1 of 10.
    """
    known = tuple(ratings) or (1.0, 5.0)
    low, high = min(known), max(known)
    return (0.0, 1.0) if low >= 0 and high <= 1 else (min(1.0, low), max(5.0, high))


def no_order(problem: str) -> InputError:
    """Return the error that says what to do where nothing tells in which order the events happened."""
    hint = (
        "name the column: --column timestamp=NAME; or, if the rows stand oldest first, say so with "
        "--file-order (file_order=True)"
    )
    return InputError(problem, field="timestamp", hint=hint)


def chronological(user: NDArray[np.int32] | NDArray[np.int64], events: EventRows) -> NDArray[np.intp]:
    """Return the rows in the order in which the events happened; `user` is a number for each row's user.

    Raises InputError for an event that nothing gives a place.
    """
    time, position = events.timestamp, events.position
    rows = np.arange(len(user))
    if position is None:
        if time is None:
            return rows
        hint = "fill in the timestamp, or remove the column: then the order of the file counts"
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
        problem, hint = "an interaction without a user", "fill in the user, or remove the row"
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
        problem += f" ({count} interactions have this problem)" if count > 1 else ""
        hint = f"add the item to {rows.items.path}, or remove the interaction"
        _refuse(unknown, rows.events, rows.events.item_field, problem, hint)
    return item


def _encode(column: Arrow) -> tuple[list[str], NDArray[np.int32]]:
    """The distinct texts ("" for null), and for each row which one it is."""
    encoded = whole(column).fill_null("").dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy(zero_copy_only=False)


def _refuse(bad: NDArray[np.bool_], events: EventRows, field: str, problem: str, hint: str) -> None:
    if bad.any():
        row = int(bad.argmax())
        raise InputError(problem, path=events.path, line=int(events.lines[row]), field=field, hint=hint)
