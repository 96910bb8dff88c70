"""For whom a method is better than its recall stage, and for whom it is not: a Run's Cases in groups."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from llmrank import stats
from llmrank.rankers.baselines import RecallOrder
from llmrank.run.gain import Gain
from llmrank.run.metrics import ranked_by
from llmrank.run.tables import Shown, TextTable, p_value
from llmrank.types import Case

if TYPE_CHECKING:
    from llmrank.run.run import Run

PLACES = (1, 2, 6, 11, 21)
"""The first place of each group of places in the recall stage's order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group(Gain):
    """Some of a Run's Cases."""

    by: str
    name: str
    p_holm: float = 1.0
    """`p`, corrected (Holm) for all groups."""


@dataclass(frozen=True, repr=False)
class Groups(Shown):
    """What `groups` found. It prints as a table; differences are the method minus recall order."""

    note = "difference: the method minus recall order, paired on users"
    measure: str
    groups: tuple[Group, ...]

    def __iter__(self) -> Iterator[Group]:
        return iter(self.groups)

    def table(self) -> TextTable:
        """Return a row per group."""
        rows = [(f"{one.by}: {one.name}", f"{one.cases:,}", *one.cells, p_value(one.p_holm)) for one in self.groups]
        head = ("group", "Cases", self.measure, "95% CI", "difference", "95% CI", "p (Holm)")
        return TextTable(head, tuple(rows))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {"measure": self.measure, "groups": [asdict(one) for one in self.groups]}


def groups(run: Run, measure: str) -> Groups:
    """Return a Run's Cases in groups: by length of history, popularity of what is relevant, and its recall place.

    The first two are cut into three groups of about equal size; items without a training event are a group of their
    own. Where several candidates are relevant, the most popular counts, and the best place. Cases whose relevant items
    the recall stage missed have neither: no method can gain there. Cases without a known truth are in no group.

    Whatever changes an order loses where the recall stage was right (place 1), and gains where it was wrong: by itself
    that says nothing of the method.

    Args:
        run: A Run about rankings.
        measure: Such as `NDCG@10`.

    Raises:
        InputError: an unknown measure, or a Run about ratings.
    """
    run.require_rankings()
    known = run.judged(run.done).judged
    cases = [case for case, there in zip(run.done, known, strict=True) if there]
    values = run.per_case(measure)[[case.case_id in run.records for case in run.cases]][known]
    recalled = run.recall_order(measure)[known]
    users = stats.clusters_of(case.user_id for case in cases)
    found = [
        Group.of(values[which], recalled[which], users[which], by=by, name=name)
        for by, name, which in _members(cases, run.metric_settings.popularity)
        if which.any()
    ]
    corrected = stats.holm([one.p for one in found])
    return Groups(measure, tuple(replace(one, p_holm=p) for one, p in zip(found, corrected, strict=True)))


def _members(cases: Sequence[Case], popularity: Mapping[str, int]) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Yield each way to group with each of its groups and the Cases that are in it, in the order to be shown."""
    wanted = [
        [(place, item_id) for place, item_id in enumerate(recalled.order, 1) if item_id in case.relevant]
        for case, recalled in zip(cases, ranked_by(cases, RecallOrder()), strict=True)
    ]
    best = np.array([found[0][0] if found else 0 for found in wanted])
    yield from _thirds("history", np.array([len(case.history) for case in cases]), best >= 0, "events")
    if popularity:
        counts = np.array([max((popularity.get(item_id, 0) for _, item_id in found), default=0) for found in wanted])
        yield "relevant item", "no event", (best > 0) & (counts == 0)
        yield from _thirds("relevant item", counts, counts > 0, "events")
    last = max((len(case.candidates) for case in cases), default=0)
    for low, high in pairwise((*PLACES, math.inf)):
        name = f"{low}" if high == low + 1 else f"{low} to {min(high - 1, last)}"
        yield "recall place", name, (low <= best) & (best < high)
    yield "recall place", "missed", best == 0


def _thirds(
    by: str, values: NDArray[np.int_], among: NDArray[np.bool_], unit: str
) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Yield the lower, middle and upper third of what is among the Cases; equal values stay together."""
    if not among.any():
        return
    low, high = np.quantile(values[among], [1 / 3, 2 / 3])
    for within in (values <= low, (values > low) & (values <= high), values > high):
        if (which := within & among).any():
            yield by, f"{values[which].min():,} to {values[which].max():,} {unit}", which
