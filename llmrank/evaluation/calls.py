"""The calls of a finished Run: the messages that were sent, and what was read in the answers."""

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
    if is_scored(run):
        answer, no_messages = scored_answer(run), "The answers came in a file, without what was asked."

        def read(record: CaseRecord) -> Sequence[Call]:
            case, reply = cases[record.case_id], record.replies[0]
            found = answer(case, record)
            same = canonical(ranked(case, reply, found).ranking, record.candidates) == record.ranking
            return [Call(None, no_messages, _spans(reply, found.entries if same else ()))]

        return read
    again, other = StoredMethod.of(run), "This version of llmrank would send other messages than those that were sent."

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
