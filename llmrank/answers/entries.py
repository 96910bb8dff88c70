"""Stage 5 for titles: the items named by a list entry, a table cell, or a line of text.

Titles contain commas, quotes, colons, dashes and digits, so an entry is first looked up as a whole. Only if that fails
is it split, at the signs it uses itself: `ENTRY_FORMS` lists the ways in which an entry can hold several titles, or a
title with other words. The first one that applies wins. In a line of text outside a list, a part counts as a title only
if the words around it show that it is meant as one.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain, islice, pairwise
from typing import NamedTuple

from llmrank.answers.blocks import ORDINALS, RANK_NOUN, Block, Line, marker, numeral_value, word_set
from llmrank.answers.choosing import PARENTHESIS, gather
from llmrank.answers.listing import Listing, Mention
from llmrank.answers.matching import Match, TitleIndex
from llmrank.answers.normalise import EAST_ASIAN, caseless
from llmrank.answers.outcome import RETRACTION
from llmrank.answers.phrases import grade, is_tier, meaning
from llmrank.answers.ranks import TRAILING_RANK, are_scores, by_number, counts, counts_down, falls, sort_by_numbers
from llmrank.answers.title import SMALL_WORDS

Mentions = list[Mention]

_QUOTES = "\"“”„«»'‘’`"
_SEPARATOR = (
    r"(?:(?:[,;|></→·=]|[-=]{1,2}>|\b(?:and|und|et|y|e|en|i|и|then|next|finally|lastly|followed by|puis|enfin|ensuite"
    r"|dann|danach|schließlich|luego|después|finalmente|poi|infine|depois|затем)\b) ?){1,3}"
)
"""What may stand between two titles in quotation marks or in bold."""
_ONLY_NUMBER = re.compile(r"[\W_]*+(?:\d{1,4}[\W_]*+)?")
_INLINE_NUMBER = re.compile(r"(?:^|[\s,;:|]|(?<=\d\)))[(\[]?#?(\d{1,3})(?:(?:st|nd|rd|th)?[.):\]]{1,2}|[位위]:?)\s?")
_FIRST_NUMBER = re.compile(r"(?<=[:,>] )1[.)]{1,2}\s?[\"“«]?$")
_INNER_LABEL = re.compile(r"[.;!?] {1,2}([^.:;!?\n]{2,60}:) ")
_BETWEEN_QUOTES = re.compile(rf"[{_QUOTES}] ?{_SEPARATOR}[{_QUOTES}]|[\"”] ?[\"“]")
_AND_IN_ASIA = re.compile(rf"(?<=[{_QUOTES}])(?:[,;]? ?最[后後]是?|和|及|以及|与|與)(?=[{_QUOTES}])")
"""`《英雄》、《卧虎藏龙》和《霸王别姬》`"""
_SENTENCE_BEHIND = re.compile(rf"(?<=[\"”“»][.!]) (?=[^{_QUOTES}\s]|[\"“][^\"”\n]{{1,80}}[\"”] ?[^\W\d])")
"""Where a sentence follows the list, also one about another title (`… and "Heat". "Fargo" is left out.`)."""
_OPENED = re.compile(r"\{ ?(?:[^\[\]{}]{0,400}, ?)?[\"']\w{1,30}[\"'] ?: ?\[ ?[\"']")
"""JSON that is truncated."""
_LEADS_TO_QUOTES = re.compile(rf"[^{_QUOTES}\W].{{0,300}}\w: [\"“«]")
"""`As you liked "Alien" and "Aliens", my ranking: "Heat", …`"""
_FIRST_QUOTE = re.compile(r"[\"“„«`]|(?<!\w)['‘]")
_CLOSED = re.compile(
    r"[\W_]{0,6}?(?i:(?:(?:the|der|das|le|la|el|il|o) )?(?:film|movie|book|buch|roman|livre|libro|novel|spiel"
    r"|game) )?"
    r"(?:\*\*|__|[\"“„«])(?P<inside>[^\n]{1,300}?)(?:\*\*|__|[\"”“»])(?!\w)"
)
_MARKED = r"(?:\*{3}[^*\n]{1,200}\*{3}|\*\*[^*\n]{1,200}\*\*|\*[^*\s][^*\n]{0,200}\*|__?[^_\n]{1,200}__?)(?!\w)"
_CHAIN_OF_MARKED = re.compile(rf"{_MARKED}(?: ?{_SEPARATOR}{_MARKED})+")
"""`**Alien**, *Heat* and **Fargo**`"""
_MORE_CLOSED = re.compile(r" ?(?:[,;>→]|and\b|&) ?(?:and )?(?:\*\*|__)\w")
"""`**Alien**, **Heat**`: one of several titles."""
_YEAR = re.compile(r"[(\[](?:18|19|20)\d\d(?: ?[-–] ?\d{0,4})?[)\]]")
_AFTER_YEAR = re.compile(
    r"[\"'”’*_]{0,4}+ ?(?:\d(?:\.\d)? ?/ ?\d{1,2})? ?(?P<mark>(?:[,;|/><→&\t]|[-=]>){1,4}+|\b(?:and|und|et|y)\b)?"
    r" ?(?:and )?"
)
_RATED = re.compile(r"(\((?:18|19|20)\d\d\)) \d(?:\.\d)? ?/ ?\d{1,2}\W{0,4}$")
_CHAINED = re.compile(r" (?:>|→|->|=>) ")
_COMMA = re.compile(
    r" ?(?:[,;] (?:and |& )?(?:then )?| \| | / | · | (?:>|<|→|[-=]{1,2}>|=) |(?<=[\w)\]*\"])[><](?=[\w*\"])"
    r"| (?:and|&|und|et|y|then) )"
)
_REMARK = re.compile(
    r" [-–—]{1,3} | (?:=|-{2,3}>) (?=\d)|[:.!?](?P<closed>[*_]{1,3})? | \(|, "
    r"| (?=(?:because|since|which|is|was|would|should|has|scores?|for its?"
    r"|due to)\b)| (?=[★⭐]|\d(?:\.\d)?/\d|(?:directed )?by [A-Z])"
)
_PRICE = re.compile(r" \([$€£] ?\d[\d.,]{0,9}\)$")
"""`Kettle ($29.99)`"""
_EDITION = caseless(
    r"[ :,(–—-]{1,5}(?:the )?(?:director['’]s cut|(?:extended|special|theatrical|final|original|uncut|remastered"
    r"|criterion)(?: (?:edition|version|cut|collection))?)\W{0,3}$"
)
_COMPARES = re.compile(r"\b(?:like|similar|reminiscent|because|since|than|loved|liked|enjoyed|watched|rated)\b")
_LEAD_IN = caseless(
    r"\b(?=[a-z])(?:would (?:(?:most|likely|probably|really) ){0,2}(?:like|enjoy|love)"
    r"|recommend(?:ing)?|suggest(?:ing)?|watch(?:ing)?|try(?:ing)?|picks?|choose|rank(?:ing|ed)?"
    r"|starts? with|begin with|move on to|go on to|go on with|finish(?: off)? with|end with|go (?:for|with)"
    r"|followed by|then|first|next|finally|lastly|second|third|last|is|are|was|be|include|including|also|and"
    r"|d['’]abord|ensuite|puis|enfin|primero|segundo|tercero|luego|después|zuerst|dann|danach|prima|poi|infine"
    r"|output|answer|movies?|items?|put|place|would be)[:,]? |:[*_]{0,3} "
    r"|\b(?:user|viewer|reader|player|customer|listener|order|ranking|list|picks?|recommendations?) ?(?:→|[-=]>) "
)
_HEADING = caseless(
    r"^(?:#|\*\*[^*:\n]{0,100}:\*\*)|\b(?:here (?:are|is)|here['’]s|recommendations?|ranking|ranked (?:list|order)"
    r"|top[- ]?\d+|reordered|re-ranked|list of|candidates?)\b|:\W{0,6}$"
)
_CHATTER = caseless(
    r"(?:none|neither|nothing|however|sure|certainly|absolutely|of course|okay|ok|yes|no|great|thanks?|thank you"
    r"|i hope|hope|enjoy|note|please"
    r"|let me|these|this|based on|output|answer|i['’]m sorry|i can['’]?t|i cannot|as an ai|error|http)\b"
)
_RECOMMENDS = caseless(
    r"\b(?:recommend|suggest|would (?:(?:most|likely|probably|really) ){0,2}"
    r"(?:pick|choose|watch|rank|put|go with|enjoy|like|love|start|be)"
    r"|['’]d (?:pick|choose|watch|rank|put|go with|start|say)|my (?:top|pick|choice|answer|ranking)"
    r"|best|top (?:pick|choice)"
    r"|should (?:watch|try|see)|rank|start with|followed by|order is|picks?|choose|answer|empfehl|würde|recommand"
    r"|recomiend|recomend|consigli|output|try|рекоменд)"
)
_DECLINES = caseless(
    r"\b(?:not|(?:ca|wo|do|would|could|should)n['’]t|never|hesitate|reluctant|avoid|skip|unlike|except|instead"
    r"|rather than"
    r"|cannot|sorry|unable|none of|neither|nor|dislikes?|hates?|nicht|pas|keine?|não|niet|не|because you|since you"
    r"|(?:you|the user) (?:(?:has|have|had) )?(?:already )?(?:liked|loved|watched|enjoyed|rated|seen)|error"
    r"|before|after|(?:above|below) (?:it|that|this|them)|worse|(?<!not )least|(?:little|slightly|somewhat"
    r"|bit) better"
    r"|better than|do you|would you like me|want me)\b|\?\W{0,3}$|(?<!最)不推[荐薦]"
)
_FOLLOWS = caseless(r"^(?:(?:and|then|next|after that|afterwards|followed by|finally|lastly) )+")
_IN_SEQUENCE = re.compile(r"\b(?:followed by|then|next|after that|finally|lastly)\b")
_VERB = re.compile(
    r"[\W_]{0,6}(?:\((?:18|19|20)\d\d\)[\W_]{0,4})?(?:is|was|are|would|has|have|seems?|looks?|might|may|could"
    r"|should|will|isn['’]t|does|did|can|fits?|ist|wäre|est|serait|es|sería|é|è)\b"
)
_TWO_PARTS = re.compile(r" (?:[-–—→←|]|->|<-|=>|--) ")
_ARROWS = (re.compile(r" (?:->|→|=>) "), re.compile(r" (?:<-|←) "))
_COLON = re.compile(r":[*_]{0,3} ")
"""Between an author and a book, or between a purpose and the item that suits it best."""
_MORE_SIGNS = (_COLON, re.compile(r" [·•] "), re.compile(r"; "))
"""Signs that separate two parts if every line has one."""
_TRAILING_ORDINAL = re.compile(r" (?:first|second|third|next|last|too|as well|afterwards)[.!]?$")
_SCORED = re.compile(
    r"(?:(?:-{1,2}|=)> ?|[:=–—|-] ?|[(\[]|→ ?)"
    rf"(?i:score|rating|relevance|{RANK_NOUN})?[ :#]{{0,3}}"
    r"(?P<value>-?\d{1,3}(?:[.,]\d{1,6})? ?(?:%|/ ?\d{1,3}|out of \d{1,3})?)(?:st|nd|rd|th|[ºª°])?"
    r"(?: ?(?:points?|pts|stars?|match|place|lugar|posici[óo]n|posto|platz|место))?[)\]*_.]{0,4}$"
    r"|(?P<stars>[★⭐🌟🔥❤👍]{1,10})☆{0,10}$"
)
"""`Heat – 2nd (a crime film)`"""
_LAST_WORDS = re.compile(r"(?:[:=–—|-] |\()([^\W\d_][^:=–—|()-]{1,20})$")
_SCORED_FIRST = re.compile(r"(?P<value>0?\.\d{1,4}|\d{1,3}(?:\.\d{1,3})? ?(?:%|/ ?\d{1,3})) ?[-–:)]? ?(?=\D)")
_ASIDE = re.compile(
    r"[ ,(–—:-]{1,4}(?:if you|because|since|as you|(?:much )?like|similar|for fans|in the (?:style|vein)"
    r"|reminiscent|comparable)\b"
)
_AUTHOR = re.compile(r" (?:by|directed by) [A-Z][\w.]* ?(?:(?:d[aeiu]|del|du|la|le|v[ao]n|der|den) ){0,2}[\w.]*[A-Z]")
_NOTE = re.compile(r" \[(?:[^\[\]\d]{1,40}|\d{1,3}(?:\.\d{1,2})?%?)\]$")
"""`Heat [a classic]`, `Heat [9.5]`"""
_PLACE = caseless(r"\d{1,3}(?:st|nd|rd|th)(?: place)?")
_SAYS_SCORE = caseless(r"\b(?:score|rating|relevance|match|confidence|probability|likelihood|points?)\b")
_SAYS_RANK = caseless(rf"\b(?:{RANK_NOUN})\b|\d(?:st|nd|rd|th)\b|\d[ºª°]")
_TRANSLATED = re.compile(
    r"(?P<outside>[^()/\n]{1,200}) ?\((?!(?:18|19|20)\d\d\b)"
    r"(?P<inside>[^()\n]{1,200}(?:\([^()\n]{1,200}\)[^()\n]{0,200}){0,3})\)"
    r"|(?P<one>[^/\n]{1,200}) (?:/|[–—-](?= [*_\"]{1,2}\w)) (?P<other>[^/\n]{1,200})"
    r"|(?P<before>[^()/\n]{1,200}) [–—-] (?P<behind>[^/\n]{1,200})"
    rf"|(?P<characters>[{EAST_ASIAN}][^()/\n]{{0,60}}?) (?P<latin>[A-Za-z][^/\n]{{2,200}})"
    r"|(?P<abroad>[\"“„«][^\"()/\n]{1,100}[\"”“»]) ?(?P<here>[^\W_][^\"\n]{1,200})"
)
_LABELLED = re.compile(r"\[\d{1,4}\][ .:-]{1,3}(?=[^\W\d])")
_PREPOSITIONS = frozenset(("from", "with", "into", "upon", "over"))
_LEFT_OPEN = re.compile(r":\W{0,3}$")
_S = ord("S") - ord("A") + 1
_TIERS = {_S: 0} | {letter: letter for letter in range(1, 7)}
"""The tiers S, A, B, … F, as positions in the alphabet, with their rank."""
_MAX_PIECES = 6
"""Maximum number of comma-separated pieces in one title."""
_LEAD_INS = 8
_REMARKS = 12


class EntryForm(NamedTuple):
    """One way in which an entry holds several titles, or a title with other words."""

    name: str
    example: str
    read: Callable[[str, TitleIndex], Mentions | None]
    """Returns None if the entry does not have this form."""


def titles_of(blocks: Sequence[Block], index: TitleIndex) -> list[Listing]:
    """Return the listings of titles in the blocks of an answer, in order."""
    listed = any(block.kind != "text" and len(block.lines) + len(block.rows) > 1 for block in blocks)
    return gather(
        _merge_similar_lines(blocks),
        lambda line: _text_line(line, index, listed, few=len(blocks) <= _FEW),
        lambda lines: _list(lines, index),
        lambda text, line: title_in_cell(text, index, line),
    )


def _merge_similar_lines(blocks: Sequence[Block]) -> list[Block]:
    """Merge consecutive lines of text into a list if all have two parts, or all have scores."""
    found: list[Block] = []
    shape = ""
    for block in blocks:
        text = block.lines[0].text if block.kind == "text" else ""
        scored = _SCORED.search(text[-40:]) or grade(_last_words(text))
        now = "scored" if scored else "parts" if _TWO_PARTS.search(text[:400]) else ""
        if now and now == shape:
            if found[-1].kind == "text":
                found[-1] = Block("list", [replace(line, indent=0) for line in found[-1].lines])
            found[-1].lines += [replace(line, indent=0) for line in block.lines]
        else:
            found.append(block)
        shape = now
    return found


# --- lists


def _list(lines: list[Line], index: TitleIndex) -> Listing:
    first = lines[0]
    level = [line for line in lines if line.indent <= first.indent]
    numbers = [line.value for line in level if line.kind == first.kind]
    tiers = [_TIERS.get(number or 0) for number in numbers] if _S in numbers and first.kind == "letter" else []
    tiered = len(tiers) > 2 and None not in tiers and len({*tiers}) == len(tiers)
    if first.kind in ("letter", "roman") and not (
        tiered or numbers[:2] in ([1, 2], [2, 1], [_S, 1]) or counts_down(numbers)
    ):
        return Listing([one for line in level for one in _entry(line, line.text, index, marked=False)])
    entries = [
        line
        for line in lines
        if (line.indent <= first.indent and (line.kind == first.kind or line.kind not in ("none", "bullet")))
        or (line.kind == "none" and index.exact(line.text))
    ]
    by_number = {line.number: line for line in lines}
    entries = [_with_wrapped_title(line, by_number.get(line.number + 1), index) for line in entries]
    found = [_entry(line, line.body, index, marked=True) for line in entries]
    if not any(one.match for mentions in found for one in mentions):
        taken = {line.number for line in entries}
        inner = [line for line in lines if line.number not in taken and line.kind != "none"]
        deeper = [_entry(line, line.body, index, marked=True) for line in inner]
        if any(one.match for mentions in deeper for one in mentions):
            entries, found = inner, deeper
    found = _two_part_lines(entries, found, index)
    if tiered:
        order = sorted(range(len(entries)), key=lambda at: _TIERS[entries[at].value or 0])
        return Listing([one for at in order for one in found[at]], ordered=True)
    listing = Listing([one for mentions in found for one in mentions])
    if first.kind == "number" and len(entries) > 1:  # 1. Heat - Fargo
        pairs = zip(entries, found, strict=True)
        both = (len(two) == 2 and two[0].match and two[1].match and _TWO_PARTS.search(line.body) for line, two in pairs)
        listing.ambiguous = all(both)
    values = [line.value for line in entries if line.value is not None]
    if all(len(mentions) == 1 for mentions in found):
        whole = any(mention.text == line.text for line, mention in zip(entries, listing.mentions, strict=True))
        as_shown = first.kind != "rank" and len(values) == len(entries) and _are_as_shown(values, listing.mentions)
        ranks = [found["rank"] for line in entries if (found := TRAILING_RANK.search(line.body[-20:]))]
        if not values or (as_shown and len(ranks) == len(entries)):
            _sort_by_scores([line.body for line in entries], listing)  # 1. Heat - rank 3, as shown first
        elif len(values) == len(entries) and not whole and not as_shown:
            sort_by_numbers(listing, values, first.kind == "rank")
            listing.ambiguous |= len(ranks) == len(values) and ranks != [*map(str, values)]
            listing.scores_rise = counts([*map(str, values)]) and _do_scores_rise([line.body for line in entries])
    return listing


def _do_scores_rise(bodies: Sequence[str]) -> bool:
    """Return whether scores out of ten or a hundred rise from entry to entry (`Heat - 2/10`, `Fargo - 4/10`)."""
    found = [_SCORED.search(body[-40:]) for body in bodies]
    values = [one["value"] for one in found if one and one["value"] and _OUT_OF.search(one["value"])]
    return 2 < len(values) == len(bodies) and not counts(values) and by_number(values, "rank") == [*range(len(values))]


_OUT_OF = re.compile(r"/ ?100?$|%$")


def _are_as_shown(values: list[int], mentions: Mentions) -> bool:
    """Return whether each number is the position at which the title after it was shown (`[3] Heat`, `[1] Fargo`)."""
    shown = [
        one.match is not None and value - 1 in one.match.positions for value, one in zip(values, mentions, strict=True)
    ]
    return all(shown) and not counts_down(values)


def _with_wrapped_title(line: Line, after: Line | None, index: TitleIndex) -> Line:
    """Return the entry with its whole title if the title continues on the next line."""
    if line.value is None or after is None or after.kind != "none" or _mention(line.body, index).match:
        return line
    whole = f"{line.body} {after.text}"
    return replace(line, body=whole) if len(whole) <= index.longest and _mention(whole, index).match else line


def _sort_by_scores(bodies: list[str], listing: Listing) -> None:
    """Sort the entries by the scores or ranks after their titles, if every entry has one and they differ."""
    scores = [found["value"] or str(len(found["stars"])) for body in bodies if (found := _SCORED.search(body[-40:]))]
    if not scores:
        scores = [found["value"] for body in bodies if (found := _SCORED_FIRST.match(body))]
    if not scores:  # Heat: high, Fargo: low
        scores = [str(found) for body in bodies if (found := grade(_last_words(body)))]
        if len({*scores}) == 1:
            return  # Heat: a great film, Fargo: a great film
    if places := _places_in_words(bodies):
        scores = places
    starred = all(body.endswith((*"★⭐🌟🔥❤👍☆",)) for body in bodies)
    if starred and {*scores} == {"1"} and not any(body.endswith("☆") for body in bodies):
        return  # decoration
    if not len(scores) == len(bodies) == len(listing.mentions) or len(set(scores)) < 2:
        listing.ambiguous |= len(scores) == len(bodies) == len(listing.mentions) > 2  # all scores are the same
        return
    ranks = bool(places) or all(_SAYS_RANK.search(body[-40:]) for body in bodies)
    in_brackets = all(map(str.isdecimal, scores)) and all(body.endswith(("]", ")")) for body in bodies)
    if in_brackets and not ranks and _are_as_shown([*map(int, scores)], listing.mentions):
        return  # Heat [3], the third item shown
    rates = starred or all(_SAYS_SCORE.search(body[-40:]) for body in bodies)
    rated = all("/" in score or "out" in score for score in scores) and len(set(scores)) < len(scores)
    if rated and not ranks:
        return
    role = "rank" if ranks else "score" if rates else ""
    order = by_number(scores, role)
    if order is None or (not role and all(map(str.isdecimal, scores)) and counts(scores[::-1])):
        listing.ambiguous = True  # Heat - 3, Fargo - 2, Alien - 1: ranks or scores
    else:
        listing.mentions = [listing.mentions[at] for at in order]
        listing.ordered, listing.scored = True, are_scores(scores, role)


def _places_in_words(bodies: list[str]) -> list[str]:
    """Return the places that entries have in words (`Heat: third place`), nothing if any entry has none."""
    found = [_PLACE_IN_WORDS.search(body[-60:]) for body in bodies]
    words = [one[1].lower() for one in found if one]
    if len(words) < len(bodies):
        return []
    return [str(len(bodies) if word == "last" else ORDINALS.index(word) + 1) for word in words]


_PLACE_IN_WORDS = caseless(rf"[-–—:(,] ?({'|'.join(ORDINALS)}|last) (?:place|choice|pick)\b")


def _last_words(text: str) -> str:
    """Return the text after the last colon, dash or opening parenthesis, if it is short."""
    found = _LAST_WORDS.search(text[-40:])
    return found[1] if found else ""


def _two_part_lines(lines: list[Line], found: list[Mentions], index: TitleIndex) -> list[Mentions]:
    """Read lists such as `Casablanca - Fargo`, where the candidate is on the same side of every line, and `Frank
    Herbert: Dune`, where no line names a candidate in another way."""
    if all(len(mentions) == 1 and mentions[0].match for mentions in found):
        return found
    bodies = [line.body[:400] for line in lines]
    arrow = next((sign for sign in _ARROWS if all(map(sign.search, bodies))), _TWO_PARTS)
    if (parts := _on_one_side(lines, found, arrow, index)) is not None:
        return parts
    if len(lines) > 1 and _matched(found) < min(len(lines), 2):
        for sign in _MORE_SIGNS:
            parts = _on_one_side(lines, found, sign, index) if all(map(sign.search, bodies)) else None
            if parts is not None and _matched(parts) > _matched(found):
                return parts
    return found


def _matched(found: Sequence[Mentions]) -> int:
    """Count the entries that name an item."""
    return sum(any(one.match for one in mentions) for mentions in found)


def _on_one_side(
    lines: list[Line], found: list[Mentions], sign: re.Pattern[str], index: TitleIndex
) -> list[Mentions] | None:
    """Return the titles on the side of the sign where the candidates are, None if there is no such side."""

    def title(part: str, number: int) -> Mention:
        mention = _mention(part, index, number)
        remarked = _remark(part, index) if sign is _COLON and not mention.match else None
        return remarked[0]._replace(line=number) if remarked else mention

    sides = [_halves(line.body, sign, index) for line in lines]
    labels = {first[0] if (first := _LABEL.match(parts[-1])) else "" for parts in sides}
    label = labels.pop() if len(labels) == 1 else ""
    halves = [
        # A line that is a whole title has no parts: Star Wars: Episode IV - A New Hope.
        [title(part.removeprefix(label), line.number) for part in parts]
        if len(parts) == 2 and len(mentions) < 3 and not _mention(line.body, index).match
        else None
        for line, mentions, parts in zip(lines, found, sides, strict=True)
    ]
    if len(lines) > 1 and all(half and half[0].match and half[1].match for half in halves):
        watched = {half[0].text for half in halves if half}
        return [[half[1]] for half in halves if half] if len(watched) == 1 else None
    left, right = named = [sum(half is not None and half[side].match is not None for half in halves) for side in (0, 1)]
    if left == right or max(named) < min(2, len(lines)) or (min(named) and max(named) < len(lines)):
        return None
    side = int(right > left)
    if not side and any(half and index.exact(half[0].text) and index.is_first_part(half[0].text) for half in halves):
        return None  # Anno 1800 - Docklands: a part other than the candidates'
    return [
        [half[side]] if half and (match := half[side].match) and match.positions else mentions
        for half, mentions in zip(halves, found, strict=True)
    ]


_LABEL = re.compile(r"[A-Z][a-z]{2,20}: ")
"""`Bought: Heat → Recommend: Fargo`: what every right side begins with."""


def _halves(body: str, sign: re.Pattern[str], index: TitleIndex) -> list[str]:
    """Split a text at the sign: where a title ends, otherwise at the first one."""
    marks = [*islice(sign.finditer(body), _HALVES)]
    ends = (mark for mark in marks if _mention(body[: mark.start()], index).match)
    mark = next(ends, marks[0]) if marks else None
    return [body[: mark.start()], body[mark.end() :]] if mark else [body]


_HALVES = 4

# --- entries, lines of text, cells


def _entry(line: Line, body: str, index: TitleIndex, *, marked: bool) -> Mentions:
    """Return the mentions in one line; `marked`: the line is a list entry."""
    found = _read(line, body, index, marked)
    if len(found) == 1:
        left_out = _IS_LEFT_OUT.search(body[:_SAID_BEHIND]) if marked else None
        if left_out and left_out.start() <= len(found[0].text) + _BETWEEN:
            return []
        if found[0].match is None or not found[0].match.positions:
            found = [_of_year(body[:_SAID_BEHIND], index) or found[0]]
    return [Mention(one.text, one.match, line.number) for one in found]


_SAID_BEHIND = 200
_BETWEEN = 6
"""Maximum number of separators between a title and the words about it."""
_IS_LEFT_OUT = caseless(
    r"(?:was|were|is|has been|had to be) (?:\w+ly )?(?:excluded|left out|omitted|removed|dropped|skipped"
    r"|not included)\b(?! (?:from|of|by|in)\b)"
)
"""`Heat (1995) was excluded because …`"""


def _of_year(body: str, index: TitleIndex) -> Mention | None:
    """Return the one of several items with the same name whose year follows it (`Dawn of the Dead - the 1978 one`)."""
    for mark in islice(_SPACED_DASH.finditer(body), 3):
        name = _bare(body[: mark.start()])
        if (several := index.find(name)) is None or several.positions:
            continue
        if _OTHER_FILM.search(body, mark.end()):
            continue
        years = _FROM_YEAR.findall(body, mark.end()) or _A_YEAR.findall(body, mark.end())
        dated = [index.find(f"{name} ({year})") for year in years]
        matches = {match for match in dated if match and len(match.positions) == 1}
        if len(matches) == 1:
            return Mention(name, matches.pop())
    return None


_OTHER_FILM = caseless(r"\b(?:remade|based on|inspired|original (?:of|to))\b")
_FROM_YEAR = re.compile(r"\b(?:from|of|in) ((?:18|19|20)\d\d)(?!\d)")
_A_YEAR = re.compile(r"(?<![\d-])(?:18|19|20)\d\d(?!\d)")


def _read(line: Line, body: str, index: TitleIndex, marked: bool) -> Mentions:
    body = _RATED.sub(r"\1", body) if "/" in body[-12:] and len(body) <= 400 else body
    body = _TIED.sub("", body)
    whole = _mention(body, index)
    if whole.match:
        return [whole]
    if (instead := _replacement(body, index)) is not None:
        return instead
    if "[" in body:
        body = _IN_BRACKETS.sub(lambda found: f'"{found[1]}"' if index.find(found[1]) else found[0], body)
    text = line.text.lstrip("-–—•·*_#> ") if line.value is not None else ""  # (500) Days of Summer
    if text and index.begins_with(text.split(maxsplit=1)[0]) and (titled := _mention(text, index)).match:
        return [titled]
    if not body or _ONLY_NUMBER.fullmatch(body):
        number = _mention(body.strip(" \t.,;:!?\"'()[]*_`“”«»👍🔥"), index)
        return [number] if number.match and len(number.text) > 2 else []
    if line.value is not None and body[0].isdigit():  # 1. 1. Heat
        kind, value, end = marker(body)
        if (kind, value) == (line.kind, line.value) and (again := _mention(body[end:], index)).match:
            return [again]
    for form in ENTRY_FORMS:
        if (parts := form.read(body, index)) is not None:
            return [whole] if line.value is not None and _is_end_of_another(parts, body) else parts
    if line.value is None and (parts := _after_lead_in(body, index)):
        return parts
    if marked and (near := _before_remark(body, index)):
        return [near]
    return _unknown(line, body, whole, index) if marked and not _LEFT_OPEN.search(body) else []


_IN_BRACKETS = re.compile(r"\[(?![A-Za-z0-9]{1,3}\])([^\[\]\n]{2,400})\]")
"""`[Heat], [Fargo]`"""


def _unknown(line: Line, body: str, whole: Mention, index: TitleIndex) -> Mentions:
    """Return the text of an entry that names no candidate, without its remark; nothing if it is a sentence."""
    # A headline reads like a sentence.
    if not _is_sentence(body) or index.nearest(body) or index.alike(body, range(len(index))):
        return [whole]
    remark = _SPACED_DASH.search(body[:400]) if line.value is not None else None
    says = body[remark.end() :].split() if remark else []
    head = body[: remark.start()] if remark else ""
    remarked = says and (says[0][:1].islower() or sum(map(str.islower, says[1:])) >= _SAYS)
    return [Mention(_bare(head), None)] if head and remarked and not _is_sentence(head) else []


_SAYS = 2
"""Number of lower-case words from which a text behind a colon or dash is a remark."""


def _replacement(body: str, index: TitleIndex) -> Mentions | None:
    """`Heat - no, scratch that, they have seen it; Fargo takes this place`: return the replacement."""
    if (back := RETRACTION.search(body)) and (instead := _mention(body[back.end() :].strip(" ,:;—-"), index)).match:
        return [instead]
    if (back := _SCRATCHED.search(body)) is None:
        return None
    named = index.named_in(body[back.end() :][:_SAID_BEHIND])
    return [Mention(body[back.end() :], Match((named.pop(),), "normalised"))] if len(named) == 1 else []


_SCRATCHED = caseless(
    r"\b(?:scratch that|strike that|no,? wait(?! (?:for|to|until|till)\b)|wait,? no|hmm+,? no|redo (?:that"
    r"|this) (?:line|one|entry))\b"
)


def _before_remark(body: str, index: TitleIndex) -> Mention | None:
    """Return the text before a remark (`Airfryer XXL** - a classic`) if it may name a candidate. It may be misspelt,
    abbreviated, or a translation followed by a candidate's title in parentheses."""
    marks = [_BOLD_ENDS.search(body[:400])] if body.count("**") % 2 else []
    for mark in (*marks, *islice(_SPACED_DASH.finditer(body[:400]), 3)):
        if mark and (_is_remark(body[mark.start() :]) or body[mark.end() : mark.end() + 1].islower()):
            head = body[: mark.start()].replace("*", "")
            if translated := _in_two_languages(head, index):
                return translated[0]
            if index.nearest(_bare(head)):
                return Mention(_bare(head), None)
    return None


