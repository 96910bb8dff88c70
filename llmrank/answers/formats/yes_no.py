"""The answer format `yes_no`: would the user like this item?

If the backend returned log-probabilities, the answer is the probability of `Yes` relative to `No`, as in TALLRec
(arXiv:2305.00447) and PRP. Otherwise the verdict is read from the text and the value is 1 or 0. The rules are tried in
a fixed order: an explicit final answer, how the text begins, its last words (`so no`), what its sentences predict (`I
think they would like it`), idioms (`right up their alley`), and how it ends. A text with two different verdicts is
`ambiguous`, and a prediction that other words may deny (`I wouldn't say they would like it`) is none.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from llmrank.answers.formats.chosen_title import chosen_title, marked
from llmrank.answers.formats.label_logprobs import logprobs
from llmrank.answers.formats.verdicts import (
    ASKED,
    BEGINS,
    EITHER,
    FINAL,
    LABELLED,
    LAST_SENTENCE,
    NAMED,
    PLAIN,
    WORD,
    meant,
    verdicts_of,
)
from llmrank.answers.items.matching import title_index
from llmrank.answers.items.title import without_titles
from llmrank.answers.outcome import (
    LEAST_MASS,
    answered,
    asks_first,
    before_next_question,
    cannot_say,
    is_ironic,
    looks_like_error,
    ticked,
    unparsed,
    without_remarks,
)
from llmrank.answers.text.envelope import answer_alone
from llmrank.answers.text.normalise import SHORT, caseless, normalise
from llmrank.answers.text.predictions import (
    SEARCH_LIMIT,
    TAKE,
    USER,
    idiomatic,
    odds,
    predictions,
)
from llmrank.types import Answer, Question, Response, Structured


@dataclass(frozen=True, slots=True)
class YesNo:
    """Reads the probability of yes. Without log-probabilities it is 1 or 0, from the verdict of the text."""

    name: str = "yes_no"

    def read(self, response: Response, question: Question) -> Answer:
        """Return P(yes) / (P(yes) + P(no)) in `value`, and both in `scores`; see `_by_probability` for a backend that
        returned only one. Unparsed: `label_missing` if that one does not decide, `ambiguous` if the text begins with
        neither and says both, `empty`, `truncated`, `refusal`, `no_yes_or_no`."""
        if response.label_logprobs is not None:
            return _by_probability(response)
        text = answer_alone(response.text)
        text = text and normalise(_THUMB_DOWN.sub("No. ", _SURE.sub("", text), count=1)[:SHORT])
        if not text:
            return unparsed(response, text, "empty")
        first = before_next_question(ticked(text.strip()))
        first = _DIGIT_BEFORE.sub("", first)
        before, _, last = first.rpartition("\n\n")
        if (labelled := LABELLED.fullmatch(last.strip())) and not PLAIN.search(before):
            first = labelled[1]
        if digit := _DIGIT.fullmatch(first):
            return answered(response, {}, value=float(digit[1]))
        if is_ironic(first):
            return unparsed(response, text, "ambiguous")  # They'd love it… said no one ever.
        named, preferred = _compared(first or text, question)
        if named and not _WORD_OF_VERDICT.search(text):
            if preferred is None or asks_first(text) or cannot_say(text) or looks_like_error(text):
                return unparsed(response, text, "no_yes_or_no")
            return answered(response, {}, value=float(preferred == 0))
        text = _without_idioms(first or text, question)
        if not WORD.search(text) and _WORD_OF_VERDICT.search(response.text):
            return unparsed(response, response.text, "ambiguous")  # Yes/No
        verdicts, predicted = _verdicts_in_parts(text), predictions(text)
        if verdicts and _declines(text, predicted):
            return unparsed(response, text, "no_yes_or_no")  # Yes, I can help. Could you send me …?
        if len(verdicts) != 1:
            return unparsed(response, text, "ambiguous" if verdicts else "no_yes_or_no")
        verdict = verdicts.pop()
        if (preferred is not None and verdict != (preferred == 0)) or _is_contradicted(verdict, text, predicted):
            return unparsed(response, text, "ambiguous")  # Yes, they would prefer the second.
        beside = sum((word.casefold() == "yes") != verdict for word in PLAIN.findall(text))
        begun = BEGINS.match(text)
        behind = text[begun.end() : begun.end() + SEARCH_LIMIT] if begun else ""
        commented = (_MAY_DENY if verdict else _MAY_AFFIRM).search(behind) is not None
        beside += verdict and _SPEAKS_AGAINST.search(text[:SEARCH_LIMIT]) is not None
        return answered(response, {"named_beside": beside, "commented": commented}, value=float(verdict))

    def labels(self, question: Question) -> tuple[str, ...]:
        """Return the labels `Yes` and `No`."""
        return ("Yes", "No")

    def structured(self, question: Question) -> Structured | None:
        """Return a choice between `Yes` and `No`."""
        return Structured("choice", "Yes\nNo")


def _by_probability(response: Response) -> Answer:
    """Return the probability of yes, relative to no.

    If the backend returned only one of them, the other is at most what is left of 1. The value is then the bound on the
    side of one half: of `Yes` with 0.97 at least 0.97, of `No` with 0.97 at most 0.03. It is counted as `missing`.
    """
    given = {label.casefold(): math.exp(p) for label, p in logprobs(response).items()}
    yes, no = (sum(given[label] for label in labels if label in given) for labels in (("yes", "true"), ("no", "false")))
    if not (yes and no) and max(yes, no) <= 1 / 2:
        return unparsed(response, "label", "label_missing")
    value = yes / (yes + no) if yes and no else yes or 1 - no
    repairs = {"missing": int(not (yes and no)), "low_label_mass": int(yes + no < LEAST_MASS)}
    scores = {label: p for label, p in (("Yes", yes), ("No", no)) if p}
    return answered(Response(""), repairs, value=value, scores=scores, label_mass=yes + no)


def _compared(text: str, question: Question) -> tuple[bool, int | None]:
    """Return whether a text names any of two items of which the first may be preferred to the second, and which of them
    its sentences choose, if any. A question chooses none."""
    if len(question.items) != 2 or not (named := (index := title_index(question.items)).named_in(text[:SEARCH_LIMIT])):
        return False, None
    told = _VERDICT_FIRST.sub("Clearly", ASKED.sub("", text))
    return True, chosen_title(told, marked(told, question, named), index)


def _without_idioms(text: str, question: Question) -> str:
    """Return the text with `it` for the items' titles, and without the yes and no of idioms (`no doubt`)."""
    text = _IT_IN_QUOTES.sub("it", without_titles(text, question.items, "it"))
    text = _CANNOT_BUT.sub("they will like it. ", text)
    return _IDIOM.sub(" ", _FIRST_THOUGHT.sub(" ", _NO_REASON.sub("doubtful", text)))


