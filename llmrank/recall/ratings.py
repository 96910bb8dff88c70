"""Models that predict ratings: matrix factorization with biases (`mf`) and a multilayer perceptron (`mlp`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from llmrank.data.dataset import Interactions, Split
from llmrank.errors import InputError
from llmrank.recall.model import Fitted
from llmrank.recall.training import ItemLearner, Learner, TrainedModel, library

if TYPE_CHECKING:
    from torch import Tensor, nn


LEAST_RATINGS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingModel(TrainedModel):
    """Base class of rating models, whose scores are predicted ratings.

    Predictions are clipped to the range of the training ratings. (The data set's scale may come from all ratings,
    including test ratings.) The loss is the squared error of the training ratings; validation measures the RMSE. For a
    user or an item without training ratings, the prediction is the mean of all training ratings.
    """

    quality_name: ClassVar[str] = "-RMSE"
    alternatives: ClassVar[str] = ""
    refit: bool = True
    dimension: int = 16
    learning_rate: float = 0.003
    weight_decay: float = 0.0003
    batch: int = 512
    """Ratings per step."""

    def check(self, split: Split) -> None:
        """Raise InputError for too little data, or too few ratings."""
        TrainedModel.check(self, split)
        rated_events(split)

    def layers(self) -> nn.Module | None:
        """Return the layers for the concatenated embeddings of user and item; None: use their dot product."""
        return None

    def network(self, users: int, items: int) -> nn.Module:
        """Return a module that maps users and items (from 0) to offsets from the mean rating."""
        torch, dimension = library("torch"), self.dimension
        nn, layers = torch.nn, self.layers()  # the layers before the tables, to keep the order of random draws

        class Network(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.user, self.item = nn.Embedding(users, dimension), nn.Embedding(items, dimension)
                self.user_bias, self.item_bias = nn.Embedding(users, 1), nn.Embedding(items, 1)
                self.layers = layers
                for table in (self.user, self.item):
                    nn.init.normal_(table.weight, std=0.1)
                for table in (self.user_bias, self.item_bias):
                    nn.init.zeros_(table.weight)

            def forward(self, user: Tensor, item: Tensor) -> Tensor:
                biases = self.user_bias(user)[:, 0] + self.item_bias(item)[:, 0]
                if self.layers is None:
                    return biases + (self.user(user) * self.item(item)).sum(1)
                return biases + self.layers(torch.cat([self.user(user), self.item(item)], dim=1))[:, 0]

        return Network()

    def learner(self, split: Split) -> Learner:
        """Return an untrained model."""
        return RatingLearner(self, split)

    def quality(self, fitted: Fitted, wanted: Interactions) -> float:
        """Return the negative RMSE of the ratings in `wanted`; higher is better."""
        predicted = [
            fitted.score_items(user, np.array([item], np.int32))[0]
            for user, item in zip(wanted.user.tolist(), wanted.item.tolist(), strict=True)
        ]
        errors = np.array(predicted) - ratings_of(wanted)
        if np.isnan(errors).all():
            hint = "use data with more ratings, or validation_users=0 and a fixed number of epochs"
            raise InputError("none of the events held out for validation has a rating", field="rating", hint=hint)
        return -float(np.sqrt(np.nanmean(errors**2)))


class RatingLearner(ItemLearner):
    """A rating model during training."""

    def __init__(self, model: RatingModel, split: Split) -> None:
        dataset, ratings, rated = split.dataset, ratings_of(split.train), rated_events(split)
        users, items, train = len(dataset.users), len(dataset.items), split.train.take(rated)
        self.model, self.items = model, items
        self.user, self.item, self.rating = train.user.astype(np.int64), train.item.astype(np.int64), ratings[rated]
        self.mean = float(self.rating.mean())
        self.scale = float(self.rating.min()), float(self.rating.max())
        self.known_user = np.bincount(self.user, minlength=users) > 0
        self.known_item = np.bincount(self.item, minlength=items) > 0
        adam = {"lr": model.learning_rate, "weight_decay": model.weight_decay}
        super().__init__(model.seed, len(self.rating), lambda: model.network(users, items), **adam)

    def steps(self, order: NDArray[np.int64], rng: np.random.Generator) -> Iterator[tuple[Tensor, int]]:
        """Yield the squared error of each step. A single last rating joins the step before: batch norm needs two."""
        torch = library("torch")
        for rows in np.split(order, range(self.model.batch, len(order) - 1, self.model.batch)):
            wanted = torch.from_numpy((self.rating[rows] - self.mean).astype(np.float32))
            yield torch.nn.functional.mse_loss(self.added(rows), wanted), len(rows)

    def predicted(self, user: int, items: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return a user's predicted ratings of these items."""
        found = np.full(len(items), self.mean)
        if self.known_user[user]:
            found += np.where(self.known_item[items], self.added_by(user, items).numpy(), 0.0)
        return np.clip(found, *self.scale)

    def added(self, rows: NDArray[np.int64]) -> Tensor:
        """Return the offsets from the mean rating for these training events."""
        torch = library("torch")
        return self.network(torch.from_numpy(self.user[rows]), torch.from_numpy(self.item[rows]))

    def added_by(self, user: int, items: NDArray[np.integer]) -> Tensor:
        """Return the offsets from the mean rating for this user and these items, as of now."""
        torch = library("torch")
        return self.network(torch.full((len(items),), user), torch.from_numpy(items.astype(np.int64)))


@dataclass(frozen=True, slots=True, kw_only=True)
class MF(RatingModel):
    """Matrix factorization with biases (Koren, Bell and Volinsky 2009): mean + user bias + item bias + dot product."""

    name: ClassVar[str] = "mf"


@dataclass(frozen=True, slots=True, kw_only=True)
class MLP(RatingModel):
    """A multilayer perceptron over the embeddings of user and item, plus their biases (Kang et al. 2023)."""

    name: ClassVar[str] = "mlp"
    least: ClassVar[Mapping[str, int]] = MappingProxyType({"hidden": 2, "batch": 2})
    hidden: int = 64
    """Units of the first hidden layer; the second has half as many."""
    dropout: float = 0.2

    def layers(self) -> nn.Module:
        """Return the perceptron."""
        return library("torch_rechub.basic.layers").MLP(
            2 * self.dimension, dims=[self.hidden, self.hidden // 2], activation="relu", dropout=self.dropout
        )


def rated_events(split: Split) -> NDArray[np.bool_]:
    """Return which training events have a rating. Raises InputError if fewer than two have one."""
    rated = ~np.isnan(ratings_of(split.train))
    if rated.sum() < LEAST_RATINGS:
        problem = f"{split.dataset.name} has {'one training rating' if rated.any() else 'no training ratings'}"
        raise InputError(problem, field="rating", hint="use data with more ratings")
    return rated


def ratings_of(events: Interactions) -> NDArray[np.float64]:
    """Return the ratings; NaN if missing."""
    return np.full(len(events), np.nan) if events.rating is None else events.rating
