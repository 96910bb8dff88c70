"""60 recorded answers read by hand, line by line, beside what llmrank reads in them.

    python -m tests.answers.readings

20 answers of each model, drawn by a seed. One reader saw the 50 candidates and every line that, its list number taken
off, is no candidate's title letter for letter, and wrote down before llmrank was asked which film the line means
(`readings.tsv`: the lines that name no film, those that name one outside the list, and those that name a candidate).
The remaining lines are confirmed by comparing letters. Lines are counted from 1, and nothing else of the data is kept.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.answers.named import candidates, named
from tests.answers.recorded import MODELS, Row, data_folder, rerank

DRAWN = 20
NO_NAME, OUTSIDE = "no name", "outside"
FILE = Path(__file__).with_name("readings.tsv")
_LIST_NUMBER = re.compile(r"^\s*(?:\d{1,3}[.)]\s+|[-*]\s+)")


@dataclass(frozen=True, slots=True)
class Reading:
    """What one answer says."""

    model: str
    user_id: str
    by_hand: Mapping[int, str]
    """What was decided of each line that was read: `NO_NAME`, `OUTSIDE`, or the id of the candidate it means."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A line that names a film, or is taken to name one, by one of the two."""

    model: str
    user_id: str
    line: int
    text: str
    read: bool
    """Whether a person read it; else its title is a candidate's letter for letter."""
    by_hand: str
    by_llmrank: str

    @property
    def agree(self) -> bool:
        """Return whether both take the line alike."""
        return self.by_hand == self.by_llmrank


def readings() -> list[Reading]:
    """Return what was written down."""
    found: list[Reading] = []
    for line in FILE.read_text("utf-8").splitlines()[1:]:
        model, user, no_name, outside, chosen = line.split("\t")
        by_hand = dict.fromkeys(_numbers(no_name), NO_NAME) | dict.fromkeys(_numbers(outside), OUTSIDE)
        by_hand |= {int(number): item_id for number, item_id in (pair.split("=") for pair in chosen.split())}
        found.append(Reading(model, user, by_hand))
    return found


def drawn(model: str, data: Path) -> list[Row]:
    """Return the rows of a model that were read."""
    rows = random.Random(f"60:{model}").sample(list(rerank(model, data)), DRAWN)
    return sorted(rows, key=lambda row: int(row["user_id"]))


def compare(reading: Reading, row: Row) -> Iterator[Compared]:
    """Yield the lines of an answer of which the reader or llmrank says that they name a film.

    Raises KeyError for a line that is no candidate letter for letter and was not read.
    """
    titles = {item["title"]: item["item_id"] for item in row["candidates"]}
    ours: dict[int, list[str]] = {}
    for name in named(row, candidates(row)):
        ours.setdefault(name.line, []).append(name.item_id or ("ambiguous" if name.stage == "ambiguous" else OUTSIDE))
    for number, line in enumerate(row["response"].splitlines(), 1):
        if line.strip():
            same = titles.get(line) or titles.get(_LIST_NUMBER.sub("", line))
            by_hand = same or reading.by_hand[number]
            by_llmrank = " ".join(ours.get(number, [NO_NAME]))
            if {by_hand, by_llmrank} != {NO_NAME}:
                yield Compared(reading.model, reading.user_id, number, line, same is None, by_hand, by_llmrank)


def compared(data: Path) -> list[Compared]:
    """Return all lines of the answers that were read."""
    rows = {(model, row["user_id"]): row for model in MODELS for row in drawn(model, data)}
    return [line for reading in readings() for line in compare(reading, rows[reading.model, reading.user_id])]


def agreement(lines: list[Compared], model: str = "") -> list[str]:
    """Return the cells of a table row: over all lines, over those read, and over answers, with exact 95% intervals."""
    lines = [line for line in lines if line.model == model or not model]
    read = [line for line in lines if line.read]
    answers: dict[tuple[str, str], bool] = {}
    for line in lines:
        answers[line.model, line.user_id] = answers.get((line.model, line.user_id), True) and line.agree
    outside = sum(line.by_hand == OUTSIDE for line in read)
    return [
        model or "all",
        str(len(lines)),
        str(len(read)),
        str(outside),
        str(len(read) - outside),
        _share([line.agree for line in read]),
        _share([line.agree for line in lines]),
        _share([*answers.values()]),
    ]


def _share(agree: list[bool]) -> str:
    from scipy.stats import binomtest

    interval = binomtest(sum(agree), len(agree)).proportion_ci(method="exact")
    return f"{sum(agree)} of {len(agree)} [{interval.low:.3f}, {interval.high:.3f}]"


def _numbers(ranges: str) -> Iterator[int]:
    for part in ranges.split():
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def main() -> None:
    from tests.tables import show

    lines = compared(data_folder())
    columns = ("model", "lines that name a film", "read", "outside", "a candidate")
    show(
        (*columns, "agree, of those read", "agree, of all lines", "answers read alike throughout"),
        [agreement(lines, model) for model in (*MODELS, "")],
    )
    for line in lines:
        if not line.agree:
            print(f"{line.model} {line.user_id}, line {line.line}: {line.by_hand} by hand, {line.by_llmrank} by llmrank")
    if all(line.agree for line in lines):
        print("No line is read differently.")


if __name__ == "__main__":
    main()
