"""The variables that a template can use.

Data that is missing (a rating, a timestamp, a declared attribute) is false in `{% if %}`; printing it is an error that
names it. The truth (the target's rating, the relevant items) is never available.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache

from llmrank.prompting.view import DOMAINS
from llmrank.types import Event, Item, liked_from

VARIABLES: Mapping[str, str] = {
    "history": "the newest `history` events of the user, in the requested `order` (list of event)",
    "order": "oldest first, newest first, or in no particular order (text)",
    "newest": "the newest event shown; false if no history is shown (event)",
    "candidates": "the items to rank, in the order set by the run (list of item)",
    "target": "the item asked about, in rating prediction and pointwise ranking (item)",
    "n": "how many candidates are shown (number)",
    "top": "how many items the model should return (number)",
    "ids": "the identifier scheme in use: titles, numbers, letters, item_id or words (text)",
    "shots": "the solved examples, each rendered by the block `shot` (list of text)",
    "profile": "the answer to the profile prompt; empty if there is none (text)",
    "scale": "the lowest and the highest rating (scale)",
    "domain": "the words of the domain (domain)",
    "solved": "block `shot` only: the example's answer, a rating, or the list of its relevant items",
}
FIELDS: Mapping[str, Mapping[str, str]] = {
    "event": {
        "title": "",
        "item_id": "",
        "rating": "the user's rating, if known",
        "liked": "whether the rating is at or above three quarters of the scale: 4 of 1 to 5; if the rating is known",
        "timestamp": "seconds since the epoch, if known",
        "date": "the day of the timestamp, such as 1997-09-20",
    },
    "item": {
        "title": "",
        "item_id": "",
        "identifier": "its identifier; absent under `ids: titles`",
        "score": "its recall score, only with --show-scores",
    },
    "scale": {"low": "", "high": ""},
    "domain": asdict(DOMAINS["movies"]),
}
_KINDS = {name: meaning.rpartition("(")[2].removesuffix(")") for name, meaning in VARIABLES.items()}
KINDS: Mapping[str, str] = {name: kind for name, kind in _KINDS.items() if kind.removeprefix("list of ") in FIELDS}
"""The kind of each variable that has fields, taken from the end of its description."""
TRUTH = frozenset({"relevant", "rating", "case", "truth", "true_rating", "test"})
"""Names that suggest the truth; item attributes with these names are withheld too."""


@dataclass(slots=True, eq=False, repr=False)
class Shown:
    """An event or item as a template sees it, with only the fields that may be shown. It prints as its title."""

    values: Mapping[str, object]

    def __str__(self) -> str:
        return str(self.values["title"])

    def __repr__(self) -> str:
        return repr(self.values["title"])


def show_event(event: Event, attributes: tuple[str, ...], scale: tuple[float, float]) -> Shown:
    """Return the event for a template: title, item_id, the declared attributes, and rating and time if known.

    `scale` is that of the rating.
    """
    values = _values(event.item, attributes)
    if event.rating is not None:
        values["rating"] = plain(event.rating)
        values["liked"] = event.rating >= liked_from(scale)
    if event.timestamp is not None:
        values["timestamp"] = plain(event.timestamp)
        values["date"] = _Date(event.timestamp)
    return Shown(values)


def show_item(
    item: Item, attributes: tuple[str, ...], identifier: str | None = None, score: float | None = None
) -> Shown:
    """Return the item for a template: title, item_id, the declared attributes, and identifier and score if given."""
    values = _values(item, attributes)
    if identifier is not None:
        values["identifier"] = identifier
    if score is not None:
        values["score"] = f"{score:.4g}"
    return Shown(values)


def plain(number: float) -> int | float:
    """Return a rating as people write it: 4 for 4.0, but 3.5 for 3.5."""
    return int(number) if float(number).is_integer() else number


class _Date(float):
    """A timestamp that prints as its day (UTC), computed lazily."""

    def __str__(self) -> str:
        return datetime.fromtimestamp(self, UTC).date().isoformat()


def _values(item: Item, attributes: tuple[str, ...]) -> dict[str, object]:
    values: dict[str, object] = {"title": _line(item.title), "item_id": item.item_id}
    if attributes:
        known = {name: _line(item.attributes.get(name) or "") for name in attributes if name not in TRUTH}
        return {name: line for name, line in known.items() if line} | values
    return values


@lru_cache(maxsize=1 << 16)
def _line(text: str) -> str:
    """Collapse white space to one line, so that an item cannot break out of its list."""
    return " ".join(text.split())