_BOLD_ENDS, _SPACED_DASH = re.compile(r"\*\*:?(?: [–—-] |:? |$)"), re.compile(r" [–—-] |: ")


def _is_end_of_another(parts: Mentions, body: str) -> bool:
    """Return whether the only title found in an entry is the end of a longer one: `Milk and Honey (2003)`."""
    before = body[: body.find(parts[0].text)].split() if len(parts) == 1 and parts[0].match else []
    return (
        bool(before)
        and all(word[0].isupper() or word in SMALL_WORDS for word in before)
        and before[-1][-1].isalpha()
        and any(word.casefold() not in _LEAD_WORDS for word in before)
    )


_LEAD_WORDS = SMALL_WORDS | word_set("watch try see start with first second third finally lastly next then")
"""Words that may precede a title in an entry (`2. Then Heat`)."""
_TIED = caseless(r"^[(\[](?:tied?|t-?\d{1,2})[)\]] ?(?=\S)")
"""`2. (tie) Heat`"""


def _is_heading(line: Line) -> bool:
    return line.text.startswith(("#", "**", "__")) and line.text.endswith(("*", "_", ":"))


_BECAUSE = re.compile(
    r"(?<=[)\w\"]),? (?:because|since|as|given that) (?:the (?:user|viewer|reader|customer)|you|they|he"
    r"|she)\b[^.!?\n]*\b(?:liked|loved|watched|enjoyed|rated|seen|read|played|bought)\b[^>\n]*$"
)
"""The reason after titles: `because the user has enjoyed Heat`."""


