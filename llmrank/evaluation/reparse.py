"""Reparse: the stored answers of a Run read again with today's parser, without a model call, and what that changes; and
of each call the messages that were sent, and what was read in the answer.

The Run's folder alone is needed: its Cases, its template, its shots, and its answers are all in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from llmrank.answers import answer_format
from llmrank.answers.located import Span, located
from llmrank.backends.base import NullBackend
from llmrank.engine import rank_alone
from llmrank.errors import InputError
from llmrank.evaluation.method import Composer, Method, StoredParts, with_settings
from llmrank.evaluation.score import answer_of, ranked
from llmrank.evaluation.settings import PromptSettings, ScoreSettings, gather, settings_of
from llmrank.evaluation.training_data import TrainingData
from llmrank.prompting import PromptTemplate, read_template
from llmrank.rankers.registry import WITHOUT_PROMPT
from llmrank.run import CaseRecord, Metrics, Run, RunFolder, load_run, read_manifest
from llmrank.run.metrics import case_measures, metrics
from llmrank.run.record import canonical
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


@dataclass(frozen=True, slots=True)
class Change:
    """What changed in one Case."""

    before: CaseRecord
    after: CaseRecord

    @property
    def first_position(self) -> int | None:
        """The first position, from 1, that holds another item; None where the order is the same."""
        pairs = zip(self.before.ranking.order, self.after.ranking.order, strict=True)
        return next((position for position, (old, new) in enumerate(pairs, 1) if old != new), None)

    def to_dict(self) -> dict[str, Any]:
        """Return what names the Case, `first_position`, and each field of its record that changed, before and after."""
        old, new = (json.loads(record.to_json()) for record in (self.before, self.after))
        named = {"case_id": old["case_id"], "user_id": old["user_id"], "first_position": self.first_position}
        return named | {name: [old[name], new[name]] for name in old if old[name] != new[name]}


@dataclass(frozen=True, slots=True)
class Reparsed:
    """A Run before and after."""

    run: Path
    records: Mapping[str, CaseRecord]
    """As they were, by case id."""
    left: int
    """How many Cases of the Run have no record yet; `metrics.json` waits for them."""
    changes: tuple[Change, ...]
    """The Cases in which something is different now, by case id."""
    unreadable: Mapping[str, str]
    """Why a Case cannot be read again, by case id; it keeps its old reading."""
    before: Metrics
    after: Metrics
    kept: Path | None = None
    """Where the old records are kept; None where nothing was written."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return {
            "run": str(self.run),
            "cases": len(self.records),
            "changed": len(self.changes),
            "outcomes": {"before": dict(self.before.outcomes), "after": dict(self.after.outcomes)},
            "repairs": {"before": dict(self.before.repairs), "after": dict(self.after.repairs)},
            "measures": {
                name: {"before": summary.value, "after": self.after[name].value}
                for name, summary in self.before.measures.items()
            },
            "changes": [change.to_dict() for change in self.changes],
            "unreadable": dict(self.unreadable),
        }


def reparse(run: Run | str | Path, *, write: bool = False) -> Reparsed:
    """Read the stored answers of a Run again with today's parser, and return what changes.

    The Run's own template and settings are used, whatever has been edited since.

    Args:
        run: A Run, or its folder.
        write: Whether to put the new reading into the Run; the old one is kept beside it.

    Raises InputError for a Run that holds no Case or made no model calls, and where it cannot be written.
    """
    found = run if isinstance(run, Run) else load_run(run)
    records, cases = found.records, {case.case_id: case for case in found.done}
    if not records:
        raise InputError("the Run holds no Case yet", path=found.path, hint="repeat the command that made it")
    read, how = _reader(found), found.metric_settings
    after, unreadable = dict(records), dict[str, str]()
    for case_id, record in records.items():
        try:
            ranking = canonical(read(cases[case_id], record), record.candidates)
        except NotAnsweredError as error:
            unreadable[case_id] = str(error)
            continue
        measures = case_measures(cases[case_id], ranking, how.measures)
        after[case_id] = replace(record, ranking=ranking, measures=measures)
    changes = tuple(
        Change(records[case_id], after[case_id]) for case_id in sorted(records) if records[case_id] != after[case_id]
    )
    numbers = [metrics(found.done, which, how) for which in (records, after)]
    left = len(found.cases) - len(found.done)
    done = Reparsed(found.path, records, left, changes, unreadable, numbers[0], numbers[1])
    return replace(done, kept=_write(found, done, after)) if write else done


