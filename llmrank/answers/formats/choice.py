"""The answer format `choice`: the model picks one item by its identifier (`B`, `The most relevant is passage B`).

An answer often mentions more identifiers than the one it chooses. So the identifiers are filtered first: numbers that
count something, numbers in titles, and items that the answer rejects do not count. Of the rest, the one that the text
calls its answer wins, then the one it starts with, then the only one. If no identifier remains, a title is read
instead. Two choices of equal rank are `ambiguous`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise

from llmrank.answers.formats import comparison
from llmrank.answers.formats.chosen_title import (
    LATTER,
    SEARCH_LIMIT,
    TITLE_FIELD,
    TITLE_SIGNS,
    TITLE_WORDS,
    called_title,
    chosen_title,
    is_alone,
    marked,
    means_another,
    stands_for,
    with_years,
    words_before,
)
from llmrank.answers.formats.ranking import assign_items, disambiguated, read_titles, resolved
from llmrank.answers.items.identifiers import Identifiers, Word, naming, starts_with_identifier, uses_brackets, words_of
from llmrank.answers.items.matching import Match, TitleIndex, title_index
from llmrank.answers.outcome import (
    TAKEN_BACK,
    TextFormat,
    answered,
    asks_first,
    before_next_question,
    read_from_first,
    unparsed,
)
from llmrank.answers.rankings import doubt
from llmrank.answers.rankings.comments import comments
from llmrank.answers.text.blocks import split
from llmrank.answers.text.normalise import EAST_ASIAN, ORDINALS, SHORT, caseless, plain_text
from llmrank.answers.text.predictions import USER
from llmrank.types import Answer, Question, Response, Structured

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
    r"|最(?:合适|适合|佳|好|推荐)的?(?:选择|选项)?是(?:选项|第)?|(?:一番|最も)(?:おすすめ|適)[^\s\dA-Za-z。]{0,8}は|(?:おすすめ|お勧め)は"
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
_DENIED = caseless(
    r"\b(?:not|\w{1,6}n['’]t|never|nor|neither|nicht|pas|no(?!,? wait| contest| doubt| question)|не|weder|noch"
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
    r"|hates?|(?<!at )least|worst|weakest|poorest|lowest|runners?-up|second (?:choice|pick|option)"
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
_NOUN = caseless(
    r"\b(?:movie|film|title|item|product|passage|candidate|option|book|game|song|article|produkt|produit|produc?to"
    r"|livre|number|nummer|n[úu]mero|numéro|película)\W{1,4}$"
)
"""`I would take product 4, as two of their …`: of several numbers, the one after such a noun is an identifier."""
_STANDS_FOR = caseless(
    r"[\s,*_\"”]*(?:[(\[=:–—-]|\b(?:i\.e\.|that is|which is|namely)),? ?(?:the )?(?:(?:option|movie|film|title|item"
    r"|product|passage|candidate|answer) )?[\W_]{0,4}$"
)
"""`Gravity (A)`, `Gravity, i.e. option A`: a title with the identifier that belongs to it."""
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
    r"|\W{0,4} (?:lacks\b|(?:is|seems|feels) (?:\w+ )?(?:off|weaker)(?=[.,;!]|$)"
    r"|(?:has|is|was|features|stars) [^.,;:\n]{1,40}, wh(?:om?|ich) (?:they|he|she|the \w+)"
    r" (?:dislikes?|hates?|avoids?)\b)"
    r"|[\])*]{0,4} (?:\w+ )?(?:también|aussi|auch|anche|também|тоже)\b|[\])*]{0,4} ?(?:番も|も(?!の)|也)"
    r"|[\])*]{0,4} ?<|[\])*\"'’]{0,4} ?(?:[:=?–—-] ?)?(?:no\b(?!,? wait| doubt| question| contest)|❌|✗|✘|👎)"
)
_BETTER = caseless(
    r"\W{0,4} (?:is|are|would be|seems|has)(?: (?:a|the|much|clearly|far|probably|likely"
    r"|by far))* (?:(?P<than>better(?![ -]known)|more(?= (?:relevant|likely|suitable|fitting|similar"
    r"|appealing|appropriate|in line|aligned|closely|of an?|interesting|consistent|compatible|to)\b))|most|best)\b"
    r"(?![^.;\n]{0,60}\b(?:if|but|unless|except|had)\b)"
)
_WEIGHED = re.compile(r"[\])*\"'’]{0,4} ?[:=(–—-] ?\d")
"""`A: 0.2, B: 0.8`: the first identifier is not the choice."""
_IF_THEY = caseless(
    r"[\])*_\"]{0,4}(?: \([^()\n]{1,80}\))? (?:if|when) (?:they|he|she|you|the \w+)(?:['’]re| are| were)?"
    r" (?:want|prefer|like|love|feel|need|enjoy|in)\w{0,3}\b",
    r"[\])*_\"]{0,4},? but only (?:if|when)\b",
    r"[\])*_\"]{0,4} would (?:be|win|have)\b[^.;,\n]{0,60}\b(?:if|were it not)\b",
)
"""`Choose A if they want action`"""
_EACH_FOR = caseless(r"\b(?:both|either|equally|neither)\b")
_SMALL_LETTER = caseless(r"[\W_]*(?:(?:my|the|final|best|answer|choice|option|is)\b[\W_]*)*+[a-z][\W_]*")
"""`b`, `Answer: b`"""
_SMALL_IN_BRACKETS = re.compile(r"\([a-z]\)")
_SMALL_ANSWER = re.compile(r"(?:[Aa]nswer|[Cc]hoice|[Pp]ick)(?: is)?[:\s*_\"(]{1,4}([a-z])[)*_\".]{0,4}\s*\Z")
_SMALL_FIRST = re.compile(
    r"(?:^[\W_]{0,6}|\boption |^\W{0,6}[Aa]nswer:[\s*_\"]{1,4})[a-z][).:](?=[*_]{0,3} )", re.MULTILINE
)
"""`b) Heat`"""
_RANK_FIELD = caseless(
    r"\\?\"(?:rank|position|score|confidence|probability|user(?:_id)?)\\?\" ?: ?\\?\"?[\d.]{1,8}\\?\"?,?"
    r"|\"(?:alternatives?|runners?_up|rejected|others?)\" ?: ?\[[^\[\]]{0,200}\],?"
)
"""A number in a JSON object that is not an identifier."""
_BESIDE_CHARACTER = re.compile(
    rf"(?<=[{EAST_ASIAN}])(?=[A-Za-z](?![A-Za-z]))|(?<=[A-Za-z])(?<![A-Za-z0-9][A-Za-z])(?![级級])(?=[{EAST_ASIAN}])"
    rf"|(?<=[{EAST_ASIAN}])(?=\d+番(?!目))|(?<=\d)(?=番(?!目))"
    r"|(?<=[是为但然選选择擇択荐薦项項肢は或か和])(?=\d)|(?<=\d)(?=です|입니다|번|[을를이가] "
    r"|が(?:最|一番)|を(?:選|お|推)|[最更也或和与とか]|是最)"
)
"""Where an identifier touches a character without being part of a word: `选项E`, `は2番です`."""
_VERSUS = re.compile(r"(?<=\b[A-Z\d])[\])*]{0,3} (?:vs\.?|versus) (?=[\[(*]{0,3}[A-Z\d]\b)")
"""`A vs. B`, where A is no article."""
_FIELD = caseless(
    r"\"(?:(?:final_|best_|my_)?(?:choice|answer|pick|selection|option)|selected(?:_\w+)?|(?:item|candidate|movie"
    r"|product)_?id|chosen(?:_\w+)?)\" ?: ?\"?(\w{1,12})\"?(?=\s?[,}\n])"
)
"""`{"choice": "D", "reason": "B or D, and D …"}`"""
_LIST_OF_ONE = re.compile(r"\W{0,4}1[.)] ([^\n]{2,200})")
_OFFERED = caseless(
    r"^(?![^\n:]*\b(?:it['’]s|i['’]d|i would|if|is|because)\b)[^\n:]{0,80}\b(?:or|vs|versus)\b[^\n:]{0,80}:(?=.*\w)"
)
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
        identifiers, index = Identifiers.of(question), title_index(question.items)

        def names(part: str) -> bool:
            return bool(_identifiers_in(part, identifiers) or index.named_in(part) or _PLACE.search(part))

        dated = replace(response, text=with_years(response.text, question))
        return read_from_first(dated, lambda part: self._read(part, question), names)

    def _read(self, response: Response, question: Question) -> Answer:
        text = plain_text(response.text, SHORT)
        if not text:
            return unparsed(response, text, "empty")
        text = _BESIDE_CHARACTER.sub(" ", _RANK_FIELD.sub("", _OFFERED.sub("", text)))
        text = _VERSUS.sub(" / ", before_next_question(text))
        if response.finish_reason in ("refusal", "content_filter"):
            return unparsed(response, text, "refusal")
        identifiers, index = Identifiers.of(question), title_index(question.items)
        at = _ordinal(text, len(question.items)) if _PLACE_CHOSEN.match(text) or _is_last(text, question) else None
        if at is None and identifiers.are_numbers:
            at = _first_of_titles(text, index)
        if at is not None:
            return _chosen(at, response, question)
        every = _identifiers_meant(text, question, identifiers, index)
        if _repeats_all(text, identifiers):
            return unparsed(response, text, "ambiguous")
        marks = _marked(every, text, question, index)
        titled = _only_title(text, index) or _first_title(text, index, identifiers)
        if titled and comparison.weighed(marks, titled.positions[0]) == titled.positions[0]:
            return _titled(titled.positions[0], titled.stage, response, question)
        fields = {*_FIELD.findall(text)}
        if len(fields) == 1 and (at := identifiers.find(fields.pop())) is not None:
            titles = filter(None, map(index.find, TITLE_FIELD.findall(text)))
            if any(match.positions and at not in match.positions for match in titles):
                return unparsed(response, text, "ambiguous")  # {"choice": 4, "title": "Heat"}
            beside = _others(_identifiers_in(text, identifiers), at)
            return _chosen(at, response, question, beside)
        at = _beside_its_title(every, text, index)
        if at is not None and comparison.weighed(marks, at) == at:
            return _chosen(at, response, question, _others(every, at))
        words = _not_ruled_out(every, text)
        if uses_brackets(text, identifiers) and (called := _declared(_without_brackets(text, identifiers), text)):
            words = [*called, *_declared(words, text)]  # The best is 2; [1] would be the second
        if words:
            answer = _by_identifier(words, every, text, response, question)
        else:
            answer = _by_title(text, "" if every else marks, response, question, index)
        return _weighed(answer, every, text, marks, response, question)

    def structured(self, question: Question) -> Structured | None:
        """Return a choice between the identifiers."""
        identifiers = Identifiers.of(question).texts
        return Structured("choice", "\n".join(identifiers)) if identifiers else None


def _weighed(
    answer: Answer, every: list[Word], text: str, marks: str, response: Response, question: Question
) -> Answer:
    """Return an Answer, or what sentences that compare identifiers choose, if they set the item of the Answer aside."""
    at = [item.item_id for item in question.items].index(answer.ranked[0]) if answer.ranked else None
    offered = len(question.items)
    if at is None:
        chosen = comparison.chosen(marks, offered) if len({word.position for word in every}) > 1 else None
    elif (chosen := comparison.weighed(marks, at, offered)) == at:
        return answer
    index = title_index(question.items)
    named = [word for word in every if word.position == chosen][:_MENTIONS]
    if chosen is not None and not any(_is_of_another(word, text, index) for word in named):
        return _chosen(chosen, response, question, _others(every, chosen))
    return answer if at is None else unparsed(response, text, "ambiguous")


def _marked(words: list[Word], text: str, question: Question, index: TitleIndex) -> str:
    """Return a text with marks in place of the identifiers and titles that name items."""
    marks = text = text[:SEARCH_LIMIT]
    for word in reversed(words):
        if word.position is not None and word.end <= SEARCH_LIMIT:
            marks = marks[: word.start] + comparison.mark(word.position) + marks[word.end :]
    return marked(marks, question, index.named_in(text)) or marks


_MENTIONS = 8
"""Maximum number of identifiers beside which another title is searched for."""


def _chosen(at: int, response: Response, question: Question, beside: int = 0) -> Answer:
    """Return the Answer for an item named by identifier or place; `beside`: the number of others named so."""
    return answered(response, {"named_beside": beside}, ranked=(question.items[at].item_id,))


def _titled(at: int, stage: str, response: Response, question: Question, beside: int = 0) -> Answer:
    """Return the Answer for an item named by title. `beside`: the number of other items named by identifier."""
    if means_another(plain_text(response.text, SEARCH_LIMIT) or "", question.items[at], title_index(question.items)):
        return unparsed(response, response.text, "no_candidate_named")
    repairs = {"title_for_identifier": 1, "named_beside": beside}
    return answered(response, repairs, ranked=(question.items[at].item_id,), matches={stage: 1})


def _only_title(text: str, index: TitleIndex) -> Match | None:
    """Return the item whose title is the whole text: `A Game of Thrones`, which is not choice A; `1. Heat`."""
    only = _LIST_OF_ONE.fullmatch(text.strip())
    title = (only[1] if only else text).strip(" .*_\"'")
    match = index.find(title) if only else index.exact(title)
    return match if match and len(match.positions) == 1 and (only or " " in text.strip()) else None


def _first_title(text: str, index: TitleIndex, identifiers: Identifiers) -> Match | None:
    """Return the item whose title, of several words, is the first sentence (`2001: A Space Odyssey. They gave 5 stars
    to …`), if the text calls no identifier its answer."""
    first, *rest = _FIRST_SENTENCE.split(text.strip(), maxsplit=1)
    match = index.find(first.strip(" .*_\"'!")) if rest and " " in first else None
    if match is None or len(match.positions) != 1 or match.stage in ("identifier", "item_id"):
        return None
    words = _identifiers_in(text, identifiers)
    if _repeats_options(words, text):
        return None
    called = _declared(words, text)
    if _CREATOR.search(text[: len(text) - len(rest[0])]) and index.named_in(rest[0][:SEARCH_LIMIT]) - {
        *match.positions
    }:
        return None
    if called or TAKEN_BACK.search(rest[0]) or comparison.was_had(f"{comparison.mark(0)} {rest[0]}", 0):
        return None
    return None if index.find(rest[0].split("\n")[0]) else match


_CREATOR = re.compile(r" [–—-] \Z")
_FIRST_SENTENCE = re.compile(
    r"(?<=[.!])[*_\"”]{0,4} (?=[A-Z])|\n|, (?:obviously|definitely|of course|hands down|for sure|clearly)\b"
    r"|(?<=\d\)) [-–—] | [–—-] (?=(?:[A-Z][\w.'’]{0,20}(?: |, | ?$|(?=[.,])))+(?:\d{4})?(?:[.,]|$))"
)


def _by_identifier(words: list[Word], every: list[Word], text: str, response: Response, question: Question) -> Answer:
    """Return the Answer for a text with identifiers: `words` without those that are ruled out, `every` with them."""
    index = title_index(question.items)
    if (at := _highest(text, Identifiers.of(question))) is not None:
        return _chosen(at, response, question, len(question.items) - 1)
    if _is_question(words, text):
        return unparsed(response, text, "no_candidate_named")
    if all(word.position is None for word in every) and (at := stands_for(text, index)) is not None:
        return _titled(at, "fuzzy", response, question)  # N. K. Jemisin's The Fifth Season
    beside_options = [word for word in _beside_options(every, text) if word in words]
    plainest = beside_options or _plainest(words, text, len(question.items))
    several = len({word.text for word in plainest}) > 1
    if several and not _declared(words, text) and (at := called_title(text, index)) is not None:
        # not 3, not 4. The best option is Heat
        if any(_is_of_another(word, text, index) for word in plainest[:_MENTIONS]):
            return unparsed(response, text, "ambiguous")
        return _titled(at, "normalised", response, question, _others(every, at))
    if several or doubt.DEPENDS.search(text[:200]) or _is_aside(plainest[0], text):
        return unparsed(response, text, "ambiguous")
    if (at := plainest[0].position) is None:
        return unparsed(response, text, "no_candidate_named", {"not_a_candidate": 1})
    begins = starts_with_identifier(words[0], text)
    back = TAKEN_BACK.search(text, 0, plainest[0].start)
    called = None if begins or _declared(plainest, text) else called_title(text[back.end() if back else 0 :], index)
    if (title := called) not in (None, at):
        return _titled(title, "normalised", response, question, _others(every, title))
    if not beside_options and _is_of_another(plainest[0], text, index):
        return unparsed(response, text, "ambiguous")
    beside = len({word.text for word in every} - {plainest[0].text})
    repairs = {"named_beside": beside, "commented": 0 if beside else comments(text.splitlines(), question.items)}
    return answered(response, repairs, ranked=(question.items[at].item_id,))


def _repeats_all(text: str, identifiers: Identifiers) -> bool:
    """Return whether a text is a list of all identifiers as they were shown, without signs of an order."""
    words = [word for word in _ENUMERATED.findall(text[:SEARCH_LIMIT]) if word not in ("and", "or")]
    return len(words) > 1 and words == [*identifiers.texts]


_ENUMERATED = re.compile(r"\w+|[<>→←]")


def _is_aside(word: Word, text: str) -> bool:
    """Return whether an identifier is chosen on a condition, or is only what something else is better than."""
    before = text[max(0, word.start - 60) : word.start]
    return bool(_IF_THEY.match(text, word.end) or (_THAN.search(before) and not _NOTHING.search(before)))


_THAN, _NOTHING = (
    caseless(r"\b(?:better|more|less) (?:\w+ )?than\W{0,4}$"),
    caseless(r"\b(?:no|none|nothing|not|never)\b"),
)


def _by_title(text: str, marks: str, response: Response, question: Question, index: TitleIndex) -> Answer:
    """Return the Answer for a text without identifiers."""
    mentions = disambiguated(read_titles(split(text), text, question).mentions, text, index)
    named, repairs = resolved(assign_items(mentions, index))
    if any(one.match and len(one.match.positions) > 1 for one in mentions):
        return unparsed(response, text, "ambiguous")  # nothing tells the items of one title apart
    others = index.named_in(text[:SEARCH_LIMIT]) - {same for at in named for same in index.namesakes(at)}
    beside = others if not any(one.match and is_alone(one.text, text) for one in mentions) else set[int]()
    alone = next(iter(named)) if len(named) == 1 and not beside else None
    if (at := chosen_title(text, marks, index, alone)) is not None:
        return _titled(at, named.get(at, "normalised"), response, question)
    if not (named or others) and (at := _ordinal(text, len(question.items))) is not None:
        return _chosen(at, response, question)
    unclear = named or others or repairs["ambiguous"]
    return unparsed(response, text, "ambiguous" if unclear else "no_candidate_named", repairs)


def _ordinal(text: str, offered: int) -> int | None:
    """Return the position that the text names by an ordinal (`The second one.`), if it names no other."""
    places = {found[1].casefold() for found in _PLACE.finditer(text)}
    found = _PLACE_CHOSEN.search(text)
    if found is None or len(places) != 1:
        return None
    at = offered - 1 if found[1].casefold() == "last" else ORDINALS.index(found[1].casefold())
    return at if at < offered else None


_PLACE = caseless(
    rf"\bthe ({'|'.join(ORDINALS)}|last) (?:one|option|movie|film|item|product|passage|candidate|book|game|song)\b"
)
_PLACE_CHOSEN = caseless(
    r"(?:^\W*(?:my (?:pick|choice|answer) (?:is|would be) |i(?:['’]d| would) )?(?:(?:pick|choose|say|recommend"
    r"|go with|prefer) )?|\b(?:answer|choice|pick) is "
    r"|\bgo with |, so )" + _PLACE.pattern + r"(?: (?:on|in|of) (?:the|this|that|your) list)?(?="
    r"[.,;:!]|\W*$| (?:because|since|for|as|is (?:the )?(?:best|better|more|most))\b)"
)


def _is_last(text: str, question: Question) -> bool:
    """Return whether a text repeats all options and then ends with `…, so the last one.`"""
    return _PLACE_LAST.search(text) is not None and len(_OPTIONS.findall(text)) == len(question.items)


_PLACE_LAST = caseless(rf", so {_PLACE.pattern}\W*\Z")
_OPTIONS = re.compile(r"^\W{0,4}(?:[A-Z]|\d{1,2})[.):\]] ", re.MULTILINE)


def _identifiers_meant(text: str, question: Question, identifiers: Identifiers, index: TitleIndex) -> list[Word]:
    """Return the identifiers in a text that neither count something nor belong to a title; if there are none, a lone
    lower-case letter."""
    by_title = not question.identifiers and bool(index.named_in(text[:SEARCH_LIMIT]))  # no identifier was shown
    every = [
        word
        for word in _identifiers_in(text, identifiers)
        if not (_is_in_title(word, text, index) or _is_count(word, text))
        and not (by_title and not _is_meant(word, text))
    ]
    if identifiers.are_letters and (answer := _SMALL_ANSWER.search(text)):
        return _identifiers_in(answer[1].upper(), identifiers)
    if not every and identifiers.are_letters and len({*_SMALL_IN_BRACKETS.findall(text)}) > 1:
        capital = _SMALL_IN_BRACKETS.sub(lambda found: found[0].upper(), text)
        return [word for word in _identifiers_in(capital, identifiers) if not _is_in_title(word, text, index)]
    small = [*_SMALL_IN_BRACKETS.finditer(text)] or [*_SMALL_FIRST.finditer(text)]
    if not every and identifiers.are_letters and (_SMALL_LETTER.fullmatch(text) or len(small) == 1):
        return _identifiers_in(small[0][0].upper() if small else text.upper(), identifiers)
    return every


def _others(words: list[Word], at: int) -> int:
    return len({word.text for word in words if word.position != at})


def _highest(text: str, identifiers: Identifiers) -> int | None:
    """Return the item with the one highest score (`A: 8%`, `B: 21%`) if a text has nothing but a score for each."""
    scored = [*_SCORE.finditer(text[:SEARCH_LIMIT])]
    places = [identifiers.find(one["name"]) for one in scored]
    rest = _SCORE.sub(" ", text[:SEARCH_LIMIT])
    if (
        {*places} != {*range(len(identifiers.texts))}
        or len(places) != len({*places})
        or len({one["unit"] for one in scored}) > 1
    ):
        return None
    values = [float(one["value"]) for one in scored]
    best = [at for at, value in zip(places, values, strict=True) if value == max(values)]
    return best[0] if len(best) == 1 and _ONLY_SCORES.fullmatch(rest) else None


_SCORE = re.compile(
    r"(?:^|(?<=[\n,;|] )|(?<=[\n,;|%]))[ *_\[(]{0,4}(?P<name>\w{1,3})[\])*_.]{0,4}(?: [^\n:;%]{1,80}?)? ?[:=–—-]"
    r" ?[*_]{0,3}"
    r"(?P<value>\d{1,3}(?:\.\d{1,4})?)(?P<unit> ?%|/10|/5|/100|(?<=\.\d)|(?<=\.\d\d)|(?<=\.\d{3}))(?![\w.%/])[*_]{0,3}",
    re.MULTILINE,
)
_ONLY_SCORES = caseless(r"\W*(?:(?:the )?(?:scores?|probabilit(?:y|ies)|likelihoods?|chances?|match|ratings?)\W*)?")


def _is_question(words: list[Word], text: str) -> bool:
    """Return whether a text asks a question or chooses nothing, and names identifiers only in passing."""
    if not (_asks_again(words, text) or asks_first(text) or _CHOOSES_NONE.search(text[:600])):
        return False
    alone = starts_with_identifier(words[0], text) and text.partition("\n")[0].strip(_AROUND + "(") == words[0].text
    return not alone and not _declared(words, text)


def _asks_again(words: list[Word], text: str) -> bool:
    """Return whether a text only repeats the question: it names three or more identifiers and ends with `?`."""
    return text.rstrip().endswith("?") and len({word.text for word in words}) > 2


def _is_count(word: Word, text: str) -> bool:
    """Return whether a bare number counts things: `none of the 10 candidates`, `the 1 original`."""
    if word.bracketed or not word.text.isdigit() or _NOUN.search(text[max(0, word.start - 20) : word.start]):
        return False
    pattern = _NOUN_BEHIND if text[: word.start].endswith("the ") else _COUNTED
    if _BOTH_OF.search(text, max(0, word.start - 12), word.start):
        return False
    return pattern.match(text, word.end) is not None


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


def _is_meant(word: Word, text: str) -> bool:
    """Return whether a number beside titles is an identifier: it is called the choice, follows a noun, or ends the
    text."""
    before = text[max(0, word.start - 80) : word.start]
    return bool(_CALLED.search(before) or _NOUN.search(before) or not text[word.end :].strip(_AROUND))


def _is_in_title(word: Word, text: str, index: TitleIndex) -> bool:
    """Return whether an identifier is part of a candidate's title: the 3 of `Things 3`, the A of `A Serious Man`."""
    if word.bracketed or not word.text.isdigit():
        return not word.bracketed and index.covers(text, word.start, word.end)
    after = text[word.end : word.end + TITLE_SIGNS].split()[:TITLE_WORDS]
    titles = [f"{words} {word.text}" for words in words_before(text, word.start)]
    titles += [" ".join((word.text, *after[: at + 1])).rstrip(".,:;!?") for at in range(len(after))]
    return any(match and match.positions for match in map(index.find, titles))


