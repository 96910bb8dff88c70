"""Stage 3: choose the block that is the answer.

An answer often holds several lists: the candidates, a first attempt, excluded items, and the final ranking. `gather`
turns the blocks into listings, each with the words that introduce it, and `choose` picks one. The introductions decide
(`phrases.py`): a final ranking wins, excluded items never count, and graded lists are joined from the highest grade to
the lowest. If two listings could be the answer and nothing decides, the result is `ambiguous`, because a wrong ranking
is worse than none. The chosen listing is turned so that its best entry comes first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from llmrank.answers.items.listing import Listing, Mention, agrees, is_as_shown
from llmrank.answers.items.title import places_of
from llmrank.answers.outcome import RETRACTION
from llmrank.answers.rankings import doubt
from llmrank.answers.text.lines import Block, Line
from llmrank.answers.text.normalise import caseless
from llmrank.answers.text.phrases import (
    BEST_FIRST,
    BEST_TO_WORST,
    COUNTDOWN,
    NOT_THIS_WAY,
    SENTENCE,
    WORST_FIRST,
    grade,
    is_in_tier,
    last_line,
    meaning,
    says_worst_first,
)


def gather(
    blocks: Sequence[Block],
    text: Callable[[Line], Listing | None],
    lines: Callable[[list[Line]], Listing],
    rows: Callable[[Block], Listing],
) -> list[Listing]:
    """Return the listings in the blocks, in order, each with its introduction.

    `text`, `lines` and `rows` read a line of text, the lines of a list, and a table or JSON value.
    Consecutive lines with one entry each form one listing as long as the spacing between them stays the same.
    """
    listings: list[Listing] = []
    intro: list[str] = []
    plain: Listing | None = None
    gap = last = 0
    for block in chain.from_iterable(_split_at_headings(block, text) for block in blocks):
        latest = block.lines[0].text[-400:] if block.lines else ""
        if block.kind == "text":
            line = block.lines[0]
            listing = text(line)
            if listing is not None:
                listing.sentence = _words_around(line.text, listing)
            alone = listing if listing and len(listing.mentions) == 1 and not listing.in_sentence else None
            if alone and plain and (not gap or line.number - last == gap):
                gap, last = line.number - last, line.number
                plain.add(alone)
                continue
            plain, gap, last = alone, 0, line.number
        else:
            if plain and plain.described and block.lines and block.lines[0].value == 1:
                plain.in_sentence = True  # Heat: they have seen it.⏎1. Fargo
            plain = None
            listing = lines(block.lines) if block.kind == "list" else rows(block)
            listing.cut = block.cut
            if block.name:
                intro.append(f"{block.name.replace('_', ' ')}:")
        if listing is not None and listing.mentions:
            said_last = [listing.intro] if any(map(str.isalpha, listing.intro)) else []
            listing.intro = "\n".join((*intro, *said_last))[-400:]
            listings.append(listing)
            if not listing.in_sentence:
                intro = []
                continue
        intro = [*intro[-4:], latest]
    return listings


def _words_around(text: str, listing: Listing) -> str:
    """Return a line without its items if it says something about them, otherwise nothing. It does if one or more
    lower-case words follow the last item, or four words around the items do more than introduce them."""
    text = text[:2000]
    first, last = (listing.mentions[0].text, listing.mentions[-1].text) if listing.mentions else ("", "")
    before = text.partition(first)[0] if first and first in text else ""
    behind = count_lower_words(PARENTHESIS.sub(" ", _text_after_last(last, text))) if last and last in text else 0
    if before.rstrip(' [(*"').endswith(":") and behind < 2:
        return ""
    for mention in listing.mentions[:50]:
        text = text.replace(mention.text, " ", 1)
    return text if behind or count_lower_words(text) > 3 else ""


PARENTHESIS = re.compile(r"\([^()]{0,200}\)")


def count_lower_words(text: str) -> int:
    """Return the number of lower-case words."""
    return sum(word.lstrip("(:–—-")[:1].islower() for word in text.split())


def _split_at_headings(block: Block, text: Callable[[Line], Listing | None]) -> list[Block]:
    """Separate what is not part of the list: each heading inside a line of text starts a new line, and a list is split
    at a line that introduces excluded items. `text` reads a line: one that is a title as a whole has no headings."""
    if block.kind == "list":
        for at, line in enumerate(block.lines):
            if line.kind == "none" and line.text.endswith((":", ":**")) and meaning(line.text) == "left out":
                before, after = Block("list", block.lines[:at]), Block("list", block.lines[at + 1 :])
                return [part for part in (before, Block("text", [line]), after) if part.lines]
    if block.kind != "text":
        return [block]
    line = block.lines[0]
    if (aside := _ASIDE.match(line.text)) and (WORST_FIRST.search(aside[0]) or BEST_FIRST.search(aside[0])):
        texts = (aside[0], line.text[aside.end() :])
        return [Block("text", [Line(line.number, text, line.indent, body=text)]) for text in texts]
    if ":" not in line.text and not RETRACTION.search(line.text):
        return [block]
    parts: list[str] = []
    at = 0
    for found in _HEADING.finditer(line.text[:_HEADING_LIMIT]):
        heading = found["heading"] or found[0]
        if found["back"] or meaning(heading) or grade(heading):
            parts += [line.text[at : found.start()], line.text[found.start() : found.end()]]
            at = found.end()
    parts.append(line.text[at:])
    parts = [part.strip() for part in parts if part.strip()]
    if len(parts) < 2 or (len(line.text) < _TITLE_LIMIT and _is_one_title(text(line), line.text)):
        return [block]
    return [Block("text", [Line(line.number, part, line.indent, body=part)]) for part in parts]


def _is_one_title(listing: Listing | None, text: str) -> bool:
    """Return whether a line is nothing but one title (`NFL power rankings: Ravens jump to No. 1`)."""
    return listing is not None and len(listing.named) == 1 and listing.mentions[0].text == text.strip(' *_"')


_TITLE_LIMIT = 300
_ASIDE = re.compile(r"\([^()\n]{3,60}\) ?(?=\S)")
_HEADING_LIMIT = 4000
"""Maximum length of a line in which headings are searched for."""
_HEADING_WORDS = (
    r"tiers?|priority|relevance|likel(?:y|ihood)|match(?:es)?|fits?|relevant|recommended|see|watch|picks?|low"
    r"|lowest|mid|middle"
    r"|medium|high|highest|top|bottom|best|worst|maybe|possible|unlikely|likely|yes|no|winner|runner-up"
    r"|avoid|skip|half|mentions?|excluded|omitted|so|thus|hence|therefore|preference"
)
_HEADING = caseless(
    rf"(?:^|(?<=[.;!?] )|(?<=\*\* ))[*_#>\s]{{0,6}}(?P<heading>(?=[^\W\d_])[^.;:!?\n\d\[\]\""
    rf"|<>]{{0,60}}?(?:{_HEADING_WORDS}|rank(?:ings?|ed)?"
    r"|order|lists?|answers?|recommendations?|results?|output|conclusion|verdict|overall|final|candidates?"
    r"|options?|history"
    r"|watched|liked|that|correction|edit|revised|updated?|corrected|reasoning|attempt|draft|antwort|ergebnis"
    r"|rangliste"
    r"|reihenfolge|réponse|classement|respuesta|clasificación|resposta|risposta|classifica|итог|ответ|рейтинг"
    r"|кандидаты"
    r"|答案|排名|排序|结果|结论|候选|候補|候选电影|후보|순위|答え|不推荐|不推薦)"
    r"(?:(?:(?<=ranking)|(?<=list)|(?<=order)|(?<=option)) [A-Z1-9])?(?: \([^()\n]{1,40}\))?)[*_ ]{0,4}:[*_]{0,3}\s"
    r"|(?<=, )(?:(?:but|aber|mais|pero|ma|mas) )?(?:i(?: would|['’]d)? (?:recommend|suggest|rank)"
    r"|my (?:ranking|order|list|recommendations?|final|answer)|(?:meine|ma|mon|mi|la mia|a minha|minha) (?:\w+ )?"
    r"(?:antwort|réponse|classement|respuesta|risposta|resposta|clasificación|classifica|rangliste|reihenfolge))\b"
    r"[^.;:!?\n\d]{0,40}:[*_]{0,3}\s"
    r"|(?<=[.;!?–—] )(?P<back>(?:no,? )?(?:wait|actually|scratch that|correction|on second thought)\b[,.:;]?)\s"
)  # fmt: skip
"""A heading before a list on the same line (`Top tier: Heat`, `Actually, final ranking: Heat`)."""


@dataclass(slots=True)
class _Group:
    """Listings that continue each other: none names an item of the others."""

    meaning: str
    listing: Listing
    named: dict[int, None]
    parts: list[tuple[int | None, list[Mention]]]
    """Each listing with its grade."""
    headings: list[str]
    """The heading of each listing."""

    def add(self, other: _Group) -> None:
        """Append another group to this one."""
        self.listing.ambiguous |= self.listing.scored and other.listing.scored  # scores of two parts cannot be compared
        self.listing.add(other.listing)
        self.parts += other.parts
        self.headings += other.headings
        self.named |= other.named

    def in_grades(self) -> Listing:
        """Return the listing with its parts sorted from the highest grade; ambiguous if a part has none."""
        grades = [grade for grade, _ in self.parts]
        given = [grade for grade in grades if grade is not None]
        if given and max(given) > 1:
            self.listing.low = sum(len(mentions) for grade, mentions in self.parts if grade == 1)
        named = zip(self.parts, self.headings, strict=True)
        headings = [heading for (_, mentions), heading in named if any(one.match for one in mentions)]
        if not given and len(headings) > 1 and (all(map(_is_topic, headings)) or _count_otherwise(headings)):
            self.listing.ambiguous = True  # Crime: Heat, Fargo; Horror: Alien
        if given == sorted(given, reverse=True) and (
            None not in grades
            or not given
            or (grades.index(None) > 0 and given[-1] > 1)
            or (grades[0] is None and grades.count(None) == 1 and given[0] < 3)  # the ranking, then honourable mentions
        ):
            return self.listing
        if len(given) < len(grades):
            self.listing.ambiguous = True
            return self.listing
        parts = sorted(self.parts, key=lambda part: -(part[0] or 0))
        self.listing.mentions = [mention for _, mentions in parts for mention in mentions]
        self.listing.ordered = True
        return self.listing


def _count_otherwise(headings: Sequence[str]) -> bool:
    """Return whether the headings of lists differ only in numbers that do not rise: `Group 2:`, `Group 1:`."""
    found = [one for heading in headings if (one := _COUNTED.search(heading))]
    numbers = [int(one[2]) for one in found]
    alike = len(found) == len(headings) and len({one[1].casefold() for one in found}) == 1
    return alike and numbers != sorted(numbers)


_COUNTED = re.compile(r"([^\W\d_]*)\W{0,3}(\d{1,3})\W*$")


def choose(listings: Sequence[Listing], text: str, expected: int) -> Listing:
    """Return the listing that answers a question for this many items, best first.

    It is empty if there is none, and `ambiguous` if two could be the answer.
    """
    # Computed before listings are joined, so that their entries do not count as text beside them.
    beside = NOT_THIS_WAY.sub(" ", _text_beside(listings, text))
    beside = _reverse_worst_first(listings, beside)
    listing = _choose(listings, expected)
    if listing and listing.low and 2 * len(listing.named) < expected:
        listing.mentions = listing.mentions[: -listing.low]  # most relevant: 2; least relevant: 5; 18 are not named
    asks = doubt.ASKS.search(beside) or doubt.ASKS.search(text[:_QUESTION_LIMIT])
    if listing is None or (asks and [*listing.named] == sorted(listing.named)):
        return Listing([])  # the answer repeats the question
    if not (listing.ordered or BEST_FIRST.is_in(beside)) and (placed := _sort_by_ranks_below(listing, text)):
        listing.mentions, listing.ordered = placed, True
    if len(listing.named) < expected and len(kept := _before_ellipsis(listing, text)) < len(listing.mentions):
        listing.mentions = kept
        listing.ambiguous |= listing.worst_first or says_worst_first(beside) or is_as_shown(listing.named)
    borne_out = True in doubt.of_the_ends(listing, text)
    listing.ambiguous |= listing.scores_rise and not (WORST_FIRST.is_in(beside) or doubt.LOWER_IS_BETTER.search(beside))
    if listing.scored and doubt.LOWER_IS_BETTER.search(beside):
        listing.mentions.reverse()
    if not listing.ordered and WORST_FIRST.is_in(beside) and BEST_FIRST.is_in(beside):
        listing.ambiguous = True  # in descending order, from worst to best
    if listing.counted_down and BEST_TO_WORST.search(beside):
        listing.ambiguous = True  # the words put the best first, the numbers put it last
    elif listing.worst_first and BEST_FIRST.search(listing.intro):
        listing.ambiguous = True  # most relevant first: [2] < [1]
    elif listing.worst_first or (
        not (listing.ordered or borne_out)
        and (says_worst_first(beside) or COUNTDOWN.search(beside) or _counts_from_worst(beside, len(listing.mentions)))
    ):
        listing.mentions.reverse()
    elif not listing.ordered:
        _reverse_by_marks(listing, text)
    whole = {tuple(one.named) for one in listings if len(one.named) >= expected}
    open_still = doubt.DEPENDS.search(text[:200]) or _YOUR_CHOICE.search(text[-200:])
    listing.ambiguous |= len(whole) > 1 and open_still is not None
    listing.ambiguous |= doubt.of_the_list(listing, beside, _text_after(listing, text), text)
    return listing


def _before_ellipsis(listing: Listing, text: str) -> list[Mention]:
    """Return the entries before an ellipsis: of `[3] > [1] > ... > [20]`, 20 is not the third."""
    found = _ELLIPSIS.search(text)
    *above, before = text[: found.end()].split("\n") if found else [""]
    at, kept = 0, [one for one in listing.mentions if one.line <= len(above)]
    for one in listing.mentions[len(kept) :]:
        if one.line > len(above) + 1 or (at := before.find(one.text, at)) < 0:
            break
        kept.append(one)
        at += len(one.text)
    return kept or listing.mentions


def _reverse_worst_first(listings: Sequence[Listing], beside: str) -> str:
    """Reverse a list whose heading says that it begins with the worst, if another list names the same items, so that
    both begin with the best. Return the text beside the lists without these headings and those of excluded items."""
    named = [one.named for one in listings]
    held = Counter(at for one in named if len(one) > 1 for at in one)
    headings = {last_line(one.intro) for one in listings if meaning(one.intro) == "left out"} - {""}
    for listing, own in zip(listings, named, strict=True) if not BEST_FIRST.is_in(beside) else ():
        again = len(own) > 1 and any(held[at] > 1 for at in own)
        open_still = again and not (listing.ordered or listing.worst_first or listing.counted_down)
        if open_still and says_worst_first(heading := last_line(listing.intro)):
            listing.mentions.reverse()
            listing.ordered = True
            headings.add(heading)
    for heading in headings:
        beside = beside.replace(heading, " ")
    return beside


def _sort_by_ranks_below(listing: Listing, text: str) -> list[Mention]:
    """Return the entries in the order of the ranks that the lines below give them (`→ place 3`), nothing unless each
    has a rank of its own."""
    entries = [mention for mention in listing.mentions if mention.match]
    lines, own = text.split("\n"), [mention.line for mention in entries]
    if len(own) < 3 or any(lines[at - 1].lstrip(" *_")[:1].isdigit() for at in own if 0 < at <= len(lines)):
        return []
    if own[0] < 1 or any(one >= two for one, two in pairwise(own)):
        return []
    ends = [*own[1:], own[-1] + max(two - one for one, two in pairwise(own))]
    ranks = [_PLACE.findall("\n".join(lines[at : end - 1])[:2000]) for at, end in zip(own, ends, strict=True)]
    places = [int(found[0]) for found in ranks if len(found) == 1]
    if sorted(places) != [*range(1, len(own) + 1)]:
        return []
    return [entries[places.index(place)] for place in range(1, len(own) + 1)]


_PLACE = re.compile(
    r"(?:→|->|=>) ?(?:overall |final |my )?(?:place|rank|position) ?[:#=]? ?(\d{1,3})[ .)*_]{0,4}$", re.I | re.MULTILINE
)
_YOUR_CHOICE = caseless(
    r"\b(?:let me know|tell me|say) which (?:of (?:the|these)|one|list|order|ranking|you)\b",
    r"\bwhich (?:one|of (?:the two|these|them)|list|order) (?:do|would|should|are) (?:you|i)\b",
)
_ELLIPSIS = re.compile(r"[><→] ?\[?(?:\.{3}|…)\]? ?[><→]|\n\W{0,4}(?:\.{3}|…|⋮)[ \t]{0,9}\n(?=\d{1,4}[.)])")
_QUESTION_LIMIT = 300
"""A repeated question begins within this many characters."""


def _counts_from_worst(beside: str, entries: int) -> bool:
    """Return whether an answer with this many entries says that the first is the worst: `from 1 (worst) to 6
    (best)`."""
    found = _COUNTED_UP.search(beside)
    return found is not None and int(found[1]) == entries


_COUNTED_UP = caseless(r"\b1 ?\((?:the )?(?:worst|least|lowest)\b[^()\n]{0,20}\) ?(?:to|-|–) ?(\d{1,4})\b")


def _reverse_by_marks(listing: Listing, text: str) -> None:
    """Reverse a list whose first entry is called the worst and whose last is called the best."""
    entries = [mention for mention in listing.mentions if mention.line and mention.text]
    if len(entries) < 2 or entries[0].line == entries[-1].line:
        return
    lines, ends = text.split("\n"), (entries[0], entries[-1])
    texts = [lines[entry.line - 1] if entry.line <= len(lines) else "" for entry in ends]
    first, last = (  # the end of a line, and the words right after its title
        f"{line.rstrip()[-60:]}\n{line.partition(entry.text)[2][:_MARK_LIMIT]}"
        for entry, line in zip(ends, texts, strict=True)
    )
    worst_first, best_last = _WORST_MARK.search(first), _BEST_MARK.search(last)
    if not (worst_first or best_last):  # Least suitable: Heat … The best of the lot: Fargo
        worst_first, best_last = _WORST_HEADING.match(texts[0]), _BEST_HEADING.match(texts[1])
    if worst_first and best_last:
        listing.mentions.reverse()
    elif (worst_first or best_last) and not _BEST_MARK.search(first):
        listing.ambiguous = True


def _text_after(listing: Listing, text: str) -> str:
    """Return the text after a list: after its last line, or after the last JSON value."""
    last = max((mention.line for mention in listing.mentions), default=0)
    if not last:
        return text[max(map(text.rfind, "]}")) + 1 :]
    first, *others = text.split("\n")[last - 1 :] or [""]
    texts = dict.fromkeys(one.text for one in listing.mentions if one.line == last and one.text)
    rest = min((_text_after_last(text, first[-_TAIL:]) for text in [*texts][-_LAST:]), key=len, default="")
    return "\n".join((rest, *others))


def _text_after_last(text: str, line: str) -> str:
    """Return what follows the last occurrence of a text in a line. A single letter or digit must be a whole word
    there: the B of `Both` is not an identifier."""
    if len(text) > 1:
        return line.rpartition(text)[2]
    places = [*places_of(text, line)]
    return line[places[-1][1] :] if places else line


_MARK_LIMIT = 80
"""Maximum distance between a title and the words that call it the worst or the best."""
_TAIL, _LAST = 4000, 100
"""Number of characters at the end of a list's last line, and of entries in it, that are searched for the last entry."""
_WORST_HEADING, _BEST_HEADING = (
    caseless(rf"\W*(?:the )?(?:{word})\b[^:\n]{{0,30}}: ") for word in ("worst|least", "best|most")
)
_WORST_MARK, _BEST_MARK = (
    re.compile(
        rf"[(–—:,-] ?(?:(?:i )?would (?:rank |score |be |come )?)?(?:the |my )?(?:{word})"
        rf"(?: (?:match|fit|likely|relevant|recommended|suited|suitable|choice"
        rf"|pick|option"
        r"|preferred|interesting|similar|preference|relevance|score|rank|overall|recommend\w+|first"
        r"|last))?(?:[ )*_.!]{0,4}$|,? (?:as|because|since|for|to|given)\b)",
        re.IGNORECASE | re.MULTILINE,
    )
    for word in ("worst|least|lowest|weakest|bottom", "best|most|highest|strongest|top")
)


