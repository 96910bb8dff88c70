"""What sentences that weigh candidates against each other choose: `While B is good, A is better`, `Instead of B, A`.

The candidates have been replaced by marks, so that the same rules serve identifiers and titles. First, what a sentence
sets aside is removed: a concession, a reason, what something is better than, what it denies. Then each clause that is
left may choose the one candidate that it names. A text whose clauses choose two is not decided here.
"""

from __future__ import annotations

import re

from llmrank.answers.outcome import TAKEN_BACK, asks_first, looks_like_error
from llmrank.answers.text.normalise import caseless
from llmrank.answers.text.predictions import USER

_LIMIT = 4000
"""Maximum number of characters of a text that is searched for clauses."""
_M = r"⟦\d+⟧"
_AND = r"(?:,? (?:and|or|nor|und|oder|noch|et|ou|ni|y|o|e|né|nem|и|или|ни) | )"
_G = rf"{_M}(?:{_AND}{_M})*"


def mark(at: int) -> str:
    """Return the mark that stands for the candidate at a position."""
    return f"⟦{at}⟧"


_NOUNS = (
    "option|candidate|item|movie|film|book|game|song|passage|product|title|number|choice|вариант|opción|opzione|opção"
)
_DRESSED = caseless(
    rf"(?:\b(?:the |la |l['’]|a )?(?:{_NOUNS})[ :]{{1,2}})?[\[(*_\"“„«'‘《「『#]{{0,4}}({_M})[\])*_\"”»'’》」』]{{0,4}}"
)
_TWICE = re.compile(r"(⟦\d+⟧)(?:[ :.–—-]{1,3}|(?= ?\())\(?\1\)?")
_LIST = re.compile(rf"{_M}(?:, {_M})+(?={_AND}{_M})|{_M}(?:, {_M})*,(?= (?:and|or|nor|und|oder|et|ou|y|e|и|или) {_M})")
_WEIGHED = (
    "while|(?:al|even )?though|although|whereas|despite|obwohl|auch wenn|bien que|même si|aunque|anche se|sebbene"
    "|embora|хотя|虽然|尽管"
)
_TAIL = rf"[^.;:!?\n→]{{0,80}}{_M}(?:(?!, (?:i|my|the|so)\b)[^.;!?\n→]){{0,120}}"
_REJECTED = caseless(
    rf"(?:^|(?<=[.!?;:] )|(?<=, ))(?:{_WEIGHED}|much as|as \w+ as)\b ?[^.;!?\n,]{{0,200}}, ?(?:但是?)?",
    rf"\b(?:neither|weder|ni|né|nem|none of) {_G}[^.;:,!?\n⟦]{{0,60}}",
    rf"\b(?:not|nicht|no|non|não|не) {_G}(?: (?:this time|again|tonight))?"
    r"(?=,? (?:but|sondern|sino|ma|mas|mais|а)\b|[,.;:]|$)",
    r"\b(?:instead of|rather than|unlike|apart from|(?:an)?statt|plutôt que|au lieu de|en lugar de|en vez de|invece di"
    rf"|em vez de|вместо) (?:(?:choos|pick|recommend|watch)ing )?{_G},?",
    rf"(?<=[\w⟧)]),? (?:{_WEIGHED}|followed by) (?![^.;!?\n]{{0,120}}\b(?:better|best|closer|(?:user|they|he|she)"
    rf"(?:['’]d| would) \w+)\b){_TAIL}",
    rf"(?:(?<=\n)|(?<=[.!?;] )|^)(?![^:\n]{{0,200}}\bsince\b)[^:\n]{{0,200}}\b(?:not|avoid|worst"
    r"|least (?:likely|suitable|relevant|recommended)"
    r"|already|seen|watched|liked|disliked|loved|history|similar|runner|second|alternatives?|backup|honou?rable|skip"
    r"|also|after that|later)\b"
    rf"[^:.,\n]{{0,60}}: ?(?:(?:i would|i['’]d) \w+ )?{_G}",
)
"""What a sentence does not choose: `While B is good,`, `Instead of B,`, `Neither B nor C fits`."""
_BESIDE = caseless(
    rf"(?:^|(?<=[.!?;:] )|(?<=, ))(?:because|since|as|given|seeing) [^,.;⟦]{{0,80}}{_M}[^.;!?\n,]{{0,200}},",
    rf"(?:(?<=[\w⟧)])(?<! and),? (?:because|since)|, (?:with|as)) {_TAIL}|, ?因[为為] ?{_TAIL}",
    rf"(?:\b(?:compared (?:to|with)|in contrast to|than|over|between)|(?<=besser) als|(?<=mejor) que) {_G},?",
    rf"{_M} ?(?:と(?:比べて|比較して|比べると)|に比べて|より(?:も)?|보다(?:는|도)?),? ?|比 ?{_M} ?(?=更|好|合|适|適"
    rf"|强)",
    rf"(?<=beats )(?<!nothing beats ){_G}|(?<=edges out ){_G}",
)
"""What else a sentence names beside its choice: a reason, what the choice is better than."""
_PREFERS = caseless(rf"\b((?:prefers?|rather have|rather recommend) {_M}) to {_G}")
_SENTENCES = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])\s*|\n+")
_CLAUSES = caseless(
    rf"; |: | [–—-] |(?<!anything)(?<!everything),? but |,? (?:yet|so(?! (?:is|are|does|do|could|would)\b)"
    rf"|which leaves|aber|sondern|mais|donc|pero|sino|así que|ma|mas|но|а|also) |, (?=(?:then )?{_M})|, and "
)
_UNMEANT = (
    r"nobody|no one|(?:some|critics|others|people|viewers|users) (?:would )?(?:prefer|choose|pick|recommend)"
    r"|i doubt|wrong to"
    r"|no reason|could (?:be|choose|pick)|hardly|on paper|no better|was (?:the best|(?:going|about) to)|used to be"
    rf"|would have been|matter of taste|suggests {_M} [a-z]+|nothing (?:[^.;⟦]{{1,40}} )?(?:suggests|points to)"
)
_USUALLY = r"^\W*(?:normally|usually|typically|in general)\b"
_OPEN = caseless(
    rf"\b(?:{_UNMEANT}|"
    r"not(?! only)|\w{1,6}n['’]t|never|no(?! (?:other|doubt|contest|question)\b)|neither|if(?! i ha(?:d|ve) to)|unless"
    r"|whether|seen|saw"
    r"|watched|played|finished|already|would have|avoid|worst|less|least|second|runner|backup|also|too|equally|just as"
    r"|so is|so are|as good as|either|or|might|may|some|(?<!the )others?|many people|fans|people|most viewers|unlike"
    r"|hesitate|reluctant|comes next|after that|then(?!\W*$)|lastly|finally|behind|non|nicht|kein\w*|pas|não"
    rf"|не|или|oder|auch)\b|{_USUALLY}|\?|不|没|ません|ない|않|아니|難し"
)
"""Words in a clause that does not choose what it names."""
_LED = (
    r"(?:(?:so|well|hmm+|ok(?:ay)?|sure|honestly|clearly|therefore|thus|hence|definitely|probably|likely|most likely"
    r"|perhaps|maybe|obviously|easily|certainly|overall|wahrscheinlich|probablement|probabilmente|probablemente"
    r"|hands down|only|here|this time|answer"
    r"|(?:based on|given|considering|because|since|among|of|out of|from)\b[^,⟦]{1,80}(?=[,:])|i think|i believe"
    r"|i['’]d say"
    r"|if i ha(?:d|ve) to (?:choose|pick|name|take)(?: (?:just|only))?(?: one)?|no contest|it['’]s|it is)[,:]? ){0,3}"
)
_BARE = caseless(
    rf"[^\w|]{{0,6}}{_LED}{_M}(?:,? (?:for sure|definitely|hands down|without a doubt|all the way|obviously|it is"
    rf"|first|then)){{0,2}}"
    r"(?: ?(?:です|입니다|이다))?[^\w|]{0,6}"
)
_CALLED = caseless(
    r"\b(?:it|that)(?:['’]ll| will) be|points? to(?:wards?)?|suggests"
    r"|\b(?:answer|choice|option|match|fit|recommendation|candidate|pick|guess|bet|winner|title|best) (?:here )?(?:is"
    r"|would be|will be)"
    r"|\b(?:would|['’]d|['’]ll|will|to|should|i|je|ich|and|am|i['’]m) (?:\w+ly |most likely |rather )?"
    r"(?:(?<=rather )(?:watch|read|play|see|buy|order)"
    r"|choos(?:e|ing)|pick(?:ing)?|select(?:ing)?|recommend(?:ing)?|suggest(?:ing)?|prefer|take|have"
    r"|go(?:ing)? (?:with|for)|opt for|settle on|lean towards?|bet on|enjoy|love|like)"
    r"|\b(?:nothing beats|(?<!who )(?<!that )(?<!if they )prefers|fits as well as|come close to|comes close to|goes"
    r" to|money is on|money on|leaves"
    r"|should be|must be|would be|answer|most likely)"
    r"|\b(?:antwort|wahl|réponse|choix|respuesta|elección|risposta|scelta|migliore|resposta|escolha|mejor opción"
    r"|melhor opção"
    r"|meilleur choix) (?:(?:para|pour|für|per) \w+ \w+ )?(?:ist|est|es|è|é)|\bfällt auf|(?:würde|wähle|empfehle"
    r"|nehme)(?: ich)?"
    r"|\b(?:je (?:choisi\w*|recommand\w*|conseill\w*)|eleg\w+|elijo|recom[ie]\w+|sceg\w+|consigli\w*|escolh\w+)"
    r"|\bбы (?:выбрал|порекомендовал|посоветовал)|лучше всего подходит|ответ —|рекомендую|выбираю|выбор —"
    r"|\bpasst|答案是|选择?|推荐|最\w{1,4}的?(?:选择)?是|(?:正解|答え|おすすめ|適しているの)は|(?:정답|답|것)은"
)
_CALLS = re.compile(rf"(?:{_CALLED.pattern})[ :]{{0,2}}$", re.IGNORECASE)
_BETTER = (
    r"best|better|closer|closest|stronge(?:r|st)|safe(?:r|st)|top|first|clear|obvious|ideal|perfect|great|most \w+"
    r"|right (?:choice|answer|pick|one)|more (?:likely|suitable|relevant|fitting|similar)|just right|answer|one|winner"
    r"|pick|choice|number one"
)
_PRAISED = caseless(
    r",? (?:(?:is|would be|will be|seems?(?: to be| like)?|looks? like|appears to be|remains|feels(?: like)?)"
    rf" (?:(?:clearly|definitely|probably|still|even|slightly|much|far|by far|therefore|the|a|an|my|what"
    rf"|very) ){{0,3}}(?:{_BETTER}|i['’]d)\b(?! to an? )"
    r"|(?:fits?|match(?:es)?|suits?|aligns?|appeals?)\b|stands out|wins|does(?=\W*$)|remains|has the edge|a try"
    r"|(?:comes (?:out on top|first)|makes sense|(?:would be|is) it|(?:seems|feels) right|works(?: well| best)?"
    r"(?: here)?)(?=\W*$)|by (?:a \w*[ -]?(?:hair|nose|whisker|margin|bit)|far)(?=\W*$)"
    r"|as (?:the|my) (?:\w+ ){1,2}(?:match|choice|pick|option|fit)\b|edges (?:it|out)|beats"
    r"|(?:ist|wäre) (?:die|der|das) (?:beste|bessere|richtige)|passt (?:am besten|besser)|besser|(?:est"
    r"|serait) (?:le|la) meilleure?"
    r"|convient (?:le )?mieux|(?:es|sería) (?:la |el )?mejor|è (?:la|il) (?:scelta )?migliore?|é (?:a )?melhor"
    r"|подходит лучше)(?![^⟦]{0,60}\b(?:if|in some|but|except"
    rf"|(?<!love )(?<!taste )(?<!preference )for (?!(?:this|the) {USER}|them|him|her|me\b|sure))\b)"
    r"| ?(?:[更最](?:合适|适合|好)|是最|を(?:選び|おすすめ|お勧め|推薦)|の(?:方|ほう)が(?:より)?(?:良い|いい"
    r"|よい|適|おすすめです|合って)|[이가] (?:더 )?(?:낫|좋"
    r"|적합)|更(?:好|合|适|適)|が(?:最適|一番|最も"
    r"|(?:おすすめ|お勧め|いい|良い)(?![^。⟦]*(?:[見観]た|人)))|[을를](?:\(를\))? (?:추천|선택)|[이가] 가장)"
)


