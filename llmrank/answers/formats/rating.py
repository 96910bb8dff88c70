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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from llmrank.answers.items.title import without_titles
from llmrank.answers.outcome import (
    NEXT_ITEM,
    RETRACTION,
    TAKEN_BACK,
    TextFormat,
    answered,
    before_next_question,
    declines,
    is_refusal,
    looks_like_error,
    unparsed,
    without_remarks,
)
from llmrank.answers.text.lines import CARDINALS
from llmrank.answers.text.normalise import EAST_ASIAN, SHORT, caseless, plain_text
from llmrank.answers.text.predictions import USER
from llmrank.types import Answer, Question, Response, Structured

_RANGE_MARK = "\x00"
_WORDS = ("zero", *CARDINALS)
_FOREIGN = (
    ("eins", "un", "uno", "um", "一", "один"),
    ("zwei", "deux", "dos", "due", "dois", "二", "два"),
    ("drei", "trois", "tres", "tre", "três", "三", "три"),
    ("vier", "quatre", "cuatro", "quattro", "quatro", "四", "четыре"),
    ("fünf", "cinq", "cinco", "cinque", "五", "пять"),
)
_VALUES = {word: at for at, words in enumerate(_FOREIGN, 1) for word in words} | {
    word: at for at, word in enumerate(_WORDS)
}
_NUMBER = r"\d{1,6}(?:[.,]\d{1,3})?(?: ?½| 1/2)?"
_END = r"(?!\w| ?%|[.,]\d|:\d)"
_ENDS_UNIT = rf"(?!(?-i:[^\W{EAST_ASIAN}])|[钟鐘期の之间間後后半]| ?(?:이상|이하|以上|以下)|대(?![가-힣]))"
_STARS = (
    r"stars?|sterne?n?|étoiles?|estrell?as?|stelle|sterren|gwiazd\w{0,4}|звезд\w{0,2}|балл\w{0,3}|[颗顆个個つ]星|[★⭐🌟星点分점]"
    r"|points?|pts|punkte?n?"
)
_DIGITS = (
    rf"(?<![.,/])(?<!(?-i:[^\W{EAST_ASIAN}]))(?P<value>{_RANGE_MARK}|[-−]?{_NUMBER})"
    rf"(?:{_END}|(?=[星点分점くぐ程ほ]|つ星|です|でしょう))"
)
_WORD = (
    r"\b(?<!this )(?<!that )(?<!those )(?<!these )(?<!which )(?<!good )(?<!great )(?<!no )(?<!the (?=one\b))"
    rf"(?P<value>(?:{'|'.join(_WORDS)})(?: and a half)?)\b"
)
_ALONE = (
    rf"\b(?P<word>(?:{'|'.join(_VALUES)})(?: and a half| et demie?| y medi[ao]| e mezz[oa]| e mei[ao])?)"
    r"(?!\w|(?<=[一二三四五])\B[^星点分점])"
)
_EITHER = rf"(?:{_DIGITS}|{_WORD.replace('value', 'word')})"
_EITHER_ALONE = rf"(?:{_DIGITS}|{_ALONE})"
_UNIT = (
    rf"(?: ?(?:/|out of|of|von|sur|sobre|de|su|из|van|من) ?(?P<of>\d{{1,3}}|five|ten"
    rf"|{'|'.join(_FOREIGN[4])})(?:\.0)?(?![\w/]|\.\d)(?: ?(?:{_STARS}){_ENDS_UNIT})?|[ -]?(?:{_STARS}){_ENDS_UNIT})"
)
_LEAD = (
    r"(?:my|the|short|most likely|likeliest|final|predicted|expected|estimated|user|overall|rating|score|answer"
    r"|prediction|response|is|of|bewertung|note"
    r"|nota|calificación|puntuación|valutazione|voto|evaluation|évaluation|estimate|评分|評分|得分|оценка|評価|평점)"
)

