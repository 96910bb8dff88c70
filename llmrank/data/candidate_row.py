"""One row of a candidate file: its fields, checked, as a Case; and a Case as a row."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, NotRequired, cast

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from llmrank.errors import InputError
from llmrank.types import Case, Event, Item

RERANKED_FIELDS = ("ranking", "scores", "outcome", "repairs", "usage")
"""What a reranked file adds to a row."""
LONGEST_TITLE = 20_000
"""Characters. A longer title is a mistake in the data that would be paid for in every prompt."""

Truth = Literal["checked", "read", "ignored"]
"""What becomes of `relevant` and `rating`: read, and the file refused if none of its relevant ids is a candidate; read;
or not looked at, so that whatever stands there does not matter."""

_HINTS = {
    "missing": "add it",
    "title": "give every item a title: the model reads it",
    "number": "give a finite number, or null where it is unknown",
    "text": "give it as text",
    "id": "give it as text or as a whole number",
    "list": "give it as a list, as in [...]",
    "object": "give it as an object, as in {...}",
}
_RELEVANT_HINT = 'give a list of ids, as in ["181"], or an object of gains, as in {"181": 2}'


def _id(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _pairs(value: object) -> object:
    return dict(value) if isinstance(value, list) else value  # what pyarrow makes of a map  # pyright: ignore


def _seconds(value: object) -> object:
    """Return a date of Parquet as seconds since the epoch; a time without a zone is in UTC."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp() if isinstance(value, date) else value


_Id = Annotated[str, BeforeValidator(_id), StringConstraints(strict=True, pattern=r"\S")]
_Title = Annotated[str, StringConstraints(strict=True, pattern=r"\S", max_length=LONGEST_TITLE)]
_Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]


# TypedDicts, which pydantic checks about four times as fast as models: a row has a hundred of them.


class _ItemFields(TypedDict):
    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]  # pyright: ignore

    item_id: _Id
    title: _Title
    attributes: NotRequired[Annotated[dict[str, Any] | None, BeforeValidator(_pairs)]]


class _EventFields(_ItemFields):
    rating: NotRequired[_Number | None]
    timestamp: NotRequired[Annotated[_Number | None, BeforeValidator(_seconds)]]


class _CandidateFields(_ItemFields):
    score: NotRequired[_Number | None]


class _RowFields(TypedDict):
    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]  # pyright: ignore

    user_id: _Id
    case_id: NotRequired[_Id | None]
    history: NotRequired[list[_EventFields] | None]
    candidates: NotRequired[list[_CandidateFields] | None]
    relevant: NotRequired[Any]
    target: NotRequired[_ItemFields | None]
    rating: NotRequired[Any]
    response: NotRequired[Annotated[str, StringConstraints(strict=True)] | None]


ROW_FIELDS = frozenset(_RowFields.__annotations__)
"""The fields of a row that llmrank reads; all others are kept, and come out again."""
EVENT_FIELDS = frozenset(("item_id", "title", "attributes", "rating", "timestamp"))
CANDIDATE_FIELDS = frozenset(("item_id", "title", "attributes", "score"))
TARGET_FIELDS = frozenset(("item_id", "title", "attributes"))


@cache
def _checker() -> TypeAdapter[_RowFields]:
    return TypeAdapter(_RowFields)


@cache
def _rating_checker() -> TypeAdapter[float | None]:
    return TypeAdapter(_Number | None)


@dataclass(frozen=True, slots=True)
class CandidateRow:
    """A row of a candidate file, read and checked."""

    line: int
    """Its line in JSON lines, its row in Parquet or a table, counted from 1."""
    case: Case
    response: str | None = None
    """The answer's text as some system gave it; None where there is none."""


