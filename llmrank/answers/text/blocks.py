"""Stage 2: split a normalised answer into blocks: lists, tables, JSON values, and lines of text.

Models write rankings as numbered lists, tables, CSV, JSON, or records of `Key: value` lines. This stage recognises
these shapes and turns each into one `Block`, so that later stages need not care about the notation. It knows nothing
about the candidates: a block only holds the text of its entries, with their numbers if they have any. `NOTATIONS` lists
the markers that begin a list entry; `split` does the work.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any, Literal, NamedTuple, cast

from llmrank.answers.text.normalise import HAN, ORDINALS, Pattern, caseless, decoded, folded, single_spaced

Kind = Literal["number", "bracket", "bullet", "letter", "roman", "rank", "none"]


class Notation(NamedTuple):
    """One way to mark the entries of a list."""

    kind: Kind
    name: str
    pattern: Pattern
    """Matches at the beginning of a line; group 1 is the number."""
    example: str


_DRESS = r"[*_#\s>~]*+"
CARDINALS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
RANK_NOUN = (
    r"rank(?:ed)?|position|place|platz|rang|puesto|posición|lugar|posto|posizione|posição|место|plaats|miejsce|sıra"
)
"""Words for a rank, before or after an entry."""
_RANK_WORD = rf"{RANK_NOUN}|ranking|top|pick|choice|順位|名次|第"
_LED = r"(?:(?:und|and|et|y|e) )?(?:(?:auf|at|in|en|au|al|em) )?"
"""Small words before a rank: `und auf Platz 2`"""
_NUMBER_STARTS = frozenset(("nu", "nr", "no", "Nu", "Nr", "No"))

NOTATIONS = (
    Notation("rank", "a word for the rank", caseless(
        rf"{_DRESS}{_LED}(?:{_RANK_WORD})[ _]?#?(\d{{1,4}})(?: ?[位名])?\W{{0,4}}(?:[:.)=→>|-]|[位名]|\s)[*_\s]*+"
        r"(?:(?:goes to|geht an|is|ist|est|es) (?=\S))?"), "Rank 1: Heat"),
    Notation("rank", "an ordinal number", caseless(
        rf"{_DRESS}(\d{{1,3}})(?:st|nd|rd|th|\.?[ºª°]|[eè]?re|[eè](?:r|me)?|-?[еяй])(?: (?:{_RANK_WORD}"
        rf"|choix))?[*_]*+"
        r" ?(?:[:.)=→,]|[-–—])[*_\s]*+|[*_]*+(\d{1,3})\.?[ºª°](?=\s)[*_\s]*+"), "1st: Heat"),
    Notation("rank", "an ordinal number in words", caseless(
        rf"{_DRESS}(?:(?:and|then|coming|comes|in|at|my) ){{0,3}}({'|'.join(ORDINALS)})"
        r"(?: (?:place|choice|pick|rank|position))?[*_]*+ ?(?:[:.)=→,]|[-–—]|(?:is|goes to|comes|would be|belongs to"
        r"|i(?:['’]d| would)? (?:put|place|pick|choose|rank))\b)[*_\s]*+"), "First: Heat"),
    Notation("bracket", "a number in square brackets", re.compile(
        rf"{_DRESS}\[(\d{{1,4}})[位名]?\](?: ?[.:)-])?[*_\s]*+"), "[1] Heat"),
    Notation("number", "a number", re.compile(
        rf"{_DRESS}(?!\(\d{{3}})(?:\(?#?(\d{{1,3}})(?:[-–]\d{{1,4}}(?=[.)]))?[*_]*+"
        rf"(?:(?:\.?\)|\.-?)(?=[\s*_\"'“‘«„\[(#]|[^\W\d]|$)|(?<!\d{{4}}):(?=\s|\[)"
        rf"|,(?= ?[^\d\s#\[(])|(?: ?[-–—]|\t)(?=\s)))[*_\s]*+"), "1. Heat"),
    Notation("number", "a word for a number", caseless(
        rf"{_DRESS}(?:(?:and|my|at|the) ){{0,3}}(?:number|nummer|nr\.?|no\.) ?(\d{{1,3}})[*_]*+ ?[:.)–—…-]{{1,3}}"
        r"(?=[\s*_])[*_\s]*+"),
        "Number 1: Heat"),
    Notation("number", "a number sign", re.compile(rf"{_DRESS}(?<=#)(\d{{1,4}})(?: ?[-–—:.)]|(?=\s))[*_\s]*+"),
        "#1 Heat"),
    Notation("number", "a Chinese numeral", re.compile(
        rf"[*_\s]*+\(?第?([{HAN}]{{1,3}})(?:[,.)]|[位名]:?)\s*+|(\d{{1,3}})[位名](?![とはがのをも和与]):?\s*+"),
        "一、Heat"),
    Notation("roman", "a Roman numeral", re.compile(rf"{_DRESS}\(?([IVXLivxl]{{1,7}})[.):](?=\s)[*_\s]*+"), "II. Heat"),
    Notation("letter", "a letter", re.compile(rf"{_DRESS}[(\[]?([A-Za-z])(?:[.)\]:]|\]:)(?=\s)[*_\s]*+"), "B) Heat"),
    Notation("bullet", "a bullet", re.compile(
        r"\s*+(?:[-–—•·▪►▶‣◦○●+>→✓✔✅☑⭐★]|\*(?!\*))\s++(?:\[[ xX]?\]\s++)?"), "- Heat"),
)  # fmt: skip
"""The markers of list entries, in the order in which they are tried."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an answer."""

    number: int
    """Counted from 1."""
    text: str
    """Without surrounding whitespace."""
    indent: int = 0
    kind: Kind = "none"
    value: int | None = None
    """The number of the entry, or the position of its letter in the alphabet."""
    body: str = ""
    """The text without its marker."""


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of a table or of a JSON value."""

    cells: tuple[str, ...]
    line: int


@dataclass(slots=True)
class Block:
    """Lines or rows that belong together."""

    kind: Literal["list", "text", "table", "json"]
    lines: list[Line] = field(default_factory=list[Line])
    rows: list[Row] = field(default_factory=list[Row])
    header: tuple[str, ...] = ()
    """The column headings, in lower case; for a JSON object, `key` and the name of the object."""
    name: str = ""
    """The key of a JSON value."""
    mended: bool = False
    """It is almost JSON, and no dictionary of Python."""
    cut: bool = False
    """It is JSON that is cut off, of which only the complete entries are read."""


_FENCE = re.compile(r"(?:```|~~~|-{3,}+$|={3,}+$|\*{3,}+$|_{3,}+$)")
_RULE = re.compile(r"\|?(?:\s*+:?-{1,200}+:?\s*+\|?)++$")
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50}
_TUPLE = re.compile(r"\[?\(([\"'])([^\"'\n()]{1,200}(?:\(\d{4}\))?)\1, ?(-?\d{1,3}(?:\.\d{1,6})?)\)(?:, ?|\])?")
"""A pair in a Python list: `('Heat', 0.9)`."""
_PAIR = re.compile(r"\[([^\W\d][^\[\]\"'\n]{1,80}), ?(-?\d{1,3}(?:\.\d{1,6})?)\],? ?")
"""`[Heat, 0.9]`"""
_RANKED_TUPLE = re.compile(r"\[?\((\d{1,3}), ?([\"'])([^\"'\n()]{1,200}(?:\(\d{4}\))?)\2\)(?:, ?|\])?")
_INSIDE = re.compile(r"\[\s?(\d{1,3})[.):]\s?([^\[\]\n]{1,300})\][,;]?")


def split(text: str) -> list[Block]:
    """Return the blocks of a normalised text, in linear time."""
    values: list[Block] = []
    text = _with_pairs(text)
    if "[" in text or "{" in text:
        text = _take_json(text, values)
    if "[" in text and len(_INSIDE.findall(text, 0, 100_000)) > 1:
        text = _INSIDE.sub(r"\n\1. \2\n", text)  # [1. Fargo], [2. Heat]
    blocks: list[Block] = []
    lines = [
        _line(number, raw)
        for number, raw in enumerate(_separate_scores(_separate_cells(_punctuate_numbers(text.split("\n")))), 1)
    ]
    at = 0
    while at < len(lines):
        line = lines[at]
        end = at + 1
        if line.text == _MARK and values:
            blocks.append(values.pop(0))
        elif line.text and not _FENCE.match(line.text):
            if (row_end := _table_end(lines, at)) > at:
                end = row_end
                blocks.append(_table(lines[at:end]))
            elif line.kind == "none" and (fields := _fields_below(lines, at)):
                end, block = fields
                blocks.append(block)
            elif line.kind != "none" and not _QUOTED_NOTE.match(line.text):
                end = _list_end(lines, at)
                listed = [one for one in lines[at:end] if one.text and not _FENCE.match(one.text)]
                blocks.append(_fields(listed) or Block("list", listed))
            else:
                blocks.append(Block("text", [line]))
        at = end
    return blocks


def _with_pairs(text: str) -> str:
    """Return a text with each pair of a title and a number as a line."""
    if "('" in text or '("' in text:
        text = _TUPLE.sub(r"\n\2: \3\n", text)
    if "[" in text and len(_PAIR.findall(text, 0, 100_000)) > 1:
        text = _PAIR.sub(r"\n\1: \2\n", text)
    return _RANKED_TUPLE.sub(r"\n\1. \3\n", text) if "," in text else text


_QUOTED_NOTE = caseless(r">\W{0,6}(?:note|n\.?b\.?|p\.?s\.?)\b")
"""`> **Note:** …` is not a list entry."""


def word_set(words: str) -> frozenset[str]:
    """Return the set of words in a text."""
    return frozenset(words.split())


# --- lines and lists


_SPACED = re.compile(r"(?<=\S) {2,40}(?=\S)")
_FIELD = re.compile(r"[*_\"']{0,3}([A-Za-z][A-Za-z_ ]{1,20}?)[*_\"']{0,3}:[*_]{0,3} (.{1,400})")


def _punctuate_numbers(lines: list[str]) -> list[str]:
    """Add a full stop after line numbers, if three or more lines are numbered without one (`1 Heat`, `2nd Fargo`)."""
    first = next((at for at, line in enumerate(lines) if line.startswith(("1 ", "1st "))), len(lines))
    end = first
    while end < len(lines) and re.match(rf"{end - first + 1}(?:st|nd|rd|th)? (?!I |is |comes )[\w\"“*]", lines[end]):
        end += 1
    if end - first > 2:
        lines[first:end] = [line.replace(" ", ". ", 1) for line in lines[first:end]]
    return lines


def _separate_scores(lines: list[str]) -> list[str]:
    """Put a colon between title and score, if three or more consecutive lines have the score after a comma
    (`Heat,95`) or next to a space (`Heat 4.5`, `4.5 Heat`)."""
    lines = [_SHARE_INSIDE.sub(": ", one) if one.count("%") > 2 else one for one in lines]
    if sum(line[-1:] in _ENDS_A_SCORE or (line[1:2] == "." and line[2:3].isdigit()) for line in lines if line) < 3:
        return lines  # the common case
    for pattern in _SCORE_LINES:
        found = [pattern.fullmatch(line) if len(line) < 200 else None for line in lines]
        at = 0
        while at < len(lines):
            end = at
            while end < len(lines) and found[end]:
                end += 1
            if end - at > 2:
                lines[at:end] = [f"{one['title']}: {one['score']}" for one in found[at:end] if one]
            at = max(end, at + 1)
    return lines


_SHARE_INSIDE = re.compile(r"(?<=[\w)!?\]]) (?=\d{1,3}(?:\.\d{1,2})? ?%(?:[,;]|\W{0,2}$))")  # Fargo 35%, Heat 60%
_ENDS_A_SCORE = frozenset("0123456789%")
_SCORE_LINES = (
    re.compile(r"(?P<title>(?!.*[:,] ?\d{1,3}[;,])[^\W\d_][^|]*?[\w)!?.])[;,] ?(?P<score>\d{1,3}(?:\.\d{1,3})?)"),
    re.compile(r"(?P<title>[^\W\d_][^|:]*?[\w)!?]) (?P<score>\d\.\d{1,2}|\d{1,3} ?%|\d{1,3}(?:\.\d)? ?/ ?100?)"),
    re.compile(r"(?P<title>\[\w{1,3}\]) (?P<score>\d{1,3}[.,]\d{1,4}|\d{1,3} ?%)"),
    re.compile(r"(?P<score>\d\.\d{1,2}|\d{1,3} ?%|\d{1,3}(?:\.\d)? ?/ ?100?) (?P<title>[^\W\d_][^|:]*)"),
)


def _separate_cells(lines: list[str]) -> list[str]:
    """Put `|` between the cells of tables that are aligned with spaces or separated by commas: a line of headings
    and lines with the same number of cells."""
    for at, line in enumerate(lines):
        if len(line) > 200 or "|" in line or not ("," in line or "  " in line or ";" in line):
            continue
        sign = max(",;\t", key=line.count)
        split = next((one for one in (partial(_by_sign, sign=sign), _by_spaces) if _heads_columns(one(line))), None)
        if split is None:
            continue
        width, end = len(split(line)), at + 1
        while end < len(lines) and len(lines[end]) <= 1000 and len(split(lines[end])) >= width:
            end += 1
        if end - at > 2:
            lines[at:end] = [" | ".join(_merge_surplus_cells(split(one), split(line))) for one in lines[at:end]]
    return lines


def _heads_columns(cells: tuple[str, ...]) -> bool:
    """Return whether a line holds table headings: most cells are known headings, or they include a rank and an item."""
    return is_header(cells) or (cells[:1] != ("",) and {"rank", "item"} <= {*map(head_role, cells)})


def _by_sign(line: str, sign: str) -> tuple[str, ...]:
    if "  " in line.strip():
        return ()
    if '"' not in line:
        return tuple(cell.strip() for cell in re.findall(r"[^,;\t]+", line))
    try:
        return tuple(map(str.strip, next(csv.reader([line], delimiter=sign, skipinitialspace=True, strict=True))))
    except csv.Error:
        return ()


def _by_spaces(line: str) -> tuple[str, ...]:
    return tuple(_SPACED.split(line.strip()))


def _merge_surplus_cells(cells: tuple[str, ...], header: tuple[str, ...]) -> list[str]:
    """Return as many cells as there are headings. Surplus cells are parts of a title that contains commas."""
    extra = len(cells) - len(header)
    item = next((at for at, head in enumerate(header) if head_role(head) == "item"), 0)
    return [*cells[:item], ", ".join(cells[item : item + extra + 1]), *cells[item + extra + 1 :]] if extra else [*cells]


def _fields(lines: list[Line]) -> Block | None:
    """Return a list whose entries have fields (`- title: Heat` with `rank: 2` below) as a table, None if it has
    none."""
    tables: list[dict[str, str]] = []
    for line in lines:
        field = _FIELD.fullmatch(line.body or line.text)
        if line.kind not in ("none", "bullet") or field is None:
            return None
        if line.indent <= lines[0].indent:
            tables.append({})
        tables[-1][field[1].casefold().strip()] = field[2].strip(" \"'*_,")
    roles = [{head_role(key) for key in table} for table in tables]
    return _records(tables) if len(tables) > 1 and all({"item"} < role for role in roles) else None


def _fields_below(lines: Sequence[Line], at: int) -> tuple[int, Block] | None:
    """Return the end of the records that begin here (lines such as `Title: Heat`, `Match: high`), and their table.

    A field that the first record lacks ends them. A scan that finds no table stops after two records, which keeps the
    time linear.
    """
    first = _FIELD.fullmatch(lines[at].text)
    if first is None or head_role(first[1]) not in ("item", "rank"):
        return None
    records: list[dict[str, tuple[str, int]]] = []
    for number in range(at, len(lines)):
        field = _FIELD.fullmatch(lines[number].text) if lines[number].kind == "none" else None
        if field is None and lines[number].text:
            break
        if field is None:
            continue
        key = field[1].casefold().strip()
        if field[1] == first[1]:
            if records and not (_is_record(records[0]) and _is_complete(records[-1], records[0])):
                break
            records.append({})
        elif key in records[-1] or len(records[-1]) == _MOST_FIELDS or (len(records) > 1 and key not in records[0]):
            break  # Note: after the last record
        records[-1][key] = (field[2].strip(" \"'*_,"), number)
    while not _is_complete(records[-1], records[0]):
        records.pop()  # truncated
    heads = tuple(records[0]) if records else ()
    if len(records) == 1 and len(heads) == 2 and _is_transposed(*heads):  # Movie: 1 2 3, Rank: 2 3 1
        columns = [re.split(", ?" if "," in text else " ", text) for text, _ in records[0].values()]
        if len(columns[0]) == len(columns[1]) > 1 and all(map(_is_number, columns[1])):
            rows = [Row(pair, at + 1) for pair in zip(*columns, strict=True)]
            return at + 2, Block("table", rows=rows, header=heads)
    if len(records) < 2:
        return None
    named = next(head for head in heads if head_role(head) == "item")
    rows = [
        Row(tuple(record.get(head, ("", 0))[0] for head in heads), lines[record[named][1]].number) for record in records
    ]
    return max(number for _, number in records[-1].values()) + 1, Block("table", rows=rows, header=heads)


_MOST_FIELDS = 20


def _is_record(fields: Mapping[str, object]) -> bool:
    return len(fields) > 1 and any(head_role(key) == "item" for key in fields)


def _is_complete(record: Mapping[str, object], first: Mapping[str, object]) -> bool:
    """Return whether a record has an item, a rank and a score wherever the first record has one."""
    return all(key in record for key in first if head_role(key))


_TABS = re.compile(r"\t++")
_TABBED = re.compile(r"\w(?:[^\t]{0,300}[\w)])?\t")


def _line(number: int, raw: str) -> Line:
    text = single_spaced(_TABS.sub(" | ", raw.strip()) if "\t" in raw and _TABBED.match(raw.strip()) else raw)
    first, indent = text[:1], len(raw) - len(raw.lstrip())
    if not text or (first.isalpha() and len(text) > 1 and text[1].isalpha() and not _may_rank(text)):
        # Text may be indented by chance; a field of an entry (`  rank: 2`) is not.
        return Line(number, text, indent if ": " in text[:_KEY_LIMIT] else 0, "none", None, text)
    kind, value, end = marker(text)
    return Line(number, text, indent, kind, value, text[end:])


_KEY_LIMIT = 24
"""Maximum length of a field's key."""
_BEFORE_RANKS = ("ii", "iv", "vi", "xi", "coming", "in", "and", "und", "et", "auf", "at", "en", "au", "al", "em")
"""Roman numerals, and words that may precede an ordinal (`And third: Heat`)."""
_RANK_STARTS = frozenset(word[:2] for word in (*_RANK_WORD.replace("|", " ").split(), *ORDINALS, *_BEFORE_RANKS))


