"""Print a block of results/audits.md: all audits of a shipped model, with the reason where one does not apply.

    python results/audits.py FOLDER zero-shot --users 100
    python results/audits.py FOLDER zero-shot-text --users 40 --only identifiers thinking
    python results/audits.py FOLDER tuned --users 400

FOLDER keeps the Runs and the user's Store keeps every answer, so the same command continues.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import llmrank as lr
from llmrank.audit import Audit, popularity

METHODS: dict[str, dict[str, Any]] = {
    "zero-shot": {"prompt": "first-token", "k": 20},
    "zero-shot-text": {"prompt": "rankgpt", "k": 20},
    "tuned": {"ranker": "next_title", "k": 50},
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


def show(name: str, audit: Callable[[], Audit]) -> None:
    """Print what an audit finds, or why it finds nothing."""
    try:
        print(f"{name}\n{audit()}\n", flush=True)
    except lr.LlmrankError as error:
        print(f"{name}\nNot of this method: {error}\n", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the Runs are kept")
    parser.add_argument("method", choices=METHODS)
    parser.add_argument("--users", type=int, default=60)
    parser.add_argument("--only", nargs="+", choices=[*ASKING, "popularity"], default=[])
    given = parser.parse_args()
    method, folder = METHODS[given.method], given.folder / given.method
    shown = " ".join(f"--{name} {value}" if len(name) > 1 else f"-{name} {value}" for name, value in method.items())
    print(f"ml-100k, {shown}, {given.users} users\n", flush=True)
    for name, options in ASKING.items():
        if not given.only or name in given.only:
            arguments = {**method, **options, "users": given.users, "out": folder / name, "progress": False}
            show(name, partial(lr.run_audit, name, "ml-100k", **arguments))
    if not given.only or "popularity" in given.only:
        show("popularity", lambda: popularity(lr.load_run(folder / "history" / "full")))


if __name__ == "__main__":
    main()
