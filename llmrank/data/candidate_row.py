"""Rows of a candidate file: the valid values of each field, and the Case that a row holds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, cast

from pydantic import AfterValidator, ConfigDict, Field, Strict, StringConstraints, ValidationError, with_config
from typing_extensions import TypedDict

from llmrank.data.rows import TIME_HINT, as_float, attribute_text, in_seconds
from llmrank.errors import InputError, count_of
from llmrank.types import Case, Event, Item, adapter

RERANKED_FIELDS = ("ranking", "scores", "outcome", "repairs", "usage")
"""The fields that a reranked file adds to each row."""
MOST_REMEMBERED = 50_000
"""Items cached for later rows."""
LONGEST_TITLE = 20_000
"""Characters. A longer title is a mistake in the data, and every prompt would pay for it."""

LONGEST_COLUMN = 200
"""Characters of an extra column that a Case keeps. Longer text is of no use for grouping."""

Truth = Literal["checked", "read", "ignored"]
"""How to treat `relevant` and `rating`. `checked`: read them, and reject the file if no relevant id is a candidate.
`read`: read them. `ignored`: do not look at them."""

_TITLE_HINT = "give every item a title: the model reads it"
_ID_HINT = "give it as text or an integer"
_NUMBER_HINT = "give a finite number, or null where it is unknown"
_RELEVANT_HINT = 'give a list of ids such as ["181"], or an object of gains such as {"181": 2}'
_FAULTS = {
    "missing": ("the {name} is missing", "add it"),
    "string_pattern_mismatch": ("the {name} is empty", _ID_HINT),
    "string_too_long": ("the {name} has {length:,} characters", f"shorten it to at most {LONGEST_TITLE:,}"),
    "string_type": ("expected text, got {shown}", "give it as text"),
    "string_unicode": ("the text contains half of a surrogate pair", "write the file again as UTF-8"),
    **dict.fromkeys(("float_type", "finite_number"), ("expected a number, got {shown}", _NUMBER_HINT)),
    "value_error": ("{shown} is not a time in the years 1 to 9999", TIME_HINT),
    "list_type": ("expected a list, got {shown}", "give it as a list: [...]"),
    "dict_type": ("expected an object, got {shown}", "give it as an object: {...}"),
}
"""pydantic's error type -> problem and hint."""


def _whole(number: Decimal) -> Decimal:
    if not _is_whole(number):
        raise ValueError
    return number


def _is_whole(value: object) -> bool:
    """Return whether a value is a decimal without fractional digits, which is how Snowflake stores integers."""
    return isinstance(value, Decimal) and value.as_tuple().exponent == 0


def _known(value: Any) -> float | None:  # noqa: ANN401 - JSON or Arrow
    return value if value is None or type(value) is float else as_float(value)


def _seconds(value: Any) -> float | None:  # noqa: ANN401 - JSON or Arrow
    return None if (time := _known(value)) is None else in_seconds(time)


_Id = (
    Annotated[str, StringConstraints(strict=True, pattern=r"\S")]
    | Annotated[int, Field(strict=True)]
    | Annotated[Decimal, Strict(), AfterValidator(_whole)]
)
_Title = Annotated[str, StringConstraints(strict=True, pattern=r"\S", max_length=LONGEST_TITLE)]
_Number = Annotated[float, Field(strict=True, allow_inf_nan=False)] | Annotated[Decimal, Field(strict=True)]
_Moment = Annotated[str, StringConstraints(strict=True, pattern=r"^\s*\d{4}-\d\d"), AfterValidator(as_float)]
_Time = Annotated[
    _Number | Annotated[datetime, Strict()] | Annotated[date, Strict()] | _Moment, AfterValidator(_seconds)
]
_Attributes = dict[str, Any] | list[tuple[str, Any]]  # pyarrow returns a map as a list of pairs


# A row holds about a hundred of these. pydantic validates TypedDicts about four times as fast as models.


