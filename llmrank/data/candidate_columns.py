"""Many rows of a candidate file at once: Arrow columns, checked whole, as Cases.

`read_columns` accepts what it can vouch for. Whatever else a batch holds (a fault, or a type of column that is rare),
`parse_row` reads row by row and says what is wrong, so every message has one source. What both accept, both read alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from llmrank.data.candidate_row import (
    CANDIDATE_FIELDS,
    EVENT_FIELDS,
    LONGEST_TITLE,
    TARGET_FIELDS,
    Truth,
    attribute_text,
    graded,
    misspelt_field,
)
from llmrank.types import Case, Event, Item

Arrow = Any
"""A value of pyarrow, which ships no types."""
pc: Any = pyarrow.compute
MOST_REMEMBERED = 50_000
"""Items kept for the rows to come: the same items are recommended again and again."""


class _UnknownError(Exception):
    """The columns hold something that must be read row by row."""


@dataclass(frozen=True, slots=True)
class _Lists:
    """A column of lists: the entries of all rows in one array, and how many of them each row has."""

    lengths: NDArray[np.int64]
    entries: Arrow

    def rows(self) -> NDArray[np.int64]:
        """Return, per entry, its row."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    def bounds(self) -> Iterator[tuple[int, int]]:
        """Yield, per row, where its entries begin and end."""
        return pairwise(np.concatenate(([0], np.cumsum(self.lengths))).tolist())


@dataclass(frozen=True, slots=True)
class _Items:
    """The items of a column of structs."""

    item_id: Arrow
    title: Arrow
    attributes: Sequence[Mapping[str, str]] | None
    numbers: Mapping[str, Arrow]


@dataclass(frozen=True, slots=True)
class Columns:
    """A batch of checked rows."""

    rows: int
    user_id: Arrow
    case_id: Arrow
    history: _Lists
    events: _Items
    candidates: _Lists
    proposed: _Items
    scored: bool
    relevant: _Lists
    relevant_id: Arrow
    gain: Arrow | None
    is_rating: NDArray[np.bool_]
    target: _Items
    """Of the rating rows only."""
    rating: Sequence[float | None]
    """Of all rows."""
    response: Sequence[str | None]
    found: NDArray[np.bool_]
    """Per relevant id: whether it is a candidate of its row."""
    seen: int
    """Rows that offer an item of the history."""

    def case_ids(self) -> list[str]:
        """Return the id of each row's Case."""
        return self.case_id.to_pylist()

    def cases(self, remembered: dict[tuple[str, str], Item]) -> Iterator[Case]:
        """Yield the Cases; `remembered` holds items of earlier rows, and takes those of these."""
        if len(remembered) > MOST_REMEMBERED:
            remembered.clear()
        ratings, times = (self.events.numbers[name].to_pylist() for name in ("rating", "timestamp"))
        events = list(map(Event, _made(self.events, remembered), ratings, times))
        items = _made(self.proposed, remembered)
        scores = self.proposed.numbers["score"].to_pylist() if self.scored else None
        targets = iter(_made(self.target, remembered))
        relevant: list[str] = self.relevant_id.to_pylist()
        gains = None if self.gain is None else self.gain.to_pylist()
        parts = zip(
            self.user_id.to_pylist(),
            self.case_ids(),
            self.history.bounds(),
            self.candidates.bounds(),
            self.relevant.bounds(),
            self.is_rating.tolist(),
            self.rating,
            strict=True,
        )
        for user_id, case_id, (e0, e1), (c0, c1), (r0, r1), is_rating, rating in parts:
            yield Case(
                user_id,
                tuple(events[e0:e1]),
                tuple(items[c0:c1]),
                None if scores is None or c0 == c1 or scores[c0] is None else tuple(scores[c0:c1]),
                tuple(relevant[r0:r1]),
                next(targets) if is_rating else None,
                rating,
                case_id,
                None if gains is None else graded(gains[r0:r1]),
            )


