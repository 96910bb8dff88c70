"""Stage 5 for identifiers: the items named by a list, a table, or a chain.

In a list or table the other columns show which side is the rank; in a line, a `Run` is an unbroken series of
identifiers. `identifiers_of` reads all blocks and returns their listings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, groupby, islice, pairwise, takewhile
from string import ascii_lowercase, ascii_uppercase

from llmrank.answers.items.identifiers import Identifiers, Word, naming, uses_brackets, words_of
from llmrank.answers.items.listing import Listing, Mention, is_as_shown
from llmrank.answers.items.matching import Match, TitleIndex
from llmrank.answers.rankings.choosing import gather
from llmrank.answers.rankings.identifier_runs import (
    BOTTOM,
    DENIED,
    DISMISSED,
    IN_ORDER,
    SENTENCE_ENDS,
    Run,
    count_different,
    has_rival,
    leading_identifier,
    leading_of_parts,
    runs_of,
    value_of_run,
    with_ranges,
    without_bottom,
    without_candidates,
    without_dismissed,
)
from llmrank.answers.rankings.ranks import (
    TRAILING_RANK,
    are_scores,
    by_number,
    counts,
    counts_down,
    falls,
    is_permutation,
    read_rows,
    sort_by_numbers,
)
from llmrank.answers.text.lines import ITEM_HEADS, Block, Line, Row, head_role, numeral_value
from llmrank.answers.text.normalise import ORDINALS, caseless
from llmrank.answers.text.phrases import grade, is_tier

_INLINE = re.compile(r"(?:^|(?<=[\s,;|(]))#?(\d{1,4})[.):=](?=\s?[\s\[(\w])")
_MARKS_ALONE = re.compile(r"(?:\d{1,4}\.\s*(?:[→>,、]\s*)?){3,}\.?")
_SCORED = caseless(
    r"\W{0,4}(?:[A-Za-z]{2,12} )?\[\w{1,20}\] ?(?:[:=–—→-]|->|is|ranks|comes(?: in)?) ?"
    r"(?:\d{1,3}(?:[.,]\d{1,6}| ?%| ?/ ?\d{1,3}|st\b|nd\b|rd\b|th\b)|(?:rank|position|place)\b)"
)
_SCORE_BESIDE = re.compile(
    r"[\]\s]{0,3}(?P<sign>[(:=–—-]?) ?(?P<value>\d{1,3}(?:\.\d{1,6}| ?%| ?/ ?\d{1,3}| ?(?:stars?|points?)\b"
    r"|(?=[,;)|\s]|\.?(?:\s|$))))\)?"
)
_SEVERAL = re.compile(r"\W{0,3}\(?[A-Z](?:\)[^()\n]{1,200}[,; ]\(?[A-Z]\)|([:.]) [^:\n]{1,200} > [A-Z]\1 )")
_CAPITALS = str.maketrans(ascii_lowercase, ascii_uppercase)
"""One letter each: `ß` would become two capitals."""
_ARROW = re.compile(r"->|=>|→")
_BARE_CHAIN = re.compile(r"\w{1,3}(?: ?[>,] ?\w{1,3})++")
_NAMED = r"[*_`]{0,3}[\[({#]?\w{1,3}[\])}]?[*_`]{0,3}"
_CHAIN_LINE = re.compile(rf"{_NAMED}(?: ?(?:[→>|/;,·]|[-=] ?>) ?{_NAMED})+[.;,]?")
"""`(3) → (1) → (2)`, `#3 | #1`: not an entry that begins with a list marker."""
_CHAIN_OF_MARKED = re.compile(r" (?:[>→|]|[-=]>|then) \(?(?:\d{1,3}|[A-Z])[.)] \S")
"""`2. Heat > 1. Fargo`, `(B) Heat > (A) Fargo`"""
_SAYS_OF_IT = re.compile(r"(?:is|would be|comes|fits|should be) ")
"""`#4 is the best match`"""
_LED_LINE = re.compile(
    r"[*_\"'`({\[#]{0,4}(?:(?P<noun>[^\W\d_]{3,20}) )?[*_\"'`({\[#]{0,4}(?P<name>\w{1,20})"
    r"[*_\"'`)}\]]{0,4}[.:)]{0,2} ?[(–—:-] ?(?P<remark>[^\n]{0,400})$"
)
"""`Candidate 4 (the same director)`, `4: a strong match`"""
_BULLETED = re.compile(r"[-•*+] \[(\w{1,3})\]")
_ORDINAL = caseless(rf"\b(?:{'|'.join(ORDINALS)}|last|worst|best|closest|favou?rite|ranked|seen)\b")
"""Words of a remark that may give the item another place."""
_DASHED = re.compile(r"(?:\d{1,3}|[A-Z])(?:(?: ?- ?(?:\d{1,3}|[A-Z])){2,}|(?: ?/ ?(?:\d{1,3}|[A-Z])){2,})")
_SHORT = 60
"""Maximum length of a line in which words may stand before such a chain; a longer one may say more."""
_SOLID = re.compile(r"[\dA-Z[]{3,26}|\d|\[")
"""Identifiers without separators, or characters that may be one."""
_SMALL = re.compile(r"[\W_]*[a-z][\W_]*")
_SMALL_IN_BRACKETS = re.compile(r"\([a-z]\)")
_PAIRED = re.compile(r"\W{0,3}\(\w{1,3}, ?\w{1,3}\)(?:, ?\(\w{1,3}, ?\w{1,3}\))++\W{0,3}")
"""`(2, 4), (5, 1)`: pairs of a comparison, or of items and ranks."""
_ARE_LEFT_OUT = caseless(
    r"[\])*\s]{0,4} (?:are|is|were|was|have been|has been) (?:\w+ly |already )?(?:not (?:ranked|included|listed"
    r"|recommended)|left out|excluded|omitted|seen|watched|viewed|read(?! next)|played|bought|purchased|rated)\b"
)
"""Follows the last item of a sentence: `Items 2, 4 and 5 were not ranked`, `C and D were already watched`."""
_RANK_IS = caseless(
    r"\b(?:(?:rank|position|place) #?(?=\d)|(?=\d{1,2}(?:st|nd|rd|th) ))(?P<rank>\d{1,4})(?:(?:st|nd|rd|th)"
    r" (?:choice|pick|place|position|rank))? ?(?:is|goes to|[=:]) (?:[A-Za-z]{3,12} )?\[?(?P<item>\w{1,20})\b"
)
_IS_RANK = caseless(
    r"(?P<item>\w{1,20})\]? ?(?:is |has |gets |: ?|= ?|[-–—] |\()"
    r"(?:(?:rank(?:ed)?|position|place) #?|(?=\d{1,4}(?:st|nd|rd|th)))(?P<rank>\d{1,4})(?:st|nd|rd|th)?\b"
)
_OF_EACH = caseless(r"\b(?:ranks?|positions?|places?) (?:of|for) (?:each|every|the) ")
"""`Position of each movie: 1:4, 2:3`"""
_ORDINAL_CHOICE = caseless(rf"\b({'|'.join(ORDINALS)}) (?:choice|pick|place|rank) ?[:=] ?(?=\W?\w{{1,3}}\b)")
"""`First choice: 3. Second choice: 2.`"""
_COUNT_ASIDE = caseless(r"\(\d{1,3} (?:options|candidates|movies|films|items|titles|books|products)\b[^()\n]{0,60}\)")
"""`(8 options considered)`"""
_SHARE = re.compile(r"\d{1,3}(?:[.,]\d{1,6}(?: ?%| ?/ ?\d{1,3})?| ?%| ?/ ?\d{1,3})[.;]?")
"""`0.12`, `80%`, `7/10`: a score and no identifier"""
_RANGE = re.compile(r"[\]\s]*[-–][\[\s]*")
_THROUGH = re.compile(r"(?<=\]) (?:through|thru|to|up to|bis|à|a) (?=\[\w{1,3}\])|(?<=\d) (?:through|thru) (?=\d)")
"""`[4] through [6]`"""
_LEADS = re.compile(r"[:：]\W{0,4}$")
_ROLES = re.compile(r"\W*([^\W\d_]{2,20}) ?(?:->|=>|→|[:=|–—-]) ?([^\W\d_]{2,20})\W*")
"""A line with the meaning of both sides of the lines below it: `(item → rank)`."""
_UNKNOWN = ("pair", "")
"""The heading of pairs whose sides have unknown names: either may be the rank."""
_CALL = re.compile(r"[A-Za-z]{1,12}\((\w{1,20})\)")
"""`logP(A)`, `score(3)`"""
_BESIDE = " \t*_`\"“”„«»'‘’()[]{}.:,;><=|/→~-–—#"
_PAIR = re.compile(
    r"\W{0,4}(?P<one>(?:[A-Za-z]{2,12}[ _]?)?[#\[(]{0,2}\w{1,20}[\])]?)\s?(?:->|=>|→"
    r"|[:=,|–—-]|(?:is|ranks|comes(?: in)?)(?= \d{1,3}(?:st|nd|rd|th)))\s?"
    r"(?P<two>(?:[A-Za-z]{2,12}[ _]?)?[#\[(]{0,2}-?\d{1,4}(?:[.,]\d{1,6})?(?:st|nd|rd|th)?[\])]?(?: ?(?:%"
    r"|/ ?\d{1,3}|points?|stars?))?)[.,;)\]*]{0,3}$"
)
_WORD = re.compile(r"[^\W\d_]{2,20}[:.]?")
_LED = re.compile(r":[ \[(*`#]{0,6}$")
_SAYS = caseless(
    r"(?:answer|ranking|order|ranked|result|output|choose|pick|choice|recommend\w*|prefer|best|is|would be|option"
    r"|rank"
    r"|are|top|passages?|items?|candidates?|:)[^\w]{0,6}$")  # fmt: skip


def identifiers_of(blocks: Sequence[Block], identifiers: Identifiers, index: TitleIndex) -> list[Listing]:
    """Return the listings of identifiers in the blocks of an answer, in order. The index of titles shows whether an
    identifier stands beside another item's title."""
    bracketed = any(uses_brackets(line.text, identifiers) for block in blocks for line in block.lines)
    reader = _Reader(identifiers, bracketed, index)
    return gather(reader.prepared(blocks), reader.text, reader.list, reader.rows)


