"""Tables in CSV, TSV, JSON lines or Parquet, and the usual names of their columns."""

from __future__ import annotations

import csv
import io
import math
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv as pv
import pyarrow.json as pj
import pyarrow.parquet as pq
from numpy.typing import NDArray

from llmrank.data.lines import byte_lines, decoded, json_object, open_binary, refuse_too_deep
from llmrank.data.rows import (
    FROM_ONE,
    MOST_EXACT,
    TIME_HINT,
    TIME_UNITS,
    YEAR_1,
    YEAR_10000,
    Arrow,
    EventRows,
    ItemRows,
    Lines,
    Rows,
    extension_of,
    in_plain_types,
    is_text,
    lines_of,
    map_texts,
    map_types,
    texts,
    whole_ids,
)
from llmrank.errors import InputError, nearest, one_line
from llmrank.files import require_file

pc: Any = pyarrow.compute
ITEM_STEMS = ("items", "item", "movies", "books", "products", "articles", "catalogue", "catalog")
EVENT_STEMS = ("interactions", "ratings", "events", "reviews", "clicks")
EXTENSIONS = (".csv", ".tsv", ".parquet", ".jsonl", ".csv.gz", ".tsv.gz", ".jsonl.gz")

ROLES = ("user", "item", "title", "rating", "timestamp", "position")
"""The roles that a column of a data set may have."""
_ALIASES = """
user      userid reviewerid uid customerid visitorid listenerid user customer visitor listener
item      itemid movieid parentasin asin bookid productid articleid sku isbn iid trackid episodeid item product episode
title     title movietitle itemtitle booktitle producttitle productname itemname name titles
rating    rating overall stars score
timestamp timestamp unixreviewtime unixtime time ts datetime date
position  position seq sequence
items     itemids candidateids items candidates recommendations recs
score     score scores similarity prediction predictedscore recallscore
rank      rank ranks
relevant  relevant relevance label gain clicked purchased isrelevant
gain      gain relevance grade label relevant
case      caseid case
"""
ALIASES: Mapping[str, list[str]] = {role: names for role, *names in map(str.split, _ALIASES.strip().splitlines())}
"""The usual column names of each role, in lower case without separators; the first match wins: ids before plain words,
which may be names beside an id (`user` beside `user_id`)."""

LIKE: Mapping[str, tuple[str, ...]] = {
    "timestamp": ("time", "date", "created", "when"),
    "rating": ("rating", "stars", "grade", "rate"),
}
"""Words that suggest a role when a column has none of the usual names."""
EARLIEST = 3e8
"""Seconds since the epoch (1979). Smaller numbers are not taken for times."""
_SHORTENED = re.compile(r"^\s*-?\d[.,](\d+)[eE]\+?(\d{1,3})\s*$")
"""`1.23457E+11`: how spreadsheets show and save long numbers."""
_DATE = re.compile(r"\s*\d{4}-\d\d")
_OTHER_DATE = re.compile(
    r"\s*(?:\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b|\d{1,2}[ -][A-Za-z]{3}|[A-Z][a-z]{2,8} \d{1,2},? \d{4})"
)
"""`31/12/2023`, `31 Dec 2023`, `December 31, 2023`"""
_A_DATE = 1e8
"""The smallest number taken for a time, in seconds since the epoch (1973) or a finer unit."""
LONGEST_SHOWN = 60
"""Characters of a value that a message shows."""
_HINTS = {"gain": "write a number, true or false", "time": TIME_HINT}
"""Hints for values that cannot be read, where they are no plain numbers."""
_HAVE_A_DATE = (pa.types.is_timestamp, pa.types.is_date)
_MOMENTS = tuple(pa.timestamp(unit, zone) for unit in ("us", "ns") for zone in (None, "UTC"))
"""Without and with a zone. Nanoseconds, which pandas writes, reach only from 1677 to 2262."""
MANY_VALUED = {"genre", "genres", "category", "categories", "tags"}


