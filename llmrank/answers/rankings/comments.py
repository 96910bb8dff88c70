"""Safety net: count words around a ranking or choice that may contradict it.

Nothing here decides what is read; that is done by rules that understand a sentence (`doubt.py`, `phrases.py`). This
module looks for single words that such sentences cannot do without: `not`, `if`, `instead`, `lowest`. Ordinary
introductions and closings, words inside titles, and directions that were already applied are excluded. An answer with
any other such word is never `ok`: it is `repaired` (`commented`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from llmrank.answers.items.listing import Mention
from llmrank.answers.rankings.doubt import LOWER_IS_BETTER, bare_title
from llmrank.answers.text.normalise import Pattern, caseless
from llmrank.answers.text.phrases import BEST_FIRST, WORST, WORST_FIRST
from llmrank.types import Item

_WORDS = (
    # negation
    r"not|\w+n['’]t|cannot|no|none|never|neither|nor|without|unable|nothing|nobody",
    # conditional or hypothetical
    r"if|unless|once|depends?|depending|suppos\w+|assum\w+|hypothetical\w*|unsure|uncertain|otherwise|whereas",
    # an example, or a question to the user
    r"examples?|e\.g|instance|template|layout|placeholder|sample|provided?|share|send",
    # reversed
    rf"{WORST}|less|lower|worse|weaker|fewest|last|reversed?|ascending|increasing|opposite|unlikely|most un\w+"
    r"|un\w+sten|dislikes?|hates?|avoid|skip|discard\w*|eliminat\w+|reject\w*|exclu(?!siv)\w+|omit\w*|smaller"
    r"|smallest",
    # retracted
    r"instead|however|except|yet|actually|wait|swap\w*|should|rather|correction|mistake|sorry"
    r"|unfortunately|afraid|initial|draft|earlier",
    # determined by something other than the user's taste
    r"alphabetical\w*|chronological\w*|releases?|released|dates?|prices?|costs?|cheapest|expensive|box office"
    r"|gross|popularity|popular|critics?|critical\w*|acclaimed|rating|rated|random\w*|arbitrar\w+|voters?|runtime"
    r"|length|shown|original\w*|respectively|ranks (?:of|for)|tied?|ties|equal\w*|both|either|alternatively|ends?",
)
_TASTE = r"genres?|themes?|tone|directors?|cast|actors|style"
_ENTRIES = r"(?:ones?|entries|picks|titles|items|films|movies|books|games)"
_ORDINARY = (
    # an offer
    r"(?:let me know|feel free|don['’]t hesitate)\b[^.!\n]*|if you (?:have|need|want|would|['’]d)\b[^.!\n]*",
    r"why not|if i had to|can['’]t (?:wait|go wrong)|once you(?:['’]ve| have)? (?:watched|seen|read|played|tried)",
    # the request, and what the user did before
    r"(?:the|this|your|these) (?:\w+ )?provided|you(?:['’]ve| have)? provided",
    r"(?:do|does|did|have|has|had)(?:n['’]t| not)(?: yet)? (?:seem|appear|watched|seen|rated|read|interacted"
    r"|shown(?= (?:\w+ )?interest))",
    r"(?:you|user|viewer|reader|they)(?: (?:has|have)|['’]ve)? rated|(?:rated|rates) (?:\w+ ){0,3}highly",
    # the reason for the ranking
    rf"(?:{_TASTE})\b(?:(?!\b(?:not|no|but|only|instead|ignor\w+)\b)[^.:;\n]){{0,60}}"
    r"\b(?:release (?:years?|dates?|periods?)|ratings?|popularity)",
    rf"(?:that|which|they|these|all|{_ENTRIES}) share|predicted ratings?",
    r"should (?:appeal|suit|fit|match|resonate|help|be (?:right|an?|your|very|of))",
    rf"(?:lower|bottom|last|later)(?:-ranked)? {_ENTRIES}\b[^.;\n]{{0,40}}\b(?:less|least|lower|weaker)",
    r"at least|not (?:only|just)|last but not least|no doubt|no\.? ?\d+",
)
_SIGNS = 2000


def comments(beside: Iterable[str], items: Sequence[Item]) -> int:
    """Count the lines with a word, outside the items' titles, that may contradict the answer."""
    return _lines_with(_TROUBLE, [_without_known(line) for line in beside if _TROUBLE.search(line[:_SIGNS])], items)


