"""The numbers of a table: a measure over all Cases with its interval and bounds, and the difference of two methods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from llmrank.types import adapter


@dataclass(frozen=True, slots=True)
class VersusBaseline:
    """The method minus a baseline, paired on the same users."""

    difference: float | None
    """None where it is undefined."""
    ci95: tuple[float, float] | None
    """95% interval of the difference, over users."""
    p: float
    """Two-sided p-value of the paired randomisation test (ratings: of the bootstrap; `random`: see
    `stats.difference_from_chance`)."""
    p_holm: float
    """The same, corrected (Holm) for testing several measures against this baseline."""
    detectable: float | None = None
    """The least true difference that a test at 5% finds in four of five samples of as many users
    (`stats.detectable_difference`); None for measures that are no means, and with fewer than two users."""


@dataclass(frozen=True, slots=True, repr=False)
class MeasureSummary:
    """One measure over all Cases whose truth is known. None: undefined, there is nothing to compute it from."""

    value: float | None
    """Unanswered Cases count as worst."""
    ci95: tuple[float, float] | None
    """95% interval of `value` over users."""
    answered_only: float | None
    """Without the unanswered Cases."""
    worst: float | None
    """With every tie, and every unanswered Case, against the method."""
    best: float | None
    """With every tie, and every unanswered Case, for the method."""
    imputed: float | None = None
    """Ratings only: unanswered Cases get the mean of the user's past ratings."""
    lower_is_better: bool = False
    baselines: Mapping[str, float | None] = field(default_factory=dict[str, "float | None"])
    """The value of each baseline on the same Cases. For rankings: `random` (the exact expectation), `popularity`,
    `recall_order`, the trained ones, and `ceiling`, the most that any ranking of the same candidates can reach."""
    baseline_ci95: Mapping[str, tuple[float, float] | None] = field(default_factory=dict[str, Any])
    """95% interval over users of each trained baseline."""
    versus: Mapping[str, VersusBaseline] = field(default_factory=dict[str, VersusBaseline])
    """The difference from each baseline, the most telling first."""

    def __repr__(self) -> str:
        interval = "unknown" if self.ci95 is None else f"{self.ci95[0]:.4f} to {self.ci95[1]:.4f}"
        value = "None" if self.value is None else f"{self.value:.4f}"
        return f"<MeasureSummary: value {value}, ci95 {interval}>"

    @property
    def share_of_ceiling(self) -> float | None:
        """`value` as a share of what the recall stage leaves within reach; None where there is no ceiling."""
        ceiling = self.baselines.get("ceiling")
        return None if self.value is None or not ceiling else self.value / ceiling

    def to_dict(self) -> dict[str, Any]:
        """Return the entry for metrics.json; `imputed` and `share_of_ceiling` only where there is one."""
        entry = asdict(self) | {"share_of_ceiling": self.share_of_ceiling}
        absent = {name for name in ("imputed", "share_of_ceiling") if entry[name] is None}
        return {name: value for name, value in entry.items() if name not in absent}

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> Self:
        """Return what `to_dict` wrote; raises ValueError for anything else."""
        return adapter(cls).validate_python(entry)
