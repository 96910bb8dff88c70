"""Recall by iALS, a matrix factorization for implicit feedback."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from llmrank.data.dataset import Split
from llmrank.recall.model import preferences
from llmrank.recall.training import TrainedModel, library


class FactorLearner:
    """A matrix factorization of the library implicit while it is trained, one of its iterations at a time."""

    def __init__(
        self, split: Split, build: Callable[[], Any], loss: Callable[[Sequence[float]], float], seed: int
    ) -> None:
        known = preferences(split)
        self.matrix = known.matrix[:, np.argsort(known.items)].tocsr()
        self._loss, self._seed = loss, seed
        with _one_blas_thread():
            self.solver = build()

    def epoch(self, number: int) -> float:
        """Run one iteration."""
        progress: list[float] = []
        self.solver.random_state = int(np.random.default_rng((self._seed, number)).integers(2**31))

        def keep(iteration: int, seconds: float, *values: float) -> None:
            progress.extend(values)

        try:
            with _one_blas_thread():
                self.solver.fit(self.matrix, show_progress=False, callback=keep)
        except library("implicit.recommender_base").ModelFitError:  # it found NaN among the factors
            return float("nan")
        return self._loss(progress)

    def scores(self, users: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return the products of user and item factors."""
        found = self.solver.user_factors[users] @ self.solver.item_factors.T
        return found.astype(np.float64)

    def state(self) -> dict[str, Any]:
        """Return copies of the factors."""
        torch = library("torch")
        return {
            "users": torch.from_numpy(self.solver.user_factors.copy()),
            "items": torch.from_numpy(self.solver.item_factors.copy()),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over the factors."""
        self.solver.user_factors, self.solver.item_factors = state["users"].numpy(), state["items"].numpy()


def _one_blas_thread() -> AbstractContextManager[None]:
    """implicit has threads of its own, which those of BLAS would slow down."""
    return library("threadpoolctl").threadpool_limits(1, "blas")


@dataclass(frozen=True, slots=True, kw_only=True)
class IALS(TrainedModel):
    """iALS (Hu, Koren and Volinsky 2008), as the library implicit solves it."""

    name: ClassVar[str] = "ials"
    refit: bool = True
    """The factors of a user must know the newest events too."""
    dimension: int = 32
    alpha: float = 1.0
    """Weight of an interaction, against 1 for the lack of one."""
    regularization: float = 0.01
    epochs: int = 50

    def learner(self, split: Split) -> FactorLearner:
        """Return an untrained model."""

        def build() -> Any:  # noqa: ANN401 - an untyped library
            return library("implicit.als").AlternatingLeastSquares(
                factors=self.dimension,
                regularization=self.regularization,
                alpha=self.alpha,
                iterations=1,
                calculate_training_loss=True,
                use_gpu=False,
            )

        return FactorLearner(split, build, lambda progress: float(progress[0]), self.seed)
