"""The stages in one: a Response in, an Answer with ranked items out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from llmrank.answers.blocks import Block, split
from llmrank.answers.choosing import COUNTDOWN, Listing, Mention, choose, says_worst_first
from llmrank.answers.entries import titles_of
from llmrank.answers.identifiers import Identifiers, identifiers_of
from llmrank.answers.matching import Match, TitleIndex, title_index
from llmrank.answers.normalise import LIMIT, normalise, without_reasoning
from llmrank.answers.outcome import answered, missing, unparsed
from llmrank.types import Answer, Question, Response

_FUZZY_TEXTS = 1000
"""Distinct unknown texts that are compared with all titles; more of them are no list of titles."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer ranks: mentions, best first, each with its match; `ambiguous` where it can be read in two ways."""

    mentions: list[Mention]
    ambiguous: bool = False

    @property
    def named(self) -> int:
        """Return how many items are named, near misses left out."""
        return len({one.match.positions[0] for one in self.mentions if one.match and one.match.positions})


def read_titles(blocks: Sequence[Block], text: str, question: Question) -> Reading:
    """Return what a normalised answer ranks by titles."""
    listings = titles_of(blocks, title_index(question.items))
    return chosen(listings, text, question)


def read_identifiers(blocks: Sequence[Block], text: str, question: Question) -> Reading:
    """Return what a normalised answer ranks by identifiers."""
    listings = identifiers_of(blocks, Identifiers.of(question))
    return chosen(listings, text, question)


def chosen(listings: list[Listing], text: str, question: Question) -> Reading:
    """Return the listing that is the answer, best first."""
    owed = missing(0, len(question.items), question.top)
    listing = choose(listings, owed, range(len(question.items)))
    if listing is None:
        return Reading([])
    mentions = listing.mentions
    said = _beside(listings, text)
    turned = says_worst_first(said) or COUNTDOWN.search(said) is not None
    if listing.falling or (turned and not listing.ordered):
        mentions = mentions[::-1]
    return Reading(mentions, listing.ambiguous)


def _titles_alone(text: str, index: TitleIndex) -> list[Mention] | None:
    """Return the titles of an answer that is titles as they were shown and nothing else, each once: the common case."""
    found: list[Mention] = []
    seen: set[int] = set()
    for number, line in enumerate(text.strip().split("\n"), 1):
        match = index.exact(line)
        if match is None or match.positions[0] in seen:
            return None
        seen.add(match.positions[0])
        found.append(Mention(line.strip(), match, number))
    return found


def _beside(listings: list[Listing], text: str) -> str:
    """Return what an answer says beside the entries of its lists: lines that are no entry, introductions."""
    entries = Counter(mention.line for listing in listings for mention in listing.mentions)
    lines = (line for number, line in enumerate(text.split("\n"), 1) if entries[number] != 1)
    return "\n".join((*lines, *(listing.intro for listing in listings if listing.intro)))


def read_ranking(response: Response, question: Question, prefer: str) -> Answer:
    """Return the Answer that a response is: `prefer` says whether titles or identifiers were asked for.

    Identifiers are read in an answer that was to name titles only where identifiers were shown; titles in one that
    was to name identifiers are counted (repair `title_for_identifier`).
    """
    raw = without_reasoning(response.text)
    if not raw or not raw.strip():
        return unparsed(response, raw, "empty")
    text = normalise(raw)
    if prefer == "titles" and (plain := _titles_alone(text, title_index(question.items))):
        return by_title(plain, response, question, text, response.finish_reason == "length", Counter())
    blocks = split(text)
    cut = response.finish_reason == "length" or len(raw) > LIMIT
    repairs: Counter[str] = Counter()
    if prefer == "titles":
        reading = read_titles(blocks, text, question)
        with_titles = True
        if question.identifiers and (reading.ambiguous or reading.named < len(question.items)):
            other = read_identifiers(blocks, text, question)
            if other.named > reading.named or (reading.ambiguous and other.named == reading.named):
                reading, with_titles = other, False
    else:
        reading = read_identifiers(blocks, text, question)
        with_titles = False
        if reading.named <= 1 or reading.ambiguous:
            other = read_titles(blocks, text, question)
            if other.named > reading.named or (reading.ambiguous and other.named == reading.named):
                reading, with_titles = other, True
                repairs["title_for_identifier"] = 1
    if reading.ambiguous:
        return unparsed(response, text, "ambiguous", repairs)
    if with_titles:
        return by_title(reading.mentions, response, question, text, cut, repairs)
    return by_identifier(reading.mentions, response, question, text, cut, for_titles=prefer == "titles")


