"""Recall by EASE, a linear model of every item on all the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmrank.data.dataset import Split
from llmrank.errors import InputError
from llmrank.recall.model import Fitted, preferences

MOST_ITEMS = 20_000
"""Beyond this many items the dense inverse takes more than 10 GB."""


@dataclass(frozen=True, slots=True)
class Ease:
    """EASE (Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data", eq. 8), on binary interactions.

    With G = X'X and P = (G + l2 I)^-1, the weights are B_ij = -P_ij / P_jj off the diagonal and 0 on it, and the scores
    X B. `transposed` scores with X B' instead, as RecTools' EASEModel does: only for comparing with its figures.
    """

    l2: float = 500.0
    transposed: bool = False

    def __post_init__(self) -> None:
        if not self.l2 > 0:
            raise InputError(f"l2 is {self.l2}", hint="give it a value above 0, 500 for MovieLens")

    @property
    def name(self) -> str:
        """`ease`, or `ease-rectools` if transposed."""
        return "ease-rectools" if self.transposed else "ease"

    @property
    def settings(self) -> Mapping[str, int | float | str | bool]:
        """The regularisation."""
        return {"l2": self.l2}

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
        gram = (known.matrix.T @ known.matrix).toarray()
        gram[np.diag_indices_from(gram)] += self.l2
        inverse = np.linalg.inv(gram)
        weights = -inverse / np.diag(inverse)
        np.fill_diagonal(weights, 0.0)
        if self.transposed:
            weights = np.ascontiguousarray(weights.T)

        def score(rows: NDArray[np.int32]) -> NDArray[np.float64]:
            return known.matrix[rows] @ weights

        return Fitted(known, score)
