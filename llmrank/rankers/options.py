"""The options of all ranking methods: the only place for their defaults and choices, apart from the methods."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt

from llmrank.errors import InputError, nearest
from llmrank.rankers.calibration import Strength
from llmrank.rankers.fusion import RecallTerm
from llmrank.types import Ranker

Sort = Literal["all", "heap", "bubble", "insertion"]
Combine = Literal["borda", "reciprocal_rank", "kemeny"]
FuseWeight = Annotated[float, Ge(0)] | Literal["validation"]
CalibrationStrength = Strength | Literal["validation"]


@dataclass(frozen=True, slots=True)
class RankerOptions:
    """The options of all methods. Each method reads its own. None: the method's default."""

    window: Annotated[int, Ge(2)] = 20
    """`sliding_window` and `acurank`: items per call."""
    step: Annotated[int, Ge(1)] = 10
    """`sliding_window`: number of positions that the window moves towards the front."""
    sort: Sort | None = None
    """`pairwise`: compare all pairs (`all`, the default) or sort by `heap`, `bubble` or `insertion` (which starts from
    the recall order); `setwise`: `heap` (the default), `bubble` or `insertion`."""
    group: Annotated[int, Ge(2)] | None = None
    """Items per call of `setwise` (default 4) or `tournament` (default 20)."""
    sort_top: Annotated[int, Ge(1)] = 10
    """`pairwise` and `setwise`: number of top positions to sort; the other candidates are tied below. `acurank`: number
    of top candidates to identify with certainty."""
    tolerance: Annotated[float, Gt(0)] = 0.01
    """`acurank`: keep asking about a candidate while its probability of being in the top is between this and 1 minus
    this."""
    most_calls: Annotated[int, Ge(1)] = 40
    """`acurank`: maximum calls per list, or as many as show each candidate once."""
    rounds: Annotated[int, Ge(1)] = 2
    """`tournament`: number of tournaments, each with different groups."""
    repeats: Annotated[int, Ge(1)] = 1
    """Rank each list this many times, in a different order each time, and combine the rankings."""
    combine: Combine = "borda"
    """How to combine the rankings of --repeats."""
    first: Ranker | None = None
    """A cheap ranker that preselects candidates for the method."""
    first_top: Annotated[int, Ge(2)] = 20
    """Number of candidates that --first passes on to the method."""
    fuse: FuseWeight | None = None
    """Add the recall score, times this weight, to the scores of `first_token`, `pointwise` or `next_title`.
    `validation` first chooses weight and term on each user's last training event."""
    fuse_term: RecallTerm | None = None
    """Recall term to add: the log-softmax of the recall `scores`, or −ln(60 + rank) for the recall `ranks`, also for
    Cases without scores.  [default: scores; with --fuse validation the better one]"""
    fuse_users: Annotated[int, Ge(0)] = 400
    """Users to sample for --fuse validation and --calibrate validation; 0: all. Only those whose item recall proposes
    cost calls."""
    calibrate: CalibrationStrength | None = None
    """`first_token`: subtract, times this strength (usually 1), the scores that the same prompt gives to each position
    with empty items, at the cost of a second call per list. `adaptive`: subtract more where the model is less sure.
    `validation` first chooses the strength on each user's last training event."""
    seed: int = 0
    """Seed for the groups of `tournament` and the orders of repeats."""


DEFAULTS = RankerOptions()


def check_choice(option: str, value: str, choices: Collection[str]) -> None:
    """Raise InputError for a value that is not one of the choices."""
    if value not in choices:
        hint = f"use {', '.join(choices)}"
        raise InputError(f"unknown choice {value!r}{nearest(value, choices)}", field=option, hint=hint)


def check_least(option: str, value: int, least: int) -> None:
    """Raise InputError for a value below the minimum."""
    if value < least:
        raise InputError(f"{value} is too small", field=option, hint=f"use {least} or more")
