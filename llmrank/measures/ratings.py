"""Judged ratings: the true and the predicted rating of many Cases."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from llmrank.errors import InputError
from llmrank.types import USUAL_SCALE, Case, Ranking


@dataclass(frozen=True, slots=True, eq=False)
class Ratings:
    """One row per Case of the rating task."""

    truth: NDArray[np.float64]
    """The true rating; NaN: unknown, so the Case has no value."""
    predicted: NDArray[np.float64]
    """The predicted rating; NaN: unanswered."""
    user_mean: NDArray[np.float64]
    """Imputed prediction for unanswered Cases: the mean rating in the history; or else over all histories; or else the
    middle of the scale."""
    scale: tuple[float, float]
    """Lowest and highest possible rating."""

    @classmethod
    def from_rankings(
        cls, rankings: Iterable[Ranking], cases: Iterable[Case], scale: tuple[float, float] = USUAL_SCALE
    ) -> Self:
        """Take the predictions from Rankings of the rating task, which have a single score.

        Raises InputError for a true rating outside the scale, which would break the worst-case bounds.
        """
        pairs = list(zip(rankings, cases, strict=True))
        check_scale([case for _, case in pairs], scale)
        histories = [[event.rating for event in case.history if event.rating is not None] for _, case in pairs]
        count = sum(map(len, histories))
        overall = sum(map(sum, histories)) / count if count else sum(scale) / 2
        user_mean = np.array([sum(past) / len(past) if past else overall for past in histories], dtype=np.float64)
        return cls(
            np.array([math.nan if case.rating is None else case.rating for _, case in pairs], dtype=np.float64),
            np.array([predicted_rating(ranking) for ranking, _ in pairs], dtype=np.float64),
            np.clip(user_mean, *scale),  # histories may have another scale: stars with truths of 0 and 1
            scale,
        )

    def __len__(self) -> int:
        return len(self.truth)

    def take(self, cases: NDArray[np.bool_]) -> Self:
        """Return the chosen Cases."""
        return replace(self, truth=self.truth[cases], predicted=self.predicted[cases], user_mean=self.user_mean[cases])

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Per Case: whether there is a prediction."""
        return ~np.isnan(self.predicted)

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Per Case: whether the true rating is known. The others have no value; report their number."""
        return ~np.isnan(self.truth)


def predicted_rating(ranking: Ranking) -> float:
    """Return the predicted rating; NaN if the Case is unparsed or failed."""
    value = ranking.scores[0] if ranking.answered and ranking.scores else math.nan
    return value if math.isfinite(value) else math.nan


def check_scale(cases: Iterable[Case], scale: tuple[float, float]) -> None:
    """Raise InputError for a true rating outside the scale."""
    wrong = [case for case in cases if case.rating is not None and not scale[0] <= case.rating <= scale[1]]
    if wrong:
        low, high = (end(scale[at], *(case.rating or 0.0 for case in wrong)) for at, end in enumerate((min, max)))
        problem = f"the true rating {wrong[0].rating:g} is outside the scale {scale[0]:g} to {scale[1]:g}"
        hint = f"correct the rating, or give the scale of the ratings: --scale {low:g} {high:g}"
        raise InputError(problem, user=wrong[0].user_id, field="rating", hint=hint)