_DIGIT_BEFORE = re.compile(r"\A\W*[01]\W{1,4}(?=(?:yes|no)\W*\Z)", re.IGNORECASE)
_DIGIT = re.compile(r"\W*([01])\W*")
"""`1`, the label of a yes in most data sets."""
_IDIOM = caseless(
    r"\bsaid (?:yes|no) to\b(?:[^.;!?\n,]{1,60} (?:and|or) (?:yes|no) to\b)?|\((?:yes|true) ?(?:or|/) ?(?:no"
    r"|false)\)|(?m:^\W{0,4}(?:yes|no) ?= [^\n]{1,200}?\b(?:yes|no) ?= [^\n]*$)",
    r"\b(?:yes[\"”’]? ?(?:or|/) ?[\"“‘]?no|true ?(?:or|/) ?false)(?: question)?\b[:?]?"
    r"|(?:はい|いいえ)[、,]? ?と言いたい(?:ところ|の)(?:です|だ)が|\bno (?:cabe|hay)(?: ninguna)? duda\b(?: de que\b)?"
    r"|(?:(?<=yes, )|(?<=yeah, ))no doubt\b|아니요보다는?"
    r"|\b(?:non seulement|no s[óo]lo|non solo|não só|nicht nur|niet alleen)\b"
    r"|\bno (?:doubt(?! about (?:it|that)\W{0,3}[.!–—-]|\W*[.!]|\W*\Z)|one|more|other|longer|information|question"
    r"|signs?|need|reason(?! not to)|way(?!\W*[.!]))\b(?: about (?:it|that)\b)?|\bno\.? ?\d"
    r"|\b(?:has|have|had|with|and) no (?!(?:because|since|doubt|reason|evidence|way|signs?|indication"
    r"|one)\b)(?=[a-z]{3})",
    r"\bon the other hand,? (?:yes|no)\s*\Z",
    r"\bif (?:i ha(?:d|ve) to (?:choose|guess|say|answer|decide|pick)(?: one)?|pressed|forced)(?: to \w+)?[,:]",
)
_IT_IN_QUOTES = re.compile(r"[\"“«*_]{1,3}it[\"”»*_]{1,3}(?!\w)")
_NO_REASON = caseless(
    rf"\bno (?:reason (?:to (?:think|believe|expect|suppose)|why)\b"
    rf"|reason(?= (?:they|he|she|(?:the|this) {USER}) would\b)|(?:evidence|indication|signs?)(?= that\b)"
    rf"|way(?= (?:that )?(?:they|he|she|(?:the|this) {USER})\b))"
)
_FIRST_THOUGHT = caseless(
    r"\b(?:first|initial) (?:thought|instinct|guess|reaction|impression)(?: here)? (?:was|is|would be)\W{1,3}"
    r"(?:yes|no)\b"
)
"""`My first thought was no`: what follows is the verdict."""
_CANNOT_BUT = caseless(
    rf"\bi can(?:no|['’])t imagine (?:(?:the|this) {USER}|them|him|her) not (?:liking|enjoying|loving) (?:it|this)\b"
    rf"|\bi can(?:no|['’])t imagine (?:that )?(?:(?:the|this) {USER}|they|he|she) (?:would|will)(?:(?:n['’]t| not)"
    rf" (?:{TAKE})"
    r"| (?:dislike|hate|skip)) (?:it|this)\b|\b(?:i can(?:no|['’])t recommend (?:it|this(?: \w+)?) (?:(?:highly"
    r"|strongly) )?enough"
    rf"|i (?:do(?: not|n['’]t) think|doubt) (?:they|he|she|(?:the|this) \w+)(?:['’]d| would) say no"
    r"(?: to (?:it|this(?: one)?))?"
    rf"|no reason (?:why )?(?:they|he|she|(?:the|this) \w+) would(?:n['’]t| not)(?=[.!]|$)"
    rf"|no reason (?:why )?(?:they|he|she|(?:the|this) \w+) would(?:n['’]t| not) (?:{TAKE}) (?:it|this|them))\b"
    r"(?![^.!?\n]{0,80}\b(?:but|if|unless|except|though|fans|people|those|anyone)\b)"
)


