"""Stage 5 for titles: the items named by a list entry, a table cell, or a line of text.

An entry is looked up as a whole, and then in the forms of `entry_forms.py`. In a line of text outside a list, a part
counts as a title only if the words around it show that it is meant as one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice, pairwise

from llmrank.answers.items.listing import Listing, Mention, is_as_shown
from llmrank.answers.items.matching import Match, TitleIndex
from llmrank.answers.items.title import SMALL_WORDS
from llmrank.answers.outcome import RETRACTION
from llmrank.answers.rankings import doubt
from llmrank.answers.rankings.choosing import count_lower_words, gather
from llmrank.answers.rankings.entry_forms import (
    CHAINED,
    ENTRY_FORMS,
    TWO_PARTS,
    after_lead_in,
    emphasised,
    in_two_languages,
    two_part_lines,
    with_remark,
)
from llmrank.answers.rankings.mentions import (
    CHATTER,
    EAST_ASIAN_WORD,
    Mentions,
    bare,
    is_remark,
    is_sentence,
    is_title_like,
    mention_of,
)
from llmrank.answers.rankings.ranks import (
    TRAILING_RANK,
    are_scores,
    by_number,
    counts,
    counts_down,
    do_grades_rise,
    falls,
    read_rows,
    sort_by_numbers,
)
from llmrank.answers.text.lines import RANK_NOUN, Block, Line, marker, word_set
from llmrank.answers.text.normalise import ORDINALS, caseless
from llmrank.answers.text.phrases import degree, meaning

_DECLINES = caseless(
    r"\b(?:not|(?:ca|wo|do|would|could|should)n['’]t|never|hesitate|reluctant|avoid|skip|unlike|except|instead"
    r"|rather than"
    r"|cannot|sorry|unable|none of|neither|nor|dislikes?|hates?|nicht|pas|keine?|não|niet|не|because you|since you"
    r"|(?:you|the user) (?:(?:has|have|had) )?(?:already )?(?:liked|loved|watched|enjoyed|rated|seen)|error"
    r"|last (?:thing|one|movie|film|book|item) (?:i|they)\b|before|after"
    r"|(?:above|below) (?:it|that|this|them)|worse|(?<!not )least|(?:little|slightly|somewhat"
    r"|bit) better"
    r"|better than|do you|would you like me|want me)\b|\?\W{0,3}$|(?<!最)不推[荐薦]"
)
_SCORE_NOUN = r"score|rating|relevance|match|confidence|probability|likelihood"
_SCORED = re.compile(
    r"(?:(?:-{1,2}|=)> ?|[:=–—|-] ?|[(\[]|→ ?)"
    rf"(?i:{_SCORE_NOUN}|{RANK_NOUN})?[ :#]{{0,3}}"
    r"(?P<value>-?\d{1,3}(?:[.,]\d{1,6})? ?(?:%|/ ?\d{1,3}|out of \d{1,3})?)(?:st|nd|rd|th|[ºª°])?"
    r"(?: ?(?:points?|pts|stars?|match|place|lugar|posici[óo]n|posto|platz|место))?[)\]*_.]{0,4}$"
    r"|(?P<stars>[★⭐🌟🔥❤👍]{1,10})☆{0,10}$"
)
"""`Heat – 2nd (a crime film)`"""
_SAYS_RANK = caseless(rf"\b(?:{RANK_NOUN})\b|\d(?:st|nd|rd|th)\b|\d[ºª°]")
_S = ord("S") - ord("A") + 1
_TIERS = {_S: 0} | {letter: letter for letter in range(1, 7)}
"""The tiers S, A, B, … F, as positions in the alphabet, with their rank."""


def titles_of(blocks: Sequence[Block], index: TitleIndex) -> list[Listing]:
    """Return the listings of titles in the blocks of an answer, in order."""
    listed = any(block.kind != "text" and len(block.lines) + len(block.rows) > 1 for block in blocks)
    return gather(
        _merge_similar_lines(blocks),
        lambda line: _text_line(line, index, listed, few=len(blocks) <= _FEW),
        lambda lines: _list(lines, index),
        lambda block: read_rows(block, lambda text, line: title_in_cell(text, index, line)),
    )


def _merge_similar_lines(blocks: Sequence[Block]) -> list[Block]:
    """Merge consecutive lines of text into a list if all have two parts, or all have scores."""
    found: list[Block] = []
    shape = ""
    for block in blocks:
        text = block.lines[0].text if block.kind == "text" else ""
        said = _last_words(text)
        scored = _SCORED.search(text[-40:]) or _taste(said) or degree(said) is not None
        now = "scored" if scored else "parts" if TWO_PARTS.search(text[:400]) else ""
        if now and now == shape:
            if found[-1].kind == "text":
                found[-1] = Block("list", [replace(line, indent=0) for line in found[-1].lines])
            found[-1].lines += [replace(line, indent=0) for line in block.lines]
        else:
            found.append(block)
        shape = now
    return found


def _list(lines: list[Line], index: TitleIndex) -> Listing:
    first = lines[0]
    level = [line for line in lines if line.indent <= first.indent]
    numbers = [line.value for line in level if line.kind == first.kind]
    tiered = first.kind == "letter" and _are_tiers(numbers)
    starts = tiered or numbers[:2] in ([1, 2], [2, 1], [_S, 1]) or counts_down(numbers)
    if first.kind in ("letter", "roman") and not starts:
        return Listing([one for line in level for one in _entry(line, line.text, index, marked=False)])
    entries, found = _entries(lines, index)
    if tiered:
        order = sorted(range(len(entries)), key=lambda at: _TIERS[entries[at].value or 0])
        return Listing([one for at in order for one in found[at]], ordered=True)
    listing = Listing([one for mentions in found for one in mentions])
    if first.kind == "number" and len(entries) > 1:  # 1. Heat - Fargo
        pairs = zip(entries, found, strict=True)
        both = (len(two) == 2 and two[0].match and two[1].match and TWO_PARTS.search(line.body) for line, two in pairs)
        listing.ambiguous = all(both)
    if all(len(mentions) == 1 for mentions in found):
        _sort_entries(entries, listing, first.kind == "rank")
    return listing


def _are_tiers(numbers: Sequence[int | None]) -> bool:
    """Return whether the letters of a list (A is 1) are different tiers, the tier S among them."""
    tiers = [_TIERS.get(number or 0) for number in numbers] if _S in numbers else []
    return len(tiers) > 2 and None not in tiers and len({*tiers}) == len(tiers)


def _entries(lines: list[Line], index: TitleIndex) -> tuple[list[Line], list[Mentions]]:
    """Return the entries of a list, and what each mentions; those of the inner lists if the outer ones name nothing."""
    first = lines[0]
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
    return entries, two_part_lines(entries, found, index)


def _sort_entries(entries: Sequence[Line], listing: Listing, ranked: bool) -> None:
    """Sort entries of one mention each by their numbers (`ranked`: they are called ranks); if they have none that say
    an order, by what stands behind the titles."""
    bodies = [line.body for line in entries]
    led = [int(number[1]) for body in bodies if (number := _NUMBER_LEADS.match(body))]
    values = [line.value for line in entries if line.value is not None] or led
    ranked |= bool(led)
    as_shown = not ranked and len(values) == len(entries) and _are_as_shown(values, listing.mentions)
    ranks = [found["rank"] for body in bodies if (found := TRAILING_RANK.search(body[-20:]))]
    if not values or (as_shown and len(ranks) == len(entries)):
        _sort_by_scores(bodies, listing)  # 1. Heat - rank 3, as shown first
        return
    whole = any(mention.text == line.text for line, mention in zip(entries, listing.mentions, strict=True))
    if len(values) == len(entries) and not whole and not as_shown:
        sort_by_numbers(listing, values, ranked)
        listing.ambiguous |= len(ranks) == len(values) and ranks != [*map(str, values)]
        listing.scores_rise = counts([*map(str, values)]) and _do_scores_rise(bodies)


_NUMBER_LEADS = re.compile(r"\W{0,3}(\d{1,3}) ?(?:->|=>|→) ")
"""`2 → Heat`"""


def _do_scores_rise(bodies: Sequence[str]) -> bool:
    """Return whether scores out of ten or a hundred, or grades, rise from entry to entry (`Heat - 2/10`, `Fargo -
    4/10`)."""
    if do_grades_rise([_last_words(body) for body in bodies]):
        return True
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
    if line.value is None or after is None or after.kind != "none" or mention_of(line.body, index).match:
        return line
    whole = f"{line.body} {after.text}"
    return replace(line, body=whole) if len(whole) <= index.longest and mention_of(whole, index).match else line


def _sort_by_scores(bodies: list[str], listing: Listing) -> None:
    """Sort the entries by the scores, ranks or grades beside their titles, if every entry has one and they differ."""
    places = _places_in_words(bodies)
    scores = places or _scores_beside(bodies)
    graded = not scores
    if graded:
        scores = _grades(bodies, listing)
    starred = all(body.endswith((*"★⭐🌟🔥❤👍☆",)) for body in bodies)
    if starred and {*scores} == {"1"} and not any(body.endswith("☆") for body in bodies):
        return  # decoration
    if not len(scores) == len(bodies) == len(listing.mentions) or len(set(scores)) < 2:
        listing.ambiguous |= len(scores) == len(bodies) == len(listing.mentions) > 2  # all scores are the same
        return
    ranks = bool(places) or all(_SAYS_RANK.search(body[-40:]) for body in bodies)
    named = all(_SAYS_SCORE.search(body[-40:]) for body in bodies)
    rates = starred or graded or named
    in_brackets = all(map(str.isdecimal, scores)) and all(body.endswith(("]", ")")) for body in bodies)
    if in_brackets and not (ranks or rates) and _are_as_shown([*map(int, scores)], listing.mentions):
        return  # Heat [3], the third item shown
    if not ranks and len(set(scores)) < len(scores) and all("/" in score or "out" in score for score in scores):
        return  # Heat: 4/5, Fargo: 4/5
    role = "rank" if ranks else "score" if rates else ""
    order = by_number(scores, role)
    descends = not role and all(map(str.isdecimal, scores)) and counts(scores[::-1])
    counted = named and not (ranks or starred or graded) and counts(scores)
    if order is None or descends or counted or (in_brackets and _are_unnamed(scores, bodies)):
        # Heat - 3, Fargo - 2, Alien - 1: ranks or scores. Heat: match 1, Fargo: match 2.
        listing.ambiguous = True
    else:
        listing.mentions = [listing.mentions[at] for at in order]
        listing.ordered, listing.scored = True, are_scores(scores, role)


_SAYS_SCORE = caseless(rf"\b(?:{_SCORE_NOUN})[ :=]{{1,3}}\d[\d.,]*\W{{0,4}}$|\d ?(?:points?|pts)\W{{0,4}}$")
"""`Heat (score: 9)`: a number that is called a score."""


def _scores_beside(bodies: Sequence[str]) -> list[str]:
    """Return the numbers or stars behind the titles, or if there are none, the numbers before them."""
    behind = [found["value"] or str(len(found["stars"])) for body in bodies if (found := _SCORED.search(body[-40:]))]
    return behind or [found["value"] for body in bodies if (found := _SCORED_FIRST.match(body))]


_SCORED_FIRST = re.compile(r"(?P<value>0?\.\d{1,4}|\d{1,3}(?:\.\d{1,3})? ?(?:%|/ ?\d{1,3})) ?[-–:)]? ?(?=\D)")


def _grades(bodies: Sequence[str], listing: Listing) -> list[str]:
    """Return the grades behind the titles, as numbers (`Heat: high`, `Fargo: low`). Nothing if all are the same, and
    ambiguous if they differ more finely than their order can be known."""
    words = [_last_words(body).casefold() for body in bodies]
    tastes = [str(found) for one in words if (found := _taste(one))]
    degrees = [] if tastes else [found for one in words if (found := degree(one)) is not None]
    grades = tastes or [*map(str, degrees)]
    if grades == sorted(grades, reverse=True) and not is_as_shown(listing.named):
        return [] if len({*grades}) == 1 else grades  # Heat: a great film, Fargo: a great film
    steps = len({*tastes, *((one > 1.5) + (one > 2) for one in degrees)})
    if 2 * len(grades) >= len(bodies) > 2 and len({*words}) > steps:
        listing.ambiguous = True  # Heat: high, Fargo: very high
        return []
    return grades


def _are_unnamed(scores: Sequence[str], bodies: Sequence[str]) -> bool:
    """Return whether whole numbers in square brackets may be scores, ranks, minutes or sources (`Fargo [98]`, `Heat
    [170]`)."""
    if counts(scores) or not all(body.endswith(f"[{score}]") for body, score in zip(bodies, scores, strict=True)):
        return False
    return [*map(int, scores)] != sorted(map(int, scores), reverse=True)


def _places_in_words(bodies: list[str]) -> list[str]:
    """Return the places that entries have in words (`Heat: third place`), nothing if any entry has none."""
    found = [_PLACE_IN_WORDS.search(body[-60:]) for body in bodies]
    words = [one[1].lower() for one in found if one]
    if len(words) < len(bodies):
        return []
    return [str(len(bodies) if word == "last" else ORDINALS.index(word) + 1) for word in words]


_PLACE_IN_WORDS = caseless(rf"[-–—:(,] ?({'|'.join(ORDINALS)}|last) (?:place|choice|pick)\b")


def _taste(word: str) -> int:
    """Return the place of a verdict among `_TASTES`, from 1, or 0."""
    return next((place for place, taste in enumerate(_TASTES, 1) if taste.match(word)), 0)


_TASTES = tuple(
    re.compile(rf"{words}\Z", re.IGNORECASE) for words in ("hates?", "dislikes?", "neutral", "likes?", "loves?")
)
"""`Heat (love)`, from worst to best."""


def _last_words(text: str) -> str:
    """Return the text after the last colon, dash or opening parenthesis, if it is short."""
    found = _LAST_WORDS.search(text[-40:])
    return found[2] if found else ""


_LAST_WORDS = re.compile(r"(?:[:=–—|-] |(\())([^\W\d_][^:=–—|()-]{1,20})(?(1)\)?)$")


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
        name = bare(body[: mark.start()])
        if (several := index.find(name)) is None or several.positions:
            continue
        years = _FROM_YEAR.findall(body, mark.end()) or _A_YEAR.findall(body, mark.end())
        dated = [index.find(f"{name} ({year})") for year in years]
        matches = {match for match in dated if match and len(match.positions) == 1}
        if len(matches) == 1:
            return Mention(name, matches.pop())
    return None


_FROM_YEAR = re.compile(r"\b(?:from|of|in) ((?:18|19|20)\d\d)(?!\d)")
_A_YEAR = re.compile(r"(?<![\d-])(?:18|19|20)\d\d(?!\d)")


def _read(line: Line, body: str, index: TitleIndex, marked: bool) -> Mentions:
    body = _RATED.sub(r"\1", body) if "/" in body[-12:] and len(body) <= 400 else body
    body = _TIED.sub("", body)
    whole = mention_of(body, index)
    if whole.match:
        return [whole]
    if (said := _before_verdict(body, index) or _replacement(body, index)) is not None:
        return said
    if "[" in body:
        body = _IN_BRACKETS.sub(lambda found: f'"{found[1]}"' if index.find(found[1]) else found[0], body)
    text = line.text.lstrip("-–—•·*_#> ") if line.value is not None else ""  # (500) Days of Summer
    if text and index.begins_with(text.split(maxsplit=1)[0]) and (titled := mention_of(text, index)).match:
        return [titled]
    if not body or _ONLY_NUMBER.fullmatch(body):
        number = mention_of(body.strip(" \t.,;:!?\"'()[]*_`“”«»👍🔥"), index)
        meant = number.match or index.is_first_part(number.text)  # 2001: A Space Odyssey
        return [number] if meant and len(number.text) > 2 else []
    if line.value is not None and body[0].isdigit():  # 1. 1. Heat
        kind, value, end = marker(body)
        if (kind, value) == (line.kind, line.value) and (again := mention_of(body[end:], index)).match:
            return [again]
    if (parts := _in_a_form(line, body, whole, index, marked)) is not None:
        return parts
    if line.value is None and (parts := after_lead_in(body, index)):
        return parts
    if marked and (near := _before_remark(body, index)):
        return [near]
    return _unknown(line, body, whole, index) if marked and not _LEFT_OPEN.search(body) else []


def _in_a_form(line: Line, body: str, whole: Mention, index: TitleIndex, marked: bool) -> Mentions | None:
    """Return the mentions in the first form that the line has, None if it has none; of an entry that is similar to one
    title, just this."""
    if marked and (near := index.nearest(whole.text)) and near.positions:
        return [whole]
    for form in ENTRY_FORMS:
        if (parts := form.read(body, index)) is not None:
            return [whole] if line.value is not None and _is_end_of_another(parts, body) else parts
    return None


_ONLY_NUMBER = re.compile(r"[\W_]*+(?:\d{1,4}[\W_]*+)?")
_RATED = re.compile(r"(\((?:18|19|20)\d\d\)) \d(?:\.\d)? ?/ ?\d{1,2}\W{0,4}$")
_LEFT_OPEN = re.compile(r":\W{0,3}$")


_IN_BRACKETS = re.compile(r"\[(?![A-Za-z0-9]{1,3}\])([^\[\]\n]{2,400})\]")
"""`[Heat], [Fargo]`"""


def _unknown(line: Line, body: str, whole: Mention, index: TitleIndex) -> Mentions:
    """Return the text of an entry that names no candidate, without its remark; nothing if it is a sentence."""
    # A headline reads like a sentence.
    if not is_sentence(body) or index.nearest(body) or index.alike(body, range(len(index))):
        return [whole]
    remark = _SPACED_DASH.search(body[:400]) if line.value is not None else None
    says = body[remark.end() :].split() if remark else []
    head = body[: remark.start()] if remark else ""
    remarked = says and (says[0][:1].islower() or sum(map(str.islower, says[1:])) >= _SAYS)
    return [Mention(bare(head), None)] if head and remarked and not is_sentence(head) else []


_SAYS = 2
"""Number of lower-case words from which a text behind a colon or dash is a remark."""


def _before_verdict(body: str, index: TitleIndex) -> Mentions | None:
    """`The Godfather: Part II: Likely`: return the title."""
    said = _last_words(body)
    title = (
        mention_of(body[: body.rfind(said)].rstrip(" (:=–—|-"), index) if said and degree(said) is not None else None
    )
    return [title] if title and title.match else None


def _replacement(body: str, index: TitleIndex) -> Mentions | None:
    """`Heat - no, scratch that, they have seen it; Fargo takes this place`: return the replacement."""
    if (back := RETRACTION.search(body)) and (instead := mention_of(body[back.end() :].strip(" ,:;—-"), index)).match:
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
        if mark and (is_remark(body[mark.start() :]) or body[mark.end() : mark.end() + 1].islower()):
            head = body[: mark.start()].replace("*", "")
            if translated := in_two_languages(head, index):
                return translated[0]
            if index.nearest(bare(head)):
                return Mention(bare(head), None)
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
        is_title = not listed and is_title_like(text) and not (_is_heading(line) and meaning(text) == "left out")
        return Listing([Mention(bare(text), None, line.number)]) if is_title else None
    while len(mentions) > 1 and mentions[0].match is None and CHATTER.match(mentions[0].text):
        del mentions[0]  # I'm sorry, but I can't rank Heat
    listing = Listing(mentions, head)
    places = _places(text, mentions)
    start, end = places[0] if places else (0, 0)
    before, after = text[:start], text[end:]
    gaps = [text[one[1] : two[0]] for one, two in pairwise(places)] or [after]
    listing.worst_first, listing.ambiguous = falls(gaps)
    listing.ambiguous |= len(mentions) > 1 and all(_EQUALS.search(gap) and ">" not in gap for gap in gaps)
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
    listing.described = len(listing.named) == 1 and not letters and count_lower_words(after) > 1
    if not any(one.match for one in mentions):
        return None if listed and (letters > 3 or is_sentence(text) or _is_heading(line)) else listing
    chained = len(gaps) > 1 and all(">" in gap for gap in gaps)
    states = _VERB.match(after) or _ARE_ALL.search(after[:400])
    if (letters > 3 and not head and not colon and not chained) or (not letters and states):
        listing.in_sentence = True
        return listing if _RECOMMENDS.search(text[:2000]) and not _DECLINES.search(text[:2000]) else None
    declined = colon and not head and _DECLINES.search(before[-80:]) and CHATTER.match(before)
    return None if declined else listing


_FIRST_NUMBER = re.compile(r"(?<=[:,>] )1[.)]{1,2}\s?[\"“«]?$")
_RECOMMENDS = caseless(
    r"\b(?:recommend|suggest|would (?:(?:most|likely|probably|really) ){0,2}"
    r"(?:pick|choose|watch|rank|put|go with|enjoy|like|love|start|be)"
    r"|['’]d (?:pick|choose|watch|rank|put|go with|start|say)|my (?:top|pick|choice|answer|ranking)"
    r"|best|top (?:pick|choice)"
    r"|should (?:watch|try|see)|rank|start with|followed by|order is|picks?|choose|answer|empfehl|würde|recommand"
    r"|recomiend|recomend|consigli|output|try|рекоменд)"
)
_VERB = re.compile(
    r"[\W_]{0,6}(?:\((?:18|19|20)\d\d\)[\W_]{0,4})?(?:is|was|are|would|has|have|seems?|looks?|might|may|could"
    r"|should|will|isn['’]t|does|did|can|fits?|ist|wäre|est|serait|es|sería|é|è)\b"
)
_ARE_ALL = caseless(r"\b(?:are|were|have) (?:all|both)\b")
"""`Heat and Fargo are both crime films`"""


_EQUALS = re.compile(r"=(?! ?\d)")


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
    parts = [bare(part) for part in CHAINED.split(line.text)]
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
    since = doubt.SINCE.match(line.text[:2000])
    line = Line(line.number, line.text[since.end() :]) if since else line
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
    in_words = any(len(word) > 3 and word[0].islower() for word in text.split()) or EAST_ASIAN_WORD.search(text)
    return text if in_words and meaning(text) == "left out" else ""


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
    whole = mention_of(text, index, line)
    if whole.match:
        return [whole]
    if (end := marker(text)[2]) and (marked := mention_of(text[end:], index, line)).match:
        return [marked]  # 1. Heat
    if not any(map(str.isalpha, text)):
        return []
    for read in (emphasised, with_remark):
        if parts := read(text, index):
            return [Mention(parts[0].text, parts[0].match, line)]
    return [whole]
