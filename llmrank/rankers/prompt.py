"""A prompt ready to ask with: a template, its view, its shots, its answer format, and the context window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from llmrank.errors import InputError
from llmrank.prompting import PromptTemplate, View
from llmrank.types import (
    Answer,
    AnswerFormat,
    Capabilities,
    Case,
    Failure,
    Item,
    Message,
    Needs,
    Outcome,
    Question,
    Reply,
    Request,
    Sampling,
)

FRAME_TOKENS = 16
"""More than any chat template adds around one message."""


def most_tokens(texts: Iterable[str]) -> int:
    """Return an upper bound on the tokens of these messages: a text has no more tokens than bytes."""
    # An answer that is shown again may hold half a surrogate pair, which has no UTF-8.
    return sum(len(text.encode("utf-8", "surrogatepass")) + FRAME_TOKENS for text in texts)


def no_shots(case: Case) -> Sequence[Case]:
    """Return no solved examples."""
    return ()


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """A Request, the Question that its answer is read with, and how much history was left out."""

    request: Request
    question: Question
    history_dropped: int = 0
    """Events left out, oldest first, because the prompt would not have fitted."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a ranker asks with."""

    template: PromptTemplate
    answer: AnswerFormat
    view: View
    sampling: Sampling
    shots: Callable[[Case], Sequence[Case]] = no_shots
    """Chooses the solved examples for a Case, from training data only."""
    scale: tuple[float, float] = (1.0, 5.0)
    count_tokens: Callable[[Sequence[Message]], int | None] | None = None
    context_length: int | None = None
    """Tokens of prompt and answer together that fit the model; None: unknown, so no history is dropped."""
    holds: Callable[[Request], bool | None] | None = None
    """Replay: whether a Request was answered. Where it was not, a shorter history may have been sent."""
    profile: Prompt | None = None
    """Asked first; its answer is shown to this prompt as `profile`."""

    def __post_init__(self) -> None:
        """Refuse a template that lets the model reason where the first token of its answer is read."""
        one = Question((Item("1", "1"),), ("1",))
        if self.template.front.thinking.on and self.answer.labels(one) and self.answer.structured(one) is None:
            problem = f"the answer format {self.answer.name!r} reads the first token, so the model cannot reason first"
            hint = "use --thinking off, or an answer format that reads text"
            raise InputError(problem, path=self.template.path, field="thinking", hint=hint)

    def ask(self, case: Case, *, top: int | None = None, profile: str | None = None) -> PreparedRequest:
        """Return the Request that shows the Case's candidates, in the order given, or its target.

        `top` is how many the model is to return; None: what the template says.
        """
        template = self.template
        question = template.question(case, self.view, scale=self.scale)
        if top is not None:
            question = replace(question, top=top)
        shots, most = self.shots(case), template.shown_events(case, self.view)

        @cache
        def showing(events: int) -> tuple[Message, ...]:
            view = self.view if events == most else replace(self.view, history=events)
            return template.render(case, question, view=view, shots=shots, profile=profile)

        def asking(events: int) -> PreparedRequest:
            return PreparedRequest(self._request(showing(events), question), question, most - events)

        kept, count = most, self.count_tokens
        limit = None if self.context_length is None else self.context_length - self._sampling.max_tokens
        # The upper bound shows that most prompts fit, without counting.
        too_long = limit is not None and most_tokens(message.content for message in showing(most)) > limit
        if limit is not None and too_long and count is not None and count(showing(most)) is not None:
            kept = template.fitting_events(case, most, lambda events: count(showing(events)) or 0, limit)
        asked = asking(kept)
        if self.holds is not None and self.holds(asked.request) is False:
            shorter = (asking(events) for events in range(most - 1, -1, -1))
            return next((one for one in shorter if self.holds(one.request)), asked)
        return asked

    @property
    def _sampling(self) -> Sampling:
        """Return the sampling with room for the reasoning: a budget is for that alone, `max_tokens` for the answer."""
        budget = self.template.front.thinking.budget
        return replace(self.sampling, max_tokens=self.sampling.max_tokens + budget) if budget else self.sampling

    def _request(self, messages: tuple[Message, ...], question: Question) -> Request:
        front, sampling = self.template.front, self._sampling
        labels = self.answer.labels(question)
        constraint = self.answer.structured(question) if labels or front.constrain else None
        # Labels without a constraint on the text: only the log-probabilities at the first token are read.
        if labels and constraint is None:
            sampling = replace(sampling, max_tokens=1)
        elif front.thinking.on:
            labels = ()  # the text is read: its first token belongs to the reasoning
        return Request(
            messages,
            sampling,
            labels=labels,
            structured=constraint if front.constrain else None,
            thinking=front.thinking,
            extra_body=front.extra_body_text,
        )

    def read(self, reply: Reply, question: Question) -> Answer:
        """Return the Answer in a Reply; a Failure is an Answer with Outcome `error`, and is never parsed."""
        if isinstance(reply, Failure):
            return Answer(Outcome.ERROR, reason=reply.reason)
        return self.answer.read(reply, question)


def prompt_needs(prompt: Prompt, calls: int, shown: int, *, likely: int | None = None) -> Needs:
    """Return the Needs of at most `calls` calls that show at most `shown` items each, plus one call for the profile if
    the prompt wants one.

    `likely` is how many calls to expect; None: exactly `calls`.
    """
    if not calls:
        return Needs()
    items = tuple(Item(str(number), str(number)) for number in range(shown))
    # Only the number of items matters; a pointwise template shows its target.
    case = Case("", (), () if prompt.template.front.about_one_item else items, target=items[0])
    question = prompt.template.question(case, replace(prompt.view, show_scores=False), scale=prompt.scale)
    # A format that can constrain the text can also read it: `yes_no` prefers log-probabilities but works without.
    labels = () if prompt.answer.structured(question) is not None else prompt.answer.labels(question)
    profile = int(prompt.profile is not None)
    return Needs(calls + profile, None if likely is None else likely + profile, len(labels))


def check_capabilities(needs: Needs, capabilities: Capabilities) -> None:
    """Raise InputError if the backend returns fewer label log-probabilities than the ranker reads."""
    if needs.labels > capabilities.label_logprobs:
        others = "choose a prompt whose answers are read as text (such as rankgpt), or a backend that returns"
        if not capabilities.label_logprobs:
            problem = "the method reads log-probabilities, and the backend returns none"
            raise InputError(problem, hint=f"{others} them (vllm does)")
        raise InputError(
            f"the log-probabilities of {needs.labels} labels are needed, and the backend returns "
            f"{capabilities.label_logprobs}",
            hint=f"show fewer candidates in one call (shorter lists, or a ranker with a window or groups), {others} "
            "more (vllm does)",
        )
