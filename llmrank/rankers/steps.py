"""Steps of generators that ask: several of them run side by side as one."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TypeVar

from llmrank.types import Reply, Request

T = TypeVar("T")
Steps = Generator[list[Request], Sequence[Reply], T]
"""Yields batches of Requests, receives their Replies in the same order, returns a T."""


def side_by_side(generators: Sequence[Steps[T]]) -> Steps[list[T]]:
    """Return what each generator returns, in order; the batches that are open at the same time are yielded as one."""
    results: dict[int, T] = {}
    answers: dict[int, Sequence[Reply] | None] = dict.fromkeys(range(len(generators)))
    while answers:
        batches: dict[int, list[Request]] = {}
        for place, replies in answers.items():
            try:
                batches[place] = next(generators[place]) if replies is None else generators[place].send(replies)
            except StopIteration as stop:
                results[place] = stop.value
        if not batches:
            break
        replies = yield [request for batch in batches.values() for request in batch]
        answers, start = {}, 0
        for place, batch in batches.items():
            answers[place] = replies[start : start + len(batch)]
            start += len(batch)
    return [results[place] for place in range(len(generators))]
