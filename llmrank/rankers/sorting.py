"""Sorting by asking which of a few is best: heapsort and bubble sort, stopped when the top is in place.

Both take a `Best`, which returns the place of the best item of a group, and 0 (the first, which a sort always puts
there because it holds the better place already) when the answer does not say. Setwise (2310.09497 §3.2) has groups of
c; with pairs they are the textbook sorts of pairwise ranking prompting (2306.17563 §3.3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llmrank.rankers.steps import Steps
from llmrank.types import Item

Best = Callable[[Sequence[Item]], Steps[int]]


def heap_top(items: Sequence[Item], top: int, children: int, best: Best) -> Steps[list[Item]]:
    """Return the `top` items, best first, by a heap in which each node has up to `children` children."""
    heap = list(items)

    def sift(place: int) -> Steps[None]:
        while (first := place * children + 1) < len(heap):
            places = [place, *range(first, min(first + children, len(heap)))]
            winner = places[(yield from best([heap[at] for at in places]))]
            if winner == place:
                return
            heap[place], heap[winner] = heap[winner], heap[place]
            place = winner

    for parent in reversed(range((len(heap) - 2) // children + 1)):
        yield from sift(parent)
    placed: list[Item] = []
    top = all_if_one_is_left(len(items), top)
    while len(placed) < top:
        placed.append(heap[0])
        last = heap.pop()
        if heap and len(placed) < top:
            heap[0] = last
            yield from sift(0)
    return placed


def heap_groups(n: int, top: int, children: int) -> int:
    """Return the most groups that `heap_top` asks about: the height of every sift there can be."""

    def height(place: int, size: int) -> int:
        levels = 0
        while (place := place * children + 1) < size:
            levels += 1
        return levels

    built = sum(height(parent, n) for parent in range((n - 2) // children + 1)) if n > 1 else 0
    return built + sum(height(0, n - taken) for taken in range(1, all_if_one_is_left(n, top)))


def bubble_top(items: Sequence[Item], top: int, size: int, best: Best) -> Steps[list[Item]]:
    """Return the `top` items, best first: each pass carries the best from the back to the front, `size` at a time."""
    order = list(items)
    top = all_if_one_is_left(len(items), top)
    for placed in range(top):
        end = len(order)
        while end - placed > 1:
            start = max(placed, end - size)
            winner = start + (yield from best(order[start:end]))
            order.insert(start, order.pop(winner))
            end = start + 1
    return order[:top]


def bubble_groups(n: int, top: int, size: int) -> int:
    """Return how many groups `bubble_top` asks about: in each pass, ceil((left - 1) / (size - 1))."""
    return sum(-(-(n - placed - 1) // (size - 1)) for placed in range(all_if_one_is_left(n, top)))


def all_if_one_is_left(n: int, top: int) -> int:
    """Return how many are placed when `top` of `n` are wanted: the last one's place needs no asking."""
    return n if top >= n - 1 else top
