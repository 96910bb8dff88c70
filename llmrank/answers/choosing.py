"""Stages 3 and 4: which block is the answer, what in it is the rank and what the item, and the direction.

Whatever leaves two readings is `ambiguous`: a wrong ranking is worse than none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from llmrank.answers.blocks import CARDINALS, ORDINALS, Block, Line, head_role
from llmrank.answers.matching import Match


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
        r"(?:not|(?:ca|wo|do|would|could|should)n['’]t|never|nicht|nie|ne|pas|no|não|non|niet|не)\b[^.,:\n]{0,30}\b(?:includ|recommend|rank|select|chos"
        r"|list|suggest|empf|enthalten|aufgef|recommand|retenu|inclu|recomend|consigl|aanbe|рекоменд|polec)"
        r"|not (?:a (?:good )?(?:fit|match)|suitable|relevant)|exclu|left out|leav(?:e|ing) out|omit|avoid|reject"
        r"|skip(?:ped)?\b|weggelassen|ausgeschlossen|écart|descart|ignor|discard",
        r"未入选|不推荐|不推薦|除外|пропущен|исключ"),
        ("Not included:", "I would avoid", "Nicht empfohlen:")),
    Phrase("first try", _words(
        r"(?:first|initial|preliminary|draft|rough|tentative|previous|old|earlier) (?:attempt|try|ranking|list|draft"
        r"|guess|order|version|pass|thoughts?|impression)|draft\b|entwurf|brouillon|bozza|borrador|rascunho"
        r"|erster versuch|vorläufig|premi(?:er|ère) (?:essai|jet|version)|provisoire|primer intento|provisional"
        r"|prim[ao] tentativo|чернов|первая попытка",
        r"初稿|初步|草稿|仮|暫定|暂定"),
        ("First attempt:", "Initial ranking:", "Erster Versuch:")),
    Phrase("final", _words(
        r"final|answers?\b|verdict\b|decision\b|bottom line|in the end\b|overall\b|conclusion|my (?:own )?(?:ranking"
        r"|order|list|recommendation|pick|choice)|result\b|output\b|therefore|thus\b|so the (?:order|ranking)|summary\b"
        r"|revis|updated?\b|correct(?:ed|ion)|on reflection|on second thought|actually\b|rather:|better:|reconsider"
        r"|ultimate|endgültig|endfassung|urteil|antwort|ergebnis|meine (?:rangliste|reihenfolge|empfehlung)|fazit"
        r"|überarbeitet|réponse|définiti(?:f|ve)|mon classement|ma liste|résultat|respuesta|definitiv|resultado"
        r"|mi (?:lista|clasificación|ranking)|resposta|minha lista|risposta|risultato|la mia (?:lista|classifica)"
        r"|antwoord|eindlijst|odpowied|ostatecz|wynik|sonuç|cevap",
        r"ответ|итог|окончательн|最终|最終|答案|结果|結果|答え|정답|최종|결과|답변|النهائي|الإجابة"),
        ("Final ranking:", "Answer:", "Mon classement final :", "答案：")),
    Phrase("ranking", _words(
        r"rank|recommend|order\b|ordered|sorted|top\b|picks?\b|here (?:are|is)\b|suggest|best to worst|rangliste"
        r"|reihenfolge|empf|classement|recommand|clasific|recomend|classific|consigl",
        r"рейтинг|рекоменд|порядок|排序|排名|推荐|推薦|おすすめ|ランキング|順位|순위|추천"),
        ("Recommendations:", "Reihenfolge:")),
    Phrase("given", _words(
        r"(?:candidates?|given|provided|proposed|available|options?|watched|history|liked|seen|rated|enjoyed|original"
        r"|input|shuffled|previously|thoughts|explanations?|why|vus?|vist[ao]s?)\b|discuss|go through\b|consider"
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
    r"|\breversed? (?:order|ranking)|\bworst (?:first|is first|one first)|\bbest (?:is )?(?:last|at the (?:end|bottom))"
    r"|\baufsteigend|\bordre croissant|\borden ascendente|\bordine crescente|\bordem crescente|\bleast (?:\w+ )?first"
    r"|по возрастанию|从差到好|由差到好|由低到高|从低到高|從低到高|从最不|由劣到优|由劣至优|升序|昇順|低い順|悪い順"
    r"|오름차순|낮은 순",
    re.IGNORECASE,
)
"""A list that says so has its best entry last: `from worst to best`, `vom schlechtesten zum besten`, `升序`."""
_COUNTDOWN = re.compile(
    r"\bcount(?:ing)? ?down|\bcompte à rebours|\bcuenta (?:atrás|regresiva)|倒数|倒數|カウントダウン", re.IGNORECASE
)
_BEST_FIRST = re.compile(
    rf"{_from_to(_BEST, _WORST)}|\bdescending|\bbest first|\b1 (?:is |being |= ?)(?:the )?(?:best|most)|absteigend"
    r"|décroissant|descendente|decrescente|降序|由高到低|从高到低|高い順",
    re.IGNORECASE,
)


def meaning(intro: str) -> str:
    """Return what the words before a list say of it: a `Phrase.meaning`, or nothing."""
    return next((phrase.meaning for phrase in PHRASES if phrase.pattern.search(intro)), "") if intro else ""


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
    for block in blocks:
        said = block.lines[0].text[-400:] if block.lines else ""
        if block.kind == "text":
            line = block.lines[0]
            listing = text(line)
            alone = listing if listing and len(listing.mentions) == 1 and not listing.weak else None
            if alone and plain and (not gap or line.number - last == gap):
                gap, last = line.number - last, line.number
                plain.mentions += alone.mentions
                plain.falling |= alone.falling
                continue
            plain, gap, last = alone, 0, line.number
        else:
            plain = None
            listing = lines(block.lines) if block.kind == "list" else read_rows(block, cell)
        if listing is not None and listing.mentions:
            listing.intro = "\n".join((*intro, listing.intro))[-400:]
            listings.append(listing)
            if not listing.weak:
                intro = []
                continue
        intro = [*intro[-4:], said]
    return listings


# --- rank, score and item


def by_number(values: Sequence[str], role: str) -> list[int] | None:
    """Return the order (indexes, best first) that ranks or scores give, None where they leave two readings.

    Unnamed numbers are ranks if they are 1 to n, each once; else scores.
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
    return sorted(places, key=lambda at: -numbers[at])


