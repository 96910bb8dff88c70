"""Odd answers are read as a careful person reads them."""

from __future__ import annotations

import pytest

from llmrank.answers import answer_format
from llmrank.types import Answer, Outcome, Response
from tests.answers.hand_read import FIRST, SECOND, THIRD, Written

ALL = (*FIRST, *SECOND, *THIRD)


def reading(answer: Answer, written: Written) -> str:
    """Return the Answer in the notation of the table; with its reason only if the table gives one."""
    if answer.outcome == Outcome.UNPARSED:
        return f"unparsed {answer.reason}" if " " in written.reading else "unparsed"
    if answer.value is not None:
        return f"{answer.outcome} {answer.value:g}"
    return " ".join((answer.outcome, *(item_id[1:] for item_id in answer.ranked)))


def wrong(table: tuple[Written, ...]) -> list[tuple[Written, str]]:
    """Return the answers that are read differently from the table, with llmrank's reading."""
    read = ((written, read_by_llmrank(written)) for written in table)
    return [(written, got) for written, got in read if got != written.reading]


def read_by_llmrank(written: Written) -> str:
    """Return llmrank's reading in the notation of the table."""
    answer = answer_format(written.format).read(Response(written.text, written.finish), written.question())
    return reading(answer, written)


def test_there_are_enough_answers() -> None:
    assert len(FIRST) >= 150
    assert len({(written.format, written.scheme, written.text, written.titles) for written in FIRST}) == len(FIRST)


@pytest.mark.parametrize("written", ALL, ids=lambda written: f"{written.kind}-{written.text[:24]!a}")
def test_the_answer_is_read_as_by_hand(written: Written) -> None:
    assert read_by_llmrank(written) == written.reading
