"""The Answer that a reading ends in, with its one Outcome."""

from __future__ import annotations

from collections.abc import Mapping

from llmrank.answers.refusal import is_refusal
from llmrank.types import Answer, Outcome, Response


def unparsed(response: Response, text: str | None, reason: str, repairs: Mapping[str, int] | None = None) -> Answer:
    """Return an unparsed Answer. `reason` holds only if nothing simpler explains it: no text, cut off, or a refusal.

    `text` is the answer without its reasoning, None when the reasoning never ended.
    """
    if text is None:
        reason = "truncated"
    elif is_refusal(response, text):
        reason = "refusal"
    elif not text.strip():
        reason = "truncated" if response.finish_reason == "length" else "empty"
    return Answer(Outcome.UNPARSED, reason, _counted(repairs))


def answered(
    response: Response,
    repairs: Mapping[str, int],
    *,
    ranked: tuple[str, ...] = (),
    value: float | None = None,
    scores: Mapping[str, float] | None = None,
    matches: Mapping[str, int] | None = None,
    label_mass: float | None = None,
) -> Answer:
    """Return an Answer that is `ok`, or `repaired` if a repair was counted or the text was cut off (`truncated`)."""
    cut_off = response.finish_reason in ("length", "content_filter") or bool(repairs.get("truncated"))
    repairs = _counted({**repairs, "truncated": int(cut_off)})
    outcome = Outcome.REPAIRED if repairs else Outcome.OK
    return Answer(outcome, "", repairs, ranked, value, scores, _counted(matches), label_mass)


def missing(named: int, offered: int, top: int | None) -> int:
    """Return how many items the answer owes: as many as were asked for, no more than were offered."""
    return max(0, min(top or offered, offered) - named)


def _counted(counts: Mapping[str, int] | None) -> dict[str, int]:
    return {name: count for name, count in (counts or {}).items() if count}