@with_config(ConfigDict(extra="allow"))
class _ItemFields(TypedDict):
    item_id: _Id
    title: _Title
    attributes: NotRequired[_Attributes | None]


class _EventFields(_ItemFields):
    rating: NotRequired[_Number | None]
    timestamp: NotRequired[_Time | None]


class _CandidateFields(_ItemFields):
    score: NotRequired[_Number | None]


@with_config(ConfigDict(extra="allow"))
class _RowFields(TypedDict):
    user_id: _Id
    case_id: NotRequired[_Id | None]
    history: NotRequired[list[_EventFields] | None]
    candidates: NotRequired[list[_CandidateFields] | None]
    relevant: NotRequired[Any]
    target: NotRequired[_ItemFields | None]
    rating: NotRequired[Any]
    response: NotRequired[Annotated[str, Strict()] | None]


ROW_FIELDS = frozenset(_RowFields.__annotations__)
"""The fields of a row that llmrank reads. All other fields are kept and written out again."""
_NO_COLUMNS = ROW_FIELDS | frozenset(RERANKED_FIELDS)
_TARGET_FIELDS, EVENT_FIELDS, CANDIDATE_FIELDS = (
    frozenset(kind.__annotations__) for kind in (_ItemFields, _EventFields, _CandidateFields)
)
_ALL_FIELDS = ROW_FIELDS | EVENT_FIELDS | CANDIDATE_FIELDS


@dataclass(frozen=True, slots=True)
class CandidateRow:
    """A checked row of a candidate file."""

    line: int
    """Its line (JSON lines) or row number (Parquet, table), counted from 1."""
    case: Case
    response: str | None = None
    """The text of an answer from any system; None if there is none."""


class _RowError(Exception):
    """A row is invalid. The arguments are problem, field and hint."""


class RowReader:
    """Reads the rows of one file as Cases."""

    def __init__(self, path: Path | str = "", *, truth: Truth = "checked", answered: bool = False) -> None:
        """`path` is for messages. With `answered`, each row must have a `response`, which may be null."""
        self._path, self._truth, self._answered = path, truth, answered
        self._validated = adapter(_RowFields).validate_python
        self._items: dict[tuple[str, str], Item] = {}
        """Cache of Items without attributes, by id and title: the same items recur in many rows."""

    def check(self, raw: Mapping[str, object], line: int) -> CandidateRow:
        """Check a row and return it. Raises InputError: the row is invalid; with line, field, user and hint."""
        try:
            fields: Mapping[str, Any] = self._validated(raw)
            if (misspelt := misspelt_field(fields)) is not None:
                raise _RowError(f"unknown field; did you mean {misspelt[1]!r}?", misspelt[0], "rename it")
            if self._answered and "response" not in fields:
                hint = "give the text of the answer, or null; for a ranking, its ids one per line (--ids item_id)"
                raise _RowError("the row has no response", "response", hint)
            rating = None if self._truth == "ignored" else fields.get("rating")
            if rating is not None and not _is_number(rating):
                raise _RowError(f"expected a number, got {_shown(rating)}", "rating", _NUMBER_HINT)
            row = self.read(fields, line)
            _check_lists(fields, row.case)
            return row
        except ValidationError as error:
            problem, field, hint = _first_fault(error)
        except _RowError as error:
            problem, field, hint = error.args
        user = str(given) if isinstance(given := raw.get("user_id"), str | int) else None
        raise InputError(problem, path=self._path, line=line, field=field or None, user=user, hint=hint)

    def read(self, fields: Mapping[str, Any], line: int) -> CandidateRow:
        """Return a row that has already been checked."""
        past: list[Mapping[str, Any]] = fields.get("history") or []
        history = map(
            Event,
            self._to_items(past, EVENT_FIELDS),
            [_known(event.get("rating")) for event in past],
            [_seconds(event.get("timestamp")) for event in past],
        )
        candidates: list[Mapping[str, Any]] = fields.get("candidates") or []
        target: Mapping[str, Any] | None = fields.get("target")
        scores: list[Any] = [candidate.get("score") for candidate in candidates]
        ignored = self._truth == "ignored"
        relevant: dict[str, float] = {} if ignored else _relevant(fields.get("relevant"))
        case_id = fields.get("case_id")
        case = Case(
            user_id=str(fields["user_id"]),
            history=tuple(history),
            candidates=tuple(self._to_items(candidates, CANDIDATE_FIELDS)),
            recall_scores=tuple(map(float, scores)) if scores and None not in scores else None,
            relevant=tuple(relevant),
            target=None if target is None else self._to_items([target], _TARGET_FIELDS)[0],
            rating=None if ignored else _known(fields.get("rating")),
            case_id="" if case_id is None else str(case_id),
            gains=graded(relevant.values()),
            columns={} if ignored else extra_columns(fields),
        )
        return CandidateRow(line, case, fields.get("response"))

    def _to_items(self, entries: Iterable[Mapping[str, Any]], known: frozenset[str]) -> list[Item]:
        cache = self._items
        if len(cache) > MOST_REMEMBERED:
            cache.clear()
        items: list[Item] = []
        for fields in entries:
            item_id, title, attributes = str(fields["item_id"]), fields["title"], fields.get("attributes")
            if attributes or not fields.keys() <= known:
                given = {name: value for name, value in fields.items() if name not in known} | dict(attributes or {})
                # Only NaN differs from itself; pandas writes it for a missing value.
                texts = {name: attribute_text(it) for name, it in given.items() if it is not None and it == it}
                item = Item(item_id, title, texts)
            elif (item := cache.get((item_id, title))) is None:
                item = cache[item_id, title] = Item(item_id, title)
            items.append(item)
        return items