_EDGE = rf"[^\w{_RANGE_MARK}−-]*+"
_ONLY = caseless(rf"{_EDGE}(?:{_LEAD}\b{_EDGE})*+{_EITHER_ALONE}{_UNIT}?(?:です|だと思います|でしょう)?\W*+")
_BEGINS = caseless(
    rf"{_EDGE}{_EITHER}{_UNIT}?(?: ?[.,;:!(\n]| [-–—]| (?:because|since|as)\b)(?! ?[A-Z]\w+ (?:[A-Z]\w+ )?requests)"
)
_LIST_LINE = caseless(rf"\W*+\d{{1,2}}[.)] .* ?[:=→–—-] ?{_DIGITS}{_UNIT}?\W*+")
_NAME = (
    r"\b(?:ratings?|scores?|rate(?! limit)|predict(?:ion|ed|s)?|estimate[ds]?|answer|response|give|say"
    r"|assign|gets|get(?= an? )|go with|bewertung|note|calific\w*)\b"
)
_NAMED = (
    caseless(rf"{_NAME}[^\d.!?\n{_RANGE_MARK}]{{0,60}}?{_DIGITS}{_UNIT}?"),
    caseless(
        rf"{_NAME}(?: for(?: it| this)?)?(?: would be| is| ?:)?(?: it)?(?: an?)?(?: solid| strong| firm"
        rf"| clear)? {_WORD}{_UNIT}?"
    ),
    caseless(
        rf"\b(?:diría(?: que)?|direi|dirais|diria|würde (?:ich )?sagen:?)"
        rf"(?: eine?| un[ae]?| uma?)? {_DIGITS}{_UNIT}?(?=[.,;]|$)(?!,? (?:o|ou|oder)\b)"
    ),
    re.compile(
        rf"^(?:[^\s:=→]{{1,30}} ){{0,3}}[^\s:=→]{{0,30}} ?[:=→-] ?{_DIGITS}{_UNIT}?[^\w\n]*+$",
        re.IGNORECASE | re.MULTILINE,
    ),
)
_PREDICTED = caseless(
    rf"(?:\b(?:predicted|final|expected|estimated) (?:rating|score"
    rf"|prediction)|\bprediction(?= ?[:=])|予[測想]評価)(?:[^\d.!?\n{_RANGE_MARK}]{{0,40}}?{_DIGITS}{_UNIT}?"
    rf"|[:= *_]{{1,5}}{_WORD.replace('value', 'word')}(?=[*_]{{0,3}}(?:[.,!\n]|$)))"
)
_OPENS = caseless(
    rf"^\W*(?:but )?(?:(?:vermutlich|wahrscheinlich|wohl|probablement|probabilmente|probablemente|provavelmente"
    rf"|наверное|вероятно|je dirais|diría|direi|ich schätze|le (?:pondría|daría)"
    rf"|ich würde sagen),?(?: (?:nur|eher|seulement|solo|solamente|só))?(?: (?:eine?|un[ae]?|uma?))?"
    rf"|(?:(?:most )?(?:probably|likely)|maybe|perhaps|my guess(?: is|:)|i(?:['’]d| would) (?:say|guess|predict))"
    rf"(?: an?)?|(?:(?:certainly|definitely|surely) )?an? (?:very )?(?:solid|full|strong|clear|safe|easy"
    rf"|perfect|weak|generous)) {_EITHER}{_UNIT}?"
    rf"(?: ?[.!:](?= |$)|,? (?:as|because|since|from|given|weil|da|denn|car|parce|porque|perché)\b)"
)
"""How a text may begin: `Probably a two.`"""
_CONCLUDES = caseless(
    rf"\b(?:final (?:answer|rating|score|prediction|verdict)(?: is)?|overall|as it (?:is|stands)|so|therefore"
    rf"|thus|hence|(?:so )?i(?:['’](?:m|d"
    rf"|ll)| am| would| will) (?:(?:go(?:ing)?|stick(?:ing)?) with|say|guess|expect)|but i think"
    rf"|but for (?:them|him|her|(?:the|this) {USER})|(?:go|come) down to|(?:lower|rais|dropp?|bump|revis)(?:e?s?|ing)?"
    rf" (?:it|that|this) (?:up |down )?to)[ ,:=]{{1,3}}(?:an? |it a )?{_EITHER}{_UNIT}?"
    r"(?: for (?:this(?: one)?|it))?[\W_]*$"
)
"""How a text may end: `so final answer: 4`, `I'd lower that to 4`."""
_LAST_SENTENCE = caseless(
    rf"(?<!i\.e)[.!?;] (?:(?:easily|clearly|definitely|probably) )?(?:an? )?(?:{_DIGITS}{_UNIT}?"
    rf"|{_WORD.replace('value', 'scaled')} (?:{_STARS}))[\W_]*$"
    rf"|(?:(?-i:\b[a-z][\w'’-]{{0,30}})|\d) ?[:,–—] (?:so )?an? (?:solid|strong|firm|clear|safe|weak"
    rf"|comfortable) {_DIGITS.replace('value', 'word')}[\W_]*$"
    rf"|[^\W\d](?<!rating)(?<!score)(?<!answer)(?<!confidence): {_DIGITS.replace('value', 'lands')}[\W_]*$"
)
"""How a text may end: `… closer to the former. 4.`, `… Two stars.`, `something in between: 4.5`"""
_LEAVES = caseless(
    r"\b(?:(?:that|which|this) (?:leaves|makes|comes to|lands at|brings)(?: it| me| us)?(?: at| with| to)?(?: an?)?"
    rf"|also|bleiben|bleibt|macht|ergibt|il reste|quedan|restano) {_DIGITS}{_UNIT}?[\W_]*$"
)
"""How a text ends that adds up: `That leaves 3.5.`"""
_EXPECTS = caseless(
    rf"\b(?:will|would|should) (?:probably |likely )?(?:land|come in"
    rf"|end up) (?:at|around|near) (?:around |about |roughly )?(?:an? )?{_DIGITS.replace('value', 'word')}|"
    rf"\bi(?:['’]d| would)? expect (?:(?:this|it)(?: one)? )?to (?:land|come in|be|get|score|end up)(?: at"
    rf"| around)?(?: an?)? {_DIGITS.replace('value', 'lands')}|"
    rf"\bi(?:['’]d| would)? expect (?:about |roughly )?(?:an? {_DIGITS}(?![-–]\w)"
    rf"|{_DIGITS.replace('value', 'scaled')}{_UNIT})"
)
_FEELS = caseless(
    rf"{_DIGITS.replace('value', 'guessed')} (?:is|would be) (?:my|the (?:most likely|likeliest))"
    r" (?:guess|prediction|estimate|rating|answer|bet)\b"
    rf"(?! for (?!this|them|the {USER}))",
    rf"\bi(?:['’]d| would|['’]ll) (?:put|place|rate|score) (?:(?:it|this|that) )?(?:right in between, )?(?:at"
    rf"|around) (?:an? )?{_DIGITS.replace('value', 'put')}",
    rf"(?:\ban? |(?<=, )|(?:^|(?<=[.!?] ))){_DIGITS}(?: stars?)? (?:feels|seems|sounds|is) (?:about |just "
    rf"|more )?(?:right|fair|reasonable|likely|realistic)(?=[.,;!]|$"
    rf"| (?:for(?= (?:this|them|the {USER})\b| ?[.,;!]| ?$)|given|here|to me|because|since|as)\b)"
    r"(?!, (?:an? |or |maybe )[^.!?\n]{0,40}\d)",
)
"""`4 is my guess`, `I'd put it at 4`, `A 4 feels about right`"""
_IT_IS = caseless(
    r"\b(?:it|this(?: one)?|that)(?: is|['’]s| would be| will be| deserves| gets) (?:(?:probably|likely"
    r"|clearly) )?an? (?:\w+ )?"
    rf"{_DIGITS}{_UNIT}?(?=[.,;!]|$| (?:for me|because|since|as)\b)(?!, (?:an? |or |maybe )[^.!?\n]{{0,40}}\d)"
)
_SINCE = caseless(
    r"(?:^|(?<=[.!?] ))(?:because|since|given|based on|considering|as) [^.!?\n]{1,200}, (?:an? |about )?"
    rf"{_DIGITS}{_UNIT}?(?=[.!]|$)"
)
"""`This one is a 3.`, `Because they liked 2 similar films, 4.`"""
_AS_NOUN = caseless(
    rf"\ban? (?:\w+ )?{_EITHER.replace('word', 'put')} (?:at (?:best|most)|(?:from|for) (?:them|(?:this|the"
    rf"|an?) {USER}))\b",
    rf"\b(?:würde|dürfte)\b[^.!?\n\d]{{0,60}}\b(?:eine )?{_DIGITS.replace('value', 'word')}{_UNIT}?"
    r" (?:vergeben|geben|vorhersagen|erwarten|schätzen|bewerten|tippen)\b",
    rf"\beine {_DIGITS.replace('value', 'lands')} (?:vergeben|geben) (?:würde|dürfte)\b",
    rf"\b(?:donnerait|mettrait|daría|pondría|daria|darebbe|metterebbe)\b[^.!?\n\d]{{0,40}} (?:un[ae]?|uma?)"
    rf" {_DIGITS.replace('value', 'scaled')}",
)
"""`so a 2 at best`, `dass der Nutzer hier eine 4,5 vergeben würde`"""
_GIVES = caseless(
    rf"\b(?:gives(?: (?:it|this(?: one)?))?|lands? at|comes? in at|earns?) an? (?:\w+ )?"
    rf"{_EITHER.replace('word', 'put')}{_UNIT}?(?=[.,;!]|$| (?:because|since|given|as\b(?! a))| from (?:this|them|the"
    rf" {USER}))",
    r"\b(?:will|would|should) (?:(?:most|very) )?(?:likely |probably )?(?:get|earn|receive|score) an?"
    rf" {_DIGITS.replace('value', 'word')}(?=[.,;!]|$| (?:as well|too|from (?:this|them|the {USER})))",
    rf"{_DIGITS.replace('value', 'lands')} ?[点點分](?:くらい|程度)?と予[想測]",
    rf"会给[^。，,.\n]{{0,20}}打 ?{_DIGITS.replace('value', 'scaled')} ?分",
)
"""`lands at a four`, `so this will most likely get a 5 as well`"""
_OFTEN = caseless(
    r"\b(?:if|unless|not|n['’]t|never|usually|typically|normally|often|always|sometimes|critics?|most|others?|rarely"
    r"|hardly|average|imdb|might|may|could|every|any)\b(?! likely)"
)
_ESTIMATES = caseless(
    r"\b(?:schätze|erwarte|vermute|prognostiziere) ich (?:(?:daher|also|somit|deshalb|auf|etwa|rund|eher) ){0,3}"
    rf"{_DIGITS}{_UNIT}"
)
"""`Daher schätze ich 3,5 von 5 Sternen`"""
_CHANGED = caseless(
    r"\bi(?:['’](?:d|m|ll)| would| am| will)(?: \w+)? (?:go|com|lower|rais|dropp?|bump|bring|revis|chang|updat"
    r"|adjust)(?:e|ing)?(?: (?:it|that|this|my (?:prediction|rating|estimate|score)))?"
    rf"(?: up| down)? to (?:an? )?{_DIGITS}{_UNIT}?[\W_]*$"
)
"""The end of a text that changes its first rating: `I'd lower that to 4`."""
_CONVERTED = caseless(
    r"(?<![\w.])\d{1,3} ?(?:/|out of) ?\d{1,3}\b[^.!?\n]{0,60}\b(?:(?:correspond|translat|equat|convert|map)\w{0,3}"
    rf"|(?:com|work)(?:es?|s|ing)(?: out)?) (?:to|at) (?:an? |about )?{_DIGITS}(?! ?(?:/|out of))"
    r"|\b(?:mapped|converted|translated|scaled) (?:on ?)?to (?:the|your)\b[^!?\n]{0,30}\bscale\b[^!?\n]{0,60}"
    r"(?:\bis|\bgives|\bbecomes|=|:)"
    rf" (?:an? |about )?[*_]{{0,3}}{_DIGITS.replace('value', 'scaled')}(?! ?(?:/|out of))"
    rf"|\b(?:so|i\.e\.|that is|which is),? (?:an? )?{_DIGITS.replace('value', 'lands')}(?: ?(?:/|out of) ?\d{{1,2}})?"
    r" on (?:your|the|this) [^.!?\n]{0,20}\bscale\b"
)
"""`8/10, which corresponds to a 4 on your scale`"""
_ON_SCALE = caseless(
    rf"\bwhich (?:makes|is|gives|means)(?: it)?(?: an?)? {_DIGITS.replace('value', 'scaled')} on (?:your|the|this)\b"
    r"[^.!?\n]{0,20}\bscale\b",
    rf"\bwhich,? on (?:the|your)\b[^!?\n]{{0,30}}\bscale,? (?:is|gives|becomes) (?:an? |about )?[*_]{{0,3}}{_DIGITS}"
    r"(?! ?(?:/|out of))",
)
"""`an 8, which makes 4 on your scale`, `an 8/10, which on your scale is a 4`"""
_LEANS = caseless(
    rf"(?:\bi(?:['’](?:d|m|ll)| would| am| will)(?: \w+)?|,) (?:lean(?:ing)? towards?|settl(?:e|ing) (?:on"
    rf"|for)) (?:an? )?{_DIGITS}"
)
"""`Probably a 4 or a 5. I'd lean towards 5`"""
_NOT_SO = caseless(r"\b(?:if|unless|not)\b")
_MADE = caseless(
    rf"(?<=[.!?] )(?:corrected|revised|updated|new|final) (?:rating|score|prediction|estimate)(?: is|:) "
    rf"{_DIGITS.replace('value', 'revised')}[\W_]*$",
    rf"\bmake (?:that|it) (?:an? )?{_EITHER_ALONE}{_UNIT}?[\W_]*$|\b(?:rating|score|prediction) ?= ?[^\n=]{{1,80}}"
    rf" = {_DIGITS.replace('value', 'lands')}[\W_]*$",
)
"""How a text may end: `… Revised rating: 3`, `No, make that five.`, `Rating = (5 + 4 + 3) / 3 = 4`"""
_FINAL = caseless(
    r"\b(?:final (?:rating|score|note)|(?:nota|note|calificación|puntuación|valutazione) final[ei]?"
    r"|endgültige (?:bewertung|note))"
    rf"(?: is)?[\s:=*_]{{1,6}}{_DIGITS}"
)
"""`Nota: 4 … Nota final: 2,5`"""
_CORRECTED = caseless(
    rf"\W{{0,9}}(?:(?:my )?(?:corrected|revised|updated|final) (?:rating|score|answer|prediction|estimate)"
    rf"(?: for\b[^:\n]{{0,80}})?|edit)\W{{1,6}}{_DIGITS}{_UNIT}?\W{{0,9}}(?:\([^()\n]{{0,80}}\)\W{{0,9}})?"
)
"""A line after a first guess: `Corrected rating: 5`."""
_OTHER_WAY = caseless(
    r"\b1 (?:is |being |= ?|as |the )(?:the )?best\b(?!-)|\b5 (?:is |being |= ?|as |the )(?:the )?worst\b(?!-)"
)
"""Words that reverse the scale, or ask whether it is reversed."""
_OPEN_RANGE = caseless(
    r"\bi(?:['’]d| would|['’]ll| will) (?:\w+ )?(?:place|put|say|guess|estimate|rate|give|expect|predict)\b"
    rf"[^.!?\n\d]{{0,40}}{_RANGE_MARK}",
    rf"\b(?:probably|likely|somewhere)\b[^.!?\n\d]{{0,30}}{_RANGE_MARK}",
)
"""`I'd place it between 3 and 4`"""
_BOUND = caseless(
    rf"(?:^\W*|\b(?:no|not|it|this) )(?:less|more|lower|higher|greater) than {_DIGITS}"
    rf"|(?m:^\W{{0,4}})(?:minimum|maximum|below|above|under|over|almost|nearly|barely"
    rf"|not(?: quite| exactly)?|at (?:least|most)) {_DIGITS.replace('value', 'bound')}"
)
_WORD_RANGE = caseless(rf"\b(?:{'|'.join(_WORDS)})(?: ?[-–—] ?| (?:to|or|and) )(?:{'|'.join(_WORDS)})\b(?! a half)")
_WORDED = caseless(rf"\b(?:give|say|rate|predict|expect)\b[^\d.!?\n]{{0,40}}?{_WORD}{_UNIT}")
"""`I'd give it two out of five`"""
_NOTE = caseless(
    r"\b(?:przewiduję|prognozuję|прогнозирую|предполагаю|prévois|prédis|dirais|donnerait|erwarte|preveo|daría"
    r"|prevedo|darei)\b[^.!?\n]{0,80}"
    rf"\b(?:note|nota|bewertung|puntuación|calificación|valutazione|voto) (?:de|von|di|da) {_EITHER_ALONE}{_UNIT}?"
)
"""`Je prévois une note de cinq étoiles`"""
_LISTED = re.compile(r"^\W{0,4}(\d{1,2})[.)] (?=[^\W\d])", re.MULTILINE)
_WITH_UNIT = caseless(rf"{_EITHER_ALONE}{_UNIT}")
_ANY = caseless(rf"{_DIGITS}{_UNIT}?")
_LOOSE = caseless(rf"{_EITHER}{_UNIT}?(?=\W{{0,9}}$|[.!]|,? (?:maybe|probably|perhaps|i (?:think|guess)|for)\b)")
_SYMBOLS = re.compile(r"[★⭐🌟]++(½)?☆*+")
_RANGE = caseless(
    rf"{_DIGITS}(?: ?[-–—~] ?|-to-| (?:to|or|and|bis|oder|und|à|ou|et|a|o|y|или) (?:an? )?)(?P<until>{_NUMBER})"
    rf"(?:{_END}|(?=[星点分점]))"
)
_RANGE_IN_ASIA = re.compile(r"(?<![\d.])[0-5] ?(?:到|至|或者?|から|か|에서|〜) ?[1-5](?![\d.])")
_OFF = caseless(
    r"[扣减減] ?[\d一二三四五] ?[分星]",
    rf"\b(?:an?|half an?|\d|{'|'.join(_WORDS)}) (?:star|point)s? (?:off|less|short|below|under|above"
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
    rf"|\bnot(?= [^.,;]{{1,9}}, but\b)) (?:an? |eine? |une? |una )?{_NUMBER}(?![\w%])",
    r"\bhow many (?:stars|points)\b[^?\n]{0,80}\?|\b(?:has|holds) \d(?:[.,]\d)? (?:stars?|points) on\b[^.;,\n]*",
    r"(?<=\w) ?\(\d ?(?:[-–]|to) ?\d{1,2}\)(?= ?:)",
    rf"\bat (?:least|most) (?:an? )?{_NUMBER}(?=,? (?:(?:most|more) likely|likely|probably)\b)",
    rf"(?<![\d.,]){_NUMBER}(?: stars?)? if (?:it|they|he|she|the {USER}) "
    r"(?:were|was|had been|did|liked|loved|enjoyed)\b[^.,;!\n]{0,80}",
    r"\b(?:part|chapter|episode|season|volume|vol\.|book|act) \d\b(?!/| (?:out )?of\b)",
    rf"\b(?:\d|{'|'.join(_WORDS)}) (?:out )?of (?:(?:the(?:ir)?|every) )?(?:\d{{1,3}}|{'|'.join(_WORDS)})"
    r" (?:films|movies|books|games|items|products|series|titles|songs|users|people|viewers|readers|fans"
    r"|critics|reviewers|customers|friends|reasons|times)\b|(?:±|\+/-) ?\d(?:\.\d{1,2})?",
    r"\bi(?:['’]d| would)? need\b[^.\n]*|不(?:给|打|会给|能给)\D{0,4}\d ?[分星]",
    r"\bi(?:['’]d| would) (?:love|like|have liked) to (?:say|give|rate)\b[^.;\n]{1,60}?(?=,? but\b)",
    r"\bno(?: one|body) (?:would|will|could) (?:give|rate|call)\b[^.;\n]*",
    rf"\b(?:not (?:quite |really |exactly )?an?|(?:is|['’]s) no) (?:\d|{'|'.join(_WORDS)})[ -]star\b",
    rf"\b(?:not (?:quite |really |exactly )?an?|(?:definitely|certainly|surely) not"
    rf"|would(?:n['’]t| not) (?:put|rate|score|give)"
    rf" (?:it|this)(?: at)?(?: an?)?|(?:no diría(?: que)?|ne dirais pas|würde nicht sagen|non direi"
    rf"|não diria)(?: eine?| un[ae]?| uma?)?) {_DIGITS}",
)
"""Numbers that are not the rating: `Confidence: 4`, `(1995)`, `a scale of 10`, `their ratings average 4.1`, `at least a
4, most likely 4.5`, `a 4 if it were shorter`, `part 2`, `4 of 5 films`, `I'd need to know 3 books`, `I'd love to say 5,
but`, `not quite a 4`."""
_OTHERS = caseless(
    r"\b(?:the user|they|he|she)(?: has| have|['’]ve)? (?:gave|given|rated|scored)\b"
    r"(?! (?:it|this))[^.;\n]*?(?=,? (?:so|but)\b|[.;\n]|$)"
    r"|\b(?:critics|reviewers|other (?:users|people|viewers|readers|players|customers)|others|most people"
    r"|imdb|metacritic|letterboxd|(?:the|their) last \w+) (?:g[ai]ves?|rated?s?|got)\b[^.;,\n]*"
    r"|에 \d점을 (?:주었|줬|매겼|준)[가-힣]*|[给給][^，。,.\n]{1,30}[打评評给給][了过過] ?\d ?[分星]"
    r"|都[给給打]了? ?\d ?[分星]"
)
"""Statements about other items, or by others: `The user gave 5 stars to Vertigo.`, `Critics gave it 5.`"""
_SHARES = re.compile(
    r"^\W{0,4}\d(?:\.5)?(?: stars?)? ?[:=–-] ?\d{1,3}(?:\.\d{1,3})? ?%\W{0,3}$", re.MULTILINE | re.IGNORECASE
)
"""`4: 50%`, a line of a distribution over the ratings."""
_CORRECTS = re.compile(
    rf"{_NUMBER}(?: stars?)?(?:[,;!…–—-]| ?\.{{2,3}})[ ,]{{0,3}}(?:no|nope)\b[ ,:.–—-]{{1,3}}(?:(?:wait|actually|rather"
    rf"|make (?:that|it))\b[ ,:.–—-]{{1,3}})?(?=(?:an? )?{_NUMBER}(?:{_END}))",
    re.IGNORECASE,
)
"""`3, no, 4`"""
_SEVERAL = re.compile(
    rf"\W*(?:(?!{_LEAD}\b)[^\W\d][^\n:;,\d]{{1,40}}: ?{_NUMBER}(?:/\d{{1,3}})?(?:[,;] |\W*\Z)){{2,20}}", re.IGNORECASE
)
"""`Acting: 5, Plot: 3`, which rates none of them for the user"""
_ASIDE = re.compile(r"\((?:[^\s()]+ ){3,60}[^\s()]+\)")
"""A remark in parentheses, which may hold other numbers than the rating before it."""
_TWO_WAYS = caseless(
    r"\bif\b[^.;\n]{1,80} \d(?:\.5)?[;,.] (?:and "
    r"|but )?if\b[^.;\n]{1,80} \d(?:\.5)?(?: at best)?(?=[.\n]\D{0,400}\Z|\Z)"
)
"""`If they play alone, 3; if they play with a partner, 5.`"""
_OCCASION = r"(?:(?:on|upon) (?:an?|the) (?:\w+ )?(?:re-?)?(?:watch|read|play|view|visit)\w*+|re-?watch|with friends)"
_OR_SO = r"(?: (?:but|and|or|(?:al)?though|only|just|i(?:['’]d| would) say|an?))*+"
_ANOTHER = rf"(?!(?P=one)(?![.,]?\d)){_NUMBER}"
_TWO_OCCASIONS = caseless(
    rf"(?<![\w.,])(?P<one>{_NUMBER})[,;.]? ?[(–—-]?{_OR_SO} ?(?:{_OCCASION}[,:]?{_OR_SO} {_ANOTHER}"
    rf"|{_ANOTHER} {_OCCASION}\b)(?=\D{{0,400}}\Z)"
)
"""`4, though on a rewatch 3`: nothing tells which of them is asked for."""
_IS_OCCASION, _UNITS = caseless(_OCCASION), caseless(_UNIT)


