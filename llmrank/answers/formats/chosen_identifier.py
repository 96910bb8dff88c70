"""Find the identifier that an answer chooses, among those that it names (`Option 8 is good, but I'd go with 2`).

The text may rule identifiers out (`not A`), call one its answer, or count things with numbers. Of those that are left,
the first rule that applies decides: see `plainest`.
"""

from __future__ import annotations

import re
from itertools import pairwise

from llmrank.answers.formats.chosen_title import LATTER, SEARCH_LIMIT
from llmrank.answers.items.identifiers import Word, starts_with_identifier
from llmrank.answers.outcome import TAKEN_BACK
from llmrank.answers.text.normalise import caseless
from llmrank.answers.text.predictions import USER

_CALLED = caseless(
    r"(?:answer|choice|choose|select(?:ed)?|pick|best|most (?:relevant|likely)(?: \w+){0,3}|recommend|prefer"
    r"|(?<!each )(?<!every )option"
    r"|(?:pick|choose|name|keep|recommend) (?:just |only )?one(?! (?:of|between|among|from|over|like|than)\b)"
    r"|(?:pick|choose|name) (?:just |only )?one, i(?:['’]d| would) say"
    r"|(?:better|stronge(?:r|st)|close(?:r|st)) (?:match|fit|one)|go(?:ing)? (?:with|for)|settle (?:on|for)"
    r"|best (?:fit|choice|match|pick|option) for (?:the|this|an?|them|him|her|you)\b[^.;:,\n]{0,60} is"
    r"|i(?:['’]d| would) take (?:them|him|her) to"
    r"|in favou?r of|i(?:['’]d| would) take|would be|ha(?:s|ve) to be|must be|it is|(?<!, )it['’]s"
    r"|(?<=, )(?:so|hence|thus)"
    r"|lean(?:ing)?(?: towards?)?|je (?:choisi(?:rais|s)|prendrais|pencherais pour|opterais pour"
    r"|recommande(?:rais)?)|am besten passt|bensì|würde ich|ich (?:würde"
    r"|empfehle|wähle|nehme|tendiere|greife)(?: (?:hier|eher|wohl))?(?: zu)?"
    r"|me quedo con|je (?:garde|retiens|prends)|ich bleibe bei|fico com|tengo per|ik kies"
    r"|elegir[ií]a|recomendar[ií]a|recomiendo|sceglierei|consiglierei|escolheria"
    r"|beste (?:wahl|option)|mejor (?:opción|elección)|meilleur choix|scelta migliore|melhor (?:opção|escolha)"
    r"|подойд[её]т|рекомендую|выбираю|лучший (?:выбор|вариант)"
    r"|最(?:合适|适合|佳|好|推荐)的?(?:选择|选项)?是(?:选项|第)?|(?:一番|最も)(?:おすすめ|適)[^\s\dA-Za-z。]{0,8}は|"
    r"(?:おすすめ|お勧め)は"
    r"|推[荐薦](?:选项|第)?|[选選][择擇]第?|mon choix|meine wahl|mi elección|la mia scelta|minha escolha"
    r"|antwort|réponse|respuesta|resposta|risposta|ответ|答案|答え|正解は|정답|svar|odpověď|vastaus|válasz"
    r"|cevap|yanıt|jawaban|đáp án|választás|wybór|výběr|volba|valinta|seçim|pilihan"
    r"|lựa chọn|alegere\w{0,4}|(?:bästa|beste|bedste) val(?:et|get|g)?|επιλογή|вибір|выбор)"
    r"(?: ?:)?(?: (?:is|are|would be|wäre|serait|sería|seria|sarebbe|therefore|thus|clearly|the|remaining|n|number"
    r"|recommendation|choice|match|fit|pick|passage|document|item|movie"
    r"|film|product|option|candidate|one|identifier|ist|est|es|le|la|el|il|die|das|numéro|nummer|número|numero"
    r"|cours|livre|produit|jeu|titre|curso|libro|corso|kurs|buch|course|book|game|song|track"
    r"|for (?:this|the) (?:user|customer|viewer|reader)|(?:para|pour|für|per) (?:\w+ ){2}(?:es|est|ist|è"
    r"|é))\b)*+[\s:=*_\"'(\[\]#°º-]{0,6}$"
)
_LEAVES, _ENDS = (
    caseless(r"\b(?:that|which) leaves(?: us with)?[ *_\"(\[]{1,4}$"),
    re.compile(r"[\])*_\"]{0,4}(?:[.!]|\s*$)"),
)
"""`That leaves D.`"""


