"""Compare llmrank's reading of recorded answers with a reading by hand, line by line.

python -m tests.answers.readings

The reading by hand was decided from the text and the 50 candidates, before llmrank was asked. It covers every line
that, without its list number, is not verbatim a candidate's title; verbatim lines were confirmed by comparison.
`readings.tsv` has 60 answers, 20 from each model drawn with a seed, line by line, counted from 1.
`readings_of_texts.tsv` has the meaning of every such text in all answers (all users were offered the same 50 films): a
hash of the text and its reading. A text that is missing there names a film outside the list. Ten lines hold whole
lists: they were split at their commas, and the pieces compared verbatim. Nothing else of the data is kept.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.answers.named import named
from tests.answers.recorded import MODELS, Row, data_folder, rerank, shown

DRAWN = 20
OUTSIDE, NO_NAME, CUT_OFF = "outside", "no name", "cut off"
"""What a line can be if it is not one or more candidate ids. `CUT_OFF` names nothing either."""
LINES = Path(__file__).with_name("readings.tsv")
TEXTS = Path(__file__).with_name("readings_of_texts.tsv")
_LIST_NUMBER = re.compile(r"^\s*(?:\d{1,3}[.)]\s+|[-*]\s+)")

Answer = tuple[str, str]
"""Model and user."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A line of an answer, read by hand and by llmrank."""

    answer: Answer
    line: int
    text: str
    """Without its list number."""
    read: bool
    """Whether it had to be read by hand; otherwise it is verbatim a candidate's title."""
    by_hand: str
    by_llmrank: str

    @property
    def agree(self) -> bool:
        """Return whether both readings agree."""
        return self.by_llmrank == (NO_NAME if self.by_hand == CUT_OFF else self.by_hand)


def readings() -> dict[Answer, Mapping[int, str]]:
    """Return the readings by hand for the lines of 60 answers."""
    found: dict[Answer, Mapping[int, str]] = {}
    for line in LINES.read_text("utf-8").splitlines()[1:]:
        model, user, no_name, outside, chosen = line.split("\t")
        by_hand = dict.fromkeys(_numbers(no_name), NO_NAME) | dict.fromkeys(_numbers(outside), OUTSIDE)
        by_hand |= {int(number): item_id for number, item_id in (pair.split("=") for pair in chosen.split())}
        found[model, user] = by_hand
    return found


def drawn(data: Path) -> Iterator[tuple[Answer, Row]]:
    """Yield the 60 answers."""
    for model in MODELS:
        rows = random.Random(f"60:{model}").sample(list(rerank(model, data)), DRAWN)
        yield from (((model, row["user_id"]), row) for row in sorted(rows, key=lambda row: int(row["user_id"])))


def lines_of_the_drawn(data: Path) -> list[Compared]:
    """Return all lines of the 60 answers."""
    by_hand = readings()
    return [
        compared
        for answer, row in drawn(data)
        for compared in compare(answer, row, lambda line, _text, lines=by_hand[answer]: lines[line])
    ]


def lines_of_all(data: Path) -> list[Compared]:
    """Return all lines of all answers."""
    texts = dict(line.split("\t") for line in TEXTS.read_text("utf-8").splitlines()[1:])
    return [
        compared
        for model in MODELS
        for row in rerank(model, data)
        for compared in compare((model, row["user_id"]), row, lambda _line, text: texts.get(hash_of(text), OUTSIDE))
    ]


def compare(answer: Answer, row: Row, by_hand: Callable[[int, str], str]) -> Iterator[Compared]:
    """Yield the non-blank lines of an answer; `by_hand(line, text)` returns the reading by hand."""
    titles = {item.title: item.item_id for item in shown(row)}
    ours: dict[int, list[str]] = {}
    for name in named(row):
        ours.setdefault(name.line, []).append(name.item_id or name.stage)
    for number, line in enumerate(row["response"].splitlines(), 1):
        if line.strip():
            text = _LIST_NUMBER.sub("", line)
            same = titles.get(text) or titles.get(line)
            reading = same or by_hand(number, text)
            yield Compared(answer, number, text, same is None, reading, " ".join(ours.get(number, [NO_NAME])))


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def outside_hash(lines: Iterable[Compared]) -> str:
    """Return one hash of all texts that are outside the list by hand, so that no other text can pass for one of
    them."""
    return hash_of("".join(sorted({hash_of(line.text) for line in lines if line.read and line.by_hand == OUTSIDE})))


def _row(lines: list[Compared], model: str) -> list[str]:
    lines = [line for line in lines if model in ("", line.answer[0])]
    read = [line for line in lines if line.read]
    answers: dict[Answer, bool] = {}
    for line in lines:
        answers[line.answer] = answers.get(line.answer, True) and line.agree
    return [
        model or "all",
        f"{len(lines):,}",
        f"{len(read):,}",
        f"{len({line.text for line in read}):,}",
        f"{sum(line.by_hand == OUTSIDE for line in read):,}",
        f"{sum(line.by_hand[0].isdigit() for line in read):,}",
        f"{sum(line.agree for line in read):,}",
        f"{sum(answers.values()):,} of {len(answers):,}",
        _interval(sum(answers.values()), len(answers)),
    ]


def _interval(agree: int, of: int) -> str:
    from scipy.stats import binomtest

    interval = binomtest(agree, of).proportion_ci(method="exact")
    return f"{interval.low:.3f} to {interval.high:.3f}"


def _numbers(ranges: str) -> Iterator[int]:
    for part in ranges.split():
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def main() -> None:
    from tests.tables import show

    data = data_folder()
    columns = ("lines", "read", "different texts", "outside", "a candidate", "agree", "answers alike", "95% interval")
    for title, lines in (("60 answers", lines_of_the_drawn(data)), ("all answers", lines_of_all(data))):
        drawn_only = slice(None) if len({line.answer for line in lines}) == DRAWN * len(MODELS) else slice(-1)
        show((title, *columns)[drawn_only], [_row(lines, model)[drawn_only] for model in (*MODELS, "")])
        for line in lines:
            if not line.agree:
                model, user = line.answer
                print(f"{model}, user {user}, line {line.line}: {line.by_hand} by hand, {line.by_llmrank} by llmrank")
        print("No line is read differently.\n" if all(line.agree for line in lines) else "")


if __name__ == "__main__":
    main()
