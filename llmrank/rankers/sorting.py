"""Sorting by asking which of a few is best: heapsort and bubble sort, stopped when the top is in place.

Both take a `Best`, which returns the position of the best item of a group. Where the answer does not say, it is 0: the
first item, which a sort always puts there because it holds the better place already. Setwise (2310.09497 §3.2) has
groups of c; with pairs they are the textbook sorts of pairwise ranking prompting (2306.17563 §3.3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from random import Random
from typing import TypeVar

from llmrank.rankers.calls import Steps, side_by_side

T = TypeVar("T")
Best = Callable[[Sequence[T]], Steps[int]]
MOST_SIMULATED = 1_000_000
"""Groups up to which `likely_questions` sorts a list to count them; beyond, the bound is the figure."""


def heap_top(items: Sequence[T], top: int, children: int, best: Best[T]) -> Steps[list[T]]:
    """Return the `top` items, best first, by a heap in which each node has up to `children` children.

    While the heap is built, all parents of one level are sifted side by side: their subtrees share no item.
    """
    heap = list(items)

    def sift(node: int) -> Steps[None]:
        while (first := node * children + 1) < len(heap):
            family = [node, *range(first, min(first + children, len(heap)))]
            winner = family[(yield from best([heap[at] for at in family]))]
            if winner == node:
                return
            heap[node], heap[winner] = heap[winner], heap[node]
            node = winner

    for level in reversed(_levels(len(heap), children)):
        yield from side_by_side([sift(parent) for parent in level])
    placed: list[T] = []
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

    def height(node: int, size: int) -> int:
        levels = 0
        while (node := node * children + 1) < size:
            levels += 1
        return levels

    built = sum(height(parent, n) for level in _levels(n, children) for parent in level)
    return built + sum(height(0, n - taken) for taken in range(1, all_if_one_is_left(n, top)))


def bubble_top(items: Sequence[T], top: int, size: int, best: Best[T]) -> Steps[list[T]]:
    """Return the `top` items, best first: each pass carries the best from the back to the front, `size` at a time."""
    order = list(items)
    top = all_if_one_is_left(len(items), top)
    for placed in range(top):
        end = len(order)
        while end - placed > 1:
            start = max(placed, end - size)
            winner = start + (yield from best(order[start:end]))
            # Only the group moves, not the list behind it.
            order[start : winner + 1] = [order[winner], *order[start:winner]]
            end = start + 1
    return order[:top]


def bubble_groups(n: int, top: int, size: int) -> int:
    """Return how many groups `bubble_top` asks about: in each pass, ceil((left - 1) / (size - 1))."""
    return sum(-(-(n - placed - 1) // (size - 1)) for placed in range(all_if_one_is_left(n, top)))


@cache
def likely_questions(n: int, top: int, size: int, *, heap: bool, pairs: bool) -> int:
    """Return how many different questions a sort asks about a list in random order when every answer is true.

    A question is a group of `size` or, with `pairs`, a comparison of two of its members. The list is sorted once, from
    a fixed seed, so that the figure is the same each time.
    """
    most = heap_groups(n, top, size - 1) if heap else bubble_groups(n, top, size)
    if most > MOST_SIMULATED:
        return most * (size - 1) if pairs else most
    items = list(range(n))
    Random(n).shuffle(items)
    asked: set[tuple[int, ...]] = set()

    def best(group: Sequence[int]) -> Steps[int]:
        yield from ()
        leader = group[0]
        for other in group[1:] if pairs else ():
            asked.add((min(leader, other), max(leader, other)))
            leader = max(leader, other)
        if not pairs:
            asked.add(tuple(group))
        return max(range(len(group)), key=group.__getitem__)

    steps = heap_top(items, top, size - 1, best) if heap else bubble_top(items, top, size, best)
    for _ in steps:
        raise AssertionError("nothing is asked here")
    return len(asked)


def all_if_one_is_left(n: int, top: int) -> int:
    """Return how many are placed when `top` of `n` are wanted: the last one's place needs no question."""
    return n if top >= n - 1 else top


def _levels(n: int, children: int) -> list[range]:
    """Return the nodes of a heap of `n` that have children, level by level from the root."""
    parents = (n - 2) // children + 1 if n > 1 else 0
    levels: list[range] = []
    start, width = 0, 1
    while start < parents:
        levels.append(range(start, min(start + width, parents)))
        start, width = start * children + 1, width * children
    return levels