def _beside_its_title(words: list[Word], text: str, index: TitleIndex) -> int | None:
    """Return the item if the first line is an identifier with its own title (`(6) Finding Nemo`)."""
    start = len(text) - len(text.lstrip())
    lead = _LEAD.match(text)
    if not words or words[0].position is None or words[0].start > (lead.end() if lead else start) + 3:
        return None
    if _repeats_options(words, text):
        return None
    line, _, rest = text[words[0].end :].partition("\n")
    line = line.lstrip(" *_\"'.:)]-–—")
    sentence, _, reason = line.partition(". ")
    if reason and all(_SECOND.search(text, max(0, word.start - 60), word.start) for word in words[1:]):
        line, rest = sentence, f"{reason}\n{rest}"
    named = index.find(line.rstrip(" *_\"'.:-–—"))
    own = named is not None and named.positions == (words[0].position,)
    open_still = _asks_again(words, text) or TAKEN_BACK.search(rest)
    return words[0].position if own and not open_still else None


def _repeats_options(words: list[Word], text: str) -> bool:
    """Return whether the lines that begin with an identifier begin with the first two options, as they were shown."""
    return [word.position for word in _leading(words, text)[:2]] == [0, 1]


def _leading(words: list[Word], text: str) -> list[Word]:
    """Return the identifiers that begin a line."""
    return [word for word in words if starts_with_identifier(word, text, text.rfind("\n", 0, word.start) + 1)]


