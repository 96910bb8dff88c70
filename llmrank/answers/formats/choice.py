"""The answer format `choice`: the model picks one item by its identifier (`B`, `The most relevant is passage B`).

An answer often mentions more identifiers than the one it chooses. So the identifiers are filtered first: numbers that
count something, numbers in titles, and items that the answer rejects do not count. Of the rest, the one that the text
calls its answer wins, then the one it starts with, then the only one. If no identifier remains, a title is read
instead. Two choices of equal rank are `ambiguous`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from llmrank.answers.formats import comparison
from llmrank.answers.formats.chosen_identifier import (
    AROUND,
    beside_options,
    declared,
    is_aside,
    is_count,
    is_meant,
    leading,
    not_ruled_out,
    plainest,
)
from llmrank.answers.formats.chosen_title import (
    SEARCH_LIMIT,
    TITLE_FIELD,
    TITLE_SIGNS,
    TITLE_WORDS,
    called_title,
    chosen_title,
    is_alone,
    marked,
    means_another,
    stands_for,
    with_years,
    words_before,
)
from llmrank.answers.formats.ranking import assign_items, disambiguated, read_titles, resolved
from llmrank.answers.items.identifiers import Identifiers, Word, naming, starts_with_identifier, uses_brackets, words_of
from llmrank.answers.items.matching import Match, TitleIndex, title_index
from llmrank.answers.outcome import (
    TAKEN_BACK,
    TextFormat,
    answered,
    asks_first,
    before_next_question,
    is_ironic,
    read_from_first,
    ticked,
    unparsed,
)
from llmrank.answers.rankings import doubt
from llmrank.answers.rankings.comments import comments
from llmrank.answers.text.blocks import split
from llmrank.answers.text.normalise import EAST_ASIAN, ORDINALS, SHORT, caseless, plain_text
from llmrank.types import Answer, Question, Response, Structured

_RANK_FIELD = caseless(
    r"\\?\"(?:rank|position|score|confidence|probability|user(?:_id)?)\\?\" ?: ?\\?\"?[\d.]{1,8}\\?\"?,?"
    r"|\"(?:alternatives?|runners?_up|second(?:_\w+)?|rejected|others?|loser|worse|worst|less_\w+|least_\w+)\" ?: ?"
    r"(?:\[[^\[\]]{0,200}\]|\"?\w{1,12}\"?(?=\s?[,}])),?"
)
"""A field of a JSON object that holds no choice."""
_BESIDE_CHARACTER = re.compile(
    rf"(?<=[{EAST_ASIAN}])(?=[A-Za-z](?![A-Za-z]))|(?<=[A-Za-z])(?<![A-Za-z0-9][A-Za-z])(?![级級])(?=[{EAST_ASIAN}])"
    rf"|(?<=[{EAST_ASIAN}])(?=\d+番(?!目))|(?<=\d)(?=番(?!目))"
    r"|(?<=[是为但然選选择擇択荐薦项項肢は或か和])(?=\d)|(?<=\d)(?=です|입니다|번|[을를이가] "
    r"|が(?:最|一番)|を(?:選|お|推)|[最更也或和与とか]|是最)"
)
"""Where an identifier touches a character without being part of a word: `选项E`, `は2番です`."""
_VERSUS = re.compile(r"(?<=\b[A-Z\d])[\])*]{0,3} (?:vs\.?|versus) (?=[\[(*]{0,3}[A-Z\d]\b)")
"""`A vs. B`, where A is no article."""
_FIELD = caseless(
    r"\"(?:(?:final_|best_|my_)?(?:choice|answer|pick|selection|option)|winner|preferred|better|best|selected"
    r"(?:_\w+)?|(?:item|candidate|movie"
    r"|product)_?id|chosen(?:_\w+)?)\" ?: ?\"?(\w{1,12})\"?(?=\s?[,}\n])"
)
"""`{"choice": "D", "reason": "B or D, and D …"}`"""
_OFFERED = caseless(
    r"^(?![^\n:]*\b(?:it['’]s|i['’]d|i would|if|is|because)\b)[^\n:]{0,80}\b(?:or|vs|versus)\b[^\n:]{0,80}:(?=.*\w)"
)
"""The last line of the question, repeated before the answer: `Movie A or Movie B: Movie B`."""


@dataclass(frozen=True, slots=True)
class Choice(TextFormat):
    """Reads one identifier (or title). Precedence: the one that the text calls its answer, then the one it starts
    with, then the only one present. Two of equal precedence are `ambiguous`; one that no item has is
    `not_a_candidate`."""

    name: str = "choice"

    def read(self, response: Response, question: Question) -> Answer:
        """Return the one item in `ranked`; unparsed (`empty`, `truncated`, `refusal`, `ambiguous`,
        `no_candidate_named`)."""
        identifiers, index = Identifiers.of(question), title_index(question.items)

        def names(part: str) -> bool:
            return bool(_identifiers_in(part, identifiers) or index.named_in(part) or _PLACE.search(part))

        dated = replace(response, text=with_years(response.text, question))
        return read_from_first(dated, lambda part: self._read(part, question), names)

    def _read(self, response: Response, question: Question) -> Answer:
        text = plain_text(response.text, SHORT)
        if not text or is_ironic(text) or response.finish_reason in ("refusal", "content_filter"):
            return unparsed(response, text, "ambiguous" if text else "empty")
        text = _BESIDE_CHARACTER.sub(" ", _RANK_FIELD.sub("", _OFFERED.sub("", ticked(text))))
        text = _VERSUS.sub(" / ", before_next_question(text))
        identifiers, index = Identifiers.of(question), title_index(question.items)
        at = _ordinal(text, len(question.items)) if _PLACE_CHOSEN.match(text) or _is_last(text, question) else None
        if at is None:
            at = _first_of_titles(text, index) if identifiers.are_numbers else None
        if at is not None:
            return _chosen(at, response, question)
        if (best := _highest(text, identifiers)) is not None or (best := _only_good(text, identifiers)) is not None:
            return _chosen(best, response, question, len(question.items) - 1)
        every = _identifiers_meant(text, question, identifiers, index)
        if _repeats_all(text, identifiers):
            return unparsed(response, text, "ambiguous")
        marks = _marked(every, text, question, index)
        titled = _only_title(text, index) or _first_title(text, index, identifiers)
        if titled and comparison.weighed(marks, titled.positions[0]) == titled.positions[0]:
            return _titled(titled.positions[0], titled.stage, response, question)
        fields = {*_FIELD.findall(text)}
        if len(fields) == 1 and (at := identifiers.find(fields.pop())) is not None:
            titles = filter(None, map(index.find, TITLE_FIELD.findall(text)))
            if any(match.positions and at not in match.positions for match in titles):
                return unparsed(response, text, "ambiguous")  # {"choice": 4, "title": "Heat"}
            beside = _others(_identifiers_in(text, identifiers), at)
            return _chosen(at, response, question, beside)
        at = _beside_its_title(every, text, index)
        if at is not None and comparison.weighed(marks, at) == at:
            return _chosen(at, response, question, _others(every, at))
        words = not_ruled_out(every, text)
        if uses_brackets(text, identifiers) and (called := declared(_without_brackets(text, identifiers), text)):
            words = [*called, *declared(words, text)]  # The best is 2; [1] would be the second
        if words:
            answer = _by_identifier(words, every, text, response, question)
        else:
            answer = _by_title(text, "" if every else marks, response, question, index)
        return _weighed(answer, every, text, marks, response, question)

    def structured(self, question: Question) -> Structured | None:
        """Return a choice between the identifiers."""
        identifiers = Identifiers.of(question).texts
        return Structured("choice", "\n".join(identifiers)) if identifiers else None


def _weighed(
    answer: Answer, every: list[Word], text: str, marks: str, response: Response, question: Question
) -> Answer:
    """Return an Answer, or what sentences that compare identifiers choose, if they set the item of the Answer aside."""
    at = [item.item_id for item in question.items].index(answer.ranked[0]) if answer.ranked else None
    offered = len(question.items)
    if at is None:
        chosen = comparison.chosen(marks, offered) if len({word.position for word in every}) > 1 else None
    elif (chosen := comparison.weighed(marks, at, offered)) == at:
        return answer
    index = title_index(question.items)
    named = [word for word in every if word.position == chosen][:_MENTIONS]
    if chosen is not None and not any(_is_of_another(word, text, index) for word in named):
        return _chosen(chosen, response, question, _others(every, chosen))
    return answer if at is None else unparsed(response, text, "ambiguous")


def _marked(words: list[Word], text: str, question: Question, index: TitleIndex) -> str:
    """Return a text with marks in place of the identifiers and titles that name items."""
    marks = text = text[:SEARCH_LIMIT]
    for word in reversed(words):
        if word.position is not None and word.end <= SEARCH_LIMIT:
            marks = marks[: word.start] + comparison.mark(word.position) + marks[word.end :]
    return marked(marks, question, index.named_in(text)) or marks


_MENTIONS = 8
"""Maximum number of identifiers beside which another title is searched for."""


def _chosen(at: int, response: Response, question: Question, beside: int = 0) -> Answer:
    """Return the Answer for an item named by identifier or place; `beside`: the number of others named so."""
    return answered(response, {"named_beside": beside}, ranked=(question.items[at].item_id,))


def _titled(at: int, stage: str, response: Response, question: Question, beside: int = 0) -> Answer:
    """Return the Answer for an item named by title. `beside`: the number of other items named by identifier."""
    if means_another(plain_text(response.text, SEARCH_LIMIT) or "", question.items[at], title_index(question.items)):
        return unparsed(response, response.text, "no_candidate_named")
    repairs = {"title_for_identifier": 1, "named_beside": beside}
    return answered(response, repairs, ranked=(question.items[at].item_id,), matches={stage: 1})


def _only_title(text: str, index: TitleIndex) -> Match | None:
    """Return the item whose title is the whole text: `A Game of Thrones`, which is not choice A; `1. Heat`."""
    only = _LIST_OF_ONE.fullmatch(text.strip())
    title = (only[1] if only else text).strip(" .*_\"'")
    match = index.find(title) if only else index.exact(title)
    return match if match and len(match.positions) == 1 and (only or " " in text.strip()) else None


_LIST_OF_ONE = re.compile(r"\W{0,4}1[.)] ([^\n]{2,200})")


def _first_title(text: str, index: TitleIndex, identifiers: Identifiers) -> Match | None:
    """Return the item whose title, of several words, is the first sentence (`2001: A Space Odyssey. They gave 5 stars
    to …`), if the text calls no identifier its answer."""
    first, *rest = _FIRST_SENTENCE.split(text.strip(), maxsplit=1)
    match = index.find(first.strip(" .*_\"'!")) if rest and " " in first else None
    if match is None or len(match.positions) != 1 or match.stage in ("identifier", "item_id"):
        return None
    words = _identifiers_in(text, identifiers)
    if _repeats_options(words, text):
        return None
    called = declared(words, text)
    if _CREATOR.search(text[: len(text) - len(rest[0])]) and index.named_in(rest[0][:SEARCH_LIMIT]) - {
        *match.positions
    }:
        return None
    if called or TAKEN_BACK.search(rest[0]) or comparison.was_had(f"{comparison.mark(0)} {rest[0]}", 0):
        return None
    return None if index.find(rest[0].split("\n")[0]) else match


_CREATOR = re.compile(r" [–—-] \Z")
_FIRST_SENTENCE = re.compile(
    r"(?<=[.!])[*_\"”]{0,4} (?=[A-Z])|\n|, (?=(?:as|because|since|given that) )|, (?:obviously|definitely|of course"
    r"|hands down|for sure|clearly)\b"
    r"|(?<=\d\)) [-–—] | [–—-] (?=(?:[A-Z][\w.'’]{0,20}(?: |, | ?$|(?=[.,])))+(?:\d{4})?(?:[.,]|$))"
)


def _by_identifier(words: list[Word], every: list[Word], text: str, response: Response, question: Question) -> Answer:
    """Return the Answer for a text with identifiers: `words` without those that are ruled out, `every` with them."""
    index = title_index(question.items)
    if _is_question(words, text):
        return unparsed(response, text, "no_candidate_named")
    if all(word.position is None for word in every) and (at := stands_for(text, index)) is not None:
        return _titled(at, "fuzzy", response, question)  # N. K. Jemisin's The Fifth Season
    alone = [word for word in beside_options(every, text) if word in words]
    meant = alone or plainest(words, text, len(question.items))
    several = len({word.text for word in meant}) > 1
    if several and not declared(words, text) and (at := called_title(text, index)) is not None:
        # not 3, not 4. The best option is Heat
        if any(_is_of_another(word, text, index) for word in meant[:_MENTIONS]):
            return unparsed(response, text, "ambiguous")
        return _titled(at, "normalised", response, question, _others(every, at))
    if (
        several
        or _UNLIKELY_SHARE.match(text, meant[0].end)
        or doubt.DEPENDS.search(text[:200])
        or is_aside(meant[0], text)
    ):
        return unparsed(response, text, "ambiguous")
    if (at := meant[0].position) is None:
        return unparsed(response, text, "no_candidate_named", {"not_a_candidate": 1})
    begins = starts_with_identifier(words[0], text)
    back = TAKEN_BACK.search(text, 0, meant[0].start)
    called = None if begins or declared(meant, text) else called_title(text[back.end() if back else 0 :], index)
    if (title := called) not in (None, at):
        return _titled(title, "normalised", response, question, _others(every, title))
    if not alone and _is_of_another(meant[0], text, index):
        return unparsed(response, text, "ambiguous")
    beside = len({word.text for word in every} - {meant[0].text})
    repairs = {"named_beside": beside, "commented": 0 if beside else comments(text.splitlines(), question.items)}
    return answered(response, repairs, ranked=(question.items[at].item_id,))


_UNLIKELY_SHARE = re.compile(r"[\])*_\"]{0,4} ?[:=(–—-] ?(?:0?\.[0-4]\d*|[0-4]?\d(?:\.\d+)? ?%)(?!\d)")
"""`Probability that the user prefers A: 0.3`"""


def _repeats_all(text: str, identifiers: Identifiers) -> bool:
    """Return whether a text is a list of all identifiers as they were shown, without signs of an order."""
    if _RATIO.match(text):
        return True
    words = [word for word in _ENUMERATED.findall(text[:SEARCH_LIMIT]) if word not in ("and", "or")]
    return len(words) > 1 and words == [*identifiers.texts]


_RATIO = re.compile(r"\W*[A-Z\d]{1,2} ?: ?[A-Z\d]{1,2} ?=")
"""`A:B = 30:70`"""
_ENUMERATED = re.compile(r"\w+|[<>→←]")


def _by_title(text: str, marks: str, response: Response, question: Question, index: TitleIndex) -> Answer:
    """Return the Answer for a text without identifiers."""
    mentions = disambiguated(read_titles(split(text), text, question).mentions, text, index)
    named, repairs = resolved(assign_items(mentions, index))
    if any(one.match and len(one.match.positions) > 1 for one in mentions):
        return unparsed(response, text, "ambiguous")  # nothing tells the items of one title apart
    others = index.named_in(text[:SEARCH_LIMIT]) - {same for at in named for same in index.namesakes(at)}
    beside = others if not any(one.match and is_alone(one.text, text) for one in mentions) else set[int]()
    alone = next(iter(named)) if len(named) == 1 and not beside else None
    if (at := chosen_title(text, marks, index, alone)) is not None:
        return _titled(at, named.get(at, "normalised"), response, question)
    if not (named or others) and (at := _ordinal(text, len(question.items))) is not None:
        return _chosen(at, response, question)
    unclear = named or others or repairs["ambiguous"]
    return unparsed(response, text, "ambiguous" if unclear else "no_candidate_named", repairs)


def _ordinal(text: str, offered: int) -> int | None:
    """Return the position that the text names by an ordinal (`The second one.`), if it names no other."""
    alone = _PLACE_ALONE.fullmatch(text)
    places = {found[1].casefold() for found in (*_PLACE.finditer(text), *([alone] if alone else ()))}
    found = alone or _PLACE_CHOSEN.search(text)
    if found is None or len(places) != 1:
        return None
    place = found[1].casefold()
    if place in ("former", "latter"):
        return ("former", "latter").index(place) if offered == 2 else None
    at = offered - 1 if place == "last" else ORDINALS.index(place)
    return at if at < offered else None


_PLACE = caseless(
    rf"\bthe ({'|'.join(ORDINALS)}|last) (?:one|option|movie|film|item|product|passage|candidate|book|game|song)\b"
)
_PLACE_ALONE = caseless(rf"\W*the ({'|'.join(ORDINALS)}|last|former|latter)\W*")
_PLACE_CHOSEN = caseless(
    r"(?:^\W*(?:my (?:pick|choice|answer) (?:is|would be) |i(?:['’]d| would) )?(?:(?:pick|choose|say|recommend"
    r"|go with|prefer) )?|\b(?:answer|choice|pick) is "
    r"|\bgo with |, so )" + _PLACE.pattern + r"(?: (?:on|in|of) (?:the|this|that|your) list)?(?="
    r"[.,;:!]|\W*$| (?:because|since|for|as|is (?:the )?(?:best|better|more|most))\b)"
)


def _is_last(text: str, question: Question) -> bool:
    """Return whether a text repeats all options and then ends with `…, so the last one.`"""
    return _PLACE_LAST.search(text) is not None and len(_OPTIONS.findall(text)) == len(question.items)


_PLACE_LAST = caseless(rf", so {_PLACE.pattern}\W*\Z")
_OPTIONS = re.compile(r"^\W{0,4}(?:[A-Z]|\d{1,2})[.):\]] ", re.MULTILINE)


def _identifiers_meant(text: str, question: Question, identifiers: Identifiers, index: TitleIndex) -> list[Word]:
    """Return the identifiers in a text that neither count something nor belong to a title; if there are none, a lone
    lower-case letter."""
    by_title = not question.identifiers and bool(index.named_in(text[:SEARCH_LIMIT]))  # no identifier was shown
    every = [
        word
        for word in _identifiers_in(text, identifiers)
        if not (_is_in_title(word, text, index) or is_count(word, text)) and not (by_title and not is_meant(word, text))
    ]
    if identifiers.are_letters and (answer := _SMALL_ANSWER.search(text)):
        return _identifiers_in(answer[1].upper(), identifiers)
    if not every and identifiers.are_letters and len({*_SMALL_IN_BRACKETS.findall(text)}) > 1:
        capital = _SMALL_IN_BRACKETS.sub(lambda found: found[0].upper(), text)
        return [word for word in _identifiers_in(capital, identifiers) if not _is_in_title(word, text, index)]
    small = [*_SMALL_IN_BRACKETS.finditer(text)] or [*_SMALL_FIRST.finditer(text)]
    if not every and identifiers.are_letters and (_SMALL_LETTER.fullmatch(text) or len(small) == 1):
        return _identifiers_in(small[0][0].upper() if small else text.upper(), identifiers)
    return every


_SMALL_LETTER = caseless(r"[\W_]*(?:(?:my|the|final|best|answer|choice|option|is)\b[\W_]*)*+[a-z][\W_]*")
"""`b`, `Answer: b`"""
_SMALL_IN_BRACKETS = re.compile(r"\([a-z]\)")
_SMALL_ANSWER = re.compile(r"(?:[Aa]nswer|[Cc]hoice|[Pp]ick)(?: is)?[:\s*_\"(]{1,4}([a-z])[)*_\".]{0,4}\s*\Z")
_SMALL_FIRST = re.compile(
    r"(?:^[\W_]{0,6}|\boption |^\W{0,6}[Aa]nswer:[\s*_\"]{1,4})[a-z][).:](?=[*_]{0,3} )", re.MULTILINE
)
"""`b) Heat`"""


def _others(words: list[Word], at: int) -> int:
    return len({word.text for word in words if word.position != at})


def _highest(text: str, identifiers: Identifiers) -> int | None:
    """Return the item with the one highest score (`A: 8%`, `B: 21%`) if a text has nothing but a score for each."""
    text = _BETWEEN_SCORES.sub(" / ", text[:SEARCH_LIMIT])
    scored = [*_SCORE.finditer(text)]
    places = [identifiers.find(one["name"]) for one in scored]
    rest = _INTRO.sub("", _SCORE.sub(" ", text))
    if (
        {*places} != {*range(len(identifiers.texts))}
        or len(places) != len({*places})
        or len({one["unit"] for one in scored}) > 1
    ):
        return None
    values = [float(one["value"]) for one in scored]
    if not any(one["unit"] or "." in one["value"] for one in scored) and {*values} <= {*range(1, len(values) + 1)}:
        return None  # A: 2, B: 1, which may be ranks
    best = [at for at, value in zip(places, values, strict=True) if value == max(values)]
    return best[0] if len(best) == 1 and _ONLY_SCORES.fullmatch(rest) else None


_SCORE = re.compile(
    r"(?:^|(?<=[\n,;|/{:] )|(?<=[\n,;|%{]))[ *_\[(\"]{0,4}(?:P\()?(?P<name>\w{1,3})[\])*_.\"]{0,4}"
    r"(?:(?: [^\n:;%]{1,80}?)?? ?[:=–—-]| (?:scores?|gets?)| \(| (?=\d{1,3}%?(?: /|\W*$))) ?[*_]{0,3}"
    r"(?P<value>\d{1,3}(?:\.\d{1,4})?)"
    r"(?P<unit> ?%|/10|/5|/100|)(?![\w%/]|\.\d)[*_]{0,3}",
    re.MULTILINE,
)
_BETWEEN_SCORES = caseless(r" (?:vs\.?|versus|and) (?=\W{0,3}\w{1,3}\W{1,5}\d)")
_JUDGED = caseless(
    r"(?:^|(?<=[\n,;|{] )|(?<=[\n,;|{]))[ *_\[(\"]{0,4}(?P<name>\w{1,3})[\])*_.\"]{0,4}(?: (?:is|=)|[:=])[ \"*_]{1,4}"
    r"(?:(?P<good>true|yes|relevant|recommended|selected|chosen|good(?: match| fit)?|match|liked?|winner)"
    r"|(?:false|no|(?:ir|not |un)relevant|not (?:recommended|selected|chosen|a match)|rejected|bad(?: match| fit)?|no"
    r" match|disliked?"
    r"|loser))[\"*_.]{0,4}(?=\s*(?:[,;|}\n]|\Z))"
)
"""`A: relevant, B: not relevant`"""


def _only_good(text: str, identifiers: Identifiers) -> int | None:
    """Return the item that alone is called good, if a text says no more than that of every item."""
    judged = [*_JUDGED.finditer(text[:SEARCH_LIMIT])]
    places = [identifiers.find(one["name"]) for one in judged]
    good = [at for at, one in zip(places, judged, strict=True) if one["good"]]
    whole = sorted(at for at in places if at is not None) == [*range(len(identifiers.texts))]
    return good[0] if whole and len(good) == 1 and not re.search(r"\w", _JUDGED.sub("", text)) else None


_INTRO = caseless(r"\A\W*(?:given|based on|considering|judging by) [^:\n]{1,80}:")
_ONLY_SCORES = caseless(r"\W*(?:(?:the )?(?:scores?|probabilit(?:y|ies)|likelihoods?|chances?|match|ratings?)\W*)?")


def _is_question(words: list[Word], text: str) -> bool:
    """Return whether a text asks a question or chooses nothing, and names identifiers only in passing."""
    if not (_asks_again(words, text) or asks_first(text) or _CHOOSES_NONE.search(text[:600])):
        return False
    alone = starts_with_identifier(words[0], text) and text.partition("\n")[0].strip(AROUND + "(") == words[0].text
    return not alone and not declared(words, text)


def _asks_again(words: list[Word], text: str) -> bool:
    """Return whether a text only repeats the question: it names three or more identifiers and ends with `?`."""
    return text.rstrip().endswith("?") and len({word.text for word in words}) > 2


def _is_in_title(word: Word, text: str, index: TitleIndex) -> bool:
    """Return whether an identifier is part of a candidate's title: the 3 of `Things 3`, the A of `A Serious Man`."""
    if word.bracketed or not word.text.isdigit():
        return not word.bracketed and index.covers(text, word.start, word.end)
    after = text[word.end : word.end + TITLE_SIGNS].split()[:TITLE_WORDS]
    titles = [f"{words} {word.text}" for words in words_before(text, word.start)]
    titles += [" ".join((word.text, *after[: at + 1])).rstrip(".,:;!?") for at in range(len(after))]
    return any(match and match.positions for match in map(index.find, titles))


