"""The answer format `choice`: the model picks one item by its identifier (`B`, `The most relevant is passage B`).

An answer often mentions more identifiers than the one it chooses. So the identifiers are filtered first: numbers that
count something, numbers in titles, and items that the answer rejects do not count. Of the rest, the one that the text
calls its answer wins, then the one it starts with, then the only one. If no identifier remains, a title is read
instead. Two choices of equal rank are `ambiguous`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from llmrank.answers.blocks import split
from llmrank.answers.comments import comments
from llmrank.answers.identifiers import Identifiers, Word, naming, starts_with_identifier, uses_brackets, words_of
from llmrank.answers.matching import Match, TitleIndex, title_index
from llmrank.answers.normalise import SHORT, caseless, plain_text
from llmrank.answers.outcome import NEXT_QUESTION, RETRACTION, TextFormat, answered, asks_first, unparsed
from llmrank.answers.ranking import assign_items, disambiguated, read_titles, resolved
from llmrank.types import Answer, Question, Response, Structured

_CALLED = caseless(
    r"(?:answer|choice|choose|select(?:ed)?|pick|best|most (?:relevant|likely)(?: \w+){0,3}|recommend|prefer|option"
    r"|(?:pick|choose|name|keep|recommend) (?:just |only )?one(?! (?:of|between|among|from|over|like|than)\b)"
    r"|(?:better|stronge(?:r|st)|close(?:r|st)) (?:match|fit|one)|go(?:ing)? with|settle (?:on|for)"
    r"|in favou?r of|would be|ha(?:s|ve) to be|must be|it is|(?<=, )so"
    r"|je (?:choisi(?:rais|s)|prendrais|recommande(?:rais)?)|ich (?:würde|empfehle|wähle|nehme)"
    r"|me quedo con|je (?:garde|retiens|prends)|ich bleibe bei|fico com|tengo per|ik kies"
    r"|elegir[ií]a|recomendar[ií]a|recomiendo|sceglierei|consiglierei|escolheria"
    r"|beste (?:wahl|option)|mejor (?:opción|elección)|meilleur choix|scelta migliore|melhor (?:opção|escolha)"
    r"|подойд[её]т|рекомендую|выбираю|лучший (?:выбор|вариант)"
    r"|推[荐薦]第?|[选選][择擇]第?|mon choix|meine wahl|mi elección|la mia scelta|minha escolha"
    r"|antwort|réponse|respuesta|resposta|risposta|ответ|答案|答え|정답|svar|odpověď|vastaus|válasz"
    r"|cevap|yanıt|jawaban|đáp án|választás|wybór|výběr|volba|valinta|seçim|pilihan"
    r"|lựa chọn|alegere\w{0,4}|(?:bästa|beste|bedste) val(?:et|get|g)?|επιλογή|вибір|выбор)"
    r"(?: ?:)?(?: (?:is|are|would be|the|number|recommendation|choice|match|fit|pick|passage|document|item|movie"
    r"|film|product|option|candidate|one|identifier|ist|est|es|le|la|el|il|die|das|numéro|nummer|número|numero"
    r"|for (?:this|the) (?:user|customer|viewer|reader))\b)*+[\s:=*_\"'(\[-]{0,6}$"
)
_CHOSEN = caseless(
    r"\b(?:(?:i['’]d|i would|i['’]ll|i will) (?:go with|pick|choose|select|take)|my (?:pick|choice|answer) is"
    r"|(?:1st|first|top|primary) (?:choice|pick|option|recommendation):?|answer(?: is)?:?"
    r"|best (?:fit|match|choice|option|pick)(?: (?:here|overall))? (?:is|would be))"
    r"(?: (?:the )?(?:option|movie|film|title|item|product|passage|candidate|book|game|number))?[\s:*_\"'(\[]{1,6}$"
)
"""Words that mark one identifier as the choice while others are only called options."""
_CHOSEN_BEHIND = caseless(
    r"[\])*_\"]{0,4}(?: [^.;:,!?\n]{1,60})? (?:is|would be) (?:the (?:one|movie|film|book|game|item|product|option) "
    r"(?:that )?i(?:['’]d| would|['’]ll) (?:go with|pick|choose|recommend|take)|my (?:final )?(?:pick|choice|answer))\b"
    r"(?![^.;\n]{0,60}\b(?:if|but|unless|except|had)\b)"
)
"""`[4] Se7en is the one I'd go with`"""
_DENIED = caseless(
    r"\b(?:not|\w{1,6}n['’]t|never|nor|neither|nicht|pas|no(?!,? wait)|не)\b[^.;\n]{0,20}$"
    r"|(?:而不是|而非|不推[荐薦])[\W第]{0,6}$"
)
_AVOIDED = caseless(
    r"\b(?:avoid|(?:stay|keep) away from|skip"
    r"|reject|exclude|drop|leave out|rul(?:e|ed|es|ing) out|pass on|(?:any|every)thing but|dislikes?"
    r"|hates?|(?<!at )least|worst|weakest|poorest|lowest|runners?-up|second choice)\b"
    r"(?:\W{1,3}(?:one|it|this|that|the|these|two|among|them|all|here|clearly|definitely|probably|of|to|for|in|would"
    r"|be|is|are|most|my|your|user|pick|choice|option|movie|film|title|item|product|passage|candidate|match|fit"
    r"|relevant|likely|suitable|recommended|preferred)\b)*+\W{0,6}$"
)
"""`If I had to avoid one, it would be A`, `The worst choice is A`."""
_EXAMPLE = caseless(r"\b(?:e\.g\.|for (?:example|instance)|such as)\W{0,4}$")
_ALSO = re.compile(r"[ ,/*]{0,5}(?:(?:and|or|nor) )?(?:(?:the )?(?:option|movie|film|title|item|product|passage) )?")
_NOUN = caseless(
    r"\b(?:movie|film|title|item|product|passage|candidate|option|book|game|song|article|produkt|produit|produc?to|livre"
    r"|number|nummer|n[úu]mero|numéro|película)\W{1,4}$"
)
"""`I would take product 4, as two of their …`: of several numbers, the one after such a noun is an identifier."""
_SEARCH_LIMIT = 4000
"""Maximum number of characters to search for titles."""
_STANDS_FOR = caseless(
    r"[\s,*_\"”]*(?:[(\[=:–—-]|\b(?:i\.e\.|that is|which is|namely)),? ?(?:the )?(?:(?:option|movie|film|title|item"
    r"|product|passage|candidate|answer) )?[\W_]{0,4}$"
)
"""`Gravity (A)`, `Gravity, i.e. option A`: a title with the identifier that belongs to it."""
_TITLE_WORDS, _TITLE_SIGNS = 12, 200
"""Maximum number of words and characters of a title before an identifier."""
_WORSE = caseless(
    r"\W{0,4} (?:is|are|would be|seems|was)(?: \w+)? (?:not|n['’]t|less|least|worse|worst|unlikely|irrelevant"
    r"|too|bad|poor|weak|wrong|mistake)\b|\W{0,4} isn['’]t\b"
    r"|\W{0,4} (?:is|are|would be|would have been) an? (?:reasonable|good|solid|decent) (?:second|backup)"
    r"(?= (?:choice|pick|option|best)\b|[.,;!]|$)"
    r"|\W{0,4} (?:is|are|would be|would have been|comes?)(?: (?:my|the|an?|close|clear|in|as)){0,3}"
    r" (?:runners?-up|second\b(?! to none)|backup)"
    r"|\W{0,4} (?:wäre|ist|serait|est|sería|es|seria|é|sarebbe|è)(?: \w+)?"
    r" (?:zweite|deuxième|second[eao]?|segund[ao])\b"
    r"|\W{0,4} (?:is|seems)(?: \w+)? (?:not )?(?:irrelevant|unsuitable)\b"
    r"|\W{0,4} (?:is|are|was) (?:what|the one|one)\b[^.;\n]{0,40}\b(?:avoid|skip|never|not\b(?! (?:miss|only)))"
    r"|[\])*]{0,4} ?<|[\])*\"'’]{0,4} ?(?:[:=?–—-] ?)?(?:no\b(?!,? wait| doubt| question| contest)|❌|✗|✘|👎)"
)
_BETTER = caseless(
    r"\W{0,4} (?:is|are|would be|seems|has)(?: (?:a|the|much|clearly|far|probably|likely"
    r"|by far))* (?:(?P<than>more|better)|most|best)\b"
)
_WEIGHED = re.compile(r"[\])*\"'’]{0,4} ?[:=(–—-] ?\d")
"""`A: 0.2, B: 0.8`: the first identifier is not the choice."""
_RETRACTION = caseless(
    rf"{RETRACTION.pattern}|\brather:|\b(?:oder|ach) nein\b|\bnein,? besser\b|\bdoch lieber\b|\b(?:ou|non,?) plutôt\b"
    r"|\bno,? mejor\b|\bo mejor dicho\b|\bou melhor\b|\bo meglio\b"
)
_DEPENDS = caseless(r"\bdepends\b")
_EACH_FOR = caseless(r"\b(?:both|either|equally|neither)\b")
_SMALL_LETTER = caseless(r"[\W_]*(?:(?:my|the|final|best|answer|choice|option|is)\b[\W_]*)*+[a-z][\W_]*")
"""`b`, `Answer: b`"""
_SMALL_IN_BRACKETS = re.compile(r"\([a-z]\)")
_RANK_FIELD = caseless(r"\"(?:rank|position|score|confidence|probability)\" ?: ?[\d.]{1,8},?")
"""A number in a JSON object that is not an identifier."""
_LIST_OF_ONE = re.compile(r"\W{0,4}1[.)] ([^\n]{2,200})")
_OFFERED = caseless(r"^[^\n:]{0,80}\bor\b[^\n:]{0,80}:(?=.*\w)")
"""The last line of the question, repeated before the answer: `Movie A or Movie B: Movie B`."""


@dataclass(frozen=True, slots=True)
class Choice(TextFormat):
    """Reads one identifier (or title). Precedence: the one that the text calls its answer, then the one it starts
    with, then the only one present. Two of equal precedence are `ambiguous`; one that no item has is
    `not_a_candidate`."""

    name: str = "choice"

    def read(self, response: Response, question: Question) -> Answer:
        """Return the one item in `ranked`; unparsed (`empty`, `truncated`, `refusal`, `ambiguous`,
        `no_candidate_named`)."""
        text = plain_text(response.text, SHORT)
        if not text:
            return unparsed(response, text, "empty")
        text = _RANK_FIELD.sub("", _OFFERED.sub("", text))
        text = next((part for part in NEXT_QUESTION.split(text, maxsplit=1) if part.strip()), text)
        if response.finish_reason in ("refusal", "content_filter"):
            return unparsed(response, text, "refusal")
        identifiers, index = Identifiers.of(question), title_index(question.items)
        if (titled := _only_title(text, index)) is not None:
            return _titled(titled.positions[0], titled.stage, response, question)
        every = _identifiers_meant(text, question, identifiers, index)
        if (at := _beside_its_title(every, text, index)) is not None:
            return answered(response, {"named_beside": _others(every, at)}, ranked=(question.items[at].item_id,))
        words = _not_ruled_out(every, text)
        if len({word.text for word in every}) > 1 and _is_undecided(words, text):
            return unparsed(response, text, "ambiguous")
        if uses_brackets(text, identifiers) and (called := _declared(_without_brackets(text, identifiers), text)):
            words = [*called, *_declared(words, text)]  # The best is 2; [1] would be the second
        if not words:
            return _by_title(text, response, question, index)
        return _by_identifier(words, every, text, response, question)

    def structured(self, question: Question) -> Structured | None:
        """Return a choice between the identifiers."""
        identifiers = Identifiers.of(question).texts
        return Structured("choice", "\n".join(identifiers)) if identifiers else None


def _titled(at: int, stage: str, response: Response, question: Question, beside: int = 0) -> Answer:
    """Return the Answer for an item named by title. `beside`: the number of other items named by identifier."""
    repairs = {"title_for_identifier": 1, "named_beside": beside}
    return answered(response, repairs, ranked=(question.items[at].item_id,), matches={stage: 1})


def _only_title(text: str, index: TitleIndex) -> Match | None:
    """Return the item whose title is the whole text: `A Game of Thrones`, which is not choice A; `1. Heat`."""
    only = _LIST_OF_ONE.fullmatch(text.strip())
    title = (only[1] if only else text).strip(" .*_\"'")
    match = index.find(title) if only else index.exact(title)
    return match if match and len(match.positions) == 1 and (only or " " in text.strip()) else None


def _by_identifier(words: list[Word], every: list[Word], text: str, response: Response, question: Question) -> Answer:
    """Return the Answer for a text with identifiers: `words` without those that are ruled out, `every` with them."""
    index = title_index(question.items)
    if _is_question(words, text):
        return unparsed(response, text, "no_candidate_named")
    plainest = _plainest(words, text, len(question.items))
    several = len({word.text for word in plainest}) > 1
    if several and not _declared(words, text) and (at := _called_title(text, index)) is not None:
        # not 3, not 4. The best option is Heat
        return _titled(at, "normalised", response, question, _others(every, at))
    if several or _DEPENDS.search(text[:200]):
        return unparsed(response, text, "ambiguous")
    if (at := plainest[0].position) is None:
        return unparsed(response, text, "no_candidate_named", {"not_a_candidate": 1})
    begins = starts_with_identifier(words[0], text)
    if not begins and not _declared(plainest, text) and (title := _praised_title(text, index)) not in (None, at):
        return _titled(title, "normalised", response, question, _others(every, title))
    if _is_of_another(plainest[0], text, index):
        return unparsed(response, text, "ambiguous")
    beside = len({word.text for word in every} - {plainest[0].text})
    repairs = {"named_beside": beside, "commented": 0 if beside else comments(text.splitlines(), question.items)}
    return answered(response, repairs, ranked=(question.items[at].item_id,))


def _by_title(text: str, response: Response, question: Question, index: TitleIndex) -> Answer:
    """Return the Answer for a text without identifiers."""
    mentions = disambiguated(read_titles(split(text), text, question).mentions, text, index)
    named, repairs = resolved(assign_items(mentions, index))
    if any(one.match and len(one.match.positions) > 1 for one in mentions):
        return unparsed(response, text, "ambiguous")  # nothing tells the items of one title apart
    others = index.named_in(text[:_SEARCH_LIMIT]) - {same for at in named for same in index.namesakes(at)}
    beside = others if not any(one.match and _is_alone(one.text, text) for one in mentions) else set[int]()
    if (len(named) != 1 or beside) and (at := _called_title(text, index)) is not None:
        named, beside = {at: "normalised"}, set[int]()
    if len(named) == 1 and not beside:
        return _titled(*named.popitem(), response, question)
    unclear = named or others or repairs["ambiguous"]
    return unparsed(response, text, "ambiguous" if unclear else "no_candidate_named", repairs)


def _is_alone(title: str, text: str) -> bool:
    """Return whether a title begins the text, fills a line of it, or follows a label such as `Answer:`."""
    begins = text.lstrip(_OPENS)
    if begins.startswith(title) and not begins[len(title) :].lstrip().startswith("?"):
        return True
    labelled = (_LABEL.search(part) for part in text.split(title)[:-1])
    return any(labelled) or any(line.strip(_OPENS) == title for line in text.splitlines())


_LABEL = caseless(
    r"\b(?:choice|answer|recommendation|recommended(?:_\w+)?|pick|selection|selected|title|movie|film|item|book|product)"
    r"[\"*_]{0,3} ?[:=] ?[\"“*_]{0,3}$"
)
_OPENS = ' \t\n*_`"“”„«»#>-.:'


def _identifiers_meant(text: str, question: Question, identifiers: Identifiers, index: TitleIndex) -> list[Word]:
    """Return the identifiers in a text that neither count something nor belong to a title; if there are none, a lone
    lower-case letter."""
    by_title = not question.identifiers and bool(index.named_in(text[:_SEARCH_LIMIT]))  # no identifier was shown
    every = [
        word
        for word in _identifiers_in(text, identifiers)
        if not (_is_in_title(word, text, index) or _is_count(word, text))
        and not (by_title and not _is_meant(word, text))
    ]
    small = [*_SMALL_IN_BRACKETS.finditer(text)]
    if not every and identifiers.are_letters and (_SMALL_LETTER.fullmatch(text) or len(small) == 1):
        return _identifiers_in(small[0][0].upper() if small else text.upper(), identifiers)
    return every


def _others(words: list[Word], at: int) -> int:
    return len({word.text for word in words if word.position != at})


def _is_question(words: list[Word], text: str) -> bool:
    """Return whether a text asks a question or chooses nothing, and names identifiers only in passing."""
    if not (asks_first(text) or _CHOOSES_NONE.search(text[:600])):
        return False
    alone = starts_with_identifier(words[0], text) and text.partition("\n")[0].strip(_AROUND + "(") == words[0].text
    return not alone and not _declared(words, text)


def _is_undecided(words: list[Word], text: str) -> bool:
    """Return whether a text says that it cannot decide, and names no choice after that."""
    found = _UNDECIDED.search(text)
    return found is not None and not _declared([word for word in words if word.start > found.end()], text)


_UNDECIDED = caseless(
    r"\b(?:can(?:no|['’])t|unable to|hard to) (?:really )?(?:decide|choose|pick) between\b|\btorn between\b"
    r"|\btoss-?up\b|\bflip a coin\b|\bschwanke zwischen\b|\bhésite entre\b|\bdudo entre\b"
)
"""`I can't decide between [3] and [8]`"""


def _is_count(word: Word, text: str) -> bool:
    """Return whether a bare number counts things: `none of the 10 candidates`, `the 1 original`."""
    if word.bracketed or not word.text.isdigit() or _NOUN.search(text[max(0, word.start - 20) : word.start]):
        return False
    pattern = _NOUN_BEHIND if text[: word.start].endswith("the ") else _COUNTED
    return pattern.match(text, word.end) is not None


_COUNTED = re.compile(
    r" (?:(?:[a-z-]{2,20} ){0,2}"
    r"(?:thing|question|point|candidate|movie|film|item|option|book|product|passage|headline|game|song|title)s?|are|were"
    r"|stars?(?! [A-Z])|points?|of (?:the|these|those|them))\b"
)
_NOUN_BEHIND = re.compile(r" (?!(?:is|was|has|would|because|since|as|for|and|or)\b)[a-z]{3,}")


def _is_meant(word: Word, text: str) -> bool:
    """Return whether a number beside titles is an identifier: it is called the choice, follows a noun, or ends the
    text."""
    before = text[max(0, word.start - 80) : word.start]
    return bool(_CALLED.search(before) or _NOUN.search(before) or not text[word.end :].strip(_AROUND))


def _is_in_title(word: Word, text: str, index: TitleIndex) -> bool:
    """Return whether an identifier is part of a candidate's title: the 3 of `Things 3`, the A of `A Serious Man`."""
    if word.bracketed or not word.text.isdigit():
        return not word.bracketed and index.covers(text, word.start, word.end)
    after = text[word.end : word.end + _TITLE_SIGNS].split()[:_TITLE_WORDS]
    titles = [f"{words} {word.text}" for words in _words_before(text, word.start)]
    titles += [" ".join((word.text, *after[: at + 1])).rstrip(".,:;!?") for at in range(len(after))]
    return any(match and match.positions for match in map(index.find, titles))


