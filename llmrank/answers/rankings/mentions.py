"""Pieces of text: whether one is a title, a remark or a sentence, and which item it names."""

from __future__ import annotations

import re

from llmrank.answers.items.listing import Mention
from llmrank.answers.items.matching import TitleIndex
from llmrank.answers.rankings.choosing import PARENTHESIS
from llmrank.answers.text.normalise import EAST_ASIAN, caseless
from llmrank.answers.text.phrases import is_tier

Mentions = list[Mention]
_PRICE = re.compile(r" \([$€£] ?\d[\d.,]{0,9}\)$")
"""`Kettle ($29.99)`"""
HEADING = caseless(
    r"^(?:#|\*\*[^*:\n]{0,100}:\*\*)|\b(?:here (?:are|is)|here['’]s|recommendations?|ranking|ranked (?:list|order)"
    r"|top[- ]?\d+|reordered|re-ranked|list of|candidates?)\b|:\W{0,6}$"
)
CHATTER = caseless(
    r"(?:none|neither|nothing|however|sure|certainly|absolutely|of course|okay|ok|yes|no|great|thanks?|thank you"
    r"|i hope|hope|enjoy|note|please"
    r"|let me|these|this|based on|output|answer|i['’]m sorry|i can['’]?t|i cannot|as an ai|error|http)\b"
)
_NOTE = re.compile(r" \[(?:[^\[\]\d]{1,40}|\d{1,3}(?:\.\d{1,2})?%?)\]$")
"""`Heat [a classic]`, `Heat [9.5]`"""
_PLACE = caseless(r"\d{1,3}(?:st|nd|rd|th)(?: place)?")
_WITH_IDENTIFIER = re.compile(r"\[\d{1,4}\][ .:-]{1,3}(?=[^\W\d])")
_PREPOSITIONS = frozenset(("from", "with", "into", "upon", "over"))
EAST_ASIAN_WORD = re.compile(rf"[{EAST_ASIAN}]{{2}}")


def mention_of(text: str, index: TitleIndex, line: int = 0) -> Mention:
    """Return the text, without emphasis and quotation marks around it, with its match as one title."""
    plain = bare(text)
    match = (index.exact(text) if plain != text else None) or index.find(plain)
    if match is None and not plain.isascii() and (end := _SYMBOLS.search(plain)):
        match = index.find(plain[: end.start()])  # Heat 1995 👍
    if match is not None or len(text) > _TITLE_LIMIT:
        return Mention(plain, match, line)
    if text[:1] == "[" and (identifier := _WITH_IDENTIFIER.match(text)):
        return mention_of(text[identifier.end() :], index, line)  # [3] Heat
    if text[-1:] == ")" and (version := _VERSION.search(text)):
        return mention_of(f"{text[: version.start()]} ({version[1]})", index, line)  # "Hurt" (the Johnny Cash version)
    if text[-1:] in ("]", ")") and (note := _NOTE.search(text) or _PRICE.search(text)):
        return mention_of(text[: note.start()], index, line)
    return Mention(plain, match, line)


_VERSION = caseless(
    r"[\"”]? ?\((?:the )?([^()\n]{2,60}?)(?:['’]s)? (?:version|original|cover|recording|one|adaptation)\)$"
)
_SYMBOLS = re.compile(r"(?<![\s\u2190-\u2bff\U0001f000-\U0001faff])[\s\u2190-\u2bff\U0001f000-\U0001faff]+$")
_TITLE_LIMIT = 1000
"""Maximum length of a title with identifiers and notes around it."""


def bare(text: str) -> str:
    """Return the text without emphasis and quotation marks around it."""
    plain = text.strip(' \t*_`"“”„«»,;[]').strip("'‘’ ") if text else text
    return f"{plain}]" if plain[-1:].isdigit() and plain.rfind("[") > plain.rfind("]") else plain


def _content_words(text: str) -> list[str]:
    words = PARENTHESIS.sub(" ", text[:400]).split()
    return [word for word in words if len(word) > 3 and word[0].isalpha() and word not in _PREPOSITIONS]


def is_sentence(text: str) -> bool:
    """Return whether the text is prose: five or more words, with at least two, and half, of the longer ones in lower
    case."""
    words = _content_words(text)
    return len(text[:400].split(maxsplit=6)) >= 5 and 2 * sum(word[0].islower() for word in words) >= max(4, len(words))


def is_remark(text: str) -> bool:
    """Return whether the text is a remark on a title: it has no letters, or lower-case words as no title has them."""
    is_said = text.endswith(".")
    text = text.strip(" -–—:,.;()\t*_")
    if not any(map(str.isalpha, text[:400])) or _PLACE.fullmatch(text):
        return True
    words = _content_words(text)
    lower = sum(word[0].islower() for word in words)
    return lower >= 1 and 2 * lower >= len(words) and (text[0].islower() or lower >= 2 or is_said)


_ASIDE = re.compile(r"\([^()]{0,200} [^()]{0,200}\)")


def is_title_like(text: str) -> bool:
    """Return whether an unmarked line without a candidate is meant as a title."""
    plain = bare(text)
    return (
        0 < len(plain) <= 200
        and any(map(str.isalpha, plain))
        and not HEADING.search(text[:200])
        and not CHATTER.match(plain)
        and not is_tier(plain)
        and plain[0] not in "↓↑"
        and not _ASIDE.fullmatch(plain)
        and not (plain.endswith(".") and EAST_ASIAN_WORD.search(plain))
        and not is_sentence(plain)
    )
