"""Converts a retriever's table to a candidate file: long (a row per user and item) or wide (a row per user with lists).

All data stays in Arrow columns, so prices, dates and embeddings keep their type and value. Columns without a role
become fields of the candidates, or columns of the Case if their value is the same for all candidates of each Case.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from llmrank.data.candidate_row import CANDIDATE_FIELDS, EVENT_FIELDS, misspelt_field
from llmrank.data.candidates import FAULTS_SHOWN, refuse_rows
from llmrank.data.rows import (
    Arrow,
    EventRows,
    ItemRows,
    chronological,
    clean_text,
    is_list,
    is_single,
    is_text,
    lines_of,
    map_texts,
    whole,
)
from llmrank.data.table import Table
from llmrank.errors import InputError, count_of

pc: Any = pyarrow.compute
ROLES = ("user", "item", "title", "score", "rank", "relevant", "case")
"""The roles that a column may have. All other columns are attributes of the item or of the Case."""

MISSING_USER = "fill it in (if the user is unknown, repeat the case id), or remove the row"
"""The hint for a row that has a case but no user."""
_NO_CANDIDATES = "Cases without candidates, left out"
_NOTHING_RELEVANT = "Cases without a relevant item, which no measure counts"
_TOLD = "Cases with a relevant item in their history (if it is the event to predict, leave it out of the histories)"
_SEVERAL_GAINS = "rows that give an item a different gain than an earlier row (the highest counts)"
_TWICE = "events of the histories that repeat another of the same user, item and time (kept)"
_AS_THEY_STAND = "rows whose order is taken as the recall order, as no column is a score (--column score=NAME)"
FEW_STEPS, NEARLY_ALWAYS = 5, 0.9
"""To recognize a distance: the minimum number of steps between ranks, and the share of them that must rise."""
_BETWEEN = "\x1f"
"""Separates user and case in a key; it occurs in no id."""

Gains = Mapping[str, Mapping[str, float]]
"""Owner -> item id -> gain (above 0)."""
Owner = Literal["user", "case", "case_id"]
"""What a row of another table belongs to: all Cases of a user, one Case by its key (`case_keys`), or by its case id."""


class LeftOut(Counter[str]):
    """Everything that a conversion leaves out: a count by a note that says what and why. It also knows what may be."""

    def __init__(self, *, skip_bad_rows: bool = False, drop_duplicates: bool = False) -> None:
        """`skip_bad_rows` and `drop_duplicates`: see `llmrank.convert`."""
        super().__init__()
        self.skip_bad_rows, self.drop_duplicates = skip_bad_rows, drop_duplicates

    def skip(self, table: Table, bad: Sequence[int], fault: Callable[[int], InputError], note: str) -> Table:
        """Return the table without its bad rows, and count them. Raises InputError: they may not be skipped."""
        if not bad:
            return table
        if not self.skip_bad_rows:
            refuse_rows(table.path, [fault(row) for row in bad[:FAULTS_SHOWN]], len(bad))
        self[note] += len(bad)
        return table.take(np.delete(np.arange(len(table.data)), bad))


@dataclass(frozen=True, slots=True)
class _Proposed:
    """The columns of a long table, aligned by row."""

    keys: Arrow
    """The distinct owners of the rows in order of appearance: user ids, or keys of user and case (`case_keys`)."""
    owner: NDArray[np.int64]
    """Index into `keys`, or -1."""
    item: Arrow
    fields: dict[str, Arrow]
    """The fields of a candidate."""
    order: NDArray[np.intp]
    """Indices of the valid rows, grouped by owner in order of appearance, best candidate first."""
    starts: NDArray[np.intp]
    """Where the rows of each Case begin in `order`."""
    lengths: NDArray[np.intp]
    """The number of candidates of each Case."""


def candidate_table(
    table: Table,
    *,
    items: ItemRows | None,
    histories: EventRows | None,
    queries: EventRows | None,
    relevant: Gains | None,
    owners: Mapping[str, Owner],
    roles: Sequence[str],
    left_out: LeftOut,
) -> Arrow:
    """Return the candidate file of a long table as a `pyarrow.Table`, with Cases in order of appearance.

    Candidates are sorted by descending score, then by rank, then by row. See `read_external` for the other arguments.

    Args:
        table: One row per user and item, with titles unless `items` has them. With a case column, a user has one Case
            per value; a time in the table is then that of the Case, and its history ends before it.
        queries: Queries of the users, used as the history of a user without events.
        relevant: None: take them from the column `relevant` of the table, if there is one.
        owners: The `Owner` of the events (`past`) and of the keys of `relevant`; the default is the user.
        roles: The roles that columns may have: some of `ROLES`, and `timestamp` if it is the time of the Case. Columns
            with other roles are attributes.

    Raises:
        InputError: a column is missing, or a row is invalid (no user, item, title or number, or a duplicate item).
    """
    names = {"user": table.require("user"), "item": table.require("item")}
    for role in roles[2:]:
        if (name := table.find(role)) is not None and (role == "title" or name not in names.values()):
            names[role] = name
    rows = _proposed(table, names, items, left_out)
    keys = rows.keys.take(pa.array(rows.owner[rows.order[rows.starts]]))
    owners_there = len(np.unique(rows.owner[rows.owner >= 0])) if queries is None else len(queries.user)
    left_out[_NO_CANDIDATES] += owners_there - len(keys)
    made = _ids(keys, "case" in names, left_out)
    named: dict[Owner, Arrow] = {"user": made["user_id"], "case": keys, "case_id": made.get("case_id", keys)}
    until = _times(table, names, rows) if "timestamp" in names else None
    known = items or ItemRows("", rows.item, rows.fields["title"])
    past = _pasts(histories, queries, named[owners.get("past", "user")], until, known, left_out)
    if past is not None:
        made["history"] = past
    lengths = [] if past is None else pc.list_value_length(past)
    left_out["Cases with an empty history"] += len(keys) - int(np.count_nonzero(lengths))
    own = [name for name in table.data.column_names if name not in (*names.values(), *made)]
    if of_case := _of_the_case(rows, own):
        shown = (
            name if column.type == table.data[name].type else f"{name}, as text" for name, column in of_case.items()
        )
        left_out[f"Cases with columns of their own ({', '.join(shown)})"] += len(keys)
    fields = {name: column for name, column in rows.fields.items() if name not in of_case}
    made["candidates"] = _list_column(rows.lengths, fields, rows.order)
    gains, gains_of = relevant, owners.get("relevant", "user")
    if (column := names.get("relevant")) is not None:
        if relevant is None:
            gains, gains_of = _column_gains(table, column, rows, left_out), "case"
        else:
            ignored = f"rows that are relevant by the column {column!r}, ignored because the relevant items are given"
            left_out[ignored] += int((table.gains(column) > 0).sum())
    if gains:
        made["relevant"] = _relevant(named[gains_of], gains_of, made, gains, left_out)
    elif gains is not None:
        left_out[_NOTHING_RELEVANT] += len(keys)
    return pa.table(made | of_case)


def _of_the_case(rows: _Proposed, own: Sequence[str]) -> dict[str, Arrow]:
    """Return the columns that describe the Case, such as the user's country: their value is the same for all candidates
    of a Case, but differs between Cases for at least one item. They keep their types, or are texts (`_readable`)."""
    found: dict[str, Arrow] = {}
    order = pa.array(rows.order)
    items = _codes(rows.item.take(order))
    for name in own:
        column = rows.fields.get(name)
        if (
            column is None
            or not is_single(column.type)
            or name in CANDIDATE_FIELDS
            or misspelt_field([name]) is not None
        ):
            continue
        values = column.take(order)
        codes = _codes(values)
        differs = len(np.unique(items * (codes.max(initial=0) + 2) + codes + 1)) > len(np.unique(items))
        if differs and (codes == np.repeat(codes[rows.starts], rows.lengths)).all():
            found[name] = _readable(values.take(pa.array(rows.starts)))
    return found


def _codes(column: Arrow) -> NDArray[np.int64]:
    """Return a number for each distinct value of a column, and -1 for null."""
    values = whole(column)
    plain = values.dictionary_decode() if pa.types.is_dictionary(values.type) else values  # its indices may be unsigned
    return plain.dictionary_encode().indices.cast(pa.int64()).fill_null(-1).to_numpy()


def _readable(column: Arrow) -> Arrow:
    """Return a column as it is if Python, and thus a reader of Cases, can represent its values; else as texts."""
    try:
        if pa.types.is_timestamp(column.type):
            column.cast(pa.timestamp("us", column.type.tz)).to_pylist()  # nanoseconds need pandas
        elif pa.types.is_date(column.type):
            column.to_pylist()
    except (pa.ArrowInvalid, ValueError, OverflowError):
        return column.cast(pa.string())
    return column


def case_keys(users: Arrow, cases: Arrow) -> Arrow:
    """Return a key of user and case for each row; "" if either is missing."""
    users, cases = trimmed_ids(users), trimmed_ids(cases)
    known = pc.and_(pc.not_equal(users, ""), pc.not_equal(cases, ""))
    return pc.if_else(known, pc.binary_join_element_wise(users, cases, _BETWEEN), "")


def _ids(keys: Arrow, have_cases: bool, left_out: LeftOut) -> dict[str, Arrow]:
    """Return the `user_id` of each key and, with cases, a `case_id` that is unique across users."""
    if not have_cases:
        return {"user_id": keys}
    users, cases = (list(part) for part in zip(*(key.split(_BETWEEN, 1) for key in keys.to_pylist()), strict=True))
    if len(set(cases)) < len(cases):
        left_out["Cases given the id USER-CASE, because users share case ids"] += len(cases)
        cases = [f"{user}-{case}" for user, case in zip(users, cases, strict=True)]
    return {"user_id": pa.array(users, pa.string()), "case_id": pa.array(cases, pa.string())}


def _times(table: Table, names: Mapping[str, str], rows: _Proposed) -> NDArray[np.float64]:
    """Return the time of each Case. Raises InputError: a row has no time, or rows of a Case have different times."""
    seconds = table.seconds(names["timestamp"])[rows.order]
    times = seconds[rows.starts]
    if (differs := ~(seconds == np.repeat(times, rows.lengths))).any():
        row = int(rows.order[differs.argmax()])
        problem = "the time is missing" if np.isnan(seconds[differs.argmax()]) else "the Case has two different times"
        hint = "give every row the time of the request (or name it: --column timestamp=NAME), or rename the column"
        raise table.fault(problem, names["timestamp"], hint, row, str(table.data[names["user"]][row].as_py()))
    return times


def long_table(table: Table, left_out: LeftOut, *, bare: bool = True) -> Table:
    """Return a wide table in long form, with one row per entry of its lists (or texts that hold lists).

    Users with empty lists get no row; `left_out` counts them. Without `bare`, only text in brackets is a list, since a
    user's single item may be called `Toy Story 2`.

    Raises InputError: this is already a candidate file, or lists have different lengths.
    """
    offered = table.data.schema.field("candidates").type if "candidates" in table.data.column_names else pa.null()
    if is_list(offered) and pa.types.is_struct(offered.value_type):
        hint = "use it directly: llmrank eval --data, llmrank rerank"
        raise InputError("this is already a candidate file", path=table.path, hint=hint)
    item, user = table.find("item"), table.find("user")
    if item is None and (items := table.find("items")) is not None:
        item, table = "item_id", replace(table, data=table.data.rename_columns({items: "item_id"}))
    if item is None or user is None:
        return table
    data = _with_lists(table, user, item, bare=bare).combine_chunks()
    lists = [name for name in data.column_names if is_list(data.schema.field(name).type)]
    if item not in lists:
        return replace(table, data=data)
    lengths = pc.list_value_length(data[item]).fill_null(0)
    left_out[_NO_CANDIDATES] += pc.sum(pc.equal(lengths, 0)).as_py() or 0
    for name in lists:
        other = pc.list_value_length(data[name]).fill_null(0)
        if (differs := np.array(pc.not_equal(other, lengths))).any():
            row = int(differs.argmax())
            problem = f"the list has {count_of(int(other[row]), 'entry', 'entries')}, but {item} has {lengths[row]}"
            hint = "give lists of the same length, or remove the column"
            raise table.fault(problem, name, hint, row)
    parent = pc.list_parent_indices(data[item])
    made = {
        name: pc.list_flatten(data[name]) if name in lists else data[name].take(parent) for name in data.column_names
    }
    return replace(table, data=pa.table(made), lines=lines_of(table.lines, parent.to_numpy()))


def _with_lists(table: Table, user: str, item: str, *, bare: bool) -> Arrow:
    """Return the data with lists in place of texts that hold them (CSV has no others), if no user or Case has several
    rows; `bare`: see `long_table`."""
    data, case = table.data, table.find("case")
    owners = table.ids(user) if case is None else case_keys(table.ids(user), table.ids(case))
    if len(pc.unique(owners)) < len(data):
        return data
    loose = {item, *(table.find(role) for role in ("score", "rank", "relevant"))} if bare else set[str]()
    for place, name in enumerate(data.column_names):
        if name not in (user, case) and _holds_lists(data[name], strict=name not in loose):
            parsed = pa.array([_parsed_list(text) for text in data[name].to_pylist()], pa.list_(pa.string()))
            data = data.set_column(place, name, parsed)
    return data


def refuse_distance(table: Table) -> None:
    """Raise InputError if the score nearly always rises with the rank, as a distance would.

    A column that the user named (`--column score=…`) is trusted.
    """
    score, rank = table.find("score"), table.find("rank")
    if score is None or rank is None or "score" in table.named:
        return
    owner = _codes(table.ids(table.require("user")))
    ranks = table.numbers(rank, "rank")
    order = np.lexsort((ranks, owner))
    next_rank = (np.diff(owner[order]) == 0) & (np.diff(ranks[order]) > 0)
    steps = np.diff(table.numbers(score, "score")[order])[next_rank]
    if len(steps) >= FEW_STEPS and (steps > 0).mean() >= NEARLY_ALWAYS:
        problem = f"the score rises with {rank!r}, as a distance would"
        hint = f"rename the column to order by {rank!r}; or confirm that higher is better: --column score={score}"
        raise table.fault(problem, score, hint)


def _holds_lists(column: Arrow, *, strict: bool) -> bool:
    """Return whether texts are lists such as `[1, 2]` or, unless strict, `1 2 3` or `1|2|3`."""
    if not is_text(column.type):
        return False
    first = next((text for text in column.slice(0, 1000).to_pylist() if text), "").strip()
    return bool(re.fullmatch(r"\[.*\]", first) or (not strict and re.fullmatch(r"\S+([\s|;,]+\S+){2,}", first)))


def _parsed_list(text: str | None) -> list[str]:
    inner = (text or "").strip()
    try:
        return [str(entry) for entry in json.loads(inner)]
    except (ValueError, TypeError, RecursionError):
        parts = re.split(r"\s*[|;,]\s*|\s+", inner.strip("[]").strip())
        return [part.strip("'\"") for part in parts if part]


def _proposed(table: Table, names: Mapping[str, str], items: ItemRows | None, left_out: LeftOut) -> _Proposed:
    """Return the columns and the valid rows. Raises InputError: rows are invalid (unless they may be skipped)."""
    data = table.data
    users, item = trimmed_ids(table.ids(names["user"])), trimmed_ids(table.ids(names["item"]))
    title, attributes, unknown = _titled(table, names, items, item, left_out)
    score = table.numbers(names["score"], "score") if "score" in names else None
    rank = table.numbers(names["rank"], "rank") if "rank" in names else np.zeros(len(data))
    if attributes and "score" not in names and "rank" not in names:
        left_out[_AS_THEY_STAND] += len(data)
    keys = case_keys(users, table.ids(names["case"])) if "case" in names else users
    encoded = keys.dictionary_encode()
    owner = np.where(np.array(pc.equal(keys, "")), -1, encoded.indices.to_numpy().astype(np.int64))
    faults = _missing(names, users, owner, item, title, unknown)
    if score is not None:
        hint = "score every row, or remove the column"
        faults.append(_Fault(~np.isfinite(score), names["score"], "{item} has no finite score", hint))
    best_first = np.lexsort((np.arange(len(data)), rank, *([] if score is None else [-score])))
    faulty = np.any([fault.rows for fault in faults], axis=0)
    good, repeated = _first_of_each(best_first[~faulty[best_first]], owner, item)
    if left_out.drop_duplicates:
        left_out["repeated candidates, left out"] += int(repeated.sum())
    else:
        several = "" if "case" in names else "; if a user has several lists, name the column that separates them"
        hint = "keep it once (--drop-duplicates)" + (several and f"{several}: --column case=NAME")
        faults.append(_Fault(repeated, names["item"], "{item} is a duplicate candidate", hint))
    if left_out.skip_bad_rows:
        for fault in faults:
            left_out[f"rows skipped because {fault.problem.format(item='the item')}"] += int(fault.rows.sum())
    else:
        _refuse(table, users, item, faults)
    if not len(good):
        why = max((what for what in left_out if left_out[what]), key=left_out.__getitem__, default="")
        problem = f"no rows remain; {why}: {left_out[why]:,}" if why else "the table has no rows"
        raise InputError(problem, path=table.path, hint="correct them" if why else "write at least one")
    fields = {"item_id": item, "title": title} | ({} if score is None else {"score": pa.array(score)})
    fields |= _renamed(attributes, CANDIDATE_FIELDS)
    order = good[np.argsort(owner[good], kind="stable")]
    starts = np.flatnonzero(np.diff(owner[order], prepend=-1))
    return _Proposed(encoded.dictionary, owner, item, fields, order, starts, np.diff(starts, append=len(order)))


def _first_of_each(
    rows: NDArray[np.intp], owner: NDArray[np.int64], item: Arrow
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return the first of these rows for each owner and item, and a mask of the others in the table."""
    code = _codes(item)
    first = np.sort(np.unique(owner[rows] * (code.max(initial=0) + 1) + code[rows], return_index=True)[1])
    others = np.zeros(len(owner), np.bool_)
    others[np.delete(rows, first)] = True
    return rows[first], others