def declared(words: list[Word], text: str) -> list[Word]:
    """Return the identifiers that the text calls its answer; if there are several, the one it says it chooses."""
    before = {word: text[max(0, word.start - 80) : word.start].replace("_", " ") for word in words}
    called = [
        word
        for word in words
        if _CALLED.search(before[word])
        or _CHOSEN_BEHIND.match(text, word.end)
        or (_LEAVES.search(before[word]) and _ENDS.match(text, word.end))
        or (_LIKED.search(before[word]) and not _BUT_OTHERS.match(text, word.end))
    ]
    if len({word.text for word in called}) > 1:  # Option 8 is good, but I'd go with 2
        chosen = [word for word in called if _CHOSEN.search(before[word]) or _CHOSEN_BEHIND.match(text, word.end)]
        called = chosen if len({word.text for word in chosen}) == 1 else called
    return called + [two for one, two in pairwise(words) if one in called and _is_alternative(one, two, text)]


_CHOSEN = caseless(
    r"\b(?:(?:name|pick|choose|recommend) (?:just |only )?one,? (?:(?:it )?(?:has to be|would be|is)|i(?:['’]d"
    r"| would) say)|(?:i['’]d|i would|i['’]ll|i will) (?:go with|pick|choose|select|take)|my (?:pick|choice|answer) is"
    r"|(?:1st|first|top|primary) (?:choice|pick|option|recommendation):?|answer(?: is)?:?"
    r"|best (?:fit|match|choice|option|pick)(?: (?:here|overall))? (?:is|would be))"
    r"(?: (?:the )?(?:option|movie|film|title|item|product|passage|candidate|book|game|number))?[\s:*_\"'(\[]{1,6}$"
)
"""Words that mark one identifier as the choice while others are only called options."""
_CHOSEN_BEHIND = caseless(
    r"[\])*_\"]{0,4} (?:is|would be|remains) (?:(?:clearly|probably|definitely|still) )?(?:the|a) "
    r"(?:(?:much|far|clearly) )?(?:best|better|strong(?:er|est)|clos(?:er|est)|safe(?:r|st)|right|ideal"
    r"|most \w{3,12}) (?:choice|pick|fit|option|match|bet(?!,)|one)\b(?![^.;\n]{0,60}\b(?:if|but|unless|except|had"
    r"|the more)\b)"
    r"|[\])*_\"]{0,4} (?:(?:clearly |still |definitely )?(?:comes out on top|wins\b|stands out|(?:fits|suits"
    r"|matches)(?: [^.;\n]{1,60})? best\b|suits (?:them|this \w+) best)"
    r"|is (?:(?:clearly|probably|definitely) )?(?:the best|(?:the )?closest)(?= (?:to|for|here|among|overall|of)\b"
    r"|[.,;!]|$)|it is(?=[.,!]|$)|is what i['’]d (?:choose|pick)\b|makes (?:more|the most) sense\b(?! if\b))"
    r"|[\])*_\"]{0,4} ?番の?[^.\n]{0,60}が(?:一番|最も)(?:おすすめ|適)"
    r"|[\])*_\"]{0,4} ?番?を(?:(?:おすすめ|お勧め|推薦|選択)し|選び)(?:ます(?!か|が)|たい)"
    r"|[\])*_\"]{0,4} (?:passt (?:hier |wohl )?)?am (?:besten|passendsten|geeignetsten)\b(?! nicht)"
    r"|[\])*_\"]{0,4}(?: \([^()\n]{1,60}\))? (?:est|serait|es|sería|é|seria|è|sarebbe|ist"
    r"|wäre) (?:\w+ )?(?:le meilleur|la meilleure|(?:el|la) mejor"
    r"|la migliore?|(?:a|o) melhor|(?:la|le|el|il|a|o) (?:m[áa]s|plus|più|mais) \w+|la scelta migliore|die beste)\b"
    r"|[\])*_\"]{0,4}(?: (?:ist|wäre))? die be(?:ste|ssere) wahl\b"
    r"|[\])*_\"]{0,4}(?: [^.;:,!?\n]{1,60})? (?:is|would be) (?:the (?:one|movie|film|book|game|item|product|option) "
    r"(?:that )?i(?:['’]d| would|['’]ll) (?:go with|pick|choose|recommend|take)|my (?:final )?(?:pick|choice"
    r"|answer))\b(?![^.;\n]{0,60}\b(?:if|but|unless|except|had)\b)"
)
"""`[4] Se7en is the one I'd go with`"""
_LIKED = caseless(
    rf"(?:^|[.!?:\n]\s{{0,3}})(?:(?!(?:if|unless|when|while)\b)[^.!?:,\n]{{1,60}}, )?(?:so |i (?:think|believe) )?"
    rf"(?:(?:the|this) {USER}|they|he|she) (?:will|would) (?:probably |likely |definitely |most )?"
    r"(?:enjoy|like|love|appreciate)(?: most)?(?: option| number)?[\s:=*_\"'(\[#]{1,6}$"
)
_BUT_OTHERS = caseless(r"[\])*_\"]{0,4}(?:['’]s\b|,? (?:but|yet|though|while|if|or|and(?! least)|less|more|only)\b)")
"""`They would enjoy D.`, but not `They would enjoy A, but D …`"""


