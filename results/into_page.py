"""Put the output of a command into a page, between `<!-- NAME -->` and `<!-- /NAME -->`, so that no figure is typed.

llmrank eval --prompt palr | python results/into_page.py README.md table
"""

from __future__ import annotations

import re
import sys
from pathlib import Path


def into_page(page: str, name: str, printed: str) -> str:
    """Return the page with `printed` between the markers: a Markdown table unchanged, all else as a code block.

    Raises ValueError if the markers are missing.
    """
    block = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- /{re.escape(name)} -->)", re.DOTALL)
    text = "\n".join(line.rstrip() for line in printed.strip("\n").splitlines())
    shown = text if text.startswith("|") else f"```\n{text}\n```"
    page, found = block.subn(lambda match: f"{match[1]}{shown}\n{match[2]}", page)
    if not found:
        raise ValueError(f"the page has no <!-- {name} --> and <!-- /{name} -->")
    return page


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(into_page(path.read_text("utf-8"), sys.argv[2], sys.stdin.read()), "utf-8")