def _choose(listings: Sequence[Listing], expected: int) -> Listing | None:
    listings = _without_talk(listings, expected)
    grouped = _grouped(listings, expected)
    left_out = {at for group in grouped if group.meaning == "left out" for at in group.named}
    groups = _in_one_order([group for group in grouped if group.meaning != "left out"])
    known = _without_left_out([group for group in groups if group.named], left_out)
    if not known:
        return groups[0].listing if groups else None
    if final := [group for group in known if group.meaning == "final"]:
        intro = last_line(final[-1].listing.intro)
        if RETRACTION.search(intro) and not _CORRECTED.search(intro) and _is_part_of_another(final[-1], known):
            final[-1].listing.ambiguous = True  # Wait, Heat should come before Fargo
        if expected > 1 and (headed := _headed_by(final[-1], known)):
            return headed.in_grades()
        return _last_announced(final, expected)
    open_ones = [group for group in known if group.meaning not in _PRELIMINARY]
    if not open_ones:
        others = [group for group in known if not is_as_shown(group.named)]
        if others and all(_GIVEN.match(last_line(group.listing.intro)) for group in others):
            others[-1].listing.ambiguous = True
        whole = [group for group in others if not _is_part_of_another(group, others)]
        return _last_announced(whole, expected) if whole else None
    told = [group for group in known if group.meaning == "given" and _is_told(group)]
    if told and all(_is_part_of_another(group, told) for group in open_ones):
        return told[-1].in_grades()  # You have watched Seven.⏎1. Heat … Top pick: Heat
    for narrowed in (_announced, _without_candidates, _without_truncated_repeat):
        open_ones = narrowed(open_ones)
    longest = max(open_ones, key=lambda group: len(group.named))
    if all(agrees(group.named, longest.named) for group in open_ones):
        return longest.in_grades()
    whole = [group for group in open_ones if len(group.named) >= expected]
    if len({tuple(group.named) for group in whole}) == 1:
        return whole[-1].in_grades()
    longest.listing.ambiguous = True
    return longest.listing


