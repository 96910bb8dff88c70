"""Read the stored answers of a Run again with today's parser, without a model call, and say what changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from llmrank.engine import CaseResult, Exchange
from llmrank.engine.driver import complete_with_recall_order
from llmrank.run.record import CaseRecord
from llmrank.types import Case, Failure, Ranker, Reply, Request, Response


class NotAnsweredError(Exception):
    """A Case cannot be read again: today's llmrank would ask something that has no stored answer. Says why."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Finds the answers to a Case's Requests: in a Store, else in the Case's record."""

    record: CaseRecord
    key_of: Callable[[Request], str]
    stored: Callable[[str], Response | None]
    """Returns what the Run's Stores hold for a key."""

    def __call__(self, request: Request) -> Exchange:
        """Return what was answered; raises NotAnsweredError where it is not stored, or not completely."""
        key = self.key_of(request)
        place = self.record.requests.index(key) if key in self.record.requests else None
        if place is not None and self.record.responses[place] is None:
            # What failed then has no answer now, whatever other Cases were answered since.
            return Exchange(key, Failure(self._why_failed()), stored=True)
        reply: Reply | None = self.stored(key)
        if reply is None and place is None:
            known = len(self.record.requests)
            raise NotAnsweredError(f"today's llmrank sends other requests than the {known} that were answered")
        if reply is None and request.labels:
            raise NotAnsweredError("the Store lacks an answer, and the record holds no log-probabilities")
        if reply is None and place is not None:
            text = self.record.responses[place] or ""
            reply = Response(text, finish_reason=self.record.finish_reasons[place])
        assert reply is not None
        return Exchange(key, reply, stored=True)

    def _why_failed(self) -> str:
        return self.record.ranking.reason.removeprefix("profile: ") or "no answer"


def reparse_case(case: Case, ranker: Ranker, answers: Answers, arrange: Callable[[Case], Case]) -> CaseResult:
    """Return the Case's Ranking as today's parser and method derive it from the stored answers.

    Raises NotAnsweredError where a Request has no answer.
    """
    record = answers.record
    shown = arrange(case)
    steps = ranker.rank(shown if getattr(ranker, "sees_truth", False) else shown.blinded())
    exchanges: list[Exchange] = []
    try:
        requests = next(steps)
        while True:
            answered = [answers(request) for request in requests]
            exchanges += answered
            requests = steps.send([exchange.reply for exchange in answered])
    except StopIteration as stop:
        # Events that did not fit the context window were left out before `arrange`, so the ranker has not counted them.
        ranking = replace(stop.value, history_dropped=record.ranking.history_dropped)
    return CaseResult(case, complete_with_recall_order(case, ranking), tuple(exchanges), record.seconds)


def with_fitted_history(case: Case, shown: int | None, dropped: int) -> Case:
    """Return the Case with the history that fitted into the context window: its newest `shown` events (None: all)
    without the oldest `dropped` of them."""
    if not dropped:
        return case
    first = 0 if shown is None else max(0, len(case.history) - shown)
    return replace(case, history=case.history[first + dropped :])


def updated_record(record: CaseRecord, ranked: CaseResult, measures: Mapping[str, float]) -> CaseRecord:
    """Return the record with the new Ranking and measures. Texts and usage stay if the Requests are the same."""
    new = CaseRecord.of(ranked, measures)
    if new.requests == record.requests:
        return replace(record, ranking=new.ranking, measures=measures)
    return new


@dataclass(frozen=True, slots=True)
class Change:
    """What changed in one Case."""

    before: CaseRecord
    after: CaseRecord

    @property
    def first_place(self) -> int | None:
        """The first place, from 1, that holds another item; None where the order is the same."""
        pairs = zip(self.before.ranking.order, self.after.ranking.order, strict=True)
        return next((place for place, (old, new) in enumerate(pairs, 1) if old != new), None)

    def to_dict(self) -> dict[str, Any]:
        """Return everything that changed, as JSON values: each a pair of before and after."""
        old, new = self.before.ranking, self.after.ranking
        pairs: dict[str, tuple[Any, Any]] = {
            "outcome": (str(old.outcome), str(new.outcome)),
            "reason": (old.reason, new.reason),
            "repairs": (dict(old.repairs), dict(new.repairs)),
            "matches": (dict(old.matches), dict(new.matches)),
            "named": (old.named, new.named),
            "measures": (
                _where_different(self.before.measures, self.after.measures),
                _where_different(self.after.measures, self.before.measures),
            ),
        }
        if self.before.candidates == self.before.ranking.order[:1]:
            pairs["predicted"] = (_predicted(self.before), _predicted(self.after))
        changed = {name: list(pair) for name, pair in pairs.items() if pair[0] != pair[1]}
        return {
            "case_id": self.before.case_id,
            "user_id": self.before.user_id,
            "first_place": self.first_place,
            **changed,
        }


@dataclass(frozen=True, slots=True)
class ReparseResult:
    """The records of a Run before and after."""

    before: Mapping[str, CaseRecord]
    after: Mapping[str, CaseRecord]
    """By case id; a Case that cannot be read again keeps its old record."""
    unreadable: Mapping[str, str]
    """Why a Case cannot be read again, by case id."""

    @property
    def changes(self) -> tuple[Change, ...]:
        """The Cases in which something is different now, by case id."""
        return tuple(
            Change(self.before[case_id], self.after[case_id])
            for case_id in sorted(self.before)
            if self.before[case_id] != self.after[case_id]
        )


def reparse_all(records: Mapping[str, CaseRecord], read: Callable[[CaseRecord], CaseRecord]) -> ReparseResult:
    """Read all records again with `read`, which raises NotAnsweredError for those it cannot read."""
    after, unreadable = dict(records), dict[str, str]()
    for case_id, record in records.items():
        try:
            after[case_id] = read(record)
        except NotAnsweredError as error:
            unreadable[case_id] = str(error)
    return ReparseResult(records, after, unreadable)


def _where_different(values: Mapping[str, float], others: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if value != others.get(name)}


def _predicted(record: CaseRecord) -> float | None:
    scores = record.ranking.scores
    return None if scores is None else scores[0]
