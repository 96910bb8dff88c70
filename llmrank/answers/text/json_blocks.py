"""JSON in an answer: also JSON lines, Python literals, and JSON that is almost right or cut off."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, cast

from llmrank.answers.text.lines import Block, Row, head_role
from llmrank.answers.text.normalise import ORDINALS, caseless, decoded, folded

MARK = "\x02json\x02"
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


def take_json(text: str, values: list[Block]) -> str:
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
            parts += [text[start:at], f"\n{answer}" if answer else f"\n{MARK}" * len(blocks), "\n"]
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
        return records_block(list(map(_flat, elements)))
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
    shared = set[str].intersection(*map(set[str], records.values()))
    measured = len(shared) == 1 and all(len(one) == 1 and all(map(is_number, one.values())) for one in records.values())
    if not measured and not any(map(head_role, shared)):
        return None
    return records_block([{"": key} | record for key, record in records.items()])


def _columns(table: Mapping[str, object]) -> Block | None:
    """Return parallel lists as a table (`{"rank": [2, 1], "title": ["Heat", "Fargo"]}`)."""
    columns = {key: [*map(_text, inner)] for key, inner in table.items() if isinstance(inner, list)}
    numbers = {head_role(key) for key, column in columns.items() if all(map(is_number, column))}
    alike = len({len(column) for column in columns.values()}) == 1
    if not (alike and numbers & {"rank", "score"} and "item" in map(head_role, columns)):
        return None
    if "item" in numbers and "ranking" in map(str.casefold, columns):
        return None  # {"candidates": [1, 2, 3], "ranking": [3, 1, 2]}: an order of identifiers, not their ranks
    columns = {key: column for key, column in columns.items() if head_role(key)}
    return records_block([dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)])


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
    r"|alternatives?|runners?|backups?)(?=_|\b)|(least|worst|last|lowest|bottom)(?=_|\b)"
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


def records_block(records: list[dict[str, str]]) -> Block | None:
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


def is_number(text: str) -> bool:
    """Return whether a text is a number without a sign."""
    return text.replace(".", "", 1).isdigit()


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e9:
        return f"{value:.0f}"
    return folded(str(value)) if isinstance(value, str | int | float) else ""