class _Fault(NamedTuple):
    """A fault of some rows of a table."""

    rows: NDArray[np.bool_]
    column: str
    problem: str
    """May name the item as `{item}`."""
    hint: str


def _titled(
    table: Table, names: Mapping[str, str], items: ItemRows | None, item: Arrow, left_out: LeftOut
) -> tuple[Arrow, dict[str, Arrow], _Fault]:
    """Return the title of each row, its attributes, and the rows whose item has no title and is not in `items`.

    Raises InputError: neither the table nor `items` has titles.
    """
    data = table.data
    title = _trimmed(table.texts(names["title"])) if "title" in names else None
    attributes = {name: whole(data[name]) for name in data.column_names if name not in names.values()}
    unknown, hint = np.zeros(len(data), bool), "add it there, or remove the row"
    if items is not None:
        twice = len(items.item_id) - len(pc.unique(items.item_id))
        left_out["rows of the items table that repeat an id (the first counts)"] += twice
        ids = trimmed_ids(items.item_id)
        places = pc.index_in(item, value_set=ids)
        known = _trimmed(items.title).take(places).fill_null("")
        title = known if title is None else pc.if_else(pc.equal(title, ""), known, title)
        unknown = np.array(places.is_null()) & np.array(pc.equal(title, ""))
        if pc.any(pc.is_in(pc.utf8_ltrim(item.filter(pa.array(unknown)), "0"), value_set=ids)).as_py():
            hint = "the items table has lost leading zeros of ids: read its ids as text (pandas: dtype=str)"
        attributes |= {
            name: whole(column).take(places)
            for name, column in items.attributes.items()
            if name not in data.column_names
        }
    if title is None:
        needed = "name a table with ids and titles (--items), or the title column: --column title=NAME"
        raise InputError("the table has no titles", path=table.path, line=1, hint=needed)
    return title, attributes, _Fault(unknown, names["item"], "{item} is not in the items table", hint)


