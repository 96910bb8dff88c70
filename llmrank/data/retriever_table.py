"""A retriever's table as a candidate file: a row per user and item (long), or a row per user with lists (wide).

Everything stays in Arrow columns, so that a price, a date or an embedding of an item comes out with the type and the
value with which it went in: columns that have no role become fields of the candidates.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray
from pydantic_core import to_json

from llmrank.data.candidate_row import CANDIDATE_FIELDS
from llmrank.data.candidate_writing import write_lines, write_tables
from llmrank.data.candidates import FAULTS_SHOWN, ArrowTable, BadRowsError, DataFrame, arrow_table, file_format
from llmrank.data.rows import Arrow, clean_text
from llmrank.data.tables import Table, read_event_rows, read_table
from llmrank.errors import InputError

pc: Any = pyarrow.compute
ROLES = ("user", "item", "title", "score", "rank", "relevant")
"""What a column may be to us; every other one is an attribute of the item."""


def read_retriever_table(
    source: Path | ArrowTable | DataFrame,
    *,
    items: Path | None = None,
    histories: Path | None = None,
    relevant: Mapping[str, Mapping[str, float]] | None = None,
    columns: Mapping[str, str] | None = None,
    drop_duplicates: bool = False,
    skip_bad_rows: bool = False,
    left_out: Counter[str],
) -> Arrow:
    """Return the candidate file of a retriever's table as a `pyarrow.Table`, users in the order in which they come.

    Candidates stand by falling score; without scores by rank, or as they come.

    Args:
        source: CSV, TSV, JSON lines or Parquet; or a table in memory.
        items: A table of items: titles, and all their other columns. Without it the table must have a title.
        histories: A table of interactions; a user without any has an empty history.
        relevant: User id -> item id -> gain. None: from the column `relevant` of the table, where there is one.
        columns: The columns' roles, where their names do not tell: `ROLES`.
        drop_duplicates: Keep the best of a user's repeated items, instead of refusing them.
        skip_bad_rows: Go on without rows that have faults.
        left_out: Receives what was left out, in words, and how often.

    Raises:
        InputError: a column is missing; a row has a fault (no user, no item, no title, no number, or a repeated item).
    """
    read = read_table(source) if isinstance(source, Path) else Table("the table", arrow_table(source))
    table = _long(_checked(read, columns or {}), columns or {})
    names = _named(table, columns or {})
    catalogue = None if items is None else _catalogue(items)
    good, rows = _good_rows(table, names, catalogue, skip_bad_rows, drop_duplicates, left_out)
    order = good[np.lexsort((rows.place[good], rows.user[good]))]
    users, lengths = _runs(rows.user[order])
    user_ids = rows.user_ids.take(pa.array(users))
    candidates: dict[str, Arrow] = {"item_id": rows.item_id, "title": rows.title}
    if rows.score is not None:
        candidates["score"] = pa.array(rows.score)
    candidates |= rows.attributes
    struct = pa.StructArray.from_arrays(
        [column.take(pa.array(order)) for column in candidates.values()], names=list(candidates)
    )
    made: dict[str, Arrow] = {"user_id": user_ids}
    if histories is not None:
        titles = catalogue or _Catalogue(rows.item_id, rows.title, {})
        made["history"] = _history(histories, user_ids, titles, left_out)
        empty = int((pc.list_value_length(made["history"]).to_numpy() == 0).sum())
        left_out["Cases have an empty history"] += empty
    made["candidates"] = _list_array(lengths, struct)
    offered = rows.item_id.take(pa.array(order))
    gains = _column_gains(table, names, rows, left_out) if relevant is None else relevant
    if gains:
        made["relevant"] = _relevant_array(user_ids.to_pylist(), lengths, offered.to_pylist(), gains, left_out)
    return pa.table(made)


def write_candidate_table(path: Path, table: Arrow, *, overwrite: bool = False) -> int:
    """Write a `pyarrow.Table` that is a candidate file, its columns as they are, and return the number of rows."""
    if file_format(path) == "parquet":
        batches = (pa.Table.from_batches([batch]) for batch in table.to_batches(max_chunksize=8192))
        return write_tables(path, batches, table.schema, overwrite=overwrite)
    rows = (
        {name: value for name, value in row.items() if value is not None}
        for batch in table.to_batches(max_chunksize=1024)
        for row in batch.to_pylist(maps_as_pydicts="lossy")
    )
    lines = (to_json(row, inf_nan_mode="null", fallback=str) + b"\n" for row in rows)
    return write_lines(path, lines, overwrite=overwrite)


@dataclass(frozen=True, slots=True)
class _Catalogue:
    """Items by id: their titles, and further columns."""

    item_id: Arrow
    title: Arrow
    attributes: Mapping[str, Arrow]

    def places(self, ids: Arrow) -> Arrow:
        """Return where each id stands; null: it is not there."""
        return pc.index_in(ids, value_set=self.item_id)


@dataclass(frozen=True, slots=True)
class _Rows:
    """The columns of a long table, aligned."""

    user_ids: Arrow
    """The users, in the order in which they come."""
    user: NDArray[np.int64]
    """Index into `user_ids`; -1: none."""
    item_id: Arrow
    title: Arrow
    score: NDArray[np.float64] | None
    place: NDArray[np.float64]
    """By it the candidates of a user are sorted, lowest first."""
    attributes: Mapping[str, Arrow]


def _checked(table: Table, columns: Mapping[str, str]) -> Table:
    """Return the table; raise the InputError that says what else it is, or which role there is not."""
    names = list(table.data.column_names)
    for role in columns:
        if role not in ROLES:
            raise InputError(f"nothing is called {role!r}", field="--column", hint=f"use one of {', '.join(ROLES)}")
    if "candidates" in names and pa.types.is_list(table.data.schema.field("candidates").type):
        inner = table.data.schema.field("candidates").type.value_type
        if pa.types.is_struct(inner):
            hint = "use it as it is: llmrank eval --data, llmrank rerank"
            raise InputError("this is a candidate file already", path=table.path, hint=hint)
    return table


def _named(table: Table, columns: Mapping[str, str]) -> dict[str, str]:
    """Return the column of each role that the table has; user and item must be there."""
    names = {"user": table.require("user", columns), "item": table.require("item", columns)}
    for role in ROLES[2:]:
        if (name := table.find(role, columns)) is not None and name not in names.values():
            names[role] = name
    return names


def _long(table: Table, columns: Mapping[str, str]) -> Table:
    """Return a wide table as a long one: lists, or texts that hold lists, become a row for each entry."""
    item, user = table.find("item", columns), table.find("user", columns)
    data = table.data
    if item is None and (item := table.find("items", {})) is not None:
        data = data.rename_columns({item: "item_id"})
        table, item = replace(table, data=data), "item_id"
    if item is None or user is None:
        return table
    if len(pc.unique(data[user])) == len(data):  # a row per user: lists may be texts, as CSV has them
        loose = {item, *(table.find(role, columns) for role in ("score", "rank", "relevant"))}
        for name in data.column_names:
            if name != user and _is_text_list(data[name], strict=name not in loose):
                data = data.set_column(data.column_names.index(name), name, _parsed_lists(data[name]))
    data = data.combine_chunks()
    if not _is_list(data.schema.field(item).type):
        return replace(table, data=data)
    lists = [name for name in data.column_names if _is_list(data.schema.field(name).type)]
    lengths = pc.list_value_length(data[item]).fill_null(0)
    for name in lists:
        other = pc.list_value_length(data[name]).fill_null(0)
        if (differs := np.array(pc.not_equal(other, lengths))).any():
            row = int(differs.argmax())
            problem = f"{other[row]} entries, and {item} has {lengths[row]}"
            hint = "give lists of one length, or leave the column out"
            raise InputError(problem, path=table.path, line=table.first_line + row, field=name, hint=hint)
    parent = pc.list_parent_indices(data[item])
    made = {
        name: pc.list_flatten(data[name]) if name in lists else data[name].take(parent) for name in data.column_names
    }
    return Table(table.path, pa.table(made), table.first_line)


def _is_list(kind: Arrow) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind)


def _is_text_list(column: Arrow, *, strict: bool) -> bool:
    """Return whether texts are lists such as `[1, 2]` or, unless strict, `1 2 3` and `1|2|3`."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return False
    first = next((text for text in column.slice(0, 1000).to_pylist() if text), "").strip()
    return bool(re.fullmatch(r"\[.*\]", first) or (not strict and re.fullmatch(r"\S+([\s|;,]+\S+){2,}", first)))


