"""What stands on top, whether relevant or not: hand-computed values, ties, and what a Run may lack."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmrank.errors import InputError
from llmrank.rankers.ranking import tie_groups
from llmrank.run import Run
from llmrank.run.beyond import Tops, gini, percentiles, short_head
from llmrank.run.tables import number, signed
from llmrank.types import Case, Item, Outcome, Ranking
from tests.run.making import case, how, make_run, shuffled

POPULARITY = {"a": 6, "b": 3, "c": 1}
GENRES = {"a": "Action, Drama", "b": "Drama", "c": "Comedy"}
ITEMS = tuple(Item(name, name, {"genres": GENRES[name]} if name in GENRES else {}) for name in "abcd")


def made(
    path: Path, *rankings: Ranking, items: tuple[Item, ...] = ITEMS, popularity: dict[str, int] = POPULARITY
) -> Run:
    cases = [Case(f"u{user}", (), items, (4.0, 3.0, 2.0, 1.0), ("a",)) for user in range(len(rankings))]
    return make_run(path / "run", cases, rankings, metric_settings=how(popularity=popularity))


@pytest.mark.parametrize(
    ("name", "method", "recall_order", "random"),
    [
        # Percentiles: a .875, b .625, c .375, d .125.
        ("popularity lift", 0.0, 0.25, 0.0),
        # a and b hold 9 of 10 events.
        ("long-tail share", 0.5, 0.0, 0.5),
        # Each counted once more: 7, 4, 2 and 1 of 14.
        ("novelty", (1 + np.log2(3.5) + np.log2(7) + np.log2(14)) / 4, (1 + np.log2(3.5)) / 2, None),
        # a and b share one of two genres; d has none.
        ("diversity", 0.75, 0.5, 5.5 / 6),
        ("coverage", 1.0, 0.5, 0.75),
        ("Gini of exposure", 0.0, 0.5, None),
    ],
)
def test_two_users_by_hand(tmp_path: Path, name: str, method: float, recall_order: float, random: float | None) -> None:
    row = made(tmp_path, Ranking(tuple("dcba")), Ranking(tuple("abcd"))).beyond_accuracy(2)[name]
    assert (row.value, row.recall_order) == pytest.approx((method, recall_order))
    assert row.difference == pytest.approx(method - recall_order)
    assert random is None or row.random == pytest.approx(random)
    assert (row.ci95 is None) == (name in ("coverage", "Gini of exposure"))
    if name in ("long-tail share", "diversity"):
        assert row.ci95 is not None and 0 <= row.ci95[0] < row.ci95[1] <= 1


def test_genres_of_a_candidate_file_may_be_separated_as_movielens_does(tmp_path: Path) -> None:
    piped = tuple(Item(one, one, {"genres": GENRES[one].replace(", ", "|")} if one in GENRES else {}) for one in "abcd")
    row = made(tmp_path, Ranking(tuple("dcba")), Ranking(tuple("abcd")), items=piped).beyond_accuracy(2)["diversity"]
    assert (row.value, row.recall_order) == pytest.approx((0.75, 0.5))


def test_popularity_is_lifted_against_what_the_case_itself_offers(tmp_path: Path) -> None:
    offers = [Case("u", (), ITEMS[:3]), Case("v", (), ITEMS[3:])]
    rankings, how_measured = [Ranking(tuple("cba")), Ranking(("d",))], how(popularity=POPULARITY)
    row = make_run(tmp_path / "run", offers, rankings, metric_settings=how_measured).beyond_accuracy(1)[
        "popularity lift"
    ]
    assert row.value == pytest.approx((0.375 - (0.875 + 0.625 + 0.375) / 3 + 0) / 2)


def test_ties_and_cases_without_an_answer_have_their_expected_value(tmp_path: Path) -> None:
    one_named = made(tmp_path / "1", Ranking(tuple("abcd"), named=1))
    assert one_named.beyond_accuracy(2)["diversity"].value == pytest.approx((0.5 + 1 + 1) / 3)
    found = one_named.beyond_accuracy(3)
    assert found["diversity"].value == pytest.approx((2 / 3 * 2.5 + 1 / 3 * 3) / 3)
    assert found["coverage"].value == pytest.approx((1 + 3 * 2 / 3) / 4)
    unparsed = made(tmp_path / "2", *[Ranking(tuple("abcd"), named=0, outcome=Outcome.UNPARSED)] * 2).beyond_accuracy(2)
    for row in unparsed.rows:
        assert row.value == pytest.approx(row.random)
    assert "2 Cases have no readable answer: counted as random order." in unparsed.remarks


def test_what_a_run_lacks_is_left_out_and_said(tmp_path: Path) -> None:
    bare = tuple(Item(name, name) for name in "abcd")
    found = made(tmp_path, Ranking(tuple("dcba")), items=bare, popularity={}).beyond_accuracy()
    assert [row.name for row in found.rows] == ["coverage", "Gini of exposure"]
    text = " ".join(str(found).split())
    assert "Left out, because no training events are known: popularity lift, long-tail share, novelty." in text
    assert "Left out, because the items have no categories, category" in text
    assert "1 Case offers at most 10 items: all are in the top." in text
    with pytest.raises(InputError, match="k must be at least 1"):
        made(tmp_path / "k", Ranking(tuple("dcba"))).beyond_accuracy(0)


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_the_terminal(tmp_path: Path, width: int) -> None:
    run = made(tmp_path, Ranking(tuple("dcba")), Ranking(tuple("badc")))
    lines = run.beyond_accuracy().text(width).splitlines()
    assert max(map(len, lines)) <= width and ("method CI" in lines[0]) == (width == 120)


def test_nothing_is_written_without_a_minus() -> None:
    """Rounding leaves differences such as -1e-17."""
    assert signed(-1e-17) == "+0.0000" and number(-1e-17) == "0.0000"


def test_random_and_recall_order_are_what_their_columns_say(tmp_path: Path) -> None:
    cases = [replace(one, relevant=()) for one in (case(f"u{user}") for user in range(200))]
    popularity = how(popularity={f"i{item}": item for item in range(200)})
    chance = make_run(tmp_path / "1", cases, [shuffled(one, 1) for one in cases], metric_settings=popularity)
    for row in chance.beyond_accuracy().rows:
        assert row.value == pytest.approx(row.random, abs=0.03 * max(1, abs(row.random or 0)))
    same = [Ranking(tuple(item.item_id for item in one.candidates)) for one in cases]
    recalled = make_run(tmp_path / "2", cases, same, metric_settings=popularity).beyond_accuracy()
    assert all(row.value == row.recall_order and row.difference == 0 for row in recalled.rows)


# --- the expectation over ties is exact -----------------------------------------------------------------------------

RANKINGS = st.lists(st.integers(0, 3), min_size=2, max_size=6).map(
    lambda levels: Ranking(tuple(map(str, range(len(levels)))), tuple(map(float, sorted(levels, reverse=True))))
)


def untied(ranking: Ranking) -> Iterator[Ranking]:
    """Every way to break the ties, all equally likely."""
    for parts in product(*(permutations(group) for group in tie_groups(ranking))):
        yield Ranking(tuple(item_id for part in parts for item_id in part))


@settings(deadline=None, max_examples=60)
@given(RANKINGS, st.integers(1, 7), st.integers(0, 99))
def test_ties_are_the_mean_of_all_ways_to_break_them(ranking: Ranking, k: int, seed: int) -> None:
    draw, n = np.random.default_rng(seed), len(ranking.order)
    index = {str(item): item for item in range(n)}
    values, categories = draw.random(n), draw.integers(0, 2, (n, 3)).astype(float)
    tied, (*broken,) = Tops.of([ranking], index, k), (Tops.of([one], index, k) for one in untied(ranking))
    assert tied.share.sum() == pytest.approx(min(k, n))
    assert tied.mean(values)[0] == pytest.approx(np.mean([one.mean(values) for one in broken]))
    assert tied.coverage(n) == pytest.approx(np.mean([one.coverage(n) for one in broken]))
    assert tied.gini(n) == pytest.approx(np.mean([one.gini(n) for one in broken]))
    expected = np.mean([one.diversity(categories) for one in broken])
    assert tied.diversity(categories)[0] == pytest.approx(expected, nan_ok=True)
    assert tied.random().mean(values)[0] == pytest.approx(values.mean())


def test_gini_is_a_mean_over_draws_where_users_share_ties() -> None:
    tops = Tops.of([Ranking(tuple("ab"), named=0)] * 2, {"a": 0, "b": 1}, 1)
    assert 0.2 < tops.gini(2) < 0.3  # half the time both have the same item (Gini .5), else none has more (0)


COUNTS = st.lists(st.integers(0, 50), min_size=1, max_size=30).map(lambda counts: np.array(counts, dtype=float))


@given(COUNTS)
def test_percentiles_heads_and_gini_keep_their_bounds(counts: np.ndarray) -> None:
    ranks = percentiles(counts)
    assert ranks.mean() == pytest.approx(0.5) and 0 < ranks.min() <= ranks.max() < 1
    head = short_head(counts)
    assert counts[head].sum() >= 0.8 * counts.sum() - 1e-9 and not head[counts == 0].any()
    last = counts[head].min(initial=np.inf)
    assert counts[counts > last].sum() < 0.8 * counts.sum() or not head.any()
    if counts.sum():
        assert gini(counts) == pytest.approx(np.clip(gini(counts), 0, 1))