_SECOND = caseless(r"\b(?:second|runner-up|backup|alternatives?)\b[^.!?\n]*\Z")
_LEAD = caseless(r"\W*(?:option|answer|choice|pick)\b")
"""`Option C: Heat`"""


def _without_brackets(text: str, identifiers: Identifiers) -> list[Word]:
    """Return the identifiers without brackets that the text does not rule out."""
    words = naming(words_of(text, identifiers, False))
    return _not_ruled_out([word for word in words if not word.bracketed], text)


def _declared(words: list[Word], text: str) -> list[Word]:
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


def _is_alternative(one: Word, two: Word, text: str) -> bool:
    """Return whether the text leaves it open which of two identifiers it means: `I recommend A or D`."""
    joined = _OR.fullmatch(text, one.end, two.start)
    return joined is not None and (joined[1] not in ("and", "et", "y", "und") or _ENDS.match(text, two.end) is not None)


_OR = re.compile(
    r"[\])*_\"]{0,4} ?(or|ou|o|oder|или|或者?|か|and|et|y|und|[=~/&+]+)(?: (?:option|number))? ?[\[(*_\"]{0,4}"
)


_LEAVES, _ENDS = (
    caseless(r"\b(?:that|which) leaves(?: us with)?[ *_\"(\[]{1,4}$"),
    re.compile(r"[\])*_\"]{0,4}(?:[.!]|\s*$)"),
)
"""`That leaves D.`"""
_LIKED = caseless(
    rf"(?:^|[.!?:\n]\s{{0,3}})(?:(?!(?:if|unless|when|while)\b)[^.!?:,\n]{{1,60}}, )?(?:so |i (?:think|believe) )?"
    rf"(?:(?:the|this) {USER}|they|he|she) (?:will|would) (?:probably |likely |definitely |most )?"
    r"(?:enjoy|like|love|appreciate)(?: most)?(?: option| number)?[\s:=*_\"'(\[#]{1,6}$"
)
_BUT_OTHERS = caseless(r"[\])*_\"]{0,4}(?:['’]s\b|,? (?:but|yet|though|while|if|or|and(?! least)|less|more|only)\b)")
"""`They would enjoy D.`, but not `They would enjoy A, but D …`"""


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
        behind = text[word.end : word.end + 60]
        if not denied and not _WORSE.match(behind) and not _DENIED_BEHIND.match(behind):
            kept.append(word)
    return kept