def _is_alternative(one: Word, two: Word, text: str) -> bool:
    """Return whether the text leaves it open which of two identifiers it means: `I recommend A or D`."""
    joined = _OR.fullmatch(text, one.end, two.start)
    return joined is not None and (joined[1] not in ("and", "et", "y", "und") or _ENDS.match(text, two.end) is not None)


_OR = re.compile(
    r"[\])*_\"]{0,4} ?(or|ou|o|oder|или|或者?|か|and|et|y|und|[=~/&+]+)(?: (?:option|number))? ?[\[(*_\"]{0,4}"
)
_DENIED = caseless(
    r"\b(?:not|\w{1,6}n['’]t|never|nor|neither|nicht|pas|no(?!,| wait| contest| doubt| question)|не|weder|noch"
    r"|ni)\b[^.;\n]{0,20}\Z|n['’]t recommend \w{1,3} through $|(?:而不是|而非|不推[荐薦])[\W第]{0,6}$"
    r"|\b(?:non|não|niet)\b[^.,;\n]{0,20}\Z"
    r"|(?:不(?:会|會|要|能|是|太|喜|选|選|建|可|适|適)|别选|別選|没有?推)[^。，,;；\n]{0,8}$"
    r"|(?:除了|跳过|跳過|看过|看過) ?$"
)
_DENIED_BEHIND = re.compile(
    r"[\])*_\"]{0,4} ?(?![^。\n]{0,12}(?:間違い|しか|かも|他なら|以外))"
    r"(?:[^。、，,.\n]{0,20}(?:ない|ません|ではなく|嫌い|見ました|見てい|見たで)|不(?:合适|合適|适|適|行|好|推)"
    r"|[가는은를을] ?[^。.,\n]{0,10}(?:아니|아닙|않))"
)
"""`Aではありません`, `A不合适`: what denies an identifier behind it."""
_ALL_BUT = (
    r"(?:any|every|all|alle|jede|tou[ts]|tod[oa]|cualquier|qualquer|tutt)\w{0,6}"
    r"(?: (?:of|the|these|those|them|others?|ones?|options?|items?|movies?|films?|books?|titles?|der|den|les|los|gli"
    r"|os)){0,3}"
    r" (?:but|except|besides|bar|save|other than|apart from|außer|bis auf|sauf|excepto|menos|exceto|tranne)(?: for)?"
)
_AVOIDED = caseless(
    rf"\b(?:avoid|(?:stay|keep) away from|skip|{_ALL_BUT}"
    r"|reject|exclude|drop|leave out|rul(?:e|ed|es|ing) out|pass on|dislikes?"
    r"|hates?|(?<!at )least|less(?= (?:relevant|likely|suitable|recommended|preferred|fitting)\b)|worst|weakest"
    r"|poorest|lowest|runners?-up|second (?:choice|pick|option)"
    r"|first (?:thought|instinct|guess)|tempted by)\b"
    r"(?:\W{1,3}(?:one|it|this|that|the|these|two|among|them|all|here|clearly|definitely|probably|of|to|for|in|would"
    r"|be|is|was|are|most|my|your|user|pick|choice|option|movie|film|title|item|product|passage|candidate|match|fit"
    r"|number|relevant|likely|suitable|recommended|preferred)\b)*+\W{0,6}$"
)
"""`If I had to avoid one, it would be A`, `The worst choice is A`."""
_EXAMPLE = caseless(r"\b(?:e\.g\.|for (?:example|instance)|such as)\W{0,4}$")
_ALSO = re.compile(
    r"[ ,/*]{0,5}(?:(?:and|or|nor|through|to) |[–-] ?)?(?:(?:the )?(?:option|movie|film|title|item|product|passage) )?"
)
_WORSE = caseless(
    r"\W{0,4} (?:is|are|would be|seems|feels|looks|was)(?: \w+)? (?:not|n['’]t|less|least|worse|worst|unlikely"
    r"|irrelevant|too|bad|poor|weak|wrong|mistake|out(?! of))\b|\W{0,4} isn['’]t\b|\W{0,4} would have been my\b"
    r"|\W{0,4} (?:is|are|would be|would have been) an? (?:reasonable|good|solid|decent) (?:second|backup)"
    r"(?= (?:choice|pick|option|best)\b|[.,;!]|$)"
    r"|\W{0,4} (?:is|are|would be|would have been|comes?)(?: (?:my|the|an?|close|clear|in|as)){0,3}"
    r" (?:runners?-up|second\b(?! to none)|backup)|\W{0,4} (?:wäre|ist|serait|est|sería|es|seria|é|sarebbe|è)(?: \w+)?"
    r" (?:zweite|deuxième|second[eao]?|segund[ao])\b|\W{0,4} (?:is|seems)(?: \w+)? (?:not )?(?:irrelevant|unsuitable)\b"
    r"|\W{0,4} (?:is|are|was) (?:what|(?:the (?:only )?)?one)\b[^.;\n]{0,40}"
    r"\b(?:avoid|skip|never|not\b(?! (?:miss|only)))"
    r"|\W{0,4} (?:scores?|ranks?|rates?|comes?|falls) (?:\w+ )?(?:lower|worse|less|last|below|short|behind)\b"
    r"|\W{0,4} (?:lacks\b|(?:is|seems|feels) (?:\w+ )?(?:off|weaker)(?=[.,;!]|$)"
    r"|(?:has|is|was|features|stars) [^.,;:\n]{1,40}, wh(?:om?|ich) (?:they|he|she|the \w+)"
    r" (?:dislikes?|hates?|avoids?)\b)"
    r"|[\])*]{0,4} (?:\w+ )?(?:también|aussi|auch|anche|também|тоже)\b|[\])*]{0,4} ?(?:番も|も(?!の)|也)"
    r"|[\])*]{0,4} ?<|[\])*\"'’]{0,4} ?(?:[:=?–—-] ?)?(?:no\b(?!,? wait| doubt| question| contest)|❌|✗|✘|👎)"
)