def parse_row(raw: object, *, path: Path | str, line: int, truth: Truth = "checked") -> CandidateRow:
    """Return the row; raise the InputError that says which field is wrong, where, and what to do about it."""
    user = _user_of(raw)
    try:
        fields = _checker().validate_python(raw)
        rating = None if truth == "ignored" else _rating_checker().validate_python(fields.get("rating"))
    except ValidationError as error:
        _refuse(error, path, line, user)

    def wrong(problem: str, field: str, hint: str) -> InputError:
        return InputError(problem, path=path, line=line, field=field, user=fields["user_id"], hint=hint)

    if (misspelt := misspelt_field(fields)) is not None:
        name, near = misspelt
        raise wrong(f"there is no such field; did you mean {near!r}?", name, "rename it")
    candidates, target = fields.get("candidates") or [], fields.get("target")
    history = [
        Event(_item(event, EVENT_FIELDS), event.get("rating"), event.get("timestamp"))
        for event in fields.get("history") or []
    ]
    items = [_item(candidate, CANDIDATE_FIELDS) for candidate in candidates]
    scores = [score for candidate in candidates if (score := candidate.get("score")) is not None]
    relevant: dict[str, float] = {} if truth == "ignored" else _relevant(fields.get("relevant"), wrong)
    if target is None:
        if not items:
            raise wrong("there are no candidates", "candidates", "give at least one, or a `target` (rating task)")
        if (twice := _repeated(item.item_id for item in items)) is not None:
            where, first, item_id = twice
            problem = f"item {item_id!r} is a candidate twice (first as candidates[{first}])"
            raise wrong(problem, f"candidates[{where}].item_id", "keep it once, where it ranks higher")
        if 0 < len(scores) < len(items):
            where = next(place for place, candidate in enumerate(candidates) if candidate.get("score") is None)
            problem = "this candidate has no score, others have one"
            raise wrong(problem, f"candidates[{where}].score", "score all candidates of a row, or none")
    elif items or relevant:
        raise wrong("a row has candidates (ranking) or a target (rating), not both", "target", "split it into two rows")
    case = Case(
        fields["user_id"],
        tuple(history),
        tuple(items),
        tuple(scores) if scores else None,
        tuple(relevant),
        _item(target, TARGET_FIELDS) if target else None,
        rating,
        fields.get("case_id") or "",
        graded(relevant.values()),
    )
    return CandidateRow(line, case, fields.get("response"))


def graded(gains: Iterable[float]) -> tuple[float, ...] | None:
    """Return the gains of a Case: None where all are 1, so that a list of ids and a map of ones are the same Case."""
    given = tuple(gains)
    return None if all(gain == 1 for gain in given) else given


def misspelt_field(names: Iterable[str]) -> tuple[str, str] | None:
    """Return the first unknown field whose name is nearly one of ours, and that name; None where there is none."""
    there = set(names)
    for name in sorted(there - ROW_FIELDS - set(RERANKED_FIELDS)):
        if near := get_close_matches(name, ROW_FIELDS - there, 1, 0.8):
            return name, near[0]
    return None


def case_row(case: Case, *, nested: bool = False) -> dict[str, object]:
    """Return the row of a Case: only what is set, ready for JSON.

    Attributes stand beside the title unless one of them has a name that the format uses (or with `nested`, for
    Parquet): then all of them stand in `attributes`. `relevant` is a list of ids, or a map from id to gain where the
    Case has gains. `case_id` is left out where it is the user id.
    """
    history = [_item_row(event.item, nested, rating=event.rating, timestamp=event.timestamp) for event in case.history]
    row: dict[str, object] = {"user_id": case.user_id}
    if case.case_id != case.user_id:
        row["case_id"] = case.case_id
    row["history"] = history
    if case.target is not None:
        return (
            row | {"target": _item_row(case.target, nested)} | ({} if case.rating is None else {"rating": case.rating})
        )
    scores: Sequence[float | None] = case.recall_scores or [None] * len(case.candidates)
    row["candidates"] = [
        _item_row(item, nested, score=score) for item, score in zip(case.candidates, scores, strict=True)
    ]
    if case.relevant:
        row["relevant"] = list(case.relevant)
        if case.gains is not None:
            row["relevant"] = dict(zip(case.relevant, case.gains, strict=True))
    return row


