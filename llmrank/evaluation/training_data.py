"""Data from before the cut-off: popularity, rating means, and solved examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf

from llmrank.data.cases import event_counts
from llmrank.data.rows import scale_of
from llmrank.prompting import ShotPool
from llmrank.rankers.baselines import RatingMeans
from llmrank.types import USUAL_SCALE, Case, Event, liked_from


@dataclass(frozen=True)
class TrainingData:
    """The training events of all users, including those who are not evaluated. Loaded lazily."""

    read: Callable[[], Iterable[Case]]
    """Returns a Case with the history of each user; other fields of the Case are ignored."""
    scale: tuple[float, float] = USUAL_SCALE
    """Lowest and highest true rating."""
    rated: tuple[float, float] | None = None
    """Lowest and highest rating of the histories; None: `history_scale` finds it."""

    @cached_property
    def popularity(self) -> Mapping[str, int]:
        """Training events per item id (see `event_counts`)."""
        return event_counts(self.read())

    @cached_property
    def history_scale(self) -> tuple[float, float]:
        """The scale of the ratings in the histories: `scale`, unless they have their own, such as stars beside truths
        of 0 and 1."""
        if self.rated is not None:
            return self.rated
        values = [rating for _, _, rating in self._ratings()]
        own = scale_of(values)
        fits = not values or (self.scale[0] <= min(values) and max(values) <= self.scale[1] and own != (0.0, 1.0))
        return self.scale if fits else own

    @cached_property
    def rating_means(self) -> RatingMeans:
        """The means of the training ratings, on `scale`. Raises InputError if there are none.

        If the truth is 0 or 1 and the histories contain stars, ratings that count as liked are 1.
        """
        rated = [*self._ratings()]
        values = [rating for _, _, rating in rated]
        if rated and not self.scale[0] <= min(values) <= max(values) <= self.scale[1]:
            yes = liked_from(self.history_scale)
            rated = [(user, item, self.scale[rating >= yes]) for user, item, rating in rated]
        return RatingMeans.of(rated)

    @property
    def has_ratings(self) -> bool:
        """Whether any training event has a rating."""
        return next(self._ratings(), None) is not None

    def _ratings(self) -> Iterator[tuple[str, str, float]]:
        """Yield user id, item id and rating of every rated event."""
        for case in self.read():
            for event in case.history:
                if event.rating is not None:
                    yield case.user_id, event.item.item_id, event.rating

    @cached_property
    def shot_pool(self) -> ShotPool:
        """The histories from which solved examples are chosen."""
        return ShotPool.of([*self.read()])


def earlier_events(cases: Iterable[Case]) -> list[Case]:
    """Return a Case per user whose history merges the histories of all their Cases, oldest first where times are known.

    An event that is in several of them counts once; one that a single history repeats counts as often as it stands
    there. Relevant items of one Case may be in the history of a later one. They are left out, so that no baseline knows
    them.
    """
    events: dict[str, dict[tuple[str, float | None, int], Event]] = {}
    asked: dict[str, set[str]] = {}
    for case in cases:
        shown = {event.item.item_id for event in case.history}
        asked.setdefault(case.user_id, set()).update(asked_for(case) - shown)
        found, times = events.setdefault(case.user_id, {}), Counter[tuple[str, float | None]]()
        for event in case.history:
            same = event.item.item_id, event.timestamp
            found[*same, times[same]] = event
            times[same] += 1
    merged: list[Case] = []
    for user, found in events.items():
        kept = (event for event in found.values() if event.item.item_id not in asked[user])
        oldest_first = sorted(kept, key=lambda event: -inf if event.timestamp is None else event.timestamp)
        merged.append(Case(user, tuple(oldest_first)))
    return merged


def asked_for(case: Case) -> set[str]:
    """Return the ids of the items that the Case asks for: the relevant ones, or the target."""
    return {*case.relevant, *([case.target.item_id] if case.target else [])}
