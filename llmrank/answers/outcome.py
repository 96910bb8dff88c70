"""Stage 6: the Answer that reading ends in, and the checks that all text formats share.

Every Answer has exactly one Outcome: `ok`, `repaired` with the repairs counted, or `unparsed` with a reason. The
functions `answered`, `with_repairs` and `unparsed` are the only places where the Outcome is chosen, so that all formats
count alike. The other functions recognise texts that are not an answer: refusals, error messages, questions back, and
promises to answer later. Each looks only at the opening of the text, where such texts show themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from llmrank.answers.text.envelope import answer_alone
from llmrank.answers.text.normalise import Pattern, caseless
from llmrank.types import Answer, Outcome, Question, Response, Structured

_REFUSAL = caseless(
    r"\b(?:i(?:['’]m| am) (?:sorry|unable|not able|not comfortable|afraid)"
    r"|i (?:can(?:['’]t|not| not)|could(?:n['’]t| not)|won['’]t)"
    r"|(?:sorry|apologi[sz]e|unfortunately|apologies)\b[^.\n]{0,80}"
    r"\b(?:can(?:['’]t|not)|unable|not able|do not|don['’]t)"
    r"|as an? (?:ai|artificial|large language|language model)|it is (?:not possible|impossible) (?:for me )?to"
    r"|(?:not|n['’]t have) enough information|i (?:do not|don['’]t) have any information|without more information)\b"
)
_REFUSAL_ELSEWHERE = caseless(
    r"申し訳(?:ありません|ございません)|(?:抱歉|对不起|對不起|遗憾|遺憾)[^。\n]{0,40}(?:无法|無法|不能|不了)"
    r"|죄송[^.\n]{0,60}(?:없습니다|못합니다|어렵습니다)"
    r"|\b(?:tut mir leid|leider)\b[^.\n]{0,80}\b(?:nicht|keine)\b|\b(?:désolée?|malheureusement)\b[^.\n]{0,80}\bpas\b"
    r"|\b(?:lo siento|lamentablemente)\b[^.\n]{0,80}\bno\b|\bmi dispiace\b[^.\n]{0,80}\bnon\b"
    r"|\b(?:desculpe|lamento|infelizmente)\b[^.\n]{0,80}\bnão\b|(?:извините|к сожалению)[^.\n]{0,80}\bне "
)
"""Refusals in other languages. Used only to name the reason when nothing could be read."""


def is_refusal(response: Response, text: str) -> bool:
    """Return whether the endpoint refused, or the first 400 characters of the text decline to answer."""
    return response.finish_reason in ("refusal", "content_filter") or _REFUSAL.search(text[:400]) is not None


_GOES_ON = caseless(
    r"\b(?:but(?! i (?:have no|cannot|can['’]t|do not|don['’]t))"
    r"|however|still|nevertheless|that said|so here|here (?:is|are))\b|here['’]s|: "
)
_PROMISES = caseless(
    r"\bplease (?:provide|share|send|paste)\b[^.\n]{0,60}\b(?:i['’]ll|i will|i can)(?: \w+)?"
    r" (?:rank|order|sort|recommend)\b"
)


def declines(text: str) -> bool:
    """Return whether the first 400 characters decline to answer without going on to one, or promise an answer once
    the user sends something."""
    if _PROMISES.search(text[:400]):
        return True
    excuses = [*_REFUSAL.finditer(text[:400])]
    return bool(excuses) and _GOES_ON.search(text, excuses[-1].end()) is None


_AWAITS = re.compile(
    r"\b(?:(?:i(?: will|['’]ll| shall| can)|ready to) (?:now )?(?:rank|order|sort|help|recommend|output|answer"
    r"|reply|respond)|once you (?:share|give|provide|send|confirm))\b.{0,400}"
    r"\b(?:please (?:provide|share|send|paste)\b[^.\n]{0,40}\b(?:history|watched|read|films|movies|books|items"
    r"|list|candidates|preferences|ratings|input|data|details|information)|once you (?:share|give|provide|send"
    r"|confirm)"
    r"|when you(?: are|['’]re) ready|waiting for)\b"
    r"|\bonce you(?:['’]ve| have) (?:told|given|shared|sent|confirmed)\b[^.?!\n]{0,80}\blook like\b"
    r"|\bbefore i (?:can )?(?:produce|give|make|offer|rank|order|sort|recommend)\b[^.?!\n]{0,60}"
    r"\b(?:could|can|would|do|may) (?:you|i)\b"
    r"|\b(?:e\.g\.|for (?:example|instance)).{0,200}\bplease (?:provide|share|send|paste)\b",
    re.IGNORECASE | re.DOTALL,
)
_ASKS_FIRST = caseless(
    r"\b(?:could|can|would|will|may) you (?:please |first |also )*(?:tell|send|share|give|provide|let|say|paste"
    r"|list)\b"
    r"|\bplease (?:tell|send|share|give|provide|paste)\b|\b(?:need|have) to know\b"
    r"|\bbefore i can (?:say|tell|choose|rank|rate|answer|judge|decide)\b"
    r"|\bwhat has (?:this|the) \w+ (?:\w+ )?(?:seen|played|read)\b"
    r"|\b(?:müsste|muss|brauche) ich (?:\w+ ){0,4}(?:wissen|mehr)\b"
    r"|\bpourriez-vous|\bj['’]aurais besoin|\bpodrías? (?:decirme|enviarme)|\bnecesit(?:o|aría) saber"
    r"|\bpode (?:enviar|dizer)|\bkunt u|\bмогли бы вы|\bмне нужно знать|请(?:先)?告诉我"
    r"|教えて(?:いただけ|ください)|알려 ?주"
)


def asks_first(text: str) -> bool:
    """Return whether the first 600 characters ask for something before answering (`Could you send me what they have
    seen?`)."""
    return _ASKS_FIRST.search(text[:600]) is not None


_CANNOT_SAY = caseless(
    r"\bi (?:can(?:not|['’]t)|can not|could(?: not|n['’]t)) (?:really |possibly |honestly )?(?:judge|assess|tell|know"
    r"|say)\b(?! (?:that|they|he|she|the|this|it|how) \w)"
    r"|\bkann ich (?:\w+ ){0,3}nicht (?:beurteilen|sagen|einschätzen|wissen)\b"
    r"|\bje ne (?:peux|saurais) pas (?:le )?(?:dire|juger|savoir)\b|\bno (?:lo )?puedo (?:decir|juzgar|saber)"
    r"|\bnon (?:lo )?posso (?:dire|giudicare|sapere)|\bnão (?:posso|consigo) (?:dizer|julgar|saber)"
)


def cannot_say(text: str) -> bool:
    """Return whether the first 600 characters say that the model cannot tell."""
    return _CANNOT_SAY.search(text[:600]) is not None


_EXAMPLE = caseless(r"\b(?:e\.g\.|for (?:example|instance)|looks? (?:something )?like (?:this|so))")


def awaits_input(text: str, *, whole: bool) -> bool:
    """Return whether the first 600 characters only promise an answer once the model gets its input. If the text has
    a `whole` ranking, it must also call it an example."""
    return _AWAITS.search(text[:600]) is not None and (not whole or _EXAMPLE.search(text[:600]) is not None)


_ERROR = caseless(
    r"^\W{0,4}(?:[\w.]{0,40}(?:error|exception|fault)\b|http(?:/\d(?:\.\d)?)? ?\d{3}\b|traceback\b"
    r"|[45]\d\d [A-Z][a-z]+ |bad gateway"
    r"|gateway time-?out|service unavailable|internal server|too many requests|unauthorized|forbidden|not found\b)"
    r"|\berror code\b|[{,] ?['\"](?:error|detail|code|status|message)['\"] ?:(?! ?['\"]?(?:ok|success\w*|done|200)\b)"
    r"|\brate[- ]?limit|\bquota\b|\btimed? ?out\b|\bupstream\b"
    r"|\bcontext length\b|\bmax(?:imum)? tokens\b|\bapi[- ]?key\b|\bretry(?:ing)? (?:in|after)\b"
    r"|\btry again (?:in|later)\b"
    r"|\bconnection (?:error|refused|reset|aborted)|\boverloaded\b|\bstatus code\b|\bserver (?:is )?(?:error"
    r"|busy|unavailable)"
)


def looks_like_error(text: str) -> bool:
    """Return whether the first 300 characters are the message of a failed endpoint rather than an answer."""
    return _ERROR.search(text[:300]) is not None


def is_error_object(text: str) -> bool:
    """Return whether a text is the JSON object with which endpoints report an error, whatever lists it holds."""
    return _ERROR_OBJECT.match(text) is not None


_ERROR_OBJECT = re.compile(r"\s{0,80}\{\s{0,80}\"error\"\s{0,9}:\s{0,9}\{\s{0,80}\"(?:message|code|type)\"")
RETRACTION = caseless(
    r"\b(?:(?<!n['’]t )wait(?! (?:for|to|until|till)\b)|actually|scratch that|correction"
    r"|on (?:second thoughts?|reflection)|(?:let me|to) reconsider"
    r"|thinking (?:about it|it over)|come to think of it|i mean|make that|(?<!no )(?:kidding|joking)"
    r"|(?<=\? )no|(?<=\.\.\. )no(?=,)"
    r"|pensando melhor|pens[áa]ndolo (?:bien|mejor)|ripensandoci|à la réflexion|réflexion faite"
    r"|bei näherer betrachtung"
    r"|corrijo|je corrige|ich korrigiere|correggo)\b"
)
"""Words that retract an answer; the one after them counts."""
TAKEN_BACK = caseless(
    rf"{RETRACTION.pattern}|(?:\A|\n)\W{{0,4}}(?:sorry,|edit:)|\brather:|\bhmm+,? no\b|\bmy mistake\b"
    r"|\b(?:oder|ach) nein\b|\bnein,? (?:besser|moment|entschuldigung)\b|\bdoch lieber\b|\b(?:ou|non,?) plutôt\b"
    r"|\bnon,? pardon\b|\bno,? (?:mejor|perd[óo]n|espera|aspetta|scusa)\b|\bo mejor dicho\b|\bou melhor\b"
    r"|\bo meglio\b|\bnão,? desculp"
    r"|(?<=[.!…] )no,? (?=[\[(*\"]{0,3}\w{1,2}[\])*\"]{0,3}\W*\Z)|\bsay the opposite\b|\bthe other way (?:a)?round\b"
)
"""Words that take back the choice of one item."""
_IRONY = caseless(
    r"\bsaid (?:no[ -]?one|nobody)\b|\byeah,? right\b(?! up)|(?:^|[.!?…] )as if[.!]|[.!…] \W{0,3}not[.!]*\s*$|\s/s\s*$"
    r"|\b(?:in (?:their|your|his|her) dreams|when (?:pigs fly|hell freezes)"
    r"|in (?:another|an alternat(?:e|ive)|a parallel|a different) (?:universe|life|world|timeline))\b"
)


def is_ironic(text: str) -> bool:
    """Return whether the first 600 characters may mean the opposite of what they say (`… said no one ever`)."""
    return _IRONY.search(text[:600]) is not None


_OPTION = r"[*_(\[\"]{0,3}(?:(?:option|item|movie) )?(\w{1,5})[*_)\].\"]{0,3}"
_TICK = r"(?:\[ ?[xX✓✔] ?\]|([☑✅✓✔])\ufe0f?)"
_NO_TICK = r"(?:\[ ?\]|[☐⬜□✗✘❌✕×])\ufe0f?"
_BETWEEN = r"\s*[,;|/]?\s*"
_TICKED = tuple(
    re.compile(rf"(?:(?:{no})(?:{_BETWEEN}))*(?P<ticked>{yes})(?:{_BETWEEN}(?:{no}))*\W*")
    for yes, no in (
        (rf"{_TICK} ?{_OPTION}", rf"{_NO_TICK} ?{_OPTION}"),
        (rf"{_OPTION} ?[:=–—-]? ?{_TICK}", rf"{_OPTION} ?[:=–—-]? ?{_NO_TICK}"),
    )
)


def ticked(text: str) -> str:
    """Return the one option that is ticked, if a text only ticks options (`☑ Yes ☐ No`), otherwise the text."""
    found = next(filter(None, (one.fullmatch(text.strip()) for one in _TICKED)), None) if len(text) < 200 else None
    return re.sub(r"[^\w ]|\[ ?[xX] ?\]", "", found["ticked"]).strip() if found else text


_NEXT_QUESTION = re.compile(r"\n ?(?:Question|Q|User|Human):")
NEXT_ITEM = re.compile(
    r"(?<=\n) ?(?:Movie|Film|Book|Item|Product|Title|Song|Game): ?([^\n]{1,200})\n(?:Rating|Score|Answer):"
)
"""Where the model goes on to another item, whose title the group holds."""
_NEXT_INPUT = re.compile(r"\n\s{0,9}(?:Input:|On a scale from )")
"""Where the model repeats the question for another item."""
_ANSWER_LINE = re.compile(
    r"\W{0,9}(?:(?:movie|film|book|item|product|title|song|game):\W{0,9}\n)?"
    r"(?:[\w ]{0,20}(?:rating|score|answer|choice|output)\W{1,6})?(?:yes|no|[a-z\d](?:[.,]\d)?)\W{0,9}\n",
    re.IGNORECASE,
)
"""A first line that is an answer, perhaps below the name of the item."""


def before_next_question(text: str) -> str:
    """Return the text up to where the model goes on to a question of its own, or to another item once it answered."""
    first, *_ = _NEXT_QUESTION.split(text, maxsplit=1)
    if _ANSWER_LINE.match(first):
        first = _NEXT_INPUT.split(NEXT_ITEM.split(first, maxsplit=1)[0], maxsplit=1)[0]
    return first if first.strip() else text


def read_from_first(response: Response, read: Callable[[Response], Answer], names: Callable[[str], bool]) -> Answer:
    """Return what is read from the text, or if that ranks nothing, from its first paragraph that names something."""
    answer = read(response)
    rest = "" if answer.ranked else _from_first(answer_alone(response.text) or "", names)
    again = read(replace(response, text=rest)) if rest else answer
    return again if again.ranked else answer


def _from_first(text: str, names: Callable[[str], bool]) -> str:
    """Return a text from the first paragraph that names something or leads to it (`:`); "" if that is the first one,
    if there is none, or if a paragraph before it is no plain sentence (`Least relevant`, `None of them fits.`)."""
    parts = text[:_LEAD_LIMIT].split("\n\n")
    begins = next((at for at, part in enumerate(parts) if part.rstrip().endswith(":") or names(part)), 0)
    told = all(_REASON.fullmatch(part) for part in parts[:begins] if part.strip())
    return text[sum(len(part) + 2 for part in parts[:begins]) :] if begins and told else ""


_LEAD_LIMIT = 4000
"""Maximum number of characters in which the first such paragraph is searched for."""
_REASON = re.compile(
    r"(?!.*\b(?:none|neither|not (?:one|any)|cannot|can['’]t|unable|sorry|not enough|need to know|more information"
    r"|avoid\w*|skip|worst|least|runners?-up)\b).*"
    r"(?:[.!。！…]|\b(?:recommendation|answer|choice|pick|verdict|match|analysis|reasoning))[*_\"”)\s]*",
    re.IGNORECASE | re.DOTALL,
)
"""A paragraph of sentences that may give the reason for the choice below it, or the heading of one of the two."""


def without_remarks(text: str, says_more: Pattern) -> str:
    """Return a text without the last sentences that have none of these words (`so 3. This fits their taste.`)."""
    for _ in range(_REMARKS):
        last = _LAST_SENTENCE.search(text, max(len(text) - _REMARK_LIMIT, 0))
        if last is None or says_more.search(last[0]) or not says_more.search(text[: last.start()]):
            break
        text = text[: last.start()]
    return text


_REMARKS, _REMARK_LIMIT = 4, 400
"""Maximum number of remarks, and of characters in one."""
_LAST_SENTENCE = re.compile(r"(?<=[\w)*][.!])[*_\"”)]{0,3}\s+[^\s.!?][^.!?\n]*[.!]?[*_\"”)]{0,3}\s*\Z")
LEAST_MASS = 0.5
"""Answers whose labels have less total probability than this are flagged (repair `low_label_mass`)."""


class TextFormat:
    """Base of the answer formats. By default a format reads no log-probabilities and sets no constraint."""

    __slots__ = ()

    def labels(self, question: Question) -> tuple[str, ...]:
        """Return no labels: the format reads no log-probabilities."""
        return ()

    def structured(self, question: Question) -> Structured | None:
        """Return None: the format sets no constraint."""
        return None


_WITHOUT_TEXT = {"length": "truncated", "tool_calls": "tool_call", "function_call": "tool_call"}
"""Finish reason -> why there is no text."""


def unparsed(response: Response, text: str | None, reason: str, repairs: Mapping[str, int] | None = None) -> Answer:
    """Return an unparsed Answer. `reason` is replaced if something simpler explains the failure: no text, truncation,
    or a refusal.

    `text` is the answer without its reasoning, None if the reasoning never ended.
    """
    if text is None:
        reason = "truncated"
    elif is_refusal(response, text) or _REFUSAL_ELSEWHERE.search(text[:400]):
        reason = "refusal"
    elif not text.strip():
        reason = _WITHOUT_TEXT.get(response.finish_reason, "empty")
    return Answer(Outcome.UNPARSED, reason, _counted(repairs))


def answered(
    response: Response,
    repairs: Mapping[str, int],
    *,
    ranked: tuple[str, ...] = (),
    value: float | None = None,
    scores: Mapping[str, float] | None = None,
    matches: Mapping[str, int] | None = None,
    label_mass: float | None = None,
) -> Answer:
    """Return an Answer that is `ok`, or `repaired` if any repair was counted or the text was truncated."""
    cut_off = response.finish_reason in ("length", "content_filter") or bool(repairs.get("truncated"))
    repairs = _counted({**repairs, "truncated": int(cut_off)})
    outcome = Outcome.REPAIRED if repairs else Outcome.OK
    return Answer(outcome, "", repairs, ranked, value, scores, _counted(matches), label_mass)


def with_repairs(answer: Answer, repairs: Mapping[str, int]) -> Answer:
    """Add repairs to an Answer, which makes it `repaired`. An unparsed Answer stays unchanged."""
    counted = _counted(repairs)
    if not counted or answer.outcome is Outcome.UNPARSED:
        return answer
    return replace(answer, outcome=Outcome.REPAIRED, repairs={**answer.repairs, **counted})


def missing(named: int, offered: int, top: int | None) -> int:
    """Return how many items the answer still lacks, of the `top` that were asked for or of all that were offered."""
    return max(0, min(top or offered, offered) - named)


def _counted(counts: Mapping[str, int] | None) -> dict[str, int]:
    return {name: count for name, count in (counts or {}).items() if count}
