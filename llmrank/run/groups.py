"""Group a Run's Cases to see for whom a method beats its recall stage."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from llmrank import stats
from llmrank.errors import InputError, count_of, expect, nearest, one_line
from llmrank.measures.judgements import tie_group
from llmrank.rankers.ranking import most_frequent
from llmrank.run.gain import Gain
from llmrank.run.metrics import in_recall_order, the_measure
from llmrank.run.tables import SIGNIFICANT, Shown, TextTable, p_value
from llmrank.types import Case, Item, Ranking

if TYPE_CHECKING:
    from llmrank.run.run import Run

HISTORY, RELEVANT, PLACE = WAYS = ("history", "relevant item", "recall place")
"""Ways to group the Cases of any Run."""
OF_RELEVANT = "relevant "
"""Before the name of an attribute: group by that of the relevant item."""
MOST_VALUES = 10
"""Values of a column that get a group each; if there are more, numbers are cut into three groups."""
LONGEST_NAME = 40
"""Maximum length of a group name, in characters."""
PLACES = (1, 2, 6, 11, 21)
"""The first place of each range of places in recall order."""
MISSED = "missed"
"""The group of the Cases whose relevant items recall missed, among those by recall place."""

Members = tuple[str, NDArray[np.bool_]]
"""The name of a group, and a mask of the Cases in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group(Gain):
    """A group of Cases, with the method's gain on them."""

    by: str
    name: str
    p_holm: float = 1.0
    """`p`, corrected (Holm) for all groups; those by recall place apart, without the one that recall missed."""


@dataclass(frozen=True, repr=False)
class Groups(Shown):
    """The result of `groups`. It prints as a table; differences are the method minus recall order."""

    dropped = ("method CI", "Cases", "p (Holm)")
    measure: str
    groups: tuple[Group, ...]
    missed: int = 0
    """Number of Cases without a relevant candidate."""

    def __iter__(self) -> Iterator[Group]:
        return iter(self.groups)

    def notes(self) -> tuple[str, ...]:
        """Return what the difference is, which Cases are in no group, and warnings."""
        notes = ["difference: the method minus recall order, paired on users"]
        if any(one.p_holm < SIGNIFICANT and one.holds_zero for one in self.groups):
            notes.append(
                "Where p (Holm) is below .05 but the interval includes 0, do not rely on the difference: with few "
                "users the interval is wider than the test implies."
            )
        if self.missed and any(one.by == RELEVANT or one.by.startswith(OF_RELEVANT) for one in self.groups):
            cases = count_of(self.missed, "Case is", "Cases are")
            notes.append(f"{cases} in no group by relevant item: the recall stage missed all of them.")
        if any(one.by == PLACE for one in self.groups):
            notes.append(
                "recall place: any method, even a random one, can only lose where recall order put the item first, and "
                "gains most where it put it last. These groups come last, with a Holm correction of their own."
            )
        return tuple(notes)

    def table(self) -> TextTable:
        """Return a row per group."""
        rows = [(f"{one.by}: {one.name}", f"{one.cases:,}", *one.cells, p_value(one.p_holm)) for one in self.groups]
        head = ("group", "Cases", self.measure, "method CI", "difference", "95% CI", "p (Holm)")
        return TextTable(head, tuple(rows))


