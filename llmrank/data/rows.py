"""Items and interactions as read from files, and their conversion to a `Dataset`."""

from __future__ import annotations

import hashlib
import html
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from llmrank.data.dataset import Dataset, Interactions
from llmrank.errors import InputError
from llmrank.types import USUAL_SCALE, Item

pc: Any = pyarrow.compute
Arrow = Any
"""A value of pyarrow, which ships no types. Columns below are arrays (chunked or not), of strings unless noted."""
Lines = Sequence[int] | NDArray[np.int64]
"""The line of each row, for messages."""
TIME_HINT = "write seconds since the epoch, or ISO 8601 such as 2001-12-31T23:59:00"
MOST_WHOLE = 2.0**63
"""The smallest integer that does not fit into 64 bits."""
MOST_EXACT = {16: 2.0**11, 32: 2.0**24, 64: 2.0**53}
"""By bit width: from this number on, floats can no longer represent every integer."""
YEAR_1, YEAR_10000 = -62_135_596_800, 253_402_300_800
"""The range of valid dates, in seconds since the epoch."""
TIME_UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
"""Above the first number, a time is in nano-, micro- or milliseconds, and the second number is how many make a second.
1e11 seconds is the year 5138."""
FROM_ONE: Lines = range(1, sys.maxsize)
"""Row n is on line n, counted from 1."""


def in_seconds(time: float) -> float:
    """Return a time since the epoch in seconds; its size tells whether it is in a smaller unit (see `TIME_UNITS`).

    Raises ValueError: the time is not in the years 1 to 9999.
    """
    seconds = time
    if abs(time) > TIME_UNITS[-1][0]:  # rare; this runs for each event
        seconds /= next(in_a_second for limit, in_a_second in TIME_UNITS if abs(time) > limit)
    if not YEAR_1 <= seconds < YEAR_10000:
        raise ValueError(time)
    return seconds


def as_float(value: float | Decimal | date | str) -> float:
    """Return a number as a float, or a date (also ISO 8601 text) as seconds since the epoch; UTC if it has no zone."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value.strip())
    if isinstance(value, date):
        value = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return float(value)


def lines_of(lines: Lines, rows: NDArray[np.intp]) -> Lines:
    """Return the lines of the chosen rows."""
    return rows + lines.start if isinstance(lines, range) else np.asarray(lines)[rows]


@dataclass(frozen=True, slots=True)
class ItemRows:
    """The items table, column by column."""

    path: Path | str
    item_id: Arrow
    title: Arrow
    """Null or blank if the item has no title; its id is shown instead (`describe` counts these)."""
    attributes: Mapping[str, Arrow] = field(default_factory=dict[str, Arrow])
    """Of any type. The items of a Dataset keep texts, numbers, dates, booleans and lists of texts."""
    lines: Lines = FROM_ONE
    id_field: str = "item_id"


@dataclass(frozen=True, slots=True)
class EventRows:
    """The interactions table, column by column, in file order."""

    path: Path | str
    user: Arrow
    item: Arrow
    rating: NDArray[np.float64] | None = None
    """NaN if unknown."""
    timestamp: NDArray[np.float64] | None = None
    """Seconds since the epoch. NaN (unknown) is allowed only if there are positions."""
    position: NDArray[np.float64] | None = None
    """Position of the event in its user's history, if the file has one; more precise than the timestamp."""
    title: Arrow = None
    """Title of the item, if the table has it."""
    rating_scale: tuple[float, float] | None = None
    """None: derived from the ratings."""
    lines: Lines = FROM_ONE
    ordered: bool = False
    """Whether the format lists events oldest first."""
    notes: tuple[str, ...] = ()
    """Which columns were guessed, for the user."""
    user_field: str = "user_id"
    item_field: str = "item_id"
    timestamp_field: str = "timestamp"

    @property
    def in_file_order(self) -> bool:
        """Whether the order of the events is known only from the order of the rows."""
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
    """What the items are, if the layout tells: `movies`, `books`, `products`, …"""


_ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);")


def clean_text(text: str | None) -> str:
    """Return `text` with HTML entities unescaped and runs of white space collapsed to one space; "" for None.

    Only entities that end in a semicolon are unescaped, so that "Q&notes" does not become "Q¬es".
    """
    if not text:
        return ""
    if "&" in text:
        text = _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    return " ".join(text.split())


