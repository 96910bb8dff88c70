"""Remove from an answer the numbers that are not the rating: titles, years, the scale, what others gave, and so on."""

from __future__ import annotations

import re
from itertools import islice

from llmrank.answers.formats.rating_numbers import (
    ANY,
    DIGITS,
    END,
    NUMBER,
    RANGE_MARK,
    STARS,
    VALUES,
    WORDS,
    digits,
    number_of,
)
from llmrank.answers.items.title import without_titles
from llmrank.answers.text.normalise import caseless
from llmrank.answers.text.predictions import USER
from llmrank.types import Question

LISTED = re.compile(r"^\W{0,4}(\d{1,2})[.)] (?=[^\W\d])", re.MULTILINE)
"""The number of a point in a list of reasons."""


def without_other_numbers(text: str, question: Question) -> str:
    """Return the text without titles, years and mentions of the scale. Every other range is replaced by a mark."""
    low, high = question.scale
    text = _POINT.sub(lambda found: f"{VALUES[found[1].lower()]}.{VALUES[found[2].lower()]}", text)
    text = _ON_SCALE.sub(r"\1/\2", text)
    text = _OUT_OF.sub(lambda found: "" if float(found[1]) == high else f" /{found[1]}", text)
    text = _STARS_BEHIND.sub(r" \1 stars", text)
    text = _HALF_STARS.sub(lambda found: f" {VALUES[found[1]]}.5{found[2]}", text)
    text = _COUNTED_STARS.sub(lambda found: f" {VALUES[found[1]]}", text)
    text = _FULL_MARKS.sub(lambda found: " " if number_of(found[1] or found[2]) == high else found[0], text)
    text = _HALF_BEHIND.sub(r"\2 \1", _STAR_BEFORE.sub(r"\1 stars ", text))
    text = _SYMBOLS.sub(_star_count, without_titles(text, question.items, " "))
    text = _SCALE.sub(lambda found: " " if float(found[1]) == high else found[0], _OF_TITLE.sub("", text))

    def mark(found: re.Match[str]) -> str:
        ends = number_of(found["value"]), number_of(found["until"])
        return " " if ends[0] <= low and ends[1] == high else RANGE_MARK

    text = _CORRECTS.sub("", text)
    text = _SHARES.sub("", text) if len(_SHARES.findall(text)) > 2 else text
    aside = _ASIDE.sub(" ", text)
    text = aside if ANY.search(aside) else text
    text = "\n".join(" ".join(line.split()) for line in _NO_RATING.sub(" ", text).splitlines())
    text = _OFF.sub(f"{RANGE_MARK} ", _WORD_RANGE.sub(f"{RANGE_MARK} ", text))
    if [number[1] for number in islice(LISTED.finditer(text), 2)] == ["1", "2"]:
        text = LISTED.sub("", text)
    return _BOUND.sub(RANGE_MARK, _RANGE_IN_ASIA.sub(RANGE_MARK, _RANGE.sub(mark, text)))


def rated_beside(text: str) -> list[float]:
    """Return the ratings that remarks in parentheses give for the user: `5 stars! (They hate it: 1 star.)`."""
    return [number_of(one[1]) for one in _RATED.finditer(text)]


