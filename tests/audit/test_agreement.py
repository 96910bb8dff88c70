"""The measures of agreement of two rankings: against scipy, the published example, and known properties."""

from __future__ import annotations

from itertools import permutations
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from llmrank.audit.consistency import rank_biased, rank_biased_overlap, reversed_share
from llmrank.audit.finding import kendall, mid_ranks
from llmrank.types import Ranking


@st.composite
def rankings(draw: Any) -> Ranking:
    """A ranking of the same eight items: some places tied by their scores, the last ones perhaps not named."""
    order = draw(st.permutations("abcdefgh"))
    scores = sorted(draw(st.lists(st.integers(0, 4), min_size=8, max_size=8)), reverse=True)
    return Ranking(tuple(order), tuple(map(float, scores)), named=draw(st.integers(1, 8)))


@given(rankings(), rankings())
def test_every_measure_is_symmetric_bounded_and_that_of_scipy(left: Ranking, right: Ranking) -> None:
    one, other = mid_ranks(left), mid_ranks(right)
    both = [one[item] for item in "abcdefgh"], [other[item] for item in "abcdefgh"]
    assert kendall(*both) == pytest.approx(kendalltau(*both)[0], nan_ok=True)
    overlap = rank_biased_overlap(left, right)
    assert 0 <= overlap <= 1 + 1e-12 and overlap == pytest.approx(rank_biased_overlap(right, left))
    assert rank_biased_overlap(left, left) == pytest.approx(1)
    turned = reversed_share(*both)
    assert turned == pytest.approx(reversed_share(both[1], both[0]), nan_ok=True)
    assert np.isnan(turned) or 0 <= turned <= 1
    if len({*both[0]}) == len({*both[1]}) == 8:
        assert turned == pytest.approx((1 - kendall(*both)) / 2), (
            "without ties, tau is 1 minus twice the reversed share"
        )


def test_the_overlap_is_that_of_its_definition() -> None:
    """The tops of abc and bac agree to 0, 1, 1; those of abc and cba to 0, 1/2, 1. The last holds for all depths."""
    abc, bac, cba = (Ranking(tuple(order)) for order in ("abc", "bac", "cba"))
    assert rank_biased_overlap(abc, bac, 0.9) == pytest.approx(0.9)
    assert rank_biased_overlap(abc, cba, 0.9) == pytest.approx(0.1 * 0.9 / 2 + 0.9**2)
    assert rank_biased(np.array([1.0]), 0.5) == 1


def test_a_change_at_the_top_costs_more_than_one_at_the_end() -> None:
    order = "abcdefghij"
    swapped = [order[:at] + order[at + 1] + order[at] + order[at + 2 :] for at in range(9)]
    found = [rank_biased_overlap(Ranking(tuple(order)), Ranking(tuple(one))) for one in swapped]
    assert found == sorted(found) and found[0] == pytest.approx(0.9)


def test_ties_count_as_in_the_published_implementation() -> None:
    """An item tied over two ranks is half in the first top: agreements 1/√2 and 1."""
    tied = Ranking(("a", "b"), (1.0, 1.0))
    assert rank_biased_overlap(tied, Ranking(("a", "b"))) == pytest.approx(0.1 / 2**0.5 + 0.9)
    unnamed = Ranking(("a", "b", "c"), named=1)
    # The unnamed share ranks 2 and 3: (1, 1/2, 1/2) and (1, 1, 0) in the top two.
    assert rank_biased_overlap(unnamed, Ranking(("a", "b", "c"))) == pytest.approx(
        0.1 + 0.09 * 1.5 / (1.5**0.5 * 2**0.5) + 0.81
    )


def test_two_random_orders_overlap_as_is_said() -> None:
    orders = [Ranking(order) for order in permutations("abcd")]
    found = np.mean([rank_biased_overlap(orders[0], one) for one in orders])
    assert found == pytest.approx(rank_biased(np.arange(1, 5) / 4))


def test_pairs_that_a_side_ties_are_not_counted_as_reversed() -> None:
    assert reversed_share([1, 2, 3], [3, 2, 1]) == 1 and reversed_share([1, 2.5, 2.5], [1, 3, 2]) == 0
    assert np.isnan(reversed_share([1, 1], [1, 2]))
    shuffled = Random(1).sample(range(30), 30)
    assert reversed_share(range(30), shuffled) == pytest.approx((1 - kendall(range(30), shuffled)) / 2)