def _may_rank(text: str) -> bool:
    return (
        text[:2].casefold() in _RANK_STARTS or text[:2] in _NUMBER_STARTS or text[0] in HAN + "第" or text[1] in "xXvV"
    )


_NUMBERED = re.compile(r"(\d{1,3})\. [*_\s]*+", re.ASCII)
"""`1. Heat`: the common case."""


def marker(text: str) -> tuple[Kind, int | None, int]:
    """Return the kind, the number and the end of the marker at the beginning of a line."""
    head = text[:60]
    if found := _NUMBERED.match(head):
        return "number", int(found[1]), found.end()
    for notation in NOTATIONS:
        if found := notation.pattern.match(head):
            if notation.kind == "bullet":
                kind, value, end = marker(head[found.end() :])
                inner = kind in ("number", "bracket", "rank")
                return (kind, value, found.end() + end) if inner else ("bullet", None, found.end())
            value = _value(notation.kind, found[1] or found[2])
            if value is not None:
                return notation.kind, value, found.end()
    return "none", None, 0


def numeral_value(text: str) -> int | None:
    """Return the value of a number word, Roman numeral or Chinese numeral, None for any other text."""
    if text.casefold() in CARDINALS:
        return CARDINALS.index(text.casefold()) + 1
    is_numeral = text and (not text.strip("IVX") or not text.strip(HAN))
    return _value("roman", text) if is_numeral else None


