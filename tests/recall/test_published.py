"""LLMRank's published numbers for Pop, as far as its lists give them again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.recall.published import (
    BUDGET,
    PUBLISHED,
    Sequences,
    bounds,
    by_popularity,
    expected,
    games,
    in_common,
    lists,
    movielens,
    ndcg,
    with_target,
)

Shared = Callable[[str], Path]


@pytest.fixture(scope="module")
def data(shared_data: Shared) -> Path:
    return shared_data("LLMRank").parent


@pytest.fixture(scope="module")
def ml(data: Path, shared_data: Shared) -> Sequences:
    shared_data("ml-1m")
    return movielens(data)


def test_pop_on_movielens(ml: Sequences, data: Path) -> None:
    judged = by_popularity(ml, lists(data, "ml-1m-full/ml-1m-full.random"), ml.popularity())
    assert ndcg(judged) == pytest.approx([23.25, 44.99, 52.27, 55.35], abs=0.005)
    assert ndcg(judged) == pytest.approx(PUBLISHED["Pop, ML-1M"], abs=0.35)
    assert ndcg(judged.random()) == pytest.approx([5, 14.74, 22.72, 35.20], abs=0.005)


def test_pop_on_games_is_within_what_a_draw_of_negatives_varies_and_only_training_events_are(data: Path) -> None:
    shop = games(data)
    targets = [shop.target(user) for user in lists(data, "Games-6k/Games-6k.sasrec")]
    published = np.array(PUBLISHED["Pop, Games"])
    mean, deviation = expected(shop.popularity(), 16859, targets)
    assert mean == pytest.approx([28.38, 47.20, 52.79, 57.35], abs=0.005)
    assert (abs(mean - published) < 1.1 * deviation).all()
    with_validation, _ = expected(shop.popularity(without=1), 16859, targets)
    assert (with_validation - published > 3 * deviation).all()


def test_what_sasrec_lists_leave_open_holds_its_published_numbers(ml: Sequences, data: Path) -> None:
    negatives, ranked = (lists(data, f"ml-1m-full/ml-1m-full.{name}") for name in ("random", "sasrec"))
    least, most = bounds(ml, negatives, ranked)
    published = np.array(PUBLISHED["SASRec, ML-1M"])
    assert ((least < published) & (published < most)).all()


def test_their_popularity_list_counts_an_item_once_a_batch(ml: Sequences, data: Path) -> None:
    theirs = next(iter(lists(data, "ml-1m-full/ml-1m-full.pop").values()))
    assert in_common(ml.batched_popularity(0), theirs) >= 7
    assert in_common(ml.popularity(), theirs) == 0


def test_the_target_takes_the_last_of_20_places() -> None:
    items = [str(number) for number in range(100)]
    assert with_target(items, "new") == [*items[:19], "new"]
    assert with_target(items, "3") == [*items[:3], *items[4:20], "3"]


def test_the_mean_over_draws_is_that_of_all_draws() -> None:
    items = [str(number) for number in range(BUDGET + 1)]
    popularity = Counter({item: int(item) // 2 for item in items})
    targets = ("0", "7", "12", "20")
    sequences = Sequences({target: (target,) for target in targets}, Counter())
    draws = [
        by_popularity(sequences, {target: [item for item in items if item not in (target, out)]}, popularity)
        for target in targets
        for out in items
        if out != target
    ]
    mean, _ = expected(popularity, len(items), targets)
    assert mean == pytest.approx(np.mean([ndcg(draw) for draw in draws], axis=0))
