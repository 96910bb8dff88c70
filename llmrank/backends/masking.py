"""Masks secrets in everything that an endpoint sends: the key, the password, and the values of the URL's query.

There is one exception: what our own request contains. A private server accepts any key, so a key may equal a title or
an item's id (`star-wars`, `12345`), and masking it would change the ranking. Leaving it reveals nothing, since the
request is stored and shown unmasked. The rule for each call: a secret in the answer itself (its message, its
log-probabilities, or the id of a batch's line) is left if the request contains the same letters and digits. Everywhere
else in the reply, and in every error, it is masked.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Generator
from functools import cached_property
from urllib.parse import unquote

from llmrank.backends.completion import Json

MASK = "[key]"
MAX_SEARCHED = 1 << 18
"""Maximum length of a text to search. Searching it takes a second, during which no other call proceeds."""
MAX_DEPTH = 64
"""Maximum nesting of JSON that is read."""
LONG = 8
"""A secret with this many letters and digits is recognised whatever stands between them."""
FEWEST = 5
"""A secret with fewer letters and digits is only searched for literally."""
PIECE = 8
"""Length of the parts of a secret that are masked even if the rest of it is missing."""
CODE = r"0{0,6}(?:3\d|[46][1-9a-f]|[57][\da])"
"""The hexadecimal code of an ASCII letter or digit, and below it the decimal one."""
DECIMAL = r"0{0,6}(?:4[89]|5[0-7]|6[5-9]|[78]\d|9[0789]|1[01]\d|12[012])(?!\d)"
BEGINS = r"\\{1,8}[ux]", r"%(?:25){0,4}", r"&(?:amp;){0,4}#"
"""Prefixes of characters escaped in JSON, in a URL and in HTML, once or several times. All quantifiers are bounded or
possessive, so that matching takes linear time."""
ESCAPED = rf"{BEGINS[0]}{CODE}|{BEGINS[1]}{CODE}|{BEGINS[2]}(?:{DECIMAL}|x{CODE})"
"""An escaped letter or digit."""
GAP = (
    rf"(?:<[^<>]*>|&(?:amp;){{0,4}}(?!amp;)[a-z]{{2,8}};|(?!{ESCAPED})(?:\\{{1,8}}(?:[nrtbf]|u00[\da-f]{{2}}"
    rf"|x[\da-f]{{2}})|{BEGINS[1]}[\da-f]{{2}}|{BEGINS[2]}x?[\da-f]{{1,8}};?|[^a-z\d]))*+"
)
"""What may separate two letters of a secret: its own punctuation in any notation, a tag, a line break."""
NARROW = GAP.replace(r"[^a-z\d]", r"[^a-z\d\s,>\[\]()]")
"""The same for a short or numeric secret, whose characters an answer may contain in order: `[1], [2], [3]`."""
ENTITY = re.compile(r"&(?:#\d{1,12}|#x[\da-f]{1,12}|[a-z]\w{1,31});?", re.IGNORECASE | re.ASCII)
TAG = re.compile(r"<[^<>]*>")
JSON_ESCAPE = re.compile(r"\\{1,8}(?:(?:u00|x)([\da-f]{2})|[nrtbf])", re.IGNORECASE)
SQUEEZED = bytes(range(256)).lower()
ANSWERS = frozenset({"message", "logprobs", "custom_id"})
"""JSON names under which an answer, or the id it belongs to, is found. The `message` of an error is a string, that of
an answer an object."""
NO_LETTERS = bytes(code for code in range(256) if not chr(code).isascii() or not chr(code).isalnum())


class Secrets:
    """Replaces secrets by `[key]`, however an endpoint writes them, in whole or in part."""

    def __init__(self, *values: str) -> None:
        """Empty values, and words too short to be secrets (`none`, `EMPTY`), are ignored: answers may contain them."""
        plain = {value for value in values if len(value) >= 8 or (len(value) >= 5 and not value.isalpha())}
        coded = {one for value in plain for one in (_bytes(value).hex(), *_in_base64(value))}
        self._values = sorted(plain | coded, key=len, reverse=True)
        self._pieces = {one: piece for value in sorted(plain) for one, piece in _pieces(value)}
        self._signs = tuple({_squeezed(one) for one in (*self._pieces, *(value[:PIECE] for value in self._values))})

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("|".join([*map(_pattern_for, self._values), *self._pieces.values()]), re.IGNORECASE)

    def may_be_in(self, text: str) -> bool:
        """Return whether the text must be searched; fast, and False for almost every answer."""
        if not self._signs:
            return False
        # Escapes may be nested: a URL in HTML in JSON.
        for _ in range(5):
            # A tag may separate two letters, or contain all of them.
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
        """Return the text with secrets masked. A text too long to search is replaced entirely if it may contain one.

        If `sent` (the JSON of the request) is given, the text is from its answer.
        """
        return self._mask(text, self._forms_in(sent)) if self.may_be_in(text) else text

    def masked(self, value: object, sent: object = None) -> Json:
        """Return the JSON value with secrets masked in all strings and names. Values nested too deeply are dropped.
        `sent` is the request (JSON) that it answers."""
        return self._masked(value, self._forms_in(sent))

    def _forms_in(self, sent: object) -> frozenset[str]:
        """Return the secrets that our own request contains."""
        text = json.dumps(sent, ensure_ascii=False) if sent else ""
        if len(text) > MAX_SEARCHED or not self.may_be_in(text):
            return frozenset()
        return frozenset(_comparison_key(found[0]) for found in self._pattern.finditer(text))

    def _mask(self, text: str, kept: frozenset[str]) -> str:
        if not self.may_be_in(text):
            return text
        if len(text) > MAX_SEARCHED:
            return MASK
        return self._pattern.sub(lambda found: found[0] if kept and _comparison_key(found[0]) in kept else MASK, text)

    def _masked(self, value: object, kept: frozenset[str], depth: int = 0, *, within: bool = False) -> Json:
        """`within` an answer, the secrets in `kept` are kept."""
        if isinstance(value, str):
            return self._mask(value, kept if within else frozenset())
        if isinstance(value, list | dict) and depth >= MAX_DEPTH:
            return None
        if isinstance(value, list):
            return [self._masked(one, kept, depth + 1, within=within) for one in value]
        if isinstance(value, dict):
            return {
                self._mask(str(name), frozenset()): self._masked(
                    one,
                    kept,
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
    # Lone surrogates cannot be encoded as UTF-8; in an environment variable they stand for undecodable bytes.
    return text.encode("utf-8", "surrogatepass")


def _comparison_key(found: str) -> str:
    """Return a key by which occurrences are compared: the letters and digits, or if there are few, the text itself."""
    squeezed = _squeezed(found)
    return squeezed.decode() if len(squeezed) >= FEWEST else found.casefold()


def without_entities(text: str) -> str:
    """Return the text with its HTML entities decoded."""
    # One by one: `html.unescape` on the whole text would fail on a number of thousands of digits.
    return ENTITY.sub(lambda entity: html.unescape(entity[0]), text)


def _in_base64(value: str) -> Generator[str]:
    """Yield the base64 forms of a value, preceded by zero to two bytes (`Bearer `), in both alphabets."""
    for before in range(3):
        code = base64.b64encode(bytes(before) + _bytes(value)).decode()
        # The first and last characters may also encode bits of the neighbouring text.
        core = code[before + (before > 0) : (before + len(_bytes(value))) * 8 // 6]
        yield from {core, core.replace("+", "-").replace("/", "_")}


def _pattern_for(value: str) -> str:
    """Return a pattern for all notations of a value."""
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
    # Before an n, say, the gap would take the secret's own backslash for the start of an escape. JSON doubles it.
    literal = re.escape(value).replace(r"\\", r"\\{1,8}")
    return f"(?:{literal}|(?:{re.escape(before)})?{inner}(?:{re.escape(after)})?)"


def _pieces(value: str) -> Generator[tuple[str, str]]:
    """Yield overlapping parts of a value, of eight characters, each with a pattern that includes its neighbours."""
    for start in range(0, len(value) - PIECE + 1 if len(value) >= 2 * PIECE else 0, PIECE // 2):
        piece, before, after = value[start : start + PIECE], "", ""
        if piece.isalpha() and (piece.islower() or piece.isupper() or piece.istitle()):
            continue  # perhaps an ordinary word
        for character in value[max(0, start - PIECE // 2) : start]:
            before = f"(?:{before}{re.escape(character)})?"
        for character in reversed(value[start + PIECE : start + PIECE + PIECE // 2]):
            after = f"(?:{re.escape(character)}{after})?"
        yield piece, f"{before}{re.escape(piece)}{after}"