_CORRECTED = caseless(r"\b(?:corrected|revised|updated|final|new) (?:output|ranking|order|list|answer)\W*:\W*$")


def _without_talk(listings: Sequence[Listing], expected: int) -> Sequence[Listing]:
    """Drop, before a complete chain of identifiers, those that a sentence is about (`[8] and [3] should not be on top.
    Corrected ranking:`) and a list in the order shown. The words of the sentence lead to the next list."""
    chains = [at for at, one in enumerate(listings) if one.chained and len(one.named) > 1]
    whole = bool(chains) and len(listings[chains[-1]].named) >= expected
    kept: list[Listing] = []
    words = ""
    for at, listing in enumerate(listings):
        talk = (listing.sentence or is_as_shown(listing.named)) if whole else meaning(listing.sentence) == "left out"
        if chains and at < chains[-1] and talk and not listing.chained:
            clause = SENTENCE.split(listing.sentence.rstrip())[-1]
            words = "" if "[" in clause else f"{clause}\n"
        else:
            listing.intro, words = words + listing.intro, ""
            kept.append(listing)
    return kept


def _headed_by(first: _Group, known: Sequence[_Group]) -> _Group | None:
    """Return the last list that begins with the items of a group: the group only repeats its first places."""
    head = [*first.named]
    lists = [one for one in known if len(one.named) > len(head) and one.meaning not in _PRELIMINARY]
    headed = [one for one in lists if [*one.named][: len(head)] == head and not is_as_shown(one.named)]
    return headed[-1] if headed else None


