"""Recall by BPR, a matrix factorization trained on pairs of an item a user has and one they do not have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from llmrank.data.dataset import Split
from llmrank.recall.ials import FactorLearner
from llmrank.recall.model import preferences
from llmrank.recall.training import TrainedModel, library


@dataclass(frozen=True, slots=True, kw_only=True)
class BPR(TrainedModel):
    """BPR-MF (Rendle et al. 2009), as the library implicit trains it, in one thread: more would race for the factors.

    The loss is the share of sampled pairs in the wrong order.
    """

    name: ClassVar[str] = "bpr"
    refit: bool = True
    """The factors of a user must know the newest events too."""
    dimension: int = 64
    learning_rate: float = 0.02
    regularization: float = 0.01
    epochs: int = 300
    patience: int = 20

    def learner(self, split: Split) -> FactorLearner:
        """Return an untrained model."""
        pairs = len(preferences(split).matrix.data)

        def build() -> Any:  # noqa: ANN401 - an untyped library
            return library("implicit.bpr").BayesianPersonalizedRanking(
                factors=self.dimension,
                learning_rate=self.learning_rate,
                regularization=self.regularization,
                iterations=1,
                num_threads=1,
                use_gpu=False,
            )

        def loss(progress: Sequence[float]) -> float:
            correct, skipped = progress  # skipped: the user has the sampled item too
            return 1 - correct / (pairs - skipped)

        return FactorLearner(split, build, loss, self.seed)
