"""Stage 5 for titles: the ways in which one entry holds several titles, or a title with other words.

Titles contain commas, quotes, colons, dashes and digits, so an entry is first looked up as a whole. Only if that fails
is it split, at the signs it uses itself. The first form of `ENTRY_FORMS` that applies wins.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import chain, islice, pairwise
from typing import NamedTuple

from llmrank.answers.items.listing import Mention
from llmrank.answers.items.matching import TitleIndex
from llmrank.answers.rankings.mentions import (
    EAST_ASIAN_WORD,
    HEADING,
    Mentions,
    bare,
    is_remark,
    is_sentence,
    is_title_like,
    mention_of,
)
from llmrank.answers.text.lines import Line, numeral_value, word_set
from llmrank.answers.text.normalise import EAST_ASIAN, caseless
from llmrank.answers.text.phrases import meaning

_QUOTES = "\"“”„«»'‘’`"
_SEPARATOR = r"(?:(?:[,;|></→·=]|[-=]{1,2}>|\b(?:and|und|et|y|e|en|i|и|then|next|finally|lastly|followed by)\b) ?){1,3}"
"""What may stand between two titles in quotation marks or in bold."""
_INLINE_NUMBER = re.compile(r"(?:^|[\s,;:|]|(?<=\d\)))[(\[]?#?(\d{1,3})(?:(?:st|nd|rd|th)?[.):\]]{1,2}|[位위]:?)\s?")
_INNER_HEADING = re.compile(r"[.;!?] {1,2}([^.:;!?\n]{2,60}:) ")
_BETWEEN_QUOTES = re.compile(rf"[{_QUOTES}] ?{_SEPARATOR}[{_QUOTES}]|[\"”] ?[\"“]")
_AND_IN_ASIA = re.compile(rf"(?<=[{_QUOTES}])(?:[,;]? ?最[后後]是?|和|及|以及|与|與)(?=[{_QUOTES}])")
"""`《英雄》、《卧虎藏龙》和《霸王别姬》`"""
_SENTENCE_BEHIND = re.compile(rf"(?<=[\"”“»][.!]) (?=[^{_QUOTES}\s]|[\"“][^\"”\n]{{1,80}}[\"”] ?[^\W\d])")
"""Where a sentence follows the list, also one about another title (`… and "Heat". "Fargo" is left out.`)."""
_OPENED = re.compile(r"\{ ?(?:[^\[\]{}]{0,400}, ?)?[\"']\w{1,30}[\"'] ?: ?\[ ?[\"']")
"""JSON that is truncated."""
_LEADS_TO_QUOTES = re.compile(rf"[^{_QUOTES}\W].{{0,300}}\w: [\"“«]")
"""`As you liked "Alien" and "Aliens", my ranking: "Heat", …`"""
_FIRST_QUOTE = re.compile(r"[\"“„«`]|(?<!\w)['‘]")
_CLOSED = re.compile(
    r"[\W_]{0,6}?(?i:(?:(?:the|der|das|le|la|el|il|o) )?(?:film|movie|book|buch|roman|livre|libro|novel|spiel"
    r"|game) )?"
    r"(?:\*\*|__|[\"“„«])(?P<inside>[^\n]{1,300}?)(?:\*\*|__|[\"”“»])(?!\w)"
)
_MARKED = r"(?:\*{3}[^*\n]{1,200}\*{3}|\*\*[^*\n]{1,200}\*\*|\*[^*\s][^*\n]{0,200}\*|__?[^_\n]{1,200}__?)(?!\w)"
_CHAIN_OF_MARKED = re.compile(rf"{_MARKED}(?: ?{_SEPARATOR}{_MARKED})+")
"""`**Alien**, *Heat* and **Fargo**`"""
_MORE_CLOSED = re.compile(r" ?(?:[,;>→]|and\b|&) ?(?:and )?(?:\*\*|__)\w")
"""`**Alien**, **Heat**`: one of several titles."""
_YEAR = re.compile(r"[(\[](?:18|19|20)\d\d(?: ?[-–] ?\d{0,4})?[)\]]")
_AFTER_YEAR = re.compile(
    r"[\"'”’*_]{0,4}+ ?(?:\d(?:\.\d)? ?/ ?\d{1,2})? ?(?P<mark>(?:[,;|/><→&\t]|[-=]>){1,4}+|\b(?:and|und|et|y)\b)?"
    r" ?(?:and )?"
)
CHAINED = re.compile(r" (?:>|→|->|=>) ")
_COMMA = re.compile(
    r" ?(?:[,;] (?:and |& )?(?:then )?| \| | / | · | (?:>|<|→|[-=]{1,2}>|=) |(?<=[\w)\]*\"])[><](?=[\w*\"])"
    r"| (?:and|&|und|et|y|then) )"
)
_REMARK = re.compile(
    r" [-–—]{1,3} | (?:=|-{2,3}>) (?=\d)|[:.!?](?P<closed>[*_]{1,3})? | \(|, "
    r"| (?=(?:because|since|which|is|was|would|should|has|scores?|for its?"
    r"|due to)\b)| (?=[★⭐]|\d(?:\.\d)?/\d|\d{1,3}(?:\.\d)? ?%|(?:directed )?by [A-Z])"
)
_EDITION = caseless(
    r"[ :,(–—-]{1,5}(?:the )?(?:director['’]s cut|(?:extended|special|theatrical|final|original|uncut|remastered"
    r"|criterion)(?: (?:edition|version|cut|collection))?)\W{0,3}$"
)
_COMPARES = re.compile(r"\b(?:like|similar|reminiscent|because|since|than|loved|liked|enjoyed|watched|rated)\b")
_LEAD_IN = caseless(
    r"\b(?=[a-z])(?:would (?:(?:most|likely|probably|really) ){0,2}(?:like|enjoy|love)"
    r"|recommend(?:ing)?|suggest(?:ing)?|watch(?:ing)?|try(?:ing)?|picks?|choose|rank(?:ing|ed)?"
    r"|starts? with|begin with|move on to|go on to|go on with|finish(?: off)? with|end with|go (?:for|with)"
    r"|followed by|then|first|next|finally|lastly|second|third|last|is|are|was|be|include|including|also|and"
    r"|d['’]abord|ensuite|puis|enfin|primero|segundo|tercero|luego|después|zuerst|dann|danach|prima|poi|infine"
    r"|output|answer|movies?|items?|put|place|would be)[:,]? |:[*_]{0,3} "
    r"|\b(?:user|viewer|reader|player|customer|listener|order|ranking|list|picks?|recommendations?) ?(?:→|[-=]>) "
)
_FOLLOWS = caseless(r"^(?:(?:and|then|next|after that|afterwards|followed by|finally|lastly) )+")
_IN_SEQUENCE = re.compile(r"\b(?:followed by|then|next|after that|finally|lastly)\b")
TWO_PARTS = re.compile(r" (?:[-–—→←|]|->|<-|=>|--) ")
_ARROWS = (re.compile(r" (?:->|→|=>) "), re.compile(r" (?:<-|←) "))
_COLON = re.compile(r":[*_]{0,3} ")
"""Between an author and a book, or between a purpose and the item that suits it best."""
_MORE_SIGNS = (_COLON, re.compile(r" [·•] "), re.compile(r"; "))
"""Signs that separate two parts if every line has one."""
_TRAILING_ORDINAL = re.compile(r" (?:first|second|third|next|last|too|as well|afterwards)[.!]?$")
_ASIDE = re.compile(
    r"[ ,(–—:-]{1,4}(?:if you|because|since|as you|(?:much )?like|similar|for fans|in the (?:style|vein)"
    r"|reminiscent|comparable)\b"
)
_AUTHOR = re.compile(r" (?:by|directed by) [A-Z][\w.]* ?(?:(?:d[aeiu]|del|du|la|le|v[ao]n|der|den) ){0,2}[\w.]*[A-Z]")
_TRANSLATED = re.compile(
    r"(?P<outside>[^()/\n]{1,200}) ?\((?!(?:18|19|20)\d\d\b)"
    r"(?P<inside>[^()\n]{1,200}(?:\([^()\n]{1,200}\)[^()\n]{0,200}){0,3})\)"
    r"|(?P<one>[^/\n]{1,200}) (?:/|[–—-](?= [*_\"]{1,2}\w)) (?P<other>[^/\n]{1,200})"
    r"|(?P<before>[^()/\n]{1,200}) [–—-] (?P<behind>[^/\n]{1,200})"
    rf"|(?P<characters>[{EAST_ASIAN}][^()/\n]{{0,60}}?) (?P<latin>[A-Za-z][^/\n]{{2,200}})"
    r"|(?P<abroad>[\"“„«][^\"()/\n]{1,100}[\"”“»]) ?(?P<here>[^\W_][^\"\n]{1,200})"
)
_MAX_PIECES = 6
"""Maximum number of comma-separated pieces in one title."""
_DATED = re.compile(r"(?:,|:| [-–—]| \() ?((?:18|19|20)\d\d), (?=[^\W\d])")
_LEAD_INS = 8
_REMARKS = 12


class EntryForm(NamedTuple):
    """One way in which an entry holds several titles, or a title with other words."""

    name: str
    example: str
    read: Callable[[str, TitleIndex], Mentions | None]
    """Returns None if the entry does not have this form."""


def two_part_lines(lines: list[Line], found: list[Mentions], index: TitleIndex) -> list[Mentions]:
    """Read lists such as `Casablanca - Fargo`, where the candidate is on the same side of every line, and `Frank
    Herbert: Dune`, where no line names a candidate in another way."""
    if all(len(mentions) == 1 and mentions[0].match for mentions in found):
        return found
    bodies = [line.body[:400] for line in lines]
    arrow = next((sign for sign in _ARROWS if all(map(sign.search, bodies))), TWO_PARTS)
    if (parts := _on_one_side(lines, found, arrow, index)) is not None:
        return parts
    if len(lines) > 1 and _matched(found) < min(len(lines), 2):
        for sign in _MORE_SIGNS:
            parts = _on_one_side(lines, found, sign, index) if all(map(sign.search, bodies)) else None
            if parts is not None and _matched(parts) > _matched(found):
                return parts
    return found


def _matched(found: Sequence[Mentions]) -> int:
    """Count the entries that name an item."""
    return sum(any(one.match for one in mentions) for mentions in found)


def _on_one_side(
    lines: list[Line], found: list[Mentions], sign: re.Pattern[str], index: TitleIndex
) -> list[Mentions] | None:
    """Return the titles on the side of the sign where the candidates are, None if there is no such side."""

    def title(part: str, number: int) -> Mention:
        mention = mention_of(part, index, number)
        remarked = with_remark(part, index) if sign is _COLON and not mention.match else None
        return remarked[0]._replace(line=number) if remarked else mention

    sides = [_halves(line.body, sign, index) for line in lines]
    headings = {first[0] if (first := _HEADING.match(parts[-1])) else "" for parts in sides}
    heading = headings.pop() if len(headings) == 1 else ""
    halves = [
        # A line that is a whole title has no parts: Star Wars: Episode IV - A New Hope.
        [title(part.removeprefix(heading), line.number) for part in parts]
        if len(parts) == 2 and len(mentions) < 3 and not mention_of(line.body, index).match
        else None
        for line, mentions, parts in zip(lines, found, sides, strict=True)
    ]
    if len(lines) > 1 and all(half and half[0].match and half[1].match for half in halves):
        watched = {half[0].text for half in halves if half}
        return [[half[1]] for half in halves if half] if len(watched) == 1 else None
    left, right = named = [sum(half is not None and half[side].match is not None for half in halves) for side in (0, 1)]
    if left == right or max(named) < min(2, len(lines)) or (min(named) and max(named) < len(lines)):
        return None
    side = int(right > left)
    if not side and any(half and index.exact(half[0].text) and index.is_first_part(half[0].text) for half in halves):
        return None  # Anno 1800 - Docklands: a part other than the candidates'
    return [
        [half[side]] if half and (match := half[side].match) and match.positions else mentions
        for half, mentions in zip(halves, found, strict=True)
    ]


_HEADING = re.compile(r"[A-Z][a-z]{2,20}: ")
"""`Bought: Heat → Recommend: Fargo`: what every right side begins with."""


def _halves(body: str, sign: re.Pattern[str], index: TitleIndex) -> list[str]:
    """Split a text at the sign: where a title ends, otherwise at the first one."""
    marks = [*islice(sign.finditer(body), _HALVES)]
    ends = (mark for mark in marks if mention_of(body[: mark.start()], index).match)
    mark = next(ends, marks[0]) if marks else None
    return [body[: mark.start()], body[mark.end() :]] if mark else [body]


_HALVES = 4


def _inline_numbers(body: str, index: TitleIndex) -> Mentions | None:
    """`Alien 2. Heat 3. Fargo`; the first number may already be removed."""
    marks = [*_INLINE_NUMBER.finditer(body)]
    begun = not marks or marks[0][1] != "1"
    numbers = [(0, 0)] if begun else []
    depth = at = 0
    for found in marks:
        depth += body.count("(", at, found.start()) - body.count(")", at, found.start())
        at = found.end()
        if int(found[1]) == len(numbers) + 1 and depth == 0:
            numbers.append(found.span())
    if len(numbers) > 1 and not any(map(str.isalnum, body[numbers[-1][1] :])):
        return None  # Fargo (1), Heat (2)
    if len(numbers) < 2 or (begun and len(numbers) == 2 and body[: numbers[1][1]].rstrip().endswith(":")):
        return None  # Terminator 2: Judgment Day
    body = body[: numbers[-1][1]] + _without_dismissed(body[numbers[-1][1] :])
    pieces = [body[one[1] : two[0]].strip(" ,;|") for one, two in pairwise([*numbers, (len(body), 0)])]
    lines = [Line(0, piece, body=piece) for piece in pieces if piece]
    found = two_part_lines(lines, [_one(line.body, index) for line in lines], index)
    parts = [mention for mentions in found for mention in mentions]
    return parts if parts and (len(numbers) - begun > 1 or all(mention.match for mention in parts)) else None


def _without_dismissed(body: str) -> str:
    """Return a line up to the heading of excluded items (`1. Heat 2. Fargo. Not recommended: Alien`)."""
    for heading in islice(_INNER_HEADING.finditer(body), _REMARKS):
        if meaning(heading[1]) == "left out":
            return body[: heading.start()]
    return body


def _quoted(body: str, index: TitleIndex) -> Mentions | None:
    """`"A", "B" and "C"`, as PALR asks; quotation marks inside a title are kept."""
    if opened := _OPENED.match(body) or _LEADS_TO_QUOTES.match(body):
        body = body[opened.end() - 1 :]
    if len(body) < 4 or not _BETWEEN_QUOTES.search(body):
        return None
    body = _SENTENCE_BEHIND.split(body, maxsplit=1)[0]
    first = _FIRST_QUOTE.search(body)
    start, end = first.end() if first else 0, len(body)
    last = max(body.rfind(quote) for quote in _QUOTES)
    if last > start and (is_remark(body[last + 1 :]) or EAST_ASIAN_WORD.match(body, last + 1)):  # "A", "B"の順に
        end = last
    pieces = (piece.strip(" ,;[]") for piece in _BETWEEN_QUOTES.split(_AND_IN_ASIA.sub(",", body[start:end])))
    return [mention_of(piece, index) for piece in pieces if any(map(str.isalnum, piece))]


def emphasised(body: str, index: TitleIndex) -> Mentions | None:
    """`**Alien** - a classic`, `"Alien": a classic`."""
    if (chain := _CHAIN_OF_MARKED.match(body)) and is_remark(body[chain.end() :]):
        return [mention_of(one[0], index) for one in re.finditer(_MARKED, chain[0])]
    found = _CLOSED.match(body)
    if not found or _MORE_CLOSED.match(body, found.end()):
        return None
    if chained := _CHAIN_BEHIND.match(body, found.end()):
        pieces = [] if chained["sign"] else body[chained.end() : chained.end() + 2000].split(", ")
        if all(mention_of(piece, index).match for piece in pieces):
            return _commas(body.replace("**", ""), index)  # **Alien** > Heat; **Alien**, Heat
    year = _YEAR.match(body[found.end() : found.end() + 40].lstrip())
    inside = mention_of(f"{found['inside']} {year[0]}" if year else found["inside"], index)
    if not inside.match and " > " in found["inside"] and (parts := _commas(found["inside"], index)):
        return parts  # **Alien > Heat**
    if not inside.match and (HEADING.search(found["inside"]) or mention_of(body, index).match):
        return None
    return [inside]


_CHAIN_BEHIND = re.compile(r"(?: \([^()\n]{1,60}\)| by [^\"“→<>\n]{2,60}?)?(?: (?P<sign>[<>→]) |, )")


def _years(body: str, index: TitleIndex) -> Mentions | None:
    """`A (1979) 4/5, B (1995) and C (1996)`, or one title with its year and a remark."""
    found: Mentions = []
    start, listing = 0, True
    for year in _YEAR.finditer(body):
        piece = body[start : year.end()].strip(" ,;=")
        mention = mention_of(piece, index)
        if not mention.match and start and (follows := mention_of(_FOLLOWS.sub("", piece), index)).match:
            mention = follows
        if not mention.match:
            goes_on = listing or (_IN_SEQUENCE.search(piece[:400]) and not _COMPARES.search(piece[:400]))
            cut = _cut_lead_in(piece, index) if goes_on else None
            if not cut and start and (not listing or piece[:1].islower()):
                break
            mention = cut or mention
        if not mention.match and not start and (parts := _beside(piece, index)):
            return parts  # `Alien - like The Thing (1982)`: the year belongs to another film
        if mention.match or not is_sentence(piece):
            found.append(mention)
        after = _AFTER_YEAR.match(body, year.end())
        start = after.end() if after else year.end()
        listing = bool(after and after["mark"])
    else:
        if start and listing:
            found += _last(body[start:].strip(), index)
    if start and not any(one.match for one in found):
        return _commas(body, index) or found  # Heat, Doom (2016), Alien
    return found if start else None


def _beside(piece: str, index: TitleIndex) -> Mentions | None:
    """Return the title before words that compare it with another title, or that name its author."""
    compares = _COMPARES.search(piece[:400]) or _AUTHOR.search(piece[:400])
    return with_remark(piece, index) if compares else None


def _last(rest: str, index: TitleIndex) -> Mentions:
    """Return the text after the last year of a list: a title without a year, or a truncated one."""
    mention = mention_of(rest, index)
    if not mention.match and (follows := mention_of(_FOLLOWS.sub("", rest), index)).match:
        mention = follows
    if mention.match:
        return [mention]
    breaks_off = rest.count("(") > rest.count(")")
    return with_remark(rest, index) or ([mention] if breaks_off else [])


def with_remark(body: str, index: TitleIndex) -> Mentions | None:
    """`Alien - a classic of its kind`: a title, and a remark that cannot be part of it."""
    for mark in reversed([*islice(_REMARK.finditer(body, 0, index.longest), _REMARKS)]):
        remark = body[mark.start() : mark.start() + 2000]
        closed = mark["closed"] or body[mark.start() - 1] in "*_"  # **Dune:** a classic; *Dune*, Frank Herbert
        alone = closed and not {*"*_"} & {*body[mark.end() :][:2000]}
        if dated := _DATED.match(remark):  # Alien: 1979, Ridley Scott
            mention = mention_of(f"{body[: mark.start()]} ({dated[1]})", index)
            if mention.match and not index.find(dated[1]) and mention_of(body[: mark.start()], index).match:
                return [mention._replace(text=body[: mark.start()])]
        in_characters = remark[0] in ".!?" and EAST_ASIAN_WORD.match(remark, 2) is not None
        if alone or in_characters or is_remark(remark) or any(one.match(remark) for one in (_EDITION, _AUTHOR, _ASIDE)):
            mention = mention_of(body[: mark.start()], index)
            if mention.match and (by := _BY.match(remark)) and index.is_by_another(mention.match, remark[by.end() :]):
                return None
            if mention.match and remark[0] == "," and _goes_on(remark[1:], index):
                return None  # Heat, Fargo, Alien (in this order)
            if mention.match and (sign := CHAINED.search(remark)):  # Dune by Frank Herbert > Emma by Jane Austen
                after = remark[sign.end() :].partition(sign[0])[0].strip(" *_")
                if mention_of(after, index).match or _cut_lead_in(after, index) or with_remark(after, index):
                    return None
            if mention.match:
                return [mention]
    return None


def _goes_on(rest: str, index: TitleIndex) -> bool:
    """Return whether a list of titles goes on behind a comma: the first of the pieces is a title, or two others are."""
    for separator in _SEPARATORS:
        pieces = separator.split(rest, _REMARKS)[:_REMARKS]
        are_titles = [mention_of(piece, index).match is not None for piece in pieces]
        if are_titles[0] or sum(are_titles) > 1:
            return True
    return False


_SEPARATORS = (re.compile(","), re.compile(r",|\b(?:and|und|et|y|e)\b"))
"""`Fargo, Heat, Alien`; then `Fargo, Heat and Alien, in this order`, since a title may contain `and`."""


_BY = re.compile(r"\W{0,3}by (?=[A-Z])")


def _commas(body: str, index: TitleIndex) -> Mentions | None:
    """`Alien, Heat, Good, the Bad and the Ugly, The`: two or more candidates between commas, longest match first."""
    marks = [mark.span() for mark in _COMMA.finditer(body)]
    if not marks:
        return None
    colon = body.rfind(": ", 0, _HEAD) + 2
    if colon < 2 or _begins(body, index) or not _begins(body[colon:], index) or index.named_in(body[:colon]):
        colon = 0  # but: In this order, best first: Fargo, Season 1 > Fargo, Season 2
    marks = [mark for mark in marks if mark[0] >= colon]
    starts = [colon, *(end for _, end in marks)]
    ends = [*(start for start, _ in marks), len(body)]
    ends_at = [*(at for at, (start, end) in enumerate(marks) if body[start:end].strip() in ("<", ">")), len(marks)]
    found: Mentions = []
    at = 0
    while at < len(starts):
        piece, until = body[starts[at] : ends[at]], at
        mention = Mention(bare(piece), None)
        if _begins(piece, index):
            for until in range(
                min(at + _MAX_PIECES, len(starts), ends_at[bisect_left(ends_at, at)] + 1) - 1, at - 1, -1
            ):
                longer, last = mention_of(body[starts[at] : ends[until]], index), body[starts[until] : ends[until]]
                several = until > at and _is_number(last) and mention_of(last, index).match  # Dune, 1984; Creep, One
                if longer.match and not several:
                    mention = longer
                    break
        if not mention.match:
            mention = _cut_lead_in(piece, index, tried=False) or (with_remark(piece, index) or [mention])[0]
        if mention.match or not is_remark(piece):
            found.append(mention)
        at = until + 1
    known = sum(mention.match is not None for mention in found)
    if known == 1 < len(found) <= _REMARKS:  # Alien 3, Search for Spock
        texts = [mention.text for mention in found if mention.match is None]
        known += all(index.recalled_by(text) is not None or index.nearest(text) for text in texts)
    chained = all(body[start:end].strip() in "<>" for start, end in marks)
    if not known and chained and len(found) <= _REMARKS and all(index.nearest(mention.text) for mention in found):
        return found  # Steel Cut Oats > Almond Butter, which have sizes in their titles
    return found if known >= 2 else None


_HEAD = 40
"""Maximum length of the words before a list in one line."""


def _is_number(text: str) -> bool:
    word = bare(text)
    return word.isdigit() or numeral_value(word) is not None


def _begins(piece: str, index: TitleIndex) -> bool:
    """Return whether any title begins with the first word of this text."""
    return index.begins_with(piece[:80].lstrip("*_\"'“").split(" ", 1)[0])


_ABROAD = word_set(
    "el la los las de del des du les le der die das und il lo gli di della e et y o os as da do van het een w z na i"
)
"""Words that show that a name is not English."""


def in_two_languages(body: str, index: TitleIndex) -> Mentions | None:
    """`Heat / Fuego contra fuego`, `《盗火线》 (Heat)`: one of the two names is a candidate's title."""
    found = _TRANSLATED.fullmatch(body)
    if found is None:
        return None
    if found["latin"]:  # 银翼杀手2049 Blade Runner 2049 (2017)
        latin = mention_of(found["latin"], index)
        return [latin] if latin.match else None
    if inner := found["inside"] or found["here"] or found["behind"]:
        inside = mention_of(inner, index)
        if found["behind"] and (not inside.match or mention_of(found["before"], index).match):
            return None
        letters = [*filter(str.isalpha, found["outside"] or found["abroad"] or found["before"])]
        foreign = 2 * sum(map(str.isascii, letters)) < len(letters)
        if found["behind"] and inside.match and _YEAR.search(inner):
            foreign = True  # La Vie des autres – The Lives of Others (2006)
        if found["outside"] and inside.match and " " in inner and not index.nearest(body):
            ours, theirs = ({*re.findall(r"\w+", text.casefold())} for text in (found["outside"], inner))
            telling = len(theirs) > 2 or not found["outside"].isascii() or not _ABROAD.isdisjoint(ours) or ours & theirs
            foreign = bool(telling) and len(ours) < 9  # Wiedźmin 3: Dziki Gon (The Witcher 3: Wild Hunt)
        return [inside] if foreign and (inside.match or (found["inside"] and is_title_like(inner))) else None
    one, other = mention_of(found["one"], index), mention_of(found["other"], index)
    if not one.match and not other.match:
        other = (with_remark(found["other"], index) or [other])[0]
    return None if bool(one.match) == bool(other.match) else [one if one.match else other]


