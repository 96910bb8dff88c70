"""Solved examples for a prompt, drawn from the training histories of other users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from llmrank.errors import InputError, count_of
from llmrank.types import Case, Event, Item, Task


@dataclass(frozen=True, slots=True)
class ShotPool:
    """A pool of users to draw examples from, with their histories and items. Build it once for many Cases."""

    histories: tuple[tuple[str, tuple[Event, ...]], ...]
    """(user, history) pairs sorted by user; each history has at least two events."""
    items: tuple[Item, ...]
    """All items in the histories, sorted by id; negatives for ranking are drawn from these."""

    @classmethod
    def of(cls, cases: Sequence[Case]) -> ShotPool:
        """Build the pool from the histories of Cases; their candidates, targets and truth are ignored.

        The histories must be training data. For a user with several Cases, the longest history counts.
        """
        longest: dict[str, tuple[Event, ...]] = {}
        for case in cases:
            known = longest.get(case.user_id, ())
            if (len(case.history), _identity(case.history)) > (len(known), _identity(known)):
                longest[case.user_id] = case.history
        items = {event.item.item_id: event.item for history in longest.values() for event in history}
        return cls(
            tuple(sorted((user, history) for user, history in longest.items() if len(history) > 1)),
            tuple(items[item_id] for item_id in sorted(items)),
        )

    def choose(self, case: Case, count: int, seed: int, task: Task, candidates: int = 10) -> tuple[Case, ...]:
        """Return `count` solved Cases of other users; each user's last event is the answer, the events before it the
        history.

        They are drawn with `Random(f"{seed}:{user_id}")`, independent of the pool's original order. For ratings, target
        and rating come from the last event. For rankings, its item is one of `candidates` items; the others are drawn
        from the pool outside the user's history. Raises InputError if there are too few such users.
        """
        if count == 0:
            return ()
        random, chosen, tried = Random(f"{seed}:{case.user_id}"), list[Case](), set[int]()
        while len(chosen) < count and len(tried) < len(self.histories):
            place = random.randrange(len(self.histories))
            if place in tried:
                continue
            tried.add(place)
            user_id, history = self.histories[place]
            *before, last = history
            if user_id == case.user_id or (task == "rating" and last.rating is None):
                continue
            solved = Case(user_id, tuple(before))
            if task == "rating":
                chosen.append(replace(solved, target=last.item, rating=last.rating))
            else:
                shown = [last.item, *self._negatives(history, candidates - 1, random)]
                random.shuffle(shown)
                chosen.append(replace(solved, candidates=tuple(shown), relevant=(last.item.item_id,)))
        if (n := len(chosen)) < count:
            events = "two rated events" if task == "rating" else "two events"
            problem = f"too few other users with {events} for {count_of(count, 'shot')}: the training data has {n}"
            hint = f"use --shots {n}, or more users"
            raise InputError(problem, user=case.user_id, field="shots", hint=hint)
        return tuple(chosen)

    def _negatives(self, history: Sequence[Event], count: int, random: Random) -> list[Item]:
        seen = {event.item.item_id for event in history}
        free = len(self.items) - len(seen)
        if free < 2 * count:  # in a small catalogue, rejection sampling would be slow
            unseen = [item for item in self.items if item.item_id not in seen]
            return random.sample(unseen, min(count, len(unseen)))
        drawn: list[Item] = []
        while len(drawn) < count:
            item = self.items[random.randrange(len(self.items))]
            if item.item_id not in seen:
                seen.add(item.item_id)
                drawn.append(item)
        return drawn


def _identity(history: Sequence[Event]) -> tuple[str, ...]:
    return tuple(event.item.item_id for event in history)
