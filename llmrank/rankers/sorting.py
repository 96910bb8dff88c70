"""Partial sorts built on asking for the best of a few items: heapsort, bubble sort and insertion.

A `Best` returns the position of the best item of a group, and 0 if the answer does not tell: the first item of a group
is always the one currently ranked higher, so that undecided groups keep their order. Setwise (2310.09497 §3.2) uses
groups of c items; with pairs, these are the textbook sorts of pairwise ranking prompting (2306.17563 §3.3). Insertion
(2504.10509) starts from the recall order, and needs fewer calls the better that order is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any, TypeVar

from llmrank.rankers.calls import Steps, side_by_side
from llmrank.rankers.prompt import Prompt, prompt_needs
from llmrank.types import Needs

T = TypeVar("T")
Best = Callable[[Sequence[T]], Steps[int]]
SIMULATED = 4
"""Number of lists that `_likely` simulates."""
MOST_SIMULATED = 250_000
"""Largest number of groups that `_likely` simulates. Beyond it, the upper bound is used."""


def heap_top(items: Sequence[T], top: int, size: int, best: Best[T]) -> Steps[list[T]]:
    """Return the `top` items, best first, by a heap in which a node and its children number at most `size`.

    While the heap is built, all parents of one level are sifted concurrently: their subtrees are disjoint.
    """
    heap = list(range(len(items)))

    def sift(node: int) -> Steps[None]:
        while len(family := [node, *_children(node, len(heap), size)]) > 1:
            family.sort(key=heap.__getitem__)
            winner = family[(yield from best([items[heap[at]] for at in family]))]
            if winner == node:
                return
            heap[node], heap[winner] = heap[winner], heap[node]
            node = winner

    for level in reversed(_levels(len(heap), size)):
        yield from side_by_side([sift(parent) for parent in level])
    placed: list[T] = []
    while len(placed) < top:
        placed.append(items[heap[0]])
        last = heap.pop()
        if heap and len(placed) < top:
            heap[0] = last
            yield from sift(0)
    return placed


def heap_groups(n: int, top: int, size: int) -> int:
    """Return the maximum number of groups that `heap_top` asks about: the sum of the heights of all sifts."""

    def height(node: int, length: int) -> int:
        children = _children(node, length, size)
        return 1 + height(children[0], length) if children else 0

    built = sum(height(parent, n) for level in _levels(n, size) for parent in level)
    return built + sum(height(0, n - taken) for taken in range(1, top))


def bubble_top(items: Sequence[T], top: int, size: int, best: Best[T]) -> Steps[list[T]]:
    """Return the `top` items, best first: each pass carries the best from the back to the front, `size` at a time."""
    order = list(items)
    for placed in range(top):
        end = len(order)
        while end - placed > 1:
            start = max(placed, end - size)
            winner = start + (yield from best(order[start:end]))
            # Move the winner to the front of its group; the rest of the list stays.
            order[start : winner + 1] = [order[winner], *order[start:winner]]
            end = start + 1
    return order[:top]


def bubble_groups(n: int, top: int, size: int) -> int:
    """Return the number of groups that `bubble_top` asks about: ceil((remaining - 1) / (size - 1)) in each pass."""
    return sum(-(-(n - placed - 1) // (size - 1)) for placed in range(top))


def insertion_top(items: Sequence[T], top: int, size: int, best: Best[T]) -> Steps[list[T]]:
    """Return the `top` items, best first, of a list that is roughly in order.

    A heap sorts the head of the list. The rest is then compared, in groups, with the last item of the top. An item that
    beats it is inserted by binary search.
    """
    placed, rest = (yield from heap_top(items[:top], top, size, best)), list(items[top:])
    while rest:
        winner = yield from best([placed[-1], *rest[: size - 1]])
        if not winner:
            del rest[: size - 1]
            continue
        found = rest.pop(winner - 1)
        low, high = 0, len(placed) - 1
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if (yield from best([placed[middle], found])) else (middle + 1, high)
        placed = [*placed[:low], found, *placed[low:-1]]
    return placed


def insertion_groups(n: int, top: int, size: int) -> int:
    """Return the maximum number of groups that `insertion_top` asks about, reached if every item is inserted."""
    return heap_groups(top, top, size) + (n - top) * (1 + (top - 1).bit_length())


@dataclass(frozen=True, slots=True)
class TopSort:
    """A sort that stops when its top is in place."""

    sort: Callable[[Sequence[Any], int, int, Best[Any]], Steps[list[Any]]]
    most_groups: Callable[[int, int, int], int]

    def run(self, items: Sequence[T], top: int, size: int, best: Best[T]) -> Steps[list[T]]:
        """Return the `top` items, best first; `best` is asked about groups of at most `size`."""
        return self.sort(items, _places(len(items), top), size, best)

    def needs(self, prompt: Prompt, n: int, top: int, size: int, *, pairs: bool) -> Needs:
        """Return the needs of sorting the `top` of `n` items: at most one call per group of at most `size`.

        With `pairs`, a group needs a comparison (two calls) for each of its members except the first.
        """
        if n < 2:
            return Needs()
        top = _places(n, top)
        most, times = self.most_groups(n, top, size), size - 1 if pairs else 1
        likely = _likely(self, n, top, size, pairs) if most <= MOST_SIMULATED else most * times
        if not pairs:
            return prompt_needs(prompt, most, min(n, size), likely=likely)
        comparisons = min(most * times, n * (n - 1) // 2)
        return prompt_needs(prompt, 2 * comparisons, 2, likely=2 * min(comparisons, likely))


SORTS: Mapping[str, TopSort] = {
    "heap": TopSort(heap_top, heap_groups),
    "bubble": TopSort(bubble_top, bubble_groups),
    "insertion": TopSort(insertion_top, insertion_groups),
}


@cache
def _likely(sort: TopSort, n: int, top: int, size: int, pairs: bool) -> int:
    """Return the mean number of distinct questions for a list in random order if all answers are correct.

    A question is a group or, with `pairs`, a comparison of two of its members. The simulated lists have fixed seeds, so
    the result is deterministic.
    """
    return round(sum(_asked(sort, n, top, size, pairs, seed) for seed in range(SIMULATED)) / SIMULATED)


def _asked(sort: TopSort, n: int, top: int, size: int, pairs: bool, seed: int) -> int:
    items = list(range(n))
    Random(seed).shuffle(items)
    asked: set[tuple[int, ...]] = set()

    def best(group: Sequence[int]) -> Steps[int]:
        yield from ()
        leader = group[0]
        for other in group[1:] if pairs else ():
            asked.add((min(leader, other), max(leader, other)))
            leader = max(leader, other)
        if not pairs:
            asked.add(tuple(group))
        return group.index(max(group))

    for _ in sort.run(items, top, size, best):
        raise AssertionError("the simulation makes no requests")
    return len(asked)


def _places(n: int, top: int) -> int:
    """Return the number of items to place for the `top` of `n`. If all but one are placed, the last needs no call."""
    return n if top >= n - 1 else top


def _children(node: int, length: int, size: int) -> range:
    first = node * (size - 1) + 1
    return range(first, min(first + size - 1, length))


def _levels(n: int, size: int) -> list[range]:
    """Return the nodes of a heap of `n` that have children, level by level from the root."""
    parents = (n - 2) // (size - 1) + 1 if n > 1 else 0
    levels: list[range] = []
    level = range(1)
    while level.start < parents:
        levels.append(range(level.start, min(level.stop, parents)))
        level = range(_children(level.start, n, size).start, level.stop * (size - 1) + 1)
    return levels
