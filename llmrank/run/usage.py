"""What a Run's answers took: calls, tokens and seconds, in all and per Case, and what they cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from llmrank.errors import InputError
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
ALWAYS = ("calls", "prompt tokens", "completion tokens", "seconds")
"""What is said even where there is none of it."""


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One quantity: its sum, and how it is spread over the Cases."""

    name: str
    total: float
    mean: float
    """Per Case."""
    p50: float
    """Of half of the Cases it is no more than this."""
    p95: float
    most: float


@dataclass(frozen=True, repr=False)
class RunUsage(Shown):
    """What `usage` found. It prints as a table."""

    key, dropped = "usage", ("mean",)
    cases: int
    rows: tuple[UsageRow, ...]
    made: int
    """Answers that calls for this Run got, as far as its sessions tell; the others came from the Store or a file."""
    cost: float | None
    """Money for all answers; None where no prices are given."""
    currency: str | None
    prices_dated: str | None
    unreported: int
    """Cases with answers of which the endpoint did not say how many tokens they took."""

    def __getitem__(self, name: str) -> UsageRow:
        """Return a row by its name; raises KeyError where it is left out."""
        return {row.name: row for row in self.rows}[name]

    def table(self) -> TextTable:
        """Return a row per quantity."""
        head = ("per Case", "mean", "p50", "p95", "most", "in all")
        rows = [(row.name, *map(_shown, (row.mean, row.p50, row.p95, row.most, row.total))) for row in self.rows]
        return TextTable(head, tuple(rows))

    def notes(self) -> tuple[str, ...]:
        """Return what the seconds are, what came from the Store, and what all of it cost, in sentences."""
        failed = sum(row.total for row in self.rows if row.name == "calls without an answer")
        answers = int(self["calls"].total - failed)
        said = ["seconds: from a Case's first call to its last answer, waiting for other Cases included."]
        if self.made < answers:
            before = f"{answers - self.made:,} of {answers:,} answers were there before: they took no time"
            said.append(f"{before}; or came in a session that was killed.")
        if self.unreported:
            said.append(
                f"The endpoint does not say how many tokens {self.unreported:,} of the Cases took: they count as 0."
            )
        if self.cost is not None and self.currency is not None:
            each = show_money(1000 * self.cost / self.cases, self.currency)
            total = show_money(self.cost, self.currency)
            said.append(f"cost: {total} for all answers, {each} per 1,000 Cases; prices of {self.prices_dated}.")
        return tuple(said)


def usage(run: Run) -> RunUsage:
    """Return what a Run's answers took.

    Raises InputError where the Run is not finished, or its method asks no model.
    """
    known, records = run.metrics.usage, [run.records[case.case_id] for case in run.done]
    if not known.requests:
        raise InputError("the Run made no model calls", path=run.path, hint="name a Run whose method asks a model")
    values = {name: np.array([of(record) for record in records], np.float64) for name, of in OF_CASE.items()}
    rows = [
        UsageRow(name, float(some.sum()), float(some.mean()), *np.percentile(some, (50, 95, 100)).tolist())
        for name, some in values.items()
        if name in ALWAYS or some.any()
    ]
    made = sum(session.get("answered", session.get("calls", 0)) for session in run.sessions)
    return RunUsage(len(records), tuple(rows), made, known.cost, known.currency, known.prices_dated, known.unreported)


def _shown(value: float) -> str:
    """Return a count without decimals, and anything else with three digits at least."""
    decimals = 0 if value == int(value) or value >= 1000 else 1
    return f"{value:,.3g}" if decimals and value < 100 else f"{value:,.{decimals}f}"