def attribute_text(value: object) -> str:
    """Return an attribute as prompts show it: lists joined with ", ", integral floats without ".0"."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        parts: list[object] = value
        return ", ".join(attribute_text(part) for part in parts if part is not None)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # pandas turns an integer column with missing values into floats
    return json.dumps(value, ensure_ascii=False, default=str).strip('"')


def whole(column: Arrow) -> Arrow:
    """Return a column as one `Array`."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def map_texts(column: Arrow, change: Callable[[str], str | None]) -> Arrow:
    """Return a column of texts with `change` applied to each, as one array; null stays null."""
    encoded = whole(column).cast(pa.string()).dictionary_encode()
    changed = pa.array([change(text) for text in encoded.dictionary.to_pylist()], pa.string())
    return changed.take(encoded.indices)


def is_text(kind: Arrow) -> bool:
    """Return whether an Arrow type is a string type."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def is_list(kind: Arrow) -> bool:
    """Return whether an Arrow type is a list type."""
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def is_single(kind: Arrow) -> bool:
    """Return whether an Arrow type is text, number, date or boolean, or a dictionary of these."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    numbers = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean)
    return any(is_one(kind) for is_one in (is_text, *numbers, pa.types.is_date, pa.types.is_timestamp))


def map_types(schema: Arrow, change: Callable[[Arrow], Arrow]) -> Arrow:
    """Return an Arrow schema with `change` applied to every non-nested type, also within lists, structs and maps."""

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
    """Return a table or batch with plain types: string views (polars), categories of them, and UUIDs become text."""
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
    """Return the name of the extension type of a field, or None if it has none or is stored as text.

    The stored values cannot be interpreted without knowing the type, which may not be registered with pyarrow.
    """
    kind, named = column.type, (column.metadata or {}).get(b"ARROW:extension:name")
    if isinstance(kind, pa.BaseExtensionType):
        return None if is_text(kind.storage_type) else kind.extension_name
    return None if named is None or is_text(kind) else named.decode("utf-8", "replace")


def _as_texts(values: Sequence[object] | None) -> list[str | None] | None:
    return None if values is None else [None if one is None else str(one) for one in values]


def _changed(data: Arrow, place: int, kind: Arrow, change: Callable[[Arrow], Arrow]) -> Arrow:
    """Return the table or batch with `change` applied to each chunk of a column, which gets the type `kind`."""
    column, name = data[place], data.schema.field(place).name
    if isinstance(column, pa.ChunkedArray):
        parts = [pa.array(change(part), kind) for part in column.chunks]
        return data.set_column(place, name, pa.chunked_array(parts, kind))
    return data.set_column(place, name, pa.array(change(column), kind))


def _of_plain_values(part: Arrow) -> Arrow:
    return pa.DictionaryArray.from_arrays(part.indices, part.dictionary.cast(_VIEWS[part.type.value_type]))


def texts(column: Arrow) -> Arrow:
    """Return a column as strings. Integral floats (ids that went through pandas) lose their `.0`; NaN becomes null."""
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
        with suppress(pa.ArrowInvalid):  # pandas stores days as timestamps
            column = column.cast(pa.date32())
    return column.cast(pa.string())


def whole_ids(column: Arrow) -> Arrow:
    """Return ids without `.0` if all of them end in it: pandas writes integers so in a CSV column with empty cells."""
    known = column.drop_null()
    if not len(known) or not pc.all(pc.match_substring_regex(known, r"^-?\d{1,15}\.0$")).as_py():
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

    Raises InputError: an item has no id, or an id is repeated.
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
            raise InputError("the item has no id", path=rows.path, line=line, field=rows.id_field, hint=hint)
        if (first := line_of.setdefault(item_id, line)) != line:
            problem, hint = f"duplicate item {item_id!r} (first on line {first})", "keep one row per item"
            raise InputError(problem, path=rows.path, line=line, field=rows.id_field, hint=hint)
        attributes = {name: text for name, values in columns if (text := clean_text(values[row]))}
        items[item_id] = Item(item_id, clean_text(title) or item_id, attributes)
    return tuple(items[item_id] for item_id in natural_order(items))


