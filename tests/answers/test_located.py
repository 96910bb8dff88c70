"""Entries are located in the raw answer only if their place is certain."""

from __future__ import annotations

import pytest

from llmrank.answers import answer_format
from llmrank.answers.located import located
from llmrank.types import Item, Question, Response

ITEMS = tuple(Item(f"i{at}", title) for at, title in enumerate(("Alien (1979)", "Heat (1995)", "Heat Wave (1990)")))


@pytest.mark.parametrize(
    ("answer_name", "text", "expected"),
    [
        ("titles", "1. Heat (1995)\n2. Alien (1979)", [("Heat (1995)", "exact"), ("Alien (1979)", "exact")]),
        ("titles", "- Heat Wave\n- Heat (1995)", [("Heat Wave", "normalised"), ("Heat (1995)", "exact")]),
        ("titles", "3. Alien\n2. Heat\n1. Alien",
            [("Alien", "duplicate"), ("Heat", "normalised"), ("Alien", "normalised")]),
        ("titles", "<think>Heat (1995)</think>\n1. Heat (1995)", [("Heat (1995)", "exact")]),
        ("titles", "You saw Heat (1995):\n1. Heat (1995)\n2. Alien (1979)", [("Alien (1979)", "exact")]),
        ("titles", "1. <b>Heat (1995)</b>\n2. Alien (1979)", [("Alien (1979)", "exact")]),
        ("permutation", "[3] > [1] > [2]", [("3", "identifier"), ("1", "identifier"), ("2", "identifier")]),
        ("permutation", "1. [3]\n2. [1]\n3. [2]", []),
        ("json", '["Alien (1979)", "Alien (1979)"]', []),
    ],
)  # fmt: skip
def test_entries_are_located_where_they_are_certain(
    answer_name: str, text: str, expected: list[tuple[str, str]]
) -> None:
    read = answer_format(answer_name).read(Response(text), Question(ITEMS))
    assert [(text[span.start : span.end], span.read_as) for span in located(text, read.entries)] == expected
