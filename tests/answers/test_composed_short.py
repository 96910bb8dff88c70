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


@pytest.mark.parametrize("template", tables.lines(tables.CHOOSES + tables.CHOICE_ONLY))
def test_an_identifier_is_chosen(template: str) -> None:
    assert all(got == meant for got, meant in candidates(template, "choice"))


@pytest.mark.parametrize("template", tables.lines(tables.CHOOSES_NONE + tables.CHOICE_NONE))
def test_no_identifier_is_chosen(template: str) -> None:
    assert {got for got, _ in candidates(template, "choice")} == {"unparsed"}


@pytest.mark.parametrize("template", tables.lines(tables.CHOOSES + tables.TITLE_ONLY))
def test_a_title_is_chosen(template: str) -> None:
    assert all(got == meant for got, meant in candidates(template, "one_title"))


@pytest.mark.parametrize("template", tables.lines(tables.CHOOSES_NONE + tables.TITLE_NONE))
def test_no_title_is_chosen(template: str) -> None:
    assert {got for got, _ in candidates(template, "one_title")} == {"unparsed"}


@pytest.mark.parametrize("template", tables.lines(tables.RATES))
def test_a_rating_is_given(template: str) -> None:
    assert all(got == meant for got, meant in rated(template))


@pytest.mark.parametrize("template", tables.lines(tables.RATES_NOTHING))
def test_no_rating_is_given(template: str) -> None:
    assert {got for got, _ in rated(template)} == {"unparsed"}


@pytest.mark.parametrize(
    ("template", "meant"),
    [(one, "1") for one in tables.lines(tables.YES)] + [(one, "0") for one in tables.lines(tables.NO)],
)
def test_a_verdict_is_given(template: str, meant: str) -> None:
    assert [read("yes_no", template.format(T=title), (title,)) for title in FILMS[:3]] == [meant] * 3


@pytest.mark.parametrize("template", tables.lines(tables.NEITHER))
def test_no_verdict_is_given(template: str) -> None:
    assert {read("yes_no", template.format(T=title), (title,)) for title in FILMS[:3]} == {"unparsed"}


@pytest.mark.parametrize(
    ("format_name", "template"),
    [(name, one) for name, table in tables.NOT_READ.items() for one in tables.lines(table)],
)
def test_what_is_not_read_yet_is_not_misread(format_name: str, template: str) -> None:
    """These have a reading, but are `unparsed`: a rule for them would read other sentences wrong."""
    readings = rated(template) if format_name == "rating" else candidates(template, format_name)
    assert {got for got, _ in readings} == {"unparsed"}
