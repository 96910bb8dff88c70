"""Odd answers are read as a careful person reads them."""

from __future__ import annotations

import pytest

from llmrank.answers import answer_format
from llmrank.types import Answer, Outcome, Response
from tests.answers.hand_read import FIRST, Written

NOT_YET = 101
"""How many of the answers today's reader may still get wrong."""


def reading(answer: Answer, written: Written) -> str:
    """Return the Answer in the words of the table; the reason only where the table names one."""
    if answer.outcome == Outcome.UNPARSED:
        return f"unparsed {answer.reason}" if " " in written.reading else "unparsed"
    if answer.value is not None:
        return f"{answer.outcome} {answer.value:g}"
    return " ".join((answer.outcome, *(item_id[1:] for item_id in answer.ranked)))


def wrong(table: tuple[Written, ...]) -> list[tuple[Written, str]]:
    """Return the answers that are read in another way than the table says, with that reading."""
    read = (
        (
            written,
            reading(
                answer_format(written.format).read(Response(written.text, written.finish), written.question()), written
            ),
        )
        for written in table
    )
    return [(written, got) for written, got in read if got != written.reading]


def test_there_are_enough() -> None:
    assert len(FIRST) >= 150
    assert len({(written.format, written.text, written.titles) for written in FIRST}) == len(FIRST)


def test_most_are_read_as_by_hand() -> None:
    assert len(wrong(FIRST)) <= NOT_YET