def _missing(
    names: Mapping[str, str], users: Arrow, owner: NDArray[np.int64], item: Arrow, title: Arrow, unknown: _Fault
) -> list[_Fault]:
    """Return which rows lack a user, a case, an item or a title."""
    fill = "fill it in, or remove the row"
    no_user, no_item = np.array(pc.equal(users, "")), np.array(pc.equal(item, ""))
    no_title = np.array(pc.equal(title, "")) & ~unknown.rows & ~no_item
    nameless = len(pc.unique(item.filter(pa.array(no_title))))
    give = "give every item a title: the model reads it" + (f" ({nameless} items have none)" if nameless > 1 else "")
    return [
        _Fault(no_user, names["user"], "the user is missing", MISSING_USER if "case" in names else fill),
        _Fault((owner < 0) & ~no_user, names.get("case", ""), "the case is missing", fill),
        _Fault(no_item, names["item"], "the item is missing", fill),
        unknown._replace(rows=unknown.rows & ~no_item),
        _Fault(no_title, names.get("title", "title"), "{item} has no title", give),
    ]


def _refuse(table: Table, users: Arrow, item: Arrow, faults: Sequence[_Fault]) -> None:
    """Raise the InputError for the invalid rows of a table, with the first error of each row."""
    found: list[InputError] = []
    which = np.array([fault.rows for fault in faults])
    bad = np.flatnonzero(which.any(axis=0))
    for row in bad[:FAULTS_SHOWN].tolist():
        fault = faults[int(which[:, row].argmax())]
        problem = fault.problem.format(item=f"item {item[row].as_py()!r}")
        found.append(table.fault(problem, fault.column, fault.hint, row, users[row].as_py() or None))
    refuse_rows(table.path, found, len(bad))


