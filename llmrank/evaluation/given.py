"""What a caller of the Python API gives, where no type hint is enforced: Cases, checked; items and events, converted.

The rows of a candidate file are checked by `llmrank.data.candidate_row`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from decimal import Decimal
from itertools import chain
from numbers import Real
from typing import Any, TypeVar, cast

import numpy as np

from llmrank.data.candidates import DataFrame
from llmrank.data.rows import TIME_HINT, as_float, attribute_text, in_seconds
from llmrank.errors import InputError, count_of
from llmrank.types import Case, Event, Item

ItemLike = Item | Mapping[str, object] | str
"""An Item; a mapping with `title` and optionally `item_id` and attributes, as in a candidate file; or a title."""
Entry = TypeVar("Entry")
MISSING = frozenset(("None", "nan", "NaT", "<NA>"))
"""Printed forms of missing values in pandas, which do not compare like ordinary values."""
LARGEST = 2**63
"""Arrow keeps no larger integer."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_NUMBER_HINT = "give a finite number, or None if unknown"


def checked_cases(candidates: object) -> list[Case]:
    """Return the Cases as a list. Raises InputError for anything else, an invalid Case, and a repeated case id."""
    hint = "give Cases, a DataFrame, an Arrow table, or the path of a candidate file"
    if not isinstance(candidates, Iterable):
        raise InputError(f"expected a list of Cases, got {type(candidates).__name__}", hint=hint)
    cases = dict[str, Case]()
    for case in cast("Iterable[object]", candidates):
        if not isinstance(case, Case):
            raise InputError(f"expected a Case, got {type(case).__name__}", hint=hint)
        # Only the first fault counts: it may cause the others.
        if (fault := next(chain(_wrong_types(case), _wrong_values(case)), None)) is not None:
            problem, field, give = fault
            raise InputError(problem, field=field, user=str(case.user_id), hint=give)
        if case.case_id in cases:
            problem, give = f"duplicate case_id {case.case_id!r}", "give each Case a unique case_id"
            raise InputError(problem, field="case_id", user=case.user_id, hint=give)
        _refuse_broken(case)
        cases[case.case_id] = case
    return list(cases.values())


def _wrong_types(case: Any) -> Iterator[tuple[str, str, str]]:  # noqa: ANN401 - type hints are not enforced
    """Yield problem, field and hint of each field that has the wrong type."""
    for name, value in (("user_id", case.user_id), ("case_id", case.case_id)):
        if not isinstance(value, str):
            yield f"expected text, got {value!r}", name, "give a str"
    lists: tuple[tuple[str, object, type, str], ...] = (
        ("history", case.history, Event, "an lr.Event"),
        ("candidates", case.candidates, Item, "an lr.Item"),
        ("relevant", case.relevant, str, "a str"),
        ("gains", () if case.gains is None else case.gains, Real, "a number"),
        ("recall_scores", () if case.recall_scores is None else case.recall_scores, Real, "a number"),
    )
    columns = case.columns
    if not isinstance(columns, Mapping) or not all(isinstance(one, str) for pair in columns.items() for one in pair):
        yield f"expected a mapping, got {columns!r:.60}", "columns", "map names to texts"
    for name, values, kind, needed in lists:
        if isinstance(values, str) or not isinstance(values, Sequence):
            yield f"expected a list, got {type(values).__name__}", name, "give a tuple or a list"
        for one in cast("Sequence[object]", values):
            if not isinstance(one, kind):
                yield f"invalid entry {one!r}", name, f"each entry must be {needed}"


def _wrong_values(case: Any) -> Iterator[tuple[str, str, str]]:  # noqa: ANN401 - type hints are not enforced
    """Yield problem, field and hint of each item that is none, and of numbers and lists that are not valid."""
    items = [*(("candidates", item) for item in case.candidates), *(("history", event.item) for event in case.history)]
    for name, item in [*items, *([] if case.target is None else [("target", case.target)])]:
        if not _is_item(item):
            yield f"invalid item {item!r}", name, _ITEM_HINT
    numbers = [(name, one) for e in case.history for name, one in (("rating", e.rating), ("timestamp", e.timestamp))]
    for name, one in (("rating", case.rating), *numbers):
        if one is not None and not _is_number(one):
            yield f"expected a number, got {one!r}", name, _NUMBER_HINT
    aligned = (
        ("recall_scores", case.recall_scores, "candidates", case.candidates, -math.inf),
        ("gains", case.gains, "relevant", case.relevant, 0),
    )
    for name, values, of, known, above in aligned:
        if values is not None and not (
            len(values) == len(known) and all(_is_number(one) and above < one for one in values)
        ):
            least = f" above {above}" if name == "gains" else ""
            hint = f"give one finite number{least} for each of `{of}`, or None"
            yield f"does not fit `{of}`: {values!r:.60}", name, hint
    if len({*case.relevant}) < len(case.relevant):
        yield "duplicate relevant item", "relevant", "give each id once"
    if len({item.item_id for item in case.candidates}) < len(case.candidates):
        yield "duplicate candidate", "candidates", "keep each item once, at its best rank"


