"""The options of the methods. Each default and each list of choices is written here, or in the method, and once."""

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


@dataclass(frozen=True, slots=True)
class RankerOptions:
    """The options of all methods; each method reads those that it knows. None: the method's own default."""

    window: Annotated[int, Ge(2)] = 20
    """`sliding_window` and `acurank`: items shown in one call."""
    step: Annotated[int, Ge(1)] = 10
    """`sliding_window`: how many positions a window moves towards the front."""
    sort: Sort | None = None
    """`pairwise`: compare all pairs (`all`, the default) or sort by `heap`, `bubble` or `insertion` (which starts from
    the recall order); `setwise`: `heap` (the default), `bubble` or `insertion`."""
    group: Annotated[int, Ge(2)] | None = None
    """Items shown in one call of `setwise` (default 4) or `tournament` (default 20)."""
    sort_top: Annotated[int, Ge(1)] = 10
    """`pairwise` and `setwise`: how many places a sort fills; the other candidates are tied below. `acurank`: how many
    places it wants to be sure of."""
    tolerance: Annotated[float, Gt(0)] = 0.01
    """`acurank`: a candidate is asked about again while it is among the best with a probability above this, and below 1
    minus this."""
    most_calls: Annotated[int, Ge(1)] = 40
    """`acurank`: calls after which a list is asked about no further."""
    rounds: Annotated[int, Ge(1)] = 2
    """`tournament`: how many tournaments are played, each with other groups."""
    repeats: Annotated[int, Ge(1)] = 1
    """How many times the method ranks the list, each time in another order; the rankings are then combined."""
    combine: Combine = "borda"
    """How the rankings of several repeats are combined."""
    first: Ranker | None = None
    """A cheap ranker that preselects: the method ranks only its top."""
    first_top: Annotated[int, Ge(2)] = 20
    """How many candidates the cheap ranker leaves to the method."""
    fuse: FuseWeight | None = None
    """Add the recall stage's opinion, times this weight, to the scores of `first_token`, `pointwise` or `next_title`;
    `validation` chooses weight and term on each user's last training event, and then keeps them."""
    fuse_term: RecallTerm | None = None
    """What counts of the recall stage: the log-softmax of its `scores`, or its `ranks`.  [default: scores; with --fuse
    validation the better one]"""
    fuse_users: Annotated[int, Ge(0)] = 400
    """Users drawn for --fuse validation; 0: all. Asked are those whose item the recall stage proposes."""
    calibrate: Strength | None = None
    """`first_token`: take off, times this strength (usually 1), what the same prompt gives each place with empty items:
    a second call per list; `adaptive`: the less sure the model is of a list, the more."""
    seed: int = 0
    """Draws the groups of `tournament` and the orders of repeats."""


DEFAULTS = RankerOptions()


def check_choice(option: str, value: str, choices: Collection[str]) -> None:
    """Raise InputError for a value that is none of the choices."""
    if value not in choices:
        hint = f"use {', '.join(choices)}"
        raise InputError(f"unknown choice {value!r}{nearest(value, choices)}", field=option, hint=hint)


def check_least(option: str, value: int, least: int) -> None:
    """Raise InputError for a value below the least with which the method works."""
    if value < least:
        raise InputError(f"{value} is too few", field=option, hint=f"use {least} or more")