def by_title(
    found: list[Mention], response: Response, question: Question, text: str, cut: bool, repairs: Counter[str]
) -> Answer:
    """Return the Answer that these titles, in this order, give."""
    index = title_index(question.items)
    cut_off = bool(found) and _title_is_cut_off(found[-1], text, index, cut)
    named, counted = resolve_mentions(found[:-1] if cut_off else found, index)
    counted["truncated"] = int(cut_off)
    if not named:
        return unparsed(response, text, "no_candidate_named", counted)
    counted["missing"] = missing(len(named), len(question.items), question.top)
    if repairs["title_for_identifier"]:
        counted["title_for_identifier"] = len(named)
    ranked = tuple(question.items[at].item_id for at in named)
    return answered(response, counted, ranked=ranked, matches=Counter(named.values()))


def resolve_mentions(found: Sequence[Mention], index: TitleIndex) -> tuple[dict[int, str], Counter[str]]:
    """Return the position of each named item with the stage of its match, in the order named, and the repairs.

    Exact and normalised matches claim their items first: a text that is only near such an item repeats it.
    """
    near: dict[str, Match | None] = {}
    for mention in found:
        if mention.match is None and len(near) < _FUZZY_TEXTS and mention.text not in near:
            near[mention.text] = index.nearest(mention.text)
    claimed = {at for mention in found if mention.match for at in mention.match.positions}
    named: dict[int, str] = {}
    repairs: Counter[str] = Counter()
    for mention in found:
        match = mention.match or near.get(mention.text)
        if match is None:
            repairs["not_a_candidate"] += 1
        elif not match.positions:
            repairs["ambiguous"] += 1
        else:
            free = [at for at in match.positions if at not in named and (mention.match or at not in claimed)]
            if free:
                named[free[0]] = match.stage
            else:
                repairs["duplicate"] += 1
    return named, repairs


def _title_is_cut_off(last: Mention, text: str, index: TitleIndex, truncated: bool) -> bool:
    """Return whether the last title may have gone on where the answer ends.

    A recorded answer may not say that it was truncated: then only an open parenthesis or the beginning of a candidate
    tells it.
    """
    if not text.endswith(last.text) or last.text.endswith((")", "]")):
        return False
    if truncated:
        return last.match is None or index.begins_longer(last.text)
    return last.match is None and (last.text.count("(") > last.text.count(")") or index.begins_longer(last.text))


def by_identifier(
    found: list[Mention], response: Response, question: Question, text: str, cut: bool, *, for_titles: bool = False
) -> Answer:
    """Return the Answer that these identifiers, in this order, give."""
    identifiers = Identifiers.of(question)
    repairs: Counter[str] = Counter()
    if cut and found and _identifier_is_cut_off(found[-1], text, identifiers):
        found = found[:-1]
    positions = [(one.text, one.match.positions[0] if one.match else None) for one in found]
    if any(name == "0" and position is None for name, position in positions):
        numbers = [int(name) for name, _ in positions if name.isdigit() and len(name) < 10]
        count = len(question.items)
        if set(numbers) == set(range(count)):
            positions = [(str(number), number) for number in numbers]
            repairs["zero_based"] = 1
        elif count not in numbers:
            return unparsed(response, text, "zero_based")
    named: dict[int, None] = {}
    for _, position in positions:
        if position is None:
            repairs["not_a_candidate"] += 1
        elif position in named:
            repairs["duplicate"] += 1
        else:
            named[position] = None
    if not named:
        return unparsed(response, text, "no_candidate_named", repairs)
    repairs["missing"] = missing(len(named), len(question.items), question.top)
    matches = {"identifier": len(named)} if for_titles else {}
    return answered(response, repairs, ranked=tuple(question.items[at].item_id for at in named), matches=matches)


def _identifier_is_cut_off(last: Mention, text: str, identifiers: Identifiers) -> bool:
    """Return whether the last identifier may be the beginning of a longer one, cut off with the answer."""
    if not text.endswith(last.text):
        return False
    is_open = text[: -len(last.text)].endswith("[")
    longer = any(identifier.startswith(last.text) and identifier != last.text for identifier in identifiers.texts)
    return last.match is None or is_open or longer
