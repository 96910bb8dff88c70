"""Imports run one way (the table of rooms), and nothing heavy is loaded before it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "llmrank"

EVERYWHERE = {"types", "errors", "plugin"}
MAY_IMPORT: dict[str, set[str]] = {
    "types": set(),
    "errors": set(),
    "plugin": {"errors"},
    "stats": set(),
    "files": set(),
    "prices": set(),
    "data": {"files"},
    "recall": {"data", "files"},
    "prompting": set(),
    "answers": set(),
    "rankers": {"prompting", "answers"},
    "store": set(),
    "exported": {"store", "files"},
    "backends": {"store"},
    "engine": {"store", "rankers", "backends", "prices"},
    "scale": {"data", "files"},
    "measures": {"stats"},
    "run": {"engine", "measures", "stats", "rankers", "prices", "files"},
    "cli": {"*"},
    "__main__": {"cli"},
}
HEAVY = {
    "torch",
    "implicit",
    "vllm",
    "openai",
    "datasets",
    "scipy",
    "pandas",
    "sklearn",
    "transformers",
    "pyarrow",
    "aiohttp",
    "ray",
}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of_ours(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "llmrank":
            parts = node.module.split(".")
            found.update([parts[1]] if len(parts) > 1 else [alias.name for alias in node.names])
        elif isinstance(node, ast.Import):
            found.update(a.name.split(".")[1] for a in node.names if a.name.startswith("llmrank."))
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    here = room(path)
    if here == "__init__":
        return
    allowed = MAY_IMPORT[here]
    if "*" in allowed:
        return
    wrong = imports_of_ours(path) - allowed - {here, "__version__"} - (EVERYWHERE if here not in EVERYWHERE else set())
    assert not wrong, f"{path.name} in {here}/ imports {sorted(wrong)}; it may import {sorted(allowed)}"


def loaded_by(code: str) -> set[str]:
    ran = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(ran.stdout.splitlines()[-1].split())


def test_importing_loads_nothing_heavy() -> None:
    assert not loaded_by("import llmrank") & (HEAVY | {"numpy", "click", "jinja2"})


def test_help_loads_nothing_heavy() -> None:
    code = "from llmrank.cli import cli\ncli.main(['--help'], standalone_mode=False)"
    assert not loaded_by(code) & (HEAVY | {"numpy", "jinja2", "pydantic"})


def test_every_room_is_in_the_table() -> None:
    rooms = {room(path) for path in PACKAGE.rglob("*.py")} - {"__init__"}
    assert rooms <= MAY_IMPORT.keys()
