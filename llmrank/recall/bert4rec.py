"""Recall by BERT4Rec, a bidirectional transformer that fills gaps in the user's sequence of items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from llmrank.recall.sequential import SequentialModel

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class BERT4Rec(SequentialModel):
    """BERT4Rec (Sun et al. 2019): trained on the Cloze task; predicts a masked item after the last event."""

    name: ClassVar[str] = "bert4rec"
    least: ClassVar[Mapping[str, int]] = MappingProxyType({"length": 2})
    mask_probability: float = 0.2
    epochs: int = 400
    """The Cloze task learns from a fraction of the positions, so it takes more epochs."""
    patience: int = 20

    @property
    def hidden_share(self) -> float:
        """The share of events that the Cloze task masks."""
        return self.mask_probability

    def attend(self, body: nn.Module, embedded: Tensor, there: Tensor, times: Tensor) -> Tensor:
        """Attend to the whole sequence."""
        return body(embedded, src_key_padding_mask=~there)