def attribute_text(value: object) -> str:
    """Return an attribute as the text that a prompt shows: lists joined with ", ", whole numbers without ".0"."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        parts: list[object] = value
        return ", ".join(attribute_text(part) for part in parts if part is not None)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a year that went through pandas
    return json.dumps(value, ensure_ascii=False, default=str).strip('"')


def _item_row(item: Item, nested: bool, **numbers: float | None) -> dict[str, object]:
    row: dict[str, object] = {"item_id": item.item_id, "title": item.title}
    row |= {name: value for name, value in numbers.items() if value is not None}
    if item.attributes:
        apart = nested or not (EVENT_FIELDS | CANDIDATE_FIELDS).isdisjoint(item.attributes)
        row |= {"attributes": dict(item.attributes)} if apart else dict(item.attributes)
    return row


def _item(fields: Mapping[str, Any], known: frozenset[str]) -> Item:
    apart: Mapping[str, Any] = fields.get("attributes") or {}
    if apart or not fields.keys() <= known:
        given = {name: value for name, value in fields.items() if name not in known} | dict(apart)
        texts = {
            name: attribute_text(value) for name, value in given.items() if value is not None and value == value
        }  # NaN is how pandas says that there is none
    else:
        texts = {}
    return Item(fields["item_id"], fields["title"], texts)


def _relevant(value: Any, wrong: Callable[[str, str, str], InputError]) -> dict[str, float]:  # noqa: ANN401 - JSON or Arrow
    """Return item id -> gain. A gain of 0 or below says that the item is not relevant."""
    if value is None:
        return {}
    pairs: list[tuple[str, object, object]] = []  # where, id, gain
    if isinstance(value, dict):
        given = cast("dict[object, object]", value)
        # A struct of Parquet has the ids of all rows as its fields: null where a row has no such id.
        pairs = [(f"relevant.{name}", name, gain) for name, gain in given.items() if gain is not None]
    elif isinstance(value, list):
        for place, entry in enumerate(cast("list[Any]", value)):
            where = f"relevant[{place}]"
            if isinstance(entry, dict) and {"item_id", "gain"} <= entry.keys():
                pairs.append((where, entry["item_id"], entry["gain"]))
            elif isinstance(entry, tuple) and len(entry) == 2:  # an entry of an Arrow map
                pairs.append((where, entry[0], entry[1]))
            else:
                pairs.append((where, entry, 1.0))
    else:
        raise wrong(f"{_shown(value)} is no list", "relevant", _RELEVANT_HINT)
    gains: dict[str, float] = {}
    for where, name, gain in pairs:
        item_id = _id(name)
        if not isinstance(item_id, str):
            raise wrong(f"{_shown(name)} is no id", where, _RELEVANT_HINT)
        if not item_id.strip():
            raise wrong("the relevant id is empty", where, _HINTS["id"])
        if isinstance(gain, bool) or not isinstance(gain, int | float) or not math.isfinite(gain):
            raise wrong(f"the gain {_shown(gain)} is no number", where, _RELEVANT_HINT)
        if item_id in gains:
            raise wrong(f"item {item_id!r} is named twice", where, "keep it once")
        gains[item_id] = float(gain)
    return {item_id: gain for item_id, gain in gains.items() if gain > 0}


def _repeated(ids: Iterable[str]) -> tuple[int, int, str] | None:
    places: dict[str, int] = {}
    for place, item_id in enumerate(ids):
        if (first := places.setdefault(item_id, place)) != place:
            return place, first, item_id
    return None


def _user_of(raw: object) -> str | None:
    value: object = raw.get("user_id") if isinstance(raw, dict) else None  # pyright: ignore
    return str(value) if isinstance(value, str | int) else None


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _refuse(error: ValidationError, path: Path | str, line: int, user: str | None) -> NoReturn:
    """Raise the first fault of a row as an InputError, and say how many more the row has."""
    faults = error.errors(include_url=False, include_context=False)
    first = faults[0]
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
    field = field or ("rating" if error.title != _RowFields.__name__ else "")
    name = field.rpartition(".")[2].partition("[")[0]
    shown = _shown(first["input"])
    kind = first["type"]
    if kind == "missing":
        problem, hint = f"the {name} is missing", _HINTS["title" if name == "title" else "missing"]
    elif kind == "string_pattern_mismatch":
        problem, hint = f"the {name} is empty", _HINTS["title" if name == "title" else "id"]
    elif kind == "string_too_long":
        problem = f"the {name} has {len(first['input']):,} characters"
        hint = f"shorten it: at most {LONGEST_TITLE:,}, since every prompt pays for it"
    elif kind == "string_type":
        is_id = name.endswith("_id")
        what = "id" if is_id else "text"
        problem = f"the {name} is missing (null)" if first["input"] is None else f"{shown} is no {what}"
        hint = _HINTS["id" if is_id else "title" if name == "title" else "text"]
    elif kind in {"float_type", "finite_number"}:
        problem, hint = f"{shown} is no number", _HINTS["number"]
    elif kind == "string_unicode":
        problem, hint = "the text is broken: half of a surrogate pair", "write the file again, as UTF-8"
    elif kind in {"list_type", "dict_type", "model_type", "model_attributes_type"}:
        shape = "list" if kind == "list_type" else "object"
        problem, hint = f"{shown} is no {shape}", _HINTS[shape]
    else:
        problem, hint = f"{shown}: {first['msg']}", "correct it"
    if len(faults) > 1:
        problem += f" (and {len(faults) - 1} more faults in this row)"
    raise InputError(problem, path=path, line=line, field=field or None, user=user, hint=hint) from None