def _beside_its_title(words: list[Word], text: str, index: TitleIndex) -> int | None:
    """Return the item if the first line is an identifier with its own title (`(6) Finding Nemo`)."""
    start = len(text) - len(text.lstrip())
    lead = _LEAD.match(text)
    if not words or words[0].position is None or words[0].start > (lead.end() if lead else start) + 3:
        return None
    if _repeats_options(words, text):
        return None
    line, _, rest = text[words[0].end :].partition("\n")
    line = line.lstrip(" *_\"'.:)]-–—")
    sentence, _, reason = line.partition(". ")
    if reason and all(_SECOND.search(text, max(0, word.start - 60), word.start) for word in words[1:]):
        line, rest = sentence, f"{reason}\n{rest}"
    named = index.find(line.rstrip(" *_\"'.:-–—"))
    own = named is not None and named.positions == (words[0].position,)
    open_still = _asks_again(words, text) or TAKEN_BACK.search(rest)
    return words[0].position if own and not open_still else None


def _repeats_options(words: list[Word], text: str) -> bool:
    """Return whether the lines that begin with an identifier begin with the first two options, as they were shown."""
    return [word.position for word in leading(words, text)[:2]] == [0, 1]


_SECOND = caseless(r"\b(?:second|runner-up|backup|alternatives?)\b[^.!?\n]*\Z")
_LEAD = caseless(r"\W*(?:option|answer|choice|pick)\b")
"""`Option C: Heat`"""


