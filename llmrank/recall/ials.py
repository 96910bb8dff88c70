"""Recall by iALS, a matrix factorization for implicit feedback."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from llmrank.data.dataset import Split
from llmrank.recall.model import binary_matrix
from llmrank.recall.training import Learner, State, TrainedModel, Untyped, library


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorModel(TrainedModel):
    """Base class of matrix factorizations from the library implicit."""

    refit: bool = True
    """True, so that the user factors include the newest events."""
    dimension: int

    @abstractmethod
    def solver(self) -> Untyped:
        """Return implicit's untrained model, of one iteration."""

    @abstractmethod
    def loss(self, progress: Sequence[float], pairs: int) -> float:
        """Return the loss from implicit's progress values of an iteration over this many user-item pairs."""

    def learner(self, split: Split) -> Learner:
        """Return an untrained model."""
        return FactorLearner(self, split)


class FactorLearner(Learner):
    """A matrix factorization during training, one iteration of the library implicit at a time."""

    def __init__(self, model: FactorModel, split: Split) -> None:
        # In the type of implicit's factors, or it converts the matrix in every iteration.
        self.model, self.matrix = model, binary_matrix(split, np.arange(len(split.dataset.items))).astype(np.float32)
        # BLAS threads would slow down implicit's own threads.
        library("implicit")  # load it first: limits apply only to loaded libraries
        with library("threadpoolctl").threadpool_limits(1, "blas"):
            self.solver = model.solver()

    def epoch(self, number: int) -> float:
        """Run one iteration."""
        progress: list[float] = []
        self.solver.random_state = int(np.random.default_rng((self.model.seed, number)).integers(2**31))

        def keep(iteration: int, seconds: float, *values: float) -> None:
            progress.extend(values)

        try:
            with library("threadpoolctl").threadpool_limits(1, "blas"):
                self.solver.fit(self.matrix, show_progress=False, callback=keep)
        except library("implicit.recommender_base").ModelFitError:  # NaN among the factors
            return float("nan")
        return self.model.loss(progress, self.matrix.nnz)

    def scores(self, users: NDArray[np.int32]) -> NDArray[np.floating]:
        """Return the products of user and item factors."""
        return self.solver.user_factors[users] @ self.solver.item_factors.T

    def state(self) -> State:
        """Return copies of the factors."""
        torch, solver = library("torch"), self.solver
        factors = {"users": solver.user_factors, "items": solver.item_factors}
        return {name: torch.from_numpy(values.copy()) for name, values in factors.items()}

    def restore(self, state: State) -> None:
        """Restore the factors."""
        self.solver.user_factors, self.solver.item_factors = state["users"].numpy(), state["items"].numpy()


@dataclass(frozen=True, slots=True, kw_only=True)
class IALS(FactorModel):
    """iALS (Hu, Koren and Volinsky 2008), as the library implicit solves it."""

    name: ClassVar[str] = "ials"
    dimension: int = 32
    alpha: float = 1.0
    """Weight of an interaction, against 1 for the lack of one."""
    regularization: float = 0.01
    epochs: int = 50

    def solver(self) -> Untyped:
        """Return implicit's model."""
        return library("implicit.als").AlternatingLeastSquares(
            factors=self.dimension,
            regularization=self.regularization,
            alpha=self.alpha,
            iterations=1,
            calculate_training_loss=True,
            use_gpu=False,
        )

    def loss(self, progress: Sequence[float], pairs: int) -> float:
        """Return the loss as implicit measures it."""
        return float(progress[0])