def _beside_options(words: list[Word], text: str) -> list[Word]:
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


_WITH_WORDS = re.compile(r"[*_\"]{0,3}(?:[\]).:]{1,2}| ?[=:–—-])[*_\"]{0,3} ?\S")
_SO = "so|quindi|also|donc|luego|daher|dus|portanto|thus|therefore|hence|answer"
_SO_ALONE = caseless(rf"\W*(?:(?:{_SO})\W{{1,3}})?")
_AROUND = " \t\n*_.)]\"'!"
_IN_WORDS = re.compile(r"[a-z]{3}")
_LINE_BEGINS = caseless(rf"(?:[.!]\s{{0,9}}\n|[.!?] (?:(?:{_SO}),? )?)[ \t*_(\[\"']{{0,6}}$")
_CHOOSES_NONE = caseless(
    r"\b(?:choose|pick|recommend|select) (?:nothing|none|neither|no one)\b"
    r"|\bi (?:can(?:no|['’])t|am unable to|['’]m unable to) (?:choose|pick|recommend|select)\b(?! between)"
    r"|\A\W*\w{1,3}\? (?:hard to say|not sure|i (?:do not|don['’]t) know|hmm)\b"
    r"|\A\W*none of the \d+ is\b|\A\W*none of (?:them|these|the (?:options|candidates|\d+))(?:[.!]|\s*\Z)"
    r"|\bnone of (?:them|these|the (?:options|candidates|\d+))\b[^.\n]{0,40}\b(?:fit|suit|work"
    r"|right)(?![^.\n]*\b(?:but|yet|though)\b)"
)
"""`I'd rather choose nothing.`"""
_WEIGHS = re.compile(r"[\])*_\"]{0,4} ?:")
"""`A: too slow. B: a good match.`, where the first is not the choice."""
_OVER = re.compile(r"[\])*\"']{0,4} ?> ?[\[(*\"']{0,4}")


