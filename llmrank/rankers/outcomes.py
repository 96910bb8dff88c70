"""The one rule by which what was answered in several parts becomes the Outcome of a Case.

A part is lost when it is unparsed or its call failed. All parts lost: the Case is `error` if every call failed, else
`unparsed`, and nothing in it is placed. Some lost: the Case is `repaired`, and they are counted: `unread` (an answer
from which nothing could be read) and `failed` (a call without an answer). No part is asked again or guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from llmrank.types import NO_COUNTS, Answer, Outcome, Ranking


def has_no_result(part: Answer | Ranking) -> bool:
    """Return whether nothing can be taken from it."""
    return part.outcome in (Outcome.UNPARSED, Outcome.ERROR)


def merge_outcomes(
    ranking: Ranking, parts: Sequence[Answer | Ranking], repairs: Mapping[str, int] = NO_COUNTS
) -> Ranking:
    """Return the Ranking with the Outcome, repairs, matches and label mass that its parts amount to.

    `repairs` are those of the method itself, beside those of its parts.
    """
    lost = [part for part in parts if has_no_result(part)]
    failed = sum(part.outcome is Outcome.ERROR for part in lost)
    counts = sum((Counter(part.repairs) for part in parts), Counter(repairs))
    matches = dict(sum((Counter(part.matches) for part in parts), Counter[str]()))
    masses = [part.label_mass for part in parts if part.label_mass is not None]
    ranking = replace(ranking, matches=matches, label_mass=min(masses, default=None))
    reason = lost[0].reason if lost else ""
    if parts and len(lost) == len(parts):
        outcome = Outcome.ERROR if failed == len(lost) else Outcome.UNPARSED
        return replace(ranking, scores=None, named=0, outcome=outcome, reason=reason, repairs=dict(+counts))
    counts.update({"unread": len(lost) - failed, "failed": failed})
    counts = +counts
    mended = counts or any(part.outcome is Outcome.REPAIRED for part in parts)
    outcome = Outcome.REPAIRED if mended else Outcome.OK
    return replace(ranking, outcome=outcome, reason=reason, repairs=dict(counts))
