"""A Prompt: a template with its view, shots, answer format and context length, ready to make Requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from llmrank.errors import InputError, count_of
from llmrank.prompting import PromptTemplate, View
from llmrank.types import (
    USUAL_SCALE,
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
    Response,
    Sampling,
)

FRAME_TOKENS = 16
"""Upper bound on the tokens that a chat template adds around one message."""


def most_tokens(texts: Iterable[str]) -> int:
    """Return an upper bound on the tokens of these messages: a text has no more tokens than bytes."""
    # A model's answer in a prompt may contain an unpaired surrogate, which strict UTF-8 cannot encode.
    return sum(len(text.encode("utf-8", "surrogatepass")) + FRAME_TOKENS for text in texts)


@dataclass(frozen=True, slots=True)
class Unreadable(Response):
    """An answer that is known to be unreadable, so that no format spends time on it."""


def no_shots(case: Case) -> Sequence[Case]:
    """Return no solved examples."""
    return ()


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """A Request, the Question for parsing its answer, and the number of dropped events."""

    request: Request
    question: Question
    history_dropped: int = 0
    """Number of oldest events that were dropped to fit the context length."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Makes the Requests of a ranker, and parses their answers."""

    template: PromptTemplate
    answer: AnswerFormat
    view: View
    sampling: Sampling
    shots: Callable[[Case], Sequence[Case]] = no_shots
    """Chooses the solved examples for a Case, from training data only."""
    scale: tuple[float, float] = USUAL_SCALE
    history_scale: tuple[float, float] = USUAL_SCALE
    """The scale of the ratings in histories, which decides what `event.liked` says."""
    count_tokens: Callable[[Sequence[Message]], int | None] | None = None
    context_length: int | None = None
    """Maximum tokens of prompt and answer together; None: unknown, so no history is dropped."""
    holds: Callable[[Request], bool | None] | None = None
    """For replay: whether a Request has a stored answer. If not, a shorter history may have been sent."""
    profile: Prompt | None = None
    """The prompt for the first call, whose answer this prompt shows as `profile`."""

    def __post_init__(self) -> None:
        """Raise InputError if the model would reason although the first token of its answer is read."""
        one = Question((Item("1", "1"),), ("1",))
        if self.template.front.thinking.on and self.answer.labels(one) and self.answer.structured(one) is None:
            problem = f"the answer format {self.answer.name!r} reads the first token, which rules out reasoning"
            hint = "use --thinking off, or an answer format that reads text"
            raise InputError(problem, path=self.template.path, field="thinking", hint=hint)

    def profile_for(self, case: Case) -> Prompt | None:
        """Return the prompt for the first call about this Case; None if there is none.

        A user without a history has no profile: a model would invent one.
        """
        return self.profile if case.history else None

    def ask(self, case: Case, *, top: int | None = None, profile: str | None = None) -> PreparedRequest:
        """Return the Request for the Case's candidates, in the given order, or for its target.

        `top` is the number of items to return; None: the template's.
        """
        template = self.template
        question = template.question(case, self.view, scale=self.scale)
        if top is not None:
            question = replace(question, top=top)
        shots, most = self.shots(case), template.shown_events(case, self.view)

        @cache
        def asking(events: int) -> PreparedRequest:
            view = self.view if events == most else replace(self.view, history=events)
            messages = template.render(
                case, question, view=view, shots=shots, profile=profile, history_scale=self.history_scale
            )
            return PreparedRequest(self._request(messages, question), question, most - events)

        def length(events: int) -> int | None:
            return None if self.count_tokens is None else self.count_tokens(asking(events).request.messages)

        kept, whole = most, asking(most).request
        if self.count_tokens is not None and self.context_length is not None:
            # What is sent decides: a label takes one token, whatever the template allows for a text.
            limit = self.context_length - whole.sampling.max_tokens
            # For most prompts, the upper bound shows that they fit, without counting tokens.
            too_long = most_tokens(message.content for message in whole.messages) > limit
            if too_long and length(most) is not None:
                kept = template.fitting_events(case, most, lambda events: length(events) or 0, limit)
        asked = asking(kept)
        if self.holds is not None and self.holds(asked.request) is False:
            shorter = (asking(events) for events in range(most - 1, -1, -1))
            return next((one for one in shorter if self.holds(one.request)), asked)
        return asked

    @property
    def _sampling(self) -> Sampling:
        """The sampling, with the reasoning budget added to `max_tokens`, which covers only the answer."""
        budget = self.template.front.thinking.budget
        return replace(self.sampling, max_tokens=self.sampling.max_tokens + budget) if budget else self.sampling

    def _request(self, messages: tuple[Message, ...], question: Question) -> Request:
        front, sampling = self.template.front, self._sampling
        labels = self.answer.labels(question)
        constraint = self.answer.structured(question) if labels or front.constrain else None
        # Labels without a constraint: only the log-probabilities at the first token are used.
        if labels and constraint is None:
            sampling = replace(sampling, max_tokens=1)
        elif front.thinking.on:
            labels = ()  # the first token belongs to the reasoning, so the text is parsed instead
        return Request(
            messages,
            sampling,
            labels=labels,
            structured=constraint if front.constrain else None,
            thinking=front.thinking,
            extra_body=front.extra_body_text,
        )

    def read(self, reply: Reply, question: Question) -> Answer:
        """Parse a Reply into an Answer. A Failure becomes an Answer with Outcome `error`."""
        if isinstance(reply, Failure):
            return Answer(Outcome.ERROR, reason=reply.reason)
        if isinstance(reply, Unreadable):
            return Answer(Outcome.UNPARSED, reason="unreadable")
        return self.answer.read(reply, question)


def prompt_needs(prompt: Prompt, calls: int, shown: int, *, likely: int | None = None) -> Needs:
    """Return the Needs of at most `calls` calls with at most `shown` items each, plus one for a profile.

    `likely` is the expected number of calls; None: exactly `calls`.
    """
    if not calls:
        return Needs()
    items = tuple(Item(str(number), str(number)) for number in range(shown))
    # Only the number of items matters. A pointwise template shows the target.
    case = Case("", (), () if prompt.template.front.about_one_item else items, target=items[0])
    question = prompt.template.question(case, replace(prompt.view, show_scores=False), scale=prompt.scale)
    # A format that can constrain the text can also parse it: `yes_no` prefers log-probabilities but works without.
    labels = () if prompt.answer.structured(question) is not None else prompt.answer.labels(question)
    profile = int(prompt.profile is not None)
    return Needs(calls + profile, None if likely is None else likely + profile, len(labels))


def check_capabilities(needs: Needs, capabilities: Capabilities) -> None:
    """Raise InputError if the backend returns fewer label log-probabilities than the ranker needs."""
    if needs.labels > capabilities.label_logprobs:
        others = "choose a prompt with text answers (such as rankgpt), or a backend that returns"
        if not capabilities.label_logprobs:
            problem = "the method needs log-probabilities, but the backend returns none"
            raise InputError(problem, hint=f"{others} them (such as vllm)")
        raise InputError(
            f"the method needs log-probabilities of {count_of(needs.labels, 'label')}, but the backend returns "
            f"{capabilities.label_logprobs}",
            hint="show fewer candidates per call (-k 20, or --first recall_order --first-top 20; smaller windows or "
            f"groups), {others} more (such as vllm)",
        )
