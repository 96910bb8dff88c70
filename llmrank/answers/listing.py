"""What the stages of a ranking's reading hand on: the entries of a list, and what was said of their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from llmrank.answers.matching import Match


class Mention(NamedTuple):
    """A text that names an item, with what it matched exactly or after normalising (None: nothing)."""

    text: str
    match: Match | None
    line: int = 0
    """Of the normalised text, from 1."""
    row: tuple[str, ...] = ()
    """The cells of its row of a table, or the values of its JSON object."""


@dataclass(slots=True)
class Listing:
    """Entries in the order in which they stand, with what was said of the order."""

    mentions: list[Mention]
    intro: str = ""
    """What stands before it."""
    sentence: str = ""
    """The words of its line, where it stands among words."""
    weak: bool = False
    """It stands in a sentence, and counts only where there is no list."""
    falling: bool = False
    """The last is the best."""
    ordered: bool = False
    """Numbers, ranks or scores gave the order, whatever the words of the answer say of the direction."""
    scored: bool = False
    """Scores, not ranks, gave the order."""
    chained: bool = False
    """`>` stands between its entries."""
    contradicted: bool = False
    """Identifiers stand beside the titles of other items."""
    described: bool = False
    """Each identifier stands alone in its line, with words of what it is."""
    counted_down: bool = False
    """Its numbers fell, and nothing else turned it round."""
    rising: bool = False
    """Whether scores behind the entries of a list that counts from 1 rise."""
    ambiguous: bool = False

    @property
    def named(self) -> dict[int, None]:
        """Return the positions of the named items, in order, each once; near misses are left out."""
        return {one.match.positions[0]: None for one in self.mentions if one.match and one.match.positions}

    def add(self, other: Listing) -> None:
        """Let another listing go on where this one ends."""
        self.mentions += other.mentions
        self.ambiguous |= other.ambiguous
        self.falling |= other.falling
        self.ordered |= other.ordered
        self.scored |= other.scored
        self.counted_down |= other.counted_down
        self.contradicted |= other.contradicted
        self.described &= other.described


def is_as_shown(named: dict[int, None]) -> bool:
    """Return whether a list has the items in the order in which they were shown, from the first."""
    return [*named] == [*range(len(named))]


def agrees(part: dict[int, None], whole: dict[int, None]) -> bool:
    """Return whether a list has the order of the longer one."""
    return [*part] == [at for at in whole if at in part]
