"""Stage 2: split a normalised answer into blocks: lists, tables, JSON values, and lines of text.

Models write rankings as numbered lists, tables, CSV, JSON, or records of `Key: value` lines. This stage recognises
these shapes and turns each into one `Block`, so that later stages need not care about the notation. It knows nothing
about the candidates: a block only holds the text of its entries, with their numbers if they have any. `split` does the
work; `lines` knows the markers of list entries, and `json_blocks` reads JSON.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from functools import partial

from llmrank.answers.text.json_blocks import MARK, is_number, records_block, take_json
from llmrank.answers.text.lines import Block, Line, Row, head_role, is_header, marker, may_rank
from llmrank.answers.text.normalise import caseless, single_spaced

_FENCE = re.compile(r"(?:```|~~~|-{3,}+$|={3,}+$|\*{3,}+$|_{3,}+$)")
_RULE = re.compile(r"\|?(?:\s*+:?-{1,200}+:?\s*+\|?)++$")
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
        text = take_json(text, values)
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
        if line.text == MARK and values:
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
    return records_block(tables) if len(tables) > 1 and all({"item"} < role for role in roles) else None


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
        if len(columns[0]) == len(columns[1]) > 1 and all(map(is_number, columns[1])):
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
    if not text or (first.isalpha() and len(text) > 1 and text[1].isalpha() and not may_rank(text)):
        # Text may be indented by chance; a field of an entry (`  rank: 2`) is not.
        return Line(number, text, indent if ": " in text[:_KEY_LIMIT] else 0, "none", None, text)
    kind, value, end = marker(text)
    return Line(number, text, indent, kind, value, text[end:])


_KEY_LIMIT = 24
"""Maximum length of a field's key."""


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