def _without_brackets(text: str, identifiers: Identifiers) -> list[Word]:
    """Return the identifiers without brackets that the text does not rule out."""
    words = naming(words_of(text, identifiers, False))
    return not_ruled_out([word for word in words if not word.bracketed], text)


def _identifiers_in(text: str, identifiers: Identifiers) -> list[Word]:
    return naming(words_of(text, identifiers, uses_brackets(text, identifiers)))


_CHOOSES_NONE = caseless(
    r"\b(?:choose|pick|recommend|select) (?:nothing|none|neither|no one)\b"
    r"|\bi (?:can(?:no|['’])t|am unable to|['’]m unable to) (?:choose|pick|recommend|select)\b(?! between)"
    r"|\A\W*\w{1,3}\? (?:hard to say|not sure|i (?:do not|don['’]t) know|hmm)\b"
    r"|\A\W*none of the \d+ is\b|\A\W*none of (?:them|these|the (?:options|candidates|\d+))(?:[.!]|\s*\Z)"
    r"|\bnone of (?:them|these|the (?:options|candidates|\d+))\b[^.\n]{0,40}\b(?:fit|suit|work"
    r"|right)(?![^.\n]*\b(?:but|yet|though)\b)"
)
"""`I'd rather choose nothing.`"""


def _first_of_titles(text: str, index: TitleIndex) -> int | None:
    """Return the item of the first line of a numbered list of titles, if the numbers are not those of the items."""
    lines = [found for line in text.split("\n")[:_LINES] if (found := _TITLE_LINE.fullmatch(line.strip()))]
    matches = [index.find(found[2]) for found in lines]
    items = [match.positions[0] for match in matches if match and len(match.positions) == 1]
    numbers = [int(found[1]) for found in lines]
    ranks = numbers == [*range(1, len(lines) + 1)] != [at + 1 for at in items]
    return items[0] if ranks and len(items) == len(lines) > 1 else None


