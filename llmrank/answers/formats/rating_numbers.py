"""Numbers in an answer that may be a rating: digits, halves, words in several languages, and the units of ratings."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from llmrank.answers.text.lines import CARDINALS
from llmrank.answers.text.normalise import EAST_ASIAN, caseless

RANGE_MARK = "\x00"
"""Stands for a range (`3 to 4`) in a text."""
WORDS = ("zero", *CARDINALS)
_FOREIGN = (
    ("eins", "un", "uno", "um", "一", "один"),
    ("zwei", "deux", "dos", "due", "dois", "二", "два"),
    ("drei", "trois", "tres", "tre", "três", "三", "три"),
    ("vier", "quatre", "cuatro", "quattro", "quatro", "四", "четыре"),
    ("fünf", "cinq", "cinco", "cinque", "五", "пять"),
)
VALUES = {word: at for at, words in enumerate(_FOREIGN, 1) for word in words} | {
    word: at for at, word in enumerate(WORDS)
}
NUMBER = r"\d{1,6}(?:[.,]\d{1,3})?(?: ?½| 1/2)?"
END = r"(?!\w| ?%|[.,]\d|:\d)"
"""What may not follow a number."""
_ENDS_UNIT = rf"(?!(?-i:[^\W{EAST_ASIAN}])|[钟鐘期の之间間後后半]| ?(?:이상|이하|以上|以下)|대(?![가-힣]))"
STARS = (
    r"stars?|sterne?n?|étoiles?|estrell?as?|stelle|sterren|gwiazd\w{0,4}|звезд\w{0,2}|балл\w{0,3}|[颗顆个個つ]星|[★⭐🌟星点分점]"
    r"|points?|pts|punkte?n?"
)


def digits(group: str = "value") -> str:
    """Return the pattern of a number in digits, or of the mark of a range, in a group of this name."""
    return (
        rf"(?<![.,/])(?<!(?-i:[^\W{EAST_ASIAN}]))(?P<{group}>{RANGE_MARK}|[-−]?{NUMBER})"
        rf"(?:{END}|(?=[星点分점くぐ程ほ]|つ星|です|でしょう))"
    )


def in_words(group: str = "value") -> str:
    """Return the pattern of a number in English words that is no pronoun or article, in a group of this name."""
    return (
        r"\b(?<!this )(?<!that )(?<!those )(?<!these )(?<!which )(?<!good )(?<!great )(?<!no )(?<!the (?=one\b))"
        rf"(?P<{group}>(?:{'|'.join(WORDS)})(?: and a half)?)\b"
    )


def either(words: str = "word") -> str:
    """Return the pattern of a number in digits (group `value`) or in English words (group `words`)."""
    return rf"(?:{digits()}|{in_words(words)})"


DIGITS = digits()
EITHER = either()
EITHER_ALONE = (
    rf"(?:{DIGITS}|\b(?P<word>(?:{'|'.join(VALUES)})(?: and a half| et demie?| y medi[ao]| e mezz[oa]| e mei[ao])?)"
    r"(?!\w|(?<=[一二三四五])\B[^星点分점]))"
)
"""A number that stands alone, where a word of any language may be one."""
UNIT = (
    rf"(?: ?(?:/|out of|of|von|sur|sobre|de|su|из|van|من) ?(?P<of>\d{{1,3}}|five|ten"
    rf"|{'|'.join(_FOREIGN[4])})(?:\.0)?(?![\w/]|\.\d)(?: ?(?:{STARS}){_ENDS_UNIT})?|[ -]?(?:{STARS}){_ENDS_UNIT})"
)
LEAD = (
    r"(?:my|the|short|most likely|likeliest|final|predicted|expected|estimated|user|overall|rating|score|answer"
    r"|prediction|response|is|of|bewertung|note"
    r"|nota|calificación|puntuación|valutazione|voto|evaluation|évaluation|estimate|评分|評分|得分|оценка|評価|평점)"
)
"""Words that may stand before a rating on its line."""
ANY = caseless(rf"{DIGITS}{UNIT}?")
Given = tuple[float, float | None]
"""A value (nan for a range) and its denominator, if one is given."""


def within(scale: tuple[float, float], values: Iterable[Given]) -> list[Given]:
    """Return the values on the scale, and all ranges."""
    return [one for one in values if math.isnan(one[0]) or scale[0] <= one[0] <= scale[1]]


def given_in(matches: Iterable[re.Match[str]]) -> list[Given]:
    """Return the different values of matches, in order; `4` and `4/5` are one."""
    found: dict[Given, None] = {}
    for match in matches:
        groups = match.groupdict()
        of = groups.get("of")
        value = next(text for name, text in groups.items() if text and name != "of")
        found[number_of(value), number_of(of) if of else None] = None
    values = list(found)
    # nan is not equal to itself and must not be counted twice.
    known = dict(sorted(values, key=lambda one: one[1] is not None))
    return [(value, known[value]) for value in dict.fromkeys(value for value, _ in values)]


_HALF = caseless(r"(?:½| 1/2|half|demie?|medi[ao]|mezz[oa]|mei[ao])$")


def number_of(text: str) -> float:
    """Return the value of a number as it is written; nan for a range."""
    if text == RANGE_MARK:
        return math.nan
    half = 0.5 if _HALF.search(text) else 0.0
    first = re.split(r"(?<=.)[ ½]", text.casefold().replace("−", "-").replace(",", "."), maxsplit=1)[0]
    return VALUES[first] + half if first in VALUES else float(first) + half