def _verdicts_in_parts(text: str) -> set[bool]:
    """Return the verdicts of the text, or if it has none, of what is left without its first sentences about the user's
    history and without remarks."""
    told = _TOLD.sub("", _TOLD.sub("", text))
    parts = (text, without_remarks(text, _SAYS_MORE), told, without_remarks(told, _SAYS_MORE))
    return next(filter(None, map(verdicts_of, dict.fromkeys(parts))), None) or _in_one_paragraph(text)


def _declines(text: str, predicted: set[bool]) -> bool:
    """Return whether a text that calls nothing its answer asks for more, or cannot say."""
    if FINAL.search(text) or NAMED.search(text) or _ONLY_VERDICT.match(text):
        return False
    unsure = not BEGINS.match(text) and _UNSURE.search(text[-SEARCH_LIMIT:])
    cannot_help = not predicted and _CANNOT_HELP.search(text[:400])
    return bool(unsure or asks_first(text) or cannot_say(text) or cannot_help)


_CANNOT_HELP = caseless(
    r"(?:\b(?:i|we)(?:['’](?:m|re)| am| are)?|sorry,?(?: but)?) (?:\w+ly )?(?:(?:can(?:not|['’]t| not)|won['’]t"
    r"|(?:unable|not able) to) (?:\w+ly )?(?:(?:help|assist|answer|respond|comply|discuss)(?= you\b"
    r"| (?:with|that|this)\b|[.,;!]|$)|(?:provide|give|offer)(?: you)? (?:that(?=[.,;!]|$)|(?:\w+ )?(?:answer|advice"
    r"|opinion|information|recommendations)\b))|(?:do not|don['’]t) have (?:enough|sufficient) (?:information|data))"
    r"|nicht (?:beantworten|helfen)\b|peux pas (?:\w+ )?(?:répondre|aider)|no (?:\w+ )?puedo (?:responder|ayudar)"
    r"|non posso (?:rispondere|aiutar)|não posso (?:responder|ajudar)|не могу (?:ответить|помочь)|お答えでき|回答でき"
    r"|(?:无法|不能)(?:回答|帮助|提供)|(?:답변|도와)[^.\n]{0,10}(?:없|어렵)"
)
"""`No, I'm sorry, but I can't help with that.`, which refuses to answer."""
_ONLY_VERDICT = caseless(rf"[\W_]*(?:{EITHER})[\W_]*(?:\n|$)")