def _text_line(line: Line, index: TitleIndex, listed: bool, *, few: bool) -> Listing | None:
    """Return the mentions in a line that is not a list entry, None if there are none. They are `in_sentence` if they
    are part of a sentence.

    Chains of shortened titles are searched for only in answers of `few` blocks.
    """
    if line.text.endswith(":") or _NOTE_LINE.match(line.text):
        return None  # the introduction of a list may name what the user liked
    line = _without_asides(line, index)
    text = line.text
    head, mentions = _behind_colon(line, _entry(line, text, index, marked=False), index)
    if few and not mentions and (chain := _chain_of_near(line, index)):
        return Listing(chain)
    if not mentions:
        is_title = not listed and _is_title_like(text) and not (_is_heading(line) and meaning(text) == "left out")
        return Listing([Mention(_bare(text), None, line.number)]) if is_title else None
    while len(mentions) > 1 and mentions[0].match is None and _CHATTER.match(mentions[0].text):
        del mentions[0]  # I'm sorry, but I can't rank Heat
    listing = Listing(mentions, head)
    places = _places(text, mentions)
    start, end = places[0] if places else (0, 0)
    before, after = text[:start], text[end:]
    gaps = [text[one[1] : two[0]] for one, two in pairwise(places)] or [after]
    listing.worst_first, listing.ambiguous = falls(gaps)
    listing.ambiguous |= len(mentions) > 1 and all("=" in gap and ">" not in gap for gap in gaps)
    if len(places) == len(mentions) > 1:
        _sort_by_scores_in_line(text, places, listing)
    before = _FIRST_NUMBER.sub("", before)
    letters = sum(map(str.isalpha, before))
    if excluded := _exclusion(text, mentions):
        if _is_heading(line) and not any(one.match for one in mentions):
            return None  # **What I'd avoid**
        listing.intro = excluded
        return listing
    colon = before.rstrip(" \"'“„«*_[").endswith((":", "=")) or before.rstrip().endswith((":", ">", "→"))
    if letters and not head:
        listing.intro = before
    if not any(one.match for one in mentions):
        return None if listed and (letters > 3 or _is_sentence(text) or _is_heading(line)) else listing
    chained = len(gaps) > 1 and all(">" in gap for gap in gaps)
    if (letters > 3 and not head and not colon and not chained) or (not letters and _VERB.match(after)):
        listing.in_sentence = True
        return listing if _RECOMMENDS.search(text[:2000]) and not _DECLINES.search(text[:2000]) else None
    declined = colon and not head and _DECLINES.search(before[-80:]) and _CHATTER.match(before)
    return None if declined else listing


