"""What must be seen nowhere, taken out of what an endpoint sends: the key, the password, the values of the query.

One thing stays: what our own request contains. A private server takes any key, so a key may also be a title or an
item's id (`star-wars`, `12345`). An answer without it would be another ranking. This leaks nothing, for the request is
kept and shown as it is. The rule for each call: a secret found in the answer itself (its message, its
log-probabilities, the id of a batch's line) is left there if the request has the same letters and digits. All around
the answer, and in every error, it is masked.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Generator
from functools import cached_property
from typing import Any
from urllib.parse import unquote

MASK = "[key]"
MOST_SEARCHED = 1 << 18
"""Characters of the longest text that is searched, which takes a second; meanwhile no other call goes on."""
MOST_DEPTH = 64
"""The deepest nesting of JSON that is read."""
LONG = 8
"""Letters and digits by which a secret is known whatever stands between them."""
FEWEST = 5
"""Letters and digits without which it is looked for as it is, and no further."""
PIECE = 8
"""Characters of a secret that are masked where the rest of it is missing."""
CODE = r"0{0,6}(?:3\d|[46][1-9a-f]|[57][\da])"
"""The hexadecimal code of a letter or a digit, and the decimal one."""
DECIMAL = r"0{0,6}(?:4[89]|5[0-7]|6[5-9]|[78]\d|9[0789]|1[01]\d|12[012])(?!\d)"
BEGINS = r"\\{1,8}[ux]", r"%(?:25){0,4}", r"&(?:amp;){0,4}#"
"""How a character is escaped in JSON, in a URL and in HTML, once or several times over. All is bounded or possessive:
nothing here takes more than linear time."""
ESCAPED = rf"{BEGINS[0]}{CODE}|{BEGINS[1]}{CODE}|{BEGINS[2]}(?:{DECIMAL}|x{CODE})"
"""A letter or a digit."""
GAP = (
    rf"(?:<[^<>]*>|&(?:amp;){{0,4}}(?!amp;)[a-z]{{2,8}};|(?!{ESCAPED})(?:\\{{1,8}}(?:[nrtbf]|u00[\da-f]{{2}}"
    rf"|x[\da-f]{{2}})|{BEGINS[1]}[\da-f]{{2}}|{BEGINS[2]}x?[\da-f]{{1,8}};?|[^a-z\d]))*+"
)
"""What may stand between two letters of a secret: its own punctuation however written, a tag, a line break."""
NARROW = GAP.replace(r"[^a-z\d]", r"[^a-z\d\s,>\[\]()]")
"""The same for a secret of few letters, which an answer may hold in its order: `[1], [2], [3]`."""
ENTITY = re.compile(r"&(?:#\d{1,12}|#x[\da-f]{1,12}|[a-z]\w{1,31});?", re.IGNORECASE | re.ASCII)
TAG = re.compile(r"<[^<>]*>")
JSON_ESCAPE = re.compile(r"\\{1,8}(?:(?:u00|x)([\da-f]{2})|[nrtbf])", re.IGNORECASE)
SQUEEZED = bytes(range(256)).lower()
ANSWERS = frozenset({"message", "logprobs", "custom_id"})
"""Names of JSON under which an answer stands, or what says whose it is; an error's `message` is a text, an answer's an
object."""
NO_LETTERS = bytes(code for code in range(256) if not chr(code).isascii() or not chr(code).isalnum())


class Secrets:
    """What must be seen nowhere: `[key]` stands in its place, however an endpoint writes it, whole or in part."""

    def __init__(self, *values: str) -> None:
        """Empty values, and words too short to be a secret (`none`, `EMPTY`), are left alone: answers may hold them."""
        plain = {value for value in values if len(value) >= 8 or (len(value) >= 5 and not value.isalpha())}
        coded = {one for value in plain for one in (_bytes(value).hex(), *_in_base64(value))}
        self._values = sorted(plain | coded, key=len, reverse=True)
        self._pieces = {one: piece for value in sorted(plain) for one, piece in _pieces(value)}
        self._signs = tuple({_squeezed(one) for one in (*self._pieces, *(value[:PIECE] for value in self._values))})

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("|".join([*map(_form, self._values), *self._pieces.values()]), re.IGNORECASE)

    def may_be_in(self, text: str) -> bool:
        """Return whether the text must be searched; fast, and false for nearly every answer."""
        if not self._signs:
            return False
        # Escapes may lie in one another: a URL in HTML in JSON.
        for _ in range(5):
            # A tag may stand between two letters, or hold them all.
            for form in (text, TAG.sub("", text)) if "<" in text else (text,):
                squeezed = _squeezed(form)
                if any(sign in squeezed for sign in self._signs):
                    return True
            before = text
            if "%" in text:
                text = unquote(text)
            if "&" in text:
                text = without_entities(text)
            if "\\" in text:
                text = JSON_ESCAPE.sub(lambda code: chr(int(code[1] or "20", 16)), text)
            if text == before:
                break
        return False

    def mask(self, text: str, sent: object = None) -> str:
        """Return the text without the secrets; of one longer than any answer that holds a secret, nothing. It is the
        text of an answer where the request is given that was `sent` (JSON)."""
        return self._mask(text, self._forms_in(sent)) if self.may_be_in(text) else text

    def masked(self, value: object, sent: object = None) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON value with the secrets masked in every text and every name, and without what is nested deeper
        than anything that is read. `sent` is the request (JSON) that it answers."""
        return self._masked(value, self._forms_in(sent))

    def _forms_in(self, sent: object) -> frozenset[str]:
        """Return what of the secrets stands in a request of ours."""
        text = json.dumps(sent, ensure_ascii=False) if sent else ""
        if len(text) > MOST_SEARCHED or not self.may_be_in(text):
            return frozenset()
        return frozenset(_sign(found[0]) for found in self._pattern.finditer(text))

    def _mask(self, text: str, left: frozenset[str]) -> str:
        if not self.may_be_in(text):
            return text
        if len(text) > MOST_SEARCHED:
            return MASK
        return self._pattern.sub(lambda found: found[0] if left and _sign(found[0]) in left else MASK, text)

    def _masked(self, value: object, left: frozenset[str], depth: int = 0, *, within: bool = False) -> Any:  # noqa: ANN401
        """`within` an answer what is to be `left` is left."""
        if isinstance(value, str):
            return self._mask(value, left if within else frozenset())
        if isinstance(value, list | dict) and depth >= MOST_DEPTH:
            return None
        if isinstance(value, list):
            return [self._masked(one, left, depth + 1, within=within) for one in value]
        if isinstance(value, dict):
            return {
                self._mask(str(name), frozenset()): self._masked(
                    one,
                    left,
                    depth + 1,
                    within=within or (name in ANSWERS and not (name == "message" and isinstance(one, str))),
                )
                for name, one in value.items()
            }
        return value