def _value(kind: Kind, text: str) -> int | None:
    if text.isdigit():
        return int(text)
    low = text.casefold()
    if low in ORDINALS:
        return ORDINALS.index(low) + 1
    if text[0] in HAN:
        tens, ten, ones = text.rpartition("十") if "十" in text else ("", "", text)
        if len(tens) > 1 or len(ones) > 1:
            return None  # not a number
        return (10 * (HAN.index(tens) + 1 if tens else 1) if ten else 0) + (HAN.index(ones) + 1 if ones else 0)
    if kind == "letter":
        return ord(low) - ord("a") + 1
    digits = [_ROMAN[sign] for sign in low]
    total = sum(-one if one < after else one for one, after in zip(digits, [*digits[1:], 0], strict=True))
    return total if 0 < total < 90 else None


def _list_end(lines: list[Line], at: int) -> int:
    """Return the end of the list that begins here: where the numbering restarts, or text separates two blocks."""
    first, last = lines[at], lines[at]
    end = at + 1
    while end < len(lines):
        line = lines[end]
        if line.text and not _FENCE.match(line.text):
            if line.kind == "none":
                if line.indent <= first.indent and not _continues(lines, end, first, last):
                    break
            elif line.kind == first.kind and line.indent <= first.indent:
                begins_anew = line.value is not None and last.value is not None and last.value > 1 >= line.value
                is_bare = not line.body and not last.body and lines[end - 1].text  # [1], [2], [2], [6], [1]
                if begins_anew and not is_bare and first.value is not None and first.value <= 1:
                    break
                if not lines[end - 1].text and _is_countdown(first, last) and line.value == 1:
                    break
                last = line
            elif line.kind != "bullet" and line.indent <= first.indent:
                if {line.kind, first.kind} == {"letter", "roman"} or first.kind == "bullet":
                    last = line
                else:
                    break
            elif line.indent <= first.indent and not _continues(lines, end, first, last):
                break
        end += 1
    return end


