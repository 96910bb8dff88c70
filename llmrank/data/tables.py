"""Tables in CSV, TSV, JSON lines or Parquet, and the names that their columns go by."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
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

from llmrank.data.lines import byte_lines, decoded, open_binary, refuse_too_deep
from llmrank.data.rows import (
    FROM_ONE,
    MOST_EXACT,
    TIME_HINT,
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
"""What a column of a data set may be."""
_ALIASES = """
user      user userid reviewerid uid customerid customer visitorid visitor
item      item itemid movieid parentasin asin bookid productid product articleid sku isbn iid
title     title movietitle itemtitle booktitle producttitle productname itemname name titles
rating    rating overall stars score
timestamp timestamp unixreviewtime unixtime time ts datetime date
position  position seq sequence
items     items itemids candidates candidateids recommendations recs
score     score scores similarity prediction predictedscore recallscore
rank      rank ranks
relevant  relevant relevance label gain clicked purchased isrelevant
gain      gain relevance grade label relevant
case      case caseid
"""
ALIASES: Mapping[str, list[str]] = {role: names for role, *names in map(str.split, _ALIASES.strip().splitlines())}
"""What a column of each role is called, in lower case without separators; the first that is there is taken."""

LIKE: Mapping[str, tuple[str, ...]] = {
    "timestamp": ("time", "date", "created", "when"),
    "rating": ("rating", "stars", "grade", "rate"),
}
"""Words in the names of columns that seem to be one, though they are called otherwise."""
EARLIEST = 3e8
"""Seconds since the epoch: numbers below it (1979) are no times."""
LONGEST_SHOWN = 60
"""Characters of a value that a message shows."""
_HINTS = {"gain": "write a number, or true and false", "time": TIME_HINT}
"""What to do about a value that is none; of others, correct it."""
_HAVE_A_DATE = (pa.types.is_timestamp, pa.types.is_date)
_MOMENTS = (pa.timestamp("us"), pa.timestamp("us", "UTC"))
MANY_VALUED = {"genre", "genres", "category", "categories", "tags"}


class UnreadableError(InputError):
    """Values of a column are no numbers, or no times; it reads as the first of them."""

    def __init__(self, faults: Mapping[int, InputError]) -> None:
        first = next(iter(faults.values()))
        super().__init__(first.problem, path=first.path, line=first.line, field=first.field, hint=first.hint)
        self.faults = faults
        """What is wrong, by row."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table and where it came from."""

    path: Path | str
    data: Arrow
    lines: Lines = FROM_ONE
    """The line of each row; in Parquet its number, counted from 1."""
    named: Mapping[str, str] = field(default_factory=dict[str, str])
    """The columns that play a role under an unusual name, by role."""

    def find(self, role: str) -> str | None:
        """Return the column that plays `role`: the one named for it, else one of the usual names, else None.

        Raises InputError: the column that is named is not there; or one is of an extension type, such as a period of
        pandas, whose numbers are no times.
        """
        names: list[str] = self.data.column_names
        asked = self.named.get(role)
        found = asked if asked in names else usual_column(role, names) if asked is None else None
        if found is not None and (kind := extension_of(self.data.schema.field(found))) is not None:
            hint = "write it as text, as a number or as a date (pandas: .astype(str), .dt.to_timestamp())"
            raise self.fault(f"a column of the type {kind} cannot be read", found, hint)
        if found is None and asked is not None:
            there = f"there are {', '.join(names)}{nearest(asked, names)}"
            raise InputError(f"no such column; {there}", path=self.path, line=1, field=asked, hint="name one of these")
        return found

    def fault(self, problem: str, name: str, hint: str, row: int | None = None, user: str | None = None) -> InputError:
        """Return what is wrong with a column, or with the value of one of its rows."""
        line = None if row is None else int(self.lines[row])
        return InputError(problem, path=self.path, line=line, field=name, user=user, hint=hint)

    def like(self, role: str, taken: Collection[str]) -> str | None:
        """Return the column that seems to play `role`, by its name and its values; None where none does.

        Raises InputError: several do.
        """
        words = LIKE[role]
        found: list[str] = []
        for name in self.data.column_names:
            plain = _plain(name)
            ends = role == "timestamp" and plain.endswith("at")  # viewedAt; not category_id
            if name in taken or not (ends or any(word in plain for word in words)):
                continue
            if extension_of(self.data.schema.field(name)) is not None:
                continue
            try:
                values = self.seconds(name) if role == "timestamp" else self.numbers(name)
            except (InputError, pa.ArrowNotImplementedError):
                continue
            known = values[~np.isnan(values)]
            if len(known) and (role == "rating" or float(known.min()) > EARLIEST):
                found.append(name)
        if len(found) > 1:
            hint = f"name it: --column {role}={found[0]} (in Python, {{'{role}': '{found[0]}'}})"
            raise InputError(f"{' and '.join(found)} may each be the {role}", path=self.path, field=role, hint=hint)
        return found[0] if found else None

    def require(self, role: str) -> str:
        """Return the column that plays `role`. Raises InputError: there is none."""
        if (name := self.find(role)) is None:
            problem = f"no column for the {role} among {', '.join(self.data.column_names)}"
            hint = f"call it {role}, or name it: --column {role}=NAME (in Python, {{'{role}': 'NAME'}})"
            raise InputError(problem, path=self.path, line=1, field=role, hint=hint)
        return name

    def refuse_shared(self, roles: Iterable[str]) -> None:
        """Raise InputError where a column is named for one of the roles that plays another of them already.

        The titles of items may be their ids.
        """
        taken: dict[str, str] = {}
        for role in roles:
            name = self.named.get(role) or usual_column(role, self.data.column_names)
            first = role if name is None else taken.setdefault(name, role)
            if role in self.named and (first, role) not in ((role, role), ("item", "title")):
                hint = f"name another: --column {role}=NAME (in Python, {{'{role}': 'NAME'}})"
                raise InputError(f"the column is the {first} already", path=self.path, line=1, field=name, hint=hint)

    def texts(self, name: str) -> Arrow:
        """Return a column as strings (see `texts`)."""
        column = self.data[name]
        if pa.types.is_floating(column.type):
            most = MOST_EXACT[column.type.bit_width]
            if (np.abs(self.numbers(name)) >= most).any():
                problem = f"whole numbers from {most:.0f} on have lost digits as floating-point numbers"
                raise self.fault(problem, name, "write them as text")
        try:
            return texts(column)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            problem = f"the column is no text ({str(error).splitlines()[0]})"
            raise self.fault(problem, name, "write it as text") from error

    def ids(self, name: str) -> Arrow:
        """Return a column of ids as strings (see `whole_ids`).

        Raises InputError: some are numbers that a spreadsheet has shortened, each of which may be many.
        """
        column = self.texts(name)
        for short in pc.unique(column.filter(pc.match_substring_regex(column, _SHORTENED.pattern))).to_pylist():
            found = _SHORTENED.search(short)
            if found is not None and int(found[2]) > len(found[1]):
                problem = f"{short!r} is a number in scientific notation, which may have lost its last digits"
                hint = "write ids as text (in Excel, format the column as Text before the ids are in it)"
                raise self.fault(problem, name, hint, pc.index(column, short).as_py())
        return whole_ids(column)

    def gains(self, name: str) -> NDArray[np.float64]:
        """Return a column of gains as numbers; true and false, also as text, are 1 and 0."""
        column = self.data[name]
        if pa.types.is_boolean(column.type) or is_text(column.type):
            with suppress(pa.ArrowInvalid):
                return column.cast(pa.bool_()).cast(pa.int8()).cast(pa.float64()).to_numpy()
        return self.numbers(name, "gain")

    def numbers(self, name: str, what: str = "number") -> NDArray[np.float64]:
        """Return a column as numbers, NaN where it is empty. Raises InputError: something in it is no number."""
        column = self.data[name]
        # Blanks around a number are fine with Python; and if it isn't that, the row is wanted for the message.
        with suppress(pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return column.cast(pa.float64()).to_numpy().astype(np.float64)
        return self._each(name, what, float)

    def _each(self, name: str, what: str, read: Callable[[Any], float]) -> NDArray[np.float64]:
        """Return a column read value by value, NaN where it is empty. Raises `UnreadableError`."""
        values, faults = list[float](), dict[int, InputError]()
        for row, value in enumerate(self.data[name].to_pylist()):
            try:
                values.append(math.nan if value is None or value == "" else read(value))
            except (TypeError, ValueError):
                shown = one_line(repr(value), LONGEST_SHOWN)
                faults[row] = self.fault(f"{shown} is no {what}", name, _HINTS.get(what, "correct it"), row)
        if faults:
            raise UnreadableError(faults)
        return np.array(values)

    def _is_dated(self, name: str) -> bool:
        """Return whether the times of a column are dates, and no numbers: by most of its first texts."""
        column = self.data[name]
        if not is_text(column.type):
            return pa.types.is_temporal(column.type)
        first = [text for text in column.slice(0, 1000).to_pylist() if text]
        return 2 * sum(_DATE.match(text) is not None for text in first) > len(first)

    def seconds(self, name: str) -> NDArray[np.float64]:
        """Return a column of times as seconds since the epoch (UTC), NaN where it is empty.

        Numbers may be seconds, milli-, micro- or nanoseconds (told apart by size: as seconds, 1e11 is the year 5138);
        or all of them days such as 20231114. Text may be ISO 8601.

        Raises InputError: something in it is no time.
        """
        column = self.data[name]
        if pa.types.is_temporal(column.type) and not any(is_one(column.type) for is_one in _HAVE_A_DATE):
            raise self.fault(f"a column of the type {column.type} has no dates", name, TIME_HINT)
        if self._is_dated(name):
            for kind in _MOMENTS:
                with suppress(pa.ArrowInvalid):
                    safe = not pa.types.is_temporal(column.type)
                    micros = column.cast(kind, safe=safe).cast(pa.int64()).cast(pa.float64(), safe=False)
                    return micros.to_numpy() / 1e6
            return self._each(name, "time", _moment)
        times = self.numbers(name, "time")
        if (days := _of_days(times)) is not None:
            return days
        largest = float(np.nanmax(np.abs(times))) if np.isfinite(times).any() else 0.0
        units = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
        limit, factor = next(((limit, factor) for limit, factor in units if largest > limit), (0.0, 1))
        if (other := (np.abs(times) >= _A_DATE) & (np.abs(times) <= limit)).any():
            row = int(other.argmax())
            problem = f"{times[row]:.0f} and {largest:.0f} are times in different units"
            raise self.fault(problem, name, "give all of them in one unit", row)
        seconds = times / factor
        if (outside := (seconds < YEAR_1) | (seconds >= YEAR_10000)).any():
            row = int(outside.argmax())
            raise self.fault(f"{times[row]:g} is no time", name, TIME_HINT, row)
        return seconds


_SHORTENED = re.compile(r"^\s*-?\d[.,](\d+)[eE]\+?(\d{1,3})\s*$")
"""`1.23457E+11`: a number as spreadsheets show and save it."""
_DATE = re.compile(r"\s*\d{4}-\d\d")
_A_DATE = 1e8
"""Seconds since the epoch from which a number is taken for a date (1973), and so the least of a larger unit."""


def _of_days(numbers: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return seconds since the epoch where every number that is known is a day such as 20231114; else None."""
    known = numbers[np.isfinite(numbers)]
    years, months, days = known // 10_000, known // 100 % 100, known % 100
    if not len(known) or np.isinf(numbers).any() or (known % 1).any() or not ((years >= 1900) & (years <= 2100)).all():
        return None
    if not ((months >= 1) & (months <= 12)).all():
        return None
    month = (12 * (years - 1970) + months - 1).astype("datetime64[M]")
    found = month.astype("datetime64[D]") + (days - 1).astype("timedelta64[D]")
    if (found.astype("datetime64[M]") != month).any():
        return None  # 20230230
    seconds = np.full(len(numbers), np.nan)
    seconds[np.isfinite(numbers)] = found.astype("datetime64[s]").astype(float)
    return seconds


def _moment(text: str) -> float:
    for kind in _MOMENTS:
        with suppress(pa.ArrowInvalid):
            return pa.scalar(text).cast(kind).cast(pa.int64()).as_py() / 1e6
    raise ValueError(text)


def usual_column(role: str, names: Iterable[str]) -> str | None:
    """Return the first of the names by which a column of this role usually goes, or None."""
    usual = {_plain(name): name for name in reversed(list(names))}
    return next((usual[alias] for alias in ALIASES[role] if alias in usual), None)


def read_table(path: Path, *, names: Sequence[str] | None = None, delimiter: str = "", quoted: bool = True) -> Table:
    """Read a table, its format told by the file's extension; text columns of CSV stay text (ids keep their zeros).

    Args:
        path: The file; `.gz` is read as it is. Or a folder of Parquet files, as Spark writes a table that is not
            partitioned: lines are counted on through its parts, in the order of their names.
        names: Arrow names of a delimited file without a header.
        delimiter: Of a delimited file; "": a comma in `.csv`, a tab in others; or another where the header has none.
        quoted: Whether double quotes enclose values of a delimited file.

    Raises:
        InputError: not there, not UTF-8, or malformed; with the line.
    """
    if path.is_dir():
        return Table(path, _joined_parts(path))
    require_file(path)
    kind = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    try:
        if kind == "parquet":
            return Table(path, in_plain_types(pq.read_table(path)))
        if kind in {"json", "jsonl", "ndjson"}:
            return Table(path, read_json(path))
        return _read_delimited(path, names, delimiter, quoted)
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, OSError) and error.errno:  # the system's, and not Arrow's
            raise
        raise _malformed(path, kind, str(error)) from error


def parts_of(folder: Path) -> list[Path]:
    """Return the Parquet files of a folder in which a table lies in parts, without what Spark writes beside them."""
    return sorted(path for path in folder.glob("*.parquet") if path.is_file() and path.name[0] not in "._")


def _joined_parts(folder: Path) -> Arrow:
    if not (parts := parts_of(folder)):
        hint = "name a file, or a folder in which a table lies in several Parquet files"
        raise InputError("there is no Parquet file in this folder", path=folder, hint=hint)
    try:
        return pa.concat_tables([read_table(part).data for part in parts], promote_options="permissive")
    except pa.ArrowException as error:
        hint = "write all parts with one schema"
        raise InputError(f"the parts are of different types ({error})", path=folder, hint=hint) from error


def read_json(path: Path, schema: Arrow = None) -> Arrow:
    """Read JSON lines; with a `schema` only its fields, null where absent.

    Raises `ArrowInvalid` where malformed, InputError where nested too deeply.
    """
    refuse_too_deep(path)
    if schema is None:
        large = pj.ReadOptions(block_size=1 << 24)
        data = pj.read_json(path, read_options=large)
        # Arrow takes texts for times where all look like one: a title, an id, a day.
        as_text = map_types(data.schema, _text_for_time)
        if as_text.equals(data.schema):
            return data
        return pj.read_json(path, read_options=large, parse_options=pj.ParseOptions(explicit_schema=as_text))
    options = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    with pj.open_json(path, parse_options=options) as reader:  # in blocks: files of many gigabytes pass through
        return reader.read_all()


def _text_for_time(kind: Arrow) -> Arrow:
    return pa.string() if pa.types.is_timestamp(kind) else kind


def read_item_rows(table: Table) -> ItemRows:
    """Return the items of a table: its id, its title, and every other column as an attribute."""
    item = "id" if table.find("item") is None and "id" in table.data.column_names else table.require("item")
    title = table.require("title")
    attributes: dict[str, Arrow] = {}
    for name in table.data.column_names:
        if name not in (item, title):
            column = table.data[name]
            many = name.lower() in MANY_VALUED and is_text(column.type)
            attributes[name] = map_texts(column, split_genres) if many else column
    ids = table.ids(item).fill_null("")
    return ItemRows(table.path, ids, table.texts(title), attributes, table.lines, item)


def read_event_rows(table: Table) -> EventRows:
    """Return the interactions of a table; rating, timestamp and position where it has them."""
    table.refuse_shared(ROLES)
    user, item = table.require("user"), table.require("item")
    rating, time, place = (table.find(role) for role in ("rating", "timestamp", "position"))
    title = usual_column("title", table.data.column_names)  # the name that is given may be that of the items table
    notes: list[str] = []
    if time is None and place is None and (time := table.like("timestamp", {user, item})) is not None:
        notes.append(f"The column {time!r} is read as the timestamp.")
    if rating is None and (rating := table.like("rating", {user, item, time or ""})) is not None:
        notes.append(f"The column {rating!r} is read as the rating.")
    return EventRows(
        table.path,
        table.ids(user),
        table.ids(item),
        table.numbers(rating) if rating else None,
        table.seconds(time) if time else None,
        table.numbers(place) if place else None,
        table.texts(title) if title else None,
        lines=table.lines,
        user_field=user,
        item_field=item,
        timestamp_field=time or "timestamp",
        notes=tuple(notes),
    )


def tables_to_rows(items: Table | None, events: Table, columns: Mapping[str, str]) -> Rows:
    """Return the rows of an items table and an interactions table.

    Without an items table the interactions must carry a title; the first title of an item counts.

    Raises InputError: a required column is not there, or `columns` names one that is in neither table.
    """
    for role in columns:
        if role not in ROLES:
            hint = f"use one of {', '.join(ROLES)}{nearest(role, ROLES)}"
            raise InputError(f"nothing is called {role!r}", field=role, hint=hint)
    events = replace(events, named=columns)
    if items is None:
        item, title = events.require("item"), events.require("title")
        first = dict(reversed(list(zip(events.ids(item).to_pylist(), events.texts(title).to_pylist(), strict=True))))
        first.pop(None, None)
        ids, titles = (pa.array(values, pa.string()) for values in (first.keys(), first.values()))
        return Rows(ItemRows(events.path, ids, titles), read_event_rows(events))
    # The id may have different names in the two tables: a name given for it need only be in one of them.
    asked, usual = columns.get("item"), {role: name for role, name in columns.items() if role != "item"}
    here, there = (asked in table.data.column_names for table in (items, events))
    known = read_item_rows(replace(items, named=usual if there and not here else columns))
    return Rows(known, read_event_rows(replace(events, named=usual) if here and not there else events))


def find_table(folder: Path, stems: Sequence[str]) -> Path | None:
    """Return the first of the tables called by one of `stems` in `folder`, a file or a folder of parts, or None.

    Raises InputError: the same table is there in two formats.
    """
    for stem in stems:
        named = [folder / f"{stem}{extension}" for extension in ("", *EXTENSIONS)]
        found = [path for path in named[1:] if path.is_file()] or [path for path in named if parts_of(path)]
        if len(found) > 1:
            problem = f"the same table twice: {', '.join(path.name for path in found)}"
            raise InputError(problem, path=folder, hint="keep one of them")
        if found:
            return found[0]
    return None


def read_tables(folder: Path, columns: Mapping[str, str]) -> Rows:
    """Read a folder with an items table (`items.csv`, `movies.parquet`, …) and interactions (`ratings.csv`, …).

    Raises InputError: a table is not there, or cannot be read.
    """
    items, events = find_table(folder, ITEM_STEMS), find_table(folder, EVENT_STEMS)
    if events is None:
        hint = f"call it one of {', '.join(EVENT_STEMS)}, in one of the formats {', '.join(EXTENSIONS)}"
        if parts_of(folder):
            hint += "; or as a folder of parts; of candidate files name one (`llmrank rerank` takes the folder)"
        raise InputError("no interactions table in this folder", path=folder, hint=hint)
    return tables_to_rows(read_table(items) if items else None, read_table(events), columns)


def split_genres(text: str) -> str | None:
    """Return "A|B" as "A, B"; None for MovieLens' ways of saying that there are none."""
    return None if text in {"(no genres listed)", "unknown"} else text.replace("|", ", ")


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
            include_columns=[name for name in header if name],  # one without a name is the index of pandas
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    if quoted:
        _refuse_open_quotes(path, delimiter)
    return Table(path, data, _lines(path, len(data), delimiter, quoted=quoted, above=above))


def _refuse_open_quotes(path: Path, delimiter: str) -> None:
    """Raise InputError where a quoted value goes on behind a quote, or does not end: Arrow takes it, garbled."""
    with open_binary(path) as file:
        if not any(b'"' in line for line in file):
            return
    blanks, end = re.compile(r'" +(?=[,;|\t\r\n])'), 0  # blanks behind a value are harmless
    with open_binary(path) as file:
        text = io.TextIOWrapper(file, "utf-8-sig", newline="")
        reader = csv.reader((blanks.sub('"', line) for line in text), delimiter=delimiter, strict=True)
        try:
            for _ in reader:
                end = reader.line_num
        except csv.Error as error:
            problem = f"a quoted value goes on behind a quote, or does not end ({error})"
            hint = "put a value that holds quotes in quotes, and write each quote within it twice"
            raise InputError(problem, path=path, line=end + 1, hint=hint) from error


def _lines(path: Path, rows: int, delimiter: str, *, quoted: bool, above: int) -> Lines:
    """Return the line on which each row begins, of which so many lines stand above the first: not its number where
    lines are blank, or values have several."""
    usual = range(above + 1, sys.maxsize)
    with open_binary(path) as file:
        if sum(1 for _ in file) == rows + above:
            return usual
    starts, end = list[int](), 0
    with open_binary(path) as file, suppress(csv.Error):
        text = io.TextIOWrapper(file, "utf-8-sig", newline="")
        reader = csv.reader(text, delimiter=delimiter, quoting=_quoting(quoted))
        for fields in reader:
            starts += [end + 1] if fields else []
            end = reader.line_num
    return np.array(starts[above:]) if len(starts) == rows + above else usual


def _quoting(quoted: bool) -> Literal[0, 3]:
    return csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE


def _header(path: Path, delimiter: str, usual: str, quoted: bool) -> tuple[list[str], str, int]:
    """Return the names of the columns, what separates them, and the number of their line.

    Where nothing is said, what separates is what that line has; a first line `sep=;`, as for Excel, says it.
    """
    lines, expected = byte_lines(path), 1
    number, content = next(lines, (0, b""))
    if number == 1 and (said := re.fullmatch(rb'"?sep=([,;\t|])\1*"?\s*', content, re.IGNORECASE)):
        delimiter, expected = said[1].decode(), 2
        number, content = next(lines, (0, b""))
    if number != expected:
        problem = "the file is empty, or begins with an empty line"
        raise InputError(problem, path=path, line=expected, hint="give it a header")
    line = re.split(r"[\r\n]", decoded(content, path, number), maxsplit=1)[0]
    delimiter = delimiter or next((mark for mark in (usual, *",;\t|") if mark in line), usual)
    names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter, quoting=_quoting(quoted)))]
    refuse_same_names(names, path, line=number)
    return names, delimiter, number


