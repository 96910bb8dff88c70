"""The settings of a training; they load no torch, so that the command line can show them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Gt

from llmrank.backends.titles import TitleShape


@dataclass(frozen=True, slots=True)
class TitleTraining:
    """The settings of a training."""

    shape: TitleShape = field(default_factory=TitleShape)
    users: Annotated[int, Ge(0)] = 0
    """Users whose events are learned from, drawn with the seed; 0: all."""
    epochs: Annotated[float, Gt(0)] = 8.0
    """Passes over the data."""
    learning_rate: Annotated[float, Gt(0)] = 1e-3
    """Of the adapter and of the projections, at its highest; it falls along a cosine."""
    warm_up: int = 30
    """Steps in which the learning rate rises."""
    events: int = 768
    """Positions in a batch, padding included."""
    dropout: float = 0.1
    """Of the inputs, and of the states that are compared with the items."""
    whitening: float = 0.8
    """How far the variances of what is read of titles are made equal: 0 not at all, 1 entirely."""
    validations: Annotated[int, Ge(1)] = 4
    """How often NDCG@10 on the validation Cases is measured; the best weights are kept."""
    patience: Annotated[int, Ge(1)] = 2
    """Validations without a better one after which training stops."""
    checkpoint_seconds: float = 30.0
    """Between checkpoints: what a training that is stopped loses at most."""
    seed: int = 0
    """Draws the weights that training begins with, the order of the users, and the validation users."""
    dtype: str = "bfloat16"
    """Of the language model's weights and states."""
    start: Path | None = None
    """Folder of an adapter, of other data perhaps, whose weights this one starts from."""