def _is_contradicted(verdict: bool, text: str, predicted: set[bool]) -> bool:
    """Return whether other sentences of the text say the opposite of its verdict."""
    begins = BEGINS.match(text)
    behind = text[begins.end() :] if begins else ""
    said = {
        *predicted,
        *predictions(behind),
        *(idiomatic(f"So. {behind}") or ()),
        *(one["no"] is None for one in _FEELS.finditer(behind)),
    }
    if not said <= {verdict}:
        return True  # Yes, I looked. They will not enjoy it.
    if (last := LAST_SENTENCE.search(text)) and last[1] != "?" and meant([last[2]]) != {verdict}:
        return True  # They would not like it. Yes.
    if begins and _BUT_ABROAD.match(text, begins.end(1)):
        return True
    if not verdict and _NOT_MISSED.search(behind[:SEARCH_LIMIT]):
        return True
    decides_against = begins and _DECIDES_AGAINST.search(text[:SEARCH_LIMIT])
    return bool(verdict and (decides_against or odds(text) == {False}))


_WORD_OF_VERDICT = caseless(rf"(?<!\w)(?:{EITHER})(?!\w)")
_VERDICT_FIRST = caseless(rf"\A[\W_]*+(?:{EITHER})(?!\w)")


def _in_one_paragraph(text: str) -> set[bool]:
    """Return the verdicts of the paragraphs of a text that has none as a whole: a reason, then `No. …`. The points of a
    list are no verdicts."""
    parts = [part for part in text.split("\n\n") if part.strip()] if "\n- " not in text else []
    return {one for part in parts for one in verdicts_of(part)} if 1 < len(parts) < _PARAGRAPHS else set()


_PARAGRAPHS = 8
_UNSURE = caseless(
    r"\n\n[^\n]{0,200}\b(?:unclear|undecided|not (?:so |really |entirely )?sure|(?:hard|difficult|impossible) to (?:say"
    r"|tell|know|judge))\b[^\w\n]*\Z"
)
"""`Some would say yes.⏎⏎I am not so sure.`"""
_SAYS_MORE = caseless(
    rf"\b(?:{EITHER}|\w{{1,6}}n['’]t|never|but|however|if|unless|though|perhaps|maybe|like|enjoy|love|recommend|hate"
    rf"|dislike|likely|unlikely|probably|skip|pass|fit|{TAKE})\w{{0,3}}\b|[?👍👎]"
)
"""Words of a sentence that may say more about a verdict before it."""
_SURE = caseless(r"\A\W*(?:sure|okay|ok)[.!,]?[*_]*\s*\n\s*(?=\S)")
"""A first line that only begins to speak."""
_TOLD = caseless(
    rf"\A\W*(?:the|this) {USER} (?:has|likes?|enjoys?|prefers?|loves?|gave|rated|watched)\b"
    r"(?![^.!?\n]*\b(?:it|this|but|yes|no|not|so)\b)[^.!?\n]{1,200}[.!]\s+(?=\S)",
)
"""A first sentence about the user's history."""
_THUMB_DOWN = re.compile(r"\A\s{0,9}(?:👎|❌)️?(?=[^\n✅👍]{0,2000}(?:\Z|\n))")
"""`👎 The user marks beans as an allergen`"""


