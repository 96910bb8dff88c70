"""Print a block of results/audits.md: all audits of a shipped model, with the reason where one does not apply.

    python results/audits.py FOLDER zero-shot --users 60
    python results/audits.py FOLDER zero-shot-text --users 40 --only identifiers thinking
    python results/audits.py FOLDER tuned --users 150
    python results/audits.py FOLDER page -o ml-100k.html
    python results/audits.py FOLDER figures -o results/figures

The last two write a page about the tuned and the untuned model, with all audits of both, and pictures of some audits.
The page has the histories of users, so it is not part of this repository. FOLDER keeps the Runs and the audits, and the
user's Store keeps every answer, so the same command continues.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import llmrank as lr
from llmrank.audit import Audit, popularity, read_audit
from llmrank.report import write_page
from llmrank.report.figures import figures

METHODS: dict[str, dict[str, Any]] = {
    "zero-shot": {"prompt": "first-token", "k": 20},
    "zero-shot-text": {"prompt": "rankgpt", "k": 20},
    "tuned": {"ranker": "next_title", "k": 20},
}
ASKING: dict[str, dict[str, Any]] = {
    "history": {},
    "position": {},
    "consistency": {},
    "injection": {},
    "prior": {},
    "paraphrase": {},
    "identifiers": {},
    "thinking": {},
    "variance": {},
    "memorisation": {"known_as": "MovieLens 100K"},
}
DRAWN = ("position", "history", "injection")
"""The audits that `figures` draws."""


def show(name: str, audit: Callable[[], Audit], folder: Path) -> None:
    """Print what an audit finds, and keep it in the folder; or print why it finds nothing."""
    try:
        found = audit()
    except lr.LlmrankError as error:
        print(f"{name}\nNot of this method: {error}\n", flush=True)
        return
    print(f"{name}\n{found}\n", flush=True)
    folder.joinpath(f"{name}.json").write_text(json.dumps(found.to_dict()), "utf-8")


def write(folder: Path, out: Path) -> None:
    """Write the page about both models, tuned first, with all their audits."""
    methods = [folder / name for name in ("tuned", "zero-shot")]
    runs = [lr.load_run(method / "history" / "full") for method in methods]
    audits = [read_audit(file) for method in methods for file in sorted(method.glob("*.json"))]
    write_page(out, *runs, audits=audits, overwrite=True)


def draw(folder: Path, out: Path) -> None:
    """Draw some audits of each model."""
    out.mkdir(parents=True, exist_ok=True)
    for method in ("zero-shot", "tuned"):
        run = lr.load_run(folder / method / "history" / "full")
        for name in DRAWN:
            figure = figures(run, audits=[read_audit(folder / method / f"{name}.json")])["audit-1"]
            figure.savefig(out / f"{method}-{name}.svg", metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the Runs are kept")
    parser.add_argument("method", choices=[*METHODS, "page", "figures"])
    parser.add_argument("--users", type=int, default=60)
    parser.add_argument("--only", nargs="+", choices=[*ASKING, "popularity"], default=[])
    parser.add_argument(
        "-o", "--out", type=Path, default=Path("audits.html"), help="the page, or the folder of figures"
    )
    given = parser.parse_args()
    if given.method in ("page", "figures"):
        (write if given.method == "page" else draw)(given.folder, given.out)
        return
    method, folder = METHODS[given.method], given.folder / given.method
    shown = " ".join(f"--{name} {value}" if len(name) > 1 else f"-{name} {value}" for name, value in method.items())
    print(f"ml-100k, {shown}, {given.users} users\n", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    for name, options in ASKING.items():
        if not given.only or name in given.only:
            arguments = {**method, **options, "users": given.users, "out": folder / name, "progress": False}
            show(name, partial(lr.run_audit, name, "ml-100k", **arguments), folder)
    if not given.only or "popularity" in given.only:
        show("popularity", lambda: popularity(lr.load_run(folder / "history" / "full")), folder)


if __name__ == "__main__":
    main()
