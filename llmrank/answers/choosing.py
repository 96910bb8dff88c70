"""Stages 3 and 4: which block is the answer, what in it is the rank and what the item, and the direction.

Whatever leaves two readings is `ambiguous`: a wrong ranking is worse than none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import NamedTuple

from llmrank.answers import doubt
from llmrank.answers.blocks import CARDINALS, ORDINALS, Block, Line, head_role, marker
from llmrank.answers.matching import Match
from llmrank.answers.outcome import TAKEN_BACK


@dataclass(frozen=True, slots=True)
class Mention:
    """A text that names an item, with what it matched exactly or after normalising (None: nothing)."""

    text: str
    match: Match | None
    line: int = 0
    """Of the normalised text, from 1."""


@dataclass(slots=True)
class Listing:
    """Entries in the order in which they stand, with what was said of the order."""

    mentions: list[Mention]
    intro: str = ""
    """What stands before it."""
    weak: bool = False
    """It stands in a sentence, and counts only where there is no list."""
    falling: bool = False
    """The last is the best."""
    ordered: bool = False
    """Numbers, ranks or scores gave the order, whatever the words of the answer say of the direction."""
    contradicted: bool = False
    """Identifiers stand beside the titles of other items."""
    described: bool = False
    """Each identifier stands alone in its line, with words of what it is."""
    counted_down: bool = False
    """Its numbers fell, and nothing else turned it round."""
    ambiguous: bool = False

    @property
    def named(self) -> dict[int, None]:
        """Return the positions of the named items, in order, each once; near misses are left out."""
        return {one.match.positions[0]: None for one in self.mentions if one.match and one.match.positions}

    def add(self, other: Listing) -> None:
        """Let another listing go on where this one ends."""
        self.mentions += other.mentions
        self.ambiguous |= other.ambiguous
        self.falling |= other.falling
        self.ordered |= other.ordered
        self.counted_down |= other.counted_down
        self.contradicted |= other.contradicted
        self.described &= other.described


class Phrase(NamedTuple):
    """Words that say what a list is."""

    meaning: str
    pattern: re.Pattern[str]
    examples: tuple[str, ...]


def _words(starting: str, within: str) -> re.Pattern[str]:
    """Return a pattern of words by their beginnings, and of what also counts within a word."""
    return re.compile(rf"\b(?:{starting})|{within}", re.IGNORECASE)


PHRASES = (
    Phrase("left out", _words(
        r"(?:not|cannot|unable to|(?:ca|wo|do|would|could|should)n['’]t|never|nicht|nie|ne|pas|no|não|non|niet"
        r"|не)\b[^.,:\n]{0,30}\b(?:includ|recommend|rank|select|chos"
        r"|list|suggest|empf|enthalten|aufgef|recommand|retenu|inclu|recomend|consigl|aanbe|рекоменд|polec)"
        r"|not (?:a (?:good )?(?:fit|match)|suitable|relevant)|exclu|left out|leav(?:e|ing) out|omit|avoid|reject"
        r"|skip(?:ped)?\b|dislike|hate\b|(?:would|will|may|might)(?: not|n['’]t) (?:really )?(?:like|enjoy)\b"
        r"|output format|format (?:is|of|should)|weggelassen|ausgeschlossen|écart|descart|ignor|discard",
        r"未入选|(?<!最)不推荐|(?<!最)不推薦|除外|пропущен|исключ"
        r"|(?m:^\W*(?:(?:for|an) example\W*$|example (?:of|output|answer|ranking)))"),
        ("Not included:", "I would avoid", "Nicht empfohlen:")),
    Phrase("first try", _words(
        r"(?:first|initial|preliminary|draft|rough|tentative|previous|old|earlier) (?:attempt|try|ranking|list|draft"
        r"|guess|order|version|pass|thoughts?|impression)|draft\b|entwurf|brouillon|bozza|borrador|rascunho"
        r"|erster versuch|vorläufig|premi(?:er|ère) (?:essai|jet|version)|provisoire|primer intento|provisional"
        r"|prim[ao] tentativo|чернов|первая попытка",
        r"初稿|初步|草稿|仮|暫定|暂定|(?m:^\W*(?:(?:the|in|here is|this is) ){0,3}"
        r"(?:original|given|provided|shown|presented|input|listed) (?:order|list|ranking|in (?:this|the) order)\W*$)"),
        ("First attempt:", "Initial ranking:", "Erster Versuch:")),
    Phrase("final", _words(
        r"final|answers?\b|verdict\b|decision\b|bottom line|in the end\b|overall\b|conclusion|my (?:own )?(?:ranking"
        r"|order|list|recommendation|pick|choice)|result\b|output\b(?! format)|therefore|thus\b|so the (?:order"
        r"|ranking)|summary\b"
        r"|revis|redo\b|re-?rank|new (?:order|ranking|list)\b|start(?:ing)? over|wait\b|scratch that|updated?\b"
        r"|correct(?:ed|ion)|on reflection|on second thought|actually\b|rather:|better:|reconsider"
        r"|ultimate|endgültig|endfassung|urteil|antwort|ergebnis|meine (?:rangliste|reihenfolge|empfehlung)|fazit"
        r"|überarbeitet|réponse|définiti(?:f|ve)|mon classement|ma liste|résultat|respuesta|definitiv|resultado"
        r"|mi (?:lista|clasificación|ranking)|resposta|minha lista|risposta|risultato|la mia (?:lista|classifica)"
        r"|antwoord|eindlijst|odpowied|ostatecz|wynik|sonuç|cevap",
        r"ответ|итог|окончательн|最终|最終|答案|结果|結果|答え|정답|최종|결과|답변|النهائي|الإجابة"),
        ("Final ranking:", "Answer:", "Mon classement final :", "答案：")),
    Phrase("ranking", _words(
        r"because (?:you|the user)|since you|rank|recommend|order\b|ordered|sorted|top\b|picks?\b|\d+ best\b|best \d"
        r"|here (?:are|is)\b|suggest|best to worst|rangliste"
        r"|reihenfolge|empf|classement|recommand|clasific|recomend|classific|consigl",
        r"рейтинг|рекоменд|порядок|排序|排名|推荐|推薦|おすすめ|ランキング|順位|순위|추천"),
        ("Recommendations:", "Reihenfolge:")),
    Phrase("given", _words(
        r"(?:candidates?|given|provided|proposed|available|options?(?! ?\d)|watched(?! next)|history|liked|seen|rated"
        r"|enjoyed|original"
        r"|input|shuffled|previously|thoughts|explanations?|why|vus?|vist[ao]s?)\b|e\.g\.|format should|discuss"
        r"|go through\b|consider"
        r"|analy[sz]|reason|kandidat|vorgeschlagen|gesehen|verlauf|proposé|historique|candidat|propuest|historial"
        r"|histórico",
        r"кандидат|истори|просмотр|候选|候選|候補|观看|觀看|視聴|履歴|후보|시청"),
        ("Candidates:", "You have watched:", "Les films proposés :")),
)  # fmt: skip
"""What the words before a list say of it, in the order in which they are looked for."""

_WORST = (
    r"worst|least|lowest|bottom|weakest|schlechtesten|niedrigsten|pire|moins|peor|menor|menos|pior|peggiore|meno"
    r"|slechtste|minst|худшего|najgorsz\w+"
)
_BEST = (
    r"best|most|highest|top|strongest|besten|höchsten|meilleur|plus|mejor|mayor|más|melhor|maior|mais|migliore|più"
    r"|beste|meest|лучшему"
)


def _from_to(one: str, other: str) -> str:
    to = r"to|through|zum|zur|bis|au|à|a|ao|para|al|alla|naar|tot|к|do|→|->|-|–|—"
    return rf"\b(?:{one})\b(?: [^\s.:;]{{1,20}}){{0,3}}? ?(?:{to}) ?(?:[^\s.:;]{{1,8}} )?(?:{other})\b"


WORST_FIRST = re.compile(
    rf"{_from_to(_WORST, _BEST)}|\b(?:ascending|increasing) order\b(?! of (?:rank|position|place))"
    r"|\b(?:ascending|increasing) (?:preference|relevance|likelihood|interest|probability|recommendation|quality|score)"
    r"|\b1 ?(?:=|is|being|means) ?(?:the )?(?:worst|least|lowest)|\b(?:start|begin)\w* (?:with"
    r"|from) (?:the )?(?:worst|least|lowest)"
    r"|\blast (?:(?:one|title|item|movie|film|entry) )?(?:is |being |= ?)(?:the |my )?(?:best|strongest|top)"
    r"|\bfirst (?:(?:one|title|item|movie|film|entry) )?(?:is |being |= ?)(?:the |my )?(?:worst|weakest|least)"
    r"|\breversed? (?:order|ranking)|\bworst (?:first|is first"
    r"|one first)"
    r"|\bbest (?:one )?(?:is )?(?:last|at the (?:end|bottom))"
    r"|\baufsteigend|\bordre croissant|\borden ascendente|\bordine crescente|\bordem crescente|\b(?:least|lowest"
    r"|weakest|poorest) (?:\w+ ){0,3}first"
    r"|по возрастанию|从差到好|由差到好|由低到高|从低到高|從低到高|从最不|由劣到优|由劣至优|升序|昇順|低い順|悪い順"
    r"|오름차순|낮은 순",
    re.IGNORECASE,
)
"""A list that says so has its best entry last: `from worst to best`, `vom schlechtesten zum besten`, `升序`."""
_COUNTDOWN = re.compile(
    r"\bcount(?:ing)? ?down|\bcompte à rebours|\bcuenta (?:atrás|regresiva)|倒数|倒數|カウントダウン", re.IGNORECASE
)
_BEST_TO_WORST = re.compile(_from_to(_BEST, _WORST), re.IGNORECASE)
_BEST_FIRST = re.compile(
    rf"{_BEST_TO_WORST.pattern}|\bdescending|\bbest first|\b1 (?:is |being |= ?)(?:the )?(?:best|most)|absteigend"
    r"|décroissant|descendente|decrescente|降序|由高到低|从高到低|高い順",
    re.IGNORECASE,
)


_GRADES = (
    (1, r"low(?:er|est)?|bottom|worst|least|poor(?:est)?|weak(?:er|est)?|unlikely|bad|no|loser|skip"),
    (
        2,
        r"mid|middle|medium|moderate(?:ly)?|average|maybe|possibl[ey]|second|runner-up"
        r"|if you (?:have|want|still|like)|optional(?:ly)?|backups?",
    ),
    (3, r"top|high(?:er|est|ly)?|best|most|must|strong(?:er|est|ly)?|excellent|great|very|good|yes|winner"),
)
_GRADED = tuple((grade, re.compile(rf"\b(?:{words})\b", re.IGNORECASE)) for grade, words in _GRADES)
_LABEL_WORDS = (
    r"tiers?|priority|relevance|likel(?:y|ihood)|match(?:es)?|fits?|relevant|recommended|see|watch|picks?|low"
    r"|lowest|mid|middle"
    r"|medium|high|highest|top|bottom|best|worst|maybe|possible|unlikely|likely|yes|no|winner|runner-up"
)
_LABEL = re.compile(
    rf"(?:^|(?<=[.;!?] )|(?<=\*\* ))[*_#>\s]{{0,6}}(?P<label>(?=[^\W\d_])[^.;:!?\n\d\[\]\""
    rf"|<>]{{0,60}}?(?:{_LABEL_WORDS}|rank(?:ings?|ed)?"
    r"|order|lists?|answers?|recommendations?|results?|output|conclusion|verdict|overall|final|candidates?"
    r"|options?|history"
    r"|watched|liked|that|correction|edit|revised|updated?|corrected|reasoning|attempt|draft|antwort|ergebnis|rangliste"
    r"|reihenfolge|réponse|classement|respuesta|clasificación|resposta|risposta|classifica|итог|ответ|рейтинг|кандидаты"
    r"|答案|排名|排序|结果|结论|候选|候補|候选电影|후보|순위|答え))[*_ ]{0,4}:[*_]{0,3}\s"
    r"|(?<=[.;!?–—] )(?P<back>(?:no,? )?(?:wait|actually|scratch that|correction|on second thought)\b[,.:;]?)\s",
    re.IGNORECASE,
)  # fmt: skip
"""A label before a list in the same line (`Top tier: Heat`, `Actually, final ranking: Heat`)."""


def grade(intro: str) -> int | None:
    """Return the grade of a list by its label, None where it has none: 1 to 3 (`Low:`, `Mid tier:`, `Most likely:`), or
    of numbered and lettered tiers (`Tier 2:`, `S tier:`) up to 9."""
    label = _last_line(intro).strip(" *_#:.-")
    if tier := _TIER.search(label):
        name = (tier[1] or tier[2]).upper()
        return 10 - int(name) if name.isdigit() else 9 - "SABCDEF".index(name)
    if len(label.split()) > 4:
        return None
    grades = {grade for grade, words in _GRADED if words.search(label)}
    return grades.pop() if len(grades) == 1 else 3 if not grades and _LIKELY.match(label) else None


_TIER = re.compile(r"\b(?:tier ([1-9SA-F])|([SA-F])[- ]tier)\b", re.IGNORECASE)
_LIKELY = re.compile(r"likely\b", re.IGNORECASE)


def _last_line(text: str) -> str:
    return text.rstrip().rpartition("\n")[2]


def _labelled(block: Block) -> list[Block]:
    """Return a line of text with each label in it as a line of its own, and a list without what is said to be left out
    of it."""
    if block.kind == "list":
        for at, line in enumerate(block.lines):
            if line.kind == "none" and line.text.endswith((":", ":**")) and meaning(line.text) == "left out":
                before, after = Block("list", block.lines[:at]), Block("list", block.lines[at + 1 :])
                return [part for part in (before, Block("text", [line]), after) if part.lines]
    if block.kind != "text":
        return [block]
    line = block.lines[0]
    if (aside := _ASIDE.match(line.text)) and (WORST_FIRST.search(aside[0]) or _BEST_FIRST.search(aside[0])):
        texts = (aside[0], line.text[aside.end() :])
        return [Block("text", [Line(line.number, text, line.indent, body=text)]) for text in texts]
    if ":" not in line.text and not TAKEN_BACK.search(line.text):
        return [block]
    parts: list[str] = []
    at = 0
    for found in _LABEL.finditer(line.text[:_LABELS_IN]):
        if found["back"] or meaning(found["label"]) or grade(found["label"]):
            parts += [line.text[at : found.start()], line.text[found.start() : found.end()]]
            at = found.end()
    parts.append(line.text[at:])
    parts = [part.strip() for part in parts if part.strip()]
    if len(parts) < 2:
        return [block]
    return [Block("text", [Line(line.number, part, line.indent, body=part)]) for part in parts]


_ASIDE = re.compile(r"\([^()\n]{3,60}\) ?(?=\S)")
_LABELS_IN = 4000
"""Characters of a line in which labels are looked for."""


def meaning(intro: str) -> str:
    """Return what the words before a list say of it: a `Phrase.meaning`, or nothing."""
    nearest = _SENTENCE_END.split(_last_line(intro).rstrip())[-1]
    said = ((phrase, nearest if phrase.meaning == "left out" else intro) for phrase in PHRASES)
    return next((phrase.meaning for phrase, words in said if phrase.pattern.search(words)), "") if intro else ""


_SENTENCE_END = re.compile(r"[.!?] ")


def gather(
    blocks: Sequence[Block],
    text: Callable[[Line], Listing | None],
    lines: Callable[[list[Line]], Listing],
    cell: Callable[[str, int], list[Mention]],
) -> list[Listing]:
    """Return the listings that blocks hold, in order, each with what introduces it.

    `text`, `lines` and `cell` read a line of text, the lines of a list, and a cell of a table or a JSON value. Lines
    of one entry each make one listing as long as the space between them stays the same.
    """
    listings: list[Listing] = []
    intro: list[str] = []
    plain: Listing | None = None
    gap = last = 0
    for block in chain.from_iterable(map(_labelled, blocks)):
        said = block.lines[0].text[-400:] if block.lines else ""
        if block.kind == "text":
            line = block.lines[0]
            listing = text(line)
            alone = listing if listing and len(listing.mentions) == 1 and not listing.weak else None
            if alone and plain and (not gap or line.number - last == gap):
                gap, last = line.number - last, line.number
                plain.add(alone)
                continue
            plain, gap, last = alone, 0, line.number
        else:
            plain = None
            listing = lines(block.lines) if block.kind == "list" else read_rows(block, cell)
            if block.name:
                intro.append(f"{block.name.replace('_', ' ')}:")
        if listing is not None and listing.mentions:
            said_last = [listing.intro] if any(map(str.isalpha, listing.intro)) else []
            listing.intro = "\n".join((*intro, *said_last))[-400:]
            listings.append(listing)
            if not listing.weak:
                intro = []
                continue
        intro = [*intro[-4:], said]
    return listings


# --- rank, score and item


def by_number(values: Sequence[str], role: str) -> list[int] | None:
    """Return the order (indexes, best first) that ranks or scores give, None where they leave two readings.

    Unnamed numbers are ranks if they are 1 to n, each once; else scores, which say nothing if they are all the same.
    """
    numbers = [number for value in values if (number := _number(value)) is not None]
    if len(numbers) < len(values):
        return None
    places = range(len(numbers))
    if not role:
        whole = all(re.search(r"[.,%/]", value) is None for value in values)
        role = "rank" if whole and is_permutation(values) else "score"
    if role == "rank":
        return sorted(places, key=numbers.__getitem__) if len(set(numbers)) == len(numbers) else None
    return sorted(places, key=lambda at: -numbers[at]) if len({*numbers}) > 1 or len(numbers) < 2 else None


_NUMBER = re.compile(
    r"\W{0,4}?(?:[A-Za-z]{1,12}[ _#:.-]{0,3})?(-?\d{1,9}(?:[.,]\d{1,9})?)(?:st|nd|rd|th|[ºª°.])?"
    r" ?(?:%|/ ?\d{1,3}(?:\.0)?|(?:out )?of \d{1,3}|points?|stars?|pts?\.?)?\W{0,4}$",
    re.IGNORECASE,
)
_NUMBER_WORDS = {word: float(at) for words in (ORDINALS, CARDINALS) for at, word in enumerate(words, 1)}


def _number(text: str) -> float | None:
    if len(text) < 60 and (found := _NUMBER.match(text)):
        return float(found[1].replace(",", "."))
    return _NUMBER_WORDS.get(text.strip(" *_:.").casefold())


def counts(values: Sequence[str]) -> bool:
    """Return whether the values count 1, 2, 3, …: those of the ranks of a list."""
    return [_number(value) for value in values] == [*range(1, len(values) + 1)]


def is_permutation(values: Sequence[str]) -> bool:
    """Return whether the values are 1 to n, each once."""
    return {_number(value) for value in values} == {*range(1, len(values) + 1)}


def read_rows(block: Block, cell: Callable[[str, int], list[Mention]]) -> Listing:
    """Return the entries of a table or a JSON value. `cell(text, line)` returns what a cell names.

    The headings say which column is which; else the item's column names the most items, and of two that could be it the
    one that counts 1, 2, 3, … is the rank.
    """
    rows = block.rows
    heads = [*block.header]
    if len(rows) == 1 and (counts(heads) or counts(heads[1:])) and len(heads) > 2:
        return Listing([one for text in rows[0].cells for one in cell(text, rows[0].line)])
    width = max((len(row.cells) for row in rows), default=0)
    if width == 1:
        return Listing([mention for row in rows for mention in cell(row.cells[0], row.line)])
    columns = [[row.cells[at] if at < len(row.cells) else "" for row in rows] for at in range(width)]
    named = [[cell(text, row.line) for text, row in zip(column, rows, strict=True)] for column in columns]
    hits = [sum(any(one.match for one in found) for found in column) for column in named]
    is_map = block.header[:1] in (("key",), ("pair",))
    scored = is_map and head_role(block.header[1]) == "score"
    roles = [head_role(block.header[at]) if at < len(block.header) and not is_map else "" for at in range(width)]
    fit = [at for at in range(width) if hits[at] and roles[at] not in ("rank", "score")]
    if is_map and len(fit) == 2:
        words = [{_role_word(text) for text in column} for column in columns]
        roles = ["rank" if "rank" in one else "item" if "item" in one else "" for one in words]
        if scored and not any(roles):
            roles = ["item", "score"]
        fit = [at for at in fit if roles[at] not in ("rank", "score")]
    if not fit:
        return Listing([mention for row in rows for mention in cell(" ".join(row.cells), row.line)] if is_map else [])
    item = max([at for at in fit if roles[at] == "item"] or fit, key=hits.__getitem__)
    counted = [at for at in range(width) if is_permutation(columns[at])]
    both = [at for at in fit if at in counted]
    if not any(roles) and len(both) > 1 and item in both:
        one, other = both[:2]
        return _undecided((columns[one], columns[other]), (named[one], named[other]), is_map)
    if not is_map and not any(role == "item" for role in roles) and _disagree([named[at] for at in fit]):
        return Listing([found[0] for found in named[item] if found], ambiguous=True)
    others = [at for at in range(width) if at != item]
    order: list[int] | None = [*range(len(rows))]
    firsts = dict.fromkeys(found[0].match.positions[0] for found in named[item] if found and found[0].match)
    if ranks := [at for at in others if roles[at] == "rank"]:
        orders = {at: by_number(columns[at], "rank") for at in ranks}
        asked = [at for at in ranks if _ASKED.search(block.header[at])] if len(ranks) > 1 else []
        order = orders[(asked or ranks)[0]]
        if len(asked) != 1 and any(one != order for one in orders.values()):
            order = None
    elif is_map:
        other = 1 - item
        if not any(_number(text) is not None for text in columns[other]) and len(rows) > 2 and _is_as_shown(firsts):
            order = None  # {"Heat": "crime", "Fargo": "comedy"}
        if all(_number(text) is not None for text in columns[other]):
            is_rank = block.header[1] == "ranks" or (other == 0 and 0 in counted)
            order = by_number(columns[other], "rank" if is_rank else "score" if other and scored else roles[other])
    elif ranks := [at for at in others if not roles[at] and at in counted]:
        order = by_number(columns[ranks[0]], "rank")
    elif scores := [at for at in others if roles[at] == "score"]:
        are_numbers = all(_number(text) is not None for text in columns[scores[0]])
        order = by_number(columns[scores[0]], "score") if are_numbers else order
    listing = Listing([one for at in order or () for one in named[item][at][:1]])
    listing.ambiguous, listing.ordered = order is None, order != [*range(len(rows))]
    return listing


_ASKED = re.compile(r"\b(?:you|your|user|final|new|predicted|recommend\w*)\b", re.IGNORECASE)
"""Of two columns of ranks, the one that was asked for."""
_ROLE_WORD = re.compile(r"\W{0,3}([^\W\d_]{2,20})[ _#:.-]{0,3}\d{1,4}\W{0,3}$")


def _role_word(text: str) -> str:
    found = _ROLE_WORD.match(text) if len(text) < 40 else None
    return head_role(found[1]) if found else ""


def _disagree(columns: Sequence[list[list[Mention]]]) -> bool:
    """Return whether two columns hold the same items, each once and in another order: two rankings side by side."""
    orders = {
        tuple(found[0].match.positions if found and found[0].match else () for found in column) for column in columns
    }
    whole = [order for order in orders if () not in order and len(set(order)) == len(order) > 1]
    return any(set(one) == set(other) for one, other in pairwise(whole))


def _undecided(columns: Sequence[list[str]], named: Sequence[list[list[Mention]]], is_map: bool) -> Listing:
    """Two columns of 1 to n, unnamed: the one that counts is the rank, unless both readings differ in a JSON object."""
    first, second = (
        [mention for at in by_number(columns[rank], "rank") or () for mention in named[1 - rank][at]] for rank in (0, 1)
    )
    if [mention.match for mention in first] == [mention.match for mention in second]:
        return Listing(first)
    if is_map or counts(columns[0]) == counts(columns[1]):
        return Listing(first, ambiguous=True)
    return Listing(first if counts(columns[0]) else second)


# --- direction


def counts_down(values: Sequence[int | None]) -> bool:
    """Return whether numbers fall by one each."""
    return len(values) > 1 and all(one and one - 1 == after for one, after in pairwise(values))


def directed(listing: Listing, values: Sequence[int], are_ranks: bool) -> None:
    """Turn a listing so that the best entry comes first, as the numbers of its entries say.

    `are_ranks`: they are called ranks (`Rank 3:`).
    """
    if counts_down(values) and values[-1] == 1:
        listing.mentions.reverse()
        listing.ordered, listing.counted_down = True, not are_ranks
    elif counts_down(values) and len(values) > 2:
        listing.ambiguous = True  # the countdown goes on elsewhere
    elif are_ranks and len(set(values)) == len(values) == len(listing.mentions):
        order = sorted(range(len(values)), key=values.__getitem__)
        listing.mentions = [listing.mentions[at] for at in order]
        listing.ordered = order != [*range(len(order))]
    elif len(values) > 2 and sorted(values) == [*range(1, len(values) + 1)] and [*values] != sorted(values):
        listing.ambiguous = True


def falls(gaps: Sequence[str]) -> tuple[bool, bool]:
    """Return whether `<` stands between entries, so that the last is the best, and whether `<` and `>` both do."""
    less, more = any("<" in gap for gap in gaps), any(">" in gap for gap in gaps)
    return less and not more, less and more


_WORST_MARK, _BEST_MARK = (
    re.compile(
        rf"[(–—:,-] ?(?:the |my )?(?:{word})(?: (?:match|fit|likely|relevant|recommended|suited|suitable|choice"
        rf"|pick|option"
        r"|preferred|interesting|similar|preference|relevance|score|rank|overall|recommend\w+|first"
        r"|last))?[ )*_.!]{0,4}$",
        re.IGNORECASE,
    )
    for word in ("worst|least|lowest|weakest|bottom", "best|most|highest|strongest|top")
)


def says_worst_first(text: str) -> bool:
    """Return whether an answer says that its list begins with the worst."""
    return WORST_FIRST.search(text) is not None and _BEST_FIRST.search(text) is None


# --- the block that is the answer


@dataclass(slots=True)
class _Group:
    """Listings that go on with one another: none names an item of the others."""

    meaning: str
    listing: Listing
    named: dict[int, None]
    parts: list[tuple[int | None, list[Mention]]]
    """Each listing with its grade."""
    labels: list[str]
    """What stands before each."""

    def in_grades(self) -> Listing:
        """Return the listing, the parts with the highest grade first; ambiguous where a part has no grade."""
        grades = [grade for grade, _ in self.parts]
        given = [grade for grade in grades if grade is not None]
        if not given and len(self.parts) > 1 and all(map(_is_topic, self.labels)):
            self.listing.ambiguous = True  # Crime: Heat, Fargo; Horror: Alien
        if given == sorted(given, reverse=True) and (None not in grades or grades.index(None) > 0 or not given):
            return self.listing
        if len(given) < len(grades):
            self.listing.ambiguous = True
            return self.listing
        parts = sorted(self.parts, key=lambda part: -(part[0] or 0))
        self.listing.mentions = [mention for _, mentions in parts for mention in mentions]
        self.listing.ordered = True
        return self.listing


def choose(listings: Sequence[Listing], text: str, owed: int) -> Listing:
    """Return the listing that is the answer to a question for so many items, best first.

    It is empty where there is none, and `ambiguous` where two could be it.
    """
    said = _beside(listings, text)  # before listings are joined: what they hold is not said beside them
    listing = _chosen(listings, owed)
    if listing is None or (doubt.ASKS.search(said) and [*listing.named] == sorted(listing.named)):
        return Listing([])  # the question is repeated
    if listing.counted_down and _BEST_TO_WORST.search(said):
        listing.ambiguous = True  # the words say that the first is the best, the numbers that the last is
    elif listing.falling or (not listing.ordered and (says_worst_first(said) or _COUNTDOWN.search(said))):
        listing.mentions.reverse()
    elif not listing.ordered:
        _turn_by_marks(listing, text)
    listing.ambiguous |= doubt.of_the_order(listing.intro, said, _after(listing, text), by_numbers=listing.ordered)
    listing.ambiguous |= doubt.OTHER_SCALE.search(said) is not None and not says_worst_first(said)
    listing.ambiguous |= counts_otherwise(listing, text) or _is_discussion(listing, text) or _is_repeated(listing)
    return listing


def _is_discussion(listing: Listing, text: str) -> bool:
    """Return whether items are gone through in the order shown, each with words about it, and no rank is said."""
    if not _is_as_shown(listing.named) or listing.ordered or listing.falling:
        return False
    own = {mention.line: mention.text for mention in listing.mentions if mention.text}
    lines = text.split("\n")
    in_lines = len(own) == len(listing.mentions) and 0 not in own and max(own, default=0) <= len(lines)
    if not in_lines or meaning(listing.intro) in ("ranking", "final"):
        return False
    behind = [lines[at - 1].partition(title)[2] for at, title in own.items()]
    numbered = any(_NUMBERED.match(lines[at - 1]) or marker(lines[at - 1])[1] is not None for at in own)
    said = [any(map(str.isalpha, words)) and not any(map(str.isdigit, _YEARS.sub("", words))) for words in behind]
    return all(said) and not numbered


_NUMBERED = re.compile(r"\W*\d")


def _is_repeated(listing: Listing) -> bool:
    """Return whether items are named again in another order (`For action: Heat, Jaws. For romance: Jaws, Heat.`)."""
    if len({mention.line for mention in listing.mentions}) != 1:
        return False
    named = [one.match.positions[0] for one in listing.mentions if one.match and one.match.positions]
    first = {at: place for place, at in reversed([*enumerate(named)])}
    again = [at for place, at in enumerate(named) if place > first[at]]
    by_title = any(one.match and one.match.stage != "identifier" for one in listing.mentions)
    return by_title and len({*again}) > 2 and not _agrees(dict.fromkeys(again), listing.named)


def counts_otherwise(listing: Listing, text: str) -> bool:
    """Return whether numbers behind the titles count them in another order (`Heat [2 of 3]`), or a line beside them
    does (`Rank: 2, 1, 3`)."""
    lines = text.split("\n")
    own = {mention.line: mention.text for mention in listing.mentions if mention.text}
    count = len(listing.mentions)
    if any(one.match and one.match.stage == "identifier" for one in listing.mentions):
        return False
    if len(own) < count or count < 3 or 0 in own or max(own) > len(lines):
        return any(_is_other_order(_COUNTED.findall(line), count) for line in lines if _NUMBERS_ONLY.fullmatch(line))
    behind: list[list[str]] = []
    for at, title in own.items():
        rest = lines[at - 1].partition(title)[2]
        if "|" in rest or not any(map(str.isdigit, rest)):
            return False
        behind.append(_COUNTED.findall(_YEARS.sub(" ", rest)))
    return any(_is_other_order(column, count) for column in zip(*behind, strict=False))


_COUNTED = re.compile(r"(?<![\w.,])\d{1,4}(?![\w.,]?\d)")
_YEARS = re.compile(r"\b(?:18|19|20)\d\d\b")
_NUMBERS_ONLY = re.compile(r"(?:[A-Za-z ]{1,20}: ?)?\d{1,4}(?:, ?\d{1,4})+\W*")


def _is_other_order(numbers: Sequence[str], count: int) -> bool:
    values = [int(number) for number in numbers]
    return sorted(values) == [*range(1, count + 1)] and values not in (sorted(values), sorted(values, reverse=True))


def _turn_by_marks(listing: Listing, text: str) -> None:
    """Turn a list round whose first entry says that it is the worst and whose last that it is the best."""
    entries = [mention for mention in listing.mentions if mention.line]
    if len(entries) < 2 or entries[0].line == entries[-1].line:
        return
    lines = text.split("\n")
    first, last = (
        lines[entry.line - 1].rstrip()[-60:] if entry.line <= len(lines) else "" for entry in (entries[0], entries[-1])
    )
    worst_first, best_last = _WORST_MARK.search(first), _BEST_MARK.search(last)
    if worst_first and best_last:
        listing.mentions.reverse()
    elif (worst_first or best_last) and not _BEST_MARK.search(first):
        listing.ambiguous = True


def _after(listing: Listing, text: str) -> str:
    """Return what stands behind a list: behind its last line, or behind the last JSON value."""
    last = max((mention.line for mention in listing.mentions), default=0)
    if not last:
        return text[max(map(text.rfind, "]}")) + 1 :]
    first, *others = text.split("\n")[last - 1 :] or [""]
    texts = dict.fromkeys(one.text for one in listing.mentions if one.line == last and one.text)
    rest = min((first[-_TAIL:].rpartition(text)[2] for text in [*texts][-_LAST:]), key=len, default="")
    return "\n".join((rest, *others))


_TAIL, _LAST = 4000, 100
"""Characters at the end of a list's last line, and entries in it, of which the last is looked for."""


