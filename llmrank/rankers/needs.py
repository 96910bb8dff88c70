"""What a ranker needs, said before it runs: calls, and capabilities of the backend."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

from llmrank.errors import InputError
from llmrank.rankers.prompt import Prompt
from llmrank.types import Capabilities, Case, Item, Ranker


@dataclass(frozen=True, slots=True)
class Needs:
    """What ranking one list takes; nothing unless said."""

    calls: int = 0
    """The most that are made of the model."""
    exact: bool = True
    """Whether `calls` is what is made; False: an upper bound, because what is asked depends on what was answered."""
    labels: int = 0
    """The most labels whose log-probabilities one call needs; 0 where the text can be read in their place."""
    structured: frozenset[str] = field(default_factory=frozenset[str])
    """Kinds of `Structured` that the template asks for; a backend that enforces none answers all the same."""

    def __add__(self, other: Needs) -> Needs:
        return Needs(
            self.calls + other.calls,
            self.exact and other.exact,
            max(self.labels, other.labels),
            self.structured | other.structured,
        )

    def __mul__(self, times: int) -> Needs:
        return Needs(self.calls * times, self.exact, self.labels, self.structured)

    def check(self, capabilities: Capabilities) -> None:
        """Raise InputError if the backend returns fewer label log-probabilities than are read."""
        if self.labels > capabilities.label_logprobs:
            has = f"returns {capabilities.label_logprobs}" if capabilities.label_logprobs else "returns none"
            raise InputError(
                f"the log-probabilities of {self.labels} labels are needed, and the backend {has}",
                field="--ranker",
                hint="show fewer candidates (-k, --window, --group), take an answer format that reads text, or "
                "--backend vllm",
            )


@runtime_checkable
class AskingRanker(Ranker, Protocol):
    """A ranker that asks, and says beforehand how much."""

    def needs(self, n: int) -> Needs:
        """Return what ranking a list of `n` candidates takes."""
        ...


def needs_of(ranker: Ranker, n: int) -> Needs:
    """Return what the ranker says it needs for `n` candidates; one that says nothing asks nobody."""
    return ranker.needs(n) if isinstance(ranker, AskingRanker) else Needs()


def prompt_needs(prompt: Prompt, calls: int, shown: int, *, exact: bool = True) -> Needs:
    """Return what `calls` calls take that show at most `shown` items each, and one for the profile if there is one."""
    if not calls:
        return Needs()
    items = tuple(Item(str(place), str(place)) for place in range(shown))
    # Only the number of items matters; a pointwise template shows its target.
    case = Case("", (), () if prompt.template.front.about_one_item else items, target=items[0])
    question = prompt.template.question(case, replace(prompt.view, show_scores=False), scale=prompt.scale)
    constraint = prompt.answer.structured(question)
    # A format that could constrain the text reads it: `yes_no` wants log-probabilities, and does without.
    labels = 0 if constraint is not None else len(prompt.answer.labels(question))
    wanted = constraint if prompt.template.front.constrain else None
    structured = frozenset[str]() if wanted is None else frozenset({wanted.kind})
    return Needs(calls + (prompt.profile is not None), exact, labels, structured)
