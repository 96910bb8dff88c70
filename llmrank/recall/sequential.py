"""Next-item models over a user's sequence of items: the training loop that HSTU, SASRec and BERT4Rec share."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from llmrank.data.dataset import Split
from llmrank.errors import InputError
from llmrank.recall.model import parts
from llmrank.recall.training import Learner, NetworkLearner, TrainedModel, library

if TYPE_CHECKING:
    from torch import Tensor, nn

USERS_AT_ONCE = 256
INITIAL_DEVIATION = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialModel(TrainedModel):
    """Base class of next-item models, with item embeddings tied to the output weights, learned positions, and
    cross-entropy over the whole catalogue."""

    refit: bool = False
    """False, because the model reads the newest events as input."""
    patience: int = 10
    dimension: int = 64
    blocks: int = 2
    heads: int = 2
    length: int = 100
    """Number of newest events that the model reads. Training cuts longer sequences into pieces of this length."""
    dropout: float = 0.2
    learning_rate: float = 0.003
    batch: int = 64
    """Sequences per step."""
    negatives: int = 1024
    """For catalogues of more than twice as many items, each step samples this many items uniformly, and estimates the
    cross-entropy over the whole catalogue (sampled softmax)."""

    @property
    def hidden_share(self) -> float:
        """The share of events that the Cloze task masks; 0: predict the next event at every position."""
        return 0.0

    def body(self) -> nn.Module:
        """Return the layers between the embeddings and the output: torch's pre-norm transformer."""
        nn, wide = library("torch").nn, 4 * self.dimension
        how = {"activation": "gelu", "batch_first": True, "norm_first": True}
        layer = nn.TransformerEncoderLayer(self.dimension, self.heads, wide, self.dropout, **how)
        return nn.TransformerEncoder(layer, self.blocks, enable_nested_tensor=False)

    @abstractmethod
    def attend(self, body: nn.Module, embedded: Tensor, there: Tensor, times: Tensor) -> Tensor:
        """Apply the body to embeddings (sequences x length x dimension).

        `there` marks positions with an event (padding is on the right); `times` are seconds since the first event.
        """

    def network(self, items: int) -> nn.Module:
        """Return embeddings, body and output as one torch module. Item 0 is padding; items + 1 is the mask."""
        torch, model = library("torch"), self
        nn = torch.nn

        class Network(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.embedding = nn.Embedding(items + 2, model.dimension, padding_idx=0)
                self.position = nn.Embedding(model.length, model.dimension)
                for table in (self.embedding, self.position):
                    nn.init.normal_(table.weight, std=INITIAL_DEVIATION)
                with torch.no_grad():
                    self.embedding.weight[0].zero_()
                self.dropout = nn.Dropout(model.dropout)
                self.body = model.body()
                self.norm = nn.LayerNorm(model.dimension)
                self.bias = nn.Parameter(torch.zeros(items))

            def forward(self, inputs: Tensor, times: Tensor) -> Tensor:
                places = torch.arange(inputs.shape[1])
                embedded = self.dropout(self.embedding(inputs) + self.position(places))
                return self.norm(model.attend(self.body, embedded, inputs > 0, times))

            def logits(self, hidden: Tensor, some: Tensor | None = None) -> Tensor:
                if some is None:
                    return torch.addmm(self.bias, hidden, self.embedding.weight[1 : items + 1].T)
                return torch.addmm(self.bias[some], hidden, self.embedding(some + 1).T)

        return Network()

    def learner(self, split: Split) -> Learner:
        """Return an untrained model."""
        return SequentialLearner(self, split)


class SequentialLearner(NetworkLearner):
    """A sequential model during training."""

    def __init__(self, model: SequentialModel, split: Split) -> None:
        self.model, self.items, self.cloze = model, len(split.dataset.items), model.hidden_share > 0
        self.sequences, self.times = sequences(split)
        self.spans = np.array([span for user in range(len(self.sequences)) for span in self._pieces(user)], np.int64)
        if not len(self.spans):
            raise no_next_item()
        adam: dict[str, Any] = {"lr": model.learning_rate, "betas": (0.9, 0.98)}
        super().__init__(model.seed, len(self.spans), lambda: model.network(self.items), **adam)

    def _pieces(self, user: int) -> Iterator[tuple[int, int, int]]:
        """Yield user, start and end of each piece, from the newest event backwards."""
        length, overlap = self.model.length, 0 if self.cloze else 1  # the last event of a piece is only a target
        end = len(self.sequences[user])
        while end > overlap:
            start = max(0, end - length - overlap)
            yield user, start, end
            end = start + overlap if start else 0

    def steps(self, order: NDArray[np.int64], rng: np.random.Generator) -> Iterator[tuple[Tensor, int]]:
        """Yield the loss of each step; pieces of similar length share one."""
        batch, steps = self.model.batch, list[NDArray[np.int64]]()
        for some in parts(order, 8 * batch):
            steps += parts(some[np.argsort(self.spans[some, 2] - self.spans[some, 1], kind="stable")], batch)
        for step in rng.permutation(len(steps)):
            inputs, times, targets = self._examples(self.spans[steps[step]], rng)
            wanted = targets > 0
            yield self._loss(self.network(inputs, times)[wanted], targets[wanted] - 1, rng), int(wanted.sum())

    def _loss(self, hidden: Tensor, targets: Tensor, rng: np.random.Generator) -> Tensor:
        """Return the mean cross-entropy of the targets (from 0), estimated for a large catalogue."""
        torch, negatives = library("torch"), self.model.negatives
        if self.items <= 2 * negatives:
            return torch.nn.functional.cross_entropy(self.network.logits(hidden), targets)
        drawn = torch.from_numpy(rng.choice(self.items, negatives, replace=False))
        others = self.network.logits(hidden, drawn) + math.log((self.items - 1) / negatives)
        others = others.masked_fill(targets[:, None] == drawn, -math.inf)
        own = (hidden * self.network.embedding(targets + 1)).sum(1) + self.network.bias[targets]
        return (torch.logsumexp(torch.cat([own[:, None], others], dim=1), dim=1) - own).mean()

    def _examples(self, spans: NDArray[np.int64], rng: np.random.Generator) -> list[Tensor]:
        """Return inputs, times and targets, all pieces x longest; items count from 1."""
        rows: list[tuple[NDArray[np.int64], ...]] = []
        for user, start, end in spans.tolist():
            items, since = self.sequences[user][start:end], self.times[user][start:end] - self.times[user][start]
            if not self.cloze:
                rows.append((items[:-1], since[:-1], items[1:]))
                continue
            hidden = rng.random(len(items)) < self.model.hidden_share
            if not hidden.any():
                hidden[-1] = True  # the position that matters for recommendation
            rows.append((np.where(hidden, self.items + 1, items), since, np.where(hidden, items, 0)))
        return [padded(column) for column in zip(*rows, strict=True)]

    def predictions(self, users: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return the logits of the event after each user's sequence; 0 for a user without events."""
        keep = self.model.length - (1 if self.cloze else 0)
        found = np.zeros((len(users), self.items))
        lengths = np.array([min(len(self.sequences[user]), keep) for user in users])
        order = np.argsort(lengths, kind="stable")
        order = order[lengths[order] > 0]
        for rows in parts(order, USERS_AT_ONCE):
            inputs, times = (
                padded(column) for column in zip(*(self._asked(user, keep) for user in users[rows]), strict=True)
            )
            last = lengths[rows] - (0 if self.cloze else 1)
            found[rows] = self.network.logits(self.network(inputs, times)[np.arange(len(rows)), last]).numpy()
        return found

    def _asked(self, user: int, keep: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the input items and times for predicting the next event; the Cloze task appends a masked item."""
        items, when = self.sequences[user][-keep:], self.times[user][-keep:]
        if self.cloze:
            items, when = np.append(items, self.items + 1), np.append(when, when[-1])
        return items, when - when[0]


def padded(rows: Sequence[NDArray[np.int64]]) -> Tensor:
    """Return the rows as one tensor, right-padded with 0."""
    torch = library("torch")
    return torch.nn.utils.rnn.pad_sequence([torch.from_numpy(row) for row in rows], batch_first=True)


def mean_cosines(vectors: NDArray[np.float32], own: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    """Return the mean cosine of every item to each user's items (counted from 1); 0 for a user without any.

    `vectors` are of length 1, one per item.
    """
    profiles = np.zeros((len(own), vectors.shape[1]))
    for row, items in enumerate(own):
        if len(items):
            profiles[row] = vectors[items - 1].mean(0)
    return profiles @ vectors.T


def no_next_item() -> InputError:
    """Return the error for data without any next item."""
    return InputError("no user has two training events, so there is no next item to learn", hint="use more data")


def sequences(split: Split) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]:
    """Return each user's training items, counted from 1 and oldest first, and their times in seconds (0: unknown)."""
    train, users = split.train, len(split.dataset.users)
    rows = np.argsort(train.user, kind="stable")
    cuts = np.cumsum(np.bincount(train.user, minlength=users))[:-1]
    when = np.zeros(len(train)) if train.timestamp is None else np.nan_to_num(train.timestamp)
    return np.split(train.item[rows].astype(np.int64) + 1, cuts), np.split(when[rows].astype(np.int64), cuts)
