"""The answer format `one_title`: the model names one item by its title, in a list, on a line, or in a sentence.

The answer is first read as a ranking of titles, and the first entry counts. If that fails, the first line is searched
for a single title: in a field, in quotes, or after words such as `is` or `called`. Only exact and normalised matches
count there, because a sentence may resemble a title by chance. A line that denies something names no item.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from llmrank.answers.matching import Match, TitleIndex, title_index
from llmrank.answers.normalise import caseless, normalise, without_reasoning
from llmrank.answers.outcome import TextFormat, answered, unparsed
from llmrank.answers.ranking import read_ranking
from llmrank.types import Answer, Entry, Question, Response

_STAGES = ("exact", "normalised", "fuzzy")
_FIELDS = re.compile(r"::|[|\t]")
_QUOTED = re.compile(r"[\"“«]([^\"“”«»]+)[\"”»]")
_CALLED = re.compile(r"(?:\b(?:is|was|be|called|named|titled)\b:?|:)\s+")
_DENIED = caseless(r"\b(?:not|\w{1,6}n['’]t|cannot|no|never|unknown|unsure|unable)\b")
_LINE_LIMIT = 2_000
"""Maximum number of characters of a line to search for a title."""


@dataclass(frozen=True, slots=True)
class OneTitle(TextFormat):
    """Reads the one title that is named: the first of a list (as in `titles`), otherwise the only one on the first
    line. It may be a field (`50::Star Wars (1977)`), in quotes, or after words that introduce it (`The title is Star
    Wars.`).

    An answer names no item if another title comes first, if two titles qualify, or if the line denies something.
    """

    name: str = "one_title"

    def read(self, response: Response, question: Question) -> Answer:
        """Return the one item in `ranked`; unparsed (`empty`, `truncated`, `refusal`, `ambiguous`,
        `no_candidate_named`)."""
        listed = read_ranking(response, question, titles=True)
        first = listed.entries[0].read_as if listed.ranked and listed.entries else ""
        if first in _STAGES:
            same = title_index(question.items).find(listed.entries[0].text)
            repairs = {"shared_title": int(same is not None and len(same.positions) > 1)}
            repairs |= {name: count for name, count in listed.repairs.items() if name == "truncated"}
            answer = answered(response, repairs, ranked=listed.ranked[:1], matches={first: 1})
            return replace(answer, entries=listed.entries[:1])
        lines = enumerate(normalise(without_reasoning(response.text) or "").split("\n"), 1)
        number, line = next(((place, one[:_LINE_LIMIT]) for place, one in lines if one.strip()), (0, ""))
        found = {} if _DENIED.search(line) else _named(line, title_index(question.items))
        if len(found) == 1 and listed.reason != "refusal":
            [(at, (text, match))] = found.items()
            repairs = {"shared_title": int(len(match.positions) > 1)}
            answer = answered(response, repairs, ranked=(question.items[at].item_id,), matches={match.stage: 1})
            return replace(answer, entries=(Entry(text, number, match.stage),))
        return unparsed(response, response.text, "ambiguous" if found else listed.reason or "no_candidate_named")


def _named(line: str, index: TitleIndex) -> dict[int, tuple[str, Match]]:
    """Return each item whose title is a part of the line, by position, with that part and its match."""
    found: dict[int, tuple[str, Match]] = {}
    for part in (one.strip(" .;,!?*_\"'") for one in _parts(line)):
        match = index.find(part)
        if match is not None and match.stage in ("exact", "normalised"):
            found[match.positions[0]] = (part, match)
    return found


def _parts(line: str) -> Iterator[str]:
    yield from _FIELDS.split(line)
    yield from _QUOTED.findall(line)
    for called in _CALLED.finditer(line):
        yield line[called.end() :]