def _chosen(listings: Sequence[Listing], owed: int) -> Listing | None:
    groups: list[_Group] = []
    for listing in [listing for listing in listings if not listing.weak] or listings:
        means, named = meaning(listing.intro), listing.named
        if means == "given" and grade(listing.intro):
            means = ""  # unlikely to be watched
        last = groups[-1] if groups else None
        joins = last is not None and last.named.keys().isdisjoint(named)
        announced = last and last.meaning in ("given", "first try") and any(map(str.isalpha, listing.intro))
        goes_on = means in ("", "ranking") and not announced
        if last and joins and (goes_on or means == last.meaning) and last.meaning != "left out":
            last.parts.append((grade(listing.intro), [*listing.mentions]))
            last.labels.append(_last_line(listing.intro))
            last.listing.add(listing)
            last.named |= named
        else:
            parts = [(grade(listing.intro), [*listing.mentions])]
            groups.append(_Group(means, listing, named, parts, [_last_line(listing.intro)]))
    groups = [group for group in groups if group.meaning != "left out"]
    known = [group for group in groups if group.named]
    if not known:
        return groups[0].listing if groups else None
    if final := [group for group in known if group.meaning == "final"]:
        if TAKEN_BACK.search(_last_line(final[-1].listing.intro)) and _is_part_of_another(final[-1], known):
            final[-1].listing.ambiguous = True  # Wait, Heat should come before Fargo
        return _decided(final, owed)
    open_ones = [group for group in known if group.meaning not in ("given", "first try")]
    if not open_ones:
        others = [group for group in known if not _is_as_shown(group.named)]
        if others and all(_GIVEN.match(_last_line(group.listing.intro)) for group in others):
            others[-1].listing.ambiguous = True
        return _decided(others, owed) if others else None
    announced = [group for group in open_ones if group.meaning]
    if open_ones[-1].meaning and all(group.meaning or _is_as_shown(group.named) for group in open_ones):
        open_ones = announced  # the candidates are repeated, then ranked
    if not (open_ones[-1].listing.described or open_ones[-1].listing.ambiguous):
        described = [group for group in open_ones if group.listing.described and _is_as_shown(group.named)]
        open_ones = [group for group in open_ones if group not in described]  # each is looked at, then all are ranked
    longest = max(open_ones, key=lambda group: len(group.named))
    if all(_agrees(group.named, longest.named) for group in open_ones):
        return longest.in_grades()
    whole = [group for group in open_ones if len(group.named) >= owed]
    if len({tuple(group.named) for group in whole}) == 1:
        return whole[-1].in_grades()
    longest.listing.ambiguous = True
    return longest.listing