def _plainest(words: list[Word], text: str, offered: int) -> list[Word]:
    begun = starts_with_identifier(words[0], text)
    if (found := LATTER.search(text)) and len(two := [*dict.fromkeys(word.text for word in words)]) == 2:
        return [word for word in words if word.text == two[found[1].casefold() == "latter"]][:1]
    if _EACH_FOR.search(text[:400]) and len({word.text for word in words}) > 1:
        called = _declared(words, text)
        return called if len({word.text for word in called}) == 1 else words
    if first := _first_of_list(words, text):
        return first
    introduced = [word for word in words if _ANSWER_LINE.search(text, max(0, word.start - 60), word.start)]
    if len(introduced) == 1 and words[-1] is introduced[0]:
        return introduced
    final = [word for word in words if _FINAL.search(text[max(0, word.start - 40) : word.start])]
    if final and not TAKEN_BACK.search(text, final[-1].end):
        return final[-1:] if _CORRECTED.search(text[max(0, final[-1].start - 40) : final[-1].start]) else final
    if (back := TAKEN_BACK.search(text)) and (after := [word for word in words if word.start > back.start()]):
        words = after
    called = _declared(words, text)
    before = "" if text[words[-1].end :].strip(_AROUND) else text[: words[-1].start]
    if _LINE_BEGINS.search(before) and _IN_WORDS.search(before) and not (begun or called):
        return words[-1:]  # I'd rule out A, and B loses by a hair.⏎⏎**D.**
    if not called and len({word.text for word in words}) > 1 and all(word.text.isdigit() for word in words):
        called = [word for word in words if _NOUN.search(text[max(0, word.start - 20) : word.start])]
    praised = ((word, _BETTER.match(text[word.end : word.end + 60])) for word in words)
    better = [word for word, found in praised if found and (offered == 2 or not found["than"])]
    lines = {word.text for word in _leading(words, text) if _ends_there(word, text)}
    weighs = [word.position for word in words[:2] if _WEIGHS.match(text, word.end)] == [0, 1]
    begins = words[:1] if begun and _ends_there(words[0], text) and len(lines) == 1 and not weighs else []
    weighed = {word.text for word in words if _WEIGHED.match(text, word.end)}
    if len(words) > 1 and all(_OVER.fullmatch(text, one.end, two.start) for one, two in pairwise(words)):
        return words[:1]  # B > A > C
    return called or better or (words if len(weighed) > 1 else begins) or words


