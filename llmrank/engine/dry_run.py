"""Estimates what a run would request, without calling the model: an upper bound and the expected amount."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass, field, fields
from operator import add, sub

from llmrank.engine.driver import drive, with_recall_order
from llmrank.errors import InputError, count_of
from llmrank.rankers.calls import with_candidates
from llmrank.rankers.prompt import Unreadable
from llmrank.types import Case, Item, Message, Ranker, Reply, Request, Response, Usage

MAX_RENDERED = 200
"""For Cases with at most this many calls, every prompt is rendered. For others, part of the list is rendered and
extrapolated."""
LARGE_PLAN = 1_000_000
"""Plans with more calls than this need confirmation."""
ESTIMATED = "estimated: one token per four letters, digit or symbol"
"""How `estimated_tokens` counts."""
TOKEN = re.compile(r"[A-Za-z]{1,4}|[^A-Za-z\s]|\n")
"""Text that is usually one token at most. Titles, years and numbers take far more tokens than prose of equal length."""
FRAME_TOKENS = 5
"""Usual number of tokens that a chat template adds around a message."""
FILLER = " and"
"""A token of four characters in every model. Repeated, it stands for the longest possible answer."""


def estimated_tokens(messages: Sequence[Message]) -> int:
    """Return an estimate, high rather than low, of a prompt's tokens for an unknown tokenizer."""
    return sum(len(TOKEN.findall(message.content)) + FRAME_TOKENS for message in messages)


@dataclass(frozen=True, slots=True)
class Workload:
    """A number of Requests and their tokens."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    """If every answer uses its full `max_tokens`."""

    def __str__(self) -> str:
        tokens = (
            f"{count_of(self.prompt_tokens, 'prompt token')}, {count_of(self.completion_tokens, 'completion token')}"
        )
        return f"{count_of(self.requests, 'request')}, {tokens}"

    def __add__(self, other: Workload) -> Workload:
        return Workload(*map(add, astuple(self), astuple(other)))

    def __sub__(self, other: Workload) -> Workload:
        """Return what remains once the other is done; never below zero."""
        return Workload(*(max(0, left) for left in map(sub, astuple(self), astuple(other))))

    def usage(self, cached_share: float = 0.0) -> Usage:
        """Return the tokens, with this share of the prompt tokens from the prefix cache."""
        return Usage(self.prompt_tokens, int(self.prompt_tokens * cached_share), self.completion_tokens)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run would request."""

    cases: int = 0
    most: Workload = Workload()
    """Upper bound: the maximum number of calls, each with the longest prompt rendered for its Case."""
    likely: Workload = Workload()
    """The expected amount."""
    most_left: Workload = Workload()
    """Upper bound on what the Store does not hold and still has to be paid."""
    likely_left: Workload = Workload()
    stored: Usage = field(default_factory=Usage)
    """Usage of the answers that the Store holds."""

    def __add__(self, other: Estimate) -> Estimate:
        return Estimate(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    @property
    def cached_share(self) -> float | None:
        """The share of the stored answers' prompt tokens that came from the prefix cache; None if there are none."""
        return self.stored.cached_tokens / self.stored.prompt_tokens if self.stored.prompt_tokens else None

    @property
    def exact(self) -> bool:
        """Whether the run will request exactly this."""
        return self.most == self.likely


def planned_calls(cases: Iterable[Case], ranker: Ranker) -> int:
    """Return the maximum number of calls for the Cases, without rendering any prompts."""
    lengths = Counter(None if case.target is not None else len(case.candidates) for case in cases)
    return sum(count * (1 if n is None else ranker.needs(n).calls) for n, count in lengths.items())


def refuse_large_plan(calls: int) -> None:
    """Raise InputError if a plan has more calls than `LARGE_PLAN`."""
    if calls > LARGE_PLAN:
        bounds = "set a bound (--max-requests, --max-cost), confirm with --yes"
        hint = f"{bounds}, or choose a method or list that needs fewer calls"
        raise InputError(f"this would make up to {calls:,} calls, more than {LARGE_PLAN:,}", hint=hint)


def estimate(
    cases: Iterable[Case],
    ranker: Ranker,
    *,
    arrange: Callable[[Case], Case],
    count_tokens: Callable[[Sequence[Message]], int],
    stored: Callable[[Request], Response | None] = lambda _: None,
) -> Estimate:
    """Return the Requests and tokens of a run. Answers that are not stored are assumed to be unreadable and as long as
    possible.

    `Ranker.needs` gives the bound on calls. A request shared by two Cases is counted twice. Raises InputError if the
    method cannot rank a list.
    """
    total, ranker = Estimate(), ranker.planned()
    for case in cases:
        shown = arrange(with_recall_order(case, ranker))
        needs = ranker.needs(len(shown.candidates))
        small = case.target is not None or needs.calls <= MAX_RENDERED
        seen = _Recorder(count_tokens, stored)
        drive(ranker, shown if small else _shortened(shown, ranker), seen.answer)
        known = small and seen.asked.requests > 0 and seen.held == seen.asked
        if case.target is not None or known or (small and needs.likely is None):
            # All answers are stored, so the calls are known exactly.
            bound = expected = seen.asked
        else:
            # The method may show any group of items: the longest ones bound the length of every prompt.
            longest = _Recorder(count_tokens, lambda _: None)
            drive(ranker, _shortened(_longest_first(shown), ranker), longest.answer)
            bound = _workload(needs.calls, max(seen.longest, longest.longest), seen.most_tokens)
            mean = seen.asked.prompt_tokens / max(1, seen.asked.requests)
            expected = _workload(needs.likely_calls, mean, seen.most_tokens)
        total += Estimate(1, bound, expected, bound - seen.held, expected - seen.held, seen.usage)
    return total


@dataclass
class _Recorder:
    """Answers Requests from the Store, or with the longest possible text, and counts them."""

    count_tokens: Callable[[Sequence[Message]], int]
    stored: Callable[[Request], Response | None]
    asked: Workload = field(default_factory=Workload)
    held: Workload = field(default_factory=Workload)
    """What the Store has answers to."""
    usage: Usage = field(default_factory=Usage)
    """Usage of those answers."""
    longest: int = 0
    """Tokens in the longest prompt."""
    most_tokens: int = 0
    """The largest `max_tokens` of a Request."""

    def answer(self, batch: list[Request]) -> Sequence[Reply]:
        replies: list[Reply] = []
        for request in batch:
            one = Workload(1, self.count_tokens(request.messages), request.sampling.max_tokens)
            self.asked += one
            self.longest = max(self.longest, one.prompt_tokens)
            self.most_tokens = max(self.most_tokens, one.completion_tokens)
            if (response := self.stored(request)) is not None:
                self.held += one
                self.usage += response.usage
            replies.append(response or Unreadable(FILLER * request.sampling.max_tokens))
        return replies


def _shortened(case: Case, ranker: Ranker) -> Case:
    """Return the Case with its list cut to a length that takes at most `MAX_RENDERED` calls."""
    n = len(case.candidates)
    while n > 2 and ranker.needs(n).calls > MAX_RENDERED:
        n = n * 2 // 3
    return with_candidates(case, case.candidates[:n])


def _longest_first(case: Case) -> Case:
    def length(item: Item) -> int:
        return len(item.title) + sum(map(len, item.attributes.values()))

    return with_candidates(case, sorted(case.candidates, key=length, reverse=True)[:MAX_RENDERED])


def _workload(calls: int, prompt_tokens: float, completion_tokens: int) -> Workload:
    return Workload(calls, round(calls * prompt_tokens), calls * completion_tokens)
