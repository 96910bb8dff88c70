"""AutoInt, a click-through model whose attention combines the fields of a sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from llmrank.recall.ctr import ClickModel
from llmrank.recall.training import library

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoInt(ClickModel):
    """AutoInt (Song et al. 2019, arXiv:1810.11921), as implemented in torch-rechub.

    The fields are the user, the item, and each of the newest `length` events.
    """

    name: ClassVar[str] = "autoint"
    dimension: int = 16
    length: int = 5
    heads: int = 2
    layers: int = 2

    def network(self, users: int, items: int) -> nn.Module:
        """Return the model."""
        feature = library("torch_rechub.basic.features").SparseFeature
        fields = [feature("user", users + 1, self.dimension), feature("item", items + 1, self.dimension)]
        for back in range(1, self.length + 1):
            fields.append(feature(f"recent_{back}", items + 1, self.dimension, shared_with="item"))
        return library("torch_rechub.models.ranking").AutoInt(
            sparse_features=fields,
            dense_features=[],
            num_layers=self.layers,
            num_heads=self.heads,
            dropout=self.dropout,
            mlp_params={"dims": [128, 64], "activation": "relu", "dropout": self.dropout},
        )
