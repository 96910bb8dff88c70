"""What a text says of options is true in Python too."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

import llmrank as lr
from llmrank.audit import options as audit_options
from llmrank.errors import in_python
from llmrank.evaluation import settings
from llmrank.evaluation.convert import convert
from llmrank.finetune import finetune
from llmrank.finetune.settings import PromptTraining, TitleTraining

PACKAGE = Path(lr.__file__).parent
COMMAND = re.compile(r"`[^`]*`|\b(?:llmrank|pip|gunicorn)\b[^,;)`]*")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


def settings_in_python() -> set[str]:
    """Return the parameters of the public functions, and the fields of all records of settings."""
    public = [one for name in lr.__all__ if inspect.isfunction(one := getattr(lr, name))]
    records = [PromptTraining, TitleTraining, *vars(settings).values(), *vars(audit_options).values()]
    found = {field.name for one in records if is_dataclass(one) for field in fields(one)}
    return found.union(*(inspect.signature(one).parameters for one in (*public, lr.Reranker, convert, finetune)))


def options_named() -> Iterator[tuple[str, str]]:
    """Yield the place and each option in a text of the package, outside commands and the command line's own texts."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.parent.name == "cli" or path.name == "files.py":  # that calls pip
            continue
        tree = ast.parse(path.read_text("utf-8"))
        kept = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings and help texts
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in kept:
                for option in OPTION.findall(COMMAND.sub("", node.value)):
                    yield f"{path.relative_to(PACKAGE)}:{node.lineno}", option


def test_every_option_in_a_text_is_a_setting_in_python() -> None:
    known, named = settings_in_python(), list(options_named())
    assert len(named) > 100
    assert [(place, option) for place, option in named if in_python(option).partition("=")[0] not in known] == []


def test_a_hint_of_several_options_is_one_of_several_arguments() -> None:
    assert in_python("use --first recall_order --first-top 128; or -k 128") == (
        "use first='recall_order' first_top=128; or k=128"
    )
    assert in_python("--ids item_id, or --ids numbers for positions; --ids letters (chosen to fit), or -k 3") == (
        "ids='item_id', or ids='numbers' for positions; ids='letters' (chosen to fit), or k=3"
    )
    assert in_python("(--data ml-100k), --backend replay:FILE, --shard i/n; check --model and the --split of it") == (
        "(data='ml-100k'), backend='replay:FILE', shard='i/n'; check model and the split of it"
    )
    assert in_python("""for example --extra-body '{"min_p": 0.1}'""") == """for example extra_body='{"min_p": 0.1}'"""


@pytest.mark.parametrize("name", ["ranker", "k", "wording", "regression", "targets", "overwrite"])
def test_the_settings_are_found(name: str) -> None:
    assert name in settings_in_python()
