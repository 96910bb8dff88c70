"""What is known from before the cut-off: for popularity, rating means, and solved examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from llmrank.data.cases import event_counts
from llmrank.prompting import ShotPool
from llmrank.rankers.baselines import RatingMeans
from llmrank.types import Case


@dataclass(frozen=True)
class TrainingData:
    """The training events of every user there is, also of users who are not evaluated. Read when first needed."""

    read: Callable[[], Iterable[Case]]
    """Returns a Case with the history of each user; what else such a Case holds is not looked at."""
    scale: tuple[float, float] = (1.0, 5.0)
    """Lowest and highest rating."""

    @cached_property
    def popularity(self) -> Mapping[str, int]:
        """Training events per item id (see `event_counts`)."""
        return event_counts(self.read())

    @cached_property
    def rating_means(self) -> RatingMeans:
        """The means of the training ratings; raises InputError where there are none."""
        return RatingMeans.of_histories(self.read())

    @property
    def has_ratings(self) -> bool:
        """Whether any training event has a rating."""
        return any(event.rating is not None for case in self.read() for event in case.history)

    @cached_property
    def shot_pool(self) -> ShotPool:
        """The histories that solved examples are drawn from."""
        return ShotPool.of([*self.read()])
