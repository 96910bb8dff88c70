"""Recall by sentence embeddings: items whose text is like that of the user's newest items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from llmrank.data.dataset import Split
from llmrank.errors import InputError
from llmrank.recall.model import Fitted, RecallModel, preferences
from llmrank.recall.sentence_encoder import ENCODER, encode, encoder_folder, sentence
from llmrank.recall.sequential import mean_cosines, sequences


@dataclass(frozen=True)
class Sentences(RecallModel):
    """An item's score is the mean cosine of its sentence to those of the user's `length` newest items.

    Nothing is trained, so an item without training events is scored like any other. A user without training events gets
    the popular items.
    """

    name: ClassVar[str] = "sentences"
    encoder: str = ENCODER
    """Folder or hub name of a sentence encoder, or a package that holds one."""
    length: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.length < 1:
            raise InputError(f"length is {self.length}", hint="give it a value of 1 or more")

    def check(self, split: Split) -> None:
        """Raise MissingError if the encoder is an unknown package."""
        encoder_folder(self.encoder, self.name)

    def fit(self, split: Split) -> Fitted:
        """Return the model, after a pass of the encoder over the catalogue; MissingError if there is no encoder."""
        known, (own, _) = preferences(split), sequences(split)
        vectors = encode([sentence(item, split.dataset.kind) for item in split.dataset.items], self.encoder, self.name)
        counts, has_events = known.popularity.astype(np.float64), np.diff(known.matrix.indptr) > 0

        def score(rows: NDArray[np.int32]) -> NDArray[np.float64]:
            dense = mean_cosines(vectors, [own[row][-self.length :] for row in rows])[:, known.items]
            dense[~has_events[rows]] = counts
            return dense

        return Fitted(known, score)
