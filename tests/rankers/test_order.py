"""The order in which candidates are shown."""

from __future__ import annotations

from collections import Counter

import pytest
from scipy.stats import chisquare

from llmrank.errors import InputError
from llmrank.rankers.order import Order
from llmrank.types import Case, Item

ITEMS = tuple(Item(str(n), f"Title {n}") for n in range(20))
SCORES = tuple(float(20 - n) for n in range(20))


def case(user: str, relevant: str = "3") -> Case:
    return Case(user, (), ITEMS, SCORES, (relevant,))


def test_the_target_is_shown_at_every_place_equally_often() -> None:
    order = Order("shuffled", seed=0)
    places = Counter(
        [item.item_id for item in order.arrange(case(f"u{n}")).candidates].index("3") for n in range(4_000)
    )
    assert chisquare([places[place] for place in range(20)]).pvalue > 0.001


def test_the_shuffle_depends_on_seed_and_user_alone() -> None:
    assert Order(seed=1).arrange(case("a")) == Order(seed=1).arrange(case("a"))
    assert Order(seed=1).arrange(case("a")).candidates != Order(seed=2).arrange(case("a")).candidates
    assert Order(seed=1).arrange(case("a")).candidates != Order(seed=1).arrange(case("b")).candidates
    assert Order().arrange(case("a", relevant="1")).candidates == Order().arrange(case("a", relevant="9")).candidates


@pytest.mark.parametrize(
    "text",
    ["shuffled", "shuffled-2", "shuffled+1/3", "shuffled-2+2/5", "recall", "reversed", "target-at-0", "target-at-7"],
)
def test_items_and_scores_stay_together(text: str) -> None:
    shown = Order.parse(text).arrange(case("a"))
    assert str(Order.parse(text)) == text
    assert shown.recall_scores is not None
    assert dict(zip(shown.candidates, shown.recall_scores, strict=True)) == dict(zip(ITEMS, SCORES, strict=True))


def test_each_shuffle_is_another_one_and_the_first_is_the_usual() -> None:
    shown = [Order.parse(text, seed=1).arrange(case("a")) for text in ("shuffled-1", "shuffled-2", "shuffled-3")]
    assert shown[0] == Order(seed=1).arrange(case("a"))
    assert len({one.candidates for one in shown}) == 3
    assert [Order.parse(text).is_shuffled for text in ("shuffled", "shuffled-9", "recall", "target-at-3")] == [
        *(True, True, False, False)
    ]


def test_a_moved_shuffle_shows_each_candidate_once_in_each_part_of_the_list() -> None:
    usual = Order(seed=1).arrange(case("a")).candidates
    shown = [Order.parse(f"shuffled+{part}/5", seed=1).arrange(case("a")).candidates for part in range(1, 5)]
    assert shown[1] == usual[12:] + usual[:12] and all(Order.parse(f"shuffled+{part}/5").is_shuffled for part in (1, 4))
    for item in ITEMS:
        assert sorted(one.index(item) // 4 for one in (usual, *shown)) == [0, 1, 2, 3, 4]


def test_the_other_orders() -> None:
    assert Order("recall").arrange(case("a")).candidates == ITEMS
    assert Order("reversed").arrange(case("a")).candidates == ITEMS[::-1]
    for place in (0, 7, 19):
        assert Order.parse(f"target-at-{place}").arrange(case("a")).candidates[place].item_id == "3"


def test_a_place_that_the_list_lacks_is_refused() -> None:
    with pytest.raises(InputError, match="has positions 0 to 19"):
        Order.parse("target-at-20").arrange(case("a"))


@pytest.mark.parametrize(
    "text", ["sorted", "shuffled-0", "shuffled-x", "shuffled+0/5", "shuffled+5/5", "shuffled+1", "recall-2"]
)
def test_an_unknown_order_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="target-at-P"):
        Order.parse(text)


def test_recall_order_is_that_of_the_scores_however_the_list_stands() -> None:
    rising = Case("a", (), ITEMS[:4], (1.0, 3.0, 2.0, 3.0))
    shown = Order.parse("recall").arrange(rising)
    assert [item.item_id for item in shown.candidates] == ["1", "3", "2", "0"] and shown.recall_scores == (3, 3, 2, 1)
    backwards = Order.parse("reversed").arrange(rising)
    assert [item.item_id for item in backwards.candidates] == ["0", "2", "3", "1"]