def _behind_colon(line: Line, mentions: Mentions, index: TitleIndex) -> tuple[str, Mentions]:
    """Return the text up to the last colon and the mentions behind it, if only these name items (`As you liked
    "Alien": "Heat", "Fargo"`); otherwise nothing and the mentions of the line."""
    at = -1 if any(one.match for one in mentions) else line.text.rfind(": ", 0, 400)
    rest = line.text[at + 2 :].strip()
    behind = _entry(Line(line.number, rest), rest, index, marked=False) if at >= 0 else []
    taken = at >= 0 and (not mentions or any(one.match for one in behind))
    return (line.text[: at + 2], behind) if taken else ("", mentions)


def _chain_of_near(line: Line, index: TitleIndex) -> Mentions:
    """Return the parts of a chain of shortened titles, if most are similar to an item's title."""
    parts = [_bare(part) for part in _CHAINED.split(line.text)]
    if not 2 < len(parts) <= _CHAIN:
        return []
    near = [found for part in parts if (found := index.nearest(part)) and found.positions]
    return [Mention(part, None, line.number) for part in parts] if 2 * len(near) >= len(parts) else []


_CHAIN, _FEW = 100, 20
"""Maximum number of parts of a chain, and of blocks in an answer with one, which keep the time linear."""


def _without_asides(line: Line, index: TitleIndex) -> Line:
    """Return a line without sentences that leave items out and without reasons why the user may like the others."""
    text = line.text
    # I recommend Heat. I do not recommend Fargo.
    if ". " in text and len(text) < 600 and text.count(", ") < 6 and text.count(" > ") < 2:
        sentences = re.split(r"(?<=[.!?])(?<!a\.k\.a\.)(?<!\b\d\.)(?<!\b\d\d\.) ", text)
        said = [index.without_titles(one) for one in sentences] if len(sentences) > 1 else []
        left_out = [_DECLINES.search(one) is not None or _exclusion(one, []) != "" for one in said]
        if any(left_out):
            kept = (one for one, leave in zip(sentences, left_out, strict=True) if not leave)
            line = Line(line.number, " ".join(kept))
    because = _BECAUSE.search(line.text[:2000])
    return Line(line.number, line.text[: because.start()]) if because else line