def _pasts(
    histories: EventRows | None,
    queries: EventRows | None,
    owners: Arrow,
    until: NDArray[np.float64] | None,
    known: ItemRows,
    left_out: LeftOut,
) -> Arrow | None:
    """Return the history of each Case, which for an owner without events is the query; None if there are neither."""
    if histories is not None:
        users = trimmed_ids(histories.user).unique()
        if not pc.any(pc.is_in(users, value_set=owners)).as_py():
            left_out["users of the histories, none of whom has candidates (are the ids of one kind?)"] += len(users)
    given = [events for events in (histories, queries) if events is not None]
    pasts = [_history(events, owners, until, known, left_out) for events in given]
    if len(pasts) < 2:
        return pasts[0] if pasts else None
    pairs = zip(*(past.to_pylist(maps_as_pydicts="lossy") for past in pasts), strict=True)
    joined = [past or query for past, query in pairs]
    return pa.array(joined) if any(joined) else pasts[0]  # from empty lists, Arrow infers no fields


def _history(
    events: EventRows, owners: Arrow, until: NDArray[np.float64] | None, known: ItemRows, left_out: LeftOut
) -> Arrow:
    """Return the events of each Case's owner before the time of the Case, oldest first, as a list column."""
    item = trimmed_ids(events.item)
    places = pc.index_in(item, value_set=trimmed_ids(known.item_id))
    title = _trimmed(known.title).take(places).fill_null("")
    if events.title is not None:
        title = pc.if_else(pc.equal(title, ""), _trimmed(events.title), title)
    encoded = owners.dictionary_encode()
    owned = pc.index_in(trimmed_ids(events.user), value_set=encoded.dictionary)
    nameless = np.array(pc.equal(title, "")) | np.array(pc.equal(item, ""))
    left_out["events left out of the histories because their items have no title"] += int(
        (np.array(owned.is_valid()) & nameless).sum()
    )
    owner = np.where(nameless, -1, owned.fill_null(-1).to_numpy().astype(np.int64))
    if events.timestamp is not None:
        timed = np.flatnonzero((owner >= 0) & ~np.isnan(events.timestamp))
        names, columns = ["user", "item", "time"], (owner[timed], item.take(pa.array(timed)), events.timestamp[timed])
        left_out[_TWICE] += len(timed) - len(pa.table(columns, names).group_by(names).aggregate([]))
    past = _oldest_first(events, owner, len(encoded.dictionary)).take(encoded.indices)
    order, lengths = past.flatten().to_numpy(), past.value_lengths().to_numpy()
    if until is not None and events.timestamp is not None:
        case = np.repeat(np.arange(len(owners)), lengths)
        before = events.timestamp[order] < until[case]
        left_out["events left out of a history because they are not before the Case"] += int((~before).sum())
        order, lengths = order[before], np.bincount(case[before], minlength=len(owners))
    elif shared := len(owners) - len(encoded.dictionary):
        problem = "Cases that share the whole history of their user with another Case"
        left_out[f"{problem} (name their time: --column timestamp=NAME; or give each its own: case=NAME)"] = shared
    fields: dict[str, Arrow] = {"item_id": item, "title": title}
    for name, values in (("rating", events.rating), ("timestamp", events.timestamp)):
        if values is not None:
            fields[name] = pa.array(values, pa.float64(), mask=np.isnan(values))
    fields |= _renamed({name: whole(column).take(places) for name, column in known.attributes.items()}, EVENT_FIELDS)
    return _list_column(lengths, fields, order)