def _words_before(text: str, end: int) -> list[str]:
    """Return what may be a title that ends at a position: the twelve words before it, eleven, and so on to one."""
    words = text[max(0, end - _TITLE_SIGNS) : end].split()[-_TITLE_WORDS:]
    return [" ".join(words[at:]) for at in range(len(words))]


def _beside_its_title(words: list[Word], text: str, index: TitleIndex) -> int | None:
    """Return the item if the first line is an identifier with its own title (`(6) Finding Nemo`)."""
    start = len(text) - len(text.lstrip())
    if not words or words[0].start > start + 3 or words[0].position is None:
        return None
    line, _, rest = text[words[0].end :].partition("\n")
    named = index.find(line.lstrip(" *_\"'.:)]-–—").rstrip(" *_\"'.:-–—"))
    own = named is not None and named.positions == (words[0].position,)
    return words[0].position if own and not _RETRACTION.search(rest) else None


def _called_title(text: str, index: TitleIndex) -> int | None:
    """Return the one item that the last sentence with a title beside such words calls the answer (`so my pick is
    Heat`)."""
    for sentence in reversed(_SENTENCE.split(text[-_LAST_SIGNS:])):
        for call in reversed([*_CALLS.finditer(sentence)]):
            first = _BEGINS.match(sentence, call.end())  # My choice is: Heat
            after = first.end() if first else call.end()
            ends = (one for one in _CLAUSE.finditer(sentence, call.end()) if one[0] not in ":;" or one.start() >= after)
            outside = (one.start() for one in ends if not index.covers(sentence, *one.span()))  # Azul: Summer Pavilion
            end = next(outside, len(sentence))
            if named := index.named_in(sentence[call.end() : end]):
                return named.pop() if len(named) == 1 and not _NOT_CALLED.search(sentence[:end]) else None
        if (at := _praised_title(sentence, index)) is not None:
            return None if _NOT_CALLED.search(sentence) else at
    return None


