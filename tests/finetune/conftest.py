"""A tiny language model, and users whose next film follows from the last one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from llmrank.backends.models import Model, fingerprint
from llmrank.data.dataset import Dataset, Interactions, Split
from llmrank.data.splits import leave_last_out
from llmrank.types import Item
from tests.tiny_models import write_tiny_model

FILMS = 24


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Return the folder of a random model with three layers, as a real one is laid out."""
    pytest.importorskip("peft", reason="the extra `finetune` is not installed")
    # Threads that wait for one another take far longer than one thread for so small a model.
    pytest.importorskip("torch").set_num_threads(1)
    folder = write_tiny_model(tmp_path_factory.mktemp("tiny-model"))
    return Model(str(folder), folder, fingerprint(folder))


@pytest.fixture(scope="session")
def split() -> Split:
    """Return 120 users who go through 24 films in a circle, each from a film of their own."""
    draw = np.random.default_rng(0)
    items = tuple(
        Item(str(n), f"{chr(65 + n)}{chr(97 + n)} film (19{70 + n})", {"genres": "Drama"}) for n in range(FILMS)
    )
    users, films, times = [], [], []
    for user in range(120):
        start, length = int(draw.integers(FILMS)), int(draw.integers(6, 14))
        users += [user] * length
        films += [(start + step) % FILMS for step in range(length)]
        times += [1000.0 * user + step for step in range(length)]
    events = Interactions(np.array(users, np.int32), np.array(films, np.int32), None, np.array(times))
    dataset = Dataset("circle", tuple(f"u{n}" for n in range(120)), items, events, None, "made here", "0" * 64)
    return leave_last_out(dataset)


@pytest.fixture(scope="session")
def circle(split: Split, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the dataset of `split`."""
    return write_dataset(split.dataset, tmp_path_factory.mktemp("data") / "circle")


def write_dataset(dataset: Dataset, folder: Path) -> Path:
    """Write a dataset as a folder of tables, and return the folder."""
    folder.mkdir()
    events, items = dataset.interactions, dataset.items
    assert events.timestamp is not None
    rows = zip(events.user.tolist(), events.item.tolist(), events.timestamp.tolist(), strict=True)
    (folder / "items.csv").write_text(
        "item,title,genres\n" + "".join(f"{item.item_id},{item.title},{item.attributes['genres']}\n" for item in items)
    )
    (folder / "interactions.csv").write_text(
        "user,item,timestamp\n" + "".join(f"{dataset.users[user]},{item},{at}\n" for user, item, at in rows)
    )
    return folder


def write_rated(dataset: Dataset, folder: Path) -> Path:
    """Write a dataset with ratings, and return its folder."""
    path, events = write_dataset(dataset, folder / "rated"), dataset.interactions
    assert events.timestamp is not None and events.rating is not None
    rows = zip(
        events.user.tolist(), events.item.tolist(), events.rating.tolist(), events.timestamp.tolist(), strict=True
    )
    lines = [f"u{user},{item},{rating:g},{time:g}" for user, item, rating, time in rows]
    (path / "interactions.csv").write_text("\n".join(["user,item,rating,timestamp", *lines]) + "\n", encoding="utf-8")
    return path


RATED = """---
name: rated
task: rating
ranker: pointwise
answer: expected_rating
history: 0
---
{% block user %}
{{ target.title }}
{% endblock %}
"""


def rated_films(split: Split, folder: Path, add: float = 0.0) -> tuple[Path, Path]:
    """Return a dataset and a prompt. A film's rating, 1 to 5, is written in its title; of some it is a little more."""
    events = split.dataset.interactions
    ratings = (events.item % 5 + 1).astype(np.float64)
    ratings[ratings == 2] += add
    items = tuple(replace(item, title=f"film of {int(item.item_id) % 5 + 1}") for item in split.dataset.items)
    template = folder / "rated.jinja"
    template.write_text(RATED, encoding="utf-8")
    return write_rated(
        replace(split.dataset, items=items, interactions=replace(events, rating=ratings)), folder
    ), template
