"""JSON inside a text: fenced, with words around it, or alone."""

from __future__ import annotations

import json
from typing import cast

_LIST_KEYS = ("ranking", "ranked", "order", "titles", "recommendations", "candidates", "items", "movies", "results")
_NAME_KEYS = ("label", "item_id", "id", "title", "name", "identifier", "item", "movie", "product", "index", "number")
_TRIES = 16
"""Brackets tried before giving up, so that the time stays linear in a text full of them."""


def find_json(text: str) -> object | None:
    """Return the first JSON object or array in the text that holds anything, None if there is none."""
    decoder = json.JSONDecoder()
    at = 0
    for _ in range(_TRIES):
        at = min((found for mark in "[{" if (found := text.find(mark, at)) >= 0), default=-1)
        if at < 0:
            return None
        try:
            value, _end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        if value:
            return cast("object", value)
        at += 1
    return None


def listed(value: object) -> list[str] | None:
    """Return what a JSON value lists, as texts in order: an array, or the array in an object; None if there is none.

    An element that is an object gives its label, id or title; elements that all carry a `rank` are ordered by it.
    """
    if isinstance(value, dict):
        table = {str(key).casefold(): inner for key, inner in cast("dict[object, object]", value).items()}
        keys = [*(key for key in _LIST_KEYS if key in table), *table]
        return next((texts for key in keys if (texts := _texts(table[key])) is not None), None)
    return _texts(value)


def _texts(value: object) -> list[str] | None:
    if not isinstance(value, list):
        return None
    elements = cast("list[object]", value)
    ranks = [_field(element, ("rank", "position")) for element in elements]
    if elements and all(isinstance(rank, int | float) for rank in ranks):
        places = cast("list[float]", ranks)
        elements = [elements[at] for at in sorted(range(len(elements)), key=places.__getitem__)]
    names = [_field(element, _NAME_KEYS) if isinstance(element, dict) else element for element in elements]
    return [str(name) for name in names if isinstance(name, str | int | float) and not isinstance(name, bool)]


def _field(element: object, keys: tuple[str, ...]) -> object:
    if not isinstance(element, dict):
        return None
    table = {str(key).casefold(): inner for key, inner in cast("dict[object, object]", element).items()}
    return next((table[key] for key in keys if key in table), None)
