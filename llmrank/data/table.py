"""A table whose columns are found by their roles, and read as texts, ids, numbers or times."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from llmrank.data.rows import (
    FROM_ONE,
    MOST_EXACT,
    TIME_HINT,
    TIME_UNITS,
    YEAR_1,
    YEAR_10000,
    Arrow,
    Lines,
    extension_of,
    is_text,
    lines_of,
    texts,
    whole_ids,
)
from llmrank.errors import InputError, nearest, one_line

pc: Any = pyarrow.compute

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


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