def read_columns(batch: Arrow, truth: Truth) -> Columns | None:
    """Return the columns of a `RecordBatch`; None where a row must be looked at on its own (see the module)."""
    try:
        return _columns(batch, truth)
    except (_UnknownError, pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _columns(batch: Arrow, truth: Truth) -> Columns:
    names: list[str] = batch.schema.names
    _require(len(set(names)) == len(names) and misspelt_field(names) is None)
    size = batch.num_rows

    def column(name: str) -> Arrow:
        return batch.column(name) if name in names else pa.nulls(size)

    user_id = _ids(column("user_id"))
    case_id = column("case_id")
    if case_id.null_count == size:
        case_id = user_id
    else:
        _require(case_id.null_count == 0)
        case_id = _ids(case_id)
    history, candidates = _lists(column("history")), _lists(column("candidates"))
    events = _items(history.entries, EVENT_FIELDS, ("rating", "timestamp"))
    proposed = _items(candidates.entries, CANDIDATE_FIELDS, ("score",))
    target = column("target")
    is_rating = np.zeros(size, bool) if pa.types.is_null(target.type) else np.array(target.is_valid())
    _require(bool(((candidates.lengths > 0) != is_rating).all()))
    score = proposed.numbers["score"]
    if scored := score.null_count < len(score):
        given = np.bincount(candidates.rows(), np.array(score.is_valid()), size) if score.null_count else None
        _require(given is None or bool(((given == 0) | (given == candidates.lengths)).all()))
    relevant, relevant_id, gain = _relevant(pa.nulls(size) if truth == "ignored" else column("relevant"))
    _require(not bool((relevant.lengths[is_rating] > 0).any()))
    rating = _numbers(pa.nulls(size) if truth == "ignored" else column("rating"))
    response = _text(column("response"))
    response.validate(full=True)
    found, seen = _places(history, events.item_id, candidates, proposed.item_id, relevant, relevant_id)
    return Columns(
        size,
        user_id,
        case_id,
        history,
        events,
        candidates,
        proposed,
        scored,
        relevant,
        relevant_id,
        gain,
        is_rating,
        _items(_struct(target).filter(pa.array(is_rating)), TARGET_FIELDS, ()),
        rating.to_pylist(),
        response.to_pylist(),
        found,
        seen,
    )


def _require(holds: bool) -> None:
    if not holds:
        raise _UnknownError


def _lists(column: Arrow) -> _Lists:
    kind = column.type
    if pa.types.is_null(kind):
        return _Lists(np.zeros(len(column), np.int64), pa.array([], pa.struct([])))
    _require(pa.types.is_list(kind) or pa.types.is_large_list(kind))
    lengths = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    return _Lists(lengths, column.flatten())


def _struct(column: Arrow) -> Arrow:
    return pa.array([None] * len(column), pa.struct([])) if pa.types.is_null(column.type) else column


def _items(entries: Arrow, known: frozenset[str], numbers: Sequence[str]) -> _Items:
    kind = entries.type
    if not len(entries):
        none = pa.array([], pa.string())
        return _Items(none, none, None, {name: pa.array([], pa.float64()) for name in numbers})
    _require(pa.types.is_struct(kind) and entries.null_count == 0)
    names = [kind.field(place).name for place in range(kind.num_fields)]
    _require(len(set(names)) == len(names) and {"item_id", "title"} <= set(names))
    title = entries.field("title")
    _require(pa.types.is_string(title.type) or pa.types.is_large_string(title.type))
    _visible(title)
    _require(pc.max(pc.utf8_length(title)).as_py() <= LONGEST_TITLE)
    found = {
        name: _numbers(entries.field(name) if name in names else pa.nulls(len(entries)), time=name == "timestamp")
        for name in numbers
    }
    further = [name for name in names if name not in known]
    attributes = _attributes(entries, further) if further or "attributes" in names else None
    return _Items(_ids(entries.field("item_id")), title, attributes, found)


def _attributes(entries: Arrow, names: Sequence[str]) -> Sequence[Mapping[str, str]] | None:
    rows: list[dict[str, str]] = [{} for _ in range(len(entries))]
    for name in names:
        for row, value in zip(rows, _values(entries.field(name)), strict=True):
            if value is not None and value == value:
                row[name] = value if type(value) is str else attribute_text(value)
    if entries.type.get_field_index("attributes") >= 0:
        apart = entries.field("attributes")
        kind = apart.type
        _require(pa.types.is_map(kind) or pa.types.is_struct(kind) or pa.types.is_null(kind))
        for row, given in zip(rows, _values(apart), strict=True):
            for name, value in given.items() if isinstance(given, dict) else given or ():
                if value is not None and value == value:
                    row[name] = value if type(value) is str else attribute_text(value)
    return rows if any(rows) else None


def _values(column: Arrow) -> list[Any]:
    column.validate(full=True)
    return column.to_pylist()


def _ids(column: Arrow) -> Arrow:
    if pa.types.is_integer(column.type):
        _require(column.null_count == 0)
        return column.cast(pa.string())
    column = _text(column)
    _visible(column)
    return column


def _text(column: Arrow) -> Arrow:
    """Return a column of text; null is allowed."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    _require(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind))
    return column.cast(pa.string())


def _visible(column: Arrow) -> None:
    """Require text, valid and not blank, in every place."""
    column.validate(full=True)
    blank = pc.min(pc.binary_length(pc.utf8_trim_whitespace(column.cast(pa.string())))).as_py() if len(column) else 1
    _require(column.null_count == 0 and blank > 0)


def _numbers(column: Arrow, *, time: bool = False) -> Arrow:
    kind = column.type
    if time and (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        micro = column.cast(pa.timestamp("us", kind.tz if pa.types.is_timestamp(kind) else None), safe=False)
        return pc.divide(micro.cast(pa.int64()).cast(pa.float64(), safe=False), 1e6)
    _require(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind))
    numbers = column.cast(pa.float64(), safe=False)
    _require(pc.all(pc.is_finite(numbers)).as_py() is not False)
    return numbers


def _relevant(column: Arrow) -> tuple[_Lists, Arrow, Arrow | None]:
    """Return the relevant ids of the rows, and their gains where they have them; ids with a gain of 0 are left out."""
    kind = column.type
    gain = None
    if pa.types.is_map(kind):
        lengths = np.diff(column.offsets.to_numpy())
        _require(column.null_count == 0 or not bool(lengths[~np.array(column.is_valid())].any()))
        first, last = column.offsets[0].as_py(), column.offsets[-1].as_py()
        relevant = _Lists(lengths.astype(np.int64), column.keys[first:last])
        ids, gain = relevant.entries, column.items[first:last]
    else:
        relevant = _lists(column)
        ids = relevant.entries
        if pa.types.is_struct(ids.type) and len(ids):
            places = [ids.type.get_field_index(name) for name in ("item_id", "gain")]
            _require(min(places) >= 0 and ids.null_count == 0)
            ids, gain = ids.field(places[0]), ids.field(places[1])
    if not len(ids):
        return _Lists(np.zeros(len(column), np.int64), ids), pa.array([], pa.string()), None
    ids = _ids(ids)
    if gain is None:
        return relevant, ids, None
    _require(gain.null_count == 0)
    gain = _numbers(gain)
    above = gain.to_numpy(zero_copy_only=False) > 0
    lengths = np.bincount(relevant.rows()[above], minlength=len(relevant.lengths))
    return _Lists(lengths.astype(np.int64), ids), ids.filter(pa.array(above)), gain.filter(pa.array(above))


def _places(
    history: _Lists, past: Arrow, candidates: _Lists, proposed: Arrow, relevant: _Lists, wanted: Arrow
) -> tuple[NDArray[np.bool_], int]:
    """Return which relevant ids are candidates of their rows, and how many rows offer an item of the history."""
    lists = (past, proposed, wanted)
    codes = pa.concat_arrays([ids.cast(pa.string()) for ids in lists]).dictionary_encode()
    code = codes.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    rows = np.concatenate([one.rows() for one in (history, candidates, relevant)])
    of_past, of_proposed, of_wanted = np.split(
        rows * max(1, len(codes.dictionary)) + code, np.cumsum([len(past), len(proposed)])
    )
    _require(len(np.unique(of_proposed)) == len(of_proposed) and len(np.unique(of_wanted)) == len(of_wanted))
    seen = rows[len(past) : len(past) + len(proposed)][np.isin(of_proposed, of_past)]
    return np.isin(of_wanted, of_proposed), len(np.unique(seen))


def _made(items: _Items, remembered: dict[tuple[str, str], Item]) -> list[Item]:
    ids, titles = items.item_id.to_pylist(), items.title.to_pylist()
    if items.attributes is not None:
        return list(map(Item, ids, titles, items.attributes))
    made: list[Item] = []
    for key in zip(ids, titles, strict=True):
        if (item := remembered.get(key)) is None:
            item = remembered[key] = Item(*key)
        made.append(item)
    return made
