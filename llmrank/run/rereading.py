"""Reading the stored answers of a Run again, with today's parser and at no call, and what that changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from llmrank.engine import CaseResult, Exchange, drive
from llmrank.engine.driver import complete_with_recall_order
from llmrank.run.record import CaseRecord
from llmrank.types import Case, Failure, Outcome, Ranker, Reply, Request, Response


class NotAnsweredError(Exception):
    """A Case cannot be read again: today's llmrank would ask something to which no answer is kept. Says why."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Where the answers to a Case's Requests are found: in a Store, else in the Case's record."""

    record: CaseRecord
    key_of: Callable[[Request], str]
    stored: Callable[[str], Response | None]
    """Returns what the Run's Stores hold under a key."""

    def __call__(self, request: Request) -> Exchange:
        """Return what was answered; raise NotAnsweredError where it is not kept, or not whole."""
        key = self.key_of(request)
        place = self.record.requests.index(key) if key in self.record.requests else None
        if place is not None and self.record.responses[place] is None:
            # What failed then has no answer now, whatever was answered to others since.
            return Exchange(key, Failure(self._why_failed()), stored=True)
        reply: Reply | None = self.stored(key)
        if reply is None and place is None:
            known = len(self.record.requests)
            raise NotAnsweredError(f"today's llmrank asks something else than the {known} requests that were answered")
        if reply is None and request.labels:
            raise NotAnsweredError("the Store lacks an answer, and the record keeps no log-probabilities")
        if reply is None and place is not None:
            text = self.record.responses[place] or ""
            reply = Response(text, finish_reason=self.record.finish_reasons[place])
        assert reply is not None
        return Exchange(key, reply, stored=True)

    def _why_failed(self) -> str:
        return self.record.ranking.reason.removeprefix("profile: ") or "no answer"


def reread(case: Case, ranker: Ranker, answers: Answers, arrange: Callable[[Case], Case]) -> CaseResult:
    """Return the Case's Ranking as today's parser and method make it of the answers that were given.

    Raises NotAnsweredError where a Request has no answer.
    """
    record = answers.record
    exchanges: list[Exchange] = []

    def answer(batch: list[Request]) -> list[Reply]:
        answered = [answers(request) for request in batch]
        exchanges.extend(answered)
        return [exchange.reply for exchange in answered]

    # What did not fit the model was left out before `arrange`, so the ranker cannot have counted it.
    ranking = replace(drive(ranker, arrange(case), answer), history_dropped=record.ranking.history_dropped)
    return CaseResult(case, complete_with_recall_order(case, ranking), tuple(exchanges), record.seconds)


def as_fitted(case: Case, shown: int | None, dropped: int) -> Case:
    """Return the Case with the history that fitted into the model: of its newest `shown` events (None: of all) those
    after the oldest `dropped`."""
    if not dropped:
        return case
    first = 0 if shown is None else max(0, len(case.history) - shown)
    return replace(case, history=case.history[first + dropped :])


def renewed(record: CaseRecord, ranked: CaseResult, measures: Mapping[str, float]) -> CaseRecord:
    """Return the record with the new Ranking and measures. Texts and usage stay where the same was asked."""
    new = CaseRecord.of(ranked, measures)
    if new.requests == record.requests:
        return replace(record, ranking=new.ranking, measures=measures)
    return new


@dataclass(frozen=True, slots=True)
class Change:
    """What reading again changed in one Case."""

    before: CaseRecord
    after: CaseRecord

    @property
    def first_place(self) -> int | None:
        """The first place, from 1, at which another item stands; None where the order is the same."""
        pairs = zip(self.before.ranking.order, self.after.ranking.order, strict=True)
        return next((place for place, (old, new) in enumerate(pairs, 1) if old != new), None)

    def to_dict(self) -> dict[str, Any]:
        """Return all that changed, as JSON values: each a pair of before and after."""
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
        if self.before.target is not None:
            pairs["predicted"] = (_predicted(self.before), _predicted(self.after))
        changed = {name: list(pair) for name, pair in pairs.items() if pair[0] != pair[1]}
        return {"user_id": self.before.user_id, "first_place": self.first_place, **changed}


@dataclass(frozen=True, slots=True)
class Reread:
    """A Run read again."""

    before: Mapping[str, CaseRecord]
    after: Mapping[str, CaseRecord]
    """A Case that cannot be read again has its old record."""
    unreadable: Mapping[str, str]
    """Why, by user."""

    @property
    def changes(self) -> tuple[Change, ...]:
        """The Cases in which something is different now, by user."""
        return tuple(
            Change(self.before[user], self.after[user])
            for user in sorted(self.before)
            if self.before[user] != self.after[user]
        )

    def outcomes(self) -> tuple[dict[str, int], dict[str, int]]:
        """Return how many Cases ended how, before and after."""
        return _outcomes(self.before.values()), _outcomes(self.after.values())


def reread_all(records: Mapping[str, CaseRecord], read: Callable[[CaseRecord], CaseRecord]) -> Reread:
    """Return all records read again by `read`, which raises NotAnsweredError for those it cannot read."""
    after, unreadable = dict(records), dict[str, str]()
    for user, record in records.items():
        try:
            after[user] = read(record)
        except NotAnsweredError as error:
            unreadable[user] = str(error)
    return Reread(records, after, unreadable)


def _outcomes(records: Iterable[CaseRecord]) -> dict[str, int]:
    counts = Counter(record.ranking.outcome for record in records)
    return {str(outcome): counts[outcome] for outcome in Outcome}


def _where_different(values: Mapping[str, float], others: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if value != others.get(name)}


def _predicted(record: CaseRecord) -> float | None:
    scores = record.ranking.scores
    return None if scores is None else scores[0]
