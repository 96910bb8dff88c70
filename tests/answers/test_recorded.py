"""Answers that real models gave, read against the candidates that they were shown."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from llmrank.answers import answer_format
from llmrank.answers.items.matching import title_index
from llmrank.types import Item, Outcome, Question, Response
from tests.answers.asking import mentions
from tests.answers.recorded import MODELS, ratings, rerank, shown

Shared = Callable[[str], Path]

READ = {
    "chatgpt": (
        {"ok": 6, "repaired": 597},
        {"not_a_candidate": 4244, "missing": 4507, "duplicate": 239, "truncated": 6},
        {"exact": 24743, "normalised": 900},
    ),
    "text-davinci-003": (
        {"ok": 195, "repaired": 402, "unparsed": 6},
        {"not_a_candidate": 4577, "missing": 4136, "duplicate": 30, "truncated": 2},
        {"exact": 23024, "normalised": 2690},
    ),
    "palm": (
        {"ok": 156, "repaired": 435, "unparsed": 12},
        {"not_a_candidate": 8383, "missing": 12893, "duplicate": 4504, "truncated": 3},
        {"exact": 13369, "normalised": 3219, "fuzzy": 69},
    ),
}
"""Outcomes, repairs and matches per model, recorded when all matches and near misses had been checked by hand."""


@pytest.mark.parametrize("model", MODELS)
def test_what_was_read(model: str, shared_data: Shared) -> None:
    shared_data("ml-latest-small")
    outcomes, repairs, matches = Counter[str](), Counter[str](), Counter[str]()
    for row in rerank(model, shared_data("Recommender-ChatGPT").parent):
        answer = answer_format("titles").read(Response(row["response"]), Question(shown(row)))
        outcomes[answer.outcome] += 1
        repairs.update(answer.repairs)
        matches.update(answer.matches)
    assert (outcomes, repairs, matches) == READ[model]


@pytest.mark.parametrize("model", MODELS)
def test_the_whole_catalogue_agrees(model: str, shared_data: Shared) -> None:
    """A matched text is not another film of the catalogue, and an unmatched text is not a candidate's name there."""
    with (shared_data("ml-latest-small") / "movies.csv").open(encoding="utf-8", newline="") as file:
        films = tuple(Item(row["movieId"], row["title"]) for row in csv.DictReader(file))
    catalogue = title_index(films)
    for row in rerank(model, shared_data("Recommender-ChatGPT").parent):
        items = shown(row)
        ids = {item.item_id for item in items}
        index = title_index(items)
        for mention in mentions(row["response"], index):
            match = mention.match or index.nearest(mention.text)
            there = catalogue.find(mention.text)
            known = {films[at].item_id for at in there.positions} if there else set[str]()
            if match is None:
                assert not known & ids, mention.text
            elif len(known) == 1:
                assert {items[at].item_id for at in match.positions} == known, mention.text


def test_ratings(shared_data: Shared) -> None:
    read = answer_format("rating").read
    errors: list[float] = []
    unanswered = Counter[str]()
    for row in ratings(shared_data("LLM-rating-predictions").parent):
        item = Item(row["target"]["item_id"], row["target"]["title"])
        answer = read(Response(row["response"] or ""), Question((item,)))
        if answer.outcome is Outcome.UNPARSED:
            unanswered[answer.reason] += 1
        else:
            assert answer.value is not None
            errors.append(answer.value - row["rating"])
    assert (len(errors), unanswered) == (6033, {"empty": 7})
    assert (sum(error**2 for error in errors) / len(errors)) ** 0.5 == pytest.approx(1.0724, abs=5e-5)
    assert sum(map(abs, errors)) / len(errors) == pytest.approx(0.79, abs=5e-5)