def _is_for_two_occasions(text: str) -> bool:
    """Return whether a text rates two occasions differently, units left out."""
    return _IS_OCCASION.search(text) is not None and _TWO_OCCASIONS.search(_UNITS.sub("", text)) is not None


_ASKED_FIRST = re.compile(r"\A[^\n]{10,300}\?[\"”*_]{0,3}\s*\n(?=\W{0,3}\d)")
"""The question, repeated before the answer."""
_SAYS_MORE = caseless(
    rf"\d|{_RANGE_MARK}|[★⭐🌟一二三四五]|\b(?:{'|'.join(_VALUES)}|half|stars?|rating|score)\b|{TAKEN_BACK.pattern}"
    r"|\b(?:not|\w{1,6}n['’]t|cannot|unable|without|no|but|however|if|unless|though|perhaps|maybe|nicht|pas|aber|mais"
    r"|pero)\b|\?"
)
"""Words of a sentence that may say more about a rating before it."""
_PARTS = 12
"""Number of lines up to which each is read alone if the text has no rating as a whole."""
_SHORT = 8
"""Maximum number of words of a text whose last number is the rating even if nothing says so (`Probably a 4`)."""

Given = tuple[float, float | None]
"""A value (nan for a range) and its denominator, if one is given."""


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
        if other and other[1].strip() and _ANY.search(first[: other.start()]):
            first = first[: other.start()]
        text = first if _ANY.search(first) else text
        low, high = question.scale
        if _OTHER_WAY.search(text):
            return unparsed(response, text, "other_scale")
        plain = _plain(text, question)
        declined = is_refusal(response, text)
        given = _plainest(without_remarks(plain, _SAYS_MORE), question.scale, declined)
        if not given and len(parts := [part for part in plain.split("\n") if part]) in range(2, _PARTS):
            given = [*dict.fromkeys(one for part in parts for one in _plainest(part, question.scale, declined))]
        if not given and (rest := _without_lead(plain)):
            given = _plainest(without_remarks(rest, _SAYS_MORE), question.scale, declined)
        if not given:
            return unparsed(response, text, "no_rating")
        (value, of), *others = given
        if others or math.isnan(value):
            return unparsed(response, text, "ambiguous")
        if of is not None and of != high:
            return unparsed(response, text, "other_scale")
        if not low <= value <= high:
            return unparsed(response, text, "out_of_range")
        return answered(response, {"named_beside": _named_beside(plain, value, question.scale)}, value=value)

    def structured(self, question: Question) -> Structured | None:
        """Return a choice between the ratings of the scale, in steps of one half if the scale begins or ends in a
        half."""
        return Structured("choice", "\n".join(rating_labels(question)))


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