def weighed(text: str, at: int, offered: int = 0) -> int | None:
    """Return the candidate that a text with marks chooses: the one that other rules read there, unless the sentences
    set it aside."""
    several = len({*_MARK.findall(text[:_LIMIT])}) > 1
    best = chosen(text, offered) if several else None
    below, text = _BELOW_REMARKS.fullmatch(text[:_LIMIT]), _plain(text)
    beaten = (best is not None or not several) and any(mark(at) in one[0] for one in _LOSES.finditer(text))
    beaten = beaten or mark(at) in _compared(text, offered)[1]
    aside = beaten or declined(text, at) or _is_revised(text, at, best) or (below and below[1] != mark(at))
    return best if aside else at


def _is_revised(text: str, at: int, best: int | None) -> bool:
    """Return whether a text takes a candidate back and then names another one, which it chooses or apologises for."""
    *_, (words, rest) = [("", ""), *_parts_of_revised(text)]
    return bool(words) and mark(at) not in rest and (best is not None or _APOLOGISES.search(words) is not None)


def _parts_of_revised(text: str) -> list[tuple[str, str]]:
    """Return the words that take back what a text says, each with what follows, if that names a candidate."""
    return [(one[0], rest) for one in _TAKES_BACK.finditer(text) if _MARK.search(rest := text[one.end() :])]


