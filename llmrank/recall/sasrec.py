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
        """Return torch's transformer layers."""
        return transformer(self)

    def attend(self, body: nn.Module, embedded: Tensor, there: Tensor, times: Tensor) -> Tensor:
        """Attend to earlier events only, so never to padding."""
        mask = library("torch").nn.Transformer.generate_square_subsequent_mask(embedded.shape[1])
        return body(embedded, mask=mask, is_causal=True)


def transformer(model: SequentialModel) -> nn.Module:
    """Return torch's pre-norm transformer layers; the feed-forward part is 4 times as wide as the embeddings."""
    nn = library("torch").nn
    wide = 4 * model.dimension
    how = {"activation": "gelu", "batch_first": True, "norm_first": True}
    layer = nn.TransformerEncoderLayer(model.dimension, model.heads, wide, model.dropout, **how)
    return nn.TransformerEncoder(layer, model.blocks, enable_nested_tensor=False)
