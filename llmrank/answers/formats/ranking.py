"""The formats `titles` and `permutation`: all stages together, from a Response to an Answer with ranked items.

A ranking can name its items by title or by identifier, and models do not always use the one they were asked for. So
both are tried: the form that was asked for first, then the other one if it explains more of the answer. Stages 1 to 4
produce one `Listing`, best item first. This module then decides whether that listing is a ranking at all, and gives
each entry its item. It also counts everything around the ranking that might contradict it, and returns the Answer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from llmrank.answers.formats import comparison
from llmrank.answers.formats.chosen_title import marked
from llmrank.answers.items.identifiers import Identifiers, chain_alone, naming, uses_brackets, words_of
from llmrank.answers.items.listing import Listing, Mention
from llmrank.answers.items.matching import Match, Stage, TitleIndex, title_index
from llmrank.answers.outcome import (
    TextFormat,
    answered,
    asks_first,
    awaits_input,
    declines,
    is_error_object,
    looks_like_error,
    missing,
    unparsed,
    with_repairs,
)
from llmrank.answers.rankings import doubt
from llmrank.answers.rankings.choosing import choose
from llmrank.answers.rankings.comments import comments_around
from llmrank.answers.rankings.entries import titles_of
from llmrank.answers.rankings.identifier_lists import identifiers_of
from llmrank.answers.rankings.prose import read_sentences
from llmrank.answers.text.blocks import split
from llmrank.answers.text.envelope import answer_alone
from llmrank.answers.text.lines import Block
from llmrank.answers.text.normalise import LIMIT, caseless, normalise
from llmrank.answers.text.phrases import with_then
from llmrank.types import Answer, Entry, Item, Outcome, Question, Response, Structured


@dataclass(frozen=True, slots=True)
class Titles(TextFormat):
    """The model names the items by title, in a list of any form (see docs/reading-answers.md).

    Repairs counted: `missing`, `duplicate`, `not_a_candidate` (titles that match none of the items, as often as they
    appear), `ambiguous` (titles that match several items) and `truncated`. Items that share a title are taken in the
    order shown, one for each time the title is named. If identifiers were shown beside the titles, the answer may use
    those instead.
    """

    name: str = "titles"

    def read(self, response: Response, question: Question) -> Answer:
        """Return the named items in `ranked`; unparsed (`empty`, `truncated`, `refusal`, `ambiguous`,
        `no_candidate_named`)."""
        return read_ranking(response, question, titles=True)


@dataclass(frozen=True, slots=True)
class Permutation(TextFormat):
    """The model orders the identifiers of the items (`[2] > [3] > [1]`, `B, C, A`). If the question names none, they
    are the numbers from 1 (see docs/reading-answers.md).

    List numbers are not identifiers; if any identifier is in square brackets, only those in brackets count. An answer
    that counts from 0 is accepted only if it names every item, which leaves no doubt (repair `zero_based`); otherwise
    it is unparsed for that reason. Titles in place of identifiers are accepted (repair `title_for_identifier`). Other
    repairs: `missing`, `duplicate`, `not_a_candidate`, `truncated`.
    """

    name: str = "permutation"

    def read(self, response: Response, question: Question) -> Answer:
        """Return the items in `ranked`; unparsed (`empty`, `truncated`, `refusal`, `ambiguous`, `zero_based`,
        `no_candidate_named`)."""
        return read_ranking(response, question, titles=False)

    def structured(self, question: Question) -> Structured | None:
        """Return a regular expression for `[2] > [3] > [1]`, with as many identifiers as were asked for."""
        identifiers = Identifiers.of(question).texts
        if not identifiers:
            return None
        one = rf"\[(?:{'|'.join(map(re.escape, identifiers))})\]"
        return Structured("regex", rf"{one}(?: > {one}){{{missing(0, len(identifiers), question.top) - 1}}}")


_FUZZY_TEXTS = 1000
"""Maximum number of distinct unknown texts to compare with all titles. An answer with more is not a list of titles."""


def read_titles(blocks: Sequence[Block], text: str, question: Question) -> Listing:
    """Return the ranking that a normalised answer gives by titles, best first."""
    index = title_index(question.items)
    listings = titles_of(blocks, index)
    if any(one.named for one in listings):
        for listing in (one for one in listings if len(one.mentions) > 1 and not one.named):
            listing.mentions = _nearest(listing.mentions, index)  # the shortened titles of a tier
    listing = choose(listings, text, missing(0, len(question.items), question.top))
    return _with_head(listing, [*index.named_in(listing.intro)], question, "normalised")


def _nearest(mentions: Sequence[Mention], index: TitleIndex) -> list[Mention]:
    """Return the entries of a list, each with the item whose title it is similar to."""
    if len(mentions) > _ALTERNATIVES_LIMIT:
        return [*mentions]
    return [one._replace(match=one.match or index.nearest(one.text)) for one in mentions]


def read_identifiers(blocks: Sequence[Block], text: str, question: Question) -> Listing:
    """Return the ranking that a normalised answer gives by identifiers, best first."""
    identifiers = Identifiers.of(question)
    listings = identifiers_of(blocks, identifiers, title_index(question.items))
    listing = choose(listings, text, missing(0, len(question.items), question.top))
    return _with_head(listing, identifiers.named_in(listing.intro), question, "identifier")


def _with_head(listing: Listing, named: Sequence[int], question: Question, stage: Stage) -> Listing:
    """Put the item that the introduction of a list calls the best before the others (`The best match is Heat. After
    that:`). `named`: the items in the introduction."""
    if len(named) != 1 or named[0] in listing.named or not _THEN.search(listing.intro):
        return listing
    if _BEST.search(listing.intro) and not _NO_HEAD.search(listing.intro):
        head = Mention(question.items[named[0]].title, Match((named[0],), stage), listing.mentions[0].line - 1)
        listing.mentions.insert(0, head)
    elif not _NO_HEAD.search(_REASON.sub(" ", listing.intro)):
        listing.ambiguous = True  # A good match is Heat, because they like crime. Then:
    return listing


_THEN = caseless(
    r"\b(?:then|next|after (?:that|it)|followed by|(?:the )?(?:rest|others?|remaining \w+|alternatives?|runners?[- ]up)"
    r"(?:,? in order)?|danach"
    r"|dann|dahinter|gefolgt von|puis|ensuite|suivie? (?:de|par)|luego|después|seguid[oa] (?:de|por)|poi"
    r"|seguit[oa] da|depois)"
    r"(?: (?:comes?|follows?|kommen|folgen|viennent|vienen|vengono|vêm))?\W*$"
)
_BEST = caseless(
    r"\b(?:best|first|top|pick|choice|besten?|zuerst|an erster stelle|meilleure?|d['’]abord|mejor|primero|melhor"
    r"|primeiro|migliore)\b"
)
_REASON = caseless(r",? (?:because|since)\b[^.\n]*\.")
_NO_HEAD = caseless(
    r"\b(?:not|\w{1,6}n['’]t|never|anywhere|but|if|unless|instead|already|since|because|after (?:the|their|your"
    r"|watching)|history|last|worst|least|remov\w+|le(?:ft|av)\w*|exclud\w+|skip\w*|dropp?\w*|omit\w*|watched|seen"
    r"|read|played"
    r"|heard|rated|bought|liked|loved|enjoyed|was|were|ha[sd]|have|known|selling|nicht|schon"
    r"|pas|déjà|ya|não|já|non|già)\b"
)
"""Words of an introduction that names an item for another reason: `I first removed Heat. The rest:`"""


def read_ranking(response: Response, question: Question, *, titles: bool) -> Answer:
    """Read a ranking from a Response. `titles`: the prompt asked for titles, not identifiers.

    If titles were asked for, identifiers are accepted only if the prompt showed them. If identifiers were asked for,
    titles are accepted and counted (repair `title_for_identifier`).
    """
    raw = answer_alone(response.text)
    if not raw or not raw.strip():
        return unparsed(response, raw, "empty")
    text = normalise(raw)
    if own := _OWN_QUESTION.search(text):
        answer = read_ranking(replace(response, text=text[: own.start()]), question, titles=titles)
        if len(answer.ranked or ()) > 1:
            return answer
    truncated = response.finish_reason in ("length", "content_filter") or len(raw) > LIMIT
    if titles:
        plain = _plain_titles(text, title_index(question.items))
        if plain := plain or (not question.identifiers and _numbered_titles(text, question.items)):
            return by_title(plain, response, question, text, truncated, Counter())
    else:
        text = _PREFILLED.sub(lambda found: f"[{found[0].lstrip()}", text)
        identifiers = Identifiers.of(question)
        text = _in_capitals(text, identifiers.texts) if identifiers.are_letters else text
        if chain := chain_alone(text, identifiers):
            answer = _answer(dict.fromkeys(chain, ""), Counter(), response, question, text)
            entries = tuple(Entry(identifiers.texts[at], 0, "identifier") for at in chain)
            return replace(answer, matches={}, entries=entries)
    return _read_blocks(split(with_then(text)), text, response, question, truncated, titles=titles)


_PREFILLED = re.compile(r"\A\s{0,9}\w{1,4}\](?= ?[>,=<] ?\[)")
"""`4] > [1]`, where the prompt ended in the first bracket."""
_OWN_QUESTION = re.compile(r"\n\n ?(?:Question|Q|Human): ?\S")
"""Where the model goes on to a question of its own."""


def _read_blocks(
    blocks: Sequence[Block], text: str, response: Response, question: Question, truncated: bool, *, titles: bool
) -> Answer:
    """Return the Answer for the blocks of a normalised text; `titles` as in `read_ranking`."""
    reading, with_titles = _titles_or_identifiers(blocks, text, question, titles=titles)
    in_sentences = _ranking_in_sentences(blocks, text, question, reading)
    if in_sentences is not None:
        reading, with_titles = in_sentences, titles
    repairs = Counter(title_for_identifier=int(with_titles and not titles))
    if looks_like_error(text) and (len(reading.named) < 2 or is_error_object(text)):
        return unparsed(response, text, "no_candidate_named")
    if _lacks_ranking(reading, text, question):
        return unparsed(response, text, "no_candidate_named", repairs)
    if reading.ambiguous or _is_contradicted(reading, text, question):
        if not _may_name_items(reading, title_index(question.items)):
            return unparsed(response, text, "no_candidate_named")
        return unparsed(response, text, "ambiguous", repairs)
    if with_titles:
        answer = by_title(reading.mentions, response, question, text, truncated, repairs)
        if not titles and not answer.ranked:  # nothing shows that titles were meant
            return unparsed(response, text, answer.reason)
    else:
        answer = by_identifier(reading.mentions, response, question, text, truncated, for_titles=titles)
    if not answer.ranked:
        return answer
    beside = _named_beside(reading, blocks, question, by_titles=with_titles)
    answer = with_repairs(
        answer,
        {"named_beside": beside, "in_sentences": int(in_sentences is not None), "tied": _tied(reading, text)},
    )
    answer = with_repairs(answer, {"truncated": int(reading.cut)})
    if answer.outcome is not Outcome.OK:
        return answer
    return with_repairs(answer, {"commented": comments_around(reading.mentions, text, question.items)})


def _may_name_items(reading: Listing, index: TitleIndex) -> bool:
    """Return whether any of a few entries is an item, or similar to one: `You watched, oldest first:` lists others."""
    return bool(reading.named) or any(
        one.match or index.nearest(one.text) for one in islice(reading.mentions, _ALTERNATIVES_LIMIT)
    )


def _titles_or_identifiers(
    blocks: Sequence[Block], text: str, question: Question, *, titles: bool
) -> tuple[Listing, bool]:
    """Return the ranking, and whether it is by titles. The form that was asked for is preferred unless the other one
    explains more of the answer."""
    first, second = (read_titles, read_identifiers) if titles else (read_identifiers, read_titles)
    reading = first(blocks, text, question)
    enough = 2 if not titles else len(question.items)
    unsure = reading.ambiguous or len(reading.named) < enough
    counted = len(reading.named) > 1 and [*reading.named] == [*range(len(reading.named))]  # [1] Alien, [2] Heat
    if (question.identifiers or not titles) and unsure and (counted or not reading.contradicted):
        other = second(blocks, text, question)
        near = not titles and not reading.mentions and bool(other.mentions)  # shortened titles: see `assign_items`
        says_more = near or len(other.named) >= len(reading.named) + (not reading.ambiguous)
        # The numbers of `Season 8 Episode 4` are two identifiers for one title.
        says_more &= not (titles and other.mentions and _are_words_of_titles(other, reading))
    elif not titles and (counted or len(reading.named) < len(question.items)):
        other = second(blocks, text, question)
        ranks = counted and [*other.named] != [*reading.named]  # | 1 | Heat |
        says_more = len(other.named) >= len(reading.named) and (ranks or _are_words_of_titles(reading, other))
    else:
        return reading, titles
    return (other, not titles) if says_more else (reading, titles)


def _in_capitals(text: str, names: Sequence[str]) -> str:
    """Return the text with letters that stand for entries in lower case, or in Cyrillic script, as Latin capitals."""
    if not text.isascii() and "".join(names).isascii() and not _CYRILLIC_WORD.search(text):
        text = _LOOKS_LATIN.sub(lambda found: found[0].translate(_AS_LATIN), text)
    text = _SMALL_MARK.sub(lambda found: found[0].upper(), text)
    text = _SMALL_CHAIN.sub(lambda found: found[0].upper(), text)
    small = _SMALL_ENTRY.findall(text)
    return _SMALL_ENTRY.sub(lambda found: found[0].upper(), text) if len({*small}) == len(small) > 2 else text


_AS_LATIN = str.maketrans("АВЕКМНОРСТУХІЈ", "ABEKMHOPCTYXIJ")
_LOOKS_LATIN = re.compile(r"(?<!\w)[АВЕКМНОРСТУХІЈ](?!\w)")
_CYRILLIC_WORD = re.compile(r"[\u0400-\u04ff]{2}")
_SMALL_MARK = re.compile(r"^\W{0,9}(?:\d{1,3}|[ivx]{1,6})[.)] \([a-z]\)(?= )", re.MULTILINE)
"""`1. (d) Heat`"""
_SMALL_CHAIN = re.compile(r"(?<![\w'’])[a-z](?:(?:, ?| ?> ?| ?→ ?)[a-z](?![\w'’])){2,}")
"""`f, e, b, i, h`"""
_SMALL_ENTRY = re.compile(r"^\W{0,9}\d{1,3}[.)] ([a-z])(?= ?$| [–—-] )", re.MULTILINE)
"""`1. d`, `2. c — for its end`"""


def _ranking_in_sentences(blocks: Sequence[Block], text: str, question: Question, reading: Listing) -> Listing | None:
    """Return the ranking that an answer gives in sentences, None if the reading already has all of it. If the answer
    also has a list, only a last line that ranks all items counts."""
    listed = any(block.kind != "text" and len(block.lines) + len(block.rows) > 1 for block in blocks)
    lines = {one.line for one in reading.mentions}
    if reading.low or (len(reading.named) == len(question.items) and not reading.ambiguous and len(lines) > 1):
        return None
    if listed and blocks[-1].kind != "text":
        return None
    sentences = blocks[-1].lines[0].text if listed else text
    index, identifiers = title_index(question.items), Identifiers.of(question)
    found = read_sentences(sentences, index, identifiers)
    if found is None and (then := with_then(sentences)) != sentences:
        found = read_sentences(then, index, identifiers)
    least = len(question.items) - 1 if listed else len(reading.named) - reading.ambiguous
    other = not (listed or reading.ambiguous or found is None) and [*found.named] != [*reading.named]
    if found is None or len(found.named) <= least - other:  # Heat last, Fargo first, which a list would turn round
        return None
    return choose([found], text, missing(0, len(question.items), question.top))


def _are_words_of_titles(identifiers: Listing, titles: Listing) -> bool:
    """Return whether every identifier is a word of a title: the 2 of `Soap, pack of 2`, the L of `Shampoo, 1 L`."""
    words: dict[int, set[str]] = {}
    for mention in titles.mentions:
        if mention.match:
            words.setdefault(mention.line, set()).update(re.findall(r"\w+", mention.text))
    return all(mention.text in words.get(mention.line, ()) for mention in identifiers.mentions)


def _tied(reading: Listing, text: str) -> int:
    """Count the lines whose chain has `=` between items. Tied items are read in the order written."""
    own = {mention.line for mention in reading.mentions}
    lines = enumerate(text.split("\n"), 1)
    return sum(number in own and _has_tie(line) for number, line in lines)


def _has_tie(line: str) -> bool:
    return (" > " in line and " = " in line) or _SAID_TIED.search(line) is not None


_SAID_TIED = caseless(r"\((?:a )?ti(?:e|ed)\)")


_BESIDE_LIMIT = 200
"""Maximum number of lines beside a ranking to check, which keeps the time linear."""


def _named_beside(reading: Listing, blocks: Sequence[Block], question: Question, *, by_titles: bool) -> int:
    """Count the lines beside a ranking that name candidates.

    Such a line may argue for another order in words that no rule knows, so the answer is not `ok`.
    """
    own = Counter(mention.line for mention in reading.mentions)
    index, identifiers = title_index(question.items), Identifiers.of(question)
    lines = [(line.number, line.text[:2000]) for block in islice(blocks, _BESIDE_LIMIT) for line in block.lines]
    lines += [(row.line, " ".join(row.cells)[:2000]) for block in islice(blocks, _BESIDE_LIMIT) for row in block.rows]
    return sum(
        (number not in own and bool(index.named_in(text)))
        or (number > 0 and not by_titles and len(identifiers.named_in(text)) > own[number])
        for number, text in lines[:_BESIDE_LIMIT]
    )


_WONT_RANK = caseless(
    r"\bi (?:can(?:['’]t|not| not)|won['’]t|will not|['’]?a?m unable to|['’]?a?m not (?:able|willing) to)"
    r" (?:produce|provide|give|make|do|create|offer) (?:you )?(?:this|that|the|an?|any|such an?) (?:\w+ )?"
    r"(?:ranking|ranked list|order|recommendations?)\b(?! of (?:all|every))"
    r"|\bis(?: not|n['’]t) something (?:that )?i can do\b"
)
"""`I can't produce this ranking.`"""


def _lacks_ranking(reading: Listing, text: str, question: Question) -> bool:
    """Return whether an answer contains no ranking: it refuses to rank, it waits for input, or it names items only
    in one line that declines to answer or only beside a question at the end."""
    whole = not missing(len(reading.named), len(question.items), question.top)
    if awaits_input(text, whole=whole) or (not whole and _WONT_RANK.search(text[:400])):
        return True
    lines = {mention.line for mention in reading.mentions}
    if len(lines) != 1:
        return False
    asks_back = not whole and text.rstrip().endswith("?") and (reading.in_sentence or asks_first(text))
    return asks_back or (0 not in lines and declines("".join(text.split("\n")[lines.pop() - 1 :][:1])))


def _is_contradicted(reading: Listing, text: str, question: Question) -> bool:
    """Return whether an answer may give another order as well: the ranking starts earlier than the entries read, or
    a line beside it calls an item other than the first the best."""
    if len(reading.named) < len(question.items) and doubt.of_the_beginning(reading, text, title_index(question.items)):
        return True
    first = reading.mentions[0].text if reading.mentions else ""
    if first and _CALLED_WORST.match(text.partition(first)[2]):
        return True
    own, lines = {mention.line for mention in reading.mentions}, text.split("\n")
    beside = [line for number, line in enumerate(lines, 1) if number not in own and not _FIELDS.match(line)]
    index, identifiers = title_index(question.items), _identifiers_read(reading, question)
    if _ranks_otherwise(reading, beside, identifiers, question):
        return True
    if len(own) == 1 and len(reading.named) < len(question.items):
        line = "".join(lines[own.pop() - 1 :][:1])
        if not identifiers and _loses_items(reading, line, index):
            return True
        beside.append(line[: min((line.find(one.text) for one in reading.mentions), default=0)])
        beside += (line.rpartition(one.text)[2] for one in reading.mentions[-1:] if one.text)

    def names(clause: str) -> set[int]:
        return index.named_in(clause) | {*(identifiers.named_in(clause) if identifiers else ())}

    return any(doubt.of_the_first(first, beside, question.items, names) for first in [*reading.named][:1])


def _loses_items(reading: Listing, line: str, index: TitleIndex) -> bool:
    """Return whether the one line that is read joins an entry to an item that the ranking lacks: `Fargo and Heat`."""
    for one in reading.mentions[:_ALTERNATIVES_LIMIT]:
        _, _, rest = line[:_SENTENCE_SIGNS].partition(one.text) if one.match and one.text else ("", "", "")
        joined = _JOINED.match(rest)
        if joined and not index.named_in(joined[1]) <= reading.named.keys():
            return True
    return False


_JOINED = re.compile(r"[*_\"]{0,3} (?:and|und|et|y|e|en|&) ([^,;:.]{2,100})")


def _identifiers_read(reading: Listing, question: Question) -> Identifiers | None:
    """Return the identifiers if the ranking is given by them."""
    by_identifier = any(one.match and one.match.stage == "identifier" for one in reading.mentions)
    return Identifiers.of(question) if by_identifier else None


def _ranks_otherwise(
    reading: Listing, beside: Sequence[str], identifiers: Identifiers | None, question: Question
) -> bool:
    """Return whether a line beside a ranking says that an item belongs above one that is ranked higher."""
    places = {at: place for place, at in enumerate(reading.named)}
    index = title_index(question.items)
    for line in islice(filter(_COMPARES.search, beside), _ALTERNATIVES_LIMIT):
        marks = line[:_SENTENCE_SIGNS]
        words = naming(words_of(marks, identifiers, uses_brackets(marks, identifiers))) if identifiers else []
        for word in reversed([one for one in words if one.position is not None]):
            marks = marks[: word.start] + comparison.mark(word.position or 0) + marks[word.end :]
        marks = marked(marks, question, index.named_in(marks)) or marks
        pairs = comparison.ranks_above(marks)
        if any(one in places and two in places and places[one] > places[two] for one, two in pairs):
            return True
    return False


_SENTENCE_SIGNS = 2000
_COMPARES = caseless(r"\b(?:better|closer|stronger|more|above|ahead|before|higher|over|beats|edges out|outranks)\b")


_CALLED_WORST = caseless(
    r"[*_\"”]{0,4} (?:is|would be|seems) (?:\w+ly )?(?:the )?(?:weakest|worst|poorest|least \w+)\b"
)
"""`Fargo is the weakest, Alien is the best`: the first one named is not the first."""
_FIELDS = re.compile(r"\s*+[\[{]?\s*+\"\w{1,40}\" ?:|\s*+[\[{]\s*+\{? ?\"\w{1,40}\" ?:")
"""A line of JSON that starts with a key."""


def _plain_titles(text: str, index: TitleIndex) -> list[Mention] | None:
    """Return the titles of an answer that consists of nothing but titles as shown: the most common case.

    They are joined by `>`, each once, or stand one to a line, where one may be repeated.
    """
    text = text.strip()
    chained = "\n" not in text and " > " in text
    found: list[Mention] = []
    for number, part in enumerate(text.split(" > " if chained else "\n"), 1):
        if (match := index.exact(part)) is None:
            return None
        found.append(Mention(part.strip(), match, 1 if chained else number))
    return found if len({one.text for one in found}) >= len(found) - (not chained) else None


def _numbered_titles(text: str, items: tuple[Item, ...]) -> list[Mention] | None:
    """Return the titles of an answer that consists of nothing but a numbered list of different titles, in bold or
    not: the next most common case. Stages 2 to 4 would give the same result."""
    index, found = title_index(items), list[Mention]()
    for number, line in enumerate(text.strip().split("\n"), 1):
        entry = _NUMBERED_TITLE.fullmatch(line)
        match = index.find(entry[3]) if entry and int(entry[1]) == number else None
        if entry is None or match is None or len(match.positions) != 1:
            return None
        if not (_WORDS.fullmatch(entry[3]) or items[match.positions[0]].title.startswith(entry[3])):
            return None
        found.append(Mention(entry[3], match, number))
    return found if len({one.match for one in found}) == len(found) > 2 else None


_NUMBERED_TITLE = re.compile(r"(\d{1,3})\. (\*\*)?([^*\s][^*\n]{0,199})(?(2)\*\*)")
_WORDS = re.compile(r"[^\W\d_][^()\[\]]*(?: \(\d{4}\))?")
"""A title that cannot hold a remark or another number."""
_ALTERNATIVES_LIMIT = 50
"""Maximum number of entries with an `or` to check, which keeps the time linear."""
_WEIGHS = caseless(
    r"\A(?:between|comparing|instead of|rather than) |\bi(?:['’]d| would|['’]ll)? (?:choose|pick|go with"
    r"|prefer|take|put|rank)\b"
)
_OR = caseless(r"\b(?:or|oder|ou|o|tied?|equal)\b|\S/\S")


def by_title(
    found: list[Mention], response: Response, question: Question, text: str, truncated: bool, repairs: Counter[str]
) -> Answer:
    """Return the Answer for these titles, best first."""
    index = title_index(question.items)
    found = disambiguated(found, text, index)
    shortened = any(one.match is None and index.begins_longer(one.text) for one in found[:-1][:_ALTERNATIVES_LIMIT])
    whole = shortened and len(found) == len(question.items) and "(" not in found[-1].text
    incomplete = bool(found) and (truncated or not whole) and _title_is_truncated(found[-1], text, index, truncated)
    either = (one.text for one in found if one.match is None and _OR.search(one.text))
    if any(len(index.named_in(one)) > 1 for one in islice(either, _ALTERNATIVES_LIMIT)):
        return unparsed(response, text, "ambiguous", repairs)  # 1. Heat or Fargo
    unknown = [one.text for one in found[:_ALTERNATIVES_LIMIT] if one.match is None and _WEIGHS.search(one.text)]
    if len(unknown) < len(found) and any(map(index.named_in, unknown)):
        return unparsed(response, text, "ambiguous", repairs)  # Between Heat and Fargo, I'd choose Heat; …
    assigned = assign_items([*found[:-1], found[-1]._replace(match=None)] if incomplete else found, index)
    assigned = [*assigned[:-1], (None, "truncated")] if incomplete else assigned
    named, counted = resolved(assigned)
    if counted["ambiguous"] > len(named):
        return unparsed(response, text, "ambiguous", repairs)  # of most entries it is unknown which remake they are
    meant = [
        one.match.positions if one.match else index.namesakes(at)
        for one, (at, _) in zip(found, assigned, strict=False)
        if at is not None
    ]
    counted["shared_title"] = sum(len(positions) > 1 for positions in meant)  # nothing tells them apart
    if repairs["title_for_identifier"]:
        counted["title_for_identifier"] = len(named)
    entries = _entries(found, assigned)
    return replace(_answer(named, counted, response, question, text), entries=entries)


def disambiguated(found: Sequence[Mention], text: str, index: TitleIndex) -> list[Mention]:
    """Return the mentions, with items of the same name told apart by what stands beside them: the cells of the table
    row, or the lines of the entry if they name nothing else."""
    found = [_by_creator(one, index) for one in found]
    if not index.has_attributes or not found:
        return found
    own, lines = sorted({one.line for one in found}), text.split("\n")
    ends = dict(zip(own, [*own[1:], own[-1] + _LINES_OF_ONE], strict=True))
    alone = Counter(one.line for one in found)

    def with_its_words(one: Mention) -> Mention:
        if one.match is None or not one.match.positions:
            return one
        end = min(ends[one.line], one.line + _LINES_OF_ONE)
        words = " ".join(lines[one.line - 1 : end - 1]) if one.line and alone[one.line] == 1 else ""
        if one.match.stage == "exact" and not one.match.positions[1:] and not one.row and words in ("", one.text):
            return one  # nothing stands beside it
        return one._replace(match=index.disambiguated(one.match, one.text, words, one.row))

    return [with_its_words(one) for one in found]


def _by_creator(one: Mention, index: TitleIndex) -> Mention:
    """Return a mention with the item whose title its row gives in parts (`Hello` beside `Adele`), if no title fits."""
    if not one.row or (one.match and one.match.positions):
        return one
    return one._replace(match=index.find_by(one.text, one.row) or one.match)


_LINES_OF_ONE = 6
"""Maximum number of lines in one entry."""


def by_identifier(
    found: list[Mention],
    response: Response,
    question: Question,
    text: str,
    truncated: bool,
    *,
    for_titles: bool = False,
) -> Answer:
    """Return the Answer for these identifiers, best first."""
    if truncated and found and _identifier_is_truncated(found[-1], text, Identifiers.of(question)):
        found = found[:-1]
    numbers = [one.text for one in found]
    if len(numbers) > len(question.items) and numbers == [str(at) for at in range(1, len(numbers) + 1)]:
        return unparsed(response, text, "ambiguous")  # it counts on past the last item
    zero_based = False
    if any(one.text == "0" and one.match is None for one in found):
        numbers = [int(one.text) for one in found if one.text.isdigit() and len(one.text) < 10]
        count = len(question.items)
        zero_based = {*numbers} == {*range(count)}
        if zero_based:
            found = [Mention(str(number), Match((number,), "identifier")) for number in numbers]
        elif count not in numbers and max(numbers) <= count:
            return unparsed(response, text, "zero_based")
    assigned = assign_items(found)
    named, repairs = resolved(assigned)
    repairs["zero_based"] = int(zero_based)
    answer = replace(_answer(named, repairs, response, question, text), entries=_entries(found, assigned))
    return answer if for_titles else replace(answer, matches={})


def _answer(named: dict[int, str], repairs: Counter[str], response: Response, question: Question, text: str) -> Answer:
    if not named:
        return unparsed(response, text, "no_candidate_named", repairs)
    repairs["missing"] = missing(len(named), len(question.items), question.top)
    ranked = tuple(question.items[at].item_id for at in named)
    return answered(response, repairs, ranked=ranked, matches=Counter(named.values()))


Assignments = Sequence[tuple[int | None, str]]


def assign_items(found: Sequence[Mention], index: TitleIndex | None = None) -> Assignments:
    """Return for each mention the position of its item and the stage of the match, or None and the repair.

    With an index, unmatched texts are compared with similar titles. Exact and normalised matches claim their items
    first, so a text that is only similar to a claimed item is a duplicate.
    """
    near: dict[str, Match | None] = {}
    if index:
        for text in [mention.text for mention in found if mention.match is None]:
            if len(near) < _FUZZY_TEXTS and text not in near:
                short = _REMARK.split(text, maxsplit=1)[0] if "—" in text or "–" in text else text
                near[text] = index.nearest(text) or (index.nearest(short) if short != text else None)
    claimed = {at for mention in found if mention.match for at in mention.match.positions}
    named: set[int] = set()
    assigned: list[tuple[int | None, str]] = []
    for mention in found:
        match = mention.match or near.get(mention.text)
        if match is None:
            assigned.append((None, "not_a_candidate"))
        elif not match.positions:
            assigned.append((None, "ambiguous"))
        else:
            free = [at for at in match.positions if at not in named and (mention.match or at not in claimed)]
            assigned.append((free[0], match.stage) if free else (None, "duplicate"))
            named.update(free[:1])
    return _with_recalled(found, assigned, index) if index else assigned


_REMARK = re.compile(r" [-–—:(] ?(?=[a-z])")
_MIN_COMPANY = 3
"""Minimum number of entries that must name or recall items before the others help to read a careless title."""


def _with_recalled(found: Sequence[Mention], assigned: Assignments, index: TitleIndex) -> Assignments:
    """Return the results with unmatched entries resolved to the item that they recall, where the other entries support
    it.

    Most entries must name or recall an item, or all of a complete list. Only an item that no other entry names can be
    recalled.
    """
    known = {at for at, _ in assigned if at is not None}
    unmatched = [number for number, (_, how) in enumerate(assigned) if how == "not_a_candidate"]
    if not 0 < len(unmatched) <= _FUZZY_TEXTS:
        return assigned
    texts = {number: _REMARK.split(found[number].text[:400], maxsplit=1)[0] for number in unmatched}
    recalled = {
        number: at for number in unmatched if (at := index.recalled_by(texts[number], found[number].text)) is not None
    }
    certain = _claimed_once(recalled, known)
    company = len(known) + len(certain)
    is_supported = company >= max(_MIN_COMPANY, 2 * (len(unmatched) - len(certain)))
    few = len(unmatched) <= len(known)
    if len(found) == len(index) > _MIN_COMPANY:  # all ranked: unmatched entries name the rest
        for among in (index.holding, index.misspelt, index.alike) if is_supported or few else (index.holding,):
            free = {*range(len(index))} - known - {*certain.values()}
            close = {number: among(text, free) for number, text in texts.items() if number not in certain}
            certain |= _claimed_once({number: at.pop() for number, at in close.items() if len(at) == 1}, known)
        is_supported |= len(certain) == len(unmatched)
    if not is_supported:
        return assigned
    return [(certain[number], "loose") if number in certain else one for number, one in enumerate(assigned)]


def _claimed_once(recalled: Mapping[int, int], known: Collection[int]) -> dict[int, int]:
    """Return the entries whose item no other entry means or names."""
    times = Counter(recalled.values())
    return {number: at for number, at in recalled.items() if times[at] == 1 and at not in known}


def resolved(assigned: Assignments) -> tuple[dict[int, str], Counter[str]]:
    """Return the position of each named item with the stage of its match, in the order named, and the repairs."""
    repairs = Counter(how for at, how in assigned if at is None or how == "loose")
    return {at: how for at, how in assigned if at is not None}, repairs


def _entries(found: Sequence[Mention], assigned: Assignments) -> tuple[Entry, ...]:
    return tuple(Entry(one.text, one.line, how) for one, (_, how) in zip(found, assigned, strict=True))


def _title_is_truncated(last: Mention, text: str, index: TitleIndex, truncated: bool) -> bool:
    """Return whether the last title may be truncated.

    A recorded answer may lack its finish reason. In that case only an open parenthesis, or a text that begins a longer
    candidate title, shows it.
    """
    if not text.endswith(last.text) or last.text.endswith((")", "]")):
        return False
    if truncated:
        return last.match is None or index.begins_longer(last.text)
    if last.match is not None or last.text.endswith(("…", "...")):
        return False
    begins = index.begins_longer(last.text) and not index.is_first_part(last.text)
    near = index.nearest(last.text) if begins else None
    return last.text.count("(") > last.text.count(")") or (begins and not (near and near.positions))


def _identifier_is_truncated(last: Mention, text: str, identifiers: Identifiers) -> bool:
    """Return whether the last identifier may be the truncated beginning of a longer one."""
    if not text.endswith(last.text):
        return False
    is_open = text[: -len(last.text)].endswith("[")
    longer = any(identifier.startswith(last.text) and identifier != last.text for identifier in identifiers.texts)
    return last.match is None or is_open or longer