_RATED = caseless(
    rf"\((?:they|he|she|(?:the|this) {USER}|actual\w*|real\w*|truth)\b[^()\d\n]{{0,60}}[:=] ?({NUMBER})(?:/\d{{1,2}}"
    rf"| ?(?:{STARS}))?\W{{0,3}}\)"
)
_BOUND = caseless(
    rf"(?:^\W*|\b(?:no|not|it|this) )(?:less|more|lower|higher|greater) than {DIGITS}"
    rf"|(?m:^\W{{0,4}})(?:minimum|maximum|below|above|under|over|almost|nearly|barely"
    rf"|not(?: quite| exactly)?|at (?:least|most)) {digits('bound')}|(?:<|(?<=: )>) ?{digits('least')}"
)
"""`less than 4`, `<3`, `Rating: ≥ 4` (whose sign is a plain `>` here)"""
_WORD_RANGE = caseless(rf"\b(?:{'|'.join(WORDS)})(?: ?[-–—] ?| (?:to|or|and) )(?:{'|'.join(WORDS)})\b(?! a half)")
_SYMBOLS = re.compile(r"[★⭐🌟]++(½)?☆*+")
_RANGE = caseless(
    rf"{DIGITS}(?: ?[-–—~] ?|-to-| (?:to|or|and|bis|oder|und|à|ou|et|a|o|y|или) (?:an? )?)(?P<until>{NUMBER})"
    rf"(?:{END}|(?=[星点分점]))"
)
_RANGE_IN_ASIA = re.compile(r"(?<![\d.])[0-5] ?(?:到|至|或者?|から|か|에서|〜) ?[1-5](?![\d.])")
_OFF = caseless(
    r"[扣减減] ?[\d一二三四五] ?[分星]",
    rf"\b(?:an?|half an?|\d|{'|'.join(WORDS)}) (?:star|point)s? (?:off|less|short|below|under|above"
    r"|over|more|higher|lower)\b",
)
"""`one star off a perfect five`, `扣1星`"""
_NO_RATING = caseless(
    r"(?m:(?:^|[,;(])\W{0,4}(?:(?:(?:the )?user(?:['’]s)?|their) )?(?:confidence|certainty|scale"
    r"|(?:average|mean|last|previous|number)\b[^:\n]{0,40})\W{0,3}: ?\d(?:[.,]\d+)?(?! ?[-–]))",
    r"(?:(?-i:\b(?!(?:Rating|Score|Answer|Prediction|Estimate|Predict|Final)\b)[A-Z])\w{2,30} \d{1,4} )?"
    r"[(\[](?:18|19|20)\d\d(?:[-–]\d{0,4})?[)\]]|\b\d+[- ](?:point|star) (?:rating )?(?:scale|system|house|hotel"
    r"|resort|property|restaurant)\b|\bscale of \d+\b(?! ?(?:to|-|–|and))|[*_`]",
    r"\b(?:averag(?:e|es|ed|ing)|mean)(?: (?:rating|score|stars)s?)?(?: (?:on|for|of|by|over|across) (?:(?:the|their"
    r"|this|\d+) )?\w{1,20})?(?: (?:is|of|was|being|at|about|around|out at)){1,2} \d(?:[.,]\d+)?|\b(?:ratings?"
    r"|scores?) (?:\w+ly )?averag(?:e|es|ed) (?:about )?\d(?:[.,]\d+)?"
    r"|\bim (?:schnitt|durchschnitt)(?: bei)? \d(?:[.,]\d+)?",
    rf"(?:\b(?:rather than|instead of)|(?<=\d) than|(?<=\d), not|(?<=\d) als|(?<=\d) que"
    rf"|\bnot(?= [^.,;]{{1,9}},? but\b)) (?:an? |eine? |une? |una )?{NUMBER}(?![\w%])",
    rf"\b{USER} \d{{1,6}}(?= ?:)",
    r"\bhow many (?:stars|points)\b[^?\n]{0,80}\?|\b(?:has|holds) \d(?:[.,]\d)? (?:stars?|points) on\b[^.;,\n]*",
    r"(?<=\w) ?\(\d ?(?:[-–]|to) ?\d{1,2}\)(?= ?:)",
    rf"\bat (?:least|most) (?:an? )?{NUMBER}(?=,? (?:(?:most|more) likely|likely|probably)\b)",
    rf"(?<![\d.,]){NUMBER}(?: stars?)? if (?:it|they|he|she|the {USER}) "
    r"(?:were|was|had been|did|liked|loved|enjoyed)\b[^.,;!\n]{0,80}",
    r"\b(?:part|chapter|episode|season|volume|vol\.|book|act) \d\b(?!/| (?:out )?of\b)",
    rf"\b(?:\d|{'|'.join(WORDS)}) (?:out )?of (?:(?:the(?:ir)?|every) )?(?:\d{{1,3}}|{'|'.join(WORDS)})"
    r" (?:films|movies|books|games|items|products|series|titles|songs|users|people|viewers|readers|fans"
    r"|critics|reviewers|customers|friends|reasons|times)\b|(?:±|\+/-) ?\d(?:\.\d{1,2})?",
    r"\bi(?:['’]d| would)? need\b[^.\n]*|不(?:给|打|会给|能给)\D{0,4}\d ?[分星]",
    r"\bi(?:['’]d| would) (?:love|like|have liked) to (?:say|give|rate)\b[^.;\n]{1,60}?(?=,? but\b)",
    r"\bno(?: one|body) (?:would|will|could) (?:give|rate|call)\b[^.;\n]*",
    rf"\b(?:not (?:quite |really |exactly )?an?|(?:is|['’]s) no) (?:\d|{'|'.join(WORDS)})[ -]star\b",
    rf"\b(?:not (?:quite |really |exactly )?an?|(?:definitely|certainly|surely) not"
    rf"|would(?:n['’]t| not) (?:put|rate|score|give)"
    rf" (?:it|this)(?: at)?(?: an?)?|(?:no diría(?: que)?|ne dirais pas|würde nicht sagen|non direi"
    rf"|não diria)(?: eine?| un[ae]?| uma?)?) {DIGITS}",
)
"""Numbers that are not the rating: `Confidence: 4`, `(1995)`, `a scale of 10`, `their ratings average 4.1`, `at least a
4, most likely 4.5`, `a 4 if it were shorter`, `part 2`, `4 of 5 films`, `I'd need to know 3 books`, `I'd love to say 5,
but`, `not quite a 4`."""
_SHARES = re.compile(
    r"^\W{0,4}\d(?:\.5)?(?: stars?)? ?[:=–-] ?\d{1,3}(?:\.\d{1,3})? ?%\W{0,3}$", re.MULTILINE | re.IGNORECASE
)
"""`4: 50%`, a line of a distribution over the ratings."""
_CORRECTS = re.compile(
    rf"{NUMBER}(?: stars?)?(?:[,;!…–—-]| ?\.{{2,3}}|\.(?= (?:no,? wait|wait,? no)\b))[ ,]{{0,3}}(?:wait,? )?(?:no"
    rf"|nope)\b[ ,:.–—-]{{1,3}}(?:"
    rf"(?:wait|actually|rather"
    rf"|make (?:that|it))\b[ ,:.–—-]{{1,3}})?(?=(?:an? )?{NUMBER}(?:{END}))",
    re.IGNORECASE,
)
"""`3, no, 4`"""
_ASIDE = re.compile(r"\((?:[^\s()]+ ){3,60}[^\s()]+\)")
"""A remark in parentheses, which may hold other numbers than the rating before it."""