def _sort_by_scores_in_line(text: str, places: Sequence[tuple[int, int]], listing: Listing) -> None:
    """Sort the entries of a line by the numbers after them, if the line has them."""
    pieces = [text[one[0] : two[0]].strip(" ,;|.") for one, two in pairwise([*places, (len(text), 0)])]
    stood = listing.mentions
    _sort_by_scores(pieces, listing)
    if listing.ordered and not listing.scored and listing.mentions != stood:
        # Heat (2), Fargo (1): in the order of the line, or by number
        listing.ambiguous |= not any("#" in piece[-6:] or _SAYS_RANK.search(piece[-40:]) for piece in pieces)


_NOTE_LINE = caseless(
    r"notes?: (?=.*\b(?:already|not|\w+n['’]t|excluded|omitted|skipped)\b)|\W{0,4}(?:fun fact|trivia|did you know)\b"
)
"""`notes: Heat was already seen`, `Fun fact: Heat was filmed in Los Angeles`"""


def _exclusion(text: str, mentions: Mentions) -> str:
    """Return the words of a sentence that excludes the titles in it (`Heat and Fargo were left out`), otherwise
    nothing."""
    text = text[:2000]
    for mention in mentions[:50]:
        text = text.replace(mention.text, " ", 1) if mention.match else text
    in_words = any(len(word) > 3 and word[0].islower() for word in text.split()) or _EAST_ASIAN.search(text)
    return text if in_words and meaning(text) == "left out" else ""


