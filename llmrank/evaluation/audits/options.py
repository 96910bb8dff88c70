"""The options of each audit that asks the model; the command line derives its own from these fields."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NoOptions:
    """An audit that takes the options of an evaluation alone."""


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """What `history` asks besides."""

    last: int | None = None
    """Also ask with the last N events of each history alone."""
