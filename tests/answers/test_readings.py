"""llmrank reads recorded answers as a person does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.answers.readings import CUT_OFF, OUTSIDE, drawn, lines_of_all, lines_of_the_drawn, outside_hash, readings

Shared = Callable[[str], Path]


def test_the_60_answers_are_those_that_the_seed_draws(shared_data: Shared) -> None:
    shared_data("ml-latest-small")
    assert [*readings()] == [answer for answer, _ in drawn(shared_data("Recommender-ChatGPT").parent)]


def test_every_line_of_60_answers_is_read_as_by_hand(shared_data: Shared) -> None:
    shared_data("ml-latest-small")
    lines = lines_of_the_drawn(shared_data("Recommender-ChatGPT").parent)
    assert [line for line in lines if not line.agree] == []
    assert sum(line.by_hand == OUTSIDE for line in lines) == 645


def test_every_text_is_read_as_by_hand_except_two_truncated_ones(shared_data: Shared) -> None:
    """Nothing shows that these two answers are truncated: no finish reason, no open parenthesis, no candidate."""
    shared_data("ml-latest-small")
    lines = lines_of_all(shared_data("Recommender-ChatGPT").parent)
    assert outside_hash(lines) == "0b39976cc82c"
    different = [(*line.answer, line.by_hand, line.by_llmrank) for line in lines if not line.agree]
    assert different == [
        ("chatgpt", "173", CUT_OFF, OUTSIDE),
        ("text-davinci-003", "474", CUT_OFF, OUTSIDE),
    ]