def _deciding(text: str) -> str:
    """Return the part of a text with marks that decides: what follows words that take something back, or the last line
    below a list; nothing if none does."""
    text = text[:_LIMIT]
    if revised := _parts_of_revised(_plain(text)):
        words, rest = revised[-1]
        text = "" if _APOLOGISES.search(words) else f"so {rest}"
    if _is_list(text):
        text = text.rstrip().rpartition("\n")[2]
        if _is_list(text) or _ALTERNATIVE.search(text) or not _IN_WORDS.search(text):
            return ""
    text = _plain(text)
    undecided = TAKEN_BACK.search(text) or _LIKEWISE.search(text) or asks_first(text) or looks_like_error(text)
    return "" if undecided else text


def chosen(text: str, offered: int = 0) -> int | None:
    """Return the position of the one candidate that the clauses of a text with marks choose. `offered`: their number,
    if the better of two may be the best of all."""
    in_words, text = _IN_WORDS.search(text), _deciding(text)
    found: set[str] = set()
    if_so: set[str] = set()
    final = {*_MARK.findall(" ".join(one[0] for one in _FINALISTS.finditer(text)))} >= {*_MARK.findall(text)}
    for sentence in _sentences(text):
        if _IF_SO.match(sentence):
            if_so |= {*_MARK.findall(sentence)}
        if chain := _CHAIN.fullmatch(sentence):
            found.add(chain[1])
        if any(one.search(sentence) for one in (_IF, _CASES, _SIDE_BY_SIDE)):
            continue
        whole = sentence if final else _MERELY.sub(" ", sentence)
        for clause in _CLAUSES.split(_BESIDE.sub(" ", _REJECTED.sub(" ", whole))):
            named = {*_MARK.findall(clause)}
            bare = _BARE.fullmatch(clause) and in_words and not _UNNAMED.search(text)
            if len(named) == 1 and not _OPEN.search(clause) and (bare or _is_called(clause)):
                found |= named
    if len(found) > 1:  # B is better than C, and A is better than B
        found -= {*_MARK.findall(" ".join(one[0] for one in _LOSES.finditer(text)))}
    if not found and not if_so:  # B is better than A, and D is even better than B
        found, _ = _compared(text, offered)
    return int(found.pop()[1:-1]) if len(found) == 1 and if_so <= found else None