def _plain(text: str, question: Question) -> str:
    """Return the text without titles, years and mentions of the scale. Every other range is replaced by a mark."""
    low, high = question.scale
    text = _OUT_OF.sub(lambda found: "" if float(found[1]) == high else f" /{found[1]}", text)
    text = _STARS_BEHIND.sub(r" \1 stars", text)
    text = _HALF_STARS.sub(lambda found: f" {_VALUES[found[1]]}.5{found[2]}", text)
    text = _COUNTED_STARS.sub(lambda found: f" {_VALUES[found[1]]}", text)
    text = _FULL_MARKS.sub(lambda found: " " if _number(found[1] or found[2]) == high else found[0], text)
    text = _HALF_BEHIND.sub(r"\2 \1", _STAR_BEFORE.sub(r"\1 stars ", text))
    text = _SYMBOLS.sub(_star_count, without_titles(text, question.items, " "))
    text = _SCALE.sub(lambda found: " " if float(found[1]) == high else found[0], _OF_TITLE.sub("", text))

    def mark(found: re.Match[str]) -> str:
        ends = _number(found["value"]), _number(found["until"])
        return " " if ends[0] <= low and ends[1] == high else _RANGE_MARK

    text = _CORRECTS.sub("", text)
    text = _SHARES.sub("", text) if len(_SHARES.findall(text)) > 2 else text
    aside = _ASIDE.sub(" ", text)
    text = aside if _ANY.search(aside) else text
    text = "\n".join(" ".join(line.split()) for line in _NO_RATING.sub(" ", text).splitlines())
    text = _OFF.sub(f"{_RANGE_MARK} ", _WORD_RANGE.sub(f"{_RANGE_MARK} ", text))
    if [number[1] for number in islice(_LISTED.finditer(text), 2)] == ["1", "2"]:
        text = _LISTED.sub("", text)
    return _BOUND.sub(_RANGE_MARK, _RANGE_IN_ASIA.sub(_RANGE_MARK, _RANGE.sub(mark, text)))