def _praised_title(text: str, index: TitleIndex) -> int | None:
    """Return the one item whose title stands right before `is my pick`, None if there is none."""
    for found in _IS_BEST.finditer(text[:_SEARCH_LIMIT]):
        matches = (index.find(words.strip(_AROUND)) for words in _words_before(text, found.start()))
        if (match := next(filter(None, matches), None)) and len(match.positions) == 1:
            return match.positions[0]
    return None


_IS_BEST = caseless(
    r" (?:is|would be) (?:(?:clearly|definitely|probably|still) )?"
    r"(?:the best (?:choice|pick|fit|option|match|recommendation)|my (?:pick|choice|answer|recommendation))\b"
    r"(?![^.;\n]{0,60}\b(?:if|but|unless|except|had)\b)"
)
_SENTENCE = re.compile(r"(?<=[.!?]) |, (?=so\b|and\b|but\b)|\n")
_CALLS = caseless(
    r"\b(?:my (?:pick|choice)|recommend|(?:pick|choose|name) (?:just |only )?one"
    r"|go (?:with|for)|it(?:['’]s| is)(?=[\s:*_\"“]{1,4}(?-i:[A-Z]))|answer is"
    r"|best (?:choice|pick|fit|option|match|recommendation)|(?<!second )(?<!next )best(?=:)"
    r"|(?:melhor|mejor|migliore?|meilleure?|beste|лучший|лучшая)"
    r" (?:op[çc]ão|opción|opzione|option|escolha|elección|scelta|choix|wahl|recomendação|recomendación"
    r"|raccomandazione|recommandation|empfehlung|выбор|вариант|рекомендация)"
    r"|recomend(?:o|aria)|recomiendo|recomendaría|escolh(?:o|eria)|elij?o|elegiría|consiglio|consiglierei|scelgo"
    r"|je (?:recommande(?:rais)?|choisi(?:s|rais))|ich (?:empfehle|wähle|würde|nehme)|рекомендую|выбираю)\b"
)
_NOT_CALLED = caseless(
    r"\b(?:not|\w{1,6}n['’]t|never|nor|neither|none|avoid|skip|worst|least|worse|unless"
    r"|if(?! i ha(?:d|ve) to)|or|instead|than|no (?=recom|elij|eleg)|não|nicht|kein\w*|weder|statt|oder|pas|ni|ou|nem"
    r"|nunca|jamais|jamás|non|né|не|или)\b|\?"
)
_BEGINS = re.compile(r"(?: (?:is|would be|for (?:this|the) (?:user|reader)))?\W*\w")
_CLAUSE = re.compile(
    r"[:;]|,? (?:because|since|as|given|which|not|rather than|instead of|over|parce|car|puisque|weil|da|porque|pois"
    r"|perché|потому|так как)\b| (?:for|with|after|like|than|from|para|pour|für|per|для) (?=[A-Z\"“*])"
    r"| for (?:an? )?(?:fans?|lovers?|someone|somebody|anyone|people|those)\b"
)
"""Where the clause that names the choice ends."""
_LAST_SIGNS = 1000


