"""NoteLLM: a language model compresses each item's text into one token, and items that users take together are pulled
together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from llmrank.backends.models import DEFAULT_MODEL, resolve_model
from llmrank.data.dataset import Dataset, Split
from llmrank.errors import InputError, count_of
from llmrank.recall.model import parts
from llmrank.recall.sequential import mean_cosines, sequences
from llmrank.recall.training import Learner, NetworkLearner, State, TrainedModel, Untyped, library
from llmrank.types import Item

if TYPE_CHECKING:
    from torch import Tensor

    from llmrank.recall.note_encoder import NoteEncoder

DTYPES = ("bfloat16", "float32")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteLLM(TrainedModel):
    """NoteLLM (Zhang et al. 2024, arXiv:2403.01744) on any causal language model, with the default one's first layers.

    The note compression prompt asks for the item in one word, `[EMB]`, and then for its topic. The hidden state before
    `[EMB]`, through a linear layer, is the item's embedding. There are two losses. The contrastive loss pulls items
    together that users take one after the other, and pushes them away from the other items of the step
    (Generative-Contrastive Learning: in-batch, with a learned temperature). The generation loss is that of the topic
    (Collaborative Supervised Fine-Tuning). The total is (contrastive + weight x generation) / (1 + weight).

    The paper recommends items for an item. Here, an item's score for a user is its mean cosine similarity to the user's
    `length` newest items. Items without training events have regular embeddings and scores. The embeddings are stored
    in the checkpoint, so a finished model needs no language model.

    Two things differ from the paper. (1) The first `head_epochs` train only the linear layer, on the hidden states of
    the untrained model. This takes seconds, and avoids that an untrained layer distorts the model (Kumar et al. 2022,
    arXiv:2202.10054). Then LoRA tunes the upper layers too. In each epoch, every item with related items is paired with
    a random one of them. (2) Before the linear layer, the hidden states are whitened with the statistics of the
    untrained model.
    """

    name: ClassVar[str] = "notellm"
    knows_new_items: ClassVar[bool] = True
    refit: bool = False
    """False, because the model reads the newest events as input."""
    epochs: int = 20
    patience: int = 3
    head_epochs: int = 10
    """Number of first epochs that train only the linear layer, with the contrastive loss."""
    base: str = DEFAULT_MODEL
    """Name or folder of a causal language model with a Llama-like decoder."""
    layers: int = 8
    """Number of decoder layers to use, from the first."""
    tuned_layers: int = 2
    """Number of top layers, among these, with a LoRA adapter."""
    rank: int = 8
    """Rank of the LoRA adapter on all linear layers of the tuned layers."""
    dtype: str = "bfloat16"
    """Data type of the language model's weights and states; trained weights are float32."""
    dimension: int = 128
    """Embedding dimension."""
    learning_rate: float = 0.003
    """Learning rate of the linear layer and the temperature."""
    tuning_rate: float = 0.00003
    """Learning rate of the LoRA adapter."""
    batch: int = 32
    """Pairs per step, with at most twice as many items."""
    temperature: float = 3.0
    """Initial value of the learned temperature; cosines are multiplied by its exponential."""
    generation_weight: float = 0.01
    """Weight of the generation loss, the paper's alpha; 0: only the contrastive loss."""
    topic: str = "genres"
    """The item attribute to generate, which is left out of the item's text. Items without it do not contribute to the
    generation loss."""
    related: int = 10
    """Number of related items per item: those with the highest co-occurrence scores."""
    window: int = 20
    """Two items of a user co-occur if they are at most this many events apart."""
    least_score: float = 0.01
    most_score: float = 30.0
    """Co-occurrence scores outside these bounds are ignored."""
    length: int = 10
    """Number of a user's newest events that an item is compared with."""

    @property
    def first_stage(self) -> int:
        """The epochs of the linear layer alone."""
        return self.head_epochs

    def __post_init__(self) -> None:
        # No zero-argument super(): a dataclass with slots is made anew, and the old class is meant by it.
        TrainedModel.__post_init__(self)
        if self.tuned_layers > self.layers:
            hint = f"give tuned_layers a value of at most {self.layers}"
            problem = f"tuned_layers is {self.tuned_layers}, but the model has {count_of(self.layers, 'layer')}"
            raise InputError(problem, hint=hint)
        if self.dtype not in DTYPES:
            raise InputError(f"dtype of notellm is {self.dtype!r}", hint=f"choose {' or '.join(DTYPES)}")

    def learner(self, split: Split) -> Learner:
        """Return an untrained model."""
        return NoteLearner(self, split)