_HEADING_ENDS = re.compile(r".*:[*_]{0,3} ")


class _Reader:
    """Reads blocks by the identifiers in them."""

    def __init__(self, identifiers: Identifiers, bracketed_only: bool, index: TitleIndex) -> None:
        self.identifiers = identifiers
        self.bracketed_only = bracketed_only
        self.index = index

    def prepared(self, blocks: Sequence[Block]) -> list[Block]:
        """Return the blocks with runs of pairs as tables, and with lines that begin with `[3]` as lines of text."""
        found: list[Block] = []
        pairs: list[Line] = []
        blocks = self._with_led_lines(self._with_roles(blocks))
        for block in [*chain.from_iterable(map(self._as_text, map(self._in_figures, blocks))), Block("text")]:
            if self.bracketed_only and block.kind == "text" and block.lines:
                block = self._in_brackets(block)
            if block.kind == "text" and block.lines and self.is_pair(block.lines[0].text):
                pairs += block.lines
                continue
            if len(pairs) > 1 and not self._is_series(pairs):
                above = _ROLES.fullmatch(found[-1].lines[0].text) if found and found[-1].lines else None
                roles = (head_role(above[1]), head_role(above[2])) if above else ("", "")
                unknown = above is not None and not any(roles) and _ARROW.search(above[0])
                found.append(self.table(pairs, _UNKNOWN if unknown else roles))
            else:
                found += [Block("text", [line]) for line in pairs]
            pairs = []
            if block.kind != "text" or block.lines:
                found.append(block)
        return found

    def _is_series(self, pairs: Sequence[Line]) -> bool:
        """Return whether lines of two identifiers with a comma (`1,2`, `3,4`) name each item once."""
        words = [word for line in pairs if "," in line.text for word in naming(self.words(line.text))]
        return len({word.position for word in words} - {None}) == len(words) == 2 * len(pairs)

    def _with_roles(self, blocks: Sequence[Block]) -> list[Block]:
        """Return the blocks with a list of pairs in brackets (`[1] → 5`) as a table, if the line above names both sides
        (`Item → Rank`)."""
        found: list[Block] = []
        for block in blocks:
            above = found[-1].lines[-1].text if found and found[-1].kind == "text" and found[-1].lines else ""
            roles = _ROLES.fullmatch(above) if block.kind == "list" and block.lines[0].kind == "bracket" else None
            header = (head_role(roles[1]), head_role(roles[2])) if roles else ("", "")
            if all(header) and all(_PAIR.match(line.text) for line in block.lines):
                block = self.table(block.lines, header)
            found.append(block)
        return found

    def _with_led_lines(self, blocks: Sequence[Block]) -> list[Block]:
        """Return the blocks with consecutive lines that consist of an identifier and a remark as a list, unless they
        describe the items in the order shown."""
        found: list[Block] = []
        for led, group in groupby([(self._led_by(block), block) for block in blocks], lambda one: one[0] is not None):
            places, lines = zip(*group, strict=True)
            says = [grade(block.lines[0].text.partition(" ")[2]) or 0 for block in lines] if led else []
            falls_off = not any(says) or says == sorted(says, reverse=True)  # 3: weak, 1: strong
            ranks = [one["rank"] for block in lines if led and (one := TRAILING_RANK.search(block.lines[0].text[-20:]))]
            falls_off &= not ranks or counts(ranks)  # 3 – rank 4
            if led and falls_off and len({*places}) == len(places) > 1 and [*places] != sorted(places):
                names = (self.identifiers.texts[place] for place in places)
                bodies = [f"[{name}]" if self.bracketed_only else name for name in names]
                entries = zip((block.lines[0] for block in lines), bodies, strict=True)
                lines = (Block("list", [replace(line, body=body, kind="bullet") for line, body in entries]),)
            found += lines
        return found

    def _led_by(self, block: Block) -> int | None:
        """Return the item whose identifier begins a line of text before a remark on it."""
        line = _LED_LINE.match(block.lines[0].text[:400]) if block.kind == "text" and block.lines else None
        if line is None or (line["noun"] and line["noun"].casefold() not in ITEM_HEADS):
            return None
        place = self.identifiers.find(line["name"])
        return place if place is not None and self._is_remark(line["remark"]) else None

    def _is_remark(self, text: str) -> bool:
        """Return whether words behind an identifier say something of the item, but do not leave it out."""
        words = text.strip(_BESIDE)
        said = any(word.isalpha() and word.islower() for word in words[:200].split())
        return (
            said
            and not _ORDINAL.search(words)
            and not DENIED.search(words)
            and not DISMISSED.search(words)
            and self.index.find(words) is None
        )

    def _as_text(self, block: Block) -> list[Block]:
        """Return a list as lines of text if its markers are identifiers in brackets, or if it is a chain."""
        if block.kind != "list":
            return [block]
        text = block.lines[0].text
        is_text = (
            text.startswith(("[", "**["))
            or (_BULLETED.match(text) and not self._is_as_shown(block.lines))
            or (block.lines[0].kind == "bracket" and not any(line.body for line in block.lines))
            or block.lines[0].body.startswith((">", "<", "then ", "followed by "))
            or all(_CHAIN_LINE.fullmatch(line.text) for line in block.lines)
            or (len(block.lines) == 1 and _CHAIN_OF_MARKED.search(block.lines[0].body))
            or (len(block.lines) == 1 and _SAYS_OF_IT.match(block.lines[0].body))
            or (block.lines[0].kind == "rank" and len(block.lines) == 1 and len(naming(self.words(text))) > 2)
            or _MARKS_ALONE.fullmatch(text)
            or (len(block.lines) == 1 and (_SEVERAL.match(text) or len(_RANK_IS.findall(text[:4000])) > 1))
            or (len(block.lines) == 1 and self._inline_pairs(block.lines[0]))
        )
        if not is_text or self._numbered_by_brackets(block.lines):
            return [block]
        if len(block.lines) > 1 and not any(line.body for line in block.lines):  # - [3], - [1]
            chain = ", ".join(f"[{line.value}]" for line in block.lines)
            return [Block("text", [replace(block.lines[0], text=chain, kind="none", value=None)])]
        if len(block.lines) > 1 and all(line.body.isdigit() for line in block.lines):
            return [Block("text", [replace(block.lines[0], text=", ".join(line.text for line in block.lines))])]
        return [Block("text", [line]) for line in block.lines]

    def _is_as_shown(self, lines: Sequence[Line]) -> bool:
        """Return whether a list with identifiers as marks has all items in the order shown: it describes them."""
        marks = [_BULLETED.match(line.text) for line in lines if line.indent <= lines[0].indent]
        return [mark[1] for mark in marks if mark] == [*self.identifiers.texts]

    def _in_figures(self, block: Block) -> Block:
        """Convert a line that consists of numbers in words or numerals (`III > I > II`), or of numbers with dashes
        or slashes between them (`2-1-3`), to figures."""
        if len(block.lines) != 1 or len(text := block.lines[0].text.strip(" .*`")) > 400:
            return block
        numbers = [str(numeral_value(word)) for word in re.findall(r"[^\s,;>→.]+", text)]
        for dashed in islice(_DASHED.finditer(text), 1):
            names = re.findall(r"\w+", dashed[0])
            if dashed[0] == text or (len(text) < _SHORT and sorted(names) == sorted(self.identifiers.texts)):
                numbers = names  # I would order them 2-4-1-3.
        solid = _SOLID.findall(text)
        if len(solid) == 1 and sorted(solid[0]) == sorted(self.identifiers.texts):
            numbers = [*solid[0]]  # The order is 2413.
        if len(numbers) < 2 or any(self.identifiers.find(number) is None for number in numbers):
            return block
        return Block("text", [replace(block.lines[0], text=", ".join(numbers), kind="none", value=None)])

    def _in_brackets(self, block: Block) -> Block:
        """Add brackets to a line that is a chain without them, or ends in one after a colon, because other lines
        have them."""
        line = block.lines[0]
        heading = _HEADING_ENDS.search(line.text) if len(line.text) < 1000 else None
        at = heading.end() if heading else 0
        head, chain = line.text[:at], line.text[at:]
        names = _BARE_CHAIN.fullmatch(chain) and re.findall(r"\w+", chain)
        if not names or len(names) < 3 or any(self.identifiers.find(name) is None for name in names):
            return block
        signs = re.findall(r"[^\w\s]", chain)
        text = "".join(f"[{name}] {mark} " for name, mark in zip(names, [*signs, ""], strict=False)).strip()
        head = "" if uses_brackets(head, self.identifiers) else head
        return Block("text", [replace(line, text=head + text, kind="none", value=None)])

    def _numbered_by_brackets(self, lines: list[Line]) -> bool:
        """Return whether the brackets of `[1] 3`, `[2] 1` hold list numbers."""
        marked = [line for line in lines if line.kind == "bracket"]
        if len(marked) < 2 or any(len(line.body) >= 12 for line in marked):
            return False
        inside = [words_of(line.body, self.identifiers, False)[:1] for line in marked]
        named = all(words and words[0].position is not None for words in inside)
        if is_permutation([line.body for line in marked]) and all("]:" in line.text[:12] for line in marked):
            return False  # [1]: 2, [2]: 1 may be ranks, scores or items
        return named and counts([str(line.value) for line in marked])

    def words(self, text: str) -> list[Word]:
        return words_of(text, self.identifiers, self.bracketed_only)

    def mention(self, word: Word, line: int) -> Mention:
        match = Match((word.position,), "identifier") if word.position is not None else None
        return Mention(word.text, match, line)

    def mentions(self, words: Sequence[Word], line: Line) -> list[Mention]:
        return [self.mention(word, line.number) for word in words]

    def rows(self, block: Block) -> Listing:
        """Read a table or JSON value, `contradicted` if an identifier stands beside another item's title in a cell."""
        listing = read_rows(block, self.cell)
        if any(self._is_beside_another(one, cell) for one in listing.mentions for cell in one.row):
            listing.contradicted = listing.ambiguous = True
        return listing

    def _is_beside_another(self, one: Mention, cell: str) -> bool:
        before, _, rest = cell.partition(one.text)
        if one.match is None or any(map(str.isalnum, before)):
            return False
        word = Word(one.text, 0, "identifier", one.match.positions[0])
        return any(self._contradicts(word, title) for title in (rest, rest.partition(",")[0]))  # 1. Fargo, crime

    def cell(self, text: str, line: int) -> list[Mention]:
        """Return the one identifier in a cell."""
        if len(text) > 80:
            return []
        if inner := _CALL.fullmatch(text):
            text = inner[1]
        found = [word for word in words_of(text.replace("_", " "), self.identifiers, False) if word.kind != "filler"]
        fits = bool(found) and found[0].kind == "identifier" and (len(found) == 1 or found[1].kind == "other")
        return [self.mention(found[0], line)] if fits else []

    # --- lists

    def list(self, lines: list[Line]) -> Listing:
        first = lines[0]
        lines = [line for line in lines if line.indent <= first.indent and line.kind != "none"]
        if first.kind != "bullet":
            lines = [line for line in lines if line.kind != "bullet"]
        bodies = _without_shared(_ranked_by_words([line.body for line in lines]))
        if self.identifiers.are_letters and all(map(_SMALL.fullmatch, bodies)):
            bodies = [body.upper() for body in bodies]
        if self._marks_are_identifiers(first, lines, bodies):
            return self._marked(lines, bodies)
        if first.kind == "number" and self._counts_down_by_identifiers(lines):
            found = [
                self.mention(Word(str(line.value), 0, "identifier", line.value - 1), line.number)
                for line in lines
                if line.value
            ]
            return Listing(found, ambiguous=True, contradicted=True)
        if len(lines) > 1 and all(map(self.is_pair, bodies)) and not self.bracketed_only:
            paired = read_rows(self.table(lines), self.cell)
            if paired.mentions and (first.kind == "bullet" or any(head_role(body.split(" ")[0]) for body in bodies)):
                return paired
        listing = Listing([])
        values: list[int] = []
        for line, body in zip(lines, bodies, strict=True):
            plain = _without_numbers(_without_rank(body), (len(lines) == 1 and line.value) or 0)
            words = words_of(plain, self.identifiers, self.bracketed_only and first.kind != "bracket")
            run = max(runs_of(plain, words), key=value_of_run)
            leading = leading_identifier(words, self.bracketed_only)
            found = run if len(run) > 1 and not (leading and any(word.kind == "other" for word in words)) else leading
            listing.mentions += self.mentions(found, line)
            if any(self._contradicted(found, body)):
                listing.contradicted = listing.ambiguous = True
            if line.value is not None and len(found) == 1:
                values.append(line.value)
        unknown = sum(body.strip().isdigit() and self.identifiers.find(body.strip()) is None for body in bodies)
        scored = 2 * unknown >= len(bodies) or (
            len(bodies) == len(self.identifiers.texts) and all(":" in line.text for line in lines)
        )
        listing.ambiguous |= unknown > 1 and scored and len(listing.named) > 0  # 1: 60, 2: 5
        if len(values) == len(listing.mentions) > 1:
            sort_by_numbers(listing, values, first.kind == "rank")
        return listing

    def _marks_are_identifiers(self, first: Line, lines: list[Line], bodies: list[str]) -> bool:
        values = [str(line.value) for line in lines]
        if first.kind == "number" and len(lines) > 1 and all(map(self._has_title_and_rank, values, bodies)):
            return True  # 1. Heat - rank 3
        if first.kind == "number" and self.identifiers.are_numbers and counts(bodies) and not counts(values):
            return len(bodies) > 1  # 3: 1, 1: 2, 2: 3
        named = sum(bool(leading_identifier(self.words(body), self.bracketed_only)) for body in bodies)
        if named * 2 > len(bodies) or self.bracketed_only:
            return False
        shown = all(self.identifiers.find(value) is not None for value in values)
        if first.kind == "number" and len(lines) > 1 and shown and all(map(_SHARE.fullmatch, bodies)):
            return True  # 1: 0.12, 2: 0.98
        if first.kind == "number" and self.identifiers.are_numbers:
            numbers = [line.value for line in lines]
            counted = numbers == [*range(1, len(numbers) + 1)] or set(numbers) == {1}
            return not counted and not (counts_down(numbers) and numbers[-1] == 1)
        return first.kind in ("letter", "roman") and self.identifiers.are_letters

    def _has_title_and_rank(self, identifier: str, body: str) -> bool:
        """Return whether an entry consists of the title of the item with this identifier, and its rank."""
        rank = TRAILING_RANK.search(body[-20:])
        match = self.index.find(_without_rank(body).strip(_BESIDE)) if rank else None
        return match is not None and self.identifiers.find(identifier) in match.positions

    def _counts_down_by_identifiers(self, lines: list[Line]) -> bool:
        """Return whether `2. Fargo`, `1. Heat` is numbered with the identifiers of its titles, so that it may be a
        countdown or a ranking."""
        if not self.identifiers.are_numbers or not counts_down([line.value for line in lines]):
            return False
        matches = [self.index.find(line.body.strip(_BESIDE)) for line in lines]
        return lines[-1].value == 1 and all(
            match and self.identifiers.find(str(line.value)) in match.positions
            for match, line in zip(matches, lines, strict=True)
        )

    def _marked(self, lines: list[Line], bodies: list[str]) -> Listing:
        """Read `[3] Heat`, `C. Heat`, `A: 3/10`, where the markers are the identifiers."""
        bodies = [body.lstrip(" -–—:=>→") for body in bodies]
        marks = [_mark_text(line) for line in lines]
        found = [Word(mark, 0, "identifier", self.identifiers.find(mark)) for mark in marks]
        if self.identifiers.are_letters:
            found = [word._replace(position=self.identifiers.find(word.text.upper())) for word in found]
        listing = Listing([self.mention(word, line.number) for word, line in zip(found, lines, strict=True)])
        ranks = [rank["rank"] for body in bodies if (rank := TRAILING_RANK.search(body[-20:]))]
        are_ranks = len(ranks) == len(bodies) or (bodies[0][-1:].isalpha() and bodies[0][-2:-1] in "snrt")
        values = ranks if len(ranks) == len(bodies) else bodies
        titles = map(_without_rank, bodies)
        if any(self._contradicts(word, title) for word, title in zip(found, titles, strict=True)):
            listing.contradicted = listing.ambiguous = True
        listing.titled = self._is_titled(found[0], bodies[0])
        if len(values) > 1 and all(re.match(r"[\d.,/% ]{1,12}(?:st|nd|rd|th| ?points?)?$", value) for value in values):
            role = "rank" if are_ranks else ""
            unsaid = not role and is_permutation(values) and not (counts(values) or is_as_shown(listing.named))
            order = None if unsaid else by_number(values, role)  # C: 4, A: 2: ranks, or scores
            listing.scored = are_scores(values, role)
            listing.ambiguous |= order is None
            listing.mentions = [listing.mentions[at] for at in order or range(len(values))]
            listing.ordered = True
        return listing

    # --- pairs: `1 -> 3`, `Item 2: Rank 3`, `A: 7.5`

    def is_pair(self, text: str) -> bool:
        if len(text) > 80 or (self.bracketed_only and not _SCORED.match(text)) or (found := _PAIR.match(text)) is None:
            return False
        return bool(self.cell(found["one"], 0) or self.cell(found["two"], 0))

    def table(self, lines: list[Line], header: tuple[str, str] = ("", "")) -> Block:
        """Return pairs as a table. The columns are named if the lines, or a line above them, name them."""
        found = [pair for line in lines if (pair := _PAIR.match(line.body if line.kind == "bullet" else line.text))]
        rows = [Row((pair["one"], pair["two"]), line.number) for pair, line in zip(found, lines, strict=False)]
        roles = {(_role(pair["one"]), _role(pair["two"])) for pair in found}
        header = roles.pop() if len(roles) == 1 and not any(header) else header
        places = [self.identifiers.find(pair["two"].strip("[]()#. ")) for pair in found]
        if not any(header) and counts([pair["one"] for pair in found]) and None not in places:
            arrows = all(_ARROW.search(line.text) for line in lines) and len({*places}) == len(places)
            header = ("rank", "item") if arrows else header
        if header == ("item", "") and any("." in pair["two"].strip(" .") for pair in found):
            header = ("item", "score")  # Item 4: 0.2
        if not any(header):
            scores = not all(pair["two"].strip("[]()#. ").isdigit() for pair in found)
            header = ("item", "score") if scores else ("", "") if self.identifiers.are_numbers else ("pair", "")
        return Block("table", rows=rows, header=header)

    # --- a line of text

    def text(self, line: Line) -> Listing:
        if _THROUGH.search(line.text):
            line = replace(line, text=_THROUGH.sub("-", line.text))
        if len(_ORDINAL_CHOICE.findall(line.text)) > 1:
            told = _ORDINAL_CHOICE.sub(lambda one: f"rank {ORDINALS.index(one[1].lower()) + 1}: ", line.text)
            line = replace(line, text=told)
        text = line.text
        words = [] if is_tier(text) else self._words_of_line(text)  # A tier: B, E
        named = naming(words)
        inline = self._inline_pairs(line) if named else Listing([])
        if inline is not None:
            return inline
        if len(named) > 1:  # The answer is: 1. [3] 2. [1]
            line = replace(line, text=(text := _without_numbers(text)))
        if _PAIRED.fullmatch(text[:4000]):
            return Listing(self.mentions(named, line), ambiguous=True)
        if _ARE_LEFT_OUT.match(text, named[-1].end):
            return Listing(self.mentions(named, line), "not ranked:", in_sentence=True)
        return self._ranked(line) or self._scored(line, named) or self._read_run(line, words, named)

    def _words_of_line(self, text: str) -> list[Word]:
        """Return the words of a line. If none is an identifier, try other spellings of the line."""
        text = _COUNT_ASIDE.sub(lambda found: " " * len(found[0]), text)
        words = self.words(_without_numbers(text))
        if DISMISSED.search(text[:4000]):
            words = without_dismissed(text, words)
        if BOTTOM.search(text[:4000]) and count_different(naming(words)) < len(self.identifiers.texts):
            words = without_bottom(text, words)
        return words if naming(words) else next(filter(naming, map(self.words, self._spellings(text))), [])

    def _spellings(self, text: str) -> Iterator[str]:
        """Yield other spellings of a line, for identifiers that are parts of words or in lower case."""
        if "_" in text[:4000]:
            yield text.replace("_", " ")  # item_2 > item_4
        if not self.identifiers.are_letters:
            return
        if len(_SMALL_IN_BRACKETS.findall(text[:4000])) > 1:
            yield _SMALL_IN_BRACKETS.sub(lambda found: found[0].upper(), text)  # (c), (a), (b)
        if not re.search(r"\w\w", text[:2000]):
            yield text.translate(_CAPITALS)  # `c > a > b`

    def _read_run(self, line: Line, words: list[Word], named: list[Word]) -> Listing:
        """Read the unbroken run that names the most items, or the identifiers at the beginning of each part if these
        are more."""
        runs = without_candidates(line.text, runs_of(line.text, words))
        parts = leading_of_parts(line.text, words, self.bracketed_only)
        longest = max(max(runs, key=value_of_run), parts, key=count_different)
        run = Run(line.text, longest, named, any(word.kind == "other" for word in words))
        if run.says_same_of_all():
            return Listing(self.mentions(run.words, line), in_sentence=True, ambiguous=True)
        if run.is_told_in_order():
            return Listing(self.mentions(run.named, line), run.before, in_sentence=True)
        listing = Listing(self.mentions(run.words, line), run.before)
        listing.ambiguous = has_rival(run.words, runs) or run.is_compared()
        if count_different(run.words) == 1 and (alone := self._single_identifier(line, run, listing)) is not None:
            return alone
        of_all = len({word.position for word in run.words}) == len(self.identifiers.texts)
        chained = len(run.words) > 2 and all(">" in gap for gap in run.gaps)
        before = SENTENCE_ENDS.split(run.before)[-1] if chained else run.before  # Not [3]. [2] > [1] > [4]
        led = of_all and _LED.search(run.before[-60:])
        if len(run.words) > 1 and not led and DENIED.search(before[-60:]):
            return Listing([])  # Avoid A and B. But not all are denied in: `They hate A, so: C > B > A`
        gaps = run.gaps
        listing.ambiguous |= not chained and run.lacks_the_first() and not _LED.search(run.before[-60:])
        listing.worst_first, mixed = falls(gaps)
        listing.chained = len(gaps) > 1 and all(">" in gap for gap in gaps)
        listing.ambiguous |= mixed or run.is_unordered(gaps)
        ranged = [_RANGE.fullmatch(gap) is not None for gap in gaps]
        if any(ranged) and (not all(ranged) or len(run.words) == 2):  # [2], [5]-[7], [1]
            filled = with_ranges(run.words, ranged)
            whole = len(run.words) > 2 and len({*filled}) == max(len(self.identifiers.texts), len(filled))
            listing.ambiguous |= len(filled) != 2 and not whole
            inside = [Word(self.identifiers.texts[at], 0, "identifier", at) for at in filled]
            listing.mentions = self.mentions(inside, line)
        return self._checked(listing, run.words, run.text)

    def _single_identifier(self, line: Line, run: Run, listing: Listing) -> Listing | None:
        """Read a line that has one identifier with no other beside it; None if it is a list of just this one."""
        several, first = count_different(run.named), run.words[0]
        if several > 1 and first.bracketed and SENTENCE_ENDS.search(run.text):
            return listing if listing.ambiguous else Listing([])  # [1] is a crime film. [2] is a comedy.
        listing.ambiguous |= several > 2 and not _SAYS.search(run.before)
        is_bare = self.identifiers.are_numbers and not first.bracketed
        marked = not is_bare or run.text[first.end : first.end + 1] in ".):"
        if not run.talks or (marked and not any(map(str.isalnum, run.before))):
            return None
        if not _LEADS.search(run.before):
            return self._sentence(line, run.named)
        return Listing([]) if is_bare and len(run.named) == 1 else None  # `I like 3 of them`

    def _checked(self, listing: Listing, words: Sequence[Word], text: str) -> Listing:
        """Return a listing of the identifiers in a line, `contradicted` if one stands beside another item's title."""
        others = self._contradicted(words, text)
        if len(words) == 1 and not others[0] and text[: words[0].start].rstrip().endswith((":", "-", "–", "=", "→")):
            others = [self._contradicts(words[0], text[: words[0].start])]
        if any(others):
            listing.contradicted = listing.ambiguous = True
        listing.described = len(words) == 1 and any(map(str.isalpha, text[words[0].end :][:400]))
        listing.titled = any(self._is_titled(word, text) for word in words[:1])
        return listing

    def _is_titled(self, word: Word, text: str) -> bool:
        return word.position in self.index.named_in(text[:400])

    def _contradicted(self, words: Sequence[Word], text: str) -> list[bool]:
        """Return for each identifier of a line whether another item's title follows it (or no title precedes it)."""
        before = (text[one.end : two.start] for one, two in pairwise(words))
        if (
            len(words) > 1
            and self._title(text[words[-1].end :]) is None
            and all(self._is_named(word, piece) for word, piece in zip(words[1:], before, strict=True))
        ):
            return [False] * len(words)  # Heat [3] > Fargo [1]
        ends = [*(word.start for word in words[1:]), len(text)]
        return [self._contradicts(word, text[word.end : end]) for word, end in zip(words, ends, strict=False)]

    def _is_named(self, word: Word, title: str) -> bool:
        """Return whether this is the title of the item with this identifier."""
        match = self._title(_AND_THEN.sub("", title.strip(_BESIDE)))
        return match is not None and word.position in match.positions

    def _contradicts(self, word: Word, beside: str) -> bool:
        beside = beside.strip(_BESIDE)
        if word.position is None or len(beside) < 2 or not any(map(str.isalpha, beside[:200])):
            return False
        match = self._title(beside)
        return match is not None and bool(match.positions) and word.position not in match.positions

    def _title(self, text: str) -> Match | None:
        """Return the match of a text between identifiers."""
        text = text.strip(_BESIDE)
        return self.index.find(f"{text})" if text.count("(") > text.count(")") else text)

    def _sentence(self, line: Line, named: list[Word]) -> Listing:
        text, first = line.text, named[0]
        is_bare = self.identifiers.are_numbers and not first.bracketed
        declared = _SAYS.search(text[: first.start][-40:]) and not re.match(
            r"\s+[a-z]", text[first.end : first.end + 4]
        )
        if DENIED.search(text[:2000]) or (is_bare and not declared):
            return Listing([])
        in_order = count_different(named) == 1 or IN_ORDER.search(text[:2000])
        return Listing(self.mentions(named, line), in_sentence=True, ambiguous=not in_order)

    def _ranked(self, line: Line) -> Listing | None:
        """Read `Rank 1 is [3], rank 2 is [1]` and `[3] is rank 1, [1] is rank 2`."""
        for pattern in (_RANK_IS, _IS_RANK):
            found = [*pattern.finditer(line.text[:4000])]
            if len(found) > 1 and any(self.identifiers.find(one["item"]) is not None for one in found):
                order = by_number([one["rank"] for one in found], "rank")
                words = [Word(one["item"], one.start("item"), "identifier", self.identifiers.find(one["item"]))
                         for one in found]  # fmt: skip
                mentions = [self.mention(words[at], line.number) for at in order or range(len(words))]
                return Listing(mentions, ordered=True, ambiguous=order is None)
        return None

    def _scored(self, line: Line, named: list[Word]) -> Listing | None:
        """Read `[1] (0.7), [2] (0.9)`: each identifier has a score, and nothing between them shows an order."""
        if len(named) < 2 or ">" in line.text or "<" in line.text:
            return None
        bare = not self.identifiers.are_numbers
        scores = [
            found["value"]
            for word in named
            if (found := _SCORE_BESIDE.match(line.text, word.end)) and (found["sign"] or word.bracketed or bare)
        ]
        if len(scores) < len(named) or counts(scores):
            return None
        order = None if is_permutation(scores) else by_number(scores, "score")
        mentions = [self.mention(named[at], line.number) for at in order or range(len(named))]
        # the numbers in `[1]: 2, [2]: 1` may be ranks or scores
        return Listing(mentions, ordered=True, scored=True, ambiguous=order is None)

    def _inline_pairs(self, line: Line) -> Listing | None:
        """Read `1:3, 2:1, 3:2` and `A=0.9, B=0.4` in one line."""
        if len(line.text) > 4000 or not re.search(r"[:=→]|->", line.text) or self.bracketed_only:
            return None
        head, _, tail = line.text.rpartition(": ") if re.match(r"[A-Za-z ]{3,40}: ", line.text) else ("", "", line.text)
        pieces = [piece.strip() for piece in re.split(r"[,;|] ", tail)]
        if len(pieces) < 2 or not all(map(self.is_pair, pieces)):
            return None
        header = ("item", "rank") if _OF_EACH.search(head) else ("", "")
        listing = read_rows(self.table([Line(line.number, piece, body=piece) for piece in pieces], header), self.cell)
        listing.intro = head
        return listing