_NUMBER = re.compile(
    r"\W{0,4}(?:[A-Za-z]{1,12}[ _#:.-]{0,3})?(-?\d{1,9}(?:[.,]\d{1,9})?)(?:st|nd|rd|th|[ºª°.])?"
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
    others = [at for at in range(width) if at != item]
    order: list[int] | None = [*range(len(rows))]
    if ranks := [at for at in others if roles[at] == "rank"]:
        order = by_number(columns[ranks[0]], "rank")
    elif is_map:
        other = 1 - item
        if all(_number(text) is not None for text in columns[other]):
            is_rank = block.header[1] == "ranks" or (other == 0 and 0 in counted)
            order = by_number(columns[other], "rank" if is_rank else "score" if other and scored else roles[other])
    elif ranks := [at for at in others if not roles[at] and at in counted]:
        order = by_number(columns[ranks[0]], "rank")
    elif scores := [at for at in others if roles[at] == "score"]:
        order = by_number(columns[scores[0]], "score") or order
    listing = Listing([one for at in order or () for one in named[item][at][:1]])
    listing.ambiguous, listing.ordered = order is None, order != [*range(len(rows))]
    return listing


_ROLE_WORD = re.compile(r"\W{0,3}([^\W\d_]{2,20})[ _#:.-]{0,3}\d{1,4}\W{0,3}$")


def _role_word(text: str) -> str:
    found = _ROLE_WORD.match(text) if len(text) < 40 else None
    return head_role(found[1]) if found else ""


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
        listing.ordered = True
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


def choose(listings: Sequence[Listing], text: str, owed: int) -> Listing:
    """Return the listing that is the answer to a question for so many items, best first.

    It is empty where there is none, and `ambiguous` where two could be it.
    """
    said = _beside(listings, text)  # before listings are joined: what they hold is not said beside them
    listing = _chosen(listings, owed)
    if listing is None:
        return Listing([])
    if listing.falling or (not listing.ordered and (says_worst_first(said) or _COUNTDOWN.search(said))):
        listing.mentions.reverse()
    return listing


def _chosen(listings: Sequence[Listing], owed: int) -> Listing | None:
    groups: list[_Group] = []
    for listing in [listing for listing in listings if not listing.weak] or listings:
        means, named = meaning(listing.intro), listing.named
        last = groups[-1] if groups else None
        joins = last is not None and last.named.keys().isdisjoint(named)
        if last and joins and (means in ("", "ranking") or means == last.meaning) and last.meaning != "left out":
            last.listing.add(listing)
            last.named |= named
        else:
            groups.append(_Group(means, listing, named))
    groups = [group for group in groups if group.meaning != "left out"]
    known = [group for group in groups if group.named]
    if not known:
        return groups[0].listing if groups else None
    if final := [group for group in known if group.meaning == "final"]:
        return final[-1].listing
    open_ones = [group for group in known if group.meaning not in ("given", "first try")]
    if not open_ones:
        as_shown = [*known[-1].named] == [*range(len(known[-1].named))]
        return None if as_shown else known[-1].listing
    longest = max(open_ones, key=lambda group: len(group.named))
    if all(_agrees(group.named, longest.named) for group in open_ones):
        return longest.listing
    whole = [group for group in open_ones if len(group.named) >= owed]
    if len({tuple(group.named) for group in whole}) == 1:
        return whole[-1].listing
    longest.listing.ambiguous = True
    return longest.listing


def _agrees(part: dict[int, None], whole: dict[int, None]) -> bool:
    """Return whether a list has the order of the longer one."""
    return [*part] == [at for at in whole if at in part]


def _beside(listings: Sequence[Listing], text: str) -> str:
    """Return what an answer says beside the entries of its lists: lines that are no entry, introductions."""
    entries = Counter(mention.line for listing in listings for mention in listing.mentions)
    lines = (line for number, line in enumerate(text.split("\n"), 1) if entries[number] != 1)
    return "\n".join((*lines, *(listing.intro for listing in listings if listing.intro)))
