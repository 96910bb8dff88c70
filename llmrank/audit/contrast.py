"""Compare several variants on the same Cases: their values, differences from the first, and agreement."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import comb, fsum
from typing import Self

import numpy as np

from llmrank.audit.finding import (
    Audit,
    AuditRow,
    difference_rows,
    kendall,
    mean_row,
    mid_ranks,
    sentence_of,
    top_in_common,
    unread,
)
from llmrank.errors import InputError
from llmrank.run import Run
from llmrank.run.compare import done_in_all
from llmrank.run.tables import MINUS, between, number
from llmrank.stats import Values
from llmrank.types import Case, Ranking

TOP = 10
"""The length of a top; if all lists have fewer than twice as many items, it is half of the longest list."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """The Cases that all variants have finished, and the headline measure of each Case under each variant."""

    runs: Mapping[str, Run]
    """By name of the variant; the others are compared with the first."""
    headline: str
    cases: tuple[Case, ...]
    values: Mapping[str, Sequence[float]]
    """By name of the variant, aligned with `cases`; NaN if the truth is unknown."""
    said: Callable[[str], str] = str
    """Returns a variant in words, given its name."""

    @classmethod
    def of(cls, runs: Mapping[str, Run], said: Callable[[str], str] = str) -> Self:
        """Build the contrast; raises InputError if no relevant item is known in a shared Case."""
        first = next(iter(runs.values()))
        headline = first.metrics.headline
        cases = tuple(done_in_all(runs.values()))
        if headline is None or not any(case.relevant for case in cases):
            hint = "audit Cases whose relevant items are known"
            raise InputError("no shared Case has a known relevant item", path=first.path, hint=hint)
        values = {name: run.per_case(headline, cases).tolist() for name, run in runs.items()}
        return cls(runs, headline, cases, values, said)

    @property
    def first(self) -> str:
        """The variant that the others are compared with."""
        return next(iter(self.runs))

    @property
    def about(self) -> str:
        """What was audited: the title of the first Run."""
        return self.runs[self.first].title

    @property
    def users(self) -> list[str]:
        """The user of each Case."""
        return [case.user_id for case in self.cases]

    def measured(self) -> tuple[Values, list[str]]:
        """Return the values of the Cases with a known truth, as float64[variant, case], and the user of each Case."""
        values = np.array([self.values[name] for name in self.runs], dtype=np.float64)
        known = np.flatnonzero(~np.isnan(values).any(axis=0))
        return values[:, known], [self.cases[at].user_id for at in known]

    @property
    def others(self) -> list[str]:
        """The variants that are compared with the first."""
        return [*self.runs][1:]

    def rankings(self, name: str) -> list[Ranking]:
        """Return a variant's Ranking of each Case."""
        records = self.runs[name].records
        return [records[case.case_id].ranking for case in self.cases]

    def levels(self) -> list[AuditRow]:
        """Return the headline measure under each variant."""
        named = {name: f"{self.headline}, {self.said(name)}" for name in self.runs}
        return [mean_row(row, self.values[name], self.users, (0, 1)) for name, row in named.items()]

    def differences(self) -> list[AuditRow]:
        """Return the headline measure of each other variant minus that of the first, with corrected p-values."""
        values, minus = self.values, f"minus {self.said(self.first)}"
        compared = [
            (f"{self.said(name)} {minus}", values[name], values[self.first], self.users) for name in self.others
        ]
        return difference_rows(compared, most=1)

    def agreement(self) -> Iterator[AuditRow]:
        """Yield the agreement of each other variant with the first: Kendall's tau, and the overlap of the tops.

        Cases with fewer than two candidates, or without a readable answer in both, are left out.
        """
        k, said = length_of_top(self.cases), self.said
        for name in self.others:
            both = [
                (case, mid_ranks(left), mid_ranks(right))
                for case, left, right in zip(self.cases, self.rankings(self.first), self.rankings(name), strict=True)
                if left.answered and right.answered and len(case.candidates) > 1
            ]
            users, pair = [case.user_id for case, _, _ in both], f"{said(name)} and {said(self.first)}"
            tau = [kendall([left[item_id] for item_id in right], [*right.values()]) for _, left, right in both]
            tops = [top_in_common(left, right, k) for _, left, right in both]
            chances = [expected_in_common(len(case.candidates), k) for case, _, _ in both]
            yield mean_row(f"{pair}, Kendall's tau", tau, users, (-1, 1), 0.0, graded=True)
            chance = fsum(chances) / len(chances) if chances else None
            yield mean_row(f"{pair}, top {named_top(k)}, overlap", tops, users, (0, 1), chance, graded=True)

    def unread(self) -> list[AuditRow]:
        """Return the share of the Cases without a readable answer under each variant."""
        missing = {name: [float(not ranking.answered) for ranking in self.rankings(name)] for name in self.runs}
        return [
            mean_row(f"unreadable answers, {self.said(name)}", found, self.users, (0, 1))
            for name, found in missing.items()
        ]

    def audit(
        self, question: str, subject: Callable[[str], str], more: Sequence[AuditRow] = (), remark: str = ""
    ) -> Audit:
        """Return the audit of the variants: their levels, differences, agreement and unread answers.

        `subject` describes what a variant changes, as the subject of a claim; `more` are extra rows, and `remark`
        follows the claims.
        """
        gained = self.differences()
        claims = [worth(subject(name), row, self.headline) for name, row in zip(self.others, gained, strict=True)]
        sentence = sentence_of(claims) + remark + unread(self.runs.values(), "such answers count as worst")
        rows = (*self.levels(), *gained, *more, *self.agreement(), *self.unread())
        return Audit(question, sentence, rows, self.about)


def worth(subject: str, row: AuditRow, headline: str) -> str:
    """Put a difference into words: its subject raises the measure, lowers it, or neither."""
    numbers = f"({between(row.ci95, sign=True)}, {row.tested})"
    if not row.direction:
        return f"no significant effect of {subject} {numbers}"
    verb = "raises" if row.direction > 0 else "lowers"
    return f"{subject} {verb} {headline} by {number(row.value).lstrip(MINUS)} {numbers}"


def length_of_top(cases: Sequence[Case]) -> int:
    """Return the length of a top for these Cases: at most half of the longest list, and at least one."""
    return min(TOP, max((1, *(len(case.candidates) // 2 for case in cases))))


def named_top(k: int) -> str:
    """Return the length of a top, and what it is if the lists are too short for the usual one."""
    return f"{k}" if k == TOP else f"{k} (half of the longest list)"


def expected_in_common(n: int, k: int) -> float:
    """Return the expected Jaccard overlap of the top k of two random orders of n items.

    The number of shared items is hypergeometric.
    """
    k = min(k, n)
    weights = {both: comb(k, both) * comb(n - k, k - both) for both in range(max(0, 2 * k - n), k + 1)}
    return fsum(weight * both / (2 * k - both) for both, weight in weights.items()) / comb(n, k)
