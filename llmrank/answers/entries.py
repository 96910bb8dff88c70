"""Stage 5 for titles: the items that an entry of a list, a cell, or a line of text names.

An entry is looked up as a whole first, because titles hold commas, quotes, colons, dashes and digits. Only an entry
that
is no title as a whole is taken apart, at the marks that it sets itself (see `DRESSINGS`). A part counts as a title
outside the list only where the text shows that it is meant as one.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from llmrank.answers.blocks import Block, Line
from llmrank.answers.choosing import Listing, Mention, Numbers, by_number, directed, gather
from llmrank.answers.matching import Match, TitleIndex

Mentions = list[Mention]

_QUOTES = "\"“”„«»'‘’`"
_ONLY_NUMBER = re.compile(r"[\W_]*+(?:\d{1,4}[\W_]*+)?")
_INLINE_NUMBER = re.compile(r"(?:^|[\s,;|])[(\[]?#?(\d{1,3})[.):\]]{1,2}\s?")
_BETWEEN_QUOTES = re.compile(
    rf"[{_QUOTES}] ?(?:(?:[,;|></→]|\b(?:and|und|et|y|e|en|i|и)\b) ?){{1,3}}[{_QUOTES}]|[\"”] ?[\"“]"
)
_OPENED = re.compile(r"\{ ?[\"']\w{1,30}[\"'] ?: ?\[ ?[\"']")
"""JSON that breaks off."""
_FIRST_QUOTE = re.compile(r"[\"“„«`]|(?<!\w)['‘]")
_CLOSED = re.compile(r"[\W_]{0,6}?(?:\*\*|__|[\"“„«])(?P<inside>[^\n]{1,300}?)(?:\*\*|__|[\"”“»])(?!\w)")
_YEAR = re.compile(r"[(\[](?:18|19|20)\d\d(?: ?[-–] ?\d{0,4})?[)\]]")
_AFTER_YEAR = re.compile(
    r"[\"'”’*_]{0,4}+ ?(?:\d(?:\.\d)? ?/ ?\d{1,2})? ?(?P<mark>[,;|/><→&\t]{1,4}+|\b(?:and|und|et|y)\b)? ?(?:and )?"
)
_RATED = re.compile(r"(\((?:18|19|20)\d\d\)) \d(?:\.\d)? ?/ ?\d{1,2}\W{0,4}$")
_COMMA = re.compile(
    r" ?(?:[,;] (?:and |& )?| \| | / | (?:>|<|→|=>|->) |(?<=[\w)\]*\"])[><](?=[\w*\"])| (?:and|&|und|et|y) )"
)
_REMARK = re.compile(
    r" [-–—]{1,3} |: | \(|[.!?] |, | (?=(?:because|since|which|is|was|would|has|scores?|for its?|due to)\b)"
    r"| (?=[★⭐]|\d(?:\.\d)?/\d)"
)
_EDITION = re.compile(
    r"[ :,(–—-]{1,5}(?:the )?(?:director['’]s cut|(?:extended|special|theatrical|final|original|uncut|remastered"
    r"|criterion)"
    r"(?: (?:edition|version|cut|collection))?)\W{0,3}$",
    re.IGNORECASE,
)
_COMPARES = re.compile(r"\b(?:like|similar|reminiscent|because|since|than|loved|liked|enjoyed|watched|rated)\b")
_LEAD_IN = re.compile(
    r"\b(?:recommend(?:ing)?|suggest(?:ing)?|watch(?:ing)?|try(?:ing)?|picks?|choose|rank(?:ing|ed)?|starts? with"
    r"|begin with|followed by|then|first|next|finally|lastly|second|third|last|is|are|be|include|including|also"
    r"|and|output"
    r"|answer|movies?|items?|put|place|would be):? |: ",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"^(?:#|\*\*[^*:\n]{0,100}:\*\*)|\b(?:here (?:are|is)|here['’]s|recommendations?|ranking|ranked (?:list|order)"
    r"|top[- ]?\d+|reordered|re-ranked|list of|candidates?)\b|:\W{0,6}$",
    re.IGNORECASE,
)
_CHATTER = re.compile(
    r"(?:sure|certainly|absolutely|of course|okay|ok|yes|no|great|thanks?|thank you|i hope|hope|enjoy|note|please"
    r"|let me|these|this|based on|output|answer|i['’]m sorry|i can['’]?t|i cannot|as an ai|error|http)\b",
    re.IGNORECASE,
)
_RECOMMENDS = re.compile(
    r"\b(?:recommend|suggest|would (?:pick|choose|watch|rank|put|go with|enjoy|like|love|start|be)|['’]d (?:pick"
    r"|choose|watch|rank"
    r"|put|go with|start|say)|my (?:top|pick|choice|answer|ranking)|best|top (?:pick|choice)|should (?:watch|try"
    r"|see)|rank|start with"
    r"|followed by|order is|picks?|choose|answer|empfehl|würde|recommand|recomiend|recomend|consigli|output|try"
    r"|рекоменд)",
    re.IGNORECASE,
)
_DECLINES = re.compile(
    r"\b(?:not|n['’]t|never|avoid|skip|unlike|except|instead|rather than|cannot|sorry|unable|nicht|pas|keine?"
    r"|não|niet|не"
    r"|because you|since you|you (?:liked|loved|watched|enjoyed|rated)|the user (?:liked|loved|watched|enjoyed"
    r"|rated)|error"
    r"|before|after|worse|better than|do you|would you like me|want me)\b|\?\W{0,3}$",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"[\W_]{0,6}(?:\((?:18|19|20)\d\d\)[\W_]{0,4})?(?:is|was|are|would|has|have|seems?|looks?|might|may|could|should|will|isn['’]t"
    r"|does|did|can|fits?|ist|wäre|est|serait|es|sería|é|è)\b"
)
_TWO_PARTS = re.compile(r" (?:[-–—→|]|->|=>|--) ")
_TRAILING_ORDINAL = re.compile(r" (?:first|second|third|next|last|too|as well|afterwards)[.!]?$")
_SCORED = re.compile(
    r"(?:[:=–—|-] ?|\(|→ ?)(?:[Ss]core|[Rr]ating|[Rr]elevance|[Rr]ank(?:ed)?|[Pp]osition|[Pp]lace)?[ :#]{0,3}"
    r"(?P<value>-?\d{1,3}(?:[.,]\d{1,6})? ?(?:%|/ ?\d{1,3}|out of \d{1,3})?)(?P<ordinal>st|nd|rd|th)?"
    r"(?: ?(?:points?|pts|stars?|place))?[)\]*_.]{0,4}$"
)
_SAYS_RANK = re.compile(r"\b(?:rank(?:ed)?|position|place)\b|\d(?:st|nd|rd|th)\b", re.I)
_PARENTHESIS = re.compile(r"\([^()]{0,200}\)")
_PREPOSITIONS = frozenset(("from", "with", "into", "upon", "over"))
_JOINS = 6
"""How many pieces between commas one title may span."""
_LEAD_INS = 8
_REMARKS = 12


class Dressing(NamedTuple):
    """One way in which an entry holds more than one title, or a title and more."""

    name: str
    example: str
    read: Callable[[str, TitleIndex], Mentions | None]
    """Returns None where the entry is not made so."""


def titles_of(blocks: Sequence[Block], index: TitleIndex) -> list[Listing]:
    """Return the listings of titles that the blocks of an answer hold, in order."""
    listed = any(block.kind != "text" and len(block.lines) + len(block.rows) > 1 for block in blocks)
    return gather(
        _alike(blocks),
        lambda line: _text_line(line, index, listed),
        lambda lines: _list(lines, index),
        lambda text, line: title_in_cell(text, index, line),
    )


def _alike(blocks: Sequence[Block]) -> list[Block]:
    """Return the blocks with lines of text that are all in two parts, or all scored, as one list."""
    found: list[Block] = []
    shape = ""
    for block in blocks:
        text = block.lines[0].text if block.kind == "text" else ""
        now = ""
        if text and any(map(str.isdigit, text[-4:])) and not (text[-1] == ")" and text[-5:-1].isdigit()):
            now = "scored" if _SCORED.search(text[-40:]) else ""
        if not now and (" - " in text or not text.isascii() or ">" in text or "|" in text):
            now = "parts" if _TWO_PARTS.search(text[:400]) else ""
        if now and now == shape:
            if found[-1].kind == "text":
                found[-1] = Block("list", [*found[-1].lines])
            found[-1].lines += block.lines
        else:
            found.append(block)
        shape = now
    return found


# --- lists


def _list(lines: list[Line], index: TitleIndex) -> Listing:
    first = lines[0]
    counted = [line.value for line in lines if line.kind == first.kind and line.indent <= first.indent]
    if first.kind in ("letter", "roman") and (len(counted) < 2 or counted[:2] not in ([1, 2], [2, 1])):
        falls = len(counted) > 1 and all(
            one is not None and two is not None and one == two + 1 for one, two in itertools.pairwise(counted)
        )
        if not falls:
            entries = [line for line in lines if line.indent <= first.indent]
            mentions = [one for line in entries for one in _entry(line, line.text, index, marked=False)]
            return Listing(mentions)
    if any(line.kind == "roman" and line.value == 2 for line in lines):
        counted = []  # `I.` may be a letter or a numeral: the order is that of the lines
    entries = [
        line for line in lines if (line.indent <= first.indent and _is_level(line, first)) or _is_title(line, index)
    ]
    found = [_entry(line, line.body, index, marked=True) for line in entries]
    if not any(one.match for mentions in found for one in mentions):
        taken = {line.number for line in entries}
        inner = [line for line in lines if line.number not in taken and line.kind != "none"]
        deeper = [_entry(line, line.body, index, marked=True) for line in inner]
        if any(one.match for mentions in deeper for one in mentions):
            entries, found = inner, deeper
    found = _two_part_lines(entries, found, index)
    listing = Listing([one for mentions in found for one in mentions])
    values = tuple(line.value for line in entries if line.value is not None)
    if len(values) == len(entries) and all(len(mentions) == 1 for mentions in found):
        whole = any(mentions[0].text == line.text for line, mentions in zip(entries, found, strict=True))
        if not whole:
            directed(listing, Numbers(values, first.kind == "rank"))
    elif not values:
        _scored([line.body for line in entries], found, listing)
    return listing


def _is_level(line: Line, first: Line) -> bool:
    """Return whether a line is an entry as the first one is, and no remark below an entry."""
    return line.kind == first.kind or line.kind not in ("none", "bullet")


def _is_title(line: Line, index: TitleIndex) -> bool:
    return line.kind == "none" and index.exact(line.text) is not None


def _scored(bodies: list[str], found: list[Mentions], listing: Listing) -> None:
    """Order the entries by the scores or ranks behind the titles, where each has one and they decide."""
    if len(found) < 2 or not all(len(mentions) == 1 and mentions[0].match for mentions in found):
        return
    scores = [_SCORED.search(body[-40:]) for body in bodies]
    texts = [score["value"] for score in scores if score]
    if len(texts) < len(bodies) or len(set(texts)) == 1:
        return
    ranks = all(_SAYS_RANK.search(body[-40:]) for body in bodies)
    rated = all("/" in text or "out" in text for text in texts) and len(set(texts)) < len(texts)
    if (
        rated or not all(score and bodies[at][-40:][: score.start()].strip() for at, score in enumerate(scores))
    ) and not ranks:
        return
    order = by_number(texts, "rank" if ranks else "")
    if order is None:
        listing.ambiguous = True
    else:
        listing.mentions = [mention for at in order for mention in found[at]]
        listing.ordered = True


def _two_part_lines(lines: list[Line], found: list[Mentions], index: TitleIndex) -> list[Mentions]:
    """Read `Casablanca - Fargo` where all lines are made so: the candidate stands on one side, whichever it is."""
    if all(len(mentions) == 1 and mentions[0].match for mentions in found):
        return found
    halves: list[tuple[Mention, Mention] | None] = []
    for line in lines:
        mark = _TWO_PARTS.search(line.body[: 2 * index.longest])
        if mark is None:
            halves.append(None)
            continue
        parts = line.body[: mark.start()], line.body[mark.end() :]
        left, right = (Mention(_bare(part), _find(index, part), line.number) for part in parts)
        halves.append((left, right))
    sides = [sum(half is not None and half[side].match is not None for half in halves) for side in (0, 1)]
    if max(sides) < min(2, len(lines)) or (min(sides) and max(sides) < len(lines)):
        return found
    side = sides.index(max(sides))
    if sides[0] == sides[1]:
        return found
    return [
        [half[side]] if half and half[side].match else mentions for half, mentions in zip(halves, found, strict=True)
    ]


# --- entries, lines of text, cells


def _entry(line: Line, body: str, index: TitleIndex, *, marked: bool) -> Mentions:
    """Return what one line of a list names."""
    found = _read(line, body, index, marked)
    return [Mention(one.text, one.match, line.number) for one in found]


def _read(line: Line, body: str, index: TitleIndex, marked: bool) -> Mentions:
    if match := index.exact(line.text):
        return [Mention(line.text, match)]
    if match := index.exact(body):
        return [Mention(body, match)]
    body = _RATED.sub(r"\1", body[-400:]) if "/" in body[-12:] and len(body) <= 400 else body
    if match := _find(index, body):
        return [Mention(_bare(body), match)]
    if line.value is not None:
        whole = line.text.lstrip("-–—•·*_#> ")
        if whole and index.begins_with(whole.split(maxsplit=1)[0]) and (match := _find(index, whole)):
            return [Mention(_bare(whole), match)]  # (500) Days of Summer
    if not body or _ONLY_NUMBER.fullmatch(body):
        return []
    for dressing in DRESSINGS:
        if (parts := dressing.read(body, index)) is not None:
            return parts
    if line.value is None and (parts := _after_lead_in(body, index)):
        return parts
    return [Mention(_bare(body), None)] if marked and not _is_sentence(body) and not _LEFT_OPEN.search(body) else []


_LEFT_OPEN = re.compile(r":\W{0,3}$")


def _text_line(line: Line, index: TitleIndex, listed: bool) -> Listing | None:
    """Return what a line that is no entry of a list names, None if nothing: `weak` where it stands in a sentence."""
    text = line.text
    if match := index.exact(text):
        return Listing([Mention(text, match, line.number)])
    if text.endswith(":"):
        return None  # what introduces the list may name what the user liked
    head = ""
    if (
        ". " in text and len(text) < 600 and text.count(", ") < 6 and _DECLINES.search(text)
    ):  # I recommend Heat. I do not recommend Fargo.
        text = " ".join(one for one in re.split(r"(?<=[.!?]) ", text) if not _DECLINES.search(one))
        line = Line(line.number, text, body=text)
    found = _read(line, text, index, marked=False)
    if not found and (mark := _last_colon(text)):
        rest = Line(line.number, text[mark:].strip(), body=text[mark:].strip())
        found, head = _read(rest, rest.text, index, marked=False), text[:mark]
    if not found:
        is_title = not listed and _is_title_like(text)
        return Listing([Mention(_bare(text), None, line.number)]) if is_title else None
    mentions = [Mention(one.text, one.match, line.number) for one in found]
    listing = Listing(mentions, head)
    gaps, before, after = _around(text, mentions)
    listing.falling, listing.ambiguous = _falls(gaps)
    if not head and len(mentions) > 1:
        _scored(_pieces(text, mentions), [[one] for one in mentions], listing)
    letters = sum(map(str.isalpha, before))
    colon = before.rstrip(" \"'“„«*_[").endswith(":") or before.rstrip().endswith((":", ">"))
    if letters and not head:
        listing.intro = before
    if not any(one.match for one in mentions):
        return None if listed and (letters > 3 or _is_sentence(text)) else listing
    sentence = (letters > 3 and not head and not colon) or (not letters and _VERB.match(after) is not None)
    if sentence:
        listing.weak = True
        if _DECLINES.search(text[:2000]) or not _RECOMMENDS.search(text[:2000]):
            return None
    elif colon and _DECLINES.search(before[-80:]) and not head and _CHATTER.match(before):
        return None
    return listing


def _last_colon(text: str) -> int:
    at = text.find(": ", 0, 400)
    if at < 0:
        return 0
    further = text.rfind(": ", at, 400)
    return max(at, further) + 2


def _around(text: str, mentions: Mentions) -> tuple[list[str], str, str]:
    """Return what stands between the mentions, before the first, and after it."""
    gaps: list[str] = []
    at, before, after = 0, "", ""
    for number, mention in enumerate(mentions):
        found = text.find(mention.text, at)
        if found < 0:
            continue
        if number:
            gaps.append(text[at:found])
        else:
            before, after = text[:found], text[found + len(mention.text) :][:100]
        at = found + len(mention.text)
    return (gaps if gaps else [*gaps, text[at:]]), before, after


def _pieces(text: str, mentions: Mentions) -> list[str]:
    """Return the text in pieces, each from the end of the one before to the next title."""
    cuts: list[int] = []
    at = 0
    for mention in mentions:
        found = text.find(mention.text, at)
        if found < 0:
            return []
        cuts.append(found)
        at = found + len(mention.text)
    ends = [*cuts[1:], len(text)]
    return [text[start:end].strip(" ,;|.") for start, end in zip(cuts, ends, strict=True)]


def _falls(gaps: list[str]) -> tuple[bool, bool]:
    """Return whether `<` stands between the entries, and whether `<` and `>` both do."""
    less, more = any("<" in gap for gap in gaps), any(">" in gap for gap in gaps)
    return less and not more, less and more


def title_in_cell(text: str, index: TitleIndex, line: int) -> Mentions:
    """Return the title in a cell of a table or a JSON value."""
    if not text or text.replace(".", "").isdigit():
        match = index.exact(text)
        return [Mention(text, match, line)] if match else []
    if match := _find(index, text):
        return [Mention(_bare(text), match, line)]
    for read in (_closed, _remark):
        if parts := read(text, index):
            return [Mention(parts[0].text, parts[0].match, line)]
    return [Mention(_bare(text), None, line)] if any(map(str.isalpha, text)) else []


# --- ways in which an entry holds more than one title, or a title and more; None: this is not how it is made


def _inline_numbers(body: str, index: TitleIndex) -> Mentions | None:
    """`Alien 2. Heat 3. Fargo`, the first number perhaps already taken off."""
    starts: list[re.Match[str]] = []
    depth = at = 0
    first = _INLINE_NUMBER.match(body)
    skipped = 1 if first is None or first[1] != "1" else 0
    for found in _INLINE_NUMBER.finditer(body):
        depth += body.count("(", at, found.start()) - body.count(")", at, found.start())
        at = found.end()
        if int(found[1]) == len(starts) + 1 + skipped and depth == 0:
            starts.append(found)
    if len(starts) < 2 - skipped:
        return None
    cuts = [*([0] if skipped else []), *(found.end() for found in starts)]
    ends = [*(found.start() for found in starts[0 if skipped else 1 :]), len(body)]
    pieces = [body[start:end].strip(" ,;|") for start, end in zip(cuts, ends, strict=True)]
    parts = [mention for piece in pieces if piece for mention in _one(piece, index)]
    return parts if parts and (len(starts) > 1 or all(mention.match for mention in parts)) else None


def _quoted(body: str, index: TitleIndex) -> Mentions | None:
    """`"A", "B" and "C"`, as PALR asks; quotes inside a title stay."""
    if opened := _OPENED.match(body):
        body = body[opened.end() - 1 :]
    if len(body) < 4 or not _BETWEEN_QUOTES.search(body):
        return None
    first = _FIRST_QUOTE.search(body)
    start = first.end() if first else 0
    end = len(body)
    last = max(body.rfind(quote) for quote in _QUOTES)
    if last > start and _is_remark(body[last + 1 :]):
        end = last
    return [
        Mention(piece, _find(index, piece))
        for text in _BETWEEN_QUOTES.split(body[start:end])
        if (piece := text.strip(" ,;[]")) and any(map(str.isalnum, piece))
    ]


def _closed(body: str, index: TitleIndex) -> Mentions | None:
    """`**Alien** - a classic`, `"Alien": a classic`."""
    found = _CLOSED.match(body)
    if not found:
        return None
    after = body[found.end() : found.end() + 40]
    year = _YEAR.match(after.lstrip())
    inside = f"{found['inside']} {year[0]}" if year else found["inside"]
    if (match := _find(index, inside)) is None and (_HEADING.search(inside) or _find(index, body)):
        return None
    return [Mention(_bare(inside), match)]


def _years(body: str, index: TitleIndex) -> Mentions | None:
    """`A (1979) 4/5, B (1995) and C (1996)`, or one title with its year and what is said of it."""
    found: Mentions = []
    start, listing = 0, True
    for year in _YEAR.finditer(body):
        piece = body[start : year.end()].strip(" ,;")
        match = _find(index, piece)
        if not match and start and (not listing or piece[:1].islower()):
            cut = _cut_lead_in(piece, index) if listing else None
            if cut is None:
                break
            piece, match = cut.text, cut.match
        elif not match and (cut := _cut_lead_in(piece, index)):
            piece, match = cut.text, cut.match
        if not match and not start and _COMPARES.search(piece[:400]) and (parts := _remark(piece, index)):
            return parts  # `Alien - like The Thing (1982)`: the year is another film's
        if match or not _is_sentence(piece):
            found.append(Mention(_bare(piece), match))
        after = _AFTER_YEAR.match(body, year.end())
        start = after.end() if after else year.end()
        listing = bool(after and after["mark"])
    else:
        if start and listing:
            found += _last(body[start:].strip(), index)
    return found if start else None


def _last(rest: str, index: TitleIndex) -> Mentions:
    """Return what stands behind the last year of a list: a title without one, or one in which the answer breaks off."""
    if match := _find(index, rest):
        return [Mention(_bare(rest), match)]
    breaks_off = rest.count("(") > rest.count(")")
    return _remark(rest, index) or ([Mention(rest, None)] if breaks_off else [])


def _remark(body: str, index: TitleIndex) -> Mentions | None:
    """`Alien - a classic of its kind`: a title, and a remark that cannot be a part of a title."""
    marks = list(_first(_REMARK.finditer(body, 0, index.longest), _REMARKS))
    for mark in reversed(marks):
        said = body[mark.start() : mark.start() + 2000]
        if (_is_remark(said) or _EDITION.match(said)) and (match := _find(index, body[: mark.start()])):
            return [Mention(_bare(body[: mark.start()]), match)]
    return None


def _commas(body: str, index: TitleIndex) -> Mentions | None:
    """`Alien, Heat, Good, the Bad and the Ugly, The`: at least two candidates between commas, the longest first."""
    marks = list(_COMMA.finditer(body))
    if not marks:
        return None
    starts = [0, *(mark.end() for mark in marks)]
    ends = [*(mark.start() for mark in marks), len(body)]
    found: Mentions = []
    at = 0
    while at < len(starts):
        until, match = at, None
        word = body[starts[at] : min(ends[at], starts[at] + 80)].split(" ", 1)[0]
        if index.begins_with(word):
            for until in range(min(at + _JOINS, len(starts)) - 1, at - 1, -1):
                if match := _find(index, body[starts[at] : ends[until]]):
                    break
        piece = body[starts[at] : ends[until]]
        if match is None and (cut := _cut_lead_in(piece, index)):
            piece, match = cut.text, cut.match
        if match is None and (parts := _remark(piece, index)):
            piece, match = parts[0].text, parts[0].match
        if match or not _is_remark(piece):
            found.append(Mention(_bare(piece), match))
        at = until + 1
    return found if sum(mention.match is not None for mention in found) >= 2 else None


DRESSINGS = (
    Dressing("numbers in a line", "1. Alien 2. Heat 3. Fargo", _inline_numbers),
    Dressing("quotation marks", '"Alien", "Heat" and "Fargo"', _quoted),
    Dressing("bold or quoted, with a remark", "**Alien** - a classic of horror", _closed),
    Dressing("years", "Alien (1979), Heat (1995) and Fargo (1996)", _years),
    Dressing("a remark", "Alien - it is a classic", _remark),
    Dressing("commas, `>`, `<` or `and`", "Alien > Heat > Fargo", _commas),
)
"""How an entry or a line may name items, in the order in which it is tried, with an example of each."""


def _after_lead_in(body: str, index: TitleIndex) -> Mentions | None:
    """`My top 3: Alien, Heat, Fargo`, `I think you would like Alien`: what follows the words that introduce it."""
    if ": " in body[:200] and _HEADING.search(body[: body.index(": ")]):
        rest = body[body.index(": ") + 2 :].strip()
        if rest and (parts := _one(rest, index)):
            return parts
    cut = _cut_lead_in(body, index)
    return [cut] if cut else None


def _one(piece: str, index: TitleIndex) -> Mentions:
    if match := _find(index, piece):
        return [Mention(_bare(piece), match)]
    for dressing in DRESSINGS[1:]:
        if (parts := dressing.read(piece, index)) is not None:
            return parts
    return [Mention(_bare(piece), None)] if _is_title_like(piece) else []


def _cut_lead_in(piece: str, index: TitleIndex) -> Mention | None:
    plain = _TRAILING_ORDINAL.sub("", piece[-80:]) if len(piece) > 80 else _TRAILING_ORDINAL.sub("", piece)
    if len(piece) <= 80:
        piece = plain
    if (match := _find(index, piece)) is not None:
        return Mention(_bare(piece), match)
    for mark in _first(_LEAD_IN.finditer(piece, 0, 200), _LEAD_INS):
        rest = piece[mark.end() :]
        if match := _find(index, rest):
            return Mention(_bare(rest), match)
    return None


# --- what a piece of text is


def _find(index: TitleIndex, text: str) -> Match | None:
    return index.exact(text) or index.find(_bare(text))


def _bare(text: str) -> str:
    """Return the text without emphasis and the quotes around it."""
    return text.strip(' \t*_`"“”„«»,;[]').strip("'‘’ ") if text else text


def _content_words(text: str) -> list[str]:
    words = _PARENTHESIS.sub(" ", text[:400]).split()
    return [word for word in words if len(word) > 3 and word[0].isalpha() and word not in _PREPOSITIONS]


def _is_sentence(text: str) -> bool:
    """Return whether the text is prose: five words or more, half of the longer ones (two at least) in lower case."""
    words = _content_words(text)
    return len(text[:400].split(maxsplit=6)) >= 5 and 2 * sum(word[0].islower() for word in words) >= max(4, len(words))


def _is_remark(text: str) -> bool:
    """Return whether the text is a remark on a title: no letters, or words in lower case as no title has them."""
    text = text.strip(" -–—:,.;()\t*_")
    if not any(map(str.isalpha, text[:400])):
        return True
    words = _content_words(text)
    lower = sum(word[0].islower() for word in words)
    return lower >= 1 and 2 * lower >= len(words) and (text[0].islower() or lower >= 2 or text.endswith("."))


def _is_title_like(text: str) -> bool:
    """Return whether an unmarked line with no candidate in it is meant as a title."""
    plain = _bare(text)
    return (
        0 < len(plain) <= 200
        and any(map(str.isalpha, plain))
        and not _HEADING.search(text[:200])
        and not _CHATTER.match(plain)
        and not _is_sentence(plain)
    )


def _first(found: Iterator[re.Match[str]], limit: int) -> Iterator[re.Match[str]]:
    return (match for _, match in zip(range(limit), found, strict=False))