def _oldest_first(events: EventRows, owner: NDArray[np.int64], owners: int) -> Arrow:
    """Return the rows of each owner's events, oldest first, as lists; those of owner -1 are left out."""
    rows = np.flatnonzero(owner >= 0)
    rows = rows[chronological(owner[rows], events.take(rows))]
    rows = rows[np.argsort(owner[rows], kind="stable")]
    return _lists(np.bincount(owner[rows], minlength=owners), pa.array(rows))


def _column_gains(table: Table, name: str, rows: _Proposed, left_out: LeftOut) -> Gains:
    """Return the gains in a column of the table, which holds numbers or true and false."""
    gains = table.gains(name)
    wanted = np.flatnonzero((gains > 0) & (rows.owner >= 0) & np.array(pc.not_equal(rows.item, "")))
    left_out[f"rows that are relevant by the column {name!r}"] += len(wanted)
    owners, items = rows.keys.take(pa.array(rows.owner[wanted])), rows.item.take(pa.array(wanted))
    return gains_by_owner(owners.to_pylist(), items.to_pylist(), gains[wanted].tolist(), left_out)


def gains_by_owner(owners: Sequence[str], items: Sequence[str], gains: Sequence[float], left_out: LeftOut) -> Gains:
    """Return the gains above 0. If an owner's item has several gains, keep the highest; `left_out` counts these."""
    made: dict[str, dict[str, float]] = {}
    for owner, item, gain in zip(owners, items, gains, strict=True):
        if gain > 0:
            known = made.setdefault(owner, {}).setdefault(item, gain)
            left_out[_SEVERAL_GAINS] += known != gain
            made[owner][item] = max(known, gain)
    return made