def _is_countdown(first: Line, last: Line) -> bool:
    """Return whether a list has counted down to 1."""
    return first.kind == "number" and last.value == 1 and first.value is not None and first.value > 1


_LOOK = 6


def _continues(lines: list[Line], at: int, first: Line, last: Line) -> bool:
    """Return whether an unmarked line is a remark inside a numbered list, because the next number follows soon."""
    if last.value is None or last.kind == "bracket":
        return False
    after = [line.value for line in lines[at + 1 : at + _LOOK] if line.kind == last.kind and line.value is not None]
    rises = first.value is not None and first.value < last.value
    if last.value > 1 and (rises or last.value - 1 not in after[:1]) and min(after, default=2) <= 1:
        return False  # another list begins
    if len(after) > 1 and ((rises and after[0] > after[1]) or (_is_countdown(first, last) and after[0] == 1)):
        return False  # a countdown begins, or another list after one
    return not {last.value + 1, last.value - 1}.isdisjoint(after)


# --- tables


def _table_end(lines: list[Line], at: int) -> int:
    first = lines[at].text
    pipes = first.count("|")
    if not pipes or _joins_words(first):
        return at
    end, rows = at, 0
    while end < len(lines):
        text = lines[end].text
        if not text and end + 2 < len(lines) and _RULE.match(lines[end + 2].text):
            break  # another table begins
        if text:
            if "|" not in text or text.startswith("|") != first.startswith("|"):
                break
            if not first.startswith("|") and text.count("|") != pipes and not _RULE.match(text):
                break
            rows += 1
        end += 1
    while not lines[end - 1].text:
        end -= 1
    return end if rows > 1 or (first.startswith("|") and pipes > 1) else at


