"""One line of `records.jsonl`: how a Case was ranked, what the model answered, and what that was worth."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from llmrank.engine import CaseResult
from llmrank.types import Failure, Outcome, Ranking, Reply, Response, Usage


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """What a Run keeps of a Case besides the Case itself, which is in `cases.parquet`."""

    case_id: str
    user_id: str
    candidates: tuple[str, ...]
    """Item ids in recall order; for ratings the target alone."""
    ranking: Ranking
    """As `canonical` returns it: what the method placed, then the rest in recall order. The rest is tied."""
    measures: Mapping[str, float]
    """Each measure's value for this Case; empty where the truth is unknown."""
    requests: tuple[str, ...]
    """The Store keys of its Requests, in the order asked."""
    replies: tuple[Reply, ...]
    """What each Request got, aligned with `requests`: text, finish reason and label log-probabilities; or a Failure."""
    usage: Usage
    batch_usage: Usage = field(default_factory=Usage)
    """The part of `usage` that came through a Batch API."""
    seconds: float = field(default=0.0, compare=False)
    least_prompt_tokens: int = 0
    """Prompt tokens that remain when each prefix shared within the Case is computed once (see `engine.prefix`)."""

    @property
    def placed(self) -> tuple[str, ...]:
        """The item ids that the method placed, best first."""
        return self.ranking.order[: self.ranking.named]

    @property
    def responses(self) -> tuple[str | None, ...]:
        """The raw texts, aligned with `requests`; None where the call failed."""
        return tuple(None if isinstance(reply, Failure) else reply.text for reply in self.replies)

    @property
    def finish_reasons(self) -> tuple[str, ...]:
        """Why each answer ended, aligned with `requests`; `error` where the call failed."""
        return tuple("error" if isinstance(reply, Failure) else reply.finish_reason for reply in self.replies)

    @property
    def failed(self) -> bool:
        """Whether one of its calls got no answer, so that the Case has to be asked again."""
        return self.ranking.outcome is Outcome.ERROR or any(isinstance(reply, Failure) for reply in self.replies)

    @classmethod
    def of(cls, ranked: CaseResult, measures: Mapping[str, float]) -> CaseRecord:
        """Return the record of a ranked Case."""
        case = ranked.case
        usage = sum((_usage(exchange.reply) for exchange in ranked.exchanges), Usage())
        items = case.candidates if case.target is None else (case.target,)
        candidates = tuple(item.item_id for item in items)
        return cls(
            case_id=case.case_id,
            user_id=case.user_id,
            candidates=candidates,
            ranking=canonical(ranked.ranking, candidates),
            measures=measures,
            requests=tuple(exchange.key for exchange in ranked.exchanges),
            replies=tuple(_kept(exchange.reply) for exchange in ranked.exchanges),
            usage=usage,
            batch_usage=sum((_usage(exchange.reply, batch=True) for exchange in ranked.exchanges), Usage()),
            seconds=round(ranked.seconds, 4),
            least_prompt_tokens=round(usage.prompt_tokens * ranked.distinct_share),
        )

    def to_json(self) -> str:
        """Return one line of JSON, without the line break.

        It holds what the method placed; `from_json` completes the order. Written out, that would look strict.
        """
        ranking, named = self.ranking, len(self.placed)
        row = {
            "case_id": self.case_id,
            "user_id": self.user_id,
            "outcome": str(ranking.outcome),
            "reason": ranking.reason,
            "repairs": dict(ranking.repairs),
            "matches": dict(ranking.matches),
            "measures": dict(self.measures),
            "placed": self.placed,
            # JSON has no infinity: an item that was not scored has no score.
            "scores": ranking.scores and [None if math.isinf(score) else score for score in ranking.scores[:named]],
            "candidates": self.candidates,
            "history_dropped": ranking.history_dropped,
            "label_mass": ranking.label_mass,
            "requests": self.requests,
            "responses": self.responses,
            "finish_reasons": self.finish_reasons,
            "label_logprobs": [
                None if isinstance(reply, Failure) or reply.label_logprobs is None else dict(reply.label_logprobs)
                for reply in self.replies
            ],
            "errors": [reply.reason if isinstance(reply, Failure) else None for reply in self.replies],
            "usage": asdict(self.usage),
            "batch_usage": asdict(self.batch_usage),
            "seconds": self.seconds,
            "least_prompt_tokens": self.least_prompt_tokens,
        }
        return json.dumps(row, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str) -> CaseRecord:
        """Return the record that `to_json` wrote; raises ValueError, KeyError or TypeError for anything else."""
        row: dict[str, Any] = json.loads(line)
        placed, candidates, scores = tuple(row["placed"]), tuple(row["candidates"]), row["scores"]
        if not set(placed) <= set(candidates):
            raise ValueError("an item is placed that is no candidate")
        ranking = Ranking(
            order=placed,
            scores=None if scores is None else tuple(-math.inf if score is None else score for score in scores),
            named=len(placed),
            outcome=Outcome(row["outcome"]),
            reason=row["reason"],
            repairs=row["repairs"],
            matches=row["matches"],
            history_dropped=row["history_dropped"],
            label_mass=row["label_mass"],
        )
        return cls(
            case_id=row["case_id"],
            user_id=row["user_id"],
            candidates=candidates,
            ranking=canonical(ranking, candidates),
            measures=row["measures"],
            requests=tuple(row["requests"]),
            replies=tuple(map(_reply, row["responses"], row["finish_reasons"], row["label_logprobs"], row["errors"])),
            usage=Usage(**row["usage"]),
            batch_usage=Usage(**row["batch_usage"]),
            seconds=row["seconds"],
            least_prompt_tokens=row["least_prompt_tokens"],
        )


def canonical(ranking: Ranking, candidates: tuple[str, ...]) -> Ranking:
    """Return the Ranking as a record keeps it: worth the same, and the same after writing and reading.

    What the method placed (for a scoring method, what it scored) comes first, `named` counts it, and the other
    candidates follow in recall order, without a score.
    """
    named = ranking.named
    if named is None and ranking.scores is not None:
        named = sum(score != -math.inf for score in ranking.scores)
    placed = ranking.order[:named]
    known = set(placed)
    rest = tuple(item_id for item_id in candidates if item_id not in known)
    scores = None
    if ranking.scores is not None and placed:
        scores = (*ranking.scores[: len(placed)], *(-math.inf for _ in rest))
    return replace(ranking, order=placed + rest, scores=scores, named=None if not rest else len(placed))


def _kept(reply: Reply) -> Reply:
    """Return what a record keeps of a Reply: all that an answer format reads."""
    if isinstance(reply, Failure):
        return reply
    return Response(reply.text, reply.finish_reason, label_logprobs=reply.label_logprobs)


def _reply(text: str | None, finish_reason: str, logprobs: Mapping[str, float] | None, error: str | None) -> Reply:
    if text is None:
        return Failure(error or "no answer")
    return Response(text, finish_reason, label_logprobs=logprobs)


def _usage(reply: Reply, *, batch: bool = False) -> Usage:
    return Usage() if isinstance(reply, Failure) or (batch and not reply.batch) else reply.usage
