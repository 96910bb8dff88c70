"""One line of `records.jsonl`: how a Case was ranked, what the model answered, and how good the ranking is."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import ge
from typing import Any

from llmrank.engine import CaseResult
from llmrank.types import Failure, Outcome, Ranking, Reply, Response, Usage, adapter

OF_RANKING = ("outcome", "reason", "repairs", "matches", "history_dropped", "label_mass")
"""The Ranking's fields in a line, besides its order and scores."""
OF_REPLIES = ("responses", "finish_reasons", "label_logprobs", "errors")
"""The Replies' fields in a line, each aligned with `requests`."""


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """What a Run stores about a Case. The Case itself is in `cases.parquet`."""

    case_id: str
    user_id: str
    candidates: tuple[str, ...]
    """Item ids in recall order; for ratings, the target alone."""
    ranking: Ranking
    """In the form of `canonical`: the items the method placed, then the others, tied, in recall order."""
    measures: Mapping[str, float]
    """Each measure's value for this Case; empty if the truth is unknown."""
    requests: tuple[str, ...]
    """The Store keys of its Requests, in the order sent."""
    replies: tuple[Reply, ...]
    """The Reply to each Request, aligned with `requests`: text, finish reason and label log-probabilities; or a
    Failure."""
    usage: Usage
    batch_usage: Usage = field(default_factory=Usage)
    """The part of `usage` that came through a Batch API."""
    seconds: float = field(default=0.0, compare=False)
    least_prompt_tokens: int = 0
    """Prompt tokens if each prefix shared within the Case is computed only once (see `distinct_share`)."""

    @property
    def placed(self) -> tuple[str, ...]:
        """The item ids that the method placed, best first."""
        return self.ranking.order[: self.ranking.named]

    @property
    def responses(self) -> tuple[str | None, ...]:
        """The raw texts, aligned with `requests`; None for a failed call."""
        return tuple(None if isinstance(reply, Failure) else reply.text for reply in self.replies)

    @property
    def finish_reasons(self) -> tuple[str, ...]:
        """The finish reasons, aligned with `requests`; `error` for a failed call."""
        return tuple("error" if isinstance(reply, Failure) else reply.finish_reason for reply in self.replies)

    @property
    def failed(self) -> bool:
        """Whether any call got no answer, so that the Case must be repeated."""
        return self.ranking.outcome is Outcome.ERROR or any(isinstance(reply, Failure) for reply in self.replies)

    @classmethod
    def of(cls, ranked: CaseResult, measures: Mapping[str, float]) -> CaseRecord:
        """Return the record of a ranked Case."""
        case, replies = ranked.case, [exchange.reply for exchange in ranked.exchanges]
        answers = [reply for reply in replies if isinstance(reply, Response)]
        usage = sum((answer.usage for answer in answers), Usage())
        candidates = tuple(item.item_id for item in case.asked)
        return cls(
            case_id=case.case_id,
            user_id=case.user_id,
            candidates=candidates,
            ranking=canonical(ranked.ranking, candidates),
            measures=measures,
            requests=tuple(exchange.key for exchange in ranked.exchanges),
            replies=tuple(map(_kept, replies)),
            usage=usage,
            batch_usage=sum((answer.usage for answer in answers if answer.batch), Usage()),
            seconds=round(ranked.seconds, 4),
            least_prompt_tokens=round(usage.prompt_tokens * ranked.distinct_share),
        )

    def to_json(self) -> str:
        """Return one line of JSON, without the line break.

        Only the placed items are written; `from_json` completes the order. A full order would hide that the rest is
        tied.
        """
        ranking, replies, placed = self.ranking, self.replies, self.placed
        usage = adapter(Usage)
        # People read these lines too: who and how it ended come first.
        row = {
            "case_id": self.case_id,
            "user_id": self.user_id,
            "outcome": ranking.outcome,
            "reason": ranking.reason,
            "repairs": dict(ranking.repairs),
            "matches": dict(ranking.matches),
            "history_dropped": ranking.history_dropped,
            "label_mass": ranking.label_mass,
            "candidates": self.candidates,
            "measures": dict(self.measures),
            "requests": self.requests,
            "usage": usage.dump_python(self.usage),
            "batch_usage": usage.dump_python(self.batch_usage),
            "seconds": self.seconds,
            "least_prompt_tokens": self.least_prompt_tokens,
            "placed": placed,
            # JSON has no infinity: the score of an unscored item is null.
            "scores": ranking.scores and [None if math.isinf(one) else one for one in ranking.scores[: len(placed)]],
            "responses": self.responses,
            "finish_reasons": self.finish_reasons,
            "label_logprobs": [
                None if isinstance(one, Failure) or one.label_logprobs is None else dict(one.label_logprobs)
                for one in replies
            ],
            "errors": [one.reason if isinstance(one, Failure) else None for one in replies],
        }
        return json.dumps(row, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str) -> CaseRecord:
        """Parse a line written by `to_json`; raises ValueError, KeyError or TypeError for anything else."""
        row: dict[str, Any] = json.loads(line)
        placed, scores = row.pop("placed"), row.pop("scores")
        row["ranking"] = {name: row.pop(name) for name in OF_RANKING} | {
            "order": placed,
            "named": len(placed),
            "scores": scores and [-math.inf if score is None else score for score in scores],
        }
        row["replies"] = [
            {"reason": error or "no answer"}
            if text is None
            else {"text": text, "finish_reason": finish_reason, "label_logprobs": logprobs}
            for text, finish_reason, logprobs, error in zip(*map(row.pop, OF_REPLIES), strict=True)
        ]
        record = adapter(CaseRecord).validate_python(row)
        if not set(placed) <= set(record.candidates):
            raise ValueError("a placed item is not a candidate")
        ranking = record.ranking
        if len(set(placed)) < len(placed) or (
            ranking.scores is not None and not _descending(ranking.scores, len(placed))
        ):
            raise ValueError("an item is placed twice, or the scores increase along the order")
        return replace(record, ranking=canonical(ranking, record.candidates))


def _descending(scores: Sequence[float], items: int) -> bool:
    return len(scores) == items and all(map(ge, scores, scores[1:]))


def canonical(ranking: Ranking, candidates: tuple[str, ...]) -> Ranking:
    """Return an equivalent Ranking that survives being written to a record and read back.

    The items that the method placed (or scored) come first; `named` counts them. The other candidates follow in their
    original order, without a score.
    """
    named = ranking.named
    if named is None and ranking.scores is not None:
        named = sum(score != -math.inf for score in ranking.scores)
    placed = ranking.order[:named]
    known = set(placed)
    rest = tuple(item_id for item_id in candidates if item_id not in known) if len(known) < len(candidates) else ()
    scores = None
    if ranking.scores is not None and placed:
        scores = (*ranking.scores[: len(placed)], *(-math.inf for _ in rest))
    return replace(ranking, order=placed + rest, scores=scores, named=None if not rest else len(placed))


def _kept(reply: Reply) -> Reply:
    """Return the part of a Reply that a record stores: all that an answer format reads."""
    if isinstance(reply, Failure):
        return reply
    return Response(reply.text, reply.finish_reason, label_logprobs=reply.label_logprobs)
