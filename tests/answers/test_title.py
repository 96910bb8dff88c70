import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrank.answers.items.title import normalised, numbers, parse_title, places_of


@pytest.mark.parametrize(
    ("text", "name", "aliases", "year"),
    [
        ("Matrix, The (1999)", "the matrix", (), "1999"),
        ("Seven (a.k.a. Se7en) (1995)", "seven", ("se7en",), "1995"),
        (
            "Good, the Bad and the Ugly, The (Buono, il brutto, il cattivo, Il) (1966)",
            "the good the bad and the ugly",
            ("il buono il brutto il cattivo",),
            "1966",
        ),
        ("Lord of the Rings, The: The Two Towers (2002)", "the lord of the rings the two towers", (), "2002"),
        ("Avventura, L' (Adventure, The) (1960)", "lavventura", ("the adventure",), "1960"),
        ("Boot, Das", "das boot", (), ""),
        ("Cité des enfants perdus, La (1995)", "la cite des enfants perdus", (), "1995"),
        ("Laberinto del fauno, El (2006)", "el laberinto del fauno", (), "2006"),
        ("L.A. Confidential (1997)", "la confidential", (), "1997"),
        ("Godfather: Part II, The (1974)", "the godfather part 2", (), "1974"),
        ("Dr. Strangelove or: How I Learned (1963)", "dr strangelove or how i learned", ("dr strangelove",), "1963"),
        ("Birdman: Or (The Unexpected Virtue) (2014)", "birdman", ("the unexpected virtue",), "2014"),
        ("(500) Days of Summer (2009)", "500 days of summer", (), "2009"),
        ("I, Robot (2004)", "i robot", (), "2004"),
        ("Twin Peaks (1989-1990)", "twin peaks", (), "1989-1990"),
        ("Halo 3 (Xbox 360)", "halo 3", (), ""),  # no year: not another name
        ("七人の侍 (1954)", "七人の侍", (), "1954"),
        ("がんばれ", "がんばれ", (), ""),
        ("!!!", "!!!", (), ""),
        ("(1999)", "1999", (), "1999"),  # the catalogue lost its name
        ("? (2011)", "?", (), "2011"),
    ],
)
def test_a_title_is_reduced_to_its_names_and_year(text: str, name: str, aliases: tuple[str, ...], year: str) -> None:
    title = parse_title(text)
    assert (title.name, title.aliases, title.year) == (name, aliases, year)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Amélie", "amelie"),
        ("Willy Wonka & the Chocolate Factory", "Willy Wonka and the Chocolate Factory"),
        ("Rocky II", "Rocky 2"),
        ("Star Wars: Episode V", "Star Wars - Episode 5"),
        ("Schindler’s List", "Schindlers List"),
        ("M*A*S*H", "MASH"),
        ("8½", "8 1/2"),
        ("Kill Bill: Volume One", "Kill Bill Vol. 1"),
        ("Straße", "STRASSE"),
    ],
)
def test_spellings_of_one_title_are_equal(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Toy Story", "Toy Story 2"), ("V for Vendetta", "5 for Vendetta"), ("Malcolm X", "Malcolm 10"), ("が", "か")],
)
def test_different_titles_stay_different(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)


def test_numbers_distinguish_sequels() -> None:
    assert numbers(normalised("Rocky III")) == ("3",) != numbers(normalised("Rocky II"))


@given(st.text("a b_é1.", max_size=4), st.text("a b_é1.", max_size=12))
def test_places_are_those_of_whole_words(name: str, text: str) -> None:
    expected = [one.span() for one in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", text)] if name else []
    assert list(places_of(name, text)) == expected
