"""Masks secrets in everything that an endpoint sends: the key, the password, and the values of the URL's query.

A text is searched as it is and as what it may stand for (`_forms`): its JSON escapes, its percent-encoding and its HTML
entities undone, each of them alone, any two of them in turn, and all of them several times; with and without its tags.
What is found in one of these forms is masked where it stands in the text itself.

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
from collections.abc import Callable, Generator, Iterator
from itertools import compress, product, takewhile
from operator import eq
from typing import NamedTuple

from llmrank.backends.completion import Json

MASK = "[key]"
MAX_SEARCHED, MAX_FOUND = 1 << 18, 10_000
"""How long a text may be, and how much may be found in it: a search takes a second or two."""
MAX_DEPTH = 64
"""Maximum nesting of JSON that is read."""
LONG = 8
"""A secret with this many letters and digits is recognised whatever stands between them."""
FEWEST = 5
"""A secret with fewer letters and digits is only searched for with its punctuation."""
PIECE = 8
"""Length of the parts of a secret that are masked even if the rest of it is missing."""
ENTITY = r"(?ia)&(?:#\d{1,12}|#x[\da-f]{1,12}|[a-z]\w{1,31});?"
ANSWERS = frozenset({"message", "logprobs", "custom_id"})
"""JSON names under which an answer, or the id it belongs to, is found. The `message` of an error is a string, that of
an answer an object."""
LOWER = bytes(range(256)).lower()
NO_LETTERS = bytes(code for code in range(256) if not chr(code).isascii() or not chr(code).isalnum())
"""What may separate two letters of a secret: anything but an ASCII letter or digit."""
NARROW = NO_LETTERS.translate(None, b" \t\n\r\v\f,>[]()")
"""The same for a short or numeric secret, whose characters an answer may contain in order: `[1], [2], [3]`."""


def _bytes(text: str) -> bytes:
    # Lone surrogates cannot be encoded as UTF-8; in an environment variable they stand for undecodable bytes.
    return text.encode("utf-8", "surrogatepass")


def _unescaped(found: re.Match[bytes]) -> bytes:
    """Return what a backslash and the characters after it stand for in JSON, Python and C; a space for `\\n`."""
    code, braced, byte, octal, _, other = found.groups()
    if code or braced:
        return _bytes(chr(int(code or braced, 16)))
    return bytes.fromhex(byte.decode()) if byte else bytes([int(octal, 8)]) if octal else other or b" "


def _unquoted(found: re.Match[bytes]) -> bytes:
    code, byte = found.groups()
    return _bytes(chr(int(code, 16))) if code else bytes.fromhex(byte.decode())


DECODERS: dict[str, tuple[bytes, re.Pattern[bytes], Callable[[re.Match[bytes]], bytes]]] = {
    "t": (b"<", re.compile(rb"<[^<>]*>"), lambda _: b""),
    "h": (b"&", re.compile(ENTITY.encode()), lambda found: _bytes(html.unescape(found[0].decode()))),
    "u": (b"%", re.compile(rb"(?i)%(?:u([\da-f]{4})|([\da-f]{2}))"), _unquoted),
    "j": (
        b"\\",
        re.compile(rb"(?is)\\(?:u([\da-f]{4})|u\{([\da-f]{1,5})\}|x([\da-f]{2})|([0-3][0-7]{2})|([nrtbf])|(.))"),
        _unescaped,
    ),
    # The letters of full width, U+FF01 to U+FF5E, as East Asian keyboards write them.
    "w": (
        b"\xef",
        re.compile(rb"\xef(?:\xbc[\x81-\xbf]|\xbd[\x80-\x9e])"),
        lambda found: bytes([ord(found[0].decode()) - 0xFEE0]),
    ),
}
"""How tags, entities, percent-encoding, escapes and full width are undone: once, in time proportional to the text. Each
comes with the character without which there are none."""
PAIRS = ["".join(pair) for pair in product(DECODERS, repeat=2)]
CHAIN = [("huj" * 5)[:end] for end in range(1, 16)]
LONG_PATHS = ["t", *(one for path in CHAIN for one in (path, f"{path}t"))]
PATHS = [*DECODERS, *PAIRS, *(f"j{pair}" for pair in PAIRS), *LONG_PATHS, *(f"t{path}" for path in CHAIN)]
"""The decoders to apply in turn, the beginning of each path before it; for a long text only some. A body is JSON, so
the strings in it may be encoded twice more."""


class _Sought(NamedTuple):
    """A secret, or a part of one, as it is searched for."""

    part: bytes
    """In lower case, and without the characters that are ignored."""
    ignored: bytes = b""
    """The characters that may stand between those of `part`."""
    whole: bytes = b""
    """For a part of a secret: what it grows to where its neighbours follow."""
    begins: int = 0
    """Where the part begins in `whole`."""

    def found_in(self, text: bytes) -> Iterator[tuple[int, int]]:
        """Yield where each occurrence begins and ends, with those neighbours that follow it."""
        before, after = self.whole[: self.begins], self.whole[self.begins + len(self.part) :]
        at = text.find(self.part)
        while at >= 0:
            end = at + len(self.part)
            end += _alike(text[end : end + len(after)], after)
            yield at - _alike(text[max(0, at - len(before)) : at][::-1], before[::-1]), end
            at = text.find(self.part, end)


def _alike(one: bytes, other: bytes) -> int:
    """Return how many bytes at the beginning are the same."""
    return sum(takewhile(bool, map(eq, one, other)))


class Secrets:
    """Replaces secrets by `[key]`, however an endpoint writes them, in whole or in part."""

    def __init__(self, *values: str) -> None:
        """Empty values, and words too short to be secrets (`none`, `EMPTY`), are ignored: answers may contain them."""
        plain = {value for value in values if len(value) >= 8 or (len(value) >= 5 and not value.isalpha())}
        coded = {one for value in plain for one in (_bytes(value).hex(), *_in_base64(value))}
        coded |= {twice for one in coded for twice in _in_base64(one)}
        coded |= {value[::-1] for value in plain if len(value) >= 2 * PIECE}
        whole = [one for value in sorted(plain | coded, key=len, reverse=True) for one in _wholes(_bytes(value))]
        self._sought = tuple(dict.fromkeys([*whole, *(one for value in sorted(plain) for one in _pieces(value))]))
        self._ignored = {sought.ignored for sought in self._sought}

    def may_be_in(self, text: str) -> bool:
        """Return whether the text must be searched; fast, and False for almost every answer."""
        for _, form in _forms(_bytes(text)) if self._sought else ():
            texts = {ignored: form.translate(LOWER, ignored) for ignored in self._ignored}
            if any(sought.part in texts[sought.ignored] for sought in self._sought):
                return True
        return False

    def mask(self, text: str, sent: object = None) -> str:
        """Return the text with secrets masked. It is replaced entirely if it is too long to search and may contain one,
        or if it contains thousands. If `sent` (the JSON of the request) is given, the text is from its answer.
        """
        return self._mask(text, self._forms_in(sent)) if self.may_be_in(text) else text

    def masked(self, value: object, sent: object = None) -> Json:
        """Return the JSON value with secrets masked in all strings and names. Values nested too deeply are dropped.
        `sent` is the request (JSON) that it answers."""
        return self._masked(value, self._forms_in(sent))

    def _forms_in(self, sent: object) -> frozenset[bytes]:
        """Return the secrets that our own request contains."""
        text = json.dumps(sent, ensure_ascii=False) if sent else ""
        if len(text) > MAX_SEARCHED or not self.may_be_in(text):
            return frozenset()
        return frozenset(what for _, _, what in self._found(_bytes(text)))

    def _mask(self, text: str, kept: frozenset[bytes]) -> str:
        if not self.may_be_in(text):
            return text
        if len(text) > MAX_SEARCHED:
            return MASK
        data = _bytes(text)
        marks, last, parts = bytearray(len(data)), 0, list[bytes]()
        for count, (start, end, what) in enumerate(self._found(data)):
            if count == MAX_FOUND:
                return MASK
            if what in kept and not any(marks[start:end]):
                marks[start:end] = b"k" * (end - start)
            elif b"k" not in marks[start:end]:
                marks[start:end] = b"m" * (end - start)
        for found in re.finditer(rb"m+", marks):
            parts += data[last : found.start()], MASK.encode()
            last = found.end()
        return b"".join([*parts, data[last:]]).decode("utf-8", "surrogatepass")

    def _found(self, data: bytes) -> Generator[tuple[int, int, bytes]]:
        """Yield where each secret or part of one begins and ends, whole ones first, and the key by which occurrences
        are compared: its letters and digits, or if there are few, all of it."""
        forms, traced = dict(_forms(data)), {"": (data, [(at, at + 1) for at in range(len(data))])}
        for sought in self._sought:
            for path, form in forms.items():
                text = form.translate(LOWER, sought.ignored)
                if sought.part not in text:
                    continue
                used = form.translate(bytes(code not in sought.ignored for code in range(256)))
                places = list(compress(_traced(path, traced), used))
                for start, end in sought.found_in(text):
                    letters = text[start:end].translate(None, NO_LETTERS)
                    what = letters if len(letters) >= FEWEST else text[start:end]
                    yield places[start][0], places[end - 1][1], what

    def _masked(self, value: object, kept: frozenset[bytes], depth: int = 0, *, within: bool = False) -> Json:
        """`within` an answer, the secrets in `kept` are kept."""
        if isinstance(value, str):
            return self._mask(value, kept if within else frozenset())
        if isinstance(value, list | dict) and depth >= MAX_DEPTH:
            return None
        if isinstance(value, list):
            return [self._masked(one, kept, depth + 1, within=within) for one in value]
        if isinstance(value, dict):
            made: dict[str, Json] = {}
            for name, one in value.items():
                inner = within or (name in ANSWERS and not (name == "message" and isinstance(one, str)))
                made[self._mask(str(name), frozenset())] = self._masked(one, kept, depth + 1, within=inner)
            return made
        return value


def _forms(data: bytes) -> Generator[tuple[str, bytes]]:
    """Yield each different text that the text may stand for, and the path of decoders to it."""
    yield "", data
    if not any(sign in data for sign, _, _ in DECODERS.values()):
        return
    forms, seen, known = {"": data}, {data}, dict[tuple[str, bytes], bytes]()
    for path in PATHS if len(data) <= MAX_SEARCHED else LONG_PATHS:
        step = path[-1], forms[path[:-1]]
        if step not in known:
            sign, pattern, decoded = DECODERS[step[0]]
            known[step] = pattern.sub(decoded, step[1]) if sign in step[1] else step[1]
        form = forms[path] = known[step]
        if form not in seen:
            seen.add(form)
            yield path, form


def _traced(path: str, known: dict[str, tuple[bytes, list[tuple[int, int]]]]) -> list[tuple[int, int]]:
    """Return where each byte of the form at the end of the path begins and ends in the text. `known` holds forms with
    these places, that of the text first."""
    if path not in known:
        places, (_, pattern, decoded) = _traced(path[:-1], known), DECODERS[path[-1]]
        data, kept, last = known[path[:-1]][0], list[tuple[int, int]](), 0
        for found in pattern.finditer(data):
            span = places[found.start()][0], places[found.end() - 1][1]
            kept += places[last : found.start()] + [span] * len(decoded(found))
            last = found.end()
        known[path] = pattern.sub(decoded, data), kept + places[last:]
    return known[path][1]


def without_entities(text: str) -> str:
    """Return the text with its HTML entities decoded."""
    # One by one: `html.unescape` on the whole text would fail on a number of thousands of digits.
    return re.sub(ENTITY, lambda entity: html.unescape(entity[0]), text)


def _in_base64(value: str) -> Generator[str]:
    """Yield the base64 forms of a value, preceded by zero to two bytes (`Bearer `), in both alphabets."""
    for before in range(3):
        code = base64.b64encode(bytes(before) + _bytes(value)).decode()
        # The first and last characters may also encode bits of the neighbouring text.
        core = code[before + (before > 0) : (before + len(_bytes(value))) * 8 // 6]
        yield from {core, core.replace("+", "-").replace("/", "_")}


def _wholes(value: bytes) -> Generator[_Sought]:
    """Yield a value with its punctuation, and without; also as it is after decoding, if it seems to hold escapes."""
    for _, form in _forms(value):
        letters = form.translate(LOWER, NO_LETTERS)
        if form is value or len(letters) < FEWEST <= len(b"".join(form.split())):
            yield _Sought(form.lower())
        if len(letters) >= FEWEST:
            ignored = NO_LETTERS if len(letters) >= LONG and not letters.isdigit() else NARROW
            yield _Sought(form.translate(LOWER, ignored), ignored)


def _pieces(value: str) -> Generator[_Sought]:
    """Yield overlapping parts of a value, of eight characters."""
    for start in range(0, len(value) - PIECE + 1 if len(value) >= 2 * PIECE else 0, PIECE // 2):
        piece = value[start : start + PIECE]
        if piece.isalpha() and (piece.islower() or piece.isupper() or piece.istitle()):
            continue  # perhaps an ordinary word
        # What is found grows by its neighbours, but not by half of a character.
        whole, begins = (value, start) if value.isascii() else (piece, 0)
        yield _Sought(_bytes(piece).lower(), whole=_bytes(whole).lower(), begins=begins)