def _is_number(one: object) -> bool:
    """Return whether this is a finite number that a Run can keep: no fraction, and no integer of more than 64 bits."""
    return (isinstance(one, float | np.number) and math.isfinite(one)) or (isinstance(one, int) and abs(one) < LARGEST)


_ITEM_HINT = "give an lr.Item with an item_id and a title; both, and its attributes, must be text"


def _is_item(item: object) -> bool:
    """Return whether this is an Item with an id, a title, and text in all its attributes."""
    if not isinstance(item, Item):
        return False
    about = cast("object", item.attributes)  # type hints are not enforced
    attributes = cast("Mapping[object, object]", about) if isinstance(about, Mapping) else {None: None}
    texts = (item.item_id, item.title, *attributes, *attributes.values())
    return all(isinstance(text, str) for text in texts) and bool(item.item_id.strip() and item.title.strip())  # pyright: ignore[reportUnnecessaryIsInstance]


def _refuse_unfit(item: Item, field: str) -> None:
    if not _is_item(item):
        raise InputError(f"invalid item {item!r}", field=field, hint=_ITEM_HINT)


def _refuse_broken(case: Case) -> None:
    """Raise InputError if an id or a title cannot be encoded as UTF-8."""
    items = {"candidates": case.candidates, "history": [event.item for event in case.history]}
    texts = [text for some in items.values() for item in some for text in (item.title, item.item_id)]
    try:
        "".join((case.user_id, *texts, case.case_id)).encode()
    except UnicodeEncodeError as error:
        places = [
            f"{name}[{at}].{part}"
            for name, some in items.items()
            for at in range(len(some))
            for part in ("title", "item_id")
        ]
        named = zip(("user_id", *places, "case_id"), (case.user_id, *texts, case.case_id), strict=True)
        field = next(place for place, text in named if _SURROGATE.search(text))
        problem, hint = "invalid text: an unpaired surrogate", "decode the text with its original encoding"
        raise InputError(problem, field=field, user=case.user_id or None, hint=hint) from error


# --- what a Reranker is given ---------------------------------------------------------------------------------------


def case_of(
    history: Iterable[Event | ItemLike],
    candidates: Iterable[ItemLike],
    scores: Iterable[float] | None,
    user_id: str | int | None,
) -> Case:
    """Return the Case about these events and candidates; see `Reranker.rank`."""
    known = isinstance(user_id, str) or str(user_id) not in MISSING
    user_id = attribute_text(user_id) if known else ""
    items, own_scores = _offered(candidates)
    if len({item.item_id for item in items}) < len(items):
        [(twice, _)] = Counter(item.item_id for item in items).most_common(1)
        problem = f"duplicate item_id {twice!r}"
        raise InputError(problem, field="candidates", hint="give each candidate a unique item_id")
    given = own_scores
    if scores is not None:
        hint = "give each candidate a finite number, or pass no scores"
        listed = enumerate(_listed(scores, "scores"))
        given = tuple(_number(score, f"scores[{place}]", hint) for place, score in listed)
    if given is not None and len(given) != len(items):
        problem = f"{count_of(len(given), 'score')} for {count_of(len(items), 'candidate')}"
        raise InputError(problem, field="scores", hint="give one score per candidate, in the same order")
    past = tuple(as_event(one, f"history[{place}]") for place, one in enumerate(_listed(history, "history")))
    case = Case(
        user_id,
        past,
        candidates=items,
        recall_scores=given,
        # The case id seeds all randomness, so that the same call makes the same requests, as in an evaluation.
        case_id=user_id or "\n".join(item.item_id for item in (*(event.item for event in past), *items)),
    )
    _refuse_broken(case)
    return case


