"""Find where the entries of an Answer stand in the raw answer, for people who inspect it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from llmrank.answers.text.envelope import without_reasoning
from llmrank.answers.text.normalise import normalise
from llmrank.types import Entry


class Span(NamedTuple):
    """A part of a raw answer, and how it was read."""

    start: int
    end: int
    read_as: str


def located(raw: str, entries: Sequence[Entry]) -> list[Span]:
    """Return where the entries stand in the raw answer, in order.

    An entry is located only if its place is certain: its text occurs outside longer entries exactly as often as it was
    read, in lines that normalising leaves unchanged.
    """
    answer = without_reasoning(raw) or ""
    if not answer.strip() or raw.count(answer) != 1:
        return []
    first = raw.index(answer)
    kept = {line.strip() for line in normalise(answer).split("\n")}
    found: list[Span] = []
    taken: list[tuple[int, int]] = []
    for text in sorted({entry.text for entry in entries if entry.text}, key=len, reverse=True):
        same = sorted((entry for entry in entries if entry.text == text), key=lambda entry: entry.line)
        edges = (r"(?<!\w)" if text[0].isalnum() else "", r"(?!\w)" if text[-1].isalnum() else "")
        places = [one.span() for one in re.finditer(re.escape(text).join(edges), answer)]
        places = [(start, end) for start, end in places if not any(a < end and start < b for a, b in taken)]
        taken += places
        disambiguated = len({entry.read_as for entry in same}) == 1 or len({entry.line for entry in same}) == len(same)
        if len(places) == len(same) and disambiguated and all(_line(answer, *place) in kept for place in places):
            found += [
                Span(first + start, first + end, entry.read_as)
                for (start, end), entry in zip(places, same, strict=True)
            ]
    return sorted(found)


def _line(text: str, start: int, end: int) -> str:
    """Return the line or lines that contain a part of a text."""
    after = text.find("\n", end)
    return text[text.rfind("\n", 0, start) + 1 : len(text) if after < 0 else after].strip()