def _joins_words(text: str) -> bool:
    """Return whether the pipes of a line only join words in brackets: `1. Fargo [Crime|Drama]`."""
    return not text.startswith("|") and " | " not in text and "|" not in _IN_BRACKETS.sub("", text)


_IN_BRACKETS = re.compile(r"\[[^\[\]]{0,200}\]|\([^()]{0,200}\)")


def _table(lines: list[Line]) -> Block:
    rows: list[Row] = []
    heads: tuple[str, ...] = ()
    ruled = bool(_RULE.match(lines[0].text))
    for line in lines:
        if not line.text:
            continue
        if _RULE.match(line.text):
            is_row = any(map(_CELL_NUMBER.fullmatch, rows[0].cells)) if rows else False
            if len(rows) == 1 and not heads and not is_row and (not ruled or is_header(rows[0].cells)):
                heads = rows.pop().cells
            continue
        cells = line.text.strip().strip("|").split("|", 20)[:20]
        rows.append(Row(tuple(cell.strip() for cell in cells), line.number))
    if not heads and len(rows) > 1 and is_header(rows[0].cells):
        heads = rows.pop(0).cells
    half = len(heads) // 2
    if half > 1 and heads[:half] == heads[half:] and {"rank", "item"} <= {*map(head_role, heads[:half])}:
        halves = ([Row(row.cells[at : at + half], row.line) for row in rows] for at in (0, half))
        rows = [row for rows in halves for row in rows if any(row.cells)]  # | # | Title | # | Title |
        heads = heads[:half]
    if len(heads) > 2 and len(rows) == 1 and _is_transposed(heads[0], rows[0].cells[0]):
        heads, *pairs = zip(heads, rows[0].cells, strict=False)  # | Movie | 1 | 2 |, | Rank | 2 | 1 |
        rows = [Row(pair, rows[0].line) for pair in pairs]
    return Block("table", rows=rows, header=tuple(map(str.casefold, heads)))


def _is_transposed(one: str, other: str) -> bool:
    """Return whether two rows begin with the headings of items and of their ranks or scores."""
    return head_role(one) == "item" and head_role(other) in ("rank", "score")


_CELL_NUMBER = re.compile(r"\d{1,3}[.,]\d{1,3}|\d{1,3} ?%|\d{1,2}(?:\.\d)?/\d{1,3}")
"""A score, which is never a heading."""
RANK_HEADS = word_set(
    "rank ranking position pos place # no no. nr nr. number order top rang platz puesto posición rango lugar "
    "posto posizione posicion posicao posição 排名 名次 顺序 順位 순위 место"
)
SCORE_HEADS = word_set(
    "score scores rating ratings relevance probability likelihood confidence points match % percent percentage "
    "fit note punktzahl bewertung puntuación punteggio 评分 分数 得分 スコア"
)
ITEM_HEADS = word_set(
    "title titles movie movies film films item items id ids identifier candidate candidates name product book "
    "option passage document article articles headline headlines song track tracks album game recipe restaurant "
    "label index model anime manga comic app dish meal titre título titulo titolo titel película pelicula filme "
    "电影 片名 映画 фильм show shows podcast podcasts episode course hotel job museum rezept recette receta "
    "ricetta buch livre libro produkt produit producto prodotto artikel spiel jeu juego gioco lied chanson "
    "canción canzone musée museo nom nombre nome bezeichnung книга 书名 名称 候補 候補番号 番号 アイテム 商品 "
    "作品 候选 候选项 选项 编号 후보 번호 작품"
)


def head_role(head: str) -> Literal["rank", "score", "item", ""]:
    """Return the role of a column, judging by its heading, JSON key, or the word before its numbers."""
    head = head.strip(" *_:`\"'().").casefold()
    words = re.split(r"[\s_\-/()]+", head, maxsplit=6) if len(head) < 60 else []
    if len(words) > 1 and words[0] in SCORE_HEADS and words[1] in RANK_HEADS:
        return "rank"  # relevance rank
    for word in (head, *words):
        if word in RANK_HEADS:
            return "rank"
        if word in SCORE_HEADS:
            return "score"
        if word in ITEM_HEADS:
            return "item"
    return ""


