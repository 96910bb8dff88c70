"""The calls of a finished Run: the messages that were sent, and the items that were found in the answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from llmrank.answers.located import Span, located
from llmrank.errors import InputError, MissingError
from llmrank.evaluation.stored_method import NotAnsweredError, stored_method
from llmrank.run import CaseRecord, Run
from llmrank.run.record import canonical
from llmrank.types import Message, Response


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
    ranking. Nothing is known of the calls if the Run does not record how it was made, or if that is not installed.
    """
    try:
        again = stored_method(run)
    except (InputError, MissingError) as error:
        why = f"{error.problem[:1].upper()}{error.problem[1:]}."
        return lambda record: [Call(None, why)] * len(record.replies)
    cases = {case.case_id: case for case in run.done}

    def calls(record: CaseRecord) -> Sequence[Call]:
        same = False
        with suppress(NotAnsweredError):
            same = canonical(again.rank(cases[record.case_id], record), record.candidates) == record.ranking
        read = {id(reply): entries for reply, entries in again.read if same}
        made = zip(map(again.sent.get, record.requests), record.replies, strict=True)
        return [
            Call(
                sent,
                "" if sent else again.unknown,
                located(reply.text, read.get(id(reply), ())) if isinstance(reply, Response) else (),
            )
            for sent, reply in made
        ]

    return calls