ENTRY_FORMS = (
    EntryForm("several numbered titles", "1. Alien 2. Heat 3. Fargo", _inline_numbers),
    EntryForm("titles in quotation marks", '"Alien", "Heat" and "Fargo"', _quoted),
    EntryForm("a name and its translation", "《盗火线》 (Heat)", in_two_languages),
    EntryForm("a bold or quoted title and a remark", "**Alien** - a classic of horror", emphasised),
    EntryForm("titles with years", "Alien (1979), Heat (1995) and Fargo (1996)", _years),
    EntryForm("a title and a remark", "Alien - it is a classic", with_remark),
    EntryForm("titles separated by commas, `>`, `<` or `and`", "Alien > Heat > Fargo", _commas),
)
"""The ways in which an entry or a line may name items, in the order in which they are tried, each with an example."""


def after_lead_in(body: str, index: TitleIndex) -> Mentions:
    """`My top 3: Alien, Heat, Fargo`, `I think you would like Alien`: the titles after an introduction."""
    if cut := _cut_lead_in(body, index):
        return [cut]
    rests = (body[mark.end() :] for mark in islice(_LEAD_IN.finditer(body, 0, 200), _LEAD_INS))
    return next((parts for rest in rests if (parts := with_remark(rest, index))), [])


def _one(piece: str, index: TitleIndex) -> Mentions:
    whole = mention_of(piece, index)
    if whole.match:
        return [whole]
    for form in ENTRY_FORMS[1:]:
        if (parts := form.read(piece, index)) is not None:
            return parts
    return [whole] if is_title_like(piece) else []


def _cut_lead_in(piece: str, index: TitleIndex, *, tried: bool = True) -> Mention | None:
    """Return the title after words that introduce it, or before an ordinal. `tried`: the whole text is known not to
    match."""
    whole, piece = piece, _TRAILING_ORDINAL.sub("", piece) if len(piece) <= 80 else piece
    marks = islice(_LEAD_IN.finditer(piece, 0, 200), _LEAD_INS)
    rests = (piece[one.end() :] for one in marks if one[0][:4] != "and " or not _COMPARES.search(piece, 0, one.start()))
    mentions = (mention_of(rest, index) for rest in (rests if tried and piece == whole else chain((piece,), rests)))
    return next((mention for mention in mentions if mention.match), None)