def not_ruled_out(words: list[Word], text: str) -> list[Word]:
    """Return the identifiers that the text does not rule out (`not A`), in order."""
    kept: list[Word] = []
    denied, end = False, 0
    for word in words:
        denied = bool(
            (denied and _ALSO.fullmatch(text, end, word.start))
            or _DENIED.search(text[max(0, word.start - 40) : word.start])
            or _AVOIDED.search(text[max(end, word.start - 80) : word.start])
            or _EXAMPLE.search(text[max(0, word.start - 20) : word.start])
        )
        end = word.end
        behind = text[word.end : word.end + 60]
        if not denied and not _WORSE.match(behind) and not _DENIED_BEHIND.match(behind):
            kept.append(word)
    return kept


_IF_THEY = caseless(
    r"[\])*_\"]{0,4}(?: \([^()\n]{1,80}\))? (?:if|when) (?:they|he|she|you|the \w+)(?:['’]re| are| were)?"
    r" (?:want|prefer|like|love|feel|need|enjoy|in)\w{0,3}\b",
    r"[\])*_\"]{0,4},? but only (?:if|when)\b",
    r"[\])*_\"]{0,4} would (?:be|win|have)\b[^.;,\n]{0,60}\b(?:if|were it not)\b",
)
"""`Choose A if they want action`"""
_THAN, _NOTHING = (
    caseless(r"\b(?:better|more|less) (?:\w+ )?than\W{0,4}$"),
    caseless(r"\b(?:no|none|nothing|not|never)\b"),
)


