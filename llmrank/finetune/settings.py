"""The settings of a training; they load no torch, so that the command line can show them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

from llmrank.backends.titles import TitleShape
from llmrank.backends.vllm import LORA_RANKS

Positive = Annotated[float, Gt(0), Lt(float("inf"))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """The settings that all trainings have."""

    users: Annotated[int, Ge(0)] = 0
    """Users whose events are learned from, drawn with the seed; 0: all."""
    epochs: Positive = 8.0
    """Passes over the data.  [default: 8; with --prompt 3]"""
    learning_rate: Positive = 1e-3
    """At its highest; it falls along a cosine.  [default: 0.001; with --prompt 0.0005]"""
    warm_up: Annotated[int, Ge(1)] = 30
    """Steps in which the learning rate rises."""
    validations: Annotated[int, Ge(1)] = 4
    """How often the weights are measured on the validation Cases; the best are kept."""
    patience: Annotated[int, Ge(1)] = 2
    """Validations without a better one after which training stops."""
    checkpoint_seconds: float = 30.0
    """Between checkpoints: what a training that is stopped loses at most."""
    seed: Annotated[int, Ge(0), Lt(1 << 63)] = 0
    """Draws the weights that training begins with, the order of the users, and the validation users."""
    dtype: str = "bfloat16"
    """Of the language model's weights and states."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleTraining(Training):
    """The settings of a training that continues sequences of titles."""

    shape: TitleShape = field(default_factory=TitleShape)
    events: int = 768
    """Positions in a batch, padding included."""
    dropout: float = 0.1
    """Of the inputs, and of the states that are compared with the items."""
    whitening: float = 0.8
    """How far the variances of what is read of titles are made equal: 0 not at all, 1 entirely."""
    start: Path | None = None
    """Folder of an adapter, of other data perhaps, whose weights this one starts from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptTraining(Training):
    """The settings of a training that answers a prompt."""

    epochs: Positive = 3.0
    """Passes over the data."""
    learning_rate: Positive = 5e-4
    """At its highest; it falls along a cosine."""
    rank: Annotated[int, Ge(1), Le(LORA_RANKS[-1])] = 8
    """Rank of the LoRA adapter, on all linear layers; vLLM takes no larger one."""
    tuned_layers: Annotated[int, Ge(0)] = 0
    """Decoder layers, the uppermost, that get an adapter; 0: all. Fewer train faster."""
    targets: Annotated[int, Ge(1)] = 1
    """Events of each user that are asked for, the newest; the recall stage that proposes for one has not seen it."""
    regression: bool = False
    """Of a rating prompt: learn to be near the right rating, and not that its label is likely (Kang et al. 2023)."""
    tokens: Annotated[int, Ge(1)] = 4096
    """Tokens in a batch, padding included."""
