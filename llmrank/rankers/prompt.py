"""A prompt made ready to ask: a template with its view, its shots, its answer format, and the room it has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from llmrank.errors import InputError
from llmrank.prompting import PromptTemplate, View
from llmrank.types import (
    Answer,
    AnswerFormat,
    Case,
    Failure,
    Item,
    Message,
    Outcome,
    Question,
    Reply,
    Request,
    Sampling,
)

FRAME_TOKENS = 16
"""More than what any chat template puts around one message."""


def most_tokens(texts: Iterable[str]) -> int:
    """Return at least as many tokens as these messages have: no tokenizer makes more of a text than its bytes."""
    # An answer that is shown again may hold half a surrogate pair, which has no UTF-8.
    return sum(len(text.encode("utf-8", "surrogatepass")) + FRAME_TOKENS for text in texts)


def no_shots(case: Case) -> Sequence[Case]:
    """Return no solved examples."""
    return ()


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """A Request, what is needed to read its answer, and how much of the history had to go."""

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
    count_tokens: Callable[[Sequence[Message]], int] | None = None
    context_length: int | None = None
    """Tokens that the model holds, prompt and answer together; None: unknown, nothing is dropped."""
    profile: Prompt | None = None
    """Asked first; its answer is shown to this prompt as `profile`."""

    def __post_init__(self) -> None:
        """Refuse a template that lets the model reason where the first token of its answer is read."""
        one = Question((Item("1", "1"),), ("1",))
        if self.template.front.thinking.on and self.answer.labels(one) and self.answer.structured(one) is None:
            raise InputError(
                f"the answer format {self.answer.name!r} reads the first token, so the model cannot reason first",
                path=self.template.path,
                field="thinking",
                hint="use --thinking off, or an answer format that reads text",
            )

    def ask(
        self, case: Case, *, top: int | None = None, profile: str | None = None, repeat: int = 0
    ) -> PreparedRequest:
        """Return the Request that shows the Case's candidates, in the order given, or its target.

        `top` is how many the model is to return; None: what the template says.
        """
        question = self.template.question(case, self.view, scale=self.scale)
        if top is not None:
            question = replace(question, top=top)
        shots = self.shots(case)
        messages = self.template.render(case, question, view=self.view, shots=shots, profile=profile)
        dropped = 0
        front = self.template.front
        # A budget is for the reasoning alone; `max_tokens` is for the answer.
        sampling = replace(self.sampling, max_tokens=self.sampling.max_tokens + (front.thinking.budget or 0))
        if self.count_tokens is not None and self.context_length is not None:
            room = self.context_length - sampling.max_tokens
            # Most prompts are seen to fit without counting.
            if most_tokens(message.content for message in messages) > room:
                fitted = self.template.fit(
                    case, question, count=self.count_tokens, limit=room, view=self.view, shots=shots, profile=profile
                )
                messages, dropped = fitted.messages, fitted.dropped
        labels, constraint = self.answer.labels(question), self.answer.structured(question)
        # Labels without a text to constrain: only their log-probabilities at the first token are read.
        if labels and constraint is None:
            sampling = replace(sampling, max_tokens=1)
        elif front.thinking.on:
            labels = ()  # the text is read: its first token belongs to the reasoning
        request = Request(
            messages,
            sampling,
            labels=labels,
            structured=constraint if front.constrain else None,
            thinking=front.thinking,
            extra_body=front.extra_body_text,
            repeat=repeat,
        )
        return PreparedRequest(request, question, dropped)

    def read(self, reply: Reply, question: Question) -> Answer:
        """Return the Answer in a Reply; a Failure is an Answer with Outcome `error`, and is never parsed."""
        if isinstance(reply, Failure):
            return Answer(Outcome.ERROR, reason=reply.reason)
        return self.answer.read(reply, question)
