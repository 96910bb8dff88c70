"""Runs: the unbroken series of identifiers in a line, and what the words around them say of their order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from llmrank.answers.items.identifiers import Word, naming, starts_with_identifier
from llmrank.answers.text.normalise import Pattern, caseless

_SEPARATOR = re.compile(r"[\s,;<>→|=\[\](){}\"'`“”«»*_~/&#.-]*+")
DISMISSED = caseless(
    r"\b(?:not|n['’]t|never|less|(?<!\()(?<![-–—:] )least|ir) ?(?:relevant|recommended|included|suitable|ranked|listed"
    r"|selected|likely)\b|\b(?:would|do|should)(?: not|n['’]t) (?:show|recommend|include|suggest|list|offer)\b"
    r"|\bleave\b[^.;\n]{0,30}\bout\b|\b(?:is|are) not(?=\W*$|[.;])"
    r"|\b(?:irrelevant|excluded|left out|omitted|unlikely|ignored)\b"
)
"""Words about items that are not part of the list."""
BOTTOM = caseless(r"\b(?:bottom|worst|weakest|lowest)(?: (?:\d{1,2}|two|three|four|five|picks?|choices?|matches))?:")
"""`Top 3: [4], [3], [5]. Bottom 3: [9], [10], [2].`"""
_THAN = caseless(r"\b(?:than|beats|above|over|outranks|ahead of)\b")
_BOTH = caseless(r"\b(?:both(?: of)?|such as|including)\W*$")
_ARE_BOTH = caseless(r"[\])*\s]{0,4} ?(?:are|were) both\b")
_AND = re.compile(r"\W{0,3}(?:and|&)\W{0,3}")
_ENDS_HEADING = re.compile(r"[\])*]{0,3}: ")
_OR = re.compile(r"\bor\b")
_ARE = re.compile(r"[\]\s,]{0,4}(?:are|is|were|have|all|both)\b")
_ASIDE = re.compile(r"\([^()]{3,200}\)")
_LEAST = caseless(r"\b(?:least|worst|lowest|weakest)\b(?! to\b)")
SENTENCE_ENDS = re.compile(r"(?<=[\w\])][.!?;]) (?=[A-Z(\[])")
_STOP = re.compile(r"[\])*_]{0,3}[.!?;] ")
_CLAUSES = re.compile(r"(?<= [a-z]{3})[\w ]{0,40}[,;] (?=[\[(])")
IN_ORDER = caseless(r"\b(?:then|followed by|finally|next|after that|lastly|dann|ensuite|puis|luego|después|затем)\b")
_PUTS = caseless(
    r"\bi(?:['’]d| would|['’]ll| will)? (?:put|rank|place|list|start with|begin with|pick|choose) \W{0,3}$"
)
"""`I'd put 4 first, then 1`"""
_NEVER = caseless(r", (?:but )?(?:not|never)\b")
DENIED = caseless(
    r"\b(?:not|(?:ca|wo|do|would|could|should)n['’]t|never|neither|nor|avoid|left out|leave out|omit\w*|exclud\w*"
    r"|skip\w*|remov\w*|drop\w*|discard\w*|instead"
    r"|rather than|beats?|unlike|worse|except|error|cannot|unable|limit|nicht|pas|não|niet|не)\b")  # fmt: skip


class Run(NamedTuple):
    """A series of identifiers in a line that is read as a list."""

    text: str
    """The line."""
    words: list[Word]
    named: list[Word]
    """All identifiers of the line."""
    talks: bool
    """Whether the line has words that cannot stand between identifiers."""

    @property
    def before(self) -> str:
        """Return the text before the run."""
        return self.text[: self.words[0].start]

    @property
    def gaps(self) -> list[str]:
        """Return the texts between its words; for a single word, the text after it."""
        text, end = self.text, self.words[-1].end
        return [text[one.end : two.start] for one, two in pairwise(self.words)] or [text[end : end + 4]]

    def says_same_of_all(self) -> bool:
        """Return whether the line says the same about every item: `both A and B`, `[1] and [2]: in another edition`."""
        first, last = self.words[0], self.words[-1]
        if _ARE_BOTH.match(self.text, last.end):
            return True
        different = count_different(self.words)
        twice = len(self.words) - different > 1  # both A > B and B > A
        if different == 1 or not (len(self.words) == 2 or twice):
            return False
        if _BOTH.search(self.before[-30:]):
            return True
        paired = len(self.words) == 2 and _AND.fullmatch(self.text, first.end, last.start)
        return bool(paired and _ENDS_HEADING.match(self.text, last.end))

    def is_told_in_order(self) -> bool:
        """Return whether a sentence passes from one item to the next: `C is the best, then A`."""
        all_named = count_different(self.named)
        if not self.talks or count_different(self.words) == all_named or not IN_ORDER.search(self.text[:2000]):
            return False
        if not self.words[0].bracketed:
            begins = starts_with_identifier(self.named[0], self.text)
            if _NEVER.search(self.text[:2000]) or _LEAST.search(self.before):
                return False  # C, then A, never B
            return begins or _PUTS.search(self.text[: self.named[0].start][-40:]) is not None
        return all_named == len(self.named) and not DENIED.search(self.text[:2000])

    def lacks_the_first(self) -> bool:
        """Return whether a sentence names items before the run that are not in it: `I'd put 5 first, then 2 and 4`."""
        return self.talks and len(self.words) > 1 and all(word.text != self.named[0].text for word in self.words)

    def is_compared(self) -> bool:
        """Return whether a sentence compares items one by one, and names some again: `B beats A, and A beats C`."""
        different, words = count_different(self.named), {word.text for word in self.words}
        again = sum(word.text in words for word in self.named) > len(self.words)
        compares = not re.search(r"[<>]", self.text[:2000]) and _THAN.search(self.text[:2000]) is not None
        circular = compares and self.named[0].text == self.named[-1].text
        return self.talks and again and (circular or (different > len(words) and (len(words) < 3 or compares)))

    def is_unordered(self, gaps: list[str]) -> bool:
        """Return whether three or more identifiers have no order: `A = B = C`, `A, B and C are fine`, `A, B or C`."""
        as_shown = [word.position for word in self.words] == [*range(len(self.words))]
        return len(self.words) > 2 and (
            all("=" in gap and ">" not in gap for gap in gaps)
            or (as_shown and _ARE.match(self.text, self.words[-1].end) is not None)
            or any(_OR.search(gap) and ">" not in gap for gap in gaps)  # but: Hell or High Water
        )


def count_different(words: list[Word]) -> int:
    """Return the number of different identifiers."""
    return len({word.text for word in words})


def with_ranges(run: Sequence[Word], ranged: Sequence[bool]) -> list[int]:
    """Return the items of a run, with those inside its ranges (`5-7`)."""
    places = [word.position for word in run if word.position is not None]
    if len(places) < len(run):
        return []
    inner = [range(one + 1, two) if dash else () for (one, two), dash in zip(pairwise(places), ranged, strict=True)]
    return [at for place, between in zip(places, [*inner, ()], strict=True) for at in (place, *between)]


def without_bottom(text: str, words: list[Word]) -> list[Word]:
    """Turn the identifiers in sentences that list the worst items into plain words."""
    kept = _without(_dismissed(text, SENTENCE_ENDS, BOTTOM), words)
    return kept if naming(kept) else words


def without_dismissed(text: str, words: list[Word]) -> list[Word]:
    """Turn the identifiers in sentences that exclude items into plain words, if another sentence names items."""
    kept = _without(_dismissed(text, SENTENCE_ENDS), words)
    if len(naming(words)) < 3 and not re.search(r"[>:]", text):
        return kept  # H and J are comedies, so they are left out
    if not naming(kept):  # [5] is the closest, [6] and [7] are left out
        kept = _without(_dismissed(text, _CLAUSES), words)
    if not naming(kept):  # B > A (C is left out)
        kept = _without([found.span() for found in _ASIDE.finditer(text) if DISMISSED.search(found[0])], words)
    return kept if naming(kept) else words


def _dismissed(text: str, ends: re.Pattern[str], words: Pattern = DISMISSED) -> list[tuple[int, int]]:
    """Return the start and end of the parts of a text that exclude items."""
    bounds = [0, *(found.end() for found in ends.finditer(text)), len(text)]
    return [(start, end) for start, end in pairwise(bounds) if words.search(text[start:end])]


def _without(spans: Sequence[tuple[int, int]], words: list[Word]) -> list[Word]:
    """Turn the identifiers within the spans into plain words."""
    kept: list[Word] = []
    at = 0
    for word in words:
        while at < len(spans) and spans[at][1] <= word.start:
            at += 1
        inside = at < len(spans) and spans[at][0] <= word.start
        kept.append(word._replace(kind="other", position=None) if inside else word)
    return kept


def has_rival(run: list[Word], runs: Sequence[list[Word]]) -> bool:
    """Return whether another run has some of the same items in another order."""
    order, *others = (dict.fromkeys(word.position for word in one) for one in (run, *runs))
    places = {position: place for place, position in enumerate(order)}
    common = ([places[position] for position in other if position in places] for other in others)
    return any(sorted(one) != one for one in common)


def runs_of(text: str, words: list[Word]) -> list[list[Word]]:
    """Return the unbroken series of identifiers in a text. A sentence about an item (`C > A. D is slow.`) ends one."""
    runs: list[list[Word]] = [[]]
    end, said = 0, {word.start for word in words if word.kind == "other"}
    for word, after in zip(reversed(words[:-1]), reversed(words[1:]), strict=True):
        if after.start in said and not _STOP.match(text, word.end):
            said.add(word.start)
    for word in words:
        stops = word.start in said and runs[-1] and _STOP.match(text, runs[-1][-1].end)
        if word.kind == "other" or stops or not _SEPARATOR.fullmatch(text, end, word.start):
            runs.append([])
        if word.kind == "identifier":
            runs[-1].append(word)
        end = word.end
    return runs


def without_candidates(text: str, runs: list[list[Word]]) -> list[list[Word]]:
    """Drop the series that name the items as shown, if a chain ranks as many: `Of [1] and [2]: [2] > [1]`."""
    chained = [len(one) for one in runs if len(one) > 1 and ">" in text[one[0].end : one[1].start]]
    return [one for one in runs if not (len(one) in chained and _are_candidates(text, one))]


def _are_candidates(text: str, run: Sequence[Word]) -> bool:
    """Return whether a series names items in the order shown, without signs of an order between them."""
    return ">" not in text[run[0].end : run[-1].start] and [one.position for one in run] == [*range(len(run))]


def leading_identifier(words: list[Word], bracketed_only: bool) -> list[Word]:
    """Return the first identifier of a line, if no other word precedes it."""
    stops = ("identifier",) if bracketed_only else ("identifier", "other")
    first = next((word for word in words if word.kind in stops), None)
    return [first] if first and first.kind == "identifier" else []


def leading_of_parts(text: str, words: list[Word], bracketed_only: bool) -> list[Word]:
    """Return the first identifier of each part between `>` or `<`, if no other word precedes it. Without such signs,
    do the same for the parts between commas, if every part has one."""
    signs = next((sign for sign in _PART_SIGNS if sign.search(text)), re.compile(r"[,;]"))
    asides = _ASIDE.sub(lambda found: " " * len(found[0]), text) if "(" in text else text
    ends = [*(found.start() for found in signs.finditer(asides)), len(text)]
    leading: list[Word] = []
    part, taken = 0, False
    for word in words:
        while word.start >= ends[part]:
            part, taken = part + 1, False
        if not taken and word.kind == "identifier":
            leading.append(word)
        taken = taken or word.kind == "identifier" or (word.kind == "other" and not bracketed_only)
    return leading if signs.pattern == "[<>]" or len(leading) == len(ends) > 1 else []


_PART_SIGNS = (re.compile(r"[<>]"), re.compile(r" → "), re.compile(r" \| "))


def value_of_run(found: list[Word]) -> tuple[int, int]:
    """Return the value of a run for comparison: more items are better, then fewer repetitions."""
    different = count_different(found)
    return different, different - len(found)
