"""One line of `cases.jsonl`: a Case, how it was ranked, and what that was worth."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from llmrank.engine import CaseResult
from llmrank.types import Failure, Outcome, Ranking, Reply, Usage


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """What a Run keeps of a Case; complete, so that measures, tables and comparisons need nothing else."""

    user_id: str
    candidates: tuple[str, ...]
    """In recall order."""
    relevant: tuple[str, ...]
    target: str | None
    rating: float | None
    ranking: Ranking
    measures: Mapping[str, float]
    """Each measure's value for this Case; a Case without relevant items has none."""
    requests: tuple[str, ...]
    """The Store keys of its Requests, in the order asked."""
    responses: tuple[str | None, ...]
    """The raw texts, aligned with `requests`; None where the call failed."""
    usage: Usage
    batch_usage: Usage = field(default_factory=Usage)
    """The part of `usage` that came through a Batch API."""
    finish_reasons: tuple[str, ...] = ()
    seconds: float = field(default=0.0, compare=False)
    least_prompt_tokens: int = 0
    """What a perfect prefix cache would leave to compute within the Case (see `engine.prefix`)."""

    @property
    def failed(self) -> bool:
        """Whether a call of it got no answer, so that the Case is to be asked again."""
        return self.ranking.outcome is Outcome.ERROR or None in self.responses

    @classmethod
    def of(cls, ranked: CaseResult, measures: Mapping[str, float]) -> CaseRecord:
        """Return the record of a ranked Case."""
        case = ranked.case
        usage = sum((_usage(exchange.reply) for exchange in ranked.exchanges), Usage())
        return cls(
            user_id=case.user_id,
            candidates=tuple(item.item_id for item in case.candidates),
            relevant=case.relevant,
            target=None if case.target is None else case.target.item_id,
            rating=case.rating,
            ranking=ranked.ranking,
            measures=measures,
            requests=tuple(exchange.key for exchange in ranked.exchanges),
            responses=tuple(_text(exchange.reply) for exchange in ranked.exchanges),
            usage=usage,
            batch_usage=sum((_usage(exchange.reply, batch=True) for exchange in ranked.exchanges), Usage()),
            finish_reasons=tuple(_finish(exchange.reply) for exchange in ranked.exchanges),
            seconds=round(ranked.seconds, 4),
            least_prompt_tokens=round(usage.prompt_tokens * ranked.distinct_share),
        )

    def to_json(self) -> str:
        """Return one line of JSON, without the line break."""
        ranking = self.ranking
        row = {
            "user_id": self.user_id,
            "outcome": str(ranking.outcome),
            "reason": ranking.reason,
            "repairs": dict(ranking.repairs),
            "matches": dict(ranking.matches),
            "measures": dict(self.measures),
            "ranking": ranking.order,
            # JSON has no infinity: an item that was not scored has no score.
            "scores": ranking.scores and [None if math.isinf(score) else score for score in ranking.scores],
            "named": ranking.named,
            "relevant": self.relevant,
            "candidates": self.candidates,
            "target": self.target,
            "rating": self.rating,
            "history_dropped": ranking.history_dropped,
            "label_mass": ranking.label_mass,
            "requests": self.requests,
            "responses": self.responses,
            "finish_reasons": self.finish_reasons,
            "usage": asdict(self.usage),
            "batch_usage": asdict(self.batch_usage),
            "seconds": self.seconds,
            "least_prompt_tokens": self.least_prompt_tokens,
        }
        return json.dumps(row, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str) -> CaseRecord:
        """Return the record that `to_json` wrote; raises ValueError or KeyError for anything else."""
        row: dict[str, Any] = json.loads(line)
        scores = row["scores"]
        ranking = Ranking(
            order=tuple(row["ranking"]),
            scores=None if scores is None else tuple(-math.inf if score is None else score for score in scores),
            named=row["named"],
            outcome=Outcome(row["outcome"]),
            reason=row["reason"],
            repairs=row["repairs"],
            matches=row["matches"],
            history_dropped=row["history_dropped"],
            label_mass=row["label_mass"],
        )
        return cls(
            user_id=row["user_id"],
            candidates=tuple(row["candidates"]),
            relevant=tuple(row["relevant"]),
            target=row["target"],
            rating=row["rating"],
            ranking=ranking,
            measures=row["measures"],
            requests=tuple(row["requests"]),
            responses=tuple(row["responses"]),
            usage=Usage(**row["usage"]),
            batch_usage=Usage(**row.get("batch_usage", {})),
            finish_reasons=tuple(row["finish_reasons"]),
            seconds=row["seconds"],
            least_prompt_tokens=row["least_prompt_tokens"],
        )


def _text(reply: Reply) -> str | None:
    return None if isinstance(reply, Failure) else reply.text


def _finish(reply: Reply) -> str:
    return "error" if isinstance(reply, Failure) else reply.finish_reason


def _usage(reply: Reply, *, batch: bool = False) -> Usage:
    return Usage() if isinstance(reply, Failure) or (batch and not reply.batch) else reply.usage
