"""TALLRec's test sets (Bao et al., RecSys 2023, arXiv:2305.00447), as their repository publishes them.

A JSON array of `{"instruction": …, "input": …, "output": "Yes."}`. The input names the titles that the user liked and
disliked and the target, and nothing else: there are no ids. So a title is the id of its item. The entries are windows
that slide over each user's events (the 1,000 of the movie test are windows of 14 users): an entry whose titles all
stand in the entry before, its target included, is of the same user. A liked event has the rating 5, a disliked one 1;
the truth is 1 (Yes.) or 0 (No.).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from pydantic_core import from_json

from llmrank.errors import InputError
from llmrank.types import Case, Event, Item

LIKED, DISLIKED = 5.0, 1.0
"""Above and below 3, where TALLRec parts the ratings of MovieLens."""
_INPUT = re.compile(
    r"User Preference: (?P<liked>.*?)\s*\nUser Unpreference: (?P<disliked>.*?)\s*\n"
    r'Whether the user will like the target \w+ "(?P<target>.+)"\?\s*',
    re.DOTALL,
)
_HINT = "take the file as it is published: instruction, input and output, with output Yes. or No."


def is_tallrec(path: Path) -> bool:
    """Return whether a file begins as a published test set does."""
    with path.open("rb") as file:
        start = file.read(2000)
    return b'"instruction"' in start and b"User Preference: " in start


def read_tallrec(path: Path) -> Iterator[Case]:
    """Yield a rating Case per entry, in their order: history, target, and the truth as 1 or 0.

    The Case's id is the number of the entry, the user's that of their first entry. The prompt `tallrec` renders such a
    Case as the very text of the entry.

    Raises InputError: the file is no such array, or an entry has another form; with its number as the line.
    """
    try:
        entries: Any = from_json(path.read_bytes())
    except (ValueError, OSError) as error:
        raise InputError(f"not a TALLRec file ({error})", path=path, hint=_HINT) from None
    if not isinstance(entries, list) or not entries:
        raise InputError("expected a JSON array of entries", path=path, hint=_HINT)
    known, user = set[str](), ""
    for number, entry in enumerate(cast("list[Any]", entries), 1):
        given = cast("dict[str, object]", entry) if isinstance(entry, dict) else {}
        text, answer = str(given.get("input", "")), str(given.get("output", ""))
        parts = _INPUT.fullmatch(text)
        truth = {"yes": 1.0, "no": 0.0}.get(answer.strip().rstrip(".").lower())
        if parts is None or truth is None:
            what = "its input has another form" if parts is None else f"its output is {answer!r}"
            raise InputError(f"entry {number} is not TALLRec's: {what}", path=path, line=number, hint=_HINT)
        history = [
            Event(Item(title, title), rating)
            for name, rating in (("liked", LIKED), ("disliked", DISLIKED))
            for title in _titles(parts[name])
        ]
        target = Item(parts["target"], parts["target"])
        shown = {event.item.title for event in history}
        if not shown or not shown <= known:
            user = str(number)
        known = shown | {target.title}
        yield Case(user, tuple(history), target=target, rating=truth, case_id=str(number))


def _titles(text: str) -> list[str]:
    """Return the titles of `"A", "B"`; a title may hold commas and quotes."""
    return text[1:-1].split('", "') if text else []
