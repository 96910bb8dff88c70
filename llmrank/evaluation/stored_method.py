"""The method of a finished Run, with its stored answers: it makes no calls.

This needs only the Run folder, which contains the Cases, the template, the shots and the answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmrank.answers import answer_format
from llmrank.backends.base import NullBackend
from llmrank.engine import rank_alone
from llmrank.errors import InputError
from llmrank.evaluation.method import OWN_RANKER, Composer, StoredParts, with_settings
from llmrank.evaluation.score import answer_of, ranked
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
    """A Case cannot be parsed again, because this version would send a request without a stored answer."""


ReadEntries = list[tuple[Response, tuple[Entry, ...]]]
"""The entries that were read in each Response about the last Case."""


@dataclass(frozen=True, slots=True)
class _Watched:
    """An answer format that records the entries it reads in each Response."""

    format: AnswerFormat
    note: ReadEntries

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
    """The stored answers of one Case. `holds` finds the request that was sent if its history was shortened."""

    def __init__(self, identity: Mapping[str, str]) -> None:
        self._identity = identity
        self.replies: Mapping[str, Reply] = {}
        """Replies by request key."""
        self.sent: dict[str, tuple[Message, ...]] = {}
        """Messages by request key, for the calls that were rendered again."""

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
            raise NotAnsweredError(f"this version of llmrank sends other requests than the {known} that were answered")
        return [self.replies[key] for key in keys]


@dataclass(frozen=True, slots=True)
class StoredMethod:
    """The method of a Run, with its stored templates, shots and answers."""

    rank: Callable[[Case, CaseRecord], Ranking]
    """Ranks the Case with the answers of the record. Raises NotAnsweredError if some are missing."""
    read: ReadEntries
    sent: Mapping[str, tuple[Message, ...]]
    """The messages of the calls about the last Case, by request key."""
    unknown: str
    """Why messages are not among the `sent` ones."""


def stored_method(run: Run) -> StoredMethod:
    """Return what ranks the Cases of a Run again.

    Raises InputError if the Run made no model calls, or does not record how it was made.
    """
    origin = read_manifest(run.path)["origin"]
    if origin.get("verb") == "score":
        return _of_file(run)
    return _of_calls(run, origin.get("options", {}).get("prompt"))


def _of_file(run: Run) -> StoredMethod:
    """Return the method of a Run made by `score`, whose answers came from a file."""
    how = gather(ScoreSettings, {setting.name: run.settings[setting.name] for setting in settings_of(ScoreSettings)})
    known, read = answer_format(how.answer), ReadEntries()

    def rank(case: Case, record: CaseRecord) -> Ranking:
        [reply] = record.replies
        answer = answer_of(case, reply, how, known)
        read[:] = [(reply, answer.entries)] if isinstance(reply, Response) else []
        return ranked(case, reply, answer).ranking

    return StoredMethod(rank, read, {}, "The answers came from a file without prompts.")


def _of_calls(run: Run, prompt: Mapping[str, Any] | None) -> StoredMethod:
    """Return the method of a Run that asked a model; `prompt` are its recorded settings."""
    settings = run.settings
    if OWN_RANKER in settings:
        hint = "evaluate with it again: every answer comes from the Store"
        raise InputError("only the object that ranked it can read its answers", path=run.path, hint=hint)
    if "template" not in settings and (prompt or {}).get("ranker") not in WITHOUT_PROMPT:
        hint = "choose a Run whose ranker calls a model"
        raise InputError("this Run made no model calls", path=run.path, hint=hint)
    if prompt is None:
        hint = "repeat the command that made it, then reparse"
        raise InputError("this Run does not record how it was made", path=run.path, hint=hint)

    def template(name: str) -> PromptTemplate | None:
        # Not strict: the current linter may reject what was accepted when the Run was made.
        text = settings.get(name)
        return None if text is None else read_template(text, run.path / "manifest.json", strict=False)

    answers, read = _StoredAnswers(settings["backend"]), ReadEntries()
    known = {setting.name for setting in settings_of(PromptSettings)}
    made = gather(PromptSettings, {name: value for name, value in prompt.items() if name in known})
    view, own = settings.get("view", {}), template("template")
    method = Composer(
        made,
        TrainingData(lambda: (), run.metric_settings.scale, settings.get("history_scale")),
        settings["seed"],
        answers,
        stored=StoredParts(
            run.shots, tuple(view.get("labels", ())), template("profile_template"), template("first_template")
        ),
        domain=view.get("domain"),
        format_of=lambda name: _Watched(answer_format(name), read),
    ).method(own and with_settings(own, made))

    def rank(case: Case, record: CaseRecord) -> Ranking:
        answers.replies = dict(zip(record.requests, record.replies, strict=True))
        answers.sent.clear()
        read.clear()
        return rank_alone(case, method.ranker, method.order.arrange, answers.read).ranking

    unknown = "This version of llmrank renders different messages than those that were sent."
    return StoredMethod(rank, read, answers.sent, unknown)
