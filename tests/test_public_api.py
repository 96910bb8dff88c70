"""The public Python API: few names, all of which work, and nothing heavy until it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

import llmrank as lr

PROMISED = {
    "load_cases", "load_prompt", "make_ranker", "evaluate", "compare", "plan", "rerank", "run_audit", "score",
    "load_run", "open_store", "Reranker", "Run", "Case", "Item", "Event", "Ranking", "Outcome", "measures",
    "LlmrankError", "convert",
}  # fmt: skip


def test_the_public_names_are_those_that_are_promised() -> None:
    assert set(lr.__all__) == PROMISED
    assert set(dir(lr)) >= PROMISED


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_every_public_name_is_there_and_says_what_it_is(name: str) -> None:
    assert getattr(lr, name).__doc__


def test_a_name_that_is_none_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="rank_everything"):
        _ = lr.rank_everything  # type: ignore[attr-defined]


def test_importing_llmrank_loads_nothing_but_itself() -> None:
    code = "import sys; before = set(sys.modules); import llmrank; print(*(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    ours = {name for name in loaded if name.split(".")[0] == "llmrank"}
    assert ours == {"llmrank"}


def test_a_template_is_named_in_a_line_and_prints_its_text() -> None:
    prompt = lr.load_prompt("palr")
    assert repr(prompt) == f"PromptTemplate('palr', {str(prompt.path)!r})"
    assert str(prompt) == prompt.path.read_text("utf-8")