def _squeezed(text: str) -> bytes:
    """Return the ASCII letters and digits of a text, in lower case."""
    return _bytes(text).translate(SQUEEZED, NO_LETTERS)


def _bytes(text: str) -> bytes:
    # Half a surrogate pair has no UTF-8; in a variable of the environment it stands for a byte that is none either.
    return text.encode("utf-8", "surrogatepass")


def _sign(found: str) -> str:
    """Return by what two findings are the same: their letters and digits, or what they are where these are few."""
    squeezed = _squeezed(found)
    return squeezed.decode() if len(squeezed) >= FEWEST else found.casefold()


def without_entities(text: str) -> str:
    """Return the text with its HTML entities read."""
    # All at once, one of thousands of digits would be an error.
    return ENTITY.sub(lambda entity: html.unescape(entity[0]), text)


def _in_base64(value: str) -> Generator[str]:
    """Yield what base64 makes of a value, with nothing, one or two bytes before it (`Bearer `), in both alphabets."""
    for before in range(3):
        code = base64.b64encode(bytes(before) + _bytes(value)).decode()
        # The first and the last character may hold bits of what stands beside the value.
        core = code[before + (before > 0) : (before + len(_bytes(value))) * 8 // 6]
        yield from {core, core.replace("+", "-").replace("/", "_")}


def _form(value: str) -> str:
    """Return a pattern for the ways in which a value may be written."""
    letters = re.findall(r"[A-Za-z\d]", value, re.ASCII)
    if len(letters) < FEWEST:
        return re.escape(value)
    gap = GAP if len(letters) >= LONG and not "".join(letters).isdigit() else NARROW
    before, after = value[: value.index(letters[0])], value[value.rindex(letters[-1]) + 1 :]
    inner = gap.join(
        rf"(?:{letter}|{BEGINS[0]}0{{0,6}}{code:x}|{BEGINS[1]}{code:x}"
        rf"|{BEGINS[2]}(?:0{{0,6}}{code}(?!\d)|x0{{0,6}}{code:x});?)"
        for letter, code in zip(letters, map(ord, letters), strict=True)
    )
    return f"(?:{re.escape(before)})?{inner}(?:{re.escape(after)})?"


def _pieces(value: str) -> Generator[tuple[str, str]]:
    """Yield parts of a value of eight characters, each with a pattern that also takes in what stands beside it."""
    for start in range(0, len(value) - PIECE + 1 if len(value) >= 2 * PIECE else 0, PIECE // 2):
        piece, before, after = value[start : start + PIECE], "", ""
        if piece.isalpha() and (piece.islower() or piece.isupper() or piece.istitle()):
            continue  # perhaps a word
        for character in value[max(0, start - PIECE // 2) : start]:
            before = f"(?:{before}{re.escape(character)})?"
        for character in reversed(value[start + PIECE : start + PIECE + PIECE // 2]):
            after = f"(?:{re.escape(character)}{after})?"
        yield piece, f"{before}{re.escape(piece)}{after}"
