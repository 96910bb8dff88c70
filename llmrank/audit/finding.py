"""The result of an audit, and helpers that audits share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import fill
from typing import Any, Self

import numpy as np

from llmrank import stats
from llmrank.errors import InputError, as_path, count_of
from llmrank.measures.judgements import tie_group, tie_spans
from llmrank.run import CaseStory, Run
from llmrank.run.folder import read_part
from llmrank.run.tables import SIGNIFICANT, Shown, TextTable, between, includes_0, number, p_is, p_value
from llmrank.stats import Values
from llmrank.types import Case, Ranking, adapter

Variants = Mapping[str, Callable[[Case], Case]]
"""Changes to each Case, by name. Ids, candidates and truth stay the same, so that Runs can be paired."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A mean over Cases, with its 95% interval over users."""

    name: str
    value: float | None
    ci95: tuple[float, float] | None
    cases: int
    chance: float | None = None
    """The value for a method without the bias; None if not defined."""
    p: float | None = None
    """For a difference: two-sided p-value of the paired randomisation test, Holm-corrected within the audit."""

    @property
    def direction(self) -> int:
        """1 for a difference significantly above zero, -1 for one below, 0 if neither can be claimed. The test decides,
        as in `compare`."""
        if self.p is None or self.p >= SIGNIFICANT or self.value is None:
            return 0
        return 1 if self.value > 0 else -1

    @property
    def tested(self) -> str:
        """The p-value in words. If a difference is significant but its interval includes 0, that is added."""
        though = includes_0(self.ci95) if self.direction else ""
        return p_is(self.p, "p (Holm)") + (f"; {though}" if though else "")


