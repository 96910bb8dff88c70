"""The switches of a rendering: what of a Case is shown and in which words; the template's wording stays as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge

from llmrank.prompting.identifiers import Ids

DomainName = Literal["movies", "books", "games", "music", "news", "beauty", "products", "items"]


@dataclass(frozen=True, slots=True)
class Domain:
    """The words of a domain, so that one template speaks of movies, books or products."""

    name: str
    item: str
    items: str
    verb: str
    past: str
    gerund: str


DOMAINS: dict[DomainName, Domain] = {
    "movies": Domain("Movies", "movie", "movies", "watch", "watched", "watching"),
    "books": Domain("Books", "book", "books", "read", "read", "reading"),
    "games": Domain("Games", "game", "games", "play", "played", "playing"),
    "music": Domain("Music", "song", "songs", "listen to", "listened to", "listening"),
    "news": Domain("News", "article", "articles", "read", "read", "reading"),
    "beauty": Domain("Beauty", "product", "products", "purchase", "purchased", "purchasing"),
    "products": Domain("Products", "product", "products", "purchase", "purchased", "purchasing"),
    "items": Domain("Items", "item", "items", "select", "selected", "selecting"),
}


def find_domain(name: str | None) -> DomainName | None:
    """Return the domain of that name, as a data set states it; None where llmrank has no words for it."""
    return name if name in DOMAINS else None


@dataclass(frozen=True, slots=True)
class View:
    """What is shown; None means what the template says. Recorded in the Run."""

    history: Annotated[int, Ge(0)] | None = None
    """How many of the newest events are shown.  [default: what the template says]"""
    history_order: Literal["oldest-first", "newest-first", "shuffled"] = "oldest-first"
    """Order in which the history is shown."""
    show_scores: bool = False
    """Show the recall score beside each candidate."""
    show_history: bool = True
    """Show the history."""
    ids: Ids | None = None
    """What stands beside a title to name an item.  [default: what the template says]"""
    seed: int = 0
    """For a shuffled history: drawn per user from `Random(f"{seed}:{user_id}")`."""
    domain: DomainName | None = None
    """Whose words are used for items.  [default: those of the data's domain, else the template's]"""
    labels: tuple[str, ...] = ()
    """Labels chosen for the model (`find_labels`). A prompt whose answer is read from label log-probabilities shows
    them as identifiers, in place of letters or words; empty: the model's tokenizer is not known."""