def is_header(cells: tuple[str, ...]) -> bool:
    """Return whether a row holds the headings of a table."""
    if len(cells) < 2 or any(marker(cell)[1] for cell in cells):
        return False  # Rank 1: Heat | strong match
    return sum(bool(head_role(cell)) for cell in cells) > len(cells) // 2


# --- JSON

_MARK = "\x02json\x02"
_OPENING = re.compile(r"[\[{](?=\s{0,80}(?:[\[{\"'\d\]}-]|//|#|/\*))")
_IDENTIFIER = re.compile(r"\[\s{0,80}-?(?:0|[1-9][0-9]{0,9})\s{0,80}\]", re.ASCII)
"""The `[3]` of an expression (`[3] > [1]`). Most answers contain nothing else that might be JSON."""
_MAX_BRACKETS = 24
"""Maximum number of brackets to try, which keeps the time linear in a text full of them."""
_DEPTH = 200
_LIST_KEYS = (
    *("ranking", "ranked", "ranked_items", "final_ranking", "order", "titles", "recommendations", "answer", "scores"),
    *("ranks", "candidates", "items", "movies", "results", "result", "output"),
)
_ARGUMENTS = ("arguments", "parameters", "input", "args")
"""Keys that hold the arguments of a tool call."""
_ANSWERS = 8
"""Number of keys of `_LIST_KEYS` that mark a list as the answer."""
_SCHEMA = ("array", "integer", "number", "object", "string")
"""The type names of JSON Schema."""


def _take_json(text: str, values: list[Block]) -> str:
    """Replace each JSON value that lists something with a mark, and append its blocks to `values` in order."""
    decoder = json.JSONDecoder()
    parts: list[str] = []
    at = start = 0
    for _ in range(_MAX_BRACKETS):
        if (found := _OPENING.search(text, at)) is None:
            break
        at = found.start()
        if sum(map(text[at : at + _DEPTH].count, "[{")) >= _DEPTH // 2:
            break  # nested too deeply
        if (identifier := _IDENTIFIER.match(text, at)) is not None:
            at = identifier.end()
            continue
        mended = None
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            if (mended := _mended(text, at)) is None:
                at += 1
                continue
            value, end, _ = mended
        if isinstance(value, dict) and (name := _ASSIGNED.search(text, max(start, at - 60), at)):
            value, at = {name[1]: value}, name.start()  # scores = {"Heat": 9}
        elif isinstance(value, dict):
            value, end = _json_lines(decoder, text, cast("dict[str, object]", value), end)
        answer = _answer_text(value)
        blocks = [] if answer else _blocks_of(value)
        if mended:  # a plain list that breaks off is read as text
            blocks = [block for block in blocks if block.header or not mended[2]]
            for block in blocks:
                block.mended, block.cut = mended[2] or not _PYTHON.match(text, found.start()), mended[2]
        if answer or blocks:
            parts += [text[start:at], f"\n{answer}" if answer else f"\n{_MARK}" * len(blocks), "\n"]
            values += blocks
            start = end
        at = end
    return "".join((*parts, text[start:]))


_PYTHON = re.compile(r"\{\s{0,80}['\d]")
_ASSIGNED = re.compile(r"\b([A-Za-z_]\w{0,39})\s{0,3}=\s{0,3}\Z")
_PIECE = re.compile(
    r"(?P<space>\n[ \t]{0,80}\.{3}(?=\s)|\s+|//[^\n]*|#[^\n]*|/\*(?:(?!\*/).)*\*/)"
    r"|(?P<text>\"(?:[^\"\\\n]|\\.|(?<=\s)\"(?=\w)|(?<=\w)\"(?=\"| \w|[,.;] (?!(?:null|true|false)\b)[a-z]))*\""
    r"|'(?:[^'\\\n]|\\.|'(?=\w))*')"
    r"|(?P<word>-?\d+(?:\.\d+)?(?![\w.])|(?i:true|false|null|none)\b)|(?P<sign>[\[\]{},:])",
    re.DOTALL,
)
"""A piece of JSON, of a Python literal, or a comment in one. A text may have quotation marks: `"as in "Con Air""`."""
_INNER_QUOTE, _ESCAPED_QUOTE = re.compile(r"(?<!\\)\""), '\\\\"'
_PLACE_IN_COMMENT = caseless(rf"\W*(?:rank |place )?(?:\d{{1,3}}|{'|'.join(ORDINALS)}|last)\W*$")
"""`# 3` behind an entry gives it another place."""
_MENDED = 20_000
"""Maximum length of a value that is mended, which keeps the time linear."""
_CLOSING = {"[": "]", "{": "}"}


def _mended(text: str, at: int) -> tuple[Any, int, bool] | None:
    """Return a value that is almost JSON (comments, commas before a bracket, a Python literal), with its end, and
    whether it is cut off, so that only its complete part is returned."""
    out: list[str] = []
    opened: list[int] = []
    end = min(len(text), at + _MENDED)
    while at < end and (found := _PIECE.match(text, at)):
        at, piece = found.end(), found[0]
        if found["space"] and _PLACE_IN_COMMENT.fullmatch(piece.strip()):
            return None
        if found["space"]:
            continue
        if found["text"]:
            inner = piece[1:-1].replace("\\'", "'")
            piece = f'"{_INNER_QUOTE.sub(_ESCAPED_QUOTE, inner)}"'
        elif found["word"]:
            piece = piece.casefold().replace("none", "null")
        if piece in ("]", "}"):
            del out[len(out) - (out[-1] == ",") :]
            if piece != _CLOSING[out[opened.pop()]]:
                return None
        if piece in _CLOSING:
            opened.append(len(out))
        elif piece == ":" and out[-1].isdigit():
            out[-1] = f'"{out[-1]}"'  # {1: "Heat"}
        out.append(piece)
        if not opened:
            return _value_of(out, at, cut=False)
    if not text[at:].strip("`\n") or (at < end and text[at] in "\"'" and "\n" not in text[at:]):
        return _complete_part(out, opened, len(text))
    return None