def _without_brackets(text: str, identifiers: Identifiers) -> list[Word]:
    """Return the identifiers without brackets that the text does not rule out."""
    words = naming(words_of(text, identifiers, False))
    return _not_ruled_out([word for word in words if not word.bracketed], text)


def _declared(words: list[Word], text: str) -> list[Word]:
    """Return the identifiers that the text calls its answer; if there are several, the one it says it chooses."""
    before = {word: text[max(0, word.start - 80) : word.start].replace("_", " ") for word in words}
    called = [word for word in words if _CALLED.search(before[word]) or _CHOSEN_BEHIND.match(text, word.end)]
    if len({word.text for word in called}) > 1:  # Option 8 is good, but I'd go with 2
        chosen = [word for word in called if _CHOSEN.search(before[word])]
        called = chosen if len({word.text for word in chosen}) == 1 else called
    return called


def _identifiers_in(text: str, identifiers: Identifiers) -> list[Word]:
    return naming(words_of(text, identifiers, uses_brackets(text, identifiers)))


def _not_ruled_out(words: list[Word], text: str) -> list[Word]:
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
        if not denied and not _WORSE.match(text[word.end : word.end + 60]):
            kept.append(word)
    return kept


_AROUND = " \t\n*_.)]\"'!"
_IN_WORDS = re.compile(r"[a-z]{3}")
_LINE_BEGINS = caseless(
    r"(?:[.!]\s{0,9}\n|[.!?] (?:(?:so|quindi|also|donc|luego|daher|dus|portanto|thus),? )?)[ \t*_(\[\"']{0,6}$"
)
_CHOOSES_NONE = caseless(
    r"\b(?:choose|pick|recommend|select) (?:nothing|none|neither|no one)\b"
    r"|\bi (?:can(?:no|['’])t|am unable to|['’]m unable to) (?:choose|pick|recommend|select)\b(?! between)"
    r"|\bnone of (?:them|these|the (?:options|candidates))\b[^.\n]{0,40}\b(?:fit|suit|work"
    r"|right)(?![^.\n]*\b(?:but|yet|though)\b)"
)
"""`I'd rather choose nothing.`"""
_OVER = re.compile(r"[\])*\"']{0,4} ?> ?[\[(*\"']{0,4}")


