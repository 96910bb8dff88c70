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

    def attend(self, body: nn.Module, embedded: Tensor, there: Tensor, times: Tensor) -> Tensor:
        """Attend to earlier events only, so never to padding."""
        mask = library("torch").nn.Transformer.generate_square_subsequent_mask(embedded.shape[1])
        return body(embedded, mask=mask, is_causal=True)
