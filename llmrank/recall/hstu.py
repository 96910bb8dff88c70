"""Recall by HSTU, a next-item model with pointwise attention instead of softmax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from llmrank.recall.sequential import SequentialModel
from llmrank.recall.training import library

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class HSTU(SequentialModel):
    """HSTU (Zhai et al. 2024, "Actions Speak Louder than Words", eq. 2-4), with the layers of torch-rechub."""

    name: ClassVar[str] = "hstu"
    times: bool = True
    """Whether attention uses the time between events, besides their distance."""

    def body(self) -> nn.Module:
        """Return torch-rechub's HSTU layers."""
        return library("torch_rechub.basic.layers").HSTUBlock(
            d_model=self.dimension,
            n_heads=self.heads,
            n_layers=self.blocks,
            dqk=self.dimension // self.heads,
            dv=self.dimension // self.heads,
            dropout=self.dropout,
            max_seq_len=self.length,
            # As in the reference implementation: logarithmic buckets of seconds.
            time_bucket_fn="log",
            time_bucket_divisor=0.301,
            time_bucket_unit="seconds",
        )

    def attend(self, body: nn.Module, embedded: Tensor, there: Tensor, times: Tensor) -> Tensor:
        """Attend to earlier events only, so never to padding."""
        return body(embedded, time_diffs=times if self.times else None)