class UnreadableError(InputError):
    """Values of a column cannot be read as numbers or times. Its message is that of the first such value."""

    def __init__(self, faults: Mapping[int, InputError]) -> None:
        first = next(iter(faults.values()))
        super().__init__(first.problem, path=first.path, line=first.line, field=first.field, hint=first.hint)
        self.faults = faults
        """The error of each row."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table and where it came from."""

    path: Path | str
    data: Arrow
    lines: Lines = FROM_ONE
    """The line number of each row; for Parquet the row number, counted from 1."""
    named: Mapping[str, str] = field(default_factory=dict[str, str])
    """Role -> column, where the user named the column."""

    def find(self, role: str) -> str | None:
        """Return the column for `role`: the one the user named, else one with a usual name, else None.

        Raises InputError: the named column does not exist; or the column has an extension type, such as a pandas
        period, whose numbers are not times.
        """
        names: list[str] = self.data.column_names
        if (asked := self.named.get(role)) is not None and asked not in names:
            problem = f"no such column; the columns are {', '.join(names)}{nearest(asked, names)}"
            raise InputError(problem, path=self.path, line=1, field=asked, hint="name one of these")
        found = asked or usual_column(role, names)
        if found is not None and (kind := extension_of(self.data.schema.field(found))) is not None:
            hint = "write it as text, as a number or as a date (pandas: .astype(str), .dt.to_timestamp())"
            raise self.fault(f"a column of type {kind} cannot be read", found, hint)
        return found

    def take(self, rows: NDArray[np.intp]) -> Table:
        """Return the chosen rows."""
        return replace(self, data=self.data.take(pa.array(rows)), lines=lines_of(self.lines, rows))

    def fault(self, problem: str, name: str, hint: str, row: int | None = None, user: str | None = None) -> InputError:
        """Return the error for a column, or for its value in one row."""
        line = None if row is None else int(self.lines[row])
        return InputError(problem, path=self.path, line=line, field=name, user=user, hint=hint)

    def like(self, role: str, taken: Collection[str]) -> str | None:
        """Return the column that looks like `role` by its name and values, or None.

        Raises InputError: several columns do.
        """
        found: list[str] = []
        for name in self._named_like(role, taken):
            try:
                values = self.seconds(name) if role == "timestamp" else self.numbers(name)
            except (InputError, pa.ArrowNotImplementedError):
                continue
            known = values[~np.isnan(values)]
            if len(known) and (role == "rating" or float(known.min()) > EARLIEST):
                found.append(name)
        if len(found) > 1:
            hint = f"name it: --column {role}={found[0]}"
            problem = f"ambiguous: {' and '.join(found)} could each be the {role}"
            raise InputError(problem, path=self.path, field=role, hint=hint)
        return found[0] if found else None

    def dates_of_events(self, user: str, item: str) -> str | None:
        """Return the only column of dates that belong to events: neither to the user alone nor to the item alone."""
        found: list[str] = []
        for name in self.data.column_names:
            is_extension = extension_of(self.data.schema.field(name)) is not None
            if name in (user, item) or is_extension or not self._is_dated(name):
                continue
            with suppress(InputError):
                times = pa.array(self.seconds(name))
                if self._varies(times, user) and self._varies(times, item):
                    found.append(name)
        return found[0] if len(found) == 1 else None

    def _varies(self, values: Arrow, of: str) -> bool:
        pairs = pa.table([self.data[of], values], ["of", "value"]).group_by(["of", "value"]).aggregate([])
        return len(pairs) > len(pc.unique(self.data[of]))

    def _named_like(self, role: str, taken: Collection[str]) -> Iterator[str]:
        """Yield the columns whose name suggests the role."""
        for name in self.data.column_names:
            plain = _plain(name)
            ends = role == "timestamp" and plain.endswith("at")  # viewedAt; not category_id
            suggests = name not in taken and (ends or any(word in plain for word in LIKE[role]))
            if suggests and extension_of(self.data.schema.field(name)) is None:
                yield name

    def unread_dates(self, taken: Collection[str]) -> Iterator[str]:
        """Yield a note for each column that seems to hold dates in a form that is not read."""
        for name in self._named_like("timestamp", taken):
            column = self.data[name]
            text = next((one for one in column.slice(0, 1000).to_pylist() if one), "") if is_text(column.type) else ""
            if _OTHER_DATE.match(text):
                shown = one_line(text, LONGEST_SHOWN)
                yield f"The column {name!r} is ignored: {shown!r} is not read as a time ({TIME_HINT})."

    def require(self, role: str, first: str = "") -> str:
        """Return the column for `role`. Raises InputError, whose hint begins with `first`: there is none."""
        if (name := self.find(role)) is None:
            problem = f"no column for the {role}; the columns are {', '.join(self.data.column_names)}"
            hint = f"{first}rename it to {role}, or name it: --column {role}=NAME"
            raise InputError(problem, path=self.path, line=1, field=role, hint=hint)
        return name

    def refuse_shared(self, roles: Iterable[str]) -> None:
        """Raise InputError if the user named a column for one of the roles that already has another of them.

        A column may be both item and title.
        """
        taken: dict[str, str] = {}
        for role in roles:
            name = self.named.get(role) or usual_column(role, self.data.column_names)
            first = role if name is None else taken.setdefault(name, role)
            if role in self.named and (first, role) not in ((role, role), ("item", "title")):
                hint = f"name another: --column {role}=NAME"
                raise InputError(f"the column is already the {first}", path=self.path, line=1, field=name, hint=hint)

    def texts(self, name: str) -> Arrow:
        """Return a column as strings (see `texts`)."""
        column = self.data[name]
        if pa.types.is_floating(column.type):
            most = MOST_EXACT[column.type.bit_width]
            if (np.abs(self.numbers(name)) >= most).any():
                problem = f"integers from {most:.0f} on lose digits when stored as floating-point numbers"
                raise self.fault(problem, name, "write them as text")
        try:
            return texts(column)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            problem = f"the column cannot be read as text ({str(error).splitlines()[0]})"
            raise self.fault(problem, name, "write it as text") from error

    def ids(self, name: str) -> Arrow:
        """Return a column of ids as strings (see `whole_ids`).

        Raises InputError: a spreadsheet has shortened ids to scientific notation, so that they are no longer unique.
        """
        column = self.texts(name)
        for short in pc.unique(column.filter(pc.match_substring_regex(column, _SHORTENED.pattern))).to_pylist():
            found = _SHORTENED.search(short)
            if found is not None and int(found[2]) > len(found[1]):
                problem = f"{short!r} is in scientific notation and may have lost its last digits"
                hint = "write ids as text (in Excel, format the column as Text before entering the ids)"
                raise self.fault(problem, name, hint, pc.index(column, short).as_py())
        return whole_ids(column)

    def gains(self, name: str) -> NDArray[np.float64]:
        """Return a column of gains as numbers; true and false (also as text) become 1 and 0."""
        column = self.data[name]
        if pa.types.is_boolean(column.type) or is_text(column.type):
            with suppress(pa.ArrowInvalid):
                return column.cast(pa.bool_()).cast(pa.int8()).cast(pa.float64()).to_numpy()
        return self.numbers(name, "gain")

    def numbers(self, name: str, what: str = "number") -> NDArray[np.float64]:
        """Return a column as numbers, NaN where it is empty. Raises InputError: a value is not a number."""
        column = self.data[name]
        if pa.types.is_decimal(column.type):
            column = column.cast(pa.string())  # the cast of decimals to floats is not correctly rounded
        # If the fast cast fails, read value by value: Python accepts blanks around a number, and errors name the row.
        with suppress(pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return column.cast(pa.float64()).to_numpy().astype(np.float64)
        return self._each(name, what, float)

    def ratings(self, name: str) -> NDArray[np.float64]:
        """Return a column of ratings (see `numbers`). Raises InputError for an infinite one too."""
        found = self.numbers(name)
        if (infinite := np.isinf(found)).any():
            row = int(infinite.argmax())
            shown = one_line(repr(self.data[name][row].as_py()), LONGEST_SHOWN)
            raise self.fault(f"expected a number, got {shown}", name, "write a finite number, or leave it empty", row)
        return found

    def _each(self, name: str, what: str, read: Callable[[Any], float]) -> NDArray[np.float64]:
        """Return a column read value by value, NaN where it is empty. Raises `UnreadableError`."""
        values, faults = list[float](), dict[int, InputError]()
        for row, value in enumerate(self.data[name].to_pylist()):
            try:
                values.append(math.nan if value is None or value == "" else read(value))
            except (TypeError, ValueError):
                shown = one_line(repr(value), LONGEST_SHOWN)
                hint = _HINTS.get(what, "write it as 3.5, with a decimal point")
                faults[row] = self.fault(f"expected a {what}, got {shown}", name, hint, row)
        if faults:
            raise UnreadableError(faults)
        return np.array(values)

    def _is_dated(self, name: str) -> bool:
        """Return whether a column holds dates rather than numbers, judging by the majority of its first 1,000 texts."""
        column = self.data[name]
        if not is_text(column.type):
            return pa.types.is_temporal(column.type)
        first = [text for text in column.slice(0, 1000).to_pylist() if text]
        return 2 * sum(_DATE.match(text) is not None for text in first) > len(first)

    def seconds(self, name: str) -> NDArray[np.float64]:
        """Return a column of times as seconds since the epoch (UTC), NaN where it is empty.

        Numbers may be seconds, milli-, micro- or nanoseconds (told apart by size: 1e11 seconds is the year 5138), or
        all of them days such as 20231114. Text may be ISO 8601.

        Raises InputError: a value is not a time.
        """
        column = self.data[name]
        if pa.types.is_temporal(column.type) and not any(is_one(column.type) for is_one in _HAVE_A_DATE):
            raise self.fault(f"a column of type {column.type} has no dates", name, TIME_HINT)
        if self._is_dated(name):
            with suppress(ValueError):
                return _seconds_of(column)
            return self._each(name, "time", lambda value: float(_seconds_of(pa.array([value]))[0]))
        times = self.numbers(name, "time")
        if (days := _of_days(times)) is not None:
            return days
        largest = float(np.nanmax(np.abs(times))) if np.isfinite(times).any() else 0.0
        limit, factor = next((unit for unit in TIME_UNITS if largest > unit[0]), (0.0, 1))
        if (other := (np.abs(times) >= _A_DATE) & (np.abs(times) <= limit)).any():
            row = int(other.argmax())
            problem = f"{times[row]:.0f} and {largest:.0f} are times in different units"
            raise self.fault(problem, name, "use one unit for the whole column", row)
        seconds = times / factor
        if (outside := (seconds < YEAR_1) | (seconds >= YEAR_10000)).any():
            row = int(outside.argmax())
            raise self.fault(f"{times[row]:g} is not a valid time", name, TIME_HINT, row)
        return seconds


def _of_days(numbers: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return seconds since the epoch if every known number is a day such as 20231114, else None."""
    known = numbers[np.isfinite(numbers)]
    years, months, days = known // 10_000, known // 100 % 100, known % 100
    valid = (known % 1 == 0) & (years >= 1900) & (years <= 2100) & (months >= 1) & (months <= 12)
    if not len(known) or np.isinf(numbers).any() or not valid.all():
        return None
    month = (12 * (years - 1970) + months - 1).astype("datetime64[M]")
    found = month.astype("datetime64[D]") + (days - 1).astype("timedelta64[D]")
    if (found.astype("datetime64[M]") != month).any():
        return None  # 20230230
    seconds = np.full(len(numbers), np.nan)
    seconds[np.isfinite(numbers)] = found.astype("datetime64[s]").astype(float)
    return seconds


def _seconds_of(dates: Arrow) -> NDArray[np.float64]:
    """Return dates, or texts in ISO 8601, as seconds since the epoch. Raises ValueError: one is not a date."""
    for kind in _MOMENTS:
        with suppress(pa.ArrowInvalid):
            moments = dates.cast(kind, safe=is_text(dates.type)).cast(pa.timestamp("us", kind.tz), safe=False)
            return moments.cast(pa.int64()).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False) / 1e6
    raise ValueError("not dates")


def usual_column(role: str, names: Iterable[str]) -> str | None:
    """Return the name that is usual for this role, or None. Earlier entries of `ALIASES` win."""
    usual = {_plain(name): name for name in reversed(list(names))}
    return next((usual[alias] for alias in ALIASES[role] if alias in usual), None)


def read_table(path: Path, *, names: Sequence[str] | None = None, delimiter: str = "", quoted: bool = True) -> Table:
    """Read a table in the format that its extension names. CSV columns stay text, so ids keep leading zeros.

    Args:
        path: The file, which may be gzipped (`.gz`). Or a folder of Parquet files, as Spark writes an unpartitioned
            table: rows are numbered across its parts, in the order of their names.
        names: Column names of a delimited file without a header.
        delimiter: Of a delimited file. "": a comma for `.csv` and a tab for others, unless the header shows another.
        quoted: Whether double quotes enclose values of a delimited file.

    Raises:
        InputError: the file is missing, malformed or not UTF-8; with the line.
    """
    if path.is_dir():
        return Table(path, _joined_parts(path))
    require_file(path)
    kind = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    try:
        if kind == "parquet":
            refuse_same_names(pq.read_schema(path).names, path)
            return Table(path, in_plain_types(pq.read_table(path)))
        if kind in {"json", "jsonl", "ndjson"}:
            return Table(path, _read_json(path))
        return _read_delimited(path, names, delimiter, quoted)
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, OSError) and error.errno:  # from the operating system, not from Arrow
            raise
        raise _malformed(path, kind, str(error)) from error


def parts_of(folder: Path) -> list[Path]:
    """Return the Parquet files below a folder, without the other files that Spark writes."""
    return [path for path in _files_below(folder) if path.suffix.lower() == ".parquet"]


def _files_below(folder: Path) -> list[Path]:
    """Return the files of a folder and its subfolders, without Spark's notes, which begin with `_` or `.`."""
    every = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in every if all(part[0] not in "._" for part in path.relative_to(folder).parts))


def _joined_parts(folder: Path) -> Arrow:
    files = _files_below(folder)
    parts = [path for path in parts_of(folder) if path.parent == folder]
    others = [str(path.relative_to(folder)) for path in files if path not in parts]
    if not files:
        hint = "name a file, or a folder with the Parquet files of one table"
        raise InputError("no Parquet file in this folder", path=folder, hint=hint)
    if others:
        listed = ", ".join(others[:3]) + (f" and {len(others) - 3:,} more" if len(others) > 3 else "")
        problem = "these files would be left out" if parts else "no Parquet file in this folder itself, only"
        hint = "put all rows into Parquet files in the folder itself (a partition such as dt=… into a column)"
        raise InputError(f"{problem}: {listed}", path=folder, hint=f"{hint}, and move all other files away")
    try:
        return pa.concat_tables([read_table(part).data for part in parts], promote_options="permissive")
    except pa.ArrowException as error:
        hint = "write all parts with the same schema"
        raise InputError(f"the parts have different types ({error})", path=folder, hint=hint) from error


def _read_json(path: Path) -> Arrow:
    """Read JSON lines. Raises ArrowInvalid: a line is malformed; InputError: a line is nested too deeply."""
    refuse_too_deep(path)
    large = pj.ReadOptions(block_size=1 << 24)
    data = pj.read_json(path, read_options=large)
    # Arrow reads a text column as times if every value looks like one, even titles and ids.
    as_text = map_types(data.schema, _text_for_time)
    if as_text.equals(data.schema):
        return data
    return pj.read_json(path, read_options=large, parse_options=pj.ParseOptions(explicit_schema=as_text))


def _text_for_time(kind: Arrow) -> Arrow:
    return pa.string() if pa.types.is_timestamp(kind) else kind


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


def _read_delimited(path: Path, names: Sequence[str] | None, delimiter: str, quoted: bool) -> Table:
    usual = "," if path.name.lower().removesuffix(".gz").endswith(".csv") else "\t"
    above = 0
    if names:
        header, delimiter = list(names), delimiter or usual
    else:
        header, delimiter, above = _header(path, delimiter, usual, quoted)
    data = pv.read_csv(
        path,
        read_options=pv.ReadOptions(column_names=header, skip_rows=above, use_threads=False),
        parse_options=pv.ParseOptions(
            delimiter=delimiter, quote_char='"' if quoted else False, newlines_in_values=quoted
        ),
        convert_options=pv.ConvertOptions(
            column_types={name: pa.string() for name in header},
            include_columns=[name for name in header if name],  # an unnamed column is a pandas index
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    return Table(path, data, _lines(path, len(data), delimiter, quoted=quoted, above=above))


def _lines(path: Path, rows: int, delimiter: str, *, quoted: bool, above: int) -> Lines:
    """Return the line on which each row begins, after `above` lines of header. It differs from the row's number if
    there are blank lines or values with line breaks.

    Raises InputError if text follows a closing quote, or a quote is never closed: Arrow would garble the value.
    """
    count, has_quotes = 0, False
    with open_binary(path) as file:
        for line in file:
            count, has_quotes = count + 1, has_quotes or (quoted and b'"' in line)
    usual, shifted = range(above + 1, sys.maxsize), count != rows + above
    if not shifted and not has_quotes:
        return usual
    starts, end = list[int](), 0
    with open_binary(path) as file:
        text = io.TextIOWrapper(file, "utf-8-sig", newline="")
        blanks = re.compile(r'" +(?=[,;|\t\r\n])')  # blanks after a value are harmless
        kept = (blanks.sub('"', line) for line in text) if has_quotes else text
        reader = csv.reader(kept, delimiter=delimiter, quoting=_quoting(quoted), strict=has_quotes)
        try:
            for fields in reader:
                starts += [end + 1] if fields and shifted else []  # a number per row is much for a large table
                end = reader.line_num
        except csv.Error as error:
            if has_quotes:
                problem = f"text follows a closing quote, or a quote is never closed ({error})"
                hint = "enclose a value that contains quotes in quotes, and double each quote inside it"
                raise InputError(problem, path=path, line=end + 1, hint=hint) from error
    return np.array(starts[above:]) if len(starts) == rows + above else usual


def _quoting(quoted: bool) -> Literal[0, 3]:
    return csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE


def _header(path: Path, delimiter: str, usual: str, quoted: bool) -> tuple[list[str], str, int]:
    """Return the column names, the delimiter, and the line number of the header.

    Without a given delimiter, take the one in the header; a first line such as `sep=;` (for Excel) overrides it.
    """
    lines, expected = byte_lines(path), 1
    number, content = next(lines, (0, b""))
    if number == 1 and (declared := re.fullmatch(rb'"?sep=([,;\t|])\1*"?\s*', content, re.IGNORECASE)):
        delimiter, expected = declared[1].decode(), 2
        number, content = next(lines, (0, b""))
    if number != expected:
        problem = "the file is empty or starts with a blank line"
        raise InputError(problem, path=path, line=expected, hint="start it with a header line")
    line = re.split(r"[\r\n]", decoded(content, path, number), maxsplit=1)[0]
    delimiter = delimiter or next((mark for mark in (usual, *",;\t|") if mark in line), usual)
    names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter, quoting=_quoting(quoted)))]
    refuse_same_names(names, path, line=number)
    return names, delimiter, number


def refuse_same_names(names: Sequence[str], path: Path | str, line: int | None = None) -> None:
    """Raise InputError if two columns have the same name."""
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputError("duplicate column name", path=path, line=line, field=min(twice), hint="rename one of them")


def _malformed(path: Path, kind: str, message: str) -> InputError:
    if kind == "parquet":
        return InputError(f"unreadable Parquet ({message})", path=path, hint="write the file again")
    is_json = kind.startswith(("json", "ndjson"))
    for number, content in byte_lines(path):
        found = json_object(content, path, number) if is_json else decoded(content, path, number)
        if isinstance(found, InputError):
            return found
    if is_json:
        row, first, hint = re.search(r"in row (\d+)", message), 1, "give the field the same type in all rows"
    else:
        row, first = re.search(r"Row #(\d+)", message), 0
        hint = "give every row the same number of columns, and quote values that contain the delimiter"
    line = int(row[1]) + first if row else None
    return InputError(message.splitlines()[0], path=path, line=line, hint=hint)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
