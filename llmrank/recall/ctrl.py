"""CTRL, a click-through model that is first aligned with a language model, and then used without it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from llmrank.data.dataset import Split
from llmrank.errors import InputError, count_of
from llmrank.recall.autoint import AutoInt
from llmrank.recall.ctr import ClickLearner
from llmrank.recall.sentence_encoder import ENCODER, encode, encoder_folder, sentence
from llmrank.recall.training import Learner, library

if TYPE_CHECKING:
    from torch import Tensor, nn

LEAST_EVENTS = 2
"""Of a step of stage 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CTRL(AutoInt):
    """CTRL (Li et al. 2023, arXiv:2306.02841) around AutoInt.

    Stage 1, the first `alignment` epochs: what the output layers of the click-through model read of an event is drawn
    to the text of the same event, and away from the texts of the other events of the step (InfoNCE in both directions;
    similarity is the sum over the subspaces of one side of the best cosine among those of the other, section 4.2).
    Stage 2: the click-through model alone is trained, as without stage 1.

    Where the paper encodes a prompt for each event and trains the encoder too, the encoder here is frozen and reads
    each item's sentence once: the text of an event is the mean over the history beside that of the item in question.
    """

    name: ClassVar[str] = "ctrl"
    least: ClassVar[Mapping[str, int]] = MappingProxyType({"alignment_batch": LEAST_EVENTS})
    alignment: int = 3
    """Epochs of stage 1."""
    alignment_batch: int = 256
    """Events per step of stage 1."""
    subspaces: int = 4
    subspace_dimension: int = 32
    temperature: float = 0.7
    encoder: str = ENCODER
    """Folder or hub name of a sentence encoder, or a package that holds one."""
    text_dimension: int = 384
    """Of the encoder's embeddings."""

    @property
    def first_stage(self) -> int:
        """The epochs of stage 1."""
        return self.alignment

    def check(self, split: Split) -> None:
        """Raise MissingError if the encoder is an unknown package, and InputError for too little data."""
        AutoInt.check(self, split)
        encoder_folder(self.encoder, self.name)

    def network(self, users: int, items: int) -> nn.Module:
        """Return AutoInt, with the projections of both sides that stage 1 needs."""
        nn = library("torch").nn
        network = AutoInt.network(self, users, items)
        common = self.subspaces * self.subspace_dimension
        width = sum(layer.in_features for layer in output_layers(network))
        network.add_module("tabular", nn.Linear(width, common))
        network.add_module("textual", nn.Linear(2 * self.text_dimension, common))
        return network

    def learner(self, split: Split) -> Learner:
        """Return an untrained model."""
        return CTRLLearner(self, split)


class CTRLLearner(ClickLearner):
    """CTRL during training. The encoder is loaded only for stage 1."""

    model: CTRL

    def __init__(self, model: CTRL, split: Split) -> None:
        super().__init__(model, split)
        if len(self.events) < LEAST_EVENTS:
            raise InputError("a single event has no others to be aligned against", hint="use more data, or autoint")
        self.catalogue, self.kind = split.dataset.items, split.dataset.kind
        self.aligning, self.texts = False, np.zeros((0, 0), np.float32)

    def _item_texts(self) -> NDArray[np.float32]:
        """Return the embedding of each item's sentence; 0 for padding, row 0."""
        found = encode([sentence(item, self.kind) for item in self.catalogue], self.model.encoder, self.model.name)
        if found.shape[1] != self.model.text_dimension:
            hint = f"set text_dimension={found.shape[1]}"
            raise InputError(f"{self.model.encoder} gives {count_of(found.shape[1], 'number')} a text", hint=hint)
        return np.pad(found, ((1, 0), (0, 0)))

    def epoch(self, number: int) -> float:
        """Run one epoch: the first ones align; the others start with fresh Adam moments."""
        self.aligning = number <= self.model.alignment
        if self.aligning and not len(self.texts):
            self.texts = self._item_texts()
        if number == self.model.alignment + 1:
            self.optimizer.state.clear()
        return super().epoch(number)

    def steps(self, order: NDArray[np.int64], rng: np.random.Generator) -> Iterator[tuple[Tensor, int]]:
        """Yield the loss of each step of the stage."""
        return self._align(order) if self.aligning else super().steps(order, rng)

    def _align(self, order: NDArray[np.int64]) -> Iterator[tuple[Tensor, int]]:
        torch, batch = library("torch"), self.model.alignment_batch
        for at in range(0, len(order) - 1, batch):
            users, items, history = self.samples(order[at : at + batch])
            known = np.maximum((history > 0).sum(1, keepdims=True), 1)
            text = np.concatenate([self.texts[history].sum(1) / known, self.texts[items]], axis=1, dtype=np.float32)
            tabular = self.network.tabular(read_by_output(self.network, self.inputs(users, items, history)))
            yield self._info_nce(tabular, self.network.textual(torch.from_numpy(text))), len(users)

    def _info_nce(self, tabular: Tensor, textual: Tensor) -> Tensor:
        """Return the contrastive loss of both directions; row i of both sides is the same event."""
        nn, model = library("torch").nn, self.model
        sides = (side.view(len(side), model.subspaces, -1) for side in (tabular, textual))
        left, right = (nn.functional.normalize(side, dim=2) for side in sides)
        pairs = (left.flatten(0, 1) @ right.flatten(0, 1).T).view(len(left), model.subspaces, len(left), -1)
        to_text, to_tabular = pairs.amax(3).sum(1), pairs.amax(1).sum(2).T
        own = library("torch").arange(len(left))
        losses = [nn.functional.cross_entropy(one / model.temperature, own) for one in (to_text, to_tabular)]
        return (losses[0] + losses[1]) / 2


def output_layers(network: nn.Module) -> list[Any]:
    """Return the linear layers whose sum is the logit of a click-through model."""
    nn = library("torch").nn
    return [layer for layer in network.modules() if isinstance(layer, nn.Linear) and layer.out_features == 1]


def read_by_output(network: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
    """Return the inputs of a click-through model's output layers: its representation of each sample."""
    seen: list[Tensor] = []

    def keep(layer: nn.Module, read: tuple[Tensor]) -> None:
        seen.append(read[0])

    hooks = [layer.register_forward_pre_hook(keep) for layer in output_layers(network)]
    network(inputs)
    for hook in hooks:
        hook.remove()
    return library("torch").cat(seen, dim=1)
