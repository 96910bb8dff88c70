"""Imports run one way (the table of rooms), and nothing heavy is loaded before it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "llmrank"

EVERYWHERE = {"types", "errors", "plugin", "progress"}
MAY_IMPORT: dict[str, set[str]] = {
    "types": set(),
    "errors": set(),
    "plugin": {"errors"},
    "progress": {"errors"},
    "process": set(),
    "yaml_text": set(),
    "stats": set(),
    "files": set(),
    "prices": {"yaml_text"},
    "data": {"files"},
    # NoteLLM tunes the language model that `backends` finds and opens.
    "recall": {"data", "files", "backends"},
    "prompting": {"yaml_text"},
    "answers": set(),
    "rankers": {"prompting", "answers"},
    "store": {"files"},
    "store_export": {"store", "files"},
    "backends": {"store", "files"},
    "engine": {"store", "rankers", "backends", "prices"},
    "scale": {"data", "files"},
    "measures": {"stats"},
    "run": {"engine", "measures", "stats", "rankers", "prices", "files", "data"},
    "report": {"evaluation", "audit", "run", "measures", "stats", "prices", "files"},
    "audit": {"evaluation", "run", "rankers", "prompting", "answers", "data", "measures", "stats"},
    "finetune": {"evaluation", "engine", "data", "prompting", "rankers", "backends", "measures", "files"},
    "evaluation": {
        *("run", "scale", "engine", "rankers", "recall", "prompting", "answers", "backends", "data"),
        *("measures", "stats", "store", "prices", "files"),
    },
    # The command line shows what `evaluation` composes. `doctor` and `models` look at what is installed.
    "cli": {
        *("evaluation", "finetune", "run", "report", "audit", "prompting", "data", "store", "store_export"),
        *("process", "backends", "rankers", "answers", "yaml_text"),
    },
    "__main__": {"cli"},
}
# Inside `answers`: the stages of docs/reading-answers.md, each built on those before it.
STAGES: dict[str, set[str]] = {
    "text": set(),
    "items": {"text"},
    "outcome": {"text"},
    "rankings": {"text", "items", "outcome"},
    "formats": {"text", "items", "outcome", "rankings"},
    "plugin_format": {"outcome"},
    "located": {"text"},
    "__init__": {"text", "outcome", "plugin_format"},
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
    "peft",
}


def room(path: Path, within: Path = PACKAGE) -> str:
    return path.relative_to(within).parts[0].removesuffix(".py")


def imports_of_ours(path: Path, within: str = "llmrank") -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"{within}."):
            rest = f"{node.module}"[len(within) + 1 :]
            found.update([rest.split(".")[0]] if rest else [alias.name for alias in node.names])
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith(f"{within}.")]
            found.update(name[len(within) + 1 :].split(".")[0] for name in names)
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    here = room(path)
    if here == "__init__":
        # Its public names are loaded lazily; the imports that it shows are for type checkers.
        assert imports_of_ours(path) <= {"evaluation", "audit", "run", "types", "errors", "measures"}
        return
    allowed = MAY_IMPORT[here]
    wrong = imports_of_ours(path) - allowed - {here, "__version__"} - (EVERYWHERE if here not in EVERYWHERE else set())
    assert not wrong, f"{path.name} in {here}/ imports {sorted(wrong)}; it may import {sorted(allowed)}"


ANSWERS = PACKAGE / "answers"


@pytest.mark.parametrize("path", sorted(ANSWERS.rglob("*.py")), ids=lambda path: str(path.relative_to(ANSWERS)))
def test_the_stages_of_reading_run_one_way(path: Path) -> None:
    here = room(path, ANSWERS)
    wrong = imports_of_ours(path, "llmrank.answers") - STAGES[here] - {here}
    assert not wrong, f"{path.name} in answers/{here} imports {sorted(wrong)}; it may import {sorted(STAGES[here])}"


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


def test_a_command_loads_no_answer_format_until_it_reads_one() -> None:
    """Their patterns take longer to compile than most commands take."""
    code = "import llmrank.cli.rerank\nprint(*(name for name in sys.modules if name.startswith('llmrank.answers.')))"
    ran = subprocess.run([sys.executable, "-c", f"import sys\n{code}"], capture_output=True, text=True, check=True)
    assert {*ran.stdout.split()} <= {
        f"llmrank.answers.{name}" for name in ("outcome", "plugin_format", "text", "text.envelope", "text.normalise")
    }


def test_every_room_is_in_the_table_with_nothing_that_it_does_not_import() -> None:
    used: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        used.setdefault(room(path), set()).update(imports_of_ours(path))
    assert used.keys() - {"__init__"} <= MAY_IMPORT.keys()
    idle = {name: sorted(allowed - used.get(name, set())) for name, allowed in MAY_IMPORT.items()}
    assert not {name: rooms for name, rooms in idle.items() if rooms}


def test_the_command_line_stays_thin() -> None:
    lines = sum(len(path.read_text("utf-8").splitlines()) for path in (PACKAGE / "cli").glob("*.py"))
    assert lines <= 2000, "a command parses, makes one call, and shows what comes back"


def test_no_count_of_a_pattern_is_taken_for_a_value() -> None:
    """In an f-string, `\\d{2}` is `\\d2`, a pattern that never matches what it was written for."""
    counts = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FormattedValue)
        for value in (node.value.elts if isinstance(node.value, ast.Tuple) else [node.value])
        if isinstance(value, ast.Constant) and isinstance(value.value, int)
    ]
    assert counts == []
