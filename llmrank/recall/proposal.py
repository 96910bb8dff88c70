"""The candidates of a recall model as Cases, and how many relevant items they cover."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np

from llmrank.data.cases import ranking_cases
from llmrank.data.dataset import Split
from llmrank.errors import InputError, expect, nearest
from llmrank.recall.model import Fitted, RecallModel, Setting, fit, parts
from llmrank.types import Case

USERS_AT_ONCE = 8192
"""Users per batch, so that memory does not grow with the number of users."""


def candidates_for(
    split: Split,
    model: RecallModel,
    k: int,
    users: Sequence[str],
    *,
    exclude_seen: bool = True,
    fitted: Fitted | None = None,
) -> Iterator[Case]:
    """Yield a Case with the model's k best candidates for each of the user ids, in that order.

    Candidates are in recall order, with their scores. Relevant items are never added: the share among the candidates is
    the ceiling for any ranking of them (see `Coverage`). `recall_settings` records the settings.
    Pass `fitted` if the model has been fitted, for example by `rescoring.fit_kept` with progress and a checkpoint;
    None: it is fitted here.

    Raises InputError for an unknown user, a `k` below 1, and if `fitted` belongs to other training events.
    """
    expect(split, Split, "a Split of a Dataset", "split")
    expect(model, RecallModel, "a recall model, such as that of `recall_model`", "model")
    expect(k, Integral, "a number of candidates", "k")
    expect(users, Iterable, "a list of user ids", "users")
    if k < 1:
        raise InputError(f"k is {k}", field="k", hint="propose at least one candidate")
    if isinstance(users, str):
        raise InputError(f"expected a list of user ids, got {users!r}", field="users", hint="put it in a list")
    users = list(users)
    for user_id in users:
        expect(user_id, str, "user ids as text", "users")
    index = {user_id: row for row, user_id in enumerate(split.dataset.users)}
    if unknown := [user_id for user_id in users if user_id not in index]:
        problem = f"{split.dataset.name} has no such user{nearest(unknown[0], index)}"
        raise InputError(problem, user=unknown[0], hint="choose users with events in training")
    fitted = fitted or fit(model, split)
    fitted.require(split)
    for batch in parts(users, USERS_AT_ONCE):
        rows = np.array([index[user_id] for user_id in batch], dtype=np.int32)
        items, scores = fitted.recommend(rows, k, exclude_seen=exclude_seen)
        yield from ranking_cases(split, batch, items, scores)


def recall_settings(model: RecallModel, k: int, *, exclude_seen: bool = True) -> Mapping[str, Setting]:
    """Return all settings that can change the candidates of a split, for the manifest."""
    return {"model": model.name, **model.settings, "k": k, "seen_items": "excluded" if exclude_seen else "kept"}


@dataclass(slots=True)
class Coverage:
    """Share of relevant items among the first k candidates, accumulated over a stream of Cases.

    Cases without relevant items are ignored.
    """

    k: int
    cases: int = 0
    _hits: float = 0.0
    _recall: float = 0.0

    def watch(self, cases: Iterable[Case]) -> Iterator[Case]:
        """Yield the Cases unchanged, counting them."""
        for case in cases:
            if relevant := set(case.relevant):
                found = len(relevant.intersection(item.item_id for item in case.candidates[: self.k]))
                self.cases += 1
                self._hits += found > 0
                self._recall += found / len(relevant)
            yield case

    @property
    def hit_rate(self) -> float:
        """HR@k: the share of Cases with a relevant item among the first k; NaN without Cases."""
        return self._hits / self.cases if self.cases else float("nan")

    @property
    def recall(self) -> float:
        """recall@k: the mean share of relevant items among the first k, the ceiling; NaN without Cases."""
        return self._recall / self.cases if self.cases else float("nan")