_ANSWER_LINE = caseless(r"(?:\A|\n)\W{0,6}(?:my |the )?(?:answer|choice|pick)(?: is)?[\s:*_\"(\[]{1,6}$")
"""`The better pick is E.⏎⏎Answer: E`"""


def _first_of_list(words: list[Word], text: str) -> list[Word]:
    """Return the identifier of the first line if the lines are ranked (`1. E`, `2. A`); nothing if they are not."""
    starts = {found.end(): int(found[1]) for found in _RANKED_LINE.finditer(text[:SEARCH_LIMIT])}
    listed = [(word, starts[word.start]) for word in words if word.start in starts]
    counted = [number for _, number in listed] == [*range(1, len(listed) + 1)]
    return [listed[0][0]] if counted and len({word.text for word, _ in listed}) == len(listed) > 1 else []


def _first_of_titles(text: str, index: TitleIndex) -> int | None:
    """Return the item of the first line of a numbered list of titles, if the numbers are not those of the items."""
    lines = [found for line in text.split("\n")[:_LINES] if (found := _TITLE_LINE.fullmatch(line.strip()))]
    matches = [index.find(found[2]) for found in lines]
    items = [match.positions[0] for match in matches if match and len(match.positions) == 1]
    numbers = [int(found[1]) for found in lines]
    ranks = numbers == [*range(1, len(lines) + 1)] != [at + 1 for at in items]
    return items[0] if ranks and len(items) == len(lines) > 1 else None