@dataclass(frozen=True, repr=False)
class Audit(Shown):
    """The result of an audit. It prints as its sentence and its table."""

    question: str
    sentence: str
    rows: tuple[AuditRow, ...]
    about: str = ""
    """What was audited: the title of its Run."""

    def table(self) -> TextTable:
        """Return a row per value."""
        cells = [
            (row.name, number(row.value), between(row.ci95), number(row.chance), f"{row.cases:,}") for row in self.rows
        ]
        table = TextTable(("", "value", "95% CI", "without bias", "Cases"), tuple(cells))
        if all(row.p is None for row in self.rows):
            return table
        tests = tuple((*cell, p_value(row.p)) for cell, row in zip(cells, self.rows, strict=True))
        return TextTable((*table.header, "p (Holm)"), tests)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Return what `to_dict` wrote; raises ValueError for anything else."""
        found = adapter(cls).validate_python(content)
        numbers = [
            number
            for row in found.rows
            for number in (row.value, row.chance, row.p, *(row.ci95 or ()))
            if number is not None
        ]
        if not found.rows or not all(map(math.isfinite, numbers)):
            raise ValueError("an audit must have rows of finite numbers")
        return found

    def notes(self) -> tuple[str, ...]:
        """Return the question and its answer."""
        return (f"{self.question} {self.sentence}",)

    def text(self, width: int | None = None) -> str:
        """Return the question, the sentence and the table; with `width` none of their lines is longer."""
        (said,) = self.notes()
        return f"{said if width is None else fill(said, width, break_on_hyphens=False)}\n{self.table().folded(width)}"


def read_audit(path: str | Path) -> Audit:
    """Return the audit in a file that `llmrank audit … --json` printed; raises InputError for any other file."""
    hint = "name a file that holds what `llmrank audit NAME … --json` printed"
    return read_part(as_path(path), Audit.from_dict, hint, missing=hint)


def read_stories(run: Run) -> list[CaseStory]:
    """Return the Cases with a readable answer and at least two candidates; raises InputError if there are none."""
    found = [story for story in run if story.record.ranking.answered and len(story.case.candidates) > 1]
    if not found:
        hint = "audit a ranking Run with readable answers"
        raise InputError("no Case has a readable ranking of two or more candidates", path=run.path, hint=hint)
    return found


def mean_row(
    name: str,
    values: Sequence[float] | Values,
    users: Sequence[str],
    bounds: tuple[float, float] | None,
    chance: float | None = None,
    *,
    graded: bool = False,
) -> AuditRow:
    """Return the mean of the defined values (not NaN); `bounds` are their lowest and highest possible value.

    `graded` values, such as correlations, are usually not at their bounds. Unless half of them are, the interval is a
    plain t interval: users added at the bounds (see `stats.mean_interval`) make it up to ten times too wide.
    """
    found = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(found)
    some, (low, high) = found[known], bounds or (-math.inf, math.inf)
    plain = graded and 2 * np.count_nonzero((low < some) & (some < high)) > len(some)
    clusters = stats.clusters_of(np.array(users, object)[known])
    mean = stats.mean_interval(some, clusters, bounds=None if plain else bounds)
    ci95 = stats.finite_pair(max(low, mean.low), min(high, mean.high)) if mean.users else None
    return AuditRow(name, stats.finite(mean.value), ci95, len(some), chance)


def mean_of(values: Iterable[float]) -> float:
    """Return the mean of the defined values (not NaN), or NaN if there are none."""
    known = [one for one in values if not math.isnan(one)]
    return math.fsum(known) / len(known) if known else math.nan


Compared = tuple[str, Sequence[float], Sequence[float], Sequence[str]]
"""A name, left values, right values, and the user of each value."""


def difference_rows(compared: Sequence[Compared], most: float = math.inf) -> list[AuditRow]:
    """Return the mean of left minus right for each, ignoring NaN, with `corrected` p-values; `most` is the largest
    possible difference."""
    rows: list[AuditRow] = []
    for name, left, right, users in compared:
        values = np.asarray([left, right], dtype=np.float64)
        known = ~np.isnan(values[0] - values[1])
        clusters = stats.clusters_of(np.array(users, object)[known])
        found = stats.paired_difference(values[0, known], values[1, known], clusters, most=most)
        rows.append(AuditRow(name, stats.finite(found.difference), found.ci95, int(known.sum()), 0.0, found.p))
    return corrected(rows)


def corrected(rows: Sequence[AuditRow]) -> list[AuditRow]:
    """Return the differences with Holm-corrected p-values."""
    adjusted = stats.holm([row.p or 0.0 for row in rows])
    return [replace(row, p=p) for row, p in zip(rows, adjusted, strict=True)]


def unread(runs: Iterable[Run], consequence: str) -> str:
    """Return a sentence, to append to others, on the unreadable answers; empty if all are readable."""
    answered = [record.ranking.answered for run in runs for record in run.records.values()]
    missing = answered.count(False)
    return f" {missing:,} of {count_of(len(answered), 'answer')} cannot be read; {consequence}." if missing else ""


def with_reasons(said: str, reasons: Mapping[str, str]) -> str:
    """Return a sentence, to append to others, that lists names with their reasons; empty if there are none."""
    return f" {said}: {'; '.join(f'{name} ({why})' for name, why in reasons.items())}." if reasons else ""


def sentence_of(parts: Sequence[str]) -> str:
    """Join the parts into one sentence."""
    joined = "; ".join(parts)
    return f"{joined[0].upper()}{joined[1:]}."


def share_first(story: CaseStory, items: Iterable[str]) -> float:
    """Return 1 if one of these items is ranked first, else 0; if the first rank is tied, their share of it."""
    first = leaders(story.record.ranking)
    return len(first.intersection(items)) / len(first)


def leaders(ranking: Ranking) -> set[str]:
    """Return the items that share the first rank."""
    above, size = tie_group(ranking, 0)
    return set(ranking.order[above : above + size])


def mid_ranks(ranking: Ranking) -> dict[str, float]:
    """Return the rank of each item, from 1; tied items get the mean of their places."""
    spans, order = tie_spans(ranking), ranking.order
    return {item_id: above + (size + 1) / 2 for above, size in spans for item_id in order[above : above + size]}


def correlation(left: Sequence[float], right: Sequence[float]) -> float:
    """Return Pearson's correlation (for ranks, Spearman's); NaN if one input is constant."""
    if min(left) == max(left) or min(right) == max(right):
        return float("nan")
    return float(np.corrcoef(left, right)[0, 1])


def kendall(left: Sequence[float], right: Sequence[float]) -> float:
    """Return Kendall's tau-b (1945, Biometrika 33), which corrects for ties; NaN if one input is constant."""
    signs = [np.sign(np.subtract.outer(ranks, ranks)) for ranks in map(np.asarray, (left, right))]
    scale = np.sqrt(np.prod([(one**2).sum() for one in signs]))
    return float((signs[0] * signs[1]).sum() / scale) if scale else float("nan")


def top_in_common(left: Mapping[str, float], right: Mapping[str, float], k: int) -> float:
    """Return the Jaccard overlap of two top k, given the rank of each item.

    Tied items whose mean rank is beyond k are in no top; NaN if both tops are empty.
    """
    tops = [{item_id for item_id, rank in ranks.items() if rank <= k} for ranks in (left, right)]
    both = tops[0] | tops[1]
    return len(tops[0] & tops[1]) / len(both) if both else float("nan")
