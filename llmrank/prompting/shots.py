"""Solved examples for a prompt, drawn from training histories of other users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from llmrank.errors import InputError
from llmrank.types import Case, Event, Item, Task


@dataclass(frozen=True, slots=True)
class ShotPool:
    """Users to draw examples from: their histories, and the items in them. Build it once for many Cases."""

    histories: tuple[tuple[str, tuple[Event, ...]], ...]
    """By user, sorted; two events or more."""
    items: tuple[Item, ...]
    """All items in them, sorted by id; ranking negatives are drawn from these."""

    @classmethod
    def of(cls, cases: Sequence[Case]) -> ShotPool:
        """Return the pool of these Cases' histories; their candidates, targets and truth are not looked at.

        The histories must be training data. Of a user with several Cases the longest history counts.
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
        """Return `count` solved Cases of other users; each ends before its user's last event, which is the answer.

        Drawn by `Random(f"{seed}:{user_id}")`, whatever the order of the pool. Rating: target and rating are those of
        the last event. Ranking: that item among `candidates` items, the others drawn from the pool and not in the
        user's history. Raises InputError where there are too few such users.
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
            problem = f"{count} solved examples are wanted, but only {n} other users in the training data have {events}"
            hint = f"use --shots {n}, or more users"
            raise InputError(problem, user=case.user_id, field="--shots", hint=hint)
        return tuple(chosen)

    def _negatives(self, history: Sequence[Event], count: int, random: Random) -> list[Item]:
        seen = {event.item.item_id for event in history}
        free = len(self.items) - len(seen)
        if free < 2 * count:  # in a small catalogue it would take long until an unseen one comes up
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