def _parsed_lists(column: Arrow) -> Arrow:
    lists: list[list[str]] = []
    for text in column.to_pylist():
        inner = (text or "").strip()
        try:
            given = json.loads(inner)
            lists.append([str(entry) for entry in given])
        except (ValueError, TypeError):
            parts = re.split(r"\s*[|;,]\s*|\s+", inner.strip("[]").strip())
            lists.append([part.strip("'\"") for part in parts if part])
    return pa.chunked_array([pa.array(lists, pa.list_(pa.string()))])


def _catalogue(path: Path) -> _Catalogue:
    table = read_table(path)
    named = {"item": "id"} if table.find("item", {}) is None and "id" in table.data.column_names else {}
    item, title = table.require("item", named), table.require("title", named)
    ids = table.texts(item).combine_chunks()
    others = {name: table.data[name].combine_chunks() for name in table.data.column_names if name not in {item, title}}
    return _Catalogue(ids, table.texts(title).combine_chunks(), others)


def _good_rows(
    table: Table,
    names: Mapping[str, str],
    catalogue: _Catalogue | None,
    skip_bad_rows: bool,
    drop_duplicates: bool,
    left_out: Counter[str],
) -> tuple[NDArray[np.intp], _Rows]:
    """Return the columns, and the indices of the rows without faults; raise InputError for the faults of the others."""
    data, faults = table.data, list[tuple[NDArray[np.bool_], str, str, str]]()
    users = _trimmed(table.texts(names["user"]))
    items = _trimmed(table.texts(names["item"]))
    encoded = users.dictionary_encode()
    user = np.where(np.array(pc.equal(users, "")), -1, encoded.indices.to_numpy().astype(np.int64))
    faults.append((user < 0, names["user"], "the user is missing", "give it, or remove the row"))
    faults.append((np.array(pc.equal(items, "")), names["item"], "the item is missing", "give it, or remove the row"))
    title = None if "title" not in names else _trimmed(table.texts(names["title"]))
    attributes: dict[str, Arrow] = {
        name: data[name].combine_chunks() for name in data.column_names if name not in names.values()
    }
    if catalogue is not None:
        places = catalogue.places(items)
        known = _trimmed(catalogue.title.take(places))
        title = known if title is None else pc.if_else(pc.equal(title, ""), known, title)
        attributes |= {
            name: column.take(places) for name, column in catalogue.attributes.items() if name not in data.column_names
        }
    if title is None:
        hint = "name a table with ids and titles (--items), or the column: --column title=NAME"
        raise InputError("the table has no titles", path=table.path, line=1, hint=hint)
    where = names.get("title", "title")
    hint = "give every item a title: the model reads it"
    faults.append((np.array(pc.equal(title, "")), where, "the title is missing", hint))
    score = table.numbers(names["score"], "score") if "score" in names else None
    if score is not None:
        hint = "score every row, or leave the column out: --column score="
        faults.append((~np.isfinite(score), names["score"], "the score is missing", hint))
    rank = table.numbers(names["rank"], "rank") if "rank" in names else np.arange(len(data), dtype=np.float64)
    place = np.lexsort((np.arange(len(data)), rank, *([] if score is None else [-score])))
    placed = np.empty(len(data))
    placed[place] = np.arange(len(data))
    item = items.dictionary_encode().indices.to_numpy().astype(np.int64)
    bad = np.any([mask for mask, *_ in faults], axis=0)
    repeated = np.zeros(len(data), bool)
    best_first = place[~bad[place]]
    pairs = user[best_first] * (item.max(initial=0) + 1) + item[best_first]
    kept = np.unique(pairs, return_index=True)[1]
    repeated[best_first] = True
    repeated[best_first[kept]] = False
    if drop_duplicates:
        left_out["repeated candidates are left out"] += int(repeated.sum())
    else:
        hint = "keep it once (--drop-duplicates keeps the best)"
        faults.append((repeated, names["item"], "the item is a candidate of the user twice", hint))
    _refuse(table, users, faults, skip_bad_rows, left_out)
    good = np.flatnonzero(~(bad | repeated))
    if not len(good):
        raise InputError("the table has no rows", path=table.path, hint="write at least one")
    taken = CANDIDATE_FIELDS
    attributes = {f"column_{name}" if name in taken else name: column for name, column in attributes.items()}
    return good, _Rows(encoded.dictionary, user, items, title, score, placed, attributes)


