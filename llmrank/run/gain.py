"""A method's gain over recall order, on some of a Run's Cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from llmrank import stats
from llmrank.run.tables import estimate
from llmrank.stats import Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """The mean of a ranking measure and of its difference from recall order, paired on users."""

    cases: int
    users: int
    value: float | None
    ci95: tuple[float, float] | None
    """95% interval over users; None if there are none."""
    difference: float | None
    """The method minus recall order."""
    difference_ci95: tuple[float, float] | None
    """95% interval over users; None for fewer than two users."""
    p: float
    """Two-sided p-value of the paired randomisation test."""

    @classmethod
    def of(
        cls,
        values: Values,
        recalled: Values,
        users: NDArray[np.intp],
        **more: Any,  # the fields of a subclass
    ) -> Self:
        """Return the Gain over Cases, given per Case the method's value, recall order's value and the user's index."""
        mean = stats.mean_interval(values, users, bounds=(0.0, 1.0))
        paired = stats.paired_difference(values, recalled, users, most=1.0)
        return cls(
            cases=len(values),
            users=mean.users,
            value=stats.finite(mean.value),
            ci95=mean.ci95,
            difference=stats.finite(paired.difference),
            difference_ci95=paired.ci95,
            p=paired.p,
            **more,
        )

    @property
    def holds_zero(self) -> bool:
        """Whether the interval of the difference includes 0."""
        return self.difference_ci95 is not None and self.difference_ci95[0] <= 0 <= self.difference_ci95[1]

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """Table cells: value, its interval, difference, its interval."""
        return *estimate(self.value, self.ci95), *estimate(self.difference, self.difference_ci95, sign=True)
