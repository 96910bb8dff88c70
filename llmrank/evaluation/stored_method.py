"""A finished Run's method as it was when the Run was made, with the answers that it got: nothing is asked.

The Run's folder alone is needed: its Cases, its template, its shots, and its answers are all in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from llmrank.answers import answer_format
from llmrank.backends.base import NullBackend
from llmrank.engine import rank_alone
from llmrank.errors import InputError
from llmrank.evaluation.method import Composer, Method, StoredParts, with_settings
from llmrank.evaluation.score import answer_of
from llmrank.evaluation.settings import PromptSettings, ScoreSettings, gather, settings_of
from llmrank.evaluation.training_data import TrainingData
from llmrank.prompting import PromptTemplate, read_template
from llmrank.rankers.registry import WITHOUT_PROMPT
from llmrank.run import CaseRecord, Run, read_manifest
from llmrank.store import request_key
from llmrank.types import (
    Answer,
    AnswerFormat,
    Case,
    Entry,
    Message,
    Question,
    Ranking,
    Reply,
    Request,
    Response,
    Structured,
)


class NotAnsweredError(Exception):
    """A Case cannot be read again: today's llmrank would send something that has no stored answer. Says why."""


def is_scored(run: Run) -> bool:
    """Return whether `score` made the Run: its answers came in a file."""
    return read_manifest(run.path)["origin"].get("verb") == "score"


def scored_answer(run: Run) -> Callable[[Case, CaseRecord], Answer]:
    """Return what reads the answer about a Case of a Run that `score` made."""
    names = [setting.name for setting in settings_of(ScoreSettings)]
    how = gather(ScoreSettings, {name: run.settings[name] for name in names})
    known = answer_format(how.answer)
    return lambda case, record: answer_of(case, record.replies[0], how, known)


@dataclass(frozen=True, slots=True)
class _Watched:
    """An answer format that notes what it reads in which Response."""

    format: AnswerFormat
    note: list[tuple[Response, tuple[Entry, ...]]]

    @property
    def name(self) -> str:
        return self.format.name

    def labels(self, question: Question) -> tuple[str, ...]:
        return self.format.labels(question)

    def structured(self, question: Question) -> Structured | None:
        return self.format.structured(question)

    def read(self, response: Response, question: Question) -> Answer:
        answer = self.format.read(response, question)
        self.note.append((response, answer.entries))
        return answer


class _StoredAnswers(NullBackend):
    """What was answered about one Case. Where a history was shortened to fit the model, `holds` finds the one sent."""

    def __init__(self, identity: Mapping[str, str]) -> None:
        self._identity = identity
        self.replies: Mapping[str, Reply] = {}
        """By key."""
        self.sent: dict[str, tuple[Message, ...]] = {}
        """What was sent in those calls that were rendered again, by key."""

    @property
    def identity(self) -> Mapping[str, str]:
        return self._identity

    def holds(self, request: Request) -> bool:
        return request_key(self._identity, request) in self.replies

    def read(self, requests: list[Request]) -> Sequence[Reply]:
        keys = [request_key(self._identity, request) for request in requests]
        self.sent |= {key: request.messages for key, request in zip(keys, requests, strict=True)}
        if not self.replies.keys() >= set(keys):
            known = len(self.replies)
            raise NotAnsweredError(f"today's llmrank sends other requests than the {known} that were answered")
        return [self.replies[key] for key in keys]


@dataclass(frozen=True, slots=True)
class StoredMethod:
    """The method of a Run, with its own templates and shots, and the answers that it got."""

    method: Method
    answers: _StoredAnswers
    read: list[tuple[Response, tuple[Entry, ...]]]
    """What was read about the last Case, by Response."""

    @classmethod
    def of(cls, run: Run) -> Self:
        """Raises InputError where the Run made no model calls, or does not say how it was made."""
        settings = run.settings
        prompt = read_manifest(run.path)["origin"].get("options", {}).get("prompt")
        if "template" not in settings and (prompt or {}).get("ranker") not in WITHOUT_PROMPT:
            hint = "name a Run of a ranker that asks a model"
            raise InputError("this Run made no model calls", path=run.path, hint=hint)
        if prompt is None:
            hint = "repeat the command that made it, then reparse"
            raise InputError("this Run does not say how it was made", path=run.path, hint=hint)

        answers, noted = _StoredAnswers(settings["backend"]), list[tuple[Response, tuple[Entry, ...]]]()

        def template(name: str) -> PromptTemplate | None:
            # Today's linter may know more mistakes than that of then; the answers are there all the same.
            text = settings.get(name)
            return None if text is None else read_template(text, run.path / "manifest.json", strict=False)

        known = {setting.name for setting in settings_of(PromptSettings)}
        made = gather(PromptSettings, {name: value for name, value in prompt.items() if name in known})
        view, own = settings.get("view", {}), template("template")
        composer = Composer(
            made,
            TrainingData(lambda: (), run.metric_settings.scale),
            settings["seed"],
            answers,
            stored=StoredParts(
                run.shots, tuple(view.get("labels", ())), template("profile_template"), template("first_template")
            ),
            domain=view.get("domain"),
            format_of=lambda name: _Watched(answer_format(name), noted),
        )
        return cls(composer.method(own and with_settings(own, made)), answers, noted)

    def rank(self, case: Case, record: CaseRecord) -> Ranking:
        """Return how the method ranks the Case by the record's answers; raises NotAnsweredError."""
        self.answers.replies, self.answers.sent = dict(zip(record.requests, record.replies, strict=True)), {}
        self.read.clear()
        return rank_alone(case, self.method.ranker, self.method.order.arrange, self.answers.read).ranking