def _refuse(
    table: Table,
    users: Arrow,
    faults: Sequence[tuple[NDArray[np.bool_], str, str, str]],
    skip_bad_rows: bool,
    left_out: Counter[str],
) -> None:
    found: dict[int, InputError] = {}
    for mask, column, problem, hint in faults:
        if skip_bad_rows and mask.any():
            left_out[f"rows are left out: {problem}"] += int(mask.sum())
        for row in np.flatnonzero(mask)[:FAULTS_SHOWN].tolist():
            line, user = table.first_line + row, users[row].as_py() or None
            error = InputError(problem, path=table.path, line=line, field=column, user=user, hint=hint)
            found.setdefault(row, error)
    if found and not skip_bad_rows:
        shown = [found[row] for row in sorted(found)][:FAULTS_SHOWN]
        count = int(np.any([mask for mask, *_ in faults], axis=0).sum())
        raise shown[0] if count == 1 else BadRowsError(table.path, shown, count)


def _history(path: Path, user_ids: Arrow, titles: _Catalogue, left_out: Counter[str]) -> Arrow:
    """Return the events of the users, oldest first, as a list column."""
    table = read_table(path)
    events = read_event_rows(table, {})
    own = table.find("title", {})
    user = pc.index_in(_trimmed(events.user), value_set=user_ids)
    items = _trimmed(events.item)
    places = titles.places(items)
    title = _trimmed(titles.title.take(places))
    if own is not None:
        title = pc.if_else(pc.equal(title, ""), _trimmed(table.texts(own)), title)
    ours = np.array(user.is_valid())
    nameless = np.array(pc.equal(title, "")) | np.array(pc.equal(items, ""))
    left_out["events of the histories are left out: their items have no title"] += int((ours & nameless).sum())
    time = events.timestamp
    if time is not None and np.isnan(time[ours]).any():
        line = table.first_line + int(np.flatnonzero(ours & np.isnan(time))[0])
        hint = "fill it in, or remove the column to take the order of the file"
        raise InputError("an event without a timestamp", path=path, line=line, field=events.timestamp_field, hint=hint)
    rows = np.flatnonzero(ours & ~nameless)
    owner = user.fill_null(-1).to_numpy().astype(np.int64)
    order = rows[np.lexsort((rows, *([] if time is None else [time[rows]]), owner[rows]))]
    index = pa.array(order)
    fields: dict[str, Arrow] = {"item_id": items.take(index), "title": title.take(index)}
    if events.rating is not None:
        fields["rating"] = pa.array(events.rating[order], pa.float64(), mask=np.isnan(events.rating[order]))
    if time is not None:
        fields["timestamp"] = pa.array(time[order])
    fields |= {
        name: column.take(places).take(index)
        for name, column in titles.attributes.items()
        if name not in {*fields, "attributes", "rating", "timestamp"}
    }
    lengths = np.bincount(owner[order], minlength=len(user_ids))
    return _list_array(lengths, pa.StructArray.from_arrays(list(fields.values()), names=list(fields)))


