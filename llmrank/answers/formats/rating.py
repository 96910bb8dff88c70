"""The answer format `rating`: the model gives a number on a scale.

An answer often contains more numbers than the rating: a year, a title, the scale, other ratings. So numbers are
searched for in a fixed order, from the plainest form of a rating to the least plain. The first form that occurs
decides:

1. a line that is a rating and nothing else: `4`, `Rating: 4`, `**3.5 stars**`, `4/5`, `four`;
2. a rating at the beginning of the text: `4. The user likes crime`;
3. a conclusion at its end (`so 4`, `final answer: 4`), or a number that is called the rating: `the predicted rating is
   4`, `I'd give it a 4`, `Seven (1995): 4`;
4. a number with the unit of a rating: `4 stars`, `4 out of 5`, `★★★★`;
5. a short text that ends in a number on the scale: `probably a 4` (two different numbers are ambiguous).

A sentence about something else, such as an error message, contains no rating.

Within one form, different values or a range (`between 3 and 4`) are `ambiguous`, and so is a rating that a later
sentence replaces (`3 … On second thought, 4`). A value off the scale is `out_of_range`. A value on another scale
(`8/10` where 1 to 5 was asked) is `other_scale`: it is never converted, because that would be a guess.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from llmrank.answers.formats.rating_numbers import (
    ANY,
    DIGITS,
    EITHER,
    EITHER_ALONE,
    LEAD,
    NUMBER,
    RANGE_MARK,
    STARS,
    UNIT,
    VALUES,
    Given,
    digits,
    either,
    given_in,
    in_words,
    within,
)
from llmrank.answers.formats.rating_plain import LISTED, rated_beside, without_other_numbers
from llmrank.answers.items.title import without_titles
from llmrank.answers.outcome import (
    NEXT_ITEM,
    RETRACTION,
    TAKEN_BACK,
    TextFormat,
    answered,
    before_next_question,
    declines,
    is_ironic,
    is_refusal,
    looks_like_error,
    unparsed,
    without_remarks,
)
from llmrank.answers.text.normalise import SHORT, caseless, plain_text
from llmrank.answers.text.predictions import USER
from llmrank.types import Answer, Question, Response, Structured

_EDGE = rf"[^\w{RANGE_MARK}−-]*+"
_ONLY = caseless(rf"{_EDGE}(?:{LEAD}\b{_EDGE})*+{EITHER_ALONE}{UNIT}?(?:です|だと思います|でしょう)?\W*+")
_NAME = (
    r"\b(?:ratings?|scores?|rate(?! limit)|predict(?:ion|ed|s)?|estimate[ds]?|answer|response|give|say"
    r"|assign|gets|get(?= an? )|go with|bewertung|note|calific\w*)\b"
)
_NAMED = (
    caseless(rf"{_NAME}[^\d.!?\n{RANGE_MARK}]{{0,60}}?{DIGITS}{UNIT}?"),
    caseless(
        rf"{_NAME}(?: for(?: it| this)?)?(?: would be| is| ?:)?(?: it)?(?: an?)?(?: solid| strong| firm"
        rf"| clear)? {in_words()}{UNIT}?"
    ),
    caseless(
        rf"\b(?:diría(?: que)?|direi|dirais|diria|würde (?:ich )?sagen:?)"
        rf"(?: eine?| un[ae]?| uma?)? {DIGITS}{UNIT}?(?=[.,;]|$)(?!,? (?:o|ou|oder)\b)"
    ),
    re.compile(
        rf"^(?:[^\s:=→]{{1,30}} ){{0,3}}[^\s:=→]{{0,30}} ?[:=→-] ?{DIGITS}{UNIT}?[^\w\n]*+$",
        re.IGNORECASE | re.MULTILINE,
    ),
)
_CONCLUDES = caseless(
    rf"\b(?:final (?:answer|rating|score|prediction|verdict)(?: is)?|overall|as it (?:is|stands)|so|therefore"
    rf"|thus|hence|more (?:of|like)|(?:so )?i(?:['’](?:m|d"
    rf"|ll)| am| would| will) (?:(?:go(?:ing)?|stick(?:ing)?) with|say|guess|expect)|but i think"
    rf"|but for (?:them|him|her|(?:the|this) {USER})|(?:go|come) down to|(?:lower|rais|dropp?|bump|revis)(?:e?s?|ing)?"
    rf" (?:it|that|this) (?:up |down )?to)[ ,:=]{{1,3}}(?:an? |it a )?{EITHER}{UNIT}?"
    r"(?: for (?:this(?: one)?|it)| overall| in total| altogether| all in all)?[\W_]*$"
)
"""How a text may end: `so final answer: 4`, `I'd lower that to 4`."""
_OTHER_WAY = caseless(
    r"\b1 (?:is |being |= ?|as |the )(?:the )?best\b(?!-)|\b5 (?:is |being |= ?|as |the )(?:the )?worst\b(?!-)"
)
"""Words that reverse the scale, or ask whether it is reversed."""
_LOOSE = caseless(rf"{EITHER}{UNIT}?(?=\W{{0,9}}$|[.!]|,? (?:maybe|probably|perhaps|i (?:think|guess)|for)\b)")
_OTHERS = caseless(
    r"\b(?:the user|they|he|she)(?: has| have|['’]ve)? (?:gave|given|rated|scored)\b"
    r"(?! (?:it|this))[^.;\n]*?(?=,? (?:so|but)\b|[.;\n]|$)"
    r"|\b(?:critics|reviewers|other (?:users|people|viewers|readers|players|customers)|others|most people"
    r"|imdb|metacritic|letterboxd|(?:the|their) last \w+) (?:g[ai]ves?|rated?s?|got)\b[^.;,\n]*"
    r"|에 \d점을 (?:주었|줬|매겼|준)[가-힣]*|[给給][^，。,.\n]{1,30}[打评評给給][了过過] ?\d ?[分星]"
    r"|都[给給打]了? ?\d ?[分星]"
)
"""Statements about other items, or by others: `The user gave 5 stars to Vertigo.`, `Critics gave it 5.`"""
_OCCASION = r"(?:(?:on|upon) (?:an?|the) (?:\w+ )?(?:re-?)?(?:watch|read|play|view|visit)\w*+|re-?watch|with friends)"
_OR_SO = r"(?: (?:but|and|or|(?:al)?though|only|just|i(?:['’]d| would) say|an?))*+"
_ANOTHER = rf"(?!(?P=one)(?![.,]?\d)){NUMBER}"


def _is_for_two_occasions(text: str) -> bool:
    """Return whether a text rates two occasions differently, units left out."""
    return _IS_OCCASION.search(text) is not None and _TWO_OCCASIONS.search(_UNITS.sub("", text)) is not None


_TWO_OCCASIONS = caseless(
    rf"(?<![\w.,])(?P<one>{NUMBER})[,;.]? ?[(–—-]?{_OR_SO} ?(?:{_OCCASION}[,:]?{_OR_SO} {_ANOTHER}"
    rf"|{_ANOTHER} {_OCCASION}\b)(?=\D{{0,400}}\Z)"
)
"""`4, though on a rewatch 3`: nothing tells which of them is asked for."""
_IS_OCCASION, _UNITS = caseless(_OCCASION), caseless(UNIT)


_ASKED_FIRST = re.compile(r"\A[^\n]{10,300}\?[\"”*_]{0,3}\s*\n(?=\W{0,3}\d)")
"""The question, repeated before the answer."""
_SAYS_MORE = caseless(
    rf"\d|{RANGE_MARK}|[★⭐🌟一二三四五]|\b(?:{'|'.join(VALUES)}|half|stars?|rating|score)\b|{TAKEN_BACK.pattern}"
    r"|\b(?:not|\w{1,6}n['’]t|cannot|unable|without|no|but|however|if|unless|though|perhaps|maybe|nicht|pas|aber|mais"
    r"|pero)\b|\?"
)
"""Words of a sentence that may say more about a rating before it."""
_PARTS = 12
"""Number of lines up to which each is read alone if the text has no rating as a whole."""
_SHORT = 8
"""Maximum number of words of a text whose last number is the rating even if nothing says so (`Probably a 4`)."""


@dataclass(frozen=True, slots=True)
class Rating(TextFormat):
    """Reads one rating from a text. The titles of the items are removed first, because they may contain numbers."""

    name: str = "rating"

    def read(self, response: Response, question: Question) -> Answer:
        """Return the rating in `value`; unparsed (`empty`, `truncated`, `refusal`, `no_rating`, `ambiguous`,
        `out_of_range`, `other_scale`)."""
        text = plain_text(response.text, SHORT)
        if not text:
            return unparsed(response, text, "empty")
        if looks_like_error(text):
            return unparsed(response, text, "no_rating")
        first = before_next_question(without_titles(_ASKED_FIRST.sub("", text.strip()), question.items, " "))
        other = NEXT_ITEM.search(first)  # the item's own title is a space
        if other and other[1].strip() and ANY.search(first[: other.start()]):
            first = first[: other.start()]
        text = first if ANY.search(first) else text
        low, high = question.scale
        if _OTHER_WAY.search(text) or is_ironic(first):
            return unparsed(response, text, "ambiguous" if is_ironic(first) else "other_scale")
        plain = without_other_numbers(text, question)
        declined = is_refusal(response, text)
        given = _plainest(without_remarks(plain, _SAYS_MORE), question.scale, declined)
        if not given and len(parts := [part for part in plain.split("\n") if part]) in range(2, _PARTS):
            given = [*dict.fromkeys(one for part in parts for one in _plainest(part, question.scale, declined))]
        if not given and (rest := _without_lead(plain)):
            given = _plainest(without_remarks(rest, _SAYS_MORE), question.scale, declined)
        if not given:
            return unparsed(response, text, "no_rating")
        if any(of not in (None, high) for _, of in given) and len(on_scale := _with_unit(plain, high)) == 1:
            given = on_scale  # 8/10, i.e. 4/5
        (value, of), *others = given
        if others or math.isnan(value) or not {*rated_beside(first)} <= {value}:
            return unparsed(response, text, "ambiguous")
        if of is not None and of != high:
            return unparsed(response, text, "other_scale")
        if not low <= value <= high:
            return unparsed(response, text, "out_of_range")
        beside = _named_beside(plain, value, question.scale)
        alone = any(map(_ONLY.fullmatch, plain.splitlines()))
        commented = not alone and _MAY_QUALIFY.search(first) is not None
        return answered(response, {"named_beside": beside, "commented": commented}, value=value)

    def structured(self, question: Question) -> Structured | None:
        """Return a choice between the ratings of the scale, in steps of one half if the scale begins or ends in a
        half."""
        return Structured("choice", "\n".join(rating_labels(question)))


_MAY_QUALIFY = caseless(
    r"\b(?:unless|if|never|only if|instead|rather than|from (?:me|others|critics)|for (?:fans|others)|at (?:best"
    r"|worst|most|least))\b"
    r"|\b(?:but|though|however)\b[^.!?\n]{0,60}\b(?:they|he|she|the user|this user|one|two|three|four|five|\d)\b"
)
"""Words beside a rating that may give it to another case."""


def _without_lead(text: str) -> str:
    """Return a text without its first sentences if they say nothing of a rating; "" if there are none."""
    rest = text
    while (lead := _FIRST_WORDS.match(rest)) and not _SAYS_MORE.search(lead[0]):
        rest = rest[lead.end() :]
    return rest if rest != text else ""


_FIRST_WORDS = re.compile(r"[^.!?\n]{10,300}[.!]\s+(?=\S)")


def rating_labels(question: Question) -> tuple[str, ...]:
    """Return the ratings of a question's scale: its labels if it has any, otherwise whole numbers, or halves where
    it has halves."""
    low, high = question.scale
    step = 1.0 if low.is_integer() and high.is_integer() else 0.5
    return question.identifiers or tuple(f"{low + step * at:g}" for at in range(math.floor((high - low) / step) + 1))


def _named_beside(text: str, value: float, scale: tuple[float, float]) -> int:
    """Count the other values that might be the rating, unless some line consists of a rating alone."""
    if any(map(_ONLY.fullmatch, text.splitlines())):
        return 0
    given = given_in(ANY.finditer(LISTED.sub("", text)))
    return len({one for one, _ in within(scale, given)} - {value})


def _plainest(text: str, scale: tuple[float, float], declined: bool) -> list[Given]:
    """Return the different values of the plainest form that occurs."""
    lines = [line for line in text.splitlines() if line.strip()]
    if _TWO_WAYS.search(text) or _TWO_GROUPS.search(text) or _is_for_two_occasions(text) or _SEVERAL.fullmatch(text):
        return [(math.nan, None)]
    if given := _revised(lines) or ([] if declined else _summed_up(lines)):
        return given
    alone = [(at, found) for at, line in enumerate(lines) if (found := _ONLY.fullmatch(line))]
    if len(alone) > 1 and RETRACTION.search("\n".join(lines[alone[0][0] + 1 : alone[-1][0]])):
        alone = alone[-1:]  # Rating: 4⏎Actually, they dislike coconut.⏎Rating: 2
    if given := given_in(found for _, found in alone):
        return given if declined else _with_replacements(given, text, scale)
    if (between := _OPEN_RANGE.search(text)) and not any(
        pattern.search(text, between.end()) for pattern in (_CONCLUDES, *_NAMED)
    ):
        return [(math.nan, None)]
    if not declined:
        return _stated(text, lines, scale) or _with_unit(text, scale[1]) or _in_short_text(text, scale)
    if declines(text):
        return []
    excused = _EXCUSED.search(text)
    behind = (found for named in _NAMED for found in named.finditer(text, excused.end())) if excused else ()
    return _with_unit(text, scale[1]) or given_in(behind)


_EXCUSED = caseless(r"\b(?:but|however|still|nevertheless|that said),? (?=[^.\n]{0,40}\bi\b)")
"""`As an AI, I cannot watch movies, but I would estimate 4.`"""
_OPEN_RANGE = caseless(
    r"\bi(?:['’]d| would|['’]ll| will) (?:\w+ )?(?:place|put|say|guess|estimate|rate|give|expect|predict)\b"
    rf"[^.!?\n\d]{{0,40}}{RANGE_MARK}",
    rf"\b(?:probably|likely|somewhere)\b[^.!?\n\d]{{0,30}}{RANGE_MARK}",
)
"""`I'd place it between 3 and 4`"""
_SEVERAL = re.compile(
    rf"\W*(?:(?!(?:{LEAD}|corrected|revised|updated|new|initial)\b)[^\W\d][^\n:;,\d]{{1,40}}: ?{NUMBER}"
    rf"(?:/\d{{1,3}})?(?:[,;] |\n\W*|\W*\Z)){{2,20}}",
    re.IGNORECASE,
)
"""`Acting: 5, Plot: 3`, which rates none of them for the user"""
_TWO_WAYS = caseless(
    r"\A\W*\d(?:\.\d)? ?, \d(?:\.\d)?\W*\Z",
    r"\bif\b[^.;\n]{1,80} \d(?:\.5)?[;,.] (?:and "
    r"|but )?if\b[^.;\n]{1,80} \d(?:\.5)?(?: at best)?(?=[.\n]\D{0,400}\Z|\Z)",
)
"""`If they play alone, 3; if they play with a partner, 5.`"""


_A_NUMBER = rf"(?:{NUMBER}|one|two|three|four|five)"
_TWO_GROUPS = caseless(
    rf"(?<![\w.,])(?P<one>{_A_NUMBER})(?: ?(?:{STARS}))? (?:for|from|by) (?!(?:this|the) {USER}|them\b|him\b|her\b)"
    rf"[^.,;\d\n]{{1,40}}(?:,|;|,? and|,? but)(?: and| but)? (?:an? |only )?(?!(?P=one)(?![.,]?\d)){_A_NUMBER}"
    rf"(?: ?(?:{STARS}))? ?(?:for|from|by)\b(?=\D{{0,400}}\Z)"
)
"""`4 stars for fans, 2 for everyone else`, `five from me, but two from this user`"""


def _summed_up(lines: Sequence[str]) -> list[Given]:
    """Return the rating in a table of one row, or in a line such as `Overall: 3/5`."""
    for above, rule, line, below in zip(lines, lines[1:], lines[2:], [*lines[3:], ""], strict=False):
        is_table = {*rule} <= {*"|-: "} and "|" in line and "|" not in below
        heads = [at for at, head in enumerate(above.split("|")) if _HEAD.fullmatch(head)] if is_table else []
        cells = line.split("|")
        if len(heads) == 1 and heads[0] < len(cells) and (cell := _ONLY.fullmatch(cells[heads[0]])):
            return given_in([cell])
    return given_in(found for line in lines if (found := _OVERALL.fullmatch(line)))


def _revised(lines: Sequence[str]) -> list[Given]:
    """Return the rating to which the last line changes the first one, or the ratings in lines that correct it."""
    if lines and (changed := _CHANGED.search(lines[-1]) or _MADE.search(lines[-1])):
        return given_in([changed])
    joined = "\n".join(lines)
    leans = [found for found in _LEANS.finditer(joined) if not _NOT_SO.search(_sentence_around(joined, found))]
    if len(leant := given_in(leans)) == 1:
        return leant
    corrected = [(at, found) for at, line in enumerate(lines) if (found := _CORRECTED.fullmatch(line))]
    final = given_in(_FINAL.finditer(joined))
    if len(final) == 1 and {*given_in(found for _, found in corrected)} <= {*final}:
        return final
    behind = lines[corrected[-1][0] + 1 :] if corrected else []
    taken_back = any(_ONLY.fullmatch(line) or RETRACTION.search(line) for line in behind)
    return [] if taken_back else given_in(found for _, found in corrected)


_CHANGED = caseless(
    r"\bi(?:['’](?:d|m|ll)| would| am| will)(?: \w+)? (?:go|com|lower|rais|dropp?|bump|bring|revis|chang|updat"
    r"|adjust)(?:e|ing)?(?: (?:it|that|this|my (?:prediction|rating|estimate|score)))?"
    rf"(?: up| down)? to (?:an? )?{DIGITS}{UNIT}?[\W_]*$"
)
"""The end of a text that changes its first rating: `I'd lower that to 4`."""
_LEANS = caseless(
    rf"(?:\bi(?:['’](?:d|m|ll)| would| am| will)?(?: \w+)?|,) (?:lean(?:ing)? towards?|settl(?:e|ing) (?:on"
    rf"|for)) (?:an? )?{DIGITS}"
)
"""`Probably a 4 or a 5. I'd lean towards 5`"""
_NOT_SO = caseless(r"\b(?:if|unless|not)\b")
_MADE = caseless(
    rf"(?<=[.!?] )(?:corrected|revised|updated|new|final) (?:rating|score|prediction|estimate)(?: is|:) "
    rf"{digits('revised')}[\W_]*$",
    rf"\bmake (?:that|it) (?:an? )?{EITHER_ALONE}{UNIT}?[\W_]*$|\b(?:rating|score|prediction) ?= ?[^\n=]{{1,80}}"
    rf" = {digits('lands')}[\W_]*$",
)
"""How a text may end: `… Revised rating: 3`, `No, make that five.`, `Rating = (5 + 4 + 3) / 3 = 4`"""
_FINAL = caseless(
    r"\b(?:final (?:rating|score|note)|(?:nota|note|calificación|puntuación|valutazione) final[ei]?"
    r"|endgültige (?:bewertung|note))"
    rf"(?: is)?[\s:=*_]{{1,6}}{DIGITS}"
)
"""`Nota: 4 … Nota final: 2,5`"""
_CORRECTED = caseless(
    rf"\W{{0,9}}(?:(?:my )?(?:corrected|revised|updated|final) (?:rating|score|answer|prediction|estimate)"
    rf"(?: for\b[^:\n]{{0,80}})?|edit)\W{{1,6}}{DIGITS}{UNIT}?\W{{0,9}}(?:\([^()\n]{{0,80}}\)\W{{0,9}})?"
)
"""A line after a first guess: `Corrected rating: 5`."""


_OVERALL = caseless(
    r"\W*(?:overall|total|in total|insgesamt|gesamt(?:note|wertung|bewertung)?|au total|en général)\b(?:(?: (?:rating"
    r"|score"
    rf"|fit|prediction|for [^:\d\n]{{1,60}}))?\W{{1,4}}"
    rf"|,? i(?:['’]d| would)? (?:think|say|guess|expect) (?:(?:they|he|she|(?:the|this) {USER})(?:['’]d| would) give"
    r" (?:it|this) )?"
    rf"(?:an? )?){DIGITS}{UNIT}?\W*"
)
"""`- Food: 4/5 … Overall for this user: 3/5`"""
_HEAD = caseless(r"\W*(?:(?:predicted|expected|estimated|final|likely) )?(?:rating|score|stars|bewertung|note)\W*")


def _sentence_around(text: str, found: re.Match[str]) -> str:
    """Return the sentence of a match, of at most two hundred characters on either side."""
    before, after = text[max(0, found.start() - 200) : found.start()], text[found.end() : found.end() + 200]
    return re.split(r"[.!?;\n]", before)[-1] + found[0] + re.split(r"[.!?;\n]", after, maxsplit=1)[0]


def _stated(text: str, lines: Sequence[str], scale: tuple[float, float]) -> list[Given]:
    """Return the ratings that replace each other, that begin the text, or that the text calls the rating."""
    if back := RETRACTION.search(text):
        before, after = (given_in(ANY.finditer(part)) for part in (text[: back.start()], text[back.end() :]))
        undecided = before and after and back[0].casefold() not in _WEAK and not _CONCLUDES.search(text)
        if len(before) == len(after) == 1 or undecided:
            return [*dict.fromkeys((*before, *after))]
    if lines and not _LIST_LINE.fullmatch(lines[0]) and (found := _BEGINS.match("\n".join(lines))):
        return _with_replacements(given_in([found]), text, scale)
    gives = [found for found in _GIVES.finditer(text) if not _OFTEN.search(_sentence_around(text, found))]
    if len(given := given_in(gives)) == 1:
        return given
    for pattern in (
        _CONVERTED,
        _LEAVES,
        _NOTE,
        _OPENS,
        _CONCLUDES,
        _LAST_SENTENCE,
        _PREDICTED,
        _EXPECTS,
        _FEELS,
        _AS_NOUN,
        _ESTIMATES,
        _WORDED,
    ):
        if len(given := given_in(pattern.finditer(text))) == 1:
            return given
    if given := given_in(found for pattern in _NAMED for found in pattern.finditer(text)):
        return given
    found = (given_in(pattern.finditer(text)) for pattern in (_ON_SCALE, _IT_IS, _SINCE))
    return next((given for given in found if len(given) == 1), [])


_BEGINS = caseless(
    rf"{_EDGE}{EITHER}{UNIT}?(?: ?[.,;:!(\n]| [-–—]| →(?= [a-z]{{2}}\D{{0,200}}\Z)| (?:because|since|as)\b)"
    r"(?! ?[A-Z]\w+ (?:[A-Z]\w+ )?requests)"
)
_LIST_LINE = caseless(rf"\W*+\d{{1,2}}[.)] .* ?[:=→–—-] ?{DIGITS}{UNIT}?\W*+")
_PREDICTED = caseless(
    rf"(?:\b(?:predicted|final|expected|estimated) (?:rating|score"
    rf"|prediction)|\bprediction(?= ?[:=])|予[測想]評価)(?:[^\d.!?\n{RANGE_MARK}]{{0,40}}?{DIGITS}{UNIT}?"
    rf"|[:= *_]{{1,5}}{in_words('word')}(?=[*_]{{0,3}}(?:[.,!\n]|$)))"
)
_OPENS = caseless(
    rf"^\W*(?:but )?(?:(?:vermutlich|wahrscheinlich|wohl|probablement|probabilmente|probablemente|provavelmente"
    rf"|наверное|вероятно|je dirais|diría|direi|ich schätze|le (?:pondría|daría)"
    rf"|ich würde sagen),?(?: (?:nur|eher|seulement|solo|solamente|só))?(?: (?:eine?|un[ae]?|uma?))?"
    rf"|(?:(?:most )?(?:probably|likely)|maybe|perhaps|my guess(?: is|:)|i(?:['’]d| would) (?:say|guess|predict))"
    rf"(?: an?)?|(?:(?:certainly|definitely|surely) )?an? (?:very )?(?:solid|full|strong|clear|safe|easy"
    rf"|perfect|weak|generous)) {EITHER}{UNIT}?"
    rf"(?: ?[.!:](?= |$)|,? (?:as|because|since|from|given|weil|da|denn|car|parce|porque|perché)\b)"
)
"""How a text may begin: `Probably a two.`"""
_LAST_SENTENCE = caseless(
    rf"(?<!i\.e)[.!?;] (?:(?:easily|clearly|definitely|probably) )?(?:an? )?(?:{DIGITS}{UNIT}?"
    rf"|{in_words('scaled')} (?:{STARS}))[\W_]*$"
    rf"|(?:(?-i:\b[a-z][\w'’-]{{0,30}})|\d) ?[:,–—] (?:so )?an? (?:solid|strong|firm|clear|safe|weak"
    rf"|comfortable) {digits('word')}[\W_]*$"
    rf"|[^\W\d](?<!rating)(?<!score)(?<!answer)(?<!confidence): {digits('lands')}[\W_]*$"
)
"""How a text may end: `… closer to the former. 4.`, `… Two stars.`, `something in between: 4.5`"""
_LEAVES = caseless(
    r"\b(?:(?:that|which|this) (?:leaves|makes|comes to|lands at|brings)(?: it| me| us)?(?: at| with| to)?(?: an?)?"
    rf"|also|bleiben|bleibt|macht|ergibt|il reste|quedan|restano) {DIGITS}{UNIT}?[\W_]*$"
)
"""How a text ends that adds up: `That leaves 3.5.`"""
_EXPECTS = caseless(
    rf"\b(?:will|would|should) (?:probably |likely )?(?:land|come in"
    rf"|end up) (?:at|around|near) (?:around |about |roughly )?(?:an? )?{digits('word')}|"
    rf"\bi(?:['’]d| would)? expect (?:(?:this|it)(?: one)? )?to (?:land|come in|be|get|score|end up)(?: at"
    rf"| around)?(?: an?)? {digits('lands')}|"
    rf"\bi(?:['’]d| would)? expect (?:about |roughly )?(?:an? {DIGITS}(?![-–]\w)"
    rf"|{digits('scaled')}{UNIT})"
)
_FEELS = caseless(
    rf"{digits('guessed')} (?:is|would be) (?:my|the (?:most likely|likeliest))"
    r" (?:guess|prediction|estimate|rating|answer|bet)\b"
    rf"(?! for (?!this|them|the {USER}))",
    rf"\bi(?:['’]d| would|['’]ll) (?:put|place|rate|score) (?:(?:it|this|that) )?(?:right in between, )?(?:at"
    rf"|around) (?:an? )?{digits('put')}",
    rf"(?:\ban? |(?<=, )|(?:^|(?<=[.!?] ))){DIGITS}(?: stars?)? (?:feels|seems|sounds|is) (?:about |just "
    rf"|more )?(?:right|fair|reasonable|likely|realistic)(?=[.,;!]|$"
    rf"| (?:for(?= (?:this|them|the {USER})\b| ?[.,;!]| ?$)|given|here|to me|because|since|as)\b)"
    r"(?!, (?:an? |or |maybe )[^.!?\n]{0,40}\d)",
)
"""`4 is my guess`, `I'd put it at 4`, `A 4 feels about right`"""
_IT_IS = caseless(
    r"\b(?:it|this(?: one)?|that)(?: is|['’]s| would be| will be| deserves| gets) (?:(?:probably|likely"
    r"|clearly) )?an? (?:\w+ )?"
    rf"{DIGITS}{UNIT}?(?=[.,;!]|$| (?:for me|because|since|as)\b)(?!, (?:an? |or |maybe )[^.!?\n]{{0,40}}\d)"
)
_SINCE = caseless(
    r"(?:^|(?<=[.!?] ))(?:because|since|given|based on|considering|as) [^.!?\n]{1,200}, (?:an? |about )?"
    rf"{DIGITS}{UNIT}?(?=[.!]|$)"
)
"""`This one is a 3.`, `Because they liked 2 similar films, 4.`"""
_AS_NOUN = caseless(
    rf"\ban? (?:\w+ )?{either('put')} (?:at (?:best|most)|(?:from|for) (?:them|(?:this|the"
    rf"|an?) {USER}))\b",
    rf"\b(?:würde|dürfte)\b[^.!?\n\d]{{0,60}}\b(?:eine )?{digits('word')}{UNIT}?"
    r" (?:vergeben|geben|vorhersagen|erwarten|schätzen|bewerten|tippen)\b",
    rf"\beine {digits('lands')} (?:vergeben|geben) (?:würde|dürfte)\b",
    rf"\b(?:donnerait|mettrait|daría|pondría|daria|darebbe|metterebbe)\b[^.!?\n\d]{{0,40}} (?:un[ae]?|uma?)"
    rf" {digits('scaled')}",
)
"""`so a 2 at best`, `dass der Nutzer hier eine 4,5 vergeben würde`"""
_GIVES = caseless(
    rf"\b(?:gives(?: (?:it|this(?: one)?))?|lands? at|comes? in at|earns?) an? (?:\w+ )?"
    rf"{either('put')}{UNIT}?(?=[.,;!]|$| (?:because|since|given|as\b(?! a))| from (?:this|them|the"
    rf" {USER}))",
    r"\b(?:will|would|should) (?:(?:most|very) )?(?:likely |probably )?(?:get|earn|receive|score) an?"
    rf" {digits('word')}(?=[.,;!]|$| (?:as well|too|from (?:this|them|the {USER})))",
    rf"{digits('lands')} ?[点點分](?:くらい|程度)?と予[想測]",
    rf"会给[^。，,.\n]{{0,20}}打 ?{digits('scaled')} ?分",
)
"""`lands at a four`, `so this will most likely get a 5 as well`"""
_OFTEN = caseless(
    r"\b(?:if|unless|not|n['’]t|never|usually|typically|normally|often|always|sometimes|critics?|most|others?|rarely"
    r"|hardly|average|imdb|might|may|could|every|any)\b(?! likely)"
)
_ESTIMATES = caseless(
    r"\b(?:schätze|erwarte|vermute|prognostiziere) ich (?:(?:daher|also|somit|deshalb|auf|etwa|rund|eher) ){0,3}"
    rf"{DIGITS}{UNIT}"
)
"""`Daher schätze ich 3,5 von 5 Sternen`"""
_CONVERTED = caseless(
    r"(?<![\w.])\d{1,3} ?(?:/|out of) ?\d{1,3}\b[^.!?\n]{0,60}\b(?:(?:correspond|translat|equat|convert|map)\w{0,3}"
    rf"|(?:com|work)(?:es?|s|ing)(?: out)?) (?:to|at) (?:an? |about )?{DIGITS}(?! ?(?:/|out of))"
    r"|\b(?:mapped|converted|translated|scaled) (?:on ?)?to (?:the|your)\b[^!?\n]{0,30}\bscale\b[^!?\n]{0,60}"
    r"(?:\bis|\bgives|\bbecomes|=|:)"
    rf" (?:an? |about )?[*_]{{0,3}}{digits('scaled')}(?! ?(?:/|out of))"
    rf"|\b(?:so|i\.e\.|that is|which is),? (?:an? )?{digits('lands')}(?: ?(?:/|out of) ?\d{{1,2}})?"
    r" on (?:your|the|this) [^.!?\n]{0,20}\bscale\b"
)
"""`8/10, which corresponds to a 4 on your scale`"""
_ON_SCALE = caseless(
    rf"\bwhich (?:makes|is|gives|means)(?: it)?(?: an?)? {digits('scaled')} on (?:your|the|this)\b"
    r"[^.!?\n]{0,20}\bscale\b",
    rf"\bwhich,? on (?:the|your)\b[^!?\n]{{0,30}}\bscale,? (?:is|gives|becomes) (?:an? |about )?[*_]{{0,3}}{DIGITS}"
    r"(?! ?(?:/|out of))",
)
"""`an 8, which makes 4 on your scale`, `an 8/10, which on your scale is a 4`"""
_WORDED = caseless(rf"\b(?:give|say|rate|predict|expect)\b[^\d.!?\n]{{0,40}}?{in_words()}{UNIT}")
"""`I'd give it two out of five`"""
_NOTE = caseless(
    r"\b(?:przewiduję|prognozuję|прогнозирую|предполагаю|prévois|prédis|dirais|donnerait|erwarte|preveo|daría"
    r"|prevedo|darei)\b[^.!?\n]{0,80}"
    rf"\b(?:note|nota|bewertung|puntuación|calificación|valutazione|voto) (?:de|von|di|da) {EITHER_ALONE}{UNIT}?"
)
"""`Je prévois une note de cinq étoiles`"""


_WEAK = ("actually", "wait", "i mean")
"""Words that retract a rating only if one other follows; they have other meanings."""


def _with_unit(text: str, high: float) -> list[Given]:
    """Return the values with the unit of a rating."""
    given = given_in(_WITH_UNIT.finditer(_OTHERS.sub(" ", text)))
    on_scale = [one for one in given if one[1] == high]  # 4.5 of 5 stars, beside 3 of 4 novels
    return on_scale if len(on_scale) == 1 and all(of for _, of in given) else given


_WITH_UNIT = caseless(rf"{EITHER_ALONE}{UNIT}")


def _in_short_text(text: str, scale: tuple[float, float]) -> list[Given]:
    """Return the value of a short text, or all its values on the scale if there are several."""
    if len(text[:1000].split()) > _SHORT:
        return []
    text = _OTHERS.sub(" ", text)
    given = within(scale, given_in(ANY.finditer(text)))
    if len(given) > 1 or any(math.isnan(value) for value, _ in given):
        return given
    return given_in(_LOOSE.finditer(text))


def _with_replacements(given: list[Given], text: str, scale: tuple[float, float]) -> list[Given]:
    """Add the values with which a later sentence may replace the rating, unless that sentence is followed by a line
    with a rating alone."""
    if (back := _REPLACED.search(text)) is None or any(map(_ONLY.fullmatch, back[1].splitlines()[1:])):
        return given
    values = given_in(found for pattern in (ANY, _LOOSE) for found in pattern.finditer(back[1]))
    return [*dict.fromkeys((*given, *within(scale, values)))]


_REPLACED = re.compile(
    rf"(?:^|[.!?…–—-] )\W{{0,4}}(?:no,? )?{RETRACTION.pattern}(.*)", re.IGNORECASE | re.MULTILINE | re.DOTALL
)