def _value_of(pieces: Sequence[str], end: int, *, cut: bool) -> tuple[Any, int, bool] | None:
    value = decoded(" ".join(pieces))
    return None if isinstance(value, str) else (value, end, cut)


def _complete_part(out: list[str], opened: list[int], end: int) -> tuple[Any, int, bool] | None:
    """Return the complete entries of a value that is cut off."""
    while opened and len(out) > opened[-1] + 1 and out[-1] != ",":
        out.pop()
    if len(opened) > 1 and out[opened[-1]] == "{" and out[opened[-2]] == "[":
        start = opened[-1]
        before, own = (
            {head_role(key) for key, sign in pairwise(part) if sign == ":"}
            for part in (out[opened[-2] : start], out[start:])
        )
        if not before <= own | {""}:
            del out[opened.pop() :]  # its rank or score is missing
    closing = (_CLOSING[out[start]] for start in reversed(opened))
    return _value_of((*out[: len(out) - (out[-1:] == [","])], *closing), end, cut=True)


def _json_lines(decoder: json.JSONDecoder, text: str, first: dict[str, object], end: int) -> tuple[object, int]:
    """Return consecutive objects with the same keys (JSON Lines) as one array, with its end. If the first object is
    only repeated, return it alone."""
    objects = [first]
    while (after := _NEXT_OBJECT.match(text, end)) is not None:
        try:
            value, until = decoder.raw_decode(text, after.end() - 1)
        except (ValueError, RecursionError):
            if (mended := _mended(text, after.end() - 1)) is None:
                break
            value, until, _ = mended
            if first.keys() > value.keys() > set[str]():
                objects.append(value)  # it is cut off
        if value.keys() != first.keys():
            break
        if value != first:
            objects.append(value)
        end = until
    return (objects if len(objects) > 1 else first), end


_NEXT_OBJECT = re.compile(r"\s{0,80},?\s{0,80}\{")


