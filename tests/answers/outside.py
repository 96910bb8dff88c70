"""Classify the titles outside the list, using the whole catalogue and the user's own ratings.

python -m tests.answers.outside
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

from llmrank.answers.items.matching import Match, TitleIndex, title_index
from llmrank.types import Item
from tests.answers.named import named
from tests.answers.recorded import MODELS, data_folder, rerank

HISTORY, HELD_OUT, CATALOGUE = "in the user's history", "in the user's test part", "elsewhere in the catalogue"
SEVERAL, LATER, UNKNOWN = "several films of the catalogue", "unknown, newer than the catalogue", "unknown"
KINDS = (HISTORY, HELD_OUT, CATALOGUE, SEVERAL, LATER, UNKNOWN)
_YEAR = re.compile(r"\(((?:18|19|20)\d\d)\)")


def catalogue(data: Path) -> tuple[Item, ...]:
    """Return all films of MovieLens small."""
    with (data / "ml-latest-small" / "movies.csv").open(encoding="utf-8", newline="") as file:
        return tuple(Item(row["movieId"], row["title"]) for row in csv.DictReader(file))


def kinds(model: str, films: tuple[Item, ...], data: Path) -> tuple[Counter[str], Counter[str]]:
    """Return the number of titles outside the list by kind, and how often each text occurs."""
    index = title_index(films)
    newest = max(year for film in films for year in _YEAR.findall(film.title))
    known: dict[str, Match | None] = {}
    found, texts = Counter[str](), Counter[str]()
    for row in rerank(model, data):
        seen = {event["item_id"] for event in row["history"]}
        for name in named(row):
            if name.stage != "outside":
                continue
            texts[name.text] += 1
            if name.text not in known:
                known[name.text] = look_up(name.text, index)
            ids = {films[at].item_id for at in match.positions} if (match := known[name.text]) else set[str]()
            if match is None:
                found[LATER if any(year > newest for year in _YEAR.findall(name.text)) else UNKNOWN] += 1
            elif ids & seen:
                found[HISTORY] += 1
            elif ids & set(row["held_out"]):
                found[HELD_OUT] += 1
            else:
                found[CATALOGUE if ids else SEVERAL] += 1
    return found, texts


def look_up(text: str, films: TitleIndex) -> Match | None:
    """Return the match of a text among all films."""
    return films.find(text) or films.nearest(text)


def main() -> None:
    from tests.tables import show

    data = data_folder()
    films = catalogue(data)
    counts = {model: kinds(model, films, data) for model in MODELS}
    totals = {model: sum(found.values()) for model, (found, _) in counts.items()}
    show(
        ("titles outside the list", *MODELS),
        [
            ["all", *(f"{totals[model]:,}" for model in MODELS)],
            *(
                [
                    kind,
                    *(f"{counts[model][0][kind]:,} ({counts[model][0][kind] / totals[model]:.1%})" for model in MODELS),
                ]
                for kind in KINDS
            ),
            ["different texts", *(f"{len(counts[model][1]):,}" for model in MODELS)],
        ],
    )
    for model in MODELS:
        print(f"{model}: " + " · ".join(f"{text} {times}" for text, times in counts[model][1].most_common(3)))


if __name__ == "__main__":
    main()
