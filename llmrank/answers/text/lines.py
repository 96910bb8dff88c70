"""The lines of a normalised answer: their markers and headings, and the blocks that they form.

`NOTATIONS` lists the markers that begin a list entry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from llmrank.answers.text.normalise import HAN, ORDINALS, Pattern, caseless

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


_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50}


def word_set(words: str) -> frozenset[str]:
    """Return the set of words in a text."""
    return frozenset(words.split())


_BEFORE_RANKS = ("ii", "iv", "vi", "xi", "coming", "in", "and", "und", "et", "auf", "at", "en", "au", "al", "em")
"""Roman numerals, and words that may precede an ordinal (`And third: Heat`)."""
_RANK_STARTS = frozenset(word[:2] for word in (*_RANK_WORD.replace("|", " ").split(), *ORDINALS, *_BEFORE_RANKS))


def may_rank(text: str) -> bool:
    """Return whether a text of two letters or more may begin with a word for a rank: a cheap test before `marker`."""
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
