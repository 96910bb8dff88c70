"""Recall by SASRec, a causal transformer over the user's items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from llmrank.recall.sequential import SequentialModel
from llmrank.recall.training import library

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class SASRec(SequentialModel):
    """SASRec (Kang and McAuley 2018), trained with cross-entropy over the catalogue (Klenitskiy and Vasilev 2023)."""

    name: ClassVar[str] = "sasrec"

    def body(self) -> nn.Module:
        """Return torch's transformer layers behind a causal mask."""
        return transformer(self, causal=True)


def transformer(model: SequentialModel, *, causal: bool) -> nn.Module:
    """Return torch's pre-norm transformer layers; the feed-forward part is 4 times as wide as the embeddings."""
    torch = library("torch")

    class Layers(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layer = torch.nn.TransformerEncoderLayer(
                model.dimension,
                model.heads,
                4 * model.dimension,
                model.dropout,
                activation="gelu",
                batch_first=True,
                norm_first=True,
            )
            self.layers = torch.nn.TransformerEncoder(layer, model.blocks, enable_nested_tensor=False)

        def forward(self, embedded: Tensor, there: Tensor, times: Tensor) -> Tensor:
            if not causal:
                return self.layers(embedded, src_key_padding_mask=~there)
            # Padding stands behind the events, where causal attention never looks.
            mask = torch.nn.Transformer.generate_square_subsequent_mask(embedded.shape[1])
            return self.layers(embedded, mask=mask, is_causal=True)

    return Layers()