_EAST_ASIAN = re.compile(rf"[{EAST_ASIAN}]{{2}}")


def _places(text: str, mentions: Mentions) -> list[tuple[int, int]]:
    """Return the start and end of each mention that the text contains verbatim."""
    places: list[tuple[int, int]] = []
    end = 0
    for mention in mentions:
        if (start := text.find(mention.text, end)) >= 0:
            end = start + len(mention.text)
            places.append((start, end))
    return places


def title_in_cell(text: str, index: TitleIndex, line: int) -> Mentions:
    """Return the titles in a cell of a table or a JSON value."""
    whole = _mention(text, index, line)
    if whole.match:
        return [whole]
    if (end := marker(text)[2]) and (marked := _mention(text[end:], index, line)).match:
        return [marked]  # 1. Heat
    if not any(map(str.isalpha, text)):
        return []
    for read in (_emphasised, _remark):
        if parts := read(text, index):
            return [Mention(parts[0].text, parts[0].match, line)]
    return [whole]


# --- ways in which an entry holds several titles, or a title with other words; None: the entry has another form


def _inline_numbers(body: str, index: TitleIndex) -> Mentions | None:
    """`Alien 2. Heat 3. Fargo`; the first number may already be removed."""
    marks = [*_INLINE_NUMBER.finditer(body)]
    begun = not marks or marks[0][1] != "1"
    numbers = [(0, 0)] if begun else []
    depth = at = 0
    for found in marks:
        depth += body.count("(", at, found.start()) - body.count(")", at, found.start())
        at = found.end()
        if int(found[1]) == len(numbers) + 1 and depth == 0:
            numbers.append(found.span())
    if len(numbers) < 2 or (begun and len(numbers) == 2 and body[: numbers[1][1]].rstrip().endswith(":")):
        return None  # Terminator 2: Judgment Day
    body = body[: numbers[-1][1]] + _without_dismissed(body[numbers[-1][1] :])
    pieces = [body[one[1] : two[0]].strip(" ,;|") for one, two in pairwise([*numbers, (len(body), 0)])]
    lines = [Line(0, piece, body=piece) for piece in pieces if piece]
    found = _two_part_lines(lines, [_one(line.body, index) for line in lines], index)
    parts = [mention for mentions in found for mention in mentions]
    return parts if parts and (len(numbers) - begun > 1 or all(mention.match for mention in parts)) else None


def _without_dismissed(body: str) -> str:
    """Return a line up to the label of excluded items (`1. Heat 2. Fargo. Not recommended: Alien`)."""
    for label in islice(_INNER_LABEL.finditer(body), _REMARKS):
        if meaning(label[1]) == "left out":
            return body[: label.start()]
    return body


def _quoted(body: str, index: TitleIndex) -> Mentions | None:
    """`"A", "B" and "C"`, as PALR asks; quotation marks inside a title are kept."""
    if opened := _OPENED.match(body) or _LEADS_TO_QUOTES.match(body):
        body = body[opened.end() - 1 :]
    if len(body) < 4 or not _BETWEEN_QUOTES.search(body):
        return None
    body = _SENTENCE_BEHIND.split(body, maxsplit=1)[0]
    first = _FIRST_QUOTE.search(body)
    start, end = first.end() if first else 0, len(body)
    last = max(body.rfind(quote) for quote in _QUOTES)
    if last > start and (_is_remark(body[last + 1 :]) or _EAST_ASIAN.match(body, last + 1)):  # "A", "B"の順に
        end = last
    pieces = (piece.strip(" ,;[]") for piece in _BETWEEN_QUOTES.split(_AND_IN_ASIA.sub(",", body[start:end])))
    return [_mention(piece, index) for piece in pieces if any(map(str.isalnum, piece))]