_SCALE = caseless(
    r"\b(?:on|auf) (?:a|an|the|einer|der) (?:scale|skala) (?:of|from|von) \d (?:to|bis|-|–) (\d{1,3})\b(?:"
    r" ?\([^()\n]{1,80}\)|, where [^.,\n]{1,100},)"
)
"""`On a scale from 1 to 5, where 5 means love,`"""
_OF_TITLE = re.compile(r"(?<=\brating) for [^:.\n]{1,80}(?=: ?[*_]{0,3}(?:\d|[a-z]{3,5}\b))")
"""`Predicted rating for 8½: 3`"""
_OUT_OF = caseless(r" ?\((?:out of|of|von|sur|su|max\.?) ?(\d{1,3})\)")
_STARS_BEHIND = re.compile(r"星 ?(\d(?:\.5)?)つ")
_HALF_STARS = re.compile(r"([一二三四五])[颗顆个個]?([分星])半")
"""`三星半`"""
_COUNTED_STARS = re.compile(
    r"(?<!满分)(?<!滿分)(?<![十百千满滿到少多高低差加一二三四五\d])(?<![一二三四五]、)([一二三四五])(?:[颗顆个個](?=星)|(?=[分星](?:\W|$|左右|吧)))"
)
"""`三颗星`, `四分`, but not `少一分` (one point less) or `三四分` (three or four)."""
_STAR_BEFORE = re.compile(r"(?<![★⭐🌟])[★⭐🌟] ?(\d(?:[.,]\d)?)(?![\d.,])")
"""`★3.5`"""
_HALF_BEHIND = caseless(r"\b(étoiles?|estrell?as?|stelle)( et demie?| y media| e mezza| e meia)\b")
"""`trois étoiles et demie`"""
_FULL_MARKS = re.compile(
    r"(?:满分|滿分) ?(\d{1,3}|五) ?[分星]|\b(\d{1,3}) ?(?:[点點]満点|점 ?만점)(?:에서|에|중|中|で)?"
)
"""`5점 만점에` (out of five points) gives the top of the scale, not a rating."""


