"""Stage 4: what in a table, a JSON value or a list is the rank and what the item, and the direction."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from llmrank.answers.blocks import CARDINALS, ITS_RANK_WORD, ORDINALS, Block, head_role
from llmrank.answers.listing import Listing, Mention, is_as_shown

ITS_RANK = re.compile(rf"[-–—:=(,] ?(?:{ITS_RANK_WORD})[ :#]{{0,2}}(?P<rank>\d{{1,3}})\W{{0,3}}$", re.IGNORECASE)
"""What stands behind an entry that is given its rank: `1. Heat - rank 3`."""


def by_number(values: Sequence[str], role: str) -> list[int] | None:
    """Return the order (indexes, best first) that ranks or scores give, None where they leave two readings.

    Unnamed numbers are ranks if they are 1 to n, each once; else scores, which say nothing if they are all the same.
    """
    numbers = [number for value in values if (number := _number(value)) is not None]
    if len(numbers) < len(values):
        return None
    places = range(len(numbers))
    if not role and _are_ranks_with_ties(numbers):
        return [*places]
    if not are_scores(values, role):
        return sorted(places, key=numbers.__getitem__) if len(set(numbers)) == len(numbers) else None
    return sorted(places, key=lambda at: -numbers[at]) if len({*numbers}) > 1 or len(numbers) < 2 else None


def _are_ranks_with_ties(numbers: Sequence[float]) -> bool:
    """Return whether numbers rise from 1 as ranks with ties do: `1, 2, 2, 4`."""
    first = {number: at for at, number in reversed([*enumerate(numbers, 1)])}
    rise = [*numbers] == sorted(numbers) and all(number == at for number, at in first.items())
    return rise and 1 < len(first) < len(numbers)


def are_scores(values: Sequence[str], role: str) -> bool:
    """Return whether numbers are scores: those of an unnamed column are, unless they are 1 to n, each once."""
    if role:
        return role != "rank"
    return any(re.search(r"[.,%/]", value) for value in values) or not is_permutation(values)


_NUMBER = re.compile(
    r"\W{0,4}?(?:[A-Za-z]{1,12}[ _#:.-]{0,3})?(-?\d{1,9}(?:[.,]\d{1,9})?)(?:st|nd|rd|th|[ºª°.])?"
    r" ?(?:%|/ ?\d{1,3}(?:\.0)?|(?:out )?of \d{1,3}|points?|stars?|pts?\.?)?\W{0,4}$",
    re.IGNORECASE,
)
_NUMBER_WORDS = {word: float(at) for words in (ORDINALS, CARDINALS) for at, word in enumerate(words, 1)}


def _number(text: str) -> float | None:
    if len(text) < 60 and (found := _NUMBER.match(text)):
        return float(found[1].replace(",", "."))
    return _NUMBER_WORDS.get(text.strip(" *_:.").casefold())


def counts(values: Sequence[str]) -> bool:
    """Return whether the values count 1, 2, 3, …: those of the ranks of a list."""
    return [_number(value) for value in values] == [*range(1, len(values) + 1)]


def is_permutation(values: Sequence[str]) -> bool:
    """Return whether the values are 1 to n, each once."""
    return {_number(value) for value in values} == {*range(1, len(values) + 1)}


def _are_shares(column: Sequence[str]) -> bool:
    """Return whether a column holds shares of one that do not fall: of what, its heading does not say."""
    values = [_number(text) for text in column if "." in text]
    shares = [value for value in values if value is not None and 0 <= value <= 1]
    return 2 < len(shares) == len(column) and shares != sorted(shares, reverse=True)


def read_rows(block: Block, cell: Callable[[str, int], list[Mention]]) -> Listing:
    """Return the entries of a table or a JSON value. `cell(text, line)` returns what a cell names.

    The headings say which column is which; else the item's column names the most items, and of two that could be it the
    one that counts 1, 2, 3, … is the rank.
    """
    rows = block.rows
    heads = [*block.header]
    if len(rows) == 1 and (counts(heads) or counts(heads[1:])) and len(heads) > 2:
        return Listing([one for text in rows[0].cells for one in cell(text, rows[0].line)])
    width = max((len(row.cells) for row in rows), default=0)
    if width == 1:
        return Listing([mention for row in rows for mention in cell(row.cells[0], row.line)])
    columns = [[row.cells[at] if at < len(row.cells) else "" for row in rows] for at in range(width)]
    named = [[cell(text, row.line) for text, row in zip(column, rows, strict=True)] for column in columns]
    hits = [sum(any(one.match for one in found) for found in column) for column in named]
    is_map = block.header[:1] in (("key",), ("pair",))
    scored = is_map and head_role(block.header[1]) == "score"
    roles = [head_role(block.header[at]) if at < len(block.header) and not is_map else "" for at in range(width)]
    fit = [at for at in range(width) if hits[at] and roles[at] not in ("rank", "score")]
    if len(fit) > 1:
        fit = [at for at in fit if not _WATCHED.search(block.header[at] if at < len(block.header) else "")] or fit
    for at in [at for at in range(width) if roles[at] == "rank" and not is_map]:
        if any(
            _are_shown(columns[at], named[one])
            and (not counts(columns[at]) or "score" in roles or roles.count("rank") > 1)
            for one in fit
        ):
            roles[at] = "item"  # | 3 | Rocky |, the third that was shown
            fit.append(at)
    if is_map and len(fit) == 2:
        words = [{_role_word(text) for text in column} for column in columns]
        roles = ["rank" if "rank" in one else "item" if "item" in one else "" for one in words]
        if sides := _SIDES.fullmatch(block.header[1]):
            roles = [head_role(sides[1]), head_role(sides[2])]
        elif scored and not any(roles):
            roles = ["item", "score"]
        fit = [at for at in fit if roles[at] not in ("rank", "score")]
    if not fit:  # titles that are only near to those of the candidates
        fit = [at for at in range(width) if roles[at] == "item" and block.kind == "table" and all(named[at])]
    if not fit:
        return Listing([mention for row in rows for mention in cell(" ".join(row.cells), row.line)] if is_map else [])
    item = max([at for at in fit if roles[at] == "item"] or fit, key=hits.__getitem__)
    counted = [at for at in range(width) if is_permutation(columns[at])]
    both = [at for at in fit if at in counted]
    if not any(roles) and len(both) > 1 and item in both:
        if is_map and len(bracketed := [at for at in both if all(text.startswith("[") for text in columns[at])]) == 1:
            item = bracketed[0]  # {"1": "[4]", "2": "[3]"}
            places = by_number(columns[1 - item], "rank") or ()
            return Listing([one for at in places for one in named[item][at][:1]])
        one, other = both[:2]
        return _undecided((columns[one], columns[other]), (named[one], named[other]), is_map)
    if not is_map and not any(role == "item" for role in roles) and _disagree([named[at] for at in fit]):
        return Listing([found[0] for found in named[item] if found], ambiguous=True)
    unnamed = is_map and not any(roles) and not re.search("ranks|score", block.header[1])
    if unnamed and len(fit) == 2 and counts(columns[0]) and _are_others(columns[1], named):
        by_rank = _RANKING.search(block.header[1]) is not None  # else {"1": 7, "2": 6}: scores, or items
        return Listing([found[0] for found in named[1]], ambiguous=not by_rank)
    others = [at for at in range(width) if at != item]
    order: list[int] | None = [*range(len(rows))]
    by_scores = False
    firsts = dict.fromkeys(
        at for found in named[item] if found and found[0].match for at in found[0].match.positions[:1]
    )
    if ranks := [at for at in others if roles[at] == "rank"]:
        orders = {at: by_number(columns[at], "rank") for at in ranks}
        asked = [at for at in ranks if _ASKED.search(block.header[at])] if len(ranks) > 1 else []
        order = orders[(asked or ranks)[0]]
        if len(asked) != 1 and any(one != order for one in orders.values()):
            order = None
    elif is_map:
        other = 1 - item
        if not any(_number(text) is not None for text in columns[other]) and len(rows) > 2 and is_as_shown(firsts):
            order = None  # {"Heat": "crime", "Fargo": "comedy"}
        if all(_number(text) is not None for text in columns[other]):
            is_rank = block.header[1] == "ranks" or (other == 0 and 0 in counted)
            role = "rank" if is_rank else "score" if other and scored else roles[other]
            order = by_number(columns[other], role)
            by_scores = are_scores(columns[other], role)
    elif ranks := [at for at in others if not roles[at] and at in counted]:
        told = block.kind != "table" or counts(columns[ranks[0]]) or not any(block.header[ranks[0] : ranks[0] + 1])
        order = by_number(columns[ranks[0]], "rank") if told else None  # | Title | Value |: ranks, or scores
    elif scores := [at for at in others if roles[at] == "score"]:
        are_numbers = all(_number(text) is not None for text in columns[scores[0]])
        order = by_number(columns[scores[0]], "score") if are_numbers else order
        by_scores = are_numbers
    elif any(_are_shares(columns[at]) for at in others):
        order = None  # "chance_of_giving_up": 0.72
    mentions = [one for at in order or () for one in named[item][at][:1]]
    return Listing(mentions, ordered=order != [*range(len(rows))], scored=by_scores, ambiguous=order is None)


_RANKING = re.compile(r"\b(?:rank(?:ing|ed)|order(?:ed|ing)?|sorted)", re.IGNORECASE)
"""The name of a map from ranks to items: `{"ranking": {"1": 7, "2": 6}}`."""


def _are_others(values: Sequence[str], named: Sequence[Sequence[list[Mention]]]) -> bool:
    """Return whether the second column names an item in each row, none of them twice."""
    whole = all(value.isdigit() and found and found[0].match for value, found in zip(values, named[1], strict=True))
    return whole and len({*values}) == len(values)


def _are_shown(values: Sequence[str], named: Sequence[list[Mention]]) -> bool:
    """Return whether each number is that of the item beside it in the list shown."""
    numbers = [_number(value) for value in values]
    return len(values) > 2 and all(
        number is not None and found and found[0].match and number - 1 in found[0].match.positions
        for number, found in zip(numbers, named, strict=True)
    )


_WATCHED = re.compile(
    r"\b(?:because|since|as) you\b|\b(?:you(?:['’]ve)?|already|previously|user) (?:watched|liked|loved|read"
    r"|played|bought)\b"
    r"|\bhistory\b|^(?:watched|seen)$",
    re.IGNORECASE,
)
"""The heading of a column with what the user has had."""
_SIDES = re.compile(r"(\w{2,20}?)_(?:to|2)_(\w{2,20})")
"""A map whose name says what its keys and its values are: `rank_to_id`."""
_ASKED = re.compile(r"\b(?:my|you|your|user|final|new|predicted|recommend\w*)\b", re.IGNORECASE)
"""Of two columns of ranks, the one that was asked for."""
_ROLE_WORD = re.compile(r"\W{0,3}([^\W\d_]{2,20})[ _#:.-]{0,3}\d{1,4}\W{0,3}$")


def _role_word(text: str) -> str:
    found = _ROLE_WORD.match(text) if len(text) < 40 else None
    return head_role(found[1]) if found else ""


def _disagree(columns: Sequence[list[list[Mention]]]) -> bool:
    """Return whether two columns hold the same items, each once and in another order: two rankings side by side."""
    orders = {
        tuple(found[0].match.positions if found and found[0].match else () for found in column) for column in columns
    }
    whole = [order for order in orders if () not in order and len(set(order)) == len(order) > 1]
    return any(set(one) == set(other) for one, other in pairwise(whole))


def _undecided(columns: Sequence[list[str]], named: Sequence[list[list[Mention]]], is_map: bool) -> Listing:
    """Two columns of 1 to n, unnamed: the one that counts is the rank, unless both readings differ in a JSON object."""
    first, second = (
        [mention for at in by_number(columns[rank], "rank") or () for mention in named[1 - rank][at]] for rank in (0, 1)
    )
    if [mention.match for mention in first] == [mention.match for mention in second]:
        return Listing(first)
    if counts(columns[0]) == counts(columns[1]) or (is_map and not counts(columns[1])):
        return Listing(first, ambiguous=True)  # the keys of a map may count in either reading
    return Listing(first if counts(columns[0]) else second)


def counts_down(values: Sequence[int | None]) -> bool:
    """Return whether numbers fall by one each."""
    return len(values) > 1 and all(one and one - 1 == after for one, after in pairwise(values))


def directed(listing: Listing, values: Sequence[int], are_ranks: bool) -> None:
    """Turn a listing so that the best entry comes first, as the numbers of its entries say.

    `are_ranks`: they are called ranks (`Rank 3:`).
    """
    if counts_down(values) and values[-1] == 1:
        listing.mentions.reverse()
        listing.ordered, listing.counted_down = True, not are_ranks
    elif counts_down(values) and len(values) > 2:
        listing.ambiguous = True  # the countdown goes on elsewhere
    elif are_ranks and len(set(values)) == len(values) == len(listing.mentions):
        order = sorted(range(len(values)), key=values.__getitem__)
        listing.mentions = [listing.mentions[at] for at in order]
        listing.ordered = order != [*range(len(order))]
    elif len(values) > 2 and sorted(values) == [*range(1, len(values) + 1)] and [*values] != sorted(values):
        listing.ambiguous = True


def falls(gaps: Sequence[str]) -> tuple[bool, bool]:
    """Return whether `<` stands between entries, so that the last is the best, and whether `<` and `>` both do."""
    less, more = any("<" in gap.replace("<-", "") for gap in gaps), any(">" in gap for gap in gaps)
    return less and not more, less and more
