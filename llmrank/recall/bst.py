"""BST, a click-through model with a transformer over the newest events and the item in question."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from llmrank.recall.ctr import ClickModel
from llmrank.recall.training import library

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True, kw_only=True)
class BST(ClickModel):
    """BST (Chen et al. 2019, arXiv:1905.06874), as implemented in torch-rechub.

    Positions are ordinal; the paper uses time differences. The transformer's feed-forward layers are 4 times as wide as
    the embeddings; torch-rechub's default of 2,048 units is ten times slower at this dimension.
    """

    name: ClassVar[str] = "bst"
    heads: int = 4
    patience: int = 20
    """Learning begins late where an epoch has few steps."""

    def network(self, users: int, items: int) -> nn.Module:
        """Return the model."""
        nn, features = library("torch").nn, library("torch_rechub.basic.features")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about the layer that is replaced below
            bst = library("torch_rechub.models.ranking").BST(
                features=[features.SparseFeature("user", users + 1, self.dimension)],
                history_features=[
                    features.SequenceFeature(
                        "history", items + 1, self.dimension, pooling="concat", shared_with="item", padding_idx=0
                    )
                ],
                target_features=[features.SparseFeature("item", items + 1, self.dimension, padding_idx=0)],
                mlp_params={"dims": [128, 64], "activation": "relu", "dropout": self.dropout},
                nhead=self.heads,
                dropout=self.dropout,
                num_layers=1,  # the best of the paper
                max_seq_len=self.length + 1,
            )
        how = {"activation": nn.LeakyReLU(), "batch_first": True}
        layer = nn.TransformerEncoderLayer(self.dimension, self.heads, 4 * self.dimension, self.dropout, **how)
        bst.transformer_layers = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        return bst
