"""Training settings. This module does not import torch, so that the command line can show them quickly."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

from llmrank.backends.titles import TitleShape
from llmrank.backends.vllm import LORA_RANKS

LEAST_VALIDATION = 20
"""Validation Cases that are needed to choose the weights."""
Positive = Annotated[float, Gt(0), Lt(float("inf"))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """Settings of all trainings."""

    users: Annotated[int, Ge(0)] = 0
    """Number of users to train on, sampled with the seed; 0: all."""
    epochs: Positive = 8.0
    """Passes over the data.  [default: 8; with --prompt 3]"""
    learning_rate: Positive = 1e-3
    """Peak learning rate; it decays along a cosine.  [default: 0.001; with --prompt 0.0005]"""
    warm_up: Annotated[int, Ge(1)] = 30
    """Number of warm-up steps."""
    validations: Annotated[int, Ge(1)] = 4
    """Number of validations during training; the best weights are kept."""
    patience: Annotated[int, Ge(1)] = 2
    """Stop after this many validations without improvement."""
    checkpoint_seconds: Annotated[float, Ge(0)] = 30.0
    """Seconds between checkpoints, which bounds the work lost when training is stopped."""
    seed: Annotated[int, Ge(0), Lt(1 << 63)] = 0
    """Seed for the initial weights, the order of the users, and the validation users."""
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    """Data type of the language model's weights and states."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleTraining(Training):
    """Settings of training on sequences of titles."""

    shape: TitleShape = field(default_factory=TitleShape)
    events: Annotated[int, Ge(1)] = 768
    """Positions per batch, including padding."""
    dropout: Annotated[float, Ge(0), Le(0.9)] = 0.1
    """Dropout of the inputs, and of the states that are compared with the items."""
    whitening: Annotated[float, Ge(0), Le(1)] = 0.8
    """Degree of whitening of the title representations: 0 none, 1 full."""
    start: Path | None = None
    """Folder of an adapter to start from, or the name of one shipped with llmrank; it may have been trained on other
    data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptTraining(Training):
    """Settings of training for a prompt."""

    epochs: Positive = 3.0
    """Passes over the data."""
    learning_rate: Positive = 5e-4
    """Peak learning rate; it decays along a cosine."""
    rank: Annotated[int, Ge(1), Le(LORA_RANKS[-1])] = 8
    """Rank of the LoRA adapter on all linear layers, limited by vLLM."""
    tuned_layers: Annotated[int, Ge(0)] = 0
    """Number of top decoder layers with an adapter; 0: all. Fewer layers train faster."""
    targets: Annotated[int, Ge(1)] = 1
    """Number of each user's newest events to use as targets. The recall stage for a target never sees it."""
    regression: bool = False
    """For rating prompts: minimise the squared error of the rating instead of the loss of its label (Kang et al.
    2023)."""
    tokens: Annotated[int, Ge(1)] = 4096
    """Tokens per batch, including padding."""
