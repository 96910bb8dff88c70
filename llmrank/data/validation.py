"""The split inside the split: each user's last training event, held out for whatever is chosen."""

from __future__ import annotations

from dataclasses import replace

from llmrank.data.dataset import Split
from llmrank.data.splits import leave_last_out


def validation_split(split: Split) -> Split:
    """Return the training side of a split, cut once more: the last training event of each user is held out.

    Weights, epochs and templates are chosen on it. Nothing of `split.test` is in it: the interactions of its dataset
    are those of the training side alone.

    Raises InputError: no user has two training events.
    """
    return leave_last_out(replace(split.dataset, interactions=split.train))