def is_aside(word: Word, text: str) -> bool:
    """Return whether an identifier is chosen on a condition, or is only what something else is better than."""
    before = text[max(0, word.start - 60) : word.start]
    if _OR_ELSE.search(text[max(0, word.start - 200) : word.start]):
        return True
    return bool(_IF_THEY.match(text, word.end) or (_THAN.search(before) and not _NOTHING.search(before)))


_OR_ELSE = caseless(r"\b(?:unless|otherwise|or else|in which case)\b[^.!?\n]{0,160}\Z")
"""`A unless they dislike long films, then B`"""
_NOUN = caseless(
    r"\b(?:movie|film|title|item|product|passage|candidate|option|book|game|song|article|produkt|produit|produc?to"
    r"|livre|number|nummer|n[úu]mero|numéro|película)\W{1,4}$"
)
_BOTH_OF = caseless(r"\bboth \d{1,2} and \Z")
"""`Both 2 and 4 are strong candidates`"""
_COUNTED = re.compile(
    r" (?:(?:[A-Za-z-]{2,20} ){0,2}"
    r"(?:thing|question|point|candidate|movie|film|item|option|book|product|passage|headline|game|song|title"
    r"|rating)s?|are"
    r"|were|stars?(?! [A-Z])|points?|of (?:the|these|those|them)|hours?|minutes|horas?|heures?|stunden?|minutos?"
    r"|minuten|minuti|días?|jours|tagen?|giorni|años|jahren?|euros?|years?|times|awards?|oscars?|seasons?"
    r"|pages|people|users|others?)\b"
)
_NOUN_BEHIND = re.compile(r" (?!(?:is|was|has|would|because|since|as|for|and|or)\b)[a-z]{3,}")
AROUND = " \t\n*_.)]\"'!"


def is_count(word: Word, text: str) -> bool:
    """Return whether a bare number counts things: `none of the 10 candidates`, `the 1 original`."""
    if word.bracketed or not word.text.isdigit() or _NOUN.search(text[max(0, word.start - 20) : word.start]):
        return False
    pattern = _NOUN_BEHIND if text[: word.start].endswith("the ") else _COUNTED
    if _BOTH_OF.search(text, max(0, word.start - 12), word.start):
        return False
    return pattern.match(text, word.end) is not None


def is_meant(word: Word, text: str) -> bool:
    """Return whether a number beside titles is an identifier: it is called the choice, follows a noun, or ends the
    text."""
    before = text[max(0, word.start - 80) : word.start]
    return bool(_CALLED.search(before) or _NOUN.search(before) or not text[word.end :].strip(AROUND))


_WITH_WORDS = re.compile(r"[*_\"]{0,3}(?:[\]).:]{1,2}| ?[=:–—-])[*_\"]{0,3} ?\S")
_SO = "so|quindi|also|donc|luego|daher|dus|portanto|thus|therefore|hence|answer"
_SO_ALONE = caseless(rf"\W*(?:(?:{_SO})\W{{1,3}})?")


def beside_options(words: list[Word], text: str) -> list[Word]:
    """Return the identifier that stands alone below or above the options, which the text repeats as they were shown,
    each with words of its own."""
    for alone, options in ((words[-1], words[:-1]), (words[0], words[1:])):
        shown = [word.position for word in options]
        of_two = len(shown) > 1 and alone.position in shown == [*range(len(shown))]
        begins, ends = text.rfind("\n", 0, alone.start) + 1, text.find("\n", alone.end)
        is_alone = _SO_ALONE.fullmatch(text, begins, alone.start) and not any(
            map(str.isalnum, text[alone.end : ends if ends >= 0 else len(text)])
        )
        if of_two and is_alone and all(_WITH_WORDS.match(text, word.end) for word in options):
            return [alone]
    return []