def _plainest(words: list[Word], text: str, offered: int) -> list[Word]:
    begun = starts_with_identifier(words[0], text)
    if _EACH_FOR.search(text[:400]) and len({word.text for word in words}) > 1:
        called = _declared(words, text)
        return called if len({word.text for word in called}) == 1 else words
    final = [word for word in words if _FINAL.search(text[max(0, word.start - 40) : word.start])]
    if final and not _RETRACTION.search(text, final[-1].end):
        return final[-1:] if _CORRECTED.search(text[max(0, final[-1].start - 40) : final[-1].start]) else final
    if (back := _RETRACTION.search(text)) and (after := [word for word in words if word.start > back.start()]):
        words = after
    called = _declared(words, text)
    before = "" if text[words[-1].end :].strip(_AROUND) else text[: words[-1].start]
    if _LINE_BEGINS.search(before) and _IN_WORDS.search(before) and not (begun or called):
        return words[-1:]  # I'd rule out A, and B loses by a hair.⏎⏎**D.**
    if not called and len({word.text for word in words}) > 1 and all(word.text.isdigit() for word in words):
        called = [word for word in words if _NOUN.search(text[max(0, word.start - 20) : word.start])]
    praised = ((word, _BETTER.match(text[word.end : word.end + 60])) for word in words)
    better = [word for word, found in praised if found and (offered == 2 or not found["than"])]
    lines = {word.text for word in words if starts_with_identifier(word, text, text.rfind("\n", 0, word.start) + 1)}
    begins = [
        word for word in words[:1] if starts_with_identifier(word, text) and _ends_there(word, text) and len(lines) == 1
    ]
    weighed = {word.text for word in words if _WEIGHED.match(text, word.end)}
    if len(words) > 1 and all(_OVER.fullmatch(text, one.end, two.start) for one, two in pairwise(words)):
        return words[:1]  # B > A > C
    return called or better or (words if len(weighed) > 1 else begins) or words


