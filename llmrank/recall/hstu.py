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
    """Attention knows the time between events besides their distance."""

    def body(self) -> nn.Module:
        """Return torch-rechub's HSTU layers."""
        block = library("torch_rechub.basic.layers").HSTUBlock(
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
        uses_times = self.times

        class Layers(library("torch").nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.block = block

            def forward(self, embedded: Tensor, there: Tensor, times: Tensor) -> Tensor:
                # Padding stands behind the events, where causal attention never looks.
                return self.block(embedded, time_diffs=times if uses_times else None)

        return Layers()
