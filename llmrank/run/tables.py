"""Small tables as plain text, Markdown, LaTeX or HTML, and the number formats used in them."""

from __future__ import annotations

import html
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from operator import add
from textwrap import fill, wrap
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

from rich.cells import cell_len

from llmrank.errors import MissingError, count_of, safe_for_console

if TYPE_CHECKING:
    from llmrank.measures import VersusBaseline
    from llmrank.run.compare import PairedResult

SIGNIFICANT = 0.05
NOTE_WIDTH = 80
NAME_ROOM = 16
"""The minimum width of a table's row names."""
MINUS = "\N{MINUS SIGN}"
LATEX_SPECIAL = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", MINUS: "$-$", "–": "--"}
    | {"<": r"\textless{}", ">": r"\textgreater{}"}
)


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of text cells; the first column is left-aligned, the others right-aligned."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def widths(self) -> list[int]:
        """The width of each column on a terminal, where a CJK character takes two places."""
        return [max(map(cell_len, column)) for column in zip(self.header, *self.rows, strict=True)]

    @property
    def width(self) -> int:
        """The width of the table on a terminal."""
        return sum(self.widths) + 2 * (len(self.header) - 1)

    def without(self, column: str) -> TextTable:
        """Return the table without a column."""
        kept = [place for place, name in enumerate(self.header) if name != column]
        header, *rows = [tuple(row[place] for place in kept) for row in (self.header, *self.rows)]
        return TextTable(header, tuple(rows))

    def fitting(self, width: int | None, dropped: Sequence[str]) -> TextTable:
        """Drop columns, in the order of `dropped`, until the table fits the width with its row names wrapped."""
        table = self
        for column in dropped:
            least = table.width - max(0, table.widths[0] - NAME_ROOM)
            table = table if width is None or least <= width else table.without(column)
        return table

    def left_out(self, whole: TextTable, dropped: Sequence[str]) -> tuple[str, ...]:
        """Return a sentence that names the columns of `whole` that this table dropped, if any."""
        gone = [name for name in whole.header if name in dropped and name not in self.header]
        return (f"Columns left out (too narrow): {', '.join(gone)}.",) if gone else ()

    def folded(self, width: int | None) -> TextTable:
        """Wrap the row names over several lines so that the table fits the width."""
        if width is None or self.width <= width:
            return self
        room = max(NAME_ROOM, width - self.width + self.widths[0])
        rows: list[tuple[str, ...]] = []
        for name, *cells in self.rows:
            first, *more = wrap(name, room, subsequent_indent="  ", break_on_hyphens=False) or [""]
            rows += [(first, *cells), *((line, *("" for _ in cells)) for line in more)]
        return TextTable(self.header, tuple(rows))

    def __str__(self) -> str:
        """Return the table as plain text."""
        rule = tuple("─" * width for width in self.widths)
        lines: list[str] = []
        for row in (self.header, rule, *self.rows):
            rooms = [" " * (width - cell_len(cell)) for cell, width in zip(row, self.widths, strict=True)]
            lines.append("  ".join([row[0] + rooms[0], *map(add, rooms[1:], row[1:])]).rstrip())
        return "\n".join(lines)

    def to_markdown(self) -> str:
        """Return a pipe table."""
        rule = [":---", *["---:"] * (len(self.header) - 1)]
        cells = [[cell.replace("|", "\\|") for cell in row] for row in (self.header, *self.rows)]
        return "\n".join(f"| {' | '.join(row)} |" for row in [cells[0], rule, *cells[1:]]) + "\n"

    def to_latex(self) -> str:
        """Return a LaTeX `tabular` with booktabs rules."""
        lines = [[cell.translate(LATEX_SPECIAL) for cell in row] for row in (self.header, *self.rows)]
        header, *rows = [" & ".join(cells) + r" \\" for cells in lines]
        columns = "l" + "r" * (len(self.header) - 1)
        begin = [f"\\begin{{tabular}}{{{columns}}}", r"\toprule", header, r"\midrule"]
        return "\n".join([*begin, *rows, r"\bottomrule", r"\end{tabular}"]) + "\n"

    def to_html(self, strips: Sequence[str] = ()) -> str:
        """Return an HTML `<table>` whose first column names the rows, with all text escaped.

        `strips` are SVG pictures, one per row, shown after its name.
        """
        header, *body = [[html.escape(safe_for_console(cell)) for cell in row] for row in (self.header, *self.rows)]
        first, *others = [f"<th scope=col>{cell}</th>" if cell else "<td></td>" for cell in header]
        pictured = [f"<td>{strip}</td>" for strip in strips] or [""] * len(body)
        rows = "".join(
            f"<tr><th scope=row>{name}</th>{picture}{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
            for (name, *cells), picture in zip(body, pictured, strict=True)
        )
        head = first + "<td></td>" * bool(strips) + "".join(others)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