def extra_columns(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return the columns of a row that llmrank does not define, as text: short texts, numbers, dates and booleans.

    Lists, objects and long texts are dropped: they are of no use for grouping.
    """
    if fields.keys() <= ROW_FIELDS:
        return {}
    kept = {
        name: attribute_text(value)
        for name, value in fields.items()
        # Only NaN differs from itself; pandas writes it for a missing value.
        if name not in _NO_COLUMNS and isinstance(value, str | int | float | Decimal | date) and value == value
    }
    return {name: text for name, text in kept.items() if len(text) <= LONGEST_COLUMN}


def graded(gains: Iterable[float]) -> tuple[float, ...] | None:
    """Return the gains of a Case, or None if all are 1, so that a list of ids and a map of ones give the same Case."""
    given = tuple(gains)
    return None if all(gain == 1 for gain in given) else given


def misspelt_field(names: Iterable[str]) -> tuple[str, str] | None:
    """Return the first unknown field that looks like a misspelt field of ours, and the right name; else None."""
    there = frozenset(names)
    return None if there <= ROW_FIELDS else _misspelt(there)


@cache
def _misspelt(there: frozenset[str]) -> tuple[str, str] | None:
    for name in sorted(there - ROW_FIELDS - set(RERANKED_FIELDS)):
        # A Run stores its Cases without the response column, so a column with a similar name is not a misspelling.
        if near := get_close_matches(name, ROW_FIELDS - (there - {"response"}), 1, 0.8):
            return name, near[0]
    return None


def _check_lists(fields: Mapping[str, Any], case: Case) -> None:
    """Check the constraints between the fields of a row."""
    if case.target is not None:
        if case.candidates or case.relevant:
            other = "candidates" if case.candidates else "relevant"
            problem = f"the row has both {other} (ranking) and a target (rating)"
            raise _RowError(problem, "target", "split it into two rows")
        return
    if not case.candidates:
        raise _RowError("the row has no candidates", "candidates", "give at least one, or a `target` (rating task)")
    first: dict[str, int] = {}
    for place, item in enumerate(case.candidates):
        if first.setdefault(item.item_id, place) != place:
            problem = f"duplicate candidate {item.item_id!r} (first as candidates[{first[item.item_id]}])"
            raise _RowError(problem, f"candidates[{place}].item_id", "keep only the higher-ranked one")
    unscored = [place for place, one in enumerate(fields["candidates"]) if one.get("score") is None]
    if 0 < len(unscored) < len(case.candidates):
        problem, hint = "this candidate has no score but others do", "score all candidates of a row, or none"
        raise _RowError(problem, f"candidates[{unscored[0]}].score", hint)


def _relevant(value: Any) -> dict[str, float]:  # noqa: ANN401 - JSON or Arrow
    """Return item id -> gain. Items with a gain of 0 or below are not relevant and are dropped."""
    if value is None:
        return {}
    pairs: list[tuple[str, Any, Any]] = []  # where, id, gain
    if isinstance(value, dict):
        given = cast("dict[object, object]", value)
        # A Parquet struct has a field for every id in the file; it is null in rows without that id.
        pairs = [(f"relevant.{name}", name, gain) for name, gain in given.items() if gain is not None]
    elif isinstance(value, list):
        for place, entry in enumerate(cast("list[Any]", value)):
            item_id, gain = entry, 1.0
            if isinstance(entry, dict) and {"item_id", "gain"} <= entry.keys():
                item_id, gain = entry["item_id"], entry["gain"]
            elif isinstance(entry, tuple) and len(entry) == 2:  # an entry of an Arrow map
                item_id, gain = entry
            pairs.append((f"relevant[{place}]", item_id, gain))
    else:
        raise _RowError(f"expected a list or an object, got {_shown(value)}", "relevant", _RELEVANT_HINT)
    gains: dict[str, float] = {}
    for where, name, gain in pairs:
        item_id = str(name)
        if not (isinstance(name, str | int) or _is_whole(name)) or isinstance(name, bool):
            raise _RowError(f"expected an id, got {_shown(name)}", where, _RELEVANT_HINT)
        if not item_id.strip():
            raise _RowError("the relevant id is empty", where, _ID_HINT)
        if not _is_number(gain):
            raise _RowError(f"the gain {_shown(gain)} is not a number", where, _RELEVANT_HINT)
        if item_id in gains:
            raise _RowError(f"duplicate relevant item {item_id!r}", where, "keep it once")
        gains[item_id] = float(gain)
    return {item_id: gain for item_id, gain in gains.items() if gain > 0}


def _is_number(value: object) -> bool:
    try:
        return isinstance(value, int | float | Decimal) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _first_fault(error: ValidationError) -> tuple[str, str, str]:
    """Return problem, field and hint of the first error in the row; the problem also counts the others."""
    faults: dict[str, Any] = {}
    for fault in error.errors(include_url=False, include_context=False):
        # For a field with several valid types, pydantic reports each one and adds its own name for it to the location.
        place = [part for part in fault["loc"] if isinstance(part, int) or part in _ALL_FIELDS]
        field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
        faults.setdefault(field, fault)
    field, first = next(iter(faults.items()))
    kind, given, name = first["type"], first["input"], field.rpartition(".")[2].partition("[")[0]
    if kind == "string_type" and given is None:
        problem, hint = "the {name} is missing (null)", _ID_HINT
    elif kind == "string_type" and name.endswith("_id"):
        problem, hint = "expected an id, got {shown}", _ID_HINT
    else:
        problem, hint = _FAULTS.get(kind, ("{shown}: {message}", "correct it"))
    if name == "title" and kind != "string_too_long":
        hint = _TITLE_HINT
    if name == "timestamp":
        hint = TIME_HINT
    length = len(given) if isinstance(given, str) else 0
    problem = problem.format(name=name, shown=_shown(given), length=length, message=first["msg"])
    more = f" (and {count_of(len(faults) - 1, 'more error')} in this row)" if len(faults) > 1 else ""
    return problem + more, field, hint
