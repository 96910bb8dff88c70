"""Click-through models: the probability that a user takes an item, trained with random negatives."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from llmrank.data.dataset import Split
from llmrank.recall.model import Fitted, parts
from llmrank.recall.sequential import no_next_item, sequences
from llmrank.recall.training import ItemLearner, Learner, TrainedModel, library

if TYPE_CHECKING:
    from torch import Tensor, nn

PAIRS_AT_ONCE = 8192
LEAST_PROBABILITY = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickModel(TrainedModel):
    """Base class of click-through models, which score an item from the user, the item and the newest events.

    Every training event except a user's first is a positive sample. For each, `negatives` items that the user does not
    have in training are negative samples, redrawn in every epoch. The loss is binary cross-entropy.
    """

    refit: bool = False
    """False, because the model reads the newest events as input."""
    validation_users: int = 200
    """Small, because scoring the full catalogue takes a forward pass per item."""
    dimension: int = 32
    length: int = 20
    """Newest events that the model sees."""
    negatives: int = 2
    dropout: float = 0.2
    learning_rate: float = 0.001
    batch: int = 512
    """Samples per step."""

    @abstractmethod
    def network(self, users: int, items: int) -> nn.Module:
        """Return torch-rechub's model, which maps `user`, `item` and `history` to a probability; 0 is padding."""

    def learner(self, split: Split) -> Learner:
        """Return an untrained model."""
        return ClickLearner(self, split)


class ClickLearner(ItemLearner):
    """A click-through model during training."""

    def __init__(self, model: ClickModel, split: Split) -> None:
        self.model, self.items = model, len(split.dataset.items)
        own, _ = sequences(split)
        # All sequences concatenated, each after enough padding for a history.
        self.row = np.concatenate([np.pad(items, (model.length, 0)) for items in own])
        self.ends = np.cumsum([model.length + len(items) for items in own])
        self.events = 1 + np.flatnonzero((self.row[1:] > 0) & (self.row[:-1] > 0))
        if not len(self.events):
            raise no_next_item()
        self.popularity = np.bincount(split.train.item, minlength=self.items).astype(np.float64)
        self.has_events = np.array([len(items) > 0 for items in own])
        self.owned = np.sort(np.concatenate([user * (self.items + 1) + items for user, items in enumerate(own)]))
        super().__init__(
            model.seed, len(self.events), lambda: model.network(len(own), self.items), lr=model.learning_rate
        )

    def steps(self, order: NDArray[np.int64], rng: np.random.Generator) -> Iterator[tuple[Tensor, int]]:
        """Yield the loss of each step, with newly drawn negatives."""
        torch, times = library("torch"), 1 + self.model.negatives
        for rows in parts(order, max(1, self.model.batch // times)):
            users, taken, history = self.samples(rows)
            others = self._unseen(np.repeat(users, times - 1), rng).reshape(len(users), times - 1)
            clicked = np.zeros((len(users), times), np.float32)
            clicked[:, 0] = 1
            items = np.concatenate([taken[:, None], others], axis=1)
            inputs = self.inputs(np.repeat(users, times), items.ravel(), np.repeat(history, times, axis=0))
            predicted = self.network(inputs)
            if bool(predicted.isfinite().all()):
                loss = torch.nn.functional.binary_cross_entropy(predicted, torch.from_numpy(clicked.ravel()))
            else:
                loss = predicted.sum()  # not finite; binary_cross_entropy would raise
            yield loss, len(users)

    def samples(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return users, items and histories of some events."""
        places = self.events[rows]
        return np.searchsorted(self.ends, places, side="right"), self.row[places], self._before(places)

    def _before(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the newest events before these positions of `row`, newest last, left-padded with 0."""
        return self.row[places[:, None] + np.arange(-self.model.length, 0)]

    def _unseen(self, users: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw an item outside each user's training items, with at most three attempts."""
        drawn = rng.integers(1, self.items + 1, len(users))
        for _ in range(3):
            code = users * (self.items + 1) + drawn
            place = np.minimum(np.searchsorted(self.owned, code), len(self.owned) - 1)
            seen = self.owned[place] == code
            drawn[seen] = rng.integers(1, self.items + 1, int(seen.sum()))
        return drawn

    def inputs(
        self, users: NDArray[np.int64], items: NDArray[np.int64], history: NDArray[np.int64]
    ) -> dict[str, Tensor]:
        """Return the features of these samples under torch-rechub's names."""
        columns = {"user": users + 1, "item": items, "history": history}
        columns |= {f"recent_{back}": history[:, -back].copy() for back in range(1, self.model.length + 1)}
        return {name: library("torch").from_numpy(values) for name, values in columns.items()}

    def predicted(self, user: int, items: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return the probability of each item, with a forward pass for each, or -1 for an item without training events;
        for a user without any, the items' numbers of training events."""
        if not self.has_events[user]:
            return self.popularity[items]
        history, found = self._before(self.ends[[user]]), np.empty(len(items))
        for some in parts(np.arange(len(items)), PAIRS_AT_ONCE):
            asked = self.inputs(
                np.full(len(some), user), items[some].astype(np.int64) + 1, history.repeat(len(some), 0)
            )
            found[some] = self.network(asked).numpy()
        return np.where(self.popularity[items] > 0, found, -1.0)


def judged_clicks(
    fitted: Fitted, split: Split, users: NDArray[np.int32], seed: int
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return what AUC and log loss of a click-through model are computed from: users, and the probabilities of each
    one's first test event and of an item that the user does not have, float64[users, 2].

    The items are drawn with the seed among those with training events; a user who has them all is left out.
    Probabilities are cut to `LEAST_PROBABILITY` from 0 and 1, for a finite log loss.
    """
    known, rng = fitted.preferences, np.random.default_rng(seed)
    trained = known.items[known.popularity > 0]
    _, first = np.unique(split.test.user, return_index=True)
    events = split.test.take(np.sort(first))
    events = events.take(np.flatnonzero(np.isin(events.user, users)))
    asked, found = list[int](), list[NDArray[np.float64]]()
    for user, item in zip(events.user.tolist(), events.item.tolist(), strict=True):
        others = np.setdiff1d(trained, [*known.items[known.matrix[user].indices], item])
        if len(others):
            asked.append(user)
            found.append(fitted.score_items(user, np.array([item, rng.choice(others)])))
    probabilities = np.array(found).reshape(len(found), 2)
    return np.array(asked, np.int32), np.clip(probabilities, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
