"""What an answer says around its ranking or its choice, and whether that may speak against it.

Nothing here decides what is read: rules that know what a sentence says do that (`doubt.py`, `phrases.py`). Here single
words are looked for that such sentences can't do without. An answer with one of them is never `ok`, whether or not a
rule knows the sentence: it is `repaired` (`commented`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from llmrank.answers.doubt import LOWER_IS_BETTER
from llmrank.answers.listing import Mention
from llmrank.answers.phrases import BEST_FIRST, WORST, WORST_FIRST

_WORDS = (
    # it says no to something
    r"not|\w+n['’]t|cannot|no|none|never|neither|nor|without|unable|nothing|nobody",
    # it depends, or is only supposed
    r"if|unless|once|depends?|depending|suppos\w+|assum\w+|hypothetical\w*|unsure|uncertain|otherwise|whereas",
    # it is an example, or a question back
    r"examples?|e\.g|instance|template|layout|placeholder|sample|provided?|share|send",
    # the other way round
    rf"{WORST}|less|lower|worse|weaker|poorest|fewest|last|reversed?|ascending|increasing|opposite|unlikely|most un\w+"
    r"|un\w+sten|dislikes?|hates?|avoid|skip|discard\w*|eliminat\w+|reject\w*|exclu(?!siv)\w+|omit\w*|smaller|smallest",
    # taken back
    r"instead|however|except|yet|actually|wait|swap\w*|should|rather|correction|mistake|sorry"
    r"|unfortunately|afraid|initial|draft|earlier",
    # made by something else than the user's taste
    r"alphabetical\w*|chronological\w*|releases?|released|dates?|prices?|costs?|cheapest|expensive|box office"
    r"|gross|popularity|popular|critics?|critical\w*|acclaimed|rating|rated|random\w*|arbitrar\w+|voters?|runtime"
    r"|length|shown|original\w*|respectively|ranks (?:of|for)|tied?|ties|equal\w*|both|either|alternatively|ends?",
)
_TROUBLE = re.compile(rf"(?<![\w.])(?:{'|'.join(_WORDS)})(?![\w])", re.IGNORECASE)
_HARMLESS = re.compile(
    r"\b(?:let me know|feel free|don['’]t hesitate)\b[^.!\n]*|\bif you (?:have|need|want|would|['’]d)\b[^.!\n]*"
    r"|\bat least\b|\bwhy not\b|\bcan['’]t (?:wait|go wrong)\b|\bno\.? ?\d",
    re.IGNORECASE,
)
_KNOWN = (WORST_FIRST, BEST_FIRST, LOWER_IS_BETTER)
"""Directions that the reader has heard and followed."""
_CALLED_WORST = re.compile(rf"(?<!\w)(?:{WORST})(?!\w)", re.IGNORECASE)
_SIGNS = 2000


def comments(said: Iterable[str]) -> int:
    """Return in how many lines a word stands that may speak against what is read."""
    return sum(_TROUBLE.search(_without_known(line[:_SIGNS])) is not None for line in said)


def _without_known(line: str) -> str:
    for pattern in (_HARMLESS, *_KNOWN):
        line = pattern.sub(" ", line)
    return line


def comments_around(mentions: Sequence[Mention], text: str) -> int:
    """Return in how many places around the entries of a ranking a word stands that may speak against it.

    What is said of one entry may be anything, if it does not call it the worst.
    """
    lines = text.split("\n")
    own: dict[int, list[str]] = {}
    for mention in mentions:
        if 0 < mention.line <= len(lines) and mention.text:
            own.setdefault(mention.line, []).append(mention.text)
    before, behind = [], []
    for number, texts in own.items():
        head, _, rest = lines[number - 1][:_SIGNS].partition(texts[0])
        before.append(head)
        behind.append(rest.rpartition(texts[-1])[2] if len(texts) > 1 else rest)
    alone = len(own) == 1
    return comments([*_beside(lines, sorted(own)), *before, *(behind if alone else ())]) + sum(
        _CALLED_WORST.search(one) is not None for one in (() if alone else behind)
    )


_REASON = re.compile(
    r"\"(?:reason\w{0,4}|why|explanation|rationale|justification|comment|description|summary)\" ?: ?\"[^\"\n]*\"",
    re.IGNORECASE,
)
"""What JSON says of one entry."""


def _beside(lines: Sequence[str], own: Sequence[int]) -> list[str]:
    """Return the lines before and behind a ranking, and the headings within it.

    Behind the last entry as many lines are its own as each entry has (`Reason: …`).
    """
    if not own:
        return _REASON.sub(" ", "\n".join(lines)).split("\n")
    each = min((two - one - 1 for one, two in pairwise(own)), default=0)
    headings = (line for line in lines[own[0] : own[-1] - 1] if line.rstrip(" *_").endswith(":"))
    return [*lines[: own[0] - 1], *headings, *lines[own[-1] + each :]]
