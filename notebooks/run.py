"""Runs a notebook in a folder of its own and keeps what its cells show, without progress and times.

python run.py quickstart.ipynb
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient


def run(path: Path) -> None:
    """Run the notebook and write it with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    with TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [part for part in cell.outputs if part.get("name") != "stderr"]
    nbformat.write(notebook, path)


if __name__ == "__main__":
    run(Path(sys.argv[1]))
