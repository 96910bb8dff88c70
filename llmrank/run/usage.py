"""The usage of a Run: calls, tokens, seconds and cost, in total and per Case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from llmrank.errors import InputError, count_of
from llmrank.prices import show_money
from llmrank.run.record import CaseRecord
from llmrank.run.tables import Shown, TextTable
from llmrank.types import Failure

if TYPE_CHECKING:
    from llmrank.run.run import Run

OF_CASE: dict[str, Callable[[CaseRecord], float]] = {
    "calls": lambda record: len(record.requests),
    "calls without an answer": lambda record: sum(isinstance(reply, Failure) for reply in record.replies),
    "prompt tokens": lambda record: record.usage.prompt_tokens,
    "from the prefix cache": lambda record: record.usage.cached_tokens,
    "completion tokens": lambda record: record.usage.completion_tokens,
    "reasoning tokens": lambda record: record.usage.reasoning_tokens,
    "seconds": lambda record: record.seconds,
}
PER = 1000
"""Money is given per this many Cases."""
ALWAYS = ("calls", "prompt tokens", "completion tokens", "seconds")
"""Quantities shown even if they are 0."""


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One quantity: its total, and its distribution over the Cases."""

    name: str
    total: float
    mean: float
    """Per Case."""
    p50: float
    """The median Case."""
    p95: float
    most: float


@dataclass(frozen=True, repr=False)
class RunUsage(Shown):
    """The result of `usage`. It prints as a table."""

    key, dropped = "usage", ("mean",)
    cases: int
    rows: tuple[UsageRow, ...]
    made: int
    """Answers received by calls of this Run, according to its sessions; the others came from the Store or a file."""
    cost: float | None
    """Money for all answers; None if no prices are given."""
    currency: str | None
    prices_dated: str | None
    unreported: int
    """Answered Cases whose token usage the endpoint did not report."""
    from_file: bool = False
    """Whether the answers came from a file: nothing is known of their tokens and times."""

    def __getitem__(self, name: str) -> UsageRow:
        """Return a row by name; raises KeyError if it is left out."""
        return {row.name: row for row in self.rows}[name]

    def table(self) -> TextTable:
        """Return a row per quantity."""
        head = ("per Case", "mean", "p50", "p95", "most", "in all")
        rows = [(row.name, *map(_shown, (row.mean, row.p50, row.p95, row.most, row.total))) for row in self.rows]
        return TextTable(head, tuple(rows))

    def notes(self) -> tuple[str, ...]:
        """Return sentences on what the seconds mean, which answers were stored, and the total cost."""
        if self.from_file:
            return ("Answers from a file: no tokens or times are known.",)
        failed = sum(row.total for row in self.rows if row.name == "calls without an answer")
        answers = int(self["calls"].total - failed)
        notes = ["seconds: from a Case's first call to its last answer, including waits for other Cases."]
        if self.made < answers:
            stored = f"{answers - self.made:,} of {count_of(answers, 'answer')}"
            notes.append(f"{stored} took no time: stored before, or received by a session that was killed.")
        if self.unreported:
            notes.append(f"The endpoint reported no token usage for {count_of(self.unreported, 'Case')}, counted as 0.")
        if self.cost is not None and self.currency is not None:
            each = show_money(1000 * self.cost / self.cases, self.currency)
            total = show_money(self.cost, self.currency)
            notes.append(f"cost: {total} for all answers, {each} per 1,000 Cases; prices of {self.prices_dated}.")
        return tuple(notes)


def money(runs: Sequence[Run]) -> tuple[str, list[float]] | None:
    """Return the currency and what each Run costs per 1,000 Cases. The cost is known per Run, so each of its Cases is
    charged the same share.

    Return None unless all are finished and the prices of all that ask a model are known in one currency.
    """
    if any(one.unfinished for one in runs):
        return None
    asking = [one.metrics.usage for one in runs if one.metrics.usage.requests]
    currencies = {one.currency if one.cost is not None else None for one in asking}
    if len(currencies) != 1 or (currency := currencies.pop()) is None:
        return None
    return currency, [PER * (one.metrics.usage.cost or 0.0) / len(one.done) for one in runs]


def usage(run: Run) -> RunUsage:
    """Return the calls, tokens and seconds that a Run used.

    Raises InputError if the Run is not finished, or if its method asks no model.
    """
    known, records = run.metrics.usage, [run.records[case.case_id] for case in run.done]
    if not known.requests:
        raise InputError("the Run made no model calls", path=run.path, hint="name a Run whose method asks a model")
    values = {name: np.array([of(record) for record in records], np.float64) for name, of in OF_CASE.items()}
    from_file = not any(key for record in records for key in record.requests)
    always = ("calls",) if from_file else ALWAYS
    rows = [
        UsageRow(name, float(some.sum()), float(some.mean()), *np.percentile(some, (50, 95, 100)).tolist())
        for name, some in values.items()
        if name in always or some.any()
    ]
    made = sum(session.get("answered", session.get("calls", 0)) for session in run.sessions)
    paid = known.cost, known.currency, known.prices_dated
    return RunUsage(len(records), tuple(rows), made, *paid, known.unreported, from_file)


def _shown(value: float) -> str:
    """Format a count without decimals, and other values with at least three digits."""
    decimals = 0 if value == int(value) or value >= 1000 else 1
    return f"{value:,.3g}" if decimals and value < 100 else f"{value:,.{decimals}f}"