def _write(run: Run, done: Reparsed, after: Mapping[str, CaseRecord]) -> Path | None:
    with RunFolder(run.path, read_manifest(run.path)["settings"]) as folder:
        if folder.records != done.records:
            raise InputError("the Run has changed meanwhile", path=run.path, hint="repeat the command")
        kept = folder.replace(after) if done.changes else None
        if not done.left:
            started = datetime.now(UTC).isoformat(timespec="seconds")
            usage = run.metrics.usage
            session = {"started": started, "reparsed": len(done.records), "changed": len(done.changes)}
            folder.finish(replace(done.after, usage=usage), session)
    return kept


def _reader(run: Run) -> Callable[[Case, CaseRecord], Ranking]:
    """Return what reads a Case of the Run again; it raises NotAnsweredError where that cannot be done."""
    if _is_scored(run):
        answer = _scored_answer(run)
        return lambda case, record: ranked(case, record.replies[0], answer(case, record)).ranking
    return _AskedAgain.of(run).rank


@dataclass(frozen=True, slots=True)
class Call:
    """One call about a Case."""

    messages: tuple[Message, ...] | None
    """What was sent; None where that is not known."""
    unknown: str = ""
    """Why not."""
    read: Sequence[Span] = ()
    """What in the answer was read as the name of an item, as far as its place in the text is certain."""


def calls_of(run: Run) -> Callable[[CaseRecord], Sequence[Call]]:
    """Return what tells the calls about a Case, in the order asked.

    The Run keeps of a call a hash of all that was sent. The messages are rendered again from its own templates and
    Cases, and are told only where they, with all else that is sent, have that very hash. What was read is told only
    where reading again leads to the ranking that the Run has.

    Raises InputError where the Run made no model calls, or does not say how it was made.
    """
    cases = {case.case_id: case for case in run.done}
    if _is_scored(run):
        answer, no_messages = _scored_answer(run), "The answers came in a file, without what was asked."

        def read(record: CaseRecord) -> Sequence[Call]:
            case, reply = cases[record.case_id], record.replies[0]
            found = answer(case, record)
            same = canonical(ranked(case, reply, found).ranking, record.candidates) == record.ranking
            return [Call(None, no_messages, _spans(reply, found.entries if same else ()))]

        return read
    again, other = _AskedAgain.of(run), "This version of llmrank would send other messages than those that were sent."

    def tell(record: CaseRecord) -> Sequence[Call]:
        same = False
        with suppress(NotAnsweredError):
            same = canonical(again.rank(cases[record.case_id], record), record.candidates) == record.ranking
        sent, read = again.answers.sent, {id(reply): entries for reply, entries in again.read if same}
        return [
            Call(messages := sent.get(key), "" if messages else other, _spans(reply, read.get(id(reply), ())))
            for key, reply in zip(record.requests, record.replies, strict=True)
        ]

    return tell


def _spans(reply: Reply, entries: Sequence[Entry]) -> Sequence[Span]:
    return located(reply.text, entries) if isinstance(reply, Response) else ()


def _is_scored(run: Run) -> bool:
    return read_manifest(run.path)["origin"].get("verb") == "score"


def _scored_answer(run: Run) -> Callable[[Case, CaseRecord], Answer]:
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
class _AskedAgain:
    """The method as it was when the Run was made, its own templates, its own shots, with the answers that it got."""

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
            raise InputError(
                "this Run made no model calls", path=run.path, hint="name a Run of a ranker that asks a model"
            )
        if prompt is None:
            raise InputError(
                "this Run does not say how it was made",
                path=run.path,
                hint="repeat the command that made it, then reparse",
            )

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