def _named_beside(text: str, value: float, scale: tuple[float, float]) -> int:
    """Count the other values that might be the rating, unless some line consists of a rating alone."""
    if any(map(_ONLY.fullmatch, text.splitlines())):
        return 0
    given = _given(_ANY.finditer(_LISTED.sub("", text)))
    return len({one for one, _ in _within(scale, given)} - {value})


_UNIT_BEFORE = caseless(rf"\d ?(?:/ ?\d+ ?)?(?:{_STARS})\W{{0,3}}$")
"""`4 Sterne ⭐`"""


def _star_count(stars: re.Match[str]) -> str:
    """Return stars as their number. A single star after a number is its unit (`4.5 ★`)."""
    count = len(stars[0].rstrip("½☆")) + (0.5 if stars[1] else 0)
    is_unit = count == 1 and stars.string[max(0, stars.start() - 2) : stars.start()].rstrip()[-1:].isdigit()
    if is_unit:
        return stars[0]
    decorates = count == 1 and _UNIT_BEFORE.search(stars.string[max(0, stars.start() - 20) : stars.start()])
    return "" if decorates else f" {count:g} stars"


def _plainest(text: str, scale: tuple[float, float], declined: bool) -> list[Given]:
    """Return the different values of the plainest form that occurs."""
    lines = [line for line in text.splitlines() if line.strip()]
    if _TWO_WAYS.search(text) or _is_for_two_occasions(text) or _SEVERAL.fullmatch(text):
        return [(math.nan, None)]
    if given := _revised(lines) or ([] if declined else _summed_up(lines)):
        return given
    alone = [(at, found) for at, line in enumerate(lines) if (found := _ONLY.fullmatch(line))]
    if len(alone) > 1 and RETRACTION.search("\n".join(lines[alone[0][0] + 1 : alone[-1][0]])):
        alone = alone[-1:]  # Rating: 4⏎Actually, they dislike coconut.⏎Rating: 2
    if given := _given(found for _, found in alone):
        return given if declined else _with_replacements(given, text, scale)
    if (between := _OPEN_RANGE.search(text)) and not any(
        pattern.search(text, between.end()) for pattern in (_CONCLUDES, *_NAMED)
    ):
        return [(math.nan, None)]
    if declined:
        return [] if declines(text) else _with_unit(text, scale[1])
    return _stated(text, lines, scale) or _with_unit(text, scale[1]) or _in_short_text(text, scale)