def _emphasised(body: str, index: TitleIndex) -> Mentions | None:
    """`**Alien** - a classic`, `"Alien": a classic`."""
    if (chain := _CHAIN_OF_MARKED.match(body)) and _is_remark(body[chain.end() :]):
        return [_mention(one[0], index) for one in re.finditer(_MARKED, chain[0])]
    found = _CLOSED.match(body)
    if not found or _MORE_CLOSED.match(body, found.end()):
        return None
    if chained := _CHAIN_BEHIND.match(body, found.end()):
        pieces = [] if chained["sign"] else body[chained.end() : chained.end() + 2000].split(", ")
        if all(_mention(piece, index).match for piece in pieces):
            return _commas(body.replace("**", ""), index)  # **Alien** > Heat; **Alien**, Heat
    year = _YEAR.match(body[found.end() : found.end() + 40].lstrip())
    inside = _mention(f"{found['inside']} {year[0]}" if year else found["inside"], index)
    if not inside.match and " > " in found["inside"] and (parts := _commas(found["inside"], index)):
        return parts  # **Alien > Heat**
    if not inside.match and (_HEADING.search(found["inside"]) or _mention(body, index).match):
        return None
    return [inside]


_CHAIN_BEHIND = re.compile(r"(?: \([^()\n]{1,60}\))?(?: (?P<sign>[<>→]) |, )")


def _years(body: str, index: TitleIndex) -> Mentions | None:
    """`A (1979) 4/5, B (1995) and C (1996)`, or one title with its year and a remark."""
    found: Mentions = []
    start, listing = 0, True
    for year in _YEAR.finditer(body):
        piece = body[start : year.end()].strip(" ,;=")
        mention = _mention(piece, index)
        if not mention.match and start and (follows := _mention(_FOLLOWS.sub("", piece), index)).match:
            mention = follows
        if not mention.match:
            goes_on = listing or (_IN_SEQUENCE.search(piece[:400]) and not _COMPARES.search(piece[:400]))
            cut = _cut_lead_in(piece, index) if goes_on else None
            if not cut and start and (not listing or piece[:1].islower()):
                break
            mention = cut or mention
        if not mention.match and not start and (parts := _beside(piece, index)):
            return parts  # `Alien - like The Thing (1982)`: the year belongs to another film
        if mention.match or not _is_sentence(piece):
            found.append(mention)
        after = _AFTER_YEAR.match(body, year.end())
        start = after.end() if after else year.end()
        listing = bool(after and after["mark"])
    else:
        if start and listing:
            found += _last(body[start:].strip(), index)
    if start and not any(one.match for one in found):
        return _commas(body, index) or found  # Heat, Doom (2016), Alien
    return found if start else None


def _beside(piece: str, index: TitleIndex) -> Mentions | None:
    """Return the title before words that compare it with another title, or that name its author."""
    compares = _COMPARES.search(piece[:400]) or _AUTHOR.search(piece[:400])
    return _remark(piece, index) if compares else None


def _last(rest: str, index: TitleIndex) -> Mentions:
    """Return the text after the last year of a list: a title without a year, or a truncated one."""
    mention = _mention(rest, index)
    if not mention.match and (follows := _mention(_FOLLOWS.sub("", rest), index)).match:
        mention = follows
    if mention.match:
        return [mention]
    breaks_off = rest.count("(") > rest.count(")")
    return _remark(rest, index) or ([mention] if breaks_off else [])


def _remark(body: str, index: TitleIndex) -> Mentions | None:
    """`Alien - a classic of its kind`: a title, and a remark that cannot be part of it."""
    for mark in reversed([*islice(_REMARK.finditer(body, 0, index.longest), _REMARKS)]):
        remark = body[mark.start() : mark.start() + 2000]
        closed = mark["closed"] or body[mark.start() - 1] in "*_"  # **Dune:** a classic; *Dune*, Frank Herbert
        alone = closed and not {*"*_"} & {*body[mark.end() :][:2000]}
        in_characters = remark[0] in ".!?" and _EAST_ASIAN.match(remark, 2) is not None
        if (
            alone
            or in_characters
            or _is_remark(remark)
            or any(one.match(remark) for one in (_EDITION, _AUTHOR, _ASIDE))
        ):
            mention = _mention(body[: mark.start()], index)
            if mention.match and (by := _BY.match(remark)) and index.is_by_another(mention.match, remark[by.end() :]):
                return None
            if mention.match and remark[0] == "," and _goes_on(remark[1:].split(",", _REMARKS)[:_REMARKS], index):
                return None  # Heat, Fargo, Alien (in this order)
            if mention.match and (sign := _CHAINED.search(remark)):  # Dune by Frank Herbert > Emma by Jane Austen
                after = remark[sign.end() :].partition(sign[0])[0].strip(" *_")
                if _mention(after, index).match or _cut_lead_in(after, index) or _remark(after, index):
                    return None
            if mention.match:
                return [mention]
    return None


def _goes_on(pieces: Sequence[str], index: TitleIndex) -> bool:
    """Return whether a list of titles goes on in these pieces: the first of them is a title, or two others are."""
    are_titles = [_mention(piece, index).match is not None for piece in pieces]
    return are_titles[0] or sum(are_titles) > 1


_BY = re.compile(r"\W{0,3}by (?=[A-Z])")


def _commas(body: str, index: TitleIndex) -> Mentions | None:
    """`Alien, Heat, Good, the Bad and the Ugly, The`: two or more candidates between commas, longest match first."""
    marks = [mark.span() for mark in _COMMA.finditer(body)]
    if not marks:
        return None
    starts = [0, *(end for _, end in marks)]
    ends = [*(start for start, _ in marks), len(body)]
    colon = body.rfind(": ", 0, min(ends[0], 400)) + 2
    if colon > 1 and not _begins(body, index) and _begins(body[colon : colon + 80], index):
        starts[0] = colon  # in this order: Fargo, Season 1 > Fargo, Season 2
    ends_at = [*(at for at, (start, end) in enumerate(marks) if body[start:end].strip() in ("<", ">")), len(marks)]
    found: Mentions = []
    at = 0
    while at < len(starts):
        piece, until = body[starts[at] : ends[at]], at
        mention = Mention(_bare(piece), None)
        if _begins(piece, index):
            for until in range(
                min(at + _MAX_PIECES, len(starts), ends_at[bisect_left(ends_at, at)] + 1) - 1, at - 1, -1
            ):
                longer, last = _mention(body[starts[at] : ends[until]], index), body[starts[until] : ends[until]]
                several = until > at and _is_number(last) and _mention(last, index).match  # Dune, 1984; Creep, One
                if longer.match and not several:
                    mention = longer
                    break
        if not mention.match:
            mention = _cut_lead_in(piece, index, tried=False) or (_remark(piece, index) or [mention])[0]
        if mention.match or not _is_remark(piece):
            found.append(mention)
        at = until + 1
    known = sum(mention.match is not None for mention in found)
    if known == 1 < len(found) <= _REMARKS:  # Alien 3, Search for Spock
        texts = [mention.text for mention in found if mention.match is None]
        known += all(index.recalled_by(text) is not None or index.nearest(text) for text in texts)
    chained = all(body[start:end].strip() in "<>" for start, end in marks)
    if not known and chained and len(found) <= _REMARKS and all(index.nearest(mention.text) for mention in found):
        return found  # Steel Cut Oats > Almond Butter, which have sizes in their titles
    return found if known >= 2 else None


def _is_number(text: str) -> bool:
    word = _bare(text)
    return word.isdigit() or numeral_value(word) is not None


def _begins(piece: str, index: TitleIndex) -> bool:
    """Return whether any title begins with the first word of this text."""
    return index.begins_with(piece[:80].lstrip("*_\"'“").split(" ", 1)[0])


