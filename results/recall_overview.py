"""Print one table of all recall models on a data set, best first, from the blocks of results/recall.md.

    python results/recall_overview.py results/recall.md ml-1m | python results/into_page.py results/recall.md all-ml-1m

Of a model in several blocks, the last on the page counts. Each block says on which day it was made.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

BLOCK = re.compile(
    r"^<!-- (?P<name>[\w-]+) -->\n```\n(?P<text>Recall models: .*?)```\n<!-- /", re.DOTALL | re.MULTILINE
)
DAY = re.compile(r"^machine .*; (\d{4}-\d\d-\d\d)$", re.MULTILINE)
DATA = re.compile(r"^([\w-]+):$")
NDCG = "NDCG@10"
SHOWN = ("model", "seeds", "HR@10", NDCG, "recall@20", "recall@50", "fit, CPU s", "peak memory, GiB", "made")

Row = dict[str, str]


def rows(page: str) -> Iterator[tuple[str, Row]]:
    """Yield the data set and the cells, by heading, of each row of each block."""
    for block in BLOCK.finditer(page):
        day = DAY.search(block["text"])
        if day is None:
            raise ValueError(f"the block {block['name']} does not say when it was made")
        data, heads = "", list[str]()
        for line in block["text"].splitlines():
            if (named := DATA.match(line)) is not None:
                data, heads = named[1], []
            elif line.startswith("| "):
                cells = [cell.strip() for cell in line.strip("|").split("|")]
                if heads:
                    yield data, {**dict(zip(heads, cells, strict=True)), "made": day[1]}
                heads = heads or cells


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("data")
    given = parser.parse_args()
    latest = {
        row["model"].removesuffix(" (stopped)"): row
        for data, row in rows(given.page.read_text("utf-8"))
        if data == given.data
    }
    best_first = sorted(latest.values(), key=lambda row: -float(row[NDCG].split()[0]))
    for cells in (SHOWN, ["---"] * len(SHOWN), *([row[name] for name in SHOWN] for row in best_first)):
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
