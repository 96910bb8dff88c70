"""Every notebook runs from top to bottom, in a kernel of its own, with public names only."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import llmrank

NOTEBOOKS = sorted((Path(__file__).resolve().parent.parent / "notebooks").glob("*.ipynb"))


EXPECTED = {
    "quickstart": ("95% interval", "significant difference", "Aladdin (1992)"),
    "edit_a_prompt": ("undefined variable 'number'", "significant difference", "+Compare each of them"),
    "audit": ("without bias", "NDCG@10, full history", "ranks gained"),
}
"""What each shows, kept and run again. Every text is in no cell's code."""


def shown_by(notebook: nbformat.NotebookNode) -> str:
    """Return what the cells put out."""
    parts = [part for cell in notebook.cells for part in cell.get("outputs", [])]
    texts = [[part.get("text", ""), *part.get("data", {}).values()] for part in parts]
    return "".join(text for some in texts for text in some if isinstance(text, str))


def code_of(notebook: nbformat.NotebookNode) -> str:
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_uses_public_names_only(path: Path) -> None:
    tree = ast.parse(code_of(nbformat.read(path, as_version=4)))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported - {"pathlib"} == {"llmrank"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "lr"
    }
    assert used and used <= set(llmrank.__all__)


@pytest.mark.vllm
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    kept = shown_by(notebook)
    assert all(words in kept for words in EXPECTED[path.stem]), "keep the outputs: `make notebooks`"
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = shown_by(notebook)
    assert all(words in shown for words in EXPECTED[path.stem])
