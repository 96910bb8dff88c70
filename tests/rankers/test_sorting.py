"""No more comparisons than the textbook bounds."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrank.rankers.sorting import SORTS, bubble_groups, heap_groups
from llmrank.types import Item


def sorted_by(sort, order: list[int], top: int, width: int) -> tuple[list[int], int]:
    """Sort numbers, smallest best; return the top and how many groups were asked about."""
    groups = 0

    def best(group):
        nonlocal groups
        groups += 1
        yield from ()
        return min(range(len(group)), key=lambda place: int(group[place].item_id))

    steps = sort([Item(str(number), "") for number in order], top, width, best)
    with pytest.raises(StopIteration) as stop:
        next(steps)
    return [int(item.item_id) for item in stop.value.value], groups


@given(n=st.integers(0, 60), top=st.integers(1, 70), size=st.integers(2, 9), seed=st.integers(0, 999))
def test_the_top_is_right_within_the_calls_said(n, top, size, seed):
    order = Random(seed).sample(range(n), n)
    wanted = list(range(n if top >= n - 1 else top))
    for name, sort in SORTS.items():
        width = size if name == "bubble" else max(size, 3)
        placed, groups = sorted_by(sort.run, order, top, width)
        assert placed == wanted
        assert groups <= sort.most_groups(n, len(wanted), width)


@pytest.mark.parametrize("n", [2, 3, 9, 10, 31, 32, 100, 1000])
def test_pairs_keep_to_the_textbook(n):
    # Floyd's construction: 2n comparisons at most; each sift of a removal: 2 log2 of what is left.
    assert 2 * heap_groups(n, 1, size=3) <= 2 * n
    assert 2 * heap_groups(n, n, size=3) <= 2 * n + sum(2 * math.log2(left) for left in range(1, n))
    assert bubble_groups(n, n, size=2) == n * (n - 1) // 2
    assert bubble_groups(n, min(3, n) if n > 4 else n, size=2) == sum(
        n - 1 - done for done in range(min(3, n) if n > 4 else n)
    )


def test_a_group_of_c_saves_calls():
    assert heap_groups(100, 10, size=10) < heap_groups(100, 10, size=4) < heap_groups(100, 10, size=3)
    assert bubble_groups(100, 10, 4) == sum(math.ceil((99 - done) / 3) for done in range(10))


def test_insertion_asks_least_where_the_list_is_in_order_already():
    asked = {name: sorted_by(sort.run, list(range(100)), 10, 4)[1] for name, sort in SORTS.items()}
    assert asked["insertion"] < 0.75 * asked["heap"] < asked["bubble"]
    assert asked["insertion"] >= 90 / 3, "the other 90 are seen, three at a time"