_FINAL, _CORRECTED = (
    caseless(rf"\b(?:{word}) (?:answer|choice|pick|decision|recommendation)(?: is|:)*[\s*_\"'(\[]{{0,6}}$")
    for word in ("corrected|revised|updated|final", "corrected|revised|updated")
)
"""`Corrected answer: C`, after a first one."""


def _ends_there(word: Word, text: str) -> bool:
    return not re.match(r"[*_\"')\]]{0,4}(?: \w|/)", text[word.end : word.end + 6])


def _is_of_another(word: Word, text: str, index: TitleIndex) -> bool:
    """Return whether another item's title stands right beside an identifier: `A: Fargo`, where A is Heat."""
    before = text[: word.start].rpartition("\n")[2][-200:]
    titles = [text[word.end :].split("\n", 1)[0]]
    if stands_for := _STANDS_FOR.search(before):
        titles += _words_before(before, stands_for.start())
    plain = [title.strip(" *_`\"“”„«»'‘’()[]{}.:,;=|→-–—") for title in titles]
    matches = [index.find(f"{one})" if one.count("(") > one.count(")") else one) for one in plain if len(one) > 1]
    if not _declared([word], text):
        matches += [index.find(line.strip(' *_`"#')) for line in text[: word.start].splitlines()[:_LINES]]
    return any(match and match.positions and word.position not in match.positions for match in matches)


_LINES = 40
"""Lines before an identifier that are searched for another item's title."""
