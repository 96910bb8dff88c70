"""Models that predict ratings: matrix factorization with biases (`mf`) and a multilayer perceptron (`mlp`)."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from llmrank.data.dataset import Interactions, Split
from llmrank.errors import InputError
from llmrank.recall.model import Fitted, preferences
from llmrank.recall.training import Learner, TrainedModel, library

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingModel(TrainedModel):
    """What the rating models share: the score of a user and an item is the rating predicted, within the scale.

    The loss is the squared error of the training ratings; validation measures the RMSE. Of a user or an item without
    training ratings nothing is known but the mean: their own terms are 0.
    """

    quality_name: ClassVar[str] = "-RMSE"
    refit: bool = True
    dimension: int = 16
    learning_rate: float = 0.003
    weight_decay: float = 0.0003
    batch: int = 512
    """Ratings per step."""

    @abstractmethod
    def network(self, users: int, items: int) -> nn.Module:
        """Return a module that maps users and items (from 0) to what is added to the mean rating."""

    def learner(self, split: Split) -> RatingLearner:
        """Return an untrained model."""
        return RatingLearner(self, split)

    def fitted(self, learner: Learner, split: Split) -> Fitted:
        """Return the learner as a fitted model; no item and no user needs a fallback."""
        known = preferences(split)

        def score(rows: NDArray[np.int32]) -> NDArray[np.float64]:
            return learner.scores(rows)[:, known.items]

        return Fitted(known, score)

    def quality(self, fitted: Fitted, wanted: Interactions) -> float:
        """Return the RMSE of the ratings in `wanted`, negative: more is better."""
        predicted = [
            fitted.score_items(user, np.array([item], np.int32))[0]
            for user, item in zip(wanted.user.tolist(), wanted.item.tolist(), strict=True)
        ]
        errors = np.array(predicted) - ratings_of(wanted)
        return -float(np.sqrt(np.nanmean(errors**2)))


class RatingLearner:
    """A rating model while it is trained, by Adam."""

    def __init__(self, model: RatingModel, split: Split) -> None:
        torch, dataset = library("torch"), split.dataset
        self.model, self.items = model, len(dataset.items)
        ratings = ratings_of(split.train)
        rated = ~np.isnan(ratings)
        if not rated.any():
            raise InputError(f"{dataset.name} has no training ratings", field="rating", hint="use data with ratings")
        self.user, self.item, self.rating = split.train.user[rated], split.train.item[rated], ratings[rated]
        self.mean = float(self.rating.mean())
        self.scale = dataset.rating_scale or (float(self.rating.min()), float(self.rating.max()))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(model.seed)
            self.network = model.network(len(dataset.users), self.items)
        self.known_user = np.bincount(self.user, minlength=len(dataset.users)) > 0
        self.known_item = np.bincount(self.item, minlength=self.items) > 0
        self.optimizer = torch.optim.Adam(
            self.network.parameters(), lr=model.learning_rate, weight_decay=model.weight_decay
        )

    def epoch(self, number: int) -> float:
        """Train on every rating once."""
        torch, rng = library("torch"), np.random.default_rng((self.model.seed, number))
        order, total = rng.permutation(len(self.rating)), 0.0
        self.network.train()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**62)))
            for at in range(0, len(order), self.model.batch):
                rows = order[at : at + self.model.batch]
                users, items = (torch.from_numpy(column[rows].astype(np.int64)) for column in (self.user, self.item))
                wanted = torch.from_numpy((self.rating[rows] - self.mean).astype(np.float32))
                loss = torch.nn.functional.mse_loss(self.network(users, items), wanted)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                total += float(loss.detach()) * len(rows)
        return total / len(order)

    def scores(self, users: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return the predicted rating of every item."""
        torch = library("torch")
        items = torch.arange(self.items)
        found = np.full((len(users), self.items), self.mean)
        self.network.eval()
        with torch.inference_mode():
            for row, user in enumerate(users.tolist()):
                if self.known_user[user]:
                    added = self.network(torch.full((self.items,), user), items).numpy()
                    found[row] += np.where(self.known_item, added, 0.0)
        return np.clip(found, *self.scale)

    def state(self) -> dict[str, Any]:
        """Return copies of the weights and of Adam's moments."""
        return copy.deepcopy({"weights": dict(self.network.state_dict()), "adam": self.optimizer.state_dict()})

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over weights and moments."""
        self.network.load_state_dict(state["weights"])
        self.optimizer.load_state_dict(copy.deepcopy(state["adam"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class MF(RatingModel):
    """Matrix factorization with biases (Koren, Bell and Volinsky 2009): mean + user's + item's + product of factors."""

    name: ClassVar[str] = "mf"

    def network(self, users: int, items: int) -> nn.Module:
        """Return the biases and factors."""
        return _network(users, items, self.dimension, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class MLP(RatingModel):
    """A multilayer perceptron over the embeddings of user and item, beside their biases (Kang et al. 2023)."""

    name: ClassVar[str] = "mlp"
    hidden: int = 64
    """Units of the first of two hidden layers; the second has half as many."""
    dropout: float = 0.2

    def network(self, users: int, items: int) -> nn.Module:
        """Return biases, embeddings and layers."""
        layers = library("torch_rechub.basic.layers").MLP(
            2 * self.dimension, dims=[self.hidden, self.hidden // 2], activation="relu", dropout=self.dropout
        )
        return _network(users, items, self.dimension, layers)


def _network(users: int, items: int, dimension: int, layers: nn.Module | None) -> nn.Module:
    torch = library("torch")

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.user, self.item = torch.nn.Embedding(users, dimension), torch.nn.Embedding(items, dimension)
            self.user_bias, self.item_bias = torch.nn.Embedding(users, 1), torch.nn.Embedding(items, 1)
            self.layers = layers
            for table in (self.user, self.item):
                torch.nn.init.normal_(table.weight, std=0.1)
            for table in (self.user_bias, self.item_bias):
                torch.nn.init.zeros_(table.weight)

        def forward(self, user: Tensor, item: Tensor) -> Tensor:
            biases = self.user_bias(user)[:, 0] + self.item_bias(item)[:, 0]
            if self.layers is None:
                return biases + (self.user(user) * self.item(item)).sum(1)
            return biases + self.layers(torch.cat([self.user(user), self.item(item)], dim=1))[:, 0]

    return Network()


def ratings_of(events: Interactions) -> NDArray[np.float64]:
    """Return the ratings; NaN where there is none."""
    return np.full(len(events), np.nan) if events.rating is None else events.rating
