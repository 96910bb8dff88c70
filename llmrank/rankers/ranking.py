"""Building a Ranking from its parts: the order, the ties, and the Outcome.

One rule decides the Outcome of a Case with several calls. A part is lost if its answer is unparsed or its call failed.
If every part is lost, the Case is `error` (all calls failed) or `unparsed`, and no item is placed. If some are lost,
the Case is `repaired`, with repairs `unread` (the answer was unparsed) and `failed` (the call failed). Lost parts are
neither retried nor guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from llmrank.types import NO_COUNTS, Answer, Case, Outcome, Ranking


def trivial_ranking(case: Case) -> Ranking | None:
    """Return the Ranking of a Case with fewer than two candidates, which needs no call; otherwise None."""
    return Ranking(tuple(item.item_id for item in case.candidates)) if len(case.candidates) < 2 else None


def partial_ranking(case: Case, placed: Sequence[str]) -> Ranking:
    """Return a Ranking that starts with `placed`; the rest follows in the order shown, tied."""
    known = set(placed)
    rest = [item.item_id for item in case.candidates if item.item_id not in known]
    return Ranking((*placed, *rest), named=len(placed))


def rank_by_score(scores: Mapping[str, float], named: int | None = None) -> Ranking:
    """Return the Ranking of the items by score, highest first. Ties keep the given order."""
    order = tuple(sorted(scores, key=scores.__getitem__, reverse=True))  # stable, even with reverse
    return Ranking(order, tuple(map(float, map(scores.__getitem__, order))), named)


# --- outcomes -------------------------------------------------------------------------------------------------------


def has_no_result(part: Answer | Ranking) -> bool:
    """Return whether the part is unparsed or failed, and so has no usable result."""
    return part.outcome in (Outcome.UNPARSED, Outcome.ERROR)


def require_decision(answer: Answer, *, of_value: bool = False) -> Answer:
    """Return the Answer, marked unparsed if it has neither items nor a value (with `of_value`: no value)."""
    if has_no_result(answer) or answer.value is not None or (answer.ranked and not of_value):
        return answer
    return replace(answer, outcome=Outcome.UNPARSED, reason=answer.reason or "no_decision")


def merge_outcomes(
    ranking: Ranking, parts: Sequence[Answer | Ranking], repairs: Mapping[str, int] = NO_COUNTS
) -> Ranking:
    """Return the Ranking with the combined Outcome, repairs, matches, label mass and dropped history of its parts.

    `repairs` are those of the method itself, added to those of its parts.
    """
    lost = [part for part in parts if has_no_result(part)]
    failed = sum(part.outcome is Outcome.ERROR for part in lost)
    all_lost = bool(parts) and len(lost) == len(parts)
    of_lost = {} if all_lost else {"unread": len(lost) - failed, "failed": failed}
    counts = add_counts(repairs, *(part.repairs for part in parts), of_lost)
    found = {name: count for name, count in counts.items() if count > 0}
    masses = [part.label_mass for part in parts if part.label_mass is not None]
    if all_lost:
        outcome = Outcome.ERROR if failed == len(lost) else Outcome.UNPARSED
        ranking = replace(ranking, scores=None, named=0)
    else:
        repaired = found or any(part.outcome is Outcome.REPAIRED for part in parts)
        outcome = Outcome.REPAIRED if repaired else Outcome.OK
    return replace(
        ranking,
        outcome=outcome,
        reason=lost[0].reason if lost else "",
        repairs=found,
        matches=add_counts(*(part.matches for part in parts)),
        history_dropped=max(part.history_dropped for part in (ranking, *parts) if isinstance(part, Ranking)),
        label_mass=min(masses, default=None),
    )


def add_counts(*counts: Mapping[str, int]) -> dict[str, int]:
    """Return the sum of the counts. Faster than a `Counter` for a few names."""
    total: dict[str, int] = {}
    for one in counts:
        for name, count in one.items():
            total[name] = total.get(name, 0) + count
    return total


def most_frequent(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return the counts, highest first; equal ones by name."""
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


# --- ties -----------------------------------------------------------------------------------------------------------


def tie_groups(ranking: Ranking) -> list[tuple[str, ...]]:
    """Return the items in groups, best first. Items with equal scores, or not placed by the method, form a group."""
    if ranking.scores is not None:
        scored = zip(ranking.scores, ranking.order, strict=True)
        return [tuple(item_id for _, item_id in group) for _, group in groupby(scored, key=lambda pair: pair[0])]
    named = len(ranking.order) if ranking.named is None else ranking.named
    head, tail = ranking.order[:named], ranking.order[named:]
    return [*((item_id,) for item_id in head), *([tail] if tail else [])]


def from_tie_groups(groups: Iterable[tuple[str, ...]]) -> Ranking:
    """Return the Ranking of the groups. If there are ties, the score is minus the position of the group, from 0."""
    scores = {item_id: -float(position) for position, group in enumerate(groups) for item_id in group}
    strict = len(set(scores.values())) == len(scores)
    return Ranking(tuple(scores), None if strict else tuple(scores.values()))
