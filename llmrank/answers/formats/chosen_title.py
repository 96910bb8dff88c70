"""Find the one title that an answer in sentences chooses (`Casino is close, but I'd go with Heat`).

An answer often names more titles than the one it chooses: items of the history, and those that it compares. The last
sentence that calls a title its choice decides, then a last sentence that is a title and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from llmrank.answers.formats import comparison
from llmrank.answers.items.matching import TitleIndex
from llmrank.answers.items.title import article_first, places_of, without_titles
from llmrank.answers.outcome import TAKEN_BACK
from llmrank.answers.text.normalise import EAST_ASIAN, caseless, folded
from llmrank.answers.text.phrases import SENTENCE
from llmrank.types import Item, Question

TITLE_FIELD = caseless(
    r"\"(?:title|name|choice|answer|pick|recommendation|selected|final|track|song|movie|film|book|game)\""
    r" ?: ?\"([^\"\n]{1,200})\""
)
"""A field of a JSON object that holds the title of the choice."""
SEARCH_LIMIT = 4000
"""Maximum number of characters to search for titles."""
_LAST_SIGNS = 1000
TITLE_WORDS, TITLE_SIGNS = 12, 200
"""Maximum number of words and characters of a title."""
_CALLS = caseless(
    r"\b(?:my (?:top |final |corrected |revised |new |updated )?(?:pick|choice|guess|bet|suggestion|recommendation"
    r"|answer)(?: for (?:tonight|today|them|you|(?:this|the) \w+))?(?= (?:is|would be)\b|[:*_\"“ ]{1,3}(?-i:[A-Z]))"
    r"|(?:(?:top|first|final|best) (?:pick|choice)|(?<!not )(?<!also )(?<!already )(?<!least )"
    r"(?<!previously )recommended)(?=[:*_]{1,3} )|recommend|suggest"
    r"|make it(?=[ *_\"“]{1,4}(?-i:[A-Z]))|(?:pick|choose|name) (?:just |only )?one|(?:has|have"
    r"|would have) to be(?=[ *_\"“]{1,4}(?-i:[A-Z]))"
    r"|am (?:ehesten|besten) passt(?: wohl| hier)?|try(?=[ *_\"“]{1,4}(?-i:[A-Z]))|(?:answer|pick"
    r"|choice) (?:changes to|becomes|is now)|stick(?:ing)? with|go(?:ing)? (?:(?:straight )?(?:with|for)"
    r"|straight to)|answer is|(?:^|(?<=, ))so(?! (?:is|are|does|do|could|would)\b)"
    r"|it(?:['’]s| is)(?=[\s:*_\"“]{1,4}(?-i:[A-Z]))|settl(?:e|ing) (?:on|for)|opt(?:ing)? for|lean(?:ing)? towards?"
    r"|(?:i(?:['’](?:d|ll)| would| will)|let me) (?:\w+ly )?(?:pick|choose|select|take|say)"
    r"|(?<!one )(?:should|must)(?: \w+ly)? (?:watch|read|play|try|order|check out|listen to"
    r"|see)(?=[ *_\"“]{1,4}(?-i:[A-Z0-9]))"
    r"|(?<!when )(?<!if )you want(?=[ *_\"“]{1,4}(?-i:[A-Z]))|you(?:['’]ll| will| would) (?:enjoy|love"
    r"|like)(?=[ *_\"“]{1,4}(?-i:[A-Z]))|me quedo con|je (?:retiens|garde)|ich bleibe bei|fico com"
    r"|one i(?:['’]d| would) (?:put|place|rank) (?:1st|first|at the top|on top) is|number one is"
    r"|next (?:step|watch|read|pick|film|movie|book|game|song|item)(?: (?:that )?(?:the|this|they)\b[^.,;:]{1,40})? is"
    r"|will (?:\w+ly )?(?:next )?(?:watch|read|play|buy|choose|pick)(?=[ *_\"“]{1,4}(?-i:[A-Z0-9]))"
    r"|(?:would|will|['’]d|['’]ll) (?:enjoy|like|love)(?= [^.,;]{2,80} (?:the )?most\b)"
    r"|i(?:['’]m (?:confident|sure|certain)| think| believe| expect)(?: that)? (?:they|he|she|you|(?:the|this) \w+)"
    r"(?:['’](?:d|ll)| would| will) (?:\w+ly )?(?:enjoy|like|love)(?=[ *_\"“]{1,4}(?-i:[A-Z]))"
    r"|most likely (?:to )?(?:watch|read|play|buy|click(?: on)?|listen to|order|enjoy|like|choose|pick)"
    r"|(?:single|very) best (?:song|film|movie|book|game|product|item|course|track|one) (?:here )?is"
    r"|best (?:remaining )?(?:choice|candidate(?: here)?(?= (?:is|would be)\b)|pick|fit|option|match|recommendation)"
    r"|(?<!second )(?<!next )best(?=:| is[ *_\"“]{1,4}(?-i:[A-Z]))"
    r"|(?:melhor|mejor|migliore?|meilleure?|beste|лучший|лучшая)"
    r" (?:op[çc]ão|opción|opzione|option|escolha|elección|scelta|choix|wahl|recomendação|recomendación"
    r"|raccomandazione|recommandation|empfehlung|выбор|вариант|рекомендация)"
    r"|recomend(?:o|aria)|recomiendo|recomendaría|escolh(?:o|eria)|elij?o|elegiría|consiglio|consiglierei|scelgo"
    r"|je (?:vous |te |lui )?(?:propose(?:rais)?|recommande(?:rais)?|conseille(?:rais)?|choisi(?:s|rais))"
    r"|ich (?:empfehle|wähle|würde|nehme)|рекомендую|выбираю|посоветовала?)\b"
    r"|(?:최종|제) (?:추천|선택|답)은|(?<!不)(?<!不太)推[荐薦](?=[\s\"“])|(?:おすすめ|お勧め)(?:の\w{1,6})?は"
)
_IS_BEST = caseless(
    r" (?:(?:is|would be|seems|feels like|looks like) (?:(?:clearly|definitely|probably|still|therefore) )?"
    r"(?:(?:the|a) (?:(?:much|far|clearly) )?(?:best|better|stronge(?:r|st)|close(?:r|st)|safe(?:r|st)|clear|ideal|top"
    r"|most \w{3,12}) (?:choice|pick|fit|option|match|recommendation|winner|bet)"
    r"|the one (?:that |which )?(?:comes closest|(?:fits|matches|suits)(?: (?:them|this \w+))? best)"
    r"|the (?:obvious|natural|logical) next (?:step|choice|pick|watch|read|purchase|buy|game|film|movie|book)"
    r"|my (?:top |final )?(?:choice|pick"
    r"|answer|recommendation|suggestion))|the (?:best|better|obvious|natural|clear) (?:choice|pick|fit"
    r"|option|match)|(?:suits|fits|matches) (?!other|most|some|people|fans|the others)"
    r"(?:(?!, (?:but|while|whereas|and|(?-i:[A-Z])))[^.;\n]){1,60} (?:better|best)(?=[.,:;!]|$| than)"
    r"|wins(?=[ .,;!]|$)|gets my vote|(?:beats|edges out)(?= [A-Z\"“*])|it is(?=(?:,? then)?[.!]|$)"
    r"|(?:is|would be) (?:even |clearly |far |much )?better(?=[.,!]|$| than))\b"
    r"(?![^.;\n]{0,60}\b(?:if|but|unless|except|had|the more|the \w+er one)\b)"
)
LATTER = caseless(
    r"\b(?:i(?:['’](?:d|ll)| would| will) (?:still )?(?:pick|choose|go (?:with|for)|lean towards?|take|say"
    r"|recommend|prefer)|(?:has|have|must) (?:to )?be|answer is|go with|lean(?:ing)? towards?|choose|prefer|recommend"
    r"|(?<!nothing )(?<!not )(?<!n['’]t )(?:tips?|tilts?|points?|leans?|swings?)\b[^.;\n]{0,40}"
    r"(?:towards?|in favou?r of|to)) the (former|latter)\b"
)
"""`so I'd pick the former`, of two that were named"""
_NOT_CALLED = caseless(
    r"\b(?:not|\w{1,6}n['’]t|never|nor|neither|none|hesitate|reluctant|avoid\w*|skip\w*|worst|least|worse|unless"
    r"|was (?:going|about) to"
    r"|if(?! i ha(?:d|ve) to| [^.;,\n]{3,80} appeals? to (?:you|them)\b| (?:they|you|he|she|the \w+)(?:['’]ve"
    r"| have)? (?:enjoyed|liked|loved|(?:like|love|enjoy)(?= (?-i:[A-Z])(?!.*\bif\b))|seen|read"
    r"|watched)(?! (?:it|this|that|them|both)\b))|or"
    r"|instead(?![.!]?\s*\Z)|than|no (?=recom|elij|eleg)|não|nicht|kein\w*|weder|statt|oder|pas|ni|ou|nem"
    r"|nunca|jamais|jamás|non|né|не|или)\b|\?"
)
DENIED_IN_ASIA = re.compile(r"不(?!错|仅|但|同)|没有?(?:推|看)|看过|很难|難し|ません|ない|見(?:まし|た)|않|없|봤")
"""Words by which a Chinese, Japanese or Korean sentence about a title does not choose it."""
_SENTENCE = re.compile(
    r"(?<=[.!?])(?<!\b[A-Z]\.[A-Z]\.) |; |, (?=so\b|and\b|but\b|yet\b)| and (?=(?:go|pick|choose|watch|read|play"
    r"|recommend)\b)|\n"
)
_BEGINS = re.compile(r"(?: (?:is|would be|for (?:this|the) (?:user|reader)))?\W*\w")
_CLAUSE = re.compile(
    r"[:;]|, (?:plus|moins|(?:du|de la) même|más|mehr|più|mais|by the same|from the same|(?:a )?(?:more|less"
    r"|much))\b|, (?=(?:[A-Z][\w.]{0,20} ){0,2}[A-Z]\w{1,20}['’]s )|,? (?:because|since|as|given|which|not|rather than"
    r"|instead of|over|parce|car|puisque|weil|da|porque"
    r"|pois|perché|потому|так как)\b| (?:for|with|after|like|than|from|para|pour|für|per|для) (?=[A-Z\"“*])"
    r"| for (?:an? )?(?:fans?|lovers?|someone|somebody|anyone|people|those)\b"
)
"""Where the clause that names the choice ends."""
_HEADING = caseless(
    r"\b(?:choice|answer|recommendation|recommended(?:_\w+)?|pick|selection|selected|title|movie|film|item|book"
    r"|product)[\"*_]{0,3} ?[:=] ?[\"“*_]{0,3}$"
)
_OPENS = ' \t\n*_`"“”„«»#>-.:'
_GOES_ON = re.compile(
    r"[*_\"”»)\]]{0,4}(?:\s*$|\s*[.,:;!(\n–—-]|\s+(?:because|since|as|for|given|by|due|with)\b|\s*\[)", re.IGNORECASE
)
"""What may follow a title that begins an answer and is the choice; a verb may lead anywhere."""
_CLOSES = " \t\n*_`\"“”„«».'!"


def chosen_title(text: str, marks: str, index: TitleIndex, alone: int | None = None) -> int | None:
    """Return the one item that the sentences of a text choose, None if they do not. `marks`: the text with marks in
    place of titles; `alone`: the item whose title stands alone."""
    if (best := comparison.chosen(marks)) is not None:
        return best
    at = _chosen(text, index) if alone is None else alone
    return None if at is None else comparison.weighed(marks, at)


def _chosen(text: str, index: TitleIndex) -> int | None:
    if (called := called_title(text, index)) is not None:
        return called
    if (found := LATTER.search(text)) and len(two := _in_order(text[: found.start()], index)) == 2:
        return two[found[1].casefold() == "latter"]
    last = _LAST.search(text.rstrip()[-_LAST_SIGNS:])
    if last and (match := index.find(last[2])) and len(match.positions) == 1:
        clause = last[1].rpartition(",")[2]
        other = _NOT_CALLED.search(clause if _MINE.match(clause) else last[1]) or _OF_OTHERS.search(clause)
        return None if other else match.positions[0]
    if (that := _THAT.search(text[-_LAST_SIGNS:])) and len(named := index.named_in(text[: -len(that[0])])) == 1:
        return None if _REJECTED.search(text[-_LAST_SIGNS:]) else named.pop()
    quoted = {_in_quotes(found, index) for found in _QUOTED_IN_ASIA.finditer(text[:SEARCH_LIMIT])}
    if len(quoted) == 1 and (at := quoted.pop()) is not None:
        return at
    if (first := _first_sentence(text, index)) is not None:
        return first
    before, end, line = text[-_LAST_SIGNS:].strip().rpartition("\n")
    if not end or not line.strip(_OPENS):
        before, end, line = SENTENCE.sub("\n", text[-_LAST_SIGNS:].strip()).rpartition("\n")
    if not before.rstrip(' \n*_"”').endswith((".", "!", "?", ":")) or line.rstrip(_CLOSES).endswith("?"):
        return None
    match = index.find(line.strip(_OPENS + _CLOSES).removesuffix(", then"))
    return match.positions[0] if match and len(match.positions) == 1 else None


def marked(text: str, question: Question, named: set[int]) -> str:
    """Return a text with marks in place of the titles that it names, longer ones first, and of their identifiers
    (`[2] Heat`); nothing if two items have one title."""
    text = text[:SEARCH_LIMIT]
    shown = {at for at, item in enumerate(question.items) if item.title.partition(" (")[0] in text}
    for at in sorted(named | shown, key=lambda at: -len(question.items[at].title)):
        text = without_titles(text, [question.items[at]], comparison.mark(at))
        title = question.items[at].title
        if 1 < len(title) <= _SHORT_IN_ASIA and not title.isascii():
            text = re.sub(_BEFORE_IN_ASIA + re.escape(title) + _BEHIND_IN_ASIA, comparison.mark(at), text)
    return _IDENTIFIER.sub("", text) if all(comparison.mark(at) in text for at in named) else ""


_SHORT_IN_ASIA = 3
_BEFORE_IN_ASIA = rf"(?:(?<![{EAST_ASIAN}])|(?<=[荐薦选選择擇看是は]))"
_BEHIND_IN_ASIA = rf"(?=(?:[がをは最是을를이가은는과와]|입니다|이나|보다|より)|[^{EAST_ASIAN}]|$)"
_IDENTIFIER = re.compile(r"(?:\[\w{1,3}\]|\(\w{1,3}\)|\b[A-Z]\)) (?=[*_\"“]{0,3}⟦)")
_THAT = caseless(r"(?:[,;–—]|\.) (?:so )?that(?:['’]s| is) (?:the one|my (?:pick|choice|answer))[.!]?\s*\Z")
"""`… and has never seen Heat, so that's the one.`"""
_QUOTED_IN_ASIA = re.compile(
    r"\"([^\"()\n]{1,80})(?:\(([^()\n]{1,80})\))?\"(?: ?\(([^()\n]{1,80})\))?(?:を|が)"
    r"(?:一番|最も)?(?:(?:おすすめ|お勧め|推薦|選択)し(?:ます|たい)|選び(?:ます|たい)|(?:おすすめ|お勧め|最適)(?:です"
    r"|だ|[。!.]|\s*$))"
    r"(?!か|が)"
)
"""`「もののけ姫(Princess Mononoke)」が一番おすすめです`"""
_JOINED_IN_ASIA = re.compile(r"\"(?:と|か|や|も|、|または|もしくは|及び)\Z")
"""`「Heat」と` before another title"""
_REJECTED = caseless(r"\b(?:not|skip|avoid)(?= [*_\"“]{0,3}(?-i:[A-Z]))")
"""`Not Heat, that's my answer.`"""


def _in_quotes(found: re.Match[str], index: TitleIndex) -> int | None:
    """Return the item of a quoted title that is recommended, None if it is none or if the sentence denies it."""
    match = next(filter(None, map(index.find, filter(None, found.groups()))), None)
    denied = DENIED_IN_ASIA.search(re.split(r"[。.]", found.string[found.end() :], maxsplit=1)[0])
    joined = _JOINED_IN_ASIA.search(found.string, max(0, found.start() - 8), found.start())
    return match.positions[0] if match and len(match.positions) == 1 and not (denied or joined) else None


_LAST = re.compile(
    r"((?:[^\s.!?:]{1,40} ){3}[^.!?\n\"]{0,200}[^.!?\n\d\"]): (?:\*\*)?([^*:\n\"]{1,200}?)(?:\*\*)?[.!]?\Z"
)
"""`… which is exactly this user's taste: **Heat**.`"""
_MINE = caseless(r" (?:so )?(?:i(?:['’]d|['’]ll| would| will)|my)\b")
_OTHERS = (
    r"(?:already \w+|seen|watched|finished|liked|loved|enjoyed|hated|disliked|history|recent\w*|previous\w*|similar"
    r"|unlike|second|backup|runner|alternatives?|honou?rable|worst|least|avoid|skip|reject\w*|excluded|also|because)"
)
_OF_OTHERS = caseless(rf"\b(?:{_OTHERS}|rated|rating|by the|rival|competitor|rul\w+ out)\b")
"""What the last clause before such a title says of another item: `Similar films: Casino`"""
_HEADING_OF_OTHERS = caseless(rf"\A\W*(?:\w+ ){{0,2}}(?<!be ){_OTHERS}(?: \w+)?[\"*]{{0,3}} ?:[\s\"*\[]{{0,4}}\Z")
"""Words of a heading whose title is not the choice: `Already seen:`"""


def is_headed_as_other(title: str, text: str) -> bool:
    """Return whether the heading right before a title says that it is not the choice: `Already seen: Heat`."""
    before = text.partition(title)[0][-_LAST_SIGNS:].rpartition("\n")[2].rpartition(",")[2].rpartition(". ")[2]
    return _HEADING_OF_OTHERS.search(before.replace("_", " ")) is not None


def _in_order(text: str, index: TitleIndex) -> list[int]:
    """Return the items that a text names, in the order in which it first names them."""
    words = text[:SEARCH_LIMIT].split(" ")
    named = [index.named_in(" ".join(words[: count + 1])) for count in range(len(words))] if len(words) < 200 else []
    return [*dict.fromkeys(at for items in named for at in sorted(items))]


def _first_sentence(text: str, index: TitleIndex) -> int | None:
    """Return the item if the text begins with a sentence that praises it, or is its title and nothing else."""
    first, *rest = _FIRST.split(text.strip(), maxsplit=1)
    praise = _PRAISED.search(first)
    title = first[: praise.start() if praise else len(first)].strip(_OPENS + _CLOSES)
    match = index.find(title) or (index.nearest(title) if rest and len(title.split()) < _SHORT else None)
    if match is None or match.stage == "item_id" or len(match.positions) != 1 or TAKEN_BACK.search(" ".join(rest)):
        return None
    asked = first.rstrip(_CLOSES).endswith("?") or GREETS.match(first)
    if asked and rest and index.named_in(rest[0][:SEARCH_LIMIT]) - {*match.positions}:
        return None  # Heat? Too long. Fargo? Yes.
    following = _FIRST.split(rest[0].strip(), maxsplit=1)[0] if rest else ""
    return None if index.find(following.strip(_OPENS + _CLOSES)) else match.positions[0]


_SHORT = 9
"""Maximum number of words of a misspelt title that is a sentence."""
_FIRST = re.compile(r"(?<=[.!?])[*_\"”]{0,4}\s|\n")
_PRAISED = caseless(
    r"[*_\"”]{0,4} (?:(?:is|would be|looks like|seems) (?:an? |the )?(?:(?:very|really) )?"
    r"(?:great|good|perfect|excellent|natural|ideal|strong|solid|obvious|best)"
    r" (?:choice|pick|fit|option|match|recommendation)"
    r"|(?:because|since|as)\b)(?![^.;\n]{0,80}\b(?:if|but|unless|except|had|however|though)\b)"
)
"""`Heat would be a great fit`"""


_BESIDE = caseless(r"\b(?:also|too|close|second|alternative|fine|as well|nearly|almost)\b")
"""`but Casino is close`: what is said of an item beside the choice."""


def called_title(text: str, index: TitleIndex) -> int | None:
    """Return the one item that the last sentence with a title beside such words calls the answer (`so my pick is
    Heat`)."""
    last = text[-_LAST_SIGNS:]
    for sentence in reversed(_SENTENCE.split(last)) if len(_IF_LIKED.findall(last)) < 2 else ():
        for call in reversed([*_CALLS.finditer(sentence)]):
            clause = sentence[sentence.rfind(",", 0, call.start()) + 1 :]
            if not call[0].isascii() and DENIED_IN_ASIA.search(clause):
                return None
            first = _BEGINS.match(sentence, call.end())  # My choice is: Heat
            after = first.end() if first else call.end()
            ends = (one for one in _CLAUSE.finditer(sentence, call.end()) if one[0] not in ":;" or one.start() >= after)
            outside = (one.start() for one in ends if not index.covers(sentence, *one.span()))  # Azul: Summer Pavilion
            end = next(outside, len(sentence))
            if named := index.named_in(sentence[call.end() : end]):
                if len(named) > 1 or _NOT_CALLED.search(sentence[:end]):
                    return None
                [at] = named
                return None if index.is_part_of_sequel(at, sentence[call.end() : end]) else at
            whole = _IS.sub("", sentence[call.end() :]).strip(_OPENS + _CLOSES)  # My pick is Three Colours: White
            whole = (index.find(whole) or index.nearest(whole)) if ":" in whole else None
            if whole and len(whole.positions) == 1 and not _NOT_CALLED.search(sentence):
                return whole.positions[0]
            words = sentence[call.end() : end].strip(_OPENS + _CLOSES)
            near = None if words.islower() and " " not in words else stands_for(words, index)  # I'd go for it
            if near is not None and not _NOT_CALLED.search(sentence[:end]):
                return near
        for at, end in _praised(sentence, index):
            return None if _NOT_CALLED.search(sentence[:end]) else at
        if sentence.startswith(("but ", "yet ")) and index.named_in(sentence) and not _BESIDE.search(sentence):
            return None  # Heat would be the best choice for most, but this user needs Alien
    return None


_IF_LIKED = caseless(r"\bif (?:they|you|he|she|(?:the|this) \w+)(?:['’]ve| have)? (?:enjoy|like|love)d?\b")
"""`If you like Heat, go for Casino; if you like Aliens, go for Alien`: two of these leave it open."""
_IS = re.compile(r"\A (?:is|would be)\b")
GREETS = caseless(r"\A\W*(hello|hey|hi|yes|well)[!,.](?= \w|\Z)")
"""Words before an answer that may also be titles."""


def _praised(text: str, index: TitleIndex) -> Iterator[tuple[int, int]]:
    """Yield each item whose title stands right before words such as `is my pick`, and where these end."""
    for found in _IS_BEST.finditer(text):
        matches = (index.find(words.strip(_CLOSES)) for words in words_before(text, found.start()))
        match = next(filter(None, matches), None) or index.nearest(text[: found.start()][:TITLE_SIGNS])
        if match and len(match.positions) == 1:
            yield match.positions[0], found.end()


def stands_for(text: str, index: TitleIndex) -> int | None:
    """Return the one item whose title a short text shortens, misspells, or has behind its creator (`Jane Austen's
    Emma and Other Tales`)."""
    text = text.strip(_OPENS + _CLOSES)
    if "\n" in text or len(text) > TITLE_SIGNS:
        return None
    if (by := _CREATOR.match(text)) and (match := index.exact(by[1].strip(_OPENS + _CLOSES))):
        return match.positions[0] if " " in by[1].strip() and len(match.positions) == 1 else None
    if match := index.nearest(text):
        return match.positions[0] if len(match.positions) == 1 else None
    every = range(len(index))
    found = index.holding(text, every) if _MODEL.fullmatch(text) else set[int]()
    if _SEVERAL_WORDS.search(text):
        found = index.misspelt(text, every)
    return found.pop() if len(found) == 1 else None


_CREATOR = re.compile(r"(?:[A-Z][\w.'-]{0,20} ){0,3}[A-Z][\w.-]{0,20}['’]s ([^\n]{2,200})")
_SEVERAL_WORDS = re.compile(r"[A-Z]\w{3,}[^.,;:!?]* [A-Z]\w{3,}")
_MODEL = re.compile(r"(?=.*\d)(?=.*[A-Z])[\w-]{6,30}")
"""`WH-CH720N`"""


def words_before(text: str, end: int) -> list[str]:
    """Return what may be a title that ends at a position: the twelve words before it, eleven, and so on to one."""
    words = text[max(0, end - TITLE_SIGNS) : end].split()[-TITLE_WORDS:]
    return [" ".join(words[at:]) for at in range(len(words))]


def with_years(text: str, question: Question) -> str:
    """Return a text with the year in parentheses behind each title of which words say it: `The original Psycho, from
    1960` and `the 1960 film Psycho` become `Psycho (1960)`, and so does `"Psycho" (1960)` at the beginning."""
    for name in {_name(item.title) for item in question.items} if _YEAR_SAID.search(text) else ():
        if name and name in text:
            title = rf"(?<!\w)(?P<name>{re.escape(name)})(?!\w)"
            before = rf"\b[Tt]he {_YEAR} (?:{_KIND} (?:of )?)?{title}(?! ?\()"
            behind = rf"(?:\b[Tt]he {_KIND} )?{title}{_DATED_BEHIND}"
            for way in (before, behind, rf"\A[\"“*]+{title}[\"”*]+ \({_YEAR}\)"):
                text = re.sub(way, r"\g<name> (\g<year>)", text)
    return text


@lru_cache(maxsize=1 << 14)
def _name(title: str) -> str:
    return article_first(folded(title).partition(" (")[0])


_YEAR_DIGITS = r"(?:18|19|20)\d\d"
_YEAR = rf"(?P<year>{_YEAR_DIGITS})"
_YEAR_SAID = re.compile(rf"(?<!\()\b{_YEAR_DIGITS}\b|\A[\"“*]+[^\"“”*\n]{{1,200}}[\"”*]+ \({_YEAR_DIGITS}\)")
"""A year in words, or behind a title in quotation marks."""
_YEAR_BEHIND = re.compile(rf" \({_YEAR}\)")
_KIND = "(?:original|classic|remake|version|film|movie|one)"
_DATED_BEHIND = (
    rf"(?:,? (?:(?:made|released|(?:that|which) (?:came out|was (?:made|released))) in|(?:the {_KIND} )?(?:from|of)"
    rf"|aus dem Jahr|the(?= \d{{4}} {_KIND}\b)) ){_YEAR}(?!\w| ?(?:or|and|to|[–-]) ?\d)(?: {_KIND}\b)?"
)


def means_another(text: str, item: Item, index: TitleIndex | None = None) -> bool:
    """Return whether a text has an item's title only with another year (which may be off by one, as some catalogues
    give the festival) or, if there is an index, within a longer title: `Heat Wave`, but not `Heat and Fargo` if both
    are items."""
    own, text = _YEAR_BEHIND.search(item.title), text[:SEARCH_LIMIT]
    found = [*places_of(_name(item.title), text)]

    def is_longer(start: int, end: int) -> bool:
        before = text[max(0, start - 60) : start]
        behind, began = _TITLE_GOES_ON.match(text, end), _TITLE_BEGAN.search(before)
        began = began or (_VERB_BEHIND.match(text, end) and _WORD_BEFORE.search(before))
        return index is not None and bool(began or (behind and not index.named_in(behind[0])))

    def is_of_another_year(end: int) -> bool:
        year = _YEAR_BEHIND.match(text, end)
        return own is not None and year is not None and abs(int(own["year"]) - int(year["year"])) > 1

    return bool(found) and all(is_of_another_year(end) or is_longer(start, end) for start, end in found)


_TITLE_GOES_ON = re.compile(
    r" (?!(?:I|Because|Since|As|Is|Has|Would|Will|It|This|They|He|She|By|With|From|For|Over|Then|(?:Mon|Tues|Wednes"
    r"|Thurs|Fri|Satur|Sun)day)\b|\w+:)[A-Z][^\W_]"
    r"| (?:&|and(?: the| a)?|of(?: the| a)?|(?:in|on|at|to|from|into|under|over) (?:the|an?)) "
    r"(?:[A-Z][\w'’-]*+ ?){1,8}+(?:[.!?,;:*_\"”]|$|(?<= )(?:because|since|as|for|given|is|would)\b)"
)
_TITLE_BEGAN = re.compile(
    r"\b(?:recommend|suggest|watch|pick|choose|with|for|is|be|say|try|take|play|read) "
    r"(?!(?:The|An?|My|Film|Movie|Book|Game|Option|Title|Item|Number|Song|Product)\b)[A-Z][\w-]*+ $"
)
"""What follows or precedes a title that is a part of another: ` Wave`, ` in the Air.`, `recommend Body `"""
_WORD_BEFORE = re.compile(
    r"(?:^|[.!?] |\n)(?!(?:The|An?|My|Your|Film|Movie|Book|Game|Option|Title|Item|Song|So|Then|Maybe|Perhaps|Only|And"
    r"|But|Or"
    r"|Yes|No|Given|Since|While|Though|Although|Between|Both|Even|Now|If|When|Because|As|Overall|I|Well|Okay|\w+ly)\b)"
    r"[A-Z][a-z]+ $"
)
_VERB_BEHIND = re.compile(r" (?:is|would|was|has|seems)\b")
"""`Body Heat is my pick`: a capital word before a title that begins a sentence."""


def is_alone(title: str, text: str) -> bool:
    """Return whether a title begins the text, with no verb behind it, fills a line, or follows a heading such as
    `Answer:`."""
    begins = text.lstrip(_OPENS)
    if begins.startswith(title) and _GOES_ON.match(begins, len(title)):
        return True
    headed = (_HEADING.search(part) for part in text.split(title)[:-1])
    return any(headed) or any(line.strip(_OPENS) == title for line in text.splitlines())