_PRELIMINARY = ("given", "first try")
"""Meanings of lists that come before the answer."""


def _grouped(listings: Sequence[Listing], expected: int) -> list[_Group]:
    """Merge the listings that continue each other into groups, and drop those that are only remarks."""
    for first, rest in pairwise(listings):
        if first.in_sentence and not rest.in_sentence and len(first.named) == 1 and _REST.match(last_line(rest.intro)):
            first.in_sentence = not first.named.keys().isdisjoint(rest.named)
    groups: list[_Group] = []
    for listing in [listing for listing in listings if not listing.in_sentence] or listings:
        intro, last = listing.intro, groups[-1] if groups else None
        means = _meaning_after(last, listing, expected)
        group = _Group(means, listing, listing.named, [(grade(intro), [*listing.mentions])], [last_line(intro)])
        joins = last is not None and last.named.keys().isdisjoint(group.named)
        if last and joins and _is_aside(last, group):
            continue
        if last and joins and _is_continuation(last, group):
            remarked = last.listing.described and not listing.described  # remarks, then the ranking
            last.listing.ambiguous |= remarked and bool(listing.named)
            last.add(group)
        else:
            groups.append(group)
    return groups


def _meaning_after(last: _Group | None, listing: Listing, expected: int) -> str:
    """Return the meaning of a list that follows another."""
    means = meaning(listing.intro)
    if means == "given" and (grade(listing.intro) or listing.chained):
        return ""  # unlikely to be watched; among the candidates: [2] > [3] > [1]
    if means != "left out" or last is None or last.meaning == means:
        return means
    if is_in_tier(listing.intro):
        return ""  # C tier (skip unless bored)
    if min(len(last.named), len(listing.named)) < max(expected, 2):
        return means
    return "final" if RETRACTION.search(listing.intro) else ""  # all are already ranked: these are not excluded


