"""Plain sentences of the four short formats, composed with several candidates, are read as they are meant."""

from __future__ import annotations

import pytest

from llmrank.answers import answer_format
from llmrank.types import Item, Outcome, Question, Response
from tests.answers import composed_short as tables

FILMS = ("Casino", "Paprika", "Nightcrawler", "Whiplash", "Magnolia", "The Iron Giant")
BOOKS = ("Norwegian Wood", "Beloved", "The Goldfinch", "Wolf Hall", "Siddhartha")
PICKS = ((1, 3, 2), (4, 2, 1))
"""Positions of the candidate that is chosen and of two others. (The letter A is also a word: it has its own tests.)"""
NUMBERS, LETTERS = "123456", "ABCDEF"


def read(format_name: str, text: str, titles: tuple[str, ...], identifiers: tuple[str, ...] = ()) -> str:
    """Return the reading: the position of the item, the value, or `unparsed`."""
    items = tuple(Item(str(at), title) for at, title in enumerate(titles))
    answer = answer_format(format_name).read(Response(text), Question(items, identifiers))
    if answer.outcome is Outcome.UNPARSED:
        return "unparsed"
    return f"{answer.value:g}" if answer.value is not None else answer.ranked[0]


def candidates(template: str, format_name: str) -> list[tuple[str, str]]:
    """Return the readings of a template with two lists of candidates, each beside the position that is meant."""
    readings: list[tuple[str, str]] = []
    for titles, places, names in zip((FILMS, BOOKS), PICKS, (NUMBERS, LETTERS), strict=True):
        shown = dict(zip("TUV", (titles[at] for at in places), strict=True))
        named = [names[at] for at in places] if format_name == "choice" else shown.values()
        text = template.format(**shown, **dict(zip("xyz", named, strict=True)))
        identifiers = (*names[: len(titles)],) if format_name == "choice" else ()
        readings.append((read(format_name, text, titles, identifiers), str(places[0])))
    return readings


def is_unparsed(readings: list[tuple[str, str]]) -> bool:
    """Return whether none of the readings names a candidate or a rating."""
    return {got for got, _ in readings} == {"unparsed"}


def rated(template: str) -> list[tuple[str, str]]:
    """Return the readings of a template with several ratings, each beside the rating that is meant."""
    words, readings = ("one", "two", "three", "four", "five"), list[tuple[str, str]]()
    for rating, other in ((2, 4), (5, 3)):
        word, stars = words[rating - 1], "★" * rating
        text = template.format(
            r=rating, o=other, w=word, W=word.capitalize(), s=stars + "☆" * (5 - rating), S=stars, e="⭐" * rating,
            T=FILMS[2], U=FILMS[0], V=FILMS[1],
        )  # fmt: skip
        readings.append((read("rating", text, FILMS[2:3]), str(rating)))
    return readings


def verdicts(template: str) -> set[str]:
    """Return the readings of a template of yes or no, for several films."""
    return {read("yes_no", template.format(T=title), (title,)) for title in FILMS[:3]}


@pytest.mark.parametrize(
    ("format_name", "table"),
    [("choice", tables.CHOOSES + tables.CHOICE_ONLY), ("one_title", tables.CHOOSES + tables.TITLE_ONLY)],
)
def test_a_candidate_is_chosen(format_name: str, table: str) -> None:
    read_otherwise = [
        template
        for template in tables.lines(table)
        if not all(got == meant for got, meant in candidates(template, format_name))
    ]
    assert read_otherwise == []


@pytest.mark.parametrize(
    ("format_name", "table"),
    [("choice", tables.CHOOSES_NONE + tables.CHOICE_NONE), ("one_title", tables.CHOOSES_NONE + tables.TITLE_NONE)],
)
def test_no_candidate_is_chosen(format_name: str, table: str) -> None:
    assert [one for one in tables.lines(table) if not is_unparsed(candidates(one, format_name))] == []


def test_a_rating_is_given() -> None:
    lines = tables.lines(tables.RATES)
    assert [one for one in lines if not all(got == meant for got, meant in rated(one))] == []


def test_no_rating_is_given() -> None:
    assert [one for one in tables.lines(tables.RATES_NOTHING) if not is_unparsed(rated(one))] == []


@pytest.mark.parametrize(("table", "meant"), [(tables.YES, "1"), (tables.NO, "0"), (tables.NEITHER, "unparsed")])
def test_a_verdict_is_given_or_none(table: str, meant: str) -> None:
    assert [one for one in tables.lines(table) if verdicts(one) != {meant}] == []


@pytest.mark.parametrize(("format_name", "table"), tables.NOT_READ.items())
def test_what_is_not_read_yet_is_not_misread(format_name: str, table: str) -> None:
    """These have a reading, but are `unparsed`: a rule for them would read other sentences wrong."""
    for one in tables.lines(table):
        assert is_unparsed(rated(one) if format_name == "rating" else candidates(one, format_name)), one