def _column_gains(
    table: Table, names: Mapping[str, str], rows: _Rows, left_out: Counter[str]
) -> dict[str, dict[str, float]]:
    """Return what the column `relevant` of the table says: a gain, or true and false."""
    if "relevant" not in names:
        return {}
    column = table.data[names["relevant"]]
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    gains = replace(table, data=pa.table({names["relevant"]: column})).numbers(names["relevant"], "gain")
    made: dict[str, dict[str, float]] = {}
    user_ids, item_ids = rows.user_ids.to_pylist(), rows.item_id
    for row in np.flatnonzero((gains > 0) & (rows.user >= 0)).tolist():
        made.setdefault(user_ids[rows.user[row]], {})[item_ids[row].as_py()] = float(gains[row])
    left_out[f"rows are relevant by the column {names['relevant']!r}"] += int((gains > 0).sum())
    return made


def _relevant_array(
    users: Sequence[str],
    lengths: NDArray[np.int64],
    offered: Sequence[str],
    gains: Mapping[str, Mapping[str, float]],
    left_out: Counter[str],
) -> Arrow:
    start = missed = without = 0
    for user, length in zip(users, lengths.tolist(), strict=True):
        wanted = gains.get(user, {}).keys()
        without += not wanted
        missed += len(wanted - set(offered[start : start + length]))
        start += length
    left_out["Cases have no relevant item: no measure counts them"] += without
    left_out["relevant items are no candidates: they count against the score"] += missed
    left_out["users have relevant items and no candidates: they are left out"] += len(gains.keys() - set(users))
    rows = [gains.get(user, {}) for user in users]
    if any(gain != 1 for row in rows for gain in row.values()):
        return pa.array([list(row.items()) for row in rows], pa.map_(pa.string(), pa.float64()))
    return pa.array([list(row) for row in rows], pa.list_(pa.string()))


def _trimmed(column: Arrow) -> Arrow:
    """Return texts on one line, without HTML entities; "" where there is none."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    encoded = array.cast(pa.string()).fill_null("").dictionary_encode()
    cleaned = pa.array([clean_text(text) for text in encoded.dictionary.to_pylist()], pa.string())
    return cleaned.take(encoded.indices)


def _runs(sorted_codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct codes in a sorted array, and how long each run is."""
    starts = np.flatnonzero(np.diff(sorted_codes, prepend=-1))
    return sorted_codes[starts], np.diff(starts, append=len(sorted_codes))


def _list_array(lengths: NDArray[np.int64], entries: Arrow) -> Arrow:
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), entries)
