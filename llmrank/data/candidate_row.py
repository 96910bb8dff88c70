"""One row of a candidate file: its fields, checked, as a Case; and a Case as a row."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NoReturn, NotRequired, cast

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from llmrank.errors import InputError
from llmrank.types import Case, Event, Item

RERANKED_FIELDS = ("ranking", "scores", "outcome", "repairs", "usage")
"""What a reranked file adds to a row."""

_ALLOW_EMPTY = (
    "give the user's earlier events, or let such users in with --allow-empty-history (allow_empty_history=True)"
)
_MENDS = {
    "missing": "add it",
    "title": "give every item a title: it is what the model reads",
    "number": "give a finite number, or null where it is not known",
    "text": "give it as text",
    "id": "give it as text or as a whole number",
    "list": "give it as a list, as in [...]",
    "object": "give it as an object, as in {...}",
}


def _id(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _pairs(value: object) -> object:
    return dict(value) if isinstance(value, list) else value  # what pyarrow makes of a map  # pyright: ignore


_Id = Annotated[str, BeforeValidator(_id), StringConstraints(strict=True, pattern=r"\S")]
_Title = Annotated[str, StringConstraints(strict=True, pattern=r"\S")]
_Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]


# TypedDicts, which pydantic checks about four times as fast as models: a row has a hundred of them.


class _ItemFields(TypedDict):
    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]  # pyright: ignore

    item_id: _Id
    title: _Title
    attributes: NotRequired[Annotated[dict[str, Any] | None, BeforeValidator(_pairs)]]


class _EventFields(_ItemFields):
    rating: NotRequired[_Number | None]
    timestamp: NotRequired[_Number | None]


class _CandidateFields(_ItemFields):
    score: NotRequired[_Number | None]


class _RowFields(TypedDict):
    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]  # pyright: ignore

    user_id: _Id
    history: NotRequired[list[_EventFields] | None]
    candidates: NotRequired[list[_CandidateFields] | None]
    relevant: NotRequired[list[_Id] | None]
    missed: NotRequired[list[_Id] | None]
    target: NotRequired[_ItemFields | None]
    rating: NotRequired[_Number | None]
    response: NotRequired[Annotated[str, StringConstraints(strict=True)] | None]


_ROW = frozenset(_RowFields.__annotations__)
_EVENT = frozenset(("item_id", "title", "attributes", "rating", "timestamp"))
_CANDIDATE = frozenset(("item_id", "title", "attributes", "score"))
_TARGET = frozenset(("item_id", "title", "attributes"))


@cache
def _checker() -> TypeAdapter[_RowFields]:
    return TypeAdapter(_RowFields)


@dataclass(frozen=True, slots=True)
class CandidateRow:
    """A row of a candidate file, read and checked."""

    line: int
    """Its line in JSON lines, its row in Parquet, counted from 1."""
    raw: Mapping[str, object]
    """As it stands in the file, with any fields that are not ours."""
    case: Case
    missed: tuple[str, ...] = ()
    """Relevant items that the recall stage did not propose, said by the file to be items all the same."""
    response: str | None = None
    """The answer's text as some system gave it; None when there was none."""

    @property
    def extra(self) -> dict[str, object]:
        """The fields that are not ours, neither of a candidate file nor of a reranked one."""
        ours = {*_ROW, *RERANKED_FIELDS}
        return {name: value for name, value in self.raw.items() if name not in ours}


def parse_row(raw: object, *, path: Path | str, line: int, allow_empty_history: bool = False) -> CandidateRow:
    """Return the row, or raise the InputError that says which field is wrong, where, and how to hint it."""
    user = _user_of(raw)
    try:
        fields = _checker().validate_python(raw)
    except ValidationError as error:
        _refuse(error, path, line, user)

    def wrong(problem: str, field: str, hint: str) -> InputError:
        return InputError(problem, path=path, line=line, field=field, user=fields["user_id"], hint=hint)

    candidates, target = fields.get("candidates") or [], fields.get("target")
    history = [
        Event(_item(event, _EVENT), event.get("rating"), event.get("timestamp"))
        for event in fields.get("history") or []
    ]
    items = [_item(candidate, _CANDIDATE) for candidate in candidates]
    scores = [score for candidate in candidates if (score := candidate.get("score")) is not None]
    relevant, missed = fields.get("relevant") or [], fields.get("missed") or []
    for name in sorted(fields.keys() - _ROW - set(RERANKED_FIELDS)):
        if near := get_close_matches(name, _ROW - fields.keys(), 1, 0.8):
            raise wrong(f"there is no such field; did you mean {near[0]!r}?", name, "rename it")
    if not history and not allow_empty_history:
        raise wrong("the user has no history", "history", _ALLOW_EMPTY)
    if target is None:
        if not items:
            raise wrong("there are no candidates", "candidates", "give at least one, or a `target` (rating task)")
        if (twice := _repeated(item.item_id for item in items)) is not None:
            where, first, item_id = twice
            problem = f"item {item_id!r} is a candidate twice (first as candidates[{first}])"
            raise wrong(problem, f"candidates[{where}].item_id", "keep it once, where it ranks higher")
        if 0 < len(scores) < len(items):
            where = next(place for place, candidate in enumerate(candidates) if candidate.get("score") is None)
            raise wrong(
                "this candidate has no score, others have one", f"candidates[{where}].score", "score all or none"
            )
        if (twice := _repeated(relevant)) is not None:
            raise wrong(f"item {twice[2]!r} is named twice", f"relevant[{twice[0]}]", "keep it once")
    elif items or relevant:
        raise wrong("a row has candidates (ranking) or a target (rating), not both", "target", "split it into two rows")
    case = Case(
        fields["user_id"],
        tuple(history),
        tuple(items),
        tuple(scores) if scores else None,
        tuple(relevant),
        _item(target, _TARGET) if target else None,
        fields.get("rating"),
    )
    return CandidateRow(line, cast("Mapping[str, object]", raw), case, tuple(missed), fields.get("response"))