_ABROAD = word_set(
    "el la los las de del des du les le der die das und il lo gli di della e et y o os as da do van het een w z na i"
)
"""Words that show that a name is not English."""


def _in_two_languages(body: str, index: TitleIndex) -> Mentions | None:
    """`Heat / Fuego contra fuego`, `《盗火线》 (Heat)`: one of the two names is a candidate's title."""
    found = _TRANSLATED.fullmatch(body)
    if found is None:
        return None
    if found["latin"]:  # 银翼杀手2049 Blade Runner 2049 (2017)
        latin = _mention(found["latin"], index)
        return [latin] if latin.match else None
    if inner := found["inside"] or found["here"] or found["behind"]:
        inside = _mention(inner, index)
        if found["behind"] and (not inside.match or _mention(found["before"], index).match):
            return None
        letters = [*filter(str.isalpha, found["outside"] or found["abroad"] or found["before"])]
        foreign = 2 * sum(map(str.isascii, letters)) < len(letters)
        if found["behind"] and inside.match and _YEAR.search(inner):
            foreign = True  # La Vie des autres – The Lives of Others (2006)
        if found["outside"] and inside.match and " " in inner and not index.nearest(body):
            ours, theirs = ({*re.findall(r"\w+", text.casefold())} for text in (found["outside"], inner))
            telling = len(theirs) > 2 or not found["outside"].isascii() or not _ABROAD.isdisjoint(ours) or ours & theirs
            foreign = bool(telling) and len(ours) < 9  # Wiedźmin 3: Dziki Gon (The Witcher 3: Wild Hunt)
        return [inside] if foreign and (inside.match or (found["inside"] and _is_title_like(inner))) else None
    one, other = _mention(found["one"], index), _mention(found["other"], index)
    if not one.match and not other.match:
        other = (_remark(found["other"], index) or [other])[0]
    return None if bool(one.match) == bool(other.match) else [one if one.match else other]


ENTRY_FORMS = (
    EntryForm("several numbered titles", "1. Alien 2. Heat 3. Fargo", _inline_numbers),
    EntryForm("titles in quotation marks", '"Alien", "Heat" and "Fargo"', _quoted),
    EntryForm("a name and its translation", "《盗火线》 (Heat)", _in_two_languages),
    EntryForm("a bold or quoted title and a remark", "**Alien** - a classic of horror", _emphasised),
    EntryForm("titles with years", "Alien (1979), Heat (1995) and Fargo (1996)", _years),
    EntryForm("a title and a remark", "Alien - it is a classic", _remark),
    EntryForm("titles separated by commas, `>`, `<` or `and`", "Alien > Heat > Fargo", _commas),
)
"""The ways in which an entry or a line may name items, in the order in which they are tried, each with an example."""


def _after_lead_in(body: str, index: TitleIndex) -> Mentions:
    """`My top 3: Alien, Heat, Fargo`, `I think you would like Alien`: the titles after an introduction."""
    if cut := _cut_lead_in(body, index):
        return [cut]
    rests = (body[mark.end() :] for mark in islice(_LEAD_IN.finditer(body, 0, 200), _LEAD_INS))
    return next((parts for rest in rests if (parts := _remark(rest, index))), [])


def _one(piece: str, index: TitleIndex) -> Mentions:
    whole = _mention(piece, index)
    if whole.match:
        return [whole]
    for form in ENTRY_FORMS[1:]:
        if (parts := form.read(piece, index)) is not None:
            return parts
    return [whole] if _is_title_like(piece) else []


def _cut_lead_in(piece: str, index: TitleIndex, *, tried: bool = True) -> Mention | None:
    """Return the title after words that introduce it, or before an ordinal. `tried`: the whole text is known not to
    match."""
    whole, piece = piece, _TRAILING_ORDINAL.sub("", piece) if len(piece) <= 80 else piece
    rests = (piece[mark.end() :] for mark in islice(_LEAD_IN.finditer(piece, 0, 200), _LEAD_INS))
    mentions = (_mention(rest, index) for rest in (rests if tried and piece == whole else chain((piece,), rests)))
    return next((mention for mention in mentions if mention.match), None)


# --- what a piece of text is


def _mention(text: str, index: TitleIndex, line: int = 0) -> Mention:
    """Return the text, without emphasis and quotation marks around it, with its match as one title."""
    plain = _bare(text)
    match = (index.exact(text) if plain != text else None) or index.find(plain)
    if match is None and not plain.isascii() and (end := _SYMBOLS.search(plain)):
        match = index.find(plain[: end.start()])  # Heat 1995 👍
    if match is not None or len(text) > _TITLE_LIMIT:
        return Mention(plain, match, line)
    if text[:1] == "[" and (label := _LABELLED.match(text)):
        return _mention(text[label.end() :], index, line)  # [3] Heat
    if text[-1:] == ")" and (version := _VERSION.search(text)):
        return _mention(f"{text[: version.start()]} ({version[1]})", index, line)  # "Hurt" (the Johnny Cash version)
    if text[-1:] in ("]", ")") and (note := _NOTE.search(text) or _PRICE.search(text)):
        return _mention(text[: note.start()], index, line)
    return Mention(plain, match, line)


_VERSION = caseless(
    r"[\"”]? ?\((?:the )?([^()\n]{2,60}?)(?:['’]s)? (?:version|original|cover|recording|one|adaptation)\)$"
)
_SYMBOLS = re.compile(r"(?<![\s\u2190-\u2bff\U0001f000-\U0001faff])[\s\u2190-\u2bff\U0001f000-\U0001faff]+$")
_TITLE_LIMIT = 1000
"""Maximum length of a title with labels and notes around it."""


def _bare(text: str) -> str:
    """Return the text without emphasis and quotation marks around it."""
    plain = text.strip(' \t*_`"“”„«»,;[]').strip("'‘’ ") if text else text
    return f"{plain}]" if plain[-1:].isdigit() and plain.rfind("[") > plain.rfind("]") else plain


def _content_words(text: str) -> list[str]:
    words = PARENTHESIS.sub(" ", text[:400]).split()
    return [word for word in words if len(word) > 3 and word[0].isalpha() and word not in _PREPOSITIONS]


def _is_sentence(text: str) -> bool:
    """Return whether the text is prose: five or more words, with at least two, and half, of the longer ones in lower
    case."""
    words = _content_words(text)
    return len(text[:400].split(maxsplit=6)) >= 5 and 2 * sum(word[0].islower() for word in words) >= max(4, len(words))


def _is_remark(text: str) -> bool:
    """Return whether the text is a remark on a title: it has no letters, or lower-case words as no title has them."""
    is_said = text.endswith(".")
    text = text.strip(" -–—:,.;()\t*_")
    if not any(map(str.isalpha, text[:400])) or _PLACE.fullmatch(text):
        return True
    words = _content_words(text)
    lower = sum(word[0].islower() for word in words)
    return lower >= 1 and 2 * lower >= len(words) and (text[0].islower() or lower >= 2 or is_said)


def _is_title_like(text: str) -> bool:
    """Return whether an unmarked line without a candidate is meant as a title."""
    plain = _bare(text)
    return (
        0 < len(plain) <= 200
        and any(map(str.isalpha, plain))
        and not _HEADING.search(text[:200])
        and not _CHATTER.match(plain)
        and not is_tier(plain)
        and plain[0] not in "↓↑"
        and not (plain.endswith(".") and _EAST_ASIAN.search(plain))
        and not _is_sentence(plain)
    )
