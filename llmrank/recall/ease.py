"""Recall by EASE, a linear model of every item on all the others."""

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

    With G = X'X and P = (G + l2 I)^-1, the weights are B_ij = -P_ij / P_jj off the diagonal and 0 on it, and the scores
    X B.
    """

    name = "ease"
    l2: float = 500.0

    def __post_init__(self) -> None:
        if not 0 < self.l2 < np.inf:
            raise InputError(f"l2 is {self.l2}", hint="give it a value above 0, 500 for MovieLens")

    def fit(self, split: Split) -> Fitted:
        """Return the model; InputError for a catalogue too large for a dense items x items inverse."""
        items = len(split.dataset.items)
        if items > MOST_ITEMS:
            raise InputError(
                f"EASE inverts a dense matrix of items x items: {items:,} items need "
                f"{3 * 8 * items**2 / 1e9:,.0f} GB, and {MOST_ITEMS:,} are the most it takes on",
                hint="use --model itemknn, whose memory grows with items x neighbours, or keep fewer items (k-core)",
            )
        known = preferences(split)
        weights = self.weights(known.matrix)
        # Items that the same users have tie: the last digits of the inverse must not part them.
        columns, first = known.matrix.tocsc(), dict[bytes, int]()
        owners = np.split(columns.indices, columns.indptr[1:-1])
        tied = [first.setdefault(users.tobytes(), column) for column, users in enumerate(owners)]

        def score(rows: NDArray[np.int32]) -> NDArray[np.float64]:
            return (known.matrix[rows] @ weights)[:, tied]

        return Fitted(known, score)

    def weights(self, matrix: csr_matrix) -> NDArray[np.float64]:
        """Return B, items x items: `[i, j]` is what having item i adds to the score of item j."""
        gram = (matrix.T @ matrix).toarray()
        gram[np.diag_indices_from(gram)] += self.l2
        inverse = np.linalg.inv(gram)
        weights = -inverse / np.diag(inverse)
        np.fill_diagonal(weights, 0.0)
        return weights
