"""The switches of a rendering: what of a Case is shown, with the wording of the template left as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llmrank.prompting.domain import DomainName
from llmrank.prompting.identifiers import Ids


@dataclass(frozen=True, slots=True)
class View:
    """What is shown; None means as the template says. Recorded in the Run."""

    history: int | None = None
    """How many of the newest events are shown."""
    history_order: Literal["oldest-first", "newest-first", "shuffled"] = "oldest-first"
    show_scores: bool = False
    """Whether the recall score stands beside each candidate."""
    show_history: bool = True
    ids: Ids | None = None
    """How items are named: by title alone, or with numbers, letters, item ids or words beside them."""
    seed: int = 0
    """For a shuffled history: drawn per user from `Random(f"{seed}:{user_id}")`."""
    domain: DomainName | None = None
    """Whose words are used: movie/watched, book/read, …"""