def _decided(groups: Sequence[_Group], owed: int) -> Listing:
    """Return the last of several announced lists; ambiguous where an equal one, announced alike, has another order."""
    last = groups[-1]
    listing = last.in_grades()
    for group in groups[:-1]:
        alike = _label_of(group) == _label_of(last)
        whole = min(len(group.named), len(last.named)) >= owed
        if alike and whole and [*group.named] != [*last.named]:
            listing.ambiguous = True
    return listing


def _is_part_of_another(group: _Group, groups: Sequence[_Group]) -> bool:
    return any(group.named.keys() < other.named.keys() for other in groups)


def _label_of(group: _Group) -> str:
    """Return what announces a list, without numbers: `Option 1:` and `Option 2:` are alike."""
    return re.sub(r"[\W\d_]+", " ", _last_line(group.listing.intro)).strip().casefold()


def _is_as_shown(named: dict[int, None]) -> bool:
    """Return whether a list has the items in the order in which they were shown, from the first."""
    return [*named] == [*range(len(named))]


_GIVEN = re.compile(
    r"\W*(?:you(?:['’]ve| have)? |the user )?(?:already )?"
    r"(?:watched|history|seen|liked|candidates?|options)\b[^,]*:\W*$",
    re.I,
)


def _is_topic(label: str) -> bool:
    """Return whether what stands before a list is a short heading that says nothing of an order: `Horror:`."""
    short = label.strip(" *_#:.-")
    heads = label.rstrip(" *_").endswith(":") or label.startswith(("#", "**", "__"))
    return heads and 0 < len(short.split()) < 5 and not meaning(label) and _CONTINUES.search(short) is None


_CONTINUES = re.compile(
    r"\b(?:then|next|also|more|continued|part|page|others?|rest|lastly|finally|last|after|[1-9]|first|second|third)\b",
    re.I,
)


def _agrees(part: dict[int, None], whole: dict[int, None]) -> bool:
    """Return whether a list has the order of the longer one."""
    return [*part] == [at for at in whole if at in part]


def _beside(listings: Sequence[Listing], text: str) -> str:
    """Return what an answer says beside the entries of its lists: lines that are no entry, introductions."""
    entries = Counter(mention.line for listing in listings for mention in listing.mentions)
    lines = (line.replace("_", " ") for number, line in enumerate(text.split("\n"), 1) if entries[number] != 1)
    return "\n".join((*lines, *(listing.intro for listing in listings if listing.intro)))
