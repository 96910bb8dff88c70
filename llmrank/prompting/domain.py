"""The words of a domain, so that one template speaks of movies, books or products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DomainName = Literal["movies", "books", "games", "music", "news", "beauty", "products", "items"]


@dataclass(frozen=True, slots=True)
class Domain:
    """What the items are called, and what a user does with them."""

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
    "items": Domain("Items", "item", "items", "choose", "chosen", "choosing"),
}
