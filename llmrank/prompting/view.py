"""Rendering options: which parts of a Case are shown, and in which domain's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge

from llmrank.prompting.identifiers import Ids

DomainName = Literal["movies", "books", "games", "music", "podcasts", "news", "beauty", "products", "items"]


@dataclass(frozen=True, slots=True)
class Domain:
    """The words of a domain, so that one template can speak of movies, books or products."""

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
    "podcasts": Domain("Podcasts", "episode", "episodes", "listen to", "listened to", "listening"),
    "news": Domain("News", "article", "articles", "read", "read", "reading"),
    "beauty": Domain("Beauty", "product", "products", "purchase", "purchased", "purchasing"),
    "products": Domain("Products", "product", "products", "purchase", "purchased", "purchasing"),
    "items": Domain("Items", "item", "items", "select", "selected", "selecting"),
}


def find_domain(name: str | None) -> DomainName | None:
    """Return the domain that a data set states, or None if llmrank has no words for it."""
    return name if name in DOMAINS else None


@dataclass(frozen=True, slots=True)
class View:
    """What is shown; None means the template's own setting. Recorded in the Run."""

    history: Annotated[int, Ge(0)] | None = None
    """Number of newest events to show.  [default: the template's]"""
    history_order: Literal["oldest-first", "newest-first", "shuffled"] = "oldest-first"
    """Order in which the history is shown."""
    show_scores: bool = False
    """Show the recall score beside each candidate."""
    show_history: bool = True
    """Show the history."""
    ids: Ids | None = None
    """Identifier shown beside each title.  [default: the template's]"""
    seed: int = 0
    """Seed of a shuffled history, drawn per user with `Random(f"{seed}:{user_id}")`."""
    domain: DomainName | None = None
    """Domain whose words are used for items.  [default: the data's domain, else the template's]"""
    labels: tuple[str, ...] = ()
    """Labels chosen for the model (`find_labels`). A prompt whose answer is read from label log-probabilities shows
    them as identifiers, instead of letters or words; empty if the model's tokenizer is unknown."""