_TITLE_LINE = re.compile(r"(\d{1,2})[.)] [*_\"]{0,3}([^\n]{2,200}?)[*_\".]{0,3}")


def _is_of_another(word: Word, text: str, index: TitleIndex) -> bool:
    """Return whether another item's title stands right beside an identifier: `A: Fargo`, where A is Heat."""
    before = text[: word.start].rpartition("\n")[2][-200:]
    titles = [text[word.end :].split("\n", 1)[0]]
    if stands_for := _STANDS_FOR.search(before):
        titles += words_before(before, stands_for.start())
    if word.position is not None and (quoted := _QUOTED_BEHIND.match(text, word.end)):
        titles.append(quoted["quoted"] or quoted["inside"])
    if (behind := _TITLE_BEHIND.match(text, word.end)) and _names_another(word, behind[1], text, index):
        return True
    plain = [title.strip(" *_`\"“”„«»'‘’()[]{}.:,;=|→-–—") for title in titles]
    matches = [index.find(f"{one})" if one.count("(") > one.count(")") else one) for one in plain if len(one) > 1]
    if not declared([word], text):
        matches += [index.find(line.strip(' *_`"#')) for line in text[: word.start].splitlines()[:_LINES]]
    return any(match and match.positions and word.position not in match.positions for match in matches)


