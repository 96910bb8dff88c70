"""Seconds to read answers that list 50 titles: `python -m tests.benchmarks.answers [--answers 10000]`.

Each answer is about 50 films of MovieLens 100K, drawn by a seed. One process on one core.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable, Sequence
from random import Random

from llmrank.answers import answer_format
from llmrank.data.load import load_dataset
from llmrank.types import Item, Question, Response
from tests.benchmarks.machine import heading, table

CANDIDATES = 50
YEAR = re.compile(r" \(\d{4}\)$")


def misspelt(title: str, random: Random) -> str:
    """Return the title with one letter less, its year untouched."""
    place = random.randrange(len(without_year(title)))
    return title[:place] + title[place + 1 :]


def without_year(title: str) -> str:
    """Return the title without its year."""
    return YEAR.sub("", title)


DRESSINGS: dict[str, Callable[[int, str, Random], str]] = {
    "as they are shown": lambda place, title, random: title,
    "numbered, bold, without years": lambda place, title, random: f"{place}. **{without_year(title)}**",
    "a letter missing in each": lambda place, title, random: f"{place}. {misspelt(title, random)}",
    "a letter missing in each, without years": lambda place, title, random: (
        f"{place}. {without_year(misspelt(title, random))}"
    ),
    "of films that are not there": lambda place, title, random: f"{place}. {title[::-1]}",
}


def asked(items: Sequence[Item], answers: int, dress: Callable[[int, str, Random], str]) -> list[tuple[Question, str]]:
    """Return questions, and an answer to each."""
    random = Random(0)
    found: list[tuple[Question, str]] = []
    for _ in range(answers):
        shown = tuple(random.sample(items, CANDIDATES))
        order = random.sample(shown, CANDIDATES)
        text = "\n".join(dress(place, item.title, random) for place, item in enumerate(order, 1))
        found.append((Question(shown), text))
    return found


def main() -> None:
    """Read the answers, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=10_000)
    answers = parser.parse_args().answers
    items, form = load_dataset("ml-100k").items, answer_format("titles")
    lines: list[tuple[str, ...]] = []
    for name, dress in DRESSINGS.items():
        pairs = asked(items, answers, dress)
        named, started = 0, time.process_time()
        for question, text in pairs:
            named += len(form.read(Response(text), question).ranked)
        seconds = time.process_time() - started
        share = named / (answers * CANDIDATES)
        lines.append((name, f"{seconds:.1f}", f"{answers / seconds:,.0f}", f"{share:.1%}"))
    head = ("titles", "seconds of CPU", "answers/s", "placed")
    what = f"{answers:,} answers of {CANDIDATES} titles each, about {CANDIDATES} candidates"
    print(
        heading(what, f"python -m tests.benchmarks.answers --answers {answers}", "rapidfuzz"),
        table(head, lines),
        sep="\n\n",
    )


if __name__ == "__main__":
    main()