def _without_shared(texts: list[str]) -> list[str]:
    """Return the texts without the words that all of them begin with (`Ürün 3`, `Ürün 1`)."""
    columns = zip(*(text.split(" ") for text in texts), strict=False) if len(texts) > 2 else ()
    shared = [*takewhile(lambda column: len({*column}) == 1 and _WORD.fullmatch(column[0]), columns)]
    return [" ".join(text.split(" ")[len(shared) :]) for text in texts]


def _mark_text(line: Line) -> str:
    head = line.text[: len(line.text) - len(line.body)]
    return head.strip(" *_#()[].:\t\"'>~") if line.kind != "number" else str(line.value)


def _role(text: str) -> str:
    if re.search(r"\d(?:st|nd|rd|th)\b", text):
        return "rank"
    found = re.match(r"\W{0,4}([A-Za-z]{2,12})[ _]?[#\[(]{0,2}\w", text)
    return head_role(found[1]) if found else ""


def _ranked_by_words(bodies: list[str]) -> list[str]:
    """Return the text after the ranks of entries that all have two words with numbers, where the first numbers count
    (`Hạng 1: Mục 4`: rank 1, item 4)."""
    found = [_TWO_WORDS.fullmatch(body) for body in bodies]
    pairs = [one.groups() for one in found if one]
    words = {(pair[0], pair[2]) for pair in pairs}
    if len(bodies) < 2 or len(pairs) < len(bodies) or len(words) > 1 or words.pop()[0] == pairs[0][2]:
        return bodies
    return [pair[3] for pair in pairs] if counts([pair[1] for pair in pairs]) else bodies


_TWO_WORDS = re.compile(
    r"[*_]{0,3}([^\W\d]{2,20}) (\d{1,3})[*_]{0,3}[:=–—→-]?[*_]{0,3} ([^\W\d]{2,20}) (\d{1,3})[*_.]{0,3}"
)


def _without_rank(body: str) -> str:
    """Return an entry without the rank after it."""
    rank = TRAILING_RANK.search(body[-20:])
    return body[: -len(rank[0])] if rank else body


def _without_numbers(text: str, begun: int = 0) -> str:
    """Blank out the numbers of the entries in a line (`1. [3] 2. [1]`), if they count 1, 2, 3. `begun`: the number
    before the line. The last one may be an entry that ends a sentence (`1. 3 2. 1. Item 2 …`)."""
    found = [int(one[1]) for one in _INLINE.finditer(text)]
    count = next((at for at, number in enumerate(found) if number != begun + at + 1), len(found))
    if count < 2 or count < len(found) - 1:
        return text
    return _INLINE.sub(lambda one: " " * len(one[0]), text, count)


_AND_THEN = caseless(r"^(?:(?:and|then|und|et|y|dann) )+")