def _is_aside(last: _Group, group: _Group) -> bool:
    """Return whether a list names items outside the previous list only to comment on them."""
    listing = group.listing
    if len(group.named) > 1 and _WORST_LIST.match(group.headings[0]):
        return True  # Worst matches: 1. Heat, where the first may be the worst
    talks = listing.sentence and not last.listing.sentence
    return bool(talks and not group.meaning and not _GOES_ON.search(listing.sentence))  # C > F > D. As for A and B, …


def _is_continuation(last: _Group, group: _Group) -> bool:
    """Return whether a list of different items continues the previous list."""
    if last.meaning == "left out" or group.meaning not in ("", "ranking", last.meaning):
        return False
    if group.meaning == last.meaning:
        return True
    if last.meaning in _PRELIMINARY:
        return not any(map(str.isalpha, group.listing.intro))
    first_ranking = group.meaning == "ranking" and not last.meaning and last.parts[-1][0] is None
    return not (first_ranking and _is_topic(last.headings[-1]))  # Cons: Heat; Ranking: Fargo, Alien


def _without_left_out(groups: list[_Group], left_out: set[int]) -> list[_Group]:
    """Drop the groups that name items which are left out, if another group names all the others: all had scores, and
    then some were excluded."""
    longest = max(groups, key=lambda group: len(group.named), default=None)
    kept = [group for group in groups if left_out.isdisjoint(group.named)]
    if longest is None or not left_out or not kept:
        return groups
    rest = longest.named.keys() - left_out
    return kept if any(rest == group.named.keys() for group in kept) else groups