def leading(words: list[Word], text: str) -> list[Word]:
    """Return the identifiers that begin a line."""
    return [word for word in words if starts_with_identifier(word, text, text.rfind("\n", 0, word.start) + 1)]


_IN_WORDS = re.compile(r"[a-z]{3}")
_LINE_BEGINS = caseless(rf"(?:[.!]\s{{0,9}}\n|[.!?] (?:(?:{_SO}),? )?)[ \t*_(\[\"']{{0,6}}$")


def plainest(words: list[Word], text: str, offered: int) -> list[Word]:
    """Return the identifiers that the first rule that applies chooses, of the `offered` items; several are ambiguous.

    In turn: the former or the latter of two; all where the text speaks of both; the first line of a ranked list; a last
    line `Answer: E`; the final answer. Then, only among those behind words that take a choice back: a last line of one
    identifier; the first of `B > A > C`; what the text calls its answer; what follows a noun; what it praises; what it
    begins with; all of them.
    """
    for rule in (_at_rank_one, _of_two, _of_both, _first_of_list, _on_answer_line, _final):
        if found := rule(words, text):
            return found
    begun = starts_with_identifier(words[0], text)
    if (back := TAKEN_BACK.search(text)) and (after := [word for word in words if word.start > back.start()]):
        words = after
    called = declared(words, text)
    before = "" if text[words[-1].end :].strip(AROUND) else text[: words[-1].start]
    if _LINE_BEGINS.search(before) and _IN_WORDS.search(before) and not (begun or called):
        return words[-1:]  # I'd rule out A, and B loses by a hair.⏎⏎**D.**
    if len(words) > 1 and all(_OVER.fullmatch(text, one.end, two.start) for one, two in pairwise(words)):
        return words[:1]
    rest = called or _behind_nouns(words, text) or _praised(words, text, offered)
    return rest or (_beginning(words, text) if begun else []) or words


_OVER = re.compile(r"[\])*\"']{0,4} ?> ?[\[(*\"']{0,4}")
"""`B > A > C`"""


def _at_rank_one(words: list[Word], text: str) -> list[Word]:
    """`Rank 1: B, Rank 2: A`"""
    first = [word for word in words if _RANK_ONE.search(text[max(0, word.start - 40) : word.start])]
    return first if len(first) == 1 and _RANK_TWO.search(text[:SEARCH_LIMIT]) else []


_RANK_ONE, _RANK_TWO = (
    caseless(rf"\b(?:rank|place|position) ?#?{number}\b\W{{1,4}}(?:(?:item|option|movie|passage) )?{end}")
    for number, end in ((1, "[\\[(*]{0,3}$"), (2, ""))
)


def _of_two(words: list[Word], text: str) -> list[Word]:
    """`The latter.`"""
    found, two = LATTER.search(text), [*dict.fromkeys(word.text for word in words)]
    if found is None or len(two) != 2:
        return []
    return [word for word in words if word.text == two[found[1].casefold() == "latter"]][:1]


def _of_both(words: list[Word], text: str) -> list[Word]:
    """`Both A and B are good, but I'd pick B`; all if it calls none its answer."""
    if not _EACH_FOR.search(text[:400]) or len({word.text for word in words}) < 2:
        return []
    called = declared(words, text)
    return called if len({word.text for word in called}) == 1 else words


_EACH_FOR = caseless(r"\b(?:both|either|equally|neither)\b")


def _first_of_list(words: list[Word], text: str) -> list[Word]:
    """Return the identifier of the first line if the lines are ranked (`1. E`, `2. A`); nothing if they are not."""
    starts = {found.end(): int(found[1]) for found in _RANKED_LINE.finditer(text[:SEARCH_LIMIT])}
    listed = [(word, starts[word.start]) for word in words if word.start in starts]
    counted = [number for _, number in listed] == [*range(1, len(listed) + 1)]
    return [listed[0][0]] if counted and len({word.text for word, _ in listed}) == len(listed) > 1 else []