_TITLE_LINE = re.compile(r"(\d{1,2})[.)] [*_\"]{0,3}([^\n]{2,200}?)[*_\".]{0,3}")
_RANKED_LINE = re.compile(
    r"^[ \t>*_#-]{0,8}(\d{1,2})[.)]:?[ \t*_\"(\[]{1,6}(?:(?:Item|Option|Movie|Film|Product|Candidate|Book|Passage) )?"
    r"[\[(]?",
    re.MULTILINE,
)
_FINAL, _CORRECTED = (
    caseless(rf"\b(?:{word}) (?:answer|choice|pick|decision|recommendation)(?: is|:)*[\s*_\"'(\[]{{0,6}}$")
    for word in ("corrected|revised|updated|final", "corrected|revised|updated")
)
"""`Corrected answer: C`, after a first one."""


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


def _is_of_another(word: Word, text: str, index: TitleIndex) -> bool:
    """Return whether another item's title stands right beside an identifier: `A: Fargo`, where A is Heat."""
    before = text[: word.start].rpartition("\n")[2][-200:]
    titles = [text[word.end :].split("\n", 1)[0]]
    if stands_for := _STANDS_FOR.search(before):
        titles += words_before(before, stands_for.start())
    if word.position is not None and (quoted := _QUOTED_BEHIND.match(text, word.end)):
        titles.append(quoted["quoted"] or quoted["inside"])
    if (behind := _TITLE_BEHIND.match(text, word.end)) and _names_another(word, behind[1], text, index):
        return True
    plain = [title.strip(" *_`\"“”„«»'‘’()[]{}.:,;=|→-–—") for title in titles]
    matches = [index.find(f"{one})" if one.count("(") > one.count(")") else one) for one in plain if len(one) > 1]
    if not _declared([word], text):
        matches += [index.find(line.strip(' *_`"#')) for line in text[: word.start].splitlines()[:_LINES]]
    return any(match and match.positions and word.position not in match.positions for match in matches)


