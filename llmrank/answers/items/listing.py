"""The data that the stages of reading a ranking exchange: the entries of a list, and what is known of their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from llmrank.answers.items.matching import Match


class Mention(NamedTuple):
    """A text that names an item, with its exact or normalised match (None if there is none)."""

    text: str
    match: Match | None
    line: int = 0
    """The line of the normalised text, counted from 1."""
    row: tuple[str, ...] = ()
    """The cells of its table row, or the values of its JSON object."""


@dataclass(slots=True)
class Listing:
    """Entries in the order in which they appear, with what the answer says about that order."""

    mentions: list[Mention]
    intro: str = ""
    """The text before it."""
    sentence: str = ""
    """The words of its line, if it is part of a sentence."""
    in_sentence: bool = False
    """It is part of a sentence, and counts only if there is no list."""
    worst_first: bool = False
    """The last entry is the best."""
    ordered: bool = False
    """Numbers, ranks or scores determined the order, regardless of any words about the direction."""
    scored: bool = False
    """The order came from scores rather than ranks."""
    chained: bool = False
    """Its entries are separated by `>`."""
    contradicted: bool = False
    """Some identifiers stand beside the titles of other items."""
    described: bool = False
    """Each item stands alone in its line of text, followed by a description."""
    titled: bool = False
    """Identifiers stand beside the titles of their items."""
    counted_down: bool = False
    """Its numbers counted down, and nothing else reversed it."""
    low: int = 0
    """Number of its last entries that are graded low: the worst of all, not only of those that it names."""
    scores_rise: bool = False
    """The entries are numbered from 1, but their scores rise."""
    cut: bool = False
    """The text breaks off in it, and its last entry is not among the mentions."""
    ambiguous: bool = False

    @property
    def named(self) -> dict[int, None]:
        """Return the positions of the named items, in order and each once; unmatched and ambiguous ones are left
        out."""
        return {one.match.positions[0]: None for one in self.mentions if one.match and one.match.positions}

    def add(self, other: Listing) -> None:
        """Append another listing."""
        self.mentions += other.mentions
        self.ambiguous |= other.ambiguous
        self.worst_first |= other.worst_first
        self.ordered |= other.ordered
        self.scored |= other.scored
        self.counted_down |= other.counted_down
        self.contradicted |= other.contradicted
        self.cut |= other.cut
        self.described &= other.described
        self.titled |= other.titled


def is_as_shown(named: dict[int, None]) -> bool:
    """Return whether a list has the items in the order in which they were shown, starting with the first."""
    return [*named] == [*range(len(named))]


def agrees(part: dict[int, None], whole: dict[int, None]) -> bool:
    """Return whether a list has the same order as a longer one."""
    return [*part] == [at for at in whole if at in part]
