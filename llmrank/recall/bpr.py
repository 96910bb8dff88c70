"""Recall by BPR, a matrix factorization trained on pairs of an item a user has and one they do not have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from llmrank.recall.ials import FactorModel
from llmrank.recall.training import Untyped, library


@dataclass(frozen=True, slots=True, kw_only=True)
class BPR(FactorModel):
    """BPR-MF (Rendle et al. 2009), trained with the library implicit in a single thread to avoid races.

    The loss is the share of sampled pairs in the wrong order.
    """

    name: ClassVar[str] = "bpr"
    dimension: int = 64
    learning_rate: float = 0.02
    regularization: float = 0.01
    epochs: int = 300
    patience: int = 20

    def solver(self) -> Untyped:
        """Return implicit's model."""
        return library("implicit.bpr").BayesianPersonalizedRanking(
            factors=self.dimension,
            learning_rate=self.learning_rate,
            regularization=self.regularization,
            iterations=1,
            num_threads=1,
            use_gpu=False,
        )

    def loss(self, progress: Sequence[float], pairs: int) -> float:
        """Return the share of wrong pairs, without pairs whose negative item the user has."""
        correct, skipped = progress
        return 1 - correct / max(1, pairs - skipped)
