"""The places of an answer where an item is named, whatever the dressing of the list.

A text is read line by line, and a line as a whole first, because titles hold commas, quotes, colons, dashes and digits.
Only a line that is no title as a whole is taken apart, at the marks that the line itself sets: quotes, years, numbers,
commas. A part counts as a title outside the list only where the text shows that it is meant as one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from llmrank.answers.json_value import find_json, listed
from llmrank.answers.matching import Match, TitleIndex

_NUMBER = re.compile(r"[*_#\s]*(?:\(?#?\d{1,4}[.)](?=[\s*_\"'“‘\[]|[^\W\d])|\[\d{1,4}\][.:]?|\d{1,3}:(?=\s))\s*")
_BULLET = re.compile(r"\s*(?:[-–—•·▪►‣◦○●+>]|\*(?!\*))\s+")
_ONLY_NUMBER = re.compile(r"[\W_]*\d{1,4}[\W_]*$")
_INLINE_NUMBER = re.compile(r"(?:^|\s)\(?(\d{1,3})[.)]\s+")
_QUOTES = "\"“”„«»'‘’`"
_BETWEEN_QUOTES = re.compile(rf"[{_QUOTES}]\s*(?:[,;|>/]|→|\band\b)+\s*(?:and\s+)?[{_QUOTES}]|[\"”]\s+[\"“]")
_FIRST_QUOTE = re.compile(r"[\"“«`]|(?<!\w)['‘]")
_CLOSED = re.compile(r"^[\W_]*?(?:\*\*|__|[\"“«])(?P<inside>.+?)(?:\*\*|__|[\"”»])(?!\w)")
_YEAR = re.compile(r"[(\[](?:18|19|20)\d\d(?:\s?[-–]\s?\d{0,4})?[)\]]")
_AFTER_YEAR = re.compile(r"[\"'”’*_]*\s*(?:\d(?:\.\d)?\s*/\s*\d{1,2})?\s*(?P<mark>[,;|/>→&\t]+|\band\b)?\s*(?:and\s+)?")
_RATED = re.compile(r"(\((?:18|19|20)\d\d\))\s+\d(?:\.\d)?\s*/\s*\d{1,2}\W*$")
_COMMA = re.compile(r"\s*(?:[,;]\s+(?:and\s+|&\s+)?|\s\|\s|\s/\s|\s(?:>|→|≻|=>|->)\s|\s(?:and|&)\s)")
_REMARK = re.compile(r"\s+[-–—]+\s+|:\s+|\s+\(|[.!?]\s+|,\s+|\s+(?=because\b|since\b|which\b)|\s+(?=★|\d(?:\.\d)?/\d)")
_COMPARES = re.compile(r"\b(?:like|similar|reminiscent|because|since|than|loved|liked|enjoyed|watched|rated)\b")
_LEAD_IN = re.compile(
    r"\b(?:recommend(?:ing)?|suggest(?:ing)?|watch(?:ing)?|try(?:ing)?|picks?|choose|rank(?:ing|ed)?|starts? with"
    r"|begin with|followed by|then|first|next|is|are|be|include|including|also|and|output|answer|movies?|items?)\b:?\s+"
    r"|:\s+",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"^\s*(?:#|\*\*[^*]*:\*\*)|\b(?:here (?:are|is)|here['’]s|recommendations?|ranking|ranked (?:list|order)"
    r"|top[- ]?\d+|reordered|re-ranked|list of|candidates?)\b|[::]\W*$",
    re.IGNORECASE,
)
_CHATTER = re.compile(
    r"(?:sure|certainly|absolutely|of course|okay|ok|yes|no|great|thanks?|thank you|i hope|hope|enjoy|note|please"
    r"|let me|these|this|based on|output|answer|i['’]m sorry|i can['’]?t|i cannot|as an ai)\b",
    re.IGNORECASE,
)
_PARENTHESIS = re.compile(r"\([^()]*\)")
_PREPOSITIONS = frozenset(("from", "with", "into", "upon", "over"))
_FENCE = re.compile(r"```|~~~|-{3,}$|={3,}$|\*{3,}$")
_JOINS = 6
"""How many pieces between commas one title may span."""
_LEAD_INS = 8
_REMARKS = 12


@dataclass(frozen=True, slots=True)
class Mention:
    """A text that names an item, with what it matched exactly or after normalising (None: nothing)."""

    text: str
    match: Match | None


def mentions(text: str, index: TitleIndex) -> list[Mention]:
    """Return the Mentions in a text, in order. The time is linear in the length of the text."""
    if ("[" in text or "{" in text) and (names := listed(find_json(text))):
        found = [Mention(name, _find(index, name)) for name in names]
        if any(mention.match for mention in found) or (len(found) > 1 and not all(map(_is_number, names))):
            return found
    lines = [line for line in text.splitlines() if line.strip() and not _FENCE.match(line.strip())]
    numbered = any(_NUMBER.match(line) for line in lines)
    listed_lines = numbered or any(_BULLET.match(line) for line in lines)
    return [mention for line in lines for mention in _read_line(line.strip(), index, numbered, listed_lines)]


def _read_line(line: str, index: TitleIndex, numbered: bool, listed_lines: bool) -> list[Mention]:
    if match := index.exact(line):
        return [Mention(line, match)]
    if line.startswith("|"):
        return _row(line, index)
    bullet = _BULLET.match(line)
    whole = body = _RATED.sub(r"\1", line[bullet.end() :] if bullet else line)
    if match := index.exact(_bare(body)):
        return [Mention(_bare(body), match)]
    number = _NUMBER.match(body)
    body = body[number.end() :] if number else body
    if match := _find(index, body):
        return [Mention(_bare(body), match)]
    if number and index.begins_with(number[0]) and (match := _find(index, whole)):  # (500) Days of Summer
        return [Mention(_bare(body), match)]
    if not body or _ONLY_NUMBER.match(body):
        return []
    bulleted, counted = bullet is not None, number is not None
    if line.endswith(":") and not (bulleted or counted):
        return []  # what introduces the list may name what the user liked
    marked = counted or (bulleted and not numbered)
    for take_apart in (_inline_numbers, _quoted, _closed, _years, _remark, _commas):
        if (parts := take_apart(body, index)) is not None:
            return parts
    if not counted and (parts := _after_lead_in(body, index)):
        return parts
    is_title = (marked and not _is_sentence(body)) or (not listed_lines and _is_title_like(body))
    return [Mention(_bare(body), None)] if is_title else []


# --- ways in which a line holds more than one title, or a title and more; None: this is not how the line is made


def _inline_numbers(body: str, index: TitleIndex) -> list[Mention] | None:
    """`1. Alien 2. Heat 3. Fargo`, the first number already taken off."""
    starts: list[re.Match[str]] = []
    for found in _INLINE_NUMBER.finditer(body):
        if int(found[1]) == len(starts) + 2 and body.count("(", 0, found.start()) == body.count(")", 0, found.start()):
            starts.append(found)
    if not starts:
        return None
    cuts = [0, *(found.end() for found in starts)]
    ends = [*(found.start() for found in starts), len(body)]
    pieces = [body[start:end].strip() for start, end in zip(cuts, ends, strict=True)]
    parts = [mention for piece in pieces if piece for mention in _one(piece, index)]
    return parts if len(starts) > 1 or all(mention.match for mention in parts) else None


def _quoted(body: str, index: TitleIndex) -> list[Mention] | None:
    """`"A", "B" and "C"`, as PALR asks; quotes inside a title stay."""
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


def _closed(body: str, index: TitleIndex) -> list[Mention] | None:
    """`**Alien** - a classic`, `"Alien": a classic`."""
    found = _CLOSED.match(body)
    if not found:
        return None
    after = body[found.end() :]
    year = _YEAR.match(after.lstrip())
    inside = f"{found['inside']} {year[0]}" if year else found["inside"]
    if (match := _find(index, inside)) is None and _HEADING.search(inside):
        return None
    return [Mention(_bare(inside), match)]


def _years(body: str, index: TitleIndex) -> list[Mention] | None:
    """`A (1979) 4/5, B (1995) and C (1996)`, or one title with its year and what is said of it."""
    found: list[Mention] = []
    start, listing = 0, True
    for year in _YEAR.finditer(body):
        piece = body[start : year.end()].strip(" ,;")
        if number := _NUMBER.match(piece):
            piece = piece[number.end() :]
        match = _find(index, piece)
        if not match and start and (not listing or piece[:1].islower()):
            cut = _cut_lead_in(piece, index) if listing else None
            if cut is None:
                break
            piece, match = cut.text, cut.match
        elif not match and (cut := _cut_lead_in(piece, index)):
            piece, match = cut.text, cut.match
        if not match and not start and _COMPARES.search(piece) and (parts := _remark(piece, index)):
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


def _last(rest: str, index: TitleIndex) -> list[Mention]:
    """Return what stands behind the last year of a list: a title without one, or one in which the answer breaks off."""
    if match := _find(index, rest):
        return [Mention(_bare(rest), match)]
    breaks_off = rest.count("(") > rest.count(")")
    return _remark(rest, index) or ([Mention(rest, None)] if breaks_off else [])


def _remark(body: str, index: TitleIndex) -> list[Mention] | None:
    """`Alien - a classic of its kind`: a title, and a remark that cannot be a part of a title."""
    marks = list(_first(_REMARK.finditer(body, 0, index.longest), _REMARKS))
    for mark in reversed(marks):
        if _is_remark(body[mark.start() :]) and (match := _find(index, body[: mark.start()])):
            return [Mention(_bare(body[: mark.start()]), match)]
    return None


def _commas(body: str, index: TitleIndex) -> list[Mention] | None:
    """`Alien, Heat, Good, the Bad and the Ugly, The`: at least two candidates between commas, the longest first."""
    marks = list(_COMMA.finditer(body))
    if not marks:
        return None
    starts = [0, *(mark.end() for mark in marks)]
    ends = [*(mark.start() for mark in marks), len(body)]
    found: list[Mention] = []
    at = 0
    while at < len(starts):
        until, match = at, None
        word = body[starts[at] : ends[at]].split(" ", 1)[0]
        if index.begins_with(word):
            for until in range(min(at + _JOINS, len(starts)) - 1, at - 1, -1):
                if match := _find(index, body[starts[at] : ends[until]]):
                    break
        piece = body[starts[at] : ends[until]]
        if match is None and at == 0 and (cut := _cut_lead_in(piece, index)):
            piece, match = cut.text, cut.match
        if match or not _is_remark(piece):
            found.append(Mention(_bare(piece), match))
        at = until + 1
    return found if sum(mention.match is not None for mention in found) >= 2 else None


def _after_lead_in(body: str, index: TitleIndex) -> list[Mention] | None:
    """`My top 3: Alien, Heat, Fargo`, `I think you would like Alien`: what follows the words that introduce it."""
    if ": " in body[:200] and _HEADING.search(body[: body.index(": ")]):
        rest = body[body.index(": ") + 2 :].strip()
        if rest and (parts := _one(rest, index)):
            return parts
    cut = _cut_lead_in(body, index)
    return [cut] if cut else None


def _row(line: str, index: TitleIndex) -> list[Mention]:
    """A row of a Markdown table: the first cell that is a candidate, else the one that ends in a year."""
    cells = [cell for text in line.split("|")[:12] if (cell := text.strip())]
    for cell in cells:
        if match := _find(index, cell):
            return [Mention(_bare(cell), match)]
    return [Mention(_bare(cell), None) for cell in cells if _YEAR.search(cell[-8:])][:1]


def _one(piece: str, index: TitleIndex) -> list[Mention]:
    if match := _find(index, piece):
        return [Mention(_bare(piece), match)]
    for take_apart in (_quoted, _closed, _years, _remark, _commas):
        if (parts := take_apart(piece, index)) is not None:
            return parts
    return [Mention(_bare(piece), None)] if _is_title_like(piece) else []


def _cut_lead_in(piece: str, index: TitleIndex) -> Mention | None:
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


def _is_number(text: str) -> bool:
    return text.strip().isdigit()


def _content_words(text: str) -> list[str]:
    words = _PARENTHESIS.sub(" ", text[:400]).split()
    return [word for word in words if len(word) > 3 and word[0].isalpha() and word not in _PREPOSITIONS]


def _is_sentence(text: str) -> bool:
    """Return whether the text is prose: five words or more, half of the longer ones (two at least) in lower case."""
    words = _content_words(text)
    return len(text.split(maxsplit=6)) >= 5 and 2 * sum(word[0].islower() for word in words) >= max(4, len(words))


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
