"""Answers that real models gave, read against the candidates they were shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from llmrank.answers import answer_format
from llmrank.types import Answer, Item, Outcome, Question, Response
from tests.answers.recorded import ratings, rerank

Shared = Callable[[str], Path]


def answers(model: str, data: Path) -> list[Answer]:
    read = answer_format("titles").read
    rows = list(rerank(model, data))
    assert len(rows) == 603
    return [
        read(
            Response(row["response"]),
            Question(tuple(Item(item["item_id"], item["title"]) for item in row["candidates"])),
        )
        for row in rows
    ]


@pytest.mark.parametrize("model", ["chatgpt"])
def test_rerank(model: str, shared_data: Shared) -> None:
    shared_data("ml-latest-small")
    found = answers(model, shared_data("Recommender-ChatGPT").parent)
    print(Counter(answer.outcome for answer in found))


def test_ratings(shared_data: Shared) -> None:
    data = shared_data("LLM-rating-predictions").parent
    read = answer_format("rating").read
    errors: list[float] = []
    unanswered = 0
    for row in ratings(data):
        item = Item(row["target"]["item_id"], row["target"]["title"])
        answer = read(Response(row["response"] or ""), Question((item,)))
        if answer.outcome is Outcome.UNPARSED:
            unanswered += 1
            assert answer.reason == "empty"
        else:
            assert answer.value is not None
            errors.append(answer.value - row["rating"])
    assert (len(errors), unanswered) == (6033, 7)
    assert round((sum(error**2 for error in errors) / len(errors)) ** 0.5, 4) == 1.0724
    assert round(sum(map(abs, errors)) / len(errors), 4) == 0.79
