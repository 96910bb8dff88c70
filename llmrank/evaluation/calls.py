"""The calls of a finished Run: the messages that were sent, and the items that were found in the answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from llmrank.answers.located import Span, located
from llmrank.evaluation.score import ranked
from llmrank.evaluation.stored_method import NotAnsweredError, StoredMethod, is_scored, scored_answer
from llmrank.run import CaseRecord, Run
from llmrank.run.record import canonical
from llmrank.types import Entry, Message, Reply, Response


@dataclass(frozen=True, slots=True)
class Call:
    """One call about a Case."""

    messages: tuple[Message, ...] | None
    """The messages that were sent; None if unknown."""
    unknown: str = ""
    """Why the messages are unknown."""
    read: Sequence[Span] = ()
    """The parts of the answer that were read as items, if their position in the text is certain."""


def calls_of(run: Run) -> Callable[[CaseRecord], Sequence[Call]]:
    """Return a function that returns the calls of a Case, in order.

    The Run stores a hash of each request. The messages are rendered again from its templates and Cases, and returned
    only if the request has the same hash. The parts that were read are returned only if parsing again gives the same
    ranking.

    Raises InputError if the Run made no model calls, or does not record how it was made.
    """
    cases = {case.case_id: case for case in run.done}
    if is_scored(run):
        answer, no_messages = scored_answer(run), "The answers came from a file without prompts."

        def read(record: CaseRecord) -> Sequence[Call]:
            case, reply = cases[record.case_id], record.replies[0]
            found = answer(case, record)
            same = canonical(ranked(case, reply, found).ranking, record.candidates) == record.ranking
            return [Call(None, no_messages, _spans(reply, found.entries if same else ()))]

        return read
    again, other = StoredMethod.of(run), "This version of llmrank renders different messages than those that were sent."

    def calls(record: CaseRecord) -> Sequence[Call]:
        same = False
        with suppress(NotAnsweredError):
            same = canonical(again.rank(cases[record.case_id], record), record.candidates) == record.ranking
        sent, read = again.answers.sent, {id(reply): entries for reply, entries in again.read if same}
        return [
            Call(messages := sent.get(key), "" if messages else other, _spans(reply, read.get(id(reply), ())))
            for key, reply in zip(record.requests, record.replies, strict=True)
        ]

    return calls


def _spans(reply: Reply, entries: Sequence[Entry]) -> Sequence[Span]:
    return located(reply.text, entries) if isinstance(reply, Response) else ()
