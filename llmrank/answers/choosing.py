"""Stages 3 and 4: which block is the answer, what in it is the rank and what the item, and the direction.

Whatever leaves two readings is `ambiguous`: a wrong ranking is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from llmrank.answers.blocks import Block, Line, head_role
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
        """Return the positions of the named items, in order, each once."""
        return {
            mention.match.positions[0]: None for mention in self.mentions if mention.match and mention.match.positions
        }


class Phrase(NamedTuple):
    """Words that say what a list is."""

    meaning: str
    pattern: re.Pattern[str]
    examples: tuple[str, ...]


def _words(*words: str) -> re.Pattern[str]:
    return re.compile("|".join(words), re.IGNORECASE)


PHRASES = (
    Phrase("left out", _words(
        r"\b(?:not|n['’]t|never|nicht|nie|ne|pas|no|não|non|niet|не|nie)\b[^.:\n]{0,30}\b(?:includ|recommend|rank|select|chos|list|suggest"
        r"|empf|enthalten|aufgef|recommand|retenu|inclu|recomend|consigl|aanbe|рекоменд|polec)",
        r"\bnot (?:a (?:good )?(?:fit|match)|suitable|relevant)|\bexclu|\bleft out|\bleav(?:e|ing) out|\bomit"
        r"|\bavoid|\breject"
        r"|\bskip(?:ped)?\b|\bweggelassen|\bausgeschlossen|\bécart|\bdescart|\bignor|\bdiscard"
        r"|未入选|不推荐|不推薦|除外|пропущен|исключ"),
        ("Not included:", "I would avoid", "Nicht empfohlen:")),
    Phrase("first try", _words(
        r"\b(?:first|initial|preliminary|draft|rough|tentative|previous|old|earlier) (?:attempt|try|ranking|list"
        r"|draft|guess"
        r"|order|version|pass|thoughts?|impression)", r"\b(?:first )?draft\b", r"\bentwurf|\bbrouillon|\bbozza"
        r"|\bborrador|\brascunho|\berster versuch", r"\bvorläufig",
        r"\bpremi(?:er|ère) (?:essai|jet|version)|\bprovisoire", r"\bprimer (?:intento|borrador)|\bprovisional",
        r"\bprim[ao] (?:bozza|tentativo)", r"\bчернов|\bпервая попытка", r"初稿|初步|草稿|仮|暫定|暂定"),
        ("First attempt:", "Initial ranking:", "Erster Versuch:")),
    Phrase("final", _words(
        r"\bfinal|\banswers?\b|\bverdict\b|\bdecision\b|\bbottom line|\bin the end\b|\boverall\b|\bin conclusion"
        r"|\bconclusion\b|\bmy (?:own )?(?:ranking|order|list|recommendation"
        r"|pick|choice)"
        r"|\bresult\b|\boutput\b|\btherefore|\bthus\b|\bso the (?:order|ranking)|\bin summary|\bsummary\b"
        r"|\brevis|\bupdated?\b"
        r"|\bcorrect(?:ed|ion)|\bon reflection|\bon second thought|\bactually\b|\brather:|\bbetter:|\breconsider"
        r"|\bultimate",
        r"\bendgültig|\bendfassung|\burteil|\bantwort|\bergebnis|\bmeine (?:rangliste|reihenfolge|empfehlung)"
        r"|\bfazit|\büberarbeitet",
        r"\bréponse|\bdéfinitif|\bdéfinitive|\bmon classement|\bma liste|\brésultat|\bconclusion",
        r"\brespuesta|\bdefinitiv|\bresultado|\bmi (?:lista|clasificación|ranking)|\bresposta|\bresultado"
        r"|\bminha lista",
        r"\brisposta|\brisultato|\bdefinitiv|\bla mia (?:lista|classifica)", r"\bantwoord|\beindlijst|\bodpowied"
        r"|\bostatecz|\bwynik",
        r"\bsonuç|\bcevap|ответ|итог|окончательн|最终|最終|答案|结果|結果|答え|정답|최종|결과|답변|النهائي|الإجابة"),
        ("Final ranking:", "Answer:", "Mon classement final :", "答案：")),
    Phrase("ranking", _words(
        r"\brank|\brecommend|\border\b|\bordered|\bsorted|\btop\b|\bpicks?\b|\bhere (?:are|is)\b|\bsuggest"
        r"|\bbest to worst"
        r"|\brangliste|\breihenfolge|\bempf|\bclassement|\brecommand|\bclasific|\brecomend|\bclassific|\bconsigl|рейтинг|рекоменд"
        r"|порядок|排序|排名|推荐|推薦|おすすめ|ランキング|順位|순위|추천"),
        ("Recommendations:", "Reihenfolge:")),
    Phrase("given", _words(
        r"\bcandidates?\b|\bgiven\b|\bprovided\b|\bproposed\b|\bavailable\b|\boptions?\b|\bwatched\b|\bhistory\b|\bliked\b|\bseen\b"
        r"|\brated\b|\benjoyed\b|\boriginal\b|\binput\b|\bshuffled\b|\bpreviously\b|\bdiscuss|\bgo through\b"
        r"|\bconsider|\banaly[sz]"
        r"|\bthoughts\b|\bexplanations?\b|\breason|\bwhy\b|\bkandidat|\bvorgeschlagen|\bgesehen|\bverlauf|\bproposé|\bvus?\b|\bhistorique|\bcandidat"
        r"|\bpropuest|\bvist[ao]s?\b|\bhistorial|\bhistórico|кандидат|истори|просмотр|候选|候選|候補|观看|觀看|視聴|履歴|후보|시청"),
        ("Candidates:", "You have watched:", "Les films proposés :")),
)  # fmt: skip
"""What the words before a list say of it, in the order in which they are looked for."""

_UP = (
    r"worst|least|lowest|bottom|weakest|schlechtesten|niedrigsten|pire|moins|peor|menor|menos|pior|peggiore|meno|slechtste|minst"
    r"|худшего|najgorsz\w+"
)
_DOWN = (
    r"best|most|highest|top|strongest|besten|höchsten|meilleur|plus|mejor|mayor|más|melhor|maior|mais"
    r"|migliore|più|beste|meest|лучшему"
)
_TO = r"to|through|zum|zur|bis|au|à|a|ao|para|al|alla|naar|tot|к|do|→|->|-|–|—"
WORST_FIRST = re.compile(
    rf"\b(?:{_UP})\b(?: [^\s.:;]{{1,20}}){{0,3}}? ?(?:{_TO}) ?(?:[^\s.:;]{{1,8}} )?(?:{_DOWN})\b"
    r"|\b(?:in )?(?:ascending|increasing) order\b(?! of (?:rank|position|place))|\breverse(?:d)? (?:order|ranking)"
    r"|\bworst (?:first|is first|one first)|\bbest (?:is )?(?:last|at the (?:end|bottom))|\baufsteigend"
    r"|\bordre (?:dé)?croissant(?<!dé.{9})"
    r"|\borden ascendente|\bordine crescente|\bordem crescente|\bleast (?:\w+ )?first|по возрастанию"
    r"|从差到好|由差到好|由低到高|从低到高|從低到高|从最不|由劣到优|由劣至优|升序|昇順|低い順|悪い順|오름차순|낮은 순",
    re.IGNORECASE,
)
"""A list that says so has its best entry last: `from worst to best`, `vom schlechtesten zum besten`, `升序`."""
COUNTDOWN = re.compile(
    r"\bcount(?:ing)? ?down|\bcompte à rebours|\bcuenta (?:atrás|regresiva)|倒数|倒數|カウントダウン", re.I
)
_BEST_FIRST = re.compile(
    rf"\b(?:{_DOWN})\b(?: [^\s.:;]{{1,20}}){{0,3}}? ?(?:{_TO}) ?(?:[^\s.:;]{{1,8}} )?(?:{_UP})\b|\bdescending"
    rf"|\bbest first"
    r"|\b1 (?:is |being |= ?)(?:the )?(?:best|most)|absteigend|décroissant|descendente|decrescente|降序"
    r"|由高到低|从高到低|高い順",
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
            alone = listing is not None and len(listing.mentions) == 1 and not listing.weak
            if alone and listing and plain and (not gap or line.number - last == gap):
                gap, last = line.number - last, line.number
                plain.mentions += listing.mentions
                plain.falling |= listing.falling
                continue
            plain, gap, last = (listing if alone else None), 0, line.number
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
    numbers = [_number(value) for value in values]
    if any(number is None for number in numbers):
        return None
    known = [number for number in numbers if number is not None]
    places = range(len(known))
    if not role:
        whole = all(re.search(r"[.,%/]", value) is None for value in values)
        role = "rank" if whole and sorted(known) == [*range(1, len(known) + 1)] else "score"
    if role == "rank":
        return sorted(places, key=known.__getitem__) if len(set(known)) == len(known) else None
    return sorted(places, key=lambda at: -known[at])


_NUMBER = re.compile(
    r"\W{0,4}(?:[A-Za-z]{1,12}[ _#:.-]{0,3})?(-?\d{1,9}(?:[.,]\d{1,9})?)(?:st|nd|rd|th|[ºª°.])?"
    r" ?(?:%|/ ?\d{1,3}(?:\.0)?|(?:out )?of \d{1,3}|points?|stars?|pts?\.?)?\W{0,4}$",
    re.IGNORECASE,
)
_ORDINALS = {
    word: float(at)
    for at, words in enumerate(
        ("first one", "second two", "third three", "fourth four", "fifth five", "sixth six", "seventh seven",
         "eighth eight", "ninth nine", "tenth ten"), 1)
    for word in words.split()
}  # fmt: skip


def _number(text: str) -> float | None:
    found = _NUMBER.match(text) if len(text) < 60 else None
    if found:
        return float(found[1].replace(",", "."))
    return _ORDINALS.get(text.strip(" *_:.").casefold())


def counts(values: Sequence[str]) -> bool:
    """Return whether the values count 1, 2, 3, …: those of the ranks of a list."""
    return [_number(value) for value in values] == [*range(1, len(values) + 1)]


def is_permutation(values: Sequence[str]) -> bool:
    """Return whether the values are 1 to n, each once."""
    numbers = [number for value in values if (number := _number(value)) is not None]
    return len(numbers) == len(values) and sorted(numbers) == [*range(1, len(values) + 1)]


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
    is_map = block.header[:1] in (("key",), ("pair",))
    roles = [head_role(block.header[at]) if at < len(block.header) and not is_map else "" for at in range(width)]
    said = ["", head_role(block.header[1])] if is_map else ["", ""]
    named = [[cell(text, row.line) for text, row in zip(column, rows, strict=True)] for column in columns]
    hits = [sum(any(one.match for one in found) for found in column) for column in named]
    fit = [at for at in range(width) if hits[at] and roles[at] not in ("rank", "score")]
    if is_map and len(fit) == 2:
        words = [{_role_word(text) for text in column} for column in columns]
        roles = ["rank" if "rank" in one else "item" if "item" in one else "" for one in words]
        if said[1] in ("rank", "score") and not any(roles):
            roles = ["item", said[1]] if said[1] == "score" or block.header[1] == "ranks" else ["", ""]
        fit = [at for at in fit if roles[at] not in ("rank", "score")]
    if not fit:
        return Listing([mention for row in rows for mention in cell(" ".join(row.cells), row.line)] if is_map else [])
    chosen = [at for at in fit if roles[at] == "item"] or fit
    most = max(hits[at] for at in chosen)
    item = next(at for at in chosen if hits[at] == most)
    numeric = [at for at in fit if is_permutation(columns[at])]
    if not any(roles) and len(numeric) > 1 and item in numeric:
        return _undecided(columns, named, numeric, is_map)
    ranks = [at for at in range(width) if at != item and roles[at] == "rank"]
    scores = [at for at in range(width) if at != item and roles[at] == "score"]
    free = [at for at in range(width) if at != item and not roles[at]]
    listing = Listing([])
    order: list[int] | None = [*range(len(rows))]
    mentions = named[item]
    if ranks:
        order = by_number(columns[ranks[0]], "rank")
    elif is_map:
        other = 1 - item
        numbers = [_number(text) for text in columns[other]]
        if all(number is not None for number in numbers):
            role = (
                said[1]
                if other == 1 and said[1] in ("score",)
                else "rank"
                if block.header[1] == "ranks"
                else roles[other]
            )
            order = by_number(columns[other], "rank" if other == 0 and is_permutation(columns[0]) else role)
    elif counted := [at for at in free if is_permutation(columns[at])]:
        order = by_number(columns[counted[0]], "rank")
    elif scores:
        order = by_number(columns[scores[0]], "score") or order
    listing.ambiguous = order is None
    listing.ordered = order != [*range(len(rows))]
    for at in order or ():
        listing.mentions += [one for one in mentions[at] if one.match or item in fit][:1]
    return listing


_ROLE_WORD = re.compile(r"\W{0,3}([^\W\d_]{2,20})[ _#:.-]{0,3}\d{1,4}\W{0,3}$")


def _role_word(text: str) -> str:
    found = _ROLE_WORD.match(text) if len(text) < 40 else None
    return head_role(found[1]) if found else ""


def _undecided(columns: list[list[str]], named: list[list[list[Mention]]], numeric: list[int], is_map: bool) -> Listing:
    """Two columns of 1 to n, unnamed: the one that counts is the rank, unless both readings differ in a JSON object."""
    one, other = numeric[:2]

    def read(rank: int, item: int) -> list[Mention]:
        return [mention for at in by_number(columns[rank], "rank") or () for mention in named[item][at]]

    first, second = read(one, other), read(other, one)
    if [mention.match for mention in first] == [mention.match for mention in second]:
        return Listing(first)
    if is_map or counts(columns[one]) == counts(columns[other]):
        return Listing(first, ambiguous=True)
    return Listing(first if counts(columns[one]) else second)


# --- direction


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of a list's entries."""

    values: tuple[int, ...] = ()
    named: bool = False
    """They are called ranks (`Rank 3:`)."""