def _summed_up(lines: Sequence[str]) -> list[Given]:
    """Return the rating in a table of one row, or in a line such as `Overall: 3/5`."""
    for above, rule, line, below in zip(lines, lines[1:], lines[2:], [*lines[3:], ""], strict=False):
        is_table = {*rule} <= {*"|-: "} and "|" in line and "|" not in below
        heads = [at for at, head in enumerate(above.split("|")) if _HEAD.fullmatch(head)] if is_table else []
        cells = line.split("|")
        if len(heads) == 1 and heads[0] < len(cells) and (cell := _ONLY.fullmatch(cells[heads[0]])):
            return _given([cell])
    return _given(found for line in lines if (found := _OVERALL.fullmatch(line)))


def _revised(lines: Sequence[str]) -> list[Given]:
    """Return the rating to which the last line changes the first one, or the ratings in lines that correct it."""
    if lines and (changed := _CHANGED.search(lines[-1]) or _MADE.search(lines[-1])):
        return _given([changed])
    joined = "\n".join(lines)
    leans = [found for found in _LEANS.finditer(joined) if not _NOT_SO.search(_sentence_around(joined, found))]
    if len(leant := _given(leans)) == 1:
        return leant
    corrected = [(at, found) for at, line in enumerate(lines) if (found := _CORRECTED.fullmatch(line))]
    final = _given(_FINAL.finditer(joined))
    if len(final) == 1 and {*_given(found for _, found in corrected)} <= {*final}:
        return final
    behind = lines[corrected[-1][0] + 1 :] if corrected else []
    taken_back = any(_ONLY.fullmatch(line) or RETRACTION.search(line) for line in behind)
    return [] if taken_back else _given(found for _, found in corrected)