def groups(run: Run, measure: str, by: Sequence[str] = ()) -> Groups:
    """Return the gain of a Run's method by group of Cases.

    By default Cases are grouped in three ways: by history length, by popularity of the relevant item, and by its place
    in recall order. The first two are cut into three groups of about equal size; users without a history, and items
    without a training event, form their own group. If several candidates are relevant, those with the highest gain
    count; of several, the most popular one and the best place; for tied recall scores, the mean of their places. Cases
    whose relevant items the recall stage missed have neither: no method can gain there. Cases without a known truth are
    in no group.

    An extra column of the Cases (`Case.columns`) gives a group for each value, or for its most frequent values; many
    different numbers are cut into three groups. Cases without a value form their own group. The same holds for an item
    attribute that all candidates of each Case share, such as the city that was searched. `relevant NAME` groups by any
    attribute of the relevant candidate with the highest gain (of several, the first).

    Groups by recall place come last, with a warning, and are corrected (Holm) apart from the others: any change of
    order loses where the recall stage was right (place 1) and gains where it was wrong, even a random one.

    `by` names ways to group: `history`, `relevant item`, `recall place`, columns of the Cases, shared attributes, and
    `relevant NAME`.
    Raises InputError for an unknown measure or way to group, or for a rating Run.
    """
    run.require_recall_order()
    chosen, cases = the_measure(measure, "ranking"), [case for case in run.done if case.relevant]
    own = {name for case in run.cases for name in case.columns} | _shared_attributes(run.cases)
    of_items = {name for case in run.cases for item in case.candidates for name in item.attributes}
    ways = (*WAYS, *sorted(own), *sorted(f"{OF_RELEVANT}{name}" for name in of_items - own))
    expect(by, Iterable, "the names of groups", "by")
    for way in by:
        expect(way, str, "the names of groups", "by")
        if way not in ways:
            similar = f"{OF_RELEVANT}{way}" if way in of_items else ""
            problem = f"the Cases of {run.path} have no column {way!r}{nearest(similar or way, ways)}"
            raise InputError(problem, field="by", hint=f"group by one of {', '.join(ways)}")
    values, recalled = run.per_case(chosen, cases), run.recall_order(chosen, cases)
    users = stats.clusters_of(case.user_id for case in cases)
    found = [
        Group.of(values[which], recalled[which], users[which], by=one_line(way), name=name)
        for way in dict.fromkeys(by or WAYS)
        for name, which in _members(way, cases, run.metric_settings.popularity, is_own=way in own)
        if which.any()
    ]
    by_place = [one for one in found if one.by == PLACE]
    others = [one for one in found if one.by != PLACE]
    tested = [one for one in by_place if one.name != MISSED]
    # The value of the others is 0 in any order: there is nothing to estimate, and nothing to test.
    fixed = [replace(one, ci95=(0.0, 0.0), difference_ci95=(0.0, 0.0)) for one in by_place if one.name == MISSED]
    missed = sum(not most_relevant(case) for case in cases)
    return Groups(str(chosen), (*_corrected(others), *_corrected(tested), *fixed), missed)


def _corrected(found: Sequence[Group]) -> list[Group]:
    p_values = stats.holm([one.p for one in found])
    return [replace(one, p_holm=p) for one, p in zip(found, p_values, strict=True)]


def _members(way: str, cases: Sequence[Case], popularity: Mapping[str, int], *, is_own: bool) -> Iterator[Members]:
    """Yield the groups of one way to group the Cases, in display order. `is_own`: the Cases have it as a column."""
    if way == HISTORY:
        return _by_history(cases)
    if way == RELEVANT:
        return _by_popularity(cases, popularity)
    if way == PLACE:
        return _by_place(cases)
    if not is_own:
        return _by_relevant(cases, way.removeprefix(OF_RELEVANT))
    shared = [case.candidates[0].attributes if case.candidates else {} for case in cases]
    if any(way in case.columns for case in cases):
        shared = [case.columns for case in cases]
    return _by_column([one.get(way, "").strip() or None for one in shared])


def _shared_attributes(cases: Sequence[Case]) -> set[str]:
    """Return the item attributes that have a single value, or none, among the candidates of each Case."""
    names = {name for case in cases for item in case.candidates for name in item.attributes}
    for case in cases:
        first = case.candidates[0].attributes if case.candidates else {}
        names = {
            name for name in names if all(item.attributes.get(name) == first.get(name) for item in case.candidates)
        }
    return names


def _by_history(cases: Sequence[Case]) -> Iterator[Members]:
    lengths = np.array([len(case.history) for case in cases])
    yield "none", lengths == 0
    yield from _thirds(lengths, lengths > 0, "{:,}", " events")


