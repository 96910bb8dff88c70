"""The verdicts of a text: whether the user will like the item, by rules tried in a fixed order (`_RULES`)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from llmrank.answers.outcome import RETRACTION, TAKEN_BACK, looks_like_error
from llmrank.answers.text.lines import word_set
from llmrank.answers.text.normalise import caseless
from llmrank.answers.text.predictions import (
    ABOUT_ANOTHER,
    HEDGED,
    SEARCH_LIMIT,
    SENTENCES,
    TAKE,
    USER,
    idiomatic,
    odds,
    predictions,
)

_YES = word_set(
    "yes true ja oui sí sì si sim да はい 是 是的 예 네 tak evet y yeah yep yup jo kyllä ano áno igen da ναι так vâng"
    " có 会 会的 喜欢 ya हाँ हां ใช่ نعم כן"
)
_NO = word_set(
    "no false nein non não нет いいえ 否 不是 아니요 아니오 nie hayır nee n nope nah nej nei ei ne nem nu όχι ні không"
    " いや 不 不会 不喜欢 tidak नहीं ไม่ ไม่ใช่ لا לא"
)
EITHER = "|".join(sorted(_YES | _NO, key=lambda word: (-len(word), word)))
BEGINS = caseless(
    rf"[\W_]*+(?:(?:mais|ah|oh|well|hmm|pues|na|ach|naja),? )?(?:the user |it(?:['’]s| is) an? |an? )?"
    rf"(?:(?:qualified|clear|hard|definite|resounding|strong|cautious|firm) )?"
    r"(?:(?:(?:most|very|quite) )?(?:likely|probably),? |(?:скорее(?: всего)?|пожалуй|думаю|наверное|вероятно),? "
    r"|(?:eher|vermutlich|wahrscheinlich|plutôt|probablement|probabilmente|probablemente|provavelmente|ich denke,?) "
    r"|おそらく|たぶん|恐らく)?"
    rf"({EITHER})(?!\w)(?=[\W_]*+$|[*_\"'”)\]}}]{{0,4}}(?: ?[.,;:!(\n👍👎✅❌]| [-–—]"
    r"| (?:the|they|he|she|this|these|that|i|because|since|as|it|its|definitely|absolutely|based|you|most|with"
    r"|given|from)\b))"
)
NAMED = caseless(
    rf"(?:that['’]s an?(?= (?:yes|no)\b(?!-))|answer|verdict|prediction|response|conclusion|decision|label|recommend"
    rf"|recommended"
    rf"|(?:will|would)_\w{{2,12}}|(?<=\")(?:likes?|liked|enjoys?|interested|relevant|click(?:ed)?)(?=\")|output"
    rf"|antwort|réponse|respuesta|resposta|risposta|ответ|答案"
    rf"|答え|回答|svar|odpověď|vastaus|válasz|cevap|yanıt|jawaban|đáp án|απάντηση)[\"'*_]{{0,3}}"
    rf"(?: (?:is|would be|to this is|ist|est|es|è|é)|[は是]"
    rf"| \.{{3,20}})?[\s:=*_\"'({{\[\]<“-]{{0,6}}({EITHER})(?!\w| (?:and|or) (?:yes|no)\b)"
)
ASKED = caseless(r"^\W*(?:will|would|does|do|is) [^.!?\n]{3,200}\?\s+")
"""The question, repeated before the answer."""
_ASKS_OTHERWISE = caseless(r"\b(?:dislike|hate|mind|skip|avoid|regret|too(?= \w)|seen|already|against)\b")
"""Words of a question to which `no` does not mean that the user would not like the item: `Is it too slow?`"""
FINAL = caseless(
    rf"\b(?:(?:final|corrected|revised|updated) answer|(?:so|therefore|thus|hence|on (?:reflection"
    rf"|second thoughts?)),? (?:the|my)"
    rf" (?:answer|prediction|verdict)|my (?:answer|verdict|prediction) (?:changes|becomes"
    rf"|is now)(?: to)?)(?: for (?:it|this|[^:.!?\n]{{1,60}}(?=:)))?(?: is)?[\s:=*_\"'(]{{1,6}}({EITHER})(?!\w)"
    rf"|\b(?:chang(?:e|ed|ing) my (?:answer|verdict|prediction)|i(?:['’]m| am|['’]ll| will) chang(?:e|ing) (?:that"
    rf"|it))(?: to|:)[\s:*_\"'“(]{{1,6}}({EITHER})(?!\w)"
)
LAST_SENTENCE = caseless(rf"([.!?])[*_]{{0,3}} [*_]{{0,3}}({EITHER})[*_]{{0,3}}[.!]?[*_]{{0,3}}\s*$")
_SAYS_IF = caseless(
    r"\b(?:if|unless|when|whether|asked|why|how|normally|usually|at first|for|based on(?! (?:the|their|this)\b)"
    r"|genre|alone)\b"
)
WORD = re.compile(r"\w+")
PLAIN = caseless(r"\b(?:yes|no)\b")
_CONCLUDED = caseless(
    r"\b(?:so|but|then|therefore|thus|hence|overall|on balance|donc|finalement|also|unterm strich|letztlich|quindi"
    r"|entonces|al final|portanto|então|dus|c['’]est un|es ist ein|je dirais|ich würde(?: eher)? sagen:?"
    r"|dir[íi]a(?: que)?|direi(?: di)?)[,:]? (?:(?:it is|it['’]s|this is|this one is|i['’]d say|rather|probably|an?"
    r"|doch"
    rf"|eher|lieber|wohl|besser|ein|plutôt|mejor|melhor) ){{0,3}}({EITHER})[\W_]*$"
)
"""`They'd like the start, but no.`, `Also doch eher nein.`"""
_ON_SOMETHING = caseless(r"\b(?:if|unless|when|whether|depend\w*)\b")
_LAST_SIGNS = 80


def meant(words: Iterable[str]) -> set[bool]:
    """Return the verdicts of these words: True for a yes of any language, False for all others."""
    return {word.casefold() in _YES for word in words}


def verdicts_of(text: str) -> set[bool]:
    """Return the verdicts of a text: from what it calls its answer, what it begins with, or what it ends with."""
    if looks_like_error(text) or _OPPOSITE_ASKED.search(text):
        return set()
    text = _ACKNOWLEDGES.sub("", text)
    if (own := _ANSWERS_ITSELF.findall(text)) and not FINAL.search(text):
        return meant(own)
    if (asked := ASKED.match(text)) and _OF_IT.search(asked[0]):
        if _ASKS_OTHERWISE.search(asked[0]):
            return set()
        text = text[asked.end() :]
    return next((found for rule in _RULES if (found := rule(text)) is not None), set())


_ACKNOWLEDGES = caseless(
    r"^\W*(?:yes|sure|okay|of course)[,!]? i(?: (?:understand|see)\b|(?: can|['’]ll| will|['’]d be (?:happy"
    r"|glad) to)(?: \w+ly)? help\b)[^.!?\n]*[.!?]\s*"
)
LABELLED = caseless(
    rf"(?!\W*(?:{EITHER})\b)(?!.*\b(?:not|\w+n['’]t|never|hates?|dislikes?|skip|avoid|mind|without|but|if|answer)\b)"
    rf"[^:.!?\n]{{3,120}}:\W{{0,5}}({EITHER})[\W_]*"
)
"""`The user will like it: No`"""
_OF_IT = caseless(r"\b(?:it|this|that)\b")
_ANSWERS_ITSELF = caseless(
    rf"\b(?:will|would) (?:(?:this|the) {USER}|they|he|she) (?:really |actually )?(?:{TAKE}) (?:it|this|that"
    r"|this one)\?[ *_]{1,4}(yes|no)(?=[*_]{0,3}(?:[.,!\n]|$))"
)
"""`But will this user like it? No.`"""
_OPPOSITE_ASKED = caseless(r"[\"_](?:dislikes?|hates?|skip|avoid|rejects?)\w{0,12}\" ?: ?\"?(?:true|false|yes|no)\b")
"""`{"dislike": true}`"""


def _opening(text: str) -> set[bool] | None:
    """Return the verdict of a last sentence such as `So no, I would not recommend it`, or else of an opening that is
    more or less than a plain yes or no: `Yes and no`, `Absolutely!`, `Eher nicht.`"""
    end = text.rstrip()[-SEARCH_LIMIT:]
    if (last := _AFTER_ALL.search(end) or _LAST_SO.search(end)) and not _ON_SOMETHING.search(last[0]):
        return meant([last[1]])
    abroad = _BOTH_ABROAD.match(text)
    if (abroad and len(meant(abroad.groups())) == 2) or _BUT_NOT.match(text):
        return {True, False}
    if weighed := _WEIGHED.search(text):
        yes, no = (float(weighed[first] or weighed[second]) for first, second in ((1, 4), (2, 3)))
        shares = any(abs(yes + no - whole) < 0.1 * whole for whole in (1, 100))
        return {yes > no} if shares and yes != no else {True, False}
    if _BOTH.match(text) or _BOTH_IN_ONE.match(text) or _ON_CONDITION.search(text):
        return {True, False}
    if but := _BUT_YES.match(text):
        return meant([but[1]])
    if _HARDLY.match(text):
        return {False}
    if plain := _EMPHATIC.match(text):
        return {plain["not"] is None}
    if brief := _BRIEF.match(text):
        return {(brief["not"] is None) == (brief["against"] is None)}
    if repeated := _REPEATED.fullmatch(text):
        return meant([repeated[1]])
    return {False} if _DOUBTS.match(text) else None


_REPEATED = caseless(r"\W*(yes|no)(?:\W+\1)+\W*")


_BOTH = caseless(
    r"[\W_]*+(?:it(?:['’]s| is) an? )?(?:(yes|yeah|yep|yup)|no|nope|nah)\b\W{1,4}"
    r"(?:(?:and|or|but|maybe)\W{1,3}(?:rather )?(?:an? )?)?(?(1)(?:no|nope|nah)|(?:yes|yeah|yep|yup))\b"
)
_BUT_YES = caseless(r"\W*not (?!for\b)[^.!?\n]{1,80}, but (yes)(?=[:.,!;–—-])")
"""`Not their usual genre, but yes: …`"""
_BOTH_IN_ONE = caseless(r"[\W_]*jein\b")
_BOTH_ABROAD = caseless(
    rf"[\W_]*+({EITHER})(?!\w)\W{{1,3}}(?:und|aber|oder|et|mais|ou|y|pero|e|ma|mas|en|maar|и|но"
    rf"|или)\W{{1,3}}({EITHER})"
    r"(?=\W*$|[.,;!?\n])"
)
_BUT_NOT = caseless(
    rf"[\W_]*+(?:{EITHER})\W{{1,3}}(?:but|aber|mais|pero|ma|mas|но) (?:probably )?(?:not|nicht|pas|no|non|não|не)"
    r" (?:for|für|pour|para|per|для) (?:(?:him|her|them)\b(?=\W*$|[.,;])|(?:\w+ )?(?:user|person|viewer|reader|player"
    r"|listener|customer|guest|nutzer|zuschauer|leser|kund|utilisat|spectat|lecteur|usuari|espectador|lector|utente"
    r"|leitor|пользовател)\w*)"
)
"""`Yes, but not for this user.`"""
_WEIGHED = caseless(
    r"\byes\W{1,5}(\d{1,3}(?:\.\d+)?)(?!\d)[^\n]{0,40}?\n?[^\n]{0,9}?\bno\W{1,5}(\d{1,3}(?:\.\d+)?)(?!\d)"
    r"|\bno\W{1,5}(\d{1,3}(?:\.\d+)?)(?!\d)[^\n]{0,40}?\n?[^\n]{0,9}?\byes\W{1,5}(\d{1,3}(?:\.\d+)?)(?!\d)"
)
"""`Yes: 0.2, No: 0.8`"""
_ON_CONDITION = re.compile(
    r"\byes,? (?:if|when)\b.{0,400}\bno,? (?:if|when)\b|\bif\b[^.!?\n]{1,80}, (yes|no)\b.{0,200}\bif\b[^.!?\n]{1,80},"
    r" (?!\1)(?:yes|no)\b",
    re.IGNORECASE | re.DOTALL,
)
_EMPHATIC = re.compile(
    r"[\W_]*(?:(?:hmm*|well|honestly)\W{1,5})?"
    r"(?:(?:probably|likely|rather|i(?: would|['’]d)? (?:say|think|guess|suppose)|i(?:['’]m| am) afraid)(?= not\b)"
    r"|absolutely|definitely|without (?:a|any) doubt|(?:almost )?certainly|of course|surely|undoubtedly|no doubt"
    r"|(?:i(?: would|['’]d)? (?:think|believe|guess|suppose|say)|probably) so|more likely than not|(?:sure"
    r"|indeed)(?=[.!]?\s*\Z)|hell(?=,? (?:yes|yeah)))"
    r"(?:(?P<not> not)?\b[*_]*(?:[.!]|,(?! (?:(?:it|that) depends|i can)\b)|\s*\Z)(?!.*\b(?:no|yes)\b)"
    r"|[,!]? (?:yes|yeah)\b(?!.*\bno\b))",
    re.IGNORECASE | re.DOTALL,
)
"""`Absolutely! It is the kind of film …`, `Definitely not.`"""
_HARDLY = re.compile(
    r"[\W_]*(?:(?:eher|wahrscheinlich|vermutlich|wohl(?: eher)?) nicht|(?:probablement|plutôt) pas"
    r"|waarschijnlijk niet|скорее(?: всего)? не|вряд ли|raczej nie|probabilmente no|probablemente no"
    r"|provavelmente não|pas (?:vraiment|trop)|nicht (?:wirklich|unbedingt)|niet echt|not really|perhaps not|no"
    r" (?:creo|realmente)|non (?:proprio|credo)|não (?:exatamente|acho)|не очень|не думаю)(?=[*_]{0,3}(?:[.!]|$|,"
    r" (?!(?:aber|but|sondern|mais|pero|ma|mas|но)\b)))"
    r"(?!.*(?:[.!?–—-] |\n)\W{0,3}(?:doch |si |но )?(?:ja|oui|да|tak|sì|sí|sim)[.!]?(?:\s|$))",
    re.IGNORECASE | re.DOTALL,
)
"""`Eher nicht.`"""
_DOUBTS = re.compile(
    r"[\W_]*(?:(?:hmm*|well|honestly|no)\W{1,5})?(?:i (?:(?:do|would)(?: not|n['’]t) (?:think|believe|expect)(?: that)?"
    rf" (?:so|(?:(?:the|this) {USER}|they|he|she) (?:will|would)(?=[.,;!]|\Z))|doubt (?:it|that)(?=[.,;!]|\Z))"
    r"|(?:not at all|(?:no|not a) chance|hell,? no)(?=[.!]|\Z))(?!.*\byes\b)",
    re.IGNORECASE | re.DOTALL,
)
_BRIEF = caseless(
    r"[\W_]*(?P<not>(?:(?:do|would|will|wo|can)(?: ?not|n['’]t)|not) )?(?:(?:would|will|highly|strongly) ){0,2}(?:"
    r"(?:recommend(?:ed)?|worth (?:a |re)?\w{3,12}ing|likes?|enjoys?|positive|thumbs up)|"
    r"(?P<against>dislikes?|hates?|skip|avoid|pass|negative|thumbs down|hardly))"
    rf"(?: it| this)?(?: to (?:the|this) {USER})?[*_]{{0,3}}(?=[.!]|\s*(?:\Z|\n))"
)
"""`Would not recommend.`, `Dislike`: a whole first sentence."""
_LAST_SO = caseless(
    r"(?:^|[.!?] )(?:so|therefore|thus|overall|in the end|hence),? (?:it(?:['’]s| is) )?(?:an? )?(yes|no)"
    rf"(?=[.:;!–—-]|, (?:they|he|she|(?:the|this) {USER}|i|not (?:for|recommended))\b)"
    r"(?![^.!?\n]{0,80}(?:\bnot|n['’]t|\bnever)\b[^.!?\n]{0,40}\b(?:dislike|hate|mind|skip|avoid|miss))"
    r"[^.!?\n]{0,200}[.!]?$"
)
"""`… So no, I would not recommend it.`"""
_AFTER_ALL = caseless(
    r"(?:\A|(?<=[.,;:!?…–—-] )|(?<=[.!?…–—]))(?:ok(?:ay)?|well|actually|alright|(?<=no )wait|scratch that)[,:]?"
    r" (yes|no)[*_]{0,3}[.!]?\Z"
)
"""`No... well, yes.`"""


def _declared(text: str) -> set[bool] | None:
    """Return the verdicts that a text calls final, or else calls its answer, together with its first verdict or the
    one that replaces it."""
    if final := meant(one[1] or one[2] for one in FINAL.finditer(text)):
        return final
    begins = BEGINS.match(text)
    words = {
        word.casefold() for word in (*NAMED.findall(text), *_SO.findall(text), *(begins.groups() if begins else ()))
    }
    whole = begins is not None and text[begins.end() :].lstrip('*_"”)')[:1] in (".", "!")  # Пожалуй, да.
    if (
        words & _ALONE
        and not whole
        and {word.casefold() for word in WORD.findall(text[:SEARCH_LIMIT])} & ((_YES | _NO) - words)
    ):
        return {True, False}
    if begins and (later := _later(text, begins)) is not None:
        return later
    return meant(words) or None


_ALONE = word_set("jo ano áno igen da ya ei ne nem nu nej nei có")
"""Words that may mean something else in another language. They count only if the text has no other yes or no."""
_SO = caseless(rf"\bso: ?[*_\"]{{0,3}}({EITHER})(?=[*_\"]{{0,3}}(?:[.!,]|$))")


def _later(text: str, begins: re.Match[str]) -> set[bool] | None:
    """Return the verdicts of a text that begins with one and gives another, or retracts it, later; None if it does
    not."""
    first = meant([begins[1]])
    if _LIKELY.match(text) and len(meant(PLAIN.findall(text))) == 2:
        return {True, False}
    back = RETRACTION.search(text, begins.end())
    if not back and (turned := _CONCLUDED.search(text, begins.end())) and meant([turned[1]]) != first:
        return {True, False}
    if (last := LAST_SENTENCE.search(text, begins.end())) and meant([last[2]]) != first:
        if last[1] == "?":
            return meant([last[2]])  # Yes, a classic. But for them? No.
        if not back:
            return {True, False}
    if back is None:
        return None
    if replaced := _REPLACED.match(text, back.end()):
        return meant([replaced[1]])  # Yes. Actually, no.
    word = _LAST_WORD.search(text, back.end())  # No. Wait, I overlooked … Yes.
    return meant([word[1] or word[2]] if word else [begins[1], *PLAIN.findall(text, back.end())])


_LAST_WORD = caseless(
    r"[.!?] [*_]{0,3}(yes|no)[*_]{0,3}[.!]?\s*$|\b(?:in that case|so|then)[,:]? (?:i(?:['’](?:d|ll)| would| will)?"
    r"(?: have to)? say[,:]? )?(yes|no)\b(?![^\n]*\b(?:yes|no)\b)"
)
_REPLACED = caseless(r"[,:.!…]{0,3}\s[*_]{0,3}(yes|no)[\W_]*\Z")
_LIKELY = caseless(r"[\W_]*(?:(?:most|very|quite) )?(?:likely|probably)\b")


def _concluded(text: str) -> set[bool] | None:
    """Return the verdict of the last words (`They'd like the start, but no.`), unless it depends on something."""
    before, _, last = text[-SEARCH_LIMIT:].rstrip().rpartition("\n")
    found = _CONCLUDED.search(last[-_LAST_SIGNS:])
    if found and not _ON_SOMETHING.search(last):
        return meant([found[1]])
    alone = _LAST_LINE.fullmatch(last) if before else None
    answers_question = before.rstrip(' \n*_"”').endswith("?")  # Have they seen it?⏎No.
    return meant([alone[1]]) if alone and not answers_question and len(meant(PLAIN.findall(text))) == 1 else None


_LAST_LINE = caseless(r"[\W_]{0,9}(yes|no)[\W_]{0,9}")


def _asked_and_answered(text: str) -> set[bool] | None:
    asked = [*_ASKS_ITSELF.finditer(text)]
    if asked and RETRACTION.search(text, asked[-1].end()):
        return {True, False}
    return meant(one[1] for one in asked) or None


_ASKS_ITSELF = caseless(
    rf"\b(?:verdict|answer|conclusion)\b[^\n?.]{{1,60}}\b(?:{TAKE})\b[^\n?.]{{0,40}}\?[ *_]{{1,4}}({EITHER})(?!\w)"
)
"""`Verdict: would they like it? Yes.`"""


def _opening_prediction(text: str) -> set[bool] | None:
    """Return whether the text begins by saying that the user will like the item. A statement about another item is
    not a verdict."""
    if ABOUT_ANOTHER.match(text):
        return set()
    if found := HEDGED.match(text):
        return {(found["un"] is None) == (found["not"] is None)}
    return predictions(text, opening=True) or None


def _without_yes_or_no(text: str) -> set[bool] | None:
    """Return the verdict of a text with neither word: `… Probably not.`, `… so I'd recommend it.`"""
    if PLAIN.search(text):
        return None
    end = text[-SEARCH_LIMIT:]
    if (last := _PROBABLY_NOT.search(end)) and not _OF_ANOTHER.search(end[: last.start() + 1]):
        return {False}
    found = [*_RECOMMENDS.finditer(text[:SEARCH_LIMIT])]
    if any(_SAYS_IF.search(re.split(r"[.!?\n]|, so ", text[: one.start()])[-1]) for one in found):
        return None
    return {one["not"] is None for one in found} or None


_PROBABLY_NOT = caseless(
    r"(?:^|[.!?:\n] ?|, but )[*_]{0,3}(?:(?:so|thus|overall|hence),? )?(?:(?:most )?(?:probably|likely)|definitely"
    r"|certainly|absolutely|almost certainly|rather) not\b[\W_]*$|(?<=[.!] )not recommended[\W_]*$"
)
"""`… any better. Probably not.`"""
_OF_ANOTHER = caseless(r"(?:^|[.!?\n])(?![^.!?\n]*\b(?:like|enjoy|love|watch|recommend)\b)[^.!?\n]*\?$")
"""A question about something else: `Would they be bored?`"""
_RECOMMENDS = caseless(
    r"\bi(?:['’]d| would|['’]ll| will| do| can?)?(?: (?:absolutely|definitely|certainly|still))?(?P<not> ?not|n['’]t)?"
    r"(?: (?:absolutely|definitely|certainly|highly|strongly|happily|still))? (?:recommend|suggest|show"
    r"|offer) (?:it|this|that)(?: (?:movie|film|book|game|item|product|one|title))?"
    rf"(?: to (?:them|him|her|(?:the|this) {USER}))?(?=[.!]|$)"
)
"""`… so I'd absolutely recommend it.`"""


def _predicted(text: str) -> set[bool] | None:
    return predictions(text) or None


def _first_person(text: str) -> set[bool] | None:
    """Return the verdicts of a text with one `I'd say no`. A conditional one is not a verdict."""
    found = [*_SAYS.finditer(text[:SEARCH_LIMIT])]
    if len(found) != 1:
        return None
    before = re.split(r"[.!?\n]", text[: found[0].start()])[-1]
    return set() if _SAYS_IF.search(before) else meant(PLAIN.findall(text))


_SAYS = caseless(
    r"\b(?:i(?:['’]d| would)?(?:(?: have to)? say| think| guess| (?:would )?lean(?: towards?)?)"
    r"|leaning(?: towards?)?|inclined to say),?[ *_\"“]{1,3}"
    r"(?:yes|no)\b[*_\"”]{0,3}(?: to (?:that|this(?: one)?|it)(?=[.,;!]|$)|[,.;!]|$)"
)
"""`Considering the history, I'd say no, they would not.`"""


def _closing(text: str) -> set[bool]:
    """Return the verdicts at the ends of the first and the last line."""
    text = text.strip()
    lines = text.splitlines()
    found = [one for line in lines[:1] + lines[-1:] if (one := _ENDS.search(line[-_LAST_SIGNS:]))]
    concludes = bool(found) and found[-1][0][0] in ":→=.!"  # So: **No**
    if (
        found
        and found[-1][0][0] == "?"
        and any(map(_ASKS_OTHERWISE.search, SENTENCES.split(text[-SEARCH_LIMIT:])[-2:-1]))
    ):
        return set()
    if not found or (not concludes and _DENIES.search(text[-_LAST_SIGNS:])):
        return set()
    verdicts = meant(PLAIN.findall(text))
    if len(verdicts) == 2 or _ON_SOMETHING.search(lines[-1]):
        return verdicts if len(verdicts) == 2 else set()
    return meant(one[one.lastindex or 1] for one in found)


_ENDS = caseless(
    rf"(?:\b(?:say|is|be|a|an|definitely|likely|probably|think|so|clear|strong|therefore|thus|would|overall)\b"
    rf"|[:,→=-])[\s:*_\"'“(-]{{1,5}}({EITHER})[\W_]{{0,6}}$|[.!?)] ({EITHER})[.!]?$"
)
_DENIES = caseless(r"\b(?:not|\w{1,6}n['’]t|never)\b")


def _as_clause(text: str) -> set[bool] | None:
    """Return the verdicts that are clauses of their own (`Given their taste, yes.`, `… slow, but no, …`)."""
    if TAKEN_BACK.search(text):
        return None
    sentences = (one for one in SENTENCES.split(text[:SEARCH_LIMIT]) if not _IS_OPEN.search(one))
    found = (one for sentence in sentences for one in _CLAUSE.finditer(sentence))
    return meant(one[2] for one in found if one[1] or _REASONED.match(one.string)) or None  # They like action, yes.


_IS_OPEN = caseless(rf"{_ON_SOMETHING.pattern}|\?|\b(?:might|maybe|perhaps|some|others?|neither)\b")
_CLAUSE = caseless(
    r"(?:(?<=\w)(?:[,;]| [–—]) |(?=\bbut ))"
    r"((?:(?:but|then|i(?:['’]d| would) say|i think|probably|most likely),? ){0,2})"
    r"(yes|no|ja|nein|oui|non|s[íì]|sim|não|да|нет)(?=[.,;!]|$| [–—-])(?!, (?:but|and)\b)"
)
_REASONED = caseless(
    r"\W*(?:given|based on|considering|since|because|as|judging|although|though|while|despite|overall|da"
    r"|angesichts|vu|étant donné|dado|dato|considerando)\b"
)
"""How a sentence begins that gives reasons before its verdict: `Given their taste, yes.`"""


_RULES = (
    _opening,
    _declared,
    odds,
    _asked_and_answered,
    _concluded,
    _opening_prediction,
    _without_yes_or_no,
    _predicted,
    _first_person,
    idiomatic,
    _as_clause,
    _closing,
)
"""Rules that extract the verdicts of a text, in the order in which they are tried. None passes on to the next one."""