_RANKED_LINE = re.compile(
    r"^[ \t>*_#-]{0,8}(\d{1,2})[.)]:?[ \t*_\"(\[]{1,6}(?:(?:Item|Option|Movie|Film|Product|Candidate|Book|Passage) )?"
    r"[\[(]?",
    re.MULTILINE,
)


def _on_answer_line(words: list[Word], text: str) -> list[Word]:
    """`The better pick is E.⏎⏎Answer: E`"""
    introduced = [word for word in words if _ANSWER_LINE.search(text, max(0, word.start - 60), word.start)]
    return introduced if len(introduced) == 1 and words[-1] is introduced[0] else []


_ANSWER_LINE = caseless(r"(?:\A|\n)\W{0,6}(?:my |the )?(?:answer|choice|pick)(?: is)?[\s:*_\"(\[]{1,6}$")


def _final(words: list[Word], text: str) -> list[Word]:
    """`Corrected answer: C`, after a first one."""
    final = [word for word in words if _FINAL.search(text[max(0, word.start - 40) : word.start])]
    if not final or TAKEN_BACK.search(text, final[-1].end):
        return []
    return final[-1:] if _CORRECTED.search(text[max(0, final[-1].start - 40) : final[-1].start]) else final


_FINAL, _CORRECTED = (
    caseless(rf"\b(?:{word}) (?:answer|choice|pick|decision|recommendation)(?: is|:)*[\s*_\"'(\[]{{0,6}}$")
    for word in ("corrected|revised|updated|final", "corrected|revised|updated")
)


def _behind_nouns(words: list[Word], text: str) -> list[Word]:
    """`I would take product 4, as two of their …`: of several numbers, the one after such a noun is an identifier."""
    if len({word.text for word in words}) < 2 or not all(word.text.isdigit() for word in words):
        return []
    return [word for word in words if _NOUN.search(text[max(0, word.start - 20) : word.start])]


def _praised(words: list[Word], text: str, offered: int) -> list[Word]:
    """`B is the most relevant`; `B is better`, where two are offered."""
    found = ((word, _BETTER.match(text[word.end : word.end + 60])) for word in words)
    return [word for word, praise in found if praise and (offered == 2 or not praise["than"])]


_BETTER = caseless(
    r"\W{0,4} (?:is|are|would be|seems|has)(?: (?:a|the|much|clearly|far|probably|likely"
    r"|by far))* (?:(?P<than>better(?![ -]known)|more(?= (?:relevant|likely|suitable|fitting|similar"
    r"|appealing|appropriate|in line|aligned|closely|of an?|interesting|consistent|compatible|to)\b))|most|best)\b"
    r"(?![^.;\n]{0,60}\b(?:if|but|unless|except|had)\b)"
)


def _beginning(words: list[Word], text: str) -> list[Word]:
    """Return the identifier with which a text begins, unless it weighs several (`A: 0.2, B: 0.8`, `A: too slow. B: a
    good match.`)."""
    scored = {word.text for word in words if _WEIGHED.match(text, word.end)}
    lines = {word.text for word in leading(words, text) if _ends_there(word, text)}
    weighs = [word.position for word in words[:2] if _WEIGHS.match(text, word.end)] == [0, 1]
    return words[:1] if len(scored) < 2 and len(lines) == 1 and not weighs and _ends_there(words[0], text) else []


_WEIGHED = re.compile(r"[\])*\"'’]{0,4} ?[:=(–—-] ?\d")
_WEIGHS = re.compile(r"[\])*_\"]{0,4} ?:")


def _ends_there(word: Word, text: str) -> bool:
    if _GOES_ON.match(text, word.end):
        return False
    return _ALIKE.match(text, word.end) is None


_GOES_ON = re.compile(r"[*_\"')\]]{0,4}(?: \w|/| ?[=~/&+]{1,3} ?[\[(*_\"]{0,4}[A-Z\d]{1,2}\b)")
_ALIKE = re.compile(
    r"[\])*]{0,3}(?:, ?[\[(*]{0,3}\w{1,2}[\])*]{0,3}){0,9},? and [\[(*]{0,3}\w{1,2}[\])*]{0,3}"
    r" (?:are|were|have|all|both)\b"
)
"""`1, 2 and 3 are crime films`"""