def most_relevant(case: Case) -> list[Item]:
    """Return the candidates with the highest gain, in order; none if no relevant item is a candidate."""
    gains = case.gain_of
    found = [item for item in case.candidates if item.item_id in gains]
    most = max((gains[item.item_id] for item in found), default=0.0)
    return [item for item in found if gains[item.item_id] == most]


def _by_relevant(cases: Sequence[Case], name: str) -> Iterator[Members]:
    """Yield groups by an attribute of the relevant candidate with the highest gain; Cases without one are in none."""
    wanted = [most_relevant(case) for case in cases]
    best = [found[0].attributes if found else {} for found in wanted]
    hit = np.array([bool(found) for found in wanted], dtype=np.bool_)
    for value, which in _by_column([one.get(name, "").strip() or None for one in best]):
        yield value, which & hit


def _by_popularity(cases: Sequence[Case], popularity: Mapping[str, int]) -> Iterator[Members]:
    wanted = [most_relevant(case) for case in cases]
    counts = np.array([max((popularity.get(item.item_id, 0) for item in found), default=0) for found in wanted])
    if popularity:
        yield "no event", np.array([bool(found) for found in wanted], dtype=np.bool_) & (counts == 0)
        yield from _thirds(counts, counts > 0, "{:,}", " events")


def _by_place(cases: Sequence[Case]) -> Iterator[Members]:
    best = np.array([_best_place(*pair) for pair in zip(cases, in_recall_order(cases), strict=True)])
    last = max((len(case.candidates) for case in cases), default=0)
    for low, high in pairwise((*PLACES, math.inf)):
        yield _range(f"{low}", f"{min(high - 1, last)}"), (low <= best) & (best < high)
    yield MISSED, best == 0


def _best_place(case: Case, recalled: Ranking) -> int:
    """Return the best place of a most relevant item (tied: the mean place, rounded up); 0 if none is a candidate."""
    wanted = {item.item_id for item in most_relevant(case)}
    places = [at for at, item_id in enumerate(recalled.order) if item_id in wanted]
    above, size = tie_group(recalled, places[0]) if places else (0, -1)
    return above + (size + 2) // 2


def _by_column(values: Sequence[str | None]) -> Iterator[Members]:
    """Yield a group for each of the most frequent values, one for all others, and one for missing values."""
    counts = Counter(value for value in values if value is not None)
    numbers = {value: number for value in counts if (number := _number(value)) is not None}
    shown = [value for value, _ in most_frequent(counts)[:MOST_VALUES]]
    if len(counts) > MOST_VALUES and len(numbers) == len(counts):
        measured = np.array([math.nan if value is None else numbers[value] for value in values])
        yield from _thirds(measured, ~np.isnan(measured), "{:.10g}")
    else:
        for value in sorted(shown, key=lambda value: (numbers.get(value, math.inf), value)):
            yield one_line(value, LONGEST_NAME), np.array([one == value for one in values])
        if others := len(counts) - len(shown):
            yield count_of(others, "other value"), np.array([one is not None and one not in shown for one in values])
    yield "not given", np.array([one is None for one in values])


def _number(text: str) -> float | None:
    """Parse a finite number; None for any other text."""
    with suppress(ValueError):
        return number if math.isfinite(number := float(text)) else None
    return None


def _thirds(values: NDArray[Any], among: NDArray[np.bool_], form: str, unit: str = "") -> Iterator[Members]:
    """Yield the lower, middle and upper third of the values selected by `among`; equal values stay together.

    Each is named by its lowest and highest value, formatted with `form`, and the unit.
    """
    if not among.any():
        return
    low, high = np.quantile(values[among], [1 / 3, 2 / 3])
    for within in (values <= low, (values > low) & (values <= high), values > high):
        if (which := within & among).any():
            low_end, high_end = (form.format(end) for end in (values[which].min(), values[which].max()))
            name = _range(low_end, high_end)
            yield name + (unit.removesuffix("s") if name == "1" else unit), which


def _range(low: str, high: str) -> str:
    """Name a range of values, or a single value."""
    return low if low == high else f"{low} to {high}"
