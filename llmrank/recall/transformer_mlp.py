"""A model of ratings that reads the user's newest events with a transformer (`transformer_mlp`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from llmrank.data.dataset import Split
from llmrank.recall.ratings import MLP, RatingLearner
from llmrank.recall.training import Learner, library

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformerMLP(MLP):
    """Transformer+MLP of Kang et al. 2023 (arXiv:2305.06474). A transformer reads the newest events, each an item and
    its rating; a perceptron maps its state and the candidate's embedding to a rating, and the biases of user and item
    are added.

    The paper gives no sizes; these are small ones, chosen on the validation events of MovieLens 100K.
    """

    name: ClassVar[str] = "transformer_mlp"
    learning_rate: float = 0.001
    dimension: int = 32
    heads: int = 2
    blocks: int = 1
    length: int = 20
    """Newest events that the model sees."""

    def network(self, users: int, items: int) -> nn.Module:
        """Return a module that maps users, items (from 0) and states to ratings minus the mean rating."""
        torch, model, size = library("torch"), self, self.dimension
        nn = torch.nn

        class Network(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.item = nn.Embedding(items + 1, size, padding_idx=0)
                self.position = nn.Embedding(model.length + 1, size)
                self.rating = nn.Linear(1, size, bias=False)
                for table in (self.item, self.position):
                    nn.init.normal_(table.weight, std=0.1)
                self.user_bias, self.item_bias = nn.Embedding(users, 1), nn.Embedding(items, 1)
                for table in (self.user_bias, self.item_bias):
                    nn.init.zeros_(table.weight)
                how = {"activation": "gelu", "batch_first": True, "norm_first": True}
                layer = nn.TransformerEncoderLayer(size, model.heads, 4 * size, model.dropout, **how)
                self.body = nn.TransformerEncoder(layer, model.blocks, enable_nested_tensor=False)
                self.norm = nn.LayerNorm(size)
                self.layers = model.layers()

            def state(self, history: Tensor, ratings: Tensor) -> Tensor:
                """Return the transformer's state at the position after the newest event of each history."""
                events = self.item(history) + self.rating(ratings[:, :, None])
                end = events.new_zeros(len(history), 1, size)  # present for every user, even without events
                embedded = torch.cat([events, end], dim=1) + self.position.weight
                none = torch.cat([history == 0, history.new_zeros(len(history), 1, dtype=torch.bool)], dim=1)
                return self.norm(self.body(embedded, src_key_padding_mask=none)[:, -1])

            def forward(self, user: Tensor, item: Tensor, state: Tensor) -> Tensor:
                biases = self.user_bias(user)[:, 0] + self.item_bias(item)[:, 0]
                return biases + self.layers(torch.cat([state, self.item(item + 1)], dim=1))[:, 0]

        return Network()

    def learner(self, split: Split) -> Learner:
        """Return an untrained model."""
        return _HistoryLearner(self, split)


class _HistoryLearner(RatingLearner):
    """The model during training: it predicts each rating from the events before it."""

    def __init__(self, model: TransformerMLP, split: Split) -> None:
        super().__init__(model, split)
        by_user = np.argsort(self.user, kind="stable")  # the training events are in the order of time
        self.user, self.item, self.rating = self.user[by_user], self.item[by_user], self.rating[by_user]
        self.first = np.concatenate([[0], np.cumsum(np.bincount(self.user, minlength=len(split.dataset.users)))])
        self.length = model.length

    def added(self, rows: NDArray[np.int64]) -> Tensor:
        """Return the predicted ratings of these training events, minus the mean rating."""
        torch, users = library("torch"), self.user[rows]
        state = self.network.state(*self._before(rows, self.first[users]))
        return self.network(torch.from_numpy(users), torch.from_numpy(self.item[rows]), state)

    def added_by(self, user: int, items: NDArray[np.integer]) -> Tensor:
        """Return the predicted rating of each of these items by this user now, minus the mean rating."""
        torch = library("torch")
        newest = self._before(self.first[user + 1 : user + 2], self.first[user : user + 1])
        state = self.network.state(*newest).expand(len(items), -1)
        return self.network(torch.full((len(items),), user), torch.from_numpy(items.astype(np.int64)), state)

    def _before(self, ends: NDArray[np.int64], starts: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Return the items (from 1; 0: none) and the centred ratings of the newest events before each end."""
        torch = library("torch")
        at = ends[:, None] + np.arange(-self.length, 0)
        there = at >= starts[:, None]
        at = np.maximum(at, 0)  # fewer events in all than `length`
        items = np.where(there, self.item[at] + 1, 0)
        ratings = np.where(there, self.rating[at] - self.mean, 0.0).astype(np.float32)
        return torch.from_numpy(items), torch.from_numpy(ratings)