def _in_one_order(groups: list[_Group]) -> list[_Group]:
    """Drop the groups that are sorted by something else (by release: …), if a ranking (by fit: …) remains."""
    in_order = [group for group in groups if not doubt.is_unordered(group.listing.intro)]
    most = max((len(group.named) for group in groups), default=0)
    wanted = ("ranking", "final")
    ranked = (one.meaning in wanted or (not one.meaning and len(one.named) == most) for one in in_order)
    return in_order if any(ranked) else groups


def _announced(groups: list[_Group]) -> list[_Group]:
    """Keep only the announced groups, if the last is one and the others only repeat the candidates."""
    repeat = groups[-1].meaning and all(group.meaning or is_as_shown(group.named) for group in groups)
    return [group for group in groups if group.meaning] if repeat else groups


def _without_candidates(groups: list[_Group]) -> list[_Group]:
    """Drop the list of the candidates (`Here are …`), if the last group is called a ranking."""
    *before, last = groups
    if not _ORDERS.search(last_line(last.listing.intro)):
        return groups
    return [one for one in before if not is_as_shown(one.named) or _ORDERS.search(one.headings[-1])] + [last]


def _without_truncated_repeat(groups: list[_Group]) -> list[_Group]:
    """Drop the last group if it repeats the previous one up to an entry that is truncated."""
    if len(groups) < 2:
        return groups
    before, last = ([one.text for one in group.listing.mentions] for group in groups[-2:])
    *texts, cut = last
    *same, whole = before[: len(last)]
    breaks_off = len(before) >= len(last) and texts == same and whole != cut and whole.startswith(cut)
    return groups[:-1] if breaks_off else groups


