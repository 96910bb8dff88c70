"""Recall by EASE, a linear model that predicts every item from all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from llmrank.data.dataset import Split
from llmrank.errors import InputError
from llmrank.recall.model import Fitted, RecallModel, preferences

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

MOST_ITEMS = 20_000
"""Beyond this many items the dense inverse takes more than 10 GB."""


@dataclass(frozen=True)
class Ease(RecallModel):
    """EASE (Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data", eq. 8), on binary interactions.

    With G = X'X and P = (G + l2 I)^-1, the weights are B_ij = -P_ij / P_jj off the diagonal and 0 on it. The scores are
    X B.
    """

    name = "ease"
    l2: float = 500.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.l2 < np.inf:
            raise InputError(f"invalid l2: {self.l2}", hint="use a value above 0, such as 500 for MovieLens")

    def check(self, split: Split) -> None:
        """Raise InputError if the catalogue is too large."""
        items = len(split.dataset.items)
        if items > MOST_ITEMS:
            raise InputError(
                f"EASE inverts a dense items x items matrix: {items:,} items need {3 * 8 * items**2 / 1e9:,.0f} GB, "
                f"and the maximum is {MOST_ITEMS:,} items",
                hint="use itemknn, whose memory grows with items x neighbours, or keep fewer items (--k-core)",
            )

    def fit(self, split: Split) -> Fitted:
        """Return the model. Raises InputError if the catalogue is too large for a dense items x items inverse."""
        known = preferences(split)
        self.check(split)
        weights = self.weights(known.matrix)
        # Items with identical users must tie, despite rounding differences in the inverse.
        columns, first = known.matrix.tocsc(), dict[bytes, int]()
        owners = np.split(columns.indices, columns.indptr[1:-1])
        tied = [first.setdefault(users.tobytes(), column) for column, users in enumerate(owners)]

        def score(rows: NDArray[np.int32]) -> NDArray[np.float64]:
            return (known.matrix[rows] @ weights)[:, tied]

        return Fitted(known, score)

    def weights(self, matrix: csr_matrix) -> NDArray[np.float64]:
        """Return B, items x items: `[i, j]` is the contribution of having item i to the score of item j."""
        gram = (matrix.T @ matrix).toarray()
        gram[np.diag_indices_from(gram)] += self.l2
        inverse = np.linalg.inv(gram)
        weights = -inverse / np.diag(inverse)
        np.fill_diagonal(weights, 0.0)
        return weights
