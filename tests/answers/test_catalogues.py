"""Catalogues other than films, and how people and models name their items."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmrank.answers import answer_format
from llmrank.types import Item, Question, Response

LINES = Path(__file__).with_name("catalogues.jsonl").read_text(encoding="utf-8").splitlines()
ROWS = [
    pytest.param(one["items"], text, places, id=f"{one['catalogue']}-{number}")
    for one in map(json.loads, LINES)
    for number, (text, places) in enumerate(one["answers"].items(), 1)
]


@pytest.mark.parametrize(("catalogue", "text", "places"), ROWS)
def test_items_are_found_as_people_name_them(catalogue: list[dict[str, str]], text: str, places: str) -> None:
    """Attributes stand beside the titles; `places` are the named items, best first."""
    items = tuple(
        Item(str(at), one["title"], {name: value for name, value in one.items() if name != "title"})
        for at, one in enumerate(catalogue, 1)
    )
    assert " ".join(answer_format("titles").read(Response(text), Question(items, ())).ranked) == places