_STANDS_FOR = caseless(
    r"[\s,*_\"”]*(?:[(\[=:–—-]|\b(?:i\.e\.|that is|which is|namely)),? ?(?:the )?(?:(?:option|movie|film|title|item"
    r"|product|passage|candidate|answer) )?[\W_]{0,4}$"
)
"""`Gravity (A)`, `Gravity, i.e. option A`: a title with the identifier that belongs to it."""


def _names_another(word: Word, sentence: str, text: str, index: TitleIndex) -> bool:
    """Return whether the sentence behind an identifier begins with another item's title, as its reason does (`The best
    choice is C. Fargo has the same humour`), and the identifier's own title appears nowhere."""
    words = sentence.split()[:TITLE_WORDS]
    parts = (" ".join(words[:count]) for count in range(len(words), 0, -1))
    match_text, match = next(((part, found) for part in parts if (found := index.find(part))), ("", None))
    if match is None or not match.positions or word.position is None or word.position in match.positions:
        return False
    after = sentence.partition(match_text)[2]
    return word.position not in index.named_in(text[:SEARCH_LIMIT]) and not _ALSO_GOOD.match(after)


_TITLE_BEHIND = re.compile(r"[\])*_\"]{0,4}(?:[.):,]| ?[–—-])? ?[*_\"“(\[]{0,3}([A-Z0-9][^\n]{2,200})")
_QUOTED_BEHIND = re.compile(
    r"[\])*_\"]{0,4}(?:[,:]| ?[–—-])? ?(?:[\"“«](?P<quoted>[^\"“”«»\n]{2,200})[\"”»]"
    r"|\((?P<inside>[^\n]{2,200}?)\)(?!\)))"
)
"""`E, "Fargo"`, `E (Fargo)`"""
_ALSO_GOOD = caseless(
    r"[*_\"”)]{0,4},? (?:(?:is|are|was|comes?|would be|might be|could be|seems) )?(?:\w+ly )?(?:(?:an?|the) )?"
    r"(?:also|second|close|runner-up|backup|too|less|not|while|though|but|would|might|could|\w{1,6}n['’]t)\b"
)
"""`Fargo is also good`, of an item beside the choice."""
_LINES = 40
"""Lines before an identifier that are searched for another item's title."""
