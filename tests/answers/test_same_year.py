"""Films of the same year are not confused, in whole catalogues."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from rapidfuzz import process
from rapidfuzz.distance import Indel

from llmrank.answers import answer_format
from llmrank.answers.items.matching import TitleIndex
from llmrank.answers.items.title import parse_title, without_article
from llmrank.types import Item, Question, Response

Shared = Callable[[str], Path]

STAND_IN = (
    *("Shaun of the Dead (2004)", "Dawn of the Dead (2004)", "Three Colors: Red (1994)", "Three Colors: White (1994)"),
    *("American Pie (1999)", "American Movie (1999)", "Dead Man (1995)", "Dead Man Walking (1995)", "Antz (1998)"),
    *(
        "Deep Impact (1998)",
        "Deep Rising (1998)",
        "Armageddon (1998)",
        "Nell (1994)",
        "Bell (1994)",
        "Kill Bill (2003)",
    ),
    *("Gamer (2009)", "Amer (2009)", "Twister (1996)", "Twisted (1996)"),
    *("Kung Fu Panda (2008)", "Kung Fu Panda: Secrets of the Furious Five (2008)"),
    *("Mission to Mars (2000)", "Red Planet (2000)", "Men of War (1994)", "Man of War (1994)"),
)


def by_year(titles: list[str]) -> Iterable[list[str]]:
    """Return the different films of each year."""
    years: defaultdict[str, list[str]] = defaultdict(list)
    for title in dict.fromkeys(titles):
        if year := parse_title(title).year:
            years[year].append(title)
    return years.values()


def words_of(films: list[str]) -> list[set[str]]:
    """Return the longer words of each title."""
    return [set(re.findall(r"\w{3,}", parse_title(title).whole)) - {"the", "and"} for title in films]


def names_of(films: list[str]) -> list[set[str]]:
    """Return the names of each film."""
    return [{without_article(name) for name in (one.name, *one.aliases)} for one in map(parse_title, films)]


def taken(titles: list[str]) -> list[tuple[str, str]]:
    """Return each text that is taken for another film of its year if that film is the only candidate.

    Two entries that share a name (`Bewegte Mann, Der` and `Maybe, Maybe Not (Bewegte Mann, Der)`) are one film. Only
    pairs that share a word or are similar can be confused, so the others are not compared.
    """
    found: list[tuple[str, str]] = []
    for films in by_year(titles):
        names = [parse_title(title).whole for title in films]
        near = process.cdist(names, names, scorer=Indel.normalized_similarity, score_cutoff=0.55) > 0
        words, called = words_of(films), names_of(films)
        for at, candidate in enumerate(films):
            index = TitleIndex((Item("1", candidate),))
            for other, text in enumerate(films):
                if other != at and (near[at][other] or words[at] & words[other]) and not called[at] & called[other]:
                    match = index.find(text) or index.nearest(text)
                    if match is not None:
                        found.append((text, candidate))
    return found


def taken_in_company(titles: list[str]) -> list[tuple[str, str]]:
    """Return each text that is taken for another film of its year in a list that names all other candidates.

    Such a list helps to read a careless title (see `llmrank.answers.items.recalled`), but must not lead to another
    film.
    """
    fillers = [f"Filler {word} (1900)" for word in ("Oak", "Elm", "Ash", "Fir")]
    found: list[tuple[str, str]] = []
    for films in by_year(titles):
        words, called = words_of(films), names_of(films)
        for at, candidate in enumerate(films):
            near = [other for other in range(len(films)) if words[at] & words[other] and not called[at] & called[other]]
            question = Question(tuple(Item(title, title) for title in (candidate, *fillers)))
            for text in (films[other] for other in near):
                said = "\n".join(f"{number}. {title}" for number, title in enumerate((text, *fillers), 1))
                if candidate in answer_format("titles").read(Response(said), question).ranked:
                    found.append((text, candidate))
    return found


def test_films_of_one_year_in_short() -> None:
    assert taken([*STAND_IN]) == []
    assert taken_in_company([*STAND_IN]) == []


def test_films_of_one_year_of_movielens_small(shared_data: Shared) -> None:
    with (shared_data("ml-latest-small") / "movies.csv").open(encoding="utf-8", newline="") as file:
        assert taken([row["title"] for row in csv.DictReader(file)]) == []


def test_films_of_one_year_in_company(shared_data: Shared) -> None:
    with (shared_data("ml-latest-small") / "movies.csv").open(encoding="utf-8", newline="") as file:
        titles = [row["title"] for row in csv.DictReader(file)]
    # A creator may precede a colon: `Michael Mann: Public Enemies (2009)`.
    assert taken_in_company(titles) == [("Superman/Batman: Public Enemies (2009)", "Public Enemies (2009)")]


def test_films_of_one_year_of_movielens_1m(shared_data: Shared) -> None:
    lines = (shared_data("ml-1m") / "movies.dat").read_text("latin-1").splitlines()
    assert taken([line.split("::")[1] for line in lines]) == []
