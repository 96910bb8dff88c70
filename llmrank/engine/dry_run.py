"""Counts what a run would ask, without asking anybody."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from llmrank.types import Case, Message, Ranker, Request, Response, Usage


@dataclass(frozen=True, slots=True)
class Share:
    """A number of Requests, and their tokens."""

    requests: int = 0
    prompt_tokens: int = 0
    most_completion_tokens: int = 0
    """If every answer used all the tokens it may."""

    def __add__(self, other: Share) -> Share:
        return Share(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.most_completion_tokens + other.most_completion_tokens,
        )

    def most(self, cached_share: float = 0.0) -> Usage:
        """Return the most that it can take, when that share of the prompts comes from the prefix cache."""
        return Usage(self.prompt_tokens, int(self.prompt_tokens * cached_share), self.most_completion_tokens)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run would ask for."""

    cases: int
    asked: Share
    """Every Request of the run."""
    left: Share
    """Those that the Store has no answer to: what is still to be paid."""
    cached_share: float | None
    """The share of the prompt that came from the prefix cache in the answers that the Store has; None: it has none."""


def estimate(
    cases: Iterable[Case],
    ranker: Ranker,
    *,
    arrange: Callable[[Case], Case],
    count_tokens: Callable[[Sequence[Message]], int],
    stored: Callable[[Request], Response | None] = lambda _: None,
) -> Estimate:
    """Return the Requests and tokens of a run in which every answer that is not stored were empty.

    A method whose later questions depend on earlier answers may ask more or fewer, and a prompt that shows an earlier
    answer (a profile) is longer by it. A question that two Cases share is counted twice.
    """
    ranked, asked, left, known = 0, Share(), Share(), Usage()
    for case in cases:
        ranked += 1
        steps = ranker.rank(arrange(case).blinded())
        try:
            requests = next(steps)
            while True:
                replies: list[Response] = []
                for request in requests:
                    one = Share(1, count_tokens(request.messages), request.sampling.max_tokens)
                    asked += one
                    if (response := stored(request)) is None:
                        left += one
                    else:
                        known += response.usage
                    replies.append(response or Response(""))
                requests = steps.send(replies)
        except StopIteration:
            continue
    cached_share = known.cached_tokens / known.prompt_tokens if known.prompt_tokens else None
    return Estimate(ranked, asked, left, cached_share)