def _compared(text: str, offered: int) -> tuple[set[str], set[str]]:
    """Return the candidates that no comparison in a text puts below another, and the others; none if there is only one
    comparison, unless the text names all that were offered and leaves only these two."""
    pairs: set[tuple[str, str]] = set()
    every, text = {*_MARK.findall(text)}, _REJECTED.sub(" ", text)
    for sentence in _sentences(text):
        for one in _COMPARED.finditer(sentence):
            rest = sentence.replace(one[0], " ")
            said = (one["over"] or one["under"] or "").replace("less", "")
            if not (_OPEN.search(said) or _OPEN.search(rest) or _EXCEPT.search(rest)):
                pairs.add((one[1], one[5]) if one["over"] else (one[5], one[1]))
    below = {worse for _, worse in pairs}
    of_all = every == {mark(at) for at in range(offered)} and len({*_MARK.findall(text)}) == 2
    decided = len(pairs) > 1 or (of_all and not _IF.search(text))
    return ({better for better, _ in pairs} - below, below) if decided else (set(), set())


_EXCEPT = caseless(r"\b(?:except|but|although|though|however|only)\b")
_FITTING = "good|relevant|likely|suitable|fitting|similar|appealing|close(?:ly)?|strong(?:ly)?|well|much|great"
_BETTER_THAN = (
    rf"better(?![ -]known)|closer|stronger|safer|higher|likelier|more(?: (?:{_FITTING})|(?= (?:than|to|with)\b))"
)
_COMPARED = caseless(
    rf"({_M})(?:(?P<over>(?: [^.;⟦]{{0,60}}?)? (?:{_BETTER_THAN})(?: [^.;⟦]{{0,40}}?)? than| rather than"
    r"|(?: \w{2,12}ly| just)? (?:beats|edges out|outranks|wins over|ranks (?:above|higher than)"
    r"|before|ahead of|over)|(?: is| would be)(?: \w{2,12}ly)? prefer(?:red|able) (?:to|over))"
    rf"|(?P<under>(?: [^.;⟦]{{0,60}}?)? (?:less (?:{_FITTING})|worse|weaker)(?: [^.;⟦]{{0,40}}?)? than"
    r"|(?: \w{2,12}ly)? (?:loses(?: out)? to|ranks (?:below|behind)|is (?:beaten|outranked) by))"
    r"|(?P<not> can(?:not|['’]t) (?:compete with|match|beat|keep up with)"
    rf"| (?:is|does|fits|suits|matches)(?: not|n['’]t)(?: \w+){{0,3}}? (?:as|so)"
    rf" (?:{_FITTING})(?: [^.;⟦]{{0,40}}?)? as)) ({_M})"
)
"""`D is more relevant than C`, `A is not as relevant as B`, of two candidates"""