_GOES_ON = caseless(
    r"\b(?:then|next|as well|too(?! [a-z])|follow(?:ed)?|after (?:that|these|those|them)|finally|lastly|rest"
    r"|remaining"
    r"|last|also|dann|danach|schließlich|puis|ensuite|enfin|luego|después|finalmente|poi|infine)\b"
)
"""Words with which a sentence continues a list."""


def _last_announced(groups: Sequence[_Group], expected: int) -> Listing:
    """Return the last of several announced lists; ambiguous if an earlier complete list with the same heading has
    another order."""
    last = groups[-1]
    listing = last.in_grades()
    for group in groups[:-1]:
        alike = _heading_of(group) == _heading_of(last)
        whole = min(len(group.named), len(last.named)) >= expected
        if alike and whole and [*group.named] != [*last.named]:
            listing.ambiguous = True
    return listing


def _is_told(group: _Group) -> bool:
    """Return whether a list in another order than shown follows a sentence that does not announce it."""
    said = last_line(group.listing.intro).rstrip(" *_")
    return said.endswith(".") and not _DISCUSSES.search(said) and not is_as_shown(group.named)


_DISCUSSES = caseless(r"\b(?:candidates?|options?|through|one by one|each|consider\w*|analy[sz]\w*|discuss\w*)\b")


