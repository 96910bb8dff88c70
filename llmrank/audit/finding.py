"""What an audit found, and what audits share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmrank import stats
from llmrank.errors import InputError
from llmrank.measures.judgements import tie_group
from llmrank.measures.summary import finite, finite_pair
from llmrank.run import CaseStory, Run
from llmrank.run.tables import Shown, TextTable, between, number
from llmrank.types import Ranking


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A mean over Cases, with its 95% interval over users."""

    name: str
    value: float | None
    ci95: tuple[float, float] | None
    cases: int
    chance: float | None = None
    """What a method without the bias has; None: there is no such number."""


@dataclass(frozen=True, repr=False)
class Audit(Shown):
    """What an audit found. It prints as its sentence and its table."""

    question: str
    sentence: str
    rows: tuple[AuditRow, ...]

    def table(self) -> TextTable:
        """Return a row per number."""
        cells = [
            (row.name, number(row.value), between(row.ci95), number(row.chance), f"{row.cases:,}") for row in self.rows
        ]
        return TextTable(("", "value", "95% CI", "without bias", "Cases"), tuple(cells))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.question} {self.sentence}\n{self.table()}"


def read_stories(run: Run) -> list[CaseStory]:
    """Return the Cases with a readable answer and two candidates or more; raises InputError where there are none."""
    found = [story for story in run if story.record.ranking.answered and len(story.case.candidates) > 1]
    if not found:
        hint = "audit a Run about rankings with readable answers"
        raise InputError("no Case has a ranking to audit", path=run.path, hint=hint)
    return found


def mean_row(
    name: str,
    values: Sequence[float] | NDArray[np.float64],
    users: Sequence[str],
    bounds: tuple[float, float],
    chance: float | None = None,
) -> AuditRow:
    """Return the mean of the values that are defined (not NaN)."""
    found = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(found)
    clusters = stats.clusters_of(user for user, there in zip(users, known.tolist(), strict=True) if there)
    mean = stats.mean_interval(found[known], clusters, bounds=bounds)
    interval = finite_pair(mean.low, mean.high) if mean.users else None
    return AuditRow(name, finite(mean.value), interval, int(known.sum()), chance)


def mid_ranks(ranking: Ranking) -> dict[str, float]:
    """Return the rank of each item, from 1; tied items have the mean of their places."""
    groups = (tie_group(ranking, place) for place in range(len(ranking.order)))
    return {item_id: above + (size + 1) / 2 for item_id, (above, size) in zip(ranking.order, groups, strict=True)}


def correlation(left: Sequence[float], right: Sequence[float]) -> float:
    """Return Pearson's correlation, of ranks Spearman's; NaN where one of them is constant."""
    if min(left) == max(left) or min(right) == max(right):
        return float("nan")
    return float(np.corrcoef(left, right)[0, 1])