_FEELS = caseless(
    rf"(?:^|[.,;:!–—-])\W{{0,4}}(?:(?:the|this) {USER}|they|he|she) (?:(?P<no>dislikes?|hates?|loathes?)"
    r"|likes?|loves?|enjoys?) (?:it|this)(?: (?:movie|film|book|game|item|one))?(?=[.!;]|$)"
)
"""`No. They love it.`"""
_DECIDES_AGAINST = caseless(
    r"\b(?:will|would) (?:be )?(?:hated?|disliked?)\b"
    r"|\b(?:but|however|so|all in all|overall)\b[^.!?\n]{0,60}\b(?:is|['’]s)(?:n['’]t| not) (?:one|something"
    r"|a \w+) (?:that )?i(?:['’]d| would)\b"
    r"|(?:おすすめ|お勧め)は?(?:しません|できません)|(?<!理由)(?<!是)(?<!会)不(?:太|会)?(?:推荐|喜欢)"
    r"|(?<!reason )(?<!mistake )(?<!shame )(?<!pity )(?<!crazy )(?<!wrong )(?<!not )(?<!hard )\b(?:to|should) "
    r"(?:avoid|skip|pass on)"
    r" (?:it|this)\b"
    r"|\bi(?:['’]d| would) (?:pass|skip (?:it|this))\b|\bi would(?: not|n['’]t) recommend\b"
)
"""`Yes, I have read it all. They would hate it.`"""
_BUT_ABROAD = caseless(
    r"[、,.。]? ?(?:でも|しかし|だけど|但是?|不过|可是|하지만|그러나|(?:aber|mais|pero|ma|mas|maar|ale|но|ama|fakat"
    r"|nhưng|tapi)\b)"
    r"[^.。!?\n]{0,80}?(?:ない|ません|不|没|않|\b(?:nicht|kein\w*|pas|no|non|não|niet|geen|nie|не|değil|không|tidak)\b)"
)
"""`はい、でもたぶん見ないでしょう。`"""
_NOT_MISSED = caseless(r"(?:\bnot|n['’]t|\bnever) (?:want to )?(?:miss|dislike|hate|mind) (?:it|this)\b")
"""`No, they won't miss it!`"""
_MAY_DENY = caseless(
    r"(?:\A|[.!?] |\n)[^.!?\n]{0,40}\b(?:it|this|(?:the|this) (?:movie|film|book|game|item|product)|they|he|she|"
    r"(?:the|this) user)"
    r"(?: \w+){0,3}(?: not|n['’]t| never| hardly| too)\b"
)
_MAY_AFFIRM = caseless(
    r"(?:\A|[.!?] |\n)(?!\W*(?:if|although|though|while|even)\b)(?:(?!\b(?:not|\w+n['’]t|no|never|hardly|unlikely"
    r"|nothing)\b)[^.!?\n]){0,60}"
    r"\b(?:it|this|they|he|she|(?:the|this) user)(?: (?!(?:not|never)\b)\w+){0,3} (?:love|perfect|ideal|great|exactly"
    r"|enjoy|favou?rite)\b"
)
"""Sentences beside a verdict that may say the opposite, in words without a rule."""
_SPEAKS_AGAINST = caseless(r"\b(?:will|would) (?:be )?not\b|\b(?:wo|would)n['’]t (?:like|enjoy|love)\b|\bunlikely\b")
"""Words that may contradict a yes but need not."""
