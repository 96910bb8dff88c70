"""Random recall: the lower bound for every other model."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmrank.data.dataset import Split
from llmrank.recall.model import Fitted, RecallModel, preferences


@dataclass(frozen=True)
class RandomRecall(RecallModel):
    """Scores every item uniformly from [0, 1), seeded per user with `f"{seed}:{user_id}"`."""

    name = "random"
    seed: int = 0

    def fit(self, split: Split) -> Fitted:
        """Return the model. The training data only determine the seen items."""
        users, known = split.dataset.users, preferences(split)
        return Fitted(known, lambda rows: np.stack([self._draw(users[row], len(known.items)) for row in rows]))

    def _draw(self, user_id: str, items: int) -> NDArray[np.float64]:
        digest = hashlib.sha256(f"{self.seed}:{user_id}".encode()).digest()
        return np.random.default_rng(int.from_bytes(digest)).random(items)
