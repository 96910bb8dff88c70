"""Stage 4: find the rank, the item and the direction in a table, a JSON value, or a list.

A table may have columns for the rank, the item, a score and a reason, in any order and with any headings. A JSON object
may map ranks to items or items to ranks. Headings, keys and words such as `Rank` decide which column is which;
otherwise the column that counts 1, 2, 3, … is the rank. Scores sort the entries from high to low. If two readings
remain that give different orders, the listing is `ambiguous`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest

from llmrank.answers.items.listing import Listing, Mention, is_as_shown
from llmrank.answers.text.lines import CARDINALS, RANK_NOUN, Block, head_role
from llmrank.answers.text.normalise import ORDINALS, caseless
from llmrank.answers.text.phrases import degree, grade

TRAILING_RANK = caseless(rf"[-–—:=(,] ?(?:{RANK_NOUN})[ :#]{{0,2}}(?P<rank>\d{{1,3}})\W{{0,3}}$")
"""The rank after an entry: `1. Heat - rank 3`."""


def by_number(values: Sequence[str], role: str) -> list[int] | None:
    """Return the order given by ranks or scores, as indexes with the best first, None if it is ambiguous.

    Numbers without a heading are ranks if they are a permutation of 1 to n. Otherwise they are scores, which must not
    all be equal. Numbers without a heading that fall from n to 1 may be either: scores with the best first, or ranks
    with the worst first.
    """
    numbers = [number for value in values if (number := _number(value)) is not None]
    if len(numbers) < len(values):
        return None
    places = range(len(numbers))
    if not role and _are_ranks_with_ties(numbers):
        return [*places]
    if not role and len(numbers) > 2 and numbers == [*reversed(range(1, len(numbers) + 1))]:
        return None
    if not are_scores(values, role):
        return sorted(places, key=numbers.__getitem__) if len(set(numbers)) == len(numbers) else None
    return sorted(places, key=lambda at: -numbers[at]) if len({*numbers}) > 1 or len(numbers) < 2 else None


def _are_ranks_with_ties(numbers: Sequence[float]) -> bool:
    """Return whether numbers rise from 1 like ranks with ties: `1, 2, 2, 4`."""
    first = {number: at for at, number in reversed([*enumerate(numbers, 1)])}
    rise = [*numbers] == sorted(numbers) and all(number == at for number, at in first.items())
    return rise and 1 < len(first) < len(numbers)


def are_scores(values: Sequence[str], role: str) -> bool:
    """Return whether numbers are scores. In an unnamed column they are, unless they are a permutation of 1 to n."""
    if role:
        return role != "rank"
    return any(re.search(r"[.,%/]", value) for value in values) or not is_permutation(values)


_NUMBER = caseless(
    r"\W{0,4}?(?:[A-Za-z]{1,12}[ _#:.-]{0,3})?(-?\d{1,9}(?:[.,]\d{1,9})?)(?:st|nd|rd|th|[ºª°.])?"
    r" ?(?:%|/ ?\d{1,3}(?:\.0)?|(?:out )?of \d{1,3}|points?|stars?|pts?\.?)?\W{0,4}$"
)
_NUMBER_WORDS = {word: float(at) for words in (ORDINALS, CARDINALS) for at, word in enumerate(words, 1)}


def _number(text: str) -> float | None:
    if len(text) < 60 and (found := _NUMBER.match(text)):
        return float(found[1].replace(",", "."))
    return _NUMBER_WORDS.get(text.strip(" *_:.").casefold())


def counts(values: Sequence[str]) -> bool:
    """Return whether the values count 1, 2, 3, …, like the ranks of a list."""
    return [_number(value) for value in values] == [*range(1, len(values) + 1)]


def is_permutation(values: Sequence[str]) -> bool:
    """Return whether the values are a permutation of 1 to n."""
    return {_number(value) for value in values} == {*range(1, len(values) + 1)}


def _are_shares(column: Sequence[str]) -> bool:
    """Return whether a column holds fractions of one that do not fall. Its heading does not say what they measure."""
    values = [_number(text) for text in column if "." in text]
    shares = [value for value in values if value is not None and 0 <= value <= 1]
    return 2 < len(shares) == len(column) and shares != sorted(shares, reverse=True)


@dataclass(slots=True, eq=False)
class _Column:
    """A column of a table, or a side of a map (a JSON object or a list of pairs); either side may hold the items."""

    head: str
    """Its heading; the second side of a map has the name of the map."""
    texts: Sequence[str]
    named: list[list[Mention]]
    """The mentions in each cell."""
    role: str
    """`rank`, `score` or `item`, if known."""

    @property
    def hits(self) -> int:
        """Return how many cells name an item."""
        return sum(any(one.match for one in found) for found in self.named)


def read_rows(block: Block, cell: Callable[[str, int], list[Mention]]) -> Listing:
    """Return the entries of a table or JSON value. `cell(text, line)` returns the mentions in a cell.

    The headings give the roles of the columns. Without them, the column that names the most items holds the items. If
    two columns could, the one that counts 1, 2, 3, … is the rank.
    """
    rows, heads = block.rows, block.header
    cells = [*zip_longest(*(row.cells for row in rows), fillvalue="")]
    if len(cells) < 2 or (len(rows) == 1 and len(heads) > 2 and (counts(heads) or counts(heads[1:]))):
        return Listing([one for row in rows for text in row.cells for one in cell(text, row.line)])
    is_map = heads[:1] in (("key",), ("pair",))
    columns = [
        _Column(head, texts, [*map(cell, texts, (row.line for row in rows))], "" if is_map else head_role(head))
        for head, texts in zip_longest(heads[: len(cells)], cells, fillvalue="")
    ]
    fit = (_item_sides_of_map if is_map else _item_columns_of_table)(columns)
    if not fit and block.kind == "table":  # titles that are only similar to those of the candidates
        fit = [one for one in columns if one.role == "item" and all(one.named)]
    if not fit:
        return Listing([one for row in rows for one in cell(" ".join(row.cells), row.line)] if is_map else [])
    item = max([one for one in fit if one.role == "item"] or fit, key=lambda one: one.hits)
    if unsure := _of_two_readings(columns, fit, item, is_map):
        return unsure
    order, scored = _order(columns, item, is_map, block.kind == "table")
    if block.cut and is_map and scored and not any(one.role or head_role(one.head) for one in columns):
        others = columns[1 - columns.index(item)].texts
        order = (
            order if any("." in text or (_number(text) or 0) > _MANY for text in others) else None
        )  # ranks, with the rest cut off
    places = range(len(rows)) if order is None else order
    mentions = [one._replace(row=rows[at].cells) for at in places for one in item.named[at][:1]]
    listing = Listing(mentions, ordered=order != [*range(len(rows))], scored=scored, ambiguous=order is None)
    listing.scores_rise = any(do_grades_rise([one.texts[at] for at in places]) for one in columns if _judges(one))
    return _in_grades(listing, columns[1 - columns.index(item)].texts) if is_map and order == [*places] else listing


_MANY = 30
"""A number that is too large for a rank."""


def _in_grades(listing: Listing, keys: Sequence[str]) -> Listing:
    """Return the listing of a map in the order written, ambiguous if its keys grade the items in another order."""
    grades = [grade(key.replace("_", " ")) for key in keys]
    given = [one for one in grades if one is not None]
    if len(given) == len(grades) == len(listing.mentions) and len({*given}) > 1:
        listing.ambiguous |= given != sorted(given, reverse=True)
        listing.low = given.count(1)
    return listing


def _item_columns(columns: Sequence[_Column]) -> list[_Column]:
    """Return the columns that may hold the items: they name items, and have no other role."""
    fit = [one for one in columns if one.hits and one.role not in ("rank", "score")]
    return ([one for one in fit if not _WATCHED.search(one.head)] or fit) if len(fit) > 1 else fit


def _item_columns_of_table(columns: Sequence[_Column]) -> list[_Column]:
    """Return the columns of a table that may hold the items. A second rank column may, if it holds the numbers under
    which items were shown."""
    fit = _item_columns(columns)
    for column in [one for one in columns if one.role == "rank"]:
        roles = [one.role for one in columns]
        is_spare = not counts(column.texts) or "score" in roles or roles.count("rank") > 1
        if is_spare and any(_are_shown(column.texts, one.named) for one in fit):
            column.role = "item"  # | 3 | Rocky |, the third item shown
            fit.append(column)
    ranks = [one for one in columns if one.role == "rank"]
    others = [one for one in ranks if not counts(one.texts)]
    if not fit and len(others) == 1 < len(ranks) and all(others[0].named):
        others[0].role = "item"  # | Rank | No. |
        return others
    return fit


def _item_sides_of_map(columns: Sequence[_Column]) -> list[_Column]:
    """Return the sides of a map that may hold the items. If both may, the name of the map or the words before its
    numbers give their roles."""
    fit = _item_columns(columns)
    if columns[-1] in fit and all(text.isdigit() for text in columns[0].texts) and _are_of_others(columns):
        columns[0].role = "rank"  # {"2": "Heat", "1": "Fargo"}
        return [columns[1]]
    if len(fit) == 2:
        words = [{_role_word(text) for text in column.texts} for column in columns]
        roles = ["rank" if "rank" in one else "item" if "item" in one else "" for one in words]
        if sides := _SIDES.fullmatch(columns[1].head):
            roles = [head_role(sides[1]), head_role(sides[2])]
        elif head_role(columns[1].head) == "score" and not any(roles):
            roles = ["item", "score"]
        for column, role in zip(columns, roles, strict=False):
            column.role = role
        fit = [one for one in fit if one.role not in ("rank", "score")]
    return fit


def _of_two_readings(columns: Sequence[_Column], fit: Sequence[_Column], item: _Column, is_map: bool) -> Listing | None:
    """Return the listing if another column might hold the items as well, None if no other might."""
    has_roles = any(one.role for one in columns)
    both = [] if has_roles else [one for one in fit if is_permutation(one.texts)]
    if len(both) > 1 and item in both:
        bracketed = [one for one in both if is_map and all(text.startswith("[") for text in one.texts)]
        if len(bracketed) == 1:  # {"1": "[4]", "2": "[3]"}
            places = by_number(columns[1 - columns.index(bracketed[0])].texts, "rank") or ()
            return Listing([one for at in places for one in bracketed[0].named[at][:1]])
        return _undecided(both[0], both[1], is_map)
    if not is_map and not any(one.role == "item" for one in columns) and _disagree([one.named for one in fit]):
        return Listing([found[0] for found in item.named if found], ambiguous=True)
    name = columns[1].head
    unnamed = is_map and not has_roles and not re.search("ranks|score", name)
    if unnamed and len(fit) == 2 and counts(columns[0].texts) and _are_others(columns[1]):
        by_rank = _RANKING.search(name) or not _are_falling(columns[1].texts)  # {"1": 9, "2": 8}: items, or scores
        return Listing([found[0] for found in columns[1].named], ambiguous=not by_rank)
    return None


def _order(columns: Sequence[_Column], item: _Column, is_map: bool, is_table: bool) -> tuple[list[int] | None, bool]:
    """Return the rows, best first (None if two orders are equally plausible), and whether scores gave the order."""
    others = [one for one in columns if one is not item]
    if ranks := [one for one in others if one.role == "rank"]:
        asked = [one for one in ranks if _ASKED.search(one.head)]
        orders = [by_number(one.texts, "rank") for one in (asked if len(asked) == 1 else ranks)]
        return (orders[0] if all(order == orders[0] for order in orders) else None), False
    if is_map:
        return _order_of_map(columns, item)
    if counted := [one for one in others if not one.role and is_permutation(one.texts)]:
        told = not counted[0].head and _is_as_shown(item)  # Item 1 – 4, Item 2 – 2: a rank for each
        decided = not is_table or told or counts(counted[0].texts)
        return (by_number(counted[0].texts, "rank") if decided else None), False  # | Title | Value |: ranks, or scores
    scores = [one.texts for one in others if one.role == "score"]
    if scores and all(_number(text) is not None for text in scores[0]):
        return by_number(scores[0], "score"), True
    if len(others) == 1 and not others[0].head and all(map(_may_be_score, others[0].texts)):
        return by_number(others[0].texts, ""), True  # Heat | 0.7
    shares = any(_are_shares(one.texts) for one in others)  # "chance_of_giving_up": 0.72
    return (None if shares else _by_grades(others, item)), False


def _is_as_shown(item: _Column) -> bool:
    return is_as_shown(Listing([found[0] for found in item.named if found]).named)


def do_grades_rise(texts: Sequence[str]) -> bool:
    """Return whether verdicts on the entries rise from one to the next: `Very unlikely`, `Unlikely`, `Likely`."""
    found = [degree(text) for text in texts]
    given = [one for one in found if one is not None]
    return len(given) == len(found) > 2 and given == sorted(given) and given[0] < given[-1]


def _judges(column: _Column) -> bool:
    """Return whether a column says how well the items suit the user, judging by its heading."""
    return column.role == "score" or _VERDICT.search(column.head) is not None


_VERDICT = caseless(r"verdict|recommend|likel|interest|priorit|stars|prefer|suitab|appeal|\blike")


def _by_grades(columns: Sequence[_Column], item: _Column) -> list[int] | None:
    """Return the rows in the order of the verdicts in another column (`High`, `★★★`, `false`), None if these
    contradict the order written. Only items in the order shown are sorted by them."""
    standing = [*range(len(item.texts))]
    for column in columns:
        grades = [degree(text) for text in column.texts]
        given = [one for one in grades if one is not None]
        if 2 * len(given) < len(grades) or len(given) < 2 or given == sorted(given, reverse=True):
            continue
        sorts = _is_as_shown(item) and len(given) == len(grades) and _judges(column)
        return sorted(standing, key=lambda at: -given[at]) if sorts else None
    return standing


def _may_be_score(text: str) -> bool:
    """Return whether a number without a heading is no year, length or price."""
    value = _number(text)
    return value is not None and abs(value) <= 100 and not any(map(text.__contains__, "$€£"))


def _order_of_map(columns: Sequence[_Column], item: _Column) -> tuple[list[int] | None, bool]:
    """Return the order given by the numbers on the other side of a map, in the form of `_order`."""
    other = columns[1 - columns.index(item)]
    are_numbers = [_number(text) is not None for text in other.texts]
    if all(are_numbers):
        is_key = other is columns[0]
        is_rank = columns[1].head == "ranks" or (is_key and (other.texts[0] == "1" or is_permutation(other.texts)))
        is_score = not is_key and head_role(columns[1].head) == "score"
        role = "rank" if is_rank else "score" if is_score else other.role
        unsaid = columns[0].head == "pair" and not role and not is_key and is_permutation(other.texts)
        if unsaid and not (counts(other.texts) or _is_as_shown(item) or _are_shown(other.texts, item.named)):
            return None, False  # C = 4, A = 2: ranks, or scores
        return by_number(other.texts, role), are_scores(other.texts, role)
    undecided = (
        not any(are_numbers) and len(are_numbers) > 2 and _is_as_shown(item)
    )  # {"Heat": "crime", "Fargo": "comedy"}
    return (None if undecided else [*range(len(are_numbers))]), False


_RANKING = caseless(r"\b(?:rank(?:ing|ed)|order(?:ed|ing)?|sorted)")
"""The name of a map from ranks to items: `{"ranking": {"1": 7, "2": 6}}`."""


def _are_falling(values: Sequence[str]) -> bool:
    """Return whether each number is lower than the previous one."""
    return all(one and after and one > after for one, after in pairwise(map(_number, values)))


def _are_others(column: _Column) -> bool:
    """Return whether every cell of a column names an item by its number, each item at most once."""
    cells = zip(column.texts, column.named, strict=True)
    whole = all(text.isdigit() and found and found[0].match for text, found in cells)
    return whole and len({*column.texts}) == len(column.texts)


def _are_of_others(columns: Sequence[_Column]) -> bool:
    """Return whether the keys of a map count (from 0 only upwards), and its values are the titles of other items."""
    keys, values = columns
    cells = zip(values.texts, values.named, strict=True)
    titled = all(found and found[0].match and not text.isdigit() for text, found in cells)
    counted = is_permutation(keys.texts) or [*map(_number, keys.texts)] == [*range(len(keys.texts))]
    return titled and counted and not _are_shown(keys.texts, values.named)


def _are_shown(values: Sequence[str], named: Sequence[list[Mention]]) -> bool:
    """Return whether each number is the position at which the item beside it was shown."""
    numbers = [_number(value) for value in values]
    return len(values) > 2 and all(
        number is not None and found and found[0].match and number - 1 in found[0].match.positions
        for number, found in zip(numbers, named, strict=True)
    )


_WATCHED = caseless(
    r"\b(?:because|since|as) you\b|\b(?:you(?:['’]ve)?|already|previously|user) (?:watched|liked|loved|read"
    r"|played|bought)\b|\bhistory\b|^(?:watched|seen)$"
)
"""The heading of a column with items that the user has already had."""
_SIDES = re.compile(r"(\w{2,20}?)_(?:to|2)_(\w{2,20})")
"""The name of a map that gives the roles of its keys and values: `rank_to_id`."""
_ASKED = caseless(r"\b(?:my|you|your|user|final|new|predicted|recommend\w*)\b")
"""Of two rank columns, this one was asked for."""
_ROLE_WORD = re.compile(r"\W{0,3}([^\W\d_]{2,20})[ _#:.-]{0,3}\d{1,4}\W{0,3}$")


def _role_word(text: str) -> str:
    found = _ROLE_WORD.match(text) if len(text) < 40 else None
    return head_role(found[1]) if found else ""


def _disagree(columns: Sequence[list[list[Mention]]]) -> bool:
    """Return whether two columns hold the same items in different orders, each once: two rankings side by side."""
    orders = {
        tuple(found[0].match.positions if found and found[0].match else () for found in column) for column in columns
    }
    whole = [order for order in orders if () not in order and len(set(order)) == len(order) > 1]
    return any(set(one) == set(other) for one, other in pairwise(whole))


def _undecided(one: _Column, other: _Column, is_map: bool) -> Listing:
    """Read two unnamed columns of 1 to n. The one that counts is the rank; in a JSON object this is ambiguous if the
    two readings differ."""
    first, second = (
        [
            mention._replace(row=(rank.texts[at], item.texts[at]))
            for at in by_number(rank.texts, "rank") or ()
            for mention in item.named[at]
        ]
        for rank, item in ((one, other), (other, one))
    )
    if [mention.match for mention in first] == [mention.match for mention in second]:
        return Listing(first)
    if counts(one.texts) == counts(other.texts) or (is_map and not counts(other.texts)):
        return Listing(first, ambiguous=True)  # the keys of a map may count in either reading
    return Listing(first if counts(one.texts) else second)


def counts_down(values: Sequence[int | None]) -> bool:
    """Return whether each number is one less than the previous one."""
    return len(values) > 1 and all(one and one - 1 == after for one, after in pairwise(values))


def sort_by_numbers(listing: Listing, values: Sequence[int], are_ranks: bool) -> None:
    """Sort or reverse a listing by the numbers of its entries, so that the best entry comes first.

    `are_ranks`: the numbers are called ranks (`Rank 3:`).
    """
    if counts_down(values) and values[-1] == 1:
        listing.mentions.reverse()
        listing.ordered, listing.counted_down = True, not are_ranks
    elif counts_down(values) and len(values) > 2:
        listing.ambiguous = True  # the countdown continues elsewhere
    elif are_ranks and len(set(values)) == len(values) == len(listing.mentions):
        order = sorted(range(len(values)), key=values.__getitem__)
        listing.mentions = [listing.mentions[at] for at in order]
        listing.ordered = order != [*range(len(order))]
    elif len(values) > 2 and sorted(values) == [*range(1, len(values) + 1)] and [*values] != sorted(values):
        listing.ambiguous = True


def falls(gaps: Sequence[str]) -> tuple[bool, bool]:
    """Return whether `<` stands between the entries, so that the last is the best, and whether both `<` and `>` do."""
    less, more = any("<" in gap.replace("<-", "") for gap in gaps), any(">" in gap for gap in gaps)
    return less and not more, less and more