def case_row(case: Case, *, nested: bool = False) -> dict[str, object]:
    """Return the row of a Case: only what is set, ready for JSON.

    Attributes stand beside the title unless one of them bears a name of ours (or with `nested`, for Parquet): then all
    of them stand in `attributes`. Relevant items that are no candidates are listed in `missed` as well: whoever holds
    the Case vouches for their being items, and a reader can tell them from wrong ids.
    """
    history = [_item_row(event.item, nested, rating=event.rating, timestamp=event.timestamp) for event in case.history]
    row: dict[str, object] = {"user_id": case.user_id, "history": history}
    if case.target is not None:
        return (
            row | {"target": _item_row(case.target, nested)} | ({} if case.rating is None else {"rating": case.rating})
        )
    scores: Sequence[float | None] = case.recall_scores or [None] * len(case.candidates)
    row["candidates"] = [
        _item_row(item, nested, score=score) for item, score in zip(case.candidates, scores, strict=True)
    ]
    if case.relevant:
        proposed = {item.item_id for item in case.candidates}
        row["relevant"] = list(case.relevant)
        if missed := [item_id for item_id in case.relevant if item_id not in proposed]:
            row["missed"] = missed
    return row


def _item_row(item: Item, nested: bool, **numbers: float | None) -> dict[str, object]:
    row: dict[str, object] = {"item_id": item.item_id, "title": item.title}
    row |= {name: value for name, value in numbers.items() if value is not None}
    if item.attributes:
        apart = nested or not (_EVENT | _CANDIDATE).isdisjoint(item.attributes)
        row |= {"attributes": dict(item.attributes)} if apart else dict(item.attributes)
    return row


def _item(fields: Mapping[str, Any], known: frozenset[str]) -> Item:
    apart: Mapping[str, Any] = fields.get("attributes") or {}
    if apart or not fields.keys() <= known:
        given = {name: value for name, value in fields.items() if name not in known} | dict(apart)
        texts = {name: _text(value) for name, value in given.items() if value is not None}
    else:
        texts = {}
    return Item(fields["item_id"], fields["title"], texts)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        parts: list[object] = value
        return ", ".join(_text(part) for part in parts if part is not None)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a year that went through pandas
    return json.dumps(value, ensure_ascii=False, default=str).strip('"')


def _repeated(ids: Iterable[str]) -> tuple[int, int, str] | None:
    places: dict[str, int] = {}
    for place, item_id in enumerate(ids):
        if (first := places.setdefault(item_id, place)) != place:
            return place, first, item_id
    return None


def _user_of(raw: object) -> str | None:
    value: object = raw.get("user_id") if isinstance(raw, dict) else None  # pyright: ignore
    return str(value) if isinstance(value, str | int) else None


def _refuse(error: ValidationError, path: Path | str, line: int, user: str | None) -> NoReturn:
    first = error.errors(include_url=False, include_context=False)[0]
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
    name = field.rpartition(".")[2].partition("[")[0]
    shown = repr(first["input"])
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    kind = first["type"]
    is_id = name.endswith("_id") or name in {"relevant", "missed"}
    if kind == "missing":
        problem, hint = f"the {name} is missing", _MENDS["title" if name == "title" else "missing"]
    elif kind == "string_pattern_mismatch":
        problem, hint = f"the {name} is empty", _MENDS["title" if name == "title" else "id"]
    elif kind == "string_type":
        problem = (
            f"the {name} is missing (null)" if first["input"] is None else f"{shown} is no {'id' if is_id else 'text'}"
        )
        hint = _MENDS["id" if is_id else "title" if name == "title" else "text"]
    elif kind in {"float_type", "finite_number"}:
        problem, hint = f"{shown} is no number", _MENDS["number"]
    elif kind == "string_unicode":
        problem, hint = "the text is broken: half of a surrogate pair", "write the file again, as UTF-8"
    elif kind in {"list_type", "dict_type", "model_type", "model_attributes_type"}:
        shape = "list" if kind == "list_type" else "object"
        problem, hint = f"{shown} is no {shape}", _MENDS[shape]
    else:
        problem, hint = f"{shown}: {first['msg']}", "correct it"
    raise InputError(problem, path=path, line=line, field=field or None, user=user, hint=hint) from None