@dataclass(frozen=True, repr=False)
class Shown(ABC):
    """A result that prints itself as its table, in a terminal and in a notebook."""

    key: ClassVar[str] = ""
    """The JSON key that holds the result; if empty, its fields are at the top level."""
    note: ClassVar[str] = ""
    """The note below the table."""
    dropped: ClassVar[tuple[str, ...]] = ()
    """Columns dropped from a table that is too wide, in this order."""

    @abstractmethod
    def table(self) -> TextTable:
        """Return the table."""

    def notes(self) -> tuple[str, ...]:
        """Return the notes below the table, in sentences."""
        return (self.note,) if self.note else ()

    def text(self, width: int | None = None) -> str:
        """Return the table and its notes; to fit `width` the table drops columns, never digits."""
        table = self.table()
        shown = table.fitting(width, self.dropped)
        notes = [
            fill(note, NOTE_WIDTH, break_on_hyphens=False)
            for note in (*shown.left_out(table, self.dropped), *self.notes())
        ]
        return "\n".join([str(shown.folded(width)), *notes])

    def to_markdown(self) -> str:
        """Return the table as a Markdown pipe table, with its notes."""
        return self.table().to_markdown() + "\n" + "\n".join(self.notes()) + "\n"

    def to_latex(self) -> str:
        """Return the notes as LaTeX comments, then the table as a `tabular` (package booktabs)."""
        return "".join(f"% {note}\n" for note in self.notes()) + self.table().to_latex()

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {self.key: asdict(self)} if self.key else asdict(self)

    def __str__(self) -> str:
        return self.text()

    # In an interactive session, show the readable table rather than the fields.
    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.table().to_html() + "".join(f"<p>{html.escape(note)}</p>" for note in self.notes())


def number(value: float | None) -> str:
    """Format a value with four decimals; None is a dash."""
    return "–" if value is None else f"{value:z.4f}".replace("-", MINUS)


def signed(value: float | None, decimals: int = 4) -> str:
    """Format a difference with its sign; None is a dash."""
    return "–" if value is None else f"{value:+z.{decimals}f}".replace("-", MINUS)


def between(ends: tuple[float | None, float | None] | None, *, sign: bool = False) -> str:
    """Format an interval or a range."""
    show = signed if sign else number
    return "–" if ends is None or None in ends else f"{show(ends[0])} to {show(ends[1])}"


def estimate(
    value: float | None, ends: tuple[float | None, float | None] | None, *, sign: bool = False
) -> tuple[str, str]:
    """Return two cells: a value (with `sign`, a difference) and its interval."""
    return (signed if sign else number)(value), between(ends, sign=sign)


def p_value(p: float | None) -> str:
    """Format a p-value as journals do: two decimals, three for small values, `< .001` below that."""
    if p is None or p < 0.001:
        return "–" if p is None else "< .001"
    return f"{p:.3f}"[1:] if p < 0.0995 else "1.00" if p >= 0.995 else f"{p:.2f}"[1:]


def p_is(p: float | None, name: str = "p") -> str:
    """Format a p-value for use in a sentence: `p = .31`, `p < .001`."""
    shown = p_value(p)
    return f"{name} {shown}" if shown.startswith("<") else f"{name} = {shown}"


def in_words(
    found: PairedResult | VersusBaseline, lower_is_better: bool, other: str, subject: str = "", alike: str = ""
) -> str:
    """Put a difference from another method into words: `better than popularity (+0.1, 95% CI …, p (Holm) < .001)`.

    `alike`: if each user has the same value from both, who they are: `all 60 users`.
    """
    if alike:
        return f"{subject and f'{subject} is '}the same as {other} for {alike}"
    interval, includes_zero = between(found.ci95, sign=True), includes_0(found.ci95)
    differs = found.p_holm < SIGNIFICANT
    # The interval is that of one measure alone, and may exclude 0 where the corrected test does not reject.
    named = "95% CI" if differs or includes_zero or found.ci95 is None else "uncorrected 95% CI"
    numbers = f"({signed(found.difference)}, {named} {interval}, {p_is(found.p_holm, 'p (Holm)')})"
    if not differs:
        return f"{subject and f'{subject} has '}no significant difference from {other} {numbers}"
    better = ((found.difference or 0) < 0) == lower_is_better
    though = f", by the test; {includes_zero}" if includes_zero else ""
    return f"{subject and f'{subject} is '}{'better' if better else 'worse'} than {other} {numbers}{though}"


def includes_0(ci95: tuple[float, float] | None) -> str:
    """Return the words that an interval includes 0, to be added to a claim; empty if it does not.

    The test and the interval may disagree: with few users the interval of a bounded mean is wider than the exact test
    implies.
    """
    holds = ci95 is not None and ci95[0] <= 0 <= ci95[1]
    return "the interval, which is wider for few users, includes 0" if holds else ""


def optional(name: str, package: str, purpose: str, *, extra: str | None = None) -> ModuleType:
    """Import an optional package; raises MissingError with the command that installs it or llmrank's `extra`."""
    hint = f"pip install 'llmrank[{extra}]'" if extra else f"pip install {package}"
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        raise MissingError(f"{purpose} needs {package}", hint=hint) from error
    if module.__spec__ is not None and module.__spec__.origin is None:
        # Not the package but a folder of that name, such as the `wandb` folder that Weights & Biases leaves behind.
        del sys.modules[name]
        raise MissingError(f"{purpose} needs {package}", hint=hint)
    return module


def in_cases(reasons: Mapping[str, int]) -> str:
    """Return reasons, each with the number of its Cases in brackets: a reason may itself end in a number."""
    return " · ".join(f"{reason} ({count_of(count, 'Case')})" for reason, count in reasons.items())
