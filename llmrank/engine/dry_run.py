"""Counts what a run would ask, without asking anybody."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from llmrank.types import Case, Message, Ranker, Response


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run would ask for."""

    cases: int
    requests: int
    prompt_tokens: int
    most_completion_tokens: int
    """If every answer used all the tokens it may."""


def estimate(
    cases: Iterable[Case],
    ranker: Ranker,
    *,
    arrange: Callable[[Case], Case],
    count_tokens: Callable[[Sequence[Message]], int],
) -> Estimate:
    """Return the Requests and tokens of a run in which every answer were empty.

    A method whose later questions depend on earlier answers may ask more or fewer, and a prompt that shows an earlier
    answer (a profile) is longer by it.
    """
    ranked = requests = prompt_tokens = completion_tokens = 0
    for case in cases:
        ranked += 1
        steps = ranker.rank(arrange(case).blinded())
        try:
            batch = next(steps)
            while True:
                requests += len(batch)
                prompt_tokens += sum(count_tokens(request.messages) for request in batch)
                completion_tokens += sum(request.sampling.max_tokens for request in batch)
                batch = steps.send([Response("") for _ in batch])
        except StopIteration:
            continue
    return Estimate(ranked, requests, prompt_tokens, completion_tokens)