def make_dataset(name: str, rows: Rows, *, source: str) -> Dataset:
    """Return the Dataset of `rows`: users and items in natural order of their ids, interactions oldest first.

    Repeated interactions of a user with an item are kept. The catalogue is the whole items table.

    Raises InputError: an id is empty or repeated, an item is unknown, a timestamp is missing, or there are no
    interactions.
    """
    items, events = make_items(rows.items), rows.events
    if not len(events.user):
        raise InputError("no interactions", path=events.path, hint="the table must have at least one row")
    user_ids, user = _users(events)
    order = chronological(user, events)
    item = _item_index(items, rows)
    interactions = Interactions(user, item, events.rating, events.timestamp).take(order)
    scale = events.rating_scale
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
    """Return the scale of ratings: 0 to 1 if all ratings fit, else 1 to 5, widened to include them all.

    The lowest and highest observed rating alone would underestimate the scale: few hotels get a 1 out of 10.
    """
    known = tuple(ratings) or USUAL_SCALE
    low, high = min(known), max(known)
    return (0.0, 1.0) if low >= 0 and high <= 1 else (min(1.0, low), max(5.0, high))


def no_order(source: Path | str, notes: Sequence[str]) -> InputError:
    """Return the error for events whose order is unknown; the notes on their columns may say why."""
    problem = f"{source} has no timestamps, so the order of a user's events is unknown"
    problem += f" ({' '.join(notes).rstrip('.')})" if notes else ""
    hint = "name the column: --column timestamp=NAME; or, if the rows are oldest first, use --file-order"
    return InputError(problem, field="timestamp", hint=hint)


def chronological(user: NDArray[np.int32] | NDArray[np.int64], events: EventRows) -> NDArray[np.intp]:
    """Return the indices of the rows in chronological order; `user` has the index of each row's user.

    Raises InputError: an event has neither a timestamp nor a position.
    """
    time, position = events.timestamp, events.position
    rows = np.arange(len(user))
    if position is None:
        if time is None:
            return rows
        hint = "fill in the timestamp, or remove the column to use the order of the file"
        _refuse(np.isnan(time), events, events.timestamp_field, "the timestamp is missing", hint)
        return np.argsort(time, kind="stable")
    # Positions order the events of each user. Timestamps, carried forward along the positions, order events across
    # users. An event without a position is placed by its timestamp, or at the very beginning if it has none either, so
    # that it is never held out.
    placed = ~np.isnan(position)
    filled = np.full(len(user), -np.inf) if time is None else np.where(np.isnan(time), -np.inf, time)
    along = np.lexsort((rows, position, user, ~placed))[: int(placed.sum())]
    starts = np.flatnonzero(np.diff(user[along], prepend=-1))
    for own in np.split(along, starts[1:]):
        filled[own] = np.maximum.accumulate(filled[own])
    unplaced = np.where(np.isneginf(filled), -1.0, np.inf)
    return np.lexsort((rows, np.where(placed, position, unplaced), filled))


def content_hash(users: Sequence[str], items: Sequence[Item], interactions: Interactions) -> str:
    """Return the sha256 of the content of a Dataset, independent of where it was read and in which layout."""
    digest = hashlib.sha256()
    rows = [(item.item_id, item.title, dict(item.attributes)) for item in items]
    digest.update(json.dumps([list(users), rows], sort_keys=True, ensure_ascii=False).encode())
    for column in (interactions.user, interactions.item, interactions.rating, interactions.timestamp):
        digest.update(b"-" if column is None else column.astype(column.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def _users(events: EventRows) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    found, code = _encode(events.user)
    if "" in found:
        problem, hint = "the user is missing", "fill in the user, or remove the row"
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
        problem = f"item {first!r} is not in the items table" if first else "the item is missing"
        problem += f" ({count} interactions have this problem)" if count > 1 else ""
        hint = f"add the item to {rows.items.path}, or remove the interaction"
        _refuse(unknown, rows.events, rows.events.item_field, problem, hint)
    return item


def _encode(column: Arrow) -> tuple[list[str], NDArray[np.int32]]:
    """Return the distinct texts ("" for null), and for each row the index of its text."""
    encoded = whole(column).fill_null("").dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy(zero_copy_only=False)


def _refuse(bad: NDArray[np.bool_], events: EventRows, field: str, problem: str, hint: str) -> None:
    if bad.any():
        row = int(bad.argmax())
        raise InputError(problem, path=events.path, line=int(events.lines[row]), field=field, hint=hint)