_TROUBLE = caseless(rf"(?<![\w.])(?:{'|'.join(_WORDS)})(?![\w])")


def _without_known(line: str) -> str:
    line = line[:_SIGNS]
    for pattern in (_HARMLESS, *_KNOWN):
        line = pattern.sub(" ", line)
    return line


_HARMLESS = caseless(rf"\b(?:{'|'.join(_ORDINARY)})\b")
"""Harmless uses of such words in ordinary introductions and closings."""
_KNOWN = (WORST_FIRST, BEST_FIRST, LOWER_IS_BETTER)
"""Directions that have already been recognised and applied."""


def _lines_with(words: Pattern, lines: Iterable[str], items: Sequence[Item]) -> int:
    """Count the lines with one of these words outside the items' titles."""
    found = [line for line in lines if words.search(line)]
    titles: dict[str, list[tuple[int, str]]] = {}
    for item in items if found else ():
        title = bare_title(item)
        for word in words.finditer(title):
            titles.setdefault(word[0], []).append((word.start(), title))
    return sum(any(not _is_of_a_title(word, titles) for word in words.finditer(line)) for line in found)


def _is_of_a_title(word: re.Match[str], titles: Mapping[str, Sequence[tuple[int, str]]]) -> bool:
    """Return whether a word belongs to a title: to the part of it that the line contains, or to all of it in quotes."""
    for at, title in titles.get(word[0].lower(), ()):
        start = word.start() - at
        shown = word.string[start : start + len(title)].lower() if start >= 0 else ""
        quoted = word.string[max(0, start - 1) : start] in {*"\"'“*"}
        if shown and title.startswith(shown) and (len(shown) > len(word[0]) or quoted):
            return True
    return False


def comments_around(mentions: Sequence[Mention], text: str, items: Sequence[Item]) -> int:
    """Count the places around the entries of a ranking with a word that may contradict it.

    Words about a single entry do not count, unless they call it the worst.
    """
    lines = text.split("\n")
    own: dict[int, list[str]] = {}
    for mention in mentions:
        if 0 < mention.line <= len(lines) and mention.text:
            own.setdefault(mention.line, []).append(mention.text)
    before, behind = [], []
    for number, texts in own.items():
        line = lines[number - 1][:_SIGNS]
        first = texts[0] if texts[0] in line else texts[0].split(maxsplit=1)[0]  # **Heat** (1995)
        head, _, rest = line.partition(first)
        before.append(head)
        behind.append(rest.rpartition(texts[-1])[2] if len(texts) > 1 else rest)
    beside = [*_beside(lines, sorted(own)), *before]
    if len(own) == 1:
        return comments([*beside, *behind], items)
    beside += (rest for rest, texts in zip(behind, own.values(), strict=True) if len(texts) > 1)
    return comments(beside, items) + _lines_with(_CALLED_WORST, behind, items)


_CALLED_WORST = caseless(rf"(?<!\w)(?:{WORST})(?!\w)")


_REASON = caseless(
    r"\"(?:reason\w{0,4}|why|explanation|rationale|justification|comment|description|summary)\" ?: ?\"[^\"\n]*\""
)
"""JSON fields that explain one entry."""


def _beside(lines: Sequence[str], own: Sequence[int]) -> list[str]:
    """Return the lines before and after a ranking, and the headings within it.

    The last entry has as many lines of its own as the other entries have (`Reason: …`).
    """
    if not own:
        return _REASON.sub(" ", "\n".join(lines)).split("\n")
    each = min((two - one - 1 for one, two in pairwise(own)), default=0)
    headings = (line for line in lines[own[0] : own[-1] - 1] if line.rstrip(" *_").endswith(":"))
    return [*lines[: own[0] - 1], *headings, *lines[own[-1] + each :]]