def directed(listing: Listing, numbers: Numbers) -> None:
    """Turn a listing so that the best entry comes first, as its numbers say."""
    values = numbers.values
    falls = len(values) > 1 and all(one == after + 1 for one, after in pairwise(values))
    if falls and min(values) == 1:
        listing.mentions.reverse()
        listing.ordered = True
    elif numbers.named and len(set(values)) == len(values) == len(listing.mentions):
        order = sorted(range(len(values)), key=values.__getitem__)
        listing.mentions = [listing.mentions[at] for at in order]
        listing.ordered = order != [*range(len(order))]
    elif len(values) > 2 and sorted(values) == [*range(1, len(values) + 1)] and list(values) != sorted(values):
        listing.ambiguous = True


def says_worst_first(text: str) -> bool:
    """Return whether an answer says that its list begins with the worst."""
    return WORST_FIRST.search(text) is not None and _BEST_FIRST.search(text) is None


# --- the block that is the answer


@dataclass(slots=True)
class _Group:
    """Listings that go on with one another: none names an item of the others."""

    meaning: str
    listing: Listing
    named: dict[int, None] = field(default_factory=dict[int, None])


def choose(listings: Sequence[Listing], owed: int, shown: Sequence[int]) -> Listing | None:
    """Return the listing that is the answer, `ambiguous` set where two could be it; None if there is none.

    `owed`: how many items were asked for. `shown`: the order in which they were shown, which a repeated list has.
    """
    strong = [listing for listing in listings if not listing.weak]
    groups: list[_Group] = []
    for listing in strong or listings:
        means, named = meaning(listing.intro), listing.named
        last = groups[-1] if groups else None
        joins = last is not None and last.named.keys().isdisjoint(named)
        if last and joins and (means in ("", "ranking") or means == last.meaning) and last.meaning != "left out":
            last.listing.mentions += listing.mentions
            last.listing.ambiguous |= listing.ambiguous
            last.listing.falling |= listing.falling
            last.listing.ordered |= listing.ordered
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
        best = known[-1]
        return None if list(best.named) == list(shown)[: len(best.named)] else best.listing
    longest = max(open_ones, key=lambda group: len(group.named))
    if all(_agrees(list(group.named), longest.named) for group in open_ones):
        return longest.listing
    whole = [group for group in open_ones if len(group.named) >= owed]
    if len({tuple(group.named) for group in whole}) == 1:
        return whole[-1].listing
    longest.listing.ambiguous = True
    return longest.listing


def _agrees(part: list[int], whole: dict[int, None]) -> bool:
    """Return whether a list has the order of the longer one."""
    places = {at: place for place, at in enumerate(whole)}
    order = [places[at] for at in part if at in places]
    return order == sorted(order) and len(order) == len(part)
