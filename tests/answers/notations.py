"""Generate the tables of docs/reading-answers.md from the code: `python -m tests.answers.notations [--write]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from llmrank.answers.rankings.entry_forms import ENTRY_FORMS
from llmrank.answers.text.lines import NOTATIONS
from llmrank.answers.text.normalise import SIGNS
from llmrank.answers.text.phrases import DIRECTIONS, PHRASES

PAGE = Path(__file__).parents[2] / "docs" / "reading-answers.md"
BEGIN, END = "<!-- notations -->\n", "<!-- /notations -->"


def tables() -> str:
    """Return the tables in Markdown."""
    meanings = [(phrase.meaning, *(f"`{example}`" for example in phrase.examples[:2])) for phrase in PHRASES]
    return "\n".join(
        (
            _table(("Signs", "for example", "read as"), [(name, f"`{one}`", f"`{two}`") for name, one, two in SIGNS]),
            _table(("List marker", "for example"), [(one.name, f"`{one.example}`") for one in NOTATIONS]),
            _table(("Entry or line with", "for example"), [(one.name, f"`{one.example}`") for one in ENTRY_FORMS]),
            _table(("Meaning of the words before a list", "for example", "or"), meanings),
            _table(("Language", "from worst to best"), [(one.language, f"`{one.example}`") for one in DIRECTIONS]),
        )
    )


def page() -> str:
    """Return the page with its tables generated anew."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    return f"{before}{BEGIN}\n{tables()}\n{END}{rest.partition(END)[2]}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(page(), "utf-8")
    else:
        print(tables())
