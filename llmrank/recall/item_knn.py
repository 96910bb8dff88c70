"""Recall by item neighbours (ItemKNN)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from llmrank.data.dataset import Split
from llmrank.errors import InputError
from llmrank.recall.model import Fitted, RecallModel, Setting, preferences, top_columns

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

ITEMS_AT_ONCE = 512


@dataclass(frozen=True)
class ItemKNN(RecallModel):
    """Each item of a user votes for its nearest neighbours with the cosine of their tf-idf vectors.

    The vectors are rows of the item x user matrix. The weight of a user is idf = ln(items / (1 + items of the user)),
    where only items with interactions count. This is `TFIDFRecommender` of the library implicit, which RecTools wraps.
    There K includes the item itself, so neighbours = K - 1 gives the same. Items without votes score 0.
    """

    name = "itemknn"
    neighbours: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.neighbours < 1:
            raise InputError(f"neighbours is {self.neighbours}", hint="give it a value of 1 or more")

    @property
    def settings(self) -> Mapping[str, Setting]:
        """The number of neighbours and the weighting."""
        return {"neighbours": self.neighbours, "weighting": "tf-idf"}

    def fit(self, split: Split) -> Fitted:
        """Return the model; memory grows with items x neighbours."""
        known = preferences(split)
        votes = nearest_neighbours(tf_idf(known.matrix), self.neighbours)

        def score(rows: NDArray[np.int32]) -> NDArray[np.float64]:
            return (known.matrix[rows] @ votes).toarray()

        return Fitted(known, score)


def tf_idf(matrix: csr_matrix) -> csr_matrix:
    """Return the item x user matrix of tf-idf weights, each row of length 1, for a binary user x item matrix."""
    from scipy.sparse import csr_matrix, diags_array

    idf = np.log(len(np.unique(matrix.indices))) - np.log1p(np.diff(matrix.indptr))
    weighted = csr_matrix(matrix.T @ diags_array(idf))
    length = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    return csr_matrix(diags_array(1 / np.where(length > 0, length, 1.0)) @ weighted)


def nearest_neighbours(vectors: csr_matrix, neighbours: int) -> csr_matrix:
    """Return an items x items matrix: each row has the cosines of that item's nearest neighbours. Of equal ones, the
    earlier columns are kept."""
    from scipy.sparse import csr_matrix, vstack

    items, blocks = len(vectors.indptr) - 1, list["csr_matrix"]()
    turned = vectors.T.tocsr()
    for start in range(0, items, ITEMS_AT_ONCE):
        cosine = csr_matrix(vectors[start : start + ITEMS_AT_ONCE] @ turned)
        cosine.sort_indices()
        data = np.asarray(cosine.data, np.float64)  # no copy: values set to 0 are removed below
        for row, (begin, end) in enumerate(pairwise(np.asarray(cosine.indptr).tolist())):
            values = data[begin:end]
            values[cosine.indices[begin:end] == start + row] = 0.0
            if len(values) > neighbours:
                far = np.ones(len(values), np.bool_)
                far[top_columns(values[None], neighbours)] = False
                values[far] = 0.0
        cosine.eliminate_zeros()
        blocks.append(cosine)
    return csr_matrix(vstack(blocks))