def _relevant(named: Arrow, owner: Owner, made: Mapping[str, Arrow], gains: Gains, left_out: LeftOut) -> Arrow:
    owners: list[str] = named.to_pylist()
    rows = [gains.get(name, {}) for name in owners]

    def ids_of(name: str) -> list[list[str]]:
        return pa.ListArray.from_arrays(made[name].offsets, made[name].values.field("item_id")).to_pylist()

    left_out[_NOTHING_RELEVANT] += sum(not row for row in rows)
    missed = sum(len(row.keys() - ids) for row, ids in zip(rows, ids_of("candidates"), strict=True))
    left_out["relevant items that are not candidates (they count against the score)"] += missed
    if "history" in made:
        left_out[_TOLD] += sum(not row.keys().isdisjoint(ids) for row, ids in zip(rows, ids_of("history"), strict=True))
    who = "users" if owner == "user" else "Cases"
    left_out[f"{who} with relevant items but no candidates, left out"] += len(gains.keys() - set(owners))
    if any(gain != 1 for row in rows for gain in row.values()):
        return pa.array([list(row.items()) for row in rows], pa.map_(pa.string(), pa.float64()))
    return pa.array([list(row) for row in rows], pa.list_(pa.string()))


def trimmed_ids(column: Arrow) -> Arrow:
    """Return ids without surrounding white space, as one array; "" for null."""
    return map_texts(column, str.strip).fill_null("")