def was_had(text: str, at: int) -> bool:
    """Return whether a text with marks says that the user knows the candidate that it has just named."""
    return any(mark(at) in one[0] for one in _HAD.finditer(text[:_LIMIT]))


_KNOWS = rf"(?:they|he|she|you|(?:the|this) {USER})(?:['’]ve| have| has|['’]s)(?: already| just)?"
_USED = "(?:seen|watched|read|played|finished|bought)"
_HAD = caseless(
    rf"{_M}[^⟦\n]{{0,80}}?\b(?<!if )(?<!unless ){_KNOWS} {_USED}(?: already)? (?:it|this|that one)"
    r"(?:,? too| already| before)?(?=[.,;!]|\s*$| and\b| but\b)",
    rf"{_M}[\])*_\"]{{0,4}}(?: (?-i:[A-Z\d])[^\s⟦]{{0,20}}){{0,6}},? which {_KNOWS} {_USED}\b",
)
"""`B. They have seen it.`, `B, which they have already seen`"""


def declined(text: str, at: int) -> bool:
    """Return whether a text with marks names a candidate only where it sets it aside or does not choose it."""
    if was_had(text, at):
        return True
    text = _plain(text)
    sentences = [one for one in _sentences(text) if mark(at) in one]
    if not sentences:
        return mark(at) in text
    parts = (part for one in sentences for part in _CLAUSES.split(_REJECTED.sub(" ", one)) if mark(at) in part)
    clauses = [_REASON.sub("", part) for part in parts]
    if _CASES.search(text) or (_UNSURE.search(text) and not any(map(_is_called, clauses))):
        return True
    several = len({*_MARK.findall(text)}) > 1
    if (several or text.rstrip().endswith("?")) and all(one.rstrip().endswith("?") for one in sentences):
        return True
    patterns = (_EQUAL if len({*_MARK.findall(one)}) > 1 else _DECLINED for one in clauses)
    return all(one.search(clause) for one, clause in zip(patterns, clauses, strict=True))


