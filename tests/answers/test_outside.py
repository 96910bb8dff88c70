"""Titles that recorded answers name outside the list really are outside it, and most are known films."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from llmrank.types import Item
from tests.answers.outcomes import counted
from tests.answers.outside import CATALOGUE, HELD_OUT, HISTORY, LATER, UNKNOWN, catalogue, kinds
from tests.answers.recorded import MODELS

Shared = Callable[[str], Path]

KINDS = {
    "chatgpt": {HISTORY: 2801, HELD_OUT: 69, CATALOGUE: 1346, LATER: 16, UNKNOWN: 12},
    "text-davinci-003": {HISTORY: 4607, HELD_OUT: 3, CATALOGUE: 5, UNKNOWN: 1},
    "palm": {HISTORY: 3023, HELD_OUT: 151, CATALOGUE: 4446, LATER: 427, UNKNOWN: 336},
}
SIMPLY = {"chatgpt": 5161, "text-davinci-003": 7778, "palm": 14948}
"""Number of titles outside the list according to a simple normaliser of case and punctuation."""


@pytest.fixture(scope="module")
def data(shared_data: Shared) -> Path:
    shared_data("ml-latest-small")
    return shared_data("Recommender-ChatGPT").parent


@pytest.fixture(scope="module")
def films(data: Path) -> tuple[Item, ...]:
    return catalogue(data)


@pytest.mark.parametrize("model", MODELS)
def test_titles_outside_the_list_are_of_known_kinds(model: str, films: tuple[Item, ...], data: Path) -> None:
    found, texts = kinds(model, films, data)
    assert found == Counter(KINDS[model])
    assert texts.total() == found.total()


@pytest.mark.parametrize("model", MODELS)
def test_every_row_and_every_title_is_accounted_for(model: str, data: Path) -> None:
    counts = counted(model, data)
    assert counts["rows of the file"] == counts["answers"] + (model != "chatgpt")
    assert counts["answers"] == sum(counts[f"outcome {outcome}"] for outcome in ("ok", "repaired", "unparsed", "error"))
    stages = ("exact", "normalised", "fuzzy", "ambiguous", "outside")
    assert counts["titles named"] == sum(counts[stage] for stage in stages)
    assert counts["outside"] == sum(KINDS[model].values())
    assert counts["simple outside"] == SIMPLY[model]
