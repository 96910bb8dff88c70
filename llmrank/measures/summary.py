"""Summaries of measures: value, interval and bounds over all Cases, and differences from baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from llmrank.types import adapter


@dataclass(frozen=True, slots=True)
class VersusBaseline:
    """The method minus a baseline, paired on the same users."""

    difference: float | None
    """None if undefined."""
    ci95: tuple[float, float] | None
    """95% interval of the difference, over users."""
    p: float
    """Two-sided p-value of the paired randomisation test (ratings: of the bootstrap; `random`: see
    `stats.difference_from_chance`)."""
    p_holm: float
    """The p-value with Holm's correction for testing several measures against this baseline."""
    detectable: float | None = None
    """Smallest true difference that a test at the 5% level detects with 80% power with this many users
    (`stats.detectable_difference`); None for measures that are not means, where fewer than 15 users differ, and where
    all differ by the same amount."""
    different: int = 0
    """Number of users for whom the method and the baseline differ."""


@dataclass(frozen=True, slots=True, repr=False)
class MeasureSummary:
    """One measure over all Cases with a known truth. None: undefined, as there is no data."""

    value: float | None
    """The value, with unanswered Cases at their worst."""
    ci95: tuple[float, float] | None
    """95% interval of `value` over users."""
    answered_only: float | None
    """The value without unanswered Cases."""
    worst: float | None
    """The value with ties and unanswered Cases resolved against the method."""
    best: float | None
    """The value with ties and unanswered Cases resolved in favour of the method."""
    proposed_only: float | None = None
    """Rankings only: the value over the Cases with a relevant candidate, that is, given that the recall stage found
    one."""
    proposed_only_ci95: tuple[float, float] | None = None
    """95% interval of `proposed_only` over users."""
    imputed: float | None = None
    """Ratings only: the value with the mean of the user's past ratings for unanswered Cases."""
    lower_is_better: bool = False
    baselines: Mapping[str, float | None] = field(default_factory=dict[str, "float | None"])
    """The value of each baseline on the same Cases. For rankings: `random` (the exact expected value), `popularity`,
    `recall_order`, the trained ones, and `ceiling`, the maximum for any ranking of the same candidates."""
    baseline_ci95: Mapping[str, tuple[float, float] | None] = field(default_factory=dict[str, Any])
    """95% interval over users of each trained baseline."""
    versus: Mapping[str, VersusBaseline] = field(default_factory=dict[str, VersusBaseline])
    """The difference from each baseline, most informative first."""

    def __repr__(self) -> str:
        interval = "unknown" if self.ci95 is None else f"{self.ci95[0]:.4f} to {self.ci95[1]:.4f}"
        value = "None" if self.value is None else f"{self.value:.4f}"
        return f"<MeasureSummary: value {value}, ci95 {interval}>"

    @property
    def share_of_ceiling(self) -> float | None:
        """`value` as a share of the ceiling; None without a ceiling."""
        ceiling = self.baselines.get("ceiling")
        return None if self.value is None or not ceiling else self.value / ceiling

    def to_dict(self) -> dict[str, Any]:
        """Return the entry for metrics.json; fields of the other task are omitted."""
        entry = asdict(self) | {"share_of_ceiling": self.share_of_ceiling}
        of_one_task = ("proposed_only", "proposed_only_ci95", "imputed", "share_of_ceiling")
        absent = {name for name in of_one_task if entry[name] is None}
        return {name: value for name, value in entry.items() if name not in absent}

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> Self:
        """Read the output of `to_dict`. Raises ValueError for anything else."""
        return adapter(cls).validate_python(entry)