def _plain(text: str) -> str:
    """Return a text with its marks alone: without nouns, brackets and names around them."""
    text = _TWICE.sub(r"\1", _DRESSED.sub(r"\1", _NAMED.sub("", _SEQUEL.sub("", text[:_LIMIT]))))
    return _ANSWERS_ITSELF.sub(r"so \1", text)


def _is_list(text: str) -> bool:
    return any(map(_UNDECIDED.search, (text, _plain(text))))


def _sentences(text: str) -> list[str]:
    text = _FALLBACK.sub("", text)
    return _SENTENCES.split(_PREFERS.sub(r"\1", _LIST.sub(lambda found: found[0].replace(",", ""), text)))


_FALLBACK = caseless(
    rf"(?m:^|(?<=[.!?] ))[^\w\n⟦]{{0,6}}(?:if|in case|should) [^,⟦\n]{{0,40}}\b{_USED}"
    r"(?: (?:it|that|this)| already){1,2},[^.!?\n]*"
)
"""`If they have seen it, go with B.`"""
_MARK = re.compile(_M)
_BELOW_REMARKS = re.compile(rf"\s*+(?:[^\w⟦\n]{{0,4}}{_M}(?=[^\n]*[^\W\d])[^\n]*+\n)++\n[^\w⟦\n]*+({_M})\W*")
"""`A: too slow⏎B: too long⏎⏎C`"""
_ANSWERS_ITSELF = caseless(rf"(?m:^|(?<=[.!?] ))\W{{0,4}}({_M})\?\W{{1,4}}(?:yes|ja|oui|sí|sì|sim|да)\b")
"""`B? Too violent. A? Yes.`"""
_APOLOGISES = caseless(r"\b(?:apolog|sorry\b)")
_TAKES_BACK = caseless(
    rf"(?:^|[.!?…:;,–—\n-])[^\w⟦]{{0,6}}(?:{TAKEN_BACK.pattern}|corrected:|make it(?= [*_\"“]{{0,3}}⟦)|sorry\b"
    r"|(?:i|my) apologi[sz]e)[^\w⟦]*(?:no\b)?[^\w⟦]*"
)
"""`Heat. Actually, Fargo.`"""
_NAMED = re.compile(r"(?<=⟧)(?: \([^()\n⟦]{1,80}\)| by(?: [A-Z][\w.'’-]{1,20}){1,4})")
"""`B (Heat)`, `Hello by Adele`"""
_SEQUEL = caseless(
    r"(?<=⟧)[*_\"”]{0,3},? (?:rather than|instead of|not|before) (?:(?:the )?(?:vol|part|volume|chapter|book)\.? )?"
    r"(?:\d{1,2}|[ivx]{1,4})\b"
)
"""`Kill Bill: Vol. 2, not Vol. 1`"""
_UNDECIDED = caseless(
    r"\A[^.!?:\n⟦]{0,80}\b(?:not|least|worst|avoid|skip)\b[^.!?:\n⟦]{0,80}\n",
    r"[{|]|(?m:^\W{0,4}(?:\d+|⟦\d+⟧)[.):] )|[.,] \d{1,2}[.)] ",
    rf"{_M} (?:\d|[IVX]+\b)",
    r"\b(?:just as|equally|as likely|toss-?up|none of (?:these|them|the (?:options|candidates|above|films)))\b",
)
"""Headings of what is not chosen, lists and JSON (which other rules read), sequels of a candidate, and ties."""
_ALTERNATIVE = caseless(r"\b(?:if|otherwise|alternat\w*|second|backup|also|or|fallback|runner|next|instead)\b")
"""Words of a last line that names another item beside the choice: `If they have seen it, go with Fargo.`"""
_LIKEWISE = caseless(rf"{_M},? (?:does|is|would|fits)(?: so)?,? (?:too|as well)\W*$|\bso (?:does|is|would|do) {_M}\W*$")
"""`A fits. B does too.`"""
_CHAIN = re.compile(rf"\W*({_M})(?: (?:>|before|ahead of|over) {_M})+\W*")
_IF_SO = caseless(r"\W*(?:if|unless|otherwise)\b")
_IF = caseless(
    r"\b(?:if(?! i ha(?:d|ve) to| i could)|unless|whether|otherwise)\b|\?|,? (?:but|yet|aber|mais|pero|ma|mas|но)"
    r" [^⟦]*$"
)
"""A condition, a question, or a last clause that takes back what was said: `A, but the user has seen it`."""
_UNNAMED = caseless(
    r"(?m:^)(?=[^⟦\n]*[^\W_])(?!\W*(?:sure|okay?)\b)[^⟦\n]{1,60}[^⟦\n.!?:。…*_\"”](?m:$)",
)
"""A short line that is no sentence: it may be the title of another item."""
_IN_WORDS = re.compile(r"[^\W\d_]{2}")


