"""Builds Cases from a Split and the candidates that a recall stage proposed."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from llmrank.data.dataset import Dataset, Interactions, Split
from llmrank.errors import InputError
from llmrank.types import Case, Event


class UserEvents(Mapping[str, tuple[Event, ...]]):
    """The events of each user who has any, oldest first, created lazily."""

    def __init__(self, dataset: Dataset, interactions: Interactions) -> None:
        self._dataset, self._interactions = dataset, interactions
        self._rows = np.argsort(interactions.user, kind="stable")
        counts = np.bincount(interactions.user, minlength=len(dataset.users))
        self._starts = np.concatenate([[0], np.cumsum(counts)])
        self._index = {user_id: index for index, user_id in enumerate(dataset.users) if counts[index]}

    def __getitem__(self, user_id: str) -> tuple[Event, ...]:
        index = self._index[user_id]
        rows = self._rows[self._starts[index] : self._starts[index + 1]]
        items = self._dataset.items
        ratings = _values(self._interactions.rating, rows)
        times = _values(self._interactions.timestamp, rows)
        return tuple(
            Event(items[item], rating, time)
            for item, rating, time in zip(self._interactions.item[rows].tolist(), ratings, times, strict=True)
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._index)


def histories(split: Split) -> Mapping[str, tuple[Event, ...]]:
    """Return the training events of each user who has any, oldest first. Items are shared with the Dataset."""
    return UserEvents(split.dataset, split.train)


def held_out(split: Split) -> Mapping[str, tuple[Event, ...]]:
    """Return the test events of each user who has any, oldest first."""
    return UserEvents(split.dataset, split.test)


def ranking_cases(
    split: Split, users: Sequence[str], candidate_items: NDArray[np.int32], scores: NDArray[np.float64]
) -> Iterator[Case]:
    """Yield one Case per user, in the order given. The relevant items are those of the user's test events, each once.

    Args:
        split: The source of histories and relevant items.
        users: Ids of users with training events.
        candidate_items: Shape (users, k): indices into `dataset.items` in recall order, padded with -1.
        scores: Shape (users, k): recall scores, higher is better; ignored where the item is -1.

    Raises:
        InputError: a user is unknown or has no history.
        ValueError: the shapes do not match.
    """
    if candidate_items.shape != scores.shape or len(users) != len(candidate_items):
        raise ValueError(f"{len(users)} users, candidates {candidate_items.shape}, scores {scores.shape}")
    items, train, test = split.dataset.items, histories(split), held_out(split)
    for row, user_id in enumerate(users):
        present = candidate_items[row] >= 0
        yield Case(
            user_id,
            _history(train, user_id, split),
            candidates=tuple(items[item] for item in candidate_items[row, present].tolist()),
            recall_scores=tuple(scores[row, present].tolist()),
            relevant=tuple(dict.fromkeys(event.item.item_id for event in test.get(user_id, ()))),
        )


def rating_cases(split: Split, users: Iterable[str]) -> Iterator[Case]:
    """Yield one Case per user, whose target is the first rated test event and whose history is the training events.

    Users without a rated test event are skipped. Raises InputError: the dataset has no ratings, or a user is unknown or
    has no history.
    """
    if split.test.rating is None:
        hint = "name their column (--column rating=NAME), use a ranking prompt, or data with ratings"
        raise InputError(f"{split.dataset.name} has no ratings", field="rating", hint=hint)
    train, test = histories(split), held_out(split)
    for user_id in users:
        history = _history(train, user_id, split)
        for event in test.get(user_id, ()):
            if event.rating is not None:
                yield Case(user_id, history, target=event.item, rating=event.rating)
                break


def event_counts(cases: Iterable[Case]) -> Counter[str]:
    """Return the number of history events of each item: the definition of popularity throughout llmrank.

    Give one Case per user. Candidates and relevant items are not counted, so nothing after the cut-off leaks in.
    """
    return Counter(event.item.item_id for case in cases for event in case.history)


def sample_users(users: Iterable[str], n: int, seed: int) -> list[str]:
    """Return a random sample of `n` users, or all if there are fewer, in code point order.

    The sample does not depend on the order of `users`. Larger samples with the same seed contain the smaller ones, so
    that answers for 50 users are reused for 100.
    """
    drawn = sorted(set(users))
    random.Random(seed).shuffle(drawn)
    return sorted(drawn[:n])


def _history(train: Mapping[str, tuple[Event, ...]], user_id: str, split: Split) -> tuple[Event, ...]:
    if (history := train.get(user_id)) is None:
        known = user_id in split.dataset.users
        problem = "the user has no history" if known else f"{split.dataset.name} has no such user"
        raise InputError(problem, user=user_id, hint="choose users with training events")
    return history


def _values(column: NDArray[np.float64] | None, rows: NDArray[np.intp]) -> list[float | None]:
    if column is None:
        return [None] * len(rows)
    return [None if math.isnan(value) else value for value in column[rows].tolist()]