def _names_another(word: Word, sentence: str, text: str, index: TitleIndex) -> bool:
    """Return whether the sentence behind an identifier begins with another item's title, as its reason does (`The best
    choice is C. Fargo has the same humour`), and the identifier's own title appears nowhere."""
    words = sentence.split()[:TITLE_WORDS]
    parts = (" ".join(words[:count]) for count in range(len(words), 0, -1))
    match_text, match = next(((part, found) for part in parts if (found := index.find(part))), ("", None))
    if match is None or not match.positions or word.position is None or word.position in match.positions:
        return False
    after = sentence.partition(match_text)[2]
    return word.position not in index.named_in(text[:SEARCH_LIMIT]) and not _ALSO_GOOD.match(after)


_TITLE_BEHIND = re.compile(r"[\])*_\"]{0,4}(?:[.):,]| ?[–—-])? ?[*_\"“(\[]{0,3}([A-Z0-9][^\n]{2,200})")
_QUOTED_BEHIND = re.compile(
    r"[\])*_\"]{0,4}(?:[,:]| ?[–—-])? ?(?:[\"“«](?P<quoted>[^\"“”«»\n]{2,200})[\"”»]"
    r"|\((?P<inside>[^\n]{2,200}?)\)(?!\)))"
)
"""`E, "Fargo"`, `E (Fargo)`"""
_ALSO_GOOD = caseless(
    r"[*_\"”)]{0,4},? (?:(?:is|are|was|comes?|would be|might be|could be|seems) )?(?:\w+ly )?(?:(?:an?|the) )?"
    r"(?:also|second|close|runner-up|backup|too|less|not|while|though|but|would|might|could|\w{1,6}n['’]t)\b"
)
"""`Fargo is also good`, of an item beside the choice."""
_LINES = 40
"""Lines before an identifier that are searched for another item's title."""