_SCALE = caseless(
    r"\b(?:on|auf) (?:a|an|the|einer|der) (?:scale|skala) (?:of|from|von) \d (?:to|bis|-|–) (\d{1,3})\b(?:"
    r" ?\([^()\n]{1,80}\)|, where [^.,\n]{1,100},)"
)
"""`On a scale from 1 to 5, where 5 means love,`"""
_OF_TITLE = re.compile(r"(?<=\brating) for [^:.\n]{1,80}(?=: ?[*_]{0,3}(?:\d|[a-z]{3,5}\b))")
"""`Predicted rating for 8½: 3`"""
_POINT = caseless(rf"\b({'|'.join(WORDS)}) point ({'|'.join(WORDS)})\b")
"""`four point five`"""
_ON_SCALE = caseless(
    rf"(?<![\d.,/])({NUMBER})(?: stars?)? on (?:the|a|your|this) (?:0|1|0\.5) ?(?:-|–|to) ?(\d{{1,3}}) "
    rf"(?:star )?scale\b"
)
"""`4 on the 1-5 scale`"""
_OUT_OF = caseless(r" ?\((?:out of|of|von|sur|su|max\.?) ?(\d{1,3})\)")
_STARS_BEHIND = re.compile(r"星 ?(\d(?:\.5)?)つ")
_HALF_STARS = re.compile(r"([一二三四五])[颗顆个個]?([分星])半")
"""`三星半`"""
_COUNTED_STARS = re.compile(
    r"(?<!满分)(?<!滿分)(?<![十百千满滿到少多高低差加一二三四五\d])(?<![一二三四五]、)([一二三四五])(?:[颗顆个個]"
    r"(?=星)|(?=[分星](?:\W|$|左右|吧)))"
)
"""`三颗星`, `四分`, but not `少一分` (one point less) or `三四分` (three or four)."""
_STAR_BEFORE = re.compile(r"(?<![★⭐🌟])[★⭐🌟] ?(\d(?:[.,]\d)?)(?![\d.,])")
"""`★3.5`"""
_HALF_BEHIND = caseless(r"\b(étoiles?|estrell?as?|stelle)( et demie?| y media| e mezza| e meia)\b")
"""`trois étoiles et demie`"""
_FULL_MARKS = re.compile(
    r"(?:满分|滿分) ?(\d{1,3}|五) ?[分星]|\b(\d{1,3})(?: ?(?:[点點]満点|점 ?만점)(?:에서|에|중|中|で)?| üzerinden| "
    r"(?:puan|yıldız)"
    r" üzerinden)"
)
"""`5점 만점에` (out of five points) gives the top of the scale, not a rating."""
_UNIT_BEFORE = caseless(rf"\d ?(?:/ ?\d+ ?)?(?:{STARS})\W{{0,3}}$")
"""`4 Sterne ⭐`"""


def _star_count(stars: re.Match[str]) -> str:
    """Return stars as their number. A single star after a number is its unit (`4.5 ★`)."""
    count = len(stars[0].rstrip("½☆")) + (0.5 if stars[1] else 0)
    is_unit = count == 1 and stars.string[max(0, stars.start() - 2) : stars.start()].rstrip()[-1:].isdigit()
    if is_unit:
        return stars[0]
    decorates = count == 1 and _UNIT_BEFORE.search(stars.string[max(0, stars.start() - 20) : stars.start()])
    return "" if decorates else f" {count:g} stars"
