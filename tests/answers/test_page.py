"""The examples of docs/reading-answers.md are read as the page says."""

from __future__ import annotations

import re

import pytest

from llmrank.answers import answer_format
from llmrank.types import Answer, Item, Question, Response
from tests.answers.notations import PAGE

COMPANY = ("Casablanca (1942)", "Vertigo (1958)", "Gattaca (1997)")
"""Entries that name the other candidates, because `loose` matches need company."""
STAGES = {"exact after normalising": {"normalised"}, "fuzzy": {"fuzzy"}, "loose": {"loose"}, "none": set[str]()}


def rows(name: str) -> list[list[str]]:
    """Return the rows of a table on the page, without its headings."""
    table = re.split(rf"<!-- /?{name} -->\n", PAGE.read_text("utf-8"))[1]
    return [[cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in table.splitlines()[2:]]


def read(text: str, *titles: str) -> Answer:
    items = tuple(Item(title, title) for title in titles)
    return answer_format("titles").read(Response(text), Question(items))


@pytest.mark.parametrize(("candidate", "written", "match"), rows("names"))
def test_what_names_an_item(candidate: str, written: str, match: str) -> None:
    alone = read(written, candidate, "Casablanca (1942)")
    answer = read("\n".join((*COMPANY, written)), candidate, *COMPANY) if match == "loose" else alone
    assert (candidate in answer.ranked) == (match != "none")
    assert {*answer.matches} - {"exact"} == STAGES[match]
    assert match != "loose" or candidate not in alone.ranked


@pytest.mark.parametrize("text", [text for text, _ in rows("ambiguous")])
def test_what_is_ambiguous(text: str) -> None:
    assert read(text.replace("⏎", "\n"), "Heat", "Fargo", "Alien").reason == "ambiguous"
