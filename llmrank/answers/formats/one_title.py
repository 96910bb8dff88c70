"""The answer format `one_title`: the model names one item by its title, in a list, on a line, or in a sentence.

The answer is first read as a ranking of titles: the first entry of a list counts, unless the last line chooses another
one, and so does a title that stands alone. Otherwise the sentences decide (`chosen_title`), then a single title on the
first line: in a field, in quotes, or after words such as `is` or `called`. Only exact and normalised matches count
there, because a sentence may resemble a title by chance. A line that denies something names no item.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from llmrank.answers.formats.chosen_title import (
    DENIED_IN_ASIA,
    GREETS,
    SEARCH_LIMIT,
    TITLE_FIELD,
    called_title,
    chosen_title,
    is_alone,
    is_headed_as_other,
    marked,
    means_another,
    stands_for,
    with_years,
)
from llmrank.answers.formats.ranking import read_ranking
from llmrank.answers.items.matching import Match, TitleIndex, title_index
from llmrank.answers.items.title import places_of
from llmrank.answers.outcome import TAKEN_BACK, TextFormat, answered, before_next_question, read_from_first, unparsed
from llmrank.answers.text.envelope import answer_alone
from llmrank.answers.text.normalise import caseless, normalise
from llmrank.answers.text.predictions import SENTENCES
from llmrank.types import Answer, Entry, Question, Response

_STAGES = ("exact", "normalised", "fuzzy")
_FIELDS = re.compile(r"::|[|\t]| → | [-=]> ")
_DENIED = caseless(
    r"\b(?:not|\w{1,6}n['’]t|cannot|no|never|unknown|unsure|unable|hesitate|reluctant|avoid\w*|rul(?:e|es|ed|ing) out"
    r"|(?:already|just) (?:finished|watched|seen|read|played|bought)|competitor)\b"
)
_OBJECT = re.compile(r"(?:\A|\n)[ \t]{0,40}\{")
_LINE_LIMIT = 2_000
"""Maximum number of characters of a line to search for a title."""


@dataclass(frozen=True, slots=True)
class OneTitle(TextFormat):
    """Reads the one title that is chosen: the first of a list (as in `titles`), the one that the sentences choose
    (`Casino is close, but I'd go with Heat`), otherwise the only one on the first line. There it may be a field
    (`50::Star Wars (1977)`), in quotes, or after words that introduce it (`The title is Star Wars.`).

    An answer names no item if another title comes first, if two titles qualify, or if the line denies something.
    """

    name: str = "one_title"

    def read(self, response: Response, question: Question) -> Answer:
        """Return the one item in `ranked`; unparsed (`empty`, `truncated`, `refusal`, `ambiguous`,
        `no_candidate_named`)."""
        response = replace(response, text=with_years(response.text, question))
        text = (answer_alone(response.text) or "").strip()
        said = normalise(text[:SEARCH_LIMIT])
        meant = tuple(item for item in question.items if not means_another(said, item))
        question = question if len(meant) == len(question.items) else replace(question, items=meant)
        first = before_next_question(text)
        if first != text and (answer := self._read(replace(response, text=first), question)).ranked:
            return answer
        index = title_index(question.items)
        return read_from_first(
            response, lambda part: self._read(part, question), lambda part: bool(index.named_in(part))
        )

    def _read(self, response: Response, question: Question) -> Answer:
        listed, index = read_ranking(response, question, titles=True), title_index(question.items)
        text = normalise(answer_alone(response.text) or "")
        others = index.named_in(text[:SEARCH_LIMIT])
        if any(_is_numbered(question.items[at].title, text[:SEARCH_LIMIT]) for at in others):
            return unparsed(response, response.text, "ambiguous")
        marks = marked(text, question, others)
        if _is_repeated_below(listed, text, question):
            return unparsed(response, response.text, "ambiguous")
        if _OBJECT.search(text) and (match := _in_json(text, index)):
            item = question.items[match.positions[0]]
            return _answered(Entry(item.title, 0, match.stage), match, item.item_id, response, listed)
        if (first := _first(listed, text)) and _stands(first, listed, text, question):
            at = [item.item_id for item in question.items].index(listed.ranked[0])
            if chosen_title(text, marks, index, at) == at:
                return _answered(first, index.find(first.text), listed.ranked[0], response, listed)
        if listed.reason in ("refusal", "empty", "truncated"):
            return unparsed(response, response.text, listed.reason)
        lines = enumerate(text.split("\n"), 1)
        number, line = next(((place, one[:_LINE_LIMIT]) for place, one in lines if one.strip()), (0, ""))
        affirmed = " ".join(one for one in SENTENCES.split(line) if not DENIED_IN_ASIA.search(one))
        found = {} if _DENIED.search(line) else _named(affirmed, index)
        [at] = found if len(found) == 1 else [None]
        whole = at is not None and (others <= {*index.namesakes(at)} or _FIELDS.search(line) is not None)
        whole = whole and at is not None and not means_another(text, question.items[at], index)
        if at is not None and whole and chosen_title(text, marks, index, at) == at:
            title, match = found[at]
            return _answered(Entry(title, number, match.stage), match, question.items[at].item_id, response, listed)
        chosen = chosen_title(text, marks, index)
        if chosen is not None and not means_another(text, question.items[chosen], index):
            repairs = {"named_beside": len(others - {*index.namesakes(chosen)})}
            item_id = question.items[chosen].item_id
            return answered(response, repairs, ranked=(item_id,), matches={"normalised": 1})
        unclear = found or first or len(others) > 1
        return unparsed(response, response.text, "ambiguous" if unclear else listed.reason or "no_candidate_named")


def _is_repeated_below(listed: Answer, text: str, question: Question) -> bool:
    """Return whether a line of its own below a list repeats an entry that is not the first: the list may be that of the
    candidates."""
    index = title_index(question.items)
    before, _, last = text.rstrip().rpartition("\n\n")
    match = index.find(last.strip(' *_".'))
    again = {*match.positions} & index.named_in(before[:SEARCH_LIMIT]) if match else set[int]()
    return any(question.items[at].item_id in listed.ranked[1:] for at in again)


def _is_numbered(title: str, text: str) -> bool:
    """Return whether a text means another title of a series: `the third Toy Story film`."""
    places = places_of(title.partition(" (")[0], text)
    return any(_OF_SERIES.search(text[max(0, at - 9) : at]) and _GOES_ON.match(text, end) for at, end in places)


_OF_SERIES, _GOES_ON = re.compile(r"\b(?:second|third|fourth|fifth|2nd|3rd|4th|latest|newest) $"), re.compile(" [a-z]")


def _first(listed: Answer, text: str) -> Entry | None:
    entry = listed.entries[0] if listed.ranked and listed.entries else None
    if entry and _PRONOUN.fullmatch(entry.text) and len(text.split()) > 1:
        return None  # I'd recommend it.
    if entry and (greeted := GREETS.match(text)) and greeted[1] == entry.text:
        return None  # Hello! I'd play 99 Luftballons.
    return entry if entry and entry.read_as in _STAGES else None


_PRONOUN = re.compile(r"(?:it|her|us)\W*")


def _stands(first: Entry, listed: Answer, text: str, question: Question) -> bool:
    """Return whether the first entry is the choice: it heads a list or stands alone, and is not taken back."""
    index = title_index(question.items)
    behind = text.partition(first.text)[2]
    if is_headed_as_other(first.text, text) or _ALL_ARE.match(behind):
        return False
    named = index.named_in(text[:SEARCH_LIMIT])
    if first.text not in text and listed.ranked[0] not in {question.items[at].item_id for at in named}:
        return not named  # Kill Bill: Vol. 2, not Vol. 1
    if len(named) < 2:
        sentences = (one for one in SENTENCES.split(text[:SEARCH_LIMIT]) if first.text in one)
        return not any(map(DENIED_IN_ASIA.search, sentences))
    second = next((entry.text for entry in listed.entries[1:2] if entry.read_as in _STAGES), "")
    behind = behind.partition(second)[0] if second else behind
    if TAKEN_BACK.search(behind):
        return False
    called = None if second else called_title(text, index)
    return bool(second) or (
        (called is None or question.items[called].item_id == listed.ranked[0]) and is_alone(first.text, text)
    )


_ALL_ARE = caseless(r"\A[^.\n]{0,200}\band [^.\n]{1,80} are (?:(?:all|both|too) ){0,2}\w+[.!]?\s*$")
"""`Heat, Fargo and Alien are violent.`"""


def _in_json(text: str, index: TitleIndex) -> Match | None:
    """Return the item in the one field of a JSON object that holds a title (`{"title": "Heat", "similar_to": …}`)."""
    titles = {title for title in TITLE_FIELD.findall(text) if "_" not in title}  # {"name": "recommend_item", …}
    title = titles.pop() if len(titles) == 1 else ""
    match = index.find(title) or index.nearest(title)
    at = index.recalled_by(title) if match is None else None
    if match is None and (at := stands_for(title, index) if at is None else at) is not None:
        return Match((at,), "fuzzy")
    return match if match and match.positions else None


def _answered(entry: Entry, match: Match | None, item_id: str, response: Response, listed: Answer) -> Answer:
    repairs = {"shared_title": int(match is not None and len(match.positions) > 1)}
    repairs |= {name: count for name, count in listed.repairs.items() if name == "truncated"}
    answer = answered(response, repairs, ranked=(item_id,), matches={entry.read_as: 1})
    return replace(answer, entries=(entry,))


def _named(line: str, index: TitleIndex) -> dict[int, tuple[str, Match]]:
    """Return each item whose title is a part of the line, by position, with that part and its match."""
    found: dict[int, tuple[str, Match]] = {}
    for part in (one.strip(" .;,!?*_\"'") for one in _parts(line)):
        match = index.find(part)
        if match is not None and match.stage in ("exact", "normalised") and not is_headed_as_other(part, line):
            found[match.positions[0]] = (part, match)
    return found


def _parts(line: str) -> Iterator[str]:
    for field in _FIELDS.split(line):
        yield field
        yield field.partition(": ")[2]
    yield from _QUOTED.findall(line)
    for called in _CALLED.finditer(line):
        yield line[called.end() :]


_QUOTED = re.compile(r"[\"“«]([^\"“”«»]+)[\"”»]")
_CALLED = re.compile(r"(?:\b(?:is|was|be|called|named|titled)\b:?|:)\s+")
