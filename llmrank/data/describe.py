"""A Dataset in figures."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmrank.data.dataset import Dataset, Interactions, without_title
from llmrank.data.registry import DATASETS


def describe(dataset: Dataset, loaded: str) -> dict[str, Any]:
    """Return the figures of a Dataset by name, as JSON values; None if the data has no such column.

    `loaded` is what was given to `load_dataset`: the licence of a folder is not known, even if a registered dataset has
    its name.

    `items`, `density` and `attributes` refer to the whole catalogue. `density` is the share of all user-item pairs with
    an interaction, `history_length` the quantiles of interactions per user, and `equal_timestamps` the share of
    interactions with the same timestamp as another of the same user.
    """
    events, users, items = dataset.interactions, len(dataset.users), dataset.items
    pairs = len(np.unique(events.user.astype(np.int64) * len(items) + events.item))
    lengths = np.bincount(events.user, minlength=users)
    quantiles = np.quantile(lengths, (0, 0.25, 0.5, 0.75, 1)).tolist()
    titles, known = Counter(item.title for item in items), DATASETS.get(loaded)
    attributes = Counter(name for item in items for name in item.attributes)
    times = np.zeros(0) if events.timestamp is None else events.timestamp[~np.isnan(events.timestamp)]
    first, last = (_day(times.min()), _day(times.max())) if len(times) else (None, None)
    return {
        "name": dataset.name,
        "users": users,
        "items": len(items),
        "items_with_interactions": len(np.unique(events.item)),
        "interactions": len(events),
        "density": pairs / (users * len(items)),
        "repeated_interactions": len(events) - pairs,
        "ratings": None if dataset.rating_scale is None or events.rating is None else _histogram(events.rating),
        "rating_scale": dataset.rating_scale,
        "first": first,
        "last": last,
        "unknown_timestamps": len(events) - len(times),
        "equal_timestamps": _equal_timestamps(events) if len(times) else None,
        "history_length": dict(zip(("min", "25%", "median", "75%", "max"), quantiles, strict=True)),
        "items_without_title": len(without_title(items)),
        "items_sharing_a_title": sum(count for count in titles.values() if count > 1),
        "attributes": {name: count / len(items) for name, count in sorted(attributes.items())},
        "notes": list(dataset.notes),
        "licence": known.licence if known else "not stated",
        "source": known.source if known else "your own data",
        "read_from": dataset.source,
        "sha256": dataset.sha256,
    }


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(float(seconds), UTC).date().isoformat()


def _histogram(ratings: NDArray[np.float64]) -> dict[str, int]:
    values, counts = np.unique(ratings, return_counts=True)
    names = ("unknown" if np.isnan(value) else f"{value:.15g}" for value in values)
    return dict(zip(names, counts.tolist(), strict=True))


def _equal_timestamps(events: Interactions) -> float:
    assert events.timestamp is not None
    known = ~np.isnan(events.timestamp)
    _, moment = np.unique(events.timestamp[known], return_inverse=True)
    _, count = np.unique(events.user[known].astype(np.int64) * len(moment) + moment, return_counts=True)
    return float(count[count > 1].sum() / len(moment))