def as_event(given: Event | ItemLike, place: str) -> Event:
    """Convert to an Event; a mapping may have `rating` and `timestamp`. `place` is used in error messages."""
    if isinstance(given, Event):
        _refuse_unfit(given.item, place)
        return given
    if isinstance(given, Item | str):
        return Event(as_item(given, place))
    fields = _fields(given, place)
    if isinstance(moment := fields.get("timestamp"), str):
        with suppress(ValueError):
            fields["timestamp"] = as_float(moment)
    known = {name: _number(fields.pop(name), f"{place}.{name}") for name in ("rating", "timestamp") if name in fields}
    if (time := known.get("timestamp")) is not None:
        try:
            time = in_seconds(time)
        except ValueError:
            problem = f"{time:g} is not a time in the years 1 to 9999"
            raise InputError(problem, field=f"{place}.timestamp", hint=TIME_HINT) from None
    return Event(as_item(fields, place), known.get("rating"), time)


def as_item(given: ItemLike, place: str) -> Item:
    """Convert to an Item; a string is both title and id."""
    if isinstance(given, Item):
        _refuse_unfit(given, place)
        return given
    if isinstance(given, str) and given.strip():
        return Item(given, given)
    fields = {"title": given} if isinstance(given, str) else _fields(given, place)
    title = fields.pop("title", None)
    if not isinstance(title, str) or not title.strip():
        has = f", but {', '.join(map(repr, fields))}" if fields else ""
        problem = f"missing title{has}" if title is None else f"invalid title {title!r}"
        raise InputError(problem, field=f"{place}.title", hint="give each item a title, or pass only titles")
    if misnamed := [
        name for name in fields if name.casefold().replace("_", "") in ("id", "itemid") and name != "item_id"
    ]:
        hint = "rename it; without an item_id, the title is used as the id"
        raise InputError("unknown field; did you mean 'item_id'?", field=f"{place}.{misnamed[0]}", hint=hint)
    item_id = attribute_text(fields.pop("item_id", title))
    if not item_id.strip():
        raise InputError("empty item_id", field=f"{place}.item_id", hint="give it as text or as an integer")
    fields |= _fields(cast("Any", fields.pop("attributes", {})), f"{place}.attributes")
    return Item(item_id, title, {name: attribute_text(value) for name, value in fields.items()})


def _offered(given: Iterable[ItemLike]) -> tuple[tuple[Item, ...], tuple[float, ...] | None]:
    """Return the candidates, and their scores if they have any."""
    items: list[Item] = []
    scores: list[float] = []
    for number, one in enumerate(_listed(given, "candidates")):
        place, shown = f"candidates[{number}]", one
        if not isinstance(one, Item | str):
            shown = _fields(one, place)
            if "score" in shown:
                scores.append(_number(shown.pop("score"), f"{place}.score"))
        items.append(as_item(shown, place))
    if scores and len(scores) < len(items):
        problem = f"a score is given for {len(scores)} of {len(items)} candidates"
        raise InputError(problem, field="candidates", hint="score all candidates or none (NaN counts as missing)")
    return tuple(items), tuple(scores) or None


def _listed(given: Iterable[Entry], field: str) -> Iterable[Entry]:
    """Return the iterable. Raises InputError for text, mappings and tables, which would iterate over wrong entries."""
    if isinstance(given, list | tuple):  # the common case, ahead of the slow protocol checks
        return given
    if isinstance(given, str | bytes | Mapping | DataFrame) or not isinstance(given, Iterable):  # pyright: ignore
        problem = f"expected a list, got {type(given).__name__}"
        hint = 'give a list, which may be empty; for a DataFrame, frame.to_dict("records")'
        raise InputError(problem, field=field, hint=hint)
    return given


def _fields(given: Mapping[str, object], place: str) -> dict[str, object]:
    """Return the fields of a mapping or a pandas row, without missing values."""
    try:
        fields = {str(name): value for name, value in dict(given).items()}
    except (TypeError, ValueError):
        kinds = "an Event, an Item" if place.startswith("history") else "an Item"
        problem, hint = f"expected an item, got {type(given).__name__}", f"give {kinds}, a mapping or a title"
        raise InputError(problem, field=place, hint=hint) from None
    present = {name: value for name, value in fields.items() if isinstance(value, str) or str(value) not in MISSING}
    if "item_id" in fields and "item_id" not in present:
        hint = "give one, or omit it from all items"
        raise InputError("missing item_id", field=f"{place}.item_id", hint=hint)
    return present


def _number(given: object, place: str, hint: str = _NUMBER_HINT) -> float:
    """Convert a number, or a date into seconds since the epoch."""
    number = math.nan
    if isinstance(given, Decimal | date):
        number = as_float(given)
    elif isinstance(given, Real):
        number = float(given)
    if not math.isfinite(number):
        raise InputError(f"expected a number, got {given!r}", field=place, hint=hint)
    return number