def with_trimmed_ids(table: Table, left_out: LeftOut, names: Iterable[str | None] = ()) -> Table:
    """Return a table whose ids have no surrounding white space; `left_out` counts the changed ones.

    `names` are the columns of ids, by default those of user, item and case.
    Raises InputError: two ids of a column would become the same.
    """
    for name in names or (table.find(role) for role in ("user", "item", "case")):
        if name is None:
            continue
        column = whole(table.data[name])
        if not is_text(column.type.value_type if pa.types.is_dictionary(column.type) else column.type):
            continue
        first: dict[str, str] = {}
        for given in pc.unique(column).drop_null().to_pylist():
            if (other := first.setdefault(given.strip(), given)) != given and given.strip():
                problem = f"the ids {other!r} and {given!r} differ only in white space, which ids do not keep"
                hint = "write them alike if they are the same; otherwise give one of them another id"
                row = pc.index(column.cast(pa.string()), given).as_py()
                raise table.fault(problem, name, hint, row)
        if changed := sum(short != given for short, given in first.items() if short):
            left_out[f"ids of the column {name!r} of {table.path} without the white space around them"] += changed
            place = table.data.column_names.index(name)
            table = replace(table, data=table.data.set_column(place, name, map_texts(column, str.strip)))
    return table


def _trimmed(column: Arrow) -> Arrow:
    """Return texts on one line, without HTML entities, as one array; "" for null."""
    return map_texts(column, clean_text).fill_null("")


def _renamed(attributes: Mapping[str, Arrow], taken: frozenset[str]) -> Iterator[tuple[str, Arrow]]:
    return ((f"column_{name}" if name in taken else name, column) for name, column in attributes.items())


def _list_column(lengths: NDArray[np.integer], fields: Mapping[str, Arrow], order: NDArray[np.intp]) -> Arrow:
    """Return a column of lists of structs with the given lengths, from the rows of `fields` in `order`."""
    taken = [column.take(pa.array(order)) for column in fields.values()]
    return _lists(lengths, pa.StructArray.from_arrays(taken, names=list(fields)))


def _lists(lengths: NDArray[np.integer], entries: Arrow) -> Arrow:
    """Return a column of lists with the given lengths, which divide the entries among them."""
    return pa.ListArray.from_arrays(pa.array(np.concatenate(([0], np.cumsum(lengths))), pa.int32()), entries)