def _is_called(clause: str) -> bool:
    """Return whether words before or behind the mark of a clause call it the choice."""
    return any(
        _CALLS.search(clause[max(0, one.start() - 80) : one.start()]) or _PRAISED.match(clause, one.end())
        for one in _MARK.finditer(clause)
    )


_DECLINED = caseless(
    rf"{_USUALLY}|\b(?:{_UNMEANT})\b|⟧,? (?:unless\b|if ⟦)",
    r"\b(?:worst|least (?:likely|suitable|relevant)|second (?:choice|pick)|anything but|would have (?:chosen|picked)"
    r"|if (?:the|this|they|he|she)\b[^,]*, i would|(?:has|have)(?: already)? (?:seen|watched|played|read) ⟦"
    r"|(?:is|are)(?:n['’]t| not| no)\b|(?:do|does)(?: not|n['’]t) (?:fit|match|suit|work)\b|equally|tied"
    r"|many people|so (?:is|are|does|do|could|would) ⟦|(?:better|best) if\b|are both\b|(?:is|are) too \w+"
    r"|⟧ (?:disappoints|fails|bores|misses|contradicts|strays|lacks|clashes|conflicts|falls short)\b"
    r"|⟧ (?:has|is|was|features|stars)\b(?:(?!because|since|given)[^.;:⟦]){1,80}"
    r"\b(?:they|he|she|the \w+)(?: really)? (?:dislikes?|hates?)"
    r"|(?:non|não|no) (?:consigl|scegl|recom|eleg)\w+|nicht|не бы|бы не)|^\W*(?:is it|both)\b|^不|不推"
    r"|⟧ (?:is|was|comes?|came) (?:(?:in|a|close) )*second\b(?! to none)",
    r"⟧ for (?!(?:this|the|them|him|her|me|sure|an?)\b)\w+(?:\W*$|,)",
)
"""What a clause says of a candidate that it does not choose, or only for one case."""
_EQUAL = caseless(
    rf"\b(?:{_UNMEANT}|unless)\b",
    r"\bless (?:likely to \w+|than) ⟦",
    r"\b(?:both (?:⟦|of|options|are|fit|would)|are both|equally|tied|all too|either|such as)\b|[或か]|\?\W*$"
    rf"|^\W*{_M}(?:,? {_M})*,? (?:or|ou|o|oder|или) {_M}\W*$|⟧ (?:loses to|is (?:worse than|beaten by)) ⟦",
)
_CASES = caseless(
    rf"{_M}[^⟦.;]{{0,40}} (for|in|on) (?!(?:this|the) {USER})(?:\w+ ){{0,3}}\w+[,;]?(?: and| but)? {_M}"
    r"[^⟦.;]{0,40} \1 \w+",
    rf"\bif [^⟦.;]{{1,80}}{_M}[^⟦.]{{0,40}}\b(?:if not|otherwise|or else),? {_M}",
    rf"\bno (?:\w+ )?preference (?:between|among) {_M}(?![^\n]*\b(?:but|though|however|still)\b)",
)
"""`A for action, B for drama`, `If they want action, A; if not, B`, `no preference between A and B`"""
_MERELY = caseless(
    rf"{_M} (?:(?:is|seems|fits|passt|es)\b[^⟦.;,]{{0,30}}\b(?:better|closer|(?:more|less) \w+|besser|mejor)\b"
    r"(?! (?:choice|fit|match|option|pick))"
    rf"[^⟦.;,]{{0,40}} (?:than|als|que)|beats|edges out|has the edge over) {_M}"
)
"""`A is better than B`, which says nothing of the others."""
_SIDE_BY_SIDE = caseless(rf"{_M} (?:is )?the (?:\w+er|more \w+)\b[^⟦.;]*{_M} (?:is )?the (?:\w+er|more \w+)\b")
_UNSURE = caseless(
    rf"\bit is hard\b(?! to beat)|\bcan(?:no|['’])t (?:choose|decide|say)\b|\bi (?:do not|don['’]t) know\b"
    r"|\bhard to (?:say|choose)\b"
    rf"|{_M} is (?:just as|equally) good"
)
_LOSES = caseless(
    rf"(?<!nothing )(?<!nothing is better )\b(?:than|over|beats|edges out) {_G}",
    rf"\b(?:is|be|ist|est|es|è|é) (?:not|nicht|no|non|não|pas) {_G}(?=,? (?:but|sondern|sino|ma|mas|mais) {_M})",
)
_RANKS_ABOVE = caseless(
    rf"({_M})(?=[^⟦]*⟦)((?: |,)[^.;⟦]{{0,60}}\b(?:(?:better(?![ -]known)|closer|stronger"
    r"|more (?:relevant|likely|suitable|fitting|similar|appealing))(?= )|beats|edges out|outranks"
    rf"|(?:should|must|ought|deserves?|needs?|belongs?|i['’]d|would)\b[^.;⟦]{{0,40}}\b(?:above|ahead of|before"
    rf"|higher than|over))\b[^.;⟦]{{0,40}}?)({_M})"
)
"""`D is a better match than B`, `D should be placed above B`"""


def ranks_above(text: str) -> list[tuple[int, int]]:
    """Return the pairs of candidates of which a text with marks says that the first belongs above the second."""
    found = _RANKS_ABOVE.findall(_plain(text))
    return [(int(one[1:-1]), int(two[1:-1])) for one, said, two in found if not _OPEN.search(said)]


_FINALISTS = caseless(
    rf"\b(?:both {_G} (?:are|fit|would be|seem|look|work)\b(?! (?:too|not|wrong|poor|weak))|comes? down to {_G}"
    rf"|(?:(?:best|strongest|top|closest|leading) (?:\w+ )?(?:candidates|options|choices|contenders|matches|picks)"
    rf"|finalists|shortlist)(?: here)? (?:are|is) {_G})"
)
"""`Both B and C are strong candidates`: which of these is better, is the best of all."""
_REASON = caseless(r",? (?:because|since)\b.*$")