def _object(value: object) -> dict[str, object]:
    """Return the fields of a JSON object; any other value has none."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _answer_text(value: object) -> str:
    """Return the text that an object holds as its answer (`{"answer": "1. Heat"}`), nothing if it holds more."""
    table = _object(value)
    alone = len(table) == 1
    texts = [
        text
        for key, text in table.items()
        if isinstance(text, str)
        and (key.casefold() in _LIST_KEYS or (alone and _RANKS.search(key) and not _NO_ANSWER.search(key)))
    ]
    whole = not any(isinstance(inner, list | dict) for inner in table.values())
    return texts[0] if len(texts) == 1 and whole and re.search(r"[\n,>\[]", texts[0]) else ""


def _blocks_of(value: object) -> list[Block]:
    """Return every list of an object that holds several and calls none the ranking; otherwise the one thing a value
    lists."""
    table = _object(value)
    while len(table) == 1:
        table = _object(*table.values())
    table = {key.casefold(): inner for key, inner in table.items()}
    lists = {key: inner for key, inner in table.items() if isinstance(inner, list) and inner}
    several = len(lists) > 1 and table.keys().isdisjoint(_LIST_KEYS[:_ANSWERS])
    several = several and not _in_grades(table)
    blocks = {key: block for key, inner in lists.items() if several and (block := _json_block(cast("object", inner)))}
    for key, block in blocks.items():
        block.name = key
    return [*blocks.values()] or [*filter(None, [_json_block(value)])]


def _json_block(value: object) -> Block | None:
    """Return what a JSON value lists: an array, an object of ranks or scores, or one of these inside an object."""
    if isinstance(value, dict):
        return _object_block(_object(value))
    return _array_block(cast("list[object]", value)) if isinstance(value, list) else None


def _array_block(elements: list[object]) -> Block | None:
    if len(elements) == 1 and isinstance(elements[0], dict) and not {"function", *_ARGUMENTS}.isdisjoint(elements[0]):
        return _json_block(elements[0])  # [{"function": {"name": "rank", "arguments": …}}]
    if elements and all(isinstance(one, list) and len(cast("list[object]", one)) == 2 for one in elements):
        return _pairs("pair", [tuple(map(_text, cast("list[object]", one))) for one in elements])
    if elements and all(isinstance(one, dict) for one in elements):
        return _records(list(map(_flat, elements)))
    return _listed([_text(one) for one in elements if _is_plain(one)])


def _object_block(table: Mapping[str, object]) -> Block | None:
    if block := _keyed_records(table) or _columns(table):
        return block
    low = {key.casefold(): key for key in table}
    plain = not any(isinstance(inner, list | dict) for inner in table.values())
    arguments = next((low[key] for key in _ARGUMENTS if key in low), "") if "name" in low and len(table) < 6 else ""
    if (plain and table.get("type") in _SCHEMA) or (arguments and not _RANKS.search(str(table[low["name"]]))):
        return Block("json")  # it repeats the schema of the answer, or calls another tool
    if arguments:
        return _json_block(decoded(table[arguments]))
    if plain and len(packed := [one for name, text in table.items() if (one := _embedded_json(name, text))]) == 1:
        return _json_block(packed[0])
    if block := _listed(_in_grades(table)):
        return block
    for key in (*(low[name] for name in _LIST_KEYS if name in low), *table):
        if isinstance(table[key], list | dict) and (block := _json_block(table[key])):
            block.name = key.casefold()
            if not any(block.header[1:]):
                block.header = (*(block.header or ("",))[:1], block.name)
            return block
    pairs = [(key, _text(inner)) for key, inner in table.items() if _is_plain(inner)]
    listed = isinstance(table.get(low.get("ranking", "")), str)
    return _pairs("key", pairs) if len(pairs) > 1 and not listed else None


def _keyed_records(table: Mapping[str, object]) -> Block | None:
    """Return keyed objects as a table (`{"A": {"rank": 2}, "B": {"rank": 1}}`)."""
    if len(table) < 2 or not all(isinstance(one, dict) for one in table.values()):
        return None
    records = {key: _flat(one) for key, one in table.items()}
    if not any(map(head_role, set[str].intersection(*map(set[str], records.values())))):
        return None
    return _records([{"": key} | record for key, record in records.items()])


def _columns(table: Mapping[str, object]) -> Block | None:
    """Return parallel lists as a table (`{"rank": [2, 1], "title": ["Heat", "Fargo"]}`)."""
    columns = {key: [*map(_text, inner)] for key, inner in table.items() if isinstance(inner, list)}
    numbers = {head_role(key) for key, column in columns.items() if all(map(_is_number, column))}
    alike = len({len(column) for column in columns.values()}) == 1
    if not (alike and numbers & {"rank", "score"} and "item" in map(head_role, columns)):
        return None
    if "item" in numbers and "ranking" in map(str.casefold, columns):
        return None  # {"candidates": [1, 2, 3], "ranking": [3, 1, 2]}: an order of identifiers, not their ranks
    columns = {key: column for key, column in columns.items() if head_role(key)}
    return _records([dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)])


def _listed(names: Sequence[str]) -> Block | None:
    return Block("json", rows=[Row((name,), 0) for name in names]) if names else None


def _in_grades(table: Mapping[str, object]) -> list[str]:
    """Return the items of several fields that are called better and worse (`{"top_pick": "Heat", "also_good": […]}`),
    without those that are left out."""
    kept = {key: inner for key, inner in table.items() if not _NO_ANSWER.search(key)}
    grades = {key: found.lastindex or 0 for key in kept if (found := _GRADE.match(key))}
    lists = {grades.get(key) for key, inner in kept.items() if isinstance(inner, list)}
    if len(kept) < 2 or len(grades) < len(kept) or not lists or 3 in lists:  # the least relevant are not the next best
        return []
    fields = (kept[key] for key in sorted(kept, key=grades.__getitem__))
    items = [item for one in fields for item in (cast("list[object]", one) if isinstance(one, list) else [one])]
    return [*map(_text, items)] if all(map(_is_plain, items)) else []


_GRADE = caseless(
    r"(top|best|first|must|highly|most|pick|winner|main|primary|recommend(?:ed|ation)?)(?=_|\b)"
    rf"|(also|then|next|{'|'.join(ORDINALS[1:])}|maybe|middle|others?|rest|good|honou?rable"
    r"|alternatives?|runners?|backups?)(?=_|\b)|(least|worst|last|lowest)(?=_|\b)"
)
_NO_ANSWER = caseless(
    r"\bnot(?=_|\b)|avoid|omit|exclu|reject|skip|drop|seen|watched|history|liked|candidates|because|similar"
    r"|reason|\bwhy|expla|comment|rationale|\bnotes?\b"
)
"""Names of fields that hold items which are not ranked."""


def _embedded_json(name: str, value: object) -> object:
    """Parse an object or array that is stored as a JSON string. Return None for any other value, and for fields that
    hold excluded or seen items."""
    text = value.lstrip() if isinstance(value, str) and not _NO_ANSWER.search(name) else ""
    inner = decoded(text) if text[:1] in ("{", "[") else None
    return inner if isinstance(inner, dict | list) else None


def _pairs(header: str, pairs: Sequence[tuple[str, ...]]) -> Block:
    return Block("json", rows=[Row(pair, 0) for pair in pairs], header=(header, ""))


def _flat(value: object) -> dict[str, str]:
    """Return the fields of an object and of the objects inside it (`{"movie": {"name": "Heat"}, "rank": 1}`)."""
    fields: dict[str, str] = {}
    for key, inner in _object(value).items():
        fields |= _flat(inner) if isinstance(inner, dict) else {key.casefold(): _text(inner)}
    return fields


def _records(records: list[dict[str, str]]) -> Block | None:
    """Return objects as a table with their keys as headings, or as pairs if each has one field with its own name.

    Return None if no key names the items.
    """
    heads = dict.fromkeys(key for record in records for key in record)
    names = [head for head in heads if head_role(head) == "item"]
    if not names and all(len(record) == 1 for record in records):
        return _pairs("pair", [pair for record in records for pair in record.items()])
    if names and not any(all(record.get(name) for record in records) for name in names):
        for record in records:  # some items are given by title, others by id
            record["item"] = next((record[name] for name in names if record.get(name)), "")
        heads["item"] = None
    if not names and "" not in heads:
        return None
    rows = [Row(tuple(record.get(head, "") for head in heads), 0) for record in records]
    return Block("json", rows=rows, header=tuple(heads))


_RANKS = caseless(r"rank|order|sort|recommend|answer|result|respon|final|submit")
"""Names of tools that take a ranking, and of fields that hold one."""


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e9:
        return f"{value:.0f}"
    return folded(str(value)) if isinstance(value, str | int | float) else ""