def refuse_same_names(names: Sequence[str], path: Path | str, line: int | None = None) -> None:
    """Raise InputError where two columns have one name."""
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputError("two columns of one name", path=path, line=line, field=min(twice), hint="rename one of them")


def _malformed(path: Path, kind: str, message: str) -> InputError:
    if kind == "parquet":
        return InputError(f"no readable Parquet file ({message})", path=path, hint="write it again")
    for number, content in byte_lines(path):
        try:
            text = decoded(content, path, number)
            if kind.startswith(("json", "ndjson")) and not isinstance(json.loads(text), dict):
                return InputError("the line is no JSON object", path=path, line=number, hint="one object a line")
        except json.JSONDecodeError as error:
            return InputError(f"malformed JSON: {error}", path=path, line=number, hint="one JSON object a line")
    if kind.startswith(("json", "ndjson")):
        row = re.search(r"in row (\d+)", message)
        line, hint = int(row[1]) + 1 if row else None, "give the field one type in all rows"
        return InputError(message.splitlines()[0], path=path, line=line, hint=hint)
    row = re.search(r"Row #(\d+)", message)
    hint = "give every row the same number of columns, and quote values that hold the separator"
    return InputError(message.splitlines()[0], path=path, line=int(row[1]) if row else None, hint=hint)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