class NoteLearner(NetworkLearner):
    """NoteLLM during training. The language model is loaded only for training."""

    def __init__(self, model: NoteLLM, split: Split) -> None:
        self.model, self.items = model, len(split.dataset.items)
        self.sequences, _ = sequences(split)
        self.related = related_items(self.sequences, self.items, model)
        self.queries = np.array([item for item, others in enumerate(self.related) if len(others)], np.int64)
        if not len(self.queries):
            hint = "use more data, or a lower least_score"
            raise InputError("no two items co-occur in training: there is nothing to draw together", hint=hint)
        self.tuning = False
        self._embeddings: Tensor | None = None
        self._stored: State | None = None
        super().__init__(model.seed, len(self.queries), lambda: note_encoder(model, split.dataset))

    def epoch(self, number: int) -> float:
        """Pair every item that has related ones with one of them, once, and embed the catalogue."""
        if self._stored is not None:
            super().restore(self._stored)
            self._stored = None
        self.tuning = number > self.model.head_epochs
        loss = super().epoch(number)
        self._embeddings = None
        return loss

    def steps(self, order: NDArray[np.int64], rng: np.random.Generator) -> Iterator[tuple[Tensor, int]]:
        """Yield the loss of each step."""
        torch, network = library("torch"), self.network
        for some in parts(self.queries[order], self.model.batch):
            queries = torch.from_numpy(some)
            others = torch.from_numpy(np.array([rng.choice(self.related[query]) for query in some]))
            if self.tuning:
                yield network.loss(queries, others, self.model.generation_weight), len(some)
            else:
                yield network.head_loss(queries, others), len(some)

    @cached_property
    def optimizer(self) -> Untyped:
        """Adam, slower where the language model is tuned."""
        network, model = self.network, self.model
        head = {"params": [network.projection, network.temperature], "lr": model.learning_rate}
        tuned = {"params": [*network.lora, network.token], "lr": model.tuning_rate}
        return library("torch").optim.Adam([head, tuned])

    @property
    def embeddings(self) -> Tensor:
        """The items' embeddings, float32[items, dimension], each of length 1."""
        known = self.network.embed(tuned=self.tuning) if self._embeddings is None else self._embeddings
        self._embeddings = known
        return known

    def scores(self, users: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return `predictions`, which need no language model once the embeddings are known."""
        return self.predictions(users)

    def predictions(self, users: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return the mean cosine of every item to each user's newest items; 0 for a user without events."""
        return mean_cosines(self.embeddings.numpy(), [self.sequences[user][-self.model.length :] for user in users])

    def state(self) -> State:
        """Return copies of the trained weights, Adam's moments, and the embeddings."""
        return super().state() | {"embeddings": self.embeddings}

    def restore(self, state: State) -> None:
        """Restore a state; the language model is loaded when training continues."""
        self._stored, self._embeddings = state, state["embeddings"]


def related_items(own: Sequence[NDArray[np.int64]], items: int, model: NoteLLM) -> list[NDArray[np.int64]]:
    """Return for each item its related ones (the paper's co-occurrence mechanism): those of the highest scores within
    the bounds, best first.

    A user who takes A and then B adds 1 / (number of the user's events) to the score of B for A, so that busy users
    count no more than others.

    Args:
        own: Each user's items, counted from 1, oldest first.
        items: In the catalogue.
        model: Its `related`, `window` and bounds.
    """
    from scipy.sparse import csr_matrix

    taken = np.concatenate(own) - 1
    lengths = np.array([len(one) for one in own])
    user = np.repeat(np.arange(len(own)), lengths)
    weight = 1 / lengths[user]
    scores = csr_matrix((items, items))
    for apart in range(1, min(model.window, int(lengths.max())) + 1):
        same = user[apart:] == user[:-apart]
        first, then = taken[:-apart][same], taken[apart:][same]
        other = first != then
        found = (weight[apart:][same][other], (first[other], then[other]))
        scores = csr_matrix(scores + csr_matrix(found, shape=(items, items)))
    related: list[NDArray[np.int64]] = []
    columns, values = np.asarray(scores.indices, np.int64), np.asarray(scores.data, np.float64)
    for row in np.split(np.arange(scores.nnz), np.asarray(scores.indptr[1:-1])):
        within = row[(values[row] >= model.least_score) & (values[row] <= model.most_score)]
        best = within[np.lexsort((columns[within], -values[within]))]
        related.append(columns[best[: model.related]])
    return related


def note_encoder(model: NoteLLM, dataset: Dataset) -> NoteEncoder:
    """Return the untrained network; MissingError where a package or the base model is not here."""
    library("torch")
    from llmrank.recall.note_encoder import NoteEncoder, NotePrompt

    kind, topic = dataset.kind, model.topic
    prompt = NotePrompt(
        f"Extract the {kind} information in json format, compress it into one word for recommendation, and generate "
        f"the {topic} of the {kind}. ",
        [note(item, topic) for item in dataset.items],
        f'". The {topic} {"are" if topic.endswith("s") else "is"}:',
        [f" {item.attributes[topic]}" if item.attributes.get(topic) else "" for item in dataset.items],
    )
    return NoteEncoder(resolve_model(model.base).folder, prompt, model)


def note(item: Item, topic: str) -> str:
    """Return what the model reads of an item, as the paper writes it; without the topic, which is to be generated."""
    others = {name: value for name, value in item.attributes.items() if name != topic}
    return str({"title": item.title, **others})