def _is_part_of_another(group: _Group, groups: Sequence[_Group]) -> bool:
    return any(group.named.keys() < other.named.keys() for other in groups)


def _heading_of(group: _Group) -> str:
    """Return the heading of a list without its numbers: `Option 1:` and `Option 2:` are alike."""
    return re.sub(r"[\W\d_]+", " ", last_line(group.listing.intro)).strip().casefold()


_ORDERS = caseless(r"\b(?:re-?)?(?:rank|order|sort|recommend|top\b|best\b)")
"""Words that call a list a ranking; `Here are …` alone may introduce the candidates."""
_WORST_LIST = caseless(r"\W*(?:the |my )?worst (?:matches|picks|fits|choices|options|recommendations)\W*$")
_REST = caseless(r"\W*(?:and )?(?:the |my )?(?:rest|others|remaining)\b")
"""`My top pick is Heat. The rest: Fargo, Alien`"""
_GIVEN = caseless(
    r"\W*(?:the )?(?:(?:user|viewer|reader)['’]s |your )?(?:(?:watch|viewing"
    r"|reading) )?history\b(?= ?[:,])[^\n]*:\W*$|"
    r"\W*(?:you(?:['’]ve| have)? |the user )?(?:already )?"
    r"(?:watched|history|seen|liked|candidates?|options)\b[^,]*:\W*$"
)


def _is_topic(heading: str) -> bool:
    """Return whether the heading of a list is short and says nothing about order: `Horror:`."""
    short = heading.strip(" *_#:.-")
    heads = heading.rstrip(" *_").endswith(":") or heading.startswith(("#", "**", "__"))
    return heads and 0 < len(short.split()) < 5 and not meaning(heading) and _CONTINUES.search(short) is None


_CONTINUES = caseless(
    r"\b(?:then|next|also|more|continued|part|page|others?|rest|lastly|finally|last|after|[1-9]|first|second|third)\b"
)


def _text_beside(listings: Sequence[Listing], text: str) -> str:
    """Return what an answer says beside the entries of its lists: introductions and lines that are not entries. The key
    of a JSON array is the introduction of its list, and says nothing of others."""
    entries = Counter(mention.line for listing in listings for mention in listing.mentions)
    text = _KEY_OF_ARRAY.sub(" ", text)
    lines = (line.replace("_", " ") for number, line in enumerate(text.split("\n"), 1) if entries[number] != 1)
    return "\n".join((*lines, *(listing.intro for listing in listings if listing.intro)))


_KEY_OF_ARRAY = re.compile(r"\"[^\"\n]{1,80}\" ?: ?(?:false\b|(?=\s{0,80}\[))")