_OVERALL = caseless(
    r"\W*(?:overall|total|in total|insgesamt|gesamt(?:note|wertung|bewertung)?|au total|en général)\b(?:(?: (?:rating"
    r"|score"
    rf"|fit|prediction|for [^:\d\n]{{1,60}}))?\W{{1,4}}"
    rf"|,? i(?:['’]d| would)? (?:think|say|guess|expect) (?:(?:they|he|she|(?:the|this) {USER})(?:['’]d| would) give"
    r" (?:it|this) )?"
    rf"(?:an? )?){_DIGITS}{_UNIT}?\W*"
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
        before, after = (_given(_ANY.finditer(part)) for part in (text[: back.start()], text[back.end() :]))
        undecided = before and after and back[0].casefold() not in _WEAK and not _CONCLUDES.search(text)
        if len(before) == len(after) == 1 or undecided:
            return [*dict.fromkeys((*before, *after))]
    if lines and not _LIST_LINE.fullmatch(lines[0]) and (found := _BEGINS.match("\n".join(lines))):
        return _with_replacements(_given([found]), text, scale)
    gives = [found for found in _GIVES.finditer(text) if not _OFTEN.search(_sentence_around(text, found))]
    if len(given := _given(gives)) == 1:
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
        if len(given := _given(pattern.finditer(text))) == 1:
            return given
    if given := _given(found for pattern in _NAMED for found in pattern.finditer(text)):
        return given
    found = (_given(pattern.finditer(text)) for pattern in (_ON_SCALE, _IT_IS, _SINCE))
    return next((given for given in found if len(given) == 1), [])


_WEAK = ("actually", "wait", "i mean")
"""Words that retract a rating only if one other follows; they have other meanings."""


def _with_unit(text: str, high: float) -> list[Given]:
    """Return the values with the unit of a rating."""
    given = _given(_WITH_UNIT.finditer(_OTHERS.sub(" ", text)))
    on_scale = [one for one in given if one[1] == high]  # 4.5 of 5 stars, beside 3 of 4 novels
    return on_scale if len(on_scale) == 1 and all(of for _, of in given) else given


def _in_short_text(text: str, scale: tuple[float, float]) -> list[Given]:
    """Return the value of a short text, or all its values on the scale if there are several."""
    if len(text[:1000].split()) > _SHORT:
        return []
    text = _OTHERS.sub(" ", text)
    given = _within(scale, _given(_ANY.finditer(text)))
    if len(given) > 1 or any(math.isnan(value) for value, _ in given):
        return given
    return _given(_LOOSE.finditer(text))


def _within(scale: tuple[float, float], values: Iterable[Given]) -> list[Given]:
    """Return the values on the scale, and all ranges."""
    return [one for one in values if math.isnan(one[0]) or scale[0] <= one[0] <= scale[1]]


def _with_replacements(given: list[Given], text: str, scale: tuple[float, float]) -> list[Given]:
    """Add the values with which a later sentence may replace the rating, unless that sentence is followed by a line
    with a rating alone."""
    if (back := _REPLACED.search(text)) is None or any(map(_ONLY.fullmatch, back[1].splitlines()[1:])):
        return given
    values = _given(found for pattern in (_ANY, _LOOSE) for found in pattern.finditer(back[1]))
    return [*dict.fromkeys((*given, *_within(scale, values)))]


_REPLACED = re.compile(
    rf"(?:^|[.!?…–—-] )\W{{0,4}}(?:no,? )?{RETRACTION.pattern}(.*)", re.IGNORECASE | re.MULTILINE | re.DOTALL
)


def _given(matches: Iterable[re.Match[str]]) -> list[Given]:
    found: dict[Given, None] = {}
    for match in matches:
        groups = match.groupdict()
        of = groups.get("of")
        value = next(text for name, text in groups.items() if text and name != "of")
        found[_number(value), _number(of) if of else None] = None
    values = list(found)
    # `4` and `4/5` are one rating. nan is not equal to itself and must not be counted twice.
    known = dict(sorted(values, key=lambda one: one[1] is not None))
    return [(value, known[value]) for value in dict.fromkeys(value for value, _ in values)]


_HALF = caseless(r"(?:½| 1/2|half|demie?|medi[ao]|mezz[oa]|mei[ao])$")


def _number(text: str) -> float:
    if text == _RANGE_MARK:
        return math.nan
    half = 0.5 if _HALF.search(text) else 0.0
    first = re.split(r"(?<=.)[ ½]", text.casefold().replace("−", "-").replace(",", "."), maxsplit=1)[0]
    return _VALUES[first] + half if first in _VALUES else float(first) + half
